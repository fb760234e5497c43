"""A shop's settlement cycle: what was earned long enough ago is paid out by itself, once, and the forecast says so beforehand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.payments import BUYER, DAY, KEEPER, MINUTE, SECOND_SHOP, SHOP, Market, by_wallet, cny, order, part, refund_id
from yunduan.domains.ledger.model import LedgerRefusal
from yunduan.domains.payments import cycles, model
from yunduan.domains.payments.cycles import Cycle, Mark, Plan
from yunduan.domains.payments.deposits import PledgeDeposit
from yunduan.domains.payments.payouts_seen import PayoutsOfShop
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.settling import Deduction, PayoutForecast, PlanSet, RunPayoutPlan, SetPayoutPlan
from yunduan.kernel.actors import Actor
from yunduan.kernel.refusals import BrokenError, Refused

SHOPKEEPER = Actor(person=KEEPER)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def plan(market: Market, cycle: Cycle, *, after_days: int = 1, weekday: int = 1) -> PlanSet:
    """Have the shop paid out by itself."""
    return market.world.send(SetPayoutPlan(shop_id=SHOP, cycle=cycle, after_days=after_days, weekday=weekday), actor=SHOPKEEPER)


def earn(market: Market, number: int, amount: int, fee: int = 0) -> None:
    """An order that was paid from the wallet, and whose shop has the money."""
    market.fill(BUYER, amount)
    market.pay(number, [part(number, amount)], [by_wallet(amount)])
    market.settle(number, fee)


def days(market: Market, count: int = 1) -> None:
    """Let so many days pass, with alarms, couriers and the channel at work."""
    for _ in range(count):
        market.world.pass_time(DAY)
        market.run_errands()
        market.pass_time(MINUTE)


def paid(market: Market) -> list[int]:
    """What the shop has been paid, the first first."""
    lines = market.world.ask(PayoutsOfShop(shop_id=SHOP)).items
    assert {line.state.value for line in lines} <= {"paid"}
    return [line.amount.amount for line in reversed(lines)]


def forecast(market: Market) -> tuple[int, int]:
    """What is due next, and what comes later."""
    found = market.world.run(market.world.cloud.ask_slow(PayoutForecast(shop_id=SHOP, currency="CNY")))
    return found.due.amount, found.later.amount


def test_a_forecast_has_no_page_that_begins_elsewhere(market: Market) -> None:
    """Whatever number is asked for: it is told so."""
    earn(market, 1, 1_000, fee=50)
    with pytest.raises(Refused, match="page_not_found"):
        market.world.run(market.world.cloud.ask_slow(PayoutForecast(shop_id=SHOP, currency="CNY", after=2**41)))
    assert LedgerRefusal.PAGE_NOT_FOUND in PayoutForecast.refuses


def test_what_was_earned_is_paid_out_the_next_business_day(market: Market) -> None:
    """At midnight of the market, once, and nothing when nothing has come since."""
    market.name_payee(SHOP)
    set_ = plan(market, Cycle.DAILY)
    midnight = datetime.fromtimestamp(set_.next_at / 1000, UTC).astimezone(SHANGHAI)
    assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert 0 < set_.next_at - market.world.clock.wall_ms() <= DAY
    earn(market, 1, 1_000, fee=50)
    assert forecast(market) == (950, 0)
    days(market, 3)
    assert paid(market) == [950]
    assert market.balance(model.shop_account(SHOP, "CNY")) == 0
    assert forecast(market) == (0, 0)
    assert (market.facts("PayoutBegun"), market.balanced(), market.reconciles()) == (1, True, True)


def test_so_many_days_later_means_that_what_came_since_waits(market: Market) -> None:
    """Three orders of three days, each two days after its own; the forecast says it the day before."""
    market.name_payee(SHOP)
    plan(market, Cycle.DAILY, after_days=2)
    earn(market, 1, 500)
    assert forecast(market) == (0, 500)
    days(market)
    assert (paid(market), forecast(market)) == ([], (500, 0))
    earn(market, 2, 300)
    assert forecast(market) == (500, 300)
    days(market)
    earn(market, 3, 70)
    assert (paid(market), forecast(market)) == ([500], (300, 70))
    days(market, 2)
    assert paid(market) == [500, 300, 70]


def test_what_goes_back_comes_off_what_is_due(market: Market) -> None:
    """What was earned last leaves last."""
    market.name_payee(SHOP)
    plan(market, Cycle.DAILY, after_days=2)
    earn(market, 1, 500)
    days(market)
    earn(market, 2, 300)
    market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(2), amount=cny(100)))
    assert forecast(market) == (400, 300)
    days(market)
    assert paid(market) == [400]


def test_once_a_week_everything_is_paid_out(market: Market) -> None:
    """On its weekday."""
    market.name_payee(SHOP)
    set_ = plan(market, Cycle.WEEKLY, weekday=3)
    assert datetime.fromtimestamp(set_.next_at / 1000, UTC).astimezone(SHANGHAI).isoweekday() == 3
    earn(market, 1, 500)
    assert forecast(market) == (500, 0)
    days(market, 8)
    assert paid(market) == [500]
    earn(market, 2, 300)
    days(market, 7)
    assert paid(market) == [500, 300]


def test_the_alarm_of_a_plan_before_is_harmless(market: Market) -> None:
    """However often a plan is set, and however late alarms ring; one that comes before its time changes nothing."""
    market.name_payee(SHOP)
    for _ in range(3):
        plan(market, Cycle.DAILY)
    earn(market, 1, 1_000)
    before = market.everything()
    for serial in range(5):
        market.world.send(RunPayoutPlan(shop_id=SHOP, serial=serial))
        market.world.send(RunPayoutPlan(shop_id=SECOND_SHOP, serial=serial))
    assert market.everything() == before
    market.world.pass_time(3 * DAY)
    market.pass_time(MINUTE)
    assert paid(market) == [1_000]
    plan(market, Cycle.NONE)
    earn(market, 2, 100)
    days(market, 3)
    assert (paid(market), forecast(market)) == ([1_000], (0, 100))
    with pytest.raises(BrokenError):
        market.world.send(RunPayoutPlan(shop_id=SHOP, serial=4), actor=SHOPKEEPER)


def test_where_nothing_can_be_paid_the_money_waits(market: Market) -> None:
    """Without an account that is confirmed, or once it is pledged."""
    plan(market, Cycle.DAILY)
    earn(market, 1, 1_000)
    days(market)
    assert market.facts("PayoutBegun") == 0
    market.world.send(PledgeDeposit(shop_id=SHOP, amount=cny(400)))
    market.name_payee(SHOP)
    days(market)
    assert paid(market) == [600]


def test_above_the_limit_it_is_approved_like_any_other(market: Market) -> None:
    """Nobody can make a plan of it to get around."""
    market.name_payee(SHOP)
    plan(market, Cycle.DAILY)
    earn(market, 1, 6_000)
    days(market)
    (line,) = market.world.ask(PayoutsOfShop(shop_id=SHOP)).items
    assert line.state.value == "awaited"


def test_the_forecast_names_a_transfer_for_all_that_was_taken_off(market: Market) -> None:
    """Since the last payout: commission, what went back, what was pledged."""
    market.name_payee(SHOP)
    plan(market, Cycle.DAILY)
    earn(market, 1, 200)
    days(market)
    earn(market, 2, 1_000, fee=50)
    market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(2), amount=cny(400)))
    market.world.send(PledgeDeposit(shop_id=SHOP, amount=cny(70)))
    ask = PayoutForecast(shop_id=SHOP, currency="CNY")
    found = market.world.run(market.world.cloud.ask_slow(ask))
    assert [(line.what, line.change, line.order_id) for line in found.items] == [
        ("pledge", -70, None),
        ("draw", -380, None),
        ("settle", 950, order(2)),
    ]
    assert [line.commission for line in found.items[:2]] == [None, None]
    fee = found.items[2].commission
    assert fee is not None
    assert fee == Deduction(id=fee.id, what="commission", amount=cny(50))
    book = dict(market.world.rows("SELECT id, amount FROM transfer"))
    for line in found.items:
        assert book[line.id] == abs(line.change)
        assert line.commission is None or book[line.commission.id] == line.commission.amount.amount
    assert found.due.amount == sum(line.change for line in found.items) == 500
    assert (found.owed, found.later, found.after) == (cny(0), cny(0), None)
    nothing = market.world.run(market.world.cloud.ask_slow(PayoutForecast(shop_id=SECOND_SHOP, currency="CNY")))
    assert (nothing.due, nothing.items, nothing.next_at) == (cny(0), (), 0)


@given(
    now=st.integers(1_700_000_000_000, 1_900_000_000_000),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]),
    weekday=st.integers(1, 7),
    cycle=st.sampled_from([Cycle.DAILY, Cycle.WEEKLY]),
)
def test_the_next_run_is_a_midnight_after_now(now: int, zone: str, weekday: int, cycle: Cycle) -> None:
    """The next one, also where clocks are put forward and back."""
    made = Plan(shop_id=SHOP, cycle=cycle, after_days=1, weekday=weekday, serial=1, set_by=KEEPER, next_at=0)
    there = ZoneInfo(zone)
    at = cycles.next_run(made, now, there)
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(there)
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(there).date()
    assert now < at
    assert today < local.date() <= today + timedelta(days=1 if cycle is Cycle.DAILY else 7)
    assert cycle is Cycle.DAILY or local.isoweekday() == weekday
    assert cycles.day_of(at, there) == at
    assert cycles.day_of(at - 1, there) < at


@given(earned=st.lists(st.integers(0, 1_000), min_size=1, max_size=40), after=st.integers(1, 30), spent=st.integers(0, 5_000))
def test_what_is_ripe_is_what_was_earned_before_less_what_has_left(earned: list[int], after: int, spent: int) -> None:
    """Never more than is available, and never what has come in since."""
    made = Plan(shop_id=SHOP, cycle=Cycle.DAILY, after_days=after, weekday=1, serial=1, set_by=KEEPER, next_at=0)
    midnight = int(datetime(2026, 1, 1, tzinfo=SHANGHAI).timestamp() * 1000)
    credited = 0
    for day, amount in enumerate(earned):
        credited += amount
        made = cycles.marked(made, "CNY", Mark(day=midnight + day * DAY, credited=credited))
    available = max(0, credited - spent)
    today = midnight + (len(earned) - 1) * DAY
    ripe = cycles.ripe(made, "CNY", available=available, credited=credited, today=today, zone=SHANGHAI)
    old = sum(earned[: len(earned) - after + 1]) if len(earned) >= after else 0
    assert ripe == max(0, min(available, old - spent))
