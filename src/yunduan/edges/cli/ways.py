"""How a command of the command line reaches its cloud."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from msgspec.structs import replace

from yunduan.cloud import Cloud, open_cloud
from yunduan.edges.operator import Operator, operating
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.settings import Settings, settings_or_exit

Answer = TypeVar("Answer")
KEYS = "keys.sqlite"
"""Their file in the data folder."""
DataFolder = Annotated[Path | None, typer.Option("--data", help="Folder of store and keys; the setting `data` otherwise.")]


def moment(at_ms: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def settings_of(folder: Path | None, *, host: str = "", port: int | None = None, readers: int | None = None) -> Settings:
    """The settings, with what the command line says instead; ends the process with exit code 2 when one does not fit."""
    settings = settings_or_exit()
    if folder is not None:
        settings = replace(settings, data=str(folder))
    said = {"host": host or None, "port": port, "readers": readers}
    return replace(settings, http=replace(settings.http, **{name: value for name, value in said.items() if value is not None}))


def must_be_there(settings: Settings) -> None:
    """Refuse a folder in which no marketplace was begun: a slip in its name shall not begin another one."""
    path, keys = settings.sqlite_path(), Path(settings.data) / KEYS
    if path is not None and not path.is_file():
        raise StoreRefusedError(f"{path} is not there: `yunduan serve` begins a marketplace, `yunduan restore` brings one back")
    if not keys.is_file():
        raise StoreRefusedError(f"{keys} is not there: a store is of no use without its keys")


def with_operator(settings: Settings, story: Callable[[Operator], Awaitable[Answer]], *, begins: bool = False) -> Answer:
    """Do something as the cloud's owner: through the running server, or by holding the store meanwhile.

    Raises `StoreRefusedError` when there is no marketplace, unless the story `begins` one.
    """

    def opened() -> Cloud:
        if not begins:
            must_be_there(settings)
        return open_cloud(settings)

    async def run() -> Answer:
        async with operating(Path(settings.data), opened) as operator:
            return await story(operator)

    return asyncio.run(run())
