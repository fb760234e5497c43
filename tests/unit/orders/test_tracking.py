"""Carriers are asked where parcels are: each scan is kept once, and the delivery of the last parcel brings the receipt a week later."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from unit.orders.market import Buyer, Market, facts_told, yuan
from yunduan.backends.sandbox_carrier import DAY_MS, HOUR_MS, SandboxCarrier, days, journey
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.notices.queries import MyNotices
from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.claiming import OpenCase, WithdrawCase
from yunduan.domains.orders.commands import DeclineOrder, RefundOrder
from yunduan.domains.orders.couriers import Couriers
from yunduan.domains.orders.facts import OrderReceived, ParcelScanned
from yunduan.domains.orders.model import EXTENSION_MS, HOME_MS
from yunduan.domains.orders.parcels import ScanKind
from yunduan.domains.orders.queries import OrderOf, ShopOrderOf
from yunduan.domains.orders.receiving import AFTER_SCAN_MS, NOTICE_MS, ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.orders.tracking import (
    ASK_AGAIN_MS,
    ASK_EVERY_MS,
    ASK_FOR_MS,
    SCANS_MAX,
    Carriers,
    OrderTracking,
    ParcelsToAskAbout,
    ReportScans,
    Saying,
    ShopOrderTracking,
)
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.refusals import BrokenError, Refused
from yunduan.runtime.clock import SeededEntropy

FIRST_DAY, FOURTH_DAY = "SB0", "SB2"


def placed(market: Market, buyer: Buyer, pieces: int = 1) -> OrderId:
    """A paid order of some pieces."""
    buyer.want(market.offer(10), pieces)
    return buyer.buy().orders[0].id


def ship(order_id: OrderId, tracking: str, shop: ShopId) -> ShipOrder:
    """By the carrier that can be asked."""
    return ShipOrder(shop_id=shop, order_id=order_id, carrier="sandbox", tracking=tracking)


def shipped(market: Market, buyer: Buyer, tracking: str) -> OrderId:
    """An order on its way by the carrier that can be asked."""
    id = placed(market, buyer)
    market.world.send(ship(id, tracking, market.shop.id), actor=market.staff("packer"))
    return id


def pack(market: Market, id: OrderId, pieces: int, tracking: str) -> None:
    """Some pieces leave."""
    lines = (PieceLine(variant_id=market.variants(id)[0], quantity=pieces),)
    ask = ShipParcel(shop_id=market.shop.id, order_id=id, carrier="sandbox", tracking=tracking, lines=lines)
    market.world.send(ask, actor=market.staff("packer"))


def told(market: Market, kind: type) -> list[Any]:
    """The facts of a kind."""
    rows = market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)
    return [msgspec.json.decode(body, type=kind) for (body,) in rows]


def wait_until(market: Market, at_ms: int) -> None:
    """Let time pass up to a moment, with whatever is due on the way."""
    market.world.pass_time(at_ms - market.world.clock.wall_ms())


def saying(id: str, kind: ScanKind, at: int) -> Saying:
    """What a carrier tells."""
    return Saying(id=id, kind=kind, at=at, place="杭州转运中心")


def report(id: OrderId, asked: int, *sayings: Saying, parcel: int = 1) -> ReportScans:
    """What a courier reports."""
    return ReportScans(order_id=id, parcel=parcel, asked=asked, sayings=sayings)


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(50_000)


def test_the_numbers_of_these_tests_are_what_they_are_called() -> None:
    """The sandbox reckons the day from the number."""
    assert (days(FIRST_DAY), days(FOURTH_DAY)) == (1, 4)


def test_a_parcel_is_followed_and_its_delivery_brings_the_receipt(market: Market, buyer: Buyer) -> None:
    """Each scan once, for the buyer and for the shop; seven days after the last one the shop has its money, once."""
    began = market.world.clock.wall_ms()
    id = shipped(market, buyer, FIRST_DAY)
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == began + HOME_MS
    wait_until(market, began + 3 * DAY_MS)
    (mine,) = market.world.ask(OrderTracking(order_id=id), actor=buyer.actor).items
    assert [(scan.kind.value, scan.at - began, scan.place) for scan in mine.scans] == [
        ("collected", 2 * HOUR_MS, "揽收网点"),
        ("in_transit", 10 * HOUR_MS, "转运中心"),
        ("out_for_delivery", 20 * HOUR_MS, "派送网点"),
        ("delivered", DAY_MS, "收件地址"),
    ]
    assert (mine.parcel, mine.carrier, mine.told, mine.arrived_at) == (1, "sandbox", True, began + DAY_MS)
    asked = ShopOrderTracking(shop_id=market.shop.id, order_id=id)
    assert [market.world.ask(asked, actor=market.staff(role)).items for role in ("service", "owner")] == [(mine,), (mine,)]
    (theirs,) = market.world.ask(asked, actor=market.staff("finance")).items
    assert theirs == replace(mine, scans=tuple([replace(scan, place=None) for scan in mine.scans]))
    shown = market.world.ask(ShopOrderOf(shop_id=market.shop.id, order_id=id), actor=market.staff("finance"))
    assert [(one.carrier, one.tracking) for one in shown.parcels] == [("sandbox", None)]
    assert market.world.ask(OrderTracking(order_id=id), actor=market.operator("service")).items == (mine,)
    with pytest.raises(Refused, match="order_not_found"):
        market.world.ask(OrderTracking(order_id=id), actor=market.operator("analyst"))
    assert [(fact.parcel, fact.scan) for fact in told(market, ParcelScanned)] == [(1, scan.kind.value) for scan in mine.scans]
    assert not market.holds("收件地址")
    assert not market.holds(FIRST_DAY)
    seen = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.receive_by, seen.may_extend, seen.parcels[0].arrived_at) == (began + DAY_MS + AFTER_SCAN_MS, True, began + DAY_MS)
    assert market.world.rows("SELECT next_at FROM parcel_watch") == [(0,)]
    wait_until(market, began + DAY_MS + AFTER_SCAN_MS - 1)
    assert market.state(id) == "shipped"
    wait_until(market, began + DAY_MS + AFTER_SCAN_MS)
    assert market.state(id) == "received"
    wait_until(market, began + 60 * DAY_MS)
    assert len(told(market, OrderReceived)) == 1
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    assert market.world.cloud.writer.alarms_refused == 0
    market.assert_balanced()


def test_a_late_delivery_puts_the_receipt_off(market: Market, buyer: Buyer) -> None:
    """Delivered on the ninth day, the buyer has a week from then and not one day; by the alarm that was set at first."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    wait_until(market, began + 9 * DAY_MS)
    ((asked,),) = market.world.rows("SELECT asked FROM parcel_watch")
    market.world.send(report(id, asked, saying("1", ScanKind.DELIVERED, began + 9 * DAY_MS)))
    due = began + 9 * DAY_MS + AFTER_SCAN_MS
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == due
    wait_until(market, due - 1)
    assert market.state(id) == "shipped"
    wait_until(market, due)
    assert market.state(id) == "received"
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]


