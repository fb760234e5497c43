"""The command line as an operator uses it: beside a running server, without one, and after a loss."""

import os
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

YUNDUAN = str(Path(sys.executable).parent / "yunduan")
ADMIN = "+8613800138000"


def run(*arguments: str, data: Path, ends: int = 0) -> str:
    """One command; answers all that it says."""
    done = subprocess.run(
        [YUNDUAN, *arguments], env=os.environ | {"YUNDUAN_DATA": str(data)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """A server on a folder; ended by its id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"YUNDUAN_DATA": str(data), "YUNDUAN_HTTP__PORT": str(port), "YUNDUAN_LOG__LEVEL": "error"}
    server = subprocess.Popen([YUNDUAN, "serve"], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/health/ready", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def people(data: Path) -> int:
    """How many people a store holds."""
    connection = apsw.Connection(str(data / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    count = connection.execute("SELECT count(*) FROM person").get
    connection.close()
    return int(count)


def test_commands_work_with_and_without_a_server(tmp_path: Path) -> None:
    """Beside a server they go through its socket, since it holds the store; the effect is the same."""
    person = run("person", "register", ADMIN, data=tmp_path).strip()
    assert run("person", "grant", ADMIN, "admin", data=tmp_path).strip() == f"{person}: admin"
    with serving(tmp_path):
        assert run("person", "find", ADMIN, data=tmp_path).strip() == person
        assert run("person", "grant", person, "finance", data=tmp_path).strip().startswith(f"{person}: ")
        assert "shp_" in run("shop", "create", person, "茶铺", data=tmp_path)
        assert "茶铺" in run("shop", "list", data=tmp_path)
        assert "refused: last_admin" in run("person", "withdraw", person, "admin", data=tmp_path, ends=1)
        assert "the books balance" in run("ledger", "audit", data=tmp_path)
    assert "茶铺" in run("shop", "list", data=tmp_path)


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """One writer a store."""
    with serving(tmp_path):
        said = run("serve", "--port", "0", data=tmp_path, ends=1)
        assert "another process writes to" in said


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    """At start, with exit code 2."""
    environment = os.environ | {"YUNDUAN_HTTP__PROT": "1", "YUNDUAN_DATA": str(tmp_path)}
    done = subprocess.run([YUNDUAN, "serve"], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "did you mean 'http.port'" in done.stderr


def test_a_copy_made_while_people_come_brings_everything_back(tmp_path: Path) -> None:
    """The restore drill: copy beside a running server, lose everything, bring it back, prove the books, serve again."""
    data, copy, keys, later = (tmp_path / name for name in ("data", "copy", "keys", "later"))
    person = run("person", "register", ADMIN, data=data).strip()
    with serving(data):
        for number in range(5):
            run("person", "register", f"+861380013800{number + 1}", data=data)
        run("backup", str(copy), "--keys", str(keys), data=data)
        run("person", "register", "+8613800138009", data=data)
    assert people(data) == 7
    said = run("restore", str(copy), "--keys", str(keys), data=later)
    assert "restored; this is epoch 2" in said
    assert "the books balance" in said
    assert people(later) == 6
    connection = apsw.Connection(str(later / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT kind FROM job WHERE status = 'running'").fetchall() == [("destroy_erased_keys",)]
    connection.close()
    with serving(later):
        assert run("person", "find", ADMIN, data=later).strip() == person
    assert "is there already" in run("restore", str(copy), data=later, ends=1)


def test_a_store_is_not_opened_with_the_keys_of_another(tmp_path: Path) -> None:
    """Nobody could be found or read: better to say so than to begin again."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    run("person", "register", ADMIN, data=data)
    run("backup", str(copy), data=data)
    elsewhere, strangers = tmp_path / "elsewhere", tmp_path / "strangers"
    assert "of no use without its keys" in run("restore", str(copy), data=elsewhere, ends=1)
    assert not (elsewhere / "yunduan.sqlite").exists()
    run("person", "register", ADMIN, data=strangers)
    (strangers / "yunduan.sqlite").unlink()
    (strangers / "yunduan.sqlite-wal").touch()
    assert "yunduan.sqlite-wal is there already" in run("restore", str(copy), data=strangers, ends=1)
    (strangers / "yunduan.sqlite-wal").unlink()
    assert "these keys are not those" in run("restore", str(copy), data=strangers, ends=1)


def test_a_store_that_is_not_there_is_not_copied(tmp_path: Path) -> None:
    """And no folder is made for the copy."""
    assert "no store was ever made here" in run("backup", str(tmp_path / "copy"), data=tmp_path / "nowhere", ends=1)
    assert not (tmp_path / "copy").exists()


def test_the_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    """Nothing on a healthy cloud; a spoilt counter, and a file that others can read, otherwise."""
    run("person", "register", ADMIN, data=tmp_path)
    assert "✗" not in run("doctor", data=tmp_path)
    (tmp_path / "keys.sqlite").chmod(0o644)
    assert "others can read the keys" in run("doctor", data=tmp_path, ends=1)
    assert "cannot be opened" in run("doctor", data=tmp_path / "nowhere", ends=1)


@pytest.mark.parametrize("arguments", [("person",), ("import",), ("shop", "create"), ("no such thing",)])
def test_bad_usage_is_exit_code_two(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """And help is shown."""
    assert "Usage" in run(*arguments, data=tmp_path, ends=2)
