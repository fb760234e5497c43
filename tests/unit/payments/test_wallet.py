"""Top-ups and payments from the wallet alone: the hot path."""

import pytest

from support.payments import (
    BUYER,
    MINUTE,
    OTHER,
    SECOND_SHOP,
    Market,
    by_channel,
    by_difference,
    by_wallet,
    checkout,
    cny,
    order,
    part,
    payment_of,
)
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import PayOrders, TopUpWallet
from yunduan.domains.payments.model import EscrowState, Funding, PaymentState, Tender, TenderKind
from yunduan.domains.payments.queries import PaymentOf, StatementOfWallet, WalletOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

ME = Actor(person=BUYER)


def test_a_top_up_fills_the_wallet_when_the_channel_has_collected(market: Market) -> None:
    """Nothing is there before the notification, everything after it."""
    started = market.top_up(BUYER, 5_000)
    assert started.state is PaymentState.PENDING
    assert (market.wallet(), market.clearing()) == (0, 0)
    market.decide(started)
    assert market.wallet() == 0
    assert market.tell() == 1
    assert (market.wallet(), market.clearing(), market.facts("WalletToppedUp")) == (5_000, 5_000, 1)
    assert market.world.ask(WalletOf(), actor=ME).balances[0].available == cny(5_000)
    assert market.world.ask(WalletOf(), actor=Actor(person=OTHER)).balances == ()
    assert market.world.ask(WalletOf(), actor=ANONYMOUS).balances == ()
    assert market.balanced()
    assert market.reconciles()


@pytest.mark.parametrize("amount", [0, model.TOP_UP_MAX + 1, 10**15])
def test_a_top_up_out_of_range_is_refused(market: Market, amount: int) -> None:
    """And nothing is written."""
    before = market.everything()
    assert market.world.refusal(TopUpWallet(amount=cny(amount), channel="sandbox"), actor=ME) == "amount_out_of_range"
    assert market.everything() == before


def test_a_top_up_over_a_channel_that_there_is_not_is_refused(market: Market) -> None:
    """And nothing is written."""
    before = market.everything()
    assert market.world.refusal(TopUpWallet(amount=cny(1), channel="nowhere"), actor=ME) == "channel_unknown"
    assert market.everything() == before


def test_a_top_up_that_is_declined_brings_nothing(market: Market) -> None:
    """And no listener is told: there is no checkout."""
    started = market.top_up(BUYER, 5_000)
    market.decide(started, approve=False)
    market.tell()
    assert market.world.ask(PaymentOf(payment_id=started.id)).state is PaymentState.FAILED
    assert (market.wallet(), market.clearing(), market.listener.heard) == (0, 0, [])


def test_the_wallet_pays_every_order_at_once(market: Market) -> None:
    """Each order has an escrow of its own, and the answer says so without the listener."""
    market.fill(BUYER, 10_000)
    started = market.pay(1, [part(1, 2_500), part(2, 3_999, SECOND_SHOP)], [by_wallet(6_499)])
    assert (started.id, started.state, started.redirects) == (payment_of(1), PaymentState.CAPTURED, ())
    assert (market.wallet(), market.balance(model.escrow_account(order(1))), market.balance(model.escrow_account(order(2)))) == (
        3_501,
        2_500,
        3_999,
    )
    assert market.escrow(2).held == cny(3_999)
    assert market.escrow(2).funding == (Funding(kind=TenderKind.WALLET, amount=cny(3_999)),)
    assert market.facts("PaymentCaptured") == 1
    assert market.listener.heard == []
    assert market.balanced()


def test_a_wallet_that_is_too_small_pays_nothing(market: Market) -> None:
    """One fen short, or no wallet at all: the same code, and nothing is written."""
    market.fill(BUYER, 6_498)
    before = market.everything()
    asked = market.paying(1, [part(1, 2_500), part(2, 3_999)], [by_wallet(6_499)])
    assert market.world.refusal(asked) == "insufficient_funds"
    assert market.world.refusal(market.paying(1, [part(1, 1)], [by_wallet(1)], buyer=OTHER)) == "insufficient_funds"
    assert market.everything() == before


def test_an_order_that_costs_nothing_needs_no_tender(market: Market) -> None:
    """It is paid, and its escrow can be settled at zero."""
    assert market.pay(1, [part(1, 0)], []).state is PaymentState.CAPTURED
    assert market.escrow(1).held == cny(0)
    assert market.settle(1, 0).to_shop == cny(0)
    assert market.escrow(1).state is EscrowState.SETTLED
    assert market.world.rows("SELECT id FROM account") == []


def test_a_free_order_beside_a_paid_one_moves_nothing(market: Market) -> None:
    """Its escrow has no account."""
    market.fill(BUYER, 100)
    market.pay(1, [part(1, 0), part(2, 100)], [by_wallet(100)])
    assert (market.escrow(1).funding, market.escrow(2).held) == ((), cny(100))
    assert market.balance(model.escrow_account(order(2))) == 100


@pytest.mark.parametrize(
    "tenders",
    [
        [by_wallet(99)],
        [by_wallet(101)],
        [],
        [by_wallet(50), by_wallet(50)],
        [by_wallet(100), Tender(kind=TenderKind.WALLET, amount=cny(0))],
        [Tender(kind=TenderKind.WALLET, amount=cny(100), channel="sandbox")],
        [Tender(kind=TenderKind.CHANNEL, amount=cny(100))],
        [Tender(kind=TenderKind.WALLET, amount=Money(amount=100, currency="USD"))],
        [by_wallet(50), Tender(kind=TenderKind.CHANNEL, amount=Money(amount=50, currency="USD"), channel="sandbox")],
    ],
)
def test_tenders_that_are_not_what_the_orders_cost_are_refused(market: Market, tenders: list[Tender]) -> None:
    """Sum, currency, doubled or empty tenders: nothing changes."""
    market.fill(BUYER, 1_000)
    before = market.everything()
    assert market.world.refusal(market.paying(1, [part(1, 100)], tenders)) == "tenders_do_not_match"
    assert market.everything() == before


