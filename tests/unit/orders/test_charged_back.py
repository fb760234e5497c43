"""What a chargeback does to an order, in each state that it can be in: it stands still, goes on, or has ended."""

import pytest
from msgspec.structs import replace

from unit.orders.casebook import DAY_MS, Claim
from unit.orders.market import Buyer, Market, channel, wallet, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.orders import model, store
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.cases import CaseKind, CaseState
from yunduan.domains.orders.claiming import AgreeToCase
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder
from yunduan.domains.orders.dispatch import dispatch_by, stood_ms
from yunduan.domains.orders.dispatching import WaitLonger
from yunduan.domains.orders.disputes import RuleCase
from yunduan.domains.orders.exchanging import SendReplacement
from yunduan.domains.orders.model import HOME_MS, Funder, Order, OrderSettings, OrderState
from yunduan.domains.orders.queries import MyOrders, OrderRefunds, ShopOrders
from yunduan.domains.orders.receiving import NOTICE_MS, ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.domains.payments.model import PaymentRefusal, charge_reference, losses_account
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused

TOTAL = 2799


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody who pays over the channel."""
    return market.buyer()


def bought(market: Market, buyer: Buyer) -> OrderId:
    """An order that was paid over the channel."""
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(TOTAL))
    market.decide(placed.payment.redirects[0].url)
    return placed.orders[0].id


def take(market: Market, id: OrderId, amount: int = 0, *, fee: int = 0) -> str:
    """The payer's bank takes it back."""
    reference = charge_reference(model.payment_of(model.checkout_of(id)), 0)
    name = market.sandbox.charge_back(reference, amount, fee=fee)
    assert name
    market.world.settle()
    return name


def decide(market: Market, name: str, *, won: bool) -> None:
    """The bank decides."""
    assert market.sandbox.decide_chargeback(name, won=won)
    market.world.settle()


def order(market: Market, id: OrderId) -> Order:
    """As it is."""
    (row,) = market.world.rows(f"SELECT {', '.join(store.ORDER.columns)} FROM orders WHERE id = ?", id)
    return store.ORDER.value(row)


def money(market: Market, buyer: Buyer, id: OrderId) -> tuple[dict[str, int], str]:
    """Where it is, in figures and in words; together it is all of it."""
    found = market.world.ask(OrderMoney(order_id=id), actor=buyer.actor)
    assert sum(part.amount.amount for part in found.parts) == found.total.amount
    return {part.where.value: part.amount.amount for part in found.parts}, found.says_en


def refused(market: Market, command: Command, actor: Actor) -> PaymentRefusal:
    """With what it is refused; nothing has changed then."""
    before = market.everything()
    with pytest.raises(Refused) as caught:
        market.world.send(command, actor=actor)
    assert market.everything() == before
    return caught.value.code


def facts(market: Market, kind: str) -> int:
    """How many have been told."""
    return market.world.rows("SELECT CAST(count(*) AS INTEGER) FROM fact WHERE kind = ?", kind)[0][0]


def test_what_has_not_left_stays_where_it_is_until_it_is_decided(market: Market, buyer: Buyer) -> None:
    """It is neither shipped nor called off nor given back; won, it ships as if nothing had been."""
    id = bought(market, buyer)
    name = take(market, id)
    shop = market.shop.id
    asks: list[tuple[Command, Actor]] = [
        (ShipOrder(shop_id=shop, order_id=id, carrier="SF Express", tracking="SF1"), market.staff("packer")),
        (CancelOrder(order_id=id), buyer.actor),
        (DeclineOrder(shop_id=shop, order_id=id), market.staff()),
        (RefundOrder(shop_id=shop, order_id=id, amount=yuan(1)), market.staff()),
    ]
    assert [refused(market, command, actor) for command, actor in asks] == [PaymentRefusal.CHARGED_BACK] * 4
    parts, says = money(market, buyer, id)
    assert (parts, says) == ({"contested": TOTAL}, "27.99 CNY has been taken back by the payer's bank for now; it has not decided.")
    assert facts(market, "OrderChargedBack") == 1
    decide(market, name, won=True)
    assert money(market, buyer, id)[0] == {"held": TOTAL}
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    assert (order(market, id).state, facts(market, "OrderChargebackEnded")) == (OrderState.RECEIVED, 1)
    market.assert_balanced()


def test_what_is_lost_whole_before_it_left_ends_the_order_and_frees_its_stock(market: Market, buyer: Buyer) -> None:
    """The buyer has all of it back, by the bank."""
    id = bought(market, buyer)
    (variant,) = market.variants(id)
    decide(market, take(market, id), won=False)
    ended = order(market, id)
    assert (ended.state, ended.progress.refunded, ended.progress.lost, ended.progress.taken) == (OrderState.REFUNDED, TOTAL, TOTAL, 0)
    assert money(market, buyer, id) == ({"charged_back": TOTAL}, "27.99 CNY has gone back to the payer through their bank.")
    assert market.shelf(variant) == (5, 0)
    market.assert_balanced()


