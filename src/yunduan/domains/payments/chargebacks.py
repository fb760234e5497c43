"""Chargebacks (拒付): a payer's bank takes a captured payment back, a shop may say why it should not, and the bank decides."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.payments import charging_back, covering, drawing, model, offsetting, recourse, store
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import ChargebackMoved, ChargebackOpened, ConcessionRefused, ContestedPart, EvidenceDue, EvidenceRefused
from yunduan.domains.payments.model import (
    Alert,
    Channels,
    Charge,
    Chargeback,
    ChargebackEvent,
    ChargebackId,
    ChargebackListener,
    ChargebackShare,
    ChargebackState,
    ChargeState,
    Drawn,
    Escrow,
    EscrowState,
    Mismatch,
    Outcome,
    Payment,
    PaymentRefusal,
    Told,
)
from yunduan.domains.payments.model.chargebacks import (
    ASKED_AFTER_MS,
    EVIDENCE_MAX,
    NAME_CHARACTERS_MAX,
    REFERENCES_MAX,
    REMINDED_MS,
    By,
    Closed,
    Delivery,
    Evidence,
    Otherwise,
    Reference,
    Said,
    Stated,
    after_event,
    decided_of,
    in_other_state,
    left_of_charge,
    lost_of,
    restored_to,
    shares_of,
    taken_from,
)
from yunduan.domains.payments.returning import open_purse
from yunduan.domains.payments.store import CHARGEBACKS, ESCROWS, EVIDENCE, OUTGOING, PAYMENTS
from yunduan.kernel.ids import OrderId, PersonId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import AMOUNT_MAX, Money, split, zero
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Asking, Tx

SAID = frozenset({Outcome.CHARGED_BACK, Outcome.CHARGEBACK_WON, Outcome.CHARGEBACK_LOST})
"""What a channel says of chargebacks."""
_encode = msgspec.json.Encoder().encode


class ChargebackStands(Struct, frozen=True, kw_only=True):
    """Where a chargeback stands now, and until when evidence is heard (milliseconds since 1970)."""

    id: ChargebackId
    state: ChargebackState
    due: int


_STEP_REFUSALS = frozenset({PaymentRefusal.CHARGEBACK_NOT_FOUND, PaymentRefusal.CHARGEBACK_OTHER_STATE})


class ContestChargeback(Command[ChargebackStands], refuses={*_STEP_REFUSALS, PaymentRefusal.EVIDENCE_LATE, PaymentRefusal.EVIDENCE_FULL}):
    """Give evidence, for a shop, that what the payer's bank has taken back is the shop's: words, and where it can be seen."""

    shop_id: ShopId
    chargeback_id: ChargebackId
    text: Evidence
    references: Annotated[tuple[Reference, ...], Meta(max_length=REFERENCES_MAX)] = ()


class ConcedeChargeback(Command[ChargebackStands], refuses=_STEP_REFUSALS):
    """Have the channel know that a chargeback is not contested; what was taken stays taken when it has decided so."""

    chargeback_id: ChargebackId


class WatchChargeback(Command[None]):
    """Remind whoever has given no evidence, take it that none will come, and ask a channel that does not say what was decided.

    An alarm; harmless when it has been decided.
    """

    chargeback_id: ChargebackId


# What shops and operators do


@handles(ContestChargeback)
def contest_chargeback(tx: Tx, ask: ContestChargeback) -> ChargebackStands:
    """Keep it under the speaker's key, and have a courier take it to the channel. The edge has looked at the caller's role."""
    chargeback = tx.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is None or not chargeback.of_shop(ask.shop_id):
        raise Refused(PaymentRefusal.CHARGEBACK_NOT_FOUND)
    state = after_event(chargeback, ChargebackEvent.CONTEST)
    if tx.now >= chargeback.due:
        raise Refused(PaymentRefusal.EVIDENCE_LATE)
    mine = [stated for stated in store.evidence_in(tx, chargeback.id) if stated.shop_id == ask.shop_id]
    requests = [evidence_request(chargeback.id, stated.number) for stated in mine]
    if sum([delivered(tx, request) is not Delivery.REFUSED for request in requests]) >= EVIDENCE_MAX:
        raise Refused(PaymentRefusal.EVIDENCE_FULL, f"{EVIDENCE_MAX} by each shop")
    speaker, number = tx.actor.person, chargeback.statements
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    sealed = vault.seal(speaker, _encode(Said(text=ask.text, references=ask.references)).decode())
    tx.add(EVIDENCE, (chargeback.id, number), Stated(chargeback.id, number, ask.shop_id, speaker, sealed, tx.now))
    moved = replace(chargeback, state=state, statements=number + 1)
    _have_asked(tx, OutgoingKind.CONTEST, moved, id=evidence_request(moved.id, number))
    return _moved(tx, moved, ChargebackEvent.CONTEST, By.SHOP)


def evidence_request(chargeback_id: str, number: int) -> str:
    """The name by which a channel knows a piece of evidence."""
    return f"evd_{chargeback_id.partition('_')[2]}{number:04d}"


def evidence_of(request: str) -> tuple[str, int]:
    """The piece of evidence that a request is about."""
    digits = request.partition("_")[2]
    return f"cbk_{digits[:-4]}", int(digits[-4:])


@handles(ConcedeChargeback)
def concede_chargeback(tx: Tx, ask: ConcedeChargeback) -> ChargebackStands:
    """Once, unless the channel would not take it; it decides then, and money moves when it says so."""
    chargeback = tx.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is None:
        raise Refused(PaymentRefusal.CHARGEBACK_NOT_FOUND)
    state = after_event(chargeback, ChargebackEvent.CONCEDE)
    if conceded(tx, chargeback) not in (None, Delivery.REFUSED):
        raise in_other_state(chargeback)
    moved = replace(chargeback, state=state, concessions=chargeback.concessions + 1)
    _have_asked(tx, OutgoingKind.CONCEDE, moved, id=concession_request(moved))
    return _moved(tx, moved, ChargebackEvent.CONCEDE, By.OPERATOR)


def concession_request(chargeback: Chargeback) -> str:
    """The name by which a channel knows the last concession of a chargeback."""
    return f"cnd_{chargeback.id.partition('_')[2]}{chargeback.concessions:04d}"


def delivered(at: Asking, request: str) -> Delivery:
    """What has become of something that a channel was told."""
    errand = at.get(OUTGOING, request)
    return _DELIVERED.get(errand.state, Delivery.ON_ITS_WAY) if errand is not None else Delivery.ON_ITS_WAY


_DELIVERED = {OutgoingState.DONE: Delivery.TAKEN, OutgoingState.REFUSED: Delivery.REFUSED}


def conceded(at: Asking, chargeback: Chargeback) -> Delivery | None:
    """What has become of the last concession; nothing when there was none."""
    return delivered(at, concession_request(chargeback)) if chargeback.concessions else None


def heard(tx: Tx, outgoing: Outgoing, *, is_taken: bool) -> None:
    """A channel has answered what it was told about a chargeback; when it would not take it, who can say it again is told."""
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.DONE if is_taken else OutgoingState.REFUSED))
    chargeback = tx.get(CHARGEBACKS, outgoing.cause)
    if is_taken or chargeback is None or chargeback.is_decided:
        return
    if outgoing.kind is OutgoingKind.CONCEDE:
        tx.tell(ConcessionRefused(chargeback_id=chargeback.id, amount=chargeback.amount))
        return
    stated = tx.get(EVIDENCE, evidence_of(outgoing.id))
    invariant(stated is not None, "evidence that a channel was given is kept")
    if stated is not None:
        shares = model.total(chargeback.amount.currency, [share.amount for share in chargeback.of_shop(stated.shop_id)])
        tx.tell(
            EvidenceRefused(chargeback_id=chargeback.id, shop_id=stated.shop_id, speaker=stated.speaker, amount=shares, due=chargeback.due)
        )


def _have_asked(tx: Tx, kind: OutgoingKind, chargeback: Chargeback, *, id: str) -> None:
    errand = Outgoing(
        id=id,
        kind=kind,
        state=OutgoingState.WAITING,
        channel=chargeback.channel,
        reference=chargeback.name,
        amount=chargeback.amount,
        cause=chargeback.id,
        next_at=tx.now,
    )
    tx.add(OUTGOING, id, errand)


def _moved(tx: Tx, chargeback: Chargeback, event: ChargebackEvent, who: By) -> ChargebackStands:
    tx.put(CHARGEBACKS, chargeback.id, chargeback)
    tx.tell(
        ChargebackMoved(
            chargeback_id=chargeback.id,
            event=event,
            by=who,
            state=chargeback.state,
            amount=chargeback.amount,
            due=chargeback.due,
            shops=tuple(sorted({share.shop_id for share in chargeback.shares})),
        )
    )
    return ChargebackStands(id=chargeback.id, state=chargeback.state, due=chargeback.due)


@handles(WatchChargeback)
def watch_chargeback(tx: Tx, ask: WatchChargeback) -> None:
    """One alarm at a time: the next is set by this one."""
    invariant(tx.actor.is_system, "a chargeback is watched by its own alarm")
    chargeback = tx.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is None or chargeback.is_decided or chargeback.otherwise is not None:  # operators have it now
        return
    if tx.now < chargeback.due:
        _remind(tx, chargeback)
    if chargeback.state is ChargebackState.OPEN:
        event = ChargebackEvent.REMIND if tx.now < chargeback.due else ChargebackEvent.LAPSE
        _moved(tx, replace(chargeback, state=after_event(chargeback, event)), event, By.CLOUD)
    if tx.now > chargeback.due:
        _have_asked(tx, OutgoingKind.CHARGEBACK, chargeback, id=tx.id("ask"))
    _watch(tx, chargeback)


def _remind(tx: Tx, chargeback: Chargeback) -> None:
    """Of evidence that is still heard, each shop that has given none."""
    if chargeback.state not in (ChargebackState.OPEN, ChargebackState.CONTESTED):
        return
    heard_of = {stated.shop_id for stated in store.evidence_in(tx, chargeback.id)}
    for share in chargeback.shares:
        if share.shop_id not in heard_of:
            id, shop_id = share.order_id, share.shop_id
            tx.tell(EvidenceDue(chargeback_id=chargeback.id, order_id=id, shop_id=shop_id, amount=share.amount, due=chargeback.due))


def _watch(tx: Tx, chargeback: Chargeback) -> None:
    moments = [chargeback.due - REMINDED_MS, chargeback.due, *(chargeback.due + after for after in ASKED_AFTER_MS)]
    following = next((moment for moment in moments if moment > tx.now), tx.now + ASKED_AFTER_MS[-1])
    tx.at(following, WatchChargeback(chargeback_id=chargeback.id))


# What channels say


def hear(tx: Tx, channel: str, told: Told) -> Mismatch | None:
    """What a channel says of a chargeback, however often and in whatever order; answers why it was not believed."""
    id = model.chargeback_id(channel, told.chargeback)
    known = tx.get(CHARGEBACKS, id)
    if known is None:
        found = _opened(tx, channel, told)
        if isinstance(found, Mismatch):
            return found
        known = found
    elif (known.reference, known.amount, known.fee.amount) != (told.reference, told.amount, told.fee):
        return _decided_otherwise(tx, channel, told, known)
    if told.outcome == Outcome.CHARGED_BACK:
        return None
    event = decided_of(told_won=told.outcome == Outcome.CHARGEBACK_WON)
    state = ChargebackState.WON if event is ChargebackEvent.WIN else ChargebackState.LOST
    if known.is_decided:
        return None if known.state is state else Mismatch.CONTRADICTS
    decide(tx, known, event, By.CHANNEL)
    return None


def figures(tx: Tx, channel: str, told: Told) -> dict[str, Any]:
    """What an alert says of a chargeback: its name, and the fee that it has now; of one that is known, what we know of it."""
    if not told.chargeback:
        return {}
    fee = Money(amount=max(told.fee, 0), currency=told.amount.currency)
    said = {"name": told.chargeback[:NAME_CHARACTERS_MAX], "evidence_due": told.evidence_due, "fee": fee}
    known = tx.get(CHARGEBACKS, model.chargeback_id(channel, told.chargeback))
    if known is None:
        return said
    return said | {"chargeback_id": known.id, "our_amount": known.amount, "our_fee": known.fee}


def decide(tx: Tx, chargeback: Chargeback, event: ChargebackEvent, who: By) -> ChargebackStands:
    """It ends: what was taken goes back to where it came from, or stays taken."""
    decided = replace(chargeback, state=after_event(chargeback, event), decided_at=tx.now)
    decided = (_win if decided.state is ChargebackState.WON else _lose)(tx, decided)
    return _moved(tx, decided, event, who)


def _decided_otherwise(tx: Tx, channel: str, told: Told, known: Chargeback) -> Mismatch:
    """It is not believed; a decision is kept beside what we know, so that operators can take it."""
    payment = tx.get(PAYMENTS, known.payment_id)
    charge = payment.charge(told.reference) if payment and known.reference == told.reference else None
    most = max(known.amount, charge.amount) if charge is not None else known.amount  # one that is beyond its charge stays so
    wrong = Mismatch.CHARGE_UNKNOWN if charge is None else flaw(tx, channel, told, replace(charge, amount=most))
    if told.outcome != Outcome.CHARGED_BACK and not known.is_decided:
        fee = Money(amount=max(told.fee, 0), currency=told.amount.currency)
        said = Otherwise(won=told.outcome == Outcome.CHARGEBACK_WON, amount=told.amount, fee=fee, at=tx.now, wrong=wrong)
        tx.put(CHARGEBACKS, known.id, replace(known, otherwise=said))
    return wrong or Mismatch.AMOUNT_DIFFERS


def _opened(tx: Tx, channel: str, told: Told) -> Chargeback | Mismatch:
    """Take the money from whoever has it; it is as if nothing had been said when the books have no such money."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(told.reference)) if told.reference else None
    charge = payment.charge(told.reference) if payment else None
    if payment is None or charge is None:
        return Mismatch.CHARGE_UNKNOWN
    if reason := flaw(tx, channel, told, charge):
        return reason
    if charge.state in (ChargeState.PENDING, ChargeState.ENDED):
        return Mismatch.CONTRADICTS
    if told.amount.amount > left_there(tx, payment, charge):
        return Mismatch.EXCEEDS_CAPTURED
    fee = Money(amount=told.fee, currency=payment.currency)
    found = _new(tx, told.chargeback, payment, charge, amount=told.amount, fee=fee, due=told.evidence_due)
    return _open(tx, take(tx, found, payment, charge, told.amount))


