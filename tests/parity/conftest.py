"""Every story of this suite runs on every store."""

from collections.abc import Iterator

import pytest

from support.stores import Place, cluster, place, quiet, world_at
from support.toy import TOY
from yunduan.runtime import domain as runtime
from yunduan.testing import World

__all__ = ["cluster", "place", "quiet"]

DOMAINS = (runtime.DOMAIN, TOY)


@pytest.fixture
def world(place: Place) -> Iterator[World]:
    """A cloud with the toy domain, on each of the stores."""
    with world_at(place, domains=DOMAINS) as world:
        yield world
