"""Each day a provider's statement is compared with our mirror of its books: line by line, and where its money was when the day ended."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from support.payments import DAY, MINUTE, SHOP, Market, by_channel, cny, kept, order, part, refund_id
from yunduan.backends.sandbox.custodian import KeptLine, Statement
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import AbandonPayment
from yunduan.domains.payments.cycles import day_of
from yunduan.domains.payments.errands import Outgoing, OutgoingKind
from yunduan.domains.payments.mirroring import WORD_MAX
from yunduan.domains.payments.model import ChargeState, StatementState
from yunduan.domains.payments.queries import OpenAlertsOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.statements import StatementNow, StatementsOf
from yunduan.domains.payments.stating import AskStatement
from yunduan.domains.payments.store import due_outgoing
from yunduan.kernel.actors import ANONYMOUS
from yunduan.kernel.refusals import BrokenError

HOUR = 60 * MINUTE
ZONE = ZoneInfo("Asia/Shanghai")


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def paid(market: Market, number: int = 1, amount: int = 1_000) -> None:
    """An order paid over the custodian."""
    market.decide(market.pay(number, [part(number, amount)], [by_channel(amount, "custodian")]))
    market.tell()


def to_the_end_of_the_day(market: Market, before: int = 0) -> None:
    """Let time pass until so long before the business day ends, with everybody at work."""
    now = market.world.clock.wall_ms()
    market.pass_time(day_of(now, ZONE) + DAY - before - now, step=HOUR)


def morning(market: Market) -> None:
    """Let the statement of the day before be asked for and compared."""
    market.pass_time(6 * HOUR + 2 * MINUTE, step=HOUR)
    market.pass_time(2 * MINUTE)
    market.pass_time(HOUR + 2 * MINUTE, step=HOUR)


def days(market: Market) -> tuple[StatementNow, ...]:
    """The provider's statements, the latest first."""
    return market.world.ask(StatementsOf(channel="custodian")).items


def alerts(market: Market) -> list[tuple[str, str, int]]:
    """What was alerted of statements: why, about what, and how much."""
    found = market.world.ask(OpenAlertsOf()).items
    return sorted((one.reason.value, one.outcome or one.reference, one.amount.amount) for one in found)


def test_a_day_of_every_kind_of_line_agrees_to_the_last_unit(market: Market) -> None:
    """Collected, split, taken back, refunded, charged back, won and lost, and made up for."""
    for number in range(1, 5):
        paid(market, number)
    market.settle(1, 50)
    market.refund(1, of=2, amount=300)
    market.pass_time(MINUTE)
    market.world.send(RefundSettled(refund_id=refund_id(2), order_id=order(1), amount=cny(200)))
    names = [market.custodian.charge_back(market.payment(number).charges[0].reference, 100) for number in (3, 4)]
    market.pass_time(MINUTE)
    for name, won in zip(names, (True, False), strict=True):
        market.custodian.decide_chargeback(name, won=won)
    market.pass_time(5 * MINUTE)
    to_the_end_of_the_day(market)
    assert days(market) == ()
    morning(market)
    (day,) = days(market)
    assert (day.state, day.lines, day.differing, alerts(market)) == (StatementState.AGREES, 4 + 1 + 1 + 2 + 2 + 1 + 1, 0, [])
    assert day.until - day.since == DAY
    to_the_end_of_the_day(market)
    morning(market)
    assert [(one.state, one.lines) for one in days(market)] == [(StatementState.AGREES, 0), (StatementState.AGREES, 12)]


