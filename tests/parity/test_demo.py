"""The demonstration market is the same on every store."""

import asyncio
from pathlib import Path

from support.stores import Place, SqlitePlace
from yunduan.domains.ledger.audit import audit
from yunduan.edges.demo.living import Size
from yunduan.edges.demo.making import make
from yunduan.runtime.settings import Settings

END_MS = 1_795_900_000_000
SIZE = Size(people=20, days=12, orders=30, goods_of_a_shop=2)


def book(place: Place, folder: Path) -> str:
    """The hash that the book of a small market ends in, made at a place with its keys in a folder."""
    settings = Settings(data=str(folder))
    asyncio.run(make(place.open(), settings, seed=5, watch=lambda *_: None, size=SIZE, now=lambda: END_MS))
    store = place.open()
    reader = store.reader()
    report = audit(reader)
    reader.close()
    store.close()
    assert report.faults == ()
    return report.chain_end


def test_a_seed_makes_one_market_on_either_store(place: Place, tmp_path: Path) -> None:
    """To the last transfer."""
    beside = tmp_path / "beside"
    beside.mkdir()
    assert book(place, tmp_path) == book(SqlitePlace(beside), beside)
