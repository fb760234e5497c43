"""Chargebacks: what a payer's bank takes back, who bears it, what is restored when it is won, and what a channel may not say."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from support.payments import BUYER, DAY, KEEPER, MINUTE, OTHER, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, cny, order, part
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.payments import charging_back, drawing, model
from yunduan.domains.payments.bearing import BearChargeback
from yunduan.domains.payments.chargebacks import ConcedeChargeback, ContestChargeback
from yunduan.domains.payments.chargebacks_seen import (
    AllChargebacks,
    ChargebackFile,
    ChargebackOf,
    ChargebackOfShop,
    ChargebacksOfShop,
    ClosedBy,
)
from yunduan.domains.payments.closing import AcceptDecision, CloseChargeback
from yunduan.domains.payments.commands import AbandonPayment, BookDifference, RefundEscrow, SettleEscrow
from yunduan.domains.payments.deposits import PledgeDeposit
from yunduan.domains.payments.model import Chargeback, ChargebackState, ChargeState, EscrowState, Mismatch, PaymentRefusal, PieceState
from yunduan.domains.payments.model.chargebacks import Delivery, Otherwise
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout, PayOutShop
from yunduan.domains.payments.payouts_seen import Withdrawals
from yunduan.domains.payments.queries import MoneyOf, OpenAlertsOf, PaymentOf, RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.store import CHARGEBACKS
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedNow, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

FEE = 15
ME = Actor(person=BUYER)
OPERATORS = tuple(Actor(person=PersonId(f"per_{n:026x}"), operator_roles=frozenset({"finance"})) for n in (14, 15))
SELLER = Actor(person=KEEPER)
REFUND = "rfd_{:026x}"


def paid(market: Market, number: int = 1, *amounts: int, wallet: int = 0) -> str:
    """A checkout of an order a shop that has been paid over the channel, but for what the wallet pays; the charge's reference."""
    amounts = amounts or (1_000,)
    if wallet:
        market.fill(BUYER, wallet)
    parts = [part(number * 10 + place, amount, (SHOP, SECOND_SHOP)[place % 2]) for place, amount in enumerate(amounts)]
    tenders = [by_wallet(wallet)] * bool(wallet) + [by_channel(sum(amounts) - wallet)]
    started = market.pay(number, parts, tenders)
    market.decide(started)
    market.tell()
    return market.payment(number).charges[0].reference


def take(market: Market, reference: str, amount: int = 0, *, fee: int = FEE) -> str:
    """The payer's bank takes it back, and the channel tells."""
    name = market.sandbox.charge_back(reference, amount, fee=fee)
    assert name
    market.tell()
    return name


def decide(market: Market, name: str, *, won: bool) -> None:
    """The bank decides, and the channel tells."""
    assert market.sandbox.decide_chargeback(name, won=won)
    market.tell()


def found(market: Market, name: str) -> Chargeback:
    """The chargeback as it is kept."""
    id = model.chargeback_id("sandbox", name)
    kept = msgspec.json.decode(market.world.rows("SELECT body FROM payment_chargeback WHERE id = ?", id)[0][0], type=Chargeback)
    assert CHARGEBACKS.row(kept)[2] == market.world.rows("SELECT state FROM payment_chargeback WHERE id = ?", id)[0][0]
    return kept


def books(market: Market) -> dict[str, int]:
    """What everybody has."""
    ids = {
        "shop": model.shop_account(SHOP, "CNY"),
        "deposit": drawing.deposit_account(SHOP, "CNY"),
        "owed": drawing.receivable_account(SHOP, "CNY"),
        "other shop": model.shop_account(SECOND_SHOP, "CNY"),
        "commission": model.commission_account("CNY"),
        "shortfall": drawing.shortfall_account("CNY"),
        "wallet": model.wallet_account(BUYER, "CNY"),
        "channel": model.channel_account("sandbox", "CNY"),
        "charged": model.charged_account("sandbox", "CNY"),
        "fees": model.fees_account("CNY"),
        "losses": model.losses_account("CNY"),
        "returning": model.returning_account("sandbox", "CNY"),
        "unclaimed": unclaimed_account(BUYER, "CNY"),
    }
    return {name: balance for name, id in ids.items() if (balance := market.balance(id))}


def refused(market: Market, command: Command, actor: Actor = SELLER) -> PaymentRefusal:
    """With what a command is refused; nothing has changed then."""
    before = market.everything()
    with pytest.raises(Refused) as caught:
        market.world.send(command, actor=actor)
    assert market.everything() == before
    return caught.value.code


def alerts(market: Market) -> list[Mismatch]:
    """Why channels were not believed."""
    return [alert.reason for alert in market.world.ask(OpenAlertsOf()).items]


def agree(market: Market) -> bool:
    """Whether the books balance and are the channel's."""
    return market.balanced() and market.reconciles()


def test_what_is_held_is_taken_out_of_the_escrow_and_nothing_of_the_order_moves(market: Market) -> None:
    """Neither to the shop nor back, until it is decided."""
    reference = paid(market)
    name = take(market, reference, 400)
    escrow = market.escrow(10)
    assert (escrow.state, escrow.held, escrow.left, escrow.contested) == (EscrowState.HELD, cny(600), cny(600), 400)
    assert books(market) == {"channel": -600, "charged": FEE, "fees": -FEE}
    assert market.watcher.heard == [("taken", order(10), 400)]
    settle = SettleEscrow(order_id=order(10), shop_id=SHOP, commission=cny(0))
    refund = RefundEscrow(refund_id=REFUND.format(1), order_id=order(10), amount=cny(1))
    assert [refused(market, command) for command in (settle, refund)] == [PaymentRefusal.CHARGED_BACK] * 2
    kept = found(market, name)
    assert (kept.state, kept.amount, kept.fee, kept.borne) == (ChargebackState.OPEN, cny(400), cny(FEE), cny(0))
    assert (market.facts("ChargebackOpened"), market.facts("ChargebackMoved")) == (1, 0)
    assert agree(market)


def test_what_is_won_is_as_if_it_had_never_been(market: Market) -> None:
    """The fee comes back too, and the order is settled as any other."""
    reference = paid(market)
    before = books(market), market.escrow(10)
    name = take(market, reference)
    assert market.escrow(10).held == cny(0)
    decide(market, name, won=True)
    assert (books(market), market.escrow(10)) == before
    assert market.watcher.heard[1:] == [("restored", order(10), 1_000)]
    market.settle(10, 60)
    assert books(market) == {"channel": -1_000, "shop": 940, "commission": 60}
    assert found(market, name).state is ChargebackState.WON
    assert agree(market)


