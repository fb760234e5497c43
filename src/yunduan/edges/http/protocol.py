"""The connection's side of the bounds: how many there may be, how large a request's head, how long it may take to arrive."""

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from yunduan.edges.http.front import answered
from yunduan.edges.http.problems import Reply, problem
from yunduan.edges.http.reading import CLOSE, Application, Receive, Scope, Send
from yunduan.runtime.settings import HttpSettings

HEADERS_MAX = 100
SWEEP_S = 0.5
BODY_GRACE_S = 1.0
"""How much longer than its reader waits a body may take, before the connection of a request that nobody reads is closed."""


def _always(reply: Reply) -> Application:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - the form of an application
        await answered(send, reply, head=False)

    return answer


_HEAD_TOO_LARGE = _always(problem("head_too_large", "the request's line and headers are too large", headers=CLOSE))


class Bounded(HttpToolsProtocol):
    """One connection, with limits that uvicorn does not have itself.

    `waits_since` is when a head began to arrive (or the connection was made) that is not complete; `body_since` is when a body
    could begin that is not complete, whether or not whoever answers wants to read it.
    """

    limits = HttpSettings()
    waits_since: float | None
    body_since: float | None
    head_bytes: int

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        """A connection that has just been made."""
        super().__init__(config, server_state, app_state, _loop)
        self.waits_since = self.loop.time()
        self.body_since = None
        self.head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Turn one too many away."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections_max:
            self._turn_away(problem("busy", "there are too many connections; nothing was begun"))

    def data_received(self, data: bytes) -> None:
        """Note when a head begins, and refuse one without end."""
        if self.waits_since is None and (self.cycle is None or self.cycle.response_complete):
            self.waits_since = self.loop.time()
        super().data_received(data)
        if self.waits_since is not None:
            self.head_bytes += len(data)
            if self.head_bytes > self.limits.head_bytes_max:
                self._turn_away(problem("head_too_large", "the request's line and headers are too large"))

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large, though it has an end."""
        self.waits_since = None
        self.body_since = self.loop.time()
        self.head_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.head_bytes_max or len(self.headers) > HEADERS_MAX:
            app, self.app = self.app, _HEAD_TOO_LARGE
            super().on_headers_complete()
            self.app = app
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that all of a request has arrived."""
        self.body_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so in the words of the rest."""
        self._turn_away(problem("invalid_request", msg))

    def sweep(self, now: float) -> None:
        """Hang up on whoever has not come to the end of the head, or of the body, in its time."""
        head_late = self.waits_since is not None and self.waits_since < now - self.limits.head_ms_max / 1000
        body_late = self.body_since is not None and self.body_since < now - self.limits.body_ms_max / 1000 - BODY_GRACE_S
        if (head_late or body_late) and not self.transport.is_closing():
            self.transport.close()

    def _turn_away(self, reply: Reply) -> None:
        phrase = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}[reply.status]
        lines = [b"HTTP/1.1 %d %s" % (reply.status, phrase), b"content-type: " + reply.media_type]
        lines += [name + b": " + value for name, value in (*reply.headers, *CLOSE)]
        lines += [b"content-length: %d" % len(reply.body), b"", reply.body]
        if not self.transport.is_closing():
            self.transport.write(b"\r\n".join(lines))
            self.transport.close()


def bounded_protocol(limits: HttpSettings) -> type[Bounded]:
    """The same, with these limits."""
    return type("Bounded", (Bounded,), {"limits": limits})


async def sweep_connections(state: ServerState) -> None:
    """Look at every connection twice a second, until cancelled: a timer for each would cost more than the requests' own work."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_S)
        now = loop.time()
        for connection in list(state.connections):
            if isinstance(connection, Bounded):
                connection.sweep(now)
