"""A provider keeps money for so long and no longer: operators and the shop are warned before, and the order comes to its end in time."""

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import model, recourse, store
from yunduan.domains.payments.facts import HoldEnding
from yunduan.domains.payments.model import ChargebackShare, Escrow, EscrowState, HoldListener, SplitState
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.store import ESCROWS
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
