"""A file beside the store: its log is folded beside whoever writes, and stays bounded."""

from pathlib import Path

import apsw
import pytest

from yunduan.backends.sqlite import side as sides
from yunduan.backends.sqlite.side import SideFile
from yunduan.kernel.refusals import FaultError

PAGE = 4_096


def written(side: SideFile, start: int, pages: int) -> None:
    """Write so many pages, and a few more."""
    side.begin()
    side.write_many("INSERT INTO kept (no, body) VALUES (?, zeroblob(4000))", [(no,) for no in range(start, start + pages)])
    side.commit()


def a_file(path: Path) -> SideFile:
    """One with a table."""
    side = SideFile(path)
    side.begin()
    side.write("CREATE TABLE kept (no INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
    side.commit()
    return side


def until_folded(side: SideFile) -> None:
    """Wait for what goes on beside."""
    if side._folding is not None:
        side._folding.exception()


def test_the_log_is_begun_anew_when_it_was_folded_beside(tmp_path: Path) -> None:
    """So it does not grow, however much is written; the commit after that is no different from any other."""
    side, log = a_file(tmp_path / "some.sqlite"), tmp_path / "some.sqlite-wal"
    for start in range(0, 40_000, 1_000):
        written(side, start, 1_000)
        until_folded(side)
        assert log.stat().st_size < 6_000 * PAGE
    assert side.rows("SELECT count(*) FROM kept") == [(40_000,)]
    side.close()


def test_who_never_stops_writing_waits_for_the_log(tmp_path: Path) -> None:
    """It has a limit, and nothing is lost of what is in it."""
    side, log = a_file(tmp_path / "some.sqlite"), tmp_path / "some.sqlite-wal"
    for start in range(0, 60_000, 500):
        written(side, start, 500)
        assert log.stat().st_size < (sides._PAGES_MAX + 2_000) * PAGE  # it is looked at when a commit begins, and one more is under way
    side.close()
    assert SideFile(tmp_path / "some.sqlite", reads_only=True).rows("SELECT count(*) FROM kept") == [(60_000,)]


def test_when_nobody_waits_less_is_folded_once(tmp_path: Path) -> None:
    """And nothing more until more is written."""
    side = a_file(tmp_path / "some.sqlite")
    written(side, 0, 300)
    side.fold()
    folding = side._folding
    assert folding is not None
    assert folding.result() >= 300
    side.fold()
    assert side._folding is None
    written(side, 300, 10)
    side.fold()
    assert side._folding is None
    side.close()


def test_a_disk_that_cannot_fold_is_told_to_whoever_writes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been their own commit; after that it is tried again."""

    def fails(_: Path) -> int:
        raise apsw.FullError("the disk is full")

    side = a_file(tmp_path / "some.sqlite")
    with monkeypatch.context() as spoilt:
        spoilt.setattr(sides, "_fold", fails)
        written(side, 0, 4_000)
        until_folded(side)
        with pytest.raises(FaultError, match="the disk is full"):
            written(side, 4_000, 1)
    written(side, 4_001, 1)
    until_folded(side)
    assert side.rows("SELECT count(*) FROM kept") == [(4_002,)]
    side.close()
