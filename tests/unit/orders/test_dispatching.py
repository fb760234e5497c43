"""A paid order that its shop never ships is called off by itself: reminded before, put off once by its buyer, never early, once."""

import msgspec
import pytest

from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, channel, orders, wallet, yuan
from yunduan.domains.orders import dispatching
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine, PlaceAgreed
from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.claiming import OpenCase
from yunduan.domains.orders.commands import CancelOrder, RefundOrder
from yunduan.domains.orders.dispatching import CancelUnshipped, LookForUnshipped, RemindToShip, WaitLonger
from yunduan.domains.orders.facts import DispatchDue, DispatchExtended, OrderCancelled
from yunduan.domains.orders.model import Funder
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import CaseId, OrderId
from yunduan.kernel.refusals import BrokenError

DAY_MS = 86_400_000
DISPATCH_MS, WARNED_MS, LONGER_MS = 30 * DAY_MS, 3 * DAY_MS, 15 * DAY_MS
TOTAL = 1999 + SHIPPING


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(100_000)


def bought(market: Market, buyer: Buyer, pieces: int = 1) -> OrderId:
    """A paid order."""
    buyer.want(market.offer(5), pieces)
    return buyer.buy().orders[0].id


def told(market: Market, kind: type) -> list[dict[str, object]]:
    """The facts of a kind."""
    return [msgspec.json.decode(body) for (body,) in market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)]


def wait_until(market: Market, at_ms: int) -> None:
    """Let time pass up to a moment, with whatever rings on the way."""
    market.world.pass_time(at_ms - market.world.clock.wall_ms())


def send_one(market: Market, id: OrderId) -> None:
    """One piece leaves."""
    line = PieceLine(variant_id=market.variants(id)[0], quantity=1)
    ask = ShipParcel(shop_id=market.shop.id, order_id=id, carrier="SF", tracking="SF1", lines=(line,))
    market.world.send(ask, actor=market.staff("packer"))


def test_what_is_never_shipped_comes_back_whole(shared: Market) -> None:
    """After thirty days, not a moment before and once; the shop was reminded three days earlier, and nothing is left to ring."""
    buyer = shared.buyer(10_000)
    id, paid_at = bought(shared, buyer), shared.world.clock.wall_ms()
    seen = shared.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.dispatch_by, seen.may_wait_longer) == (paid_at + DISPATCH_MS, True)
    wait_until(shared, paid_at + DISPATCH_MS - WARNED_MS - 1)
    assert told(shared, DispatchDue) == []
    wait_until(shared, paid_at + DISPATCH_MS - WARNED_MS)
    (due,) = told(shared, DispatchDue)
    assert (due["order_id"], due["dispatch_by"]) == (id, paid_at + DISPATCH_MS)
    wait_until(shared, paid_at + DISPATCH_MS - 1)
    assert (shared.state(id), shared.escrow(id)) == ("paid", TOTAL)
    wait_until(shared, paid_at + DISPATCH_MS)
    assert (shared.state(id), shared.escrow(id), buyer.money()) == ("cancelled", 0, 10_000)
    wait_until(shared, paid_at + 90 * DAY_MS)
    (fact,) = told(shared, OrderCancelled)
    assert (fact["by"], fact["was_paid"], len(told(shared, DispatchDue))) == ("cloud", True, 1)
    assert shared.world.rows("SELECT count(*) FROM alarm") == [(0,)]
    kinds = {kind for (kind,) in shared.world.rows("SELECT kind FROM notice WHERE kind <> 'wallet_topped_up'")}
    assert kinds == {"sale_paid", "sale_due", "sale_overdue", "order_overdue"}
    shared.assert_balanced()


def test_an_order_that_leaves_in_time_is_left_alone(market: Market, buyer: Buyer) -> None:
    """Before its shop was reminded, and at the last moment."""
    early, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    late = bought(market, buyer)
    market.ship(early)
    wait_until(market, paid_at + DISPATCH_MS - 1)
    market.ship(late)
    wait_until(market, paid_at + DISPATCH_MS + DAY_MS)
    assert (market.state(early), market.state(late), told(market, OrderCancelled)) == ("received", "shipped", [])
    assert [fact["order_id"] for fact in told(market, DispatchDue)] == [late]
    wait_until(market, paid_at + 60 * DAY_MS)
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]


