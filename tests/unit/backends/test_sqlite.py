"""What only SQLite can do wrong: a version that loses data, a query that keeps the log from being used again."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from yunduan.backends.sqlite import SqliteStore, open_reader
from yunduan.backends.sqlite import store as backend
from yunduan.cloud import open_reader as open_reader_by
from yunduan.cloud import open_store, open_window
from yunduan.edges.doctor import examine
from yunduan.kernel.refusals import BrokenError, FaultError
from yunduan.runtime.ports import Row, StoreRefusedError, Table
from yunduan.runtime.settings import Settings, StoreSettings

WITHOUT_END = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A file with one table."""
    store = SqliteStore(tmp_path / "store.sqlite")
    store.write("CREATE TABLE said (word TEXT)")
    yield store
    store.close()


@pytest.mark.parametrize("version", ["3.51.2", "3.50.10", "3.9.99", "2.99.99"])
def test_a_version_that_can_lose_data_is_refused(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made or locked, and the doctor says so too."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    with pytest.raises(StoreRefusedError, match=r"can corrupt a WAL: \(3, 51, 3\) or newer is needed"):
        SqliteStore(tmp_path / "store.sqlite")
    assert list(tmp_path.iterdir()) == []
    assert examine(Settings(data=str(tmp_path)))[0].is_bad


@pytest.mark.parametrize("version", ["3.51.3", "3.100.0", "4.0.0"])
def test_a_newer_version_is_taken(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are numbers, not texts."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    SqliteStore(tmp_path / "store.sqlite").close()
    assert not examine(Settings(data=str(tmp_path)))[0].is_bad


def test_a_query_that_takes_too_long_is_ended(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five seconds, shortened here, counted from the beginning of its snapshot; the reader goes on, and the log can be begun anew."""
    assert backend.QUERY_MS_MAX == 5_000
    monkeypatch.setattr(backend, "QUERY_MS_MAX", 200)
    reader = store.reader()
    reader.begin()
    assert reader.rows("SELECT word FROM said") == []
    began = time.monotonic()
    with pytest.raises(FaultError, match="interrupted"):
        reader.rows(WITHOUT_END)
    assert 0.1 < time.monotonic() - began < 5
    with pytest.raises(FaultError, match="interrupted"):  # what follows within the same snapshot has had its time, too
        reader.rows(WITHOUT_END)
    reader.end()
    store.write("INSERT INTO said VALUES ('hello')")
    assert store._checkpoint("TRUNCATE")
    reader.begin()
    assert reader.rows("SELECT word FROM said") == [("hello",)]
    reader.end()
    reader.close()


def test_readers_see_as_much_of_the_file_mapped_as_is_said(tmp_path: Path) -> None:
    """And what is committed at once, wherever it lies; what writes, and what reads everything once, copies what it reads."""
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path, map_mib=64)
    store.write("CREATE TABLE said (word TEXT)")
    reader, behind, apart = store.reader(), store.reader(is_behind=True), open_reader(path, map_mib=32)
    mapped = [one.rows("PRAGMA mmap_size")[0][0] >> 20 for one in (store, reader, behind, apart)]
    assert mapped == [0, 64, 0, 32]
    for number in range(3):
        store.append("INSERT INTO said (word) VALUES (?)", [("x" * 4000,)] * 100)
        assert [one.rows("SELECT count(*) FROM said") for one in (reader, apart)] == [[(100 + 100 * number,)]] * 2
        assert store._checkpoint("TRUNCATE")
    assert str(path) in Path("/proc/self/maps").read_text()
    for one in (reader, behind, apart, store):
        one.close()


def test_what_serves_maps_and_what_looks_for_faults_copies(tmp_path: Path) -> None:
    """A page that cannot be read ends whoever has it mapped; `doctor` has to say which it was."""
    settings = Settings(data=str(tmp_path), store=StoreSettings(map_mib=8))
    store = open_store(settings)
    window = open_window(settings)
    readers = store.reader(), window.reader(), open_reader_by(settings)
    assert [reader.rows("PRAGMA mmap_size")[0][0] >> 20 for reader in readers] == [8, 8, 0]
    for one in (*readers, store):
        one.close()
    for close in window.parts.closing:
        close()


def test_only_queries_have_a_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads outside of a snapshot, and the one who writes, are never interrupted: that would take the transaction away."""
    monkeypatch.setattr(backend, "QUERY_MS_MAX", 0)
    reader = store.reader()
    many = WITHOUT_END.replace("FROM n)", "FROM n WHERE x < 1000000)")
    assert reader.rows(many) == store.rows(many) == [(1_000_000,)]
    reader.begin()
    with pytest.raises(FaultError, match="interrupted"):
        reader.rows(many)
    reader.end()
    assert reader.rows(many) == [(1_000_000,)]
    reader.close()


def test_somebody_who_looks_is_no_reason_to_fail_a_start(tmp_path: Path) -> None:
    """A new file is turned to its log once they have seen enough."""
    path = tmp_path / "store.sqlite"
    looking = apsw.Connection(str(path))
    looking.execute("CREATE TABLE said (word TEXT)")
    looking.execute("BEGIN")
    looking.execute("SELECT * FROM said").fetchall()
    seen = threading.Timer(0.3, lambda: looking.execute("COMMIT"))
    seen.start()
    SqliteStore(path).close()
    seen.join()
    looking.close()


def test_the_log_is_begun_anew_right_after_it_was_folded_and_never_while_it_is(tmp_path: Path) -> None:
    """So that the pause in which nobody may write is short: what is left to copy is what came during the last fold."""
    store = SqliteStore(tmp_path / "s.sqlite", fold_pages=50, restart_pages=200)
    store.script("CREATE TABLE heap (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    seen: list[str] = []
    reader = store.reader()

    def look() -> None:
        """As somebody always does: the log cannot begin anew by itself."""
        reader.begin()
        reader.row("SELECT count(*) FROM heap")

    look()
    for number in range(400):
        upkeep = store.tend()
        if upkeep is not None and upkeep.alone:
            assert seen[-1] == "fold", "it comes after a fold"
            reader.end()
            store.lend()
            upkeep.run()
            seen.append("restart")
            look()
        elif upkeep is not None:
            store.begin()
            store.write("INSERT INTO heap (body) VALUES (?)", (b"x" * 20_000,))
            store.commit()
            assert store.tend() is None, "nothing else while the log is folded"
            reader.end()
            look()
            upkeep.run()
            seen.append("fold")
        store.begin()
        store.write("INSERT INTO heap (body) VALUES (?)", (bytes([number % 256]) * 20_000,))
        store.commit()
    assert seen.count("restart") >= 5
    assert seen.count("fold") >= 3 * seen.count("restart")
    assert [1 for one, two, three in zip(seen, seen[1:], seen[2:], strict=False) if (one, two, three) == ("fold", "fold", "restart")]
    assert store.row("SELECT count(*) FROM heap") == (400 + seen.count("fold"),)
    reader.close()
    store.close()


def test_nobody_waits_long_for_somebody_who_reads_until_the_log_is_half_as_large_again(tmp_path: Path) -> None:
    """It is tried again soon, with a short wait each; later the wait is longer, and when nobody is in the way it begins anew."""
    store = SqliteStore(tmp_path / "s.sqlite", fold_pages=50, restart_pages=200)
    store.script("CREATE TABLE heap (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    log, reader = backend.store_files(store.path)[1], store.reader()
    reader.begin()
    reader.row("SELECT count(*) FROM heap")
    waits: list[tuple[int, float]] = []
    for _ in range(100):
        store.begin()
        store.write("INSERT INTO heap (body) VALUES (?)", (b"x" * 20_000,))
        store.commit()
        while (upkeep := store.tend()) is not None:
            began = time.perf_counter()
            if upkeep.alone:
                store.lend()
            upkeep.run()
            if upkeep.alone:
                waits.append((log.stat().st_size // 4096, time.perf_counter() - began))
    soon, late = [wait for pages, wait in waits if pages < 300], [wait for pages, wait in waits if pages > 310]
    assert len(soon) >= 3
    assert len(late) >= 2
    assert min(late) >= 0.9 * backend.RESTART_WAIT_LATE_MS / 1000  # SQLite sleeps by whole milliseconds
    assert min(soon) < min(late) / 2
    grown = log.stat().st_size
    reader.end()
    for _ in range(60):
        store.begin()
        store.write("INSERT INTO heap (body) VALUES (?)", (b"x" * 20_000,))
        store.commit()
        while (upkeep := store.tend()) is not None:
            if upkeep.alone:
                store.lend()
            upkeep.run()
    assert log.stat().st_size <= grown + 60 * 4096
    reader.close()
    store.close()


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200])
def test_rows_are_added_in_their_order_by_few_statements(count: int, store: SqliteStore) -> None:
    """Statements whose sizes are powers of two add up to every row, once."""
    rows = [(f"word {number}",) for number in range(count)]
    store.append("INSERT INTO said (word) VALUES (?)", rows)
    assert store.rows("SELECT word FROM said ORDER BY rowid") == rows


def test_what_is_there_already_is_left_alone(store: SqliteStore) -> None:
    """The clause behind the values holds for each row of a statement of many."""
    store.write("CREATE UNIQUE INDEX once ON said (word)")
    sql = "INSERT INTO said (word) VALUES (?) ON CONFLICT DO NOTHING"
    store.append(sql, [("a",), ("b",), ("a",), ("c",)])
    store.append(sql, [("c",), ("d",)])
    assert store.rows("SELECT word FROM said ORDER BY rowid") == [("a",), ("b",), ("c",), ("d",)]


def test_rows_of_which_one_is_refused_are_undone_by_whoever_asked(store: SqliteStore) -> None:
    """What was added before it stays until then: a statement of many need not be able to undo itself."""
    store.write("CREATE UNIQUE INDEX once ON said (word)")
    store.begin()
    store.append("INSERT INTO said (word) VALUES (?)", [("before",)])
    store.savepoint()
    with pytest.raises(apsw.ConstraintError):
        store.append("INSERT INTO said (word) VALUES (?)", [("a",), ("b",), ("a",), ("c",)])
    store.rollback_to_savepoint()
    store.commit()
    assert store.rows("SELECT word FROM said") == [("before",)]


def test_how_many_rows_are_wanted_does_not_make_a_statement_anew(store: SqliteStore) -> None:
    """A plan that has looked at what `LIMIT ?` is would be made again each time, by the writer and by whoever reads."""
    store.append("INSERT INTO said VALUES (?)", [("a",), ("b",), ("c",)])
    reader = store.reader()
    for source in (store, reader):
        asked: list[object] = []

        def note(*about: object, asked: list[object] = asked) -> int:
            asked.append(about)
            return apsw.SQLITE_OK

        source._connection.authorizer = note  # SQLite asks whether it may while it makes a plan
        sql = "SELECT word FROM said ORDER BY word LIMIT ?"
        assert len(source.rows(sql, (1,))) == 1
        once = len(asked)
        assert [len(source.rows(sql, (limit,))) for limit in (2, 2, 3)] == [2, 2, 3]
        assert len(asked) == once > 0
    reader.close()


def test_what_a_batch_needs_once_is_not_prepared_anew_for_each(store: SqliteStore) -> None:
    """However many rows there are, a statement that each batch uses stays among those that the library keeps."""

    def batch() -> None:
        store.begin()
        for _ in range(10):
            store.append("INSERT INTO said (word) VALUES (?)", [("x",)] * 64)
        store.rows("SELECT count(*) FROM said")
        store.commit()

    batch()
    before = store._connection.cache_stats()["misses"]
    for _ in range(5):
        batch()
    assert store._connection.cache_stats()["misses"] == before


KEPT: dict[str, tuple[str, Table[Any, Row]]] = {
    name: (sql, Table(name="kept", columns=columns, keys=keys, value=tuple, row=tuple, updates=updates))
    for name, sql, columns, keys, updates in (
        ("numbered", "number SERIAL, held INTEGER NOT NULL, said TEXT", {"number": int, "held": int, "said": str}, 1, ()),
        (
            "named",
            "name TEXT NOT NULL PRIMARY KEY, held INTEGER NOT NULL, said TEXT",
            {"name": str, "held": int, "said": str},
            1,
            ("held",),
        ),
        (
            "clustered",
            "name TEXT NOT NULL, held INTEGER NOT NULL, said TEXT, PRIMARY KEY (name)) CLUSTERED",
            {"name": str, "held": int, "said": str},
            1,
            ("held",),
        ),
        (
            "clustered by two",
            "name TEXT NOT NULL, place INTEGER NOT NULL, held INTEGER NOT NULL, said TEXT, PRIMARY KEY (name, place)) CLUSTERED",
            {"name": str, "place": int, "held": int, "said": str},
            2,
            (),
        ),
    )
}


@pytest.mark.parametrize("count", [1, 2, 64, 65, 300])
@pytest.mark.parametrize("name", KEPT)
def test_changed_rows_must_be_there(name: str, count: int, store: SqliteStore) -> None:
    """However many there are; what is not there is no new row, but of several in a table without row ids, where nothing tells."""
    sql, table = KEPT[name]
    store.script(f"CREATE TABLE kept ({sql}" if sql.endswith("CLUSTERED") else f"CREATE TABLE kept ({sql})")

    def row(n: int, held: int, said: str) -> Row:
        key: Row = (n + 1,) if name == "numbered" else (f"n{n:04}", n % 3)[: table.keys]
        return (*key, held, said)

    store.begin()
    store.insert(table, [row(n, 0, "first") for n in range(count + 1)])
    store.update(table, [row(n, n + 7, "then") for n in range(count)])
    said = "first" if table.updates else "then"
    assert store.rows("SELECT * FROM kept ORDER BY 1") == [*(row(n, n + 7, said) for n in range(count)), row(count, 0, "first")]
    store.lend()
    store.commit()
    if name.startswith("clustered") and count > 1:
        return
    store.begin()
    with pytest.raises(BrokenError, match="each changed row of kept is there"):
        store.update(table, [row(n or count + 1, 1, "no") for n in reversed(range(count))])
    store.rollback()
    assert store.row("SELECT count(*), sum(held) FROM kept") == (count + 1, sum(n + 7 for n in range(count)))
