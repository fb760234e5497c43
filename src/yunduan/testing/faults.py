"""What goes wrong, and when: decided by the seed before a life of the cloud begins."""

import random
from enum import StrEnum

import apsw
from msgspec import Struct

from yunduan.testing.disk import Change, Disk

STEPS = ("taken", "begun", "ran", "sealed", "flushed", "committing", "committed", "answered")
"""The steps of a batch between any two of which the cloud may be cut off."""
LENGTHS = (1, 6, 30, 100, 300)


class CrashError(BaseException):
    """The process is gone; nothing in it can catch this."""


class End(StrEnum):
    """How a life of the cloud ends."""

    AT_A_STEP = "at a step of the writer"
    AT_A_CHANGE = "at a change of the disk"
    BEFORE_A_SYNC = "before a sync of the disk"
    AT_A_CALLBACK = "between two callbacks"
    SYNC_FAILS = "a sync fails"
    DISK_FULL = "the disk is full"
    READ_FAILS = "a read fails"
    ORDERLY = "orderly"


_ENDS = (
    End.BEFORE_A_SYNC,
    End.BEFORE_A_SYNC,
    End.AT_A_STEP,
    End.AT_A_STEP,
    End.AT_A_CHANGE,
    End.AT_A_CHANGE,
    End.AT_A_CALLBACK,
    End.SYNC_FAILS,
    End.DISK_FULL,
    End.READ_FAILS,
    End.ORDERLY,
)


class Fate(Struct):
    """How one life ends, and after how much of it."""

    end: End
    after: int
    step: str = ""

    @classmethod
    def drawn(cls, chance: random.Random) -> "Fate":
        """By the seed."""
        end, length = chance.choice(_ENDS), chance.choice(LENGTHS)
        pace = {End.AT_A_CHANGE: 12, End.AT_A_CALLBACK: 6, End.DISK_FULL: 10, End.READ_FAILS: 2}.get(end, 1)
        return cls(end, chance.randrange(length * pace + 1), chance.choice(STEPS))

    @classmethod
    def brief(cls, chance: random.Random) -> "Fate":
        """Over before much has happened: what the start has read is all that anybody has seen."""
        return cls(End.AT_A_CALLBACK, chance.randrange(12))


class Doom:
    """Carries a fate out: told each step of the writer, each callback and each access to the disk."""

    def __init__(self, fate: Fate | None) -> None:
        """Without a fate nothing goes wrong."""
        self.fate = fate
        self.left = fate.after if fate else 0
        self.struck = False
        self.strikes = fate is not None and fate.end in _STRIKES
        """Whether an access to the disk is to fail."""

    def at_step(self, step: str) -> None:
        """The writer is at a step."""
        if self.fate is not None and self.fate.end is End.AT_A_STEP and self.fate.step == step:
            self._count_down()

    def at_callback(self) -> None:
        """A callback has run."""
        if self.fate is not None and self.fate.end is End.AT_A_CALLBACK:
            self._count_down()

    def _count_down(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise CrashError

    def at_access(self, what: str, name: str) -> None:
        """The disk is about to be read, written or synced: the error comes once, from then on all is well again."""
        if self.fate is None or self.struck or name.endswith("-journal"):
            return
        wanted, error = _STRIKES.get(self.fate.end, ("", apsw.IOError))
        if what == wanted:
            self.left -= 1
            if self.left < 0:
                self.struck = True
                raise error(f"injected: {self.fate.end}")


_STRIKES: dict[End, tuple[str, type[apsw.Error]]] = {
    End.SYNC_FAILS: ("sync", apsw.IOError),
    End.DISK_FULL: ("write", apsw.FullError),
    End.READ_FAILS: ("read", apsw.IOError),
}


class CuttableDisk(Disk):
    """A disk that keeps what it was at the moment at which the machine stopped."""

    changes_left: int | None = None
    syncs_left: int | None = None
    at_cut: Disk | None = None

    def cut(self, *, changes: int | None = None, syncs: int | None = None) -> None:
        """Stop after so many changes, or before the sync that follows on so many; None: never."""
        self.changes_left, self.syncs_left, self.at_cut = changes, syncs, None

    def wrote(self, name: str, at: int, data: bytes) -> None:
        """Bytes are in the cache."""
        self.files[name].pending.append(Change(at, data))
        if self.changes_left is not None:
            self._count_down()

    def truncated(self, name: str, size: int) -> None:
        """The file is shorter, in the cache."""
        super().truncated(name, size)
        self._count_down()

    def synced(self, name: str, since: int) -> None:
        """It has ended."""
        self._count_down()
        if self.syncs_left is not None and self.at_cut is None:
            self.syncs_left -= 1
            if self.syncs_left < 0:
                self.at_cut = self.copy()
        super().synced(name, since)

    def _count_down(self) -> None:
        if self.changes_left is not None and self.at_cut is None:
            self.changes_left -= 1
            if self.changes_left < 0:
                self.at_cut = self.copy()
