"""How a refund that has been decided goes back: written down, asked of the channels by couriers, told when every piece has arrived."""

from collections.abc import Container

from msgspec.structs import replace

from yunduan.domains.payments import store
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import RefundFinished
from yunduan.domains.payments.model import (
    Charge,
    ChargeState,
    PaymentRefusal,
    PieceState,
    Refund,
    RefundPiece,
    RefundState,
    TenderKind,
    after_piece,
    payment_of_reference,
    return_id,
)
from yunduan.domains.payments.store import OUTGOING, PAYMENTS, PURSES, REFUNDS, Purse
from yunduan.kernel.ids import AccountId, OrderId, RefundId
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.transaction import Tx


def asked_before(tx: Tx, id: RefundId, order_id: OrderId, amount: Money) -> Refund | None:
    """The refund by this id, if there is one; of another order or amount it is refused."""
    before = tx.get(REFUNDS, id)
    if before is not None and (before.order_id, before.amount) != (order_id, amount):
        raise Refused(PaymentRefusal.REFUND_EXISTS, "this refund was for something else")
    return before


def send_off(tx: Tx, refunded: Refund, *, is_split: Container[str] = ()) -> None:
    """Write a refund down and have the channels asked for their pieces; of the charges that are split already it has to be back first."""
    tx.add(REFUNDS, refunded.id, refunded)
    if refunded.state is RefundState.PENDING:
        store.file_refund(tx, refunded)
    for piece in refunded.pieces:
        if piece.kind is TenderKind.CHANNEL and piece.reference not in is_split:
            have_asked(tx, OutgoingKind.REFUND, id=piece.request, charge=piece, cause=refunded.id)


def have_asked(tx: Tx, kind: OutgoingKind, *, id: str, charge: Charge | RefundPiece, cause: str) -> Outgoing:
    """Have a courier ask the channel; nothing outside is touched in a transaction."""
    outgoing = Outgoing(
        id=id,
        kind=kind,
        state=OutgoingState.WAITING,
        channel=charge.channel,
        reference=charge.reference,
        amount=charge.amount,
        cause=cause,
        next_at=tx.now,
        custody=charge.custody,
    )
    tx.add(OUTGOING, id, outgoing)
    return outgoing


def tell_if_finished(tx: Tx, refunded: Refund) -> None:
    """Tell, when every piece has arrived, what became of them."""
    if refunded.state is RefundState.DONE:
        diverted = [piece.rest for piece in refunded.pieces if piece.state is PieceState.DIVERTED]
        tx.tell(
            RefundFinished(
                refund_id=refunded.id,
                order_id=refunded.order_id,
                amount=refunded.amount,
                diverted=sum(diverted, zero(refunded.amount.currency)),
            )
        )


def open_purse(tx: Tx, owner: str, account: AccountId, currency: str) -> Purse:
    """Have it found that somebody has money in a currency."""
    purse = tx.get(PURSES, (owner, currency))
    if purse is None:
        purse = Purse(owner=owner, currency=currency, account=account)
        tx.add(PURSES, (owner, currency), purse)
    return purse


def conclude_return(tx: Tx, outgoing: Outgoing, piece: PieceState, charge_state: ChargeState, *, from_bank: int = 0) -> None:
    """Keep what has become of a piece of a refund, or of a whole charge, that was asked of a channel.

    So much more of it (minor units) its payer has had from their bank.
    """
    if outgoing.id == return_id(outgoing.reference):
        payment = tx.get(PAYMENTS, payment_of_reference(outgoing.reference))
        charge = payment.charge(outgoing.reference) if payment else None
        if payment and charge:
            returned = replace(charge, state=charge_state, from_bank=charge.from_bank + from_bank)
            tx.put(PAYMENTS, payment.id, payment.with_charge(returned))
        return
    if outgoing.cause.startswith("cbk_"):  # what a bank has returned goes back once more: its refund has been told of
        return
    refunded = tx.get(REFUNDS, RefundId(outgoing.cause))
    invariant(refunded is not None, "a piece belongs to a refund")
    if refunded is not None:
        refunded = after_piece(refunded, outgoing.id, piece, from_bank=from_bank)
        tx.put(REFUNDS, refunded.id, refunded)
        tell_if_finished(tx, refunded)
