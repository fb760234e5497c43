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
from yunduan.runtime.imports import unfinished
from yunduan.runtime.migrations import migrations, pending
from yunduan.runtime.ports import Snapshots, StoreRefusedError
from yunduan.runtime.settings import Settings

FREE_BYTES_MIN = 2**30
LAG_FACTS_MAX = 10_000
OVERDUE_MS_MAX = 300_000


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
    looks: list[Callable[[Snapshots], Finding]] = [_migrations, _imports, _lag, _parked, _alarms, _jobs, _books]
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


def _imports(reader: Snapshots) -> Finding:
    found = unfinished(reader)
    said = f"{found.source} has begun and not ended: {found.done:,} of {found.total:,} steps" if found else "none unfinished"
    advice = f"nothing else may write until it has: `yunduan import {found.source}` goes on with it" if found else ""
    return Finding(what="imports", found=said, is_bad=found is not None, advice=advice)


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
    return Finding(what="parked facts", found=found or "none", is_bad=bool(rows), advice="a follower could not take them: see the log")


def _alarms(reader: Snapshots) -> Finding:
    row = reader.row("SELECT count(*), min(due) FROM alarm")
    count, due = (row[0], row[1]) if row else (0, None)
    late = time.time_ns() // 1_000_000 - due if due is not None else 0
    found = f"{count:,} set" + (f", the first {late / 1000:,.0f} s overdue" if late > 0 else "")
    return Finding(
        what="alarms", found=found, is_bad=late > OVERDUE_MS_MAX, advice="no server runs, or it waits for `yunduan serve --confirm-clock`"
    )


def _jobs(reader: Snapshots) -> Finding:
    rows = reader.rows("SELECT kind, error FROM job WHERE status = 'failed' ORDER BY id DESC LIMIT 3")
    return Finding(what="jobs", found="; ".join(f"{kind}: {error[:80]}" for kind, error in rows) or "none failed", is_bad=bool(rows))


def _books(reader: Snapshots) -> Finding:
    report = audit(reader)
    found = f"{report.transfers:,} transfers" + (f"; {report.faults[0]}" if report.faults else " balance")
    return Finding(what="books", found=found, is_bad=bool(report.faults), advice="stop taking payments and compare with the last copy")
