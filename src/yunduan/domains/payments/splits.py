"""How an order is settled whose money a provider keeps: the provider is asked to split it, and the shop has it when it answers."""

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.payments import debts, model, postings, recourse, splitting
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import EscrowSettled, SplitAsked, SplitRefused
from yunduan.domains.payments.model import Escrow, EscrowState, Outcome, PaymentRefusal, Settlement, Split, SplitState
from yunduan.domains.payments.store import ESCROWS, OUTGOING, SPLITS
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class SplitStands(Struct, frozen=True, kw_only=True):
    """Where a split stands now."""

    id: model.SplitId
    state: SplitState
    amount: Money


class AskSplitAgain(Command[SplitStands], refuses={PaymentRefusal.SPLIT_NOT_FOUND, PaymentRefusal.SPLIT_NOT_REFUSED}):
    """Have a provider asked anew for a split that it has refused, once what it refused it for is put right there."""

    split_id: model.SplitId


def settle(tx: Tx, escrow: Escrow, commission: Money) -> Settlement:
    """Give the shop what is held: at once what the marketplace keeps, by the provider's split what a provider does.

    An order that both keep is settled whole: nothing of it leaves before the provider has answered.
    """
    settlement = model.settle(escrow, commission)
    splits = model.splits_of(escrow, settlement, now=tx.now)
    if not splits:
        _settled(tx, escrow, settlement)
        return settlement
    tx.put(ESCROWS, escrow.order_id, replace(escrow, state=EscrowState.SPLITTING, commission=commission))
    for one in splits:
        split = debts.claim(tx, one)
        tx.add(SPLITS, split.id, split)
        _have_asked(tx, split)
        tx.tell(
            SplitAsked(
                split_id=split.id,
                order_id=split.order_id,
                shop_id=split.shop_id,
                channel=split.channel,
                to_shop=split.to_shop,
                to_marketplace=split.to_marketplace,
                claimed=split.claimed,
            )
        )
    return settlement


def _settled(tx: Tx, escrow: Escrow, settlement: Settlement) -> None:
    """Empty the escrow of what the marketplace keeps, and close it."""
    if escrow.held:
        tx.send(postings.settle(escrow, settlement))
        recourse.credited(tx, escrow.shop_id, escrow.held.currency, escrow.order_id)
    tx.put(ESCROWS, escrow.order_id, replace(escrow, state=EscrowState.SETTLED, held=zero(escrow.held.currency)))
    tx.tell(EscrowSettled(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=settlement.to_shop, commission=settlement.commission))


def _have_asked(tx: Tx, split: Split) -> None:
    errand = errand_of(split, next_at=tx.now)
    tx.add(OUTGOING, errand.id, errand)


def errand_of(split: Split, *, next_at: int = 0) -> Outgoing:
    """What a provider is asked for a split; by nobody where it is only booked."""
    return Outgoing(
        id=split.request,
        kind=OutgoingKind.SPLIT,
        state=OutgoingState.WAITING,
        channel=split.channel,
        reference=split.reference,
        amount=split.whole,
        cause=split.id,
        next_at=next_at,
        custody=model.Custody.PROVIDER,
        of_shop=split.to_shop_there.amount,
    )


# What providers answer


def done(tx: Tx, outgoing: Outgoing) -> None:
    """The provider has divided it; with the last of an order the rest of it is settled too."""
    split = replace(_found(tx, outgoing), state=SplitState.DONE)
    tx.put(OUTGOING, outgoing.id, outgoing.done(tx.now))
    tx.put(SPLITS, split.id, split)
    escrow = tx.get(ESCROWS, split.order_id)
    invariant(escrow is not None and escrow.state is EscrowState.SPLITTING, "what is split was held")
    if escrow is None:
        return
    paid = debts.collected(tx, split) if split.claimed else zero(split.to_shop.currency)
    tx.send(splitting.split(escrow, split, paid))
    recourse.credited(tx, split.shop_id, split.to_shop.currency, split.request)
    escrow = replace(escrow, held=escrow.held - split.whole)
    tx.put(ESCROWS, escrow.order_id, escrow)
    recourse.finish(tx, escrow)


def refused(tx: Tx, outgoing: Outgoing) -> None:
    """The provider will not divide it, and keeps it: operators look after it."""
    split = debts.let_go(tx, replace(_found(tx, outgoing), state=SplitState.REFUSED))
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    tx.put(SPLITS, split.id, split)
    tx.tell(SplitRefused(split_id=split.id, order_id=split.order_id, shop_id=split.shop_id, channel=split.channel, amount=split.whole))


def _found(tx: Tx, outgoing: Outgoing) -> Split:
    split = tx.get(SPLITS, outgoing.cause)
    invariant(split is not None and split.request == outgoing.id, "a provider answers what it was asked last")
    return split  # type: ignore[return-value] # the line above says so


WORDS = {OutgoingKind.SPLIT: {Outcome.SPLIT: OutgoingState.DONE, Outcome.SPLIT_REFUSED: OutgoingState.REFUSED}}
"""What the end of an errand is called."""
ENDS = {(OutgoingKind.SPLIT, OutgoingState.DONE): done, (OutgoingKind.SPLIT, OutgoingState.REFUSED): refused}


# What operators do


@handles(AskSplitAgain)
def ask_split_again(tx: Tx, ask: AskSplitAgain) -> SplitStands:
    """Under a new name, for the provider answers the old one as before."""
    split = tx.get(SPLITS, ask.split_id)
    if split is None:
        raise Refused(PaymentRefusal.SPLIT_NOT_FOUND)
    if split.state is not SplitState.REFUSED:
        raise Refused(PaymentRefusal.SPLIT_NOT_REFUSED, split.state)
    split = debts.claim(tx, replace(split, state=SplitState.ASKED, serial=split.serial + 1))
    tx.put(SPLITS, split.id, split)
    _have_asked(tx, split)
    return SplitStands(id=split.id, state=split.state, amount=split.whole)
