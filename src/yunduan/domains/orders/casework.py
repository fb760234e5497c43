"""What every step of a case begins and ends with: whose case it is, what the table makes of it, and what becomes of its order."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog.commands import HoldStock, ReleaseStock
from yunduan.domains.identity.model import ShopRole
from yunduan.domains.orders import cases, parcels, store
from yunduan.domains.orders.cases import DEADLINES_MS, STATEMENTS_MAX, Case, CaseEvent, CaseRefusal, CaseState, Said
from yunduan.domains.orders.facts import CaseMoved
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS, give_back
from yunduan.domains.orders.model import Order, OrderState, Terms, Who
from yunduan.domains.orders.receiving import ReceiveUnasked, receive
from yunduan.domains.orders.rest import open_about_rest
from yunduan.domains.orders.steps import sealed
from yunduan.domains.payments.commands import SettleEscrow
from yunduan.domains.payments.recourse import PayPostage
from yunduan.kernel.ids import CaseId, OrderId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.transaction import Tx

CASE_REFUSALS = frozenset({CaseRefusal.NOT_FOUND, CaseRefusal.OTHER_STATE})
SPOKEN_REFUSALS = frozenset({*CASE_REFUSALS, CaseRefusal.STATEMENTS_FULL})


class CaseStands(Struct, frozen=True, kw_only=True):
    """Where a case stands now, and until when somebody else may answer (milliseconds since 1970; 0 once it is closed)."""

    id: CaseId
    order_id: OrderId
    state: CaseState
    due: int

    @classmethod
    def of(cls, case: Case) -> "CaseStands":
        """Of this one."""
        return cls(id=case.id, order_id=case.order_id, state=case.state, due=case.due)


class PassDeadline(Command[None], refuses={*GIVING_BACK_REFUSALS, *HoldStock.refuses, *SettleEscrow.refuses}):
    """Take silence for an answer. An alarm; harmless when the case has moved on since it was set."""

    case_id: CaseId
    due: int


def of_buyer(tx: Tx, id: CaseId) -> Case:
    """The caller's own case."""
    case = tx.get(store.CASE, id)
    if case is None or not tx.actor.owns(case.buyer):
        raise Refused(CaseRefusal.NOT_FOUND)
    return case


def of_shop(tx: Tx, shop_id: ShopId, id: CaseId, *roles: ShopRole) -> Case:
    """A case about an order of this very shop, for its staff in some roles."""
    case = tx.get(store.CASE, id)
    if case is None or case.shop_id != shop_id or not tx.actor.serves(shop_id, *roles):
        raise Refused(CaseRefusal.NOT_FOUND)
    return case


def order_in(tx: Tx, case: Case) -> Order:
    """The order that a case is about, as it is now."""
    order = tx.get(store.ORDER, case.order_id)
    invariant(order is not None, "a case is about an order")
    return order  # type: ignore[return-value] # the line above says so


def said(tx: Tx, case: Case, who: Who, event: CaseEvent | None, text: str) -> Case:
    """The case with what somebody says, kept under their key; refuses whoever has said enough. Silence is not kept."""
    if not text:
        return case
    number = case.details.statements
    if who is not Who.OPERATOR and sum(one.who is who for one in store.said_in(tx, case)) >= STATEMENTS_MAX:
        raise Refused(CaseRefusal.STATEMENTS_FULL, f"{STATEMENTS_MAX} of each side")
    speaker = tx.actor.person
    tx.add(store.SAID, (case.id, number), Said(case.id, number, who, event, speaker, sealed(tx, speaker, text), tx.now))
    return replace(case, details=replace(case.details, statements=number + 1))


def stepped(tx: Tx, case: Case, event: CaseEvent, who: Who, *, text: str = "", due: int = 0, **changes: Any) -> Case:
    """The case after an event that the table has: written down, told, and with an alarm for what it waits for now (`due` if given).

    What is held for an exchange is free again when the case ends otherwise, or the goods that were sent back go to the buyer again.
    """
    state = cases.after(case, event, who)
    case = said(tx, case, who, event, text)
    if state is case.state:
        due = case.due
    elif state not in DEADLINES_MS:
        due = 0
    else:
        due = due or tx.now + DEADLINES_MS[state]
    if case.details.held and (state not in DEADLINES_MS or state is CaseState.RESENDING):
        tx.send(ReleaseStock(hold_id=cases.hold_of(case.id)))
        changes["held"] = False
    moved: Case = replace(case, state=state, due=due, details=replace(case.details, moved_at=tx.now, **changes))
    tx.put(store.CASE, case.id, moved)
    if due and due != case.due:
        tx.at(due, PassDeadline(case_id=case.id, due=due))
    amount = moved.details.offered if state is CaseState.OFFERED else moved.details.agreed
    tx.tell(
        CaseMoved(
            case_id=case.id, order_id=case.order_id, buyer=case.buyer, shop_id=case.shop_id, event=event.value, by=who.value,
            state=state.value, amount=case.money(amount), due=due,
        )
    )  # fmt: skip
    return moved


