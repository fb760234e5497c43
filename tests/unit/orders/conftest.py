"""A small market for every test of orders, on the store that `--store` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import Place, chosen_place, place
from unit.orders.market import Market

__all__ = ["place"]


@pytest.fixture
def market(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Market]:
    """Two shops, a channel, nobody yet who buys."""
    found = Market(tmp_path, chosen_place(request, tmp_path).open())
    yield found
    found.close()


@pytest.fixture
def shared(place: Place, tmp_path: Path) -> Iterator[Market]:
    """The same market on each store."""
    found = Market(tmp_path, place.open())
    yield found
    found.close()
