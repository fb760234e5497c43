"""A dispute: the two do not agree, both give evidence, and an operator rules how what is held is divided."""

from typing import Any

from yunduan.domains.orders import cameback, cases, casework, store
from yunduan.domains.orders.cases import Case, CaseEvent, CaseRefusal, Payer, Reasons, RuledGoods
from yunduan.domains.orders.casework import CASE_REFUSALS, SPOKEN_REFUSALS, CaseStands
from yunduan.domains.orders.commands import PACKS, RULES, SERVES
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS
from yunduan.domains.orders.model import Order, OrderRefusal, Who
from yunduan.domains.orders.receiving import receive_by_country
from yunduan.domains.orders.rest import claimed_of_rest
from yunduan.domains.orders.shipping import Carrier, Tracking
from yunduan.domains.orders.steps import refuse_own, sealed
from yunduan.domains.payments.commands import SettleEscrow
from yunduan.domains.payments.model import PaymentRefusal
from yunduan.kernel.ids import CaseId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class CallOperator(Command[CaseStands], refuses=SPOKEN_REFUSALS):
    """Have an operator decide about what the shop has refused, or offered."""

    case_id: CaseId
    text: Reasons


class ContestReturn(Command[CaseStands], refuses=SPOKEN_REFUSALS):
    """Have an operator decide about goods that were sent back: they are not as they were, or have not come, whatever was ruled before."""

    shop_id: ShopId
    case_id: CaseId
    text: Reasons


class GiveEvidence(Command[CaseStands], refuses=SPOKEN_REFUSALS):
    """Say, as the buyer, what speaks for one's side, as long as evidence is heard."""

    case_id: CaseId
    text: Reasons


class GiveShopEvidence(Command[CaseStands], refuses=SPOKEN_REFUSALS):
    """Say, for the shop, what speaks for its side, as long as evidence is heard."""

    shop_id: ShopId
    case_id: CaseId
    text: Reasons


class RuleCase(
    Command[CaseStands],
    refuses={
        *CASE_REFUSALS,
        OrderRefusal.OWN_MATTER,
        CaseRefusal.GOODS,
        CaseRefusal.EXCEEDS,
        *GIVING_BACK_REFUSALS,
        *SettleEscrow.refuses,
    },
    spends_key=True,
):
    """Divide what is left of an order, with reasons: so much for the buyer, which may be nothing, and the rest for the shop.

    The shop has its rest at once when the goods have left, and keeps it when it had been paid; else the order goes on with it. Whether
    it pays as well what the buyer has asked for the way back is said with it.

    Of goods that were sent back it says what becomes of them: they are sent again, for nothing back, and `way_again` says who pays that
    (who paid the way back, unless it is said); they are kept, for so much; or they are not there.
    """

    case_id: CaseId
    to_buyer: Money
    text: Reasons
    postage: bool = False
    goods: RuledGoods | None = None
    way_again: Payer | None = None


class SendGoodsAgain(Command[CaseStands], refuses={*CASE_REFUSALS, PaymentRefusal.CHARGED_BACK}):
    """Say that goods which it was ruled to send again have left, and by whom they travel; not while a bank has money of the order."""

    shop_id: ShopId
    case_id: CaseId
    carrier: Carrier
    tracking: Tracking


@handles(CallOperator)
def call_operator(tx: Tx, ask: CallOperator) -> CaseStands:
    """Begin to hear evidence."""
    case = casework.of_buyer(tx, ask.case_id)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.CALL_OPERATOR, Who.BUYER, text=ask.text))


@handles(ContestReturn)
def contest_return(tx: Tx, ask: ContestReturn) -> CaseStands:
    """Begin to hear evidence."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *SERVES)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.CALL_OPERATOR, Who.SHOP, text=ask.text))


@handles(GiveEvidence)
def give_evidence(tx: Tx, ask: GiveEvidence) -> CaseStands:
    """Keep it; the time for it does not grow."""
    case = casework.of_buyer(tx, ask.case_id)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.GIVE_EVIDENCE, Who.BUYER, text=ask.text))


@handles(GiveShopEvidence)
def give_shop_evidence(tx: Tx, ask: GiveShopEvidence) -> CaseStands:
    """Keep it; the time for it does not grow."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *SERVES)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.GIVE_EVIDENCE, Who.SHOP, text=ask.text))


@handles(RuleCase)
def rule_case(tx: Tx, ask: RuleCase) -> CaseStands:
    """Give the buyer their part and the shop its own."""
    case = tx.get(store.CASE, ask.case_id)
    if case is None or not tx.actor.operates(*RULES):
        raise Refused(CaseRefusal.NOT_FOUND)
    refuse_own(tx, case.buyer, case.shop_id)
    event = CaseEvent.RULE if ask.to_buyer else CaseEvent.DISMISS
    cases.after(case, event, Who.OPERATOR)
    cases.check_goods(case, ask.goods, ask.way_again, pays=bool(ask.to_buyer))
    order = casework.order_in(tx, case)
    if ask.goods is RuledGoods.SENT_AGAIN:
        return CaseStands.of(_to_resend(tx, order, case, ask))
    left = Money(amount=order.left, currency=order.currency)
    goods: dict[str, Any] = {"goods": ask.goods} | ({"resent_at": 0} if ask.goods is RuledGoods.KEPT else {})
    if ask.to_buyer:
        amount = cases.checked(ask.to_buyer, left).amount
        ended, order = casework.granted(tx, case, event, Who.OPERATOR, amount, text=ask.text, with_postage=ask.postage, **goods)
    else:
        ended = casework.closed(tx, case, event, Who.OPERATOR, text=ask.text, **goods)
        order = casework.order_in(tx, case)
    casework.divided(tx, order, Who.OPERATOR)
    return CaseStands.of(ended)


def _to_resend(tx: Tx, order: Order, case: Case, ask: RuleCase) -> Case:
    """The money stays where it is until they have come. What they are worth, whatever was agreed on, goes back if they do not leave."""
    terms, earlier = store.terms(order), store.cases_of(tx, order)
    before, of_rest = cameback.had_before(order, earlier), claimed_of_rest(order, terms, earlier)
    owed = cases.owed_for(order, terms, case.details.lines, case.details.reason, before=before, of_rest=of_rest)
    changes: dict[str, Any] = casework.postage(tx, case) if ask.postage else {}
    changes |= {"goods": ask.goods, "way_again": ask.way_again or case.details.way_back, "resent_at": 0}
    return casework.stepped(tx, case, CaseEvent.RULE_TO_RESEND, Who.OPERATOR, text=ask.text, agreed=owed, **changes)


@handles(SendGoodsAgain)
def send_goods_again(tx: Tx, ask: SendGoodsAgain) -> CaseStands:
    """The very goods that came back, which were never put on hand: no stock moves."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *PACKS)
    cases.after(case, CaseEvent.RESEND, Who.SHOP)
    order = casework.order_in(tx, case)
    if order.progress.taken:
        raise Refused(PaymentRefusal.CHARGED_BACK)
    due, tracking = receive_by_country(tx, order), sealed(tx, case.buyer, ask.tracking)
    changes: dict[str, Any] = {"carrier_out": ask.carrier, "tracking_out": tracking, "resent_at": tx.now}
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.RESEND, Who.SHOP, due=due, **changes))