def test_what_is_lost_is_lost_and_its_shop_pays_the_fee(market: Market) -> None:
    """From its balance, its deposit, or as a claim; the escrow of which nothing is left closes."""
    name = take(market, paid(market))
    decide(market, name, won=False)
    escrow = market.escrow(10)
    assert (escrow.state, escrow.held, escrow.contested) == (EscrowState.RETURNED, cny(0), 0)
    assert market.world.rows("SELECT flags FROM account WHERE id = ?", escrow.account)[0][0] & 4
    assert books(market) == {"charged": FEE, "owed": -FEE}
    assert market.watcher.heard[1:] == [("lost", order(10), 1_000)]
    assert refused(market, RefundEscrow(refund_id=REFUND.format(1), order_id=order(10), amount=cny(1))) is PaymentRefusal.ESCROW_NOT_HELD
    assert agree(market)


def test_a_part_that_is_lost_leaves_the_rest_to_settle_and_to_refund(market: Market) -> None:
    """Never more than was captured goes back, refunds and chargebacks together."""
    reference = paid(market)
    decide(market, take(market, reference, 300), won=False)
    assert refused(market, RefundEscrow(refund_id=REFUND.format(1), order_id=order(10), amount=cny(701))) is PaymentRefusal.EXCEEDS_HELD
    market.refund(1, 10, 100)
    market.pass_time(MINUTE)
    market.settle(10, 60)
    assert books(market) == {"channel": -600, "charged": FEE, "shop": 540 - FEE, "commission": 60}
    assert market.sandbox.charge_back(reference, 601) == ""
    assert agree(market)


def test_after_the_settlement_it_is_drawn_as_a_refund_is_and_restored_to_where_it_came_from(market: Market) -> None:
    """Commission in proportion, the balance, the deposit, and a claim for the rest."""
    reference = paid(market)
    market.settle(10, 100)
    name = take(market, reference, 400)
    assert found(market, name).shares[0].drawn == model.Drawn(
        balance=cny(360), deposit=cny(0), owed=cny(0), commission=cny(40), shortfall=cny(0)
    )
    assert books(market) == {"channel": -600, "shop": 540, "commission": 60, "charged": FEE, "fees": -FEE}
    again = RefundSettled(refund_id=REFUND.format(1), order_id=order(10), amount=cny(1))
    assert refused(market, again) is PaymentRefusal.CHARGED_BACK
    decide(market, name, won=True)
    assert books(market) == {"channel": -1_000, "shop": 900, "commission": 100}
    market.world.send(again)
    assert agree(market)


def test_what_the_shop_has_spent_it_owes_and_has_back_when_it_is_won(market: Market) -> None:
    """What came in meanwhile paid the claim, so all of it goes into the balance then."""
    reference = paid(market)
    market.settle(10, 100)
    market.name_payee(SHOP)
    market.world.send(PayOutShop(shop_id=SHOP, amount=cny(800)), actor=SELLER)
    market.pass_time(2 * MINUTE)
    name = take(market, reference)
    assert books(market) == {"owed": -800, "charged": FEE, "fees": -FEE}
    paid(market, 2, 500)
    market.settle(20, 0)
    assert market.balance(drawing.receivable_account(SHOP, "CNY")) == -300
    decide(market, name, won=True)
    assert books(market) == {"channel": -1_500, "shop": 600, "commission": 100}
    assert agree(market)


def test_several_never_take_more_than_was_captured_and_each_is_decided_by_itself(market: Market) -> None:
    """One won and one lost are as one lost."""
    reference = paid(market)
    market.settle(10, 333)
    first, second = take(market, reference, 333), take(market, reference, 334)
    decide(market, first, won=True)
    decide(market, second, won=False)
    alone = {"channel": -666, "charged": FEE, "shop": 667 - 223 - FEE, "commission": 222}
    assert books(market) == alone
    assert market.sandbox.charge_back(reference, 667) == ""
    assert agree(market)


def test_a_checkout_over_several_shops_bears_it_in_proportion(market: Market) -> None:
    """Each what the charge paid of its order, to the last unit; of what the wallet paid nothing is taken."""
    reference = paid(market, 1, 700, 300, wallet=100)
    name = take(market, reference, 900)
    kept = found(market, name)
    assert [(share.order_id, share.shop_id, share.amount) for share in kept.shares] == [
        (order(10), SHOP, cny(630)),
        (order(11), SECOND_SHOP, cny(270)),
    ]
    assert [market.escrow(number).held for number in (10, 11)] == [cny(70), cny(30)]
    (line,) = market.world.ask(ChargebacksOfShop(shop_id=SECOND_SHOP), actor=SELLER).items
    assert (line.amount, [one.id for one in line.orders]) == (cny(270), [order(11)])
    decide(market, name, won=False)
    assert [market.escrow(number).state for number in (10, 11)] == [EscrowState.HELD] * 2
    assert market.balance(drawing.receivable_account(SHOP, "CNY")) == -11  # 10.5, by the largest remainder
    assert market.balance(drawing.receivable_account(SECOND_SHOP, "CNY")) == -4
    assert agree(market)


def test_of_a_top_up_what_is_in_the_wallet_is_taken_and_the_rest_is_the_marketplaces_loss(market: Market) -> None:
    """It is an open matter of its payer meanwhile; what is won goes back to each."""
    market.fill(BUYER, 1_000)
    (reference,) = [line.reference for line in market.sandbox.statement("CNY")]
    market.pay(1, [part(10, 700)], [by_wallet(700)])
    name = take(market, reference)
    assert books(market) == {"charged": FEE, "fees": -FEE, "losses": -700}
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == (cny(1_000),)
    decide(market, name, won=True)
    assert books(market) == {"channel": -1_000, "wallet": 300}
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == ()
    decide(market, take(market, reference, 500), won=False)
    assert books(market) == {"channel": -500, "charged": FEE, "fees": -FEE, "losses": -200}
    assert market.sandbox.charge_back(reference, 501) == ""
    assert agree(market)


def test_what_is_said_twice_late_or_in_another_order_comes_to_the_same(market: Market) -> None:
    """A decision that is heard first opens and ends it; what was opened then is no news."""
    reference = paid(market)
    market.sandbox.misbehaviour = replace(market.sandbox.misbehaviour, doubles=1000)
    name = take(market, reference, 400)
    opened = next(one for one in market.sandbox.chargebacks() if one.chargeback == name)
    decide(market, name, won=False)
    state = market.everything()
    say(market, opened)
    say(market, market.sandbox.chargebacks()[0])
    assert market.everything() == state
    second = market.sandbox.charge_back(reference, 100)
    market.sandbox._books.execute("DELETE FROM delivery").fetchall()
    opened = market.sandbox.chargebacks()[1]
    decide(market, second, won=False)
    say(market, opened)
    assert found(market, second).state is ChargebackState.LOST
    assert market.escrow(10).held == cny(500)
    assert (alerts(market), market.facts("ChargebackOpened")) == ([], 2)
    assert agree(market)


