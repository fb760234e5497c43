"""`make bench`: every workload, beside the textbook store and whichever peers are installed, in one run.

    python -m bench [--rounds 5] [--seconds 4] [--only checkout,list] [--systems sqlite,textbook] [--out FILE]

Rounds are interleaved: in each, every system is loaded once with every workload, so that an hour's mood of the machine meets all
alike. Figures are medians of the rounds with their spread; `others` is CPU that neither the servers nor the driver used: above 0.2
cores a figure is foreign load's as much as ours. Read the ratios.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import recovery, wrk
from bench.markets import Markets

KINDS = {"checkout": 64, "purchase": 64, "list": 16, "page": 16}
"""Each workload with its connections."""
REQUESTS_A_PURCHASE = 4
FLOORS = {
    ("sqlite", "checkout"): 2_500, ("sqlite", "purchase"): 1_000, ("sqlite", "list"): 6_000, ("sqlite", "page"): 8_000,
    ("sqlite", "transfer"): 45_000, ("postgresql", "checkout"): 300, ("postgresql", "purchase"): 75,
    ("postgresql", "list"): 1_500, ("postgresql", "page"): 1_500, ("postgresql", "transfer"): 12_000,
}  # fmt: skip
console = Console(width=150, highlight=False)


class Book(Struct, kw_only=True):
    """Everything that was measured."""

    runs: dict[tuple[str, str], list[wrk.Run]] = {}
    transfers: dict[str, list[dict[str, Any]]] = {}
    recovery: list[float] = []
    notes: list[str] = []
    memory_mib: float = 0.0
    wal_mib: float = 0.0
    first_answer_s: float = 0.0


def main() -> None:
    """Everything, then the table."""
    chosen = _options()
    if not wrk.present():
        sys.exit("wrk is not installed (Debian: wrk): there is nothing to load the servers with")
    systems, kinds = chosen.systems.split(","), chosen.only.split(",")
    book = Book()
    needs_postgresql = bool({"postgresql", "textbook"} & set(systems))
    with tempfile.TemporaryDirectory(prefix="yunduan-bench-") as folder, _cluster(needs_postgresql) as cluster:
        markets = Markets(Path(folder), cluster)
        for number in range(chosen.rounds):
            for kind in (kind for kind in KINDS if kind in kinds):
                for system in systems:
                    _round(markets, system, kind, chosen, book)
            console.print(f"round {number + 1} of {chosen.rounds}")
        if "transfer" in kinds:
            book.transfers = _transfers([system for system in systems if system != "textbook"], cluster, chosen)
        if "recovery" in kinds:
            book.recovery = recovery.seconds(chosen.kills, orders=chosen.orders, work=Path(folder))
    _print(book, chosen)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--only", default=",".join([*KINDS, "transfer", "recovery"]))
    options.add_argument("--systems", default="sqlite,postgresql,textbook")
    options.add_argument("--transfers", type=int, default=200_000)
    options.add_argument("--preload", type=int, default=1_000_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--orders", type=int, default=100_000)
    options.add_argument("--out", type=Path)
    return options.parse_args()


@contextmanager
def _cluster(wanted: bool) -> Iterator[Any]:
    """The tests' throw-away PostgreSQL, fsync on."""
    if not wanted:
        yield None
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.postgresql import Cluster

    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.stop()


