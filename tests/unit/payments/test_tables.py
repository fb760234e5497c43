"""What becomes of payments, and of money that nobody has claimed, is decided by their tables: no command goes elsewhere."""

from types import MappingProxyType
from typing import Any

import pytest

from support.payments import BUYER, MINUTE, Market, by_channel, by_wallet, cny, part, payment_of
from unit.payments.test_channel import event as told
from unit.payments.test_channel import signed
from unit.payments.test_unclaimed import FIRST, ME, SECOND, refused
from yunduan.backends.sandbox import Said
from yunduan.domains.payments import unclaimed
from yunduan.domains.payments.commands import AbandonPayment
from yunduan.domains.payments.ending import PassDue
from yunduan.domains.payments.model import PAYMENT_MOVES, Payment, PaymentEvent, PaymentKind, PaymentState, paying
from yunduan.domains.payments.owing import RemindOfUnclaimed
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout
from yunduan.domains.payments.payouts_seen import Withdrawals
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import UNCLAIMED_MOVES, Into, Unclaimed, UnclaimedEvent, UnclaimedState
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import BrokenError, Refused

PAYMENTS = {(move.state, move.event): move.next for move in PAYMENT_MOVES}
OWED = {(move.state, move.event): move.next for move in UNCLAIMED_MOVES}
Sent = tuple[Command[Any], Actor]
SAID = {
    PaymentEvent.COLLECT: Said.CAPTURED,
    PaymentEvent.CAPTURE: Said.CAPTURED,
    PaymentEvent.PROCESS: Said.PROCESSING,
    PaymentEvent.DECLINE: Said.DECLINED,
    PaymentEvent.EXPIRE: Said.EXPIRED,
}


def named(part: Any) -> str:
    """A state or an event, by its own name."""
    return str(part.value)


def paid_by(market: Market, state: PaymentState, event: PaymentEvent) -> None:
    """A payment in a state; where a part of it is to be collected, over two channels."""
    market.fill(BUYER, 2_000)
    two = event is PaymentEvent.COLLECT
    tenders = [by_wallet(600), by_channel(300), by_channel(100, "second")] if two else [by_wallet(700), by_channel(300)]
    started = market.pay(1, [part(1, 1_000)], tenders)
    if state is PaymentState.ABANDONED:
        market.world.send(AbandonPayment(payment_id=payment_of(1)))
    elif state is PaymentState.EXPIRED:
        market.world.pass_time(15 * MINUTE)
    elif state is not PaymentState.PENDING:
        for which in range(len(started.redirects)):
            market.decide(started, approve=state is PaymentState.CAPTURED, which=which)
        market.tell()
    assert market.payment(1).state is state


def of_payment(market: Market, event: PaymentEvent) -> Sent:
    """What is sent when something happens to the payment."""
    if event is PaymentEvent.ABANDON:
        return AbandonPayment(payment_id=payment_of(1)), SYSTEM
    if event in SAID:
        return signed(market, told(outcome=SAID[event])), SYSTEM
    if event is PaymentEvent.PUT_OFF:
        market.world.send(signed(market, told(event="before", outcome=Said.PROCESSING)))
    return PassDue(payment_id=payment_of(1), due=market.payment(1).due), SYSTEM


def owed_in(market: Market, state: UnclaimedState, event: UnclaimedEvent) -> str:
    """So much unclaimed money in a state that operators look at its payout; answers its id."""
    id = refused(market, 6_000)
    market.name_payee(BUYER)
    if state is UnclaimedState.TAKEN:
        market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), actor=ME)
    elif state is UnclaimedState.SET_OFF:
        market.world.send(signed(market, told(outcome=Said.CHARGEBACK_LOST, amount=cny(10_000), chargeback="dsp0")))
    elif state is not UnclaimedState.WAITING:
        market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.ACCOUNT), actor=ME)
        if state is UnclaimedState.PAID or event in (UnclaimedEvent.PAY, UnclaimedEvent.REFUSE):
            for operator in (FIRST, SECOND):
                market.world.send(ApprovePayout(payout_id=payout(market)), actor=operator)
        if state is UnclaimedState.PAID:
            market.pass_time(2 * MINUTE)
    assert where(market) is state
    return id


def of_unclaimed(market: Market, id: str, event: UnclaimedEvent) -> Sent:
    """What is sent when something happens to the money."""
    if event is UnclaimedEvent.REMIND:
        return RemindOfUnclaimed(unclaimed_id=id), SYSTEM
    if event in (UnclaimedEvent.TAKE_INTO_WALLET, UnclaimedEvent.TAKE_TO_ACCOUNT):
        into = Into.WALLET if event is UnclaimedEvent.TAKE_INTO_WALLET else Into.ACCOUNT
        return TakeUnclaimed(unclaimed_id=id, into=into), ME
    if event is UnclaimedEvent.DECLINE:
        return DeclinePayout(payout_id=payout(market)), FIRST
    if event in (UnclaimedEvent.SET_OFF, UnclaimedEvent.SET_OFF_PART):
        taken = 10_000 if event is UnclaimedEvent.SET_OFF else 5_000
        return signed(market, told(outcome=Said.CHARGEBACK_LOST, amount=cny(taken), chargeback="dsp1")), SYSTEM
    outcome = Said.PAID_OUT if event is UnclaimedEvent.PAY else Said.PAYOUT_REFUSED
    said = told(reference=payout(market), request=payout(market), outcome=outcome, amount=cny(6_000))
    return signed(market, said), SYSTEM


