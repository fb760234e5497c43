"""Escrow: settled, refunded over the tenders it came from, never beyond what is left, whoever races."""

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
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import RefundEscrow, ReportOutgoing, SettleEscrow
from yunduan.domains.payments.model import EscrowState, PieceState, RefundState, TenderKind
from yunduan.domains.payments.queries import EscrowOf, MoneyByPurpose, RefundOf, ShopBalanceOf, StatementOfShop, WalletOf
from yunduan.domains.payments.unclaimed import unclaimed_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused


def mixed(market: Market) -> None:
    """An order of 1,000: 500 from the wallet, 300 over the channel, 200 of difference."""
    market.fill(BUYER, 500)
    started = market.pay(1, [part(1, 1_000)], [by_wallet(500), by_channel(300), by_difference(200)])
    market.decide(started)
    market.tell()


def paid(market: Market, amount: int = 1_000) -> None:
    """An order paid from the wallet."""
    market.fill(BUYER, amount)
    market.pay(1, [part(1, amount)], [by_wallet(amount)])


def test_all_money_has_a_purpose_and_adds_up_to_nothing(market: Market) -> None:
    """What the channel has collected and the difference has made up is in escrow, and then with the shop and the marketplace."""

    def balances() -> dict[str, int]:
        found = market.world.ask(MoneyByPurpose(currency="CNY"))
        assert sum(purpose.balance for purpose in found) == 0
        return {purpose.name: purpose.balance for purpose in found}

    mixed(market)
    outside = {"wallet": 0, "clearing": 0, "channel": -800, "difference": -200}
    assert balances() == {**outside, "escrow": 1_000}
    market.settle(1, 50)
    assert balances() == {**outside, "escrow": 0, "shop": 950, "commission": 50}
    earned = next(purpose for purpose in market.world.ask(MoneyByPurpose(currency="CNY")) if purpose.name == "shop")
    assert (earned.accounts, earned.debits, earned.credits) == (1, 0, 950)
    assert market.world.ask(MoneyByPurpose(currency="USD")) == ()


def test_settling_gives_the_shop_what_the_commission_leaves(market: Market) -> None:
    """The escrow account is empty and closed, and stays on record."""
    paid(market)
    settlement = market.settle(1, 50)
    assert (settlement.to_shop, settlement.commission) == (cny(950), cny(50))
    assert market.balance(model.shop_account(SHOP, "CNY")) == 950
    assert market.balance(model.commission_account("CNY")) == 50
    account = market.world.ask(AccountOf(id=model.escrow_account(order(1))))
    assert account is not None
    assert (account.balance, account.closed) == (0, True)
    assert (market.escrow(1).state, market.escrow(1).held) == (EscrowState.SETTLED, cny(0))
    assert market.world.ask(ShopBalanceOf(shop_id=SHOP)).balances[0].available == cny(950)
    statement = market.world.ask(StatementOfShop(shop_id=SHOP, currency="CNY"))
    assert [(line.what, line.change) for line in statement.items] == [("settle", 950)]
    assert market.world.ask(StatementOfShop(shop_id=SECOND_SHOP, currency="CNY")).items == ()
    assert market.facts("EscrowSettled") == 1
    assert market.balanced()


@pytest.mark.parametrize(("commission", "to_shop"), [(0, 1_000), (1_000, 0)])
def test_the_whole_may_go_to_either_side(market: Market, commission: int, to_shop: int) -> None:
    """No transfer of nothing is made."""
    paid(market)
    assert market.settle(1, commission).to_shop == cny(to_shop)
    assert market.balance(model.commission_account("CNY")) == commission


def test_settling_is_refused_for_others_twice_or_beyond_what_is_held(market: Market) -> None:
    """Another shop, an unknown order, a commission above the sum, a second time: nothing changes."""
    paid(market)
    before = market.everything()
    settle = SettleEscrow(order_id=order(1), shop_id=SHOP, commission=cny(1_001))
    assert market.world.refusal(settle) == "exceeds_held"
    assert market.world.refusal(msgspec.structs.replace(settle, shop_id=SECOND_SHOP)) == "escrow_not_found"
    assert market.world.refusal(msgspec.structs.replace(settle, order_id=order(2))) == "escrow_not_found"
    dollars = msgspec.structs.replace(settle, commission=Money(amount=1, currency="USD"))
    assert market.world.refusal(dollars) == "exceeds_held"
    assert market.everything() == before
    market.settle(1, 10)
    before = market.everything()
    assert market.world.refusal(msgspec.structs.replace(settle, commission=cny(10))) == "escrow_settled"
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=cny(1))) == "escrow_settled"
    assert market.everything() == before