def test_a_delivery_that_is_heard_of_late_leaves_a_day(market: Market, buyer: Buyer) -> None:
    """The carrier could not be reached for eight days: the buyer learns of it today, and the receipt comes tomorrow at the earliest."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    wait_until(market, began + 9 * DAY_MS)
    ((asked,),) = market.world.rows("SELECT asked FROM parcel_watch")
    market.world.send(report(id, asked, saying("1", ScanKind.DELIVERED, began + DAY_MS)))
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == began + 9 * DAY_MS + NOTICE_MS
    wait_until(market, began + 9 * DAY_MS + NOTICE_MS)
    assert market.state(id) == "received"


def test_what_was_put_off_is_not_brought_forward(market: Market, buyer: Buyer) -> None:
    """The buyer has put it off to day seventeen; a delivery on the first day does not take that back, and one more is refused."""
    id, began = shipped(market, buyer, FIRST_DAY), market.world.clock.wall_ms()
    market.world.send(ExtendReceipt(order_id=id), actor=buyer.actor)
    wait_until(market, began + 2 * DAY_MS)
    seen = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (seen.parcels[0].arrived_at, seen.receive_by) == (began + DAY_MS, began + HOME_MS + EXTENSION_MS)
    market.assert_refused("receipt_not_extendable", ExtendReceipt(order_id=id), buyer.actor)
    wait_until(market, began + HOME_MS + EXTENSION_MS)
    assert market.state(id) == "received"


def test_the_buyer_puts_off_what_a_delivery_has_brought_forward(market: Market, buyer: Buyer) -> None:
    """Seven days from there, by whichever alarm rings."""
    id, began = shipped(market, buyer, FIRST_DAY), market.world.clock.wall_ms()
    wait_until(market, began + 2 * DAY_MS)
    put_off = market.world.send(ExtendReceipt(order_id=id), actor=buyer.actor)
    assert put_off.receive_by == began + DAY_MS + AFTER_SCAN_MS + EXTENSION_MS
    wait_until(market, put_off.receive_by - 1)
    assert market.state(id) == "shipped"
    wait_until(market, put_off.receive_by)
    assert market.state(id) == "received"
    wait_until(market, began + 60 * DAY_MS)
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    assert len(told(market, OrderReceived)) == 1


def test_a_delivery_heard_of_while_a_case_is_open_is_not_forgotten(market: Market, buyer: Buyer) -> None:
    """The alarm of the tenth day rings into the case; when that is withdrawn, the later time is still waited for."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    wait_until(market, began + 8 * DAY_MS)
    line = CaseLine(variant_id=market.variants(id)[0], quantity=1)
    ask = OpenCase(order_id=id, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=(line,), amount=yuan(100))
    case = market.world.send(ask, actor=buyer.actor).id
    wait_until(market, began + 9 * DAY_MS)
    ((asked,),) = market.world.rows("SELECT asked FROM parcel_watch")
    market.world.send(report(id, asked, saying("1", ScanKind.DELIVERED, began + 9 * DAY_MS)))
    wait_until(market, began + 10 * DAY_MS)
    market.world.send(WithdrawCase(case_id=case), actor=buyer.actor)
    due = began + 9 * DAY_MS + AFTER_SCAN_MS + 2 * DAY_MS
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == due
    wait_until(market, due - 1)
    assert market.state(id) == "shipped"
    wait_until(market, due)
    assert market.state(id) == "received"
    market.assert_balanced()


