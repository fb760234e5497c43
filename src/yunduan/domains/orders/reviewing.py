"""What is said about a review later: its author adds to it once, and the shop answers it once; both in public."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.orders import commands, store
from yunduan.domains.orders.commands import SERVES
from yunduan.domains.orders.facts import ReviewAddedTo
from yunduan.domains.orders.model import OrderRefusal, Review, Word, WordKind
from yunduan.domains.orders.steps import of_buyer, sealed
from yunduan.kernel.ids import OrderId, ReviewId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

Words = Annotated[commands.Opinion, Meta(min_length=1, examples=["好茶"])]


class ReviewSaid(Struct, frozen=True, kw_only=True):
    """What was said about it is public now."""

    id: ReviewId


class FollowUpReview(Command[ReviewSaid], refuses={OrderRefusal.NOT_FOUND, OrderRefusal.REVIEW_NOT_FOUND, OrderRefusal.SAID}):
    """Add to one's own review, once, what the goods are like after a while. The text goes with its author, like the review's."""

    order_id: OrderId
    variant_id: VariantId
    text: Words


class AnswerReview(Command[ReviewSaid], refuses={OrderRefusal.REVIEW_NOT_FOUND, OrderRefusal.SAID}):
    """Answer a review of the shop's goods in public, once, in the shop's name."""

    shop_id: ShopId
    review_id: ReviewId
    text: Words


@handles(FollowUpReview)
def follow_up_review(tx: Tx, ask: FollowUpReview) -> ReviewSaid:
    """By who bought, to what they have said."""
    order = of_buyer(tx, ask.order_id)
    review = tx.get(store.REVIEW, (order.id, ask.variant_id))
    return _say(tx, review, WordKind.FOLLOW_UP, ask.text)


@handles(AnswerReview)
def answer_review(tx: Tx, ask: AnswerReview) -> ReviewSaid:
    """By the staff of the shop that sold it; another shop's review is as if it were not there."""
    review = store.review_by_id(tx, ask.review_id)
    is_ours = review is not None and review.shop_id == ask.shop_id and tx.actor.serves(ask.shop_id, *SERVES)
    return _say(tx, review if is_ours else None, WordKind.ANSWER, ask.text)


def _say(tx: Tx, review: Review | None, kind: WordKind, text: str) -> ReviewSaid:
    if review is None:
        raise Refused(OrderRefusal.REVIEW_NOT_FOUND)
    place, writer = (review.id, kind), tx.actor.person
    if tx.get(store.WORD, place) is not None:
        raise Refused(OrderRefusal.SAID)
    tx.add(store.WORD, place, Word(review.id, kind, writer, sealed(tx, writer, text), tx.now))
    tx.tell(ReviewAddedTo(review_id=review.id, goods_id=review.goods_id, shop_id=review.shop_id, author=review.author, kind=kind.value))
    return ReviewSaid(id=review.id)
