"""How long a key is remembered, and what it costs to forget."""

from pathlib import Path

import pytest

from support.stores import Place, cluster, place, quiet, world_at
from support.toy import TOY, Do, Spend, Step
from yunduan.backends.sqlite import SqliteStore
from yunduan.kernel.refusals import KeyRefusal
from yunduan.runtime import domain as runtime
from yunduan.runtime.answers import KEPT_MS
from yunduan.runtime.jobs import StartJob
from yunduan.runtime.timekeeping import ConfirmClock
from yunduan.testing import World

__all__ = ["cluster", "place", "quiet"]

DOMAINS = (runtime.DOMAIN, TOY)
ADD = Do(steps=(Step("plain", "added", 1), Step("sum", "x")))


def forget(world: World) -> None:
    """Run the job that the cloud begins every hour."""
    world.send(StartJob(kind="forget_answers"))
    world.settle()


def kept(world: World) -> list[tuple[str, bool]]:
    """The keys that are remembered, and whether with their answers."""
    return [(name.split()[0], body is not None) for name, body in world.rows("SELECT name, body FROM answer ORDER BY seq")]


def test_an_answer_is_kept_for_seven_days_and_a_key_that_moved_money_for_ever(place: Place) -> None:
    """To the millisecond; afterwards a plain command is carried out anew, the other one refused."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(ADD, key="plain")
        assert world.send(Spend(id="money"), key="money") == 1
        world.pass_time(KEPT_MS)
        forget(world)
        assert kept(world) == [("plain", True), ("money", True)]
        assert world.send(Spend(id="money"), key="money") == 1
        world.pass_time(1)
        forget(world)
        assert kept(world) == [("money", False)]
        assert world.refusal(Spend(id="money"), key="money") == KeyRefusal.SPENT
        assert world.refusal(Spend(id="other"), key="money") == KeyRefusal.REUSED
        world.send(ADD, key="plain")
        assert world.rows("SELECT id, amount FROM plain WHERE id IN ('added', 'money') ORDER BY id") == [("added", 2), ("money", 1)]
        world.pass_time(100 * KEPT_MS)
        forget(world)
        assert kept(world) == [("money", False)]
        assert world.refusal(Spend(id="money"), key="money") == KeyRefusal.SPENT


def test_a_store_that_was_emptied_forgets_what_comes_afterwards_too(place: Place) -> None:
    """Whatever numbers its rows have: a store may begin again after the last row that is left."""
    with world_at(place, domains=DOMAINS) as world:
        for week in range(3):
            for n in range(3):
                world.send(ADD, key=f"w{week}k{n}")
            if week == 1:
                world.send(Spend(id="money"), key="money")
            world.pass_time(KEPT_MS + 1)
            forget(world)
            assert kept(world) == [("money", False)] * (week > 0)


def test_more_than_a_step_is_forgotten_in_one_job(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, those that are young left alone."""
    monkeypatch.setattr(runtime, "_STEP", 3)
    with world_at(place, domains=DOMAINS) as world:
        for n in range(8):
            world.send(ADD if n % 2 else Spend(id="x"), key=f"k{n}")
        world.pass_time(KEPT_MS + 1)
        world.send(ADD, key="young")
        forget(world)
        assert kept(world) == [(f"k{n}", False) for n in range(0, 8, 2)] + [("young", True)]
        assert world.rows("SELECT status, done, total FROM job") == [("finished", 8, 9)]


def test_nothing_is_forgotten_while_the_time_is_in_doubt(place: Place) -> None:
    """Nor by the books' time, which a wrong clock has left ahead: a key that went too early would be carried out twice."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(ADD, key="plain")
        world.clock.jump(30 * KEPT_MS)
        forget(world)
        assert kept(world) == [("plain", True)]
        world.clock.jump(-30 * KEPT_MS)
        world.send(ConfirmClock(wall_ms=world.clock.wall_ms()))
        forget(world)
        assert kept(world) == [("plain", True)]
        world.pass_time(KEPT_MS + 1)
        forget(world)
        assert kept(world) == []


def machine_steps(world: World, store: SqliteStore) -> int:
    """How much SQLite does to forget, in hundreds of steps of its machine."""
    count = 0

    def tick() -> bool:
        nonlocal count
        count += 1
        return False

    store._connection.set_progress_handler(tick, 100)
    forget(world)
    store._connection.set_progress_handler(None)
    return count


def test_keys_that_stay_for_ever_cost_nothing_to_walk_past(tmp_path: Path) -> None:
    """A job costs what is new since the last one, whether a thousand keys or fifty thousand are spent; a step, four statements."""
    store = SqliteStore(tmp_path / "yunduan.sqlite")
    with World(store, domains=DOMAINS) as world:
        costs = []
        for first, last in ((0, 1_000), (1_000, 50_000)):
            store.begin()
            store.append(
                "INSERT INTO answer (name, fingerprint, accepted, body, spends, at) VALUES (?, X'00', 1, X'00', 1, ?)",
                [(f"spent{n}", world.clock.wall_ms()) for n in range(first, last)],
            )
            store.lend()
            store.commit()
            world.pass_time(KEPT_MS + 1)
            forget(world)
            for n in range(10):
                world.send(Spend(id="x"), key=f"young{last}-{n}")
            costs.append(machine_steps(world, store))
        assert world.rows("SELECT count(*) FROM answer WHERE body IS NULL") == [(50_010,)]
        assert max(costs) < 40
        assert costs[1] <= costs[0] + 3
        before = world.cloud.writer.statements
        forget(world)
        assert world.cloud.writer.statements - before < 15
