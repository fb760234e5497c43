"""Somebody else's payment service as a port, what it says, and whether that is believed."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from yunduan.domains.identity.model import LINE
from yunduan.domains.payments.model.custody import Custody
from yunduan.domains.payments.model.refusals import PaymentRefusal
from yunduan.kernel.ids import AnyId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

BODY_BYTES_MAX = 16_384
"""Of a notification."""

ChannelName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}(?![\s\S])", description="A payment channel.", examples=["sandbox"])]


AlertId = Annotated[str, Meta(pattern=r"^alr_[0-9a-f]{26}(?![\s\S])", description="A notification that did not match.")]


class Outcome(StrEnum):
    """What a channel says became of a charge, of a refund or of a payout."""

    CAPTURED = "captured"
    PROCESSING = "processing"
    """The payer has done what they can, and the money is on its way to the channel."""
    DECLINED = "declined"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REFUND_REFUSED = "refund_refused"
    PAID_OUT = "paid_out"
    PAYOUT_REFUSED = "payout_refused"
    CHARGED_BACK = "charged_back"
    """The payer's bank has taken a part of a charge back, or all of it."""
    CHARGEBACK_WON = "chargeback_won"
    """And has returned it."""
    CHARGEBACK_LOST = "chargeback_lost"
    SPLIT = "split"
    SPLIT_REFUSED = "split_refused"
    SPLIT_RETURNED = "split_returned"
    """What had been split is kept for the order again."""
    SPLIT_KEPT = "split_kept"
    """It is not given back: the shop has it no more."""
    WAITING = "waiting"
    """Nothing yet; only ever the answer to a question."""
    UNKNOWN = "unknown"
    """It has not heard of it; only ever the answer to a question."""


class Method(Protocol):
    """A way in which a channel collects, such as at once on its page, or by a slip that is paid at a counter days later."""

    @property
    def name(self) -> str: ...  # noqa: D102 - said above
    @property
    def hold_ms(self) -> int:
        """How long stock is held for it."""
        ...

    @property
    def extension_ms(self) -> int:
        """For how much longer, once, when its money is on its way by then."""
        ...


class Told(Protocol):
    """What a channel says, as its adapter has read it.

    `merchant` is whom the channel believes it collects for; `request` is the id of a refund piece, empty for a charge; `event`
    names the saying itself. Of a chargeback `chargeback` is the channel's name, `fee` (minor units) what the channel takes for it, and
    `evidence_due` until when evidence is heard. `held_until` is how long a provider keeps what it has collected, 0 for others.
    """

    @property
    def event(self) -> str: ...  # noqa: D102 - said above
    @property
    def merchant(self) -> str: ...  # noqa: D102 - said above
    @property
    def reference(self) -> str: ...  # noqa: D102 - said above
    @property
    def request(self) -> str: ...  # noqa: D102 - said above
    @property
    def outcome(self) -> str: ...  # noqa: D102 - said above
    @property
    def amount(self) -> Money: ...  # noqa: D102 - said above
    @property
    def chargeback(self) -> str: ...  # noqa: D102 - said above
    @property
    def fee(self) -> int: ...  # noqa: D102 - said above
    @property
    def evidence_due(self) -> int: ...  # noqa: D102 - said above
    @property
    def held_until(self) -> int: ...  # noqa: D102 - said above


class BankAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where money is paid out to; personal, so it is kept under seal."""

    bank: Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, examples=["中国工商银行"])]
    holder: Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, description="Whose account it is.", examples=["林美"])]
    number: Annotated[str, Meta(pattern=r"^[0-9A-Z]{6,34}(?![\s\S])", description="Digits, or an IBAN.", examples=["6222020200012345678"])]


Flaw = Literal["", "forged", "stale", "malformed"]

Asked = Literal["accepted", "refused", "unreachable"]


class Channel(Protocol):
    """Somebody else's payment service, as an adapter shows it.

    The first three methods are pure and quick, and are called in transactions; the others talk to the outside and are called
    by couriers alone.
    """

    @property
    def merchant(self) -> str:
        """Who we are to the channel."""
        ...

    @property
    def methods(self) -> Sequence[Method]:
        """By which methods it collects; the first is meant where none is named."""
        ...

    @property
    def headers(self) -> tuple[str, ...]:
        """The names, in lower case, of the headers of a notification that `flaw` looks at; the edge hands on these and no others."""
        ...

    def redirect(self, reference: str, amount: Money, *, due: int, method: str) -> str:
        """The address of the page on which a payer approves a charge: signed, so that nobody can change what it says."""
        ...

    def flaw(self, body: bytes, headers: Mapping[str, str], *, now: int) -> Flaw:
        """What is wrong with a notification: nothing, not signed by the channel, signed too long ago, or not readable."""
        ...

    def read(self, body: bytes) -> Told:
        """What a notification without flaw says."""
        ...

    async def refund(self, request: str, reference: str, amount: Money) -> Asked:
        """Ask for a part of a charge to be given back; the same request asked again changes nothing."""
        ...

    async def verify(self, request: str, account: BankAccount) -> Asked:
        """Ask whether a bank account is there and its holder's: `accepted` when it is; the same request again is answered the same."""
        ...

    async def pay_out(self, request: str, account: BankAccount, amount: Money) -> Asked:
        """Ask for money to be paid to a bank account; the same request asked again changes nothing."""
        ...

    async def query(self, reference: str, request: str = "") -> Told | None:
        """Ask what became of a charge, of a refund, or of a payout (both are its id); nothing when the channel cannot be reached."""
        ...

    async def contest(self, request: str, name: str, text: str, references: Sequence[str]) -> Asked:
        """Give evidence against a chargeback; the same request asked again changes nothing, and it is refused when it comes too late."""
        ...

    async def concede(self, request: str, name: str) -> Asked:
        """Say that a chargeback is not contested; the same request asked again changes nothing."""
        ...

    async def chargeback(self, name: str) -> Told | None:
        """Ask what became of a chargeback; nothing when the channel cannot be reached."""
        ...


class KeptLineTold(Protocol):
    """One line of a provider's statement, as its adapter has read it: `amount` in all, of a split or its return so much the shop's."""

    @property
    def what(self) -> str: ...  # noqa: D102 - said above
    @property
    def reference(self) -> str: ...  # noqa: D102 - said above
    @property
    def request(self) -> str: ...  # noqa: D102 - said above
    @property
    def amount(self) -> Money: ...  # noqa: D102 - said above
    @property
    def of_shop(self) -> int: ...  # noqa: D102 - said above


class KeptTold(Protocol):
    """Where a provider's money is: kept for orders, given to shops, and ours there, below zero when we owe it (minor units)."""

    @property
    def held(self) -> int: ...  # noqa: D102 - said above
    @property
    def given(self) -> int: ...  # noqa: D102 - said above
    @property
    def own(self) -> int: ...  # noqa: D102 - said above


class StatementTold(Protocol):
    """What has moved in a provider's books in a time, and where its money was at the end of it, by currency."""

    @property
    def lines(self) -> Sequence[KeptLineTold]: ...  # noqa: D102 - said above
    @property
    def balances(self) -> Mapping[str, KeptTold]: ...  # noqa: D102 - said above


class Provider(Channel, Protocol):
    """A channel that keeps what it collects for an order until it is told to split it (分账)."""

    async def split(self, request: str, reference: str, shop: str, *, to_shop: Money, to_marketplace: Money) -> Asked:
        """Ask for what is kept of a charge to be divided between a shop and us; the same request asked again changes nothing."""
        ...

    async def take_back(self, request: str, origin: str, *, from_shop: Money, from_marketplace: Money) -> Asked:
        """Ask for a part of what was split under the request `origin` to be kept again; the same request asked again changes nothing."""
        ...

    async def statement_of(self, since: int, until: int) -> StatementTold | None:
        """Ask what moved from `since` to before `until`; nothing when it cannot be reached, or does not know yet."""
        ...

    async def release(self, request: str, reference: str, account: BankAccount, amount: Money) -> Asked:
        """Ask for what is kept of a charge to be paid to its payer's account; the same request asked again changes nothing."""
        ...


