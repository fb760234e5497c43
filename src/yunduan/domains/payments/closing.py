"""A chargeback that its bank has decided with other figures than it had told: operators take the bank's figures, or end it by ours."""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import chargebacks, charging_back, drawing, store
from yunduan.domains.payments.chargebacks import ChargebackStands
from yunduan.domains.payments.model import Chargeback, ChargebackEvent, ChargebackId, ChargebackShare, PaymentRefusal
from yunduan.domains.payments.model.chargebacks import By, Closed, ClosedFor, Otherwise, in_other_state
from yunduan.domains.payments.store import CHARGEBACKS, PAYMENTS
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money, split, zero
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_REFUSALS = frozenset(
    {PaymentRefusal.CHARGEBACK_NOT_FOUND, PaymentRefusal.CHARGEBACK_OTHER_STATE, PaymentRefusal.FIGURES_AGREE, *POSTING_REFUSALS}
)
PUT_RIGHT = 1
"""The number of the postings by which figures are put right: it happens once, for it ends the chargeback."""


class AcceptDecision(
    Command[ChargebackStands],
    refuses={*_REFUSALS, PaymentRefusal.DECISION_FLAWED, PaymentRefusal.EXCEEDS_CAPTURED, PaymentRefusal.AMOUNT_OUT_OF_RANGE},
):
    """Take what the bank has decided with the figures that it names: what was taken and charged is put right, and the chargeback ends."""

    chargeback_id: ChargebackId
    reason: ClosedFor


class CloseChargeback(Command[ChargebackStands], refuses=_REFUSALS):
    """End a chargeback by the figures that we have, when what the bank has decided with others is a mistake."""

    chargeback_id: ChargebackId
    won: Annotated[bool, Meta(description="Whether the money is ours.")]
    reason: ClosedFor


@handles(AcceptDecision)
def accept_decision(tx: Tx, ask: AcceptDecision) -> ChargebackStands:
    """The channel's books and ours are the same afterwards."""
    chargeback, said = _decided_otherwise(tx, ask.chargeback_id)
    if said.wrong is not None:
        raise Refused(PaymentRefusal.DECISION_FLAWED, said.wrong)
    chargeback = _with_amount(tx, _with_fee(tx, chargeback, said.fee), said.amount)
    return _closed(tx, chargeback, ask.reason, won=said.won)


@handles(CloseChargeback)
def close_chargeback(tx: Tx, ask: CloseChargeback) -> ChargebackStands:
    """What the channel's statement says otherwise, the reconciliation shows until the channel has put it right."""
    chargeback, _ = _decided_otherwise(tx, ask.chargeback_id)
    return _closed(tx, chargeback, ask.reason, won=ask.won)


def _decided_otherwise(tx: Tx, id: ChargebackId) -> tuple[Chargeback, Otherwise]:
    chargeback = tx.get(CHARGEBACKS, id)
    if chargeback is None:
        raise Refused(PaymentRefusal.CHARGEBACK_NOT_FOUND)
    if chargeback.is_decided:
        raise in_other_state(chargeback)
    if chargeback.otherwise is None:
        raise Refused(PaymentRefusal.FIGURES_AGREE)
    return chargeback, chargeback.otherwise


def _closed(tx: Tx, chargeback: Chargeback, reason: str, *, won: bool) -> ChargebackStands:
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    by = tx.actor.person
    closed = Closed(by=by, reason=vault.seal(by, reason), at=tx.now)
    event = ChargebackEvent.CLOSE_AS_WON if won else ChargebackEvent.CLOSE_AS_LOST
    return chargebacks.decide(tx, replace(chargeback, closed=closed), event, By.OPERATOR)


def _with_fee(tx: Tx, chargeback: Chargeback, fee: Money) -> Chargeback:
    """The channel has charged more, or less."""
    if fee > chargeback.fee:
        tx.send(charging_back.charge_fee(replace(chargeback, fee=fee - chargeback.fee), PUT_RIGHT))
    elif fee < chargeback.fee:
        tx.send(charging_back.fee_back(replace(chargeback, fee=chargeback.fee - fee), PUT_RIGHT))
    return replace(chargeback, fee=fee)


def _with_amount(tx: Tx, chargeback: Chargeback, amount: Money) -> Chargeback:
    """The bank has taken more, or less."""
    if amount > chargeback.amount:
        chargeback = _take_more(tx, chargeback, amount - chargeback.amount)
    elif amount < chargeback.amount:
        chargeback = _take_less(tx, chargeback, chargeback.amount - amount)
    return replace(chargeback, amount=amount)


def _take_more(tx: Tx, chargeback: Chargeback, amount: Money) -> Chargeback:
    """From whoever has it now, as when it was opened."""
    payment = tx.get(PAYMENTS, chargeback.payment_id)
    charge = payment.charge(chargeback.reference) if payment else None
    invariant(charge is not None, "what was charged back was paid")
    if payment is None or charge is None:
        return chargeback
    left = chargebacks.left_there(tx, payment, charge)
    if amount.amount > left:
        raise Refused(PaymentRefusal.EXCEEDS_CAPTURED, f"{amount} of {left} minor units more")
    after = chargebacks.take(tx, chargeback, payment, charge, amount, number=PUT_RIGHT)
    new = after.shares[len(chargeback.shares) :]
    known = {share.shop_id for share in chargeback.shares}
    store.file_chargeback(tx, chargeback, dict.fromkeys(share.shop_id for share in new if share.shop_id not in known))
    chargebacks.taken(tx, chargeback, new)
    return after


def _take_less(tx: Tx, chargeback: Chargeback, amount: Money) -> Chargeback:
    """Back to the marketplace what it bears itself, then into the payer's wallet, then to the orders in proportion."""
    borne = drawing.least(amount, chargeback.borne - chargeback.offset)
    of_wallet = drawing.least(amount - borne, chargeback.of_wallet)
    rest = amount - borne - of_wallet
    weights = [share.amount.amount for share in chargeback.shares]
    if rest.amount > sum(weights):
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, "less than refunds that the channel refused have made up for")
    if borne or of_wallet:
        nothing = zero(amount.currency)
        part = replace(chargeback, borne=borne, of_wallet=of_wallet, offset=nothing, offset_kept=0)
        tx.send(charging_back.to_others(part, PUT_RIGHT))
    backs = [replace(share, amount=back) for share, back in zip(chargeback.shares, split(rest, weights), strict=True)] if rest else []
    shares = [_restored(tx, chargeback, place, back) for place, back in enumerate(backs)]
    chargebacks.restored(tx, backs)
    return replace(
        chargeback,
        shares=tuple(shares) or chargeback.shares,
        borne=chargeback.borne - borne,
        of_wallet=chargeback.of_wallet - of_wallet,
    )


def _restored(tx: Tx, chargeback: Chargeback, place: int, back: ChargebackShare) -> ChargebackShare:
    """What is left of a share when so much of it has gone back, some of that to the deposit."""
    share = chargeback.shares[place]
    pledged = chargebacks.restore(tx, chargeback, place, back, number=PUT_RIGHT)
    drawn = replace(share.drawn, deposit=share.drawn.deposit - pledged) if share.drawn is not None else None
    return replace(share, amount=share.amount - back.amount, drawn=drawn)
