"""Money that leaves: from a wallet or a shop's balance to its owner's own account, which the channel has confirmed to be theirs."""

import msgspec
from msgspec.structs import replace

from yunduan.domains.identity.model import Vault
from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import limits, offsetting, owing, payees, postings, recourse
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.facts import PayeeChecked, PayeeNamed, PayoutBegun, PayoutEnded
from yunduan.domains.payments.limits import Way
from yunduan.domains.payments.model import BankAccount, ChannelName, Channels, Custody, PaymentRefusal
from yunduan.domains.payments.payees import Payee, PayeeId, PayeeState, PaymentSettings, Payout, PayoutId, PayoutState
from yunduan.domains.payments.store import OUTGOING, PAYEES, PAYOUTS, UNCLAIMED
from yunduan.domains.payments.unclaimed import Unclaimed, UnclaimedEvent
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(BankAccount).decode


class PayeeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """An account has been named; the channel is asked whether it is its holder's, and nothing is paid out to it before `usable_at`."""

    id: PayeeId
    state: PayeeState
    usable_at: int


class PayoutMoved(msgspec.Struct, frozen=True, kw_only=True):
    """Where a payout stands now."""

    id: PayoutId
    amount: Money
    state: PayoutState
    approvals: int


class NamePayee(Command[PayeeAsked], refuses={PaymentRefusal.CHANNEL_UNKNOWN, PaymentRefusal.KEPT_BY_PROVIDER}):
    """Name the caller's own account, to which the wallet is paid out, in the place of the one before."""

    channel: ChannelName
    account: BankAccount


class NameShopPayee(Command[PayeeAsked], refuses={PaymentRefusal.CHANNEL_UNKNOWN, PaymentRefusal.KEPT_BY_PROVIDER}):
    """Name the account to which a shop is paid out, in the place of the one before; it is sealed as the caller's."""

    shop_id: ShopId
    channel: ChannelName
    account: BankAccount


_REFUSALS = {
    PaymentRefusal.PAYEE_NOT_FOUND,
    PaymentRefusal.PAYEE_NOT_VERIFIED,
    PaymentRefusal.PAYEE_WAITS,
    PaymentRefusal.AMOUNT_OUT_OF_RANGE,
    *POSTING_REFUSALS,
}


class Withdraw(Command[PayoutMoved], refuses={*_REFUSALS, PaymentRefusal.EXCEEDS_DAY}, spends_key=True):
    """Pay money of the caller's wallet out to the account that was named and confirmed."""

    amount: Money


class PayOutShop(Command[PayoutMoved], refuses={*_REFUSALS, PaymentRefusal.SHOP_OWES}, spends_key=True):
    """Pay money of a shop's balance out to the account that was named and confirmed; not while the shop owes anything."""

    shop_id: ShopId
    amount: Money


class ApprovePayout(
    Command[PayoutMoved],
    refuses={
        PaymentRefusal.PAYOUT_NOT_FOUND,
        PaymentRefusal.PAYOUT_NOT_AWAITED,
        PaymentRefusal.APPROVED_BY_THE_SAME,
        PaymentRefusal.CHARGED_BACK,
    },
):
    """Agree to a payout above the limit; it goes when two have, neither of whom asked for it.

    Not while a bank may have taken that very money for whom it is to be paid to.
    """

    payout_id: PayoutId


class DeclinePayout(Command[PayoutMoved], refuses={PaymentRefusal.PAYOUT_NOT_FOUND, PaymentRefusal.PAYOUT_NOT_AWAITED, *POSTING_REFUSALS}):
    """Do not agree to a payout above the limit: all of it goes back."""

    payout_id: PayoutId


@handles(NamePayee)
def name_payee(tx: Tx, ask: NamePayee) -> PayeeAsked:
    """Whoever asks names their own."""
    return _name(tx, tx.actor.person, ask.channel, ask.account)


@handles(NameShopPayee)
def name_shop_payee(tx: Tx, ask: NameShopPayee) -> PayeeAsked:
    """The edge has looked at the caller's role in this shop."""
    return _name(tx, ask.shop_id, ask.channel, ask.account)


