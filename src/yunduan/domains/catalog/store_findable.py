"""The statements on cards that search asks for: which there are, and those of some goods."""

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
_SHOWN_AFTER = "SELECT goods_id FROM card WHERE goods_id > ? ORDER BY goods_id LIMIT ?"


_COUNT = "SELECT count(*) FROM card"


def count(at: Asking) -> int:
    """How many goods lists show."""
    ((found,),) = at.rows(_COUNT)
    return int(found)


def shown_after(at: Asking, after: str, *, limit: int) -> list[GoodsId]:
    """Goods that lists show, in the order of their ids, from after one of them on."""
    return [row[0] for row in at.rows(_SHOWN_AFTER, (after, limit))]


def cards_of(at: Asking, goods_ids: Sequence[GoodsId]) -> dict[GoodsId, bytes]:
    """The cards of goods, ready to be sent, of those that have one."""
    return {row[0]: row[1] for row in at.load(_CARD, goods_ids)}
