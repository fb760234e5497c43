"""What an import may rely on, on every store: it begins once, remembers what it has made, and nobody writes in between."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from support.stores import Place, world_at
from support.toy import TOY, Do, Step
from yunduan.cloud import Cloud
from yunduan.kernel.actors import ANONYMOUS, SYSTEM
from yunduan.kernel.refusals import BrokenError
from yunduan.runtime import domain as runtime
from yunduan.runtime.answers import KEPT_MS
from yunduan.runtime.imports import AdvanceImport, BeginImport, BringIn, EndImport, ImportedOf, ImportOf, KindsImported
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.ports import StoreRefusedError
from yunduan.testing import World

DOMAINS = (runtime.DOMAIN, TOY)
BEGIN = BeginImport(source="there", content=b"all of it", total=3)


def opened(place: Place, importing: str = "there") -> World:
    """A cloud that is opened for an import."""
    return world_at(place, domains=DOMAINS, importing=importing)


def noted(name: str, *steps: Step) -> BringIn:
    """A thing there, of which a note is made here."""
    return BringIn(source="there", kind="note", name=name, command=Do(steps=(Step("note", name, 1), Step("count", name), *steps)))


def brought(world: World, ask: BringIn) -> Any:
    """What a thing was answered with."""
    return msgspec.json.decode(world.send(ask))


def state(world: World) -> list[Any]:
    """Everything that an import or its commands write."""
    tables = ("note", "import", "imported", "answer", "fact")
    return [world.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


def test_what_is_brought_in_is_made_once_and_remembered(place: Place) -> None:
    """Whether it is asked again at once, after a restart, or when every answer has been forgotten."""
    with opened(place) as world:
        begun = world.send(BEGIN)
        assert (begun.status, begun.done, begun.total, begun.began_at) == ("running", 0, 3, world.clock.wall_ms())
        assert brought(world, noted("a")) == [1]
        assert brought(world, noted("a")) == [1]
        assert world.send(AdvanceImport(source="there", done=2)).done == 2
        world.send(StartJob(kind="forget_answers"), key="an answer")
        world.pass_time(2 * KEPT_MS)
        world.send(StartJob(kind="forget_answers"))
        world.settle()
        assert world.rows("SELECT count(*) FROM answer") == [(0,)]
    with opened(place) as world:
        assert world.send(BEGIN).done == 2
        assert brought(world, noted("a")) == [1]
        assert brought(world, noted("b")) == [1]
        assert world.rows("SELECT about FROM note ORDER BY seq") == [("a",), ("b",)]
        found = world.run(world.cloud.ask_slow(ImportedOf(source="there")))
        assert [(one.kind, one.name, one.made) for one in found] == [("note", "a", b"[1]"), ("note", "b", b"[1]")]
        assert world.ask(KindsImported(source="there")) == {"note": 2}
        assert world.ask(KindsImported(source="elsewhere")) == {}


def test_a_store_with_an_unfinished_import_is_opened_for_nothing_else(place: Place) -> None:
    """Its time is the past: whoever wrote now would move it on. Once it has ended, the store is like any other."""
    with opened(place) as world:
        world.send(BEGIN)
        world.send(AdvanceImport(source="there", done=2))
    for importing in ("", "elsewhere"):
        store = place.open()
        with pytest.raises(StoreRefusedError, match=r"an import of there has begun in this store and not ended \(2 of 3 steps\)"):
            Cloud(store, domains=DOMAINS, importing=importing)
        store.close()
    with opened(place) as world:
        world.send(AdvanceImport(source="there", done=3))
        ended = world.send(EndImport(source="there"))
        assert (ended.status, ended.ended_at) == ("finished", world.clock.wall_ms())
    with opened(place, importing="") as world:
        assert world.ask(ImportOf(source="there")) == ended
        assert world.ask(ImportOf(source="elsewhere")) is None


def test_an_import_is_refused_where_it_would_be_mixed_with_something(place: Place) -> None:
    """Once it has ended, with other content, and in a store that was written to: each leaves everything as it was."""
    with opened(place) as world:
        world.send(BEGIN)
        before = state(world)
        for other in (
            BeginImport(source="there", content=b"less of it", total=3),
            BeginImport(source="there", content=b"all of it", total=4),
        ):
            assert world.refusal(other) == "import_of_other_content"
        assert world.refusal(BeginImport(source="elsewhere", content=b"", total=1)) == "store_not_empty"
        assert world.refusal(AdvanceImport(source="elsewhere", done=1)) == "import_not_found"
        assert world.refusal(EndImport(source="elsewhere")) == "import_not_found"
        assert state(world) == before
        world.send(AdvanceImport(source="there", done=3))
        world.send(EndImport(source="there"))
        before = state(world)
        assert world.refusal(BEGIN) == "import_finished"
        assert world.refusal(AdvanceImport(source="there", done=3)) == "import_finished"
        assert world.refusal(EndImport(source="there")) == "import_finished"
        assert state(world) == before


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda world: world.send(noted("b", Step("refuse"))), id="refused"),
        pytest.param(lambda world: world.send(noted("b"), actor=ANONYMOUS), id="by somebody else"),
        pytest.param(lambda world: world.send(BringIn(source="x", kind="note", name="b", command=Do(steps=()))), id="not begun"),
        pytest.param(lambda world: world.send(AdvanceImport(source="there", done=0)), id="back"),
        pytest.param(lambda world: world.send(AdvanceImport(source="there", done=4)), id="beyond the end"),
        pytest.param(lambda world: world.send(EndImport(source="there")), id="ended too early"),
    ],
)
def test_what_no_plan_may_ask_for_is_a_broken_program(place: Place, wrong: Callable[[World], Any]) -> None:
    """And changes nothing."""
    with opened(place) as world:
        world.send(BEGIN, actor=SYSTEM)
        world.send(AdvanceImport(source="there", done=1))
        brought(world, noted("a"))
        before = state(world)
        with pytest.raises(BrokenError):
            wrong(world)
        assert state(world) == before
