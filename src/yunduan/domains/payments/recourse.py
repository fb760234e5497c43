"""Refunds of orders that have been settled: what the shop gives back, and what it comes to owe when it cannot (追偿)."""

from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS, PostTransfers
from yunduan.domains.ledger.queries import AccountOf, StatementOf
from yunduan.domains.payments import drawing, model, postings
from yunduan.domains.payments.asking_back import ask_back
from yunduan.domains.payments.drawing import Standing
from yunduan.domains.payments.facts import ClaimPaidOff, EscrowRefunded, EscrowSettled, PostagePaid, SettledRefunded
from yunduan.domains.payments.model import Custody, Drawn, Escrow, EscrowState, PaymentRefusal, Refund, Settlement, Split, SplitState
from yunduan.domains.payments.returning import asked_before, open_purse, send_off, tell_if_finished
from yunduan.domains.payments.store import ESCROWS, PURSES, SPLITS
from yunduan.domains.payments.unsplit import is_underway, refund_unsplit
from yunduan.kernel.ids import AccountId, OrderId, PersonId, RefundId, ShopId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx


class RefundSettled(
    Command[Refund],
    refuses={
        PaymentRefusal.ESCROW_NOT_FOUND,
        PaymentRefusal.ESCROW_NOT_SETTLED,
        PaymentRefusal.BEING_SPLIT,
        PaymentRefusal.CHARGED_BACK,
        PaymentRefusal.EXCEEDS_CAPTURED,
        PaymentRefusal.AMOUNT_OUT_OF_RANGE,
        PaymentRefusal.REFUND_EXISTS,
        *POSTING_REFUSALS,
    },
):
    """Give a buyer money of an order back whose shop has been paid, over the tenders it came from.

    The marketplace gives its commission on it, the shop the rest: from its balance, then from its deposit, and what neither covers it
    owes. So the buyer has it whatever the shop has left. Before, `RefundEscrow` gives it back. The same refund asked again is the same
    refund. It has no route: whoever sends it answers for the sum.
    """

    refund_id: RefundId
    order_id: OrderId
    amount: Money


@handles(RefundSettled)
def refund_settled(tx: Tx, ask: RefundSettled) -> Refund:
    """All refunds of an order, before its settlement and after, come to no more than was paid: the tenders say what is left of each."""
    before = asked_before(tx, ask.refund_id, ask.order_id, ask.amount)
    if before is not None:
        return before
    escrow = tx.get(ESCROWS, ask.order_id)
    if escrow is None:
        raise Refused(PaymentRefusal.ESCROW_NOT_FOUND)
    if escrow.state is not EscrowState.SPLITTING:
        drawing.check_settled(escrow)
    model.check_not_contested(escrow)
    if escrow.state is EscrowState.SPLITTING:
        refunded = (refund_unsplit if ask.amount else _refund_promotion)(tx, escrow, ask.refund_id, ask.amount)
        finish(tx, tx.get(ESCROWS, ask.order_id) or escrow)
        return refunded
    refunded = model.divided(escrow, ask.refund_id, ask.amount, beyond=PaymentRefusal.EXCEEDS_CAPTURED)
    after = model.after_refund(escrow, refunded)
    currency = ask.amount.currency
    here = replace(refunded, pieces=tuple([piece for piece in refunded.pieces if piece.custody is Custody.PLATFORM]))
    drawn = drawing.draw(
        here.whole,
        commission=commission_here(tx, escrow, after),
        earned=available(tx, model.commission_account(currency), currency),
        standing=standing(tx, escrow.shop_id, currency),
    )
    refunded = replace(refunded, at=tx.now, drawn=drawn)
    if here.whole:
        tx.send(postings.refund_settled(escrow, here, drawn))
    tx.put(ESCROWS, escrow.order_id, after)
    if drawn.owed:
        owes(tx, escrow.shop_id, currency, is_owing=True)
    send_off(tx, refunded, is_split={piece.reference for piece in refunded.pieces if piece.custody is Custody.PROVIDER})
    ask_back(tx, escrow, after, refunded)
    tx.tell(SettledRefunded(refund_id=refunded.id, order_id=escrow.order_id, shop_id=escrow.shop_id, amount=refunded.amount, drawn=drawn))
    tell_if_finished(tx, refunded)
    return refunded


