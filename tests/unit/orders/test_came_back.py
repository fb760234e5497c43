"""A parcel that has come back to its shop is sent again, taken in, or paid back by time: once, to the last unit, and received by nobody."""

from typing import Any

import msgspec
import pytest

from unit.orders.casebook import Claim
from unit.orders.market import SHIPPING, Buyer, Market, yuan
from yunduan.domains.catalog.commands import CreateLocation
from yunduan.domains.notices.queries import MyNotices
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.claiming import AgreeToCase, ConfirmReturn, OpenCase, RefuseCase, SendBack, WithdrawCase
from yunduan.domains.orders.commands import DeclineOrder, RefundOrder
from yunduan.domains.orders.disputes import CallOperator, RuleCase
from yunduan.domains.orders.facts import OrderRefunded, ParcelGivenBack, ParcelSentAgain
from yunduan.domains.orders.model import HOME_MS, SENDINGS_MAX, Funder
from yunduan.domains.orders.papers import ShopWaybills
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.queries.order import OrderView
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.resending import SendAgain, TakeIn
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.orders.tracking import GiveParcelBack
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import CaseId, OrderId, VariantId
from yunduan.kernel.refusals import BrokenError

DAY_MS = 86_400_000
PIECE = 1999
BACK, GOOD = "BACK1", "SB0"
MONEY = 100_000


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(MONEY)


def bought(market: Market, buyer: Buyer, pieces: int = 1) -> tuple[OrderId, VariantId]:
    """A paid order."""
    variant = market.offer(10)
    buyer.want(variant, pieces)
    return buyer.buy().orders[0].id, variant


def pack(market: Market, id: OrderId, pieces: int, tracking: str, *, carrier: str = "sandbox") -> None:
    """Some pieces leave."""
    lines = (PieceLine(variant_id=market.variants(id)[0], quantity=pieces),)
    ask = ShipParcel(shop_id=market.shop.id, order_id=id, carrier=carrier, tracking=tracking, lines=lines)
    market.world.send(ask, actor=market.staff("packer"))


def sent(market: Market, buyer: Buyer, *parcels: tuple[int, str], rest: int = 0) -> tuple[OrderId, VariantId]:
    """An order in these parcels, when all carriers have had their five days; the rest has not left."""
    id, variant = bought(market, buyer, sum(pieces for pieces, _ in parcels) + rest)
    for pieces, tracking in parcels:
        pack(market, id, pieces, tracking)
    market.world.pass_time(5 * DAY_MS)
    return id, variant


def again(market: Market, id: OrderId, parcel: int = 1, tracking: str = GOOD, **more: Any) -> SendAgain:
    """It leaves once more."""
    return SendAgain(shop_id=market.shop.id, order_id=id, parcel=parcel, **{"carrier": "sandbox", "tracking": tracking} | more)


def taken(market: Market, id: OrderId, parcel: int = 1, **more: Any) -> TakeIn:
    """Its goods are there."""
    return TakeIn(shop_id=market.shop.id, order_id=id, parcel=parcel, **more)


def seen(market: Market, buyer: Buyer, id: OrderId) -> OrderView:
    """The order as its buyer sees it."""
    return market.world.ask(OrderOf(order_id=id), actor=buyer.actor)


def told(market: Market, kind: type) -> list[Any]:
    """The facts of a kind."""
    rows = market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)
    return [msgspec.json.decode(body, type=kind) for (body,) in rows]


def wait_until(market: Market, at_ms: int) -> None:
    """Let time pass up to a moment, with whatever rings on the way."""
    market.world.pass_time(at_ms - market.world.clock.wall_ms())


def noticed(market: Market, person: str) -> list[str]:
    """The kinds of somebody's notices."""
    market.world.settle()
    return [one.kind.value for one in market.world.ask(MyNotices(limit=50), actor=Actor(person=person)).items]  # type: ignore[arg-type]


