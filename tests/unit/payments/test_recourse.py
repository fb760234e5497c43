"""Refunds after the settlement: from the shop's balance, its deposit, then as a claim; the commission comes back with them."""

import msgspec
import pytest

from support.payments import (
    BUYER,
    MINUTE,
    OTHER,
    SECOND_SHOP,
    SHOP,
    Market,
    by_channel,
    by_difference,
    by_wallet,
    cny,
    order,
    part,
    refund_id,
)
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import drawing, model, postings
from yunduan.domains.payments.commands import RefundEscrow, SetAsideForPromotions
from yunduan.domains.payments.model import Drawn, EscrowState, PieceState, Refund, RefundState, TenderKind
from yunduan.domains.payments.queries import (
    MovementsOf,
    PlatformAccountsOf,
    ReceiptOf,
    ReceiptOfShop,
    RefundOf,
    ShopAccount,
    ShopBalanceOf,
    StatementOfShop,
)
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.unclaimed import unclaimed_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused


def sold(market: Market, number: int, amount: int, *, fee: int, shop: str = SHOP) -> None:
    """An order that was paid from the wallet, and whose shop has the money."""
    market.fill(BUYER, amount)
    market.pay(number, [part(number, amount, shop)], [by_wallet(amount)])
    market.settle(number, fee, shop)


def back(market: Market, number: int, of: int, amount: int) -> Refund:
    """Give back a part of an order that has been settled."""
    return market.world.send(asking(number, of, amount))


def asking(number: int, of: int, amount: int) -> RefundSettled:
    """The command that does."""
    return RefundSettled(refund_id=refund_id(number), order_id=order(of), amount=cny(amount))


def drawn(balance: int, deposit: int, owed: int, commission: int, shortfall: int = 0) -> Drawn:
    """Who pays."""
    sums = (balance, deposit, owed, commission, shortfall)
    return Drawn(**{name: cny(sum_) for name, sum_ in zip(Drawn.__struct_fields__, sums, strict=True)})


def shop_has(market: Market, shop: str = SHOP) -> tuple[int, int, int]:
    """Its balance, its deposit and what it owes, as the ledger has them."""
    accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account)
    balance, deposit, receivable = (market.balance(id_of(shop, "CNY")) for id_of in accounts)
    return balance, deposit, -receivable


def commission(market: Market) -> int:
    """What the marketplace has earned."""
    return market.balance(model.commission_account("CNY"))


def test_the_shop_gives_back_from_its_balance_and_the_marketplace_its_commission(market: Market) -> None:
    """In proportion; the escrow stays settled, and what each tender has had back is remembered."""
    sold(market, 1, 1_000, fee=50)
    refunded = back(market, 1, of=1, amount=400)
    assert refunded.drawn == drawn(380, 0, 0, 20)
    assert (refunded.state, refunded.amount, refunded.whole) == (RefundState.DONE, cny(400), cny(400))
    assert (market.wallet(), shop_has(market), commission(market)) == (400, (570, 0, 0), 30)
    escrow = market.escrow(1)
    assert (escrow.state, escrow.held, escrow.left) == (EscrowState.SETTLED, cny(0), cny(600))
    assert market.world.ask(RefundOf(refund_id=refund_id(1))) == refunded
    account = market.world.ask(AccountOf(id=drawing.drawing_account(refund_id(1))))
    assert account is not None
    assert (account.empty, account.closed) == (True, True)
    assert (market.facts("SettledRefunded"), market.facts("RefundFinished"), market.facts("EscrowRefunded")) == (1, 1, 0)
    assert market.balanced()


