"""What can be asked of the catalog: offers and terms for orders, pages and lists for everybody, the desk for a shop's own people."""

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from itertools import product, repeat
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict

from yunduan.domains.catalog import lists, sourcing, store, store_rulings
from yunduan.domains.catalog.lists import CardList, Cursor, ReadyFace, Sort
from yunduan.domains.catalog.model import (
    LINES_MAX,
    CatalogRefusal,
    CatalogSettings,
    Goods,
    GoodsState,
    HeldLine,
    Hold,
    HoldLine,
    Location,
    Offer,
    ShippingTemplate,
    Shop,
    ShopFace,
    ShopState,
    ShopTerms,
    option_pictures,
    shipping_cost,
    totals,
)
from yunduan.domains.catalog.store_senders import SENDER
from yunduan.domains.identity.model import Postal
from yunduan.kernel.ids import CategoryId, GoodsId, HoldId, LocationId, PersonId, ShippingTemplateId, ShopId, VariantId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import Wanted, answers
from yunduan.runtime.transaction import Asking

PAGE_MAX = 50
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


# For orders, on the hot path


class OffersOf(Query[dict[VariantId, Offer]], refuses={CatalogRefusal.VARIANT_NOT_FOUND}):
    """What variants cost now and how many can be sent to a place, or anywhere; also of those that are not on sale, which say so."""

    variant_ids: Annotated[tuple[VariantId, ...], Meta(max_length=500)]
    country: str = ""
    region: str = ""
    """In its one form (`kernel.regions`), as that of the next."""


