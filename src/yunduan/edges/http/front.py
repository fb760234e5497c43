"""A thin front built from the route tables; what they do not name goes on to the web framework."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from itertools import count
from time import perf_counter
from typing import Any

import structlog
from msgspec.structs import replace

from yunduan.edges.http.endpoint import PREFIX, Endpoint, refusal_reply
from yunduan.edges.http.events import PATH as EVENTS
from yunduan.edges.http.events import Streams, wants_stream
from yunduan.edges.http.meters import Meter
from yunduan.edges.http.problems import PROBLEM, Headers, ProblemError, Reply, problem
from yunduan.edges.http.reading import Application, Bounds, GoneError, Receive, Request, Scope, Send, announces_too_much, read_body
from yunduan.kernel.refusals import BusyError, FaultError, Refused, invariant

log = structlog.get_logger(__name__)
BUSY_LOGGED_EVERY_S = 1.0
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose bodies are not read: they say nothing here."""
UNDER = PREFIX + "/"
"""What every path of the front begins with."""
Methods = dict[str, Endpoint]


class _Branch:
    """One segment of the paths: what follows it by name, what follows it whatever its name, and what ends here."""

    __slots__ = ("any", "ends", "named")

    def __init__(self) -> None:
        self.named: dict[str, _Branch] = {}
        self.any: _Branch | None = None
        self.ends: Methods = {}

    def grow(self, parts: Sequence[str], endpoint: Endpoint) -> None:
        if not parts:
            invariant(endpoint.route.method not in self.ends, f"{endpoint.meter.method} {endpoint.meter.path} is declared once")
            self.ends[endpoint.route.method] = endpoint
        elif parts[0].startswith("{"):
            self.any = self.any or _Branch()
            self.any.grow(parts[1:], endpoint)
        else:
            self.named.setdefault(parts[0], _Branch()).grow(parts[1:], endpoint)

    def find(self, parts: Sequence[str], at: int, values: list[str]) -> Methods | None:
        """What the rest of a path names; a name comes before a shape."""
        if at == len(parts):
            return self.ends or None
        part = parts[at]
        named = self.named.get(part)
        if named is not None:
            found = named.find(parts, at + 1, values)
            if found is not None:
                return found
        if self.any is None or not part:
            return None
        values.append(part)
        found = self.any.find(parts, at + 1, values)
        if found is None:
            values.pop()
        return found


