"""Refunds of an order whose provider has refused to split it: they come out of the hold, and so much less is to be split."""

from collections.abc import Sequence

from msgspec.structs import replace

from yunduan.domains.payments import drawing, model, postings
from yunduan.domains.payments.facts import EscrowRefunded
from yunduan.domains.payments.model import Escrow, EscrowState, PaymentRefusal, Refund, Split, SplitState
from yunduan.domains.payments.returning import send_off, tell_if_finished
from yunduan.domains.payments.store import ESCROWS, SPLITS
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Asking, Tx


def refund_unsplit(tx: Tx, escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """Give it back from the hold; refused while the provider has yet to answer, or has split a part of the order.

    What a bank has taken meanwhile was drawn from the shop, as if it had the money: so much of the hold is still to be split.
    """
    if is_underway(tx, escrow):
        raise Refused(PaymentRefusal.BEING_SPLIT)
    splits = _to_be_split(tx, escrow)
    refunded = replace(model.divided(escrow, refund_id, amount, beyond=PaymentRefusal.EXCEEDS_CAPTURED), at=tx.now)
    tx.send(postings.refund(escrow, refunded).command())
    left, held = model.after_refund(replace(escrow, state=EscrowState.SETTLED), refunded), escrow.held - refunded.whole
    commission = escrow.commission or zero(held.currency)
    commission = commission - drawing.commission_back(commission, settled=escrow.held, before=escrow.held, after=held)
    state = EscrowState.SPLITTING if held else EscrowState.RETURNED
    tx.put(ESCROWS, escrow.order_id, replace(left, state=state, held=held, commission=commission if held else None))
    wholes = [split.whole - (escrow.left_of(place) - left.left_of(place)) for place, split in splits]
    for split in model.split_anew([split for _, split in splits], wholes, held=held, commission=commission):
        tx.put(SPLITS, split.id, split)
    send_off(tx, refunded)
    tx.tell(EscrowRefunded(refund_id=refunded.id, order_id=escrow.order_id, amount=refunded.amount, left=held))
    tell_if_finished(tx, refunded)
    return refunded


def is_underway(at: Asking, escrow: Escrow) -> bool:
    """Whether a provider has yet to answer, or has split a part of the order and not all: nothing can be given back meanwhile."""
    is_splitting = escrow.state is EscrowState.SPLITTING
    return is_splitting and any(split.state is not SplitState.REFUSED for _, split in _to_be_split(at, escrow))


def _to_be_split(at: Asking, escrow: Escrow) -> Sequence[tuple[int, Split]]:
    found = [(place, at.get(SPLITS, model.split_id(escrow.order_id, place))) for place, _ in model.kept_by_providers(escrow)]
    return [(place, split) for place, split in found if split is not None and split.state is not SplitState.VOID]