def test_a_checkout_sets_no_alarm_and_the_looking_ends_when_nothing_is_left(market: Market, buyer: Buyer) -> None:
    """One alarm for all of them, set by the follower; none once all have been looked at, and one again for the next."""
    alarms = "SELECT count(*) FROM alarm WHERE kind = 'LookForUnshipped'"
    buyer.want(market.offer(5))
    before = market.world.rows("SELECT count(*) FROM alarm")
    buyer.buy()
    assert market.world.rows("SELECT count(*) FROM alarm") == before
    for _ in range(5):
        market.ship(bought(market, buyer))
    market.world.settle()
    assert market.world.rows(alarms) == [(1,)]
    market.world.pass_time(60 * DAY_MS)
    assert market.world.rows(alarms) == [(0,)]
    bought(market, buyer)
    market.world.settle()
    assert market.world.rows(alarms) == [(1,)]


def test_many_orders_are_looked_through_page_by_page(market: Market, buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, of seven over three days: each is called off at its own time, those that have left are not."""
    monkeypatch.setattr(dispatching, "LOOKED_AT_ONCE", 2)
    due = {}
    for number in range(7):
        id = bought(market, buyer)
        due[id] = market.world.clock.wall_ms() + DISPATCH_MS
        if number == 3:
            market.ship(id)
            del due[id]
        market.world.pass_time(10 * 60 * MINUTE_MS if number % 2 else MINUTE_MS)
    for id, at_ms in due.items():
        wait_until(market, at_ms - 1)
        assert market.state(id) == "paid"
        wait_until(market, at_ms)
        assert market.state(id) == "cancelled"
    assert len(told(market, DispatchDue)) == len(told(market, OrderCancelled)) == 6


def test_the_buyer_may_wait_longer_once(market: Market, buyer: Buyer) -> None:
    """A second time is refused and changes nothing; the shop hears of it, is reminded anew, and it is called off at the later time."""
    id, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    wait_until(market, paid_at + DISPATCH_MS - DAY_MS)
    put_off = market.world.send(WaitLonger(order_id=id), actor=buyer.actor)
    assert put_off.dispatch_by == paid_at + DISPATCH_MS + LONGER_MS
    market.assert_refused("dispatch_not_extendable", WaitLonger(order_id=id), buyer.actor)
    (fact,) = told(market, DispatchExtended)
    assert fact["dispatch_by"] == put_off.dispatch_by
    wait_until(market, put_off.dispatch_by - 1)
    assert market.state(id) == "paid"
    assert [one["dispatch_by"] for one in told(market, DispatchDue)] == [paid_at + DISPATCH_MS, put_off.dispatch_by]
    wait_until(market, put_off.dispatch_by)
    assert market.state(id) == "cancelled"
    market.world.pass_time(30 * DAY_MS)
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]
    assert ("sale_waited_for",) in market.world.rows("SELECT kind FROM notice")


def test_waiting_longer_early_moves_the_first_reminder(market: Market, buyer: Buyer) -> None:
    """On the day of the purchase."""
    id, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    put_off = market.world.send(WaitLonger(order_id=id), actor=buyer.actor).dispatch_by
    wait_until(market, put_off)
    assert [one["dispatch_by"] for one in told(market, DispatchDue)] == [paid_at + DISPATCH_MS + LONGER_MS]
    assert market.state(id) == "cancelled"


def test_only_the_buyer_waits_longer_and_only_before_it_leaves(market: Market, buyer: Buyer) -> None:
    """Nobody else's order, none that is not paid, and none that has left."""
    buyer.want(market.offer(5))
    unpaid = buyer.buy(channel(TOTAL)).orders[0].id
    market.assert_refused("order_in_other_state", WaitLonger(order_id=unpaid), buyer.actor)
    id = bought(market, buyer)
    for actor in (market.buyer().actor, market.staff("owner"), market.operator()):
        market.assert_refused("order_not_found", WaitLonger(order_id=id), actor)
    market.ship(id)
    market.assert_refused("order_in_other_state", WaitLonger(order_id=id), buyer.actor)


def test_what_has_not_left_of_it_is_called_off_alone(market: Market, buyer: Buyer) -> None:
    """Two of three pieces come back, by what was paid for them; the first is on its way and received in the end."""
    id, paid_at = bought(market, buyer, 3), market.world.clock.wall_ms()
    send_one(market, id)
    wait_until(market, paid_at + DISPATCH_MS)
    assert (market.state(id), buyer.money()) == ("shipped", 100_000 - 3 * 1999 - SHIPPING + 2 * 1999)
    kinds = [kind for (kind,) in market.world.rows("SELECT kind FROM notice")]
    assert (kinds.count("order_overdue"), kinds.count("sale_overdue"), kinds.count("order_rest_cancelled")) == (1, 1, 0)
    market.assert_balanced()
    market.world.pass_time(60 * DAY_MS)
    assert (market.state(id), market.escrow(id)) == ("received", 0)


def test_what_the_marketplace_paid_whole_is_not_held_for_ever(market: Market, buyer: Buyer) -> None:
    """Nothing of it can come back in part: what has not left is called off, and the order goes on."""
    market.set_aside(3998)
    line = AgreedLine(variant_id=market.offer(5), quantity=2, price=yuan(1999), shipping=yuan(0))
    discount = AgreedDiscount(shop_id=market.shop.id, title="spring", funder=Funder.MARKETPLACE, amount=yuan(3998))
    ask = market.agreed(buyer, [line], discount, tenders=())
    id = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True)).orders[0].id
    send_one(market, id)
    market.assert_refused("refund_of_nothing", CancelOrder(order_id=id), buyer.actor)
    market.world.pass_time(DISPATCH_MS)
    assert (market.state(id), market.escrow(id)) == ("shipped", 3998)
    market.world.pass_time(60 * DAY_MS)
    assert market.state(id) == "received"
    market.assert_balanced()


