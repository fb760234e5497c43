"""Rulings: what operators have decided about a shop and its goods, and why; pure, no input or output."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.kernel.ids import PersonId, ShopId

_INK_ON_LINES = r"^(?=[\s\S]*\S)(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        pattern=_INK_ON_LINES,
        description="Not blank; line feeds are its only control characters.",
        examples=["资质已核验"],
    ),
]


class Ruled(StrEnum):
    """What operators decide, each time with a reason."""

    SHOP_SUSPENDED = "shop_suspended"
    SHOP_REOPENED = "shop_reopened"
    GOODS_REJECTED = "goods_rejected"
    GOODS_BANNED = "goods_banned"
    BAN_LIFTED = "ban_lifted"


class Ruling(Struct, frozen=True, gc=False):
    """One decision. Its reason is sealed under the key of whoever owned the shop then: it may say something about them."""

    shop_id: ShopId
    subject: str
    """The id of what was decided about: the shop, or goods of it."""
    ruled: Ruled
    person: PersonId
    reason: bytes
    by: PersonId
    at: int
