"""Whoever is owed money that a channel would not give back says where it goes."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import model, offsetting, owing, payouts, postings, store, unclaimed
from yunduan.domains.payments.model import Custody, PaymentRefusal
from yunduan.domains.payments.returning import open_purse
from yunduan.domains.payments.store import UNCLAIMED
from yunduan.domains.payments.unclaimed import Into, Unclaimed, UnclaimedId, UnclaimedState
from yunduan.kernel.ids import LAST, OrderId, PersonId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

UNCLAIMED_MAX = 100
_Limit = Annotated[int, Meta(ge=1, le=UNCLAIMED_MAX)]


class UnclaimedNow(Struct, frozen=True, kw_only=True):
    """Money that is owed to somebody, and where it is; `order_id` is nothing for a payment that came too late."""

    id: UnclaimedId
    amount: Money
    state: UnclaimedState
    at: int
    order_id: OrderId | None
    contested: Money
    """What of it the payer's bank may have taken: nothing can be said of it before that is decided, and then it is set off, or theirs."""
    kept_by: str
    """The channel whose provider keeps it, and pays it to the account alone; empty when it may be taken into the wallet as well."""


class TakeUnclaimed(
    Command[UnclaimedNow],
    refuses={
        PaymentRefusal.UNCLAIMED_NOT_FOUND,
        PaymentRefusal.UNCLAIMED_TAKEN,
        PaymentRefusal.KEPT_BY_PROVIDER,
        PaymentRefusal.CHARGED_BACK,
        PaymentRefusal.PAYEE_NOT_FOUND,
        PaymentRefusal.PAYEE_NOT_VERIFIED,
        PaymentRefusal.PAYEE_WAITS,
        PaymentRefusal.CHANNEL_UNKNOWN,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        *POSTING_REFUSALS,
    },
    spends_key=True,
):
    """Have money that a channel would not give back in the wallet, or paid to the caller's own account, which has to be confirmed.

    Not while the caller's bank may have taken that very money from the channel: what it keeps is set off.
    """

    unclaimed_id: UnclaimedId
    into: Into


class UnclaimedPage(Struct, frozen=True, kw_only=True):
    """A page of what waits, or has waited, for the caller, the latest first; `after` asks for the next."""

    items: tuple[UnclaimedNow, ...]
    after: UnclaimedId | None


class UnclaimedOf(Query[UnclaimedPage]):
    """What channels would not give back to the caller, and where it is."""

    after: UnclaimedId | None = None
    limit: _Limit = 50


class LateUnclaimed(Struct, frozen=True, kw_only=True):
    """Money that has waited for its owner for long."""

    id: UnclaimedId
    payer_id: PersonId
    amount: Money
    channel: str
    at: int
    order_id: OrderId | None


class LateUnclaimedPage(Struct, frozen=True, kw_only=True):
    """A page of it; `after` asks for the next."""

    items: tuple[LateUnclaimed, ...]
    after: UnclaimedId | None


class LateUnclaimedOf(Query[LateUnclaimedPage]):
    """Money that nobody has claimed for half a year: somebody has to find its owner."""

    after: UnclaimedId | None = None
    limit: _Limit = 50


@handles(TakeUnclaimed)
def take_unclaimed(tx: Tx, ask: TakeUnclaimed) -> UnclaimedNow:
    """Whoever asks takes what is owed to them, once."""
    person = tx.actor.person
    found = unclaimed.taken(tx.get(UNCLAIMED, ask.unclaimed_id), person, ask.into)
    offsetting.check_not_taken(tx, found)
    if ask.into is Into.WALLET:
        tx.send(postings.divert(found))
        currency = found.amount.currency
        open_purse(tx, person, model.wallet_account(person, currency), currency)
    else:
        payouts.begin(tx, payouts.usable(tx, person), found.amount, asked_by=person, unclaimed=found)
    owing.follow(tx, found)
    return _now(tx, found)


def _now(at: Asking, found: Unclaimed) -> UnclaimedNow:
    kept_by = found.channel if found.custody is Custody.PROVIDER else ""
    return UnclaimedNow(
        id=found.id,
        amount=found.amount,
        state=found.state,
        at=found.at,
        order_id=found.order_id,
        contested=owing.contested(at, found),
        kept_by=kept_by,
    )


@answers(UnclaimedOf)
def unclaimed_of(at: Asking, ask: UnclaimedOf) -> UnclaimedPage:
    """Whoever asks sees their own."""
    found = store.unclaimed_of(at, at.actor.person, ask.after or LAST, ask.limit + 1)
    items = tuple([_now(at, one) for one in found[: ask.limit]])
    return UnclaimedPage(items=items, after=items[-1].id if len(found) > ask.limit else None)


@answers(LateUnclaimedOf)
def late_unclaimed_of(at: Asking, ask: LateUnclaimedOf) -> LateUnclaimedPage:
    """By their ids, which are in the order of their refunds."""
    found = store.late_unclaimed(at, ask.after or "", ask.limit + 1)
    items = tuple(
        [
            LateUnclaimed(id=one.id, payer_id=one.payer, amount=one.amount, channel=one.channel, at=one.at, order_id=one.order_id)
            for one in found[: ask.limit]
        ]
    )
    return LateUnclaimedPage(items=items, after=items[-1].id if len(found) > ask.limit else None)
