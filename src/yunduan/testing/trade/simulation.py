"""The real domains under a seed: what the cloud stands on, and what must be true when everything has come to rest."""

import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from yunduan.backends.sandbox import Misbehaviour, Sandbox
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
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.clock import SeededEntropy
from yunduan.testing.disk import DiskFile
from yunduan.testing.simulator import DAY_MS, FILE, Report, Simulation
from yunduan.testing.trade import happenings
from yunduan.testing.trade.auditor import TradeAuditor
from yunduan.testing.trade.founding import APPROVED_ABOVE, KEYS, PAYEE_WAITS_MS, market
from yunduan.testing.trade.mix import MIX
from yunduan.testing.trade.shoppers import Shoppers

SOON_MS = 75 * 86_400_000
"""At the end of a run so much time passes, and a little more until nothing is about to ring: whatever is held then is held for ever."""
SHORTLY_MS, LONG_MS = 3_600_000, 90 * 86_400_000
COMPARES_EVERY = 40
STANDS_MAX, LATE_MS = 20, 60_000
"""What is due and was not done after so many looks is late, by so much."""


class TradeSimulation(Simulation):
    """The real domains under a seed."""

    domains = DOMAINS
    steps_max = 1_000_000
    leaps_ms = ()

    def __init__(self, seed: int, folder: Path, **settings: Any) -> None:
        """Begin with a market that is open."""
        super().__init__(seed, folder, **settings)
        files = market().files
        for name in (FILE, KEYS):
            file = self.disk.files[name] = DiskFile()
            file.durable = bytearray(files[name])
        books, secret = files["sandbox.sqlite"], files["sandbox.secret"]
        self.sandbox = Sandbox(secret, clock=self.clock, entropy=SeededEntropy(seed + 2), books=books)
        self.sandbox.misbehaviour = self._misbehaviour()
        self._shoppers = Shoppers(MIX, self.chance, self.sandbox, self.clock)
        self._rests_from = self._stands = self._banks_came = 0
        self.people = self._shoppers  # type: ignore[assignment]
        self._checker = TradeAuditor(self.clock, self.sandbox)
        self.auditor = self._checker  # type: ignore[assignment]

    def happened(self) -> Counter[str]:
        """How often what the mix is there for has happened."""
        return happenings.count(self._checker.facts, self._checker.known)

    def _misbehaviour(self) -> Misbehaviour:
        """How badly the channel behaves is drawn for each run."""
        seldom = {name: self.chance.choice((0, 0, 100)) for name in ("dawdles", "loses", "doubles", "delays", "unreachable")}
        return Misbehaviour(**seldom, refuses_refunds=self.chance.choice((0, 200)), refuses_payouts=self.chance.choice((0, 200)))

    def run(self) -> Report:
        """Run, then close the channel's books."""
        try:
            return super().run()
        finally:
            self.sandbox.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def channels(self) -> Channels:
        """What can be paid with."""
        return Channels({"sandbox": self.sandbox})

    def parts(self, folder: Path, vfs: str) -> Parts:
        """The vault is on the disk that loses its power; the channel is not."""
        vault = FileVault(folder / KEYS, entropy=self.entropy, vfs=vfs)
        self._checker.vault = vault
        channels = self.channels()
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
                PaymentSettings: PaymentSettings(payee_waits_ms=PAYEE_WAITS_MS, approve_above=APPROVED_ABOVE),
                OrderSettings: OrderSettings(),
                NoticeSettings: NoticeSettings(),
                Numbering: Numbering(vault.lookup("order numbers", "")),
                Sandbox: self.sandbox,
            },
            secret=vault.lookup("fingerprint", ""),
            mark=vault.mark(),
            before_commit=(vault.make_durable,),
            runners=(
                lambda cloud: Couriers(cloud.writer, cloud.behind, channels, vault),
                lambda cloud: Trackers(cloud, cloud.behind, carriers),
                *(partial(SandboxDeliveries, sandbox=sandbox, channel=name) for name, sandbox in self._shoppers.sandboxes.items()),
            ),
            closing=(vault.close,),
        )

    def look(self, eye: SqliteReader, commits: int, touched: set[str]) -> None:
        """Of each commit what was told is looked at anyway; of some seeds all that it touched, and of all seeds the whole now and then."""
        if commits % COMPARES_EVERY == 0:
            self._checker.compare(eye)
        elif self.compares_every == 1:
            self._checker.look(eye, touched)

    def told(self, fact: object) -> None:
        """What alarms do early is for the toy market to find."""

    def lets_time_pass(self, cloud: Cloud) -> bool:
        """Whether everybody waits for something: then the next thing that is due comes first, and is given time to be done."""
        now, until = self.clock.wall_ms(), self._shoppers.waits_until
        if now >= until:
            return False
        self._stands += 1
        is_patient = self._stands <= STANDS_MAX
        if is_patient and (cloud.writer.waiting() or any(cloud.following.lag().values())):
            return True
        due = self._next_due(cloud, otherwise=until)
        if due > now or not is_patient:
            self.clock.advance_to(min(until, due if due > now else now + LATE_MS))
            self._stands = 0
        return True

    def _next_due(self, cloud: Cloud, *, otherwise: int) -> int:
        try:
            return min(_dues(cloud), default=otherwise)
        except FaultError:  # its disk cannot be read just now
            return otherwise

    def is_quiet(self, cloud: Cloud) -> bool:
        """Whether nothing is left that ends by itself: what a shop does every night, and of what it owes it is reminded, goes on."""
        now = self.clock.wall_ms()
        self._rests_from = self._rests_from or now
        due = min(_dues(cloud), default=None)
        if due is None or due > max(self._rests_from + SOON_MS, now + SHORTLY_MS) or now > self._rests_from + LONG_MS:
            return True
        self.clock.advance_to(due)
        if now >= self._banks_came + DAY_MS:
            self._banks_came = now
            self._end_chargebacks(now)
        return False

    def _end_chargebacks(self, now: int) -> None:
        """Once a day a bank decides at last whatever it has heard enough about."""
        for sandbox in self._shoppers.sandboxes.values():
            for event in sandbox.chargebacks():
                if event.outcome == "charged_back" and event.evidence_due < now:
                    sandbox.decide_chargeback(event.chargeback, won=self.chance.random() < 0.5)

    def at_the_end(self, eye: SqliteReader) -> None:  # noqa: ARG002 - it was compared a moment ago
        """The channel and we agree, and what time settles is settled."""
        self._checker.at_rest()


def _dues(cloud: Cloud) -> list[int]:
    return [due for runner in cloud.runners if (due := runner.next_due()) is not None]
