"""Prefixed, time-ordered ids: `ord_` + 44 bits of milliseconds + 20 bits of sequence + 40 bits of entropy, 26 hex digits."""

from typing import Annotated, NewType

from msgspec import Meta

_ID = Annotated[str, Meta(pattern=r"^[a-z]{3}_[0-9a-z]{1,40}(?![\s\S])", description="A prefixed, time-ordered id.")]

PersonId = NewType("PersonId", _ID)
SessionId = NewType("SessionId", _ID)
ChallengeId = NewType("ChallengeId", _ID)
LetterId = NewType("LetterId", _ID)
AddressId = NewType("AddressId", _ID)
ShopId = NewType("ShopId", _ID)
ApplicationId = NewType("ApplicationId", _ID)
CategoryId = NewType("CategoryId", _ID)
GoodsId = NewType("GoodsId", _ID)
VariantId = NewType("VariantId", _ID)
LocationId = NewType("LocationId", _ID)
ShippingTemplateId = NewType("ShippingTemplateId", _ID)
HoldId = NewType("HoldId", _ID)
CheckoutId = NewType("CheckoutId", _ID)
OrderId = NewType("OrderId", _ID)
RefundId = NewType("RefundId", _ID)
CaseId = NewType("CaseId", _ID)
ReviewId = NewType("ReviewId", _ID)
AccountId = NewType("AccountId", _ID)
TransferId = NewType("TransferId", _ID)
EscrowId = NewType("EscrowId", _ID)
PaymentId = NewType("PaymentId", _ID)
AlarmId = NewType("AlarmId", _ID)
JobId = NewType("JobId", _ID)
NoticeLetterId = NewType("NoticeLetterId", _ID)

LAST = "~"
"""Sorts behind every id."""
MILLISECONDS_DIGITS, SERIAL_DIGITS, ENTROPY_DIGITS = 11, 5, 10


def made(prefix: str, *, at_ms: int, serial: int, entropy: int) -> str:
    """An id that sorts by time, then by serial number (20 bits); `entropy` (40 bits) makes it unguessable."""
    return f"{prefix}_{at_ms:011x}{serial & 0xFFFFF:05x}{entropy:010x}"


def sibling(id: str, prefix: str) -> str:
    """The id of another kind of thing that belongs to this one alone, so that neither needs an index to find the other."""
    return f"{prefix}_{id.partition('_')[2]}"


def first_of(prefix: str, at_ms: int) -> str:
    """What sorts before every id of its kind that is made at a moment or after, and behind every earlier one."""
    return f"{prefix}_{at_ms:011x}"
