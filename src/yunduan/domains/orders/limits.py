"""What is kept of purchases of goods that one buyer may have so many of; pure, no input or output."""

from msgspec import Struct

from yunduan.kernel.ids import GoodsId, OrderId, PersonId


class LimitedPurchase(Struct, frozen=True, array_like=True, gc=False):
    """So many pieces, in this order, then."""

    order_id: OrderId
    at: int
    quantity: int


class LimitedPurchases(Struct, frozen=True, gc=False):
    """What a buyer has bought of goods that have a limit, the oldest first."""

    buyer: PersonId
    goods_id: GoodsId
    purchases: tuple[LimitedPurchase, ...]


class OverLimit(Struct, frozen=True, kw_only=True):
    """How many pieces of these goods may still be bought now, and when more may be (milliseconds since 1970; 0 for in another order)."""

    goods_id: GoodsId
    left: int
    again_at: int
