"""Every statement that a module writes down is one on PostgreSQL as well, whether or not a story gets to it."""

import pkgutil
import re
from importlib import import_module

import psycopg
import pytest

import yunduan.domains
import yunduan.runtime
from support.postgresql import Cluster
from support.stores import PostgresqlPlace
from yunduan.backends.postgresql.dialect import translated
from yunduan.cloud import DOMAINS
from yunduan.runtime.migrations import migrate

SIDE = {f"yunduan.domains.search.{name}" for name in ("store", "store_orders", "store_postings", "store_words")}
"""Statements of the indexes beside the store, which are SQLite's files on both."""
BEGINNINGS = {"yunduan.domains.orders.store_findable._NEW"}
"""What statements begin with. Those with a place to fill in (`{`) are left out as well: the stories have to come by them."""
_STATEMENT = re.compile(r"(SELECT|WITH|INSERT|UPDATE|DELETE)\s", re.IGNORECASE)


def statements() -> dict[str, str]:
    """Every constant that is one, by where it stands."""
    found = {}
    for package in (yunduan.domains, yunduan.runtime):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in SIDE:
                for name, value in vars(import_module(module.name)).items():
                    if isinstance(value, str) and _STATEMENT.match(value) and "{" not in value:
                        found[f"{module.name}.{name}"] = value
    return {name: sql for name, sql in found.items() if name not in BEGINNINGS}


def refused(cluster: Cluster, asked: dict[str, str]) -> dict[str, str]:
    """What the server says of those that it cannot make anything of."""
    place = PostgresqlPlace(cluster)
    store = place.open()
    try:
        migrate(store, DOMAINS)
    finally:
        store.close()
    said = {}
    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
        connection.execute(f'SET search_path TO "{place.schema}"')
        for name, sql in asked.items():
            try:
                connection.execute(f"PREPARE one AS {translated(sql)}".encode())
                connection.execute("DEALLOCATE one")
            except psycopg.errors.IndeterminateDatatype:
                continue  # what a value is says whoever sends it, which we do
            except psycopg.Error as error:
                said[name] = str(error).splitlines()[0]
    cluster.drop(place.schema)
    return said


@pytest.mark.slow
def test_every_statement_can_be_prepared(cluster: Cluster) -> None:
    """Its tables and columns are there, and its words are understood."""
    assert len(statements()) > 200
    assert refused(cluster, statements()) == {}


@pytest.mark.slow
def test_one_that_only_sqlite_understands_is_found(cluster: Cluster) -> None:
    """As would be a column that a migration forgot."""
    wrong = ("SELECT seq FROM fact WHERE kind GLOB ?", "SELECT nothing FROM fact", "INSERT OR IGNORE INTO fact (seq) VALUES (?)")
    assert refused(cluster, dict(zip(wrong, wrong, strict=True))).keys() == set(wrong)
