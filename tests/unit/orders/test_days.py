"""A business day is the market's, from midnight to midnight; what it says is what the rows and the book say, and nothing of other days."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import Place, place
from unit.orders.market import Buyer, Market, channel, kept, yuan
from yunduan.domains.ledger.queries import BlockOf, ChainHead
from yunduan.domains.ledger.turnover import BlockBefore, TurnoverOf, TurnoverWithin
from yunduan.domains.orders.commands import CancelOrder, RefundOrder
from yunduan.domains.orders.days import MarketDay, ShopDay, _midnight
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.cycles import Cycle
from yunduan.domains.payments.model import commission_account, shop_account, wallet_account
from yunduan.domains.payments.settling import SetPayoutPlan
from yunduan.kernel.ids import OrderId, first_of, made
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused

__all__ = ["place"]
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def slow(market: Market, ask: Query[Any]) -> Any:
    """Answered beside the loop, for the shop's finance or an operator's."""
    actor = market.staff("finance") if isinstance(ask, ShopDay) else market.operator("finance")
    return market.world.run(market.world.cloud.ask_slow(ask, actor=actor))


def day_of(market: Market) -> str:
    """Today in the market."""
    return datetime.fromtimestamp(market.world.clock.wall_ms() / 1000, UTC).astimezone(SHANGHAI).date().isoformat()


def mine(market: Market, day: str = "") -> Any:
    """The shop's day."""
    return slow(market, ShopDay(shop_id=market.shop.id, day=day))


def to_midnight(market: Market) -> None:
    """Let time pass until the next day of the market begins."""
    now = market.world.clock.wall_ms()
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(SHANGHAI)
    gone = ((local.hour * 60 + local.minute) * 60 + local.second) * 1000 + now % 1000
    market.world.pass_time(DAY_MS - gone)


def bought(market: Market, buyer: Buyer, pieces: int = 1) -> OrderId:
    """A paid order of so many pieces at 19.99 and 8.00 to send."""
    buyer.want(market.offer(), pieces)
    id = buyer.buy().orders[0].id
    market.world.settle()
    return id


def received(market: Market, buyer: Buyer) -> OrderId:
    """An order whose money the shop has."""
    id = bought(market, buyer)
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    market.world.settle()
    return id


def test_a_shops_day_has_its_orders_and_its_money(market: Market) -> None:
    """Yesterday's is not in it; each figure by hand: 27.99 less 5 % of 19.99 is 26.99."""
    buyer = market.buyer(1_000_000)
    received(market, buyer)
    to_midnight(market)
    assert mine(market).placed == ()
    first, second = received(market, buyer), bought(market, buyer, 2)
    market.world.send(CancelOrder(order_id=bought(market, buyer)), actor=buyer.actor)
    back = RefundOrder(shop_id=market.shop.id, order_id=second, amount=yuan(500))
    market.world.send(back, actor=market.staff("finance"))
    late = RefundOrder(shop_id=market.shop.id, order_id=first, amount=yuan(1000))
    market.world.send(late, actor=market.staff("finance"))
    market.world.settle()
    day = mine(market)
    assert (day.day, day.over, day.until - day.since) == (day_of(market), False, DAY_MS)
    assert [(one.state.value, one.orders, one.total.amount, one.refunded.amount) for one in day.placed] == [
        ("cancelled", 1, 2799, 2799),
        ("paid", 1, 4798, 500),
        ("received", 1, 2799, 1000),
    ]
    assert (day.to_ship, day.cases) == (1, 0)
    (money,) = day.money
    assert (money.currency, money.opening) == ("CNY", 2699)
    assert [(move.what, move.transfers, move.change) for move in money.moves] == [("settle", 1, 2699), ("draw", 1, -964)]
    assert money.closing == 2699 + 2699 - 964 == market.earned()
    assert (money.due.amount, money.later.amount, money.owed.amount, money.next_at) == (0, money.closing, 0, 0)
    end = market.world.ask(ChainHead()).block
    assert day.block == end


