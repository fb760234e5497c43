"""Facts for whoever keeps data beside the store: read after the commit, in their order, by a cursor of the reader's own."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from yunduan.kernel.messages import Fact
from yunduan.runtime.look import HEAD
from yunduan.runtime.ports import Reader

_HEARD = "SELECT seq, kind, body FROM fact WHERE seq > ? AND seq <= ? AND kind IN ({}) ORDER BY seq LIMIT ?"
_TOLD_AT = "SELECT at FROM fact WHERE seq > ? ORDER BY seq LIMIT 1"
LOOKED_AT = 20_000
"""So many facts are looked at in one step, by a statement of some milliseconds."""


def stands_at(reader: Reader) -> tuple[int, int]:
    """The epoch of a store, and the last fact that was told."""
    row = reader.row(HEAD)
    return (row[0], row[1]) if row else (0, 0)


def waits_since(reader: Reader, seq: int) -> int | None:
    """When the first fact after one of them was told, in milliseconds since 1970; nothing when it was the last."""
    row = reader.row(_TOLD_AT, (seq,))
    return row[0] if row else None


class Told(NamedTuple):
    """What was told, of what somebody hears."""

    facts: Sequence[Fact]
    through: int
    """The last fact that was looked at, whatever it was."""
    is_more: bool


def told_after(reader: Reader, seq: int, limit: int, decoders: Mapping[str, Any]) -> Told:
    """So many facts from after one of them on, of those kinds that there are decoders of; the others, which are many, are not read."""
    _, last = stands_at(reader)
    until = min(last, seq + LOOKED_AT)
    if until <= seq:
        return Told((), seq, False)
    rows = reader.rows(_HEARD.format(", ".join("?" * len(decoders))), (seq, until, *decoders, limit))
    through = rows[-1][0] if len(rows) == limit else until
    return Told([decoders[kind].decode(body) for _, kind, body in rows], through, through < last)
