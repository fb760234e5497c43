"""Reviews that somebody reports: operators look at each, and take it from what everybody sees or leave it; whoever reported is told."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import OperatorRole, Vault
from yunduan.domains.orders import store
from yunduan.domains.orders.cases import Reasons, Statement
from yunduan.domains.orders.facts import ReviewJudged, ReviewReported
from yunduan.domains.orders.model import OrderRefusal, ReportReason, Review, ReviewReport, Verdict, WordKind
from yunduan.domains.orders.queries.paging import PageSize, paged
from yunduan.domains.orders.steps import refuse_own, sealed
from yunduan.kernel.ids import LAST, GoodsId, ReviewId, ShopId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

JUDGES = (OperatorRole.ADMIN, OperatorRole.SERVICE)
"""Which operators decide about reviews that were reported."""
REPORTS_OPEN_MAX = 50
"""How many reports of one review may wait: operators know by then."""


class ReportKept(Struct, frozen=True, kw_only=True):
    """Operators will look at this review."""

    review_id: ReviewId


class ReportReview(Command[ReportKept], refuses={OrderRefusal.REVIEW_NOT_FOUND, OrderRefusal.REPORTED, OrderRefusal.REPORTS_FULL}):
    """Say that a review should not be there, once a person; operators decide, and whoever has said so is told."""

    review_id: ReviewId
    reason: ReportReason
    text: Statement = ""


class ReviewStands(Struct, frozen=True, kw_only=True):
    """Whether a review is shown now, and how many who had reported it are told so."""

    id: ReviewId
    is_hidden: bool
    answered: int


class JudgeReview(Command[ReviewStands], refuses={OrderRefusal.REVIEW_NOT_FOUND, OrderRefusal.NOT_REPORTED, OrderRefusal.OWN_MATTER}):
    """Take a review from what everybody sees, or leave or put it back there, with reasons; every report that waits is answered by that.

    A hidden review counts for nothing. What was decided can be decided anew, when it is reported again or the other way round.
    """

    review_id: ReviewId
    hide: bool
    text: Reasons


class ReportView(Struct, frozen=True, kw_only=True):
    """What somebody says of a review; never who. The text is nothing once they have been erased."""

    reason: ReportReason
    text: str | None
    at: int


class ReportedReview(Struct, frozen=True, kw_only=True):
    """A review of which reports wait, as operators see it."""

    id: ReviewId
    shop_id: ShopId
    goods_id: GoodsId
    stars: int
    text: str
    follow_up: str
    answer: str
    at: int
    is_hidden: bool
    reports: tuple[ReportView, ...]


class ReportedPage(Struct, frozen=True, kw_only=True):
    """One page of them, the oldest reviews first; `after` asks for the next."""

    items: tuple[ReportedReview, ...]
    after: ReviewId | None


class ReportedReviews(Query[ReportedPage]):
    """The reviews of which reports wait."""

    after: ReviewId | None = None
    limit: Annotated[int, Meta(ge=1, le=20)] = 10


class MyReport(Struct, frozen=True, kw_only=True):
    """What became of a report of the caller's: nothing yet while `verdict` is `open`; then what operators say to it."""

    review_id: ReviewId
    reason: ReportReason
    at: int
    verdict: Verdict
    answer: str
    judged_at: int


class MyReportsPage(Struct, frozen=True, kw_only=True):
    """One page of them, of the latest reviews first; `after` asks for the next."""

    items: tuple[MyReport, ...]
    after: ReviewId | None


class MyReports(Query[MyReportsPage]):
    """The reviews that the caller has reported, and what became of that."""

    after: ReviewId | None = None
    limit: PageSize = 20


@handles(ReportReview)
def report_review(tx: Tx, ask: ReportReview) -> ReportKept:
    """Whoever is signed in; one that is hidden is not there."""
    review, reporter = store.review_by_id(tx, ask.review_id), tx.actor.person
    if review is None or review.hidden or not reporter:
        raise Refused(OrderRefusal.REVIEW_NOT_FOUND)
    if tx.get(store.REPORT, (review.id, reporter)) is not None:
        raise Refused(OrderRefusal.REPORTED)
    if len(store.open_reports(tx, review.id, REPORTS_OPEN_MAX)) >= REPORTS_OPEN_MAX:
        raise Refused(OrderRefusal.REPORTS_FULL)
    report = ReviewReport(review.id, reporter, ask.reason, sealed(tx, reporter, ask.text), tx.now)
    tx.add(store.REPORT, (review.id, reporter), report)
    tx.tell(ReviewReported(review_id=review.id, goods_id=review.goods_id, shop_id=review.shop_id, reason=ask.reason.value))
    return ReportKept(review_id=review.id)


