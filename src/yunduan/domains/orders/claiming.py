"""A case after the sale, from what the buyer asks to what the two agree on; silence answers for whoever does not."""

from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from yunduan.domains.catalog.commands import HoldStock, ReleaseStock, ReturnStock
from yunduan.domains.catalog.queries import CategoriesOf, LocationOf
from yunduan.domains.orders import cameback, casepictures, cases, casework, exchanging, model, store
from yunduan.domains.orders.cases import (
    CASES_MAX,
    LINES_MAX,
    NEVER_CAME,
    Case,
    CaseEvent,
    CaseKind,
    CaseLine,
    CaseRefusal,
    CaseState,
    Details,
    Payer,
    Reason,
    Reasons,
    RuledGoods,
    Statement,
)
from yunduan.domains.orders.casework import CASE_REFUSALS, SPOKEN_REFUSALS, CaseStands, PassDeadline
from yunduan.domains.orders.commands import GIVES_BACK, SERVES
from yunduan.domains.orders.exchanging import EXCHANGE_REFUSALS
from yunduan.domains.orders.facts import CaseOpened
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState, Step, Who
from yunduan.domains.orders.rest import claimed_of_rest
from yunduan.domains.orders.shipping import Carrier, Tracking
from yunduan.domains.orders.steps import STEP_REFUSALS, of_buyer, sealed
from yunduan.domains.payments.recourse import SplitUnderway
from yunduan.kernel.ids import CaseId, LocationId, OrderId, ShopId, VariantId
from yunduan.kernel.images import PictureId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_DAY_MS = 86_400_000
_OF_AMOUNT = frozenset({OrderRefusal.NOT_A_REFUND, CaseRefusal.EXCEEDS})


