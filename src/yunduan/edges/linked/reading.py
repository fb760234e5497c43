"""A reader process: serves callers until the writer's process tells it to end, or is gone."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import structlog
import uvloop

from yunduan.cloud import Window
from yunduan.edges.access import Access
from yunduan.edges.http.app import application
from yunduan.edges.http.endpoint import Admits
from yunduan.edges.http.front import Front
from yunduan.edges.http.protocol import sweep_connections
from yunduan.edges.http.server import Server, tune
from yunduan.edges.linked.gateway import Gateway
from yunduan.edges.linked.link import FROM_WRITER, CommitCount, Count, Counts, End, FromWriter, Link, Opened, Ready
from yunduan.runtime.runners import again_and_again
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)


def read(
    settings: Settings,
    listening: socket.socket,
    way: socket.socket,
    count: CommitCount,
    *,
    seen: Callable[[Settings], Window],
    admits: Callable[[Access], Admits],
) -> int:
    """Serve; answers the exit code. Signals are the writer's process's to hear: it tells this one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Reading(settings, listening, count, seen, admits).run(way))


class _Reading:
    """The talk with the writer's process, and the serving in between."""

    def __init__(
        self,
        settings: Settings,
        listening: socket.socket,
        count: CommitCount,
        seen: Callable[[Settings], Window],
        admits: Callable[[Access], Admits],
    ) -> None:
        self._settings = settings
        self._listening = listening
        self._count = count
        self._seen = seen
        self._admits = admits
        self._gateway: Gateway | None = None
        self._server: Server | None = None
        self._front: Front | None = None

    async def run(self, way: socket.socket) -> int:
        """Wait until the store is open, then serve until told to end."""
        opened: asyncio.Future[Opened | None] = asyncio.get_running_loop().create_future()
        early: list[FromWriter] = []

        def hear(message: FromWriter) -> None:
            if self._gateway is not None:
                self._hear(link, self._gateway, message)
            elif type(message) is Opened:
                opened.set_result(message)
            elif type(message) is End and not opened.done():
                opened.set_result(None)
            else:  # a commit between the opening and here
                early.append(message)

        def lose() -> None:
            if not opened.done():
                opened.set_result(None)
            self._end(is_lost=True)

        link = Link(FROM_WRITER, hear, lose)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=way)
        begin = await opened
        if begin is None:  # it will not be opened
            return 0
        gateway = self._gateway = Gateway(self._seen(self._settings), link, begin, self._count)
        self._front = application(gateway, self._settings, admits=self._admits(gateway), watch=gateway)
        server = self._server = Server(self._front, self._settings.http)
        for message in early:
            self._hear(link, gateway, message)
        beside = [asyncio.create_task(sweep_connections(server.server_state))]
        beside += [asyncio.create_task(again_and_again(made(gateway))) for made in gateway.beside]
        tune()
        link.say(Ready())
        try:
            await server.serve(sockets=[self._listening])
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            gateway.close()
            link.close()
        return 0

    def _hear(self, link: Link, gateway: Gateway, message: Any) -> None:
        if type(message) is Count:
            front = self._front
            meters = [] if front is None else [*(endpoint.meter for endpoint in front.endpoints), front.elsewhere]
            asked = [meter for meter in meters if meter.statuses]
            said = [(meter.method, meter.path, meter.statuses, meter.buckets, meter.seconds) for meter in asked]
            link.say(Counts(message.number, said, front.streams.open if front and front.streams else 0))
        elif type(message) is End:
            self._end(is_lost=False)
        else:
            gateway.hear(message)

    def _end(self, *, is_lost: bool) -> None:
        """Take nothing more; when the writer's process is gone, nothing that waits for it will be answered either."""
        if is_lost and self._gateway is not None:
            self._gateway.lose()
        if self._server is not None:
            self._server.end()
