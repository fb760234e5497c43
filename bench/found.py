"""How long after a shop was answered that its goods are on sale anybody finds them: the served process, over HTTP, with its keeper.

    python -m bench.found [PRODUCTS] [GOODS] [READERS]

A shop puts goods on sale, one after the other, each with a name of its own, into a market of some thousand goods; as soon as the answer
is there the name is searched for, again and again. Counted is from the answer to the commit until the answer that has found it has come
(`found`), and until that search was asked (`asked`): the difference is the search itself, beside half a millisecond between two. To
tell a slow machine from a slow program, what a commit's answer (`commit`) and such a search where nothing waits (`search`) take is told.
"""

import json
import statistics
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

from bench.servers import ours
from yunduan.cloud import open_indexers
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop
from yunduan.domains.catalog.model import GoodsForm, VariantForm
from yunduan.domains.identity.commands import OpenSession, RegisterPerson, RequestCode
from yunduan.domains.identity.model import Vault
from yunduan.domains.identity.queries import Mailbox
from yunduan.edges.demo.content import content
from yunduan.kernel.money import Money
from yunduan.runtime.settings import Settings
from yunduan.testing import World

PHONE = "+8613800138000"
READY_S_MAX = 60.0
LOOKS_EVERY_S = 0.0005
PAUSE_S = 0.05
"""A shop does not put on sale as fast as it can: between two the keeper has done its work."""


class Place:
    """A shop of some thousand goods with an index of them, and its owner signed in."""

    def __init__(self, folder: Path, goods: int) -> None:
        """Found it."""
        texts = [text for shop in content().shops for text in shop.goods]
        with World.at(folder, at_ms=time.time_ns() // 1_000_000) as world:
            owner = world.send(RegisterPerson(phone=PHONE)).person_id
            challenge = world.send(RequestCode(contact=PHONE)).id
            code = next(letter.code for letter in world.ask(Mailbox()).items if letter.id == challenge)
            vault: Any = world.cloud.port(Vault)  # type: ignore[type-abstract]
            self.token: str = vault.token(world.send(OpenSession(challenge_id=challenge, code=code)).session_id)
            self.category = world.send(CreateCategory(name="百货", name_en="Things")).id
            self.shop = world.send(CreateShop(owner_id=owner, name="云铺", country="CN", currency="CNY", commission_ppm=50_000)).id
            for number in range(goods):
                text = texts[number % len(texts)]
                form = GoodsForm(
                    title=f"{text.title} {number}",
                    title_en=text.title_en,
                    description=text.about,
                    description_en=text.about_en,
                    category_id=self.category,
                    variants=(VariantForm(sku=f"S{number}", price=Money(amount=1_000 + number, currency="CNY"), weight_g=250),),
                )
                world.send(CreateGoods(shop_id=self.shop, form=form, publish=True))
        with open_indexers(Settings(data=str(folder))) as indexers:
            while indexers.goods.step():
                pass


class Caller:
    """One connection that is kept open."""

    def __init__(self, port: int, token: str) -> None:
        """Open it when it is first used."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """The answer, which has to be a yes."""
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {said[:300]!r}")
        return json.loads(said) if path.startswith("/v1") else said.decode()


def measured(place: Place, port: int, products: int) -> dict[str, Any]:
    """Put goods on sale and look for each."""
    caller, dice = Caller(port, place.token), Random(11)
    began = time.monotonic()
    while "yunduan_search_kept 1.0" not in caller.ask("GET", "/metrics"):
        if time.monotonic() - began > READY_S_MAX:
            raise SystemExit("nothing keeps the index")
        time.sleep(0.1)
    time.sleep(1.0)
    times: dict[str, list[float]] = {"commit": [], "found": [], "asked": [], "search": []}
    searches = 0
    for number in range(products):
        name = "".join(dice.choices("bcdfghjklmnpqrstvwxz", k=9))
        form = {
            "title": f"新品 {name} 阳光玫瑰葡萄 三斤装",
            "title_en": "New grapes",
            "category_id": place.category,
            "variants": [{"sku": f"N-{name}", "price": {"amount": 1999, "currency": "CNY"}, "weight_g": 250}],
        }
        asked = time.perf_counter()
        goods = caller.ask("POST", f"/v1/shops/{place.shop}/goods", {"form": form, "publish": True}, key=f"{name}-{number:08d}")
        answered = time.perf_counter()
        while True:
            asks = time.perf_counter()
            found = caller.ask("GET", f"/v1/search?q={name}")
            now = time.perf_counter()
            searches += 1
            if found["loosened"] == "nothing" and found["items"] and found["items"][0]["card"]["id"] == goods["id"]:
                break
            time.sleep(LOOKS_EVERY_S)
            if now - answered > READY_S_MAX:
                raise SystemExit(f"{name} is not found")
        for kind, seconds in (("commit", answered - asked), ("found", now - answered), ("asked", asks - answered)):
            times[kind].append(1000 * seconds)
        time.sleep(PAUSE_S)
        asks = time.perf_counter()
        caller.ask("GET", f"/v1/search?q={name}")
        times["search"].append(1000 * (time.perf_counter() - asks))
    return {"products": products, "searches": searches, **{kind: _said(found) for kind, found in times.items()}}


def _said(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 2),
        "most_ms": round(ordered[-1], 2),
    }


def run(products: int = 300, goods: int = 2_000, readers: int = 0) -> dict[str, Any]:
    """Found a shop, serve it, measure."""
    with tempfile.TemporaryDirectory(prefix="yunduan-bench-") as name:
        folder = Path(name) / "data"
        folder.mkdir(mode=0o700)
        place = Place(folder, goods)
        with ours(folder, readers=readers, log=Path(name) / "server.log") as server:
            return measured(place, server.port, products)


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