class OpenCase(
    Command[CaseStands],
    refuses={
        *STEP_REFUSALS,
        *_OF_AMOUNT,
        OrderRefusal.ITEM_NOT_FOUND,
        CaseRefusal.OPEN,
        CaseRefusal.FULL,
        CaseRefusal.REASON,
        CaseRefusal.PIECES,
        CaseRefusal.TOO_LATE,
        CaseRefusal.EXCLUDED,
        *EXCHANGE_REFUSALS,
    },
):
    """Ask for money back for some pieces of an order, with or without sending them back, or for others `instead`; one case at a time.

    Without an amount it is all that can be given back for them. What is wanted instead is another variant of the same goods at the price
    that was paid, or the same one; the amount is what comes back if that comes to nothing. Unless the shop answers in time, it has agreed.
    """

    order_id: OrderId
    kind: CaseKind
    reason: Reason
    lines: Annotated[tuple[CaseLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    text: Statement = ""
    amount: Money | None = None
    instead_id: VariantId | None = None


class AgreeToCase(Command[CaseStands], refuses={*CASE_REFUSALS, *GIVING_BACK_REFUSALS, *HoldStock.refuses}, spends_key=True):
    """Give what the buyer asks: at once, or when the goods have come back where they are to be sent back.

    What is wanted instead is held from now on; where it is gone, offer to take the goods back for money.
    """

    shop_id: ShopId
    case_id: CaseId


class RefuseCase(Command[CaseStands], refuses=SPOKEN_REFUSALS):
    """Give nothing, and say why; the buyer may call the operator then."""

    shop_id: ShopId
    case_id: CaseId
    text: Reasons


class OfferInCase(Command[CaseStands], refuses={*SPOKEN_REFUSALS, *_OF_AMOUNT, CaseRefusal.REASON}):
    """Propose another amount, for the goods sent back or without."""

    shop_id: ShopId
    case_id: CaseId
    amount: Money
    returns: bool = False
    text: Statement = ""


class AcceptOffer(Command[CaseStands], refuses={*CASE_REFUSALS, *GIVING_BACK_REFUSALS}, spends_key=True):
    """Take what the shop proposes."""

    case_id: CaseId


class WithdrawCase(Command[CaseStands], refuses={*CASE_REFUSALS, *ReleaseStock.refuses}):
    """Want nothing any more: the order goes on. What has been sent back to the shop is waited for, or decided about."""

    case_id: CaseId


class SendBack(
    Command[CaseStands], refuses={*CASE_REFUSALS, CaseRefusal.POSTAGE, CaseRefusal.POSTAGE_EXCEEDS, CaseRefusal.PICTURE_NOT_FOUND}
):
    """Say that the goods are on their way back, and by whom they travel.

    Where the shop pays that, ask for what it has cost, by a receipt that was shown in this case: it comes into the wallet from the shop's
    own money when the goods have come.
    """

    case_id: CaseId
    carrier: Carrier
    tracking: Tracking
    postage: Money | None = None
    receipt_id: PictureId | None = None


class ConfirmReturn(Command[CaseStands], refuses={*CASE_REFUSALS, *GIVING_BACK_REFUSALS, *ReturnStock.refuses}, spends_key=True):
    """Say that the goods have come back, whether they are sold again, and where they have come to: the buyer gets what was agreed on.

    Without a location they are sold again where they had left from. Goods that come when their money has gone back without them, because
    nobody had said anything or all of the order was given back meanwhile, are put on hand, and nothing else happens.
    """

    shop_id: ShopId
    case_id: CaseId
    restock: bool = True
    location_id: LocationId | None = None


# The buyer asks


@handles(OpenCase)
def open_case(tx: Tx, ask: OpenCase) -> CaseStands:
    """See what it is about and what it can come to; from now on the order's money stays where it is."""
    order = of_buyer(tx, ask.order_id)
    model.after(order.id, order.state, Step.CLAIM if ask.kind is CaseKind.REFUND else Step.CLAIM_RETURN, Who.BUYER)
    number = order.progress.cases
    if order.progress.in_case:
        raise Refused(CaseRefusal.OPEN)
    if number >= CASES_MAX:
        raise Refused(CaseRefusal.FULL, f"{CASES_MAX} of an order")
    if ask.kind is not CaseKind.REFUND and ask.reason in NEVER_CAME:
        raise Refused(CaseRefusal.REASON)
    if (ask.kind is CaseKind.EXCHANGE) != bool(ask.instead_id):
        raise Refused(CaseRefusal.EXCHANGE)
    lines = cases.lines_of(ask.lines)
    asked = _askable(tx, order, ask, lines)
    _see_right_of_return(tx, order, ask.reason, lines)
    if ask.instead_id:
        exchanging.check_wanted(tx, order, lines, ask.instead_id)
    id, due = cases.case_id_of(order.id, number), tx.now + cases.DEADLINES_MS[CaseState.ASKED]
    fault = ask.reason is not Reason.CHANGED_MIND
    way_back = Payer.SHOP if fault else Payer(tx.port(OrderSettings).return_paid_by)
    details = Details(ask.kind, ask.reason, lines, asked.amount, way_back, tx.now, tx.now, instead=ask.instead_id)
    case = Case(id, order.id, order.buyer, order.shop_id, CaseState.ASKED, due, order.currency, details)
    case = casework.said(tx, case, Who.BUYER, None, ask.text)
    tx.add(store.CASE, id, case)
    tx.put(store.ORDER, order.id, model.in_case(order))
    tx.at(due, PassDeadline(case_id=id, due=due))
    kind, reason = ask.kind.value, ask.reason.value
    opened = CaseOpened(
        case_id=id, order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, case_kind=kind, reason=reason, asked=asked, due=due
    )
    tx.tell(opened)
    return CaseStands.of(case)


def _askable(tx: Tx, order: Order, ask: OpenCase, lines: tuple[tuple[str, int], ...]) -> Money:
    """What is asked, or all that can be; refuses more than that."""
    earlier, agreed = store.cases_of(tx, order), store.terms(order)
    before, of_rest = cameback.had_before(order, earlier), claimed_of_rest(order, agreed, earlier)
    most = cases.most(order, agreed, lines, ask.reason, before=before, of_rest=of_rest)  # type: ignore[arg-type] # ids are texts
    left = Money(amount=most, currency=order.currency)
    return cases.checked(left if ask.amount is None else ask.amount, left)


def _see_right_of_return(tx: Tx, order: Order, reason: Reason, lines: tuple[tuple[VariantId, int], ...]) -> None:
    """Refuse what comes too late after the receipt, and a change of mind about goods that are never taken back once they have left.

    What came in exchange after the receipt has its own time.
    """
    settings = tx.port(OrderSettings)
    since = tx.now - settings.return_days * _DAY_MS
    if order.state is OrderState.RECEIVED and order.progress.received_at < since:
        exchanged = cases.exchanged_since(store.cases_of(tx, order), since)
        if any(quantity > exchanged.get(variant_id, 0) for variant_id, quantity in lines):
            raise Refused(CaseRefusal.TOO_LATE, f"{settings.return_days} days after the receipt")
    if reason is Reason.CHANGED_MIND and order.state is not OrderState.PAID and settings.return_excluded:
        asked = dict(lines)
        goods = tuple({item.goods_id: None for item in store.terms(order).items if item.variant_id in asked})
        for path in tx.ask(CategoriesOf(goods_ids=goods)).values():
            if not settings.return_excluded.isdisjoint(path):
                raise Refused(CaseRefusal.EXCLUDED)


@handles(WithdrawCase)
def withdraw_case(tx: Tx, ask: WithdrawCase) -> CaseStands:
    """Close it, and let the order go on."""
    return CaseStands.of(casework.closed(tx, casework.of_buyer(tx, ask.case_id), CaseEvent.WITHDRAW, Who.BUYER))


@handles(AcceptOffer)
def accept_offer(tx: Tx, ask: AcceptOffer) -> CaseStands:
    """Give back what is on offer, or have the goods sent back first."""
    case = casework.of_buyer(tx, ask.case_id)
    if case.details.offer_returns:
        return CaseStands.of(casework.stepped(tx, case, CaseEvent.ACCEPT_TO_RETURN, Who.BUYER, agreed=case.details.offered))
    return CaseStands.of(casework.granted(tx, case, CaseEvent.ACCEPT, Who.BUYER, case.details.offered)[0])


@handles(SendBack)
def send_back(tx: Tx, ask: SendBack) -> CaseStands:
    """Keep by what they travel, sealed, and wait for the shop to have them."""
    case = casework.of_buyer(tx, ask.case_id)
    cases.after(case, CaseEvent.SEND_BACK, Who.BUYER)
    changes: dict[str, Any] = {"carrier": ask.carrier, "sent_at": tx.now}
    if ask.postage is not None:
        cases.check_postage(case, ask.postage, tx.port(OrderSettings).return_postage_max)
        casepictures.check_receipt(tx, case, ask.receipt_id)
        changes |= {"postage": ask.postage.amount, "receipt": ask.receipt_id}
    changes["tracking"] = sealed(tx, case.buyer, ask.tracking)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.SEND_BACK, Who.BUYER, **changes))


