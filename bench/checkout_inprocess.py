"""What a checkout costs inside the process: two lines of one shop, paid from the wallet, in batches of 64 on the real clock.

    python bench/checkout_inprocess.py [--checkouts 20000] [--people 5000] [--goods 10000] [--shops 200] [--profile] [--busy]

Shops, goods, stock and people are made by the real commands, wallets by a ledger posting instead of a visit to a channel's page.
Everybody puts two pieces into their cart again before each round, at random; only the checkouts are timed. `--busy` lets the
followers hear meanwhile, as they do in a running cloud.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import Cloud, join
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetStock
from yunduan.domains.catalog.model import GoodsForm, StockReason, VariantForm
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Postal
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.model import AccountFlag, NewAccount, Transfer
from yunduan.domains.orders.commands import AddToCart, Checkout
from yunduan.domains.payments.model import Tender, TenderKind, channel_account, wallet_account
from yunduan.domains.payments.postings import AccountCode
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, PersonId, ShopId, TransferId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money

PRICE, BATCH, WALLET = 1999, 64, 10**9


def yuan(fen: int) -> Money:
    """An amount."""
    return Money(amount=fen, currency="CNY")


async def many(cloud: Cloud, asks: list[tuple[Command[Any], Actor]], at_once: int = 256) -> list[Any]:
    """Answers, in order."""
    found: list[Any] = []
    for start in range(0, len(asks), at_once):
        found += await asyncio.gather(*(cloud.send(ask, actor=actor) for ask, actor in asks[start : start + at_once]))
    return found


async def goods(cloud: Cloud, shops: int, count: int) -> dict[ShopId, list[VariantId]]:
    """Open shops with goods, 100,000 pieces each."""
    owners = await many(cloud, [(RegisterPerson(phone=f"+861390{n:07d}"), SYSTEM) for n in range(shops)])
    tea = (await cloud.send(CreateCategory(name="茶"), actor=SYSTEM)).category_id
    terms = {"country": "CN", "currency": "CNY", "commission_ppm": 50_000}
    opened = await many(cloud, [(CreateShop(owner=one.person_id, name=f"shop {n}", **terms), SYSTEM) for n, one in enumerate(owners)])
    forms = [GoodsForm(title=f"龙井 {n}", title_en=f"Longjing {n}", category_id=tea, variants=(variant(n),)) for n in range(count)]
    asks = [(CreateGoods(shop_id=opened[n % shops].shop_id, form=form, publish=True), SYSTEM) for n, form in enumerate(forms)]
    made = await many(cloud, asks)
    shelves: dict[ShopId, list[VariantId]] = {shop.shop_id: [] for shop in opened}
    counts: list[tuple[Command[Any], Actor]] = []
    for n, kept in enumerate(made):
        shop, (id,) = opened[n % shops], kept.variant_ids
        shelves[shop.shop_id].append(id)
        place = shop.location_id
        ask = SetStock(shop_id=shop.shop_id, variant_id=id, location_id=place, on_hand=100_000, reason=StockReason.COUNTED)
        counts.append((ask, SYSTEM))
    await many(cloud, counts)
    return shelves


def variant(number: int) -> VariantForm:
    """A variant like any other."""
    return VariantForm(sku=f"TEA-{number}", price=yuan(PRICE), weight_g=250)


async def people(cloud: Cloud, count: int) -> list[tuple[Actor, AddressId]]:
    """Register people with an address and money."""
    registered = await many(cloud, [(RegisterPerson(phone=f"+861380{n:07d}"), SYSTEM) for n in range(count)])
    actors = [Actor(person=one.person_id) for one in registered]
    home = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))
    addresses = await many(cloud, [(AddAddress(address=home), actor) for actor in actors])
    clearing = NewAccount(id=channel_account("bench", "CNY"), currency="CNY", code=AccountCode.CHANNEL, flags=AccountFlag.NONE)
    await many(cloud, [(fill(actor.person, clearing, n), SYSTEM) for n, actor in enumerate(actors)])
    return [(actor, address.address_id) for actor, address in zip(actors, addresses, strict=True)]


def fill(person: PersonId, clearing: NewAccount, number: int) -> PostTransfers:
    """Put money into a wallet."""
    id = wallet_account(person, "CNY")
    account = NewAccount(id=id, currency="CNY", code=AccountCode.WALLET, flags=AccountFlag.DEBITS_WITHIN_CREDITS)
    transfer = Transfer(id=TransferId(f"trf_{number}"), debit=clearing.id, credit=id, amount=yuan(WALLET), code=13)
    return PostTransfers(transfers=(transfer,), opening=(clearing, account))


async def main() -> None:
    """Seed, then time."""
    options = argparse.ArgumentParser(description=__doc__)
    for name, default in (("checkouts", 20_000), ("people", 5_000), ("goods", 10_000), ("shops", 200)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--profile", action="store_true")
    options.add_argument("--busy", action="store_true")
    options.add_argument("--lines", type=int, default=30)
    chosen = options.parse_args()
    sys.setswitchinterval(0.0003)
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(SqliteStore(Path(folder) / "yunduan.sqlite"), parts=join(Path(folder)))
        begun = time.perf_counter()
        shelves, crowd = await goods(cloud, chosen.shops, chosen.goods), await people(cloud, chosen.people)
        print(f"seeded in {time.perf_counter() - begun:.1f} s")
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        if chosen.busy:
            cloud.start()
        await measure(cloud, shelves, crowd, chosen)
        await cloud.stop()


async def measure(cloud: Cloud, shelves: dict[ShopId, list[VariantId]], crowd: list[tuple[Actor, AddressId]], chosen: Any) -> None:
    """Rounds of carts and checkouts."""
    dice = random.Random(1)
    shops = [ids for ids in shelves.values() if len(ids) > 1]
    profile = cProfile.Profile(time.thread_time_ns, 1e-9) if chosen.profile else None
    rounds, number = [], 0
    while number < chosen.checkouts:
        buyers = dice.sample(crowd, min(len(crowd), 2_000, chosen.checkouts - number))
        picks = [dice.sample(dice.choice(shops), 2) for _ in buyers]
        await many(cloud, [(AddToCart(variant_id=id), actor) for (actor, _), pick in zip(buyers, picks, strict=True) for id in pick])
        asks = [(checkout(address), actor, f"{number + n:032x}") for n, (actor, address) in enumerate(buyers)]
        number += len(asks)
        rounds.append(await timed(cloud, asks, profile))
    cpu, wall, statements = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{number} checkouts in {len(rounds)} rounds: median {cpu:.0f} us CPU, {wall:.0f} us wall, {statements:.2f} statements each")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(chosen.lines)


def checkout(address: AddressId) -> Checkout:
    """Buy the cart."""
    total = yuan(2 * PRICE)
    return Checkout(address_id=address, total=total, tenders=(Tender(kind=TenderKind.WALLET, amount=total),))


async def timed(cloud: Cloud, asks: list[tuple[Checkout, Actor, str]], profile: cProfile.Profile | None) -> tuple[float, float, float]:
    """Microseconds of CPU, of wall time, and statements, of each."""
    statements, wall, cpu = cloud.writer.statements, time.perf_counter(), time.process_time()
    if profile:
        profile.enable()
    for start in range(0, len(asks), BATCH):
        answers = await asyncio.gather(*(cloud.submit(ask, actor=actor, key=key) for ask, actor, key in asks[start : start + BATCH]))
        assert all(answer.accepted for answer in answers), next(answer for answer in answers if not answer.accepted)
    if profile:
        profile.disable()
    each = len(asks)
    return (
        (time.process_time() - cpu) / each * 1e6,
        (time.perf_counter() - wall) / each * 1e6,
        (cloud.writer.statements - statements) / each,
    )


if __name__ == "__main__":
    asyncio.run(main())