def test_a_delivery_after_the_alarm_has_rung_into_a_case_is_not_forgotten(market: Market, buyer: Buyer) -> None:
    """On the tenth day the case was open, on the eleventh the goods came: no alarm was left, and closing the case sets one."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    wait_until(market, began + 8 * DAY_MS)
    line = CaseLine(variant_id=market.variants(id)[0], quantity=1)
    ask = OpenCase(order_id=id, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=(line,), amount=yuan(100))
    case = market.world.send(ask, actor=buyer.actor).id
    wait_until(market, began + 11 * DAY_MS - 1)
    ((asked,),) = market.world.rows("SELECT asked FROM parcel_watch")
    market.world.send(report(id, asked, saying("1", ScanKind.DELIVERED, market.world.clock.wall_ms())))
    market.world.send(WithdrawCase(case_id=case), actor=buyer.actor)
    due = market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by
    assert due > market.world.clock.wall_ms()
    wait_until(market, due - 1)
    assert market.state(id) == "shipped"
    wait_until(market, due)
    assert market.state(id) == "received"


def test_every_parcel_has_to_be_delivered(market: Market, buyer: Buyer) -> None:
    """One that came before the last had left counts; the week begins with the last, and one that nobody tells of leaves the ten days."""
    id, began = placed(market, buyer, 2), market.world.clock.wall_ms()
    pack(market, id, 1, FIRST_DAY)
    wait_until(market, began + 2 * DAY_MS)
    (first,) = market.world.ask(OrderOf(order_id=id), actor=buyer.actor).parcels
    assert (first.arrived_at, market.state(id)) == (began + DAY_MS, "partly_shipped")
    pack(market, id, 1, FOURTH_DAY)
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == began + 2 * DAY_MS + HOME_MS
    wait_until(market, began + 7 * DAY_MS)
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == began + 6 * DAY_MS + AFTER_SCAN_MS
    other = placed(market, buyer, 2)
    pack(market, other, 1, "SB00")
    market.ship(other)
    began = market.world.clock.wall_ms()
    wait_until(market, began + 5 * DAY_MS)
    assert market.world.ask(OrderOf(order_id=other), actor=buyer.actor).receive_by == began + HOME_MS


def test_what_has_arrived_before_the_rest_is_called_off_begins_the_week(market: Market, buyer: Buyer) -> None:
    """Nothing else will come: the receipt follows from the delivery, and leaves a day at least."""
    id, began = placed(market, buyer, 2), market.world.clock.wall_ms()
    pack(market, id, 1, FIRST_DAY)
    wait_until(market, began + 3 * DAY_MS)
    market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=id), actor=market.staff("service"))
    assert market.world.ask(OrderOf(order_id=id), actor=buyer.actor).receive_by == began + DAY_MS + AFTER_SCAN_MS
    market.assert_balanced()


def test_answers_that_come_twice_or_in_another_order_change_nothing(market: Market, buyer: Buyer) -> None:
    """A scan is known by the carrier's id; a report is heard once; what is from before or after is not believed."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    market.world.clock.advance(20 * DAY_MS // 4)
    now = market.world.clock.wall_ms()
    ours = [saying("b", ScanKind.IN_TRANSIT, began + 2 * HOUR_MS), saying("a", ScanKind.COLLECTED, began + HOUR_MS)]
    strange = [saying("old", ScanKind.DELIVERED, began - 2 * DAY_MS), saying("soon", ScanKind.DELIVERED, now + 1)]
    market.world.send(report(id, 0, *ours, *ours, *strange))
    before = [row for row in market.everything() if row]
    market.world.send(report(id, 0, saying("z", ScanKind.DELIVERED, began)))
    assert [row for row in market.everything() if row] == before
    market.world.send(report(id, 1, *reversed(ours), saying("c", ScanKind.ATTEMPTED, began + 90 * 60_000)))
    (mine,) = market.world.ask(OrderTracking(order_id=id), actor=buyer.actor).items
    assert [scan.kind.value for scan in mine.scans] == ["collected", "attempted", "in_transit"]
    assert [fact.scan for fact in told(market, ParcelScanned)] == ["collected", "in_transit", "attempted"]
    assert mine.arrived_at == 0
    many = [saying(f"n{number}", ScanKind.IN_TRANSIT, began + number) for number in range(2 * SCANS_MAX)]
    market.world.send(report(id, 2, *many))
    assert market.world.rows("SELECT count(*) FROM parcel_scan") == [(SCANS_MAX,)]


