"""How orders are found in a shop that has many: what an order costs the index, and how long a question takes.

    python -m bench.order_search [ORDERS] [QUESTIONS]

One shop sells five thousand things, some of them much more often than others, to one buyer in ten orders and to others; each fortieth
order is of another shop. Asked is over the cloud in process, the answer made, as it is in production. Prints JSON.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import apsw
import msgspec

from bench.search import cut, titles
from yunduan.backends.sqlite import SideFolder
from yunduan.domains.catalog.commands import CreateShop
from yunduan.domains.identity.commands import RegisterPerson
from yunduan.domains.orders.model import OrderState, Progress, SoldItem, Terms
from yunduan.domains.search.order_finding import FindMyOrders, FindShopOrders, OrdersFound
from yunduan.domains.search.order_indexing import OrderIndexer
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import ShopId
from yunduan.kernel.refusals import FaultError
from yunduan.testing import World

THINGS = 5_000
START_MS = 1_780_000_000_000
_encode = msgspec.msgpack.Encoder().encode
_PLACE = (
    "INSERT INTO orders (seq, id, buyer, shop_id, state, total, currency, placed_at, progress, terms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def things(random: Random) -> list[SoldItem]:
    """What is sold."""
    return [
        SoldItem(f"var_{place}", f"gds_{place}", 1, 1_000, title, "", "", "", f"SKU-{place}", "", "")  # type: ignore[arg-type]
        for place, title in enumerate(random.sample(titles(), THINGS))
    ]


def place(path: Path, *, orders: int, shops: Sequence[ShopId], sold: Sequence[SoldItem], random: Random) -> None:
    """Write orders straight into the store."""
    usual = [1 / (rank + 10) for rank in range(THINGS)]
    progress = _encode(Progress(paid_at=START_MS))

    def rows() -> Any:
        for seq in range(1, orders + 1):
            at = START_MS + seq * 1_000
            items = tuple(random.choices(sold, usual, k=random.choice((1, 1, 2, 3))))
            terms = Terms(items, 800, (), (), 50_000, 50, bytes(300), b"", 1)
            buyer = "per_much" if seq % 10 == 0 else f"per_{random.randrange(orders // 5)}"
            shop, state = shops[seq % 40 == 0], "paid" if random.random() < 0.1 else "received"
            yield seq, f"ord_{at:012x}{seq:012x}", buyer, shop, state, 1_800, "CNY", at, progress, _encode(terms)

    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    connection.executemany(_PLACE, rows())
    connection.execute("INSERT INTO order_count (name, last) VALUES ('orders', ?)", (orders,))
    connection.execute("COMMIT")
    connection.close()


def timed(ask: Callable[[str], OrdersFound], questions: Sequence[str]) -> dict[str, Any]:
    """How long some questions take, and what they come to."""
    times, cpu, found, cut_off = [], [], 0, 0
    for question in questions:
        began, worked = time.perf_counter(), time.thread_time()
        try:
            found += bool(ask(question).items)
        except FaultError:  # other work on the machine: a question to the index has a quarter of a second
            cut_off += 1
        times.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - worked)

    def at(part: int, of: list[float]) -> float:
        return round(1_000 * sorted(of)[min(len(of) - 1, len(of) * part // 100)], 2)

    return {
        "cut_off": cut_off,
        "found": round(found / len(questions), 3),
        "p50_ms": at(50, times),
        "p99_ms": at(99, times),
        "cpu_p50_ms": at(50, cpu),
        "cpu_p99_ms": at(99, cpu),
    }


def run(orders: int = 100_000, asked: int = 1_000) -> dict[str, Any]:
    """Make the orders, the index, and ask."""
    random = Random(1)
    sold = things(random)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with World.at(folder) as world:
            owner = world.send(RegisterPerson(phone="+8613900138000")).person_id
            opening = [CreateShop(owner_id=owner, name=name, country="CN", currency="CNY", commission_ppm=0) for name in ("云茶", "别家")]
            shops = [world.send(one).id for one in opening]
        place(folder / "yunduan.sqlite", orders=orders, shops=shops, sold=sold, random=random)
        with World.at(folder) as world:
            cloud, sides = world.cloud, SideFolder(folder, "orders")
            indexer = OrderIndexer(sides, ask=lambda query: cloud.ask_behind(query, actor=SYSTEM), reader=cloud.behind)
            began, cpu, half = time.perf_counter(), time.thread_time(), 0.0
            while indexer.step():
                if not half and indexer.walked()[0] * 2 >= orders:
                    half = time.thread_time()
            seconds, end = time.perf_counter() - began, time.thread_time()
            indexer.close()
            figures: dict[str, Any] = {
                "orders": orders,
                "made_s": round(seconds, 1),
                "cpu_us_an_order": round((end - cpu) * 1e6 / orders, 1),
                "cpu_us_an_order_in_the_second_half": round((end - half) * 2e6 / orders, 1),
                "mib": round(sum(path.stat().st_size for path in folder.glob("orders-*")) / 2**20, 1),
            }
            shop, staff = shops[0], Actor(person=owner, shop_roles={shops[0]: frozenset(["owner"])})
            much, some = (Actor(person=person) for person in ("per_much", "per_7"))  # type: ignore[arg-type]
            words = [random.choice(cut(item.title) or [item.title]) for item in random.choices(sold, k=asked)]
            usual = [random.choice(cut(item.title) or [item.title]) for item in sold[:asked]]
            digits = [f"{random.randrange(10_000):04}" for _ in range(asked)]
            common = ["女", "2", "红", "a", "of", "包邮", "s", "e", "t", "christmas"] * (asked // 10)

            def of(actor: Actor, shop: ShopId | None = None, **more: Any) -> Callable[[str], OrdersFound]:
                if shop is None:
                    return lambda q: cloud.ask(FindMyOrders(q=q, **more), actor=actor)
                return lambda q: cloud.ask(FindShopOrders(shop_id=shop, q=q, **more), actor=actor)

            last = f"ord_{START_MS + orders // 2 * 1_000:012x}{orders // 2:012x}"
            for kind, ask, questions in (
                ("shop, a word", of(staff, shop), words),
                ("shop, a word of what sells", of(staff, shop), usual),
                ("shop, a usual word", of(staff, shop), common),
                ("shop, a usual word, page in the middle", of(staff, shop, after=last), common),
                ("shop, a word, in a state that few are in", of(staff, shop, state=OrderState.PAID), words),
                ("shop, a usual word, in a state that none is in", of(staff, shop, state=OrderState.SHIPPED), common[:100]),
                ("shop, last digits", of(staff, shop), digits),
                ("buyer of many, a word", of(much), words),
                ("buyer of many, a usual word", of(much), common),
                ("buyer of many, the shop's name", of(much), ["云茶", "yuncha", "别家", "云茶 包邮"] * (asked // 4)),
                ("buyer of few, a word", of(some), words),
                ("buyer of few, a usual word", of(some), common),
            ):
                figures[kind] = timed(ask, questions)
                print(f"{kind:50}", json.dumps(figures[kind]), flush=True)
    return figures


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), ensure_ascii=False))
