"""Addresses: sealed, one's own, one default, at most fifty."""

import msgspec
import pytest

from support.people import HOME, OTHER_PHONE, PHONE, People
from yunduan.domains.identity.commands import AddAddress, ChangeAddress, RemoveAddress
from yunduan.domains.identity.model import ADDRESSES_MAX, IdentityRefusal, Postal
from yunduan.domains.identity.queries import AddressesOf, SealedAddressOf
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import AddressId, PersonId
from yunduan.kernel.refusals import Refused

WORK = msgspec.structs.replace(HOME, city="宁波", lines=("江东北路1号", "3 楼"), postal_code="315040")
KEPT = msgspec.structs.replace(HOME, phone="+8657188157788")


def _added(people: People, actor: Actor, postal: Postal = HOME, *, is_default: bool = False) -> AddressId:
    return people.send(AddAddress(address=postal, is_default=is_default), actor=actor).id


def _book(people: People, actor: Actor) -> list[tuple[AddressId, bool]]:
    return [(it.id, it.is_default) for it in people.ask(AddressesOf(), actor=actor).items]


def test_an_address_is_kept_sealed_with_country_and_region_in_clear(people: People) -> None:
    """The telephone number in E.164, the region by its code, and as it was written under the seal; orders copy what is sealed as it is."""
    mei = people.signed_in(PHONE)
    id = _added(people, mei)
    (address,) = people.ask(AddressesOf(), actor=mei).items
    assert (address.id, address.is_default, address.address) == (id, True, KEPT)
    sealed = people.ask(SealedAddressOf(person_id=mei.person, address_id=id))
    assert (sealed.address_id, sealed.country, sealed.region) == (id, "CN", "浙江省")
    assert msgspec.json.decode(people.vault.unseal(mei.person, sealed.sealed) or "", type=Postal) == KEPT


@pytest.mark.parametrize("written", ["西藏", " 西藏自治区", "西　藏", "xizang", "Xizang Zizhiqu", "TIBET"])
def test_a_region_is_kept_by_its_code_however_it_is_written(people: People, written: str) -> None:
    """Added or changed; the person reads what they wrote."""
    mei = people.signed_in(PHONE)
    there = msgspec.structs.replace(HOME, region=written)
    for id in (_added(people, mei, there), _added(people, mei)):
        people.send(ChangeAddress(address_id=id, address=there), actor=mei)
        assert people.ask(SealedAddressOf(person_id=mei.person, address_id=id)).region == "西藏自治区"
    assert {it.address.region for it in people.ask(AddressesOf(), actor=mei).items} == {written}
    assert {row[0] for row in people.rows("SELECT region FROM address")} == {"西藏自治区"}


def test_an_unknown_region_is_refused_with_those_that_there_are(people: People) -> None:
    """A misspelt one would be in no zone of any shop; nothing changes, and what was written is not told again."""
    mei = people.signed_in(PHONE)
    id = _added(people, mei)
    nowhere = msgspec.structs.replace(HOME, region="西臧")
    for ask in (AddAddress(address=nowhere), ChangeAddress(address_id=id, address=nowhere)):
        before = people.everything()
        no = people.no(ask, actor=mei)
        assert (no["code"], no["figures"]["country"], len(no["figures"]["regions"])) == ("region_unknown", "CN", 34)
        assert {"code": "浙江省", "names": ["Zhejiang Sheng"]} in no["figures"]["regions"]
        assert "西臧" not in str(no)
        assert people.everything() == before


def test_where_there_is_no_list_the_region_is_under_the_seal_alone(people: People) -> None:
    """It is free text there; what prices shipping gets it opened, in its one form, and nothing once the person is erased."""
    mei = people.signed_in(PHONE)
    abroad = msgspec.structs.replace(HOME, country="GB", region=" Isle\u00a0of  WIGHT", phone="020 7946 0018")
    id = _added(people, mei, abroad)
    assert people.rows("SELECT country, region FROM address") == [("GB", "")]
    assert "WIGHT" not in str(people.everything())
    assert people.ask(SealedAddressOf(person_id=mei.person, address_id=id)).region == "isle of wight"
    people.vault.destroy(mei.person)
    assert people.ask(SealedAddressOf(person_id=mei.person, address_id=id)).region == ""


