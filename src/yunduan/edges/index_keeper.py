"""A process of its own that keeps the search indexes: it reads the store, hears of commits, and is started again when it falls.

Cutting Chinese and reading it takes dictionaries of 40 MiB and a tenth of a millisecond for each good: neither is the business of the
process that takes orders.
"""

import asyncio
import gc
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from yunduan.cloud import Indexers, open_indexers
from yunduan.domains.search import words
from yunduan.domains.search.indexing import concerns
from yunduan.domains.search.making import Maker
from yunduan.edges.logs import configure_logs
from yunduan.edges.processor import ask_for_turns
from yunduan.runtime.memory import Changes
from yunduan.runtime.ports import MadeElsewhereError
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)
LOOKS_EVERY_S = 1.0
RESTS_AFTER_S = 0.02
"""Nothing is tidied up before: who puts goods on sale one after the other does not wait for it."""
ORDERS_REST_AFTER_S, ORDERS_LOOK_EVERY_S = 0.25, 0.5
"""Together less than it takes until more orders have come than are looked through directly (`NEW_SCANNED`), at 2,500 a second."""
BUSY_S = 2.0
"""So long after an order was read, people are taken to buy."""
PAUSE_S = 1.0
END_S = 5.0
TRIES = 3
NICE = 5
"""So many steps nicer is whoever makes or keeps an index: orders come first."""
TURN_NS = 250_000
"""So long a turn of the processor it asks for. Usual ones take 1.4 ms on two processors: whoever keeps an index waited for as long, each
time that goods came, for the process that had told of them. By its priority each counts three times: longer than 0.45 ms is not shorter."""


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
    """Keep the indexes until the way is closed; answers the exit code."""
    os.nice(NICE)
    ask_for_turns(TURN_NS)
    words.spoken(("预热",))  # its dictionaries take a second to load, which nobody's goods shall wait for
    gc.freeze()  # nor shall they be looked through for garbage again and again: a fifteenth of a making
    with open_indexers(settings) as indexers:
        turns = Turns(indexers)
        wait_s = 0.0
        while True:
            is_poked = _is_poked(way, wait_s=wait_s)
            if is_poked and not os.read(way, 4096):
                return 0
            wait_s = turns.take(is_poked=is_poked)


class Turns:
    """Whose turn it is: that of goods whenever there is something to do for them, that of orders now and then, half of the time at most.

    Orders of a moment are written together: their pages are mostly the same ones, and writing waits for the disk that commits wait for.
    While people buy, a making pauses for a third of its time, so that whoever takes their orders has the processor.
    """

    def __init__(self, indexers: Indexers, *, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been done."""
        self._goods = Steps(indexers.goods, pause_s=pause_s)
        self._orders = Steps(indexers.orders, pause_s=pause_s, rests_after_s=ORDERS_REST_AFTER_S, looks_every_s=ORDERS_LOOK_EVERY_S)
        self._indexers = indexers
        self._clock = clock
        self._goods_from = self._orders_from = 0.0
        self._busy_until = 0.0

    def take(self, *, is_poked: bool = False) -> float:
        """Take one; answers for how many seconds nothing has to be done then."""
        began = ended = self._clock()
        if is_poked or began >= self._goods_from:  # not when it is the orders' turn: a rest of goods is no shorter for that
            wait_s = self._goods.go_on(is_poked=is_poked)
            ended = self._clock()
            self._goods_from = ended + wait_s
        wait_s, took_s = self._goods_from - ended, ended - began
        if ended >= self._orders_from:
            began, orders_wait_s = ended, self._orders.go_on(is_poked=False)
            ended = self._clock()
            self._orders_from = ended + max(orders_wait_s, ended - began)
            if self._indexers.orders.has_written:
                self._busy_until = ended + BUSY_S
        if not wait_s and not self._goods.is_failing:
            return took_s / 2 if ended < self._busy_until else 0.0
        return min(wait_s, max(self._orders_from - ended, 0.0))


class Steps:
    """Steps of an indexer that go on whatever goes wrong: tried again from what is on disk, then with an index made anew."""

    def __init__(
        self, indexer: Maker[Any], *, pause_s: float = PAUSE_S, rests_after_s: float = RESTS_AFTER_S, looks_every_s: float = LOOKS_EVERY_S
    ) -> None:
        """None has failed yet."""
        self._indexer = indexer
        self._pause_s = pause_s
        self._rests_after_s = rests_after_s
        self._looks_every_s = looks_every_s
        self._failed = 0
        self._rests = self._has_waited = False

    @property
    def is_failing(self) -> bool:
        """Whether the last of them went wrong."""
        return self._failed > 0

    def go_on(self, *, is_poked: bool) -> float:
        """Hear what was told or, where nothing is, tidy up a little; answers for how many seconds nothing has to be done then."""
        if is_poked or not self._rests:
            has_waited = self._has_waited and not is_poked
            self._rests = not self.step()
            self._has_waited = not self._rests and self._indexer.can_wait
            return self._rests_after_s if self._has_waited or (self._rests and not has_waited) else 0.0
        self._rests = self._try(self._indexer.rest)
        return 0.0 if self._rests else self._looks_every_s

    def step(self) -> bool:
        """One step; answers whether there may be more."""
        return self._try(self._step)

    def _step(self) -> bool:
        if self._failed >= TRIES:
            self._failed = 0
            with suppress(MadeElsewhereError):
                self._indexer.rebuild()
        return self._indexer.step()

    def _try(self, does: Callable[[], bool]) -> bool:
        try:
            more = does()
        except Exception:
            self._failed += 1
            log.exception("index_step_failed", index=type(self._indexer).__name__, tries=self._failed)
            self._indexer.close()
            time.sleep(self._pause_s)
            return True
        self._failed = 0
        return more


def _is_poked(way: int, *, wait_s: float) -> bool:
    """Whether somebody has poked, or the other end is gone, before the wait is over."""
    return bool(select.select([way], [], [], wait_s)[0])


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
