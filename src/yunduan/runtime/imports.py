"""What is brought in from elsewhere, once: how far an import is, and what was made here for what there was at its source.

An import lives through the years of its source, and the time of a store never runs back. So it begins in a store that nothing
has been written to, and until it has ended nothing else may write. It remembers itself in rows of its own, which no time takes
away: answers are kept for a week, and those of an import are years old when they are given.
"""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw, Struct

from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import RefusalCode, Refused, invariant
from yunduan.runtime.ports import Reader, Row, StoreRefusedError, Table
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

_encode = msgspec.json.Encoder().encode
_KNOWS_IMPORTS = "SELECT 1 FROM migration WHERE domain = 'runtime' AND number = 2"
_RUNNING = "SELECT source, status, content, done, total, began_at, ended_at FROM import WHERE status = 'running'"
_WRITTEN_AT = "SELECT at FROM head ORDER BY epoch DESC LIMIT 1"
_BROUGHT = "SELECT kind, name, made FROM imported WHERE source = ?"
_KINDS = "SELECT kind, count(*) FROM imported WHERE source = ? GROUP BY kind ORDER BY kind"


class ImportRefusal(RefusalCode):
    """What imports refuse."""

    NOT_FOUND = "import_not_found", "No such import was ever begun."
    FINISHED = "import_finished", "The import has ended: it is not done twice."
    OTHER_CONTENT = "import_of_other_content", "The import was begun with another content: go on with that."
    STORE_NOT_EMPTY = "store_not_empty", "An import begins in a store that nothing was ever written to."


class ImportStatus(StrEnum):
    """Where an import stands."""

    RUNNING = "running"
    FINISHED = "finished"


class Import(Struct, frozen=True, kw_only=True):
    """One import: `done` of `total` steps are done for certain; `content` tells what it brings in from any other."""

    source: str
    status: ImportStatus
    content: bytes
    done: int
    total: int
    began_at: int
    ended_at: int


class Imported(Struct, frozen=True):
    """What a command was answered with, by the kind of thing and the name that it has at its source."""

    source: str
    kind: str
    name: str
    made: bytes


def _row(found: Import) -> Row:
    return (found.source, found.status.value, found.content, found.done, found.total, found.began_at, found.ended_at)


def _import(row: Row) -> Import:
    source, status, content, done, total, began_at, ended_at = row
    return Import(
        source=source,
        status=ImportStatus(status),
        content=bytes(content),
        done=done,
        total=total,
        began_at=began_at,
        ended_at=ended_at,
    )


IMPORTS: Table[str, Import] = Table(
    name="import",
    columns={"source": str, "status": str, "content": bytes, "done": int, "total": int, "began_at": int, "ended_at": int},
    value=_import,
    row=_row,
)
IMPORTED: Table[tuple[str, str, str], Imported] = Table(
    name="imported",
    columns={"source": str, "kind": str, "name": str, "made": bytes},
    value=lambda row: Imported(*row),
    row=lambda found: (found.source, found.kind, found.name, found.made),
    keys=3,
    remembered=1_000,
)
"""Not remembered for long: what has been brought in is asked for after a crash alone."""


class BeginImport(Command[Import], refuses=(ImportRefusal.FINISHED, ImportRefusal.OTHER_CONTENT, ImportRefusal.STORE_NOT_EMPTY)):
    """Begin an import, or go on with one of the same content that has not ended; the store holds nothing else."""

    source: str
    content: bytes
    total: int


class BringIn(Command[Raw]):
    """Carry out a command of an import, once for a kind and a name at the source, and keep what it is answered with.

    Asked again, it is answered the same and changes nothing. The plan of an import asks for nothing that is refused: a refusal
    here is a broken program.
    """

    source: str
    kind: str
    name: str
    command: Command[Any]


class AdvanceImport(Command[Import], refuses=(ImportRefusal.NOT_FOUND, ImportRefusal.FINISHED)):
    """Say that so many steps are done for certain: they are not asked for again."""

    source: str
    done: int


class EndImport(Command[Import], refuses=(ImportRefusal.NOT_FOUND, ImportRefusal.FINISHED)):
    """Say that everything has been brought in: from now on the store is like any other."""

    source: str


class ImportOf(Query[Import | None]):
    """How far an import is, if it was ever begun."""

    source: str


class ImportedOf(Query[tuple[Imported, ...]], slow=True):
    """Everything that an import has brought in."""

    source: str


