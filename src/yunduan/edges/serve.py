"""Serves a cloud over HTTP until told to end, or until a commit has failed: in one process, or with others that read."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop

from yunduan.cloud import Cloud, Window, open_cloud, open_window
from yunduan.domains.search.queries import SearchGoods
from yunduan.edges.access import Access
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.endpoint import Admits
from yunduan.edges.http.protocol import sweep_connections
from yunduan.edges.http.server import Server, tune
from yunduan.edges.http.watching import Here
from yunduan.edges.index_keeper import IndexKeeper
from yunduan.edges.linked.link import CommitCount
from yunduan.edges.linked.reading import read
from yunduan.edges.linked.writing import fork, reap, write
from yunduan.edges.logs import configure_logs
from yunduan.edges.operator import OperatorSocket
from yunduan.edges.starting import started, warn_of_strangers
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)
EXIT_CODE_ADDRESS = 69
"""The address cannot be listened on."""
KEEPS_AFTER_S = 1.0
"""Callers are answered first: what keeps the index takes a core for as long as it starts."""
EXIT_CODE_STOPPED = 74
"""A commit has failed: whoever started this process shall start it again, and what is on disk then counts."""


def serve(
    settings: Settings,
    *,
    confirm_clock: bool = False,
    opened: Callable[[Settings], Cloud] = open_cloud,
    seen: Callable[[Settings], Window] = open_window,
    admits: Callable[[Access], Admits] = Sessions,
) -> int:
    """Serve until SIGTERM or SIGINT, which drain (0), or until a commit fails (not 0); answers the exit code.

    `confirm_clock` says that the time is right although the cloud was away for long. Raises `StoreRefusedError` when the store
    must not be opened, `SettingsError` when it must not be served with these settings.
    """
    configure_logs(settings.log)
    warn_of_strangers(settings)
    try:
        listening = _listen(settings)
    except OSError as error:
        log.critical("cannot_listen", host=settings.http.host, port=settings.http.port, error=str(error))
        return EXIT_CODE_ADDRESS
    settings = started(settings, port=listening.getsockname()[1])
    with contextlib.closing(listening):
        count = CommitCount()
        readers = fork(settings.http.readers, lambda way: read(settings, listening, way, count, seen=seen, admits=admits))
        if readers:
            listening.close()  # it is theirs: whoever comes when they have stopped is turned away, not kept waiting
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                serving = (
                    partial(write, readers=readers, count=count)
                    if readers
                    else partial(_read_and_write, listening=listening, admits=admits)
                )
                has_failed = runner.run(_serve(settings, lambda: _confirmed(opened(settings), confirm_clock), serving))
        finally:
            reap(readers)
    return EXIT_CODE_STOPPED if has_failed else 0


async def _serve(settings: Settings, opened: Callable[[], Cloud], serving: Callable[..., Coroutine[Any, Any, None]]) -> bool:
    """Open, serve until told to stop, close; answers whether it stopped because something failed."""
    stopped: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def stop(failure: BaseException | None = None) -> None:
        if not stopped.done():
            stopped.set_result(failure is not None)

    cloud = opened()
    cloud.writer.on_stop(stop)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    operator = OperatorSocket(cloud, Path(settings.data))
    await operator.start()
    cloud.start()
    kept = asyncio.create_task(_keep_index(cloud, settings))
    try:
        await serving(cloud, settings, stopped)
    finally:
        kept.cancel()
        await asyncio.gather(kept, return_exceptions=True)
        await operator.stop()
        await _close(cloud, failed=stopped.done() and stopped.result())
    log.info("stopped", failed=await stopped)
    return await stopped


async def _keep_index(cloud: Cloud, settings: Settings) -> None:
    """Have the search index kept by a process of its own, where that is wanted and there is something to be found."""
    if settings.search.keeper == "process" and SearchGoods in cloud.registry.queries:
        await asyncio.sleep(KEEPS_AFTER_S)
        keeper = IndexKeeper(settings)
        cloud.writer.watch(keeper)
        await keeper.run()


async def _read_and_write(
    cloud: Cloud, settings: Settings, stopped: "asyncio.Future[bool]", *, listening: socket.socket, admits: Callable[[Access], Admits]
) -> None:
    """Serve callers in the process that writes."""
    server = Server(application(cloud, settings, admits=admits(cloud), watch=Here(cloud)), settings.http)
    stopped.add_done_callback(lambda _: server.end())
    sweeper = asyncio.create_task(sweep_connections(server.server_state))
    tune()
    log.info("serving", url=settings.http.url(), routes=len(cloud.registry.routes))
    try:
        await server.serve(sockets=[listening])
    finally:
        sweeper.cancel()


def _confirmed(cloud: Cloud, confirm_clock: bool) -> Cloud:
    if confirm_clock:
        cloud.alarms.confirm()
    return cloud


async def _close(cloud: Cloud, *, failed: bool) -> None:
    try:
        await cloud.stop()
    except Exception:
        if not failed:
            raise
        log.exception("closing_failed")  # after a failed commit nothing more is expected of the store


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.http.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.http.host, settings.http.port))
        listening.listen(settings.http.backlog)
    except BaseException:
        listening.close()
        raise
    return listening
