"""Makes the demonstration market in an empty store, under a clock that ends at now."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from msgspec.structs import replace

from yunduan.cloud import Cloud, join
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import OrdersByState
from yunduan.edges.demo.content import content
from yunduan.edges.demo.fates import DAY_MS
from yunduan.edges.demo.living import Living, Size, Watch
from yunduan.edges.passing import AtOnce, let_pass
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.clock import SeededEntropy, VirtualClock
from yunduan.runtime.imports import AdvanceImport, BeginImport, EndImport
from yunduan.runtime.ports import Store
from yunduan.runtime.settings import SandboxSettings, Settings

SOURCE = "demo"
SEED = 11
_IN_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 512 * 2**20  # noqa: S108 - a folder of its own is made in it, which only its owner may read


class Made(Struct, frozen=True, kw_only=True):
    """What there is now."""

    shops: int
    goods: int
    people: int
    orders: dict[OrderState, int]
    reviews: int


def now_ms() -> int:
    """The time of this machine."""
    return time.time_ns() // 1_000_000


async def make(
    store: Store, settings: Settings, *, seed: int, watch: Watch, size: Size | None = None, now: Callable[[], int] = now_ms
) -> Made:
    """Make the market that ends at `now`, and close the store; raises `Refused` when it is not empty.

    Ids follow from the seed. Keys and the sandbox's secret never do: whoever goes on with this market has secrets of their own.
    """
    size, end_ms, folder = size or Size(), now(), Path(settings.data)
    settings = replace(settings, sandbox=SandboxSettings(enabled=True))  # a channel that behaves, whatever is tested otherwise
    clock = VirtualClock(end_ms - (size.days + 2) * DAY_MS)
    parts = join(folder, settings=settings, clock=clock)
    cloud = Cloud(store, parts=parts, clock=clock, entropy=SeededEntropy(seed), importing=SOURCE, helper=AtOnce())
    try:
        await cloud.send(BeginImport(source=SOURCE, content=f"{seed} {end_ms}".encode(), total=1), actor=SYSTEM)
        living = Living(cloud, clock, content(), seed=seed, end_ms=end_ms, watch=watch, size=size)
        await living.run()
        await let_pass(cloud, clock, now())  # what the making itself took
        await cloud.settle()
        await cloud.send(AdvanceImport(source=SOURCE, done=1), actor=SYSTEM)
        await cloud.send(EndImport(source=SOURCE), actor=SYSTEM)
        states = (await cloud.ask_slow(OrdersByState(), actor=SYSTEM)).items
        orders = {state.state: state.orders for state in states}
        return Made(shops=living.shops, goods=living.goods, people=size.people, orders=orders, reviews=living.reviews)
    finally:
        await cloud.stop()


@contextmanager
def made_apart(settings: Settings) -> Iterator[Settings]:
    """Settings of an embedded store apart, to be moved when it is whole: in memory where there is room, since until then nothing counts."""
    beside = Path(settings.data).resolve().parent
    in_memory = os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM_BYTES
    if not in_memory:
        beside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="yunduan-demo-", dir=_IN_MEMORY if in_memory else beside) as folder:
        yield replace(settings, data=folder, store=replace(settings.store, url=""))
