"""Every no of orders: it says why, and nothing has changed."""

import msgspec
import pytest

from unit.orders.market import SHIPPING, Buyer, Market, channel, wallet, yuan
from yunduan.domains.catalog.commands import SetHoliday, SetPrice, SetShippingTemplate, SuspendShop, WithdrawGoods
from yunduan.domains.catalog.model import Measure, Place, Rate, Zone
from yunduan.domains.orders.commands import (
    AddToCart,
    CancelOrder,
    ChangeCartLine,
    Checkout,
    DeclineOrder,
    RefundOrder,
    RemoveFromCart,
    ReviewOrder,
)
from yunduan.domains.orders.queries import CartOf, MyOrders, OrderNumbered, OrderOf, PreviewCheckout, ShopOrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.kernel.ids import GoodsId, OrderId, VariantId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

NOBODYS = OrderId("ord_0198aa00000000010000000000")


def figures(market: Market, command: Checkout, buyer: Buyer) -> dict:
    """What a refused command is told."""
    answered = market.world.run(_submit(market, command, buyer))
    assert not answered.accepted
    return msgspec.json.decode(answered.body)["figures"]


async def _submit(market: Market, command: Checkout, buyer: Buyer):
    return await market.world.cloud.submit(command, actor=buyer.actor)


def goods_of(market: Market, variant: VariantId) -> GoodsId:
    """The goods of a variant."""
    return market.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)[0][0]


def a_paid_order(market: Market, buyer: Buyer) -> OrderId:
    """An order of one piece, 27.99."""
    buyer.want(market.offer(5))
    return buyer.buy().orders[0].id


def test_a_changed_price_is_refused_with_the_new_figures(market: Market) -> None:
    """The shop raises a price while the buyer looks: no, and what it costs now; for that it is bought."""
    tea = market.offer(5)
    buyer = market.buyer(10_000)
    buyer.want(tea)
    ask = buyer.checkout()
    market.world.send(
        SetPrice(shop_id=market.shop.id, goods_id=goods_of(market, tea), variant_id=tea, price=yuan(2500)), actor=market.staff()
    )
    market.assert_refused("total_changed", ask, buyer.actor)
    now = figures(market, ask, buyer)
    assert now["total"] == {"amount": 2500 + SHIPPING, "currency": "CNY"}
    assert [line["kind"] for line in now["shops"][0]["lines"]] == ["goods", "shipping", "tax", "tax"]
    (item,) = market.world.ask(CartOf(), actor=buyer.actor).shops[0].items
    assert (item.price, item.seen, item.price_changed) == (yuan(2500), yuan(1999), True)
    assert buyer.buy().total == yuan(3300)


@pytest.mark.parametrize("off", [1, -1, 2799])
def test_a_total_that_is_not_the_total(market: Market, off: int) -> None:
    """A unit more, a unit less, or nothing like it."""
    buyer = market.buyer(10_000)
    buyer.want(market.offer(5))
    market.assert_refused("total_changed", buyer.checkout(2799 + off), buyer.actor)
    dollars = msgspec.structs.replace(buyer.checkout(2799), total=Money(amount=2799, currency="USD"))
    market.assert_refused("total_changed", dollars, buyer.actor)


def test_goods_that_are_gone(market: Market) -> None:
    """Off sale, or of a shop that is shut: both named; the cart shows it; and it cannot be put in again."""
    tea, cup, pot = market.offer(5), market.offer(5), market.offer(5, shop=market.other)
    buyer = market.buyer(10_000)
    for variant in (tea, cup, pot):
        buyer.want(variant)
    ask = buyer.checkout()
    market.world.send(WithdrawGoods(shop_id=market.shop.id, goods_id=goods_of(market, cup)), actor=market.staff())
    market.world.send(SuspendShop(shop_id=market.other.id, reason="假货"), actor=market.operator("admin"))
    market.assert_refused("goods_gone", ask, buyer.actor)
    assert figures(market, ask, buyer) == {"variants": [cup, pot]}
    cart = market.world.ask(CartOf(), actor=buyer.actor)
    assert [(item.is_gone, item.available) for shop in cart.shops for item in shop.items] == [(False, 5), (True, 0), (True, 0)]
    for variant in (cup, pot):
        market.assert_refused("goods_gone", AddToCart(variant_id=variant), buyer.actor)
    assert buyer.buy(wallet(2799), total=2799, variant_ids=(tea,)).total == yuan(2799)


