"""What goes on beside the requests, and must not die in silence."""

import asyncio
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)
PAUSE_S = 1.0


class Runner(Protocol):
    """Something that goes on beside the requests until it is cancelled."""

    async def run(self) -> None:
        """Go on."""
        ...

    async def run_once(self) -> int:
        """Do what is to be done now; answers how much that was, 0 when there was nothing."""
        ...

    def next_due(self) -> int | None:
        """When there will be something to do that only time brings, in milliseconds since 1970."""
        ...


async def again_and_again(runner: Runner) -> None:
    """Run, and after an error that nobody foresaw run again: what goes on beside the requests must not die in silence."""
    while True:
        try:
            await runner.run()
        except Exception:
            log.exception("runner_failed", runner=type(runner).__name__)
        await asyncio.sleep(PAUSE_S)
