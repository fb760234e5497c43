"""Letters are carried at least once, patiently, and never when they are of no use any more."""

import asyncio
from typing import Any

import structlog.testing

from support.people import EMAIL, OTHER_PHONE, PHONE, People
from yunduan.domains.identity.commands import RETRY_MS, NoteDelivery, RequestCode
from yunduan.domains.identity.couriers import AT_ONCE, Couriers, KeepInMailbox
from yunduan.domains.identity.model import CODE_MS
from yunduan.domains.identity.queries import LettersDue, Mailbox
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import ChallengeId, PersonId
from yunduan.kernel.refusals import FaultError


class Carrier:
    """Takes what it is given, unless it is told to fail or to dawdle."""

    def __init__(self) -> None:
        """Take everything."""
        self.taken: list[tuple[str, str, str]] = []
        self.fails = 0
        self.dawdles = False

    async def send(self, contact: str, text: str, language: str) -> None:
        """Take a letter."""
        if self.dawdles:
            await asyncio.sleep(60)
        if self.fails:
            self.fails -= 1
            raise OSError(f"no line to {contact}")
        self.taken.append((contact, text, language))


def _carry(people: People, couriers: Couriers) -> int:
    return people.run(couriers.run_once())


def test_each_letter_is_given_to_the_carrier_once(people: People) -> None:
    """Opened, in its language."""
    carrier = Carrier()
    couriers = Couriers(people.cloud, carrier)
    people.send(RequestCode(contact=PHONE))
    people.send(RequestCode(contact=EMAIL))
    assert (_carry(people, couriers), _carry(people, couriers)) == (2, 0)
    letters = people.ask(Mailbox()).items
    assert sorted(carrier.taken) == sorted((it.contact, it.text, "zh") for it in letters)
    assert all(it.is_sent for it in letters)
    assert (couriers.sent, couriers.failed) == (2, 0)


def test_a_letter_that_is_not_taken_is_tried_again_later_and_then_given_up(people: People) -> None:
    """After 5, 10, 20, 40 and 80 seconds; what went wrong is logged without the contact."""
    carrier = Carrier()
    carrier.fails = 100
    couriers = Couriers(people.cloud, carrier)
    people.send(RequestCode(contact=PHONE))
    with structlog.testing.capture_logs() as logs:
        for wait in RETRY_MS:
            assert _carry(people, couriers) == 1
            people.clock.advance(wait - 1)
            assert _carry(people, couriers) == 0
            people.clock.advance(1)
        assert _carry(people, couriers) == 1
    assert people.rows("SELECT state, tries FROM letter") == [("given_up", 5)]
    assert _carry(people, couriers) == 0
    assert couriers.failed == 6
    assert PHONE not in repr(logs)
    assert [entry["error"] for entry in logs] == ["OSError"] * 6


def test_a_carrier_that_never_answers_is_not_waited_for(people: People) -> None:
    """And holds nobody else up."""
    carrier = Carrier()
    carrier.dawdles = True
    couriers = Couriers(people.cloud, carrier, patience_s=0.01)
    people.send(RequestCode(contact=PHONE))
    people.send(RequestCode(contact=EMAIL))
    assert _carry(people, couriers) == 2
    assert people.rows("SELECT state, tries FROM letter") == [("waiting", 1)] * 2


def test_a_code_that_cannot_be_answered_any_more_is_not_sent(people: People) -> None:
    """It would only confuse; nor do any number of them stand in the way of those that can."""
    for n in range(AT_ONCE + 1):
        people.send(RequestCode(contact=f"+86138000000{n:02d}"))
    assert len(people.ask(LettersDue(most=AT_ONCE))) == AT_ONCE
    people.clock.advance(CODE_MS)
    people.send(RequestCode(contact=EMAIL))
    assert [letter.contact for letter in people.ask(LettersDue())] == [EMAIL]


class BrokenOffice:
    """A cloud whose writer fails for a while."""

    def __init__(self, people: People) -> None:
        """Fail once."""
        self._cloud = people.cloud
        self.fails = 1

    def ask(self, query: Any, *, actor: Actor) -> Any:
        """Reading works."""
        return self._cloud.ask(query, actor=actor)

    async def send(self, command: Any, *, actor: Actor, background: bool) -> Any:
        """Writing does not, at first."""
        if self.fails:
            self.fails -= 1
            raise FaultError("the disk is slow")
        return await self._cloud.send(command, actor=actor, background=background)


def test_a_letter_whose_delivery_could_not_be_noted_is_not_carried_again(people: People) -> None:
    """Only noted again; a crash in between is what makes it at least once."""
    carrier = Carrier()
    couriers = Couriers(BrokenOffice(people), carrier)
    people.send(RequestCode(contact=PHONE))
    assert (_carry(people, couriers), _carry(people, couriers), _carry(people, couriers)) == (1, 1, 0)
    assert len(carrier.taken) == 1
    assert people.rows("SELECT state FROM letter") == [("sent",)]


def test_the_default_carrier_leaves_letters_in_the_mailbox(people: People) -> None:
    """Until it is stopped, it carries what comes."""

    async def story() -> None:
        running = asyncio.create_task(Couriers(people.cloud, KeepInMailbox()).run())
        await people.cloud.send(RequestCode(contact=OTHER_PHONE))
        while not people.ask(Mailbox()).items[0].is_sent:  # noqa: ASYNC110 - nothing tells when a letter is sent
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    people.run(asyncio.wait_for(story(), 10))
    assert [letter.contact for letter in people.ask(Mailbox()).items] == [OTHER_PHONE]


def test_notes_are_the_clouds_own_and_harmless_when_late(people: People) -> None:
    """A letter that is gone, or was sent, stays as it is."""
    challenge = people.send(RequestCode(contact=PHONE))
    note = NoteDelivery(letter_id=challenge.id, is_sent=True)
    for actor in (ANONYMOUS, Actor(person=PersonId("per_1"))):
        assert people.no(note, actor=actor)["code"] == "not_allowed"
    people.send(note)
    before = people.everything()
    people.send(NoteDelivery(letter_id=challenge.id, is_sent=False))
    people.send(NoteDelivery(letter_id=ChallengeId("chl_0"), is_sent=False))
    assert people.everything() == before
