"""Refunds of what a provider has split already: it is asked for it back first, from the shop and the marketplace."""

from yunduan.domains.payments import drawing, model
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import Custody, Escrow, Refund, RefundPiece, Split, SplitState
from yunduan.domains.payments.store import OUTGOING, SPLITS
from yunduan.kernel.ids import sibling
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


def ask_back(tx: Tx, before: Escrow, after: Escrow, refunded: Refund) -> None:
    """Have providers take back what a refund needs of what each has split; `before` and `after` are the escrow around it."""
    for piece in refunded.pieces:
        if piece.custody is Custody.PROVIDER:
            _ask_back(tx, before, after, refunded, piece)


def _ask_back(tx: Tx, before: Escrow, after: Escrow, refunded: Refund, piece: RefundPiece) -> None:
    place = next(place for place, one in model.kept_by_providers(before) if one.reference == piece.reference)
    split = tx.get(SPLITS, model.split_id(before.order_id, place))
    invariant(split is not None, "what a provider keeps of an order that is settled was to be split")
    if split is None or split.state is not SplitState.DONE:
        return
    lefts = before.left_of(place), after.left_of(place)
    earned = drawing.commission_back(split.to_marketplace, settled=split.whole, before=lefts[0], after=lefts[1])
    claimed = _claimed_back(split, *lefts)
    errand = Outgoing(
        id=sibling(piece.request, "tbk"),
        kind=OutgoingKind.TAKE_BACK,
        state=OutgoingState.WAITING,
        channel=piece.channel,
        reference=piece.reference,
        amount=piece.amount,
        cause=refunded.id,
        next_at=tx.now,
        custody=Custody.PROVIDER,
        origin=split.booked_as or split.request,
        of_shop=(piece.amount - earned - claimed).amount,
        claimed=claimed.amount,
    )
    tx.add(OUTGOING, errand.id, errand)


def _claimed_back(split: Split, before: Money, after: Money) -> Money:
    """What of the shop's part of a refund had paid what it owed, in proportion, reckoned from the split as the commission is."""
    claimed = Money(amount=split.claimed, currency=before.currency)
    if not claimed:
        return claimed
    of_commission, nothing = split.to_marketplace, zero(before.currency)
    parts = [left - drawing.commission_back(of_commission, settled=split.whole, before=left, after=nothing) for left in (before, after)]
    return drawing.commission_back(claimed, settled=split.to_shop, before=parts[0], after=parts[1])
