"""Looks at everything that can be wrong with a cloud; changes nothing, and may run beside a server."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
from msgspec import Struct

from yunduan.backends.sqlite.store import VERSION_MIN
from yunduan.cloud import DOMAINS, open_reader
from yunduan.domains.ledger.audit import audit
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.migrations import migrations, pending
from yunduan.runtime.ports import Snapshots, StoreRefusedError
from yunduan.runtime.settings import Settings
from yunduan.runtime.timekeeping import doubt_of

FREE_BYTES_MIN = 2**30
LAG_FACTS_MAX = 10_000
OVERDUE_MS_MAX = 300_000
AHEAD_MS_MAX = 5_000
"""How far the books may be ahead of this machine's clock: a store on another machine has a clock of its own."""
FAILURES_MIN = 3
"""From so many on, an alarm whose command breaks is not going to mend by itself."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    what: str
    found: str
    is_bad: bool = False
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every finding, those of a store that cannot be opened included."""
    findings = [_sqlite_version(), _space(Path(settings.data)), _keys(Path(settings.data))]
    try:
        reader = open_reader(settings)
    except (apsw.Error, StoreRefusedError, FaultError, OSError) as error:
        advice = "`yunduan serve` makes a store on its first start"
        return [*findings, Finding(what="store", found=f"cannot be opened: {error}", is_bad=True, advice=advice)]
    try:
        findings += _of_store(settings, reader)
    finally:
        reader.close()
    return findings


def _of_store(settings: Settings, reader: Snapshots) -> Iterator[Finding]:
    looks: list[Callable[[Snapshots], Finding]] = [_migrations, _lag, _parked, _clock, _alarms, _failing, _jobs, _books]
    if settings.sqlite_path() is not None:
        looks.insert(0, _integrity)
    for look in looks:
        yield look(reader)


def _sqlite_version() -> Finding:
    version = apsw.sqlite_lib_version()
    is_old = tuple(int(part) for part in version.split(".")) < VERSION_MIN
    return Finding(what="SQLite", found=version, is_bad=is_old, advice="older ones can corrupt a write-ahead log: upgrade apsw")


def _space(folder: Path) -> Finding:
    place = folder if folder.exists() else Path()
    free = shutil.disk_usage(place).free
    return Finding(
        what="free space",
        found=f"{free / 2**30:.1f} GiB",
        is_bad=free < FREE_BYTES_MIN,
        advice="a full disk refuses every order: make room",
    )


def _keys(folder: Path) -> Finding:
    path = folder / "keys.sqlite"
    if not path.exists():
        return Finding(
            what="keys", found="none yet", is_bad=(folder / "yunduan.sqlite").exists(), advice="bring back the copy of keys.sqlite"
        )
    open_to_others = path.stat().st_mode & 0o077
    return Finding(what="keys", found=f"{path.name}", is_bad=bool(open_to_others), advice=f"others can read the keys: chmod 600 {path}")


def _integrity(reader: Snapshots) -> Finding:
    said = reader.row("PRAGMA quick_check(1)")
    return Finding(what="file", found=said[0] if said else "?", is_bad=said != ("ok",), advice="restore the last copy")


def _migrations(reader: Snapshots) -> Finding:
    try:
        waiting = pending(reader, migrations(DOMAINS))
    except StoreRefusedError as error:
        return Finding(what="migrations", found=str(error), is_bad=True, advice="run the version of yunduan that wrote this store")
    return Finding(what="migrations", found=f"{len(waiting)} to be applied at the next start" if waiting else "all applied")


def _lag(reader: Snapshots) -> Finding:
    head = reader.row("SELECT fact_seq FROM head")
    slowest = reader.row("SELECT follower, seq FROM cursor ORDER BY seq LIMIT 1")
    behind = head[0] - slowest[1] if head and slowest else 0
    name = slowest[0] if slowest else "no follower"
    return Finding(
        what="followers", found=f"{name} is {behind:,} facts behind", is_bad=behind > LAG_FACTS_MAX, advice="is a server running?"
    )


def _parked(reader: Snapshots) -> Finding:
    rows = reader.rows("SELECT follower, seq, error FROM parked ORDER BY follower, seq LIMIT 3")
    found = "; ".join(f"{follower} at fact {seq}: {error[:80]}" for follower, seq, error in rows)
    return Finding(
        what="parked facts",
        found=found or "none",
        is_bad=bool(rows),
        advice="mend what the follower could not take, then `yunduan fact retry --all`",
    )


def _clock(reader: Snapshots) -> Finding:
    doubt, head = doubt_of(reader), reader.row("SELECT max(at) FROM head")
    ahead = (head[0] if head else 0) - time.time_ns() // 1_000_000
    found = [f"in doubt: {doubt.why} (by {doubt.by_ms / 1000:,.0f} s)"] if doubt else []
    found += [f"the books are {ahead / 1000:,.0f} s ahead of it"] if ahead > AHEAD_MS_MAX else []
    return Finding(
        what="clock",
        found="; ".join(found) or "nobody doubts it",
        is_bad=bool(found),
        advice="nothing rings until `yunduan confirm-clock`: look at the clock first"
        if doubt
        else "in the books time stands still until then: has the clock run ahead, or does it run behind now?",
    )


def _alarms(reader: Snapshots) -> Finding:
    row = reader.row("SELECT count(*), min(due) FROM alarm")
    count, due = (row[0], row[1]) if row else (0, None)
    late = time.time_ns() // 1_000_000 - due if due is not None else 0
    found = f"{count:,} set" + (f", the first {late / 1000:,.0f} s overdue" if late > 0 else "")
    return Finding(
        what="alarms", found=found, is_bad=late > OVERDUE_MS_MAX, advice="no server runs, or it waits for `yunduan confirm-clock`"
    )


def _failing(reader: Snapshots) -> Finding:
    rows = reader.rows("SELECT id, kind, failures FROM alarm WHERE failures >= ? ORDER BY failures DESC, id LIMIT 3", (FAILURES_MIN,))
    found = "; ".join(f"{kind} has failed {failures} times ({id})" for id, kind, failures in rows)
    advice = "their commands break, or this version cannot read them: the log says why"
    return Finding(what="failing alarms", found=found or "none", is_bad=bool(rows), advice=advice)


def _jobs(reader: Snapshots) -> Finding:
    rows = reader.rows("SELECT id, kind, error FROM job WHERE status = 'failed' ORDER BY id DESC LIMIT 3")
    found = "; ".join(f"{kind}: {error[:80]} ({id})" for id, kind, error in rows)
    advice = "mend what was wrong, then `yunduan job retry` it, or `yunduan job list` for more"
    return Finding(what="jobs", found=found or "none failed", is_bad=bool(rows), advice=advice)


def _books(reader: Snapshots) -> Finding:
    report = audit(reader)
    found = f"{report.transfers:,} transfers" + (f"; {report.faults[0]}" if report.faults else " balance")
    return Finding(what="books", found=found, is_bad=bool(report.faults), advice="stop taking payments and compare with the last copy")
