"""A chargeback that takes more than is left by what we know: an earlier one may have been won, and nobody has heard of it yet.

The channel is asked what became of those, and then of this one once more: as soon as the books have the money again it is taken.
"""

from yunduan.domains.payments import chargebacks, store
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import ChargebackId, Told, chargeback_id, payment_of_reference
from yunduan.domains.payments.store import OUTGOING, PAYMENTS
from yunduan.kernel.ids import sibling
from yunduan.kernel.money import zero
from yunduan.runtime.transaction import Tx

_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
HEARD_AGAIN_MS = (_MINUTE_MS, 10 * _MINUTE_MS, 60 * _MINUTE_MS, _DAY_MS)
"""How long after it was heard in vain it is asked for once more; after the last, as often again."""


def may_fit_yet(tx: Tx, channel: str, told: Told) -> bool:
    """Have it heard once more while another of its charge is undecided here; answers whether that is the first time: no alert yet."""
    id = chargeback_id(channel, told.chargeback)
    undecided = [one for one in store.chargebacks_on(tx, told.reference) if not one.is_decided]
    before = tx.get(OUTGOING, sibling(id, "hra"))
    payment = tx.get(PAYMENTS, payment_of_reference(told.reference))
    charge = payment.charge(told.reference) if payment else None
    if payment is None or charge is None or not undecided:
        return False
    at_most = chargebacks.left_there(tx, payment, charge) + sum([one.amount.amount for one in undecided])
    if told.amount.amount > at_most:
        return False
    if before is not None and before.state is OutgoingState.WAITING:
        return not before.tries
    tries = before.tries + 1 if before is not None else 0
    errand = Outgoing(
        id=sibling(id, "hra"),
        kind=OutgoingKind.CHARGEBACK,
        state=OutgoingState.WAITING,
        channel=channel,
        reference=told.chargeback,
        amount=told.amount,
        cause=id,
        origin=told.reference,
        tries=tries,
        next_at=tx.now + HEARD_AGAIN_MS[min(tries, len(HEARD_AGAIN_MS) - 1)],
    )
    (tx.add if before is None else tx.put)(OUTGOING, errand.id, errand)
    for one in undecided:
        ask(tx, channel, one.name, one.id)
    return not tries


def ask(tx: Tx, channel: str, name: str, id: ChargebackId) -> None:
    """Have the channel asked now what became of a chargeback."""
    errand = Outgoing(
        id=tx.id("ask"),
        kind=OutgoingKind.CHARGEBACK,
        state=OutgoingState.WAITING,
        channel=channel,
        reference=name,
        amount=zero("CNY"),
        cause=id,
        next_at=tx.now,
    )
    tx.add(OUTGOING, errand.id, errand)