class SplitUnderway(Query[bool]):
    """Whether nothing of an order can be given back before providers have answered; no route has it."""

    order_id: OrderId


@answers(SplitUnderway)
def split_underway(at: Asking, ask: SplitUnderway) -> bool:
    """Not for one that was never paid for."""
    escrow = at.get(ESCROWS, ask.order_id)
    return escrow is not None and is_underway(at, escrow)


def _refund_promotion(tx: Tx, escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """What the marketplace gave for an order that nobody pays for any more leaves the escrow; what is to be split stays so."""
    refunded = replace(model.divided(escrow, refund_id, amount, beyond=PaymentRefusal.EXCEEDS_CAPTURED), at=tx.now)
    tx.send(postings.refund(escrow, refunded))
    left = model.after_refund(replace(escrow, state=EscrowState.SETTLED), refunded)
    commission = (escrow.commission or amount) - commission_here(tx, escrow, left)
    after = replace(left, state=EscrowState.SPLITTING, held=escrow.held - refunded.whole, commission=commission)
    tx.put(ESCROWS, escrow.order_id, after)
    send_off(tx, refunded)
    tx.tell(EscrowRefunded(refund_id=refunded.id, order_id=escrow.order_id, amount=refunded.amount, left=after.held))
    tell_if_finished(tx, refunded)
    return refunded


def commission_between(tx: Tx, before: Escrow, after: Escrow) -> Money:
    """What of its commission belongs to the difference of two states of a settled order, each keeper's part by itself."""
    sums = [commission_here(tx, before, after)]
    for place, _ in model.kept_by_providers(before):
        split = tx.get(SPLITS, model.split_id(before.order_id, place))
        if split is not None:
            lefts = before.left_of(place), after.left_of(place)
            sums.append(drawing.commission_back(split.to_marketplace, settled=split.whole, before=lefts[0], after=lefts[1]))
    return model.total(before.held.currency, sums)


def commission_here(tx: Tx, before: Escrow, after: Escrow) -> Money:
    """The same of what no provider keeps: how much the marketplace took of that, the book says."""
    currency = before.held.currency
    if before.left_here == after.left_here:
        return Money(amount=0, currency=currency)
    commission, whole = _splitting_here(tx, before) if before.state is EscrowState.SPLITTING else _settled_here(tx, before)
    return drawing.commission_back(commission, settled=whole, before=before.left_here, after=after.left_here)


def _settled_here(tx: Tx, escrow: Escrow) -> tuple[Money, Money]:
    """The commission, and all that was settled of what no provider kept."""
    currency = escrow.held.currency
    last = tx.ask(StatementOf(account_id=escrow.account, limit=2)).items
    settled = {line.other_id: line.amount for line in last if line.code == postings.SETTLE.code}
    invariant(bool(settled), "a settled escrow ends with its settlement")
    return settled.get(model.commission_account(currency), Money(amount=0, currency=currency)), model.total(
        currency, list(settled.values())
    )


def _splitting_here(tx: Tx, escrow: Escrow) -> tuple[Money, Money]:
    """The same while providers have yet to answer: what is theirs to split is not."""
    currency = escrow.held.currency
    splits = [split for split in splits_of_order(tx, escrow) if split.state is not SplitState.VOID]
    theirs = [split.whole for split in splits if split.state is not SplitState.DONE]
    commission = escrow.commission or Money(amount=0, currency=currency)
    ours = commission - model.total(currency, [split.to_marketplace for split in splits])
    return ours, escrow.held - model.total(currency, theirs)


def splits_of_order(tx: Tx, escrow: Escrow) -> list[Split]:
    """Every split of an order that was settled, or is about to be."""
    found = [tx.get(SPLITS, model.split_id(escrow.order_id, place)) for place, _ in model.kept_by_providers(escrow)]
    return [split for split in found if split is not None]


def finish(tx: Tx, escrow: Escrow) -> None:
    """Once no provider has anything to split any more, settle what the marketplace keeps, tell of the whole, and close the escrow."""
    splits = splits_of_order(tx, escrow)
    if escrow.state is not EscrowState.SPLITTING or any(split.state not in (SplitState.DONE, SplitState.VOID) for split in splits):
        return
    currency, done = escrow.held.currency, [split for split in splits if split.state is SplitState.DONE]
    commission = escrow.commission or zero(currency)
    ours = commission - model.total(currency, [split.to_marketplace for split in done])
    rest = Settlement(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=escrow.held - ours, commission=ours)
    if escrow.held:
        tx.send(postings.settle(escrow, rest))
        credited(tx, escrow.shop_id, currency, escrow.order_id)
    else:
        tx.send(PostTransfers(transfers=(), closing=(escrow.account,)))
    tx.put(ESCROWS, escrow.order_id, replace(escrow, state=EscrowState.SETTLED, held=zero(currency), commission=None))
    to_shop = rest.to_shop + model.total(currency, [split.to_shop for split in done])
    tx.tell(EscrowSettled(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=to_shop, commission=commission))


class PayPostage(Command[Drawn], refuses={PaymentRefusal.AMOUNT_OUT_OF_RANGE, *POSTING_REFUSALS}):
    """Pay a buyer what the way back of goods has cost them: from the shop's balance, its deposit, or a claim against it.

    It is the shop's own money and no refund: nothing that was captured for the order has a part in it, and neither has the commission. So
    it adds up whatever goes back of the order, before or after. It comes into the wallet of whoever asked for it; once under an id. It has
    no route: whoever sends it answers for the sum.
    """

    id: str
    order_id: OrderId
    shop_id: ShopId
    person: PersonId
    amount: Money


@handles(PayPostage)
def pay_postage(tx: Tx, ask: PayPostage) -> Drawn:
    """The same transfer under the same id is refused by the ledger."""
    if not ask.amount:
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, "postage of nothing")
    currency = ask.amount.currency
    nothing = Money(amount=0, currency=currency)
    drawn = drawing.draw(ask.amount, commission=nothing, earned=nothing, standing=standing(tx, ask.shop_id, currency))
    tx.send(postings.postage(ask.id, ask.shop_id, ask.person, drawn))
    open_purse(tx, ask.person, model.wallet_account(ask.person, currency), currency)
    if drawn.owed:
        owes(tx, ask.shop_id, currency, is_owing=True)
    tx.tell(PostagePaid(order_id=ask.order_id, shop_id=ask.shop_id, person=ask.person, amount=ask.amount, owed=drawn.owed))
    return drawn


