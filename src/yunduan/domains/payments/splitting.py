"""The postings of what a provider keeps: how it leaves the provider's hold when it is split."""

from yunduan.domains.ledger.model import AccountFlag, NewAccount
from yunduan.domains.payments.model import Escrow, Split, given_account, own_account, received_account, split_step
from yunduan.domains.payments.postings import HAND_OVER, SPLIT, AccountCode, Movement, account, commission, held
from yunduan.kernel.ids import ShopId


def received(shop_id: ShopId, currency: str) -> NewAccount:
    """What a shop has been given at providers: no more is asked back."""
    return account(received_account(shop_id, currency), currency, AccountCode.RECEIVED)


def given(name: str, currency: str) -> NewAccount:
    """The other side of that, by provider."""
    return account(given_account(name, currency), currency, AccountCode.GIVEN, AccountFlag.CREDITS_WITHIN_DEBITS)


def own(name: str, currency: str) -> NewAccount:
    """What the marketplace has at a provider, or owes there."""
    return account(own_account(name, currency), currency, AccountCode.OWN, AccountFlag.NONE)


def split(escrow: Escrow, done: Split) -> Movement:
    """A provider has divided what it kept: the order has so much less, the shop and the marketplace have it, and the hold does not."""
    currency = escrow.held.currency
    shop, earned = received(done.shop_id, currency), commission(currency)
    parts = [(shop.id, done.to_shop), (earned.id, done.to_marketplace)]
    divided = SPLIT.spread(split_step(done, "spt"), done.whole, source=escrow.account, parts=parts)
    hold, sources = held(done.channel, currency), (given(done.channel, currency), own(done.channel, currency))
    gathered = list(zip([one.id for one in sources], [done.to_shop, done.to_marketplace], strict=True))
    handed = HAND_OVER.gather(split_step(done, "hnd"), done.whole, target=hold.id, parts=gathered)
    return Movement(transfers=divided + handed, opening=(shop, earned, hold, *sources))
