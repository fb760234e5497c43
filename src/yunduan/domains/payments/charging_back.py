"""The postings of chargebacks: what leaves whom when a bank takes money back, and how it returns when that is won.

A `number` tells what was put right afterwards from what was taken, or came back, at first.
"""

from collections.abc import Sequence

from yunduan.domains.ledger.model import AccountFlag, NewAccount
from yunduan.domains.payments.model import (
    Chargeback,
    Custody,
    Drawn,
    Escrow,
    charged_account,
    fees_account,
    losses_account,
    step_id,
)
from yunduan.domains.payments.postings import (
    CHANNEL_FEE,
    CHARGE_BACK,
    FEE_BACK,
    OFFSET,
    PASS_ON,
    RESTORE,
    AccountCode,
    Movement,
    account,
    channel,
    commission,
    deposit,
    receivable,
    returning,
    shop,
    shortfall,
    wallet,
)
from yunduan.domains.payments.splitting import own
from yunduan.kernel.ids import AccountId, ShopId, TransferId, sibling
from yunduan.kernel.money import Money


def losses(currency: str) -> NewAccount:
    """What the marketplace bears itself."""
    return account(losses_account(currency), currency, AccountCode.LOSSES, AccountFlag.CREDITS_WITHIN_DEBITS)


def fees(currency: str) -> NewAccount:
    """What channels charge for chargebacks."""
    return account(fees_account(currency), currency, AccountCode.FEES, AccountFlag.CREDITS_WITHIN_DEBITS)


def _bank_side(chargeback: Chargeback) -> NewAccount:
    """Where a bank takes it from: what the channel has collected, or what is ours at the provider that keeps that."""
    of = own if chargeback.custody is Custody.PROVIDER else channel
    return of(chargeback.channel, chargeback.amount.currency)


def _charged(chargeback: Chargeback) -> NewAccount:
    currency = chargeback.fee.currency
    return account(charged_account(chargeback.channel, currency), currency, AccountCode.CHARGED)


def from_escrow(chargeback: Chargeback, place: int, escrow: Escrow, amount: Money) -> Movement:
    """Out of what is held for an order, whose escrow stays open even when it is empty."""
    target = _bank_side(chargeback)
    id = step_id(chargeback.share_id(place), "cbo")
    return Movement(transfers=CHARGE_BACK.move(id, amount, source=escrow.account, target=target.id), opening=(target,))


def to_escrow(chargeback: Chargeback, place: int, escrow: Escrow, amount: Money, number: int = 0) -> Movement:
    """Back into it."""
    source = _bank_side(chargeback)
    id = step_id(chargeback.share_id(place), "cbr", number)
    return Movement(transfers=RESTORE.move(id, amount, source=source.id, target=escrow.account))


def from_shop(chargeback: Chargeback, place: int, shop_id: ShopId, amount: Money, drawn: Drawn) -> Movement:
    """From whoever has the money of an order that was settled."""
    currency, target = amount.currency, _bank_side(chargeback)
    sources = [
        *_of_shop(shop_id, drawn),
        (commission(currency), drawn.commission),
        (shortfall(currency), drawn.shortfall),
    ]
    moved = CHARGE_BACK.gather(
        step_id(chargeback.share_id(place), "cbo"), amount, target=target.id, parts=[(source.id, part) for source, part in sources]
    )
    return Movement(transfers=moved, opening=(target, *(source for source, part in sources if part)))


def to_shop(
    chargeback: Chargeback, place: int, shop_id: ShopId, *, balance: Money, pledged: Money, earned: Money, number: int = 0
) -> Movement:
    """Back to the shop's balance and deposit, and to what the marketplace had earned."""
    currency, source = balance.currency, _bank_side(chargeback)
    targets = [(shop(shop_id, currency), balance), (deposit(shop_id, currency), pledged), (commission(currency), earned)]
    whole = balance + pledged + earned
    moved = RESTORE.spread(
        step_id(chargeback.share_id(place), "cbr", number), whole, source=source.id, parts=[(target.id, part) for target, part in targets]
    )
    return Movement(transfers=moved, opening=tuple(target for target, part in targets if part))


def _of_shop(shop_id: ShopId, drawn: Drawn) -> Sequence[tuple[NewAccount, Money]]:
    currency = drawn.balance.currency
    return (
        (shop(shop_id, currency), drawn.balance),
        (deposit(shop_id, currency), drawn.deposit),
        (receivable(shop_id, currency), drawn.owed),
    )


def of_others(chargeback: Chargeback, number: int = 0) -> Movement:
    """Out of the payer's wallet, which the charge had filled, and what nobody else can bear."""
    currency, target = chargeback.amount.currency, _bank_side(chargeback)
    sources = [(wallet(chargeback.payer, currency), chargeback.of_wallet), (losses(currency), chargeback.borne)]
    moved = CHARGE_BACK.gather(
        step_id(chargeback.id, "cbw", number),
        chargeback.of_wallet + chargeback.borne,
        target=target.id,
        parts=[(source.id, part) for source, part in sources],
    )
    return Movement(transfers=moved, opening=(target, *(source for source, part in sources if part)))


def to_others(chargeback: Chargeback, number: int = 0) -> Movement:
    """Back to them; what refused refunds have made up for is their payer's by now, and what of it a provider keeps is on its way again."""
    currency, source = chargeback.amount.currency, _bank_side(chargeback)
    kept = Money(amount=chargeback.offset_kept, currency=currency)
    targets = [
        (wallet(chargeback.payer, currency), chargeback.of_wallet + chargeback.offset - kept),
        (returning(chargeback.channel, currency), kept),
        (losses(currency), chargeback.borne - chargeback.offset),
    ]
    moved = RESTORE.spread(
        step_id(chargeback.id, "cbx", number),
        chargeback.of_wallet + chargeback.borne,
        source=source.id,
        parts=[(target.id, part) for target, part in targets],
    )
    return Movement(transfers=moved, opening=tuple(target for target, part in targets if part))


def offset(chargeback: Chargeback, source: AccountId, amount: Money) -> Movement:
    """What a channel would not give back, and the payer's bank has taken, makes up for what was borne for that; it has a number there."""
    target = losses(amount.currency)
    id = TransferId(f"{sibling(chargeback.id, 'ofs')}{chargeback.offsets:03d}")
    moved = OFFSET.move(id, amount, source=source, target=target.id)
    return Movement(transfers=moved, opening=(target,))


def charge_fee(chargeback: Chargeback, number: int = 0) -> Movement:
    """What the channel takes for it."""
    source, target = fees(chargeback.fee.currency), _charged(chargeback)
    moved = CHANNEL_FEE.move(step_id(chargeback.id, "cbf", number), chargeback.fee, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def fee_back(chargeback: Chargeback, number: int = 0) -> Movement:
    """The channel gives its fee back."""
    source, target = _charged(chargeback), fees(chargeback.fee.currency)
    return Movement(transfers=FEE_BACK.move(step_id(chargeback.id, "cbg", number), chargeback.fee, source=source.id, target=target.id))


def pass_on(chargeback: Chargeback, place: int, shop_id: ShopId, amount: Money, drawn: Drawn) -> Movement:
    """A shop's part of the fee of a chargeback that was lost."""
    sources, target = _of_shop(shop_id, drawn), fees(amount.currency)
    moved = PASS_ON.gather(
        step_id(chargeback.share_id(place), "cbp"), amount, target=target.id, parts=[(source.id, part) for source, part in sources]
    )
    return Movement(transfers=moved, opening=(target, *(source for source, part in sources if part)))