def test_a_hundred_settlements_that_race_pay_once(market: Market) -> None:
    """Ninety-nine find it settled."""
    paid(market)
    settle = SettleEscrow(order_id=order(1), shop_id=SHOP, commission=cny(50))
    outcomes = market.world.send_all([(settle, SYSTEM)] * 100)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["escrow_settled"] * 99
    assert market.balance(model.shop_account(SHOP, "CNY")) == 950


def test_a_refund_goes_back_over_the_tenders_it_came_from(market: Market) -> None:
    """In proportion to what each gave; the channel's piece is on its way until the channel confirms it."""
    mixed(market)
    refunded = market.refund(1, of=1, amount=100)
    assert [(piece.kind, piece.amount.amount, piece.state) for piece in refunded.pieces] == [
        (TenderKind.WALLET, 50, PieceState.DONE),
        (TenderKind.CHANNEL, 30, PieceState.PENDING),
        (TenderKind.DIFFERENCE, 20, PieceState.DONE),
    ]
    assert refunded.state is RefundState.PENDING
    assert (market.wallet(), market.returning(), market.balance(model.difference_account("CNY"))) == (50, 30, -180)
    assert market.facts("RefundFinished") == 0
    market.run_errands()
    market.pass_time(MINUTE)
    assert market.world.ask(RefundOf(refund_id=refund_id(1))).state is RefundState.DONE
    assert (market.returning(), market.clearing(), market.facts("RefundFinished")) == (0, 770, 1)
    assert (market.escrow(1).held, market.escrow(1).state) == (cny(900), EscrowState.HELD)
    assert market.balanced()
    assert market.reconciles()


def test_refunds_in_parts_give_each_tender_back_exactly_what_it_gave(market: Market) -> None:
    """Whatever the parts are; the last one closes the escrow."""
    mixed(market)
    for number, amount in enumerate((1, 333, 7, 1, 658), start=1):
        market.refund(number, of=1, amount=amount)
    escrow = market.escrow(1)
    assert (escrow.state, escrow.held) == (EscrowState.RETURNED, cny(0))
    assert [funding.left for funding in escrow.funding] == [0, 0, 0]
    account = market.world.ask(AccountOf(id=escrow.account))
    assert account is not None
    assert account.closed
    assert market.wallet() == 500
    market.pass_time(2 * MINUTE)
    assert (market.clearing(), market.returning(), market.balance(model.difference_account("CNY"))) == (500, 0, 0)
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(9), order_id=order(1), amount=cny(1))) == "escrow_not_held"
    assert market.world.refusal(SettleEscrow(order_id=order(1), shop_id=SHOP, commission=cny(0))) == "escrow_not_held"
    assert market.reconciles()


def test_what_is_left_after_a_refund_is_settled(market: Market) -> None:
    """The shop and the marketplace divide the rest."""
    paid(market)
    market.refund(1, of=1, amount=400)
    assert market.settle(1, 30).to_shop == cny(570)
    assert market.wallet() == 400


def test_a_refund_asked_again_is_the_same_refund(market: Market) -> None:
    """With other content it is refused; either way nothing moves twice."""
    paid(market)
    first = market.refund(1, of=1, amount=400)
    before = market.everything()
    assert market.refund(1, of=1, amount=400) == first
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=cny(401))) == "refund_exists"
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(2), amount=cny(400))) == "refund_exists"
    assert market.everything() == before


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (cny(0), "amount_out_of_range"),
        (cny(1_001), "exceeds_held"),
        (Money(amount=1, currency="USD"), "exceeds_held"),
        (cny(10**15), "exceeds_held"),
    ],
)
def test_a_refund_of_nothing_or_too_much_is_refused(market: Market, amount: Money, code: str) -> None:
    """And nothing changes."""
    paid(market)
    before = market.everything()
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=amount)) == code
    assert market.world.refusal(RefundEscrow(refund_id=refund_id(1), order_id=order(2), amount=cny(1))) == "escrow_not_found"
    assert market.everything() == before


def test_a_hundred_refunds_that_race_never_exceed_what_was_paid(market: Market) -> None:
    """Of 100 refunds of 30 out of 1,000, thirty-three go through, over every tender exactly."""
    mixed(market)
    commands = [(RefundEscrow(refund_id=refund_id(n), order_id=order(1), amount=cny(30)), SYSTEM) for n in range(1, 101)]
    outcomes = market.world.send_all(commands)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["exceeds_held"] * 67
    assert market.escrow(1).held == cny(10)
    given_back = market.wallet() + market.returning() + market.balance(model.difference_account("CNY")) + 200
    assert given_back == 990
    market.pass_time(3 * MINUTE)
    assert market.returning() == 0
    assert market.balanced()
    assert market.reconciles()


