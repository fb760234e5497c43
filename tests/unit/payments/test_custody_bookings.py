"""What a provider has done by itself is booked by an operator, so that our books are its own again: once, with a reason."""

from typing import Any

import msgspec
import pytest

from support.payments import BUYER, DAY, KEEPER, MINUTE, SHOP, Market, by_channel, by_wallet, cny, kept, order, part, refund_id
from yunduan.domains.payments import model
from yunduan.domains.payments.booking import BookedNow, BookingKind, BookingsOf, BookOwnMoney, BookSplit
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import EscrowState, PaymentRefusal, SplitState
from yunduan.domains.payments.queries import OpenAlertsOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import SplitStands
from yunduan.domains.payments.statements import StatementsOf
from yunduan.kernel.actors import Actor

OPERATOR = Actor(person=KEEPER)


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def refused(market: Market, command: Any) -> str:
    """With what a command is refused; nothing has changed then."""
    before = market.everything()
    code = market.world.refusal(command, actor=OPERATOR)
    assert market.everything() == before
    return code


def splitting(market: Market, whole: int = 1_000, *, wallet: int = 0, commission: int = 50) -> str:
    """An order that a provider has refused to split; answers its charge."""
    if wallet:
        market.fill(BUYER, wallet)
    market.decide(market.pay(1, [part(1, whole)], [by_wallet(wallet)] * bool(wallet) + [by_channel(whole - wallet, "custodian")]))
    market.tell()
    misbehave(market, refuses_splits=1_000)
    market.settle(1, commission)
    market.pass_time(MINUTE)
    misbehave(market, refuses_splits=0)
    return market.payment(1).charges[0].reference


def test_our_own_money_that_comes_to_a_provider_or_leaves_it_is_booked_as_its_statement_says(market: Market) -> None:
    """Once for a line; the day's statement agrees then, and whoever audits it sees who has booked it and why."""
    splitting(market)
    market.custodian.move_own("in-1", cny(300), is_paid_in=True)
    market.custodian.move_own("out-1", cny(120), is_paid_in=False)
    assert not market.reconciles("custodian")
    first = BookOwnMoney(channel="custodian", name="in-1", amount=cny(300), is_paid_in=True, reason="补足自有资金")
    at = market.world.clock.wall_ms()
    told = BookedNow(name="in-1", kind=BookingKind.PAID_IN, amount=cny(300), of_shop=0, by_id=KEEPER, reason="补足自有资金", at=at)
    assert market.world.send(first, actor=OPERATOR) == told
    assert refused(market, first) == PaymentRefusal.BOOKED_ALREADY
    second = BookOwnMoney(channel="custodian", name="out-1", amount=cny(120), is_paid_in=False, reason="x")
    market.world.send(second, actor=OPERATOR)
    assert kept(market) == KeptBalances(held=1_000, given=0, own=180)
    assert market.balance(model.bank_account("custodian", "CNY")) == 180
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)
    page = market.world.ask(BookingsOf(channel="custodian", limit=1))
    assert (page.items, page.after) == ((told,), "in-1")
    assert [one.name for one in market.world.ask(BookingsOf(channel="custodian", after="in-1")).items] == ["out-1"]
    assert "补足" not in repr(market.everything())
    market.pass_time(2 * DAY, step=DAY // 4)
    days = market.world.ask(StatementsOf(channel="custodian")).items
    assert ({day.state for day in days}, market.world.ask(OpenAlertsOf()).items) == ({"agrees"}, ())


@pytest.mark.parametrize("how", [{"amount": cny(301)}, {"is_paid_in": False}, {"name": "in-2"}])
def test_what_is_booked_otherwise_than_the_provider_says_differs(market: Market, how: dict[str, Any]) -> None:
    """Another sum, the other way, or by another name."""
    splitting(market)
    market.custodian.move_own("in-1", cny(300), is_paid_in=True)
    first = BookOwnMoney(channel="custodian", name="in-1", amount=cny(300), is_paid_in=True, reason="x")
    market.world.send(msgspec.structs.replace(first, **how), actor=OPERATOR)
    assert not market.reconciles("custodian")


def test_only_at_a_provider_and_only_a_sum_that_can_be_moved(market: Market) -> None:
    """What another channel collects is ours at once."""
    first = BookOwnMoney(channel="sandbox", name="in-1", amount=cny(300), is_paid_in=True, reason="x")
    assert refused(market, first) == PaymentRefusal.NOT_KEPT
    assert refused(market, msgspec.structs.replace(first, channel="nobody")) == PaymentRefusal.CHANNEL_UNKNOWN
    assert refused(market, msgspec.structs.replace(first, channel="custodian", amount=cny(0))) == PaymentRefusal.AMOUNT_OUT_OF_RANGE


@pytest.mark.parametrize(("to_marketplace", "wallet"), [(50, 0), (0, 0), (80, 0), (0, 300), (60, 300)])
def test_a_split_that_was_refused_and_that_the_provider_has_done_by_itself_is_booked(
    market: Market, to_marketplace: int, wallet: int
) -> None:
    """Whatever each has had of it; what the marketplace keeps itself is settled with it, and a refund comes from where it is then."""
    reference = splitting(market, wallet=wallet)
    whole = 1_000 - wallet
    theirs = {"to_shop": whole - to_marketplace, "to_marketplace": to_marketplace}
    market.custodian.split_by_itself("manual-7", reference, SHOP, **theirs)
    assert not market.reconciles("custodian")
    ours = {key: cny(amount) for key, amount in theirs.items()}
    ask = BookSplit(split_id=model.split_id(order(1), int(bool(wallet))), name="manual-7", reason="机构手工分账", **ours)
    assert refused(market, msgspec.structs.replace(ask, split_id=model.split_id(order(9), 0))) == PaymentRefusal.SPLIT_NOT_FOUND
    assert refused(market, msgspec.structs.replace(ask, to_shop=cny(1))) == PaymentRefusal.AMOUNT_OUT_OF_RANGE
    assert market.world.send(ask, actor=OPERATOR) == SplitStands(id=ask.split_id, state=SplitState.DONE, amount=cny(whole))
    assert refused(market, ask) == PaymentRefusal.SPLIT_NOT_REFUSED
    here = 50 * wallet // 1_000
    assert market.escrow(1).state is EscrowState.SETTLED
    assert market.balance(model.received_account(SHOP, "CNY")) == whole - to_marketplace
    assert market.balance(model.commission_account("CNY")) == to_marketplace + here
    assert market.balance(model.shop_account(SHOP, "CNY")) == wallet - here
    assert (market.reconciles("custodian"), market.balanced()) == (True, True)
    market.world.send(RefundSettled(refund_id=refund_id(1), order_id=order(1), amount=cny(1_000)))
    market.pass_time(5 * MINUTE)
    assert (kept(market), market.balance(model.commission_account("CNY"))) == (KeptBalances(held=0, given=0, own=0), 0)
    market.pass_time(2 * DAY, step=DAY // 4)
    assert (market.reconciles("custodian"), market.world.ask(OpenAlertsOf()).items) == (True, ())
    assert [one.kind for one in market.world.ask(BookingsOf(channel="custodian")).items] == [BookingKind.SPLIT]