def _name(tx: Tx, owner: str, channel: str, account: BankAccount) -> PayeeAsked:
    tx.port(Channels).ours(channel)
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    person, id = tx.actor.person, tx.id("bnk")
    payee = Payee(
        owner=owner,
        id=id,
        person=person,
        channel=channel,
        sealed=vault.seal(person, _encode(account).decode()),
        state=PayeeState.CHECKING,
        at=tx.now,
    )
    change = tx.add if tx.get(PAYEES, owner) is None else tx.put
    change(PAYEES, owner, payee)
    _have_asked(tx, OutgoingKind.VERIFY, id=id, channel=channel, amount=zero("CNY"), cause=owner, reference=id)
    usable_at = payee.usable_at(tx.port(PaymentSettings))
    tx.tell(PayeeNamed(owner=owner, by=person, usable_at=usable_at))
    return PayeeAsked(id=payee.id, state=payee.state, usable_at=usable_at)


def usable(tx: Tx, owner: str) -> Payee:
    """The account that somebody is paid out to; refuses when there is none, or nothing may be paid to it yet."""
    return payees.usable(tx.get(PAYEES, owner), tx.port(PaymentSettings), now=tx.now)


def _have_asked(tx: Tx, kind: OutgoingKind, *, id: str, channel: str, amount: Money, cause: str, reference: str) -> None:
    errand = Outgoing(
        id=id, kind=kind, state=OutgoingState.WAITING, channel=channel, reference=reference, amount=amount, cause=cause, next_at=tx.now
    )
    tx.add(OUTGOING, id, errand)


@handles(Withdraw)
def withdraw(tx: Tx, ask: Withdraw) -> PayoutMoved:
    """Whoever asks takes of their own."""
    payee = usable(tx, tx.actor.person)
    payees.check_amount(ask.amount)
    limits.use(tx, tx.actor.person, Way.OUT, ask.amount)
    return begin(tx, payee, ask.amount, asked_by=tx.actor.person)


@handles(PayOutShop)
def pay_out_shop(tx: Tx, ask: PayOutShop) -> PayoutMoved:
    """The edge has looked at the caller's role in this shop."""
    if recourse.standing(tx, ask.shop_id, ask.amount.currency).owed:
        raise Refused(PaymentRefusal.SHOP_OWES)
    return begin(tx, usable(tx, ask.shop_id), ask.amount, asked_by=tx.actor.person)


def begin(tx: Tx, payee: Payee, amount: Money, *, asked_by: PersonId, unclaimed: Unclaimed | None = None) -> PayoutMoved:
    """What is paid out leaves the account now, and is on its way until the channel has said what became of it."""
    tx.port(Channels).named(payee.channel)
    limit = tx.port(PaymentSettings).approve_above
    payout = payees.begun(tx.id("pyo"), payee, amount, asked_by=asked_by, approve_above=limit, now=tx.now)
    if unclaimed is not None:
        payout = replace(payout, unclaimed=unclaimed.id)
    if unclaimed is not None and unclaimed.custody is Custody.PROVIDER:
        payout = replace(payout, channel=unclaimed.channel, custody=unclaimed.custody, reference=unclaimed.reference)
    tx.send(postings.pay_out(payout))
    tx.add(PAYOUTS, payout.id, payout)
    tx.tell(PayoutBegun(payout_id=payout.id, owner=payee.owner, amount=amount, is_awaited=payout.state is PayoutState.AWAITED))
    if payout.state is PayoutState.SENT:
        _send(tx, payout)
    return _moved(payout)


def _send(tx: Tx, payout: Payout) -> None:
    kind = OutgoingKind.RELEASE if payout.custody is Custody.PROVIDER else OutgoingKind.PAYOUT
    whole = {"id": payout.id, "channel": payout.channel, "cause": payout.owner, "reference": payout.reference or payout.id}
    _have_asked(tx, kind, amount=payout.amount, **whole)


