"""What a provider has done by itself is booked by an operator, line by line of its statement, with a reason.

Our own money that came there or left, and a split that the provider had refused and then settled with the shop itself.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import model, splits, splitting, store
from yunduan.domains.payments.model import Channels, Custody, EscrowState, PaymentRefusal, SplitState
from yunduan.domains.payments.model.bookings import BookedFor, Booking, BookingKind, LineName, booking_id
from yunduan.domains.payments.payees import PAYOUT_MAX
from yunduan.domains.payments.splits import SplitStands
from yunduan.domains.payments.store import BOOKINGS, ESCROWS, OUTGOING, SPLITS
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

BOOKINGS_MAX = 100


class BookedNow(Struct, frozen=True, kw_only=True):
    """What was booked of a provider's statement, by whom and why; no words when they have been forgotten."""

    name: str
    kind: BookingKind
    amount: Money
    of_shop: int
    by_id: PersonId
    reason: str
    at: int


class BookOwnMoney(
    Command[BookedNow],
    refuses={
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.NOT_KEPT,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.BOOKED_ALREADY,
        *POSTING_REFUSALS,
    },
    spends_key=True,
):
    """Book that our own money has come to a provider from our bank account, or has left it for there, as its statement says."""

    channel: model.ChannelName
    name: LineName
    amount: Money
    is_paid_in: Annotated[bool, Meta(description="Whether it came there; else it left.")]
    reason: BookedFor


class BookSplit(
    Command[SplitStands],
    refuses={
        PaymentRefusal.SPLIT_NOT_FOUND,
        PaymentRefusal.SPLIT_NOT_REFUSED,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.BOOKED_ALREADY,
        *POSTING_REFUSALS,
    },
):
    """Book that a provider has divided, by itself, what it had refused to: all of it, whatever each has had of that."""

    split_id: model.SplitId
    name: LineName
    to_shop: Money
    to_marketplace: Money
    reason: BookedFor


class BookingPage(Struct, frozen=True, kw_only=True):
    """A page of it; `after` asks for the next."""

    items: tuple[BookedNow, ...]
    after: str | None


class BookingsOf(Query[BookingPage], refuses=(PaymentRefusal.CHANNEL_UNKNOWN,)):
    """What operators have booked of a provider's statements, by the names of its lines."""

    channel: model.ChannelName
    after: Annotated[str, Meta(max_length=64, description="The `after` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=BOOKINGS_MAX)] = 50


@handles(BookOwnMoney)
def book_own_money(tx: Tx, ask: BookOwnMoney) -> BookedNow:
    """Once for a line; the statement that names it agrees then."""
    channels = tx.port(Channels)
    channels.named(ask.channel)
    if channels.custody(ask.channel) is not Custody.PROVIDER:
        raise Refused(PaymentRefusal.NOT_KEPT, ask.channel)
    if not 0 < ask.amount.amount <= PAYOUT_MAX:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, f"1 to {PAYOUT_MAX} minor units at once")
    kind = BookingKind.PAID_IN if ask.is_paid_in else BookingKind.TAKEN_OUT
    booked = _booked(tx, ask.channel, ask.name, kind, ask.amount, ask.reason)
    tx.send(splitting.own_moved(tx.id("own"), ask.channel, ask.amount, is_paid_in=ask.is_paid_in))
    tx.add(BOOKINGS, booked.id, booked)
    return _now(tx, booked)


@handles(BookSplit)
def book_split(tx: Tx, ask: BookSplit) -> SplitStands:
    """As if the provider had answered so; the commission of the order is what it has come to."""
    split = tx.get(SPLITS, ask.split_id)
    if split is None:
        raise Refused(PaymentRefusal.SPLIT_NOT_FOUND)
    escrow = tx.get(ESCROWS, split.order_id)
    if split.state is not SplitState.REFUSED or escrow is None or escrow.state is not EscrowState.SPLITTING:
        raise Refused(PaymentRefusal.SPLIT_NOT_REFUSED, split.state)
    currency = split.to_shop.currency
    if {ask.to_shop.currency, ask.to_marketplace.currency} != {currency} or ask.to_shop + ask.to_marketplace != split.whole:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, f"{split.whole} is to be divided")
    booked = _booked(tx, split.channel, ask.name, BookingKind.SPLIT, split.whole, ask.reason)
    booked = replace(booked, reference=split.reference, of_shop=ask.to_shop.amount, split_id=split.id)
    tx.add(BOOKINGS, booked.id, booked)
    asked = escrow.commission or model.total(currency, [])
    tx.put(ESCROWS, escrow.order_id, replace(escrow, commission=asked + ask.to_marketplace - split.to_marketplace))
    split = replace(split, to_shop=ask.to_shop, to_marketplace=ask.to_marketplace, serial=split.serial + 1, booked_as=ask.name)
    tx.put(SPLITS, split.id, split)
    errand = splits.errand_of(split)
    tx.add(OUTGOING, errand.id, errand)
    splits.done(tx, errand)
    return SplitStands(id=split.id, state=SplitState.DONE, amount=split.whole)


def _booked(tx: Tx, channel: str, name: str, kind: BookingKind, amount: Money, reason: str) -> Booking:
    id = booking_id(channel, name)
    if tx.get(BOOKINGS, id) is not None:
        raise Refused(PaymentRefusal.BOOKED_ALREADY, name)
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    by = tx.actor.person
    return Booking(id=id, channel=channel, name=name, state=kind, amount=amount, by=by, reason=vault.seal(by, reason), at=tx.now)


def _now(at: Asking, booked: Booking) -> BookedNow:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    reason = vault.unseal(booked.by, booked.reason) or ""
    return BookedNow(
        name=booked.name, kind=booked.state, amount=booked.amount, of_shop=booked.of_shop, by_id=booked.by, reason=reason, at=booked.at
    )


@answers(BookingsOf)
def bookings_of(at: Asking, ask: BookingsOf) -> BookingPage:
    """The edge has looked at the caller's role."""
    at.port(Channels).named(ask.channel)
    found = store.bookings_of(at, ask.channel, booking_id(ask.channel, ask.after), ask.limit + 1)
    items = tuple([_now(at, one) for one in found[: ask.limit]])
    return BookingPage(items=items, after=items[-1].name if len(found) > ask.limit else None)
