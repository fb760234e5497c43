"""Laws of the decisions and the posting templates of payments, whatever the sums."""

import math
import re
from collections import defaultdict
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.payments import BUYER, SECOND_SHOP, SHOP, by_channel, by_difference, by_wallet, checkout, cny, order, payment_of, refund_id
from yunduan.domains.ledger.model import Kind, Transfer
from yunduan.domains.payments import drawing, model, payees, postings, unclaimed
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import (
    Charge,
    ChargeState,
    Escrow,
    EscrowState,
    PartOfPayment,
    Payment,
    PaymentKind,
    PaymentRefusal,
    PaymentState,
    Settlement,
    Tender,
    TenderKind,
)
from yunduan.domains.payments.payees import Payout, PayoutState
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.money import split
from yunduan.kernel.refusals import Refused


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    """A payment of one to six orders by one to five tenders that add up; the marketplace may pay a part of any of them."""
    amounts = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=6).filter(any))
    whole = sum(amounts)
    kinds = draw(st.sampled_from(["w", "c", "wc", "cd", "wcd", "ccd", "wccd", "cc", "wd", "d"]))
    shares = [share.amount for share in split(cny(whole), [draw(st.integers(1, 1000)) for _ in kinds])]
    made = {"w": by_wallet, "c": by_channel, "d": by_difference}
    tenders = tuple(made[kind](share) for kind, share in zip(kinds, shares, strict=True) if share)
    id = payment_of(1)
    promoted = draw(st.one_of(st.just([0] * 6), st.lists(st.integers(0, 10**9), min_size=6, max_size=6)))
    parts = tuple(
        PartOfPayment(
            order_id=order(n),
            shop_id=SHOP if n % 2 else SECOND_SHOP,
            amount=cny(amount),
            promoted=cny(promoted[n]) if promoted[n] else None,
        )
        for n, amount in enumerate(amounts)
    )
    return Payment(
        id=id,
        kind=PaymentKind.PURCHASE,
        state=PaymentState.PENDING,
        payer=BUYER,
        currency="CNY",
        checkout_id=checkout(1),
        parts=parts,
        tenders=tenders,
        charges=model.charges_of(id, tenders),
        due=2_000,
        started_at=1_000,
    )


def escrows(payment: Payment) -> list[Escrow]:
    """What capturing a payment leaves."""
    return [
        Escrow(
            order_id=part.order_id,
            shop_id=part.shop_id,
            payment_id=payment.id,
            payer=payment.payer,
            state=EscrowState.HELD,
            held=part.whole,
            funding=funding,
        )
        for part, funding in zip(payment.parts, model.fund(payment), strict=True)
    ]


class Book:
    """Balances by account, credits less debits, as the ledger would have them; every law of a posting is checked on the way."""

    def __init__(self) -> None:
        """Nothing posted."""
        self.balances: dict[str, int] = defaultdict(int)
        self.held: dict[str, Transfer] = {}
        self.ids: set[str] = set()
        self.opened: set[str] = set()

    def post(self, movement: postings.Movement) -> None:
        """Post a movement."""
        self.opened |= {account.id for account in movement.opening}
        for transfer in movement.transfers:
            assert transfer.amount.amount > 0
            assert transfer.amount.currency == "CNY"
            assert transfer.id not in self.ids
            assert re.fullmatch("[a-z]{3}_[0-9a-z]{1,40}", transfer.id)
            assert {transfer.debit, transfer.credit} <= self.opened
            self.ids.add(transfer.id)
            if transfer.kind is Kind.PENDING:
                self.held[transfer.id] = transfer
                continue
            if transfer.pending is not None:
                held = self.held.pop(transfer.pending)
                assert (held.debit, held.credit, held.amount) == (transfer.debit, transfer.credit, transfer.amount)
            if transfer.kind is not Kind.VOID:
                self.balances[transfer.debit] -= transfer.amount.amount
                self.balances[transfer.credit] += transfer.amount.amount
        for account in movement.closing:
            assert account in self.opened
            assert self.balances[account] == 0
            assert not any(account in (held.debit, held.credit) for held in self.held.values())
        assert sum(self.balances.values()) == 0

    def give(self, source: str, target: str, amount: int) -> None:
        """Move what other stories have moved: back, when it is below zero."""
        self.balances[source] -= amount
        self.balances[target] += amount


