"""The commands, grouped by what they are about."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from yunduan.edges.cli import books, data, imports, people, shops
from yunduan.edges.cli.ways import settings_of
from yunduan.edges.operator import RefusedThereError
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import StoreRefusedError

app = typer.Typer(
    name="yunduan",
    help="Yunduan (云端): an open mobile-commerce cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(books.app, name="ledger")
app.add_typer(people.app, name="person")
app.add_typer(shops.app, name="shop")
app.add_typer(imports.app, name="import")
for command in (data.backup, data.restore, data.doctor):
    app.command()(command)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; the setting http.host otherwise.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on; the setting http.port otherwise.")] = None,
    folder: Annotated[Path | None, typer.Option("--data", help="Folder of store and keys; the setting data otherwise.")] = None,
    *,
    confirm_clock: Annotated[bool, typer.Option(help="Say that the time is right although the cloud was away for long.")] = False,
) -> None:
    """Serve the marketplace over HTTP until Ctrl-C."""
    from yunduan.edges.http.serve import serve  # noqa: PLC0415 - the web framework is loaded by whoever serves alone

    raise typer.Exit(serve(settings_of(folder, host=host, port=port), confirm_clock=confirm_clock))


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what is refused or wrong is one line on the standard error and an exit code of 1."""
    _told(lambda: app(arguments))


def _told(command: Callable[[], None]) -> None:
    try:
        command()
    except RefusedThereError as refused:
        _fail(f"refused: {refused}")
    except (StoreRefusedError, FaultError, OSError) as error:
        _fail(str(error))


def _fail(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[bold red]✗[/] {text}", highlight=False)
    raise SystemExit(1)
