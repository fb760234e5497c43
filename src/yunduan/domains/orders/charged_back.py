"""What a chargeback does to an order: it stands still while the bank has not decided, and goes on with what is left of its money."""

from msgspec.structs import replace

from yunduan.domains.catalog.commands import ReleaseStock
from yunduan.domains.orders import dispatch, model, store
from yunduan.domains.orders.casework import overtaken
from yunduan.domains.orders.dispatch import UNSHIPPED
from yunduan.domains.orders.dispatching import await_dispatch
from yunduan.domains.orders.facts import OrderChargebackEnded, OrderChargedBack
from yunduan.domains.orders.model import Order, OrderSettings, OrderState, Step, Who
from yunduan.domains.orders.receiving import NOTICE_MS, ReceiveUnasked
from yunduan.domains.orders.steps import marked, moved
from yunduan.domains.payments.commands import RefundEscrow
from yunduan.domains.payments.model import EscrowState
from yunduan.domains.payments.queries import EscrowOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.kernel.ids import OrderId, RefundId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


class OrderChargebacks:
    """What becomes of orders when banks take money back: implements `payments.model.ChargebackListener`."""

    def taken(self, tx: Tx, order_id: OrderId, amount: Money, *, due: int) -> None:
        """From now on nothing of it leaves, is received or is given back: payments refuse to move its money."""
        order = _order(tx, order_id)
        before = order.progress
        order = marked(tx, order, taken=before.taken + amount.amount, contested_at=before.contested_at or tx.now)
        tx.tell(OrderChargedBack(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, amount=amount, due=due))

    def restored(self, tx: Tx, order_id: OrderId, amount: Money) -> None:
        """It goes on where it stood."""
        order = _order(tx, order_id)
        taken = order.progress.taken - amount.amount
        order = marked(tx, order, taken=taken, **_times(tx, order, taken))
        _tell(tx, order, amount, won=True, whole=False)

    def lost(self, tx: Tx, order_id: OrderId, amount: Money) -> None:
        """So much of it has gone back to the buyer; an order of which nothing is left has ended, and its stock is free again."""
        order = _order(tx, order_id)
        before, whole = order.progress, amount.amount == order.left
        taken = before.taken - amount.amount
        changes = {"taken": taken, "lost": before.lost + amount.amount, "refunded": before.refunded + amount.amount}
        if not whole:
            moved(tx, order, Step.REFUND_PART, Who.CLOUD, **changes, **_times(tx, order, taken))
        else:
            moved(tx, overtaken(tx, order), Step.REFUND_REST, Who.CLOUD, ended_at=tx.now, **changes)
            if order.state in UNSHIPPED:
                tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
            _give_rest_back(tx, order)
        _tell(tx, order, amount, won=False, whole=whole)


def _order(tx: Tx, order_id: OrderId) -> Order:
    order = tx.get(store.ORDER, order_id)
    invariant(order is not None, "what was paid for is an order")
    return order  # type: ignore[return-value] # the line above says so


def _give_rest_back(tx: Tx, order: Order) -> None:
    """What is left in the escrow, or of what was settled, the marketplace gave for the price; nobody paid for what it was given for."""
    escrow = tx.ask(EscrowOf(order_id=order.id))
    if escrow.left:
        pays = RefundEscrow if escrow.state is EscrowState.HELD else RefundSettled
        tx.send(pays(refund_id=RefundId(tx.id("rfd")), order_id=order.id, amount=Money(amount=0, currency=order.currency)))


def _times(tx: Tx, order: Order, taken: int) -> dict[str, int]:
    """When it counts as received now, or has to leave, if nothing is contested any more; each has stood still, and has alarms anew."""
    progress = order.progress
    if taken:
        return {}
    if order.state in UNSHIPPED:
        times = {"contested_at": 0, "stood_ms": dispatch.stood_ms(order, tx.port(OrderSettings), now=tx.now)}
        await_dispatch(tx, replace(order, progress=replace(progress, **times)), now=tx.now)
        return times
    due = progress.receive_by
    if order.state is OrderState.SHIPPED and due and not progress.in_case:
        due = max(due, tx.now + NOTICE_MS)
        tx.at(due, ReceiveUnasked(order_id=order.id))  # one that was set before may have rung, and found that nothing was decided
    return {"contested_at": 0, "receive_by": due}


def _tell(tx: Tx, order: Order, amount: Money, *, won: bool, whole: bool) -> None:
    ended = OrderChargebackEnded(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, amount=amount, won=won, whole=whole)
    tx.tell(ended)