def captured(payment: Payment, book: Book) -> Payment:
    """Post everything that paying takes."""
    if not payment.meets_in_clearing:
        book.post(postings.fund_at_once(payment, model.fund(payment)))
        return replace(payment, state=PaymentState.CAPTURED)
    begun(payment, book)
    for charge in payment.charges:
        book.post(postings.collect(payment, charge))
    book.post(postings.fund_from_clearing(payment))
    return replace(payment, state=PaymentState.CAPTURED)


def begun(payment: Payment, book: Book) -> None:
    """Post what is set aside while the channels have yet to speak."""
    for tender in payment.tenders:
        if tender.kind is TenderKind.WALLET:
            book.post(postings.hold(payment, tender.amount))
    if payment.promoted is not None:
        book.post(postings.promote(payment, payment.promoted))


def given_by(payment: Payment) -> dict[str, int]:
    """What each source has given, by account."""
    given: dict[str, int] = defaultdict(int)
    for tender in payment.tenders:
        if tender.kind is TenderKind.WALLET:
            given[model.wallet_account(BUYER, "CNY")] += tender.amount.amount
        elif tender.kind is TenderKind.CHANNEL:
            given[model.channel_account(tender.channel, "CNY")] += tender.amount.amount
        else:
            given[model.difference_account("CNY")] += tender.amount.amount
    if payment.promoted is not None:
        given[model.promotions_account("CNY")] += payment.promoted.amount
    return given


@given(payment=payments())
def test_the_tenders_pay_every_order_to_the_last_unit(payment: Payment) -> None:
    """The shares of each order are its cost, those of each tender are the tender, the marketplace's its own; none is nothing."""
    shares = model.fund(payment)
    assert [sum(funding.amount.amount for funding in of_one) for of_one in shares] == [part.whole.amount for part in payment.parts]
    promoted = [[one.amount for one in of_one if one.kind is TenderKind.PROMOTION] for of_one in shares]
    assert promoted == [[part.promoted] if part.promoted else [] for part in payment.parts]
    by_tender: dict[tuple[str, str], int] = defaultdict(int)
    for of_one in shares:
        for funding in of_one:
            assert funding.amount.amount > 0
            if funding.kind is not TenderKind.PROMOTION:
                by_tender[funding.kind, funding.reference] += funding.amount.amount
    charges = iter(payment.charges)
    expected = {
        (tender.kind, next(charges).reference if tender.kind is TenderKind.CHANNEL else ""): tender.amount.amount
        for tender in payment.tenders
    }
    assert by_tender == expected


@given(payment=payments())
def test_paying_moves_the_tenders_into_the_escrows(payment: Payment) -> None:
    """The clearing account is back at zero, nothing is held any more, each source gave what its tender says."""
    book = Book()
    captured(payment, book)
    for part in payment.parts:
        assert book.balances[model.escrow_account(part.order_id)] == part.whole.amount
    assert book.balances[model.clearing_account(payment.id)] == 0
    assert not book.held
    assert {account: -amount for account, amount in given_by(payment).items()} == {
        account: book.balances[account] for account in given_by(payment)
    }


@given(payment=payments(), count=st.integers(0, 3), fell=st.booleans())
def test_giving_up_a_payment_leaves_the_clearing_account_empty(payment: Payment, count: int, fell: bool) -> None:
    """Whatever had been collected is on its way back, and when it has arrived nobody has lost or gained anything."""
    if not payment.meets_in_clearing:
        return
    book = Book()
    begun(payment, book)
    holds = bool(book.held)
    for charge in payment.charges[: min(count, len(payment.charges) - 1)]:
        book.post(postings.collect(payment, charge))
        payment = payment.with_charge(replace(charge, state=ChargeState.CAPTURED))
    if fell and holds:
        book.held.clear()
    book.post(postings.release(payment, holds=holds and not fell))
    assert not book.held
    assert book.balances[model.clearing_account(payment.id)] == 0
    for charge in payment.charges:
        if charge.state is not ChargeState.CAPTURED:
            book.post(postings.collect_late(payment, charge))
        book.post(postings.give_back(returning(charge)))
    assert not any(book.balances.values())


