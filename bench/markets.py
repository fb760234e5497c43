"""The market made once for each system, and a fresh copy of it for each run; a large one is made, or found, once and loaded where it is."""

import hashlib
import mmap
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from msgspec import Struct

from bench import textbook
from bench.market import SMALL, STOCK, WALLET, Size, fast_store, furnished
from bench.servers import Server, ours
from bench.servers import textbook as textbook_served
from yunduan.backends import postgresql, sqlite
from yunduan.backends.postgresql import PostgresqlStore
from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import open_indexers
from yunduan.domains.ledger.audit import audit
from yunduan.runtime.ports import Snapshots
from yunduan.runtime.settings import Settings, StoreSettings

LARGE = "-large"
"""Ends the name of a store's system whose market is large."""
PEOPLE = "people.txt"
SPENT = {"checkout": PEOPLE, "purchase": "bare.txt"}
"""Whom a workload uses up, where it goes on with the same market; the others only look, as the same people again."""
A_SECOND = 2_600
"""How many people of a large market buy in a second, at most."""


class Large(Struct, frozen=True, kw_only=True):
    """How large the large market is, or where it lies, made by `python -m bench.market`, for SQLite alone."""

    size: Size | None = None
    folder: Path | None = None

    @classmethod
    def of(cls, said: str) -> "Large":
        """From an option: a number of goods, people and orders each, a folder, or nothing."""
        if said.isdigit():
            return cls(size=Size(goods=int(said), people=int(said), orders=int(said)))
        return cls(folder=Path(said)) if said else NONE


NONE = Large()


class Served(NamedTuple):
    """A server, the folder of its data, and the one of what a driver has to know."""

    server: Server
    folder: Path
    drive: Path


