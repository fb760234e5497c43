"""One purchase, whole: from the cart to the shop's money, or back."""

import pytest

from unit.orders.market import MINUTE_MS, SHIPPING, Market, channel, wallet, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.commands import (
    CancelOrder,
    DeclineOrder,
    RefundOrder,
    ReviewOrder,
)
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import (
    MyOrders,
    OrderNumbered,
    OrderOf,
    OrderRefunds,
    ParcelLine,
    ParcelView,
    RefundPage,
    RefundPieceView,
    RefundView,
    ReviewsOfGoods,
    ShopOrderOf,
    ShopOrderRefunds,
    ShopOrders,
)
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.orders.whereabouts import OrderMoney, Whereabouts
from yunduan.domains.payments.ending import PassDue
from yunduan.domains.payments.model import PaymentState, PieceState, RefundState, Tender, TenderKind
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.kernel.ids import OrderId
from yunduan.kernel.refusals import Refused


def test_a_purchase_from_the_wallet(market: Market) -> None:
    """Paid at once into escrow, shipped, received: the shop gets the total less the commission on the goods."""
    tea, cup = market.offer(10, 1999), market.offer(5, 501)
    buyer = market.buyer(10_000)
    buyer.want(tea, 2)
    buyer.want(cup)
    assert buyer.total() == 2 * 1999 + 501 + SHIPPING == 5299
    placed = buyer.buy(note="门口放下")
    (order,) = placed.orders
    assert (order.state, order.total, placed.total) == (OrderState.PAID, yuan(5299), yuan(5299))
    assert (placed.payment.state, placed.payment.redirects, placed.pay_by) == (PaymentState.CAPTURED, (), 0)
    assert (buyer.money(), market.escrow(order.id)) == (4701, 5299)
    assert (market.shelf(tea), market.shelf(cup)) == ((10, 2), (5, 1))
    assert market.world.rows("SELECT lines FROM cart") == [(b"\x90",)]
    market.assert_balanced()
    market.ship(order.id)
    assert (market.shelf(tea), market.shelf(cup)) == ((8, 0), (4, 0))
    moved = market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    assert moved.state is OrderState.RECEIVED
    assert (market.escrow(order.id), market.commission(), market.earned()) == (0, 225, 5074)
    market.assert_balanced()
    market.world.settle()
    assert market.world.cloud.following.parked == 0


def test_a_purchase_over_the_channel(market: Market) -> None:
    """Placed while the payer is away, paid when the channel says so; what it says twice changes nothing."""
    tea = market.offer(1)
    buyer = market.buyer()
    buyer.want(tea)
    placed = buyer.buy(channel(2799))
    (order,) = placed.orders
    assert (order.state, placed.payment.state) == (OrderState.PLACED, PaymentState.PENDING)
    assert placed.pay_by == market.world.clock.wall_ms() + 15 * MINUTE_MS
    assert (market.state(order.id), market.shelf(tea), market.escrow(order.id)) == ("placed", (1, 1), 0)
    market.decide(placed.payment.redirects[0].url)
    assert (market.state(order.id), market.escrow(order.id)) == ("paid", 2799)
    view = market.world.ask(OrderOf(order_id=order.id), actor=buyer.actor)
    assert view.paid_at == market.world.clock.wall_ms()
    market.world.pass_time(60 * MINUTE_MS)
    assert market.state(order.id) == "paid"
    market.assert_balanced()


def test_what_nobody_pays_is_cancelled_by_its_alarm(market: Market) -> None:
    """After fifteen minutes, not before: the stock is free again, and so is the wallet's part."""
    tea = market.offer(3)
    buyer = market.buyer(1000)
    buyer.want(tea, 3)
    mixed = (wallet(1000)[0], channel(5797)[0])
    placed = buyer.buy(mixed, total=6797)
    (order,) = placed.orders
    assert (buyer.money(), market.shelf(tea)) == (0, (3, 3))
    market.world.pass_time(15 * MINUTE_MS - 1)
    assert market.state(order.id) == "placed"
    market.world.pass_time(1)
    assert (market.state(order.id), market.shelf(tea), buyer.money()) == ("cancelled", (3, 0), 1000)
    market.world.send(PassDue(payment_id=placed.payment.id, due=placed.pay_by))
    assert market.world.rows("SELECT count(*) FROM fact WHERE kind = 'OrderCancelled'") == [(1,)]
    market.assert_balanced()


