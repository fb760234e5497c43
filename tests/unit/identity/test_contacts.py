"""Contacts: another one is taken by whoever proves to hold it and has just signed in, and is told to those that were there before."""

import msgspec
import pytest

from support.people import EMAIL, OTHER_PHONE, PHONE, People, wrong
from yunduan.domains.identity.commands import ChangeProfile, ConfirmContact, ErasePerson, OpenSession, RequestContactCode
from yunduan.domains.identity.couriers import Couriers, KeepInMailbox
from yunduan.domains.identity.model import DAY_MS, FRESH_MS, HOUR_MS, MINUTE_MS, IdentityRefusal, Language
from yunduan.domains.identity.queries import Mailbox, MyProfile
from yunduan.domains.identity.routes import reveal_contact
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.refusals import Refused


def test_a_second_contact_signs_the_same_person_in(people: People) -> None:
    """It takes the place of the one of its kind, and the old one is free again."""
    mei = people.signed_in(PHONE)
    _add_contact(people, mei, EMAIL)
    assert people.opened(EMAIL).person_id == mei.person
    _add_contact(people, mei, OTHER_PHONE)
    profile = people.ask(MyProfile(), actor=mei)
    assert (profile.phone, profile.email) == (OTHER_PHONE, EMAIL)
    assert people.opened(OTHER_PHONE).person_id == mei.person
    assert people.opened(PHONE).person_id != mei.person
    assert [fact["kind"] for fact in people.facts("ContactConfirmed")] == ["email", "phone"]


def _contact_code(people: People, actor: Actor, contact: str) -> ConfirmContact:
    challenge = people.send(RequestContactCode(contact=contact), actor=actor)
    code = next(letter.code for letter in people.ask(Mailbox()).items if letter.id == challenge.id)
    return ConfirmContact(challenge_id=challenge.id, code=code)


def _add_contact(people: People, actor: Actor, contact: str) -> None:
    assert people.send(_contact_code(people, actor, contact), actor=actor).confirmed


def test_a_code_for_a_contact_is_good_for_one_person_and_one_purpose(people: People) -> None:
    """Not for somebody else, not for nobody, not to sign in; nor a sign-in's code to take a contact over."""
    mei, other = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    confirm = _contact_code(people, mei, EMAIL)
    assert people.no(confirm, actor=other)["code"] == "challenge_not_found"
    assert people.no(confirm, actor=ANONYMOUS)["code"] == "challenge_not_found"
    assert people.no(OpenSession(challenge_id=confirm.challenge_id, code=confirm.code))["code"] == "challenge_not_found"
    id, code = people.code_for("wei@example.com")
    assert people.no(ConfirmContact(challenge_id=id, code=code), actor=mei)["code"] == "challenge_not_found"
    assert people.no(ConfirmContact(challenge_id=id, code=code), actor=ANONYMOUS)["code"] == "challenge_not_found"
    assert people.no(RequestContactCode(contact=EMAIL), actor=ANONYMOUS)["code"] == "not_allowed"


def test_a_contact_of_somebody_else_is_not_taken_over(people: People) -> None:
    """Said only to whoever holds it; a wrong code is counted and says nothing."""
    mei, other = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    people.clock.advance(MINUTE_MS)
    confirm = _contact_code(people, other, PHONE)
    no = people.send(ConfirmContact(challenge_id=confirm.challenge_id, code=wrong(confirm.code)), actor=other)
    assert (no.confirmed, no.tries_left) == (False, 4)
    with pytest.raises(Refused) as refused:
        reveal_contact(no, people.cloud.port)
    assert refused.value.code is IdentityRefusal.CODE_WRONG
    assert people.no(confirm, actor=other)["code"] == "contact_taken"
    assert people.ask(MyProfile(), actor=mei).phone == PHONE


