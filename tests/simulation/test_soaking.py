"""A soak goes on where its record ends, and a violation is a line of it that counts for nothing."""

from pathlib import Path

import pytest

from yunduan.testing.checkers import ViolationError, claim
from yunduan.testing.simulator import Simulation
from yunduan.testing.soaking import Record, Run, soak


def part(path: Path, memory: Path, *, commit: str = "abc", operations: int = 1, seed: int = 3) -> list[Run]:
    """One part of a soak, in runs of forty operations; what was run in it."""
    runs: list[Run] = []
    record = Record(path, commit)
    soak(record, memory, operations=operations, seconds=60.0, seed=seed, each=40, watch=runs.append)
    return runs


def test_it_goes_on_with_the_next_seed_until_the_commit_has_enough(tmp_path: Path, memory: Path) -> None:
    """Another commit begins anew, in the same file; when there is enough, nothing is run."""
    path = tmp_path / "soak.jsonl"
    (first,) = part(path, memory)
    assert (first.seed, first.market, first.violation) == (3, "trade", "")
    assert part(path, memory, operations=first.operations) == []
    (second,) = part(path, memory, operations=first.operations + 1, seed=99)
    assert (second.seed, second.market) == (4, "toy")
    (other,) = part(path, memory, commit="def", seed=8)
    assert other.seed == 8
    record = Record(path, "abc")
    assert record.runs == [first, second]
    assert record.operations == first.operations + second.operations >= 80
    assert "abc: 2 runs" in record.summary()
    assert f"trade: {first.operations:,} operations, {first.facts:,} facts, seeds 3 to 3" in record.summary()


def test_a_violation_is_written_down_and_counts_for_nothing(tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next part begins after it."""
    path = tmp_path / "soak.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "at_the_end", lambda *_: claim(False, "something is lost"))
        with pytest.raises(ViolationError, match="something is lost"):
            part(path, memory, operations=10_000, seed=3)
    record = Record(path, "abc")
    sound, failed = record.runs
    assert (sound.violation, failed.market, failed.seed) == ("", "toy", 4)
    assert failed.violation.startswith("seed 4, life ")
    assert (record.operations, record.next_seed(0)) == (sound.operations, 5)
    assert ", 1 violations" in record.summary()