def returning(charge: Charge) -> Outgoing:
    """The request that sends a whole charge back."""
    return Outgoing(
        id=model.return_id(charge.reference),
        kind=OutgoingKind.REFUND,
        state=OutgoingState.ASKED,
        channel=charge.channel,
        reference=charge.reference,
        amount=charge.amount,
        cause=payment_of(1),
    )


@given(payment=payments(), cuts=st.lists(st.integers(1, 10**9), max_size=8), fee=st.integers(0, 10**6), refused=st.booleans())
def test_refunds_and_settlement_divide_exactly_what_was_paid(payment: Payment, cuts: list[int], fee: int, refused: bool) -> None:
    """No tender gets back more than it gave, the returning account ends at zero, and the escrow is emptied to the last unit.

    What the marketplace paid for a discount goes back to it and to nobody else, as large a part of it as the tenders have of theirs.
    """
    book = Book()
    payment = captured(payment, book)
    escrow = escrows(payment)[0]
    asked: list[Outgoing] = []
    paid = escrow.held.amount - promoted_in(escrow)
    before = dict(book.balances)
    for number, cut in enumerate(cuts):
        left = escrow.held.amount - promoted_in(escrow)
        amount = min(cut, left)
        if not amount:
            break
        refunded = model.refund(escrow, refund_id(number), cny(amount))
        assert refunded.amount == cny(amount)
        assert sum(piece.amount.amount for piece in refunded.pieces if piece.kind is not TenderKind.PROMOTION) == amount
        assert sum(piece.amount.amount for piece in refunded.pieces) == refunded.whole.amount
        assert all(piece.amount for piece in refunded.pieces)
        book.post(postings.refund(escrow, refunded))
        escrow = model.after_refund(escrow, refunded)
        assert all(funding.left >= 0 for funding in escrow.funding)
        assert book.balances[escrow.account] == escrow.held.amount
        funded = sum(one.amount.amount for one in escrow.funding if one.kind is TenderKind.PROMOTION)
        assert promoted_in(escrow) == round_half_up(funded * (left - amount), paid)
        back = book.balances[model.promotions_account("CNY")] - before.get(model.promotions_account("CNY"), 0)
        assert back == funded - promoted_in(escrow)
        asked += [
            Outgoing(
                id=piece.request,
                kind=OutgoingKind.REFUND,
                state=OutgoingState.ASKED,
                channel=piece.channel,
                reference=piece.reference,
                amount=piece.amount,
                cause=refunded.id,
            )
            for piece in refunded.pieces
            if piece.kind is TenderKind.CHANNEL
        ]
    for outgoing in asked:
        if refused:
            found = unclaimed.owed(outgoing, BUYER, outgoing.amount, order_id=escrow.order_id, now=0)
            book.post(postings.owe(found))
            book.post(postings.divert(found))
        else:
            book.post(postings.give_back(outgoing))
    assert book.balances.get(unclaimed.unclaimed_account(BUYER, "CNY"), 0) == 0
    assert book.balances[model.returning_account("sandbox", "CNY")] == 0
    if escrow.held:
        settlement = model.settle(escrow, cny(min(fee, escrow.held.amount)))
        assert settlement.to_shop + settlement.commission == escrow.held
        book.post(postings.settle(escrow, settlement))
    assert book.balances[escrow.account] == 0


