"""Other goods for those that are sent back: what is fair, what is held from when on, and what silence comes to."""

import pytest

from unit.orders.casebook import DAY_MS, PATHS, TOTAL, Claim
from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.catalog.commands import WithdrawGoods
from yunduan.domains.catalog.queries import StockAudit
from yunduan.domains.orders.caselists import CaseOf, CaseView
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseLine, CaseState, Reason
from yunduan.domains.orders.claiming import AcceptOffer, AgreeToCase, ConfirmReturn, SendBack, WithdrawCase
from yunduan.domains.orders.commands import RefundOrder
from yunduan.domains.orders.exchanging import ReceiveReplacement, SendReplacement, TakeRefundInstead
from yunduan.domains.orders.model import HOME_MS, Who
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.kernel.refusals import Refused

RICH = 100_000


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(RICH)


def exchange(market: Market, buyer: Buyer, state: CaseState = CaseState.ASKED, **more: object) -> Claim:
    """Two pieces of one size are to become two of the other."""
    return Claim(market, buyer, kind=CaseKind.EXCHANGE, **more).lead_to(state)


def view(market: Market, made: Claim) -> CaseView:
    """The case as its buyer sees it."""
    return market.world.ask(CaseOf(case_id=made.case), actor=made.buyer.actor)


def shelves(market: Market, made: Claim) -> tuple[tuple[int, int], tuple[int, int]]:
    """(on hand, held) of what was bought, and of what is wanted instead."""
    return market.shelf(made.variant), market.shelf(made.other)


def test_goods_are_exchanged_and_the_order_goes_on(market: Market, buyer: Buyer) -> None:
    """Held from the agreement on, gone when they leave, back on the shelf what came back; no money moves before the receipt."""
    made = exchange(market, buyer)
    assert shelves(market, made) == ((3, 0), (5, 0))
    made.take(CaseEvent.AGREE_TO_EXCHANGE, Who.SHOP)
    assert (shelves(market, made), view(market, made).is_held) == (((3, 0), (5, 2)), True)
    made.take(CaseEvent.SEND_BACK, Who.BUYER)
    money = market.world.ask(OrderMoney(order_id=made.order), actor=buyer.actor)
    assert money.says_en == "47.98 CNY is held; nothing goes to the shop before what is given in exchange has come."
    assert money.says == "47.98 CNY 由平台担保；换货完成前不会付给商家。"
    made.take(CaseEvent.ARRIVE_TO_EXCHANGE, Who.SHOP)
    assert (made.state, shelves(market, made)) == ("replacing", ((5, 0), (5, 2)))
    market.assert_refused("order_in_case", ConfirmReceipt(order_id=made.order), buyer.actor)
    made.take(CaseEvent.REPLACE, Who.SHOP)
    assert shelves(market, made) == ((5, 0), (3, 0))
    seen = view(market, made)
    assert seen.replacement is not None
    assert (seen.replacement.tracking, seen.is_held, seen.instead_id, seen.due) == (
        "OUT-1", False, made.other, market.world.clock.wall_ms() + HOME_MS
    )  # fmt: skip
    made.take(CaseEvent.RECEIVE, Who.BUYER)
    assert (made.state, market.state(made.order), market.escrow(made.order)) == ("exchanged", "shipped", TOTAL)
    assert view(market, made).agreed is None
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    assert (market.escrow(made.order), market.earned() + market.commission()) == (0, TOTAL)
    market.assert_balanced()
    assert market.world.run(market.world.cloud.ask_slow(StockAudit())) == []


