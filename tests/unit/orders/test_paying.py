"""Stock is held for the method's time, capped per buyer; an order that is paid late stands again where everything is there still."""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, wallet, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.catalog.commands import AdjustStock, SetHoliday, SuspendShop, WithdrawGoods
from yunduan.domains.catalog.model import BuyerLimit, StockReason
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.commands import AddToCart, CancelOrder, Placed
from yunduan.domains.orders.facts import OrderPaid
from yunduan.domains.orders.model import SLOW_UNPAID_MAX, UNPAID_MAX
from yunduan.domains.orders.repricing import AgreePrice, OfferPrice
from yunduan.domains.payments.model import Tender, TenderKind
from yunduan.kernel.ids import VariantId

DAY_MS = 86_400_000
TOTAL = 1999 + SHIPPING


def by(method: str, fen: int) -> Tender:
    """Over the channel, by one of its methods."""
    return Tender(kind=TenderKind.CHANNEL, amount=yuan(fen), channel="sandbox", method=method)


def waits(market: Market, buyer: Buyer, variant: VariantId, *, method: str = "", mine: int = 0, **more: object) -> Placed:
    """A checkout that waits for the channel, `mine` of it from the wallet."""
    buyer.want(variant)
    rest = by(method, buyer.total() - mine)
    return buyer.buy((*wallet(mine), rest) if mine else (rest,), **more)


def approve(market: Market, placed: Placed) -> None:
    """Approve it at the channel, which tells nobody before time passes."""
    market.sandbox.decide(dict(parse_qsl(urlsplit(placed.payment.redirects[0].url).query)), approve=True)


def lapsed(market: Market, placed: Placed) -> None:
    """Let its time pass, while the channel's word that it was approved in time is on its way for ten minutes."""
    market.sandbox.misbehaviour = Misbehaviour(delays=1000, unreachable=1000)
    market.world.pass_time(14 * MINUTE_MS)
    approve(market, placed)
    market.world.pass_time(MINUTE_MS)
    assert [market.state(order.id) for order in placed.orders] == ["cancelled"] * len(placed.orders)
    market.sandbox.misbehaviour = Misbehaviour()


# The method's time


def test_a_slip_holds_stock_for_days(shared: Market) -> None:
    """It is paid on the second of them, and collected the day after."""
    tea, buyer = shared.offer(3), shared.buyer(500)
    placed = waits(shared, buyer, tea, method="slip", mine=500)
    assert placed.pay_by == shared.world.clock.wall_ms() + 3 * DAY_MS
    shared.world.pass_time(2 * DAY_MS)
    assert (shared.state(placed.orders[0].id), shared.shelf(tea), buyer.money()) == ("placed", (3, 1), 0)
    shared.decide(placed.payment.redirects[0].url)
    assert shared.state(placed.orders[0].id) == "placed"
    shared.world.pass_time(DAY_MS)
    assert (shared.state(placed.orders[0].id), shared.shelf(tea)) == ("paid", (3, 1))
    shared.assert_balanced()


def test_a_slip_that_nobody_pays_lapses_when_its_days_are_over(market: Market) -> None:
    """Not a moment before."""
    tea, buyer = market.offer(3), market.buyer()
    placed = waits(market, buyer, tea, method="slip")
    market.world.pass_time(3 * DAY_MS - 1)
    assert market.state(placed.orders[0].id) == "placed"
    market.world.pass_time(1)
    assert (market.state(placed.orders[0].id), market.shelf(tea)) == ("cancelled", (3, 0))
    market.world.pass_time(30 * DAY_MS)
    assert market.world.rows("SELECT count(*) FROM fact WHERE kind = 'OrderCancelled'") == [(1,)]
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]


def test_a_slip_that_was_paid_on_its_last_day_is_waited_for_longer(market: Market) -> None:
    """It is on its way when its time is over: the stock is held until it is there."""
    tea, buyer = market.offer(3), market.buyer()
    placed = waits(market, buyer, tea, method="slip")
    market.world.pass_time(3 * DAY_MS - MINUTE_MS)
    market.decide(placed.payment.redirects[0].url)
    market.world.pass_time(2 * MINUTE_MS)
    assert (market.state(placed.orders[0].id), market.shelf(tea)) == ("placed", (3, 1))
    market.world.pass_time(DAY_MS)
    assert market.state(placed.orders[0].id) == "paid"


