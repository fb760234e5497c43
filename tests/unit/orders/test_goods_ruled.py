"""What becomes of goods that were sent back when an operator rules: sent again, kept for so much, or not there; nobody has both."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from unit.orders.casebook import DAY_MS, PATHS, TOTAL, Claim, picture
from unit.orders.market import Buyer, Market, channel, yuan
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.caselists import CaseOf, ShopCaseOf
from yunduan.domains.orders.casepictures import ShowPicture
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseState, Payer, Reason, RuledGoods
from yunduan.domains.orders.claiming import AgreeToCase, ConfirmReturn, OfferInCase, PassDeadline, SendBack, WithdrawCase
from yunduan.domains.orders.commands import RefundOrder
from yunduan.domains.orders.disputes import CallOperator, ContestReturn, RuleCase, SendGoodsAgain
from yunduan.domains.orders.exchanging import ReceiveReplacement
from yunduan.domains.orders.model import OrderState, Who, checkout_of, payment_of
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.domains.payments.deposits import PledgeDeposit
from yunduan.domains.payments.drawing import receivable_account
from yunduan.domains.payments.model import charge_reference
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.refusals import Refused
from yunduan.testing.checkers import ViolationError
from yunduan.testing.trade.papers import papers_of
from yunduan.testing.trade.shelves import compare_exchanges, compare_returns

RICH = 100_000
PIECE = 1999


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(RICH)


def contested(market: Market, buyer: Buyer, *, kind: CaseKind = CaseKind.RETURN, received: bool = False, **more: Any) -> Claim:
    """A case about goods that were sent back, which the shop does not take so; heard."""
    made = Claim(market, buyer, kind=kind, **more)
    if received:
        made.take(CaseEvent.WITHDRAW, Who.BUYER)
        market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
        made.case = market.world.send(made.asking(kind=kind, **more), actor=buyer.actor).id
    for event, who in PATHS[CaseState.RESENDING][:-1]:
        made.take(event, who)
    return made


def ruling(made: Claim, fen: int = 0, goods: RuledGoods | None = RuledGoods.SENT_AGAIN, **more: Any) -> RuleCase:
    """What an operator says."""
    return RuleCase(case_id=made.case, to_buyer=yuan(fen), text="如此", goods=goods, **more)


def ruled(market: Market, made: Claim, fen: int = 0, goods: RuledGoods | None = RuledGoods.SENT_AGAIN, **more: Any) -> Claim:
    """The case once that is said."""
    made.does(ruling(made, fen, goods, **more), market.operator("service"))
    return made


def view(made: Claim) -> Any:
    """The case as its buyer sees it."""
    return made.market.world.ask(CaseOf(case_id=made.case), actor=made.buyer.actor)


def says(made: Claim) -> str:
    """Where the money is, in a sentence."""
    return made.market.world.ask(OrderMoney(order_id=made.order), actor=made.buyer.actor).says_en


def assert_well(market: Market) -> None:
    """The books balance, and nobody has goods and money."""
    market.assert_balanced()
    papers = papers_of(market.world.cloud.store)
    compare_returns(papers)
    compare_exchanges(papers)
    assert market.world.cloud.writer.alarms_refused == 0


def test_what_was_sent_back_goes_to_the_buyer_again(shared: Market) -> None:
    """The money stays until it has come; no stock moves; then the shop has its money, and the case is over."""
    market, buyer = shared, shared.buyer(RICH)
    made = ruled(market, contested(market, buyer))
    seen = view(made)
    assert (seen.state, seen.goods, seen.way_again, seen.agreed) == ("resending", RuledGoods.SENT_AGAIN, Payer.SHOP, yuan(TOTAL))
    assert (buyer.money(), market.escrow(made.order), market.state(made.order)) == (RICH - TOTAL, TOTAL, "shipped")
    said = "47.98 CNY is held; nothing goes to the shop before the goods that it has to send to the buyer again have come."
    assert says(made) == said
    send = SendGoodsAgain(**made.shop, carrier="SF Express", tracking="AGAIN-1")
    market.world.send(send, actor=market.staff("packer"))
    seen = view(made)
    assert (seen.state, seen.resent.carrier, seen.resent.tracking, seen.replacement) == ("resent", "SF Express", "AGAIN-1", None)
    assert (seen.due, says(made)) == (market.world.clock.wall_ms() + 10 * DAY_MS, said)
    market.world.send(ReceiveReplacement(case_id=made.case), actor=buyer.actor)
    assert (made.state, market.state(made.order), market.shelf(made.variant)) == ("closed", "received", (3, 0))
    assert (buyer.money(), market.earned() + market.commission(), market.escrow(made.order)) == (RICH - TOTAL, TOTAL, 0)
    market.assert_refused("case_in_other_state", ConfirmReturn(**made.shop), market.staff())
    market.world.pass_time(90 * DAY_MS)
    assert market.state(made.order) == "received"
    assert_well(market)


def test_what_is_not_sent_again_in_time_is_paid_back(shared: Market) -> None:
    """All that was paid, from what is held; the goods are the shop's then, and come on hand when it says so."""
    market, buyer = shared, shared.buyer(RICH)
    made = ruled(market, contested(market, buyer))
    market.world.pass_time(7 * DAY_MS - 1)
    assert made.state == "resending"
    market.world.pass_time(1)
    assert (made.state, market.state(made.order), buyer.money()) == ("refunded", "refunded", RICH)
    made.does(ConfirmReturn(**made.shop), market.staff())
    assert market.shelf(made.variant) == (5, 0)
    market.assert_refused("case_in_other_state", ConfirmReturn(**made.shop), market.staff())
    assert_well(market)


