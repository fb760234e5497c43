"""What must be true of money: who has it, by the documents and the facts, is who has it in the ledger; and no further than the channel.

These are the laws of everything that the ledger has outside of escrows and clearing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from yunduan.backends.sandbox import Sandbox
from yunduan.domains.payments.drawing import deposit_account, receivable_account, shortfall_account
from yunduan.domains.payments.errands import OutgoingKind, OutgoingState
from yunduan.domains.payments.model import (
    Charge,
    Chargeback,
    ChargebackState,
    ChargeState,
    Payment,
    PaymentState,
    PieceState,
    RefundPiece,
    TenderKind,
    channel_account,
    charged_account,
    commission_account,
    fees_account,
    losses_account,
    return_id,
    returning_account,
    shop_account,
    wallet_account,
)
from yunduan.domains.payments.payees import PayoutState, paid_out_account, paying_account
from yunduan.domains.payments.unclaimed import UnclaimedState, unclaimed_account
from yunduan.kernel.ids import PersonId
from yunduan.kernel.money import split
from yunduan.testing.checkers import claim
from yunduan.testing.trade.founding import APPROVED_ABOVE, HOLDS_MS, market
from yunduan.testing.trade.papers import Law, Papers

APPROVERS = 2
_LEFT = (PayoutState.AWAITED, PayoutState.SENT, PayoutState.PAID)
_COLLECTED = frozenset(ChargeState) - {ChargeState.PENDING, ChargeState.ENDED}


def _same(what: str, there: int, wanted: int) -> None:
    claim(there == wanted, f"{what}: {there} in the books, {wanted} by the documents")


def compare_earnings(papers: Papers) -> None:
    """The shop and the marketplace have what is left of what was settled, less what they have had, and the fees of what was lost."""
    laws, shop = papers.laws, market().shop.id
    earned = kept = 0
    for order_id, settled in laws.settled.items():
        whole, left = settled.to_shop + settled.commission, papers.escrows[order_id].left.amount
        commission = (2 * settled.commission * left + whole) // (2 * whole) if whole else 0
        earned += left - commission
        kept += commission
    for one in papers.chargebacks.values():
        if one.state is ChargebackState.LOST:
            earned -= sum(_fees(one)[:-1])
    earned += laws.postage.get(shop, 0)
    earned -= sum(payout.amount.amount for payout in papers.payouts.values() if payout.owner == shop and payout.state in _LEFT)
    accounts = (shop_account(shop, "CNY"), deposit_account(shop, "CNY"), receivable_account(shop, "CNY"))
    balance, deposit, owed = (papers.balance(account) for account in accounts)
    _same(f"what {shop} has", balance + deposit + owed, earned)
    claim(balance >= 0 and deposit >= 0 >= owed, f"{shop} has {balance}, pledged {deposit} and owes {owed}")
    _same("what the marketplace has", papers.balance(commission_account("CNY")) + papers.balance(shortfall_account("CNY")), kept)


def _fees(one: Chargeback) -> list[int]:
    """What of a chargeback's fee each order's shop pays, and last the marketplace."""
    weights = [share.amount.amount for share in one.shares]
    return [part.amount for part in split(one.fee, [*weights, one.amount.amount - sum(weights)])]


def compare_chargebacks(papers: Papers) -> None:
    """Each is borne to the last cent; what is not decided, or lost, is missing, and its fee with it."""
    fees = losses = charged = 0
    contested: Counter[str] = Counter()
    for one in papers.chargebacks.values():
        borne_by = sum(share.amount.amount for share in one.shares) + one.of_wallet.amount + one.borne.amount
        claim(borne_by == one.amount.amount, f"{one.id} took {one.amount.amount}, and {borne_by} of people")
        if one.state is ChargebackState.WON:
            continue
        charged += one.fee.amount
        losses += one.borne.amount - one.offset.amount
        fees += _fees(one)[-1] if one.is_decided else one.fee.amount
        if not one.is_decided:
            contested.update({share.order_id: share.amount.amount for share in one.shares})
    for escrow in papers.escrows.values():
        wanted = contested[escrow.order_id]
        claim(escrow.contested == wanted, f"{wanted} of {escrow.order_id} is contested, its escrow says {escrow.contested}")
        taken = papers.orders[escrow.order_id].progress.taken
        claim(taken == wanted, f"{wanted} of {escrow.order_id} is contested, the order says {taken}")
    _same("fees", -papers.balance(fees_account("CNY")), fees)
    _same("losses", -papers.balance(losses_account("CNY")), losses)
    _same("what the channel has charged", papers.balance(charged_account("sandbox", "CNY")), charged)


def compare_payouts(papers: Papers) -> None:
    """Each was begun and ended as was told, and what is much was agreed to by two others."""
    laws = papers.laws
    claim(
        papers.payouts.keys() == laws.begun.keys(),
        f"payouts that were not told, or are not there: {papers.payouts.keys() ^ laws.begun.keys()}",
    )
    on_the_way = gone = 0
    for id, payout in papers.payouts.items():
        ended = laws.ended.get(id)
        claim(ended == (None if payout.is_open else payout.state), f"{id} is {payout.state}, and was told to have ended {ended}")
        claim(payout.amount == laws.begun[id].amount and payout.owner == laws.begun[id].owner, f"{id} is another than was told")
        on_the_way += payout.amount.amount if payout.is_open else 0
        gone += payout.amount.amount if payout.state is PayoutState.PAID else 0
        if payout.amount.amount > APPROVED_ABOVE and payout.state in (PayoutState.SENT, PayoutState.PAID, PayoutState.RETURNED):
            agreed = set(payout.approvals) - {payout.asked_by, payout.person}
            claim(len(agreed) >= APPROVERS, f"{id} of {payout.amount.amount} went with the word of {agreed} alone")
    _same("what is on its way out", papers.balance(paying_account("sandbox", "CNY")), on_the_way)
    _same("what was paid out", papers.balance(paid_out_account("sandbox", "CNY")), gone)


def compare_people(papers: Papers) -> None:
    """What each has in the wallet, and what waits for them."""
    wallets: Counter[str] = Counter({person: amount for person, amount in papers.laws.postage.items() if person.startswith("per_")})
    waits: Counter[str] = Counter()
    for payment in papers.payments.values():
        wallets[payment.payer] += _of_payment(payment)
    for refund in papers.refunds.values():
        wallets[refund.payer] += sum(one.amount.amount for one in refund.pieces if one.kind is TenderKind.WALLET)
    for payout in papers.payouts.values():
        if payout.state in _LEFT and not payout.unclaimed:
            wallets[payout.owner] -= payout.amount.amount
    for one in papers.chargebacks.values():
        wallets[one.payer] += one.offset.amount if one.state is ChargebackState.WON else -one.of_wallet.amount
    for owed in papers.unclaimed.values():
        waits[owed.payer] += owed.amount.amount if owed.state is UnclaimedState.WAITING else 0
        wallets[owed.payer] += owed.amount.amount if owed.state is UnclaimedState.TAKEN else 0
    for whose in {*wallets, *waits}:
        if whose.startswith("per_"):
            person = PersonId(whose)
            _same(f"the wallet of {person}", papers.balance(wallet_account(person, "CNY")), wallets[person])
            _same(f"what waits for {person}", papers.balance(unclaimed_account(person, "CNY")), waits[person])


def _of_payment(payment: Payment) -> int:
    """What a payment has brought into its payer's wallet, or taken out of it for good."""
    if payment.state is not PaymentState.CAPTURED:
        return 0
    if payment.checkout_id is None:
        return payment.total.amount
    return -sum(tender.amount.amount for tender in payment.tenders if tender.kind is TenderKind.WALLET)


