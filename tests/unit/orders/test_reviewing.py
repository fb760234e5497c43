"""What is said about a review later: once by its author, once by the shop that sold, in public, and it goes with who wrote it."""

import pytest

from unit.orders.market import Buyer, Market
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.commands import ReviewOrder
from yunduan.domains.orders.queries import ReviewsOfGoods, ReviewView
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.reviewing import AnswerReview, FollowUpReview
from yunduan.kernel.ids import GoodsId, OrderId, ReviewId, VariantId

NOBODYS = ReviewId("rev_0198aa00000000010000000000")


class Reviewed:
    """Goods with one review."""

    def __init__(self, market: Market) -> None:
        """Buy, receive, review."""
        self.market = market
        self.buyer: Buyer = market.buyer(2799)
        self.variant: VariantId = market.offer(5)
        self.buyer.want(self.variant)
        (order,) = self.buyer.buy().orders
        self.order: OrderId = order.id
        market.ship(self.order)
        market.world.send(ConfirmReceipt(order_id=self.order), actor=self.buyer.actor)
        said = ReviewOrder(order_id=self.order, variant_id=self.variant, stars=4, text="清香")
        self.review: ReviewId = market.world.send(said, actor=self.buyer.actor).id
        ((self.goods,),) = market.world.rows("SELECT goods_id FROM review")

    def seen(self) -> ReviewView:
        """As everybody sees it."""
        (found,) = self.market.world.ask(ReviewsOfGoods(goods_id=GoodsId(self.goods))).items
        return found

    def follow_up(self, text: str = "喝了一个月，还是很香") -> FollowUpReview:
        """The author's command."""
        return FollowUpReview(order_id=self.order, variant_id=self.variant, text=text)

    def answer(self, review: ReviewId | None = None) -> AnswerReview:
        """The shop's command."""
        return AnswerReview(shop_id=self.market.shop.id, review_id=review or self.review, text="谢谢惠顾")


@pytest.fixture
def reviewed(market: Market) -> Reviewed:
    """Somebody has said something."""
    return Reviewed(market)


def test_both_say_something_once(reviewed: Reviewed, market: Market) -> None:
    """Everybody reads it beside the review; a second time is refused and changes nothing; on disk it is sealed."""
    assert (reviewed.seen().follow_up, reviewed.seen().answer) == ("", "")
    market.world.send(reviewed.follow_up(), actor=reviewed.buyer.actor)
    market.world.send(reviewed.answer(), actor=market.staff("service"))
    seen = reviewed.seen()
    assert (seen.text, seen.follow_up, seen.answer, seen.stars) == ("清香", "喝了一个月，还是很香", "谢谢惠顾", 4)
    market.assert_refused("said_already", reviewed.follow_up("again"), reviewed.buyer.actor)
    market.assert_refused("said_already", reviewed.answer(), market.staff("owner"))
    assert not market.holds("一个月")
    assert not market.holds("谢谢惠顾")
    kinds = [
        kind for (kind,) in market.world.rows("SELECT json_extract(body, '$.kind') FROM fact WHERE kind = 'ReviewAddedTo' ORDER BY seq")
    ]
    assert kinds == ["follow_up", "answer"]


def test_only_who_bought_and_who_sold(reviewed: Reviewed, market: Market) -> None:
    """Others do not find it, nor does the author where nothing was said."""
    stranger = market.buyer()
    market.assert_refused("order_not_found", reviewed.follow_up(), stranger.actor)
    unsaid = FollowUpReview(order_id=reviewed.order, variant_id=market.offer(1), text="x")
    market.assert_refused("review_not_found", unsaid, reviewed.buyer.actor)
    other = market.other.id
    elsewhere = AnswerReview(shop_id=other, review_id=reviewed.review, text="x")
    market.assert_refused("review_not_found", elsewhere, market.staff("owner", shop=other))
    market.assert_refused("review_not_found", reviewed.answer(), market.staff("packer"))
    market.assert_refused("review_not_found", reviewed.answer(NOBODYS), market.staff("owner"))


def test_what_was_said_goes_with_who_wrote_it(reviewed: Reviewed, market: Market) -> None:
    """The author is erased: their words are nowhere, the stars and the shop's answer stay."""
    market.world.send(reviewed.follow_up(), actor=reviewed.buyer.actor)
    market.world.send(reviewed.answer(), actor=market.staff("owner"))
    market.world.send(ErasePerson(person_id=reviewed.buyer.person))
    market.world.settle()
    seen = reviewed.seen()
    assert (seen.stars, seen.text, seen.follow_up, seen.answer) == (4, "", "", "谢谢惠顾")
