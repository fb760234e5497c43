"""Checkouts while people browse at full load, with and without processes that read, and how large the log grows meanwhile.

    python -m bench.browsing [ROUNDS] [SECONDS] [READERS…]

64 connections buy; 16 open product pages beside them, or nobody does. Rounds are interleaved; figures are medians, of the log the most.
A minute with four readers: `python -m bench.browsing 1 60 4`.
"""

import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import wrk
from bench.market import Size
from bench.markets import Markets

READERS = (0, 1, 2)
A_SECOND = 3_000
"""More checkouts than a second has: so many carts are needed."""
LOOKS_EVERY_S = 0.02
CONNECTIONS = {"checkout": 64, "page": 16}
console = Console(width=140, highlight=False)


def main(rounds: int = 3, seconds: int = 4, *numbers: int) -> None:
    """Every number of readers, alone and beside browsing, in each round."""
    found: dict[tuple[int, bool, str], list[wrk.Run]] = {}
    logs: dict[tuple[int, bool], float] = {}
    with tempfile.TemporaryDirectory(prefix="yunduan-bench-") as folder:
        markets = Markets(Path(folder), None, small=Size(baskets=-(-seconds * A_SECOND // 30_000)))
        for number in range(rounds):
            for readers in numbers or READERS:
                for beside in (False, True):
                    runs, log_mib = _loaded(markets, readers, ("checkout", "page") if beside else ("checkout",), seconds)
                    logs[readers, beside] = max(logs.get((readers, beside), 0.0), log_mib)
                    for kind, run in runs.items():
                        found.setdefault((readers, beside, kind), []).append(run)
            console.print(f"round {number + 1} of {rounds}")
    table = Table("readers", "work", "a second", "least", "most", "p99 ms", "others", "log MiB")
    for (readers, beside, kind), runs in found.items():
        rates = [run.rate for run in runs]
        figures = (statistics.median(rates), min(rates), max(rates))
        p99, others = (statistics.median([getattr(run, name) for run in runs]) for name in ("p99_ms", "others"))
        table.add_row(
            str(readers),
            f"{kind}{' beside the other' if beside else ' alone'}",
            *(f"{rate:,.0f}" for rate in figures),
            f"{p99:.1f}",
            f"{others:.2f}",
            f"{logs[readers, beside]:.0f}",
        )
    console.print(table)


def _loaded(markets: Markets, readers: int, kinds: tuple[str, ...], seconds: int) -> tuple[dict[str, wrk.Run], float]:
    with markets.served("sqlite", "checkout", readers=readers) as (server, folder, drive), ThreadPoolExecutor(len(kinds)) as threads:

        def load(kind: str) -> wrk.Run:
            return wrk.load(server, kind, folder=drive, style="ours", connections=CONNECTIONS[kind], seconds=seconds, start=1000)

        with _watched(folder / "yunduan.sqlite-wal") as most:
            runs = dict(zip(kinds, threads.map(load, kinds), strict=True))
        return runs, most[0] / 2**20


@contextmanager
def _watched(log: Path) -> Iterator[list[int]]:
    """The most bytes that a file has had, looked at all the time."""
    most, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(LOOKS_EVERY_S):
            most[0] = max(most[0], log.stat().st_size if log.exists() else 0)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        done.set()
        looking.join()


if __name__ == "__main__":
    if not wrk.present():
        sys.exit("wrk is not installed (Debian: wrk): there is nothing to load the servers with")
    main(*(int(argument) for argument in sys.argv[1:]))
