"""Signing in: codes, tries, limits, and that nobody can tell a known contact from an unknown one."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.people import EMAIL, OTHER_PHONE, PHONE, People, wrong
from yunduan.domains.identity.commands import (
    OpenSession,
    RegisterPerson,
    RequestCode,
    SignOut,
)
from yunduan.domains.identity.model import CODE_MS, DAY_MS, HOUR_MS, MINUTE_MS, SESSION_MS, IdentityRefusal, Language, SessionOpened
from yunduan.domains.identity.queries import CallerOf, Mailbox
from yunduan.domains.identity.routes import reveal_session
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import ChallengeId
from yunduan.kernel.refusals import Refused


def test_a_first_sign_in_registers_and_a_second_finds_the_same_person(people: People) -> None:
    """The contact is the person's, however it is written."""
    first = people.opened(PHONE, device="Mei's phone")
    again = people.opened("138 1234 5678")
    assert (first.is_new, again.is_new) == (True, False)
    assert first.person_id == again.person_id
    assert first.session_id != again.session_id
    assert first.expires_at == people.clock.wall_ms() + SESSION_MS
    assert [fact["person_id"] for fact in people.facts("PersonRegistered")] == [first.person_id]
    assert [(fact["is_new"], fact["on_new_device"]) for fact in people.facts("PersonSignedIn")] == [(True, False), (False, True)]


def test_an_email_is_one_contact_in_any_case(people: People) -> None:
    """Upper and lower case reach the same letter box."""
    assert people.opened(EMAIL).person_id == people.opened("Mei.Lin@EXAMPLE.com").person_id


def test_a_letter_says_the_code_in_the_language_asked_for(people: People) -> None:
    """Chinese by default."""
    people.send(RequestCode(contact=PHONE), actor=ANONYMOUS)
    people.send(RequestCode(contact=EMAIL, language=Language.EN), actor=ANONYMOUS)
    english, chinese = people.ask(Mailbox()).items
    assert chinese.text == f"【云端】验证码 {chinese.code}，10 分钟内有效，请勿告诉他人。"
    assert english.text == f"Yunduan: your code is {english.code}. It is valid for 10 minutes. Never tell it to anybody."
    assert (chinese.contact, english.contact) == (PHONE, EMAIL)
    assert len(chinese.code) == len(english.code) == 6


def test_the_token_is_found_by_its_hash_and_revealed_after_the_commit(people: People) -> None:
    """What is stored is neither the token nor anything that it could be made from."""
    opened = people.opened()
    revealed = reveal_session(opened, people.cloud.port)
    assert revealed.token.startswith("yds_")
    assert len(revealed.token) == 47
    assert revealed.id == opened.session_id
    (row,) = people.rows("SELECT token_hash FROM session")
    assert revealed.token.encode() not in (people.cloud.store.path.read_bytes() + Path(f"{people.cloud.store.path}-wal").read_bytes())  # type: ignore[attr-defined]
    caller = people.ask(CallerOf(token_hash=row[0]))
    assert caller is not None
    assert caller.actor.person == opened.person_id


@pytest.mark.parametrize(
    "contact",
    [
        "",
        "1",
        "hello",
        "+86",
        "12345",
        "+8610",
        "a@b",
        "@",
        "a@@b.com",
        "a b@example.com",
        "0571-88157788",
        "+861381234567800",
        PHONE + ";ext=5",
        "１３８",
    ],
)
def test_what_cannot_be_reached_is_refused(people: People, contact: str) -> None:
    """Fixed lines, half numbers, and what is no address at all."""
    assert people.no(RequestCode(contact=contact))["code"] == "contact_invalid"


def test_a_wrong_code_is_counted_and_the_sixth_try_is_not_looked_at(people: People) -> None:
    """Five tries, then even the right one is too late; the edge's answer to a wrong one is a refusal with what is left."""
    id, code = people.code_for(PHONE)
    for left in (4, 3, 2, 1, 0):
        answer = people.send(OpenSession(challenge_id=id, code=wrong(code)), actor=ANONYMOUS)
        assert answer == SessionOpened(opened=False, tries_left=left)
        with pytest.raises(Refused) as refused:
            reveal_session(answer, people.cloud.port)
        assert refused.value.code is IdentityRefusal.CODE_WRONG
        assert msgspec.to_builtins(refused.value.figures) == {"tries_left": left}
    assert people.no(OpenSession(challenge_id=id, code=code))["code"] == "challenge_ended"
    assert people.rows("SELECT count(*) FROM person") == [(0,)]


