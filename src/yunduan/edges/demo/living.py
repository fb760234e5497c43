"""Sixty days of a market: each step is a command of the one whose step it is, at its own time.

What happens stands in a timetable, and what has happened puts more into it: who has paid waits for a parcel, who has received it
says what it is like. What lies after the end is left to whoever comes then.
"""

import heapq
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.catalog.commands import SetPrice, SetStock
from yunduan.domains.catalog.model import CatalogRefusal, CatalogSettings, StockReason
from yunduan.domains.catalog.queries import GoodsOnDesk
from yunduan.domains.identity.model import Language
from yunduan.domains.orders.commands import (
    AddToCart,
    CancelOrder,
    Checkout,
    DeclineOrder,
    RefundOrder,
    RemoveFromCart,
    ReviewOrder,
)
from yunduan.domains.orders.queries import PreviewCheckout
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.reviewing import AnswerReview, FollowUpReview
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import PaymentStarted, Tender, TenderKind
from yunduan.domains.payments.queries import WalletOf
from yunduan.edges.demo.bought import Bought, Wish
from yunduan.edges.demo.cases import Claims
from yunduan.edges.demo.content import Content, Said
from yunduan.edges.demo.fates import DAY_MS, HOUR_MS, MINUTE_MS, Course, Fate, fate, moments, stars, working
from yunduan.edges.demo.opening import FRESH, Listed, Opened, appoint, open_shop, plant, put_on_sale, yuan
from yunduan.edges.demo.people import Buyer, join
from yunduan.edges.passing import let_pass
from yunduan.kernel.ids import ReviewId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.clock import VirtualClock

Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
Act = Callable[[], Awaitable[None]]
Answer = TypeVar("Answer")
STEPS_UNHEARD_MAX = 60
"""How many steps pass before followers hear of them."""
SOLD_OUT_OR_UNREACHED = frozenset({CatalogRefusal.SOLD_OUT, CatalogRefusal.REGION_NOT_SERVED})
"""Why somebody takes something out of a cart again instead of buying it."""


LAST = (9 * MINUTE_MS, 4 * MINUTE_MS, MINUTE_MS)
"""When, before the end, the last orders are placed, whatever the hour."""
WALLET_MAX = 100_000
"""What is paid from a wallet at most, in minor units; more is paid over the channel."""
LOWERED = 12
"""One of so many goods costs less in the end than at first."""
VISITOR: tuple[tuple[int, Fate], ...] = (
    (46 * DAY_MS, Fate(receives_after_ms=3 * DAY_MS, reviews_after_ms=DAY_MS)),
    (33 * DAY_MS, Fate(cancels_after_ms=2 * HOUR_MS)),
    (24 * DAY_MS, Fate(gives_back_after_ms=2 * DAY_MS, gives_back_percent=20, reviews_after_ms=HOUR_MS)),
    (21 * DAY_MS, Fate(case=Course.RULED)),
    (19 * DAY_MS, Fate(receives_after_ms=None)),
    (16 * DAY_MS, Fate(case=Course.RETURNED)),
    (9 * DAY_MS, Fate(receives_after_ms=4 * DAY_MS)),
    (7 * DAY_MS, Fate(gives_back_after_ms=2 * DAY_MS, gives_back_percent=100)),
    (6 * DAY_MS, Fate(case=Course.RULED, case_after_ms=DAY_MS)),
    (5 * DAY_MS, Fate(receives_after_ms=None)),
    (4 * DAY_MS, Fate(case=Course.OFFER_OPEN, case_after_ms=DAY_MS)),
    (2 * DAY_MS, Fate(ships_after_ms=6 * HOUR_MS, receives_after_ms=None)),
    (DAY_MS, Fate(ships_after_ms=2 * HOUR_MS, ships_rest_after_ms=4 * DAY_MS)),
    (50 * MINUTE_MS, Fate()),
    (5 * MINUTE_MS, Fate(by_channel=True, pays_after_ms=None)),
)
"""When, before the end, the visitor's own orders were placed, and what became of each: they find one in every state."""


class Size(Struct, frozen=True, kw_only=True):
    """How large a market is made."""

    people: int = 500
    days: int = 60
    orders: int = 2_000
    goods_of_a_shop: int = 100


