"""The composition root: the only module that names every domain and picks backends."""

import asyncio
import importlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec
from msgspec import Struct

from yunduan.backends import sqlite
from yunduan.backends.sandbox import Custodian, Misbehaviour, Sandbox
from yunduan.backends.sandbox_carrier import SandboxCarrier
from yunduan.backends.sqlite import SideFolder, SqliteStore
from yunduan.backends.vault import KEYS_REMEMBERED, FileVault
from yunduan.domains.catalog.domain import DOMAIN as CATALOG
from yunduan.domains.catalog.model import CatalogSettings
from yunduan.domains.catalog.queries import KnownShops
from yunduan.domains.identity.couriers import Couriers as Letters
from yunduan.domains.identity.couriers import KeepInMailbox
from yunduan.domains.identity.domain import DOMAIN as IDENTITY
from yunduan.domains.identity.model import CodeSender, IdentitySettings, Obligations, Shops, Vault
from yunduan.domains.ledger.domain import DOMAIN as LEDGER
from yunduan.domains.notices.couriers import KeepForReading, NoticeCouriers
from yunduan.domains.notices.domain import DOMAIN as NOTICES
from yunduan.domains.notices.model import LETTER_WAYS, NoticeSender, NoticeSettings, Way
from yunduan.domains.orders.charged_back import OrderChargebacks
from yunduan.domains.orders.couriers import Couriers as Trackers
from yunduan.domains.orders.domain import DOMAIN as ORDERS
from yunduan.domains.orders.holding import OrderHolds
from yunduan.domains.orders.model import OrderSettings
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.paying import OrderPayments
from yunduan.domains.orders.queries import BuyerObligations
from yunduan.domains.orders.taxes import Taxes
from yunduan.domains.orders.taxing import TaxTables
from yunduan.domains.orders.tracking import Carriers
from yunduan.domains.payments.commands import TakeNotification
from yunduan.domains.payments.couriers import Couriers as Errands
from yunduan.domains.payments.domain import DOMAIN as PAYMENTS
from yunduan.domains.payments.model import Channel, Channels, ChargebackListener, HoldListener, PaymentListener, Provider
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.search.asked import Counting, Noting
from yunduan.domains.search.domain import DOMAIN as SEARCH
from yunduan.domains.search.finding import Finder
from yunduan.domains.search.indexing import Indexer, concerns
from yunduan.domains.search.keeping import Keeping
from yunduan.domains.search.order_finding import OrderFinder
from yunduan.domains.search.order_indexing import OrderIndexer
from yunduan.domains.search.recalling import Recent
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime import domain as runtime
from yunduan.runtime.alarms import Alarms
from yunduan.runtime.answers import Answered, Refusal
from yunduan.runtime.clock import Clock, Entropy, SystemClock, SystemEntropy
from yunduan.runtime.following import Ears, Following
from yunduan.runtime.imports import refuse_unfinished
from yunduan.runtime.jobs import Jobs, Kinds
from yunduan.runtime.look import Look
from yunduan.runtime.migrations import migrate
from yunduan.runtime.ports import SideStores, Snapshots, Store, StoreRefusedError
from yunduan.runtime.registry import Domain, Registry, answer_type, registry_of
from yunduan.runtime.restoring import belong_together
from yunduan.runtime.runners import Runner, again_and_again
from yunduan.runtime.settings import Settings, SettingsError
from yunduan.runtime.timekeeping import Timekeeper, begin_timekeeping
from yunduan.runtime.writer import Limits, Writer

Answer = TypeVar("Answer")
DOMAINS: tuple[Domain, ...] = (runtime.DOMAIN, IDENTITY, LEDGER, CATALOG, PAYMENTS, ORDERS, SEARCH, NOTICES)
GAP_MS_MAX = 7 * 86_400_000
DELIVER_EVERY_S = 0.2
_refusal = msgspec.json.Decoder(Refusal).decode


