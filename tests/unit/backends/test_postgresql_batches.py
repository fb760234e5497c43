"""What is sent and not waited for, when it does not fit: whoever is told that nothing was kept is right, and nobody else notices."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from support.stores import PostgresqlPlace, world_at
from support.toy import PURSES, TOY, Do, Step
from yunduan.backends.postgresql import PostgresqlStore
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError
from yunduan.runtime import domain as runtime
from yunduan.runtime.look import HELD_S_MAX
from yunduan.runtime.migrations import migrate
from yunduan.runtime.ports import Row
from yunduan.testing import World

DOMAINS = (runtime.DOMAIN, TOY)
WARNING = """
CREATE FUNCTION {schema}.warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'beware'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON {schema}.purse {when} FOR EACH ROW EXECUTE FUNCTION {schema}.warn()
"""


@pytest.fixture
def store(here: PostgresqlPlace) -> Iterator[PostgresqlStore]:
    """The toy's tables, and nothing else running."""
    store = here.open()
    migrate(store, DOMAINS)
    yield store
    store.close()


@pytest.fixture
def world(here: PostgresqlPlace) -> Iterator[World]:
    """A cloud of the toy alone, whose writer does not wait long for a row that somebody else holds."""
    with world_at(here, domains=DOMAINS) as world:
        patient_for(world, "50ms")
        yield world


def patient_for(world: World, time: str) -> None:
    """How long the writer waits for a row."""
    world.cloud.store._plain(f"SET lock_timeout = '{time}'")  # type: ignore[attr-defined]


@contextmanager
def head_held(here: PostgresqlPlace) -> Iterator[Callable[[], None]]:
    """Somebody else holds the row that every batch moves, which is a fault of the machine; until it is let go."""
    with psycopg.connect(here.cluster.dsn) as other:
        other.execute(f"SELECT 1 FROM {here.schema}.head FOR UPDATE")
        yield lambda: None if other.closed else other.rollback()


def put(key: str, amount: int) -> Do:
    """A command with one effect."""
    return Do(steps=(Step("put", key, amount), Step("note", key, amount)))


TWICE = Do(steps=(Step("note", "x", 1), Step("note", "x", 2)))
"""Does not fit where a note is about something else each time."""


def held(here: PostgresqlPlace) -> int:
    """How many readers hold a snapshot."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'yunduan reader' AND backend_xmin IS NOT NULL"
    return int(str(here.cluster.run(sql)[0][0]))


# Told that nothing was kept


def test_whoever_is_told_that_nothing_was_kept_is_not_carried_out_afterwards(here: PostgresqlPlace) -> None:
    """Not even those that were left for the next batch while whoever was to blame was looked for."""
    steps: list[str] = []

    def probe(step: str) -> None:
        steps.append(step)
        if step == "ran" and world.cloud.writer.replays:
            world.clock.advance(25)  # more than a batch may take: the others are left
        if step == "taken" and steps.count("taken") == 2:
            let_go()

    with world_at(here, domains=DOMAINS, probe=probe) as world:
        world.cloud.store.script("CREATE UNIQUE INDEX note_once ON note (about)")
        world.send(put("before", 1))
        patient_for(world, "50ms")
        with head_held(here) as let_go:
            steps.clear()
            found = world.send_all([(TWICE, SYSTEM), (put("a", 1), SYSTEM), (put("b", 1), SYSTEM)], keys=["k0", "k1", "k2"])
        assert world.cloud.writer.replays == 1
        assert [type(one) for one in found] == [FaultError] * 3
        world.send(put("after", 1))
        assert world.rows("SELECT id FROM purse ORDER BY id") == [("after",), ("before",)]
        assert world.rows("SELECT name FROM answer") == []


def test_whoever_is_told_so_may_come_again_with_the_same_key(world: World, here: PostgresqlPlace) -> None:
    """The machine was to blame, so that nobody is carried out one by one; then it is done once."""
    asked = [(put("a", 1), SYSTEM), (put("b", 2), SYSTEM)]
    with head_held(here):
        assert [type(one) for one in world.send_all(asked, keys=["k1", "k2"])] == [FaultError] * 2
        assert world.rows("SELECT count(*) FROM purse") == world.rows("SELECT count(*) FROM answer") == [(0,)]
    assert world.cloud.writer.replays == 0
    for _ in range(2):
        assert world.send_all(asked, keys=["k1", "k2"]) == [[], []]
    assert world.rows("SELECT id, amount FROM purse ORDER BY id") == [("a", 1), ("b", 2)]
    assert world.rows("SELECT count(*) FROM note") == [(2,)]


def test_who_is_to_blame_is_told_alone_and_the_others_are_kept_once(world: World) -> None:
    """By their keys, although the whole batch was thrown away in between; the culprit's key is free."""
    asked: list[tuple[Any, Any]] = [(put("a", 1), SYSTEM), (Do(steps=(Step("put", "b", -1),)), SYSTEM), (put("c", 3), SYSTEM)]
    for round in (1, 2):
        found = world.send_all(asked, keys=["k1", "k2", "k3"])
        assert [found[0], type(found[1]), found[2]] == [[], psycopg.errors.CheckViolation, []]
        assert world.cloud.writer.replays == round
        assert world.rows("SELECT id, amount FROM purse ORDER BY id") == [("a", 1), ("c", 3)]
    assert world.rows("SELECT about FROM note ORDER BY seq") == [("a",), ("c",)]
    assert world.send(put("b", 1), key="k4") == []


