"""How a payment over channels ends without money: given up, declined, or because its time has passed, which is put off once in flight."""

from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import limits, model, postings
from yunduan.domains.payments.errands import OutgoingKind
from yunduan.domains.payments.facts import CaptureReturned, PaymentEnded, PaymentPutOff
from yunduan.domains.payments.limits import Way
from yunduan.domains.payments.model import Charge, ChargeState, Payment, PaymentEvent, PaymentListener, PaymentState
from yunduan.domains.payments.returning import have_asked
from yunduan.domains.payments.store import PAYMENTS
from yunduan.kernel.ids import PaymentId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class PassDue(Command[None], refuses=POSTING_REFUSALS):
    """End a payment whose time has passed, or put that off, once, while its money is on its way. An alarm.

    Harmless when the payment has ended, or is waited for until another time since.
    """

    payment_id: PaymentId
    due: int


@handles(PassDue)
def pass_due(tx: Tx, ask: PassDue) -> None:
    """By the alarm's own time, never by what the clock says meanwhile."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    payment = tx.get(PAYMENTS, ask.payment_id)
    if payment is None or payment.state is not PaymentState.PENDING or payment.due != ask.due:
        return
    if payment.in_flight and payment.extension_ms:
        _put_off(tx, payment)
    else:
        end(tx, payment, PaymentEvent.LAPSE, says_so=True)


def _put_off(tx: Tx, payment: Payment) -> None:
    state, due = payment.after(PaymentEvent.PUT_OFF), payment.due + payment.extension_ms
    tx.put(PAYMENTS, payment.id, replace(payment, state=state, due=due, extension_ms=0, put_off_ms=payment.extension_ms))
    tx.at(due, PassDue(payment_id=payment.id, due=due))
    tx.tell(PaymentPutOff(payment_id=payment.id, checkout_id=payment.checkout_id, payer=payment.payer, due=due))


def end(tx: Tx, payment: Payment, event: PaymentEvent, *, says_so: bool) -> Payment:
    """Give up: free the hold, send back what has been collected, and remember that it has ended when more is collected."""
    state = payment.after(event)
    movement = postings.release(payment, holds=holds(tx, payment))
    if movement.transfers or movement.closing:
        tx.send(movement)
    collected = tuple(charge for charge in payment.charges if charge.state is ChargeState.CAPTURED)
    send_back(tx, payment, collected)
    after = {ChargeState.PENDING: ChargeState.ENDED, ChargeState.CAPTURED: ChargeState.RETURNING}
    charges = tuple(replace(charge, state=after[charge.state]) for charge in payment.charges)
    payment = replace(payment, state=state, charges=charges)
    tx.put(PAYMENTS, payment.id, payment)
    tx.tell(PaymentEnded(payment_id=payment.id, checkout_id=payment.checkout_id, state=state))
    if payment.checkout_id is None:
        limits.free(tx, payment.payer, Way.IN, payment.total, asked_at=payment.started_at)
    if says_so and payment.checkout_id is not None:
        tx.port(PaymentListener).not_paid(tx, payment.checkout_id)  # type: ignore[type-abstract] # a port is found by its protocol
    return payment


def send_back(tx: Tx, payment: Payment, charges: tuple[Charge, ...]) -> None:
    """Have channels give back whole what they have collected for nothing."""
    for charge in charges:
        have_asked(tx, OutgoingKind.REFUND, id=model.return_id(charge.reference), charge=charge, cause=payment.id)
        tx.tell(CaptureReturned(payment_id=payment.id, reference=charge.reference, channel=charge.channel, amount=charge.amount))


def holds(tx: Tx, payment: Payment) -> bool:
    """Whether the wallet's part is still set aside."""
    clearing = tx.ask(AccountOf(id=model.clearing_account(payment.id)))
    return clearing is not None and clearing.credits_pending > 0
