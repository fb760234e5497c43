"""The embedded store. Nothing else in the process may open the file by another library: two of them drop each other's locks."""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import apsw

from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError, invariant
from yunduan.runtime.ports import Row, StoreRefusedError, Table, Upkeep

if not apsw.connections():  # once, before anything is opened: every allocation took a lock that all connections share, to be counted
    apsw.shutdown()
    apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
    apsw.initialize()
VERSION_MIN = (3, 51, 3)
"""Older ones can corrupt a WAL when two connections write or checkpoint at once."""
CHECKPOINT_PAGES = 4_000
RESTART_PAGES = 16_384
"""64 MiB of 4 KiB pages: beyond it the log is started anew, even if that makes the next batch wait."""
RESTART_WAIT_MS = 2
RESTART_WAIT_LATE_MS = 50
"""How long everybody waits for somebody who reads to let the log begin anew; the latter when it is half as large again as it should be."""
FOLDS_MAX = 3
"""How often in a row a full log is folded beside the batches, until little has come meanwhile."""
START_WAIT_MS = 2_000
BEHIND_CACHE_KIB = 2_048
QUERY_MS_MAX = 5_000
"""One open snapshot keeps the log from being reused: it grew to 2 GB once."""
KEYS_AT_ONCE = 256
"""How many rows are looked for by one statement."""
ROWS_AT_ONCE = 64
"""How many rows are added by one statement."""
STEPS_BETWEEN_LOOKS = 500_000
"""Of SQLite's virtual machine, about 20 ms: how often a query is asked whether it has had its time."""
_MACHINE = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
)
"""What goes wrong with the machine, not with the program; a query that has had its time is among them."""


