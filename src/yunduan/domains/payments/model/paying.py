"""Tenders, charges and payments as values, and what is decided about them: no input, no output."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, Protocol

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from yunduan.domains.payments.model.custody import Custody
from yunduan.domains.payments.model.naming import charge_reference
from yunduan.domains.payments.model.refusals import PaymentRefusal
from yunduan.kernel.ids import CheckoutId, OrderId, PaymentId, PersonId, ShopId
from yunduan.kernel.money import Currency, Money, zero
from yunduan.kernel.refusals import Refused

PARTS_MAX = 100
"""Orders that one checkout may be split into."""

TENDERS_MAX = 32
"""Of one payment; people may give eight, an import has had nineteen vouchers on one order."""

TOP_UP_MAX = 100_000_000
"""The most that one top-up may bring, in minor units."""

TOP_UP_DUE_MS = 30 * 60_000
"""How long a person has to approve a top-up."""

HOLD_GRACE_MS = 86_400_000
"""How much longer than the payment a hold on a wallet lasts: it is voided when the payment ends, and falls by itself if nobody could."""


SLOW_MS = 3_600_000
"""What may be waited for longer than this holds stock for so long that a buyer may have few such payments at once."""

LATE_MS = 7 * 86_400_000
"""How long after its time money can still make a payment good; what comes later goes back."""


class TenderKind(StrEnum):
    """Where money comes from."""

    WALLET = "wallet"
    CHANNEL = "channel"
    DIFFERENCE = "difference"
    """A named account of the marketplace, for imported payments that were less than their orders; the cloud's own word only."""
    PROMOTION = "promotion"
    """What the marketplace has set aside for discounts; a part of what funds an order, never a tender."""


