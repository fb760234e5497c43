"""Any story of paying, telling, doubling, losing, abandoning, settling and refunding leaves books and documents that agree."""

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from support.payments import (
    APPROVE_ABOVE,
    BUYER,
    KEEPER,
    MINUTE,
    OTHER,
    SHOP,
    Market,
    by_channel,
    by_difference,
    by_wallet,
    cny,
    order,
    part,
    payment_of,
    refund_id,
)
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.ledger.queries import AccountOf, TrialBalance
from yunduan.domains.payments import commands, drawing, ending, model, owing, payouts, recourse
from yunduan.domains.payments.commands import AbandonPayment, RefundEscrow, SetAsideForPromotions, SettleEscrow
from yunduan.domains.payments.cycles import Cycle
from yunduan.domains.payments.deposits import PledgeDeposit, ReleaseDeposit
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import (
    ChargeState,
    EscrowState,
    PaymentStarted,
    PaymentState,
    PieceState,
    RefundState,
    TenderKind,
    escrows,
)
from yunduan.domains.payments.payees import Payout, PayoutState
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout, PayOutShop, Withdraw
from yunduan.domains.payments.queries import PaymentOf, RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.settling import SetPayoutPlan
from yunduan.domains.payments.store import PAYOUTS
from yunduan.domains.payments.taking import TakeUnclaimed
from yunduan.domains.payments.unclaimed import Into, Unclaimed, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import PersonId, RefundId, ShopId
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import BrokenError, Refused
from yunduan.runtime.transaction import Tx

PEOPLE = (BUYER, OTHER)
OPERATORS = tuple(Actor(person=PersonId(f"per_{n:026x}"), operator_roles=frozenset({"finance"})) for n in (14, 15))
SET_ASIDE = 2_000
AMOUNTS = st.integers(1, 5_000)