def closed(tx: Tx, case: Case, event: CaseEvent, who: Who, *, text: str = "", **changes: Any) -> Case:
    """The case comes to nothing, and its order goes on."""
    ended = stepped(tx, case, event, who, text=text, agreed=0, **changes)
    order = released(tx, order_in(tx, case))
    tx.put(store.ORDER, order.id, order)
    return ended


def divided(tx: Tx, order: Order, who: Who) -> None:
    """The shop has its rest of what a ruling has divided, if all has left and nothing of it is at the shop; else the order goes on with it.

    What a carrier has brought back is sent again, or paid back, in its own time.
    """
    if order.state is OrderState.SHIPPED and not parcels.back_unsettled(order):
        receive(tx, order, who)


def granted(
    tx: Tx, case: Case, event: CaseEvent, who: Who, amount: int, *, text: str = "", with_postage: bool = True, **changes: Any
) -> tuple[Case, Order]:
    """The case comes to an amount, or to what is left of the order if that is less: given back once, under the one id that it has.

    What the buyer has paid for the way back comes on top, from the shop's own money, unless it was ruled that it does not.
    """
    cases.after(case, event, who)
    order = released(tx, order_in(tx, case))
    amount = min(amount, order.left)
    paid = postage(tx, case) if with_postage else {}
    ended = stepped(tx, case, event, who, text=text, agreed=amount, **paid, **changes)
    money = Money(amount=amount, currency=order.currency)
    return ended, give_back(tx, order, money, Who.CLOUD, refund_id=cases.refund_of(case.id), case_id=case.id)


def postage(tx: Tx, case: Case) -> dict[str, Any]:
    """Pay the buyer what the way back has cost them, once; answers what the case has to keep of that."""
    details = case.details
    if not details.postage or details.postage_paid:
        return {}
    amount = case.money(details.postage)
    tx.send(PayPostage(id=cases.postage_of(case.id), order_id=case.order_id, shop_id=case.shop_id, person=case.buyer, amount=amount))
    return {"postage_paid": True}


def released(tx: Tx, order: Order) -> Order:
    """The order without its open case, to be written down: the time in which it counts as received stood still meanwhile."""
    progress = order.progress
    case = tx.get(store.CASE, cases.case_id_of(order.id, progress.cases - 1))
    invariant(progress.in_case and case is not None, "an order in a case has one")
    receive_by = progress.receive_by
    if order.state is OrderState.SHIPPED and receive_by and case is not None:
        later = receive_by + tx.now - max(case.details.opened_at, progress.shipped_at)
        tx.at(later, ReceiveUnasked(order_id=order.id))  # one that was set before may have rung, and found the case
        receive_by = later
    return replace(order, progress=replace(progress, in_case=False, receive_by=receive_by))


def narrowed(tx: Tx, order: Order, agreed: Terms) -> Order:
    """The same when what has not left is called off: a case about nothing else is closed; of any other only what has left remains."""
    if not order.progress.in_case:
        return order
    earlier = store.cases_of(tx, order)
    case, of_rest = earlier[-1], open_about_rest(order, agreed, earlier)
    lines = [(variant_id, quantity - of_rest.get(variant_id, 0)) for variant_id, quantity in case.details.lines]
    kept = tuple([line for line in lines if line[1]])
    if not kept:
        return overtaken(tx, order)
    if of_rest:
        paid, details = cases.worth(order, agreed), case.details
        most = sum([cases.between(paid[variant_id], 0, quantity) for variant_id, quantity in kept])
        asked, offered, agreed_to = (min(amount, most) for amount in (details.asked, details.offered, details.agreed))
        details = replace(details, lines=kept, asked=asked, offered=offered, agreed=agreed_to)
        tx.put(store.CASE, case.id, replace(case, details=details))
    return order


def overtaken(tx: Tx, order: Order, *, with_postage: bool = False) -> Order:
    """The same when the order itself comes to its end: a case that is open about it is closed; without one, the order as it is.

    Whoever gives everything back while goods are on their way back owes the postage too, as if they had come.
    """
    if not order.progress.in_case:
        return order
    case = tx.get(store.CASE, cases.case_id_of(order.id, order.progress.cases - 1))
    if case is not None:
        stepped(tx, case, CaseEvent.END, Who.CLOUD, agreed=0, **(postage(tx, case) if with_postage else {}))
    return replace(order, progress=replace(order.progress, in_case=False))
