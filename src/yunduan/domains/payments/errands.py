"""What channels have to be asked, after the commit that decided it, as values."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.payments.model import Custody
from yunduan.kernel.money import Money


class OutgoingKind(StrEnum):
    """What a channel is asked."""

    REFUND = "refund"
    QUERY = "query"
    PAYOUT = "payout"
    VERIFY = "verify"
    """Whether an account is whose it is said to be."""
    CONTEST = "contest"
    """To hear evidence against a chargeback."""
    CONCEDE = "concede"
    """To know that a chargeback is not contested."""
    CHARGEBACK = "chargeback"
    """What became of a chargeback."""
    SPLIT = "split"
    """To divide what it keeps of an order between the shop and the marketplace."""
    TAKE_BACK = "take_back"
    """To keep again what it has split."""
    COVER = "cover"
    """To hand over to us, out of what it keeps, what a bank has taken from us for it."""
    STATEMENT = "statement"
    """What has moved in its books on a day."""
    RELEASE = "release"
    """To pay what it keeps to the account that its payer has named, since it could not go back the way it came."""


class OutgoingState(StrEnum):
    """Where a request to a channel stands."""

    WAITING = "waiting"
    """The channel has to be asked."""
    ASKED = "asked"
    """It has said that it will; when no notification comes it is asked what became of it."""
    DONE = "done"
    REFUSED = "refused"


class Outgoing(Struct, frozen=True, kw_only=True):
    """Something a channel has to be asked, at least once, after the commit that decided it.

    Its id is the name by which the channel knows a refund, a payout or a split; `cause` is what it belongs to: a refund, an ended payment,
    a payout, the owner of an account, a chargeback, or a split.
    """

    id: str
    kind: OutgoingKind
    state: OutgoingState
    channel: str
    reference: str
    amount: Money
    cause: str
    tries: int = 0
    next_at: int = 0
    custody: Custody = Custody.PLATFORM
    """Who keeps what it is about."""
    origin: str = ""
    """Under which request what is taken back was split."""
    of_shop: int = 0
    """How much of what is split, or taken back, is the shop's, in minor units."""
    claimed: int = 0
    """How much of what is taken back had paid what the shop owed: the marketplace has it there, in minor units."""
    done_at: int = 0
    """When it was heard that it is done, in milliseconds since 1970."""

    def done(self, now: int) -> "Outgoing":
        """It, when the channel has done it."""
        return replace(self, state=OutgoingState.DONE, done_at=now)


ASKED_MS = 60_000
"""How long an accepted refund or payout may take before the channel is asked what became of it."""
BACK_OFF_MS = (1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000)


def back_off(tries: int) -> int:
    """How long to wait after so many tries, in milliseconds: longer each time, an hour at most, and never giving up."""
    return BACK_OFF_MS[min(tries, len(BACK_OFF_MS)) - 1]
