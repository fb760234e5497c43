"""Where a shop's goods leave from, and what it costs to send them."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store
from yunduan.domains.catalog.facts import ShopChanged
from yunduan.domains.catalog.model import (
    LOCATIONS_MAX,
    TEMPLATES_MAX,
    ZONES_MAX,
    CatalogRefusal,
    Country,
    Location,
    Measure,
    Name,
    Rate,
    Region,
    ShippingTemplate,
    Source,
    Zone,
    in_one_form,
)
from yunduan.kernel.ids import LocationId, ShippingTemplateId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class LocationKept(Struct, frozen=True, kw_only=True):
    """A place where stock lies."""

    id: LocationId


class TemplateKept(Struct, frozen=True, kw_only=True):
    """A shipping template, made or changed."""

    id: ShippingTemplateId


class CreateLocation(Command[LocationKept], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.LOCATIONS_FULL}):
    """Add a place where a shop's stock lies: the last in its order, sending everywhere, until the shop says otherwise."""

    shop_id: ShopId
    name: Name
    country: Country
    region: Region = ""


class SetShippingTemplate(
    Command[TemplateKept],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.TEMPLATE_NOT_FOUND,
        CatalogRefusal.TEMPLATES_FULL,
        CatalogRefusal.PLACES_OVERLAP,
        CatalogRefusal.REGION_UNKNOWN,
    },
):
    """Make a shipping template, or say anew what one costs, for orders from now on.

    An unknown region of a country that has a list comes with those that there are.
    """

    shop_id: ShopId
    name: Name
    measure: Measure
    id: ShippingTemplateId | None = None
    """Which to change; a new one has none yet."""
    zones: Annotated[tuple[Zone, ...], Meta(max_length=ZONES_MAX)] = ()
    elsewhere: Rate | None = None


@handles(CreateLocation)
def create_location(tx: Tx, ask: CreateLocation) -> LocationKept:
    """Keep the place, last in the shop's order."""
    shop = store.shop(tx, ask.shop_id)
    if len(shop.location_ids) >= LOCATIONS_MAX:
        raise Refused(CatalogRefusal.LOCATIONS_FULL, f"{LOCATIONS_MAX} locations are the most")
    id = LocationId(tx.id("loc"))
    tx.add(store.LOCATION, id, Location(id=id, shop_id=shop.id, name=ask.name, country=ask.country, region=ask.region))
    sources = (*shop.sources, Source(location_id=id)) if shop.sources else ()
    tx.put(store.SHOP, shop.id, replace(shop, location_ids=(*shop.location_ids, id), sources=sources))
    return LocationKept(id=id)


@handles(SetShippingTemplate)
def set_shipping_template(tx: Tx, ask: SetShippingTemplate) -> TemplateKept:
    """Keep the template under its id, or under a new one."""
    shop = store.shop(tx, ask.shop_id)
    zones = in_one_form(ask.zones)
    id = ask.id or ShippingTemplateId(tx.id("tpl"))
    template = ShippingTemplate(
        id=id, shop_id=shop.id, name=ask.name, measure=ask.measure, currency=shop.currency, zones=zones, elsewhere=ask.elsewhere
    )
    if ask.id:
        store.template(tx, id, shop_id=shop.id)
        tx.put(store.TEMPLATE, id, template)
        tx.tell(ShopChanged(shop_id=shop.id))
        return TemplateKept(id=id)
    if len(shop.template_ids) >= TEMPLATES_MAX:
        raise Refused(CatalogRefusal.TEMPLATES_FULL, f"{TEMPLATES_MAX} templates are the most")
    tx.add(store.TEMPLATE, id, template)
    tx.put(store.SHOP, shop.id, replace(shop, template_ids=(*shop.template_ids, id)))
    return TemplateKept(id=id)
