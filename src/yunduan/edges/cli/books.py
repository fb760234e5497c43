"""`yunduan ledger …`: the books, proved."""

import time

import typer

from yunduan.cloud import open_reader
from yunduan.domains.ledger.audit import Audited, audit
from yunduan.edges.cli.screen import BAD, GOOD, console
from yunduan.edges.cli.ways import DataFolder, settings_of
from yunduan.kernel.money import Money

app = typer.Typer(help="The books.", no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """The books."""


@app.command(name="audit")
def prove(data: DataFolder = None) -> None:
    """Prove the books from the first transfer on, and print what was proved; may run beside a server."""
    reader = open_reader(settings_of(data))
    began = time.monotonic()
    report = audit(reader)
    reader.close()
    print_audit(report, seconds=time.monotonic() - began)
    if report.faults:
        raise typer.Exit(1)


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
