"""What a case comes to: how much, from what is held, once; what it stops meanwhile; and who sees and may what."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from unit.orders.casebook import DAY_MS, TOTAL, Claim
from unit.orders.market import Buyer, Market, channel, yuan
from yunduan.domains.catalog.commands import CreateCategory
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders import caselists, claiming
from yunduan.domains.orders.caselists import CaseOf, CasesOfOrder, Disputes, ShopCaseOf, ShopCases, ShopCasesByState
from yunduan.domains.orders.cases import CASES_MAX, CaseEvent, CaseKind, CaseLine, CaseState, Payer, Reason
from yunduan.domains.orders.claiming import (
    AcceptOffer,
    AgreeToCase,
    ConfirmReturn,
    OfferInCase,
    PassDeadline,
    RefuseCase,
    SendBack,
    WithdrawCase,
)
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder
from yunduan.domains.orders.disputes import CallOperator, ContestReturn, GiveEvidence, RuleCase
from yunduan.domains.orders.facts import CaseOpened, OrderReceived, OrderRefunded
from yunduan.domains.orders.model import HOME_MS, OrderSettings, Who
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.domains.payments.deposits import PledgeDeposit
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import VariantId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BrokenError, Refused

RICH = 100_000


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(RICH)


def told(market: Market, kind: type) -> list[dict[str, Any]]:
    """The facts of a kind."""
    return [msgspec.json.decode(body) for (body,) in market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)]


def view(market: Market, made: Claim) -> Any:
    """The case as its buyer sees it."""
    return market.world.ask(CaseOf(case_id=made.case), actor=made.buyer.actor)


# What it stops


def test_nothing_is_received_while_a_case_is_open(market: Market, buyer: Buyer) -> None:
    """Neither by its buyer nor by itself, and nobody puts off what stands still; the sentence says so."""
    made = Claim(market, buyer)
    market.assert_refused("order_in_case", ConfirmReceipt(order_id=made.order), buyer.actor)
    market.assert_refused("receipt_not_extendable", ExtendReceipt(order_id=made.order), buyer.actor)
    seen = market.world.ask(OrderOf(order_id=made.order), actor=buyer.actor)
    assert (seen.case_id, seen.receive_by, seen.may_extend) == (made.case, 0, False)
    money = market.world.ask(OrderMoney(order_id=made.order), actor=buyer.actor)
    assert (money.parts[0].amount.amount, money.parts[0].until) == (TOTAL, 0)
    assert money.says_en == "47.98 CNY is held; a case about it is open, and nothing goes to the shop before it is closed."
    assert money.says == "47.98 CNY 由平台担保；售后处理中，处理完毕前不会付给商家。"


def test_the_time_of_the_receipt_stands_still_meanwhile(market: Market, buyer: Buyer) -> None:
    """Refused after two days and withdrawn after two more: it is received four days later than it would have been, once."""
    made = Claim(market, buyer)
    market.world.pass_time(2 * DAY_MS)
    made.take(CaseEvent.REFUSE, Who.SHOP)
    market.world.pass_time(2 * DAY_MS)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    seen = market.world.ask(OrderOf(order_id=made.order), actor=buyer.actor)
    assert (seen.case_id, seen.receive_by) == (None, made.began + HOME_MS + 4 * DAY_MS)
    market.world.pass_time(seen.receive_by - market.world.clock.wall_ms() - 1)
    assert market.state(made.order) == "shipped"
    market.world.pass_time(1)
    assert market.state(made.order) == "received"
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    market.assert_balanced()


def test_a_receipt_whose_alarm_rang_into_a_case_comes_later_all_the_same(market: Market, buyer: Buyer) -> None:
    """Opened a day before the receipt would have come by itself, closed four days after: a day is left."""
    buyer.want(market.offer(5))
    (order,) = buyer.buy().orders
    market.ship(order.id)
    market.world.pass_time(HOME_MS - DAY_MS)
    line = CaseLine(variant_id=market.variants(order.id)[0], quantity=1)
    ask = claiming.OpenCase(order_id=order.id, kind=CaseKind.REFUND, reason=Reason.NOT_ARRIVED, lines=(line,))
    case = market.world.send(ask, actor=buyer.actor).id
    shop = {"shop_id": market.shop.id, "case_id": case}
    market.world.send(RefuseCase(**shop, text="在路上"), actor=market.staff("service"))
    market.world.pass_time(5 * DAY_MS)
    assert (market.state(order.id), market.world.rows("SELECT state FROM order_case")) == ("shipped", [("closed",)])
    market.world.pass_time(DAY_MS - 1)
    assert market.state(order.id) == "shipped"
    market.world.pass_time(1)
    assert market.state(order.id) == "received"
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]


def test_an_order_that_is_shipped_during_a_case_has_its_whole_time(market: Market, buyer: Buyer) -> None:
    """The case does not stop the goods; their ten days begin when they leave, and stand still from then on."""
    made = Claim(market, buyer, shipped=False)
    market.world.pass_time(DAY_MS)
    market.ship(made.order)
    shipped_at = market.world.clock.wall_ms()
    market.world.pass_time(DAY_MS)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    assert market.world.ask(OrderOf(order_id=made.order), actor=buyer.actor).receive_by == shipped_at + HOME_MS + DAY_MS


# What it comes to


def test_the_shop_agrees_and_the_money_goes_back_once(market: Market, buyer: Buyer) -> None:
    """All of it, for a fault: shipping too; the order ends, its refund has the case's own id, and the goods are not sold."""
    made = Claim(market, buyer, text="")
    assert view(market, made).asked == yuan(TOTAL)
    (opened,) = told(market, CaseOpened)
    assert (opened["case_kind"], opened["reason"], opened["asked"]["amount"], opened["due"]) == ("refund", "damaged", TOTAL, made.due)
    made.take(CaseEvent.AGREE, Who.SHOP)
    assert (market.state(made.order), market.escrow(made.order), buyer.money()) == ("refunded", 0, RICH)
    (refund,) = told(market, OrderRefunded)
    assert (refund["refund_id"], refund["whole"], refund["by"]) == (made.case.replace("cas_", "rfd_"), True, "cloud")
    seen = view(market, made)
    assert (seen.state, seen.agreed, seen.due, seen.statements, seen.steps) == (CaseState.REFUNDED, yuan(TOTAL), 0, (), ())
    market.world.settle()
    assert market.world.rows("SELECT CAST(sum(sold) AS INTEGER) FROM goods_standing") == [(0,)]
    market.assert_balanced()