def claimed(market: Market, buyer: Buyer, id: OrderId, pieces: int = 1, reason: Reason = Reason.NOT_ARRIVED) -> CaseId:
    """A case about some pieces."""
    lines = (CaseLine(variant_id=market.variants(id)[0], quantity=pieces),)
    return market.world.send(OpenCase(order_id=id, kind=CaseKind.REFUND, reason=reason, lines=lines), actor=buyer.actor).id


def test_what_is_not_sent_again_is_paid_back_by_time_with_its_shipping(shared: Market) -> None:
    """Not a moment early, once; the buyer has nothing of the order, so that all of it comes back. The goods are put on hand by the shop."""
    buyer = shared.buyer(MONEY)
    id, variant = sent(shared, buyer, (2, BACK))
    parcel = seen(shared, buyer, id).parcels[0]
    assert parcel.came_back_at
    assert parcel.back_by > parcel.came_back_at + 7 * DAY_MS - 1
    wait_until(shared, parcel.back_by - 1)
    assert (shared.state(id), buyer.money()) == ("shipped", MONEY - 2 * PIECE - SHIPPING)
    shared.world.pass_time(1)
    assert (shared.state(id), buyer.money(), shared.shelf(variant)) == ("refunded", MONEY, (8, 0))
    ((fact,), (refund,)) = told(shared, ParcelGivenBack), told(shared, OrderRefunded)
    assert (fact.parcel, fact.amount, fact.by, refund.by, refund.whole) == (1, yuan(2 * PIECE + SHIPPING), "cloud", "cloud", True)
    assert noticed(shared, shared.owner).count("sale_not_sent_again") == 1
    assert noticed(shared, buyer.person).count("order_refunded") == 1
    done = shared.world.send(taken(shared, id), actor=shared.staff("service"))
    assert (done.amount, done.order_state.value, shared.shelf(variant)) == (yuan(0), "refunded", (10, 0))
    shared.assert_refused("parcel_not_back", taken(shared, id), shared.staff("service"))
    shared.world.pass_time(60 * DAY_MS)
    assert (buyer.money(), shared.earned(), shared.escrow(id)) == (MONEY, 0, 0)
    assert shared.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    shared.assert_balanced()


def test_what_is_sent_again_goes_on_and_its_receipts_clock_begins_anew(shared: Market) -> None:
    """Under another number, with the stock as it was; the alarm of before finds nothing, and the delivery brings the receipt."""
    buyer = shared.buyer(MONEY)
    id, variant = sent(shared, buyer, (2, BACK))
    due = seen(shared, buyer, id).parcels[0].back_by
    answer = shared.world.send(again(shared, id), actor=shared.staff("packer"), key="again")
    assert (answer.parcel, answer.state.value) == (2, "shipped")
    assert shared.world.send(again(shared, id), actor=shared.staff("packer"), key="again") == answer
    now = shared.world.clock.wall_ms()
    view = seen(shared, buyer, id)
    assert (view.receive_by, view.may_extend, shared.shelf(variant)) == (now + HOME_MS, True, (8, 0))
    assert [(one.parcel, one.sent_as, one.back_by, one.lines[0].quantity) for one in view.parcels] == [(1, 2, 0, 2), (2, 0, 0, 2)]
    ((fact,),) = (told(shared, ParcelSentAgain),)
    assert (fact.parcel, fact.sent_as) == (1, 2)
    assert noticed(shared, buyer.person).count("order_sent_again") == 1
    printed = ShopWaybills(shop_id=shared.shop.id, parcels=id)
    assert [one.tracking for one in shared.world.ask(printed, actor=shared.staff("packer")).items] == [GOOD]
    shared.assert_refused("parcel_not_back", again(shared, id), shared.staff("packer"))
    wait_until(shared, max(due, now + DAY_MS) + 7 * DAY_MS + 3 * 3_600_000)
    assert (shared.state(id), buyer.money()) == ("received", MONEY - 2 * PIECE - SHIPPING)
    assert not told(shared, ParcelGivenBack)
    shared.assert_balanced()


