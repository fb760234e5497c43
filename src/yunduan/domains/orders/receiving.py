"""How an order is received: by its buyer, or by itself when its time has passed, which the buyer may put off once."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog.queries import TermsOf
from yunduan.domains.orders import model, parcels, queries, store
from yunduan.domains.orders.cases import CaseRefusal
from yunduan.domains.orders.facts import OrderReceived, ReceiptExtended
from yunduan.domains.orders.model import EXTENSION_MS, Order, OrderRefusal, OrderState, Step, Who
from yunduan.domains.orders.steps import STEP_REFUSALS, OrderMoved, moved, of_buyer
from yunduan.domains.payments.commands import SettleEscrow
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

NOTICE_MS = 86_400_000
"""What is left at least, however late a delivery is heard of."""
AFTER_SCAN_MS = 7 * NOTICE_MS
"""How long after the last of its parcels was delivered an order counts as received by itself."""


class ConfirmReceipt(Command[OrderMoved], refuses={*STEP_REFUSALS, CaseRefusal.OPEN, *SettleEscrow.refuses}, spends_key=True):
    """Say that the goods have arrived: the shop gets its money."""

    order_id: OrderId


class ReceiveUnasked(Command[None], refuses=SettleEscrow.refuses):
    """Take an order for received whose buyer has said nothing in time. An alarm; harmless when it has moved on or was put off."""

    order_id: OrderId


class ReceiptPutOff(Struct, frozen=True, kw_only=True):
    """When the order counts as received now, unless the buyer says otherwise (milliseconds since 1970)."""

    id: OrderId
    receive_by: int


class ExtendReceipt(Command[ReceiptPutOff], refuses={*STEP_REFUSALS, OrderRefusal.NOT_EXTENDABLE}):
    """Put off, once, that an order counts as received: the goods have not come yet."""

    order_id: OrderId


def on_its_way(tx: Tx, order: Order, step: Step, who: Who, **changes: Any) -> Order:
    """The order once all that will leave has left: from now on its receipt is waited for."""
    last = parcels.arrived_at(order) if step is not Step.SHIP else 0
    receive_by = receive_by_scan(last, now=tx.now) if last else receive_by_country(tx, order)
    if order.progress.only_by_hand or parcels.back_unsettled(order):
        receive_by = 0
    after = moved(tx, order, step, who, shipped_at=tx.now, receive_by=receive_by, **changes)
    if receive_by:
        tx.at(receive_by, ReceiveUnasked(order_id=order.id))
    return after


def arrived(tx: Tx, order: Order) -> None:
    """A parcel of an order that is on its way has been delivered. With the last of them the receipt comes of that, sooner or later.

    What the buyer has put off is never brought forward.
    """
    last, due = parcels.arrived_at(order), order.progress.receive_by
    if not last or not due:
        return
    receive_by = receive_by_scan(last, now=tx.now)
    if order.progress.extended:
        receive_by = max(receive_by, due)
    moved(tx, order, Step.ARRIVE, Who.CLOUD, receive_by=receive_by)
    if receive_by < due:  # what is later is found by the alarm that is set
        tx.at(receive_by, ReceiveUnasked(order_id=order.id))


def came_back(tx: Tx, order: Order) -> None:
    """A parcel has gone back to the shop: until it is sent again, or paid back, the order is received by its buyer alone."""
    if order.state is OrderState.SHIPPED:
        moved(tx, order, Step.ARRIVE, Who.CLOUD, receive_by=0)


def awaited_again(tx: Tx, order: Order) -> Order:
    """The order, to be written down: received by itself again once nothing of it is at the shop that has yet to be settled.

    Where all the others were delivered while that was not, their buyer has had their time, and has a day.
    """
    progress = order.progress
    if order.state is not OrderState.SHIPPED or progress.receive_by or progress.only_by_hand or parcels.back_unsettled(order):
        return order
    last = parcels.arrived_at(order)
    due = receive_by_scan(last, now=tx.now) if last else receive_by_country(tx, order)
    tx.at(due, ReceiveUnasked(order_id=order.id))
    return replace(order, progress=replace(progress, receive_by=due))


def receive_by_scan(arrived_at: int, *, now: int) -> int:
    """When an order counts as received whose last parcel was delivered then."""
    return max(arrived_at + AFTER_SCAN_MS, now + NOTICE_MS)


def receive_by_country(tx: Tx, order: Order) -> int:
    """When what leaves now counts as received, by where it goes."""
    destination = queries.destination(tx, order)
    home = tx.ask(TermsOf(shop_id=order.shop_id)).country
    return model.receive_by(tx.now, home=home, destination=destination.country if destination else home)


@handles(ConfirmReceipt)
def confirm_receipt(tx: Tx, ask: ConfirmReceipt) -> OrderMoved:
    """Pay the shop what is left, less the commission on it; not while a case is open, which its buyer may withdraw."""
    order = of_buyer(tx, ask.order_id)
    if order.progress.in_case:
        raise Refused(CaseRefusal.OPEN)
    received = receive(tx, order, Who.BUYER)
    return OrderMoved(id=received.id, state=received.state)


@handles(ReceiveUnasked)
def receive_unasked(tx: Tx, ask: ReceiveUnasked) -> None:
    """The same, unless there is nothing to receive any more; what was put off is waited for anew, in an open case too.

    At its time an open case stops it, and money that a bank has taken back: whatever ends that sets another alarm (`casework.released`,
    `charged_back`).
    """
    invariant(tx.actor.is_system, "an order is received unasked by its own alarm")
    order = tx.get(store.ORDER, ask.order_id)
    if order is None or order.state is not OrderState.SHIPPED:
        return
    due = order.progress.receive_by
    if tx.now < due:
        tx.at(due, ask)
    elif due and not order.progress.in_case and not order.progress.taken:
        receive(tx, order, Who.CLOUD)


@handles(ExtendReceipt)
def extend_receipt(tx: Tx, ask: ExtendReceipt) -> ReceiptPutOff:
    """Once, and only what comes by itself; the alarm that is set finds the new time."""
    order = of_buyer(tx, ask.order_id)
    model.after(order.id, order.state, Step.EXTEND, Who.BUYER)
    if order.progress.extended or order.progress.in_case or not order.progress.receive_by:
        raise Refused(OrderRefusal.NOT_EXTENDABLE)
    receive_by = order.progress.receive_by + EXTENSION_MS
    moved(tx, order, Step.EXTEND, Who.BUYER, receive_by=receive_by, extended=True)
    tx.tell(ReceiptExtended(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, receive_by=receive_by))
    return ReceiptPutOff(id=order.id, receive_by=receive_by)


def receive(tx: Tx, order: Order, who: Who) -> Order:
    """The goods are the buyer's, and what is left of the money the shop's and the marketplace's."""
    received = moved(tx, order, Step.RECEIVE, who, received_at=tx.now, ended_at=tx.now)
    commission = Money(amount=model.commission_now(order, store.terms(order)), currency=order.currency)
    tx.send(SettleEscrow(order_id=order.id, shop_id=order.shop_id, commission=commission))
    total = Money(amount=order.left, currency=order.currency)
    tx.tell(OrderReceived(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, total=total, commission=commission, by=who.value))
    return received