def claim(market: Market, buyer: Buyer, id: OrderId) -> CaseId:
    """The buyer wants a part of the money back for one piece."""
    lines = (CaseLine(variant_id=market.variants(id)[0], quantity=1),)
    ask = OpenCase(order_id=id, kind=CaseKind.REFUND, reason=Reason.CHANGED_MIND, lines=lines, text="算了", amount=yuan(100))
    return market.world.send(ask, actor=buyer.actor).id


def test_a_case_about_an_order_that_never_left_ends_with_it(market: Market, buyer: Buyer) -> None:
    """All comes back, so nothing is left to argue about."""
    id, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    wait_until(market, paid_at + DISPATCH_MS - DAY_MS)
    claim(market, buyer, id)
    wait_until(market, paid_at + DISPATCH_MS)
    assert (market.state(id), buyer.money()) == ("cancelled", 100_000)
    assert market.world.rows("SELECT state FROM order_case") == [("closed",)]
    market.assert_balanced()


def test_a_case_about_what_has_left_is_waited_for(market: Market, buyer: Buyer) -> None:
    """It is not cut short: the rest is called off when it has ended, by the shop's silence here."""
    id, paid_at = bought(market, buyer, 2), market.world.clock.wall_ms()
    send_one(market, id)
    wait_until(market, paid_at + DISPATCH_MS - DAY_MS)
    claim(market, buyer, id)
    wait_until(market, paid_at + DISPATCH_MS + DAY_MS)
    assert market.state(id) == "partly_shipped"
    wait_until(market, paid_at + DISPATCH_MS + 3 * DAY_MS)
    assert (market.state(id), market.world.rows("SELECT state FROM order_case")) == ("shipped", [("refunded",)])
    market.assert_balanced()


def test_what_was_given_back_in_part_comes_back_for_the_rest(market: Market, buyer: Buyer) -> None:
    """Never more than was paid."""
    id = bought(market, buyer)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(999)), actor=market.staff("owner"))
    market.world.pass_time(DISPATCH_MS)
    assert (market.state(id), buyer.money()) == ("cancelled", 100_000)
    assert [(total, back) for _, _, total, back in orders(market.world)] == [(TOTAL, TOTAL)]
    market.assert_balanced()


