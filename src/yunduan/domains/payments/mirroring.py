"""A provider's own books against our mirror of them: every line of its statement, and where all the money is, to the last unit."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model
from yunduan.domains.payments.errands import OutgoingKind, OutgoingState
from yunduan.domains.payments.model import Channels, ChargebackState, ChargeState, PaymentRefusal
from yunduan.domains.payments.model.bookings import BookingKind, booking_id
from yunduan.domains.payments.store import BOOKINGS, CHARGEBACKS, OUTGOING, PAYMENTS
from yunduan.kernel.ids import AccountId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Currency, Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class KeptMove(StrEnum):
    """What moves in a provider's books."""

    COLLECTED = "collected"
    REFUNDED = "refunded"
    SPLIT = "split"
    RETURNED = "returned"
    """What had been split is kept again."""
    CHARGED_BACK = "charged_back"
    BANK_RETURNED = "bank_returned"
    """A payer's bank has returned what it had taken back."""
    PAID_IN = "paid_in"
    """Our own money has come there."""
    TAKEN_OUT = "taken_out"
    UNKNOWN = "unknown"
    """Something that we have no word for: our books do not have it, whatever it is."""


WORD_MAX = 64


class KeptLine(Struct, frozen=True, kw_only=True):
    """One line of a provider's statement: `amount` in all, of a split or its return so much of it the shop's (minor units).

    `word` is the provider's own for what we have none for.
    """

    what: KeptMove
    reference: str
    amount: Money
    request: str = ""
    of_shop: Annotated[int, Meta(ge=0, le=10**15)] = 0
    word: Annotated[str, Meta(max_length=WORD_MAX)] = ""


class KeptBalances(Struct, frozen=True, kw_only=True):
    """Where a provider has money: kept for orders, given to shops, and our own, below zero when we owe it (minor units)."""

    held: int
    given: int
    own: int

    def plus(self, other: "KeptBalances") -> "KeptBalances":
        """Both together."""
        return KeptBalances(held=self.held + other.held, given=self.given + other.given, own=self.own + other.own)


NOTHING_KEPT = KeptBalances(held=0, given=0, own=0)


class Ours(NamedTuple):
    """What our books have of a line (minor units), and since when; nothing when they do not have it, or have it otherwise."""

    amount: int
    at: int


NOTHING = Ours(0, 0)


class KeptDiscrepancy(Struct, frozen=True, kw_only=True):
    """A line of the statement that our books do not have, or have otherwise; `ours` is what we have of it, 0 for nothing."""

    what: KeptMove
    reference: str
    request: str
    theirs: int
    ours: int


class Mirror(Struct, frozen=True, kw_only=True):
    """What our books say of a provider's money beside what its statement says.

    When no line differs and a balance does, our books have something that the statement does not.
    """

    ours: KeptBalances
    theirs: KeptBalances
    discrepancies: tuple[KeptDiscrepancy, ...]

    @property
    def agrees(self) -> bool:
        """Whether the two are the same to the last unit."""
        return self.ours == self.theirs and not self.discrepancies


class MirrorOf(Query[Mirror], refuses=(PaymentRefusal.CHANNEL_UNKNOWN,), slow=True):
    """Compare a provider's whole statement in one currency with our mirror of its books."""

    channel: model.ChannelName
    currency: Currency
    theirs: KeptBalances
    lines: tuple[KeptLine, ...]


@answers(MirrorOf)
def mirror_of(at: Asking, ask: MirrorOf) -> Mirror:
    """Line by line, and the three balances."""
    at.port(Channels).named(ask.channel)
    found = []
    for line in ask.lines:
        ours = ours_of(at, ask.channel, line).amount
        if ours != line.amount.amount:
            found.append(
                KeptDiscrepancy(
                    what=line.what, reference=line.reference, request=line.request, theirs=line.amount.amount, ours=ours
                )
            )  # fmt: skip
    return Mirror(ours=balances(at, ask.channel, ask.currency), theirs=ask.theirs, discrepancies=tuple(found))


def ours_of(at: Asking, channel: str, line: KeptLine) -> Ours:
    """What our books have of a line."""
    return _OURS[line.what](at, channel, line)


