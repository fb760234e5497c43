"""Money that a channel would not give back: owed in the books under its payer's name, until they say where it goes."""

import msgspec
import pytest

from support.payments import BUYER, DAY, MINUTE, OTHER, Market, by_channel, cny, order, part, payment_of, refund_id
from yunduan.domains.payments.commands import AbandonPayment
from yunduan.domains.payments.facts import MoneyUnclaimed
from yunduan.domains.payments.model import ChargeState, PieceState, RefundState
from yunduan.domains.payments.owing import RemindOfUnclaimed
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout
from yunduan.domains.payments.payouts_seen import Withdrawals
from yunduan.domains.payments.queries import MoneyOf, RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.taking import LateUnclaimedOf, TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import REMINDED_MS, UNCLAIMED_MOVES, Into, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.refusals import BrokenError

ME = Actor(person=BUYER)
FIRST, SECOND = (Actor(person=PersonId(f"per_{n:026x}"), operator_roles=frozenset({"finance"})) for n in (0x0E, 0x0F))


def misbehave(market: Market, **how: int) -> None:
    """Have the channel behave badly from now on."""
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, **how)


def refused(market: Market, amount: int = 250, *, of: int = 10_000, number: int = 1) -> str:
    """An order that was paid over the channel, which will not give a part of it back; answers what is owed for it."""
    started = market.pay(number, [part(number, of)], [by_channel(of)])
    market.decide(started)
    market.tell()
    misbehave(market, refuses_refunds=1000)
    market.refund(number, of=number, amount=amount)
    market.run_errands()
    market.pass_time(MINUTE)
    misbehave(market, refuses_refunds=0)
    return market.world.ask(UnclaimedOf(), actor=ME).items[0].id


def owed(market: Market) -> int:
    """What the books say is owed to the buyer."""
    return market.balance(unclaimed_account(BUYER, "CNY"))


def state(market: Market, number: int = 1) -> tuple[RefundState, PieceState]:
    """Where the refund stands, and its piece."""
    found = market.world.ask(RefundOf(refund_id=refund_id(number)))
    return found.state, found.pieces[0].state


def take(market: Market, id: str, into: Into, actor: Actor = ME) -> UnclaimedState:
    """Say where it goes."""
    return market.world.send(TakeUnclaimed(unclaimed_id=id, into=into), actor=actor).state


def told(market: Market) -> list[tuple[int, bool]]:
    """What was told of it: how much, and whether it is late."""
    rows = market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", MoneyUnclaimed.__name__)
    return [(fact["amount"]["amount"], fact["is_late"]) for fact in (msgspec.json.decode(body) for (body,) in rows)]


def test_what_a_channel_refuses_waits_for_its_payer(market: Market) -> None:
    """In a state of its own, owed in the books, told, and nowhere else: no wallet has grown."""
    refused(market)
    assert state(market) == (RefundState.UNCLAIMED, PieceState.UNCLAIMED)
    assert (owed(market), market.wallet(), market.returning()) == (250, 0, 0)
    (line,) = market.world.ask(UnclaimedOf(), actor=ME).items
    assert (line.amount, line.state, line.order_id) == (cny(250), UnclaimedState.WAITING, order(1))
    assert market.world.ask(UnclaimedOf(), actor=Actor(person=OTHER)).items == ()
    assert told(market) == [(250, False)]
    assert market.facts("RefundFinished") == 0
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == (cny(250),)
    assert market.balanced()
    assert market.reconciles()


def test_its_payer_takes_it_into_the_wallet_once(market: Market) -> None:
    """The refund is finished by that, and says so."""
    id = refused(market)
    assert take(market, id, Into.WALLET) is UnclaimedState.TAKEN
    assert (owed(market), market.wallet()) == (0, 250)
    assert state(market) == (RefundState.DONE, PieceState.DIVERTED)
    (body,) = market.world.rows("SELECT body FROM fact WHERE kind = 'RefundFinished'")[0]
    assert msgspec.json.decode(body)["diverted"]["amount"] == 250
    before = market.everything()
    for into in Into:
        assert market.world.refusal(TakeUnclaimed(unclaimed_id=id, into=into), actor=ME) == "unclaimed_taken"
    assert market.everything() == before
    market.pass_time(200 * DAY, step=DAY)
    assert told(market) == [(250, False)]
    assert market.reconciles()


def test_or_has_it_paid_to_the_account_that_was_named(market: Market) -> None:
    """Confirmed before; it is on its way until the channel has paid it, and no wallet has a part in it."""
    id = refused(market)
    before = market.everything()
    assert market.world.refusal(TakeUnclaimed(unclaimed_id=id, into=Into.ACCOUNT), actor=ME) == "payee_not_found"
    assert market.everything() == before
    market.name_payee(BUYER)
    assert take(market, id, Into.ACCOUNT) is UnclaimedState.LEAVING
    assert (owed(market), market.leaving(), state(market)) == (0, 250, (RefundState.PENDING, PieceState.LEAVING))
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == (cny(250),)
    assert market.world.refusal(TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), actor=ME) == "unclaimed_taken"
    market.pass_time(2 * MINUTE)
    assert (market.leaving(), market.paid_out(), market.wallet()) == (0, 250, 0)
    assert state(market) == (RefundState.DONE, PieceState.PAID_OUT)
    assert market.facts("RefundFinished") == 1
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == ()
    assert market.reconciles()


