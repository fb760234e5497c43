"""Carries what waits to others, beside the transactions: at least once, patiently, and nothing twice at the same time."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from yunduan.kernel.actors import Actor
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import FaultError

Answer = TypeVar("Answer")
Item = TypeVar("Item")
log = structlog.get_logger(__name__)
AT_ONCE = 20
PAUSE_S = 0.25
PATIENCE_S = 10.0
"""How long a carrier may take for one thing."""


class Office(Protocol):
    """The part of a cloud that a courier talks to."""

    def ask(self, query: Query[Answer], *, actor: Actor) -> Answer:
        """Answer a query from the last commit."""
        ...

    async def send(self, command: Command[Answer], *, actor: Actor, background: bool) -> Answer:
        """Have a command carried out."""
        ...


class Carrying(ABC, Generic[Item]):
    """Takes what waits, gives each to its carrier and has noted what came of it.

    What has been carried and could not be noted is noted again, not carried again; what was lost with the process is carried again.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """Nothing has been carried yet."""
        self._patience_s = patience_s
        self._unnoted: dict[str, bool] = {}
        self.sent = self.failed = 0

    @abstractmethod
    def due(self) -> Sequence[tuple[str, Item]]:
        """What waits now, each under its name; at most `AT_ONCE`."""

    @abstractmethod
    async def carry(self, item: Item) -> None:
        """Return when the carrier has taken it; any error means that it has not."""

    @abstractmethod
    async def note(self, name: str, *, is_sent: bool) -> None:
        """Have noted what came of it."""

    async def run(self) -> None:
        """Carry until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Carry what waits; answers how much that was."""
        due = self.due()
        await asyncio.gather(*(self._carry(name, item) for name, item in due if name not in self._unnoted))
        for name, is_sent in list(self._unnoted.items()):
            try:
                await self.note(name, is_sent=is_sent)
            except FaultError as fault:
                log.warning("delivery_not_noted", letter=name, error=str(fault))
            else:
                del self._unnoted[name]
        return len(due)

    def next_due(self) -> int | None:
        """Never by time alone, unless it says so."""
        return None

    async def _carry(self, name: str, item: Item) -> None:
        """Whatever a carrier raises, it is tried again; the error's text may hold what is personal, so it is not logged."""
        (outcome,) = await asyncio.gather(asyncio.wait_for(self.carry(item), self._patience_s), return_exceptions=True)
        if isinstance(outcome, BaseException):
            log.warning("letter_not_taken", letter=name, error=type(outcome).__name__)
            self.failed += 1
        else:
            self.sent += 1
        self._unnoted[name] = outcome is None
