"""`yunduan import …`: a marketplace from elsewhere, brought into an empty store."""

import asyncio
import gc
import resource
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvloop
from msgspec.structs import replace

from yunduan.cloud import Cloud, open_cloud
from yunduan.domains.ledger.audit import audit
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.screen import console, progress
from yunduan.edges.cli.ways import DataFolder, settings_of
from yunduan.edges.passing import AtOnce
from yunduan.kernel.refusals import Refused
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.imports import Import, ImportRefusal
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.settings import SandboxSettings, Settings

if TYPE_CHECKING:  # an optional extra stands behind it
    from yunduan.edges.olist.plan import Plan

app = typer.Typer(help="Bring in a marketplace from elsewhere.", no_args_is_help=True)
EXIT_CODE_INTERRUPTED = 130
STEPS_UNSEEN = 25
"""How many steps pass before the bar moves."""
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
    folder: Annotated[Path, typer.Argument(help="A folder with the Olist tables, one parquet file each.")], data: DataFolder = None
) -> None:
    """Replay the Olist marketplace (Brazil, 2016 to 2018) in a store of its own, each order at its own dates.

    It may be interrupted at any moment: the same command goes on where it was. Ends with exit code 1 when it must not begin, or
    when the books do not balance, and with 130 when it was interrupted.
    """
    settings = replace(settings_of(data), sandbox=SandboxSettings(enabled=True))  # a channel that behaves, whatever is tested otherwise
    began = time.monotonic()
    with console.status("reading the tables"):
        plan = _plan_of(folder)
    gc.freeze()  # the plan is a million objects that stay
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            balances = runner.run(_replay(settings, plan))
    except Refused as refused:
        if (why := REFUSED.get(refused.code)) is None:
            raise
        raise StoreRefusedError(why) from refused
    except KeyboardInterrupt:
        console.print("interrupted: the same command goes on where it was", style="yellow")
        raise typer.Exit(EXIT_CODE_INTERRUPTED) from None
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"took {time.monotonic() - began:.0f} s and {memory_mib:.0f} MiB of memory at most")
    if not balances:
        raise typer.Exit(1)


def _plan_of(folder: Path) -> "Plan":
    from yunduan.edges.olist.plan import plan  # noqa: PLC0415 - an optional extra stands behind it
    from yunduan.edges.olist.tables import TablesRefusedError, read  # noqa: PLC0415 - the same

    try:
        return plan(read(folder))
    except TablesRefusedError as error:
        raise StoreRefusedError(str(error)) from error


async def _replay(settings: Settings, plan: "Plan") -> bool:
    """Replay to the end and tell where it ended; answers whether the books balance, the channel's and ours."""
    from yunduan.edges.olist.replay import SOURCE, Replay  # noqa: PLC0415 - an optional extra stands behind it

    clock = VirtualClock(0)
    cloud = open_cloud(settings, clock=clock, importing=SOURCE, helper=AtOnce())
    try:
        with progress() as shown:
            bars = {what: shown.add_task(what, total=None, at="") for what in ("shops", "goods", "people", "addresses", "orders")}

            def watch(what: str, done: int, total: int) -> None:
                if done % STEPS_UNSEEN == 0 or done == total or what != "orders":
                    shown.update(bars[what], completed=done, total=total, at=_day(plan, done) if what == "orders" else "")

            replay = Replay(cloud, clock, plan, watch=watch)
            begun = await replay.begin()
            shown.console.print(_greeting(plan, begun))
            await replay.run(begun)
            await replay.come_back(time.time_ns() // 1_000_000)
        return _tell(plan, cloud)
    finally:
        await cloud.stop()


def _greeting(plan: "Plan", begun: Import) -> str:
    from yunduan.edges.olist.report import years  # noqa: PLC0415 - an optional extra stands behind it

    if begun.done:
        return f"going on where it was: {begun.done:,} of {begun.total:,} steps are done, until {_day(plan, begun.done)}"
    return f"Olist, {years(plan)}: {len(plan.purchases):,} checkouts in {begun.total:,} steps, each at its own date"


def _day(plan: "Plan", done: int) -> str:
    from yunduan.edges.olist.plan import ZONE  # noqa: PLC0415 - an optional extra stands behind it

    at = plan.steps[max(0, min(done, len(plan.steps)) - 1)].at
    return str(datetime.fromtimestamp(at / 1000, ZONE).date())


def _tell(plan: "Plan", cloud: Cloud) -> bool:
    from yunduan.edges.olist.report import outcome, sections  # noqa: PLC0415 - an optional extra stands behind it

    found = outcome(cloud)
    for section in sections(plan, found):
        console.print()
        console.print(section.title, style="bold")
        for row in section.rows:
            console.print(f"{row.figure:>14}  {row.says}")
    console.print()
    console.print("The books", style="bold")
    reader = cloud.store.reader()
    report = audit(reader)
    reader.close()
    print_audit(report)
    return found.reconciliation.agrees and not report.faults
