"""The interpreter's steps (opcodes) that a checkout takes, its followers' included, module by module and function by function.

    python -m bench.steps FOLDER [--top 40]

A figure that no machine's mood moves: two programs can be compared to the hundredth while others work. Steps are not time, and what
runs outside the interpreter (SQLite, the encoders) has none. FOLDER holds a market by `bench.market`; a copy of it is used up.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import uvloop

from yunduan.cloud import open_cloud
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.front import Front
from yunduan.edges.http.problems import Reply
from yunduan.edges.http.reading import Request
from yunduan.edges.http.watching import Here
from yunduan.edges.logs import configure_logs
from yunduan.runtime.settings import LogSettings, Settings, WriterSettings

AT_ONCE, WARM, COUNTED = 32, 20, 10
"""Checkouts in a batch; batches before the interpreter has settled; batches that are counted."""
BATCH_MS = 1_000.0
"""Counting makes everything thirty times slower: a batch shall not be cut short by that."""
Market = list[tuple[str, str, str, str, str]]


class Steps:
    """Counts while it is on."""

    def __init__(self) -> None:
        """Nothing has run."""
        self.taken: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()

    def _step(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            self.taken[frame.f_code] += 1
        return self._step

    def _call(self, frame: FrameType, _: str, __: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.calls[frame.f_code] += 1
        return self._step

    def __enter__(self) -> None:
        """Count from now on, in this thread."""
        sys.settrace(self._call)

    def __exit__(self, *_: object) -> None:
        """Count no more."""
        sys.settrace(None)


def _request(person: tuple[str, str, str, str, str]) -> Request:
    token, address, one, two, total = person
    money = f'{{"amount":{total},"currency":"CNY"}}'
    tenders = f'[{{"kind":"wallet","amount":{money}}}]'
    body = f'{{"address_id":"{address}","variant_ids":["{one}","{two}"],"total":{money},"tenders":{tenders}}}'.encode()
    headers = [
        (b"host", b"127.0.0.1"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"content-type", b"application/json"),
        (b"idempotency-key", str(uuid.uuid4()).encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    return Request("POST", "/v1/checkouts", b"", headers, "127.0.0.1", body)


async def _bought(front: Front, people: Market) -> None:
    """Have everybody buy at once."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Reply]] = [loop.create_future() for _ in people]
    for person, replied in zip(people, waiting, strict=True):
        front.answer(_request(person), replied.set_result)
    for reply in await asyncio.gather(*waiting):
        if reply.status != HTTPStatus.OK:
            raise SystemExit(f"a checkout was answered {reply.status}: {reply.body.decode()}")


async def _counted(folder: Path) -> Steps:
    settings = Settings(data=str(folder), writer=WriterSettings(batch_ms=BATCH_MS), log=LogSettings(level="error"))
    configure_logs(settings.log)
    cloud, steps = open_cloud(settings), Steps()
    cloud.start()
    front = application(cloud, settings, admits=Sessions(cloud), watch=Here(cloud))
    lines = (folder / "people.txt").read_text().splitlines()
    people: Market = []
    for n in range((WARM + COUNTED) * AT_ONCE):
        token, address, basket, *_ = lines[n * 7919 % len(lines)].split()
        people.append((token, address, *basket.split(",")))  # type: ignore[arg-type] # two variants and their total
    batches = [people[at : at + AT_ONCE] for at in range(0, len(people), AT_ONCE)]
    for batch in batches[:WARM]:
        await _bought(front, batch)
    await asyncio.sleep(1)
    with steps:
        for batch in batches[WARM:]:
            await _bought(front, batch)
        await cloud.settle()
    await cloud.stop()
    return steps


def main(market: Path, top: int) -> None:
    """Count and print."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "market"
        shutil.copytree(market, folder)
        steps = uvloop.run(_counted(folder))
    checkouts = COUNTED * AT_ONCE
    ours = {code: taken for code, taken in steps.taken.items() if "/yunduan/" in code.co_filename}
    modules: Counter[str] = Counter()
    for code, taken in ours.items():
        modules[code.co_filename.partition("/yunduan/")[2]] += taken
    print(f"{sum(ours.values()) / checkouts:,.0f} steps a checkout, in {sum(steps.calls[code] for code in ours) / checkouts:,.0f} calls")
    for name, taken in modules.most_common():
        print(f"{taken / checkouts:8,.0f}  {name}")
    print("   steps   calls  function")
    for code, taken in Counter(ours).most_common(top):
        where = f"{code.co_filename.partition('/yunduan/')[2]}:{code.co_firstlineno}"
        print(f"{taken / checkouts:8,.1f} {steps.calls[code] / checkouts:7.2f}  {where} {code.co_qualname}")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--top", type=int, default=40)
    chosen = options.parse_args()
    main(chosen.folder, chosen.top)
