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
    """What one commit changes: rows by their keys, tables of which only that is known, and the facts that it tells, in order.

    Of some tables it is known which parts have changed, the cards of which shops say: `parts` names them.
    """

    __slots__ = ("facts", "parts", "rows", "tables")

    def __init__(self) -> None:
        """Nothing yet."""
        self.rows: list[tuple[str, Collection[Any]]] = []
        self.tables: set[str] = set()
        self.parts: dict[str, set[str]] = {}
        self.facts: list[Fact] = []

    def clear(self) -> None:
        """Begin anew."""
        self.rows.clear()
        self.tables.clear()
        self.parts.clear()
        self.facts.clear()


class _Made:
    """What was made of one table's rows, or of those of one of its parts."""

    __slots__ = ("by_part", "filled", "results")

    def __init__(self) -> None:
        self.results: dict[Hashable, Any] = {}
        self.by_part: dict[str, dict[Hashable, int]] = {}
        """The size of each result, by the part that it was made of: none for what was made of any rows."""
        self.filled = 0

    def keep(self, key: Hashable, result: Any, *, part: str, size: int) -> None:
        self.results[key] = result
        self.by_part.setdefault(part, {})[key] = size
        self.filled += size

    def drop(self, part: str) -> None:
        for key, size in self.by_part.pop(part, {}).items():
            del self.results[key]
            self.filled -= size


class Memory:
    """Rows and results, by table."""

    def __init__(self) -> None:
        """Nothing has been read."""
        self._rows: dict[str, dict[Any, Any]] = {}
        self._made: dict[str, _Made] = {}

    def rows(self, table: Table[Any, Any]) -> dict[Any, Any]:
        """What is remembered of a table, by key, for the caller to add to."""
        found = self._rows.get(table.name)
        if found is None:
            found = self._rows[table.name] = {}
        elif len(found) >= table.shown:
            found.clear()
        return found

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
        """What was made of a table's rows, or of those of a part of it, made anew when any of them has changed."""
        made = self._made.get(table)
        if made is None:
            made = self._made[table] = _Made()
        try:
            found: Value = made.results[key]
        except KeyError:
            found = make()
            if size is None and made.filled >= most:
                made = self._made[table] = _Made()
            weight = size(found) if size else 1
            if made.filled + weight <= most:
                made.keep(key, found, part=part, size=weight)
        return found

    def unmake(self, table: str) -> None:
        """Drop what was made of a table's rows: one of them is about to change."""
        self._made.pop(table, None)

    def forget(self, changes: Changes) -> None:
        """Drop what a commit has changed."""
        for name, keys in changes.rows:
            self._made.pop(name, None)
            rows = self._rows.get(name)
            if rows:
                for key in keys:
                    rows.pop(key, None)
        for name in changes.tables:
            self._made.pop(name, None)
            self._rows.pop(name, None)
        for name, parts in changes.parts.items():
            self._rows.pop(name, None)
            made = self._made.get(name)
            if made is not None:
                for part in ("", *parts):
                    made.drop(part)
