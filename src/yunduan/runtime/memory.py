"""What the loop's readers remember between two commits: rows by key, and what was made of a table's rows.

All of it is true of the last commit. A commit says what it has changed, and that is forgotten before any of its answers leaves; so
nothing here is ever older than what somebody has been told.
"""

from collections.abc import Callable, Collection, Hashable
from typing import Any, TypeVar

from yunduan.kernel.messages import Fact
from yunduan.runtime.ports import Table

Value = TypeVar("Value")
RECALLED = 500
"""How many things made of one table's rows are kept unless somebody says more."""


class Changes:
    """What one commit changes: rows by their keys, tables of which only that is known, and the facts that it tells, in order."""

    __slots__ = ("facts", "rows", "tables")

    def __init__(self) -> None:
        """Nothing yet."""
        self.rows: list[tuple[str, Collection[Any]]] = []
        self.tables: set[str] = set()
        self.facts: list[Fact] = []

    def clear(self) -> None:
        """Begin anew."""
        self.rows.clear()
        self.tables.clear()
        self.facts.clear()


class Memory:
    """Rows and results, by table."""

    def __init__(self) -> None:
        """Nothing has been read."""
        self._rows: dict[str, dict[Any, Any]] = {}
        self.made: dict[str, dict[Hashable, Any]] = {}
        self._sizes: dict[str, int] = {}
        """Of what is made of a table, where sizes are given: all of it together."""

    def rows(self, table: Table[Any, Any]) -> dict[Any, Any]:
        """What is remembered of a table, by key, for the caller to add to."""
        found = self._rows.get(table.name)
        if found is None:
            found = self._rows[table.name] = {}
        elif len(found) >= table.shown:
            found.clear()
        return found

    def recall(
        self, table: str, key: Hashable, make: Callable[[], Value], *, most: int = RECALLED, size: Callable[[Value], int] | None = None
    ) -> Value:
        """What was made of a table's rows, made anew when any of them has changed."""
        results = self.made.get(table)
        if results is None:
            results = self.made[table] = {}
            self._sizes[table] = 0
        try:
            found: Value = results[key]
        except KeyError:
            found = make()
            if size is None:
                if len(results) >= most:
                    results.clear()
                results[key] = found
            elif (filled := self._sizes[table] + size(found)) <= most:
                self._sizes[table] = filled
                results[key] = found
        return found

    def unmake(self, table: str) -> None:
        """Drop what was made of a table's rows: one of them is about to change."""
        self.made.pop(table, None)

    def forget(self, changes: Changes) -> None:
        """Drop what a commit has changed."""
        for name, keys in changes.rows:
            self.made.pop(name, None)
            rows = self._rows.get(name)
            if rows:
                for key in keys:
                    rows.pop(key, None)
        for name in changes.tables:
            self.made.pop(name, None)
            self._rows.pop(name, None)