def test_a_shop_on_holiday_sells_nothing_and_keeps_its_place_in_the_cart(market: Market) -> None:
    """Refused with the time when it is back; then the same checkout goes through. What was bought before goes its way meanwhile."""
    tea, pot = market.offer(5), market.offer(5, shop=market.other)
    buyer = market.buyer(20_000)
    buyer.want(pot)
    (bought,) = buyer.buy().orders
    for variant in (tea, pot):
        buyer.want(variant)
    ask, back_at = buyer.checkout(), market.world.clock.wall_ms() + 86_400_000
    market.world.send(SetHoliday(shop_id=market.other.id, back_at=back_at), actor=market.staff("owner", shop=market.other.id))
    market.assert_refused("shop_away", ask, buyer.actor)
    assert figures(market, ask, buyer) == {"shop_id": market.other.id, "back_at": back_at}
    market.ship(bought.id, shop=market.other.id)
    assert len(market.world.ask(CartOf(), actor=buyer.actor).shops) == 2
    market.world.pass_time(86_400_000)
    assert len(market.world.send(ask, actor=buyer.actor).orders) == 2


def test_sold_out_says_what_is_left(market: Market) -> None:
    """Three wanted, two there."""
    tea = market.offer(5)
    buyer = market.buyer(10_000)
    buyer.want(tea, 3)
    ask = buyer.checkout()
    market.stock(tea, 2)
    market.assert_refused("sold_out", ask, buyer.actor)
    assert figures(market, ask, buyer) == {"lines": [{"variant_id": tea, "available": 2}]}


@pytest.mark.parametrize("region", ["西藏", "西藏 ", "西藏自治区", "Xizang", "tibet"])
def test_a_region_that_is_not_served(market: Market, region: str) -> None:
    """The preview and the checkout say the same no, however the region is spelt."""
    buyer = market.buyer(10_000)
    buyer.want(market.offer(5))
    buyer.move_to(region)
    market.assert_refused("region_not_served", buyer.checkout(2799), buyer.actor)
    with pytest.raises(Refused) as no:
        market.world.ask(PreviewCheckout(address_id=buyer.address), actor=buyer.actor)
    assert no.value.code.value == "region_not_served"


def test_a_region_of_a_country_without_a_list(market: Market) -> None:
    """What stands under the seal alone is opened to price shipping: one region is not served, another is."""
    zones = (Zone(places=(Place(country="GB"),), rate=Rate(first_fee=2000)), Zone(places=(Place(country="GB", region="Isle of Man"),)))
    terms = SetShippingTemplate(shop_id=market.shop.id, id=market.shop.template_id, name="abroad", measure=Measure.PIECE, zones=zones)
    market.world.send(terms)
    buyer = market.buyer(10_000)
    buyer.want(market.offer(5))
    buyer.move_to("ISLE OF  MAN ", country="GB", phone="01624 675663")
    market.assert_refused("region_not_served", buyer.checkout(3999), buyer.actor)
    buyer.move_to("Surrey", country="GB", phone="020 7946 0018")
    assert buyer.buy().total == yuan(3999)
    assert not market.holds("Surrey")
    assert not market.holds("surrey")


def test_two_currencies_at_once(market: Market) -> None:
    """A checkout is in one currency; each alone is possible."""
    abroad = market.found("海外", "USD")
    buyer = market.buyer(10_000)
    buyer.want(market.offer(5))
    buyer.want(market.offer(5, shop=abroad, currency="USD"))
    market.assert_refused("mixed_currencies", buyer.checkout(2799), buyer.actor)


def test_money_that_is_not_there(market: Market) -> None:
    """A wallet that is too small, tenders that are not the total, a channel that nobody knows."""
    buyer = market.buyer(2798)
    buyer.want(market.offer(5))
    market.assert_refused("insufficient_funds", buyer.checkout(), buyer.actor)
    market.assert_refused("tenders_do_not_match", buyer.checkout(2799, wallet(2798)), buyer.actor)
    market.assert_refused("tenders_do_not_match", buyer.checkout(2799, wallet(1400) + wallet(1399)), buyer.actor)
    unknown = msgspec.structs.replace(channel(2799)[0], channel="nowhere")
    market.assert_refused("channel_unknown", buyer.checkout(2799, (unknown,)), buyer.actor)
    poor = market.buyer()
    poor.want(market.offer(5))
    assert market.world.refusal(poor.checkout(), actor=poor.actor) in ("insufficient_funds", "account_not_found")


def test_other_peoples_addresses_and_carts(market: Market) -> None:
    """Another's address is as unknown as none; a cart is whose it is."""
    buyer, other = market.buyer(10_000), market.buyer(10_000)
    buyer.want(market.offer(5))
    market.assert_refused("address_not_found", buyer.checkout(2799, address_id=other.address), buyer.actor)
    market.assert_refused("cart_empty", buyer.checkout(2799), other.actor)
    market.assert_refused("cart_line_not_found", buyer.checkout(2799, variant_ids=(market.offer(5),)), buyer.actor)
    assert market.world.ask(MyOrders(), actor=other.actor).items == ()
    assert market.world.ask(CartOf(), actor=other.actor).lines == 0


