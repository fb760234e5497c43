"""What lies at one location of a shop, for its own people."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog import store
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.kernel.ids import GoodsId, LocationId, ShopId, VariantId
from yunduan.kernel.messages import Query
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

SHELF_MAX = 100


class ShelfLine(Struct, frozen=True, kw_only=True):
    """The stock of a variant at a location: pieces on hand, and of these promised to orders."""

    variant_id: VariantId
    goods_id: GoodsId
    sku: str
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    on_hand: int
    held: int


class Shelf(Struct, frozen=True, kw_only=True):
    """One page of what lies at a location; `after` asks for the next, nothing when there is none."""

    items: list[ShelfLine]
    after: VariantId | None


class StockAtLocation(Query[Shelf], refuses={CatalogRefusal.LOCATION_NOT_FOUND}):
    """The stock of every variant that was ever put to a location, in the order of the variants' ids."""

    shop_id: ShopId
    location_id: LocationId
    after: VariantId | None = None
    limit: Annotated[int, Meta(ge=1, le=SHELF_MAX)] = 50


@answers(StockAtLocation)
def stock_at_location(at: Asking, ask: StockAtLocation) -> Shelf:
    """One page by the index of locations; another shop's location is not found."""
    store.location(at, ask.location_id, shop_id=ask.shop_id)
    rows = store.stock_at(at, ask.location_id, after=ask.after or "", limit=ask.limit + 1)
    variants = at.get_many(store.VARIANT, [row[0] for row in rows[: ask.limit]])
    items = [
        ShelfLine(
            variant_id=id,
            goods_id=variants[id].goods_id,
            sku=variants[id].sku,
            title=variants[id].title,
            title_en=variants[id].title_en,
            option_text=variants[id].option_text,
            option_text_en=variants[id].option_text_en,
            on_hand=on_hand,
            held=held,
        )
        for id, on_hand, held in rows[: ask.limit]
    ]
    return Shelf(items=items, after=items[-1].variant_id if len(rows) > ask.limit else None)