def test_a_part_goes_back_and_the_rest_goes_on(market: Market, buyer: Buyer) -> None:
    """One of two pieces: its price, without shipping; the other is received and paid for."""
    made = Claim(market, buyer, quantity=1)
    assert view(market, made).asked == yuan(1999)
    made.take(CaseEvent.AGREE, Who.SHOP)
    assert (market.state(made.order), market.escrow(made.order)) == ("shipped", TOTAL - 1999)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    assert market.earned() + market.commission() == TOTAL - 1999
    market.assert_balanced()


def test_an_offer_that_is_accepted_is_paid(market: Market, buyer: Buyer) -> None:
    """The buyer gets what was offered, and nothing else."""
    made = Claim(market, buyer)
    made.take(CaseEvent.OFFER, Who.SHOP)
    seen = view(market, made)
    assert (seen.offered, seen.offer_returns, seen.agreed) == (yuan(1000), False, None)
    assert [(one.who, one.event, one.text) for one in seen.statements] == [
        (Who.BUYER, None, "碎了"),
        (Who.SHOP, CaseEvent.OFFER, "一半"),
    ]
    made.take(CaseEvent.ACCEPT, Who.BUYER)
    assert (buyer.money(), market.escrow(made.order)) == (RICH - TOTAL + 1000, TOTAL - 1000)


