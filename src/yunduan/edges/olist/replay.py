"""Carries a plan out through the real commands, each at its own date, in a cloud whose clock is ours to move.

Everything has a key, so a replay that was cut off is begun again and goes on where it was: what has been done is answered from
its key. Between two steps everything that became due in the meantime happens first, at its own time: alarms ring in 2017, not now.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetStock
from yunduan.domains.catalog.model import GoodsForm, StockReason, VariantForm
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Language, Postal, ShopRole
from yunduan.domains.orders.agreed import AgreedLine, PlaceAgreed
from yunduan.domains.orders.commands import ConfirmReceipt, DeclineOrder, PlacedOrder, RefundOrder, ReviewOrder, ShipOrder
from yunduan.domains.payments.commands import BookDifference
from yunduan.domains.payments.model import Tender, TenderKind
from yunduan.edges.olist.plan import CURRENCY, Good, Kind, Plan, Purchase, Shop, Step
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, CategoryId, CheckoutId, LocationId, PaymentId, PersonId, ShopId, VariantId, sibling
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.runtime.clock import VirtualClock

Answer = TypeVar("Answer")
Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
DAY_MS = 86_400_000
COMMISSION_PPM = 100_000
"""The data does not say what Olist kept; a tenth of the goods is its order of magnitude."""
PHONE = "+55 11 3000 0000"
"""Nobody's number: the data has none."""
AT_ONCE = 200
STEPS_UNHEARD_MAX = 200
"""How many steps pass before followers hear of them: a delivery is a commit."""
TEXT_MAX = 1000


class Sold(Struct, frozen=True):
    """Where a good stands in our catalogue."""

    shop_id: ShopId
    variant_id: VariantId


