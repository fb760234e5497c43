"""What is not looked at again has not changed: a law is held to once for all that it has read, and SQLite says what was written in."""

from pathlib import Path

import pytest

from yunduan.testing.checkers import ViolationError, claim
from yunduan.testing.simulator import TrackedStore
from yunduan.testing.trade.papers import Papers


def test_a_law_is_held_to_again_when_anything_that_it_read_has_changed() -> None:
    """And not before: neither when nothing has, nor when something else has."""
    papers, seen = Papers(), []
    papers.take("balances", {"a": 1}, 1)
    papers.take("stock", [], 1)

    def law(it: Papers) -> None:
        seen.append(it.balance("a"))

    papers.hold_to(law)
    papers.hold_to(law)
    papers.take("stock", [("tea", "here", 1, 0)], 2)
    papers.hold_to(law)
    assert seen == [1]
    papers.take("balances", {"a": 2}, 2)
    papers.hold_to(law)
    papers.hold_to(law)
    assert seen == [1, 2]


def test_what_a_law_reads_may_hang_on_what_it_has_read() -> None:
    """What it has read this time is what it is held to again for."""
    papers, seen = Papers(), []
    papers.take("balances", {}, 1)
    papers.take("stock", [], 1)

    def law(it: Papers) -> None:
        seen.append(len(it.stock) if it.balances else -1)

    papers.hold_to(law)
    papers.take("stock", [("tea", "here", 1, 0)], 2)
    papers.hold_to(law)
    assert seen == [-1]
    papers.take("balances", {"a": 1}, 2)
    papers.hold_to(law)
    papers.take("stock", [], 3)
    papers.hold_to(law)
    assert seen == [-1, 1, 0]


def test_a_law_that_is_broken_stays_broken() -> None:
    """Until what it is about has changed."""
    papers = Papers()
    papers.take("balances", {"a": -1}, 1)

    def law(it: Papers) -> None:
        claim(it.balance("a") >= 0, "a is below zero")

    for _ in range(2):
        with pytest.raises(ViolationError, match="a is below zero"):
            papers.hold_to(law)
    papers.take("balances", {"a": 0}, 2)
    papers.hold_to(law)


def test_a_store_says_which_tables_were_written_in(tmp_path: Path) -> None:
    """Whatever kind of table it is, and however a row of it has come, changed or gone; what was undone is named as well."""
    store = TrackedStore(tmp_path / "store.sqlite")
    store.write("CREATE TABLE rows (id INTEGER PRIMARY KEY, word TEXT) STRICT")
    store.write("CREATE TABLE keys (id TEXT PRIMARY KEY, word TEXT) STRICT, WITHOUT ROWID")
    store.write("CREATE TABLE others (id INTEGER PRIMARY KEY) STRICT")
    store.watch()
    ways = (
        ("INSERT INTO rows VALUES (1, 'a')", {"rows"}),
        ("INSERT INTO keys VALUES ('k', 'a') ON CONFLICT (id) DO UPDATE SET word = 'b'", {"keys"}),
        ("INSERT INTO keys VALUES ('k', 'a') ON CONFLICT (id) DO UPDATE SET word = 'b'", {"keys"}),
        ("UPDATE rows SET word = 'b'", {"rows"}),
        ("REPLACE INTO keys VALUES ('k', 'c')", {"keys"}),
        ("UPDATE rows SET word = 'c' WHERE id = 2", set()),
        ("DELETE FROM rows", {"rows"}),
        ("SELECT * FROM keys", set()),
    )
    for sql, touched in ways:
        store.write(sql)
        assert (store.take_touched(), store.take_touched()) == (touched, set()), sql
    store.begin()
    store.write("INSERT INTO others VALUES (1)")
    store.rollback()
    assert store.take_touched() == {"others"}
    store.close()