def test_what_comes_back_twice_is_paid_back_by_the_time_of_the_second(market: Market, buyer: Buyer) -> None:
    """Each sending has its own time; the first one's is over."""
    id, _ = sent(market, buyer, (1, BACK))
    market.world.send(again(market, id, tracking="BACK2"), actor=market.staff("packer"))
    market.world.pass_time(5 * DAY_MS)
    first, second = seen(market, buyer, id).parcels
    assert (first.back_by, second.came_back_at > 0) == (0, True)
    wait_until(market, second.back_by - 1)
    assert market.state(id) == "shipped"
    market.world.pass_time(1)
    assert (market.state(id), buyer.money()) == ("refunded", MONEY)
    market.assert_balanced()


def test_of_several_parcels_the_one_that_came_back_is_paid_back(market: Market, buyer: Buyer) -> None:
    """Its pieces and not the shipping; the rest is received by itself, and of those pieces no case can ask again."""
    id, variant = sent(market, buyer, (2, GOOD), (1, BACK))
    wait_until(market, seen(market, buyer, id).parcels[1].back_by)
    now = market.world.clock.wall_ms()
    view = seen(market, buyer, id)
    assert (view.state.value, buyer.money(), view.receive_by) == ("shipped", MONEY - 2 * PIECE - SHIPPING, now + DAY_MS)
    market.assert_refused(
        "pieces_not_bought",
        OpenCase(order_id=id, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=(CaseLine(variant_id=variant, quantity=3),)),
        buyer.actor,
    )
    market.world.pass_time(DAY_MS)
    assert (market.state(id), market.earned() + market.commission()) == ("received", 2 * PIECE + SHIPPING)
    done = market.world.send(taken(market, id, 2), actor=market.staff())
    assert (done.amount, market.shelf(variant)) == (yuan(0), (8, 0))
    market.assert_balanced()


def test_its_shop_takes_the_goods_in_and_the_buyer_has_the_money_at_once(market: Market, buyer: Buyer) -> None:
    """On hand where they came to, or nowhere; once; no alarm finds it."""
    elsewhere = market.world.send(CreateLocation(shop_id=market.shop.id, name="门店", country="CN"), actor=market.staff()).id
    id, _ = sent(market, buyer, (1, BACK), (1, "BACK2"), (1, GOOD))
    answer = market.world.send(taken(market, id, location_id=elsewhere), actor=market.staff("service"), key="in")
    assert (answer.amount, answer.order_state.value, buyer.money()) == (yuan(PIECE), "shipped", MONEY - 2 * PIECE - SHIPPING)
    assert market.world.send(taken(market, id, location_id=elsewhere), actor=market.staff("service"), key="in") == answer
    assert dict(market.world.rows("SELECT location_id, on_hand FROM stock")) == {market.shop.location_id: 7, elsewhere: 1}
    market.assert_refused("parcel_not_back", taken(market, id), market.staff("service"))
    market.assert_refused("parcel_not_back", again(market, id), market.staff("packer"))
    assert seen(market, buyer, id).receive_by == 0
    market.world.send(taken(market, id, 2, restock=False), actor=market.staff("service"))
    assert (buyer.money(), sum(on_hand for (on_hand,) in market.world.rows("SELECT on_hand FROM stock"))) == (MONEY - PIECE - SHIPPING, 8)
    market.world.pass_time(30 * DAY_MS)
    assert (market.state(id), [fact.by for fact in told(market, ParcelGivenBack)]) == ("received", ["shop", "shop"])
    market.assert_balanced()


def test_goods_that_came_back_before_the_rest_has_left_are_on_hand_at_once(market: Market, buyer: Buyer) -> None:
    """While the rest waits; when that is called off as well nothing is left to the buyer, and all of the money is."""
    id, variant = sent(market, buyer, (1, BACK), rest=2)
    market.world.send(taken(market, id), actor=market.staff())
    assert (market.state(id), buyer.money(), market.shelf(variant)) == ("partly_shipped", MONEY - 2 * PIECE - SHIPPING, (10, 2))
    market.assert_balanced()
    market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=id), actor=market.staff())
    assert (market.state(id), buyer.money(), market.shelf(variant)) == ("refunded", MONEY, (10, 0))
    market.assert_balanced()


