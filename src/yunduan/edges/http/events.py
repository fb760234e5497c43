"""Server-sent events: notices reach open clients as they are given, and whoever comes back goes on where they were.

A stream keeps no messages, only the number of the last one that it has sent: when there is more it asks for what comes after that, and
sends it as fast as the other side reads. So nothing is buffered for whoever is slow, nothing is sent twice, and nothing is left out.
That there is more, all streams learn from one query, which follows the order of all notices; it needs nothing but a reader of the store.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain
from time import perf_counter

import msgspec
import structlog

from yunduan.domains.notices.queries import NoticesAfter, NoticeView, ToldAfter
from yunduan.edges.access import Access
from yunduan.edges.http.endpoint import PREFIX, Admits, Endpoint
from yunduan.edges.http.problems import PlaceInRequest, ProblemError
from yunduan.edges.http.reading import Receive, Request, Send
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.runners import again_and_again

log = structlog.get_logger(__name__)
PATH = PREFIX + "/events"
LOOK_S = 0.2
"""How often it is looked whether anybody was told something."""
SESSIONS_S = 2.0
"""How long a stream may outlive its session while nothing is sent; nothing is sent after it."""
HEARTBEAT_S = 15.0
STREAMS_A_PERSON = 8
"""Streams of one person; one more ends the one that has been open for the longest."""
AT_ONCE = 50
_TYPE = b"text/event-stream"
_HEADERS = ((b"content-type", _TYPE), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_HELLO = b"retry: 2000\n\n"
_HEARTBEAT = b":\n\n"
_encode = msgspec.json.Encoder().encode


def wants_stream(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request asks for a stream of events, rather than for a list of them."""
    return any(name == b"accept" and _TYPE in value for name, value in headers)


class _Stream:
    """One open client."""

    __slots__ = ("actor", "is_over", "last", "origin", "token", "woken")

    def __init__(self, actor: Actor, token: bytes, origin: str) -> None:
        self.actor = actor
        self.token = token
        self.origin = origin
        self.last = 0
        self.woken = asyncio.Event()
        self.is_over = False

    def end(self) -> None:
        """Say nothing more."""
        self.is_over = True
        self.woken.set()


class Streams:
    """Every open client of this process."""

    def __init__(self, cloud: Access, endpoint: Endpoint, *, admits: Admits) -> None:
        """Serve the notices of a cloud to whoever the endpoint lets in."""
        self.endpoint = endpoint
        self._cloud = cloud
        self._admits = admits
        self._open: dict[PersonId, list[_Stream]] = {}
        self._following: asyncio.Task[None] | None = None
        self._through = 0
        self._is_closed = False

    @property
    def open(self) -> int:
        """How many clients there are."""
        return sum(len(streams) for streams in self._open.values())

    def close(self) -> None:
        """End every stream, and let none last: the process is about to end. Clients come back, here or elsewhere."""
        self._is_closed = True
        for stream in list(chain.from_iterable(self._open.values())):
            stream.end()

    async def answer(self, request: Request, receive: Receive, send: Send) -> None:
        """Send events until either side has had enough; raises what the front turns into a problem, before anything is sent."""
        began = perf_counter()
        actor, message, token = self.endpoint.asked(request)
        stream = _Stream(actor, token, request.origin)
        self._enter(stream, _begin(request, message))
        self.endpoint.meter.count(200, perf_counter() - began)
        gone = asyncio.ensure_future(_disconnected(receive))
        gone.add_done_callback(lambda _: stream.end())
        try:
            await self._pour(stream, send)
        finally:
            gone.cancel()
            self._leave(stream)

    async def _pour(self, stream: _Stream, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        await send({"type": "http.response.body", "body": _HELLO, "more_body": True})
        while not stream.is_over:
            stream.woken.clear()
            events = self._next(stream)
            if events:
                await send({"type": "http.response.body", "body": events, "more_body": True})
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await stream.woken.wait()
            except TimeoutError:
                await send({"type": "http.response.body", "body": _HEARTBEAT, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _next(self, stream: _Stream) -> bytes:
        """What comes next for a client; nothing, and the end, for whoever's session has ended."""
        try:
            if not self._is_admitted(stream):
                return b""
            new = self._cloud.ask(NoticesAfter(after=stream.last, limit=AT_ONCE), actor=stream.actor)
        except FaultError as fault:
            log.warning("events_unavailable", error=str(fault))
            stream.end()
            return b""
        stream.last = new.after
        return b"".join(map(_event, new.items))

    def _is_admitted(self, stream: _Stream) -> bool:
        if self._is_closed or self._admits(stream.token, stream.origin) is None:
            stream.end()
        return not stream.is_over

    def _enter(self, stream: _Stream, since: NoticesAfter) -> None:
        """From now on it is woken; before what it has missed is asked for, so that nothing falls in between."""
        if self._following is None:
            self._through = self._cloud.ask(ToldAfter(), actor=SYSTEM).through
        new = self._cloud.ask(since, actor=stream.actor)
        stream.last = new.after - len(new.items)
        if self._following is None:
            self._following = asyncio.create_task(again_and_again(self))
        streams = self._open.setdefault(stream.actor.person, [])
        streams.append(stream)
        for old in streams[:-STREAMS_A_PERSON]:
            old.end()

    def _leave(self, stream: _Stream) -> None:
        streams = self._open[stream.actor.person]
        streams.remove(stream)
        if not streams:
            del self._open[stream.actor.person]
        if not self._open and self._following is not None:
            self._following.cancel()
            self._following = None

    async def run(self) -> None:
        """Wake whoever was told something, until nobody listens any more; now and then look whether sessions have ended."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            await self.run_once()
            if loop.time() - looked >= SESSIONS_S:
                looked = loop.time()
                for stream in list(chain.from_iterable(self._open.values())):
                    self._is_admitted(stream)

    async def run_once(self) -> int:
        """Look once; answers how many people were told something."""
        told = self._cloud.ask(ToldAfter(seq=self._through), actor=SYSTEM)
        self._through = told.through
        for person in told.people & self._open.keys():
            for stream in self._open[person]:
                stream.woken.set()
        return len(told.people)

    def next_due(self) -> int | None:
        """Never by time alone."""
        return None


def _begin(request: Request, message: NoticesAfter) -> NoticesAfter:
    """What finds where a client begins: after the event that it names in the header, as browsers do by themselves, or in the query."""
    named = [value for name, value in request.headers if name == b"last-event-id"]
    if not named or named == [b""]:
        return NoticesAfter(after=message.after, limit=1)
    if len(named) > 1 or not named[0].isdigit() or len(named[0]) > 15:
        raise ProblemError(
            "invalid_request", "this is no event", place=PlaceInRequest(detail="not the id of an event", header="Last-Event-ID")
        )
    return NoticesAfter(after=int(named[0]), limit=1)


def _event(notice: NoticeView) -> bytes:
    return b"id: %d\nevent: notice\ndata: %b\n\n" % (notice.number, _encode(notice))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