class KindsImported(Query[dict[str, int]], slow=True):
    """How many of each kind an import has brought in."""

    source: str


@handles(BeginImport)
def begin_import(tx: Tx, ask: BeginImport) -> Import:
    """Refuse what has ended, what is of something else, and a store that has been written to."""
    found = tx.get(IMPORTS, ask.source)
    if found is not None:
        if found.status is ImportStatus.FINISHED:
            raise Refused(ImportRefusal.FINISHED)
        if (found.content, found.total) != (ask.content, ask.total):
            raise Refused(ImportRefusal.OTHER_CONTENT)
        return found
    if is_written(tx):
        raise Refused(ImportRefusal.STORE_NOT_EMPTY)
    begun = Import(
        source=ask.source, status=ImportStatus.RUNNING, content=ask.content, done=0, total=ask.total, began_at=tx.now, ended_at=0
    )
    tx.add(IMPORTS, begun.source, begun)
    return begun


@handles(BringIn)
def bring_in(tx: Tx, ask: BringIn) -> Raw:
    """The command and the memory of it in one transaction."""
    invariant(tx.actor.is_system, "the cloud alone brings in")
    found = tx.get(IMPORTS, ask.source)
    invariant(found is not None and found.status is ImportStatus.RUNNING, f"the import of {ask.source} is running")
    place = (ask.source, ask.kind, ask.name)
    before = tx.get(IMPORTED, place)
    if before is not None:
        return Raw(before.made)
    made = _encode(tx.send(ask.command))
    tx.add(IMPORTED, place, Imported(*place, made))
    return Raw(made)


@handles(AdvanceImport)
def advance_import(tx: Tx, ask: AdvanceImport) -> Import:
    """Never back, never beyond the end."""
    found = _running(tx, ask.source)
    invariant(found.done <= ask.done <= found.total, f"{ask.done} steps are between {found.done} and {found.total}")
    moved = msgspec.structs.replace(found, done=ask.done)
    tx.put(IMPORTS, moved.source, moved)
    return moved


@handles(EndImport)
def end_import(tx: Tx, ask: EndImport) -> Import:
    """Nothing may be left to do."""
    found = _running(tx, ask.source)
    invariant(found.done == found.total, f"{found.done} of {found.total} steps are done")
    ended = msgspec.structs.replace(found, status=ImportStatus.FINISHED, ended_at=tx.now)
    tx.put(IMPORTS, ended.source, ended)
    return ended


@answers(ImportOf)
def import_of(at: Asking, ask: ImportOf) -> Import | None:
    """The row itself."""
    return at.get(IMPORTS, ask.source)


@answers(ImportedOf)
def imported_of(at: Asking, ask: ImportedOf) -> tuple[Imported, ...]:
    """In the order of kinds and names."""
    return tuple(Imported(ask.source, kind, name, bytes(made)) for kind, name, made in at.rows(_BROUGHT, (ask.source,)))


@answers(KindsImported)
def kinds_imported(at: Asking, ask: KindsImported) -> dict[str, int]:
    """Counted, not remembered."""
    return dict(at.rows(_KINDS, (ask.source,)))


def _running(tx: Tx, source: str) -> Import:
    found = tx.get(IMPORTS, source)
    if found is None:
        raise Refused(ImportRefusal.NOT_FOUND)
    if found.status is ImportStatus.FINISHED:
        raise Refused(ImportRefusal.FINISHED)
    return found


def is_written(reader: Reader) -> bool:
    """Whether anything was ever committed by a writer: then the store has a time, before which it cannot go back."""
    row = reader.row(_WRITTEN_AT)
    return row is not None and row[0] > 0


def unfinished(reader: Reader) -> Import | None:
    """The import that has begun in a store and not ended, if there is one; a store of an older program has none."""
    if reader.row(_KNOWS_IMPORTS) is None:
        return None
    row = reader.row(_RUNNING)
    return _import(row) if row else None


def refuse_unfinished(reader: Reader, *, importing: str = "") -> None:
    """Raise `StoreRefusedError` when an import has not ended, to everybody but that import: its time is the past, theirs is not."""
    found = unfinished(reader)
    if found is not None and found.source != importing:
        raise StoreRefusedError(
            f"an import of {found.source} has begun in this store and not ended ({found.done:,} of {found.total:,} steps): "
            "go on with it, or begin anew in an empty folder"
        )
