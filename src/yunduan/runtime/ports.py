"""What the runtime asks of a store. SQL is the portable subset, written by hand in the `store` modules of the domains.

Portable means: `?` for arguments; INTEGER, TEXT and BLOB columns; `ON CONFLICT`, `RETURNING`, recursive queries; sums cast to INTEGER.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

Row = tuple[Any, ...]
Key = TypeVar("Key")
Value = TypeVar("Value")


class Table(Struct, Generic[Key, Value], frozen=True, kw_only=True, eq=False):
    """A table whose rows are found by key: the writer reads each once, remembers it, and writes it once a batch.

    `columns` gives each column's Python type (int, str or bytes; None may stand in any); the first of them are the `keys`.
    `value` and `row` translate. `updates` are the columns that a change writes; by default all but the keys.
    Such a table is changed through `tx.add` and `tx.put` alone, so that what is remembered stays true.
    """

    name: str
    columns: Mapping[str, type]
    value: Callable[[Row], Value]
    row: Callable[[Value], Row]
    keys: int = 1
    updates: tuple[str, ...] = ()
    remembered: int = 10_000
    """How many rows are kept in memory from batch to batch; beyond it the writer forgets them all and begins anew."""
    shown: int = 0
    """How many rows the loop's readers keep in memory until a commit changes them: for what is small and looked at all the time."""

    def changed_columns(self) -> tuple[str, ...]:
        """The columns that an update writes."""
        return self.updates or tuple(self.columns)[self.keys :]


_first = itemgetter(0)


def keys_of(table: Table[Any, Any], rows: Iterable[Row]) -> Iterable[Any]:
    """The keys of rows: values, or tuples when they have several columns."""
    return map(_first, rows) if table.keys == 1 else [row[: table.keys] for row in rows]


class Upkeep(Struct, frozen=True, kw_only=True):
    """Work on the store itself, run in a helper thread; any error in it is fatal. `alone`: no batch may begin until it is done."""

    run: Callable[[], None]
    alone: bool


class Reader(Protocol):
    """A connection that reads."""

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row, or nothing."""
        ...

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        ...

    def load(self, table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        """The rows of a table with these keys (a tuple each when the key has several columns), in no order."""
        ...


class Snapshots(Reader, Protocol):
    """A read-only connection whose statements between `begin` and `end` see one commit."""

    def begin(self) -> None:
        """See one commit from now on."""
        ...

    def go_on(self) -> None:
        """See the same commit for another query, which has a time of its own."""
        ...

    def end(self) -> None:
        """Let go of it."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Store(Reader, Protocol):
    """The one connection that writes. While it is lent to the helper thread, a touch is a broken program.

    What `insert`, `update`, `append` and `move` send may be carried out while this process goes on. What is wrong with it is raised
    there, by whatever is asked next, by `settle`, or by `commit`.
    """

    def load_each(self, wanted: Sequence[tuple[Table[Any, Any], Sequence[Any]]]) -> list[list[Row]]:
        """For each of several tables the rows with its keys, asked for together."""
        ...

    def write(self, sql: str, arguments: Sequence[object] = ()) -> int:
        """Run one statement; answers the number of rows it touched."""
        ...

    def insert(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Add rows (every column, in order)."""
        ...

    def update(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Change the rows with these keys (every column, in order), each of which has been seen; that one is absent is a broken program.

        It is told where telling costs nothing.
        """
        ...

    def append(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one statement for every row."""
        ...

    def move(self, sql: str, arguments: Sequence[object], otherwise: Exception) -> None:
        """Run a statement that must touch one row, and raise the error when it does not."""
        ...

    def settle(self) -> None:
        """Return when what was sent has been done; raises what was wrong with it."""
        ...

    def script(self, sql: str) -> None:
        """Run the statements of a migration."""
        ...

    def begin(self) -> None:
        """Open the transaction of a batch."""
        ...

    def lend(self) -> None:
        """From now on nothing but `commit` or upkeep, in the helper thread, touches the connection until it has returned."""
        ...

    def commit(self) -> None:
        """Return when the transaction is on disk; raises `UnknownOutcomeError` when that cannot be told.

        `NothingKeptError` when something that was sent before did not fit: the transaction is to be rolled back.
        """
        ...

    def rollback(self) -> None:
        """Undo the batch; harmless when it is already undone."""
        ...

    def savepoint(self) -> None:
        """Mark a place to come back to; one at a time."""
        ...

    def release(self) -> None:
        """Keep what was done since the savepoint."""
        ...

    def rollback_to_savepoint(self) -> None:
        """Undo what was done since the savepoint, and forget it."""
        ...

    def in_transaction(self) -> bool:
        """Whether the batch's transaction still stands."""
        ...

    def tend(self) -> Upkeep | None:
        """Upkeep that is due at this border between batches, such as a checkpoint."""
        ...

    def reader(self, *, is_behind: bool = False) -> Snapshots:
        """A new read-only connection to the same data; one for what goes on behind the scenes needs little memory."""
        ...

    def backup(self, target: str) -> None:
        """Write a consistent copy while others go on, in one step; may be called from any thread."""
        ...

    def close(self) -> None:
        """Let go of the data and of the lock on it."""
        ...


class SideStore(Protocol):
    """A file of data that can be derived anew, beside the store: SQLite with FTS5, one connection that writes, others that read.

    Nothing waits for the disk: after a crash it is as it was some commits ago, and whoever keeps it goes on from there.
    """

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row; raises `FaultError` when the machine failed, or this took too long."""
        ...

    def write(self, sql: str, arguments: Sequence[object] = ()) -> None:
        """Run one statement."""
        ...

    def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for every row."""
        ...

    def begin(self) -> None:
        """Open a transaction."""
        ...

    def commit(self) -> None:
        """Let others see what was written."""
        ...

    def rollback(self) -> None:
        """Undo it; harmless when there is nothing to undo."""
        ...

    def fold(self) -> None:
        """Do now what waits for the disk: for whoever has nothing else to do."""
        ...

    def has_changed(self) -> bool:
        """Whether anybody else has committed since this was asked before."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SideStores(Protocol):
    """The generations of one kind of derived data: while the next one is made, everybody reads the last that was whole."""

    def generation(self) -> int:
        """Which one everybody reads; 0 before the first."""
        ...

    def is_there(self, generation: int) -> bool:
        """Whether one is there, whole or not."""
        ...

    def read(self, generation: int) -> SideStore:
        """A connection that reads one."""
        ...

    def write(self, generation: int) -> SideStore:
        """The connection that writes one; the next is begun, and raises `MadeElsewhereError` when somebody else is making it."""
        ...

    def is_written(self) -> bool:
        """Whether anybody, in any process, has a connection open that writes one."""
        ...

    def publish(self, generation: int) -> None:
        """From now on everybody reads this one; those before it go."""
        ...

    def close(self) -> None:
        """Let go of them."""
        ...


class MadeElsewhereError(Exception):
    """Another process makes the next generation of derived data, or has just made it."""


class NothingKeptError(Exception):
    """A commit was not tried, for the reason that caused this."""


class StoreRefusedError(Exception):
    """The store must not be opened: another writer holds it, its version can lose data, or it is newer than the code."""


def each(rows: Iterable[Row], columns: int) -> list[list[Any]]:
    """Rows turned into columns."""
    turned: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(columns)]