def borne(tx: Tx, alert: Alert, payment: Payment, charge: Charge, beyond: Closed) -> Chargeback:
    """It is taken though more than is left of the charge: the marketplace bears what nobody has."""
    found = _new(
        tx, alert.name, payment, charge, amount=alert.amount, fee=alert.fee or zero(payment.currency), due=alert.evidence_due, beyond=beyond
    )
    return _open(tx, take(tx, found, payment, charge, alert.amount))


def _new(
    tx: Tx, name: str, payment: Payment, charge: Charge, *, amount: Money, fee: Money, due: int, beyond: Closed | None = None
) -> Chargeback:
    return Chargeback(
        id=model.chargeback_id(charge.channel, name),
        channel=charge.channel,
        name=name,
        reference=charge.reference,
        payment_id=payment.id,
        payer=payment.payer,
        amount=amount,
        fee=fee,
        state=ChargebackState.OPEN,
        due=max(due, tx.now),
        opened_at=tx.now,
        of_wallet=zero(payment.currency),
        borne=zero(payment.currency),
        offset=zero(payment.currency),
        custody=charge.custody,
        beyond=beyond,
    )


def left_there(tx: Tx, payment: Payment, charge: Charge) -> int:
    """What of a charge the channel still has, neither given back nor taken by banks."""
    return charge.amount.amount - offsetting.given_back(tx, payment, charge) - _taken_before(tx, charge)