@pytest.mark.parametrize("in_time", [True, False])
def test_one_that_is_heard_of_before_its_capture_says_that_it_was_captured(market: Market, in_time: bool) -> None:
    """The order is paid by it, if it is still waited for, and what was too late is on its way back: nobody has it twice."""
    started = market.pay(1, [part(10, 1_000)], [by_channel(1_000)])
    reference = market.payment(1).charges[0].reference
    market.decide(started)
    market.sandbox._books.execute("DELETE FROM delivery").fetchall()
    market.sandbox.charge_back(reference, 400, fee=FEE)
    if not in_time:
        market.world.send(AbandonPayment(payment_id=market.payment(1).id))
    market.tell()
    assert (alerts(market), market.facts("ChargebackOpened"), market.facts("PaymentCaptured")) == ([], 1, int(in_time))
    if in_time:
        assert (market.escrow(10).held, market.escrow(10).contested) == (cny(600), 400)
    decide(market, market.sandbox.chargebacks()[0].chargeback, won=False)
    market.pass_time(4 * MINUTE, step=MINUTE)
    owing = {"owed": -FEE} if in_time else {"fees": -FEE, "unclaimed": 600}
    assert books(market) == {"channel": -600, "charged": FEE, **owing}
    assert agree(market)


def say(market: Market, event: object) -> None:
    """The channel says something of its own accord."""
    body = msgspec.json.encode(event)
    market.world.run(market._deliver("sandbox", body, market.sandbox.signed(body)))


def test_what_does_not_fit_is_an_alert_and_moves_nothing(market: Market) -> None:
    """Of another channel or merchant, in another currency, of nothing or of too much, of an unknown charge, against what was said."""
    reference = paid(market)
    name = take(market, reference, 400)
    decide(market, name, won=True)
    genuine = replace(market.sandbox.chargebacks()[0], outcome="charged_back", chargeback="dsp9")
    before = market.everything()
    wrong = {
        Mismatch.CHARGE_UNKNOWN: replace(genuine, reference="chg_ffff00"),
        Mismatch.MERCHANT_DIFFERS: replace(genuine, merchant="somebody"),
        Mismatch.CURRENCY_DIFFERS: replace(genuine, amount=Money(amount=400, currency="EUR")),
    }
    for event in wrong.values():
        say(market, event)
    for amount in (0, 1_001):
        say(market, replace(genuine, amount=cny(amount), event=f"of {amount}"))
    say(market, replace(genuine, fee=-1, event="fee"))
    say(market, replace(genuine, chargeback=name, outcome="chargeback_lost", event="other"))
    say(market, replace(genuine, chargeback=name, amount=cny(399), event="less"))
    assert set(alerts(market)) == {*wrong, Mismatch.AMOUNT_DIFFERS, Mismatch.CONTRADICTS}
    after = [row for row in market.everything() if row[0] not in ("payment_alert", "facts")]
    assert after == [row for row in before if row[0] not in ("payment_alert", "facts")]


def test_more_than_is_left_of_a_charge_is_not_believed(market: Market) -> None:
    """What went back has gone back."""
    reference = paid(market)
    market.refund(1, 10, 700)
    market.pass_time(2 * MINUTE)
    assert market.sandbox.charge_back(reference, 301) == ""
    name = take(market, reference, 300)
    event = replace(market.sandbox.chargebacks()[0], chargeback="dsp7", amount=cny(1), event="more")
    say(market, event)
    assert alerts(market) == []  # the other may have been won
    market.pass_time(2 * MINUTE)
    (alert,) = market.world.ask(OpenAlertsOf()).items
    assert (alert.reason, alert.outcome, alert.reference) == (Mismatch.EXCEEDS_CAPTURED, "unknown", reference)
    assert refused(market, BearChargeback(alert_id=alert.id, reason="x")) is PaymentRefusal.NOTHING_TO_BEAR
    say(market, replace(event, chargeback="dsp8", amount=cny(301), event="too much however that ends"))
    assert alerts(market) == [Mismatch.EXCEEDS_CAPTURED] * 2
    decide(market, name, won=False)
    assert market.escrow(10).state is EscrowState.RETURNED
    assert agree(market)


@pytest.mark.parametrize("unreachable", [0, 1_000])
def test_one_that_was_won_and_is_not_heard_of_yet_is_asked_about_before_the_next_is_doubted(market: Market, unreachable: int) -> None:
    """That is taken then, as it would have been; while the channel does not answer it is an alert, and none any more once it has."""
    reference = paid(market)
    first = take(market, reference, 700)
    market.sandbox.misbehaviour = Misbehaviour(loses=1_000)
    decide(market, first, won=True)
    market.sandbox.misbehaviour = Misbehaviour(doubles=1_000)
    second = market.sandbox.charge_back(reference, fee=FEE)
    market.sandbox.misbehaviour = Misbehaviour(unreachable=unreachable)
    before = market.everything()
    market.tell()
    assert [row for row in market.everything() if row[0] != "channel_errand"] == [row for row in before if row[0] != "channel_errand"]
    market.pass_time(3 * MINUTE)
    market.sandbox.misbehaviour = Misbehaviour()
    assert alerts(market) == []
    market.pass_time(20 * MINUTE)
    assert (found(market, first).state, found(market, second).amount, alerts(market)) == (ChargebackState.WON, cny(1_000), [])
    assert (market.escrow(10).contested, market.escrow(10).held, agree(market)) == (1_000, cny(0), True)


