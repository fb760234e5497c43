"""A small market for every test of orders, on the store that `--store` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import chosen_place
from unit.orders.market import Market


@pytest.fixture
def market(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Market]:
    """Two shops, a channel, nobody yet who buys."""
    found = Market(tmp_path, chosen_place(request, tmp_path).open())
    yield found
    found.close()
