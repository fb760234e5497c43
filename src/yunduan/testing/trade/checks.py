"""What must be true of orders, cases and money whatever happens: every table against the facts and against each other."""

from collections.abc import Sequence

from yunduan.backends.sandbox import Sandbox
from yunduan.domains.orders.cases import CaseState, case_id_of, refund_of
from yunduan.domains.orders.facts import CaseMoved, CaseOpened, OrderPlaced
from yunduan.domains.orders.model import Order, OrderState
from yunduan.domains.orders.store import CASE, ORDER, terms
from yunduan.domains.payments.model import (
    channel_account,
    escrow_account,
)
from yunduan.domains.payments.payees import paid_out_account
from yunduan.kernel.ids import CaseId, PersonId
from yunduan.kernel.messages import Fact
from yunduan.runtime.ports import Reader
from yunduan.testing.checkers import claim
from yunduan.testing.trade.founding import LIMITED_PIECES, market

_ORDERS = f"SELECT {', '.join(ORDER.columns)} FROM orders"  # noqa: S608 - names from code
_CASES = f"SELECT {', '.join(CASE.columns)} FROM order_case"  # noqa: S608 - names from code
_REFUNDED = "SELECT id FROM payment_refund"
_BALANCE = "SELECT a.id, c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number"
HOLDING = (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)
"""The states in which an escrow holds what is left of an order."""


def compare_orders(reader: Reader, facts: Sequence[Fact]) -> None:
    """Orders are those that were told; each escrow holds what is left of its order, and stock is held for whoever waits for it."""
    told = {fact.order_id for fact in facts if isinstance(fact, OrderPlaced)}
    balances: dict[str, int] = dict(reader.rows(_BALANCE))
    held: dict[str, int] = {}
    orders = [ORDER.value(row) for row in reader.rows(_ORDERS)]
    kept_ids = {order.id for order in orders}
    _compare_limits(orders)
    claim(kept_ids == told, f"orders that differ from what was told: {kept_ids ^ told}")
    for order in orders:
        left = order.total - order.progress.refunded if order.state in HOLDING else 0
        kept = balances.get(escrow_account(order.id), 0)
        claim(kept == left, f"{order.id} is {order.state}, its escrow holds {kept} and not {left}")
        if order.state in (OrderState.PLACED, OrderState.PAID, OrderState.PARTLY_SHIPPED):
            for item in terms(order).items:
                held[item.variant_id] = held.get(item.variant_id, 0) + item.quantity
            for line in (line for parcel in order.progress.parcels for line in parcel.lines):
                held[line.variant_id] -= line.quantity
    for variant, on_hand, kept in reader.rows(
        "SELECT variant_id, CAST(sum(on_hand) AS INTEGER), CAST(sum(held) AS INTEGER) FROM stock GROUP BY variant_id"
    ):
        claim(0 <= kept <= on_hand, f"{variant} is oversold: {kept} of {on_hand}")
        claim(kept == held.get(variant, 0), f"{kept} of {variant} are held, orders wait for {held.get(variant, 0)}")


def _compare_limits(orders: Sequence[Order]) -> None:
    """Nobody has more of the limited goods than one may, by what the orders themselves say."""
    limited, had = market().variants[-1], dict[PersonId, int]()
    for order in orders:
        if order.state not in (OrderState.CANCELLED, OrderState.REFUNDED):
            had[order.buyer] = had.get(order.buyer, 0) + sum(it.quantity for it in terms(order).items if it.variant_id == limited)
    claim(all(pieces <= LIMITED_PIECES for pieces in had.values()), f"somebody has more than {LIMITED_PIECES}: {had}")


def compare_cases(reader: Reader, facts: Sequence[Fact]) -> None:
    """An open case is its order's last, and nothing of that order was settled; each that came to money came to it once."""
    orders = {order.id: order for order in [ORDER.value(row) for row in reader.rows(_ORDERS)]}
    cases = {case.id: case for case in [CASE.value(row) for row in reader.rows(_CASES)]}
    claim(len(cases) == sum(order.progress.cases for order in orders.values()), "orders have other cases than there are")
    claimed = dict.fromkeys(orders, 0)
    refunds = {id for (id,) in reader.rows(_REFUNDED)}
    for case in cases.values():
        order = orders[case.order_id]
        is_last = case.id == case_id_of(order.id, order.progress.cases - 1)
        claim(case.is_open == (is_last and order.progress.in_case), f"{case.id} is {case.state}, its order does not know that")
        claim(not case.is_open or order.state in (*HOLDING, OrderState.RECEIVED), f"{case.id} is open, {order.id} {order.state}")
        paid = case.details.agreed if case.state is CaseState.REFUNDED else 0
        claim((refund_of(case.id) in refunds) == bool(paid), f"{case.id} is {case.state} with {paid}, and its refund says otherwise")
        claimed[order.id] += paid
    for id, sum_ in claimed.items():
        claim(sum_ <= orders[id].progress.refunded <= orders[id].total, f"cases of {id} gave back {sum_}, more than it did")
    told = _told_states(facts)
    claim(told == {id: case.state for id, case in cases.items()}, "cases stand elsewhere than was told")


def _told_states(facts: Sequence[Fact]) -> dict[CaseId, str]:
    """Where each case stands by the facts."""
    found: dict[CaseId, str] = {}
    for fact in facts:
        if isinstance(fact, CaseOpened):
            found[fact.case_id] = "asked"
        elif isinstance(fact, CaseMoved):
            found[fact.case_id] = fact.state
    return found


def nothing_is_held_for_ever(reader: Reader) -> None:
    """When time has passed and nobody has said anything, no case waits, what has left is received, and what has not has come back."""
    open_cases = [case.id for case in [CASE.value(row) for row in reader.rows(_CASES)] if case.is_open]
    claim(not open_cases, f"cases that nothing ends: {open_cases}")
    stuck = [order.id for order in [ORDER.value(row) for row in reader.rows(_ORDERS)] if order.state in HOLDING]
    claim(not stuck, f"orders whose money is held for ever: {stuck}")


def reconcile(reader: Reader, sandbox: Sandbox) -> None:
    """At rest, what the channel says it has collected is what we say it has."""
    lines = sandbox.statement("CNY")
    collected = sum(-line.amount.amount if line.request else line.amount.amount for line in lines)
    balances: dict[str, int] = dict(reader.rows(_BALANCE))
    ours = -balances[channel_account("sandbox", "CNY")] - balances.get(paid_out_account("sandbox", "CNY"), 0)
    claim(ours == collected, f"the channel has {collected}, we say {ours}")
