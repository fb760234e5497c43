"""How payments moves money: each template is made here and nowhere else, a pure function of what it is for.

| template | from | to |
| --- | --- | --- |
| hold | wallet, set aside | clearing of the payment |
| promote | promotions | clearing of the payment |
| fund at once, or late | wallet, channel, difference, promotions | escrow of each order |
| collect | channel | clearing of the payment |
| fund from clearing | the hold, posted; difference | clearing, and from it to the escrow of each order; clearing closes |
| release | the hold, voided; clearing | returning, for what channels had collected, and promotions; clearing closes |
| collect late | channel | returning |
| top up | channel | wallet |
| settle | escrow | shop and commission; the escrow closes |
| refund | escrow | wallet, returning, difference, promotions; the escrow closes when it is empty |
| return | returning | channel |
| owe | returning | unclaimed |
| divert | unclaimed | wallet |
| draw | shop, deposit, receivable, commission, shortfall | drawing of the refund, and from it as a refund; drawing closes |
| postage | shop, deposit, receivable | wallet |
| pay off | shop | receivable |
| pledge | shop | deposit |
| release deposit | deposit | shop |
| pay out | wallet, shop or unclaimed | paying |
| paid out | paying | paid out; held, of what a provider keeps |
| pay back | paying | wallet, shop or unclaimed |
| book difference | channel | difference |
| set aside | commission | promotions |
| cover | commission | shortfall |
| charge back | escrow; shop, deposit, receivable, commission, shortfall; wallet; losses | channel |
| restore | channel | escrow; shop, deposit, commission; wallet; losses |
| offset | returning | losses |
| channel fee | fees | charged |
| fee back | charged | fees |
| pass on | shop, deposit, receivable | fees |
| split | escrow | received and commission; receivable and shop, of what the shop owes |
| hand over | given and own | held |
| take back | received, commission, shortfall; shop, deposit, receivable | returning |
| keep again | held | given and own |
| draw instead | shop, deposit, receivable, commission, shortfall | returning |
| pay in | own | bank |
| take out | bank | own |

Those from `charge back` to `pass on` are of chargebacks, and made by `charging_back`; the last seven are of what a provider keeps, and made
by `splitting`. Where a provider keeps what a channel collects, `held` stands in the place of `channel`.

Clearing, drawing, returning and paying accounts are back at zero when the story that uses them has ended.
"""

from collections.abc import Iterator
from enum import IntEnum

from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.model import AccountFlag, NewAccount, Posting, Transfer
from yunduan.domains.payments.drawing import deposit_account, drawing_account, receivable_account, shortfall_account
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import (
    HOLD_GRACE_MS,
    Charge,
    ChargeState,
    Custody,
    Drawn,
    Escrow,
    Funding,
    Payment,
    Refund,
    Settlement,
    Tender,
    TenderKind,
    channel_account,
    clearing_account,
    commission_account,
    difference_account,
    escrow_account,
    held_account,
    promotions_account,
    returning_account,
    shop_account,
    step_id,
    wallet_account,
)
from yunduan.domains.payments.payees import Payout, paid_out_account, paying_account
from yunduan.domains.payments.unclaimed import Unclaimed, unclaimed_account
from yunduan.kernel.ids import AccountId, PaymentId, PersonId, ShopId, TransferId, sibling
from yunduan.kernel.money import Money


class AccountCode(IntEnum):
    """What an account is for."""

    WALLET = 10
    SHOP = 11
    DEPOSIT = 12
    RECEIVABLE = 13
    RECEIVED = 14
    ESCROW = 20
    CLEARING = 21
    RETURNING = 22
    DRAWING = 23
    PAYING = 24
    UNCLAIMED = 25
    CHANNEL = 30
    PAID_OUT = 31
    CHARGED = 32
    HELD = 33
    GIVEN = 34
    OWN = 35
    BANK = 36
    COMMISSION = 40
    DIFFERENCE = 41
    PROMOTIONS = 42
    SHORTFALL = 43
    FEES = 46
    LOSSES = 47


