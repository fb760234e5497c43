"""A shop's own goods by what is left of them, the fewest first: what to order again."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog import store
from yunduan.domains.catalog.lists import Cursor
from yunduan.domains.catalog.model import CatalogRefusal, GoodsState
from yunduan.domains.catalog.queries import LOOKED_THROUGH, PAGE_MAX, DeskLine, desk_line
from yunduan.kernel.ids import ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

_CURSOR = re.compile(r"([0-9]{1,15})-(gds_[0-9a-z]{1,40})(?![\s\S])")


class DeskStock(Struct, frozen=True, kw_only=True):
    """One page of a shop's goods by their stock; `after` asks for the next, nothing when there is none."""

    items: list[DeskLine]
    after: str | None


class DeskGoodsByStock(Query[DeskStock], refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.CURSOR}, slow=True):
    """A shop's goods, all or those in one state, those of which the fewest pieces are free first.

    Of those in a state a page may be short and not the last.
    """

    shop_id: ShopId
    state: GoodsState | None = None
    after: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


@answers(DeskGoodsByStock)
def desk_goods_by_stock(at: Asking, ask: DeskGoodsByStock) -> DeskStock:
    """All of the shop's goods are added up and sorted, for a sale writes to no index for that; beside the loop."""
    store.shop(at, ask.shop_id)
    least, id = _place(ask.after) if ask.after else (-1, "")
    most = ask.limit if ask.state is None else LOOKED_THROUGH
    rows = store.goods_by_stock(at, ask.shop_id, least, id, limit=most + 1)
    goods = {row[0]: store.goods(at, row[0], shop_id=ask.shop_id) for row in rows[:most]}
    items: list[DeskLine] = []
    for found, on_hand, held in rows[:most]:
        if ask.state in (None, goods[found].state):
            if len(items) == ask.limit:
                return DeskStock(items=items, after=f"{items[-1].available}-{items[-1].id}")
            items.append(desk_line(goods[found], on_hand, held))
    last = rows[most - 1] if len(rows) > most else None
    return DeskStock(items=items, after=f"{last[1] - last[2]}-{last[0]}" if last else None)


def _place(after: str) -> tuple[int, str]:
    """The place that a cursor names; refuses one that is garbled."""
    found = _CURSOR.match(after)
    if found is None:
        raise Refused(CatalogRefusal.CURSOR)
    return int(found[1]), found[2]