@pytest.mark.parametrize(("amount", "state"), [(0, OrderState.REFUNDED), (799, OrderState.PAID)])
def test_an_order_that_ends_by_it_is_found_where_refunded_ones_are_and_counts_as_sold_no_more(
    market: Market, buyer: Buyer, amount: int, state: OrderState
) -> None:
    """In the lists of its buyer and its shop; one of which something is left stays where it was."""
    id = bought(market, buyer)
    market.world.settle()
    decide(market, take(market, id, amount), won=False)
    for listed in (OrderState.PAID, OrderState.REFUNDED):
        mine = market.world.ask(MyOrders(state=listed), actor=buyer.actor).items
        shops = market.world.ask(ShopOrders(shop_id=market.shop.id, state=listed), actor=market.staff("packer")).items
        assert [[order.id for order in found] for found in (mine, shops)] == [[id] if listed is state else []] * 2
    assert market.world.rows("SELECT sold FROM goods_standing") == [(0 if state is OrderState.REFUNDED else 1,)]


def test_what_is_lost_in_part_goes_on_with_the_rest(market: Market, buyer: Buyer) -> None:
    """It ships, and the shop has what is left, less commission on that."""
    id = bought(market, buyer)
    decide(market, take(market, id, 799), won=False)
    assert order(market, id).state is OrderState.PAID
    assert money(market, buyer, id)[0] == {"held": TOTAL - 799, "charged_back": 799}
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    assert money(market, buyer, id)[0] == {"earned": TOTAL - 799, "charged_back": 799}
    refused_ = refused(market, RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(TOTAL - 798)), market.staff())
    assert refused_ == model.OrderRefusal.EXCEEDS_PAID
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(TOTAL - 799)), actor=market.staff())
    market.world.settle()
    assert order(market, id).state is OrderState.REFUNDED
    market.assert_balanced()


@pytest.mark.parametrize("won", [True, False])
def test_the_receipt_waits_for_the_decision(market: Market, buyer: Buyer, *, won: bool) -> None:
    """By nobody, not when its time has passed either; afterwards a day is left at least."""
    id = bought(market, buyer)
    market.ship(id)
    name = take(market, id, 1_000)
    assert refused(market, ConfirmReceipt(order_id=id), buyer.actor) is PaymentRefusal.CHARGED_BACK
    assert "nothing ships or moves until that is decided" in money(market, buyer, id)[1]
    market.world.pass_time(HOME_MS + DAY_MS)
    assert order(market, id).state is OrderState.SHIPPED
    decide(market, name, won=won)
    market.world.pass_time(NOTICE_MS - 1)
    assert order(market, id).state is OrderState.SHIPPED
    market.world.pass_time(1)
    assert order(market, id).state is OrderState.RECEIVED
    assert money(market, buyer, id)[0] == ({"earned": TOTAL} if won else {"earned": TOTAL - 1_000, "charged_back": 1_000})
    market.assert_balanced()


def test_a_decision_in_time_leaves_the_receipt_at_its_time(market: Market, buyer: Buyer) -> None:
    """Neither earlier nor later, and once."""
    id = bought(market, buyer)
    market.ship(id)
    decide(market, take(market, id, 1_000), won=True)
    market.world.pass_time(HOME_MS - 1)
    assert order(market, id).state is OrderState.SHIPPED
    market.world.pass_time(1)
    assert order(market, id).state is OrderState.RECEIVED


def test_a_receipt_that_is_put_off_meanwhile_comes_by_itself(market: Market, buyer: Buyer) -> None:
    """The alarm of the time before has rung, and found that nothing was decided."""
    id = bought(market, buyer)
    market.ship(id)
    name = take(market, id, 1_000)
    market.world.pass_time(HOME_MS + 1)
    market.world.send(ExtendReceipt(order_id=id), actor=buyer.actor)
    decide(market, name, won=True)
    left = order(market, id).progress.receive_by - market.world.clock.wall_ms()
    market.world.pass_time(left - 1)
    assert order(market, id).state is OrderState.SHIPPED
    market.world.pass_time(1)
    assert order(market, id).state is OrderState.RECEIVED


def leaves_by(market: Market, id: OrderId) -> int:
    """Until when it has to leave."""
    return dispatch_by(order(market, id), OrderSettings())