class Living:
    """One market's past, in one cloud."""

    def __init__(
        self, cloud: Cloud, clock: VirtualClock, content: Content, *, seed: int, end_ms: int, watch: Watch, size: Size | None = None
    ) -> None:
        """`clock` is the cloud's own, and stands before the beginning; everything drawn follows from `seed`."""
        self._cloud = cloud
        self._clock = clock
        self._content = content
        self._chance = random.Random(seed)  # noqa: S311 - a market that can be made again, nothing that must not be guessed
        self._end = end_ms
        self._watch = watch
        self._size = size or Size()
        self._start = end_ms - self._size.days * DAY_MS
        self._sandbox: Sandbox = cloud.port(Sandbox)
        self._timetable: list[tuple[int, int, Act]] = []
        self._numbers = count(1)
        self._shops: dict[ShopId, Opened] = {}
        self._listed: list[Listed] = []
        self._buyers: list[Buyer] = []
        self._orders_watched = 0
        self.reviews = 0

    @property
    def shops(self) -> int:
        """How many shops are open."""
        return len(self._shops)

    @property
    def goods(self) -> int:
        """How many goods have been put on sale."""
        return len(self._listed)

    async def run(self) -> None:
        """Live through all of it; the clock stands at the end afterwards."""
        self._clock.advance_to(self._start - 2 * DAY_MS)
        await self._open()
        self._enter(self._joining())
        self._enter(self._ordering())
        self._at(self._end - 6 * DAY_MS, self._lower_prices)
        self._at(self._end - 3 * HOUR_MS, self._run_low)
        steps = 0
        while self._timetable:
            at_ms, _, act = heapq.heappop(self._timetable)
            await let_pass(self._cloud, self._clock, at_ms)
            await act()
            steps += 1
            if steps % STEPS_UNHEARD_MAX == 0:
                await self._cloud.settle()
        await let_pass(self._cloud, self._clock, self._end)
        await self._cloud.settle()

    def _at(self, at_ms: int, act: Act) -> None:
        """Put something into the timetable, unless it lies after the end."""
        if at_ms <= self._end:
            heapq.heappush(self._timetable, (at_ms, next(self._numbers), act))

    def _enter(self, acts: Sequence[tuple[int, Act]]) -> None:
        for at_ms, act in acts:
            self._at(at_ms, act)

    # The opening

    async def _open(self) -> None:
        """Most goods are there on the first day, the rest comes as the weeks go by."""
        operator = await appoint(self._cloud)
        self._claims = Claims(
            self._content.cases,
            operator,
            send=lambda command, actor: self._cloud.send(command, actor=actor),
            later=lambda after_ms, act: self._at(self._clock.wall_ms() + after_ms, act),
            at_work=lambda after_ms, act: self._at(working(self._chance, self._clock.wall_ms() + after_ms), act),
        )
        categories = await plant(self._cloud, self._content, operator)
        wanted = []
        for place, text in enumerate(self._content.shops, 1):
            shop = await open_shop(self._cloud, text, operator)
            self._shops[shop.shop_id] = shop
            self._watch("shops", place, len(self._content.shops))
            wanted += [(shop, goods) for goods in text.goods[: self._size.goods_of_a_shop]]
            self._clock.advance(20 * MINUTE_MS)
        self._chance.shuffle(wanted)
        done = count(1)

        async def list_goods(shop: Opened, number: int) -> None:
            text = wanted[number][1]
            listed = await put_on_sale(self._cloud, self._chance, shop, text, categories[text.category])
            self._listed.append(listed)
            self._watch("goods", next(done), len(wanted))

        later = len(wanted) // 5
        for number, (shop, _) in enumerate(wanted):
            if number < len(wanted) - later:
                await list_goods(shop, number)
                self._clock.advance(4 * MINUTE_MS)
            else:
                at_ms = self._start + self._chance.randrange((self._size.days - 4) * DAY_MS)
                self._at(working(self._chance, at_ms), partial(list_goods, shop, number))
        await self._cloud.settle()

    def _joining(self) -> list[tuple[int, Act]]:
        """A fifth is there from the beginning."""
        people, days = self._size.people, self._size.days
        done = count(1)

        async def one(number: int) -> None:
            self._buyers.append(await join(self._cloud, self._chance, self._content.people, number=number))
            self._watch("people", next(done), people)

        at_once = max(20, people // 5)
        since = [self._start + number for number in range(at_once)]
        since += sorted(self._start + int((days * DAY_MS - HOUR_MS) * self._chance.random()) for _ in range(people - at_once))
        return [(at_ms, partial(one, number)) for number, at_ms in enumerate(since, 1)]

    # Buying

    def _ordering(self) -> list[tuple[int, Act]]:
        first = self._start + HOUR_MS
        times = moments(self._chance, start_ms=first, end_ms=self._end - 20 * MINUTE_MS, count=self._size.orders)
        acts: list[tuple[int, Act]] = [(at_ms, self._somebody_buys) for at_ms in times]
        for before_ms, become in VISITOR:
            if before_ms < self._size.days * DAY_MS:
                acts.append((self._end - before_ms, partial(self._visitor_buys, become, of_first_shop=before_ms < HOUR_MS)))
        acts += [(self._end - before_ms, self._somebody_buys) for before_ms in LAST]
        return [*acts, (self._end - MINUTE_MS // 2, self._visitor_wants)]

    async def _somebody_buys(self) -> None:
        buyer = self._chance.choices(self._buyers, [one.pull for one in self._buyers])[0]
        await self._buy(buyer, fate(self._chance), among=self._listed)
        self._orders_watched += 1
        self._watch("orders", self._orders_watched, self._size.orders + len(LAST))

    async def _visitor_buys(self, become: Fate, *, of_first_shop: bool) -> None:
        """Something: what is sold out is passed over. What was bought last is of the first shop, whose owner finds it waiting."""
        first = next(iter(self._shops.values()))
        among = [listed for listed in self._listed if listed.shop is first] if of_first_shop else self._listed
        while not await self._buy(self._buyers[0], become, among=among):
            pass

    async def _visitor_wants(self) -> None:
        """What lies in the visitor's cart when they come."""
        for listed in self._chance.sample(self._listed, 3):
            await self._send(AddToCart(variant_id=listed.variant_ids[0]), self._buyers[0])

    async def _buy(self, buyer: Buyer, become: Fate, *, among: Sequence[Listed]) -> bool:
        """Fill a cart and check it out, as one does; answers no when something is sold out or does not come so far, and is put back."""
        wishes = self._wishes(among, together=become.ships_rest_after_ms is not None)
        for wish in wishes:
            await self._send(AddToCart(variant_id=wish.variant_id, quantity=wish.quantity), buyer)
        try:
            preview = self._cloud.ask(PreviewCheckout(address_id=buyer.address_id), actor=buyer.actor)
        except Refused as refused:
            if refused.code not in SOLD_OUT_OR_UNREACHED:
                raise
            for variant_id in {wish.variant_id: None for wish in wishes}:
                await self._send(RemoveFromCart(variant_id=variant_id), buyer)
            return False
        tender = await self._tender(buyer, preview.total.amount, by_channel=become.by_channel)
        note = self._said(self._content.people.notes, buyer) if self._chance.random() < 0.12 else ""
        ask = Checkout(address_id=buyer.address_id, total=preview.total, tenders=(tender,), note=note)
        placed = await self._send(ask, buyer)
        paid_at = self._clock.wall_ms()
        if tender.kind is TenderKind.CHANNEL:
            if become.pays_after_ms is None:
                return True
            paid_at += become.pays_after_ms
            self._at(paid_at, partial(self._decide, placed.payment, approve=become.approves))
            if not become.approves:
                return True
        for order in placed.orders:
            lines = tuple(wish for wish in wishes if wish.listed.shop.shop_id == order.shop_id)
            self._go_on(Bought(order=order, buyer=buyer, shop=self._shops[order.shop_id], lines=lines, fate=become), paid_at)
        return True

    def _wishes(self, among: Sequence[Listed], *, together: bool) -> list[Wish]:
        """What somebody wants at once: mostly one thing, and more from the same shop rather than from another; or two of one shop."""
        first = self._liked(among)
        same = [listed for listed in among if listed.shop is first.shop]
        if together:
            wanted = self._chance.sample(same, min(2, len(same)))
        else:
            more = self._chance.choices((0, 1, 2), (66, 22, 12))[0]
            wanted = [first, *(self._liked(same if self._chance.random() < 0.6 else among) for _ in range(more))]
        found: dict[VariantId, Wish] = {}
        for listed in wanted:
            variant_id = self._chance.choice(listed.variant_ids)
            most = 3 if listed.text.category in FRESH or listed.text.price < 3_000 else 1
            quantity = self._chance.randrange(1, most + 1) if self._chance.random() < 0.3 else 1
            found[variant_id] = Wish(listed=listed, variant_id=variant_id, quantity=quantity)
        return list(found.values())

    def _liked(self, among: Sequence[Listed]) -> Listed:
        return self._chance.choices(among, [listed.pull for listed in among])[0]

    async def _tender(self, buyer: Buyer, total: int, *, by_channel: bool) -> Tender:
        """From the wallet, which is filled when it has too little, or over the channel."""
        if by_channel or not buyer.has_wallet or total > WALLET_MAX:
            return Tender(kind=TenderKind.CHANNEL, channel="sandbox", amount=yuan(total))
        has = sum(one.available.amount for one in self._cloud.ask(WalletOf(), actor=buyer.actor).balances)
        if has < total:
            missing = -(-(total - has) // 10_000) * 10_000 + self._chance.choice((0, 10_000, 20_000))
            started = await self._send(TopUpWallet(amount=yuan(missing), channel="sandbox"), buyer)
            await self._decide(started, approve=True)
            await self._cloud.settle(hear=False)
        return Tender(kind=TenderKind.WALLET, amount=yuan(total))

    async def _decide(self, started: PaymentStarted, *, approve: bool) -> None:
        """On the page of the channel."""
        for redirect in started.redirects:
            self._sandbox.decide(dict(parse_qsl(urlsplit(redirect.url).query)), approve=approve)

    # The life of a paid order

    def _go_on(self, bought: Bought, paid_at: int) -> None:
        """Put what comes next into the timetable, once it is paid."""
        become = bought.fate
        if become.cancels_after_ms is not None:
            self._at(paid_at + become.cancels_after_ms, partial(self._cancel, bought))
        elif become.declines_after_ms is not None:
            self._at(working(self._chance, paid_at + become.declines_after_ms), partial(self._decline, bought))
        else:
            self._at(working(self._chance, paid_at + become.ships_after_ms), partial(self._ship, bought))

    async def _cancel(self, bought: Bought) -> None:
        await self._send(CancelOrder(order_id=bought.order.id), bought.buyer)

    async def _decline(self, bought: Bought) -> None:
        ask = DeclineOrder(shop_id=bought.order.shop_id, order_id=bought.order.id)
        await self._cloud.send(ask, actor=bought.shop.owner)

    async def _ship(self, bought: Bought) -> None:
        """In one parcel, or the first of several goods in a parcel of its own."""
        after = bought.fate.ships_rest_after_ms
        if after is None or len(bought.lines) == 1:
            await self._ship_rest(bought)
            return
        first, order = bought.lines[0], bought.order
        lines = (PieceLine(variant_id=first.variant_id, quantity=first.quantity),)
        carrier, tracking = self._travels(bought)
        ask = ShipParcel(shop_id=order.shop_id, order_id=order.id, carrier=carrier, tracking=tracking, lines=lines)
        await self._cloud.send(ask, actor=bought.shop.packer)
        self._at(working(self._chance, self._clock.wall_ms() + after), partial(self._ship_rest, bought))

    async def _ship_rest(self, bought: Bought) -> None:
        order, become, now = bought.order, bought.fate, self._clock.wall_ms()
        carrier, tracking = self._travels(bought)
        ask = ShipOrder(shop_id=order.shop_id, order_id=order.id, carrier=carrier, tracking=tracking)
        await self._cloud.send(ask, actor=bought.shop.packer)
        if become.case is not None:
            self._at(now + become.case_after_ms, partial(self._claims.open, bought, become.case))
        elif become.gives_back_after_ms is not None:
            self._at(working(self._chance, now + become.gives_back_after_ms), partial(self._give_back, bought))
        elif become.receives_after_ms is not None:
            self._at(now + become.receives_after_ms, partial(self._receive, bought))
        elif become.extends_after_ms is not None:
            self._at(now + become.extends_after_ms, partial(self._extend, bought))

    def _travels(self, bought: Bought) -> tuple[str, str]:
        """By whom, and under which number."""
        return self._chance.choice(bought.shop.text.carriers), f"YD{self._chance.randrange(10**11):011d}"

    async def _give_back(self, bought: Bought) -> None:
        """A part, after which the goods are received, or all of it."""
        order, percent = bought.order, bought.fate.gives_back_percent
        amount = order.total.amount if percent == 100 else max(1, order.total.amount * percent // 100)
        ask = RefundOrder(shop_id=order.shop_id, order_id=order.id, amount=yuan(amount))
        await self._cloud.send(ask, actor=bought.shop.service)
        if percent < 100:
            self._at(self._clock.wall_ms() + 5 * HOUR_MS, partial(self._receive, bought))

    async def _extend(self, bought: Bought) -> None:
        await self._send(ExtendReceipt(order_id=bought.order.id), bought.buyer)
        self._at(self._clock.wall_ms() + 4 * DAY_MS, partial(self._receive, bought))

    async def _receive(self, bought: Bought) -> None:
        await self._send(ConfirmReceipt(order_id=bought.order.id), bought.buyer)
        after = bought.fate.reviews_after_ms
        if after is not None:
            for wish in bought.lines:
                self._at(self._clock.wall_ms() + after, partial(self._review, bought, wish))

    # What is said about it

    async def _review(self, bought: Bought, wish: Wish) -> None:
        """Mostly in words; some add to it later, and shops answer what is bad, and now and then what is good."""
        given = stars(self._chance, is_weak=wish.listed.is_weak)
        opinions = self._content.reviews[wish.listed.text.category]
        words = self._chance.choices((0, 1, 2), (15, 55, 30) if given > 3 else (15, 85, 0))[0]
        text = self._said_at_once(opinions.of(given), bought.buyer, words)
        ask = ReviewOrder(order_id=bought.order.id, variant_id=wish.variant_id, stars=given, text=text)
        made = await self._send(ask, bought.buyer)
        self.reviews += 1
        now = self._clock.wall_ms()
        if given > 3 and self._chance.random() < 0.12:
            self._at(now + self._chance.randrange(4 * DAY_MS, 15 * DAY_MS), partial(self._follow_up, bought, wish))
        if self._chance.random() < (0.9 if given < 3 else 0.3):
            at_ms = working(self._chance, now + self._chance.randrange(30 * MINUTE_MS, 20 * HOUR_MS))
            self._at(at_ms, partial(self._answer, bought, made.id, is_poor=given < 3))

    async def _follow_up(self, bought: Bought, wish: Wish) -> None:
        text = self._said(self._content.reviews[wish.listed.text.category].later, bought.buyer)
        await self._send(FollowUpReview(order_id=bought.order.id, variant_id=wish.variant_id, text=text), bought.buyer)

    async def _answer(self, bought: Bought, review_id: ReviewId, *, is_poor: bool) -> None:
        people = self._content.people
        text = self._said(people.answers_poor if is_poor else people.answers_good, bought.buyer)
        await self._cloud.send(AnswerReview(shop_id=bought.order.shop_id, review_id=review_id, text=text), actor=bought.shop.service)

    # What shops do of themselves

    async def _lower_prices(self) -> None:
        """Some goods cost less from now on, compared with what they cost until now: of those that have cost that for long enough."""
        before = self._cloud.now() - self._cloud.port(CatalogSettings).compared_after_ms
        charged = [listed for listed in self._listed if listed.since_ms < before]
        for listed in self._chance.sample(charged, len(charged) // LOWERED):
            shop = listed.shop
            for variant_id, (_, _, price, _) in zip(listed.variant_ids, listed.text.choices(), strict=True):
                lower = max(90, price * self._chance.choice((80, 85, 90)) // 1000 * 10)
                ask = SetPrice(
                    shop_id=shop.shop_id, goods_id=listed.goods_id, variant_id=variant_id, price=yuan(lower), compare_at=yuan(price)
                )
                await self._cloud.send(ask, actor=shop.owner)

    async def _run_low(self) -> None:
        """Some goods are nearly, or quite, sold out."""
        for listed in self._chance.sample(self._listed, len(self._listed) // 12):
            shop = listed.shop
            desk = self._cloud.ask(GoodsOnDesk(shop_id=shop.shop_id, goods_id=listed.goods_id), actor=shop.owner)
            for line in desk.stock:
                left = self._chance.choice((0, 1, 2, 3, 5))
                ask = SetStock(
                    shop_id=shop.shop_id,
                    variant_id=line.variant_id,
                    location_id=line.location_id,
                    on_hand=line.held + left,
                    reason=StockReason.COUNTED,
                )
                await self._cloud.send(ask, actor=shop.packer)

    # How things are said and sent

    def _said(self, among: Sequence[Said], by: Buyer) -> str:
        return by.in_words(self._chance.choice(among))

    def _said_at_once(self, among: Sequence[Said], by: Buyer, number: int) -> str:
        """So many different sentences."""
        said = self._chance.sample(among, min(number, len(among)))
        return " ".join(english for _, english in said) if by.reads is Language.EN else "".join(chinese for chinese, _ in said)

    async def _send(self, command: Command[Answer], buyer: Buyer) -> Answer:
        return await self._cloud.send(command, actor=buyer.actor)
