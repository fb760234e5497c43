"""The writer's end: carries out what readers hand in, and tells them of each commit before any of its answers."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from msgspec.msgpack import Decoder

from yunduan.cloud import Cloud
from yunduan.edges.http.meters import Meter
from yunduan.edges.http.watching import Here
from yunduan.edges.linked.link import (
    FROM_READER,
    Answer,
    Aside,
    Commit,
    CommitCount,
    Count,
    Counts,
    End,
    Errand,
    FromReader,
    HeadRow,
    Link,
    Opened,
    Question,
    Ready,
    failure,
)
from yunduan.runtime.answers import Answered
from yunduan.runtime.memory import Changes

log = structlog.get_logger(__name__)
COUNT_S_MAX = 1.0
"""How long a scrape waits for what the readers have counted."""


class _Reader:
    """One reader process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.link: Link
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Hub:
    """Serves reader processes; a `Watcher` of the writer."""

    def __init__(self, cloud: Cloud, count: CommitCount, fell: Callable[[int], None]) -> None:
        """For a cloud whose commits are counted; `fell` is called with the number of a reader that has gone without having been told to."""
        self._cloud = cloud
        self._here = Here(cloud)
        self._commits = count
        self._fell = fell
        self._readers: list[_Reader] = []
        commands = cloud.registry.command_types
        self._decoders: dict[str, Decoder[Any]] = {name: Decoder(kind) for name, kind in commands.items()}
        self._counted: dict[int, tuple[asyncio.Future[None], set[int], list[Counts]]] = {}
        self._counts = 0
        self._is_ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        cloud.writer.watch(self)

    async def join(self, number: int, way: socket.socket) -> None:
        """Take up the talk with a reader process."""
        reader = _Reader(number)
        link = Link(FROM_READER, lambda message: self._hear(reader, message), lambda: self._lose(reader))
        reader.link = link
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=way)
        self._readers.append(reader)

    async def open(self) -> None:
        """Let callers come; returns when every reader is ready for them, or one has gone."""
        for reader in self._readers:
            reader.link.say(Opened(self._head(), self._commits.made))
        for reader in list(self._readers):
            await asyncio.wait((reader.ready, reader.gone), return_when=asyncio.FIRST_COMPLETED)

    async def end(self, within_s: float) -> None:
        """Have every reader finish what it has begun and end; returns when they have, or when the time is over."""
        self._is_ending = True
        readers = list(self._readers)
        for reader in readers:
            reader.link.say(End())
        if readers:
            await asyncio.wait([reader.gone for reader in readers], timeout=within_s)
        for reader in readers:
            reader.link.close()

    # What the writer tells

    def pin(self) -> None:
        """Nothing: a reader sees by itself when a snapshot is of a commit that it has not heard of."""

    def renew(self, changes: Changes) -> None:
        """Count a commit, and say what it has changed."""
        self._commits.add()
        rows = [(table, list(keys)) for table, keys in changes.rows]
        parts = {table: list(changed) for table, changed in changes.parts.items()}
        said = Commit(self._head(), self._commits.made, rows, list(changes.tables), parts)
        for reader in self._readers:
            reader.link.say(said)

    def stand_aside(self, *, aside: bool) -> None:
        """Say it now: whoever works on the store does not wait for long."""
        for reader in self._readers:
            reader.link.say(Aside(aside))
            reader.link.flush()

    # What readers say

    def _hear(self, reader: _Reader, message: FromReader) -> None:
        if type(message) is Errand:
            self._run(reader, message)
        elif type(message) is Question:
            task = asyncio.get_running_loop().create_task(self._say(reader, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif type(message) is Counts:
            self._count(reader, message)
        elif type(message) is Ready and not reader.ready.done():
            reader.ready.set_result(None)

    def _run(self, reader: _Reader, errand: Errand) -> None:
        number, link = errand.number, reader.link
        try:
            command = self._decoders[errand.command].decode(errand.fields)
        except (msgspec.DecodeError, KeyError) as error:  # the two are of one version, so that nobody's fault but the program's
            log.exception("errand_not_understood", command=errand.command)
            link.say(failure(number, error))
            return
        future = self._cloud.writer.submit(
            command, actor=errand.caller.actor(), key=errand.key, background=errand.background, content=errand.content
        )

        def reply(done: "asyncio.Future[Answered]") -> None:
            error = done.exception()
            if error is None:
                answered = done.result()
                link.say(Answer(number, answered.accepted, answered.body))
            else:
                link.say(failure(number, error))

        future.add_done_callback(reply)

    async def _say(self, reader: _Reader, question: Question) -> None:
        try:
            if question.about == "metrics":
                counted = await self._figures()
                said = await self._here.metrics(added_up(counted), sum(counts.streams for counts in counted))
            else:
                said = msgspec.json.encode(await self._here.readiness())
            reader.link.say(Answer(question.number, True, said))
        except Exception as error:
            log.exception("question_broke", about=question.about)
            reader.link.say(failure(question.number, error))

    async def _figures(self) -> list[Counts]:
        """What each reader has been asked so far."""
        self._counts += 1
        number = self._counts
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        counted: list[Counts] = []
        self._counted[number] = done, {reader.number for reader in self._readers}, counted
        for reader in self._readers:
            reader.link.say(Count(number))
        await asyncio.wait((done,), timeout=COUNT_S_MAX)
        del self._counted[number]
        return counted

    def _count(self, reader: _Reader, counts: Counts) -> None:
        asked = self._counted.get(counts.number)
        if asked is None:
            return
        done, missing, counted = asked
        counted.append(counts)
        missing.discard(reader.number)
        if not missing and not done.done():
            done.set_result(None)

    def _lose(self, reader: _Reader) -> None:
        self._readers.remove(reader)
        if not reader.gone.done():
            reader.gone.set_result(None)
        if not self._is_ending:
            self._fell(reader.number)

    def _head(self) -> HeadRow:
        head = self._cloud.writer.head
        return (head.epoch, head.fact_seq, head.transfer_seq, head.block_hash, head.at)


def added_up(counted: list[Counts]) -> list[Meter]:
    """One meter a route, of what several have counted."""
    meters: dict[tuple[str, str], Meter] = {}
    for counts in counted:
        for method, path, statuses, buckets, seconds in counts.meters:
            meter: Any = meters.setdefault((method, path), Meter(method, path))
            for status, requests in statuses.items():
                meter.statuses[status] = meter.statuses.get(status, 0) + requests
            meter.buckets = [mine + more for mine, more in zip(meter.buckets, buckets, strict=True)]
            meter.seconds += seconds
    return list(meters.values())