def test_a_day_that_is_over_stays_as_it_was(market: Market) -> None:
    """But for where its orders stand now; its block is the last before midnight, whatever came later."""
    buyer = market.buyer(1_000_000)
    id = bought(market, buyer)
    received(market, buyer)
    today = day_of(market)
    during = mine(market, today)
    to_midnight(market)
    end = market.world.ask(ChainHead()).block
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    received(market, buyer)
    after = mine(market, today)
    assert after.over
    assert after.money[0].moves == during.money[0].moves
    assert (after.money[0].opening, after.money[0].closing) == (0, 2699)
    assert [(one.state.value, one.orders) for one in after.placed] == [("received", 2)]
    assert after.block.at < after.until
    assert after.block == end or after.block.number <= end.number
    assert market.world.ask(BlockOf(number=after.block.number)) == after.block
    following = market.world.ask(BlockOf(number=after.block.number + 1))
    assert following.at >= after.until
    assert [(move.what, move.transfers) for move in mine(market).money[0].moves] == [("settle", 2)]
    assert [(one.state.value, one.orders) for one in mine(market).placed] == [("received", 1)]


def test_what_is_due_is_the_forecast(market: Market) -> None:
    """By the shop's own plan."""
    received(market, market.buyer(10_000))
    plan = SetPayoutPlan(shop_id=market.shop.id, cycle=Cycle.DAILY, after_days=1)
    market.world.send(plan, actor=market.staff("owner"))
    (money,) = mine(market).money
    assert money.due.amount + money.later.amount == 2699
    assert money.next_at > market.world.clock.wall_ms()


def test_the_markets_day_is_what_the_book_says(market: Market) -> None:
    """Turnover by what moved it, own accounts before and after, and that the books balance."""
    buyer = market.buyer(1_000_000)
    received(market, buyer)
    to_midnight(market)
    received(market, buyer)
    buyer.want(market.offer(shop=market.other))
    buyer.buy()
    buyer.want(market.offer())
    buyer.buy(channel(2799))
    market.world.settle()
    day = slow(market, MarketDay())
    assert [(one.state.value, one.orders, one.total.amount) for one in day.placed] == [
        ("paid", 1, 2799),
        ("placed", 1, 2799),
        ("received", 1, 2799),
    ]
    assert [(one.what, one.transfers, one.amount.amount) for one in day.turnover] == [("fund", 2, 5598), ("settle", 2, 2799)]
    assert day.transfers == 4
    assert day.balanced
    assert [(one.opening, one.closing) for one in day.accounts if one.name == "commission"] == [(100, 200)]
    assert [(one.opening, one.closing) for one in day.accounts if one.name == "channel sandbox"] == [(-1_000_000, -1_000_000)]
    assert (day.payouts, day.disputes, day.alerts) == (0, 0, 0)
    assert day.block == market.world.ask(ChainHead()).block
    before = slow(market, MarketDay(day="2026-09-20"))
    assert (before.placed, before.turnover, before.transfers, before.block) == ((), (), 0, None)
    assert before.over


def test_a_day_is_one_of_the_calendar_that_has_begun(market: Market) -> None:
    """Refused otherwise, by both."""
    to_midnight(market)
    tomorrow = datetime.fromtimestamp(market.world.clock.wall_ms() / 1000 + 86_400, UTC).astimezone(SHANGHAI).date().isoformat()
    for day in (tomorrow, "2026-02-30", "0000-00-00", "9999-12-31", "1969-12-31", "2026-13-01"):
        for ask in (ShopDay(shop_id=market.shop.id, day=day), MarketDay(day=day)):
            with pytest.raises(Refused, match="no_such_day"):
                slow(market, ask)
    assert mine(market, "1970-01-02").money == ()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Asia/Shanghai", "2026-03-29", 24),
        ("UTC", "2026-10-25", 24),
    ],
)
def test_a_day_may_be_longer_or_shorter(zone: str, day: str, hours: int) -> None:
    """Where clocks are put forward and back."""
    begins = datetime.fromisoformat(day).date()
    following = begins.fromordinal(begins.toordinal() + 1)
    assert _midnight(following, ZoneInfo(zone)) - _midnight(begins, ZoneInfo(zone)) == hours * HOUR_MS


def test_ids_of_a_moment_begin_where_it_does() -> None:
    """Whatever their serial numbers and their entropy."""
    first = first_of("ord", 1_790_000_000_000)
    assert first <= made("ord", at_ms=1_790_000_000_000, serial=0, entropy=0)
    assert first > made("ord", at_ms=1_789_999_999_999, serial=0xFFFFF, entropy=2**40 - 1)


def test_both_stores_tell_the_same_day(place: Place, tmp_path: Any) -> None:
    """Orders, movements, turnover and the chain."""
    market = Market(tmp_path, place.open())
    try:
        buyer = market.buyer(1_000_000)
        received(market, buyer)
        to_midnight(market)
        received(market, buyer)
        bought(market, buyer, 3)
        day, whole = mine(market), slow(market, MarketDay())
        assert [(one.state.value, one.orders, one.total.amount) for one in day.placed] == [("paid", 1, 6797), ("received", 1, 2799)]
        assert [(move.what, move.transfers, move.change) for move in day.money[0].moves] == [("settle", 1, 2699)]
        assert [(one.what, one.transfers, one.amount.amount) for one in whole.turnover] == [("fund", 2, 9596), ("settle", 2, 2799)]
        assert whole.block == day.block == market.world.ask(ChainHead()).block
        market.assert_balanced()
    finally:
        market.close()


