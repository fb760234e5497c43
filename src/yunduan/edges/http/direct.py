"""Answers the front's own routes straight from the parser's callbacks: no task, no messages, one write a reply.

Everything else of a connection, and every other path, is uvicorn's. A request for the front is an `Exchange`, which stands in
uvicorn's pipeline in the place of one of its cycles, so that replies leave in the order of their requests whoever makes them.
"""

from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from httptools import parse_url
from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from yunduan.edges.http.events import PATH as EVENTS
from yunduan.edges.http.events import wants_stream
from yunduan.edges.http.front import BODILESS, UNDER, Front, headers_of
from yunduan.edges.http.problems import JSON, Reply, problem
from yunduan.edges.http.protocol import Bounded
from yunduan.edges.http.reading import CLOSE, Bounds, Request, exceeds, too_large, too_slow
from yunduan.runtime.settings import HttpSettings

_UNDER = UNDER.encode()
_EVENTS = EVENTS.encode()


class _Nobody:
    """Stands where uvicorn has an event for whoever waits for a body: here nobody does."""

    def set(self) -> None:
        """Do nothing."""


class Exchange:
    """A request on its way in and its reply on its way out, with the attributes by which uvicorn knows a request."""

    __slots__ = ("body", "bounds", "disconnected", "expects", "is_whole", "keep_alive", "refusal", "request", "response_complete", "size")
    message_event = _Nobody()

    def __init__(self, request: Request, *, keep_alive: bool, expects: bool) -> None:
        """Its head has come."""
        self.request = request
        self.body: list[bytes] = []
        self.size = 0
        self.bounds: Bounds | None = None
        """How large its body may be, when that is more than others."""
        self.is_whole = False
        self.refusal: Reply | None = None
        self.expects = expects
        """Its sender waits for a word before it sends the body."""
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False


