"""One town for the tests of each module: what is refused leaves it as it was, and every scene stands alone."""

from collections.abc import Iterator

import pytest

from abuse.scenes import Stage
from support.town import Town


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where scenes are made."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield Stage(town)
    town.close()
