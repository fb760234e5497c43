"""PostgreSQL 15 or newer: a session that holds the writer's lock and writes, and sessions that read."""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGresult

from yunduan.backends.postgresql import dialect
from yunduan.backends.postgresql.wire import Wire, all_hold, array, holds
from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError
from yunduan.runtime.ports import NothingKeptError, Row, StoreRefusedError, Table, Upkeep, each
from yunduan.runtime.writer import SupersededError

Result = TypeVar("Result")
VERSION_MIN = 150_000
LOCK_WAIT_S = 5.0
"""How long to wait for the session of a writer that has just died to be noticed by the server."""
QUERY_MS_MAX = 5_000
"""An old snapshot keeps what has been overwritten since from being cleared away."""
_SNAPSHOT_MS_MAX = 10_000
_MACHINE = ("08", "40", "53", "55", "57", "58", "F0", "XX")
"""Classes of SQLSTATE that blame the machine: connection, conflict, resources, state, operator, system, configuration, corruption."""
_ALIVE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
_ALIVE_OPTIONS = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c client_min_messages=warning"
_PLANS = "-c random_page_cost=1.0 -c jit=off"
"""What is worked with is in memory: rows are found by their keys even when there are many of them to find."""
_BY_OTHER_THAN_KEYS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
_BY_KEY = " ".join(["-c plan_cache_mode=auto", *(f"-c {name}=off" for name in _BY_OTHER_THAN_KEYS)])
"""The writer finds rows by their keys, so a statement is planned a few times and not for each batch, which cost a third of a look-up.

A plan that was made while a table was empty has to be right when it is full: it may not read the table from end to end.
"""
_WRITER_OPTIONS = f"{_PLANS} {_BY_KEY} -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
_READER_OPTIONS = (
    f"{_PLANS} -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
    f" -c statement_timeout={QUERY_MS_MAX} -c idle_in_transaction_session_timeout={_SNAPSHOT_MS_MAX}"
)
_SETTINGS = (
    "SELECT name, setting FROM pg_settings"
    " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding', 'server_version_num', 'transaction_read_only')"
)
_COLUMNS = (
    "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
    " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
)
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")

_statements: dict[Table[Any, Any], dialect.Statements] = {}
"""By the declaration and not by its name: two stores in one process may have tables of one name."""


def _of(table: Table[Any, Any]) -> dialect.Statements:
    found = _statements.get(table)
    if found is None:
        found = _statements[table] = dialect.Statements(table)
    return found


