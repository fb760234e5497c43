"""What only PostgreSQL can do wrong: settings that lose data, sessions that die, transactions that are poisoned."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from support.postgresql import Cluster
from support.stores import PostgresqlPlace, world_at
from support.toy import PURSES, SLOTS, TOY, Do, Purse, Slot, Step
from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.postgresql.store import why_refused
from yunduan.backends.postgresql.wire import STATEMENTS_MAX
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError
from yunduan.runtime import domain as runtime
from yunduan.runtime.migrations import migrate
from yunduan.runtime.ports import NothingKeptError, StoreRefusedError
from yunduan.runtime.writer import SupersededError
from yunduan.testing import World

DOMAINS = (runtime.DOMAIN, TOY)
ACKNOWLEDGED_MIN = 20
"""Commits before the server is crashed in the middle of more."""
SAFE = {
    "server_version_num": "150020",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "server_encoding": "UTF8",
    "transaction_read_only": "off",
}


@pytest.fixture
def store(here: PostgresqlPlace) -> Iterator[PostgresqlStore]:
    """The toy's tables, and nothing else running."""
    store = here.open()
    migrate(store, DOMAINS)
    yield store
    store.close()


def put(key: str, amount: int) -> Do:
    """A command with one effect."""
    return Do(steps=(Step("put", key, amount), Step("note", key, amount)))


# Who may write