def test_what_still_does_not_fit_once_the_channel_was_asked_is_an_alert_until_it_fits(market: Market) -> None:
    """Asked about again and again while the other may be won, and no more when nothing can change by that."""
    reference = paid(market)
    first = take(market, reference, 700)
    event = replace(market.sandbox.chargebacks()[0], chargeback="dsp000002", event="dsp000002.charged_back", amount=cny(301))
    market.sandbox._books.execute("INSERT INTO chargeback SELECT 'dsp000002', reference, 301, fee, state, due FROM chargeback").fetchall()
    say(market, event)
    assert alerts(market) == []
    market.pass_time(2 * MINUTE)
    assert alerts(market) == [Mismatch.EXCEEDS_CAPTURED]
    market.pass_time(3 * DAY, step=DAY // 4)
    assert (alerts(market), market.facts("NotificationMismatched")) == ([Mismatch.EXCEEDS_CAPTURED], 1)
    asked = market.world.rows("SELECT count(*) FROM channel_errand WHERE id LIKE 'ask%'")
    assert asked == [(6,)]
    decide(market, first, won=True)
    market.pass_time(DAY + MINUTE, step=DAY // 4)
    assert (found(market, "dsp000002").amount, alerts(market), agree(market)) == (cny(301), [], True)


def test_what_cannot_fit_is_asked_about_no_more(market: Market) -> None:
    """No other of its charge is undecided, so that nothing is to be heard."""
    reference = paid(market)
    decide(market, take(market, reference, 700), won=False)
    event = replace(market.sandbox.chargebacks()[0], outcome="charged_back", chargeback="dsp7", amount=cny(301), event="more")
    say(market, event)
    assert alerts(market) == [Mismatch.EXCEEDS_CAPTURED]
    assert market.world.rows("SELECT count(*) FROM channel_errand") == [(0,)]


@pytest.mark.parametrize("won", [True, False])
def test_an_operator_has_it_taken_all_the_same_and_the_loss_says_what_nobody_has(market: Market, *, won: bool) -> None:
    """What is left of the charge is taken from whoever has it; the rest is a loss, which comes back when it is won."""
    reference = paid(market)
    market.fill(OTHER, 1_000)
    market.refund(1, 10, 600)
    market.pass_time(MINUTE)
    before = books(market)
    market.sandbox._books.execute(
        "INSERT INTO chargeback VALUES ('dsp9', ?, 500, ?, 'charged_back', ?)", (reference, FEE, market.world.clock.wall_ms() + DAY)
    ).fetchall()
    say(market, next(one for one in market.sandbox.chargebacks() if one.chargeback == "dsp9"))
    (alert,) = market.world.ask(OpenAlertsOf()).items
    assert (alert.reason, alert.name, alert.fee, alert.our_amount) == (Mismatch.EXCEEDS_CAPTURED, "dsp9", cny(FEE), None)
    bear = BearChargeback(alert_id=alert.id, reason="银行来函，以其为准")
    assert refused(market, replace(bear, alert_id="alr_" + "0" * 26)) is PaymentRefusal.ALERT_NOT_FOUND
    stands = market.world.send(bear, actor=OPERATORS[0])
    kept = found(market, "dsp9")
    assert (stands.id, kept.borne, [share.amount for share in kept.shares]) == (kept.id, cny(100), [cny(400)])
    assert books(market) == before | {"channel": -900, "losses": -100, "fees": -FEE, "charged": FEE}
    assert (alerts(market), agree(market)) == ([], True)
    assert refused(market, bear) is PaymentRefusal.NOTHING_TO_BEAR
    file: ChargebackFile = market.world.ask(ChargebackOf(chargeback_id=kept.id))
    at = market.world.clock.wall_ms()
    assert file.beyond == ClosedBy(by_id=OPERATORS[0].person, reason="银行来函，以其为准", at=at)
    assert market.world.ask(ChargebackOfShop(shop_id=SHOP, chargeback_id=kept.id)).beyond is None
    assert "银行来函" not in repr(market.everything())
    decide(market, "dsp9", won=won)
    lost = {"channel": -900, "losses": -100, "owed": -12, "fees": -3, "charged": FEE}
    assert (books(market), agree(market)) == (before if won else lost, True)


def test_what_was_decided_before_an_operator_has_it_taken_is_heard_of_then(market: Market) -> None:
    """The channel is asked at once."""
    reference = paid(market)
    market.fill(OTHER, 1_000)
    market.refund(1, 10, 600)
    market.pass_time(MINUTE)
    market.sandbox._books.execute("INSERT INTO chargeback VALUES ('dsp9', ?, 500, 0, 'chargeback_lost', 1)", (reference,)).fetchall()
    say(market, market.sandbox.chargebacks()[0])
    (alert,) = market.world.ask(OpenAlertsOf()).items
    market.world.send(BearChargeback(alert_id=alert.id, reason="x"), actor=OPERATORS[0])
    market.pass_time(MINUTE)
    assert (found(market, "dsp9").state, agree(market)) == (ChargebackState.LOST, True)


@pytest.mark.parametrize("won", [True, False])
def test_what_an_import_had_collected_too_much_is_taken_from_the_marketplace(market: Market, *, won: bool) -> None:
    """No order has a part in it."""
    paid(market)
    market.world.send(BookDifference(payment_id=market.payment(1).id, channel="sandbox", amount=cny(50)))
    reference = market.payment(1).charges[1].reference
    market.sandbox.collect(reference, cny(50))
    name = take(market, reference, fee=0)
    assert (found(market, name).borne, found(market, name).shares, alerts(market), agree(market)) == (cny(50), (), [], True)
    decide(market, name, won=won)
    assert (market.balance(model.losses_account("CNY")), agree(market)) == (0 if won else -50, True)


def test_only_what_a_bank_has_taken_of_a_charge_of_ours_can_be_borne(market: Market) -> None:
    """Not what names no charge, nor what is known: its decision is taken otherwise."""
    reference = paid(market)
    name = take(market, reference, 400)
    decide_otherwise(market, name, won=False, amount=300)
    genuine = replace(market.sandbox.chargebacks()[0], chargeback="dsp9", event="9")
    say(market, replace(genuine, reference="chg_ffff00"))
    say(market, replace(genuine, merchant="somebody"))
    say(market, replace(genuine, outcome="captured", chargeback="", amount=cny(7)))
    open_now = market.world.ask(OpenAlertsOf()).items
    assert len(open_now) == 4
    for alert in open_now:
        assert refused(market, BearChargeback(alert_id=alert.id, reason="x")) is PaymentRefusal.NOTHING_TO_BEAR


def test_a_decision_about_another_charge_is_asked_for_no_more_and_ended_by_our_figures(market: Market) -> None:
    """Or about another merchant or currency: nothing of it can be taken."""
    reference, other = paid(market), paid(market, 2)
    name = take(market, reference, 400)
    market.sandbox._books.execute("UPDATE chargeback SET reference = ?", (other,)).fetchall()
    decide(market, name, won=False)
    assert (alerts(market), found(market, name).otherwise.wrong) == ([Mismatch.CHARGE_UNKNOWN], Mismatch.CHARGE_UNKNOWN)
    market.sandbox._books.execute("UPDATE chargeback SET reference = 'chg_ffff00'").fetchall()
    id = model.chargeback_id("sandbox", name)
    said = replace(market.sandbox.chargebacks()[0], amount=cny(400))
    for wrong, event in {
        Mismatch.CHARGE_UNKNOWN: said,
        Mismatch.MERCHANT_DIFFERS: replace(said, reference=reference, amount=cny(399), merchant="somebody"),
    }.items():
        say(market, replace(event, event=wrong))
        assert found(market, name).otherwise.wrong is wrong
    assert refused(market, AcceptDecision(chargeback_id=id, reason="x")) is PaymentRefusal.DECISION_FLAWED
    market.pass_time(200 * DAY, step=10 * DAY)
    assert market.world.rows("SELECT count(*) FROM channel_errand WHERE id LIKE 'ask%'") == [(0,)]
    market.world.send(CloseChargeback(chargeback_id=id, won=True, reason="x"), actor=SELLER)
    assert (found(market, name).state, market.escrow(10).contested) == (ChargebackState.WON, 0)


def test_a_chargeback_says_what_it_is_and_nothing_else_says_that(market: Market) -> None:
    """A name of a name with another outcome, or such an outcome without a name, is malformed."""
    reference = paid(market)
    take(market, reference, 400)
    event = market.sandbox.chargebacks()[0]
    for wrong in (replace(event, chargeback=""), replace(event, outcome="captured")):
        say(market, wrong)
    assert market.answers[-2:] == ["notification_malformed"] * 2


def test_a_refund_on_its_way_when_the_bank_takes_all_back_is_not_paid_twice(market: Market) -> None:
    """The channel refuses the refund then; what it would not give back makes up for what the marketplace bore."""
    reference = paid(market)
    market.refund(1, 10, 400)  # decided, and no courier has gone
    name = take(market, reference, 1_000)
    kept = found(market, name)
    assert (kept.borne, [share.amount for share in kept.shares]) == (cny(400), [cny(600)])
    assert books(market) == {"returning": 400, "losses": -400, "charged": FEE, "fees": -FEE}
    market.run_errands()
    assert books(market) == {"charged": FEE, "fees": -FEE}
    refund = market.world.ask(RefundOf(refund_id=REFUND.format(1)))
    assert ([piece.state for piece in refund.pieces], market.facts("RefundFinished")) == ([PieceState.DONE], 1)
    assert agree(market)
    decide(market, name, won=True)
    assert books(market) == {"channel": -600 - 400, "wallet": 400}
    assert market.escrow(10).held == cny(600)
    assert agree(market)


@pytest.mark.parametrize("won", [True, False])
def test_what_a_bank_has_returned_into_the_wallet_is_taken_out_of_it_when_it_comes_again(market: Market, *, won: bool) -> None:
    """The channel had refused the refund, so that its payer has it here: nobody has it twice, and it is no loss."""
    reference = paid(market)
    market.refund(1, 10, 400)
    name = take(market, reference, fee=0)
    market.run_errands()
    decide(market, name, won=True)
    assert books(market) == {"channel": -1_000, "wallet": 400}
    again = take(market, reference, fee=0)
    kept = found(market, again)
    assert (kept.of_wallet, kept.borne, books(market)) == (cny(400), cny(0), {})
    decide(market, again, won=won)
    assert books(market) == ({"channel": -1_000, "wallet": 400} if won else {})
    assert agree(market)


def test_of_a_refused_refund_only_what_the_bank_has_not_paid_is_owed_and_said_to_be(market: Market) -> None:
    """The channel says twice that it refuses the whole: it was asked for the whole."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000, doubles=1_000)
    reference = paid(market)
    market.refund(1, 10, 400)
    market.run_errands()
    name = take(market, reference, 800)
    market.pass_time(MINUTE)
    assert alerts(market) == []
    decide(market, name, won=False)
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == (cny(200),)
    (waiting,) = owed(market)
    market.world.send(TakeUnclaimed(unclaimed_id=waiting.id, into=Into.WALLET), actor=ME)
    (piece,) = market.world.ask(RefundOf(refund_id=REFUND.format(1))).pieces
    assert (piece.state, piece.amount, piece.rest, piece.from_bank) == (PieceState.DIVERTED, cny(400), cny(200), 200)
    assert [one["diverted"]["amount"] for one in told(market, "RefundFinished")] == [200]
    assert agree(market)


def refuse(market: Market, amount: int = 400, *, of: int = 1_000) -> tuple[str, str]:
    """An order of which the channel refuses to give a part back; the charge's reference, and what is owed for it."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000)
    reference = paid(market, 1, of)
    market.refund(1, 10, amount)
    market.pass_time(MINUTE)
    (waiting,) = owed(market)
    return reference, waiting.id


def owed(market: Market) -> tuple[UnclaimedNow, ...]:
    """What is, or was, owed to the buyer."""
    return market.world.ask(UnclaimedOf(), actor=ME).items


def where(market: Market) -> tuple[UnclaimedState, int, PieceState, int]:
    """Where it is and how much, and what the refund says of it and of what came by the bank."""
    (one,) = owed(market)
    (piece,) = market.world.ask(RefundOf(refund_id=REFUND.format(1))).pieces
    return one.state, one.amount.amount, piece.state, piece.from_bank


def test_what_is_owed_waits_while_a_bank_has_it_and_is_as_before_when_that_is_won(market: Market) -> None:
    """The channel still has what it refused to give back; the bank takes it from there."""
    reference, id = refuse(market)
    before = books(market)
    name = take(market, reference)
    assert alerts(market) == []
    assert books(market) == {"unclaimed": 400, "losses": -400, "charged": FEE, "fees": -FEE}
    assert [refused(market, TakeUnclaimed(unclaimed_id=id, into=into), ME) for into in Into] == [PaymentRefusal.CHARGED_BACK] * 2
    assert [(one.amount, one.contested) for one in owed(market)] == [(cny(400), cny(400))]
    market.pass_time(4 * DAY, step=DAY)
    assert market.facts("MoneyUnclaimed") == 1
    assert agree(market)
    decide(market, name, won=True)
    assert owed(market)[0].contested == cny(0)
    assert books(market) == before == {"channel": -1_000, "unclaimed": 400}
    market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), actor=ME)
    assert books(market) == {"channel": -1_000, "wallet": 400}
    assert agree(market)


