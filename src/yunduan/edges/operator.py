"""The operator's way in: through the running server's socket, or, when none runs, by holding the store itself.

There is one writer a store. So a command line beside a running server hands its commands to that server; the socket lies in the
data folder and only its owner may use it. One line of JSON asks, one line answers:

    {"command": "CreateShop", "fields": {…}, "key": "…"}    →   {"answer": …} | {"refusal": {"code": …}} | {"error": "…"}
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import structlog
from msgspec import Raw, Struct

from yunduan.cloud import Cloud
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.messages import Command, Message, Query
from yunduan.kernel.refusals import FaultError, Refused, UnknownOutcomeError
from yunduan.runtime.registry import answer_type

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
Asked = TypeVar("Asked", bound=Message)
LINE_BYTES_MAX = 4 * 1024 * 1024
SOCKET_NAME = "operator.sock"
NOTHING = Raw()
"""Stands for what is not there: JSON that is decoded later cannot be optional."""


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """One message by its name."""

    fields: Raw
    command: str = ""
    query: str = ""
    key: str = ""


class Reply(Struct, frozen=True, omit_defaults=True):
    """What became of it; exactly one of the three is there."""

    answer: Raw = NOTHING
    refusal: Raw = NOTHING
    error: str = ""


class RefusedThereError(Exception):
    """The server said no."""

    def __init__(self, code: str, detail: str) -> None:
        """By `code`."""
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class UnfitMessageError(Exception):
    """A field of a message is beyond its limits; nobody was asked."""


class OperatorSocket:
    """Listens in the data folder of a running server."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        """Not listening yet."""
        self._cloud = cloud
        self._path = folder / SOCKET_NAME
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; whoever served here before is gone, since we hold the store."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path=self._path, limit=LINE_BYTES_MAX)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self._reply(line)) + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError) as error:
            log.warning("operator_line_refused", error=str(error))
        finally:
            writer.close()

    async def _reply(self, line: bytes) -> Reply:
        registry = self._cloud.registry
        try:
            request = msgspec.json.decode(line, type=Request)
            if request.query:
                query: Query[Any] = msgspec.json.decode(request.fields, type=registry.query_types[request.query])
                return Reply(answer=Raw(msgspec.json.encode(await self._cloud.ask_slow(query, actor=SYSTEM))))
            command: Command[Any] = msgspec.json.decode(request.fields, type=registry.command_types[request.command])
            answered = await self._cloud.submit(command, actor=SYSTEM, key=request.key)
        except Refused as refused:
            return Reply(refusal=Raw(msgspec.json.encode({"code": refused.code, "detail": refused.detail})))
        except (msgspec.DecodeError, KeyError) as error:
            return Reply(error=f"not understood: {error}")
        except FaultError as fault:
            return Reply(error=str(fault))
        except Exception:
            log.exception("operator_message_broke")
            return Reply(error="the program is wrong: the server's log says where")
        return Reply(answer=Raw(answered.body)) if answered.accepted else Reply(refusal=Raw(answered.body))


class Operator(Protocol):
    """Sends commands and queries in the name of the cloud's owner."""

    async def send(self, command: Command[Answer], *, key: str = "") -> Answer:
        """Have a command carried out; raises `RefusedThereError`, and `UnfitMessageError` before anybody is asked."""
        ...

    async def ask(self, query: Query[Answer]) -> Answer:
        """Have a query answered; raises `RefusedThereError`, and `UnfitMessageError` before anybody is asked."""
        ...


class ThroughSocket:
    """The server does it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk over an open connection."""
        self._reader = reader
        self._writer = writer

    async def send(self, command: Command[Answer], *, key: str = "") -> Answer:
        """Have a command carried out; raises `RefusedThereError`."""
        fields = Raw(msgspec.json.encode(_within_limits(command)))
        answer: Answer = await self._call(Request(command=type(command).__name__, fields=fields, key=key), type(command))
        return answer

    async def ask(self, query: Query[Answer]) -> Answer:
        """Have a query answered; raises `RefusedThereError`."""
        fields = Raw(msgspec.json.encode(_within_limits(query)))
        answer: Answer = await self._call(Request(query=type(query).__name__, fields=fields), type(query))
        return answer

    async def _call(self, request: Request, message: type) -> Any:
        line = b""
        with contextlib.suppress(ConnectionError):
            self._writer.write(msgspec.json.encode(request) + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise UnknownOutcomeError("the server went away before it answered: look whether it was done")
        reply = msgspec.json.decode(line, type=Reply)
        if reply.error:
            raise FaultError(reply.error)
        if reply.refusal:
            said: dict[str, Any] = msgspec.json.decode(reply.refusal)
            raise RefusedThereError(said["code"], said.get("detail", ""))
        return msgspec.json.decode(reply.answer, type=answer_type(message))


class InProcess:
    """No server runs: this process holds the store."""

    def __init__(self, cloud: Cloud) -> None:
        """Talk to a cloud of our own."""
        self.cloud = cloud

    async def send(self, command: Command[Answer], *, key: str = "") -> Answer:
        """Have a command carried out; raises `RefusedThereError`."""
        try:
            return await self.cloud.send(_within_limits(command), actor=SYSTEM, key=key)
        except Refused as refused:
            raise RefusedThereError(refused.code, refused.detail) from refused

    async def ask(self, query: Query[Answer]) -> Answer:
        """Have a query answered; raises `RefusedThereError`."""
        try:
            return self.cloud.ask(_within_limits(query), actor=SYSTEM)
        except Refused as refused:
            raise RefusedThereError(refused.code, refused.detail) from refused


def _within_limits(message: Asked) -> Asked:
    """The message as its own type reads it: making a struct checks nothing, and no limit may depend on whether a server runs."""
    try:
        return msgspec.json.decode(msgspec.json.encode(message), type=type(message))
    except msgspec.ValidationError as error:
        reason, _, field = str(error).partition(" - at `$.")
        reason = "its form, or one of its characters, is not allowed" if "matching regex" in reason else reason
        raise UnfitMessageError(f"{field.rstrip('`') or type(message).__name__}: {reason}") from error
    except UnicodeEncodeError as error:
        raise UnfitMessageError(f"{type(message).__name__}: not every argument is UTF-8") from error


async def through_socket(folder: Path) -> ThroughSocket | None:
    """The way through a running server, if one answers."""
    with contextlib.suppress(OSError):
        return ThroughSocket(*await asyncio.open_unix_connection(folder / SOCKET_NAME, limit=LINE_BYTES_MAX))
    return None


@contextlib.asynccontextmanager
async def operating(folder: Path, opened: Callable[[], Cloud]) -> AsyncIterator[Operator]:
    """An operator's way in: the running server, or a cloud that `opened()` makes and that is closed afterwards."""
    running = await through_socket(folder)
    if running is not None:
        yield running
        return
    cloud = opened()
    try:
        yield InProcess(cloud)
        await cloud.settle()
    finally:
        await cloud.stop()
