"""Pieces on hand and promised, and what becomes of a promise: pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog.model.forms import ON_HAND_MAX, CatalogRefusal, Quantity
from yunduan.kernel.ids import HoldId, LocationId, VariantId
from yunduan.kernel.refusals import BrokenError, Refused


class Stock(Struct, frozen=True, gc=False):
    """Pieces of one variant at one location: on hand, and of these promised to orders."""

    variant_id: VariantId
    location_id: LocationId
    on_hand: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """What can still be sold."""
        return self.on_hand - self.held

    def moved(self, *, on_hand: int = 0, held: int = 0) -> "Stock":
        """After so many more, or fewer, are on hand and held; never fewer than none, and never more held than there are."""
        on_hand, held = self.on_hand + on_hand, self.held + held
        if not 0 <= held <= on_hand:
            raise BrokenError(f"{self.variant_id}: {held} held of {on_hand}")
        return Stock(variant_id=self.variant_id, location_id=self.location_id, on_hand=on_hand, held=held)


class StockReason(StrEnum):
    """Why the number of pieces on hand was changed by hand."""

    COUNTED = "counted"
    RECEIVED = "received"
    DAMAGED = "damaged"
    LOST = "lost"
    MOVED = "moved"
    IMPORTED = "imported"


def counted(stock: Stock, on_hand: int) -> Stock:
    """The stock after a count; refuses to have less than is held, and more than anybody has."""
    if on_hand < stock.held:
        figures = StockFigures(on_hand=stock.on_hand, held=stock.held)
        raise Refused(CatalogRefusal.STOCK_HELD, "these pieces are promised to orders", figures=figures)
    if on_hand > ON_HAND_MAX:
        raise Refused(CatalogRefusal.STOCK_TOO_LARGE, f"{ON_HAND_MAX} pieces are the most")
    return stock.moved(on_hand=on_hand - stock.on_hand)


class StockFigures(Struct, frozen=True, kw_only=True):
    """What there is, for whoever was refused."""

    on_hand: int
    held: int


class HoldState(StrEnum):
    """Where a hold stands: held, then either released (and perhaps held anew), or taken because the goods have left."""

    HELD = "held"
    RELEASED = "released"
    TAKEN = "taken"


HOLD_MOVES: Mapping[HoldState, frozenset[HoldState]] = MappingProxyType(
    {
        HoldState.HELD: frozenset({HoldState.RELEASED, HoldState.TAKEN}),
        HoldState.RELEASED: frozenset({HoldState.HELD}),
        HoldState.TAKEN: frozenset(),
    }
)
"""From each state, the states that may follow; to be told again what has been done changes nothing.

What was released is held anew when it is paid for late and there is enough.
"""


class HoldLine(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """So many pieces of a variant."""

    variant_id: VariantId
    quantity: Quantity


class HeldLine(Struct, frozen=True, array_like=True, gc=False):
    """So many pieces of a variant at one location; of these, what has come back after they were taken."""

    variant_id: VariantId
    location_id: LocationId
    quantity: int
    returned: int = 0
    gone: int = 0
    """What has left while others of the hold still wait; once the hold is taken, all of it has."""

    @property
    def waits(self) -> int:
        """How many are still there, while the hold stands."""
        return self.quantity - self.gone


class Hold(Struct, frozen=True, kw_only=True):
    """Stock promised to one order."""

    id: HoldId
    state: HoldState
    lines: tuple[HeldLine, ...]

    def quantities(self) -> dict[VariantId, int]:
        """How many pieces of each variant it is for."""
        return totals(self.lines)


class Left(Struct, frozen=True, kw_only=True):
    """How many pieces of a variant can still be had."""

    variant_id: VariantId
    available: int


class Locations(Struct, frozen=True, kw_only=True):
    """The locations of a shop, in their order."""

    location_ids: tuple[LocationId, ...]


class Together(Struct, frozen=True, kw_only=True):
    """How many pieces of each variant the location can send that has most of the lines whole."""

    lines: tuple[Left, ...]


class SoldOut(Struct, frozen=True, kw_only=True):
    """What is left of each variant that there is too little of."""

    lines: tuple[Left, ...]


def totals(lines: Iterable[HoldLine | HeldLine]) -> dict[VariantId, int]:
    """Quantities by variant; a variant that comes twice is counted together."""
    summed: dict[VariantId, int] = {}
    for line in lines:
        variant_id = line.variant_id
        summed[variant_id] = summed.get(variant_id, 0) + line.quantity
    return summed


def part_gone(hold: Hold, part: Mapping[VariantId, int], place: LocationId | None = None) -> tuple[Hold, list[HeldLine]]:
    """A hold after some of its pieces have left, from one place if it is named, and which left from where; refuses more than still wait."""
    lines, changes, missing = [], [], dict(part)
    for line in hold.lines:
        pieces = min(missing.get(line.variant_id, 0), line.waits) if place in (None, line.location_id) else 0
        lines.append(replace(line, gone=line.gone + pieces))
        if pieces:
            missing[line.variant_id] -= pieces
            changes.append(HeldLine(line.variant_id, line.location_id, pieces))
    if any(missing.values()):
        raise Refused(CatalogRefusal.EXCEEDS_HELD, "more leaves than is held")
    return Hold(id=hold.id, state=hold.state, lines=tuple(lines)), changes


def ended(hold: Hold, to: HoldState) -> Hold:
    """A hold whose waiting pieces have been let go or have left. What had left before them has left whatever becomes of the rest."""
    if to is HoldState.RELEASED and (gone := [line for line in hold.lines if line.gone]):
        return Hold(id=hold.id, state=HoldState.TAKEN, lines=tuple(replace(line, quantity=line.gone, gone=0) for line in gone))
    return Hold(id=hold.id, state=to, lines=tuple(replace(line, gone=0) if line.gone else line for line in hold.lines))


def give_back(hold: Hold, back: Mapping[VariantId, int], first: LocationId | None = None) -> tuple[Hold, list[HeldLine]]:
    """A hold after pieces that had left have come back, those that left from one place first, and which went where.

    Refuses more than has left and has not yet come back.
    """
    changes, missing = dict[int, HeldLine](), dict(back)
    for place, line in sorted(enumerate(hold.lines), key=lambda one: one[1].location_id != first):
        gone = line.quantity if hold.state is HoldState.TAKEN else line.gone
        part = min(missing.get(line.variant_id, 0), gone - line.returned)
        if part:
            missing[line.variant_id] -= part
            changes[place] = HeldLine(line.variant_id, line.location_id, part)
    if any(missing.values()):
        raise Refused(CatalogRefusal.EXCEEDS_TAKEN, "more comes back than has left")
    lines = [replace(line, returned=line.returned + changes[at].quantity) if at in changes else line for at, line in enumerate(hold.lines)]
    return Hold(id=hold.id, state=hold.state, lines=tuple(lines)), [changes[place] for place in sorted(changes)]