# The shop answers


@handles(AgreeToCase)
def agree_to_case(tx: Tx, ask: AgreeToCase) -> CaseStands:
    """Give it back, or have the goods sent back first."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *GIVES_BACK)
    return CaseStands.of(_agreed(tx, case, Who.SHOP))


def _agreed(tx: Tx, case: Case, who: Who) -> Case:
    is_ruled = case.state is CaseState.HEARD and who is Who.CLOUD
    if case.wants_goods and case.details.kind is CaseKind.EXCHANGE and not is_ruled:
        return exchanging.agreed(tx, case, who)
    if case.wants_goods:
        return casework.stepped(tx, case, CaseEvent.AGREE_TO_RETURN, who, agreed=case.claim)
    return casework.granted(tx, case, CaseEvent.AGREE, who, case.claim)[0]


@handles(RefuseCase)
def refuse_case(tx: Tx, ask: RefuseCase) -> CaseStands:
    """Wait for what the buyer makes of that."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *SERVES)
    return CaseStands.of(casework.stepped(tx, case, CaseEvent.REFUSE, Who.SHOP, text=ask.text))


@handles(OfferInCase)
def offer_in_case(tx: Tx, ask: OfferInCase) -> CaseStands:
    """No more than is left of the order, and back only what has come."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *GIVES_BACK)
    order = casework.order_in(tx, case)
    cases.after(case, CaseEvent.OFFER, Who.SHOP)
    if ask.returns and (order.state not in (OrderState.SHIPPED, OrderState.RECEIVED) or case.details.reason in NEVER_CAME):
        raise Refused(CaseRefusal.REASON)
    offered = cases.checked(ask.amount, Money(amount=order.left, currency=order.currency)).amount
    made = casework.stepped(tx, case, CaseEvent.OFFER, Who.SHOP, text=ask.text, offered=offered, offer_returns=ask.returns)
    return CaseStands.of(made)


@handles(ConfirmReturn)
def confirm_return(tx: Tx, ask: ConfirmReturn) -> CaseStands:
    """Put the pieces back on hand, if they are to be sold again, and give back what was agreed on, or wait for the exchange.

    Where that has been decided before, by time or with all of the order's money, the pieces alone are put back.
    """
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *SERVES)
    if ask.location_id:
        tx.ask(LocationOf(shop_id=ask.shop_id, location_id=ask.location_id))
    if _comes_late(tx, case):
        moved = replace(case, details=replace(case.details, back_at=tx.now))
        tx.put(store.CASE, case.id, moved)
    elif case.details.held:
        moved = casework.stepped(tx, case, CaseEvent.ARRIVE_TO_EXCHANGE, Who.SHOP, back_at=tx.now, **casework.postage(tx, case))
    else:
        moved, _ = casework.granted(tx, case, CaseEvent.ARRIVE, Who.SHOP, case.claim, back_at=tx.now)
    if ask.restock:
        exchanging.restocked(tx, casework.order_in(tx, case), case, ask.location_id)
    return CaseStands.of(moved)


def _comes_late(tx: Tx, case: Case) -> bool:
    """Whether goods come that nothing waits for any more: their money, or other goods, went without them.

    Not those that went to the buyer again, or were ruled not to be there.
    """
    details = case.details
    if not details.sent_at or details.back_at or details.resent_at or details.goods is RuledGoods.NOT_THERE:
        return False
    if case.state is CaseState.CLOSED:
        return casework.order_in(tx, case).state is OrderState.REFUNDED
    return case.state in (CaseState.REFUNDED, CaseState.REPLACING, CaseState.REPLACED, CaseState.EXCHANGED)


# Nobody says anything


@handles(PassDeadline)
def pass_deadline(tx: Tx, ask: PassDeadline) -> None:
    """What `cases.BY_SILENCE` has for the state; nothing when the case has moved on, and later while its money cannot be given back."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    case = tx.get(store.CASE, ask.case_id)
    if case is None or case.due != ask.due:
        return
    if casework.order_in(tx, case).progress.taken or tx.ask(SplitUnderway(order_id=case.order_id)):  # a bank or a provider decides first
        tx.at(tx.now + _DAY_MS, ask)
        return
    event = cases.silence(case, is_there=bool(case.details.instead) and exchanging.is_there(tx, case))
    if event in (CaseEvent.AGREE, CaseEvent.AGREE_TO_RETURN, CaseEvent.AGREE_TO_EXCHANGE):
        _agreed(tx, case, Who.CLOUD)
    elif event is CaseEvent.OFFER:
        exchanging.offered_back(tx, case)
    elif event in (CaseEvent.RECEIVE, CaseEvent.RECEIVE_RESENT):
        exchanging.received(tx, case, Who.CLOUD)
    elif event is CaseEvent.WITHDRAW:
        casework.closed(tx, case, event, Who.CLOUD)
    elif event is CaseEvent.CLOSE_EVIDENCE:
        casework.stepped(tx, case, event, Who.CLOUD)
    elif event is CaseEvent.ARRIVE_TO_EXCHANGE:
        casework.stepped(tx, case, event, Who.CLOUD, **casework.postage(tx, case))
    else:
        casework.granted(tx, case, event, Who.CLOUD, case.claim)