@pytest.mark.parametrize("who", ["silence", "shop"])
def test_it_is_what_the_goods_are_worth_whatever_was_agreed_on(who: str, market: Market, buyer: Buyer) -> None:
    """A shop that had offered less for them cannot keep them for that."""
    made = Claim(market, buyer, kind=CaseKind.RETURN, quantity=1)
    made.does(OfferInCase(**made.shop, amount=yuan(500), returns=True), market.staff())
    for event, by in ((CaseEvent.ACCEPT_TO_RETURN, Who.BUYER), *PATHS[CaseState.RESENDING][1:]):
        made.take(event, by)
    assert view(made).agreed == yuan(PIECE)
    if who == "silence":
        made.wait()
    else:
        made.does(AgreeToCase(**made.shop), market.staff())
    assert (made.state, buyer.money(), market.state(made.order)) == ("refunded", RICH - TOTAL + PIECE, "shipped")
    assert_well(market)


@pytest.mark.parametrize("reason", [Reason.DAMAGED, Reason.CHANGED_MIND])
def test_after_the_receipt_it_is_drawn_from_the_shop(reason: Reason, market: Market, buyer: Buyer) -> None:
    """From its balance, then its deposit, then as a claim; the way to the buyer only for a fault."""
    made = ruled(market, contested(market, buyer, received=True, reason=reason))
    assert (
        says(made)
        == "47.98 CNY has gone to the shop, which has to send the goods to the buyer again, or to give back what was paid for them."
    )
    earned = market.earned()
    market.world.send(PledgeDeposit(shop_id=market.shop.id, amount=yuan(earned - 1000)), actor=market.staff("owner"))
    made.wait()
    back = TOTAL if reason is Reason.DAMAGED else 2 * PIECE
    assert (made.state, buyer.money(), market.earned()) == ("refunded", RICH - TOTAL + back, 0)
    assert market.balance(receivable_account(market.shop.id, "CNY")) <= 0
    assert_well(market)


def test_after_the_receipt_nothing_moves_when_they_are_sent_again(market: Market, buyer: Buyer) -> None:
    """By time as by word."""
    made = ruled(market, contested(market, buyer, received=True))
    earned = market.earned()
    made.take(CaseEvent.RESEND, Who.SHOP)
    made.wait()
    assert (made.state, market.state(made.order), market.earned(), buyer.money()) == ("closed", "received", earned, RICH - TOTAL)
    assert_well(market)


# What a ruling has to say