@pytest.mark.parametrize("won", [True, False])
def test_what_stood_still_has_as_much_longer_to_leave(market: Market, buyer: Buyer, *, won: bool) -> None:
    """And a tenth of the whole time, in which its shop is reminded again: it is not called off as soon as the bank has decided."""
    id = bought(market, buyer)
    due = leaves_by(market, id)
    market.world.pass_time(due - market.world.clock.wall_ms() - DAY_MS)
    first, second = take(market, id, 1_000), take(market, id, 500)
    market.world.pass_time(10 * DAY_MS)
    decide(market, first, won=won)
    market.world.pass_time(5 * DAY_MS)
    assert (leaves_by(market, id), facts(market, "DispatchDue")) == (due, 1)
    decide(market, second, won=won)
    assert leaves_by(market, id) == due + 18 * DAY_MS
    market.world.pass_time(4 * DAY_MS - 1)
    assert (order(market, id).state, facts(market, "DispatchDue")) == (OrderState.PAID, 2)
    market.world.pass_time(1)
    assert order(market, id).state is OrderState.CANCELLED
    market.world.settle()
    market.assert_balanced()


@pytest.mark.parametrize("won", [True, False])
def test_nobody_is_urged_to_ship_what_must_not_leave(market: Market, buyer: Buyer, *, won: bool) -> None:
    """Not before the bank has decided; then the shop is reminded once, a tenth of the time before what is left of it has to leave."""
    id = bought(market, buyer)
    market.world.pass_time(26 * DAY_MS)
    name = take(market, id, 1_000)
    market.world.pass_time(10 * DAY_MS)
    assert facts(market, "DispatchDue") == 0
    decide(market, name, won=won)
    market.world.pass_time(leaves_by(market, id) - 3 * DAY_MS - market.world.clock.wall_ms() - 1)
    assert facts(market, "DispatchDue") == 0
    market.world.pass_time(1)
    assert facts(market, "DispatchDue") == 1
    market.world.pass_time(3 * DAY_MS)
    assert (order(market, id).state, facts(market, "DispatchDue")) == (OrderState.CANCELLED, 1)


def test_of_what_was_contested_before_that_was_kept_only_a_tenth_is_added(market: Market, buyer: Buyer) -> None:
    """Nobody knows since when it has stood still."""
    kept = order(market, bought(market, buyer))
    now, settings = market.world.clock.wall_ms(), OrderSettings()
    times = [stood_ms(replace(kept, progress=replace(kept.progress, contested_at=at)), settings, now=now) for at in (0, now - DAY_MS)]
    assert times == [3 * DAY_MS, 4 * DAY_MS]


def test_a_buyer_who_waits_longer_adds_to_it(market: Market, buyer: Buyer) -> None:
    """The time that it stood still is counted once."""
    id = bought(market, buyer)
    due = leaves_by(market, id)
    name = take(market, id, 1_000)
    market.world.pass_time(DAY_MS)
    decide(market, name, won=True)
    put_off = market.world.send(WaitLonger(order_id=id), actor=buyer.actor)
    assert put_off.dispatch_by == leaves_by(market, id) == due + 4 * DAY_MS + OrderSettings().dispatch_longer_days * DAY_MS


def test_nothing_is_sent_in_exchange_before_the_bank_has_decided(market: Market, buyer: Buyer) -> None:
    """Not what is held for the buyer either."""
    tenders = channel(2 * 1999 + 800)
    made = Claim(market, buyer, kind=CaseKind.EXCHANGE, tenders=tenders).lead_to(CaseState.REPLACING)
    name = take(market, made.order, 1_000)
    send = SendReplacement(**made.shop, carrier="SF Express", tracking="OUT-1")
    assert refused(market, send, market.staff("packer")) is PaymentRefusal.CHARGED_BACK
    decide(market, name, won=True)
    assert market.world.send(send, actor=market.staff("packer")).state is CaseState.REPLACED


def test_after_the_receipt_the_order_ends_when_all_of_it_is_lost(market: Market, buyer: Buyer) -> None:
    """What the shop was paid is drawn from it, as a refund would be."""
    id = bought(market, buyer)
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    name = take(market, id)
    assert money(market, buyer, id)[0] == {"contested": TOTAL}
    decide(market, name, won=False)
    assert order(market, id).state is OrderState.REFUNDED
    assert money(market, buyer, id)[0] == {"charged_back": TOTAL}
    market.assert_balanced()


