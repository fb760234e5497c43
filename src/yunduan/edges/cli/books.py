"""`yunduan ledger …`: the books, proved, and a day of them."""

import time
from typing import Annotated

import typer
from rich.table import Column, Table

from yunduan.cloud import DOMAINS, open_reader
from yunduan.domains.ledger.audit import Audited, audit
from yunduan.domains.orders.days import MarketDay, MarketDayView
from yunduan.edges.cli.screen import BAD, GOOD, console, watched
from yunduan.edges.cli.ways import DataFolder, settings_of, with_operator
from yunduan.edges.operator import Operator
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.migrations import migrations, pending
from yunduan.runtime.ports import Snapshots, StoreRefusedError

app = typer.Typer(help="The books.", no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """The books."""


@app.command(name="audit")
def prove(data: DataFolder = None) -> None:
    """Prove the books from the first transfer on, and print what was proved; may run beside a server."""
    reader = open_reader(settings_of(data))
    _must_be_current(reader)
    began = time.monotonic()
    with watched("proving the books") as watch:
        report = audit(reader, watch=watch)
    reader.close()
    print_audit(report, seconds=time.monotonic() - began)
    if report.faults:
        raise typer.Exit(1)


@app.command()
def day(
    named: Annotated[str, typer.Argument(metavar="[DAY]", help="A day of the market, such as 2026-09-21; today otherwise.")] = "",
    data: DataFolder = None,
) -> None:
    """Show a business day of the market: its orders, its turnover, what it did to the marketplace's own accounts."""

    async def asked(operator: Operator) -> MarketDayView:
        return await operator.ask(MarketDay(day=named))

    found = with_operator(settings_of(data), asked)
    console.print(f"{found.day}, {'over' if found.over else 'not over yet'}: {found.transfers:,} transfers")
    tables = {
        ("orders", "how many", "total"): [(one.state.value, f"{one.orders:,}", str(one.total)) for one in found.placed],
        ("turnover", "transfers", "moved"): [(one.what, f"{one.transfers:,}", str(one.amount)) for one in found.turnover],
        ("account", "opening", "closing"): [
            (one.name, _signed(one.opening, one.currency), _signed(one.closing, one.currency)) for one in found.accounts
        ],
    }
    for (first, *numbers), rows in tables.items():
        table = Table(Column(first, no_wrap=True), *[Column(name, justify="right", no_wrap=True) for name in numbers], box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(f"waiting: {found.payouts} payouts, {found.disputes} disputes, {found.alerts} alerts")
    if found.block:
        console.print(f"block {found.block.number:,}: {found.block.hash}")
    console.print(GOOD if found.balanced else BAD, "debits and credits agree" if found.balanced else "debits and credits do NOT agree")
    if not found.balanced:
        raise typer.Exit(1)


def _signed(minor: int, currency: str) -> str:
    """A balance, which may be below zero."""
    return f"{'-' if minor < 0 else ''}{Money(amount=abs(minor), currency=currency)}"


def _must_be_current(reader: Snapshots) -> None:
    """The books of another version may lie in other tables, and a store in which nothing was begun has none."""
    try:
        waiting = pending(reader, migrations(DOMAINS))
    except (StoreRefusedError, FaultError):
        raise
    except Exception as error:
        raise StoreRefusedError(f"no marketplace was begun in this store: {error}") from error
    if waiting:
        migrations_wait = "1 migration waits" if len(waiting) == 1 else f"{len(waiting)} migrations wait"
        raise StoreRefusedError(f"the books can be proved after the next start of the server, for which {migrations_wait}")


def print_audit(report: Audited, *, seconds: float | None = None) -> None:
    """What an audit proved, or what is wrong."""
    for line in report.proved:
        console.print(GOOD, line)
    for fault in report.faults:
        console.print(BAD, f"{fault.kind}: {fault}")
    took = f" in {seconds:.1f} s" if seconds is not None else ""
    verdict = "the books do NOT balance" if report.faults else "the books balance"
    turnover = ", ".join(str(Money(amount=amount, currency=currency)) for currency, amount in report.turnover.items())
    console.print(
        f"turnover {turnover or 'none'}; {report.accounts:,} accounts, {report.holds_open:,} open holds, chain end {report.chain_end[:16]}"
    )
    console.print(f"{verdict}: {report.transfers:,} transfer{'' if report.transfers == 1 else 's'}{took}")
