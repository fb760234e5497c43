"""What payments can be asked to do. Whoever moves money here does it by a template of `postings`, in the same transaction."""

from collections.abc import Callable, Mapping
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import (
    alerting,
    chargebacks,
    covering,
    ending,
    errands,
    hearing_again,
    holding,
    late,
    limits,
    methods,
    model,
    offsetting,
    payouts,
    postings,
    recourse,
    splits,
    stating,
    store,
    taking_back,
)
from yunduan.domains.payments.ending import PassDue
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import (
    DifferenceBooked,
    EscrowRefunded,
    PaymentCaptured,
    WalletToppedUp,
)
from yunduan.domains.payments.limits import Way
from yunduan.domains.payments.model import (
    BODY_BYTES_MAX,
    PARTS_MAX,
    TENDERS_MAX,
    TOP_UP_DUE_MS,
    TOP_UP_MAX,
    Alert,
    Asked,
    ChannelName,
    Channels,
    Charge,
    ChargeState,
    Escrow,
    EscrowState,
    Mismatch,
    NotificationTaken,
    Outcome,
    PartOfPayment,
    Payment,
    PaymentEvent,
    PaymentKind,
    PaymentListener,
    PaymentRefusal,
    PaymentStarted,
    PaymentState,
    PieceState,
    Redirect,
    Refund,
    Settlement,
    Tender,
    TenderKind,
    Told,
)
from yunduan.domains.payments.returning import asked_before, conclude_return, have_asked, open_purse, send_off, tell_if_finished
from yunduan.domains.payments.store import ALERTS, ESCROWS, OUTGOING, PAYMENTS
from yunduan.kernel.ids import CheckoutId, OrderId, PaymentId, PersonId, RefundId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

# Messages


class PayOrders(
    Command[PaymentStarted],
    refuses={
        PaymentRefusal.TENDERS_DO_NOT_MATCH,
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.EXISTS,
        PaymentRefusal.PROMOTIONS_EMPTY,
        PaymentRefusal.WALLET_OFF,
        *POSTING_REFUSALS,
    },
):
    """Pay the orders of one checkout: at once when no channel is needed, else when every channel has collected its part.

    It has no route: whoever sends it answers for the buyer and the sums. The `PaymentListener` is called only for what comes
    of a payment later; when the answer says `captured`, the escrows are funded already. What the marketplace pays of an order, for
    a discount, is taken or set aside now, so that it is there when a channel has collected.
    """

    payment_id: PaymentId
    checkout_id: CheckoutId
    buyer: PersonId
    parts: Annotated[tuple[PartOfPayment, ...], Meta(min_length=1, max_length=PARTS_MAX)]
    tenders: Annotated[tuple[Tender, ...], Meta(max_length=TENDERS_MAX)]
    due: int


class TopUpWallet(
    Command[PaymentStarted],
    refuses={
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.KEPT_BY_PROVIDER,
        PaymentRefusal.WALLET_OFF,
        PaymentRefusal.EXCEEDS_DAY,
        *POSTING_REFUSALS,
    },
    spends_key=True,
):
    """Bring money into the caller's wallet over a channel, which it names a page of to go to."""

    amount: Money
    channel: ChannelName


class AbandonPayment(Command[Payment], refuses={PaymentRefusal.NOT_FOUND, PaymentRefusal.ENDED, *POSTING_REFUSALS}):
    """Give up a payment that is still pending: what is held is free again, and whatever a channel still collects goes back.

    Abandoning what has come to nothing already changes nothing; a captured one is refused (`payment_ended`).
    """

    payment_id: PaymentId


class CheckPayment(Command[None]):
    """Look after a payment whose channels are silent: ask them. An alarm."""

    payment_id: PaymentId


class TakeNotification(
    Command[NotificationTaken],
    refuses={
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.NOTIFICATION_FORGED,
        PaymentRefusal.NOTIFICATION_STALE,
        PaymentRefusal.NOTIFICATION_MALFORMED,
        *POSTING_REFUSALS,
    },
):
    """Hear what a channel says, as it came: the raw body, and those headers that the channel's adapter names.

    Refused: what is not signed by that channel, or too long ago. Accepted with the same answer however often it comes: what
    is genuine. What is genuine and does not match our books changes nothing but the list of alerts.

    Nobody signs in here and no key is taken. The edge hands on the body byte for byte and, of the headers, only those in
    `Channel.headers`, names in lower case; a refusal is answered 4xx, so that the channel tries again.
    """

    channel: ChannelName
    body: Annotated[bytes, Meta(max_length=BODY_BYTES_MAX)]
    headers: dict[str, str]


