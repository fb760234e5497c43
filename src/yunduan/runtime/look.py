"""What queries are answered from: a connection that only reads, and what is remembered between two commits."""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import filterfalse
from typing import Any, TypeVar

from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.memory import RECALLED, Changes, Memory
from yunduan.runtime.ports import Row, Snapshots, Table, keys_of
from yunduan.runtime.registry import Registry

Answer = TypeVar("Answer")
Key = TypeVar("Key")
Value = TypeVar("Value")
Port = TypeVar("Port")

HEAD = "SELECT epoch, fact_seq, transfer_seq, block_hash, at FROM head ORDER BY epoch DESC LIMIT 1"
"""The row that every commit moves."""
HELD_S_MAX = 0.5
"""How long a snapshot is held when no commit comes: an open one keeps a store from tidying up."""


class Look:
    """Answers queries from a read-only connection; everything within one outer query sees one commit.

    Where it holds its snapshot, one is shared by all queries between two commits, and what was read is remembered until a commit
    changes it. Whoever owns it renews it after every commit.
    """

    def __init__(self, reader: Snapshots, registry: Registry, ports: Mapping[type, Any]) -> None:
        """Look through a connection of its own."""
        self._reader = reader
        self._queries = registry.queries
        self._ports = ports
        self._depth = 0
        self._memory: Memory | None = None
        self._holds = self._is_pinned = False
        self._release: asyncio.TimerHandle | None = None
        self.row = reader.row
        self.rows = reader.rows
        self.load = reader.load
        self.actor = ANONYMOUS
        self.now = 0

    def hold(self) -> None:
        """From now on share snapshots and remember; `renew` is called after every commit."""
        self._memory = Memory()
        self._holds = True

    def pin(self) -> None:
        """A commit is about to be made: until `renew`, see what was before it, as what is remembered was."""
        if not self._holds:
            return
        self._is_pinned = True
        if self._release is None:
            try:
                self._open()
                self._reader.row(HEAD)
            except FaultError:
                self._lose()

    def renew(self, changes: Changes) -> None:
        """A commit has been made: let go of what was before it."""
        self._is_pinned = False
        self.release()
        if self._memory is not None:
            self._memory.forget(changes)

    def stand_aside(self, *, aside: bool) -> None:
        """While work on the store itself goes on, no snapshot outlasts its query."""
        self.release()
        self._holds = self._memory is not None and not aside

    def release(self) -> None:
        """Let go of the snapshot that is held, if there is one."""
        if self._release is not None:
            self._release.cancel()
            self._release = None
            self._reader.end()

    def answer(self, query: Query[Answer], *, actor: Actor, now: int) -> Answer:
        """Answer a caller's query from the last commit."""
        self.actor, self.now = actor, now
        return self.ask(query)

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer a query; the outermost one opens the snapshot that those within it share."""
        if self._depth:
            answer: Answer = self._queries[type(query)](self, query)
            return answer
        if self._release is None:
            self._open()
        else:
            self._reader.go_on()
        self._depth = 1
        try:
            answer = self._queries[type(query)](self, query)
        except FaultError:
            self._lose()
            raise
        finally:
            self._depth = 0
            if self._release is None:
                self._reader.end()
        return answer

    def _open(self) -> None:
        self._reader.begin()
        if self._holds:
            self._hold()

    def _hold(self) -> None:
        self._release = asyncio.get_running_loop().call_later(HELD_S_MAX, self._tire)

    def _tire(self) -> None:
        """No commit has come for long; or one is on its way, whose end lets go of the snapshot."""
        if not self._is_pinned:
            self.release()

    def _lose(self) -> None:
        """The snapshot may be gone: forget as well, so that what was and what is are not mixed."""
        self.release()
        if self._memory is not None:
            self._memory = Memory()

    def get(self, table: Table[Key, Value], key: Key) -> Value | None:
        """The row with a key, if there is one."""
        if self._memory is None or not table.shown:
            rows = self._reader.load(table, (key,))
            return table.value(rows[0]) if rows else None
        known = self._memory.rows(table)
        found: Value | None = known.get(key)
        if found is None:
            rows = self._reader.load(table, (key,))
            if rows:  # what is not there is not remembered: nobody shall fill the memory with what they make up
                found = known[key] = table.value(rows[0])
        return found

    def get_many(self, table: Table[Key, Value], keys: Sequence[Key]) -> dict[Key, Value]:
        """The rows with these keys, those that there are."""
        if not keys:
            return {}
        if self._memory is None or not table.shown:
            rows = self._reader.load(table, keys)
            return dict(zip(keys_of(table, rows), map(table.value, rows), strict=True))
        known = self._memory.rows(table)
        missing = list(filterfalse(known.__contains__, keys))
        if missing:
            rows = self._reader.load(table, missing)
            known.update(zip(keys_of(table, rows), map(table.value, rows), strict=True))
        return {key: known[key] for key in keys if key in known}

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
        """What was made of a table's rows, made anew when any of them has changed."""
        return make() if self._memory is None else self._memory.recall(table, key, make, part=part, most=most, size=size)

    def port(self, kind: type[Port]) -> Port:
        """What the composition root has joined to this protocol."""
        found: Port = self._ports[kind]
        return found

    def close(self) -> None:
        """Close the connection."""
        self.release()
        self._reader.close()


class DistantLook(Look):
    """Looks from another process than the writer's, which tells it of each commit a moment after it was made.

    A snapshot of a commit that has not been told yet serves one query, with nothing that is remembered: so that no answer mixes two
    commits. Two commits of one millisecond that tell no fact and move no money are not told apart until they are counted.
    """

    def __init__(
        self, reader: Snapshots, registry: Registry, ports: Mapping[type, Any], *, is_behind: Callable[[], bool] = lambda: False
    ) -> None:
        """Look through a connection of its own; `is_behind` says whether a commit of which an answer may have left has yet to be told."""
        super().__init__(reader, registry, ports)
        self._is_behind = is_behind
        self._told: Row = ()
        self._kept_aside: Memory | None = None

    def hear(self, head: Row, changes: Changes) -> None:
        """A commit has been made: what is remembered is true of this head from now on."""
        self._told = head
        self.renew(changes)

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer a query; with what is remembered only when its snapshot is of the same commit, and that is the last one."""
        if not self._depth and self._is_behind():
            self.release()
        try:
            return super().ask(query)
        finally:
            if not self._depth and self._kept_aside is not None:
                self._memory, self._kept_aside = self._kept_aside, None

    def _open(self) -> None:
        self._reader.begin()
        if self._memory is None:
            return
        if not self._is_behind() and self._reader.row(HEAD) == self._told:
            if self._holds:
                self._hold()
        else:
            self._memory, self._kept_aside = None, self._memory
