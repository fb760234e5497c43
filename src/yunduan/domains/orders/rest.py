"""What has not left of an order: what a case has given back for it already, and what comes back when it is called off; pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from yunduan.domains.orders import parcels
from yunduan.domains.orders.cases import Case, CaseState, Reason, between, worth
from yunduan.domains.orders.model import Order, Terms, half_up
from yunduan.kernel.ids import VariantId


def claimed_of_rest(order: Order, agreed: Terms, earlier: Iterable[Case]) -> dict[VariantId, int]:
    """For how many of the pieces that have not left something has been given back already."""
    return _together([pieces for _, pieces in claims_of(order, agreed, earlier)])


def open_about_rest(order: Order, agreed: Terms, earlier: Sequence[Case]) -> dict[VariantId, int]:
    """How many of the pieces that the last case is about, while it is open, have not left."""
    return claims_of(order, agreed, (*earlier[:-1], replace(earlier[-1], state=CaseState.REFUNDED)))[-1][1]


def worth_of_rest(order: Order, agreed: Terms, earlier: Iterable[Case]) -> int:
    """What comes back when the rest is called off: what was paid for it, less what a case has given for it, and no more than is left.

    What was given back for something else, or by hand, takes nothing from it. Shipping has no part in it: something has left.
    """
    paid, claims = worth(order, agreed), claims_of(order, agreed, earlier)
    claimed, first = _together([pieces for _, pieces in claims]), dict.fromkeys(paid, 0)
    amount = 0
    for variant_id, missing in parcels.unshipped(order, agreed.items).items():
        pieces, _ = paid[variant_id]
        whole = missing - claimed.get(variant_id, 0)
        amount += between(paid[variant_id], pieces - whole, whole)
    for case, of_rest in claims:
        asked = 0
        for variant_id, quantity in case.details.lines:
            asked += between(paid[variant_id], first[variant_id], quantity)
            first[variant_id] += quantity
        if asked > case.details.agreed:  # it came to less than they are worth
            part = sum([between(paid[variant_id], 0, quantity) for variant_id, quantity in of_rest.items()])
            amount += half_up(asked - case.details.agreed, parts=min(part, asked), of=asked)
    return min(amount, order.left)


def claims_of(order: Order, agreed: Terms, earlier: Iterable[Case]) -> list[tuple[Case, dict[VariantId, int]]]:
    """The cases that came to money, each with those of its pieces that have not left.

    A case is about what had left when it was opened, and about nothing else while there was enough of that; but what has not come, as its
    buyer says, is what has not left.
    """
    rest = parcels.unshipped(order, agreed.items)
    gone: dict[VariantId, int] = {}
    found = []
    for case in earlier:
        if case.state is not CaseState.REFUNDED:
            continue
        of_rest: dict[VariantId, int] = {}
        had_left = _gone_by(order, agreed, case.details.opened_at)
        for variant_id, quantity in case.details.lines:
            there = max(0, had_left.get(variant_id, 0) - gone.get(variant_id, 0))
            part = quantity if case.details.reason is Reason.NOT_ARRIVED else max(0, quantity - there)
            part = min(part, rest.get(variant_id, 0))
            gone[variant_id] = gone.get(variant_id, 0) + quantity - part
            if part:
                rest[variant_id] -= part
                of_rest[variant_id] = part
        found.append((case, of_rest))
    return found


def _gone_by(order: Order, agreed: Terms, at: int) -> dict[VariantId, int]:
    found: dict[VariantId, int] = {}
    for parcel in parcels.first_sent(order):
        if parcel.shipped_at <= at:
            for line in parcels.packed(parcel, agreed.items):
                found[line.variant_id] = found.get(line.variant_id, 0) + line.quantity
    return found


def _together(each: Iterable[Mapping[VariantId, int]]) -> dict[VariantId, int]:
    found: dict[VariantId, int] = {}
    for pieces in each:
        for variant_id, quantity in pieces.items():
            found[variant_id] = found.get(variant_id, 0) + quantity
    return found
