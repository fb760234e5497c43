"""Looks at everything that can be wrong with a cloud; changes nothing, and may run beside a server."""

import resource
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
from msgspec import Struct

from yunduan.backends.sqlite import store_files
from yunduan.backends.sqlite.store import VERSION_MIN
from yunduan.cloud import DOMAINS, open_reader, order_search_sides, search_sides, sender_of
from yunduan.domains.ledger.audit import audit
from yunduan.domains.search.store import Index
from yunduan.domains.search.store_orders import OrderIndex
from yunduan.domains.search.upkeep import upkeep
from yunduan.edges.operator import SOCKET_NAME
from yunduan.edges.starting import files_wanted, is_unreachable
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.imports import unfinished
from yunduan.runtime.migrations import migrations, pending
from yunduan.runtime.ports import SideStores, Snapshots, StoreRefusedError
from yunduan.runtime.settings import HttpSettings, Settings, SettingsError
from yunduan.runtime.timekeeping import doubt_of

FREE_BYTES_MIN = 2**30
LAG_FACTS_MAX = 10_000
OVERDUE_MS_MAX = 300_000
INDEX_LATE_MS_MAX = 60_000
AHEAD_MS_MAX = 5_000
"""How far the books may be ahead of this machine's clock: a store on another machine has a clock of its own."""
RUNS = "runs"
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
    folder = Path(settings.data)
    findings = [_sqlite_version(), _space(folder), _open_files(settings.http), _address(settings), _folder(settings), _keys(settings)]
    findings += [_sender(settings), _strangers(settings), _server(folder)]
    try:
        reader = open_reader(settings)
    except (apsw.Error, StoreRefusedError, FaultError, OSError) as error:
        return [*findings, Finding(what="store", found=str(error), is_bad=True, advice=_advice_on_opening(settings))]
    try:
        findings.append(_store(settings))
        findings += [
            _search(settings, reader, what="search", of="goods", sides=search_sides(folder, settings), kind=Index),
            _search(settings, reader, what="search of orders", of="orders", sides=order_search_sides(folder, settings), kind=OrderIndex),
        ]
        findings += _of_store(settings, reader)
    finally:
        reader.close()
    return findings


def _of_store(settings: Settings, reader: Snapshots) -> Iterator[Finding]:
    looks: list[Callable[[Snapshots], Finding]] = [
        _migrations,
        _imports,
        _lag,
        _parked,
        _clock,
        _alarms,
        _failing,
        _jobs,
        _books,
    ]
    if settings.sqlite_path() is not None:
        looks.insert(0, _integrity)
    for look in looks:
        try:
            yield look(reader)
        except Exception as error:  # whatever a spoilt store makes of a look, the others are still of use
            what = look.__name__.removeprefix("_")
            yield Finding(what=what, found=f"cannot be told: {error}", is_bad=True, advice="is the store damaged, or another version's?")


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


def _open_files(http: HttpSettings) -> Finding:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_wanted(http)
    return Finding(
        what="open files",
        found=f"{allowed:,} allowed here, {wanted:,} wanted for {http.connections_max:,} callers",
        is_bad=allowed < wanted,
        advice="raise the system's limit (`ulimit -Hn`, systemd's LimitNOFILE), or lower http.connections_max",
    )


def _address(settings: Settings) -> Finding:
    return Finding(
        what="public address",
        found=settings.public_url()
        + ("" if settings.http.public_url or settings.http.port else " (0: a free port, another one each start)"),
        is_bad=is_unreachable(settings.http),
        advice="others can connect, but cannot follow this address: set http.public_url to what they reach this cloud by",
    )


def _folder(settings: Settings) -> Finding:
    """Nobody but its owner may reach into the folder, nor a file of the store that lies elsewhere."""
    folder, path = Path(settings.data), settings.sqlite_path()
    places = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    places += [file for file in store_files(path) if file.exists() and file.parent != folder] if path else []
    others = [place for place in places if not place.is_symlink() and place.stat().st_mode & 0o077]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        found = f"others can reach {', '.join(map(str, others[:3]))}{more}"
        return Finding(what="folder", found=found, is_bad=True, advice=f"chmod go= {shlex.join(map(str, others))}")
    return Finding(what="folder", found=f"{folder}, which only its owner can reach" if places else f"{folder} is not there yet")


def _keys(settings: Settings) -> Finding:
    path, store = Path(settings.data) / "keys.sqlite", settings.sqlite_path()
    if path.exists():
        return Finding(what="keys", found=str(path))
    is_bad = store is not None and store.exists()
    return Finding(what="keys", found=f"{path} is not there", is_bad=is_bad, advice="bring back the copy of the keys")


def _server(folder: Path) -> Finding:
    with socket.socket(socket.AF_UNIX) as way_in:
        try:
            way_in.connect(str(folder / SOCKET_NAME))
        except OSError:
            return Finding(what="server", found="none runs on this folder")
    return Finding(what="server", found=RUNS)


def _served_ms(folder: Path, now_ms: int) -> int:
    """For how long a server has run on this folder; 0 when none does."""
    return 0 if _server(folder).found != RUNS else now_ms - (folder / SOCKET_NAME).stat().st_mtime_ns // 1_000_000