class Channels(Struct, frozen=True):
    """The channels that this cloud takes, by name: a port."""

    by_name: Mapping[str, Channel]
    waits: Mapping[tuple[str, str], tuple[int, int]] = {}
    """Of which channel's method the market holds stock for another time, and for how much longer once (milliseconds)."""
    providers: Mapping[str, Provider] = {}
    """Those of them that keep what they collect: the custody of a channel never changes, another custody is another channel."""

    def named(self, name: str) -> Channel:
        """The channel with a name."""
        channel = self.by_name.get(name)
        if channel is None:
            raise Refused(PaymentRefusal.CHANNEL_UNKNOWN, name)
        return channel

    def custody(self, name: str) -> Custody:
        """Who keeps what this channel collects."""
        return Custody.PROVIDER if name in self.providers else Custody.PLATFORM

    def ours(self, name: str) -> Channel:
        """The channel with a name, when what it collects may be ours: only then wallets are filled and money is paid out over it."""
        channel = self.named(name)
        if name in self.providers:
            raise Refused(PaymentRefusal.KEPT_BY_PROVIDER, name)
        return channel


class Mismatch(StrEnum):
    """Why a genuine notification was not believed."""

    CHARGE_UNKNOWN = "charge_unknown"
    CHANNEL_DIFFERS = "channel_differs"
    MERCHANT_DIFFERS = "merchant_differs"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    EXCEEDS_CAPTURED = "exceeds_captured"
    """More would be taken back of a charge than it brought and has not gone back."""
    STATEMENT_DIFFERS = "statement_differs"
    """A provider's statement has a line that our books do not have, or have otherwise."""
    BALANCE_DIFFERS = "balance_differs"
    """A provider's statement ends with another balance than our books: they have something that it does not."""
    STATEMENT_MISSING = "statement_missing"
    """A provider's statement has been asked for in vain for two days, or cannot be compared."""
    CONTRADICTS = "contradicts"
    """It says that something was not collected, or not given back, of which the channel has said the opposite before."""


def mismatch(told: Told, *, channel: str, merchant: str, known_channel: str | None, amount: Money | None) -> Mismatch | None:
    """Compare what a channel says with what it was asked for."""
    if known_channel is None or amount is None:
        return Mismatch.CHARGE_UNKNOWN
    if known_channel != channel:
        return Mismatch.CHANNEL_DIFFERS
    if told.merchant != merchant:
        return Mismatch.MERCHANT_DIFFERS
    if told.amount.currency != amount.currency:
        return Mismatch.CURRENCY_DIFFERS
    if told.amount != amount:
        return Mismatch.AMOUNT_DIFFERS
    return None


class NotificationTaken(Struct, frozen=True, kw_only=True):
    """What a genuine notification is answered with, every time it comes: that it need not come again."""

    event: str
    believed: bool


class Alert(Struct, frozen=True, kw_only=True):
    """A genuine notification that did not match: somebody has to look at it."""

    id: AlertId
    channel: str
    event: str
    reason: Mismatch
    reference: str
    outcome: str
    amount: Money
    at: int
    resolved_at: int = 0
    name: str = ""
    """How the channel calls the chargeback that it is about;"""
    evidence_due: int = 0
    fee: Money | None = None
    """What it says now that it charges for that, beside `amount`, which it says was taken."""
    chargeback_id: AnyId | None = None
    """Of one that is known by this name:"""
    our_amount: Money | None = None
    our_fee: Money | None = None
    """What we know of both."""
