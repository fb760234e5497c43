"""Applications for shops, and what operators decide: every step of the table and no other, sealed, and told to whom it concerns."""

from itertools import product
from typing import Any

import pytest
from msgspec import ValidationError, convert, json

from unit.catalog.town import Town
from yunduan.domains.catalog.applications import (
    APPLICATION_MOVES,
    APPLICATIONS_MAX,
    ApplicationForm,
    ApplicationState,
    ApplicationStep,
    Decider,
    DocumentKind,
    LicenceDocument,
)
from yunduan.domains.catalog.commands import (
    ApplicationNow,
    ApplyForShop,
    ApproveApplication,
    RejectApplication,
    ReopenShop,
    SuspendShop,
    WithdrawApplication,
)
from yunduan.domains.catalog.deciding import ApplicationOf, Applications, MyApplications, RulingsOnShop
from yunduan.domains.catalog.queries import SettingsOf, ShopPage, TermsOf
from yunduan.domains.identity.commands import ErasePerson, RegisterPerson
from yunduan.domains.identity.model import Vault
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import ApplicationId, PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused

LICENCE = LicenceDocument(kind=DocumentKind.BUSINESS_LICENCE, text="91330106MA2CFXXX0X\n至 2030 年")
FORM = ApplicationForm(
    name="林家茶庄", name_en="Lin's", about="三代制茶", country="CN", region="浙江", currency="CNY", documents=(LICENCE,)
)
ADMIN = Actor(person=PersonId("per_admin"), operator_roles=frozenset({"admin"}))
SUPPORT = Actor(person=PersonId("per_support"), operator_roles=frozenset({"service"}))


def somebody(town: Town, number: int = 1) -> Actor:
    """Somebody who would like to sell."""
    return Actor(person=town.world.send(RegisterPerson(phone=f"+86138001390{number:02d}")).person_id)


def applied(town: Town, actor: Actor, form: ApplicationForm = FORM) -> ApplicationId:
    """Their application, which waits."""
    return town.world.send(ApplyForShop(form=form), actor=actor).id


def refused(town: Town, query: Any, actor: Actor) -> str:
    """The code that a query is refused with."""
    with pytest.raises(Refused) as caught:
        town.world.ask(query, actor=actor)
    return str(caught.value.code.value)


def command_of(step: ApplicationStep, id: ApplicationId) -> Command[ApplicationNow]:
    """What takes a step."""
    return {
        ApplicationStep.APPROVE: ApproveApplication(application_id=id, commission_ppm=30_000),
        ApplicationStep.REJECT: RejectApplication(application_id=id, reason="执照看不清"),
        ApplicationStep.WITHDRAW: WithdrawApplication(application_id=id),
    }[step]


def test_an_approved_application_is_a_shop_of_its_applicant(town: Town) -> None:
    """As applied for, with the commission that was agreed; the applicant owns it and can look up what became of the application."""
    lin = somebody(town)
    id = applied(town, lin)
    waiting = town.world.ask(Applications(), actor=ADMIN).items
    assert [(one.id, one.applicant_id, one.state, one.name) for one in waiting] == [(id, lin.person, "waiting", "林家茶庄")]
    now = town.world.send(ApproveApplication(application_id=id, commission_ppm=30_000), actor=ADMIN)
    assert now.state is ApplicationState.APPROVED
    assert now.shop_id is not None
    page = town.world.ask(ShopPage(shop_id=now.shop_id))
    assert (page.name, page.name_en, page.about, page.country, page.currency) == ("林家茶庄", "Lin's", "三代制茶", "CN", "CNY")
    assert town.world.ask(TermsOf(shop_id=now.shop_id)).commission_ppm == 30_000
    settings = town.world.ask(SettingsOf(shop_id=now.shop_id))
    assert (settings.shop.owner_id, settings.locations[0].region) == (lin.person, "浙江")
    assert town.world.rows("SELECT role FROM staff WHERE person_id = ? AND shop_id = ?", lin.person, now.shop_id) == [("owner",)]
    (mine,) = town.world.ask(MyApplications(), actor=lin).items
    assert (mine.id, mine.state, mine.shop_id) == (id, "approved", now.shop_id)
    assert town.world.ask(Applications(), actor=ADMIN).items == ()
    told = town.world.rows("SELECT kind, body FROM fact WHERE kind LIKE 'ShopAppl%' ORDER BY seq")
    assert [(kind, json.decode(body)) for kind, body in told] == [
        ("ShopApplied", {"application_id": id, "applicant": lin.person}),
        (
            "ShopApplicationDecided",
            {"application_id": id, "applicant": lin.person, "state": "approved", "shop_id": now.shop_id},
        ),
    ]