def test_goods_come_back_before_the_money_does(market: Market, buyer: Buyer) -> None:
    """By a parcel whose number only the two may read; what has come back is sold again if the shop says so."""
    made = Claim(market, buyer, kind=CaseKind.RETURN)
    made.take(CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    assert (market.escrow(made.order), view(market, made).agreed) == (TOTAL, yuan(TOTAL))
    made.take(CaseEvent.SEND_BACK, Who.BUYER)
    assert not market.holds("BACK-1")
    sent_at = market.world.clock.wall_ms()
    theirs = market.world.ask(ShopCaseOf(**made.shop), actor=market.staff("packer"))
    assert (theirs.shipment.carrier, theirs.shipment.tracking, theirs.shipment.shipped_at) == ("SF Express", "BACK-1", sent_at)
    assert theirs.steps == (CaseEvent.ARRIVE, CaseEvent.CALL_OPERATOR, CaseEvent.SHOW_PICTURE)
    assert market.shelf(made.variant) == (3, 0)
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (market.shelf(made.variant), buyer.money(), market.state(made.order)) == ((5, 0), RICH, "refunded")
    market.assert_balanced()


@pytest.mark.parametrize("says_so", [True, False])
def test_what_is_not_sold_again_stays_off_the_shelf(says_so: bool, market: Market, buyer: Buyer) -> None:
    """By the shop's choice, or because it has said nothing."""
    made = Claim(market, buyer, kind=CaseKind.RETURN).lead_to(CaseState.SENT)
    if says_so:
        made.does(ConfirmReturn(**made.shop, restock=False), market.staff("manager"))
    else:
        made.wait()
    assert (made.state, market.shelf(made.variant), buyer.money()) == ("refunded", (3, 0), RICH)


def test_goods_for_an_offer(market: Market, buyer: Buyer) -> None:
    """The shop wants them back for what it offers; the buyer gets that, when they have come."""
    made = Claim(market, buyer)
    made.does(OfferInCase(**made.shop, amount=yuan(3000), returns=True), market.staff("finance"))
    assert view(market, made).offer_returns
    made.take(CaseEvent.ACCEPT_TO_RETURN, Who.BUYER)
    made.take(CaseEvent.SEND_BACK, Who.BUYER)
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (buyer.money(), view(market, made).agreed) == (RICH - TOTAL + 3000, yuan(3000))


def test_a_case_never_comes_to_more_than_is_left(market: Market, buyer: Buyer) -> None:
    """The shop has given a part back by itself meanwhile."""
    made = Claim(market, buyer)
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(4000)), actor=market.staff("finance"))
    made.take(CaseEvent.AGREE, Who.SHOP)
    assert (buyer.money(), view(market, made).agreed, market.state(made.order)) == (RICH, yuan(TOTAL - 4000), "refunded")
    market.assert_balanced()


def test_pieces_are_given_back_once_and_to_the_last_unit(market: Market, buyer: Buyer) -> None:
    """Three pieces for 10.00 together, one by one: 3.33, 3.34 and 3.33 with what was paid for sending; a fourth was not bought."""
    variant = market.offer(5, 333)
    buyer.want(variant, 3)
    (order,) = buyer.buy().orders
    market.ship(order.id)
    line = (CaseLine(variant_id=variant, quantity=1),)
    asked = []
    for _ in range(3):
        ask = claiming.OpenCase(order_id=order.id, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=line)
        case = market.world.send(ask, actor=buyer.actor).id
        asked.append(market.world.ask(CaseOf(case_id=case), actor=buyer.actor).asked.amount)
        if len(asked) == 2:
            too_many = msgspec.structs.replace(ask, lines=line * 2)
            market.world.send(WithdrawCase(case_id=case), actor=buyer.actor)
            market.assert_refused("pieces_not_bought", msgspec.structs.replace(too_many, lines=line * 3), buyer.actor)
            case = market.world.send(ask, actor=buyer.actor).id
        market.world.send(AgreeToCase(shop_id=market.shop.id, case_id=case), actor=market.staff("owner"))
    assert asked == [333, 333, 333 + 800]
    assert (market.state(order.id), buyer.money()) == ("refunded", RICH)


def test_a_change_of_mind_does_not_bring_the_shipping_back(market: Market, buyer: Buyer) -> None:
    """Once the goods have left; the way back is the buyer's, and the shop's for a fault."""
    made = Claim(market, buyer, kind=CaseKind.RETURN, reason=Reason.CHANGED_MIND)
    assert (view(market, made).asked, view(market, made).way_back) == (yuan(TOTAL - 800), Payer.BUYER)
    assert view(market, Claim(market, buyer)).way_back is Payer.SHOP
    assert view(market, Claim(market, buyer, reason=Reason.CHANGED_MIND, shipped=False)).asked == yuan(TOTAL)


# What may be asked


