"""Chargebacks (拒付): what a payer's bank has taken back of a charge, which step of one may follow which, and who bears it: pure."""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import LINE
from yunduan.domains.payments.model.channels import Mismatch
from yunduan.domains.payments.model.custody import Custody
from yunduan.domains.payments.model.escrows import Escrow, EscrowState
from yunduan.domains.payments.model.refunds import Drawn
from yunduan.domains.payments.model.refusals import PaymentRefusal
from yunduan.kernel.ids import OrderId, PaymentId, PersonId, ShopId
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import Refused, invariant

_DAY_MS = 86_400_000
_LINES = r"^(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
REMINDED_MS = _DAY_MS
"""How long before the evidence is due a shop that has given none is reminded."""
ASKED_AFTER_MS = (_DAY_MS, 7 * _DAY_MS, 30 * _DAY_MS)
"""When a channel that has not said what was decided is asked, counted from when evidence was due; after the last, as often again."""
EVIDENCE_MAX = 10
"""How often a shop gives evidence about one chargeback."""
REFERENCES_MAX = 10
NAME_CHARACTERS_MAX = 64

ChargebackId = Annotated[str, Meta(pattern=r"^cbk_[0-9a-f]{26}(?![\s\S])", description="A chargeback.")]
Evidence = Annotated[
    str,
    Meta(min_length=1, max_length=2000, pattern=_LINES, description="For the payer's bank; line feeds are its only control characters."),
]
ClosedFor = Annotated[str, Meta(min_length=1, max_length=500, pattern=LINE, description="Why it ends so; for whoever audits it.")]
Reference = Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, description="Where it can be seen.", examples=["SF1234567890"])]


class ChargebackState(StrEnum):
    """Where a chargeback stands; the last two are final."""

    OPEN = "open"
    """Evidence is heard."""
    CONTESTED = "contested"
    """A shop has given evidence."""
    UNANSWERED = "unanswered"
    """Nobody has, and it is too late."""
    CONCEDED = "conceded"
    """An operator has told the channel that it is not contested."""
    WON = "won"
    LOST = "lost"


class ChargebackEvent(StrEnum):
    """What can happen to a chargeback."""

    CONTEST = "contest"
    REMIND = "remind"
    LAPSE = "lapse"
    CONCEDE = "concede"
    WIN = "win"
    LOSE = "lose"
    CLOSE_AS_WON = "close_as_won"
    CLOSE_AS_LOST = "close_as_lost"


class By(StrEnum):
    """Who takes a step of a chargeback."""

    SHOP = "shop"
    OPERATOR = "operator"
    CLOUD = "cloud"
    CHANNEL = "channel"


class ChargebackMove(Struct, frozen=True):
    """One row of the table of chargebacks."""

    state: ChargebackState
    event: ChargebackEvent
    who: By
    next: ChargebackState


_UNDECIDED = (ChargebackState.OPEN, ChargebackState.CONTESTED, ChargebackState.UNANSWERED, ChargebackState.CONCEDED)
CHARGEBACK_MOVES: tuple[ChargebackMove, ...] = (
    ChargebackMove(ChargebackState.OPEN, ChargebackEvent.CONTEST, By.SHOP, ChargebackState.CONTESTED),
    ChargebackMove(ChargebackState.CONTESTED, ChargebackEvent.CONTEST, By.SHOP, ChargebackState.CONTESTED),
    ChargebackMove(ChargebackState.OPEN, ChargebackEvent.REMIND, By.CLOUD, ChargebackState.OPEN),
    ChargebackMove(ChargebackState.OPEN, ChargebackEvent.LAPSE, By.CLOUD, ChargebackState.UNANSWERED),
    *(
        ChargebackMove(state, ChargebackEvent.CONCEDE, By.OPERATOR, ChargebackState.CONCEDED)
        for state in _UNDECIDED
        if state is not ChargebackState.CONCEDED
    ),
    ChargebackMove(ChargebackState.CONCEDED, ChargebackEvent.CONCEDE, By.OPERATOR, ChargebackState.CONCEDED),
    *(ChargebackMove(state, ChargebackEvent.WIN, By.CHANNEL, ChargebackState.WON) for state in _UNDECIDED),
    *(ChargebackMove(state, ChargebackEvent.LOSE, By.CHANNEL, ChargebackState.LOST) for state in _UNDECIDED),
    *(ChargebackMove(state, ChargebackEvent.CLOSE_AS_WON, By.OPERATOR, ChargebackState.WON) for state in _UNDECIDED),
    *(ChargebackMove(state, ChargebackEvent.CLOSE_AS_LOST, By.OPERATOR, ChargebackState.LOST) for state in _UNDECIDED),
)
"""Every step that there is; whatever is not here is refused, or not believed of a channel."""
_NEXT: Mapping[tuple[ChargebackState, ChargebackEvent], ChargebackState] = MappingProxyType(
    {(move.state, move.event): move.next for move in CHARGEBACK_MOVES}
)


