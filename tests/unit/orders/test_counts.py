"""How many orders stand where: exact as far as is counted, and cheap for whoever has many."""

import sqlite3
from collections.abc import Iterable

import pytest

from unit.orders.market import MINUTE_MS, Market, channel
from yunduan.domains.orders import store
from yunduan.domains.orders.commands import CancelOrder
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import MyOrdersByState, ShopOrdersByState, StateCount, counts
from yunduan.kernel.actors import ANONYMOUS


def some(items: Iterable[StateCount]) -> dict[str, int]:
    """The states that orders are in."""
    return {one.state.value: one.orders for one in items if one.orders}


def test_both_sides_count_what_they_have(market: Market) -> None:
    """Every state is there; the buyer's new orders count at once, and the shop's once they are filed."""
    tea, pot = market.offer(10), market.offer(10, 4000, shop=market.other)
    buyer, other = market.buyer(100_000), market.buyer(100_000)
    ids = []
    for _ in range(3):
        buyer.want(tea)
        buyer.want(pot)
        ids.append([order.id for order in buyer.buy().orders])
    buyer.want(tea)
    buyer.buy(channel(2799))
    mine = market.world.ask(MyOrdersByState(), actor=buyer.actor).items
    assert [one.state for one in mine] == list(OrderState)
    assert (some(mine), any(one.is_more for one in mine)) == ({"placed": 1, "paid": 6}, False)
    market.world.settle()
    market.ship(ids[0][0])
    market.world.send(CancelOrder(order_id=ids[1][1]), actor=buyer.actor)
    market.world.pass_time(15 * MINUTE_MS)
    assert some(market.world.ask(MyOrdersByState(), actor=buyer.actor).items) == {"paid": 4, "shipped": 1, "cancelled": 2}
    shop = market.world.ask(ShopOrdersByState(shop_id=market.shop.id), actor=market.staff("packer")).items
    assert (some(shop), [one.state for one in shop]) == ({"paid": 2, "shipped": 1, "cancelled": 1}, list(OrderState))
    beside = market.world.ask(ShopOrdersByState(shop_id=market.other.id), actor=market.staff(shop=market.other.id)).items
    assert some(beside) == {"paid": 2, "cancelled": 1}
    assert [some(market.world.ask(MyOrdersByState(), actor=actor).items) for actor in (other.actor, ANONYMOUS)] == [{}, {}]


def test_who_has_more_than_are_counted_is_told_so(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop by each state, a buyer by the latest of all."""
    monkeypatch.setattr(counts, "COUNTED_MAX", 3)
    tea, buyer = market.offer(10), market.buyer(100_000)
    ids = []
    for number in range(1, 6):
        buyer.want(tea)
        ids.append(buyer.buy().orders[0].id)
        market.world.settle()
        mine = market.world.ask(MyOrdersByState(), actor=buyer.actor).items
        shop = {one.state: one for one in market.world.ask(ShopOrdersByState(shop_id=market.shop.id), actor=market.staff()).items}
        assert (some(mine), {one.is_more for one in mine}) == ({"paid": min(number, 3)}, {number > 3})
        paid = shop[OrderState.PAID]
        assert (paid.orders, paid.is_more, shop[OrderState.PLACED].is_more) == (min(number, 3), number > 3, False)
    market.ship(ids[0])  # an old one, which is no longer counted
    market.world.settle()
    assert some(market.world.ask(MyOrdersByState(), actor=buyer.actor).items) == {"paid": 3}


def test_a_shop_of_a_hundred_thousand_orders_is_counted_in_few_steps() -> None:
    """So many steps of the database's machine as for a few thousand rows."""
    has = sqlite3.connect(":memory:")
    key = "PRIMARY KEY (shop_id, state, order_id)"
    has.execute(f"CREATE TABLE order_of_shop (shop_id TEXT NOT NULL, state TEXT NOT NULL, order_id TEXT NOT NULL, {key}) WITHOUT ROWID")
    has.executemany("INSERT INTO order_of_shop VALUES ('shp_1', 'received', ?)", ((f"ord_{number:06}",) for number in range(100_000)))
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 100

    has.set_progress_handler(count, 100)
    found = dict(has.execute(store._SHOP_STATES, ("shp_1", counts.COUNTED_MAX + 1) * len(OrderState)).fetchall())
    has.close()
    assert found == {state.value: 1_001 if state is OrderState.RECEIVED else 0 for state in OrderState}
    assert 0 < steps < 10_000
