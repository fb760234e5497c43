"""Where the money of an order is, at each point of its life: in parts that are its total, in words, and by transfers that are proved."""

import pytest

from unit.orders.market import Buyer, Market, channel, wallet, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.commands import CancelOrder, RefundOrder
from yunduan.domains.orders.model import HOME_MS, Funder
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.whereabouts import MoneyOfOrder, OrderMoney, ShopOrderMoney
from yunduan.domains.payments.queries import ReceiptOf
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId
from yunduan.kernel.refusals import Refused

TOTAL = 2799
DAY_MS = 86_400_000


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(10_000)


def bought(market: Market, buyer: Buyer, *, over_channel: bool = False) -> tuple[OrderId, str]:
    """An order, and where its payment is decided."""
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(TOTAL) if over_channel else None)
    redirects = placed.payment.redirects
    return placed.orders[0].id, redirects[0].url if redirects else ""


def told(market: Market, buyer: Buyer, id: OrderId) -> MoneyOfOrder:
    """What the buyer is told; the parts are the total."""
    found = market.world.ask(OrderMoney(order_id=id), actor=buyer.actor)
    assert sum(part.amount.amount for part in found.parts) == found.total.amount == TOTAL
    return found


def parts(found: MoneyOfOrder) -> dict[str, int]:
    """How much is where."""
    return {part.where.value: part.amount.amount for part in found.parts}


def test_money_is_followed_from_the_checkout_to_the_shop(market: Market, buyer: Buyer) -> None:
    """Each sentence says where it is, what comes next, and when."""
    id, url = bought(market, buyer, over_channel=True)
    found = told(market, buyer, id)
    assert (parts(found), found.parts[0].until) == ({"unpaid": TOTAL}, market.world.clock.wall_ms() + 15 * 60_000)
    assert found.says_en == "27.99 CNY has not been paid; unless it is by 22:28 on 21 September, the order is called off."
    assert found.says == "27.99 CNY 尚未支付，请在9月21日 22:28 前付款，否则订单自动取消。"
    market.decide(url, approve=True)
    found = told(market, buyer, id)
    assert (parts(found), found.parts[0].until) == ({"held": TOTAL}, market.world.clock.wall_ms() + 30 * DAY_MS)
    assert found.says_en == (
        "27.99 CNY is held; it goes to the shop once you have the goods, back if it is called off or has not left by 21 October."
    )
    market.ship(id)
    shipped_at = market.world.clock.wall_ms()
    found = told(market, buyer, id)
    assert (parts(found), found.parts[0].until) == ({"held": TOTAL}, shipped_at + HOME_MS)
    assert found.says_en == "27.99 CNY is held; it goes to the shop on 1 October unless you say otherwise."
    assert found.says == "27.99 CNY 由平台担保；如无异议，10月1日付给商家。"
    market.world.send(ExtendReceipt(order_id=id), actor=buyer.actor)
    assert "on 8 October unless" in told(market, buyer, id).says_en
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    found = told(market, buyer, id)
    assert (parts(found), found.says_en) == ({"earned": TOTAL}, "27.99 CNY has gone to the shop.")


def test_what_is_given_back_is_followed_to_its_end(market: Market, buyer: Buyer) -> None:
    """A part of it while the rest is held; on its way over the channel, then back."""
    id, url = bought(market, buyer, over_channel=True)
    market.decide(url, approve=True)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(1000)), actor=market.staff("owner"))
    found = told(market, buyer, id)
    assert parts(found) == {"held": TOTAL - 1000, "returning": 1000}
    assert found.says_en.endswith("10.00 CNY is on its way back.")
    market.world.settle()
    market.world.pass_time(60 * 60_000)
    found = told(market, buyer, id)
    assert parts(found) == {"held": TOTAL - 1000, "returned": 1000}
    market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    market.world.pass_time(60 * 60_000)
    found = told(market, buyer, id)
    assert (parts(found), found.says) == ({"returned": TOTAL}, "27.99 CNY 已原路退回。")


def test_what_came_from_the_wallet_goes_back_there(market: Market, buyer: Buyer) -> None:
    """At once."""
    id, _ = bought(market, buyer)
    market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    found = told(market, buyer, id)
    assert (parts(found), found.says_en) == ({"in_wallet": TOTAL}, "27.99 CNY has come back into the wallet.")


@pytest.mark.parametrize("lapses", [True, False])
def test_what_was_never_paid_is_owed_by_nobody(lapses: bool, market: Market, buyer: Buyer) -> None:
    """Whether its time has passed or the buyer has called it off."""
    id, _ = bought(market, buyer, over_channel=True)
    if lapses:
        market.world.pass_time(16 * 60_000)
    else:
        market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    found = told(market, buyer, id)
    assert (parts(found), found.says_en, found.movements) == ({"unpaid": TOTAL}, "Nothing was paid, and nothing is owed.", ())


