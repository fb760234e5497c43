"""Money that a provider keeps: collected into its hold, split between shop and marketplace when the order is settled, mirrored here."""

import msgspec
import pytest

from support.payments import (
    BUYER,
    DAY,
    KEEPER,
    MINUTE,
    SECOND_SHOP,
    SHOP,
    Market,
    by_channel,
    by_wallet,
    cny,
    kept,
    mirror,
    order,
    part,
    refund_id,
)
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import RefundEscrow, SettleEscrow, TopUpWallet
from yunduan.domains.payments.methods import PaymentMethods
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import BankAccount, Custody, EscrowState, RefundState, SplitState
from yunduan.domains.payments.payouts import NamePayee, NameShopPayee
from yunduan.domains.payments.queries import MoneyByPurpose, RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.kernel.actors import Actor

FIRST = model.split_id(order(1), 0)


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def paid(market: Market, amount: int = 1_000) -> None:
    """An order paid over the custodian."""
    market.decide(market.pay(1, [part(1, amount)], [by_channel(amount, "custodian")]))
    market.tell()


def mixed(market: Market) -> None:
    """An order of 1,000: 333 from the wallet, 667 over the custodian."""
    market.fill(BUYER, 333)
    market.decide(market.pay(1, [part(1, 1_000)], [by_wallet(333), by_channel(667, "custodian")]))
    market.tell()


def received(market: Market) -> int:
    """What the shop has been given at the provider."""
    return market.balance(model.received_account(SHOP, "CNY"))


def earned(market: Market) -> tuple[int, int]:
    """What the shop has here, and what the marketplace has earned."""
    return market.balance(model.shop_account(SHOP, "CNY")), market.balance(model.commission_account("CNY"))


def split(market: Market, id: str = FIRST) -> model.Split:
    """A split as it is kept."""
    ((body,),) = market.world.rows("SELECT body FROM payment_split WHERE id = ?", id)
    return msgspec.json.decode(body, type=model.Split)


def test_what_a_provider_collects_lies_in_its_hold_and_nowhere_among_our_own(market: Market) -> None:
    """Its own line of the trial balance; the escrow says who keeps it, and until when."""
    paid(market)
    assert kept(market) == KeptBalances(held=1_000, given=0, own=0)
    assert market.reconciles("custodian")
    purposes = {purpose.name: purpose.balance for purpose in market.world.ask(MoneyByPurpose(currency="CNY"))}
    assert purposes == {"held": -1_000, "escrow": 1_000}
    escrow = market.escrow(1)
    assert [one.custody for one in escrow.funding] == [Custody.PROVIDER]
    assert escrow.held_until == market.world.clock.wall_ms() + 180 * DAY
    assert market.payment(1).charges[0].held_until == escrow.held_until


def test_settling_asks_the_provider_and_the_shop_has_its_money_when_it_answers(market: Market) -> None:
    """It goes to the shop there, and never to the balance that is paid out here; the commission is our own there."""
    paid(market)
    settlement = market.settle(1, 50)
    assert (settlement.to_shop, settlement.commission) == (cny(950), cny(50))
    assert (market.escrow(1).state, market.escrow(1).held) == (EscrowState.SPLITTING, cny(1_000))
    assert (received(market), earned(market), market.facts("EscrowSettled")) == (0, (0, 0), 0)
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.escrow(1).state, market.escrow(1).held) == (EscrowState.SETTLED, cny(0))
    assert (received(market), earned(market), market.facts("EscrowSettled")) == (950, (0, 50), 1)
    assert kept(market) == KeptBalances(held=0, given=950, own=50)
    account = market.world.ask(AccountOf(id=model.escrow_account(order(1))))
    assert account is not None
    assert account.closed
    assert market.reconciles("custodian")
    assert market.balanced()


def test_an_order_that_two_keep_is_settled_whole_and_each_part_to_the_last_unit(market: Market) -> None:
    """The commission by what each keeps, largest remainder; nothing leaves before the provider has answered."""
    mixed(market)
    market.settle(1, 50)
    assert earned(market) == (0, 0)
    market.pass_time(MINUTE)
    second = split(market, model.split_id(order(1), 1))
    assert (second.to_shop, second.to_marketplace) == (cny(634), cny(33))
    assert (received(market), earned(market)) == (634, (316, 50))
    assert kept(market) == KeptBalances(held=0, given=634, own=33)
    assert (market.reconciles("custodian"), market.reconciles(), market.balanced()) == (True, True, True)


def test_while_it_is_split_nothing_else_moves(market: Market) -> None:
    """A second settlement, a refund of what is held or of what was settled: refused, and nothing has changed."""
    paid(market)
    market.settle(1, 50)
    before = market.everything()
    asks = (
        SettleEscrow(order_id=order(1), shop_id=SHOP, commission=cny(50)),
        RefundEscrow(refund_id=refund_id(1), order_id=order(1), amount=cny(10)),
        RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(10)),
    )
    assert [market.world.refusal(ask) for ask in asks] == ["escrow_being_split"] * 3
    assert market.everything() == before