class Markets:
    """Seeds and copies, in a folder and in a throw-away PostgreSQL."""

    def __init__(self, work: Path, cluster: Any, large: Large = NONE, *, small: Size = SMALL, seconds: int = 5) -> None:
        """Nothing is made before it is wanted; a run takes so many seconds."""
        self._people = seconds * A_SECOND
        self._small = small
        self._work = work
        self._cluster = cluster
        self._large = large
        self._made: set[str] = set()
        self._run = work / "run"
        self._spent: dict[tuple[str, str], int] = {}
        self._held: list[mmap.mmap] = []

    @contextmanager
    def served(self, system: str, kind: str, *, readers: int = 0) -> Iterator[Served]:
        """A server on a fresh copy of a system's market, or on the large one with people that no run before has used up."""
        self._make(system)
        log, source = self._work / "server.log", self._folder(system)
        if system.endswith(LARGE):
            drive = self._crowd(system, kind)
            with self._ours(system, source, _database(system), readers, log) as server:
                yield Served(server, source, drive)
            return
        shutil.rmtree(self._run, ignore_errors=True)
        if system == "sqlite":
            shutil.copytree(source, self._run)
            os.sync()  # or what was copied is written while others wait for the same disk: a tenth of a second at some moment of the load
            with self._ours(system, self._run, "", readers, log) as server:
                yield Served(server, self._run, self._run)
            return
        self._cluster.run(f"CREATE DATABASE run TEMPLATE {_database(system)}")
        try:
            if system == "textbook":
                with textbook_served(self._url("run"), log=log, beside=(self._cluster.pid,)) as server:
                    yield Served(server, source, source)
            else:
                shutil.copytree(source, self._run)
                os.sync()
                with self._ours(system, self._run, "run", readers, log) as server:
                    yield Served(server, self._run, self._run)
        finally:
            self._cluster.run("DROP DATABASE run WITH (FORCE)")

    def _ours(self, system: str, folder: Path, database: str, readers: int, log: Path) -> Server:
        if system.startswith("sqlite"):
            return ours(folder, readers=readers, is_large=system.endswith(LARGE), log=log)
        return ours(folder, store_url=self._url(database), readers=readers, log=log, beside=(self._cluster.pid,))

    def faults(self, folder: Path) -> list[str]:
        """What is wrong with the books of a store that was loaded: nothing."""
        return _faults(sqlite.open_reader(folder / "yunduan.sqlite"))

    def faults_of_large(self) -> list[str]:
        """The same of each large market that was loaded, with which every run has gone on."""
        found: list[str] = []
        for system in sorted(system for system in self._made if system.endswith(LARGE)):
            print(f"proving the books of {system}", flush=True)
            is_file = system.startswith("sqlite")
            found += self.faults(self._folder(system)) if is_file else _faults(postgresql.open_reader(self._url(_database(system))))
        return found

    def _make(self, system: str) -> None:
        if system in self._made:
            return
        self._made.add(system)
        if system == "textbook":
            self._make("sqlite")
            self._cluster.run(f"CREATE DATABASE {_database(system)}")
            self._fill_textbook(self._folder("sqlite"))
            return
        large = self._large if system.endswith(LARGE) else NONE
        if large.folder is not None:
            if not (large.folder / "people.txt").exists():
                raise SystemExit(f"there is no market in {large.folder}")
            _index(large.folder)
            self._hold(large.folder)
            return
        folder, size = self._folder(system), large.size or self._small
        folder.mkdir()
        print(f"making the market of {system}", flush=True)
        if system.startswith("sqlite"):
            furnished(fast_store(folder), folder, size=size, say=_say)
            SqliteStore(folder / "yunduan.sqlite").close()  # a start folds the log into the file
            _index(folder)
            if system.endswith(LARGE):
                self._hold(folder)
        else:
            self._cluster.run(f"CREATE DATABASE {_database(system)}")
            furnished(PostgresqlStore(self._url(_database(system))), folder, size=size, say=_say)
            with psycopg.connect(self._dsn(_database(system)), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            _index(folder, self._url(_database(system)))

    def _hold(self, folder: Path) -> None:
        """Have a large market's files in memory, as they are after some hours of service, and keep them there.

        A machine may page out what nobody has mapped and nobody has read for a minute (DAMON): between two runs that is the market.
        """
        for file in sorted(folder.rglob("*.sqlite")):
            with file.open("rb") as opened:
                self._held.append(mmap.mmap(opened.fileno(), 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ))

    def _crowd(self, system: str, kind: str) -> Path:
        """The files of a driver: with people that no run before has used up, where this one uses them up, and of no other kind."""
        drive, source = self._work / f"drive-{system}", self._folder(system)
        if not drive.exists():
            drive.mkdir()
            for known in ("shops.txt", "queries.txt"):
                (drive / known).symlink_to((source / known).resolve())
        name = SPENT.get(kind, PEOPLE)
        if kind in SPENT or not (drive / name).exists():
            spent = self._spent.get((system, name), 0)
            with (source / name).open() as lines:
                people = list(islice(lines, spent, spent + self._people))
            if len(people) < self._people:
                raise SystemExit(f"everybody in {source / name} has bought: make the market anew, larger, or take fewer rounds")
            (drive / name).write_text("".join(people))
            self._spent[system, name] = spent + self._people
        return drive

    def _fill_textbook(self, source: Path) -> None:
        full, bare = ([line.split() for line in (source / name).read_text().splitlines()] for name in ("people.txt", "bare.txt"))
        people = [*full, *bare]
        variants = [line.split() for line in (source / "variants.txt").read_text().splitlines()]
        shops = dict.fromkeys(shop for _, _, shop, _ in variants)
        goods = dict.fromkeys((goods, shop) for _, goods, shop, _ in variants)
        lines: dict[tuple[str, str], int] = {}
        for _, person, *baskets in full:
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
        with psycopg.connect(self._dsn(_database("textbook")), autocommit=True) as connection:
            connection.execute(textbook.SCHEMA.encode())
            for table, content in rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    for row in content:
                        copy.write_row(row)
            connection.execute("VACUUM ANALYZE")

    def _folder(self, system: str) -> Path:
        if system == f"sqlite{LARGE}" and self._large.folder is not None:
            return self._large.folder
        return self._work / f"market-{'sqlite' if system == 'textbook' else system}"

    def _dsn(self, database: str) -> str:
        return f"host={self._cluster.folder} dbname={database} user=yunduan"

    def _url(self, database: str) -> str:
        return f"postgresql://yunduan@/{database}?host={self._cluster.folder}"


def _faults(reader: Snapshots) -> list[str]:
    try:
        return [f"AUDIT: {fault}" for fault in audit(reader).faults]
    finally:
        reader.close()


def _index(folder: Path, url: str = "") -> None:
    """Make the search indexes, so that no run is loaded while they are made."""
    print("indexing", flush=True)
    with open_indexers(Settings(data=str(folder), store=StoreSettings(url=url))) as indexers:
        for indexer in (indexers.goods, indexers.orders):
            while indexer.step():
                pass


def _say(what: str, done: int, total: int) -> None:
    if done == total:
        print(f"  {done:,} {what}", flush=True)


def _database(system: str) -> str:
    return system.replace("-", "_")