def test_what_is_paid_in_part_says_what_is_missing_and_what_is_set_aside(market: Market, buyer: Buyer) -> None:
    """Of a checkout over two shops, each order's own share; what is on its way, and what becomes of it when it comes too late."""
    buyer.want(market.offer(5))
    buyer.want(market.offer(5, shop=market.other))
    tenders = (*wallet(1_001), *channel(2 * TOTAL - 1_001))
    placed = buyer.buy(tenders)
    id = placed.orders[0].id
    found = told(market, buyer, id)
    shares = [parts(told(market, buyer, order.id)) for order in placed.orders]
    assert shares[0] == {"unpaid": TOTAL - 501, "set_aside": 501}
    assert shares[1] == {"unpaid": TOTAL - 500, "set_aside": 500}
    assert found.says_en == (
        "22.98 CNY has not been paid; unless it is by 22:28 on 21 September, the order is called off."
        " 5.01 CNY of the wallet is set aside for it, and free again if the order is called off."
    )
    assert (
        found.says == "22.98 CNY 尚未支付，请在9月21日 22:28 前付款，否则订单自动取消。钱包中 5.01 CNY 已为该订单预留，订单取消后立即解除。"
    )
    market.sandbox.misbehaviour = Misbehaviour(dawdles=1000, dawdle_ms=60 * 60_000)
    market.decide(placed.payment.redirects[0].url)
    assert parts(told(market, buyer, id)) == {"in_flight": TOTAL - 501, "set_aside": 501}
    market.world.pass_time(16 * 60_000)
    found = told(market, buyer, id)
    assert found.says_en.startswith("22.98 CNY is on its way; unless it is there by 22:58 on 21 September, the order is called off")
    market.world.pass_time(30 * 60_000)
    found = told(market, buyer, id)
    assert (parts(found), found.says_en) == ({"unpaid": TOTAL}, "Nothing was paid, and nothing is owed.")
    market.stock(market.variants(id)[0], 0)
    market.sandbox.misbehaviour = Misbehaviour(refund_ms=60 * 60_000)
    market.world.pass_time(15 * 60_000)
    found = told(market, buyer, id)
    assert parts(found) == {"unpaid": 501, "returning": TOTAL - 501}
    assert found.says_en == "5.01 CNY was not taken. 22.98 CNY is on its way back."
    market.world.pass_time(2 * 60 * 60_000)
    assert parts(told(market, buyer, id)) == {"unpaid": 501, "returned": TOTAL - 501}


def test_an_order_that_costs_nothing_says_so(market: Market, buyer: Buyer) -> None:
    """The marketplace pays all of it, as a discount."""
    market.set_aside(1999)
    line = AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(0))
    discount = AgreedDiscount(shop_id=market.shop.id, title="spring", funder=Funder.MARKETPLACE, amount=yuan(1999))
    ask = market.agreed(buyer, [line], discount, tenders=())
    placed = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True))
    found = market.world.ask(OrderMoney(order_id=placed.orders[0].id), actor=buyer.actor)
    assert (found.parts, found.total.amount, found.says, found.says_en) == ((), 0, "无需付款。", "There is nothing to pay.")


def test_each_movement_can_be_proved_and_is_for_its_owners(market: Market, buyer: Buyer) -> None:
    """The buyer sees what they paid and got back; the shop and operators also what was made of it."""
    id, _ = bought(market, buyer)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(100)), actor=market.staff("owner"))
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    mine = told(market, buyer, id).movements
    assert [(move.what, move.change) for move in mine] == [("refund", -100), ("fund", TOTAL)]
    for move in mine:
        proof = market.world.ask(ReceiptOf(transfer_id=move.id), actor=buyer.actor)
        assert (proof.what, proof.amount) == (move.what, move.amount)
    asked = ShopOrderMoney(shop_id=market.shop.id, order_id=id)
    theirs = market.world.ask(asked, actor=market.staff("finance")).movements
    assert {move.what for move in theirs} == {"refund", "fund", "settle"}
    assert sum(move.change for move in theirs) == 0
    assert market.world.ask(OrderMoney(order_id=id), actor=market.operator("finance")).movements == theirs


def test_nobody_else_is_told(market: Market, buyer: Buyer) -> None:
    """Another buyer, another shop's staff."""
    id, _ = bought(market, buyer)
    other = market.buyer()
    with pytest.raises(Refused, match="order_not_found"):
        market.world.ask(OrderMoney(order_id=id), actor=other.actor)
    asked = ShopOrderMoney(shop_id=market.other.id, order_id=id)
    with pytest.raises(Refused, match="order_not_found"):
        market.world.ask(asked, actor=market.staff("owner", shop=market.other.id))
