"""What search is told of goods: everything that they can be found, filtered and ranked by, in one answer."""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from yunduan.domains.catalog import lists, store, store_attributes, store_findable
from yunduan.domains.catalog.attributes import Attribute, AttributeKind
from yunduan.domains.catalog.lists import Card, described
from yunduan.domains.catalog.model import AttributeValue, Goods, GoodsState, ShippingTemplate
from yunduan.kernel.ids import CategoryId, GoodsId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

AT_ONCE = 500
ReadyCard = Annotated[Raw, Meta(extra_json_schema=described(Card))]
"""The JSON of a `Card`."""


class Named(Struct, frozen=True, gc=False):
    """What something is called; the English is empty where there is none."""

    id: str
    name: str
    name_en: str


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that goods tell of themselves, in words: yes, one of a list, or a number of units."""

    key: str
    value: int
    name: Named
    text: str
    text_en: str
    is_counted: bool
    """Whether goods can be counted by it: not so numbers, which have a unit."""
    unit: str = ""


class Findable(Struct, frozen=True, kw_only=True):
    """Goods that are on sale, as search knows them."""

    id: GoodsId
    shop: Named
    path: tuple[Named, ...]
    """The categories from the root to their own."""
    title: str
    title_en: str
    description: str
    description_en: str
    choices: tuple[str, ...]
    told: tuple[Told, ...]
    price: Money
    listed_at: int
    sold: int
    reviews: int
    stars: int
    shop_reviews: int
    shop_stars: int
    is_shown: bool
    """Whether lists show them: not so while the shop is suspended."""
    in_stock: bool
    """Whether any variant can be bought, holidays apart."""
    away_until: int
    """Until when the shop is on holiday; 0, or past, when it is not."""
    free_shipping: bool
    """Whether they are sent for nothing to anywhere that their template names."""


class GoodsToFind(Query[tuple[Findable, ...]]):
    """Goods as search knows them; those that are not on sale are left out."""

    goods_ids: Annotated[tuple[GoodsId, ...], Meta(max_length=AT_ONCE)]


class GoodsOnSale(Query[tuple[GoodsId, ...]]):
    """Goods on sale, those of suspended shops among them, in the order of their ids, from after one of them on."""

    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=AT_ONCE)] = AT_ONCE


class HowManyOnSale(Query[int]):
    """How many goods are on sale, those of suspended shops among them."""


class CategoriesBelow(Query[tuple[CategoryId, ...]]):
    """A category and all below it."""

    category_id: CategoryId


class UnitsOf(Query[dict[str, str | None]]):
    """What goods of a category tell of themselves: keys, each with the unit of its numbers, or nothing where it is no number.

    Nothing at all where there is no such category.
    """

    category_id: CategoryId


class CardsOf(Query[dict[GoodsId, ReadyCard]]):
    """The cards of goods, of those that lists show."""

    goods_ids: Annotated[tuple[GoodsId, ...], Meta(max_length=AT_ONCE)]


@answers(GoodsToFind)
def goods_to_find(at: Asking, ask: GoodsToFind) -> tuple[Findable, ...]:
    """Read each of them with its shop, category, stock and standing."""
    found = [_findable(at, goods) for id in ask.goods_ids if (goods := store.goods_if_any(at, id)) is not None]
    return tuple([one for one in found if one is not None])


def _findable(at: Asking, goods: Goods) -> Findable | None:
    shop, page = store.shop(at, goods.shop_id), store.page(at, goods.id)
    if goods.state is not GoodsState.ON_SALE or page is None:
        return None
    form, score, standing = goods.form, store.score(at, shop.id), store.standing(at, goods.id)
    path = [store.category(at, id) for id in store.category(at, form.category_id).path_ids]
    attributes = store_attributes.attributes_of(at, path[-1])
    template = store.template(at, form.template_id or shop.template_id, shop_id=shop.id)
    return Findable(
        id=goods.id,
        shop=Named(shop.id, shop.name, shop.name_en),
        path=tuple([Named(one.id, one.name, one.name_en) for one in path]),
        title=form.title,
        title_en=form.title_en,
        description=form.description,
        description_en=form.description_en,
        choices=tuple([text for option in form.options for value in option.values for text in (value.name, value.name_en) if text]),
        told=tuple([_told(attributes[one.key], one) for one in form.attributes if one.key in attributes]),
        price=min((variant.price for variant in form.variants), key=lambda price: price.amount),
        listed_at=goods.listed_at,
        sold=standing.sold,
        reviews=standing.reviews,
        stars=standing.stars,
        shop_reviews=score.reviews,
        shop_stars=score.stars,
        is_shown=shop.is_open,
        in_stock=any(pieces > 0 for _, pieces in store.pieces(at, page.variant_ids, shop)),
        away_until=shop.away_until,
        free_shipping=_is_free(template),
    )


def _is_free(template: ShippingTemplate) -> bool:
    """Whether it asks nothing, wherever it sends."""
    rates = [rate for rate in (template.elsewhere, *(zone.rate for zone in template.zones)) if rate is not None]
    return bool(rates) and all(rate.first_fee == rate.further_fee == 0 or rate.free_from == 0 for rate in rates)


def _told(attribute: Attribute, told: AttributeValue) -> Told:
    value = int(told.value)
    text = text_en = ""
    if attribute.kind is AttributeKind.CHOICE:
        text, text_en = attribute.values[value].name, attribute.values[value].name_en
    elif attribute.kind is AttributeKind.NUMBER:
        text = f"{value}{attribute.unit}"
    return Told(
        key=attribute.key,
        value=value,
        name=Named(attribute.key, attribute.name, attribute.name_en),
        text=text,
        text_en=text_en,
        is_counted=attribute.kind is not AttributeKind.NUMBER,
        unit=attribute.unit,
    )


@answers(GoodsOnSale)
def goods_on_sale(at: Asking, ask: GoodsOnSale) -> tuple[GoodsId, ...]:
    """By their pages, which stay while a shop is suspended."""
    return tuple(store_findable.on_sale_after(at, ask.after, limit=ask.limit))


@answers(HowManyOnSale)
def how_many_on_sale(at: Asking, ask: HowManyOnSale) -> int:  # noqa: ARG001 - every query has this form
    """Counted by an index: for whoever shows how far something is."""
    return store_findable.count(at)


@answers(CategoriesBelow)
def categories_below(at: Asking, ask: CategoriesBelow) -> tuple[CategoryId, ...]:
    """By the row that holds the whole tree."""
    return tuple([one.id for one in lists.tree_of(store.tree(at).body) if ask.category_id in one.path_ids])


@answers(UnitsOf)
def units_of(at: Asking, ask: UnitsOf) -> dict[str, str | None]:
    """Those of the categories above among them."""
    category = at.get(store.CATEGORY, ask.category_id)
    asked = store_attributes.attributes_of(at, category).values() if category is not None else ()
    return {one.key: one.unit if one.kind is AttributeKind.NUMBER else None for one in asked}


@answers(CardsOf)
def cards_of(at: Asking, ask: CardsOf) -> dict[GoodsId, ReadyCard]:
    """Ready as they lie there."""
    return {id: Raw(body) for id, body in store_findable.cards_of(at, ask.goods_ids).items()}