def flaw(tx: Tx, channel: str, told: Told, charge: Charge) -> Mismatch | None:
    """What of it does not fit the charge."""
    if charge.channel != channel:
        return Mismatch.CHANNEL_DIFFERS
    if told.merchant != tx.port(Channels).named(channel).merchant:
        return Mismatch.MERCHANT_DIFFERS
    if told.amount.currency != charge.amount.currency:
        return Mismatch.CURRENCY_DIFFERS
    if not told.amount or told.amount > charge.amount or not 0 <= told.fee <= AMOUNT_MAX // 2:
        return Mismatch.AMOUNT_DIFFERS
    return Mismatch.CONTRADICTS if len(told.chargeback) > NAME_CHARACTERS_MAX else None


def _taken_before(tx: Tx, charge: Charge) -> int:
    """What other chargebacks of the charge, open or lost, have taken."""
    return sum([one.amount.amount for one in _others(tx, charge)])


def _others(tx: Tx, charge: Charge) -> list[Chargeback]:
    return [one for one in store.chargebacks_on(tx, charge.reference) if one.state is not ChargebackState.WON]


def _of_wallet(tx: Tx, payment: Payment, charge: Charge, rest: Money) -> Money:
    """What of the rest is still in the payer's wallet, of a top-up or of what came into it when the channel would not give it back."""
    if payment.checkout_id is None and charge.state is ChargeState.CAPTURED:
        filled = charge.amount.amount - _taken_before(tx, charge)
    else:
        filled = offsetting.brought_into_wallet(tx, payment, charge) - sum([one.of_wallet.amount for one in _others(tx, charge)])
    there = recourse.available(tx, model.wallet_account(payment.payer, payment.currency), payment.currency)
    return drawing.least(drawing.least(there, Money(amount=max(filled, 0), currency=payment.currency)), rest)


