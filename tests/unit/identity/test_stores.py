"""One life, told on both stores under one seed, leaves the same rows to the last byte."""

from pathlib import Path
from typing import Any

import pytest

from support.people import EMAIL, HOME, OTHER_PHONE, PHONE, People, wrong
from support.postgresql import Cluster
from support.stores import PostgresqlPlace, cluster
from yunduan.domains.identity.commands import (
    AddAddress,
    ChangeAddress,
    ChangeProfile,
    EraseMe,
    GrantRole,
    GrantShopRole,
    OpenSession,
    RegisterPerson,
    RequestCode,
    RevokeOtherSessions,
    WithdrawRole,
)
from yunduan.domains.identity.model import DAY_MS, HOUR_MS, IdentityRefusal, OperatorRole, SessionOpened, ShopRole
from yunduan.domains.identity.queries import AddressesOf, MyProfile, MySessions, SealedAddressOf, StaffOf
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import ShopId
from yunduan.kernel.refusals import Refused, UnknownOutcomeError

__all__ = ["cluster"]
SHOP = ShopId("shp_1")


def _life(people: People) -> list[Any]:
    """Everything that can happen to somebody; what was answered, and what is left at each stage."""
    seen: list[Any] = []
    id, code = people.code_for(PHONE, origin="2001:db8::1")
    guesses = people.send_all([(OpenSession(challenge_id=id, code=wrong(code, by)), ANONYMOUS) for by in range(1, 100)])
    assert [guess.opened for guess in guesses if isinstance(guess, SessionOpened)] == [False] * 5
    assert {guess.code for guess in guesses if isinstance(guess, Refused)} == {IdentityRefusal.CHALLENGE_ENDED}
    id, code = people.code_for(PHONE, origin="2001:db8::1")
    opened = people.send_all([(OpenSession(challenge_id=id, code=code, device="手机"), ANONYMOUS)] * 20)
    assert sum(isinstance(one, SessionOpened) for one in opened) == 1
    seen.append(people.no(RequestCode(contact=PHONE)))
    caller = people.caller(next(one for one in opened if isinstance(one, SessionOpened)).session_id)
    assert caller is not None
    mei = caller.actor
    people.send(ChangeProfile(nickname="美"), actor=mei)
    first = people.send(AddAddress(address=HOME), actor=mei).id
    people.send_all([(AddAddress(address=HOME, is_default=True), mei)] * 3)
    people.send(ChangeAddress(address_id=first, address=HOME, is_default=True), actor=mei)
    wei = people.send(RegisterPerson(email=EMAIL, phone=OTHER_PHONE)).person_id
    for person in (mei.person, wei):
        people.send(GrantShopRole(shop_id=SHOP, person_id=person, role=ShopRole.OWNER))
        people.send(GrantRole(person_id=person, role=OperatorRole.ADMIN))
    people.send(WithdrawRole(person_id=mei.person, role=OperatorRole.ADMIN))
    seen += [people.no(WithdrawRole(person_id=wei, role=OperatorRole.ADMIN)), people.seen_again(mei)]
    seen += [people.ask(query, actor=mei) for query in (MyProfile(), MySessions(), AddressesOf())]
    seen += [
        people.ask(StaffOf(shop_id=SHOP)).items,
        people.ask(SealedAddressOf(person_id=mei.person, address_id=first)),
        people.everything(),
    ]
    people.pass_time(DAY_MS + HOUR_MS)
    seen.append(people.everything())
    again = people.signed_in(PHONE)
    people.send(RevokeOtherSessions(), actor=again)
    people.send(EraseMe(), actor=again)
    people.pass_time(100 * DAY_MS)
    seen.append(people.everything())
    assert people.rows("SELECT count(*) FROM alarm") == [(0,)]
    assert people.vault.unseal(mei.person, people.vault.seal(mei.person, "x")) is None
    return seen


@pytest.mark.slow
def test_a_life_is_the_same_on_both_stores(tmp_path: Path, cluster: Cluster) -> None:
    """Under the same seed; under another it is not."""
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    with People.at(tmp_path / "one", seed=3) as people:
        on_sqlite = _life(people)
    place = PostgresqlPlace(cluster)
    with People.at(tmp_path / "two", store=place.open(), seed=3) as people:
        on_postgresql = _life(people)
    assert on_postgresql == on_sqlite
    with People.at(tmp_path / "three", seed=4) as people:
        assert _life(people) != on_sqlite


def test_every_seal_in_the_store_opens_with_the_keys_on_disk(tmp_path: Path) -> None:
    """After every commit: as a process that starts after a power loss finds them."""
    with People.at(tmp_path) as people:
        _committed(people)
        mei = people.signed_in(PHONE, device="x")
        _committed(people)
        people.send(AddAddress(address=HOME), actor=mei)
        people.send(ChangeProfile(nickname="美"), actor=mei)
        _committed(people)
        assert len(people.rows("SELECT id FROM address")) == 1


def _committed(people: People) -> None:
    fresh = type(people.vault)(people.vault.path)
    sealed = people.rows("SELECT person_id, sealed FROM address")
    sealed += people.rows("SELECT person_id, device FROM session") + people.rows("SELECT id, sealed FROM person")
    assert all(fresh.unseal(person, bytes_) is not None for person, bytes_ in sealed)
    fresh.close()


def test_nothing_is_answered_when_its_keys_cannot_be_written(tmp_path: Path) -> None:
    """The outcome is unknown, the cloud stops, and what was begun is not there when it is opened again."""
    with People.at(tmp_path) as people:
        people.send(RegisterPerson(phone=PHONE))
        people.vault._writing.close()
        with pytest.raises(UnknownOutcomeError, match="keys could not be written"):
            people.send(RegisterPerson(phone=OTHER_PHONE))
        people.vault._writing = type(people.vault)(people.vault.path)._writing
    with People.at(tmp_path) as people:
        assert people.rows("SELECT count(*) FROM person") == [(1,)]
        assert people.send(RegisterPerson(phone=OTHER_PHONE)).person_id
        assert people.no(RegisterPerson(phone=PHONE), actor=Actor(is_system=True))["code"] == "contact_taken"
