"""The market as it is on the morning of every run: one shop, its goods, and people with money in their wallets."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetShippingTemplate, SetStock, ShopCreatedAnswer
from yunduan.domains.catalog.model import BuyerLimit, GoodsForm, Measure, Place, Rate, StockReason, VariantForm, Zone
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Postal, Vault
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, PersonId, VariantId
from yunduan.kernel.money import Money
from yunduan.testing.simulator import FILE
from yunduan.testing.world import World

HOUR_MS = 3_600_000
WAIT_MS = 4 * 86_400_000
"""How long people wait until the evidence in a dispute is closed."""
KEYS = "keys.sqlite"
SECRET = bytes(range(64))
BUYERS = 6
GOODS = 4
ON_HAND = 12
PURSE = 60_000
LIMITED_PIECES = 5
"""Of the last of the goods one buyer may have no more in a year, which is longer than any run."""
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency="CNY")


class Market(Struct, frozen=True, kw_only=True):
    """A market as it is on the morning of every run: its files, and who and what is in it."""

    files: Mapping[str, bytes]
    shop: ShopCreatedAnswer
    buyers: tuple[tuple[PersonId, AddressId], ...]
    variants: tuple[VariantId, ...]


@cache
def market() -> Market:
    """Found the market once for all runs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with World.at(folder) as world:
            shop, variants = _shop(world), []
            for number in range(GOODS):
                variant = VariantForm(sku=f"T{number}", price=yuan(1_999 + number), weight_g=250)
                limit = BuyerLimit(pieces=LIMITED_PIECES, days=365) if number == GOODS - 1 else None
                form = GoodsForm(title="龙井", variants=(variant,), limit=limit, **_category(world))
                made = world.send(CreateGoods(shop_id=shop.shop_id, form=form, publish=True))
                variants.append(made.variant_ids[0])
                world.send(stock(shop, made.variant_ids[0], ON_HAND))
            buyers = tuple(_buyer(world, number) for number in range(BUYERS))
            world.cloud.store.backup(str(folder / FILE))
            keys: Any = world.cloud.port(Vault)  # type: ignore[type-abstract]
            keys.backup(folder / f"copied-{KEYS}")
        files = {FILE: (folder / FILE).read_bytes(), KEYS: (folder / f"copied-{KEYS}").read_bytes()}
        files |= {name: (folder / name).read_bytes() for name in ("sandbox.sqlite", "sandbox.secret")}
    return Market(files=files, shop=shop, buyers=buyers, variants=tuple(variants))


def _category(world: World) -> dict[str, Any]:
    found = world.rows("SELECT id FROM category")
    return {"category_id": found[0][0] if found else world.send(CreateCategory(name="茶")).category_id}


def _shop(world: World) -> ShopCreatedAnswer:
    owner = world.send(RegisterPerson(phone="+8613900138000")).person_id
    shop = world.send(CreateShop(owner=owner, name="云茶", country="CN", currency="CNY", commission_ppm=50_000))
    zone = Zone(places=(Place(country="CN"),), rate=Rate(first_units=100, first_fee=800))
    terms = SetShippingTemplate(shop_id=shop.shop_id, template_id=shop.template_id, name="standard", measure=Measure.PIECE, zones=(zone,))
    world.send(terms)
    return shop


def stock(shop: ShopCreatedAnswer, variant: VariantId, on_hand: int) -> SetStock:
    """Say how much of a variant has been counted."""
    return SetStock(shop_id=shop.shop_id, variant_id=variant, location_id=shop.location_id, on_hand=on_hand, reason=StockReason.COUNTED)


def _buyer(world: World, number: int) -> tuple[PersonId, AddressId]:
    person = world.send(RegisterPerson(phone=f"+8613800{number:06d}")).person_id
    actor = Actor(person=person)
    address = world.send(AddAddress(address=HOME), actor=actor).address_id
    started = world.send(TopUpWallet(amount=yuan(PURSE), channel="sandbox"), actor=actor)
    world.cloud.port(Sandbox).decide(dict(parse_qsl(urlsplit(started.redirects[0].url).query)), approve=True)
    world.settle()
    return person, address