def _store(settings: Settings) -> Finding:
    path = settings.sqlite_path()
    if path is None:
        return Finding(what="store", found="PostgreSQL")
    size = sum(file.stat().st_size for file in store_files(path) if file.exists())
    return Finding(what="store", found=f"{path}, {size / 2**20:,.1f} MiB")


def _advice_on_opening(settings: Settings) -> str:
    path = settings.sqlite_path()
    if path is None:
        return "does PostgreSQL run, and is store.url right?"
    if path.exists():
        return "whose is the file? If it is damaged, bring back the last copy"
    return "is this the right folder? `yunduan serve` begins a marketplace, `yunduan restore` brings one back"


def _sender(settings: Settings) -> Finding:
    try:
        sender_of(settings)
    except SettingsError as error:
        return Finding(what="codes", found=str(error), is_bad=True, advice="`yunduan serve` does not start like this: mend the setting")
    return Finding(
        what="codes", found=f"carried by {settings.codes.sender}" if settings.codes.sender else "left in the development mailbox"
    )


def _strangers(settings: Settings) -> Finding:
    found = settings.open_to_strangers()
    nothing = "nothing is open that is for development" if settings.is_reached_by_others() else "only this machine may come"
    return Finding(
        what="strangers",
        found="; ".join(found.values()) or nothing,
        is_bad=bool(found),
        advice=f"others than this machine may come: set {', '.join(found)} to false",
    )


def _integrity(reader: Snapshots) -> Finding:
    said = reader.row("PRAGMA quick_check(1)")
    found = "undamaged" if said == ("ok",) else f"damaged: {said[0] if said else 'it says nothing'}"
    return Finding(what="file", found=found, is_bad=said != ("ok",), advice="bring back the last copy: `yunduan restore`")


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
    found = f"{slowest[0]} is {behind:,} fact{'' if behind == 1 else 's'} behind" if behind and slowest else "none is behind"
    return Finding(
        what="followers", found=found, is_bad=behind > LAG_FACTS_MAX, advice="they go on while a server runs; if one does, see its log"
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
    advice = "their commands break or are refused, or this version cannot read them: the log says why"
    return Finding(what="failing alarms", found=found or "none", is_bad=bool(rows), advice=advice)


def _jobs(reader: Snapshots) -> Finding:
    rows = reader.rows("SELECT id, kind, error FROM job WHERE status = 'failed' ORDER BY id DESC LIMIT 3")
    found = "; ".join(f"{kind}: {error[:80]} ({id})" for id, kind, error in rows)
    advice = "mend what was wrong, then `yunduan job retry` it, or `yunduan job list` for more"
    return Finding(what="jobs", found=found or "none failed", is_bad=bool(rows), advice=advice)


def _search(
    settings: Settings, reader: Snapshots, *, what: str, of: str, sides: SideStores, kind: type[Index] | type[OrderIndex]
) -> Finding:
    """An index that something is found by; that it is behind is bad where a server had time to see to it."""
    now_ms, rebuild = time.time_ns() // 1_000_000, INDEX_REBUILT_BY[what]
    try:
        kept = upkeep(sides, reader, now_ms=now_ms, kind=kind)
    except Exception as error:  # as with the store: whatever a spoilt file makes of a look
        return Finding(what=what, found=f"the index cannot be read: {error}", is_bad=True, advice=rebuild)
    found = [f"no index to find {of} in: {kept.why_not}" if kept.why_not else f"{kept.entries:,} {of} in generation {kept.generation}"]
    if not kept.why_not and kept.behind_facts:
        found.append(f"{kept.behind_facts:,} fact{'' if kept.behind_facts == 1 else 's'} ({kept.behind_ms / 1000:,.0f} s) behind")
    found += [f"the next has {kept.entries_next:,} {of}"] if kept.is_making else []
    found += [] if kept.is_kept else ["no process keeps it"]
    is_late = not (kept.is_kept and kept.is_making) if kept.why_not else kept.behind_ms > INDEX_LATE_MS_MAX
    is_bad = is_late and _served_ms(Path(settings.data), now_ms) > INDEX_LATE_MS_MAX
    slow = f"what keeps it is slow, or fails at every step: the log says why. {rebuild} makes it anew"
    return Finding(what=what, found=", ".join(found), is_bad=is_bad, advice=slow if kept.is_kept else INDEX_NOT_KEPT)


INDEX_REBUILT_BY = {"search": "`yunduan search rebuild`", "search of orders": "`yunduan search rebuild-orders`"}
INDEX_NOT_KEPT = "what keeps it has fallen (the log says why), or search.keeper is `nobody` on every server of this folder"


def _books(reader: Snapshots) -> Finding:
    report = audit(reader)
    count = f"{report.transfers:,} transfer{'' if report.transfers == 1 else 's'}"
    if not report.faults:
        return Finding(what="books", found=f"they balance over {count}")
    found = f"they do NOT balance: {report.faults_found:,} wrong in {count}, first {report.faults[0].kind}: {report.faults[0]}"
    return Finding(what="books", found=found, is_bad=True, advice="stop taking payments; `yunduan ledger audit` says all that is wrong")
