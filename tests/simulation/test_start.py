"""What a start answers from is on the disk, whoever is in the way."""

from pathlib import Path

import apsw
import pytest

from yunduan.backends.sqlite import SqliteStore
from yunduan.runtime.ports import StoreRefusedError, Table
from yunduan.testing.disk import Disk, RecordingVfs


def crashed(folder: Path) -> tuple[Disk, Path]:
    """A store whose last commit was written by a process that was killed before it had synced."""
    disk, path = Disk(), folder / "first" / "store.sqlite"
    path.parent.mkdir()
    vfs = RecordingVfs("first", disk, sync=False)
    store = SqliteStore(path, vfs=vfs.name)
    store.write("CREATE TABLE said (word TEXT)")
    store.write("INSERT INTO said VALUES ('synced')")
    store.write("PRAGMA synchronous=OFF")
    store.write("INSERT INTO said VALUES ('written')")
    left = disk.copy()
    vfs.dead = True
    store.close()
    vfs.unregister()
    assert left.unsynced() > 0
    left.put_into(folder / "second")
    return left, folder / "second" / "store.sqlite"


@pytest.mark.parametrize("somebody_reads", [False, True])
def test_a_start_puts_what_it_reads_on_the_disk(somebody_reads: bool, tmp_path: Path) -> None:
    """Also when another process reads, and so is in the way of the checkpoint."""
    disk, path = crashed(tmp_path)
    reader = apsw.Connection(str(path))
    if somebody_reads:
        reader.execute("BEGIN").fetchall()
        assert reader.execute("SELECT word FROM said").fetchall() == [("synced",), ("written",)]
    vfs = RecordingVfs("second", disk, sync=False)
    store = SqliteStore(path, vfs=vfs.name)
    assert store.rows("SELECT word FROM said") == [("synced",), ("written",)]
    disk.for_certain().put_into(tmp_path / "third")
    vfs.dead = True
    reader.close()
    store.close()
    vfs.unregister()
    after = SqliteStore(tmp_path / "third" / "store.sqlite")
    assert after.rows("SELECT word FROM said") == [("synced",), ("written",)]
    after.close()


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