def test_what_came_back_is_sent_again_before_the_rest_has_left(market: Market, buyer: Buyer) -> None:
    """It counts once as gone: the rest is two pieces still, and the order shipped with them."""
    id, variant = sent(market, buyer, (1, BACK), rest=2)
    market.world.send(again(market, id), actor=market.staff("packer"))
    assert [one.left for one in seen(market, buyer, id).unshipped] == [2]
    market.assert_balanced()
    market.world.send(ShipOrder(shop_id=market.shop.id, order_id=id, carrier="SF Express", tracking="SF1"), actor=market.staff("packer"))
    now = market.world.clock.wall_ms()
    assert (market.state(id), seen(market, buyer, id).receive_by, market.shelf(variant)) == ("shipped", now + HOME_MS, (7, 0))
    market.world.pass_time(HOME_MS)
    assert market.state(id) == "received"
    market.assert_balanced()


@pytest.mark.parametrize("by_hand", [0, 500, PIECE - 1])
def test_a_case_or_a_gift_is_a_part_of_what_is_owed(market: Market, buyer: Buyer, by_hand: int) -> None:
    """Of two pieces that came back a case gives one; what the shop has given by hand since then counts for the other."""
    id, _ = sent(market, buyer, (2, BACK), (1, GOOD))
    case = claimed(market, buyer, id)
    market.world.send(AgreeToCase(shop_id=market.shop.id, case_id=case), actor=market.staff())
    due = seen(market, buyer, id).parcels[0].back_by
    if by_hand:
        market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(by_hand)), actor=market.staff())
    assert buyer.money() == MONEY - 2 * PIECE - SHIPPING + by_hand
    wait_until(market, due)
    assert (market.state(id), buyer.money()) == ("shipped", MONEY - PIECE - SHIPPING)
    assert [fact.amount for fact in told(market, ParcelGivenBack)] == [yuan(PIECE - by_hand)]
    market.assert_balanced()


@pytest.mark.parametrize("by", ["case", "hand"])
def test_what_was_paid_back_before_its_time_is_not_paid_back_again(market: Market, buyer: Buyer, by: str) -> None:
    """By a case about what has not come, or by hand: the order is received by itself again, at the earliest a day later."""
    id, _ = sent(market, buyer, (1, GOOD), (1, BACK))
    if by == "case":
        market.world.send(AgreeToCase(shop_id=market.shop.id, case_id=claimed(market, buyer, id)), actor=market.staff())
    else:
        market.world.send(RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(PIECE)), actor=market.staff())
    view = seen(market, buyer, id)
    assert (view.parcels[1].settled_at > 0, view.receive_by > market.world.clock.wall_ms()) == (True, True)
    market.world.pass_time(40 * DAY_MS)
    assert (market.state(id), buyer.money(), told(market, ParcelGivenBack)) == ("received", MONEY - PIECE - SHIPPING, [])
    market.assert_balanced()


def test_a_case_about_what_was_delivered_takes_nothing_from_what_came_back(market: Market, buyer: Buyer) -> None:
    """One of each: the broken one was paid back in the case, the other by time, and with it all that is left."""
    id, _ = sent(market, buyer, (1, GOOD), (1, BACK))
    case = claimed(market, buyer, id, reason=Reason.DAMAGED)
    market.world.send(AgreeToCase(shop_id=market.shop.id, case_id=case), actor=market.staff())
    wait_until(market, seen(market, buyer, id).parcels[1].back_by)
    assert (market.state(id), buyer.money()) == ("refunded", MONEY)
    market.assert_balanced()


