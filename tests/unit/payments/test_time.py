"""How long a payment is waited for: by its method, once longer while its money is on its way, and what becomes of money that comes late."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import msgspec
import pytest

from support.payments import BUYER, DAY, MINUTE, SECOND_SHOP, Market, by_channel, by_wallet, checkout, cny, part, payment_of
from support.stores import Place, place
from unit.payments.test_channel import event, signed
from yunduan.backends.sandbox import Misbehaviour, Said
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import AbandonPayment
from yunduan.domains.payments.ending import PassDue
from yunduan.domains.payments.methods import PaymentMethods
from yunduan.domains.payments.model import ChargeState, PaymentStarted, PaymentState
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.refusals import BrokenError, Refused

__all__ = ["place"]
DAWDLES = Misbehaviour(dawdles=1000)


@pytest.fixture
def shared(place: Place, tmp_path: Path) -> Iterator[Market]:
    """The same market on each store."""
    with Market(tmp_path, store=place.open()) as found:
        yield found


def pending(market: Market, *, method: str = "") -> PaymentStarted:
    """A checkout of two orders that waits for 300 of its 1,000 over the channel."""
    market.fill(BUYER, 2_000)
    return market.pay(1, [part(1, 400), part(2, 600, SECOND_SHOP)], [by_wallet(700), by_channel(300, method=method)])


def in_flight(market: Market) -> PaymentStarted:
    """The same, approved on a page that takes twenty minutes to collect it."""
    started = pending(market)
    market.pass_time(14 * MINUTE)
    market.sandbox.misbehaviour = DAWDLES
    market.decide(started)
    return started


# Methods


def test_a_channel_tells_its_methods_and_how_long_each_is_waited_for(market: Market) -> None:
    """The usual one first; a slip is slow."""
    found = [it for it in market.world.ask(PaymentMethods()).items if it.channel == "sandbox"]
    assert [(it.method, it.hold_ms, it.extension_ms, it.is_slow) for it in found] == [
        ("card", 15 * MINUTE, 30 * MINUTE, False),
        ("slip", 3 * DAY, 2 * DAY, True),
    ]


def test_the_market_may_hold_stock_another_time(market: Market) -> None:
    """What the settings say stands in the place of the channel's own."""
    channels = market.world.cloud.port(model.Channels)
    market.world.cloud._ports[model.Channels] = msgspec.structs.replace(channels, waits={("sandbox", "slip"): (DAY, 0)})
    (slip,) = [it for it in market.world.ask(PaymentMethods()).items if (it.channel, it.method) == ("sandbox", "slip")]
    assert (slip.hold_ms, slip.extension_ms) == (DAY, 0)


@pytest.mark.parametrize(
    ("tenders", "code"),
    [
        ([by_channel(1_000, method="cheque")], "channel_unknown"),
        ([by_channel(1_000, "third", method="slip")], "channel_unknown"),
        ([msgspec.structs.replace(by_wallet(1_000), method="slip")], "tenders_do_not_match"),
    ],
)
def test_a_method_that_there_is_not_is_refused(market: Market, tenders, code: str) -> None:
    """And nothing changes."""
    market.fill(BUYER, 2_000)
    before = market.everything()
    assert market.world.refusal(market.paying(1, [part(1, 1_000)], tenders)) == code
    assert market.everything() == before


def test_a_slip_is_collected_the_day_after_it_was_paid(shared: Market) -> None:
    """Within its three days, by what the channel says of it by itself."""
    shared.fill(BUYER, 2_000)
    tenders = [by_wallet(700), by_channel(300, method="slip")]
    started = shared.pay(1, [part(1, 400), part(2, 600, SECOND_SHOP)], tenders, due_in=3 * DAY)
    shared.pass_time(DAY, step=6 * 60 * MINUTE)
    shared.decide(started)
    shared.tell()
    assert (shared.payment(1).state, shared.payment(1).in_flight) == (PaymentState.PENDING, True)
    shared.pass_time(21 * 60 * MINUTE, step=60 * MINUTE)
    assert (shared.payment(1).state, shared.listener.heard) == (PaymentState.CAPTURED, [("paid", checkout(1))])
    assert (shared.escrow(1).held, shared.escrow(2).held, shared.wallet()) == (cny(400), cny(600), 1_300)
    assert shared.reconciles()


