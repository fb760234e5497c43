"""The rows of notices: what was told to whom, boxes, preferences and letters."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from yunduan.domains.notices.model import About, Due, NoticeKind, Preferences, Way
from yunduan.kernel.ids import NoticeLetterId, PersonId
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.transaction import Asking, Tx

encode = msgspec.msgpack.Encoder().encode
"""How what a notice is about is kept."""
_about = msgspec.msgpack.Decoder(About).decode
_chosen = msgspec.msgpack.Decoder(Preferences).decode


class Box(Struct, frozen=True):
    """Where somebody's notices stand: the number of the last, and of the last that was read."""

    person: PersonId
    last: int = 0
    seen: int = 0


class Chosen(Struct, frozen=True):
    """What somebody has chosen."""

    person: PersonId
    preferences: Preferences


class Notice(Struct, frozen=True):
    """One notice as it is kept; `seq` is its place among all."""

    seq: int
    person: PersonId
    number: int
    kind: NoticeKind
    about: About
    at: int


class LetterState(StrEnum):
    """How far a letter is."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


class Letter(Struct, frozen=True, kw_only=True):
    """One letter as it is kept."""

    id: NoticeLetterId
    person: PersonId
    way: Way
    kind: NoticeKind
    about: About
    at: int
    state: LetterState = LetterState.WAITING
    tries: int = 0
    next_at: int


def _letter_row(it: Letter) -> Row:
    return (it.id, it.person, it.way.value, it.kind.value, encode(it.about), it.at, it.state.value, it.tries, it.next_at)


def _letter(row: Row) -> Letter:
    return Letter(
        id=row[0],
        person=row[1],
        way=Way(row[2]),
        kind=NoticeKind(row[3]),
        about=_about(row[4]),
        at=row[5],
        state=LetterState(row[6]),
        tries=row[7],
        next_at=row[8],
    )


BOX: Table[PersonId, Box] = Table(
    name="notice_box",
    columns={"person": str, "last": int, "seen": int},
    value=lambda row: Box(*row),
    row=lambda box: (box.person, box.last, box.seen),
)
COUNT: Table[str, tuple[str, int]] = Table(name="notice_count", columns={"name": str, "last": int}, value=tuple, row=tuple)
PREFERENCE: Table[PersonId, Chosen] = Table(
    name="notice_preference",
    columns={"person": str, "chosen": bytes},
    value=lambda row: Chosen(row[0], _chosen(row[1])),
    row=lambda it: (it.person, encode(it.preferences)),
)
LETTER: Table[NoticeLetterId, Letter] = Table(
    name="notice_letter",
    columns={
        "id": str,
        "person": str,
        "way": str,
        "kind": str,
        "about": bytes,
        "at": int,
        "state": str,
        "tries": int,
        "next_at": int,
    },
    value=_letter,
    row=_letter_row,
    updates=("state", "tries", "next_at"),
    remembered=1_000,
)
_KEEP = "INSERT INTO notice (seq, person, number, kind, about, at) VALUES (?, ?, ?, ?, ?, ?)"
_PAGE = "SELECT seq, person, number, kind, about, at FROM notice WHERE person = ? AND number < ? ORDER BY number DESC LIMIT ?"
_AFTER = "SELECT seq, person, number, kind, about, at FROM notice WHERE person = ? AND number > ? ORDER BY number LIMIT ?"
_FIRST = "SELECT CAST(min(number) AS INTEGER) FROM notice WHERE person = ?"
_TOLD = "SELECT seq, person FROM notice WHERE seq > ? ORDER BY seq LIMIT ?"
_LAST = "SELECT last FROM notice_count WHERE name = 'notices'"
_OLD = "SELECT seq FROM notice WHERE at < ? ORDER BY seq LIMIT ?"
_FORGET_THROUGH = "DELETE FROM notice WHERE seq <= ?"
_FORGET_OF = "DELETE FROM notice WHERE person = ?"
_FORGET_BOX = "DELETE FROM notice_box WHERE person = ?"
_FORGET_PREFERENCE = "DELETE FROM notice_preference WHERE person = ?"
_LETTERS_OF = "SELECT id FROM notice_letter WHERE person = ? ORDER BY id"
_LETTERS_DUE = "SELECT id FROM notice_letter WHERE state = 'waiting' AND next_at <= ? AND at > ? ORDER BY next_at, id LIMIT ?"
_NEXT_LETTER = "SELECT CAST(min(next_at) AS INTEGER) FROM notice_letter WHERE state = 'waiting' AND at > ?"
_NEWEST_LETTERS = "SELECT id FROM notice_letter ORDER BY id DESC LIMIT ?"
_OLD_LETTERS = "SELECT id FROM notice_letter WHERE id < ? ORDER BY id LIMIT ?"
_FORGET_LETTER = "DELETE FROM notice_letter WHERE id = ?"
NEWEST = 2**62
"""Above every number."""


def preferences_of(at: Asking, person: PersonId) -> Preferences:
    """What somebody has chosen, or what is usual."""
    found = at.get(PREFERENCE, person)
    return found.preferences if found else Preferences()


def choose(tx: Tx, person: PersonId, preferences: Preferences) -> None:
    """Keep what somebody has chosen now."""
    (tx.add if tx.get(PREFERENCE, person) is None else tx.put)(PREFERENCE, person, Chosen(person, preferences))


def box_of(at: Asking, person: PersonId) -> Box:
    """Where somebody's notices stand."""
    return at.get(BOX, person) or Box(person)


