"""The demonstration market: made once, whole or not at all, the same under a seed; and what it is made of."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from yunduan.cloud import Cloud, open_cloud, open_store
from yunduan.domains.catalog.lists import cards_of
from yunduan.domains.catalog.queries import NewestGoods, StockAudit
from yunduan.domains.identity.queries import MyProfile, PersonByContact
from yunduan.domains.ledger.audit import audit
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import CartOf, MyOrders, ShopOrders
from yunduan.edges.demo import living, people
from yunduan.edges.demo.content import content
from yunduan.edges.demo.fates import DAY_MS
from yunduan.edges.demo.living import Size
from yunduan.edges.demo.making import Made, make
from yunduan.edges.demo.opening import OPERATOR, SHOP_OWNER
from yunduan.edges.demo.people import BUYER
from yunduan.edges.pictures import picture_of, pictures
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.runtime.settings import Settings

YUNDUAN = str(Path(sys.executable).parent / "yunduan")
HEARING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Hears Ctrl-C although a suite that runs in the background ignores it, and what it starts would too."""
END_MS = 1_795_900_000_000
SMALL = Size(people=40, days=14, orders=60, goods_of_a_shop=3)
CPU_S_MAX = 60
"""Of the whole market; a machine of its own needs a third of it."""


def made(folder: Path, *, seed: int) -> Made:
    """A small market in a folder."""
    folder.mkdir()
    settings = Settings(data=str(folder))

    async def run() -> Made:
        return await make(open_store(settings), settings, seed=seed, watch=lambda *_: None, size=SMALL, now=lambda: END_MS)

    return asyncio.run(run())


def test_goods_are_compared_with_what_they_have_cost_for_long_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were put on sale a moment before are not, whichever are chosen."""
    monkeypatch.setattr(living, "LOWERED", 1)
    assert [made(tmp_path / str(seed), seed=seed).goods for seed in (1, 2, 3)] == [36, 36, 36]


def test_the_visitor_buys_as_planned_and_no_more_than_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn: somebody with hundreds of orders would not find those in every state among the latest."""
    monkeypatch.setattr(people, "VISITOR_PULL", 0.0)
    made(tmp_path / "market", seed=3)
    with opened(tmp_path / "market") as (_, cloud):
        buyer = Actor(person=cloud.ask(PersonByContact(contact=BUYER), actor=SYSTEM) or "")
        placed = {order.placed_at for order in cloud.ask(MyOrders(limit=50), actor=buyer).items}
    planned = {END_MS - before_ms for before_ms, _ in living.VISITOR if before_ms < SMALL.days * DAY_MS}
    assert placed == planned


@contextmanager
def opened(folder: Path) -> Iterator[tuple[asyncio.Runner, Cloud]]:
    """The market, as a server opens it: with the machine's own clock."""
    settings = Settings(data=str(folder))

    async def opening() -> Cloud:
        return open_cloud(settings)

    with asyncio.Runner() as runner:
        cloud = runner.run(opening())
        yield runner, cloud
        runner.run(cloud.stop())


def book(folder: Path) -> str:
    """The hash that the whole book ends in; its audit finds nothing."""
    with opened(folder) as (_, cloud):
        reader = cloud.store.reader()
        report = audit(reader)
        reader.close()
        assert (report.faults, report.holds_open) == ((), 0)
        return report.chain_end


