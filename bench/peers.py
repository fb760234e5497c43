"""Other shop systems, measured in the same run by the drivers that lie beside the checkout.

    python -m bench.peers install oscar vendure

installs them into `.cache/peers`, from where `make bench` takes those that are there. They are asked for the same work in their own
words: a list of 20 goods, a product page, a search, a whole purchase (their steps, one paid order).
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from bench.servers import free_port

ROOT = Path(__file__).parents[1]
DRIVERS = ROOT.parent / "shared" / "peers"
INSTALLED = ROOT / ".cache" / "peers"
KINDS = {"list": "list", "page": "detail", "purchase": "purchase", "search": "search"}
"""Our workloads, and what the drivers call them."""
READY_S_MAX = 120.0


class Peer(Struct, frozen=True, kw_only=True):
    """How another system is installed, filled and served."""

    adapter: str
    files: tuple[str, ...]
    install: Callable[[Path], list[list[str]]]
    serve: Callable[[Path, int], list[str]]
    environment: Mapping[str, str]
    list_is: str = "list"
    is_searched: bool = False


def _python(folder: Path) -> str:
    return str(folder / ".venv" / "bin" / "python")


PEERS = {
    "oscar": Peer(
        adapter="adapter_oscar",
        files=("oscar/shop.py", "oscar/adapter_oscar.py", "oscar/set_stock.py", "oscar/requirements.txt"),
        install=lambda folder: [
            [sys.executable, "-m", "venv", ".venv"],
            [_python(folder), "-m", "pip", "install", "-q", "-r", "requirements.txt", "uvloop"],
            [_python(folder), "shop.py"],
        ],
        serve=lambda folder, port: [
            str(folder / ".venv" / "bin" / "gunicorn"), "--no-control-socket", "-b", f"127.0.0.1:{port}", "-w", "1", "--threads", "8",
            "shop:application",
        ],
        environment={"PEER_DATA": "data"},
    ),
    "vendure": Peer(
        adapter="adapter_vendure",
        files=(
            "vendure/package.json", "vendure/config.cjs", "vendure/populate.cjs", "vendure/server.cjs", "vendure/set_stock.cjs",
            "vendure/adapter_vendure.py",
        ),
        install=lambda _: [
            ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"],
            ["npm", "rebuild", "better-sqlite3", "--loglevel=error"],
            ["node", "populate.cjs"],
        ],
        serve=lambda _, port: ["node", "server.cjs"],  # noqa: ARG005 - the port is in its environment
        environment={"PEER_SQLITE_WAL": "1", "NODE_ENV": "production"},
        list_is="list_index",
        is_searched=True,
    ),
}  # fmt: skip


class Found(Struct, frozen=True):
    """What came of one workload."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    cores: float
    others: float


def installed() -> list[str]:
    """The peers that are there to be measured."""
    return [name for name in PEERS if (INSTALLED / name / "ready").exists() and DRIVERS.exists()]


def can(name: str, kind: str) -> bool:
    """Whether a peer does one of our workloads."""
    return kind in KINDS and (kind != "search" or PEERS[name].is_searched)


def install(name: str) -> None:
    """Install and fill one; what it prints is kept beside it."""
    peer, folder = PEERS[name], INSTALLED / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in (*peer.files, "vendure/load.py", "vendure/race.py"):
        shutil.copy(DRIVERS / file, folder)
    for command in peer.install(folder):
        print(f"{name}: {' '.join(command[:4])}", flush=True)
        with (folder / "install.log").open("ab") as log:
            subprocess.run(command, cwd=folder, env=os.environ | peer.environment, stdout=log, stderr=log, check=True)
    (folder / "ready").touch()


def measured(name: str, kind: str, *, connections: int, seconds: int) -> Found:
    """Serve a peer and load it with one of our workloads."""
    peer, folder, port = PEERS[name], INSTALLED / name, free_port()
    environment = os.environ | peer.environment | {"PEER_PORT": str(port)}
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(peer.serve(folder, port), cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _until_it_listens(server, port)
        scenario = peer.list_is if kind == "list" else KINDS[kind]
        out = folder / "out.json"
        command = [
            sys.executable, "load.py", "--adapter", peer.adapter, "--port", str(port), "--pid", f"server={server.pid}",
            "--conc", str(connections), "--seconds", str(seconds), "--only", scenario, "--out", str(out),
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        row = json.loads(out.read_text())["rows"][0]
    finally:
        server.terminate()
        server.wait(30)
    return Found(
        row["ops_per_s"], row["p50_ms"] or 0.0, row["p99_ms"] or 0.0, row["errors"], sum(row["cpu_cores"].values()), row["other_cores"]
    )


def _until_it_listens(server: "subprocess.Popen[bytes]", port: int) -> None:
    began = time.monotonic()
    while time.monotonic() - began < READY_S_MAX and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit("the peer did not start: see server.log beside it")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install", *names] if names and set(names) <= set(PEERS):
            for chosen in names:
                install(chosen)
        case _:
            sys.exit(__doc__)