def unread(at: Asking, box: Box) -> int:
    """How many notices somebody has still to read; those that have been forgotten are not among them."""
    if box.seen == box.last:
        return 0
    row = at.row(_FIRST, (box.person,))
    first = row[0] if row and row[0] is not None else box.last + 1
    return box.last - max(box.seen, first - 1)


def keep_box(tx: Tx, box: Box) -> None:
    """Keep where somebody's notices stand now."""
    (tx.add if tx.get(BOX, box.person) is None else tx.put)(BOX, box.person, box)


def next_seq(tx: Tx, notices: int) -> int:
    """Places for so many new notices: the first of them."""
    found = tx.get(COUNT, "notices")
    if found is None:
        tx.add(COUNT, "notices", ("notices", notices))
        return 1
    tx.put(COUNT, "notices", ("notices", found[1] + notices))
    return found[1] + 1


def what(about: bytes) -> About:
    """What a notice is about, as it was kept."""
    return _about(about)


def keep(tx: Tx, seq: int, number: int, due: Due) -> None:
    """Write a notice."""
    tx.append(_KEEP, (seq, due.person, number, str(due.kind), due.about, tx.now))


def _notice(row: Row) -> Notice:
    return Notice(row[0], row[1], row[2], NoticeKind(row[3]), _about(row[4]), row[5])


def page_of(at: Asking, person: PersonId, before: int, limit: int) -> list[Notice]:
    """Somebody's notices, the latest first."""
    return [_notice(row) for row in at.rows(_PAGE, (person, before, limit))]


def after(at: Asking, person: PersonId, number: int, limit: int) -> list[Notice]:
    """What somebody was told since a notice, in order."""
    return [_notice(row) for row in at.rows(_AFTER, (person, number, limit))]


def told_after(at: Asking, seq: int, limit: int) -> list[tuple[int, PersonId]]:
    """Who was told something since a place among all notices, in order."""
    return [(row[0], row[1]) for row in at.rows(_TOLD, (seq, limit))]


def last_seq(at: Asking) -> int:
    """The place of the last notice of all."""
    row = at.row(_LAST)
    return row[0] if row else 0


def forget_old(tx: Tx, until: int, limit: int) -> int:
    """Forget the oldest notices that are older; answers how many."""
    old = [row[0] for row in tx.rows(_OLD, (until, limit))]
    return tx.write(_FORGET_THROUGH, (old[-1],)) if old else 0


def forget_person(tx: Tx, person: PersonId) -> None:
    """Forget all that somebody was told and has chosen."""
    tx.write(_FORGET_OF, (person,))
    if tx.get(BOX, person) is not None:
        tx.remove(BOX, person, _FORGET_BOX)
    if tx.get(PREFERENCE, person) is not None:
        tx.remove(PREFERENCE, person, _FORGET_PREFERENCE)
    for (id,) in tx.rows(_LETTERS_OF, (person,)):
        tx.remove(LETTER, id, _FORGET_LETTER)


# Letters


def letters_due(at: Asking, now: int, written_after: int, most: int) -> list[Letter]:
    """Letters whose time has come and that are not too old, the one that waits longest first."""
    return _letters(at, at.rows(_LETTERS_DUE, (now, written_after, most)))


def next_letter(at: Asking, written_after: int) -> int | None:
    """When the next letter may leave that is not too old."""
    row = at.row(_NEXT_LETTER, (written_after,))
    return row[0] if row else None


def newest_letters(at: Asking, most: int) -> list[Letter]:
    """The last letters, the newest first."""
    return _letters(at, at.rows(_NEWEST_LETTERS, (most,)))


def _letters(at: Asking, ids: Sequence[Row]) -> list[Letter]:
    found = at.get_many(LETTER, [row[0] for row in ids])
    return [found[row[0]] for row in ids]


def forget_letters(tx: Tx, before: str, limit: int) -> int:
    """Forget the oldest letters of before an id, however they have ended; answers how many."""
    old = tx.rows(_OLD_LETTERS, (before, limit))
    for (id,) in old:
        tx.remove(LETTER, id, _FORGET_LETTER)
    return len(old)
