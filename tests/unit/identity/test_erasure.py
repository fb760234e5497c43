"""Erasure: nothing personal is ever in clear, and once the key is gone nothing personal is left."""

from pathlib import Path

import msgspec
import pytest

from support.people import EMAIL, HOME, OTHER_PHONE, PHONE, People
from yunduan.domains.identity.commands import (
    AddAddress,
    ChangeProfile,
    EraseMe,
    ErasePerson,
    GrantRole,
    GrantShopRole,
    RegisterPerson,
    RequestCode,
)
from yunduan.domains.identity.model import FRESH_MS, HOUR_MS, MINUTE_MS, IdentityRefusal, OperatorRole, Outstanding, ShopRole
from yunduan.domains.identity.queries import AddressesOf, MyProfile, NicknamesOf, StaffOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.jobs import JobOf, JobStatus, StartJob

NICKNAME, DEVICE = "阿美MARKER", "DeviceMARKER的手机"
MARKERS = (
    PHONE,
    PHONE[1:],
    PHONE[3:],
    EMAIL,
    EMAIL.partition("@")[0],
    NICKNAME,
    DEVICE,
    HOME.recipient,
    HOME.city,
    *HOME.lines,
    "57188157788",
)


def _clear(folder: Path) -> dict[str, list[str]]:
    """Which markers stand in which raw file, in UTF-8, UTF-16 or as JSON escapes."""
    found = {}
    for file in sorted(folder.iterdir()):
        raw = file.read_bytes()
        forms = {marker: (marker.encode(), marker.encode("utf-16-le"), marker.encode("unicode_escape")) for marker in MARKERS}
        here = [marker for marker, written in forms.items() if any(form in raw for form in written)]
        if here:
            found[file.name] = here
    return found


def _mei(people: People) -> PersonId:
    """Somebody of whom the cloud knows everything that it can."""
    mei = people.signed_in(PHONE, device=DEVICE)
    people.send(ChangeProfile(nickname=NICKNAME), actor=mei, key="nickname")
    people.send(AddAddress(address=HOME), actor=mei, key="address")
    people.send(RequestCode(contact=EMAIL), key="code")
    people.send(GrantShopRole(shop_id=ShopId("shp_1"), person_id=mei.person, role=ShopRole.PACKER))
    return mei.person


def test_nothing_personal_is_ever_in_clear_in_any_file(people: People, tmp_path: Path) -> None:
    """Not in the store, its log, the keys, theirs; before erasing and after. The markers are found where they are looked for."""
    mei = _mei(people)
    people.settle()
    names = {file.name for file in tmp_path.iterdir() if file.stat().st_size}
    assert {"yunduan.sqlite", "yunduan.sqlite-wal", "keys.sqlite"} <= names
    assert _clear(tmp_path) == {}
    people.send(ErasePerson(person_id=mei))
    people.settle()
    assert _clear(tmp_path) == {}
    (tmp_path / "leak").write_text(f"... {HOME.recipient} ...")
    assert _clear(tmp_path) == {"leak": [HOME.recipient]}


def test_the_bytes_of_a_destroyed_key_are_in_no_file(people: People, tmp_path: Path) -> None:
    """Not in the free pages, not in the log; as they were before."""
    mei = _mei(people)
    secret = people.vault._known[mei].secret  # type: ignore[union-attr]
    assert any(secret in file.read_bytes() for file in tmp_path.iterdir())
    people.send(ErasePerson(person_id=mei))
    people.settle()
    assert not any(secret in file.read_bytes() for file in tmp_path.iterdir())