@pytest.mark.parametrize(
    ("fen", "goods", "more"),
    [
        (0, None, {}),
        (1, None, {}),
        (0, RuledGoods.KEPT, {}),
        (1, RuledGoods.SENT_AGAIN, {}),
        (0, RuledGoods.NOT_THERE, {"way_again": Payer.SHOP}),
        (1, RuledGoods.KEPT, {"way_again": Payer.BUYER}),
    ],
)
def test_a_ruling_that_leaves_somebody_with_both_is_refused(
    fen: int, goods: RuledGoods | None, more: dict[str, Any], market: Market, buyer: Buyer
) -> None:
    """Goods were sent back: it says what becomes of them, and nobody pays for what they have not, nor has what they do not pay for."""
    made = contested(market, buyer)
    market.assert_refused("ruling_of_goods_does_not_fit", ruling(made, fen, goods, **more), market.operator("service"))


@pytest.mark.parametrize("goods", RuledGoods)
def test_goods_that_are_where_they_belong_are_not_ruled_on(goods: RuledGoods, market: Market, buyer: Buyer) -> None:
    """None were sent back, or others were sent for them."""
    fen = 1 if goods is RuledGoods.KEPT else 0
    made = Claim(market, buyer).lead_to(CaseState.HEARD)
    exchanged = Claim(market, buyer, kind=CaseKind.EXCHANGE).lead_to(CaseState.REPLACED)
    exchanged.take(CaseEvent.CALL_OPERATOR, Who.BUYER)
    exchanged.take(CaseEvent.CLOSE_EVIDENCE, Who.CLOUD)
    for one in (made, exchanged):
        market.assert_refused("ruling_of_goods_does_not_fit", ruling(one, fen, goods), market.operator("service"))
        seen = market.world.ask(CaseOf(case_id=one.case), actor=market.operator("service"))
        assert set(seen.steps) == {"rule", "dismiss"}


def test_what_is_kept_is_paid_for_and_put_on_hand(market: Market, buyer: Buyer) -> None:
    """So much to the buyer, the rest to the shop, and the goods to the shop as well, now or when they come."""
    made = ruled(market, contested(market, buyer), 3000, RuledGoods.KEPT)
    assert (made.state, buyer.money(), market.state(made.order)) == ("refunded", RICH - TOTAL + 3000, "received")
    made.does(ConfirmReturn(**made.shop), market.staff())
    assert market.shelf(made.variant) == (5, 0)
    assert_well(market)


@pytest.mark.parametrize("fen", [0, 1000])
def test_what_is_not_there_is_not_put_on_hand_later(fen: int, market: Market, buyer: Buyer) -> None:
    """An empty box: the buyer has what was ruled, and what comes after that is theirs."""
    made = ruled(market, contested(market, buyer), fen, RuledGoods.NOT_THERE)
    assert (made.state, market.state(made.order)) == ("refunded" if fen else "closed", "received")
    market.assert_refused("case_in_other_state", ConfirmReturn(**made.shop), market.staff())
    assert (market.shelf(made.variant), buyer.money()) == ((3, 0), RICH - TOTAL + fen)
    assert_well(market)


@pytest.mark.parametrize("payer", [None, *Payer])
@pytest.mark.parametrize("reason", [Reason.DAMAGED, Reason.CHANGED_MIND])
def test_who_pays_the_way_is_a_part_of_the_ruling(payer: Payer | None, reason: Reason, market: Market, buyer: Buyer) -> None:
    """Whoever paid the way back, unless it says otherwise; both sides see it."""
    made = ruled(market, contested(market, buyer, reason=reason), way_again=payer)
    way = payer or (Payer.SHOP if reason is Reason.DAMAGED else Payer.BUYER)
    shop = market.world.ask(ShopCaseOf(**made.shop), actor=market.staff())
    assert view(made).way_again == shop.way_again == way