def compare_waits(papers: Papers) -> None:
    """What was called off unpaid had been waited for as long as the slowest of its methods takes, unless that had failed."""
    for payment in papers.payments.values():
        if payment.state in (PaymentState.EXPIRED, PaymentState.CAPTURED):
            until = payment.started_at + max((HOLDS_MS[one.method] for one in payment.tenders if one.channel), default=0)
            for part in payment.parts:
                at = papers.laws.lapsed.get(part.order_id, until)
                claim(at >= until, f"{part.order_id} was called off {until - at} ms before its payment was due")


# The channel's side


def lines_of(sandbox: Sandbox) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """What it has collected by each reference, and given back, paid out or taken by each request."""
    lines = sandbox.statement("CNY")
    collected = {line.reference: line.amount.amount for line in lines if not line.request}
    return collected, {line.request: line.amount.amount for line in lines if line.request}


def compare_with_channel(papers: Papers) -> None:
    """We never believe what the channel has not done."""
    collected, given = papers.statement
    for reference, amount in _believed_collected(papers).items():
        says = collected.get(reference)
        claim(says == amount, f"{reference} of {amount} is taken for collected, the channel says {says}")
    for request, amount in _believed_given(papers).items():
        claim(given.get(request) == amount, f"{request} of {amount} is taken for done, the channel says {given.get(request)}")


