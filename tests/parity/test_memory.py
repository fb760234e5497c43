"""What readers remember from commit to commit is what the store says, at every moment at which somebody may look."""

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from support.toy import PURSES, Do, Everything, PurseOf, Step
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.look import HEAD, DistantLook
from yunduan.runtime.memory import Changes, Memory
from yunduan.testing import World

IDS = tuple("abcdefg")
assert len(IDS) > PURSES.shown > 0, "more than are remembered, so that some are forgotten"


class Peeking:
    """Looks through the cloud whenever the writer says that something happens; stands before the reader that it peeks through."""

    def __init__(self, world: World, dice: random.Random) -> None:
        """Nothing has been seen."""
        self._cloud = world.cloud
        self._dice = dice
        self.seen: list[Any] = []

    def pin(self) -> None:
        """The commit is about to be made: look now and then, since a look would itself hold on to what was before."""
        if self._dice.random() < 0.5:
            self.seen.append(self._look())

    def renew(self, changes: Changes) -> None:  # noqa: ARG002 - as every watcher has it
        """It is on disk, and nobody has been told."""
        self.seen.append(self._look())

    def stand_aside(self, *, aside: bool) -> None:
        """Nothing to see."""

    def _look(self) -> Any:
        return self._cloud.ask(Everything(ids=IDS))


def look(world: World) -> Any:
    """What a query finds now."""

    async def ask() -> Any:
        return world.cloud.ask(Everything(ids=IDS))

    return world.run(ask())


def truth(world: World) -> Any:
    """The same from the store itself."""
    purses = dict(world.rows("SELECT id, amount FROM purse ORDER BY id"))
    return purses, purses, sum(purses.values()), purses, dict(world.rows("SELECT id, amount FROM plain ORDER BY id"))


def _some_steps(dice: random.Random) -> Do:
    words = ("put", "put", "put", "remove", "plain", "plain_later", "sum", "nested", "clear", "refuse", "break")
    chosen = dice.choices(words, weights=(3, 3, 3, 2, 2, 2, 1, 1, 0.3, 0.7, 0.5), k=dice.randint(1, 4))
    return Do(steps=tuple(Step(word, dice.choice(IDS), dice.randint(1, 99)) for word in chosen))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_remembered_is_what_is_there(world: World, seed: int) -> None:
    """After each of many batches, of commands that succeed, are refused and break; and while each is on its way nobody sees it."""
    dice = random.Random(seed)
    peeking = Peeking(world, dice)
    world.cloud.writer.watch(peeking)
    world.cloud.remember()
    for _ in range(40):
        before = truth(world)
        if dice.random() < 0.7:
            assert look(world) == before
        world.send_all([(_some_steps(dice), SYSTEM) for _ in range(dice.randint(1, 3))])
        assert all(seen == before for seen in peeking.seen), "what is on its way, or on disk and not yet told, is not seen"
        peeking.seen.clear()
        assert look(world) == truth(world)


def test_what_is_not_there_is_not_remembered(world: World) -> None:
    """Made-up keys fill no memory, and a row that comes is seen."""
    world.cloud.remember()
    asked = PurseOf(id="a")

    async def ask() -> int | None:
        return world.cloud.ask(asked)

    assert world.run(ask()) is None
    world.send(Do(steps=(Step("put", "a", 3),)))
    assert world.run(ask()) == 3


