"""A small marketplace of payments alone: the ledger, the payments, the sandbox channel, and a listener that remembers."""

from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from yunduan.backends.sandbox import Custodian, Misbehaviour, Sandbox
from yunduan.backends.sqlite import SqliteStore
from yunduan.backends.vault import FileVault
from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.domain import DOMAIN as LEDGER
from yunduan.domains.ledger.queries import AccountOf, TrialBalance
from yunduan.domains.payments import model, payees
from yunduan.domains.payments.commands import PayOrders, RefundEscrow, SetAsideForPromotions, SettleEscrow, TakeNotification, TopUpWallet
from yunduan.domains.payments.couriers import Couriers
from yunduan.domains.payments.domain import DOMAIN as PAYMENTS
from yunduan.domains.payments.errands import OutgoingKind
from yunduan.domains.payments.mirroring import KeptBalances, KeptLine, KeptMove, Mirror, MirrorOf
from yunduan.domains.payments.model import (
    BankAccount,
    Channels,
    ChargebackListener,
    HoldListener,
    PartOfPayment,
    PaymentListener,
    PaymentStarted,
    Refund,
    Tender,
    TenderKind,
)
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.payouts import NamePayee, NameShopPayee
from yunduan.domains.payments.queries import EscrowOf, PaymentOf, ReconciliationOf, TheirLine
from yunduan.domains.payments.store import due_outgoing
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import CheckoutId, OrderId, PaymentId, PersonId, RefundId, ShopId, sibling
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime import domain as runtime
from yunduan.runtime.clock import SeededEntropy, VirtualClock
from yunduan.runtime.ports import Store
from yunduan.testing import World
from yunduan.testing.world import START_MS

DOMAINS = (runtime.DOMAIN, LEDGER, PAYMENTS)
MINUTE = 60_000
DAY = 86_400_000
SECRET = bytes(range(32))
BUYER = PersonId("per_0000000000000000000000000a")
OTHER = PersonId("per_0000000000000000000000000b")
EARNER = PersonId("per_0000000000000000000000000c")
KEEPER = PersonId("per_0000000000000000000000000d")
"""Who owns the shop."""
CARD = "6222020200012345670"
APPROVE_ABOVE = 5_000
SHOP = ShopId("shp_0000000000000000000000000a")
SECOND_SHOP = ShopId("shp_0000000000000000000000000b")


def cny(amount: int) -> Money:
    """So many fen."""
    return Money(amount=amount, currency="CNY")


def order(number: int) -> OrderId:
    """An order."""
    return OrderId(f"ord_{number:026x}")


def checkout(number: int) -> CheckoutId:
    """A checkout."""
    return CheckoutId(f"cho_{number:026x}")


def payment_of(number: int) -> PaymentId:
    """The payment of a checkout."""
    return PaymentId(sibling(checkout(number), "pay"))


def refund_id(number: int) -> RefundId:
    """A refund."""
    return RefundId(f"rfd_{number:026x}")


def part(number: int, amount: int, shop: ShopId = SHOP, *, promoted: int = 0) -> PartOfPayment:
    """What one order costs its buyer, and what the marketplace pays of it."""
    return PartOfPayment(order_id=order(number), shop_id=shop, amount=cny(amount), promoted=cny(promoted) if promoted else None)


def by_wallet(amount: int) -> Tender:
    """Paid from the wallet."""
    return Tender(kind=TenderKind.WALLET, amount=cny(amount))


def by_channel(amount: int, channel: str = "sandbox", method: str = "") -> Tender:
    """Paid over a channel."""
    return Tender(kind=TenderKind.CHANNEL, amount=cny(amount), channel=channel, method=method)


def by_difference(amount: int) -> Tender:
    """Made up for by the marketplace."""
    return Tender(kind=TenderKind.DIFFERENCE, amount=cny(amount))