HOLD = Posting(name="hold", code=10)
FUND = Posting(name="fund", code=11)
COLLECT = Posting(name="collect", code=12)
TOP_UP = Posting(name="top_up", code=13)
PROMOTE = Posting(name="promote", code=14)
SETTLE = Posting(name="settle", code=20)
SPLIT = Posting(name="split", code=21)
HAND_OVER = Posting(name="hand_over", code=22)
TAKE_BACK = Posting(name="take_back", code=23)
KEEP_AGAIN = Posting(name="keep_again", code=24)
DRAW_INSTEAD = Posting(name="draw_instead", code=25)
PAY_IN = Posting(name="pay_in", code=26)
TAKE_OUT = Posting(name="take_out", code=27)
REFUND = Posting(name="refund", code=30)
RELEASE = Posting(name="release", code=31)
RETURN = Posting(name="return", code=32)
DIVERT = Posting(name="divert", code=33)
DRAW = Posting(name="draw", code=34)
OWE = Posting(name="owe", code=36)
POSTAGE = Posting(name="postage", code=37)
PAY_OFF = Posting(name="pay_off", code=35)
DIFFERENCE = Posting(name="difference", code=40)
SET_ASIDE = Posting(name="set_aside", code=41)
COVER = Posting(name="cover", code=42)
PLEDGE = Posting(name="pledge", code=50)
RELEASE_DEPOSIT = Posting(name="release_deposit", code=51)
PAY_OUT = Posting(name="pay_out", code=60)
PAID_OUT = Posting(name="paid_out", code=61)
PAY_BACK = Posting(name="pay_back", code=62)
CHARGE_BACK = Posting(name="charge_back", code=70)
RESTORE = Posting(name="restore", code=71)
OFFSET = Posting(name="offset", code=72)
CHANNEL_FEE = Posting(name="channel_fee", code=73)
FEE_BACK = Posting(name="fee_back", code=74)
PASS_ON = Posting(name="pass_on", code=75)
TEMPLATES = (
    HOLD,
    FUND,
    COLLECT,
    TOP_UP,
    PROMOTE,
    SETTLE,
    REFUND,
    RELEASE,
    RETURN,
    DIVERT,
    OWE,
    POSTAGE,
    DRAW,
    PAY_OFF,
    DIFFERENCE,
    SET_ASIDE,
    COVER,
    PLEDGE,
    RELEASE_DEPOSIT,
    PAY_OUT,
    PAID_OUT,
    PAY_BACK,
    CHARGE_BACK,
    RESTORE,
    OFFSET,
    CHANNEL_FEE,
    FEE_BACK,
    PASS_ON,
    SPLIT,
    HAND_OVER,
    TAKE_BACK,
    KEEP_AGAIN,
    DRAW_INSTEAD,
    PAY_IN,
    TAKE_OUT,
)


Movement = PostTransfers
"""Transfers that happen together, with the accounts that they open and close: just what the ledger is asked."""


# Accounts


def account(id: AccountId, currency: str, code: AccountCode, flags: AccountFlag = AccountFlag.DEBITS_WITHIN_CREDITS) -> NewAccount:
    """One of payments' accounts, which does not go below zero unless it is said otherwise."""
    return NewAccount(id=id, currency=currency, code=code, flags=flags)


def wallet(person: PersonId, currency: str) -> NewAccount:
    """A person's wallet."""
    return account(wallet_account(person, currency), currency, AccountCode.WALLET)


def shop(id: ShopId, currency: str) -> NewAccount:
    """What a shop has earned."""
    return account(shop_account(id, currency), currency, AccountCode.SHOP)


def deposit(id: ShopId, currency: str) -> NewAccount:
    """What a shop has pledged."""
    return account(deposit_account(id, currency), currency, AccountCode.DEPOSIT)


def receivable(id: ShopId, currency: str) -> NewAccount:
    """What a shop owes: it never pays more than that."""
    return account(receivable_account(id, currency), currency, AccountCode.RECEIVABLE, AccountFlag.CREDITS_WITHIN_DEBITS)


def shortfall(currency: str) -> NewAccount:
    """What the marketplace has given back of its commission beyond what it had: it never covers more than that."""
    return account(shortfall_account(currency), currency, AccountCode.SHORTFALL, AccountFlag.CREDITS_WITHIN_DEBITS)