class Front:
    """Answers every route of the tables; nothing that a client sends makes it raise."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        rest: Application,
        *,
        bounds: Bounds | None = None,
        elsewhere: Meter | None = None,
        streams: Streams | None = None,
        expect: Callable[[Sequence[bytes]], None] | None = None,
        slow_ms: int = 250,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Serve these endpoints, with bodies within bounds, and everything else by `rest`; `elsewhere` counts what no route has.

        `streams` answers whoever asks for events as they come. `expect` is told of the tokens that have arrived together.
        """
        self.bounds = bounds or Bounds()
        self.endpoints = tuple(endpoints)
        self.elsewhere = elsewhere or Meter("", "elsewhere")
        self.streams = streams
        self._rest = rest
        self._expect = expect
        self._arrived: list[tuple[Endpoint, Request, list[str], float, Callable[[Reply], None]]] = []
        self._slow_s = slow_ms / 1000
        self._clock = clock
        self._exact: dict[str, Methods] = {}
        self._shaped = _Branch()
        self._ids = count(1)
        self._busy_logged = 0.0
        self._busy_unlogged = 0
        for endpoint in endpoints:
            path, method = endpoint.meter.path, endpoint.route.method
            if "{" in path:
                self._shaped.grow(path.split("/"), endpoint)
            else:
                methods = self._exact.setdefault(path, {})
                invariant(method not in methods, f"{method} {path} is declared once")
                methods[method] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by ASGI, or pass on: for servers and tests that hand requests on in its words."""
        path: str = scope["path"] if scope["type"] == "http" else ""
        if not self.serves(path):
            if scope["type"] == "http" and scope["method"] == "HEAD":
                scope, send = {**scope, "method": "GET"}, _without_body(send)
            await self._rest(scope, receive, send)
            return
        method: str = scope["method"]
        if path == EVENTS and method == "GET" and self.streams is not None and wants_stream(scope["headers"]):
            await self._stream(self.streams, _request(scope, b""), receive, send)
            return
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        try:
            bounds = self.bounds_of(method, path) if announces_too_much(scope["headers"], self.bounds) else self.bounds
            body = await read_body(receive, scope["headers"], bounds) if method not in BODILESS else b""
        except GoneError:
            return
        except ProblemError as error:
            self.elsewhere.count(error.reply.status, 0.0)
            replied.set_result(error.reply)
        else:
            self.answer(_request(scope, body), replied.set_result)
        await answered(send, await replied, head=method == "HEAD")

    async def _stream(self, streams: Streams, request: Request, receive: Receive, send: Send) -> None:
        try:
            await streams.answer(request, receive, send)
        except (ProblemError, FaultError) as error:  # both come before the first word
            reply = self._failed(error, streams.endpoint)
            self._count(streams.endpoint.meter, reply, self._clock())
            await answered(send, reply, head=False)

    @staticmethod
    def serves(path: str) -> bool:
        """Whether this path is the front's to answer."""
        return path.startswith(UNDER)

    def bounds_of(self, method: str, path: str) -> Bounds:
        """How large a body may be that announces itself as larger than others: a few routes take more."""
        methods = self._exact.get(path) or self._shaped.find(path.split("/"), 0, [])
        endpoint = methods.get(method) if methods is not None else None
        most = endpoint.route.body_bytes_max if endpoint is not None else 0
        return replace(self.bounds, body_bytes_max=max(most, self.bounds.body_bytes_max)) if most else self.bounds

    def answer(self, request: Request, done: Callable[[Reply], None]) -> None:
        """Have `done` called with the reply, now or later, once; never raises."""
        began = self._clock()
        values: list[str] = []
        methods = self._exact.get(request.path)
        if methods is None:
            methods = self._shaped.find(request.path.split("/"), 0, values)
        endpoint = methods.get(request.method) if methods is not None else None
        if endpoint is None:
            reply, endpoint = self._other(methods, request.method)
            if endpoint is None:
                self._count(self.elsewhere, reply, began)
                done(reply)
                return
        if self._expect is not None and endpoint.changes and not endpoint.public:
            self._arrived.append((endpoint, request, values, began, done))
            if len(self._arrived) == 1:
                asyncio.get_running_loop().call_soon(self._begin_arrived)
            return
        self._begin(endpoint, request, values, began, done)

    def _begin_arrived(self) -> None:
        """Begin what has come since the loop last looked at its sockets: after a commit, from everybody who was answered by the last."""
        arrived, self._arrived = self._arrived, []
        if self._expect is not None and len(arrived) > 1:
            with suppress(FaultError):  # each of them will hear of it
                self._expect([token for one in arrived if (token := one[1].token)])
        for one in arrived:
            self._begin(*one)

    def _begin(self, endpoint: Endpoint, request: Request, values: list[str], began: float, done: Callable[[Reply], None]) -> None:
        found: Reply | asyncio.Future[Any]
        try:
            found = endpoint.begin(request, values)
        except Exception as error:
            found = self._failed(error, endpoint)
        if isinstance(found, Reply):
            self._count(endpoint.meter, found, began)
            done(found)
        else:
            found.add_done_callback(partial(self._conclude, endpoint, began, done))

    def _conclude(self, endpoint: Endpoint, began: float, done: Callable[[Reply], None], future: "asyncio.Future[Any]") -> None:
        try:
            reply = endpoint.conclude(future.result())
        except asyncio.CancelledError:  # the process is about to end
            reply = self._faulted(FaultError("the server stops"), endpoint.meter)
        except Exception as error:
            reply = self._failed(error, endpoint)
        self._count(endpoint.meter, reply, began)
        done(reply)

    def _count(self, meter: Meter, reply: Reply, began: float) -> None:
        took = self._clock() - began
        meter.count(reply.status, took)
        if took > self._slow_s:
            log.warning("request_slow", route=f"{meter.method} {meter.path}", status=reply.status, ms=round(took * 1000))

    def _other(self, methods: Methods | None, method: str) -> tuple[Reply, Endpoint | None]:
        """What is answered to a path or a method that no table names; HEAD is a GET whose body stays here."""
        if methods is None:
            return problem("route_not_found", "there is nothing at this path"), None
        if method == "HEAD" and "GET" in methods:
            return Reply(200, b""), methods["GET"]
        allowed: Headers = ((b"allow", _allowed(methods)),)
        if method == "OPTIONS":
            return Reply(204, b"", b"", allowed), None
        return problem("method_not_allowed", f"here one may {allowed[0][1].decode()}", headers=allowed), None

    def _failed(self, error: Exception, endpoint: Endpoint) -> Reply:
        """What an exception is in HTTP's words."""
        if isinstance(error, ProblemError):
            return error.reply
        if isinstance(error, Refused) and endpoint.declares(error.code.value):
            return refusal_reply(error)
        if isinstance(error, FaultError):
            return self._faulted(error, endpoint.meter)
        return self._broken(error, endpoint.meter)

    def _faulted(self, fault: FaultError, meter: Meter) -> Reply:
        """The machine cannot now: said once a second in the log, however many are told so."""
        self._busy_unlogged += 1
        now = self._clock()
        if now - self._busy_logged >= BUSY_LOGGED_EVERY_S:
            log.warning("requests_unavailable", requests=self._busy_unlogged, route=f"{meter.method} {meter.path}", error=str(fault))
            self._busy_logged, self._busy_unlogged = now, 0
        if isinstance(fault, BusyError):
            return problem("busy", "too much is being asked right now; nothing was begun, and the same key may be sent again")
        return problem("outcome_unknown", "the machine failed; it may or may not have happened, and only the same key, sent again, tells")

    def _broken(self, error: Exception, meter: Meter) -> Reply:
        """The program is wrong: all of it goes to the log, and a number to find it by to the client."""
        request_id = f"req_{next(self._ids):x}_{id(error) & 0xFFFFFF:06x}"
        log.error("request_broken", request_id=request_id, route=f"{meter.method} {meter.path}", exc_info=error)
        return problem("broken", "the program is wrong; nothing was changed, and somebody has been told", request_id=request_id)


def _request(scope: Scope, body: bytes) -> Request:
    client = scope.get("client")
    return Request(scope["method"], scope["path"], scope["query_string"], scope["headers"], client[0] if client else "", body)


def _allowed(methods: Methods) -> bytes:
    names = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    return ", ".join(sorted(names)).encode()


def _without_body(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return sent


def headers_of(reply: Reply) -> list[tuple[bytes, bytes]]:
    """Every header of a reply but the server's own."""
    headers = [*reply.headers]
    if reply.status != HTTPStatus.NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    if reply.media_type:
        headers.append((b"content-type", reply.media_type))
    if reply.media_type == PROBLEM:
        headers.append((b"cache-control", b"no-store"))
    return headers


async def answered(send: Send, reply: Reply, *, head: bool) -> None:
    """Send a reply by ASGI; the answer to a HEAD keeps its headers and loses its body."""
    await send({"type": "http.response.start", "status": reply.status, "headers": headers_of(reply)})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})
