"""Refunds of an order that providers have divided in part, and refused to for the rest: each part comes from where it is.

What was refused comes out of the hold, and so much less is to be split; what was split is asked back; what is ours is in the escrow.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from yunduan.domains.payments import drawing, model, postings
from yunduan.domains.payments.asking_back import ask_back
from yunduan.domains.payments.facts import EscrowRefunded, EscrowSettled
from yunduan.domains.payments.model import Escrow, EscrowState, PaymentRefusal, Refund, Split, SplitState
from yunduan.domains.payments.returning import send_off, tell_if_finished
from yunduan.domains.payments.store import ESCROWS, SPLITS
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Asking, Tx


def refund_unsplit(tx: Tx, escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """Give it back over all tenders, each from where its part is; refused while a provider has yet to answer.

    What a bank has taken meanwhile was drawn from the shop, as if it had the money: so much of the hold is still to be split.
    """
    if is_underway(tx, escrow):
        raise Refused(PaymentRefusal.BEING_SPLIT)
    splits = _splits(tx, escrow)
    done = {split.reference: split for _, split in splits if split.state is SplitState.DONE}
    refunded = replace(model.divided(escrow, refund_id, amount, beyond=PaymentRefusal.EXCEEDS_CAPTURED), at=tx.now)
    here = replace(refunded, pieces=tuple([piece for piece in refunded.pieces if piece.reference not in done]))
    if here.pieces:
        tx.send(postings.refund(escrow, here))
    left = model.after_refund(replace(escrow, state=EscrowState.SETTLED), refunded)
    _keep(tx, escrow, left, here.whole, splits)
    send_off(tx, refunded, is_split=done.keys())
    ask_back(tx, escrow, left, refunded)
    tx.tell(EscrowRefunded(refund_id=refunded.id, order_id=escrow.order_id, amount=refunded.amount, left=escrow.held - here.whole))
    tell_if_finished(tx, refunded)
    return refunded


def _keep(tx: Tx, escrow: Escrow, left: Escrow, here: Money, splits: Sequence[tuple[int, Split]]) -> None:
    """The order when so much has left its escrow: the commission on what is there shrinks with it, and what is to be split."""
    open_ones = [(place, split) for place, split in splits if split.state is SplitState.REFUSED]
    done = [split for _, split in splits if split.state is SplitState.DONE]
    currency, held = escrow.held.currency, escrow.held - here
    earned = model.total(currency, [split.to_marketplace for split in done])
    commission = (escrow.commission or zero(currency)) - earned
    if here:
        commission = commission - drawing.commission_back(commission, settled=escrow.held, before=escrow.held, after=held)
    wholes = [split.whole - (escrow.left_of(place) - left.left_of(place)) for place, split in open_ones]
    for split in model.split_anew([split for _, split in open_ones], wholes, held=held, commission=commission):
        tx.put(SPLITS, split.id, split)
    if held or not done:
        state = EscrowState.SPLITTING if held else EscrowState.RETURNED
        tx.put(ESCROWS, escrow.order_id, replace(left, state=state, held=held, commission=commission + earned if held else None))
        return
    tx.put(ESCROWS, escrow.order_id, replace(left, state=EscrowState.SETTLED, held=held, commission=None))
    to_shop = model.total(currency, [split.to_shop for split in done])
    tx.tell(EscrowSettled(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=to_shop, commission=earned))


def is_underway(at: Asking, escrow: Escrow) -> bool:
    """Whether a provider has yet to answer: nothing can be given back meanwhile."""
    return escrow.state is EscrowState.SPLITTING and any(split.state is SplitState.ASKED for _, split in _splits(at, escrow))


def _splits(at: Asking, escrow: Escrow) -> Sequence[tuple[int, Split]]:
    found = [(place, at.get(SPLITS, model.split_id(escrow.order_id, place))) for place, _ in model.kept_by_providers(escrow)]
    return [(place, split) for place, split in found if split is not None]
