"""A small town for every test of the catalog, on the embedded store; in the long run on PostgreSQL too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import PostgresqlPlace, cluster
from unit.catalog.town import Town
from yunduan.runtime.settings import MarketSettings
from yunduan.testing import World

__all__ = ["cluster"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.release)])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    """A cloud with an owner, two shops and a category tree."""
    if request.param == "sqlite":
        with World.at(tmp_path) as world:
            yield Town(world)
    else:
        yield from on_postgresql(request, tmp_path)


@pytest.fixture
def reviewing_town(tmp_path: Path) -> Iterator[Town]:
    """The same where operators look at goods before they are sold."""
    with World.at(tmp_path, market=MarketSettings(reviews_goods=True)) as world:
        yield Town(world)


@pytest.fixture
def postgresql_town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    """The same on PostgreSQL, for the stories that are told there every time."""
    yield from on_postgresql(request, tmp_path)


def on_postgresql(request: pytest.FixtureRequest, folder: Path, market: MarketSettings | None = None) -> Iterator[Town]:
    """A town in a schema of its own."""
    here = PostgresqlPlace(request.getfixturevalue("cluster"))
    with World(here.open(), folder=folder, market=market) as world:
        yield Town(world)
    here.cluster.drop(here.schema)