@pytest.mark.parametrize("blamed", ["machine", "command"])
def test_a_commit_that_was_not_tried_lets_go_of_what_was_seen_before_it(world: World, here: PostgresqlPlace, blamed: str) -> None:
    """Readers hold a snapshot for half a second at most, unless a commit is on its way; this one is not any more."""
    if blamed == "command":
        world.cloud.store.script("CREATE UNIQUE INDEX note_once ON note (about)")
    world.cloud.remember()
    with head_held(here):
        assert type(world.send_all([(put("a", 1) if blamed == "machine" else TWICE, SYSTEM)])[0]) is FaultError
        world.run(asyncio.sleep(HELD_S_MAX * 1.5))
    assert held(here) == 0


# What the server says


@pytest.mark.parametrize("when", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_a_warning_is_the_commits_only_when_it_comes_with_it(when: str, store: PostgresqlStore, here: PostgresqlPlace) -> None:
    """One about what was sent before says nothing of standbys."""
    here.cluster.run(WARNING.format(schema=here.schema, when=when))
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    store.lend()
    if when:
        with pytest.raises(UnknownOutcomeError, match="this machine alone"):
            store.commit()
    else:
        store.commit()
    assert store.row("SELECT count(*) FROM purse") == (1,)


# Undone before it was looked at


FAULTS: dict[str, tuple[str, Row]] = {
    "twice": ("insert", ("a", 3, None, b"")),
    "rule": ("insert", ("c", -1, None, b"")),
    "absent": ("update", ("z", 2, None, b"")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_did_not_fit_is_undone_before_anybody_looked(fault: str, store: PostgresqlStore) -> None:
    """Nobody is told of it, and the transaction goes on."""
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    store.savepoint()
    store.settle()
    store.insert(PURSES, [("b", 1, None, b"")])
    how, row = FAULTS[fault]
    getattr(store, how)(PURSES, [row])
    store.rollback_to_savepoint()
    assert store.in_transaction()
    store.lend()
    store.commit()
    assert store.rows("SELECT id, amount FROM purse") == [("a", 1)]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [True, False])
def test_what_did_not_fit_before_the_savepoint_is_not_undone_by_it(fault: str, after: bool, store: PostgresqlStore) -> None:
    """It is told, whatever is wrong with what came after, since nobody has counted it yet."""
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    how, row = FAULTS[fault]
    getattr(store, how)(PURSES, [row])
    store.savepoint()
    if after:
        store.insert(PURSES, [("a", 5, None, b"")])
    with pytest.raises((psycopg.IntegrityError, BrokenError)):
        store.rollback_to_savepoint()
    store.rollback()
    assert store.rows("SELECT id, amount FROM purse") == []


def test_a_command_that_breaks_after_it_sent_what_does_not_fit_breaks_alone(world: World) -> None:
    """A text that no column can hold is refused before what was sent has been looked at."""
    world.cloud.store.script("CREATE UNIQUE INDEX note_once ON note (about)")
    breaks = Do(steps=(*TWICE.steps, Step("count", "\0")))
    found = world.send_all([(put("a", 1), SYSTEM), (breaks, SYSTEM), (put("b", 2), SYSTEM)])
    assert [found[0], type(found[1]), found[2]] == [[], BrokenError, []]
    assert world.cloud.writer.failed is None
    assert world.rows("SELECT about FROM note ORDER BY seq") == [("a",), ("b",)]