def _taken_apart(dsn: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise StoreRefusedError("PostgreSQL cannot read the address of the store") from None  # its own words would show the password


def _conninfo(dsn: str, schema: str, options: str, application: str) -> str:
    given = _taken_apart(dsn)
    asked = str(given.pop("options", None) or "")
    search = f"-c search_path={schema}"
    return make_conninfo(
        "",
        **{**_ALIVE, **given},
        client_encoding="UTF8",
        application_name=application,
        options=" ".join(part for part in (asked, _ALIVE_OPTIONS, options, search) if part),
    )


def _is_machine(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.OperationalError) or (error.sqlstate or "")[:2] in _MACHINE


class _Session:
    """What the session that writes and those that read have in common: three ways to look."""

    _wire: Wire

    def _ask(self, sql: str, arguments: Sequence[object]) -> PGresult:
        raise NotImplementedError

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row, or nothing."""
        rows = self._wire.rows(self._ask(dialect.translated(sql), arguments))
        return rows[0] if rows else None

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        return self._wire.rows(self._ask(dialect.translated(sql), arguments))

    def load(self, table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        """The rows of a table with these keys, by one statement; a key that no column can hold is found nowhere."""
        asked = _asked(table, keys)
        return self._wire.rows(self._ask(*asked)) if asked else []


def _asked(table: Table[Any, Any], keys: Sequence[Any]) -> tuple[str, Sequence[object]] | None:
    """The statement that finds the rows with these keys, and its arguments; nothing when no column can hold any of them."""
    statements = _of(table)
    if table.keys == 1:
        wanted = [*set(keys)] if all_hold(keys) else [key for key in set(keys) if holds(key)]
        wanted.sort()
        if len(wanted) > 1:
            return statements.many, (array(wanted, statements.types[0]),)
        return (statements.one, wanted) if wanted else None
    pairs = sorted({tuple(key) for key in keys if all(map(holds, key))})
    if len(pairs) > 1:
        return statements.many, [array(column, type) for column, type in zip(each(pairs, table.keys), statements.types, strict=False)]
    return (statements.one, pairs[0]) if pairs else None


class PostgresqlReader(_Session):
    """A read-only session of its own, made anew when the server has ended it.

    What is asked between `begin` and `end` is one implicit transaction of the pipeline protocol, so a query of one statement
    costs one round trip.
    """

    def __init__(self, conninfo: str) -> None:
        """Connect."""
        self._conninfo = conninfo
        self._within = False
        self._asked = False
        self._ends = float("inf")
        self._wire = self._connected()

    def begin(self) -> None:
        """See one commit from the first statement on, for ten seconds at most."""
        self._within, self._asked = True, False
        self.go_on()

    def go_on(self) -> None:
        """See the same commit for ten seconds more."""
        self._ends = time.monotonic() + _SNAPSHOT_MS_MAX / 1000

    def end(self) -> None:
        """Let go of it."""
        self._within, self._ends = False, float("inf")
        if self._asked and not self._wire.lost():
            self._asked = False
            try:
                self._wire.sync()
            except psycopg.OperationalError:  # the next one who asks is told
                self._wire.close()

    def close(self) -> None:
        """End the session."""
        self._wire.close()

    def _connected(self) -> Wire:
        try:
            return Wire(self._conninfo, patience_ms=2 * QUERY_MS_MAX)
        except psycopg.OperationalError as error:
            raise FaultError(f"the server cannot be reached: {error}") from error

    def _ask(self, sql: str, arguments: Sequence[object]) -> PGresult:
        if self._wire.lost() and not (self._within and self._asked):  # a snapshot that has begun cannot be had again
            self._wire.close()
            self._wire = self._connected()
        if time.monotonic() > self._ends:
            raise FaultError("the query has had its time")
        self._asked = True
        try:
            self._wire.post(sql, arguments)
            if self._within:
                self._wire.flush()
            else:
                self._wire.sync()
            return self._wire.read()[-1]
        except psycopg.Error as error:
            if _is_machine(error):
                raise FaultError(str(error)) from error
            raise


class PostgresqlStore(_Session):
    """The session that writes; it holds an advisory lock for as long as it lives, and when it is gone so is the right to write."""

    def __init__(self, dsn: str, *, schema: str = "yunduan", lock_wait_s: float = LOCK_WAIT_S) -> None:
        """Connect, check and lock.

        Raises `StoreRefusedError` when the server can lose what it has acknowledged, or when another process writes to this schema.
        Whoever gets the lock also knows that the last writer's commit is decided: its session held the lock until then.
        """
        if not _SCHEMA.fullmatch(schema):
            raise StoreRefusedError(f"{schema!r} is no plain name for a schema")
        self.dsn = dsn
        self.schema = schema
        self._lent = False
        self._marked = False
        """Whether a savepoint was sent."""
        self._is_made = False
        """Whether it is known that there is one, and that all that was sent before it fits."""
        self._warnings = 0
        self._types: dict[str, dict[str, str]] = {}
        self._counts: list[tuple[int, int, Exception]] = []
        """What was sent must touch so many rows: its place among the results, how many, and what is raised when it has not."""
        try:
            self._wire = Wire(_conninfo(dsn, schema, _WRITER_OPTIONS, "yunduan writer"), warned=self._note_warning)
        except psycopg.Error as error:
            raise StoreRefusedError(f"the server cannot be reached: {error}") from error
        try:
            self._check()
            self._lock(lock_wait_s)
            self._plain(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        except BaseException:
            self._wire.close()
            raise

    # Looking and changing

    def load_each(self, wanted: Sequence[tuple[Table[Any, Any], Sequence[Any]]]) -> list[list[Row]]:
        """For each of several tables the rows with its keys, in one round trip."""
        places: list[int | None] = []
        for table, keys in wanted:
            asked = _asked(table, keys)
            places.append(self._send(partial(self._wire.post, *asked)) if asked else None)
        results = self._read() if any(place is not None for place in places) else []
        return [[] if place is None else self._wire.rows(results[place]) for place in places]

    def write(self, sql: str, arguments: Sequence[object] = ()) -> int:
        """Run one statement; answers the number of rows it touched."""
        return self._ask(dialect.translated(sql), arguments).command_tuples or 0

    def move(self, sql: str, arguments: Sequence[object], otherwise: Exception) -> None:
        """Send a statement that must touch one row."""
        self._post(dialect.translated(sql), arguments, touches=(1, otherwise))

    def insert(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Send rows to be added by one statement, in the order of their keys."""
        if rows:
            statements = _of(table)
            self._post(statements.insert, _arrays(sorted(rows, key=lambda row: row[: table.keys]), statements.types))

    def update(self, table: Table[Any, Any], rows: Sequence[Row]) -> None:
        """Send rows to be changed by one statement; each must be there."""
        if rows:
            statements = _of(table)
            arrays = _arrays(sorted(rows, key=lambda row: row[: table.keys]), statements.types)
            absent = BrokenError(f"each changed row of {table.name} is there")
            self._post(statements.update, [arrays[place] for place in statements.written], touches=(len(rows), absent))

    def append(self, sql: str, rows: Sequence[Row]) -> None:
        """Send one statement for every row, as one statement where it can be."""
        insert = dialect.insert_of(sql) if len(rows) > 1 else None
        if insert is not None:
            types = self._column_types(insert.table)
            if all(column in types for column in insert.arguments()):
                self._post(insert.of_many(types), _arrays(rows, [types[column] for column in insert.arguments()]))
                return
        self._send(lambda: self._wire.post_all(dialect.translated(sql), rows))

    def settle(self) -> None:
        """Return when everything that was sent has been done; raises what was wrong with it."""
        if self._wire.owes():
            self._mine()
            self._read()

    def script(self, sql: str) -> None:
        """Run the statements of a migration, however long they take, by plans for whole tables and not for keys."""
        for name in _BY_OTHER_THAN_KEYS:
            self._plain(f"SET {name} = on")
        for statement in dialect.migration(sql):
            self._plain(statement)
        for name in _BY_OTHER_THAN_KEYS:
            self._plain(f"RESET {name}")
        self._types.clear()
        self._exchange(self._wire.forget_statements)

    # The transaction

    def begin(self) -> None:
        """Open the transaction of a batch."""
        self._marked = self._is_made = False
        self._post("BEGIN")
        self._begun = True

    def lend(self) -> None:
        """From now on nothing but `commit`, in the helper thread, touches the session until it has returned."""
        self._mine()
        self._lent = True

    def commit(self) -> None:
        """Return when the transaction is on disk, and on the standbys that it waits for; anything else is an unknown outcome.

        COMMIT is not sent before everything that was sent earlier has been done: nobody but us counts rows.
        """
        try:
            if self._wire.owes():
                self._read()
        except Exception as error:
            self._lent = self._begun = False
            raise NothingKeptError(str(error)) from error
        before = self._warnings  # what the server said of statements says nothing of standbys
        try:
            self._wire.post("COMMIT")
            self._wire.sync()
            done = self._wire.read()[-1].command_status
        except psycopg.Error as error:
            raise UnknownOutcomeError(f"COMMIT failed: {error}") from error
        finally:
            self._lent = self._begun = False
        if done != b"COMMIT":
            raise UnknownOutcomeError("the server has rolled back instead")
        if self._warnings != before:  # it has stopped waiting for a standby
            raise UnknownOutcomeError("the server warned during COMMIT: it may be on this machine alone")

    def rollback(self) -> None:
        """Undo the batch; harmless when it is already undone, or the session is gone: the server undoes it then."""
        self._marked = self._is_made = self._begun = False
        self._counts.clear()
        if self._wire.lost():
            return
        for statement in ("", "ROLLBACK"):  # first whatever was posted and not read, which may fail
            try:
                if statement:
                    self._wire.post(statement)
                self._wire.sync()
                self._wire.read()
            except psycopg.Error:
                if self._wire.lost():
                    return

    def savepoint(self) -> None:
        """Mark a place to come back to."""
        self._post("SAVEPOINT command")
        self._marked, self._is_made = True, False

    def release(self) -> None:
        """Keep what was done since the savepoint; a failed statement in between, that somebody has hidden, is a broken program."""
        self.settle()
        if self._wire.status == pq.TransactionStatus.INERROR:
            raise BrokenError("a statement has failed and the command went on")
        self._post("RELEASE command")
        self._marked = self._is_made = False

    def rollback_to_savepoint(self) -> None:
        """Undo what was done since the savepoint, and forget it; what did not fit is undone with the rest, and no longer anybody's concern.

        Unless it is not known yet whether what was sent before the savepoint fits: whatever is wrong is told then.
        """
        if self._is_made:
            with suppress(psycopg.Error, BrokenError):
                self.settle()
        self._marked = self._is_made = False
        self._post("ROLLBACK TO command")
        self._plain("RELEASE command")

    def in_transaction(self) -> bool:
        """Whether the batch's transaction still stands: after a failed statement it does only if there is a savepoint to return to."""
        if self._wire.lost() or not self._begun:
            return False
        return self._wire.status != pq.TransactionStatus.INERROR or self._marked

    # The rest

    def tend(self) -> Upkeep | None:
        """Nothing: the server's own checkpoints and vacuum do it."""
        return None

    def reader(self, *, is_behind: bool = False) -> PostgresqlReader:  # noqa: ARG002 - the server has the memory
        """A new read-only session."""
        return open_reader(self.dsn, schema=self.schema)

    def backup(self, target: str) -> None:
        """Write a logical copy of the schema as of one commit (`pg_dump`, custom format), on disk when this returns.

        For a copy that can be brought up to any moment the operator runs base backups and archives the log (`pg_basebackup`,
        `archive_command`): a logical copy alone loses what was written after it.
        """
        dump(self.dsn, target, schema=self.schema)

    def close(self) -> None:
        """End the session, and with it the lock."""
        self._wire.close()

    # Inside

    _begun = False

    def _check(self) -> None:
        settings = {str(name): str(value) for name, value in self.rows(_SETTINGS)}
        reason = why_refused(settings)
        if reason:
            raise StoreRefusedError(reason)
        (pid,) = self.rows("SELECT pg_backend_pid()")[0]
        if pid != self._wire.backend_pid:
            raise StoreRefusedError("the writer needs a session of its own: connect to the server, not to a pooler")
        self._plain(f"SET synchronous_commit = {settings['synchronous_commit']}")  # a reload of the configuration must not weaken it

    def _lock(self, wait_s: float) -> None:
        place = f"yunduan writer {self.schema}".encode()
        key = int.from_bytes(hashlib.blake2b(place, digest_size=8).digest(), "big", signed=True)
        until = time.monotonic() + wait_s
        while self.row("SELECT pg_try_advisory_lock(?)", (key,)) != (1,):
            if time.monotonic() >= until:
                raise StoreRefusedError(f"another process writes to schema {self.schema}")
            time.sleep(0.05)

    def _plain(self, statement: str) -> None:
        self._exchange(lambda: self._wire.post(statement))

    def _post(self, sql: str, arguments: Sequence[object] = (), *, touches: tuple[int, Exception] | None = None) -> None:
        """Send along with the next statement that is asked; `touches` says how many rows, and what is raised when they are not."""
        place = self._send(lambda: self._wire.post(sql, arguments))
        if touches is not None:
            self._counts.append((place, *touches))

    def _send(self, send: Callable[[], Result]) -> Result:
        self._mine()
        try:
            return send()
        except psycopg.OperationalError as error:
            raise SupersededError(f"the session that writes is gone, and the lock with it: {error}") from error

    def _ask(self, sql: str, arguments: Sequence[object]) -> PGresult:
        return self._exchange(lambda: self._wire.post(sql, arguments))[-1]

    def _exchange(self, send: Callable[[], object]) -> list[PGresult]:
        """One round trip, after which everything that was sent before is known to have been done."""
        self._send(send)
        return self._read()

    def _read(self) -> list[PGresult]:
        """A lost session stops the writer; what the machine is to blame for is a fault; the rest is the program's."""
        counts, self._counts = self._counts, []
        try:
            self._wire.sync()
            results = self._wire.read()
        except psycopg.Error as error:
            if self._wire.lost():
                raise SupersededError(f"the session that writes is gone, and the lock with it: {error}") from error
            if _is_machine(error):
                raise FaultError(str(error)) from error
            raise
        for place, rows, otherwise in counts:
            if results[place].command_tuples != rows:
                raise otherwise
        self._is_made = self._marked
        return results

    def _column_types(self, table: str) -> dict[str, str]:
        found = self._types.get(table)
        if found is None:
            rows = self._wire.rows(self._ask(_COLUMNS, (table,)))
            found = self._types[table] = {name: type for name, type in rows if type in dialect.TYPES.values()}
        return found

    def _mine(self) -> None:
        if self._lent:
            raise BrokenError("nothing touches the writing session while a commit is on its way")

    def _note_warning(self) -> None:
        self._warnings += 1


def why_refused(settings: Mapping[str, str]) -> str:
    """Why a server with these settings must not be written to, or nothing."""
    if int(settings["server_version_num"]) < VERSION_MIN:
        return f"PostgreSQL {settings['server_version_num']} is too old: 15 or newer is needed"
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            return f"{name} is {settings[name]}: the server can lose what it has acknowledged"
    if settings["synchronous_commit"] not in {"on", "remote_apply"}:
        return f"synchronous_commit is {settings['synchronous_commit']}: the server can lose what it has acknowledged"
    if settings["server_encoding"] != "UTF8":
        return f"the database is encoded in {settings['server_encoding']}: UTF8 is needed"
    if settings["transaction_read_only"] != "off":
        return "the server is a standby, or only reads"
    return ""


def open_reader(dsn: str, *, schema: str = "yunduan") -> PostgresqlReader:
    """A read-only session on a store that another process may be writing to."""
    return PostgresqlReader(_conninfo(dsn, schema, _READER_OPTIONS, "yunduan reader"))


def dump(dsn: str, target: str, *, schema: str = "yunduan") -> None:
    """Write a logical copy of a schema as of one commit."""
    _run_client("pg_dump", dsn, "--format=custom", f"--schema={schema}", "--no-owner", f"--file={target}")


def restore(dsn: str, source: str) -> None:
    """Bring a copy made by `backup` into a database that does not have its schema yet: all of it, or nothing."""
    _run_client("pg_restore", dsn, "--exit-on-error", "--single-transaction", "--no-owner", source)


def _run_client(program: str, dsn: str, *arguments: str) -> None:
    """Run a client program of PostgreSQL; the password goes by the environment, where the list of processes does not show it."""
    found = shutil.which(program)
    if found is None:
        raise FaultError(f"{program} is not installed: it comes with PostgreSQL's client programs")
    given = _taken_apart(dsn)
    password = given.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [found, f"--dbname={make_conninfo('', **given)}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - no shell; the program is PostgreSQL's own
    if done.returncode:
        raise FaultError(f"{program} failed: {done.stderr.strip()[-500:]}")


def _arrays(rows: Sequence[Row], types: Sequence[str]) -> list[Any]:
    return [array(column, type) for column, type in zip(each(rows, len(types)), types, strict=True)]
