"""The market that is loaded: 200 shops, 10,000 goods of two variants, people with wallets, sessions and, if asked, full carts.

Everything is made by the real commands, but for sessions, which are opened without a code, and wallets, which are filled by one
posting. What a load driver has to know is written down: `people.txt` (a line
a person: token, address, baskets), `shops.txt` and `variants.txt`.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bench.checkout_inprocess import fill, many, yuan
from yunduan.cloud import DOMAINS, Cloud, join
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetStock
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, OptionValue, StockReason, VariantForm
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.commands.sessions import opened
from yunduan.domains.identity.model import Postal, Vault
from yunduan.domains.ledger.model import AccountFlag, NewAccount
from yunduan.domains.orders.commands import AddToCart
from yunduan.domains.payments.model import channel_account
from yunduan.domains.payments.postings import AccountCode
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, GoodsId, PersonId, SessionId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import Store
from yunduan.runtime.registry import Domain, handles
from yunduan.runtime.settings import Settings
from yunduan.runtime.transaction import Tx

SHOPS, GOODS = 200, 10_000
STOCK = 10_000_000
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))


class Crowd(Struct, frozen=True):
    """How many people there are, and how many baskets each wants to buy: all of a person's baskets lie in one cart."""

    people: int
    baskets: int


BUYERS = Crowd(people=30_000, baskets=1)
"""Everybody has a cart of two lines, once: enough for a few seconds of checkouts."""


class Enter(Command[SessionId]):
    """Open a session without a code."""

    person_id: PersonId


@handles(Enter)
def enter(tx: Tx, ask: Enter) -> SessionId:
    """As after the right code."""
    return opened(tx, ask.person_id, "bench").id


BENCH = Domain(name="bench", package="bench", commands=(enter,))


class Shelf(Struct):
    """One shop's goods: each with its two variants, and the price of either in fen."""

    shop_id: ShopId
    goods: list[tuple[GoodsId, tuple[VariantId, VariantId], int]]


async def furnish(store: Store, folder: Path, *, carts: bool, buyers: Crowd, say: Callable[[str], None]) -> None:
    """Make the market in an empty store and write down what a load driver needs."""
    cloud = Cloud(store, domains=(*DOMAINS, BENCH), parts=join(folder, settings=Settings(data=str(folder))))
    dice = random.Random(1)
    say("shops and goods")
    shelves = await _shelves(cloud)
    say("people")
    crowd = await _crowd(cloud, buyers.people)
    baskets = {actor.person: _baskets(dice, shelves, buyers.baskets) for actor, _, _ in crowd}
    if carts:
        say("carts")
        await many(
            cloud,
            [
                (AddToCart(variant_id=id, quantity=n + 1), actor)
                for actor, _, _ in crowd
                for ids, _ in baskets[actor.person]
                for n, id in enumerate(ids)
            ],
        )
    for kind in cloud.registry.jobs.values():  # a market at rest: what runs every hour has run
        if kind.every_ms:
            await cloud.send(StartJob(kind=kind.name), actor=SYSTEM)
    await cloud.settle()
    await cloud.stop()
    _write(folder, shelves, crowd, baskets)


async def _shelves(cloud: Cloud) -> list[Shelf]:
    owners = await many(cloud, [(RegisterPerson(), SYSTEM) for _ in range(SHOPS)])
    tea = (await cloud.send(CreateCategory(name="茶", name_en="Tea"), actor=SYSTEM)).category_id
    terms = {"country": "CN", "currency": "CNY", "commission_ppm": 50_000}
    shops = await many(
        cloud, [(CreateShop(owner=owners[n].person_id, name=f"茶铺 {n}", name_en=f"Tea house {n}", **terms), SYSTEM) for n in range(SHOPS)]
    )
    made = await many(
        cloud, [(CreateGoods(shop_id=shops[n % SHOPS].shop_id, form=_form(n, tea), publish=True), SYSTEM) for n in range(GOODS)]
    )
    counts = [
        (
            SetStock(
                shop_id=shops[n % SHOPS].shop_id,
                variant_id=id,
                location_id=shops[n % SHOPS].location_id,
                on_hand=STOCK,
                reason=StockReason.COUNTED,
            ),
            SYSTEM,
        )
        for n, kept in enumerate(made)
        for id in kept.variant_ids
    ]
    await many(cloud, counts)
    shelves = [Shelf(shop.shop_id, []) for shop in shops]
    for n, kept in enumerate(made):
        shelves[n % SHOPS].goods.append((kept.goods_id, kept.variant_ids, _price(n)))
    return shelves


