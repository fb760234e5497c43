"""What a review is, what is said about it later, and who has reported it: pure."""

import hashlib
from enum import StrEnum

from msgspec import Struct

from yunduan.kernel.ids import GoodsId, OrderId, PersonId, ReviewId, ShopId, VariantId


class Review(Struct, frozen=True, gc=False):
    """What a buyer says in public about goods that have arrived. The text is sealed under the author's key; nothing when there is none."""

    order_id: OrderId
    variant_id: VariantId
    id: ReviewId
    goods_id: GoodsId
    shop_id: ShopId
    author: PersonId
    stars: int
    sealed: bytes
    at: int
    hidden: bool = False
    """Whether operators have taken it from what everybody sees; it counts for nothing then."""


class ReportReason(StrEnum):
    """Why a review should not be there: a closed list."""

    ADVERTISING = "advertising"
    INSULTING = "insulting"
    PRIVATE = "private"
    """It says what concerns a person."""
    FALSE = "false"
    """It is about other goods, or bought."""
    UNLAWFUL = "unlawful"
    OTHER = "other"


class Verdict(StrEnum):
    """What became of a report."""

    OPEN = "open"
    KEPT = "kept"
    HIDDEN = "hidden"


class ReviewReport(Struct, frozen=True, gc=False):
    """That somebody has reported a review; what they say is sealed under their key, what operators answer under the judge's."""

    review_id: ReviewId
    reporter: PersonId
    reason: ReportReason
    sealed: bytes
    at: int
    verdict: Verdict = Verdict.OPEN
    judge: PersonId = PersonId("")
    answer: bytes = b""
    judged_at: int = 0


class WordKind(StrEnum):
    """What can be said about a review later."""

    FOLLOW_UP = "follow_up"
    """By its author, when the goods have been used for a while."""
    ANSWER = "answer"
    """By the shop."""


class Word(Struct, frozen=True, gc=False):
    """What was said about a review later; the text is sealed under the key of who wrote it."""

    review_id: ReviewId
    kind: WordKind
    writer: PersonId
    sealed: bytes
    at: int


def pen_name(author: PersonId, goods_id: GoodsId) -> str:
    """What the public sees of an author: one name for each goods, so that nobody can follow a person from review to review."""
    return f"buyer-{hashlib.blake2b(f'{author} {goods_id}'.encode(), digest_size=4).hexdigest()}"
