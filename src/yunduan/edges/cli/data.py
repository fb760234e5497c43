"""A look at the health of everything, and imports."""

import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from yunduan.cloud import Cloud, join, open_store
from yunduan.domains.ledger.audit import audit
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.screen import BAD, GOOD, console, watched
from yunduan.edges.cli.ways import DataFolder, settings_of
from yunduan.edges.doctor import Finding, examine
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.settings import Settings

importing = typer.Typer(help="Bring in a marketplace from elsewhere.", no_args_is_help=True)
NEVER_MS = 10**15


def doctor(data: DataFolder = None) -> None:
    """Look at everything that can be wrong and say what to do about it; changes nothing, and may run beside a server."""
    settings = settings_of(data)
    with watched("looking at everything"):
        findings = examine(settings)
    for finding in findings:
        _print(finding)
    bad = sum(finding.is_bad for finding in findings)
    console.print(f"{bad} of {len(findings)} findings want something done" if bad else "all is well")
    if bad:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    console.print(BAD if finding.is_bad else GOOD, f"{finding.what}: {finding.found}")
    if finding.is_bad and finding.advice:
        console.print(f"    {finding.advice}", style="yellow")


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