@pytest.mark.parametrize("unreachable", [0, 500])
def test_what_is_heard_of_after_the_day_has_ended_belongs_to_it_all_the_same(market: Market, unreachable: int) -> None:
    """The provider did it before midnight; nothing differs, and nobody is called."""
    paid(market)
    to_the_end_of_the_day(market, MINUTE)
    misbehave(market, delays=1000)
    paid(market, 2)
    market.settle(1, 50)
    market.pass_time(MINUTE // 2, step=5_000)
    misbehave(market, unreachable=unreachable)
    assert (kept(market).given, market.custodian.balances("CNY").given) == (0, 950)
    to_the_end_of_the_day(market)
    morning(market)
    assert [(one.state, one.lines) for one in days(market)] == [(StatementState.AGREES, 3)]
    assert (alerts(market), kept(market).held) == ([], 1_000)


def test_what_differs_is_an_alert_once_line_by_line_and_by_the_balances(market: Market) -> None:
    """A split with other parts, a refund that we never asked for, one of ours that they do not have."""
    paid(market)
    paid(market, 2)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    books = market.custodian._books
    books.execute("UPDATE split SET of_shop = of_shop - 1, of_marketplace = of_marketplace + 1")
    at = market.world.clock.wall_ms()
    books.execute(f"INSERT INTO refund SELECT 'req_x', reference, 7, 'refunded', 'refunded', {at} FROM charge LIMIT 1")
    to_the_end_of_the_day(market)
    morning(market)
    (day,) = days(market)
    assert (day.state, day.differing) == (StatementState.DIFFERS, 5)
    assert alerts(market) == [
        ("balance_differs", "balance", 1),
        ("balance_differs", "balance", 1),
        ("balance_differs", "balance", 7),
        ("statement_differs", "refunded", 7),
        ("statement_differs", "split", 1_000),
    ]
    assert market.facts("NotificationMismatched") == 5
    to_the_end_of_the_day(market)
    morning(market)
    assert [one.differing for one in days(market)] == [3, 5]
    assert market.balance(model.received_account(SHOP, "CNY")) == 950


def test_what_is_heard_of_while_it_is_doubted_is_no_alert(market: Market) -> None:
    """Whoever was away all night hears it in the morning."""
    paid(market)
    misbehave(market, loses=1000, refuses_refunds=0)
    market.settle(1, 50)
    market.run_errands()
    now = market.world.clock.wall_ms()
    market.world.pass_time(day_of(now, ZONE) + DAY + 6 * HOUR - now)
    market.world.run(market.couriers._run(next(one for one in due(market) if one.kind is OutgoingKind.STATEMENT)))
    assert [(one.state, one.differing) for one in days(market)] == [(StatementState.DOUBTED, 4)]
    assert alerts(market) == []
    market.run_errands()
    market.pass_time(HOUR + MINUTE, step=MINUTE * 30)
    assert [(one.state, one.differing) for one in days(market)] == [(StatementState.AGREES, 0)]
    assert alerts(market) == []


def test_a_line_that_we_have_no_word_for_is_an_alert_in_the_providers_own(market: Market) -> None:
    """All else of the day is compared, and the day comes to its end."""
    paid(market)
    statement_of = market.custodian.statement_of

    async def strange(since: int, until: int) -> Statement:
        told = await statement_of(since, until)
        assert told is not None
        odd = [KeptLine(what="withdrawn", reference="w1", amount=cny(5)), KeptLine(what="x" * 99, reference="", amount=cny(1))]
        return msgspec.structs.replace(told, lines=told.lines + odd)

    market.custodian.statement_of = strange  # type: ignore[method-assign] # another version of its interface
    to_the_end_of_the_day(market)
    morning(market)
    assert [(one.state, one.lines, one.differing) for one in days(market)] == [(StatementState.DIFFERS, 3, 2)]
    assert alerts(market) == [("statement_differs", "withdrawn", 5), ("statement_differs", "x" * WORD_MAX, 1)]


@pytest.mark.parametrize("lines", [True, False])
def test_a_statement_that_says_nothing_of_where_money_is_says_that_there_is_none(market: Market, lines: bool) -> None:
    """An empty one does not agree, neither does one of lines alone, whenever those were heard of."""
    statement_of = market.custodian.statement_of

    async def empty(since: int, until: int) -> Statement:
        told = await statement_of(since, until)
        assert told is not None
        return Statement(lines=told.lines if lines else [], balances={})

    market.custodian.statement_of = empty  # type: ignore[method-assign] # another version of its interface
    paid(market)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    to_the_end_of_the_day(market, MINUTE)
    misbehave(market, delays=1000)
    paid(market, 2, 300)
    to_the_end_of_the_day(market)
    morning(market)
    found = [(of_day.state, of_day.lines) for of_day in days(market)]
    assert found == [(StatementState.DIFFERS, 3 if lines else 0)]
    balances = [(reason, amount) for reason, _, amount in alerts(market) if reason == "balance_differs"]
    late = [("balance_differs", 300)] * lines
    assert balances == sorted([("balance_differs", 50), ("balance_differs", 950), *late])


def test_what_was_collected_and_not_told_is_asked_about(market: Market) -> None:
    """Money for a payment that had been given up: the statement is where it is heard of, and it goes back."""
    paid(market, 2)
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000, "custodian", method="slip")])
    misbehave(market, loses=1000)
    market.decide(started)
    market.world.send(AbandonPayment(payment_id=started.id))
    market.custodian._books.execute("UPDATE underway SET arrives_at = arrives_at - ?", (20 * HOUR - 40 * MINUTE,))
    market.pass_time(30 * MINUTE)
    to_the_end_of_the_day(market)
    assert market.payment(1).charges[0].state is ChargeState.ENDED
    morning(market)
    assert market.payment(1).charges[0].state is ChargeState.RETURNED
    assert [(one.state, one.differing) for one in days(market)] == [(StatementState.AGREES, 0)]
    assert (alerts(market), kept(market).held) == ([], 1_000)


