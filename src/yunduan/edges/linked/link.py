"""What a reader process and the writer's say to each other, and how: frames of MessagePack, many messages in each.

frame = length of what follows (4, little-endian) | array of messages
"""

import asyncio
import mmap
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId, SessionId, ShopId
from yunduan.kernel.refusals import BusyError, FaultError, KeyRefusal, Refused, UnknownOutcomeError

log = structlog.get_logger(__name__)
HEAD_BYTES = 4
HeadRow = tuple[int, int, int, bytes, int]
"""What `HEAD` reads: epoch, number of the last fact and of the last transfer, hash of the last block, time."""


class CommitCount:
    """How many commits the writer has made, in memory that it shares with the processes that it starts.

    What is said takes a moment to be heard, and whoever has an answer may ask another process meanwhile: this is seen at once.
    """

    def __init__(self) -> None:
        """None yet. It is made before the processes are."""
        self._number = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    @property
    def made(self) -> int:
        """How many."""
        return self._number[0]

    def add(self) -> None:
        """One more; the writer's process says so, before any answer of it leaves."""
        self._number[0] += 1


class Caller(Struct, frozen=True, array_like=True):
    """An `Actor` on its way; its ids are as they are, since nobody has none."""

    person: str
    session: str
    scopes: frozenset[str]
    operator_roles: frozenset[str]
    shop_roles: dict[str, frozenset[str]]
    origin: str
    is_system: bool

    @classmethod
    def of(cls, actor: Actor) -> "Caller":
        """How it is said."""
        return cls(
            actor.person,
            actor.session,
            actor.scopes,
            actor.operator_roles,
            {str(shop): roles for shop, roles in actor.shop_roles.items()},
            actor.origin,
            actor.is_system,
        )

    def actor(self) -> Actor:
        """Whom it says."""
        return Actor(
            person=PersonId(self.person),
            session=SessionId(self.session),
            scopes=self.scopes,
            operator_roles=self.operator_roles,
            shop_roles={ShopId(shop): roles for shop, roles in self.shop_roles.items()},
            origin=self.origin,
            is_system=self.is_system,
        )


# What a reader says


class Ready(Struct, frozen=True, array_like=True, tag=1):
    """It answers callers from now on."""


class Errand(Struct, frozen=True, array_like=True, tag=2):
    """A command: `fields` is its content as MessagePack, `content` its fingerprint where it has a key."""

    number: int
    command: str
    fields: bytes
    caller: Caller
    key: str
    content: bytes
    background: bool


class Question(Struct, frozen=True, array_like=True, tag=3):
    """What only the writer's process knows: how it is, or its figures."""

    number: int
    about: str


class Counts(Struct, frozen=True, array_like=True, tag=4):
    """What a reader has been asked so far: of each route its method, its path, requests by status, and by how long they took.

    `streams` is how many streams of events are open.
    """

    number: int
    meters: list[tuple[str, str, dict[int, int], list[int], float]]
    streams: int


# What the writer says


class Opened(Struct, frozen=True, array_like=True, tag=11):
    """The store is there, and this is its head, after so many commits: callers may come."""

    head: HeadRow
    commits: int


class Commit(Struct, frozen=True, array_like=True, tag=12):
    """What a commit has changed, and how many there have been with it; said before any of its answers."""

    head: HeadRow
    commits: int
    rows: list[tuple[str, list[Any]]]
    tables: list[str]
    parts: dict[str, list[str]]


class Aside(Struct, frozen=True, array_like=True, tag=13):
    """Work on the store itself begins, or has ended."""

    aside: bool


class Answer(Struct, frozen=True, array_like=True, tag=14):
    """What a command was answered with, or a question."""

    number: int
    accepted: bool
    body: bytes


class Failure(Struct, frozen=True, array_like=True, tag=15):
    """Why a command was not answered."""

    number: int
    kind: str
    text: str


class Count(Struct, frozen=True, array_like=True, tag=16):
    """Say what you have been asked so far."""

    number: int


class End(Struct, frozen=True, array_like=True, tag=17):
    """Finish what has begun, take nothing more, and end."""


FromReader = Ready | Errand | Question | Counts
FromWriter = Opened | Commit | Aside | Answer | Failure | Count | End
FROM_READER = msgspec.msgpack.Decoder(list[FromReader])
FROM_WRITER = msgspec.msgpack.Decoder(list[FromWriter])


def failure(number: int, error: BaseException) -> Failure:
    """An error on its way."""
    if isinstance(error, Refused):
        return Failure(number, error.code.value, error.detail)
    for kind, name in ((BusyError, "busy"), (UnknownOutcomeError, "unknown"), (FaultError, "fault")):
        if isinstance(error, kind):
            return Failure(number, name, str(error))
    return Failure(number, "broken", f"{type(error).__name__}: {error}")


class BrokenThereError(Exception):
    """The program is wrong in the writer's process, whose log has all of it."""


def error_of(said: Failure) -> Exception:
    """An error as it was."""
    for code in KeyRefusal:
        if code.value == said.kind:
            return Refused(code, said.text)
    kinds: dict[str, type[Exception]] = {"busy": BusyError, "unknown": UnknownOutcomeError, "fault": FaultError}
    return kinds.get(said.kind, BrokenThereError)(said.text)


class Link(asyncio.Protocol):
    """One end of the way between two processes; what is said within one turn of the loop leaves together."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[Any]", heard: Callable[[Any], None], lost: Callable[[], None]) -> None:
        """`heard` is called with each message, in order; `lost`, once, when the other end is gone."""
        self._decode = decoder.decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._heard = heard
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsaid: list[Struct] = []
        self._unread = bytearray()

    def say(self, message: Struct) -> None:
        """Send a message; nothing happens when the other end is gone."""
        if not self._unsaid:
            self._loop.call_soon(self.flush)
        self._unsaid.append(message)

    def flush(self) -> None:
        """Send what has been said so far, now."""
        unsaid, self._unsaid = self._unsaid, []
        if unsaid and self._transport is not None and not self._transport.is_closing():
            body = self._encode(unsaid)
            self._transport.write(len(body).to_bytes(HEAD_BYTES, "little") + body)

    def close(self) -> None:
        """Hang up, after what has been said."""
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment] # a stream's, uvloop's own kind

    def data_received(self, data: bytes) -> None:
        """Take what is whole."""
        unread = self._unread
        unread += data
        at = 0
        while len(unread) - at >= HEAD_BYTES:
            begins = at + HEAD_BYTES
            ends = begins + int.from_bytes(unread[at:begins], "little")
            if ends > len(unread):
                break
            try:
                for message in self._decode(bytes(unread[begins:ends])):
                    self._heard(message)
            except Exception:  # both ends are of one version: the program is wrong, and what follows cannot be relied on
                log.exception("link_broke")
                self.close()
                return
            at = ends
        del unread[:at]

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the form of a protocol
        """The other end is gone, however that came about."""
        self._transport = None
        self._lost()
