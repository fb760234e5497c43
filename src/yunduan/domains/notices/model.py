"""What can be told, by which ways, and when: values and pure decisions."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from yunduan.domains.identity.model import DAY_MS, HOUR_MS, MINUTE_MS, Language
from yunduan.kernel.ids import (
    AnyId,
    ApplicationId,
    CaseId,
    GoodsId,
    NoticeLetterId,
    OrderId,
    PaymentId,
    PersonId,
    RefundId,
    ReviewId,
    ShopId,
    VariantId,
)
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import RefusalCode


class NoticeKind(StrEnum):
    """What is told: to buyers and whoever has money here, to both sides of a case, to those who work in a shop, to operators."""

    DEVICE_SIGNED_IN = "device_signed_in"
    DEVICE_SIGNED_OUT = "device_signed_out"
    DEVICES_SIGNED_OUT = "devices_signed_out"
    CONTACT_CONFIRMED = "contact_confirmed"
    ROLE_GIVEN = "role_given"
    ROLE_TAKEN = "role_taken"
    ORDER_PAID = "order_paid"
    ORDER_PAID_LATE = "order_paid_late"
    PAYMENT_PUT_OFF = "payment_put_off"
    ORDER_REPRICED = "order_repriced"
    OFFER_TAKEN_BACK = "offer_taken_back"
    ORDER_SHIPPED = "order_shipped"
    ORDER_PARTLY_SHIPPED = "order_partly_shipped"
    ORDER_DELIVERED = "order_delivered"
    ORDER_CAME_BACK = "order_came_back"
    ORDER_SENT_AGAIN = "order_sent_again"
    ORDER_REST_CANCELLED = "order_rest_cancelled"
    ORDER_WAITS = "order_waits"
    ORDER_RECEIVED = "order_received"
    ORDER_RULED = "order_ruled"
    ORDER_LAPSED = "order_lapsed"
    ORDER_DECLINED = "order_declined"
    ORDER_OVERDUE = "order_overdue"
    ORDER_REFUNDED = "order_refunded"
    ORDER_CHARGED_BACK = "order_charged_back"
    ORDER_GOES_ON = "order_goes_on"
    ORDER_PART_LOST = "order_part_lost"
    ORDER_LOST = "order_lost"
    REFUND_ARRIVED = "refund_arrived"
    REFUND_DIVERTED = "refund_diverted"
    MONEY_UNCLAIMED = "money_unclaimed"
    UNCLAIMED_ENDING = "unclaimed_ending"
    POSTAGE_PAID = "postage_paid"
    REVIEW_ANSWERED = "review_answered"
    REVIEW_HIDDEN = "review_hidden"
    REPORT_UPHELD = "report_upheld"
    REPORT_DISMISSED = "report_dismissed"
    BACK_IN_STOCK = "back_in_stock"
    WALLET_TOPPED_UP = "wallet_topped_up"
    TOP_UP_PUT_OFF = "top_up_put_off"
    TOP_UP_FAILED = "top_up_failed"
    PAYMENT_RETURNED = "payment_returned"
    PAYEE_NAMED = "payee_named"
    PAYEE_CONFIRMED = "payee_confirmed"
    PAYEE_REFUSED = "payee_refused"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_RETURNED = "payout_returned"
    PAYOUT_DECLINED = "payout_declined"
    APPLICATION_APPROVED = "application_approved"
    APPLICATION_REJECTED = "application_rejected"
    CASE_OPENED = "case_opened"
    CASE_RETURN_ASKED = "case_return_asked"
    CASE_EXCHANGE_ASKED = "case_exchange_asked"
    CASE_AGREED = "case_agreed"
    CASE_RETURN_AGREED = "case_return_agreed"
    CASE_OFFERED = "case_offered"
    CASE_REFUSED = "case_refused"
    CASE_ACCEPTED = "case_accepted"
    CASE_SENT_BACK = "case_sent_back"
    CASE_ARRIVED = "case_arrived"
    CASE_DISPUTED = "case_disputed"
    CASE_EVIDENCE = "case_evidence"
    CASE_RULED = "case_ruled"
    CASE_DISMISSED = "case_dismissed"
    CASE_WITHDRAWN = "case_withdrawn"
    CASE_EXCHANGE_AGREED = "case_exchange_agreed"
    CASE_REPLACEMENT_GONE = "case_replacement_gone"
    CASE_REPLACEMENT_DUE = "case_replacement_due"
    CASE_REPLACED = "case_replaced"
    CASE_EXCHANGED = "case_exchanged"
    CASE_REFUND_INSTEAD = "case_refund_instead"
    CASE_RESEND_RULED = "case_resend_ruled"
    CASE_RESENT = "case_resent"
    CASE_HAD_AGAIN = "case_had_again"
    CASE_NOT_RESENT = "case_not_resent"
    SALE_REPRICED = "sale_repriced"
    SALE_PAID = "sale_paid"
    SALE_REDIRECTED = "sale_redirected"
    SALE_CANCELLED = "sale_cancelled"
    SALE_DUE = "sale_due"
    SALE_OVERDUE = "sale_overdue"
    SALE_WAITED_FOR = "sale_waited_for"
    SALE_RECEIVED = "sale_received"
    SALE_SPLIT_LATE = "sale_split_late"
    SALE_HOLD_ENDING = "sale_hold_ending"
    SALE_SPLIT_KEPT = "sale_split_kept"
    SALE_REFUNDED = "sale_refunded"
    SALE_DRAWN_BACK = "sale_drawn_back"
    SALE_POSTAGE = "sale_postage"
    CLAIM_PAID_OFF = "claim_paid_off"
    DEPOSIT_RELEASED = "deposit_released"
    SALE_CHARGED_BACK = "sale_charged_back"
    CHARGEBACK_WON = "chargeback_won"
    CHARGEBACK_LOST = "chargeback_lost"
    SALE_PUT_OFF = "sale_put_off"
    SALE_CAME_BACK = "sale_came_back"
    SALE_NOT_SENT_AGAIN = "sale_not_sent_again"
    SALE_REVIEWED = "sale_reviewed"
    REVIEW_CONTINUED = "review_continued"
    STOCK_LOW = "stock_low"
    STOCK_OUT = "stock_out"
    GOODS_APPROVED = "goods_approved"
    GOODS_REJECTED = "goods_rejected"
    GOODS_BANNED = "goods_banned"
    BAN_LIFTED = "ban_lifted"
    SHOP_SUSPENDED = "shop_suspended"
    SHOP_REOPENED = "shop_reopened"
    SHOP_APPLIED = "shop_applied"
    GOODS_TO_REVIEW = "goods_to_review"
    PAYOUT_AWAITED = "payout_awaited"
    CASE_TO_RULE = "case_to_rule"
    PAYMENT_MISMATCHED = "payment_mismatched"
    REVIEW_REPORTED = "review_reported"
    UNCLAIMED_LATE = "unclaimed_late"
    SPLIT_REFUSED = "split_refused"
    HOLD_ENDING = "hold_ending"
    KEPT_ENDING = "kept_ending"
    CHARGEBACK_OPENED = "chargeback_opened"
    EVIDENCE_DUE = "evidence_due"
    EVIDENCE_REFUSED = "evidence_refused"
    CONCESSION_REFUSED = "concession_refused"


class Way(StrEnum):
    """How a notice comes."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"