def test_two_hundred_guesses_at_once_get_five_tries(people: People) -> None:
    """The right code is the sixth and comes with two hundred others: it does not open."""
    id, code = people.code_for(PHONE)
    guesses = [OpenSession(challenge_id=id, code=wrong(code, by)) for by in range(1, 6)]
    guesses += [OpenSession(challenge_id=id, code=wrong(code, by)) for by in (0, *range(6, 200))]
    outcomes = people.send_all([(guess, Actor(origin=f"198.51.100.{n}")) for n, guess in enumerate(guesses)])
    looked_at = [outcome for outcome in outcomes if isinstance(outcome, SessionOpened)]
    assert [outcome.opened for outcome in looked_at] == [False] * 5
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == [IdentityRefusal.CHALLENGE_ENDED] * 195
    assert people.rows("SELECT tries, used FROM challenge") == [(5, 0)]
    assert people.rows("SELECT count(*) FROM session") == [(0,)]


def test_the_right_code_sent_at_once_from_many_places_opens_one_session(people: People) -> None:
    """A code is good once."""
    id, code = people.code_for(PHONE)
    outcomes = people.send_all([(OpenSession(challenge_id=id, code=code), ANONYMOUS)] * 50)
    opened = [outcome for outcome in outcomes if isinstance(outcome, SessionOpened)]
    assert [outcome.opened for outcome in opened] == [True]
    assert len([outcome for outcome in outcomes if isinstance(outcome, Refused)]) == 49
    assert people.rows("SELECT count(*) FROM session") == [(1,)]


def test_sign_ups_with_one_phone_at_once_make_one_person(people: People) -> None:
    """By two codes, and by an import: the second code finds who the first has registered."""
    codes = [people.code_for(PHONE), people.code_for(PHONE)]
    outcomes = people.send_all(
        [(OpenSession(challenge_id=id, code=code), ANONYMOUS) for id, code in codes]
        + [(RegisterPerson(phone=PHONE), Actor(is_system=True))] * 20
    )
    assert [outcome.is_new for outcome in outcomes[:2]] == [True, False]
    assert outcomes[0].person_id == outcomes[1].person_id
    assert [outcome.code for outcome in outcomes[2:]] == [IdentityRefusal.CONTACT_TAKEN] * 20
    assert people.rows("SELECT count(*) FROM person") == [(1,)]


def test_a_key_that_comes_again_gives_the_same_session(people: People) -> None:
    """A phone that lost the answer asks again; the code is not used twice, the token is the same."""
    id, code = people.code_for(PHONE)
    ask = OpenSession(challenge_id=id, code=code)
    first = people.send(ask, actor=ANONYMOUS, key="k1")
    assert people.send(ask, actor=ANONYMOUS, key="k1") == first
    assert people.rows("SELECT count(*) FROM session") == [(1,)]
    assert reveal_session(first, people.cloud.port) == reveal_session(people.send(ask, actor=ANONYMOUS, key="k1"), people.cloud.port)


def test_a_wrong_try_under_a_key_is_counted_once(people: People) -> None:
    """The same wrong guess under the same key is the same try."""
    id, code = people.code_for(PHONE)
    ask = OpenSession(challenge_id=id, code=wrong(code))
    answers = [people.send(ask, actor=ANONYMOUS, key="k1") for _ in range(3)]
    assert answers == [SessionOpened(opened=False, tries_left=4)] * 3
    assert people.rows("SELECT tries FROM challenge") == [(1,)]


def test_a_code_is_good_for_ten_minutes(people: People) -> None:
    """To the millisecond."""
    late, code = people.code_for(PHONE)
    people.clock.advance(CODE_MS)
    assert people.no(OpenSession(challenge_id=late, code=code))["code"] == "challenge_ended"
    id, code = people.code_for(PHONE)
    people.clock.advance(CODE_MS - 1)
    assert people.send(OpenSession(challenge_id=id, code=code)).opened


def test_codes_that_somebody_else_asks_for_leave_the_first_one_good(people: People) -> None:
    """As many as the limits give, each with tries of its own: guessing at one takes nothing from another, and using one ends it alone."""
    mine, my_code = people.code_for(PHONE)
    theirs = []
    for n in range(4):
        people.clock.advance(MINUTE_MS)
        theirs.append(people.code_for("13812345678", origin=f"198.51.100.{n}"))
    for id, code in theirs[:2]:
        for by in range(1, 6):
            assert not people.send(OpenSession(challenge_id=id, code=wrong(code, by))).opened
        assert people.no(OpenSession(challenge_id=id, code=code))["code"] == "challenge_ended"
    assert not people.send(OpenSession(challenge_id=mine, code=theirs[2][1])).opened
    first = people.send(OpenSession(challenge_id=mine, code=my_code))
    again = people.send(OpenSession(challenge_id=theirs[2][0], code=theirs[2][1]))
    assert (first.opened, first.is_new, again.opened, again.is_new) == (True, True, True, False)
    assert first.person_id == again.person_id