def test_an_erased_person_is_nobody(people: People) -> None:
    """No contact, no session, no address, no role; what was copied does not open; facts stay."""
    mei = people.signed_in(PHONE, device=DEVICE)
    people.send(ChangeProfile(nickname=NICKNAME), actor=mei)
    people.send(AddAddress(address=HOME), actor=mei)
    people.send(GrantShopRole(shop_id=ShopId("shp_1"), person_id=mei.person, role=ShopRole.PACKER))
    copy = people.vault.seal(mei.person, "an order's copy")
    people.send(EraseMe(), actor=mei)
    people.settle()
    assert people.caller(mei.session) is None
    assert [people.rows(f"SELECT count(*) FROM {table}") for table in ("contact", "session", "address", "staff")] == [[(0,)]] * 4
    assert people.rows("SELECT phone, email, sealed, erased_at FROM person") == [(None, None, b"", people.clock.wall_ms())]
    assert people.ask(AddressesOf(), actor=mei).items == ()
    assert people.ask(StaffOf(shop_id=ShopId("shp_1"))).items == ()
    assert people.ask(NicknamesOf(person_ids=(mei.person,))) == {}
    assert people.vault.unseal(mei.person, copy) is None
    assert people.vault.unseal(mei.person, people.vault.seal(mei.person, "later")) is None
    with pytest.raises(Refused) as refused:
        people.ask(MyProfile(), actor=mei)
    assert refused.value.code is IdentityRefusal.PERSON_NOT_FOUND
    assert people.facts("PersonErased") == [{"person_id": mei.person}]
    assert len(people.facts("PersonRegistered")) == 1
    for ask in (ChangeProfile(nickname="x"), AddAddress(address=HOME), EraseMe()):
        assert people.no(ask, actor=mei)["code"] == "person_not_found"
    assert people.no(ErasePerson(person_id=mei.person))["code"] == "person_not_found"
    assert people.no(GrantRole(person_id=mei.person, role=OperatorRole.RISK))["code"] == "person_not_found"


def test_whoever_comes_back_is_somebody_new(people: People) -> None:
    """With the same phone, and a key of their own."""
    mei = people.signed_in(PHONE)
    people.send(EraseMe(), actor=mei)
    people.settle()
    again = people.opened(PHONE)
    assert again.is_new
    assert again.person_id != mei.person


def test_the_key_outlives_an_erasure_that_was_not_committed_and_no_other(people: People) -> None:
    """It is destroyed when the fact is heard: only what is on disk can be heard."""
    mei = people.signed_in(PHONE)
    sealed = people.vault.seal(mei.person, "still")
    people.send(EraseMe(), actor=mei)
    assert people.vault.unseal(mei.person, sealed) == "still"
    people.settle()
    assert people.vault.unseal(mei.person, sealed) is None
    people.vault.destroy(mei.person)
    assert people.vault.unseal(mei.person, sealed) is None


def test_erasing_oneself_asks_for_a_fresh_sign_in(people: People) -> None:
    """A quarter of an hour, in that very session."""
    mei = people.signed_in(PHONE)
    people.clock.advance(FRESH_MS)
    people.opened(PHONE)
    assert people.no(EraseMe(), actor=mei)["code"] == "sign_in_again"
    stolen = msgspec.structs.replace(mei, session=people.signed_in(OTHER_PHONE).session)
    assert people.no(EraseMe(), actor=stolen)["code"] == "sign_in_again"
    people.clock.advance(MINUTE_MS)
    people.send(EraseMe(), actor=people.signed_in(PHONE))
    assert people.no(EraseMe(), actor=ANONYMOUS)["code"] == "person_not_found"


def test_only_admins_and_the_cloud_erase_others(people: People) -> None:
    """Not risk, not service, not a buyer; an unknown person is not found."""
    mei, admin = people.send(RegisterPerson()).person_id, people.signed_in(PHONE)
    people.send(GrantRole(person_id=admin.person, role=OperatorRole.RISK))
    for actor in (people.seen_again(admin), people.signed_in(OTHER_PHONE), ANONYMOUS):
        assert people.no(ErasePerson(person_id=mei), actor=actor)["code"] == "not_allowed"
    people.send(GrantRole(person_id=admin.person, role=OperatorRole.ADMIN))
    people.send(ErasePerson(person_id=mei), actor=admin)
    assert people.no(ErasePerson(person_id=PersonId("per_0")), actor=SYSTEM)["code"] == "person_not_found"
    assert people.no(ErasePerson(person_id=PersonId("")), actor=SYSTEM)["code"] == "person_not_found"


