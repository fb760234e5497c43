"""Who pays the way back, as money: the shop for a fault, by a receipt and to a limit, from its own, adding up whatever else goes back."""

import pytest
from msgspec.structs import replace

from unit.orders.casebook import DAY_MS, TOTAL, Claim, picture
from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.orders.caselists import CaseOf
from yunduan.domains.orders.casepictures import ShowPicture, ShowShopPicture
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseState, Reason, RuledGoods
from yunduan.domains.orders.claiming import ConfirmReturn, SendBack
from yunduan.domains.orders.disputes import RuleCase
from yunduan.domains.orders.model import OrderSettings, Who
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.drawing import receivable_account
from yunduan.kernel.money import Money

RICH = 100_000


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(RICH)


def sent(market: Market, made: Claim, fen: int = 1200) -> Claim:
    """The goods are on their way back, which has cost the buyer so much, as a receipt shows."""
    made.take(CaseEvent.AGREE_TO_EXCHANGE if made.is_exchange else CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    receipt = market.world.send(ShowPicture(case_id=made.case, content=picture()), actor=made.buyer.actor).id
    made.does(sending(made, fen, receipt_id=receipt), made.buyer.actor)
    return made


def sending(made: Claim, fen: int, **more: object) -> SendBack:
    """The command that says so."""
    return SendBack(**{"case_id": made.case, "carrier": "SF Express", "tracking": "BACK-1", "postage": yuan(fen)} | more)


def owed(market: Market) -> int:
    """What the shop owes the marketplace."""
    return -market.balance(receivable_account(market.shop.id, "CNY"))


def test_a_fault_costs_the_shop_the_way_back_from_its_own_money(market: Market, buyer: Buyer) -> None:
    """One of two pieces comes back; what the shop has not, it owes, and the rest of this very order pays it off."""
    made = sent(market, Claim(market, buyer, kind=CaseKind.RETURN, quantity=1))
    seen = market.world.ask(CaseOf(case_id=made.case), actor=buyer.actor)
    assert (seen.postage, seen.postage_paid, seen.receipt_id) == (yuan(1200), False, seen.pictures[0].id)
    assert buyer.money() == RICH - TOTAL
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (buyer.money(), owed(market), market.escrow(made.order)) == (RICH - TOTAL + 1999 + 1200, 1200, TOTAL - 1999)
    assert market.world.ask(CaseOf(case_id=made.case), actor=buyer.actor).postage_paid
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    assert owed(market) == 0
    assert buyer.money() + market.earned() + market.commission() == RICH
    market.assert_balanced()


def test_a_change_of_mind_costs_the_buyer(market: Market, buyer: Buyer) -> None:
    """By the market's rule, which may say otherwise."""
    made = Claim(market, buyer, kind=CaseKind.RETURN, reason=Reason.CHANGED_MIND)
    made.take(CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    receipt = market.world.send(ShowPicture(case_id=made.case, content=picture()), actor=buyer.actor).id
    market.assert_refused("postage_not_due", sending(made, 1200, receipt_id=receipt), buyer.actor)
    ports = market.world.cloud._ports
    ports[OrderSettings] = replace(ports[OrderSettings], return_paid_by="shop")
    made = sent(market, Claim(market, buyer, kind=CaseKind.RETURN, reason=Reason.CHANGED_MIND))
    assert made.state == "sent"


def test_it_needs_a_receipt_and_has_a_limit(market: Market, buyer: Buyer) -> None:
    """A picture that the buyer has shown in this case; nothing, too much, and another currency are refused."""
    made = Claim(market, buyer, kind=CaseKind.RETURN)
    made.take(CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    theirs = market.world.send(ShowShopPicture(**made.shop, content=picture(2)), actor=market.staff("service")).id
    mine = market.world.send(ShowPicture(case_id=made.case, content=picture()), actor=buyer.actor).id
    for receipt in (None, theirs, "pic_" + "0" * 32):
        market.assert_refused("picture_not_found", sending(made, 1200, receipt_id=receipt), buyer.actor)
    for postage in (yuan(0), yuan(3001), Money(amount=100, currency="USD")):
        market.assert_refused("postage_exceeds", sending(made, 1, receipt_id=mine, postage=postage), buyer.actor)
    made.does(sending(made, 3000, receipt_id=mine), buyer.actor)


def test_whatever_goes_back_is_no_more_than_was_captured_and_postage_is_not_of_it(market: Market, buyer: Buyer) -> None:
    """Both pieces, all of the order's money; the way back on top, from the shop."""
    made = sent(market, Claim(market, buyer, kind=CaseKind.RETURN))
    made.take(CaseEvent.ARRIVE, Who.CLOUD)
    assert (market.state(made.order), market.escrow(made.order), buyer.money(), owed(market)) == ("refunded", 0, RICH + 1200, 1200)
    market.assert_balanced()


def test_after_the_receipt_it_comes_from_the_balance(market: Market, buyer: Buyer) -> None:
    """With what is given back."""
    made = Claim(market, buyer, kind=CaseKind.RETURN, quantity=1)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    made.case = market.world.send(made.asking(kind=CaseKind.RETURN, quantity=1), actor=buyer.actor).id
    before = market.earned() + market.commission()
    sent(market, made).take(CaseEvent.ARRIVE, Who.SHOP)
    assert (market.earned() + market.commission(), owed(market)) == (before - 1999 - 1200, 0)
    assert buyer.money() + market.earned() + market.commission() == RICH


def test_giving_everything_back_instead_of_taking_the_goods_costs_the_same(market: Market, buyer: Buyer) -> None:
    """A shop that refunds the order while they are on their way owes what the way has cost; nothing more comes later."""
    made = sent(market, Claim(market, buyer, kind=CaseKind.RETURN))
    made.take(CaseEvent.END, Who.CLOUD)
    assert (made.state, buyer.money(), owed(market)) == ("closed", RICH + 1200, 1200)
    assert market.world.ask(CaseOf(case_id=made.case), actor=buyer.actor).postage_paid
    market.world.pass_time(30 * DAY_MS)
    assert (buyer.money(), owed(market)) == (RICH + 1200, 1200)
    market.assert_balanced()


@pytest.mark.parametrize("pays", [True, False])
def test_an_operator_says_who_pays_it(pays: bool, market: Market, buyer: Buyer) -> None:
    """With the ruling; silence of the operator gives what was asked."""
    made = sent(market, Claim(market, buyer, kind=CaseKind.RETURN))
    made.take(CaseEvent.CALL_OPERATOR, Who.SHOP)
    made.take(CaseEvent.CLOSE_EVIDENCE, Who.CLOUD)
    ruling = RuleCase(case_id=made.case, to_buyer=yuan(1500), text="各担一半", postage=pays, goods=RuledGoods.KEPT)
    market.world.send(ruling, actor=market.operator("service"))
    assert buyer.money() == RICH - TOTAL + 1500 + (1200 if pays else 0)
    assert market.world.ask(CaseOf(case_id=made.case), actor=buyer.actor).postage_paid is pays
    assert buyer.money() + market.earned() + market.commission() - owed(market) == RICH


def test_of_an_exchange_it_is_paid_when_the_goods_are_back_and_once(market: Market, buyer: Buyer) -> None:
    """Whatever follows."""
    for end in (CaseEvent.REPLACE, CaseEvent.TAKE_REFUND):
        start = buyer.money()
        made = sent(market, Claim(market, buyer, kind=CaseKind.EXCHANGE))
        market.world.send(ConfirmReturn(**made.shop), actor=market.staff("service"))
        assert (made.state, buyer.money()) == (CaseState.REPLACING, start - TOTAL + 1200)
        if end is CaseEvent.REPLACE:
            made.take(end, Who.SHOP)
            made.take(CaseEvent.RECEIVE, Who.BUYER)
            assert buyer.money() == start - TOTAL + 1200
        else:
            made.take(end, Who.BUYER)
            assert buyer.money() == start + 1200
        market.assert_balanced()
