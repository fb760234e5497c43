"""What providers answer when they are asked for what they have split back: it is kept again, and goes on to the payer from the hold.

What the provider does not get back is drawn as any refund after a settlement is: from the shop's balance here, its deposit, or as a claim.
It is our money then, and its payer is asked where it goes.
"""

from msgspec.structs import replace

from yunduan.domains.payments import drawing, model, offsetting, recourse, splitting
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import SplitKept
from yunduan.domains.payments.model import Custody, Escrow, Outcome, Refund, RefundPiece
from yunduan.domains.payments.returning import have_asked
from yunduan.domains.payments.store import ESCROWS, OUTGOING, REFUNDS
from yunduan.kernel.ids import RefundId, sibling
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


def _found(tx: Tx, outgoing: Outgoing) -> tuple[Refund, RefundPiece, Escrow]:
    refunded = tx.get(REFUNDS, RefundId(outgoing.cause))
    invariant(refunded is not None, "what is asked back is for a refund")
    escrow = tx.get(ESCROWS, refunded.order_id)  # type: ignore[union-attr] # the line above says so
    invariant(escrow is not None, "what is refunded was paid")
    request = sibling(outgoing.id, "req")
    piece = next(piece for piece in refunded.pieces if piece.request == request)  # type: ignore[union-attr] # the same
    return refunded, piece, escrow  # type: ignore[return-value] # both lines say so


def _parts(outgoing: Outgoing) -> tuple[Money, Money, Money]:
    """What of it the shop has there, what had paid what it owed, and the commission."""
    of_shop, claimed = (Money(amount=amount, currency=outgoing.amount.currency) for amount in (outgoing.of_shop, outgoing.claimed))
    return of_shop, claimed, outgoing.amount - of_shop - claimed


def done(tx: Tx, outgoing: Outgoing) -> None:
    """It is kept for the order again: now it can go back to the payer. What had paid the shop's debt it pays once more from here."""
    refunded, piece, escrow = _found(tx, outgoing)
    currency = outgoing.amount.currency
    of_shop, claimed, commission = _parts(outgoing)
    earned = drawing.least(commission, recourse.available(tx, model.commission_account(currency), currency))
    nothing = zero(currency)
    drawn = drawing.draw(claimed, commission=nothing, earned=nothing, standing=recourse.standing(tx, escrow.shop_id, currency))
    missing = commission - earned
    tx.send(splitting.take_back(outgoing, escrow.shop_id, of_shop=of_shop, earned=earned, missing=missing, drawn=drawn))
    if drawn.owed:
        recourse.owes(tx, escrow.shop_id, currency, is_owing=True)
    tx.put(OUTGOING, outgoing.id, outgoing.done(tx.now))
    have_asked(tx, OutgoingKind.REFUND, id=piece.request, charge=piece, cause=refunded.id)


def refused(tx: Tx, outgoing: Outgoing) -> None:
    """The shop has it no more: it pays from what it has here, and what it has not it owes; the payer is asked where it goes."""
    refunded, piece, escrow = _found(tx, outgoing)
    currency = outgoing.amount.currency
    of_shop, claimed, commission = _parts(outgoing)
    drawn = drawing.draw(
        outgoing.amount,
        commission=commission,
        earned=recourse.available(tx, model.commission_account(currency), currency),
        standing=recourse.standing(tx, escrow.shop_id, currency),
    )
    tx.send(splitting.draw_instead(outgoing, escrow.shop_id, drawn))
    if drawn.owed:
        recourse.owes(tx, escrow.shop_id, currency, is_owing=True)
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    tx.tell(SplitKept(refund_id=refunded.id, order_id=escrow.order_id, shop_id=escrow.shop_id, amount=of_shop + claimed, drawn=drawn))
    ours = have_asked(tx, OutgoingKind.REFUND, id=piece.request, charge=replace(piece, custody=Custody.PLATFORM), cause=refunded.id)
    offsetting.return_refused(tx, ours)


WORDS = {OutgoingKind.TAKE_BACK: {Outcome.SPLIT_RETURNED: OutgoingState.DONE, Outcome.SPLIT_KEPT: OutgoingState.REFUSED}}
"""What the end of an errand is called."""
ENDS = {(OutgoingKind.TAKE_BACK, OutgoingState.DONE): done, (OutgoingKind.TAKE_BACK, OutgoingState.REFUSED): refused}
