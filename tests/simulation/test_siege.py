"""The real process and the real file: killed over and over, and robbed of its power."""

import asyncio
from pathlib import Path

import pytest

from yunduan.testing.checkers import ViolationError
from yunduan.testing.siege import Siege

KILLS = 30
CUTS = 20


def test_one_kill_and_one_power_loss(tmp_path: Path, fresh: int) -> None:
    """The quick part: what has been answered is there."""
    killed = asyncio.run(Siege(tmp_path / "kill", fresh).kill(1))
    cut = asyncio.run(Siege(tmp_path / "cut", fresh).cut_power(4))
    assert (killed.kills, cut.cuts) == (1, 4)


@pytest.mark.slow
def test_kill_minus_nine(tmp_path: Path, fresh: int) -> None:
    """Nothing acknowledged is lost, doubled or invented, whenever the process is killed."""
    tally = asyncio.run(Siege(tmp_path, fresh).kill(KILLS, answers=1_000))
    assert tally.kills >= KILLS
    assert tally.answers >= 1_000
    assert tally.in_doubt > KILLS, "most kills catch somebody waiting"


@pytest.mark.slow
def test_power_loss(tmp_path: Path, fresh: int) -> None:
    """Nothing acknowledged is lost, whenever the power goes and whatever part of what was not synced is on the disk."""
    tally = asyncio.run(Siege(tmp_path, fresh).cut_power(CUTS, answers=100))
    assert tally.cuts >= CUTS
    assert tally.answers >= 100


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_the_power_loss_test_can_fail(synchronous: str, tmp_path: Path, fresh: int) -> None:
    """With a setting of SQLite that does not sync each commit, answers are lost, and the test says so."""
    with pytest.raises(ViolationError):
        asyncio.run(Siege(tmp_path, fresh, synchronous=synchronous).cut_power(10 * CUTS))


@pytest.mark.slow
def test_killing_alone_proves_nothing_about_the_disk(tmp_path: Path, fresh: int) -> None:
    """A process that never syncs survives being killed: what it wrote is in the system's cache."""
    assert asyncio.run(Siege(tmp_path, fresh, synchronous="OFF").kill(4)).kills == 4
