"""Stores are tested on the real thing: a file in a folder, a schema of a throw-away cluster."""

from collections.abc import Iterator

import pytest

from support.postgresql import Cluster
from support.stores import PostgresqlPlace, cluster, quiet

__all__ = ["cluster", "quiet"]


@pytest.fixture
def here(cluster: Cluster) -> Iterator[PostgresqlPlace]:
    """An empty schema."""
    place = PostgresqlPlace(cluster)
    yield place
    cluster.drop(place.schema)