# In flight


def test_what_is_in_flight_when_it_is_due_is_waited_for_once_longer(shared: Market) -> None:
    """For half an hour, with what the wallet has set aside; it comes in that time, and pays."""
    in_flight(shared)
    shared.tell()
    due = shared.payment(1).due
    shared.world.pass_time(MINUTE)
    payment = shared.payment(1)
    assert (payment.state, payment.due, payment.put_off_ms, payment.extension_ms) == (
        PaymentState.PENDING,
        due + 30 * MINUTE,
        30 * MINUTE,
        0,
    )
    assert (shared.facts("PaymentPutOff"), shared.wallet(), shared.listener.heard) == (1, 2_000, [])
    shared.pass_time(21 * MINUTE)
    assert (shared.payment(1).state, shared.listener.heard) == (PaymentState.CAPTURED, [("paid", checkout(1))])
    shared.pass_time(2 * DAY, step=DAY)
    assert (shared.facts("PaymentPutOff"), shared.facts("PaymentEnded"), shared.wallet()) == (1, 0, 1_300)
    assert shared.balanced()


def test_it_is_put_off_once_only(market: Market) -> None:
    """What has not come by then ends, and not a moment before; nothing waits for it any more."""
    started = pending(market)
    market.sandbox.misbehaviour = msgspec.structs.replace(DAWDLES, dawdle_ms=3 * 60 * MINUTE)
    market.decide(started)
    market.tell()
    market.pass_time(45 * MINUTE - 1)
    assert market.payment(1).state is PaymentState.PENDING
    market.world.pass_time(1)
    assert (market.payment(1).state, market.facts("PaymentPutOff")) == (PaymentState.EXPIRED, 1)
    assert market.listener.heard == [("not_paid", checkout(1))]
    market.pay(2, [part(9, 2_000)], [by_wallet(2_000)])


def test_a_channel_that_says_nothing_by_itself_is_asked_before_the_time_is_over(market: Market) -> None:
    """Its notification is lost; the courier that goes a minute before hears that it is on its way."""
    in_flight_at = 13 * MINUTE
    started = pending(market)
    market.sandbox.misbehaviour = msgspec.structs.replace(DAWDLES, loses=1000)
    market.pass_time(in_flight_at)
    market.decide(started)
    market.pass_time(2 * MINUTE + 1)
    assert (market.payment(1).state, market.facts("PaymentPutOff")) == (PaymentState.PENDING, 1)


def test_nothing_is_put_off_that_waits_for_its_payer(market: Market) -> None:
    """One of two charges is on its way, the other has not been begun: both end, in time."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(600), by_channel(400, "second")])
    market.sandbox.misbehaviour = DAWDLES
    market.decide(started)
    market.tell()
    market.pass_time(15 * MINUTE)
    assert (market.payment(1).state, market.facts("PaymentPutOff")) == (PaymentState.EXPIRED, 0)


def test_what_is_collected_beside_what_is_in_flight_waits_with_it(market: Market) -> None:
    """One channel has collected, the other is about to: the time is put off, and both pay."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(600), by_channel(400, "second")])
    market.decide(started, which=1)
    market.sandbox.misbehaviour = DAWDLES
    market.decide(started)
    market.tell()
    market.pass_time(16 * MINUTE)
    assert (market.payment(1).state, market.facts("PaymentPutOff")) == (PaymentState.PENDING, 1)
    market.pass_time(5 * MINUTE)
    assert (market.payment(1).state, market.escrow(1).held) == (PaymentState.CAPTURED, cny(1_000))


def test_that_it_is_on_its_way_changes_nothing_of_what_has_ended_or_is_paid(market: Market) -> None:
    """Late words, and words that come twice or in another order."""
    started = pending(market)
    said = event(outcome=Said.PROCESSING)
    assert market.world.send(signed(market, said)).believed
    before = market.everything()
    assert market.world.send(signed(market, said)).believed
    assert market.everything() == before
    market.decide(started)
    market.tell()
    before = market.everything()
    assert market.world.send(signed(market, said)).believed
    assert market.everything() == before


