"""Any story of money that a provider keeps leaves books that are the provider's own, and nobody with a cent too much."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from support.payments import BUYER, MINUTE, Market, by_channel, by_wallet, cny, part
from support.stories import SHOPS, WON, Story
from yunduan.backends.sandbox import Misbehaviour, Sandbox
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import asking_back, covering, drawing, model, recourse, splitting
from yunduan.domains.payments.mirroring import KeptBalances
from yunduan.domains.payments.model import ChargebackState, Custody, Escrow, EscrowState, Split, SplitState
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.splits_seen import RefusedSplits
from yunduan.domains.payments.statements import StatementsOf
from yunduan.domains.payments.taking import TakeUnclaimed
from yunduan.domains.payments.unclaimed import Into, UnclaimedState, unclaimed_account
from yunduan.kernel.actors import Actor
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import BrokenError, Refused

CHANNELS = ("custodian", "sandbox")
_SAID = (
    "SELECT request, reference FROM split WHERE state != 'waiting' UNION ALL"
    " SELECT request, reference FROM refund WHERE state != 'waiting' ORDER BY 1 LIMIT 8"
)
"""What the custodian has told already."""


class Kept(Story):
    """One payer, a wallet, a channel of ours and one whose provider keeps the money, two shops, and a bank."""

    purse = 4_000
    openings = st.sampled_from(["is_kept_alone", "stays_with_the_bank", "is_not_there_any_more", ""])
    """What a story goes on with after its beginning: what is rare by chance."""

    def __init__(self) -> None:
        """Nothing has happened."""
        super().__init__()
        self.references: dict[str, str] = {}
        self.whole: dict[int, dict[int, tuple[int, int]]] = {}
        """Of each order that was to be settled: by the places of its keepers (-1: here), what was there and the commission on it."""

    @property
    def bank(self) -> Sandbox:
        """Banks take back what the custodian has collected."""
        return self.market.custodian

    @initialize(
        seed=st.integers(0, 2**32),
        doubles=st.sampled_from([0, 500]),
        delays=st.sampled_from([0, 300]),
        loses=st.sampled_from([0, 200]),
        refuses=st.sampled_from([0, 400]),
        unreachable=st.sampled_from([0, 300]),
        data=st.data(),
    )
    def open(self, seed: int, doubles: int, delays: int, loses: int, refuses: int, unreachable: int, data: st.DataObject) -> None:
        """How badly the provider behaves is a part of the story; what is rare comes first."""
        self.market = Market(self.folder, seed=seed)
        self.market.fill(BUYER, self.purse)
        self.market.name_payee(BUYER)
        self.pay([700, 300], 100, 0)
        self._settle(1, 40)
        self.market.pass_time(MINUTE)
        self._refund(1, [200])
        self.market.pass_time(MINUTE)
        self.market.custodian.charge_back(next(iter(self.references)), 90)
        self.market.tell()
        if opening := data.draw(self.openings):
            getattr(self, opening)()
        self.loses = loses
        behaves = Misbehaviour(
            doubles=doubles, delays=delays, loses=loses, unreachable=unreachable, refuses_splits=refuses, refuses_returns=refuses
        )
        self.market.custodian.misbehaviour = replace(behaves, refuses_refunds=refuses // 2)

    def is_kept_alone(self) -> None:
        """Nobody but the provider has anything of an order, and divides it."""
        self.pay([500], 0, 0)
        self._settle(self.orders, 50)
        self.market.pass_time(MINUTE)

    def stays_with_the_bank(self) -> None:
        """What the provider keeps of an order, and the bank has of us."""
        self.pay([400], 0, 0)
        name = self.market.custodian.charge_back(list(self.references)[-1])
        self.market.tell()
        self.market.custodian.decide_chargeback(name, won=False)
        self.market.pass_time(MINUTE)

    def is_not_there_any_more(self) -> None:
        """The shop has spent there what is asked back of it."""
        self.is_kept_alone()
        self.market.custodian.misbehaviour = Misbehaviour(refuses_returns=1_000)
        self._refund(self.orders, [100])
        self.market.pass_time(2 * MINUTE)

    @rule(
        amounts=st.lists(st.integers(1, 2_000), min_size=1, max_size=3),
        wallet=st.integers(0, 400),
        ours=st.integers(0, 300),
        second=st.sampled_from([0, 0, 1, 250]),
    )
    def pay(self, amounts: list[int], wallet: int, ours: int, second: int = 0) -> None:
        """One to three orders of two shops, the most of it over the custodian, perhaps by two charges."""
        whole = sum(amounts)
        wallet = max(min(wallet, whole - 1, self.free()), 0)
        ours = min(ours, whole - wallet - 1)
        self.checkouts += 1
        parts = [part(self.orders + n + 1, amount, SHOPS[n % 2]) for n, amount in enumerate(amounts)]
        second = min(second, whole - wallet - ours - 1)
        kept = [whole - wallet - ours - second, second] if second else [whole - wallet - ours]
        tenders = [by_wallet(wallet)] * bool(wallet) + [by_channel(ours)] * bool(ours) + [by_channel(one, "custodian") for one in kept]
        started = self.market.pay(self.checkouts, parts, tenders)
        self.orders += len(amounts)
        for which in range(len(started.redirects)):
            self.market.decide(started, which=which)
        for charge in self.charges(started):
            if charge.channel == "custodian":
                self.references[charge.reference] = charge.channel
        self.market.tell()

    def free(self) -> int:
        """What the payer could spend now."""
        return self.market.world.ask(AccountOf(id=model.wallet_account(BUYER, "CNY"))).available().amount

    def may_be_refused(self, refused: Refused, escrow: Escrow) -> bool:
        """While a provider has yet to answer, and no longer."""
        is_asked = any(one.state is SplitState.ASKED for one in self._splits_of(escrow))
        return refused.code == "escrow_being_split" and escrow.state is EscrowState.SPLITTING and is_asked

    def _splits_of(self, escrow: Escrow) -> list[Split]:
        return [one for one in self.documents(Split, "payment_split") if one.order_id == escrow.order_id]

    def was_refunded(self, number: int, before: Escrow) -> None:
        """So much less is to be split."""
        now = self.market.escrow(number)
        if before.state is EscrowState.SPLITTING and now.left != before.left:
            done = {model.split_id(now.order_id, place): place for place in range(len(now.funding))}
            split_off = {done[one.id] for one in self._splits_of(now) if one.state is SplitState.DONE}
            earned = sum(self.whole[number][place][1] for place in split_off)
            self._note(number, now, now.commission.amount - earned if now.commission else 0, split_off)

    def was_settled(self, number: int, before: Escrow, fee: int) -> None:
        """It is to be split."""
        self._note(number, before, fee)

    def _note(self, number: int, escrow: Escrow, fee: int, split_off: set[int] | None = None) -> None:
        """How the commission is divided over the keepers of an order, but for those who have divided their part already."""
        split_off = split_off or set()
        kept = {place: one.left for place, one in enumerate(escrow.funding) if one.custody is Custody.PROVIDER and one.left}
        lefts = {-1: escrow.left.amount - sum(kept.values())} | {place: left for place, left in kept.items() if place not in split_off}
        fees = split(cny(fee), list(lefts.values())) if sum(lefts.values()) else [cny(0)] * len(lefts)
        done = {place: self.whole[number][place] for place in split_off}
        self.whole[number] = done | {place: (lefts[place], one.amount) for place, one in zip(lefts, fees, strict=True)}

    @rule(again=st.booleans())
    def ask_again(self, again: bool) -> None:
        """Operators have what was refused asked anew."""
        for one in self.market.world.ask(RefusedSplits()).items[: 3 if again else 1]:
            self.market.world.send(AskSplitAgain(split_id=one.id))

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

    @invariant()
    def every_escrow_says_what_is_in_it(self) -> None:
        """And has nothing once it was settled or went back."""
        self.compare_escrows()
        assert all(escrow.state in (EscrowState.HELD, EscrowState.SPLITTING) or not escrow.held for escrow in self.escrows().values())

    @invariant()
    def no_debt_is_asked_for_twice(self) -> None:
        """What shops' purses say that providers were asked for is what splits ask for, and no more than once was owed."""
        asked: dict[str, int] = {}
        for one in self.documents(Split, "payment_split"):
            asked[one.shop_id] = asked.get(one.shop_id, 0) + (one.claimed if one.state is SplitState.ASKED else 0)
            assert 0 <= one.claimed <= one.to_shop.amount
            assert one.state in (SplitState.ASKED, SplitState.DONE) or not one.claimed
        rows = self.market.world.rows("SELECT owner, claimed FROM payment_purse WHERE claimed <> 0")
        assert dict(rows) == {shop: claimed for shop, claimed in asked.items() if claimed}

    def operators_act(self) -> None:
        """Have asked anew what was refused."""
        self.ask_again(again=True)
        self.ask_again(again=True)

    def compare(self) -> None:
        """The provider's books are ours, and so are the channel's."""
        assert [self.market.returning(channel) for channel in CHANNELS] == [0, 0]
        assert self.unheard() or self.market.reconciles("custodian")
        last = self.market.world.ask(StatementsOf(channel="custodian", limit=3)).items
        assert self.unheard() or {day.state for day in last} == {"agrees"}
        assert self.market.reconciles()
        self._compare_shops()
        self._compare_hold()
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
            for share, fee in zip(one.shares, self.fees(one), strict=False):
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

    def _drawn_early(self, shop: str) -> list[Money]:
        return [amount for shop_id, one in self._drawn(early=True) if shop_id == shop for amount in (one.balance, one.deposit, one.owed)]

    def _compare_hold(self) -> None:
        """What the provider keeps is what escrows have there, and what waits there for a payer."""
        waits = sum(
            one.amount.amount for one in self.unclaimed() if one.custody is Custody.PROVIDER and one.state is UnclaimedState.WAITING
        )
        held = sum(model.left_with_providers(escrow).amount for escrow in self.escrows().values() if escrow.state is EscrowState.HELD)
        held += sum(one.whole.amount for one in self.documents(Split, "payment_split", f"state = '{SplitState.REFUSED}'"))
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
    "the provider gives the shop the commission": ("is_kept_alone", model, "splits_of", _gives_all),
    "what is asked back is all the shop's": ("", drawing, "commission_back", lambda commission, **_: replace(commission, amount=0)),
    "a bank's money is not made up for": ("stays_with_the_bank", covering, "cover", lambda *_: None),
    "what is split is paid out here as well": (
        "",
        splitting,
        "received",
        lambda shop_id, currency: splitting.account(model.shop_account(shop_id, currency), currency, splitting.AccountCode.SHOP),
    ),
    "nothing is asked back": ("", asking_back, "_ask_back", lambda *_: None),
    "what a shop has no more is nobody's": (
        "is_not_there_any_more",
        splitting,
        "draw_instead",
        lambda *_: splitting.Movement(transfers=()),
    ),
    "a split is done with the first answer": ("", recourse, "splits_of_order", lambda *_: []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each story that begins with what the fault is about fails, or what is checked after it does."""
    opening, where, name, planted = FAULTS[fault]
    monkeypatch.setattr(Kept, "openings", st.just(opening))
    monkeypatch.setattr(where, name, planted)
    once = settings(TestKept.settings, max_examples=1, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises((AssertionError, BrokenError, Refused)):
        run_state_machine_as_test(Kept, settings=once)