class Direct(Bounded):
    """One connection whose requests for the front are answered without ASGI.

    While the other side does not read what it has been sent, nothing more is answered, and soon nothing more is read.
    """

    front: Front
    proxies: ProxyHeadersMiddleware | None = None
    serving: Any
    """The exchange or cycle whose turn it is, or was last."""
    idle_since: float | None

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        """A connection that has just been made."""
        super().__init__(config, server_state, app_state, _loop)
        self.serving = None
        self.idle_since = None
        self._goes_on = False
        self._is_lost = False

    # What the parser says

    def data_received(self, data: bytes) -> None:
        """Somebody is there; but what follows on something that is not HTTP cannot be understood either."""
        self.idle_since = None
        if not self._is_lost:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """What was understood before is answered first: a change may be among it, and must not look as if nothing had begun."""
        self._is_lost = True
        refusal = problem("invalid_request", msg, headers=CLOSE)
        exchange: Any = self.cycle
        if type(exchange) is Exchange and not exchange.is_whole:
            self._refuse(exchange, refusal)
        elif self._is_free() and not self.pipeline:
            self._turn_away(refusal)
        else:
            last = Exchange(Request("", "", b"", (), "", b""), keep_alive=False, expects=False)
            self._refuse(last, refusal)
            self.pipeline.appendleft((last, None))  # type: ignore[arg-type] # it stands in for a cycle

    def on_message_begin(self) -> None:
        """Leave the scope to be made for those who want one."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Take a request for the front; leave any other to uvicorn, and those whose answers do not end."""
        if not self.url.startswith(_UNDER) or (self.url.startswith(_EVENTS) and wants_stream(self.headers)):
            self._make_scope()
            super().on_headers_complete()
            return
        self.note_head()
        exchange = self._begun()
        is_next = self._is_free() and not self.pipeline and not self.flow.write_paused
        self.cycle = exchange  # type: ignore[assignment] # it stands in for one
        if is_next:
            self._start_asgi_task(exchange, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, None))  # type: ignore[arg-type] # the same

    def on_body(self, body: bytes) -> None:
        """Keep what belongs to a request for the front, as long as it may be."""
        exchange: Any = self.cycle
        if type(exchange) is not Exchange:
            super().on_body(body)
            return
        self.frame_bytes -= len(body)
        if not exchange.is_whole and exchange.request.method not in BODILESS:
            exchange.body.append(body)
            exchange.size += len(body)
            bounds = exchange.bounds or self.front.bounds
            if exchange.size > bounds.body_bytes_max:
                self._refuse(exchange, too_large(bounds).reply)

    def on_message_complete(self) -> None:
        """A request for the front is whole: answer it, when it is its turn."""
        exchange: Any = self.cycle
        if type(exchange) is not Exchange:
            super().on_message_complete()
            return
        self.body_since = None
        if not exchange.is_whole:
            exchange.is_whole = True
            exchange.request.body = exchange.body[0] if len(exchange.body) == 1 else b"".join(exchange.body)
            if self.serving is exchange:
                self._answer(exchange)

    def _make_scope(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def _begun(self) -> Exchange:
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        method = self.parser.get_method().decode("ascii")
        request = Request(method, unquote(path) if "%" in path else path, url.query or b"", self.headers, self._origin(), b"")
        keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        exchange = Exchange(request, keep_alive=keep_alive, expects=self.expect_100_continue)
        flaw = self.flaw()
        if flaw is not None:
            self._refuse(exchange, flaw)
        elif self.length and method not in BODILESS and exceeds(self.length, self.front.bounds.body_bytes_max):
            exchange.bounds = self.front.bounds_of(method, request.path)
            if exceeds(self.length, exchange.bounds.body_bytes_max):
                self._refuse(exchange, too_large(exchange.bounds).reply)
        return exchange

    def _origin(self) -> str:
        """The address of whoever asks: that of the connection, or what a trusted proxy says it is."""
        origin = self.client[0] if self.client else ""
        if self.proxies is None or origin not in self.proxies.trusted_hosts:
            return origin
        said = b", ".join([value for name, value in self.headers if name == b"x-forwarded-for"])
        return (said and self.proxies.trusted_hosts.get_trusted_client_address(said.decode("latin-1"))[0]) or origin

    # One after the other

    def _is_free(self) -> bool:
        return self.serving is None or self.serving.response_complete

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """A request's turn has come."""
        self.serving = cycle
        if type(cycle) is not Exchange:
            super()._start_asgi_task(cycle, app)
        elif cycle.is_whole:
            self._answer(cycle)
        elif cycle.expects:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, exchange: Exchange) -> None:
        if exchange.refusal is not None:
            self._reply(exchange, exchange.refusal)
        else:
            self.front.answer(exchange.request, partial(self._reply, exchange))

    def _refuse(self, exchange: Exchange, refusal: Reply) -> None:
        """Answer this whatever else is still coming, when it is its turn."""
        exchange.refusal = refusal
        exchange.is_whole = True
        exchange.body.clear()
        if self.serving is exchange:
            self._answer(exchange)

    def _reply(self, exchange: Exchange, reply: Reply) -> None:
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        keep_alive = exchange.keep_alive and reply.headers is not CLOSE
        self.transport.write(self._encoded(reply, keep_alive=keep_alive, bodiless=exchange.request.method == "HEAD"))
        self.server_state.total_requests += 1
        if keep_alive:
            self._go_on()
        else:
            self.transport.close()

    def _go_on(self) -> None:
        """Take up the next request, or listen for one. A loop, because a reply may be made while this runs."""
        if self._goes_on:
            return
        self._goes_on = True
        while self.pipeline and self._is_free() and not self.flow.write_paused and not self.transport.is_closing():
            self._start_asgi_task(*self.pipeline.pop())
        self._goes_on = False
        if not self.pipeline and self._is_free():
            self.idle_since = self.loop.time()
            self.flow.resume_reading()

    def _encoded(self, reply: Reply, *, keep_alive: bool, bodiless: bool) -> bytes:
        if keep_alive and reply.status == HTTPStatus.OK and reply.media_type == JSON and not reply.headers and not bodiless:  # nearly all
            own = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
            return b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\ncontent-type: %s\r\n\r\n%s" % (own, len(reply.body), JSON, reply.body)
        headers = [*self.server_state.default_headers, *headers_of(reply)]
        if not keep_alive and reply.headers is not CLOSE:
            headers += CLOSE
        head = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
        return b"%s%s\r\n%s" % (STATUS_LINE[reply.status], head, b"" if bodiless else reply.body)

    # What else happens to a connection

    def resume_writing(self) -> None:
        """The other side reads again: go on with what has waited for that."""
        super().resume_writing()
        self._go_on()

    def sweep(self, now: float) -> None:
        """Say so to whoever does not come to the end of a body in its time; hang up on whoever is idle for too long."""
        exchange: Any = self.cycle
        if type(exchange) is Exchange and not exchange.is_whole and self.serving is exchange and self.body_since is not None:
            if self.body_since < now - self.front.bounds.body_ms_max / 1000:
                self._refuse(exchange, too_slow(self.front.bounds).reply)
        elif self.idle_since is not None and self.idle_since < now - self.limits.keep_alive_s:
            self.transport.close()
        else:
            super().sweep(now)


def direct_protocol(front: Front, limits: HttpSettings) -> type[Direct]:
    """Connections to a front, with these limits."""
    app: Any = front
    proxies = ProxyHeadersMiddleware(app, list(limits.trusted_proxies)) if limits.trusted_proxies else None
    return type("Direct", (Direct,), {"front": front, "limits": limits, "proxies": proxies})