def test_a_refund_and_a_settlement_that_race_divide_the_same_money(market: Market) -> None:
    """First come: then the other is refused or has the rest."""
    paid(market)
    refund = (RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=cny(1_000)), SYSTEM)
    settle = (SettleEscrow(order_id=order(1), shop_id=SHOP, commission=cny(0)), SYSTEM)
    outcomes = market.world.send_all([refund, settle])
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].code == "escrow_not_held"
    assert (market.wallet(), market.balance(model.shop_account(SHOP, "CNY"))) == (1_000, 0)


def test_a_refund_that_the_channel_refuses_goes_to_no_wallet_by_itself(market: Market) -> None:
    """It is owed to the payer, who may never have had one."""
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, refuses_refunds=1000)
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)], buyer=OTHER)
    market.decide(started)
    market.tell()
    market.refund(1, of=1, amount=250)
    market.run_errands()
    market.pass_time(MINUTE)
    refunded = market.world.ask(RefundOf(refund_id=refund_id(1)))
    assert (refunded.state, refunded.pieces[0].state) == (RefundState.UNCLAIMED, PieceState.UNCLAIMED)
    assert (market.wallet(OTHER), market.returning(), market.clearing()) == (0, 0, 1_000)
    assert market.world.ask(WalletOf(), actor=Actor(person=OTHER)).balances == ()
    assert market.balance(unclaimed_account(OTHER, "CNY")) == 250
    assert market.reconciles()


def test_a_channel_that_refuses_at_once_is_the_same(market: Market) -> None:
    """It has never heard of the charge: the money is not lost."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.decide(started)
    market.tell()
    market.sandbox._books.execute("DELETE FROM charge")
    market.refund(1, of=1, amount=250)
    market.run_errands()
    assert (market.balance(unclaimed_account(BUYER, "CNY")), market.returning()) == (250, 0)


def test_a_lost_confirmation_of_a_refund_is_found_by_asking(market: Market) -> None:
    """A minute later, by a courier; a request that the channel has forgotten is made again, under the same name."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.decide(started)
    market.tell()
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, loses=1000)
    market.refund(1, of=1, amount=250)
    market.run_errands()
    market.sandbox._books.execute("DELETE FROM refund")
    market.pass_time(5 * MINUTE)
    assert market.world.ask(RefundOf(refund_id=refund_id(1))).state is RefundState.DONE
    assert (market.returning(), market.clearing()) == (0, 750)
    assert market.reconciles()


def test_a_report_that_comes_twice_or_too_late_changes_nothing(market: Market) -> None:
    """Couriers may ask at least once and report at least once."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.decide(started)
    market.tell()
    market.refund(1, of=1, amount=250)
    ((errand,),) = market.world.rows("SELECT id FROM channel_errand")
    report = ReportOutgoing(outgoing_id=errand, tries=0, asked="accepted")
    market.world.send(report)
    before = market.everything()
    for again in (report, msgspec.structs.replace(report, asked="refused"), msgspec.structs.replace(report, asked="unreachable")):
        market.world.send(again)
    assert market.everything() == before
    market.run_errands()
    market.pass_time(3 * MINUTE)
    before = market.everything()
    for tries in range(4):
        market.world.send(ReportOutgoing(outgoing_id=errand, tries=tries, asked="refused"))
    assert market.everything() == before
    assert market.world.refusal(msgspec.structs.replace(report, outgoing_id="req_0")) == "outgoing_not_found"


def test_a_courier_that_dies_after_asking_asks_again_for_the_same(market: Market) -> None:
    """The channel knows the request by its id and gives the money back once."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    market.decide(started)
    market.tell()
    refunded = market.refund(1, of=1, amount=250)
    piece = refunded.pieces[0]
    for _ in range(3):
        assert market.world.run(market.sandbox.refund(piece.request, piece.reference, piece.amount)) == "accepted"
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.clearing(), market.returning()) == (750, 0)
    assert market.reconciles()


def test_an_escrow_and_a_refund_that_there_are_not_are_not_found(market: Market) -> None:
    """By their own codes."""
    with pytest.raises(Refused) as no_escrow:
        market.world.ask(EscrowOf(order_id=order(1)))
    with pytest.raises(Refused) as no_refund:
        market.world.ask(RefundOf(refund_id=refund_id(1)))
    assert (no_escrow.value.code, no_refund.value.code) == ("escrow_not_found", "refund_not_found")
