"""A shop's deposit (保证金): what it sets aside of its balance for what it may come to owe, until an operator releases it."""

from msgspec import Struct

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.payments import postings, recourse
from yunduan.domains.payments.facts import DepositPledged, DepositReleased
from yunduan.domains.payments.model import PaymentRefusal
from yunduan.kernel.ids import ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class ShopMoney(Struct, frozen=True, kw_only=True):
    """What a shop has in one currency afterwards."""

    shop_id: ShopId
    available: Money
    deposit: Money


class PledgeDeposit(Command[ShopMoney], refuses={PaymentRefusal.AMOUNT_OUT_OF_RANGE, *POSTING_REFUSALS}, spends_key=True):
    """Set a part of a shop's balance aside as its deposit; more than there is, is refused (`insufficient_funds`)."""

    shop_id: ShopId
    amount: Money


class ReleaseDeposit(Command[ShopMoney], refuses={PaymentRefusal.AMOUNT_OUT_OF_RANGE, *POSTING_REFUSALS}, spends_key=True):
    """Give a shop a part of its deposit back into its balance; more than there is, is refused (`insufficient_funds`)."""

    shop_id: ShopId
    amount: Money


@handles(PledgeDeposit)
def pledge_deposit(tx: Tx, ask: PledgeDeposit) -> ShopMoney:
    """The edge has looked at the caller's role in this shop; the ledger has the limit."""
    _check(ask.amount)
    tx.send(postings.pledge(tx.id("dps"), ask.shop_id, ask.amount))
    tx.tell(DepositPledged(shop_id=ask.shop_id, amount=ask.amount))
    return _of(tx, ask.shop_id, ask.amount.currency)


@handles(ReleaseDeposit)
def release_deposit(tx: Tx, ask: ReleaseDeposit) -> ShopMoney:
    """It is money that comes into the shop's balance, so it would first pay what the shop owes."""
    _check(ask.amount)
    id = tx.id("dps")
    tx.send(postings.release_deposit(id, ask.shop_id, ask.amount))
    recourse.credited(tx, ask.shop_id, ask.amount.currency, id)
    tx.tell(DepositReleased(shop_id=ask.shop_id, amount=ask.amount))
    return _of(tx, ask.shop_id, ask.amount.currency)


def _check(amount: Money) -> None:
    if not amount:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, "a deposit of nothing")


def _of(tx: Tx, shop: ShopId, currency: str) -> ShopMoney:
    now = recourse.standing(tx, shop, currency)
    return ShopMoney(shop_id=shop, available=now.available, deposit=now.deposit)
