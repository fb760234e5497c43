"""Who is told what, fact by fact; what is written and the follower's cursor commit together, so that each cause is told once."""

from collections.abc import Iterable

from msgspec.structs import replace

from yunduan.domains.catalog.facts import ShopApplicationDecided, ShopApplied, ShopStateChanged, StockRanLow
from yunduan.domains.identity.facts import PersonErased
from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.domains.identity.queries import WorkersOf
from yunduan.domains.notices import store
from yunduan.domains.notices.giving import give
from yunduan.domains.notices.model import About, Due, NoticeKind
from yunduan.domains.orders.commands import GIVES_BACK, MANAGES, PACKS, RULES, SERVES
from yunduan.domains.orders.facts import (
    CaseMoved,
    CaseOpened,
    DispatchDue,
    DispatchExtended,
    OrderCancelled,
    OrderPaid,
    OrderPartlyShipped,
    OrderReceived,
    OrderRedirected,
    OrderRefunded,
    OrderRestCancelled,
    OrderReviewed,
    OrderShipped,
    ParcelScanned,
    PriceOffered,
    ReceiptExtended,
    ReviewAddedTo,
    ReviewJudged,
    ReviewReported,
)
from yunduan.domains.orders.model import Who, WordKind
from yunduan.domains.payments.facts import (
    CaptureReturned,
    ClaimPaidOff,
    DepositReleased,
    EscrowSettled,
    MoneyUnclaimed,
    NotificationMismatched,
    PayeeChecked,
    PaymentEnded,
    PaymentPutOff,
    PayoutBegun,
    PayoutEnded,
    PostagePaid,
    RefundFinished,
    SettledRefunded,
    WalletToppedUp,
)
from yunduan.domains.payments.model import TenderKind
from yunduan.domains.payments.queries import PaymentOf, RefundOf
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx

EARNS = (ShopRole.OWNER, ShopRole.FINANCE)
"""Who in a shop waits for its money."""


DECIDES = (OperatorRole.ADMIN, OperatorRole.RISK)
"""Who among the operators decides applications for shops."""
JUDGES = (OperatorRole.ADMIN, OperatorRole.SERVICE)
"""Who among the operators decides about reviews that were reported."""
_DECIDED = {"approved": NoticeKind.APPLICATION_APPROVED, "rejected": NoticeKind.APPLICATION_REJECTED}

APPROVES = (OperatorRole.ADMIN, OperatorRole.FINANCE)
"""Who among the operators approves payouts above the limit."""
_PAID_OUT = {"paid": NoticeKind.PAYOUT_PAID, "returned": NoticeKind.PAYOUT_RETURNED, "declined": NoticeKind.PAYOUT_DECLINED}
_CASE = {
    "agree": NoticeKind.CASE_AGREED,
    "agree_to_return": NoticeKind.CASE_RETURN_AGREED,
    "offer": NoticeKind.CASE_OFFERED,
    "refuse": NoticeKind.CASE_REFUSED,
    "accept": NoticeKind.CASE_ACCEPTED,
    "accept_to_return": NoticeKind.CASE_RETURN_AGREED,
    "send_back": NoticeKind.CASE_SENT_BACK,
    "arrive": NoticeKind.CASE_ARRIVED,
    "call_operator": NoticeKind.CASE_DISPUTED,
    "give_evidence": NoticeKind.CASE_EVIDENCE,
    "show_picture": NoticeKind.CASE_EVIDENCE,
    "close_evidence": NoticeKind.CASE_TO_RULE,
    "rule": NoticeKind.CASE_RULED,
    "dismiss": NoticeKind.CASE_DISMISSED,
    "withdraw": NoticeKind.CASE_WITHDRAWN,
    "agree_to_exchange": NoticeKind.CASE_EXCHANGE_AGREED,
    "arrive_to_exchange": NoticeKind.CASE_REPLACEMENT_DUE,
    "replace": NoticeKind.CASE_REPLACED,
    "receive": NoticeKind.CASE_EXCHANGED,
    "take_refund": NoticeKind.CASE_REFUND_INSTEAD,
}
"""What is told of what happens in a case."""


