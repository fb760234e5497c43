"""Copies, their return, and a look at the health of everything."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from yunduan.backends import sqlite
from yunduan.cloud import open_cloud, open_reader, open_store
from yunduan.domains.ledger.audit import audit
from yunduan.domains.ledger.commands import NoteFork
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.ways import DataFolder, console, settings_of
from yunduan.edges.doctor import Finding, examine
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.imports import refuse_unfinished
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.restoring import raise_epoch
from yunduan.runtime.settings import Settings

STORE_COPY, KEYS_COPY = "store", "keys.sqlite"


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the copy of the store.")],
    keys: Annotated[Path | None, typer.Option(help="Another folder, for the keys: without them nothing personal can be read.")] = None,
    data: DataFolder = None,
) -> None:
    """Copy the store as of one moment while orders go on; keys are copied apart, so that they can be kept, and forgotten, apart."""
    settings = settings_of(data)
    _refuse_unfinished(settings)
    target.mkdir(parents=True, exist_ok=False)
    began = time.monotonic()
    path = settings.sqlite_path()
    if path is not None:
        sqlite.copy(path, target / STORE_COPY)
    else:
        from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

        postgresql.dump(settings.store.url, str(target / STORE_COPY))
    size = (target / STORE_COPY).stat().st_size
    console.print(f"copied {size / 2**20:.1f} MiB to {target} in {time.monotonic() - began:.1f} s")
    if keys is not None:  # after the store: keys are only ever added before what needs them
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        sqlite.copy(Path(settings.data) / KEYS_COPY, keys / KEYS_COPY)
        (keys / KEYS_COPY).chmod(0o600)
        console.print(f"copied the keys to {keys}")


def _refuse_unfinished(settings: Settings) -> None:
    """A copy of a half of an import would be of no use: the sandbox's books, which it goes on with, are not in it."""
    path = settings.sqlite_path()
    if path is not None and not path.is_file():
        raise StoreRefusedError(f"{path} is not there: no store was ever made here")
    reader = open_reader(settings)
    try:
        refuse_unfinished(reader)
    finally:
        reader.close()


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `backup` made.")],
    keys: Annotated[Path | None, typer.Option(help="The folder with the copy of the keys.")] = None,
    data: DataFolder = None,
) -> None:
    """Bring a copy back into an empty data folder, begin a new epoch, write the fork into the ledger's chain, and audit the books."""
    settings = settings_of(data)
    folder = Path(settings.data)
    _bring_back(settings, source, folder, keys)
    store = open_store(settings)
    try:
        epoch = raise_epoch(store)
    finally:
        store.close()
    _note_fork(settings, epoch)
    console.print(f"restored; this is epoch {epoch}")
    reader = open_reader(settings)
    report = audit(reader)
    reader.close()
    print_audit(report)


def _bring_back(settings: Settings, source: Path, folder: Path, keys: Path | None) -> None:
    copy, path = source / STORE_COPY, settings.sqlite_path()
    if not copy.is_file():
        raise StoreRefusedError(f"{source} holds no copy of a store")
    if keys is None and not (folder / KEYS_COPY).exists():
        raise StoreRefusedError("a store is of no use without its keys: name the folder with their copy (--keys)")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path is None:
        from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

        postgresql.restore(settings.store.url, str(copy))
    elif there := next((file for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if file.exists()), None):
        # a log that lies beside would be taken for the copy's own
        raise StoreRefusedError(f"{there} is there already: a copy is brought back into an empty folder")
    else:
        shutil.copyfile(copy, path)
    if keys is not None:
        if (folder / KEYS_COPY).exists():
            raise StoreRefusedError(f"{folder / KEYS_COPY} is there already")
        shutil.copyfile(keys / KEYS_COPY, folder / KEYS_COPY)
        (folder / KEYS_COPY).chmod(0o600)


def _note_fork(settings: Settings, epoch: int) -> None:
    import asyncio  # noqa: PLC0415 - of one use

    async def run() -> None:
        cloud = open_cloud(settings)
        try:
            await cloud.send(NoteFork(why=f"restored as epoch {epoch}"), actor=SYSTEM)
            await cloud.send(StartJob(kind="destroy_erased_keys"), actor=SYSTEM)  # an old copy of the keys has those of the erased
        finally:
            await cloud.stop()

    asyncio.run(run())


def doctor(data: DataFolder = None) -> None:
    """Look at everything that can be wrong and say what to do about it; changes nothing, and may run beside a server."""
    settings = settings_of(data)
    findings = examine(settings)
    for finding in findings:
        _print(finding)
    if any(finding.is_bad for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    mark = "[bold red]✗[/]" if finding.is_bad else "[green]✓[/]"
    advice = f"\n    [yellow]{finding.advice}[/]" if finding.is_bad and finding.advice else ""
    console.print(f"{mark} {finding.what}: {finding.found}{advice}")