def payout(market: Market) -> str:
    """By which it leaves; an id that there is not when it does not."""
    lines = market.world.ask(Withdrawals(), actor=ME).items
    return lines[0].id if lines else "pyo_0"


def where(market: Market) -> UnclaimedState:
    """Where the money is."""
    return market.world.ask(UnclaimedOf(), actor=ME).items[0].state


def tried(market: Market, sent: Sent) -> None:
    """Send it, whatever is said to it."""
    try:
        market.world.send(sent[0], actor=sent[1])
    except (Refused, BrokenError):
        return


@pytest.mark.parametrize("event", PaymentEvent, ids=named)
@pytest.mark.parametrize("state", PaymentState, ids=named)
def test_a_payment_goes_where_its_table_says(state: PaymentState, event: PaymentEvent, market: Market) -> None:
    """Whatever the table does not have leaves it where it is, and the books balance."""
    paid_by(market, state, event)
    sent = of_payment(market, event)
    tried(market, sent)
    assert market.payment(1).state is PAYMENTS.get((state, event), state)
    assert market.balanced()


@pytest.mark.parametrize("event", UnclaimedEvent, ids=named)
@pytest.mark.parametrize("state", UnclaimedState, ids=named)
def test_what_is_owed_goes_where_its_table_says(state: UnclaimedState, event: UnclaimedEvent, market: Market) -> None:
    """The same of money that a channel would not give back."""
    id = owed_in(market, state, event)
    tried(market, of_unclaimed(market, id, event))
    assert where(market) is OWED.get((state, event), state)
    assert market.balanced()


@pytest.mark.parametrize("row", PAYMENTS, ids=lambda row: f"{row[0].value}-{row[1].value}")
def test_a_step_of_a_payment_that_the_table_has_lost_is_not_taken(
    row: tuple[PaymentState, PaymentEvent], market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed: so no command goes past the table."""
    paid_by(market, *row)
    sent = of_payment(market, row[1])
    before = market.everything()
    monkeypatch.setattr(paying, "_NEXT", MappingProxyType({kept: next for kept, next in PAYMENTS.items() if kept != row}))
    with pytest.raises((Refused, BrokenError)):
        market.world.send(sent[0], actor=sent[1])
    assert market.everything() == before


@pytest.mark.parametrize("row", OWED, ids=lambda row: f"{row[0].value}-{row[1].value}")
def test_a_step_of_what_is_owed_that_the_table_has_lost_is_not_taken(
    row: tuple[UnclaimedState, UnclaimedEvent], market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of money that a channel would not give back."""
    id = owed_in(market, *row)
    sent = of_unclaimed(market, id, row[1])
    before = market.everything()
    monkeypatch.setattr(unclaimed, "_NEXT", MappingProxyType({kept: next for kept, next in OWED.items() if kept != row}))
    with pytest.raises((Refused, BrokenError)):
        market.world.send(sent[0], actor=sent[1])
    assert market.everything() == before


@pytest.mark.parametrize("event", PaymentEvent, ids=named)
@pytest.mark.parametrize("state", PaymentState, ids=named)
def test_a_payment_refuses_what_its_table_does_not_have(state: PaymentState, event: PaymentEvent) -> None:
    """Every pair is in the table, once, or refused."""
    payment = Payment(
        id=payment_of(1),
        kind=PaymentKind.TOP_UP,
        state=state,
        payer=BUYER,
        currency="CNY",
        checkout_id=None,
        parts=(),
        tenders=(),
        charges=(),
        due=0,
        started_at=0,
    )
    expected = [move.next for move in PAYMENT_MOVES if (move.state, move.event) == (state, event)]
    assert following(payment, event, "payment_ended") == expected


@pytest.mark.parametrize("event", UnclaimedEvent, ids=named)
@pytest.mark.parametrize("state", UnclaimedState, ids=named)
def test_what_is_owed_refuses_what_its_table_does_not_have(state: UnclaimedState, event: UnclaimedEvent) -> None:
    """The same."""
    found = Unclaimed(id="ucl_1", payer=BUYER, request="rrq_1", amount=cny(1), channel="sandbox", state=state, at=0)
    assert [move.next for move in UNCLAIMED_MOVES if (move.state, move.event) == (state, event)] == following(
        found, event, "unclaimed_taken"
    )


def following(one: Any, event: Any, code: str) -> list[Any]:
    """Where an event leads; nowhere when it is refused by this code."""
    try:
        return [one.after(event)]
    except Refused as no:
        return [] if no.code == code else [no]
