"""Whoever does not pay holds no more than a few checkouts' worth of stock, and is free again as soon as one of them has ended."""

import pytest

from unit.orders.market import Buyer, Market, channel
from yunduan.domains.orders.commands import CancelOrder
from yunduan.domains.orders.model import UNPAID_MAX
from yunduan.kernel.ids import OrderId

TOTAL = 2799


def wait(market: Market, buyer: Buyer) -> tuple[OrderId, str]:
    """A checkout that waits for its payment, and where that is decided."""
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(TOTAL))
    return placed.orders[0].id, placed.payment.redirects[0].url


def waiting(market: Market) -> int:
    """How many checkouts wait, of all buyers."""
    return sum(row[0] for row in market.world.rows("SELECT count(*) FROM orders WHERE state = 'placed'"))


@pytest.mark.parametrize("ends", ["paid", "declined", "called off", "lapsed"])
def test_one_more_may_wait_when_one_has_ended(ends: str, market: Market) -> None:
    """However it ended; until then it is refused, nothing has changed, and what is paid at once is not concerned."""
    buyer = market.buyer(10_000)
    held = [wait(market, buyer) for _ in range(UNPAID_MAX)]
    buyer.want(market.offer(5))
    market.assert_refused("unpaid_full", buyer.checkout(tenders=channel(TOTAL)), buyer.actor)
    buyer.buy()
    other = market.buyer()
    wait(market, other)
    id, url = held[2]
    if ends == "called off":
        market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    elif ends == "lapsed":
        market.world.pass_time(16 * 60_000)
    else:
        market.decide(url, approve=ends == "paid")
    wait(market, buyer)
    left = 0 if ends == "lapsed" else UNPAID_MAX - 1
    for _ in range(UNPAID_MAX - left - 1):
        wait(market, buyer)
    buyer.want(market.offer(5))
    market.assert_refused("unpaid_full", buyer.checkout(tenders=channel(TOTAL)), buyer.actor)
    assert waiting(market) == UNPAID_MAX + (ends != "lapsed")


def test_a_checkout_over_several_shops_waits_once(market: Market) -> None:
    """And leaves once, though each of its orders ends."""
    buyer = market.buyer()
    for _ in range(2 * UNPAID_MAX):
        buyer.want(market.offer(5))
        buyer.want(market.offer(5, shop=market.other))
        placed = buyer.buy(channel(2 * TOTAL))
        assert len(placed.orders) == 2
        market.world.send(CancelOrder(order_id=placed.orders[1].id), actor=buyer.actor)
    assert waiting(market) == 0
    assert market.world.rows("SELECT length(checkouts) FROM order_waiting") == [(1,)], "an empty list"
