"""Carries letters to their carrier beside the transactions: at least once, patiently, and never a code that is of no use any more."""

import asyncio
from typing import Protocol, TypeVar

import structlog

from yunduan.domains.identity.commands import NoteDelivery
from yunduan.domains.identity.model import CodeSender, Letter
from yunduan.domains.identity.queries import LettersDue
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import LetterId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import FaultError

Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)
AT_ONCE = 20
PAUSE_S = 0.25
PATIENCE_S = 10.0
"""How long a carrier may take for one letter."""


class Office(Protocol):
    """The part of a cloud that a courier talks to."""

    def ask(self, query: Query[Answer], *, actor: Actor) -> Answer:
        """Answer a query from the last commit."""
        ...

    async def send(self, command: Command[Answer], *, actor: Actor, background: bool) -> Answer:
        """Have a command carried out."""
        ...


class KeepInMailbox:
    """The carrier of a place without carriers: letters are read in the development mailbox."""

    async def send(self, contact: str, text: str, language: str) -> None:
        """The letter is where it will be read already."""


class Couriers:
    """Takes the letters that wait, gives each to the carrier and notes what came of it.

    A letter whose note was lost in a crash is carried again; one that the carrier does not take is tried again after 5, 10, 20,
    40 and 80 seconds and then given up. No letter is carried twice at the same time.
    """

    def __init__(self, office: Office, carrier: CodeSender, *, patience_s: float = PATIENCE_S) -> None:
        """Carry for one cloud by one carrier."""
        self._office = office
        self._carrier = carrier
        self._patience_s = patience_s
        self._unnoted: dict[LetterId, bool] = {}
        self.sent = self.failed = 0

    async def run(self) -> None:
        """Carry until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Carry what waits; answers how many letters that were. What could not be noted is noted again, not carried again."""
        due = self._office.ask(LettersDue(most=AT_ONCE), actor=SYSTEM)
        await asyncio.gather(*(self._carry(letter) for letter in due if letter.letter_id not in self._unnoted))
        for letter_id, is_sent in list(self._unnoted.items()):
            await self._note(letter_id, is_sent=is_sent)
        return len(due)

    def next_due(self) -> int | None:
        """Never by time alone: a letter is taken as soon as it waits, and again when time has passed."""
        return None

    async def _carry(self, letter: Letter) -> None:
        """Whatever a carrier raises, the letter is tried again; the error's text may hold the contact, so it is not logged."""
        given = asyncio.wait_for(self._carrier.send(letter.contact, letter.text, letter.language), self._patience_s)
        (outcome,) = await asyncio.gather(given, return_exceptions=True)
        if isinstance(outcome, BaseException):
            log.warning("letter_not_taken", letter=letter.letter_id, error=type(outcome).__name__)
            self.failed += 1
        else:
            self.sent += 1
        self._unnoted[letter.letter_id] = outcome is None

    async def _note(self, letter_id: LetterId, *, is_sent: bool) -> None:
        try:
            await self._office.send(NoteDelivery(letter_id=letter_id, is_sent=is_sent), actor=SYSTEM, background=True)
        except FaultError as fault:
            log.warning("delivery_not_noted", letter=letter_id, error=str(fault))
        else:
            del self._unnoted[letter_id]