class Payments(RuleBasedStateMachine):
    """Two people, two channels, and everything that can go wrong between them."""

    openings = st.sampled_from(["the_shop_owes", "the_channel_refuses", "money_is_late", ""])
    """What a story begins with: what is rare by chance."""

    def __init__(self) -> None:
        """Open a market in a folder of its own."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.checkouts = self.orders = self.refunds = 0
        self.started: list[PaymentStarted] = []
        self.top_ups: list[PaymentStarted] = []
        self.abandoned: set[int] = set()
        self.paid: dict[int, int] = {}
        self.refunded: dict[int, int] = defaultdict(int)
        self.settled: dict[int, int] = {}
        self.refund_ids: list[RefundId] = []
        self.fees: dict[int, int] = {}
        self.taken_back: dict[int, int] = defaultdict(int)
        self.fees_back: dict[int, int] = defaultdict(int)
        self.drawn: list[model.Drawn] = []
        self.set_aside = self.promised = 0
        self.payout_ids: list[str] = []

    @initialize(
        seed=st.integers(0, 2**32),
        loses=st.sampled_from([0, 300]),
        refuses=st.sampled_from([0, 300]),
        unreachable=st.sampled_from([0, 300]),
        data=st.data(),
    )
    def open(self, seed: int, loses: int, refuses: int, unreachable: int, data: st.DataObject) -> None:
        """How badly the channels behave is a part of the story, and so is what has happened before."""
        misbehaves = Misbehaviour(
            dawdles=300, loses=loses, doubles=300, delays=300, unreachable=unreachable, refuses_refunds=refuses, refuses_payouts=refuses
        )
        self.market = Market(self.folder, seed=seed)
        for person in PEOPLE:
            started = self.market.top_up(person, 20_000)
            self.market.decide(started)
            self.top_ups.append(started)
        self.market.tell()
        self.market.set_aside(SET_ASIDE)
        for owner in (SHOP, *PEOPLE):
            self.market.name_payee(owner)
        self.pay([1_700, 2_300], "wcx", BUYER, at_once=True, promoted=300)
        if opening := data.draw(self.openings):
            getattr(self, opening)()
        for sandbox in self.market.sandboxes.values():
            sandbox.misbehaviour = misbehaves

    def the_shop_owes(self) -> None:
        """It has spent what it has to give back, and what it earns then pays only a part of that."""
        self._settle(1, 100)
        self.leave(1_500, SHOP)
        self._refund_settled(1, [800])
        self.pay([100], "w", BUYER, at_once=True, promoted=0)
        self._settle(self.orders, 0)

    def the_channel_refuses(self) -> None:
        """It gives back neither of two refunds, of which the buyer takes one into the wallet, and pays nothing out from there."""
        self.pay([600], "wc", BUYER, at_once=True, promoted=300)
        self._refund(self.orders, [400, 100])
        self.leave(500, BUYER)
        self.market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000, refuses_payouts=1_000)
        self.market.run_errands()
        self.market.pass_time(MINUTE)
        self._take(self._unclaimed()[0], BUYER, Into.WALLET)

    def money_is_late(self) -> None:
        """It comes in for a checkout that has run out, and for one that was given up."""
        self.market.sandbox.misbehaviour = Misbehaviour(dawdles=1_000)
        for _ in range(2):
            self.pay([600, 300], "c", BUYER, at_once=True, promoted=0)
        self._abandon(self.checkouts)
        self.market.pass_time(30 * MINUTE, step=15 * MINUTE)

    @rule(amount=AMOUNTS, person=st.sampled_from(PEOPLE), approve=st.booleans())
    def top_up(self, amount: int, person: PersonId, approve: bool) -> None:
        """Somebody brings money, or thinks better of it."""
        started = self.market.top_up(person, amount)
        self.market.decide(started, approve=approve)
        self.top_ups.append(started)

    @rule(
        amounts=st.lists(AMOUNTS, min_size=1, max_size=3),
        kinds=st.sampled_from(["w", "c", "wc", "wcd", "wcx", "cx", "s", "ws"]),
        person=st.sampled_from(PEOPLE),
        at_once=st.booleans(),
        promoted=st.sampled_from([0, 0, 1, 300, 1_100]),
    )
    def pay(self, amounts: list[int], kinds: str, person: PersonId, at_once: bool, promoted: int) -> None:
        """Somebody pays one to three orders, the marketplace a part of the first, and perhaps goes straight to the pages."""
        self.checkouts += 1
        first = self.orders + 1
        self.orders += len(amounts)
        whole = sum(amounts)
        shares = [share.amount for share in split(cny(whole), [1] * len(kinds))]
        made = {"w": by_wallet, "c": by_channel, "d": by_difference}
        made |= {"x": lambda amount: by_channel(amount, "second"), "s": lambda amount: by_channel(amount, method="slip")}
        tenders = [made[kind](share) for kind, share in zip(kinds, shares, strict=True) if share]
        parts = [part(first + n, amount, promoted=0 if n else promoted) for n, amount in enumerate(amounts)]
        ask = self.market.paying(self.checkouts, parts, tenders, buyer=person)
        set_aside = self.market.promotions()
        account = self.market.world.ask(AccountOf(id=model.wallet_account(person, "CNY")))
        available = account.available().amount if account else 0
        wallet_part = sum(tender.amount.amount for tender in tenders if tender.kind is TenderKind.WALLET)
        try:
            started = self.market.world.send(ask)
        except Refused as no:
            assert no.code == ("promotions_empty" if promoted > set_aside else "insufficient_funds")  # noqa: PT017 - which, is the claim
            assert promoted > set_aside or wallet_part > available
            assert self.market.promotions() == set_aside
            self.checkouts -= 1
            self.orders -= len(amounts)
            return
        assert wallet_part <= available
        assert self.market.promotions() == set_aside - promoted
        self.started.append(started)
        if at_once:
            for which in range(len(started.redirects)):
                self.market.decide(started, which=which)
            self.market.tell()

    @precondition(lambda self: self.started)
    @rule(data=st.data(), approve=st.sampled_from([True, True, False]))
    def decide(self, data: st.DataObject, approve: bool) -> None:
        """A payer goes to a page, perhaps long after it was over."""
        started = data.draw(st.sampled_from(self.started))
        if started.redirects:
            self.market.decide(started, approve=approve, which=data.draw(st.integers(0, len(started.redirects) - 1)))

    @rule(are_gone=st.booleans())
    def sell_elsewhere(self, are_gone: bool) -> None:
        """What was ordered and not paid in time is gone, or there."""
        self.market.listener.goods_are_gone = are_gone

    @rule()
    def tell(self) -> None:
        """The channels send what they have to say."""
        self.market.tell()

    @rule()
    def run_errands(self) -> None:
        """The couriers go."""
        self.market.run_errands()

    @precondition(lambda self: self.checkouts)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        """A checkout is given up, if it can be."""
        self._abandon(data.draw(st.integers(1, self.checkouts)))

    def _abandon(self, number: int) -> None:
        before = self.market.payment(number).state
        try:
            self.market.world.send(AbandonPayment(payment_id=payment_of(number)))
        except Refused as no:
            assert (no.code, before) == ("payment_ended", PaymentState.CAPTURED)  # noqa: PT017 - the same
        else:
            if before is PaymentState.PENDING:
                self.abandoned.add(number)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), amounts=st.lists(st.integers(1, 1_500), min_size=1, max_size=4))
    def refund(self, data: st.DataObject, amounts: list[int]) -> None:
        """Several refunds of one order race."""
        self._refund(data.draw(st.integers(1, self.orders)), amounts)

    def _refund(self, number: int, amounts: list[int]) -> None:
        left = self._left(number)
        first = self.refunds + 1
        self.refunds += len(amounts)
        asked = [
            RefundEscrow(refund_id=refund_id(first + n), order_id=order(number), amount=cny(amount)) for n, amount in enumerate(amounts)
        ]
        outcomes = self.market.world.send_all([(ask, SYSTEM) for ask in asked])
        for ask, amount, outcome in zip(asked, amounts, outcomes, strict=True):
            if isinstance(outcome, Refused):
                assert left is None or amount > left
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                assert left is not None
                left -= amount
                again = self.market.world.send(ask)
                assert (again.id, again.amount) == (ask.refund_id, ask.amount)
                self.refunded[number] += again.whole.amount
                self.refund_ids.append(ask.refund_id)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), fee=st.integers(0, 1_000))
    def settle(self, data: st.DataObject, fee: int) -> None:
        """A shop is paid."""
        self._settle(data.draw(st.integers(1, self.orders)), fee)

    def _settle(self, number: int, fee: int) -> None:
        held = self._held(number)
        try:
            settlement = self.market.world.send(SettleEscrow(order_id=order(number), shop_id=SHOP, commission=cny(fee)))
        except Refused:
            assert not held or fee > held
        else:
            assert settlement.to_shop.amount + settlement.commission.amount == held
            self.settled[number] = held
            self.fees[number] = fee

    @precondition(lambda self: self.settled)
    @rule(data=st.data(), amounts=st.lists(st.integers(1, 1_500), min_size=1, max_size=3))
    def refund_settled(self, data: st.DataObject, amounts: list[int]) -> None:
        """Several refunds of an order whose shop has been paid race."""
        self._refund_settled(data.draw(st.sampled_from(sorted(self.settled))), amounts)

    def _refund_settled(self, number: int, amounts: list[int]) -> None:
        first = self.refunds + 1
        self.refunds += len(amounts)
        asked = [
            RefundSettled(refund_id=refund_id(first + n), order_id=order(number), amount=cny(amount)) for n, amount in enumerate(amounts)
        ]
        left = self._left_of_tenders(number)
        for ask, outcome in zip(asked, self.market.world.send_all([(ask, SYSTEM) for ask in asked]), strict=True):
            if isinstance(outcome, Refused):
                assert outcome.code == "exceeds_captured"
                assert ask.amount.amount > left
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                left -= ask.amount.amount
                again = self.market.world.send(ask)
                assert again.drawn is not None
                self.drawn.append(again.drawn)
                self.taken_back[number] += again.whole.amount
                self.fees_back[number] += again.drawn.commission.amount + again.drawn.shortfall.amount
                self.refund_ids.append(ask.refund_id)

    @rule(amount=AMOUNTS | st.integers(APPROVE_ABOVE + 1, 9_000), owner=st.sampled_from((SHOP, *PEOPLE)))
    def leave(self, amount: int, owner: PersonId | ShopId) -> None:
        """What a shop has earned or a person has in the wallet is paid out, if it is there."""
        source = model.shop_account(SHOP, "CNY") if owner == SHOP else model.wallet_account(PersonId(owner), "CNY")
        account = self.market.world.ask(AccountOf(id=source))
        has = account.available().amount if account else 0
        ask = PayOutShop(shop_id=SHOP, amount=cny(amount)) if owner == SHOP else Withdraw(amount=cny(amount))
        try:
            asked = self.market.world.send(ask, actor=Actor(person=KEEPER if owner == SHOP else PersonId(owner)))
        except Refused as no:
            owed = owner == SHOP and self._posted(drawing.receivable_account(SHOP, "CNY")) < 0
            assert no.code == ("shop_owes" if owed else "insufficient_funds")  # noqa: PT017 - which, is the claim
            assert owed or amount > has
        else:
            assert amount <= has
            assert asked.state is (PayoutState.AWAITED if amount > APPROVE_ABOVE else PayoutState.SENT)
            self.payout_ids.append(asked.id)

    @rule(cycle=st.sampled_from(Cycle), after_days=st.integers(1, 3), nights=st.integers(0, 3))
    def plan(self, cycle: Cycle, after_days: int, nights: int) -> None:
        """The shop is paid out by itself, and nights pass: never what was earned since, and each once."""
        before = self.market.world.send(SetPayoutPlan(shop_id=SHOP, cycle=cycle, after_days=after_days), actor=Actor(person=KEEPER))
        for _ in range(nights):
            known, has = set(self._payouts()), self._posted(model.shop_account(SHOP, "CNY"))
            self.market.world.pass_time(24 * 60 * MINUTE)
            new = [payout for id, payout in self._payouts().items() if id not in known]
            assert len(new) <= 1
            assert sum(payout.amount.amount for payout in new) <= has
            assert not new or before.next_at
            assert not (new and cycle is Cycle.DAILY and after_days > nights)
            self._notice()

    def _notice(self) -> None:
        """Take note of what plans have begun to pay out: time has passed."""
        self.payout_ids += sorted(set(self._payouts()) - set(self.payout_ids))

    def _payouts(self) -> dict[str, Payout]:
        rows = self.market.world.rows("SELECT id, body FROM payment_payout")
        return {id: msgspec.json.decode(body, type=Payout) for id, body in rows}

    @precondition(lambda self: self.payout_ids)
    @rule(data=st.data(), who=st.sampled_from(OPERATORS), agrees=st.booleans())
    def rule_on_payout(self, data: st.DataObject, who: Actor, agrees: bool) -> None:
        """An operator agrees, or does not; most are on their way already."""
        id = data.draw(st.sampled_from(self.payout_ids))
        before = self._payout(id)
        try:
            self.market.world.send(ApprovePayout(payout_id=id) if agrees else DeclinePayout(payout_id=id), actor=who)
        except Refused as no:
            assert (no.code == "payout_not_awaited") == (before.state is not PayoutState.AWAITED)  # noqa: PT017 - the same
            assert no.code == "payout_not_awaited" or (agrees and who.person in before.approvals)  # noqa: PT017 - the same

    @rule(data=st.data(), into=st.sampled_from(Into))
    def take(self, data: st.DataObject, into: Into) -> None:
        """Somebody says where goes what a channel would not give back, once; or tries what is not theirs."""
        if found := self._unclaimed():
            self._take(data.draw(st.sampled_from(found)), data.draw(st.sampled_from(PEOPLE)), into)

    def _take(self, one: Unclaimed, person: PersonId, into: Into) -> None:
        try:
            self.market.world.send(TakeUnclaimed(unclaimed_id=one.id, into=into), actor=Actor(person=person))
        except Refused as no:
            wrong = "unclaimed_not_found" if person != one.payer else "unclaimed_taken"
            assert no.code == wrong  # noqa: PT017 - which, is the claim
            assert person != one.payer or one.state is not UnclaimedState.WAITING
        else:
            assert (person, one.state) == (one.payer, UnclaimedState.WAITING)
        self._notice()

    def _unclaimed(self) -> list[Unclaimed]:
        rows = self.market.world.rows("SELECT body FROM payment_unclaimed ORDER BY id")
        return [msgspec.json.decode(body, type=Unclaimed) for (body,) in rows]

    @invariant()
    def what_is_owed_is_what_waits(self) -> None:
        """To each under their name, and nothing else is there."""
        if not hasattr(self, "market"):
            return
        for person in PEOPLE:
            waits = sum(one.amount.amount for one in self._unclaimed() if one.payer == person and one.state is UnclaimedState.WAITING)
            assert self._posted(unclaimed_account(person, "CNY")) == waits

    def _payout(self, id: str) -> Payout:
        ((body,),) = self.market.world.rows("SELECT body FROM payment_payout WHERE id = ?", id)
        return msgspec.json.decode(body, type=Payout)

    def _left_for_elsewhere(self, owner: str) -> int:
        """What has been taken from somebody for payouts and has not come back."""
        gone = (PayoutState.AWAITED, PayoutState.SENT, PayoutState.PAID)
        found = [self._payout(id) for id in self.payout_ids]
        return sum(payout.amount.amount for payout in found if payout.owner == owner and payout.state in gone and not payout.unclaimed)

    @rule(amount=st.integers(1, 2_000), releases=st.booleans())
    def pledge(self, amount: int, releases: bool) -> None:
        """The shop sets a deposit aside, or has a part of it back."""
        source = drawing.deposit_account if releases else model.shop_account
        has = self._posted(source(SHOP, "CNY"))
        try:
            self.market.world.send((ReleaseDeposit if releases else PledgeDeposit)(shop_id=SHOP, amount=cny(amount)))
        except Refused:
            assert amount > has
        else:
            assert amount <= has

    @rule(amount=st.integers(1, 500))
    def earn(self, amount: int) -> None:
        """What is earned is set aside for discounts, what is missing made up for first."""
        self.promised += 1
        has, lacks = self._posted(model.commission_account("CNY")), -self._posted(drawing.shortfall_account("CNY"))
        try:
            self.market.world.send(SetAsideForPromotions(promotion_id=f"prm_9{self.promised}", amount=cny(amount)))
        except Refused:
            assert amount > has - lacks
        else:
            assert amount <= has - lacks
            assert self._posted(drawing.shortfall_account("CNY")) == 0
            self.set_aside += amount

    def _posted(self, id: str) -> int:
        return self.market.balance(id)

    def _left_of_tenders(self, number: int) -> int:
        return sum(one.left for one in self.market.escrow(number).funding if one.kind is not TenderKind.PROMOTION)

    @invariant()
    def what_goes_back_after_the_settlement_is_paid_by_whom_the_rule_names(self) -> None:
        """The commission in proportion, the shop the rest; a shop that owes has nothing."""
        accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account)
        balance, deposit, claim = (self._posted(id_of(SHOP, "CNY")) for id_of in accounts)
        assert claim == 0 or balance == deposit == 0
        balance += deposit
        assert balance >= 0 >= claim
        earned = sum(held - self.fees[number] for number, held in self.settled.items())
        paid = sum(self.taken_back.values()) - sum(self.fees_back.values())
        assert balance + claim == earned - paid - self._left_for_elsewhere(SHOP)
        for number, whole in self.settled.items():
            if whole:
                kept = (2 * self.fees[number] * (whole - self.taken_back[number]) + whole) // (2 * whole)
                assert self.fees[number] - self.fees_back[number] == kept
        commission, missing = self._posted(model.commission_account("CNY")), self._posted(drawing.shortfall_account("CNY"))
        assert commission + missing == sum(self.fees.values()) - sum(self.fees_back.values()) - self.set_aside

    @rule(by_ms=st.sampled_from([1_000, MINUTE, 10 * MINUTE]))
    def pass_time(self, by_ms: int) -> None:
        """Alarms ring."""
        self.market.world.pass_time(by_ms)
        self._notice()

    def _held(self, number: int) -> int | None:
        """What is in an escrow that is open."""
        try:
            escrow = self.market.escrow(number)
        except Refused:
            return None
        return escrow.held.amount if escrow.state is EscrowState.HELD else None

    def _left(self, number: int) -> int | None:
        """What the tenders could have back of an escrow that is open."""
        held = self._held(number)
        return held and held - sum(one.left for one in self.market.escrow(number).funding if one.kind is TenderKind.PROMOTION)

    @invariant()
    def every_escrow_holds_what_its_document_says(self) -> None:
        """Paid, less what went back, less what the shop has."""
        for number in range(1, self.orders + 1):
            try:
                escrow = self.market.escrow(number)
            except Refused:
                continue
            paid = sum(funding.amount.amount for funding in escrow.funding)
            left = paid - self.refunded[number] - self.settled.get(number, 0)
            assert all(funding.left >= 0 for funding in escrow.funding)
            assert escrow.held.amount == left == self.market.balance(escrow.account)
            assert escrow.left.amount == paid - self.refunded[number] - self.taken_back[number]

    @invariant()
    def a_checkout_is_heard_of_once(self) -> None:
        """Paid or not, and what was not may be paid late; never what was abandoned."""
        if not self.checkouts:
            return
        heard = self.market.listener.heard
        assert len(heard) == len(set(heard))
        for number in range(1, self.checkouts + 1):
            payment = self.market.payment(number)
            verdicts = [verdict for verdict, checkout in self.market.listener.heard if checkout == payment.checkout_id]
            if payment.state is PaymentState.CAPTURED:
                assert verdicts in ([["paid"], ["not_paid", "paid_late"]] if payment.charges else [[]])
            elif payment.state in (PaymentState.PENDING, PaymentState.ABANDONED):
                assert verdicts == []
            else:
                assert verdicts == ["not_paid"]

    def teardown(self) -> None:
        """Let everything come to its end with channels that behave, then compare all books with all documents."""
        if not hasattr(self, "market"):
            return
        try:
            self._drain()
            self._compare()
        finally:
            self.market.__exit__()
            shutil.rmtree(self.folder)

    def _drain(self) -> None:
        for sandbox in self.market.sandboxes.values():
            sandbox.misbehaviour = replace(sandbox.misbehaviour, loses=0, unreachable=0, refuses_refunds=0)
        self.market.world.send(SetPayoutPlan(shop_id=SHOP, cycle=Cycle.NONE), actor=Actor(person=KEEPER))
        assert set(self.payout_ids) == set(self._payouts())
        for id in self.payout_ids:
            if self._payout(id).state is PayoutState.AWAITED:
                self.market.world.send(DeclinePayout(payout_id=id), actor=OPERATORS[0])
        for _ in range(3):
            self.market.pass_time(20 * MINUTE, step=5 * MINUTE)
        self.market.pass_time(26 * 60 * MINUTE, step=13 * 60 * MINUTE)
        self.market.pass_time(2 * 60 * MINUTE, step=20 * MINUTE)

    def _compare(self) -> None:
        assert self.market.balanced()
        for channel in self.market.sandboxes:
            assert self.market.returning(channel) == self.market.leaving(channel) == 0
            assert self.market.reconciles(channel)
        for person in PEOPLE:
            assert self.market.wallet(person) == self._wallet_by_documents(person)
        assert self.market.promotions() == SET_ASIDE + self.set_aside - self._promoted_by_documents()
        trial = self.market.world.run(self.market.world.cloud.ask_slow(TrialBalance()))
        assert not any(line.debits_pending or line.credits_pending for line in trial.lines)
        assert self.market.world.cloud.writer.broken == 0

    def _promoted_by_documents(self) -> int:
        """What discounts have cost the marketplace: those of orders that were paid, less what has come back of them."""
        payments = [self.market.world.ask(PaymentOf(payment_id=started.id)) for started in self.started]
        cost = sum(paid.promoted.amount for paid in payments if paid.state is PaymentState.CAPTURED and paid.promoted is not None)
        refunds = [self.market.world.ask(RefundOf(refund_id=id)) for id in self.refund_ids]
        return cost - sum(piece.amount.amount for refunded in refunds for piece in refunded.pieces if piece.kind is TenderKind.PROMOTION)

    def _wallet_by_documents(self, person: PersonId) -> int:
        """What a wallet must hold, by payments and refunds alone."""
        ids = [started.id for started in (*self.top_ups, *self.started)]
        payments = [self.market.world.ask(PaymentOf(payment_id=id)) for id in ids]
        mine = [payment for payment in payments if payment.payer == person]
        has = -self._left_for_elsewhere(person)
        for payment in mine:
            assert payment.state is not PaymentState.PENDING
            has += sum(charge.amount.amount for charge in payment.charges if charge.state is ChargeState.DIVERTED)
            if payment.state is PaymentState.CAPTURED and payment.checkout_id is None:
                has += payment.total.amount
            elif payment.state is PaymentState.CAPTURED:
                has -= sum(tender.amount.amount for tender in payment.tenders if tender.kind is TenderKind.WALLET)
        for id in self.refund_ids:
            refunded = self.market.world.ask(RefundOf(refund_id=id))
            waits = any(one.refund_id == id and one.state is UnclaimedState.WAITING for one in self._unclaimed())
            assert refunded.state is (RefundState.UNCLAIMED if waits else RefundState.DONE)
        assert not any(self._payout(id).is_open for id in self.payout_ids)
        for id in self.refund_ids:
            refunded = self.market.world.ask(RefundOf(refund_id=id))
            if refunded.payer == person:
                has += sum(
                    piece.amount.amount
                    for piece in refunded.pieces
                    if piece.kind is TenderKind.WALLET or piece.state is PieceState.DIVERTED
                )
        return has


TestPayments = Payments.TestCase
TestPayments.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _forgets_to_send_back(*_: object, **__: object) -> None:
    """Money that was collected for nothing stays with us."""


def _forgets_what_went_back(escrow: model.Escrow, refunded: model.Refund) -> model.Escrow:
    """The escrow's document stays as it was."""
    del refunded
    return escrow


