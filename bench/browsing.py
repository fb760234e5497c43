"""Checkouts while people browse at full load, with and without processes that read.

    python -m bench.browsing [ROUNDS] [SECONDS]

64 connections buy; 16 open product pages beside them, or nobody does. Rounds are interleaved; figures are medians.
"""

import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import wrk
from bench.markets import Markets

READERS = (0, 1, 2)
CONNECTIONS = {"checkout": 64, "page": 16}
console = Console(width=140, highlight=False)


def main(rounds: int = 3, seconds: int = 4) -> None:
    """Every number of readers, alone and beside browsing, in each round."""
    found: dict[tuple[int, bool, str], list[wrk.Run]] = {}
    with tempfile.TemporaryDirectory(prefix="yunduan-bench-") as folder:
        markets = Markets(Path(folder), None)
        for number in range(rounds):
            for readers in READERS:
                for beside in (False, True):
                    for kind, run in _loaded(markets, readers, ("checkout", "page") if beside else ("checkout",), seconds).items():
                        found.setdefault((readers, beside, kind), []).append(run)
            console.print(f"round {number + 1} of {rounds}")
    table = Table("readers", "work", "a second", "least", "most", "p99 ms", "others")
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
        )
    console.print(table)


def _loaded(markets: Markets, readers: int, kinds: tuple[str, ...], seconds: int) -> dict[str, wrk.Run]:
    with markets.served("sqlite", carts=True, readers=readers) as (server, folder), ThreadPoolExecutor(len(kinds)) as threads:

        def load(kind: str) -> wrk.Run:
            return wrk.load(server, kind, folder=folder, style="ours", connections=CONNECTIONS[kind], seconds=seconds, start=1000)

        return dict(zip(kinds, threads.map(load, kinds), strict=True))


if __name__ == "__main__":
    if not wrk.present():
        sys.exit("wrk is not installed (Debian: wrk): there is nothing to load the servers with")
    main(*(int(argument) for argument in sys.argv[1:]))
