"""Any story of money that a provider keeps leaves books that are the provider's own, and nobody with a cent too much."""

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

from support.payments import BUYER, DAY, MINUTE, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, cny, order, part, refund_id
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import asking_back, covering, drawing, model, recourse, splitting
from yunduan.domains.payments.commands import RefundEscrow, SettleEscrow
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import Chargeback, ChargebackState, Custody, Escrow, EscrowState, PieceState, SplitState, TenderKind
from yunduan.domains.payments.queries import RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.splits_seen import RefusedSplits
from yunduan.domains.payments.statements import StatementsOf
from yunduan.domains.payments.taking import TakeUnclaimed
from yunduan.domains.payments.unclaimed import Into, Unclaimed, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import split
from yunduan.kernel.refusals import BrokenError, Refused

SHOPS = (SHOP, SECOND_SHOP)
WON = ChargebackState.WON
CHANNELS = ("custodian", "sandbox")
PURSE = 4_000
_SAID = (
    "SELECT request, reference FROM split WHERE state != 'waiting' UNION ALL"
    " SELECT request, reference FROM refund WHERE state != 'waiting' ORDER BY 1 LIMIT 8"
)
"""What the custodian has told already."""


class Kept(RuleBasedStateMachine):
    """One payer, a wallet, a channel of ours and one whose provider keeps the money, two shops, and a bank."""

    def __init__(self) -> None:
        """Open a market in a folder of its own."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.orders = self.checkouts = self.refunds = 0
        self.references: dict[str, str] = {}
        self.refund_ids: list[RefundId] = []
        self.asked: dict[int, int] = {}
        """The commission that was asked for, by order."""
        self.whole: dict[int, dict[int, tuple[int, int]]] = {}
        """Of each order that was to be settled: by the places of its keepers (-1: here), what was there and the commission on it."""

    @initialize(
        seed=st.integers(0, 2**32),
        doubles=st.sampled_from([0, 500]),
        delays=st.sampled_from([0, 300]),
        loses=st.sampled_from([0, 200]),
        refuses=st.sampled_from([0, 400]),
        unreachable=st.sampled_from([0, 300]),
    )
    def open(self, seed: int, doubles: int, delays: int, loses: int, refuses: int, unreachable: int) -> None:
        """How badly the provider behaves is a part of the story; what is rare comes first."""
        self.market = Market(self.folder, seed=seed)
        self.market.fill(BUYER, PURSE)
        self.market.name_payee(BUYER)
        self.pay([700, 300], 100, 0)
        self._settle(1, 40)
        self.market.pass_time(MINUTE)
        self._refund(1, [200])
        self.market.pass_time(MINUTE)
        self.market.custodian.charge_back(next(iter(self.references)), 90)
        self.market.tell()
        behaves = Misbehaviour(
            doubles=doubles, delays=delays, loses=loses, unreachable=unreachable, refuses_splits=refuses, refuses_returns=refuses
        )
        self.market.custodian.misbehaviour = replace(behaves, refuses_refunds=refuses // 2)

    @rule(amounts=st.lists(st.integers(1, 2_000), min_size=1, max_size=3), wallet=st.integers(0, 400), ours=st.integers(0, 300))
    def pay(self, amounts: list[int], wallet: int, ours: int) -> None:
        """One to three orders of two shops, the most of it over the custodian."""
        whole = sum(amounts)
        wallet = max(min(wallet, whole - 1, self.free()), 0)
        ours = min(ours, whole - wallet - 1)
        self.checkouts += 1
        parts = [part(self.orders + n + 1, amount, SHOPS[n % 2]) for n, amount in enumerate(amounts)]
        tenders = [by_wallet(wallet)] * bool(wallet) + [by_channel(ours)] * bool(ours) + [by_channel(whole - wallet - ours, "custodian")]
        started = self.market.pay(self.checkouts, parts, tenders)
        self.orders += len(amounts)
        for which in range(len(started.redirects)):
            self.market.decide(started, which=which)
        ((body,),) = self.market.world.rows("SELECT body FROM payment WHERE id = ?", started.payment_id)
        for charge in msgspec.json.decode(body, type=model.Payment).charges:
            if charge.channel == "custodian":
                self.references[charge.reference] = charge.channel
        self.market.tell()

    def free(self) -> int:
        """What the payer could spend now."""
        return self.market.world.ask(AccountOf(id=model.wallet_account(BUYER, "CNY"))).available().amount

    def escrow(self, number: int) -> Escrow | None:
        """Of an order that was paid."""
        try:
            return self.market.escrow(number)
        except Refused:
            return None

    @rule(data=st.data(), amounts=st.lists(st.integers(1, 1_500), min_size=1, max_size=3))
    def refund(self, data: st.DataObject, amounts: list[int]) -> None:
        """Several race, before the settlement, while it is split, or after."""
        self._refund(data.draw(st.integers(1, self.orders)), amounts)

    def _refund(self, number: int, amounts: list[int]) -> None:
        escrow = self.escrow(number)
        kind = RefundSettled if number in self.asked else RefundEscrow
        asks = []
        for amount in amounts:
            self.refunds += 1
            asks.append(kind(refund_id=refund_id(self.refunds), order_id=order(number), amount=cny(amount)))
        left = escrow.left.amount if escrow else 0
        for ask, outcome in zip(asks, self.market.world.send_all([(ask, SYSTEM) for ask in asks]), strict=True):
            if isinstance(outcome, Refused):
                over = not escrow or escrow.contested or ask.amount.amount > left or escrow.state is EscrowState.RETURNED
                assert over or (outcome.code == "escrow_being_split" and escrow.state is EscrowState.SPLITTING)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                assert escrow
                assert not escrow.contested
                left -= ask.amount.amount
                self.refund_ids.append(ask.refund_id)
        now = self.escrow(number)
        if now is not None and now.state is EscrowState.SPLITTING and now.left != escrow.left:
            self._note(number, now, now.commission.amount)

    @rule(data=st.data(), fee=st.integers(0, 500))
    def settle(self, data: st.DataObject, fee: int) -> None:
        """A shop is to be paid, unless a bank has taken money back."""
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
            self.asked[number] = fee
            self._note(number, escrow, fee)

    def _note(self, number: int, escrow: Escrow, fee: int) -> None:
        """How the commission is divided over the keepers of an order."""
        kept = {place: one.left for place, one in enumerate(escrow.funding) if one.custody is Custody.PROVIDER and one.left}
        lefts = {-1: escrow.left.amount - sum(kept.values())} | kept
        fees = split(cny(fee), list(lefts.values()))
        self.whole[number] = {place: (lefts[place], one.amount) for place, one in zip(lefts, fees, strict=True)}

    @rule(again=st.booleans())
    def ask_again(self, again: bool) -> None:
        """Operators have what was refused asked anew."""
        for one in self.market.world.ask(RefusedSplits()).items[: 3 if again else 1]:
            self.market.world.send(AskSplitAgain(split_id=one.split_id))

    @rule(data=st.data(), amount=st.integers(0, 1_500), fee=st.sampled_from([0, 7, 150]))
    def take(self, data: st.DataObject, amount: int, fee: int) -> None:
        """The bank takes a charge back, or a part of it, if it is there."""
        self.market.custodian.charge_back(data.draw(st.sampled_from(sorted(self.references))), amount, fee=fee)

    @precondition(lambda self: self.market.custodian.chargebacks())
    @rule(data=st.data(), won=st.booleans())
    def decide(self, data: st.DataObject, won: bool) -> None:
        """And decides, perhaps before we have heard of it."""
        self.market.custodian.decide_chargeback(data.draw(st.sampled_from(self.market.custodian.chargebacks())).chargeback, won=won)

    @rule(into=st.sampled_from(Into))
    def take_unclaimed(self, into: Into) -> None:
        """The payer says where it goes what could not go back: never into the wallet what a provider keeps."""
        for one in self.unclaimed():
            if one.state is UnclaimedState.WAITING:
                ask = TakeUnclaimed(unclaimed_id=one.id, into=into)
                try:
                    self.market.world.send(ask, actor=Actor(person=BUYER))
                except Refused as no:
                    assert (no.code, into, one.custody) == ("kept_by_provider", Into.WALLET, Custody.PROVIDER)  # noqa: PT017 - which

    def unclaimed(self) -> list[Unclaimed]:
        """What waits for the payer, or has waited."""
        rows = self.market.world.rows("SELECT body FROM payment_unclaimed ORDER BY id")
        return [msgspec.json.decode(body, type=Unclaimed) for (body,) in rows]

    @rule()
    def tell(self) -> None:
        """The channels say what they have to say."""
        self.market.tell()

    @rule()
    def run_errands(self) -> None:
        """The couriers go."""
        self.market.run_errands()

    @rule(asks=st.booleans())
    def die(self, asks: bool) -> None:
        """The cloud dies, and its couriers may have asked a provider and not reported: they ask again."""
        if asks:
            self.market.ask_in_vain()
        self.market.restart()

    @rule()
    def say_again(self) -> None:
        """The provider says again, and in another order, what it has said of splits and refunds."""
        for request, reference in reversed(self.market.custodian._rows(_SAID)):
            self.market.custodian._tell(self.market.custodian._event(reference, request))

    @rule(by_ms=st.sampled_from([1_000, MINUTE, 3 * DAY]))
    def pass_time(self, by_ms: int) -> None:
        """Alarms ring."""
        self.market.world.pass_time(by_ms)

    def found(self) -> list[Chargeback]:
        """Every chargeback as it is kept."""
        rows = self.market.world.rows("SELECT body FROM payment_chargeback ORDER BY id")
        return [msgspec.json.decode(body, type=Chargeback) for (body,) in rows]

    @invariant()
    def every_escrow_says_what_is_in_it(self) -> None:
        """As its account does; what has not gone back is what was paid, less refunds and what a bank has."""
        taken: dict[str, int] = defaultdict(int)
        for one in self.found():
            for share in one.shares:
                taken[share.order_id] += share.amount.amount if one.state is not WON else 0
        refunded: dict[str, int] = defaultdict(int)
        for id in self.refund_ids:
            refund = self.market.world.ask(RefundOf(refund_id=id))
            refunded[refund.order_id] += refund.whole.amount
        for number in range(1, self.orders + 1):
            escrow = self.escrow(number)
            if escrow is not None:
                paid = sum(funding.amount.amount for funding in escrow.funding)
                assert escrow.left.amount == paid - refunded[escrow.order_id] - taken[escrow.order_id]
                assert escrow.held.amount == self.market.balance(escrow.account)
                assert escrow.state in (EscrowState.HELD, EscrowState.SPLITTING) or not escrow.held

    def teardown(self) -> None:
        """Let everything come to its end with channels that behave, then compare all books with all documents."""
        if not hasattr(self, "market"):
            return
        try:
            for sandbox in self.market.sandboxes.values():
                sandbox.misbehaviour = Misbehaviour()
            for event in self.market.custodian.chargebacks():
                self.market.custodian.decide_chargeback(event.chargeback, won=len(event.event) % 2 == 0)
            self.market.pass_time(90 * MINUTE, step=15 * MINUTE)
            self.market.pass_time(80 * DAY, step=8 * DAY)
            self.ask_again(again=True)
            self.ask_again(again=True)
            self.market.pass_time(4 * MINUTE, step=MINUTE)
            self._compare()
        finally:
            self.market.__exit__()
            shutil.rmtree(self.folder)

    def _compare(self) -> None:
        assert self.market.world.cloud.writer.broken == 0
        assert self.market.balanced()
        assert [self.market.returning(channel) for channel in CHANNELS] == [0, 0]
        known = {one.name for one in self.found()}
        unheard = [one for one in self.market.custodian.chargebacks() if one.chargeback not in known]
        assert unheard or self.market.reconciles("custodian")
        last = self.market.world.ask(StatementsOf(channel="custodian", limit=3)).items
        assert unheard or {day.state for day in last} == {"agrees"}
        assert self.market.reconciles()
        self._compare_shops()
        self._compare_hold()
        wallet = PURSE
        for number in range(1, self.orders + 1):
            escrow = self.escrow(number)
            wallet -= sum(one.amount.amount for one in escrow.funding if one.kind is TenderKind.WALLET) if escrow else 0
        for id in self.refund_ids:
            for piece in self.market.world.ask(RefundOf(refund_id=id)).pieces:
                wallet += piece.rest.amount if piece.kind is TenderKind.WALLET or piece.state is PieceState.DIVERTED else 0
        for one in self.found():
            wallet += one.offset.amount - one.offset_kept if one.state is WON else -one.of_wallet.amount
        assert self.market.wallet() == wallet
        waits = [one for one in self.unclaimed() if one.state is UnclaimedState.WAITING]
        assert self.market.balance(unclaimed_account(BUYER, "CNY")) == sum(one.amount.amount for one in waits)

    def _compare_shops(self) -> None:
        """Shops and the marketplace have what is left of what was settled, keeper by keeper, wherever they have it; less lost fees."""
        earned: dict[str, int] = dict.fromkeys(SHOPS, 0)
        kept = 0
        for number, keepers in self.whole.items():
            escrow = self.market.escrow(number)
            if escrow.state is not EscrowState.SETTLED:
                continue
            for place, (whole, fee) in keepers.items():
                left = escrow.left_here.amount if place < 0 else escrow.left_of(place).amount
                commission = (2 * fee * left + whole) // (2 * whole) if whole else 0
                earned[escrow.shop_id] += left - commission
                kept += commission
        for one in self.found():
            weights = [share.amount.amount for share in one.shares]
            parts = split(one.fee, [*weights, one.amount.amount - sum(weights)])
            for share, fee in zip(one.shares, parts, strict=False):
                earned[share.shop_id] -= fee.amount if one.state is ChargebackState.LOST else 0
        for shop in SHOPS:
            accounts = (model.shop_account, drawing.deposit_account, drawing.receivable_account, model.received_account)
            pending = sum(one.amount for one in self._drawn_early(shop))
            assert sum(self.market.balance(id_of(shop, "CNY")) for id_of in accounts) == earned[shop] - pending
        early = sum(one.commission.amount + one.shortfall.amount for _, one in self._drawn(early=True))
        marketplace = self.market.balance(model.commission_account("CNY")) + self.market.balance(drawing.shortfall_account("CNY"))
        assert marketplace == kept - early

    def _drawn(self, *, early: bool) -> list[tuple[str, model.Drawn]]:
        """What chargebacks have drawn of orders whose split is, or is not, refused still."""
        found = []
        for one in self.found():
            for share in one.shares:
                splitting = self.market.escrow(int(share.order_id[4:], 16)).state is EscrowState.SPLITTING
                if share.drawn is not None and one.state is not WON and splitting is early:
                    found.append((share.shop_id, share.drawn))
        return found

    def _drawn_early(self, shop: str) -> list[msgspec.Struct]:
        return [amount for shop_id, one in self._drawn(early=True) if shop_id == shop for amount in (one.balance, one.deposit, one.owed)]

    def _compare_hold(self) -> None:
        """What the provider keeps is what escrows have there, and what waits there for a payer."""
        waits = sum(
            one.amount.amount for one in self.unclaimed() if one.custody is Custody.PROVIDER and one.state is UnclaimedState.WAITING
        )
        held = 0
        for number in range(1, self.orders + 1):
            escrow = self.escrow(number)
            if escrow is not None and escrow.state is EscrowState.HELD:
                held += model.left_with_providers(escrow).amount
        rows = self.market.world.rows("SELECT body FROM payment_split WHERE state = ?", SplitState.REFUSED)
        held += sum(msgspec.json.decode(body, type=model.Split).whole.amount for (body,) in rows)
        assert self.ours().held == held + waits
        assert self.ours().given == sum(self.market.balance(model.received_account(shop, "CNY")) for shop in SHOPS)

    def ours(self) -> KeptBalances:
        """Where our books say that the custodian's money is."""
        return KeptBalances(
            held=-self.market.balance(model.held_account("custodian", "CNY")),
            given=-self.market.balance(model.given_account("custodian", "CNY")),
            own=-self.market.balance(model.own_account("custodian", "CNY")),
        )


