"""Pictures of licences: of their sender and of operators who decide alone, sealed, and gone with the person or when nobody needs them."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json
from msgspec.structs import replace

from support.stores import cluster
from unit.catalog.conftest import on_postgresql
from unit.catalog.test_applications import ADMIN, FORM, LICENCE, SUPPORT, refused, somebody
from unit.catalog.town import Town
from unit.orders.casebook import picture
from yunduan.domains.catalog.applications import LOOSE_PICTURES_MAX, PICTURE_KEPT_MS, Application, ApplicationForm, ApplicationState
from yunduan.domains.catalog.commands import ApplyForShop, ApproveApplication, RejectApplication, WithdrawApplication
from yunduan.domains.catalog.deciding import ApplicationOf
from yunduan.domains.catalog.licences import KeepLicencePicture, LicencePicture
from yunduan.domains.catalog.store_rulings import form_of
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.identity.model import Vault
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import ApplicationId, PersonId, ShopId
from yunduan.kernel.refusals import Refused
from yunduan.testing import World

__all__ = ["cluster"]
SHOPKEEPER = Actor(person=PersonId("per_shop"), shop_roles={ShopId("shp_1"): frozenset({"owner"})})  # works in shops, and decides nothing


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    """On each store, every time."""
    if request.param == "sqlite":
        with World.at(tmp_path) as world:
            yield Town(world)
    else:
        yield from on_postgresql(request, tmp_path)


def sent(town: Town, actor: Actor, side: int = 1) -> str:
    """A picture that somebody has sent."""
    return town.world.send(KeepLicencePicture(content=picture(side)), actor=actor).id


def form(*pictures: str) -> ApplicationForm:
    """An application whose documents have these pictures."""
    return replace(FORM, documents=tuple([replace(LICENCE, picture_id=name) for name in pictures]))


def applied(town: Town, actor: Actor, *pictures: str) -> ApplicationId:
    """It is handed in."""
    return town.world.send(ApplyForShop(form=form(*pictures)), actor=actor).id


def kept(town: Town) -> list[tuple[str, str]]:
    """Whose pictures are there, and with which application."""
    return [(row[0], row[1]) for row in town.world.rows("SELECT picture, application_id FROM licence_picture ORDER BY at, picture")]


def not_taken(town: Town, code: str, actor: Actor, *pictures: str) -> None:
    """An application is refused and changes nothing."""
    before = town.everything(), kept(town)
    with pytest.raises(Refused) as caught:
        applied(town, actor, *pictures)
    assert caught.value.code.value == code
    assert (town.everything(), kept(town)) == before


def test_the_applicant_and_who_decides_see_it(both: Town) -> None:
    """By the name in the form; the same picture again is the same."""
    lin = somebody(both)
    name = sent(both, lin)
    assert sent(both, lin) == name
    id = applied(both, lin, name)
    assert kept(both) == [(name, id)]
    for actor in (lin, ADMIN):
        seen = both.world.ask(ApplicationOf(application_id=id), actor=actor)
        assert seen.form is not None
        assert [document.picture_id for document in seen.form.documents] == [name]
        found = both.world.ask(LicencePicture(application_id=id, picture_id=name), actor=actor)
        assert (found.media_type, b64decode(found.content or "")) == ("image/png", picture())


def test_nobody_else_sees_it_whatever_they_know(town: Town) -> None:
    """Not by the name, nor by an application of their own that names the same; and nothing lies open in the store."""
    lin, wang = somebody(town), somebody(town, 2)
    name, other = sent(town, lin), sent(town, lin, 2)
    id = applied(town, lin, name)
    not_taken(town, "licence_picture_not_found", wang, name)
    own = applied(town, wang, sent(town, wang, 3))
    mine = LicencePicture(application_id=id, picture_id=name)
    for actor in (wang, SUPPORT, SHOPKEEPER, ANONYMOUS):
        assert refused(town, mine, actor) == "application_not_found"
    assert refused(town, LicencePicture(application_id=own, picture_id=name), wang) == "licence_picture_not_found"
    assert refused(town, LicencePicture(application_id=own, picture_id=name), ADMIN) == "licence_picture_not_found"
    assert refused(town, LicencePicture(application_id=id, picture_id=other), lin) == "licence_picture_not_found"
    assert not [row for row in town.world.rows("SELECT content FROM licence_picture") if picture()[8:20] in row[0]]


def test_what_is_no_picture_is_not_taken_nor_what_was_never_sent(town: Town) -> None:
    """And no more than so many that no application keeps; those of one that waits do not count."""
    lin = somebody(town)
    not_taken(town, "licence_picture_not_found", lin, "pic_" + "0" * 32)
    with pytest.raises(Refused) as caught:
        town.world.send(KeepLicencePicture(content=b"<svg/>"), actor=lin)
    assert caught.value.code == "picture_unreadable"
    names = [sent(town, lin, side) for side in range(1, LOOSE_PICTURES_MAX + 1)]
    with pytest.raises(Refused) as caught:
        sent(town, lin, LOOSE_PICTURES_MAX + 1)
    assert (caught.value.code, len(kept(town))) == ("licence_pictures_full", LOOSE_PICTURES_MAX)
    applied(town, lin, names[0])
    sent(town, lin, LOOSE_PICTURES_MAX + 1)
    assert len(kept(town)) == LOOSE_PICTURES_MAX + 1


def test_a_picture_that_no_application_keeps_is_forgotten(both: Town) -> None:
    """After thirty days: never handed in, or turned down; while it waits it stays, and for good once it was approved."""
    loose, rejected, withdrawn, waiting, approved = (somebody(both, number) for number in range(1, 6))
    sent(both, loose)
    ids = {actor.person: applied(both, actor, sent(both, actor)) for actor in (rejected, withdrawn, waiting, approved)}
    both.world.send(RejectApplication(application_id=ids[rejected.person], reason="看不清"), actor=ADMIN)
    both.world.send(WithdrawApplication(application_id=ids[withdrawn.person]), actor=withdrawn)
    both.world.send(ApproveApplication(application_id=ids[approved.person], commission_ppm=0), actor=ADMIN)
    both.world.pass_time(PICTURE_KEPT_MS - 60_000)
    assert len(kept(both)) == 5
    both.world.pass_time(60_000)
    assert {id for _, id in kept(both)} == {ids[waiting.person], ids[approved.person]}
    both.world.send(WithdrawApplication(application_id=ids[waiting.person]), actor=waiting)
    both.world.pass_time(PICTURE_KEPT_MS)
    both.world.pass_time(PICTURE_KEPT_MS)
    assert [id for _, id in kept(both)] == [ids[approved.person]]
    gone = LicencePicture(application_id=ids[rejected.person], picture_id=sent(both, waiting))
    assert refused(both, gone, ADMIN) == "licence_picture_not_found"


def test_who_applies_again_does_so_with_the_same_pictures(town: Town) -> None:
    """They go with the later application then."""
    lin = somebody(town)
    name = sent(town, lin)
    first = applied(town, lin, name)
    town.world.send(RejectApplication(application_id=first, reason="看不清"), actor=ADMIN)
    town.world.pass_time(PICTURE_KEPT_MS - 60_000)
    second = applied(town, lin, name)
    town.world.pass_time(60_000)
    assert kept(town) == [(name, second)]
    for id in (first, second):
        assert town.world.ask(LicencePicture(application_id=id, picture_id=name), actor=lin).content


def test_a_picture_goes_with_its_person(both: Town) -> None:
    """Its row too, and nobody finds it."""
    lin, wang = somebody(both), somebody(both, 2)
    name = sent(both, lin)
    id, other = applied(both, lin, name), applied(both, wang, sent(both, wang))
    both.world.send(ErasePerson(person_id=lin.person))
    both.world.settle()
    assert kept(both) == [(name, other)]
    assert refused(both, LicencePicture(application_id=id, picture_id=name), ADMIN) == "licence_picture_not_found"


def test_a_form_of_before_can_still_be_read(town: Town) -> None:
    """Its picture lay open then, by another kind of name, which is no picture of a licence."""
    lin = somebody(town)
    before = replace(FORM, documents=(replace(LICENCE, picture_id="licences/1.webp"),))
    sealed = town.world.cloud.port(Vault).seal(lin.person, json.encode(before).decode())
    assert form_of(town.world.cloud, Application(ApplicationId("apl_1"), lin.person, ApplicationState.WAITING, sealed, 0)) == before