def test_what_a_bank_has_done_and_was_not_told_is_asked_about(market: Market) -> None:
    """It is known then before the statement is compared once more."""
    paid(market)
    reference = market.payment(1).charges[0].reference
    misbehave(market, loses=1_000)
    first, second = (market.custodian.charge_back(reference, amount) for amount in (100, 200))
    market.custodian.decide_chargeback(first, won=True)
    market.pass_time(3 * DAY, step=DAY // 4)
    rows = market.world.rows("SELECT state FROM payment_chargeback ORDER BY state")
    assert (rows, bool(second)) == ([("open",), ("won",)], True)
    assert market.world.ask(OpenAlertsOf()).items == ()
    assert {day.state for day in market.world.ask(StatementsOf(channel="custodian")).items[:2]} == {"agrees"}


def test_what_stays_other_is_an_alert_once_and_again_when_it_changes(market: Market) -> None:
    """Each day counts it all the same; what has been put right and is off anew is told anew."""
    paid(market)
    books, found = market.custodian._books, []
    for by in (7, 0, 2, -9, 7):
        books.execute("UPDATE charge SET amount = amount + ?", (by,))
        to_the_end_of_the_day(market)
        morning(market)
        found.append((days(market)[0].differing, [amount for reason, _, amount in alerts(market) if reason == "balance_differs"]))
    assert found == [(2, [7]), (1, [7]), (1, [7, 9]), (0, [7, 9]), (1, [7, 7, 9])]


def test_a_statement_that_does_not_come_for_two_days_is_an_alert_and_those_after_it_are_none(market: Market) -> None:
    """Until one has come between."""
    paid(market)
    misbehave(market, unreachable=1000)
    found = []
    for _ in range(4):
        to_the_end_of_the_day(market)
        morning(market)
        found.append(missing(market))
    first = days(market)[-1].since
    alert = ("statement_missing", model.statement_id("custodian", first))
    assert found == [[], [], [alert], [alert]]
    misbehave(market, unreachable=0)
    market.pass_time(2 * HOUR, step=HOUR)
    assert [one.state for one in days(market)] == [StatementState.AGREES] * 4
    misbehave(market, unreachable=1000)
    for _ in range(3):
        to_the_end_of_the_day(market)
        morning(market)
    assert missing(market) == [alert, ("statement_missing", model.statement_id("custodian", days(market)[2].since))]


def test_statements_that_are_asked_for_late_are_not_missing_for_that(market: Market) -> None:
    """A cloud that was away for days asks for all of them at once, and they come."""
    paid(market)
    to_the_end_of_the_day(market)
    morning(market)
    market.world.clock.advance(5 * DAY)
    market.world.settle()
    assert (len(days(market)), missing(market)) == (6, [])
    market.pass_time(3 * HOUR, step=HOUR)
    assert [one.state for one in days(market)] == [StatementState.AGREES] * 6


def missing(market: Market) -> list[tuple[str, str]]:
    """What was alerted of statements that do not come."""
    found = [(one.reason.value, one.event) for one in market.world.ask(OpenAlertsOf()).items]
    return sorted(one for one in found if one[0] == "statement_missing")


def due(market: Market) -> list[Outgoing]:
    """What couriers would run now."""
    return due_outgoing(market.couriers._reader, market.world.cloud.now(), 64)


def test_a_statement_that_is_asked_for_twice_or_by_others_is_one(market: Market) -> None:
    """The alarm alone asks; the same day again changes nothing."""
    paid(market)
    to_the_end_of_the_day(market)
    morning(market)
    (day,) = days(market)
    ask = AskStatement(channel="custodian", since=day.since)
    before = market.everything()
    market.world.send(ask)
    assert market.everything() == before
    with pytest.raises(BrokenError):
        market.world.send(ask, actor=ANONYMOUS)


def test_a_market_without_such_a_channel_asks_for_none(market: Market) -> None:
    """Nothing is set for channels of ours."""
    market.decide(market.pay(1, [part(1, 1_000)], [by_channel(1_000)]))
    market.tell()
    market.pass_time(2 * DAY, step=HOUR)
    assert market.world.rows("SELECT id FROM payment_statement") == []