def test_a_number_of_another_shops_parcel_is_refused(market: Market, buyer: Buyer) -> None:
    """Nor of a parcel to somebody else: its delivery would count as this order's. One shop may send one buyer two orders in one box."""
    shipped(market, buyer, "SB777")
    packer, neighbour = market.staff("packer"), market.buyer(10_000)
    theirs = placed(market, neighbour)
    market.assert_refused("tracking_number_taken", ship(theirs, "SB777", market.shop.id), packer)
    lines = (PieceLine(variant_id=market.variants(theirs)[0], quantity=1),)
    parcel = ShipParcel(shop_id=market.shop.id, order_id=theirs, carrier="sandbox", tracking="SB777", lines=lines)
    market.assert_refused("tracking_number_taken", parcel, packer)
    buyer.want(market.offer(5, shop=market.other))
    elsewhere, other = buyer.buy().orders[0].id, market.other.id
    market.assert_refused("tracking_number_taken", ship(elsewhere, "SB777", other), market.staff("packer", shop=other))
    assert market.state(shipped(market, buyer, "SB777")) == "shipped"
    market.world.send(
        ShipOrder(shop_id=other, order_id=elsewhere, carrier="SF Express", tracking="SB777"), actor=market.staff("packer", shop=other)
    )


def test_a_carrier_that_nobody_can_ask_is_not_asked(market: Market, buyer: Buyer) -> None:
    """A parcel by another one costs no row, and its way is untold."""
    id = placed(market, buyer)
    market.ship(id)
    assert market.world.rows("SELECT count(*) FROM parcel_watch") == [(0,)]
    (mine,) = market.world.ask(OrderTracking(order_id=id), actor=buyer.actor).items
    assert (mine.told, mine.arrived_at, mine.scans) == (False, 0, ())


def test_who_may_not_sees_nothing(market: Market, buyer: Buyer) -> None:
    """Another buyer, another shop, and nobody but the cloud reports or asks what is to be asked."""
    id, other = shipped(market, buyer, FIRST_DAY), market.other.id
    for ask, actor in (
        (OrderTracking(order_id=id), market.buyer().actor),
        (OrderTracking(order_id=id), market.staff("owner")),
        (ShopOrderTracking(shop_id=other, order_id=id), market.staff("owner", shop=other)),
        (ShopOrderTracking(shop_id=market.shop.id, order_id=id), market.staff("owner", shop=other)),
    ):
        with pytest.raises(Refused) as no:
            market.world.ask(ask, actor=actor)  # type: ignore[arg-type] # either query
        assert no.value.code.value == "order_not_found"
    assert market.world.ask(OrderTracking(order_id=id), actor=market.operator("service")).items[0].carrier == "sandbox"
    before = market.everything()
    for actor in (buyer.actor, market.staff("owner")):
        with pytest.raises(BrokenError):
            market.world.send(report(id, 0, saying("1", ScanKind.DELIVERED, market.world.clock.wall_ms())), actor=actor)
        with pytest.raises(BrokenError):
            market.world.ask(ParcelsToAskAbout(), actor=actor)
    assert market.everything() == before