def test_a_new_contact_takes_a_fresh_sign_in(people: People) -> None:
    """In that very session, to have the code sent and to confirm it: a token that was stolen a while ago takes no account over."""
    mei = people.signed_in(PHONE)
    confirm = _contact_code(people, mei, EMAIL)
    people.clock.advance(FRESH_MS - 1)
    people.signed_in(PHONE)
    late = _contact_code(people, mei, OTHER_PHONE)
    people.clock.advance(1)
    assert people.no(RequestContactCode(contact="wei@example.com"), actor=mei)["code"] == "sign_in_again"
    for ask in (confirm, late):
        assert people.no(ask, actor=mei)["code"] == "sign_in_again"
    assert people.send(late, actor=people.signed_in(PHONE)).confirmed
    strangers = msgspec.structs.replace(mei, session=people.signed_in("+8613700000001").session)
    assert people.no(RequestContactCode(contact=EMAIL), actor=strangers)["code"] == "sign_in_again"


def test_a_new_contact_signs_every_other_device_out(people: People) -> None:
    """Whether it takes another's place or not; the one that confirmed it stays, and so does everybody else's."""
    first, other = people.signed_in(PHONE), people.signed_in("+8613700000001")
    people.clock.advance(MINUTE_MS)
    mei, second = people.signed_in(PHONE), people.signed_in(PHONE)
    _add_contact(people, mei, EMAIL)
    assert [people.caller(it.session) is None for it in (first, second, mei, other)] == [True, True, False, False]
    third = people.signed_in(EMAIL)
    _add_contact(people, mei, OTHER_PHONE)
    assert [people.caller(it.session) is None for it in (third, mei, other)] == [True, False, False]
    assert {fact["session_id"] for fact in people.facts("SessionEnded")} == {first.session, second.session, third.session}


def test_a_new_contact_is_told_to_those_that_were_there(people: People) -> None:
    """In the person's language, without a word of the new one; a contact that one has already tells nothing and ends nothing."""
    mei = people.signed_in(PHONE)
    people.send(ChangeProfile(language=Language.EN), actor=mei)
    _add_contact(people, mei, EMAIL)
    text = (
        "Yunduan: your account has a new e-mail address; every other device was signed out."
        " If this was not you, tell the marketplace at once."
    )
    assert _told(people) == [(PHONE, text)]
    people.send(ChangeProfile(language=Language.ZH), actor=mei)
    _add_contact(people, mei, OTHER_PHONE)
    text = "【云端】您的账号刚刚绑定了新的手机号，其他设备均已退出登录。如非本人操作，请立即联系平台客服。"
    assert sorted(_told(people)[:2]) == [(PHONE, text), (EMAIL, text)]
    people.clock.advance(MINUTE_MS)
    _add_contact(people, people.signed_in(OTHER_PHONE), EMAIL)
    assert len(_told(people)) == 3
    assert people.caller(mei.session) is not None


def test_what_is_told_is_carried_and_forgotten_as_a_code_is(people: People) -> None:
    """By the same carrier, once; its row goes within the hour, its key with those of the day."""
    mei = people.signed_in(PHONE)
    _add_contact(people, mei, EMAIL)
    people.run(Couriers(people.cloud, KeepInMailbox()).run_once())
    assert {letter.is_sent for letter in people.ask(Mailbox()).items} == {True}
    people.pass_time(HOUR_MS)
    assert people.rows("SELECT count(*) FROM letter") == [(0,)]
    people.pass_time(2 * DAY_MS)
    assert people.rows("SELECT kind FROM alarm") == [("EndIdleSession",)]


def test_a_contact_that_is_anybodys_again_knows_no_device(people: People) -> None:
    """Replaced, or gone with its person."""
    key = "0199f0c2-7a00-7000-8000-000000000001"
    people.opened(PHONE, device_key=key)
    mei = people.signed_in(PHONE)
    _add_contact(people, mei, OTHER_PHONE)
    assert people.rows("SELECT count(*) FROM known_device") == [(0,)]
    people.opened(OTHER_PHONE, device_key=key)
    people.send(ErasePerson(person_id=mei.person))
    assert people.rows("SELECT count(*) FROM known_device") == [(0,)]


def _told(people: People) -> list[tuple[str, str]]:
    """To whom something was told that is no code, the newest first, and what."""
    return [(letter.contact, letter.text) for letter in people.ask(Mailbox()).items if not letter.code]
