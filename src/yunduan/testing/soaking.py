"""A soak in parts: each run of the simulator is written down, with its seed and the code that it was of, and the next part goes on."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from yunduan.testing.checkers import ViolationError
from yunduan.testing.simulator import Simulation
from yunduan.testing.trade import TradeSimulation
from yunduan.testing.trade.happenings import NAMES

OPERATIONS_A_SEED = 2_000
PURCHASES_EACH = 4
"""One run in so many is of the toy market, which is there for the runtime alone."""


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the record; with a violation, nothing that was run before it in the same run counts."""

    commit: str
    market: str
    seed: int
    operations: int
    facts: int
    seconds: float
    ended_at: int
    happened: dict[str, int] = {}
    violation: str = ""


class Record:
    """A file to which a line is added for each run."""

    def __init__(self, path: Path, commit: str) -> None:
        """Read what was run of this commit; other commits' lines stay where they are."""
        self._path = path
        self.commit = commit
        lines = path.read_bytes().splitlines() if path.is_file() else []
        runs = [msgspec.json.decode(line, type=Run) for line in lines if line]
        self.runs = [run for run in runs if run.commit == commit]

    def add(self, run: Run) -> None:
        """Write one down."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(run) + b"\n")
        self.runs.append(run)

    @property
    def operations(self) -> int:
        """How many were run of this commit without a violation."""
        return sum(run.operations for run in self.runs if not run.violation)

    def next_seed(self, first: int) -> int:
        """The one after the last that was run, or the first."""
        return max((run.seed + 1 for run in self.runs), default=first)

    def summary(self) -> str:
        """What was run of this commit, how often what happened, and what has never happened."""
        happened: Counter[str] = Counter()
        for run in self.runs:
            happened.update(run.happened)
        lines = [f"{self.commit}: {len(self.runs)} runs"]
        for market in sorted({run.market for run in self.runs}):
            some = [run for run in self.runs if run.market == market]
            seeds, sound = [run.seed for run in some], [run for run in some if not run.violation]
            lines.append(
                f"  {market}: {sum(run.operations for run in sound):,} operations, {sum(run.facts for run in sound):,} facts,"
                f" seeds {min(seeds)} to {max(seeds)}, {sum(run.seconds for run in some):,.0f} s, {len(some) - len(sound)} violations"
            )
        lines += [f"  {count:,} times {name}" for name, count in sorted(happened.items())]
        missing = sorted(NAMES - happened.keys())
        return "\n".join([*lines, *([f"  never: {', '.join(missing)}"] if happened and missing else [])])


def commit_of(folder: Path) -> str:
    """The commit that is checked out there, with a mark when something has been changed since."""
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+changes" if changed else head


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607 - words of ours


def soak(
    record: Record, folder: Path, *, operations: int, seconds: float, seed: int, each: int = OPERATIONS_A_SEED, watch: Callable[[Run], None]
) -> None:
    """Seed after seed, from where the record ends, until it has so many operations or so long; raises at the first violation."""
    started = time.monotonic()
    while record.operations < operations and time.monotonic() - started < seconds:
        number = record.next_seed(seed)
        kind = Simulation if number % PURCHASES_EACH == 0 else TradeSimulation
        run, error = _run(kind(number, folder / str(number), operations=each), record.commit)
        record.add(run)
        watch(run)
        if error is not None:
            raise error


def _run(simulation: Simulation, commit: str) -> tuple[Run, ViolationError | None]:
    started, error = time.monotonic(), None
    known: dict[str, Any] = {"commit": commit, "seed": simulation.seed}
    is_trade = isinstance(simulation, TradeSimulation)
    try:
        report = simulation.run()
        known |= {"operations": report.operations, "facts": report.facts}
    except ViolationError as violation:
        error = violation
        known |= {"operations": simulation.asked, "facts": simulation.auditor.seq, "violation": str(violation)}
    happened = dict(simulation.happened()) if isinstance(simulation, TradeSimulation) else {}
    took = round(time.monotonic() - started, 1)
    return Run(**known, market="trade" if is_trade else "toy", happened=happened, seconds=took, ended_at=int(time.time())), error
