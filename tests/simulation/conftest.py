"""The simulator breaks things all the time: the runtime's log of it is dropped."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from yunduan.testing.simulator import silence


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    before = structlog.get_config()
    silence()
    yield
    structlog.configure(**before)


@pytest.fixture
def fresh() -> int:
    """A seed that nobody has seen before, printed; `SIMULATION_SEED` replays it (no setting: those begin otherwise)."""
    seed = int(os.environ.get("SIMULATION_SEED") or secrets.randbelow(10**9))
    print(f"seeds from {seed} on")  # noqa: T201 - whoever sees this fail needs it
    return seed


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder for the simulator's files, in memory where the system has that."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared)) if shared.is_dir() else tmp_path
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