def test_what_is_owed_is_set_off_when_the_bank_keeps_it(market: Market) -> None:
    """All of it, by a transfer of the book: the payer has had it, and nothing waits any more."""
    reference, id = refuse(market)
    decide(market, take(market, reference), won=False)
    assert where(market) == (UnclaimedState.SET_OFF, 400, PieceState.DONE, 400)
    assert books(market) == {"charged": FEE, "owed": -9, "fees": -6}
    assert refused(market, TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), ME) is PaymentRefusal.UNCLAIMED_TAKEN
    assert [one["diverted"]["amount"] for one in told(market, "RefundFinished")] == [0]
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == ()
    market.pass_time(200 * DAY, step=50 * DAY)
    assert market.facts("MoneyUnclaimed") == 1
    assert agree(market)


def test_only_what_the_bank_has_of_what_is_owed_is_set_off(market: Market) -> None:
    """The rest waits on, and can be taken; a second one takes that too."""
    reference, id = refuse(market)
    name = take(market, reference, 700)
    assert [(one.amount, one.contested) for one in owed(market)] == [(cny(400), cny(100))]
    decide(market, name, won=False)
    assert where(market) == (UnclaimedState.WAITING, 300, PieceState.UNCLAIMED, 100)
    decide(market, take(market, reference, 200), won=False)
    assert where(market) == (UnclaimedState.WAITING, 100, PieceState.UNCLAIMED, 300)
    market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), actor=ME)
    assert where(market) == (UnclaimedState.TAKEN, 100, PieceState.DIVERTED, 300)
    assert (market.wallet(), market.balance(model.losses_account("CNY"))) == (100, 0)
    assert agree(market)