def test_what_may_not_be_asked_is_refused(market: Market, buyer: Buyer) -> None:
    """Each with its code, and nothing changed."""
    made = Claim(market, buyer)
    market.assert_refused("order_in_case", made.asking(), buyer.actor)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    lines = (CaseLine(variant_id=VariantId("var_0"), quantity=1),)
    for code, changes in (
        ("order_line_not_found", {"lines": lines}),
        ("pieces_not_bought", {"quantity": 3}),
        ("amount_exceeds_case", {"amount": yuan(TOTAL + 1)}),
        ("amount_exceeds_case", {"amount": yuan(2000), "quantity": 1}),
        ("amount_exceeds_case", {"amount": Money(amount=1, currency="USD")}),
        ("refund_of_nothing", {"amount": yuan(0)}),
        ("reason_does_not_fit", {"kind": CaseKind.RETURN, "reason": Reason.NOT_ARRIVED}),
        ("reason_does_not_fit", {"kind": CaseKind.RETURN, "reason": Reason.PIECES_MISSING}),
    ):
        market.assert_refused(code, made.asking(**changes), buyer.actor)
    for actor in (market.buyer().actor, market.staff("owner"), market.operator(), ANONYMOUS):
        market.assert_refused("order_not_found", made.asking(), actor)
    with pytest.raises(Refused) as refused:
        market.world.send(made.asking(amount=yuan(TOTAL + 1)), actor=buyer.actor)
    assert refused.value.figures == {"left": {"amount": TOTAL, "currency": "CNY"}}


def test_what_has_not_left_is_not_sent_back(market: Market, buyer: Buyer) -> None:
    """Neither asked for by the buyer, nor offered by the shop."""
    made = Claim(market, buyer, shipped=False)
    offer = OfferInCase(**made.shop, amount=yuan(1), returns=True)
    market.assert_refused("reason_does_not_fit", offer, market.staff("owner"))
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.assert_refused("order_in_other_state", made.asking(kind=CaseKind.RETURN), buyer.actor)


def test_an_order_has_so_many_cases_at_most(market: Market, buyer: Buyer) -> None:
    """One after the other."""
    made = Claim(market, buyer)
    for _ in range(CASES_MAX - 1):
        made.take(CaseEvent.WITHDRAW, Who.BUYER)
        made.case = market.world.send(made.asking(), actor=buyer.actor).id
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.assert_refused("cases_full", made.asking(), buyer.actor)
    page = market.world.ask(CasesOfOrder(order_id=made.order), actor=buyer.actor)
    assert [one.id[-1] for one in page.items] == list("fedcba9876543210")
    assert {(one.order_number, one.title) for one in page.items} == {
        (market.world.ask(OrderOf(order_id=made.order), actor=buyer.actor).number, "龙井")
    }


def test_some_goods_are_taken_back_only_for_a_fault(market: Market, buyer: Buyer) -> None:
    """Of a category that the market has left out, or of one below it."""
    fresh = market.world.send(CreateCategory(name="鲜茶", parent_id=market.tea)).id
    ports = market.world.cloud._ports
    ports[OrderSettings] = OrderSettings(return_excluded=frozenset({market.tea}), return_paid_by="shop")
    market.tea = fresh
    made = Claim(market, buyer)
    assert view(market, made).way_back is Payer.SHOP
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.assert_refused("goods_not_returnable", made.asking(reason=Reason.CHANGED_MIND), buyer.actor)
    ports[OrderSettings] = OrderSettings(return_excluded=frozenset({"cat_0"}), return_paid_by="shop")
    made.case = market.world.send(made.asking(reason=Reason.CHANGED_MIND), actor=buyer.actor).id
    assert view(market, made).way_back is Payer.SHOP


# Disputes


def test_a_ruling_divides_what_is_held(market: Market, buyer: Buyer) -> None:
    """So much to the buyer, and the rest to the shop at once, less its commission; the order has ended."""
    made = Claim(market, buyer).lead_to(CaseState.HEARD)
    made.take(CaseEvent.RULE, Who.OPERATOR)
    assert (made.state, market.state(made.order), market.escrow(made.order)) == ("refunded", "received", 0)
    assert buyer.money() == RICH - TOTAL + 1500
    assert market.earned() + market.commission() == TOTAL - 1500
    (received,) = told(market, OrderReceived)
    assert (received["by"], received["total"]["amount"]) == ("operator", TOTAL - 1500)
    ruled = view(market, made).statements[-1]
    assert (ruled.who, ruled.event, ruled.text) == (Who.OPERATOR, CaseEvent.RULE, "各担一半")
    market.assert_balanced()


@pytest.mark.parametrize(("to_buyer", "state"), [(0, "received"), (TOTAL, "refunded")])
def test_a_ruling_for_one_side(to_buyer: int, state: str, market: Market, buyer: Buyer) -> None:
    """Everything to one of them."""
    made = Claim(market, buyer).lead_to(CaseState.HEARD)
    made.does(RuleCase(case_id=made.case, to_buyer=yuan(to_buyer), text="如此"), market.operator("finance"))
    assert (market.state(made.order), buyer.money()) == (state, RICH - TOTAL + to_buyer)
    assert market.escrow(made.order) == 0
    market.assert_balanced()


