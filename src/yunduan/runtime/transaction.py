"""What a handler sees: rows are read once and remembered, changes are written together at the end of the batch.

Only the writer writes, so what it remembers of a row stays true from batch to batch. Each command can be undone alone: what
waits to be written is undone from a journal, what was already sent to the store by a savepoint that is opened before the first
statement of the command which needs one. A statement that names a table with waiting rows has them written first, so no read
is ever stale.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress, filterfalse
from operator import not_
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct

from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import AlarmId, made
from yunduan.kernel.messages import Command, Fact, Query
from yunduan.kernel.refusals import BrokenError, Refused, invariant
from yunduan.runtime.clock import Entropy
from yunduan.runtime.memory import RECALLED, Changes, Memory
from yunduan.runtime.ports import Reader, Row, Store, Table, keys_of
from yunduan.runtime.registry import Registry

Answer = TypeVar("Answer")
Key = TypeVar("Key")
Value = TypeVar("Value")
Port = TypeVar("Port")

_encode = msgspec.json.Encoder().encode
_FACT = "INSERT INTO fact (seq, kind, body, cause, at, effective_at) VALUES (?, ?, ?, ?, ?, ?)"
_ALARM = "INSERT INTO alarm (id, due, kind, body, failures) VALUES (?, ?, ?, ?, 0)"
_FORGET_ALARM = "DELETE FROM alarm WHERE id = ?"
_UNKNOWN: Any = object()
"""Stands for a row that has not been read, while None stands for one that is not there."""
_OWN = slice(4, 28)
"""The part of an id that its siblings share, so that all of them are known to be new while the command that made it runs."""
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)", re.IGNORECASE)
_tables: dict[str, frozenset[str]] = {}


Lacked = tuple[Table[Any, Any], Sequence[Any]]
"""Rows of a table, by their keys."""


def tables_of(sql: str) -> frozenset[str]:
    """The tables that a statement names."""
    found = _tables.get(sql)
    if found is None:
        found = _tables[sql] = frozenset(_NAMED.findall(sql))
    return found


class Head(Struct):
    """The one row that each commit moves: where facts and transfers stand. The ledger keeps `transfer_seq` and `block_hash`."""

    epoch: int = 1
    fact_seq: int = 0
    transfer_seq: int = 0
    block_hash: bytes = bytes(32)
    at: int = 0


class Asking(Reader, Protocol):
    """What a query is answered with: the rows as of one commit, or as of this command when the writer asks."""

    @property
    def actor(self) -> Actor:
        """Who asks."""
        ...

    @property
    def now(self) -> int:
        """The time, in milliseconds since 1970."""
        ...

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer another query from the same place."""
        ...

    def get(self, table: Table[Key, Value], key: Key) -> Value | None:
        """The row with a key, if there is one."""
        ...

    def get_many(self, table: Table[Key, Value], keys: Sequence[Key]) -> dict[Key, Value]:
        """The rows with these keys, those that there are."""
        ...

    def recall(
        self,
        table: str,
        key: Hashable,
        make: Callable[[], Value],
        *,
        part: str = "",
        most: int = RECALLED,
        size: Callable[[Value], int] | None = None,
    ) -> Value:
        """What was made of a table's rows, and may be remembered until any of them changes.

        `key` says what was made; two makers of one table have keys of different shapes. What was made of the rows of one `part`
        alone outlives a change of others, where whoever changes them says which part they are of (`Tx.write`). Beyond `most` results
        of a table all are forgotten. With `size`, which says how much of `most` a result takes, what has no room is not remembered:
        for what is large and forgotten often, so that those who are first asked for after a change stay.
        """
        ...

    def port(self, kind: type[Port]) -> Port:
        """What the composition root has joined to this protocol."""
        ...


class _Shelf:
    """The remembered rows of one table: what is known, and what waits to be written."""

    __slots__ = ("known", "table", "waiting")

    def __init__(self, table: Table[Any, Any]) -> None:
        self.table = table
        self.known: dict[Any, Any] = {}
        self.waiting: dict[Any, bool] = {}
        """Whose rows wait, and whether they are new."""