@pytest.mark.parametrize("won", [True, False])
def test_what_was_taken_into_the_wallet_is_taken_out_of_it_by_the_bank(market: Market, *, won: bool) -> None:
    """As what a top-up brought there; what is spent is the marketplace's loss. Nothing more of the wallet is."""
    reference, id = refuse(market)
    market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.WALLET), actor=ME)
    market.fill(BUYER, 50)
    market.pay(2, [part(2, 150)], [by_wallet(150)])
    names = [take(market, reference, 700, fee=0), take(market, reference, 300, fee=0)]
    kept = [found(market, name) for name in names]
    assert [(one.of_wallet, one.borne) for one in kept] == [(cny(100), cny(0)), (cny(200), cny(100))]
    assert agree(market)
    for name in names:
        decide(market, name, won=won)
    assert (market.wallet(), market.balance(model.losses_account("CNY"))) == ((300, 0) if won else (0, -100))
    assert agree(market)


@pytest.mark.parametrize("order_of", ["take, lost, declined", "take, declined, lost", "approved, take, paid, lost"])
def test_what_is_on_its_way_to_an_account_is_set_off_when_it_comes_back(market: Market, order_of: str) -> None:
    """What does not come back was had twice, and is the marketplace's loss; nobody can approve it once a bank may have it."""
    reference, id = refuse(market, 6_000, of=10_000)
    market.name_payee(BUYER)
    market.world.send(TakeUnclaimed(unclaimed_id=id, into=Into.ACCOUNT), actor=ME)
    (line,) = market.world.ask(Withdrawals(), actor=ME).items
    approve = ApprovePayout(payout_id=line.id)
    name = ""
    for step in order_of.split(", "):
        if step == "take":
            name = take(market, reference, fee=0)
            assert (found(market, name).borne, alerts(market)) == (cny(6_000), [])
            is_late = order_of.startswith("approved")
            wrong = PaymentRefusal.PAYOUT_NOT_AWAITED if is_late else PaymentRefusal.CHARGED_BACK
            assert refused(market, approve, OPERATORS[0]) is wrong
        elif step == "lost":
            decide(market, name, won=False)
        elif step == "declined":
            market.world.send(DeclinePayout(payout_id=line.id), actor=OPERATORS[0])
        elif step == "approved":
            for operator in OPERATORS:
                market.world.send(approve, actor=operator)
        else:
            market.fill(OTHER, 10_000)
            market.pass_time(2 * MINUTE)
    if order_of.endswith("paid, lost"):
        assert where(market) == (UnclaimedState.PAID, 6_000, PieceState.PAID_OUT, 0)
        assert market.balance(model.losses_account("CNY")) == -6_000
    else:
        assert where(market) == (UnclaimedState.SET_OFF, 6_000, PieceState.DONE, 6_000)
        assert books(market) == {}
    assert agree(market)


def test_late_money_that_waits_is_taken_by_the_bank_as_any_other(market: Market) -> None:
    """No order has a part in it."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000)
    started = market.pay(1, [part(10, 1_000)], [by_channel(1_000)])
    market.world.send(AbandonPayment(payment_id=started.id))
    market.decide(started)
    market.pass_time(2 * MINUTE)
    (waiting,) = owed(market)
    name = take(market, market.payment(1).charges[0].reference, 300)
    take_it = TakeUnclaimed(unclaimed_id=waiting.id, into=Into.WALLET)
    assert refused(market, take_it, ME) is PaymentRefusal.CHARGED_BACK
    decide(market, name, won=False)
    (charge,) = market.payment(1).charges
    assert (charge.state, charge.rest) == (ChargeState.UNCLAIMED, cny(700))
    market.world.send(take_it, actor=ME)
    assert (market.wallet(), market.payment(1).charges[0].state) == (700, ChargeState.DIVERTED)
    assert agree(market)


def told(market: Market, kind: str) -> list[dict[str, Any]]:
    """Facts of a kind."""
    return [msgspec.json.decode(body) for (body,) in market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind)]


def test_of_late_money_that_goes_back_to_nobody_only_the_rest_is_owed(market: Market) -> None:
    """The bank has taken a part of it before the channel has refused to return it."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000, doubles=1_000)
    started = market.pay(1, [part(10, 1_000)], [by_channel(1_000)])
    market.world.send(AbandonPayment(payment_id=started.id))
    market.decide(started)
    market.tell()
    market.run_errands()
    decide(market, take(market, market.payment(1).charges[0].reference, 300), won=False)
    market.pass_time(MINUTE)
    (charge,) = market.payment(1).charges
    assert (charge.state, charge.amount, charge.rest) == (ChargeState.UNCLAIMED, cny(1_000), cny(700))
    assert (market.world.ask(MoneyOf(person_id=BUYER)).on_its_way, alerts(market)) == ((cny(700),), [])
    assert agree(market)


def test_each_sum_that_makes_up_for_what_was_borne_has_a_name_of_its_own(market: Market) -> None:
    """By its chargeback and its number there, however alike two ids are."""
    one = found(market, take(market, paid(market)))
    alike = replace(one, id=f"cbk_{'0' * 21}{one.id[-5:]}")
    source = model.returning_account("sandbox", "CNY")
    moved = [charging_back.offset(each, source, cny(1)).transfers for each in (one, replace(one, offsets=1), alike)]
    assert len({transfer.id for transfers in moved for transfer in transfers}) == 3


def test_evidence_is_given_until_it_is_due_and_a_courier_takes_it_to_the_channel(market: Market) -> None:
    """Sealed under who gave it; of other shops' chargebacks nobody hears."""
    name = take(market, paid(market))
    id = model.chargeback_id("sandbox", name)
    ask = ContestChargeback(shop_id=SHOP, chargeback_id=id, text="签收人是买家本人", references=("SF1234567890",))
    assert refused(market, replace(ask, shop_id=SECOND_SHOP)) is PaymentRefusal.CHARGEBACK_NOT_FOUND
    assert refused(market, replace(ask, chargeback_id="cbk_" + "0" * 26)) is PaymentRefusal.CHARGEBACK_NOT_FOUND
    stands = market.world.send(ask, actor=SELLER)
    assert stands.state is ChargebackState.CONTESTED
    assert b"\xe7\xad\xbe\xe6\x94\xb6" not in market.world.rows("SELECT sealed FROM payment_evidence")[0][0]
    market.run_errands()
    assert market.sandbox.evidence(name) == ["签收人是买家本人"]
    for number in range(9):
        market.world.send(replace(ask, text=f"{number}"), actor=SELLER)
    assert refused(market, ask) is PaymentRefusal.EVIDENCE_FULL
    file: ChargebackFile = market.world.ask(ChargebackOfShop(shop_id=SHOP, chargeback_id=id))
    assert (len(file.evidence), file.evidence[0].text, file.evidence[0].references) == (10, "签收人是买家本人", ("SF1234567890",))
    with pytest.raises(Refused):
        market.world.ask(ChargebackOfShop(shop_id=SECOND_SHOP, chargeback_id=id))
    assert len(market.world.ask(ChargebackOf(chargeback_id=id)).evidence) == 10
    market.world.pass_time(7 * DAY)
    assert refused(market, ask) is PaymentRefusal.EVIDENCE_LATE
    decide(market, name, won=True)
    assert refused(market, ask) is PaymentRefusal.CHARGEBACK_OTHER_STATE


