"""A paid order that is not shipped in time is called off by itself; its shop is reminded before, its buyer may agree to wait longer, once.

No checkout sets an alarm for it, for nearly every order leaves long before. Orders are looked through in the order in which they were
placed, each once, shortly before its shop would be reminded; what has not left by then, and nothing else, has alarms of its own. There is
one alarm at a time for the looking, none when no order is left to look at, and then a follower that files new orders sets it.
"""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.orders import dispatch, store
from yunduan.domains.orders.commands import UNSHIPPED_REFUSALS, call_off_unshipped
from yunduan.domains.orders.dispatch import DAY_MS, UNSHIPPED, DispatchMark, allowed_ms, dispatch_by, warned_ms
from yunduan.domains.orders.facts import DispatchDue, DispatchExtended
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState, Step, Who
from yunduan.domains.orders.steps import STEP_REFUSALS, marked, moved, of_buyer
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

LOOK_AHEAD_MS = 3_600_000
"""How much is looked through at once, so that it is done no more than hourly."""
LOOKED_AT_ONCE = 500
MARK = "orders"


class LookForUnshipped(Command[None]):
    """Look through the orders whose shops would have to be reminded soon. An alarm; harmless when another one is set since."""

    due: int


class RemindToShip(Command[None]):
    """Remind a shop of an order that has to leave by `due`. An alarm; harmless when it has left, or may wait longer."""

    order_id: OrderId
    due: int


class CancelUnshipped(Command[None], refuses=UNSHIPPED_REFUSALS):
    """Call off what has not left in time: its money goes back. An alarm; harmless when it has left, or may wait longer."""

    order_id: OrderId
    due: int


class DispatchPutOff(Struct, frozen=True, kw_only=True):
    """Until when the order has to leave now (milliseconds since 1970)."""

    id: OrderId
    dispatch_by: int


class WaitLonger(Command[DispatchPutOff], refuses={*STEP_REFUSALS, OrderRefusal.DISPATCH_NOT_EXTENDABLE}):
    """Agree, once, to wait longer for the shop to ship."""

    order_id: OrderId


def watch(tx: Tx, orders: Sequence[Order]) -> None:
    """Have new orders looked at when their time comes; where others are to be looked at before, that is set already."""
    mark = tx.get(store.DISPATCH, MARK)
    if mark is not None and mark.next_at:
        return
    through = mark.through if mark else 0
    new = [order for order in orders if order.seq > through and not order.progress.only_by_hand]
    if new:
        first = min(new, key=lambda order: order.seq)
        _look_at(tx, mark, through=first.seq - 1, next_at=first.placed_at + _lead_ms(tx.port(OrderSettings)))


def _lead_ms(settings: OrderSettings) -> int:
    """How long after it was placed an order is looked at: before its shop would be reminded, however soon it was paid."""
    return allowed_ms(settings) - warned_ms(settings)


def _look_at(tx: Tx, mark: DispatchMark | None, *, through: int, next_at: int) -> None:
    (tx.add if mark is None else tx.put)(store.DISPATCH, MARK, DispatchMark(MARK, through, next_at))
    if next_at:
        tx.at(next_at, LookForUnshipped(due=next_at))


@handles(LookForUnshipped)
def look_for_unshipped(tx: Tx, ask: LookForUnshipped) -> None:
    """A page of orders at once, and the next when it is due."""
    invariant(tx.actor.is_system, "orders are looked through by an alarm alone")
    mark = tx.get(store.DISPATCH, MARK)
    if mark is None or mark.next_at != ask.due:
        return
    lead_ms = _lead_ms(tx.port(OrderSettings))
    rows = store.placed_after(tx, mark.through, LOOKED_AT_ONCE)
    ripe = [row for row in rows if row.placed_at + lead_ms <= ask.due + LOOK_AHEAD_MS]
    found = [row.id for row in ripe if row.state in (OrderState.PLACED, *UNSHIPPED)]
    for order in tx.get_many(store.ORDER, found).values():
        await_dispatch(tx, order, now=ask.due)
    through = ripe[-1].seq if ripe else mark.through
    if len(ripe) < len(rows):
        next_at = max(rows[len(ripe)].placed_at + lead_ms, ask.due + 1)
    else:
        next_at = ask.due + 1 if len(rows) == LOOKED_AT_ONCE else 0
    _look_at(tx, mark, through=through, next_at=next_at)


def await_dispatch(tx: Tx, order: Order, *, now: int) -> None:
    """Set the alarm by which the shop is reminded in time; of what is not paid yet, the earliest at which it could be."""
    settings = tx.port(OrderSettings)
    if order.progress.only_by_hand:
        return
    due = dispatch_by(order, settings) or now + allowed_ms(settings)
    tx.at(due - warned_ms(settings), RemindToShip(order_id=order.id, due=due))


@handles(RemindToShip)
def remind_to_ship(tx: Tx, ask: RemindToShip) -> None:
    """Once for each time that it has to leave by; then that time is waited for.

    While a bank has money of it nothing may leave: what ends that sets another alarm (`charged_back`).
    """
    invariant(tx.actor.is_system, "a shop is reminded by an alarm alone")
    order = tx.get(store.ORDER, ask.order_id)
    if order is None or order.state not in (OrderState.PLACED, *UNSHIPPED) or order.progress.taken:
        return
    due = dispatch_by(order, tx.port(OrderSettings))
    if not due or due > ask.due:
        await_dispatch(tx, order, now=ask.due)
    elif order.progress.reminded_of < ask.due:
        marked(tx, order, reminded_of=ask.due)
        tx.at(ask.due, CancelUnshipped(order_id=order.id, due=ask.due))
        tx.tell(DispatchDue(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, dispatch_by=ask.due))


@handles(CancelUnshipped)
def cancel_unshipped(tx: Tx, ask: CancelUnshipped) -> None:
    """All of it, or the rest. A case about what has left, or money that a bank has taken back, is waited for: each comes to an end."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    order = tx.get(store.ORDER, ask.order_id)
    if order is None or order.state not in UNSHIPPED or dispatch_by(order, tx.port(OrderSettings)) > ask.due:
        return
    if order.progress.taken or (order.state is OrderState.PARTLY_SHIPPED and order.progress.in_case):
        tx.at(tx.now + DAY_MS, ask)
    else:
        call_off_unshipped(tx, order, Who.CLOUD)


@handles(WaitLonger)
def wait_longer(tx: Tx, ask: WaitLonger) -> DispatchPutOff:
    """The alarms of the time before find the new one."""
    order = of_buyer(tx, ask.order_id)
    settings = tx.port(OrderSettings)
    if order.state in UNSHIPPED and not dispatch.may_wait_longer(order):
        raise Refused(OrderRefusal.DISPATCH_NOT_EXTENDABLE)
    due = dispatch_by(order, settings) + settings.dispatch_longer_days * DAY_MS
    after = moved(tx, order, Step.WAIT_LONGER, Who.BUYER, dispatch_by=due - order.progress.stood_ms)
    await_dispatch(tx, after, now=tx.now)
    tx.tell(DispatchExtended(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, dispatch_by=due))
    return DispatchPutOff(id=order.id, dispatch_by=due)
