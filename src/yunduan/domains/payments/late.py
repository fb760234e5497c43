"""Money that comes after a payment's time has passed: it makes the payment good where everything is as it was, or goes back.

The wallet's part and the marketplace's were free again meanwhile: both have to be there still. What other channels had collected is on
its way back and cannot be called back, so that a payment over several channels is not made good. Whether goods, shops, limits and orders
are as they were is for the `PaymentListener` to say; nothing has been written when anybody says no.
"""

from msgspec.structs import replace

from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model, postings
from yunduan.domains.payments.model import Charge, ChargeState, Payment, PaymentEvent, PaymentListener, PaymentState, TenderKind
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.kernel.ids import AccountId
from yunduan.kernel.money import Money
from yunduan.runtime.transaction import Tx


def made_good(tx: Tx, payment: Payment, charge: Charge) -> Payment | None:
    """The payment, captured after all, its money on the way into the escrows; nothing when the money has to go back."""
    if not (_is_in_time(tx, payment) and _is_all_there(tx, payment)):
        return None
    listener = tx.port(PaymentListener)  # type: ignore[type-abstract] # a port is found by its protocol
    if payment.checkout_id is None or not listener.paid_late(tx, payment.checkout_id):
        return None
    captured = payment.with_charge(replace(charge, state=ChargeState.CAPTURED))
    captured = replace(captured, state=payment.after(PaymentEvent.CAPTURE))
    tx.send(postings.fund_at_once(captured, model.fund(captured), late=True))
    return captured


def _is_in_time(tx: Tx, payment: Payment) -> bool:
    return payment.state is PaymentState.EXPIRED and len(payment.charges) == 1 and tx.now <= payment.due + model.LATE_MS


def _is_all_there(tx: Tx, payment: Payment) -> bool:
    """What others than the channel pay of it."""
    mine = [tender.amount for tender in payment.tenders if tender.kind is TenderKind.WALLET]
    if mine and not tx.port(PaymentSettings).wallet_is_on:
        return False
    promoted = payment.promoted
    return all(_has(tx, model.wallet_account(payment.payer, payment.currency), amount) for amount in mine) and (
        promoted is None or _has(tx, model.promotions_account(payment.currency), promoted)
    )


def _has(tx: Tx, id: AccountId, amount: Money) -> bool:
    account = tx.ask(AccountOf(id=id))
    return account is not None and account.available().amount >= amount.amount
