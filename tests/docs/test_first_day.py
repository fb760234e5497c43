"""What the documents show is what happens: their shell blocks, run in order by one bash against a real server."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = tuple(f"docs/tasks/{path.name}" for path in sorted((ROOT / "docs" / "tasks").glob("*-*.md")))
RUN = ("README.md", "docs/first-day.md", "docs/operations.md", *TASKS)
READ = (*RUN, "docs/tasks/README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/notices.md")
BIN = Path(sys.executable).parent
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`((?:src|tests|docs|tools|bench)/[\w./-]*)`")
_NAMED_INSIDE = re.compile(r"`((?:kernel|runtime|domains|backends|edges|testing)/[\w./-]*)`")
_SHOWN = "#=> "
_MARK = "\x1e"


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_every_command_of_a_document_does_what_it_shows(name: str, tmp_path: Path) -> None:
    """Its blocks, in order, against a marketplace that has just been begun, or, where `make run` begins it, against a full one."""
    with marketplace(tmp_path, full=name == "README.md") as environ:
        said, came = read_along(ROOT / name, environ, tmp_path)
    assert said == came


@pytest.mark.parametrize("name", RUN)
def test_a_document_shows_what_comes_out(name: str) -> None:
    """A page without blocks, or whose blocks show nothing, would prove nothing."""
    assert any("#=> " in block for block in blocks(ROOT / name))


def test_a_line_that_differs_is_found() -> None:
    """Only what fits the line shown in the same place is taken for it."""
    assert as_shown(["a", "per_…: x"], ["a", "per_1: x"]) == ["a", "per_…: x"]
    assert as_shown(["a", "per_…: x"], ["a", "per_1: y"]) == ["a", "per_1: y"]
    assert as_shown(["a"], ["a", "b"]) == ["a", "b"]
    assert as_shown(["a.c"], ["abc"]) == ["abc"]


@pytest.mark.parametrize("name", READ)
def test_what_a_document_points_to_is_there(name: str) -> None:
    """Links to files of this repository, and files named in code that have a folder, exist."""
    document = ROOT / name
    text = document.read_text()
    links = [document.parent / target.partition("#")[0] for target in re.findall(r"\]\((?!https?:)([^)#][^)]*)\)", text)]
    named = [ROOT / path for path in _NAMED.findall(text)]
    named += [ROOT / "src" / "yunduan" / path for path in _NAMED_INSIDE.findall(text)]
    assert [str(path) for path in [*links, *named] if not path.exists()] == []


def blocks(document: Path) -> list[str]:
    """The shell blocks of a document."""
    return _BLOCK.findall(document.read_text())


def shown(block: str) -> list[str]:
    """The lines of output that a block says it has."""
    return [line.removeprefix(_SHOWN) for line in block.splitlines() if line.startswith(_SHOWN)]


def as_shown(said: list[str], lines: list[str]) -> list[str]:
    """The output, with each line that fits the one shown in its place put as it is shown: `…` stands for anything."""
    fits = [re.fullmatch(".*".join(map(re.escape, said_line.split("…"))), line) for said_line, line in zip(said, lines, strict=False)]
    return [said[place] if place < len(fits) and fits[place] else line for place, line in enumerate(lines)]


@contextmanager
def marketplace(folder: Path, *, full: bool) -> Iterator[dict[str, str]]:
    """A server on a free port whose data lie in a new folder; gives the environment of whoever reads along.

    A full one is begun with the commands of `make run`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    (folder / "docs").symlink_to(ROOT / "docs")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("YUNDUAN_")}
    environ |= {"YUNDUAN_DATA": str(folder / "data"), "YUNDUAN_HTTP__PORT": str(port), "YUNDUAN_LOG__FORMAT": "json"}
    environ["YUNDUAN_PAYOUTS__PAYEE_WAITS_H"] = "0"  # docs/tasks/pay-out.md says so
    if full:
        commands = re.findall(r"^\t\$\(BIN\)/(yunduan .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert commands == ["yunduan demo --if-empty", "yunduan serve"]
        subprocess.run([BIN / "yunduan", "demo", "--if-empty"], env=environ, cwd=folder, check=True, timeout=600)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([BIN / "yunduan", "serve"], env=environ, cwd=folder, stderr=log)
    try:
        _await(url, process, folder / "log")
        yield environ | {"YUNDUAN": url, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        process.terminate()
        assert process.wait(30) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/health/live", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def read_along(document: Path, environ: dict[str, str], folder: Path) -> tuple[list[list[str]], list[list[str]]]:
    """What each block of a document shows, and what came out of it; fails where bash does."""
    parts = blocks(document)
    script = "\n".join(["set -euo pipefail", *(f"echo {_MARK}\n{block}" for block in parts)])
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{document.name}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    said = [shown(block) for block in parts]
    came = [output.strip("\n").splitlines() for output in done.stdout.split(_MARK)[1:]]
    return said, [as_shown(lines, output) for lines, output in zip(said, came, strict=True)]