MONEY: tuple[Law, ...] = (compare_earnings, compare_chargebacks, compare_payouts, compare_people, compare_waits, compare_with_channel)


def _believed_collected(papers: Papers) -> dict[str, int]:
    charges = [charge for payment in papers.payments.values() for charge in payment.charges]
    return {charge.reference: charge.amount.amount for charge in charges if charge.state in _COLLECTED}


def _believed_given(papers: Papers) -> dict[str, int]:
    """By each request; but not what the channel did not give back because the payer's bank had taken it already."""
    believed = {payout.id: payout.amount.amount for payout in papers.payouts.values() if payout.state is PayoutState.PAID}
    from_bank: Counter[str] = Counter()
    for request, back, is_done in _gone_back(papers):
        from_bank[back.reference] += back.from_bank
        if is_done and not back.from_bank:
            believed[request] = back.amount.amount
    offset: Counter[str] = Counter()
    for one in papers.chargebacks.values():
        offset[one.reference] += one.offset.amount
    claim(+from_bank == +offset, f"had from the bank: {+from_bank} by what went back, {+offset} by what was charged back")
    return believed


def _gone_back(papers: Papers) -> Iterable[tuple[str, RefundPiece | Charge, bool]]:
    """Whatever was to go back over the channel, by the request that it is asked for by, and whether it has."""
    for refund in papers.refunds.values():
        for piece in refund.pieces:
            if piece.kind is TenderKind.CHANNEL:
                yield piece.request, piece, piece.state is PieceState.DONE
    for payment in papers.payments.values():
        for charge in payment.charges:
            yield return_id(charge.reference), charge, charge.state is ChargeState.RETURNED


def reconcile(papers: Papers, sandbox: Sandbox) -> None:
    """At rest: whatever the channel has collected, given back, paid out and taken is what we say, each once; nothing is on its way."""
    collected, given = lines_of(sandbox)
    taken = {event.chargeback: event for event in sandbox.chargebacks()}
    believed = _believed_collected(papers)
    claim(believed == collected, f"collected and not known, or known otherwise: {dict(collected.items() ^ believed.items())}")
    ours = _believed_given(papers)
    for one in papers.chargebacks.values():
        if one.state is not ChargebackState.WON:
            ours[one.name] = one.amount.amount
            if one.fee.amount:
                ours[f"{one.name}.fee"] = one.fee.amount
    claim(ours == given, f"given back, paid out or taken, and not known, or known otherwise: {dict(given.items() ^ ours.items())}")
    _same("what is on its way back", papers.balance(returning_account("sandbox", "CNY")), 0)
    paid_out, charged = papers.balance(paid_out_account("sandbox", "CNY")), papers.balance(charged_account("sandbox", "CNY"))
    has = -papers.balance(channel_account("sandbox", "CNY")) - paid_out - charged
    _same("what the channel has", has, sum(collected.values()) - sum(given.values()))
    decided = {name: event.outcome for name, event in taken.items()}
    states = {one.name: f"chargeback_{one.state.value}" for one in papers.chargebacks.values()}
    claim(decided == states, f"chargebacks decided otherwise than we know: {decided.items() ^ states.items()}")
    _see_errands(papers, sandbox)


def _see_errands(papers: Papers, sandbox: Sandbox) -> None:
    """Each payout has been carried out or come back, and whatever was said against a chargeback in time the channel has, once."""
    sent = [id for id, payout in papers.payouts.items() if payout.state is PayoutState.SENT]
    claim(not sent, f"payouts that are sent for ever: {sent}")
    waiting = [errand.id for errand in papers.errands.values() if errand.state in (OutgoingState.WAITING, OutgoingState.ASKED)]
    claim(not waiting, f"errands that nobody runs: {waiting}")
    for one in papers.chargebacks.values():
        states = [errand.state for errand in papers.errands.values() if (errand.kind, errand.cause) == (OutgoingKind.CONTEST, one.id)]
        claim(len(states) == one.statements, f"{one.statements} were said against {one.id}, {len(states)} were to be taken to the channel")
        there = len(sandbox.evidence(one.name))
        claim(there == states.count(OutgoingState.DONE), f"{one.id} was contested {states}, the channel has heard {there}")
