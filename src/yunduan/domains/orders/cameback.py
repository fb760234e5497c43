"""What parcels that came back to their shop are worth, less what their buyer has had for it already; pure."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from yunduan.domains.orders import parcels
from yunduan.domains.orders.cases import Case, Reason, between, claimed_before, worth
from yunduan.domains.orders.model import Order, PackedLine, Parcel, Terms
from yunduan.domains.orders.rest import claims_of
from yunduan.kernel.ids import VariantId


def owed_pieces(order: Order, agreed: Terms, earlier: Iterable[Case]) -> dict[int, dict[VariantId, int]]:
    """Of each parcel that has come back and waits for its shop: the pieces for which no case has given anything.

    What has not come, as its buyer says, is what came back; of other pieces a case is about what the buyer has, as far as that goes.
    """
    items = agreed.items
    back = {number: parcels.totals(parcels.packed(parcel, items)) for number, parcel in parcels.back_unsettled(order).items()}
    if not back:
        return {}
    claimed = _claimed_of_back(order, agreed, earlier, back)
    found = {}
    for number, pieces in back.items():
        left = {}
        for id, there in pieces.items():
            part = min(there, claimed.get(id, 0))
            claimed[id] = claimed.get(id, 0) - part
            if there > part:
                left[id] = there - part
        found[number] = left
    return found


def _claimed_of_back(
    order: Order, agreed: Terms, earlier: Iterable[Case], back: Mapping[int, Mapping[VariantId, int]]
) -> dict[VariantId, int]:
    items, missed, other = agreed.items, dict[VariantId, int](), dict[VariantId, int]()
    for case, of_rest in claims_of(order, agreed, earlier):
        claims = missed if case.details.reason is Reason.NOT_ARRIVED else other
        for id, quantity in case.details.lines:
            claims[id] = claims.get(id, 0) + quantity - of_rest.get(id, 0)
    keeps = parcels.totals(line for parcel in parcels.first_sent(order) for line in parcels.packed(parcel, items))
    for parcel in parcels.standing(order).values():
        if parcel.settled_at:
            given = parcels.totals(parcel.given_back)
            for line in parcels.packed(parcel, items):
                id = line.variant_id
                keeps[id] -= line.quantity
                missed[id] = max(0, missed.get(id, 0) - line.quantity + given.get(id, 0))
    found = {}
    for id in {id for pieces in back.values() for id in pieces}:
        there = sum([pieces.get(id, 0) for pieces in back.values()])
        ours = missed.get(id, 0)
        found[id] = min(there, max(ours, ours + other.get(id, 0) - (keeps[id] - there)))
    return found


def had_before(order: Order, earlier: Iterable[Case]) -> dict[VariantId, int]:
    """The pieces for which something has been given back already: in cases, and of parcels that came back."""
    found = claimed_before(earlier)
    for id, pieces in parcels.given_back(order).items():
        found[id] = found.get(id, 0) + pieces
    return found


def worth_of(order: Order, agreed: Terms, earlier: Iterable[Case], owed: Mapping[int, Mapping[VariantId, int]]) -> dict[int, int]:
    """What each of these is worth, one after the other, as in a case; what leaves the buyer nothing is worth all that is left of the order.

    What the shop has given back for them by hand (`by_hand`) is a part of it.
    """
    paid, first = worth(order, agreed), had_before(order, earlier)
    sold, gone, found = parcels.sold_for_good(order, agreed.items), parcels.parcels_of(order), dict[int, int]()
    left = order.left + sum([gone[number - 1].by_hand for number in owed])
    for number, lines in owed.items():
        amount = 0
        for id, pieces in lines.items():
            amount += between(paid[id], first.get(id, 0), pieces)
            first[id] = first.get(id, 0) + pieces
        keeps = any(first.get(id, 0) < pieces for id, pieces in sold.items())
        found[number] = min(amount, left) if keeps or not lines else left
        left -= found[number]
    return found


def keeps_nothing(order: Order, agreed: Terms, earlier: Iterable[Case]) -> bool:
    """Whether its buyer has had money for every piece that was sold for good, or for what came back of it."""
    first = had_before(order, earlier)
    return all(first.get(id, 0) >= pieces for id, pieces in parcels.sold_for_good(order, agreed.items).items())


def settled(parcel: Parcel, pieces: Mapping[VariantId, int], *, at: int) -> Parcel:
    """A parcel whose buyer has had what is owed for these pieces, and for the others in a case."""
    return replace(parcel, settled_at=at, back_by=0, by_hand=0, given_back=tuple([PackedLine(*one) for one in pieces.items()]))


def credited(order: Order, agreed: Terms, earlier: Iterable[Case], amount: int, *, at: int) -> Order:
    """The order once its shop has given so much back by hand: that counts for what has come back, the first parcel first.

    Nothing by hand (0) settles what cases alone have paid for.
    """
    earlier = tuple(earlier)
    owed = owed_pieces(order, agreed, earlier)
    due = worth_of(order, agreed, earlier, owed)
    gone = list(parcels.parcels_of(order))
    pool = amount + sum([gone[number - 1].by_hand for number in owed])
    for number, pieces in owed.items():
        if due[number] <= pool or not pieces:
            gone[number - 1] = settled(gone[number - 1], pieces, at=at)
            pool -= min(pool, due[number])
        else:
            gone[number - 1] = replace(gone[number - 1], by_hand=pool)
            pool = 0
    return with_parcels(order, gone)


def with_parcels(order: Order, gone: Iterable[Parcel]) -> Order:
    """The order with its parcels as they are now."""
    return replace(order, progress=replace(order.progress, parcels=tuple(gone)))


def is_all_back(order: Order, agreed: Terms) -> bool:
    """Whether everything that ever left has come back and was paid back, but in no case."""
    gone = parcels.totals(line for parcel in parcels.first_sent(order) for line in parcels.packed(parcel, agreed.items))
    return gone == parcels.given_back(order)