def test_few_slips_wait_at_once(market: Market) -> None:
    """Two of a buyer; the third is refused and changes nothing, until one of them has ended; what is instant is not concerned."""
    tea, buyer = market.offer(50), market.buyer()
    slow = [waits(market, buyer, tea, method="slip") for _ in range(SLOW_UNPAID_MAX)]
    buyer.want(tea)
    market.assert_refused("slow_unpaid_full", buyer.checkout(tenders=(by("slip", TOTAL),)), buyer.actor)
    buyer.buy((by("card", TOTAL),))
    for _ in range(UNPAID_MAX - SLOW_UNPAID_MAX - 1):
        waits(market, buyer, tea)
    buyer.want(tea)
    market.assert_refused("unpaid_full", buyer.checkout(tenders=(by("card", TOTAL),)), buyer.actor)
    market.world.send(CancelOrder(order_id=slow[0].orders[0].id), actor=buyer.actor)
    buyer.buy((by("slip", TOTAL),))
    waits(market, market.buyer(), tea, method="slip")


def test_an_instant_payment_that_is_put_off_is_no_slow_one(market: Market) -> None:
    """It does not count among the few."""
    tea, buyer = market.offer(50), market.buyer()
    market.sandbox.misbehaviour = Misbehaviour(dawdles=1000, dawdle_ms=40 * MINUTE_MS)
    for _ in range(SLOW_UNPAID_MAX):
        approve(market, waits(market, buyer, tea))
    market.world.pass_time(16 * MINUTE_MS)
    assert market.world.rows("SELECT count(*) FROM orders WHERE state = 'placed'") == [(SLOW_UNPAID_MAX,)]
    waits(market, buyer, tea, method="slip")


def test_another_price_is_paid_by_a_slip_within_the_same_few(market: Market) -> None:
    """The checkout that is called off for it makes room for the new one."""
    tea, buyer = market.offer(50), market.buyer()
    held = [waits(market, buyer, tea, method="slip") for _ in range(SLOW_UNPAID_MAX)]
    id = held[0].orders[0].id
    offer = OfferPrice(shop_id=market.shop.id, order_id=id, discount=yuan(100), shipping=yuan(SHIPPING))
    total = market.world.send(offer, actor=market.staff("service")).checkout_total
    placed = market.world.send(AgreePrice(order_id=id, total=total, tenders=(by("slip", total.amount),)), actor=buyer.actor)
    assert placed.pay_by == market.world.clock.wall_ms() + 3 * DAY_MS


# Late


def test_an_order_that_is_paid_late_stands_again(shared: Market) -> None:
    """With its stock, the wallet's part and a second word to everybody, at the price that was agreed; the order goes on like any other."""
    tea, buyer = shared.offer(3), shared.buyer(1_000)
    placed = waits(shared, buyer, tea, mine=1_000)
    lapsed(shared, placed)
    assert (shared.shelf(tea), buyer.money()) == ((3, 0), 1_000)
    shared.world.pass_time(10 * MINUTE_MS)
    (order,) = placed.orders
    assert (shared.state(order.id), shared.shelf(tea), buyer.money(), shared.escrow(order.id)) == ("paid", (3, 1), 0, TOTAL)
    (fact,) = [msgspec.json.decode(body) for (body,) in shared.world.rows("SELECT body FROM fact WHERE kind = ?", OrderPaid.__name__)]
    assert (fact["at_once"], fact["late"]) == (False, True)
    assert shared.world.rows("SELECT sold FROM goods_standing") == [(1,)]
    assert shared.world.rows("SELECT state FROM order_of_shop") == [("paid",)]
    shared.ship(order.id)
    assert shared.shelf(tea) == (2, 0)
    shared.assert_balanced()


def sell_out(market: Market, tea: VariantId) -> None:
    """All is gone."""
    shop, location = market.shop.id, market.shop.location_id
    market.world.send(AdjustStock(shop_id=shop, variant_id=tea, location_id=location, by=-3, reason=StockReason.COUNTED))