def test_an_order_named_twice_is_refused(market: Market) -> None:
    """Its escrow would be one."""
    market.fill(BUYER, 1_000)
    assert market.world.refusal(market.paying(1, [part(1, 100), part(1, 100)], [by_wallet(200)])) == "tenders_do_not_match"


def test_a_difference_is_the_clouds_own_tender(market: Market) -> None:
    """Nobody else may have the marketplace pay."""
    asked = market.paying(1, [part(1, 100)], [by_difference(100)])
    assert market.world.refusal(asked, actor=ME) == "tenders_do_not_match"
    assert market.world.send(asked, actor=SYSTEM).state is PaymentState.CAPTURED
    assert market.balance(model.difference_account("CNY")) == -100
    assert market.balance(model.escrow_account(order(1))) == 100


def test_a_payment_is_made_once(market: Market) -> None:
    """Its id comes from the checkout: a second one is refused and takes no money."""
    market.fill(BUYER, 1_000)
    market.pay(1, [part(1, 100)], [by_wallet(100)])
    before = market.everything()
    assert market.world.refusal(market.paying(1, [part(2, 100)], [by_wallet(100)])) == "payment_exists"
    assert market.world.refusal(market.paying(1, [part(1, 100)], [by_wallet(100)])) == "payment_exists"
    assert market.everything() == before


def test_a_wallet_is_never_spent_twice_by_payments_that_race(market: Market) -> None:
    """A hundred payments of 100 from a wallet of 1,050: ten are paid."""
    market.fill(BUYER, 1_050)
    commands: list[tuple[PayOrders, Actor]] = [(market.paying(n, [part(n, 100)], [by_wallet(100)]), SYSTEM) for n in range(1, 101)]
    outcomes = market.world.send_all(commands)
    refused = [outcome.code.value for outcome in outcomes if isinstance(outcome, Refused)]
    assert refused == ["insufficient_funds"] * 90
    assert market.wallet() == 50
    assert market.balanced()


def test_a_payment_is_seen_by_its_payer_and_by_operators(market: Market) -> None:
    """To everybody else it is as if it were not there."""
    market.fill(BUYER, 100)
    market.pay(1, [part(1, 100)], [by_wallet(100)])
    ask = PaymentOf(payment_id=payment_of(1))
    assert market.world.ask(ask, actor=ME).checkout_id == checkout(1)
    assert market.world.ask(ask, actor=Actor(person=OTHER, operator_roles=frozenset({"finance"}))).payer == BUYER
    for stranger in (ANONYMOUS, Actor(person=OTHER), Actor(person=OTHER, operator_roles=frozenset({"analyst"}))):
        with pytest.raises(Refused) as refused:
            market.world.ask(ask, actor=stranger)
        assert refused.value.code == "payment_not_found"
    with pytest.raises(Refused) as absent:
        market.world.ask(PaymentOf(payment_id=payment_of(2)), actor=ME)
    assert (absent.value.code, absent.value.detail) == ("payment_not_found", "")


def test_a_wallet_statement_names_what_each_movement_was(market: Market) -> None:
    """Newest first, with the balance after each."""
    market.fill(BUYER, 1_000)
    market.pay(1, [part(1, 300), part(2, 200)], [by_wallet(500)])
    market.refund(1, of=1, amount=120)
    statement = market.world.ask(StatementOfWallet(currency="CNY"), actor=ME)
    assert [(line.what, line.change, line.balance) for line in statement.items] == [
        ("refund", 120, 620),
        ("fund", -200, 500),
        ("fund", -300, 700),
        ("top_up", 1_000, 1_000),
    ]
    assert market.world.ask(StatementOfWallet(currency="CNY"), actor=Actor(person=OTHER)).items == ()


def test_a_held_wallet_shows_what_is_set_aside(market: Market) -> None:
    """Available falls at once; the balance falls when the channel has spoken."""
    market.fill(BUYER, 1_000)
    market.pay(1, [part(1, 700)], [by_wallet(400), by_channel(300)])
    (balance,) = market.world.ask(WalletOf(), actor=ME).balances
    assert (balance.available, balance.held) == (cny(600), cny(400))
    assert market.world.refusal(market.paying(2, [part(2, 601)], [by_wallet(601)])) == "insufficient_funds"


def test_paying_two_orders_from_the_wallet_costs_few_statements(market: Market) -> None:
    """A budget, so that the hot path stays short; what is remembered of the last batch is not read again."""
    market.fill(BUYER, 1_000_000)
    market.pay(1, [part(1, 100), part(2, 100)], [by_wallet(200)])
    before = market.world.cloud.writer.statements
    market.pay(2, [part(3, 100), part(4, 100)], [by_wallet(200)])
    assert market.world.cloud.writer.statements - before <= 12
    before = market.world.cloud.writer.statements
    commands: list[tuple[PayOrders, Actor]] = [
        (market.paying(n, [part(2 * n, 100), part(2 * n + 1, 100)], [by_wallet(200)], due_in=MINUTE), SYSTEM) for n in range(100, 164)
    ]
    market.world.send_all(commands)
    assert (market.world.cloud.writer.statements - before) / 64 <= 3.5