def test_an_open_case_is_waited_for_and_one_that_is_withdrawn_changes_nothing(market: Market, buyer: Buyer) -> None:
    """Meanwhile the shop may not take it in over the case; what is withdrawn does not give the shop the goods and the money."""
    id, _ = sent(market, buyer, (1, BACK))
    due = seen(market, buyer, id).parcels[0].back_by
    wait_until(market, due - DAY_MS)
    case = claimed(market, buyer, id)
    market.assert_refused("order_in_case", taken(market, id), market.staff())
    wait_until(market, due + DAY_MS // 2)
    assert market.state(id) == "shipped"
    market.world.send(WithdrawCase(case_id=case), actor=buyer.actor)
    market.world.pass_time(DAY_MS)
    assert (market.state(id), buyer.money()) == ("refunded", MONEY)
    market.assert_balanced()


def test_what_the_marketplace_paid_for_goes_back_to_it(market: Market, buyer: Buyer) -> None:
    """A price of nothing: the order ends all the same."""
    market.set_aside(10_000)
    line = AgreedLine(variant_id=market.offer(5), quantity=1, price=yuan(PIECE), shipping=yuan(0))
    discount = AgreedDiscount(shop_id=market.shop.id, title="礼", amount=yuan(PIECE), funder=Funder.MARKETPLACE)
    ask = market.agreed(buyer, (line,), discount, tenders=())
    id = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True)).orders[0].id
    pack(market, id, 1, BACK)
    market.world.pass_time(13 * DAY_MS)
    assert (market.state(id), market.promotions()) == ("refunded", 10_000)
    market.assert_balanced()


def test_a_carrier_that_nobody_can_ask_is_believed_to_have_brought_it_back(market: Market, buyer: Buyer) -> None:
    """Because its shop says so, which costs it money or time."""
    id, variant = bought(market, buyer, 2)
    pack(market, id, 1, "SF1", carrier="SF Express")
    pack(market, id, 1, "SF2", carrier="SF Express")
    market.world.send(again(market, id, carrier="SF Express", tracking="SF3"), actor=market.staff("packer"))
    answer = market.world.send(taken(market, id, 2), actor=market.staff())
    assert (answer.amount, buyer.money(), market.shelf(variant)) == (yuan(PIECE), MONEY - PIECE - SHIPPING, (9, 0))
    market.world.pass_time(HOME_MS)
    assert market.state(id) == "received"
    market.assert_balanced()


def test_nobody_sends_or_takes_in_what_has_not_come_back(market: Market, buyer: Buyer) -> None:
    """What is on its way or was delivered, a parcel that is not there, another shop's, an order at its end, and people who may not."""
    id, _ = sent(market, buyer, (1, GOOD), (1, BACK), (1, "LOST1"))
    for parcel in (1, 3, 4):
        market.assert_refused("parcel_not_back", again(market, id, parcel), market.staff("packer"))
    for parcel in (1, 4):
        market.assert_refused("parcel_not_back", taken(market, id, parcel), market.staff())
    for roles in ("finance", "service"):
        market.assert_refused("order_not_found", again(market, id, 2), market.staff(roles))
    for roles in ("finance", "packer"):
        market.assert_refused("order_not_found", taken(market, id, 2), market.staff(roles))
    stranger = Actor(person=market.owner, shop_roles={market.other.id: frozenset({"owner"})})
    for command in (again(market, id, 2), taken(market, id, 2)):
        market.assert_refused("order_not_found", command, stranger)
        market.assert_refused("order_not_found", command, buyer.actor)
    market.assert_refused("location_not_found", taken(market, id, 2, location_id=market.other.location_id), market.staff())
    with pytest.raises(BrokenError):
        market.world.send(GiveParcelBack(order_id=id, parcel=2, due=0), actor=buyer.actor)
    before = market.everything()
    market.world.send(GiveParcelBack(order_id=id, parcel=2, due=1))
    assert market.everything() == before
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    for command in (again(market, id, 2), taken(market, id, 2)):
        market.assert_refused("order_in_other_state", command, market.staff())


