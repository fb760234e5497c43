"""What a chargeback does to an order: it stands still while the bank has not decided, and goes on with what is left of its money."""

from yunduan.domains.catalog.commands import ReleaseStock
from yunduan.domains.orders import model, store
from yunduan.domains.orders.casework import overtaken
from yunduan.domains.orders.facts import OrderChargebackEnded, OrderChargedBack
from yunduan.domains.orders.model import Order, OrderState, Step, Who
from yunduan.domains.orders.receiving import NOTICE_MS, ReceiveUnasked
from yunduan.domains.orders.steps import marked, moved
from yunduan.domains.payments.commands import RefundEscrow
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.kernel.ids import OrderId, RefundId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


class OrderChargebacks:
    """What becomes of orders when banks take money back: implements `payments.model.ChargebackListener`."""

    def taken(self, tx: Tx, order_id: OrderId, amount: Money, *, due: int) -> None:
        """From now on nothing of it leaves, is received or is given back: payments refuse to move its money."""
        order = marked(tx, _order(tx, order_id), taken=_order(tx, order_id).progress.taken + amount.amount)
        tx.tell(OrderChargedBack(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, amount=amount, due=due))

    def restored(self, tx: Tx, order_id: OrderId, amount: Money) -> None:
        """It goes on where it stood."""
        order = _order(tx, order_id)
        order = marked(tx, order, taken=order.progress.taken - amount.amount, receive_by=_receive_by(tx, order, amount))
        _tell(tx, order, amount, won=True, whole=False)

    def lost(self, tx: Tx, order_id: OrderId, amount: Money) -> None:
        """So much of it has gone back to the buyer; an order of which nothing is left has ended, and its stock is free again."""
        order = _order(tx, order_id)
        before, whole = order.progress, amount.amount == order.left
        changes = {"taken": before.taken - amount.amount, "lost": before.lost + amount.amount, "refunded": before.refunded + amount.amount}
        if not whole:
            moved(tx, order, Step.REFUND_PART, Who.CLOUD, receive_by=_receive_by(tx, order, amount), **changes)
        else:
            after = moved(tx, overtaken(tx, order), Step.REFUND_REST, Who.CLOUD, ended_at=tx.now, **changes)
            if order.state in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
                tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
            if store.terms(after).promoted:  # nobody paid for what it was given for
                pays = RefundSettled if order.state is OrderState.RECEIVED else RefundEscrow
                tx.send(pays(refund_id=RefundId(tx.id("rfd")), order_id=order.id, amount=Money(amount=0, currency=order.currency)))
        _tell(tx, order, amount, won=False, whole=whole)


def _order(tx: Tx, order_id: OrderId) -> Order:
    order = tx.get(store.ORDER, order_id)
    invariant(order is not None, "what was paid for is an order")
    return order  # type: ignore[return-value] # the line above says so


def _receive_by(tx: Tx, order: Order, amount: Money) -> int:
    """When it counts as received now; the alarm for it may have rung meanwhile, and found that nothing was decided."""
    due = order.progress.receive_by
    stands_still = order.progress.taken > amount.amount or order.progress.in_case
    if order.state is not OrderState.SHIPPED or not due or stands_still or due >= tx.now + NOTICE_MS:
        return due
    tx.at(tx.now + NOTICE_MS, ReceiveUnasked(order_id=order.id))
    return tx.now + NOTICE_MS


def _tell(tx: Tx, order: Order, amount: Money, *, won: bool, whole: bool) -> None:
    ended = OrderChargebackEnded(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, amount=amount, won=won, whole=whole)
    tx.tell(ended)
