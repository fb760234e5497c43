"""What search is told of goods: everything that they can be found, filtered and ranked by, in one answer."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Annotated, NamedTuple

from msgspec import Meta, Raw, Struct

from yunduan.domains.catalog import lists, store, store_attributes, store_findable
from yunduan.domains.catalog.attributes import Attribute, AttributeKind
from yunduan.domains.catalog.lists import Card, described
from yunduan.domains.catalog.model import ShippingTemplate, Shop, ShopScore
from yunduan.domains.catalog.store_findable import Offered, OfferedValue
from yunduan.kernel.ids import CategoryId, GoodsId, ShippingTemplateId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

AT_ONCE = 500
TOGETHER = 100
"""Of so many goods at a time the rows are read together."""
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


class Findable(Struct, frozen=True, kw_only=True, gc=False):
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


class Stands(Struct, frozen=True, gc=False):
    """How goods have done, and how their shop is liked."""

    sold: int
    reviews: int
    stars: int
    shop_reviews: int
    shop_stars: int


class StandingsToFind(Query[dict[GoodsId, Stands]]):
    """How goods have done, each with its shop: what of them changes with every sale, in a fraction of the time."""

    shops: Annotated[dict[GoodsId, ShopId], Meta(max_length=AT_ONCE)]


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
    """Read them with their shops, categories, stock and standings, a few statements for many of them."""
    around, ids = _Around(at), ask.goods_ids
    return tuple([one for start in range(0, len(ids), TOGETHER) for one in _findable(at, around, ids[start : start + TOGETHER])])


@answers(StandingsToFind)
def standings_to_find(at: Asking, ask: StandingsToFind) -> dict[GoodsId, Stands]:
    """Two statements."""
    standings, scores = at.get_many(store.STANDING, list(ask.shops)), at.get_many(store.SCORE, list(set(ask.shops.values())))
    found = {}
    for id, standing in standings.items():
        score = scores.get(ask.shops[id]) or ShopScore(shop_id=ask.shops[id])
        found[id] = Stands(standing.sold, standing.reviews, standing.stars, score.reviews, score.stars)
    return found


class _Shown(NamedTuple):
    """What goods of a category share: the categories from the root to it, and what is asked of them."""

    path: tuple[Named, ...]
    attributes: dict[str, Attribute]


class _Around:
    """What many goods share, each read once."""

    def __init__(self, at: Asking) -> None:
        self._at = at
        self.shops: dict[ShopId, Shop] = {}
        self.scores: dict[ShopId, ShopScore] = {}
        self._templates: dict[ShippingTemplateId, ShippingTemplate] = {}
        self.shown = cache(partial(_shown, at))

    def read(self, found: Sequence[Offered]) -> None:
        """Read what some goods need besides what was read for others."""
        new = list({goods.shop_id for goods in found} - self.shops.keys())
        self.shops |= self._at.get_many(store.SHOP, new)
        self.scores |= {id: ShopScore(shop_id=id) for id in new} | self._at.get_many(store.SCORE, new)
        templates = {self._template_id(goods) for goods in found} - self._templates.keys()
        self._templates |= self._at.get_many(store.TEMPLATE, list(templates))

    def is_free(self, goods: Offered) -> bool:
        """Whether they are sent for nothing."""
        return _is_free(self._templates[self._template_id(goods)])

    def _template_id(self, goods: Offered) -> ShippingTemplateId:
        return goods.form.template_id or self.shops[goods.shop_id].template_id


def _shown(at: Asking, id: CategoryId) -> _Shown:
    path = [store.category(at, above) for above in store.category(at, id).path_ids]
    return _Shown(tuple([Named(one.id, one.name, one.name_en) for one in path]), store_attributes.attributes_of(at, path[-1]))


def _findable(at: Asking, around: _Around, ids: Sequence[GoodsId]) -> Iterator[Findable]:
    """Those of some goods that are on sale."""
    found = store_findable.on_sale(at, ids)
    around.read([goods for goods, _ in found])
    standings = at.get_many(store.STANDING, [goods.id for goods, _ in found])
    stock = at.get_many(store.STOCK, [key for goods, ids in found for key in store.stock_keys(ids, around.shops[goods.shop_id])])
    for goods, variants in found:
        shop, score, standing, form = around.shops[goods.shop_id], around.scores[goods.shop_id], standings[goods.id], goods.form
        shown = around.shown(form.category_id)
        yield Findable(
            id=goods.id,
            shop=Named(shop.id, shop.name, shop.name_en),
            path=shown.path,
            title=form.title,
            title_en=form.title_en,
            description=form.description,
            description_en=form.description_en,
            choices=tuple([text for option in form.options for value in option.values for text in (value.name, value.name_en) if text]),
            told=tuple([_told(shown.attributes[one.key], one) for one in form.attributes if one.key in shown.attributes]),
            price=min((variant.price for variant in form.variants), key=lambda price: price.amount),
            listed_at=goods.listed_at,
            sold=standing.sold,
            reviews=standing.reviews,
            stars=standing.stars,
            shop_reviews=score.reviews,
            shop_stars=score.stars,
            is_shown=shop.is_open,
            in_stock=any(store.pieces_among(stock, id, shop) > 0 for id in variants),
            away_until=shop.away_until,
            free_shipping=around.is_free(goods),
        )


def _is_free(template: ShippingTemplate) -> bool:
    """Whether it asks nothing, wherever it sends."""
    rates = [rate for rate in (template.elsewhere, *(zone.rate for zone in template.zones)) if rate is not None]
    return bool(rates) and all(rate.first_fee == rate.further_fee == 0 or rate.free_from == 0 for rate in rates)


def _told(attribute: Attribute, told: OfferedValue) -> Told:
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
