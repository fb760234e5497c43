"""Any story of paying, refunding, settling and charging back leaves books that are the channel's, and nobody with a cent too much."""

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

from support.payments import BUYER, DAY, KEEPER, MINUTE, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, cny, order, part, refund_id
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import chargebacks, charging_back, drawing, model, offsetting
from yunduan.domains.payments.closing import AcceptDecision, CloseChargeback
from yunduan.domains.payments.commands import RefundEscrow, SettleEscrow
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import Chargeback, ChargebackState, Escrow, EscrowState, PaymentStarted, PieceState, TenderKind
from yunduan.domains.payments.queries import RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.taking import TakeUnclaimed
from yunduan.domains.payments.unclaimed import Into, Unclaimed, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money, split, zero
from yunduan.kernel.refusals import BrokenError, Refused

SHOPS = (SHOP, SECOND_SHOP)
WON = ChargebackState.WON


class Contested(RuleBasedStateMachine):
    """One payer, one channel, two shops, and a bank that takes back what it can."""

    openings = st.sampled_from(["overtakes_a_refund", "takes_what_is_owed", "takes_what_was_settled", "gives_it_back", ""])
    """What a story begins with: what is rare by chance."""

    def __init__(self) -> None:
        """Open a market in a folder of its own."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.orders = self.checkouts = self.refunds = self.mistakes = 0
        self.collected: dict[str, int] = {}
        self.refund_ids: list[RefundId] = []
        self.settled: dict[int, tuple[int, int]] = {}

    @initialize(
        seed=st.integers(0, 2**32),
        doubles=st.sampled_from([0, 500]),
        delays=st.sampled_from([0, 300]),
        loses=st.sampled_from([0, 200]),
        refuses=st.sampled_from([0, 300]),
        data=st.data(),
    )
    def open(self, seed: int, doubles: int, delays: int, loses: int, refuses: int, data: st.DataObject) -> None:
        """How badly the channel behaves is a part of the story, and so is what the bank has done before."""
        self.market = Market(self.folder, seed=seed)
        self.top_up = self.market.top_up(BUYER, 3_000)
        self.market.decide(self.top_up)
        self.market.tell()
        self._note(self.top_up)
        self.market.name_payee(BUYER)
        self.pay([700, 300], 100)
        if opening := data.draw(self.openings):
            getattr(self, opening)()
        self.market.sandbox.misbehaviour = Misbehaviour(doubles=doubles, delays=delays, loses=loses, refuses_refunds=refuses)

    def overtakes_a_refund(self) -> None:
        """The bank takes what is about to be given back, so that the channel refuses that, and decides for the payer."""
        self._refund(1, [450])
        name = self._charge_back(800, fee=7)
        self.market.run_errands()
        self.market.sandbox.decide_chargeback(name, won=False)
        self.market.tell()

    def takes_what_is_owed(self) -> None:
        """The channel has refused a refund, and so the bank finds there what the payer is owed; it decides for the payer."""
        self._refuse_refund()
        self.market.sandbox.decide_chargeback(self._charge_back(800, fee=7), won=False)
        self.market.tell()
        self._take(self._unclaimed()[0], Into.WALLET)

    def _refuse_refund(self) -> None:
        self.market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1_000)
        self._refund(1, [450])
        self.market.run_errands()
        self.market.pass_time(MINUTE)

    def takes_what_was_settled(self) -> None:
        """The shop has been paid, the buyer wants a part from it as well, and the bank decides for the buyer."""
        self._settle(1, 70)
        name = self._charge_back(500, fee=150)
        self._refund(1, [50])
        self.market.sandbox.decide_chargeback(name, won=False)
        self.market.tell()

    def gives_it_back(self) -> None:
        """The bank decides for the shops."""
        self.market.sandbox.decide_chargeback(self._charge_back(400, fee=7), won=True)
        self.market.tell()

    def _charge_back(self, amount: int, *, fee: int) -> str:
        name = self.market.sandbox.charge_back(list(self.collected)[-1], amount, fee=fee)
        self.market.tell()
        return name

    def _note(self, started: PaymentStarted) -> None:
        ((body,),) = self.market.world.rows("SELECT body FROM payment WHERE id = ?", started.payment_id)
        for charge in msgspec.json.decode(body, type=model.Payment).charges:
            self.collected[charge.reference] = charge.amount.amount

    @rule(amounts=st.lists(st.integers(1, 2_000), min_size=1, max_size=3), wallet=st.integers(0, 400))
    def pay(self, amounts: list[int], wallet: int) -> None:
        """One to three orders of two shops, over the channel but for a part."""
        whole = sum(amounts)
        account = self.market.world.ask(AccountOf(id=model.wallet_account(BUYER, "CNY")))
        wallet = min(wallet, whole - 1, account.available().amount if account else 0)
        self.checkouts += 1
        parts = [part(self.orders + n + 1, amount, SHOPS[n % 2]) for n, amount in enumerate(amounts)]
        started = self.market.pay(self.checkouts, parts, [by_wallet(wallet)] * bool(wallet) + [by_channel(whole - wallet)])
        self.orders += len(amounts)
        self.market.decide(started)
        self._note(started)
        self.market.tell()

    def escrow(self, number: int) -> Escrow | None:
        """Of an order that was paid."""
        try:
            return self.market.escrow(number)
        except Refused:
            return None

    @rule(data=st.data(), amounts=st.lists(st.integers(1, 1_500), min_size=1, max_size=3))
    def refund(self, data: st.DataObject, amounts: list[int]) -> None:
        """Several race, before the settlement or after."""
        self._refund(data.draw(st.integers(1, self.orders)), amounts)

    def _refund(self, number: int, amounts: list[int]) -> None:
        escrow = self.escrow(number)
        kind = RefundSettled if number in self.settled else RefundEscrow
        asks = []
        for amount in amounts:
            self.refunds += 1
            asks.append(kind(refund_id=refund_id(self.refunds), order_id=order(number), amount=cny(amount)))
        left = escrow.left.amount if escrow else 0
        for ask, outcome in zip(asks, self.market.world.send_all([(ask, SYSTEM) for ask in asks]), strict=True):
            if isinstance(outcome, Refused):
                assert not escrow or escrow.contested or ask.amount.amount > left or escrow.state is EscrowState.RETURNED
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                assert escrow
                assert not escrow.contested
                left -= ask.amount.amount
                self.refund_ids.append(ask.refund_id)

    @rule(data=st.data(), fee=st.integers(0, 500))
    def settle(self, data: st.DataObject, fee: int) -> None:
        """A shop is paid, unless a bank has taken money back."""
        self._settle(data.draw(st.integers(1, self.orders)), fee)

    def _settle(self, number: int, fee: int) -> None:
        escrow = self.escrow(number)
        shop = escrow.shop_id if escrow else SHOP
        try:
            self.market.world.send(SettleEscrow(order_id=order(number), shop_id=shop, commission=cny(fee)))
        except Refused:
            assert not escrow or escrow.contested or escrow.state is not EscrowState.HELD or fee > escrow.held.amount
        else:
            assert escrow
            self.settled[number] = escrow.held.amount, fee

    @rule(data=st.data(), into=st.sampled_from(Into))
    def have(self, data: st.DataObject, into: Into) -> None:
        """The payer says where goes what the channel would not give back: not while a bank may have it."""
        if found := self._unclaimed():
            self._take(data.draw(st.sampled_from(found)), into)

    def _take(self, one: Unclaimed, into: Into) -> None:
        ((body,),) = self.market.world.rows("SELECT body FROM channel_errand WHERE id = ?", one.request)
        taken = [back for back in self.found() if back.reference == msgspec.json.decode(body, type=Outgoing).reference]
        bound = any(back.borne != back.offset and back.state is not WON for back in taken)
        try:
            self.market.world.send(TakeUnclaimed(unclaimed_id=one.id, into=into), actor=Actor(person=BUYER))
        except Refused as no:
            wrong = "charged_back" if one.state is UnclaimedState.WAITING else "unclaimed_taken"
            assert no.code == wrong  # noqa: PT017 - which, is the claim
            assert bound or one.state is not UnclaimedState.WAITING
        else:
            assert one.state is UnclaimedState.WAITING
            assert not bound

    def _unclaimed(self) -> list[Unclaimed]:
        rows = self.market.world.rows("SELECT body FROM payment_unclaimed ORDER BY id")
        return [msgspec.json.decode(body, type=Unclaimed) for (body,) in rows]

    @invariant()
    def what_is_owed_is_what_waits(self) -> None:
        """Under the payer's name, and nothing else."""
        waits = [one.amount.amount for one in self._unclaimed() if one.state is UnclaimedState.WAITING]
        assert self.market.balance(unclaimed_account(BUYER, "CNY")) == sum(waits)

    @rule(data=st.data(), amount=st.integers(0, 1_500), fee=st.sampled_from([0, 7, 150]))
    def take(self, data: st.DataObject, amount: int, fee: int) -> None:
        """The bank takes a charge back, or a part of it, if it is there."""
        self.market.sandbox.charge_back(data.draw(st.sampled_from(list(self.collected))), amount, fee=fee)

    @precondition(lambda self: self.market.sandbox.chargebacks())
    @rule(data=st.data(), won=st.booleans(), less=st.sampled_from([0, 0, 1, 300]), fee=st.sampled_from([None, None, 0, 99]))
    def decide(self, data: st.DataObject, won: bool, less: int, fee: int | None) -> None:
        """And decides, perhaps before we have heard of it, and perhaps with other figures."""
        taken = data.draw(st.sampled_from(self.market.sandbox.chargebacks()))
        self.market.sandbox.decide_chargeback(taken.chargeback, won=won, amount=max(taken.amount.amount - less, 1), fee=fee)

    @rule()
    def put_right(self) -> None:
        """Operators take what the bank has decided otherwise, or end by our figures what cannot be so."""
        for one in self.found():
            if one.otherwise is None or one.is_decided:
                continue
            try:
                self.market.world.send(AcceptDecision(chargeback_id=one.id, reason="x"), actor=Actor(person=KEEPER))
            except Refused as no:
                assert (no.code, one.otherwise.amount < one.offset) == ("amount_out_of_range", True)  # noqa: PT017 - which, is the claim
                self.mistakes += 1
                self.market.world.send(CloseChargeback(chargeback_id=one.id, won=one.otherwise.won, reason="x"), actor=Actor(person=KEEPER))

    @rule()
    def tell(self) -> None:
        """The channel says what it has to say."""
        self.market.tell()

    @rule()
    def run_errands(self) -> None:
        """The couriers go."""
        self.market.run_errands()

    @rule(by_ms=st.sampled_from([1_000, MINUTE, 3 * DAY]))
    def pass_time(self, by_ms: int) -> None:
        """Alarms ring."""
        self.market.world.pass_time(by_ms)

    def found(self) -> list[Chargeback]:
        """Every chargeback as it is kept."""
        rows = self.market.world.rows("SELECT body FROM payment_chargeback ORDER BY id")
        return [msgspec.json.decode(body, type=Chargeback) for (body,) in rows]

    @invariant()
    def what_the_channel_says_is_taken(self) -> None:
        """It has no reason to say it again."""
        assert set(self.market.answers) == {"taken"}

    @invariant()
    def every_escrow_says_what_is_in_it_and_what_a_bank_has_of_it(self) -> None:
        """Paid, less what has gone back either way; what is contested is what nobody has decided."""
        taken: dict[str, int] = defaultdict(int)
        contested: dict[str, int] = defaultdict(int)
        for one in self.found():
            for share in one.shares:
                if one.state is not WON:
                    taken[share.order_id] += share.amount.amount
                if not one.is_decided:
                    contested[share.order_id] += share.amount.amount
        refunded: dict[str, int] = defaultdict(int)
        for id in self.refund_ids:
            refund = self.market.world.ask(RefundOf(refund_id=id))
            refunded[refund.order_id] += refund.whole.amount
        for number in range(1, self.orders + 1):
            escrow = self.escrow(number)
            if escrow is None:
                continue
            paid = sum(funding.amount.amount for funding in escrow.funding)
            assert escrow.contested == contested[escrow.order_id]
            assert escrow.left.amount == paid - refunded[escrow.order_id] - taken[escrow.order_id]
            held = escrow.left.amount if number not in self.settled else 0
            assert escrow.held.amount == held == self.market.balance(escrow.account)

    @invariant()
    def no_payer_has_it_twice(self) -> None:
        """When all is decided, what the channel gave back, what is owed and what a bank has of a charge are no more than was collected.

        What a payer had here before the bank took it is not owed any more: it is in the marketplace's losses, if it was spent.
        """
        back: dict[str, int] = defaultdict(int)
        for id in self.refund_ids:
            for piece in self.market.world.ask(RefundOf(refund_id=id)).pieces:
                back[piece.reference] += piece.rest.amount if piece.state in (PieceState.DONE, PieceState.UNCLAIMED) else 0
        undecided = set()
        for one in self.found():
            back[one.reference] += one.amount.amount if one.state is not WON else 0
            undecided |= set() if one.is_decided else {one.reference}
        for reference, collected in self.collected.items():
            assert reference in undecided or back[reference] <= collected

    @invariant()
    def shops_and_the_marketplace_have_what_is_left_of_what_was_settled(self) -> None:
        """By what is left alone, whatever came and went in between; less the fees of what was lost."""
        earned: dict[str, int] = dict.fromkeys(SHOPS, 0)
        kept = 0
        for number, (whole, fee) in self.settled.items():
            escrow = self.market.escrow(number)
            left = escrow.left.amount
            commission = (2 * fee * left + whole) // (2 * whole) if whole else 0
            earned[escrow.shop_id] += left - commission
            kept += commission
        fees = losses = charged = 0
        for one in self.found():
            charged += one.fee.amount if one.state is not WON else 0
            losses += one.borne.amount - one.offset.amount if one.state is not WON else 0
            weights = [share.amount.amount for share in one.shares]
            parts = split(one.fee, [*weights, one.amount.amount - sum(weights)])
            if one.state is ChargebackState.LOST:
                for share, part_of_fee in zip(one.shares, parts, strict=False):
                    earned[share.shop_id] -= part_of_fee.amount
                fees += parts[-1].amount
            elif one.state is not WON:
                fees += one.fee.amount
        for shop in SHOPS:
            accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account)
            assert sum(self.market.balance(id_of(shop, "CNY")) for id_of in accounts) == earned[shop]
        marketplace = self.market.balance(model.commission_account("CNY")) + self.market.balance(drawing.shortfall_account("CNY"))
        assert marketplace == kept
        assert -self.market.balance(model.fees_account("CNY")) == fees
        assert -self.market.balance(model.losses_account("CNY")) == losses
        assert self.market.balance(model.charged_account("sandbox", "CNY")) == charged

    def teardown(self) -> None:
        """Let everything come to its end with a channel that behaves, then compare all books with all documents."""
        if not hasattr(self, "market"):
            return
        try:
            self.market.sandbox.misbehaviour = Misbehaviour()
            for event in self.market.sandbox.chargebacks():
                self.market.sandbox.decide_chargeback(event.chargeback, won=len(event.event) % 2 == 0)
            self.market.pass_time(90 * MINUTE, step=15 * MINUTE)
            self.market.pass_time(80 * DAY, step=8 * DAY)
            self.market.pass_time(4 * MINUTE, step=MINUTE)
            self.put_right()
            self.market.pass_time(4 * MINUTE, step=MINUTE)
            self._compare()
        finally:
            self.market.__exit__()
            shutil.rmtree(self.folder)

    def _compare(self) -> None:
        assert self.market.balanced()
        assert self.market.returning() == 0
        known = {one.name for one in self.found()}
        unheard = [one for one in self.market.sandbox.chargebacks() if one.chargeback not in known]
        assert not any(one.is_decided is False for one in self.found())
        assert unheard or self.mistakes or self.market.reconciles()
        assert self.market.world.cloud.writer.broken == 0
        wallet = 3_000
        for number in range(1, self.orders + 1):
            escrow = self.escrow(number)
            wallet -= sum(one.amount.amount for one in escrow.funding if one.kind is TenderKind.WALLET) if escrow else 0
        for id in self.refund_ids:
            for piece in self.market.world.ask(RefundOf(refund_id=id)).pieces:
                wallet += piece.rest.amount if piece.kind is TenderKind.WALLET or piece.state is PieceState.DIVERTED else 0
        for one in self.found():
            wallet += one.offset.amount if one.state is WON else -one.of_wallet.amount
        assert self.market.wallet() == wallet