def test_a_code_asked_for_as_the_day_of_its_contact_ends_is_good_for_ten_minutes(people: People) -> None:
    """What was counted of the day is forgotten meanwhile, and the code is not; nor is the hour that began with it."""
    people.code_for(PHONE)
    people.pass_time(DAY_MS - 1)
    codes = [people.code_for(PHONE), people.code_for(PHONE)]
    people.pass_time(MINUTE_MS - 1)
    assert people.no(RequestCode(contact=PHONE))["code"] == "too_many_codes"
    people.pass_time(CODE_MS - MINUTE_MS)
    assert [people.send(OpenSession(challenge_id=id, code=code)).opened for id, code in codes] == [True, True]
    for _ in range(3):
        people.pass_time(MINUTE_MS)
        people.code_for(PHONE)
    assert people.no(RequestCode(contact=PHONE))["figures"] == {"again_at": people.clock.wall_ms() + HOUR_MS - CODE_MS - 3 * MINUTE_MS + 1}


def test_a_used_code_and_an_unknown_challenge_are_refused(people: People) -> None:
    """And nothing changes."""
    id, code = people.code_for(PHONE)
    people.send(OpenSession(challenge_id=id, code=code))
    assert people.no(OpenSession(challenge_id=id, code=code))["code"] == "challenge_ended"
    assert people.no(OpenSession(challenge_id=ChallengeId("chl_0"), code=code))["code"] == "challenge_not_found"
    assert people.no(OpenSession(challenge_id=ChallengeId(""), code=code))["code"] == "challenge_not_found"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345\n", "12 456", "１２３４５６", "abcdef", "-12345"])
