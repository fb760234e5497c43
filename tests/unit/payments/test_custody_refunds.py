"""Refunds of money that a provider keeps, before its split and after; what it does not get back, and what it cannot give back."""

import msgspec
import pytest

from support.payments import BUYER, KEEPER, MINUTE, SHOP, Market, by_channel, by_wallet, cny, kept, order, part, refund_id
from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.facts import SplitKept
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import EscrowState, PieceState, RefundState, SplitState, Tender
from yunduan.domains.payments.payouts import PayOutShop
from yunduan.domains.payments.queries import RefundOf, ShopAccount, ShopBalanceOf, StatementOfShop
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into, unclaimed_account
from yunduan.kernel.actors import Actor

ME = Actor(person=BUYER)


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def settled(market: Market, whole: int = 1_000, *, wallet: int = 0, commission: int = 50) -> None:
    """An order that was paid over the custodian, but for a part, and has been split."""
    if wallet:
        market.fill(BUYER, wallet)
    market.decide(market.pay(1, [part(1, whole)], [by_wallet(wallet)] * bool(wallet) + [by_channel(whole - wallet, "custodian")]))
    market.tell()
    market.settle(1, commission)
    market.pass_time(MINUTE)


def refund(market: Market, amount: int, number: int = 1) -> model.Refund:
    """Give a part of it back after the settlement."""
    return market.world.send(RefundSettled(refund_id=refund_id(number), order_id=order(1), amount=cny(amount)))


def piece(market: Market, number: int = 1) -> tuple[RefundState, PieceState]:
    """Where a refund stands, and its last piece."""
    found = market.world.ask(RefundOf(refund_id=refund_id(number)))
    return found.state, found.pieces[-1].state


def received(market: Market) -> int:
    """What the shop has been given at the provider."""
    return market.balance(model.received_account(SHOP, "CNY"))


def of_shop(market: Market) -> tuple[int, int, int]:
    """What the shop has here: its balance, its deposit, what it owes."""
    accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account)
    balance, deposit, claim = (market.balance(id_of(SHOP, "CNY")) for id_of in accounts)
    return balance, deposit, -claim


def commission(market: Market) -> int:
    """What the marketplace has earned."""
    return market.balance(model.commission_account("CNY"))


def test_a_refund_after_the_split_is_taken_back_from_the_shop_there_and_goes_on_to_the_payer(market: Market) -> None:
    """The commission in proportion; nothing of what the shop has here is touched, and no claim is made."""
    settled(market)
    asked = refund(market, 301)
    assert (asked.state, kept(market), received(market)) == (RefundState.PENDING, KeptBalances(held=0, given=950, own=50), 950)
    market.pass_time(5 * MINUTE)
    assert (piece(market), market.returning("custodian")) == ((RefundState.DONE, PieceState.DONE), 0)
    assert (received(market), commission(market), of_shop(market)) == (950 - 286, 35, (0, 0, 0))
    assert kept(market) == KeptBalances(held=0, given=664, own=35)
    refund(market, 699, 2)
    market.pass_time(5 * MINUTE)
    assert (kept(market), commission(market), piece(market, 2)[0]) == (KeptBalances(held=0, given=0, own=0), 0, RefundState.DONE)
    assert market.world.refusal(RefundSettled(refund_id=refund_id(3), order_id=order(1), amount=cny(1))) == "exceeds_captured"
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_each_keepers_part_of_a_mixed_order_goes_back_from_where_it_is(market: Market) -> None:
    """The wallet's part out of the shop's balance here, the provider's out of what it has given."""
    settled(market, wallet=400)
    assert (received(market), of_shop(market)[0]) == (570, 380)
    refund(market, 500)
    market.pass_time(5 * MINUTE)
    assert (market.wallet(), received(market), of_shop(market)) == (200, 285, (190, 0, 0))
    assert (commission(market), kept(market)) == (25, KeptBalances(held=0, given=285, own=15))
    assert (market.reconciles("custodian"), market.reconciles(), market.balanced()) == (True, True, True)


