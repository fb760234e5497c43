"""A disk that remembers what has been synced, so that the power can be cut: what SQLite has written passes through an apsw VFS.

After a cut everything up to each file's last sync is there; of what was written since, each sector is there or not, whatever the
order of the writes, also across files. A file whose folder was not synced since it was made or deleted is there or not.
"""

import os
import random
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import apsw
import msgspec
from msgspec import Struct

SECTORS = (512, 4096)
_LENGTH = struct.Struct("<I")


class Recorder(Protocol):
    """Who is told what happens to the files of a store, in the order in which it happens."""

    def opened(self, name: str, *, created: bool, folder_synced_with_it: bool) -> None:
        """A file is in use; SQLite syncs the folder with the first sync of a new log or journal."""
        ...

    def wrote(self, name: str, at: int, data: bytes) -> None:
        """Bytes are in the system's cache."""
        ...

    def truncated(self, name: str, size: int) -> None:
        """The file is shorter, in the system's cache."""
        ...

    def syncing(self, name: str) -> int:
        """A sync begins; the answer is given back to `synced`. What is written meanwhile may not rely on it."""
        ...

    def synced(self, name: str, since: int) -> None:
        """What was written before that sync began is on the disk."""
        ...

    def deleted(self, name: str, *, folder_synced: bool) -> None:
        """The name is gone, in the system's cache."""
        ...


class Change(Struct, frozen=True, gc=False):
    """One write (`data` at `at`), or with `data=None` a truncation to `at`."""

    at: int
    data: bytes | None


class DiskFile:
    """What is on the disk for certain, and what is only in the system's cache."""

    def __init__(self) -> None:
        """An empty file."""
        self.durable = bytearray()
        self.pending: list[Change] = []
        self.settled = 0
        self.syncs_folder = False

    def copy(self) -> "DiskFile":
        """The same, apart."""
        other = DiskFile()
        other.durable, other.pending = bytearray(self.durable), list(self.pending)
        other.settled, other.syncs_folder = self.settled, self.syncs_folder
        return other

    def settle(self, through: int) -> None:
        """The first `through` changes ever made are durable."""
        count = max(0, through - self.settled)
        for change in self.pending[:count]:
            apply(self.durable, change)
        del self.pending[:count]
        self.settled += count

    def written(self) -> bytes | bytearray:
        """What a reader sees now, not to be changed."""
        if not self.pending:
            return self.durable
        content = bytearray(self.durable)
        for change in self.pending:
            apply(content, change)
        return content

    def after_power_loss(self, chance: random.Random) -> bytearray:
        """What is there when the machine comes back: any part of what was not synced."""
        content = bytearray(self.durable)
        keeps, sector = chance.choice((0.0, 0.5, 0.9, 1.0)), chance.choice(SECTORS)
        for change in self.pending:
            for part in _sectors(change, sector):
                if chance.random() < keeps:
                    apply(content, part)
        return content


def apply(content: bytearray, change: Change) -> None:
    """Make a change in memory; a gap is zeros."""
    if len(content) < change.at:
        content.extend(bytes(change.at - len(content)))
    if change.data is None:
        del content[change.at :]
    else:
        content[change.at : change.at + len(change.data)] = change.data


