"""`yunduan sandbox …`: what payers' banks do, in the sandbox's books."""

from typing import Annotated

import typer
from rich.table import Column, Table

from yunduan.cloud import open_sandbox
from yunduan.domains.orders.model import checkout_of, payment_of
from yunduan.domains.payments.model import charge_reference
from yunduan.edges.cli.screen import console
from yunduan.edges.cli.ways import DataFolder, moment, settings_of
from yunduan.kernel.ids import OrderId
from yunduan.runtime.ports import StoreRefusedError

app = typer.Typer(help="The sandbox channel: what payers' banks do.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The chargeback's name (dsp…).")]


@app.command(name="charge-back")
def charge_back(
    paid: Annotated[str, typer.Argument(help="An order (ord_…) that was paid over the sandbox, or a charge of it (chg_…).")],
    amount: Annotated[int, typer.Option(min=0, help="How much, in minor units; all that is left of the charge otherwise.")] = 0,
    fee: Annotated[int, typer.Option(min=0, help="What the channel takes for it, in minor units.")] = 1_500,
    data: DataFolder = None,
) -> None:
    """Have the payer's bank take a payment back; the running server is told at once."""
    reference = charge_reference(payment_of(checkout_of(OrderId(paid))), 0) if paid.startswith("ord_") else paid
    sandbox = open_sandbox(settings_of(data))
    try:
        name = sandbox.charge_back(reference, amount, fee=fee)
        if not name:
            raise StoreRefusedError(f"so much of {reference} is not there to take back")
        console.print(f"{name}: {reference} is charged back")
    finally:
        sandbox.close()


@app.command()
def win(name: Name, data: DataFolder = None) -> None:
    """Have the bank return what it took."""
    _decide(name, data, won=True)


@app.command()
def lose(name: Name, data: DataFolder = None) -> None:
    """Have the bank keep it for the payer."""
    _decide(name, data, won=False)


def _decide(name: str, data: DataFolder, *, won: bool) -> None:
    sandbox = open_sandbox(settings_of(data))
    try:
        if not sandbox.decide_chargeback(name, won=won):
            raise StoreRefusedError(f"there is no chargeback {name} that has not been decided")
        console.print(f"{name} is {'won' if won else 'lost'}")
    finally:
        sandbox.close()


@app.command(name="list")
def list_chargebacks(data: DataFolder = None) -> None:
    """List the chargebacks, with how often evidence was given."""
    table = Table(Column("chargeback", no_wrap=True), "charge", "amount", "state", "evidence until", "given", box=None)
    sandbox = open_sandbox(settings_of(data))
    try:
        for event in sandbox.chargebacks():
            given = str(len(sandbox.evidence(event.chargeback)))
            table.add_row(event.chargeback, event.reference, str(event.amount), event.outcome, moment(event.evidence_due), given)
    finally:
        sandbox.close()
    console.print(table)
