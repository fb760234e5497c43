"""A shop that operators have suspended sells nothing; what has been bought of it goes on to its end."""

from unit.orders.market import SHIPPING, Market, channel, yuan
from yunduan.domains.catalog.commands import ReopenShop, SuspendShop
from yunduan.domains.orders.commands import AddToCart, CancelOrder, DeclineOrder, RefundOrder, ReviewOrder
from yunduan.domains.orders.queries import CartOf
from yunduan.domains.orders.receiving import ConfirmReceipt


def test_open_orders_go_on_while_a_shop_is_suspended(market: Market) -> None:
    """One is paid only now; one is received and reviewed; one is called off by its buyer, one by the shop; one is given back."""
    tea, shop = market.offer(fen=1999), market.shop.id
    buyer = market.buyer(5 * (1999 + SHIPPING))
    bought = []
    for _ in range(4):
        buyer.want(tea)
        bought.append(buyer.buy().orders[0].id)
    buyer.want(tea)
    waiting = buyer.buy(channel(1999 + SHIPPING))
    market.world.send(SuspendShop(shop_id=shop, reason="资质过期"), actor=market.operator("risk"))
    market.decide(waiting.payment.redirects[0].url)
    assert market.state(waiting.orders[0].id) == "paid"
    market.ship(bought[0])
    market.world.send(ConfirmReceipt(order_id=bought[0]), actor=buyer.actor)
    market.world.send(ReviewOrder(order_id=bought[0], variant_id=tea, stars=5), actor=buyer.actor)
    market.world.send(CancelOrder(order_id=bought[1]), actor=buyer.actor)
    market.world.send(DeclineOrder(shop_id=shop, order_id=bought[2]), actor=market.staff())
    market.world.send(RefundOrder(shop_id=shop, order_id=bought[3], amount=yuan(1999 + SHIPPING)), actor=market.staff())
    assert [market.state(id) for id in bought] == ["received", "cancelled", "cancelled", "refunded"]
    assert market.earned() == 1999 + SHIPPING - 100
    market.assert_balanced()


def test_goods_of_a_suspended_shop_are_not_to_be_had_until_it_is_reopened(market: Market) -> None:
    """What is in a cart says that it is gone; a checkout and a cart refuse it and nothing has changed; reopened, it is sold again."""
    tea, shop = market.offer(), market.shop.id
    buyer = market.buyer(10_000)
    buyer.want(tea)
    ask = buyer.checkout()
    market.world.send(SuspendShop(shop_id=shop, reason="资质过期"), actor=market.operator("risk"))
    (of_shop,) = market.world.ask(CartOf(), actor=buyer.actor).shops
    assert [(item.is_gone, item.available) for item in of_shop.items] == [(True, 0)]
    market.assert_refused("goods_gone", AddToCart(variant_id=tea), buyer.actor)
    before = [row for row in market.everything() if row]
    assert market.world.refusal(ask, actor=buyer.actor) == "goods_gone"
    assert [row for row in market.everything() if row] == before
    market.world.send(ReopenShop(shop_id=shop, reason="资质已更新"), actor=market.operator("risk"))
    assert market.world.send(ask, actor=buyer.actor).total == yuan(1999 + SHIPPING)