def channel(name: str, currency: str) -> NewAccount:
    """What a channel has collected for us: it never gives back more than that."""
    return account(channel_account(name, currency), currency, AccountCode.CHANNEL, AccountFlag.CREDITS_WITHIN_DEBITS)


def held(name: str, currency: str) -> NewAccount:
    """What a provider keeps for orders: it never gives back more than it collected."""
    return account(held_account(name, currency), currency, AccountCode.HELD, AccountFlag.CREDITS_WITHIN_DEBITS)


def collected_by(of: Charge | Outgoing, currency: str) -> NewAccount:
    """Where what a channel has collected stands, by who keeps it."""
    return (held if of.custody is Custody.PROVIDER else channel)(of.channel, currency)


def returning(name: str, currency: str) -> NewAccount:
    """What is on its way back over a channel."""
    return account(returning_account(name, currency), currency, AccountCode.RETURNING)


def commission(currency: str) -> NewAccount:
    """What the marketplace has earned."""
    return account(commission_account(currency), currency, AccountCode.COMMISSION)


def difference(currency: str) -> NewAccount:
    """What imported payments differ from their orders: it may stand on either side of zero."""
    return account(difference_account(currency), currency, AccountCode.DIFFERENCE, AccountFlag.NONE)


def promotions(currency: str) -> NewAccount:
    """What the marketplace has set aside for discounts: it can run empty."""
    return account(promotions_account(currency), currency, AccountCode.PROMOTIONS)


def _clearing(payment: Payment) -> NewAccount:
    return account(clearing_account(payment.id), payment.currency, AccountCode.CLEARING)


def _escrows(payment: Payment) -> tuple[NewAccount, ...]:
    """One for each order that costs anything."""
    return tuple([account(escrow_account(part.order_id), payment.currency, AccountCode.ESCROW) for part in payment.parts if part.whole])


def _source(payment: Payment, kind: TenderKind, charges: Iterator[Charge]) -> NewAccount:
    if kind is TenderKind.WALLET:
        return wallet(payment.payer, payment.currency)
    if kind is TenderKind.CHANNEL:
        return collected_by(next(charges), payment.currency)
    return difference(payment.currency)


def _each_once(accounts: list[NewAccount]) -> tuple[NewAccount, ...]:
    return tuple({account.id: account for account in accounts}.values())


def _of_wallet(payment: Payment) -> Tender | None:
    return next((tender for tender in payment.tenders if tender.kind is TenderKind.WALLET), None)


# Paying


def hold(payment: Payment, amount: Money) -> Movement:
    """Set the wallet's part of a payment aside until the channels have spoken."""
    source, clearing = wallet(payment.payer, payment.currency), _clearing(payment)
    due = payment.due + payment.extension_ms + HOLD_GRACE_MS
    held = HOLD.move(step_id(payment.id, "hld"), amount, source=source.id, target=clearing.id, due=due)
    return Movement(transfers=held, opening=(source, clearing))


def _hold(payment: Payment) -> Transfer | None:
    tender = _of_wallet(payment)
    return hold(payment, tender.amount).transfers[0] if tender else None


def promote(payment: Payment, amount: Money) -> Movement:
    """Take what the marketplace pays of a payment's orders into its clearing account, where it waits for the channels."""
    source, clearing = promotions(payment.currency), _clearing(payment)
    moved = PROMOTE.move(step_id(payment.id, "prm"), amount, source=source.id, target=clearing.id)
    return Movement(transfers=moved, opening=(source, clearing))