def _moved(payout: Payout) -> PayoutMoved:
    return PayoutMoved(id=payout.id, amount=payout.amount, state=payout.state, approvals=len(payout.approvals))


@handles(ApprovePayout)
def approve_payout(tx: Tx, ask: ApprovePayout) -> PayoutMoved:
    """The second one sends it."""
    payout = payees.approved(_found(tx, ask.payout_id), tx.actor.person)
    if payout.unclaimed and (owed := tx.get(UNCLAIMED, payout.unclaimed)) is not None:
        offsetting.check_not_taken(tx, owed)
    tx.put(PAYOUTS, payout.id, payout)
    if payout.state is PayoutState.SENT:
        _send(tx, payout)
    return _moved(payout)


@handles(DeclinePayout)
def decline_payout(tx: Tx, ask: DeclinePayout) -> PayoutMoved:
    """One is enough."""
    payout = _found(tx, ask.payout_id)
    if payout.state is not PayoutState.AWAITED:
        raise Refused(PaymentRefusal.PAYOUT_NOT_AWAITED, payout.state)
    return _moved(_give_back(tx, payout, PayoutState.DECLINED))


def _found(tx: Tx, id: PayoutId) -> Payout:
    payout = tx.get(PAYOUTS, id)
    if payout is None:
        raise Refused(PaymentRefusal.PAYOUT_NOT_FOUND)
    return payout


def _give_back(tx: Tx, payout: Payout, state: PayoutState) -> Payout:
    """The whole of it, to where it came from; a shop that has come to owe something pays that first."""
    tx.send(postings.pay_back(payout))
    if payout.unclaimed:
        owing.came_back(tx, payout.unclaimed, UnclaimedEvent.DECLINE if state is PayoutState.DECLINED else UnclaimedEvent.REFUSE)
        offsetting.came_back(tx, payout.unclaimed)
    elif payout.shop_id is not None:
        recourse.credited(tx, payout.shop_id, payout.amount.currency, payout.id)
    else:
        limits.free(tx, PersonId(payout.owner), Way.OUT, payout.amount, asked_at=payout.at)
    return _end(tx, payout, state)


def _end(tx: Tx, payout: Payout, state: PayoutState) -> Payout:
    ended = replace(payout, state=state, ended_at=tx.now)
    tx.put(PAYOUTS, payout.id, ended)
    tx.tell(PayoutEnded(payout_id=payout.id, owner=payout.owner, amount=payout.amount, state=state, is_of_wallet=not payout.unclaimed))
    return ended


# What channels answer


def checked(tx: Tx, outgoing: Outgoing, *, is_theirs: bool) -> None:
    """A channel has said whether an account is its holder's; of one that another has taken the place of, nothing is kept."""
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.DONE if is_theirs else OutgoingState.REFUSED))
    payee = tx.get(PAYEES, outgoing.cause)
    if payee is not None and payee.id == outgoing.id:
        tx.put(PAYEES, payee.owner, replace(payee, state=PayeeState.VERIFIED if is_theirs else PayeeState.REFUSED))
        tx.tell(PayeeChecked(owner=payee.owner, is_theirs=is_theirs))


def paid(tx: Tx, outgoing: Outgoing) -> None:
    """The channel has paid it out."""
    payout = _found(tx, outgoing.id)
    tx.send(postings.paid_out(payout))
    tx.put(OUTGOING, outgoing.id, outgoing.done(tx.now))
    if payout.unclaimed:
        owing.paid(tx, payout.unclaimed)
    _end(tx, payout, PayoutState.PAID)


def refused(tx: Tx, outgoing: Outgoing) -> None:
    """The channel will not pay it out."""
    tx.put(OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    _give_back(tx, _found(tx, outgoing.id), PayoutState.RETURNED)


def opened(vault: Vault, person: PersonId, sealed: bytes) -> BankAccount | None:
    """The account under a seal; nothing once the person has been erased."""
    text = vault.unseal(person, sealed)
    return _decode(text) if text is not None else None