STEPS = st.lists(st.sampled_from(["buy", "receive", "cancel", "refund", "wait", "midnight"]), min_size=4, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_days_add_up_to_everything(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever happens: the days of an account lead from nothing to its balance, and each order, each transfer is of one day."""
    market = Market(tmp_path_factory.mktemp("days"))
    try:
        began = day_of(market)
        _live(market, market.buyer(1_000_000), steps)
        days = [began]
        while days[-1] != day_of(market):
            following = datetime.fromisoformat(days[-1]).date()
            days.append(following.fromordinal(following.toordinal() + 1).isoformat())
        seen = [mine(market, day) for day in days]
        whole = [slow(market, MarketDay(day=day)) for day in days]
        balance = 0
        for day in seen:
            for money in day.money:
                assert money.opening == balance
                assert money.closing == balance + sum(move.change for move in money.moves)
                balance = money.closing
        assert balance == market.earned()
        orders = kept(market.world)
        counted = Counter[str]()
        for day in seen:
            counted.update({one.state.value: one.orders for one in day.placed})
        assert counted == Counter(order.state.value for order in orders)
        assert sum(one.total.amount for day in seen for one in day.placed) == sum(order.total for order in orders)
        assert sum(day.transfers for day in whole) == market.world.rows("SELECT count(*) FROM transfer")[0][0]
        assert all(day.balanced for day in whole)
    finally:
        market.close()


def _live(market: Market, buyer: Buyer, steps: list[str]) -> None:
    open_orders: list[OrderId] = []
    for step in steps:
        if step == "buy":
            open_orders.append(bought(market, buyer))
        elif step == "receive":
            received(market, buyer)
        elif step == "cancel" and open_orders:
            market.world.send(CancelOrder(order_id=open_orders.pop()), actor=buyer.actor)
        elif step == "refund" and open_orders:
            back = RefundOrder(shop_id=market.shop.id, order_id=open_orders[-1], amount=yuan(1))
            market.world.send(back, actor=market.staff("finance"))
        elif step == "wait":
            market.world.pass_time(5 * HOUR_MS)
        elif step == "midnight":
            to_midnight(market)
    market.world.settle()


def test_a_turnover_is_of_its_time_alone(market: Market) -> None:
    """To the millisecond at both ends; nothing of an account that there is not, or before its first transfer."""
    buyer = market.buyer(10_000)
    account = wallet_account(buyer.person, "CNY")
    ((at,),) = market.world.rows("SELECT at FROM transfer WHERE credit = ?", account)
    asked = [(at, at + 1), (at + 1, at + 2), (at - 1, at), (0, at + 1), (at, at)]
    found = [slow(market, TurnoverOf(id=account, since=since, until=until)) for since, until in asked]
    assert [(one.opening, one.closing, len(one.moves)) for one in found] == [
        (0, 10_000, 1),
        (10_000, 10_000, 0),
        (0, 0, 0),
        (0, 10_000, 1),
        (0, 0, 0),
    ]
    assert slow(market, TurnoverOf(id=commission_account("XXX"), since=0, until=at)) is None
    assert slow(market, TurnoverOf(id=shop_account(market.shop.id, "EUR"), since=0, until=at)) is None
    for since, until in asked:
        rows = market.world.rows("SELECT count(*) FROM transfer WHERE at >= ? AND at < ?", since, until)
        assert slow(market, TurnoverWithin(since=since, until=until)).transfers == rows[0][0]


def test_the_last_block_before_a_moment_is_found(market: Market) -> None:
    """At, right before and right after each of them."""
    buyer = market.buyer(1_000_000)
    for _ in range(9):
        market.world.clock.advance(1000)
        buyer.want(market.offer())
        buyer.buy()
    blocks = market.world.rows("SELECT number, at FROM block ORDER BY number")
    for moment in sorted({at + shift for _, at in blocks for shift in (-1, 0, 1)}):
        wanted = [number for number, at in blocks if at < moment]
        found = market.world.ask(BlockBefore(moment=moment))
        assert (found.number if found else None) == (wanted[-1] if wanted else None), moment