@pytest.mark.parametrize("end", ["received", "refunded"])
def test_the_carrier_is_asked_no_more_once_the_order_has_ended(end: str, market: Market, buyer: Buyer) -> None:
    """Whoever ended it; and a report on its way changes nothing but that."""
    id = shipped(market, buyer, FOURTH_DAY)
    if end == "received":
        market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    else:
        market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(2799)), actor=market.staff("owner"))
    market.world.settle()
    facts = facts_told(market)
    market.world.pass_time(ASK_EVERY_MS)
    assert market.world.rows("SELECT next_at, asked FROM parcel_watch") == [(0, 1)]
    assert (market.state(id), facts_told(market)) == (end, facts)
    assert market.world.rows("SELECT count(*) FROM parcel_scan") == [(0,)]


def test_a_parcel_that_is_lost_is_not_asked_about_for_ever(market: Market, buyer: Buyer) -> None:
    """Ninety days; one that goes back to the shop ends at once, and is not delivered."""
    line = placed(market, buyer, 2)
    pack(market, line, 1, "LOST1")
    pack(market, line, 1, "BACK2")
    market.world.send(ExtendReceipt(order_id=line), actor=buyer.actor)
    market.world.pass_time(5 * DAY_MS)
    lost, back = market.world.ask(OrderTracking(order_id=line), actor=buyer.actor).items
    assert ([scan.kind.value for scan in lost.scans], [scan.kind.value for scan in back.scans]) == (
        ["collected", "in_transit"],
        ["collected", "in_transit", "returned"],
    )
    assert (lost.arrived_at, back.arrived_at) == (0, 0)
    assert dict(market.world.rows("SELECT parcel, next_at > 0 FROM parcel_watch")) == {1: 1, 2: 0}
    market.world.clock.advance(ASK_FOR_MS)
    ((asked,),) = market.world.rows("SELECT asked FROM parcel_watch WHERE parcel = 1")
    market.world.send(report(line, asked))
    assert dict(market.world.rows("SELECT parcel, next_at FROM parcel_watch")) == {1: 0, 2: 0}


def came_back(market: Market, buyer: Buyer) -> OrderId:
    """One of two pieces was delivered, the other has gone back to the shop."""
    id = placed(market, buyer, 2)
    pack(market, id, 1, FIRST_DAY)
    pack(market, id, 1, "BACK1")
    market.world.pass_time(5 * DAY_MS)
    return id


def test_what_has_gone_back_to_the_shop_is_received_by_its_buyers_word_alone(market: Market, buyer: Buyer) -> None:
    """Buyer and packers are told; the buyer may have what was delivered, or think so."""
    id = came_back(market, buyer)
    view = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    assert (view.receive_by, view.may_extend) == (0, False)
    market.world.settle()
    for person, notice in ((buyer.person, "order_came_back"), (market.owner, "sale_came_back")):
        kinds = [one.kind.value for one in market.world.ask(MyNotices(limit=50), actor=Actor(person=person)).items]
        assert kinds.count(notice) == 1
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    market.world.pass_time(60 * DAY_MS)
    assert (market.state(id), buyer.money()) == ("received", 50_000 - 4798)
    market.assert_balanced()


def test_what_a_carrier_told_goes_with_the_buyer(market: Market) -> None:
    """The kinds and times of scans stay, the places do not."""
    buyer = market.buyer(2799)
    id = shipped(market, buyer, FIRST_DAY)
    market.world.pass_time(2 * DAY_MS)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    asked = ShopOrderTracking(shop_id=market.shop.id, order_id=id)
    (after,) = market.world.ask(asked, actor=market.staff("service")).items
    assert [(scan.kind.value, scan.place) for scan in after.scans][-1] == ("delivered", None)