def _price(number: int) -> int:
    return 1000 + number * 37 % 90_000


def _form(number: int, category: str) -> GoodsForm:
    variants = tuple(VariantForm(sku=f"TEA-{number}-{n}", choice=(n,), price=yuan(_price(number)), weight_g=250) for n in range(2))
    option = GoodsOption(
        name="颜色", name_en="Colour", values=(OptionValue(name="青", name_en="blue"), OptionValue(name="白", name_en="white"))
    )
    return GoodsForm(
        title=f"手工青瓷茶杯 {number}",
        title_en=f"Hand-thrown celadon tea cup {number}",
        description="手工拉坯，龙泉窑烧制。" * 12,
        description_en="Thrown by hand and fired in Longquan. " * 8,
        category_id=category,
        pictures=(f"goods/{number}.webp",),
        options=(option,),
        variants=variants,
    )


async def _crowd(cloud: Cloud, people: int) -> list[tuple[Actor, AddressId, str]]:
    vault: Vault = cloud.port(Vault)
    registered = await many(cloud, [(RegisterPerson(phone=f"+861380{n:07d}"), SYSTEM) for n in range(people)])
    actors = [Actor(person=one.person_id) for one in registered]
    addresses = await many(cloud, [(AddAddress(address=HOME), actor) for actor in actors])
    clearing = NewAccount(id=channel_account("bench", "CNY"), currency="CNY", code=AccountCode.CHANNEL, flags=AccountFlag.NONE)
    await many(cloud, [(fill(actor.person, clearing, n), SYSTEM) for n, actor in enumerate(actors)])
    sessions = await many(cloud, [(Enter(person_id=actor.person), SYSTEM) for actor in actors])
    return [(actor, kept.address_id, vault.token(id)) for actor, kept, id in zip(actors, addresses, sessions, strict=True)]


def _baskets(dice: random.Random, shelves: list[Shelf], count: int) -> list[tuple[tuple[VariantId, VariantId], int]]:
    """One person's, of which no two want the same variant: they lie in one cart."""
    found: list[tuple[tuple[VariantId, VariantId], int]] = []
    taken: set[VariantId] = set()
    while len(found) < count:
        basket = _basket(dice, shelves)
        if taken.isdisjoint(basket[0]):
            taken.update(basket[0])
            found.append(basket)
    return found


def _basket(dice: random.Random, shelves: list[Shelf]) -> tuple[tuple[VariantId, VariantId], int]:
    """One piece of one good and two of another, of one shop, and what they cost together."""
    one, two = dice.sample(dice.choice(shelves).goods, 2)
    return (one[1][dice.randrange(2)], two[1][dice.randrange(2)]), one[2] + 2 * two[2]


def _write(
    folder: Path,
    shelves: list[Shelf],
    crowd: list[tuple[Actor, AddressId, str]],
    baskets: dict[PersonId, list[tuple[tuple[VariantId, VariantId], int]]],
) -> None:
    with (folder / "people.txt").open("w") as file:
        for actor, address, token in crowd:
            wanted = " ".join(f"{ids[0]},{ids[1]},{total}" for ids, total in baskets[actor.person])
            file.write(f"{token} {address} {wanted}\n")
    with (folder / "shops.txt").open("w") as file, (folder / "variants.txt").open("w") as prices:
        for shelf in shelves:
            file.write(f"{shelf.shop_id} {' '.join(goods[0] for goods in shelf.goods)}\n")
            for goods_id, variants, price in shelf.goods:
                prices.writelines(f"{id} {goods_id} {shelf.shop_id} {price}\n" for id in variants)


def furnished(store: Store, folder: Path, *, carts: bool, buyers: Crowd = BUYERS, say: Callable[[str], None] = print) -> None:
    """The same, from the outside."""
    asyncio.run(furnish(store, folder, carts=carts, buyers=buyers, say=say))
