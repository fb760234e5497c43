"""A wrong clock rings nothing, however the cloud is stopped and started under it, until somebody confirms the time."""

import msgspec
import pytest

from support.stores import Place, cluster, place, quiet, world_at
from support.toy import TOY, Do, Step
from yunduan.runtime import domain as runtime
from yunduan.runtime.timekeeping import LEAP_MS_MAX, NOTE_EVERY_MS, ConfirmClock, Doubt
from yunduan.testing import World
from yunduan.testing.world import START_MS

__all__ = ["cluster", "place", "quiet"]

DOMAINS = (runtime.DOMAIN, TOY)
DAY_MS = 86_400_000
GAP_MS = 7 * DAY_MS
NOT_DUE_MS = 40 * DAY_MS


def opened(place: Place, at_ms: int, **settings: int) -> World:
    """The same store in a process that starts at a time, which its machine may be wrong about."""
    return world_at(place, domains=DOMAINS, at_ms=at_ms, **settings)


def prepare(place: Place) -> None:
    """Leave an alarm that is due in an hour, and one that is due in forty days."""
    with opened(place, START_MS) as world:
        world.send(Do(steps=(Step("alarm", "soon", 3_600_000), Step("alarm", "later", NOT_DUE_MS))))


def rung(world: World) -> list[str]:
    """What has rung, once all that is due has had its time."""
    world.settle()
    return [row[0] for row in world.rows("SELECT id FROM plain WHERE id IN ('soon', 'later') ORDER BY id")]


async def confirmed_at_start(world: World) -> None:
    """As `serve --confirm-clock` does it."""
    answered = await world.cloud.alarms.confirm()
    assert answered.accepted


def work(world: World) -> None:
    """Commit something, as the jobs of every start do."""
    world.send(Do(steps=(Step("note", "x", 1),)))


def test_a_cloud_that_starts_under_a_wrong_clock_rings_nothing_after_any_number_of_restarts(place: Place) -> None:
    """Each of them commits, and so moves the time of the books to the wrong one; the doubt is older than that."""
    prepare(place)
    for _ in range(3):
        with opened(place, START_MS + 30 * DAY_MS) as world:
            assert world.cloud.alarms.suspended
            work(world)
            assert rung(world) == []
    with opened(place, START_MS + 30 * DAY_MS) as world:
        confirmed = world.send(ConfirmClock(wall_ms=world.clock.wall_ms()))
        assert confirmed.doubted == Doubt("the cloud was away for longer than alarms.gap_ms_max", 30 * DAY_MS)
        assert (confirmed.wall_ms, confirmed.books_ahead_ms) == (START_MS + 30 * DAY_MS, 0)
        assert rung(world) == ["soon"]
    with opened(place, START_MS + 30 * DAY_MS) as world:
        assert not world.cloud.alarms.suspended