def test_the_cart_says_no(market: Market) -> None:
    """Unknown goods, too many pieces, lines that are not there."""
    tea = market.offer(5)
    buyer = market.buyer()
    market.assert_refused("variant_not_found", AddToCart(variant_id=VariantId("var_0")), buyer.actor)
    market.assert_refused("cart_line_not_found", ChangeCartLine(variant_id=tea, quantity=2), buyer.actor)
    market.assert_refused("cart_line_not_found", RemoveFromCart(variant_id=tea), buyer.actor)
    buyer.want(tea, 999)
    market.assert_refused("cart_line_full", AddToCart(variant_id=tea), buyer.actor)
    changed = market.world.send(ChangeCartLine(variant_id=tea, quantity=2), actor=buyer.actor)
    assert (changed.lines, changed.pieces) == (1, 2)
    assert market.world.send(RemoveFromCart(variant_id=tea), actor=buyer.actor).lines == 0


def test_a_full_cart(market: Market) -> None:
    """A hundred lines; the next is refused."""
    buyer = market.buyer()
    for _ in range(100):
        buyer.want(market.offer(1))
    market.assert_refused("cart_full", AddToCart(variant_id=market.offer(1)), buyer.actor)


def test_a_total_that_no_amount_can_hold(market: Market) -> None:
    """Dear goods by the hundred: refused, not broken."""
    buyer = market.buyer()
    for _ in range(60):
        buyer.want(market.offer(1000, 10**10), 999)
    market.assert_refused("total_too_large", buyer.checkout(1), buyer.actor)


def test_somebody_elses_order_is_not_there(market: Market) -> None:
    """Read or changed, by another buyer, by another shop, by staff without the role, by an operator without it: not found."""
    buyer, other = market.buyer(10_000), market.buyer(10_000)
    id = a_paid_order(market, buyer)
    here, there = market.shop.id, market.other.id
    for order_id in (id, NOBODYS):
        for command in (CancelOrder(order_id=order_id), ConfirmReceipt(order_id=order_id)):
            market.assert_refused("order_not_found", command, other.actor)
            market.assert_refused("order_not_found", command, market.staff("owner"))
            market.assert_refused("order_not_found", command, market.operator("admin"))
        market.assert_refused("order_not_found", ReviewOrder(order_id=order_id, variant_id=VariantId("var_0"), stars=5), other.actor)
        for shop in (there, here) if order_id == NOBODYS else (there,):
            staff = market.staff("owner", shop=shop)
            for command in (
                ShipOrder(shop_id=shop, order_id=order_id, carrier="SF", tracking="1"),
                DeclineOrder(shop_id=shop, order_id=order_id),
                RefundOrder(shop_id=shop, order_id=order_id, amount=yuan(1)),
            ):
                market.assert_refused("order_not_found", command, staff)
        ruled = RefundOrder(shop_id=there, order_id=order_id, amount=yuan(1))
        market.assert_refused("order_not_found", ruled, market.operator("finance"))
    refund = RefundOrder(shop_id=here, order_id=id, amount=yuan(1))
    market.assert_refused("order_not_found", refund, market.operator("analyst"))
    market.assert_refused("order_not_found", refund, market.staff("packer"))
    market.assert_refused("order_not_found", refund, buyer.actor)
    market.assert_refused("order_not_found", DeclineOrder(shop_id=here, order_id=id), market.staff("finance"))
    market.assert_refused("order_not_found", ShipOrder(shop_id=here, order_id=id, carrier="SF", tracking="1"), market.staff("service"))
    for query, actor in (
        (OrderOf(order_id=id), other.actor),
        (OrderOf(order_id=NOBODYS), buyer.actor),
        (OrderNumbered(number="381966011273"), other.actor),
        (OrderNumbered(number="381966011270"), buyer.actor),
        (OrderNumbered(number="763932022545"), buyer.actor),
        (ShopOrderOf(shop_id=there, order_id=id), market.staff("owner", shop=there)),
        (ShopOrderOf(shop_id=here, order_id=id), market.staff("owner", shop=there)),
    ):
        with pytest.raises(Refused) as no:
            market.world.ask(query, actor=actor)
        assert no.value.code.value == "order_not_found"


