"""The trade where most of it is paid over a channel whose provider keeps the money, and splits it when an order is settled."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from yunduan.backends.sandbox import Custodian, Kept, Misbehaviour
from yunduan.domains.payments.errands import OutgoingState
from yunduan.domains.payments.model import (
    Channels,
    EscrowState,
    SplitState,
    chargeback_id,
    given_account,
    held_account,
    left_with_providers,
    own_account,
    received_account,
    returning_account,
)
from yunduan.runtime.clock import Clock, SeededEntropy
from yunduan.testing.checkers import claim
from yunduan.testing.trade.auditor import GOODS, TradeAuditor
from yunduan.testing.trade.checks import nothing_is_held_for_ever
from yunduan.testing.trade.papers import Papers
from yunduan.testing.trade.simulation import TradeSimulation

SECRET = bytes(range(64))


def kept_by(papers: Papers) -> Kept:
    """What a provider keeps, gave shops and gave the marketplace, by our books."""
    held, given, own = (-papers.balance(of("custodian", "CNY")) for of in (held_account, given_account, own_account))
    return Kept(held=held, given=given, own=own)


def compare_given(papers: Papers) -> None:
    """What a provider gave, shops received."""
    received = sum(amount for account, amount in papers.balances.items() if account.startswith("rcv_"))
    claim(kept_by(papers).given == received, f"providers gave {kept_by(papers).given}, shops received {received}")


class KeptAuditor(TradeAuditor):
    """Compares what we say of the provider's money with the provider's own books; the rest of the money is compared elsewhere."""

    laws = (*GOODS, compare_given)

    def __init__(self, clock: Clock, custodian: Custodian, **more: Any) -> None:
        """Nothing has happened."""
        super().__init__(clock, **more)
        self._custodian = custodian

    @property
    def splits(self) -> list[str]:
        """How what orders have there was divided."""
        return [one.state.value for one in self._papers.splits.values()]

    def at_rest(self) -> None:
        """The provider's books are ours to the last unit, and everything that it was asked has been answered.

        Money that waits for its owner's word is there too, and so is what they have asked for and nobody has approved yet.
        """
        nothing_is_held_for_ever(self._papers)
        ours, theirs = kept_by(self._papers), self._custodian.balances("CNY")
        claim(ours == theirs, f"the provider has {theirs}, we say {ours}")
        claim(self._papers.balance(returning_account("custodian", "CNY")) == 0, "something is on its way back from the provider for ever")
        waiting = [one.id for one in self._papers.errands.values() if one.state in (OutgoingState.WAITING, OutgoingState.ASKED)]
        claim(not waiting, f"errands that nobody runs: {waiting}")
        held = sum(left_with_providers(one).amount for one in self._papers.escrows.values() if one.state is EscrowState.HELD)
        held += sum(one.whole.amount for one in self._papers.splits.values() if one.state in (SplitState.ASKED, SplitState.REFUSED))
        owed = [one for one in self._papers.unclaimed.values() if one.custody == "provider" and not one.has_ended]
        held += sum(one.amount.amount for one in owed)
        claim(ours.held == held, f"the provider keeps {ours.held}, orders and payers have {held} there")
        decided = {chargeback_id("custodian", one.chargeback): one.outcome.value for one in self._custodian.chargebacks()}
        known = {one.id: f"chargeback_{one.state.value}" for one in self._papers.chargebacks.values() if one.channel == "custodian"}
        claim(known == decided, f"chargebacks decided otherwise than we know: {known.items() ^ decided.items()}")
        shop = received_account(self._shop, "CNY")
        claim(self._papers.balance(shop) >= 0, "a shop gave more back than it had")


class KeptTradeSimulation(TradeSimulation):
    """The same people, who pay over either channel."""

    def __init__(self, seed: int, folder: Path, **settings: Any) -> None:
        """Begin with a market that is open."""
        super().__init__(seed, folder, **settings)
        self.custodian = Custodian(
            SECRET,
            clock=self.clock,
            entropy=SeededEntropy(seed + 3),
            page_url="/custodian/pay",
            misbehaviour=self._misbehaviour(),
        )
        self._shoppers.sandboxes["custodian"] = self.custodian
        self._shoppers.ways = ("custodian", "custodian", "custodian", "sandbox")
        self._checker = KeptAuditor(self.clock, self.custodian, sandbox=self.sandbox)
        self.auditor = self._checker  # type: ignore[assignment]

    def _misbehaviour(self) -> Misbehaviour:
        usual = super()._misbehaviour()
        return replace(usual, dawdles=0, refuses_payouts=0)

    def channels(self) -> Channels:
        """The marketplace's own, and the provider's."""
        return Channels({"sandbox": self.sandbox, "custodian": self.custodian}, providers={"custodian": self.custodian})