def test_a_capture_that_comes_too_late_goes_back_and_does_not_wake_the_order(market: Market) -> None:
    """The payer approves after the order was called off: the order stays cancelled and the channel returns the money."""
    tea = market.offer(1)
    buyer = market.buyer()
    buyer.want(tea)
    placed = buyer.buy(channel(2799))
    (order,) = placed.orders
    market.world.send(CancelOrder(order_id=order.id), actor=buyer.actor)
    assert (market.state(order.id), market.shelf(tea)) == ("cancelled", (1, 0))
    market.decide(placed.payment.redirects[0].url)
    assert (market.state(order.id), market.shelf(tea), market.escrow(order.id)) == ("cancelled", (1, 0), 0)
    market.assert_balanced()


def test_a_declined_payment_cancels_the_orders_of_all_shops(market: Market) -> None:
    """Not paid is not paid: every order of the checkout ends, all stock is free."""
    tea, pot = market.offer(2), market.offer(2, 4000, shop=market.other)
    buyer = market.buyer()
    buyer.want(tea)
    buyer.want(pot)
    placed = buyer.buy(channel(1999 + 4000 + 2 * SHIPPING))
    market.decide(placed.payment.redirects[0].url, approve=False)
    assert [market.state(order.id) for order in placed.orders] == ["cancelled", "cancelled"]
    assert (market.shelf(tea), market.shelf(pot)) == ((2, 0), (2, 0))
    market.assert_balanced()


def test_several_shops_make_one_order_each(market: Market) -> None:
    """One checkout, one payment, an order and an escrow a shop; each is shipped and settled by itself."""
    tea, pot = market.offer(2), market.offer(2, 4000, shop=market.other)
    buyer = market.buyer(20_000)
    buyer.want(pot)
    buyer.want(tea)
    placed = buyer.buy()
    assert [(order.shop_id, order.total.amount) for order in placed.orders] == [
        (market.other.id, 4000 + SHIPPING),
        (market.shop.id, 1999 + SHIPPING),
    ]
    assert [market.escrow(order.id) for order in placed.orders] == [4800, 2799]
    market.ship(placed.orders[0].id, market.other.id)
    market.world.send(ConfirmReceipt(order_id=placed.orders[0].id), actor=buyer.actor)
    assert (market.earned(market.other.id), market.earned()) == (4600, 0)
    market.assert_balanced()


def test_several_shops_are_all_or_nothing(market: Market) -> None:
    """When the second shop's goods are gone, nothing happens at the first."""
    tea, pot = market.offer(2), market.offer(1, 4000, shop=market.other)
    buyer, rival = market.buyer(20_000), market.buyer(20_000)
    for who in (buyer, rival):
        who.want(tea)
        who.want(pot)
    ask = buyer.checkout()
    rival.buy()
    market.assert_refused("sold_out", ask, buyer.actor)


def test_a_part_of_the_cart(market: Market) -> None:
    """What was not chosen stays in the cart, in its place."""
    tea, cup = market.offer(5), market.offer(5, 501)
    buyer = market.buyer(20_000)
    buyer.want(tea)
    buyer.want(cup)
    placed = buyer.buy(wallet(501 + SHIPPING), total=501 + SHIPPING, variant_ids=(cup,))
    assert placed.total == yuan(1301)
    assert buyer.total() == 1999 + SHIPPING


def test_the_same_key_buys_once_another_key_finds_an_empty_cart(market: Market) -> None:
    """A phone that sends again gets the same answer; a second tap is a new question."""
    tea = market.offer(10)
    buyer = market.buyer(20_000)
    buyer.want(tea)
    ask = buyer.checkout()
    first, second, third = market.world.send_all([(ask, buyer.actor)] * 3, keys=["k1", "k1", "k2"])
    assert first == second
    assert isinstance(third, Refused)
    assert third.code.value == "cart_empty"
    assert market.world.send(ask, actor=buyer.actor, key="k1") == first
    assert (buyer.money(), market.shelf(tea)) == (20_000 - 2799, (10, 1))
    assert market.world.rows("SELECT count(*) FROM orders") == [(1,)]


