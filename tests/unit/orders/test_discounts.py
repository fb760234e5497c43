"""Discounts by who pays for them: a shop's cost the shop, the marketplace's come out of what it has set aside, nobody else pays."""

import msgspec
import pytest

from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, channel, kept, wallet, yuan
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine, PlaceAgreed
from yunduan.domains.orders.charges import DiscountCharge
from yunduan.domains.orders.commands import CancelOrder, Checkout, RefundOrder
from yunduan.domains.orders.model import Funder, OrderState
from yunduan.domains.orders.queries import OrderOf, ShopOrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.model import Tender
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, ShopId

FULL = 10_000 + SHIPPING


def off(shop: ShopId, fen: int, funder: Funder) -> AgreedDiscount:
    """So much off the goods of a shop."""
    return AgreedDiscount(shop_id=shop, title="春茶节", funder=funder, amount=yuan(fen))


def by_cloud(buyer: Buyer) -> Actor:
    """The cloud, in a buyer's name."""
    return Actor(person=buyer.person, is_system=True)


def ask_for(market: Market, buyer: Buyer, tenders: tuple[Tender, ...], *discounts: AgreedDiscount) -> PlaceAgreed:
    """Goods of 100.00 of each of two shops, shipped for 8.00 each, less discounts."""
    lines = [
        AgreedLine(variant_id=market.offer(5, 10_000, shop=shop), quantity=1, price=yuan(10_000), shipping=yuan(SHIPPING))
        for shop in (market.shop, market.other)
    ]
    return market.agreed(buyer, lines, *discounts, tenders=tenders)


def buy(market: Market, buyer: Buyer, tenders: tuple[Tender, ...], *discounts: AgreedDiscount) -> list[OrderId]:
    """Place it; answers the two orders."""
    placed = market.world.send(ask_for(market, buyer, tenders, *discounts), actor=by_cloud(buyer))
    for redirect in placed.payment.redirects:
        market.decide(redirect.url)
    return [order.id for order in placed.orders]


def received(market: Market, buyer: Buyer, order_id: OrderId) -> tuple[int, int]:
    """Ship and settle it; answers what the shop and the marketplace have made."""
    earned, commission = market.earned(), market.commission()
    market.ship(order_id)
    market.world.send(ConfirmReceipt(order_id=order_id), actor=buyer.actor)
    return market.earned() - earned, market.commission() - commission


@pytest.mark.parametrize("way", [wallet, channel])
def test_a_discount_of_the_marketplace_leaves_the_shops_money_as_it_is(market: Market, way) -> None:
    """The buyer pays 20.00 less, the account of promotions that much; the other shop of the checkout has nothing to do with it."""
    market.set_aside(5_000)
    buyer = market.buyer(2 * FULL)
    first, other = buy(market, buyer, way(2 * FULL - 2_000), off(market.shop.id, 2_000, Funder.MARKETPLACE))
    assert (market.escrow(first), market.escrow(other), market.promotions()) == (FULL, FULL, 3_000)
    market.assert_balanced()
    view = market.world.ask(OrderOf(order_id=first), actor=buyer.actor)
    assert view.total == yuan(FULL - 2_000)
    (discount,) = [line for line in view.lines if isinstance(line, DiscountCharge)]
    assert (discount.title, discount.funder, discount.amount) == ("春茶节", Funder.MARKETPLACE, yuan(2_000))
    assert received(market, buyer, first) == (FULL - 500, 500)
    market.assert_balanced()


def test_a_discount_of_the_shop_costs_the_shop(market: Market) -> None:
    """Nothing is set aside, and nothing needs to be; the commission is of what the shop gets."""
    buyer = market.buyer(2 * FULL)
    first, _ = buy(market, buyer, wallet(2 * FULL - 2_000), off(market.shop.id, 2_000, Funder.SHOP))
    assert (market.escrow(first), market.promotions(), buyer.money()) == (FULL - 2_000, 0, 2_000)
    assert received(market, buyer, first) == (FULL - 2_000 - 400, 400)
    market.assert_balanced()