LETTER_WAYS = (Way.EMAIL, Way.SMS)
"""The ways that leave the house, and ring where somebody sleeps."""
SAFETY = frozenset(
    {
        NoticeKind.DEVICE_SIGNED_IN,
        NoticeKind.DEVICE_SIGNED_OUT,
        NoticeKind.DEVICES_SIGNED_OUT,
        NoticeKind.CONTACT_CONFIRMED,
        NoticeKind.PAYEE_NAMED,
        NoticeKind.PAYEE_CONFIRMED,
    }
)
"""What may mean that somebody else is in the account: always told by its usual ways, at any hour, for a thief could choose otherwise."""
WRITTEN_ABOUT = frozenset(
    {
        NoticeKind.DEVICE_SIGNED_IN,
        NoticeKind.DEVICE_SIGNED_OUT,
        NoticeKind.DEVICES_SIGNED_OUT,
        NoticeKind.ROLE_GIVEN,
        NoticeKind.ROLE_TAKEN,
        NoticeKind.ORDER_WAITS,
        NoticeKind.ORDER_SHIPPED,
        NoticeKind.ORDER_CAME_BACK,
        NoticeKind.ORDER_SENT_AGAIN,
        NoticeKind.SALE_CAME_BACK,
        NoticeKind.ORDER_REST_CANCELLED,
        NoticeKind.ORDER_LAPSED,
        NoticeKind.ORDER_DECLINED,
        NoticeKind.ORDER_OVERDUE,
        NoticeKind.SALE_DUE,
        NoticeKind.SALE_OVERDUE,
        NoticeKind.ORDER_REFUNDED,
        NoticeKind.ORDER_CHARGED_BACK,
        NoticeKind.ORDER_LOST,
        NoticeKind.MONEY_UNCLAIMED,
        NoticeKind.UNCLAIMED_ENDING,
        NoticeKind.PAYMENT_RETURNED,
        NoticeKind.BACK_IN_STOCK,
        NoticeKind.ORDER_PAID_LATE,
        NoticeKind.PAYEE_NAMED,
        NoticeKind.PAYEE_CONFIRMED,
        NoticeKind.PAYOUT_RETURNED,
        NoticeKind.PAYOUT_DECLINED,
        NoticeKind.APPLICATION_APPROVED,
        NoticeKind.APPLICATION_REJECTED,
        NoticeKind.SALE_CHARGED_BACK,
        NoticeKind.EVIDENCE_DUE,
        NoticeKind.EVIDENCE_REFUSED,
        NoticeKind.CASE_OPENED,
        NoticeKind.CASE_RETURN_ASKED,
        NoticeKind.CASE_EXCHANGE_ASKED,
        NoticeKind.CASE_AGREED,
        NoticeKind.CASE_RETURN_AGREED,
        NoticeKind.CASE_OFFERED,
        NoticeKind.CASE_REFUSED,
        NoticeKind.CASE_ARRIVED,
        NoticeKind.CASE_DISPUTED,
        NoticeKind.CASE_RULED,
        NoticeKind.CASE_EXCHANGE_AGREED,
        NoticeKind.CASE_REPLACEMENT_GONE,
        NoticeKind.CASE_REPLACED,
        NoticeKind.CASE_REFUND_INSTEAD,
        NoticeKind.CASE_RESEND_RULED,
        NoticeKind.CASE_RESENT,
        NoticeKind.CASE_NOT_RESENT,
        NoticeKind.CASE_DISMISSED,
        NoticeKind.GOODS_REJECTED,
        NoticeKind.GOODS_BANNED,
        NoticeKind.SHOP_SUSPENDED,
    }
)
"""What an e-mail is written about unless somebody says otherwise: what changes a person's plans, or whose answer has a deadline."""


