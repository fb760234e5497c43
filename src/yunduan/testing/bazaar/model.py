"""The values of the toy market, and its pure decisions."""

from enum import StrEnum

from msgspec import Struct

from yunduan.kernel.refusals import RefusalCode, Refused, invariant

MINT = "mint"
"""Where money comes from: the one purse that may be below zero, so that all of them sum to nothing."""


class BazaarRefusal(RefusalCode):
    """Why the market says no."""

    NO_SUCH_PURSE = "purse_not_found", "There is no such purse."
    NO_SUCH_ITEM = "item_not_found", "There is no such thing."
    NO_SUCH_HOLD = "hold_not_found", "Nothing is held under this number."
    HOLD_ENDED = "hold_ended", "What was held is not held any more."
    SHORT = "insufficient_funds", "There is not enough money in the purse."
    SOLD_OUT = "sold_out", "There are too few of the thing."


class Unheard(RefusalCode):
    """A code that no command declares."""

    OF = "unheard_of", "No command declares this."


class Purse(Struct, frozen=True):
    """Somebody's money."""

    id: str
    balance: int
    moves: int


class Stall(Struct, frozen=True):
    """How much there is of a thing; what is held is still on hand."""

    item: str
    on_hand: int
    held: int


class HoldState(StrEnum):
    """Where a hold stands."""

    HELD = "held"
    TAKEN = "taken"
    EXPIRED = "expired"


class Hold(Struct, frozen=True):
    """A number of things kept for somebody until a time."""

    id: int
    item: str
    quantity: int
    state: HoldState
    due: int


class Receipt(Struct, frozen=True, kw_only=True):
    """What each command is answered with: its number and the first fact that it told."""

    op: int
    seq: int


def moved(purse: Purse, delta: int) -> Purse:
    """A purse after a move; only the mint goes below zero."""
    after = Purse(purse.id, purse.balance + delta, purse.moves + 1)
    if after.balance < 0 and purse.id != MINT:
        raise Refused(BazaarRefusal.SHORT, f"{purse.balance} and {delta}")
    return after


def available(stall: Stall) -> int:
    """How many can be held."""
    return stall.on_hand - stall.held


def held(stall: Stall, quantity: int) -> Stall:
    """A stall after a hold, which is refused beyond what is there."""
    if quantity > available(stall):
        raise Refused(BazaarRefusal.SOLD_OUT, f"{available(stall)} are left")
    return Stall(stall.item, stall.on_hand, stall.held + quantity)


def ended(hold: Hold, state: HoldState) -> Hold:
    """A hold after its end, which comes once."""
    if hold.state is not HoldState.HELD:
        raise Refused(BazaarRefusal.HOLD_ENDED, hold.state)
    return Hold(hold.id, hold.item, hold.quantity, state, hold.due)


def let_go(stall: Stall, hold: Hold, *, taken: bool) -> Stall:
    """A stall after the end of a hold."""
    invariant(stall.held >= hold.quantity, f"{hold.id} was held")
    return Stall(stall.item, stall.on_hand - (hold.quantity if taken else 0), stall.held - hold.quantity)
