"""How far the index is behind is told to operators: by figures on scrape, and by the doctor."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from unit.search.market import GOODS, Market
from yunduan.backends.sqlite import SideFolder
from yunduan.cloud import open_indexers
from yunduan.domains.catalog.commands import WithdrawGoods
from yunduan.domains.search.finding import Finder
from yunduan.domains.search.upkeep import Upkeep, upkeep
from yunduan.edges.doctor import Finding, examine
from yunduan.edges.http.watching import Here
from yunduan.edges.operator import SOCKET_NAME
from yunduan.runtime.settings import Settings
from yunduan.testing import World


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Market]:
    """A market whose index is kept when the world settles."""
    with World.at(tmp_path, is_searched=True) as world:
        yield Market(world)


def kept(market: Market, folder: Path) -> Upkeep:
    """How the index is."""
    return upkeep(SideFolder(folder, "search"), market.world.cloud.behind, now_ms=market.world.clock.wall_ms())


def figures(market: Market) -> dict[str, float]:
    """What is scraped of search."""
    text = market.world.run(Here(market.world.cloud).metrics([], 0)).decode()
    lines = [line.split() for line in text.splitlines() if line.startswith("yunduan_search_")]
    return {name.removeprefix("yunduan_search_"): float(value) for name, value in lines}


def said(folder: Path) -> Finding:
    """What the doctor says of search."""
    return next(finding for finding in examine(Settings(data=str(folder))) if finding.what == "search")


def spoil(folder: Path, change: str) -> None:
    """Change what the index says of itself."""
    side = SideFolder(folder, "search").write(1)
    side.write(f"UPDATE state SET {change}")
    side.close()


def test_how_far_it_is_behind_is_counted_and_timed(there: Market, tmp_path: Path) -> None:
    """In facts, and since the first of them was told; goods that go and come back are counted once."""
    now = kept(there, tmp_path)
    assert (now.generation, now.why_not, now.entries, now.behind_facts, now.behind_ms) == (1, "", len(GOODS), 0, 0)
    assert now.is_kept
    assert not now.is_making
    there.add("云南普洱", category="tea")
    there.world.clock.advance_to(there.world.clock.wall_ms() + 5_000)
    there.world.send(WithdrawGoods(shop_id=there.town.other.id, goods_id=there.ids["巨峰葡萄"]))
    now = kept(there, tmp_path)
    assert now.behind_facts > 1
    assert now.behind_ms == 5_000
    assert figures(there) == {
        "generation": 1, "documents": 10, "behind_facts": now.behind_facts, "behind_seconds": 5, "made_seconds": 0, "kept": 1,
        "documents_next": 0,
    }  # fmt: skip
    there.world.settle()
    there.add("福鼎白茶", category="tea")
    there.world.settle()
    assert kept(there, tmp_path).entries == len(GOODS) + 1
    assert figures(there)["behind_facts"] == figures(there)["behind_seconds"] == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("form = form - 1", "it was made by another version"),
        ("epoch = epoch + 1", "it was made of another store, or of this one before it was restored"),
        ("seq = seq + 1000", "it was made of another store, or of this one before it was restored"),
    ],
)
def test_an_index_that_is_not_of_now_is_none(there: Market, tmp_path: Path, change: str, why: str) -> None:
    """Whoever keeps it begins the next; one in another form is read by nobody."""
    spoil(tmp_path, change)
    now = kept(there, tmp_path)
    assert (now.generation, now.why_not) == (0, why)
    assert now.behind_facts > 0
    if change.startswith("form"):
        assert Finder(SideFolder(tmp_path, "search")).refresh() is None
    there.world.settle()
    assert kept(there, tmp_path).generation == 2


def test_the_doctor_says_how_the_index_is(tmp_path: Path) -> None:
    """What is behind is bad where a server had the time to see to it, and not where none runs."""
    there = Market(World.at(tmp_path))
    assert said(tmp_path).found == "no index to find goods in: there is none, no process keeps it"
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as keeping:
        indexer = keeping.enter_context(open_indexers(Settings(data=str(tmp_path)))).goods
        assert indexer.step()
        assert said(tmp_path).found == "no index to find goods in: there is none, the next has 10 goods"
        while indexer.step():
            pass
        assert said(tmp_path).found == "10 goods in generation 1"
        there.add("云南普洱", category="tea")
        assert not said(tmp_path).is_bad
        server.bind(str(tmp_path / SOCKET_NAME))
        server.listen(64)
        assert not said(tmp_path).is_bad  # it has just begun
        long_ago = time.time() - 3_600
        os.utime(tmp_path / SOCKET_NAME, (long_ago, long_ago))
        found = said(tmp_path)
        assert found.is_bad
        assert "behind" in found.found
        assert "slow" in found.advice
        keeping.close()
        found = said(tmp_path)
        assert found.is_bad
        assert found.found.endswith("behind, no process keeps it")
        assert "has fallen" in found.advice
        for path in tmp_path.glob("search*"):
            path.unlink()
        assert said(tmp_path).found == "no index to find goods in: there is none, no process keeps it"
        (tmp_path / "search.current").write_text("1")
        (tmp_path / "search-1.sqlite").write_bytes(b"spoilt" * 4_000)
        assert said(tmp_path).is_bad
        assert said(tmp_path).found.startswith("the index cannot be read")
    there.world.close()