class Tx:
    """One batch's transaction: state, facts, alarms and answers go to disk together or not at all."""

    def __init__(self, store: Store, registry: Registry, entropy: Entropy, ports: Mapping[type, Any]) -> None:
        """See the store through the one connection that writes."""
        self._store = store
        self._commands = registry.commands
        self._queries = registry.queries
        self._ports = ports
        self.entropy = entropy
        self.head = Head()
        self.actor = ANONYMOUS
        self.now = 0
        self.cause = ""
        self.doomed = False
        self.statements = 0
        self._serial = 0
        self._minted: set[str] = set()
        self._children = 0
        self._shelves: dict[str, _Shelf] = {}
        self._journal: list[tuple[_Shelf, Any, Any, bool]] = []
        """What the command has changed, in order: a shelf's row, what was known of it, and whether it waited already."""
        self._sent: dict[_Shelf, dict[Any, bool]] = {}
        """What waited when the command began, where that has been sent to the store meanwhile."""
        self._appended: dict[str, list[Row]] = {}
        self._lengths: dict[str, int] = {}
        """How many rows of a statement waited when the command appended its first."""
        self._reappend: list[tuple[str, list[Row]]] = []
        self._waiting_tables: set[str] = set()
        self._head_before = (0, 0, bytes(32))
        self._kept: dict[type, Any] = {}
        self._made = Memory()
        self.changes = Changes()
        """What this batch has changed so far, rows and tables of commands that were undone included, but not their facts."""
        self._savepoint = False
        self._in_command = False

    # What handlers use

    def send(self, command: Command[Answer]) -> Answer:
        """Carry out a nested command here and now; a refusal ends the outer command too."""
        outer, self._children = self.cause, self._children + 1
        self.cause = f"{outer}/{self._children}"
        try:
            answer: Answer = self._commands[type(command)](self, command)
        except Refused:
            self.doomed = True
            raise
        finally:
            self.cause = outer
        return answer

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer a query as this transaction sees the world."""
        answer: Answer = self._queries[type(query)](self, query)
        return answer

    def tell(self, fact: Fact, *, effective_at: int | None = None) -> None:
        """Write a fact; followers hear it after the commit. `effective_at` is its business date when that is not now."""
        self.head.fact_seq += 1
        self.changes.facts.append(fact)
        at = self.now
        self.append(_FACT, (self.head.fact_seq, type(fact).__name__, _encode(fact), self.cause, at, effective_at or at))

    def at(self, due: int, command: Command[Any]) -> AlarmId:
        """Have a command sent at a time (milliseconds since 1970), once, by the cloud itself."""
        id = AlarmId(self.id("alm"))
        self.append(_ALARM, (id, due, type(command).__name__, _encode(command)))
        return id

    def id(self, prefix: str) -> str:
        """A new id that sorts by time."""
        self._serial = (self._serial + 1) & 0xFFFFF
        id = made(prefix, at_ms=self.now, serial=self._serial, entropy=self.entropy.bits(40))
        self._minted.add(id[_OWN])
        return id

    def port(self, kind: type[Port]) -> Port:
        """What the composition root has joined to this protocol."""
        found: Port = self._ports[kind]
        return found

    def keep(self, kind: type[Port]) -> Port:
        """A domain's own memory besides rows, one of each kind, made empty and forgotten with them; it is not undone with a command."""
        found: Port | None = self._kept.get(kind)
        if found is None:
            found = self._kept[kind] = kind()
        return found

    def get(self, table: Table[Key, Value], key: Key) -> Value | None:
        """The row with a key, if there is one; read once, then remembered."""
        try:
            found: Value | None = self._shelves[table.name].known[key]
        except KeyError:
            shelf = self._shelf(table)
            if isinstance(key, str) and key[_OWN] in self._minted:  # made a moment ago: nothing can be there
                return None
            self.statements += 1
            rows = self._store.load(table, (key,))
            found = shelf.known[key] = table.value(rows[0]) if rows else None
        return found

    def get_many(self, table: Table[Key, Value], keys: Sequence[Key]) -> dict[Key, Value]:
        """The rows with these keys, those that there are; what is not remembered is read at once."""
        known = self._shelf(table).known
        if not all(map(known.__contains__, keys)):
            self.advance(table, keys)
        found = dict(zip(keys, map(known.__getitem__, keys), strict=True))
        return {key: value for key, value in found.items() if value is not None} if None in found.values() else found

    def advance(self, table: Table[Key, Value], keys: Sequence[Key]) -> int:
        """Remember rows that will be wanted; answers how many were not remembered before."""
        lacked = self.lacking([(table, keys)])
        self.bring(lacked)
        return sum([len(missing) for _, missing in lacked])

    def lacking(self, wanted: Iterable[Lacked]) -> list[Lacked]:
        """What of this is not remembered."""
        lacked: list[Lacked] = []
        for table, keys in wanted:
            missing = list(filterfalse(self._shelf(table).known.__contains__, dict.fromkeys(keys)))
            if missing:
                lacked.append((table, missing))
        return lacked

    def bring(self, lacked: Sequence[Lacked], *besides: Lacked) -> list[list[Row]]:
        """Remember what is lacking, asked for together; answers the rows of what is wanted besides, which are not remembered."""
        if not lacked and not besides:
            return []
        self.statements += len(lacked)
        brought = self._store.load_each([*lacked, *besides])
        for (table, missing), rows in zip(lacked, brought, strict=False):
            found: dict[Any, Any] = dict.fromkeys(missing)
            found.update(zip(keys_of(table, rows), map(table.value, rows), strict=True))
            self._shelf(table).known.update(found)  # nothing is remembered as absent because reading it failed
        return brought[len(lacked) :]

    def add(self, table: Table[Key, Value], key: Key, value: Value) -> None:
        """Add a row, to be written by the end of the batch; none may be there.

        What is remembered tells at once, so that a second add is never taken for a change; otherwise the store tells.
        """
        shelf = self._shelves.get(table.name) or self._shelf(table)  # as in `put`: both are so frequent that a call between would be felt
        known, waiting = shelf.known, shelf.waiting
        found = known.get(key, _UNKNOWN)
        if found is not None and found is not _UNKNOWN:
            raise BrokenError(f"{table.name} has no row {key} yet")
        if not waiting:
            self._begin_waiting((table.name,))
        self._journal.append((shelf, key, found, key in waiting))
        known[key] = value
        waiting.setdefault(key, True)

    def put(self, table: Table[Key, Value], key: Key, value: Value) -> None:
        """Change a row, to be written by the end of the batch; it must be there, which is read here where nobody has read it by its key."""
        shelf = self._shelves.get(table.name) or self._shelf(table)
        known, waiting = shelf.known, shelf.waiting
        found = known.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self.get(table, key)
        if found is None:
            raise BrokenError(f"{table.name} has a row {key}")
        if not waiting:
            self._begin_waiting((table.name,))
        self._journal.append((shelf, key, found, key in waiting))
        known[key] = value
        waiting.setdefault(key, False)

    def remove(self, table: Table[Key, Value], key: Key, sql: str) -> None:
        """Delete a row by the domain's own statement, whose arguments are the key; it must be there."""
        self._flush({table.name})
        parts = key if isinstance(key, tuple) else (key,)
        invariant(self._send_write(sql, parts) == 1, f"one row must go: {sql}")
        self.changes.rows.append((table.name, (key,) if table.shown else ()))
        self._made.unmake(table.name)
        shelf = self._shelf(table)
        self._journal.append((shelf, key, shelf.known.get(key, _UNKNOWN), False))
        shelf.known[key] = None

    def recall(
        self,
        table: str,
        key: Hashable,
        make: Callable[[], Value],
        *,
        part: str = "",
        most: int = RECALLED,
        size: Callable[[Value], int] | None = None,
    ) -> Value:
        """What was made of a table's rows, made anew when this or an earlier batch has changed any of them, or a command was undone.

        While any of them waits to be written it is made each time.
        """
        if table in self._waiting_tables:
            return make()
        return self._made.recall(table, key, make, part=part, most=most, size=size)

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row, or nothing."""
        self._freshen(sql)
        return self._store.row(sql, arguments)

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row."""
        self._freshen(sql)
        return self._store.rows(sql, arguments)

    def load(self, table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        """The rows of a table as they are in the store, what waits included."""
        self._flush({table.name})
        self.statements += 1
        return self._store.load(table, keys)

    def append(self, sql: str, row: Row) -> None:
        """Run an INSERT for a row by the end of the batch, together with all others of the same statement."""
        waiting = self._appended.get(sql)
        if waiting is None:
            self._refuse_remembered(sql)
            waiting = self._appended[sql] = []
            self._begin_waiting(tables_of(sql))
        if sql not in self._lengths:
            self._lengths[sql] = len(waiting)
        waiting.append(row)

    def write(self, sql: str, arguments: Sequence[object] = (), *, part: str = "") -> int:
        """Run one statement now; answers the number of rows it touched. `part` says of what part of the table all of them are."""
        self._refuse_remembered(sql)
        tables = tables_of(sql)
        for name in tables:
            self._made.unmake(name)
        self._flush(tables)
        if part:
            for name in tables:
                self.changes.parts.setdefault(name, set()).add(part)
        else:
            self.changes.tables |= tables
        return self._send_write(sql, arguments)

    def write_one(self, sql: str, arguments: Sequence[object] = (), *, part: str = "") -> None:
        """Run a statement that must touch exactly one row."""
        invariant(self.write(sql, arguments, part=part) == 1, f"one row must change: {sql}")

    # What the writer uses

    def begin_batch(self, head: Head, *, now: int) -> None:
        """Start a batch at one moment, from where the last commit left things."""
        self._close_command()
        self.head = head
        self.now = now
        self.statements = 0
        self.changes.clear()
        for shelf in self._shelves.values():
            if len(shelf.known) > shelf.table.remembered:
                shelf.known.clear()

    def begin_command(self, *, actor: Actor, cause: str, guarded: bool) -> None:
        """Start one outer command; a guarded one has its savepoint at once, and knows that it is there."""
        self._close_command()
        self._minted.clear()
        self.actor = actor
        self.cause = cause
        self.doomed = False
        self._children = 0
        self._head_before = (self.head.fact_seq, self.head.transfer_seq, self.head.block_hash)
        self._in_command = True
        if guarded:
            self._open_savepoint()
            self._store.settle()  # so that what does not fit from now on is this command's

    def end_command(self) -> None:
        """Keep what the command did."""
        if self._savepoint:
            self._store.release()
        self._close_command()

    def undo_command(self) -> None:
        """Be as before the command, in memory and in the store."""
        self._made = Memory()  # some of it may have been made of what is undone
        if self._savepoint:
            self._store.rollback_to_savepoint()
        self._undo_rows()
        for sql, length in self._lengths.items():
            del self._appended[sql][length:]
        for sql, rows in self._reappend:
            self._appended[sql] = rows + self._appended.get(sql, [])
            self._waiting_tables |= tables_of(sql)
        untold = self.head.fact_seq - self._head_before[0]
        if untold:
            del self.changes.facts[-untold:]
        self.head.fact_seq, self.head.transfer_seq, self.head.block_hash = self._head_before
        self._close_command()

    def forget_alarm(self, id: AlarmId) -> bool:
        """Consume an alarm in the transaction of its command; false when it has been consumed before."""
        return self._send_write(_FORGET_ALARM, (id,)) == 1

    def flush(self) -> None:
        """Write everything that waits; what the store finds wrong with it shows by `settle` or `commit`."""
        self._flush(set(self._waiting_tables))

    def forget(self) -> None:
        """Drop everything remembered and waiting: the store has been rolled back, or may have been."""
        self._shelves.clear()
        self._kept.clear()
        self._made = Memory()
        self._appended.clear()
        self._waiting_tables.clear()
        self._close_command()

    # Inside

    def _shelf(self, table: Table[Any, Any]) -> _Shelf:
        shelf = self._shelves.get(table.name)
        if shelf is None:
            if table.name in self._waiting_tables:
                self._flush({table.name})
                self._store.settle()
            shelf = self._shelves[table.name] = _Shelf(table)
        return shelf

    def _undo_rows(self) -> None:
        for shelf, key, found, waited in reversed(self._journal):
            if found is _UNKNOWN:
                shelf.known.pop(key, None)
            else:
                shelf.known[key] = found
            if not waited:
                shelf.waiting.pop(key, None)
        for shelf, waiting in self._sent.items():
            shelf.waiting = waiting
            if waiting:
                self._waiting_tables.add(shelf.table.name)

    def _begin_waiting(self, tables: Iterable[str]) -> None:
        """Before the first row of a table that waits: what was made of its rows is true no longer."""
        for name in tables:
            self._waiting_tables.add(name)
            self._made.unmake(name)

    def _refuse_remembered(self, sql: str) -> None:
        for name in tables_of(sql):
            if name in self._shelves:
                raise BrokenError(f"{name} is remembered: it changes by add and put alone ({sql})")

    def _freshen(self, sql: str) -> None:
        if not sql.startswith(("SELECT", "WITH", "PRAGMA")):
            raise BrokenError(f"what writes goes by write or append ({sql})")
        self.statements += 1
        named = tables_of(sql)
        if not self._waiting_tables.isdisjoint(named):
            self._flush(named)

    def _send_write(self, sql: str, arguments: Sequence[object]) -> int:
        self.statements += 1
        self._open_savepoint()
        return self._store.write(sql, arguments)

    def _open_savepoint(self) -> None:
        if self._in_command and not self._savepoint:
            self._store.savepoint()
            self._savepoint = True

    def _flush(self, tables: AbstractSet[str]) -> None:
        tables = tables & self._waiting_tables
        if not tables:
            return
        self._open_savepoint()
        for sql in [sql for sql in self._appended if not tables.isdisjoint(tables_of(sql))]:
            self._flush_appended(sql)
        for name in sorted(tables):  # in an order that is the same in every process: a run is a function of its seed
            shelf = self._shelves.get(name)
            if shelf is not None and shelf.waiting:
                self._flush_shelf(shelf)
        self._waiting_tables -= tables

    def _flush_appended(self, sql: str) -> None:
        rows = self._appended.pop(sql)
        others = self._lengths.pop(sql, len(rows))
        if self._in_command and others:
            self._reappend.append((sql, rows[:others]))
        self.statements += 1
        self.changes.tables |= tables_of(sql)
        self._store.append(sql, rows)

    def _flush_shelf(self, shelf: _Shelf) -> None:
        table, waiting, shelf.waiting = shelf.table, shelf.waiting, {}
        if self._in_command and shelf not in self._sent:
            own = {key for touched, key, _, waited in self._journal if touched is shelf and not waited}
            self._sent[shelf] = {key: is_new for key, is_new in waiting.items() if key not in own}
        self.changes.rows.append((table.name, waiting.keys() if table.shown else ()))
        rows = list(map(table.row, map(shelf.known.__getitem__, waiting)))
        are_new = waiting.values()
        added, changed = list(compress(rows, are_new)), list(compress(rows, map(not_, are_new)))
        if added:
            self.statements += 1
            self._store.insert(table, added)
        if changed:
            self.statements += 1
            self._store.update(table, changed)

    def _close_command(self) -> None:
        self._journal.clear()
        self._lengths.clear()
        if self._savepoint:  # nothing has been sent to the store without one
            self._sent.clear()
            self._reappend.clear()
            self._savepoint = False
        self._in_command = False
