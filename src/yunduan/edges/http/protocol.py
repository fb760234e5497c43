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


HEAD_TOO_LARGE = problem("head_too_large", "the request's line and headers are too large", headers=CLOSE)
_NOT_ONE_HOST = problem("invalid_request", "a request names one host", headers=CLOSE)
_NOT_CHUNKED = problem("invalid_request", "no transfer coding but chunked is understood", headers=CLOSE)


class Bounded(HttpToolsProtocol):
    """One connection, with limits that uvicorn does not have itself.

    `waits_since` is when a head began to arrive (or the connection was made) that is not complete; `body_since` is when a body
    could begin that is not complete, whether or not whoever answers wants to read it; `stalled_since` is when the other side
    had not read so much that nothing more is written.
    """

    limits = HttpSettings()
    waits_since: float | None
    body_since: float | None
    stalled_since: float | None
    head_bytes: int
    length: bytes
    """How long the body is, as the head says; empty when it does not."""
    frame_bytes: int
    """What came with a body and is none of it: lengths of chunks, and what follows the last."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        """A connection that has just been made."""
        super().__init__(config, server_state, app_state, _loop)
        self.waits_since = self.loop.time()
        self.body_since = self.stalled_since = None
        self.head_bytes = self.frame_bytes = 0
        self.length = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Turn one too many away."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections_max:
            self._turn_away(problem("busy", "there are too many connections; nothing was begun"))

    def data_received(self, data: bytes) -> None:
        """Note when a head begins, and refuse one without end."""
        in_body = self.body_since is not None
        if in_body:
            self.frame_bytes += len(data)
        elif self.waits_since is None and (self.cycle is None or self.cycle.response_complete):
            self.waits_since = self.loop.time()
        super().data_received(data)
        if self.waits_since is not None:
            self.head_bytes += len(data)
            if self.head_bytes > self.limits.head_bytes_max:
                self._turn_away(HEAD_TOO_LARGE)
        elif in_body and self.frame_bytes > self.limits.head_bytes_max:
            self._turn_away(problem("invalid_request", "there is more about the body than body", headers=CLOSE))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers, as uvicorn does; what comes behind a body is none, whatever it calls itself."""
        if self.body_since is None:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large, though it has an end, and one that can be read in two ways."""
        self.note_head()
        flaw = self.flaw()
        if flaw is None:
            super().on_headers_complete()
            return
        app, self.app = self.app, _always(flaw)
        super().on_headers_complete()
        self.app = app

    def note_head(self) -> None:
        """The head has come to its end: what is waited for from now on is the body's."""
        self.waits_since = None
        self.body_since = self.loop.time()
        self.head_bytes = self.frame_bytes = 0

    def flaw(self) -> Reply | None:
        """What is wrong with the head: its size, or that others on the way may have understood it differently (RFC 9112, 3.2 and 6.1)."""
        size, hosts = len(self.url), 0
        self.length = b""
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                self.length = value
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                return _NOT_CHUNKED
        if size > self.limits.head_bytes_max or len(self.headers) > HEADERS_MAX:
            return HEAD_TOO_LARGE
        return None if hosts == 1 or (not hosts and self.parser.get_http_version() == "1.0") else _NOT_ONE_HOST

    def on_body(self, body: bytes) -> None:
        """Count what is body."""
        self.frame_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that all of a request has arrived."""
        self.body_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so in the words of the rest."""
        self._turn_away(problem("invalid_request", msg, headers=CLOSE))

    def pause_writing(self) -> None:
        """The other side does not read."""
        super().pause_writing()
        self.stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self.stalled_since = None

    def sweep(self, now: float) -> None:
        """Hang up on whoever has not come to the end of the head, or of the body, in its time, or does not read."""
        if self.stalled_since is not None and self.stalled_since < now - self.limits.stall_ms_max / 1000:
            self.transport.abort()  # to close it would be to wait for what is not read
        head_late = self.waits_since is not None and self.waits_since < now - self.limits.head_ms_max / 1000
        body_late = self.body_since is not None and self.body_since < now - self.limits.body_ms_max / 1000 - BODY_GRACE_S
        if (head_late or body_late) and not self.transport.is_closing():
            self.transport.close()

    def _turn_away(self, reply: Reply) -> None:
        phrase = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}[reply.status]
        lines = [b"HTTP/1.1 %d %s" % (reply.status, phrase), b"content-type: " + reply.media_type]
        lines += [name + b": " + value for name, value in dict((*reply.headers, *CLOSE)).items()]
        lines += [b"content-length: %d" % len(reply.body), b"", reply.body]
        if not self.transport.is_closing():
            self.transport.write(b"\r\n".join(lines))
            self.transport.close()


async def sweep_connections(state: ServerState) -> None:
    """Look at every connection twice a second, until cancelled: a timer for each would cost more than the requests' own work."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_S)
        now = loop.time()
        for connection in list(state.connections):
            if isinstance(connection, Bounded):
                connection.sweep(now)
