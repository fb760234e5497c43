"""Money that a channel would not give back: owed to whoever had paid, until they say where it goes. Values; no input, no output.

It may be that a card is closed. Nobody is made to take a wallet for it: the payer takes it into the wallet, or has it paid to the account
that they have named. Until then it lies in an account of the ledger under their name. What a provider keeps is paid by the provider.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import Custody, PaymentRefusal, payment_of_reference
from yunduan.kernel.ids import AccountId, OrderId, PaymentId, PersonId, RefundId, sibling
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BrokenError, Refused

DAY_MS = 86_400_000
REMINDED_MS = (3 * DAY_MS, 14 * DAY_MS, 60 * DAY_MS, 180 * DAY_MS)
"""When the payer is told again, counted from the day on which it came to wait; with the last of them it is in the operators' list."""

UnclaimedId = Annotated[str, Meta(pattern=r"^ucl_[0-9a-z]{1,40}(?![\s\S])", description="Money that waits for its owner.")]


class Into(StrEnum):
    """Where its owner may have it."""

    WALLET = "wallet"
    ACCOUNT = "account"
    """The bank account that they have named and the channel has confirmed."""


class UnclaimedState(StrEnum):
    """Where it is."""

    WAITING = "waiting"
    """Its owner has to say where it goes."""
    LEAVING = "leaving"
    """It is being paid to their account."""
    TAKEN = "taken"
    """It is in their wallet."""
    PAID = "paid"
    SET_OFF = "set_off"
    """Its owner has had it from their bank, which had taken it from the channel."""


class UnclaimedEvent(StrEnum):
    """What can happen to it."""

    TAKE_INTO_WALLET = "take_into_wallet"
    TAKE_TO_ACCOUNT = "take_to_account"
    REMIND = "remind"
    """Another of the days on which its owner is told again."""
    PAY = "pay"
    REFUSE = "refuse"
    DECLINE = "decline"
    SET_OFF_PART = "set_off_part"
    SET_OFF = "set_off"


class UnclaimedMove(Struct, frozen=True):
    """One row of the table of what becomes of it."""

    state: UnclaimedState
    event: UnclaimedEvent
    who: str
    next: UnclaimedState


UNCLAIMED_MOVES: tuple[UnclaimedMove, ...] = (
    UnclaimedMove(UnclaimedState.WAITING, UnclaimedEvent.TAKE_INTO_WALLET, "owner", UnclaimedState.TAKEN),
    UnclaimedMove(UnclaimedState.WAITING, UnclaimedEvent.TAKE_TO_ACCOUNT, "owner", UnclaimedState.LEAVING),
    UnclaimedMove(UnclaimedState.WAITING, UnclaimedEvent.REMIND, "cloud", UnclaimedState.WAITING),
    UnclaimedMove(UnclaimedState.WAITING, UnclaimedEvent.SET_OFF_PART, "bank", UnclaimedState.WAITING),
    UnclaimedMove(UnclaimedState.WAITING, UnclaimedEvent.SET_OFF, "bank", UnclaimedState.SET_OFF),
    UnclaimedMove(UnclaimedState.LEAVING, UnclaimedEvent.REMIND, "cloud, without a word", UnclaimedState.LEAVING),
    UnclaimedMove(UnclaimedState.LEAVING, UnclaimedEvent.PAY, "channel", UnclaimedState.PAID),
    UnclaimedMove(UnclaimedState.LEAVING, UnclaimedEvent.REFUSE, "channel", UnclaimedState.WAITING),
    UnclaimedMove(UnclaimedState.LEAVING, UnclaimedEvent.DECLINE, "operator", UnclaimedState.WAITING),
)
"""Every step that there is. None of them ends it by time: what is owed stays owed."""
_NEXT: Mapping[tuple[UnclaimedState, UnclaimedEvent], UnclaimedState] = MappingProxyType(
    {(move.state, move.event): move.next for move in UNCLAIMED_MOVES}
)