@handles(JudgeReview)
def judge_review(tx: Tx, ask: JudgeReview) -> ReviewStands:
    """All reports that wait are of the same review, and have the same answer."""
    review = store.review_by_id(tx, ask.review_id)
    if review is None:
        raise Refused(OrderRefusal.REVIEW_NOT_FOUND)
    refuse_own(tx, review.author, review.shop_id)
    waiting = store.open_reports(tx, review.id, REPORTS_OPEN_MAX)
    if not waiting and ask.hide == review.hidden:
        raise Refused(OrderRefusal.NOT_REPORTED)
    judge = tx.actor.person
    answer, verdict = sealed(tx, judge, ask.text), Verdict.HIDDEN if ask.hide else Verdict.KEPT
    for report in tx.get_many(store.REPORT, [(review.id, one) for one in waiting]).values():
        judged = replace(report, verdict=verdict, judge=judge, answer=answer, judged_at=tx.now)
        tx.put(store.REPORT, (review.id, report.reporter), judged)
    if ask.hide != review.hidden:
        tx.put(store.REVIEW, (review.order_id, review.variant_id), replace(review, hidden=ask.hide))
    tx.tell(
        ReviewJudged(
            review_id=review.id,
            goods_id=review.goods_id,
            shop_id=review.shop_id,
            author=review.author,
            stars=review.stars,
            is_hidden=ask.hide,
            is_new=ask.hide != review.hidden,
            reporters=tuple(waiting),
        )
    )
    return ReviewStands(id=review.id, is_hidden=ask.hide, answered=len(waiting))


@answers(ReportedReviews)
def reported_reviews(at: Asking, ask: ReportedReviews) -> ReportedPage:
    """One page by the index of reports that wait."""
    shown, after = paged(store.reported(at, ask.after or "", ask.limit + 1), ask.limit)
    found = [review for review in (store.review_by_id(at, id) for id in shown) if review is not None]
    return ReportedPage(items=_reported(at, found), after=after)


def _reported(at: Asking, reviews: Sequence[Review]) -> tuple[ReportedReview, ...]:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    words = store.words_of(at, reviews)

    def said(review: Review, kind: WordKind) -> str:
        word = words.get((review.id, kind))
        return "" if word is None else vault.unseal(word.writer, word.sealed) or ""

    return tuple(
        [
            ReportedReview(
                id=review.id,
                shop_id=review.shop_id,
                goods_id=review.goods_id,
                stars=review.stars,
                text=(vault.unseal(review.author, review.sealed) or "") if review.sealed else "",
                follow_up=said(review, WordKind.FOLLOW_UP),
                answer=said(review, WordKind.ANSWER),
                at=review.at,
                is_hidden=review.hidden,
                reports=_reports(at, review, vault),
            )
            for review in reviews
        ]
    )


def _reports(at: Asking, review: Review, vault: Vault) -> tuple[ReportView, ...]:
    ids = [(review.id, reporter) for reporter in store.open_reports(at, review.id, REPORTS_OPEN_MAX)]
    found = sorted(at.get_many(store.REPORT, ids).values(), key=lambda report: (report.at, report.reporter))
    return tuple(
        [ReportView(reason=one.reason, text=vault.unseal(one.reporter, one.sealed) if one.sealed else "", at=one.at) for one in found]
    )


@answers(MyReports)
def my_reports(at: Asking, ask: MyReports) -> MyReportsPage:
    """One page by the index of reporters."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    person = at.actor.person
    shown, after = paged(store.reports_of(at, person, ask.after or LAST, ask.limit + 1), ask.limit)
    found = at.get_many(store.REPORT, [(id, person) for id in shown])
    items = tuple(
        [
            MyReport(
                review_id=one.review_id,
                reason=one.reason,
                at=one.at,
                verdict=one.verdict,
                answer=(vault.unseal(one.judge, one.answer) or "") if one.answer else "",
                judged_at=one.judged_at,
            )
            for one in (found[id, person] for id in shown)
        ]
    )
    return MyReportsPage(items=items, after=after)
