"""Payouts as values: to whom, who has to agree, and where each stands; no input, no output."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.payments.model import Custody, PaymentRefusal
from yunduan.kernel.ids import AccountId, PersonId, ShopId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

PAYOUT_MAX = 10_000_000_000
"""The most that one payout may take, in minor units."""
APPROVALS = 2
"""How many people have to approve what is above the limit: none of them the one who asked."""

PayeeId = Annotated[str, Meta(pattern=r"^bnk_[0-9a-z]{1,40}(?![\s\S])", description="An account that somebody has named.")]
PayoutId = Annotated[str, Meta(pattern=r"^pyo_[0-9a-z]{1,40}(?![\s\S])", description="A payout.")]


class PaymentSettings(Struct, frozen=True, kw_only=True):
    """What a deployment decides about money that leaves: a port."""

    approve_above: int = 5_000_000
    """A payout of more than this, in minor units, has to be approved."""
    payee_waits_ms: int = 86_400_000
    """How long after an account was named nothing is paid out to it."""
    wallet_is_on: bool = True
    """Whether wallets are topped up and paid with."""
    in_a_day_basic: int = 100_000_000
    """How much may be topped up in a business day by somebody of whom no account has been confirmed, in minor units."""
    in_a_day_verified: int = 1_000_000_000
    out_a_day: int = 1_000_000_000
    """How much may be withdrawn from a wallet in a business day; only to a confirmed account, so there is one level."""
    hold_assumed_ms: int = 180 * 86_400_000
    """How long a provider is taken to keep money when it does not say so; 0 for any time."""
    hold_warned_ms: int = 7 * 86_400_000
    """How long before a provider keeps money no longer operators and the shop are warned."""
    time_zone: str = "Asia/Shanghai"
    """Of the business day."""


class PayeeState(StrEnum):
    """What the channel says of an account."""

    CHECKING = "checking"
    VERIFIED = "verified"
    REFUSED = "refused"
    """It is not there, or not its holder's."""


class Payee(Struct, frozen=True, kw_only=True):
    """The one account that somebody's money is paid out to; `id` names the question whether it is theirs.

    `person` is whose key it is sealed under: the owner, or whoever owns the shop.
    """

    owner: str
    id: PayeeId
    person: PersonId
    channel: str
    sealed: bytes
    state: PayeeState
    at: int

    def usable_at(self, settings: PaymentSettings) -> int:
        """When its owner has had time to notice that it was named."""
        return self.at + settings.payee_waits_ms

    def is_usable(self, settings: PaymentSettings, *, now: int) -> bool:
        """Whether it may be paid out to now."""
        return self.state is PayeeState.VERIFIED and now >= self.usable_at(settings)


class PayoutState(StrEnum):
    """Where a payout stands; the last three are final."""

    AWAITED = "awaited"
    """Operators have to approve it."""
    SENT = "sent"
    """The channel has to do it, or has yet to say that it has."""
    PAID = "paid"
    RETURNED = "returned"
    """The channel would not do it: all of it is back."""
    DECLINED = "declined"
    """An operator would not have it: all of it is back."""


class Payout(Struct, frozen=True, kw_only=True):
    """Money on its way out of a wallet or of a shop's balance; the account is the one that was verified when it was asked for."""

    id: PayoutId
    owner: str
    asked_by: PersonId
    amount: Money
    channel: str
    person: PersonId
    sealed: bytes
    state: PayoutState
    at: int
    approvals: tuple[PersonId, ...] = ()
    ended_at: int = 0
    unclaimed: str = ""
    """What is paid out of what was owed to its owner, if it does not come from the wallet."""
    custody: Custody = Custody.PLATFORM
    """Who pays it: we, or the provider out of what it keeps of the charge `reference`."""
    reference: str = ""

    @property
    def shop_id(self) -> ShopId | None:
        """The shop whose money it is, if it is a shop's."""
        return ShopId(self.owner) if self.owner.startswith("shp_") else None

    @property
    def is_open(self) -> bool:
        """Whether it is still on its way."""
        return self.state in (PayoutState.AWAITED, PayoutState.SENT)


def paying_account(channel: str, currency: str) -> AccountId:
    """What is on its way out over a channel; zero when nothing is."""
    return AccountId(f"acc_paying{channel}{currency.lower()}")


def paid_out_account(channel: str, currency: str) -> AccountId:
    """What a channel has paid out for us: it owes us so much less than what it has collected."""
    return AccountId(f"acc_paidout{channel}{currency.lower()}")


class PayeeWaits(Struct, frozen=True, kw_only=True):
    """When an account may be paid out to that was named a short while ago, in milliseconds since 1970."""

    usable_at: int


def usable(payee: Payee | None, settings: PaymentSettings, *, now: int) -> Payee:
    """An account that may be paid out to now."""
    if payee is None:
        raise Refused(PaymentRefusal.PAYEE_NOT_FOUND)
    if payee.state is not PayeeState.VERIFIED:
        raise Refused(PaymentRefusal.PAYEE_NOT_VERIFIED, payee.state)
    usable_at = payee.usable_at(settings)
    if now < usable_at:
        raise Refused(PaymentRefusal.PAYEE_WAITS, figures=PayeeWaits(usable_at=usable_at))
    return payee


def check_amount(amount: Money) -> None:
    """Refuse nothing, and more than one payout takes."""
    if not 0 < amount.amount <= PAYOUT_MAX:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, f"1 to {PAYOUT_MAX} minor units at once")


def begun(id: PayoutId, payee: Payee, amount: Money, *, asked_by: PersonId, approve_above: int, now: int) -> Payout:
    """A payout as it begins: above the limit it is waited for, otherwise it goes."""
    check_amount(amount)
    return Payout(
        id=id,
        owner=payee.owner,
        asked_by=asked_by,
        amount=amount,
        channel=payee.channel,
        person=payee.person,
        sealed=payee.sealed,
        state=PayoutState.AWAITED if amount.amount > approve_above else PayoutState.SENT,
        at=now,
    )


def approved(payout: Payout, by: PersonId) -> Payout:
    """After one more person has agreed: two different ones, neither of them who asked for it."""
    if payout.state is not PayoutState.AWAITED:
        raise Refused(PaymentRefusal.PAYOUT_NOT_AWAITED, payout.state)
    if not by or by in (payout.asked_by, payout.person, *payout.approvals):
        raise Refused(PaymentRefusal.APPROVED_BY_THE_SAME)
    approvals = (*payout.approvals, by)
    return replace(payout, approvals=approvals, state=PayoutState.SENT if len(approvals) >= APPROVALS else PayoutState.AWAITED)


def masked(number: str) -> str:
    """The end of an account's number, by which its owner knows it again."""
    return f"**** {number[-4:]}"
