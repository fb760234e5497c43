"""Reviews that somebody reports: once each, decided by operators, answered; what is hidden counts for nothing, and what a shop scores."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.orders.market import Buyer, Market
from yunduan.domains.catalog.model import average_hundredths
from yunduan.domains.catalog.queries import GoodsPage, ShopPage, Shops
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders import reporting
from yunduan.domains.orders.commands import ReviewOrder
from yunduan.domains.orders.model import ReportReason, Verdict
from yunduan.domains.orders.queries import ReviewsOfGoods
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.reporting import JudgeReview, MyReports, ReportedReviews, ReportReview
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import GoodsId, ReviewId, VariantId
from yunduan.kernel.refusals import Refused


def bought(market: Market, buyer: Buyer, variant: VariantId, stars: int, text: str = "好茶") -> ReviewId:
    """Bought, received and reviewed."""
    buyer.want(variant)
    (order,) = buyer.buy().orders
    market.ship(order.id)
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    said = ReviewOrder(order_id=order.id, variant_id=variant, stars=stars, text=text)
    return market.world.send(said, actor=buyer.actor).id


def goods_of(market: Market, variant: VariantId) -> GoodsId:
    """The goods of a variant."""
    ((goods,),) = market.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)
    return goods


def report(market: Market, id: ReviewId, actor: Actor, **more: object) -> None:
    """Report a review."""
    market.world.send(ReportReview(**{"review_id": id, "reason": ReportReason.ADVERTISING} | more), actor=actor)


def judge(market: Market, id: ReviewId, *, hide: bool, text: str = "是广告") -> reporting.ReviewStands:
    """Decide about it."""
    return market.world.send(JudgeReview(review_id=id, hide=hide, text=text), actor=market.operator("service"))


def score(market: Market) -> tuple[int, int | None]:
    """How the shop is liked: on its page and in the operators' list alike."""
    market.world.settle()
    page = market.world.ask(ShopPage(shop_id=market.shop.id))
    (listed,) = [one for one in market.world.ask(Shops(), actor=market.operator("admin")).items if one.id == market.shop.id]
    assert (listed.reviews, listed.rating_hundredths) == (page.reviews, page.rating_hundredths)
    return page.reviews, page.rating_hundredths


def test_what_a_shop_scores_is_what_its_reviews_say(market: Market) -> None:
    """All goods of it together, each review once, to the hundredth, half up; other shops' are theirs."""
    assert score(market) == (0, None)
    buyer, tea, cup = market.buyer(100_000), market.offer(), market.offer()
    for variant, stars in ((tea, 5), (cup, 4), (tea, 4)):
        bought(market, buyer, variant, stars)
    assert score(market) == (3, 433)
    assert market.world.ask(ShopPage(shop_id=market.other.id)).reviews == 0


@given(stars=st.lists(st.integers(1, 5), min_size=1, max_size=50))
def test_an_average_is_exact_to_the_hundredth(stars: list[int]) -> None:
    """Half up."""
    assert average_hundredths(sum(stars), len(stars)) == floor(Fraction(100 * sum(stars), len(stars)) + Fraction(1, 2))


def test_what_is_hidden_is_not_seen_and_counts_for_nothing(market: Market) -> None:
    """Until it is shown again; the text stays its author's."""
    buyer, other, tea = market.buyer(100_000), market.buyer(), market.offer()
    bad, good = bought(market, buyer, tea, 1, "加微信"), bought(market, buyer, tea, 4)
    goods = goods_of(market, tea)
    report(market, bad, other.actor, text="是广告")
    stands = judge(market, bad, hide=True)
    assert (stands.is_hidden, stands.answered) == (True, 1)
    assert [one.id for one in market.world.ask(ReviewsOfGoods(goods_id=goods)).items] == [good]
    assert score(market) == (1, 400)
    page = market.world.ask(GoodsPage(goods_id=goods))
    assert (page.reviews, page.rating_hundredths) == (1, 400)
    market.assert_refused("review_not_found", ReportReview(review_id=bad, reason=ReportReason.FALSE), buyer.actor)
    market.assert_refused("review_not_reported", JudgeReview(review_id=bad, hide=True, text="广告"), market.operator("service"))
    assert judge(market, bad, hide=False, text="误判").answered == 0
    assert len(market.world.ask(ReviewsOfGoods(goods_id=goods)).items) == 2
    assert score(market) == (2, 250)


