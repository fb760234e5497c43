"""Places where a store can be opened, closed and opened again: one suite runs on all of them.

`conftest.py` of a suite that runs on several stores takes over the fixtures: `from support.stores import cluster, place, quiet`.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog

from support.postgresql import Cluster, PostgresqlMissingError
from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.sqlite import SqliteStore
from yunduan.runtime.ports import Store
from yunduan.testing import World

STORES = ("sqlite", "postgresql")


class Place(Protocol):
    """Where the data of one test is."""

    kind: str

    def open(self, wait_s: float = 5.0) -> Store:
        """Open the store; the last one must have been closed, or be so within `wait_s`."""
        ...


class SqlitePlace:
    """A file in a folder."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        """Nothing is there yet."""
        self.path = folder / "yunduan.sqlite"

    def open(self, wait_s: float = 0.0) -> SqliteStore:  # noqa: ARG002 - a file's lock is let go at once
        """Open the file."""
        return SqliteStore(self.path)


class PostgresqlPlace:
    """A schema of the throw-away cluster."""

    kind = "postgresql"

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is there yet."""
        self.cluster = cluster
        self.schema = cluster.schema()

    def open(self, wait_s: float = 5.0) -> PostgresqlStore:
        """Open the schema."""
        return PostgresqlStore(self.cluster.dsn, schema=self.schema, lock_wait_s=wait_s)


def world_at(place: Place, **settings: Any) -> World:
    """A whole cloud under virtual time, at a place."""
    return World(place.open(), **settings)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One throw-away PostgreSQL for the whole session."""
    try:
        cluster = Cluster()
    except PostgresqlMissingError as missing:
        pytest.skip(str(missing))
    yield cluster
    cluster.stop()


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place on each of the stores."""
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path)
    else:
        here = PostgresqlPlace(request.getfixturevalue("cluster"))
        yield here
        here.cluster.drop(here.schema)


def add_store_option(parser: pytest.Parser) -> None:
    """`--store=postgresql` runs the domains' own tests on the other store; for the `conftest.py` at the top."""
    parser.addoption("--store", choices=STORES, default=STORES[0], help="the store that the domains' tests run on")


def chosen_place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """An empty place on the store that `--store` names."""
    if request.config.getoption("--store") == "sqlite":
        return SqlitePlace(folder)
    here = PostgresqlPlace(request.getfixturevalue("cluster"))
    request.addfinalizer(lambda: here.cluster.drop(here.schema))
    return here


def rows_of(world: World, table: str, *, in_order: bool = False) -> list[tuple[Any, ...]]:
    """Every row of a table, sorted; not the time that the runtime notes by itself, once a minute, with whatever is committed.

    In the order of the store, which on SQLite is that of their keys, where it is looked at again and again.
    """
    rows = [row for row in world.rows(f"SELECT * FROM {table}") if (table, row[0]) != ("mark", "clock_believed_at")]  # names of tables
    return rows if in_order else sorted(rows, key=repr)


def tables(world: World) -> list[str]:
    """The names of every table of a world, on whatever store it is."""
    if isinstance(world.cloud.store, SqliteStore):
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    else:
        sql = "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
    return sorted(row[0] for row in world.rows(sql))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Commands that break on purpose, by the thousand, are not worth drawing a traceback for each."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
