"""A marketplace from elsewhere, replayed through the real commands: a small one made here, and the real one."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from support.olist import ending, write_tables

REAL = Path(__file__).parents[3] / "shared" / "data" / "olist"
YUNDUAN = str(Path(sys.executable).parent / "yunduan")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with a whole small marketplace."""
    return write_tables(tmp_path / "olist")


def run(*arguments: str, data: Path, ends: int = 0) -> str:
    """One command of the command line; answers all that it says."""
    environment = os.environ | {"YUNDUAN_DATA": str(data), "COLUMNS": "200"}
    done = subprocess.run([YUNDUAN, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


def killed(tables: Path, data: Path, *, when: str, is_over: int) -> None:
    """An import whose process is killed as soon as a count in its store is over a number."""
    environment = os.environ | {"YUNDUAN_DATA": str(data)}
    process = subprocess.Popen([YUNDUAN, "import", "olist", str(tables)], env=environment, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with contextlib.suppress(apsw.Error), contextlib.closing(reading(data)) as store:
                while process.poll() is None and store.execute(when).get <= is_over:
                    time.sleep(0.002)
                break
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait(30) == -signal.SIGKILL


def reading(data: Path) -> apsw.Connection:
    """A connection that reads beside whoever writes."""
    return apsw.Connection(str(data / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)


@contextmanager
def served(data: Path) -> Iterator[None]:
    """A server on a folder that is ready for everything, alarms included; ended by its id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"YUNDUAN_DATA": str(data), "YUNDUAN_HTTP__PORT": str(port), "YUNDUAN_LOG__LEVEL": "error"}
    server = subprocess.Popen([YUNDUAN, "serve"], env=environment)
    try:
        for _ in range(300):
            assert server.poll() is None
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the server is never ready")
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_a_small_marketplace_ends_where_it_should(tables: Path, tmp_path: Path) -> None:
    """Every kind of order: received, split, paid under and over, shipped, called off, sent back, open, and two that are not placed."""
    said = run("import", "olist", str(tables), data=tmp_path / "data")
    for line in (
        "9 orders in the tables: 1 without lines and 1 without payment are not placed",
        "7 checkouts made 8 orders; 1 are split over several shops",
        "1 were paid over and 1 under what their lines cost",
        "6 shipped, 4 received and settled, 1 cancelled and 1 refunded after shipment",
        "4 reviews, of which 3 are dated before the parcel came, or lack it: 2 published, 1 of them with the parcel instead of before it",
        "1 of orders never received, 1 of orders not placed and 0 second ones",
        "1 dates lay before the step they follow",
        "paid:      1 orders, 120.00 BRL",
        "shipped:      1 orders, 120.00 BRL",
        "received:      4 orders, 299.10 BRL",
        "cancelled:      1 orders, 120.00 BRL",
        "refunded:      1 orders, 120.00 BRL",
        "our books agree to the last centavo: 540.04 BRL",
        "the books balance",
    ):
        assert line in said, said
    assert "✗" not in said
    assert "the books balance" in run("ledger", "audit", data=tmp_path / "data")


def test_a_finished_import_is_not_done_twice(tables: Path, tmp_path: Path) -> None:
    """However long ago its answers were given, and whoever has served since."""
    data = tmp_path / "data"
    run("import", "olist", str(tables), data=data)
    stands = ending(data)
    with served(data):
        assert "another process writes to" in run("import", "olist", str(tables), data=data, ends=1)
    assert "has been imported into this store already" in run("import", "olist", str(tables), data=data, ends=1)
    assert ending(data) == stands


def test_an_import_begins_in_no_store_that_was_written_to(tables: Path, tmp_path: Path) -> None:
    """Not where somebody is known, and not where a server has run: its time is past the years of the import."""
    known, served_once = tmp_path / "known", tmp_path / "served"
    run("person", "register", "+8613800138000", data=known)
    with served(served_once):
        pass
    for data in (known, served_once):
        assert "the store is not empty" in run("import", "olist", str(tables), data=data, ends=1)


def test_an_import_goes_on_with_the_same_tables_alone(tables: Path, tmp_path: Path) -> None:
    """Those of another marketplace would be mixed with what is there."""
    data = tmp_path / "data"
    killed(write_tables(tmp_path / "many", times=20), data, when="SELECT count(*) FROM orders", is_over=10)
    assert "begun with other tables" in run("import", "olist", str(tables), data=data, ends=1)


@pytest.mark.slow
def test_an_import_that_is_killed_ends_where_one_that_is_not(tmp_path: Path) -> None:
    """Killed among goods, checkouts, receipts and reviews: nothing is made twice, and whoever comes in between is told to wait."""
    tables, whole, data = write_tables(tmp_path / "olist", times=20), tmp_path / "whole", tmp_path / "data"
    run("import", "olist", str(tables), data=whole)
    for when, is_over in (
        ("SELECT count(*) FROM person", 5),
        ("SELECT count(*) FROM orders", 3),
        ("SELECT count(*) FROM orders", 60),
        ("SELECT count(*) FROM fact WHERE kind = 'OrderShipped'", 50),
        ("SELECT count(*) FROM review", 10),
    ):
        killed(tables, data, when=when, is_over=is_over)
        for command in (("serve", "--port", "0"), ("person", "register", "+8613800138000"), ("backup", str(tmp_path / "copy"))):
            assert "an import of olist has begun in this store and not ended" in run(*command, data=data, ends=1)
        assert "imports: olist has begun and not ended" in run("doctor", data=data, ends=1)
    assert "the books balance" in run("import", "olist", str(tables), data=data)
    assert ending(data) == ending(whole)
    with served(data):
        assert "the books balance" in run("ledger", "audit", data=data)


def test_tables_that_are_not_there_are_named(tmp_path: Path) -> None:
    """One line, and the exit code says that nothing was done."""
    assert "orders.parquet is not there" in run("import", "olist", str(tmp_path), data=tmp_path / "data", ends=1)


@pytest.mark.slow
def test_the_real_marketplace_ends_where_it_should(tmp_path: Path) -> None:
    """10,766 orders of 2016 to 2018 through the real commands: the counts that everybody can check, and books that balance."""
    if not REAL.is_dir():
        pytest.skip("the Olist tables are not beside this checkout")
    said = run("import", "olist", str(REAL), data=tmp_path / "data")
    for line in (
        "10,766 orders in the tables: 89 without lines and 1 without payment are not placed",
        "10,676 checkouts made 10,803 orders; 121 are split over several shops",
        "40 were paid over and 23 under what their lines cost",
        "2,993 reviews, of which 324 are dated before the parcel came, or lack it: 2,890 published",
        "our books agree to the last centavo",
        "the books balance",
    ):
        assert line in said, said
    shutil.rmtree(tmp_path / "data")
