"""uvicorn as we run it, and how a process that serves is tuned."""

import contextlib
import gc
import sys
from collections.abc import Iterator

import uvicorn

from yunduan.edges.http.direct import direct_protocol
from yunduan.edges.http.front import Front
from yunduan.runtime.settings import HttpSettings

SWITCH_INTERVAL_S = 0.0003
"""The helper that commits must not wait five milliseconds for the loop."""
COLLECTOR_THRESHOLDS = (50_000, 20, 50)


class Server(uvicorn.Server):
    """uvicorn without its own idea of signals: they end the serving, and the exit code says how it ended."""

    def __init__(self, front: Front, http: HttpSettings) -> None:
        """Serve a front with these limits."""
        self._front = front
        super().__init__(
            uvicorn.Config(
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
        )

    def end(self) -> None:
        """Take nothing more and finish what has begun; streams of events would not end by themselves."""
        self.should_exit = True
        if self._front.streams is not None:
            self._front.streams.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to `serve`."""
        yield


def tune() -> None:
    """Set up the collector and the interpreter for a process that serves; called when everything is loaded."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    gc.collect()
    gc.freeze()