class Saying(Struct, frozen=True, kw_only=True):
    """What a channel answered to a question, in the words of a notification."""

    event: str
    merchant: str
    reference: str
    outcome: str
    amount: Money
    request: str = ""
    chargeback: str = ""
    fee: int = 0
    evidence_due: int = 0
    held_until: int = 0


class ReportOutgoing(Command[None], refuses={PaymentRefusal.OUTGOING_NOT_FOUND, *POSTING_REFUSALS}):
    """Tell what a channel answered to a courier; a report that has been heard, or came too late, changes nothing."""

    outgoing_id: str
    tries: int
    asked: Asked
    saying: Saying | None = None


class SettleEscrow(
    Command[Settlement],
    refuses={
        PaymentRefusal.ESCROW_NOT_FOUND,
        PaymentRefusal.ESCROW_NOT_HELD,
        PaymentRefusal.ESCROW_SETTLED,
        PaymentRefusal.BEING_SPLIT,
        PaymentRefusal.CHARGED_BACK,
        PaymentRefusal.EXCEEDS_HELD,
        *POSTING_REFUSALS,
    },
):
    """Give the shop the money of an order, less the commission; another shop's order is as if it were not there."""

    order_id: OrderId
    shop_id: ShopId
    commission: Money


class RefundEscrow(
    Command[Refund],
    refuses={
        PaymentRefusal.ESCROW_NOT_FOUND,
        PaymentRefusal.ESCROW_NOT_HELD,
        PaymentRefusal.ESCROW_SETTLED,
        PaymentRefusal.BEING_SPLIT,
        PaymentRefusal.CHARGED_BACK,
        PaymentRefusal.EXCEEDS_HELD,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.REFUND_EXISTS,
        *POSTING_REFUSALS,
    },
):
    """Give a buyer money of an order back, over the tenders it came from; the same refund asked again is the same refund."""

    refund_id: RefundId
    order_id: OrderId
    amount: Money


class BookDifference(
    Command[Charge],
    refuses={
        PaymentRefusal.NOT_FOUND,
        PaymentRefusal.NOT_CAPTURED,
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.KEPT_BY_PROVIDER,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.TENDERS_DO_NOT_MATCH,
        *POSTING_REFUSALS,
    },
):
    """Book what a channel collected beyond what the orders of an imported payment cost; the cloud alone sends it.

    It is answered with the charge that it becomes, whose reference the channel's statement has to name. Once for a payment: the
    same again changes nothing, another sum is refused (`transfer_exists`). The opposite, a payment below its orders, is a tender
    of kind `difference`.
    """

    payment_id: PaymentId
    channel: ChannelName
    amount: Money


class SetAsideForPromotions(Command[None], refuses=POSTING_REFUSALS):
    """Set aside for discounts what the marketplace has earned, never more than that; the cloud alone sends it."""

    promotion_id: Annotated[str, Meta(pattern=r"^[a-z]{3}_[0-9a-z]{1,40}(?![\s\S])", description="What it is set aside for; once.")]
    amount: Money


class ResolveAlert(Command[Alert], refuses=(PaymentRefusal.ALERT_NOT_FOUND,)):
    """Say that somebody has dealt with a notification that did not match."""

    alert_id: model.AlertId


# Paying