def test_a_rejected_applicant_reads_why_and_may_apply_again(town: Town) -> None:
    """The documents and the reason are opened for the applicant and for operators who decide, and for nobody else."""
    lin, other = somebody(town), somebody(town, 2)
    id = applied(town, lin)
    town.world.send(RejectApplication(application_id=id, reason="执照看不清"), actor=ADMIN)
    for actor in (lin, ADMIN):
        seen = town.world.ask(ApplicationOf(application_id=id), actor=actor)
        assert (seen.form, seen.reason, seen.state, seen.shop_id) == (FORM, "执照看不清", "rejected", None)
        assert seen.at == seen.decided_at == town.world.clock.wall_ms()
    for actor in (other, SUPPORT, Actor()):
        assert refused(town, ApplicationOf(application_id=id), actor) == "application_not_found"
    assert applied(town, lin) != id
    assert town.world.ask(MyApplications(), actor=other).items == ()


def test_what_was_handed_in_is_in_clear_nowhere(town: Town) -> None:
    """Neither in a row, nor in a fact, nor in an answer; and with the applicant's key it is gone, and no longer waits."""
    lin = somebody(town)
    id = applied(town, lin)
    town.world.send(RejectApplication(application_id=id, reason="执照看不清"), actor=ADMIN)
    again = applied(town, lin)
    everything = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for rows in town.everything() for row in rows for value in row
    )
    everything += b"".join(bytes(body) for (body,) in town.world.rows("SELECT body FROM answer"))
    for text in ("林家", "Lin's", "三代", "91330106", "看不清"):
        assert text.encode() not in everything, text
    town.world.send(ErasePerson(person_id=lin.person))
    town.world.settle()
    seen = [town.world.ask(ApplicationOf(application_id=one), actor=ADMIN) for one in (id, again)]
    assert [(one.state, one.form, one.reason) for one in seen] == [("rejected", None, None), ("withdrawn", None, None)]
    assert town.world.ask(Applications(state=ApplicationState.WITHDRAWN), actor=ADMIN).items[0].name is None


ACTORS = {Decider.OPERATOR: ADMIN, Decider.CLOUD: SYSTEM}


@pytest.mark.parametrize(("state", "step"), list(product(ApplicationState, ApplicationStep)))
def test_every_step_of_the_table_is_taken_and_no_other(town: Town, state: ApplicationState, step: ApplicationStep) -> None:
    """From each state each step: where the table has it, it leads there; elsewhere it is refused and nothing has changed."""
    for number, who in enumerate(Decider):
        if step is not ApplicationStep.WITHDRAW and who is not Decider.OPERATOR:
            continue  # such routes are the operators' alone
        if step is ApplicationStep.WITHDRAW and who is Decider.OPERATOR:
            continue
        lin = somebody(town, number)
        id = applied(town, lin)
        before = {
            ApplicationState.APPROVED: ApplicationStep.APPROVE,
            ApplicationState.REJECTED: ApplicationStep.REJECT,
            ApplicationState.WITHDRAWN: ApplicationStep.WITHDRAW,
        }.get(state)
        if before:
            town.world.send(command_of(before, id), actor=lin if before is ApplicationStep.WITHDRAW else ADMIN)
        following = {(move.state, move.step, move.who): move.next for move in APPLICATION_MOVES}.get((state, step, who))
        actor = ACTORS.get(who, lin)
        if following:
            assert town.world.send(command_of(step, id), actor=actor).state is following
        else:
            kept = town.everything()
            assert town.world.refusal(command_of(step, id), actor=actor) == "application_state_forbids"
            assert town.everything() == kept


def test_who_applies_does_not_decide_and_nobody_touches_anothers(town: Town) -> None:
    """An operator who would like to sell is decided about by another one; to everybody else it is not there."""
    lin, other = somebody(town), somebody(town, 2)
    own = Actor(person=lin.person, operator_roles=frozenset({"admin"}))
    id = applied(town, lin)
    before = town.everything()
    assert town.world.refusal(ApproveApplication(application_id=id, commission_ppm=0), actor=own) == "own_application"
    assert town.world.refusal(RejectApplication(application_id=id, reason="不"), actor=own) == "own_application"
    assert town.world.refusal(WithdrawApplication(application_id=id), actor=other) == "application_not_found"
    assert town.world.refusal(WithdrawApplication(application_id=ApplicationId("apl_0")), actor=lin) == "application_not_found"
    assert town.everything() == before


