"""Discounts that the marketplace pays for: taken from what is set aside, never beyond it, and given back to it alone."""

import pytest

from support.payments import BUYER, MINUTE, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, cny, order, part, payment_of, refund_id
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import AbandonPayment, RefundEscrow, SetAsideForPromotions
from yunduan.domains.payments.model import EscrowState, Funding, PaymentState, PieceState, Tender, TenderKind
from yunduan.domains.payments.queries import PlatformAccountsOf, StatementOfShop
from yunduan.kernel.actors import Actor
from yunduan.kernel.refusals import Refused


def test_the_marketplace_pays_its_part_into_escrow(market: Market) -> None:
    """The buyer pays 800 of 1,000; the shop is settled as if there were no discount, and another order of the checkout has its own."""
    market.set_aside(1_000)
    market.fill(BUYER, 1_000)
    parts = [part(1, 800, promoted=200), part(2, 150, SECOND_SHOP), part(3, 50, promoted=30)]
    assert market.pay(1, parts, [by_wallet(1_000)]).state is PaymentState.CAPTURED
    assert (market.wallet(), market.promotions()) == (0, 770)
    assert [market.escrow(n).held for n in (1, 2, 3)] == [cny(1_000), cny(150), cny(80)]
    assert market.escrow(1).funding == (
        Funding(kind=TenderKind.WALLET, amount=cny(800)),
        Funding(kind=TenderKind.PROMOTION, amount=cny(200)),
    )
    assert market.settle(1, 50).to_shop == cny(950)
    statement = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY"))
    assert [(line.what, line.change) for line in statement.items] == [("settle", 950)]
    platform = {account.name: account.balance for account in market.world.ask(PlatformAccountsOf(currency="CNY")).items}
    assert (platform["promotions"], platform["commission"]) == (770, 50)
    assert market.balanced()


@pytest.mark.parametrize("wallet", [0, 300])
def test_it_waits_beside_the_channel_and_funds_with_it(market: Market, wallet: int) -> None:
    """Taken when the checkout is placed, so that it is there when the channel has collected, whatever others spend meanwhile."""
    market.set_aside(200)
    market.fill(BUYER, 300)
    tenders = ([by_wallet(wallet)] if wallet else []) + [by_channel(800 - wallet)]
    started = market.pay(1, [part(1, 800, promoted=200)], tenders)
    assert (started.state, market.promotions()) == (PaymentState.PENDING, 0)
    assert market.world.refusal(market.paying(2, [part(2, 1, promoted=1)], [by_channel(1)])) == "promotions_empty"
    market.decide(started)
    market.tell()
    assert (market.payment(1).state, market.escrow(1).held, market.promotions()) == (PaymentState.CAPTURED, cny(1_000), 0)
    clearing = market.world.ask(AccountOf(id=model.clearing_account(payment_of(1))))
    assert clearing is not None
    assert (clearing.balance, clearing.closed) == (0, True)
    assert market.balanced()


@pytest.mark.parametrize("ending", ["declined", "abandoned", "expired"])
@pytest.mark.parametrize("wallet", [0, 300])
def test_what_is_not_paid_leaves_it_where_it_was(market: Market, ending: str, wallet: int) -> None:
    """Given back whole when the payment ends; a capture that comes after that is the channel's to return, and takes nothing more."""
    market.set_aside(200)
    market.fill(BUYER, 300)
    tenders = ([by_wallet(wallet)] if wallet else []) + [by_channel(800 - wallet)]
    started = market.pay(1, [part(1, 800, promoted=200)], tenders)
    if ending == "declined":
        market.decide(started, approve=False)
        market.tell()
    elif ending == "abandoned":
        market.world.send(AbandonPayment(payment_id=payment_of(1)))
        market.decide(started)
        market.tell()
    else:
        market.pass_time(16 * MINUTE)
    assert (market.payment(1).state.value in ("failed", "abandoned", "expired"), market.wallet(), market.promotions()) == (True, 300, 200)
    market.pass_time(5 * MINUTE)
    assert market.returning() == 0
    assert market.reconciles()
    assert market.balanced()