def test_a_case_waits_for_the_decision_whoever_would_end_it(market: Market, buyer: Buyer) -> None:
    """The shop's agreement, a ruling, and silence: each would give back what the bank has taken already."""
    claim = Claim(market, buyer, tenders=channel(2 * 1999 + 800)).lead_to(CaseState.HEARD)
    name = take(market, claim.order, 1_000)
    ruling = RuleCase(case_id=claim.case, to_buyer=yuan(100), text="碎了")
    assert refused(market, ruling, market.operator("service")) is PaymentRefusal.CHARGED_BACK
    assert refused(market, AgreeToCase(**claim.shop), market.staff()) is PaymentRefusal.CHARGED_BACK
    claim.wait()
    market.world.pass_time(2 * DAY_MS)
    assert claim.state == "heard"
    decide(market, name, won=True)
    market.world.pass_time(DAY_MS)
    assert (claim.state, order(market, claim.order).state) == ("refunded", OrderState.REFUNDED)
    market.world.settle()
    market.assert_balanced()


def test_a_case_about_an_order_that_is_lost_whole_is_closed(market: Market, buyer: Buyer) -> None:
    """There is nothing left that it could be about."""
    claim = Claim(market, buyer, tenders=channel(2 * 1999 + 800))
    decide(market, take(market, claim.order), won=False)
    assert (claim.state, order(market, claim.order).state) == ("closed", OrderState.REFUNDED)
    market.world.pass_time(60 * DAY_MS)
    market.assert_balanced()


def test_what_the_marketplace_paid_of_a_price_comes_back_to_it_when_all_else_is_lost(market: Market, buyer: Buyer) -> None:
    """Nobody paid for what it was given for."""
    market.set_aside(5_000)
    lines = [AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(800))]
    discount = AgreedDiscount(shop_id=market.shop.id, title="券", funder=Funder.MARKETPLACE, amount=yuan(500))
    ask = market.agreed(buyer, lines, discount, tenders=channel(TOTAL - 500))
    placed = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True))
    market.decide(placed.payment.redirects[0].url)
    id = placed.orders[0].id
    name = take(market, id)
    decide(market, name, won=False)
    assert (order(market, id).state, market.promotions()) == (OrderState.REFUNDED, 5_000)
    assert market.balance(losses_account("CNY")) == 0
    market.assert_balanced()


def test_what_the_marketplace_has_back_already_does_not_come_back_again(market: Market, buyer: Buyer) -> None:
    """The share of a cent that it gave went back with the first refund; the bank's decision ends the order all the same."""
    market.set_aside(5_000)
    lines = [AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(800))]
    discount = AgreedDiscount(shop_id=market.shop.id, title="券", funder=Funder.MARKETPLACE, amount=yuan(1))
    ask = market.agreed(buyer, lines, discount, tenders=channel(TOTAL - 1))
    placed = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True))
    market.decide(placed.payment.redirects[0].url)
    id = placed.orders[0].id
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(2_000)), actor=market.staff())
    market.world.settle()
    assert market.promotions() == 5_000
    decide(market, take(market, id), won=False)
    assert (order(market, id).state, market.promotions()) == (OrderState.REFUNDED, 5_000)
    market.assert_balanced()


def test_what_of_a_refused_refund_came_by_the_bank_is_said_to_have_come_by_it(market: Market, buyer: Buyer) -> None:
    """The rest waits for the buyer's word; together it is all of it."""
    id = bought(market, buyer)
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(1_000)), actor=market.staff())
    reference = charge_reference(model.payment_of(model.checkout_of(id)), 0)
    name = market.sandbox.charge_back(reference, TOTAL - 1_000 + 400)
    market.world.settle()
    decide(market, name, won=False)
    assert order(market, id).state is OrderState.REFUNDED
    assert money(market, buyer, id)[0] == {"charged_back": TOTAL - 600, "unclaimed": 600}
    (refund,) = market.world.ask(OrderRefunds(order_id=id), actor=buyer.actor).items
    assert [(piece.amount, piece.from_bank) for piece in refund.pieces] == [(yuan(1_000), yuan(400))]
    market.assert_balanced()


def test_of_a_checkout_over_two_shops_each_bears_its_part(market: Market, buyer: Buyer) -> None:
    """One has shipped and one has not; what the wallet paid is nobody's bank's."""
    market.top_up(buyer, 1_000)
    buyer.want(market.offer(5))
    buyer.want(market.offer(5, shop=market.other))
    total = buyer.total()
    placed = buyer.buy((*wallet(1_000), *channel(total - 1_000)))
    market.decide(placed.payment.redirects[0].url)
    first, second = (one.id for one in placed.orders)
    market.ship(first, order(market, first).shop_id)
    decide(market, take(market, first), won=False)
    assert [order(market, id).state for id in (first, second)] == [OrderState.SHIPPED, OrderState.PAID]
    assert [money(market, buyer, id)[0] for id in (first, second)] == [{"held": 500, "charged_back": TOTAL - 500}] * 2
    market.world.send(CancelOrder(order_id=second), actor=buyer.actor)
    assert buyer.money() == 500
    market.assert_balanced()
