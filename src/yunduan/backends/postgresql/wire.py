"""A conversation with one PostgreSQL session over libpq: statements are prepared once, and what needs no answer costs no round trip.

It speaks the pipeline protocol. `post` sends a statement along with the next one that is asked; `ask` waits for rows. Arguments
go as 64-bit integers, text or bytes, whatever their value, so that a statement is prepared once.
"""

import itertools
import select
import struct
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import errors, pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.pq.abc import PGconn, PGresult

from yunduan.kernel.refusals import BrokenError
from yunduan.runtime.ports import Row

_INT, _TEXT, _BYTES, _UNKNOWN = 20, 25, 17, 0
_ARRAYS = {"bigint": (1016, _INT), "text": (1009, _TEXT), "bytea": (1001, _BYTES)}
_OID = {int: _INT, bool: _INT, str: _TEXT, bytes: _BYTES, type(None): _UNKNOWN}
_NULL = b"\xff\xff\xff\xff"
_NUL = "text with NUL cannot be stored"
STATEMENTS_MAX = 1000
"""Prepared in one session; beyond it all are let go."""
_INT_MAX = 2**63


class _Array(bytes):
    """A column of arguments, encoded; `oid` is the type of the array."""

    oid: int


class _Flag(Loader):
    """A comparison is 1 or 0, as on every store."""

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> int:
        return int(data != b"\x00")


class _Unportable(Loader):
    """A type that other stores do not have is a mistake in a statement."""

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> Any:  # noqa: ARG002 - the form that every loader has
        raise BrokenError("a statement answers with numeric, which not every store has: cast sums to INTEGER")


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_loader("bool", _Flag)
    adapters.register_loader("numeric", _Unportable)
    return adapters


_ADAPTERS = _adapters()


def encoded_text(text: str) -> bytes:
    """Text as PostgreSQL takes it; NUL, which it cannot hold, is refused before anything is sent."""
    data = text.encode()
    if 0 in data:
        raise BrokenError(_NUL)
    return data


