"""Facts for whoever keeps data beside the store: read after the commit, in their order, by a cursor of the reader's own."""

from collections.abc import Iterator, Mapping
from typing import Any

from yunduan.kernel.messages import Fact
from yunduan.runtime.look import HEAD
from yunduan.runtime.ports import Reader

_FACTS_AFTER = "SELECT seq, kind, body FROM fact WHERE seq > ? ORDER BY seq LIMIT ?"
_TOLD_AT = "SELECT at FROM fact WHERE seq > ? ORDER BY seq LIMIT 1"


def stands_at(reader: Reader) -> tuple[int, int]:
    """The epoch of a store, and the last fact that was told."""
    row = reader.row(HEAD)
    return (row[0], row[1]) if row else (0, 0)


def waits_since(reader: Reader, seq: int) -> int | None:
    """When the first fact after one of them was told, in milliseconds since 1970; nothing when it was the last."""
    row = reader.row(_TOLD_AT, (seq,))
    return row[0] if row else None


def told_after(reader: Reader, seq: int, limit: int, decoders: Mapping[str, Any]) -> Iterator[tuple[int, Fact | None]]:
    """Facts from after one of them on, each with its place; nothing in place of one of a kind that nobody wants."""
    for place, kind, body in reader.rows(_FACTS_AFTER, (seq, limit)):
        decoder = decoders.get(kind)
        yield place, decoder.decode(body) if decoder else None
