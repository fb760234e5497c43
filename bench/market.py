"""The market that is loaded: shops, goods of two variants, people with wallets, sessions and carts, and what they have bought before.

    python -m bench.market FOLDER [--url postgresql://…] [--goods 1000000] [--people 1000000] [--orders 1000000] [--seed 1]

Small or large, it is made by the real commands, under virtual time that ends at now, hundreds in one transaction: `Several` carries
them out, and has followers hear what they tell, so that whatever a row looks like, it looks like that here. Two commands of the
bench leave out what looks whether something may be done; `tests/parity/test_market.py` compares each row with what people's own
commands come to. Ids, people and orders are a function of seed, sizes and end. It is made in an empty store or not at all, and a
store in which it was cut off is opened by nobody; told to end (SIGINT), it stays as large as it is after the wave at hand.

What a load driver has to know is written down: `people.txt` (whoever has a cart, a line each: token, address, baskets), `bare.txt`
(the same of those who have none), `shops.txt`, `variants.txt`, and `queries.txt`, what is searched for.
"""

import argparse
import asyncio
import gc
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.sqlite import SqliteStore, open_reader
from yunduan.cloud import DOMAINS, Cloud, join
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetStock
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, OptionValue, StockReason, VariantForm
from yunduan.domains.identity.commands import RegisterPerson, TouchSession
from yunduan.domains.identity.commands.addresses import checked, written
from yunduan.domains.identity.commands.people import register
from yunduan.domains.identity.commands.sessions import begun
from yunduan.domains.identity.model import Contact, ContactKind, Language, Postal, ShopRole, Vault
from yunduan.domains.ledger.audit import audit
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.orders.commands import CancelOrder, Checkout, ReviewOrder
from yunduan.domains.orders.model import Cart, CartLine, with_more
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.orders.store import CART
from yunduan.domains.payments import postings
from yunduan.domains.payments.model import (
    Charge,
    Payment,
    PaymentKind,
    PaymentState,
    Tender,
    TenderKind,
    charge_reference,
    wallet_account,
)
from yunduan.domains.payments.returning import open_purse
from yunduan.domains.search import words
from yunduan.edges.demo.content import GoodsText, content
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, CategoryId, GoodsId, LocationId, OrderId, PaymentId, PersonId, SessionId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.runtime.clock import SeededEntropy, VirtualClock
from yunduan.runtime.following import DeliverFacts, Heard
from yunduan.runtime.imports import AdvanceImport, BeginImport, EndImport, is_written
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import Store, StoreRefusedError
from yunduan.runtime.registry import Domain, Registry, Wanted, handles
from yunduan.runtime.settings import Settings
from yunduan.runtime.transaction import Tx

STOCK, WALLET = 10_000_000, 10**9
GOODS_A_SHOP = 50
A_WAVE = 50_000
"""How many of anything are made before what is made of that: a market grows in all its parts, and can be had as large as it is by then."""
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))
TEXT, TEXT_EN = "手工拉坯，龙泉窑烧制。" * 12, "Thrown by hand and fired in Longquan. " * 8
COLOURS = GoodsOption(
    name="颜色", name_en="Colour", values=(OptionValue(name="青", name_en="blue"), OptionValue(name="白", name_en="white"))
)
AT_ONCE = 500
"""How many of a kind are made in one transaction."""
SOURCE = "bench.market"
DAYS_MS = 5 * 86_400_000
"""How long ago it begins: less than what is shipped waits for its receipt, so that nothing is due when it is opened."""
FATES = (("paid", 10), ("shipped", 10), ("cancelled", 3), ("received", 77))
"""What becomes of a hundred orders; who has received pays the shop by it, and of those one in five says what it was like."""