def _gives_all_over_the_first_tender(escrow: model.Escrow, id: RefundId, amount: Money) -> model.Refund:
    """Not the way it came."""
    first = replace(escrow.funding[0], amount=escrow.held, returned=0)
    return REFUND(replace(escrow, funding=(first,)), id, amount)


def _promises_without_paying(*_: object) -> tuple[model.Funding, ...]:
    """A discount is taken off, and nobody pays it."""
    return ()


def _gives_the_marketplaces_part_to_the_buyer(escrow: model.Escrow, id: RefundId, amount: Money) -> model.Refund:
    """Whoever paid."""
    refunded = REFUND(escrow, id, amount)
    pieces = tuple(replace(piece, kind=TenderKind.WALLET) if piece.kind is TenderKind.PROMOTION else piece for piece in refunded.pieces)
    return replace(refunded, pieces=pieces)


def _pays_whoever_was_given_up(tx: Tx, payment: model.Payment, charge: model.Charge) -> None:
    """A late capture is taken for one in time."""
    if charge.state is ChargeState.ENDED and payment.checkout_id:
        payment = replace(payment, state=PaymentState.CAPTURED)
        tx.put(commands.PAYMENTS, payment.id, payment.with_charge(replace(charge, state=ChargeState.CAPTURED)))
    else:
        CAPTURED(tx, payment, charge)


