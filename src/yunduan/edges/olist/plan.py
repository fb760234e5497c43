"""What is to be done, in order: a pure function of the tables, so that a replay can be read, counted and resumed.

What the tables lack is made, and said here: a title is the category's name and the first six digits of the product's id; the
stock of a good is what the data sells of it; a price is what was paid first; a cancellation, which has no date, happens when the
parcel was promised; a person has no name, and an address no street. A date before the step it follows (a parcel given to the
carrier before its order was paid) is moved to that step, and counted.

Who has received may review, once: a review that is dated before its parcel waits for it, and those of an order that was never
received, or has been reviewed already, are left out and counted. So nothing in a plan is refused.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import TypeVar

import msgspec
from msgspec import Struct

from yunduan.edges.olist.categories import CHINESE, OTHER
from yunduan.edges.olist.tables import Item, Order, Payment, Review, Tables, cents

ZONE = timezone(timedelta(hours=-3))
"""Brasília time, without the summer time of those years: the order of things is the same."""
CURRENCY = "BRL"
Row = TypeVar("Row", Item, Payment)
WEIGHT_G_DEFAULT = 500
DAY_MS = 86_400_000


class Kind(IntEnum):
    """The steps of an order's life, in the order in which they happen at one moment."""

    PLACE = 1
    CAPTURE = 2
    SHIP = 3
    RECEIVE = 4
    CANCEL = 5
    REVIEW = 6


class Shop(Struct, frozen=True, kw_only=True):
    """A seller."""

    seller: str
    city: str
    state: str
    postal_code: str


class Good(Struct, frozen=True, kw_only=True):
    """A product of one seller: 147 products have several, and each seller's is a good of its own."""

    product: str
    seller: str
    category: str
    title_zh: str
    title_en: str
    weight_g: int
    price: int
    pieces: int


class Line(Struct, frozen=True, kw_only=True):
    """So many of a good, at what was paid for each (centavos), with the freight of all of them."""

    good: tuple[str, str]
    quantity: int
    price: int
    freight: int


class Purchase(Struct, frozen=True, kw_only=True):
    """One order of Olist: for us a checkout, with an order for each seller."""

    id: str
    buyer: str
    address: tuple[str, str, str]
    status: str
    lines: tuple[Line, ...]
    tenders: tuple[tuple[str, int], ...]
    """What was paid, by which means (centavos)."""

    @property
    def total(self) -> int:
        """Goods and freight, in centavos."""
        return sum(line.price * line.quantity + line.freight for line in self.lines)

    @property
    def paid(self) -> int:
        """What the tenders add up to, in centavos."""
        return sum(amount for _, amount in self.tenders)

    @property
    def sellers(self) -> tuple[str, ...]:
        """Whom it is bought from, in a fixed order."""
        return tuple(sorted({line.good[1] for line in self.lines}))


class Step(Struct, frozen=True, kw_only=True, order=True):
    """One thing to do at one time (milliseconds since 1970, UTC)."""

    at: int
    purchase: int
    kind: Kind
    detail: int = 0
    """Of a review, its place in the list of reviews."""


