"""A shop's orders by whom they go to: looked through one by one, since no index knows where anybody lives.

Recipients and their telephones are sealed under their buyers' keys, and of four digits no hash keeps a secret. So a page opens the
addresses of so many orders and no more, and whoever was erased is found no more, by nothing that would have to be forgotten.
"""

import unicodedata
from typing import Annotated

from msgspec import Meta

from yunduan.domains.orders import store
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries.lists import OrderPage, lines
from yunduan.domains.orders.queries.paging import PageSize
from yunduan.domains.orders.queries.seeing import destination
from yunduan.kernel.ids import LAST, OrderId, ShopId
from yunduan.kernel.messages import Query
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

LOOKED_MAX = 200
"""So many orders are looked at for a page; the next goes on from there."""
TAIL_MIN = 4


class ShopOrdersTo(Query[OrderPage]):
    """A shop's orders to somebody, by a part of the name or the last digits of the telephone, four or more; for staff who ship.

    Looked at are two hundred orders a page, so that a page may have few, or none, and go on.
    """

    shop_id: ShopId
    recipient: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=80,
            pattern=r"^[^\x00]*(?![\s\S])",
            description="A part of the name, or four or more last digits of the telephone.",
            examples=["7788"],
        ),
    ]
    state: OrderState | None = None
    after: OrderId | None = None
    limit: PageSize = 20


@answers(ShopOrdersTo)
def shop_orders_to(at: Asking, ask: ShopOrdersTo) -> OrderPage:
    """Along the list, opening what the buyers' keys still open."""
    states = (ask.state,) if ask.state else tuple(OrderState)
    listed = store.page_of_shop(at, ask.shop_id, states, ask.after or LAST, LOOKED_MAX + 1)
    wanted, orders = _plain(ask.recipient), at.get_many(store.ORDER, listed[:LOOKED_MAX])
    found: list[OrderId] = []
    for id in listed[:LOOKED_MAX]:
        goes = destination(at, orders[id]) if ask.state is None or orders[id].state is ask.state else None
        if goes is not None and _is_to(wanted, name=goes.recipient, phone=goes.phone):
            if len(found) == ask.limit:
                return OrderPage(items=lines(at, [orders[one] for one in found]), after=found[-1])
            found.append(id)
    after = listed[LOOKED_MAX - 1] if len(listed) > LOOKED_MAX else None
    return OrderPage(items=lines(at, [orders[one] for one in found]), after=after)


def _is_to(wanted: str, *, name: str, phone: str) -> bool:
    if wanted.isdigit() and len(wanted) >= TAIL_MIN and _digits(phone).endswith(wanted):
        return True
    return bool(wanted) and wanted in _plain(name)


def _plain(text: str) -> str:
    """A text as it is compared: small letters, no spaces and no signs."""
    return "".join([sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum()])


def _digits(text: str) -> str:
    return "".join([sign for sign in unicodedata.normalize("NFKC", text) if sign.isdigit()])