def test_only_another_variant_of_the_same_goods_at_the_same_price_is_an_exchange(market: Market, buyer: Buyer) -> None:
    """Not other goods, not a dearer or a cheaper one, not none; the same one always, whatever it costs by now."""
    dear, cheap = market.choice(5, other_fen=2500)
    for variant in (dear, cheap):
        buyer.want(variant)
    (order,) = buyer.buy().orders
    market.ship(order.id)
    made = exchange(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.assert_refused("exchange_does_not_fit", made.asking(kind=CaseKind.REFUND, instead_id=made.other), buyer.actor)
    market.assert_refused("exchange_does_not_fit", made.asking(kind=CaseKind.EXCHANGE, instead_id=None), buyer.actor)
    market.assert_refused("exchange_does_not_fit", made.asking(kind=CaseKind.EXCHANGE, instead_id=dear), buyer.actor)
    market.assert_refused("variant_not_found", made.asking(kind=CaseKind.EXCHANGE, instead_id="var_0"), buyer.actor)
    market.assert_refused("reason_does_not_fit", made.asking(kind=CaseKind.EXCHANGE, reason=Reason.NOT_ARRIVED), buyer.actor)
    differs = made.asking(kind=CaseKind.EXCHANGE, instead_id=cheap)
    differs = type(differs)(
        order_id=order.id,
        kind=CaseKind.EXCHANGE,
        reason=Reason.DAMAGED,
        lines=(CaseLine(variant_id=dear, quantity=1),),
        instead_id=cheap,
    )
    with pytest.raises(Refused) as refused:
        market.world.send(differs, actor=buyer.actor)
    assert (refused.value.code, refused.value.figures["price"]["amount"], refused.value.figures["bought_for"]["amount"]) == (
        "exchange_price_differs", 2500, 1999
    )  # fmt: skip
    market.world.send(made.asking(kind=CaseKind.EXCHANGE, instead_id=made.variant), actor=buyer.actor)


def test_what_is_not_there_is_not_promised(market: Market, buyer: Buyer) -> None:
    """Neither when it is asked for, nor when the shop agrees: it may offer money then."""
    made = exchange(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.stock(made.other, 1)
    market.assert_refused("sold_out", made.asking(kind=CaseKind.EXCHANGE), buyer.actor)
    market.stock(made.other, 2)
    made.case = market.world.send(made.asking(kind=CaseKind.EXCHANGE), actor=buyer.actor).id
    market.stock(made.other, 1)
    market.assert_refused("sold_out", AgreeToCase(**made.shop), market.staff("manager"))
    ((goods,),) = market.world.rows("SELECT goods_id FROM variant WHERE id = ?", made.other)
    market.world.send(WithdrawGoods(shop_id=market.shop.id, goods_id=goods))
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.assert_refused("goods_gone", made.asking(kind=CaseKind.EXCHANGE), buyer.actor)


@pytest.mark.parametrize("accepts", [True, False])
def test_what_is_gone_becomes_a_return_by_consent(accepts: bool, market: Market, buyer: Buyer) -> None:
    """The shop is silent and the goods are gone: their money is on offer, for the goods sent back; silence of the buyer wants nothing."""
    made = exchange(market, buyer)
    market.stock(made.other, 0)
    made.wait()
    seen = view(market, made)
    assert (seen.state, seen.offered, seen.offer_returns) == (CaseState.OFFERED, yuan(TOTAL), True)
    if not accepts:
        made.wait()
        assert (made.state, buyer.money()) == ("closed", RICH - TOTAL)
        return
    market.world.send(AcceptOffer(case_id=made.case), actor=buyer.actor)
    made.take(CaseEvent.SEND_BACK, Who.BUYER)
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (made.state, buyer.money(), shelves(market, made)) == ("refunded", RICH, ((5, 0), (0, 0)))
    market.assert_balanced()


def test_until_they_leave_the_buyer_may_have_the_money_and_a_silent_shop_gives_it(market: Market, buyer: Buyer) -> None:
    """What was held for the exchange is free again."""
    for waits in (False, True):
        made = exchange(market, buyer, CaseState.REPLACING)
        if waits:
            made.wait()
        else:
            made.take(CaseEvent.TAKE_REFUND, Who.BUYER)
        assert (made.state, buyer.money(), shelves(market, made)) == ("refunded", RICH, ((5, 0), (5, 0)))
        market.assert_refused("case_in_other_state", TakeRefundInstead(case_id=made.case), buyer.actor)
        market.assert_balanced()


def test_what_is_held_is_free_again_however_the_case_ends(market: Market, buyer: Buyer) -> None:
    """Withdrawn, forgotten, ruled on, or ended with its order."""
    for end in ("withdrawn", "silent", "ended", "ruled"):
        made = exchange(market, buyer, CaseState.SENT if end == "ruled" else CaseState.TO_SEND)
        assert market.shelf(made.other) == (5, 2)
        if end == "withdrawn":
            made.take(CaseEvent.WITHDRAW, Who.BUYER)
        elif end == "silent":
            made.wait()
        elif end == "ended":
            made.take(CaseEvent.END, Who.CLOUD)
        else:
            for event, who in ((CaseEvent.CALL_OPERATOR, Who.SHOP), (CaseEvent.CLOSE_EVIDENCE, Who.CLOUD), (CaseEvent.RULE, Who.OPERATOR)):
                made.take(event, who)
        assert market.shelf(made.other) == (5, 0), end
        market.assert_balanced()


def test_what_does_not_come_in_exchange_is_disputed(market: Market, buyer: Buyer) -> None:
    """The operator divides what is held, as ever."""
    made = exchange(market, buyer, CaseState.REPLACED)
    made.take(CaseEvent.CALL_OPERATOR, Who.BUYER)
    made.take(CaseEvent.CLOSE_EVIDENCE, Who.CLOUD)
    made.take(CaseEvent.RULE, Who.OPERATOR)
    assert (made.state, market.state(made.order), buyer.money()) == ("refunded", "received", RICH - TOTAL + 1500)
    market.assert_balanced()


def test_what_is_on_its_way_is_received_by_itself(market: Market, buyer: Buyer) -> None:
    """In the time of any order that goes there; the order goes on from where it stood still."""
    made = exchange(market, buyer, CaseState.REPLACING)
    market.world.send(SendReplacement(**made.shop, carrier="SF Express", tracking="OUT-1"), actor=market.staff("packer"))
    assert made.due == market.world.clock.wall_ms() + HOME_MS
    made.wait()
    assert (made.state, market.state(made.order)) == ("exchanged", "shipped")
    market.world.pass_time(HOME_MS + 7 * DAY_MS)
    assert market.state(made.order) == "received"
    assert market.world.rows("SELECT count(*) FROM alarm") == [(0,)]


def test_what_was_given_in_exchange_can_come_back_too(market: Market, buyer: Buyer) -> None:
    """One of two pieces was exchanged: what comes back first is the piece that was given last, under the hold by which it left."""
    made = Claim(market, buyer, kind=CaseKind.EXCHANGE, quantity=1).lead_to(CaseState.EXCHANGED)
    assert shelves(market, made) == ((4, 0), (4, 0))
    for expected in (((4, 0), (5, 0)), ((5, 0), (5, 0))):
        ask = made.asking(kind=CaseKind.RETURN, quantity=1)
        made.case = market.world.send(ask, actor=buyer.actor).id
        for command, actor in (
            (AgreeToCase(**made.shop), market.staff("manager")),
            (SendBack(case_id=made.case, carrier="SF Express", tracking="BACK-2"), buyer.actor),
            (ConfirmReturn(**made.shop), market.staff("service")),
        ):
            market.world.send(command, actor=actor)
        assert shelves(market, made) == expected
    assert (market.state(made.order), buyer.money()) == ("refunded", RICH)
    market.assert_balanced()
    assert market.world.run(market.world.cloud.ask_slow(StockAudit())) == []


def test_after_the_receipt_goods_are_exchanged_as_before(market: Market, buyer: Buyer) -> None:
    """The shop has been paid; when it sends nothing, the money comes from there."""
    made = exchange(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    made.case = market.world.send(made.asking(kind=CaseKind.EXCHANGE), actor=buyer.actor).id
    for event, who in (
        (CaseEvent.AGREE_TO_EXCHANGE, Who.SHOP), (CaseEvent.SEND_BACK, Who.BUYER), (CaseEvent.ARRIVE_TO_EXCHANGE, Who.SHOP)
    ):  # fmt: skip
        made.take(event, who)
    made.wait()
    assert (made.state, market.state(made.order), buyer.money(), market.earned()) == ("refunded", "refunded", RICH, 0)
    market.assert_balanced()


def test_what_came_in_exchange_after_the_receipt_has_its_own_time(market: Market, buyer: Buyer) -> None:
    """Seven days from when it came, and no more pieces than came; once it has gone back, what is left is as old as it is."""
    made = exchange(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    market.world.pass_time(6 * DAY_MS)
    made.case = market.world.send(made.asking(kind=CaseKind.EXCHANGE, quantity=1), actor=buyer.actor).id
    for event, who in PATHS[CaseState.EXCHANGED]:
        market.world.pass_time(DAY_MS)
        made.take(event, who)
    market.world.pass_time(7 * DAY_MS)
    market.assert_refused("right_of_return_ended", made.asking(kind=CaseKind.RETURN), buyer.actor)
    opened = market.world.send(made.asking(kind=CaseKind.RETURN, quantity=1), actor=buyer.actor)
    market.world.send(WithdrawCase(case_id=opened.id), actor=buyer.actor)
    made.case = market.world.send(made.asking(quantity=1), actor=buyer.actor).id
    made.take(CaseEvent.AGREE, Who.SHOP)
    market.assert_refused("right_of_return_ended", made.asking(quantity=1), buyer.actor)


def test_the_time_of_what_came_in_exchange_passes_too(market: Market, buyer: Buyer) -> None:
    """A moment after its seventh day."""
    made = exchange(market, buyer)
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    made.case = market.world.send(made.asking(kind=CaseKind.EXCHANGE), actor=buyer.actor).id
    for event, who in PATHS[CaseState.EXCHANGED]:
        made.take(event, who)
    market.world.pass_time(7 * DAY_MS + 1)
    market.assert_refused("right_of_return_ended", made.asking(kind=CaseKind.RETURN), buyer.actor)


@pytest.mark.parametrize("first", ["refund", "replace"])
def test_money_and_goods_race_and_one_of_them_goes(first: str, market: Market, buyer: Buyer) -> None:
    """The buyer takes the money as the shop sends the goods, and the shop refunds the whole order: one is carried out, nothing twice."""
    made = exchange(market, buyer, CaseState.REPLACING)
    take = (TakeRefundInstead(case_id=made.case), buyer.actor)
    send = (SendReplacement(**made.shop, carrier="SF Express", tracking="OUT-1"), market.staff("packer"))
    whole = (RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(TOTAL)), market.staff("owner"))
    asked = (take, send, whole) if first == "refund" else (send, take, whole)
    outcomes = market.world.send_all(list(asked))
    done = [not isinstance(outcome, Refused) for outcome in outcomes]
    assert done == ([True, False, False] if first == "refund" else [True, False, True])
    assert buyer.money() == RICH
    assert market.shelf(made.other) == ((5, 0) if first == "refund" else (3, 0))
    market.assert_balanced()


def test_a_receipt_and_a_ruling_of_the_exchange_race(market: Market, buyer: Buyer) -> None:
    """Whoever comes second finds a closed case."""
    made = exchange(market, buyer, CaseState.REPLACED)
    receive = (ReceiveReplacement(case_id=made.case), buyer.actor)
    assert [isinstance(one, Refused) for one in market.world.send_all([receive, receive])] == [False, True]
    assert made.state == "exchanged"


def test_who_may_send_and_who_may_receive(market: Market, buyer: Buyer) -> None:
    """Packers send, the buyer receives; to others there is no such case."""
    made = exchange(market, buyer, CaseState.REPLACING)
    send = SendReplacement(**made.shop, carrier="SF Express", tracking="OUT-1")
    market.assert_refused("case_not_found", send, market.staff("finance"))
    market.assert_refused("case_not_found", send, market.staff("packer", shop=market.other.id))
    market.assert_refused("case_not_found", TakeRefundInstead(case_id=made.case), market.buyer().actor)
    made.take(CaseEvent.REPLACE, Who.SHOP)
    market.assert_refused("case_not_found", ReceiveReplacement(case_id=made.case), market.buyer().actor)
