"""What a shop owes is taken out of what a provider splits for it: once, to the last unit, whatever else pays it meanwhile."""

import msgspec
import pytest

from support.payments import BUYER, KEEPER, MINUTE, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, cny, kept, order, part, refund_id
from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.facts import ClaimPaidOff, SplitAsked
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import RefundState, SplitState
from yunduan.domains.payments.payouts import PayOutShop
from yunduan.domains.payments.queries import RefundOf, ShopAccount, StatementOfShop
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.settling import PayoutForecast
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.kernel.actors import Actor

DEBT = 300


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def of_shop(market: Market) -> tuple[int, int, int]:
    """What the shop has here, what it has been given at the provider, and what it owes."""
    accounts = (model.shop_account, model.received_account, drawing.receivable_account)
    here, there, owed = (market.balance(id_of(SHOP, "CNY")) for id_of in accounts)
    return here, there, -owed


def commission(market: Market) -> int:
    """What the marketplace has earned."""
    return market.balance(model.commission_account("CNY"))


def owing(market: Market, amount: int = DEBT) -> None:
    """The shop owes so much: it was paid for an order here, has had it paid out, and its buyer has the money back."""
    started = market.pay(90, [part(90, amount)], [by_channel(amount)])
    market.decide(started)
    market.tell()
    market.settle(90, 0)
    market.name_payee(SHOP)
    market.world.send(PayOutShop(shop_id=SHOP, amount=cny(amount)), actor=Actor(person=KEEPER))
    market.world.send(RefundSettled(refund_id=refund_id(90), order_id=order(90), amount=cny(amount)))
    market.pass_time(MINUTE)
    assert of_shop(market) == (0, 0, amount)


def paid(market: Market, number: int = 1, amount: int = 1_000) -> None:
    """An order paid over the custodian."""
    market.decide(market.pay(number, [part(number, amount)], [by_channel(amount, "custodian")]))
    market.tell()