def _keeps_the_commission(commission: Money, **_: Money) -> Money:
    """The shop pays it all."""
    return replace(commission, amount=0)


def _forgets_the_claim(*_: object, **__: object) -> None:
    """Nobody looks for it when money comes in."""


def _pays_and_gives_back(tx: Tx, outgoing: Outgoing) -> None:
    """What was paid out is in the wallet as well."""
    payouts.refused(tx, outgoing)


def _forgets_what_comes_back(tx: Tx, outgoing: Outgoing) -> None:
    """A payout that the channel refuses is nobody's."""
    payout = tx.get(PAYOUTS, outgoing.id)
    assert payout is not None
    tx.put(commands.OUTGOING, outgoing.id, replace(outgoing, state=OutgoingState.REFUSED))
    tx.put(PAYOUTS, payout.id, replace(payout, state=PayoutState.RETURNED))


REFUND, CAPTURED = model.refund, commands._captured
PAID, NOT_PAID = ((OutgoingKind.PAYOUT, state) for state in (OutgoingState.DONE, OutgoingState.REFUSED))
FAULTS = {
    "late money is kept": ("money_is_late", ending, "send_back", _forgets_to_send_back),
    "what is owed is owed to nobody": ("the_channel_refuses", owing, "conclude_return", _forgets_to_send_back),
    "what is taken stays owed": ("the_channel_refuses", owing, "follow", _forgets_to_send_back),
    "refunds are forgotten": ("the_channel_refuses", model, "after_refund", _forgets_what_went_back),
    "refunds go another way": ("the_channel_refuses", model, "refund", _gives_all_over_the_first_tender),
    "late money pays": ("money_is_late", commands, "_captured", _pays_whoever_was_given_up),
    "a discount is promised": ("", escrows, "_promoted", _promises_without_paying),
    "a discount goes to the buyer": ("the_channel_refuses", model, "refund", _gives_the_marketplaces_part_to_the_buyer),
    "the commission stays": ("the_shop_owes", drawing, "commission_back", _keeps_the_commission),
    "what is paid out comes back": ("the_shop_owes", commands, "_ENDS", {**commands._ENDS, PAID: _pays_and_gives_back}),
    "what comes back is lost": ("the_channel_refuses", commands, "_ENDS", {**commands._ENDS, NOT_PAID: _forgets_what_comes_back}),
    "a claim is never paid off": ("the_shop_owes", recourse, "owes", _forgets_the_claim),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each story that begins with what the fault is about fails, or what is checked after it does."""
    opening, where, name, planted = FAULTS[fault]
    monkeypatch.setattr(Payments, "openings", st.just(opening))
    monkeypatch.setattr(where, name, planted)
    once = settings(TestPayments.settings, max_examples=5, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises((AssertionError, BrokenError)):
        run_state_machine_as_test(Payments, settings=once)
