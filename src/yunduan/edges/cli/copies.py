"""`yunduan backup` and `yunduan restore`: a copy, and its return. Either is done as a whole, or leaves nothing behind."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from yunduan.backends import sqlite
from yunduan.cloud import open_cloud, open_reader, open_store
from yunduan.domains.ledger.audit import audit
from yunduan.domains.ledger.commands import NoteFork
from yunduan.edges.cli.books import print_audit
from yunduan.edges.cli.screen import Watch, console, watched
from yunduan.edges.cli.ways import KEYS, DataFolder, must_be_there, settings_of
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.imports import refuse_unfinished
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.restoring import raise_epoch
from yunduan.runtime.settings import Settings

STORE = "store"
"""The store's file in the folder of a copy."""
PIECE_BYTES = 4 * 2**20


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the copy of the store.")],
    keys: Annotated[Path | None, typer.Option(help="Another folder, for the keys: without them nothing personal can be read.")] = None,
    data: DataFolder = None,
) -> None:
    """Copy the store as of one moment while orders go on; keys are copied apart, so that they can be kept, and forgotten, apart."""
    settings = settings_of(data)
    must_be_there(settings)
    _must_be_free(target)
    if keys is not None:
        _must_be_apart(target, keys)
        _must_be_free(keys / KEYS)
    _refuse_unfinished(settings)
    began = time.monotonic()
    with _whole_folder(target) as folder:
        with watched("copying") as watch:
            _copy_store(settings, folder / STORE, watch)
        if keys is not None:  # after the store: keys are only ever added before what needs them
            keys.mkdir(parents=True, exist_ok=True, mode=0o700)
            sqlite.copy(Path(settings.data) / KEYS, keys / KEYS)
    size = (target / STORE).stat().st_size
    console.print(f"copied {size / 2**20:.1f} MiB to {target} in {time.monotonic() - began:.1f} s")
    if keys is not None:
        console.print(f"copied the keys to {keys}")


def _refuse_unfinished(settings: Settings) -> None:
    """A copy of half an import would be of no use: the sandbox's books, which it goes on with, are not in it."""
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
    brought = _what_is_brought(settings, source, keys)
    with taken_back_on_failure(Path(settings.data), list(brought)):
        for file, copy in brought.items():
            with watched(f"bringing back {file.name}") as watch:
                copy_file(copy, file, watch)
        epoch = _begin_epoch(settings, source)
    console.print(f"restored; this is epoch {epoch}")
    reader = open_reader(settings)
    with watched("proving the books") as watch:
        report = audit(reader, watch=watch)
    reader.close()
    print_audit(report)
    if report.faults:
        raise typer.Exit(1)


def _must_be_apart(target: Path, keys: Path) -> None:
    one, other = target.resolve(), keys.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise typer.BadParameter("keys are kept apart from the data: name a folder beside the copy's", param_hint="--keys")


def _must_be_free(place: Path) -> None:
    if place.exists():
        raise StoreRefusedError(f"{place} is there already")


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that has its name only when it is full, so that no half of a copy is taken for one; gone when that fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise


def _copy_store(settings: Settings, target: Path, watch: Watch) -> None:
    path = settings.sqlite_path()
    if path is not None:
        sqlite.copy(path, target, watch=watch)
        return
    from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

    postgresql.dump(settings.store.url, str(target))


def _what_is_brought(settings: Settings, source: Path, keys: Path | None) -> dict[Path, Path]:
    """The files of the data folder that come back, each with its copy; refuses before anything is touched."""
    copy, path, keys_path = source / STORE, settings.sqlite_path(), Path(settings.data) / KEYS
    brought = {}
    if not copy.is_file():
        raise StoreRefusedError(f"{source} holds no copy of a store")
    if path is not None:
        for place in sqlite.store_files(path):  # a log that lies beside would be taken for the copy's own
            _must_be_free(place)
        brought[path] = copy
    if keys is not None:
        if not (keys / KEYS).is_file():
            raise StoreRefusedError(f"{keys} holds no copy of keys")
        _must_be_free(keys_path)
        brought[keys_path] = keys / KEYS
    elif not keys_path.exists():
        raise StoreRefusedError("a store is of no use without its keys: name the folder with their copy (--keys)")
    return brought


@contextmanager
def taken_back_on_failure(folder: Path, files: list[Path]) -> Iterator[None]:
    """Leaves a data folder as it was when the copy cannot be brought back into it, so that it can be tried again."""
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        yield
    except BaseException:
        for file in files:
            for place in sqlite.store_files(file):
                place.unlink(missing_ok=True)
        if not was_there:
            shutil.rmtree(folder)
        raise


def copy_file(source: Path, target: Path, watch: Watch = lambda _, __: None) -> None:
    """Copy a file into a new one that only its owner may read; on disk when it returns."""
    total, done = source.stat().st_size, 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        while piece := reading.read(PIECE_BYTES):
            writing.write(piece)
            done += len(piece)
            watch(done, total)
        writing.flush()
        os.fsync(descriptor)


def _begin_epoch(settings: Settings, source: Path) -> int:
    """Begin a new epoch in what was brought back, which a store that is a server takes from the copy first."""
    if settings.sqlite_path() is None:
        from yunduan.backends import postgresql  # noqa: PLC0415 - an optional extra

        postgresql.restore(settings.store.url, str(source / STORE))
    store = open_store(settings)
    try:
        epoch = raise_epoch(store)
    finally:
        store.close()
    asyncio.run(_note_fork(settings, epoch))
    return epoch


async def _note_fork(settings: Settings, epoch: int) -> None:
    cloud = open_cloud(settings)
    try:
        await cloud.send(NoteFork(why=f"restored as epoch {epoch}"), actor=SYSTEM)
        await cloud.send(StartJob(kind="destroy_erased_keys"), actor=SYSTEM)  # an old copy of the keys has those of the erased
    finally:
        await cloud.stop()
