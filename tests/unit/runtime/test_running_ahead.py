"""While a commit is on its way the next batch runs in memory: nothing of it is on disk, and nobody in it is told, before its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from support.stores import quiet
from support.toy import PURSES, TOY, Do, Purse, Step, ToyRefusal
from yunduan.backends.sqlite import SqliteStore
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import FaultError, Refused, UnknownOutcomeError
from yunduan.runtime import domain as runtime
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx
from yunduan.runtime.writer import LOOKS, Limits
from yunduan.testing import World

__all__ = ["quiet"]
TURNS = LOOKS + 3
"""Of the loop, until a commit has been handed over and the helper thread's answer has been heard."""
carried_out: list[str] = []
"""What handlers of this file were called for."""


class Sum(Command[int]):
    """Put into a purse, and add up all of them; a handler of this kind hides whatever goes wrong."""

    key: str


@handles(Sum)
def add_up(tx: Tx, ask: Sum) -> int:
    """By a statement."""
    carried_out.append(ask.key)
    tx.add(PURSES, ask.key, Purse(ask.key, 1))
    try:
        return int(tx.rows("SELECT CAST(sum(amount) AS INTEGER) FROM purse")[0][0])
    except Exception:
        return -1


class Flaky(Command[None]):
    """Fail the first time, as a port may whose file cannot be read."""

    key: str


@handles(Flaky)
def flaky(tx: Tx, ask: Flaky) -> None:
    """Put into a purse first."""
    carried_out.append(ask.key)
    tx.add(PURSES, ask.key, Purse(ask.key, 1))
    if len(carried_out) == 1:
        raise FaultError("the machine, so to speak")


class Helper(Executor):
    """Does nothing until it is told to, as long as that is so."""

    def __init__(self) -> None:
        """Nothing is to be done."""
        self.is_told = True
        self.waits: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:  # type: ignore[override]
        """Keep the work."""
        future: Future[Any] = Future()
        self.waits.append((future, lambda: fn(*args)))
        if not self.is_told:
            self.work()
        return future

    def work(self) -> None:
        """Do what has waited longest."""
        future, work = self.waits.pop(0)
        try:
            future.set_result(work())
        except UnknownOutcomeError as error:
            future.set_exception(error)


class FailingStore(SqliteStore):
    """Its disk is full at some commits."""

    fails = False

    def commit(self) -> None:
        """Or not."""
        if self.fails:
            raise UnknownOutcomeError("the disk is full")
        super().commit()


class Town:
    """A world whose commits are made when the test says so, in batches of two, and what its writer did."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        """Nobody has anything."""
        self.folder = folder
        self.helper = Helper()
        self.steps: list[str] = []
        self.store = FailingStore(folder / "yunduan.sqlite")
        self.world = World(
            self.store,
            domains=(runtime.DOMAIN, replace(TOY, commands=(*TOY.commands, add_up, flaky))),
            limits=Limits(ahead_commands=2, **limits),
            helper=self.helper,
            probe=self.steps.append,
        )
        self.writer = self.world.cloud.writer

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Have a story happen."""
        self.world.run(story)

    async def ask(self, *commands: Command[Any], keys: str = "", first: int = 2, turns: int = TURNS) -> list[asyncio.Future[Any]]:
        """Submit the first of these, and the others as soon as they are a batch; then let the loop turn."""
        asked: list[asyncio.Future[Any]] = []
        for n, one in enumerate(commands):
            if n == first and not self.helper.waits:
                await turn(1)
            asked.append(self.writer.submit(one, actor=SYSTEM, key=keys[n : n + 1]))
        await turn(turns)
        return asked

    async def commit(self) -> None:
        """Have the commit that is on its way made, and let the loop turn."""
        self.helper.work()
        await turn()

    def close(self) -> None:
        """Have everything committed that waits."""
        self.helper.is_told = False
        while self.helper.waits:
            self.helper.work()
        self.world.close()

    def on_disk(self) -> list[str]:
        """Which purses there are, for anybody who looks."""
        return [key for (key,) in self.world.rows("SELECT id FROM purse ORDER BY id")]

    def told(self) -> list[str]:
        """The names of the facts, in their order."""
        return [msgspec.json.decode(body)["name"] for (body,) in self.world.rows("SELECT body FROM fact ORDER BY seq")]


async def turn(turns: int = TURNS) -> None:
    """Let the loop turn."""
    for _ in range(turns):
        await asyncio.sleep(0)


def answers(asked: list[asyncio.Future[Any]]) -> list[Any]:
    """What those were told who have been told anything."""
    return [one.exception() or one.result().body for one in asked if one.done()]