def settled(market: Market, number: int = 1, amount: int = 1_000) -> None:
    """And split, with a twentieth for the marketplace."""
    paid(market, number, amount)
    market.settle(number, amount // 20)
    market.pass_time(MINUTE)


@pytest.mark.parametrize("amount", [1_000, 200])
def test_what_a_shop_owes_is_taken_out_of_a_split_up_to_its_part(market: Market, amount: int) -> None:
    """The provider hands it to us; the statement and the forecast name the transfer."""
    owing(market)
    settled(market, amount=amount)
    whole = amount - amount // 20
    taken = min(DEBT, whole)
    assert (of_shop(market), commission(market)) == ((0, whole - taken, DEBT - taken), amount // 20)
    assert kept(market) == KeptBalances(held=0, given=whole - taken, own=amount // 20 + taken)
    ((asked,),) = market.world.rows("SELECT body FROM fact WHERE kind = 'SplitAsked'")
    assert msgspec.json.decode(asked, type=SplitAsked).claimed == taken
    ((told,),) = market.world.rows("SELECT body FROM fact WHERE kind = 'ClaimPaidOff'")
    fact = msgspec.json.decode(told, type=ClaimPaidOff)
    assert (fact.amount, fact.left) == (cny(taken), cny(DEBT - taken))
    lines = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY", account=ShopAccount.RECEIVABLE)).items
    forecast = market.world.ask(PayoutForecast(shop_id=SHOP, currency="CNY"))
    ((named,),) = (forecast.taken_out,)
    assert (named.id, named.order_id, named.amount, forecast.owed) == (lines[0].id, order(1), cny(taken), cny(DEBT - taken))
    assert (lines[0].what, lines[0].change) == ("split", taken)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_two_splits_at_once_ask_for_a_debt_once(market: Market) -> None:
    """The second for what the first leaves of it; another shop's for nothing."""
    owing(market)
    for number, amount in ((1, 200), (2, 1_000)):
        paid(market, number, amount)
    market.decide(market.pay(3, [part(3, 500, SECOND_SHOP)], [by_channel(500, "custodian")]))
    market.tell()
    for number in (1, 2):
        market.settle(number, 0)
    market.settle(3, 0, shop=SECOND_SHOP)
    asked = market.world.rows("SELECT body FROM fact WHERE kind = 'SplitAsked' ORDER BY seq")
    assert [msgspec.json.decode(body, type=SplitAsked).claimed for (body,) in asked] == [200, 100, 0]
    market.pass_time(MINUTE)
    assert (of_shop(market), kept(market).own) == ((0, 900, 0), DEBT)
    assert market.world.rows("SELECT owes, claimed FROM payment_purse WHERE owner = ?", SHOP) == [(0, 0)]
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_what_was_paid_otherwise_meanwhile_comes_into_the_balance_here(market: Market) -> None:
    """Nothing is paid twice, and nothing is lost."""
    owing(market)
    paid(market)
    market.settle(1, 50)
    market.fill(BUYER, 250)
    market.pay(2, [part(2, 250)], [by_wallet(250)])
    market.settle(2, 0)
    assert of_shop(market) == (0, 0, 50)
    market.pass_time(MINUTE)
    assert (of_shop(market), kept(market)) == ((250, 650, 0), KeptBalances(held=0, given=650, own=350))
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_a_split_that_is_refused_lets_the_debt_go_and_asks_for_what_is_left_of_it_then(market: Market) -> None:
    """Another may ask for it meanwhile."""
    owing(market)
    misbehave(market, refuses_splits=1000)
    settled(market)
    assert market.world.rows("SELECT owes, claimed FROM payment_purse WHERE owner = ?", SHOP) == [(1, 0)]
    ((body,),) = market.world.rows("SELECT body FROM payment_split")
    assert msgspec.json.decode(body, type=model.Split).claimed == 0
    misbehave(market, refuses_splits=0)
    settled(market, 2, 200)
    assert of_shop(market) == (0, 0, 110)
    market.world.send(AskSplitAgain(split_id=model.split_id(order(1), 0)))
    market.pass_time(MINUTE)
    assert (of_shop(market), commission(market)) == ((0, 840, 0), 60)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


@pytest.mark.parametrize(
    ("debt", "amounts"), [(DEBT, [1_000]), (DEBT, [1] * 7 + [993]), (DEBT, [333, 333, 334]), (501, [10, 1, 989]), (950, [1, 998, 1])]
)
def test_a_refund_takes_back_there_what_was_given_there_and_here_what_had_paid_a_debt(
    market: Market, debt: int, amounts: list[int]
) -> None:
    """The debt that was paid so is owed again, in proportion; at the end everything is where it began."""
    owing(market, debt)
    settled(market)
    assert of_shop(market) == (0, 950 - debt, 0)
    for number, amount in enumerate(amounts, 1):
        market.world.send(RefundSettled(refund_id=refund_id(number), order_id=order(1), amount=cny(amount)))
        market.pass_time(5 * MINUTE)
        assert market.world.ask(RefundOf(refund_id=refund_id(number))).state is RefundState.DONE
        left = 1_000 - sum(amounts[:number])
        here, there, owed = of_shop(market)
        assert here == 0
        assert abs(there - (950 - debt) * left / 1_000) <= 1
        assert there - owed + debt == left - commission(market)
    assert (of_shop(market), commission(market)) == ((0, 0, debt), 0)
    assert kept(market) == KeptBalances(held=0, given=0, own=0)
    settled(market, 2)
    assert of_shop(market) == (0, 950 - debt, 0)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_what_is_not_given_back_there_is_drawn_here_as_ever(market: Market) -> None:
    """All of the shop's part, whatever it had there."""
    owing(market)
    settled(market)
    misbehave(market, refuses_returns=1000)
    market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(1_000)))
    market.pass_time(5 * MINUTE)
    assert (of_shop(market), commission(market)) == ((0, 650, 950), 0)
    assert market.world.rows("SELECT state FROM payment_split") == [(SplitState.DONE,)]
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)
