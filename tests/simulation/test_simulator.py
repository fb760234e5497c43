"""A whole cloud under a seed: crashes, power losses, errors of the disk, leaps of the clock, repeated and mistaken keys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yunduan.testing.faults import End
from yunduan.testing.simulator import OPERATIONS, Simulation

SEEDS = [int(line.split()[0]) for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines() if line and line[0] != "#"]
RUNS = 100


@pytest.mark.parametrize("seed", SEEDS)
def test_what_failed_once_does_not_fail_again(seed: int, memory: Path) -> None:
    """The corpus of old failures."""
    report = Simulation(seed, memory).run()
    assert report.operations >= OPERATIONS
    assert report.facts > 300


def test_the_same_seed_is_the_same_run(memory: Path) -> None:
    """Every answer, every fact and every crash, in one process and in another whose sets are ordered otherwise."""
    first = Simulation(4711, memory / "a", operations=300).run()
    assert Simulation(4711, memory / "b", operations=300).run() == first
    assert Simulation(4712, memory / "c", operations=300).run().trace != first.trace
    script = (
        "import sys, pathlib; from yunduan.testing.simulator import Simulation, silence; silence();"
        "print(Simulation(4711, pathlib.Path(sys.argv[1]), operations=300).run().trace)"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run(
            [sys.executable, "-c", script, str(memory / "d")], env=environment, capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == first.trace


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_invented(memory: Path, fresh: int) -> None:
    """A hundred thousand operations under seeds that nobody has seen before."""
    ends: dict[str, int] = {}
    operations = 0
    for seed in range(fresh, fresh + RUNS):
        report = Simulation(seed, memory / str(seed)).run()
        operations += report.operations
        for end, count in report.ends.items():
            ends[end] = ends.get(end, 0) + count
    assert operations >= 100_000
    assert set(ends) == set(End), "every kind of end has been met"
