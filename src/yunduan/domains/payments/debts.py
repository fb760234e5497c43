"""What a shop owes the marketplace is taken out of what a provider splits for it, as far as that goes.

So much less the shop has there, and the marketplace so much more. Two splits never ask for the same debt; what has been paid otherwise by
the time that a provider answers comes into the shop's balance here.
"""

from msgspec.structs import replace

from yunduan.domains.payments import drawing, model, recourse
from yunduan.domains.payments.facts import ClaimPaidOff
from yunduan.domains.payments.model import Split
from yunduan.domains.payments.returning import open_purse
from yunduan.domains.payments.store import PURSES, Purse
from yunduan.kernel.money import Money
from yunduan.runtime.transaction import Tx


def claim(tx: Tx, split: Split) -> Split:
    """A split that is about to be asked for, with what of the shop's part pays what it owes and nobody has been asked for."""
    purse = _purse(tx, split)
    if not purse.owes:
        return split
    owed = recourse.standing(tx, split.shop_id, purse.currency).owed.amount - purse.claimed
    claimed = max(0, min(owed, split.to_shop.amount))
    _count(tx, purse, claimed)
    return replace(split, claimed=claimed)


def let_go(tx: Tx, split: Split) -> Split:
    """A split that was refused asks for nothing of the debt: another may."""
    _count(tx, _purse(tx, split), -split.claimed)
    return replace(split, claimed=0)


def collected(tx: Tx, split: Split) -> Money:
    """How much of what a provider has handed over so pays the debt now: all of it, unless that has been paid otherwise meanwhile."""
    purse = _purse(tx, split)
    asked = Money(amount=split.claimed, currency=purse.currency)
    owed = recourse.standing(tx, split.shop_id, purse.currency).owed
    paid = drawing.least(asked, owed)
    _count(tx, purse, -split.claimed)
    if paid:
        tx.tell(ClaimPaidOff(shop_id=split.shop_id, amount=paid, left=owed - paid, cause=split.request))
    return paid


def _purse(tx: Tx, split: Split) -> Purse:
    currency = split.to_shop.currency
    return open_purse(tx, split.shop_id, model.shop_account(split.shop_id, currency), currency)


def _count(tx: Tx, purse: Purse, by: int) -> None:
    if by:
        tx.put(PURSES, (purse.owner, purse.currency), replace(purse, claimed=purse.claimed + by))