@pytest.mark.parametrize("pays", [False, True])
def test_postage_of_the_way_back_is_ruled_too(pays: bool, market: Market, buyer: Buyer) -> None:
    """At once or not at all; who neither sends the goods again nor was ruled to pay it owes it with the money for them."""
    made = Claim(market, buyer, kind=CaseKind.RETURN)
    made.take(CaseEvent.AGREE_TO_RETURN, Who.SHOP)
    receipt = market.world.send(ShowPicture(case_id=made.case, content=picture()), actor=buyer.actor).id
    made.does(SendBack(case_id=made.case, carrier="SF", tracking="B1", postage=yuan(1200), receipt_id=receipt), buyer.actor)
    for event, who in PATHS[CaseState.RESENDING][2:-1]:
        made.take(event, who)
    ruled(market, made, postage=pays)
    assert (view(made).postage_paid, buyer.money()) == (pays, RICH - TOTAL + 1200 * pays)
    made.wait()
    assert (view(made).postage_paid, buyer.money()) == (True, RICH + 1200)
    assert_well(market)


# In every order


@pytest.mark.parametrize("first", ["send", "silence", "agree", "contest"])
def test_the_shop_at_the_moment_of_the_deadline(first: str, market: Market, buyer: Buyer) -> None:
    """Whatever comes first is so; what comes second is refused, or finds that the case has moved on."""
    made = ruled(market, contested(market, buyer))
    commands = {
        "send": (SendGoodsAgain(**made.shop, carrier="SF Express", tracking="AGAIN-1"), market.staff("packer")),
        "silence": (PassDeadline(case_id=made.case, due=made.due), SYSTEM),
        "agree": (AgreeToCase(**made.shop), market.staff()),
        "contest": (ContestReturn(**made.shop, text="没有收到"), market.staff()),
    }
    second = "agree" if first == "send" else "send"
    answers = market.world.send_all([commands[first], commands[second], commands["silence"]])
    assert [isinstance(answer, Refused) for answer in answers] == [False, True, False]
    assert made.state == {"send": "resent", "silence": "refunded", "agree": "refunded", "contest": "disputed"}[first]
    assert buyer.money() == (RICH if first in ("silence", "agree") else RICH - TOTAL)
    market.world.pass_time(90 * DAY_MS)
    assert made.state in ("closed", "refunded")
    assert_well(market)


@pytest.mark.parametrize("pair", tuple(permutations(("resend", "agree", "kept"), 2)), ids="-".join)
def test_rulings_and_an_agreement_race(pair: tuple[str, str], market: Market, buyer: Buyer) -> None:
    """Two operators, and the shop that agrees while they rule: one of them decides."""
    made = contested(market, buyer)
    commands = {
        "resend": (ruling(made), market.operator("service")),
        "kept": (ruling(made, 1500, RuledGoods.KEPT), market.operator("finance")),
        "agree": (AgreeToCase(**made.shop), market.staff()),
    }
    first, second = market.world.send_all([commands[name] for name in pair])
    assert not isinstance(first, Refused)
    is_kept_instead = pair == ("resend", "agree")  # the shop would rather pay than send
    assert isinstance(second, Refused) is not is_kept_instead
    back = TOTAL if pair[0] == "agree" or is_kept_instead else {"resend": 0, "kept": 1500}[pair[0]]
    assert buyer.money() == RICH - TOTAL + back
    assert_well(market)


def test_goods_that_never_come_are_said_so_before_they_are_owed(market: Market, buyer: Buyer) -> None:
    """It was ruled while they were on their way, as the buyer said: the shop has the operator again, and the buyer no way out meanwhile."""
    made = ruled(market, contested(market, buyer))
    made.take(CaseEvent.CALL_OPERATOR, Who.SHOP)
    market.assert_refused("case_in_other_state", WithdrawCase(case_id=made.case), buyer.actor)
    made.wait()
    ruled(market, made, 0, RuledGoods.NOT_THERE)
    assert (made.state, market.state(made.order), buyer.money()) == ("closed", "received", RICH - TOTAL)
    assert_well(market)


