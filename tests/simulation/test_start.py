"""What a start answers from is on the disk, whoever is in the way."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from yunduan.backends.sqlite import SqliteStore
from yunduan.runtime.ports import StoreRefusedError, Table
from yunduan.testing.disk import Disk, RecordingVfs

SAID = [("synced",), ("written",)]


@contextlib.contextmanager
def crashed(path: Path, disk: Disk, *, somebody_reads: bool) -> Iterator[None]:
    """A store whose last commit was written by a process that was killed before it had synced.

    Who reads meanwhile sees what was before that commit, all of which is in the data file: a start can copy nothing of the log
    into the file, and so would have no reason to sync it.
    """
    vfs = RecordingVfs("first", disk, sync=False)
    store = SqliteStore(path, vfs=vfs.name)
    store.write("CREATE TABLE said (word TEXT)")
    store.write("INSERT INTO said VALUES ('synced')")
    assert store._checkpoint("PASSIVE")
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    if somebody_reads:
        reader.execute("BEGIN")
    assert reader.execute("SELECT word FROM said").fetchall() == SAID[:1]  # open, so that the one killed is not the last to close
    store.write("PRAGMA synchronous=OFF")
    store.write("INSERT INTO said VALUES ('written')")
    assert disk.unsynced() > 0
    vfs.dead = True
    store.close()
    vfs.unregister()
    try:
        yield
    finally:
        reader.close()


@pytest.mark.parametrize("somebody_reads", [False, True])
def test_a_start_puts_what_it_reads_on_the_disk(somebody_reads: bool, tmp_path: Path) -> None:
    """Also when another process reads, and so is in the way of the checkpoint."""
    disk, path = Disk(), tmp_path / "store.sqlite"
    with crashed(path, disk, somebody_reads=somebody_reads):
        vfs = RecordingVfs("second", disk, sync=False)
        store = SqliteStore(path, vfs=vfs.name)
        assert store.rows("SELECT word FROM said") == SAID
        disk.for_certain().put_into(tmp_path / "after")
        vfs.dead = True
        store.close()
    vfs.unregister()
    after = SqliteStore(tmp_path / "after" / "store.sqlite")
    assert after.rows("SELECT word FROM said") == SAID
    after.close()


@pytest.mark.parametrize("somebody_reads", [False, True])
def test_the_test_above_can_fail(somebody_reads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a start that goes on without the checkpoint, or, where that cannot be had, without the sync in its place."""
    monkeypatch.setattr(SqliteStore, "_sync_log", lambda _: None)
    if not somebody_reads:
        monkeypatch.setattr(SqliteStore, "_checkpoint", lambda _, mode: mode == "PASSIVE")
    with pytest.raises(AssertionError):
        test_a_start_puts_what_it_reads_on_the_disk(somebody_reads, tmp_path)


def test_a_start_that_fails_lets_go_of_everything(tmp_path: Path) -> None:
    """So that the next one finds neither a lock nor a connection in its way."""
    path = tmp_path / "store.sqlite"

    def strike(what: str, _: str) -> None:
        if what == "sync":
            raise apsw.IOError("injected")

    vfs = RecordingVfs("struck", Disk(), strike=strike, sync=False)
    with pytest.raises((apsw.IOError, StoreRefusedError)):
        SqliteStore(path, vfs=vfs.name)
    vfs.unregister()
    SqliteStore(path).close()


def test_two_tables_of_one_name_in_one_process_do_not_meet(tmp_path: Path) -> None:
    """As when the toy market and the real one, which both have holds, run side by side."""
    for number, columns in enumerate((("id", "a"), ("id", "b", "c"))):
        store = SqliteStore(tmp_path / f"{number}.sqlite")
        store.write(f"CREATE TABLE hold ({', '.join(columns)})")
        table = Table(name="hold", columns=dict.fromkeys(columns, str), value=tuple, row=tuple)
        store.insert(table, [columns])
        assert store.load(table, [columns[0]]) == [columns]
        store.close()
