"""What everybody may ask about attributes: which a category has, and its goods that have some of them."""

from msgspec import Struct

from yunduan.domains.catalog import lists, store, store_attributes
from yunduan.domains.catalog.attributes import Attribute, Filters, wanted_of
from yunduan.domains.catalog.lists import CardList, Cursor, Sort
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.catalog.queries import PageSize
from yunduan.kernel.ids import CategoryId
from yunduan.kernel.messages import Query
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class AttributeList(Struct, frozen=True, kw_only=True):
    """What goods of a category tell of themselves."""

    items: tuple[Attribute, ...]


class AttributesOf(Query[AttributeList], refuses={CatalogRefusal.CATEGORY_NOT_FOUND}):
    """What goods of a category tell of themselves, those of the categories above it first."""

    category_id: CategoryId


class GoodsFiltered(Query[CardList], refuses={CatalogRefusal.CATEGORY_NOT_FOUND, CatalogRefusal.CURSOR, CatalogRefusal.FILTER}, slow=True):
    """Goods of a category, and of all below it, that have all that is wanted; all of them where nothing is."""

    category_id: CategoryId
    filters: Filters = ""
    sort: Sort = Sort.NEWEST
    after: Cursor | None = None
    limit: PageSize = 20


@answers(AttributesOf)
def attributes_of(at: Asking, ask: AttributesOf) -> AttributeList:
    """Those above count before its own."""
    asked = store_attributes.attributes_of(at, store.category(at, ask.category_id))
    return AttributeList(items=tuple(asked.values()))


@answers(GoodsFiltered)
def goods_filtered(at: Asking, ask: GoodsFiltered) -> CardList:
    """One statement that goes through the category in its order; a cursor is of these filters in this order of theirs."""
    category = store.category(at, ask.category_id)
    wanted = wanted_of(ask.filters, store_attributes.attributes_of(at, category))
    scope = f"category{len(category.path_ids)} {ask.filters}"
    after = lists.place(ask.after, scope=scope, id=category.id, sort=ask.sort) if ask.after else None
    rows = store_attributes.filtered(at, category, wanted, sort=ask.sort, after=after, limit=ask.limit + 1)
    return lists.page(rows, scope=scope, id=category.id, sort=ask.sort, limit=ask.limit)