def put(key: str, *more: Step) -> Do:
    """Put into a purse, say so, and read it."""
    return Do(steps=(Step("put", key, 1), Step("tell", key), Step("get", key), *more))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Closed when everything that was asked has been answered."""
    carried_out.clear()
    town = Town(tmp_path)
    yield town
    town.close()


def test_a_batch_runs_while_the_commit_before_it_is_on_its_way(town: Town) -> None:
    """Each is on disk, and answered, by its own commit."""

    async def story() -> None:
        asked = await town.ask(*map(put, "abcd"))
        opened = ["taken", "begun", "ran", "ran", "sealed", "flushed"]
        assert town.steps == [*opened, "taken", "committing", "ran", "ran"]
        assert town.writer.ran_ahead == 2
        assert (answers(asked), town.on_disk()) == ([], [])
        town.steps.clear()
        await town.commit()
        assert town.steps == ["committed", "answered", "answered", "begun", "sealed", "flushed", "committing"]
        assert (answers(asked[:2]), answers(asked[2:]), town.on_disk()) == ([b"[1]"] * 2, [], ["a", "b"])
        assert town.writer.head.fact_seq == 2
        await town.commit()
        assert (answers(asked), town.on_disk()) == ([b"[1]"] * 4, ["a", "b", "c", "d"])
        assert town.told() == ["a", "b", "c", "d"]
        assert (town.writer.batches, town.writer.commands, town.writer.head.fact_seq) == (2, 4, 4)

    town.run(story())


def test_what_arrives_before_the_commit_is_handed_over_runs_ahead(town: Town) -> None:
    """The loop looks at its sockets first; but where few are committed nobody waits for that."""

    async def story() -> None:
        first = await town.ask(put("a"), put("b"), turns=2)
        assert not town.helper.waits
        second = await town.ask(put("c"))
        assert town.writer.ran_ahead == 1
        await town.commit()
        await town.commit()
        assert answers(first + second) == [b"[1]"] * 3
        await town.ask(put("e"), turns=1)
        assert town.helper.waits
        await town.ask(put("f"))
        assert town.writer.ran_ahead == 1
        await town.commit()
        await town.commit()

    town.run(story())


def test_a_commit_that_fails_ends_what_has_run_ahead_of_it_too(town: Town) -> None:
    """Nobody is told yes, whoever waits behind them included, and nothing of it is there."""

    async def story() -> None:
        asked = await town.ask(*map(put, "abcd"))
        asked += await town.ask(put("e"))
        town.store.fails = True
        await town.commit()
        assert [type(one) for one in answers(asked)] == [UnknownOutcomeError] * 5
        assert town.writer.failed is not None
        assert not town.helper.waits
        assert [type(one) for one in answers(await town.ask(put("f")))] == [UnknownOutcomeError]

    town.run(story())
    assert town.on_disk() == []


def test_who_was_committed_before_the_failure_was_told_so(town: Town) -> None:
    """The batch that ran ahead is the one that fails."""

    async def story() -> None:
        asked = await town.ask(*map(put, "abcd"))
        await town.commit()
        town.store.fails = True
        await town.commit()
        assert answers(asked[:2]) == [b"[1]"] * 2
        assert [type(one) for one in answers(asked[2:])] == [UnknownOutcomeError] * 2

    town.run(story())
    assert town.on_disk() == ["a", "b"]


def test_a_machine_that_fails_while_the_next_is_fetched_leaves_nothing_of_either(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are in one transaction then. The same keys may come again."""

    def fail(*_: object) -> None:
        raise FaultError("the disk does not answer")

    async def story() -> None:
        asked = await town.ask(put("a"), put("b"), keys="12", turns=1)
        with monkeypatch.context() as patch:
            patch.setattr(town.store, "load", fail)
            asked += await town.ask(put("c"), put("d"), keys="34")
        assert [type(one) for one in answers(asked)] == [FaultError] * 4
        again = await town.ask(*map(put, "abcd"), keys="1234")
        await town.commit()
        await town.commit()
        assert answers(again) == [b"[1]"] * 4

    town.run(story())
    assert town.told() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_upkeep_that_fails_meanwhile_ends_everything(is_handed_over: bool, town: Town) -> None:
    """While a batch waits for the next one, and when that has run ahead: what was on its way to the disk may be there."""

    async def story() -> None:
        asked = await town.ask(put("a"), put("b"), turns=1)
        if is_handed_over:
            asked += await town.ask(put("c"), put("d"))
        town.writer._after_upkeep_beside(UnknownOutcomeError("the disk is full"))
        await turn()
        if is_handed_over:
            await town.commit()
        assert [type(one) for one in answers(asked)] == [UnknownOutcomeError] * len(asked)
        assert not town.helper.waits

    town.run(story())
    assert town.on_disk() == (["a", "b"] if is_handed_over else [])


@pytest.mark.parametrize("command", [Sum(key="c"), Flaky(key="c")], ids=["a statement", "a fault"])
def test_one_that_needs_the_store_is_undone_and_carried_out_after_the_commit(command: Command[Any], town: Town) -> None:
    """And so are those behind it, in their order; a handler that hides that it got no answer is not believed."""

    async def story() -> None:
        asked = await town.ask(put("a"), put("b"), put("c2"), put("x"), command, put("d"), first=3)
        assert town.writer.ran_ahead == 1
        assert carried_out == ["c"]
        await town.commit()
        assert carried_out == ["c", "c"]
        await town.commit()
        assert answers(asked) == [b"[1]"] * 4 + [b"5" if isinstance(command, Sum) else b"null", b"[1]"]
        assert town.told() == ["a", "b", "c2", "x", "d"]

    town.run(story())
    assert town.on_disk() == ["a", "b", "c", "c2", "d", "x"]
    assert (town.writer.broken, town.writer.replays) == (0, 0)