def test_two_hundred_race_for_the_last_piece(market: Market) -> None:
    """One of them has it; nobody else has paid anything, and their carts are as they were."""
    last = market.offer(1)
    racers = [market.buyer(3000) for _ in range(200)]
    for racer in racers:
        racer.want(last)
    asks = [(racer.checkout(2799), racer.actor) for racer in racers]
    answers = market.world.send_all(asks, keys=[f"key{n}" for n in range(200)])
    refusals = [answer.code.value for answer in answers if isinstance(answer, Refused)]
    assert refusals == ["sold_out"] * 199
    assert sorted(racer.money() for racer in racers) == [201] + [3000] * 199
    assert (market.shelf(last), market.world.rows("SELECT count(*) FROM orders")) == ((1, 1), [(1,)])
    assert market.world.rows("SELECT count(*) FROM cart WHERE length(lines) > 1") == [(199,)]
    market.assert_balanced()


@pytest.mark.parametrize("by", ["buyer", "shop"])
def test_a_paid_order_is_called_off(market: Market, by: str) -> None:
    """Everything that is left goes back, whoever calls it off, and the stock is free again."""
    tea = market.offer(2)
    buyer = market.buyer(5000)
    buyer.want(tea, 2)
    (order,) = buyer.buy().orders
    part = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(98))
    assert market.world.send(part, actor=market.staff("service")).left == yuan(4700)
    if by == "buyer":
        market.world.send(CancelOrder(order_id=order.id), actor=buyer.actor)
    else:
        market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=order.id), actor=market.staff("service"))
    assert (market.state(order.id), buyer.money(), market.shelf(tea)) == ("cancelled", 5000, (2, 0))
    market.assert_balanced()


def test_a_part_given_back_lowers_the_commission(market: Market) -> None:
    """1.00 of 27.99 goes back: the marketplace keeps its share of the rest."""
    tea = market.offer(2)
    buyer = market.buyer(5000)
    buyer.want(tea)
    (order,) = buyer.buy().orders
    market.ship(order.id)
    given = market.world.send(RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(1000)), actor=market.operator("finance"))
    assert (given.order_state, given.amount, given.left) == (OrderState.SHIPPED, yuan(1000), yuan(1799))
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    assert (market.commission(), market.earned(), buyer.money()) == (64, 1735, 5000 - 1799)
    market.assert_balanced()


def test_all_given_back_ends_the_order(market: Market) -> None:
    """Before shipping the stock is free again; after it the goods are with the buyer."""
    tea = market.offer(5)
    buyer = market.buyer(10_000)
    kept = []
    for shipped in (False, True):
        buyer.want(tea)
        (order,) = buyer.buy().orders
        if shipped:
            market.ship(order.id)
        ask = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(2799))
        given = market.world.send(ask, actor=market.staff("finance"))
        assert (given.order_state, given.left) == (OrderState.REFUNDED, yuan(0))
        kept.append(market.shelf(tea))
        market.assert_balanced()
    assert kept == [(5, 0), (4, 0)]
    assert buyer.money() == 10_000


@pytest.mark.parametrize("ending", ["never paid", "cancelled", "declined", "refunded", "refunded when shipped"])
def test_what_came_to_nothing_is_not_counted_as_sold(market: Market, ending: str) -> None:
    """Whatever ends an order takes its pieces back off the goods, once; a part given back takes none."""
    tea = market.offer(10)
    buyer = market.buyer(20_000)
    for _ in range(2):
        buyer.want(tea, 2)
        (order,) = buyer.buy().orders
    back = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(100))
    market.world.send(back, actor=market.staff("finance"))
    market.world.settle()
    assert market.world.rows("SELECT sold FROM goods_standing") == [(4,)]
    rest = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(2 * 1999 + SHIPPING - 100))
    if ending == "never paid":
        buyer.want(tea, 2)
        buyer.buy(channel(2 * 1999 + SHIPPING))
        market.world.pass_time(15 * MINUTE_MS)
        assert market.world.rows("SELECT sold FROM goods_standing") == [(4,)]
        return
    if ending == "cancelled":
        market.world.send(CancelOrder(order_id=order.id), actor=buyer.actor)
    elif ending == "declined":
        market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=order.id), actor=market.staff())
    else:
        if ending == "refunded when shipped":
            market.ship(order.id)
        market.world.send(rest, actor=market.staff("finance"))
    for _ in range(2):
        market.world.settle()
        assert market.world.rows("SELECT sold FROM goods_standing") == [(2,)]
    assert market.world.cloud.following.parked == 0


