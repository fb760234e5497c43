"""A file of derived data beside the store: the same SQLite, but nothing waits for the disk."""

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import apsw

from yunduan.backends.sqlite.store import STEPS_BETWEEN_LOOKS
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import MadeElsewhereError, Row

_STATEMENTS_KEPT = 200
_WAIT_MS = 5_000
_FOLD_PAGES, _FOLD_PAGES_IDLE, _PAGES_MAX = 4_000, 250, 8_000
"""The log is folded into the file, in a thread, when so many of its pages are not (16 MiB), or when it has so many (1 MiB) and nobody
waits. With so many whoever writes stops until it is."""
_TRIES = 5
_LOOKS_A_STEP = 20
"""A query of a side store is asked twenty times as often whether it has had its time: it is answered between others."""


class SideFile:
    """Implements `runtime.ports.SideStore`. Without a path it is in memory, and this connection's alone."""

    def __init__(
        self, path: Path | None, *, reads_only: bool = False, cache_mib: int = 16, query_ms_max: int = 0, held: Sequence["Held"] = ()
    ) -> None:
        """Open the file, or make it; raises `FaultError` when that cannot be done. `held` are locks that are let go with it."""
        self._held = held
        flags = apsw.SQLITE_OPEN_READONLY if reads_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            self._connection = apsw.Connection(str(path or ":memory:"), flags=flags, statementcachesize=_STATEMENTS_KEPT)
            self._connection.set_busy_timeout(_WAIT_MS)
            pragmas = ["temp_store=MEMORY", "mmap_size=0", f"cache_size=-{cache_mib * 1024}", "synchronous=NORMAL"]
            if path is not None and not reads_only:
                pragmas.insert(0, "journal_mode=WAL")
            for pragma in pragmas:
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
        except apsw.Error as error:
            raise FaultError(f"{path} cannot be opened: {error}") from error
        self._path = path
        self._logged = self._folded = 0
        self._folder: ThreadPoolExecutor | None = None
        self._folding: Future[int] | None = None
        if not reads_only:
            self._connection.set_wal_hook(self._note_log)
        self._execute = self._connection.execute
        self._query_s_max = query_ms_max / 1000
        self._until = 0.0
        self._seen = -1
        if query_ms_max:
            self._connection.set_progress_handler(self._has_had_its_time, STEPS_BETWEEN_LOOKS // _LOOKS_A_STEP)

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        if self._query_s_max:
            self._until = time.monotonic() + self._query_s_max
        try:
            return self._execute(sql, arguments).fetchall()
        except apsw.Error as error:
            raise FaultError(str(error)) from error

    def write(self, sql: str, arguments: Sequence[object] = ()) -> None:
        """Run one statement."""
        try:
            self._execute(sql, arguments).fetchall()
        except apsw.Error as error:
            raise FaultError(str(error)) from error

    def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for every row."""
        try:
            self._connection.executemany(sql, rows).fetchall()
        except apsw.Error as error:
            raise FaultError(str(error)) from error

    def begin(self) -> None:
        """Open a transaction that writes."""
        self.write("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Let others see it."""
        self.write("COMMIT")
        self._fold(_FOLD_PAGES)

    def rollback(self) -> None:
        """Undo it."""
        if self._connection.in_transaction:
            self.write("ROLLBACK")

    def fold(self) -> None:
        """Bring what the log has into the file where that is worth waiting for the disk."""
        self._fold(1 if self._logged >= _FOLD_PAGES_IDLE else _FOLD_PAGES)  # to the last page, so that the log is begun anew

    def _fold(self, least: int) -> None:
        """Have the log folded beside whoever writes, when so many pages are not; who has written too much meanwhile waits."""
        is_full = self._logged >= _PAGES_MAX
        if self._folding is not None and (is_full or self._folding.done()):
            self._take_folded(self._folding)
        if self._path is None or self._folding is not None or self._logged - self._folded < least:
            return
        if self._folder is None:
            self._folder = ThreadPoolExecutor(1, "fold")
        self._folding = self._folder.submit(_fold, self._path)
        if is_full:
            self._take_folded(self._folding)

    def _take_folded(self, folding: "Future[int]") -> None:
        """Wait until it is."""
        self._folding = None
        try:
            self._folded = folding.result()
        except apsw.Error as error:
            raise FaultError(str(error)) from error

    def has_changed(self) -> bool:
        """By SQLite's own count of what other connections have committed; true the first time."""
        ((now,),) = self.rows("PRAGMA data_version")
        before, self._seen = self._seen, now
        return bool(now != before)

    def close(self) -> None:
        """Close the connection."""
        if self._folder is not None:
            self._folder.shutdown()
        self._connection.close()
        for lock in self._held:
            lock.let_go()

    def _note_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._logged = pages
        if pages < self._folded:  # it was begun anew
            self._folded = 0
        return apsw.SQLITE_OK

    def _has_had_its_time(self) -> bool:
        return time.monotonic() > self._until


def _fold(path: Path) -> int:
    """Fold the log of a file, and begin it anew where all of it was: that waits for the disk as well. Answers how many pages are folded.

    Pages that somebody still reads, and those that are written meanwhile, stay for the next time.
    """
    logged: list[int] = []

    def note(_connection: apsw.Connection, _database: str, pages: int) -> int:
        logged.append(pages)
        return apsw.SQLITE_OK

    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL").fetchall()
        connection.set_wal_hook(note)
        for _ in range(_TRIES):  # while somebody reads the log it is not begun anew
            row: Row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
            _, pages, folded = row
            if folded < pages:
                break
            with suppress(apsw.BusyError):  # whoever writes now begins it anew
                connection.execute("PRAGMA user_version=0").fetchall()
            if not logged or logged[-1] < pages:
                break
    return int(folded)


class Held:
    """A lock on a file, which ends with its process at the latest."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """Take it; raises `BlockingIOError` when somebody has it. Any number can share one, which waits for whoever looks at it."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Let go of it; harmless when that was done."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


_FILE = re.compile(r"([a-z]+)-([0-9]+)\.sqlite(-wal|-shm)?")


class SideFolder:
    """Implements `runtime.ports.SideStores`: a file a generation, and a small one that names the one that is read."""

    def __init__(self, folder: Path | None, name: str, *, cache_mib: int = 16, query_ms_max: int = 0) -> None:
        """In a folder; without one, in one of its own that goes when this is closed."""
        self._made = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="yunduan-")) if folder is None else folder
        self._name = name
        self._pointer = self._folder / f"{name}.current"
        self._sign = self._folder / f"{name}.keeper"
        self._claim = self._folder / f"{name}.maker"
        self._claimed: Held | None = None
        self._cache_mib = cache_mib
        self._query_ms_max = query_ms_max
        self._seen: tuple[int, int] = (0, 0)
        self._generation = 0

    def generation(self) -> int:
        """By the small file, which is read again when it has been exchanged."""
        try:
            found = self._pointer.stat()
            seen = found.st_mtime_ns, found.st_ino
            if seen != self._seen:
                self._generation, self._seen = int(self._pointer.read_bytes()), seen
        except (FileNotFoundError, ValueError):  # a pointer that was cut off names nothing, and the data is made anew
            self._generation, self._seen = 0, (0, 0)
        return self._generation

    def is_there(self, generation: int) -> bool:
        """By its file."""
        return self._path(generation).exists()

    def read(self, generation: int) -> SideFile:
        """A connection of its own."""
        return SideFile(self._path(generation), reads_only=True, cache_mib=self._cache_mib, query_ms_max=self._query_ms_max)

    def write(self, generation: int) -> SideFile:
        """A connection of its own; a file that nobody reads yet, left from a making that was cut off, is begun anew.

        That only one process does: what two of them wrote would be of both, or everybody would be sent to the file that is not whole.
        """
        sign = Held(self._sign, is_shared=True)  # any number of writers at a time: it says that there are some
        try:
            held = [sign] if generation == self.generation() else [sign, self._claimed_for(generation)]
            return SideFile(self._path(generation), cache_mib=self._cache_mib, held=held)
        except BaseException:
            sign.let_go()
            raise

    def _claimed_for(self, generation: int) -> Held:
        try:
            claim = Held(self._claim)
        except BlockingIOError as error:
            raise MadeElsewhereError(f"another process makes {self._name} anew") from error
        if generation <= self.generation():  # it was published between two looks
            claim.let_go()
            raise MadeElsewhereError(f"another process has made {self._name} anew")
        self._claimed = claim
        self._drop(generation)
        return claim

    def is_written(self) -> bool:
        """By a lock that every writer holds a share of."""
        try:
            probe = os.open(self._sign, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def publish(self, generation: int) -> None:
        """The name is exchanged at once; whoever still reads an old file keeps it until they close it."""
        written = self._pointer.with_suffix(".next")
        written.write_bytes(b"%d" % generation)
        written.replace(self._pointer)
        if self._claimed is not None:
            self._claimed.let_go()
        for path in self._folder.iterdir():
            found = _FILE.fullmatch(path.name)
            if found and found[1] == self._name and int(found[2]) < generation:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """A folder of its own goes."""
        if self._made:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self._name}-{generation}.sqlite"

    def _drop(self, generation: int) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self._path(generation)}{end}").unlink(missing_ok=True)
