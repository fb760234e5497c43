"""The real domains under a seed: what the cloud stands on, and what must be true when everything has come to rest."""

import shutil
from pathlib import Path
from typing import Any

from yunduan.backends.sandbox import Sandbox
from yunduan.backends.sandbox_carrier import SandboxCarrier
from yunduan.backends.sqlite.store import SqliteReader
from yunduan.backends.vault import FileVault
from yunduan.cloud import DOMAINS, Cloud, Parts, SandboxDeliveries
from yunduan.domains.catalog.model import CatalogSettings
from yunduan.domains.identity.model import IdentitySettings, Vault
from yunduan.domains.notices.model import NoticeSettings
from yunduan.domains.orders.charged_back import OrderChargebacks
from yunduan.domains.orders.couriers import Couriers as Trackers
from yunduan.domains.orders.holding import OrderHolds
from yunduan.domains.orders.model import OrderSettings
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.paying import OrderPayments
from yunduan.domains.orders.taxes import Taxes
from yunduan.domains.orders.taxing import TaxTables
from yunduan.domains.orders.tracking import Carriers
from yunduan.domains.payments.couriers import Couriers
from yunduan.domains.payments.model import (
    Channels,
    ChargebackListener,
    HoldListener,
    PaymentListener,
)
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.runtime.clock import SeededEntropy
from yunduan.testing.disk import DiskFile
from yunduan.testing.simulator import FILE, Report, Simulation
from yunduan.testing.trade.auditor import TradeAuditor
from yunduan.testing.trade.checks import nothing_is_held_for_ever, reconcile
from yunduan.testing.trade.founding import KEYS, market
from yunduan.testing.trade.mix import MIX
from yunduan.testing.trade.shoppers import Shoppers

SOON_MS = 120 * 86_400_000
"""At the end of a run time passes until nothing rings any more: whatever is held then is held for ever."""


class TradeSimulation(Simulation):
    """The real domains under a seed."""

    domains = DOMAINS
    leaps_ms = ()

    def __init__(self, seed: int, folder: Path, **settings: Any) -> None:
        """Begin with a market that is open."""
        super().__init__(seed, folder, **settings)
        files = market().files
        for name in (FILE, KEYS):
            file = self.disk.files[name] = DiskFile()
            file.durable = bytearray(files[name])
        outside = folder / "channel"
        outside.mkdir(parents=True)
        (outside / "sandbox.sqlite").write_bytes(files["sandbox.sqlite"])
        self.sandbox = Sandbox(files["sandbox.secret"], clock=self.clock, entropy=SeededEntropy(seed + 2), path=outside / "sandbox.sqlite")
        self.people = Shoppers(MIX, self.chance, self.sandbox, self.clock)  # type: ignore[assignment]
        self.auditor = TradeAuditor(self.clock)  # type: ignore[assignment]

    def run(self) -> Report:
        """Run, then close the channel's books."""
        try:
            return super().run()
        finally:
            self.sandbox.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def parts(self, folder: Path, vfs: str) -> Parts:
        """The vault is on the disk that loses its power; the channel is not."""
        vault = FileVault(folder / KEYS, entropy=self.entropy, vfs=vfs)
        self.auditor.vault = vault  # type: ignore[attr-defined]
        channels = Channels({"sandbox": self.sandbox})
        carriers = Carriers({"sandbox": SandboxCarrier(clock=self.clock, entropy=self.entropy)})
        return Parts(
            ports={
                Vault: vault,
                IdentitySettings: IdentitySettings(region="CN", mailbox_is_open=True),
                Channels: channels,
                Carriers: carriers,
                PaymentListener: OrderPayments(),
                Taxes: TaxTables(),
                ChargebackListener: OrderChargebacks(),
                HoldListener: OrderHolds(),
                CatalogSettings: CatalogSettings(),
                PaymentSettings: PaymentSettings(payee_waits_ms=60_000),
                OrderSettings: OrderSettings(),
                NoticeSettings: NoticeSettings(),
                Numbering: Numbering(vault.lookup("order numbers", "")),
                Sandbox: self.sandbox,
            },
            secret=vault.lookup("fingerprint", ""),
            mark=vault.mark(),
            before_commit=(vault.make_durable,),
            runners=(
                lambda cloud: Couriers(cloud.writer, cloud.store.reader(), channels, vault),
                lambda cloud: Trackers(cloud, cloud.store.reader(), carriers),
                lambda cloud: SandboxDeliveries(cloud, self.sandbox),
            ),
            closing=(vault.close,),
        )

    def told(self, fact: object) -> None:
        """What alarms do early is for the toy market to find."""

    def is_quiet(self, cloud: Cloud) -> bool:
        """Whether nothing is left to do soon."""
        dues = [due for runner in cloud.runners if (due := runner.next_due()) is not None]
        due = min(dues, default=None)
        if due is None or due > self.clock.wall_ms() + SOON_MS:
            return True
        self.clock.advance_to(due)
        return False

    def at_the_end(self, eye: SqliteReader) -> None:
        """The channel and we agree, and what time settles is settled."""
        reconcile(eye, self.sandbox)
        nothing_is_held_for_ever(eye)
