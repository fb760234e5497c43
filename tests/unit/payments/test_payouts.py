"""Payouts: to one's own account alone, approved above the limit, paid once, and back whole when they are not."""

import msgspec
import pytest

from support.payments import (
    APPROVE_ABOVE,
    BUYER,
    CARD,
    DAY,
    KEEPER,
    MINUTE,
    OTHER,
    SECOND_SHOP,
    SHOP,
    Market,
    by_wallet,
    cny,
    order,
    part,
    refund_id,
)
from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.commands import ReportOutgoing
from yunduan.domains.payments.model import BankAccount
from yunduan.domains.payments.payees import PayeeState, PaymentSettings, PayoutState
from yunduan.domains.payments.payouts import (
    ApprovePayout,
    DeclinePayout,
    NamePayee,
    PayoutMoved,
    PayOutShop,
    Withdraw,
)
from yunduan.domains.payments.payouts_seen import AwaitedPayoutsOf, PayoutsOfShop, Withdrawals
from yunduan.domains.payments.queries import MoneyOf, StatementOfWallet
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

ME = Actor(person=BUYER)
SHOPKEEPER = Actor(person=KEEPER)
FIRST, SECOND = (Actor(person=PersonId(f"per_{n:026x}"), operator_roles=frozenset({"finance"})) for n in (0x0E, 0x0F))
ACCOUNT = BankAccount(bank="中国工商银行", holder="林美", number=CARD)


def misbehave(market: Market, **how: int) -> None:
    """Have the channel behave badly from now on."""
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, **how)


def withdraw(market: Market, amount: int, person: PersonId = BUYER) -> PayoutMoved:
    """Take money out of a wallet."""
    return market.world.send(Withdraw(amount=cny(amount)), actor=Actor(person=person))


def states(market: Market, person: PersonId = BUYER) -> list[str]:
    """Where somebody's payouts stand, the latest first."""
    return [line.state.value for line in market.world.ask(Withdrawals(), actor=Actor(person=person)).items]


def sold(market: Market, number: int, amount: int) -> None:
    """An order that was paid from the wallet, and whose shop has the money."""
    market.fill(OTHER, amount)
    market.pay(number, [part(number, amount)], [by_wallet(amount)], buyer=OTHER)
    market.settle(number, 0)


