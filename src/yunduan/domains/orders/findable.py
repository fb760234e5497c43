"""What search is told of orders: what was bought, by whom and where, in the places that make their numbers.

Of what is personal search is told nothing that can be read: of a parcel's number a keyed hash, which finds the order, and whether it is
that order's is asked anew when it was found, of what the buyer's key still opens.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.orders import store, store_findable
from yunduan.domains.orders.cases import CaseEvent
from yunduan.domains.orders.model import Order, OrderState
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.parcels import parcels_of
from yunduan.domains.orders.store_findable import OrderRow
from yunduan.kernel.ids import OrderId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

AT_ONCE = 256
LEAVES_IN_CASE = frozenset({CaseEvent.REPLACE.value, CaseEvent.RESEND.value})
"""The moves of a case (`CaseMoved`) by which another parcel leaves for an order."""
NEW_SCANNED = 2_000
"""So many of the latest orders of everybody are looked through for those that an index does not have yet."""
NEW_MAX = 200
"""And so many of one owner's."""


class SoldAs(Struct, frozen=True, array_like=True, gc=False):
    """What was bought, as search reads it: no more than the beginning of a `SoldItem`, by which it is called."""

    variant_id: str
    goods_id: str
    quantity: int
    price: int
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    sku: str


class _Agreed(Struct, frozen=True, array_like=True, gc=False):
    """The beginning of `Terms`: the rest takes three quarters of the time that they are read in."""

    items: tuple[SoldAs, ...]


class FindableOrder(Struct, frozen=True, gc=False):
    """An order, as search knows it: `place` makes its number, and never changes, as what was bought does not."""

    place: int
    buyer: PersonId
    shop_id: ShopId
    number: str
    items: tuple[SoldAs, ...]
    parcels: tuple[bytes, ...]
    """Keyed hashes of the numbers that they travel by."""


_agreed = msgspec.msgpack.Decoder(_Agreed).decode


class OrdersToFind(Query[tuple[FindableOrder, ...]]):
    """The orders that were placed next after a place; for whoever keeps an index."""

    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=AT_ONCE)] = AT_ONCE


class OrdersToFindAgain(Query[tuple[FindableOrder, ...]]):
    """Some orders as they are by now; for whoever keeps an index."""

    order_ids: Annotated[tuple[OrderId, ...], Meta(max_length=AT_ONCE)]


class LastPlace(Query[int]):
    """The place of the latest order; 0 when there is none."""


class PlaceBefore(Query[int]):
    """The place before which a page goes on that ended with an order; any id is one, whether or not there is such an order."""

    order_id: OrderId


class NewOrdersOf(Query[tuple[FindableOrder, ...]]):
    """Somebody's orders between two places, the latest first: of those that an index does not have yet."""

    owner: PersonId | ShopId
    is_shop: bool
    after: int
    before: int


class OwnedAmong(Query[dict[int, OrderId]]):
    """Those orders in some places that are somebody's and, if a state is said, in it."""

    owner: PersonId | ShopId
    is_shop: bool
    places: Annotated[tuple[int, ...], Meta(max_length=AT_ONCE)]
    state: OrderState | None = None


class Carried(Query[tuple[int, ...]]):
    """Those orders in some places of which a parcel travels by a number that can be read: not those of erased buyers."""

    places: Annotated[tuple[int, ...], Meta(max_length=AT_ONCE)]
    owner: PersonId | ShopId
    is_shop: bool
    tracking: str


class NumberedPlace(Query[int | None]):
    """The place that a whole order number stands for; nothing when a digit is wrong."""

    number: str


class NumberOf(Query[str]):
    """The order number that a place makes."""

    place: Annotated[int, Meta(ge=0)]


class ParcelMark(Query[bytes]):
    """The keyed hash of a parcel's number."""

    tracking: str


@answers(OrdersToFind)
def orders_to_find(at: Asking, ask: OrdersToFind) -> tuple[FindableOrder, ...]:
    """Along the orders' own key."""
    invariant(at.actor.is_system, "the orders of all are for the cloud alone")
    placed = store_findable.placed_after(at, ask.after, ask.limit)
    sent = at.get_many(store.ORDER, [order.id for order in placed if order.may_have_left])
    return tuple([_findable(at, order, _marks(at, sent[order.id]) if order.id in sent else ()) for order in placed])


