"""Founds the demonstration market: its operator, the category tree, the shops with their people, and goods as they are put on sale."""

import asyncio
import random
from collections.abc import Sequence

from msgspec import Struct

from yunduan.cloud import Cloud
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetShippingTemplate, SetStock
from yunduan.domains.catalog.model import (
    GoodsForm,
    GoodsOption,
    Measure,
    OptionValue,
    Place,
    Rate,
    StockReason,
    TaxClass,
    VariantForm,
    Zone,
)
from yunduan.domains.identity.commands import GrantRole, GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.edges.demo.content import Content, GoodsText, Shipping, ShopText
from yunduan.edges.pictures import picture_of
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import CategoryId, GoodsId, LocationId, PersonId, ShopId, VariantId
from yunduan.kernel.money import Money

COUNTRY, CURRENCY = "CN", "CNY"
CONTACTS = "example.com"
"""Whose addresses never belong to anybody (RFC 2606)."""
OPERATOR, SHOP_OWNER = f"operator@{CONTACTS}", f"orchard@{CONTACTS}"
FAR = ("新疆", "西藏", "青海", "内蒙古")
"""Where shipping costs twice as much, unless a shop does not go there at all."""
FRESH = frozenset({"fruit", "vegetables", "seafood", "meat"})
"""Categories whose goods are taxed at the reduced rate."""
PULL_MAX = 7.0
"""How much more than others goods are liked at most: a best seller is one, and not the whole market."""
ON_HAND = (30, 90, 160, 260, 420, 700)


class Opened(Struct, frozen=True, kw_only=True):
    """A shop that is open, and who acts for it."""

    text: ShopText
    shop_id: ShopId
    location_id: LocationId
    owner: Actor
    packer: Actor
    service: Actor


class Listed(Struct, frozen=True, kw_only=True):
    """Goods on sale: their variants, how much they are liked before anybody has seen them, and how often they disappoint."""

    text: GoodsText
    shop: Opened
    goods_id: GoodsId
    variant_ids: tuple[VariantId, ...]
    pull: float
    is_weak: bool
    since_ms: int
    """When they were put on sale."""


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency=CURRENCY)


async def appoint(cloud: Cloud) -> Actor:
    """Register the operator, who opens shops from then on."""
    made = await cloud.send(RegisterPerson(email=OPERATOR, nickname="云端小二"), actor=SYSTEM)
    roles = (OperatorRole.ADMIN, OperatorRole.FINANCE, OperatorRole.SERVICE)
    for role in roles:
        await cloud.send(GrantRole(person_id=made.person_id, role=role), actor=SYSTEM)
    return Actor(person=made.person_id, operator_roles=frozenset(role.value for role in roles))


async def plant(cloud: Cloud, content: Content, operator: Actor) -> dict[str, CategoryId]:
    """Grow the category tree; answers the leaves by their keys."""
    leaves: dict[str, CategoryId] = {}
    for branch in content.categories.values():
        above = await cloud.send(CreateCategory(name=branch.name, name_en=branch.name_en), actor=operator)
        for key, name, name_en in branch.below:
            made = await cloud.send(CreateCategory(name=name, name_en=name_en, parent_id=above.id), actor=operator)
            leaves[key] = made.id
    return leaves


async def open_shop(cloud: Cloud, text: ShopText, operator: Actor) -> Opened:
    """Open a shop for its owner, who says what shipping costs and takes on a packer and somebody for service."""
    owner_id = (await cloud.send(RegisterPerson(email=f"{text.key}@{CONTACTS}", nickname=text.owner), actor=SYSTEM)).person_id
    ask = CreateShop(
        owner_id=owner_id,
        name=text.name,
        name_en=text.name_en,
        about=text.about,
        about_en=text.about_en,
        picture=picture_of(f"goods/{text.picture}"),
        country=COUNTRY,
        region=text.region,
        currency=CURRENCY,
        commission_ppm=text.commission_ppm,
    )
    made = await cloud.send(ask, actor=operator)
    owner = _staff(owner_id, made.id, ShopRole.OWNER)
    template = SetShippingTemplate(
        shop_id=made.id,
        id=made.template_id,
        name="国内配送",
        measure=Measure(text.shipping.measure),
        zones=_zones(text.shipping),
    )
    await cloud.send(template, actor=owner)
    staff: list[Actor] = []
    for role, called in ((ShopRole.PACKER, "打包"), (ShopRole.SERVICE, "客服")):
        contact = f"{text.key}-{role.value}@{CONTACTS}"
        person_id = (await cloud.send(RegisterPerson(email=contact, nickname=f"{text.name}{called}"), actor=SYSTEM)).person_id
        await cloud.send(GrantShopRole(shop_id=made.id, person_id=person_id, role=role), actor=owner)
        staff.append(_staff(person_id, made.id, role))
    return Opened(text=text, shop_id=made.id, location_id=made.location_id, owner=owner, packer=staff[0], service=staff[1])


