"""A town whose goods can be searched, on both stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import PostgresqlPlace, cluster
from unit.search.market import Market
from yunduan.testing import World

__all__ = ["cluster"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def market(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Market]:
    """A market with goods of every kind."""
    if request.param == "sqlite":
        with World.at(tmp_path, is_searched=True) as world:
            yield Market(world)
        return
    here = PostgresqlPlace(request.getfixturevalue("cluster"))
    with World(here.open(), folder=tmp_path, is_searched=True) as world:
        yield Market(world)
    here.cluster.drop(here.schema)