class ChargebackShare(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chargeback takes of one order: out of its escrow or, when the shop had been paid, as `drawn` says."""

    order_id: OrderId
    shop_id: ShopId
    amount: Money
    drawn: Drawn | None = None


class Otherwise(Struct, frozen=True, kw_only=True):
    """What a bank has decided with other figures than it had told: operators take them, or end it by ours."""

    won: bool
    amount: Money
    fee: Money
    at: int
    wrong: Mismatch | None = None
    """What else of it does not fit, so that it cannot be taken: another charge, merchant or currency."""


class Closed(Struct, frozen=True, kw_only=True):
    """Which operator has ended a chargeback that its bank decided otherwise, or had it taken, and why, sealed under their key."""

    by: PersonId
    reason: bytes
    at: int


class Chargeback(Struct, frozen=True, kw_only=True):
    """What a payer's bank has taken back of a charge, until it is decided; the channel knows it as `name`.

    `amount` is what the `shares` of orders bear, what was taken out of the payer's wallet if the charge had filled it, and what the
    marketplace bears itself: of that, `offset` has been made up for by refunds of the same money that the channel refused then.
    """

    id: ChargebackId
    channel: str
    name: str
    reference: str
    payment_id: PaymentId
    payer: PersonId
    amount: Money
    fee: Money
    state: ChargebackState
    due: int
    """Until when evidence is heard, in milliseconds since 1970."""
    opened_at: int
    decided_at: int = 0
    shares: tuple[ChargebackShare, ...] = ()
    of_wallet: Money
    borne: Money
    """What nobody else could bear: money that is on its way back already, or that has left the wallet."""
    offset: Money
    offsets: int = 0
    """How often something was made up for."""
    statements: int = 0
    custody: Custody = Custody.PLATFORM
    """Who keeps what the charge brought."""
    offset_kept: int = 0
    """So much of `offset` (minor units) a provider still keeps."""
    concessions: int = 0
    """How often the channel was told that it is not contested: again when it would not take that."""
    otherwise: Otherwise | None = None
    closed: Closed | None = None
    beyond: Closed | None = None
    """Who has had it taken though more was taken than was left of the charge."""

    @property
    def is_decided(self) -> bool:
        """Whether it has ended."""
        return self.state in (ChargebackState.WON, ChargebackState.LOST)

    def with_offset(self, amount: Money, custody: Custody) -> "Chargeback":
        """It, when so much more of what was borne is made up for, by what they keep."""
        kept = amount.amount if custody is Custody.PROVIDER else 0
        return replace(self, offset=self.offset + amount, offsets=self.offsets + 1, offset_kept=self.offset_kept + kept)

    def share_id(self, place: int) -> str:
        """The name of one of its shares."""
        return f"{self.id}{place:02x}"

    def of_shop(self, shop_id: ShopId) -> tuple[ChargebackShare, ...]:
        """What it takes of one shop's orders."""
        return tuple(share for share in self.shares if share.shop_id == shop_id)


class Stated(Struct, frozen=True, gc=False):
    """What somebody of a shop has given in evidence, sealed under the key of who said it."""

    chargeback_id: ChargebackId
    number: int
    shop_id: ShopId
    speaker: PersonId
    sealed: bytes
    at: int


class Said(Struct, frozen=True, kw_only=True):
    """The words of a piece of evidence."""

    text: Evidence
    references: tuple[Reference, ...] = ()


class ChargebackNow(Struct, frozen=True, kw_only=True):
    """What a refused step is told: where the chargeback stands, and until when evidence is heard."""

    chargeback_id: ChargebackId
    state: ChargebackState
    due: int


class ChargebackListener(Protocol):
    """Whoever has to know what becomes of an order's money when its payer's bank takes some back; joined by the composition root.

    It is called in the same transaction, after the money has moved.
    """

    def taken(self, tx: Any, order_id: OrderId, amount: Money, *, due: int) -> None:
        """So much has been taken back, until it is decided: nothing of the order's money moves meanwhile."""
        ...

    def restored(self, tx: Any, order_id: OrderId, amount: Money) -> None:
        """It has been won: everything is as it was."""
        ...

    def lost(self, tx: Any, order_id: OrderId, amount: Money) -> None:
        """It has been lost: so much has gone back to the buyer for good."""
        ...


class Delivery(StrEnum):
    """Whether a channel has taken what it was told about a chargeback."""

    ON_ITS_WAY = "on_its_way"
    TAKEN = "taken"
    REFUSED = "refused"
    """It would not; the same may be said again."""


def chargeback_id(channel: str, name: str) -> ChargebackId:
    """The id of what a channel calls by a name of its own: the same however often it is said."""
    named = f"{channel}\0{name}".encode()
    return f"cbk_{hashlib.blake2b(named, digest_size=13).hexdigest()}"


def after_event(chargeback: Chargeback, event: ChargebackEvent) -> ChargebackState:
    """The state that an event leads to; refuses one that the table does not have."""
    found = _NEXT.get((chargeback.state, event))
    if found is None:
        raise in_other_state(chargeback)
    return found


def in_other_state(chargeback: Chargeback) -> Refused:
    """The refusal of a step for which it stands elsewhere."""
    now = ChargebackNow(chargeback_id=chargeback.id, state=chargeback.state, due=chargeback.due)
    return Refused(PaymentRefusal.CHARGEBACK_OTHER_STATE, chargeback.state, figures=now)


def decided_of(told_won: bool) -> ChargebackEvent:
    """What the channel's decision is."""
    return ChargebackEvent.WIN if told_won else ChargebackEvent.LOSE


def check_not_contested(escrow: Escrow) -> None:
    """Refuse to move money of an order of which a bank has taken some back and nothing is decided."""
    if escrow.contested:
        raise Refused(PaymentRefusal.CHARGED_BACK)


def left_of_charge(escrow: Escrow, reference: str) -> int:
    """What of an order's money a charge has paid and has not gone back over it."""
    return sum([funding.left for funding in escrow.funding if funding.reference == reference])


def shares_of(amount: Money, lefts: Sequence[int]) -> list[Money]:
    """A chargeback over the orders that its charge paid, in proportion to what is left of each, and never more than that."""
    bearable = Money(amount=min(amount.amount, sum(lefts)), currency=amount.currency)
    return split(bearable, lefts) if lefts else []


def taken_from(escrow: Escrow, reference: str, amount: Money) -> Escrow:
    """The escrow when a bank has taken so much back of what a charge paid of it."""
    return _changed(escrow, reference, amount.amount, contested=escrow.contested + amount.amount)


def restored_to(escrow: Escrow, reference: str, amount: Money) -> Escrow:
    """The same when it has been won: as it was."""
    return _changed(escrow, reference, -amount.amount, contested=escrow.contested - amount.amount)


def lost_of(escrow: Escrow, amount: Money) -> Escrow:
    """The same when it has been lost; an escrow of which nothing is left, and of which nothing can come back, has ended."""
    after = replace(escrow, contested=escrow.contested - amount.amount)
    ends = after.state is EscrowState.HELD and not after.held and not after.contested
    return replace(after, state=EscrowState.RETURNED) if ends else after


def _changed(escrow: Escrow, reference: str, by: int, *, contested: int) -> Escrow:
    funding = tuple([replace(one, returned=one.returned + by) if one.reference == reference else one for one in escrow.funding])
    invariant(all(0 <= one.returned <= one.amount.amount for one in funding), "no tender has more back than it gave")
    held = escrow.held
    if escrow.state is EscrowState.HELD:
        held = Money(amount=held.amount - by, currency=held.currency)
    return replace(escrow, funding=funding, held=held, contested=contested)
