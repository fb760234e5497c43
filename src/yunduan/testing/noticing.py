"""What must be true of notices whatever happens: a second bookkeeper who works out from the facts alone what was to be told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from yunduan.domains.catalog.facts import GoodsRuled, StockRanLow, WaitEnded
from yunduan.domains.notices.model import About
from yunduan.domains.orders.facts import (
    CaseMoved,
    CaseOpened,
    DispatchDue,
    DispatchExtended,
    OfferTakenBack,
    OrderCancelled,
    OrderChargebackEnded,
    OrderChargedBack,
    OrderPaid,
    OrderPartlyShipped,
    OrderReceived,
    OrderRedirected,
    OrderRefunded,
    OrderRestCancelled,
    OrderReviewed,
    OrderShipped,
    OrderWaits,
    ParcelGivenBack,
    ParcelScanned,
    ParcelSentAgain,
    PriceAgreed,
    PriceOffered,
    ReceiptExtended,
    ReviewJudged,
)
from yunduan.domains.payments.facts import (
    CaptureReturned,
    ClaimPaidOff,
    DepositReleased,
    EscrowSettled,
    EvidenceDue,
    EvidenceRefused,
    HoldEnding,
    KeptEnding,
    MoneyUnclaimed,
    PayeeChecked,
    PayeeNamed,
    PaymentEnded,
    PaymentPutOff,
    PayoutEnded,
    PostagePaid,
    RefundFinished,
    SettledRefunded,
    SplitKept,
    SplitRefused,
    WalletToppedUp,
)
from yunduan.kernel.messages import Fact
from yunduan.runtime.ports import Reader, Row
from yunduan.testing.checkers import claim

Cause = tuple[str, str]
"""A kind of notice, and the id that it is about."""
_about = msgspec.msgpack.Decoder(About).decode
_NOTICES = "SELECT seq, person, number, kind, about FROM notice ORDER BY seq"
_BOXES = "SELECT person, last FROM notice_box ORDER BY person"
_COUNT = "SELECT last FROM notice_count"
_CURSOR = "SELECT seq FROM cursor WHERE follower = 'notices'"
_PARKED = "SELECT seq FROM parked WHERE follower = 'notices'"
_AFTER_A_REFUND = ("refund_arrived", "refund_diverted")
"""Which of the two, and whether any, hangs on how the order was paid, which the facts do not say."""
_OF_A_REFUND = {*_AFTER_A_REFUND, "order_refunded", "sale_refunded"}


SCANS = {"delivered": ("order_delivered",), "returned": ("order_came_back", "sale_came_back")}


def _if(holds: bool, kind: str, subject: str) -> list[Cause]:
    return [(kind, subject)] if holds else []


def _cancelled(it: OrderCancelled) -> list[Cause]:
    if it.by == "buyer":
        return _if(it.was_paid, "sale_cancelled", it.order_id)
    if it.was_paid and it.by == "cloud":
        return _overdue(it)
    return [("order_declined" if it.was_paid else "order_lapsed", it.order_id)]


def _overdue(it: OrderCancelled | OrderRestCancelled | OrderRefunded) -> list[Cause]:
    return [("order_overdue", it.order_id), ("sale_overdue", it.order_id)]


def _refunded(it: OrderRefunded) -> list[Cause]:
    if it.called_off:
        return _rest_cancelled(it)
    return [*_if(it.case_id is None, "order_refunded", it.refund_id), *_if(it.by == "operator", "sale_refunded", it.refund_id)]


def _rest_cancelled(it: OrderRestCancelled | OrderRefunded) -> list[Cause]:
    return _overdue(it) if it.by == "cloud" else [("sale_cancelled" if it.by == "buyer" else "order_rest_cancelled", it.order_id)]


def _charged_back(it: OrderChargebackEnded) -> list[Cause]:
    if it.won:
        return [("order_goes_on", it.order_id), ("chargeback_won", it.order_id)]
    return [("order_lost" if it.whole else "order_part_lost", it.order_id), ("chargeback_lost", it.order_id)]


def _moved(it: CaseMoved) -> list[Cause]:
    """To the other side, or to both; the market has no operators who could be told to rule."""
    sides = (it.by != "buyer") + (it.by != "shop")
    kind = "case_replacement_gone" if (it.event, it.by) == ("offer", "cloud") else _CASE.get(it.event)
    return [(kind, it.case_id)] * sides if kind else []


_CASE = {
    "agree": "case_agreed",
    "agree_to_return": "case_return_agreed",
    "accept_to_return": "case_return_agreed",
    "offer": "case_offered",
    "refuse": "case_refused",
    "accept": "case_accepted",
    "send_back": "case_sent_back",
    "arrive": "case_arrived",
    "call_operator": "case_disputed",
    "give_evidence": "case_evidence",
    "show_picture": "case_evidence",
    "rule": "case_ruled",
    "dismiss": "case_dismissed",
    "withdraw": "case_withdrawn",
    "agree_to_exchange": "case_exchange_agreed",
    "arrive_to_exchange": "case_replacement_due",
    "replace": "case_replaced",
    "receive": "case_exchanged",
    "take_refund": "case_refund_instead",
    "rule_to_resend": "case_resend_ruled",
    "resend": "case_resent",
    "receive_resent": "case_had_again",
    "pay_back": "case_not_resent",
}
_ASKED = {"refund": "case_opened", "return": "case_return_asked", "exchange": "case_exchange_asked"}
_RULED = {"approve": "goods_approved", "reject": "goods_rejected", "ban": "goods_banned", "lift": "ban_lifted"}
_TOLD: Mapping[type[Fact], Callable[[Any], list[Cause]]] = {
    OrderPaid: lambda it: [("sale_paid", it.order_id), *_if(not it.at_once, "order_paid_late" if it.late else "order_paid", it.order_id)],
    ParcelSentAgain: lambda it: [("order_sent_again", it.order_id)],
    ParcelGivenBack: lambda it: _if(it.by == "cloud", "sale_not_sent_again", it.order_id),
    ParcelScanned: lambda it: [(kind, it.order_id) for kind in SCANS.get(it.scan, ()) if it.is_end],
    OrderRedirected: lambda it: _if(it.is_paid, "sale_redirected", it.order_id),
    PriceOffered: lambda it: [("order_repriced", it.order_id)],
    OfferTakenBack: lambda it: [("offer_taken_back", it.order_id)],
    OrderChargedBack: lambda it: [("order_charged_back", it.order_id), ("sale_charged_back", it.order_id)],
    OrderChargebackEnded: _charged_back,
    OrderShipped: lambda it: [("order_shipped", it.order_id)],
    OrderPartlyShipped: lambda it: [("order_partly_shipped", it.order_id)],
    OrderRestCancelled: _rest_cancelled,
    DispatchDue: lambda it: [("sale_due", it.order_id)],
    DispatchExtended: lambda it: [("sale_waited_for", it.order_id)],
    OrderReceived: lambda it: _if(it.by != "buyer", "order_ruled" if it.by == "operator" else "order_received", it.order_id),
    OrderCancelled: _cancelled,
    OrderRefunded: _refunded,
    OrderReviewed: lambda it: [("sale_reviewed", it.review_id)],
    ReviewJudged: lambda it: [
        *[("report_upheld" if it.is_hidden else "report_dismissed", it.review_id)] * len(it.reporters),
        *_if(it.is_hidden and it.is_new, "review_hidden", it.review_id),
    ],
    ReceiptExtended: lambda it: [("sale_put_off", it.order_id)],
    SettledRefunded: lambda it: [("sale_drawn_back", it.order_id)],
    PostagePaid: lambda it: [("postage_paid", it.order_id), ("sale_postage", it.order_id)],
    ClaimPaidOff: lambda _: [("claim_paid_off", "")],
    EscrowSettled: lambda it: [("sale_received", it.order_id)],
    EvidenceDue: lambda it: [("evidence_due", it.order_id)],
    EvidenceRefused: lambda _: [("evidence_refused", "")],
    HoldEnding: lambda it: [("sale_hold_ending", it.order_id)],
    KeptEnding: lambda it: _if(it.asks, "unclaimed_ending", it.order_id or ""),
    SplitKept: lambda it: [("sale_split_kept", it.order_id)],
    SplitRefused: lambda it: [("sale_split_late", it.order_id)],
    WalletToppedUp: lambda it: [("wallet_topped_up", it.payment_id)],
    PaymentEnded: lambda it: _if(it.checkout_id is None, "top_up_failed", it.payment_id),
    PaymentPutOff: lambda it: [("payment_put_off" if it.checkout_id else "top_up_put_off", it.payment_id)],
    CaptureReturned: lambda it: [("payment_returned", it.payment_id)],
    DepositReleased: lambda _: [("deposit_released", "")],
    PayeeNamed: lambda _: [("payee_named", "")],
    OrderWaits: lambda it: [("order_waits", it.order_id)],
    PriceAgreed: lambda it: [("sale_repriced", it.placed_as)],
    PayeeChecked: lambda it: [("payee_confirmed" if it.is_theirs else "payee_refused", "")],
    PayoutEnded: lambda it: _if(it.is_of_wallet, f"payout_{it.state.value}", it.payout_id),
    MoneyUnclaimed: lambda it: [("money_unclaimed", it.order_id or it.payment_id or "")],
    CaseOpened: lambda it: [(_ASKED[it.case_kind], it.case_id)],
    CaseMoved: _moved,
    GoodsRuled: lambda it: [(_RULED[it.ruled], it.goods_id)],
    WaitEnded: lambda it: [("back_in_stock", it.goods_id)],
    StockRanLow: lambda it: [("stock_low" if it.available else "stock_out", it.goods_id)],
}
"""What follows from a fact, to somebody; in a shop where one person works, and bears every role."""


def _subject(kind: str, about: About) -> str:
    """The id by which the facts know what a notice is about."""
    first = about.refund_id if kind in _OF_A_REFUND else None
    return str(first or about.case_id or about.order_id or about.payment_id or about.review_id or about.payout_id or about.goods_id or "")


class Notices:
    """What was told to whom, and what was to be told by the facts: each is taken in once, and begun anew when it is not as it was."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._parked: list[Row] = []
        self._through = 0
        self._due: Counter[Cause] = Counter()
        self._finished: Counter[str] = Counter()
        self._rows: list[Row] = []
        self._given: Counter[Cause] = Counter()
        self._arrived: Counter[str] = Counter()
        self._last: dict[str, int] = {}

    def compare(self, reader: Reader, facts: Sequence[Fact]) -> None:
        """What follows from the facts up to the follower's cursor was told, each once, and nothing else; numbers have no gaps."""
        heard, parked, rows = reader.rows(_CURSOR), reader.rows(_PARKED), reader.rows(_NOTICES)
        through = heard[0][0] if heard else 0
        claim(through <= len(facts), f"notices are told of {through} of {len(facts)} facts")
        if parked != self._parked or through < self._through or rows[: len(self._rows)] != self._rows:
            self._begin_anew()
            self._parked = parked
        self._hear(facts, through)
        self._take(rows)
        claim(dict(reader.rows(_BOXES)) == self._last, "a box says another last number than its notices")
        seq = len(rows)
        claim(reader.rows(_COUNT) == ([(seq,)] if seq else []), f"there are {seq} notices, and the count says otherwise")
        self._balance()

    def _hear(self, facts: Sequence[Fact], through: int) -> None:
        """What was to be told of the facts that the follower has heard since."""
        parked = {seq for (seq,) in self._parked}
        for seq in range(self._through + 1, through + 1):
            fact = facts[seq - 1]
            if seq not in parked and (told := _TOLD.get(type(fact))) is not None:
                self._due.update(told(fact))
            if seq not in parked and isinstance(fact, RefundFinished):
                self._finished[str(fact.refund_id)] += 1
        self._through = through

    def _take(self, rows: list[Row]) -> None:
        last = self._last
        for seq, (place, person, number, kind, about) in enumerate(rows[len(self._rows) :], len(self._rows) + 1):
            claim(place == seq, f"notice {seq} is missing before {place}")
            claim(number == last.get(person, 0) + 1, f"{person} was told number {number} after {last.get(person, 0)}")
            last[person] = number
            subject = _subject(kind, _about(about))
            if kind in _AFTER_A_REFUND:
                self._arrived[subject] += 1
            else:
                self._given[kind, subject] += 1
        self._rows = rows

    def _balance(self) -> None:
        due, given, arrived, finished = self._due, self._given, self._arrived, self._finished
        claim(arrived <= finished, f"refunds told to have arrived that had not, or twice: {dict(arrived - finished)}")
        if not dict.__eq__(due, given):
            claim(not given - due, f"told without a cause, or twice: {dict(given - due)}")
            claim(not due - given, f"never told: {dict(due - given)}")
