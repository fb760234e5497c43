"""What the mix is there for: whether it has happened, and how often, as the facts tell it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from yunduan.domains.orders.facts import (
    CaseMoved,
    OrderChargebackEnded,
    OrderPaid,
    OrderPartlyShipped,
    ParcelGivenBack,
    ParcelScanned,
    ParcelSentAgain,
)
from yunduan.domains.payments.facts import (
    CaptureReturned,
    ChargebackMoved,
    ClaimPaidOff,
    DepositPledged,
    MoneyUnclaimed,
    PaymentPutOff,
    PayoutBegun,
    PayoutEnded,
)
from yunduan.kernel.messages import Fact
from yunduan.testing.checkers import Told
from yunduan.testing.trade.founding import is_asked_by_people

_HAPPENS: Mapping[str, Callable[[Fact], bool]] = {
    "a payment is put off": lambda it: isinstance(it, PaymentPutOff),
    "late money makes a payment good": lambda it: isinstance(it, OrderPaid) and it.late,
    "late money goes back": lambda it: isinstance(it, CaptureReturned),
    "the channel refuses a refund": lambda it: isinstance(it, MoneyUnclaimed),
    "a parcel leaves before the others": lambda it: isinstance(it, OrderPartlyShipped),
    "a parcel comes back": lambda it: isinstance(it, ParcelScanned) and it.scan == "returned" and it.is_end,
    "a parcel that came back is sent again": lambda it: isinstance(it, ParcelSentAgain),
    "a parcel that came back is taken in": lambda it: isinstance(it, ParcelGivenBack) and it.by == "shop",
    "a parcel that came back is paid back by time": lambda it: isinstance(it, ParcelGivenBack) and it.by == "cloud",
    "a chargeback is contested": lambda it: isinstance(it, ChargebackMoved) and it.event == "contest",
    "a chargeback is conceded": lambda it: isinstance(it, ChargebackMoved) and it.event == "concede",
    "a chargeback is won": lambda it: isinstance(it, OrderChargebackEnded) and it.won,
    "a chargeback is lost": lambda it: isinstance(it, OrderChargebackEnded) and not it.won,
    "new money pays what a shop owes": lambda it: isinstance(it, ClaimPaidOff),
    "an exchange is agreed to": lambda it: isinstance(it, CaseMoved) and it.event == "agree_to_exchange",
    "other goods are sent": lambda it: isinstance(it, CaseMoved) and it.event == "replace",
    "other goods are received": lambda it: isinstance(it, CaseMoved) and it.state == "exchanged",
    "money is taken instead of other goods": lambda it: isinstance(it, CaseMoved) and it.event == "take_refund",
    "goods that were sent back are to be sent again": lambda it: isinstance(it, CaseMoved) and it.event == "rule_to_resend",
    "goods that were sent back are sent again": lambda it: isinstance(it, CaseMoved) and it.event == "resend",
    "goods that were sent again are there": lambda it: isinstance(it, CaseMoved) and it.event == "receive_resent",
    "goods that were not sent again are paid back": lambda it: isinstance(it, CaseMoved) and it.event == "pay_back",
    "a shop is paid out": lambda it: isinstance(it, PayoutEnded) and it.owner.startswith("shp_") and it.state == "paid",
    "a payout waits for two": lambda it: isinstance(it, PayoutBegun) and it.is_awaited,
    "a payout is declined": lambda it: isinstance(it, PayoutEnded) and it.state == "declined",
    "a payout comes back": lambda it: isinstance(it, PayoutEnded) and it.state == "returned",
    "a deposit is pledged": lambda it: isinstance(it, DepositPledged),
}


def count(told: Iterable[Told], facts: Iterable[Fact]) -> Counter[str]:
    """How often each has happened."""
    found: Counter[str] = Counter()
    for how, fact in zip(told, facts, strict=False):
        found.update([name for name, is_it in _HAPPENS.items() if is_it(fact)])
        if isinstance(fact, PayoutBegun) and fact.owner.startswith("shp_") and not is_asked_by_people(how.cause):
            found["a plan pays a shop out"] += 1
    return found


NAMES = frozenset({*_HAPPENS, "a plan pays a shop out"})
