"""The orders of a time: ids sort by when they were made, so that a day is a range of them."""

from collections.abc import Sequence

from yunduan.domains.orders.cases import CaseState
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.store import ORDER
from yunduan.kernel.ids import OrderId, ShopId, first_of
from yunduan.runtime.ports import Row
from yunduan.runtime.transaction import Asking

_PLACED = (
    "SELECT state, currency, count(*), CAST(sum(total) AS INTEGER) FROM orders WHERE id >= ? AND id < ?"
    " GROUP BY state, currency ORDER BY state, currency"
)
_FILED = "SELECT order_id FROM order_of_shop WHERE shop_id = ? AND state = ? AND order_id >= ? AND order_id < ? ORDER BY order_id LIMIT ?"
_ORDERS_IN = "SELECT count(*) FROM order_of_shop WHERE shop_id = ? AND state = ?"
_CASES_IN = "SELECT count(*) FROM order_case WHERE shop_id = ? AND state = ?"
PAGE = 1_000


def placed(at: Asking, *, since: int, until: int) -> list[tuple[str, str, int, int]]:
    """Of each state and currency: how many orders were placed within a time, and what they come to."""
    rows = at.rows(_PLACED, (first_of("ord", since), first_of("ord", until)))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def placed_in_shop(at: Asking, shop_id: ShopId, *, since: int, until: int) -> list[tuple[str, str, int, int, int]]:
    """The same of one shop, with what has been given back of them; what was placed a moment ago may not be filed yet."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for state in OrderState:
        start, end = OrderId(first_of("ord", since)), first_of("ord", until)
        while found := [row[0] for row in at.rows(_FILED, (shop_id, state, start, end, PAGE))]:
            for order in at.get_many(ORDER, found).values():
                key = order.state.value, order.currency
                count, total, back = sums.get(key, (0, 0, 0))
                sums[key] = count + 1, total + order.total, back + order.progress.refunded
            start = OrderId(found[-1] + "0")  # what sorts right after it
    return [(state, currency, *found) for (state, currency), found in sorted(sums.items())]


def orders_in(at: Asking, shop_id: ShopId, states: Sequence[OrderState]) -> int:
    """How many orders of a shop are filed under some states."""
    return sum([_count(at.row(_ORDERS_IN, (shop_id, state))) for state in states])


def cases_in(at: Asking, shop_id: ShopId, states: Sequence[CaseState]) -> int:
    """How many cases about a shop's orders stand in some states."""
    return sum([_count(at.row(_CASES_IN, (shop_id, state))) for state in states])


def _count(row: Row | None) -> int:
    return int(row[0]) if row else 0
