"""The writer's process when callers are served by others: it starts them, opens the store, carries out what they hand in."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import structlog

from yunduan.cloud import Cloud
from yunduan.edges.http.server import tune
from yunduan.edges.linked.hub import Hub
from yunduan.edges.linked.link import CommitCount
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)
END_GRACE_S = 5.0
"""How much longer than a drain a reader may take to end before it is killed."""
REAP_EVERY_S, REAP_TRIES = 0.02, 50


class Child(NamedTuple):
    """A reader process that has been started, and the way to it."""

    pid: int
    way: socket.socket


def fork(number: int, read: Callable[[socket.socket], int]) -> list[Child]:
    """Start reader processes, before this one has a thread or an open store; each runs `read` with its end of the way."""
    children: list[Child] = []
    for _ in range(number):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for child in children:
                    child.way.close()
                ours.close()
                code = read(theirs)
            except BaseException:
                log.exception("reader_broke")
            finally:
                os._exit(code)  # what the parent has begun is the parent's to end
        theirs.close()
        children.append(Child(pid, ours))
    return children


async def write(cloud: Cloud, settings: Settings, stopped: "asyncio.Future[bool]", *, readers: list[Child], count: CommitCount) -> None:
    """Carry out what readers hand in until `stopped`; it is set, to true, when one of them has fallen."""

    def fell(number: int) -> None:
        log.critical("reader_fell", reader=number, why="it has ended without having been told to: its log lines, or the system's, say why")
        if not stopped.done():
            stopped.set_result(True)

    hub = Hub(cloud, count, fell)
    for number, reader in enumerate(readers):
        await hub.join(number, reader.way)
    tune()
    await hub.open()
    if not stopped.done():
        log.info("serving", url=settings.http.url(), routes=len(cloud.registry.routes), readers=len(readers))
    await stopped
    await hub.end(settings.http.drain_s + END_GRACE_S)


def reap(children: list[Child]) -> None:
    """See the reader processes end; whoever does not by itself is killed."""
    for child in children:
        child.way.close()
    for child in children:
        for _ in range(REAP_TRIES):
            if os.waitpid(child.pid, os.WNOHANG)[0]:
                break
            time.sleep(REAP_EVERY_S)
        else:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
