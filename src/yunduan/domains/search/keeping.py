"""What keeps the index up beside the requests: in the process that writes, where that is wanted, a few goods at a time."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from yunduan.domains.search.making import Maker
from yunduan.kernel.messages import Fact
from yunduan.runtime.memory import Changes

LOOKS_EVERY_S = 1.0


class Keeping:
    """Runs an indexer; implements `runtime.runners.Runner`, and watches commits so that it wakes at once where it should."""

    def __init__(self, indexer: Maker[Any], *, wakes: Callable[[Iterable[Fact]], bool]) -> None:
        """Keep one; `wakes` says of which facts it hears at once."""
        self._indexer = indexer
        self._wakes = wakes
        self._woken = asyncio.Event()

    def pin(self) -> None:
        """A commit that is on its way has told nothing yet."""

    def renew(self, changes: Changes) -> None:
        """Wake when something was told that changes what is found."""
        if self._wakes(changes.facts):
            self._woken.set()

    def stand_aside(self, *, aside: bool) -> None:
        """It reads through a connection that holds nothing."""

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                self._woken.clear()
                if await self.run_once():
                    await asyncio.sleep(0)  # others first: a step takes as long as some requests
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOKS_EVERY_S)
        finally:
            self._indexer.close()

    async def run_once(self) -> int:
        """One step."""
        return int(self._indexer.step())

    def next_due(self) -> int | None:
        """Never by time alone."""
        return None
