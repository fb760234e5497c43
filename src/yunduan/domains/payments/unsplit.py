"""Refunds of an order whose provider has refused to split it: they come out of the hold, and so much less is to be split."""

from msgspec.structs import replace

from yunduan.domains.payments import drawing, model, postings
from yunduan.domains.payments.facts import EscrowRefunded
from yunduan.domains.payments.model import Escrow, EscrowState, PaymentRefusal, Refund, Settlement, Split, SplitState
from yunduan.domains.payments.returning import send_off, tell_if_finished
from yunduan.domains.payments.store import ESCROWS, SPLITS
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Tx


def refund_unsplit(tx: Tx, escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """Give it back from the hold; refused while the provider has yet to answer, or has split a part of the order."""
    splits = [split for place, _ in model.kept_by_providers(escrow) if (split := tx.get(SPLITS, model.split_id(escrow.order_id, place)))]
    is_whole = escrow.left == escrow.held  # or a bank's chargeback was drawn meanwhile, as if the shop had it
    if not is_whole or any(split.state not in (SplitState.REFUSED, SplitState.VOID) for split in splits):
        raise Refused(PaymentRefusal.BEING_SPLIT)
    refunded = replace(model.divided(escrow, refund_id, amount, beyond=PaymentRefusal.EXCEEDS_CAPTURED), at=tx.now)
    tx.send(postings.refund(escrow, refunded).command())
    after = model.after_refund(replace(escrow, state=EscrowState.HELD), refunded)
    commission = escrow.commission or zero(escrow.held.currency)
    commission = commission - drawing.commission_back(commission, settled=escrow.held, before=escrow.held, after=after.held)
    is_left = after.state is EscrowState.HELD
    after = replace(after, state=EscrowState.SPLITTING, commission=commission) if is_left else replace(after, commission=None)
    tx.put(ESCROWS, escrow.order_id, after)
    _change(tx, after, splits, commission)
    send_off(tx, refunded)
    tx.tell(EscrowRefunded(refund_id=refunded.id, order_id=escrow.order_id, amount=refunded.amount, left=after.held))
    tell_if_finished(tx, refunded)
    return refunded


def _change(tx: Tx, escrow: Escrow, before: list[Split], commission: Money) -> None:
    """What is to be asked for when operators have it asked anew."""
    rest = Settlement(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=escrow.held - commission, commission=commission)
    after = {split.id: split for split in model.splits_of(escrow, rest, now=tx.now)}
    for split in before:
        now = after.get(split.id)
        changed = replace(split, to_shop=now.to_shop, to_marketplace=now.to_marketplace) if now else replace(split, state=SplitState.VOID)
        tx.put(SPLITS, split.id, changed)
