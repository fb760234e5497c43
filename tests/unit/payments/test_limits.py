"""What may go into and out of a wallet: nothing in where there are none, and so much a business day by how well its owner is known."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from support.payments import BUYER, DAY, MINUTE, OTHER, Market, by_channel, by_wallet, cny, part
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.payouts import Withdraw
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

ME = Actor(person=BUYER)
LIMITS = PaymentSettings(payee_waits_ms=0, in_a_day_basic=1_000, in_a_day_verified=3_000, out_a_day=500)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Market]:
    """A market with low limits."""
    with Market(tmp_path, settings=LIMITS) as market:
        yield market


def top_up(amount: int) -> TopUpWallet:
    """Bring so much."""
    return TopUpWallet(amount=cny(amount), channel="sandbox")


def turn_off(market: Market) -> None:
    """Have the same market without wallets, as after a start with another setting."""
    market.world.cloud._ports[PaymentSettings] = msgspec.structs.replace(LIMITS, wallet_is_on=False)


def test_a_market_without_wallets_takes_nothing_into_them(limited: Market) -> None:
    """They are neither topped up nor paid with, and nothing changes; what is in one is withdrawn all the same, and refunds come into it."""
    limited.fill(BUYER, 900)
    limited.pay(1, [part(1, 400)], [by_wallet(400)])
    limited.name_payee(BUYER)
    turn_off(limited)
    before = limited.everything()
    assert limited.world.refusal(top_up(1), actor=ME) == "wallet_off"
    assert limited.world.refusal(limited.paying(2, [part(2, 100)], [by_wallet(100)]), actor=ME) == "wallet_off"
    both = limited.paying(2, [part(2, 100)], [by_wallet(50), by_channel(50)])
    assert limited.world.refusal(both, actor=ME) == "wallet_off"
    assert limited.everything() == before
    limited.refund(1, of=1, amount=400)
    limited.world.send(Withdraw(amount=cny(500)), actor=ME)
    limited.pass_time(MINUTE)
    assert (limited.wallet(), limited.paid_out()) == (400, 500)
    started = limited.pay(3, [part(3, 100)], [by_channel(100)])
    assert len(started.redirects) == 1


def test_so_much_may_be_brought_in_a_day(limited: Market) -> None:
    """More by somebody whose account has been confirmed; the next business day begins at midnight of the market."""
    limited.world.send(top_up(600), actor=ME)
    before = limited.everything()
    assert limited.world.refusal(top_up(401), actor=ME) == "exceeds_day"
    assert limited.everything() == before
    limited.world.send(top_up(400), actor=ME)
    limited.world.send(TopUpWallet(amount=Money(amount=1_000, currency="USD"), channel="sandbox"), actor=ME)
    limited.world.send(top_up(1_000), actor=Actor(person=OTHER))
    assert limited.world.refusal(top_up(1), actor=ME) == "exceeds_day"
    limited.name_payee(BUYER)
    limited.world.send(top_up(2_000), actor=ME)
    assert limited.world.refusal(top_up(1), actor=ME) == "exceeds_day"
    now = limited.world.clock.wall_ms()
    midnight = (now // DAY + 1) * DAY - 8 * 3_600_000  # in Shanghai
    midnight += 0 if midnight > now else DAY
    limited.world.clock.advance_to(midnight - 1)
    assert limited.world.refusal(top_up(3_000), actor=ME) == "exceeds_day"
    limited.world.clock.advance_to(midnight)
    limited.world.send(top_up(3_000), actor=ME)


def test_a_top_up_that_comes_to_nothing_does_not_count(limited: Market) -> None:
    """Declined, or its time passed; one that is paid does."""
    limited.decide(limited.top_up(BUYER, 1_000), approve=False)
    limited.tell()
    limited.top_up(BUYER, 1_000)
    assert limited.world.refusal(top_up(1), actor=ME) == "exceeds_day"
    limited.pass_time(31 * MINUTE)
    limited.fill(BUYER, 1_000)
    assert limited.world.refusal(top_up(1), actor=ME) == "exceeds_day"


def test_a_hundred_top_ups_that_race_stay_within_the_day(limited: Market) -> None:
    """Of 100 of 30 within 1,000, thirty-three begin."""
    outcomes = limited.world.send_all([(top_up(30), ME)] * 100)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["exceeds_day"] * 67


def test_so_much_may_be_withdrawn_in_a_day(limited: Market) -> None:
    """What comes back does not count."""
    limited.fill(BUYER, 1_000)
    limited.name_payee(BUYER)
    limited.sandbox.misbehaviour = msgspec.structs.replace(limited.sandbox.misbehaviour, refuses_payouts=1000)
    limited.world.send(Withdraw(amount=cny(500)), actor=ME)
    before = limited.everything()
    assert limited.world.refusal(Withdraw(amount=cny(1)), actor=ME) == "exceeds_day"
    assert limited.everything() == before
    limited.pass_time(MINUTE)
    assert limited.wallet() == 1_000
    limited.world.send(Withdraw(amount=cny(500)), actor=ME)


def test_the_cloud_itself_is_not_held_back(limited: Market) -> None:
    """What is brought in from elsewhere was paid as it was."""
    limited.fill(BUYER, 900)
    turn_off(limited)
    limited.world.send(limited.paying(1, [part(1, 400)], [by_wallet(400)]), actor=SYSTEM)
    assert limited.wallet() == 500