def test_a_wallet_is_paid_out_to_its_owners_account(market: Market) -> None:
    """It leaves at once, is on its way, and is paid when the channel says so; the books are the channel's."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    asked = withdraw(market, 600)
    assert (asked.state, asked.amount, asked.approvals) == (PayoutState.SENT, cny(600), 0)
    assert (market.wallet(), market.leaving(), market.paid_out()) == (400, 600, 0)
    money = market.world.ask(MoneyOf(person_id=BUYER))
    assert (money.in_wallet, money.on_its_way) == ((cny(400),), (cny(600),))
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.wallet(), market.leaving(), market.paid_out()) == (400, 0, 600)
    assert market.world.ask(MoneyOf(person_id=BUYER)).on_its_way == ()
    (line,) = market.world.ask(Withdrawals(), actor=ME).items
    assert (line.id, line.state, line.amount) == (asked.id, PayoutState.PAID, cny(600))
    assert line.at < line.ended_at
    statement = market.world.ask(StatementOfWallet(currency="CNY"), actor=ME)
    assert [(line.what, line.change) for line in statement.items] == [("pay_out", -600), ("top_up", 1_000)]
    assert (market.facts("PayoutBegun"), market.facts("PayoutEnded"), market.facts("PayeeChecked")) == (1, 1, 1)
    assert market.balanced()
    assert market.reconciles()


def test_a_shop_is_paid_out_to_its_account(market: Market) -> None:
    """From its balance."""
    sold(market, 1, 1_000)
    market.name_payee(SHOP)
    market.world.send(PayOutShop(shop_id=SHOP, amount=cny(1_000)), actor=SHOPKEEPER)
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.balance(model.shop_account(SHOP, "CNY")), market.leaving(), market.paid_out()) == (0, 0, 1_000)
    seen = market.world.ask(PayoutsOfShop(shop_id=SHOP))
    assert [(line.state, line.amount) for line in seen.items] == [(PayoutState.PAID, cny(1_000))]
    assert seen.payee is not None
    assert (seen.payee.state, seen.payee.bank, seen.payee.number) == (PayeeState.VERIFIED, "中国工商银行", "**** 5670")
    assert market.world.ask(PayoutsOfShop(shop_id=SECOND_SHOP)).payee is None
    assert market.reconciles()


def test_only_an_account_that_the_channel_has_confirmed_is_paid_out_to(market: Market) -> None:
    """None, one that is not confirmed yet, one that is not its holder's, one that has taken another's place: nothing changes."""
    market.fill(BUYER, 1_000)
    ask = Withdraw(amount=cny(100))
    before = market.everything()
    assert market.world.refusal(ask, actor=ME) == "payee_not_found"
    assert market.world.refusal(NamePayee(channel="nowhere", account=ACCOUNT), actor=ME) == "channel_unknown"
    assert market.everything() == before
    named = market.world.send(NamePayee(channel="sandbox", account=ACCOUNT), actor=ME)
    assert named.state is PayeeState.CHECKING
    before = market.everything()
    assert market.world.refusal(ask, actor=ME) == "payee_not_verified"
    assert market.everything() == before
    market.run_errands()
    withdraw(market, 100)
    wrong = msgspec.structs.replace(ACCOUNT, number="6222020200012345671")
    market.world.send(NamePayee(channel="sandbox", account=wrong), actor=ME)
    assert market.world.refusal(ask, actor=ME) == "payee_not_verified"
    market.run_errands()
    payee = market.world.ask(Withdrawals(), actor=ME).payee
    assert payee is not None
    assert payee.state is PayeeState.REFUSED
    assert market.world.refusal(ask, actor=ME) == "payee_not_verified"
    assert (market.wallet(), states(market)) == (900, ["sent"])


def test_what_a_channel_says_of_an_account_that_has_been_replaced_counts_for_nothing(market: Market) -> None:
    """The answer to the first question does not make the second account verified."""
    market.world.send(NamePayee(channel="sandbox", account=ACCOUNT), actor=ME)
    ((first,),) = market.world.rows("SELECT id FROM channel_errand")
    wrong = msgspec.structs.replace(ACCOUNT, number="6222020200012345671")
    market.world.send(NamePayee(channel="sandbox", account=wrong), actor=ME)
    market.world.send(ReportOutgoing(outgoing_id=first, tries=0, asked="accepted"))
    payee = market.world.ask(Withdrawals(), actor=ME).payee
    assert payee is not None
    assert payee.state is PayeeState.CHECKING
    market.run_errands()
    payee = market.world.ask(Withdrawals(), actor=ME).payee
    assert payee is not None
    assert payee.state is PayeeState.REFUSED


def test_an_account_is_sealed(market: Market) -> None:
    """No row, no fact and no errand has its number or its holder in clear."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    withdraw(market, 100)
    market.pass_time(MINUTE)
    for table in ("payment_payee", "payment_payout", "channel_errand", "fact"):
        for row in market.world.rows(f"SELECT * FROM {table}"):
            assert CARD.encode() not in repr(row).encode()
            assert "林美" not in repr(row)
            assert "林美".encode() not in b"".join(cell for cell in row if isinstance(cell, bytes))