def _round(markets: Markets, system: str, kind: str, chosen: argparse.Namespace, book: Book) -> None:
    """One load of one system on a fresh copy of the market, after a second to warm up."""
    style = "textbook" if system == "textbook" else "ours"
    with markets.served(system, carts=kind != "purchase") as (server, folder):
        warm = wrk.load(server, kind, folder=folder, style=style, connections=16, seconds=1, start=0)
        start = 1024 * (warm.requests // 1024 + 2)
        run = wrk.load(server, kind, folder=folder, style=style, connections=KINDS[kind], seconds=chosen.seconds, start=start)
        book.runs.setdefault((system, kind), []).append(run)
        if run.bad > (KINDS[kind] if kind == "purchase" else 0):
            book.notes.append(f"{system} {kind}: {run.bad} of {run.requests} answers were not 2xx")
        if system == "sqlite":
            wal = folder / "yunduan.sqlite-wal"
            book.memory_mib = max(book.memory_mib, server.memory_mib())
            book.wal_mib = max(book.wal_mib, wal.stat().st_size / 2**20 if wal.exists() else 0.0)
            book.first_answer_s = max(book.first_answer_s, server.first_answer_s)
    if system == "sqlite" and kind in {"checkout", "purchase"}:
        book.notes += markets.faults()


def _transfers(stores: list[str], cluster: Any, chosen: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Single transfers in process, each run in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(min(chosen.rounds, 2)):
        for store in stores:
            where = store if store == "sqlite" else cluster.dsn
            command = [sys.executable, "-m", "bench.transfers", where, str(chosen.transfers), str(chosen.preload)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found.setdefault(store, []).append(json.loads(said.strip().splitlines()[-1]))
            if store == "postgresql":
                cluster.run("DROP SCHEMA IF EXISTS yunduan CASCADE")
    return found


def _lines(book: Book) -> Iterator[dict[str, Any]]:
    """A line of the table for each system and workload."""
    for (system, kind), runs in sorted(book.runs.items(), key=lambda item: (list(KINDS).index(item[0][1]), item[0][0])):
        part = REQUESTS_A_PURCHASE if kind == "purchase" else 1
        rates = [run.rate / part for run in runs]
        yield {
            "work": kind,
            "system": system,
            "rate": statistics.median(rates),
            "least": min(rates),
            "most": max(rates),
            "p50_ms": statistics.median(run.p50_ms for run in runs),
            "p99_ms": statistics.median(run.p99_ms for run in runs),
            "cores": statistics.median(run.cores for run in runs),
            "others": statistics.median(run.others for run in runs),
        }
    for system, found in book.transfers.items():
        rates = [run["per_s"] for run in found]
        yield {
            "work": "transfer",
            "system": system,
            "rate": statistics.median(rates),
            "least": min(rates),
            "most": max(rates),
            "p50_ms": statistics.median(run["p50_ms"] for run in found),
            "p99_ms": statistics.median(run["p99_ms"] for run in found),
            "cores": 0.0,
            "others": 0.0,
        }


def _print(book: Book, chosen: argparse.Namespace) -> None:
    table = Table(title=f"medians of {chosen.rounds} rounds of {chosen.seconds} s, spread in brackets", box=None, pad_edge=False)
    for head in ("work", "system", "per second", "", "p50 ms", "p99 ms", "cores", "others", "floor", "× textbook"):
        table.add_column(head, justify="left" if head in {"work", "system"} else "right")
    lines = list(_lines(book))
    rivals = {line["work"]: line["rate"] for line in lines if line["system"] == "textbook"}
    for line in lines:
        floor = FLOORS.get((line["system"], line["work"]))
        mark = "" if floor is None else ("[green]✓[/]" if line["rate"] >= floor else "[red]✗[/]")
        rival = rivals.get(line["work"])
        ratio = f"{line['rate'] / rival:.1f}" if rival and line["system"] != "textbook" else ""
        spread = f"[{line['least']:,.0f}..{line['most']:,.0f}]"
        table.add_row(
            line["work"], line["system"], f"{line['rate']:,.0f}", spread, f"{line['p50_ms']:.1f}", f"{line['p99_ms']:.1f}",
            f"{line['cores']:.2f}", f"{line['others']:.2f}", f"{floor:,} {mark}" if floor else "", ratio,
        )  # fmt: skip
    console.print(table)
    console.print(
        f"sqlite server: memory at most {book.memory_mib:.0f} MiB (floor 200), WAL at most {book.wal_mib:.0f} MiB (128), "
        f"start to first answer at most {book.first_answer_s:.2f} s (2)"
    )
    if book.recovery:
        console.print(
            f"recovery after kill -9 with {chosen.orders:,} orders: worst of {len(book.recovery)} is "
            f"{max(book.recovery):.2f} s to the first answer (2)"
        )
    for note in book.notes:
        console.print(f"[yellow]{note}[/]")
    console.print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    if chosen.out:
        chosen.out.write_text(json.dumps({"lines": lines, "recovery_s": book.recovery, "notes": book.notes}, indent=1))


if __name__ == "__main__":
    main()