class _Telling:
    """What a run of facts makes due to people; who works in a shop is looked up once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._dues: list[Due] = []
        self._workers: dict[ShopId, dict[PersonId, frozenset[str]]] = {}

    def person(self, person: PersonId, kind: NoticeKind, about: About) -> None:
        """Due to one."""
        self._dues.append(Due(person, kind, about))

    def staff(self, shop: ShopId, roles: Iterable[ShopRole | OperatorRole], kind: NoticeKind, about: About) -> None:
        """Due to everybody who has one of these roles in a shop."""
        if shop not in self._workers:
            self._workers[shop] = self._tx.ask(WorkersOf(shop_id=shop))
        self._dues += [Due(person, kind, about) for person, held in self._workers[shop].items() if not held.isdisjoint(roles)]

    def operators(self, roles: Iterable[OperatorRole], kind: NoticeKind, about: About) -> None:
        """Due to everybody who has one of these roles among the operators: the marketplace's staff is that of no shop."""
        self.staff(ShopId(""), roles, kind, about)

    def owner(self, owner: str, kind: NoticeKind, about: About) -> None:
        """Due to whoever has this money: a person, or those who mind a shop's."""
        if owner.startswith("shp_"):
            shop = ShopId(owner)
            self.staff(shop, EARNS, kind, replace(about, shop_id=shop))
        else:
            self.person(PersonId(owner), kind, about)

    def give(self) -> None:
        """Give all of it."""
        give(self._tx, self._dues)


@hears(OrderPaid)
def on_order_paid(tx: Tx, facts: list[OrderPaid]) -> None:
    """To whoever packs, and to a buyer who had to wait for the channel; whoever paid at once has seen it."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.total)
        if not fact.at_once:
            telling.person(fact.buyer, NoticeKind.ORDER_PAID_LATE if fact.late else NoticeKind.ORDER_PAID, about)
        telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_PAID, about)
    telling.give()


@hears(PriceOffered)
def on_price_offered(tx: Tx, facts: list[PriceOffered]) -> None:
    """To the buyer, whose agreement it waits for; the shop hears when it has been paid."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.total)
        telling.person(fact.buyer, NoticeKind.ORDER_REPRICED, about)
    telling.give()


@hears(OrderShipped)
def on_order_shipped(tx: Tx, facts: list[OrderShipped]) -> None:
    """To the buyer."""
    telling = _Telling(tx)
    for fact in facts:
        telling.person(fact.buyer, NoticeKind.ORDER_SHIPPED, About(order_id=fact.order_id, shop_id=fact.shop_id))
    telling.give()


@hears(OrderPartlyShipped)
def on_order_partly_shipped(tx: Tx, facts: list[OrderPartlyShipped]) -> None:
    """To the buyer, of each parcel but the last."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, number=fact.parcel)
        telling.person(fact.buyer, NoticeKind.ORDER_PARTLY_SHIPPED, about)
    telling.give()


@hears(ParcelScanned)
def on_parcel_scanned(tx: Tx, facts: list[ParcelScanned]) -> None:
    """To the buyer, when it has been delivered; what lies between is in the order."""
    telling = _Telling(tx)
    for fact in facts:
        if fact.scan == "delivered":
            about = About(order_id=fact.order_id, shop_id=fact.shop_id, number=fact.parcel)
            telling.person(fact.buyer, NoticeKind.ORDER_DELIVERED, about)
    telling.give()


@hears(OrderRedirected)
def on_order_redirected(tx: Tx, facts: list[OrderRedirected]) -> None:
    """To whoever packs: what is printed may say another address."""
    telling = _Telling(tx)
    for fact in facts:
        telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_REDIRECTED, About(order_id=fact.order_id, shop_id=fact.shop_id))
    telling.give()


@hears(DispatchDue)
def on_dispatch_due(tx: Tx, facts: list[DispatchDue]) -> None:
    """To whoever packs, while there is time."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, until=fact.dispatch_by)
        telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_DUE, about)
    telling.give()