def test_a_seed_makes_one_market(tmp_path: Path) -> None:
    """To the last transfer; another seed makes another one, and the keys of two are never the same."""
    first, again, other = (made(tmp_path / name, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert first == again
    assert (first.shops, first.goods, first.people) == (12, 36, 40)
    assert sum(first.orders.values()) > SMALL.orders
    assert first.reviews > 10
    assert book(tmp_path / "a") == book(tmp_path / "b") != book(tmp_path / "c")
    assert other.shops == 12
    assert len({(tmp_path / name / "sandbox.secret").read_bytes() for name in ("a", "b", "c")}) == 3


def run(*arguments: str, data: Path, ends: int = 0) -> str:
    """One command of the command line; answers all that it says."""
    environment = os.environ | {"YUNDUAN_DATA": str(data), "COLUMNS": "200"}
    done = subprocess.run([YUNDUAN, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_market_is_made_and_lives_on(tmp_path: Path) -> None:
    """Orders in every state, the last of now; nobody doubts the clock, nothing is overdue, and books and stock are right."""
    data = tmp_path / "data"
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run("demo", data=data)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime < CPU_S_MAX
    assert "made 12 shops, 324 goods, 500 people and" in said
    assert all(contact in said for contact in (BUYER, SHOP_OWNER, OPERATOR))
    assert {file.name for file in data.iterdir()} == {"keys.sqlite", "sandbox.secret", "sandbox.sqlite", "yunduan.sqlite"}
    assert {oct(file.stat().st_mode & 0o777) for file in data.iterdir()} == {"0o600"}
    assert run("demo", "--if-empty", data=data) == ""
    assert "there is a marketplace here already" in run("demo", data=data, ends=1)
    assert "the books balance" in run("ledger", "audit", data=data)
    assert "all is well" in run("doctor", data=data)
    with opened(data) as (runner, cloud):
        assert cloud.keeper.doubt is None
        buyer = Actor(person=cloud.ask(PersonByContact(contact=BUYER), actor=SYSTEM) or "")
        mine = cloud.ask(MyOrders(limit=50), actor=buyer)
        assert ({order.state for order in mine.items}, mine.after) == (set(OrderState), None)
        owner = Actor(person=cloud.ask(PersonByContact(contact=SHOP_OWNER), actor=SYSTEM) or "")
        (shop_id,) = cloud.ask(MyProfile(), actor=owner).shop_roles
        assert cloud.ask(ShopOrders(shop_id=shop_id, state=OrderState.PAID), actor=owner).items
        assert cloud.ask(CartOf(), actor=buyer).lines == 3
        assert time.time() * 1000 - cloud.writer.head.at < 10 * 60_000
        assert len(cards_of(cloud.ask(NewestGoods(limit=50)).items)) == 50
        assert runner.run(cloud.ask_slow(StockAudit(), actor=SYSTEM)) == []


@pytest.mark.slow
def test_a_market_that_was_interrupted_was_never_there(tmp_path: Path) -> None:
    """Neither in its folder nor anywhere else; the same command makes it."""
    data = tmp_path / "data"
    environment = os.environ | {"YUNDUAN_DATA": str(data)}
    process = subprocess.Popen([sys.executable, "-c", HEARING, YUNDUAN, "demo"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        while not (being_made := opened_apart(process.pid)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted: nothing was made" in said
    assert [folder for folder in being_made if folder.exists()] == []
    assert list(tmp_path.iterdir()) == []


def opened_apart(pid: int) -> set[Path]:
    """The folders of markets that are being made in which a process has files open."""
    found: set[Path] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.add(link.readlink().parent)
    return {folder for folder in found if folder.name.startswith("yunduan-demo-")}


# What it is made of


def test_every_picture_that_is_named_is_there() -> None:
    """And nothing is sold under the picture of something else that is sold."""
    named = [goods.picture for shop in content().shops for goods in shop.goods]
    assert len(set(named)) == len(named) == 324
    assert {picture_of(f"goods/{name}") for name in (*named, *(shop.picture for shop in content().shops))} <= pictures().keys()


def test_every_category_has_goods_and_something_said_of_them() -> None:
    """In good and in bad words, each in both languages."""
    leaves = {key for branch in content().categories.values() for key, _, _ in branch.below}
    sold = {goods.category for shop in content().shops for goods in shop.goods}
    assert leaves == sold == content().reviews.keys()
    for opinions in content().reviews.values():
        for stars in (1, 2, 3, 4, 5):
            assert opinions.of(stars)
        for chinese, english in (*opinions.good, *opinions.fair, *opinions.poor, *opinions.later):
            assert (chinese.isascii(), english.isascii()) == (False, True) or "è" in english


def test_everything_is_said_in_both_languages_and_costs_something() -> None:
    """Each choice of an option has another name, a price and a weight."""
    for shop in content().shops:
        assert (len(shop.about) > 20, len(shop.about_en) > 40) == (True, True)
        for goods in shop.goods:
            assert (goods.title.isascii(), bool(goods.title_en)) == (False, True), goods.picture
            assert (goods.about.isascii(), bool(goods.about_en)) == (False, True), goods.picture
            choices = goods.choices()
            assert (len(choices) > 1) is (goods.option is not None), goods.picture
            assert goods.value_pictures.keys() <= {name_en for _, name_en, _, _ in choices}, goods.picture
            assert len({name for name, _, _, _ in choices}) == len(choices), goods.picture
            assert all(price > 0 and weight_g > 0 for _, _, price, weight_g in choices), goods.picture
