"""What has been given back of an order, and where it is."""

from msgspec import Struct

from yunduan.domains.orders import store
from yunduan.domains.orders.model import (
    Order,
    OrderRefusal,
)
from yunduan.domains.orders.queries.paging import PageSize
from yunduan.domains.orders.queries.seeing import of_shop, seen
from yunduan.domains.payments.model import PieceState, Refund, RefundPiece, RefundState, TenderKind
from yunduan.domains.payments.queries import RefundsOf
from yunduan.kernel.ids import (
    OrderId,
    RefundId,
    ShopId,
)
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class RefundPieceView(Struct, frozen=True, kw_only=True):
    """What of a refund goes back over one way; what a channel would not take back waits for the buyer's word (`unclaimed`).

    `from_bank` is what of it the buyer has had from their bank instead.
    """

    kind: TenderKind
    channel: str
    amount: Money
    state: PieceState
    from_bank: Money | None = None


class RefundView(Struct, frozen=True, kw_only=True):
    """Where a refund is: `amount` is the buyer's; what the marketplace has back of a discount is a piece beside it."""

    id: RefundId
    amount: Money
    state: RefundState
    at: int
    pieces: tuple[RefundPieceView, ...]


class RefundPage(Struct, frozen=True, kw_only=True):
    """One page of refunds, the latest first; `after` asks for the next, nothing when there is none."""

    items: tuple[RefundView, ...]
    after: RefundId | None


class OrderRefunds(Query[RefundPage], refuses={OrderRefusal.NOT_FOUND}):
    """What has been given back of an order, and where it is, for its buyer and for operators."""

    order_id: OrderId
    after: RefundId | None = None
    limit: PageSize = 20


class ShopOrderRefunds(Query[RefundPage], refuses={OrderRefusal.NOT_FOUND}):
    """What has been given back of an order, and where it is, for the staff of its shop."""

    shop_id: ShopId
    order_id: OrderId
    after: RefundId | None = None
    limit: PageSize = 20


@answers(OrderRefunds)
def order_refunds(at: Asking, ask: OrderRefunds) -> RefundPage:
    """Those of an order that the caller may see."""
    return _refunds(at, seen(at, at.get(store.ORDER, ask.order_id)), ask.after, ask.limit)


@answers(ShopOrderRefunds)
def shop_order_refunds(at: Asking, ask: ShopOrderRefunds) -> RefundPage:
    """Those of an order of this very shop."""
    return _refunds(at, of_shop(at, ask.shop_id, ask.order_id), ask.after, ask.limit)


def _refunds(at: Asking, order: Order, before: RefundId | None, limit: int) -> RefundPage:
    """One more than asked for tells whether there is a next page."""
    found = at.ask(RefundsOf(order_id=order.id, before=before, limit=limit + 1))
    items = tuple([_refund(refund) for refund in found[:limit]])
    return RefundPage(items=items, after=items[-1].id if len(found) > limit else None)


def _refund(refund: Refund) -> RefundView:
    pieces = tuple([_piece(piece) for piece in refund.pieces])
    return RefundView(id=refund.id, amount=refund.amount, state=refund.state, at=refund.at, pieces=pieces)


def _piece(piece: RefundPiece) -> RefundPieceView:
    from_bank = Money(amount=piece.from_bank, currency=piece.amount.currency) if piece.from_bank else None
    return RefundPieceView(kind=piece.kind, channel=piece.channel, amount=piece.amount, state=piece.state, from_bank=from_bank)
