"""One purchase and its undoing, on every store."""

from unit.orders.market import MINUTE_MS, Market, channel, yuan
from yunduan.domains.orders.commands import CancelOrder, RefundOrder, ReviewOrder
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import CartOf, MyOrders, MyOrdersByState, OrderNumbered, ReviewsOfGoods, ShopOrders, ShopOrdersByState
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.kernel.refusals import Refused


def test_a_purchase_and_its_undoing(shared: Market) -> None:
    """Bought by two ways, shipped, settled, reviewed; given back, called off, lapsed; listed and filed."""
    tea, pot = shared.offer(10), shared.offer(10, 4000, shop=shared.other)
    buyer = shared.buyer(100_000)
    ids = []
    for _ in range(3):
        buyer.want(tea)
        buyer.want(pot)
        ids.append([order.id for order in buyer.buy().orders])
    buyer.want(tea)
    unpaid = buyer.buy(channel(2799)).orders[0]
    assert [line.id for line in shared.world.ask(MyOrders(limit=3), actor=buyer.actor).items] == [unpaid.id, *ids[2][::-1]]
    assert shared.world.ask(MyOrders(state=OrderState.PLACED), actor=buyer.actor).items[0].number == unpaid.number
    shared.world.settle()
    shared.ship(ids[0][0])
    shared.world.send(ConfirmReceipt(order_id=ids[0][0]), actor=buyer.actor)
    shared.world.send(ReviewOrder(order_id=ids[0][0], variant_id=tea, stars=5, text="好"), actor=buyer.actor)
    shared.world.send(CancelOrder(order_id=ids[1][1]), actor=buyer.actor)
    back = RefundOrder(shop_id=shared.shop.id, order_id=ids[1][0], amount=yuan(799))
    assert shared.world.send(back, actor=shared.staff("finance")).left == yuan(2000)
    shared.world.pass_time(15 * MINUTE_MS)
    states = [shared.state(id) for id in (*ids[0], *ids[1], *ids[2], unpaid.id)]
    assert states == ["received", "paid", "paid", "cancelled", "paid", "paid", "cancelled"]
    assert shared.world.rows("SELECT state, count(*) FROM order_of_shop GROUP BY state ORDER BY state") == [
        ("cancelled", 2),
        ("paid", 4),
        ("received", 1),
    ]
    counted = [
        [one.orders for one in shared.world.ask(query, actor=actor).items if one.state in (OrderState.PAID, OrderState.CANCELLED)]
        for query, actor in ((MyOrdersByState(), buyer.actor), (ShopOrdersByState(shop_id=shared.shop.id), shared.staff()))
    ]
    assert counted == [[4, 2], [2, 1]]
    listed = shared.world.ask(ShopOrders(shop_id=shared.shop.id, state=OrderState.PAID), actor=shared.staff())
    assert [line.id for line in listed.items] == [ids[2][0], ids[1][0]]
    assert shared.world.ask(OrderNumbered(number=unpaid.number), actor=buyer.actor).state is OrderState.CANCELLED
    ((goods_id,),) = shared.world.rows("SELECT goods_id FROM review")
    assert [review.text for review in shared.world.ask(ReviewsOfGoods(goods_id=goods_id)).items] == ["好"]
    shared.assert_balanced()


def test_the_last_piece_is_sold_once(shared: Market) -> None:
    """Twenty at once: one has it, the others keep their carts and their money."""
    last = shared.offer(1)
    racers = [shared.buyer(3000) for _ in range(20)]
    for racer in racers:
        racer.want(last)
    asks = [(racer.checkout(2799), racer.actor) for racer in racers]
    answers = shared.world.send_all(asks, keys=[f"key{n}" for n in range(20)])
    assert [answer.code.value for answer in answers if isinstance(answer, Refused)] == ["sold_out"] * 19
    assert sorted(racer.money() for racer in racers) == [201] + [3000] * 19
    assert sorted(shared.world.ask(CartOf(), actor=racer.actor).lines for racer in racers) == [0] + [1] * 19
    shared.assert_balanced()
