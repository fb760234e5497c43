"""What a provider has done by itself, and an operator has booked: our own money that came there or left, a split that it had refused."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity.model import LINE
from yunduan.domains.payments.model.custody import SplitId
from yunduan.kernel.ids import PersonId
from yunduan.kernel.money import Money

LineName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=LINE, description="How the provider's statement calls it (its request).")
]
BookedFor = Annotated[str, Meta(min_length=1, max_length=500, pattern=LINE, description="Why; for whoever audits it.")]


class BookingKind(StrEnum):
    """What was booked."""

    PAID_IN = "paid_in"
    """Money of the marketplace has come to the provider."""
    TAKEN_OUT = "taken_out"
    """The provider has paid it to the marketplace's bank account."""
    SPLIT = "split"
    """The provider has divided what it had refused to."""


class Booking(Struct, frozen=True, kw_only=True):
    """One line of a provider's statement that nobody here had asked for; who has booked it and why, sealed under their key."""

    id: str
    channel: str
    name: str
    state: BookingKind
    amount: Money
    by: PersonId
    reason: bytes
    at: int
    reference: str = ""
    of_shop: int = 0
    """How much of a split is the shop's, in minor units."""
    split_id: SplitId | None = None


def booking_id(channel: str, name: str) -> str:
    """Its id: the same line is booked once."""
    return f"{channel} {name}"
