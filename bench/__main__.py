"""`make bench`: every workload, beside the textbook store and whichever peers are installed, in one run.

    python -m bench [--rounds 5] [--seconds 4] [--only checkout,list] [--systems sqlite,textbook] [--large 100000] [--out FILE]
    python -m bench.peers install oscar vendure

`search` is what people ask, some of it again and again; `search_new` what nobody has asked a moment ago, `suggest` the beginnings of
what people ask. `words` are queries in process, with what they find (`--million` besides over a million documents, which takes long),
`orders` the same of orders by their buyer and their shop, and `found` the time from a commit to found.

`--large` puts a large market beside the small one on SQLite: so many goods, people and orders (`--large ""`: none), made in some
minutes, or the market in a folder, made before by `python -m bench.market FOLDER`: a million of each unless it is told otherwise. With
`--systems sqlite,postgresql,postgresql-large` there is one of so many on PostgreSQL as well.

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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct
from msgspec.structs import asdict
from rich.console import Console
from rich.table import Table

from bench import peers, recovery, search, wrk
from bench.found import run as commit_to_found
from bench.markets import LARGE, NONE, SPENT, Large, Markets

KINDS = {"checkout": 64, "purchase": 64, "list": 16, "page": 16, "search": 16, "search_new": 16, "suggest": 4}
"""Each workload with its connections; suggestions are timed as somebody types, not counted."""
REQUESTS_A_PURCHASE = 4
OURS = ("sqlite", "postgresql")
SMALLER_MIN = 0.65
"""What a large market has to keep of the small one's rate on SQLite."""
console = Console(width=170, highlight=False)


class Floor(Struct, frozen=True):
    """What a figure has to reach."""

    rate: int
    p99_ms: float = float("inf")


FLOORS = {
    ("checkout", "sqlite"): Floor(2_500, 60), ("purchase", "sqlite"): Floor(1_000), ("list", "sqlite"): Floor(6_000, 10),
    ("page", "sqlite"): Floor(8_000, 10), ("search", "sqlite"): Floor(2_500, 15),
    ("search_new", "sqlite"): Floor(2_500, 15), ("suggest", "sqlite"): Floor(0, 5),
    ("transfer", "sqlite"): Floor(45_000, 25), ("checkout", "postgresql"): Floor(300),
    ("purchase", "postgresql"): Floor(75), ("list", "postgresql"): Floor(1_500), ("page", "postgresql"): Floor(1_500),
    ("transfer", "postgresql"): Floor(12_000),
}  # fmt: skip
FOUND_MS_MAX = 5.0
"""What may lie between the answer to a commit of new goods and a search that finds them, in 99 of 100."""
WORDS_MS_MAX, MILLION_MS_MAX = (0.1, 1.0), 5.0
"""p50 and p99 of a query of two words in process over 100,000 documents; p99 over a million."""
MILLION_S_MAX = 240.0
RECOVERY_S_MAX = {"sqlite": 2.0, "postgresql": 10.0}


class Figure(Struct, frozen=True):
    """One run of one workload; a purchase counts once, whatever its requests."""

    rate: float
    p50_ms: float
    p99_ms: float
    cores: float
    others: float


class Line(Struct, frozen=True):
    """A row of the table: medians, and the spread of the rate."""

    work: str
    system: str
    rate: float
    least: float
    most: float
    p50_ms: float
    p99_ms: float
    cores: float
    others: float
    rounds: int


class Most(Struct):
    """The most that a server has used."""

    memory_mib: float = 0.0
    beside_mib: float = 0.0
    wal_mib: float = 0.0
    first_answer_s: float = 0.0


class Book(Struct, kw_only=True):
    """Everything that was measured."""

    figures: dict[tuple[str, str], list[Figure]] = {}
    audit_s: dict[str, list[float]] = {}
    recovery: dict[str, list[float]] = {}
    search: dict[str, dict[str, Any]] = {}
    """What was found in process, and how fast: of 100,000 documents, and of a million."""
    found: dict[str, Any] = {}
    orders: dict[str, Any] = {}
    """How orders were found in process, and how fast."""
    notes: list[str] = []
    most: dict[str, Most] = {}

    def add(self, kind: str, system: str, figure: Figure) -> None:
        """One more round of a workload."""
        self.figures.setdefault((kind, system), []).append(figure)