class Unclaimed(Struct, frozen=True, kw_only=True):
    """What a channel refused to give back, of a refund or of a payment that had ended; `request` is what it was asked for it.

    `amount` is what is owed of it, or was when that ended.
    """

    id: UnclaimedId
    payer: PersonId
    request: str
    amount: Money
    channel: str
    state: UnclaimedState
    at: int
    order_id: OrderId | None = None
    """Of a refund, with its id; else the payment:"""
    refund_id: RefundId | None = None
    payment_id: PaymentId | None = None
    custody: Custody = Custody.PLATFORM
    """Who has it: what a provider keeps is paid by the provider, and never comes into a wallet."""
    reference: str = ""
    """The charge that it was paid by."""
    reminded: int = 0
    """How often its owner has been told again."""

    @property
    def is_late(self) -> bool:
        """Whether it has waited so long that operators look after it."""
        return self.reminded >= len(REMINDED_MS)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is owed any more."""
        return self.state not in (UnclaimedState.WAITING, UnclaimedState.LEAVING)

    def after(self, event: UnclaimedEvent) -> UnclaimedState:
        """The state that an event leads to; refuses one that the table does not have."""
        found = _NEXT.get((self.state, event))
        if found is None:
            raise Refused(PaymentRefusal.UNCLAIMED_TAKEN, self.state)
        return found


def unclaimed_account(person: PersonId, currency: str) -> AccountId:
    """What is owed to a person who has not said where it goes; zero when nothing is."""
    return AccountId(f"{sibling(person, 'owe')}{currency.lower()}")


def unclaimed_id(request: str) -> UnclaimedId:
    """The id of what a channel would not give back by this request, in the order of time.

    Pieces of refunds and whole charges may share their digits, so the kind of request is a part of it.
    """
    kind, _, digits = request.partition("_")
    return f"ucl_{digits}{kind}"


def owed(outgoing: Outgoing, payer: PersonId, amount: Money, *, order_id: OrderId | None, now: int) -> Unclaimed:
    """What a request comes to that was refused, when so much of it is owed."""
    is_refund = order_id is not None
    return Unclaimed(
        id=unclaimed_id(outgoing.id),
        payer=payer,
        request=outgoing.id,
        amount=amount,
        channel=outgoing.channel,
        state=UnclaimedState.WAITING,
        at=now,
        order_id=order_id,
        refund_id=RefundId(outgoing.cause) if is_refund else None,
        payment_id=None if is_refund else payment_of_reference(outgoing.reference),
        custody=outgoing.custody,
        reference=outgoing.reference,
    )


def taken(found: Unclaimed | None, person: PersonId, into: Into) -> Unclaimed:
    """It, on its way to where its owner wants it; refuses what is somebody else's, and what does not wait any more."""
    if found is None or not person or found.payer != person:
        raise Refused(PaymentRefusal.UNCLAIMED_NOT_FOUND)
    if into is Into.WALLET and found.custody is Custody.PROVIDER and found.state is UnclaimedState.WAITING:
        raise Refused(PaymentRefusal.KEPT_BY_PROVIDER, found.channel)
    event = UnclaimedEvent.TAKE_INTO_WALLET if into is Into.WALLET else UnclaimedEvent.TAKE_TO_ACCOUNT
    return replace(found, state=found.after(event))


def moved(found: Unclaimed | None, event: UnclaimedEvent) -> Unclaimed:
    """It, when a payout of it has ended."""
    if found is None:
        raise BrokenError("what is paid out is there")
    return replace(found, state=found.after(event))


def set_off(found: Unclaimed, amount: Money) -> Unclaimed:
    """It, when its owner has had so much of it from their bank."""
    if amount == found.amount:
        return replace(found, state=found.after(UnclaimedEvent.SET_OFF))
    return replace(found, state=found.after(UnclaimedEvent.SET_OFF_PART), amount=found.amount - amount)
