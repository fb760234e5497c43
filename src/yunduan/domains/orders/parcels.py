"""Parcels: what of an order is in which, what has not left, and what is told of them."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from yunduan.domains.orders.model import Order, OrderRefusal, PackedLine, Parcel, SoldItem
from yunduan.kernel.ids import OrderId, VariantId
from yunduan.kernel.refusals import Refused


class ScanKind(StrEnum):
    """What a carrier can tell of a parcel."""

    COLLECTED = "collected"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED = "attempted"
    """Nobody was there to take it."""
    DELIVERED = "delivered"
    RETURNED = "returned"
    """It has gone back to the shop."""


class Watch(Struct, frozen=True, gc=False):
    """A parcel whose carrier is asked where it is; `asked` counts how often."""

    order_id: OrderId
    parcel: int
    number: bytes
    next_at: int
    asked: int


class Scan(Struct, frozen=True, gc=False):
    """What a carrier has told of a parcel; where it was is sealed under the buyer's key."""

    order_id: OrderId
    parcel: int
    id: str
    kind: ScanKind
    at: int
    heard_at: int
    sealed: bytes


class PiecesLeft(Struct, frozen=True, kw_only=True):
    """How many pieces of a variant have not left."""

    variant_id: VariantId
    left: int


class Unshipped(Struct, frozen=True, kw_only=True):
    """What has not left of an order."""

    lines: tuple[PiecesLeft, ...]


def parcels_of(order: Order) -> tuple[Parcel, ...]:
    """What has left, the first first."""
    progress = order.progress
    if progress.parcels or not progress.shipped_at:
        return progress.parcels
    return (Parcel(progress.carrier, progress.tracking, progress.shipped_at),)


def first_sent(order: Order) -> tuple[Parcel, ...]:
    """The parcels in which goods left for the first time: each piece that has left is in one of them, once."""
    return tuple([parcel for parcel in parcels_of(order) if not parcel.of])


def standing(order: Order) -> dict[int, Parcel]:
    """The parcels whose goods have not left once more in another, by their numbers."""
    gone = parcels_of(order)
    again = {parcel.of for parcel in gone}
    return {number: parcel for number, parcel in enumerate(gone, 1) if number not in again}


def arrived_at(order: Order) -> int:
    """When the last of its parcels was delivered; 0 when one has not been, or nothing has left.

    What came back and was paid back is waited for no more.
    """
    awaited = [parcel for parcel in standing(order).values() if not parcel.settled_at]
    return max([parcel.arrived_at for parcel in awaited]) if awaited and all(parcel.arrived_at for parcel in awaited) else 0


def back_unsettled(order: Order) -> dict[int, Parcel]:
    """The parcels that have come back and were neither sent again nor paid back, by their numbers."""
    return {number: parcel for number, parcel in standing(order).items() if parcel.returned_at and not parcel.settled_at}


def given_back(order: Order) -> dict[VariantId, int]:
    """The pieces of parcels that came back for which money has gone back, but in no case."""
    return totals(line for parcel in parcels_of(order) for line in parcel.given_back)


def totals(lines: Iterable[PackedLine]) -> dict[VariantId, int]:
    """Pieces by variant."""
    found: dict[VariantId, int] = {}
    for line in lines:
        found[line.variant_id] = found.get(line.variant_id, 0) + line.quantity
    return found


def packed(parcel: Parcel, items: Sequence[SoldItem]) -> tuple[PackedLine, ...]:
    """What is in a parcel."""
    return parcel.lines or tuple([PackedLine(item.variant_id, item.quantity) for item in items])


def unshipped(order: Order, items: Sequence[SoldItem]) -> dict[VariantId, int]:
    """How many pieces of each variant have not left; those of which none is left are not named."""
    left = _pieces(items)
    for parcel in first_sent(order):
        for line in packed(parcel, items):
            left[line.variant_id] -= line.quantity
    return {id: pieces for id, pieces in left.items() if pieces}


def sold_for_good(order: Order, items: Sequence[SoldItem]) -> dict[VariantId, int]:
    """How many pieces of each variant were sold: all that were bought, less what was called off when others had left."""
    missing = unshipped(order, items) if order.progress.is_short else {}
    return {id: pieces - missing.get(id, 0) for id, pieces in _pieces(items).items() if pieces > missing.get(id, 0)}


def left_to_ship(order: Order, items: Sequence[SoldItem], lines: Sequence[PackedLine]) -> dict[VariantId, int]:
    """What is left when these have left as well; refuses what was not bought, and more pieces than are left."""
    left, bought = unshipped(order, items), {item.variant_id for item in items}
    for line in lines:
        if line.variant_id not in bought:
            raise Refused(OrderRefusal.ITEM_NOT_FOUND, "not bought with this order")
        if line.quantity > left.get(line.variant_id, 0):
            figures = Unshipped(lines=tuple([PiecesLeft(variant_id=id, left=pieces) for id, pieces in unshipped(order, items).items()]))
            raise Refused(OrderRefusal.EXCEEDS_UNSHIPPED, "more than is left to ship", figures=figures)
        left[line.variant_id] -= line.quantity
    return {id: pieces for id, pieces in left.items() if pieces}


def _pieces(items: Sequence[SoldItem]) -> dict[VariantId, int]:
    pieces: dict[VariantId, int] = {}
    for item in items:
        pieces[item.variant_id] = pieces.get(item.variant_id, 0) + item.quantity
    return pieces