def test_one_application_waits_and_nobody_applies_for_ever(town: Town) -> None:
    """A second one beside it is refused, so is one more than the most, and one in a currency that there is not."""
    lin, other = somebody(town), somebody(town, 2)
    id = applied(town, lin)
    before = town.everything()
    assert town.world.refusal(ApplyForShop(form=FORM), actor=lin) == "application_waiting"
    assert town.everything() == before
    for _ in range(APPLICATIONS_MAX - 1):
        town.world.send(WithdrawApplication(application_id=id), actor=lin)
        id = applied(town, lin)
    town.world.send(WithdrawApplication(application_id=id), actor=lin)
    before = town.everything()
    assert town.world.refusal(ApplyForShop(form=FORM), actor=lin) == "applications_full"
    odd = convert({**json.decode(json.encode(FORM)), "currency": "ZZZ"}, ApplicationForm)
    assert town.world.refusal(ApplyForShop(form=odd), actor=other) == "currency_unknown"
    assert town.everything() == before


def test_of_many_who_wait_each_is_listed_once(town: Town) -> None:
    """Page by page, who has waited longest first; another state has a list of its own."""
    ids = [applied(town, somebody(town, number)) for number in range(5)]
    town.world.send(RejectApplication(application_id=ids.pop(2), reason="不"), actor=ADMIN)
    seen, after = [], None
    while True:
        page = town.world.ask(Applications(after=after, limit=2), actor=ADMIN)
        seen += [one.id for one in page.items]
        after = page.after
        if after is None:
            break
    assert seen == ids
    assert len(town.world.ask(Applications(state=ApplicationState.REJECTED), actor=ADMIN).items) == 1


@pytest.mark.parametrize(
    "spoiled",
    [
        {"documents": []},
        {"documents": [{"kind": "business_licence", "text": ""}]},
        {"documents": [{"kind": "business_licence", "text": " "}]},
        {"documents": [{"kind": "passport", "text": "1"}]},
        {"documents": [{"kind": "other", "text": "1", "picture_id": "https://elsewhere/1"}]},
        {"documents": [{"kind": "other", "text": "x" * 501}]},
        {"documents": [{"kind": "other", "text": "1"}] * 11},
        {"name": ""},
        {"unknown": 1},
    ],
)
def test_a_form_is_within_bounds(spoiled: dict[str, object]) -> None:
    """No application without a document, none with a picture from elsewhere."""
    with pytest.raises(ValidationError):
        convert(json.decode(json.encode(FORM)) | spoiled, ApplicationForm)


def test_a_shops_own_people_read_why_it_was_suspended(town: Town) -> None:
    """Each decision once, the latest first, page by page; sealed under the owner's key, so that an erased owner is not spoken of."""
    shop = town.shop.id
    town.world.send(SuspendShop(shop_id=shop, reason="资质过期"), actor=ADMIN)
    town.world.send(SuspendShop(shop_id=shop, reason="再说一次"), actor=ADMIN)
    town.world.send(ReopenShop(shop_id=shop, reason="资质已更新"), actor=ADMIN)
    town.world.send(SuspendShop(shop_id=town.other.id, reason="别家"), actor=ADMIN)
    first = town.world.ask(RulingsOnShop(shop_id=shop, limit=1))
    second = town.world.ask(RulingsOnShop(shop_id=shop, limit=1, after=first.after))
    assert [(one.subject_id, one.ruled, one.reason) for one in (*first.items, *second.items)] == [
        (shop, "shop_reopened", "资质已更新"),
        (shop, "shop_suspended", "资质过期"),
    ]
    assert second.after is None
    assert town.world.rows("SELECT ruled_by FROM ruling WHERE shop_id = ?", shop) == [("per_admin",)] * 2
    town.world.cloud.port(Vault).destroy(town.owner)  # type: ignore[type-abstract] # a port is found by its protocol
    assert [one.reason for one in town.world.ask(RulingsOnShop(shop_id=shop)).items] == [None, None]
