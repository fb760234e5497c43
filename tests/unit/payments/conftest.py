"""A market for the tests of payments."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.payments import Market


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """An empty one."""
    with Market(tmp_path) as market:
        yield market
