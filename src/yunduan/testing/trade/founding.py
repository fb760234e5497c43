"""The market as it is on the morning of every run: one shop, its goods, and people with money in their wallets."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apsw
from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.domains.catalog.commands import (
    CreateCategory,
    CreateGoods,
    CreateLocation,
    CreateShop,
    SetShippingTemplate,
    SetStock,
    ShopCreatedAnswer,
)
from yunduan.domains.catalog.model import (
    BuyerLimit,
    GoodsForm,
    GoodsOption,
    Measure,
    OptionValue,
    Place,
    Rate,
    StockReason,
    VariantForm,
    Zone,
)
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Postal, Vault
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import BankAccount
from yunduan.domains.payments.payouts import NamePayee, NameShopPayee
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, CategoryId, LocationId, PersonId, VariantId
from yunduan.kernel.money import Money
from yunduan.testing.simulator import FILE
from yunduan.testing.world import World

KEYS = "keys.sqlite"
SECRET = bytes(range(64))
BUYERS = 6
GOODS = 4
ON_HAND = (8, 5)
"""Pieces of each variant, at the shop's first location and at its second."""
PURSE = 60_000
THEIRS = "6222020200012345670"
"""The number of an account that is its holder's."""
LIMITED_PIECES = 5
"""Of the last of the goods one buyer may have no more in a year, which is longer than any run."""
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))


APPROVED_ABOVE = 6_000
"""What is paid out above this, two operators have to agree to."""
PAYEE_WAITS_MS = 3_600_000
HOLDS_MS: Mapping[str, int] = {"": 900_000, "slip": 3 * 86_400_000}
"""How long an order is held, by the method in which it is to be paid."""


def is_asked_by_people(cause: str) -> bool:
    """Whether a fact follows from what somebody has asked, and not from an alarm, a follower or a channel."""
    root = cause.partition("/")[0]
    return root.startswith("k") and root[1:].isdecimal()


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency="CNY")


class Market(Struct, frozen=True, kw_only=True):
    """A market as it is on the morning of every run: its files, and who and what is in it."""

    files: Mapping[str, bytes]
    shop: ShopCreatedAnswer
    locations: tuple[LocationId, LocationId]
    buyers: tuple[tuple[PersonId, AddressId], ...]
    variants: tuple[VariantId, ...]
    twins: tuple[VariantId, VariantId]
    """Two of the variants, of the same goods at the same price: one is given in exchange for the other."""


@cache
def market() -> Market:
    """Found the market once for all runs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with World.at(folder) as world:
            shop, category = _shop(world), world.send(CreateCategory(name="茶")).id
            second = world.send(CreateLocation(shop_id=shop.id, name="二号仓", country="CN")).id
            twins = _goods(world, shop, category, 0, sizes=2)
            variants = [*twins, *(variant for number in range(1, GOODS) for variant in _goods(world, shop, category, number, sizes=1))]
            for variant in variants:
                for location, pieces in zip((shop.location_id, second), ON_HAND, strict=True):
                    world.send(counted(shop, variant, location, pieces))
            buyers = tuple(_buyer(world, number) for number in range(BUYERS))
            _name_accounts(world, shop, buyers)
            world.cloud.store.backup(str(folder / FILE))
            keys: Any = world.cloud.port(Vault)  # type: ignore[type-abstract]
            keys.backup(folder / f"copied-{KEYS}")
        _make_one_file(folder / "sandbox.sqlite")
        files = {FILE: (folder / FILE).read_bytes(), KEYS: (folder / f"copied-{KEYS}").read_bytes()}
        files |= {name: (folder / name).read_bytes() for name in ("sandbox.sqlite", "sandbox.secret")}
    return Market(
        files=files,
        shop=shop,
        locations=(shop.location_id, second),
        buyers=buyers,
        variants=tuple(variants),
        twins=(twins[0], twins[1]),
    )


def _make_one_file(path: Path) -> None:
    """So that memory can begin with it, which knows no log."""
    with contextlib.closing(apsw.Connection(str(path))) as books:
        books.execute("PRAGMA journal_mode=DELETE").fetchall()


def _shop(world: World) -> ShopCreatedAnswer:
    owner = world.send(RegisterPerson(phone="+8613900138000")).person_id
    shop = world.send(CreateShop(owner_id=owner, name="云茶", country="CN", currency="CNY", commission_ppm=50_000))
    zone = Zone(places=(Place(country="CN"),), rate=Rate(first_units=100, first_fee=800))
    terms = SetShippingTemplate(shop_id=shop.id, id=shop.template_id, name="standard", measure=Measure.PIECE, zones=(zone,))
    world.send(terms)
    return shop


def _goods(world: World, shop: ShopCreatedAnswer, category: CategoryId, number: int, *, sizes: int) -> tuple[VariantId, ...]:
    """Goods in so many sizes; of the last of them nobody may have many."""
    choices = [(place,) if sizes > 1 else () for place in range(sizes)]
    variants = [
        VariantForm(sku=f"T{number}-{n}", choice=choice, price=yuan(1_999 + number), weight_g=250) for n, choice in enumerate(choices)
    ]
    options = (GoodsOption(name="规格", values=tuple(OptionValue(name=f"{n + 1}号") for n in range(sizes))),) if sizes > 1 else ()
    limit = BuyerLimit(pieces=LIMITED_PIECES, days=365) if number == GOODS - 1 else None
    form = GoodsForm(title="龙井", category_id=category, options=options, variants=tuple(variants), limit=limit)
    return world.send(CreateGoods(shop_id=shop.id, form=form, publish=True)).variant_ids


def counted(shop: ShopCreatedAnswer, variant: VariantId, location: LocationId, on_hand: int) -> SetStock:
    """Say how much of a variant has been counted at a location."""
    return SetStock(shop_id=shop.id, variant_id=variant, location_id=location, on_hand=on_hand, reason=StockReason.COUNTED)


def _buyer(world: World, number: int) -> tuple[PersonId, AddressId]:
    person = world.send(RegisterPerson(phone=f"+8613800{number:06d}")).person_id
    actor = Actor(person=person)
    address = world.send(AddAddress(address=HOME), actor=actor).id
    started = world.send(TopUpWallet(amount=yuan(PURSE), channel="sandbox"), actor=actor)
    world.cloud.port(Sandbox).decide(dict(parse_qsl(urlsplit(started.redirects[0].url).query)), approve=True)
    world.settle()
    return person, address


def _name_accounts(world: World, shop: ShopCreatedAnswer, buyers: Sequence[tuple[PersonId, AddressId]]) -> None:
    """The shop and half of the people can be paid out to; the others have to name their accounts first."""
    account = BankAccount(bank="工商银行", holder="林美", number=THEIRS)
    world.send(NameShopPayee(shop_id=shop.id, channel="sandbox", account=account), actor=Actor(person=PersonId("per_staff")))
    for person, _ in buyers[::2]:
        world.send(NamePayee(channel="sandbox", account=account), actor=Actor(person=person))
    world.settle()