# What a shop has, and what it owes


def available(at: Asking, id: AccountId, currency: str) -> Money:
    """What may leave an account that is limited to one side of zero; nothing of one that there is not."""
    account = at.ask(AccountOf(id=id))
    return account.available() if account else Money(amount=0, currency=currency)


def standing(at: Asking, shop: ShopId, currency: str) -> Standing:
    """What a shop has and owes now."""
    return Standing(
        available=available(at, model.shop_account(shop, currency), currency),
        deposit=available(at, drawing.deposit_account(shop, currency), currency),
        owed=available(at, drawing.receivable_account(shop, currency), currency),
    )


def owes(tx: Tx, shop: ShopId, currency: str, *, is_owing: bool) -> None:
    """Remember beside a shop's balance whether it owes anything, so that a settlement need not look for it."""
    purse = open_purse(tx, shop, model.shop_account(shop, currency), currency)
    if purse.owes != is_owing:
        tx.put(PURSES, (shop, currency), replace(purse, owes=is_owing))


def credited(tx: Tx, shop: ShopId, currency: str, cause: str) -> None:
    """Whatever comes into a shop's balance pays first what the shop owes; `cause` is what has brought it, once."""
    purse = open_purse(tx, shop, model.shop_account(shop, currency), currency)
    if not purse.owes:
        return
    now = standing(tx, shop, currency)
    paid = drawing.least(now.available, now.owed)
    if paid:
        tx.send(postings.pay_off(shop, paid, cause))
        tx.tell(ClaimPaidOff(shop_id=shop, amount=paid, left=now.owed - paid, cause=cause))
    if paid == now.owed:
        owes(tx, shop, currency, is_owing=False)


def make_up(tx: Tx, currency: str) -> None:
    """What the marketplace has earned makes up first for commission that it gave back and no longer had."""
    missing = available(tx, drawing.shortfall_account(currency), currency)
    if missing:
        made_up = drawing.least(missing, available(tx, model.commission_account(currency), currency))
        if made_up:
            tx.send(postings.cover(tx.id("cov"), made_up))