def test_racing_refunds_give_back_no_more_than_was_paid(market: Market) -> None:
    """Thirty refunds of 1.00 on an order of 27.99, at once: 27 are given."""
    tea = market.offer(5)
    buyer = market.buyer(10_000)
    buyer.want(tea)
    (order,) = buyer.buy().orders
    ask = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(100))
    answers = market.world.send_all([(ask, market.staff("finance"))] * 30, keys=[f"r{n}" for n in range(30)])
    assert [answer.code.value for answer in answers if isinstance(answer, Refused)] == ["refund_exceeds_paid"] * 3
    assert (buyer.money(), market.escrow(order.id)) == (10_000 - 99, 99)
    market.assert_balanced()


def test_two_tenders_get_back_what_each_gave(market: Market) -> None:
    """Half from the wallet and half over the channel: a refund goes back the same two ways."""
    tea = market.offer(5, 1200)
    buyer = market.buyer(1000)
    buyer.want(tea)
    tenders = (Tender(kind=TenderKind.WALLET, amount=yuan(1000)), Tender(kind=TenderKind.CHANNEL, amount=yuan(1000), channel="sandbox"))
    placed = buyer.buy(tenders)
    market.decide(placed.payment.redirects[0].url)
    (order,) = placed.orders
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(500)), actor=market.staff("finance"))
    assert (buyer.money(), market.escrow(order.id)) == (250, 1500)
    market.assert_balanced()


def test_lists_show_an_order_before_and_after_it_is_filed(market: Market) -> None:
    """A buyer sees an order the moment it is placed; a shop when the follower has heard; page after page, nothing twice."""
    tea = market.offer(50)
    buyer, other = market.buyer(50_000), market.buyer(50_000)
    ids = []
    for n in range(5):
        for who in (buyer, other):
            who.want(tea)
            (order,) = who.buy().orders
            if who is buyer:
                ids.append(order.id)
        if n == 2:
            market.world.settle()
    first = market.world.ask(MyOrders(limit=2), actor=buyer.actor)
    assert [line.id for line in first.items] == [ids[4], ids[3]]
    second = market.world.ask(MyOrders(limit=2, after=first.after), actor=buyer.actor)
    third = market.world.ask(MyOrders(limit=2, after=second.after), actor=buyer.actor)
    assert [line.id for line in second.items + third.items] == [ids[2], ids[1], ids[0]]
    assert third.after is None
    assert (first.items[0].title, first.items[0].shop_name) == ("龙井", "云茶")
    shop = ShopOrders(shop_id=market.shop.id, state=OrderState.PAID)
    assert len(market.world.ask(shop, actor=market.staff()).items) == 6
    market.world.settle()
    market.ship(ids[0])
    paid = market.world.ask(shop, actor=market.staff())
    assert (len(paid.items), ids[0] in [line.id for line in paid.items]) == (9, False)
    market.world.settle()
    assert market.world.rows("SELECT state, count(*) FROM order_of_shop GROUP BY state") == [("paid", 9), ("shipped", 1)]
    assert len(market.world.ask(ShopOrders(shop_id=market.shop.id), actor=market.staff()).items) == 10
    shipped = market.world.ask(MyOrders(state=OrderState.SHIPPED), actor=buyer.actor)
    assert [line.id for line in shipped.items] == [ids[0]]
    assert market.world.ask(ShopOrders(shop_id=market.other.id), actor=market.staff()).items == ()


def test_the_address_is_for_the_buyer_and_for_who_ships(market: Market) -> None:
    """All of it; everybody else sees nothing, and nobody does once the buyer is erased. Other addresses of the buyer change nothing."""
    tea = market.offer(5)
    buyer = market.buyer(2799)
    buyer.want(tea)
    (order,) = buyer.buy(note="三楼").orders
    buyer.move_to("江苏")
    mine = market.world.ask(OrderOf(order_id=order.id), actor=buyer.actor)
    assert mine.destination is not None
    where = mine.destination
    assert (where.recipient, where.country, where.region, mine.note) == ("林美", "CN", "浙江", "三楼")
    assert mine.commission is None
    asked = ShopOrderOf(shop_id=market.shop.id, order_id=order.id)
    for role in ("owner", "manager", "packer"):
        assert market.world.ask(asked, actor=market.staff(role)).destination == mine.destination
    for role in ("service", "finance"):
        seen = market.world.ask(asked, actor=market.staff(role))
        assert (seen.destination, seen.note) == (None, None)
        assert seen.commission == yuan(100)
    assert market.world.ask(OrderOf(order_id=order.id), actor=market.operator()).destination is None
    assert market.world.ask(OrderNumbered(number=order.number), actor=buyer.actor) == mine
    assert not market.holds("林美")
    assert not market.holds("三楼")
    assert market.holds("龙井")
    market.ship(order.id)
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    for actor in (market.staff("owner"), market.staff("packer")):
        seen = market.world.ask(asked, actor=actor)
        assert (seen.destination, seen.note, seen.total) == (None, None, yuan(2799))
    assert not market.holds("浙江")
    ((terms,),) = market.world.rows("SELECT terms FROM orders")
    assert b"\xa2CN" not in terms  # a country of its own, as it is packed