def main() -> None:
    """Everything, then the table."""
    chosen = _options()
    systems, kinds = chosen.systems.split(","), chosen.only.split(",")
    large = Large.of(chosen.large)
    systems += [f"sqlite{LARGE}"] if large is not NONE and "sqlite" in systems else []
    served = [kind for kind in KINDS if kind in kinds]
    if served and not wrk.present():
        sys.exit("wrk is not installed (Debian: wrk): there is nothing to load the servers with")
    book, others = Book(), peers.installed() if chosen.peers else []
    console.print(f"peers: {', '.join(others) or 'none is installed (python -m bench.peers install …)'}")
    with (
        tempfile.TemporaryDirectory(prefix="yunduan-bench-") as folder,
        _cluster(any(not system.startswith("sqlite") for system in systems)) as cluster,
    ):
        markets = Markets(Path(folder), cluster, large, seconds=chosen.seconds + 1)
        for number in range(chosen.rounds):
            for kind in served:
                _kind(markets, kind, systems, others, chosen, book)
            for system in OURS if "transfer" in kinds else ():
                if system in systems:
                    _transfers(system, cluster, chosen, book)
            console.print(f"round {number + 1} of {chosen.rounds}")
        book.notes += markets.faults_of_large()
        for system in OURS if "recovery" in kinds else ():
            if system in systems:
                where = cluster if system == "postgresql" else None
                book.recovery[system] = recovery.seconds(chosen.kills, orders=chosen.orders, work=Path(folder), cluster=where)
    _search(kinds, systems, chosen, book)
    _print(book, chosen)


def _kind(markets: Markets, kind: str, systems: list[str], others: list[str], chosen: argparse.Namespace, book: Book) -> None:
    """One workload, by every system that knows it."""
    for system in systems:
        if system != "textbook" or kind not in {"search", "search_new", "suggest"}:  # it has none
            _round(markets, system, kind, chosen, book)
    for peer in others:
        if peers.can(peer, kind):
            _peer(peer, kind, chosen, book)


def _search(kinds: list[str], systems: list[str], chosen: argparse.Namespace, book: Book) -> None:
    """What is measured of search besides its rate over HTTP."""
    if "words" in kinds:
        _searched(book, "100,000 documents", 100_000, 2_000)
    if chosen.million:
        _searched(book, "a million", 1_000_000, 1_000)
    if "orders" in kinds:
        book.orders = _ran(book, "bench.order_search", chosen.orders, 1_000)
    if "found" in kinds and "sqlite" in systems:
        book.found = commit_to_found()


def _searched(book: Book, name: str, documents: int, queries: int) -> None:
    """Ask an index of goods."""
    if figures := _ran(book, "bench.search", documents, queries):
        book.search[name] = figures