def take(tx: Tx, chargeback: Chargeback, payment: Payment, charge: Charge, amount: Money, *, number: int = 0) -> Chargeback:
    """So much out of the orders that the charge paid, in proportion to what is left of each, then the payer's wallet; the rest is borne."""
    escrows = [escrow for part in payment.parts if (escrow := tx.get(ESCROWS, part.order_id)) is not None]
    lefts = [left_of_charge(escrow, charge.reference) for escrow in escrows]
    rest = Money(amount=max(amount.amount - sum(lefts), 0), currency=amount.currency)
    of_wallet = _of_wallet(tx, payment, charge, rest)
    orders = [(escrow, share) for escrow, share in zip(escrows, shares_of(amount, lefts), strict=True) if share]
    before = len(chargeback.shares)
    shares = [_take_share(tx, chargeback, before + place, escrow, share) for place, (escrow, share) in enumerate(orders)]
    if rest:
        others = replace(chargeback, of_wallet=of_wallet, borne=rest - of_wallet)
        tx.send(charging_back.of_others(others, number))
    return replace(
        chargeback,
        shares=(*chargeback.shares, *shares),
        of_wallet=chargeback.of_wallet + of_wallet,
        borne=chargeback.borne + (rest - of_wallet),
    )


def taken(tx: Tx, chargeback: Chargeback, shares: Sequence[ChargebackShare]) -> None:
    """The orders that so much is taken of stand still."""
    listener = tx.port(ChargebackListener)  # type: ignore[type-abstract] # a port is found by its protocol
    for share in shares:
        listener.taken(tx, share.order_id, share.amount, due=chargeback.due)


