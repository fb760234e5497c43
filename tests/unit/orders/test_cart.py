"""What the cart answers: how many there are of what was asked for, and the picture of what was chosen."""

from unit.orders.market import Market, channel
from yunduan.domains.catalog.commands import CreateGoods, SuspendShop, WithdrawGoods
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, OptionValue, VariantForm
from yunduan.domains.orders.charges import GoodsCharge
from yunduan.domains.orders.commands import AddToCart, ChangeCartLine, RemoveFromCart
from yunduan.domains.orders.queries import CartOf, MyOrders, OrderOf
from yunduan.kernel.money import Money

RED, BLUE = "a/red.1.webp", "a/blue.1.webp"


def test_the_cart_says_how_many_there_are(market: Market) -> None:
    """It takes more than that; what others hold is not there; what is not sold any more is not either; once removed there is no line."""
    tea, buyer, other = market.offer(5), market.buyer(), market.buyer()
    added = market.world.send(AddToCart(variant_id=tea, quantity=4), actor=buyer.actor)
    more = market.world.send(AddToCart(variant_id=tea, quantity=4), actor=buyer.actor)
    assert [(size.lines, size.pieces) for size in (added, more)] == [(1, 4), (1, 8)]
    assert [(size.line.variant_id, size.line.quantity, size.line.available) for size in (added, more) if size.line] == [
        (tea, 4, 5),
        (tea, 8, 5),
    ]
    other.want(tea, 2)
    other.buy(channel(2 * 1999 + 800))
    fewer = market.world.send(ChangeCartLine(variant_id=tea, quantity=7), actor=buyer.actor).line
    assert fewer is not None
    assert (fewer.quantity, fewer.available) == (7, 3)
    ((goods_id,),) = market.world.rows("SELECT goods_id FROM variant WHERE id = ?", tea)
    market.world.send(WithdrawGoods(shop_id=market.shop.id, goods_id=goods_id))
    gone = market.world.send(ChangeCartLine(variant_id=tea, quantity=1), actor=buyer.actor).line
    assert gone is not None
    assert (gone.quantity, gone.available) == (1, 0)
    assert market.world.send(RemoveFromCart(variant_id=tea), actor=buyer.actor).line is None


def test_of_a_shop_that_is_closed_there_is_nothing(market: Market) -> None:
    """As the cart itself says."""
    tea, buyer = market.offer(5), market.buyer()
    buyer.want(tea)
    market.world.send(SuspendShop(shop_id=market.shop.id, reason="查证"))
    line = market.world.send(ChangeCartLine(variant_id=tea, quantity=2), actor=buyer.actor).line
    assert line is not None
    assert line.available == market.world.ask(CartOf(), actor=buyer.actor).shops[0].items[0].available == 0


def test_a_line_shows_what_was_chosen_and_keeps_it(market: Market) -> None:
    """In the cart as the goods are described now, on the order as they were described then."""
    colour = GoodsOption(name="颜色", values=(OptionValue(name="红", picture=RED), OptionValue(name="蓝", picture=BLUE)))
    price = Money(amount=1999, currency="CNY")
    variants = tuple(VariantForm(sku=f"C{n}", price=price, choice=(n,)) for n in range(2))
    form = GoodsForm(title="杯", category_id=market.tea, pictures=("a/all.1.webp",), options=(colour,), variants=variants)
    made = market.world.send(CreateGoods(shop_id=market.shop.id, form=form, publish=True))
    for id in made.variant_ids:
        market.stock(id, 5)
    buyer = market.buyer(10_000)
    buyer.want(made.variant_ids[1])
    buyer.want(made.variant_ids[0])
    assert [item.picture for item in market.world.ask(CartOf(), actor=buyer.actor).shops[0].items] == [BLUE, RED]
    (placed,) = buyer.buy().orders
    seen = market.world.ask(OrderOf(order_id=placed.id), actor=buyer.actor)
    assert [line.picture for line in seen.lines if isinstance(line, GoodsCharge)] == [BLUE, RED]
    assert market.world.ask(MyOrders(), actor=buyer.actor).items[0].picture == BLUE