def test_another_buyers_number_is_refused_and_sendings_have_an_end(market: Market, buyer: Buyer) -> None:
    """A carrier nobody can ask, sent again and again, up to twice as often as an order may have parcels."""
    sent(market, market.buyer(MONEY), (1, "SB5"))
    id, _ = sent(market, buyer, (1, BACK))
    market.assert_refused("tracking_number_taken", again(market, id, tracking="SB5"), market.staff("packer"))
    for number in range(1, SENDINGS_MAX):
        market.world.send(again(market, id, number, carrier="SF Express", tracking=f"SF{number}"), actor=market.staff("packer"))
    market.assert_refused("parcels_full", again(market, id, SENDINGS_MAX, carrier="SF", tracking="SF0"), market.staff("packer"))
    market.assert_balanced()


def test_goods_that_come_when_all_was_given_back_are_put_on_hand(market: Market, buyer: Buyer) -> None:
    """Sent back in a case that the shop ended by giving everything back; once, and nothing else happens."""
    it = Claim(market, buyer, kind=CaseKind.RETURN)
    it.does(AgreeToCase(**it.shop), market.staff())
    it.does(SendBack(case_id=it.case, carrier="SF Express", tracking="SF9"), buyer.actor)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=it.order, amount=yuan(2 * PIECE + SHIPPING)), actor=market.staff())
    assert (it.state, market.shelf(it.variant)) == ("closed", (3, 0))
    money = buyer.money()
    it.does(ConfirmReturn(**it.shop), market.staff("service"))
    assert (it.state, market.shelf(it.variant), buyer.money()) == ("closed", (5, 0), money)
    market.assert_refused("case_in_other_state", ConfirmReturn(**it.shop), market.staff("service"))
    market.assert_balanced()


def test_goods_that_come_after_silence_has_paid_for_them_are_put_on_hand(market: Market, buyer: Buyer) -> None:
    """The buyer has the money after ten days without a word; the shelf waits for the shop's."""
    it = Claim(market, buyer, kind=CaseKind.RETURN)
    it.does(AgreeToCase(**it.shop), market.staff())
    it.does(SendBack(case_id=it.case, carrier="SF Express", tracking="SF9"), buyer.actor)
    it.wait()
    assert (it.state, market.shelf(it.variant)) == ("refunded", (3, 0))
    it.does(ConfirmReturn(**it.shop), market.staff("service"))
    assert market.shelf(it.variant) == (5, 0)
    market.assert_refused("case_in_other_state", ConfirmReturn(**it.shop), market.staff("service"))
    market.assert_balanced()


@pytest.mark.parametrize("ruled", [0, 500])
def test_what_came_back_is_not_ruled_away(ruled: int, market: Market, buyer: Buyer) -> None:
    """The order is not received by the ruling while the shop has its goods: what they are worth beyond it comes back in its own time."""
    id, _ = sent(market, buyer, (2, BACK))
    case = claimed(market, buyer, id)
    market.world.send(RefuseCase(shop_id=market.shop.id, case_id=case, text="没有问题"), actor=market.staff())
    market.world.send(CallOperator(case_id=case, text="请评理"), actor=buyer.actor)
    market.world.pass_time(3 * DAY_MS)
    market.world.send(RuleCase(case_id=case, to_buyer=yuan(ruled), text="如此"), actor=market.operator("service"))
    assert (market.state(id), buyer.money()) == ("shipped", MONEY - 2 * PIECE - SHIPPING + ruled)
    wait_until(market, seen(market, buyer, id).parcels[0].back_by)
    assert (market.state(id), buyer.money()) == ("refunded", MONEY)
    market.assert_balanced()


def test_a_case_about_more_than_the_buyer_has_is_about_what_came_back_too(market: Market, buyer: Buyer) -> None:
    """One was delivered, two came back, one has not left: of two that are said to be broken one can only be of those that came back."""
    id, _ = sent(market, buyer, (1, GOOD), (2, BACK), rest=1)
    case = claimed(market, buyer, id, 2, Reason.DAMAGED)
    market.world.send(AgreeToCase(shop_id=market.shop.id, case_id=case), actor=market.staff())
    wait_until(market, seen(market, buyer, id).parcels[1].back_by)
    assert (market.state(id), buyer.money()) == ("partly_shipped", MONEY - PIECE - SHIPPING)
    market.assert_balanced()