def test_evidence_that_the_channel_does_not_take_is_told_and_can_be_given_again(market: Market) -> None:
    """Who gave it sees that, and operators do; it does not count against how often evidence may be given."""
    name = take(market, paid(market))
    id = model.chargeback_id("sandbox", name)
    ask = ContestChargeback(shop_id=SHOP, chargeback_id=id, text="签收人是买家本人")
    market.sandbox.misbehaviour = Misbehaviour(refuses_words=1_000)
    for _ in range(10):
        market.world.send(ask, actor=SELLER)
    assert refused(market, ask) is PaymentRefusal.EVIDENCE_FULL
    market.run_errands()
    due = found(market, name).due
    about = {"chargeback_id": id, "shop_id": SHOP, "speaker": KEEPER, "amount": {"amount": 1_000, "currency": "CNY"}, "due": due}
    assert told(market, "EvidenceRefused") == [about] * 10
    market.sandbox.misbehaviour = Misbehaviour()
    market.world.send(ask, actor=SELLER)
    given = [
        market.world.ask(query).evidence for query in (ChargebackOfShop(shop_id=SHOP, chargeback_id=id), ChargebackOf(chargeback_id=id))
    ]
    assert [[one.delivery for one in each] for each in given] == [[Delivery.REFUSED] * 10 + [Delivery.ON_ITS_WAY]] * 2
    market.run_errands()
    file: ChargebackFile = market.world.ask(ChargebackOfShop(shop_id=SHOP, chargeback_id=id))
    assert (file.evidence[-1].delivery, market.sandbox.evidence(name)) == (Delivery.TAKEN, ["签收人是买家本人"])


def test_a_concession_that_the_channel_does_not_take_is_told_and_can_be_made_again(market: Market) -> None:
    """Not before it has answered, and not after it has taken it."""
    name = take(market, paid(market))
    id = model.chargeback_id("sandbox", name)
    ask, file = ConcedeChargeback(chargeback_id=id), ChargebackOf(chargeback_id=id)
    market.sandbox.misbehaviour = Misbehaviour(refuses_words=1_000)
    assert market.world.ask(file).conceded is None
    market.world.send(ask)
    assert (refused(market, ask), market.world.ask(file).conceded) == (PaymentRefusal.CHARGEBACK_OTHER_STATE, Delivery.ON_ITS_WAY)
    market.run_errands()
    assert (market.facts("ConcessionRefused"), market.world.ask(file).conceded) == (1, Delivery.REFUSED)
    market.sandbox.misbehaviour = Misbehaviour()
    market.world.send(ask)
    market.run_errands()
    assert (refused(market, ask), market.world.ask(file).conceded) == (PaymentRefusal.CHARGEBACK_OTHER_STATE, Delivery.TAKEN)
    market.tell()
    assert (found(market, name).state, market.facts("ConcessionRefused")) == (ChargebackState.LOST, 1)


def test_whoever_says_nothing_is_reminded_once_and_then_it_is_too_late(market: Market) -> None:
    """Neither early nor twice; after that the channel is asked what was decided, since its notification may be lost."""
    name = take(market, paid(market))
    id = model.chargeback_id("sandbox", name)
    market.world.pass_time(6 * DAY - 1)
    assert market.facts("ChargebackMoved") == 0
    market.world.pass_time(1)
    assert market.facts("ChargebackMoved") == 1
    market.world.pass_time(DAY - 1)
    assert (market.facts("ChargebackMoved"), found(market, name).state) == (1, ChargebackState.OPEN)
    market.world.pass_time(1)
    assert (market.facts("ChargebackMoved"), found(market, name).state) == (2, ChargebackState.UNANSWERED)
    late = ContestChargeback(shop_id=SHOP, chargeback_id=id, text="x")
    assert refused(market, late) is PaymentRefusal.CHARGEBACK_OTHER_STATE
    market.sandbox.misbehaviour = replace(market.sandbox.misbehaviour, loses=1000)
    decide(market, name, won=False)
    assert found(market, name).state is ChargebackState.UNANSWERED
    market.pass_time(DAY, step=DAY // 2)
    assert found(market, name).state is ChargebackState.LOST
    market.world.pass_time(90 * DAY)
    assert market.facts("ChargebackMoved") == 3
    assert agree(market)


def test_an_operator_concedes_and_money_moves_when_the_channel_has_decided(market: Market) -> None:
    """Once."""
    name = take(market, paid(market))
    id = model.chargeback_id("sandbox", name)
    ask = ConcedeChargeback(chargeback_id=id)
    assert refused(market, ConcedeChargeback(chargeback_id="cbk_" + "0" * 26)) is PaymentRefusal.CHARGEBACK_NOT_FOUND
    assert market.world.send(ask).state is ChargebackState.CONCEDED
    assert refused(market, ask) is PaymentRefusal.CHARGEBACK_OTHER_STATE
    assert market.escrow(10).contested == 1_000
    market.run_errands()
    market.tell()
    assert found(market, name).state is ChargebackState.LOST
    page = market.world.ask(AllChargebacks(limit=1))
    assert ([line.state for line in page.items], page.after) == ([ChargebackState.LOST], None)
    assert agree(market)


def decide_otherwise(market: Market, name: str, *, won: bool, amount: int = 0, fee: int | None = None) -> AcceptDecision:
    """The bank decides with other figures than it had told; answers how an operator takes them."""
    assert market.sandbox.decide_chargeback(name, won=won, amount=amount, fee=fee)
    market.tell()
    return AcceptDecision(chargeback_id=model.chargeback_id("sandbox", name), reason="银行来函更正")


def test_a_decision_with_other_figures_is_an_alert_with_both_and_waits_for_an_operator(market: Market) -> None:
    """Nothing moves, the channel is not asked for ever, and nobody else's word ends it."""
    name = take(market, paid(market), 400)
    before = books(market)
    accept = decide_otherwise(market, name, won=False, amount=300, fee=FEE + 5)
    (alert,) = market.world.ask(OpenAlertsOf()).items
    assert (alert.reason, alert.chargeback_id) == (Mismatch.AMOUNT_DIFFERS, accept.chargeback_id)
    assert (alert.amount, alert.fee, alert.our_amount, alert.our_fee) == (cny(300), cny(FEE + 5), cny(400), cny(FEE))
    assert (books(market), found(market, name).is_decided) == (before, False)
    file: ChargebackFile = market.world.ask(ChargebackOf(chargeback_id=accept.chargeback_id))
    assert file.otherwise == Otherwise(won=False, amount=cny(300), fee=cny(FEE + 5), at=market.world.clock.wall_ms())
    assert market.world.ask(ChargebackOfShop(shop_id=SHOP, chargeback_id=accept.chargeback_id)).otherwise is None
    market.pass_time(200 * DAY, step=10 * DAY)
    assert market.world.rows("SELECT count(*) FROM channel_errand WHERE id LIKE 'ask%'") == [(0,)]
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]
    assert alerts(market) == [Mismatch.AMOUNT_DIFFERS]


