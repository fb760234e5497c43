"""Chargebacks of money that a provider keeps: the bank has it from what is ours there, and the hold makes up for it when it stays lost."""

import msgspec
import pytest

from support.payments import BUYER, DAY, MINUTE, SHOP, Market, by_channel, cny, kept, order, part, refund_id
from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import EscrowState, RefundState, SplitState
from yunduan.domains.payments.queries import MoneyOf, OpenAlertsOf, RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into, unclaimed_account
from yunduan.kernel.actors import Actor

ME = Actor(person=BUYER)


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def paid(market: Market, amount: int = 1_000, *, number: int = 1) -> str:
    """An order paid over the custodian; answers its charge."""
    market.decide(market.pay(number, [part(number, amount)], [by_channel(amount, "custodian")]))
    market.tell()
    return market.payment(number).charges[0].reference


def decided(market: Market, name: str, *, won: bool) -> None:
    """The bank decides, and everything that follows from it is done."""
    market.custodian.decide_chargeback(name, won=won)
    market.pass_time(5 * MINUTE)


def of_shop(market: Market) -> tuple[int, int, int]:
    """What the shop has here and there, and what it owes."""
    accounts = (model.shop_account, model.received_account, drawing.receivable_account)
    here, there, claim = (market.balance(id_of(SHOP, "CNY")) for id_of in accounts)
    return here, there, -claim


@pytest.mark.parametrize("won", [True, False])
def test_what_is_held_leaves_the_order_and_stays_in_the_hold_until_it_is_lost(market: Market, won: bool) -> None:
    """Ours there is below nothing meanwhile; lost, the provider hands it over out of the hold, and the rest is settled."""
    name = market.custodian.charge_back(paid(market), 400)
    market.tell()
    assert (market.escrow(1).held, market.escrow(1).contested, kept(market)) == (cny(600), 400, KeptBalances(held=1_000, given=0, own=-400))
    assert market.reconciles("custodian")
    decided(market, name, won=won)
    assert kept(market) == (KeptBalances(held=1_000, given=0, own=0) if won else KeptBalances(held=600, given=0, own=0))
    market.settle(1, 60)
    market.pass_time(MINUTE)
    left = 1_000 if won else 600
    assert (of_shop(market), kept(market)) == ((0, left - 60, 0), KeptBalances(held=0, given=left - 60, own=60))
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_all_that_is_held_may_be_lost(market: Market) -> None:
    """The escrow ends, and nothing stays in the hold."""
    name = market.custodian.charge_back(paid(market))
    market.tell()
    decided(market, name, won=False)
    assert (market.escrow(1).state, kept(market)) == (EscrowState.RETURNED, KeptBalances(held=0, given=0, own=0))
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


@pytest.mark.parametrize("won", [True, False])
def test_what_was_split_is_drawn_from_the_shop_here_by_rule(market: Market, won: bool) -> None:
    """It is a claim where the shop has nothing here; won, it pays that off."""
    reference = paid(market)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    name = market.custodian.charge_back(reference, 400)
    market.tell()
    assert (of_shop(market), kept(market)) == ((0, 950, 380), KeptBalances(held=0, given=950, own=-350))
    decided(market, name, won=won)
    assert of_shop(market) == (0, 950, 0 if won else 380)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


@pytest.mark.parametrize("won", [True, False])
def test_a_bank_that_comes_while_it_is_split_finds_it_as_if_it_were_settled(market: Market, won: bool) -> None:
    """The split goes on, refused or not, and the shop pays from what it has here, or out of the split when that is asked again."""
    misbehave(market, refuses_splits=1000)
    reference = paid(market)
    market.settle(1, 50)
    name = market.custodian.charge_back(reference, 400)
    market.pass_time(MINUTE)
    assert (market.escrow(1).state, market.escrow(1).held, of_shop(market)) == (EscrowState.SPLITTING, cny(1_000), (0, 0, 380))
    ask = RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(10))
    assert market.world.refusal(ask) == "charged_back"
    decided(market, name, won=won)
    assert market.world.send(ask).state is RefundState.PENDING
    misbehave(market, refuses_splits=0)
    ((id,),) = market.world.rows("SELECT id FROM payment_split WHERE state = ?", SplitState.REFUSED)
    market.world.send(AskSplitAgain(split_id=id))
    market.pass_time(MINUTE)
    paid_off, missing = (0, 0) if won else (380, -20)
    assert of_shop(market)[1] + market.balance(model.commission_account("CNY")) == 990 - paid_off
    assert (of_shop(market)[2], market.balance(drawing.shortfall_account("CNY"))) == (0, missing)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


@pytest.mark.parametrize("amounts", [[600], [250, 350], [1, 598]])
def test_what_a_bank_has_left_of_what_waits_to_be_split_can_be_given_back(market: Market, amounts: list[int]) -> None:
    """Out of the hold; what the shop was to pay the bank with is taken out of the split, it has what is left, and no more goes back."""
    misbehave(market, refuses_splits=1000)
    name = market.custodian.charge_back(split_waits(market), 400)
    market.tell()
    decided(market, name, won=False)
    for number, amount in enumerate(amounts, 1):
        market.world.send(RefundSettled(refund_id=refund_id(number), order_id=order(1), amount=cny(amount)))
        market.pass_time(MINUTE)
    left = 600 - sum(amounts)
    more = RefundSettled(refund_id=refund_id(9), order_id=order(1), amount=cny(left + 1))
    assert market.world.refusal(more) == "exceeds_captured"
    assert (market.escrow(1).held, market.escrow(1).left, kept(market).held) == (cny(400 + left), cny(left), 400 + left)
    misbehave(market, refuses_splits=0)
    market.world.send(AskSplitAgain(split_id=model.split_id(order(1), 0)))
    market.pass_time(MINUTE)
    assert (market.escrow(1).state, kept(market).held, of_shop(market)[1:]) == (EscrowState.SETTLED, 0, (left, 0))
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def split_waits(market: Market) -> str:
    """An order whose split has been refused; answers its charge."""
    reference = paid(market)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    return reference