def test_what_does_not_come_again_is_disputed(market: Market, buyer: Buyer) -> None:
    """The carrier has brought it back once more: sent again once more, or kept for its price; and then it is on hand."""
    made = ruled(market, contested(market, buyer))
    made.take(CaseEvent.RESEND, Who.SHOP)
    for goods, fen in ((RuledGoods.SENT_AGAIN, 0), (RuledGoods.KEPT, TOTAL)):
        made.take(CaseEvent.CALL_OPERATOR, Who.BUYER)
        made.wait()
        ruled(market, made, fen, goods)
        if goods is RuledGoods.SENT_AGAIN:
            assert (made.state, view(made).resent) == ("resending", None)
            made.take(CaseEvent.RESEND, Who.SHOP)
    assert (made.state, buyer.money(), market.state(made.order)) == ("refunded", RICH, "refunded")
    made.does(ConfirmReturn(**made.shop), market.staff())
    assert market.shelf(made.variant) == (5, 0)
    assert_well(market)


@pytest.mark.parametrize("ends", ["withdraw", "agree", "silence", "not there"])
def test_a_dispute_about_what_was_sent_again_ends(ends: str, market: Market, buyer: Buyer) -> None:
    """It has come after all; or the buyer has the money, and nothing is put on hand that is with them."""
    made = ruled(market, contested(market, buyer))
    made.take(CaseEvent.RESEND, Who.SHOP)
    made.does(CallOperator(case_id=made.case, text="没有收到"), buyer.actor)
    if ends == "withdraw":
        made.does(WithdrawCase(case_id=made.case), buyer.actor)
    elif ends == "agree":
        made.does(AgreeToCase(**made.shop), market.staff())
    else:
        made.wait()
        if ends == "silence":
            made.wait()
        else:
            ruled(market, made, 0, RuledGoods.NOT_THERE)
    has_money = ends in ("agree", "silence")
    assert (made.state, buyer.money()) == ("refunded" if has_money else "closed", RICH if has_money else RICH - TOTAL)
    market.assert_refused("case_in_other_state", ConfirmReturn(**made.shop), market.staff())
    market.world.pass_time(90 * DAY_MS)
    assert market.state(made.order) == ("refunded" if has_money else "received")
    assert_well(market)


def test_what_is_held_for_an_exchange_is_free_when_the_same_goods_go_back(market: Market, buyer: Buyer) -> None:
    """There is no exchange any more; whatever comes of the case takes none of it."""
    made = contested(market, buyer, kind=CaseKind.EXCHANGE)
    assert market.shelf(made.other) == (5, 2)
    ruled(market, made)
    assert (market.shelf(made.other), view(made).is_held) == ((5, 0), False)
    assert set(market.world.ask(ShopCaseOf(**made.shop), actor=market.staff()).steps) == {
        "resend",
        "agree",
        "call_operator",
        "show_picture",
    }
    made.take(CaseEvent.RESEND, Who.SHOP)
    made.wait()
    assert (made.state, market.state(made.order)) == ("closed", "received")
    assert_well(market)


@pytest.mark.parametrize("left", [False, True])
def test_all_given_back_by_hand_ends_it(left: bool, market: Market, buyer: Buyer) -> None:
    """What has not left again is the shop's and comes on hand; what has is the buyer's."""
    made = ruled(market, contested(market, buyer))
    if left:
        made.take(CaseEvent.RESEND, Who.SHOP)
    made.take(CaseEvent.END, Who.CLOUD)
    assert (made.state, market.state(made.order), buyer.money()) == ("closed", "refunded", RICH)
    if left:
        market.assert_refused("case_in_other_state", ConfirmReturn(**made.shop), market.staff())
    else:
        made.does(ConfirmReturn(**made.shop), market.staff())
    assert market.shelf(made.variant) == ((3, 0) if left else (5, 0))
    assert_well(market)


def test_a_part_that_was_given_back_by_hand_counts(market: Market, buyer: Buyer) -> None:
    """No more than is left of the order."""
    made = ruled(market, contested(market, buyer))
    market.world.send(RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=yuan(1000)), actor=market.staff())
    made.wait()
    assert (made.state, market.state(made.order), buyer.money()) == ("refunded", "refunded", RICH)
    assert_well(market)


