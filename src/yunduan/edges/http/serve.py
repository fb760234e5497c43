"""Serves a cloud over HTTP: one process, one loop, the collector tuned; ends when told to, or when a commit has failed."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import uvicorn
import uvloop

from yunduan.cloud import Cloud, open_cloud
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.direct import direct_protocol
from yunduan.edges.http.endpoint import Admits
from yunduan.edges.http.front import Front
from yunduan.edges.http.protocol import sweep_connections
from yunduan.edges.logs import configure_logs
from yunduan.edges.operator import OperatorSocket
from yunduan.edges.starting import started, warn_of_strangers
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)
EXIT_CODE_ADDRESS = 69
"""The address cannot be listened on."""
EXIT_CODE_STOPPED = 74
"""A commit has failed: whoever started this process shall start it again, and what is on disk then counts."""
SWITCH_INTERVAL_S = 0.0003
"""The helper that commits must not wait five milliseconds for the loop."""
COLLECTOR_THRESHOLDS = (50_000, 20, 50)


class Server(uvicorn.Server):
    """uvicorn without its own idea of signals: they end the serving, and the exit code says how it ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to `serve`."""
        yield


def serve(
    settings: Settings,
    *,
    confirm_clock: bool = False,
    opened: Callable[[Settings], Cloud] = open_cloud,
    admits: Callable[[Cloud], Admits] = Sessions,
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
    with contextlib.closing(listening), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, listening, lambda: _confirmed(opened(settings), confirm_clock), admits))


async def _serve(settings: Settings, listening: socket.socket, opened: Callable[[], Cloud], admits: Callable[[Cloud], Admits]) -> int:
    cloud = opened()
    front = application(cloud, settings, admits=admits(cloud))
    server = Server(_config(settings, front))
    failures: list[BaseException] = []

    def stop(failure: BaseException | None = None) -> None:
        if failure is not None:
            failures.append(failure)
        server.should_exit = True
        if front.streams is not None:
            front.streams.close()  # they would not end by themselves, and it is waited for them

    cloud.writer.on_stop(stop)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    operator = OperatorSocket(cloud, Path(settings.data))
    await operator.start()
    cloud.start()
    sweeper = asyncio.create_task(sweep_connections(server.server_state))
    _tune()
    log.info("serving", url=f"http://{settings.http.host}:{listening.getsockname()[1]}", routes=len(cloud.registry.routes))
    try:
        await server.serve(sockets=[listening])
    finally:
        sweeper.cancel()
        await operator.stop()
        await _close(cloud, failed=bool(failures))
    log.info("stopped", failed=bool(failures))
    return EXIT_CODE_STOPPED if failures else 0


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


def _config(settings: Settings, front: Front) -> uvicorn.Config:
    http = settings.http
    return uvicorn.Config(
        front,
        http=direct_protocol(front, http),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(http.trusted_proxies),
        forwarded_allow_ips=list(http.trusted_proxies) or None,
        backlog=http.backlog,
        timeout_keep_alive=http.keep_alive_s,
        timeout_graceful_shutdown=http.drain_s,
    )


def _tune() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    gc.collect()
    gc.freeze()