@pytest.mark.parametrize("why", ["sold out", "off sale", "holiday", "suspended", "erased", "wallet spent", "a week has passed"])
def test_an_order_that_is_paid_late_stays_off_when_something_is_missing(why: str, market: Market) -> None:
    """The money goes back the way it came; stock, wallet and orders are as they were."""
    tea, buyer = market.offer(3), market.buyer(1_000 if why != "erased" else 0)
    ((goods_id,),) = market.world.rows("SELECT goods_id FROM variant WHERE id = ?", tea)
    placed = waits(market, buyer, tea, mine=buyer.money())
    lapsed(market, placed)
    shop_id = market.shop.id
    if why == "sold out":
        sell_out(market, tea)
    elif why == "off sale":
        market.world.send(WithdrawGoods(shop_id=shop_id, goods_id=goods_id), actor=market.staff())
    elif why == "holiday":
        back_at = market.world.clock.wall_ms() + DAY_MS
        market.world.send(SetHoliday(shop_id=shop_id, back_at=back_at), actor=market.staff())
    elif why == "suspended":
        market.world.send(SuspendShop(shop_id=shop_id, reason="查证"))
    elif why == "erased":
        market.world.send(ErasePerson(person_id=buyer.person))
    elif why == "wallet spent":
        other = market.offer(1, 100)
        buyer.want(other)
        buyer.buy(wallet(100 + SHIPPING))
    shelf, money = market.shelf(tea), buyer.money()
    if why == "a week has passed":
        market.world.clock.advance(7 * DAY_MS + 1)
    market.world.pass_time(10 * MINUTE_MS)
    (order,) = placed.orders
    assert (market.state(order.id), market.shelf(tea), buyer.money(), market.escrow(order.id)) == ("cancelled", shelf, money, 0)
    assert market.world.rows("SELECT count(*) FROM fact WHERE kind = 'CaptureReturned'") == [(1,)]
    market.world.pass_time(60 * MINUTE_MS)
    market.assert_balanced()


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_checkout_over_several_shops_stands_again_whole_or_not_at_all(is_gone: bool, market: Market) -> None:
    """As it was placed."""
    tea, pot, buyer = market.offer(3), market.offer(1, 4000, shop=market.other), market.buyer()
    buyer.want(pot)
    placed = waits(market, buyer, tea)
    assert len(placed.orders) == 2
    lapsed(market, placed)
    rival = market.buyer(10_000)
    if is_gone:
        rival.want(pot)
        rival.buy()
    market.world.pass_time(10 * MINUTE_MS)
    assert [market.state(order.id) for order in placed.orders] == (["cancelled"] * 2 if is_gone else ["paid"] * 2)
    assert (market.shelf(tea), market.shelf(pot)) == ((3, 0 if is_gone else 1), (1, 1))
    market.assert_balanced()


def limited(market: Market, buyer: Buyer) -> tuple[VariantId, Placed]:
    """Goods of which one buyer may have two in a month, and one of them in a checkout that waits."""
    tea = market.offer(9, limit=BuyerLimit(pieces=2, days=30))
    return tea, waits(market, buyer, tea)


@pytest.mark.parametrize("others", [1, 2])
def test_what_one_buyer_may_have_is_asked_anew(others: int, market: Market) -> None:
    """Whoever bought more meanwhile has no room for it; what stands again counts again, though a later purchase had it forgotten."""
    buyer = market.buyer(50_000)
    tea, placed = limited(market, buyer)
    lapsed(market, placed)
    for _ in range(others):
        buyer.want(tea)
        buyer.buy()
    market.world.pass_time(10 * MINUTE_MS)
    assert market.state(placed.orders[0].id) == ("paid" if others == 1 else "cancelled")
    market.world.send(AddToCart(variant_id=tea, quantity=1), actor=buyer.actor)
    market.assert_refused("buyer_limit", buyer.checkout(TOTAL), buyer.actor)
    market.assert_balanced()


def test_what_was_called_off_or_placed_anew_never_stands_again(market: Market) -> None:
    """Its buyer has decided otherwise; the money goes back."""
    tea, buyer = market.offer(9), market.buyer()
    market.sandbox.misbehaviour = Misbehaviour(dawdles=1000, dawdle_ms=5 * MINUTE_MS)
    called_off, repriced = waits(market, buyer, tea), waits(market, buyer, tea)
    for placed in (called_off, repriced):
        approve(market, placed)
    market.world.send(CancelOrder(order_id=called_off.orders[0].id), actor=buyer.actor)
    id = repriced.orders[0].id
    offer = OfferPrice(shop_id=market.shop.id, order_id=id, discount=yuan(100), shipping=yuan(SHIPPING))
    total = market.world.send(offer, actor=market.staff("service")).checkout_total
    market.world.send(AgreePrice(order_id=id, total=total, tenders=(by("card", total.amount),)), actor=buyer.actor)
    market.world.pass_time(6 * MINUTE_MS)
    assert [market.state(placed.orders[0].id) for placed in (called_off, repriced)] == ["cancelled"] * 2
    assert market.world.rows("SELECT count(*) FROM fact WHERE kind = 'CaptureReturned'") == [(2,)]
    assert market.shelf(tea) == (9, 1)
    market.assert_balanced()


def test_late_money_and_a_rival_race_for_the_last_piece(market: Market) -> None:
    """Whoever comes first has it; the other has paid nothing, or has the money back."""
    for rival_first in (True, False):
        tea, buyer, rival = market.offer(1), market.buyer(), market.buyer(5_000)
        placed = waits(market, buyer, tea)
        lapsed(market, placed)
        rival.want(tea)
        if rival_first:
            rival.buy()
            market.world.pass_time(10 * MINUTE_MS)
        else:
            market.world.pass_time(10 * MINUTE_MS)
            market.assert_refused("sold_out", rival.checkout(TOTAL), rival.actor)
        assert market.state(placed.orders[0].id) == ("cancelled" if rival_first else "paid")
        assert market.shelf(tea) == (1, 1)
        market.assert_balanced()