def test_what_the_shop_has_no_more_is_drawn_by_rule_and_its_payer_says_where_it_goes(market: Market) -> None:
    """From its balance here, then a claim; it is the marketplace's money now, so that it may be taken into the wallet."""
    settled(market, wallet=200)
    misbehave(market, refuses_returns=1000)
    refund(market, 1_000)
    market.pass_time(5 * MINUTE)
    assert (received(market), kept(market)) == (760, KeptBalances(held=0, given=760, own=40))
    assert (of_shop(market), commission(market)) == ((0, 0, 760), 0)
    assert (piece(market), market.balance(unclaimed_account(BUYER, "CNY"))) == ((RefundState.UNCLAIMED, PieceState.UNCLAIMED), 800)
    ((told,),) = market.world.rows("SELECT body FROM fact WHERE kind = 'SplitKept'")
    drawn = msgspec.json.decode(told, type=SplitKept)
    assert (drawn.amount, drawn.drawn.owed, drawn.drawn.commission) == (cny(760), cny(760), cny(40))
    waits = market.world.ask(UnclaimedOf(), actor=ME).items[0]
    assert waits.kept_by == ""
    market.world.send(TakeUnclaimed(unclaimed_id=waits.id, into=Into.WALLET), actor=ME)
    assert (market.wallet(), piece(market)) == (1_000, (RefundState.DONE, PieceState.DIVERTED))
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_what_a_provider_keeps_and_could_not_give_back_is_paid_by_it_to_the_payers_account(market: Market) -> None:
    """Never into a wallet: the marketplace may not hold it. A refusal leaves it where it is, to be asked again."""
    market.decide(market.pay(1, [part(1, 1_000)], [by_channel(1_000, "custodian")]))
    market.tell()
    market.name_payee(BUYER)
    misbehave(market, refuses_refunds=1000)
    market.refund(1, of=1, amount=400)
    market.pass_time(5 * MINUTE)
    waits = market.world.ask(UnclaimedOf(), actor=ME).items[0]
    assert (waits.amount, waits.kept_by, kept(market).held) == (cny(400), "custodian", 1_000)
    take = TakeUnclaimed(unclaimed_id=waits.id, into=Into.WALLET)
    before = market.everything()
    assert market.world.refusal(take, actor=ME) == "kept_by_provider"
    assert market.everything() == before
    take = msgspec.structs.replace(take, into=Into.ACCOUNT)
    market.world.send(take, actor=ME)
    market.pass_time(5 * MINUTE)
    assert (piece(market)[1], kept(market).held, market.leaving("custodian")) == (PieceState.UNCLAIMED, 1_000, 0)
    misbehave(market, refuses_refunds=0)
    market.world.send(take, actor=ME)
    market.pass_time(5 * MINUTE)
    assert (piece(market), kept(market).held) == ((RefundState.DONE, PieceState.PAID_OUT), 600)
    assert (market.reconciles("custodian"), market.paid_out("custodian"), market.paid_out(), market.balanced()) == (True, 0, 0, True)


def test_what_was_given_to_a_shop_there_is_not_paid_out_here(market: Market) -> None:
    """Its balance has nothing of it; that it has it there it sees, with every movement."""
    settled(market)
    refund(market, 100)
    market.pass_time(5 * MINUTE)
    (balance,) = market.world.ask(ShopBalanceOf(shop_id=SHOP)).balances
    assert (balance.available, balance.received) == (cny(0), cny(855))
    lines = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY", account=ShopAccount.RECEIVED)).items
    assert [(line.what, line.change) for line in lines] == [("take_back", -95), ("split", 950)]
    market.name_payee(SHOP)
    ask = PayOutShop(shop_id=SHOP, amount=cny(1))
    assert market.world.refusal(ask, actor=Actor(person=KEEPER)) == "insufficient_funds"


@pytest.mark.parametrize("amounts", [[300], [1, 998], [1_000], [600, 400]])
def test_while_a_split_is_refused_a_refund_comes_out_of_the_hold_and_less_is_split_then(market: Market, amounts: list[int]) -> None:
    """The commission shrinks in proportion; an order of which nothing is left has ended, and is split no more."""
    market.decide(market.pay(1, [part(1, 1_000)], [by_channel(1_000, "custodian")]))
    market.tell()
    misbehave(market, refuses_splits=1000)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    for number, amount in enumerate(amounts, 1):
        refund(market, amount, number)
        market.pass_time(MINUTE)
    left = 1_000 - sum(amounts)
    assert (market.escrow(1).held, kept(market).held, market.balance(model.escrow_account(order(1)))) == (cny(left), left, left)
    misbehave(market, refuses_splits=0)
    again = AskSplitAgain(split_id=model.split_id(order(1), 0))
    if left:
        market.world.send(again)
        market.pass_time(MINUTE)
        assert received(market) + commission(market) == left
        assert abs(commission(market) - 50 * left / 1_000) <= 1
        assert market.escrow(1).state is EscrowState.SETTLED
    else:
        assert market.world.refusal(again) == "split_not_refused"
        assert market.world.rows("SELECT state FROM payment_split") == [(SplitState.VOID,)]
        assert market.escrow(1).state is EscrowState.RETURNED
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def unsplit_of_two_keepers(market: Market, other: Tender) -> None:
    """An order of 100.01 that the custodian keeps a cent of, and refuses to split; 60.00 of it goes back, the cent with it."""
    market.fill(BUYER, 10_000)
    started = market.pay(1, [part(1, 10_001)], [other, by_channel(1, "custodian")])
    for which, _ in enumerate(started.redirects):
        market.decide(started, which=which)
    market.tell()
    misbehave(market, refuses_splits=1000)
    market.settle(1, 500)
    market.pass_time(2 * MINUTE)
    refund(market, 6_000)
    misbehave(market, refuses_splits=0)
    market.pass_time(MINUTE)


