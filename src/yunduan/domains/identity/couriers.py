"""Carries letters to their carrier beside the transactions, and never a code that is of no use any more."""

from collections.abc import Sequence

from yunduan.domains.identity.commands import NoteDelivery
from yunduan.domains.identity.model import CodeSender, Letter
from yunduan.domains.identity.queries import LettersDue
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import LetterId
from yunduan.runtime.carrying import AT_ONCE, PATIENCE_S, Carrying, Office


class KeepInMailbox:
    """The carrier of a place without carriers: letters are read in the development mailbox."""

    async def send(self, contact: str, text: str, language: str) -> None:
        """The letter is where it will be read already."""


class Couriers(Carrying[Letter]):
    """Takes the letters that wait. One that its carrier does not take is tried again after 5, 10, 20, 40 and 80 seconds, then given up."""

    def __init__(self, office: Office, carrier: CodeSender, *, patience_s: float = PATIENCE_S) -> None:
        """Carry for one cloud by one carrier."""
        super().__init__(patience_s=patience_s)
        self._office = office
        self._carrier = carrier

    def due(self) -> Sequence[tuple[str, Letter]]:
        """A letter is taken as soon as it waits, and again when time has passed."""
        return [(letter.id, letter) for letter in self._office.ask(LettersDue(most=AT_ONCE), actor=SYSTEM)]

    async def carry(self, item: Letter) -> None:
        """Opened, in its language."""
        await self._carrier.send(item.contact, item.text, item.language)

    async def note(self, name: str, *, is_sent: bool) -> None:
        """In the background."""
        await self._office.send(NoteDelivery(letter_id=LetterId(name), is_sent=is_sent), actor=SYSTEM, background=True)
