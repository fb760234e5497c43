"""A trade whose money a provider keeps, over a disk that loses its power: the provider's books are ours at the end of every run."""

from collections import Counter
from pathlib import Path

import pytest

from yunduan.domains.payments import covering, splits, splitting
from yunduan.kernel.refusals import BrokenError
from yunduan.testing.checkers import ViolationError
from yunduan.testing.trade.kept import KeptTradeSimulation

RUNS = 6
SEEDS_MAX = 40


def test_a_day_at_the_market(memory: Path) -> None:
    """The quick part: orders are split, and the same seed is the same day."""
    simulation = KeptTradeSimulation(102, memory, operations=600)
    report = simulation.run()
    kinds = Counter(told.kind for told in simulation.auditor.facts)  # type: ignore[attr-defined]
    assert min(kinds["OrderPaid"], kinds["SplitAsked"], kinds["ChargebackOpened"]) >= 1
    assert simulation._checker.splits.count("done") == kinds["SplitAsked"]
    assert KeptTradeSimulation(102, memory / "again", operations=600).run() == report


@pytest.mark.slow
def test_what_a_provider_keeps_survives_everything(memory: Path, fresh: int) -> None:
    """Under seeds that nobody has seen before."""
    for seed in range(fresh, fresh + RUNS):
        assert KeptTradeSimulation(seed, memory / str(seed), operations=600).run().facts > 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["the hold is not emptied", "a split is never done", "a bank's money is not made up for"])
def test_a_planted_fault_is_caught(fault: str, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked at the end of a run can fail."""
    if fault == "the hold is not emptied":
        whole = splitting.split
        monkeypatch.setattr(splitting, "split", lambda escrow, done: splitting.Movement(**_half(whole(escrow, done))))
    elif fault == "a bank's money is not made up for":
        monkeypatch.setattr(covering, "cover", lambda *_: None)
    else:
        monkeypatch.setitem(splits.WORDS, splits.OutgoingKind.SPLIT, {})
        monkeypatch.setattr(splits, "_have_asked", lambda *_: None)
    with pytest.raises((ViolationError, BrokenError)):
        _run_until_caught(memory)


def _run_until_caught(memory: Path) -> None:
    for seed in range(SEEDS_MAX):
        KeptTradeSimulation(seed, memory / str(seed), operations=600).run()


def _half(movement: splitting.Movement) -> dict[str, object]:
    """What the order, the shop and the marketplace have of it, and not what the provider's hold has."""
    split = [one for one in movement.transfers if one.code == splitting.SPLIT.code]
    return {"transfers": tuple(split), "opening": movement.opening, "closing": movement.closing}
