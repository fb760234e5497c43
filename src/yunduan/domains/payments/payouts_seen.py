"""What may be seen of payouts: one's own account and payouts, and for operators those that wait for them."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.payments import payees, payouts, store
from yunduan.domains.payments.payees import PayeeId, PayeeState, PaymentSettings, Payout, PayoutId, PayoutState
from yunduan.domains.payments.store import PAYEES
from yunduan.kernel.ids import AnyId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

PAYOUTS_MAX = 100
LAST = "~"
"""Sorts behind every id."""
_Limit = Annotated[int, Meta(ge=1, le=PAYOUTS_MAX)]


class PayeeSeen(Struct, frozen=True, kw_only=True):
    """The account that is paid out to, as its owner knows it again; empty words when whoever named it has been forgotten.

    Nothing is paid out to it before `usable_at` (milliseconds since 1970).
    """

    id: PayeeId
    state: PayeeState
    usable_at: int
    channel: str
    bank: str
    number: str


class PayoutLine(Struct, frozen=True, kw_only=True):
    """One payout, as its owner sees it; `ended_at` is 0 while it is on its way."""

    id: PayoutId
    amount: Money
    state: PayoutState
    at: int
    ended_at: int


class Payouts(Struct, frozen=True, kw_only=True):
    """The account that is paid out to, if one has been named, and a page of payouts, the latest first; `after` asks for the next."""

    payee: PayeeSeen | None
    items: tuple[PayoutLine, ...]
    after: PayoutId | None


class Withdrawals(Query[Payouts]):
    """What the caller has had paid out of the wallet, and to which account."""

    after: PayoutId | None = None
    limit: _Limit = 50


class PayoutsOfShop(Query[Payouts]):
    """What a shop has had paid out, and to which account."""

    shop_id: ShopId
    after: PayoutId | None = None
    limit: _Limit = 50


class AwaitedPayout(Struct, frozen=True, kw_only=True):
    """A payout that operators have to approve."""

    id: PayoutId
    owner_id: AnyId
    asked_by_id: PersonId
    amount: Money
    at: int
    approver_ids: tuple[PersonId, ...]


class AwaitedPayouts(Struct, frozen=True, kw_only=True):
    """A page of payouts that have to be approved, the longest waiting first; `after` asks for the next."""

    items: tuple[AwaitedPayout, ...]
    after: PayoutId | None


class AwaitedPayoutsOf(Query[AwaitedPayouts]):
    """Payouts above the limit that have not been approved."""

    after: PayoutId | None = None
    limit: _Limit = 50


@answers(Withdrawals)
def withdrawals(at: Asking, ask: Withdrawals) -> Payouts:
    """Whoever asks sees their own."""
    return _page(at, at.actor.person, ask.after, ask.limit)


@answers(PayoutsOfShop)
def payouts_of_shop(at: Asking, ask: PayoutsOfShop) -> Payouts:
    """The edge has looked at the caller's role in this shop."""
    return _page(at, ask.shop_id, ask.after, ask.limit)


def _page(at: Asking, owner: str, before: PayoutId | None, limit: int) -> Payouts:
    found = store.payouts_of(at, owner, before or LAST, limit + 1)
    page = found[:limit]
    return Payouts(
        payee=_payee(at, owner), items=tuple(_line(payout) for payout in page), after=page[-1].id if len(found) > limit else None
    )


def _line(payout: Payout) -> PayoutLine:
    return PayoutLine(id=payout.id, amount=payout.amount, state=payout.state, at=payout.at, ended_at=payout.ended_at)


def _payee(at: Asking, owner: str) -> PayeeSeen | None:
    kept = at.get(PAYEES, owner)
    if kept is None:
        return None
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    account = payouts.opened(vault, kept.person, kept.sealed)
    bank, number = (account.bank, payees.masked(account.number)) if account else ("", "")
    usable_at = kept.usable_at(at.port(PaymentSettings))
    return PayeeSeen(id=kept.id, state=kept.state, usable_at=usable_at, channel=kept.channel, bank=bank, number=number)


@answers(AwaitedPayoutsOf)
def awaited_payouts_of(at: Asking, ask: AwaitedPayoutsOf) -> AwaitedPayouts:
    """By their ids, which are in the order of their time."""
    found = store.awaited_payouts(at, ask.after or "", ask.limit + 1)
    page = found[: ask.limit]
    lines = tuple(
        AwaitedPayout(
            id=payout.id,
            owner_id=payout.owner,
            asked_by_id=payout.asked_by,
            amount=payout.amount,
            at=payout.at,
            approver_ids=payout.approvals,
        )
        for payout in page
    )
    return AwaitedPayouts(items=lines, after=page[-1].id if len(found) > ask.limit else None)
