"""Prefixed, time-ordered ids: `ord_` + 44 bits of milliseconds + 20 bits of sequence + 40 bits of entropy, 26 hex digits."""

from typing import Annotated, NewType

from msgspec import Meta

AnyId = Annotated[str, Meta(pattern=r"^[a-z]{3}_[0-9a-z]{1,40}(?![\s\S])", description="A prefixed, time-ordered id.")]

PersonId = NewType("PersonId", AnyId)
SessionId = NewType("SessionId", AnyId)
ChallengeId = NewType("ChallengeId", AnyId)
LetterId = NewType("LetterId", AnyId)
AddressId = NewType("AddressId", AnyId)
ShopId = NewType("ShopId", AnyId)
ApplicationId = NewType("ApplicationId", AnyId)
CategoryId = NewType("CategoryId", AnyId)
GoodsId = NewType("GoodsId", AnyId)
VariantId = NewType("VariantId", AnyId)
LocationId = NewType("LocationId", AnyId)
ShippingTemplateId = NewType("ShippingTemplateId", AnyId)
HoldId = NewType("HoldId", AnyId)
CheckoutId = NewType("CheckoutId", AnyId)
OrderId = NewType("OrderId", AnyId)
RefundId = NewType("RefundId", AnyId)
CaseId = NewType("CaseId", AnyId)
ReviewId = NewType("ReviewId", AnyId)
AccountId = NewType("AccountId", AnyId)
TransferId = NewType("TransferId", AnyId)
EscrowId = NewType("EscrowId", AnyId)
PaymentId = NewType("PaymentId", AnyId)
AlarmId = NewType("AlarmId", AnyId)
JobId = NewType("JobId", AnyId)
NoticeLetterId = NewType("NoticeLetterId", AnyId)

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
