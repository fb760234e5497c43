"""The postings of what a provider keeps: how it leaves the provider's hold when it is split, and comes back to it for a refund."""

from yunduan.domains.ledger.model import AccountFlag, NewAccount
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import (
    Drawn,
    Escrow,
    Split,
    bank_account,
    given_account,
    own_account,
    received_account,
    split_step,
)
from yunduan.domains.payments.postings import (
    DRAW_INSTEAD,
    HAND_OVER,
    KEEP_AGAIN,
    PAY_IN,
    SPLIT,
    TAKE_BACK,
    TAKE_OUT,
    AccountCode,
    Movement,
    account,
    commission,
    deposit,
    held,
    receivable,
    returning,
    shop,
    shortfall,
)
from yunduan.kernel.ids import ShopId, TransferId, sibling
from yunduan.kernel.money import Money


def received(shop_id: ShopId, currency: str) -> NewAccount:
    """What a shop has been given at providers: no more is asked back."""
    return account(received_account(shop_id, currency), currency, AccountCode.RECEIVED)


def given(name: str, currency: str) -> NewAccount:
    """The other side of that, by provider."""
    return account(given_account(name, currency), currency, AccountCode.GIVEN, AccountFlag.CREDITS_WITHIN_DEBITS)


def own(name: str, currency: str) -> NewAccount:
    """What the marketplace has at a provider, or owes there."""
    return account(own_account(name, currency), currency, AccountCode.OWN, AccountFlag.NONE)


def bank(name: str, currency: str) -> NewAccount:
    """What of our own has gone between a provider and our bank: it may stand on either side of zero."""
    return account(bank_account(name, currency), currency, AccountCode.BANK, AccountFlag.NONE)


def own_moved(id: str, name: str, amount: Money, *, is_paid_in: bool) -> Movement:
    """Our own money has come to a provider, or left it for our bank."""
    ours, theirs = own(name, amount.currency), bank(name, amount.currency)
    source, target = (ours, theirs) if is_paid_in else (theirs, ours)
    template = PAY_IN if is_paid_in else TAKE_OUT
    return Movement(transfers=template.move(TransferId(f"{id}0"), amount, source=source.id, target=target.id), opening=(source, target))


def split(escrow: Escrow, done: Split, paid: Money) -> Movement:
    """A provider has divided what it kept: the order has so much less, the shop and the marketplace have it, and the hold does not.

    What the marketplace has had of the shop's part has `paid` so much of what the shop owes; the rest comes into its balance.
    """
    currency = escrow.held.currency
    there, rest = done.to_shop_there, done.to_shop - done.to_shop_there - paid
    theirs, earned = received(done.shop_id, currency), commission(currency)
    others = [(receivable(done.shop_id, currency), paid), (shop(done.shop_id, currency), rest)]
    parts = [(theirs.id, there), (earned.id, done.to_marketplace), *[(target.id, part) for target, part in others]]
    divided = SPLIT.spread(split_step(done, "spt"), done.whole, source=escrow.account, parts=parts)
    hold, sources = held(done.channel, currency), (given(done.channel, currency), own(done.channel, currency))
    gathered = list(zip([one.id for one in sources], [there, done.whole - there], strict=True))
    handed = HAND_OVER.gather(split_step(done, "hnd"), done.whole, target=hold.id, parts=gathered)
    opened = [target for target, part in others if part]
    return Movement(transfers=divided + handed, opening=(theirs, earned, hold, *sources, *opened))


def take_back(asked: Outgoing, shop_id: ShopId, *, of_shop: Money, earned: Money, missing: Money, drawn: Drawn) -> Movement:
    """What was split is kept again, on its way to the payer: the shop and the marketplace have so much less.

    What of the shop's part had paid its debt is `drawn` from what it has here.
    """
    currency, target = asked.amount.currency, returning(asked.channel, asked.amount.currency)
    sources = [
        (received(shop_id, currency), of_shop),
        (commission(currency), earned),
        (shortfall(currency), missing),
        *_of_shop(shop_id, drawn),
    ]
    parts = [(source.id, part) for source, part in sources]
    taken = TAKE_BACK.gather(_step(asked, "tbk"), asked.amount, target=target.id, parts=parts)
    hold, sides = held(asked.channel, currency), (given(asked.channel, currency), own(asked.channel, currency))
    kept = list(zip([one.id for one in sides], [of_shop, asked.amount - of_shop], strict=True))
    again = KEEP_AGAIN.spread(_step(asked, "kpa"), asked.amount, source=hold.id, parts=kept)
    return Movement(transfers=taken + again, opening=(target, hold, *sides, *(source for source, part in sources if part)))


def _of_shop(shop_id: ShopId, drawn: Drawn) -> list[tuple[NewAccount, Money]]:
    currency = drawn.balance.currency
    return [
        (shop(shop_id, currency), drawn.balance),
        (deposit(shop_id, currency), drawn.deposit),
        (receivable(shop_id, currency), drawn.owed),
    ]


def cover(asked: Outgoing) -> Movement:
    """What a bank has taken from what is ours at a provider is there again, out of the provider's hold."""
    source, target = own(asked.channel, asked.amount.currency), held(asked.channel, asked.amount.currency)
    moved = HAND_OVER.move(_step(asked, "cvr"), asked.amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def draw_instead(asked: Outgoing, shop_id: ShopId, drawn: Drawn) -> Movement:
    """What the provider could not take back comes from what the shop has here, and from the marketplace."""
    currency, target = asked.amount.currency, returning(asked.channel, asked.amount.currency)
    sources = [*_of_shop(shop_id, drawn), (commission(currency), drawn.commission), (shortfall(currency), drawn.shortfall)]
    parts = [(source.id, part) for source, part in sources]
    moved = DRAW_INSTEAD.gather(_step(asked, "dri"), asked.amount, target=target.id, parts=parts)
    return Movement(transfers=moved, opening=(target, *(source for source, part in sources if part)))


def _step(asked: Outgoing, step: str) -> TransferId:
    return TransferId(f"{sibling(asked.id, step)}0")