TestContested = Contested.TestCase
TestContested.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _lets_it_move(_: Escrow) -> None:
    """Nothing stands still."""


def _takes_it_for_new(escrow: Escrow, reference: str, amount: object) -> Escrow:
    """What was won is not given back to its tender."""
    del reference
    return replace(escrow, contested=escrow.contested - amount.amount)


def _has_nothing_to_make_up_for(chargeback: Chargeback) -> Money:
    """What the bank has taken is owed as well."""
    return zero(chargeback.amount.currency)


def _forgets_what_was_lost(escrow: Escrow, _: object) -> Escrow:
    """It is contested for ever."""
    return escrow


FAULTS = {
    "nothing stands still": ("takes_what_was_settled", model, "check_not_contested", _lets_it_move),
    "what was won stays gone": ("gives_it_back", chargebacks, "restored_to", _takes_it_for_new),
    "a refund that was refused is paid again": ("takes_what_is_owed", offsetting, "left_of", _has_nothing_to_make_up_for),
    "what the bank has is owed as well": ("overtakes_a_refund", offsetting, "left_of", _has_nothing_to_make_up_for),
    "what is owed is not set off": ("takes_what_is_owed", offsetting, "lost", lambda _, chargeback: chargeback),
    "what was lost is contested for ever": ("takes_what_was_settled", chargebacks, "lost_of", _forgets_what_was_lost),
    "the commission stays": ("takes_what_was_settled", drawing, "commission_back", lambda commission, **_: replace(commission, amount=0)),
    "the fee is nobody's": ("gives_it_back", charging_back, "charge_fee", lambda one: charging_back.fee_back(replace(one, fee=cny(1)))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each story that begins with what the fault is about fails, or what is checked after it does."""
    opening, where, name, planted = FAULTS[fault]
    monkeypatch.setattr(Contested, "openings", st.just(opening))
    monkeypatch.setattr(where, name, planted)
    once = settings(TestContested.settings, max_examples=5, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises((AssertionError, BrokenError, Refused)):
        run_state_machine_as_test(Contested, settings=once)
