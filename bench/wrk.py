"""One run of the load driver, and what it says."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import psutil
from msgspec import Struct

from bench.servers import Server

SCRIPT = Path(__file__).parent / "load.lua"
_SAYS = {
    "requests": r"(\d+) requests in",
    "rate": r"Requests/sec:\s+([\d.]+)",
    "p50": r"50%\s+([\d.]+\w+)",
    "p99": r"99%\s+([\d.]+\w+)",
    "bad": r"Non-2xx or 3xx responses: (\d+)",
    "sockets": r"Socket errors: (.*)",
}
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Run(Struct, frozen=True):
    """What came of some seconds of load."""

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int
    bad: int
    cores: float
    """CPU that the server used, in cores."""
    others: float
    """CPU that anything else but server and driver used: foreign load, which spoils a figure."""


def present() -> bool:
    """Whether the driver is here; Debian's package is installed where that is allowed."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], capture_output=True, check=False)
    return shutil.which("wrk") is not None


def load(server: Server, kind: str, *, folder: Path, style: str, connections: int, seconds: int, start: int) -> Run:
    """Load a server with one kind of request, closed loop, from one thread."""
    environment = os.environ | {"KIND": kind, "FOLDER": str(folder), "STYLE": style, "START": str(start)}
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "--latency",
        "-s",
        str(SCRIPT),
        f"http://127.0.0.1:{server.port}",
    ]
    machine, cpu, began = psutil.cpu_times(), server.cpu_s(), time.monotonic()
    driver = psutil.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    driven = 0.0
    while driver.poll() is None:
        time.sleep(0.1)
        try:
            used = driver.cpu_times()
            driven = used.user + used.system
        except psutil.NoSuchProcess:
            break
    said = driver.communicate()[0]
    wall, cpu, now = time.monotonic() - began, server.cpu_s() - cpu, psutil.cpu_times()
    busy = sum(getattr(now, name) - getattr(machine, name) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
    found = {name: (re.search(pattern, said) or ["", "0"])[1] for name, pattern in _SAYS.items()}
    if found["sockets"] != "0":
        print(f"    {server.name} {kind}: socket errors {found['sockets']}")
    return Run(
        rate=float(found["rate"]),
        p50_ms=_ms(found["p50"]),
        p99_ms=_ms(found["p99"]),
        requests=int(found["requests"]),
        bad=int(found["bad"]),
        cores=cpu / wall,
        others=max(0.0, busy - cpu - driven) / wall,
    )


def _ms(said: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", said)
    return float(found[1]) * _MS[found[2]] if found else 0.0
