"""What has not left is called off for what was paid for it, whatever was given back before, and nothing is given back twice."""

from collections.abc import Iterable

import pytest

from unit.orders.casebook import DAY_MS
from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.orders.cases import CaseKind, CaseLine, CaseState, Reason
from yunduan.domains.orders.claiming import AcceptOffer, AgreeToCase, OfferInCase, OpenCase, RefuseCase
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder
from yunduan.domains.orders.disputes import CallOperator
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.shipping import PieceLine, ShipParcel
from yunduan.domains.orders.taxes import TaxedClass, TaxEntry
from yunduan.domains.orders.taxing import SetTaxes
from yunduan.kernel.ids import CaseId, OrderId, VariantId


class Bought:
    """Some goods, paid and sent for 8.00, of which some leave."""

    def __init__(self, market: Market, *pieces: tuple[VariantId, int], ships: Iterable[tuple[VariantId, int]]) -> None:
        """Buy them, and ship a part."""
        self.market = market
        self.buyer: Buyer = market.buyer(100_000)
        for variant, quantity in pieces:
            self.buyer.want(variant, quantity)
        self.total = self.buyer.total()
        self.id: OrderId = self.buyer.buy().orders[0].id
        for variant, quantity in ships:
            self.ship(variant, quantity)

    @property
    def back(self) -> int:
        """How much has come back."""
        return self.buyer.money() - (100_000 - self.total)

    def ship(self, variant: VariantId, quantity: int) -> None:
        """In a parcel of their own."""
        lines = (PieceLine(variant_id=variant, quantity=quantity),)
        ask = ShipParcel(shop_id=self.market.shop.id, order_id=self.id, carrier="SF Express", tracking="SF1", lines=lines)
        self.market.world.send(ask, actor=self.market.staff("packer"))

    def asking(self, reason: Reason, variant: VariantId, quantity: int = 1) -> OpenCase:
        """The command that asks for money for some pieces."""
        lines = (CaseLine(variant_id=variant, quantity=quantity),)
        return OpenCase(order_id=self.id, kind=CaseKind.REFUND, reason=reason, lines=lines)

    def claim(self, reason: Reason, variant: VariantId, quantity: int = 1) -> None:
        """Ask for money for some pieces, and have it."""
        case: CaseId = self.market.world.send(self.asking(reason, variant, quantity), actor=self.buyer.actor).id
        stands = self.market.world.send(AgreeToCase(shop_id=self.market.shop.id, case_id=case), actor=self.market.staff("manager"))
        assert stands.state is CaseState.REFUNDED

    def decline(self) -> OrderState:
        """Call the rest off."""
        ask = DeclineOrder(shop_id=self.market.shop.id, order_id=self.id)
        return self.market.world.send(ask, actor=self.market.staff("service")).state


def test_what_was_given_for_what_has_left_takes_nothing_from_the_rest(market: Market) -> None:
    """Two at 50.00: one has left and is broken, the other never leaves; both come back whole, the shop keeps what sending has cost."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    order.claim(Reason.DAMAGED, one)
    assert order.decline() is OrderState.SHIPPED
    assert (order.back, market.escrow(order.id)) == (10_000, 800)
    market.assert_refused("pieces_not_bought", order.asking(Reason.DAMAGED, other), order.buyer.actor)
    market.assert_balanced()


def test_what_was_given_for_the_rest_is_not_given_again(market: Market) -> None:
    """Of what has not come the buyer has had the price; when it is called off, nothing more; what has left can be claimed still."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    order.claim(Reason.NOT_ARRIVED, other)
    assert (order.decline(), order.back) == (OrderState.SHIPPED, 5000)
    assert market.shelf(other) == (5, 0)
    order.claim(Reason.DAMAGED, one)
    assert (order.back, market.state(order.id)) == (order.total, "refunded")
    market.assert_balanced()


def test_a_gift_by_hand_takes_nothing_from_the_rest(market: Market) -> None:
    """Nobody knows what it was for. No more comes back than is left."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    for by_hand, back in ((5000, 10_000), (9000, 10_800)):
        order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
        ask = RefundOrder(shop_id=market.shop.id, order_id=order.id, amount=yuan(by_hand))
        market.world.send(ask, actor=market.staff("manager"))
        market.world.send(CancelOrder(order_id=order.id), actor=order.buyer.actor)
        assert order.back == back
    market.assert_balanced()


def test_time_calls_off_for_the_same(market: Market) -> None:
    """By itself, after thirty days."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    order.claim(Reason.DAMAGED, one)
    market.world.pass_time(31 * DAY_MS)
    assert order.back == 10_000