def test_what_the_bank_sends_back_waits_again(market: Market) -> None:
    """It is told again, and can be taken another way."""
    id = refused(market)
    market.name_payee(BUYER)
    misbehave(market, refuses_payouts=1000)
    take(market, id, Into.ACCOUNT)
    market.pass_time(2 * MINUTE)
    assert state(market) == (RefundState.UNCLAIMED, PieceState.UNCLAIMED)
    assert (owed(market), market.leaving(), market.wallet(), told(market)) == (250, 0, 0, [(250, False)] * 2)
    assert take(market, id, Into.WALLET) is UnclaimedState.TAKEN
    assert (owed(market), market.wallet()) == (0, 250)
    assert market.balanced()
    assert market.reconciles()


@pytest.mark.parametrize("approved", [True, False])
def test_much_of_it_is_approved_like_any_payout(approved: bool, market: Market) -> None:
    """By two; when one declines it waits again."""
    id = refused(market, 6_000)
    market.name_payee(BUYER)
    take(market, id, Into.ACCOUNT)
    (line,) = market.world.ask(Withdrawals(), actor=ME).items
    if approved:
        for operator in (FIRST, SECOND):
            market.world.send(ApprovePayout(payout_id=line.id), actor=operator)
        market.pass_time(2 * MINUTE)
        assert (state(market)[1], market.paid_out()) == (PieceState.PAID_OUT, 6_000)
    else:
        market.world.send(DeclinePayout(payout_id=line.id), actor=FIRST)
        assert (state(market)[1], owed(market)) == (PieceState.UNCLAIMED, 6_000)
    assert market.balanced()


def test_nobody_takes_what_is_owed_to_another(market: Market) -> None:
    """It is as if it were not there; nothing changes."""
    id = refused(market)
    before = market.everything()
    for actor, ask in ((Actor(person=OTHER), id), (ANONYMOUS, id), (ME, "ucl_0")):
        assert market.world.refusal(TakeUnclaimed(unclaimed_id=ask, into=Into.WALLET), actor=actor) == "unclaimed_not_found"
    with pytest.raises(BrokenError, match="alarm alone"):
        market.world.send(RemindOfUnclaimed(unclaimed_id=id), actor=ME)
    assert market.everything() == before


def test_whoever_says_nothing_is_told_again_and_at_last_operators_are(market: Market) -> None:
    """Each time once and never early; for ever it stays owed."""
    id = refused(market)
    began = market.world.ask(UnclaimedOf(), actor=ME).items[0].at
    for number, wait in enumerate(REMINDED_MS, 1):
        market.world.pass_time(began + wait - 1 - market.world.clock.wall_ms())
        assert len(told(market)) == number
        assert market.world.ask(LateUnclaimedOf()).items == ()
        market.world.pass_time(1)
        assert told(market)[number:] == [(250, number == len(REMINDED_MS))]
    (late,) = market.world.ask(LateUnclaimedOf()).items
    assert (late.id, late.payer_id, late.amount, late.channel) == (id, BUYER, cny(250), "sandbox")
    market.world.pass_time(400 * DAY)
    assert len(told(market)) == 1 + len(REMINDED_MS)
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]
    assert owed(market) == 250
    take(market, id, Into.WALLET)
    assert (market.world.ask(LateUnclaimedOf()).items, market.wallet()) == ((), 250)


def test_a_payment_that_came_too_late_waits_in_the_same_way(market: Market) -> None:
    """Its charge says where it is."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    misbehave(market, refuses_refunds=1000)
    market.decide(started)
    market.tell()
    market.pass_time(MINUTE)
    (line,) = market.world.ask(UnclaimedOf(), actor=ME).items
    assert (line.amount, line.order_id, owed(market)) == (cny(1_000), None, 1_000)
    assert market.payment(1).charges[0].state is ChargeState.UNCLAIMED
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == (cny(1_000),)
    take(market, line.id, Into.WALLET)
    assert (market.payment(1).charges[0].state, market.wallet()) == (ChargeState.DIVERTED, 1_000)
    assert market.reconciles()


def test_lists_of_it_go_by_time_whatever_it_was(market: Market) -> None:
    """Of a payment that came too late, and of refunds after that: the latest first, in pages that follow each other."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    market.decide(started)
    misbehave(market, refuses_refunds=1000)
    market.pass_time(2 * MINUTE)
    refused(market, 250, number=0x200)
    refused(market, 251, number=0x201)
    assert [one.amount.amount for one in market.world.ask(UnclaimedOf(), actor=ME).items] == [251, 250, 1_000]
    first = market.world.ask(UnclaimedOf(limit=2), actor=ME)
    rest = market.world.ask(UnclaimedOf(limit=2, after=first.after), actor=ME)
    assert [one.amount.amount for one in rest.items] == [1_000]


def test_what_is_drawn_from_a_shop_waits_in_the_same_way(market: Market) -> None:
    """After the settlement it is no other: the shop has given it back, and the payer is owed it."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.decide(started)
    market.tell()
    market.settle(1, 0)
    misbehave(market, refuses_refunds=1000)
    market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(400)))
    market.pass_time(2 * MINUTE)
    assert (owed(market), state(market)[0]) == (400, RefundState.UNCLAIMED)
    assert market.balanced()


def test_the_table_names_every_state() -> None:
    """What waits is ended by nobody but its owner, and never by time."""
    assert {move.state for move in UNCLAIMED_MOVES} == {UnclaimedState.WAITING, UnclaimedState.LEAVING}
    assert {move.next for move in UNCLAIMED_MOVES if move.who == "cloud"} == {UnclaimedState.WAITING}