@handles(PayOrders)
def pay_orders(tx: Tx, ask: PayOrders) -> PaymentStarted:
    """Decide whether anything has to be waited for."""
    parts, tenders, is_system = ask.parts, ask.tenders, tx.actor.is_system
    currency = model.check_tenders(parts, tenders, is_system=is_system)
    kinds = [tender.kind for tender in tenders]
    if TenderKind.WALLET in kinds and not is_system:
        limits.check_on(tx)
    if tx.get(PAYMENTS, ask.payment_id) is not None:
        raise Refused(PaymentRefusal.EXISTS)
    _check_promotions(tx, parts, currency)
    waits = TenderKind.CHANNEL in kinds
    payment = Payment(
        id=ask.payment_id,
        kind=PaymentKind.PURCHASE,
        state=PaymentState.PENDING if waits else PaymentState.CAPTURED,
        payer=ask.buyer,
        currency=currency,
        checkout_id=ask.checkout_id,
        parts=parts,
        tenders=tenders,
        charges=model.charges_of(ask.payment_id, tenders, tx.port(Channels).custody) if waits else (),
        due=ask.due,
        started_at=tx.now,
        extension_ms=methods.extension_ms(tx, tenders) if waits else 0,
    )
    if waits:
        return _wait(tx, payment)
    shares = model.fund(payment)
    if any(shares):
        tx.send(postings.fund_at_once(payment, shares))
    tx.add(PAYMENTS, payment.id, payment)
    _open_escrows(tx, payment, ask.checkout_id, shares)
    return PaymentStarted(id=payment.id, state=payment.state)


def _check_promotions(tx: Tx, parts: tuple[PartOfPayment, ...], currency: str) -> None:
    """Refuse a discount that what is set aside for discounts does not cover, before anything is asked of the buyer."""
    promoted = sum([part.promoted.amount for part in parts if part.promoted is not None])
    if promoted:
        account = tx.ask(AccountOf(id=model.promotions_account(currency)))
        if account is None or account.available().amount < promoted:
            raise Refused(PaymentRefusal.PROMOTIONS_EMPTY, "too little is set aside for this discount")


@handles(TopUpWallet)
def top_up_wallet(tx: Tx, ask: TopUpWallet) -> PaymentStarted:
    """A payment without orders."""
    if not 0 < ask.amount.amount <= TOP_UP_MAX:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, f"1 to {TOP_UP_MAX} minor units at once")
    limits.check_on(tx)
    tx.port(Channels).ours(ask.channel)
    limits.use(tx, tx.actor.person, Way.IN, ask.amount)
    id = PaymentId(tx.id("pay"))
    tenders = (Tender(kind=TenderKind.CHANNEL, amount=ask.amount, channel=ask.channel),)
    payment = Payment(
        id=id,
        kind=PaymentKind.TOP_UP,
        state=PaymentState.PENDING,
        payer=tx.actor.person,
        currency=ask.amount.currency,
        checkout_id=None,
        parts=(),
        tenders=tenders,
        charges=model.charges_of(id, tenders),
        due=tx.now + TOP_UP_DUE_MS,
        started_at=tx.now,
        extension_ms=methods.extension_ms(tx, tenders),
    )
    return _wait(tx, payment)


def _wait(tx: Tx, payment: Payment) -> PaymentStarted:
    """Hold the wallet's part, and say where the payer goes for the rest."""
    channels = tx.port(Channels)
    redirects = tuple(
        Redirect(channel=charge.channel, url=methods.page(channels, charge, tender.method, due=payment.due))
        for charge, tender in zip(payment.charges, model.of_channels(payment.tenders), strict=True)
    )
    for tender in payment.tenders:
        if tender.kind is TenderKind.WALLET:
            tx.send(postings.hold(payment, tender.amount))
    if payment.promoted is not None:
        tx.send(postings.promote(payment, payment.promoted))
    tx.add(PAYMENTS, payment.id, payment)
    store.file_payment(tx, payment)
    tx.at(payment.due, PassDue(payment_id=payment.id, due=payment.due))
    _look_again(tx, payment)
    return PaymentStarted(id=payment.id, state=payment.state, redirects=redirects)


def _look_again(tx: Tx, payment: Payment) -> None:
    due = model.next_check(payment, tx.now)
    if due is not None:
        tx.at(due, CheckPayment(payment_id=payment.id))


def _open_escrows(tx: Tx, payment: Payment, checkout_id: CheckoutId, shares: list[tuple[model.Funding, ...]]) -> None:
    for part, funding in zip(payment.parts, shares, strict=True):
        escrow = Escrow(
            order_id=part.order_id,
            shop_id=part.shop_id,
            payment_id=payment.id,
            payer=payment.payer,
            state=EscrowState.HELD,
            held=part.whole,
            funding=funding,
            held_until=model.held_until(payment, funding),
        )
        tx.add(ESCROWS, escrow.order_id, escrow)
        holding.watch(tx, escrow)
    tx.tell(PaymentCaptured(payment_id=payment.id, checkout_id=checkout_id, payer=payment.payer, amount=payment.total))


