"""What a key was answered with, for as long as it may come again."""

from typing import Any

from msgspec import Struct

from yunduan.runtime.ports import Reader, Row, Table

KEPT_MS = 7 * 86_400_000


class Answered(Struct, frozen=True, gc=False):
    """What a key is answered with, now and, where it is kept, whenever it comes again: the answer as JSON, or the refusal."""

    accepted: bool
    body: bytes
    is_kept: bool = True


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored no."""

    code: str
    detail: str = ""
    figures: Any = None


class StoredAnswer(Struct, frozen=True, gc=False):
    """One key of one principal; `body` is gone when only the key is remembered, because it moved money."""

    name: str
    fingerprint: bytes
    accepted: int
    body: bytes | None
    spends: int
    at: int


def _row(stored: StoredAnswer) -> Row:
    return (stored.name, stored.fingerprint, stored.accepted, stored.body, stored.spends, stored.at)


ANSWERS: Table[str, StoredAnswer] = Table(
    name="answer",
    columns={"name": str, "fingerprint": bytes, "accepted": int, "body": bytes, "spends": int, "at": int},
    value=lambda row: StoredAnswer(*row),
    row=_row,
)
"""Read through the store, never remembered: a key comes once, as a rule."""

KEEP = "INSERT INTO answer (name, fingerprint, accepted, body, spends, at) VALUES (?, ?, ?, ?, ?, ?)"
FORGET = "DELETE FROM answer WHERE seq > ? AND seq <= ? AND spends = 0"
SPEND = "UPDATE answer SET body = NULL WHERE seq > ? AND seq <= ? AND spends = 1"


def stored(reader: Reader, names: list[str]) -> dict[str, StoredAnswer]:
    """The answers of these keys, those that there are."""
    return by_name(reader.load(ANSWERS, names))


def by_name(rows: list[Row]) -> dict[str, StoredAnswer]:
    """What was read, by the key and its caller."""
    return {row[0]: StoredAnswer(*row) for row in rows}
