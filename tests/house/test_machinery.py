"""What the tests themselves stand on: a server is installed once, whoever asks for it, and what is skipped says why."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support import postgresql
from support.postgresql import PostgresqlMissingError, binaries

ROOT = Path(__file__).parents[2]
APT_GET = """#!/bin/sh
echo "$1" >> {here}/asked
mkdir {here}/running 2> /dev/null || {{ echo "could not get the lock" >&2; exit 100; }}
sleep 0.2
rmdir {here}/running
{then}
"""


@pytest.fixture
def apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An apt-get of our own, which fails where another one runs, as the real one does; answers what it has been asked."""

    def made(then: str) -> Path:
        program = tmp_path / "bin" / "apt-get"
        program.parent.mkdir()
        program.write_text(APT_GET.format(here=tmp_path, then=then.format(here=tmp_path)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setattr(postgresql.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(postgresql, "_may_install", lambda: True)
        monkeypatch.setattr(postgresql, "_found", lambda: tmp_path if (tmp_path / "postgres").exists() else None)
        monkeypatch.setattr(postgresql, "LISTS", tmp_path / "lists")
        return tmp_path / "asked"

    return made


def test_two_processes_that_miss_a_server_install_it_once(apt_get: Callable[[str], Path], tmp_path: Path) -> None:
    """The second waits for the first, instead of failing and skipping everything."""
    asked = apt_get('test "$1" = install && touch {here}/postgres')
    found: list[Path] = []
    both = [threading.Thread(target=lambda: found.append(binaries())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found == [tmp_path] * 2
    assert asked.read_text().split() == ["update", "install"], "the lists were empty"


def test_what_cannot_be_installed_says_why(apt_get: Callable[[str], Path], tmp_path: Path) -> None:
    """And the lists that are there are not fetched again."""
    asked = apt_get('echo "no such package" >&2; exit 100')
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "debian_Packages.lz4").touch()
    with pytest.raises(PostgresqlMissingError, match="is skipped; it could not be installed: no such package"):
        binaries()
    assert asked.read_text().split() == ["install"]


def test_every_marked_test_is_run_by_somebody() -> None:
    """`make test` leaves out what is of release size, which `make soak` runs."""
    said = subprocess.run(["make", "-n", "test", "soak"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert '-m "not release"' in said
    assert "-m release" in said
