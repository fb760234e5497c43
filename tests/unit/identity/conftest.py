"""A cloud with people in it, its vault in a file beside the data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.people import People


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    """An empty cloud of people."""
    with People.at(tmp_path) as people:
        yield people
