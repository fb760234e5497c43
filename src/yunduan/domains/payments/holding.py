"""A provider keeps money for so long and no longer: operators and the shop are warned before, and the order comes to its end in time."""

from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import model, recourse, store
from yunduan.domains.payments.facts import HoldEnding, KeptEnding
from yunduan.domains.payments.model import Charge, ChargebackShare, Custody, Escrow, EscrowState, HoldListener, SplitState
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.store import ESCROWS, PAYMENTS, UNCLAIMED
from yunduan.domains.payments.unclaimed import Unclaimed, UnclaimedState
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

DAY_MS = 86_400_000
MARGIN_MS = DAY_MS
"""How long before a provider's hold ends an order of which money is there still comes to its end: the provider has to do it in time."""


class WatchHold(Command[None], refuses=POSTING_REFUSALS):
    """Warn of money that a provider will not keep much longer, and have its order come to its end. An alarm; harmless when it has gone."""

    order_id: OrderId


class WatchKept(Command[None]):
    """Warn of money that waits for its payer and that a provider will not keep much longer. An alarm; harmless when it has left.

    `told` counts how often it was.
    """

    unclaimed_id: str
    told: int = 0


ASKED_TIMES = 2
"""How often its payer is asked; operators hear of it each day."""


def heard(tx: Tx, charge: Charge, held_until: int) -> Charge:
    """A charge that was collected, kept as long as its provider says, or as is assumed of one that does not say so."""
    at, assumed_ms = charge.captured_at or tx.now, tx.port(PaymentSettings).hold_assumed_ms
    if charge.custody is Custody.PROVIDER and not held_until and assumed_ms:
        held_until = at + assumed_ms
    return replace(charge, held_until=held_until, captured_at=at)


def until_of(tx: Tx, reference: str) -> int:
    """Until when a provider keeps what is there of a charge; 0 when nobody knows."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(reference))
    charge = payment.charge(reference) if payment else None
    return charge.held_until if charge else 0


def is_near(tx: Tx, until: int) -> bool:
    """Whether it is told of by now."""
    return bool(until) and tx.now >= until - tx.port(PaymentSettings).hold_warned_ms


def watch_unclaimed(tx: Tx, found: Unclaimed) -> None:
    """Have it looked at, when a provider keeps it, some days before that ends."""
    until = until_of(tx, found.reference) if found.custody is Custody.PROVIDER else 0
    if until:
        tx.at(max(until - tx.port(PaymentSettings).hold_warned_ms, tx.now + 1), WatchKept(unclaimed_id=found.id))


@handles(WatchKept)
def watch_kept(tx: Tx, ask: WatchKept) -> None:
    """Its payer is asked when it is near and a day before; operators, who may know more of them, as long as it is there."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    found = tx.get(UNCLAIMED, ask.unclaimed_id)
    if found is None or found.has_ended:
        return
    until = until_of(tx, found.reference)
    asks = found.state is UnclaimedState.WAITING and ask.told < ASKED_TIMES
    tx.tell(KeptEnding(payer=found.payer, order_id=found.order_id, channel=found.channel, amount=found.amount, until=until, asks=asks))
    last = until - MARGIN_MS
    tx.at(last if tx.now < last else tx.now + DAY_MS, replace(ask, told=ask.told + 1))


def watch(tx: Tx, escrow: Escrow) -> None:
    """Have it looked at some days before the provider's hold ends."""
    if escrow.held_until:
        warned = escrow.held_until - tx.port(PaymentSettings).hold_warned_ms
        tx.at(max(warned, min(tx.now + 1, escrow.held_until)), WatchHold(order_id=escrow.order_id))


@handles(WatchHold)
def watch_hold(tx: Tx, ask: WatchHold) -> None:
    """Told when it is near; a day before its end the order is settled or given back, as far as it has come; what stays is told each day."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    escrow = tx.get(ESCROWS, ask.order_id)
    if escrow is None or not _there(tx, escrow):
        return
    last = escrow.held_until - MARGIN_MS
    if tx.now >= last and escrow.state is EscrowState.HELD and not escrow.contested:
        tx.port(HoldListener).ends(tx, escrow.order_id)  # type: ignore[type-abstract] # a port is found by its protocol
        escrow = tx.get(ESCROWS, ask.order_id) or escrow
    there = _there(tx, escrow)
    if not there:
        return
    tx.tell(HoldEnding(order_id=escrow.order_id, shop_id=escrow.shop_id, amount=there, until=escrow.held_until))
    tx.at(last if tx.now < last else tx.now + DAY_MS, ask)


def _there(tx: Tx, escrow: Escrow) -> Money:
    """What providers keep of it, with what a bank has taken for it while nobody has decided: that stays where it is.

    What is to be split is there until it has been, whatever a bank has taken: the shop has paid that here.
    """
    currency = escrow.held.currency
    if escrow.state is EscrowState.SPLITTING:
        splits = [split for split in recourse.splits_of_order(tx, escrow) if split.state not in (SplitState.DONE, SplitState.VOID)]
        return model.total(currency, [split.whole for split in splits])
    if escrow.state is not EscrowState.HELD:
        return zero(currency)
    contested = [share.amount for share in _contested(tx, escrow)]
    return model.left_with_providers(escrow) + model.total(currency, contested)


def _contested(tx: Tx, escrow: Escrow) -> list[ChargebackShare]:
    if not escrow.contested:
        return []
    found = [one for _, kept in model.kept_by_providers(escrow) for one in store.chargebacks_on(tx, kept.reference) if not one.is_decided]
    return [share for chargeback in found for share in chargeback.shares if share.order_id == escrow.order_id]