def test_what_has_not_left_goes_on_after_a_ruling(market: Market, buyer: Buyer) -> None:
    """The rest stays where it is: nothing is paid for what was not sent."""
    made = Claim(market, buyer, shipped=False).lead_to(CaseState.HEARD)
    made.take(CaseEvent.RULE, Who.OPERATOR)
    assert (market.state(made.order), market.escrow(made.order)) == ("paid", TOTAL - 1500)
    market.ship(made.order)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    market.assert_balanced()


def test_a_ruling_is_for_operators_and_within_what_is_held(market: Market, buyer: Buyer) -> None:
    """Nobody else rules; not more, not in another currency, and not before both were heard."""
    made = Claim(market, buyer).lead_to(CaseState.DISPUTED)
    rule = RuleCase(case_id=made.case, to_buyer=yuan(1), text="如此")
    market.assert_refused("case_in_other_state", rule, market.operator("service"))
    made.take(CaseEvent.CLOSE_EVIDENCE, Who.CLOUD)
    for actor in (buyer.actor, market.staff("owner"), market.operator("analyst"), ANONYMOUS):
        market.assert_refused("case_not_found", rule, actor)
    for amount in (yuan(TOTAL + 1), Money(amount=1, currency="USD")):
        market.assert_refused("amount_exceeds_case", msgspec.structs.replace(rule, to_buyer=amount), market.operator("service"))
    page = market.world.ask(Disputes(), actor=market.operator("service"))
    assert ([one.id for one in page.items], page.after) == ([made.case], None)


def test_each_side_speaks_ten_times(market: Market, buyer: Buyer) -> None:
    """The opening and the call are two of them; the other side is not the poorer for it. Words lie sealed."""
    made = Claim(market, buyer).lead_to(CaseState.DISPUTED)
    due = made.due
    for _ in range(8):
        made.take(CaseEvent.GIVE_EVIDENCE, Who.BUYER)
    market.assert_refused("statements_full", GiveEvidence(case_id=made.case, text="还有"), buyer.actor)
    made.take(CaseEvent.GIVE_EVIDENCE, Who.SHOP)
    assert (made.due, len(view(market, made).statements)) == (due, 12)
    assert not market.holds("收到时已碎")


# After the receipt