# What channels say


@handles(TakeNotification)
def take_notification(tx: Tx, ask: TakeNotification) -> NotificationTaken:
    """Believe what is signed and matches."""
    channel = tx.port(Channels).named(ask.channel)
    flaw = channel.flaw(ask.body, ask.headers, now=tx.now) if len(ask.body) <= BODY_BYTES_MAX else "malformed"
    if flaw:
        raise Refused(_FLAWS[flaw])
    told = channel.read(ask.body)
    if told.outcome not in _SAID or bool(told.chargeback) != (told.outcome in chargebacks.SAID):
        raise Refused(PaymentRefusal.NOTIFICATION_MALFORMED, "a notification says what became of something")
    return _hear(tx, ask.channel, told)


_FLAWS = {
    "forged": PaymentRefusal.NOTIFICATION_FORGED,
    "stale": PaymentRefusal.NOTIFICATION_STALE,
    "malformed": PaymentRefusal.NOTIFICATION_MALFORMED,
}
_SAID = set(Outcome) - {Outcome.WAITING, Outcome.UNKNOWN}


def _hear(tx: Tx, channel: str, told: Told) -> NotificationTaken:
    if told.chargeback:
        _see_captured(tx, channel, told)
        reason = chargebacks.hear(tx, channel, told)
    else:
        reason = _hear_of_return(tx, channel, told) if told.request else _hear_of_charge(tx, channel, told)
    if reason is None and told.chargeback:
        alerting.settle(tx, channel, told, Mismatch.EXCEEDS_CAPTURED)
    elif reason is not None and not (reason is Mismatch.EXCEEDS_CAPTURED and hearing_again.may_fit_yet(tx, channel, told)):
        alerting.alert(tx, channel, told, reason)
    return NotificationTaken(event=told.event, believed=reason is None)