def test_the_time_of_a_payment_passes_by_its_own_alarm_alone(market: Market) -> None:
    """Nobody else ends it; an alarm of another time than it is waited for now finds nothing to do."""
    pending(market)
    before = market.everything()
    with pytest.raises(BrokenError):
        market.world.send(PassDue(payment_id=payment_of(1), due=market.payment(1).due), actor=Actor(person=BUYER))
    market.world.send(PassDue(payment_id=payment_of(1), due=market.payment(1).due + 1))
    market.world.send(PassDue(payment_id=payment_of(9), due=1))
    assert market.everything() == before


def test_a_check_never_ends_a_payment_whatever_the_clock_of_the_books_says(market: Market) -> None:
    """The wall has leapt a day ahead, something was committed, and it was set right: the payment has all of its time left."""
    pending(market)
    market.world.clock.jump(DAY)
    market.world.send(AbandonPayment(payment_id=market.top_up(BUYER, 100).id))
    market.world.clock.jump(-DAY)

    async def confirm() -> None:
        await market.world.cloud.alarms.confirm()

    market.world.run(confirm())
    market.world.pass_time(2 * MINUTE)
    assert market.payment(1).state is PaymentState.PENDING
    market.world.pass_time(13 * MINUTE)
    assert market.payment(1).state is PaymentState.EXPIRED


# Late


def late(market: Market, *, after_ms: int = MINUTE) -> None:
    """What was approved in time is collected after it, and heard of so long after the end."""
    started = pending(market)
    market.decide(started)
    market.world.pass_time(15 * MINUTE)
    assert market.payment(1).state is PaymentState.EXPIRED
    market.world.pass_time(after_ms)
    market.world.send(signed(market, event()))


def test_money_that_comes_late_makes_the_payment_good(shared: Market) -> None:
    """The wallet's part is taken again, each order has its escrow, and whoever listens was asked once."""
    late(shared)
    assert (shared.payment(1).state, shared.payment(1).charges[0].state) == (PaymentState.CAPTURED, ChargeState.CAPTURED)
    assert shared.listener.heard == [("not_paid", checkout(1)), ("paid_late", checkout(1))]
    assert (shared.escrow(1).held, shared.escrow(2).held, shared.wallet()) == (cny(400), cny(600), 1_300)
    assert (shared.returning(), shared.facts("PaymentCaptured"), shared.facts("CaptureReturned")) == (0, 1, 0)
    before = shared.everything()
    assert shared.world.send(signed(shared, event())).believed
    assert shared.everything() == before
    assert shared.reconciles()
    back = shared.refund(1, 2, 600)
    assert back.whole == cny(600)
    shared.pass_time(MINUTE)
    assert shared.balanced()
    assert shared.reconciles()


def spend_it(market: Market) -> None:
    """The wallet's part is spent on something else."""
    market.pay(2, [part(9, 1_500)], [by_wallet(1_500)])


@pytest.mark.parametrize("why", ["goods", "wallet", "no wallets", "too late"])
def test_money_that_comes_late_goes_back_when_something_is_missing(why: str, market: Market) -> None:
    """Nothing else has changed: nobody is charged, no order stands again."""
    started = pending(market)
    market.decide(started)
    market.world.pass_time(15 * MINUTE)
    if why == "goods":
        market.listener.goods_are_gone = True
    elif why == "wallet":
        spend_it(market)
    elif why == "no wallets":
        off = msgspec.structs.replace(market.world.cloud.port(PaymentSettings), wallet_is_on=False)
        market.world.cloud._ports[PaymentSettings] = off
    else:
        market.world.clock.advance(model.LATE_MS + 1)
    wallet = market.wallet()
    market.world.send(signed(market, event()))
    assert (market.payment(1).state, market.payment(1).charges[0].state) == (PaymentState.EXPIRED, ChargeState.RETURNING)
    assert (market.returning(), market.wallet(), market.facts("CaptureReturned")) == (300, wallet, 1)
    assert ("paid_late", checkout(1)) not in market.listener.heard
    assert market.world.rows("SELECT count(*) FROM escrow WHERE order_id LIKE '%1'") == [(0,)]
    market.pass_time(2 * MINUTE)
    assert (market.returning(), market.payment(1).charges[0].state) == (0, ChargeState.RETURNED)
    assert market.balanced()