def received(market: Market, buyer: Buyer, **more: Any) -> Claim:
    """A case about what has been received and paid for; the clock stands at the receipt."""
    made = Claim(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    made.case = market.world.send(made.asking(**more), actor=buyer.actor).id
    return made


def test_what_comes_back_after_the_receipt_is_the_shops(market: Market, buyer: Buyer) -> None:
    """The money from its balance and the commission on it, once; the order ends, and is told where its money is."""
    made = received(market, buyer, kind=CaseKind.RETURN)
    assert (market.earned() + market.commission(), market.escrow(made.order)) == (TOTAL, 0)
    says = market.world.ask(OrderMoney(order_id=made.order), actor=buyer.actor)
    assert says.says_en == "47.98 CNY has gone to the shop; a case about it is open."
    made.take(CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    made.take(CaseEvent.SEND_BACK, Who.BUYER)
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (market.earned(), market.commission(), buyer.money(), market.state(made.order)) == (0, 0, RICH, "refunded")
    says = market.world.ask(OrderMoney(order_id=made.order), actor=buyer.actor)
    assert [(part.where.value, part.amount.amount) for part in says.parts] == [("in_wallet", TOTAL)]
    assert market.shelf(made.variant) == (5, 0)
    market.world.settle()
    assert market.world.rows("SELECT CAST(sum(sold) AS INTEGER) FROM goods_standing") == [(0,)]
    market.assert_balanced()


def test_a_ruling_after_the_receipt_leaves_the_rest_where_it_is(market: Market, buyer: Buyer) -> None:
    """The shop keeps what it has; a second case finds what is left."""
    made = received(market, buyer).lead_to(CaseState.HEARD)
    made.take(CaseEvent.RULE, Who.OPERATOR)
    assert (market.state(made.order), buyer.money()) == ("received", RICH - TOTAL + 1500)
    assert market.earned() + market.commission() == TOTAL - 1500
    left = RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(TOTAL - 1500))
    market.assert_refused("refund_exceeds_paid", msgspec.structs.replace(left, amount=yuan(TOTAL - 1499)), market.staff("owner"))
    market.world.send(left, actor=market.staff("owner"))
    assert (market.state(made.order), buyer.money(), market.earned(), market.commission()) == ("refunded", RICH, 0, 0)
    market.assert_balanced()


def test_a_shop_without_a_balance_pays_from_its_deposit(market: Market, buyer: Buyer) -> None:
    """The buyer does not wait for what it has."""
    made = received(market, buyer)
    market.world.send(PledgeDeposit(shop_id=market.shop.id, amount=yuan(market.earned())), actor=market.staff("owner"))
    made.take(CaseEvent.AGREE, Who.SHOP)
    assert (market.earned(), buyer.money(), made.state) == (0, RICH, "refunded")
    market.assert_balanced()


def test_the_right_of_return_ends_after_seven_days(market: Market, buyer: Buyer) -> None:
    """Not a moment before; what was asked in time is answered in its own."""
    made = received(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.pass_time(7 * DAY_MS)
    made.case = market.world.send(made.asking(), actor=buyer.actor).id
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.pass_time(1)
    market.assert_refused("right_of_return_ended", made.asking(), buyer.actor)


def test_nobody_is_given_anything_who_was_erased(market: Market) -> None:
    """A case binds its buyer after the receipt too; without one they may go, and nothing goes to a wallet of nobody."""
    buyer = market.buyer(TOTAL)
    made = received(market, buyer)
    market.assert_refused("orders_open", ErasePerson(person_id=buyer.person), Actor(is_system=True))
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    refund = RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(100))
    market.assert_refused("buyer_gone", refund, market.staff("owner"))
    seen = market.world.ask(ShopCaseOf(**made.shop), actor=market.staff("owner"))
    assert [one.text for one in seen.statements] == [None]


# Who races whom


def test_whatever_comes_together_is_decided_once(market: Market, buyer: Buyer) -> None:
    """Two that would each give the money back, at the same moment and in either order: it goes back once."""
    for first, second in permutations(("agree", "withdraw", "refund", "agree again", "silence"), 2):
        market.top_up(buyer, 10_000)
        made = Claim(market, buyer)
        before = buyer.money()
        commands = {
            "agree": (AgreeToCase(**made.shop), market.staff("owner")),
            "agree again": (AgreeToCase(**made.shop), market.staff("manager")),
            "withdraw": (WithdrawCase(case_id=made.case), buyer.actor),
            "refund": (RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(TOTAL)), market.staff("owner")),
            "silence": (PassDeadline(case_id=made.case, due=made.due), Actor(is_system=True)),
        }
        _, answer = market.world.send_all([commands[first], commands[second]])
        harmless = second == "silence" or (first, second) == ("withdraw", "refund")
        assert isinstance(answer, Refused) is not harmless, (first, second)
        gone = 0 if first == "withdraw" and second != "refund" else TOTAL
        assert buyer.money() == before + gone, (first, second)
        market.assert_balanced()


@pytest.mark.parametrize("order_of_things", tuple(permutations(("rule", "agree", "withdraw"), 2)), ids="-".join)
def test_a_ruling_races_the_parties(order_of_things: tuple[str, str], market: Market, buyer: Buyer) -> None:
    """Whoever comes first decides; the other is told where the case stands."""
    made = Claim(market, buyer).lead_to(CaseState.HEARD)
    steps = {"rule": (CaseEvent.RULE, Who.OPERATOR), "agree": (CaseEvent.AGREE, Who.SHOP), "withdraw": (CaseEvent.WITHDRAW, Who.BUYER)}
    commands = [made.command(*steps[name]) for name in order_of_things]
    first, second = market.world.send_all(commands)
    assert not isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert second.code.value == "case_in_other_state"
    assert buyer.money() == RICH - TOTAL + {"rule": 1500, "agree": TOTAL, "withdraw": 0}[order_of_things[0]]
    market.assert_balanced()


