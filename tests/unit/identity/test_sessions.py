"""Sessions: listed, revoked, idle, crowded out, and always one's own."""

import hashlib

import msgspec
import pytest

from support.people import EMAIL, OTHER_PHONE, PHONE, People
from yunduan.domains.identity.commands import (
    ChangeProfile,
    EndIdleSession,
    OpenSession,
    RequestCode,
    RevokeOtherSessions,
    RevokeSession,
    SignOut,
    TouchSession,
)
from yunduan.domains.identity.model import (
    DAY_MS,
    MINUTE_MS,
    SCOPES,
    SESSION_MS,
    SESSIONS_MAX,
    Device,
    IdentityRefusal,
    Language,
    SessionsEnded,
)
from yunduan.domains.identity.queries import CallerOf, MyProfile, MySessions, NicknamesOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.refusals import Refused


def test_devices_are_listed_with_the_current_one_marked(people: People) -> None:
    """The newest first, under the names that the person gave them."""
    phone = people.signed_in(PHONE, device="手机")
    start = people.clock.wall_ms()
    people.clock.advance(MINUTE_MS)
    tablet = people.signed_in(PHONE, device="iPad")
    people.signed_in(OTHER_PHONE)
    later = start + MINUTE_MS
    assert people.ask(MySessions(), actor=phone).items == (
        Device(id=tablet.session, device="iPad", opened_at=later, seen_at=later, expires_at=later + SESSION_MS, is_current=False),
        Device(id=phone.session, device="手机", opened_at=start, seen_at=start, expires_at=start + SESSION_MS, is_current=True),
    )
    assert people.ask(MySessions(), actor=ANONYMOUS).items == ()


def test_a_caller_is_who_the_token_says_with_every_scope_and_no_role(people: People) -> None:
    """A buyer has no role anywhere."""
    actor = people.signed_in(PHONE)
    caller = people.caller(actor.session, origin="192.0.2.1")
    assert caller is not None
    assert caller.actor == Actor(person=actor.person, session=actor.session, scopes=SCOPES, shop_roles={}, origin="192.0.2.1")


@pytest.mark.parametrize("token", ["", " ", "null", "yds_", "[]", "\0"])
def test_an_empty_or_foreign_token_is_nobodys(people: People, token: str) -> None:
    """Neither its hash nor itself finds anybody."""
    people.signed_in(PHONE)
    assert people.ask(CallerOf(token_hash=hashlib.sha256(token.encode()).digest())) is None
    assert people.ask(CallerOf(token_hash=token.encode())) is None


def test_a_revoked_session_is_worth_nothing_at_once(people: People) -> None:
    """The others stay."""
    phone, tablet = people.signed_in(PHONE), people.signed_in(PHONE)
    assert people.send(RevokeSession(session_id=tablet.session), actor=phone) == SessionsEnded(ended=1)
    assert people.caller(tablet.session) is None
    assert people.caller(phone.session) is not None
    assert people.no(RevokeSession(session_id=tablet.session), actor=phone)["code"] == "session_not_found"
    assert people.facts("SessionEnded") == [{"person_id": phone.person, "session_id": tablet.session, "revoked": True}]


def test_somebody_elses_session_is_not_found(people: People) -> None:
    """Nor for nobody, nor an empty or unknown one."""
    mei, other = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    for actor in (other, ANONYMOUS):
        assert people.no(RevokeSession(session_id=mei.session), actor=actor)["code"] == "session_not_found"
    for id in ("", "ses_0"):
        assert people.no(RevokeSession(session_id=SessionId(id)), actor=mei)["code"] == "session_not_found"
    assert people.no(SignOut(), actor=ANONYMOUS)["code"] == "session_not_found"


def test_every_other_device_is_signed_out_together(people: People) -> None:
    """For whoever has lost a phone; nobody has none to lose."""
    actors = [people.signed_in(PHONE), people.signed_in(PHONE)]
    other = people.signed_in(OTHER_PHONE)
    assert people.send(RevokeOtherSessions(), actor=ANONYMOUS) == SessionsEnded(ended=0)
    assert people.send(RevokeOtherSessions(), actor=actors[1]) == SessionsEnded(ended=1)
    assert people.send(RevokeOtherSessions(), actor=actors[1]) == SessionsEnded(ended=0)
    assert [people.caller(actor.session) is not None for actor in (*actors, other)] == [False, True, True]