def splits(market: Market) -> list[tuple[str, str]]:
    """Every split, and where it stands."""
    return market.world.rows("SELECT id, state FROM payment_split ORDER BY id")


def test_what_is_left_of_an_order_whose_split_has_nothing_more_to_divide_is_settled_at_once(market: Market) -> None:
    """The provider's cent went back, so nobody waits for it: the shop has the rest here, and it is refunded like any other."""
    unsplit_of_two_keepers(market, by_wallet(10_000))
    assert splits(market) == [(model.split_id(order(1), 1), SplitState.VOID)]
    assert (market.escrow(1).state, market.escrow(1).held, market.facts("EscrowSettled")) == (EscrowState.SETTLED, cny(0), 1)
    assert (of_shop(market)[0], commission(market), kept(market).held) == (3_801, 200, 0)
    refund(market, 4_001, 2)
    assert (of_shop(market)[0], commission(market), market.wallet()) == (0, 0, 10_000)
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)


def test_a_split_that_has_nothing_more_to_divide_does_not_hold_up_another(market: Market) -> None:
    """The other is asked again, and a refund meanwhile goes on."""
    unsplit_of_two_keepers(market, by_channel(10_000, "custodian"))
    assert [state for _, state in splits(market)] == [SplitState.REFUSED, SplitState.VOID]
    refund(market, 1_000, 2)
    market.world.send(AskSplitAgain(split_id=model.split_id(order(1), 0)))
    market.pass_time(MINUTE)
    assert (market.escrow(1).state, received(market), commission(market)) == (EscrowState.SETTLED, 2_851, 150)
    assert (kept(market), market.balanced()) == (KeptBalances(held=0, given=2_851, own=150), True)
    assert market.reconciles("custodian")


def test_refunds_that_race_after_the_split_never_take_back_more_than_was_given(market: Market) -> None:
    """Nine of ten of 120 fit into 1,000 less what is left over."""
    settled(market)
    asks = [(RefundSettled(refund_id=refund_id(n), order_id=order(1), amount=cny(120)), ME) for n in range(1, 11)]
    outcomes = market.world.send_all(asks)
    assert [getattr(one, "code", "") for one in outcomes] == [""] * 8 + ["exceeds_captured"] * 2
    market.pass_time(5 * MINUTE)
    assert kept(market) == KeptBalances(held=0, given=38, own=2)
    assert (received(market), commission(market), market.reconciles("custodian")) == (38, 2, True)