@hears(DispatchExtended)
def on_dispatch_extended(tx: Tx, facts: list[DispatchExtended]) -> None:
    """To whoever packs."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, until=fact.dispatch_by)
        telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_WAITED_FOR, about)
    telling.give()


@hears(OrderRestCancelled)
def on_order_rest_cancelled(tx: Tx, facts: list[OrderRestCancelled]) -> None:
    """To the side that has not done it."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.refunded)
        if fact.by == Who.CLOUD:
            telling.person(fact.buyer, NoticeKind.ORDER_OVERDUE, about)
            telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_OVERDUE, about)
        elif fact.by != Who.BUYER:
            telling.person(fact.buyer, NoticeKind.ORDER_REST_CANCELLED, about)
        else:
            telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_CANCELLED, about)
    telling.give()


@hears(OrderReceived)
def on_order_received(tx: Tx, facts: list[OrderReceived]) -> None:
    """To a buyer who has not said so themselves."""
    telling = _Telling(tx)
    for fact in facts:
        if fact.by != Who.BUYER:
            telling.person(fact.buyer, NoticeKind.ORDER_RECEIVED, About(order_id=fact.order_id, shop_id=fact.shop_id))
    telling.give()


@hears(EscrowSettled)
def on_escrow_settled(tx: Tx, facts: list[EscrowSettled]) -> None:
    """To whoever minds the shop's money."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.to_shop)
        telling.staff(fact.shop_id, EARNS, NoticeKind.SALE_RECEIVED, about)
    telling.give()


@hears(ReceiptExtended)
def on_receipt_extended(tx: Tx, facts: list[ReceiptExtended]) -> None:
    """To whoever answers buyers."""
    telling = _Telling(tx)
    for fact in facts:
        telling.staff(fact.shop_id, SERVES, NoticeKind.SALE_PUT_OFF, About(order_id=fact.order_id, shop_id=fact.shop_id))
    telling.give()


@hears(OrderCancelled)
def on_order_cancelled(tx: Tx, facts: list[OrderCancelled]) -> None:
    """To the side that has not done it: the shop of an order that was to be shipped, or the buyer."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.refunded)
        if fact.by == Who.CLOUD and fact.was_paid:
            telling.person(fact.buyer, NoticeKind.ORDER_OVERDUE, about)
            telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_OVERDUE, about)
        elif fact.by != Who.BUYER:
            kind = NoticeKind.ORDER_DECLINED if fact.was_paid else NoticeKind.ORDER_LAPSED
            telling.person(fact.buyer, kind, about)
        elif fact.was_paid:
            telling.staff(fact.shop_id, PACKS, NoticeKind.SALE_CANCELLED, about)
    telling.give()


@hears(OrderRefunded)
def on_order_refunded(tx: Tx, facts: list[OrderRefunded]) -> None:
    """To the buyer; to the shop as well when the marketplace has done it."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, refund_id=fact.refund_id, amount=fact.amount)
        telling.person(fact.buyer, NoticeKind.ORDER_REFUNDED, about)
        if fact.by == Who.OPERATOR:
            telling.staff(fact.shop_id, GIVES_BACK, NoticeKind.SALE_REFUNDED, about)
    telling.give()


@hears(RefundFinished)
def on_refund_finished(tx: Tx, facts: list[RefundFinished]) -> None:
    """To whoever had to wait for a channel; what goes back into the wallet is there at once."""
    telling = _Telling(tx)
    for fact in facts:
        refund = tx.ask(RefundOf(refund_id=fact.refund_id))
        about = About(order_id=fact.order_id, refund_id=fact.refund_id, amount=fact.diverted or fact.amount)
        if fact.diverted:
            telling.person(refund.payer, NoticeKind.REFUND_DIVERTED, about)
        elif any(piece.kind is TenderKind.CHANNEL for piece in refund.pieces):
            telling.person(refund.payer, NoticeKind.REFUND_ARRIVED, about)
    telling.give()


@hears(SettledRefunded)
def on_settled_refunded(tx: Tx, facts: list[SettledRefunded]) -> None:
    """To whoever minds the money that it was drawn from."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, refund_id=fact.refund_id, amount=fact.amount)
        telling.staff(fact.shop_id, EARNS, NoticeKind.SALE_DRAWN_BACK, about)
    telling.give()