async def put_on_sale(cloud: Cloud, chance: random.Random, shop: Opened, text: GoodsText, category: CategoryId) -> Listed:
    """Describe goods, publish them, and count their stock."""
    form = goods_form(text, category)
    made = await cloud.send(CreateGoods(shop_id=shop.shop_id, form=form, publish=True), actor=shop.owner)
    counts = [
        SetStock(
            shop_id=shop.shop_id,
            variant_id=id,
            location_id=shop.location_id,
            on_hand=chance.choice(ON_HAND) + chance.randrange(20),
            reason=StockReason.COUNTED,
        )
        for id in made.variant_ids
    ]
    await asyncio.gather(*(cloud.send(count, actor=shop.packer) for count in counts))
    cheapest = min(price for _, _, price, _ in text.choices())
    return Listed(
        text=text,
        shop=shop,
        goods_id=made.id,
        variant_ids=made.variant_ids,
        pull=min(PULL_MAX, chance.paretovariate(1.3)) * (6_000 / (cheapest + 1_000)) ** 0.5,
        is_weak=chance.random() < 0.15,
        since_ms=cloud.now(),
    )


def goods_form(text: GoodsText, category: CategoryId) -> GoodsForm:
    """Goods as the catalogue takes them."""
    choices = text.choices()
    variants = tuple(
        VariantForm(
            sku=f"{text.picture.upper()}-{place + 1}",
            choice=(place,) if text.option else (),
            price=yuan(price),
            weight_g=weight_g,
        )
        for place, (_, _, price, weight_g) in enumerate(choices)
    )
    options: tuple[GoodsOption, ...] = ()
    if text.option:
        values = tuple(OptionValue(name=name, name_en=name_en, picture=_shown(text, name_en)) for name, name_en, _, _ in choices)
        options = (GoodsOption(name=text.option[0], name_en=text.option[1], values=values),)
    return GoodsForm(
        title=text.title,
        title_en=text.title_en,
        description=text.about,
        description_en=text.about_en,
        category_id=category,
        tax_class=TaxClass.REDUCED if text.category in FRESH else TaxClass.STANDARD,
        pictures=(picture_of(f"goods/{text.picture}"),),
        options=options,
        variants=variants,
    )


def _shown(text: GoodsText, name_en: str) -> str | None:
    picture = text.value_pictures.get(name_en)
    return picture_of(f"goods/{picture}") if picture else None


def _staff(person_id: PersonId, shop_id: ShopId, *roles: ShopRole) -> Actor:
    return Actor(person=person_id, shop_roles={shop_id: frozenset(role.value for role in roles)})


def _zones(shipping: Shipping) -> tuple[Zone, ...]:
    """Far places pay double, some are not served, everywhere else in the country pays the rate."""
    far = [region for region in FAR if region not in shipping.not_to]
    zones = [Zone(places=_places(shipping.not_to))] if shipping.not_to else []
    if far:
        zones.append(Zone(places=_places(far), rate=_rate(shipping, times=2)))
    return (*zones, Zone(places=(Place(country=COUNTRY),), rate=_rate(shipping)))


def _places(regions: Sequence[str]) -> tuple[Place, ...]:
    return tuple(Place(country=COUNTRY, region=region) for region in regions)


def _rate(shipping: Shipping, *, times: int = 1) -> Rate:
    return Rate(
        first_units=shipping.first_units,
        first_fee=times * shipping.first_fee,
        further_units=shipping.further_units,
        further_fee=times * shipping.further_fee,
        free_from=times * shipping.free_from,
    )