class Remembers:
    """Whoever listens to payments, as orders will."""

    def __init__(self) -> None:
        """Nothing heard."""
        self.heard: list[tuple[str, CheckoutId]] = []
        self.goods_are_gone = False

    def paid(self, _: Any, checkout_id: CheckoutId) -> None:
        """A checkout is paid."""
        self.heard.append(("paid", checkout_id))

    def not_paid(self, _: Any, checkout_id: CheckoutId) -> None:
        """A checkout will not be paid."""
        self.heard.append(("not_paid", checkout_id))

    def paid_late(self, _: Any, checkout_id: CheckoutId) -> bool:
        """A checkout stands again, unless its goods are gone."""
        if self.goods_are_gone:
            return False
        self.heard.append(("paid_late", checkout_id))
        return True


class Watches:
    """Whoever listens to chargebacks, as orders do."""

    def __init__(self) -> None:
        """Nothing heard."""
        self.heard: list[tuple[str, OrderId, int]] = []

    def taken(self, _: Any, order_id: OrderId, amount: Money, *, due: int) -> None:  # noqa: ARG002 - nobody waits here
        """Money of an order has been taken back."""
        self.heard.append(("taken", order_id, amount.amount))

    def restored(self, _: Any, order_id: OrderId, amount: Money) -> None:
        """It has returned."""
        self.heard.append(("restored", order_id, amount.amount))

    def lost(self, _: Any, order_id: OrderId, amount: Money) -> None:
        """It will not."""
        self.heard.append(("lost", order_id, amount.amount))


class Ends:
    """Whoever decides what becomes of orders when a hold ends: nothing, but that it is remembered."""

    def __init__(self) -> None:
        """Nothing heard."""
        self.heard: list[OrderId] = []

    def ends(self, _: Any, order_id: OrderId) -> None:
        """A hold ends."""
        self.heard.append(order_id)