def _sectors(change: Change, sector: int) -> Iterator[Change]:
    if change.data is None:
        yield change
        return
    at, end = change.at, change.at + len(change.data)
    while at < end:
        border = min(end, (at // sector + 1) * sector)
        yield Change(at, change.data[at - change.at : border - change.at])
        at = border


class Disk:
    """Every file of a store, with what is certain about it; a `Recorder`."""

    def __init__(self) -> None:
        """An empty folder."""
        self.files: dict[str, DiskFile] = {}
        self.doubtful: list[tuple[str, DiskFile, bool]] = []
        """Names made (True) or deleted since the folder was last synced."""

    def copy(self) -> "Disk":
        """The same, apart: what the disk is at this moment."""
        other = Disk()
        copies = {id(file): file.copy() for file in [*self.files.values(), *(file for _, file, _ in self.doubtful)]}
        other.files = {name: copies[id(file)] for name, file in self.files.items()}
        other.doubtful = [(name, copies[id(file)], made) for name, file, made in self.doubtful]
        return other

    def unsynced(self) -> int:
        """How many changes are not on the disk for certain."""
        return sum(len(file.pending) for file in self.files.values())

    def after_power_loss(self, chance: random.Random) -> "Disk":
        """The disk when the machine comes back; all that is on it is certain now."""
        files = dict(self.files)
        for name, file, made in reversed(self.doubtful):
            if chance.random() < 0.5:
                continue
            if made and files.get(name) is file:
                del files[name]
            elif not made and name not in files:
                files[name] = file
        after = Disk()
        for name, file in files.items():
            kept = after.files[name] = DiskFile()
            kept.durable = file.after_power_loss(chance)
        return after

    def for_certain(self) -> "Disk":
        """The least that can be left of it."""
        certain = Disk()
        made = {name for name, _, is_made in self.doubtful if is_made}
        for name, file in self.files.items():
            if name not in made:
                certain.files[name] = DiskFile()
                certain.files[name].durable = file.durable
        return certain

    def put_into(self, folder: Path) -> None:
        """Lay the files into a folder as a reader sees them now."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in self.files.items():
            (folder / name).write_bytes(file.written())

    # What a recorder is told

    def opened(self, name: str, *, created: bool, folder_synced_with_it: bool) -> None:
        """A file is in use."""
        if name not in self.files:
            file = self.files[name] = DiskFile()
            if created:
                file.syncs_folder = folder_synced_with_it
                self.doubtful.append((name, file, True))

    def wrote(self, name: str, at: int, data: bytes) -> None:
        """Bytes are in the cache."""
        self.files[name].pending.append(Change(at, data))

    def truncated(self, name: str, size: int) -> None:
        """The file is shorter, in the cache."""
        self.files[name].pending.append(Change(size, None))

    def syncing(self, name: str) -> int:
        """A sync begins."""
        file = self.files[name]
        return file.settled + len(file.pending)

    def synced(self, name: str, since: int) -> None:
        """It has ended."""
        file = self.files[name]
        file.settle(since)
        if file.syncs_folder:
            file.syncs_folder = False
            self.doubtful.clear()

    def deleted(self, name: str, *, folder_synced: bool) -> None:
        """The name is gone."""
        file = self.files.pop(name, None)
        if file is not None:
            self.doubtful.append((name, file, False))
        if folder_synced:
            self.doubtful.clear()


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One line of a `DiskLog`: what a recorder was told, or a note of the program in between."""

    what: str
    name: str = ""
    at: int = 0
    data: bytes = b""
    flag: bool = False
    flag_too: bool = False


class DiskLog:
    """A `Recorder` that keeps everything in a file, for somebody else to cut the power at any point of it."""

    def __init__(self, path: Path) -> None:
        """Begin a log."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._entries = 0
        self._encode = msgspec.msgpack.Encoder().encode

    def note(self, text: bytes) -> None:
        """Write what the program says between two changes, such as an answer that leaves."""
        self._add(Entry("note", data=text))

    def opened(self, name: str, *, created: bool, folder_synced_with_it: bool) -> None:
        """A file is in use."""
        self._add(Entry("opened", name, flag=created, flag_too=folder_synced_with_it))

    def wrote(self, name: str, at: int, data: bytes) -> None:
        """Bytes are in the cache."""
        self._add(Entry("wrote", name, at, data))

    def truncated(self, name: str, size: int) -> None:
        """The file is shorter, in the cache."""
        self._add(Entry("truncated", name, size))

    def syncing(self, name: str) -> int:
        """A sync begins."""
        return self._add(Entry("syncing", name))

    def synced(self, name: str, since: int) -> None:
        """It has ended."""
        self._add(Entry("synced", name, since))

    def deleted(self, name: str, *, folder_synced: bool) -> None:
        """The name is gone."""
        self._add(Entry("deleted", name, flag=folder_synced))

    def _add(self, entry: Entry) -> int:
        body = self._encode(entry)
        with self._lock:
            self._entries += 1
            os.write(self._file, _LENGTH.pack(len(body)) + body)
            return self._entries


def logged(path: Path) -> list[Entry]:
    """The whole entries of a log, the last of which a killed program may have left torn; none when it never began one."""
    if not path.exists():
        return []
    content, decode, entries, at = path.read_bytes(), msgspec.msgpack.Decoder(Entry).decode, [], 0
    while at + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size
        if at + length > len(content):
            break
        entries.append(decode(content[at : at + length]))
        at += length
    return entries


def replay(disk: Disk, entries: list[Entry]) -> list[bytes]:
    """Do to a disk what the log says; answers the notes."""
    notes: list[bytes] = []
    begun: dict[int, int] = {}
    for number, entry in enumerate(entries, 1):
        if entry.what == "note":
            notes.append(entry.data)
        elif entry.what == "opened":
            disk.opened(entry.name, created=entry.flag, folder_synced_with_it=entry.flag_too)
        elif entry.what == "wrote":
            disk.wrote(entry.name, entry.at, entry.data)
        elif entry.what == "truncated":
            disk.truncated(entry.name, entry.at)
        elif entry.what == "syncing":
            begun[number] = disk.syncing(entry.name)
        elif entry.what == "synced":
            disk.synced(entry.name, begun.pop(entry.at))
        else:
            disk.deleted(entry.name, folder_synced=entry.flag)
    return notes


_LOGS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_KEPT = apsw.SQLITE_OPEN_MAIN_DB | _LOGS


class RecordingVfs(apsw.VFS):
    """The system's files, with everything that changes them told to a recorder.

    `strike(what, name)`, if given, is called before each read, write and sync and may raise an apsw error in its place. With `sync=False`
    nothing is really synced: for a recorder that only has to know. `base` names the files of the system that it stands on.
    """

    def __init__(
        self, name: str, recorder: Recorder, *, strike: Callable[[str, str], None] | None = None, sync: bool = True, base: str = ""
    ) -> None:
        """Register under a name, for `vfs=` of a connection."""
        self.name = name
        self.base = base
        self.recorder = recorder
        self.strike = strike
        self.sync = sync
        self.dead = False
        """Set when the process that had these files is gone: nothing that its remains do is told to anybody."""
        super().__init__(name, base=base)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file; what holds no data of the store is left alone."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not flags[0] & _KEPT:
            return apsw.VFSFile(self.base, name, flags)
        created = not os.path.exists(path)  # noqa: PTH110 - a path from SQLite, many times a second
        kind = _RecordingFile if self.strike is None else _DoomedFile
        opened = kind(self, name, flags, os.path.basename(path))  # noqa: PTH119 - the same
        if not self.dead:
            self.recorder.opened(opened.name, created=created, folder_synced_with_it=bool(flags[0] & _LOGS))
        return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Delete a file."""
        super().xDelete(filename, syncdir and self.sync)
        if not self.dead:
            self.recorder.deleted(os.path.basename(filename), folder_synced=syncdir)  # noqa: PTH119 - the same


class _RecordingFile(apsw.VFSFile):
    def __init__(self, vfs: RecordingVfs, path: Any, flags: list[int], name: str) -> None:
        super().__init__(vfs.base, path, flags)
        self.vfs = vfs
        self.name = name

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - apsw's name
        super().xWrite(data, offset)
        if not self.vfs.dead:
            self.vfs.recorder.wrote(self.name, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        super().xTruncate(newsize)
        if not self.vfs.dead:
            self.vfs.recorder.truncated(self.name, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        vfs = self.vfs
        if vfs.dead:
            return
        since = vfs.recorder.syncing(self.name)
        self.meet("sync")
        if vfs.sync:
            super().xSync(flags)
        vfs.recorder.synced(self.name, since)

    def meet(self, what: str) -> None:
        """Nothing is in the way of what is about to be done."""


class _DoomedFile(_RecordingFile):
    """One that may be struck whenever it is touched."""

    def meet(self, what: str) -> None:
        if not self.vfs.dead and self.vfs.strike is not None:  # remains that tidy up are no part of the life that was to be struck
            self.vfs.strike(what, self.name)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw's name
        self.meet("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - apsw's name
        self.meet("write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        self.meet("truncate")
        super().xTruncate(newsize)
