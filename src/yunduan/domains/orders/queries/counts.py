"""How many orders stand where, for the figures beside a list."""

from msgspec import Struct

from yunduan.domains.orders import store
from yunduan.domains.orders.model import OrderState
from yunduan.kernel.ids import ShopId
from yunduan.kernel.messages import Query
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

COUNTED_MAX = 1_000
"""No more orders of a shop in one state, or of a buyer in all, are counted: such a figure stays cheap for whoever has many."""


class StateCount(Struct, frozen=True, kw_only=True):
    """How many orders are in one state; `is_more` where there may be more that were not counted."""

    state: OrderState
    orders: int
    is_more: bool


class StateCounts(Struct, frozen=True, kw_only=True):
    """How many orders are in each state, none left out."""

    items: tuple[StateCount, ...]


class MyOrdersByState(Query[StateCounts]):
    """How many of the caller's orders are in each state, among the latest thousand."""


class ShopOrdersByState(Query[StateCounts]):
    """How many of a shop's orders are in each state, up to a thousand of each; what has just happened may take a moment to be counted."""

    shop_id: ShopId


@answers(MyOrdersByState)
def my_orders_by_state(at: Asking, _ask: MyOrdersByState) -> StateCounts:
    """One walk along the index of buyers; those not filed yet are looked for as they are for the list."""
    found, is_more = store.states_of_buyer(at, at.actor.person, COUNTED_MAX)
    return StateCounts(items=tuple([StateCount(state=state, orders=found.get(state, 0), is_more=is_more) for state in OrderState]))


@answers(ShopOrdersByState)
def shop_orders_by_state(at: Asking, ask: ShopOrdersByState) -> StateCounts:
    """A walk along the index of shops and states, which ends where it has seen enough of each."""
    found = store.states_of_shop(at, ask.shop_id, COUNTED_MAX + 1)
    return StateCounts(
        items=tuple(
            [
                StateCount(state=state, orders=min(orders, COUNTED_MAX), is_more=orders > COUNTED_MAX)
                for state in OrderState
                for orders in [found.get(state, 0)]
            ]
        )
    )