def test_what_is_no_code_is_bad_input(code: str) -> None:
    """It never reaches a challenge."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"challenge_id": "chl_1", "code": code}), type=OpenSession)


def _answer_bytes(people: People, ask: RequestCode, origin: str) -> bytes:
    async def submitted() -> Any:
        return await people.cloud.submit(ask, actor=Actor(origin=origin))

    answered = people.run(submitted())
    assert isinstance(answered.body, bytes)
    return answered.body


def test_known_and_unknown_contacts_are_answered_alike(people: People) -> None:
    """The same bytes but for the id, the same statements, the same rows; and the same refusal when there were too many."""
    people.opened(PHONE)
    people.pass_time(DAY_MS + HOUR_MS)
    people.send(RequestCode(contact=EMAIL))  # the day's own row
    seen: dict[str, list[Any]] = {}
    for contact, network in ((PHONE, "192.0.2"), (OTHER_PHONE, "198.51.100")):
        seen[contact] = []
        for n in range(3):
            before = {table: len(rows) for table, rows in people.everything().items()}
            statements = people.cloud.writer.statements
            body = _answer_bytes(people, RequestCode(contact=contact), f"{network}.{n}")
            statements = people.cloud.writer.statements - statements
            after = {table: len(rows) for table, rows in people.everything().items()}
            answer = msgspec.json.decode(body)
            answer.pop("id", None)
            grown = {table: after[table] - before[table] for table in after}
            seen[contact].append((len(body), answer, grown, statements))
    assert seen[PHONE] == seen[OTHER_PHONE]
    assert [statements for *_, statements in seen[PHONE]] == [5, 6, 1]
    assert seen[PHONE][2][1]["code"] == "too_many_codes"


def test_a_request_takes_the_same_statements_for_known_and_unknown(people: People) -> None:
    """What the work is, not only what it says: the contact is never looked up."""
    people.send(RegisterPerson(phone=PHONE))
    people.send(RequestCode(contact="+8613700000001"))  # the day's own row
    counts = []
    for contact in (PHONE, OTHER_PHONE):
        before = people.cloud.writer.statements
        people.send(RequestCode(contact=contact))
        counts.append(people.cloud.writer.statements - before)
    assert counts[0] == counts[1]


def test_a_contact_gets_two_codes_a_minute_five_an_hour_ten_a_day(people: People) -> None:
    """And each refusal says exactly when the next one is given."""
    start = people.clock.wall_ms()

    def ask(origin: str = "") -> None:
        people.send(RequestCode(contact=PHONE), actor=Actor(origin=origin))

    ask()
    people.clock.advance(1000)
    ask()
    no = people.no(RequestCode(contact="138-1234-5678"))
    assert (no["code"], no["figures"]) == ("too_many_codes", {"again_at": start + MINUTE_MS})
    people.clock.advance_to(start + MINUTE_MS)
    ask("192.0.2.1")
    ask("192.0.2.2")
    people.clock.advance(MINUTE_MS)
    ask("192.0.2.3")
    assert people.no(RequestCode(contact=PHONE))["figures"] == {"again_at": start + HOUR_MS}
    people.clock.advance_to(start + HOUR_MS)
    for _ in range(5):
        ask()
        people.clock.advance(MINUTE_MS)
    assert people.no(RequestCode(contact=PHONE))["figures"] == {"again_at": start + DAY_MS}
    people.clock.advance_to(start + DAY_MS)
    ask()


MINE, NOT_MINE = "0199f0c2-7a00-7000-8000-000000000001", "0199f0c2-7a00-7000-8000-000000000002"
"""What two devices call themselves."""


def _besiege(people: People, contact: str) -> None:
    """Ask for codes until nobody is given one any more."""
    for n in range(10):
        people.send(RequestCode(contact=contact), actor=Actor(origin=f"198.51.100.{n}"))
        people.clock.advance(12 * MINUTE_MS)
    assert people.no(RequestCode(contact=contact))["code"] == "too_many_codes"


def test_strangers_do_not_shut_out_a_device_that_has_signed_in_before(people: People) -> None:
    """Five codes a day are set aside for it, whatever others ask for; for another device, or one that anybody could name, none are."""
    people.opened(PHONE, device_key=MINE)
    people.opened(PHONE, device_key="my phone")
    people.pass_time(DAY_MS + HOUR_MS)
    start = people.clock.wall_ms()
    _besiege(people, PHONE)
    refused = [people.no(RequestCode(contact=PHONE, device=device)) for device in ("", "my phone", NOT_MINE)]
    assert [no["figures"] for no in refused] == [{"again_at": start + DAY_MS}] * 3
    began = people.clock.wall_ms()
    for n in range(5):
        id, code = people.code_for(PHONE, device=MINE, origin="203.0.113.7")
        assert people.send(OpenSession(challenge_id=id, code=code)).opened
        people.clock.advance_to(began + (n + 1) * 30 * MINUTE_MS)
    assert people.no(RequestCode(contact=PHONE, device=MINE))["figures"] == {"again_at": start + DAY_MS}
    assert people.no(RequestCode(contact=PHONE))["figures"] == {"again_at": start + DAY_MS}


def test_what_is_set_aside_tells_no_stranger_whether_a_contact_is_known(people: People) -> None:
    """Besieged, a contact whose owner has a device and one that nobody has are refused alike, with the same statements."""
    people.opened(PHONE, device_key=MINE)
    people.pass_time(DAY_MS + HOUR_MS)
    seen = []
    for n, contact in enumerate((PHONE, OTHER_PHONE)):
        start = people.clock.wall_ms()
        _besiege(people, contact)
        statements = people.cloud.writer.statements
        body = msgspec.json.decode(_answer_bytes(people, RequestCode(contact=contact, device=f"{NOT_MINE}-{n}"), f"203.0.113.{n}"))
        seen.append((body["code"], body["figures"]["again_at"] - start, people.cloud.writer.statements - statements))
        people.pass_time(2 * DAY_MS)
    assert seen[0] == seen[1]
    assert seen[0] == ("too_many_codes", DAY_MS, 2)


def test_a_contact_knows_ten_devices(people: People) -> None:
    """The one that has not signed in for the longest makes room."""
    for n in (0, 1, 0, *range(2, 11)):
        people.opened(PHONE, device_key=f"{MINE}-{n}")
        people.pass_time(DAY_MS)
    vault = people.vault
    known = {device for (device,) in people.rows("SELECT device FROM known_device")}
    assert known == {vault.lookup("known-device", f"{MINE}-{n}") for n in range(11) if n != 1}


def test_an_origin_and_a_device_have_limits_of_their_own(people: People) -> None:
    """Thirty a minute from one address, whoever they are for; five a minute for one installation."""
    for n in range(30):
        people.send(RequestCode(contact=f"+86138000001{n:02d}"), actor=Actor(origin="2001:db8::1"))
    again = {"again_at": people.clock.wall_ms() + MINUTE_MS}
    assert people.no(RequestCode(contact=PHONE), actor=Actor(origin="2001:db8::ffff"))["figures"] == again
    people.send(RequestCode(contact=PHONE), actor=Actor(origin="2001:db8:0:1::1"))
    for n in range(5):
        people.send(RequestCode(contact=f"+86138000002{n:02d}", device="d1"))
    assert people.no(RequestCode(contact="+8613800000300", device="d1"))["figures"] == again
    people.send(RequestCode(contact="+8613800000300", device="d2"))


def test_codes_asked_for_at_once_are_counted(people: People) -> None:
    """A hundred at once get two."""
    outcomes = people.send_all([(RequestCode(contact=PHONE), ANONYMOUS)] * 100)
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 98
    assert people.rows("SELECT count(*) FROM letter") == [(2,)]


def test_challenges_letters_limits_and_the_key_of_the_day_go_in_their_time(people: People) -> None:
    """An hour, a day, two days."""
    people.code_for(PHONE, origin="192.0.2.1")
    (sealed,) = people.rows("SELECT sealed FROM letter")
    day = f"day_{people.clock.wall_ms() // DAY_MS}"
    people.pass_time(HOUR_MS - 1)
    assert people.rows("SELECT count(*) FROM letter") == people.rows("SELECT count(*) FROM challenge") == [(1,)]
    people.pass_time(1)
    assert people.rows("SELECT count(*) FROM letter") == people.rows("SELECT count(*) FROM challenge") == [(0,)]
    assert people.rows("SELECT count(*) FROM budget") == [(2,)]
    assert people.vault.unseal(day, sealed[0]) is not None  # type: ignore[arg-type]
    people.pass_time(DAY_MS)
    assert people.rows("SELECT count(*) FROM budget") == [(0,)]
    people.pass_time(DAY_MS)
    assert people.vault.unseal(day, sealed[0]) is None  # type: ignore[arg-type]
    assert people.rows("SELECT count(*) FROM letter_day") == people.rows("SELECT count(*) FROM alarm") == [(0,)]


def test_a_budget_that_is_still_counted_stays(people: People) -> None:
    """A window that began anew is not forgotten with the old one."""
    people.code_for(PHONE)
    people.pass_time(DAY_MS - 1)
    people.code_for(PHONE)
    people.clock.advance(2)
    people.code_for(PHONE)
    people.settle()
    assert people.rows("SELECT count(*) FROM budget") == [(1,)]
    people.pass_time(3 * DAY_MS)
    assert people.rows("SELECT count(*) FROM budget") == [(0,)]


def test_the_mailbox_is_closed_unless_the_settings_open_it(tmp_path: Path) -> None:
    """To everybody but the cloud itself."""
    with People.at(tmp_path, mailbox_is_open=False) as people:
        people.send(RequestCode(contact=PHONE), actor=ANONYMOUS)
        with pytest.raises(Refused) as refused:
            people.ask(Mailbox(), actor=ANONYMOUS)
        assert refused.value.code is IdentityRefusal.MAILBOX_NOT_FOUND
        assert len(people.ask(Mailbox()).items) == 1


def test_registering_is_for_the_cloud_itself(people: People) -> None:
    """With a phone, an e-mail address, both or none; never twice, never for a caller."""
    both = people.send(RegisterPerson(phone=PHONE, email=EMAIL, nickname="美"))
    nobody = people.send(RegisterPerson())
    assert both.person_id != nobody.person_id
    assert people.opened(PHONE).person_id == people.opened(EMAIL).person_id == both.person_id
    assert people.no(RegisterPerson(email=EMAIL))["code"] == "contact_taken"
    assert people.no(RegisterPerson(phone=EMAIL))["code"] == "contact_invalid"
    assert people.no(RegisterPerson(phone=OTHER_PHONE), actor=people.signed_in(PHONE))["code"] == "not_allowed"


def test_a_reader_beside_the_writer_never_sees_a_token_that_is_signed_out(people: People) -> None:
    """Opened and signed out in one batch: the token is worth nothing."""
    actor = people.signed_in(PHONE)

    async def both() -> None:
        await asyncio.gather(people.cloud.send(SignOut(), actor=actor), people.cloud.send(RequestCode(contact=EMAIL)))

    people.run(both())
    assert people.caller(actor.session) is None
    assert people.no(SignOut(), actor=actor)["code"] == "session_not_found"
