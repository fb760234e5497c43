"""The real domains under the simulator: shoppers who buy, pay by wallet or channel, cancel, receive and give back, while the cloud
dies and its disk loses what was not synced. The channel is somebody else's service: it goes on while the cloud is dead.
"""

# ruff: noqa: SLF001 - the table of draws stands beside the class whose methods it weighs

import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.backends.sandbox_carrier import SandboxCarrier
from yunduan.backends.sqlite.store import SqliteReader
from yunduan.backends.vault import FileVault
from yunduan.cloud import DOMAINS, Cloud, Parts, SandboxDeliveries
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetShippingTemplate, SetStock, ShopCreatedAnswer
from yunduan.domains.catalog.model import BuyerLimit, CatalogSettings, GoodsForm, Measure, Place, Rate, StockReason, VariantForm, Zone
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import IdentitySettings, Postal, Vault
from yunduan.domains.ledger.audit import audit
from yunduan.domains.notices.model import NoticeSettings
from yunduan.domains.orders.cases import CaseKind, CaseLine, CaseState, Reason, case_id_of, order_of, refund_of
from yunduan.domains.orders.casework import CaseStands
from yunduan.domains.orders.charged_back import OrderChargebacks
from yunduan.domains.orders.charges import GoodsCharge
from yunduan.domains.orders.claiming import (
    AcceptOffer,
    AgreeToCase,
    ConfirmReturn,
    OfferInCase,
    OpenCase,
    RefuseCase,
    SendBack,
    WithdrawCase,
)
from yunduan.domains.orders.commands import (
    AddToCart,
    CancelOrder,
    Checkout,
    DeclineOrder,
    Placed,
    RefundOrder,
    RemoveFromCart,
    ReviewOrder,
)
from yunduan.domains.orders.couriers import Couriers as Trackers
from yunduan.domains.orders.disputes import CallOperator, ContestReturn, GiveEvidence, GiveShopEvidence, RuleCase
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.paying import OrderPayments
from yunduan.domains.orders.queries import OrderOf, PreviewCheckout
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.repricing import AgreePrice, OfferedPrice, OfferPrice
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.orders.store import CASE, ORDER, terms
from yunduan.domains.orders.taxes import Taxes
from yunduan.domains.orders.taxing import TaxTables
from yunduan.domains.orders.tracking import Carriers
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.couriers import Couriers
from yunduan.domains.payments.model import (
    BankAccount,
    Channels,
    ChargebackListener,
    PaymentListener,
    PaymentStarted,
    Tender,
    TenderKind,
    channel_account,
    escrow_account,
)
from yunduan.domains.payments.payees import PaymentSettings, paid_out_account
from yunduan.domains.payments.payouts import NamePayee, Withdraw
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, CaseId, OrderId, PersonId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime.answers import KEPT_MS, Answered
from yunduan.runtime.clock import Clock, SeededEntropy, VirtualClock
from yunduan.runtime.ports import Reader, Snapshots
from yunduan.testing.checkers import Told, claim
from yunduan.testing.disk import DiskFile
from yunduan.testing.noticing import compare_notices
from yunduan.testing.people import Asked
from yunduan.testing.simulator import FILE, Report, Simulation
from yunduan.testing.world import World

KEYS = "keys.sqlite"
SECRET = bytes(range(64))
BUYERS = 6
GOODS = 4
ON_HAND = 12
PURSE = 60_000
HOUR_MS = 3_600_000
WAIT_MS = 4 * 86_400_000
"""How long people wait until the evidence in a dispute is closed."""
SOON_MS = 120 * 86_400_000
"""At the end of a run time passes until nothing rings any more: whatever is held then is held for ever."""
LIMITED_PIECES = 5
"""Of the last of the goods one buyer may have no more in a year, which is longer than any run."""
HOLDING = (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)
"""The states in which an escrow holds what is left of an order."""
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))
_FACTS = "SELECT seq, kind, body, cause, at FROM fact WHERE seq > ? ORDER BY seq"
_ORDERS = f"SELECT {', '.join(ORDER.columns)} FROM orders"  # noqa: S608 - names from code
_CASES = f"SELECT {', '.join(CASE.columns)} FROM order_case"  # noqa: S608 - names from code
_REFUNDED = "SELECT id FROM payment_refund"
_BALANCE = "SELECT a.id, c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number"


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency="CNY")