@pytest.mark.parametrize("won", [True, False])
def test_a_refund_that_a_bank_came_before_is_in_the_hold_and_ours_or_goes_back_after_all(market: Market, won: bool) -> None:
    """Lost, the hold makes up for what we bore; won, it goes to the payer the way it came, never into a wallet."""
    reference = paid(market)
    market.refund(1, of=1, amount=1_000)
    name = market.custodian.charge_back(reference)
    market.tell()
    assert (market.balance(model.losses_account("CNY")), kept(market)) == (-1_000, KeptBalances(held=1_000, given=0, own=-1_000))
    market.pass_time(MINUTE)
    assert market.balance(model.losses_account("CNY")) == 0
    decided(market, name, won=won)
    assert (kept(market), market.returning("custodian"), market.wallet(BUYER)) == (KeptBalances(held=0, given=0, own=0), 0, 0)
    assert market.world.ask(RefundOf(refund_id=refund_id(1))).state is RefundState.DONE
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def returned(market: Market) -> str:
    """A refund that the provider refused since a bank had the money, which has returned it: its charge."""
    reference = paid(market)
    market.refund(1, of=1, amount=1_000)
    name = market.custodian.charge_back(reference)
    market.tell()
    market.pass_time(MINUTE)
    market.custodian.decide_chargeback(name, won=True)
    market.tell()
    return reference


@pytest.mark.parametrize("refuses", [0, 1_000])
@pytest.mark.parametrize("won", [True, False])
def test_what_a_bank_has_returned_and_takes_again_its_payer_has_once(market: Market, refuses: int, *, won: bool) -> None:
    """Whether the provider had given it back meanwhile, or would not, so that it was owed: it is the payer's open matter until then."""
    misbehave(market, refuses_refunds=refuses)
    reference = returned(market)
    owns = market.world.ask(MoneyOf(person_id=BUYER)).on_its_way
    market.pass_time(5 * MINUTE)
    assert owns == (cny(1_000),)
    name = market.custodian.charge_back(reference)
    assert bool(name) is bool(refuses)
    if not refuses:
        assert (market.world.ask(MoneyOf(person_id=BUYER)).on_its_way, kept(market).held) == ((), 0)
        return
    market.tell()
    assert market.balance(unclaimed_account(BUYER, "CNY")) == 1_000
    decided(market, name, won=won)
    waits = 1_000 if won else 0
    assert market.balance(unclaimed_account(BUYER, "CNY")) == waits
    assert sum(money.amount for money in market.world.ask(MoneyOf(person_id=BUYER)).on_its_way) == waits
    assert (kept(market), market.balance(model.losses_account("CNY"))) == (KeptBalances(held=waits, given=0, own=0), 0)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_what_a_provider_has_given_back_after_a_bank_returned_it_is_there_no_more(market: Market) -> None:
    """Nor what it has paid to the account that its payer had named: who says that it was taken is not believed."""
    returned(market)
    market.pass_time(5 * MINUTE)
    event = msgspec.structs.replace(market.custodian.chargebacks()[0], chargeback="dsp7", outcome="charged_back", amount=cny(1))
    assert say(market, event) == ["exceeds_captured"]
    second = paid(market, number=2)
    misbehave(market, refuses_refunds=1_000)
    market.refund(2, of=2, amount=1_000)
    market.pass_time(5 * MINUTE)
    misbehave(market, refuses_refunds=0)
    market.name_payee(BUYER)
    (waits,) = market.world.ask(UnclaimedOf(), actor=ME).items
    market.world.send(TakeUnclaimed(unclaimed_id=waits.id, into=Into.ACCOUNT), actor=ME)
    market.pass_time(5 * MINUTE)
    assert say(market, msgspec.structs.replace(event, reference=second, chargeback="dsp8", event="8")) == ["exceeds_captured"] * 2
    assert market.reconciles("custodian")


def say(market: Market, event: object) -> list[str]:
    """The provider says something of its own accord; the alerts that are open then."""
    body = msgspec.json.encode(event)
    market.world.run(market._deliver("custodian", body, market.custodian.signed(body)))
    return [alert.reason for alert in market.world.ask(OpenAlertsOf()).items]


def test_what_makes_up_for_it_is_asked_for_every_day_until_the_provider_does(market: Market) -> None:
    """It is nobody else's, and no order waits for it."""
    name = market.custodian.charge_back(paid(market), 400)
    market.tell()
    misbehave(market, refuses_splits=1000)
    decided(market, name, won=False)
    assert kept(market) == KeptBalances(held=1_000, given=0, own=-400)
    market.pass_time(3 * DAY, step=DAY // 4)
    assert market.world.rows("SELECT state FROM channel_errand WHERE id LIKE 'cov%'") == [("refused",)] * 3
    misbehave(market, refuses_splits=0)
    market.pass_time(DAY + MINUTE, step=DAY // 4)
    assert (kept(market), market.reconciles("custodian")) == (KeptBalances(held=600, given=0, own=0), True)
