"""What is asked about decisions: applications for shops, goods in review, and what operators have decided."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog import store, store_rulings
from yunduan.domains.catalog.applications import Application, ApplicationForm, ApplicationState
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.catalog.queries import PageSize
from yunduan.domains.catalog.rulings import Ruled
from yunduan.domains.identity.model import OperatorRole
from yunduan.kernel.ids import AnyId, ApplicationId, GoodsId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

DECIDES = (OperatorRole.ADMIN, OperatorRole.RISK)
"""Which operators see what applicants hand in."""


class ApplicationLine(Struct, frozen=True, kw_only=True):
    """An application in a list; `name` is nothing once the applicant has been erased."""

    id: ApplicationId
    applicant_id: PersonId
    state: ApplicationState
    name: str | None
    at: int
    shop_id: ShopId | None


class ApplicationView(Struct, frozen=True, kw_only=True):
    """An application with everything that was handed in; times are milliseconds since 1970, 0 for not yet."""

    id: ApplicationId
    applicant_id: PersonId
    state: ApplicationState
    form: ApplicationForm | None
    """Nothing once the applicant has been erased."""
    at: int
    decided_at: int
    reason: str | None
    """Why it was rejected."""
    shop_id: ShopId | None


class MyApplicationsAnswer(Struct, frozen=True, kw_only=True):
    """What somebody has applied for, the latest first."""

    items: tuple[ApplicationLine, ...]


class ApplicationList(Struct, frozen=True, kw_only=True):
    """One page of applications; `after` asks for the next, nothing when there is none."""

    items: tuple[ApplicationLine, ...]
    after: ApplicationId | None


class MyApplications(Query[MyApplicationsAnswer]):
    """The caller's own applications for a shop."""


class ApplicationOf(Query[ApplicationView], refuses={CatalogRefusal.APPLICATION_NOT_FOUND}):
    """One application, for whoever has sent it and for operators."""

    application_id: ApplicationId


class Applications(Query[ApplicationList]):
    """Applications in one state, who has waited longest first."""

    state: ApplicationState = ApplicationState.WAITING
    after: ApplicationId | None = None
    limit: PageSize = 20


class RulingView(Struct, frozen=True, kw_only=True):
    """One decision about a shop or goods of it; `reason` is nothing once whoever owned the shop then has been erased."""

    seq: int
    subject_id: AnyId
    ruled: Ruled
    reason: str | None
    at: int


class RulingList(Struct, frozen=True, kw_only=True):
    """One page of rulings, the latest first; `after` asks for the next, nothing when there is none."""

    items: tuple[RulingView, ...]
    after: int | None


class RulingsOnShop(Query[RulingList], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """What operators have decided about a shop and its goods, and why."""

    shop_id: ShopId
    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: PageSize = 20


class GoodsWaiting(Struct, frozen=True, kw_only=True):
    """Goods that wait for a review, as they are described in this version, since when."""

    place: int
    shop_id: ShopId
    id: GoodsId
    version: int
    title: str
    since: int


class ReviewQueue(Struct, frozen=True, kw_only=True):
    """One page of goods in review; `after` asks for the next, nothing when there is none."""

    items: tuple[GoodsWaiting, ...]
    after: int | None


class GoodsInReview(Query[ReviewQueue]):
    """Goods that wait for an operator, who has waited longest first."""

    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: PageSize = 20


@answers(MyApplications)
def my_applications(at: Asking, ask: MyApplications) -> MyApplicationsAnswer:  # noqa: ARG001 - every query has this form
    """Whoever asks."""
    return MyApplicationsAnswer(items=tuple(_line(at, one) for one in store_rulings.applications_of(at, at.actor.person)))


def application_seen(at: Asking, id: ApplicationId) -> Application:
    """An application of whoever asks, or any for operators who decide; somebody else's is as unknown as one that is not there."""
    found = store_rulings.application(at, id)
    if not (at.actor.is_system or at.actor.owns(found.applicant) or at.actor.operates(*DECIDES)):
        raise Refused(CatalogRefusal.APPLICATION_NOT_FOUND)
    return found


@answers(ApplicationOf)
def application_of(at: Asking, ask: ApplicationOf) -> ApplicationView:
    """Whom it is shown to is asked first."""
    found = application_seen(at, ask.application_id)
    return ApplicationView(
        id=found.id,
        applicant_id=found.applicant,
        state=found.state,
        form=store_rulings.form_of(at, found),
        at=found.at,
        decided_at=found.decided_at,
        reason=store_rulings.vault(at).unseal(found.applicant, found.reason) if found.reason else None,
        shop_id=found.shop_id or None,
    )


@answers(Applications)
def applications(at: Asking, ask: Applications) -> ApplicationList:
    """One more than asked for tells whether there is a next page; each name is opened by itself."""
    found = store_rulings.applications_in(at, ask.state, ask.after or "", ask.limit + 1)
    items = tuple(_line(at, one) for one in found[: ask.limit])
    return ApplicationList(items=items, after=items[-1].id if len(found) > ask.limit else None)


def _line(at: Asking, found: Application) -> ApplicationLine:
    form = store_rulings.form_of(at, found)
    return ApplicationLine(
        id=found.id,
        applicant_id=found.applicant,
        state=found.state,
        name=form.name if form else None,
        at=found.at,
        shop_id=found.shop_id or None,
    )


@answers(RulingsOnShop)
def rulings_on_shop(at: Asking, ask: RulingsOnShop) -> RulingList:
    """One page by the index of the shop's rulings."""
    store.shop(at, ask.shop_id)
    vault = store_rulings.vault(at)
    found = store_rulings.rulings(at, ask.shop_id, before=ask.after, limit=ask.limit + 1)
    items = tuple(
        RulingView(seq=seq, subject_id=one.subject, ruled=one.ruled, reason=vault.unseal(one.person, one.reason), at=one.at)
        for seq, one in found[: ask.limit]
    )
    return RulingList(items=items, after=items[-1].seq if len(found) > ask.limit else None)


@answers(GoodsInReview)
def goods_in_review(at: Asking, ask: GoodsInReview) -> ReviewQueue:
    """One more than asked for tells whether there is a next page."""
    found = store_rulings.in_review(at, ask.after or 0, ask.limit + 1)
    items = tuple(
        GoodsWaiting(place=seq, shop_id=goods.shop_id, id=goods.id, version=goods.version, title=goods.form.title, since=since)
        for seq, since, goods in found[: ask.limit]
    )
    return ReviewQueue(items=items, after=items[-1].place if len(found) > ask.limit else None)