def test_it_goes_back_over_the_tenders_it_came_from(market: Market) -> None:
    """The channel's piece is on its way until the channel confirms it, or refuses it and it is owed to the payer."""
    market.fill(BUYER, 500)
    started = market.pay(1, [part(1, 1_000)], [by_wallet(500), by_channel(300), by_difference(200)])
    market.decide(started)
    market.tell()
    market.settle(1, 0)
    refunded = back(market, 1, of=1, amount=100)
    assert [(piece.kind, piece.amount.amount, piece.state) for piece in refunded.pieces] == [
        (TenderKind.WALLET, 50, PieceState.DONE),
        (TenderKind.CHANNEL, 30, PieceState.PENDING),
        (TenderKind.DIFFERENCE, 20, PieceState.DONE),
    ]
    assert (market.wallet(), market.returning(), market.facts("RefundFinished")) == (50, 30, 0)
    market.run_errands()
    market.pass_time(MINUTE)
    assert market.world.ask(RefundOf(refund_id=refund_id(1))).state is RefundState.DONE
    assert (market.returning(), market.clearing(), market.facts("RefundFinished")) == (0, 770, 1)
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, refuses_refunds=1000)
    back(market, 2, of=1, amount=900)
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.wallet(), market.returning(), market.balance(model.difference_account("CNY"))) == (500, 0, 0)
    assert market.balance(unclaimed_account(BUYER, "CNY")) == 270
    assert shop_has(market) == (0, 0, 0)
    assert market.balanced()
    assert market.reconciles()


def test_what_the_shop_cannot_pay_it_owes_and_its_next_money_pays_it_off(market: Market) -> None:
    """The buyer has it at once all the same. All of what comes in pays, until nothing is owed; the shop sees by which transfers."""
    sold(market, 1, 400, fee=0)
    _spend(market, 250)
    assert back(market, 1, of=1, amount=400).drawn == drawn(150, 0, 250, 0)
    assert (shop_has(market), market.wallet()) == ((0, 0, 250), 400)
    (balance,) = market.world.ask(ShopBalanceOf(shop_id=SHOP)).balances
    assert (balance.available, balance.held, balance.deposit, balance.owed) == (cny(0), cny(0), cny(0), cny(250))
    sold(market, 3, 100, fee=10)
    assert shop_has(market) == (0, 0, 160)
    sold(market, 4, 300, fee=0)
    assert shop_has(market) == (140, 0, 0)
    sold(market, 5, 50, fee=0)
    assert shop_has(market) == (190, 0, 0)
    assert market.facts("ClaimPaidOff") == 2
    statement = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY", account=ShopAccount.RECEIVABLE))
    assert [(line.what, line.change, line.balance) for line in statement.items] == [
        ("pay_off", 160, 0),
        ("pay_off", 90, -160),
        ("draw", -250, -250),
    ]
    proof = market.world.ask(ReceiptOfShop(shop_id=SHOP, transfer_id=statement.items[0].id))
    assert proof.transfer is not None
    with pytest.raises(Refused):
        market.world.ask(ReceiptOfShop(shop_id=SECOND_SHOP, transfer_id=statement.items[0].id))
    assert market.balanced()


def _spend(market: Market, amount: int) -> None:
    """Take money out of the shop's balance by the ledger itself, as a payout does."""
    source, target = postings.shop(SHOP, "CNY"), postings.difference("CNY")
    moved = postings.DIFFERENCE.move(model.step_id("tst_1", "out"), cny(amount), source=source.id, target=target.id)
    market.world.send(postings.Movement(transfers=moved, opening=(source, target)))


def test_commission_that_has_been_spent_is_made_up_for_before_more_is_set_aside(market: Market) -> None:
    """The refund never waits for it."""
    sold(market, 1, 1_000, fee=200)
    market.world.send(SetAsideForPromotions(promotion_id="prm_1", amount=cny(150)))
    assert back(market, 1, of=1, amount=1_000).drawn == drawn(800, 0, 0, 50, 150)
    accounts = {account.name: account.balance for account in market.world.ask(PlatformAccountsOf(currency="CNY")).items}
    assert (accounts["commission"], accounts["shortfall"], accounts["promotions"]) == (0, -150, 150)
    sold(market, 2, 500, fee=100)
    before = market.everything()
    more = SetAsideForPromotions(promotion_id="prm_2", amount=cny(1))
    assert market.world.refusal(more) == "insufficient_funds"
    assert market.everything() == before
    sold(market, 3, 500, fee=60)
    market.world.send(more)
    assert (commission(market), market.balance(drawing.shortfall_account("CNY")), market.promotions()) == (9, 0, 151)
    market.world.send(more)
    assert (commission(market), market.promotions()) == (9, 151)
    assert market.balanced()


