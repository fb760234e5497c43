"""How a command of the command line reaches its cloud."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from msgspec.structs import replace
from rich.console import Console

from yunduan.cloud import open_cloud
from yunduan.edges.operator import Operator, operating
from yunduan.runtime.settings import Settings, settings_or_exit

Answer = TypeVar("Answer")
console = Console(highlight=False, soft_wrap=True)
DataFolder = Annotated[Path | None, typer.Option("--data", help="Folder of store and keys; the setting `data` otherwise.")]


def moment(at_ms: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def settings_of(folder: Path | None, *, host: str = "", port: int | None = None) -> Settings:
    """The settings, with what the command line says instead; ends the process with exit code 2 when one does not fit."""
    settings = settings_or_exit()
    if folder is not None:
        settings = replace(settings, data=str(folder))
    http = replace(settings.http, host=host or settings.http.host, port=settings.http.port if port is None else port)
    return replace(settings, http=http)


def with_operator(settings: Settings, story: Callable[[Operator], Awaitable[Answer]]) -> Answer:
    """Do something as the cloud's owner: through the running server, or by holding the store meanwhile."""

    async def run() -> Answer:
        async with operating(Path(settings.data), lambda: open_cloud(settings)) as operator:
            return await story(operator)

    return asyncio.run(run())