class NoticeRefusal(RefusalCode):
    """What notices say no by."""

    NOT_FOUND = "notice_not_found", "There is no notice of this number yet."
    ALWAYS_TOLD = "notice_always_told", "What concerns the safety of the account always comes by these ways; others may be added to them."


class About(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a notice is about: opaque ids and figures, nothing of a person."""

    order_id: OrderId | None = None
    shop_id: ShopId | None = None
    goods_id: GoodsId | None = None
    variant_id: VariantId | None = None
    review_id: ReviewId | None = None
    refund_id: RefundId | None = None
    payment_id: PaymentId | None = None
    application_id: ApplicationId | None = None
    case_id: CaseId | None = None
    payout_id: AnyId | None = None
    amount: Money | None = None
    number: int | None = None
    """Stars of a review, pieces that are left, how many devices, or which parcel of its order."""
    until: int | None = None
    """When silence settles it, or what is waited for comes, in milliseconds since 1970."""
    role: str | None = None
    contact: str | None = None
    """Which contact it is: `phone` or `email`."""


class Due(Struct, frozen=True, gc=False):
    """Something that somebody is to be told; `about` as it is kept."""

    person: PersonId
    kind: NoticeKind
    about: bytes


TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](?![\s\S])", description="Hours and minutes.", examples=["22:00"])]


class QuietHours(Struct, frozen=True, kw_only=True):
    """When no letter leaves, every day, in the market's time zone; over midnight as a rule. There are none when both are the same."""

    begins: TimeOfDay = "22:00"
    ends: TimeOfDay = "08:00"


class Preferences(Struct, frozen=True, kw_only=True):
    """What somebody has chosen; a kind of which nothing was said comes as `USUAL_WAYS` has it."""

    chosen: dict[str, tuple[Way, ...]] = {}
    quiet: QuietHours = QuietHours()

    def ways(self, kind: NoticeKind) -> tuple[Way, ...]:
        """How a kind of notice comes."""
        return self.chosen.get(kind, USUAL_WAYS[kind])


class NoticeSettings(Struct, frozen=True, kw_only=True):
    """What the composition root decides for this domain: a port."""

    time_zone: str = "Asia/Shanghai"
    """Whose nights are meant by quiet hours."""


class NoticeLetter(Struct, frozen=True, kw_only=True):
    """A notice on its way to a contact, in words; `contact` is empty once the person has no such contact any more."""

    id: NoticeLetterId
    way: Way
    contact: str
    language: Language
    title: str
    text: str
    at: int


class NoticeSender(Protocol):
    """Carries letters by one way: an e-mail or a text message. Its `id` is the same when a letter is given a second time."""

    async def send(self, letter: NoticeLetter) -> None:
        """Return when the carrier has taken it; any error means that it is tried again later."""
        ...


RETRY_MS = (5_000, 30_000, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 8 * HOUR_MS)
"""How long a letter waits after each failure; after the last, which is over a night later, it is given up."""
KEPT_MS = 180 * DAY_MS
"""How long a notice is kept."""
LETTERS_KEPT_MS = 30 * DAY_MS
"""How long it is known that a letter was sent."""


USUAL_WAYS = {kind: (Way.IN_APP, Way.EMAIL) if kind in WRITTEN_ABOUT else (Way.IN_APP,) for kind in NoticeKind}
"""How a kind of notice comes to somebody who has not chosen."""


def after_quiet(at_ms: int, quiet: QuietHours, zone: ZoneInfo) -> int:
    """When a letter may leave that would leave now: at once, or when the quiet hours that it falls into have ended."""
    here = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    begins, ends, now = time.fromisoformat(quiet.begins), time.fromisoformat(quiet.ends), here.time()
    is_over_midnight = begins > ends
    is_quiet = begins <= now or now < ends if is_over_midnight else begins <= now < ends
    if not is_quiet:
        return at_ms
    day = here.date() + timedelta(days=1) if is_over_midnight and now >= begins else here.date()
    end = datetime.combine(day, ends, zone)
    first, again = (round(end.replace(fold=fold).timestamp() * 1000) for fold in (0, 1))  # the clock may go back behind it
    return first if first > at_ms else again
