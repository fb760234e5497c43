"""The table of notices: what has happened, what a notice of it is about, and who is told which.

A fact that concerns somebody has a line here, or a reason in `UNTOLD`; a test of the house holds that. Nobody is told of a step that
their own side has taken. The words are in `templates`, whose gaps are filled from what a notice is about.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from yunduan.domains.catalog import facts as catalog
from yunduan.domains.identity import facts as identity
from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.domains.ledger.facts import HoldExpired
from yunduan.domains.notices.audience import Audience, Roll, holders, is_shop, operators, person, staff
from yunduan.domains.notices.model import NoticeKind as Kind
from yunduan.domains.orders import facts as orders
from yunduan.domains.orders.commands import GIVES_BACK, MANAGES, PACKS, RULES, SERVES
from yunduan.domains.orders.model import Who, WordKind
from yunduan.domains.payments import facts as payments
from yunduan.domains.payments.model import TenderKind
from yunduan.domains.payments.queries import PaymentOf, RefundOf
from yunduan.domains.search import facts as search
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Fact
from yunduan.kernel.money import Money

Source = str | Callable[[Roll, Any], Any]
"""What a field of `About` is taken from: a field of the fact, or what is made of it."""


class By(Struct, frozen=True):
    """Which notice it is, by a field of the fact; none where nothing is said of its value."""

    field: str
    kinds: Mapping[Any, Kind]


class Only(Struct, frozen=True):
    """Of which facts alone something is told."""

    said: str
    """In words, for the reference."""
    holds: Callable[[Any], bool]


class Tell(Struct, frozen=True):
    """Who is told which notice, and of which facts alone."""

    to: Audience
    kind: Kind | By
    only: Only | None = None

    def kinds(self) -> tuple[Kind, ...]:
        """Every notice that it may be."""
        return tuple(self.kind.kinds.values()) if isinstance(self.kind, By) else (self.kind,)


class Cause(Struct, frozen=True):
    """One line of the table."""

    fact: type[Fact]
    about: Mapping[str, Source]
    """The fields of `About`, by where they are taken from; what is None there is left out."""
    tells: tuple[Tell, ...]

    def kinds(self) -> tuple[Kind, ...]:
        """Every notice that may come of it."""
        return tuple(kind for tell in self.tells for kind in tell.kinds())


def about(*same: str, **others: Source) -> dict[str, Source]:
    """What a notice is about: fields that the fact has under the same name, and others."""
    return {**{name: name for name in same}, **others}


def _payer(roll: Roll, fact: payments.PaymentEnded | payments.CaptureReturned) -> tuple[PersonId]:
    return (roll.tx.ask(PaymentOf(payment_id=fact.payment_id)).payer,)


def _unpaid(roll: Roll, fact: payments.PaymentEnded) -> Money:
    return roll.tx.ask(PaymentOf(payment_id=fact.payment_id)).total


def _whose(_: Roll, fact: payments.PayeeNamed | payments.PayeeChecked | payments.PayoutEnded) -> str | None:
    return fact.owner if is_shop(fact.owner) else None


def _waits_for_channel(roll: Roll, fact: payments.RefundFinished) -> tuple[PersonId, ...]:
    """What goes back into the wallet is there at once."""
    refund = roll.tx.ask(RefundOf(refund_id=fact.refund_id))
    return (refund.payer,) if any(piece.kind is TenderKind.CHANNEL for piece in refund.pieces) else ()


def _where(_: Roll, fact: identity.RoleGranted | identity.RoleWithdrawn) -> str | None:
    return fact.shop_id or None


ONESELF = person("person_id", "oneself")
BUYER = person("buyer", "the buyer")
WAITER = person("payer", "who paid")
AUTHOR = person("author", "who wrote the review")
REPORTERS = Audience("who reported it", lambda _, fact: fact.reporters)
APPLICANT = person("applicant", "who applied")
PAYER = Audience("who paid", _payer)
WAITING = Audience("who paid, unless all of it went back into the wallet", _waits_for_channel)
PACKERS = staff(*PACKS)
SERVICE = staff(*SERVES)
MANAGERS = staff(*MANAGES)
GIVERS = staff(*GIVES_BACK)
EARNERS = staff(ShopRole.OWNER, ShopRole.FINANCE)
"""Who in a shop waits for its money."""
HOLDERS = holders(ShopRole.OWNER, ShopRole.FINANCE)
EVERYBODY = staff(*ShopRole)
"""Whoever ships, answers or minds the money."""
JUDGES = operators(*RULES)
MODERATORS = operators(OperatorRole.ADMIN, OperatorRole.SERVICE)
"""Who decides about reviews that were reported."""
DECIDERS = operators(OperatorRole.ADMIN, OperatorRole.RISK)
"""Who decides applications for shops, and about goods."""
APPROVERS = operators(OperatorRole.ADMIN, OperatorRole.FINANCE)
"""Who approves payouts above the limit."""
LISTENERS = operators(OperatorRole.ADMIN, OperatorRole.FINANCE, OperatorRole.RISK)
"""Who speaks with channels about what banks take back."""
BOOKKEEPERS = operators(OperatorRole.FINANCE)

NEW_DEVICE = Only("on a device that was not known", lambda it: it.on_new_device)
REVOKED = Only("from another device, and it alone", lambda it: it.revoked)
BY_OTHERS = Only("by somebody else", lambda it: it.by != it.person_id)
GIVEN = Only("by somebody else, and not with the shop", lambda it: it.by != it.person_id and not it.founds)
SOLD_OUT = Only("other goods that were agreed on are gone", lambda it: it.event == "offer" and it.by == Who.CLOUD)
LATER = Only("paid later than it was placed", lambda it: not it.at_once)
BY_TIME = Only("by time", lambda it: it.by == Who.CLOUD)
PAID_AND_OVERDUE = Only("paid, and by time", lambda it: it.was_paid and it.by == Who.CLOUD)
CALLED_OFF = Only("not by the buyer, nor paid and by time", lambda it: it.by != Who.BUYER and not (it.was_paid and it.by == Who.CLOUD))
BY_BUYER = Only("by the buyer", lambda it: it.by == Who.BUYER)
END = Only("by which its way has ended", lambda it: it.is_end)
REST_CALLED_OFF = Only("of what had not left, with which the order ended", lambda it: it.called_off)
OF_ORDERS = Only("of orders", lambda it: it.checkout_id is not None)
OF_TOP_UP = Only("of a top-up", lambda it: it.checkout_id is None)
GOES_ON = Only("something is left of it", lambda it: not it.whole)
ABOVE_LIMIT = Only("above the limit", lambda it: it.is_awaited)
SOME_LEFT = Only("some are left", lambda it: it.available > 0)
NONE_LEFT = Only("none is left", lambda it: it.available == 0)

_ORDER = about("order_id", "shop_id")
_CASE = about("case_id", "order_id", "shop_id")
_ASKED = {"refund": Kind.CASE_OPENED, "return": Kind.CASE_RETURN_ASKED, "exchange": Kind.CASE_EXCHANGE_ASKED}
_STEP = By(
    "event",
    {
        "agree": Kind.CASE_AGREED,
        "agree_to_return": Kind.CASE_RETURN_AGREED,
        "offer": Kind.CASE_OFFERED,
        "refuse": Kind.CASE_REFUSED,
        "accept": Kind.CASE_ACCEPTED,
        "accept_to_return": Kind.CASE_RETURN_AGREED,
        "send_back": Kind.CASE_SENT_BACK,
        "arrive": Kind.CASE_ARRIVED,
        "call_operator": Kind.CASE_DISPUTED,
        "give_evidence": Kind.CASE_EVIDENCE,
        "show_picture": Kind.CASE_EVIDENCE,
        "rule": Kind.CASE_RULED,
        "dismiss": Kind.CASE_DISMISSED,
        "withdraw": Kind.CASE_WITHDRAWN,
        "agree_to_exchange": Kind.CASE_EXCHANGE_AGREED,
        "arrive_to_exchange": Kind.CASE_REPLACEMENT_DUE,
        "replace": Kind.CASE_REPLACED,
        "receive": Kind.CASE_EXCHANGED,
        "take_refund": Kind.CASE_REFUND_INSTEAD,
        "rule_to_resend": Kind.CASE_RESEND_RULED,
        "resend": Kind.CASE_RESENT,
        "receive_resent": Kind.CASE_HAD_AGAIN,
        "pay_back": Kind.CASE_NOT_RESENT,
    },
)
"""What is told of a step in a case. Its end with the order is told of the order; that evidence is closed, to operators alone."""

CAUSES: tuple[Cause, ...] = (
    # Who may use an account
    Cause(
        identity.PersonSignedIn,
        {},
        (Tell(ONESELF, Kind.DEVICE_SIGNED_IN, NEW_DEVICE),),
    ),
    Cause(identity.SessionEnded, {}, (Tell(ONESELF, Kind.DEVICE_SIGNED_OUT, REVOKED),)),
    Cause(identity.OtherSessionsEnded, about(number="ended"), (Tell(ONESELF, Kind.DEVICES_SIGNED_OUT),)),
    Cause(identity.ContactConfirmed, about(contact="kind"), (Tell(ONESELF, Kind.CONTACT_CONFIRMED),)),
    Cause(identity.RoleGranted, about("role", shop_id=_where), (Tell(ONESELF, Kind.ROLE_GIVEN, GIVEN),)),
    Cause(identity.RoleWithdrawn, about("role", shop_id=_where), (Tell(ONESELF, Kind.ROLE_TAKEN, BY_OTHERS),)),
    # An order, until it has left
    Cause(
        orders.OrderPaid,
        _ORDER | about(amount="total"),
        (
            Tell(BUYER, By("late", {True: Kind.ORDER_PAID_LATE, False: Kind.ORDER_PAID}), LATER),
            Tell(PACKERS, Kind.SALE_PAID),
        ),
    ),
    Cause(
        payments.PaymentPutOff,
        about("payment_id", amount=_unpaid, until="due"),
        (Tell(WAITER, Kind.PAYMENT_PUT_OFF, OF_ORDERS), Tell(WAITER, Kind.TOP_UP_PUT_OFF, OF_TOP_UP)),
    ),
    Cause(orders.PriceOffered, _ORDER | about(amount="total"), (Tell(BUYER, Kind.ORDER_REPRICED),)),
    Cause(orders.OfferTakenBack, _ORDER | about(amount="total"), (Tell(BUYER, Kind.OFFER_TAKEN_BACK),)),
    Cause(orders.PriceAgreed, about("shop_id", order_id="placed_as", amount="total"), (Tell(SERVICE, Kind.SALE_REPRICED),)),
    Cause(orders.OrderRedirected, _ORDER, (Tell(PACKERS, Kind.SALE_REDIRECTED, Only("paid", lambda it: it.is_paid)),)),
    Cause(orders.DispatchDue, _ORDER | about(until="dispatch_by"), (Tell(PACKERS, Kind.SALE_DUE),)),
    Cause(orders.DispatchExtended, _ORDER | about(until="dispatch_by"), (Tell(PACKERS, Kind.SALE_WAITED_FOR),)),
    Cause(
        orders.OrderCancelled,
        _ORDER | about(amount="refunded"),
        (
            Tell(BUYER, Kind.ORDER_OVERDUE, PAID_AND_OVERDUE),
            Tell(PACKERS, Kind.SALE_OVERDUE, PAID_AND_OVERDUE),
            Tell(BUYER, By("was_paid", {True: Kind.ORDER_DECLINED, False: Kind.ORDER_LAPSED}), CALLED_OFF),
            Tell(PACKERS, Kind.SALE_CANCELLED, Only("paid, and by the buyer", lambda it: it.was_paid and it.by == Who.BUYER)),
        ),
    ),
    Cause(
        orders.OrderRestCancelled,
        _ORDER | about(amount="refunded"),
        (
            Tell(BUYER, Kind.ORDER_OVERDUE, BY_TIME),
            Tell(PACKERS, Kind.SALE_OVERDUE, BY_TIME),
            Tell(BUYER, Kind.ORDER_REST_CANCELLED, Only("by the shop or an operator", lambda it: it.by not in (Who.BUYER, Who.CLOUD))),
            Tell(PACKERS, Kind.SALE_CANCELLED, BY_BUYER),
        ),
    ),
    # On its way, and there
    Cause(orders.OrderWaits, _ORDER | about(until="back_at"), (Tell(BUYER, Kind.ORDER_WAITS),)),
    Cause(orders.OrderShipped, _ORDER, (Tell(BUYER, Kind.ORDER_SHIPPED),)),
    Cause(orders.OrderPartlyShipped, _ORDER | about(number="parcel"), (Tell(BUYER, Kind.ORDER_PARTLY_SHIPPED),)),
    Cause(
        orders.ParcelScanned,
        _ORDER | about(number="parcel", until=lambda _, it: it.back_by or None),
        (
            Tell(BUYER, By("scan", {"delivered": Kind.ORDER_DELIVERED, "returned": Kind.ORDER_CAME_BACK}), END),
            Tell(PACKERS, By("scan", {"returned": Kind.SALE_CAME_BACK}), END),
        ),
    ),
    Cause(orders.ParcelSentAgain, _ORDER | about(number="sent_as"), (Tell(BUYER, Kind.ORDER_SENT_AGAIN),)),
    Cause(
        orders.ParcelGivenBack,
        _ORDER | about("amount", number="parcel"),
        (Tell(PACKERS, Kind.SALE_NOT_SENT_AGAIN, BY_TIME),),
    ),
    Cause(orders.ReceiptExtended, _ORDER, (Tell(SERVICE, Kind.SALE_PUT_OFF),)),
    Cause(
        orders.OrderReceived,
        _ORDER,
        (Tell(BUYER, By("by", {Who.CLOUD: Kind.ORDER_RECEIVED, Who.OPERATOR: Kind.ORDER_RULED})),),
    ),
    Cause(payments.EscrowSettled, _ORDER | about(amount="to_shop"), (Tell(EARNERS, Kind.SALE_RECEIVED),)),
    Cause(
        payments.SplitRefused,
        _ORDER | about("amount"),
        (Tell(APPROVERS, Kind.SPLIT_REFUSED), Tell(EARNERS, Kind.SALE_SPLIT_LATE)),
    ),
    # Money back
    Cause(
        orders.OrderRefunded,
        _ORDER | about("refund_id", "amount"),
        (
            Tell(
                BUYER,
                Kind.ORDER_REFUNDED,
                Only("not of what had not left, nor in a case", lambda it: not it.called_off and it.case_id is None),
            ),
            Tell(BUYER, By("by", {Who.CLOUD: Kind.ORDER_OVERDUE, Who.SHOP: Kind.ORDER_REST_CANCELLED}), REST_CALLED_OFF),
            Tell(PACKERS, By("by", {Who.CLOUD: Kind.SALE_OVERDUE, Who.BUYER: Kind.SALE_CANCELLED}), REST_CALLED_OFF),
            Tell(GIVERS, Kind.SALE_REFUNDED, Only("by an operator", lambda it: it.by == Who.OPERATOR)),
        ),
    ),
    Cause(
        payments.RefundFinished,
        about("order_id", "refund_id", amount=lambda _, it: it.diverted or it.amount),
        (
            Tell(WAITING, Kind.REFUND_DIVERTED, Only("a part of it was diverted to the wallet", lambda it: bool(it.diverted))),
            Tell(WAITING, Kind.REFUND_ARRIVED, Only("nothing of it was diverted", lambda it: not it.diverted)),
        ),
    ),
    Cause(
        payments.HoldEnding, _ORDER | about("amount", "until"), (Tell(APPROVERS, Kind.HOLD_ENDING), Tell(EARNERS, Kind.SALE_HOLD_ENDING))
    ),
    Cause(
        payments.KeptEnding,
        about("order_id", "amount", "until"),
        (
            Tell(WAITER, Kind.UNCLAIMED_ENDING, Only("twice, while they have not said where it goes", lambda it: it.asks)),
            Tell(APPROVERS, Kind.KEPT_ENDING),
        ),
    ),
    Cause(payments.SplitKept, _ORDER | about("refund_id", "amount"), (Tell(EARNERS, Kind.SALE_SPLIT_KEPT),)),
    Cause(payments.SettledRefunded, _ORDER | about("refund_id", "amount"), (Tell(EARNERS, Kind.SALE_DRAWN_BACK),)),
    Cause(
        payments.PostagePaid,
        _ORDER | about("amount"),
        (Tell(person("person", "who sent the goods back"), Kind.POSTAGE_PAID), Tell(EARNERS, Kind.SALE_POSTAGE)),
    ),
    Cause(
        payments.MoneyUnclaimed,
        about("order_id", "payment_id", "amount"),
        (Tell(WAITER, Kind.MONEY_UNCLAIMED), Tell(APPROVERS, Kind.UNCLAIMED_LATE, Only("after half a year", lambda it: it.is_late))),
    ),
    Cause(payments.ClaimPaidOff, about("shop_id", "amount"), (Tell(EARNERS, Kind.CLAIM_PAID_OFF),)),
    Cause(payments.DepositReleased, about("shop_id", "amount"), (Tell(EARNERS, Kind.DEPOSIT_RELEASED),)),
    # Taken back by the payer's bank
    Cause(
        orders.OrderChargedBack,
        _ORDER | about("amount", until="due"),
        (Tell(BUYER, Kind.ORDER_CHARGED_BACK), Tell(EVERYBODY, Kind.SALE_CHARGED_BACK)),
    ),
    Cause(
        orders.OrderChargebackEnded,
        _ORDER | about("amount"),
        (
            Tell(BUYER, By("won", {True: Kind.ORDER_GOES_ON, False: Kind.ORDER_PART_LOST}), GOES_ON),
            Tell(BUYER, Kind.ORDER_LOST, Only("nothing is left of it", lambda it: it.whole)),
            Tell(EVERYBODY, By("won", {True: Kind.CHARGEBACK_WON, False: Kind.CHARGEBACK_LOST})),
        ),
    ),
    Cause(payments.ChargebackOpened, about("payment_id", "amount", until="due"), (Tell(BOOKKEEPERS, Kind.CHARGEBACK_OPENED),)),
    Cause(payments.EvidenceDue, _ORDER | about("amount", until="due"), (Tell(GIVERS, Kind.EVIDENCE_DUE),)),
    Cause(
        payments.EvidenceRefused,
        about("shop_id", "amount", until="due"),
        (Tell(GIVERS, Kind.EVIDENCE_REFUSED), Tell(LISTENERS, Kind.EVIDENCE_REFUSED)),
    ),
    Cause(payments.ConcessionRefused, about("amount"), (Tell(LISTENERS, Kind.CONCESSION_REFUSED),)),
    # Cases
    Cause(orders.CaseOpened, _CASE | about(amount="asked", until="due"), (Tell(SERVICE, By("case_kind", _ASKED)),)),
    Cause(
        orders.CaseMoved,
        _CASE | about("amount", until=lambda _, it: it.due or None),
        (
            Tell(BUYER, Kind.CASE_REPLACEMENT_GONE, SOLD_OUT),
            Tell(SERVICE, Kind.CASE_REPLACEMENT_GONE, SOLD_OUT),
            Tell(BUYER, _STEP, Only("not by the buyer", lambda it: it.by != Who.BUYER and not SOLD_OUT.holds(it))),
            Tell(SERVICE, _STEP, Only("not by the shop", lambda it: it.by != Who.SHOP and not SOLD_OUT.holds(it))),
            Tell(JUDGES, By("event", {"close_evidence": Kind.CASE_TO_RULE})),
        ),
    ),
    # Reviews: never which order it was of, for a review is public under a pen name
    Cause(orders.OrderReviewed, about("shop_id", "goods_id", "review_id", number="stars"), (Tell(SERVICE, Kind.SALE_REVIEWED),)),
    Cause(
        orders.ReviewAddedTo,
        about("shop_id", "goods_id", "review_id"),
        (
            Tell(AUTHOR, By("kind", {WordKind.ANSWER: Kind.REVIEW_ANSWERED})),
            Tell(SERVICE, By("kind", {WordKind.FOLLOW_UP: Kind.REVIEW_CONTINUED})),
        ),
    ),
    Cause(orders.ReviewReported, about("shop_id", "goods_id", "review_id"), (Tell(MODERATORS, Kind.REVIEW_REPORTED),)),
    Cause(
        orders.ReviewJudged,
        about("shop_id", "goods_id", "review_id"),
        (
            Tell(REPORTERS, By("is_hidden", {True: Kind.REPORT_UPHELD, False: Kind.REPORT_DISMISSED})),
            Tell(AUTHOR, Kind.REVIEW_HIDDEN, Only("hidden by it", lambda it: it.is_hidden and it.is_new)),
        ),
    ),
    # What was waited for
    Cause(catalog.WaitEnded, about("shop_id", "goods_id", "variant_id"), (Tell(ONESELF, Kind.BACK_IN_STOCK),)),
    # Money in and out
    Cause(payments.WalletToppedUp, about("payment_id", "amount"), (Tell(person("person", "whose wallet it is"), Kind.WALLET_TOPPED_UP),)),
    Cause(
        payments.PaymentEnded,
        about("payment_id", amount=_unpaid),
        (Tell(PAYER, Kind.TOP_UP_FAILED, OF_TOP_UP),),
    ),
    Cause(payments.CaptureReturned, about("payment_id", "amount"), (Tell(PAYER, Kind.PAYMENT_RETURNED),)),
    Cause(payments.NotificationMismatched, about("amount"), (Tell(BOOKKEEPERS, Kind.PAYMENT_MISMATCHED),)),
    Cause(payments.PayeeNamed, about(shop_id=_whose, until="usable_at"), (Tell(HOLDERS, Kind.PAYEE_NAMED),)),
    Cause(
        payments.PayeeChecked,
        about(shop_id=_whose),
        (Tell(HOLDERS, By("is_theirs", {True: Kind.PAYEE_CONFIRMED, False: Kind.PAYEE_REFUSED})),),
    ),
    Cause(
        payments.PayoutBegun,
        about("payout_id", "amount"),
        (Tell(APPROVERS, Kind.PAYOUT_AWAITED, ABOVE_LIMIT),),
    ),
    Cause(
        payments.PayoutEnded,
        about("payout_id", "amount", shop_id=_whose),
        (
            Tell(
                HOLDERS,
                By(
                    "state",
                    {
                        "paid": Kind.PAYOUT_PAID,
                        "returned": Kind.PAYOUT_RETURNED,
                        "declined": Kind.PAYOUT_DECLINED,
                    },
                ),
                Only("of a balance; of what was owed to somebody its refund tells, or that it waits again", lambda it: it.is_of_wallet),
            ),
        ),
    ),
    # Shops
    Cause(
        catalog.StockRanLow,
        about("shop_id", "goods_id", number="available"),
        (
            Tell(PACKERS, Kind.STOCK_LOW, SOME_LEFT),
            Tell(PACKERS, Kind.STOCK_OUT, NONE_LEFT),
        ),
    ),
    Cause(catalog.GoodsToReview, about("shop_id", "goods_id"), (Tell(DECIDERS, Kind.GOODS_TO_REVIEW),)),
    Cause(
        catalog.GoodsRuled,
        about("shop_id", "goods_id"),
        (
            Tell(
                MANAGERS,
                By(
                    "ruled",
                    {
                        "approve": Kind.GOODS_APPROVED,
                        "reject": Kind.GOODS_REJECTED,
                        "ban": Kind.GOODS_BANNED,
                        "lift": Kind.BAN_LIFTED,
                    },
                ),
            ),
        ),
    ),
    Cause(
        catalog.ShopStateChanged,
        about("shop_id"),
        (Tell(MANAGERS, By("is_open", {True: Kind.SHOP_REOPENED, False: Kind.SHOP_SUSPENDED})),),
    ),
    Cause(catalog.ShopApplied, about("application_id"), (Tell(DECIDERS, Kind.SHOP_APPLIED),)),
    Cause(
        catalog.ShopApplicationDecided,
        about("application_id", "shop_id"),
        (Tell(APPLICANT, By("state", {"approved": Kind.APPLICATION_APPROVED, "rejected": Kind.APPLICATION_REJECTED})),),
    ),
)
"""Heard from one cursor, so that everybody is told things in the order in which they happened."""

UNTOLD: Mapping[type[Fact], str] = {
    orders.OrderPlaced: "who placed it has seen it; the shop hears when it is paid",
    payments.SplitAsked: "what comes of it is told of",
    payments.PaymentCaptured: "each of its orders is told of",
    payments.EscrowRefunded: "the order's refund is told of",
    payments.ChargebackMoved: "what comes of it is told of each order, and of evidence that is due",
    orders.TaxesSet: "a step of the operators' own",
    payments.DepositPledged: "a step of the shop's own",
    payments.DifferenceBooked: "of imports alone",
    catalog.ShopHolidaySet: "each order that waits for the shop is told of",
    catalog.ShopChanged: "a step of the shop's own",
    catalog.StandingsShown: "nobody waits for it",
    search.QueriesNoted: "nobody waits for it",
    search.SearchSettingsChanged: "a step of the operators' own",
    catalog.ShopCreated: "who applied is told that it was approved",
    catalog.CategoryCreated: "nobody waits for it",
    catalog.CategoryChanged: "nobody waits for it",
    catalog.StockCameBack: "each who waits for it is told that the wait is over",
    catalog.GoodsChanged: "a step of the shop's own; what operators decide about goods is told of",
    identity.PersonRegistered: "a step of one's own",
    identity.PersonErased: "nobody is left who could be told; what they were told goes",
    HoldExpired: "what the hold was for is told of",
}
"""Facts of which nobody is told, and why."""