def _pragmas(connection: apsw.Connection, cache_kib: int, map_mib: int = 0) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # else a plan may look at what `LIMIT ?` is, and is made anew each time
    for pragma in ("synchronous=FULL", "temp_store=MEMORY", f"mmap_size={map_mib << 20}", f"cache_size=-{cache_kib}", "foreign_keys=OFF"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


class _Statements:
    """The shapes of SQL that a `Table` needs."""

    def __init__(self, table: Table[Any, Any]) -> None:
        columns = tuple(table.columns)
        self._keys = table.keys
        keys, changed = columns[: table.keys], table.changed_columns()
        name, where = table.name, " AND ".join(f"{key} = ?" for key in keys)
        places = {column: place for place, column in enumerate(columns, 1)}
        sets = ", ".join(f"{column} = ?{places[column]}" for column in changed)
        matches = " AND ".join(f"{key} = ?{places[key]}" for key in keys)
        self.select = f"SELECT {', '.join(columns)} FROM {name} WHERE {where}"  # noqa: S608 - names from code, never from data
        self._each = f"({','.join('?' * table.keys)})"
        self._wanted = f"WITH wanted ({', '.join(f'k{place}' for place in range(table.keys))}) AS (VALUES "
        on = " AND ".join(f"{key} = k{place}" for place, key in enumerate(keys))
        self._found = f") SELECT {', '.join(columns)} FROM wanted CROSS JOIN {name} ON {on}"  # noqa: S608 - the same
        self._sized: dict[int, str] = {}
        self.insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608 - the same
        self.update = f"UPDATE {name} SET {sets} WHERE {matches}"  # noqa: S608 - the same
        excluded = ", ".join(f"{column} = excluded.{column}" for column in changed)
        self.upsert = f"{self.insert} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {excluded}"
        """The update as statements of many; it would add what is not there."""
        self.width = max(places[column] for column in (*changed, *keys))
        """How much of a row the update needs: its arguments are numbered as the columns are, so that no row is turned around."""

    def select_many(self, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """One statement for the rows with many keys, and its arguments: a third of what a statement for each costs.

        Their number is made a power of two, so that few statements have to be prepared, and no row has the key NULL.
        """
        size = 1 << (len(keys) - 1).bit_length()
        sql = self._sized.get(size)
        if sql is None:
            sql = self._sized[size] = f"{self._wanted}{','.join([self._each] * size)}{self._found}"
        arguments = list(chain.from_iterable(keys) if self._keys > 1 else keys)
        arguments += [None] * (size * self._keys - len(arguments))
        return sql, arguments


class _Rows:
    """An INSERT of one row, as statements of many: each execution costs as much as half a row.

    The library puts a statement back among those it keeps after every row that `executemany` sends, in place of the one that was
    put back longest ago, whatever that is: a batch's rows drove out everything that a batch needs once, to be prepared anew.
    """

    def __init__(self, head: str, places: str, tail: str) -> None:
        self._head, self._places, self._tail = head, places, tail
        self._sized: dict[int, str] = {}

    @staticmethod
    def of(sql: str) -> "_Rows | None":
        """Nothing for a statement of another shape."""
        found = _ONE_ROW.fullmatch(sql)
        return found and _Rows(found[1], found[2].replace(" ", ""), found[3])

    def sized(self, rows: int) -> str:
        """One statement for so many rows. Whoever meets an error undoes all of them, so SQLite need not be able to: OR FAIL."""
        found = self._sized.get(rows)
        if found is None:
            places = ",".join([self._places] * rows)
            found = self._sized[rows] = f"INSERT OR FAIL INTO{self._head}VALUES {places}{self._tail}"
        return found


_NO_ROW = -(2**63)
"""The id of no row: what the connection says of the last row that was added, where none was."""
_ONE_ROW = re.compile(r"INSERT INTO( .+ )VALUES (\((?:\?, ?)*\?\))((?: ON CONFLICT .+)?)", re.DOTALL)
_rows: dict[str, _Rows | None] = {}
_statements: dict[Table[Any, Any], _Statements] = {}
"""By the declaration and not by its name: two stores in one process may have tables of one name."""


def _of(table: Table[Any, Any]) -> _Statements:
    found = _statements.get(table)
    if found is None:
        found = _statements[table] = _Statements(table)
    return found


def _pieces(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE))


class SqliteReader:
    """A read-only connection of its own."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Read through a connection."""
        self._connection = connection
        self._execute = connection.execute
        self._ends = float("inf")

    def too_long(self) -> bool:
        """Whether the query at hand has had its time."""
        return time.monotonic() > self._ends

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row, or nothing."""
        try:
            found: Row | None = self._execute(sql, arguments).fetchone()
        except _MACHINE as error:
            raise FaultError(str(error)) from error
        return found

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        try:
            return self._execute(sql, arguments).fetchall()
        except _MACHINE as error:
            raise FaultError(str(error)) from error

    def load(self, table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        """The rows of a table with these keys."""
        prepared = _of(table)
        try:
            if len(keys) == 1:
                key = keys[0]
                return self._execute(prepared.select, key if table.keys > 1 else (key,)).fetchall()
            if len(keys) <= KEYS_AT_ONCE:
                return self._execute(*prepared.select_many(keys)).fetchall()
            return [row for some in _pieces(keys) for row in self._execute(*prepared.select_many(some)).fetchall()]
        except _MACHINE as error:
            raise FaultError(str(error)) from error

    def begin(self) -> None:
        """See one commit from now on, for five seconds at most."""
        self.go_on()
        self._execute("BEGIN")

    def go_on(self) -> None:
        """See the same commit for five seconds more."""
        self._ends = time.monotonic() + QUERY_MS_MAX / 1000

    def end(self) -> None:
        """Let go of it; an error may have done so already."""
        self._ends = float("inf")
        if self._connection.in_transaction:
            self._execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _reader(path: str, vfs: str, cache_kib: int, map_mib: int = 0) -> SqliteReader:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs or None, statementcachesize=256)
    _pragmas(connection, cache_kib, map_mib)
    connection.set_busy_timeout(1000)
    reader = SqliteReader(connection)
    connection.set_progress_handler(reader.too_long, STEPS_BETWEEN_LOOKS)
    return reader


class SqliteStore(SqliteReader):
    """The connection that writes; it holds a lock on a file beside the data for as long as it is open."""

    def __init__(
        self,
        path: Path,
        *,
        cache_mib: int = 64,
        map_mib: int = 0,
        vfs: str = "",
        fold_pages: int = CHECKPOINT_PAGES,
        restart_pages: int = RESTART_PAGES,
    ) -> None:
        """Open, recover and checkpoint: when this returns, everything that can be read is on disk.

        The log is folded into the data file each `fold_pages`, and begun anew past `restart_pages`. Readers see so much of the file
        mapped into memory; what writes never does, so that a disk that fails is an error that it hears of.
        Raises `StoreRefusedError` when SQLite is too old or another process holds the store.
        """
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < VERSION_MIN:
            raise StoreRefusedError(f"SQLite {version} can corrupt a WAL: {VERSION_MIN} or newer is needed")
        self.path = path
        self._vfs = vfs
        self._lock = _locked(path)
        self._lent = False
        self._pages = 0
        self._folded = 0
        self._fold_pages = fold_pages
        self._restart_at = self._restart_pages = restart_pages
        self._folder: apsw.Connection | None = None
        self._is_folding = False
        self._folds = 0
        self._cache_kib = cache_mib * 1024 // 4  # the writer has two quarters, a reader one
        self._map_mib = map_mib
        try:
            connection = apsw.Connection(str(path), vfs=vfs or None, statementcachesize=512)
        except BaseException:
            os.close(self._lock)
            raise
        super().__init__(connection)
        try:
            _pragmas(connection, 2 * self._cache_kib)
            self._begin_log()
        except BaseException:
            self.close()
            raise
        self._changes = connection.changes
        self._many = connection.executemany

    def _begin_log(self) -> None:
        self._connection.set_busy_timeout(START_WAIT_MS)  # somebody who only looks must not be why a start fails
        self._execute("PRAGMA synchronous=EXTRA").fetchall()  # else this change's rollback journal could come back after a power loss
        mode = self._execute("PRAGMA journal_mode=WAL").get
        self._connection.set_busy_timeout(0)
        self._execute("PRAGMA synchronous=FULL").fetchall()
        if mode != "wal":
            raise StoreRefusedError(f"{self.path} cannot be in WAL mode ({mode})")
        self._connection.set_wal_hook(self._note_pages)  # replaces the automatic checkpoint, which hides its errors
        if not self._checkpoint("TRUNCATE"):
            self._sync_log()

    def _sync_log(self) -> None:
        """Where somebody who reads is in the way of a checkpoint, a commit that changes nothing puts the whole log on the disk."""
        ((version,),) = self._execute("PRAGMA user_version").fetchall()
        self._execute(f"PRAGMA user_version = {version}").fetchall()

    def _note_pages(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self, mode: str) -> bool:
        """Move the log into the data file; false when a reader is in the way. Any error is the caller's to die of."""
        busy, _, _ = self._execute(f"PRAGMA wal_checkpoint({mode})").fetchall()[0]
        return not busy

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row, or nothing."""
        self._mine()
        return super().row(sql, arguments)

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        self._mine()
        return super().rows(sql, arguments)

    def load(self, table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        """The rows of a table with these keys."""
        self._mine()
        return super().load(table, keys)

    def load_each(self, wanted: Sequence[tuple[Table[Any, Any], Sequence[Any]]]) -> list[list[Row]]:
        """For each of several tables the rows with its keys."""
        return [self.load(table, keys) for table, keys in wanted]

    def write(self, sql: str, arguments: Sequence[object] = ()) -> int:
        """Run one statement; answers the number of rows it touched."""
        self._mine()
        try:
            self._execute(sql, arguments).fetchall()
        except _MACHINE as error:
            raise FaultError(str(error)) from error
        return self._changes()

    def append(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one statement for every row."""
        self._mine()
        try:
            self._send(sql, rows)
        except _MACHINE as error:
            raise FaultError(str(error)) from error

    def _send(self, sql: str, rows: Sequence[Row]) -> None:
        """In statements whose sizes are powers of two, so that few have to be prepared."""
        try:
            many = _rows[sql]
        except KeyError:
            many = _rows[sql] = _Rows.of(sql)
        if many is None:
            self._many(sql, rows)
            return
        at, left = 0, len(rows)
        while left:
            size = min(ROWS_AT_ONCE, 1 << (left.bit_length() - 1))
            self._execute(many.sized(size), list(chain.from_iterable(rows[at : at + size])))
            at, left = at + size, left - size

    def insert(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Add rows."""
        self.append(_of(table).insert, rows)

    def update(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Change the rows with these keys. That one is absent is not seen where several lie in a table without row ids."""
        prepared = _of(table)
        if len(rows) == 1:
            were_there = self.write(prepared.update, rows[0][: prepared.width]) == 1
        else:
            self._connection.set_last_insert_rowid(_NO_ROW)
            self.append(prepared.upsert, rows)
            were_there = self._connection.last_insert_rowid() == _NO_ROW
        invariant(were_there, f"each changed row of {table.name} is there")

    def move(self, sql: str, arguments: Sequence[object], otherwise: Exception) -> None:
        """Run a statement that must touch one row."""
        if self.write(sql, arguments) != 1:
            raise otherwise

    def settle(self) -> None:
        """Nothing: what was sent has been done."""

    def script(self, sql: str) -> None:
        """Run the statements of a migration."""
        self._mine()
        for statement in translated(sql):
            self._execute(statement).fetchall()

    def begin(self) -> None:
        """Open the transaction of a batch."""
        self.write("BEGIN IMMEDIATE")

    def lend(self) -> None:
        """From now on nothing but `commit` or upkeep, in the helper thread, touches the connection until it has returned."""
        self._mine()
        self._lent = True

    def commit(self) -> None:
        """Return when the transaction is on disk."""
        try:
            self._execute("COMMIT")
        except apsw.Error as error:
            raise UnknownOutcomeError(f"COMMIT failed: {error}") from error
        finally:
            self._lent = False

    def rollback(self) -> None:
        """Undo the batch; harmless when it is already undone."""
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def savepoint(self) -> None:
        """Mark a place to come back to."""
        self.write("SAVEPOINT command")

    def release(self) -> None:
        """Keep what was done since the savepoint."""
        self.write("RELEASE command")

    def rollback_to_savepoint(self) -> None:
        """Undo what was done since the savepoint, and forget it."""
        self.write("ROLLBACK TO command")
        self.write("RELEASE command")

    def in_transaction(self) -> bool:
        """Whether the batch's transaction still stands."""
        return self._connection.in_transaction

    def tend(self) -> Upkeep | None:
        """A checkpoint when the log has grown: a passive one beside the batches, or past 64 MiB one between them that starts it anew.

        The one between them, for which everybody waits, comes right after one beside them during which little has come, so that it has
        little left to copy.
        """
        if self._is_folding:
            return None
        is_full = self._pages >= self._restart_at
        if is_full and self._folds and (self._pages - self._folded <= self._fold_pages // 8 or self._folds == FOLDS_MAX):
            return Upkeep(run=self._restart_log, alone=True)
        if is_full or self._pages - self._folded >= self._fold_pages or self._pages < self._folded:
            self._folded = self._pages
            self._is_folding, self._folds = True, self._folds + 1 if is_full else 0
            return Upkeep(run=self._fold_log, alone=False)
        return None

    def _fold_log(self) -> None:
        """Copy the log into the data file while batches go on, through a connection that does nothing else."""
        if self._folder is None:
            self._folder = apsw.Connection(str(self.path), vfs=self._vfs or None)
            _pragmas(self._folder, 256)
            self._folder.execute("PRAGMA wal_autocheckpoint=0")
        self._folder.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._is_folding = False  # when it fails, the writer stops

    def _restart_log(self) -> None:
        is_late = self._pages >= self._restart_pages * 3 // 2
        self._connection.set_busy_timeout(RESTART_WAIT_LATE_MS if is_late else RESTART_WAIT_MS)
        self._folds = 0
        try:
            if self._checkpoint("RESTART"):
                self._pages = self._folded = 0
                self._restart_at = self._restart_pages
            else:  # a reader is in the way: let the next batches go, and try again a little later
                self._restart_at = self._pages + (self._fold_pages if is_late else self._fold_pages // 2)
        finally:
            self._connection.set_busy_timeout(0)
            self._lent = False

    def reader(self, *, is_behind: bool = False) -> SqliteReader:
        """A new read-only connection to the same file; one behind the scenes reads everything once and needs no cache for that."""
        if is_behind:
            return _reader(str(self.path), self._vfs, BEHIND_CACHE_KIB)
        return _reader(str(self.path), self._vfs, self._cache_kib, self._map_mib)

    def backup(self, target: str) -> None:
        """Write a consistent copy in one step, through a connection of its own."""
        copy(self.path, Path(target), vfs=self._vfs)

    def close(self) -> None:
        """Let go of the data and of the lock on it."""
        if self._folder is not None:
            self._folder.close()
        self._connection.close()
        os.close(self._lock)

    def _mine(self) -> None:
        if self._lent:
            raise BrokenError("nothing touches the writing connection while a commit is on its way")


def store_files(path: Path) -> tuple[Path, ...]:
    """The files that make a store: itself, its log, and the log's index."""
    return path, Path(f"{path}-wal"), Path(f"{path}-shm")


def open_reader(path: Path, *, cache_mib: int = 64, map_mib: int = 0) -> SqliteReader:
    """A read-only connection to a store that another process may be writing to; raises `StoreRefusedError`."""
    if not path.is_file() or not path.stat().st_size:
        raise StoreRefusedError(f"there is no store at {path}")
    try:
        return _reader(str(path), "", cache_mib * 1024, map_mib)
    except apsw.Error as error:
        raise StoreRefusedError(f"{path} cannot be opened: {error}") from error


def copy(path: Path, target: Path, *, vfs: str = "", watch: Callable[[int, int], None] | None = None) -> None:
    """Write a consistent copy of a store in one step (`VACUUM INTO`) while others go on.

    It is a new file that only its owner may read, on disk when this returns, and gone when it fails. `watch` is told now and then
    how many bytes are written, and of how many.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _vacuum_into(path, target, vfs, watch)
        _fsync(target)
    except apsw.Error as error:
        target.unlink()
        raise FaultError(f"{path} cannot be copied: {error}") from error
    except BaseException:
        target.unlink()
        raise


def _vacuum_into(path: Path, target: Path, vfs: str, watch: Callable[[int, int], None] | None) -> None:
    copier = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs or None)
    try:
        if watch is not None:
            pages, free, size = (copier.pragma(name) for name in ("page_count", "freelist_count", "page_size"))
            total = (pages - free) * size

            def look() -> bool:
                watch(min(target.stat().st_size, total), total)
                return False

            copier.set_progress_handler(look, STEPS_BETWEEN_LOOKS)
        copier.execute("VACUUM INTO ?", (str(target),))
    finally:
        copier.close()


def _locked(path: Path) -> int:
    """An open, locked file beside the data; closing it is letting go."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreRefusedError(f"another process writes to {path}") from error
    return lock


def _fsync(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_CREATE = re.compile(r"(CREATE TABLE (?:IF NOT EXISTS )?\w+ \(.*\))\s*(CLUSTERED)?\s*(?:APPENDED)?\s*$", re.DOTALL)
_APPENDED = re.compile(r"ALTER TABLE \w+ APPENDED")


def translated(sql: str) -> list[str]:
    """A migration's statements in SQLite's words: STRICT tables, `SERIAL` as the row id, `CLUSTERED` without one.

    That a table is `APPENDED` is for other stores: pages are filled here whatever becomes of their rows.
    """
    statements = []
    for statement in re.sub(r"--[^\n]*", "", sql).split(";"):
        text = statement.strip().replace("SERIAL", "INTEGER PRIMARY KEY")
        found = _CREATE.fullmatch(text)
        if found:
            text = f"{found[1]} STRICT{', WITHOUT ROWID' if found[2] else ''}"
        if text and not _APPENDED.fullmatch(text):
            statements.append(text)
    return statements