def test_refunds_before_and_after_the_settlement_never_exceed_what_was_paid(market: Market) -> None:
    """Whichever comes first; a hundred that race are given out to the last unit, commission included."""
    market.fill(BUYER, 1_000)
    market.pay(1, [part(1, 1_000)], [by_wallet(1_000)])
    market.refund(1, of=1, amount=100)
    market.settle(1, 90)
    outcomes = market.world.send_all([(asking(n, 1, 27), SYSTEM) for n in range(2, 102)])
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["exceeds_captured"] * 67
    assert (market.wallet(), market.escrow(1).left) == (991, cny(9))
    assert (shop_has(market), commission(market)) == ((8, 0, 0), 1)
    back(market, 200, of=1, amount=9)
    assert (market.wallet(), shop_has(market), commission(market)) == (1_000, (0, 0, 0), 0)
    assert market.world.refusal(asking(201, 1, 1)) == "exceeds_captured"
    assert market.balanced()


def test_the_marketplaces_discount_goes_back_to_it(market: Market) -> None:
    """The shop gives back what it got for it as well."""
    market.set_aside(200)
    market.fill(BUYER, 800)
    market.pay(1, [part(1, 800, promoted=200)], [by_wallet(800)])
    market.settle(1, 100)
    refunded = back(market, 1, of=1, amount=400)
    assert (refunded.whole, refunded.drawn) == (cny(500), drawn(450, 0, 0, 50))
    assert (market.wallet(), market.promotions(), shop_has(market), commission(market)) == (400, 100, (450, 0, 0), 50)


def test_a_refund_asked_again_is_the_same_refund(market: Market) -> None:
    """With other content it is refused; either way nothing moves twice, whichever command asks."""
    sold(market, 1, 1_000, fee=50)
    first = back(market, 1, of=1, amount=400)
    before = market.everything()
    assert back(market, 1, of=1, amount=400) == first
    assert market.world.refusal(asking(1, 1, 401)) == "refund_exists"
    assert market.world.refusal(asking(1, 2, 400)) == "refund_exists"
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(2), order_id=order(1), amount=cny(1))) == "escrow_settled"
    assert market.everything() == before


def test_what_is_not_settled_or_not_there_is_refused(market: Market) -> None:
    """And nothing changes."""
    market.fill(BUYER, 2_000)
    market.pay(1, [part(1, 1_000)], [by_wallet(1_000)])
    market.pay(2, [part(2, 1_000)], [by_wallet(1_000)])
    market.refund(1, of=2, amount=1_000)
    before = market.everything()
    assert market.world.refusal(asking(9, 1, 10)) == "escrow_not_settled"
    assert market.world.refusal(asking(9, 2, 10)) == "exceeds_captured"
    assert market.world.refusal(asking(9, 3, 10)) == "escrow_not_found"
    assert market.everything() == before
    market.settle(1, 0)
    before = market.everything()
    assert market.world.refusal(asking(9, 1, 0)) == "amount_out_of_range"
    assert market.world.refusal(asking(9, 1, 1_001)) == "exceeds_captured"
    dollars = RefundSettled(refund_id=refund_id(9), order_id=order(1), amount=Money(amount=1, currency="USD"))
    assert market.world.refusal(dollars) == "exceeds_captured"
    assert market.everything() == before


def test_the_movements_of_an_order_tell_what_was_drawn(market: Market) -> None:
    """The latest first; the buyer can prove what came back."""
    sold(market, 1, 1_000, fee=50)
    back(market, 1, of=1, amount=400)
    lines = market.world.ask(MovementsOf(order_id=order(1)))
    assert [(line.what, line.change) for line in lines] == [
        ("refund", -400),
        ("draw", 20),
        ("draw", 380),
        ("settle", -50),
        ("settle", -950),
        ("fund", 1_000),
    ]
    proof = market.world.ask(ReceiptOf(transfer_id=lines[0].id), actor=Actor(person=BUYER))
    assert proof.transfer is not None
    with pytest.raises(Refused):
        market.world.ask(ReceiptOf(transfer_id=lines[0].id), actor=Actor(person=OTHER))
