"""Limits per buyer: how many pieces of goods somebody may have in one order, and within some days, decided as they are priced.

What was bought of limited goods is written down beside the order, and whether it counts the order itself tells: one that was called off
or given back whole does not, and of one whose rest was called off only what has left does. Goods without a limit cost neither a row nor a
statement.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from yunduan.domains.catalog.model import BuyerLimit, Offer
from yunduan.domains.catalog.queries import OffersOf
from yunduan.domains.orders import parcels, store
from yunduan.domains.orders.limits import LimitedPurchase, LimitedPurchases, OverLimit
from yunduan.domains.orders.model import CartLine, Order, OrderRefusal, OrderState, Priced
from yunduan.kernel.ids import GoodsId, OrderId, PersonId, VariantId
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Asking, Tx

_DAY_MS = 86_400_000
_CAME_TO_NOTHING = (OrderState.CANCELLED, OrderState.REFUNDED)


def limits_of(offers: Mapping[VariantId, Offer]) -> dict[GoodsId, BuyerLimit]:
    """The limits of what is wanted; empty for most checkouts."""
    return {offer.variant.goods_id: offer.variant.limit for offer in offers.values() if offer.variant.limit is not None}


def refuse_beyond(at: Asking, lines: Sequence[CartLine], offers: Mapping[VariantId, Offer], limits: Mapping[GoodsId, BuyerLimit]) -> None:
    """Refuse more pieces of some goods, all variants together, than their buyer may have."""
    wanted = dict.fromkeys(limits, 0)
    for line in lines:
        goods_id = offers[line.variant_id].variant.goods_id
        if goods_id in wanted:
            wanted[goods_id] += line.quantity
    for goods_id, pieces in wanted.items():
        over = _over(at, goods_id, limits[goods_id], pieces)
        if over is not None:
            raise Refused(OrderRefusal.BUYER_LIMIT, f"{over.left} more may be bought", figures=over)


def marked(quote: Priced, limits: Mapping[GoodsId, BuyerLimit]) -> Priced:
    """A quote that says of which of its goods a purchase is to be written down."""
    goods = dict.fromkeys([item.goods_id for item in quote.items if item.goods_id in limits and limits[item.goods_id].pieces])
    return replace(quote, limited=tuple([(id, limits[id]) for id in goods]))


def _over(at: Asking, goods_id: GoodsId, limit: BuyerLimit, pieces: int) -> OverLimit | None:
    if limit.pieces:
        bought = counted(at, at.actor.person, goods_id, since=_window(at, limit))
        left = max(0, limit.pieces - sum([one.quantity for one in bought]))
        if pieces > left:
            here = min(left, limit.per_order or left)
            again_at = bought[0].at + limit.days * _DAY_MS if bought and here == left else 0
            return OverLimit(goods_id=goods_id, left=here, again_at=again_at)
    if limit.per_order and pieces > limit.per_order:
        return OverLimit(goods_id=goods_id, left=limit.per_order, again_at=0)
    return None


def _window(at: Asking, limit: BuyerLimit) -> int:
    return at.now - limit.days * _DAY_MS


def counted(at: Asking, buyer: PersonId, goods_id: GoodsId, *, since: int) -> tuple[LimitedPurchase, ...]:
    """What somebody has bought of limited goods since then, the oldest first; nothing that was called off or given back whole."""
    found = at.get(store.LIMITED, (buyer, goods_id))
    recent = [one for one in found.purchases if one.at > since] if found else []
    orders = at.get_many(store.ORDER, [one.order_id for one in recent]) if recent else {}
    still = [_had(orders[one.order_id], one, goods_id) for one in recent]
    return tuple([one for one in still if one.quantity])


def _had(order: Order, one: LimitedPurchase, goods_id: GoodsId) -> LimitedPurchase:
    if order.state in _CAME_TO_NOTHING:
        return replace(one, quantity=0)
    if not order.progress.is_short:
        return one
    items = store.terms(order).items
    sold, variants = parcels.sold_for_good(order, items), {item.variant_id for item in items if item.goods_id == goods_id}
    return replace(one, quantity=sum([pieces for id, pieces in sold.items() if id in variants]))


def note(tx: Tx, order_id: OrderId, quote: Priced) -> None:
    """Write down what an order takes of limited goods; what counts no more is forgotten."""
    for goods_id, limit in quote.limited:
        pieces = sum([item.quantity for item in quote.items if item.goods_id == goods_id])
        key = (tx.actor.person, goods_id)
        before = counted(tx, *key, since=_window(tx, limit))
        after = LimitedPurchases(*key, (*before, LimitedPurchase(order_id, tx.now, pieces)))
        (tx.add if tx.get(store.LIMITED, key) is None else tx.put)(store.LIMITED, key, after)


def follow(tx: Tx, before: Order, placed_as: OrderId) -> None:
    """What an order took of limited goods is taken by the one that it was placed anew as, since when it was bought at first."""
    for goods_id in dict.fromkeys([item.goods_id for item in store.terms(before).items]):
        key = (before.buyer, goods_id)
        found = tx.get(store.LIMITED, key)
        if found is not None:
            moved = tuple([replace(one, order_id=placed_as) if one.order_id == before.id else one for one in found.purchases])
            tx.put(store.LIMITED, key, replace(found, purchases=moved))


def fits_again(at: Asking, order: Order) -> bool:
    """Whether what a lapsed order is of is still within what its buyer may have, if it stands again."""
    items = store.terms(order).items
    offers = at.ask(OffersOf(variant_ids=tuple([item.variant_id for item in items])))
    for goods_id, limit in limits_of(offers).items():
        since = _window(at, limit)
        pieces = sum([item.quantity for item in items if item.goods_id == goods_id]) if order.placed_at > since else 0
        bought = counted(at, order.buyer, goods_id, since=since)
        if limit.pieces and pieces and sum([one.quantity for one in bought]) + pieces > limit.pieces:
            return False
    return True


def count_again(tx: Tx, order: Order) -> None:
    """Have it counted, since when it was bought; a purchase after it may have had it forgotten."""
    items = store.terms(order).items
    offers = tx.ask(OffersOf(variant_ids=tuple([item.variant_id for item in items])))
    for goods_id, limit in limits_of(offers).items():
        key = (order.buyer, goods_id)
        found = tx.get(store.LIMITED, key)
        kept = tuple([one for one in found.purchases if one.order_id != order.id]) if found else ()
        pieces = sum([item.quantity for item in items if item.goods_id == goods_id])
        again = sorted((*kept, LimitedPurchase(order.id, order.placed_at, pieces)), key=lambda one: one.at)
        if limit.pieces:
            (tx.add if found is None else tx.put)(store.LIMITED, key, LimitedPurchases(*key, tuple(again)))
