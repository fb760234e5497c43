"""Jobs: begun once, cancelled, taken up again and forgotten, whoever restarts the cloud meanwhile."""

import asyncio
from collections.abc import Iterator

import pytest

from support.stores import Place, cluster, place, quiet, world_at
from support.toy import TOY, Named
from yunduan.kernel.ids import JobId
from yunduan.runtime import domain as runtime
from yunduan.runtime.jobs import KEPT_MS, EndJob, Job, JobOf, LastJobs, RetryJob, StartJob
from yunduan.runtime.registry import Domain, JobKind, Progress
from yunduan.runtime.transaction import Tx
from yunduan.testing import World

__all__ = ["cluster", "place", "quiet"]

EVERY_MS = 1_000


def dawdle(_: Tx, state: bytes) -> Progress:
    """Take ten steps."""
    done = int(state or b"0") + 1
    return Progress(done=done, total=10, state=b"%d" % done, finished=done == 10)


def proclaim(tx: Tx, _: bytes) -> Progress:
    """Tell one fact."""
    tx.tell(Named(name="job"))
    return Progress(done=1, total=1, finished=True)


HOUSE = Domain(name="house", package="support", jobs=(JobKind("dawdle", dawdle, every_ms=EVERY_MS), JobKind("proclaim", proclaim)))
DOMAINS = (runtime.DOMAIN, TOY, HOUSE)


@pytest.fixture
def world(place: Place) -> Iterator[World]:
    """A cloud with a job of its own."""
    with world_at(place, domains=DOMAINS) as world:
        yield world


def keep_house(world: World) -> list[str]:
    """What the cloud begins by itself; answers how each job of its kind stands, the oldest first."""
    world.run(world.cloud.jobs._keep_house())
    return [status for kind, status in world.rows("SELECT kind, status FROM job ORDER BY id") if kind == "dawdle"]


def test_house_is_kept_again_so_long_after_the_last_time_has_ended(place: Place) -> None:
    """Never beside one that still runs, and not because a process has started."""
    with world_at(place, domains=DOMAINS) as world:
        assert keep_house(world) == ["running"]
        world.clock.advance(10 * EVERY_MS)
        assert keep_house(world) == ["running"]
        at_ms = world.clock.wall_ms()
    with world_at(place, domains=DOMAINS, at_ms=at_ms) as world:
        assert keep_house(world) == ["running"]
        world.settle()
        assert keep_house(world) == ["finished"]
        world.clock.advance(EVERY_MS - 1)
        at_ms = world.clock.wall_ms()
    with world_at(place, domains=DOMAINS, at_ms=at_ms) as world:
        assert keep_house(world) == ["finished"]
        world.clock.advance(1)
        assert keep_house(world) == ["finished", "running"]


def test_one_of_a_kind_runs_at_a_time(world: World) -> None:
    """Whoever begins it; another kind may run beside it, and an unknown one is told what there is."""
    world.send(StartJob(kind="dawdle"))
    assert world.refusal(StartJob(kind="dawdle")) == "job_running"
    world.send(StartJob(kind="count"))
    assert world.refusal(StartJob(kind="dance")) == "job_kind_unknown"
    assert [(job.kind, job.status) for job in world.ask(LastJobs())] == [("count", "running"), ("dawdle", "running")]


def test_a_running_job_can_be_cancelled(world: World) -> None:
    """Also in the batch of its next step, which is done first and stays; and it can be taken up again."""
    id = world.send(StartJob(kind="dawdle")).id
    for _ in range(3):
        world.run(world.cloud.jobs.run_once())

    async def at_once() -> Job:
        cancelled = asyncio.ensure_future(world.cloud.send(EndJob(id=id)))
        await world.cloud.jobs.run_once()
        return await cancelled

    cancelled = world.run(at_once())
    assert (cancelled.status, cancelled.done) == ("cancelled", 4)
    world.settle()
    assert world.ask(JobOf(id=id)) == cancelled
    assert world.refusal(EndJob(id=id)) == "job_ended"
    assert world.send(RetryJob(id=id)).status == "running"
    world.settle()
    ended = world.ask(JobOf(id=id))
    assert (ended.status, ended.done) == ("finished", 10)
    assert world.refusal(RetryJob(id=id)) == "job_ended"


def test_a_job_that_failed_goes_on_from_the_step_that_failed(world: World) -> None:
    """Its error is gone while it runs, and comes again if nothing was mended."""
    id = world.send(StartJob(kind="count_and_break")).id
    world.settle()
    failed = world.ask(JobOf(id=id))
    again = world.send(RetryJob(id=id))
    assert (again.status, again.done, again.error) == ("running", 2, "")
    assert world.refusal(RetryJob(id=id)) == "job_running"
    world.settle()
    assert world.ask(JobOf(id=id)).error == failed.error != ""
    assert world.refusal(RetryJob(id=JobId("job_0"))) == "job_not_found"


def test_a_job_whose_kind_is_gone_fails_and_harms_no_other(place: Place) -> None:
    """As after an upgrade."""
    with world_at(place, domains=DOMAINS) as world:
        id = world.send(StartJob(kind="dawdle")).id
        other = world.send(StartJob(kind="count")).id
    with world_at(place, domains=(runtime.DOMAIN, TOY)) as world:
        world.settle()
        assert world.ask(JobOf(id=id)).status == "failed"
        assert world.ask(JobOf(id=other)).status == "finished"
        assert world.refusal(RetryJob(id=id)) == "job_kind_unknown"


def test_a_job_is_forgotten_a_month_after_it_has_ended(world: World) -> None:
    """By the next one that begins; one that still runs never is."""
    old = world.send(StartJob(kind="count")).id
    world.settle()
    runs = world.send(StartJob(kind="dawdle")).id
    world.clock.advance(KEPT_MS)
    kept = world.send(StartJob(kind="count")).id
    assert [job.id for job in world.ask(LastJobs())] == [kept, runs, old]
    world.send(EndJob(id=kept))
    world.clock.advance(1)
    last = world.send(StartJob(kind="count")).id
    assert [job.id for job in world.ask(LastJobs())] == [last, kept, runs]
    assert [job.id for job in world.ask(LastJobs(limit=1))] == [last]


def test_what_a_job_tells_names_it_as_the_cause(world: World) -> None:
    """So that a fact can be traced to the job that made it so."""
    id = world.send(StartJob(kind="proclaim")).id
    world.settle()
    assert world.rows("SELECT cause FROM fact") == [(id,)]
