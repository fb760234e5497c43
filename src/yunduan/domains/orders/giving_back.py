"""How money of an order goes back to its buyer: a part of it, or all that is left, which ends the order.

From what is held or, once the order has been received, from the shop and the marketplace.
"""

from yunduan.domains.catalog.commands import ReleaseStock
from yunduan.domains.orders import model
from yunduan.domains.orders.facts import OrderRefunded
from yunduan.domains.orders.model import Order, OrderState, Step, Who
from yunduan.domains.orders.steps import moved
from yunduan.domains.payments.commands import RefundEscrow
from yunduan.domains.payments.recourse import PayPostage, RefundSettled
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money
from yunduan.runtime.transaction import Tx

GIVING_BACK_REFUSALS = frozenset({*RefundEscrow.refuses, *RefundSettled.refuses, *PayPostage.refuses, *ReleaseStock.refuses})


def give_back(tx: Tx, order: Order, amount: Money, who: Who, *, refund_id: RefundId) -> Order:
    """Over the tenders it came from; the last of it ends the order, and stock that has not left is free again."""
    whole = amount.amount == order.left
    changes = {"refunded": order.progress.refunded + amount.amount} | ({"ended_at": tx.now} if whole else {})
    after = moved(tx, order, Step.REFUND_REST if whole else Step.REFUND_PART, who, **changes)
    pays = RefundSettled if order.state is OrderState.RECEIVED else RefundEscrow
    tx.send(pays(refund_id=refund_id, order_id=order.id, amount=amount))
    if whole and order.state in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
        tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
    tell_refunded(tx, order, refund_id, amount, who, whole=whole)
    return after


def tell_refunded(tx: Tx, order: Order, id: RefundId, amount: Money, who: Who, *, whole: bool) -> None:
    """Tell that so much has gone back, and whether that ended the order."""
    tx.tell(
        OrderRefunded(order_id=order.id, refund_id=id, buyer=order.buyer, shop_id=order.shop_id, amount=amount, whole=whole, by=who.value)
    )
