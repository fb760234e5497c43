"""What must be true of orders and cases whatever happens: each against the facts, its money and the others."""

from collections.abc import Iterable

import msgspec

from yunduan.domains.orders import parcels
from yunduan.domains.orders.cameback import had_before
from yunduan.domains.orders.cases import CaseState, case_id_of, refund_of
from yunduan.domains.orders.model import Order, OrderState
from yunduan.domains.orders.rest import claimed_of_rest
from yunduan.domains.orders.store import ORDER
from yunduan.domains.payments.model import Chargeback, ChargebackState, Escrow, EscrowState, escrow_account
from yunduan.domains.payments.store import ESCROWS
from yunduan.kernel.ids import OrderId, PersonId
from yunduan.runtime.ports import Reader
from yunduan.testing.checkers import claim
from yunduan.testing.trade.founding import LIMITED_PIECES, market
from yunduan.testing.trade.papers import Papers, terms_of

HOLDING = (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)
"""The states in which an escrow holds what is left of an order."""
_CHARGEBACKS = "SELECT body FROM payment_chargeback"
_BALANCE = "SELECT c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number WHERE a.id = ?"


def compare_orders(papers: Papers) -> None:
    """Orders are those that were told, and each escrow holds what is left of its order."""
    told = papers.laws.placed
    claim(papers.orders.keys() == told, f"orders that differ from what was told: {papers.orders.keys() ^ told}")
    _compare_limits(papers)
    for order in papers.orders.values():
        _compare_escrow(order, papers.escrows.get(order.id), papers.balance(escrow_account(order.id)), papers.chargebacks.values())


def compare_touched(reader: Reader, ids: Iterable[OrderId]) -> None:
    """The escrows of orders that something has just been told of."""
    for id in ids:
        for row in reader.load(ORDER, (id,)):
            found = reader.rows(_BALANCE, (escrow_account(id),))
            escrows = [ESCROWS.value(escrow) for escrow in reader.load(ESCROWS, (id,))]
            is_split = any(escrow.state is EscrowState.SPLITTING for escrow in escrows)
            taken = [msgspec.json.decode(body, type=Chargeback) for (body,) in reader.rows(_CHARGEBACKS)] if is_split else []
            _compare_escrow(ORDER.value(row), escrows[0] if escrows else None, found[0][0] if found else 0, taken)


def _compare_escrow(order: Order, escrow: Escrow | None, kept: int, taken: Iterable[Chargeback]) -> None:
    """One that a provider has yet to split is no emptier for that, nor for what a bank has meanwhile: the shop has paid that here."""
    is_split = escrow is not None and escrow.state is EscrowState.SPLITTING
    left = order.left - order.progress.taken if is_split or order.state in HOLDING else 0
    left += drawn_of(order.id, taken) if is_split else 0
    claim(kept == left, f"{order.id} is {order.state}, its escrow holds {kept} and not {left}")


def drawn_of(order_id: OrderId, chargebacks: Iterable[Chargeback]) -> int:
    """What banks have of an order, or may have, that was not taken out of its escrow."""
    shares = [share for one in chargebacks if one.state is not ChargebackState.WON for share in one.shares]
    return sum(share.amount.amount for share in shares if share.order_id == order_id and share.drawn is not None)


def _compare_limits(papers: Papers) -> None:
    """Nobody has more of the limited goods than one may, by what the orders themselves say: of one whose rest is off, what has left."""
    limited, had = market().variants[-1], dict[PersonId, int]()
    for order in papers.orders.values():
        if order.state not in (OrderState.CANCELLED, OrderState.REFUNDED):
            sold = parcels.sold_for_good(order, terms_of(order).items)
            had[order.buyer] = had.get(order.buyer, 0) + sold.get(limited, 0)
    claim(all(pieces <= LIMITED_PIECES for pieces in had.values()), f"somebody has more than {LIMITED_PIECES}: {had}")


def compare_parcels(papers: Papers) -> None:
    """No piece that came back is paid for twice, nor one that was never sold; what is at its shop is received by its buyer alone."""
    for order in papers.orders.values():
        if not order.progress.parcels:
            continue
        items, back = terms_of(order).items, parcels.back_unsettled(order)
        cases = [papers.cases[case_id_of(order.id, number)] for number in range(order.progress.cases)]
        had, sold = had_before(order, cases), parcels.sold_for_good(order, items)
        for id, pieces in parcels.given_back(order).items():
            claim(pieces <= sold.get(id, 0), f"{order.id} paid {pieces} of {id} back that came back, of {sold.get(id, 0)}")
        in_rest = sum(claimed_of_rest(order, terms_of(order), cases).values())
        claim(sum(had.values()) <= sum(sold.values()) + in_rest, f"{order.id} was paid for {had}, of {sold}")
        waits = order.state is OrderState.SHIPPED and back and not order.progress.in_case
        claim(not waits or not order.progress.receive_by, f"{order.id} is received by itself, and {sorted(back)} of it came back")


def compare_cases(papers: Papers) -> None:
    """An open case is its order's last, and nothing of that order was settled; each that came to money came to it once."""
    orders, cases = papers.orders, papers.cases
    claim(len(cases) == sum(order.progress.cases for order in orders.values()), "orders have other cases than there are")
    claimed = dict.fromkeys(orders, 0)
    for case in cases.values():
        order = orders[case.order_id]
        is_last = case.id == case_id_of(order.id, order.progress.cases - 1)
        claim(case.is_open == (is_last and order.progress.in_case), f"{case.id} is {case.state}, its order does not know that")
        claim(not case.is_open or order.state in (*HOLDING, OrderState.RECEIVED), f"{case.id} is open, {order.id} {order.state}")
        paid = case.details.agreed if case.state is CaseState.REFUNDED else 0
        claim((refund_of(case.id) in papers.refunds) == bool(paid), f"{case.id} is {case.state} with {paid}, and its refund says otherwise")
        claimed[order.id] += paid
    for id, sum_ in claimed.items():
        claim(sum_ <= orders[id].progress.refunded <= orders[id].total, f"cases of {id} gave back {sum_}, more than it did")
    claim(papers.laws.cases == {id: case.state for id, case in cases.items()}, "cases stand elsewhere than was told")


def nothing_is_held_for_ever(papers: Papers) -> None:
    """When time has passed and nobody has said anything, no case waits, what has left is received, and what has not has come back."""
    open_cases = [case.id for case in papers.cases.values() if case.is_open]
    claim(not open_cases, f"cases that nothing ends: {open_cases}")
    stuck = [order.id for order in papers.orders.values() if order.state in (OrderState.PLACED, *HOLDING)]
    claim(not stuck, f"orders whose money or goods are held for ever: {stuck}")
    undecided = [one.id for one in papers.chargebacks.values() if one.state not in (ChargebackState.WON, ChargebackState.LOST)]
    claim(not undecided, f"chargebacks that nobody has heard the end of: {undecided}")