class Size(Struct, frozen=True, kw_only=True):
    """How much there is of everything; every second of the people has a cart of so many baskets."""

    goods: int = 10_000
    people: int = 60_000
    orders: int = 10_000
    baskets: int = 1

    @property
    def shops(self) -> int:
        """Each with fifty goods."""
        return max(1, self.goods // GOODS_A_SHOP)

    @property
    def waves(self) -> int:
        """In how many parts it is made."""
        return -(-max(self.goods, self.people, self.orders) // A_WAVE)


SMALL = Size()
"""Thirty thousand carts of two lines: enough for a few seconds of checkouts."""


Asked = tuple[Command[Any], Actor]


class Member(NamedTuple):
    """Somebody who has joined."""

    person_id: PersonId
    address_id: AddressId
    session_id: SessionId


# What no command does


class Join(Command[Member]):
    """Register somebody with a phone, an address, a wallet that has money in it, and a session, without a letter or a visit anywhere."""

    phone: str


class Want(Command[None]):
    """Put lines into somebody's cart at the prices that are known to be true."""

    lines: tuple[tuple[VariantId, int, int], ...]


class Several(Command[None]):
    """Carry out many commands, each as whom it is asked by, and let followers hear what they tell, in one transaction.

    Nothing of it may be refused. `answers` is filled, so that they need not be written and read.
    """

    asks: tuple[Asked, ...]
    answers: list[Any]


@handles(Join)
def join_in(tx: Tx, ask: Join) -> Member:
    """By what registers, keeps addresses and opens sessions, less what looks whether that may be done."""
    person = register(tx, (Contact(kind=ContactKind.PHONE, text=ask.phone),), nickname="", language=Language.ZH)
    postal, region = _home()
    address = written(tx, person, postal, region, is_default=True).id
    fill(tx, person)
    return Member(person, address, begun(tx, person, "bench").id)


def fill(tx: Tx, person: PersonId) -> None:
    """Put money into a wallet, by the posting of a top-up."""
    id = PaymentId(tx.id("pay"))
    charge = Charge(reference=charge_reference(id, 0), channel="bench", amount=yuan(WALLET))
    payment = Payment(
        id=id,
        kind=PaymentKind.TOP_UP,
        state=PaymentState.CAPTURED,
        payer=person,
        currency="CNY",
        checkout_id=None,
        parts=(),
        tenders=(),
        charges=(charge,),
        due=tx.now,
        started_at=tx.now,
    )
    filled = postings.top_up(payment, charge)
    tx.send(PostTransfers(transfers=filled.transfers, opening=filled.opening))
    open_purse(tx, person, wallet_account(person, "CNY"), "CNY")


@cache
def _home() -> tuple[Postal, str]:
    return checked(HOME)


@handles(Want)
def want(tx: Tx, ask: Want) -> None:
    """As if each was added."""
    person = tx.actor.person
    cart = tx.get(CART, person)
    lines = cart.lines if cart else ()
    for id, quantity, price in ask.lines:
        lines = with_more(lines, CartLine(id, quantity, tx.now, price, "CNY"))
    (tx.put if cart else tx.add)(CART, person, Cart(person, lines))


@cache
def _registry() -> Registry:
    return Registry(DOMAINS)


def _wanted_by_several(ask: Several, actor: Actor, tx: Tx) -> Iterator[Wanted]:
    """The rounds of all of them in step."""
    reads = _registry().reads
    each = [iter(found(command, actor, tx)) for command, actor in ask.asks if (found := reads.get(type(command)))]
    for together in zip_longest(*each, fillvalue=()):
        yield tuple([wanted for round_ in together for wanted in round_])


@handles(Several, reads=_wanted_by_several)
def several(tx: Tx, ask: Several) -> None:
    """One after the other; then the facts, in runs, as they are delivered."""
    asker, begins = tx.actor, tx.head.fact_seq
    before = len(tx.changes.facts)
    for command, actor in ask.asks:
        tx.actor = actor
        ask.answers.append(tx.send(command))
    tx.actor = asker
    told = [Heard(seq, fact) for seq, fact in enumerate(tx.changes.facts[before:], begins + 1)]
    for follower in _registry().followers:
        kinds = {function.hears for function in follower.hears}  # type: ignore[attr-defined]
        facts = tuple([heard for heard in told if type(heard.fact) in kinds])
        tx.send(DeliverFacts(follower=follower.name, after=begins, through=begins + len(told), facts=facts))


BENCH = Domain(name="bench", package="bench", commands=(join_in, want, several))


# How it is carried out


class Carrier(Protocol):
    """Carries out what is asked for, in order, and answers in order; followers have heard of it all then."""

    async def __call__(self, asks: Sequence[Asked]) -> list[Any]:
        """All of it."""
        ...


class Together:
    """In one transaction."""

    def __init__(self, cloud: Cloud) -> None:
        """For one cloud."""
        self._cloud = cloud

    async def __call__(self, asks: Sequence[Asked]) -> list[Any]:
        """By one command."""
        answers: list[Any] = []
        await self._cloud.send(Several(asks=tuple(asks), answers=answers), actor=SYSTEM)
        return answers


# What is asked for


class Shelf(NamedTuple):
    """One good's variants, and the price of either in fen."""

    goods_id: GoodsId
    variants: tuple[VariantId, VariantId]
    price: int


class Shop(NamedTuple):
    """A shop, who may do everything in it, and what it sells."""

    shop_id: ShopId
    location_id: LocationId
    owner: Actor
    shelves: list[Shelf]


class Buyer(NamedTuple):
    """Somebody with an address, a wallet and a session."""

    actor: Actor
    address_id: AddressId
    session: SessionId


class Basket(NamedTuple):
    """Pieces of variants of one shop, and what they cost together."""

    lines: tuple[tuple[VariantId, int, int], ...]
    """Each with its pieces and the price of one."""
    total: int
    shop: Shop


class Bought(NamedTuple):
    """An order that was paid, and what is to become of it."""

    order_id: OrderId
    buyer: Actor
    basket: Basket
    fate: str


Say = Callable[[str, int, int], None]
"""What is made, how much of it there is, and how much there will be."""


class Making:
    """Makes a market in a cloud, in an order that follows from the seed."""

    def __init__(
        self, cloud: Cloud, clock: VirtualClock, carry: Carrier, *, size: Size, seed: int, say: Say, is_enough: Callable[[], bool]
    ) -> None:
        """Nothing is made before `run`."""
        self._cloud = cloud
        self._clock = clock
        self._carry = carry
        self._size = size
        self._dice = random.Random(seed)
        self._say = say
        self._is_enough = is_enough
        rounds = sum([-(-part // AT_ONCE) + 1 for part in (size.shops, size.goods, size.people, 3 * size.orders)]) + 10 * size.waves
        self._pause_ms = DAYS_MS // rounds
        self.shops: list[Shop] = []
        self.buyers: list[Buyer] = []
        self.baskets: dict[PersonId, list[Basket]] = {}

    async def run(self) -> None:
        """Everything, wave by wave, as a market grows: what came late lies beside what came late."""
        (tea,) = await self._pass([(CreateCategory(name="茶", name_en="Tea"), SYSTEM)])
        size, waves = self._size, self._size.waves
        for wave in range(waves):
            goods, people, orders = (
                range(whole * wave // waves, whole * (wave + 1) // waves) for whole in (size.goods, size.people, size.orders)
            )
            await self._stock(await self._open(len(goods)), goods, tea.id)
            await self._register(people)
            await self._trade(orders)
            if self._is_enough():
                break
        await self._fill_carts()

    async def _pass(self, asks: list[Asked]) -> list[Any]:
        """A round, a little later than the one before."""
        self._clock.advance(self._pause_ms)
        return await self._carry(asks) if asks else []

    async def _open(self, goods: int) -> list[Shop]:
        """Shops enough for so many goods."""
        count = max(1, goods // GOODS_A_SHOP)
        for some in _parts(range(len(self.shops), len(self.shops) + count)):
            owners = await self._pass([(RegisterPerson(), SYSTEM) for _ in some])
            terms = {"country": "CN", "currency": "CNY", "commission_ppm": 50_000}
            named = [
                CreateShop(owner_id=owner.person_id, name=f"茶铺 {n}", name_en=f"Tea house {n}", **terms)
                for n, owner in zip(some, owners, strict=True)
            ]
            made = await self._carry([(ask, SYSTEM) for ask in named])
            for owner, shop in zip(owners, made, strict=True):
                roles = {shop.id: frozenset({ShopRole.OWNER.value})}
                self.shops.append(Shop(shop.id, shop.location_id, Actor(person=owner.person_id, shop_roles=roles), []))
        return self.shops[-count:]

    async def _stock(self, shops: list[Shop], goods: range, category: CategoryId) -> None:
        """Goods of one shop after the other, so that no shop's lie side by side."""
        for some in _parts(goods):
            owners = [shops[n % len(shops)] for n in some]
            made = await self._pass(
                [
                    (CreateGoods(shop_id=shop.shop_id, form=_form(n, category), publish=True), shop.owner)
                    for n, shop in zip(some, owners, strict=True)
                ]
            )
            await self._carry(
                [(_counted(shop, id), shop.owner) for kept, shop in zip(made, owners, strict=True) for id in kept.variant_ids]
            )
            for n, kept, shop in zip(some, made, owners, strict=True):
                shop.shelves.append(Shelf(kept.id, kept.variant_ids, _price(n)))
            self._say("goods", some[-1] + 1, self._size.goods)

    async def _register(self, people: range) -> None:
        for some in _parts(people):
            made = await self._pass([(Join(phone=f"+86138{n:08d}"), SYSTEM) for n in some])
            self.buyers += [Buyer(Actor(person=one.person_id), one.address_id, one.session_id) for one in made]
            self._say("people", len(self.buyers), self._size.people)

    async def _trade(self, orders: range) -> None:
        """Each round buys, ships what the last one has bought, and receives what the one before that has."""
        lots: list[list[Bought]] = [[], []]
        for some in (*_parts(orders, min(AT_ONCE, len(self.buyers))), range(0), range(0)):
            lots.append(await self._buy(len(some)))
            await self._send_off(lots[-2])
            await self._receive(lots[-3])
            if some:
                self._say("orders", some[-1] + 1, self._size.orders)

    async def _buy(self, count: int) -> list[Bought]:
        buyers = self._dice.sample(self.buyers, count)  # nobody buys twice at once
        wanted = [(buyer, self._basket()) for buyer in buyers]
        await self._pass([(Want(lines=basket.lines), buyer.actor) for buyer, basket in wanted])
        placed = await self._carry([(_checkout(buyer, basket), buyer.actor) for buyer, basket in wanted])
        fates = self._dice.choices([name for name, _ in FATES], [share for _, share in FATES], k=count)
        return [
            Bought(one.orders[0].id, buyer.actor, basket, fate) for one, (buyer, basket), fate in zip(placed, wanted, fates, strict=True)
        ]

    async def _send_off(self, lot: list[Bought]) -> None:
        asks: list[Asked] = []
        for n, one in enumerate(lot):
            if one.fate == "cancelled":
                asks.append((CancelOrder(order_id=one.order_id), one.buyer))
            elif one.fate != "paid":
                shop = one.basket.shop
                ask = ShipOrder(shop_id=shop.shop_id, order_id=one.order_id, carrier="SF Express", tracking=f"SF{one.order_id[4:]}{n}")
                asks.append((ask, shop.owner))
        await self._pass(asks)

    async def _receive(self, lot: list[Bought]) -> None:
        received = [one for one in lot if one.fate == "received"]
        await self._pass([(ConfirmReceipt(order_id=one.order_id), one.buyer) for one in received])
        said = [one for one in received if not self._dice.randrange(5)]
        await self._carry(
            [
                (ReviewOrder(order_id=one.order_id, variant_id=one.basket.lines[0][0], stars=3 + n % 3, text="好茶，包装也好。"), one.buyer)
                for n, one in enumerate(said)
            ]
        )

    async def _fill_carts(self) -> None:
        owners = self.buyers[::2]
        for at in range(0, len(owners), AT_ONCE):
            asks: list[Asked] = []
            for buyer in owners[at : at + AT_ONCE]:
                self.baskets[buyer.actor.person] = baskets = self._baskets()
                asks += [(Want(lines=basket.lines), buyer.actor) for basket in baskets]
                asks.append((TouchSession(session_id=buyer.session), SYSTEM))  # as the edge sends it, once a day, of whoever calls
            await self._carry(asks)
            self._say("carts", min(at + AT_ONCE, len(owners)), len(owners))

    def _baskets(self) -> list[Basket]:
        """One person's, of which no two want the same variant: they lie in one cart."""
        found: list[Basket] = []
        taken: set[VariantId] = set()
        while len(found) < self._size.baskets:
            basket = self._basket()
            ids = [id for id, _, _ in basket.lines]
            if taken.isdisjoint(ids):
                taken.update(ids)
                found.append(basket)
        return found

    def _basket(self) -> Basket:
        """One piece of one good and two of another, of one shop."""
        shop = self._dice.choice(self.shops)
        one, two = self._dice.sample(shop.shelves, 2)
        lines = ((one.variants[self._dice.randrange(2)], 1, one.price), (two.variants[self._dice.randrange(2)], 2, two.price))
        return Basket(lines, one.price + 2 * two.price, shop)

    def write(self, folder: Path) -> None:
        """Say what a load driver has to know, everything in an order that is not the one it was made in."""
        vault: Vault = self._cloud.port(Vault)
        dice = random.Random(len(self.buyers))
        buyers = dice.sample(self.buyers, len(self.buyers))
        with (folder / "people.txt").open("w") as carts, (folder / "bare.txt").open("w") as bare:
            for buyer in buyers:
                person = buyer.actor.person
                has_cart = person in self.baskets
                baskets = self.baskets[person] if has_cart else [self._basket()]
                said = " ".join(f"{one.lines[0][0]},{one.lines[1][0]},{one.total}" for one in baskets)
                (carts if has_cart else bare).write(f"{vault.token(buyer.session)} {buyer.address_id} {said}\n")
        with (folder / "shops.txt").open("w") as shops, (folder / "variants.txt").open("w") as variants:
            (folder / "queries.txt").write_text("".join(f"{query}\n" for query in queries()))
            for shop in dice.sample(self.shops, len(self.shops)):
                shops.write(f"{shop.shop_id} {' '.join(shelf.goods_id for shelf in shop.shelves)}\n")
                for shelf in shop.shelves:
                    variants.writelines(f"{id} {shelf.goods_id} {shop.shop_id} {shelf.price}\n" for id in shelf.variants)


def _parts(numbers: range, most: int = 0) -> list[range]:
    most = most or AT_ONCE
    return [numbers[at : at + most] for at in range(0, len(numbers), most)]


def yuan(fen: int) -> Money:
    """An amount."""
    return Money(amount=fen, currency="CNY")


def _price(number: int) -> int:
    return 1000 + number * 37 % 90_000


def _form(number: int, category: CategoryId) -> GoodsForm:
    price, text = yuan(_price(number)), _texts()[number % len(_texts())]
    return GoodsForm(
        title=f"{text.title} {number}",
        title_en=f"{text.title_en} {number}",
        description=TEXT,
        description_en=TEXT_EN,
        category_id=category,
        pictures=(f"goods/{number}.webp",),
        options=(COLOURS,),
        variants=tuple([VariantForm(sku=f"TEA-{number}-{n}", choice=(n,), price=price, weight_g=250) for n in range(2)]),
    )


@cache
def _texts() -> list[GoodsText]:
    """What the goods of the demonstration market are called: of a title, every three hundredth has the same words."""
    return [text for shop in content().shops for text in shop.goods]


def queries() -> list[str]:
    """Two words of a title each, as people search, in no order."""
    dice = random.Random(3)
    found: set[str] = set()
    for text in _texts():
        terms = sorted({word for word in words.spoken((text.title,), is_read=False).terms if len(word) > 1 and not word.isdigit()})
        found |= {" ".join(dice.sample(couple, 2)) for couple in combinations(terms, 2)}
    return dice.sample(sorted(found), len(found))


def _counted(shop: Shop, id: VariantId) -> SetStock:
    return SetStock(shop_id=shop.shop_id, variant_id=id, location_id=shop.location_id, on_hand=STOCK, reason=StockReason.COUNTED)


def _checkout(buyer: Buyer, basket: Basket) -> Checkout:
    total, items = yuan(basket.total), tuple([id for id, _, _ in basket.lines])
    return Checkout(address_id=buyer.address_id, variant_ids=items, total=total, tenders=(Tender(kind=TenderKind.WALLET, amount=total),))


# From the outside


def _silent(_what: str, _done: int, _total: int) -> None:
    return None


async def make(
    store: Store,
    folder: Path,
    *,
    size: Size = SMALL,
    seed: int = 1,
    end_ms: int = 0,
    say: Say = _silent,
    carrier: Callable[[Cloud], Carrier] = Together,
    beside: tuple[Domain, ...] = (),
    is_enough: Callable[[], bool] = lambda: False,
) -> None:
    """Make a market that ends at a moment, now by default, in an empty store; raises `StoreRefusedError` in any other, and closes it.

    It is smaller than `size` when somebody says before that it is enough. Another `carrier` may need domains `beside`.
    """
    end_ms = end_ms or time.time_ns() // 1_000_000
    clock, entropy = VirtualClock(end_ms - DAYS_MS), SeededEntropy(seed)
    parts = join(folder, settings=Settings(data=str(folder)), clock=clock, entropy=entropy)
    cloud = Cloud(store, domains=(*DOMAINS, BENCH, *beside), parts=parts, clock=clock, entropy=entropy, importing=SOURCE)
    try:
        if is_written(store):
            raise StoreRefusedError("the store is not empty: a market is made anew or not at all")
        await cloud.send(BeginImport(source=SOURCE, content=f"{seed} {end_ms} {size}".encode(), total=1), actor=SYSTEM)
        making = Making(cloud, clock, carrier(cloud), size=size, seed=seed, say=say, is_enough=is_enough)
        await making.run()
        clock.advance_to(end_ms)
        say("upkeep", 0, 1)
        await cloud.settle()
        for kind in cloud.registry.jobs.values():  # a market at rest: what runs every hour has run
            if kind.every_ms:
                await cloud.send(StartJob(kind=kind.name), actor=SYSTEM)
        await cloud.settle()
        say("upkeep", 1, 1)
        await cloud.send(AdvanceImport(source=SOURCE, done=1), actor=SYSTEM)
        await cloud.send(EndImport(source=SOURCE), actor=SYSTEM)
        making.write(folder)
    finally:
        await cloud.stop()


def furnished(
    store: Store, folder: Path, *, size: Size = SMALL, seed: int = 1, say: Say = _silent, is_enough: Callable[[], bool] = lambda: False
) -> None:
    """The same, from the outside, as fast as it goes: nothing is lost if the machine falls, for a half-made market is worth nothing."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, 50, 1000)
    try:
        asyncio.run(make(store, folder, size=size, seed=seed, say=say, is_enough=is_enough))
    finally:
        gc.set_threshold(*thresholds)


def fast_store(folder: Path) -> SqliteStore:
    """An embedded store to be filled: with a large cache, and on disk only when it is closed."""
    store = SqliteStore(folder / "yunduan.sqlite", cache_mib=4096, fold_pages=100_000, restart_pages=200_000)
    store.write("PRAGMA synchronous=OFF")
    return store


def main() -> None:
    """Make one to keep."""
    options = argparse.ArgumentParser(
        prog="python -m bench.market", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path)
    options.add_argument("--url", default="")
    options.add_argument("--seed", type=int, default=1)
    for name in ("goods", "people", "orders"):
        options.add_argument(f"--{name}", type=int, default=1_000_000)
    chosen = options.parse_args()
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: a market is made anew or not at all")
    store: Store = PostgresqlStore(chosen.url) if chosen.url else fast_store(folder)
    interrupted: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: interrupted.append(number))
    began = time.monotonic()
    last = {"at": began, "done": 0}

    def say(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last["at"] > 10:
            print(f"{now - began:7.0f} s  {what} {done:,} of {total:,}", flush=True)
            last["at"] = now

    furnished(
        store,
        folder,
        size=Size(goods=chosen.goods, people=chosen.people, orders=chosen.orders),
        seed=chosen.seed,
        say=say,
        is_enough=lambda: bool(interrupted),
    )
    if not chosen.url:
        SqliteStore(folder / "yunduan.sqlite").close()  # a start folds the log into the file
    made_s, size = time.monotonic() - began, sum(file.stat().st_size for file in folder.iterdir())
    reader = PostgresqlStore(chosen.url) if chosen.url else open_reader(folder / "yunduan.sqlite")
    found = audit(reader)
    reader.close()
    print(f"{made_s:.0f} s, {size / 2**30:.1f} GiB in {folder}; the books of {found.transfers:,} transfers have {len(found.faults)} faults")


if __name__ == "__main__":
    main()