@pytest.mark.parametrize("what", ["plain", "remove", "sum", "count", "bad_write", "clear"])
def test_whatever_touches_the_store_waits_for_it(what: str, town: Town) -> None:
    """Statements that write and that read, rows that go, what waits to be written: with the outcome that it has alone."""

    async def story() -> None:
        asked = await town.ask(put("a"), put("b"), put("c"), put("d", Step(what, "a", 1), Step("get", "a")))
        assert town.writer.ran_ahead == 1
        await town.commit()
        await town.commit()
        assert len(answers(asked)) == 4
        assert (town.writer.broken, town.writer.replays) == (int(what == "bad_write"), 0)

    town.run(story())
    gone = {"remove": ["b", "c", "d"], "bad_write": ["a", "b", "c"], "clear": []}
    assert town.on_disk() == gone.get(what, ["a", "b", "c", "d"])


def test_refusals_and_broken_commands_run_ahead_and_leave_nothing(town: Town) -> None:
    """Kept under their keys like any other, and told after their own commit."""

    async def story() -> None:
        asked = await town.ask(put("a"), put("b"), put("c", Step("refuse")), put("d", Step("break")), keys="1234")
        assert town.writer.ran_ahead == 2
        assert (town.writer.refusals, town.writer.broken) == (1, 1)
        await town.commit()
        assert answers(asked) == [b"[1]"] * 2
        await town.commit()
        assert [type(one) for one in answers(asked)] == [bytes, bytes, bytes, RuntimeError]
        assert ToyRefusal.NO.value.encode() in answers(asked)[2]
        again = await town.ask(put("c", Step("refuse")), keys="3")
        await town.commit()
        assert answers(again) == answers(asked)[2:3]

    town.run(story())
    assert town.on_disk() == ["a", "b"]
    assert town.writer.head.fact_seq == 2


def test_keys_are_carried_out_once(town: Town) -> None:
    """A key that was answered before gets that answer, one that is on its way or has run ahead waits for its own."""

    async def story() -> None:
        first = await town.ask(put("a"), keys="1")
        await town.commit()
        asked = await town.ask(put("b"), put("c"), put("a"), put("d"), put("b"), put("d"), put("x"), keys="2314241")
        assert town.writer.ran_ahead == 2
        twice = await town.ask(put("c"), put("d"), put("x"), keys="344")
        assert isinstance(answers(twice)[0], Refused)
        await town.commit()
        assert len(answers(asked)) == 4
        await town.commit()
        assert answers(first + asked[:6]) == [b"[1]"] * 7
        assert isinstance(answers(asked)[6], Refused)
        assert answers(twice[:2]) == [b"[1]"] * 2

    town.run(story())
    assert town.on_disk() == ["a", "b", "c", "d"]
    assert town.writer.head.fact_seq == 4


def test_a_batch_that_ran_ahead_and_does_not_fit_is_carried_out_one_by_one(town: Town) -> None:
    """What only the store notices shows when it is begun: the culprit is told so, and nobody else notices."""

    async def story() -> None:
        await town.ask(Do(steps=(Step("put", "z", 5),)))
        await town.commit()
        town.writer._tx.forget()
        asked = await town.ask(put("a"), put("b"), put("c"), Do(steps=(Step("add_blindly", "z", 1), Step("tell", "z"))))
        assert town.writer.ran_ahead == 2
        await town.commit()
        assert town.writer.replays == 1
        await town.commit()
        assert answers(asked)[:3] == [b"[1]"] * 3
        assert isinstance(answers(asked)[3], Exception)

    town.run(story())
    assert town.on_disk() == ["a", "b", "c", "z"]
    assert town.world.rows("SELECT amount FROM purse WHERE id = 'z'") == [(5,)]
    assert town.writer.head.fact_seq == 3


def test_a_batch_that_ran_ahead_gets_no_more_time_than_another(tmp_path: Path) -> None:
    """Who does not get on is in front of the next one."""
    town = Town(tmp_path, batch_ms=20.0)
    clock, probe = town.world.clock, town.writer._probe

    def slow(step: str) -> None:
        probe(step)
        clock.advance(15 if step == "ran" else 0)

    town.writer._probe = slow

    async def story() -> None:
        asked = await town.ask(*map(put, "abcdef"), first=3)
        assert town.writer.ran_ahead == 2
        town.steps.clear()
        await town.commit()
        assert town.steps[3:] == ["begun", "ran", "sealed", "flushed", "taken", "committing", "ran"]
        for _ in range(2):
            await town.commit()
        assert answers(asked) == [b"[1]"] * 6
        assert town.told() == ["a", "b", "c", "d", "e", "f"]

    town.run(story())
    town.close()
