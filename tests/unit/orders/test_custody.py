"""Orders whose money a provider keeps: where it is said to be, and what becomes of them before the provider keeps it no longer."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from unit.orders.casebook import TOTAL, Claim
from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, channel, yuan
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.cases import CaseEvent, CaseState
from yunduan.domains.orders.model import Funder, OrderState, Who, checkout_of, payment_of
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.whereabouts import MoneyOfOrder, OrderMoney, Whereabouts
from yunduan.domains.payments.drawing import receivable_account
from yunduan.domains.payments.model import EscrowState, Tender, TenderKind, charge_reference, received_account, split_id
from yunduan.domains.payments.queries import EscrowOf
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId

DAY_MS = 86_400_000


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """An empty one."""
    market = Market(tmp_path)
    yield market
    market.close()


def bought(market: Market, buyer: Buyer, *, by_wallet: int = 0) -> OrderId:
    """Goods for 19.99, paid over the custodian but for a part."""
    buyer.want(market.offer())
    total = 1999 + SHIPPING
    wallet = (Tender(kind=TenderKind.WALLET, amount=yuan(by_wallet)),) if by_wallet else ()
    placed = buyer.buy((*wallet, *channel(total - by_wallet, "custodian")))
    market.decide(placed.payment.redirects[0].url)
    return placed.orders[0].id


def money(market: Market, order: OrderId) -> MoneyOfOrder:
    """Where its money is."""
    return market.world.ask(OrderMoney(order_id=order), actor=market.operator("service"))


def test_where_it_is_says_that_the_provider_keeps_it_and_until_when(market: Market) -> None:
    """Beside what the marketplace keeps; then that it is being handed over, then that the shop has it."""
    buyer = market.buyer(500)
    order = bought(market, buyer, by_wallet=500)
    until = market.world.clock.wall_ms() + 180 * DAY_MS
    said = money(market, order)
    assert [(part.where, part.amount.amount, part.kept_by) for part in said.parts] == [
        (Whereabouts.HELD, 500, ""),
        (Whereabouts.HELD, 2299, "custodian"),
    ]
    assert abs(said.parts[1].kept_until - until) < MINUTE_MS
    assert said.says.endswith("该款由支付机构存管，最迟至3月20日。")
    assert said.says_en.endswith("The payment provider keeps it, until 20 March at the latest.")
    market.ship(order)
    market.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    said = money(market, order)
    assert [(part.where, part.amount.amount) for part in said.parts] == [(Whereabouts.SPLITTING, 2799)]
    assert said.says.startswith("27.99 CNY 正由支付机构分账给商家。")
    market.world.pass_time(MINUTE_MS)
    assert [(part.where, part.amount.amount, part.kept_by) for part in money(market, order).parts] == [(Whereabouts.EARNED, 2799, "")]


def test_before_the_hold_ends_what_has_left_is_the_shops_and_its_case_goes_on(market: Market) -> None:
    """The order is received and split, and what the case comes to is taken back from the shop there."""
    market.custodian.hold_ms = 2 * DAY_MS
    claim = Claim(market, market.buyer(), tenders=channel(TOTAL, "custodian"))
    market.world.pass_time(DAY_MS - MINUTE_MS)
    assert (order_state(market, claim.order), split_of(market, claim.order)) == (OrderState.SHIPPED, [])
    market.world.pass_time(10 * MINUTE_MS)
    assert (order_state(market, claim.order), split_of(market, claim.order)) == (OrderState.RECEIVED, [("done",)])
    assert (claim.state, market.balance(received_account(market.shop.id, "CNY")) > 0) == (CaseState.ASKED, True)
    claim.take(CaseEvent.AGREE, Who.SHOP)
    market.world.pass_time(5 * MINUTE_MS)
    assert (claim.state, order_state(market, claim.order)) == (CaseState.REFUNDED, OrderState.REFUNDED)
    assert market.world.rows("SELECT state FROM payment_refund") == [("done",)]
    assert market.balance(received_account(market.shop.id, "CNY")) == 0


def test_a_deadline_waits_for_a_provider_that_has_yet_to_answer_and_not_for_one_that_has_refused(market: Market) -> None:
    """Nothing can be given back before it has: the case is looked at again a day later."""
    market.custodian.hold_ms = 2 * DAY_MS
    claim = Claim(market, market.buyer(), tenders=channel(TOTAL, "custodian"))
    market.world.pass_time(DAY_MS - MINUTE_MS)
    misbehave(market, unreachable=1000)
    market.world.pass_time(10 * MINUTE_MS)
    refused = market.world.cloud.writer.alarms_refused
    claim.wait()
    market.world.pass_time(MINUTE_MS)
    assert (split_of(market, claim.order), claim.state) == ([("asked",)], CaseState.ASKED)
    assert market.world.cloud.writer.alarms_refused == refused
    misbehave(market, unreachable=0, refuses_splits=1000)
    market.world.pass_time(DAY_MS)
    assert (split_of(market, claim.order), claim.state) == ([("void",)], CaseState.REFUNDED)
    assert market.world.cloud.writer.alarms_refused == refused
    market.assert_balanced()


def test_a_case_can_be_agreed_to_when_a_bank_has_taken_a_part_of_what_a_provider_would_not_split(market: Market) -> None:
    """What the bank has left goes back out of the hold."""
    market.custodian.hold_ms = 2 * DAY_MS
    misbehave(market, refuses_splits=1000)
    claim = Claim(market, market.buyer(), tenders=channel(TOTAL, "custodian"))
    market.world.pass_time(DAY_MS + 10 * MINUTE_MS)
    name = market.custodian.charge_back(charge_reference(payment_of(checkout_of(claim.order)), 0), 100)
    market.world.settle()
    assert name is not None
    assert market.custodian.decide_chargeback(name, won=False)
    market.world.settle()
    claim.take(CaseEvent.AGREE, Who.SHOP)
    market.world.settle()
    assert (claim.state, order_state(market, claim.order)) == (CaseState.REFUNDED, OrderState.REFUNDED)
    assert (split_of(market, claim.order), market.escrow(claim.order)) == ([("refused",)], 100)
    misbehave(market, refuses_splits=0)
    market.world.send(AskSplitAgain(split_id=split_id(claim.order, 0)), actor=market.operator())
    market.world.pass_time(MINUTE_MS)
    assert (split_of(market, claim.order), market.escrow(claim.order)) == ([("done",)], 0)
    market.assert_balanced()


def test_before_the_hold_ends_what_has_not_left_goes_back(market: Market) -> None:
    """Where the provider keeps it for less time than its shop has to ship it."""
    market.custodian.hold_ms = 2 * DAY_MS
    order = bought(market, market.buyer())
    market.world.pass_time(DAY_MS + 5 * MINUTE_MS)
    assert order_state(market, order) is OrderState.CANCELLED
    assert [part.where for part in money(market, order).parts] == [Whereabouts.RETURNED]


@pytest.mark.parametrize("behaviour", ["refuses_splits", "unreachable"])
def test_what_the_marketplace_paid_of_a_price_comes_back_to_it_while_a_split_waits(market: Market, behaviour: str) -> None:
    """The decision is heard, the order ends, and the provider is still asked for no less."""
    market.set_aside(500)
    buyer, earned = market.buyer(), market.commission()
    lines = [AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(SHIPPING))]
    discount = AgreedDiscount(shop_id=market.shop.id, title="券", funder=Funder.MARKETPLACE, amount=yuan(500))
    whole = 1999 + SHIPPING
    ask = market.agreed(buyer, lines, discount, tenders=channel(whole - 500, "custodian"))
    placed = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True))
    market.decide(placed.payment.redirects[0].url)
    order = placed.orders[0].id
    market.ship(order)
    misbehave(market, **{behaviour: 1000})
    market.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    market.world.pass_time(MINUTE_MS)
    name = market.custodian.charge_back(charge_reference(placed.payment.id, 0))
    market.world.settle()
    assert name is not None
    assert market.custodian.decide_chargeback(name, won=False)
    market.world.settle()
    misbehave(market, **{behaviour: 0})
    assert market.world.rows("SELECT state FROM payment_chargeback") == [("lost",)]
    assert (order_state(market, order), market.promotions(), market.escrow(order)) == (OrderState.REFUNDED, 500, whole - 500)
    owed = market.balance(receivable_account(market.shop.id, "CNY"))
    if behaviour == "refuses_splits":
        market.world.send(AskSplitAgain(split_id=split_id(order, 0)), actor=market.operator())
    market.world.pass_time(15 * MINUTE_MS)
    paid_off = market.balance(receivable_account(market.shop.id, "CNY")) - owed
    assert split_of(market, order) == [("done",)]
    assert (market.world.ask(EscrowOf(order_id=order)).state, market.escrow(order)) == (EscrowState.SETTLED, 0)
    received = market.balance(received_account(market.shop.id, "CNY"))
    assert (received + paid_off + market.commission() - earned, market.earned()) == (whole - 500, 0)
    market.assert_balanced()


def misbehave(market: Market, **how: int) -> None:
    """Have the custodian behave badly from now on."""
    market.custodian.misbehaviour = msgspec.structs.replace(market.custodian.misbehaviour, **how)


def split_of(market: Market, order: OrderId) -> list[tuple[str]]:
    """Where the split of an order stands."""
    return market.world.rows("SELECT state FROM payment_split WHERE id = ?", split_id(order, 0))


def order_state(market: Market, order: OrderId) -> OrderState:
    """Where it stands."""
    return market.world.ask(OrderOf(order_id=order), actor=market.operator("service")).state
