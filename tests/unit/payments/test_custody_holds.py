"""How long a provider keeps money: it is said beforehand, and the order comes to its end in time."""

from pathlib import Path

import msgspec
import pytest

from support.payments import BUYER, DAY, MINUTE, Market, by_channel, order, part
from yunduan.domains.payments.holding import WatchHold
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.queries import KeptOf
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.kernel.actors import ANONYMOUS, Actor
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


def kept_told(market: Market) -> list[tuple[int, bool]]:
    """What was told of money outside orders: how much, and whether its payer is asked."""
    rows = market.world.rows("SELECT body FROM fact WHERE kind = 'KeptEnding' ORDER BY seq")
    return [(fact["amount"]["amount"], fact["asks"]) for (body,) in rows for fact in [msgspec.json.decode(body)]]


@pytest.mark.parametrize("taken_on", [-1, 0, 6, 9])
def test_what_waits_for_its_payer_there_is_told_of_as_well_and_they_are_asked_twice(market: Market, taken_on: int) -> None:
    """Some days before, and a day before; operators hear of it each day, until it has left, and of what is on its way there too."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, refuses_refunds=1_000)
    paid(market)
    market.refund(1, of=1, amount=1_000)
    market.pass_time(MINUTE)
    market.name_payee(BUYER)
    assert kept_told(market) == []
    told = [(1_000, True), (1_000, True), (1_000, False), (1_000, False), (1_000, False)]
    if taken_on >= 0:
        market.world.pass_time(WARNED - MINUTE + taken_on * DAY)
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, refuses_refunds=0)
    (waits,) = market.world.ask(UnclaimedOf(), actor=Actor(person=BUYER)).items
    market.world.send(TakeUnclaimed(unclaimed_id=waits.id, into=Into.ACCOUNT), actor=Actor(person=BUYER))
    market.pass_time(5 * MINUTE)
    market.world.pass_time(200 * DAY)
    assert kept_told(market) == told[: {-1: 0, 0: 1, 6: 2, 9: 5}[taken_on]]
    assert warned(market) == 0


def test_what_a_provider_does_not_hand_over_for_a_bank_is_told_of_when_it_will_not_keep_it_longer(market: Market) -> None:
    """It is asked for each day, and told of each day from then on."""
    paid(market)
    name = market.custodian.charge_back(market.payment(1).charges[0].reference, 400)
    market.tell()
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, refuses_splits=1_000)
    market.custodian.decide_chargeback(name, won=False)
    market.pass_time(WARNED - DAY, step=DAY // 2)
    assert kept_told(market) == []
    market.pass_time(4 * DAY, step=DAY // 2)
    assert kept_told(market) == [(400, False)] * 2  # each try takes a little longer than a day: it is asked about first


@pytest.mark.parametrize(("assumed", "days"), [(30, 23), (0, 0)])
def test_a_provider_that_does_not_say_how_long_is_taken_to_keep_it_as_long_as_is_assumed(tmp_path: Path, assumed: int, days: int) -> None:
    """From when it has collected; nobody is warned where nothing is assumed. What another channel collects is not kept at all."""
    with Market(tmp_path, settings=PaymentSettings(hold_assumed_ms=assumed * DAY)) as market:
        market.custodian._with_end = lambda event: event
        paid(market)
        market.decide(market.pay(2, [part(2, 500)], [by_channel(500)]))
        market.tell()
        at = market.payment(1).charges[0].captured_at
        assert [market.escrow(number).held_until for number in (1, 2)] == [at + assumed * DAY if assumed else 0, 0]
        market.world.pass_time(days * DAY + 1)
        assert warned(market) == int(bool(days))


def test_nobody_but_the_alarm_passes_time(market: Market) -> None:
    """A program that lets others is broken."""
    paid(market)
    with pytest.raises(BrokenError):
        market.world.send(WatchHold(order_id=order(1)), actor=ANONYMOUS)
