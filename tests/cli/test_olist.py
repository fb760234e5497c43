"""A small marketplace from elsewhere, replayed through the real commands; cut off, and in the way of others."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from support.olist import ending, write_tables

YUNDUAN = str(Path(sys.executable).parent / "yunduan")

HEARING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Hears Ctrl-C although a suite that runs in the background ignores it, and what it starts would too."""


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
    ended, _ = cut_off(tables, data, signal.SIGKILL, when=when, is_over=is_over)
    assert ended == -signal.SIGKILL


def cut_off(tables: Path, data: Path, sent: signal.Signals, *, when: str, is_over: int) -> tuple[int, str]:
    """An import that is sent a signal as soon as a count in its store is over a number: how it ends, and what it has said."""
    environment = os.environ | {"YUNDUAN_DATA": str(data), "COLUMNS": "200"}
    command = [sys.executable, "-c", HEARING, YUNDUAN, "import", "olist", str(tables)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and count_in(data, when) <= is_over:
            time.sleep(0.002)
        process.send_signal(sent)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, said


def count_in(data: Path, sql: str) -> int:
    """A count in a store that somebody writes to; none when it is not there yet."""
    try:
        with contextlib.closing(apsw.Connection(str(data / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)) as store:
            return int(store.execute(sql).get or 0)
    except apsw.Error:
        return -1


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
    output = run("import", "olist", str(tables), data=tmp_path / "data")
    said = {" ".join(line.split()) for line in output.splitlines()}
    for line in (
        "Olist, 2017-01-01 to 2017-03-01: 7 checkouts in 26 steps, each at its own date",
        "9 in the tables",
        "1 without lines: not placed (1 unavailable)",
        "1 without payment: not placed (1 delivered)",
        "7 placed (3 delivered, 2 canceled, 1 shipped, 1 invoiced)",
        "1 of them split over several shops (1 over 2)",
        "8 orders came of them, one a shop:",
        "4 received and settled",
        "1 cancelled before they were shipped, and refunded",
        "1 refunded after they were shipped",
        "1 stay open, shipped and not received",
        "1 stay open, paid and not shipped (1 invoiced)",
        "1 dates lay before the step that they follow, and were moved to it",
        "10 charges, collected by the sandbox",
        "3 returns, of what was refunded, over the charges that it came by",
        "2 orders have several payments in the tables",
        "2 of them are placed and paid by as many tenders; 0 are not placed",
        "1 were paid above what their lines cost, by 1.00 in all",
        "1 were paid below it, by 0.06 in all",
        "1.00 were paid for orders without lines: not taken",
        "4 in the tables, of which 3 are dated before the parcel came, or lack it",
        "2 published, one for each of 3 lines of their orders",
        "1 of them when the parcel came, because they are dated before it",
        "1 not published: their order was never received",
        "1 not published: their order was not placed",
        "540.04 is with the channel, whose own statement of 13 lines agrees to the last centavo; of it",
        "275.23 the shops have earned",
        "23.87 the marketplace has earned",
        "240.00 is in escrow for 2 open orders",
        "0.94 is in the account of differences",
        "0.00 is anywhere else",
        "the books balance: 29 transfers",
    ):
        assert line in said, output
    assert "✗" not in output
    assert re.search(r"^took \d+ s and \d+ MiB of memory at most$", output, re.MULTILINE)
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


def test_an_import_that_is_interrupted_says_how_it_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends it with exit code 130 and one line; the same command says where it goes on."""
    tables, data = write_tables(tmp_path / "olist", times=60), tmp_path / "data"
    ended, said = cut_off(tables, data, signal.SIGINT, when="SELECT done FROM import", is_over=0)
    assert (ended, said.splitlines()[-1]) == (130, "interrupted: the same command goes on where it was")
    assert re.search(
        r"^going on where it was: [\d,]+ of 1,560 steps are done, until 2017-01-0\d", run("import", "olist", str(tables), data=data)
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda folder: (folder / "orders.parquet").unlink(), "orders.parquet is not there", id="missing"),
        pytest.param(lambda folder: (folder / "sellers.parquet").write_bytes(b"PAR1"), "cannot be read as a parquet file", id="torn"),
        pytest.param(
            lambda folder: shutil.copyfile(folder / "products.parquet", folder / "sellers.parquet"), "is not the table of Olist", id="other"
        ),
    ],
)
def test_tables_that_are_not_olists_are_named(tables: Path, tmp_path: Path, spoil: Callable[[Path], object], says: str) -> None:
    """One line, and the exit code says that nothing was done."""
    spoil(tables)
    said = run("import", "olist", str(tables), data=tmp_path / "data", ends=1)
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "data").exists()
