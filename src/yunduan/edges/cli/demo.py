"""`yunduan demo`: a market to look at, in an empty folder."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from yunduan.backends import sqlite
from yunduan.cloud import open_store
from yunduan.edges.cli.copies import copy_file, taken_back_on_failure
from yunduan.edges.cli.screen import console, progress
from yunduan.edges.cli.ways import KEYS, DataFolder, settings_of
from yunduan.edges.demo.making import SEED, Made, made_apart, make
from yunduan.edges.demo.opening import OPERATOR, SHOP_OWNER
from yunduan.edges.demo.people import BUYER
from yunduan.kernel.refusals import Refused
from yunduan.runtime.imports import ImportRefusal
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.settings import Settings

EXIT_CODE_INTERRUPTED = 130
BARS = ("shops", "goods", "people", "orders")
NOT_EMPTY = "there is a marketplace here already: `yunduan demo` makes one in an empty folder (--data)"


def demo(
    data: DataFolder = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes another market of the same shops.")] = SEED,
    *,
    if_empty: Annotated[bool, typer.Option("--if-empty", help="Say nothing, and do nothing, where there is a marketplace.")] = False,
) -> None:
    """Make a market to look at: twelve shops, three hundred goods, five hundred people, sixty days of orders that end now.

    Done as a whole, or not at all. Ends with exit code 1 where there is a marketplace, and with 130 when it was interrupted.
    """
    settings = settings_of(data)
    if _is_there(settings):
        if if_empty:
            return
        raise StoreRefusedError(NOT_EMPTY)
    began = time.monotonic()
    try:
        made = _made(settings, seed)
    except Refused as refused:
        if refused.code not in (ImportRefusal.STORE_NOT_EMPTY, ImportRefusal.FINISHED, ImportRefusal.OTHER_CONTENT):
            raise
        raise StoreRefusedError(NOT_EMPTY) from refused
    except KeyboardInterrupt:
        console.print("interrupted: nothing was made", style="yellow")
        raise typer.Exit(EXIT_CODE_INTERRUPTED) from None
    _tell(made, seconds=time.monotonic() - began)


def _is_there(settings: Settings) -> bool:
    path = settings.sqlite_path()
    stores = sqlite.store_files(path) if path is not None else ()
    return any(place.exists() for place in (*stores, Path(settings.data) / KEYS))


def _made(settings: Settings, seed: int) -> Made:
    """In the store itself where that is a server; else apart, and moved when it is whole."""
    path = settings.sqlite_path()
    if path is None:
        Path(settings.data).mkdir(parents=True, exist_ok=True, mode=0o700)
        return _watched(settings, seed)
    with made_apart(settings) as apart:
        made, folder = _watched(apart, seed), Path(settings.data)
        store = Path(apart.data) / "yunduan.sqlite"
        beside = [file for file in sorted(Path(apart.data).iterdir()) if file != store and file.suffix != ".lock"]
        brought = {folder / file.name: file for file in beside} | {path: store}  # the store last: with it the marketplace is there
        with taken_back_on_failure(folder, list(brought)):
            for target, file in brought.items():
                copy_file(file, target)
    return made


def _watched(settings: Settings, seed: int) -> Made:
    with progress() as bars, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tasks = {what: bars.add_task(what, total=None, at="") for what in BARS}

        def watch(what: str, done: int, total: int) -> None:
            bars.update(tasks[what], completed=done, total=total)

        return runner.run(make(open_store(settings), settings, seed=seed, watch=watch))


def _tell(made: Made, *, seconds: float) -> None:
    states = ", ".join(f"{number:,} {state.value}" for state, number in made.orders.items())
    console.print(f"made {made.shops} shops, {made.goods} goods, {made.people} people and {made.reviews:,} reviews in {seconds:.0f} s")
    console.print(f"{sum(made.orders.values()):,} orders: {states}")
    console.print("sign in as", style="bold")
    for who, contact, what in (
        ("buyer", BUYER, "has an order in every state, a wallet and a cart"),
        ("shop", SHOP_OWNER, "owns 山里红果园, Hawthorn Hill Orchard; the other shops' owners are called alike"),
        ("operator", OPERATOR, "admin, finance and service"),
    ):
        console.print(f"{who:>9}  {contact:<22}  {what}")
    console.print("codes are sent nowhere: `yunduan person code <contact>` shows the last one, `yunduan person mailbox` all letters")