@answers(OrdersToFindAgain)
def orders_to_find_again(at: Asking, ask: OrdersToFindAgain) -> tuple[FindableOrder, ...]:
    """One by one."""
    invariant(at.actor.is_system, "the orders of all are for the cloud alone")
    return tuple([_findable(at, order, _marks(at, order)) for order in at.get_many(store.ORDER, ask.order_ids).values()])


@answers(LastPlace)
def last_place(at: Asking, _ask: LastPlace) -> int:
    """By the row that counts them."""
    return store_findable.last_place(at)


@answers(PlaceBefore)
def place_before(at: Asking, ask: PlaceBefore) -> int:
    """By its id."""
    return store_findable.place_before(at, ask.order_id)


@answers(NewOrdersOf)
def new_orders_of(at: Asking, ask: NewOrdersOf) -> tuple[FindableOrder, ...]:
    """Looked through one by one."""
    found = store_findable.new_of(
        at, ask.owner, is_shop=ask.is_shop, after=ask.after, before=ask.before, scanned=NEW_SCANNED, limit=NEW_MAX
    )
    return tuple([_findable(at, order) for order in found])


@answers(OwnedAmong)
def owned_among(at: Asking, ask: OwnedAmong) -> dict[int, OrderId]:
    """By the orders themselves, whatever an index says of them."""
    return dict(store_findable.among(at, ask.places, ask.owner, is_shop=ask.is_shop, state=ask.state))


@answers(Carried)
def carried(at: Asking, ask: Carried) -> tuple[int, ...]:
    """Open the number of each parcel."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    ids = store_findable.among(at, ask.places, ask.owner, is_shop=ask.is_shop, state=None)
    wanted, orders = plain(ask.tracking), at.get_many(store.ORDER, [id for _, id in ids])
    return tuple(
        [
            order.seq
            for order in orders.values()
            if any(plain(vault.unseal(order.buyer, tracking) or "") == wanted for tracking in _trackings(at, order))
        ]
    )


@answers(NumberedPlace)
def numbered_place(at: Asking, ask: NumberedPlace) -> int | None:
    """Calculated, without an index."""
    return at.port(Numbering).seq_of(ask.number)


@answers(NumberOf)
def number_of(at: Asking, ask: NumberOf) -> str:
    """Calculated likewise."""
    return at.port(Numbering).number_of(ask.place)


@answers(ParcelMark)
def parcel_mark(at: Asking, ask: ParcelMark) -> bytes:
    """Under the secret of the deployment."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    return _mark(vault, ask.tracking)


def plain(tracking: str) -> str:
    """A parcel's number as it is compared: small or great letters, with or without hyphens."""
    return tracking.replace("-", "").replace(" ", "").upper()


def _mark(vault: Vault, tracking: str) -> bytes:
    return vault.lookup("found parcel", plain(tracking))


def _findable(at: Asking, order: Order | OrderRow, parcels: tuple[bytes, ...] = ()) -> FindableOrder:
    number = at.port(Numbering).number_of(order.seq)
    return FindableOrder(order.seq, order.buyer, order.shop_id, number, _agreed(order.terms).items, parcels)


def _marks(at: Asking, order: Order) -> tuple[bytes, ...]:
    """The keyed hashes of its parcels' numbers, of those that can be read."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    read = [vault.unseal(order.buyer, tracking) for tracking in _trackings(at, order)]
    return tuple([_mark(vault, tracking) for tracking in dict.fromkeys(read) if tracking])


def _trackings(at: Asking, order: Order) -> Sequence[bytes]:
    """The numbers of its parcels, and of those with what was given in exchange or sent again after a ruling, sealed."""
    in_cases = [case.details.tracking_out for case in store.cases_of(at, order)]
    return [tracking for tracking in (*[parcel.tracking for parcel in parcels_of(order)], *in_cases) if tracking]


QUERIES = (
    orders_to_find,
    orders_to_find_again,
    last_place,
    place_before,
    new_orders_of,
    owned_among,
    carried,
    numbered_place,
    number_of,
    parcel_mark,
)
