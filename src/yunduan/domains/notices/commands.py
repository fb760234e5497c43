"""What can be asked: to have read, to be told otherwise, to be left alone at night; and, by the cloud, what became of a letter."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import IdentityRefusal
from yunduan.domains.notices import store
from yunduan.domains.notices.giving import leaves_at
from yunduan.domains.notices.model import (
    RETRY_MS,
    SAFETY,
    USUAL_WAYS,
    NoticeKind,
    NoticeRefusal,
    Preferences,
    QuietHours,
    TimeOfDay,
    Way,
)
from yunduan.domains.notices.queries import Number
from yunduan.domains.notices.store import LETTER, Letter, LetterState
from yunduan.kernel.ids import NoticeLetterId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class Unread(Struct, frozen=True, kw_only=True):
    """How many notices are still to be read."""

    unread: int


class ReadNotices(Command[Unread], refuses={NoticeRefusal.NOT_FOUND}):
    """Have read one's notices up to a number, that one included; what was read stays read."""

    through: Number


class ChooseWays(Command[None], refuses={NoticeRefusal.ALWAYS_TOLD}):
    """Be told things of one kind by these ways alone; by none of them, they are not told. What concerns safety is always told."""

    kind: NoticeKind
    ways: Annotated[tuple[Way, ...], Meta(max_length=len(Way), examples=[["in_app", "email"]])]


class SetQuietHours(Command[None]):
    """Have no letter leave between these times of the day, in the market's time zone; what falls into them leaves afterwards."""

    begins: TimeOfDay
    ends: TimeOfDay


class NoteCarried(Command[None], refuses={IdentityRefusal.NOT_ALLOWED}):
    """A letter was taken by its carrier, or not, or there is nowhere to carry it; harmless when it is gone."""

    letter_id: NoticeLetterId
    outcome: Annotated[str, Meta(pattern="^(sent|failed|unreachable)$")]


@handles(ReadNotices)
def read_notices(tx: Tx, ask: ReadNotices) -> Unread:
    """The mark moves forward alone."""
    box = store.box_of(tx, tx.actor.person)
    if ask.through > box.last:
        raise Refused(NoticeRefusal.NOT_FOUND)
    if ask.through > box.seen:
        box = store.Box(box.person, box.last, ask.through)
        store.keep_box(tx, box)
    return Unread(unread=store.unread(tx, box))


@handles(ChooseWays)
def choose_ways(tx: Tx, ask: ChooseWays) -> None:
    """In the order in which ways are known, each once."""
    if ask.kind in SAFETY and not set(USUAL_WAYS[ask.kind]) <= set(ask.ways):
        raise Refused(NoticeRefusal.ALWAYS_TOLD, ", ".join(USUAL_WAYS[ask.kind]))
    before = store.preferences_of(tx, tx.actor.person)
    chosen = before.chosen | {ask.kind.value: tuple(way for way in Way if way in ask.ways)}
    store.choose(tx, tx.actor.person, Preferences(chosen=chosen, quiet=before.quiet))


@handles(SetQuietHours)
def set_quiet_hours(tx: Tx, ask: SetQuietHours) -> None:
    """For letters from now on; those that wait have their time."""
    before = store.preferences_of(tx, tx.actor.person)
    store.choose(tx, tx.actor.person, Preferences(chosen=before.chosen, quiet=QuietHours(begins=ask.begins, ends=ask.ends)))


@handles(NoteCarried)
def note_carried(tx: Tx, ask: NoteCarried) -> None:
    """Sent, or tried again later and not at night, or given up."""
    if not tx.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    letter = tx.get(LETTER, ask.letter_id)
    if letter is not None and letter.state is LetterState.WAITING:
        tx.put(LETTER, letter.id, _after(tx, letter, ask.outcome))


def _after(tx: Tx, letter: Letter, outcome: str) -> Letter:
    if outcome == "sent":
        return replace(letter, state=LetterState.SENT)
    if outcome == "unreachable" or letter.tries >= len(RETRY_MS):
        return replace(letter, state=LetterState.GIVEN_UP)
    next_at = leaves_at(tx, tx.now + RETRY_MS[letter.tries], letter.kind, store.preferences_of(tx, letter.person))
    return replace(letter, tries=letter.tries + 1, next_at=next_at)