def test_time_counts_from_the_payment(market: Market, buyer: Buyer) -> None:
    """Ten minutes after the checkout, over the channel."""
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(TOTAL))
    market.world.pass_time(10 * MINUTE_MS)
    market.decide(placed.payment.redirects[0].url)
    id, paid_at = placed.orders[0].id, market.world.clock.wall_ms()
    wait_until(market, paid_at + DISPATCH_MS - 1)
    assert market.state(id) == "paid"
    wait_until(market, paid_at + DISPATCH_MS)
    assert market.state(id) == "cancelled"


def test_an_order_of_an_import_has_dates_of_its_own(market: Market, buyer: Buyer) -> None:
    """It is never called off by itself, and nobody looks for it."""
    line = AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(1999), shipping=yuan(0))
    ask = PlaceAgreed(address_id=buyer.address, lines=(line,), tenders=wallet(1999), pay_by=0, only_by_hand=True)
    id = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True)).orders[0].id
    market.world.settle()
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind = 'LookForUnshipped'") == [(0,)]
    bought(market, buyer)
    market.assert_refused("dispatch_not_extendable", WaitLonger(order_id=id), buyer.actor)
    market.world.pass_time(90 * DAY_MS)
    assert market.state(id) == "paid"


def test_nobody_but_time_calls_it_off(market: Market, buyer: Buyer) -> None:
    """The alarms' commands are no way around anybody, and one of another time finds nothing to do."""
    id = bought(market, buyer)
    now = market.world.clock.wall_ms()
    for ask in (CancelUnshipped(order_id=id, due=now), RemindToShip(order_id=id, due=now), LookForUnshipped(due=now)):
        with pytest.raises(BrokenError):
            market.world.send(ask, actor=buyer.actor)
    market.world.settle()
    before = market.everything()
    market.world.send(CancelUnshipped(order_id=id, due=now + DISPATCH_MS - 1))
    market.world.send(LookForUnshipped(due=now))
    assert market.everything() == before


def test_a_clock_that_leaps_a_day_and_back_calls_nothing_off_early(market: Market, buyer: Buyer) -> None:
    """Its books are a day ahead then; the alarms go by the wall, and each by its own time."""
    id, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    wait_until(market, paid_at + DISPATCH_MS - 60 * MINUTE_MS)
    market.world.clock.jump(DAY_MS)
    buyer.want(market.offer(5))
    market.world.settle()
    assert market.state(id) == "paid"
    market.world.clock.jump(-DAY_MS)

    async def confirm() -> None:
        await market.world.cloud.alarms.confirm()

    market.world.run(confirm())
    market.world.pass_time(60 * MINUTE_MS - 1)
    assert market.state(id) == "paid"
    market.world.pass_time(1)
    assert market.state(id) == "cancelled"


@pytest.mark.parametrize("first", ["ship", "overdue", "cancel", "wait"])
def test_the_shop_the_buyer_and_time_race(first: str, market: Market, buyer: Buyer) -> None:
    """In one batch: whoever comes first stands, the others are refused or find nothing to do, and all balances."""
    id, paid_at = bought(market, buyer), market.world.clock.wall_ms()
    wait_until(market, paid_at + DISPATCH_MS - 1)
    system = Actor(is_system=True)
    asks = {
        "ship": (ShipOrder(shop_id=market.shop.id, order_id=id, carrier="SF", tracking="SF1"), market.staff("packer")),
        "overdue": (CancelUnshipped(order_id=id, due=paid_at + DISPATCH_MS), system),
        "cancel": (CancelOrder(order_id=id), buyer.actor),
        "wait": (WaitLonger(order_id=id), buyer.actor),
    }
    names = [first, *(name for name in ("overdue", "ship", "cancel", "wait") if name != first)]
    market.world.send_all([asks[name] for name in names], keys=names)
    state = {"ship": "shipped", "overdue": "cancelled", "cancel": "cancelled", "wait": "shipped"}[first]
    assert market.state(id) == state
    assert buyer.money() == (100_000 if state == "cancelled" else 100_000 - TOTAL)
    assert len(told(market, OrderCancelled)) == (state == "cancelled")
    market.assert_balanced()