def _open(tx: Tx, chargeback: Chargeback) -> Chargeback:
    """It is written down, and told to whom it concerns."""
    shares = chargeback.shares
    if chargeback.fee:
        tx.send(charging_back.charge_fee(chargeback))
    tx.add(CHARGEBACKS, chargeback.id, chargeback)
    store.file_chargeback(tx, chargeback, ("", chargeback.payer, *dict.fromkeys(share.shop_id for share in shares)))
    tx.tell(
        ChargebackOpened(
            chargeback_id=chargeback.id,
            payment_id=chargeback.payment_id,
            channel=chargeback.channel,
            amount=chargeback.amount,
            fee=chargeback.fee,
            due=chargeback.due,
            parts=tuple(ContestedPart(order_id=one.order_id, shop_id=one.shop_id, amount=one.amount) for one in shares),
            borne=chargeback.borne,
        )
    )
    taken(tx, chargeback, shares)
    _watch(tx, chargeback)
    return chargeback


def _take_share(tx: Tx, chargeback: Chargeback, place: int, escrow: Escrow, amount: Money) -> ChargebackShare:
    after = taken_from(escrow, chargeback.reference, amount)
    drawn = None
    if escrow.state is EscrowState.HELD:
        tx.send(charging_back.from_escrow(chargeback, place, escrow, amount))
    else:
        currency = amount.currency
        drawn = drawing.draw(
            amount,
            commission=recourse.commission_between(tx, escrow, after),
            earned=recourse.available(tx, model.commission_account(currency), currency),
            standing=recourse.standing(tx, escrow.shop_id, currency),
        )
        tx.send(charging_back.from_shop(chargeback, place, escrow.shop_id, amount, drawn))
        if drawn.owed:
            recourse.owes(tx, escrow.shop_id, currency, is_owing=True)
    tx.put(ESCROWS, escrow.order_id, after)
    return ChargebackShare(order_id=escrow.order_id, shop_id=escrow.shop_id, amount=amount, drawn=drawn)


