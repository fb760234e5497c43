"""One story of every kind of movement, told on every store: the books come out the same."""

from pathlib import Path
from typing import Any

from support.payments import (
    BUYER,
    DAY,
    KEEPER,
    MINUTE,
    OTHER,
    SECOND_SHOP,
    SHOP,
    Market,
    by_channel,
    by_difference,
    by_wallet,
    cny,
    kept,
    order,
    part,
    payment_of,
    refund_id,
)
from support.stores import Place, cluster, place
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.ledger.queries import TrialBalance
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import AbandonPayment, RefundEscrow
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.payouts import PayOutShop
from yunduan.domains.payments.queries import OpenAlertsOf, ShopBalanceOf, StatementOfShop, WalletOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.splits_seen import RefusedSplits
from yunduan.domains.payments.statements import StatementsOf
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.refusals import Refused

__all__ = ["cluster", "place"]


OURS = ("sandbox", "second")
"""The channels of which no provider keeps the money."""


def told(market: Market) -> dict[str, Any]:
    """Tell the story."""
    market.fill(BUYER, 10_000)
    market.fill(OTHER, 500)
    market.pay(1, [part(1, 1_200), part(2, 800)], [by_wallet(2_000)])
    mixed = market.pay(2, [part(3, 700), part(4, 301)], [by_wallet(400), by_channel(300), by_channel(201, "second"), by_difference(100)])
    market.decide(mixed, which=0)
    market.decide(mixed, which=1)
    given_up = market.pay(3, [part(5, 900)], [by_wallet(450), by_channel(450)], buyer=OTHER)
    market.world.send(AbandonPayment(payment_id=payment_of(3)))
    market.decide(given_up)
    market.pay(4, [part(6, 77)], [by_channel(77)], buyer=OTHER)
    market.pass_time(MINUTE)
    market.settle(1, 60)
    refunds = [(RefundEscrow(refund_id=refund_id(n), order_id=order(3), amount=cny(99)), SYSTEM) for n in range(1, 11)]
    outcomes = market.world.send_all(refunds)
    market.refund(20, of=4, amount=301)
    settled = [(RefundSettled(refund_id=refund_id(n), order_id=order(1), amount=cny(500)), SYSTEM) for n in range(31, 34)]
    outcomes += market.world.send_all(settled)
    market.name_payee(SHOP)
    market.world.send(PayOutShop(shop_id=SHOP, amount=cny(100)), actor=Actor(person=KEEPER))
    market.pass_time(30 * MINUTE)
    trial = market.world.run(market.world.cloud.ask_slow(TrialBalance()))
    return {
        "refused": [outcome.code.value for outcome in outcomes if isinstance(outcome, Refused)],
        "wallets": [market.wallet(BUYER), market.wallet(OTHER)],
        "shop": market.world.ask(ShopBalanceOf(shop_id=SHOP)).balances[0].available.amount,
        "statement": [(line.what, line.change) for line in market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY")).items],
        "purses": len(market.world.ask(WalletOf(), actor=Actor(person=BUYER)).balances),
        "channels": [market.clearing(name) for name in OURS],
        "returning": [market.returning(name) for name in OURS],
        "difference": market.balance(model.difference_account("CNY")),
        "held": [market.escrow(number).held.amount for number in (2, 3, 4)],
        "heard": [verdict for verdict, _ in market.listener.heard],
        "alerts": len(market.world.ask(OpenAlertsOf()).items),
        "payouts": market.world.rows("SELECT state FROM payment_payout"),
        "errands": sorted(market.world.rows("SELECT state FROM channel_errand")),
        "balanced": trial.balanced,
        "reconciles": [market.reconciles(name) for name in OURS],
    }


def test_the_story_ends_the_same_on_every_store(place: Place, tmp_path: Path) -> None:
    """To the last unit, the refused refunds and the couriers' errands included."""
    with Market(tmp_path, store=place.open()) as market:
        end = told(market)
    assert end["refused"] == ["exceeds_held"] * 3 + ["exceeds_captured"]
    assert end["balanced"]
    assert end["reconciles"] == [True, True]
    assert end["returning"] == [0, 0]
    assert (end["shop"], end["statement"], end["purses"], end["alerts"]) == (
        90,
        [("pay_out", -100), ("draw", -475), ("draw", -475), ("settle", 1_140)],
        1,
        0,
    )
    assert end["payouts"] == [("paid",)]
    assert end["held"] == [800, 7, 0]
    assert end["heard"] == ["paid", "not_paid"]
    assert end["wallets"][1] == 500
    money_left = end["wallets"][0] + sum(end["held"]) + 200 + end["difference"] + end["wallets"][1]
    assert money_left == sum(end["channels"])
    assert end["errands"].count(("done",)) == len(end["errands"])


def test_a_story_of_a_provider_ends_the_same_on_every_store(place: Place, tmp_path: Path) -> None:
    """One split is done, one refused and asked again, one order goes back from the hold, and one waits in it."""
    with Market(tmp_path, store=place.open()) as market:
        market.fill(BUYER, 1_000)
        parts = [part(n, 500 + n, SHOP if n % 2 else SECOND_SHOP) for n in range(1, 5)]
        market.decide(market.pay(1, parts, [by_wallet(1_000), by_channel(1_010, "custodian")]))
        market.tell()
        market.settle(1, 25)
        market.refund(1, of=2, amount=502)
        market.pass_time(MINUTE)
        market.custodian.misbehaviour = Misbehaviour(refuses_splits=1000)
        market.settle(3, 50)
        market.pass_time(MINUTE)
        refused = market.world.ask(RefusedSplits()).items
        assert [(one.order_id, one.to_shop + one.to_marketplace) for one in refused] == [(order(3), refused[0].to_shop + cny(25))]
        market.custodian.misbehaviour = Misbehaviour()
        market.world.send(AskSplitAgain(split_id=refused[0].id))
        market.pass_time(MINUTE)
        assert market.world.ask(RefusedSplits()).items == ()
        states = market.world.rows("SELECT state FROM escrow ORDER BY order_id")
        assert states == [("settled",), ("returned",), ("settled",), ("held",)]
        held = sum(one.left for one in market.escrow(4).funding if one.channel == "custodian")
        assert kept(market) == KeptBalances(held=held, given=market.balance(model.received_account(SHOP, "CNY")), own=38)
        earned = market.balance(model.shop_account(SHOP, "CNY")) + market.balance(model.received_account(SHOP, "CNY"))
        assert (earned, market.balance(model.commission_account("CNY"))) == (501 + 503 - 75, 75)
        assert [market.reconciles(name) for name in market.sandboxes] == [True, True, True]
        market.world.send(RefundSettled(refund_id=refund_id(2), order_id=order(3), amount=cny(100)))
        name = market.custodian.charge_back(market.payment(1).charges[0].reference, 90)
        market.pass_time(MINUTE)
        market.custodian.decide_chargeback(name, won=False)
        market.pass_time(2 * DAY, step=DAY // 12)
        assert [(one.state, one.differing) for one in market.world.ask(StatementsOf(channel="custodian")).items] == [("agrees", 0)] * 2
        assert [market.reconciles(name) for name in market.sandboxes] == [True, True, True]
        assert market.world.run(market.world.cloud.ask_slow(TrialBalance())).balanced
