"""Every statement of the catalog. What a checkout reads is found by key and remembered; what is wide is not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog.lists import Card, Page, Sort, price_rank
from yunduan.domains.catalog.model import (
    CatalogRefusal,
    Category,
    Goods,
    HeldLine,
    Hold,
    HoldState,
    Location,
    ShippingTemplate,
    Shop,
    ShopScore,
    Standing,
    Stock,
    Variant,
)
from yunduan.kernel.ids import CategoryId, GoodsId, HoldId, LocationId, PersonId, ShippingTemplateId, ShopId, VariantId
from yunduan.kernel.refusals import Refused
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.transaction import Asking, Tx

_encode = msgspec.json.Encoder().encode
_shop = msgspec.json.Decoder(Shop).decode
_location = msgspec.json.Decoder(Location).decode
_category = msgspec.json.Decoder(Category).decode
_template = msgspec.json.Decoder(ShippingTemplate).decode
_goods = msgspec.json.Decoder(Goods).decode
_variant = msgspec.json.Decoder(Variant).decode
_lines = msgspec.json.Decoder(tuple[HeldLine, ...]).decode
_card = msgspec.json.Decoder(Card).decode
_categories = msgspec.json.Decoder(tuple[Category, ...]).decode


class Tree(Struct, frozen=True, kw_only=True):
    """Every category, parents before children, ready to be sent."""

    count: int = 0
    body: bytes = b"[]"

    def grown(self, category: Category) -> "Tree":
        """With one more."""
        comma = b"," if self.count else b""
        return Tree(count=self.count + 1, body=self.body[:-1] + comma + _encode(category) + b"]")

    def with_changed(self, category: Category) -> "Tree":
        """With one in its place that is there already."""
        return replace(self, body=_encode([category if one.id == category.id else one for one in _categories(self.body)]))


def _shop_row(shop: Shop) -> Row:
    return (shop.id, shop.state.value, _encode(shop), _encode(shop.face()))


def _variant_row(variant: Variant) -> Row:
    return (variant.id, variant.goods_id, int(variant.retired), _encode(variant))


def _hold_row(hold: Hold) -> Row:
    return (hold.id, hold.state._value_, _encode(hold.lines))


def _hold(row: Row) -> Hold:
    return Hold(id=row[0], state=HoldState(row[1]), lines=_lines(row[2]))


SHOP: Table[ShopId, Shop] = Table(
    name="shop",
    columns={"id": str, "state": str, "body": bytes, "face": bytes},
    value=lambda row: _shop(row[2]),
    row=_shop_row,
    shown=5_000,
)
LOCATION: Table[LocationId, Location] = Table(
    name="location", columns={"id": str, "body": bytes}, value=lambda row: _location(row[1]), row=lambda place: (place.id, _encode(place))
)
CATEGORY: Table[CategoryId, Category] = Table(
    name="category", columns={"id": str, "body": bytes}, value=lambda row: _category(row[1]), row=lambda one: (one.id, _encode(one))
)
TREE: Table[int, Tree] = Table(
    name="category_tree",
    columns={"id": int, "count": int, "body": bytes},
    value=lambda row: Tree(count=row[1], body=row[2]),
    row=lambda tree: (1, tree.count, tree.body),
)
TEMPLATE: Table[ShippingTemplateId, ShippingTemplate] = Table(
    name="shipping_template",
    columns={"id": str, "body": bytes},
    value=lambda row: _template(row[1]),
    row=lambda one: (one.id, _encode(one)),
)
VARIANT: Table[VariantId, Variant] = Table(
    remembered=20_000,
    name="variant",
    columns={"id": str, "goods_id": str, "retired": int, "body": bytes},
    value=lambda row: _variant(row[3]),
    row=_variant_row,
    updates=("retired", "body"),
)


class SkuHolder(Struct, frozen=True, gc=False):
    """Which variant of a shop has a SKU."""

    shop_id: ShopId
    sku: str
    variant_id: VariantId


SKU: Table[tuple[ShopId, str], SkuHolder] = Table(
    name="sku",
    columns={"shop_id": str, "sku": str, "variant_id": str},
    keys=2,
    value=lambda row: SkuHolder(*row),
    row=lambda sku: (sku.shop_id, sku.sku, sku.variant_id),
)


STOCK: Table[tuple[VariantId, LocationId], Stock] = Table(
    remembered=20_000,
    name="stock",
    columns={"variant_id": str, "location_id": str, "on_hand": int, "held": int},
    keys=2,
    value=lambda row: Stock(*row),
    row=lambda stock: (stock.variant_id, stock.location_id, stock.on_hand, stock.held),
    shown=20_000,
)
HOLD: Table[HoldId, Hold] = Table(
    remembered=1_000, name="hold", columns={"id": str, "state": str, "lines": bytes}, value=_hold, row=_hold_row
)
STANDING: Table[GoodsId, Standing] = Table(
    name="goods_standing",
    columns={"goods_id": str, "sold": int, "reviews": int, "stars": int, "due": int},
    value=lambda row: Standing(row[0], row[1], row[2], row[3], bool(row[4])),
    row=lambda one: (one.goods_id, one.sold, one.reviews, one.stars, int(one.due)),
    shown=10_000,
)
SCORE: Table[ShopId, ShopScore] = Table(
    name="shop_score",
    columns={"shop_id": str, "reviews": int, "stars": int},
    value=lambda row: ShopScore(shop_id=row[0], reviews=row[1], stars=row[2]),
    row=lambda one: (one.shop_id, one.reviews, one.stars),
    remembered=1_000,
    shown=2_000,
)
ROUND: Table[int, bool] = Table(
    name="card_round", columns={"id": int, "is_set": int}, value=lambda row: bool(row[1]), row=lambda is_set: (1, int(is_set))
)

_FORGET_SKU = "DELETE FROM sku WHERE shop_id = ? AND sku = ?"
_GOODS = "SELECT body FROM goods WHERE id = ?"
_ADD_GOODS = "INSERT INTO goods (id, shop_id, version, body) VALUES (?, ?, ?, ?)"
_CHANGE_GOODS = "UPDATE goods SET version = ?, body = ? WHERE id = ? AND version = ?"
_SHOW_PAGE = (
    "INSERT INTO goods_page (goods_id, shop_id, variants, body) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (goods_id) DO UPDATE SET variants = excluded.variants, body = excluded.body"
)
_HIDE_PAGE = "DELETE FROM goods_page WHERE goods_id = ?"
_GOODS_OF_SHOP = "SELECT body FROM goods WHERE shop_id = ? ORDER BY id DESC LIMIT ?"
_GOODS_OF_SHOP_BEFORE = "SELECT body FROM goods WHERE shop_id = ? AND id < ? ORDER BY id DESC LIMIT ?"
_GOODS_OF_SHOP_AFTER = "SELECT body FROM goods WHERE shop_id = ? AND id > ? ORDER BY id LIMIT ?"
_PAGE = "SELECT shop_id, variants, body FROM goods_page WHERE goods_id = ?"
_STOCK_OF_GOODS = (
    "SELECT stock.variant_id, stock.location_id, stock.on_hand, stock.held FROM variant JOIN stock ON stock.variant_id = variant.id"
    " WHERE variant.goods_id = ? AND variant.retired = 0 ORDER BY stock.variant_id, stock.location_id"
)
_STOCK_OF_EACH = (
    "SELECT variant.goods_id, CAST(sum(stock.on_hand) AS INTEGER), CAST(sum(stock.held) AS INTEGER)"
    " FROM variant JOIN stock ON stock.variant_id = variant.id"
    " WHERE variant.goods_id IN ({}) AND variant.retired = 0 GROUP BY variant.goods_id"
)
_GOODS_BY_STOCK = (
    "SELECT id, on_hand, held FROM (SELECT g.id AS id, CAST(COALESCE(sum(s.on_hand), 0) AS INTEGER) AS on_hand,"
    " CAST(COALESCE(sum(s.held), 0) AS INTEGER) AS held FROM goods g LEFT JOIN variant v ON v.goods_id = g.id AND v.retired = 0"
    " LEFT JOIN stock s ON s.variant_id = v.id WHERE g.shop_id = ? GROUP BY g.id) AS there"
    " WHERE on_hand - held > ? OR (on_hand - held = ? AND id > ?) ORDER BY on_hand - held, id LIMIT ?"
)
_STOCK_AT = "SELECT variant_id, on_hand, held FROM stock WHERE location_id = ? AND variant_id > ? ORDER BY variant_id LIMIT ?"
_ANY_AT = "SELECT 1 FROM stock WHERE location_id = ? AND on_hand > 0 LIMIT 1"
_SHOPS = "SELECT id FROM shop WHERE id > ? ORDER BY id LIMIT ?"
_CARD = "SELECT body FROM card WHERE goods_id = ?"
_SHOW_CARD = (
    "INSERT INTO card (goods_id, shop_id, category1, category2, category3, category4, listed_at, price_rank, sold, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (goods_id) DO UPDATE SET category1 = excluded.category1,"
    " category2 = excluded.category2, category3 = excluded.category3, category4 = excluded.category4,"
    " listed_at = excluded.listed_at, price_rank = excluded.price_rank, sold = excluded.sold, body = excluded.body"
)
_HIDE_CARD = "DELETE FROM card WHERE goods_id = ?"
_CARD_STANDS = "UPDATE card SET sold = ?, body = ? WHERE goods_id = ?"
_STANDING_DUE = "SELECT goods_id FROM goods_standing WHERE due = 1 ORDER BY goods_id LIMIT ?"
_NOTE_STOCK = (
    "INSERT INTO stock_change (variant_id, location_id, on_hand_before, on_hand_after, reason, person_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_STOCK_CHANGES = "SELECT seq, location_id, on_hand_before, on_hand_after, reason, person_id, at FROM stock_change WHERE variant_id = ?"
_STOCK_CHANGES_LAST = _STOCK_CHANGES + " ORDER BY seq DESC LIMIT ?"
_STOCK_CHANGES_BEFORE = _STOCK_CHANGES + " AND seq < ? ORDER BY seq DESC LIMIT ?"
_HELD_STOCK = "SELECT variant_id, location_id, held FROM stock WHERE held > 0"
_OPEN_HOLDS = "SELECT id, state, lines FROM hold WHERE state = 'held'"


class _Order(Struct, frozen=True):
    """A column to sort by (ties by id, the same way round), and which way."""

    column: str
    descending: bool


ORDERS: Mapping[Sort, _Order] = {
    Sort.NEWEST: _Order("listed_at", True),
    Sort.PRICE_UP: _Order("price_rank", False),
    Sort.PRICE_DOWN: _Order("price_rank", True),
    Sort.BEST_SOLD: _Order("sold", True),
}
_SCOPES = ("", "shop_id", "category1", "category2", "category3", "category4")


def _list(scope: str, order: _Order, *, first: bool) -> str:
    way, beyond = ("DESC", "<") if order.descending else ("ASC", ">")
    where = [f"{scope} = ?"] if scope else []
    if not first:
        where.append(f"({order.column}, goods_id) {beyond} (?, ?)")
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT body, {order.column}, goods_id FROM card{clause} ORDER BY {order.column} {way}, goods_id {way} LIMIT ?"  # noqa: S608 - names from this module, never from data


_LISTS = {(scope, sort, first): _list(scope, ORDERS[sort], first=first) for scope in _SCOPES for sort in Sort for first in (True, False)}


# What must be there


def shop(at: Asking, id: ShopId) -> Shop:
    """A shop, open or not."""
    found = at.get(SHOP, id)
    if found is None:
        raise Refused(CatalogRefusal.SHOP_NOT_FOUND)
    return found


def shops(at: Asking, after: str, limit: int) -> list[Shop]:
    """Shops in the order of their opening."""
    found = at.get_many(SHOP, [ShopId(row[0]) for row in at.rows(_SHOPS, (after, limit))])
    return sorted(found.values(), key=lambda shop: shop.id)


def shop_is_open(at: Asking, id: ShopId) -> bool:
    """Whether there is such a shop and it sells."""
    found = at.get(SHOP, id)
    return found is not None and found.is_open


def category(at: Asking, id: CategoryId) -> Category:
    """A category."""
    found = at.get(CATEGORY, id)
    if found is None:
        raise Refused(CatalogRefusal.CATEGORY_NOT_FOUND)
    return found


def template(at: Asking, id: ShippingTemplateId, *, shop_id: ShopId) -> ShippingTemplate:
    """A shipping template of this shop."""
    found = at.get(TEMPLATE, id)
    if found is None or found.shop_id != shop_id:
        raise Refused(CatalogRefusal.TEMPLATE_NOT_FOUND)
    return found


def location(at: Asking, id: LocationId, *, shop_id: ShopId) -> Location:
    """A location of this shop; one that was removed is not there."""
    found = at.get(LOCATION, id)
    if found is None or found.shop_id != shop_id or found.removed:
        raise Refused(CatalogRefusal.LOCATION_NOT_FOUND)
    return found


def variant(at: Asking, id: VariantId, *, shop_id: ShopId) -> Variant:
    """A variant of this shop."""
    found = at.get(VARIANT, id)
    if found is None or found.shop_id != shop_id:
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    return found


def goods_if_any(at: Asking, id: GoodsId) -> Goods | None:
    """Goods of any shop, drafts included."""
    row = at.row(_GOODS, (id,))
    return _goods(row[0]) if row else None


def goods(at: Asking, id: GoodsId, *, shop_id: ShopId) -> Goods:
    """Goods of this shop, drafts included."""
    found = goods_if_any(at, id)
    if found is None or found.shop_id != shop_id:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    return found


def tree(at: Asking) -> Tree:
    """Every category."""
    return at.get(TREE, 1) or Tree()


# Goods and their cards


def add_goods(tx: Tx, goods: Goods) -> None:
    """Keep new goods, which nobody has bought or reviewed yet."""
    tx.append(_ADD_GOODS, (goods.id, goods.shop_id, goods.version, _encode(goods)))
    tx.add(STANDING, goods.id, Standing(goods_id=goods.id))


def change_goods(tx: Tx, goods: Goods) -> None:
    """Keep the next version of goods; it follows the one that was read."""
    tx.write_one(_CHANGE_GOODS, (goods.version, _encode(goods), goods.id, goods.version - 1))


def show_page(tx: Tx, page: Page) -> None:
    """Let everybody see this page, as long as its shop is open."""
    tx.write_one(_SHOW_PAGE, (page.id, page.shop_id, " ".join(variant.id for variant in page.variants), _encode(page)))


def hide_page(tx: Tx, id: GoodsId) -> None:
    """Let nobody see the page of goods any more; harmless when nobody does."""
    tx.write(_HIDE_PAGE, (id,))


def goods_of_shop(at: Asking, shop_id: ShopId, *, before: GoodsId | None, limit: int) -> list[Goods]:
    """Goods of a shop, the latest first."""
    sql, arguments = (_GOODS_OF_SHOP, (shop_id, limit)) if before is None else (_GOODS_OF_SHOP_BEFORE, (shop_id, before, limit))
    return [_goods(row[0]) for row in at.rows(sql, arguments)]


def goods_after(at: Asking, shop_id: ShopId, after: str, *, limit: int) -> list[Goods]:
    """Goods of a shop in the order of their ids, from after one of them on."""
    return [_goods(row[0]) for row in at.rows(_GOODS_OF_SHOP_AFTER, (shop_id, after, limit))]


class ReadyPage(NamedTuple):
    """A page that everybody may see while its shop is open, ready to be sent."""

    shop_id: ShopId
    variant_ids: list[VariantId]
    body: bytes


def page(at: Asking, id: GoodsId) -> ReadyPage | None:
    """The page of goods that are on sale."""
    row = at.row(_PAGE, (id,))
    return ReadyPage(row[0], row[1].split(), row[2]) if row else None


def pieces(at: Asking, variant_ids: Sequence[VariantId], shop: Shop) -> list[tuple[VariantId, int]]:
    """How many pieces of each variant of a shop there are to buy."""
    found = at.get_many(STOCK, stock_keys(variant_ids, shop))
    return [(variant, pieces_among(found, variant, shop)) for variant in variant_ids]


def stock_keys(variant_ids: Sequence[VariantId], shop: Shop) -> list[tuple[VariantId, LocationId]]:
    """Where stock of variants of a shop can lie that is sold."""
    places = shop.sends_from()
    return [(variant, place) for variant in variant_ids for place in places]


def pieces_among(found: Mapping[tuple[VariantId, LocationId], Stock], variant: VariantId, shop: Shop) -> int:
    """How many pieces of a variant there are to buy, by the stock of its keys."""
    return shop.of_pieces([found[key].available for key in stock_keys((variant,), shop) if key in found])


def ready_face(at: Asking, shop: Shop) -> bytes:
    """What everybody sees of a shop, ready to be sent."""
    return at.recall("shop", shop.id, lambda: _encode(shop.face()), most=5_000)


def standing(at: Asking, id: GoodsId) -> Standing:
    """How goods have done."""
    found = at.get(STANDING, id)
    if found is None:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    return found


def show(tx: Tx, card: Card, *, path: Sequence[CategoryId], listed_at: int) -> None:
    """Let lists show goods, as this card says."""
    levels = [*path, None, None, None][:4]
    row = (card.id, card.shop_id, *levels, listed_at, price_rank(card.price), card.sold, _encode(card))
    tx.write_one(_SHOW_CARD, row, part=card.shop_id)


def hide(tx: Tx, id: GoodsId, shop_id: ShopId) -> None:
    """Let lists show goods of a shop no more; harmless when they do not."""
    tx.write(_HIDE_CARD, (id,), part=shop_id)


def cards(at: Asking, *, scope: str, id: str, sort: Sort, after: tuple[int, str] | None, limit: int) -> list[Row]:
    """(card, value it is sorted by, goods) of all goods, or of those with this id in the column `scope`, from after a place on."""
    arguments = (*((id,) if scope else ()), *(after or ()), limit)
    return at.rows(_LISTS[scope, sort, after is None], arguments)


def keep_standing(tx: Tx, standing: Standing, **changes: int) -> None:
    """Keep how goods have done now; their card is due to show it."""
    tx.put(STANDING, standing.goods_id, replace(standing, due=True, **changes))


def score(at: Asking, shop_id: ShopId) -> ShopScore:
    """How a shop is liked; nobody has said anything of most."""
    return at.get(SCORE, shop_id) or ShopScore(shop_id=shop_id)


def keep_score(tx: Tx, score: ShopScore) -> None:
    """Keep how a shop is liked now."""
    (tx.add if tx.get(SCORE, score.shop_id) is None else tx.put)(SCORE, score.shop_id, score)


def set_round(tx: Tx, *, is_set: bool) -> bool:
    """Note whether a round of cards is on its way; answers whether that is new."""
    before = tx.get(ROUND, 1)
    if before is not is_set:
        (tx.add if before is None else tx.put)(ROUND, 1, is_set)
    return before is not is_set


def standing_due(tx: Tx, *, limit: int) -> list[Standing]:
    """Goods whose cards are due, some of them."""
    ids = [row[0] for row in tx.rows(_STANDING_DUE, (limit,))]
    return list(tx.get_many(STANDING, ids).values())


def show_standing(tx: Tx, standing: Standing) -> None:
    """Say on the card, if there is one, how goods have done."""
    tx.put(STANDING, standing.goods_id, replace(standing, due=False))
    row = tx.row(_CARD, (standing.goods_id,))
    if row is not None:
        card = _card(row[0])
        tx.write_one(_CARD_STANDS, (standing.sold, _encode(card.standing(standing)), standing.goods_id), part=card.shop_id)


# Variants and SKUs


def claim_sku(tx: Tx, variant: Variant) -> None:
    """Give a variant its SKU, which no other of its shop has."""
    tx.add(SKU, (variant.shop_id, variant.sku), SkuHolder(variant.shop_id, variant.sku, variant.id))


def free_sku(tx: Tx, shop_id: ShopId, sku: str) -> None:
    """Let a SKU be used again."""
    tx.remove(SKU, (shop_id, sku), _FORGET_SKU)


def sku_holders(tx: Tx, shop_id: ShopId, skus: Sequence[str]) -> dict[str, VariantId]:
    """Which variants of a shop have these SKUs."""
    return {sku: held.variant_id for (_, sku), held in tx.get_many(SKU, [(shop_id, sku) for sku in skus]).items()}


# Stock


def stock(at: Asking, variant_id: VariantId, location_id: LocationId) -> Stock:
    """The stock of a variant at a location; where nothing was ever put there is none."""
    return at.get(STOCK, (variant_id, location_id)) or Stock(variant_id=variant_id, location_id=location_id)


def keep_stock(tx: Tx, stock: Stock) -> None:
    """Keep what stock has become."""
    place = (stock.variant_id, stock.location_id)
    if tx.get(STOCK, place) is None:
        tx.add(STOCK, place, stock)
    else:
        tx.put(STOCK, place, stock)


def hold_pieces(tx: Tx, variant_id: VariantId, location_id: LocationId, pieces: int) -> None:
    """Keep that so many more are held there, or fewer; where nothing was ever put none can be."""
    place = (variant_id, location_id)
    before = tx.get(STOCK, place) or Stock(variant_id=variant_id, location_id=location_id)
    tx.put(STOCK, place, before.moved(held=pieces))


def note_stock(tx: Tx, *, before: Stock, after: Stock, reason: str, person: PersonId) -> None:
    """Write down who changed the pieces on hand, and why."""
    tx.append(_NOTE_STOCK, (after.variant_id, after.location_id, before.on_hand, after.on_hand, reason, person, tx.now))


def stock_of_goods(at: Asking, id: GoodsId) -> list[Row]:
    """(variant, location, on hand, held) of goods."""
    return at.rows(_STOCK_OF_GOODS, (id,))


def stock_of_each(at: Asking, ids: Sequence[GoodsId]) -> dict[GoodsId, tuple[int, int]]:
    """What lies on hand of goods at all locations together, and what of it is held; goods without any stock are left out."""
    if not ids:
        return {}
    return {row[0]: (row[1], row[2]) for row in at.rows(_STOCK_OF_EACH.format(", ".join("?" * len(ids))), tuple(ids))}


def goods_by_stock(at: Asking, shop_id: ShopId, least: int, after: str, *, limit: int) -> list[Row]:
    """(goods, on hand, held) of a shop, those of which the fewest are free first, from after a place on."""
    return at.rows(_GOODS_BY_STOCK, (shop_id, least, least, after, limit))


def stock_at(at: Asking, location_id: LocationId, *, after: str, limit: int) -> list[Row]:
    """(variant, on hand, held) of what lies at a location, from after a variant on."""
    return at.rows(_STOCK_AT, (location_id, after, limit))


def is_empty(at: Asking, location_id: LocationId) -> bool:
    """Whether nothing lies at a location; then nothing there is promised either."""
    return at.row(_ANY_AT, (location_id,)) is None


def stock_changes(at: Asking, variant_id: VariantId, *, before: int | None, limit: int) -> list[Row]:
    """(seq, location, before, after, reason, person, time) of a variant's stock, the latest first."""
    if before is None:
        return at.rows(_STOCK_CHANGES_LAST, (variant_id, limit))
    return at.rows(_STOCK_CHANGES_BEFORE, (variant_id, before, limit))


def held_stock(at: Asking) -> dict[tuple[VariantId, LocationId], int]:
    """How many pieces are held, by the stock rows."""
    return {(row[0], row[1]): row[2] for row in at.rows(_HELD_STOCK)}


def open_holds(at: Asking) -> list[Hold]:
    """Every hold that stands."""
    return [_hold(row) for row in at.rows(_OPEN_HOLDS)]
