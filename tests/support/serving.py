"""A real server on a free port of this machine, in a process of its own: the toy shelf, or the whole cloud.

`python serving.py shelf|cloud FOLDER` serves with the settings of the environment; where the file `FOLDER/fail` appears, commits of
the embedded store fail.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main(kind: str, folder: str) -> int:
    """Serve until told to stop."""
    sys.path.insert(0, str(HERE.parent))
    from support import shelf
    from yunduan.backends.sqlite import SqliteStore
    from yunduan.cloud import Cloud, Parts, Window, open_cloud, open_reader, open_store
    from yunduan.edges.serve import serve
    from yunduan.kernel.refusals import UnknownOutcomeError
    from yunduan.runtime import domain as runtime
    from yunduan.runtime.clock import SystemClock
    from yunduan.runtime.settings import Settings, settings_or_exit

    class FailingStore(SqliteStore):
        """Its disk is full when the file says so."""

        def commit(self) -> None:
            if (Path(folder) / "fail").exists():
                raise UnknownOutcomeError("the disk is full")
            super().commit()

    def opened(settings: Settings) -> Cloud:
        path = settings.sqlite_path()
        store = FailingStore(path) if path is not None else open_store(settings)
        return Cloud(store, domains=(runtime.DOMAIN, shelf.DOMAIN), limits=settings.writer.limits())

    def seen(settings: Settings) -> Window:
        reader = lambda: open_reader(settings)  # noqa: E731 - shorter than a function's own name
        return Window(domains=(runtime.DOMAIN, shelf.DOMAIN), parts=Parts(ports={}), reader=reader, clock=SystemClock())

    settings = settings_or_exit()
    if kind == "cloud":
        return serve(settings, opened=open_cloud)
    return serve(settings, opened=opened, seen=seen, admits=lambda _: shelf.admits)


class Server:
    """One running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, lines: list[str], started_s: float) -> None:
        """A process that listens on a port and logs these lines."""
        self.process = process
        self.port = port
        self.lines = lines
        self.started_s = started_s

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        with self.connect() as connection:
            connection.sendall(request(method, path, body, close=True, **headers))
            return parsed(read_all(connection))[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; answers its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def request(method: str, path: str, body: bytes = b"", *, close: bool = False, **headers: str) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "host: test", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if body or method not in {"GET", "HEAD"}:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    if close:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_all(connection: socket.socket) -> bytes:
    """Until the other side hangs up."""
    read = b""
    while piece := connection.recv(65536):
        read += piece
    return read


def parsed(raw: bytes) -> list[tuple[int, bytes]]:
    """The answers in a stream of bytes, each with a length of its own."""
    answers = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        answers.append((status, rest[:size]))
        raw = rest[size:]
    return answers


@contextmanager
def served(kind: str, folder: Path, **environ: Any) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"YUNDUAN_DATA": str(folder), "YUNDUAN_HTTP__PORT": "0", "YUNDUAN_LOG__FORMAT": "json", **environ}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, __file__, kind, str(folder)], env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    lines: list[str] = []
    port = 0
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        found = re.search(r'"url": "http://[^"]*:(\d+)"', line)
        if found:
            port = int(found[1])
            break
    assert port, "".join(lines)
    reading = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reading.start()
    server = Server(process, port, lines, 0.0)
    assert server.ask("GET", "/health/live")[0] == 200
    server.started_s = time.monotonic() - began
    try:
        yield server
    finally:
        if process.poll() is None:
            server.stop(signal.SIGKILL)
        reading.join(5)
        process.stderr.close()


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