def test_pieces_can_be_claimed_again_and_come_back_once(market: Market, buyer: Buyer) -> None:
    """They left once and are put on hand once."""
    made = ruled(market, contested(market, buyer))
    made.take(CaseEvent.RESEND, Who.SHOP)
    made.take(CaseEvent.RECEIVE_RESENT, Who.BUYER)
    made.case = market.world.send(made.asking(kind=CaseKind.RETURN), actor=buyer.actor).id
    made.lead_to(CaseState.SENT)
    made.take(CaseEvent.ARRIVE, Who.SHOP)
    assert (market.shelf(made.variant), buyer.money(), market.state(made.order)) == ((5, 0), RICH, "refunded")
    assert_well(market)


def taken_back(market: Market, made: Claim) -> str:
    """The payer's bank has taken a part of it; what it calls that."""
    name = market.sandbox.charge_back(charge_reference(payment_of(checkout_of(made.order)), 0), 1000, fee=0)
    market.world.settle()
    return name


def decide(market: Market, name: str) -> None:
    """It gives that up again."""
    assert market.sandbox.decide_chargeback(name, won=True)
    market.world.settle()


def test_a_bank_is_waited_for(market: Market, buyer: Buyer) -> None:
    """Nothing leaves while it has money of the order, and nobody has to pay for that."""
    made = ruled(market, contested(market, buyer, tenders=channel(TOTAL)))
    name = taken_back(market, made)
    send = SendGoodsAgain(**made.shop, carrier="SF Express", tracking="AGAIN-1")
    market.assert_refused("charged_back", send, market.staff("packer"))
    made.wait()
    market.world.pass_time(2 * DAY_MS)
    assert made.state == "resending"
    decide(market, name)
    market.world.send(send, actor=market.staff("packer"))
    name = taken_back(market, made)
    market.assert_refused("charged_back", ReceiveReplacement(case_id=made.case), buyer.actor)
    made.wait()
    assert made.state == "resent"
    decide(market, name)
    market.world.pass_time(DAY_MS)
    assert (made.state, market.state(made.order)) == ("closed", "received")
    assert_well(market)


@pytest.mark.parametrize("received", [False, True])
def test_nobody_is_erased_to_whom_goods_are_owed(received: bool, market: Market) -> None:
    """Not while they wait for them; then nothing says by what they travelled."""
    buyer = market.buyer(TOTAL)
    made = ruled(market, contested(market, buyer, received=received))
    for event in (CaseEvent.RESEND, CaseEvent.RECEIVE_RESENT):
        market.assert_refused("orders_open", ErasePerson(person_id=buyer.person), SYSTEM)
        made.take(event, Who.SHOP if event is CaseEvent.RESEND else Who.BUYER)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    seen = market.world.ask(ShopCaseOf(**made.shop), actor=market.staff())
    assert (seen.resent.carrier, seen.resent.tracking) == ("SF Express", None)


def test_who_may_send_them(market: Market, buyer: Buyer) -> None:
    """Those who pack, of this shop; and the buyer alone has them."""
    made = ruled(market, contested(market, buyer))
    send = SendGoodsAgain(**made.shop, carrier="SF Express", tracking="AGAIN-1")
    for actor in (market.staff("service"), market.staff("finance"), buyer.actor, market.operator("service")):
        market.assert_refused("case_not_found", send, actor)
    stranger = Actor(person=market.owner, shop_roles={market.other.id: frozenset({"owner"})})
    market.assert_refused("case_not_found", send, stranger)
    market.world.send(send, actor=market.staff("packer"))
    market.assert_refused("case_not_found", ReceiveReplacement(case_id=made.case), market.buyer().actor)


def test_the_checker_finds_a_shop_that_has_both(market: Market, buyer: Buyer) -> None:
    """As a dismissal left them before: the case is closed, and nothing says where the goods belong."""
    made = ruled(market, contested(market, buyer), 0, RuledGoods.NOT_THERE)
    found = papers_of(market.world.cloud.store)
    found.cases = {id: replace(case, details=replace(case.details, goods=None)) for id, case in found.cases.items()}
    with pytest.raises(ViolationError, match="its shop has the goods, and the buyer has nothing"):
        compare_returns(found)
    assert (made.state, found.orders[made.order].state) == ("closed", OrderState.RECEIVED)