@hears(PostagePaid)
def on_postage_paid(tx: Tx, facts: list[PostagePaid]) -> None:
    """To the buyer, and to whoever minds the money that it was drawn from."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.amount)
        telling.person(fact.person, NoticeKind.POSTAGE_PAID, about)
        telling.staff(fact.shop_id, EARNS, NoticeKind.SALE_POSTAGE, about)
    telling.give()


@hears(ClaimPaidOff)
def on_claim_paid_off(tx: Tx, facts: list[ClaimPaidOff]) -> None:
    """To whoever waits for the money that has gone into it."""
    telling = _Telling(tx)
    for fact in facts:
        telling.staff(fact.shop_id, EARNS, NoticeKind.CLAIM_PAID_OFF, About(shop_id=fact.shop_id, amount=fact.amount))
    telling.give()


@hears(DepositReleased)
def on_deposit_released(tx: Tx, facts: list[DepositReleased]) -> None:
    """To whoever waits for it."""
    telling = _Telling(tx)
    for fact in facts:
        telling.staff(fact.shop_id, EARNS, NoticeKind.DEPOSIT_RELEASED, About(shop_id=fact.shop_id, amount=fact.amount))
    telling.give()


@hears(OrderReviewed)
def on_order_reviewed(tx: Tx, facts: list[OrderReviewed]) -> None:
    """To whoever answers for the shop; never which order it was of, for a review is public under a pen name."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(shop_id=fact.shop_id, goods_id=fact.goods_id, review_id=fact.review_id, number=fact.stars)
        telling.staff(fact.shop_id, SERVES, NoticeKind.SALE_REVIEWED, about)
    telling.give()


@hears(ReviewAddedTo)
def on_review_added_to(tx: Tx, facts: list[ReviewAddedTo]) -> None:
    """To the side that has not said it."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(shop_id=fact.shop_id, goods_id=fact.goods_id, review_id=fact.review_id)
        if fact.kind == WordKind.ANSWER:
            telling.person(fact.author, NoticeKind.REVIEW_ANSWERED, about)
        else:
            telling.staff(fact.shop_id, SERVES, NoticeKind.REVIEW_CONTINUED, about)
    telling.give()


@hears(ReviewReported)
def on_review_reported(tx: Tx, facts: list[ReviewReported]) -> None:
    """To operators who decide about it."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(shop_id=fact.shop_id, goods_id=fact.goods_id, review_id=fact.review_id)
        telling.operators(JUDGES, NoticeKind.REVIEW_REPORTED, about)
    telling.give()


@hears(ReviewJudged)
def on_review_judged(tx: Tx, facts: list[ReviewJudged]) -> None:
    """To whoever had reported it, and to the author of what is hidden now."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(shop_id=fact.shop_id, goods_id=fact.goods_id, review_id=fact.review_id)
        for reporter in fact.reporters:
            telling.person(reporter, NoticeKind.REPORT_UPHELD if fact.is_hidden else NoticeKind.REPORT_DISMISSED, about)
        if fact.is_hidden and fact.is_new:
            telling.person(fact.author, NoticeKind.REVIEW_HIDDEN, about)
    telling.give()


@hears(WalletToppedUp)
def on_wallet_topped_up(tx: Tx, facts: list[WalletToppedUp]) -> None:
    """To whoever waits for the money."""
    telling = _Telling(tx)
    for fact in facts:
        telling.person(fact.person, NoticeKind.WALLET_TOPPED_UP, About(payment_id=fact.payment_id, amount=fact.amount))
    telling.give()


@hears(PaymentEnded)
def on_payment_ended(tx: Tx, facts: list[PaymentEnded]) -> None:
    """Of a top-up; what becomes of a checkout's orders is told by themselves."""
    telling = _Telling(tx)
    for fact in facts:
        if fact.checkout_id is None:
            payment = tx.ask(PaymentOf(payment_id=fact.payment_id))
            telling.person(payment.payer, NoticeKind.TOP_UP_FAILED, About(payment_id=payment.id, amount=payment.total))
    telling.give()


