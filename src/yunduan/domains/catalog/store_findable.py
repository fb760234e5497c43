"""The statements that search asks for: which goods are on sale, and the cards of some."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from yunduan.domains.catalog.model import GoodsState
from yunduan.kernel.ids import CategoryId, GoodsId, ShippingTemplateId, ShopId, VariantId
from yunduan.kernel.money import Money
from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking


class Called(Struct, frozen=True, gc=False):
    """What a choice is called."""

    name: str
    name_en: str = ""


class OfferedOption(Struct, frozen=True, gc=False):
    """What can be chosen."""

    values: tuple[Called, ...]


class OfferedVariant(Struct, frozen=True, gc=False):
    """What a variant costs."""

    price: Money


class OfferedValue(Struct, frozen=True, gc=False):
    """What goods tell of themselves."""

    key: str
    value: int | bool


class OfferedForm(Struct, frozen=True, kw_only=True, gc=False):
    """What a shop has written of goods, as far as they are found by it."""

    title: str
    title_en: str = ""
    description: str = ""
    description_en: str = ""
    category_id: CategoryId
    template_id: ShippingTemplateId | None = None
    options: tuple[OfferedOption, ...] = ()
    attributes: tuple[OfferedValue, ...] = ()
    variants: tuple[OfferedVariant, ...]


class Offered(Struct, frozen=True, kw_only=True, gc=False):
    """Goods as search reads them: less than there is of `Goods`, and not held against the rules once more, in a tenth of the time."""

    id: GoodsId
    shop_id: ShopId
    form: OfferedForm
    state: GoodsState = GoodsState.DRAFT
    listed_at: int = 0


_offered = msgspec.json.Decoder(Offered).decode
_CARD: Table[GoodsId, bytes] = Table(
    name="card",
    columns={"goods_id": str, "body": bytes},
    value=lambda row: row[1],
    row=lambda _: (),  # nobody writes through it
)
_BODY: Table[GoodsId, bytes] = Table(
    name="goods",
    columns={"id": str, "body": bytes},
    value=lambda row: row[1],
    row=lambda _: (),  # nobody writes through it
)
_VARIANTS: Table[GoodsId, str] = Table(
    name="goods_page",
    columns={"goods_id": str, "variants": str},
    value=lambda row: row[1],
    row=lambda _: (),  # nor through this one
)
_ON_SALE_AFTER = "SELECT goods_id FROM goods_page WHERE goods_id > ? ORDER BY goods_id LIMIT ?"


_COUNT = "SELECT count(*) FROM goods_page"


def count(at: Asking) -> int:
    """How many goods are on sale, those of suspended shops among them."""
    ((found,),) = at.rows(_COUNT)
    return int(found)


def on_sale_after(at: Asking, after: str, *, limit: int) -> list[GoodsId]:
    """Goods on sale, those of suspended shops among them, in the order of their ids, from after one of them on."""
    return [row[0] for row in at.rows(_ON_SALE_AFTER, (after, limit))]


def on_sale(at: Asking, goods_ids: Sequence[GoodsId]) -> list[tuple[Offered, list[VariantId]]]:
    """Those of some goods that are on sale, in their order, each with its variants."""
    pages = {row[0]: [VariantId(id) for id in row[1].split()] for row in at.load(_VARIANTS, goods_ids)}
    bodies = {row[0]: row[1] for row in at.load(_BODY, [id for id in goods_ids if id in pages])}
    found = [(_offered(bodies[id]), pages[id]) for id in goods_ids if id in bodies]
    return [(goods, variants) for goods, variants in found if goods.state is GoodsState.ON_SALE]


def cards_of(at: Asking, goods_ids: Sequence[GoodsId]) -> dict[GoodsId, bytes]:
    """The cards of goods, ready to be sent, of those that have one."""
    return {row[0]: row[1] for row in at.load(_CARD, goods_ids)}