def one_of_two_is_split(market: Market, first: int = 700, second: int = 300, *, wallet: int = 0, which: int = 0) -> str:
    """An order over two charges of the custodian, one of which it splits and the other not; answers the refused split."""
    whole = first + second + wallet
    if wallet:
        market.fill(BUYER, wallet)
    tenders = [by_wallet(wallet)] * bool(wallet) + [by_channel(first, "custodian"), by_channel(second, "custodian")]
    started = market.pay(1, [part(1, whole)], tenders)
    for number in range(2):
        market.decide(started, which=number)
    market.tell()
    misbehave(market, refuses_splits=1000)
    market.settle(1, whole // 20)
    market.pass_time(MINUTE)
    misbehave(market, refuses_splits=0)
    ids = [id for id, _ in splits(market)]
    market.world.send(AskSplitAgain(split_id=ids[which]))
    market.pass_time(MINUTE)
    assert [state for _, state in splits(market)] == [SplitState.DONE if n == which else SplitState.REFUSED for n in range(2)]
    return ids[1 - which]


def where(market: Market) -> tuple[int, int, int]:
    """What the order still has, what the provider has given the shop, and what the marketplace has earned."""
    return market.balance(model.escrow_account(order(1))), received(market), commission(market)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("amounts", [[300], [1, 998], [999], [600, 399], [333, 333, 333]])
def test_a_refund_does_not_wait_for_a_split_that_was_refused_beside_one_that_was_done(
    market: Market, amounts: list[int], which: int
) -> None:
    """Each part from where it is, in proportion to what is left of each; then the other is split, and all of it is where it should be."""
    refused = one_of_two_is_split(market, which=which)
    for number, amount in enumerate(amounts, 1):
        refund(market, amount, number)
        market.pass_time(5 * MINUTE)
        assert piece(market, number) == (RefundState.DONE, PieceState.DONE)
    left = 1_000 - sum(amounts)
    assert (sum(where(market)), market.escrow(1).left, kept(market).held) == (left, cny(left), market.escrow(1).held.amount)
    if market.escrow(1).state is EscrowState.SPLITTING:
        market.world.send(AskSplitAgain(split_id=refused))
        market.pass_time(MINUTE)
    assert (market.escrow(1).state, market.facts("EscrowSettled")) == (EscrowState.SETTLED, 1)
    assert where(market)[0] == 0
    assert received(market) + commission(market) == left
    assert abs(commission(market) - left * 50 / 1_000) <= 1
    refund(market, left, 9)
    market.pass_time(5 * MINUTE)
    assert (where(market), kept(market)) == ((0, 0, 0), KeptBalances(held=0, given=0, own=0))
    assert (market.returning("custodian"), market.reconciles("custodian"), market.balanced()) == (0, True, True)


@pytest.mark.parametrize("amount", [1_000, 1_200])
def test_with_a_third_part_of_our_own_the_wallet_has_its_share_at_once(market: Market, amount: int) -> None:
    """Out of the escrow; all of it ends the order, and what was refused is split by nobody any more."""
    refused = one_of_two_is_split(market, wallet=200)
    refund(market, amount)
    assert market.wallet() == (200 if amount == 1_200 else 167)
    market.pass_time(5 * MINUTE)
    assert piece(market) == (RefundState.DONE, PieceState.DONE)
    if amount == 1_200:
        assert (where(market), market.escrow(1).state, of_shop(market)) == ((0, 0, 0), EscrowState.SETTLED, (0, 0, 0))
        assert market.world.refusal(AskSplitAgain(split_id=refused)) == "split_not_refused"
    else:
        market.world.send(AskSplitAgain(split_id=refused))
        market.pass_time(MINUTE)
        assert received(market) + of_shop(market)[0] + commission(market) == 200
        assert market.escrow(1).state is EscrowState.SETTLED
    assert (market.facts("EscrowSettled"), market.reconciles("custodian"), market.balanced()) == (1, True, True)


def test_while_the_second_split_is_asked_again_a_refund_waits_and_then_takes_all_of_it_back(market: Market) -> None:
    """Refused for the moment with nothing changed; and what the shop has there no more is drawn here, whichever part it was of."""
    refused = one_of_two_is_split(market)
    misbehave(market, unreachable=1000)
    market.world.send(AskSplitAgain(split_id=refused))
    before = market.everything()
    assert market.world.refusal(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(100))) == "escrow_being_split"
    assert market.everything() == before
    misbehave(market, unreachable=0, refuses_splits=1000, refuses_returns=1000)
    market.pass_time(60 * MINUTE, step=MINUTE)
    assert market.facts("SplitRefused") == 3
    refund(market, 500)
    market.pass_time(5 * MINUTE)
    assert (of_shop(market), kept(market).held, market.facts("SplitKept")) == ((0, 0, 333), 150, 1)
    assert (market.balance(unclaimed_account(BUYER, "CNY")), market.balanced()) == (350, True)
    assert market.reconciles("custodian")


def test_refunds_that_race_beside_a_refused_split_are_no_more_than_was_paid(market: Market) -> None:
    """Eight of 120 fit into 1,000."""
    one_of_two_is_split(market)
    asks = [(RefundSettled(refund_id=refund_id(n), order_id=order(1), amount=cny(120)), ME) for n in range(1, 11)]
    outcomes = market.world.send_all(asks)
    assert [getattr(one, "code", "") for one in outcomes] == [""] * 8 + ["exceeds_captured"] * 2
    market.pass_time(5 * MINUTE)
    assert (sum(where(market)), market.reconciles("custodian"), market.balanced()) == (40, True, True)
