"""`yunduan fact …`: facts that a follower could not take."""

from typing import Annotated

import typer

from yunduan.edges.cli.screen import BAD, GOOD, console
from yunduan.edges.cli.ways import DataFolder, moment, settings_of, with_operator
from yunduan.edges.operator import Operator, RefusedThereError
from yunduan.runtime.following import HearParked, ParkedFacts

app = typer.Typer(help="Facts that a follower could not take and that were set aside.", no_args_is_help=True)
_AT_ONCE = 1000


@app.command()
def parked(data: DataFolder = None) -> None:
    """List the facts that are set aside, with what was wrong."""
    for fact in with_operator(settings_of(data), lambda operator: operator.ask(ParkedFacts(limit=_AT_ONCE))):
        console.print(f"{fact.follower:<20} fact {fact.seq:>9} {fact.kind:<20} since {moment(fact.at)}: {fact.error}")


@app.command()
def retry(
    follower: Annotated[str, typer.Argument(help="Who is to hear it.")] = "",
    seq: Annotated[int, typer.Argument(help="The number of the fact.")] = 0,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside, in their order, a thousand at most.")] = False,
    data: DataFolder = None,
) -> None:
    """Let a follower hear what was set aside; once it has taken it, it is set aside no more."""
    if every == bool(follower and seq):
        raise typer.BadParameter("name a follower and the number of a fact, or say --all")

    async def all_heard(operator: Operator) -> bool:
        wanted = [(fact.follower, fact.seq) for fact in await operator.ask(ParkedFacts(limit=_AT_ONCE))] if every else [(follower, seq)]
        return all([await _is_heard(operator, *one) for one in wanted])

    if not with_operator(settings_of(data), all_heard):
        raise typer.Exit(1)


async def _is_heard(operator: Operator, follower: str, seq: int) -> bool:
    try:
        await operator.send(HearParked(follower=follower, seq=seq))
    except RefusedThereError as refused:
        console.print(BAD, f"{follower} at fact {seq}: {refused!s}")
        return False
    console.print(GOOD, f"{follower} has heard fact {seq}")
    return True
