"""What a store remembers of itself, by name."""

from yunduan.runtime.ports import Reader, Store
from yunduan.runtime.transaction import Tx

_MARK = "SELECT value FROM mark WHERE name = ?"
_KEEP = "INSERT INTO mark (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_LOSE = "DELETE FROM mark WHERE name = ?"


def mark(reader: Reader, name: str) -> bytes | None:
    """What is remembered by a name, if anything."""
    row = reader.row(_MARK, (name,))
    return None if row is None else bytes(row[0])


def keep_mark(tx: Tx, name: str, value: bytes) -> None:
    """Remember it, in place of what was remembered by this name."""
    tx.write(_KEEP, (name, value))


def lose_mark(tx: Tx, name: str) -> None:
    """Remember nothing by this name."""
    tx.write(_LOSE, (name,))


def keep_mark_at_start(store: Store, name: str, value: bytes) -> None:
    """Remember it in a transaction of its own, before there is a writer; on disk when it returns."""
    store.begin()
    store.write(_KEEP, (name, value))
    store.lend()
    store.commit()