@hears(PaymentPutOff)
def on_payment_put_off(tx: Tx, facts: list[PaymentPutOff]) -> None:
    """To whoever has paid and sees nothing of it yet."""
    telling = _Telling(tx)
    for fact in facts:
        amount = tx.ask(PaymentOf(payment_id=fact.payment_id)).total
        telling.person(fact.payer, NoticeKind.PAYMENT_PUT_OFF, About(payment_id=fact.payment_id, amount=amount, until=fact.due))
    telling.give()


@hears(CaptureReturned)
def on_capture_returned(tx: Tx, facts: list[CaptureReturned]) -> None:
    """To whoever has paid too late."""
    telling = _Telling(tx)
    for fact in facts:
        payer = tx.ask(PaymentOf(payment_id=fact.payment_id)).payer
        telling.person(payer, NoticeKind.PAYMENT_RETURNED, About(payment_id=fact.payment_id, amount=fact.amount))
    telling.give()


@hears(StockRanLow)
def on_stock_ran_low(tx: Tx, facts: list[StockRanLow]) -> None:
    """To whoever packs."""
    telling = _Telling(tx)
    for fact in facts:
        kind = NoticeKind.STOCK_LOW if fact.available else NoticeKind.STOCK_OUT
        about = About(shop_id=fact.shop_id, goods_id=fact.goods_id, number=fact.available)
        telling.staff(fact.shop_id, PACKS, kind, about)
    telling.give()


@hears(ShopStateChanged)
def on_shop_state_changed(tx: Tx, facts: list[ShopStateChanged]) -> None:
    """To whoever runs the shop."""
    telling = _Telling(tx)
    for fact in facts:
        kind = NoticeKind.SHOP_REOPENED if fact.is_open else NoticeKind.SHOP_SUSPENDED
        telling.staff(fact.shop_id, MANAGES, kind, About(shop_id=fact.shop_id))
    telling.give()


@hears(ShopApplied)
def on_shop_applied(tx: Tx, facts: list[ShopApplied]) -> None:
    """To whoever decides."""
    telling = _Telling(tx)
    for fact in facts:
        telling.operators(DECIDES, NoticeKind.SHOP_APPLIED, About(application_id=fact.application_id))
    telling.give()


@hears(ShopApplicationDecided)
def on_shop_application_decided(tx: Tx, facts: list[ShopApplicationDecided]) -> None:
    """To whoever has applied, unless they have withdrawn it themselves."""
    telling = _Telling(tx)
    for fact in facts:
        kind = _DECIDED.get(fact.state)
        if kind is not None:
            telling.person(fact.applicant, kind, About(application_id=fact.application_id, shop_id=fact.shop_id))
    telling.give()


@hears(NotificationMismatched)
def on_notification_mismatched(tx: Tx, facts: list[NotificationMismatched]) -> None:
    """To whoever looks at what does not agree."""
    telling = _Telling(tx)
    for fact in facts:
        telling.operators((OperatorRole.FINANCE,), NoticeKind.PAYMENT_MISMATCHED, About(amount=fact.amount))
    telling.give()


@hears(PayeeChecked)
def on_payee_checked(tx: Tx, facts: list[PayeeChecked]) -> None:
    """To whoever is paid out to it."""
    telling = _Telling(tx)
    for fact in facts:
        telling.owner(fact.owner, NoticeKind.PAYEE_CONFIRMED if fact.is_theirs else NoticeKind.PAYEE_REFUSED, About())
    telling.give()


