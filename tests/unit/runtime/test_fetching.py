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


DOMAINS = (runtime.DOMAIN, replace(TOY, commands=(*TOY.commands, follow)))


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