def test_a_clock_that_was_set_right_again_is_confirmed_too(place: Place) -> None:
    """Until then nothing rings, since nobody knows which of the two is the wrong one; then what is due by the right one."""
    prepare(place)
    with opened(place, START_MS + 30 * DAY_MS) as world:
        work(world)
    with opened(place, START_MS + 3_600_000) as world:
        assert rung(world) == []
        confirmed = world.send(ConfirmClock(wall_ms=world.clock.wall_ms()))
        assert confirmed.books_ahead_ms == 30 * DAY_MS - 3_600_000
        assert rung(world) == ["soon"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_leap_is_remembered_by_the_next_start(committed: bool, place: Place) -> None:
    """Whether something was committed under it or nothing but the doubt, and however short it is beside what a start allows."""
    prepare(place)
    with opened(place, START_MS) as world:
        world.clock.jump(DAY_MS)
        if committed:
            work(world)
        else:
            world.settle()
    with opened(place, START_MS + DAY_MS) as world:
        assert world.cloud.alarms.suspended
        assert rung(world) == []
        assert world.send(ConfirmClock(wall_ms=world.clock.wall_ms())).doubted == Doubt("the wall clock has leapt forward", DAY_MS)
        assert rung(world) == ["soon"]


def test_a_leap_is_on_disk_with_the_first_commit_under_it(place: Place) -> None:
    """The alarms have not looked at the clock since: the process is gone before they do."""
    prepare(place)
    with opened(place, START_MS) as world:
        world.clock.jump(30 * DAY_MS)
        work(world)
        kept = world.rows("SELECT value FROM mark WHERE name = 'clock_doubted'")
        assert msgspec.json.decode(kept[0][0], type=Doubt).by_ms == 30 * DAY_MS
        assert world.rows("SELECT at FROM head") == [(START_MS + 30 * DAY_MS,)]


def test_what_a_wrong_clock_has_left_in_the_books_hides_no_second_one(place: Place) -> None:
    """After a leap that was undone and confirmed the books are ahead; a start under the same wrong clock is doubted all the same."""
    prepare(place)
    with opened(place, START_MS) as world:
        world.clock.jump(30 * DAY_MS)
        work(world)
        world.clock.jump(-30 * DAY_MS)
        world.send(ConfirmClock(wall_ms=world.clock.wall_ms()))
        work(world)
    with opened(place, START_MS + 30 * DAY_MS) as world:
        assert world.cloud.alarms.suspended
        assert rung(world) == []


@pytest.mark.parametrize("leap_ms", [30 * DAY_MS, -30 * DAY_MS, LEAP_MS_MAX + 1])
def test_a_leap_between_looking_and_confirming_is_not_confirmed(leap_ms: int, place: Place) -> None:
    """Whoever confirms has not seen it."""
    prepare(place)
    with opened(place, START_MS) as world:
        world.clock.jump(DAY_MS)
        world.settle()
        world.clock.jump(-DAY_MS)
        seen = world.clock.wall_ms()
        world.clock.jump(leap_ms)
        assert world.refusal(ConfirmClock(wall_ms=seen)) == "clock_moved"
        assert world.cloud.alarms.suspended
        assert rung(world) == []
        world.send(ConfirmClock(wall_ms=world.clock.wall_ms()))
        assert not world.cloud.alarms.suspended


def test_a_cloud_may_be_away_for_as_long_as_the_setting_says(place: Place) -> None:
    """And not a millisecond longer, counted from when the time was last noted."""
    prepare(place)
    with opened(place, START_MS + GAP_MS, gap_ms_max=GAP_MS) as world:
        assert not world.cloud.alarms.suspended
        assert rung(world) == ["soon"]
        world.pass_time(NOTE_EVERY_MS)
        work(world)
    last = START_MS + GAP_MS + NOTE_EVERY_MS
    with opened(place, last + 3_600_001, gap_ms_max=3_600_000) as world:
        assert world.cloud.alarms.suspended
        world.pass_time(NOT_DUE_MS)
        assert rung(world) == ["soon"]
        world.run(confirmed_at_start(world))
        assert rung(world) == ["later", "soon"]


def test_time_that_passes_is_no_leap_and_nor_is_a_small_step(place: Place) -> None:
    """Days on end, steps of five minutes, and any step back; noted at most once a minute."""
    prepare(place)
    with opened(place, START_MS) as world:
        world.pass_time(NOT_DUE_MS // 2)
        for step in (LEAP_MS_MAX, -DAY_MS, -LEAP_MS_MAX):
            world.clock.jump(step)
            work(world)
            world.settle()
            assert not world.cloud.alarms.suspended
        statements = []
        for _ in range(3):
            world.clock.advance(NOTE_EVERY_MS // 4)
            before = world.cloud.writer.statements
            work(world)
            statements.append(world.cloud.writer.statements - before)
        assert statements == [statements[0]] * 3


def test_an_empty_cloud_begins_at_any_time(place: Place) -> None:
    """Nothing is known of the time before it."""
    with opened(place, START_MS + 10**12, gap_ms_max=1) as world:
        assert not world.cloud.alarms.suspended
