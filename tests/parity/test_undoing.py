"""Whatever handlers do, in whatever order, a batch leaves what a plain dictionary would hold."""
# ruff: noqa: ARG002 - every step of the model has one form, whatever it needs

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import STORES, PostgresqlPlace, SqlitePlace, world_at
from support.toy import TOY, Do, Step
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime import domain as runtime
from yunduan.testing import World

KEYS = st.sampled_from(["a", "b", "c"])
KEYED = ["put", "get", "remove", "slot", "remove_slot", "note", "count", "plain", "plain_later", "tell", "nested", "sum"]
STEPS = st.builds(Step, st.sampled_from(KEYED), KEYS, st.integers(0, 3))
OVERDRAWN = "put"
"""A purse with less than nothing in it, which is found when it is written: with the whole batch, that is carried out anew."""
ENDS = st.sampled_from([None, None, None, "refuse", "break", "bad_read", "bad_write", "nested_refusal_hidden", OVERDRAWN])
COMMANDS = st.tuples(st.lists(STEPS, max_size=7), ENDS)
BATCHES = st.lists(st.lists(COMMANDS, min_size=1, max_size=5), min_size=1, max_size=3)


class Plain:
    """What the toy would be without a store."""

    def __init__(self) -> None:
        """Empty."""
        self.purses: dict[str, int] = {}
        self.slots: dict[tuple[str, int], int] = {}
        self.notes: list[tuple[str, str]] = []
        self.rows: dict[str, int] = {}
        self.told: list[str] = []

    def take(self, step: Step, seen: list[int | None]) -> None:
        """Take one step."""
        getattr(self, step.what)(step.key, step.amount, seen)

    def put(self, key: str, amount: int, seen: list[int | None]) -> None:
        """A keyed row is as it was last put."""
        self.purses[key] = amount

    def nested(self, key: str, amount: int, seen: list[int | None]) -> None:
        """A command within the command."""
        self.purses[key] = amount
        self.notes.append((key, "n1"))

    def get(self, key: str, amount: int, seen: list[int | None]) -> None:
        """The row by its key."""
        seen.append(self.purses.get(key))

    def sum(self, key: str, amount: int, seen: list[int | None]) -> None:
        """All rows by a statement."""
        seen.append(sum(self.purses.values()))

    def remove(self, key: str, amount: int, seen: list[int | None]) -> None:
        """The row is gone."""
        self.purses.pop(key, None)

    def slot(self, key: str, amount: int, seen: list[int | None]) -> None:
        """A row with a key of two columns is there, or grows."""
        self.slots[key, amount] = self.slots.get((key, amount), -1) + 1

    def remove_slot(self, key: str, amount: int, seen: list[int | None]) -> None:
        """It is gone."""
        self.slots.pop((key, amount), None)

    def note(self, key: str, amount: int, seen: list[int | None]) -> None:
        """Appended."""
        self.notes.append((key, f"n{amount}"))

    def count(self, key: str, amount: int, seen: list[int | None]) -> None:
        """How many were."""
        seen.append(sum(1 for about, _ in self.notes if about == key))

    def plain(self, key: str, amount: int, seen: list[int | None]) -> None:
        """A row that no memory knows of."""
        self.rows[key] = self.rows.get(key, 0) + amount

    plain_later = plain

    def tell(self, key: str, amount: int, seen: list[int | None]) -> None:
        """A fact."""
        self.told.append(key)


@pytest.fixture(scope="module", params=STORES)
def long_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One cloud for all examples, so that what is remembered from earlier ones is put to the test too."""
    if request.param == "sqlite":
        place: Any = SqlitePlace(tmp_path_factory.mktemp("undoing"))
    else:
        place = PostgresqlPlace(request.getfixturevalue("cluster"))
    with world_at(place, domains=(runtime.DOMAIN, TOY)) as world:
        yield world


def compare(world: World, model: Plain, facts_before: int) -> None:
    """The store holds what the model holds."""
    assert dict(world.rows("SELECT id, amount FROM purse")) == model.purses  # type: ignore[arg-type]
    slots = {(room, place): len(body or b"") for room, place, body in world.rows("SELECT room, place, body FROM slot")}
    assert slots == model.slots
    assert sorted(world.rows("SELECT about, text FROM note")) == sorted(model.notes)
    assert dict(world.rows("SELECT id, amount FROM plain")) == model.rows  # type: ignore[arg-type]
    told = [body for (body,) in world.rows("SELECT body FROM fact WHERE seq > ? ORDER BY seq", facts_before)]
    assert told == [b'{"name":"%s"}' % name.encode() for name in model.told]
    last, every = world.rows("SELECT CAST(coalesce(max(seq), 0) AS INTEGER), count(*) FROM fact")[0]
    assert last == every == world.cloud.writer.head.fact_seq == facts_before + len(model.told)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_a_batch_is_what_its_accepted_commands_make_of_a_dictionary(
    long_world: World, batches: list[list[tuple[list[Step], str | None]]]
) -> None:
    """Refusals, broken handlers and failed statements in the middle undo themselves exactly, in any order."""
    world = long_world
    world.send(Do(steps=(Step("clear"),)))
    facts_before = world.cloud.writer.head.fact_seq
    model = Plain()
    for batch in batches:
        asked = [(Do(steps=(*steps, *([Step(end, "q", -1)] if end else []))), SYSTEM) for steps, end in batch]
        found = world.send_all(asked)
        for (steps, end), one in zip(batch, found, strict=True):
            seen: list[int | None] = []
            after = deepcopy(model)
            for step in steps:
                after.take(step, seen)
            if end is None:
                assert one == seen
                model = after
            elif end == "refuse":
                assert isinstance(one, Refused)
            else:
                assert isinstance(one, Exception)
                assert not isinstance(one, (Refused, FaultError))
        compare(world, model, facts_before)
    assert world.cloud.writer.failed is None
