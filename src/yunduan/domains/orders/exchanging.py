"""Other goods for those that are sent back: held from the agreement on, sent when the first are back, received, or money instead."""

from yunduan.domains.catalog.commands import HoldStock, ReturnStock, TakeStock
from yunduan.domains.catalog.model import CatalogRefusal, HoldLine, Left, Offer, SoldOut
from yunduan.domains.catalog.queries import OffersOf, SourcesOf
from yunduan.domains.orders import cases, casework, store
from yunduan.domains.orders.cases import Case, CaseEvent, CaseRefusal, CaseState
from yunduan.domains.orders.casework import CASE_REFUSALS, CaseStands
from yunduan.domains.orders.commands import PACKS
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS
from yunduan.domains.orders.model import Gone, Order, OrderRefusal, Who
from yunduan.domains.orders.receiving import receive_by_country
from yunduan.domains.orders.shipping import Carrier, Tracking
from yunduan.domains.orders.steps import sealed
from yunduan.domains.payments.commands import SettleEscrow
from yunduan.domains.payments.model import PaymentRefusal
from yunduan.kernel.ids import CaseId, LocationId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

EXCHANGE_REFUSALS = frozenset(
    {CaseRefusal.EXCHANGE, CaseRefusal.PRICE_DIFFERS, OrderRefusal.GOODS_GONE, CatalogRefusal.SOLD_OUT, *OffersOf.refuses}
)
"""Why what is wanted instead is not to be had."""


class SendReplacement(Command[CaseStands], refuses={*CASE_REFUSALS, PaymentRefusal.CHARGED_BACK, *TakeStock.refuses}):
    """Say that what is given in exchange has left the shop, and by whom it travels; not while a bank has money of the order."""

    shop_id: ShopId
    case_id: CaseId
    carrier: Carrier
    tracking: Tracking


class ReceiveReplacement(Command[CaseStands], refuses={*CASE_REFUSALS, *SettleEscrow.refuses}, spends_key=True):
    """Say that what the shop has sent in a case has come: it is closed, and the order goes on.

    With goods that were sent again because it was ruled so, the shop has its money.
    """

    case_id: CaseId


class TakeRefundInstead(Command[CaseStands], refuses={*CASE_REFUSALS, *GIVING_BACK_REFUSALS}, spends_key=True):
    """Have the money instead, while the shop has the goods that came back and has sent nothing for them."""

    case_id: CaseId


def check_wanted(tx: Tx, order: Order, lines: tuple[tuple[VariantId, int], ...], instead: VariantId) -> None:
    """Refuse what is not sold, of which there is too little, and what is no fair exchange."""
    offer = tx.ask(OffersOf(variant_ids=(instead,)))[instead]
    cases.check_exchange(store.terms(order), lines, offer.variant, order.currency)
    if not offer.variant.on_sale:
        raise Refused(OrderRefusal.GOODS_GONE, "not sold any more", figures=Gone(variants=(instead,)))
    if not _is_left(offer, sum([quantity for _, quantity in lines])):
        figures = SoldOut(lines=(Left(variant_id=instead, available=max(0, offer.available)),))
        raise Refused(CatalogRefusal.SOLD_OUT, "there is too little left", figures=figures)


def _is_left(offer: Offer, pieces: int) -> bool:
    return offer.available >= pieces


def _wanted(case: Case) -> VariantId:
    instead = case.details.instead
    invariant(instead is not None, "an exchange names what is wanted")
    return instead  # type: ignore[return-value] # the line above says so


def is_there(tx: Tx, case: Case) -> bool:
    """Whether what is wanted instead could be held now."""
    instead = _wanted(case)
    try:
        offer = tx.ask(OffersOf(variant_ids=(instead,)))[instead]
        tx.ask(SourcesOf(lines=(HoldLine(variant_id=instead, quantity=case.pieces),), country="", region=""))
    except Refused:  # too little of it in any one place that sends it, or the shop has taken the variant out of its goods
        return False
    return offer.variant.on_sale


def agreed(tx: Tx, case: Case, who: Who) -> Case:
    """Hold what is wanted instead, and have the goods sent back; refused when there is too little of it."""
    cases.after(case, CaseEvent.AGREE_TO_EXCHANGE, who)
    line = HoldLine(variant_id=_wanted(case), quantity=case.pieces)
    tx.send(HoldStock(hold_id=cases.hold_of(case.id), lines=(line,)))
    return casework.stepped(tx, case, CaseEvent.AGREE_TO_EXCHANGE, who, agreed=case.claim, held=True)


def offered_back(tx: Tx, case: Case) -> Case:
    """What was wanted instead is gone: all that was paid for the goods is on offer for sending them back, and the buyer has the say."""
    left = min(case.claim, casework.order_in(tx, case).left)
    return casework.stepped(tx, case, CaseEvent.OFFER, Who.CLOUD, offered=left, offer_returns=True)


def restocked(tx: Tx, order: Order, case: Case, location_id: LocationId | None) -> None:
    """Put what came back on hand: the pieces that were bought, or those that an earlier case has given in exchange for them."""
    number = int(case.id[-1], 16)
    before = tx.get_many(store.CASE, [cases.case_id_of(order.id, one) for one in range(number)])
    back = cases.came_back(order, store.terms(order), before.values(), case)
    for hold_id, pieces in back.items():
        lines = tuple([HoldLine(variant_id=variant_id, quantity=quantity) for variant_id, quantity in pieces.items()])
        tx.send(ReturnStock(hold_id=hold_id, lines=lines, location_id=location_id))


@handles(SendReplacement)
def send_replacement(tx: Tx, ask: SendReplacement) -> CaseStands:
    """Let its pieces go, and wait for the buyer to have them."""
    case = casework.of_shop(tx, ask.shop_id, ask.case_id, *PACKS)
    cases.after(case, CaseEvent.REPLACE, Who.SHOP)
    order = casework.order_in(tx, case)
    if order.progress.taken:
        raise Refused(PaymentRefusal.CHARGED_BACK)
    due = receive_by_country(tx, order)
    tracking = sealed(tx, case.buyer, ask.tracking)
    tx.send(TakeStock(hold_id=cases.hold_of(case.id)))
    sent = casework.stepped(
        tx, case, CaseEvent.REPLACE, Who.SHOP, due=due, held=False, carrier_out=ask.carrier, tracking_out=tracking, replaced_at=tx.now
    )
    return CaseStands.of(sent)


@handles(ReceiveReplacement)
def receive_replacement(tx: Tx, ask: ReceiveReplacement) -> CaseStands:
    """Nothing goes back; what the order holds goes on as before, or as it was ruled."""
    return CaseStands.of(received(tx, casework.of_buyer(tx, ask.case_id), Who.BUYER))


def received(tx: Tx, case: Case, who: Who) -> Case:
    """What the shop has sent is there: other goods, or those that it was ruled to send again."""
    if case.state is not CaseState.RESENT:
        return casework.closed(tx, case, CaseEvent.RECEIVE, who)
    ended = casework.closed(tx, case, CaseEvent.RECEIVE_RESENT, who)
    casework.divided(tx, casework.order_in(tx, case), who)
    return ended


@handles(TakeRefundInstead)
def take_refund_instead(tx: Tx, ask: TakeRefundInstead) -> CaseStands:
    """What is held for the exchange is free again."""
    case = casework.of_buyer(tx, ask.case_id)
    return CaseStands.of(casework.granted(tx, case, CaseEvent.TAKE_REFUND, Who.BUYER, case.claim)[0])