class Parts(Struct, frozen=True, kw_only=True):
    """What a cloud stands on beside its store: what is joined to the domains' protocols, what runs, what must be closed."""

    ports: Mapping[type, Any]
    secret: bytes = b""
    """What the fingerprints of stored answers are made under."""
    mark: bytes = b""
    """What tells these keys from any others: a store remembers it and is opened with no others."""
    before_commit: tuple[Callable[[], None], ...] = ()
    runners: tuple[Callable[["Cloud"], Runner], ...] = ()
    beside_readers: tuple[Callable[[Any], Runner], ...] = ()
    """What runs in a process that only reads, given its way to the cloud: it has something to hand over."""
    closing: tuple[Callable[[], None], ...] = ()


class Window(Struct, frozen=True, kw_only=True):
    """What a process that does not write stands on: the same domains and parts, and connections that only read."""

    domains: tuple[Domain, ...]
    parts: Parts
    reader: Callable[[], Snapshots]
    clock: Clock


class Cloud:
    """Everything joined: what edges and tests talk to."""

    def __init__(
        self,
        store: Store,
        *,
        domains: tuple[Domain, ...] = DOMAINS,
        parts: Parts | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        limits: Limits | None = None,
        gap_ms_max: int = GAP_MS_MAX,
        copy_to: str = "",
        importing: str = "",
        helper: Executor | None = None,
        probe: Callable[[str], None] | None = None,
    ) -> None:
        """Bring a store up to date and join the domains over it; nothing runs until `start`.

        `importing` names the import that this cloud is opened for: a store with an unfinished one is opened for nothing else.
        """
        self.store = store
        self.clock = clock or SystemClock()
        self.registry = registry_of(domains)
        self.migrated = migrate(store, domains, copy_to=copy_to)
        refuse_unfinished(store, importing=importing)
        self._parts = parts or Parts(ports={})
        if self._parts.mark:
            belong_together(store, self._parts.mark)
        self.keeper = begin_timekeeping(store, self.clock, gap_ms_max=gap_ms_max)
        self._ports = {Ears: _ears_of(self.registry), Kinds: Kinds(self.registry), Timekeeper: self.keeper, **self._parts.ports}
        self.writer = Writer(
            store,
            self.registry,
            ports=self._ports,
            secret=self._parts.secret,
            before_commit=self._parts.before_commit,
            clock=self.clock,
            entropy=entropy,
            limits=limits,
            helper=helper,
            **({"probe": probe} if probe else {}),
        )
        self._look = Look(store.reader(), self.registry, self._ports)
        self.behind = store.reader(is_behind=True)
        """The connection of what goes on beside the requests."""
        self._look_behind = Look(self.behind, self.registry, self._ports)
        self.following = Following(self.writer, self.behind, self.registry)
        self.alarms = Alarms(self.writer, self.behind, self.registry, self.keeper)
        self.jobs = Jobs(self.writer, self.behind, self.registry)
        self.runners: tuple[Runner, ...] = (self.following, self.alarms, self.jobs, *(made(self) for made in self._parts.runners))
        self._slow: tuple[ThreadPoolExecutor, Look] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Let followers hear, alarms ring and jobs run, and have what is looked at remembered."""
        self.remember()
        self._tasks = [asyncio.create_task(again_and_again(part)) for part in self.runners]

    def remember(self) -> None:
        """Have quick queries share a snapshot and remember rows from commit to commit; from then on they are asked on the loop alone."""
        self._look.hold()
        self.writer.watch(self._look)

    async def stop(self) -> None:
        """Answer what is queued, then let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.stop()
        self._look.close()
        self.behind.close()
        if self._slow:
            self._slow[0].shutdown(wait=True)
            self._slow[1].close()
        self.store.close()
        for close in self._parts.closing:
            close()

    def port(self, kind: type[Answer]) -> Answer:
        """What is joined to this protocol."""
        found: Answer = self._ports[kind]
        return found

    def now(self) -> int:
        """The time of the cloud, in milliseconds since 1970: never before the last commit."""
        return self.writer.now()

    def submit(
        self, command: Command[Any], *, actor: Actor = ANONYMOUS, key: str = "", background: bool = False
    ) -> "asyncio.Future[Answered]":
        """Queue a command; what it was answered with is on disk when it comes."""
        return self.writer.submit(command, actor=actor, key=key, background=background)

    async def send(self, command: Command[Answer], *, actor: Actor = ANONYMOUS, key: str = "", background: bool = False) -> Answer:
        """Have a command carried out; raises `Refused` when the answer is no."""
        answered = await self.submit(command, actor=actor, key=key, background=background)
        if answered.accepted:
            answer: Answer = msgspec.json.decode(answered.body, type=answer_type(type(command)))
            return answer
        stored = _refusal(answered.body)
        code = next(code for code in type(command).refuses if code.value == stored.code)
        raise Refused(code, stored.detail, figures=stored.figures)

    def ask(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a quick query from the last commit."""
        return self._look.answer(query, actor=actor, now=self.now())

    def ask_behind(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a query over the connection of what goes on beside the requests.

        What it has read there, a fact say, has its commit behind it in the answer; `ask` may not have heard of that commit yet.
        """
        return self._look_behind.answer(query, actor=actor, now=self.now())

    async def ask_slow(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a query that takes longer, beside the loop."""
        if self._slow is None:
            self._slow = ThreadPoolExecutor(1, thread_name_prefix="slow"), Look(self.store.reader(), self.registry, self._ports)
        helper, look = self._slow
        now = self.now()
        return await asyncio.get_running_loop().run_in_executor(helper, lambda: look.answer(query, actor=actor, now=now))

    async def settle(self, *, hear: bool = True) -> None:
        """Until nothing moves any more: every alarm that is due rung, every errand run, and, if `hear`, every fact heard.

        For replays and tests.
        """
        runners = [runner for runner in self.runners if hear or runner is not self.following]
        while sum([await runner.run_once() for runner in runners]):
            pass


def join(
    folder: Path,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    carrier: CodeSender | None = None,
    senders: Mapping[Way, NoticeSender] | None = None,
    keys_remembered: int = KEYS_REMEMBERED,
) -> Parts:
    """What a whole cloud stands on, with its keys and the sandbox's books in a folder."""
    settings = settings or Settings()
    clock, replayed, entropy = clock or SystemClock(), entropy, entropy or SystemEntropy()
    vault = FileVault(folder / "keys.sqlite", entropy=replayed, keys_remembered=keys_remembered)
    sandbox = _sandbox(folder, settings, clock, entropy) if settings.sandbox.is_on else None
    custodian = _custodian(folder, settings, clock, entropy) if settings.sandbox.is_on and settings.sandbox.custodian else None
    played = {name: channel for name, channel in (("sandbox", sandbox), ("custodian", custodian)) if channel is not None}
    channels = _channels(played, {"custodian": custodian} if custodian else {}, settings)
    runners: list[Callable[[Cloud], Runner]] = [
        lambda cloud: Letters(cloud, carrier or KeepInMailbox()),
        lambda cloud: NoticeCouriers(cloud, {way: KeepForReading() for way in LETTER_WAYS} | dict(senders or {})),
        lambda cloud: Errands(cloud.writer, cloud.behind, channels, vault),
    ]
    carriers = Carriers({"sandbox": _sandbox_carrier(settings, clock, entropy)} if sandbox else {})
    runners.append(lambda cloud: Trackers(cloud, cloud.behind, carriers))
    sides = search_sides(folder, settings)
    order_sides = order_search_sides(folder, settings)
    finder, order_finder, counting = Finder(sides), OrderFinder(order_sides), Counting()
    runners.append(lambda cloud: Noting(cloud, counting))
    if settings.search.keeper == "here":
        runners.append(lambda cloud: _keeping(cloud, sides))
        runners.append(lambda cloud: _keeping_orders(cloud, order_sides))
    runners += [_deliveries(name, channel) for name, channel in played.items()]
    return Parts(
        ports={
            Vault: vault,
            IdentitySettings: IdentitySettings(region=settings.phone.region, mailbox_is_open=settings.mailbox.shown),
            Obligations: BuyerObligations(),
            Shops: KnownShops(),
            CatalogSettings: CatalogSettings(
                reviews_goods=settings.market.reviews_goods,
                compared_after_ms=settings.market.compared_after_h * 3_600_000,
                lists_remembered_bytes=settings.store.lists_mib << 20,
            ),
            NoticeSettings: NoticeSettings(time_zone=settings.market.time_zone),
            OrderSettings: OrderSettings(
                time_zone=settings.market.time_zone,
                dispatch_days=settings.market.dispatch_days,
                dispatch_longer_days=settings.market.dispatch_longer_days,
                came_back_days=settings.market.came_back_days,
                return_days=settings.market.return_days,
                return_excluded=frozenset(settings.market.return_excluded),
                return_postage_max=settings.market.return_postage_max,
                return_paid_by=settings.market.return_paid_by,
            ),
            Numbering: Numbering(vault.lookup("order numbers", "")),
            Channels: channels,
            Carriers: carriers,
            PaymentListener: OrderPayments(),
            Taxes: TaxTables(),
            ChargebackListener: OrderChargebacks(),
            HoldListener: OrderHolds(),
            PaymentSettings: _payment_settings(settings),
            Sandbox: sandbox,
            Custodian: custodian,
            SideStores: sides,
            Finder: finder,
            Recent: Recent(),
            OrderFinder: order_finder,
            Counting: counting,
        },
        secret=vault.lookup("fingerprint", ""),
        mark=vault.mark(),
        before_commit=(vault.make_durable,),
        runners=tuple(runners),
        beside_readers=(lambda way: Noting(way, counting),),
        closing=(vault.close, finder.close, order_finder.close, *(channel.close for channel in played.values())),
    )


GOODS_A_STEP = ORDERS_A_STEP = 20
"""So many are indexed at once where callers are served by the same loop."""


def search_sides(folder: Path, settings: Settings) -> SideFolder:
    """Where the generations of the search index lie."""
    return SideFolder(folder, "search", query_ms_max=settings.search.query_ms_max)


def order_search_sides(folder: Path, settings: Settings) -> SideFolder:
    """Where those of the index of orders lie."""
    return SideFolder(folder, "orders", query_ms_max=settings.search.query_ms_max)


def _keeping(cloud: Cloud, sides: SideFolder) -> Runner:
    indexer = Indexer(sides, ask=partial(cloud.ask_behind, actor=SYSTEM), reader=cloud.behind, now=cloud.now, at_once=GOODS_A_STEP)
    keeping = Keeping(indexer, wakes=concerns)
    cloud.writer.watch(keeping)
    return keeping


def _keeping_orders(cloud: Cloud, sides: SideFolder) -> Runner:
    indexer = OrderIndexer(sides, ask=partial(cloud.ask_behind, actor=SYSTEM), reader=cloud.behind, at_once=ORDERS_A_STEP)
    return Keeping(indexer, wakes=lambda _: False)


def open_cloud(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    importing: str = "",
    helper: Executor | None = None,
) -> Cloud:
    """Open the cloud that the settings name, made on the first time.

    Raises `StoreRefusedError` when it must not be opened, `SettingsError` when a setting names something that is not there.
    """
    carrier, senders = sender_of(settings), notice_senders_of(settings)
    folder = Path(settings.data)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Cloud(
        open_store(settings),
        parts=join(folder, settings=settings, clock=clock, entropy=entropy, carrier=carrier, senders=senders),
        clock=clock,
        entropy=entropy,
        limits=settings.writer.limits(),
        gap_ms_max=settings.alarms.gap_ms_max,
        importing=importing,
        helper=helper,
        copy_to=str(folder / f"before-migration-{(clock or SystemClock()).wall_ms()}.sqlite"),
    )


def open_window(settings: Settings) -> Window:
    """A way to look at the cloud that another process of this machine has opened; raises `StoreRefusedError`.

    Keys are not remembered: that one of them is gone is seen in their file, at once.
    """
    return Window(
        domains=DOMAINS,
        parts=join(Path(settings.data), settings=settings, keys_remembered=0),
        reader=lambda: open_reader(settings, map_mib=settings.store.map_mib),
        clock=SystemClock(),
    )


@lru_cache(maxsize=8)
def _ears_of(registry: Registry) -> Ears:
    """What followers read facts by is the same for every cloud of these domains."""
    return Ears(registry)


class Indexers(Struct, frozen=True):
    """What writes the indexes that are searched."""

    goods: Indexer
    orders: OrderIndexer


@contextmanager
def open_indexers(settings: Settings) -> Iterator[Indexers]:
    """What writes the search indexes, over connections that only read the store; raises `StoreRefusedError`."""
    window, folder = open_window(settings), Path(settings.data)
    look, reader = Look(window.reader(), registry_of(window.domains), window.parts.ports), window.reader()

    def ask(query: Query[Answer]) -> Answer:
        return look.answer(query, actor=SYSTEM, now=window.clock.wall_ms())

    indexers = Indexers(
        Indexer(search_sides(folder, settings), ask=ask, reader=reader, now=window.clock.wall_ms),
        OrderIndexer(order_search_sides(folder, settings), ask=ask, reader=reader),
    )
    try:
        yield indexers
    finally:
        for close in (indexers.goods.close, indexers.orders.close, reader.close, look.close, *window.parts.closing):
            close()


def sender_of(settings: Settings) -> CodeSender:
    """What carries letters: the sender that `codes.sender` names, or nobody, and they lie in the development mailbox.

    Raises `SettingsError` when what is named cannot be imported, breaks when it is called, or makes no sender.
    """
    named = settings.codes.sender
    made: CodeSender = _made("codes.sender", named, "contact, text, language") if named else KeepInMailbox()
    return made


def notice_senders_of(settings: Settings) -> Mapping[Way, NoticeSender]:
    """What carries letters about notices, for each way that the settings name a sender of; raises `SettingsError` likewise."""
    named = {Way.EMAIL: settings.notices.email, Way.SMS: settings.notices.sms}
    return {way: _made(f"notices.{way.value}", sender, "letter") for way, sender in named.items() if sender}


def _made(key: str, named: str, takes: str) -> Any:
    """What a setting's `module:factory` makes, which has to have a `send`."""
    module, _, factory = named.partition(":")
    try:
        made = getattr(importlib.import_module(module), factory)()
    except Exception as error:  # whatever somebody else's module does wrong, it is this setting that has to be mended
        raise SettingsError(f"{key} = {named!r}: {type(error).__name__}: {error}") from error
    if not inspect.iscoroutinefunction(getattr(made, "send", None)):
        raise SettingsError(f"{key} = {named!r} makes no sender: it lacks `async def send(self, {takes})`")
    return made


def open_store(settings: Settings) -> Store:
    """The store that the settings name, locked for this process; raises `StoreRefusedError` when it cannot be opened."""
    path = settings.sqlite_path()
    if path is not None:
        try:
            return SqliteStore(path, cache_mib=settings.store.cache_mib, map_mib=settings.store.map_mib)
        except apsw.Error as error:
            raise StoreRefusedError(f"{path} cannot be opened: {error}") from error
    from yunduan.backends.postgresql import PostgresqlStore  # noqa: PLC0415 - an optional extra

    return PostgresqlStore(settings.store.url)


def open_reader(settings: Settings, *, map_mib: int = 0) -> Snapshots:
    """A read-only connection to the store that the settings name, whether or not a server runs; raises `StoreRefusedError`.

    Whoever serves may see so much of the file mapped; whoever looks for what is wrong copies, and is told of a disk that fails.
    """
    path = settings.sqlite_path()
    if path is not None:
        return sqlite.open_reader(path, cache_mib=settings.store.cache_mib, map_mib=map_mib)
    from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

    return postgresql.open_reader(settings.store.url)


class SandboxDeliveries:
    """Lets the sandbox send its notifications, in process, as a real channel sends them over the network."""

    def __init__(self, cloud: Cloud, sandbox: Sandbox, channel: str = "sandbox") -> None:
        """From one sandbox, by the name that it has there, to one cloud."""
        self._cloud = cloud
        self._sandbox = sandbox
        self._channel = channel

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(DELIVER_EVERY_S)

    async def run_once(self) -> int:
        """Send what is due; answers how much that was."""
        return await self._sandbox.run_once(self._deliver)

    def next_due(self) -> int | None:
        """When the sandbox will have something to say."""
        return self._sandbox.next_due()

    async def _deliver(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            await self._cloud.send(TakeNotification(channel=self._channel, body=body, headers=headers), background=True)
        except (Refused, FaultError):
            return False
        return True


def _deliveries(name: str, channel: Sandbox) -> Callable[[Cloud], Runner]:
    return lambda cloud: SandboxDeliveries(cloud, channel, name)


def open_sandbox(settings: Settings) -> Sandbox:
    """The sandbox's own books, beside a server that may be running; raises `StoreRefusedError` when there are none."""
    folder = Path(settings.data)
    if not (settings.sandbox.is_on and (folder / "sandbox.sqlite").is_file()):
        raise StoreRefusedError(f"{folder} has no sandbox: `sandbox.enabled` makes one, in which nobody's money moves")
    return _sandbox(folder, settings, SystemClock(), SystemEntropy())


def _channels(by_name: Mapping[str, Channel], providers: Mapping[str, Provider], settings: Settings) -> Channels:
    """Those there are, with the times that the market has set; raises `SettingsError` for a method that none of them has."""
    waits = settings.payment.times()
    known = {(name, method.name) for name, channel in by_name.items() for method in channel.methods}
    for channel, method in waits.keys() - known:
        raise SettingsError(f"payment.waits: there is no channel {channel!r} that collects by {method!r}")
    return Channels(by_name, waits, providers)


def _sandbox(folder: Path, settings: Settings, clock: Clock, entropy: Entropy) -> Sandbox:
    return Sandbox(
        _secret(folder / "sandbox.secret", entropy),
        clock=clock,
        entropy=entropy,
        path=folder / "sandbox.sqlite",
        page_url=f"{settings.public_url()}/sandbox/pay",
        misbehaviour=_misbehaviour(settings),
    )


def _custodian(folder: Path, settings: Settings, clock: Clock, entropy: Entropy) -> Custodian:
    custodian = Custodian(
        _secret(folder / "custodian.secret", entropy),
        clock=clock,
        entropy=entropy,
        path=folder / "custodian.sqlite",
        page_url=f"{settings.public_url()}/custodian/pay",
        misbehaviour=_misbehaviour(settings),
    )
    custodian.hold_ms = settings.sandbox.custodian_days * 86_400_000
    return custodian


def _secret(file: Path, entropy: Entropy) -> bytes:
    """What a file holds, written on the first time."""
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(entropy.bytes(32))
    return file.read_bytes()


def _sandbox_carrier(settings: Settings, clock: Clock, entropy: Entropy) -> SandboxCarrier:
    return SandboxCarrier(clock=clock, entropy=entropy, unreachable=settings.sandbox.unreachable)


def _payment_settings(settings: Settings) -> PaymentSettings:
    wallet = settings.wallet
    return PaymentSettings(
        approve_above=settings.payouts.approve_above,
        payee_waits_ms=settings.payouts.payee_waits_h * 3_600_000,
        wallet_is_on=wallet.enabled,
        in_a_day_basic=wallet.in_a_day_basic,
        in_a_day_verified=wallet.in_a_day_verified,
        out_a_day=wallet.out_a_day,
        hold_assumed_ms=settings.payment.hold_assumed_days * 86_400_000,
        hold_warned_ms=settings.payment.hold_warned_days * 86_400_000,
        time_zone=settings.market.time_zone,
    )


def _misbehaviour(settings: Settings) -> Misbehaviour:
    said = settings.sandbox
    return Misbehaviour(
        loses=said.loses,
        dawdles=said.dawdles,
        doubles=said.doubles,
        delays=said.delays,
        unreachable=said.unreachable,
        refuses_refunds=said.refuses_refunds,
        refuses_payouts=said.refuses_payouts,
        refuses_splits=said.refuses_splits,
        refuses_returns=said.refuses_returns,
    )
