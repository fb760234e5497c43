"""What becomes of money that a channel would not give back: owed in the ledger under its owner's name, and never lost sight of."""

from msgspec.structs import replace

from yunduan.domains.payments import holding, model, postings, store, unclaimed
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.facts import MoneyUnclaimed
from yunduan.domains.payments.model import ChargeState, PieceState
from yunduan.domains.payments.returning import conclude_return
from yunduan.domains.payments.store import OUTGOING, PAYMENTS, REFUNDS, UNCLAIMED
from yunduan.domains.payments.unclaimed import REMINDED_MS, Unclaimed, UnclaimedEvent, UnclaimedState
from yunduan.kernel.ids import RefundId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Asking, Tx


class RemindOfUnclaimed(Command[None]):
    """Tell somebody again what waits for them. An alarm; harmless when it has been taken."""

    unclaimed_id: str


def owe(tx: Tx, outgoing: Outgoing, amount: Money) -> None:
    """A channel will not give it back: so much of it is owed, and its owner is asked where it goes; the rest their bank has given them."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(outgoing.reference))
    invariant(payment is not None, "what goes back was paid")
    refunded = None if outgoing.id == model.return_id(outgoing.reference) else tx.get(REFUNDS, RefundId(outgoing.cause))
    payer = payment.payer  # type: ignore[union-attr] # the line before the last says so
    found = unclaimed.owed(outgoing, payer, amount, order_id=refunded.order_id if refunded else None, now=tx.now)
    tx.send(postings.owe(found))
    tx.add(UNCLAIMED, found.id, found)
    from_bank = (outgoing.amount - amount).amount
    conclude_return(tx, outgoing, PieceState.UNCLAIMED, ChargeState.UNCLAIMED, from_bank=from_bank)
    _tell(tx, found)
    _remind(tx, found)
    holding.watch_unclaimed(tx, found)


def _remind(tx: Tx, found: Unclaimed) -> None:
    if not found.is_late:
        tx.at(found.at + REMINDED_MS[found.reminded], RemindOfUnclaimed(unclaimed_id=found.id))


@handles(RemindOfUnclaimed)
def remind_of_unclaimed(tx: Tx, ask: RemindOfUnclaimed) -> None:
    """What is on its way out is left in peace, and counted all the same: it may come back. So is what its owner's bank may have taken."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    found = tx.get(UNCLAIMED, ask.unclaimed_id)
    if found is None or found.has_ended:
        return
    found = replace(found, state=found.after(UnclaimedEvent.REMIND), reminded=found.reminded + 1)
    tx.put(UNCLAIMED, found.id, found)
    if found.state is UnclaimedState.WAITING and contested(tx, found) < found.amount:
        _tell(tx, found)
    _remind(tx, found)


def _tell(tx: Tx, found: Unclaimed) -> None:
    tx.tell(
        MoneyUnclaimed(
            unclaimed_id=found.id,
            payer=found.payer,
            order_id=found.order_id,
            payment_id=found.payment_id,
            amount=found.amount,
            is_late=found.is_late,
        )
    )


def contested(at: Asking, found: Unclaimed) -> Money:
    """What of it its owner's bank has taken from the channel while nobody has decided: it is theirs once, from here or from there."""
    if found.state is not UnclaimedState.WAITING:
        return zero(found.amount.currency)
    taken = [one.borne - one.offset for one in store.chargebacks_on(at, found.reference) if not one.is_decided]
    return min(found.amount, model.total(found.amount.currency, taken), key=lambda money: money.amount)


def follow(tx: Tx, found: Unclaimed, *, from_bank: int = 0) -> None:
    """Keep where it is now, and have the refund, or the charge, say the same; so much more of that has come by its owner's bank."""
    tx.put(UNCLAIMED, found.id, found)
    outgoing = tx.get(OUTGOING, found.request)
    invariant(outgoing is not None, "it was asked of a channel")
    if outgoing is not None:
        conclude_return(tx, outgoing, *_SAID[found.state], from_bank=from_bank)


_SAID = {
    UnclaimedState.WAITING: (PieceState.UNCLAIMED, ChargeState.UNCLAIMED),
    UnclaimedState.LEAVING: (PieceState.LEAVING, ChargeState.LEAVING),
    UnclaimedState.TAKEN: (PieceState.DIVERTED, ChargeState.DIVERTED),
    UnclaimedState.PAID: (PieceState.PAID_OUT, ChargeState.PAID_OUT),
    UnclaimedState.SET_OFF: (PieceState.DONE, ChargeState.RETURNED),
}


def set_off(tx: Tx, found: Unclaimed, amount: Money) -> None:
    """Its owner has had so much of it from their bank."""
    follow(tx, unclaimed.set_off(found, amount), from_bank=amount.amount)


def paid(tx: Tx, id: str) -> None:
    """It is in its owner's account."""
    follow(tx, unclaimed.moved(tx.get(UNCLAIMED, id), UnclaimedEvent.PAY))


def came_back(tx: Tx, id: str, event: UnclaimedEvent) -> None:
    """It could not be paid out: it waits again, and its owner is told so."""
    found = unclaimed.moved(tx.get(UNCLAIMED, id), event)
    follow(tx, found)
    _tell(tx, found)
