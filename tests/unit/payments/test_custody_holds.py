"""How long a provider keeps money: it is said beforehand, and the order comes to its end in time."""

import msgspec
import pytest

from support.payments import DAY, MINUTE, Market, by_channel, order, part
from yunduan.domains.payments.holding import WatchHold
from yunduan.domains.payments.queries import KeptOf
from yunduan.kernel.actors import ANONYMOUS
from yunduan.kernel.refusals import BrokenError

WARNED = 173 * DAY
"""Seven days before the custodian's hold ends."""


def paid(market: Market, amount: int = 1_000) -> None:
    """An order paid over the custodian."""
    market.decide(market.pay(1, [part(1, amount)], [by_channel(amount, "custodian")]))
    market.tell()


def warned(market: Market) -> int:
    """How often it has been told of."""
    return market.facts("HoldEnding")


def test_it_is_told_some_days_before_then_the_order_ends_and_what_stays_is_told_each_day(market: Market) -> None:
    """Whoever decides about orders is asked a day before the end, and again as long as it is there."""
    paid(market)
    market.world.pass_time(WARNED - 1)
    assert (warned(market), market.ends.heard) == (0, [])
    market.world.pass_time(1)
    assert (warned(market), market.ends.heard) == (1, [])
    market.world.pass_time(6 * DAY)
    assert (warned(market), market.ends.heard) == (2, [order(1)])
    market.world.pass_time(2 * DAY)
    assert (warned(market), market.ends.heard) == (4, [order(1)] * 3)


@pytest.mark.parametrize("how", ["settled", "refunded", "refunded_in_part"])
def test_what_is_not_there_any_more_is_told_of_no_more(market: Market, how: str) -> None:
    """Split, or given back; of a part only the rest is told."""
    paid(market)
    if how == "settled":
        market.settle(1, 50)
    else:
        market.refund(1, of=1, amount=1_000 if how == "refunded" else 999)
    market.pass_time(MINUTE)
    market.world.pass_time(WARNED + DAY)
    assert warned(market) == (1 if how == "refunded_in_part" else 0)


def test_what_a_provider_has_been_asked_to_split_and_has_not_is_told_of_and_nobody_ends_it(market: Market) -> None:
    """Operators have it asked again."""
    paid(market)
    market.settle(1, 50)
    market.world.pass_time(181 * DAY)
    assert (warned(market), market.ends.heard) == (4, [])


@pytest.mark.parametrize("taken", [1_000, 400])
def test_what_a_bank_has_taken_is_told_of_until_it_is_decided_and_comes_to_its_end_then(market: Market, taken: int) -> None:
    """It never left the hold, and is the order's again when that is won."""
    paid(market)
    market.world.pass_time(WARNED - DAY)
    name = market.custodian.charge_back(market.payment(1).charges[0].reference, taken)
    market.tell()
    assert name is not None
    market.world.pass_time(9 * DAY)
    assert (told(market), market.ends.heard) == ([1_000] * 4, [])
    market.custodian.decide_chargeback(name, won=True)
    market.tell()
    market.world.pass_time(DAY)
    assert (told(market), market.ends.heard) == ([1_000] * 5, [order(1)])


def test_what_is_to_be_split_is_told_of_whatever_a_bank_has_taken_for_it(market: Market) -> None:
    """The shop has paid the bank here: it is to be given all of it there."""
    paid(market)
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, refuses_splits=1000)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    name = market.custodian.charge_back(market.payment(1).charges[0].reference)
    assert name is not None
    market.custodian.decide_chargeback(name, won=False)
    market.tell()
    market.world.pass_time(WARNED)
    assert (market.escrow(1).left.amount, told(market), market.ends.heard) == (0, [1_000], [])


def test_what_another_channel_collected_is_not_there_when_a_bank_takes_it(market: Market) -> None:
    """The provider keeps what it has of the order, and no more."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(300), by_channel(700, "custodian")])
    for which in range(2):
        market.decide(started, which=which)
    market.tell()
    market.sandbox.charge_back(market.payment(1).charges[0].reference)
    market.tell()
    market.world.pass_time(WARNED)
    assert (market.escrow(1).contested, told(market)) == (300, [700])


def told(market: Market) -> list[int]:
    """How much has been told of, each time."""
    bodies = market.world.rows("SELECT body FROM fact WHERE kind = 'HoldEnding' ORDER BY seq")
    return [msgspec.json.decode(body)["amount"]["amount"] for (body,) in bodies]


def test_whether_a_provider_keeps_money_of_an_order_can_be_asked(market: Market) -> None:
    """So much, until when, and whether it is being divided; of an order of which there is none, nothing."""
    assert market.world.ask(KeptOf(order_id=order(1))) is None
    paid(market)
    until = market.world.clock.wall_ms() + 180 * DAY
    kept = market.world.ask(KeptOf(order_id=order(1)))
    assert kept is not None
    assert (kept.amount.amount, kept.channel, kept.until, kept.is_split) == (1_000, "custodian", until, False)
    market.settle(1, 50)
    kept = market.world.ask(KeptOf(order_id=order(1)))
    assert kept is not None
    assert kept.is_split
    market.pass_time(MINUTE)
    assert market.world.ask(KeptOf(order_id=order(1))) is None


def test_nobody_but_the_alarm_passes_time(market: Market) -> None:
    """A program that lets others is broken."""
    paid(market)
    with pytest.raises(BrokenError):
        market.world.send(WatchHold(order_id=order(1)), actor=ANONYMOUS)
