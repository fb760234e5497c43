"""Several locations of a shop: in which order, and whereto, orders leave from them, and stock that moves from one to another."""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from yunduan.domains.catalog import restocking, store
from yunduan.domains.catalog.commands.stock import Lines
from yunduan.domains.catalog.commands.waiting import SeeWaits
from yunduan.domains.catalog.facts import ShopChanged
from yunduan.domains.catalog.model import (
    LOCATIONS_MAX,
    CatalogRefusal,
    Left,
    Locations,
    Name,
    SoldOut,
    Source,
    StockReason,
    counted,
    places_in_one_form,
    totals,
)
from yunduan.kernel.ids import LocationId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class SetSources(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.LOCATIONS_NAMED, CatalogRefusal.REGION_UNKNOWN}):
    """Say in which order a shop's locations send what is ordered, whereto, and which send nothing; for orders from now on.

    An order leaves from the first location that sends to its place and has all of it. If none has, it is split over several, or
    refused where the shop does not split. What is held for orders stays where it is.
    """

    shop_id: ShopId
    sources: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=LOCATIONS_MAX)]
    splits: bool = True


class MoveStock(
    Command[None],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.VARIANT_NOT_FOUND,
        CatalogRefusal.LOCATION_NOT_FOUND,
        CatalogRefusal.SAME_LOCATION,
        CatalogRefusal.SOLD_OUT,
        CatalogRefusal.STOCK_TOO_LARGE,
    },
):
    """Move pieces from one location of a shop to another, all lines or none; what is promised to orders stays where it is."""

    shop_id: ShopId
    from_location_id: LocationId
    to_location_id: LocationId
    lines: Lines


_OF_LOCATION = {CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.LOCATION_NOT_FOUND}


class RenameLocation(Command[None], refuses=_OF_LOCATION):
    """Call a location otherwise; harmless when it is called so."""

    shop_id: ShopId
    location_id: LocationId
    name: Name


class RemoveLocation(Command[None], refuses={*_OF_LOCATION, CatalogRefusal.LOCATION_NOT_EMPTY, CatalogRefusal.LOCATION_LAST}):
    """Give up a location where nothing lies; never the last. What has left from it and comes back goes to the shop's first."""

    shop_id: ShopId
    location_id: LocationId


@handles(SetSources)
def set_sources(tx: Tx, ask: SetSources) -> None:
    """Keep them in the shop's row, which a checkout reads anyway; nothing where each location sends everywhere."""
    shop = store.shop(tx, ask.shop_id)
    ids = tuple(source.location_id for source in ask.sources)
    if len(ids) != len(shop.location_ids) or set(ids) != set(shop.location_ids):
        raise Refused(CatalogRefusal.LOCATIONS_NAMED, figures=Locations(location_ids=shop.location_ids))
    sources = places_in_one_form(ask.sources)
    said = any(source.places or not source.ships for source in sources)
    changed = replace(shop, location_ids=ids, sources=sources if said else (), splits=ask.splits)
    if changed != shop:
        tx.put(store.SHOP, shop.id, changed)
        tx.send(SeeWaits(shop_id=shop.id))  # pieces that could not be bought may now be where something is sent from
        tx.tell(ShopChanged(shop_id=shop.id))


@handles(MoveStock)
def move_stock(tx: Tx, ask: MoveStock) -> None:
    """See that every line can be moved, then move each and note both ends."""
    shop = store.shop(tx, ask.shop_id)
    for location_id in (ask.from_location_id, ask.to_location_id):
        store.location(tx, location_id, shop_id=shop.id)
    if ask.from_location_id == ask.to_location_id:
        raise Refused(CatalogRefusal.SAME_LOCATION)
    wanted = totals(ask.lines)
    for id in wanted:
        store.variant(tx, id, shop_id=shop.id)
    here = {id: store.stock(tx, id, ask.from_location_id) for id in wanted}
    short = [Left(variant_id=id, available=here[id].available) for id, pieces in wanted.items() if here[id].available < pieces]
    if short:
        raise Refused(CatalogRefusal.SOLD_OUT, "too few that are not promised", figures=SoldOut(lines=tuple(short)))
    there = {id: store.stock(tx, id, ask.to_location_id) for id in wanted}
    were = restocking.sold_out(tx, there.values())
    after = [(stock, counted(stock, stock.on_hand - wanted[id])) for id, stock in here.items()]
    after += [(stock, counted(stock, stock.on_hand + wanted[id])) for id, stock in there.items()]
    for before, stock in after:
        store.keep_stock(tx, stock)
        store.note_stock(tx, before=before, after=stock, reason=StockReason.MOVED.value, person=tx.actor.person)
    restocking.tell(tx, were)


@handles(RenameLocation)
def rename_location(tx: Tx, ask: RenameLocation) -> None:
    """Papers that are printed from now on have the new name."""
    shop = store.shop(tx, ask.shop_id)
    place = store.location(tx, ask.location_id, shop_id=shop.id)
    if place.name != ask.name:
        tx.put(store.LOCATION, place.id, replace(place, name=ask.name))


@handles(RemoveLocation)
def remove_location(tx: Tx, ask: RemoveLocation) -> None:
    """Take it out of the shop's order and rules; its row stays, so that its id says where something was."""
    shop = store.shop(tx, ask.shop_id)
    place = store.location(tx, ask.location_id, shop_id=shop.id)
    if not store.is_empty(tx, place.id):
        raise Refused(CatalogRefusal.LOCATION_NOT_EMPTY)
    if len(shop.location_ids) == 1:
        raise Refused(CatalogRefusal.LOCATION_LAST)
    ids = tuple(id for id in shop.location_ids if id != place.id)
    sources = tuple(source for source in shop.sources if source.location_id != place.id)
    tx.put(store.LOCATION, place.id, replace(place, removed=True))
    tx.put(store.SHOP, shop.id, replace(shop, location_ids=ids, sources=sources))