class Market(Struct, frozen=True, kw_only=True):
    """A market as it is on the morning of every run: its files, and who and what is in it."""

    files: Mapping[str, bytes]
    shop: ShopCreatedAnswer
    buyers: tuple[tuple[PersonId, AddressId], ...]
    variants: tuple[VariantId, ...]


@cache
def market() -> Market:
    """Found the market once for all runs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with World.at(folder) as world:
            shop, variants = _shop(world), []
            for number in range(GOODS):
                variant = VariantForm(sku=f"T{number}", price=yuan(1_999 + number), weight_g=250)
                limit = BuyerLimit(pieces=LIMITED_PIECES, days=365) if number == GOODS - 1 else None
                form = GoodsForm(title="龙井", variants=(variant,), limit=limit, **_category(world))
                made = world.send(CreateGoods(shop_id=shop.shop_id, form=form, publish=True))
                variants.append(made.variant_ids[0])
                world.send(_stock(shop, made.variant_ids[0], ON_HAND))
            buyers = tuple(_buyer(world, number) for number in range(BUYERS))
            world.cloud.store.backup(str(folder / FILE))
            keys: Any = world.cloud.port(Vault)  # type: ignore[type-abstract]
            keys.backup(folder / f"copied-{KEYS}")
        files = {FILE: (folder / FILE).read_bytes(), KEYS: (folder / f"copied-{KEYS}").read_bytes()}
        files |= {name: (folder / name).read_bytes() for name in ("sandbox.sqlite", "sandbox.secret")}
    return Market(files=files, shop=shop, buyers=buyers, variants=tuple(variants))


def _category(world: World) -> dict[str, Any]:
    found = world.rows("SELECT id FROM category")
    return {"category_id": found[0][0] if found else world.send(CreateCategory(name="茶")).category_id}


def _shop(world: World) -> ShopCreatedAnswer:
    owner = world.send(RegisterPerson(phone="+8613900138000")).person_id
    shop = world.send(CreateShop(owner=owner, name="云茶", country="CN", currency="CNY", commission_ppm=50_000))
    zone = Zone(places=(Place(country="CN"),), rate=Rate(first_units=100, first_fee=800))
    terms = SetShippingTemplate(shop_id=shop.shop_id, template_id=shop.template_id, name="standard", measure=Measure.PIECE, zones=(zone,))
    world.send(terms)
    return shop


def _stock(shop: ShopCreatedAnswer, variant: VariantId, on_hand: int) -> SetStock:
    return SetStock(shop_id=shop.shop_id, variant_id=variant, location_id=shop.location_id, on_hand=on_hand, reason=StockReason.COUNTED)


def _buyer(world: World, number: int) -> tuple[PersonId, AddressId]:
    person = world.send(RegisterPerson(phone=f"+8613800{number:06d}")).person_id
    actor = Actor(person=person)
    address = world.send(AddAddress(address=HOME), actor=actor).address_id
    started = world.send(TopUpWallet(amount=yuan(PURSE), channel="sandbox"), actor=actor)
    world.cloud.port(Sandbox).decide(dict(parse_qsl(urlsplit(started.redirects[0].url).query)), approve=True)
    world.settle()
    return person, address


class Bought(Struct):
    """An order that somebody knows of."""

    id: OrderId
    buyer: Actor
    total: int
    variant: VariantId


class Disputed(Struct):
    """A case that somebody knows of, and where it stood when they last heard."""

    id: CaseId
    buyer: Actor
    total: int
    state: CaseState


class Shoppers:
    """Draws what is asked next; keeps what has no answer yet."""

    def __init__(self, chance: random.Random, sandbox: Sandbox, clock: VirtualClock) -> None:
        """Nobody has asked anything."""
        self._clock = clock
        self._has_waited = False
        self._chance = chance
        self._sandbox = sandbox
        self._market = market()
        self._cloud: Cloud | None = None
        self._number = 0
        self.open: dict[str, Asked] = {}
        self.done: list[Asked] = []
        self.mistakes: set[str] = set()
        self._orders: list[Bought] = []
        self._cases: dict[CaseId, Disputed] = {}
        self._operator = Actor(person=PersonId("per_operator"), operator_roles=frozenset({"service"}))
        self._staff = Actor(person=PersonId("per_staff"), shop_roles={self._market.shop.shop_id: frozenset({"manager"})})

    def meet(self, cloud: Cloud) -> None:
        """A new life of the cloud has begun: these people look before they buy."""
        self._cloud = cloud

    def opening(self) -> list[Asked]:
        """The market is open already."""
        return []

    def next(self) -> Asked | None:
        """Something new, or once more something old."""
        fate = self._chance.random()
        if fate < 0.12 and self.open:
            return self._chance.choice(list(self.open.values()))
        if fate < 0.18 and self.done:
            return self._chance.choice(self.done)
        (draw,) = self._chance.choices(_DRAWS, _WEIGHTS)
        drawn = draw(self)
        if drawn is None:
            return None
        self._number += 1
        command, actor = drawn
        asked = Asked(command, actor, f"k{self._number}", self._number)
        self.open[asked.name] = asked
        return asked

    def mistaken(self) -> Asked | None:
        """Something else under a key that has been answered."""
        if not self.done:
            return None
        before = self._chance.choice(self.done)
        self.mistakes.add(before.name)
        return Asked(AddToCart(variant_id=self._market.variants[0], quantity=99), before.actor, before.key, -1, is_mistaken=True)

    def settled(self, asked: Asked, answered: Answered | None = None) -> None:
        """It has its answer, from which its sender learns."""
        if self.open.pop(asked.name, None) is None:
            return
        self.done.append(asked)
        if answered is not None and answered.accepted:
            if isinstance(asked.command, Checkout | AgreePrice):
                placed = msgspec.json.decode(answered.body, type=Placed)
                self._orders += [
                    Bought(order.order_id, asked.actor, order.total.amount, self._market.variants[0]) for order in placed.orders
                ]
                self._go_to_pay(placed.payment)
            if isinstance(asked.command, _CASE_COMMANDS):
                self._heard_of(msgspec.json.decode(answered.body, type=CaseStands))
            if isinstance(asked.command, TopUpWallet):
                self._go_to_pay(msgspec.json.decode(answered.body, type=PaymentStarted))

    def _heard_of(self, stands: CaseStands) -> None:
        """Where a case stands now; one that has ended is remembered too, for those who ask too late."""
        order = next(order for order in self._orders if order.id == order_of(stands.case_id))
        self._cases[stands.case_id] = Disputed(stands.case_id, order.buyer, order.total, stands.state)

    def _go_to_pay(self, started: PaymentStarted) -> None:
        for redirect in started.redirects:
            if self._chance.random() < 0.9:  # others forget to
                self._sandbox.decide(dict(parse_qsl(urlsplit(redirect.url).query)), approve=self._chance.random() < 0.85)

    # What is drawn

    def _buyer(self) -> tuple[Actor, AddressId]:
        person, address = self._chance.choice(self._market.buyers)
        return Actor(person=person), address

    def _want(self) -> "Drawn":
        return AddToCart(variant_id=self._chance.choice(self._market.variants), quantity=self._chance.randrange(1, 4)), self._buyer()[0]

    def _buy(self) -> "Drawn":
        actor, address = self._buyer()
        if self._cloud is None:
            return None
        try:
            total = self._cloud.ask(PreviewCheckout(address_id=address), actor=actor).total.amount
        except (Refused, FaultError) as no:
            return self._too_many(actor, address) if isinstance(no, Refused) and no.code is OrderRefusal.BUYER_LIMIT else None
        by_wallet = self._chance.randrange(1, total) if self._chance.random() < 0.2 else total if self._chance.random() < 0.6 else 0
        tenders = [Tender(kind=TenderKind.WALLET, amount=yuan(by_wallet))] if by_wallet else []
        if by_wallet < total:
            tenders.append(Tender(kind=TenderKind.CHANNEL, amount=yuan(total - by_wallet), channel="sandbox"))
        return Checkout(address_id=address, total=yuan(total), tenders=tuple(tenders)), actor

    def _too_many(self, actor: Actor, address: AddressId) -> "Drawn":
        """Try it all the same, or give it up."""
        if self._chance.random() < 0.5:
            some = yuan(1_999)
            return Checkout(address_id=address, total=some, tenders=(Tender(kind=TenderKind.WALLET, amount=some),)), actor
        return RemoveFromCart(variant_id=self._market.variants[-1]), actor

    def _order(self) -> Bought | None:
        return self._chance.choice(self._orders[-20:]) if self._orders else None

    def _waybill(self) -> dict[str, Any]:
        return {"carrier": self._chance.choice(("SF Express", "sandbox")), "tracking": f"SF{self._number}"}

    def _ship(self) -> "Drawn":
        order, shop_id = self._order(), self._market.shop.shop_id
        return None if order is None else (ShipOrder(shop_id=shop_id, order_id=order.id, **self._waybill()), self._staff)

    def _pack(self) -> "Drawn":
        order, shop_id = self._order(), self._market.shop.shop_id
        if order is None:
            return None
        lines = (PieceLine(variant_id=self._chance.choice(self._market.variants), quantity=self._chance.randrange(1, 3)),)
        return ShipParcel(shop_id=shop_id, order_id=order.id, lines=lines, **self._waybill()), self._staff

    def _decline(self) -> "Drawn":
        order = self._order()
        return None if order is None else (DeclineOrder(shop_id=self._market.shop.shop_id, order_id=order.id), self._staff)

    def _receive(self) -> "Drawn":
        order = self._order()
        return None if order is None else (ConfirmReceipt(order_id=order.id), order.buyer)

    def _offer_price(self) -> "Drawn":
        order = self._order()
        if order is None:
            return None
        off, shipping = yuan(self._chance.randrange(0, order.total)), yuan(self._chance.choice((0, 800, 1_200)))
        return OfferPrice(shop_id=self._market.shop.shop_id, order_id=order.id, discount=off, shipping=shipping), self._staff

    def _agree_price(self) -> "Drawn":
        order = self._order()
        if order is None or self._cloud is None:
            return None
        try:
            now = self._cloud.ask(OfferedPrice(order_id=order.id), actor=order.buyer)
        except (Refused, FaultError):
            return None
        if not now.is_offered:
            return None
        total = now.checkout_total
        kind = self._chance.choice(
            (Tender(kind=TenderKind.WALLET, amount=total), Tender(kind=TenderKind.CHANNEL, amount=total, channel="sandbox"))
        )
        return AgreePrice(order_id=order.id, total=total, tenders=(kind,)), order.buyer

    def _cancel(self) -> "Drawn":
        order = self._order()
        return None if order is None else (CancelOrder(order_id=order.id), order.buyer)

    def _give_back(self) -> "Drawn":
        order = self._order()
        if order is None:
            return None
        amount = yuan(self._chance.choice((order.total, self._chance.randrange(1, order.total))))
        return RefundOrder(shop_id=self._market.shop.shop_id, order_id=order.id, amount=amount), self._staff

    def _claim(self) -> "Drawn":
        order = self._order()
        if order is None or self._cloud is None:
            return None
        try:
            bought = self._cloud.ask(OrderOf(order_id=order.id), actor=order.buyer).lines
        except (Refused, FaultError):
            return None
        goods = self._chance.choice([line for line in bought if isinstance(line, GoodsCharge)])
        kind, reason = self._chance.choice(tuple(CaseKind)), self._chance.choice(tuple(Reason))
        lines = (CaseLine(variant_id=goods.variant_id, quantity=self._chance.randrange(1, goods.quantity + 1)),)
        amount = yuan(self._chance.randrange(1, order.total)) if self._chance.random() < 0.3 else None
        return OpenCase(order_id=order.id, kind=kind, reason=reason, lines=lines, text="坏了", amount=amount), order.buyer

    def _answer(self) -> "Drawn":
        """Mostly a step that fits where the case stood when its people last heard of it; else any of them."""
        if not self._cases:
            return None
        case = self._chance.choice(list(self._cases.values())[-20:])
        if case.state is CaseState.DISPUTED and not self._has_waited and self._chance.random() < 0.3:
            self._has_waited = True  # once: keys are kept for seven days, and these people repeat themselves
            self._clock.advance(WAIT_MS)
            return None
        fitting = _ANSWERS[case.state] if self._chance.random() < 0.8 else ()
        return self._chance.choice(fitting or _ALL_ANSWERS)(self, case)

    def _by_shop(self, command: type[Command[Any]], case: Disputed, **more: Any) -> "Drawn":
        return command(shop_id=self._market.shop.shop_id, case_id=case.id, **more), self._staff

    def _offer(self, case: Disputed) -> "Drawn":
        amount = yuan(self._chance.randrange(1, case.total))
        return self._by_shop(OfferInCase, case, amount=amount, returns=self._chance.random() < 0.3, text="一半")

    def _rule(self, case: Disputed) -> "Drawn":
        to_buyer = yuan(self._chance.choice((0, case.total, self._chance.randrange(1, case.total))))
        return RuleCase(case_id=case.id, to_buyer=to_buyer, text="各担一半"), self._operator

    def _review(self) -> "Drawn":
        order = self._order()
        return None if order is None else (ReviewOrder(order_id=order.id, variant_id=order.variant, stars=5), order.buyer)

    def _top_up(self) -> "Drawn":
        return TopUpWallet(amount=yuan(self._chance.randrange(1_000, 20_000)), channel="sandbox"), self._buyer()[0]

    def _name_account(self) -> "Drawn":
        number = self._chance.choice(("6222020200012345670", "6222020200012345670", "6222020200012345671"))  # the last is nobody's
        return NamePayee(channel="sandbox", account=BankAccount(bank="工商银行", holder="林美", number=number)), self._buyer()[0]

    def _withdraw(self) -> "Drawn":
        return Withdraw(amount=yuan(self._chance.randrange(1, 5_000))), self._buyer()[0]

    def _restock(self) -> "Drawn":
        return _stock(self._market.shop, self._chance.choice(self._market.variants), ON_HAND), self._staff

    def _register(self) -> "Drawn":
        return RegisterPerson(phone=f"+8613700{self._chance.randrange(200):06d}"), SYSTEM

    def _move(self) -> "Drawn":
        return AddAddress(address=HOME), self._buyer()[0]


Drawn = tuple[Command[Any], Actor] | None
_DRAWS: tuple[Callable[[Shoppers], Drawn], ...] = (
    Shoppers._want,
    Shoppers._buy,
    Shoppers._ship,
    Shoppers._pack,
    Shoppers._decline,
    Shoppers._offer_price,
    Shoppers._agree_price,
    Shoppers._receive,
    Shoppers._cancel,
    Shoppers._give_back,
    Shoppers._review,
    Shoppers._top_up,
    Shoppers._name_account,
    Shoppers._withdraw,
    Shoppers._restock,
    Shoppers._register,
    Shoppers._move,
    Shoppers._claim,
    Shoppers._answer,
)
_WEIGHTS = (24, 28, 9, 4, 2, 4, 4, 7, 6, 5, 3, 5, 2, 2, 4, 3, 2, 9, 16)
Answer = Callable[[Shoppers, Disputed], Drawn]
_AGREE: Answer = lambda it, case: it._by_shop(AgreeToCase, case)  # noqa: E731 - rows of the table below
_REFUSE: Answer = lambda it, case: it._by_shop(RefuseCase, case, text="没有问题")  # noqa: E731
_ARRIVE: Answer = lambda it, case: it._by_shop(ConfirmReturn, case, restock=it._chance.random() < 0.5)  # noqa: E731
_CONTEST: Answer = lambda it, case: it._by_shop(ContestReturn, case, text="盒子是空的")  # noqa: E731
_SHOP_SAYS: Answer = lambda it, case: it._by_shop(GiveShopEvidence, case, text="发出时完好")  # noqa: E731
_ACCEPT: Answer = lambda _, case: (AcceptOffer(case_id=case.id), case.buyer)  # noqa: E731
_WITHDRAW: Answer = lambda _, case: (WithdrawCase(case_id=case.id), case.buyer)  # noqa: E731
_SEND: Answer = lambda _, case: (SendBack(case_id=case.id, carrier="SF Express", tracking="SF2"), case.buyer)  # noqa: E731
_CALL: Answer = lambda _, case: (CallOperator(case_id=case.id, text="请评理"), case.buyer)  # noqa: E731
_BUYER_SAYS: Answer = lambda _, case: (GiveEvidence(case_id=case.id, text="收到时已碎"), case.buyer)  # noqa: E731
_ANSWERS: Mapping[CaseState, tuple[Answer, ...]] = {
    CaseState.ASKED: (_AGREE, _REFUSE, Shoppers._offer, _WITHDRAW),
    CaseState.OFFERED: (_ACCEPT, _CALL, _AGREE),
    CaseState.REFUSED: (_CALL, Shoppers._offer, _WITHDRAW),
    CaseState.TO_SEND: (_SEND, _SEND, _WITHDRAW),
    CaseState.SENT: (_ARRIVE, _CONTEST),
    CaseState.DISPUTED: (_BUYER_SAYS, _SHOP_SAYS, _WITHDRAW, _AGREE, Shoppers._rule),
    CaseState.HEARD: (Shoppers._rule,),
    CaseState.REFUNDED: (),
    CaseState.CLOSED: (),
}
_ALL_ANSWERS = tuple(answer for answers in _ANSWERS.values() for answer in answers)
_CASE_COMMANDS = (
    OpenCase, AgreeToCase, RefuseCase, OfferInCase, AcceptOffer, WithdrawCase, SendBack, ConfirmReturn, CallOperator, ContestReturn,
    GiveEvidence, GiveShopEvidence, RuleCase,
)  # fmt: skip


class TradeAuditor:
    """Believes the facts, the ledger's own proof, and nothing that the program remembers."""

    decoders: Mapping[str, msgspec.json.Decoder[Any]] = {fact.__name__: msgspec.json.Decoder(fact) for d in DOMAINS for fact in d.facts}

    def __init__(self, sandbox: Sandbox, clock: Clock) -> None:
        """Nothing has happened and nobody has been answered."""
        self._clock = clock
        self._answered_at: dict[str, int] = {}
        self.facts: list[Told] = []
        self.told: list[tuple[Told, object]] = []
        self.answered: dict[str, Answered] = {}
        self.vault: FileVault | None = None
        self._roots: dict[str, list[Told]] = {}
        self._sandbox = sandbox

    @property
    def seq(self) -> int:
        """The last fact that was heard."""
        return len(self.facts)

    def read_on(self, reader: Reader) -> int:
        """Hear the facts that are new in the store."""
        rows = reader.rows(_FACTS, (self.seq,))
        for row in rows:
            told = Told(*row)
            claim(told.seq == self.seq + 1, f"fact {self.seq + 1} is missing before {told.seq}")
            claim(not self.facts or told.at >= self.facts[-1].at, f"fact {told.seq} is told before {told.seq - 1}")
            self.facts.append(told)
            self.told.append((told, self.decoders[told.kind].decode(told.body)))
            self._note_root(told)
        head = reader.rows("SELECT fact_seq FROM head")
        claim(head == [(self.seq,)], f"the head says {head}, the facts end at {self.seq}")
        return len(rows)

    def _note_root(self, told: Told) -> None:
        """Everything that one command tells stands together: what is told apart was done twice."""
        root = told.cause.partition("/")[0]
        if root:
            others = self._roots.setdefault(root, [])
            claim(not others or others[-1].seq == told.seq - 1, f"{root} took effect twice, in facts {others[-1:]} and {told.seq}")
            others.append(told)

    def has_effect(self, asked: Asked) -> bool:
        """Whether it has been told of."""
        return asked.key in self._roots

    def answer_left(self, asked: Asked, answered: Answered) -> None:
        """An answer has reached whoever asked; from now on it must stand."""
        before = self.answered.setdefault(asked.name, answered)
        self._answered_at.setdefault(asked.name, self._clock.wall_ms())
        claim(before == answered, f"{asked.name} was answered {before}, then {answered}")
        if not answered.accepted:
            claim(asked.key not in self._roots, f"{asked.name} was refused and took effect all the same")
        elif isinstance(asked.command, Checkout | AgreePrice):
            placed = [order.order_id for order in msgspec.json.decode(answered.body, type=Placed).orders]
            claim(self._placed(asked.key) == placed, f"{asked.name} was answered {placed}, the facts say {self._placed(asked.key)}")

    def _placed(self, root: str) -> list[OrderId]:
        return [self.decoders[told.kind].decode(told.body).order_id for told in self._roots.get(root, ()) if told.kind == "OrderPlaced"]

    def begin_anew(self, reader: Reader) -> None:
        """After a crash: what had been committed must be there still, unchanged."""
        before, self.facts, self.told, self._roots = self.facts, [], [], {}
        self.read_on(reader)
        claim(self.seq >= len(before), f"facts {self.seq + 1} to {len(before)} are lost")
        claim(self.facts[: len(before)] == before, "a fact is another one now")
        self.told = self.told[len(before) :]

    def compare(self, reader: Snapshots) -> None:
        """Every table against the facts and against each other."""
        self._answers(reader)
        proof = audit(reader)
        claim(proof.faults_found == 0, f"the books do not balance: {proof.faults}")
        self._orders(reader)
        self._cases(reader)
        self._sealed(reader)
        compare_notices(reader, [self.decoders[told.kind].decode(told.body) for told in self.facts])

    def _answers(self, reader: Reader) -> None:
        kept = {name: Answered(bool(accepted), body) for name, accepted, body in reader.rows("SELECT name, accepted, body FROM answer")}
        long_ago = self._clock.wall_ms() - (KEPT_MS - WAIT_MS - HOUR_MS)  # what is heard late was answered before
        forgotten = {name for name, at in self._answered_at.items() if at < long_ago}
        for name, answered in self.answered.items():
            stands = kept.get(name) == answered or name in forgotten
            claim(stands, f"{name} was answered {answered}, the store has {kept.get(name)}")
        keys = {name.partition(" ")[0] for name, answered in kept.items() if answered.accepted}
        keys |= {name.partition(" ")[0] for name in forgotten}
        for root in self._roots:
            claim(not root.startswith("k") or root in keys, f"{root} took effect and has no answer")

    def _orders(self, reader: Reader) -> None:
        told = {self.decoders[fact.kind].decode(fact.body).order_id for fact in self.facts if fact.kind == "OrderPlaced"}
        balances: dict[str, int] = dict(reader.rows(_BALANCE))
        held: dict[str, int] = {}
        orders = [ORDER.value(row) for row in reader.rows(_ORDERS)]
        kept_ids = {order.id for order in orders}
        self._limits(orders)
        claim(kept_ids == told, f"orders that differ from what was told: {kept_ids ^ told}")
        for order in orders:
            left = order.total - order.progress.refunded if order.state in HOLDING else 0
            kept = balances.get(escrow_account(order.id), 0)
            claim(kept == left, f"{order.id} is {order.state}, its escrow holds {kept} and not {left}")
            if order.state in (OrderState.PLACED, OrderState.PAID, OrderState.PARTLY_SHIPPED):
                for item in terms(order).items:
                    held[item.variant_id] = held.get(item.variant_id, 0) + item.quantity
                for line in (line for parcel in order.progress.parcels for line in parcel.lines):
                    held[line.variant_id] -= line.quantity
        for variant, on_hand, kept in reader.rows(
            "SELECT variant_id, CAST(sum(on_hand) AS INTEGER), CAST(sum(held) AS INTEGER) FROM stock GROUP BY variant_id"
        ):
            claim(0 <= kept <= on_hand, f"{variant} is oversold: {kept} of {on_hand}")
            claim(kept == held.get(variant, 0), f"{kept} of {variant} are held, orders wait for {held.get(variant, 0)}")

    def _cases(self, reader: Reader) -> None:
        """An open case is its order's last, and nothing of that order was settled; each that came to money came to it once."""
        orders = {order.id: order for order in [ORDER.value(row) for row in reader.rows(_ORDERS)]}
        cases = {case.id: case for case in [CASE.value(row) for row in reader.rows(_CASES)]}
        claim(len(cases) == sum(order.progress.cases for order in orders.values()), "orders have other cases than there are")
        claimed = dict.fromkeys(orders, 0)
        refunds = {id for (id,) in reader.rows(_REFUNDED)}
        for case in cases.values():
            order = orders[case.order_id]
            is_last = case.id == case_id_of(order.id, order.progress.cases - 1)
            claim(case.is_open == (is_last and order.progress.in_case), f"{case.id} is {case.state}, its order does not know that")
            claim(not case.is_open or order.state in (*HOLDING, OrderState.RECEIVED), f"{case.id} is open, {order.id} {order.state}")
            paid = case.details.agreed if case.state is CaseState.REFUNDED else 0
            claim((refund_of(case.id) in refunds) == bool(paid), f"{case.id} is {case.state} with {paid}, and its refund says otherwise")
            claimed[order.id] += paid
        for id, sum_ in claimed.items():
            claim(sum_ <= orders[id].progress.refunded <= orders[id].total, f"cases of {id} gave back {sum_}, more than it did")
        told = self._told_states()
        claim(told == {id: case.state for id, case in cases.items()}, "cases stand elsewhere than was told")

    def _told_states(self) -> dict[CaseId, str]:
        """Where each case stands by the facts."""
        found: dict[CaseId, str] = {}
        for told in self.facts:
            if told.kind in ("CaseOpened", "CaseMoved"):
                fact = self.decoders[told.kind].decode(told.body)
                found[fact.case_id] = fact.state if told.kind == "CaseMoved" else "asked"
        return found

    def nothing_is_held_for_ever(self, reader: Reader) -> None:
        """When time has passed and nobody has said anything, no case waits, what has left is received, and what has not has come back."""
        open_cases = [case.id for case in [CASE.value(row) for row in reader.rows(_CASES)] if case.is_open]
        claim(not open_cases, f"cases that nothing ends: {open_cases}")
        stuck = [order.id for order in [ORDER.value(row) for row in reader.rows(_ORDERS)] if order.state in HOLDING]
        claim(not stuck, f"orders whose money is held for ever: {stuck}")

    def _limits(self, orders: Sequence[Order]) -> None:
        """Nobody has more of the limited goods than one may, by what the orders themselves say."""
        limited, had = market().variants[-1], dict[PersonId, int]()
        for order in orders:
            if order.state not in (OrderState.CANCELLED, OrderState.REFUNDED):
                had[order.buyer] = had.get(order.buyer, 0) + sum(it.quantity for it in terms(order).items if it.variant_id == limited)
        claim(all(pieces <= LIMITED_PIECES for pieces in had.values()), f"somebody has more than {LIMITED_PIECES}: {had}")

    def _sealed(self, reader: Reader) -> None:
        if self.vault is not None:
            for person, sealed in reader.rows("SELECT id, sealed FROM person UNION ALL SELECT person_id, sealed FROM address"):
                claim(self.vault.unseal(person, sealed) is not None, f"the key of {person} is lost")

    def reconcile(self, reader: Reader) -> None:
        """At rest, what the channel says it has collected is what we say it has."""
        lines = self._sandbox.statement("CNY")
        collected = sum(-line.amount.amount if line.request else line.amount.amount for line in lines)
        balances: dict[str, int] = dict(reader.rows(_BALANCE))
        ours = -balances[channel_account("sandbox", "CNY")] - balances.get(paid_out_account("sandbox", "CNY"), 0)
        claim(ours == collected, f"the channel has {collected}, we say {ours}")


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
        self.people = Shoppers(self.chance, self.sandbox, self.clock)  # type: ignore[assignment]
        self.auditor = TradeAuditor(self.sandbox, self.clock)  # type: ignore[assignment]

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
        self.auditor.reconcile(eye)  # type: ignore[attr-defined]
        self.auditor.nothing_is_held_for_ever(eye)  # type: ignore[attr-defined]
