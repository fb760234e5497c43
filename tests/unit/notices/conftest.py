"""A small market whose shop has people in it, on the store that `--store` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import chosen_place
from unit.notices.told import House
from unit.orders.market import Market


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Somebody in every role of the shop."""
    market = Market(tmp_path, chosen_place(request, tmp_path).open())
    yield House(market)
    market.close()