TestKept = Kept.TestCase
TestKept.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _gives_all(_: object, settlement: object, *, now: int, asks: object = model.splits_of) -> object:
    """The shop is given the commission of what a provider keeps as well."""
    return tuple(replace(one, to_shop=one.whole, to_marketplace=cny(0)) for one in asks(_, settlement, now=now))


FAULTS = {
    "the provider gives the shop the commission": (model, "splits_of", _gives_all),
    "what is asked back is all the shop's": (drawing, "commission_back", lambda commission, **_: replace(commission, amount=0)),
    "a bank's money is not made up for": (covering, "cover", lambda *_: None),
    "what is split is paid out here as well": (
        splitting,
        "received",
        lambda shop_id, currency: splitting.account(model.shop_account(shop_id, currency), currency, splitting.AccountCode.SHOP),
    ),
    "nothing is asked back": (asking_back, "_ask_back", lambda *_: None),
    "what a shop has no more is nobody's": (splitting, "draw_instead", lambda *_: splitting.Movement(transfers=())),
    "a split is done with the first answer": (recourse, "splits_of_order", lambda *_: []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stories and what is checked after them can fail."""
    where, name, planted = FAULTS[fault]
    monkeypatch.setattr(where, name, planted)
    once = settings(TestKept.settings, max_examples=400, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises((AssertionError, BrokenError, Refused)):
        run_state_machine_as_test(Kept, settings=once)
