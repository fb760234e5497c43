"""A replay that is cut off anywhere goes on, and ends where one ends that was not."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.olist import ending, write_tables
from yunduan.cloud import Cloud, join, open_store
from yunduan.edges.olist import replay
from yunduan.edges.olist.plan import Plan, plan
from yunduan.edges.olist.replay import SOURCE, Replay
from yunduan.edges.olist.tables import read
from yunduan.runtime.clock import VirtualClock
from yunduan.runtime.settings import Settings

NOW_MS = 1_790_000_000_000
PROBES_BETWEEN_CUTS = 97
"""A prime, so that the cuts fall on every step of the writer."""


def replayed(data: Path, made: Plan, *, probe: Callable[[str], None] | None = None) -> int:
    """A replay from where the folder's store stands to its end; answers how many steps had been done before."""
    settings = Settings(data=str(data))
    data.mkdir(exist_ok=True)

    async def run() -> int:
        clock = VirtualClock(0)
        parts = join(data, settings=settings, clock=clock)
        cloud = Cloud(open_store(settings), parts=parts, clock=clock, importing=SOURCE, probe=probe)
        try:
            olist = Replay(cloud, clock, made, watch=lambda *_: None)
            begun = await olist.begin()
            await olist.run(begun)
            await olist.come_back(NOW_MS)
        finally:
            await cloud.stop()
        return begun.done

    return asyncio.run(run())


@pytest.mark.slow
def test_a_replay_cut_off_anywhere_ends_where_one_ends_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files as a kill leaves them between any two steps of the writer, in the middle of a batch or of a step of the plan."""
    monkeypatch.setattr(replay, "STEPS_UNHEARD_MAX", 20)
    made = plan(read(write_tables(tmp_path / "olist", times=5)))
    whole = tmp_path / "whole"
    probes = 0
    cut: list[Path] = []
    where: set[str] = set()

    def probe(step: str) -> None:
        nonlocal probes
        probes += 1
        if probes % PROBES_BETWEEN_CUTS == 0:
            cut.append(tmp_path / f"cut{probes}")
            where.add(step)
            subprocess.run(["cp", "-r", whole, cut[-1]], check=True)

    assert replayed(whole, made, probe=probe) == 0
    assert len(cut) > 25
    assert where >= {"taken", "begun", "ran", "sealed", "flushed", "committing", "committed", "answered"}
    stands = ending(whole)
    done = [replayed(folder, made) for folder in cut]
    assert [folder.name for folder in cut if ending(folder) != stands] == []
    assert done == sorted(done)
    assert len(set(done)) > 3