@pytest.mark.parametrize(
    ("reason", "by_rest", "by_next"), [(Reason.DAMAGED, 116, 115), (Reason.NOT_ARRIVED, 0, 231)], ids=["what has left", "what has not"]
)
def test_pieces_of_one_line_are_told_apart(market: Market, reason: Reason, by_rest: int, by_next: int) -> None:
    """Three for 3.47 with their tax, of which two have left: which a case was about is in its reason, and all come to what was paid."""
    entry = TaxEntry(tax_class=TaxedClass.STANDARD, rate_ppm=100_000)
    market.world.send(SetTaxes(country="CN", included=False, taxes=(entry,)), actor=market.operator("finance"))
    tea = market.offer(9, 105)
    order = Bought(market, (tea, 3), ships=[(tea, 2)])
    order.claim(reason, tea)
    assert order.back == 116
    assert (order.decline(), order.back) == (OrderState.SHIPPED, 116 + by_rest)
    others = 1 if by_rest else 2
    market.assert_refused("pieces_not_bought", order.asking(Reason.CHANGED_MIND, tea, others + 1), order.buyer.actor)
    order.claim(Reason.CHANGED_MIND, tea, others)
    assert order.back == 116 + by_rest + by_next == 347
    market.assert_refused("pieces_not_bought", order.asking(Reason.CHANGED_MIND, tea), order.buyer.actor)


def test_a_case_from_before_anything_left_is_about_what_had_not(market: Market) -> None:
    """One of three is given back, two leave after that: the third has been paid for already."""
    tea = market.offer(9, 1000)
    order = Bought(market, (tea, 3), ships=[])
    order.claim(Reason.DAMAGED, tea)
    market.world.clock.advance(1000)
    order.ship(tea, 2)
    assert (order.decline(), order.back) == (OrderState.SHIPPED, 1000)


def test_a_case_that_came_to_less_leaves_the_difference(market: Market) -> None:
    """The shop gave 10.00 for being late with what costs 50.00; when it never leaves, the other 40.00 come back too."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    case = market.world.send(order.asking(Reason.NOT_ARRIVED, other), actor=order.buyer.actor).id
    market.world.send(OfferInCase(shop_id=market.shop.id, case_id=case, amount=yuan(1000)), actor=market.staff("manager"))
    market.world.send(AcceptOffer(case_id=case), actor=order.buyer.actor)
    assert (order.decline(), order.back) == (OrderState.SHIPPED, 5000)


def heard(market: Market, order: Bought, *variants: VariantId, reason: Reason = Reason.DAMAGED) -> CaseId:
    """A case about some pieces that waits for an operator."""
    lines = tuple([CaseLine(variant_id=variant, quantity=1) for variant in variants])
    ask = OpenCase(order_id=order.id, kind=CaseKind.REFUND, reason=reason, lines=lines)
    case = market.world.send(ask, actor=order.buyer.actor).id
    market.world.send(RefuseCase(shop_id=market.shop.id, case_id=case, text="没有问题"), actor=market.staff("service"))
    market.world.send(CallOperator(case_id=case, text="请评理"), actor=order.buyer.actor)
    market.world.pass_time(3 * DAY_MS)
    return case


def state_of(market: Market, case: CaseId) -> str:
    """Where it stands."""
    ((state,),) = market.world.rows("SELECT state FROM order_case WHERE id = ?", case)
    return str(state)


def test_a_case_about_what_has_left_goes_on_when_the_rest_is_called_off(market: Market) -> None:
    """A shop cannot end a dispute so: nothing is received meanwhile, and silence of the operator gives what was asked."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    case = heard(market, order, one)
    assert (order.decline(), order.back, state_of(market, case)) == (OrderState.SHIPPED, 5000, "heard")
    market.world.pass_time(13 * DAY_MS)
    assert (market.state(order.id), market.earned()) == ("shipped", 0)
    market.world.pass_time(2 * DAY_MS)
    assert (state_of(market, case), order.back) == ("refunded", 10_000)
    market.assert_balanced()


def test_a_case_about_the_rest_ends_with_it_and_one_about_both_keeps_what_has_left(market: Market) -> None:
    """What came back by itself is not given by the case again."""
    one, other = market.offer(5, 5000), market.offer(5, 5000)
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    case = heard(market, order, other)
    assert (order.decline(), order.back, state_of(market, case)) == (OrderState.SHIPPED, 5000, "closed")
    order = Bought(market, (one, 1), (other, 1), ships=[(one, 1)])
    case = heard(market, order, one, other)
    assert (order.decline(), order.back, state_of(market, case)) == (OrderState.SHIPPED, 5000, "heard")
    market.world.pass_time(15 * DAY_MS)
    assert (state_of(market, case), order.back) == ("refunded", 10_000)
    market.assert_balanced()


def test_the_tax_of_the_rest_comes_back_with_it(market: Market) -> None:
    """What was added to a line goes with that line, and is nobody else's."""
    entry = TaxEntry(tax_class=TaxedClass.STANDARD, rate_ppm=100_000)
    market.world.send(SetTaxes(country="CN", included=False, taxes=(entry,)), actor=market.operator("finance"))
    taxed, free = market.offer(5, 5000), market.offer(5, 5000, tax_class="exempt")
    for stays, called_off, back in ((taxed, free, 5000), (free, taxed, 5500)):
        order = Bought(market, (taxed, 1), (free, 1), ships=[(stays, 1)])
        assert (order.decline(), order.back) == (OrderState.SHIPPED, back)
        market.assert_refused("pieces_not_bought", order.asking(Reason.DAMAGED, called_off), order.buyer.actor)
