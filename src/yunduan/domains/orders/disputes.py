"""A dispute: the two do not agree, both give evidence, and an operator rules how what is held is divided."""

from yunduan.domains.orders import cases, casework, store
from yunduan.domains.orders.cases import CaseEvent, CaseRefusal, Reasons
from yunduan.domains.orders.casework import CASE_REFUSALS, SPOKEN_REFUSALS, CaseStands
from yunduan.domains.orders.commands import RULES, SERVES
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS
from yunduan.domains.orders.model import OrderRefusal, OrderState, Who
from yunduan.domains.orders.receiving import receive
from yunduan.domains.orders.steps import refuse_own
from yunduan.domains.payments.commands import SettleEscrow
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
    """Have an operator decide about goods that were sent back: they are not as they were, or have not come."""

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
    refuses={*CASE_REFUSALS, OrderRefusal.OWN_MATTER, CaseRefusal.EXCEEDS, *GIVING_BACK_REFUSALS, *SettleEscrow.refuses},
    spends_key=True,
):
    """Divide what is left of an order, with reasons: so much for the buyer, which may be nothing, and the rest for the shop.

    The shop has its rest at once when the goods have left, and keeps it when it had been paid; else the order goes on with it. Whether
    it pays as well what the buyer has asked for the way back is said with it.
    """

    case_id: CaseId
    to_buyer: Money
    text: Reasons
    postage: bool = False


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
    order = casework.order_in(tx, case)
    left = Money(amount=order.left, currency=order.currency)
    if ask.to_buyer:
        amount = cases.checked(ask.to_buyer, left).amount
        ended, order = casework.granted(tx, case, event, Who.OPERATOR, amount, text=ask.text, with_postage=ask.postage)
    else:
        ended = casework.closed(tx, case, event, Who.OPERATOR, text=ask.text)
        order = casework.order_in(tx, case)
    if order.state is OrderState.SHIPPED:
        receive(tx, order, Who.OPERATOR)
    return CaseStands.of(ended)
