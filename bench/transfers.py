"""Single transfers between random accounts, each submitted alone by one of many callers and answered when it is on disk.

    python -m bench.transfers sqlite [TRANSFERS] [PRELOAD] [ACCOUNTS]
    python -m bench.transfers postgresql://... [TRANSFERS] [PRELOAD] [ACCOUNTS]

The book is filled first, by the same command over the same rows, a thousand linked transfers at a time. Every transfer has an id
of its own, which is its key. The seals and the checks of every batch are on, as in production.
"""

import asyncio
import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
import uvloop

from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import Cloud
from yunduan.domains.ledger.audit import audit
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.domain import DOMAIN as LEDGER
from yunduan.domains.ledger.model import AccountFlag, NewAccount, Transfer
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import AccountId, TransferId, made
from yunduan.kernel.money import Money
from yunduan.runtime.domain import DOMAIN as RUNTIME
from yunduan.runtime.ports import Store

ACCOUNTS = 10_000
OPENING = 100_000_000
AT_ONCE = 1000
WARM = 10_000


def _ids(random: Random) -> Iterator[TransferId]:
    """Ids as everybody makes them: by time, then serial number, then entropy."""
    serial = 0
    while True:
        serial += 1
        at_ms = time.time_ns() // 1_000_000
        yield TransferId(made("trf", at_ms=at_ms, serial=serial, entropy=random.getrandbits(40)))


class Load:
    """Random pairs of accounts, random amounts."""

    def __init__(self, accounts: int = ACCOUNTS, seed: int = 1) -> None:
        """Make the accounts' ids."""
        self._random = Random(seed)
        self._new_id = _ids(self._random).__next__
        self.bank = AccountId(made("bnk", at_ms=1, serial=0, entropy=0))
        draw = self._random.getrandbits
        self.accounts = [AccountId(made("wal", at_ms=1_700_000_000_000 + 977 * n, serial=n, entropy=draw(40))) for n in range(accounts)]

    def openings(self) -> Iterator[PostTransfers]:
        """Accounts that may not go below zero, with something in them."""
        limited, whole = AccountFlag.DEBITS_WITHIN_CREDITS, Money(amount=OPENING, currency="CNY")
        yield PostTransfers(transfers=(), opening=(NewAccount(id=self.bank, currency="CNY", code=1),))
        for start in range(0, len(self.accounts), AT_ONCE):
            ids = self.accounts[start : start + AT_ONCE]
            yield PostTransfers(
                transfers=tuple(Transfer(id=self._new_id(), debit=self.bank, credit=id, amount=whole, code=1) for id in ids),
                opening=tuple(NewAccount(id=id, currency="CNY", code=2, flags=limited) for id in ids),
            )

    def transfer(self) -> Transfer:
        """One of them to another."""
        random, accounts = self._random.random, self.accounts
        count = len(accounts)
        debit, credit = accounts[int(random() * count)], accounts[int(random() * count)]
        while debit is credit:
            credit = accounts[int(random() * count)]
        amount = Money(amount=1 + int(random() * 5000), currency="CNY")
        return Transfer(id=self._new_id(), debit=debit, credit=credit, amount=amount, code=7)

    def many(self) -> PostTransfers:
        """A thousand at once, to fill the book."""
        return PostTransfers(transfers=tuple(self.transfer() for _ in range(AT_ONCE)))


async def _accepted(cloud: Cloud, commands: Iterator[PostTransfers]) -> None:
    for command in commands:
        answered = await cloud.submit(command, actor=SYSTEM)
        if not answered.accepted:
            raise SystemExit(f"a transfer was refused: {answered.body!r}")


async def _called(cloud: Cloud, load: Load, *, callers: int, transfers: int) -> tuple[float, list[float]]:
    """Have so many callers submit one transfer after the other; answers seconds, and the latency of each.

    What is asked is drawn before, so that the time is the ledger's.
    """
    latencies: list[float] = []
    submit, clock = cloud.writer.submit, time.perf_counter
    asked = iter([load.transfer() for _ in range(transfers)])
    gc.collect()
    gc.freeze()

    async def call() -> None:
        for transfer in asked:
            began = clock()
            answered = await submit(PostTransfers(transfers=(transfer,)), actor=SYSTEM)
            latencies.append(clock() - began)
            if not answered.accepted:
                raise SystemExit(f"a transfer was refused: {answered.body!r}")

    began = clock()
    await asyncio.gather(*(call() for _ in range(callers)))
    return clock() - began, latencies


async def _measured(
    store: Store, *, callers: int, transfers: int, preload: int, accounts: int, profiled: Callable[[], Any] | None
) -> dict[str, Any]:
    load = Load(accounts)
    cloud = Cloud(store, domains=(RUNTIME, LEDGER))
    try:
        began = time.perf_counter()
        await _accepted(cloud, load.openings())
        await _accepted(cloud, (load.many() for _ in range(max(0, preload - accounts) // AT_ONCE)))
        filled_s = time.perf_counter() - began
        await _called(cloud, load, callers=callers, transfers=WARM)
        batches, commands = cloud.writer.batches, cloud.writer.commands
        if profiled:
            profiled()
        machine, cpu_s = psutil.cpu_times(), time.process_time()
        seconds, latencies = await _called(cloud, load, callers=callers, transfers=transfers)
        cpu_s, now = time.process_time() - cpu_s, psutil.cpu_times()
        busy = sum(getattr(now, name) - getattr(machine, name) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
        if profiled:
            profiled()
        latencies.sort()
        figures: dict[str, Any] = {
            "transfers": transfers,
            "callers": callers,
            "in_the_book": cloud.writer.head.transfer_seq,
            "per_s": round(transfers / seconds),
            "p50_ms": round(1000 * latencies[len(latencies) // 2], 2),
            "p99_ms": round(1000 * latencies[len(latencies) * 99 // 100], 2),
            "worst_ms": round(1000 * latencies[-1], 1),
            "cores": round(cpu_s / seconds, 2),
            "others": round(max(0.0, busy - cpu_s) / seconds, 2),
            "cpu_us_each": round(1e6 * cpu_s / transfers, 1),
            "batch_mean": round((cloud.writer.commands - commands) / (cloud.writer.batches - batches), 1),
            "filled_per_s": round(preload / filled_s) if preload else 0,
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        reader = store.reader()
        began = time.perf_counter()
        figures["audit_faults"] = len(audit(reader).faults)
        figures["audit_s"] = round(time.perf_counter() - began, 2)
        reader.close()
    finally:
        await cloud.stop()
    return figures


def run(
    store_kind: str,
    callers: int = 256,
    transfers: int = 300_000,
    preload: int = 1_000_000,
    accounts: int = ACCOUNTS,
    folder: str | None = None,
    profiled: Callable[[], Any] | None = None,
) -> dict[str, Any]:
    """Measure one store: `sqlite`, or the address of an empty PostgreSQL database."""
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(0.0003)
    gc.set_threshold(50_000, 20, 50)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            store: Store = SqliteStore(Path(place) / "yunduan.sqlite") if store_kind == "sqlite" else PostgresqlStore(store_kind)
            return uvloop.run(_measured(store, callers=callers, transfers=transfers, preload=preload, accounts=accounts, profiled=profiled))
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(before)


if __name__ == "__main__":
    _, kind, *sizes = sys.argv
    print(json.dumps(run(kind, **dict(zip(("transfers", "preload", "accounts"), map(int, sizes), strict=False)))))