@pytest.mark.parametrize("won", [True, False])
@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize(("amount", "fee"), [(0, 40), (0, 0), (150, FEE), (700, 3), (1_000, FEE)])
def test_an_operator_takes_the_banks_figures_and_the_books_are_the_channels(
    market: Market, tmp_path: Path, amount: int, fee: int, *, settled: bool, won: bool
) -> None:
    """As if it had told them from the first day: more is taken, or a part goes back, and then it is decided."""
    (tmp_path / "at once").mkdir()
    with Market(tmp_path / "at once") as other:
        ends = []
        for each, is_told_at_once in ((other, True), (market, False)):
            reference = paid(each, 1, 600, 400)
            if settled:
                each.settle(10, 60)
                each.settle(11, 0, SECOND_SHOP)
                each.world.send(PledgeDeposit(shop_id=SHOP, amount=cny(300)))
            name = take(each, reference, (amount or 500) if is_told_at_once else 500, fee=fee if is_told_at_once else FEE)
            if is_told_at_once:
                decide(each, name, won=won)
            else:
                accept = decide_otherwise(each, name, won=won, amount=amount, fee=fee)
                assert each.world.send(accept, actor=SELLER).state is (ChargebackState.WON if won else ChargebackState.LOST)
            assert agree(each)
            kept = found(each, name)
            ends.append((books(each), each.escrow(10), each.escrow(11), kept.amount, kept.fee, kept.state))
        assert ends[0] == ends[1]


def test_what_the_marketplace_bore_comes_back_first_when_a_bank_keeps_less(market: Market) -> None:
    """Then what came out of the wallet; more is taken from where it is now."""
    started = market.top_up(BUYER, 1_000)
    market.decide(started)
    market.tell()
    market.pay(2, [part(2, 700)], [by_wallet(700)])
    reference = market.world.ask(PaymentOf(payment_id=started.id), actor=ME).charges[0].reference
    name = take(market, reference, 900)
    assert (found(market, name).of_wallet, found(market, name).borne) == (cny(300), cny(600))
    market.world.send(decide_otherwise(market, name, won=False, amount=200), actor=SELLER)
    assert (found(market, name).of_wallet, found(market, name).borne, market.wallet()) == (cny(200), cny(0), 100)
    name = take(market, reference, 50)
    market.world.send(decide_otherwise(market, name, won=False, amount=120), actor=SELLER)
    assert (found(market, name).of_wallet, found(market, name).borne, market.wallet()) == (cny(100), cny(20), 0)
    assert agree(market)


def test_what_no_charge_has_is_not_taken_whatever_a_bank_says(market: Market) -> None:
    """Neither more than is there, nor less than refused refunds have made up for; nothing has changed then."""
    reference = paid(market)
    market.refund(1, 10, 700)
    market.pass_time(2 * MINUTE)
    name = take(market, reference, 200)
    accept = decide_otherwise(market, name, won=False, amount=301)
    assert refused(market, accept) is PaymentRefusal.EXCEEDS_CAPTURED
    reference = paid(market, 2)
    market.refund(2, 20, 400)
    name = take(market, reference, 1_000)
    market.run_errands()
    assert found(market, name).offset == cny(400)
    accept = decide_otherwise(market, name, won=False, amount=399)
    assert refused(market, accept) is PaymentRefusal.AMOUNT_OUT_OF_RANGE


@pytest.mark.parametrize("won", [True, False])
def test_an_operator_ends_by_our_figures_what_a_bank_has_decided_by_mistake(market: Market, *, won: bool) -> None:
    """With a reason, under the operator's key; only such a one, and once."""
    name = take(market, paid(market), 400)
    id = model.chargeback_id("sandbox", name)
    close = CloseChargeback(chargeback_id=id, won=won, reason="银行来函作废")
    assert refused(market, replace(close, chargeback_id="cbk_" + "0" * 26)) is PaymentRefusal.CHARGEBACK_NOT_FOUND
    assert refused(market, close) is PaymentRefusal.FIGURES_AGREE
    accept = decide_otherwise(market, name, won=not won, fee=FEE + 1)
    assert market.world.send(close, actor=SELLER).state is (ChargebackState.WON if won else ChargebackState.LOST)
    assert [refused(market, again) for again in (close, accept)] == [PaymentRefusal.CHARGEBACK_OTHER_STATE] * 2
    assert (found(market, name).fee, market.escrow(10).held) == (cny(FEE), cny(1_000 if won else 600))
    closed = market.world.ask(ChargebackOf(chargeback_id=id)).closed
    assert closed == ClosedBy(by_id=KEEPER, reason="银行来函作废", at=market.world.clock.wall_ms())
    assert "作废".encode() not in market.world.rows("SELECT body FROM payment_chargeback")[0][0]
    assert market.world.ask(ChargebackOfShop(shop_id=SHOP, chargeback_id=id)).closed is None
    assert market.balanced()


def test_a_decision_that_is_put_right_by_the_bank_needs_nobody(market: Market) -> None:
    """It says afterwards what it had told at first."""
    name = take(market, paid(market), 400)
    decide_otherwise(market, name, won=False, fee=FEE + 1)
    say(market, replace(market.sandbox.chargebacks()[0], fee=FEE, event="again"))
    assert found(market, name).state is ChargebackState.LOST
    assert market.escrow(10).held == cny(600)


def test_lists_go_on_where_they_ended(market: Market) -> None:
    """The latest first."""
    reference = paid(market)
    names = []
    for _ in range(3):
        names.append(take(market, reference, 10))
        market.world.pass_time(1_000)
    first = market.world.ask(ChargebacksOfShop(shop_id=SHOP, limit=2))
    second = market.world.ask(ChargebacksOfShop(shop_id=SHOP, limit=2, after=first.after or ""))
    assert [line.name for line in (*first.items, *second.items)] == names[::-1]
    assert second.after is None
