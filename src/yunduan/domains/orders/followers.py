"""What is kept from what orders tell: the lists of buyers and shops, and how goods have sold and are liked."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from yunduan.domains.catalog.commands import CountSale, RateGoods, SaleLine, UncountSale, UnrateGoods
from yunduan.domains.catalog.facts import ShopHolidaySet
from yunduan.domains.catalog.model import LINES_MAX, QUANTITY_MAX
from yunduan.domains.orders import dispatching, parcels, store
from yunduan.domains.orders.facts import (
    OrderCancelled,
    OrderChargebackEnded,
    OrderPaid,
    OrderPartlyShipped,
    OrderPlaced,
    OrderReceived,
    OrderRefunded,
    OrderRestCancelled,
    OrderReviewed,
    OrderShipped,
    ReviewJudged,
    SoldLine,
)
from yunduan.domains.orders.model import Order, SoldItem
from yunduan.domains.orders.waiting import TellWaiting
from yunduan.kernel.ids import GoodsId, OrderId
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx


@hears(OrderPlaced)
def on_order_placed(tx: Tx, facts: list[OrderPlaced]) -> None:
    """File new orders, many at once, under what they are by now: a step since then may have been filed already."""
    orders = tx.get_many(store.ORDER, [fact.order_id for fact in facts])
    store.filed(tx, list(orders.values()), through=max(orders))
    dispatching.watch(tx, list(orders.values()))


def _refile(tx: Tx, ids: Iterable[OrderId]) -> None:
    store.refile(tx, list(tx.get_many(store.ORDER, list(ids)).values()))


@hears(OrderPaid)
def on_order_paid(tx: Tx, facts: list[OrderPaid]) -> None:
    """What was paid when it was placed is filed as that."""
    _refile(tx, [fact.order_id for fact in facts if not fact.at_once])


@hears(OrderPartlyShipped)
def on_order_partly_shipped(tx: Tx, facts: list[OrderPartlyShipped]) -> None:
    """File orders anew; a second parcel changes nothing."""
    _refile(tx, [fact.order_id for fact in facts])


@hears(OrderRestCancelled)
def on_order_rest_cancelled(tx: Tx, facts: list[OrderRestCancelled]) -> None:
    """File orders anew."""
    _refile(tx, [fact.order_id for fact in facts])


@hears(OrderShipped)
def on_order_shipped(tx: Tx, facts: list[OrderShipped]) -> None:
    """File orders anew."""
    _refile(tx, [fact.order_id for fact in facts])


@hears(OrderReceived)
def on_order_received(tx: Tx, facts: list[OrderReceived]) -> None:
    """File orders anew."""
    _refile(tx, [fact.order_id for fact in facts])


@hears(OrderCancelled)
def on_order_cancelled(tx: Tx, facts: list[OrderCancelled]) -> None:
    """File orders anew."""
    _refile(tx, [fact.order_id for fact in facts])


@hears(OrderRefunded)
def on_order_refunded(tx: Tx, facts: list[OrderRefunded]) -> None:
    """File anew the orders that a refund has ended."""
    _refile(tx, [fact.order_id for fact in facts if fact.whole])


@hears(OrderChargebackEnded)
def on_order_chargeback_ended(tx: Tx, facts: list[OrderChargebackEnded]) -> None:
    """File anew the orders that a lost chargeback has ended."""
    _refile(tx, [fact.order_id for fact in facts if fact.whole])


@hears(OrderPaid)
def on_goods_sold(tx: Tx, facts: list[OrderPaid]) -> None:
    """Count what was sold, goods by goods over all of these orders."""
    for lines in _sales(line for fact in facts for line in fact.lines):
        tx.send(CountSale(lines=lines))


@hears(OrderCancelled)
def on_sale_cancelled(tx: Tx, facts: list[OrderCancelled]) -> None:
    """Take back what was counted when it was paid."""
    for lines in _sales(line for fact in facts if fact.was_paid for line in fact.lines):
        tx.send(UncountSale(lines=lines))


@hears(OrderRestCancelled)
def on_rest_cancelled(tx: Tx, facts: list[OrderRestCancelled]) -> None:
    """Take back what was counted of what never left."""
    for lines in _sales(line for fact in facts for line in fact.lines):
        tx.send(UncountSale(lines=lines))


@hears(OrderRefunded)
def on_sale_refunded(tx: Tx, facts: list[OrderRefunded]) -> None:
    """Take back what was counted of orders that a refund has ended, shipped or not; what was called off before was taken back then."""
    _uncount(tx, facts)


@hears(OrderChargebackEnded)
def on_sale_charged_back(tx: Tx, facts: list[OrderChargebackEnded]) -> None:
    """The same of orders that a lost chargeback has ended."""
    _uncount(tx, facts)


def _uncount(tx: Tx, facts: Sequence[OrderRefunded | OrderChargebackEnded]) -> None:
    ended = tx.get_many(store.ORDER, [fact.order_id for fact in facts if fact.whole])
    for lines in _sales(line for order in ended.values() for line in _sold(order)):
        tx.send(UncountSale(lines=lines))


def _sold(order: Order) -> Iterator[SoldItem]:
    items = store.terms(order).items
    left = parcels.sold_for_good(order, items)
    for item in items:
        pieces = min(item.quantity, left.get(item.variant_id, 0))
        if pieces:
            left[item.variant_id] -= pieces
            yield replace(item, quantity=pieces)


def _sales(lines: Iterable[SoldLine | SoldItem]) -> Iterator[tuple[SaleLine, ...]]:
    """Pieces goods by goods over many orders, as many lines at once as one command takes."""
    pieces: dict[GoodsId, int] = {}
    for line in lines:
        pieces[line.goods_id] = pieces.get(line.goods_id, 0) + line.quantity
    sales = [SaleLine(goods_id=goods_id, quantity=part) for goods_id, whole in sorted(pieces.items()) for part in _parts(whole)]
    for start in range(0, len(sales), LINES_MAX):
        yield tuple(sales[start : start + LINES_MAX])


def _parts(pieces: int) -> list[int]:
    """A sum in pieces that one line may hold."""
    if pieces <= QUANTITY_MAX:
        return [pieces] if pieces else []
    whole, rest = divmod(pieces, QUANTITY_MAX)
    return [QUANTITY_MAX] * whole + ([rest] if rest else [])


@hears(OrderReviewed)
def on_order_reviewed(tx: Tx, facts: list[OrderReviewed]) -> None:
    """Count the stars."""
    for fact in facts:
        tx.send(RateGoods(goods_id=fact.goods_id, shop_id=fact.shop_id, stars=fact.stars))


@hears(ReviewJudged)
def on_review_judged(tx: Tx, facts: list[ReviewJudged]) -> None:
    """What is hidden counts for nothing, and counts again when it is shown again."""
    for fact in facts:
        if fact.is_new:
            counts = UnrateGoods if fact.is_hidden else RateGoods
            tx.send(counts(goods_id=fact.goods_id, shop_id=fact.shop_id, stars=fact.stars))


@hears(ShopHolidaySet)
def on_shop_holiday_set(tx: Tx, facts: list[ShopHolidaySet]) -> None:
    """Whoever waits for the shop is told, beside this."""
    for fact in facts:
        if fact.back_at > tx.now:
            tx.at(tx.now, TellWaiting(shop_id=fact.shop_id, back_at=fact.back_at))


FOLLOWERS = (
    Follower("orders_filed", (on_order_placed,)),
    Follower(
        "orders_refiled",
        (
            on_order_paid,
            on_order_partly_shipped,
            on_order_rest_cancelled,
            on_order_shipped,
            on_order_received,
            on_order_cancelled,
            on_order_refunded,
            on_order_chargeback_ended,
            on_shop_holiday_set,
        ),
    ),
    Follower(
        "goods_standing",
        (
            on_goods_sold,
            on_sale_cancelled,
            on_rest_cancelled,
            on_sale_refunded,
            on_sale_charged_back,
            on_order_reviewed,
            on_review_judged,
        ),
    ),
)
"""Two keep the lists: the first takes long runs of one kind of fact, which each other kind in between would cut short."""