def _ran(book: Book, module: str, *sizes: int) -> dict[str, Any]:
    """What one that asks an index prints, run in a process of its own; nothing where there is nothing to search."""
    if not search.SHARED.exists():
        note = f"the titles and queries that are searched in process are not in {search.SHARED}"
        book.notes += [note] if note not in book.notes else []
        return {}
    ran = subprocess.run([sys.executable, "-m", module, *map(str, sizes)], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(ran.stderr)
    said: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return said


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--only", default=",".join([*KINDS, "transfer", "recovery", "words", "orders", "found"]))
    options.add_argument("--systems", default="sqlite,postgresql,textbook")
    options.add_argument("--no-peers", dest="peers", action="store_false")
    options.add_argument("--large", default="150000")
    options.add_argument("--million", action="store_true")
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


WARM_LARGE_S = 8
"""In so long each of 20,000 shops is asked for by and by, as it is where a server has run for longer than a benchmark."""


def _round(markets: Markets, system: str, kind: str, chosen: argparse.Namespace, book: Book) -> None:
    """One load of one system on a fresh copy of the market, after a second to warm up, or some where a large one is only looked at."""
    style = "textbook" if system == "textbook" else "ours"
    warm_s = WARM_LARGE_S if system.endswith(LARGE) and kind not in SPENT else 1
    with markets.served(system, kind) as (server, folder, drive):
        server.settle()
        warm = wrk.load(server, kind, folder=drive, style=style, connections=16, seconds=warm_s, start=0)
        start = 1024 * (warm.requests // 1024 + 2)
        run = wrk.load(server, kind, folder=drive, style=style, connections=KINDS[kind], seconds=chosen.seconds, start=start)
        rate = run.rate / (REQUESTS_A_PURCHASE if kind == "purchase" else 1)
        book.add(kind, system, Figure(rate, run.p50_ms, run.p99_ms, run.cores, run.others))
        if run.bad > (KINDS[kind] if kind == "purchase" else 0):
            book.notes.append(f"{system} {kind}: {run.bad} of {run.requests} answers were not 2xx")
        if system.startswith("sqlite"):
            wal = folder / "yunduan.sqlite-wal"
            most = book.most.setdefault(system, Most())
            most.memory_mib = max(most.memory_mib, server.memory_mib())
            most.beside_mib = max(most.beside_mib, server.beside_mib())
            most.wal_mib = max(most.wal_mib, wal.stat().st_size / 2**20 if wal.exists() else 0.0)
            most.first_answer_s = max(most.first_answer_s, server.first_answer_s)
    if system == "sqlite" and kind in {"checkout", "purchase"}:
        book.notes += markets.faults(folder)


def _peer(name: str, kind: str, chosen: argparse.Namespace, book: Book) -> None:
    """The same work by another system, on its own catalogue of 54 goods."""
    found = peers.measured(name, kind, connections=KINDS[kind], seconds=chosen.seconds)
    book.add(kind, name, Figure(found.rate, found.p50_ms, found.p99_ms, found.cores, found.others))
    if found.errors:
        book.notes.append(f"{name} {kind}: {found.errors} errors")


def _transfers(system: str, cluster: Any, chosen: argparse.Namespace, book: Book) -> None:
    """Single transfers in process, in a process of its own; what the machine does meanwhile besides is foreign load."""
    where = "sqlite" if system == "sqlite" else cluster.dsn
    command = [sys.executable, "-m", "bench.transfers", where, str(chosen.transfers), str(chosen.preload)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(ran.stderr)
    said = json.loads(ran.stdout.strip().splitlines()[-1])
    book.add("transfer", system, Figure(said["per_s"], said["p50_ms"], said["p99_ms"], said["cores"], said["others"]))
    book.audit_s.setdefault(system, []).append(said["audit_s"])
    if said["audit_faults"]:
        book.notes.append(f"AUDIT: {said['audit_faults']} faults after the transfers on {system}")
    if system == "postgresql":
        cluster.run("DROP SCHEMA IF EXISTS yunduan CASCADE")


def _lines(book: Book) -> Iterator[Line]:
    order = [*KINDS, "transfer"]
    for (kind, system), figures in sorted(book.figures.items(), key=lambda item: order.index(item[0][0])):
        rates = [figure.rate for figure in figures]
        yield Line(
            kind, system, statistics.median(rates), min(rates), max(rates),
            *(statistics.median(getattr(figure, name) for figure in figures) for name in ("p50_ms", "p99_ms", "cores", "others")),
            len(figures),
        )  # fmt: skip


def _against(line: Line, floor: Floor | None) -> str:
    """The floor, and whether it is reached, rate and p99 each."""
    if floor is None:
        return ""
    said = [f"{floor.rate:,} {_mark(line.rate >= floor.rate)}"] if floor.rate else []
    said += [f"{floor.p99_ms:.0f} ms {_mark(line.p99_ms <= floor.p99_ms)}"] if floor.p99_ms != float("inf") else []
    return " ".join(said)


def _kept(line: Line, rates: dict[tuple[str, str], float]) -> str:
    """Of a large market: how much of the small one's rate it keeps."""
    small = rates.get((line.work, line.system.removesuffix(LARGE)))
    if not line.system.endswith(LARGE) or not small:
        return ""
    said = f"{line.rate / small:.0%}"
    return f"{said} {_mark(line.rate / small >= SMALLER_MIN)}" if line.system.startswith("sqlite") else said


def _mark(reached: bool) -> str:
    return "[green]✓[/]" if reached else "[red]✗[/]"


def _print(book: Book, chosen: argparse.Namespace) -> None:
    lines = list(_lines(book))
    rivals = list(dict.fromkeys(line.system for line in lines if not line.system.startswith(OURS)))
    table = Table(title=f"medians of {chosen.rounds} rounds of {chosen.seconds} s, spread in brackets", box=None, pad_edge=False)
    for head in (
        "work",
        "system",
        "per second",
        "",
        "p50 ms",
        "p99 ms",
        "cores",
        "others",
        "floor",
        "of small",
        *(f"× {rival}" for rival in rivals),
    ):
        table.add_column(head, justify="left" if head in {"work", "system"} else "right")
    rates = {(line.work, line.system): line.rate for line in lines}
    for line in lines:
        ratios = [
            f"{line.rate / rate:,.1f}" if line.system.startswith(OURS) and (rate := rates.get((line.work, rival))) else ""
            for rival in rivals
        ]
        table.add_row(
            line.work, line.system, f"{line.rate:,.0f}", f"[{line.least:,.0f}..{line.most:,.0f}]", f"{line.p50_ms:.1f}",
            f"{line.p99_ms:.1f}", f"{line.cores:.2f}", f"{line.others:.2f}", _against(line, FLOORS.get((line.work, line.system))),
            _kept(line, rates), *ratios,
        )  # fmt: skip
    console.print(table)
    for name, figures in book.search.items():
        console.print(_of_search(name, figures))
    if book.orders:
        console.print(_of_orders(book.orders))
    for said in _besides(book, chosen):
        console.print(said)
    for note in book.notes:
        console.print(f"[yellow]{note}[/]")
    processor = platform.processor() or platform.machine()
    console.print(f"{processor}, {psutil.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    if chosen.out:
        said = {"lines": [asdict(line) for line in lines], "recovery_s": book.recovery, "audit_s": book.audit_s, "notes": book.notes}
        said |= {"search": book.search, "found": book.found, "orders": book.orders}
        chosen.out.write_text(json.dumps(said, indent=1))


def _of_search(name: str, figures: dict[str, Any]) -> Table:
    """What was found in process among the first ten, and how fast."""
    is_million = name == "a million"
    size = f"{figures['a_second']:,} a second, {figures['mib']:,} MiB"
    made = f"made in {figures['made_s']:,.0f} s, {figures['made_cpu_s']:,.0f} of CPU ({size})"
    if is_million:
        made += f", {MILLION_S_MAX:.0f} s {_mark(figures['made_s'] <= MILLION_S_MAX)}"
    table = Table(title=f"search of {name} in process, {made}", box=None, pad_edge=False)
    for head in ("two words", "found@10", "floor", "p50 ms", "p99 ms", "floors", "CPU p50, p99 ms"):
        table.add_column(head, justify="left" if head == "two words" else "right")
    for kind, one in figures.items():
        if isinstance(one, dict):
            least, floors = search.FOUND_MIN.get(kind), ""
            if kind == "exact words":
                p50, p99 = (None, MILLION_MS_MAX) if is_million else WORDS_MS_MAX
                floors = f"{p50} {_mark(one['p50_ms'] <= p50)} " if p50 else ""
                floors += f"{p99} {_mark(one['p99_ms'] <= p99)}"
            table.add_row(
                kind, f"{one['found_at_10']:.4f}", f"{least} {_mark(one['found_at_10'] >= least)}" if least else "",
                f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", floors, f"{one['cpu_p50_ms']:.2f}, {one['cpu_p99_ms']:.2f}",
            )  # fmt: skip
    return table


def _of_orders(figures: dict[str, Any]) -> Table:
    """How orders are found in process, by who asks for what."""
    made = f"made in {figures['made_s']:,.0f} s ({figures['cpu_us_an_order']:.0f} us of CPU an order, {figures['mib']:.0f} MiB)"
    table = Table(title=f"search of {figures['orders']:,} orders in process, {made}", box=None, pad_edge=False)
    for head in ("asked by whom, for what", "have found", "p50 ms", "p99 ms", "CPU p50, p99 ms", "cut off"):
        table.add_column(head, justify="left" if head.startswith("asked") else "right")
    for kind, one in figures.items():
        if isinstance(one, dict):
            table.add_row(
                kind, f"{one['found']:.3f}", f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}",
                f"{one['cpu_p50_ms']:.2f}, {one['cpu_p99_ms']:.2f}", f"{one['cut_off']}",
            )  # fmt: skip
    return table


def _besides(book: Book, chosen: argparse.Namespace) -> Iterable[str]:
    """What is no rate."""
    for system, most in book.most.items():
        yield (
            f"{system} server: memory at most {most.memory_mib:.0f} MiB (200 {_mark(most.memory_mib <= 200)}), "
            f"and {most.beside_mib:.0f} of what it starts, "
            f"WAL at most {most.wal_mib:.0f} MiB (128 {_mark(most.wal_mib <= 128)}), "
            f"start to first answer at most {most.first_answer_s:.2f} s (2 {_mark(most.first_answer_s <= 2)})"
        )
    if book.found:
        p50, p99 = book.found["found"]["p50_ms"], book.found["found"]["p99_ms"]
        yield (
            f"commit of new goods to found, {book.found['products']} one after the other: {p50:.1f} ms, p99 {p99:.1f} ms "
            f"({FOUND_MS_MAX:.0f} {_mark(p99 <= FOUND_MS_MAX)}), the search itself {book.found['search']['p50_ms']:.1f} ms"
        )
    for system, found in book.recovery.items():
        limit_s = RECOVERY_S_MAX[system]
        yield (
            f"recovery of {system} after kill -9 with {chosen.orders:,} orders: worst of {len(found)} is "
            f"{max(found):.2f} s to the first answer ({limit_s:.0f} {_mark(max(found) < limit_s)})"
        )
    for system, found in book.audit_s.items():
        yield f"proof of the books on {system}, {chosen.preload + chosen.transfers:,} transfers: {statistics.median(found):.1f} s"


if __name__ == "__main__":
    main()
