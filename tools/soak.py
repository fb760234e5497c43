"""Runs the simulator, the kills and the power losses at release size.

`soak.py [--operations N] [--kills N] [--cuts N] [--minutes M] [--seed S]`

Prints what it does as it goes; ends at the first violation with the seed that replays it, or when the time is up.
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
from yunduan.testing.simulator import Simulation, silence
from yunduan.testing.trade import TradeSimulation

OPERATIONS, KILLS, CUTS = 10_000_000, 1_000, 500
EACH_S = 5.0
KILLS_AT_ONCE, CUTS_AT_ONCE = 50, 40
OPERATIONS_A_SEED = 2_000
PURCHASES_EACH = 4
"""One run in so many is of the real domains, which take longer."""


def main() -> None:
    """Soak; exit code 1 after a violation."""
    parser = argparse.ArgumentParser(description="Crash, power-loss and simulation at release size.")
    parser.add_argument("--operations", type=int, default=OPERATIONS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--cuts", type=int, default=CUTS)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop each part after so long")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    options = parser.parse_args()
    silence()
    shared = Path("/dev/shm")  # the simulator's disk is its own: its files may live in memory
    try:
        with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
            simulate(options.seed, options.operations, options.minutes * 60, Path(folder))
        with tempfile.TemporaryDirectory() as folder:
            besiege(options.seed, options.kills, options.cuts, options.minutes * 60, Path(folder))
    except ViolationError as violation:
        print(f"VIOLATION (--seed {options.seed}): {violation}", flush=True)
        sys.exit(1)


def simulate(seed: int, operations: int, seconds: float, folder: Path) -> None:
    """Seed after seed, until so many operations or so long."""
    started = told = time.monotonic()
    done = runs = 0
    while done < operations and time.monotonic() - started < seconds:
        kind = TradeSimulation if runs % PURCHASES_EACH == 0 else Simulation
        done += kind(seed + runs, folder / str(runs), operations=OPERATIONS_A_SEED).run().operations
        runs += 1
        if time.monotonic() - told > EACH_S:
            told = time.monotonic()
            print(f"simulator: seed {seed + runs - 1}, {done:,} of {operations:,} operations, {done / (told - started):,.0f}/s", flush=True)
    print(f"simulator: {done:,} operations in {runs} runs from seed {seed}, no violation", flush=True)


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