@hears(PayoutBegun)
def on_payout_begun(tx: Tx, facts: list[PayoutBegun]) -> None:
    """To operators who have to approve it."""
    telling = _Telling(tx)
    for fact in facts:
        if fact.is_awaited:
            telling.operators(APPROVES, NoticeKind.PAYOUT_AWAITED, About(payout_id=fact.payout_id, amount=fact.amount))
    telling.give()


@hears(PayoutEnded)
def on_payout_ended(tx: Tx, facts: list[PayoutEnded]) -> None:
    """To whoever waits for the money; of what was owed to its owner its refund tells, or that it waits again."""
    telling = _Telling(tx)
    for fact in facts:
        if not fact.is_of_wallet:
            continue
        telling.owner(fact.owner, _PAID_OUT[fact.state], About(payout_id=fact.payout_id, amount=fact.amount))
    telling.give()


@hears(MoneyUnclaimed)
def on_money_unclaimed(tx: Tx, facts: list[MoneyUnclaimed]) -> None:
    """To whoever it is owed to, each time; to operators when they have said nothing for long."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(order_id=fact.order_id, payment_id=fact.payment_id, amount=fact.amount)
        telling.person(fact.payer, NoticeKind.MONEY_UNCLAIMED, about)
        if fact.is_late:
            telling.operators(APPROVES, NoticeKind.UNCLAIMED_LATE, About(amount=fact.amount))
    telling.give()


@hears(CaseOpened)
def on_case_opened(tx: Tx, facts: list[CaseOpened]) -> None:
    """To whoever answers buyers."""
    telling = _Telling(tx)
    for fact in facts:
        about = About(case_id=fact.case_id, order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.asked, until=fact.due)
        telling.staff(fact.shop_id, SERVES, NoticeKind.CASE_OPENED, about)
    telling.give()


@hears(CaseMoved)
def on_case_moved(tx: Tx, facts: list[CaseMoved]) -> None:
    """To the side that has not done it, or to both; to operators when they are to rule. What ends with its order is told of that."""
    telling = _Telling(tx)
    for fact in facts:
        kind = _CASE.get(fact.event)
        if kind is None:
            continue
        if kind is NoticeKind.CASE_OFFERED and fact.by == Who.CLOUD:
            kind = NoticeKind.CASE_REPLACEMENT_GONE
        about = About(case_id=fact.case_id, order_id=fact.order_id, shop_id=fact.shop_id, amount=fact.amount, until=fact.due or None)
        if kind is NoticeKind.CASE_TO_RULE:
            telling.operators(RULES, kind, about)
            continue
        if fact.by != Who.BUYER:
            telling.person(fact.buyer, kind, about)
        if fact.by != Who.SHOP:
            telling.staff(fact.shop_id, SERVES, kind, about)
    telling.give()


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """What somebody was told goes with them."""
    for fact in facts:
        store.forget_person(tx, fact.person_id)


FOLLOWERS = (
    Follower(
        "notices",
        (
            on_order_paid,
            on_price_offered,
            on_order_shipped,
            on_order_partly_shipped,
            on_parcel_scanned,
            on_order_redirected,
            on_dispatch_due,
            on_dispatch_extended,
            on_order_rest_cancelled,
            on_order_received,
            on_escrow_settled,
            on_receipt_extended,
            on_order_cancelled,
            on_order_refunded,
            on_refund_finished,
            on_settled_refunded,
            on_postage_paid,
            on_claim_paid_off,
            on_deposit_released,
            on_order_reviewed,
            on_review_added_to,
            on_review_reported,
            on_review_judged,
            on_wallet_topped_up,
            on_payment_ended,
            on_payment_put_off,
            on_capture_returned,
            on_stock_ran_low,
            on_shop_state_changed,
            on_shop_applied,
            on_shop_application_decided,
            on_notification_mismatched,
            on_payee_checked,
            on_payout_begun,
            on_payout_ended,
            on_money_unclaimed,
            on_case_opened,
            on_case_moved,
            on_person_erased,
        ),
    ),
)
"""One cursor for all, so that everybody is told things in the order in which they happened."""
