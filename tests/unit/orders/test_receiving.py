"""An order that nobody says anything about is received by itself in the end, once, and the buyer may put that off, once."""

import msgspec
import pytest

from unit.orders.market import Buyer, Market, facts_told, wallet, yuan
from yunduan.domains.catalog.commands import SetShippingTemplate
from yunduan.domains.catalog.model import Measure, Place, Rate, Zone
from yunduan.domains.orders.agreed import AgreedLine, PlaceAgreed
from yunduan.domains.orders.commands import RefundOrder
from yunduan.domains.orders.facts import OrderReceived, ReceiptExtended
from yunduan.domains.orders.model import ABROAD_MS, EXTENSION_MS, HOME_MS
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt, ReceiveUnasked
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId
from yunduan.kernel.refusals import BrokenError

DAY_MS = 86_400_000


def shipped(market: Market, buyer: Buyer) -> OrderId:
    """An order that is on its way."""
    buyer.want(market.offer(5))
    (order,) = buyer.buy().orders
    market.ship(order.id)
    return order.id


def told(market: Market, kind: type) -> list[dict[str, object]]:
    """The facts of a kind."""
    return [msgspec.json.decode(body) for (body,) in market.world.rows("SELECT body FROM fact WHERE kind = ?", kind.__name__)]


def wait_until(market: Market, at_ms: int) -> None:
    """Let time pass up to a moment, with whatever rings on the way."""
    market.world.pass_time(at_ms - market.world.clock.wall_ms())


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(10_000)


def test_an_order_is_received_by_itself_after_ten_days(market: Market, buyer: Buyer) -> None:
    """Not a moment before, and once: the shop has its money, and nothing is left to ring."""
    id, began = shipped(market, buyer), market.world.clock.wall_ms()
    seen = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.receive_by, seen.may_extend) == (began + HOME_MS, True)
    wait_until(market, began + HOME_MS - 1)
    assert (market.state(id), market.escrow(id)) == ("shipped", 2799)
    wait_until(market, began + HOME_MS)
    assert (market.state(id), market.escrow(id)) == ("received", 0)
    (fact,) = told(market, OrderReceived)
    assert (fact["order_id"], fact["by"]) == (id, "cloud")
    seen = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.received_at, seen.receive_by, seen.may_extend) == (began + HOME_MS, 0, False)
    wait_until(market, began + 60 * DAY_MS)
    assert len(told(market, OrderReceived)) == 1
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    market.assert_balanced()


def test_what_goes_abroad_has_thirty_days(market: Market, buyer: Buyer) -> None:
    """Another country than the shop's, by the address that is sealed on the order."""
    rate = Rate(first_units=100, first_fee=800)
    zones = (Zone(places=(Place(country="CN"),), rate=rate), Zone(places=(Place(country="SG"),), rate=rate))
    terms = SetShippingTemplate(shop_id=market.shop.id, id=market.shop.template_id, name="far", measure=Measure.PIECE, zones=zones)
    market.world.send(terms)
    buyer.move_to("Central", country="SG", phone="+65 6123 4567")
    id, began = shipped(market, buyer), market.world.clock.wall_ms()
    wait_until(market, began + ABROAD_MS - 1)
    assert market.state(id) == "shipped"
    wait_until(market, began + ABROAD_MS)
    assert market.state(id) == "received"


def test_the_buyer_may_put_it_off_once(market: Market, buyer: Buyer) -> None:
    """A second time is refused and changes nothing; it is received at the later time, by the same alarm."""
    id, began = shipped(market, buyer), market.world.clock.wall_ms()
    wait_until(market, began + 9 * DAY_MS)
    put_off = market.world.send(ExtendReceipt(order_id=id), actor=buyer.actor)
    assert put_off.receive_by == began + HOME_MS + EXTENSION_MS
    market.assert_refused("receipt_not_extendable", ExtendReceipt(order_id=id), buyer.actor)
    seen = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.receive_by, seen.may_extend) == (put_off.receive_by, False)
    (fact,) = told(market, ReceiptExtended)
    assert fact["receive_by"] == put_off.receive_by
    wait_until(market, put_off.receive_by - 1)
    assert market.state(id) == "shipped"
    wait_until(market, put_off.receive_by)
    assert market.state(id) == "received"
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    market.assert_balanced()


def test_only_the_buyer_puts_it_off_and_only_on_the_way(market: Market, buyer: Buyer) -> None:
    """Nobody else's order, none that has not left, and none that has arrived."""
    buyer.want(market.offer(5))
    (order,) = buyer.buy().orders
    ask = ExtendReceipt(order_id=order.id)
    market.assert_refused("order_in_other_state", ask, buyer.actor)
    market.ship(order.id)
    for actor in (market.buyer().actor, market.staff("owner"), market.operator()):
        market.assert_refused("order_not_found", ask, actor)
    market.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
    market.assert_refused("order_in_other_state", ask, buyer.actor)


@pytest.mark.parametrize("end", ["received", "refunded"])
def test_an_alarm_finds_nothing_to_do_once_the_order_has_ended(end: str, market: Market, buyer: Buyer) -> None:
    """Whoever ended it: it is consumed, and nobody hears of it."""
    id, began = shipped(market, buyer), market.world.clock.wall_ms()
    if end == "received":
        market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    else:
        market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(2799)), actor=market.staff("owner"))
    facts = facts_told(market)
    wait_until(market, began + 60 * DAY_MS)
    assert market.state(id) == end
    assert facts_told(market) == facts
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    assert market.world.cloud.writer.alarms_refused == 0


def test_an_order_of_an_import_is_never_received_by_itself(market: Market, buyer: Buyer) -> None:
    """Its own dates say when."""
    line = AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(0))
    ask = PlaceAgreed(address_id=buyer.address, lines=(line,), tenders=wallet(1999), pay_by=0, only_by_hand=True)
    placed = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True))
    id = placed.orders[0].id
    market.ship(id)
    market.assert_refused("receipt_not_extendable", ExtendReceipt(order_id=id), buyer.actor)
    wait_until(market, market.world.clock.wall_ms() + 90 * DAY_MS)
    assert market.state(id) == "shipped"
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)


def test_nobody_but_the_cloud_receives_unasked(market: Market, buyer: Buyer) -> None:
    """The alarm's command is no way around the buyer."""
    id = shipped(market, buyer)
    with pytest.raises(BrokenError):
        market.world.send(ReceiveUnasked(order_id=id), actor=buyer.actor)
    assert market.state(id) == "shipped"
