"""Carries a plan out through the real commands, each at its own date, in a cloud whose clock is ours to move.

The store itself remembers what has been brought in, under the names that Olist has for it, and how many steps are done: a replay
that was cut off anywhere is begun again and goes on where it was. Between two steps everything that became due in the meantime
happens first, at its own time: alarms ring in 2017, not now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetStock
from yunduan.domains.catalog.model import GoodsForm, StockReason, VariantForm
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Language, Postal, ShopRole
from yunduan.domains.orders.agreed import AgreedLine, PlaceAgreed
from yunduan.domains.orders.commands import DeclineOrder, PlacedOrder, RefundOrder, ReviewOrder
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.payments.commands import BookDifference
from yunduan.domains.payments.model import Tender, TenderKind
from yunduan.edges.olist.plan import CURRENCY, DAY_MS, Good, Kind, Plan, Purchase, Shop, Step
from yunduan.edges.passing import let_pass
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, CategoryId, LocationId, PaymentId, PersonId, ShopId, VariantId, sibling
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.imports import AdvanceImport, BeginImport, BringIn, EndImport, Import, ImportedOf
from yunduan.runtime.registry import answer_type

Answer = TypeVar("Answer")
Thing = TypeVar("Thing")
Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
SOURCE = "olist"
COMMISSION_PPM = 100_000
"""The data does not say what Olist kept; a tenth of the goods is its order of magnitude."""
PHONE = "+55 11 3000 0000"
"""Nobody's number: the data has none."""
AT_ONCE = 200
STEPS_UNHEARD_MAX = 200
"""How many steps pass before followers hear of them and they are done for certain: each of the two is a commit."""
TEXT_MAX = 1000


class Sold(Struct, frozen=True):
    """Where a good stands in our catalogue."""

    shop_id: ShopId
    variant_id: VariantId


class Keeper(Struct, frozen=True):
    """Who acts for a shop, and what Olist calls it."""

    seller: str
    actor: Actor


class Bought(Struct, frozen=True):
    """A purchase after it was placed."""

    buyer: Actor
    payment_id: PaymentId
    orders: tuple[PlacedOrder, ...]
    redirects: tuple[str, ...]