def fund_at_once(payment: Payment, shares: list[tuple[Funding, ...]], *, late: bool = False) -> Movement:
    """Fund every escrow straight from the tenders: nothing is waited for any more; `late` when it was given up before."""
    transfers: list[Transfer] = []
    sources: dict[AccountId, NewAccount] = {}
    charges = iter(payment.charges)
    for number, tender in enumerate(payment.tenders):
        source = _source(payment, tender.kind, charges)
        parts = [
            (escrow_account(part.order_id), funding.amount)
            for part, of_one in zip(payment.parts, shares, strict=True)
            for funding in of_one
            if (funding.kind, funding.channel) == (tender.kind, tender.channel)
        ]
        sources[source.id] = source
        transfers += FUND.spread(step_id(payment.id, "fnd", number), tender.amount, source=source.id, parts=parts)
    if payment.promoted is not None:
        source = promotions(payment.currency)
        parts = [(escrow_account(part.order_id), part.promoted) for part in payment.parts if part.promoted is not None]
        sources[source.id] = source
        transfers += PROMOTE.spread(step_id(payment.id, "prm", int(late)), payment.promoted, source=source.id, parts=parts)
    return Movement(transfers=tuple(transfers), opening=(*sources.values(), *_escrows(payment)))


def collect(payment: Payment, charge: Charge) -> Movement:
    """Take what one of several tenders has brought into the payment's clearing account."""
    return _collected(payment, charge, _clearing(payment))


def _collected(payment: Payment, charge: Charge, target: NewAccount) -> Movement:
    source = collected_by(charge, payment.currency)
    id = step_id(charge.reference, "col")
    return Movement(transfers=COLLECT.move(id, charge.amount, source=source.id, target=target.id), opening=(source, target))


def fund_from_clearing(payment: Payment) -> Movement:
    """Bring the rest into the clearing account and empty it into the escrows."""
    clearing = clearing_account(payment.id)
    transfers: list[Transfer] = []
    opening = list(_escrows(payment))
    if held := _hold(payment):
        transfers.append(held.posted(step_id(payment.id, "hpo")))
    for tender in payment.tenders:
        if tender.kind is TenderKind.DIFFERENCE:
            source = difference(payment.currency)
            opening.append(source)
            transfers += DIFFERENCE.move(step_id(payment.id, "dif"), tender.amount, source=source.id, target=clearing)
    parts = [(escrow_account(part.order_id), part.whole) for part in payment.parts]
    whole = payment.total if payment.promoted is None else payment.total + payment.promoted
    transfers += FUND.spread(step_id(payment.id, "fnd"), whole, source=clearing, parts=parts)
    return Movement(transfers=tuple(transfers), opening=tuple(opening), closing=(clearing,))


def release(payment: Payment, *, holds: bool) -> Movement:
    """Give up a payment: free what it still holds, send back what channels have collected already, and what the marketplace paid of it."""
    clearing = clearing_account(payment.id)
    transfers: list[Transfer] = []
    opening = []
    if holds and (held := _hold(payment)):
        transfers.append(held.voided(step_id(payment.id, "hvo")))
    collected = [charge for charge in payment.charges if charge.state is ChargeState.CAPTURED]
    for charge in collected:
        target = returning(charge.channel, payment.currency)
        opening.append(target)
        transfers += RELEASE.move(step_id(charge.reference, "rel"), charge.amount, source=clearing, target=target.id)
    if payment.promoted is not None:
        target = promotions(payment.currency)
        opening.append(target)
        transfers += RELEASE.move(step_id(payment.id, "rpr"), payment.promoted, source=clearing, target=target.id)
    was_opened = _of_wallet(payment) is not None or bool(collected) or payment.promoted is not None
    return Movement(transfers=tuple(transfers), opening=_each_once(opening), closing=(clearing,) if was_opened else ())


def collect_late(payment: Payment, charge: Charge) -> Movement:
    """Book what a channel has collected for a payment that had ended: it is on its way back."""
    return _collected(payment, charge, returning(charge.channel, payment.currency))


