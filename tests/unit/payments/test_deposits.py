"""A shop's deposit: set aside from its balance, drawn on after it, released by an operator."""

import pytest

from support.payments import BUYER, SECOND_SHOP, SHOP, Market, by_wallet, cny, order, part, refund_id
from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.deposits import PledgeDeposit, ReleaseDeposit, ShopMoney
from yunduan.domains.payments.queries import ShopAccount, ShopBalanceOf, StatementOfShop
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused


@pytest.fixture(autouse=True)
def sold(market: Market) -> None:
    """A shop that has earned a thousand."""
    market.fill(BUYER, 1_000)
    market.pay(1, [part(1, 1_000)], [by_wallet(1_000)])
    market.settle(1, 0)


def shop_has(market: Market) -> tuple[int, int, int]:
    """Its balance, its deposit and what it owes, as the ledger has them."""
    accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account)
    balance, deposit, receivable = (market.balance(id_of(SHOP, "CNY")) for id_of in accounts)
    return balance, deposit, -receivable


def test_a_deposit_is_set_aside_and_released(market: Market) -> None:
    """And told of, and seen in the shop's balances and statements."""
    answered = market.world.send(PledgeDeposit(shop_id=SHOP, amount=cny(600)))
    assert answered == ShopMoney(shop_id=SHOP, available=cny(400), deposit=cny(600))
    (balance,) = market.world.ask(ShopBalanceOf(shop_id=SHOP)).balances
    assert (balance.available, balance.deposit, balance.owed) == (cny(400), cny(600), cny(0))
    answered = market.world.send(ReleaseDeposit(shop_id=SHOP, amount=cny(250)))
    assert answered == ShopMoney(shop_id=SHOP, available=cny(650), deposit=cny(350))
    statement = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY", account=ShopAccount.DEPOSIT))
    assert [(line.what, line.change, line.balance) for line in statement.items] == [("release_deposit", -250, 350), ("pledge", 600, 600)]
    assert (market.facts("DepositPledged"), market.facts("DepositReleased")) == (1, 1)
    assert market.balanced()


def test_a_refund_draws_on_the_balance_then_on_the_deposit_then_on_a_claim(market: Market) -> None:
    """In this order, each to its end."""
    market.world.send(PledgeDeposit(shop_id=SHOP, amount=cny(300)))
    market.fill(BUYER, 500)
    market.pay(2, [part(2, 500)], [by_wallet(500)])
    market.settle(2, 0)
    first = market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(1_000)))
    assert first.drawn is not None
    assert (first.drawn.balance, first.drawn.deposit, first.drawn.owed) == (cny(1_000), cny(0), cny(0))
    second = market.world.send(RefundSettled(refund_id=refund_id(2), order_id=order(2), amount=cny(400)))
    assert second.drawn is not None
    assert (second.drawn.balance, second.drawn.deposit, second.drawn.owed) == (cny(200), cny(200), cny(0))
    assert shop_has(market) == (0, 100, 0)
    market.world.send(RefundSettled(refund_id=refund_id(3), order_id=order(2), amount=cny(100)))
    assert shop_has(market) == (0, 0, 0)
    assert market.wallet() == 1_500
    assert market.balanced()


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (PledgeDeposit(shop_id=SHOP, amount=cny(0)), "amount_out_of_range"),
        (PledgeDeposit(shop_id=SHOP, amount=cny(1_001)), "insufficient_funds"),
        (PledgeDeposit(shop_id=SHOP, amount=Money(amount=1, currency="USD")), "insufficient_funds"),
        (PledgeDeposit(shop_id=SECOND_SHOP, amount=cny(1)), "insufficient_funds"),
        (ReleaseDeposit(shop_id=SHOP, amount=cny(0)), "amount_out_of_range"),
        (ReleaseDeposit(shop_id=SHOP, amount=cny(1)), "insufficient_funds"),
    ],
)
def test_more_than_there_is_or_nothing_is_refused(market: Market, ask: PledgeDeposit | ReleaseDeposit, code: str) -> None:
    """And nothing changes."""
    before = market.everything()
    assert market.world.refusal(ask) == code
    assert market.everything() == before


def test_a_hundred_pledges_that_race_never_exceed_the_balance(market: Market) -> None:
    """Of 100 of 30 out of 1,000, thirty-three go through."""
    outcomes = market.world.send_all([(PledgeDeposit(shop_id=SHOP, amount=cny(30)), SYSTEM)] * 100)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["insufficient_funds"] * 67
    assert shop_has(market) == (10, 990, 0)
