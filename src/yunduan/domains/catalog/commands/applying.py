"""Applying for a shop: handed in by whoever would like to sell, approved or rejected by an operator."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store_licences, store_rulings
from yunduan.domains.catalog.applications import (
    APPLICATIONS_MAX,
    Application,
    ApplicationForm,
    ApplicationState,
    ApplicationStep,
    Decider,
    decided,
)
from yunduan.domains.catalog.commands.shops import CreateShop
from yunduan.domains.catalog.facts import ShopApplicationDecided, ShopApplied
from yunduan.domains.catalog.model import CatalogRefusal, Ppm
from yunduan.domains.catalog.rulings import Reason
from yunduan.kernel.ids import ApplicationId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import EXPONENTS
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class ApplicationNow(Struct, frozen=True, kw_only=True):
    """Where an application stands; with the shop, once it is approved."""

    id: ApplicationId
    state: ApplicationState
    shop_id: ShopId | None = None


class ApplyForShop(
    Command[ApplicationNow],
    refuses={
        CatalogRefusal.CURRENCY,
        CatalogRefusal.APPLICATION_WAITING,
        CatalogRefusal.APPLICATIONS_FULL,
        CatalogRefusal.LICENCE_PICTURE_NOT_FOUND,
    },
):
    """Apply for a shop of one's own, with the documents that show who sells. One application of a person waits at a time."""

    form: ApplicationForm


_OF_DECISION = {CatalogRefusal.APPLICATION_NOT_FOUND, CatalogRefusal.APPLICATION_STATE}


class WithdrawApplication(Command[ApplicationNow], refuses=_OF_DECISION):
    """Take back an application of one's own that waits."""

    application_id: ApplicationId


class ApproveApplication(Command[ApplicationNow], refuses={*_OF_DECISION, CatalogRefusal.OWN_APPLICATION, *CreateShop.refuses}):
    """Open the shop that was applied for, on these terms; never by whoever has applied."""

    application_id: ApplicationId
    commission_ppm: Ppm


class RejectApplication(Command[ApplicationNow], refuses={*_OF_DECISION, CatalogRefusal.OWN_APPLICATION}):
    """Turn an application down and tell the applicant why; they may apply again."""

    application_id: ApplicationId
    reason: Reason


@handles(ApplyForShop)
def apply_for_shop(tx: Tx, ask: ApplyForShop) -> ApplicationNow:
    """Seal everything that was handed in; operators open it."""
    person = tx.actor.person
    invariant(bool(person), "an application is somebody's")
    if ask.form.currency not in EXPONENTS:
        raise Refused(CatalogRefusal.CURRENCY, ask.form.currency)
    before = store_rulings.applications_of(tx, person)
    if any(one.state is ApplicationState.WAITING for one in before):
        raise Refused(CatalogRefusal.APPLICATION_WAITING)
    if len(before) >= APPLICATIONS_MAX:
        raise Refused(CatalogRefusal.APPLICATIONS_FULL, f"{APPLICATIONS_MAX} in all")
    pictures = ask.form.pictures()
    if pictures and not pictures <= store_licences.of_person(tx, person).keys():
        raise Refused(CatalogRefusal.LICENCE_PICTURE_NOT_FOUND, "send the picture first")
    id = ApplicationId(tx.id("apl"))
    sealed = store_rulings.sealed_form(tx, person, ask.form)
    tx.add(store_rulings.APPLICATION, id, Application(id, person, ApplicationState.WAITING, sealed, tx.now))
    for picture in sorted(pictures):
        store_licences.hand_in(tx, person, picture, id)
    tx.tell(ShopApplied(application_id=id, applicant=person))
    return ApplicationNow(id=id, state=ApplicationState.WAITING)


@handles(WithdrawApplication)
def withdraw_application(tx: Tx, ask: WithdrawApplication) -> ApplicationNow:
    """By its applicant, or by the cloud when there is none any more."""
    found = store_rulings.application(tx, ask.application_id)
    if not (tx.actor.is_system or tx.actor.owns(found.applicant)):
        raise Refused(CatalogRefusal.APPLICATION_NOT_FOUND)
    return _decide(tx, found, ApplicationStep.WITHDRAW, Decider.CLOUD if tx.actor.is_system else Decider.APPLICANT)


@handles(ApproveApplication)
def approve_application(tx: Tx, ask: ApproveApplication) -> ApplicationNow:
    """See that it waits, then found the shop as an operator does by hand."""
    found = _somebody_elses(tx, ask.application_id)
    decided(found.state, ApplicationStep.APPROVE, Decider.OPERATOR)
    form = store_rulings.form_of(tx, found)
    if form is None:
        raise Refused(CatalogRefusal.APPLICATION_NOT_FOUND, "the applicant has been erased")
    opening = CreateShop(
        owner_id=found.applicant,
        name=form.name,
        name_en=form.name_en,
        about=form.about,
        about_en=form.about_en,
        picture=form.picture,
        country=form.country,
        region=form.region,
        currency=form.currency,
        commission_ppm=ask.commission_ppm,
    )
    return _decide(tx, found, ApplicationStep.APPROVE, Decider.OPERATOR, shop_id=tx.send(opening).id)


@handles(RejectApplication)
def reject_application(tx: Tx, ask: RejectApplication) -> ApplicationNow:
    """The reason is the applicant's alone to read, and the operators'."""
    found = _somebody_elses(tx, ask.application_id)
    reason = store_rulings.vault(tx).seal(found.applicant, ask.reason)
    return _decide(tx, found, ApplicationStep.REJECT, Decider.OPERATOR, reason=reason)


def _somebody_elses(tx: Tx, id: ApplicationId) -> Application:
    found = store_rulings.application(tx, id)
    if tx.actor.owns(found.applicant):
        raise Refused(CatalogRefusal.OWN_APPLICATION)
    return found


def _decide(tx: Tx, found: Application, step: ApplicationStep, who: Decider, **more: Any) -> ApplicationNow:
    state = decided(found.state, step, who)
    after = replace(found, state=state, decided_at=tx.now, decided_by=tx.actor.person, **more)
    tx.put(store_rulings.APPLICATION, found.id, after)
    shop_id = after.shop_id or None
    tx.tell(ShopApplicationDecided(application_id=found.id, applicant=found.applicant, state=state.value, shop_id=shop_id))
    return ApplicationNow(id=found.id, state=state, shop_id=shop_id)