def test_a_refund_gives_it_back_to_the_marketplace_and_to_nobody_else(market: Market) -> None:
    """In proportion, on top of what the buyer has back; the last of it empties the escrow."""
    market.set_aside(200)
    market.fill(BUYER, 600)
    market.decide(market.pay(1, [part(1, 800, promoted=200)], [by_wallet(600), by_channel(200)]))
    market.tell()
    first = market.refund(1, 1, 100)
    assert [(piece.kind.value, piece.amount.amount, piece.state) for piece in first.pieces] == [
        ("wallet", 75, PieceState.DONE),
        ("channel", 25, PieceState.PENDING),
        ("promotion", 25, PieceState.DONE),
    ]
    assert (first.amount, first.whole) == (cny(100), cny(125))
    assert (market.wallet(), market.returning(), market.promotions(), market.escrow(1).held) == (75, 25, 25, cny(875))
    before = market.everything()
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(2), order_id=order(1), amount=cny(701))) == "exceeds_held"
    assert market.everything() == before
    assert market.refund(3, 1, 700).whole == cny(875)
    assert (market.wallet(), market.returning(), market.promotions()) == (600, 200, 200)
    assert (market.escrow(1).state, market.escrow(1).held) == (EscrowState.RETURNED, cny(0))
    assert market.balanced()


def test_an_order_that_the_marketplace_pays_alone(market: Market) -> None:
    """No tender is needed; a refund of nothing ends it, for there is nothing else that could go back."""
    market.set_aside(500)
    assert market.pay(1, [part(1, 0, promoted=500)], []).state is PaymentState.CAPTURED
    assert (market.escrow(1).held, market.promotions()) == (cny(500), 0)
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=cny(1))) == "exceeds_held"
    refunded = market.refund(2, 1, 0)
    assert (refunded.amount, refunded.whole, market.promotions()) == (cny(0), cny(500), 500)
    assert market.escrow(1).state is EscrowState.RETURNED
    market.pay(2, [part(2, 0)], [])
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(3), order_id=order(2), amount=cny(0))) == "amount_out_of_range"
    assert market.balanced()


def test_an_account_that_runs_empty_refuses_the_discount(market: Market) -> None:
    """Nobody's wallet is asked for it; the last of it is spent once, however many race, and nothing else changes."""
    market.fill(BUYER, 10_000)
    ask = market.paying(1, [part(1, 800, promoted=1)], [by_wallet(800)])
    before = market.everything()
    assert market.world.refusal(ask) == "promotions_empty"
    assert market.everything() == before
    market.set_aside(250)
    races = [market.paying(n, [part(n, 100, promoted=100)], [by_wallet(100)]) for n in range(2, 8)]
    outcomes = market.world.send_all([(one, Actor(is_system=True)) for one in races])
    assert [outcome.code.value for outcome in outcomes if isinstance(outcome, Refused)] == ["promotions_empty"] * 4
    assert (market.wallet(), market.promotions()) == (9_800, 50)
    assert market.balanced()


def test_a_promotion_is_no_tender(market: Market) -> None:
    """Not even for the cloud: whoever could name it as one would pay with the marketplace's money."""
    market.set_aside(500)
    promotion = Tender(kind=TenderKind.PROMOTION, amount=cny(500))
    before = market.everything()
    for actor in (Actor(is_system=True), Actor(person=BUYER)):
        assert market.world.refusal(market.paying(1, [part(1, 500)], [promotion]), actor=actor) == "tenders_do_not_match"
    assert market.everything() == before


def test_only_what_was_earned_is_set_aside_and_once(market: Market) -> None:
    """The same again changes nothing; more than there is, and another sum under the same id, are refused."""
    market.set_aside(500)
    again = SetAsideForPromotions(promotion_id="prm_1000001", amount=cny(500))
    before = market.everything()
    market.world.send(again)
    assert market.world.refusal(SetAsideForPromotions(promotion_id="prm_1000001", amount=cny(400))) == "transfer_exists"
    assert market.world.refusal(SetAsideForPromotions(promotion_id="prm_2", amount=cny(1))) == "insufficient_funds"
    assert market.everything() == before
    assert market.promotions() == 500
