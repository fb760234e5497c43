"""What a bank has taken back for good of money that a provider keeps: it came out of what is ours there, and the hold makes up for it."""

from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import holding, splitting
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import KeptEnding
from yunduan.domains.payments.model import Chargeback, Custody, Outcome
from yunduan.domains.payments.store import CHARGEBACKS, OUTGOING
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

AGAIN_MS = 86_400_000
"""How long after a provider has refused it is asked anew."""


class CoverAgain(Command[None], refuses=POSTING_REFUSALS):
    """Ask a provider anew for what it has refused to hand over to us out of its hold. An alarm."""

    chargeback_id: str
    amount: Money


def cover(tx: Tx, chargeback: Chargeback, amount: Money) -> None:
    """Have the provider hand over to us, out of what it keeps of the charge, what the bank has taken from us for it."""
    if not amount or chargeback.custody is not Custody.PROVIDER:
        return
    errand = Outgoing(
        id=tx.id("cov"),
        kind=OutgoingKind.COVER,
        state=OutgoingState.WAITING,
        channel=chargeback.channel,
        reference=chargeback.reference,
        amount=amount,
        cause=chargeback.id,
        next_at=tx.now,
        custody=chargeback.custody,
    )
    tx.add(OUTGOING, errand.id, errand)


@handles(CoverAgain)
def cover_again(tx: Tx, ask: CoverAgain) -> None:
    """Under a new name, for the provider answers the old one as before."""
    invariant(tx.actor.is_system, "what was refused is asked anew by its own alarm")
    chargeback = tx.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is not None:
        cover(tx, chargeback, ask.amount)


def done(tx: Tx, outgoing: Outgoing) -> None:
    """It is ours there."""
    tx.send(splitting.cover(outgoing))
    tx.put(OUTGOING, outgoing.id, outgoing.done(tx.now))


def refused(tx: Tx, outgoing: Outgoing) -> None:
    """It stays in the hold, and is asked for again: it is nobody else's. Operators are told when it will not be kept much longer."""
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    chargeback, until = tx.get(CHARGEBACKS, outgoing.cause), holding.until_of(tx, outgoing.reference)
    if chargeback is not None and holding.is_near(tx, until):
        tx.tell(KeptEnding(payer=chargeback.payer, order_id=None, channel=outgoing.channel, amount=outgoing.amount, until=until))
    tx.at(tx.now + AGAIN_MS, CoverAgain(chargeback_id=outgoing.cause, amount=outgoing.amount))


WORDS = {OutgoingKind.COVER: {Outcome.SPLIT: OutgoingState.DONE, Outcome.SPLIT_REFUSED: OutgoingState.REFUSED}}
"""What the end of an errand is called."""
ENDS = {(OutgoingKind.COVER, OutgoingState.DONE): done, (OutgoingKind.COVER, OutgoingState.REFUSED): refused}