class Replay:
    """One import into one cloud."""

    def __init__(self, cloud: Cloud, clock: VirtualClock, plan: Plan, *, watch: Watch) -> None:
        """`clock` is the cloud's own."""
        self._cloud = cloud
        self._clock = clock
        self._plan = plan
        self._watch = watch
        self._sandbox: Sandbox = cloud.port(Sandbox)
        self._made: dict[tuple[str, str], bytes] = {}
        """What an earlier run was answered with."""
        self._categories: dict[str, CategoryId] = {}
        self._keepers: dict[ShopId, Keeper] = {}
        self._shops: dict[str, ShopId] = {}
        self._sold: dict[tuple[str, str], Sold] = {}
        self._buyers: dict[str, Actor] = {}
        self._addresses: dict[tuple[str, tuple[str, str, str]], AddressId] = {}
        self._bought: dict[int, Bought] = {}
        self._captured_at = {step.purchase: step.at for step in plan.steps if step.kind is Kind.CAPTURE}
        self._shipped = {step.purchase for step in plan.steps if step.kind is Kind.SHIP}

    async def begin(self) -> Import:
        """Begin, or find how far an earlier run came; raises `Refused` when this is not the store to do it in, or it has been done."""
        self._clock.advance_to(max(self._plan.opens_at, self._cloud.writer.head.at))
        begun = await self._cloud.send(BeginImport(source=SOURCE, content=self._plan.content(), total=len(self._plan.steps)), actor=SYSTEM)
        brought = await self._cloud.ask_slow(ImportedOf(source=SOURCE), actor=SYSTEM)
        self._made = {(one.kind, one.name): one.made for one in brought}
        return begun

    async def run(self, begun: Import) -> None:
        """Open the marketplace the day before its first order, and live through its years from where it stands."""
        await self._open()
        acts = {
            Kind.PLACE: self._place,
            Kind.CAPTURE: self._capture,
            Kind.SHIP: self._ship,
            Kind.RECEIVE: self._receive,
            Kind.CANCEL: self._cancel,
            Kind.REVIEW: self._review,
        }
        steps = self._plan.steps
        self._watch("orders", begun.done, len(steps))
        for number, step in enumerate(steps[begun.done :], begun.done + 1):
            await let_pass(self._cloud, self._clock, step.at)
            await acts[step.kind](step)
            if number % STEPS_UNHEARD_MAX == 0:
                await self._advance(number)
            self._watch("orders", number, len(steps))
        await self._advance(len(steps))

    async def come_back(self, now_ms: int) -> None:
        """Let the time until now pass, with all that it brings, and end the import: the store is like any other from now on."""
        await let_pass(self._cloud, self._clock, now_ms)
        await self._cloud.settle()
        await self._cloud.send(EndImport(source=SOURCE), actor=SYSTEM)

    async def _advance(self, done: int) -> None:
        await self._cloud.settle()
        await self._cloud.send(AdvanceImport(source=SOURCE, done=done), actor=SYSTEM)

    # Opening the marketplace

    async def _open(self) -> None:
        for key, name, name_en in self._plan.categories:
            made = await self._bring("category", key, CreateCategory(name=name, name_en=name_en))
            self._categories[key] = made.id
        locations: dict[str, LocationId] = {}

        async def shop(shop: Shop) -> None:
            owner = await self._bring("keeper", shop.seller, RegisterPerson(language=Language.EN))
            name = f"{shop.city.title()} {shop.seller[:6]}"
            ask = CreateShop(
                owner_id=owner.person_id,
                name=name,
                name_en=name,
                country="BR",
                region=shop.state,
                currency=CURRENCY,
                commission_ppm=COMMISSION_PPM,
            )
            made = await self._bring("shop", shop.seller, ask)
            self._shops[shop.seller], locations[shop.seller] = made.id, made.location_id
            roles = {made.id: frozenset({ShopRole.OWNER.value})}
            self._keepers[made.id] = Keeper(shop.seller, Actor(person=owner.person_id, shop_roles=roles, is_system=True))

        async def good(good: Good) -> None:
            variant = VariantForm(sku=good.product, price=_reais(good.price), weight_g=good.weight_g)
            form = GoodsForm(title=good.title_zh, title_en=good.title_en, category_id=self._categories[good.category], variants=(variant,))
            shop_id, name = self._shops[good.seller], f"{good.product}/{good.seller}"
            made = await self._bring("good", name, CreateGoods(shop_id=shop_id, form=form, publish=True))
            sold = self._sold[good.product, good.seller] = Sold(shop_id, made.variant_ids[0])
            stock = SetStock(
                shop_id=shop_id,
                variant_id=sold.variant_id,
                location_id=locations[good.seller],
                on_hand=good.pieces,
                reason=StockReason.IMPORTED,
            )
            await self._bring("stock", name, stock)

        async def buyer(id: str) -> None:
            made = await self._bring("buyer", id, RegisterPerson(language=Language.EN))
            self._buyers[id] = _in_the_name_of(made.person_id)

        await self._all("shops", self._plan.shops, shop)
        await self._all("goods", self._plan.goods, good)

        async def address(home: tuple[tuple[str, tuple[str, str, str]], str]) -> None:
            (buyer, (code, city, state)), purchase = home
            postal = Postal(recipient="Olist", phone=PHONE, country="BR", region=state, city=city, lines=(f"CEP {code}",), postal_code=code)
            made = await self._bring("address", purchase, AddAddress(address=postal), actor=self._buyers[buyer])
            self._addresses[buyer, (code, city, state)] = made.id

        await self._all("people", self._plan.buyers, buyer)
        await self._all("addresses", [*homes(self._plan).items()], address)

    async def _all(self, what: str, things: Sequence[Thing], act: Callable[[Thing], Awaitable[None]]) -> None:
        for start in range(0, len(things), AT_ONCE):
            await asyncio.gather(*(act(thing) for thing in things[start : start + AT_ONCE]))
            self._watch(what, min(start + AT_ONCE, len(things)), len(things))
        await self._cloud.settle()

    # The life of an order

    async def _place(self, step: Step) -> None:
        await self._placed(step.purchase)

    async def _placed(self, number: int) -> Bought:
        """A purchase, placed now or before."""
        if number not in self._bought:
            purchase = self._plan.purchases[number]
            buyer = self._buyers[purchase.buyer]
            ask = PlaceAgreed(
                address_id=self._addresses[purchase.buyer, purchase.address],
                lines=tuple(
                    AgreedLine(
                        variant_id=self._sold[line.good].variant_id,
                        quantity=line.quantity,
                        price=_reais(line.price),
                        shipping=_reais(line.freight),
                    )
                    for line in purchase.lines
                ),
                tenders=tenders(purchase),
                pay_by=self._captured_at[number] + DAY_MS,
                only_by_hand=True,  # when it was received, if ever, stands in the tables
            )
            placed = await self._bring("checkout", purchase.id, ask, actor=buyer)
            payment_id = PaymentId(sibling(placed.id, "pay"))
            redirects = tuple(redirect.url for redirect in placed.payment.redirects)
            self._bought[number] = Bought(buyer, payment_id, placed.orders, redirects)
        return self._bought[number]

    async def _capture(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], await self._placed(step.purchase)
        for url in bought.redirects:
            self._sandbox.decide(dict(parse_qsl(urlsplit(url).query)), approve=True)
        await self._cloud.settle(hear=False)
        over = purchase.paid - purchase.total
        if over > 0:
            ask = BookDifference(payment_id=bought.payment_id, channel="sandbox", amount=_reais(over))
            charge = await self._bring("difference", purchase.id, ask)
            self._sandbox.collect(charge.reference, charge.amount)

    async def _ship(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], await self._placed(step.purchase)
        for order in bought.orders:
            ask = ShipOrder(shop_id=order.shop_id, order_id=order.id, carrier="Correios", tracking=f"BR{purchase.id[:12]}")
            await self._for_shop("shipment", purchase, order, ask)

    async def _receive(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], await self._placed(step.purchase)
        for order in bought.orders:
            name = self._name_of(purchase, order)
            await self._bring("receipt", name, ConfirmReceipt(order_id=order.id), actor=bought.buyer)

    async def _cancel(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], await self._placed(step.purchase)
        for order in bought.orders:
            if step.purchase in self._shipped:
                refund = RefundOrder(shop_id=order.shop_id, order_id=order.id, amount=order.total)
                await self._for_shop("refund", purchase, order, refund)
            else:
                decline = DeclineOrder(shop_id=order.shop_id, order_id=order.id)
                await self._for_shop("cancellation", purchase, order, decline)

    async def _review(self, step: Step) -> None:
        review, purchase = self._plan.reviews[step.detail], self._plan.purchases[step.purchase]
        bought = await self._placed(step.purchase)
        said = " ".join(part for part in (review.review_comment_title, review.review_comment_message) if part)
        text = "".join(letter if letter.isprintable() else " " for letter in said)[:TEXT_MAX]
        for order in bought.orders:
            for line in purchase.lines:
                sold = self._sold[line.good]
                if sold.shop_id == order.shop_id:
                    ask = ReviewOrder(order_id=order.id, variant_id=sold.variant_id, stars=review.review_score, text=text)
                    await self._bring("review", f"{self._name_of(purchase, order)}/{line.good[0]}", ask, actor=bought.buyer)

    # How things are sent

    async def _for_shop(self, kind: str, purchase: Purchase, order: PlacedOrder, command: Command[Any]) -> None:
        await self._bring(kind, self._name_of(purchase, order), command, actor=self._keepers[order.shop_id].actor)

    def _name_of(self, purchase: Purchase, order: PlacedOrder) -> str:
        """An order of one shop has no name at Olist: that of the whole, with the seller's."""
        return f"{purchase.id}/{self._keepers[order.shop_id].seller}"

    async def _bring(self, kind: str, name: str, command: Command[Answer], *, actor: Actor = SYSTEM) -> Answer:
        """Have a command carried out once, in this run or an earlier one."""
        made = self._made.get((kind, name))
        if made is None:
            made = await self._cloud.send(BringIn(source=SOURCE, kind=kind, name=name, command=command), actor=actor)
        answer: Answer = msgspec.json.decode(made, type=answer_type(type(command)))
        return answer


def homes(plan: Plan) -> dict[tuple[str, tuple[str, str, str]], str]:
    """Where goods are sent: each address of each buyer once, with the purchase that named it first."""
    found: dict[tuple[str, tuple[str, str, str]], str] = {}
    for purchase in plan.purchases:
        found.setdefault((purchase.buyer, purchase.address), purchase.id)
    return found


def tenders(purchase: Purchase) -> tuple[Tender, ...]:
    """What a purchase is paid with: each payment over the sandbox; what lacks, from the account of differences; what is over, apart."""
    over = max(0, purchase.paid - purchase.total)
    amounts = [amount for _, amount in purchase.tenders]
    largest = amounts.index(max(amounts))
    amounts[largest] -= over
    paid = [Tender(kind=TenderKind.CHANNEL, channel="sandbox", amount=_reais(amount)) for amount in amounts]
    under = purchase.total - purchase.paid
    return tuple(paid + ([Tender(kind=TenderKind.DIFFERENCE, amount=_reais(under))] if under > 0 else []))


def _reais(centavos: int) -> Money:
    return Money(amount=centavos, currency=CURRENCY)


def _in_the_name_of(person: PersonId) -> Actor:
    """The cloud itself, doing what a person did."""
    return Actor(person=person, is_system=True)