def holds(value: object) -> bool:
    """Whether a column could hold this value at all; a key that cannot be held is found nowhere."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value) if not value.isascii() else "\0" not in value
    return not isinstance(value, int) or -_INT_MAX <= value < _INT_MAX


def all_hold(values: Sequence[object]) -> bool:
    """The same of many at once, where that is quickly seen: plain text. False says nothing."""
    try:
        text = "".join(values)  # type: ignore[arg-type] # what is no text is looked at one by one
    except TypeError:
        return False
    return text.isascii() and "\0" not in text


def array(values: Sequence[Any], type: str) -> _Array:
    """A column of arguments of one type; None may stand anywhere in it."""
    oid, element = _ARRAYS[type]
    count = len(values)
    head = struct.pack("!iiiii", 1, 1, element, count, 1) if count else struct.pack("!iii", 0, 0, element)
    if None in values:
        encode = _ENCODE[element]
        body = b"".join([_NULL if value is None else encode(value) for value in values])
    elif element == _INT:
        body = _ints(values, count)
    else:
        body = _sized(_texts(values) if element == _TEXT else values, count)
    made = _Array(head + body)
    made.oid = oid
    return made


def _ints(values: Sequence[int], count: int) -> bytes:
    parts = [8] * (2 * count)
    parts[1::2] = values
    return struct.pack("!" + "iq" * count, *parts)


def _texts(values: Sequence[str]) -> list[bytes]:
    if "\0" in "".join(values):
        raise BrokenError(_NUL)
    return [*map(str.encode, values)]


def _sized(values: Sequence[bytes], count: int) -> bytes:
    """Each with its size before it, without a step of the interpreter for each: a batch has thousands of them."""
    sizes = [*map(len, values)]
    parts = [_NULL] * (2 * count)
    parts[::2] = map(_SIZES.__getitem__, sizes) if max(sizes, default=0) < len(_SIZES) else [size.to_bytes(4, "big") for size in sizes]
    parts[1::2] = values
    return b"".join(parts)


def _size(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big")


_SIZES = [size.to_bytes(4, "big") for size in range(4096)]


def _sized_int(value: int) -> bytes:
    return b"\0\0\0\x08" + value.to_bytes(8, "big", signed=True)


def _sized_text(value: str) -> bytes:
    data = encoded_text(value)
    return _size(data) + data


def _sized_bytes(value: bytes) -> bytes:
    return _size(value) + value


_ENCODE: dict[int, Callable[[Any], bytes]] = {_INT: _sized_int, _TEXT: _sized_text, _BYTES: _sized_bytes}


def _argument(value: Any) -> tuple[int, bytes | None]:
    if isinstance(value, str):
        return _TEXT, encoded_text(value)
    if isinstance(value, int):
        return _INT, value.to_bytes(8, "big", signed=True)
    if value is None:
        return _UNKNOWN, None
    if isinstance(value, _Array):
        return value.oid, value
    if isinstance(value, bytes):
        return _BYTES, value
    raise BrokenError(f"{type(value).__name__} is no type of a column")


def _fits(prepared: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(want in (have, _UNKNOWN) for have, want in zip(prepared, wanted, strict=True))


class Wire:
    """One session. `owed` are the replies that are on their way and that nobody has read."""

    def __init__(self, conninfo: str, *, patience_ms: int | None = None, warned: Callable[[], None] | None = None) -> None:
        """Connect; raises `psycopg.OperationalError` when that fails.

        `patience_ms`: how long the server may say nothing at all; `warned` is called for each WARNING of the server.
        """
        self._pg: PGconn = pq.PGconn.connect(conninfo.encode())
        if self._pg.status != pq.ConnStatus.OK:
            error = self._pg.get_error_message()
            self._pg.finish()
            raise psycopg.OperationalError(error)
        self._warned = warned
        self._patience_ms = patience_ms
        self._pg.notice_handler = self._notice
        self._pg.enter_pipeline_mode()
        self._poller = select.poll()
        self._poller.register(self._pg.socket, select.POLLIN)
        self._owed: list[bool] = []
        self._statements = 0
        self._fresh: list[tuple[str, tuple[int, ...]]] = []
        self._prepared: dict[str, list[tuple[tuple[int, ...], bytes]]] = {}
        self._count = 0
        self._names = itertools.count()
        self._transformer = Transformer(_ADAPTERS)
        self.backend_pid = self._pg.backend_pid
        self.server_version = self._pg.server_version

    def owes(self) -> bool:
        """Whether something was sent whose reply nobody has read."""
        return bool(self._owed)

    def lost(self) -> bool:
        """Whether the session is gone."""
        return self._pg.status != pq.ConnStatus.OK

    @property
    def status(self) -> pq.TransactionStatus:
        """Where the transaction stands as of the last `sync` that was read."""
        return pq.TransactionStatus(self._pg.transaction_status)

    def post(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        """Have a statement run before the next one that is asked; its error appears there, and its result in this place of what is read."""
        self._send(sql, [_argument(argument) for argument in arguments])
        return self._statements - 1

    def post_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Have a statement run for every row; nothing is sent when one of them cannot be."""
        encoded = [[_argument(argument) for argument in row] for row in rows]
        for row in encoded:
            self._send(sql, row)

    def _send(self, sql: str, arguments: list[tuple[int, bytes | None]]) -> None:
        name = self._name(sql, tuple([oid for oid, _ in arguments]))
        self._pg.send_query_prepared(name, [value for _, value in arguments], _formats(len(arguments)), pq.Format.BINARY)
        self._owe()

    def _owe(self) -> None:
        self._owed.append(True)
        self._statements += 1

    def flush(self) -> None:
        """Have the server answer what was posted, in the transaction that stands or begins; then `read`."""
        self._pg.send_flush_request()
        self._pg.flush()

    def sync(self) -> None:
        """End what was posted: an error before it does not reach beyond it, and a transaction that was never begun ends."""
        self._pg.pipeline_sync()
        self._owed.append(False)

    def read(self) -> list[PGresult]:
        """Wait for everything that is owed and answer the results in order; raises the first error of the server."""
        owed, self._owed, self._statements = self._owed, [], 0
        results: list[PGresult] = []
        failed: PGresult | None = None
        for place, is_statement in enumerate(owed):
            result = self._next()
            if result is None:
                raise psycopg.OperationalError("the session ended before it answered")
            if is_statement and self._next() is not None:
                raise psycopg.OperationalError("the session answered out of turn")
            if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED):
                failed = failed or result
                if self.lost():
                    break
            elif is_statement:
                results.append(result)
            if failed and place == len(owed) - 1 and is_statement:
                self._recover()
        if failed is not None:
            self._forget_fresh()
            raise errors.error_from_result(failed)
        self._fresh.clear()
        return results

    def rows(self, result: PGresult) -> list[Row]:
        """The rows of a result."""
        count = result.ntuples
        if not count:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, count, tuple)

    def forget_statements(self) -> None:
        """Prepare everything anew: the tables have changed."""
        self._prepared.clear()
        self._count = 0
        self._pg.send_query_params(b"DEALLOCATE ALL", None)
        self._owe()

    def close(self) -> None:
        """End the session."""
        self._pg.finish()

    def _name(self, sql: str, types: tuple[int, ...]) -> bytes:
        known = self._prepared.get(sql)
        if known is not None:
            for have, name in known:
                if have == types or _fits(have, types):
                    return name
        if self._count >= STATEMENTS_MAX and self.status != pq.TransactionStatus.INERROR:  # which would refuse, and what ends it with it
            self.forget_statements()
        name = b"s%d" % next(self._names)  # never one that was used: what should have been let go may still be there
        self._count += 1
        self._pg.send_prepare(name, sql.encode(), types)
        self._owe()
        self._prepared.setdefault(sql, []).append((types, name))
        self._fresh.append((sql, types))
        return name

    def _forget_fresh(self) -> None:
        """What was prepared in an exchange that failed may not be there; the name is not used again."""
        for sql, types in self._fresh:
            known = self._prepared.get(sql, [])
            self._prepared[sql] = [entry for entry in known if entry[0] != types]
        self._fresh.clear()

    def _recover(self) -> None:
        """After an error the server waits for the end of the exchange."""
        self._pg.pipeline_sync()
        while (result := self._next()) is None or result.status != pq.ExecStatus.PIPELINE_SYNC:
            if self.lost():
                return

    def _next(self) -> PGresult | None:
        pg = self._pg
        while pg.is_busy():
            if not self._poller.poll(self._patience_ms):
                self.close()
                raise psycopg.OperationalError("the server has not answered in time")
            pg.consume_input()
        return pg.get_result()

    def _notice(self, notice: PGresult) -> None:
        if self._warned is not None and notice.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) == b"WARNING":
            self._warned()


_BINARY: dict[int, list[int]] = {}


def _formats(count: int) -> list[int]:
    found = _BINARY.get(count)
    if found is None:
        found = _BINARY[count] = [pq.Format.BINARY] * count
    return found
