"""A process of its own that keeps the search index: it reads the store, hears of commits, and is started again when it falls.

Cutting Chinese and reading it takes dictionaries of 40 MiB and a tenth of a millisecond for each good: neither is the business of the
process that takes orders.
"""

import asyncio
import os
import select
import sys
import time

import msgspec
import structlog

from yunduan.cloud import open_indexer
from yunduan.domains.search.indexing import Indexer, concerns
from yunduan.edges.logs import configure_logs
from yunduan.runtime.memory import Changes
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)
LOOKS_EVERY_S = 1.0
PAUSE_S = 1.0
END_S = 5.0
TRIES = 3
_NICE = 5
"""Orders come first."""


class IndexKeeper:
    """The process, seen from the one that writes. It watches commits, and pokes it when something was told."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    def pin(self) -> None:
        """A commit that is on its way has told nothing yet."""

    def renew(self, changes: Changes) -> None:
        """A byte is enough: it reads what was told by itself. Orders, which change nothing of what is found, do not wake it."""
        way = self._process.stdin if self._process is not None else None
        if way is not None and concerns(changes.facts) and not way.is_closing() and not way.transport.get_write_buffer_size():
            way.write(b"\n")

    def stand_aside(self, *, aside: bool) -> None:
        """It holds no snapshot between two steps."""

    async def run(self) -> None:
        """Start it, and start it again when it falls, until cancelled; then it ends by itself."""
        try:
            while True:
                process = self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "yunduan.edges.index_keeper", stdin=asyncio.subprocess.PIPE
                )
                if process.stdin is not None:
                    process.stdin.write(msgspec.json.encode(self._settings) + b"\n")
                code = await process.wait()
                log.error(
                    "index_keeper_fell", code=code, why="its log lines, or the system's, say; goods are found as they were until then"
                )
                await asyncio.sleep(PAUSE_S)
        finally:
            await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def keep(settings: Settings, way: int) -> int:
    """Keep the index until the way is closed; answers the exit code."""
    os.nice(_NICE)
    with open_indexer(settings) as indexer:
        steps = Steps(indexer)
        while _is_open(way, wait_s=0.0 if steps.step() else LOOKS_EVERY_S):
            pass
    return 0


class Steps:
    """Steps of an indexer that go on whatever goes wrong: tried again from what is on disk, then with an index made anew."""

    def __init__(self, indexer: Indexer, *, pause_s: float = PAUSE_S) -> None:
        """None has failed yet."""
        self._indexer = indexer
        self._pause_s = pause_s
        self._failed = 0

    def step(self) -> bool:
        """One step; answers whether there may be more."""
        try:
            if self._failed >= TRIES:
                self._failed = 0
                self._indexer.rebuild()
            more = self._indexer.step()
        except Exception:
            self._failed += 1
            log.exception("index_step_failed", tries=self._failed)
            self._indexer.close()
            time.sleep(self._pause_s)
            return True
        self._failed = 0
        return more


def _is_open(way: int, *, wait_s: float) -> bool:
    """Whether the other end is still there, when somebody has poked or the wait is over."""
    ready, _, _ = select.select([way], [], [], wait_s)
    return not ready or bool(os.read(way, 4096))


def main() -> int:
    """Take the settings from the first line, and keep."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return 0
        line += read
    settings = msgspec.json.decode(line, type=Settings)
    configure_logs(settings.log)
    return keep(settings, 0)


if __name__ == "__main__":
    sys.exit(main())