class Counts(Struct, kw_only=True):
    """What was found in the tables, for the report."""

    orders: int = 0
    without_lines: Counter[str] = msgspec.field(default_factory=Counter)
    """Orders that are not placed because there is nothing in them, by Olist's status."""
    without_payment: Counter[str] = msgspec.field(default_factory=Counter)
    """The same, because nobody says how they are paid."""
    paid_for_nothing: int = 0
    """What the payments of orders without lines come to, in centavos: they are not taken."""
    placed: Counter[str] = msgspec.field(default_factory=Counter)
    orders_by_shop: int = 0
    split_over_sellers: Counter[int] = msgspec.field(default_factory=Counter)
    """Orders placed with several sellers, by how many."""
    several_payments: int = 0
    """Orders with several payments, placed or not."""
    several_unplaced: int = 0
    several_tenders: int = 0
    """Checkouts with several tenders that are worth something."""
    paid_over: int = 0
    paid_under: int = 0
    over: int = 0
    """What the payments of those paid over come to beyond their lines, in centavos."""
    under: int = 0
    """What those of the others lack."""
    lines: int = 0
    lines_with_freight: int = 0
    products_of_several_sellers: int = 0
    products_never_sold: int = 0
    products_without_category: int = 0
    dates_moved: int = 0
    reviews: int = 0
    reviews_early: int = 0
    """Dated before their parcel came, or lacking one, whatever became of them."""
    reviews_waited: int = 0
    """Published, but later than they are dated: with the parcel."""
    reviews_unreceived: int = 0
    """Left out: the order was placed, and its parcel never came."""
    reviews_unplaced: int = 0
    """Left out: the order was not placed."""
    reviews_second: int = 0
    """Left out: their order was reviewed before."""
    reviews_published: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that a replay does."""

    shops: list[Shop]
    categories: list[tuple[str, str, str]]
    """Key, Chinese and English name."""
    goods: list[Good]
    buyers: list[str]
    purchases: list[Purchase]
    reviews: list[Review]
    steps: list[Step]
    counts: Counts

    @property
    def opens_at(self) -> int:
        """When the marketplace opens: the day before its first order, in milliseconds since 1970."""
        return self.steps[0].at - DAY_MS

    def content(self) -> bytes:
        """What tells this plan from any other, made of other tables or by another program."""
        return hashlib.blake2b(msgspec.msgpack.encode(self), digest_size=16).digest()


def plan(tables: Tables) -> Plan:
    """Turn the tables into what is to be done."""
    items, payments = _grouped(tables.order_items), _grouped(tables.order_payments)
    addresses = {row.customer_id: row for row in tables.customers}
    counts = Counts(orders=len(tables.orders), lines=len(tables.order_items), reviews=len(tables.order_reviews))
    counts.lines_with_freight = sum(1 for item in tables.order_items if item.freight_value > 0)
    several = [order.order_id for order in tables.orders if len(payments[order.order_id]) > 1]
    counts.several_payments, counts.several_unplaced = len(several), sum(1 for id in several if not items[id])
    purchases: list[Purchase] = []
    steps: list[Step] = []
    place: dict[str, int] = {}
    for order in sorted(tables.orders, key=lambda order: (order.purchase_timestamp, order.order_id)):
        if not items[order.order_id]:
            counts.without_lines[order.status] += 1
            counts.paid_for_nothing += sum(cents(payment.payment_value) for payment in payments[order.order_id])
            continue
        if not payments[order.order_id]:
            counts.without_payment[order.status] += 1
            continue
        customer = addresses[order.customer_id]
        address = (customer.customer_zip_code_prefix, customer.customer_city, customer.customer_state)
        purchase = _purchase(order, customer.customer_unique_id, address, items[order.order_id], payments[order.order_id])
        place[order.order_id] = len(purchases)
        steps += _life(order, items[order.order_id], len(purchases), counts)
        purchases.append(purchase)
        _count(purchase, counts)
    steps += _reviews(tables, place, {step.purchase: step.at for step in steps if step.kind is Kind.RECEIVE}, counts)
    goods = _goods(tables, counts)
    return Plan(
        shops=[
            Shop(seller=s.seller_id, city=s.seller_city, state=s.seller_state, postal_code=s.seller_zip_code_prefix) for s in tables.sellers
        ],
        categories=_categories(tables),
        goods=goods,
        buyers=sorted({purchase.buyer for purchase in purchases}),
        purchases=purchases,
        reviews=tables.order_reviews,
        steps=sorted(steps),
        counts=counts,
    )


def instant(local: str) -> int:
    """A time in the tables as milliseconds since 1970, UTC."""
    return int(datetime.strptime(local, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE).timestamp() * 1000)


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.order_id].append(row)
    return found


def _purchase(order: Order, buyer: str, address: tuple[str, str, str], items: list[Item], payments: list[Payment]) -> Purchase:
    by_good: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        by_good[item.product_id, item.seller_id].append(item)
    lines = tuple(
        Line(good=good, quantity=len(pieces), price=cents(pieces[0].price), freight=sum(cents(piece.freight_value) for piece in pieces))
        for good, pieces in sorted(by_good.items())
    )
    tenders = tuple(
        (payment.payment_type, cents(payment.payment_value))
        for payment in sorted(payments, key=lambda payment: payment.payment_sequential)
        if cents(payment.payment_value)
    )
    return Purchase(id=order.order_id, buyer=buyer, address=address, status=order.status, lines=lines, tenders=tenders)


def _count(purchase: Purchase, counts: Counts) -> None:
    counts.placed[purchase.status] += 1
    counts.orders_by_shop += len(purchase.sellers)
    if len(purchase.sellers) > 1:
        counts.split_over_sellers[len(purchase.sellers)] += 1
    counts.several_tenders += len(purchase.tenders) > 1
    counts.paid_over += purchase.paid > purchase.total
    counts.paid_under += purchase.paid < purchase.total
    counts.over += max(0, purchase.paid - purchase.total)
    counts.under += max(0, purchase.total - purchase.paid)


def _life(order: Order, items: list[Item], place: int, counts: Counts) -> list[Step]:
    """The steps of one order, each not before the one it follows."""
    dated = [(Kind.PLACE, order.purchase_timestamp), (Kind.CAPTURE, order.approved_at or order.purchase_timestamp)]
    if order.delivered_carrier_date:
        dated.append((Kind.SHIP, order.delivered_carrier_date))
    if order.delivered_customer_date:
        dated.append((Kind.RECEIVE, order.delivered_customer_date))
    if order.status in {"canceled", "unavailable"}:
        dated.append((Kind.CANCEL, max(order.estimated_delivery_date, *(item.shipping_limit_date for item in items))))
    steps: list[Step] = []
    for kind, date in dated:
        at = instant(date)
        if steps and at < steps[-1].at:
            counts.dates_moved += 1
            at = steps[-1].at
        steps.append(Step(at=at, purchase=place, kind=kind))
    return steps


def _reviews(tables: Tables, place: dict[str, int], received: dict[int, int], counts: Counts) -> list[Step]:
    """The first review of each order that was received, at its date or with the parcel, whichever is later."""
    arrived = {order.order_id: order.delivered_customer_date for order in tables.orders}
    by_date = sorted(enumerate(tables.order_reviews), key=lambda numbered: (numbered[1].review_creation_date, numbered[0]))
    reviewed: set[int] = set()
    steps = []
    for number, review in by_date:
        parcel, purchase = arrived.get(review.order_id), place.get(review.order_id)
        counts.reviews_early += not parcel or review.review_creation_date < parcel
        if purchase is None:
            counts.reviews_unplaced += 1
        elif purchase not in received:
            counts.reviews_unreceived += 1
        elif purchase in reviewed:
            counts.reviews_second += 1
        else:
            reviewed.add(purchase)
            written = instant(review.review_creation_date)
            counts.reviews_published += 1
            counts.reviews_waited += written < received[purchase]
            steps.append(Step(at=max(written, received[purchase]), purchase=purchase, kind=Kind.REVIEW, detail=number))
    return steps


def _goods(tables: Tables, counts: Counts) -> list[Good]:
    products = {product.product_id: product for product in tables.products}
    english = {name.product_category_name: name.product_category_name_english for name in tables.category_translation}
    sold: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in sorted(tables.order_items, key=lambda item: (item.shipping_limit_date, item.order_id, item.order_item_id)):
        sold[item.product_id, item.seller_id].append(item)
    sellers: dict[str, int] = defaultdict(int)
    goods = []
    for (product_id, seller), pieces in sorted(sold.items()):
        sellers[product_id] += 1
        product = products[product_id]
        category = product.product_category_name or ""
        name_zh, name_en = CHINESE.get(category, OTHER[0]), _readable(english.get(category) or category or OTHER[1])
        goods.append(
            Good(
                product=product_id,
                seller=seller,
                category=category,
                title_zh=f"{name_zh} {product_id[:6]}",
                title_en=f"{name_en} {product_id[:6]}",
                weight_g=int(product.product_weight_g or WEIGHT_G_DEFAULT),
                price=cents(pieces[0].price),
                pieces=len(pieces),
            )
        )
    counts.products_of_several_sellers = sum(1 for number in sellers.values() if number > 1)
    counts.products_never_sold = len(products) - len(sellers)
    counts.products_without_category = sum(1 for id in sellers if not products[id].product_category_name)
    return goods


def _categories(tables: Tables) -> list[tuple[str, str, str]]:
    english = {name.product_category_name: name.product_category_name_english for name in tables.category_translation}
    keys = sorted({product.product_category_name for product in tables.products if product.product_category_name} | set(english))
    named = [(key, CHINESE.get(key, OTHER[0]), _readable(english.get(key, key))) for key in keys]
    return [*named, ("", OTHER[0], _readable(OTHER[1]))]


def _readable(key: str) -> str:
    return key.replace("_", " ").capitalize()
