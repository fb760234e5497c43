"""A process to be killed: the real cloud over a real file, with the toy market, asked by lines on its standard input.

`python -m yunduan.testing.target <file> [--log <file>] [--synchronous OFF|NORMAL]`. A line such as
`{"n": 1, "key": "k1", "person": "per_1", "kind": "Mint", "body": {...}}` is answered by `{"n": 1, "accepted": true, "body": {...}}` or
`{"n": 1, "error": "..."}`. With a log every change of the disk and every answer that leaves is kept there, in order, so that somebody
can cut the power at any point of it.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import Cloud, Parts
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import FaultError
from yunduan.runtime import domain as runtime
from yunduan.testing.bazaar import BAZAAR
from yunduan.testing.bazaar.followers import Calm, Weather
from yunduan.testing.disk import DiskLog, RecordingVfs
from yunduan.testing.simulator import silence

DOMAINS = (runtime.DOMAIN, BAZAAR)
KINDS: dict[str, type[Command[Any]]] = {function.handles.__name__: function.handles for function in BAZAAR.commands}  # type: ignore[attr-defined]
FOLD_PAGES, RESTART_PAGES = 150, 600
"""Small, so that a short life sees checkpoints."""


class Line(Struct, frozen=True):
    """One ask."""

    n: int
    key: str
    person: str
    kind: str
    body: Raw


class Reply(Struct, frozen=True, omit_defaults=True):
    """What it was answered with; `error` says that the machine or the program failed."""

    n: int
    name: str = ""
    accepted: bool = False
    body: Raw = Raw(b"null")
    error: str = ""


class Target:
    """Serves until its input ends, or until the writer has stopped."""

    def __init__(self, path: Path, log: Path | None, synchronous: str) -> None:
        """Open the store."""
        self._log = DiskLog(log) if log is not None else None
        vfs = ""
        if self._log is not None:
            self._vfs = RecordingVfs("recorded", self._log)
            vfs = self._vfs.name
        store = SqliteStore(path, vfs=vfs, fold_pages=FOLD_PAGES, restart_pages=RESTART_PAGES)
        if synchronous:
            store.write(f"PRAGMA synchronous={synchronous}")
        self._cloud = Cloud(store, domains=DOMAINS, parts=Parts(ports={Weather: Calm()}))
        self._encode = msgspec.json.Encoder().encode

    async def serve(self) -> None:
        """Answer line by line, in whatever order the commits bring."""
        self._cloud.start()
        self._cloud.writer.on_stop(self._leave)
        self._write(self._encode(Reply(0, name="ready")))
        async for line in _lines():
            ask = msgspec.json.decode(line, type=Line)
            actor = Actor(person=PersonId(ask.person))
            future = self._cloud.submit(msgspec.json.decode(ask.body, type=KINDS[ask.kind]), actor=actor, key=ask.key)
            future.add_done_callback(self._reply(ask.n, f"{ask.key} {actor.principal}"))
        await self._cloud.stop()

    def _reply(self, n: int, name: str) -> "Callable[[asyncio.Future[Any]], None]":
        def reply(future: "asyncio.Future[Any]") -> None:
            error = future.exception()
            if error is None:
                answered = future.result()
                text = self._encode(Reply(n, name=name, accepted=answered.accepted, body=Raw(answered.body)))
                if self._log is not None:
                    self._log.note(text)
            else:
                text = self._encode(Reply(n, name=name, error="fault" if isinstance(error, FaultError) else repr(error)))
            self._write(text)

        return reply

    @staticmethod
    def _leave(_: BaseException) -> None:
        asyncio.get_running_loop().call_soon(sys.exit, 3)

    @staticmethod
    def _write(text: bytes) -> None:
        sys.stdout.buffer.write(text + b"\n")
        sys.stdout.buffer.flush()


async def _lines() -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.endswith(b"\n"):
            yield line


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A process to be killed.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--synchronous", choices=("", "OFF", "NORMAL"), default="")
    options = parser.parse_args()
    silence()
    asyncio.run(Target(options.path, options.log, options.synchronous).serve())


if __name__ == "__main__":
    main()