def test_a_session_ends_after_ninety_idle_days_and_its_row_goes(people: People) -> None:
    """Used, it lasts from then on; the sight of it is written once a day at most."""
    actor = people.signed_in(PHONE)
    opened = people.clock.wall_ms()
    people.clock.advance(DAY_MS - 1)
    before = people.everything()
    people.send(TouchSession(session_id=actor.session))
    assert people.everything() == before
    people.clock.advance(1)
    caller = people.caller(actor.session)
    assert caller is not None
    assert caller.is_due(people.clock.wall_ms())
    people.send(TouchSession(session_id=actor.session))
    caller = people.caller(actor.session)
    assert caller is not None
    assert (caller.seen_at, caller.expires_at) == (opened + DAY_MS, opened + DAY_MS + SESSION_MS)
    assert not caller.is_due(people.clock.wall_ms())
    people.pass_time(SESSION_MS - 1)
    assert people.caller(actor.session) is not None
    people.clock.advance(1)
    people.send(RequestCode(contact=EMAIL))  # a commit, so that readers see the time
    assert people.caller(actor.session) is None
    assert people.no(TouchSession(session_id=actor.session))["code"] == "session_not_found"
    assert people.ask(MySessions(), actor=actor).items == ()
    people.settle()
    assert people.rows("SELECT count(*) FROM session") == [(0,)]
    assert people.facts("SessionEnded") == [{"person_id": actor.person, "session_id": actor.session, "revoked": False}]


def test_a_fifty_first_device_signs_the_one_unseen_for_longest_out(people: People) -> None:
    """The list is bounded, and the newest never suffers."""
    first, second = people.signed_in(PHONE), people.signed_in(PHONE)
    people.clock.advance(DAY_MS)
    people.send(TouchSession(session_id=first.session))
    for _ in range(SESSIONS_MAX - 1):
        people.clock.advance(4 * 3_600_000)
        people.settle()
        people.signed_in(PHONE)
    assert people.rows("SELECT count(*) FROM session") == [(SESSIONS_MAX,)]
    assert people.caller(second.session) is None
    assert people.caller(first.session) is not None


def test_what_the_cloud_sends_itself_is_for_nobody_else(people: People) -> None:
    """A session is not ended by an alarm that somebody made up."""
    actor = people.signed_in(PHONE)
    assert people.no(EndIdleSession(session_id=actor.session), actor=actor)["code"] == "not_allowed"
    before = people.everything()["session"]
    people.send(EndIdleSession(session_id=actor.session), actor=SYSTEM)
    people.send(EndIdleSession(session_id=SessionId("ses_0")), actor=SYSTEM)
    assert people.everything()["session"] == before


def test_a_profile_changes_what_is_given_and_keeps_the_rest(people: People) -> None:
    """A nickname is for others; the contact is not."""
    mei = people.signed_in(PHONE)
    people.send(ChangeProfile(nickname="小美"), actor=mei)
    people.send(ChangeProfile(language=Language.EN), actor=mei)
    profile = people.ask(MyProfile(), actor=mei)
    assert (profile.id, profile.nickname, profile.phone, profile.email, profile.language) == (
        mei.person,
        "小美",
        PHONE,
        "",
        Language.EN,
    )
    assert people.ask(NicknamesOf(person_ids=(mei.person, PersonId("per_0")))) == {mei.person: "小美"}
    assert people.no(ChangeProfile(nickname="x"), actor=ANONYMOUS)["code"] == "person_not_found"
    with pytest.raises(Refused) as refused:
        people.ask(MyProfile(), actor=ANONYMOUS)
    assert refused.value.code is IdentityRefusal.PERSON_NOT_FOUND


@pytest.mark.parametrize("name", ["a\nb", "a\n", "\x00", "a\u2028b", "a\x7f", "x" * 41])
def test_a_name_with_control_characters_is_bad_input(name: str) -> None:
    """It could forge a line in what others read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"nickname": name}), type=ChangeProfile)
    device = name if len(name) < 41 else "x" * 101
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"challenge_id": "chl_1", "code": "123456", "device": device}), type=OpenSession)