@given(
    payment=payments(),
    before=st.integers(0, 10**9),
    cuts=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
    fee=st.integers(0, 10**9),
    taken=st.integers(0, 10**9),
    spent=st.integers(0, 10**9),
    pledged=st.integers(0, 10**9),
)
def test_refunds_after_the_settlement_come_from_whoever_has_the_money(
    payment: Payment, before: int, cuts: list[int], fee: int, taken: int, spent: int, pledged: int
) -> None:
    """The shop pays from its balance, then its deposit, then by a claim; of the commission exactly its share comes back.

    Nothing stays where the parts meet; when all has gone back, all of the commission has; new money pays the claim off.
    """
    book = Book()
    escrow = escrows(captured(payment, book))[0]
    if first := min(before, escrow.held.amount - promoted_in(escrow)):
        refunded = model.refund(escrow, refund_id(99), cny(first))
        book.post(postings.refund(escrow, refunded))
        escrow = model.after_refund(escrow, refunded)
    if not escrow.held:
        return
    settlement = model.settle(escrow, cny(min(fee, escrow.held.amount)))
    book.post(postings.settle(escrow, settlement))
    balance, deposit, claim, earned, missing = (id_of(SECOND_SHOP, "CNY") for id_of in SIDES)
    book.give("elsewhere", balance, -min(taken, book.balances[balance]))
    book.give("elsewhere", earned, -min(spent, book.balances[earned]))
    book.give("elsewhere", deposit, pledged)
    first_fee = book.balances[earned]
    escrow = replace(escrow, state=EscrowState.SETTLED, held=cny(0))
    for number, cut in enumerate([*cuts, 10**10]):
        if escrow.left:
            escrow = drawn_back(book, escrow, settlement, number, cut)
            kept = round_half_up(settlement.commission.amount * escrow.left.amount, settlement.whole.amount)
            assert book.balances[earned] + book.balances[missing] == first_fee - settlement.commission.amount + kept
    assert escrow.left == cny(0)
    for owing, pays, off in ((claim, balance, postings.pay_off), (missing, earned, lambda _, amount, cause: postings.cover(cause, amount))):
        if owed := -book.balances[owing]:
            book.give("elsewhere", pays, owed)
            book.post(off(SECOND_SHOP, cny(owed), "ord_1"))
        assert book.balances[owing] == 0


SIDES = (
    model.shop_account,
    drawing.deposit_account,
    drawing.receivable_account,
    lambda _, currency: model.commission_account(currency),
    lambda _, currency: drawing.shortfall_account(currency),
)


def drawn_back(book: Book, escrow: Escrow, settlement: Settlement, number: int, cut: int) -> Escrow:
    """Give back a part of what has been settled, the marketplace's part of it too; the first order is the second shop's."""
    balance, deposit, claim, earned, _ = (id_of(SECOND_SHOP, "CNY") for id_of in SIDES)
    amount = min(cut, escrow.left.amount - promoted_in(escrow))
    refunded = model.divided(escrow, refund_id(number), cny(amount), beyond=PaymentRefusal.EXCEEDS_CAPTURED)
    after = model.after_refund(escrow, refunded)
    owed = -book.balances[claim]
    standing = drawing.Standing(available=cny(book.balances[balance]), deposit=cny(book.balances[deposit]), owed=cny(owed))
    back = drawing.commission_back(settlement.commission, settled=settlement.whole, before=escrow.left, after=after.left)
    drawn = drawing.draw(refunded.whole, commission=back, earned=cny(book.balances[earned]), standing=standing)
    assert sum(getattr(drawn, field).amount for field in drawn.__struct_fields__) == refunded.whole.amount
    assert not drawn.deposit or drawn.balance == standing.available
    assert not drawn.owed or drawn.deposit == standing.deposit
    book.post(postings.refund_settled(escrow, refunded, drawn))
    assert book.balances[drawing.drawing_account(refunded.id)] == 0
    assert min(book.balances[account] for account in (balance, deposit, earned)) >= 0
    assert -book.balances[claim] == owed + drawn.owed.amount
    return after


def promoted_in(escrow: Escrow) -> int:
    """What is left of what the marketplace has paid of an order."""
    return sum(funding.left for funding in escrow.funding if funding.kind is TenderKind.PROMOTION)


def round_half_up(part: int, of: int) -> int:
    """A fraction to the nearest whole number."""
    return math.floor(Fraction(part, of) + Fraction(1, 2))


@given(payment=payments(), amount=st.integers(0, 10**12))
def test_a_refund_is_of_something_and_never_of_more_than_is_left(payment: Payment, amount: int) -> None:
    """Or it is refused, and by which code follows from the sums alone."""
    escrow = escrows(payment)[0]
    try:
        refunded = model.refund(escrow, refund_id(1), cny(amount))
    except Refused as no:
        assert (no.code == "amount_out_of_range") == (amount == 0)  # noqa: PT017 - which refusal it is, is the claim
        assert amount == 0 or amount > escrow.held.amount - promoted_in(escrow)
    else:
        assert 0 < refunded.whole.amount <= escrow.held.amount
        assert refunded.amount.amount <= escrow.held.amount - promoted_in(escrow)
        assert amount or escrow.held.amount == promoted_in(escrow) == refunded.whole.amount