def test_the_last_owner_and_the_last_admin_hand_over_first(people: People) -> None:
    """A shop must not be left to nobody."""
    mei, wei = people.signed_in(PHONE), people.send(RegisterPerson()).person_id
    people.send(GrantShopRole(shop_id=ShopId("shp_1"), person_id=mei.person, role=ShopRole.OWNER))
    assert people.no(EraseMe(), actor=mei)["code"] == "last_owner"
    people.send(GrantShopRole(shop_id=ShopId("shp_1"), person_id=wei, role=ShopRole.OWNER))
    people.send(GrantRole(person_id=mei.person, role=OperatorRole.ADMIN))
    assert people.no(EraseMe(), actor=mei)["code"] == "last_admin"
    people.send(GrantRole(person_id=wei, role=OperatorRole.ADMIN))
    people.send(EraseMe(), actor=mei)
    assert people.rows("SELECT person_id, role FROM staff ORDER BY role") == [(wei, "admin"), (wei, "owner")]


CNY, USD = Money(amount=1999, currency="CNY"), Money(amount=5, currency="USD")


@pytest.mark.parametrize(
    ("bond", "code"),
    [
        (Outstanding(orders=2), "orders_open"),
        (Outstanding(on_its_way=(CNY,)), "money_on_its_way"),
        (Outstanding(in_wallet=(CNY, USD)), "money_in_wallet"),
        (Outstanding(orders=1, on_its_way=(USD,), in_wallet=(CNY,)), "orders_open"),
        (Outstanding(on_its_way=(USD,), in_wallet=(CNY,)), "money_on_its_way"),
    ],
)
def test_whoever_is_still_bound_is_not_erased_whoever_asks(people: People, bond: Outstanding, code: str) -> None:
    """Not by themselves, not by an admin, not by the cloud: each is told all of it, nothing changes, and once it is settled it is done."""
    admin = people.signed_in(OTHER_PHONE)
    people.send(GrantRole(person_id=admin.person, role=OperatorRole.ADMIN))
    mei = people.signed_in(PHONE)
    people.bonds.of[mei.person] = bond
    for ask, actor in ((EraseMe(), mei), (ErasePerson(person_id=mei.person), admin), (ErasePerson(person_id=mei.person), SYSTEM)):
        no = people.no(ask, actor=actor)
        assert (no["code"], msgspec.convert(no["figures"], Outstanding)) == (code, bond)
    people.bonds.of[mei.person] = Outstanding()
    people.send(EraseMe(), actor=mei)
    assert people.facts("PersonErased") == [{"person_id": mei.person}]


def test_after_a_restart_the_erased_stay_erased_and_the_others_open(tmp_path: Path) -> None:
    """Also when the cloud stops between the erasure and the key."""
    with People.at(tmp_path) as people:
        mei, wei = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
        sealed = people.vault.seal(mei.person, "gone")
        people.send(AddAddress(address=HOME), actor=wei)
        people.send(EraseMe(), actor=mei)
    with People.at(tmp_path, seed=5) as people:
        people.settle()
        assert people.vault.unseal(mei.person, sealed) is None
        assert people.ask(AddressesOf(), actor=wei).items[0].address.recipient == HOME.recipient
        assert people.caller(wei.session) is not None
        people.pass_time(HOUR_MS)
        assert people.opened(OTHER_PHONE).person_id == wei.person


def test_keys_that_an_older_copy_brings_back_are_destroyed_again(tmp_path: Path) -> None:
    """By a job that walks everybody; whoever is not erased keeps theirs."""
    with People.at(tmp_path) as people:
        erased = [people.send(RegisterPerson(nickname=NICKNAME)).person_id for _ in range(45)]
        mei = people.send(RegisterPerson(nickname=NICKNAME)).person_id
        sealed = dict(people.rows("SELECT id, sealed FROM person"))
        people.vault.backup(tmp_path / "copy")
        for id in erased:
            people.send(ErasePerson(person_id=id))
        people.settle()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"keys.sqlite{suffix}").unlink(missing_ok=True)
    (tmp_path / "copy").replace(tmp_path / "keys.sqlite")
    with People.at(tmp_path, seed=5) as people:
        assert {people.vault.unseal(id, sealed[id]) is None for id in (*erased, mei)} == {False}
        job = people.send(StartJob(kind="destroy_erased_keys"))
        people.settle()
        done = people.ask(JobOf(id=job.id))
        assert (done.status, done.done, done.total) == (JobStatus.FINISHED, 46, 46)
        assert {people.vault.unseal(id, sealed[id]) for id in erased} == {None}
        assert people.ask(NicknamesOf(person_ids=(mei,))) == {mei: NICKNAME}