class Market:
    """Everything joined, under virtual time."""

    def __init__(
        self,
        folder: Path,
        *,
        store: Store | None = None,
        misbehaviour: Misbehaviour | None = None,
        seed: int = 0,
        settings: PaymentSettings | None = None,
    ) -> None:
        """An empty one, on the embedded store in a folder unless another is given."""
        clock = VirtualClock(START_MS)
        names = ("sandbox", "second")
        self.sandboxes: dict[str, Sandbox] = {
            name: Sandbox(
                SECRET + name.encode(), clock=clock, entropy=SeededEntropy(seed + n), page_url=f"/{name}/pay", misbehaviour=misbehaviour
            )
            for n, name in enumerate(names)
        }
        self.custodian = Custodian(
            SECRET + b"custodian", clock=clock, entropy=SeededEntropy(seed + 5), page_url="/custodian/pay", misbehaviour=misbehaviour
        )
        self.sandboxes["custodian"] = self.custodian
        self.listener = Remembers()
        self.watcher = Watches()
        self.ends = Ends()
        self.vault = FileVault(folder / "keys.sqlite", entropy=SeededEntropy(seed + 9))
        channels = Channels(dict(self.sandboxes), providers={"custodian": self.custodian})
        self._folder, self._seed, self._settings = folder, seed, settings
        self._open(store or SqliteStore(folder / "yunduan.sqlite"), channels, at_ms=START_MS)
        self.answers: list[str] = []
        self.earnings = 0

    def _open(self, store: Store, channels: Channels, *, at_ms: int) -> None:
        self.world = World(
            store,
            domains=DOMAINS,
            ports={
                Channels: channels,
                PaymentListener: self.listener,
                ChargebackListener: self.watcher,
                HoldListener: self.ends,
                Vault: self.vault,
                PaymentSettings: self._settings or PaymentSettings(approve_above=APPROVE_ABOVE, payee_waits_ms=0),
            },
            before_commit=(self.vault.make_durable,),
            seed=self._seed,
            at_ms=at_ms,
        )
        for sandbox in self.sandboxes.values():
            sandbox._clock = self.world.clock
        self.couriers = Couriers(self.world.cloud.writer, self.world.cloud.store.reader(), channels, self.vault)

    def restart(self) -> None:
        """Stop the cloud, whatever its couriers and channels were about, and open it anew on what it had committed."""
        channels, now = self.world.cloud.port(Channels), self.world.clock.wall_ms()
        self.couriers._reader.close()
        self.world.close()
        self._seed += 1_000_003
        self._open(SqliteStore(self._folder / "yunduan.sqlite"), channels, at_ms=now)

    def ask_in_vain(self) -> None:
        """Let the couriers ask what is due, and die before they can report."""
        due = due_outgoing(self.couriers._reader, self.world.cloud.now(), 64)
        for errand in due:
            if errand.kind is not OutgoingKind.STATEMENT:
                self.world.run(self.couriers._ask(errand))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.couriers._reader.close()
        self.world.close()
        self.vault.close()
        for sandbox in self.sandboxes.values():
            sandbox.close()

    @property
    def sandbox(self) -> Sandbox:
        """The first of two channels."""
        return self.sandboxes["sandbox"]

    # Money

    def fill(self, person: PersonId, amount: int) -> None:
        """Bring money into a wallet the way everybody does."""
        started = self.top_up(person, amount)
        self.decide(started)
        self.tell()

    def top_up(self, person: PersonId, amount: int, channel: str = "sandbox") -> PaymentStarted:
        """Begin a top-up."""
        return self.world.send(TopUpWallet(amount=cny(amount), channel=channel), actor=Actor(person=person))

    def pay(self, number: int, parts: list[PartOfPayment], tenders: list[Tender], *, buyer: PersonId = BUYER, due_in: int = 15 * MINUTE):
        """Pay a checkout."""
        return self.world.send(self.paying(number, parts, tenders, buyer=buyer, due_in=due_in))

    def paying(
        self, number: int, parts: list[PartOfPayment], tenders: list[Tender], *, buyer: PersonId = BUYER, due_in: int = 15 * MINUTE
    ) -> PayOrders:
        """The command that pays a checkout."""
        return PayOrders(
            payment_id=payment_of(number),
            checkout_id=checkout(number),
            buyer=buyer,
            parts=tuple(parts),
            tenders=tuple(tenders),
            due=self.world.clock.wall_ms() + due_in,
        )

    def refund(self, number: int, of: int, amount: int) -> Refund:
        """Give back a part of an order."""
        return self.world.send(RefundEscrow(refund_id=refund_id(number), order_id=order(of), amount=cny(amount)))

    def settle(self, of: int, commission: int, shop: ShopId = SHOP) -> model.Settlement:
        """Give a shop its money."""
        return self.world.send(SettleEscrow(order_id=order(of), shop_id=shop, commission=cny(commission)))

    def set_aside(self, amount: int) -> None:
        """Earn so much by an order that is all commission, and set it aside for discounts."""
        self.earnings += 1
        number = 1_000_000 + self.earnings
        self.fill(EARNER, amount)
        self.pay(number, [part(number, amount)], [by_wallet(amount)], buyer=EARNER)
        self.settle(number, amount)
        self.world.send(SetAsideForPromotions(promotion_id=f"prm_{number}", amount=cny(amount)))

    def name_payee(self, owner: PersonId | ShopId, *, number: str = CARD, channel: str = "sandbox") -> None:
        """Name an account that the channel will confirm, and let it; a shop's is named by its owner."""
        account = BankAccount(bank="中国工商银行", holder="林美", number=number)
        if owner.startswith("shp_"):
            self.world.send(NameShopPayee(shop_id=ShopId(owner), channel=channel, account=account), actor=Actor(person=KEEPER))
        else:
            self.world.send(NamePayee(channel=channel, account=account), actor=Actor(person=PersonId(owner)))
        self.run_errands()

    def leaving(self, channel: str = "sandbox") -> int:
        """What is on its way out."""
        return self.balance(payees.paying_account(channel, "CNY"))

    def paid_out(self, channel: str = "sandbox") -> int:
        """What a channel has paid out."""
        return self.balance(payees.paid_out_account(channel, "CNY"))

    # The payer and the channel

    def decide(self, started: PaymentStarted, *, approve: bool = True, which: int = 0) -> None:
        """Go to the page and decide."""
        redirect = started.redirects[which]
        page = self.sandboxes[redirect.channel].decide(query(redirect.url), approve=approve)
        assert page is not None

    async def _deliver(self, channel: str, body: bytes, headers: dict[str, str]) -> bool:
        try:
            await self.world.cloud.send(TakeNotification(channel=channel, body=body, headers=headers))
        except Refused as refused:
            self.answers.append(refused.code.value)
            return False
        self.answers.append("taken")
        return True

    def tell(self) -> int:
        """Let the channels send what is due."""

        async def together() -> int:
            sent = 0
            for name, sandbox in self.sandboxes.items():
                sent += await sandbox.run_once(lambda body, headers, name=name: self._deliver(name, body, headers))
            return sent

        return self.world.run(together())

    def run_errands(self) -> int:
        """Let the couriers go once."""
        return self.world.run(self.couriers.run_once())

    def pass_time(self, by_ms: int, *, step: int = 30_000) -> None:
        """Let time pass, with alarms, couriers and channels at work."""
        left = by_ms
        while left > 0:
            self.world.pass_time(min(step, left))
            left -= step
            self.run_errands()
            self.tell()

    # What is to be seen

    def balance(self, id: str) -> int:
        """Credits less debits of an account; 0 for one that is not there."""
        account = self.world.ask(AccountOf(id=id))
        return account.balance if account else 0

    def wallet(self, person: PersonId = BUYER) -> int:
        """What is in a wallet, holds included."""
        return self.balance(model.wallet_account(person, "CNY"))

    def clearing(self, channel: str = "sandbox") -> int:
        """What a channel owes us."""
        return -self.balance(model.channel_account(channel, "CNY"))

    def returning(self, channel: str = "sandbox") -> int:
        """What is on its way back."""
        return self.balance(model.returning_account(channel, "CNY"))

    def promotions(self) -> int:
        """What is set aside for discounts."""
        return self.balance(model.promotions_account("CNY"))

    def escrow(self, number: int) -> model.Escrow:
        """The escrow of an order."""
        return self.world.ask(EscrowOf(order_id=order(number)))

    def payment(self, number: int) -> model.Payment:
        """The payment of a checkout."""
        return self.world.ask(PaymentOf(payment_id=payment_of(number)))

    def facts(self, kind: str) -> int:
        """How many facts of a kind have been told."""
        return self.world.rows("SELECT CAST(count(*) AS INTEGER) FROM fact WHERE kind = ?", kind)[0][0]

    def everything(self) -> list[tuple[Any, ...]]:
        """Every row that payments and the ledger have, to show that nothing has changed."""
        of_payments = "payment escrow payment_refund channel_errand payment_alert payment_purse payment_payee payment_payout payment_day"
        of_payments += " payment_plan payment_chargeback payment_chargeback_of payment_evidence"
        of_payments += " payment_unclaimed payment_split payment_statement payment_booking"
        tables = (*of_payments.split(), "account", "transfer")
        rows: list[tuple[Any, ...]] = []
        for table in tables:
            rows += [(table, *row) for row in self.world.rows(f"SELECT * FROM {table}")]
        return [*sorted(rows, key=repr), ("facts", *self.world.rows("SELECT CAST(count(*) AS INTEGER) FROM fact")[0])]

    def balanced(self) -> bool:
        """Whether the books balance."""
        return self.world.run(self.world.cloud.ask_slow(TrialBalance())).balanced

    def reconciles(self, channel: str = "sandbox") -> bool:
        """Whether our books and the channel's are the same."""
        if channel == "custodian":
            return mirror(self).agrees
        lines = self.sandboxes[channel].statement("CNY")
        theirs = tuple(TheirLine(reference=line.reference, amount=line.amount, request=line.request) for line in lines)
        return self.world.run(self.world.cloud.ask_slow(ReconciliationOf(channel=channel, currency="CNY", theirs=theirs))).agrees


def kept(market: "Market") -> KeptBalances:
    """Where our books say that the custodian's money is."""
    return mirror(market).ours


def mirror(market: "Market") -> Mirror:
    """Our books beside the custodian's."""
    book = market.custodian.book("CNY")
    lines = tuple(
        KeptLine(what=KeptMove(line.what), reference=line.reference, amount=line.amount, request=line.request, of_shop=line.of_shop)
        for line in book
    )
    balances = market.custodian.balances("CNY")
    theirs = KeptBalances(held=balances.held, given=balances.given, own=balances.own)
    return market.world.run(market.world.cloud.ask_slow(MirrorOf(channel="custodian", currency="CNY", theirs=theirs, lines=lines)))


def query(url: str) -> dict[str, str]:
    """What an address says."""
    return dict(parse_qsl(urlsplit(url).query))
