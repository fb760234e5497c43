"""The servers under load, each in a process of its own on 127.0.0.1, and what they use of the machine."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

READY_S_MAX = 60.0
SETTLES_S_MAX = 15.0

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Programs are kept as bytecode, as wherever nobody forbids it: otherwise each start compiles all, and the index's keeper beside a load."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that listens; used as a context, it is ended at the end."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        port: int,
        log: Path,
        environment: dict[str, str] | None = None,
        beside: tuple[int, ...] = (),
    ) -> None:
        """Start it and wait for its first answer; `beside` are processes (a database) whose use of the machine counts as its own."""
        self.name = name
        self.port = port
        self._beside = beside
        self._log = log
        started = time.monotonic()
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, env=_ENVIRONMENT | (environment or {}), stdout=file, stderr=file)
        self.first_answer_s = self._until_it_answers(started)

    def _until_it_answers(self, started: float) -> float:
        while time.monotonic() - started < READY_S_MAX:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe, contextlib.suppress(OSError):  # nobody listens yet, or does but does not answer yet
                probe.settimeout(READY_S_MAX)
                probe.connect(("127.0.0.1", self.port))
                probe.sendall(b"GET /health/live HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if probe.recv(16).startswith(b"HTTP/1.1"):
                    return time.monotonic() - started
            time.sleep(0.02)
        raise SystemExit(f"{self.name} did not start:\n{self._log.read_text()[-2000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, by its id, and wait."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(60)

    def settle(self) -> None:
        """Wait until what it starts beside itself has loaded its programs and dictionaries: a start is no load."""
        until, used = time.monotonic() + SETTLES_S_MAX, self.cpu_s()
        while time.monotonic() < until:
            time.sleep(0.5)
            before, used = used, self.cpu_s()
            if used - before < 0.05:
                return

    def cpu_s(self) -> float:
        """CPU time used so far, children and the database included."""
        return sum(self._times(pid) for pid in (self._process.pid, *self._beside))

    def memory_mib(self) -> float:
        """Resident memory of the server's own process, without what it sees of the store's file mapped: that is the system's."""
        process = psutil.Process(self._process.pid)
        mapped = sum(area.rss for area in process.memory_maps() if area.path.endswith("yunduan.sqlite"))
        return float(process.memory_info().rss - mapped) / 2**20

    def beside_mib(self) -> float:
        """Memory, in proportion where it is shared, of the processes that the server has started: what keeps the index, and readers."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        return float(sum(child.memory_full_info().pss for child in children)) / 2**20

    @staticmethod
    def _times(pid: int) -> float:
        total = 0.0
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            try:
                used = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += used.user + used.system
        return total


LARGE = {"YUNDUAN_STORE__LISTS_MIB": "256"}
"""What the manual says of large markets."""


def ours(folder: Path, *, store_url: str = "", readers: int = 0, is_large: bool = False, log: Path, beside: tuple[int, ...] = ()) -> Server:
    """`yunduan serve` on a folder."""
    port = free_port()
    environment = {"YUNDUAN_DATA": str(folder), "YUNDUAN_HTTP__PORT": str(port), "YUNDUAN_LOG__LEVEL": "warning"}
    environment |= {"YUNDUAN_HTTP__READERS": str(readers)} | (LARGE if is_large else {})
    if store_url:
        environment["YUNDUAN_STORE__URL"] = store_url
    command = [str(Path(sys.executable).parent / "yunduan"), "serve"]
    return Server("yunduan", command, port=port, log=log, environment=environment, beside=beside)


def textbook(dsn: str, *, log: Path, beside: tuple[int, ...] = ()) -> Server:
    """The textbook store."""
    port = free_port()
    return Server("textbook", [sys.executable, "-m", "bench.textbook", dsn, str(port)], port=port, log=log, beside=beside)