@pytest.mark.parametrize("ends", ["cancel", "decline", "refund", "ship"])
def test_a_case_about_what_has_not_left(ends: str, market: Market, buyer: Buyer) -> None:
    """Calling the order off or giving all of it back closes the case with it; shipping it does not."""
    made = Claim(market, buyer, shipped=False)
    shop = {"shop_id": market.shop.id, "order_id": made.order}
    command, actor = {
        "cancel": (CancelOrder(order_id=made.order), buyer.actor),
        "decline": (DeclineOrder(**shop), market.staff("owner")),
        "refund": (RefundOrder(**shop, amount=yuan(TOTAL)), market.staff("owner")),
        "ship": (ShipOrder(**shop, carrier="SF", tracking="1"), market.staff("packer")),
    }[ends]
    made.does(command, actor)
    if ends == "ship":
        assert (made.state, market.state(made.order)) == ("asked", "shipped")
        market.assert_refused("order_in_case", ConfirmReceipt(order_id=made.order), buyer.actor)
    else:
        assert (made.state, buyer.money(), market.shelf(made.variant)) == ("closed", RICH, (5, 0))
        assert view(market, made).agreed is None
    market.world.pass_time(60 * DAY_MS)
    assert buyer.money() == RICH
    assert market.world.cloud.writer.alarms_refused == 0
    market.assert_balanced()


def test_over_a_channel_it_goes_back_the_way_it_came(market: Market, buyer: Buyer) -> None:
    """In parts, by the shop and by cases, in any order: never more than was captured."""
    variant = market.offer(5)
    buyer.want(variant, 2)
    placed = buyer.buy(channel(TOTAL))
    market.decide(placed.payment.redirects[0].url)
    order = placed.orders[0].id
    market.ship(order)
    line = (CaseLine(variant_id=variant, quantity=1),)
    ask = claiming.OpenCase(order_id=order, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=line)
    first = market.world.send(ask, actor=buyer.actor).id
    shop = {"shop_id": market.shop.id}
    market.world.send(RefundOrder(**shop, order_id=order, amount=yuan(2500)), actor=market.staff("owner"))
    market.world.send(AgreeToCase(**shop, case_id=first), actor=market.staff("owner"))
    second = market.world.send(ask, actor=buyer.actor).id
    assert market.world.ask(CaseOf(case_id=second), actor=buyer.actor).asked == yuan(TOTAL - 2500 - 1999)
    market.assert_refused("refund_exceeds_paid", RefundOrder(**shop, order_id=order, amount=yuan(TOTAL)), market.staff("owner"))
    market.world.send(AgreeToCase(**shop, case_id=second), actor=market.staff("owner"))
    market.world.pass_time(60 * 60_000)
    returned = sum(line.amount.amount for line in market.sandbox.statement("CNY") if line.request)
    assert (returned, market.state(order), buyer.money()) == (TOTAL, "refunded", RICH)


# Who sees and may what


def test_a_case_is_there_for_its_own_people_alone(market: Market, buyer: Buyer) -> None:
    """Every step and every look of somebody else finds nothing."""
    made = Claim(market, buyer).lead_to(CaseState.OFFERED)
    other, theirs = market.buyer(), market.staff("owner", shop=market.other.id)
    for event in (CaseEvent.ACCEPT, CaseEvent.WITHDRAW, CaseEvent.CALL_OPERATOR, CaseEvent.SEND_BACK, CaseEvent.GIVE_EVIDENCE):
        command, _ = made.command(event, Who.BUYER)
        for actor in (other.actor, market.staff("owner"), market.operator("service"), ANONYMOUS):
            market.assert_refused("case_not_found", command, actor)
    for event in (CaseEvent.AGREE, CaseEvent.OFFER, CaseEvent.REFUSE, CaseEvent.ARRIVE, CaseEvent.CALL_OPERATOR, CaseEvent.GIVE_EVIDENCE):
        command, _ = made.command(event, Who.SHOP)
        for actor in (buyer.actor, theirs, market.staff("packer"), market.operator("service")):
            market.assert_refused("case_not_found", command, actor)
        elsewhere = msgspec.structs.replace(command, shop_id=market.other.id)
        market.assert_refused("case_not_found", elsewhere, theirs)
    for query, actor in (
        (CaseOf(case_id=made.case), other.actor),
        (CaseOf(case_id=made.case), market.operator("analyst")),
        (CaseOf(case_id=made.case), market.staff("owner")),
        (ShopCaseOf(shop_id=market.other.id, case_id=made.case), theirs),
        (ShopCaseOf(**made.shop), buyer.actor),
    ):
        with pytest.raises(Refused, match="case_not_found"):
            market.world.ask(query, actor=actor)
    with pytest.raises(Refused, match="order_not_found"):
        market.world.ask(CasesOfOrder(order_id=made.order), actor=other.actor)
    for role in ("admin", "service", "risk", "finance"):
        assert market.world.ask(CaseOf(case_id=made.case), actor=market.operator(role)).id == made.case


