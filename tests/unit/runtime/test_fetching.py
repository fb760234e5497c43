"""What a batch will want is fetched together, round by round; what is remembered is not asked for, and nobody suffers for another."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from support.stores import Place, cluster, place, quiet, world_at
from support.toy import PURSES, TOY, Do, Step
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.messages import Command
from yunduan.runtime import domain as runtime
from yunduan.runtime.registry import Wanted, handles
from yunduan.runtime.transaction import Tx
from yunduan.runtime.writer import FETCH_EVERY
from yunduan.testing import World

__all__ = ["cluster", "place", "quiet"]
asked: list[str] = []
"""Which commands were asked what they want."""


class Follow(Command[int]):
    """Add up a purse and the one that its label names."""

    key: str


def _reads(ask: Follow, _: object, tx: Tx) -> Iterator[Wanted]:
    asked.append(ask.key)
    if ask.key == "spoilt":
        raise RuntimeError("it cannot say")
    yield ((PURSES, ask.key),)
    first = tx.get(PURSES, ask.key)
    yield ((PURSES, first.label),) if first else ()


@handles(Follow, reads=_reads)
def follow(tx: Tx, ask: Follow) -> int:
    """Nothing is written."""
    first = tx.get(PURSES, ask.key)
    second = tx.get(PURSES, first.label) if first else None
    return (first.amount if first else 0) + (second.amount if second else 0)


class Look(Command[int]):
    """How much is in a purse."""

    key: str


def _looks(ask: Look, _: object, __: Tx) -> Iterator[Wanted]:
    yield ((PURSES, ask.key),)


@handles(Look, reads=_looks)
def look(tx: Tx, ask: Look) -> int:
    """Nothing is written."""
    found = tx.get(PURSES, ask.key)
    return found.amount if found else 0


DOMAINS = (runtime.DOMAIN, replace(TOY, commands=(*TOY.commands, follow, look)))


@pytest.fixture
def world(place: Place) -> Iterator[World]:
    """Six purses, each with a label that names another; nothing is remembered."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(Do(steps=tuple(Step("put", key, 1) for key in "abcxyz")))
        store = world.cloud.store
        store.begin()
        for one, other in ("ax", "by", "cz"):
            store.write("UPDATE purse SET label = ? WHERE id = ?", (other, one))
        store.lend()
        store.commit()
    with world_at(place, domains=DOMAINS) as world:
        asked.clear()
        yield world


def loads(world: World, patch: pytest.MonkeyPatch) -> list[list[Any]]:
    """The keys of purses that the writer's connection is asked for from now on, a list for each time."""
    found: list[list[Any]] = []
    load = world.cloud.store.load

    def noted(table: Any, keys: Sequence[Any]) -> Any:
        if table is PURSES:
            found.append(sorted(keys))
        return load(table, keys)

    patch.setattr(world.cloud.store, "load", noted)
    patch.setattr(world.cloud.store, "load_each", lambda wanted: [noted(table, keys) for table, keys in wanted])
    return found


def test_a_batch_fetches_each_round_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second round names what the first has brought; the handlers find all of it remembered."""
    found = loads(world, monkeypatch)
    assert world.send_all([(Follow(key=key), SYSTEM) for key in "abc"]) == [2, 2, 2]
    assert found == [["a", "b", "c"], ["x", "y", "z"]]


def test_a_round_of_all_kinds_is_one_exchange_and_the_first_brings_the_answers_of_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each kind is asked anew as long as it lacks something, whatever the others do."""
    store, found = world.cloud.store, list[list[str]]()
    load_each = store.load_each

    def noted(wanted: Any) -> Any:
        found.append([table.name for table, _ in wanted])
        return load_each(wanted)

    monkeypatch.setattr(store, "load_each", noted)
    asks = [(Follow(key="a"), SYSTEM), (Look(key="c"), SYSTEM), (Follow(key="b"), SYSTEM)]
    assert world.send_all(asks, keys=["1", "2", "3"]) == [2, 1, 2]
    assert found == [["purse", "purse", "answer"], ["purse"]]
    assert world.send_all(asks, keys=["1", "2", "3"]) == [2, 1, 2]
    assert found[2:] == [["answer"]]
    assert world.send_all([(Follow(key="a"), SYSTEM), (Look(key="z"), SYSTEM)]) == [2, 1]
    assert found[3:] == [["purse"]]
    assert world.cloud.writer._lacked_nothing == {Follow: 2, Look: 0}


def test_keys_are_looked_up_although_a_round_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered before is not carried out again because nobody could say what it wants."""
    ask = [(Do(steps=(Step("put", "q", 1),)), SYSTEM), (Look(key="a"), SYSTEM)]
    first = world.send_all(ask, keys=["1", "2"])
    world.cloud.writer._tx.forget()

    def fail(_: object) -> None:
        raise RuntimeError("it cannot be asked")

    with monkeypatch.context() as patch:
        patch.setattr(world.cloud.store, "load_each", fail)
        assert world.send_all(ask, keys=["1", "2"]) == first
    assert world.rows("SELECT amount FROM purse WHERE id = 'q'") == [(1,)]


def test_who_lacks_nothing_is_seldom_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two batches that lacked nothing in one of sixteen; what is missing then is read by its handler, and all is fetched again."""
    found = loads(world, monkeypatch)
    for _ in range(3 + 2 * FETCH_EVERY):
        assert world.send(Follow(key="a")) == 2
    assert found == [["a"], ["x"]]
    assert len(asked) == 3 + 2
    asked.clear()
    for _ in range(FETCH_EVERY):
        assert world.send(Follow(key="b")) == 2
    assert found[2:] == [["b"], ["y"]]


def test_one_that_cannot_say_what_it_wants_is_carried_out_all_the_same(world: World) -> None:
    """And so are those beside it."""
    assert world.send_all([(Follow(key=key), SYSTEM) for key in ("a", "spoilt", "nobody", "b")]) == [2, 0, 0, 2]
    assert world.cloud.writer.broken == world.cloud.writer.replays == 0