def test_a_review_is_published_once_a_line_by_who_bought(market: Market) -> None:
    """After receipt; the text is public, the author is a pen name; the goods' stars count it."""
    tea = market.offer(5)
    buyer = market.buyer(10_000)
    buyer.want(tea)
    (order,) = buyer.buy().orders
    ask = ReviewOrder(order_id=order.id, variant_id=tea, stars=4, text="清香\n好喝")
    market.assert_refused("order_in_other_state", ask, buyer.actor)
    market.ship(order.id)
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    made = market.world.send(ask, actor=buyer.actor)
    market.assert_refused("already_reviewed", ask, buyer.actor)
    market.assert_refused("order_line_not_found", ReviewOrder(order_id=order.id, variant_id=market.offer(), stars=1), buyer.actor)
    market.world.settle()
    goods_id, stars = market.world.rows("SELECT goods_id, stars FROM review")[0]
    (seen,) = market.world.ask(ReviewsOfGoods(goods_id=goods_id)).items
    assert (seen.id, seen.stars, seen.text, stars) == (made.id, 4, "清香\n好喝", 4)
    assert buyer.person not in seen.author
    assert market.world.rows("SELECT sold, reviews, stars FROM goods_standing WHERE goods_id = ?", goods_id) == [(1, 1, 4)]
    assert market.world.ask(OrderOf(order_id=order.id), actor=buyer.actor).reviewed_ids == (tea,)
    assert market.world.cloud.following.parked == 0


def test_a_tracking_number_goes_with_the_buyer(market: Market) -> None:
    """It leads to where the parcel went: whoever follows the order reads it, on disk it is sealed, and it ends with the buyer."""
    tea = market.offer(5)
    buyer = market.buyer(2799)
    buyer.want(tea)
    (order,) = buyer.buy().orders
    ship = ShipOrder(shop_id=market.shop.id, order_id=order.id, carrier="SF Express", tracking="SF-1234567890")
    market.world.send(ship, actor=market.staff("packer"), key="k")
    mine = market.world.ask(OrderOf(order_id=order.id), actor=buyer.actor)
    lines = (ParcelLine(variant_id=tea, quantity=1),)
    now = market.world.clock.wall_ms()
    parcel = ParcelView(parcel=1, carrier="SF Express", tracking="SF-1234567890", shipped_at=now, arrived_at=0, lines=lines)
    assert (mine.parcels, mine.unshipped) == ((parcel,), ())
    asked = ShopOrderOf(shop_id=market.shop.id, order_id=order.id)
    assert market.world.ask(asked, actor=market.staff("service")).parcels == mine.parcels
    assert market.world.ask(OrderOf(order_id=order.id), actor=market.operator("service")).parcels == mine.parcels
    assert not market.holds("1234567890")
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    (after,) = market.world.ask(asked, actor=market.staff("service")).parcels
    assert (after.carrier, after.tracking) == ("SF Express", None)


def test_what_a_review_says_goes_with_its_author(market: Market) -> None:
    """On disk it is sealed; once the author is erased the stars stay and the text is nowhere, and another's is as it was."""
    tea = market.offer(5)
    for said in ("清香好喝", "一般般"):
        buyer = market.buyer(2799)
        buyer.want(tea)
        (order,) = buyer.buy().orders
        market.ship(order.id)
        market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
        market.world.send(ReviewOrder(order_id=order.id, variant_id=tea, stars=4, text=said), actor=buyer.actor)
    market.world.settle()
    ((goods_id, author),) = market.world.rows("SELECT goods_id, author FROM review ORDER BY id LIMIT 1")
    assert [seen.text for seen in market.world.ask(ReviewsOfGoods(goods_id=goods_id)).items] == ["一般般", "清香好喝"]
    assert not market.holds("清香好喝")
    market.world.send(ErasePerson(person_id=author))
    market.world.settle()
    seen = market.world.ask(ReviewsOfGoods(goods_id=goods_id)).items
    assert [(one.stars, one.text) for one in seen] == [(4, "一般般"), (4, "")]
    assert market.world.rows("SELECT reviews, stars FROM goods_standing WHERE goods_id = ?", goods_id) == [(2, 8)]