def test_a_query_that_fails_forgets_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its snapshot may be gone, so what is remembered from it must not meet what is read from the next."""
    world.cloud.remember()
    world.send(Do(steps=(Step("put", "a", 3),)))
    assert look(world) == truth(world)
    reader = world.cloud._look._reader
    with monkeypatch.context() as patched:

        def fail(*_: Any) -> Any:
            raise FaultError("the machine, so to speak")

        patched.setattr(world.cloud._look, "rows", fail)
        with pytest.raises(FaultError):
            look(world)
    assert world.cloud._look._memory is not None
    assert world.cloud._look._memory.rows(PURSES) == {}
    assert reader is world.cloud._look._reader
    assert look(world) == truth(world)


def test_results_of_a_table_are_bounded() -> None:
    """Beyond the bound all of them are forgotten, and made anew."""
    memory, made = Memory(), []
    for key in range(10):
        assert memory.recall("table", key, lambda key=key: made.append(key) or key, most=4) == key
    assert memory.recall("table", 9, lambda: made.append("again"), most=4) == 9
    assert memory.recall("table", 0, lambda: 100, most=4) == 100
    assert made == list(range(10))


def test_results_with_a_size_are_bounded_by_it() -> None:
    """What has no room is made each time, what has it stays; when a row has changed there is room again, for others."""
    memory, made = Memory(), []

    def asked(text: str) -> str:
        return memory.recall("table", text, lambda: made.append(text) or text, most=10, size=len)

    for text in ("seven77", "four", "no", "seven77", "four", "no", "a", "b"):
        assert asked(text) == text
    assert made == ["seven77", "four", "no", "four", "a", "b"], "seven, two and one are ten"
    made.clear()
    memory.unmake("table")
    for text in ("four", "four", "seven77", "seven77", "six666", "six666"):
        assert asked(text) == text
    assert made == ["four", "seven77", "seven77", "six666"]
    changes = Changes()
    changes.tables.add("table")
    memory.forget(changes)
    assert [asked(text) for text in ("ten 4567 0", "ten 4567 0")] == ["ten 4567 0"] * 2
    assert made[4:] == ["ten 4567 0"]


@pytest.mark.parametrize("seed", range(6))
def test_what_the_writer_remembers_is_what_it_would_make_anew(world: World, seed: int) -> None:
    """Between commands of one batch and of many, of which some are refused or break after they have looked."""
    dice = random.Random(seed)
    looks = 0
    for _ in range(60):
        asked = []
        for _ in range(dice.randint(1, 4)):
            steps = list(_some_steps(dice).steps)
            for _ in range(dice.randint(0, 3)):
                steps.insert(dice.randint(0, len(steps)), Step("made"))
            asked.append((Do(steps=tuple(steps)), SYSTEM))
        for (command, _), answered in zip(asked, world.send_all(asked), strict=True):
            if not isinstance(answered, Exception):
                made = list(_sums(command, answered))
                looks += len(made)
                assert all(remembered == now for remembered, now in made), made
    assert looks > 50


def _sums(command: Do, seen: list[Any]) -> Iterator[tuple[int, int]]:
    """What the steps `made` saw, two pairs each."""
    left = iter(seen)
    for step in command.steps:
        if step.what == "made":
            yield next(left), next(left)
            yield next(left), next(left)
        elif step.what == "sum":
            next(left)


class Ear:
    """Keeps what the writer says of its last commit, as another process hears it: later, and as values."""

    def __init__(self, world: World) -> None:
        """Nothing has been said."""
        self._store = world.cloud.store
        self.heard: list[tuple[Any, Changes]] = []
        world.cloud.writer.watch(self)

    def pin(self) -> None:
        """Nothing is said before a commit."""

    def renew(self, changes: Changes) -> None:
        """Keep it with the head that it leads to."""
        kept = Changes()
        kept.rows, kept.tables = [(name, list(keys)) for name, keys in changes.rows], set(changes.tables)
        self.heard.append((self._store.row(HEAD), kept))

    def stand_aside(self, *, aside: bool) -> None:
        """Nothing to see."""


@pytest.mark.parametrize("seed", range(4))
def test_a_look_from_afar_mixes_no_two_commits(world: World, seed: int) -> None:
    """Told of each commit late, now and then of several at once, it never shows what is remembered beside what is newer."""
    dice = random.Random(seed)
    ear = Ear(world)
    distant = DistantLook(world.cloud.store.reader(), world.cloud.registry, {})

    async def hold() -> None:
        distant.hold()
        distant.hear(world.cloud.store.row(HEAD) or (), Changes())

    async def seen() -> Any:
        return distant.answer(Everything(ids=IDS), actor=SYSTEM, now=0)

    async def hear() -> None:
        distant.hear(*ear.heard.pop(0))

    world.run(hold())
    for _ in range(60):
        world.pass_time(1)
        world.send_all([(_some_steps(dice), SYSTEM) for _ in range(dice.randint(1, 2))])
        if dice.random() < 0.4:
            world.run(seen())  # remembers, or finds that it has not been told
        while ear.heard and dice.random() < 0.6:
            world.run(hear())
        if dice.random() < 0.3:
            distant.stand_aside(aside=dice.random() < 0.5)
        distant.release()  # as when a snapshot has been held for long, so that the next one is of the newest commit
        assert world.run(seen()) == truth(world)
        if dice.random() < 0.3:
            assert world.run(seen()) == truth(world)
    distant.close()


def test_a_look_that_has_yet_to_be_told_of_a_counted_commit_does_not_keep_to_what_it_holds(world: World) -> None:
    """Whoever has the answer to a commit asks it before it has heard: what it holds, and remembers, is of before."""
    ear = Ear(world)
    told = 0
    distant = DistantLook(world.cloud.store.reader(), world.cloud.registry, {}, is_behind=lambda: world.cloud.writer.batches != told)

    async def hold() -> None:
        nonlocal told
        told = world.cloud.writer.batches
        distant.hold()
        distant.hear(world.cloud.store.row(HEAD) or (), Changes())

    async def seen() -> Any:
        return distant.answer(Everything(ids=IDS), actor=SYSTEM, now=0)

    async def hear() -> None:
        nonlocal told
        told += 1
        distant.hear(*ear.heard.pop(0))

    dice = random.Random(1)
    with closing(distant):
        world.run(hold())
        assert world.run(seen()) == truth(world)  # and holds it
        for _ in range(20):
            before = truth(world)
            while truth(world) == before:
                world.send_all([(_some_steps(dice), SYSTEM)])  # in the same millisecond, too
            assert world.run(seen()) == truth(world)
            while ear.heard:
                world.run(hear())
            assert world.run(seen()) == truth(world)


def test_what_was_made_of_a_part_outlives_a_change_of_another() -> None:
    """What was made of any rows does not, nor anything a change of which nobody says what it is a part of; room is given back."""
    memory, made = Memory(), []

    def remembered(part: str) -> int:
        return memory.recall("card", ("list", part), lambda: made.append(part) or len(made), part=part, most=30, size=lambda _: 10)

    def told(*parts: str) -> Changes:
        changes = Changes()
        changes.parts = {"card": set(parts)}
        return changes

    first = [remembered(part) for part in ("tea", "silk", "")]
    assert [remembered(part) for part in ("tea", "silk", "")] == first
    memory.forget(told("silk"))
    assert [remembered(part) for part in ("tea", "silk", "")] == [1, 4, 5]
    memory.forget(told("rice"))
    assert [remembered(part) for part in ("tea", "silk", "")] == [1, 4, 6]
    changes = Changes()
    changes.tables = {"card"}
    memory.forget(changes)
    assert [remembered(part) for part in ("tea", "silk", "")] == [7, 8, 9]
    assert made == ["tea", "silk", "", "silk", "", "", "tea", "silk", ""]
