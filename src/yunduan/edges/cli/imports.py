"""`yunduan import …`: a marketplace from elsewhere, brought into an empty store."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from yunduan.cloud import open_cloud
from yunduan.domains.ledger.audit import audit
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.screen import console
from yunduan.edges.cli.ways import DataFolder, settings_of
from yunduan.kernel.refusals import Refused
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.imports import ImportRefusal
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.settings import SandboxSettings

app = typer.Typer(help="Bring in a marketplace from elsewhere.", no_args_is_help=True)
REFUSED: dict[str, str] = {
    ImportRefusal.FINISHED: "Olist has been imported into this store already: it is not done twice",
    ImportRefusal.OTHER_CONTENT: (
        "the import in this store was begun with other tables, or by another version of this program: go on with those, or begin anew "
        "in an empty folder (--data)"
    ),
    ImportRefusal.STORE_NOT_EMPTY: (
        "the store is not empty: an import lives through years that are past, and begins in a store that nothing was ever written to, "
        "not even by a server: choose an empty folder (--data)"
    ),
}


@app.callback()
def bring_in() -> None:
    """Bring in a marketplace from elsewhere."""


@app.command()
def olist(
    folder: Annotated[Path, typer.Argument(help="A folder with the Olist tables as parquet files.")], data: DataFolder = None
) -> None:
    """Replay the Olist marketplace (Brazil, 2016 to 2018) into an empty cloud, each order at its own date; goes on where it stopped."""
    from yunduan.edges.olist.plan import plan  # noqa: PLC0415 - an optional extra stands behind it
    from yunduan.edges.olist.replay import SOURCE, Replay  # noqa: PLC0415 - the same
    from yunduan.edges.olist.report import lines  # noqa: PLC0415 - the same
    from yunduan.edges.olist.tables import MissingTableError, read  # noqa: PLC0415 - the same

    settings = replace(settings_of(data), sandbox=SandboxSettings(enabled=True))
    try:
        made = plan(read(folder))
    except MissingTableError as error:
        raise StoreRefusedError(str(error)) from error

    async def run() -> None:
        clock = VirtualClock(0)
        cloud = open_cloud(settings, clock=clock, importing=SOURCE)
        try:
            with _progress() as progress:
                bars = {what: progress.add_task(what, total=None) for what in ("shops", "goods", "people", "addresses", "steps")}
                watch = lambda what, done, total: progress.update(bars[what], completed=done, total=total)  # noqa: E731 - one use
                replay = Replay(cloud, clock, made, watch=watch)
                await replay.run()
                await replay.come_back(time.time_ns() // 1_000_000)
            for line in lines(made, cloud):
                console.print(line)
            reader = cloud.store.reader()
            print_audit(audit(reader))
            reader.close()
        finally:
            await cloud.stop()

    try:
        asyncio.run(run())
    except Refused as refused:
        if (why := REFUSED.get(refused.code)) is None:
            raise
        raise StoreRefusedError(why) from refused


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