def test_a_refund_can_be_followed_to_its_end(market: Market) -> None:
    """Piece by piece, by the buyer, by any staff of the shop and by operators: on its way, arrived, or waiting for the buyer's word."""
    tea = market.offer(5, 1200)
    buyer, other = market.buyer(1000), market.buyer()
    buyer.want(tea)
    tenders = (Tender(kind=TenderKind.WALLET, amount=yuan(1000)), Tender(kind=TenderKind.CHANNEL, amount=yuan(1000), channel="sandbox"))
    placed = buyer.buy(tenders)
    market.decide(placed.payment.redirects[0].url)
    (order,) = placed.orders
    mine, shops = OrderRefunds(order_id=order.id), ShopOrderRefunds(shop_id=market.shop.id, order_id=order.id)
    assert market.world.ask(mine, actor=buyer.actor) == RefundPage(items=(), after=None)
    back = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(500))
    first = market.world.send(back, actor=market.staff("finance"))
    wallet_piece = RefundPieceView(kind=TenderKind.WALLET, channel="", amount=yuan(250), state=PieceState.DONE)
    channel_piece = RefundPieceView(kind=TenderKind.CHANNEL, channel="sandbox", amount=yuan(250), state=PieceState.PENDING)
    seen = RefundView(
        id=first.id,
        amount=yuan(500),
        state=RefundState.PENDING,
        at=market.world.clock.wall_ms(),
        pieces=(wallet_piece, channel_piece),
    )
    for asked, actor in ((mine, buyer.actor), (mine, market.operator("service")), (shops, market.staff("packer"))):
        assert market.world.ask(asked, actor=actor) == RefundPage(items=(seen,), after=None)
    market.world.pass_time(MINUTE_MS)
    (arrived,) = market.world.ask(mine, actor=buyer.actor).items
    assert (arrived.state, arrived.pieces[1].state, arrived.at) == (RefundState.DONE, PieceState.DONE, seen.at)
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1000)
    second = market.world.send(back, actor=market.staff("finance"))
    market.world.pass_time(MINUTE_MS)
    page = market.world.ask(OrderRefunds(order_id=order.id, limit=1), actor=buyer.actor)
    assert ([one.id for one in page.items], page.after) == ([second.id], second.id)
    assert [piece.state for piece in page.items[0].pieces] == [PieceState.DONE, PieceState.UNCLAIMED]
    assert (page.items[0].state, buyer.money()) == (RefundState.UNCLAIMED, 250 + 250)
    money = market.world.ask(OrderMoney(order_id=order.id), actor=buyer.actor)
    assert [(part.where, part.amount.amount) for part in money.parts] == [
        (Whereabouts.HELD, 1000),
        (Whereabouts.RETURNED, 250),
        (Whereabouts.UNCLAIMED, 250),
        (Whereabouts.IN_WALLET, 500),
    ]
    assert "2.50 CNY could not go back the way it was paid: say whether you want it in your wallet or in your account." in money.says_en
    (waiting,) = market.world.ask(UnclaimedOf(), actor=buyer.actor).items
    market.world.send(TakeUnclaimed(unclaimed_id=waiting.id, into=Into.WALLET), actor=buyer.actor)
    page = market.world.ask(OrderRefunds(order_id=order.id, limit=1), actor=buyer.actor)
    assert [piece.state for piece in page.items[0].pieces] == [PieceState.DONE, PieceState.DIVERTED]
    assert buyer.money() == 250 + 250 + 250
    rest = market.world.ask(OrderRefunds(order_id=order.id, after=page.after), actor=buyer.actor)
    assert ([one.id for one in rest.items], rest.after) == ([first.id], None)
    elsewhere = ShopOrderRefunds(shop_id=market.other.id, order_id=order.id)
    nobody = OrderId("ord_0198aa00000000010000000000")
    for asked, actor in (
        (mine, other.actor),
        (mine, market.staff("owner")),
        (shops, market.staff("owner", shop=market.other.id)),
        (elsewhere, market.staff("owner", shop=market.other.id)),
        (OrderRefunds(order_id=nobody), market.operator("admin")),
    ):
        with pytest.raises(Refused) as no:
            market.world.ask(asked, actor=actor)
        assert no.value.code.value == "order_not_found"