def test_a_split_that_is_refused_is_kept_for_operators_who_have_it_asked_again(market: Market) -> None:
    """Under another name, since the provider answers the first as before; what is not refused is not asked again."""
    paid(market)
    misbehave(market, refuses_splits=1000)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    assert (split(market).state, market.facts("SplitRefused")) == (SplitState.REFUSED, 1)
    assert (market.escrow(1).state, market.escrow(1).held, kept(market).held) == (EscrowState.SPLITTING, cny(1_000), 1_000)
    assert market.reconciles("custodian")
    misbehave(market, refuses_splits=0)
    assert market.world.refusal(AskSplitAgain(split_id=model.split_id(order(9), 0))) == "split_not_found"
    assert market.world.send(AskSplitAgain(split_id=FIRST)).state is SplitState.ASKED
    assert market.world.refusal(AskSplitAgain(split_id=FIRST)) == "split_not_refused"
    market.pass_time(MINUTE)
    assert (received(market), earned(market), split(market).serial) == (950, (0, 50), 1)
    assert market.world.refusal(AskSplitAgain(split_id=FIRST)) == "split_not_refused"
    assert market.reconciles("custodian")


def test_two_orders_of_one_charge_are_split_each_by_itself(market: Market) -> None:
    """What is kept of the other stays, and goes back from the hold."""
    parts = [part(1, 600), part(2, 401, SECOND_SHOP)]
    market.decide(market.pay(1, parts, [by_channel(1_001, "custodian")]))
    market.tell()
    market.settle(1, 30)
    market.refund(1, of=2, amount=100)
    market.pass_time(MINUTE)
    market.refund(2, of=2, amount=301)
    market.pass_time(MINUTE)
    assert kept(market) == KeptBalances(held=0, given=570, own=30)
    assert market.world.ask(RefundOf(refund_id=refund_id(2))).state is RefundState.DONE
    assert (market.escrow(2).state, market.returning("custodian")) == (EscrowState.RETURNED, 0)
    assert market.reconciles("custodian")


def test_a_provider_that_is_silent_doubles_or_cannot_be_reached_splits_once(market: Market) -> None:
    """Asked until it answers, by the id of the split."""
    misbehave(market, unreachable=400, doubles=500, delays=300, loses=300)
    for number in range(1, 6):
        market.decide(market.pay(number, [part(number, 1_000)], [by_channel(1_000, "custodian")]))
        market.pass_time(70 * MINUTE, step=5 * MINUTE)
        market.settle(number, 50)
        market.pass_time(3 * 60 * MINUTE, step=5 * MINUTE)
    misbehave(market, unreachable=0, loses=0)
    market.pass_time(3 * 60 * MINUTE, step=5 * MINUTE)
    assert kept(market) == KeptBalances(held=0, given=4_750, own=250)
    assert (market.facts("EscrowSettled"), market.reconciles("custodian")) == (5, True)


def test_no_wallet_is_filled_by_it_and_nothing_is_paid_out_over_it(market: Market) -> None:
    """The marketplace may not hold what the provider keeps."""
    account = BankAccount(bank="中国工商银行", holder="林美", number="6222020200012345670")
    asks = (
        (TopUpWallet(amount=cny(100), channel="custodian"), Actor(person=BUYER)),
        (NamePayee(channel="custodian", account=account), Actor(person=BUYER)),
        (NameShopPayee(shop_id=SHOP, channel="custodian", account=account), Actor(person=KEEPER)),
    )
    offered = {it.channel: it.custody for it in market.world.ask(PaymentMethods()).items}
    assert offered == {"sandbox": Custody.PLATFORM, "second": Custody.PLATFORM, "custodian": Custody.PROVIDER}
    before = market.everything()
    assert [market.world.refusal(ask, actor=actor) for ask, actor in asks] == ["kept_by_provider"] * 3
    assert market.everything() == before


@pytest.mark.parametrize("late", [False, True])
def test_late_money_of_a_provider_makes_the_payment_good_or_goes_back_from_its_hold(market: Market, late: bool) -> None:
    """As that of any channel."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000, "custodian")])
    misbehave(market, dawdles=1000, loses=1000, unreachable=1000)
    market.decide(started)
    market.pass_time(16 * MINUTE)
    misbehave(market, loses=0, unreachable=0)
    market.listener.goods_are_gone = late
    market.pass_time(60 * MINUTE, step=MINUTE)
    assert kept(market).held == (0 if late else 1_000)
    assert (market.returning("custodian"), market.reconciles("custodian")) == (0, True)


def test_a_statement_that_differs_is_seen_line_by_line(market: Market) -> None:
    """A split of other parts, a refund that we do not have, money that is not where we say."""
    paid(market)
    market.settle(1, 50)
    market.pass_time(MINUTE)
    books = market.custodian._books
    books.execute("UPDATE split SET of_shop = of_shop - 1, of_marketplace = of_marketplace + 1")
    found = mirror(market)
    assert [(one.what, one.theirs, one.ours) for one in found.discrepancies] == [("split", 1_000, 0)]
    assert (found.ours, found.theirs) == (KeptBalances(held=0, given=950, own=50), KeptBalances(held=0, given=949, own=51))
    books.execute("UPDATE split SET of_shop = of_shop + 1, of_marketplace = of_marketplace - 1")
    assert market.reconciles("custodian")
    books.execute("INSERT INTO refund SELECT 'req_x', reference, 7, 'refunded', 'refunded', 0 FROM charge")
    assert [(one.what, one.request, one.theirs) for one in mirror(market).discrepancies] == [("refunded", "req_x", 7)]
