"""A provider's own books against our mirror of them: every line of its statement, and where all the money is, to the last unit."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model
from yunduan.domains.payments.errands import OutgoingKind, OutgoingState
from yunduan.domains.payments.model import Channels, ChargebackState, ChargeState, PaymentRefusal, SplitState
from yunduan.domains.payments.store import CHARGEBACKS, OUTGOING, PAYMENTS, SPLITS
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


class KeptLine(Struct, frozen=True, kw_only=True):
    """One line of a provider's statement: `amount` in all, of a split or its return so much of it the shop's (minor units)."""

    what: KeptMove
    reference: str
    amount: Money
    request: str = ""
    of_shop: Annotated[int, Meta(ge=0, le=10**15)] = 0


class KeptBalances(Struct, frozen=True, kw_only=True):
    """Where a provider has money: kept for orders, given to shops, and our own, below zero when we owe it (minor units)."""

    held: int
    given: int
    own: int


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
        ours = _OURS[line.what](at, ask.channel, line)
        if ours != line.amount.amount:
            found.append(
                KeptDiscrepancy(
                    what=line.what, reference=line.reference, request=line.request, theirs=line.amount.amount, ours=ours
                )
            )  # fmt: skip
    return Mirror(ours=balances(at, ask.channel, ask.currency), theirs=ask.theirs, discrepancies=tuple(found))


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


def _collected(at: Asking, channel: str, line: KeptLine) -> int:
    payment = at.get(PAYMENTS, model.payment_of_reference(line.reference))
    charge = payment.charge(line.reference) if payment else None
    if charge is None or charge.channel != channel or charge.amount.currency != line.amount.currency:
        return 0
    return 0 if charge.state in (ChargeState.PENDING, ChargeState.ENDED) else charge.amount.amount


def _refunded(at: Asking, channel: str, line: KeptLine) -> int:
    outgoing = at.get(OUTGOING, line.request)
    if outgoing is None or (outgoing.channel, outgoing.reference) != (channel, line.reference):
        return 0
    is_done = outgoing.kind in (OutgoingKind.REFUND, OutgoingKind.RELEASE) and outgoing.state is OutgoingState.DONE
    return outgoing.amount.amount if is_done else 0


def _split(at: Asking, channel: str, line: KeptLine) -> int:
    """Nothing also when its parts are others: what the shop was given is as much to be right as the whole."""
    handed = at.get(OUTGOING, line.request)
    if handed is not None and handed.kind is OutgoingKind.COVER:
        is_ours = (handed.channel, handed.reference, line.of_shop) == (channel, line.reference, 0)
        return handed.amount.amount if is_ours and handed.state is OutgoingState.DONE else 0
    split = at.get(SPLITS, line.request[:-2])
    if split is None or (split.channel, split.reference, split.request) != (channel, line.reference, line.request):
        return 0
    return split.whole.amount if split.state is SplitState.DONE and split.to_shop.amount == line.of_shop else 0


def _returned(at: Asking, channel: str, line: KeptLine) -> int:
    """The same of a return."""
    outgoing = at.get(OUTGOING, line.request)
    if outgoing is None or (outgoing.channel, outgoing.reference) != (channel, line.reference):
        return 0
    is_done = outgoing.kind is OutgoingKind.TAKE_BACK and outgoing.state is OutgoingState.DONE and outgoing.of_shop == line.of_shop
    return outgoing.amount.amount if is_done else 0


def _charged_back(at: Asking, channel: str, line: KeptLine) -> int:
    chargeback = at.get(CHARGEBACKS, model.chargeback_id(channel, line.request))
    if chargeback is None or chargeback.reference != line.reference or chargeback.state is ChargebackState.WON:
        return 0
    return chargeback.amount.amount


_OURS: Mapping[KeptMove, Callable[[Asking, str, KeptLine], int]] = {
    KeptMove.COLLECTED: _collected,
    KeptMove.REFUNDED: _refunded,
    KeptMove.SPLIT: _split,
    KeptMove.RETURNED: _returned,
    KeptMove.CHARGED_BACK: _charged_back,
}
