"""Orders in lists, by name, and counted; and what binds a buyer."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import ShopTerms
from yunduan.domains.catalog.queries import TermsOf
from yunduan.domains.identity.model import Outstanding
from yunduan.domains.orders import store
from yunduan.domains.orders.model import (
    Order,
    OrderState,
)
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.queries.paging import PAGE_MAX, PageSize, paged
from yunduan.domains.payments.queries import MoneyOf
from yunduan.kernel.ids import (
    LAST,
    OrderId,
    PersonId,
    ShopId,
)
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class OrderLine(Struct, frozen=True, kw_only=True):
    """An order in a list; `title` and `picture` are those of its first line, and the shop is called as it is today."""

    id: OrderId
    number: str
    shop_id: ShopId
    shop_name: str
    shop_name_en: str
    state: OrderState
    total: Money
    placed_at: int
    pieces: int
    title: str
    title_en: str
    picture: str


class OrderPage(Struct, frozen=True, kw_only=True):
    """One page of orders, the latest first; `after` asks for the next, nothing when there is none."""

    items: tuple[OrderLine, ...]
    after: OrderId | None


class MyOrders(Query[OrderPage]):
    """The caller's orders, all or those in one state."""

    state: OrderState | None = None
    after: OrderId | None = None
    limit: PageSize = 20


class ShopOrders(Query[OrderPage]):
    """A shop's orders, all or those in one state; what has just happened may take a moment to be listed."""

    shop_id: ShopId
    state: OrderState | None = None
    after: OrderId | None = None
    limit: PageSize = 20


class LinesOf(Query[tuple[OrderLine, ...]]):
    """Some orders as lists show them, in the order in which they are named; those that never were are left out."""

    order_ids: Annotated[tuple[OrderId, ...], Meta(max_length=PAGE_MAX)]


class OrderName(Struct, frozen=True):
    """What an order is called among people: its number, and what its first line is of."""

    number: str
    title: str
    title_en: str


class NamesOf(Query[dict[OrderId, OrderName]]):
    """What orders are called, for whoever is told of them; those that never were are left out."""

    order_ids: Annotated[tuple[OrderId, ...], Meta(max_length=PAGE_MAX)]


class StateTotal(Struct, frozen=True, kw_only=True):
    """The orders in one state and currency."""

    state: OrderState
    orders: int
    total: Money


class StateTotals(Struct, frozen=True, kw_only=True):
    """The orders of the whole marketplace by state and currency."""

    items: tuple[StateTotal, ...]


class OrdersByState(Query[StateTotals], slow=True):
    """How many orders stand where, and what they come to."""


@answers(MyOrders)
def my_orders(at: Asking, ask: MyOrders) -> OrderPage:
    """One page by the index of buyers, the newest orders looked through for what it does not have yet."""
    found = store.page_of_buyer(at, at.actor.person, ask.state, ask.after or LAST, ask.limit + 1)
    return _page(at, found, ask.state, ask.limit)


@answers(ShopOrders)
def shop_orders(at: Asking, ask: ShopOrders) -> OrderPage:
    """One page by the index of shops and states."""
    states = (ask.state,) if ask.state else tuple(OrderState)
    return _page(at, store.page_of_shop(at, ask.shop_id, states, ask.after or LAST, ask.limit + 1), ask.state, ask.limit)


def _page(at: Asking, found: Sequence[OrderId], state: OrderState | None, limit: int) -> OrderPage:
    """The orders found, but for those that have left the state since they were filed."""
    shown, after = paged(found, limit)
    orders = at.get_many(store.ORDER, shown)
    return OrderPage(items=lines(at, [orders[id] for id in shown if state is None or orders[id].state is state]), after=after)


@answers(LinesOf)
def lines_of(at: Asking, ask: LinesOf) -> tuple[OrderLine, ...]:
    """Read each order, and each shop once."""
    orders = at.get_many(store.ORDER, ask.order_ids)
    return lines(at, [orders[id] for id in ask.order_ids if id in orders])


def lines(at: Asking, orders: Sequence[Order]) -> tuple[OrderLine, ...]:
    """Orders as lists show them."""
    numbering = at.port(Numbering)
    shops = {shop: at.ask(TermsOf(shop_id=shop)) for shop in {order.shop_id for order in orders}}
    return tuple([_line(order, numbering, shops[order.shop_id]) for order in orders])


def _line(order: Order, numbering: Numbering, shop: ShopTerms) -> OrderLine:
    items = store.terms(order).items
    return OrderLine(
        id=order.id,
        number=numbering.number_of(order.seq),
        shop_id=order.shop_id,
        shop_name=shop.name,
        shop_name_en=shop.name_en,
        state=order.state,
        total=Money(amount=order.total, currency=order.currency),
        placed_at=order.placed_at,
        pieces=sum(item.quantity for item in items),
        title=items[0].title,
        title_en=items[0].title_en,
        picture=items[0].picture,
    )


@answers(NamesOf)
def names_of(at: Asking, ask: NamesOf) -> dict[OrderId, OrderName]:
    """Read each order."""
    numbering, found = at.port(Numbering), at.get_many(store.ORDER, ask.order_ids)
    first = {id: store.terms(order).items[0] for id, order in found.items()}
    return {id: OrderName(numbering.number_of(order.seq), first[id].title, first[id].title_en) for id, order in found.items()}


@answers(OrdersByState)
def orders_by_state(at: Asking, _ask: OrdersByState) -> StateTotals:
    """Counted, not remembered."""
    items = tuple(
        StateTotal(state=OrderState(state), orders=count, total=Money(amount=total, currency=currency))
        for state, currency, count, total in store.by_state(at)
    )
    return StateTotals(items=items)


class BuyerObligations:
    """What binds a buyer: orders, and the money that payments know of. Implements `identity.model.Obligations`."""

    def outstanding(self, at: Asking, person: PersonId) -> Outstanding:
        """As of this transaction, whatever followers have heard by now."""
        money = at.ask(MoneyOf(person_id=person))
        return Outstanding(orders=len(store.open_orders_of(at, person)), on_its_way=money.on_its_way, in_wallet=money.in_wallet)
