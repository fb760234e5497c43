"""What every test may use: a whole cloud under virtual time, on the store that `--store` names."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.stores import add_store_option, chosen_place, cluster, world_at
from yunduan.testing import World

__all__ = ["cluster"]


IN_MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 << 30
"""Of memory that is free, and half as much of it for files, before tests write there."""


def pytest_configure() -> None:
    """What tests write lies in memory where there is enough of it: the calls are the same, but no disk is waited for.

    `TMPDIR` says otherwise. Disks that lose power are simulated (`yunduan.testing.disk`). Programs that tests start keep their
    bytecode, or each of hundreds would compile all of it anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "TMPDIR" not in os.environ and is_roomy():
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None


def is_roomy() -> bool:
    """Whether there is such a place, and room in it."""
    if not IN_MEMORY.is_dir() or not os.access(IN_MEMORY, os.W_OK):
        return False
    return min(psutil.virtual_memory().available, 2 * shutil.disk_usage(IN_MEMORY).free) >= MEMORY_BYTES_MIN


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--store=postgresql` runs the domains' own tests on the other store."""
    add_store_option(parser)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no process is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """An empty cloud with every domain."""
    with world_at(chosen_place(request, tmp_path), folder=tmp_path) as world:
        yield world