def test_a_shop_sees_what_waits_for_it(market: Market, buyer: Buyer) -> None:
    """Those that are open, or in a state, page by page; another shop has its own."""
    made = [Claim(market, buyer) for _ in range(3)]
    made[0].take(CaseEvent.WITHDRAW, Who.BUYER)
    made[1].take(CaseEvent.REFUSE, Who.SHOP)
    staff = market.staff("packer")
    page = market.world.ask(ShopCases(shop_id=market.shop.id, limit=1), actor=staff)
    assert ([one.id for one in page.items], page.after) == ([made[2].case], made[2].case)
    page = market.world.ask(ShopCases(shop_id=market.shop.id, limit=1, after=page.after), actor=staff)
    assert ([(one.id, one.state) for one in page.items], page.after) == ([(made[1].case, CaseState.REFUSED)], None)
    page = market.world.ask(ShopCases(shop_id=market.shop.id, state=CaseState.CLOSED), actor=staff)
    assert [one.id for one in page.items] == [made[0].case]
    assert market.world.ask(ShopCases(shop_id=market.other.id), actor=staff).items == ()


def test_nobody_is_erased_in_the_middle_of_a_case(market: Market, buyer: Buyer) -> None:
    """And nobody but the cloud lets time pass."""
    made = Claim(market, buyer)
    market.assert_refused("orders_open", ErasePerson(person_id=buyer.person), Actor(is_system=True))
    with pytest.raises(BrokenError):
        market.world.send(PassDeadline(case_id=made.case, due=made.due), actor=buyer.actor)
    market.world.send(AcceptOffer(case_id=made.lead_to(CaseState.OFFERED).case), actor=buyer.actor)


@pytest.mark.parametrize("heard", [False, True])
def test_nobody_withdraws_when_the_goods_have_gone_back(market: Market, buyer: Buyer, heard: bool) -> None:
    """The shop says that the box was empty: whoever has sent it back waits for its word or a ruling, and is told what there is to do."""
    it = Claim(market, buyer, kind=CaseKind.RETURN)
    it.does(AgreeToCase(**it.shop), market.staff())
    it.does(SendBack(case_id=it.case, carrier="SF Express", tracking="SF9"), buyer.actor)
    it.does(ContestReturn(**it.shop, text="盒子是空的"), market.staff())
    if heard:
        it.wait()
    withdraw = WithdrawCase(case_id=it.case)
    market.assert_refused("case_in_other_state", withdraw, buyer.actor)
    with pytest.raises(Refused) as no:
        market.world.send(withdraw, actor=buyer.actor)
    assert "withdraw" not in no.value.figures["steps"]  # type: ignore[index] # it has them
    assert "withdraw" not in market.world.ask(CaseOf(case_id=it.case), actor=buyer.actor).steps
    it.does(AgreeToCase(**it.shop), market.staff())
    assert (it.state, market.state(it.order)) == ("refunded", "refunded")
    market.assert_balanced()


def test_a_dispute_about_what_came_instead_may_be_withdrawn(market: Market, buyer: Buyer) -> None:
    """Each has what is theirs."""
    it = Claim(market, buyer, kind=CaseKind.EXCHANGE).lead_to(CaseState.REPLACED)
    it.does(CallOperator(case_id=it.case, text="又坏了"), buyer.actor)
    it.does(WithdrawCase(case_id=it.case), buyer.actor)
    assert it.state == "closed"
    market.assert_balanced()


def test_a_shops_cases_are_counted_by_state(market: Market, buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every state is named; no more are counted than that, and another shop has none."""
    market.top_up(buyer, 20_000)
    for _ in range(2):
        Claim(market, buyer)
    it = Claim(market, buyer)
    it.does(WithdrawCase(case_id=it.case), buyer.actor)
    found = market.world.ask(ShopCasesByState(shop_id=market.shop.id), actor=market.staff()).items
    assert [one.state for one in found] == list(CaseState)
    assert {one.state.value: one.cases for one in found if one.cases} == {"asked": 2, "closed": 1}
    monkeypatch.setattr(caselists, "COUNTED_MAX", 1)
    found = market.world.ask(ShopCasesByState(shop_id=market.shop.id), actor=market.staff()).items
    assert {one.state.value: (one.cases, one.is_more) for one in found if one.cases} == {"asked": (1, True), "closed": (1, False)}
    assert not any(one.cases for one in market.world.ask(ShopCasesByState(shop_id=market.other.id)).items)
