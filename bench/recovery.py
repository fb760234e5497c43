"""How long a server takes from its start to its first answer after it was killed under load, with many orders on disk."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import wrk
from bench.market import Size, fast_store, furnished
from bench.servers import ours
from yunduan.backends.postgresql import PostgresqlStore

LOAD_S = 2


def seconds(kills: int, *, orders: int, work: Path, cluster: Any = None) -> list[float]:
    """Of each start after a kill in the middle of checkouts: seconds to the first answer. On PostgreSQL where a cluster is given."""
    folder, log = work / "recovery", work / "recovery.log"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if cluster is None:
        store: Any = fast_store(folder)
        url = ""
    else:
        cluster.run("CREATE DATABASE recovery")
        url = f"postgresql://yunduan@/recovery?host={cluster.folder}"
        store = PostgresqlStore(url)
    furnished(store, folder, size=Size(people=20_000, baskets=10))
    placed, found, start = 0, [], 1024
    with ours(folder, store_url=url, log=log) as server:
        while placed < orders:  # the market's carts hold a hundred thousand
            run = wrk.load(server, "checkout", folder=folder, style="ours", connections=64, seconds=5, start=start)
            start += 1024 * (run.requests // 1024 + 1)
            placed += run.requests - run.bad
            if run.bad > run.requests // 2:
                break
    dice = random.Random(1)
    for _ in range(kills):
        server = ours(folder, store_url=url, log=log)
        driver = subprocess.Popen(
            [sys.executable, "-m", "bench.drive", str(folder), str(server.port), str(LOAD_S), str(start)], stdout=subprocess.DEVNULL
        )
        time.sleep(0.5 + dice.random() * (LOAD_S - 0.7))
        server.end(signal.SIGKILL)
        driver.wait(60)
        with ours(folder, store_url=url, log=log) as again:
            found.append(again.first_answer_s)
        start += 1_000_000
    return found