# What was decided


def _escrow(tx: Tx, order_id: OrderId) -> Escrow:
    escrow = tx.get(ESCROWS, order_id)
    invariant(escrow is not None, "what was charged back was paid")
    return escrow  # type: ignore[return-value] # the line above says so


def _win(tx: Tx, chargeback: Chargeback) -> Chargeback:
    """Everything is as it was: who bore it has it again, and the channel gives its fee back."""
    for place, share in enumerate(chargeback.shares):
        restore(tx, chargeback, place, share)
    if chargeback.of_wallet or chargeback.borne:
        tx.send(charging_back.to_others(chargeback))
        open_purse(tx, chargeback.payer, model.wallet_account(chargeback.payer, chargeback.amount.currency), chargeback.amount.currency)
    if chargeback.offset_kept:
        _refund_again(tx, chargeback)
    if chargeback.fee:
        tx.send(charging_back.fee_back(chargeback))
    restored(tx, chargeback.shares)
    return chargeback


def restore(tx: Tx, chargeback: Chargeback, place: int, share: ChargebackShare, *, number: int = 0) -> Money:
    """So much back to an order's escrow, or to whoever had it when that was settled; answers what of it went to a deposit."""
    pledged = zero(share.amount.currency)
    if not share.amount:
        return pledged
    escrow = _escrow(tx, share.order_id)
    after = restored_to(escrow, chargeback.reference, share.amount)
    if share.drawn is None:
        tx.send(charging_back.to_escrow(chargeback, place, escrow, share.amount, number))
    else:
        pledged = _give_back(tx, chargeback, place, share, share.drawn, recourse.commission_between(tx, after, escrow), number)
    tx.put(ESCROWS, share.order_id, after)
    return pledged


