"""Runs the simulator, the kills and the power losses at release size.

`soak.py [--operations N] [--kills N] [--cuts N] [--minutes M] [--seed S] [--record FILE]`

Prints what it does as it goes; ends at the first violation with the seed that replays it, or when the time is up. Every run of the
simulator is a line of the record, with its commit; run again, it goes on with the next seed until the commit has so many operations.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path

from yunduan.testing.checkers import ViolationError
from yunduan.testing.siege import Siege
from yunduan.testing.simulator import silence
from yunduan.testing.soaking import Record, Run, commit_of, soak

OPERATIONS, KILLS, CUTS = 10_000_000, 1_000, 500
EACH_S = 5.0
KILLS_AT_ONCE, CUTS_AT_ONCE = 50, 40
RECORD = Path("soak.jsonl")


def main() -> None:
    """Soak; exit code 1 after a violation."""
    parser = argparse.ArgumentParser(description="Crash, power-loss and simulation at release size.")
    parser.add_argument("--operations", type=int, default=OPERATIONS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--cuts", type=int, default=CUTS)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop each part after so long")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="where a record of this commit begins")
    parser.add_argument("--record", type=Path, default=RECORD)
    options = parser.parse_args()
    silence()
    shared = Path("/dev/shm")  # the simulator's disk is its own: its files may live in memory
    try:
        with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
            record = Record(options.record, commit_of(Path(__file__).parent))
            simulate(record, options.seed, options.operations, options.minutes * 60, Path(folder))
        with tempfile.TemporaryDirectory() as folder:
            besiege(options.seed, options.kills, options.cuts, options.minutes * 60, Path(folder))
    except ViolationError as violation:
        print(f"VIOLATION (--seed {options.seed}): {violation}", flush=True)
        sys.exit(1)


def simulate(record: Record, seed: int, operations: int, seconds: float, folder: Path) -> None:
    """From where the record ends, until so many operations or so long."""
    started = told = time.monotonic()
    before = record.operations

    def watch(run: Run) -> None:
        nonlocal told
        if time.monotonic() - told > EACH_S:
            told = time.monotonic()
            rate = (record.operations - before) / (told - started)
            print(f"simulator: seed {run.seed}, {record.operations:,} of {operations:,} operations, {rate:,.0f}/s", flush=True)

    try:
        soak(record, folder, operations=operations, seconds=seconds, seed=seed, watch=watch)
    finally:
        print(record.summary(), flush=True)


def besiege(seed: int, kills: int, cuts: int, seconds: float, folder: Path) -> None:
    """Kills, then power losses, each in sieges of a bounded size so that files stay small."""
    for what, wanted, at_once in (("kills", kills, KILLS_AT_ONCE), ("cuts", cuts, CUTS_AT_ONCE)):
        started, done, sieges = time.monotonic(), 0, 0
        while done < wanted and time.monotonic() - started < seconds:
            siege = Siege(folder / f"{what}-{sieges}", seed + sieges)
            tally = asyncio.run(
                siege.kill(min(at_once, wanted - done)) if what == "kills" else siege.cut_power(min(at_once, wanted - done))
            )
            done += getattr(tally, what)
            sieges += 1
            print(f"{what}: {done} of {wanted}, {tally.answers:,} answers stand, {tally.in_doubt} were in doubt", flush=True)


if __name__ == "__main__":
    main()
