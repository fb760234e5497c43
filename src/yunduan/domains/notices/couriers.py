"""Carries letters about notices: by e-mail and by text message, after the quiet hours, patiently."""

from collections.abc import Mapping, Sequence

from yunduan.domains.notices.commands import NoteCarried
from yunduan.domains.notices.model import NoticeLetter, NoticeSender, Way
from yunduan.domains.notices.queries import NextLetter, NoticeLettersDue
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import NoticeLetterId
from yunduan.runtime.carrying import AT_ONCE, PATIENCE_S, Carrying, Office


class KeepForReading:
    """The carrier of a place without carriers: letters are read in the development mailbox."""

    async def send(self, letter: NoticeLetter) -> None:
        """The letter is where it will be read already."""


class NoticeCouriers(Carrying[NoticeLetter]):
    """Takes the letters whose time has come; one that is not taken is tried again for 15 hours, and never at night."""

    def __init__(self, office: Office, senders: Mapping[Way, NoticeSender], *, patience_s: float = PATIENCE_S) -> None:
        """Carry for one cloud, each way by its sender."""
        super().__init__(patience_s=patience_s)
        self._office = office
        self._senders = senders
        self._unreachable: set[str] = set()

    def due(self) -> Sequence[tuple[str, NoticeLetter]]:
        """With the contacts that people have today."""
        return [(letter.id, letter) for letter in self._office.ask(NoticeLettersDue(most=AT_ONCE), actor=SYSTEM)]

    def next_due(self) -> int | None:
        """When quiet hours end, or it is time to try again."""
        return self._office.ask(NextLetter(), actor=SYSTEM)

    async def carry(self, item: NoticeLetter) -> None:
        """Whoever has no such contact any more cannot be written to."""
        if item.contact:
            await self._senders[item.way].send(item)
        else:
            self._unreachable.add(item.id)

    async def note(self, name: str, *, is_sent: bool) -> None:
        """In the background."""
        outcome = "unreachable" if name in self._unreachable else "sent" if is_sent else "failed"
        await self._office.send(NoteCarried(letter_id=NoticeLetterId(name), outcome=outcome), actor=SYSTEM, background=True)
        self._unreachable.discard(name)
