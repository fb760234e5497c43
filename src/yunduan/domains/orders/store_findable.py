"""The statements by which search reads orders, by the places that make their numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from yunduan.domains.orders import store
from yunduan.domains.orders.model import Order, OrderState, Progress
from yunduan.kernel.ids import OrderId, PersonId, ShopId
from yunduan.runtime.transaction import Asking

_NEXT = "SELECT seq, id, buyer, shop_id, progress, terms FROM orders WHERE seq > ? ORDER BY seq LIMIT ?"
_NEW = "SELECT id FROM (SELECT seq, id, buyer, shop_id FROM orders WHERE seq > ? ORDER BY seq DESC LIMIT ?) AS latest WHERE "
_NEW_OF_BUYER = _NEW + "buyer = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
_NEW_OF_SHOP = _NEW + "shop_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
_AMONG = "SELECT seq, id FROM orders WHERE seq IN ({}) AND {} = ?"
_IN_STATE = " AND state = ?"
_PLACE = "SELECT seq, id FROM orders WHERE id <= ? ORDER BY id DESC LIMIT 1"
_FEWEST = 8


class OrderRow(NamedTuple):
    """What search reads of an order's row."""

    seq: int
    id: OrderId
    buyer: PersonId
    shop_id: ShopId
    progress: bytes
    terms: bytes

    @property
    def may_have_left(self) -> bool:
        """Whether there may be a parcel of it, or of a case about it."""
        progress = _progress(self.progress)
        return bool(progress.shipped_at or progress.parcels or progress.cases)


_progress = msgspec.msgpack.Decoder(Progress).decode


def placed_after(at: Asking, place: int, limit: int) -> list[OrderRow]:
    """The orders that were placed next after one."""
    return [OrderRow(*row) for row in at.rows(_NEXT, (place, limit))]


def new_of(at: Asking, owner: PersonId | ShopId, *, is_shop: bool, after: int, before: int, scanned: int, limit: int) -> list[Order]:
    """Somebody's orders between two places, the latest first, among so many of the latest of everybody's."""
    rows = at.rows(_NEW_OF_SHOP if is_shop else _NEW_OF_BUYER, (after, scanned, owner, before, limit))
    return list(at.get_many(store.ORDER, [row[0] for row in rows]).values())


def among(
    at: Asking, places: Sequence[int], owner: PersonId | ShopId, *, is_shop: bool, state: OrderState | None
) -> list[tuple[int, OrderId]]:
    """(place, id) of those orders in some places that are somebody's, and in this state if one is said.

    The number of places is made a power of two, so that few statements have to be prepared.
    """
    if not places:
        return []
    size = max(_FEWEST, 1 << (len(places) - 1).bit_length())
    sql = _AMONG.format(", ".join("?" * size), "shop_id" if is_shop else "buyer") + (_IN_STATE if state else "")
    arguments: list[Any] = [*places, *[places[0]] * (size - len(places)), owner, *([state.value] if state else ())]
    return [(row[0], row[1]) for row in at.rows(sql, arguments)]


def place_before(at: Asking, id: OrderId) -> int:
    """The place that everything up to an order comes before: its own, whether or not there is such an order."""
    row = at.row(_PLACE, (id,))
    return 0 if row is None else int(row[0]) + (row[1] != id)


def last_place(at: Asking) -> int:
    """That of the latest order; 0 when there is none."""
    found = at.get(store.COUNT, "orders")
    return found[1] if found else 0
