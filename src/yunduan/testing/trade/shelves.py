"""What must be true of stock, at each location by itself: what was counted and moved, less what has left, and what is promised to whom."""

from collections import Counter

from yunduan.domains.catalog.model import HoldState
from yunduan.domains.orders.cases import CaseState, RuledGoods
from yunduan.domains.orders.cases import hold_of as case_hold
from yunduan.domains.orders.model import OrderState
from yunduan.testing.checkers import claim
from yunduan.testing.trade.papers import Papers, terms_of

WAITING = (OrderState.PLACED, OrderState.PAID, OrderState.PARTLY_SHIPPED)
"""The states in which an order's pieces, or some of them, have not left."""


def compare_shelves(papers: Papers) -> None:
    """On hand is what was counted, less what has left, and what has come back to one location or the other; held is what waits there."""
    moved: Counter[str] = Counter()
    bare: Counter[tuple[str, str]] = Counter()
    for variant, location, counted, by_moving in papers.counted:
        bare[variant, location] = counted
        moved[variant] += by_moving
    for variant, made in moved.items():
        claim(made == 0, f"{made} of {variant} were made by moving them")
    waits: Counter[tuple[str, str]] = Counter()
    back: Counter[str] = Counter()
    for hold in papers.holds.values():
        for line in hold.lines:
            place: tuple[str, str] = line.variant_id, line.location_id
            waits[place] += line.waits if hold.state is HoldState.HELD else 0
            bare[place] -= line.quantity if hold.state is HoldState.TAKEN else line.gone
            back[line.variant_id] += line.returned
    promised = _promised(papers)
    held: Counter[str] = Counter()
    for variant, location, on_hand, kept in papers.stock:
        place = variant, location
        claim(0 <= kept <= on_hand, f"{variant} is oversold at {location}: {kept} of {on_hand}")
        claim(kept == waits[place], f"{kept} of {variant} are held at {location}, {waits[place]} wait there")
        returned = on_hand - bare[place]
        claim(returned >= 0, f"{on_hand} of {variant} are at {location}, where {bare[place]} must be")
        back[variant] -= returned
        held[variant] += kept
    claim(not any(back.values()), f"pieces that came back to no location, or to more than one: {+back} {-back}")
    for variant in {*held, *promised}:
        claim(held[variant] == promised[variant], f"{held[variant]} of {variant} are held, orders wait for {promised[variant]}")


def _promised(papers: Papers) -> Counter[str]:
    """What orders that have not left, and those who have agreed to an exchange, wait for."""
    promised: Counter[str] = Counter()
    for order in papers.orders.values():
        if order.state in WAITING:
            for item in terms_of(order).items:
                promised[item.variant_id] += item.quantity
            for line in (line for parcel in order.progress.parcels if not parcel.of for line in parcel.lines):
                promised[line.variant_id] -= line.quantity
    for case in papers.cases.values():
        if case.details.held and case.details.instead is not None:
            promised[case.details.instead] += case.pieces
    return promised


def compare_exchanges(papers: Papers) -> None:
    """What is given in exchange is held from the agreement until it has left, once; and free again when the case ended otherwise."""
    for case in papers.cases.values():
        hold = papers.holds.get(case_hold(case.id))
        wanted = HoldState.HELD if case.details.held else HoldState.TAKEN if case.details.replaced_at else HoldState.RELEASED
        claim(not case.details.held or (case.is_open and hold is not None), f"{case.id} is {case.state} and holds what nobody waits for")
        claim(hold is None or hold.state is wanted, f"the exchange of {case.id} is {wanted}, its goods are {hold and hold.state}")
        if hold is not None and case.details.instead is not None:
            claim(hold.quantities() == {case.details.instead: case.pieces}, f"{case.id} gives other goods than were wanted")


def compare_returns(papers: Papers) -> None:
    """Nobody has sent goods back for nothing, and what went to them again was not put on hand as well."""
    for case in papers.cases.values():
        details = case.details
        has_something = CaseState.REFUNDED is case.state or papers.orders[case.order_id].state is OrderState.REFUNDED
        is_where_it_belongs = bool(details.resent_at) or details.goods is RuledGoods.NOT_THERE
        is_well = case.is_open or not case.is_returned or has_something or is_where_it_belongs
        claim(is_well, f"{case.id} is {case.state}: its shop has the goods, and the buyer has nothing")
        claim(not (details.resent_at and details.back_at), f"the goods of {case.id} were sent again, and put on hand")
