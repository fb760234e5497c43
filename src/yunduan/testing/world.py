"""A whole cloud under virtual time, driven from plain synchronous functions."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import DOMAINS, Cloud, Parts, join
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.clock import SeededEntropy, VirtualClock
from yunduan.runtime.ports import Snapshots, Store
from yunduan.runtime.registry import Domain
from yunduan.runtime.settings import MailboxSettings, MarketSettings, SandboxSettings, SearchSettings, Settings

Answer = TypeVar("Answer")
START_MS = 1_790_000_000_000
"""Some day in September 2026, on which every test begins."""


class World:
    """One cloud, its clock and its loop. Alarms ring and followers hear when `settle` or `pass_time` says so."""

    def __init__(
        self,
        store: Store,
        *,
        domains: tuple[Domain, ...] = DOMAINS,
        folder: Path | None = None,
        ports: Mapping[type, Any] | None = None,
        before_commit: tuple[Callable[[], None], ...] = (),
        at_ms: int = START_MS,
        seed: int = 0,
        market: MarketSettings | None = None,
        is_searched: bool = False,
        **settings: Any,
    ) -> None:
        """Open a cloud on a store: the whole of it, with keys and the sandbox's books in `folder`, or on the ports that are given.

        The index for searching is kept, whenever the cloud settles, if `is_searched`.
        """
        self.clock = VirtualClock(at_ms)
        self.entropy = SeededEntropy(seed)
        self._runner = asyncio.Runner()
        parts = Parts(ports=ports or {}, before_commit=before_commit)
        if folder is not None:
            said = Settings(
                mailbox=MailboxSettings(shown=True),
                market=market or MarketSettings(),
                sandbox=SandboxSettings(custodian=True),
                search=SearchSettings(keeper="here" if is_searched else "nobody"),
            )
            parts = join(folder, settings=said, clock=self.clock, entropy=self.entropy)
        self.cloud = self.run(self._open(store, domains=domains, parts=parts, entropy=self.entropy, **settings))
        self._reader: Snapshots | None = None

    @classmethod
    def at(cls, folder: Path, **settings: Any) -> Self:
        """Open a cloud on the embedded store in a folder."""
        is_whole = "domains" not in settings and "ports" not in settings
        return cls(SqliteStore(folder / "yunduan.sqlite"), folder=folder if is_whole else None, **settings)

    async def _open(self, store: Store, **settings: Any) -> Cloud:
        return Cloud(store, clock=self.clock, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the cloud."""
        if self._reader is not None:
            self._reader.close()
        self.run(self.cloud.stop())
        self._runner.close()

    def run(self, story: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a coroutine on this world's loop."""
        return self._runner.run(story)

    def send(self, command: Command[Answer], *, actor: Actor = SYSTEM, key: str = "") -> Answer:
        """Have a command carried out; raises `Refused`."""
        return self.run(self.cloud.send(command, actor=actor, key=key))

    def send_all(self, commands: list[tuple[Command[Any], Actor]], *, keys: list[str] | None = None) -> list[Any]:
        """Submit many at once; answers, or the exceptions, in order."""

        async def together() -> list[Any]:
            asked = [self.cloud.send(command, actor=actor, key=keys[n] if keys else "") for n, (command, actor) in enumerate(commands)]
            return list(await asyncio.gather(*asked, return_exceptions=True))

        return self.run(together())

    def refusal(self, command: Command[Any], *, actor: Actor = SYSTEM, key: str = "") -> str:
        """The code that a command is refused with; an accepted one is an error."""
        try:
            self.send(command, actor=actor, key=key)
        except Refused as refused:
            return refused.code.value
        raise AssertionError(f"{type(command).__name__} was accepted")

    def ask(self, query: Query[Answer], *, actor: Actor = SYSTEM) -> Answer:
        """Answer a query from the last commit."""
        return self.cloud.ask(query, actor=actor)

    def settle(self) -> None:
        """Let every fact be heard and every due alarm ring."""
        self.run(self.cloud.settle())

    def pass_time(self, by_ms: int) -> None:
        """Let time pass, with everything that becomes due on the way rung at its own time."""
        end = self.clock.wall_ms() + by_ms
        self.settle()
        while (due := self._next_due()) is not None and due <= end:
            self._go_to(due)
        self._go_to(end)

    def _next_due(self) -> int | None:
        return min((due for runner in self.cloud.runners if (due := runner.next_due()) is not None), default=None)

    def _go_to(self, at_ms: int) -> None:
        self.clock.advance_to(at_ms)
        self.settle()

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What the store holds now, for a test to look at."""
        if self._reader is None:
            self._reader = self.cloud.store.reader()
        return self._reader.rows(sql, arguments)
