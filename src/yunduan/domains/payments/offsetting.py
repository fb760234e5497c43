"""What a payer has had from their bank is set off against what a channel would not give them back, so that nobody has it twice.

A bank takes what the channel has. A refund that the channel refused is still there: so it may be taken though the payer is owed it here, or
has had it, and the marketplace bears it until one makes up for the other.
"""

from msgspec.structs import replace

from yunduan.domains.payments import charging_back, covering, drawing, model, owing, store
from yunduan.domains.payments.errands import Outgoing, OutgoingState
from yunduan.domains.payments.model import Charge, Chargeback, ChargebackState, ChargeState, Custody, Payment, PaymentRefusal, PieceState
from yunduan.domains.payments.returning import conclude_return
from yunduan.domains.payments.store import CHARGEBACKS, OUTGOING, PAYMENTS, UNCLAIMED
from yunduan.domains.payments.unclaimed import Unclaimed, UnclaimedState, unclaimed_account, unclaimed_id
from yunduan.kernel.ids import LAST
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Asking, Tx

REFUNDS_MAX = 1_000


def requests_on(tx: Tx, payment: Payment, charge: Charge) -> dict[str, Money]:
    """What the channel was asked to give back of a charge: the whole of it, or pieces of refunds of the orders that it paid.

    Of what a bank had taken, and a provider keeps, once more when that was won.
    """
    again = {model.again_id(one.id): Money(amount=one.offset_kept, currency=one.amount.currency) for one in _won_on(tx, charge)}
    if charge.state is not ChargeState.CAPTURED:
        return {model.return_id(charge.reference): charge.amount, **again}
    refunds = [refund for part in payment.parts for refund in store.refunds_of(tx, part.order_id, LAST, REFUNDS_MAX)]
    pieces = {piece.request: piece.amount for refund in refunds for piece in refund.pieces if piece.reference == charge.reference}
    return pieces | again


def _won_on(tx: Tx, charge: Charge) -> list[Chargeback]:
    return [one for one in store.chargebacks_on(tx, charge.reference) if one.state is ChargebackState.WON and one.offset]


def given_back(tx: Tx, payment: Payment, charge: Charge) -> int:
    """What the channel has given back of a charge; what it has refused to, it still has, wherever the payer has had it from.

    Unless a provider has paid it to the account that its payer had named: then it has it no more.
    """
    requests = requests_on(tx, payment, charge)
    errands = tx.get_many(OUTGOING, list(requests)).values()
    returned = [requests[errand.id].amount for errand in errands if errand.state is OutgoingState.DONE]
    released = [found.amount.amount for found in _owed_on(tx, payment, charge) if _is_released(found)]
    return sum(returned) + sum(released)


def _is_released(found: Unclaimed) -> bool:
    return found.state is UnclaimedState.PAID and found.custody is Custody.PROVIDER


def brought_into_wallet(tx: Tx, payment: Payment, charge: Charge) -> int:
    """What of a charge has come into its payer's wallet, for the channel would not give it back.

    They have taken it into it themselves, or a bank that had taken it has returned it.
    """
    taken = [found.amount.amount for found in _owed_on(tx, payment, charge) if found.state is UnclaimedState.TAKEN]
    return sum(taken) + sum([one.offset.amount - one.offset_kept for one in _won_on(tx, charge)])


def on_its_way_again(at: Asking, chargeback: Chargeback) -> Money:
    """What a provider has yet to give back of what a bank has returned, or what of that waits for its owner."""
    nothing = zero(chargeback.amount.currency)
    errand = at.get(OUTGOING, model.again_id(chargeback.id))
    if errand is None or errand.state is OutgoingState.DONE:
        return nothing
    if errand.state is not OutgoingState.REFUSED:
        return errand.amount
    found = at.get(UNCLAIMED, unclaimed_id(errand.id))
    return found.amount if found is not None and found.state is UnclaimedState.WAITING else nothing


def _owed_on(tx: Tx, payment: Payment, charge: Charge) -> list[Unclaimed]:
    ids = [unclaimed_id(request) for request in requests_on(tx, payment, charge)]
    return list(tx.get_many(UNCLAIMED, ids).values())


def left_of(chargeback: Chargeback) -> Money:
    """What was borne of a chargeback, and nothing has made up for."""
    currency = chargeback.amount.currency
    return chargeback.borne - chargeback.offset if chargeback.state is not ChargebackState.WON else zero(currency)


def return_refused(tx: Tx, outgoing: Outgoing) -> None:
    """The channel will not give it back: it is owed to whoever had paid, unless their bank has taken it for them already."""
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    left = made_up(tx, outgoing)
    if left:
        owing.owe(tx, outgoing, left)
    else:
        conclude_return(tx, outgoing, PieceState.DONE, ChargeState.RETURNED, from_bank=outgoing.amount.amount)


def made_up(tx: Tx, outgoing: Outgoing) -> Money:
    """What is left to give back otherwise of a refund that a channel has refused.

    The rest of it the payer has had from their bank, by chargebacks that found it on its way: it makes up for what was borne for them.
    """
    left = outgoing.amount
    for one in store.chargebacks_on(tx, outgoing.reference):
        amount = drawing.least(left, left_of(one))
        if amount:
            source = model.returning_account(outgoing.channel, amount.currency)
            tx.send(charging_back.offset(one, source, amount))
            changed = one.with_offset(amount, outgoing.custody)
            tx.put(CHARGEBACKS, one.id, changed)
            _cover(tx, one, changed)
            left = left - amount
    return left


def check_not_taken(tx: Tx, found: Unclaimed) -> None:
    """Refuse what is owed to somebody while their bank may have taken that very money: it is decided which of the two they have."""
    if any(left_of(one) for one in store.chargebacks_on(tx, found.reference)):
        raise Refused(PaymentRefusal.CHARGED_BACK)


def lost(tx: Tx, chargeback: Chargeback) -> Chargeback:
    """A payer has had money from their bank for good: what they are owed of the same charge makes up for what was borne of it."""
    payment = tx.get(PAYMENTS, chargeback.payment_id)
    charge = payment.charge(chargeback.reference) if payment else None
    if payment is None or charge is None:
        return chargeback
    for found in _owed_on(tx, payment, charge):
        chargeback = _set_off(tx, chargeback, found)
    return chargeback


def came_back(tx: Tx, id: str) -> None:
    """What could not be paid out is owed again: what their bank has given its owner meanwhile is set off now."""
    found = tx.get(UNCLAIMED, id)
    if found is None:
        return
    for one in store.chargebacks_on(tx, found.reference):
        if one.state is ChargebackState.LOST:
            changed = _set_off(tx, one, tx.get(UNCLAIMED, id) or found)
            tx.put(CHARGEBACKS, one.id, changed)
            _cover(tx, one, changed)


def _cover(tx: Tx, before: Chargeback, after: Chargeback) -> None:
    """What has made up for it since it was lost, and a provider keeps, it is asked to hand over; of all until then it was asked once."""
    if before.state is ChargebackState.LOST:
        more = after.offset_kept - before.offset_kept
        covering.cover(tx, after, Money(amount=more, currency=after.amount.currency))


def _set_off(tx: Tx, chargeback: Chargeback, found: Unclaimed) -> Chargeback:
    amount = drawing.least(found.amount, left_of(chargeback))
    if found.state is not UnclaimedState.WAITING or not amount:
        return chargeback
    source = unclaimed_account(found.payer, amount.currency)
    tx.send(charging_back.offset(chargeback, source, amount))
    owing.set_off(tx, found, amount)
    return chargeback.with_offset(amount, found.custody)