class Tender(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way in which a part of a payment is paid; `channel` names the channel of a channel tender and is empty otherwise.

    `method` is one of the channel's, its usual one where none is named.
    """

    kind: TenderKind
    amount: Money
    channel: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9]{0,15})?(?![\s\S])", examples=["sandbox"])] = ""
    method: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9]{0,15})?(?![\s\S])", examples=["slip"])] = ""


class PartOfPayment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one order costs of a checkout: `amount` to its buyer; `promoted` is what the marketplace pays of it, for a discount."""

    order_id: OrderId
    shop_id: ShopId
    amount: Money
    promoted: Money | None = None

    @property
    def whole(self) -> Money:
        """What the order's escrow holds when it is paid."""
        return self.amount if self.promoted is None else self.amount + self.promoted


class PaymentKind(StrEnum):
    """What a payment is for."""

    PURCHASE = "purchase"
    TOP_UP = "top_up"


class PaymentState(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    """A channel has yet to say what became of its part."""
    CAPTURED = "captured"
    FAILED = "failed"
    """The payer declined, or the channel did."""
    ABANDONED = "abandoned"
    """Whoever began it has given it up."""
    EXPIRED = "expired"
    """Its time passed. Money that comes within a week makes it good, if everything is there still; otherwise it goes back."""


class PaymentEvent(StrEnum):
    """What can happen to a payment."""

    COLLECT = "collect"
    """One of several channels has its part."""
    CAPTURE = "capture"
    """All the money is there."""
    PROCESS = "process"
    """A channel says that its part is on its way."""
    DECLINE = "decline"
    EXPIRE = "expire"
    ABANDON = "abandon"
    PUT_OFF = "put_off"
    LAPSE = "lapse"
    """Its time has passed, or what the wallet had set aside for it."""


class PaymentMove(NamedTuple):
    """One row of the table of what becomes of a payment: by what event, at whose word."""

    state: PaymentState
    event: PaymentEvent
    who: str
    next: PaymentState


PAYMENT_MOVES: tuple[PaymentMove, ...] = (
    PaymentMove(PaymentState.PENDING, PaymentEvent.COLLECT, "channel, others missing", PaymentState.PENDING),
    PaymentMove(PaymentState.PENDING, PaymentEvent.CAPTURE, "channel", PaymentState.CAPTURED),
    PaymentMove(PaymentState.PENDING, PaymentEvent.PROCESS, "channel", PaymentState.PENDING),
    PaymentMove(PaymentState.PENDING, PaymentEvent.DECLINE, "channel", PaymentState.FAILED),
    PaymentMove(PaymentState.PENDING, PaymentEvent.EXPIRE, "channel", PaymentState.EXPIRED),
    PaymentMove(PaymentState.PENDING, PaymentEvent.ABANDON, "buyer", PaymentState.ABANDONED),
    PaymentMove(PaymentState.PENDING, PaymentEvent.PUT_OFF, "cloud, once, in flight", PaymentState.PENDING),
    PaymentMove(PaymentState.PENDING, PaymentEvent.LAPSE, "cloud", PaymentState.EXPIRED),
    PaymentMove(PaymentState.EXPIRED, PaymentEvent.CAPTURE, "channel, everything there", PaymentState.CAPTURED),
    # Whoever gives up what has ended without money changes nothing
    PaymentMove(PaymentState.FAILED, PaymentEvent.ABANDON, "buyer", PaymentState.FAILED),
    PaymentMove(PaymentState.ABANDONED, PaymentEvent.ABANDON, "buyer", PaymentState.ABANDONED),
    PaymentMove(PaymentState.EXPIRED, PaymentEvent.ABANDON, "buyer", PaymentState.EXPIRED),
)
"""Every step of a payment; what else a channel collects goes back and changes no state."""
_NEXT: Mapping[tuple[PaymentState, PaymentEvent], PaymentState] = MappingProxyType(
    {(move.state, move.event): move.next for move in PAYMENT_MOVES}
)


class ChargeState(StrEnum):
    """Where the part of a payment that a channel collects stands."""

    PENDING = "pending"
    CAPTURED = "captured"
    ENDED = "ended"
    """Nothing was collected. A capture that still comes makes an expired payment good, or is given back."""
    RETURNING = "returning"
    """It was collected for a payment that had ended, and is on its way back."""
    RETURNED = "returned"
    UNCLAIMED = "unclaimed"
    """The channel would not take it back: it is owed to the payer, who is asked where it goes."""
    LEAVING = "leaving"
    """It is being paid to the account that the payer has named."""
    DIVERTED = "diverted"
    """The payer has taken it into the wallet."""
    PAID_OUT = "paid_out"
    """It is in that account."""


class Charge(Struct, frozen=True, kw_only=True):
    """What a channel is asked to collect; it knows the charge by `reference` alone."""

    reference: str
    channel: str
    amount: Money
    state: ChargeState = ChargeState.PENDING
    in_flight: bool = False
    """Whether the channel has said that the money is on its way to it."""
    custody: Custody = Custody.PLATFORM
    """Who keeps it."""
    captured_at: int = 0
    """When it was heard that it is collected, in milliseconds since 1970; 0 of those of long ago."""
    held_until: int = 0
    """Until when, in milliseconds since 1970, when a provider does and has said so."""
    from_bank: int = 0
    """What of it the payer has had back from their bank, in minor units, when the channel would not return it."""

    @property
    def rest(self) -> Money:
        """What of it is where its state says."""
        return self.amount - Money(amount=self.from_bank, currency=self.amount.currency)


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one checkout, or one top-up, costs; a top-up has neither `checkout_id` nor `parts`."""

    id: PaymentId
    kind: PaymentKind
    state: PaymentState
    payer: PersonId = field(name="payer_id")
    currency: Currency
    checkout_id: CheckoutId | None
    parts: tuple[PartOfPayment, ...]
    tenders: tuple[Tender, ...]
    charges: tuple[Charge, ...]
    """One for each channel tender, in their order; after them what an import collected too much."""
    due: int
    started_at: int
    extension_ms: int = 0
    """For how much longer it is waited for, once, when all that is missing is in flight by `due`."""
    put_off_ms: int = 0
    """By how much `due` was put off for that."""

    @property
    def is_slow(self) -> bool:
        """Whether it may be waited for so long that few of them are allowed at once."""
        return self.due - self.put_off_ms - self.started_at > SLOW_MS

    @property
    def in_flight(self) -> bool:
        """Whether nothing is waited for but what channels have said to be on its way."""
        missing = [charge for charge in self.charges if charge.state is not ChargeState.CAPTURED]
        return bool(missing) and all(charge.in_flight and charge.state is ChargeState.PENDING for charge in missing)

    @property
    def total(self) -> Money:
        """What is paid in all."""
        return total(self.currency, [tender.amount for tender in self.tenders])

    @property
    def promoted(self) -> Money | None:
        """What the marketplace pays of its orders, if it does."""
        parts = [part.promoted for part in self.parts if part.promoted]
        return total(self.currency, parts) if parts else None

    @property
    def meets_in_clearing(self) -> bool:
        """Whether what pays it comes from several places at several times: it waits in an account of its own then."""
        return bool(self.charges) and (len(self.tenders) > 1 or self.promoted is not None)

    def after(self, event: PaymentEvent) -> PaymentState:
        """The state that an event leads to; refuses one that the table does not have."""
        found = _NEXT.get((self.state, event))
        if found is None:
            raise Refused(PaymentRefusal.ENDED, self.state)
        return found

    def charge(self, reference: str) -> Charge | None:
        """The charge with a reference."""
        return next((charge for charge in self.charges if charge.reference == reference), None)

    def with_charge(self, changed: Charge) -> "Payment":
        """The same payment with one charge changed."""
        return replace(self, charges=tuple(changed if charge.reference == changed.reference else charge for charge in self.charges))


class Redirect(Struct, frozen=True, kw_only=True):
    """Where the payer goes to approve the part that a channel collects."""

    channel: str
    url: str


class PaymentStarted(Struct, frozen=True, kw_only=True):
    """What a payment is answered with: `captured` at once when the wallet pays it all, else `pending` and where to go."""

    id: PaymentId
    state: PaymentState
    redirects: tuple[Redirect, ...] = ()


class PaymentListener(Protocol):
    """Whoever has to know what became of a payment that was `pending`; joined by the composition root, called in the same transaction.

    It is not called for what `PayOrders` or `AbandonPayment` answer themselves: their caller knows.
    """

    def paid(self, tx: Any, checkout_id: CheckoutId) -> None:
        """The escrows of a checkout are funded."""
        ...

    def not_paid(self, tx: Any, checkout_id: CheckoutId) -> None:
        """The payment was declined or its time passed; what was held is free again."""
        ...

    def paid_late(self, tx: Any, checkout_id: CheckoutId) -> bool:
        """All the money is there after its time had passed: whether the checkout stands again, all of it; its escrows are funded then.

        Where the answer is no, nothing has changed and the money goes back.
        """
        ...


def total(currency: str, amounts: Sequence[Money]) -> Money:
    """The sum of amounts of one currency."""
    if len(amounts) == 1 and amounts[0].currency == currency:
        return amounts[0]
    return sum(amounts, zero(currency))


def check_tenders(parts: Sequence[PartOfPayment], tenders: Sequence[Tender], *, is_system: bool) -> str:
    """The currency of a payment, when its tenders are what its orders cost: one currency, nothing empty, the same sum."""
    currencies, orders, kinds, asked, given = set(), set(), set(), 0, 0
    for part in parts:
        currencies.add(part.whole.currency)
        orders.add(part.order_id)
        asked += part.amount.amount
    for tender in tenders:
        if flaw := _flaw(tender, is_system=is_system, is_second=tender.kind in kinds):
            raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, flaw)
        currencies.add(tender.amount.currency)
        given += tender.amount.amount
        kinds.add(tender.kind)
    if len(currencies) != 1:
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, "a payment is in one currency")
    currency = currencies.pop()
    if len(orders) != len(parts):
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, "an order is paid once")
    if asked != given:
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, f"{given} for {asked} {currency}")
    return currency


def _flaw(tender: Tender, *, is_system: bool, is_second: bool) -> str:
    """What is wrong with one tender by itself; nothing when it is sound."""
    kind = tender.kind
    if not tender.amount.amount:
        return "a tender of nothing"
    if (kind is TenderKind.CHANNEL) != bool(tender.channel):
        return "a channel tender names its channel, and no other does"
    if kind is TenderKind.PROMOTION:
        return "a promotion is no tender"
    if kind is TenderKind.DIFFERENCE and not is_system:
        return "a difference is booked by the cloud alone"
    if is_second and kind is not TenderKind.CHANNEL:
        return "a wallet pays once"
    return "a method is one of a channel's" if tender.method and not tender.channel else ""


def charges_of(
    payment_id: PaymentId, tenders: Sequence[Tender], custody: Callable[[str], Custody] = lambda _: Custody.PLATFORM
) -> tuple[Charge, ...]:
    """What the channels are asked to collect; `custody` says of each who keeps it."""
    return tuple(
        [
            Charge(
                reference=charge_reference(payment_id, number),
                channel=tender.channel,
                amount=tender.amount,
                custody=custody(tender.channel),
            )
            for number, tender in enumerate(of_channels(tenders))
        ]
    )


def of_channels(tenders: Sequence[Tender]) -> list[Tender]:
    """Those of the tenders that channels collect."""
    return [tender for tender in tenders if tender.kind is TenderKind.CHANNEL]


_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
CHECKS_MS = (60_000, 300_000, 900_000, _HOUR_MS, 6 * _HOUR_MS, *(days * _DAY_MS for days in range(1, 15)))
"""When a channel that has said nothing about a charge is asked, counted from the start of the payment."""

LAST_CHECK_MS = 60_000
"""How long before a payment is due channels are asked once more: by then it has to be known whether money is in flight."""

CHECKS_AFTER_DUE_MS = (0, 600_000, _DAY_MS, 3 * _DAY_MS, LATE_MS)
"""The same, counted from when it was due: money may have been collected at the last moment, and the notification lost."""


def next_check(payment: Payment, now: int) -> int | None:
    """When a payment is looked at next: at its checks before it is due, when it is due, and a few times after; then never."""
    last = payment.due - LAST_CHECK_MS
    moments = [payment.started_at + wait for wait in CHECKS_MS if payment.started_at + wait < last]
    moments += [last] if last > payment.started_at else []
    moments += [payment.due + wait for wait in CHECKS_AFTER_DUE_MS]
    return next((moment for moment in moments if moment > now), None)