def test_whoever_reports_is_answered(market: Market) -> None:
    """All who wait, by one decision; each sees their own, and operators never see who they are."""
    buyer, tea = market.buyer(100_000), market.offer()
    id = bought(market, buyer, tea, 1, "加微信")
    first, second, third = market.buyer(), market.buyer(), market.buyer()
    report(market, id, first.actor, text="是广告")
    report(market, id, second.actor, reason=ReportReason.PRIVATE)
    page = market.world.ask(ReportedReviews(), actor=market.operator("service"))
    (seen,) = page.items
    assert (seen.id, seen.stars, seen.text, seen.is_hidden, page.after) == (id, 1, "加微信", False, None)
    assert [(one.reason, one.text) for one in seen.reports] == [(ReportReason.ADVERTISING, "是广告"), (ReportReason.PRIVATE, "")]
    assert judge(market, id, hide=False, text="不是广告").answered == 2
    assert market.world.ask(ReportedReviews(), actor=market.operator("service")).items == ()
    (mine,) = market.world.ask(MyReports(), actor=first.actor).items
    assert (mine.review_id, mine.verdict, mine.answer, mine.judged_at) == (id, Verdict.KEPT, "不是广告", market.world.clock.wall_ms())
    assert market.world.ask(MyReports(), actor=third.actor).items == ()
    market.assert_refused("already_reported", ReportReview(review_id=id, reason=ReportReason.FALSE), first.actor)
    report(market, id, third.actor)
    assert judge(market, id, hide=True).answered == 1
    (mine,) = market.world.ask(MyReports(), actor=first.actor).items
    assert mine.verdict is Verdict.KEPT
    assert not market.holds("是广告")


def test_what_is_reported_often_is_known(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more reports wait than operators need."""
    monkeypatch.setattr(reporting, "REPORTS_OPEN_MAX", 2)
    buyer, tea = market.buyer(100_000), market.offer()
    id = bought(market, buyer, tea, 1)
    for _ in range(2):
        report(market, id, market.buyer().actor)
    market.assert_refused("reports_full", ReportReview(review_id=id, reason=ReportReason.FALSE), buyer.actor)
    judge(market, id, hide=False)
    report(market, id, buyer.actor)


def test_what_is_not_there_is_not_found(market: Market) -> None:
    """For nobody; and nobody reports who is not signed in."""
    buyer = market.buyer(100_000)
    id = bought(market, buyer, market.offer(), 5)
    market.assert_refused("review_not_found", ReportReview(review_id=id, reason=ReportReason.FALSE), ANONYMOUS)
    market.assert_refused("review_not_found", ReportReview(review_id="rev_0", reason=ReportReason.FALSE), buyer.actor)
    market.assert_refused("review_not_found", JudgeReview(review_id="rev_0", hide=True, text="广告"), market.operator("service"))
    market.assert_refused("review_not_reported", JudgeReview(review_id=id, hide=False, text="广告"), market.operator("service"))


def test_the_words_of_a_report_go_with_whoever_said_them(market: Market) -> None:
    """The report stays."""
    buyer, gone = market.buyer(100_000), market.buyer()
    id = bought(market, buyer, market.offer(), 1)
    report(market, id, gone.actor, text="是广告")
    market.world.send(ErasePerson(person_id=gone.person))
    market.world.settle()
    (seen,) = market.world.ask(ReportedReviews(), actor=market.operator("service")).items
    assert [one.text for one in seen.reports] == [None]


def test_a_report_and_a_verdict_race(market: Market) -> None:
    """Either the verdict answers it, or it waits for the next one; of two the same only one is kept."""
    buyer, other = market.buyer(100_000), market.buyer()
    id = bought(market, buyer, market.offer(), 1)
    report(market, id, buyer.actor)
    late = (ReportReview(review_id=id, reason=ReportReason.FALSE), other.actor)
    verdict = (JudgeReview(review_id=id, hide=False, text="留下"), market.operator("service"))
    outcomes = market.world.send_all([verdict, late, late])
    assert [isinstance(one, Refused) for one in outcomes] == [False, False, True]
    assert len(market.world.ask(ReportedReviews(), actor=market.operator("service")).items) == 1