class Bought(Struct, frozen=True):
    """A purchase after it was placed."""

    buyer: Actor
    checkout_id: CheckoutId
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
        self._categories: dict[str, CategoryId] = {}
        self._keepers: dict[ShopId, Actor] = {}
        self._shops: dict[str, ShopId] = {}
        self._sold: dict[tuple[str, str], Sold] = {}
        self._buyers: dict[str, Actor] = {}
        self._addresses: dict[tuple[str, tuple[str, str, str]], AddressId] = {}
        self._bought: dict[int, Bought] = {}
        self._placed_at = {step.purchase: step.at for step in plan.steps if step.kind is Kind.PLACE}
        self._captured_at = {step.purchase: step.at for step in plan.steps if step.kind is Kind.CAPTURE}
        self._shipped: set[int] = set()
        self.done: Counter[str] = Counter()
        """How often each thing was done."""

    async def run(self) -> None:
        """Open the marketplace the day before its first order, live through its years, then come back to the present."""
        self._clock.advance_to(self._plan.steps[0].at - DAY_MS)
        await self._open()
        acts = {
            Kind.PLACE: self._place,
            Kind.CAPTURE: self._capture,
            Kind.SHIP: self._ship,
            Kind.RECEIVE: self._receive,
            Kind.CANCEL: self._cancel,
            Kind.REVIEW: self._review,
        }
        for number, step in enumerate(self._plan.steps):
            await self._until(step.at)
            await acts[step.kind](step)
            if number % STEPS_UNHEARD_MAX == 0:
                await self._cloud.settle()
            self._watch("steps", number + 1, len(self._plan.steps))
        await self._cloud.settle()

    async def come_back(self, now_ms: int) -> None:
        """Let the time until now pass, with all that it brings."""
        await self._until(now_ms)
        await self._cloud.settle()

    # Opening the marketplace

    async def _open(self) -> None:
        for key, name, name_en in self._plan.categories:
            self._categories[key] = (await self._send(CreateCategory(name=name, name_en=name_en), key=f"category:{key}")).category_id
        locations: dict[str, LocationId] = {}

        async def shop(shop: Shop) -> None:
            owner = await self._send(RegisterPerson(language=Language.EN), key=f"keeper:{shop.seller}")
            name = f"{shop.city.title()} {shop.seller[:6]}"
            ask = CreateShop(
                owner=owner.person_id,
                name=name,
                name_en=name,
                country="BR",
                region=shop.state,
                currency=CURRENCY,
                commission_ppm=COMMISSION_PPM,
            )
            made = await self._send(ask, key=f"shop:{shop.seller}")
            self._shops[shop.seller], locations[shop.seller] = made.shop_id, made.location_id
            roles = {made.shop_id: frozenset({ShopRole.OWNER.value})}
            self._keepers[made.shop_id] = Actor(person=owner.person_id, shop_roles=roles, is_system=True)

        async def good(good: Good) -> None:
            variant = VariantForm(sku=good.product, price=_reais(good.price), weight_g=good.weight_g)
            form = GoodsForm(title=good.title_zh, title_en=good.title_en, category_id=self._categories[good.category], variants=(variant,))
            shop_id = self._shops[good.seller]
            made = await self._send(CreateGoods(shop_id=shop_id, form=form, publish=True), key=f"good:{good.product}:{good.seller}")
            sold = Sold(shop_id, made.variant_ids[0])
            stock = SetStock(
                shop_id=shop_id,
                variant_id=sold.variant_id,
                location_id=locations[good.seller],
                on_hand=good.pieces,
                reason=StockReason.IMPORTED,
            )
            await self._send(stock, key=f"stock:{good.product}:{good.seller}")
            self._sold[good.product, good.seller] = sold

        async def buyer(id: str) -> None:
            made = await self._send(RegisterPerson(language=Language.EN), key=f"buyer:{id}")
            self._buyers[id] = _in_the_name_of(made.person_id)

        await self._all("shops", self._plan.shops, shop)
        await self._all("goods", self._plan.goods, good)
        await self._all("people", self._plan.buyers, buyer)

    async def _all(self, what: str, things: list[Any], act: Callable[[Any], Any]) -> None:
        for start in range(0, len(things), AT_ONCE):
            await asyncio.gather(*(act(thing) for thing in things[start : start + AT_ONCE]))
            self._watch(what, min(start + AT_ONCE, len(things)), len(things))
        await self._cloud.settle()

    # The life of an order

    async def _place(self, step: Step) -> None:
        purchase = self._plan.purchases[step.purchase]
        buyer = self._buyers[purchase.buyer]
        ask = PlaceAgreed(
            address_id=await self._address(purchase),
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
            pay_by=self._captured_at[step.purchase] + DAY_MS,
        )
        placed = await self._send(ask, actor=buyer, key=f"place:{purchase.id}")
        redirects = tuple(redirect.url for redirect in placed.payment.redirects)
        self._bought[step.purchase] = Bought(buyer, placed.checkout_id, placed.orders, redirects)
        self.done["checkouts"] += 1
        self.done["orders"] += len(placed.orders)

    async def _address(self, purchase: Purchase) -> AddressId:
        place = (purchase.buyer, purchase.address)
        if place not in self._addresses:
            code, city, state = purchase.address
            postal = Postal(recipient="Olist", phone=PHONE, country="BR", region=state, city=city, lines=(f"CEP {code}",), postal_code=code)
            kept = await self._send(AddAddress(address=postal), actor=self._buyers[purchase.buyer], key=f"address:{purchase.id}")
            self._addresses[place] = kept.address_id
        return self._addresses[place]

    async def _capture(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], self._bought[step.purchase]
        for url in bought.redirects:
            self._sandbox.decide(dict(parse_qsl(urlsplit(url).query)), approve=True)
        await self._cloud.settle(hear=False)
        self.done["captured"] += len(bought.redirects)
        over = purchase.paid - purchase.total
        if over > 0:
            payment_id = PaymentId(sibling(bought.checkout_id, "pay"))
            ask = BookDifference(payment_id=payment_id, channel="sandbox", amount=_reais(over))
            charge = await self._send(ask, key=f"difference:{purchase.id}")
            self._sandbox.collect(charge.reference, charge.amount)
            self.done["paid_over"] += 1
        self.done["paid_under"] += over < 0

    async def _ship(self, step: Step) -> None:
        purchase, bought = self._plan.purchases[step.purchase], self._bought[step.purchase]
        for order in bought.orders:
            ask = ShipOrder(shop_id=order.shop_id, order_id=order.order_id, carrier="Correios", tracking=f"BR{purchase.id[:12]}")
            await self._send(ask, actor=self._keepers[order.shop_id], key=f"ship:{order.order_id}")
            self.done["shipped"] += 1
        self._shipped.add(step.purchase)

    async def _receive(self, step: Step) -> None:
        bought = self._bought[step.purchase]
        for order in bought.orders:
            await self._send(ConfirmReceipt(order_id=order.order_id), actor=bought.buyer, key=f"receive:{order.order_id}")
            self.done["received"] += 1

    async def _cancel(self, step: Step) -> None:
        for order in self._bought[step.purchase].orders:
            if step.purchase in self._shipped:
                refund = RefundOrder(shop_id=order.shop_id, order_id=order.order_id, amount=order.total)
                await self._send(refund, actor=self._keepers[order.shop_id], key=f"refund:{order.order_id}")
                self.done["refunded"] += 1
            else:
                decline = DeclineOrder(shop_id=order.shop_id, order_id=order.order_id)
                await self._send(decline, actor=self._keepers[order.shop_id], key=f"decline:{order.order_id}")
                self.done["cancelled"] += 1

    async def _review(self, step: Step) -> None:
        review, purchase, bought = self._plan.reviews[step.detail], self._plan.purchases[step.purchase], self._bought[step.purchase]
        said = " ".join(part for part in (review.review_comment_title, review.review_comment_message) if part)
        text = "".join(letter if letter.isprintable() else " " for letter in said)[:TEXT_MAX]
        for order in bought.orders:
            for line in purchase.lines:
                sold = self._sold[line.good]
                if sold.shop_id == order.shop_id:
                    ask = ReviewOrder(order_id=order.order_id, variant_id=sold.variant_id, stars=review.review_score, text=text)
                    await self._send(ask, actor=bought.buyer, key=f"review:{step.detail}:{sold.variant_id}")
                    self.done["lines reviewed"] += 1
        self.done["reviewed"] += 1

    # How things are sent

    async def _until(self, at_ms: int) -> None:
        """Let time pass; whatever is due on the way happens at its own time."""
        while (due := self._next_due()) is not None and due <= at_ms:
            self._clock.advance_to(due)
            await self._cloud.settle(hear=False)
        self._clock.advance_to(at_ms)

    def _next_due(self) -> int | None:
        return min((due for runner in self._cloud.runners if (due := runner.next_due()) is not None), default=None)

    async def _send(self, command: Command[Answer], *, actor: Actor = SYSTEM, key: str) -> Answer:
        return await self._cloud.send(command, actor=actor, key=f"olist:{key}")


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