@given(amount=st.integers(1, 10**12))
def test_what_moves_whole_moves_what_it_says(amount: int) -> None:
    """From the channel, to the wallet or to the difference account; from what is earned, to what is set aside."""
    book = Book()
    tender = Tender(kind=TenderKind.CHANNEL, amount=cny(amount), channel="sandbox")
    (charge,) = model.charges_of(payment_of(1), (tender,))
    payment = Payment(
        id=payment_of(1),
        kind=PaymentKind.TOP_UP,
        state=PaymentState.PENDING,
        payer=BUYER,
        currency="CNY",
        checkout_id=None,
        parts=(),
        tenders=(tender,),
        charges=(charge,),
        due=2,
        started_at=1,
    )
    book.post(postings.top_up(payment, charge))
    book.post(postings.book_difference(payment.id, "sandbox", cny(amount)))
    book.post(postings.set_aside("prm_1", cny(amount)))
    book.post(postings.pledge("dps_1", SHOP, cny(2 * amount)))
    book.post(postings.release_deposit("dps_2", SHOP, cny(amount)))
    assert book.balances == {
        model.commission_account("CNY"): -amount,
        model.promotions_account("CNY"): amount,
        model.channel_account("sandbox", "CNY"): -2 * amount,
        model.wallet_account(BUYER, "CNY"): amount,
        model.difference_account("CNY"): amount,
        model.shop_account(SHOP, "CNY"): -amount,
        drawing.deposit_account(SHOP, "CNY"): amount,
    }


@given(amount=st.integers(1, 10**12), owner=st.sampled_from([BUYER, SHOP]), is_paid=st.booleans())
def test_a_payout_is_paid_or_comes_back(amount: int, owner: PersonId | ShopId, is_paid: bool) -> None:
    """Nothing stays on its way; its owner has less by what the channel has paid, or as much as before."""
    book = Book()
    payout = Payout(
        id="pyo_1",
        owner=owner,
        asked_by=BUYER,
        amount=cny(amount),
        channel="sandbox",
        person=BUYER,
        sealed=b"",
        state=PayoutState.SENT,
        at=0,
    )
    book.post(postings.pay_out(payout))
    book.post(postings.paid_out(payout) if is_paid else postings.pay_back(payout))
    source = model.shop_account(SHOP, "CNY") if owner == SHOP else model.wallet_account(BUYER, "CNY")
    assert book.balances[payees.paying_account("sandbox", "CNY")] == 0
    assert book.balances[payees.paid_out_account("sandbox", "CNY")] == -book.balances[source] == (amount if is_paid else 0)


@given(now=st.integers(0, 10**9), started=st.integers(0, 10**6), due=st.integers(0, 10**7))
def test_a_payment_is_looked_at_a_few_times_and_then_never(now: int, started: int, due: int) -> None:
    """Each check is later than the one before, one is when it is due, one shortly before, and there are few of them."""
    payment = Payment(
        id=payment_of(1),
        kind=PaymentKind.TOP_UP,
        state=PaymentState.PENDING,
        payer=BUYER,
        currency="CNY",
        checkout_id=None,
        parts=(),
        tenders=(),
        charges=(),
        due=started + due,
        started_at=started,
    )
    checks: list[int] = []
    at: int | None = started - 1
    while at is not None:
        at = model.next_check(payment, at)
        checks += [] if at is None else [at]
    assert checks == sorted(set(checks))
    assert payment.due in checks
    assert due <= model.LAST_CHECK_MS or payment.due - model.LAST_CHECK_MS in checks
    assert len(checks) <= 11
    following = model.next_check(payment, now)
    assert following is None or following > now


def test_the_codes_of_templates_are_their_own() -> None:
    """A statement names each by its code."""
    assert len({template.code for template in postings.TEMPLATES}) == len(postings.TEMPLATES)
