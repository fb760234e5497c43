"""Shops: opened, described, suspended and opened again; their goods follow in steps."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands import ruling, showing
from yunduan.domains.catalog.facts import ShopChanged, ShopCreated, ShopHolidaySet, ShopStateChanged
from yunduan.domains.catalog.model import (
    HOLIDAY_MS_MAX,
    CatalogRefusal,
    Country,
    Description,
    Location,
    MaybeName,
    Measure,
    Name,
    Picture,
    Ppm,
    Rate,
    Region,
    ShippingTemplate,
    Shop,
    ShopState,
)
from yunduan.domains.catalog.rulings import Reason, Ruled
from yunduan.domains.identity.commands import AppointOwner
from yunduan.kernel.ids import LocationId, PersonId, ShippingTemplateId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import EXPONENTS, Currency
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

REFRESHED_AT_ONCE = 50
"""Goods of a shop whose cards are written anew in one step, so that a shop of any size holds nobody up."""


class ShopCreatedAnswer(Struct, frozen=True, kw_only=True):
    """A new shop, the place its goods leave from, and its shipping template: free everywhere until the shop says otherwise."""

    id: ShopId
    location_id: LocationId
    template_id: ShippingTemplateId


class CreateShop(Command[ShopCreatedAnswer], refuses={CatalogRefusal.CURRENCY, *AppointOwner.refuses}):
    """Open a shop for its owner, who may do everything in it."""

    owner_id: PersonId
    name: Name
    country: Country
    currency: Currency
    commission_ppm: Ppm
    name_en: MaybeName = ""
    about: Description = ""
    about_en: Description = ""
    picture: Picture | None = None
    region: Region = ""


class ChangeShop(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.TEMPLATE_NOT_FOUND}):
    """Say anew what everybody sees of a shop, and which template applies where goods name none."""

    shop_id: ShopId
    name: Name
    template_id: ShippingTemplateId
    name_en: MaybeName = ""
    about: Description = ""
    about_en: Description = ""
    picture: Picture | None = None


class SetCommission(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """Agree on another commission, for orders from now on."""

    shop_id: ShopId
    commission_ppm: Ppm


class SuspendShop(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """Stop a shop from selling and being shown, and say why; harmless when it is suspended. What has been bought goes on as ever."""

    shop_id: ShopId
    reason: Reason


class ReopenShop(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """Let a shop sell and be shown again, and say why; harmless when it is open."""

    shop_id: ShopId
    reason: Reason


class SetHoliday(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.HOLIDAY}):
    """Close for a holiday until a time (milliseconds since 1970), or with 0 be back at once. What has been bought goes on as ever."""

    shop_id: ShopId
    back_at: Annotated[int, Meta(ge=0, le=2**53)]


class RefreshShop(
    Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.CATEGORY_NOT_FOUND, CatalogRefusal.GOODS_NOT_FOUND}
):
    """Write the cards and variants of a shop's goods anew, a step at a time, after the shop itself has changed."""

    shop_id: ShopId
    after: str = ""


@handles(CreateShop)
def create_shop(tx: Tx, ask: CreateShop) -> ShopCreatedAnswer:
    """Keep the shop with a first place and template, and give its owner the role."""
    if ask.currency not in EXPONENTS:
        raise Refused(CatalogRefusal.CURRENCY, ask.currency)
    shop_id, location_id, template_id = ShopId(tx.id("shp")), LocationId(tx.id("loc")), ShippingTemplateId(tx.id("tpl"))
    shop = Shop(
        id=shop_id,
        owner_id=ask.owner_id,
        name=ask.name,
        name_en=ask.name_en,
        about=ask.about,
        about_en=ask.about_en,
        picture=ask.picture or "",
        country=ask.country,
        currency=ask.currency,
        commission_ppm=ask.commission_ppm,
        location_ids=(location_id,),
        template_ids=(template_id,),
        template_id=template_id,
    )
    place = Location(id=location_id, shop_id=shop_id, name=ask.name, country=ask.country, region=ask.region)
    free = ShippingTemplate(
        id=template_id, shop_id=shop_id, name=ask.name, measure=Measure.PIECE, currency=ask.currency, elsewhere=Rate(first_fee=0)
    )
    tx.add(store.SHOP, shop_id, shop)
    tx.send(AppointOwner(shop_id=shop_id, person_id=ask.owner_id))  # of a shop that is there; refused, nothing of it is
    tx.add(store.LOCATION, location_id, place)
    tx.add(store.TEMPLATE, template_id, free)
    tx.tell(ShopCreated(shop_id=shop_id))
    return ShopCreatedAnswer(id=shop_id, location_id=location_id, template_id=template_id)


