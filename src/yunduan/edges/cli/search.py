"""`yunduan search …`: the index that goods are found by."""

import typer

from yunduan.cloud import open_indexer
from yunduan.edges.cli.screen import GOOD, console, watched
from yunduan.edges.cli.ways import DataFolder, must_be_there, settings_of

app = typer.Typer(help="The index that goods are found by.", no_args_is_help=True)


@app.callback()
def search() -> None:
    """The index that goods are found by."""


@app.command()
def rebuild(data: DataFolder = None) -> None:
    """Make the index anew from the catalog, beside a server or without one; until it is whole, everybody is shown the one before."""
    settings = settings_of(data)
    must_be_there(settings)
    with open_indexer(settings) as indexer, watched("indexing goods") as watch:
        indexer.rebuild()
        while indexer.step():
            watch(*indexer.walked())
        goods, _ = indexer.walked()
    console.print(GOOD, f"{goods:,} goods can be found")