def test_there_is_one_default_as_long_as_there_are_addresses(people: People) -> None:
    """The first, then the one last chosen, then the newest that is left."""
    mei = people.signed_in(PHONE)
    first, second = _added(people, mei), _added(people, mei, WORK)
    assert _book(people, mei) == [(first, True), (second, False)]
    third = _added(people, mei, is_default=True)
    assert _book(people, mei) == [(third, True), (second, False), (first, False)]
    people.send(ChangeAddress(address_id=first, address=WORK, is_default=True), actor=mei)
    assert _book(people, mei) == [(first, True), (third, False), (second, False)]
    people.send(ChangeAddress(address_id=first, address=HOME), actor=mei)
    assert _book(people, mei)[0] == (first, True)
    people.send(RemoveAddress(address_id=first), actor=mei)
    assert _book(people, mei) == [(third, True), (second, False)]
    people.send(RemoveAddress(address_id=second), actor=mei)
    people.send(RemoveAddress(address_id=third), actor=mei)
    assert _book(people, mei) == []


def test_a_change_replaces_everything(people: People) -> None:
    """And the order's copy of the old one still opens."""
    mei = people.signed_in(PHONE)
    id = _added(people, mei)
    before = people.ask(SealedAddressOf(person_id=mei.person, address_id=id))
    people.send(ChangeAddress(address_id=id, address=WORK), actor=mei)
    assert people.ask(AddressesOf(), actor=mei).items[0].address.lines == ("江东北路1号", "3 楼")
    assert msgspec.json.decode(people.vault.unseal(mei.person, before.sealed) or "", type=Postal) == KEPT


def test_somebody_elses_address_is_not_found(people: People) -> None:
    """As an unknown one is; and nobody owns nothing."""
    mei, other = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    id = _added(people, mei)
    for actor, address in ((other, id), (ANONYMOUS, id), (mei, AddressId("adr_0")), (mei, AddressId(""))):
        assert people.no(ChangeAddress(address_id=address, address=WORK), actor=actor)["code"] == "address_not_found"
        assert people.no(RemoveAddress(address_id=address), actor=actor)["code"] == "address_not_found"
        with pytest.raises(Refused) as refused:
            people.ask(SealedAddressOf(person_id=actor.person, address_id=address))
        assert refused.value.code is IdentityRefusal.ADDRESS_NOT_FOUND
    assert people.ask(AddressesOf(), actor=other).items == people.ask(AddressesOf(), actor=ANONYMOUS).items == ()
    assert people.no(AddAddress(address=HOME), actor=ANONYMOUS)["code"] == "person_not_found"
    assert people.no(AddAddress(address=HOME), actor=Actor(person=PersonId("per_0")))["code"] == "person_not_found"


def test_fifty_addresses_are_enough(people: People) -> None:
    """Also for those that come at once."""
    mei = people.signed_in(PHONE)
    outcomes = people.send_all([(AddAddress(address=HOME), mei)] * (ADDRESSES_MAX + 5))
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == [IdentityRefusal.ADDRESSES_FULL] * 5
    assert people.rows("SELECT count(*), sum(is_default) FROM address") == [(ADDRESSES_MAX, 1)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"country": "ZZ"}, "country_unknown"),
        ({"phone": "123"}, "contact_invalid"),
        ({"country": "US"}, "contact_invalid"),
        ({"phone": "林美林美"}, "contact_invalid"),
    ],
)
def test_what_no_courier_could_use_is_refused(people: People, change: dict[str, str], code: str) -> None:
    """When it is added and when it is changed."""
    mei = people.signed_in(PHONE)
    id = _added(people, mei)
    postal = msgspec.structs.replace(HOME, **change)
    assert people.no(AddAddress(address=postal), actor=mei)["code"] == code
    assert people.no(ChangeAddress(address_id=id, address=postal), actor=mei)["code"] == code


@pytest.mark.parametrize(
    "change",
    [
        {"recipient": ""},
        {"recipient": "   "},
        {"recipient": "a\nb"},
        {"recipient": "a\n"},
        {"recipient": "x" * 101},
        {"recipient": None},
        {"recipient": 5},
        {"country": "cn"},
        {"country": "CN\n"},
        {"country": "CHN"},
        {"region": "x" * 81},
        {"lines": []},
        {"lines": ["a"] * 5},
        {"lines": ["a\u0000"]},
        {"lines": "a"},
        {"postal_code": "1" * 21},
        {"floor": "3"},
    ],
)
def test_what_is_no_address_is_bad_input(change: dict[str, object]) -> None:
    """Empty, too long, with control characters, or with a field that nobody knows."""
    body = {"address": msgspec.to_builtins(HOME) | change}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=AddAddress)