@handles(ChangeShop)
def change_shop(tx: Tx, ask: ChangeShop) -> None:
    """Keep the shop; its goods follow in steps when they show what has changed."""
    shop = store.shop(tx, ask.shop_id)
    template = store.template(tx, ask.template_id, shop_id=shop.id)
    changed = replace(
        shop,
        name=ask.name,
        name_en=ask.name_en,
        about=ask.about,
        about_en=ask.about_en,
        picture=ask.picture or "",
        template_id=template.id,
    )
    tx.put(store.SHOP, shop.id, changed)
    if (changed.name, changed.name_en, changed.template_id) != (shop.name, shop.name_en, shop.template_id):
        tx.at(tx.now, RefreshShop(shop_id=shop.id))
        tx.tell(ShopChanged(shop_id=shop.id))


@handles(SetCommission)
def set_commission(tx: Tx, ask: SetCommission) -> None:
    """Keep the shop with its new terms."""
    shop = store.shop(tx, ask.shop_id)
    tx.put(store.SHOP, shop.id, replace(shop, commission_ppm=ask.commission_ppm))


@handles(SuspendShop)
def suspend_shop(tx: Tx, ask: SuspendShop) -> None:
    """Close the shop at once; lists let go of its cards in steps."""
    _set_shop_state(tx, ask.shop_id, ShopState.SUSPENDED, Ruled.SHOP_SUSPENDED, ask.reason)


@handles(ReopenShop)
def reopen_shop(tx: Tx, ask: ReopenShop) -> None:
    """Open the shop at once; lists take its cards back in steps."""
    _set_shop_state(tx, ask.shop_id, ShopState.OPEN, Ruled.SHOP_REOPENED, ask.reason)


@handles(SetHoliday)
def set_holiday(tx: Tx, ask: SetHoliday) -> None:
    """Keep the time; nothing has to happen when it comes."""
    shop = store.shop(tx, ask.shop_id)
    if ask.back_at and not tx.now < ask.back_at <= tx.now + HOLIDAY_MS_MAX:
        raise Refused(CatalogRefusal.HOLIDAY)
    if shop.away_until != ask.back_at:
        tx.put(store.SHOP, shop.id, replace(shop, away_until=ask.back_at))
        tx.tell(ShopHolidaySet(shop_id=shop.id, back_at=ask.back_at))


def _set_shop_state(tx: Tx, id: ShopId, state: ShopState, ruled: Ruled, reason: str) -> None:
    shop = store.shop(tx, id)
    if shop.state is not state:
        ruling.rule(tx, shop, id, ruled, reason)
        tx.put(store.SHOP, id, replace(shop, state=state))
        tx.at(tx.now, RefreshShop(shop_id=id))
        tx.tell(ShopStateChanged(shop_id=id, is_open=state is ShopState.OPEN))


@handles(RefreshShop)
def refresh_shop(tx: Tx, ask: RefreshShop) -> None:
    """Do some, and set the next step for the rest."""
    shop = store.shop(tx, ask.shop_id)
    some = store.goods_after(tx, shop.id, ask.after, limit=REFRESHED_AT_ONCE)
    for goods in some:
        showing.keep_variants(tx, shop, goods)
        showing.show(tx, shop, goods)
    if len(some) == REFRESHED_AT_ONCE:
        tx.at(tx.now, RefreshShop(shop_id=shop.id, after=some[-1].id))