def top_up(payment: Payment, charge: Charge) -> Movement:
    """Bring what a channel has collected into the payer's wallet."""
    source, target = channel(charge.channel, payment.currency), wallet(payment.payer, payment.currency)
    moved = TOP_UP.move(step_id(charge.reference, "top"), charge.amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


# Escrow


def settle(escrow: Escrow, settlement: Settlement) -> Movement:
    """Empty an escrow into the shop's balance and the commission account, and close it."""
    currency = escrow.held.currency
    earned, fee = shop(escrow.shop_id, currency), commission(currency)
    parts = [(earned.id, settlement.to_shop), (fee.id, settlement.commission)]
    transfers = SETTLE.spread(step_id(escrow.order_id, "stl"), escrow.held, source=escrow.account, parts=parts)
    return Movement(transfers=transfers, opening=(earned, fee), closing=(escrow.account,))


def refund(escrow: Escrow, refunded: Refund) -> Movement:
    """Send a part of an escrow back over the tenders it came from; an empty escrow is closed."""
    targets, transfers = _over_the_tenders(escrow, refunded, escrow.account)
    return Movement(transfers=transfers, opening=_each_once(targets), closing=(escrow.account,) if refunded.whole == escrow.held else ())


def refund_settled(escrow: Escrow, refunded: Refund, drawn: Drawn) -> Movement:
    """Draw what goes back from whoever has it, and send it over the tenders it came from."""
    currency = escrow.held.currency
    sources = [
        (shop(escrow.shop_id, currency), drawn.balance),
        (deposit(escrow.shop_id, currency), drawn.deposit),
        (receivable(escrow.shop_id, currency), drawn.owed),
        (commission(currency), drawn.commission),
        (shortfall(currency), drawn.shortfall),
    ]
    drawing = account(drawing_account(refunded.id), currency, AccountCode.DRAWING)
    parts = [(source.id, amount) for source, amount in sources]
    drawn_in = DRAW.gather(step_id(refunded.id, "drw"), refunded.whole, target=drawing.id, parts=parts)
    targets, sent_out = _over_the_tenders(escrow, refunded, drawing.id)
    used = [source for source, amount in sources if amount]
    return Movement(transfers=drawn_in + sent_out, opening=_each_once([drawing, *used, *targets]), closing=(drawing.id,))


def _over_the_tenders(escrow: Escrow, refunded: Refund, source: AccountId) -> tuple[list[NewAccount], tuple[Transfer, ...]]:
    targets = [_target(escrow, piece.kind, piece.channel, escrow.held.currency) for piece in refunded.pieces]
    parts = [(target.id, piece.amount) for target, piece in zip(targets, refunded.pieces, strict=True)]
    return targets, REFUND.spread(step_id(refunded.id, "rfu"), refunded.whole, source=source, parts=parts)


def postage(id: str, shop_id: ShopId, person: PersonId, drawn: Drawn) -> Movement:
    """Pay a buyer from a shop's own money, or for it, what goods have cost them to send back."""
    whole = drawn.balance + drawn.deposit + drawn.owed
    currency = whole.currency
    sources = [
        (shop(shop_id, currency), drawn.balance),
        (deposit(shop_id, currency), drawn.deposit),
        (receivable(shop_id, currency), drawn.owed),
    ]
    target = wallet(person, currency)
    parts = [(source.id, amount) for source, amount in sources]
    moved = POSTAGE.gather(step_id(id, "pst"), whole, target=target.id, parts=parts)
    return Movement(transfers=moved, opening=_each_once([*(source for source, amount in sources if amount), target]))


def pay_off(shop_id: ShopId, amount: Money, cause: str) -> Movement:
    """Pay with a shop's money what it owes; `cause` is what has brought it the money."""
    source, target = shop(shop_id, amount.currency), receivable(shop_id, amount.currency)
    moved = PAY_OFF.move(step_id(cause, "pof"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def _target(escrow: Escrow, kind: TenderKind, channel_name: str, currency: str) -> NewAccount:
    if kind is TenderKind.WALLET:
        return wallet(escrow.payer, currency)
    if kind is TenderKind.CHANNEL:
        return returning(channel_name, currency)
    return promotions(currency) if kind is TenderKind.PROMOTION else difference(currency)


def pledge(id: str, shop_id: ShopId, amount: Money) -> Movement:
    """Set a part of what a shop has earned aside as its deposit."""
    source, target = shop(shop_id, amount.currency), deposit(shop_id, amount.currency)
    moved = PLEDGE.move(step_id(id, "plg"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def release_deposit(id: str, shop_id: ShopId, amount: Money) -> Movement:
    """Give a part of a shop's deposit back."""
    source, target = deposit(shop_id, amount.currency), shop(shop_id, amount.currency)
    moved = RELEASE_DEPOSIT.move(step_id(id, "rdp"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


# Payouts


def pay_out(payout: Payout) -> Movement:
    """Take what is paid out from its owner: it is on its way."""
    source, target = _of_owner(payout), _paying(payout)
    moved = PAY_OUT.move(step_id(payout.id, "pot"), payout.amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def paid_out(payout: Payout) -> Movement:
    """A channel has paid out what was on its way."""
    source, currency = _paying(payout), payout.amount.currency
    by_provider = payout.custody is Custody.PROVIDER
    target = held(payout.channel, currency) if by_provider else account(_paid_out_id(payout), currency, AccountCode.PAID_OUT)
    moved = PAID_OUT.move(step_id(payout.id, "pod"), payout.amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(target,))


def pay_back(payout: Payout) -> Movement:
    """It is not paid out: its owner has all of it back."""
    source, target = _paying(payout), _of_owner(payout)
    moved = PAY_BACK.move(step_id(payout.id, "pob"), payout.amount, source=source.id, target=target.id)
    return Movement(transfers=moved)


def _of_owner(payout: Payout) -> NewAccount:
    if payout.shop_id is not None:
        return shop(payout.shop_id, payout.amount.currency)
    of_whom = _unclaimed if payout.unclaimed else wallet
    return of_whom(PersonId(payout.owner), payout.amount.currency)


def _paying(payout: Payout) -> NewAccount:
    return account(paying_account(payout.channel, payout.amount.currency), payout.amount.currency, AccountCode.PAYING)


def _paid_out_id(payout: Payout) -> AccountId:
    return paid_out_account(payout.channel, payout.amount.currency)


# What goes back over a channel


def give_back(outgoing: Outgoing) -> Movement:
    """A channel has given back what was on its way."""
    currency = outgoing.amount.currency
    source, target = returning_account(outgoing.channel, currency), collected_by(outgoing, currency).id
    return Movement(transfers=RETURN.move(_id_of(outgoing, "bck"), outgoing.amount, source=source, target=target))


def owe(owed: Unclaimed) -> Movement:
    """A channel would not give it back: it is owed to whoever had paid."""
    target, source = _unclaimed(owed.payer, owed.amount.currency), returning_account(owed.channel, owed.amount.currency)
    moved = OWE.move(TransferId(sibling(owed.id, "owe")), owed.amount, source=source, target=target.id)
    return Movement(transfers=moved, opening=(target,))


def divert(owed: Unclaimed) -> Movement:
    """Whoever is owed it takes it into the wallet."""
    target, source = wallet(owed.payer, owed.amount.currency), unclaimed_account(owed.payer, owed.amount.currency)
    moved = DIVERT.move(TransferId(sibling(owed.id, "div")), owed.amount, source=source, target=target.id)
    return Movement(transfers=moved, opening=(target,))


def _unclaimed(person: PersonId, currency: str) -> NewAccount:
    return account(unclaimed_account(person, currency), currency, AccountCode.UNCLAIMED)


def _id_of(outgoing: Outgoing, step: str) -> TransferId:
    """Requests for pieces of refunds and for whole charges may share their digits: the kind of request is a part of the id."""
    kind, _, digits = outgoing.id.partition("_")
    return TransferId(f"{step}_{kind}{digits}")


def set_aside(promotion_id: str, amount: Money) -> Movement:
    """Set aside for discounts a part of what the marketplace has earned."""
    source, target = commission(amount.currency), promotions(amount.currency)
    moved = SET_ASIDE.move(step_id(promotion_id, "sas"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def cover(id: str, amount: Money) -> Movement:
    """Make up, from what the marketplace has earned since, for commission that it gave back and no longer had."""
    source, target = commission(amount.currency), shortfall(amount.currency)
    moved = COVER.move(step_id(id, "cov"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))


def book_difference(payment_id: PaymentId, channel_name: str, amount: Money) -> Movement:
    """Book what a channel collected beyond what a payment's orders cost."""
    source, target = channel(channel_name, amount.currency), difference(amount.currency)
    moved = DIFFERENCE.move(step_id(payment_id, "ovr"), amount, source=source.id, target=target.id)
    return Movement(transfers=moved, opening=(source, target))
