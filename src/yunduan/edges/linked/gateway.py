"""The reader's end: what the web edge asks in a process that does not write."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, TypeVar

import msgspec

from yunduan.cloud import Window
from yunduan.edges.http.meters import Meter
from yunduan.edges.http.watching import Readiness
from yunduan.edges.linked.link import Answer as Said
from yunduan.edges.linked.link import Aside, Caller, Commit, CommitCount, Errand, Failure, Link, Opened, Question, error_of
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import UnknownOutcomeError
from yunduan.runtime.answers import Answered
from yunduan.runtime.look import DistantLook, Look
from yunduan.runtime.memory import Changes
from yunduan.runtime.registry import Registry
from yunduan.runtime.writer import fingerprint_of

Answer = TypeVar("Answer")
Port = TypeVar("Port")


class Gateway:
    """Answers queries from a connection of its own; hands commands to the writer's process and waits for what it says.

    A command's answer comes after its commit is on disk and has been counted: whoever has an answer sees what it did, here and through
    any other reader.
    """

    def __init__(self, window: Window, link: Link, opened: Opened, commits: CommitCount) -> None:
        """Look through a window on a store that was opened so, and talk over a link."""
        self.registry = Registry(window.domains)
        self._window = window
        self.beside = window.parts.beside_readers
        """What runs beside the requests here, and hands something over."""
        self._link = link
        self._head_at = opened.head[4]
        self._heard = opened.commits
        self._look = DistantLook(window.reader(), self.registry, window.parts.ports, is_behind=lambda: commits.made != self._heard)
        self._look.hold()
        self._look.hear(opened.head, Changes())
        self._slow: tuple[ThreadPoolExecutor, Look] | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._is_lost = False

    # What the edge asks

    def now(self) -> int:
        """The time of the cloud, in milliseconds since 1970: never before the last commit."""
        return max(self._head_at, self._window.clock.wall_ms())

    def port(self, kind: type[Port]) -> Port:
        """What is joined to this protocol."""
        found: Port = self._window.parts.ports[kind]
        return found

    def submit(
        self, command: Command[Any], *, actor: Actor = ANONYMOUS, key: str = "", background: bool = False
    ) -> "asyncio.Future[Answered]":
        """Have a command carried out; what it was answered with is on disk when it comes. Fails as the writer's `submit` does."""
        name, fields = type(command).__name__, self._encode(command)
        content = fingerprint_of(name, fields, secret=self._window.parts.secret) if key else b""
        number = next(self._numbers)
        return self._say(number, Errand(number, name, fields, Caller.of(actor), key, content, background))

    def ask(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a quick query from the last commit of which an answer may have left, or a later one."""
        return self._look.answer(query, actor=actor, now=self.now())

    async def ask_slow(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a query that takes longer, beside the loop."""
        if self._slow is None:
            look = Look(self._window.reader(), self.registry, self._window.parts.ports)
            self._slow = ThreadPoolExecutor(1, thread_name_prefix="slow"), look
        helper, look = self._slow
        now = self.now()
        return await asyncio.get_running_loop().run_in_executor(helper, lambda: look.answer(query, actor=actor, now=now))

    async def readiness(self) -> Readiness:
        """Whether requests should be sent here, as the writer's process sees it."""
        return msgspec.json.decode(await self._question("readiness"), type=Readiness)

    async def metrics(self, meters: Sequence[Meter], streams: int) -> bytes:  # noqa: ARG002 - the writer's process asks every reader for theirs
        """Every figure of all processes together, in Prometheus' text form."""
        return await self._question("metrics")

    async def _question(self, about: str) -> bytes:
        number = next(self._numbers)
        return (await self._say(number, Question(number, about))).body

    def _say(self, number: int, message: Errand | Question) -> "asyncio.Future[Answered]":
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        if self._is_lost:
            future.set_exception(UnknownOutcomeError("the writer's process is gone"))
            return future
        self._waiting[number] = future
        self._link.say(message)
        return future

    # What the writer says

    def hear(self, message: Said | Failure | Commit | Aside) -> None:
        """Take one message."""
        if type(message) is Said:
            future = self._waiting.pop(message.number)
            if not future.done():
                future.set_result(Answered(message.accepted, message.body))
        elif type(message) is Commit:
            self._head_at, self._heard = message.head[4], message.commits
            changes = Changes()
            changes.rows = [(table, [tuple(key) if type(key) is list else key for key in keys]) for table, keys in message.rows]
            changes.tables = set(message.tables)
            changes.parts = {table: set(parts) for table, parts in message.parts.items()}
            self._look.hear(message.head, changes)
        elif type(message) is Failure:
            future = self._waiting.pop(message.number)
            if not future.done():
                future.set_exception(error_of(message))
        elif type(message) is Aside:
            self._look.stand_aside(aside=message.aside)

    def lose(self) -> None:
        """The writer's process is gone: what it was asked may or may not have happened."""
        self._is_lost = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(UnknownOutcomeError("the writer's process is gone"))

    def close(self) -> None:
        """Let go of the store and of the keys."""
        self._look.close()
        if self._slow:
            self._slow[0].shutdown(wait=True)
            self._slow[1].close()
        for close in self._window.parts.closing:
            close()