@pytest.mark.parametrize("ended", ["abandoned", "declined"])
def test_only_what_lapsed_is_made_good(ended: str, market: Market) -> None:
    """What its buyer has given up, or the channel has declined, stays ended."""
    pending(market)
    if ended == "abandoned":
        market.world.send(AbandonPayment(payment_id=payment_of(1)))
    else:
        market.world.send(signed(market, event(outcome=Said.DECLINED)))
    market.world.send(signed(market, event(event="evt2")))
    assert market.payment(1).charges[0].state is ChargeState.RETURNING
    assert ("paid_late", checkout(1)) not in market.listener.heard


def test_a_payment_over_two_channels_is_not_made_good(market: Market) -> None:
    """What the one had collected is on its way back already, so what the other collects late goes after it."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(600), by_channel(400, "second")])
    market.decide(started)
    market.tell()
    market.decide(started, which=1)
    market.world.pass_time(15 * MINUTE)
    assert (market.payment(1).state, market.returning()) == (PaymentState.EXPIRED, 600)
    market.tell()
    assert (market.returning(), market.returning("second")) == (600, 400)
    market.pass_time(2 * MINUTE)
    assert [charge.state for charge in market.payment(1).charges] == [ChargeState.RETURNED] * 2
    assert (market.listener.heard, market.reconciles(), market.reconciles("second")) == ([("not_paid", checkout(1))], True, True)


@pytest.mark.parametrize("is_there", [True, False])
def test_what_the_marketplace_pays_of_it_is_taken_again_if_it_is_there(is_there: bool, market: Market) -> None:
    """A discount that was promised and let go: it pays, or the money goes back."""
    market.set_aside(100)
    market.fill(BUYER, 100)
    started = market.pay(1, [part(1, 300, promoted=100)], [by_channel(300)])
    market.decide(started)
    market.world.pass_time(15 * MINUTE)
    assert market.promotions() == 100
    if not is_there:
        market.pay(2, [part(9, 100, promoted=60)], [by_wallet(100)])
    market.tell()
    assert market.payment(1).state is (PaymentState.CAPTURED if is_there else PaymentState.EXPIRED)
    assert market.promotions() == (0 if is_there else 40)
    if is_there:
        assert market.escrow(1).held == cny(400)
        market.refund(1, 1, 300)
        assert market.promotions() == 100
    market.pass_time(2 * MINUTE)
    assert market.balanced()
    assert market.reconciles()


def test_a_top_up_that_comes_late_goes_back(market: Market) -> None:
    """Nobody waits for it any more; it would count against another day."""
    started = market.top_up(BUYER, 500)
    market.decide(started)
    market.world.pass_time(30 * MINUTE)
    market.tell()
    market.pass_time(2 * MINUTE)
    assert (market.wallet(), market.clearing(), market.returning()) == (0, 0, 0)


# Races


@pytest.mark.parametrize("order", [", ".join(order) for order in permutations(("pay", "lapse", "cancel"))])
def test_money_time_and_the_buyer_race(order: str, market: Market) -> None:
    """In one batch, in each order: it is paid or it has ended, never both, and no unit is lost."""
    started = pending(market)
    market.decide(started)
    market.world.clock.advance(15 * MINUTE)
    asks = {
        "pay": (signed(market, event()), SYSTEM),
        "lapse": (PassDue(payment_id=payment_of(1), due=market.payment(1).due), SYSTEM),
        "cancel": (AbandonPayment(payment_id=payment_of(1)), SYSTEM),
    }
    outcomes = dict(zip(order.split(", "), market.world.send_all([asks[name] for name in order.split(", ")]), strict=True))
    is_paid = order.index("pay") < order.index("cancel") or order.startswith("lapse")
    assert market.payment(1).state is (PaymentState.CAPTURED if is_paid else PaymentState.ABANDONED)
    assert (market.wallet(), market.returning()) == ((1_300, 0) if is_paid else (2_000, 300))
    assert isinstance(outcomes["cancel"], Refused) == (order.index("pay") < order.index("cancel"))
    market.pass_time(2 * MINUTE)
    assert market.balanced()
    assert market.reconciles()