def test_whoever_has_been_forgotten_is_paid_nothing(market: Market) -> None:
    """The account cannot be read any more, so nothing is asked of the channel and the money is back."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    withdraw(market, 100)
    market.vault.destroy(BUYER)
    market.run_errands()
    assert (market.wallet(), states(market), market.paid_out()) == (1_000, ["returned"], 0)
    payee = market.world.ask(Withdrawals(), actor=ME).payee
    assert payee is not None
    assert (payee.bank, payee.number) == ("", "")


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_payout_that_the_channel_refuses_goes_back_whole(market: Market, when: str) -> None:
    """At once, since it has not so much of ours, or after a while."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    if when == "at once":
        market.sandbox._books.execute("DELETE FROM charge")
    else:
        misbehave(market, refuses_payouts=1000)
    withdraw(market, 600)
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.wallet(), market.leaving(), market.paid_out(), states(market)) == (1_000, 0, 0, ["returned"])
    assert market.balanced()


def test_a_channel_that_cannot_be_reached_is_asked_again(market: Market) -> None:
    """Later and later, and the same request is done once; an account is checked the same way."""
    market.fill(BUYER, 1_000)
    misbehave(market, unreachable=1000)
    market.name_payee(BUYER)
    assert market.world.refusal(Withdraw(amount=cny(1)), actor=ME) == "payee_not_verified"
    misbehave(market, unreachable=0)
    market.pass_time(MINUTE)
    asked = withdraw(market, 600)
    misbehave(market, unreachable=1000)
    market.pass_time(3 * MINUTE)
    assert (market.leaving(), states(market)) == (600, ["sent"])
    misbehave(market, unreachable=0)
    for _ in range(3):
        assert market.world.run(market.sandbox.pay_out(asked.id, ACCOUNT, cny(600))) == "accepted"
    market.pass_time(10 * MINUTE)
    assert (market.wallet(), market.leaving(), market.paid_out(), states(market)) == (400, 0, 600, ["paid"])
    assert market.reconciles()