def test_what_is_given_back_goes_to_whoever_paid_it(market: Market) -> None:
    """A quarter of what the buyer paid, with a quarter of what the marketplace did; the rest when it is called off."""
    market.set_aside(4_000)
    buyer = market.buyer(2 * FULL - 2_800)
    first, _ = buy(market, buyer, wallet(2 * FULL - 2_800), off(market.shop.id, 2_800, Funder.MARKETPLACE))
    ask = RefundOrder(shop_id=market.shop.id, order_id=first, amount=yuan(2_000))
    assert market.world.send(ask, actor=market.staff("finance")).left == yuan(6_000)
    assert (buyer.money(), market.promotions(), market.escrow(first)) == (2_000, 1_200 + 700, 6_000 + 2_100)
    market.assert_balanced()
    asked = ShopOrderOf(shop_id=market.shop.id, order_id=first)
    assert market.world.ask(asked, actor=market.staff("finance")).commission == yuan(375)
    too_much = msgspec.structs.replace(ask, amount=yuan(6_001))
    market.assert_refused("refund_exceeds_paid", too_much, market.staff("finance"))
    market.world.send(CancelOrder(order_id=first), actor=buyer.actor)
    assert (buyer.money(), market.promotions(), market.escrow(first)) == (8_000, 4_000, 0)
    assert market.world.ask(asked, actor=market.staff("finance")).commission == yuan(0)
    market.assert_balanced()


def test_an_order_that_costs_its_buyer_nothing(market: Market) -> None:
    """Paid by the marketplace, or not at all: it is shipped and settled, called off, or given back like any other."""
    market.set_aside(40_000)
    buyer = market.buyer()

    def free(funder: Funder) -> OrderId:
        line = AgreedLine(variant_id=market.offer(5, 10_000), quantity=1, price=yuan(10_000), shipping=yuan(0))
        ask = market.agreed(buyer, [line], off(market.shop.id, 99_999, funder), tenders=())
        (order,) = market.world.send(ask, actor=by_cloud(buyer)).orders
        assert (order.state, order.total, market.escrow(order.id)) == (
            OrderState.PAID,
            yuan(0),
            10_000 if funder is Funder.MARKETPLACE else 0,
        )
        return order.id

    assert received(market, buyer, free(Funder.MARKETPLACE)) == (9_500, 500)
    assert received(market, buyer, free(Funder.SHOP)) == (0, 0)
    for funder in Funder:
        market.world.send(CancelOrder(order_id=free(funder)), actor=buyer.actor)
    shipped = free(Funder.MARKETPLACE)
    market.ship(shipped)
    nothing = RefundOrder(shop_id=market.shop.id, order_id=shipped, amount=yuan(0))
    given = market.world.send(nothing, actor=market.staff("finance"))
    assert (given.order_state, given.left) == (OrderState.REFUNDED, yuan(0))
    gift = free(Funder.SHOP)
    market.ship(gift)
    market.assert_refused("refund_of_nothing", msgspec.structs.replace(nothing, order_id=gift), market.staff("finance"))
    assert market.promotions() == 30_000
    market.assert_balanced()


def test_a_discount_that_nobody_can_pay_is_refused(market: Market) -> None:
    """The account has run empty: no order, no money moved, no stock held."""
    market.set_aside(1_999)
    buyer = market.buyer(2 * FULL)
    for tenders in (wallet(2 * FULL - 2_000), channel(2 * FULL - 2_000)):
        ask = ask_for(market, buyer, tenders, off(market.shop.id, 2_000, Funder.MARKETPLACE))
        market.assert_refused("promotions_empty", ask, by_cloud(buyer))


def test_an_unpaid_order_takes_nothing_of_what_is_set_aside(market: Market) -> None:
    """It waits with the payment, and is back when that has lapsed."""
    market.set_aside(2_000)
    buyer = market.buyer()
    ask = ask_for(market, buyer, channel(2 * FULL - 2_000), off(market.shop.id, 2_000, Funder.MARKETPLACE))
    market.world.send(ask, actor=by_cloud(buyer))
    assert market.promotions() == 0
    market.world.pass_time(15 * MINUTE_MS)
    assert {order.state for order in kept(market.world) if order.buyer == buyer.person} == {OrderState.CANCELLED}
    assert market.promotions() == 2_000
    market.assert_balanced()


def test_no_client_can_name_a_discount() -> None:
    """A checkout has no field for one."""
    assert not [field for field in Checkout.__struct_fields__ if "discount" in field]
