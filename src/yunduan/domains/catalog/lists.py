"""Lists of goods: cards that are ready to be sent, in pages that neither skip nor repeat while goods come and go.

A card is written when its goods change and copied into the answer as it is, so a list costs one statement and no decoding.
A cursor names the last card of a page by its place in the order; it says which list it is of, and no other list takes it.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from yunduan.domains.catalog.model import (
    PRICE_MAX,
    AttributeValue,
    BuyerLimit,
    CatalogRefusal,
    Category,
    GoodsOption,
    ShopFace,
    Standing,
)
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId, VariantId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.ports import Row


class Sort(StrEnum):
    """The order of a list. Prices of two currencies are never compared: a list by price goes through them one after another."""

    NEWEST = "newest"
    PRICE_UP = "price_up"
    PRICE_DOWN = "price_down"
    BEST_SOLD = "best_sold"


_RANKS_OF_A_CURRENCY = 10**11


def price_rank(price: Money) -> int:
    """Where a price stands in a list by price: currencies by their codes, amounts within each; as one number, for one index."""
    invariant(price.amount <= PRICE_MAX < _RANKS_OF_A_CURRENCY, "a price is not above the highest")
    place = 0
    for letter in price.currency:
        place = 26 * place + ord(letter) - ord("A")
    return place * _RANKS_OF_A_CURRENCY + price.amount


Cursor = Annotated[
    str, Meta(min_length=1, max_length=160, pattern=r"^[A-Za-z0-9_-]+(?![\s\S])", description="Where the next page begins; opaque.")
]


class Card(Struct, frozen=True, kw_only=True):
    """Goods as a list shows them; `price` is the lowest of the variants' prices, `price_to` the highest."""

    id: GoodsId
    title: str
    title_en: str
    picture: str
    option_pictures: tuple[str, ...] = ()
    """Some of what there is to choose from, such as its colours."""
    price: Money
    price_to: Money
    compare_at: Money | None
    sold: int
    reviews: int
    rating_hundredths: int | None
    shop_id: ShopId
    shop_name: str
    shop_name_en: str

    def standing(self, standing: Standing) -> "Card":
        """The same goods, after they were sold or reviewed."""
        return msgspec.structs.replace(self, sold=standing.sold, reviews=standing.reviews, rating_hundredths=standing.rating_hundredths)


class PageVariant(Struct, frozen=True, kw_only=True):
    """A variant as the product page shows it."""

    id: VariantId
    sku: str
    choice: tuple[int, ...]
    price: Money
    compare_at: Money | None
    weight_g: int


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the product page says of goods, as long as their shop does not change it."""

    id: GoodsId
    shop_id: ShopId
    category_path_ids: tuple[CategoryId, ...]
    title: str
    title_en: str
    description: str
    description_en: str
    pictures: tuple[str, ...]
    options: tuple[GoodsOption, ...]
    variants: tuple[PageVariant, ...]
    limit: BuyerLimit | None = None
    """How many one buyer may have; not there where anybody may have any number."""
    attributes: tuple[AttributeValue, ...] = ()
    """What they tell of themselves, by what their category asks; not there where they tell nothing."""


def described(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type, whole, for a value that is kept ready to be sent."""
    schema = msgspec.json.schema(kind)
    whole: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    return whole


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(value, parts) for name, value in schema.items()}


ReadyCards = Annotated[Raw, Meta(extra_json_schema=described(list[Card]))]
"""The JSON of a list of `Card`."""
ReadyPage = Annotated[Raw, Meta(extra_json_schema=described(Page))]
"""The JSON of a `Page`."""
ReadyFace = Annotated[Raw, Meta(extra_json_schema=described(ShopFace))]
"""The JSON of a `ShopFace`."""
ReadyTree = Annotated[Raw, Meta(extra_json_schema=described(tuple[Category, ...]))]
"""The JSON of every `Category`."""

cards_of = msgspec.json.Decoder(list[Card]).decode
page_of = msgspec.json.Decoder(Page).decode
face_of = msgspec.json.Decoder(ShopFace).decode
tree_of = msgspec.json.Decoder(tuple[Category, ...]).decode


class CardList(Struct, frozen=True, kw_only=True):
    """One page of a list; `after` asks for the next, and is absent at the end."""

    items: ReadyCards
    after: Cursor | None

    def size(self) -> int:
        """How many bytes it takes to remember it, nearly."""
        return len(memoryview(self.items)) + _BESIDE_CARDS_BYTES


_BESIDE_CARDS_BYTES = 600
"""The objects that a page in memory is made of, beside its cards."""
_MARK_BYTES = 6
_pack = msgspec.msgpack.Encoder().encode
_Value = Annotated[int, Meta(ge=0, le=2**53)]
_unpack = msgspec.msgpack.Decoder(tuple[_Value, GoodsId]).decode


def _mark(place: bytes, scope: str, id: str, sort: Sort) -> bytes:
    """What ties a place to its list. It is no secret: whoever makes one up is only shown the list from somewhere else."""
    return hashlib.blake2b(place, digest_size=_MARK_BYTES, key=f"{scope} {id} {sort.value}".encode()).digest()


def cursor(value: int, goods_id: str, *, scope: str, id: str, sort: Sort) -> str:
    """The cursor of what comes after a card."""
    place = _pack((value, goods_id))
    return urlsafe_b64encode(_mark(place, scope, id, sort) + place).rstrip(b"=").decode()


def place(after: str, *, scope: str, id: str, sort: Sort) -> tuple[int, str]:
    """The place that a cursor names; refuses one that is garbled or of another list."""
    try:
        found = urlsafe_b64decode(after + "=" * (-len(after) % 4))
    except (NotBase64Error, ValueError) as error:
        raise Refused(CatalogRefusal.CURSOR) from error
    mark, packed = found[:_MARK_BYTES], found[_MARK_BYTES:]
    if mark != _mark(packed, scope, id, sort):
        raise Refused(CatalogRefusal.CURSOR)
    try:
        return _unpack(packed)  # a cursor that somebody made up still names a place that a store can look for
    except msgspec.MsgspecError as error:
        raise Refused(CatalogRefusal.CURSOR) from error


def page(rows: Sequence[Row], *, scope: str, id: str, sort: Sort, limit: int) -> CardList:
    """One page made of the rows that a store found: (card, value it is sorted by, goods), one more than the page shows if there is more."""
    following = None
    if len(rows) > limit:
        _, value, goods_id = rows[limit - 1]
        following = cursor(value, goods_id, scope=scope, id=id, sort=sort)
    return CardList(items=Raw(b"[%s]" % b",".join([row[0] for row in rows[:limit]])), after=following)
