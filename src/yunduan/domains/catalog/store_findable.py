"""The statements that search asks for: which goods are on sale, and the cards of some."""

from collections.abc import Sequence

from yunduan.kernel.ids import GoodsId
from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking

_CARD: Table[GoodsId, bytes] = Table(
    name="card",
    columns={"goods_id": str, "body": bytes},
    value=lambda row: row[1],
    row=lambda _: (),  # nobody writes through it
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


def cards_of(at: Asking, goods_ids: Sequence[GoodsId]) -> dict[GoodsId, bytes]:
    """The cards of goods, ready to be sent, of those that have one."""
    return {row[0]: row[1] for row in at.load(_CARD, goods_ids)}
