"""The market made once for each system, and a fresh copy of it for each run."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import textbook
from bench.market import furnished
from bench.servers import Server, ours
from bench.servers import textbook as textbook_served
from yunduan.backends import sqlite
from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.sqlite import SqliteStore
from yunduan.domains.ledger.audit import audit

STOCK, WALLET = 10_000_000, 10**9


class Markets:
    """Seeds and copies, in a folder and in a throw-away PostgreSQL."""

    def __init__(self, work: Path, cluster: Any) -> None:
        """Nothing is made before it is wanted."""
        self._work = work
        self._cluster = cluster
        self._made: set[tuple[str, bool]] = set()
        self._run = work / "run"

    @contextmanager
    def served(self, system: str, *, carts: bool, readers: int = 0) -> Iterator[tuple[Server, Path]]:
        """A server on a fresh copy of a system's market, and the folder of what a driver has to know."""
        self._make(system, carts=carts)
        log, source = self._work / "server.log", self._folder("sqlite" if system == "textbook" else system, carts=carts)
        shutil.rmtree(self._run, ignore_errors=True)
        if system == "sqlite":
            shutil.copytree(source, self._run)
            with ours(self._run, readers=readers, log=log) as server:
                yield server, self._run
            return
        self._cluster.run(f"CREATE DATABASE run TEMPLATE {_database(system, carts=carts)}")
        try:
            if system == "textbook":
                with textbook_served(
                    f"postgresql://yunduan@/run?host={self._cluster.folder}", log=log, beside=(self._cluster.pid,)
                ) as server:
                    yield server, source
            else:
                shutil.copytree(source, self._run)
                url = f"postgresql://yunduan@/run?host={self._cluster.folder}"
                with ours(self._run, store_url=url, log=log, beside=(self._cluster.pid,)) as server:
                    yield server, self._run
        finally:
            self._cluster.run("DROP DATABASE run WITH (FORCE)")

    def faults(self) -> list[str]:
        """What is wrong with the books of the copy that was loaded last: nothing."""
        reader = sqlite.open_reader(self._run / "yunduan.sqlite")
        try:
            return [f"AUDIT: {fault}" for fault in audit(reader).faults]
        finally:
            reader.close()

    def _make(self, system: str, *, carts: bool) -> None:
        if (system, carts) in self._made:
            return
        self._made.add((system, carts))
        if system == "textbook":
            self._make("sqlite", carts=carts)
            self._cluster.run(f"CREATE DATABASE {_database(system, carts=carts)}")
            self._fill_textbook(self._folder("sqlite", carts=carts), carts=carts)
            return
        folder = self._folder(system, carts=carts)
        folder.mkdir()
        print(f"making the market of {system}{'' if carts else ' without carts'}", flush=True)
        if system == "sqlite":
            store: Any = SqliteStore(folder / "yunduan.sqlite")
        else:
            self._cluster.run(f"CREATE DATABASE {_database(system, carts=carts)}")
            store = PostgresqlStore(self._dsn(_database(system, carts=carts)))
        furnished(store, folder, carts=carts, say=lambda what: print(f"  {what}", flush=True))
        if system == "sqlite":
            SqliteStore(folder / "yunduan.sqlite").close()  # a start folds the log into the file
        else:
            with psycopg.connect(self._dsn(_database(system, carts=carts)), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")

    def _fill_textbook(self, source: Path, *, carts: bool) -> None:
        people = [line.split() for line in (source / "people.txt").read_text().splitlines()]
        variants = [line.split() for line in (source / "variants.txt").read_text().splitlines()]
        shops = dict.fromkeys(shop for _, _, shop, _ in variants)
        goods = dict.fromkeys((goods, shop) for _, goods, shop, _ in variants)
        lines: dict[tuple[str, str], int] = {}
        for _, person, *baskets in people if carts else []:
            for basket in baskets:
                one, two, _ = basket.split(",")
                lines[person, one] = lines.get((person, one), 0) + 1
                lines[person, two] = lines.get((person, two), 0) + 2
        rows: dict[str, list[tuple[Any, ...]]] = {
            "session (token_hash, person)": [(hashlib.sha256(token.encode()).digest(), person) for token, person, *_ in people],
            "account (id, balance)": [("outside", -WALLET * len(people)), *((person, WALLET) for _, person, *_ in people)],
            "shop (id, name)": [(shop, "Tea house") for shop in shops],
            "goods (id, shop, title, description, sold)": [
                (id, shop, "Hand-thrown celadon tea cup", "Thrown by hand and fired in Longquan. " * 8, 0) for id, shop in goods
            ],
            "variant (id, goods, shop, price, stock)": [(id, goods, shop, int(price), STOCK) for id, goods, shop, price in variants],
            "cart_line (person, variant, quantity)": [(*place, quantity) for place, quantity in lines.items()],
        }
        with psycopg.connect(self._dsn(_database("textbook", carts=carts)), autocommit=True) as connection:
            connection.execute(textbook.SCHEMA.encode())
            for table, content in rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    for row in content:
                        copy.write_row(row)
            connection.execute("VACUUM ANALYZE")

    def _folder(self, system: str, *, carts: bool) -> Path:
        return self._work / f"market-{system}-{'full' if carts else 'empty'}"

    def _dsn(self, database: str) -> str:
        return f"host={self._cluster.folder} dbname={database} user=yunduan"


def _database(system: str, *, carts: bool) -> str:
    return f"{system}_{'full' if carts else 'empty'}"