def test_a_lost_confirmation_is_found_by_asking(market: Market) -> None:
    """A request that the channel has forgotten is made again, under the same name."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    misbehave(market, loses=1000)
    withdraw(market, 600)
    market.run_errands()
    market.sandbox._books.execute("DELETE FROM payout")
    market.pass_time(5 * MINUTE)
    assert (states(market), market.leaving(), market.paid_out()) == (["paid"], 0, 600)
    assert market.reconciles()


def test_a_report_or_a_notification_that_comes_twice_changes_nothing(market: Market) -> None:
    """Couriers may report at least once, channels tell at least once."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    asked = withdraw(market, 600)
    misbehave(market, doubles=1000)
    market.run_errands()
    market.pass_time(MINUTE)
    assert states(market) == ["paid"]
    before = market.everything()
    for tries in range(4):
        for said in ("accepted", "refused", "unreachable"):
            market.world.send(ReportOutgoing(outgoing_id=asked.id, tries=tries, asked=said))
    assert market.everything() == before


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (cny(0), "amount_out_of_range"),
        (cny(10_000_000_001), "amount_out_of_range"),
        (cny(1_001), "insufficient_funds"),
        (Money(amount=1, currency="USD"), "insufficient_funds"),
    ],
)
def test_nothing_or_too_much_is_refused(market: Market, amount: Money, code: str) -> None:
    """And nothing changes."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    market.name_payee(SHOP)
    before = market.everything()
    assert market.world.refusal(Withdraw(amount=amount), actor=ME) == code
    assert market.world.refusal(PayOutShop(shop_id=SHOP, amount=amount), actor=SHOPKEEPER) == code
    assert market.everything() == before


def test_a_hundred_withdrawals_that_race_never_exceed_the_wallet(market: Market) -> None:
    """Of 100 of 30 out of 1,000, thirty-three go through."""
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    outcomes = market.world.send_all([(Withdraw(amount=cny(30)), ME)] * 100)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Refused)] == ["insufficient_funds"] * 67
    assert (market.wallet(), market.leaving()) == (10, 990)


# Approval


def above(market: Market) -> PayoutMoved:
    """A withdrawal above the limit."""
    market.fill(BUYER, 10_000)
    market.name_payee(BUYER)
    return withdraw(market, APPROVE_ABOVE + 1)


def test_the_limit_itself_needs_nobody(market: Market) -> None:
    """Only what is above it."""
    market.fill(BUYER, 10_000)
    market.name_payee(BUYER)
    assert withdraw(market, APPROVE_ABOVE).state is PayoutState.SENT


def test_above_the_limit_two_operators_agree(market: Market) -> None:
    """It has left the wallet, and nothing is asked of the channel before."""
    asked = above(market)
    assert asked.state is PayoutState.AWAITED
    assert (market.wallet(), market.leaving()) == (4_999, 5_001)
    (waiting,) = market.world.ask(AwaitedPayoutsOf()).items
    assert (waiting.id, waiting.owner_id, waiting.asked_by_id, waiting.approver_ids) == (asked.id, BUYER, BUYER, ())
    market.pass_time(MINUTE)
    once = market.world.send(ApprovePayout(payout_id=asked.id), actor=FIRST)
    assert (once.state, once.approvals) == (PayoutState.AWAITED, 1)
    market.pass_time(MINUTE)
    assert market.paid_out() == 0
    twice = market.world.send(ApprovePayout(payout_id=asked.id), actor=SECOND)
    assert (twice.state, twice.approvals) == (PayoutState.SENT, 2)
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.paid_out(), states(market), market.world.ask(AwaitedPayoutsOf()).items) == (5_001, ["paid"], ())
    assert market.reconciles()


def test_nobody_approves_twice_or_what_they_asked_for(market: Market) -> None:
    """Not the cloud either, and not whose account it goes to; nothing changes."""
    asked = above(market)
    ask = ApprovePayout(payout_id=asked.id)
    market.world.send(ask, actor=FIRST)
    before = market.everything()
    asker = msgspec.structs.replace(FIRST, person=BUYER)
    for actor in (FIRST, asker, Actor(is_system=True)):
        assert market.world.refusal(ask, actor=actor) == "approved_by_the_same"
    assert market.world.refusal(ApprovePayout(payout_id="pyo_0"), actor=SECOND) == "payout_not_found"
    assert market.world.refusal(DeclinePayout(payout_id="pyo_0"), actor=SECOND) == "payout_not_found"
    assert market.everything() == before
    market.world.send(ask, actor=SECOND)
    before = market.everything()
    third = msgspec.structs.replace(FIRST, person=OTHER)
    assert market.world.refusal(ask, actor=third) == "payout_not_awaited"
    assert market.world.refusal(DeclinePayout(payout_id=asked.id), actor=third) == "payout_not_awaited"
    assert market.everything() == before


def test_what_is_declined_goes_back_whole(market: Market) -> None:
    """One operator is enough, also after another has approved."""
    asked = above(market)
    market.world.send(ApprovePayout(payout_id=asked.id), actor=FIRST)
    declined = market.world.send(DeclinePayout(payout_id=asked.id), actor=FIRST)
    assert declined.state is PayoutState.DECLINED
    market.pass_time(MINUTE)
    assert (market.wallet(), market.leaving(), market.paid_out(), states(market)) == (10_000, 0, 0, ["declined"])
    assert market.world.ask(AwaitedPayoutsOf()).items == ()


# Shops that owe


def owes(market: Market) -> None:
    """A shop whose thousand is on its way out, and which comes to owe four hundred."""
    sold(market, 1, 1_000)
    market.name_payee(SHOP)
    market.world.send(PayOutShop(shop_id=SHOP, amount=cny(1_000)), actor=SHOPKEEPER)
    refunded = market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(400)))
    assert refunded.drawn is not None
    assert refunded.drawn.owed == cny(400)


def test_a_shop_that_owes_is_paid_nothing(market: Market) -> None:
    """And nothing changes; when it has earned what it owes it may be paid again."""
    owes(market)
    before = market.everything()
    assert market.world.refusal(PayOutShop(shop_id=SHOP, amount=cny(1)), actor=SHOPKEEPER) == "shop_owes"
    assert market.everything() == before
    sold(market, 2, 500)
    assert market.balance(drawing.receivable_account(SHOP, "CNY")) == 0
    assert market.world.send(PayOutShop(shop_id=SHOP, amount=cny(100)), actor=SHOPKEEPER).state is PayoutState.SENT


def test_a_payout_that_comes_back_pays_what_the_shop_owes(market: Market) -> None:
    """The rest is its own."""
    misbehave(market, refuses_payouts=1000)
    owes(market)
    market.run_errands()
    market.pass_time(MINUTE)
    assert market.balance(drawing.receivable_account(SHOP, "CNY")) == 0
    assert market.balance(model.shop_account(SHOP, "CNY")) == 600
    assert market.balanced()


def test_pages_of_payouts_go_on_where_they_ended(market: Market) -> None:
    """The latest first, for their owner; the longest waiting first, for operators."""
    market.fill(BUYER, 100_000)
    market.name_payee(BUYER)
    asked = [withdraw(market, APPROVE_ABOVE + number).id for number in range(1, 6)]
    first = market.world.ask(Withdrawals(limit=2), actor=ME)
    second = market.world.ask(Withdrawals(limit=2, after=first.after), actor=ME)
    third = market.world.ask(Withdrawals(limit=2, after=second.after), actor=ME)
    assert [line.id for page in (first, second, third) for line in page.items] == asked[::-1]
    assert third.after is None
    waiting = market.world.ask(AwaitedPayoutsOf(limit=3))
    more = market.world.ask(AwaitedPayoutsOf(limit=3, after=waiting.after))
    assert [line.id for page in (waiting, more) for line in page.items] == asked
    assert (more.after, market.world.ask(Withdrawals(), actor=Actor(person=OTHER)).items) == (None, ())


@pytest.fixture
def patient(market: Market) -> Market:
    """A market where an account that was named waits for a day, as it does unless somebody says otherwise."""
    settings = msgspec.structs.replace(market.world.cloud.port(PaymentSettings), payee_waits_ms=DAY)
    market.world.cloud._ports[PaymentSettings] = settings
    return market


def test_nothing_is_paid_out_to_an_account_that_was_just_named(patient: Market) -> None:
    """Confirmed or not: its owner is told, and has a day to notice. Then it is, to the millisecond; nothing changed before."""
    market = patient
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    usable_at = market.world.clock.wall_ms() + DAY
    seen = market.world.ask(Withdrawals(), actor=ME).payee
    assert seen is not None
    assert (seen.state, seen.usable_at) == (PayeeState.VERIFIED, usable_at)
    market.pass_time(DAY - 1)
    before = market.everything()
    with pytest.raises(Refused) as no:
        withdraw(market, 600)
    assert (no.value.code, no.value.figures) == ("payee_waits", {"usable_at": usable_at})
    assert market.everything() == before
    market.pass_time(1)
    assert withdraw(market, 600).state is PayoutState.SENT


def test_naming_it_anew_begins_the_day_anew(patient: Market) -> None:
    """The same account too; what is on its way goes where it was going."""
    market = patient
    market.fill(BUYER, 1_000)
    market.name_payee(BUYER)
    market.pass_time(DAY)
    withdraw(market, 100)
    market.name_payee(BUYER)
    assert market.world.refusal(Withdraw(amount=cny(100)), actor=ME) == "payee_waits"
    market.run_errands()
    market.pass_time(MINUTE)
    assert states(market) == ["paid"]
    assert market.facts("PayeeNamed") == 2


def test_a_shop_waits_as_well(patient: Market) -> None:
    """Asked for or by its plan."""
    market = patient
    sold(market, 1, 1_000)
    market.name_payee(SHOP)
    assert market.world.refusal(PayOutShop(shop_id=SHOP, amount=cny(100)), actor=SHOPKEEPER) == "payee_waits"
    market.pass_time(DAY)
    assert market.world.send(PayOutShop(shop_id=SHOP, amount=cny(100)), actor=SHOPKEEPER).state is PayoutState.SENT