def restored(tx: Tx, shares: Sequence[ChargebackShare]) -> None:
    """The orders have it again."""
    listener = tx.port(ChargebackListener)  # type: ignore[type-abstract] # a port is found by its protocol
    for share in shares:
        if share.amount:
            listener.restored(tx, share.order_id, share.amount)


def _refund_again(tx: Tx, chargeback: Chargeback) -> None:
    """What a provider keeps, and would not give back while the bank had it, it is asked to give back now."""
    errand = Outgoing(
        id=model.again_id(chargeback.id),
        kind=OutgoingKind.REFUND,
        state=OutgoingState.WAITING,
        channel=chargeback.channel,
        reference=chargeback.reference,
        amount=Money(amount=chargeback.offset_kept, currency=chargeback.amount.currency),
        cause=chargeback.id,
        next_at=tx.now,
        custody=chargeback.custody,
    )
    tx.add(OUTGOING, errand.id, errand)


def _give_back(tx: Tx, chargeback: Chargeback, place: int, share: ChargebackShare, drawn: Drawn, earned: Money, number: int) -> Money:
    """To the deposit what came from there, the rest into the balance, where it pays first what the shop owes."""
    pledged = drawing.least(drawn.deposit, share.amount - earned)
    balance = share.amount - earned - pledged
    movement = charging_back.to_shop(chargeback, place, share.shop_id, balance=balance, pledged=pledged, earned=earned, number=number)
    tx.send(movement)
    recourse.credited(tx, share.shop_id, earned.currency, f"{chargeback.share_id(place)}{number or ''}")
    if drawn.shortfall:
        recourse.make_up(tx, earned.currency)
    return pledged


def _lose(tx: Tx, chargeback: Chargeback) -> Chargeback:
    """What was taken stays taken, and each shop pays its part of the fee: from its balance, its deposit, or as a claim.

    What the payer is owed of the same money is set off against what the marketplace has borne.
    """
    fees = _fees(chargeback)
    for place, (share, fee) in enumerate(zip(chargeback.shares, fees, strict=True)):
        after = lost_of(_escrow(tx, share.order_id), share.amount)
        tx.put(ESCROWS, share.order_id, after)
        if after.state is EscrowState.RETURNED:
            tx.send(PostTransfers(transfers=(), closing=(after.account,)))
        if share.drawn is None:
            covering.cover(tx, chargeback, share.amount)
        if fee:
            currency = fee.currency
            nothing = zero(currency)
            drawn = drawing.draw(fee, commission=nothing, earned=nothing, standing=recourse.standing(tx, share.shop_id, currency))
            tx.send(charging_back.pass_on(chargeback, place, share.shop_id, fee, drawn))
            if drawn.owed:
                recourse.owes(tx, share.shop_id, currency, is_owing=True)
    listener = tx.port(ChargebackListener)  # type: ignore[type-abstract] # a port is found by its protocol
    for share in chargeback.shares:
        if share.amount:
            listener.lost(tx, share.order_id, share.amount)
    chargeback = offsetting.lost(tx, chargeback)
    covering.cover(tx, chargeback, Money(amount=chargeback.offset_kept, currency=chargeback.amount.currency))
    return chargeback


def _fees(chargeback: Chargeback) -> list[Money]:
    """Each order's part of the fee, by what was taken of it; what was taken of nobody's order the marketplace pays."""
    weights = [share.amount.amount for share in chargeback.shares]
    others = chargeback.amount.amount - sum(weights)
    return split(chargeback.fee, [*weights, others])[:-1]


def said_in(vault: Vault, stated: Stated) -> Said | None:
    """The words under a seal; nothing once who said them has been erased."""
    text = vault.unseal(PersonId(stated.speaker), stated.sealed)
    return msgspec.json.decode(text, type=Said) if text is not None else None