class TermsOf(Query[ShopTerms], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """What an order to a place, or anywhere, needs to know of a shop, whether it is open or not."""

    shop_id: ShopId
    country: str = ""
    region: str = ""


class ShippingFor(Query[int], refuses={CatalogRefusal.TEMPLATE_NOT_FOUND, CatalogRefusal.REGION_NOT_SERVED}):
    """What shipping costs for the goods of one template in one order, in minor units of their currency, as what the goods cost.

    The region is in its one form (`kernel.regions`).
    """

    template_id: ShippingTemplateId
    country: str
    region: str
    pieces: int
    weight_g: int
    goods: int
    currency: str


class SourcesOf(
    Query[tuple[HeldLine, ...]],
    refuses={
        CatalogRefusal.VARIANT_NOT_FOUND,
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.SOLD_OUT,
        CatalogRefusal.NOT_FROM_ONE,
        CatalogRefusal.REGION_NOT_SERVED,
    },
):
    """Where the pieces of one shop would leave from on their way to a place, if they were held now; refuses what a hold would."""

    lines: Annotated[tuple[HoldLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    country: str
    region: str


class LocationOf(Query[Location], refuses={CatalogRefusal.LOCATION_NOT_FOUND}):
    """A location of a shop."""

    shop_id: ShopId
    location_id: LocationId


class CategoriesOf(Query[dict[GoodsId, tuple[CategoryId, ...]]]):
    """The category that goods stand in, and all above it, from the root; nothing of goods that are not there."""

    goods_ids: Annotated[tuple[GoodsId, ...], Meta(max_length=500)]


class HoldOf(Query[Hold | None]):
    """Where a hold stands."""

    hold_id: HoldId


class HoldsOf(Query[dict[HoldId, Hold]]):
    """Where several stand; those that never were are left out."""

    hold_ids: Annotated[tuple[HoldId, ...], Meta(max_length=500)]


class StockDifference(Struct, frozen=True, kw_only=True):
    """A place whose stock row and whose holds do not agree."""

    variant_id: VariantId
    location_id: LocationId
    held: int
    promised: int


class StockAudit(Query[list[StockDifference]], slow=True):
    """Where the pieces held are not the sum of the holds that stand: nowhere, or the program is wrong."""


# For everybody


class VariantStock(Struct, frozen=True, kw_only=True, array_like=False, gc=False):
    """How many pieces of a variant there are to buy."""

    variant_id: VariantId
    available: int


class GoodsPageAnswer(Struct, frozen=True, kw_only=True):
    """Goods as everybody is shown them: what their shop says, and what moves."""

    goods: lists.ReadyPage
    shop: ReadyFace
    stock: list[VariantStock]
    sold: int
    reviews: int
    rating_hundredths: int | None


class GoodsPage(Query[GoodsPageAnswer], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """The product page."""

    goods_id: GoodsId


class NewestGoods(Query[CardList], refuses={CatalogRefusal.CURSOR}):
    """Goods of the whole marketplace."""

    sort: Sort = Sort.NEWEST
    after: Cursor | None = None
    limit: PageSize = 20


class GoodsInShop(Query[CardList], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.CURSOR}):
    """Goods of one shop."""

    shop_id: ShopId
    sort: Sort = Sort.NEWEST
    after: Cursor | None = None
    limit: PageSize = 20


class GoodsInCategory(Query[CardList], refuses={CatalogRefusal.CATEGORY_NOT_FOUND, CatalogRefusal.CURSOR}):
    """Goods of a category and of all below it."""

    category_id: CategoryId
    sort: Sort = Sort.NEWEST
    after: Cursor | None = None
    limit: PageSize = 20


class CategoryTree(Struct, frozen=True, kw_only=True):
    """Every category, parents before children."""

    items: lists.ReadyTree


class Categories(Query[CategoryTree]):
    """The category tree."""


class ShopSeen(ShopFace, frozen=True, kw_only=True):
    """A shop with its score: how many reviews of its goods are shown, and what they give on average; nothing before the first."""

    reviews: int
    rating_hundredths: int | None


class ShopPage(Query[ShopSeen], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """A shop as everybody is shown it."""

    shop_id: ShopId


# For a shop's own people


class DeskLine(Struct, frozen=True, kw_only=True):
    """Goods in the list of their own shop.

    `price` is the lowest of the variants' prices, `price_to` the highest; of all locations together `on_hand` lie there, and `available` of
    them are promised to nobody. `picture` is empty where there is none.
    """

    id: GoodsId
    state: GoodsState
    version: int
    title: str
    title_en: str
    picture: str
    price: Money
    price_to: Money
    on_hand: int
    available: int


class DeskList(Struct, frozen=True, kw_only=True):
    """One page of a shop's own goods; `after` asks for the next."""

    items: list[DeskLine]
    after: GoodsId | None


LOOKED_THROUGH = 300
"""Through how many of a shop's goods one page looks for those in a state: then it ends, however few it has found."""


class DeskGoods(Query[DeskList], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """All goods of a shop, drafts included, or those in one state, the latest first; of those a page may be short and not the last."""

    shop_id: ShopId
    state: GoodsState | None = None
    after: GoodsId | None = None
    limit: PageSize = 20


class StockLine(Struct, frozen=True, kw_only=True):
    """The stock of a variant at one location."""

    variant_id: VariantId
    location_id: LocationId
    on_hand: int
    held: int


class DeskPage(Struct, frozen=True, kw_only=True):
    """Goods with everything that their shop knows of them."""

    goods: Goods
    stock: list[StockLine]


class GoodsOnDesk(Query[DeskPage], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """Goods as their own shop edits them."""

    shop_id: ShopId
    goods_id: GoodsId


class ShopSettings(Struct, frozen=True, kw_only=True):
    """A shop with its places and templates."""

    shop: Shop
    locations: list[Location]
    templates: list[ShippingTemplate]


class SettingsOf(Query[ShopSettings], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """A shop as its own people see it."""

    shop_id: ShopId


class SenderNow(Struct, frozen=True, kw_only=True):
    """What stands on a shop's papers as their sender; nothing where it has said nothing, or whose shop it was then has been erased."""

    shop_id: ShopId
    address: Postal | None


class SenderOf(Query[SenderNow], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """What stands on a shop's papers as their sender, for who ships."""

    shop_id: ShopId


class StockChange(Struct, frozen=True, kw_only=True):
    """One change of the pieces on hand, made by hand."""

    seq: int
    location_id: LocationId
    on_hand_before: int
    on_hand_after: int
    reason: str
    person_id: PersonId | None
    at: int


class ShopListed(Struct, frozen=True, kw_only=True):
    """A shop as operators see it."""

    id: ShopId
    name: str
    name_en: str
    country: str
    currency: str
    commission_ppm: int
    state: ShopState
    reviews: int
    rating_hundredths: int | None


class ShopList(Struct, frozen=True, kw_only=True):
    """One page of shops; `after` asks for the next, nothing when there is none."""

    items: tuple[ShopListed, ...]
    after: ShopId | None


class Shops(Query[ShopList]):
    """Every shop, open or not, in the order of their opening."""

    after: ShopId | None = None
    limit: PageSize = 50


class StockChangePage(Struct, frozen=True, kw_only=True):
    """One page of them; `after` asks for the next, nothing when there is none."""

    items: list[StockChange]
    after: int | None


class StockChanges(Query[StockChangePage], refuses={CatalogRefusal.VARIANT_NOT_FOUND}):
    """The changes of a variant's stock made by hand, the latest first."""

    shop_id: ShopId
    variant_id: VariantId
    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: PageSize = 20


class Title(Struct, frozen=True):
    """What goods are called; the English is empty where there is none."""

    title: str
    title_en: str


class TitlesOf(Query[dict[GoodsId, Title]]):
    """What goods are called, in whatever state they are; those that never were are left out."""

    goods_ids: Annotated[tuple[GoodsId, ...], Meta(max_length=PAGE_MAX)]


class ChoicesOf(Query[dict[VariantId, Title]]):
    """What is chosen of the options by variants, in whatever state they are; those that never were are left out."""

    variant_ids: Annotated[tuple[VariantId, ...], Meta(max_length=PAGE_MAX)]


# Answers


@answers(TitlesOf)
def titles_of(at: Asking, ask: TitlesOf) -> dict[GoodsId, Title]:
    """Read each of the goods."""
    found = {id: store.goods_if_any(at, id) for id in ask.goods_ids}
    return {id: Title(goods.form.title, goods.form.title_en) for id, goods in found.items() if goods is not None}


@answers(ChoicesOf)
def choices_of(at: Asking, ask: ChoicesOf) -> dict[VariantId, Title]:
    """Read each variant's one row."""
    found = at.get_many(store.VARIANT, ask.variant_ids)
    return {id: Title(variant.option_text, variant.option_text_en) for id, variant in found.items()}


@answers(OffersOf)
def offers_of(at: Asking, ask: OffersOf) -> dict[VariantId, Offer]:
    """Read each variant, its shop and its stock, each found by key."""
    variants = at.get_many(store.VARIANT, ask.variant_ids)
    if len(variants) < len(set(ask.variant_ids)):
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    shops: dict[ShopId, tuple[Shop, ShopTerms, tuple[LocationId, ...]]] = {}
    places: list[tuple[VariantId, LocationId]] = []
    for id, variant in variants.items():
        if variant.shop_id not in shops:
            shop = store.shop(at, variant.shop_id)
            sending = shop.sends_from(ask.country, ask.region)
            shops[shop.id] = shop, _terms(at, shop, sends=bool(sending)), sending
        places.extend(product((id,), shops[variant.shop_id][2]))
    pieces: dict[VariantId, list[int]] = defaultdict(list)
    for (id, _), stock in at.get_many(store.STOCK, places).items():
        pieces[id].append(stock.on_hand - stock.held)
    offers = {}
    for id, variant in variants.items():
        shop, terms, _ = shops[variant.shop_id]
        offers[id] = Offer(variant, shop.of_pieces(pieces[id]), terms)
    return offers


def wanted_offers(ids: Iterable[VariantId]) -> Wanted:
    """The rows that offers are read from: for the `reads` of commands that ask for them, or hold their stock."""
    return zip(repeat(store.VARIANT), ids, strict=False)


def stock_of(at: Asking, ids: Iterable[VariantId]) -> Wanted:
    """The rows that are wanted next, once those of the variants are there."""
    shop_id = ""
    places: tuple[LocationId, ...] = ()
    for id in ids:
        variant = at.get(store.VARIANT, id)
        if variant is not None:
            if variant.shop_id != shop_id:  # as a rule the next is of the same shop
                shop_id = variant.shop_id
                places = store.shop(at, shop_id).sends_from()
            for place in places:
                yield store.STOCK, (id, place)


@answers(TermsOf)
def terms_of(at: Asking, ask: TermsOf) -> ShopTerms:
    """Read the shop's one row."""
    shop = store.shop(at, ask.shop_id)
    return _terms(at, shop, sends=bool(shop.sends_from(ask.country, ask.region)))


def _terms(at: Asking, shop: Shop, *, sends: bool) -> ShopTerms:
    return ShopTerms(
        shop_id=shop.id,
        name=shop.name,
        name_en=shop.name_en,
        country=shop.country,
        currency=shop.currency,
        commission_ppm=shop.commission_ppm,
        open=shop.is_open,
        away_until=shop.away_until if shop.away_until > at.now else 0,
        sends=sends,
        splits=shop.splits,
    )


@answers(ShippingFor)
def shipping_for(at: Asking, ask: ShippingFor) -> int:
    """Read the template's one row and calculate."""
    template = at.get(store.TEMPLATE, ask.template_id)
    if template is None:
        raise Refused(CatalogRefusal.TEMPLATE_NOT_FOUND)
    invariant(ask.currency == template.currency, "a shop ships in the currency that it sells in")
    return shipping_cost(template, country=ask.country, region=ask.region, pieces=ask.pieces, weight_g=ask.weight_g, goods=ask.goods)


@answers(SourcesOf)
def sources_of(at: Asking, ask: SourcesOf) -> tuple[HeldLine, ...]:
    """Decided as a hold is."""
    wanted = totals(ask.lines)
    shop, _ = sourcing.of_one_shop(at, wanted)
    return sourcing.sent(shop, wanted, sourcing.pieces(at, shop, wanted), ask.country, ask.region)


@answers(LocationOf)
def location_of(at: Asking, ask: LocationOf) -> Location:
    """Another shop's is not found."""
    return store.location(at, ask.location_id, shop_id=ask.shop_id)


@answers(CategoriesOf)
def categories_of(at: Asking, ask: CategoriesOf) -> dict[GoodsId, tuple[CategoryId, ...]]:
    """Read the goods and their categories."""
    found = [store.goods_if_any(at, id) for id in ask.goods_ids]
    return {goods.id: store.category(at, goods.form.category_id).path_ids for goods in found if goods is not None}


@answers(HoldOf)
def hold_of(at: Asking, ask: HoldOf) -> Hold | None:
    """Read the hold."""
    return at.get(store.HOLD, ask.hold_id)


@answers(HoldsOf)
def holds_of(at: Asking, ask: HoldsOf) -> dict[HoldId, Hold]:
    """Read at once."""
    return at.get_many(store.HOLD, ask.hold_ids)


@answers(StockAudit)
def stock_audit(at: Asking, ask: StockAudit) -> list[StockDifference]:  # noqa: ARG001 - every query has this form
    """Add up every hold that stands and compare."""
    held = store.held_stock(at)
    promised: dict[tuple[VariantId, LocationId], int] = {}
    for hold in store.open_holds(at):
        for line in hold.lines:
            place = line.variant_id, line.location_id
            promised[place] = promised.get(place, 0) + line.waits
    return [
        StockDifference(variant_id=place[0], location_id=place[1], held=held.get(place, 0), promised=promised.get(place, 0))
        for place in sorted(held.keys() | promised.keys())
        if held.get(place, 0) != promised.get(place, 0)
    ]


@answers(GoodsPage)
def goods_page(at: Asking, ask: GoodsPage) -> GoodsPageAnswer:
    """One statement for what is said; what moves is found by key. Goods that are not for everybody are not found."""
    page = store.page(at, ask.goods_id)
    if page is None:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    shop = store.shop(at, page.shop_id)
    if not shop.is_open:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    standing = store.standing(at, ask.goods_id)
    return GoodsPageAnswer(
        goods=Raw(page.body),
        shop=Raw(store.ready_face(at, shop)),
        stock=[VariantStock(variant_id=id, available=pieces) for id, pieces in store.pieces(at, page.variant_ids, shop)],
        sold=standing.sold,
        reviews=standing.reviews,
        rating_hundredths=standing.rating_hundredths,
    )


@answers(NewestGoods)
def newest_goods(at: Asking, ask: NewestGoods) -> CardList:
    """One statement."""
    return _list(at, ask, scope="", id="")


@answers(GoodsInShop)
def goods_in_shop(at: Asking, ask: GoodsInShop) -> CardList:
    """One statement, after a look whether the shop is open."""
    if not store.shop_is_open(at, ask.shop_id):
        raise Refused(CatalogRefusal.SHOP_NOT_FOUND)
    return _list(at, ask, scope="shop_id", id=ask.shop_id)


@answers(GoodsInCategory)
def goods_in_category(at: Asking, ask: GoodsInCategory) -> CardList:
    """One statement, after a look how deep the category is."""
    category = store.category(at, ask.category_id)
    return _list(at, ask, scope=f"category{len(category.path_ids)}", id=category.id)


def _list(at: Asking, ask: NewestGoods | GoodsInShop | GoodsInCategory, *, scope: str, id: str) -> CardList:
    """One page; a row more than it shows tells whether there is another."""
    sort, limit = ask.sort, ask.limit
    if ask.after is None:  # where everybody begins
        first = partial(_cards, at, scope, id, sort, None, limit)
        most = at.port(CatalogSettings).lists_remembered_bytes
        part = id if scope == "shop_id" else ""
        return at.recall("card", (scope, id, sort, limit), first, part=part, most=most, size=CardList.size)
    return _cards(at, scope, id, sort, lists.place(ask.after, scope=scope, id=id, sort=sort), limit)


def _cards(at: Asking, scope: str, id: str, sort: Sort, after: tuple[int, str] | None, limit: int) -> CardList:
    rows = store.cards(at, scope=scope, id=id, sort=sort, after=after, limit=limit + 1)
    return lists.page(rows, scope=scope, id=id, sort=sort, limit=limit)


@answers(Categories)
def categories(at: Asking, ask: Categories) -> CategoryTree:  # noqa: ARG001 - every query has this form
    """Read the row that holds the whole tree."""
    return CategoryTree(items=Raw(store.tree(at).body))


@answers(ShopPage)
def shop_page(at: Asking, ask: ShopPage) -> ShopSeen:
    """Read the shop; one that is not open is not found."""
    shop = store.shop(at, ask.shop_id)
    if not shop.is_open:
        raise Refused(CatalogRefusal.SHOP_NOT_FOUND)
    score = store.score(at, shop.id)
    return ShopSeen(**asdict(shop.face()), reviews=score.reviews, rating_hundredths=score.rating_hundredths)


@answers(DeskGoods)
def desk_goods(at: Asking, ask: DeskGoods) -> DeskList:
    """One page by the index of the shop's goods."""
    store.shop(at, ask.shop_id)
    most = ask.limit if ask.state is None else LOOKED_THROUGH
    goods = store.goods_of_shop(at, ask.shop_id, before=ask.after, limit=most + 1)
    fitting = [one for one in goods[:most] if ask.state in (None, one.state)]
    shown = fitting[: ask.limit]
    stock = store.stock_of_each(at, [one.id for one in shown])
    items = [desk_line(one, *stock.get(one.id, (0, 0))) for one in shown]
    if len(fitting) > ask.limit:
        return DeskList(items=items, after=shown[-1].id)
    return DeskList(items=items, after=goods[most - 1].id if len(goods) > most else None)


def desk_line(goods: Goods, on_hand: int, held: int) -> DeskLine:
    """Goods as the list of their own shop shows them."""
    form = goods.form
    prices = sorted([variant.price for variant in form.variants], key=lambda price: price.amount)
    return DeskLine(
        id=goods.id,
        state=goods.state,
        version=goods.version,
        title=form.title,
        title_en=form.title_en,
        picture=next(iter((*form.pictures, *option_pictures(form.options))), ""),
        price=prices[0],
        price_to=prices[-1],
        on_hand=on_hand,
        available=on_hand - held,
    )


@answers(GoodsOnDesk)
def goods_on_desk(at: Asking, ask: GoodsOnDesk) -> DeskPage:
    """Read the goods and their stock; another shop's are not found."""
    goods = store.goods(at, ask.goods_id, shop_id=ask.shop_id)
    lines = [
        StockLine(variant_id=variant, location_id=location, on_hand=on_hand, held=held)
        for variant, location, on_hand, held in store.stock_of_goods(at, goods.id)
    ]
    return DeskPage(goods=goods, stock=lines)


@answers(SettingsOf)
def settings_of(at: Asking, ask: SettingsOf) -> ShopSettings:
    """Read the shop, its places and its templates."""
    shop = store.shop(at, ask.shop_id)
    places, templates = at.get_many(store.LOCATION, shop.location_ids), at.get_many(store.TEMPLATE, shop.template_ids)
    return ShopSettings(
        shop=shop,
        locations=[places[id] for id in shop.location_ids],
        templates=[templates[id] for id in shop.template_ids],
    )


@answers(StockChanges)
def stock_changes(at: Asking, ask: StockChanges) -> StockChangePage:
    """One page by the index of the variant's changes; another shop's variant is not found."""
    store.variant(at, ask.variant_id, shop_id=ask.shop_id)
    found = store.stock_changes(at, ask.variant_id, before=ask.after, limit=ask.limit + 1)
    items = [
        StockChange(seq=seq, location_id=place, on_hand_before=old, on_hand_after=new, reason=reason, person_id=person or None, at=moment)
        for seq, place, old, new, reason, person, moment in found[: ask.limit]
    ]
    return StockChangePage(items=items, after=items[-1].seq if len(found) > ask.limit else None)


@answers(Shops)
def shops(at: Asking, ask: Shops) -> ShopList:
    """One more than asked for tells whether there is a next page."""
    found = store.shops(at, ask.after or "", ask.limit + 1)
    scores = {shop.id: store.score(at, shop.id) for shop in found[: ask.limit]}
    items = tuple(
        ShopListed(
            id=shop.id,
            name=shop.name,
            name_en=shop.name_en,
            country=shop.country,
            currency=shop.currency,
            commission_ppm=shop.commission_ppm,
            state=shop.state,
            reviews=scores[shop.id].reviews,
            rating_hundredths=scores[shop.id].rating_hundredths,
        )
        for shop in found[: ask.limit]
    )
    return ShopList(items=items, after=items[-1].id if len(found) > ask.limit else None)


class KnownShops:
    """Which shops there are. Implements `identity.model.Shops`."""

    def is_there(self, at: Asking, shop_id: ShopId) -> bool:
        """By the shop's one row."""
        return at.get(store.SHOP, shop_id) is not None


@answers(SenderOf)
def sender_of(at: Asking, ask: SenderOf) -> SenderNow:
    """Opened."""
    shop = store.shop(at, ask.shop_id)
    found = at.get(SENDER, shop.id)
    text = store_rulings.vault(at).unseal(found.person, found.sealed) if found is not None and found.sealed else None
    return SenderNow(shop_id=shop.id, address=msgspec.json.decode(text, type=Postal) if text is not None else None)