def balances(at: Asking, channel: str, currency: str) -> KeptBalances:
    """Where our books say that a provider's money is."""
    return KeptBalances(
        held=-_posted(at, model.held_account(channel, currency)),
        given=-_posted(at, model.given_account(channel, currency)),
        own=-_posted(at, model.own_account(channel, currency)),
    )


def _posted(at: Asking, id: AccountId) -> int:
    account = at.ask(AccountOf(id=id))
    return account.balance if account else 0


def _collected(at: Asking, channel: str, line: KeptLine) -> Ours:
    payment = at.get(PAYMENTS, model.payment_of_reference(line.reference))
    charge = payment.charge(line.reference) if payment else None
    if charge is None or charge.channel != channel or charge.amount.currency != line.amount.currency:
        return NOTHING
    return NOTHING if charge.state in (ChargeState.PENDING, ChargeState.ENDED) else Ours(charge.amount.amount, charge.captured_at)


def _done(at: Asking, channel: str, line: KeptLine, *kinds: OutgoingKind) -> Ours:
    """Of what the provider was asked by this very request: the shop's part is as much to be right as the whole."""
    errand = at.get(OUTGOING, line.request)
    if errand is None or (errand.channel, errand.reference, errand.of_shop) != (channel, line.reference, line.of_shop):
        return NOTHING
    return Ours(errand.amount.amount, errand.done_at) if errand.kind in kinds and errand.state is OutgoingState.DONE else NOTHING


def _refunded(at: Asking, channel: str, line: KeptLine) -> Ours:
    return _done(at, channel, line, OutgoingKind.REFUND, OutgoingKind.RELEASE)


def _split(at: Asking, channel: str, line: KeptLine) -> Ours:
    booked = at.get(BOOKINGS, booking_id(channel, line.request))
    if booked is None or booked.state is not BookingKind.SPLIT:
        return _done(at, channel, line, OutgoingKind.SPLIT, OutgoingKind.COVER)
    is_same = (booked.reference, booked.of_shop) == (line.reference, line.of_shop)
    return Ours(booked.amount.amount, booked.at) if is_same else NOTHING


def _own_moved(at: Asking, channel: str, line: KeptLine) -> Ours:
    booked = at.get(BOOKINGS, booking_id(channel, line.request))
    is_same = booked is not None and booked.state.value == line.what.value and booked.amount.currency == line.amount.currency
    return Ours(booked.amount.amount, booked.at) if booked is not None and is_same else NOTHING


def _returned(at: Asking, channel: str, line: KeptLine) -> Ours:
    return _done(at, channel, line, OutgoingKind.TAKE_BACK)


def _charged_back(at: Asking, channel: str, line: KeptLine) -> Ours:
    chargeback = at.get(CHARGEBACKS, model.chargeback_id(channel, line.request))
    if chargeback is None or chargeback.reference != line.reference:
        return NOTHING
    return Ours(chargeback.amount.amount, chargeback.opened_at)


def _bank_returned(at: Asking, channel: str, line: KeptLine) -> Ours:
    chargeback = at.get(CHARGEBACKS, model.chargeback_id(channel, line.request))
    if chargeback is None or chargeback.reference != line.reference or chargeback.state is not ChargebackState.WON:
        return NOTHING
    return Ours(chargeback.amount.amount, chargeback.decided_at)


def _unknown(_: Asking, _channel: str, _line: KeptLine) -> Ours:
    return NOTHING


_OURS: Mapping[KeptMove, Callable[[Asking, str, KeptLine], Ours]] = {
    KeptMove.COLLECTED: _collected,
    KeptMove.REFUNDED: _refunded,
    KeptMove.SPLIT: _split,
    KeptMove.RETURNED: _returned,
    KeptMove.CHARGED_BACK: _charged_back,
    KeptMove.BANK_RETURNED: _bank_returned,
    KeptMove.PAID_IN: _own_moved,
    KeptMove.TAKEN_OUT: _own_moved,
    KeptMove.UNKNOWN: _unknown,
}
