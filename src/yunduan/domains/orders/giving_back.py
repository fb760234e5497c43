"""How money of an order goes back to its buyer: a part of it, or all that is left, which ends the order.

From what is held or, once the order has been received, from the shop and the marketplace.
"""

from yunduan.domains.catalog.commands import ReleaseStock
from yunduan.domains.orders import cameback, model, parcels, store
from yunduan.domains.orders.facts import OrderRefunded
from yunduan.domains.orders.model import Order, OrderState, Step, Who
from yunduan.domains.orders.receiving import awaited_again
from yunduan.domains.orders.steps import moved
from yunduan.domains.payments.commands import RefundEscrow
from yunduan.domains.payments.recourse import PayPostage, RefundSettled
from yunduan.kernel.ids import CaseId, RefundId
from yunduan.kernel.money import Money
from yunduan.runtime.transaction import Tx

GIVING_BACK_REFUSALS = frozenset({*RefundEscrow.refuses, *RefundSettled.refuses, *PayPostage.refuses, *ReleaseStock.refuses})


def give_back(
    tx: Tx, order: Order, amount: Money, who: Who, *, refund_id: RefundId, case_id: CaseId | None = None, is_for_back: bool = False
) -> Order:
    """Over the tenders it came from; the last of it ends the order, and stock that has not left is free again.

    What is given by hand, in no case and not for what has come back (`is_for_back`), counts for what has.
    """
    whole = amount.amount == order.left
    if not whole:
        order = _settled(tx, order, 0 if is_for_back or case_id else amount.amount)
    changes = {"refunded": order.progress.refunded + amount.amount} | ({"ended_at": tx.now} if whole else {})
    after = moved(tx, order, Step.REFUND_REST if whole else Step.REFUND_PART, who, **changes)
    pays = RefundSettled if order.state is OrderState.RECEIVED else RefundEscrow
    tx.send(pays(refund_id=refund_id, order_id=order.id, amount=amount))
    if whole and order.state in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
        tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
    tell_refunded(tx, order, refund_id, amount, who, whole=whole, case_id=case_id)
    return after


def _settled(tx: Tx, order: Order, by_hand: int) -> Order:
    """The order as it waits when the buyer has so much more back: what has come back to the shop may be paid for now."""
    if not parcels.back_unsettled(order):
        return awaited_again(tx, order)
    after = cameback.credited(order, store.terms(order), store.cases_of(tx, order), by_hand, at=tx.now)
    return awaited_again(tx, after)


def tell_refunded(
    tx: Tx, order: Order, id: RefundId, amount: Money, who: Who, *, whole: bool, called_off: bool = False, case_id: CaseId | None = None
) -> None:
    """Tell that so much has gone back, whether that ended the order or was of what had not left, and in which case."""
    tx.tell(
        OrderRefunded(
            order_id=order.id,
            refund_id=id,
            buyer=order.buyer,
            shop_id=order.shop_id,
            amount=amount,
            whole=whole,
            by=who.value,
            called_off=called_off,
            case_id=case_id,
        )
    )
