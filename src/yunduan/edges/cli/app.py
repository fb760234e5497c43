"""The commands, grouped by what they are about."""

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from yunduan.edges.cli import books, copies, data, facts, imports, jobs, people, sandbox, search, shops
from yunduan.edges.cli.clock import confirm_clock
from yunduan.edges.cli.demo import demo
from yunduan.edges.cli.screen import BAD, console, errors
from yunduan.edges.cli.ways import settings_of
from yunduan.edges.operator import RefusedThereError, UnfitMessageError
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import MadeElsewhereError, StoreRefusedError
from yunduan.runtime.settings import EXIT_CODE, SettingsError

EXIT_CODE_USAGE = 2
"""An argument does not fit, as when typer finds out."""
EXTRAS = {"psycopg": "postgresql", "pyarrow": "import"}
"""The packages that not everybody needs, and the extra of ours that brings each."""

app = typer.Typer(
    name="yunduan",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(books.app, name="ledger")
app.add_typer(people.app, name="person")
app.add_typer(shops.app, name="shop")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(jobs.app, name="job")
app.add_typer(facts.app, name="fact")
app.add_typer(search.app, name="search")
app.add_typer(imports.app, name="import")
for command in (demo, copies.backup, copies.restore, data.doctor, confirm_clock):
    app.command()(command)


def _say_version(wanted: bool) -> None:
    if wanted:
        console.print(f"yunduan {version('yunduan')}")
        raise typer.Exit


@app.callback()
def yunduan(
    *, _: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")] = False
) -> None:
    """Yunduan (云端): an open mobile-commerce cloud."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; the setting http.host otherwise.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one; the setting http.port otherwise.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--data", help="Folder of store and keys; the setting data otherwise.")] = None,
    readers: Annotated[
        int | None, typer.Option(min=0, max=64, help="Processes that serve callers beside the one that writes; the setting otherwise.")
    ] = None,
    *,
    confirm: Annotated[bool, typer.Option("--confirm-clock", help="Say that the machine's clock is right, so that alarms ring.")] = False,
) -> None:
    """Serve the marketplace over HTTP until Ctrl-C."""
    from yunduan.edges.serve import serve  # noqa: PLC0415 - the web framework is loaded by whoever serves alone

    raise typer.Exit(serve(settings_of(folder, host=host, port=port, readers=readers), confirm_clock=confirm))


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what is refused or wrong is one line on the standard error and an exit code of 1, of 2 when an argument is.

    What it makes is its user's alone: stores, logs and copies hold what others may not read, and SQLite and PostgreSQL's programs
    ask nobody for the mode of their files.
    """
    os.umask(0o077)
    _told(lambda: app(arguments))


def _told(command: Callable[[], None]) -> None:
    try:
        command()
    except RefusedThereError as refused:
        _fail(f"refused: {refused}")
    except SettingsError as error:
        _fail(str(error), code=EXIT_CODE)
    except UnfitMessageError as error:
        _fail(str(error), code=EXIT_CODE_USAGE)
    except (StoreRefusedError, MadeElsewhereError, FaultError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        if extra is None:
            raise
        _fail(f"{error.name} is not installed; the extra `{extra}` brings it: {sys.executable} -m pip install 'yunduan[{extra}]'")


def _fail(text: str, *, code: int = 1) -> None:
    errors.print(BAD, " ".join(text.split()))
    raise SystemExit(code)