def test_a_safe_server_is_taken() -> None:
    """The settings that nothing is wrong with."""
    assert why_refused(SAFE) == ""
    assert why_refused({**SAFE, "synchronous_commit": "remote_apply"}) == ""


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("server_version_num", "140012", "PostgreSQL 140012 is too old: 15 or newer is needed"),
        ("fsync", "off", "fsync is off: the server can lose what it has acknowledged"),
        ("full_page_writes", "off", "full_page_writes is off: the server can lose what it has acknowledged"),
        ("synchronous_commit", "off", "synchronous_commit is off: the server can lose what it has acknowledged"),
        ("synchronous_commit", "local", "synchronous_commit is local: the server can lose what it has acknowledged"),
        ("synchronous_commit", "remote_write", "synchronous_commit is remote_write: the server can lose what it has acknowledged"),
        ("server_encoding", "SQL_ASCII", "the database is encoded in SQL_ASCII: UTF8 is needed"),
        ("transaction_read_only", "on", "the server is a standby, or only reads"),
    ],
)
def test_an_unsafe_server_is_refused(name: str, value: str, reason: str) -> None:
    """With the reason."""
    assert why_refused({**SAFE, name: value}) == reason


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_flush_is_refused_at_start(cluster: Cluster, here: PostgresqlPlace, setting: str) -> None:
    """Read from the server, not from a promise."""
    cluster.run(f"ALTER SYSTEM SET {setting} = off")
    cluster.run("SELECT pg_reload_conf()")
    try:
        until = time.monotonic() + 10
        while cluster.run(f"SHOW {setting}") != [("off",)] and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(StoreRefusedError, match=f"{setting} is off"):
            here.open()
    finally:
        cluster.run(f"ALTER SYSTEM SET {setting} = on")
        cluster.run("SELECT pg_reload_conf()")
        while cluster.run(f"SHOW {setting}") != [("on",)]:
            time.sleep(0.02)
    here.open().close()
    assert cluster.run(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{here.schema}'") == [(1,)]


def test_a_session_that_does_not_wait_for_the_disk_is_refused(here: PostgresqlPlace) -> None:
    """Even when only the connection string says so."""
    with pytest.raises(StoreRefusedError, match="synchronous_commit is off"):
        PostgresqlStore(f"{here.cluster.dsn} options='-c synchronous_commit=off'", schema=here.schema)


def test_a_reload_does_not_weaken_a_session_that_writes(here: PostgresqlPlace, store: PostgresqlStore) -> None:
    """What was on at start stays on."""
    setting = "SELECT setting FROM pg_settings WHERE name = ?"
    here.cluster.run("ALTER SYSTEM SET synchronous_commit = off")
    here.cluster.run("ALTER SYSTEM SET work_mem = '4321kB'")
    here.cluster.run("SELECT pg_reload_conf()")
    try:
        until = time.monotonic() + 20
        while store.row(setting, ("work_mem",)) != ("4321",):  # what shows that the session has taken the new configuration
            assert time.monotonic() < until
        assert store.row(setting, ("synchronous_commit",)) == ("on",)
    finally:
        here.cluster.run("ALTER SYSTEM SET synchronous_commit = on")
        here.cluster.run("ALTER SYSTEM RESET work_mem")
        here.cluster.run("SELECT pg_reload_conf()")


@pytest.mark.parametrize("schema", ["Robert'); DROP", "", "a b", "x" * 64, "1a"])
def test_a_schema_has_a_plain_name(cluster: Cluster, schema: str) -> None:
    """It is written into statements."""
    with pytest.raises(StoreRefusedError, match="plain name"):
        PostgresqlStore(cluster.dsn, schema=schema)


def test_a_server_that_is_not_there_is_a_clear_refusal() -> None:
    """With what libpq says."""
    with pytest.raises(StoreRefusedError, match="cannot be reached"):
        PostgresqlStore("host=/nowhere dbname=postgres")


def test_two_schemas_have_two_writers_and_one_has_one(here: PostgresqlPlace, store: PostgresqlStore) -> None:
    """The lock is the schema's, and goes with the session."""
    other = PostgresqlStore(here.cluster.dsn, schema=here.schema + "_b")
    with pytest.raises(StoreRefusedError, match=f"another process writes to schema {here.schema}"):
        PostgresqlStore(here.cluster.dsn, schema=here.schema, lock_wait_s=0.1)
    store.close()
    PostgresqlStore(here.cluster.dsn, schema=here.schema).close()
    other.close()
    here.cluster.drop(here.schema + "_b")


def test_a_new_writer_waits_for_the_last_one_to_be_gone(here: PostgresqlPlace, store: PostgresqlStore) -> None:
    """A restart right after a kill is not refused."""
    timer = threading.Timer(0.3, store.close)
    timer.start()
    PostgresqlStore(here.cluster.dsn, schema=here.schema, lock_wait_s=10).close()
    timer.join()


# Statements


def test_sets_are_one_statement_each(store: PostgresqlStore) -> None:
    """A thousand rows are added, changed, appended and read by four."""
    sent: list[str] = []
    post = store._wire.post

    def noting(sql: str, arguments: Any = ()) -> int:
        sent.append(sql.split(maxsplit=1)[0])
        return post(sql, arguments)

    store._wire.post = noting  # type: ignore[method-assign]
    store._column_types("note")
    sent.clear()
    rows = [(f"p{n}", n, None if n % 2 else "x", bytes([n % 256])) for n in range(1000)]
    store.begin()
    store.insert(PURSES, rows)
    store.update(PURSES, [(id, amount + 1, label, mark) for id, amount, label, mark in rows])
    store.append("INSERT INTO note (about, text, rank) VALUES (?, ?, 5)", [(f"a{n}", "t") for n in range(1000)])
    found = store.load(PURSES, [f"p{n}" for n in range(1500)])
    assert sorted(found) == sorted((id, amount + 1, label, mark) for id, amount, label, mark in rows)
    assert sent == ["BEGIN", "INSERT", "UPDATE", "INSERT", "SELECT"]
    store.rollback()
    assert store.row("SELECT count(*) FROM purse") == (0,)


def test_keys_of_two_columns_are_loaded_as_pairs(store: PostgresqlStore) -> None:
    """Not every first with every second; a key that comes twice is one row."""
    store.insert(SLOTS, [("a", 1, b"1"), ("a", 2, None), ("b", 1, b""), ("b", 2, b"4")])
    assert sorted(store.load(SLOTS, [("a", 1), ("b", 2), ("b", 3), ("a", 1)])) == [("a", 1, b"1"), ("b", 2, b"4")]
    assert store.load(SLOTS, [("a", 2)]) == [("a", 2, None)]
    store.update(SLOTS, [("b", 1, b"new")])
    assert store.load(SLOTS, [("b", 1)]) == [("b", 1, b"new")]


def test_a_key_that_no_column_can_hold_is_found_nowhere(store: PostgresqlStore) -> None:
    """It fails nobody's batch."""
    store.insert(PURSES, [("a", 1, None, b"")])
    assert store.load(PURSES, ["a", "n\0l", "\ud800"]) == [("a", 1, None, b"")]
    assert store.load(SLOTS, [("a", 2**63), ("\0", 1)]) == []
    assert store.load(PURSES, []) == []


def test_a_statement_is_prepared_once_whatever_the_size_of_its_numbers(store: PostgresqlStore) -> None:
    """All integers go as 64 bits; nothing stands in for any type."""
    for value in (1, 40_000, 3_000_000_000, 2**62, True, None, -1):
        store.rows("SELECT id FROM plain WHERE amount = ?", (value,))
    prepared = store.rows("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM plain%'")
    assert len(prepared) == 1


def test_statements_that_were_prepared_are_let_go_when_there_are_too_many(store: PostgresqlStore) -> None:
    """A session does not grow for ever."""
    for n in range(1100):
        assert store.row(f"SELECT {n}") == (n,)
    assert store.row("SELECT count(*) FROM pg_prepared_statements")[0] <= 1000  # type: ignore[index]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_a_transaction_that_has_failed_lets_no_statement_go(more: int, store: PostgresqlStore) -> None:
    """The server would refuse; what ends the transaction is prepared all the same, as the first too many or a later one."""
    store.begin()
    while store._wire._count < STATEMENTS_MAX - 1:
        store.row(f"SELECT {store._wire._count}")
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.rows("SELECT id FROM nowhere")
    for n in range(more):
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            store.row(f"SELECT 'refused', {n}")
    store.rollback()
    store.begin()
    for n in range(20):
        assert store.row(f"SELECT 'after', {n}") == ("after", n)
    assert store.row("SELECT count(*) FROM pg_prepared_statements")[0] < 100  # type: ignore[index]


def test_statements_that_were_not_let_go_after_all_harm_nothing(store: PostgresqlStore) -> None:
    """What is posted behind a statement that fails is not done, letting go included: a name is not given twice."""
    store.begin()
    while store._wire._count < STATEMENTS_MAX - 1:
        store.row(f"SELECT {store._wire._count}")
    store._wire.post("SELECT id FROM nowhere")
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.row("SELECT 'one too many'")
    store.rollback()
    for n in range(20):
        assert store.row(f"SELECT 'after', {n}") == ("after", n)


def test_a_plan_that_was_made_for_a_small_table_is_right_for_a_large_one(store: PostgresqlStore) -> None:
    """Statements are planned once; rows are found by their keys all the same, and changed by them."""
    store.script("ANALYZE purse; ANALYZE slot")
    store.begin()
    for n in range(12):
        store.load(PURSES, [f"p{n + m}" for m in range(40)])
        store.load(SLOTS, [("a", n + m) for m in range(40)])
        store.write("UPDATE purse SET amount = 0 WHERE id = ?", ("nobody",))
    store.insert(PURSES, [(f"p{n}", n, None, b"") for n in range(5_000)])
    store.insert(SLOTS, [("a", n, None) for n in range(5_000)])
    store.update(PURSES, [(f"p{n}", n + 1, None, b"") for n in range(10)])
    store.settle()
    prepared = "SELECT name, statement FROM pg_prepared_statements WHERE statement LIKE ? AND generic_plans > 0"
    for statement, arguments in (("SELECT purse.id%", "'{p1,p2}'"), ("SELECT slot.room%", "'{a,b}', '{1,2}'"), ("UPDATE purse%", "'p1'")):
        ((name, _),) = store.rows(prepared, (statement,))
        plan = "\n".join(row[0] for row in store.rows(f"EXPLAIN EXECUTE {name} ({arguments})"))
        assert "Index" in plan
        assert "Seq Scan" not in plan
    store.rollback()


def test_a_migration_may_read_whole_tables(store: PostgresqlStore) -> None:
    """It is for every row; what follows is for keys again."""
    settings = "SELECT name, setting FROM pg_settings WHERE name IN ('enable_seqscan', 'enable_hashjoin', 'enable_mergejoin') ORDER BY name"
    store.script(f"CREATE TABLE seen AS {settings}")
    names = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")
    assert store.rows("SELECT name, setting FROM seen ORDER BY name") == [(name, "on") for name in names]
    assert store.rows(settings) == [(name, "off") for name in names]


def test_a_sum_that_was_not_cast_is_a_mistake_that_is_told(store: PostgresqlStore) -> None:
    """Other stores have no numeric."""
    with pytest.raises(BrokenError, match="cast sums"):
        store.row("SELECT sum(amount) FROM plain")
    assert store.row("SELECT CAST(sum(amount) AS INTEGER) FROM plain") == (7,)


def test_an_append_with_do_update_may_touch_one_row_twice(store: PostgresqlStore) -> None:
    """As it may when it is run one by one."""
    sql = "INSERT INTO plain (id, amount) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET amount = plain.amount + excluded.amount"
    store.append(sql, [("x", 1), ("x", 2), ("y", 5)])
    assert store.rows("SELECT id, amount FROM plain WHERE id IN ('x', 'y') ORDER BY id") == [("x", 3), ("y", 5)]


@pytest.mark.parametrize("value", [1.5, object(), ["a"]])
def test_a_value_of_no_columns_type_is_not_sent(store: PostgresqlStore, value: object) -> None:
    """A float is no amount."""
    with pytest.raises(BrokenError, match="no type of a column"):
        store.write("INSERT INTO plain (id, amount) VALUES ('z', ?)", (value,))
    assert store.row("SELECT count(*) FROM plain") == (1,)


# Poisoned transactions


def test_a_failed_read_poisons_a_transaction_that_has_no_savepoint(store: PostgresqlStore) -> None:
    """It does not stand any more, and a rollback makes the session fit again."""
    store.begin()
    store.write("DELETE FROM plain")
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.rows("SELECT id FROM nowhere")
    assert not store.in_transaction()
    store.rollback()
    assert store.row("SELECT count(*) FROM plain") == (1,)


def test_a_savepoint_saves_a_transaction_from_a_failed_statement(store: PostgresqlStore) -> None:
    """What was before it stays, what came after it goes."""
    store.begin()
    store.write("UPDATE plain SET amount = 8")
    store.savepoint()
    store.write("UPDATE plain SET amount = 9")
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.rows("SELECT id FROM nowhere")
    assert store.in_transaction()
    with pytest.raises(BrokenError, match="the command went on"):
        store.release()
    store.rollback_to_savepoint()
    assert store.in_transaction()
    assert store.row("SELECT amount FROM plain") == (8,)
    store.lend()
    store.commit()
    assert store.row("SELECT amount FROM plain") == (8,)


def test_a_commit_of_a_poisoned_transaction_is_not_taken_for_one(store: PostgresqlStore) -> None:
    """PostgreSQL answers it with a rollback and no error."""
    store.begin()
    store.write("DELETE FROM plain")
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.rows("SELECT id FROM nowhere")
    store.lend()
    with pytest.raises(UnknownOutcomeError, match="rolled back instead"):
        store.commit()
    assert store.row("SELECT count(*) FROM plain") == (1,)


def test_a_row_that_cannot_be_sent_sends_none_of_its_set(store: PostgresqlStore) -> None:
    """The session is as it was."""
    sql = "INSERT INTO plain (id, amount) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount"
    store.begin()
    with pytest.raises(BrokenError, match="NUL"):
        store.append(sql, [("x", 1), ("n\0l", 2)])
    with pytest.raises(BrokenError, match="NUL"):
        store.insert(PURSES, [("x", 1, None, b""), ("y", 1, "n\0l", b"")])
    assert store.in_transaction()
    store.lend()
    store.commit()
    assert store.row("SELECT count(*) FROM plain") == (1,)


@pytest.mark.parametrize("fault", ["absent", "twice", "moved"])
def test_what_was_sent_and_does_not_fit_is_found_before_the_commit(fault: str, store: PostgresqlStore) -> None:
    """Nobody waits for what the end of a batch sends; the helper thread does, and COMMIT is not sent then."""
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    if fault == "absent":
        store.update(PURSES, [("a", 2, None, b""), ("z", 1, None, b"")])
    elif fault == "twice":
        store.insert(PURSES, [("a", 3, None, b"")])
    else:
        store.move("UPDATE plain SET amount = 8 WHERE amount = ?", (99,), SupersededError("somebody else"))
    store.insert(SLOTS, [("a", 1, b"1")])
    store.lend()
    with pytest.raises(NothingKeptError) as caught:
        store.commit()
    cause = {"absent": BrokenError, "twice": psycopg.errors.UniqueViolation, "moved": SupersededError}[fault]
    assert isinstance(caught.value.__cause__, cause)
    store.rollback()
    assert store.row("SELECT count(*) FROM purse") == store.row("SELECT count(*) FROM slot") == (0,)
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    store.lend()
    store.commit()
    assert store.row("SELECT count(*) FROM purse") == (1,)


def test_what_was_sent_is_done_before_whatever_is_asked(store: PostgresqlStore) -> None:
    """In order; what is wrong with it is raised there, or where it is settled."""
    store.begin()
    store.insert(PURSES, [("a", 1, None, b"")])
    store.update(PURSES, [("a", 2, None, b"")])
    assert store.load_each([(SLOTS, [("a", 1)]), (PURSES, ["a", "b"]), (PURSES, ["n\0l"])]) == [[], [("a", 2, None, b"")], []]
    store.savepoint()
    store.update(PURSES, [("b", 2, None, b"")])
    with pytest.raises(BrokenError, match="each changed row of purse is there"):
        store.settle()
    store.settle()
    store.update(PURSES, [("b", 2, None, b"")])
    with pytest.raises(BrokenError, match="each changed row of purse is there"):
        store.release()
    store.rollback_to_savepoint()
    assert store.load(PURSES, ["a"]) == [("a", 2, None, b"")]
    store.update(PURSES, [("b", 2, None, b"")])
    store.rollback()
    assert store.load(PURSES, ["a"]) == []


def test_a_batch_whose_rows_do_not_fit_is_carried_out_one_by_one(here: PostgresqlPlace) -> None:
    """Although the server says so only when the loop goes on already: whoever is to blame is told alone."""
    with world_at(here, domains=DOMAINS) as world:
        world.cloud.store.script("CREATE UNIQUE INDEX note_once ON note (about)")
        found = world.send_all([(put("a", 1), SYSTEM), (put("a", 7), SYSTEM), (put("b", 2), SYSTEM)])
        assert isinstance(found[1], psycopg.errors.UniqueViolation)
        assert [found[0], found[2]] == [[], []]
        assert world.cloud.writer.replays == 1
        assert sorted(world.rows("SELECT id, amount FROM purse")) == [("a", 1), ("b", 2)]
        assert sorted(world.rows("SELECT about, text FROM note")) == [("a", "n1"), ("b", "n2")]
        assert world.send(put("c", 5)) == []


# Sessions that die


def backend(place: PostgresqlPlace, application: str = "yunduan writer") -> int:
    """The server's process that serves the writer of a schema, or a reader."""
    ((pid,),) = place.cluster.run(
        f"SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.pid IN"
        f" (SELECT pid FROM pg_stat_activity WHERE application_name = '{application}')"
    )
    return int(str(pid))


def kill(place: PostgresqlPlace, pid: int) -> None:
    """End a session from outside and wait until it is gone."""
    place.cluster.run(f"SELECT pg_terminate_backend({pid}, 10000)")


class Killer:
    """Steps in between the writer and its session at COMMIT."""

    def __init__(self, world: World, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> None:
        """Take the place of the store's own commit."""
        self._store = world.cloud.store
        self._commit = self._store.commit
        self._before, self._after = before, after
        self._store.commit = self.commit  # type: ignore[method-assign]

    def commit(self) -> None:
        """Kill the session just before the server sees COMMIT, or after it has carried it out and before anybody reads the answer."""
        store = self._store
        if self._before:
            self._before()
        if self._after:
            store._wire.post("COMMIT")  # type: ignore[attr-defined]
            store._wire.sync()  # type: ignore[attr-defined]
            self._after()
            store._wire._pg.finish()  # type: ignore[attr-defined]
        self._commit()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_session_that_dies_in_commit_leaves_the_outcome_unknown_until_the_keys_are_read_back(here: PostgresqlPlace, when: str) -> None:
    """Nothing is answered; whoever comes again with the same key has one effect, whether or not the commit had happened."""
    world = world_at(here, domains=DOMAINS)
    world.send(put("a", 1), key="k0")
    pid = backend(here)

    def until_committed() -> None:
        until = time.monotonic() + 10
        while here.cluster.run(f"SELECT count(*) FROM {here.schema}.note") != [(3,)] and time.monotonic() < until:
            time.sleep(0.01)
        kill(here, pid)

    Killer(world, **({"before": lambda: kill(here, pid)} if when == "before" else {"after": until_committed}))  # type: ignore[arg-type]
    asked = [(put("a", 2), SYSTEM), (put("b", 2), SYSTEM)]
    found = world.send_all(asked, keys=["k1", "k2"])
    assert [type(one) for one in found] == [UnknownOutcomeError, UnknownOutcomeError]
    assert isinstance(world.cloud.writer.failed, UnknownOutcomeError)
    assert type(world.send_all([(put("c", 1), SYSTEM)])[0]) is UnknownOutcomeError
    world.close()
    with world_at(here, domains=DOMAINS) as again:
        happened = when == "after"
        assert again.rows("SELECT name FROM answer ORDER BY name") == [
            (f"{k} system",) for k in (["k0", "k1", "k2"] if happened else ["k0"])
        ]
        assert again.send_all(asked, keys=["k1", "k2"]) == [[], []]
        assert again.rows("SELECT id, amount FROM purse ORDER BY id") == [("a", 2), ("b", 2)]
        assert again.rows("SELECT count(*) FROM note") == [(3,)]


def test_a_session_that_dies_between_batches_stops_the_writer(here: PostgresqlPlace) -> None:
    """Its lock is gone, so it must not write again; the next process takes over where the last commit was."""
    world = world_at(here, domains=DOMAINS)
    world.send(put("a", 1), key="k0")
    kill(here, backend(here))
    stopped: list[BaseException] = []
    world.cloud.writer.on_stop(stopped.append)
    assert type(world.send_all([(put("a", 2), SYSTEM)], keys=["k1"])[0]) is UnknownOutcomeError
    assert isinstance(stopped[0], SupersededError)
    world.close()
    with world_at(here, domains=DOMAINS) as again:
        assert again.send(put("a", 1), key="k0") == []
        assert again.send(put("a", 2), key="k1") == []
        assert again.rows("SELECT id, amount FROM purse") == [("a", 2)]


def test_a_writer_that_has_lost_its_session_cannot_write_beside_the_next_one(here: PostgresqlPlace) -> None:
    """Another process has taken over: the old one gets nothing through."""
    old = world_at(here, domains=DOMAINS)
    old.send(put("a", 1))
    kill(here, backend(here))
    with world_at(here, domains=DOMAINS) as new:
        new.send(put("a", 5))
        assert type(old.send_all([(put("a", 9), SYSTEM)])[0]) is UnknownOutcomeError
        assert new.rows("SELECT id, amount FROM purse") == [("a", 5)]
    old.close()


def test_a_reader_whose_session_was_ended_connects_again(here: PostgresqlPlace) -> None:
    """A snapshot that had begun is lost with a fault; the next query is answered."""
    with world_at(here, domains=DOMAINS) as world:
        world.send(put("a", 1))
        reader = world.cloud.store.reader()
        reader.begin()
        assert reader.rows("SELECT amount FROM purse") == [(1,)]
        here.cluster.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'yunduan reader'")
        with pytest.raises(FaultError):
            reader.rows("SELECT amount FROM purse")
        with pytest.raises(FaultError):
            reader.rows("SELECT amount FROM purse")
        reader.end()
        assert reader.rows("SELECT amount FROM purse") == [(1,)]
        reader.begin()
        assert reader.load(PURSES, ["a"]) == [("a", 1, None, b"\x00\x01")]
        reader.end()
        reader.close()


def test_a_query_that_takes_too_long_is_ended(store: PostgresqlStore) -> None:
    """After five seconds, and the reader goes on."""
    reader = store.reader()
    reader.rows("SELECT set_config('statement_timeout', '50ms', false)")
    with pytest.raises(FaultError, match="statement timeout"):
        reader.rows("SELECT count(*) FROM generate_series(1, 1000000000)")
    assert reader.rows("SELECT count(*) FROM plain") == [(1,)]
    other = store.reader()
    assert other.rows("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'") == [("5000",)]
    other.begin()
    other._ends = 0.0
    with pytest.raises(FaultError, match="had its time"):
        other.rows("SELECT 1")
    other.end()
    assert other.rows("SELECT 1") == [(1,)]
    reader.close()
    other.close()


def test_a_reader_between_queries_holds_no_snapshot(here: PostgresqlPlace, store: PostgresqlStore) -> None:
    """Nothing keeps the server from clearing away what has been overwritten."""
    reader = store.reader()
    reader.begin()
    reader.rows("SELECT count(*) FROM plain")
    mine = f"pid = {reader._wire.backend_pid}"
    held = f"SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND {mine}"
    assert here.cluster.run(held) == [(1,)]
    reader.end()
    until = time.monotonic() + 5
    while here.cluster.run(held) != [(0,)]:
        assert time.monotonic() < until
    reader.close()


def test_what_was_acknowledged_survives_a_crash_of_the_server(here: PostgresqlPlace) -> None:
    """The server is ended without a checkpoint in the middle of a stream of batches, and recovers from its log."""
    world = world_at(here, domains=DOMAINS)
    acknowledged: list[str] = []
    timer = threading.Timer(0.05, here.cluster.crash)
    for n in range(100_000):
        if n == ACKNOWLEDGED_MIN:
            timer.start()
        found = world.send_all([(put(f"p{n}", n % 50), SYSTEM)], keys=[f"k{n}"])[0]
        if isinstance(found, Exception):
            assert isinstance(found, UnknownOutcomeError)
            break
        acknowledged.append(f"p{n}")
    timer.join()
    world.close()
    here.cluster.start()
    assert len(acknowledged) >= ACKNOWLEDGED_MIN
    with world_at(here, domains=DOMAINS) as again:
        there = {row[0] for row in again.rows("SELECT id FROM purse")}
        assert there >= set(acknowledged)
        assert len(there) <= len(acknowledged) + 1
        last = len(acknowledged)
        assert again.send(put(f"p{last}", last % 50), key=f"k{last}") == []
        assert again.rows("SELECT count(*) FROM note") == [(last + 1,)]


def test_a_copy_needs_the_client_programs(store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without them the error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FaultError, match="pg_dump is not installed"):
        store.backup(str(tmp_path / "copy"))


def test_a_copy_that_cannot_be_written_is_a_fault(store: PostgresqlStore, tmp_path: Any) -> None:
    """With what the program said."""
    with pytest.raises(FaultError, match="pg_dump failed"):
        store.backup(str(tmp_path / "no" / "such" / "folder"))


def test_values_of_the_toy_are_what_the_tables_hold() -> None:
    """The shapes that these tests rely on."""
    assert PURSES.row(Purse("a", 1)) == ("a", 1, None, b"\x00\xff")
    assert SLOTS.row(Slot("a", 1)) == ("a", 1, None)
