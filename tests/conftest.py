"""What every test may use: a whole cloud under virtual time, on the store that `--store` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import add_store_option, chosen_place, cluster, world_at
from yunduan.testing import World

__all__ = ["cluster"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--store=postgresql` runs the domains' own tests on the other store."""
    add_store_option(parser)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no process is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """An empty cloud with every domain."""
    with world_at(chosen_place(request, tmp_path), folder=tmp_path) as world:
        yield world
