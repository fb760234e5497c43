"""A bank has taken more of a charge than our books have left of it, and no rule says whose that is: an operator has it taken."""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import chargebacks, hearing_again, model
from yunduan.domains.payments.chargebacks import ChargebackStands
from yunduan.domains.payments.model import Alert, Charge, Mismatch, Payment, PaymentRefusal
from yunduan.domains.payments.model.chargebacks import Closed, ClosedFor
from yunduan.domains.payments.store import ALERTS, CHARGEBACKS, PAYMENTS
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_BEYOND = frozenset({Mismatch.EXCEEDS_CAPTURED, Mismatch.AMOUNT_DIFFERS})


class BearChargeback(
    Command[ChargebackStands], refuses={PaymentRefusal.ALERT_NOT_FOUND, PaymentRefusal.NOTHING_TO_BEAR, *POSTING_REFUSALS}
):
    """Take a chargeback that an alert is about though more is taken than is left of its charge, so that our books are the channel's again.

    What orders and the payer's wallet have of the charge is taken first; the rest is the marketplace's loss, for which what is owed to the
    payer makes up when it is lost. It is decided as any other.
    """

    alert_id: Annotated[str, Meta(pattern=r"^alr_[0-9a-f]{26}(?![\s\S])")]
    reason: ClosedFor


@handles(BearChargeback)
def bear_chargeback(tx: Tx, ask: BearChargeback) -> ChargebackStands:
    """Once: when it is known by its name nothing of it is left to bear. The channel is asked what has been decided since."""
    alert = tx.get(ALERTS, ask.alert_id)
    if alert is None:
        raise Refused(PaymentRefusal.ALERT_NOT_FOUND)
    payment, charge = _charge(tx, alert)
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    by = tx.actor.person
    beyond = Closed(by=by, reason=vault.seal(by, ask.reason), at=tx.now)
    found = chargebacks.borne(tx, alert, payment, charge, beyond)
    hearing_again.ask(tx, found.channel, found.name, found.id)
    tx.put(ALERTS, alert.id, replace(alert, resolved_at=alert.resolved_at or tx.now))
    return ChargebackStands(id=found.id, state=found.state, due=found.due)


def _is_of_bank(alert: Alert) -> bool:
    return bool(alert.name) and alert.outcome in chargebacks.SAID and alert.reason in _BEYOND


def _charge(tx: Tx, alert: Alert) -> tuple[Payment, Charge]:
    """Of what it is taken; refuses what is of no chargeback, of none of our charges, or known by now."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(alert.reference)) if _is_of_bank(alert) else None
    charge = payment.charge(alert.reference) if payment else None
    if (
        payment is None
        or charge is None
        or charge.channel != alert.channel
        or charge.state in (model.ChargeState.PENDING, model.ChargeState.ENDED)
        or not alert.amount
        or alert.amount.currency != payment.currency
        or tx.get(CHARGEBACKS, model.chargeback_id(alert.channel, alert.name)) is not None
    ):
        raise Refused(PaymentRefusal.NOTHING_TO_BEAR)
    return payment, charge
