"""What a courier does with an errand that fails: it is put off, and no other waits for it."""

import asyncio

import pytest

from support.payments import DAY, MINUTE, Market, by_channel, kept, part
from yunduan.backends.sandbox import Sandbox
from yunduan.backends.sandbox.custodian import Kept, Statement
from yunduan.domains.payments import couriers
from yunduan.domains.payments.couriers import Couriers
from yunduan.domains.payments.errands import BACK_OFF_MS
from yunduan.domains.payments.model import Channels
from yunduan.domains.payments.store import due_outgoing
from yunduan.kernel.money import Money


class Raising(Sandbox):
    """A channel whose adapter has a fault."""

    async def refund(self, request: str, reference: str, amount: Money) -> str:  # noqa: ARG002 - whatever it is
        """Nothing comes of it."""
        raise ValueError("杭州")


class Silent(Sandbox):
    """A channel that takes every call and never answers."""

    async def refund(self, request: str, reference: str, amount: Money) -> str:  # noqa: ARG002 - whatever it is
        """Nothing comes of it."""
        await asyncio.sleep(3_600)
        return "accepted"


def refunded_over(market: Market, *channels: str) -> None:
    """An order for each channel, paid over it and given back, which the channel has yet to be asked for."""
    for number, channel in enumerate(channels, 1):
        market.decide(market.pay(number, [part(number, 1_000)], [by_channel(1_000, channel)]))
    market.tell()
    for number, _ in enumerate(channels, 1):
        market.refund(number, of=number, amount=1_000)


def waiting(market: Market) -> list[tuple[str, int, int]]:
    """What has yet to be asked: over which channel, how often it has been, and in how long it is again."""
    now = market.world.cloud.now()
    due = due_outgoing(market.couriers._reader, now + 10 * MINUTE, 64)
    return sorted((one.channel, one.tries, one.next_at - now) for one in due if one.state == "waiting")


@pytest.mark.parametrize("fault", [Raising, Silent])
def test_an_errand_that_fails_is_put_off_and_stands_before_no_other(
    market: Market, monkeypatch: pytest.MonkeyPatch, fault: type[Sandbox]
) -> None:
    """However few are asked at once; it is asked again later and later, and done once its channel is well."""
    refunded_over(market, "sandbox", "second")
    monkeypatch.setattr(couriers, "ERRANDS_AT_ONCE", 1)
    cloud = market.world.cloud
    impatient = Couriers(cloud.writer, market.couriers._reader, cloud.port(Channels), market.vault, patience_s=0.02)
    market.sandbox.__class__ = fault
    assert market.world.run(impatient.run_once()) == 1
    assert waiting(market) == [("sandbox", 1, BACK_OFF_MS[0]), ("second", 0, 0)]
    assert market.world.run(impatient.run_once()) == 1
    assert waiting(market) == [("sandbox", 1, BACK_OFF_MS[0])]
    assert market.world.run(impatient.run_once()) == 0
    market.world.clock.advance(BACK_OFF_MS[0])
    assert market.world.run(impatient.run_once()) == 1
    assert waiting(market) == [("sandbox", 2, BACK_OFF_MS[1])]
    market.sandbox.__class__ = Sandbox
    market.pass_time(MINUTE, step=5_000)
    assert (waiting(market), market.returning(), market.returning("second")) == ([], 0, 0)
    assert market.reconciles()


def test_a_report_that_cannot_be_heard_puts_its_errand_off(market: Market) -> None:
    """What a provider says of a day is no sum: its statement waits, and refunds go on."""
    refunded_over(market, "custodian")

    async def odd(_since: int, _until: int) -> Statement:
        return Statement(lines=[], balances={"CNY": Kept(held="1", given=0, own=0)})  # type: ignore[arg-type] # its fault

    statement_of = market.custodian.statement_of
    market.custodian.statement_of = odd  # type: ignore[method-assign] # the same
    market.world.pass_time(2 * DAY)
    assert market.run_errands() == 3
    assert waiting(market) == [("custodian", 1, BACK_OFF_MS[0])] * 2
    market.custodian.statement_of = statement_of  # type: ignore[method-assign] # well again
    market.pass_time(MINUTE, step=5_000)
    assert (waiting(market), kept(market).held) == ([], 0)