class Odd:
    """A carrier at its worst: silent, raising, or saying what nobody can read."""

    def __init__(self, *answers: Any) -> None:
        """It says these, one after the other."""
        self.answers = list(answers)

    async def track(self, tracking: str, *, shipped_at: int) -> Sequence[Any] | None:  # noqa: ARG002 - the form of the port
        """Whatever comes next."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return] # what it likes


class Heard(msgspec.Struct, frozen=True):
    """As its adapter reads it."""

    id: str
    kind: str
    at: int
    place: str = ""


def test_a_carrier_at_its_worst_is_asked_again(market: Market, buyer: Buyer) -> None:
    """Nothing is lost: it is asked again soon, and what is of no kind that we know, or has no name, is left out."""
    id, began = shipped(market, buyer, "MUTE1"), market.world.clock.wall_ms()
    good = Heard("1", "collected", began + HOUR_MS, "杭" * 500)
    strange = [Heard("2", "eaten", began), Heard("", "delivered", began), Heard("x" * 65, "delivered", began)]
    odd = Odd(ConnectionError("杭州"), None, [*strange, good])
    couriers = Couriers(market.world.cloud, market.world.cloud.behind, Carriers({"sandbox": odd}))
    market.world.clock.advance(ASK_EVERY_MS)
    for _ in range(2):
        assert market.world.run(couriers.run_once()) == 1
        assert couriers.next_due() == market.world.clock.wall_ms() + ASK_AGAIN_MS
        assert market.world.run(couriers.run_once()) == 0
        market.world.clock.advance(ASK_AGAIN_MS)
    assert market.world.run(couriers.run_once()) == 1
    (mine,) = market.world.ask(OrderTracking(order_id=id), actor=buyer.actor).items
    assert [(scan.kind.value, scan.place) for scan in mine.scans] == [("collected", "杭" * 100)]
    gone = Couriers(market.world.cloud, market.world.cloud.behind, Carriers({}))
    market.world.clock.advance(ASK_EVERY_MS)
    assert market.world.run(gone.run_once()) == 1
    assert market.world.rows("SELECT asked FROM parcel_watch") == [(4,)]


def test_the_sandbox_says_what_has_been_scanned_by_now(market: Market) -> None:
    """The same for the same number, and no more than its clock has come to; now and then nobody answers."""
    clock, carrier = market.world.clock, SandboxCarrier(clock=market.world.clock, entropy=SeededEntropy(1))
    began = clock.wall_ms()
    assert market.world.run(carrier.track("AWAY1", shipped_at=began)) == []
    clock.advance(30 * DAY_MS)
    whole = market.world.run(carrier.track("AWAY1", shipped_at=began))
    assert whole == journey("AWAY1", shipped_at=began)
    assert [seen.kind for seen in whole] == ["collected", "in_transit", "attempted", "out_for_delivery", "delivered"]
    assert [seen.at for seen in whole] == sorted(seen.at for seen in whole)
    silent = SandboxCarrier(clock=clock, entropy=SeededEntropy(1), unreachable=1000)
    assert market.world.run(silent.track("AWAY1", shipped_at=began)) is None


@pytest.mark.parametrize(
    ("kinds", "end"),
    [
        ((ScanKind.COLLECTED, ScanKind.DELIVERED, ScanKind.DELIVERED), 1),
        ((ScanKind.DELIVERED, ScanKind.RETURNED, ScanKind.RETURNED), 2),
        ((ScanKind.RETURNED, ScanKind.DELIVERED), 1),
    ],
)
def test_of_all_that_is_told_at_once_one_scan_ends_the_way_and_is_a_notice(
    market: Market, buyer: Buyer, kinds: tuple[ScanKind, ...], end: int
) -> None:
    """However often the carrier says so."""
    order = shipped(market, buyer, "MUTE1")
    market.world.clock.advance_to(market.world.clock.wall_ms() + 1000)
    now = market.world.clock.wall_ms()
    market.world.send(report(order, 0, *[saying(str(place), kind, now - 100 + place) for place, kind in enumerate(kinds)]))
    scans = told(market, ParcelScanned)
    assert [(scan.scan, scan.is_end) for scan in scans] == [(kind.value, place == end) for place, kind in enumerate(kinds)]
    market.world.settle()
    ended = {ScanKind.DELIVERED: "order_delivered", ScanKind.RETURNED: "order_came_back"}[kinds[end]]
    seen = [it.kind.value for it in market.world.ask(MyNotices(), actor=buyer.actor).items]
    assert [kind for kind in seen if kind in ("order_delivered", "order_came_back")] == [ended]
