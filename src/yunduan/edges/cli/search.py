"""`yunduan search …`: the indexes that goods and orders are found by."""

import os

import typer

from yunduan.cloud import open_indexers
from yunduan.edges.cli.screen import GOOD, console, watched
from yunduan.edges.cli.ways import DataFolder, must_be_there, settings_of
from yunduan.edges.index_keeper import NICE

app = typer.Typer(help="The indexes that goods and orders are found by.", no_args_is_help=True)


@app.callback()
def search() -> None:
    """The indexes that goods and orders are found by."""


@app.command()
def rebuild(data: DataFolder = None) -> None:
    """Make the index anew from the catalog, beside a server or without one; until it is whole, everybody is shown the one before."""
    settings = settings_of(data)
    must_be_there(settings)
    os.nice(NICE)
    with open_indexers(settings) as indexers, watched("indexing goods") as watch:
        indexers.goods.rebuild()
        while indexers.goods.step():
            watch(*indexers.goods.walked())
        goods, _ = indexers.goods.walked()
    console.print(GOOD, f"{goods:,} goods can be found")


@app.command("rebuild-orders")
def rebuild_orders(data: DataFolder = None) -> None:
    """Make the index of orders anew from the orders, likewise."""
    settings = settings_of(data)
    must_be_there(settings)
    os.nice(NICE)
    with open_indexers(settings) as indexers, watched("indexing orders") as watch:
        indexers.orders.rebuild()
        while indexers.orders.step():
            watch(*indexers.orders.walked())
        orders, _ = indexers.orders.walked()
    console.print(GOOD, f"{orders:,} orders can be found")
