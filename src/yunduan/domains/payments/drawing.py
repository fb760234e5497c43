"""Whose money an order's refund is after the shop has been paid, as values: no input, no output.

The shop pays from its balance, then from its deposit (保证金); what neither covers the marketplace pays and claims from the shop. The
commission on what goes back is the marketplace's to give.
"""

from msgspec import Struct

from yunduan.domains.payments.model import Drawn, Escrow, EscrowState, PaymentRefusal
from yunduan.kernel.ids import AccountId, RefundId, ShopId, sibling
from yunduan.kernel.money import Money
from yunduan.kernel.money import share as share_of
from yunduan.kernel.refusals import Refused, invariant

# Accounts


def deposit_account(shop: ShopId, currency: str) -> AccountId:
    """What a shop has pledged for what it may come to owe."""
    return AccountId(f"{sibling(shop, 'dep')}{currency.lower()}")


def receivable_account(shop: ShopId, currency: str) -> AccountId:
    """What the marketplace has paid for a shop and claims from it: below zero by that, never above."""
    return AccountId(f"{sibling(shop, 'rec')}{currency.lower()}")


def shortfall_account(currency: str) -> AccountId:
    """What the marketplace has given back of its commission after it had spent it: below zero by that, never above."""
    return AccountId(f"acc_shortfall{currency.lower()}")


def drawing_account(refund_id: str) -> AccountId:
    """Where the parts of a refund meet that is drawn from several; it is empty and closed in the same transaction."""
    return AccountId(sibling(refund_id, "drw"))


def refund_of_drawing(account: AccountId) -> RefundId | None:
    """The refund whose parts met in an account, if they did."""
    return RefundId(sibling(account, "rfd")) if account.startswith("drw_") else None


# Decisions


class Standing(Struct, frozen=True, kw_only=True):
    """What a shop has in one currency, nothing on its way counted, and what it owes the marketplace."""

    available: Money
    deposit: Money
    owed: Money


def least(one: Money, other: Money) -> Money:
    """The smaller of two amounts."""
    return min(one, other, key=lambda money: money.amount)


def check_settled(escrow: Escrow) -> None:
    """Refuse an escrow whose money the shop does not have."""
    if escrow.state is EscrowState.HELD:
        raise Refused(PaymentRefusal.ESCROW_NOT_SETTLED)
    if escrow.state is not EscrowState.SETTLED:
        raise Refused(PaymentRefusal.EXCEEDS_CAPTURED, "all of it has gone back")


def commission_back(commission: Money, *, settled: Money, before: Money, after: Money) -> Money:
    """What the marketplace gives back of the commission that it took of what was settled, when what is left goes from one sum to another.

    It keeps the share that what is left has in what was settled, rounded half up, reckoned from the settlement and not from the refund
    before: so the order and the number of refunds make no difference, and when nothing is left it keeps nothing.
    """
    invariant(after <= before <= settled and commission <= settled, "what goes back was settled")
    kept_before, kept_after = (share_of(commission, parts=left.amount, of=settled.amount) for left in (before, after))
    return kept_before - kept_after


def draw(whole: Money, *, commission: Money, earned: Money, standing: Standing) -> Drawn:
    """Who pays `whole`: the marketplace its commission, `earned` being all that it has; the shop the rest, a claim when it cannot."""
    of_earned = least(commission, earned)
    left = whole - commission
    balance = least(left, standing.available)
    deposit = least(left - balance, standing.deposit)
    return Drawn(balance=balance, deposit=deposit, owed=left - balance - deposit, commission=of_earned, shortfall=commission - of_earned)
