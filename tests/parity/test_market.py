"""The bench's market, made hundreds at a time, is what people's own commands make, row by row, on every store."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench import market, markets
from bench.market import HOME, SOURCE, Asked, Join, Member, Size, Want, fill, make

from support.stores import Place, SqlitePlace
from yunduan.cloud import Cloud
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.commands.sessions import opened
from yunduan.domains.ledger.audit import audit
from yunduan.domains.orders.commands import AddToCart
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.messages import Command
from yunduan.runtime.imports import refuse_unfinished
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.registry import Domain, handles
from yunduan.runtime.transaction import Tx

END_MS = 1_795_900_000_000
SIZE = Size(goods=100, people=40, orders=60)
HOW_IT_WAS_CUT = {"block", "head"}
"""Blocks are one a commit, so that the hash they end in differs; what is in them is compared, transfer by transfer."""


class Enter(Command[SessionId]):
    """Open a session as after the right code."""

    person_id: PersonId


class Fill(Command[None]):
    """Fill a wallet as the bench does."""

    person_id: PersonId


@handles(Enter)
def enter(tx: Tx, ask: Enter) -> SessionId:
    """Whether there is room for it is looked at."""
    return opened(tx, ask.person_id, "bench").id


@handles(Fill)
def fill_wallet(tx: Tx, ask: Fill) -> None:
    """By its posting."""
    fill(tx, ask.person_id)


PHONES = Domain(name="phones", package="bench", commands=(enter, fill_wallet))


class OneByOne:
    """As phones and desks send them."""

    def __init__(self, cloud: Cloud) -> None:
        """For one cloud."""
        self._cloud = cloud

    async def __call__(self, asks: Sequence[Asked]) -> list[Any]:
        """What the bench does in a way of its own by people's commands; then the followers."""
        send, answers = self._cloud.send, []
        for command, actor in asks:
            if isinstance(command, Join):
                answers.append(await self._join(command))
            elif isinstance(command, Want):
                for id, quantity, _ in command.lines:
                    await send(AddToCart(variant_id=id, quantity=quantity), actor=actor)
                answers.append(None)
            else:
                answers.append(await send(command, actor=actor))
        while await self._cloud.following.run_once():
            pass
        return answers

    async def _join(self, ask: Join) -> Member:
        send = self._cloud.send
        person = (await send(RegisterPerson(phone=ask.phone), actor=SYSTEM)).person_id
        address = (await send(AddAddress(address=HOME), actor=Actor(person=person))).id
        await send(Fill(person_id=person), actor=SYSTEM)
        return Member(person, address, await send(Enter(person_id=person), actor=SYSTEM))


def rows(place: Place, folder: Path, **how: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a market that was made at a place, which is proved first; not what has caused a fact."""
    asyncio.run(make(place.open(), folder, size=SIZE, end_ms=END_MS, **how))
    store = place.open()
    reader = store.reader()
    try:
        assert audit(reader).faults == ()
        if place.kind == "sqlite":
            named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        else:
            named = "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()"
        found = {name: sorted(reader.rows(f"SELECT * FROM {name}"), key=repr) for (name,) in reader.rows(named)}  # names of tables
    finally:
        reader.close()
        store.close()
    found["fact"] = sorted(reader_row[:3] + reader_row[4:] for reader_row in found["fact"])
    return found


def test_each_row_is_as_if_people_had_made_it(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether hundreds are carried out together or each alone, and on whatever store: the same rows with the same ids."""
    monkeypatch.setattr(market, "AT_ONCE", 20)
    beside = tmp_path / "beside"
    beside.mkdir()
    bulk, single = rows(place, tmp_path), rows(SqlitePlace(beside), beside, carrier=OneByOne, beside=(PHONES,))
    assert bulk.keys() == single.keys()
    for table in bulk.keys() - HOW_IT_WAS_CUT:
        assert bulk[table] == single[table], table
    assert {len(bulk[table]) for table in ("orders", "hold", "payment", "escrow", "order_of_buyer", "order_of_shop")} == {SIZE.orders}
    assert {row[4] for row in bulk["orders"]} == {"paid", "shipped", "received", "cancelled"}
    assert len(bulk["review"]) > 0


def test_what_a_driver_has_to_know_is_written_down(tmp_path: Path) -> None:
    """Half of the people have carts; everybody has a token, an address and a basket."""
    asyncio.run(make(SqlitePlace(tmp_path).open(), tmp_path, size=SIZE, end_ms=END_MS))
    lines = {name: (tmp_path / f"{name}.txt").read_text().splitlines() for name in ("people", "bare", "shops", "variants")}
    assert {name: len(found) for name, found in lines.items()} == {"people": 20, "bare": 20, "shops": 2, "variants": 200}
    assert all(line.startswith("yds_") and len(line.split()) == 3 for line in (*lines["people"], *lines["bare"]))


def test_a_market_is_made_anew_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut off is opened by nobody."""

    class CutOffError(Exception):
        """The machine falls."""

    def say(what: str, done: int, total: int) -> None:
        if what == "people":
            raise CutOffError

    place = SqlitePlace(tmp_path)
    with pytest.raises(CutOffError):
        asyncio.run(make(place.open(), tmp_path, size=SIZE, end_ms=END_MS, say=say))
    store = place.open()
    with pytest.raises(StoreRefusedError, match=SOURCE):
        refuse_unfinished(store)
    with pytest.raises(StoreRefusedError, match="anew"):
        asyncio.run(make(store, tmp_path, size=SIZE, end_ms=END_MS))


def test_a_run_on_a_large_market_uses_up_only_whom_it_spends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout those with carts, a purchase those without; who only looks is anybody, again and again."""
    monkeypatch.setattr(markets, "A_SECOND", 2)
    source, work = tmp_path / "source", tmp_path / "work"
    for folder in (source, work):
        folder.mkdir()
    (source / "shops.txt").write_text("shop\n")
    for name in ("people.txt", "bare.txt"):
        (source / name).write_text("".join(f"{name} {number}\n" for number in range(4)))
    large = markets.Markets(work, None, markets.Large(folder=source), seconds=1)

    def drawn(kind: str) -> dict[str, list[int]]:
        drive = large._crowd("sqlite-large", kind)
        return {
            name: [int(line.split()[1]) for line in (drive / name).read_text().splitlines()]
            for name in ("people.txt", "bare.txt")
            if (drive / name).exists()
        }

    assert drawn("list") == drawn("page") == {"people.txt": [0, 1]}
    assert drawn("purchase") == {"people.txt": [0, 1], "bare.txt": [0, 1]}
    assert drawn("checkout") == {"people.txt": [2, 3], "bare.txt": [0, 1]}
    assert drawn("purchase") == {"people.txt": [2, 3], "bare.txt": [2, 3]}
    with pytest.raises(SystemExit, match="everybody"):
        drawn("checkout")
