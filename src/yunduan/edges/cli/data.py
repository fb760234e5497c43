"""Copies, their return, a look at the health of everything, and imports."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from yunduan.backends import sqlite
from yunduan.cloud import Cloud, join, open_cloud, open_reader, open_store
from yunduan.domains.ledger.audit import audit
from yunduan.domains.ledger.commands import NoteFork
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.ways import DataFolder, console, settings_of
from yunduan.edges.doctor import Finding, examine
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.restoring import raise_epoch
from yunduan.runtime.settings import Settings

importing = typer.Typer(help="Bring in a marketplace from elsewhere.", no_args_is_help=True)
STORE_COPY, KEYS_COPY = "store", "keys.sqlite"
NEVER_MS = 10**15


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the copy of the store.")],
    keys: Annotated[Path | None, typer.Option(help="Another folder, for the keys: without them nothing personal can be read.")] = None,
    data: DataFolder = None,
) -> None:
    """Copy the store as of one moment while orders go on; keys are copied apart, so that they can be kept, and forgotten, apart."""
    settings = settings_of(data)
    target.mkdir(parents=True, exist_ok=False)
    began = time.monotonic()
    path = settings.sqlite_path()
    if path is not None:
        sqlite.copy(path, target / STORE_COPY)
    else:
        from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

        postgresql.dump(settings.store.url, str(target / STORE_COPY))
    size = (target / STORE_COPY).stat().st_size
    console.print(f"copied {size / 2**20:.1f} MiB to {target} in {time.monotonic() - began:.1f} s")
    if keys is not None:  # after the store: keys are only ever added before what needs them
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        sqlite.copy(Path(settings.data) / KEYS_COPY, keys / KEYS_COPY)
        (keys / KEYS_COPY).chmod(0o600)
        console.print(f"copied the keys to {keys}")


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `backup` made.")],
    keys: Annotated[Path | None, typer.Option(help="The folder with the copy of the keys.")] = None,
    data: DataFolder = None,
) -> None:
    """Bring a copy back into an empty data folder, begin a new epoch, write the fork into the ledger's chain, and audit the books."""
    settings = settings_of(data)
    folder = Path(settings.data)
    _bring_back(settings, source, folder, keys)
    store = open_store(settings)
    try:
        epoch = raise_epoch(store)
    finally:
        store.close()
    _note_fork(settings, epoch)
    console.print(f"restored; this is epoch {epoch}")
    reader = open_reader(settings)
    report = audit(reader)
    reader.close()
    print_audit(report)


def _bring_back(settings: Settings, source: Path, folder: Path, keys: Path | None) -> None:
    copy, path = source / STORE_COPY, settings.sqlite_path()
    if not copy.is_file():
        raise StoreRefusedError(f"{source} holds no copy of a store")
    if keys is None and not (folder / KEYS_COPY).exists():
        raise StoreRefusedError("a store is of no use without its keys: name the folder with their copy (--keys)")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path is None:
        from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

        postgresql.restore(settings.store.url, str(copy))
    elif there := next((file for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if file.exists()), None):
        # a log that lies beside would be taken for the copy's own
        raise StoreRefusedError(f"{there} is there already: a copy is brought back into an empty folder")
    else:
        shutil.copyfile(copy, path)
    if keys is not None:
        if (folder / KEYS_COPY).exists():
            raise StoreRefusedError(f"{folder / KEYS_COPY} is there already")
        shutil.copyfile(keys / KEYS_COPY, folder / KEYS_COPY)
        (folder / KEYS_COPY).chmod(0o600)


def _note_fork(settings: Settings, epoch: int) -> None:
    import asyncio  # noqa: PLC0415 - of one use

    async def run() -> None:
        cloud = open_cloud(settings)
        try:
            await cloud.send(NoteFork(why=f"restored as epoch {epoch}"), actor=SYSTEM)
            await cloud.send(StartJob(kind="destroy_erased_keys"), actor=SYSTEM)  # an old copy of the keys has those of the erased
        finally:
            await cloud.stop()

    asyncio.run(run())


def doctor(data: DataFolder = None) -> None:
    """Look at everything that can be wrong and say what to do about it; changes nothing, and may run beside a server."""
    settings = settings_of(data)
    findings = examine(settings)
    for finding in findings:
        _print(finding)
    if any(finding.is_bad for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    mark = "[bold red]✗[/]" if finding.is_bad else "[green]✓[/]"
    advice = f"\n    [yellow]{finding.advice}[/]" if finding.is_bad and finding.advice else ""
    console.print(f"{mark} {finding.what}: {escape(finding.found)}{advice}")


@importing.command()
def olist(
    folder: Annotated[Path, typer.Argument(help="A folder with the Olist tables as parquet files.")], data: DataFolder = None
) -> None:
    """Replay the Olist marketplace (Brazil, 2016 to 2018) into an empty cloud, each order at its own date; goes on where it stopped."""
    import asyncio  # noqa: PLC0415 - of one use

    from yunduan.edges.olist.plan import plan  # noqa: PLC0415 - an optional extra stands behind it
    from yunduan.edges.olist.replay import Replay  # noqa: PLC0415 - the same
    from yunduan.edges.olist.report import lines  # noqa: PLC0415 - the same
    from yunduan.edges.olist.tables import MissingTableError, read  # noqa: PLC0415 - the same

    settings = settings_of(data)
    settings = replace(settings, sandbox=replace(settings.sandbox, enabled=True))
    try:
        made = plan(read(folder))
    except MissingTableError as error:
        raise StoreRefusedError(str(error)) from error

    async def run() -> None:
        clock = VirtualClock(made.steps[0].at - 2 * 86_400_000)
        cloud = _empty_cloud(settings, clock)
        try:
            with _progress() as progress:
                bars = {what: progress.add_task(what, total=None) for what in ("shops", "goods", "people", "steps")}
                watch = lambda what, done, total: progress.update(bars[what], completed=done, total=total)  # noqa: E731 - one use
                replay = Replay(cloud, clock, made, watch=watch)
                await replay.run()
                await replay.come_back(time.time_ns() // 1_000_000)
            report = audit(cloud.store.reader())
            for line in lines(made, replay.done, cloud):
                console.print(line)
            print_audit(report)
        finally:
            await cloud.stop()

    asyncio.run(run())


def _empty_cloud(settings: Settings, clock: VirtualClock) -> Cloud:
    folder = Path(settings.data)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(settings)
    cloud = Cloud(store, parts=join(folder, settings=settings, clock=clock), clock=clock, gap_ms_max=NEVER_MS)
    begun = store.row("SELECT 1 FROM answer WHERE name LIKE 'olist:%' LIMIT 1")
    strangers = store.row("SELECT 1 FROM answer WHERE name NOT LIKE 'olist:%' LIMIT 1")
    if strangers is not None or (begun is None and cloud.writer.head.fact_seq):
        raise StoreRefusedError("the cloud is not empty: an import begins a marketplace of its own")
    return cloud


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