def _see_captured(tx: Tx, channel: str, told: Told) -> None:
    """A bank takes back nothing but what was captured: of a charge of which nobody has said so yet, this does."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(told.reference))
    charge = payment.charge(told.reference) if payment else None
    if payment is None or charge is None or charge.state not in (ChargeState.PENDING, ChargeState.ENDED):
        return
    if chargebacks.flaw(tx, channel, told, charge) is None:
        _captured(tx, payment, holding.heard(tx, charge, told.held_until))


def _hear_of_charge(tx: Tx, channel: str, told: Told) -> Mismatch | None:
    """What became of a charge; answers why it was not believed."""
    payment = tx.get(PAYMENTS, model.payment_of_reference(told.reference))
    charge = payment.charge(told.reference) if payment else None
    reason = model.mismatch(
        told,
        channel=channel,
        merchant=tx.port(Channels).named(channel).merchant,
        known_channel=charge.channel if charge else None,
        amount=charge.amount if charge else None,
    )
    if reason is not None or payment is None or charge is None:
        return reason
    if told.outcome == Outcome.CAPTURED:
        _captured(tx, payment, holding.heard(tx, charge, told.held_until))
        return None
    if told.outcome == Outcome.PROCESSING:
        if charge.state is ChargeState.PENDING and not charge.in_flight:
            changed = replace(payment, state=payment.after(PaymentEvent.PROCESS))
            tx.put(PAYMENTS, payment.id, changed.with_charge(replace(charge, in_flight=True)))
        return None
    if told.outcome not in (Outcome.DECLINED, Outcome.EXPIRED) or charge.state not in (ChargeState.PENDING, ChargeState.ENDED):
        return Mismatch.CONTRADICTS
    if charge.state is ChargeState.PENDING:
        event = PaymentEvent.DECLINE if told.outcome == Outcome.DECLINED else PaymentEvent.EXPIRE
        ending.end(tx, payment, event, says_so=True)
    return None


def _captured(tx: Tx, payment: Payment, charge: Charge) -> None:
    """A channel has collected: fund what waits for it, or has waited, or send it back; a second saying of the same changes nothing."""
    stating.begin(tx, charge)
    if charge.state is ChargeState.PENDING and not _can_fund(tx, payment):
        payment = ending.end(tx, payment, PaymentEvent.LAPSE, says_so=True)
        charge = replace(charge, state=ChargeState.ENDED)
    if charge.state is ChargeState.ENDED and (good := late.made_good(tx, payment, charge)) is not None:
        _paid(tx, good)
    elif charge.state is ChargeState.ENDED:
        tx.send(postings.collect_late(payment, charge))
        ending.send_back(tx, payment, (charge,))
        tx.put(PAYMENTS, payment.id, payment.with_charge(replace(charge, state=ChargeState.RETURNING)))
    elif charge.state is ChargeState.PENDING:
        changed = payment.with_charge(replace(charge, state=ChargeState.CAPTURED))
        if payment.checkout_id is None:
            _fill_wallet(tx, changed, charge)
        else:
            _fund(tx, changed, payment.checkout_id, charge)


def _can_fund(tx: Tx, payment: Payment) -> bool:
    """Whether what the wallet has to give is still set aside; it falls by itself when nobody could end the payment in time."""
    needs = any(tender.kind is TenderKind.WALLET for tender in payment.tenders)
    return not needs or (tx.now < payment.due + model.HOLD_GRACE_MS and ending.holds(tx, payment))


def _fill_wallet(tx: Tx, payment: Payment, charge: Charge) -> None:
    tx.send(postings.top_up(payment, charge))
    open_purse(tx, payment.payer, model.wallet_account(payment.payer, payment.currency), payment.currency)
    tx.put(PAYMENTS, payment.id, replace(payment, state=payment.after(PaymentEvent.CAPTURE)))
    tx.tell(WalletToppedUp(payment_id=payment.id, person=payment.payer, amount=charge.amount, channel=charge.channel))


def _fund(tx: Tx, payment: Payment, checkout_id: CheckoutId, charge: Charge) -> None:
    """One tender has come in; when it was the last, the escrows are funded."""
    shares = model.fund(payment)
    meets = payment.meets_in_clearing
    if meets:
        tx.send(postings.collect(payment, charge))
    if any(other.state is not ChargeState.CAPTURED for other in payment.charges):
        tx.put(PAYMENTS, payment.id, replace(payment, state=payment.after(PaymentEvent.COLLECT)))
        return
    tx.send(postings.fund_from_clearing(payment) if meets else postings.fund_at_once(payment, shares))
    _paid(tx, replace(payment, state=payment.after(PaymentEvent.CAPTURE)))
    tx.port(PaymentListener).paid(tx, checkout_id)  # type: ignore[type-abstract] # a port is found by its protocol


def _paid(tx: Tx, payment: Payment) -> None:
    """The money of a checkout is in its escrows: they are opened, and it is told."""
    tx.put(PAYMENTS, payment.id, payment)
    if payment.checkout_id is not None:
        _open_escrows(tx, payment, payment.checkout_id, model.fund(payment))


# Ending


@handles(AbandonPayment)
def abandon_payment(tx: Tx, ask: AbandonPayment) -> Payment:
    """Whoever asks knows, so the listener is not called."""
    payment = tx.get(PAYMENTS, ask.payment_id)
    if payment is None:
        raise Refused(PaymentRefusal.NOT_FOUND)
    if payment.after(PaymentEvent.ABANDON) is payment.state:
        return payment
    return ending.end(tx, payment, PaymentEvent.ABANDON, says_so=False)


@handles(CheckPayment)
def check_payment(tx: Tx, ask: CheckPayment) -> None:
    """Have couriers ask about every charge of which nothing is known."""
    payment = tx.get(PAYMENTS, ask.payment_id)
    if payment is None or payment.state is PaymentState.CAPTURED:
        return
    silent = [charge for charge in payment.charges if charge.state in (ChargeState.PENDING, ChargeState.ENDED)]
    for charge in silent:
        have_asked(tx, OutgoingKind.QUERY, id=tx.id("ask"), charge=charge, cause=payment.id)
    if silent:
        _look_again(tx, payment)


# Couriers' reports


@handles(ReportOutgoing)
def report_outgoing(tx: Tx, ask: ReportOutgoing) -> None:
    """Move a request on: to its end, or to the time when it is tried again."""
    outgoing = tx.get(OUTGOING, ask.outgoing_id)
    if outgoing is None:
        raise Refused(PaymentRefusal.OUTGOING_NOT_FOUND)
    if outgoing.tries != ask.tries or outgoing.state in (OutgoingState.DONE, OutgoingState.REFUSED):
        return
    if ask.asked == "unreachable":
        _try_again(tx, outgoing, outgoing.state)
    elif outgoing.kind in (OutgoingKind.QUERY, OutgoingKind.CHARGEBACK):
        tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.DONE))
        if ask.saying is not None:
            _answered(tx, outgoing, ask.saying)
    elif outgoing.kind in (OutgoingKind.CONTEST, OutgoingKind.CONCEDE):
        chargebacks.heard(tx, outgoing, is_taken=ask.asked == "accepted")
    elif outgoing.kind is OutgoingKind.VERIFY:
        payouts.checked(tx, outgoing, is_theirs=ask.asked == "accepted")
    elif outgoing.state is OutgoingState.ASKED:
        _report_of_asked(tx, outgoing, ask.saying)
    elif ask.asked == "accepted":
        next_at = tx.now + errands.ASKED_MS
        tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.ASKED, tries=outgoing.tries + 1, next_at=next_at))
    else:
        _ENDS[outgoing.kind, OutgoingState.REFUSED](tx, outgoing)


def _answered(tx: Tx, outgoing: Outgoing, saying: Saying) -> None:
    """What the channel says, it says; or it knows nothing of a chargeback that it had told, and which did not fit then."""
    if saying.outcome in _SAID:
        _hear(tx, outgoing.channel, saying)
    if saying.outcome in _SAID or not outgoing.origin:
        return
    said = replace(saying, reference=outgoing.origin, chargeback=outgoing.reference, amount=outgoing.amount)
    alerting.alert(tx, outgoing.channel, said, Mismatch.EXCEEDS_CAPTURED)


def _try_again(tx: Tx, outgoing: Outgoing, state: OutgoingState) -> None:
    tries = outgoing.tries + 1
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=state, tries=tries, next_at=tx.now + errands.back_off(tries)))


def _report_of_asked(tx: Tx, outgoing: Outgoing, saying: Saying | None) -> None:
    """The channel was asked about a return that it had accepted; one that it has forgotten is asked for again."""
    if saying is not None and saying.outcome in _SAID and _hear(tx, outgoing.channel, saying).believed:
        return
    forgotten = saying is not None and saying.outcome == Outcome.UNKNOWN
    _try_again(tx, outgoing, OutgoingState.WAITING if forgotten else OutgoingState.ASKED)


def _hear_of_return(tx: Tx, channel: str, told: Told) -> Mismatch | None:
    """What became of a return or of a payout; answers why it was not believed."""
    outgoing = tx.get(OUTGOING, told.request)
    known = outgoing if outgoing and outgoing.kind in _WORDS and outgoing.reference == told.reference else None
    reason = model.mismatch(
        told,
        channel=channel,
        merchant=tx.port(Channels).named(channel).merchant,
        known_channel=known.channel if known else None,
        amount=known.amount if known else None,
    )
    if reason is not None or known is None:
        return reason
    said = _WORDS[known.kind].get(Outcome(told.outcome))
    if said is None or (known.state in (OutgoingState.DONE, OutgoingState.REFUSED) and known.state is not said):
        return Mismatch.CONTRADICTS
    if known.state is not said:
        _ENDS[known.kind, said](tx, known)
    return None


_WORDS = {
    OutgoingKind.REFUND: {Outcome.REFUNDED: OutgoingState.DONE, Outcome.REFUND_REFUSED: OutgoingState.REFUSED},
    OutgoingKind.RELEASE: {Outcome.REFUNDED: OutgoingState.DONE, Outcome.REFUND_REFUSED: OutgoingState.REFUSED},
    OutgoingKind.PAYOUT: {Outcome.PAID_OUT: OutgoingState.DONE, Outcome.PAYOUT_REFUSED: OutgoingState.REFUSED},
    **splits.WORDS,
    **taking_back.WORDS,
    **covering.WORDS,
}


def _returned(tx: Tx, outgoing: Outgoing) -> None:
    """The channel has given it back."""
    tx.send(postings.give_back(outgoing))
    tx.put(OUTGOING, outgoing.id, outgoing.done(tx.now))
    conclude_return(tx, outgoing, PieceState.DONE, ChargeState.RETURNED)


_ENDS: Mapping[tuple[OutgoingKind, OutgoingState], Callable[[Tx, Outgoing], None]] = {
    (OutgoingKind.REFUND, OutgoingState.DONE): _returned,
    (OutgoingKind.REFUND, OutgoingState.REFUSED): offsetting.return_refused,
    (OutgoingKind.RELEASE, OutgoingState.DONE): payouts.paid,
    (OutgoingKind.RELEASE, OutgoingState.REFUSED): payouts.refused,
    (OutgoingKind.PAYOUT, OutgoingState.DONE): payouts.paid,
    (OutgoingKind.PAYOUT, OutgoingState.REFUSED): payouts.refused,
    **splits.ENDS,
    **taking_back.ENDS,
    **covering.ENDS,
}


# Escrow


@handles(SettleEscrow)
def settle_escrow(tx: Tx, ask: SettleEscrow) -> Settlement:
    """Empty the escrow and close it, or have the provider that keeps the money asked to divide it."""
    escrow = tx.get(ESCROWS, ask.order_id)
    if escrow is None or escrow.shop_id != ask.shop_id:
        raise Refused(PaymentRefusal.ESCROW_NOT_FOUND)
    model.check_not_contested(escrow)
    return splits.settle(tx, escrow, ask.commission)


@handles(RefundEscrow)
def refund_escrow(tx: Tx, ask: RefundEscrow) -> Refund:
    """Never more than is held: the model decides it, and the account could not give more."""
    before = asked_before(tx, ask.refund_id, ask.order_id, ask.amount)
    if before is not None:
        return before
    escrow = tx.get(ESCROWS, ask.order_id)
    if escrow is None:
        raise Refused(PaymentRefusal.ESCROW_NOT_FOUND)
    model.check_not_contested(escrow)
    refunded = replace(model.refund(escrow, ask.refund_id, ask.amount), at=tx.now)
    tx.send(postings.refund(escrow, refunded))
    after = model.after_refund(escrow, refunded)
    tx.put(ESCROWS, escrow.order_id, after)
    send_off(tx, refunded)
    tx.tell(EscrowRefunded(refund_id=refunded.id, order_id=escrow.order_id, amount=refunded.amount, left=after.held))
    tell_if_finished(tx, refunded)
    return refunded


# Imports and operators


@handles(BookDifference)
def book_difference(tx: Tx, ask: BookDifference) -> Charge:
    """It never touches what the orders were paid with."""
    invariant(tx.actor.is_system, "a difference is booked by the cloud alone")
    tx.port(Channels).ours(ask.channel)
    payment = tx.get(PAYMENTS, ask.payment_id)
    if payment is None:
        raise Refused(PaymentRefusal.NOT_FOUND)
    if payment.state is not PaymentState.CAPTURED:
        raise Refused(PaymentRefusal.NOT_CAPTURED, payment.state)
    if not ask.amount:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, "a difference of nothing")
    if payment.currency != ask.amount.currency:
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, "a payment is in one currency")
    reference = model.charge_reference(payment.id, model.DIFFERENCE_NUMBER)
    charge = Charge(reference=reference, channel=ask.channel, amount=ask.amount, state=ChargeState.CAPTURED)
    tx.send(postings.book_difference(payment.id, ask.channel, ask.amount))
    if payment.charge(reference) is None:
        tx.put(PAYMENTS, payment.id, replace(payment, charges=(*payment.charges, charge)))
        tx.tell(DifferenceBooked(payment_id=payment.id, channel=ask.channel, amount=ask.amount))
    return charge


@handles(SetAsideForPromotions)
def set_aside_for_promotions(tx: Tx, ask: SetAsideForPromotions) -> None:
    """From the commission account, after what is missing there; the same again changes nothing."""
    invariant(tx.actor.is_system, "what is earned is set aside by the cloud alone")
    recourse.make_up(tx, ask.amount.currency)
    tx.send(postings.set_aside(ask.promotion_id, ask.amount))


@handles(ResolveAlert)
def resolve_alert(tx: Tx, ask: ResolveAlert) -> Alert:
    """It leaves the list of open ones and stays on record."""
    alert = tx.get(ALERTS, ask.alert_id)
    if alert is None:
        raise Refused(PaymentRefusal.ALERT_NOT_FOUND)
    if not alert.resolved_at:
        alert = replace(alert, resolved_at=tx.now)
        tx.put(ALERTS, alert.id, alert)
    return alert