def test_steps_that_the_state_does_not_allow(market: Market) -> None:
    """What is too early, too late or done already is refused with where the order stands."""
    buyer = market.buyer(20_000)
    id, shop = a_paid_order(market, buyer), market.shop.id
    ship = ShipOrder(shop_id=shop, order_id=id, carrier="SF", tracking="1")
    decline = DeclineOrder(shop_id=shop, order_id=id)
    receive, cancel = ConfirmReceipt(order_id=id), CancelOrder(order_id=id)
    refund = RefundOrder(shop_id=shop, order_id=id, amount=yuan(2799))
    review = ReviewOrder(order_id=id, variant_id=VariantId("var_0"), stars=5)
    code, staff = "order_in_other_state", market.staff()
    market.assert_refused(code, receive, buyer.actor)
    assert figures(market, receive, buyer) == {"order_id": id, "state": "paid", "steps": ["redirect", "cancel", "wait_longer", "claim"]}
    market.world.send(ship, actor=staff)
    for command, actor in ((ship, staff), (decline, staff), (cancel, buyer.actor), (review, buyer.actor)):
        market.assert_refused(code, command, actor)
    market.world.send(receive, actor=buyer.actor)
    for command, actor in ((ship, staff), (decline, staff), (cancel, buyer.actor), (receive, buyer.actor)):
        market.assert_refused(code, command, actor)
    market.world.send(refund, actor=market.operator("service"))
    market.assert_refused(code, refund, staff)
    market.assert_refused(code, refund, market.operator("service"))


def test_an_unpaid_order_is_not_the_shops_to_touch(market: Market) -> None:
    """It is neither shipped nor declined nor given back; the buyer can call it off, with its whole checkout."""
    buyer = market.buyer()
    buyer.want(market.offer(5))
    buyer.want(market.offer(5, shop=market.other))
    placed = buyer.buy(channel(2 * 2799))
    mine, theirs = (order.id for order in placed.orders)
    shop = market.shop.id
    for command in (
        ShipOrder(shop_id=shop, order_id=mine, carrier="SF", tracking="1"),
        DeclineOrder(shop_id=shop, order_id=mine),
        RefundOrder(shop_id=shop, order_id=mine, amount=yuan(1)),
    ):
        market.assert_refused("order_in_other_state", command, market.staff())
    market.world.send(CancelOrder(order_id=theirs), actor=buyer.actor)
    assert (market.state(mine), market.state(theirs)) == ("cancelled", "cancelled")


def test_refunds_that_are_none(market: Market) -> None:
    """Nothing, more than was paid, another currency."""
    buyer = market.buyer(10_000)
    id, shop = a_paid_order(market, buyer), market.shop.id
    for amount, code in (
        (yuan(0), "refund_of_nothing"),
        (yuan(2800), "refund_exceeds_paid"),
        (Money(amount=1, currency="USD"), "refund_exceeds_paid"),
    ):
        market.assert_refused(code, RefundOrder(shop_id=shop, order_id=id, amount=amount), market.staff("finance"))


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (AddToCart, {"variant_id": "var_1", "quantity": 0}),
        (AddToCart, {"variant_id": "var_1", "quantity": -1}),
        (AddToCart, {"variant_id": "var_1", "quantity": 1000}),
        (AddToCart, {"variant_id": "var_1", "quantity": 1.5}),
        (AddToCart, {"variant_id": "var_1", "quantity": True}),
        (AddToCart, {"variant_id": "var_1", "quantity": "1"}),
        (AddToCart, {"variant_id": "var_1", "person": "per_2"}),
        (AddToCart, {"variant_id": "VAR 1"}),
        (PreviewCheckout, {"variant_ids": "var_1,"}),
        (PreviewCheckout, {"variant_ids": "var_1\n"}),
        (PreviewCheckout, {"variant_ids": ",".join(["var_1"] * 101)}),
        (Checkout, {"address_id": "adr_1", "total": {"amount": 1, "currency": "CNY"}, "tenders": []}),
        (Checkout, {"address_id": "adr_1", "total": {"amount": -1, "currency": "CNY"}, "tenders": [{}]}),
        (ReviewOrder, {"order_id": "ord_1", "variant_id": "var_1", "stars": 6}),
        (ReviewOrder, {"order_id": "ord_1", "variant_id": "var_1", "stars": 5, "text": "a\u202eb"}),
        (ReviewOrder, {"order_id": "ord_1", "variant_id": "var_1", "stars": 5, "text": "a\x00b"}),
        (ShipOrder, {"shop_id": "shp_1", "order_id": "ord_1", "carrier": "SF", "tracking": "1\n"}),
        (OrderNumbered, {"number": "38196601127３"}),
    ],
)
def test_bad_input_does_not_become_a_message(message: type, body: dict) -> None:
    """What is out of bounds, of another type or unknown never reaches a handler."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=message)
