"""What the runtime promises, told as stories that end the same on every store."""

import asyncio
import logging
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from support.stores import Place, tables, world_at
from support.toy import BETWEEN, TOY, Do, Move, Open, PurseOf, Step, TwoLooks
from yunduan.edges import doctor
from yunduan.edges.http.watching import Here
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.refusals import BrokenError, FaultError, KeyRefusal, Refused, UnknownOutcomeError
from yunduan.runtime import domain as runtime
from yunduan.runtime.following import HearParked, ParkedFacts
from yunduan.runtime.jobs import EndJob, JobOf, StartJob
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.writer import SupersededError
from yunduan.testing import World

DOMAINS = (runtime.DOMAIN, TOY)
BO = Actor(person="per_bo")
TABLES = ("purse", "slot", "note", "plain", "heard", "fact", "alarm", "answer", "parked")


def steps(*said: str) -> Do:
    """Steps from words like `put:a:3`."""
    taken = []
    for word in said:
        what, key, amount = [*word.split(":"), "", ""][:3]
        taken.append(Step(what, key, int(amount or 0)))
    return Do(steps=tuple(taken))


def purses(world: World) -> dict[str, int]:
    """What every purse holds."""
    return dict(world.rows("SELECT id, amount FROM purse ORDER BY id"))  # type: ignore[arg-type]


def counts(world: World) -> dict[str, int]:
    """How many rows there are of everything."""
    return {table: world.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def write(world: World, sql: str, *arguments: object) -> None:
    """Change the store behind the back of the cloud."""
    store = world.cloud.store
    store.begin()
    store.write(sql, arguments)
    store.lend()
    store.commit()


def outcomes(world: World, *asked: Do, keys: list[str] | None = None) -> list[Any]:
    """The answers of one batch; of an error its type, of a refusal its code."""
    before = world.cloud.writer.batches
    found = world.send_all([(ask, SYSTEM) for ask in asked], keys=keys)
    assert world.cloud.writer.batches <= before + 1
    return [one.code if isinstance(one, Refused) else type(one) if isinstance(one, Exception) else one for one in found]


def failing(*kinds: type) -> Any:
    """An error that is the program's: not a fault, not a refusal."""
    return lambda found: isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, (FaultError, Refused))


is_error = failing()


# Keys


def test_a_key_is_answered_once_and_then_from_memory(world: World) -> None:
    """The second call with a key changes nothing and has the first one's answer, after a restart of time too."""
    assert world.send(steps("put:a:3", "get:a"), key="k") == [3]
    world.send(steps("put:a:9"))
    assert world.send(steps("put:a:3", "get:a"), key="k") == [3]
    assert purses(world) == {"a": 9}


def test_a_refusal_is_kept_under_its_key_and_changes_nothing(world: World) -> None:
    """A refused command leaves everything as it was but for its answer."""
    before = counts(world)
    assert world.refusal(steps("put:a:1", "note:a:1", "plain:b:1", "tell:x", "alarm:z:5", "refuse"), key="k") == "toy_no"
    assert counts(world) == {**before, "answer": 1}
    assert world.refusal(steps("put:a:1", "note:a:1", "plain:b:1", "tell:x", "alarm:z:5", "refuse"), key="k") == "toy_no"
    assert counts(world) == {**before, "answer": 1}
    assert world.cloud.writer.head.fact_seq == 0


def test_a_refusal_that_ends_by_itself_is_not_kept(world: World) -> None:
    """The same key is decided anew: refused again as long as it lasts, also in the same batch, and carried out once it does not."""
    ask = steps("note:n:1", "refuse_for_now:a")
    before = counts(world)
    assert outcomes(world, ask, ask, keys=["k", "k"]) == ["too_many_toys"] * 2
    assert counts(world) == before
    world.send(steps("put:a:1"))
    assert world.send(ask, key="k") == []
    assert world.send(ask, key="k") == []
    assert counts(world) == {**before, "purse": 1, "note": 1, "answer": 1}


def test_a_key_with_other_content_is_refused(world: World) -> None:
    """One key, one content."""
    world.send(steps("put:a:3"), key="k")
    with pytest.raises(Refused) as refused:
        world.send(steps("put:a:4"), key="k")
    assert refused.value.code is KeyRefusal.REUSED
    assert purses(world) == {"a": 3}


def test_another_caller_has_keys_of_their_own(world: World) -> None:
    """A key belongs to whoever used it."""
    assert world.send(steps("put:a:3", "get:a"), key="k") == [3]
    assert world.send(steps("put:b:4", "get:b"), key="k", actor=BO) == [4]
    assert purses(world) == {"a": 3, "b": 4}


def test_a_second_call_in_flight_waits_for_the_first(world: World) -> None:
    """Two calls with one key in one batch have one effect."""
    assert outcomes(world, steps("note:a:1", "count:a"), steps("note:a:1", "count:a"), keys=["k", "k"]) == [[1], [1]]
    assert counts(world)["note"] == 1


def test_keys_outlive_the_process(place: Place) -> None:
    """Another process knows what was answered."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps("note:a:1", "count:a"), key="k")
    with world_at(place, domains=DOMAINS) as world:
        assert world.send(steps("note:a:1", "count:a"), key="k") == [1]
        assert counts(world)["note"] == 1


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "a\nb"])
def test_an_unprintable_key_harms_nobody_else(world: World, key: str) -> None:
    """It is the program's error of whoever sent it; the others in the batch are answered."""
    found = outcomes(world, steps("put:a:1", "get:a"), steps("put:b:1", "get:b"), keys=["k", key])
    assert found == [[1], BrokenError]
    assert purses(world) == {"a": 1}
    assert world.cloud.writer.failed is None


# Undoing


UNDONE = [
    ("put:a:7",),
    ("put:a:7", "sum"),
    ("put:a:7", "sum", "put:a:8"),
    ("remove:a",),
    ("remove:a", "put:a:5"),
    ("remove:a", "put:a:5", "sum", "remove:a"),
    ("put:n:1", "remove:n"),
    ("note:a:2",),
    ("note:a:2", "count:a", "note:a:3"),
    ("plain:a:5", "plain_later:b:1"),
    ("plain_later:p:1", "plain:p:1"),
    ("slot:r:1", "slot:r:2", "remove_slot:r:1"),
    ("nested:a:4", "sum", "nested:b:2"),
    ("tell:x", "tell:y"),
    ("alarm:x:10",),
    ("sum", "put:a:1", "sum", "note:a:9", "count:a", "slot:r:1", "plain:p:2"),
]


@pytest.mark.parametrize("end", ["refuse", "break", "bad_read", "bad_write:q", "nested_refusal_hidden"])
@pytest.mark.parametrize("undone", UNDONE, ids=" ".join)
def test_a_command_that_fails_in_the_middle_of_a_batch_leaves_no_trace(world: World, undone: tuple[str, ...], end: str) -> None:
    """Its neighbours' rows, waiting or written, stay; those after it see what it found."""
    world.send(steps("put:a:1", "note:a:1", "slot:r:1", "plain:p:1"))
    before = counts(world)
    first, after = steps("put:a:2", "put:b:2", "note:a:7", "slot:r:1", "tell:first"), steps("get:a", "sum", "count:a", "put:c:1")
    found = outcomes(world, first, steps(*undone, end), after)
    assert found[0] == []
    assert found[1] == "toy_no" if end == "refuse" else is_error(found[1])
    assert found[2] == [2, 4, 2]
    assert purses(world) == {"a": 2, "b": 2, "c": 1}
    assert counts(world) == {**before, "purse": 3, "note": 2, "fact": 1}
    assert world.rows("SELECT room, place, body FROM slot") == [("r", 1, b"x")]
    assert world.rows("SELECT id, amount FROM plain WHERE id = ?", "p") == [("p", 1)]
    assert world.cloud.writer.failed is None
    assert world.send(steps("get:a", "sum", "get:c")) == [2, 5, 1]


def test_a_command_that_breaks_is_dropped_alone_and_its_key_stays_free(world: World) -> None:
    """What is broken is not stored: the same key may come again."""
    assert outcomes(world, steps("put:a:1"), steps("put:a:2", "break"), keys=["k1", "k2"]) == [[], RuntimeError]
    assert purses(world) == {"a": 1}
    assert world.rows("SELECT name FROM answer") == [("k1 system",)]


@pytest.mark.parametrize("bad", ["add_blindly:a:5", "put_blindly:nowhere:5", "put:b:-1", "bad_read"])
def test_what_does_not_fit_at_the_end_of_a_batch_drops_only_the_culprit(world: World, bad: str) -> None:
    """The store finds it when the batch is written together: everybody else is carried out again, once."""
    world.send(steps("put:a:1"))
    asked = [steps(f"put:p{n}:{n}", f"note:n:{n}") for n in range(10)]
    asked.insert(5, steps("note:bad:1", bad))
    found = outcomes(world, *asked, keys=[f"k{n}" for n in range(11)])
    assert is_error(found.pop(5))
    assert found == [[]] * 10
    assert purses(world) == {"a": 1, **{f"p{n}": n for n in range(10)}}
    assert world.rows("SELECT text FROM note ORDER BY seq") == [(f"n{n}",) for n in range(10)]
    assert counts(world)["answer"] == 10
    assert world.cloud.writer.failed is None


def test_a_row_that_nobody_has_read_is_read_before_it_is_changed(place: Place) -> None:
    """The store does not look whether each changed row is there: so one that is not adds nothing, and one that is may be changed unread."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps("put:a:1"))
    with world_at(place, domains=DOMAINS) as world:
        found = outcomes(
            world, steps("put_blindly:a:5"), steps("put_blindly:nowhere:5"), steps("put_blindly:a:7", "refuse"), steps("put:b:2")
        )
        assert is_error(found.pop(1))
        assert found == [[], "toy_no", []]
        assert purses(world) == {"a": 5, "b": 2}
        assert world.send(steps("get:a")) == [5]


def test_a_fault_voids_the_batch_and_the_same_keys_may_come_again(world: World) -> None:
    """When the machine fails nothing was kept, of anybody."""
    before = counts(world)
    found = outcomes(world, steps("put:a:1", "sum"), steps("put:b:1", "fault"), steps("note:c:1"), keys=["k1", "k2", "k3"])
    assert found == [FaultError, FaultError, FaultError]
    assert counts(world) == before
    assert outcomes(world, steps("put:a:1", "sum"), steps("note:c:1"), keys=["k1", "k3"]) == [[1], []]
    assert purses(world) == {"a": 1}


def test_a_failed_statement_that_the_handler_hides_harms_nobody_else(world: World) -> None:
    """Hiding an error is not in the house's rules; whatever a store makes of it, the neighbours are answered."""
    found = outcomes(world, steps("put:a:1"), steps("bad_read_hidden", "put:b:2"), steps("get:a"))
    assert (found[0], found[2]) == ([], [1])
    assert purses(world) in ({"a": 1}, {"a": 1, "b": 2})
    assert (found[1] == [-1]) == ("b" in purses(world))
    assert world.send(steps("put:c:3", "get:c")) == [3]


@pytest.mark.parametrize("text", ["雲端 🦋 'quoted' \"double\" \\ %s ? {} \t", "", "NULL", "a" * 100_000])
def test_text_comes_back_as_it_went_in(world: World, text: str) -> None:
    """In a keyed row, as an argument and as a key."""
    world.send(
        Do(steps=(Step("put", text, 2), Step("plain", text, 1), Step("plain", text, 2), Step("note", text, 1), Step("note", text, 2)))
    )
    assert world.rows("SELECT id, amount, label, mark FROM purse WHERE id = ?", text) == [(text, 2, text, b"\x00\x02")]
    assert world.rows("SELECT id, amount FROM plain WHERE id = ?", text) == [(text, 3)]
    assert world.ask(PurseOf(id=text)) == 2
    assert world.send(Do(steps=(Step("get", text), Step("count", text)))) == [2, 2]


def test_text_with_nul_is_kept_whole_or_refused_clearly(world: World) -> None:
    """No store cuts it short, and no neighbour suffers."""
    found = outcomes(
        world, steps("put:a:1"), steps("put:n\0l:2"), steps("note:n\0l:2", "note:m:1"), steps("plain:n\0l:1"), steps("get:n\0l")
    )
    assert found[0] == []
    kept = [one == [] for one in found[1:4]]
    assert kept in ([True] * 3, [False] * 3)
    assert all(one in ([], BrokenError) for one in found[1:4])
    assert found[4] == [2 if kept[0] else None]
    assert purses(world) == ({"a": 1, "n\0l": 2} if kept[0] else {"a": 1})
    assert counts(world)["note"] == (2 if kept[0] else 0)


@pytest.mark.parametrize("amount", [2**63 - 1, 0, 10**15])
def test_whole_numbers_of_64_bits_come_back_exactly(world: World, amount: int) -> None:
    """No float anywhere."""
    world.send(Do(steps=(Step("put", "a", amount), Step("plain", "b", amount))))
    assert world.rows("SELECT amount FROM purse") == [(amount,)]
    assert world.send(steps("get:a")) == [amount]


def test_a_number_of_more_than_64_bits_breaks_its_command_alone(world: World) -> None:
    """It does not wrap, and does not become a float."""
    asked = [Do(steps=(Step("put", "big", 2**63),)), Do(steps=(Step("plain", "big", 2**63),)), steps("put:a:1")]
    found = outcomes(world, *asked)
    assert (is_error(found[0]), is_error(found[1]), found[2]) == (True, True, [])
    assert purses(world) == {"a": 1}


def test_text_is_ordered_by_its_bytes(world: World) -> None:
    """Capitals before small letters before accents, whatever the locale."""
    for name in ("b", "a", "B", "é", "Z", "云", "_", "a0", "a-1"):
        world.send(Do(steps=(Step("put", name, 1),)))
    assert [row[0] for row in world.rows("SELECT id FROM purse ORDER BY id")] == ["B", "Z", "_", "a", "a-1", "a0", "b", "é", "云"]
    assert world.rows("SELECT count(*) FROM purse WHERE id > ?", "a") == [(6 - 1,)]


# Facts, followers, alarms, jobs


def test_facts_are_gapless_whoever_is_refused(world: World) -> None:
    """Their numbers come from the head, and a refusal gives its own back."""
    asked = [steps(f"tell:f{n}", *(["refuse"] if n % 3 == 1 else ["break"] if n % 7 == 3 else ["sum"])) for n in range(30)]
    outcomes(world, *asked)
    told = [n for n in range(30) if n % 3 != 1 and n % 7 != 3]
    assert [row[0] for row in world.rows("SELECT seq FROM fact ORDER BY seq")] == list(range(1, len(told) + 1))
    world.settle()
    assert [row[0] for row in world.rows("SELECT name FROM heard ORDER BY seq")] == [f"f{n}" for n in told]
    assert world.cloud.writer.head.fact_seq == len(told)


def test_a_follower_hears_each_fact_once_in_effect(place: Place) -> None:
    """Its cursor moves with what it writes: a delivery that comes again changes nothing, a restart goes on."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps("tell:one", "tell:two"))
        world.settle()
        world.cloud.following._cursors["toy_ears"] = 0  # as if it had forgotten
        world.settle()
        world.send(steps("tell:three"))
    with world_at(place, domains=DOMAINS) as world:
        world.settle()
        assert world.rows("SELECT name FROM heard ORDER BY seq") == [("one",), ("two",), ("three",)]


def test_a_fact_that_cannot_be_heard_is_parked_and_those_behind_it_are_heard(world: World) -> None:
    """After some tries, alone."""
    world.send(steps("tell:one", "tell:unheard", "tell:two"))
    world.settle()
    assert world.rows("SELECT name FROM heard ORDER BY seq") == [("one",), ("two",)]
    assert world.rows("SELECT follower, seq FROM parked") == [("toy_ears", 2)]
    assert world.cloud.following.parked == 1


@pytest.mark.parametrize("body", [b"{}", b'{"name":7}', b"\xff", b""])
def test_a_fact_that_cannot_be_read_is_parked_and_those_around_it_are_heard(body: bytes, place: Place) -> None:
    """After some tries, however many stand before it; nobody has to hear those one by one. Before a restart they are heard from memory."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps(*(f"tell:f{n}" for n in range(1, 7))))
        write(world, "UPDATE fact SET body = ? WHERE seq IN (3, 4)", body)
    with world_at(place, domains=DOMAINS) as world:
        before = world.cloud.writer.commands
        world.settle()
        assert world.rows("SELECT name FROM heard ORDER BY seq") == [("f1",), ("f2",), ("f5",), ("f6",)]
        assert world.rows("SELECT follower, seq FROM parked ORDER BY seq") == [("toy_ears", 3), ("toy_ears", 4)]
        assert world.rows("SELECT seq FROM cursor WHERE follower = 'toy_ears'") == [(6,)]
        assert world.cloud.writer.commands - before == 4


def test_a_parked_fact_can_be_heard_once_it_can_be_taken(place: Place) -> None:
    """Refused with what is wrong until then, and nothing has changed; afterwards it is set aside no more. A restart still counts it."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps("tell:one", "tell:unheard", "tell:two"))
        world.settle()
        before = counts(world)
        assert world.refusal(HearParked(follower="toy_ears", seq=2)) == "fact_not_taken"
        assert world.refusal(HearParked(follower="toy_ears", seq=1)) == "parked_fact_not_found"
        assert counts(world) == before
    with world_at(place, domains=DOMAINS) as world:
        assert world.cloud.following.parked == 1
        (parked,) = world.ask(ParkedFacts())
        assert (parked.follower, parked.seq, parked.kind) == ("toy_ears", 2, "Named")
        assert "cannot hear that" in parked.error
        write(world, "UPDATE fact SET body = ? WHERE seq = 2", b'{"name":"mended"}')
        world.send(HearParked(follower="toy_ears", seq=2))
        assert world.rows("SELECT name FROM heard ORDER BY seq") == [("one",), ("two",), ("mended",)]
        assert world.refusal(HearParked(follower="toy_ears", seq=2)) == "parked_fact_not_found"
        assert world.cloud.following.parked == 0
        write(world, "INSERT INTO parked (follower, seq, error, at) VALUES ('nobody', 1, '', 0), ('toy_ears', 1, '', 0)")
        write(world, "UPDATE fact SET kind = 'Gone' WHERE seq = 1")
        assert [world.refusal(HearParked(follower=name, seq=1)) for name in ("nobody", "toy_ears")] == ["fact_not_heard"] * 2


def test_what_a_follower_tells_names_the_facts_that_it_heard(world: World) -> None:
    """As its cause: its own facts, and those of the commands that it sends."""
    world.send(steps("tell:one", "tell:call two"), key="k")
    world.settle()
    world.send(steps("tell:shout three"))
    world.settle()
    told = [(seq, cause) for seq, cause in world.rows("SELECT seq, cause FROM fact ORDER BY seq")]
    assert told == [(1, "k"), (2, "k"), (3, "toy_ears@1-2"), (4, ""), (5, "toy_ears@4/1")]


def test_an_alarm_rings_once_at_its_time(place: Place) -> None:
    """Not before, not twice, and not again after a restart."""
    with world_at(place, domains=DOMAINS) as world:
        world.send(steps("alarm:x:1000", "alarm:y:5000"))
        world.pass_time(999)
        assert counts(world)["alarm"] == 2
        world.pass_time(1)
        world.settle()
        assert world.rows("SELECT id, amount FROM plain WHERE id IN (?, ?)", "x", "y") == [("x", 1)]
        at_ms = world.clock.wall_ms()
    with world_at(place, domains=DOMAINS, at_ms=at_ms) as world:
        world.pass_time(5000)
        assert world.rows("SELECT id, amount FROM plain WHERE id IN (?, ?) ORDER BY id", "x", "y") == [("x", 1), ("y", 1)]
        assert counts(world)["alarm"] == 0


def test_an_alarm_whose_command_breaks_is_put_off(world: World) -> None:
    """It is tried again a minute later, and changes nothing meanwhile."""
    world.send(steps("alarm_that_breaks:x:10", "alarm:y:10"))
    world.pass_time(10)
    assert world.rows("SELECT failures, due FROM alarm") == [(1, world.clock.wall_ms() + 60_000)]
    assert world.rows("SELECT id FROM plain WHERE id IN (?, ?)", "x", "y") == [("y",)]


def test_an_alarm_that_breaks_again_and_again_is_tried_less_and_less_often(world: World) -> None:
    """After 1, 4, 9, … and at most 60 minutes."""
    world.send(steps("alarm_that_breaks:x:0"))
    pauses, rang_at = [], world.clock.wall_ms()
    for failures in range(1, 11):
        world.settle()
        ((failed, due),) = world.rows("SELECT failures, due FROM alarm")
        assert failed == failures
        pauses.append((due - rang_at) // 60_000)
        rang_at = due
        world.pass_time(due - world.clock.wall_ms() - 1)
        assert world.rows("SELECT failures FROM alarm") == [(failures,)]
        world.clock.advance(1)
    assert pauses == [1, 4, 9, 16, 25, 36, 49, 60, 60, 60]


@pytest.mark.parametrize(("kind", "body"), [("Gone", b"{}"), ("Do", b'{"steps":7}'), ("Do", b"\xff\x00"), ("Ring", b"")])
def test_an_alarm_that_cannot_be_read_is_put_off_and_the_others_ring(kind: str, body: bytes, world: World) -> None:
    """As after an upgrade: it stays for a program that can read it, is counted, and stops nobody."""
    world.send(steps("alarm:x:10", "alarm:y:20"))
    write(world, "INSERT INTO alarm (id, due, kind, body, failures) VALUES (?, ?, ?, ?, 0)", "alm_0", world.clock.wall_ms(), kind, body)
    world.pass_time(20)
    assert world.rows("SELECT id FROM plain WHERE id IN ('x', 'y') ORDER BY id") == [("x",), ("y",)]
    assert world.rows("SELECT id, failures, due FROM alarm") == [("alm_0", 1, world.clock.wall_ms() - 20 + 60_000)]
    assert (world.cloud.alarms.unreadable, world.cloud.writer.broken, world.cloud.writer.replays) == (1, 1, 0)
    world.pass_time(60_000)
    assert world.rows("SELECT failures FROM alarm") == [(2,)]


def test_an_alarm_whose_command_is_refused_is_put_off_and_counted(world: World) -> None:
    """It is not lost without a word: tried again a minute later, with nothing changed meanwhile, and somebody can see it."""
    world.send(steps("alarm_that_is_refused:x:10", "alarm:y:10"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # until the fixture `quiet` ends
    with capture_logs() as logged:
        world.pass_time(10)
    assert world.rows("SELECT failures, due FROM alarm") == [(1, world.clock.wall_ms() + 60_000)]
    assert world.rows("SELECT id FROM plain WHERE id IN (?, ?)", "x", "y") == [("y",)]
    (said,) = [entry for entry in logged if entry["event"] == "alarm_refused"]
    assert (said["log_level"], said["command"], "toy_no" in said["refusal"]) == ("error", "Do", True)
    world.pass_time(60_000)
    assert world.rows("SELECT failures FROM alarm") == [(2,)]
    assert world.cloud.writer.alarms_refused == 2
    assert b"yunduan_alarms_refused_total 2.0" in asyncio.run(Here(world.cloud).metrics((), 0))
    world.pass_time(4 * 60_000)
    found = doctor._failing(world.cloud.behind)
    assert (found.is_bad, found.found.startswith("Do has failed 3 times")) == (True, True)


def test_a_job_resumes_where_a_restart_left_it(place: Place) -> None:
    """Each step's effect and its progress are one commit."""
    with world_at(place, domains=DOMAINS) as world:
        id = world.send(StartJob(kind="count")).id
        world.run(world.cloud.jobs.run_once())
        world.run(world.cloud.jobs.run_once())
    with world_at(place, domains=DOMAINS) as world:
        assert world.ask(JobOf(id=id)).done == 2
        world.settle()
        job = world.ask(JobOf(id=id))
        assert (job.status, job.done, job.total) == ("finished", 5, 5)
        assert world.rows("SELECT text FROM note ORDER BY seq") == [(f"step {n}",) for n in range(1, 6)]
        assert world.refusal(EndJob(id=id)) == "job_ended"


def test_a_job_that_breaks_keeps_the_steps_before(world: World) -> None:
    """And says what was wrong."""
    id = world.send(StartJob(kind="count_and_break")).id
    world.settle()
    job = world.ask(JobOf(id=id))
    assert (job.status, job.done) == ("failed", 2)
    assert "the third step" in job.error
    assert world.rows("SELECT text FROM note ORDER BY seq") == [("step 1",), ("step 2",)]


# Readers


def test_one_query_sees_one_commit(world: World) -> None:
    """What is committed between its statements it does not see; the next query does."""
    world.send(steps("put:a:5"))
    look = world.cloud._look

    def commit_beside() -> None:
        BETWEEN.clear()
        store = world.cloud.store
        store.begin()
        store.write("UPDATE purse SET amount = 9 WHERE id = ?", ("a",))
        store.lend()
        store.commit()

    BETWEEN.append(commit_beside)
    assert look.answer(TwoLooks(), actor=SYSTEM, now=0) == (5, 5)
    assert look.answer(TwoLooks(), actor=SYSTEM, now=0) == (9, 9)


def test_a_reader_cannot_write(world: World) -> None:
    """Whatever a query tries."""
    reader = world.cloud.store.reader()
    with pytest.raises(Exception, match=r"read-?only"):
        reader.rows("INSERT INTO plain (id, amount) VALUES ('w', 1) RETURNING id")
    assert reader.rows("SELECT count(*) FROM plain") == [(1,)]
    reader.close()


def test_a_query_that_fails_leaves_the_reader_fit_for_the_next(world: World) -> None:
    """Within one query and outside."""
    world.send(steps("put:a:5"))

    def fail() -> None:
        BETWEEN.clear()
        world.cloud._look.rows("SELECT id FROM nowhere")

    BETWEEN.append(fail)
    with pytest.raises(Exception, match="nowhere"):
        world.ask(TwoLooks())
    assert world.ask(TwoLooks()) == (5, 5)


def test_comparisons_and_nulls_read_alike(world: World) -> None:
    """Truth is 1 or 0; an argument may be nothing."""
    assert world.rows("SELECT 1 = 1, 1 = 2, ? IS NULL, ? IS NOT NULL, '?', ''''", None, 3) == [(1, 0, 1, 1, "?", "'")]
    assert world.rows("SELECT id, amount FROM plain WHERE (? IS NULL OR id = ?) AND amount < ?", None, "x", 8) == [("it's TEXT?", 7)]
    assert world.rows("SELECT CAST(sum(amount) AS INTEGER), X'00ff', CAST(? AS INTEGER) FROM plain", 4) == [(7, b"\x00\xff", 4)]
    assert world.rows("SELECT amount FROM plain WHERE id = ?", "nobody") == []


def test_both_stores_have_the_same_tables(world: World) -> None:
    """A migration makes the same of every store."""
    runtime_tables = ["alarm", "answer", "cursor", "fact", "head", "import", "imported", "job", "mark", "migration", "parked"]
    toy_tables = ["account", "heard", "moved", "note", "plain", "purse", "slot"]
    assert tables(world) == sorted(runtime_tables + toy_tables)


# One writer


def test_a_second_writer_is_not_let_in(place: Place, world: World) -> None:
    """While the first is there."""
    with pytest.raises(StoreRefusedError, match="another process writes"):
        place.open(wait_s=0.0)
    world.send(steps("put:a:1"))
    assert purses(world) == {"a": 1}


def test_a_writer_whose_head_has_been_moved_stops_and_answers_nothing(world: World) -> None:
    """It has been superseded: what it believes is no longer so."""
    world.send(steps("put:a:1"))
    store = world.cloud.store
    store.begin()
    store.write("UPDATE head SET fact_seq = fact_seq + 1")
    store.lend()
    store.commit()
    stopped: list[BaseException] = []
    world.cloud.writer.on_stop(stopped.append)
    assert outcomes(world, steps("put:a:2"), steps("put:b:1")) == [UnknownOutcomeError, UnknownOutcomeError]
    assert isinstance(stopped[0], SupersededError)
    assert outcomes(world, steps("put:a:3")) == [UnknownOutcomeError]
    assert purses(world) == {"a": 1}


def test_nothing_touches_the_store_while_a_commit_is_on_its_way(world: World) -> None:
    """The runtime enforces it."""
    store = world.cloud.store
    store.begin()
    store.write("DELETE FROM plain")
    store.lend()
    for touch in (lambda: store.row("SELECT 1"), lambda: store.write("DELETE FROM plain"), store.savepoint, store.begin, store.lend):
        with pytest.raises(BrokenError):
            touch()
    store.commit()
    assert store.row("SELECT count(*) FROM plain") == (0,)


def test_many_callers_move_money_and_none_is_lost(world: World) -> None:
    """Each batch is read, decided and written in sets; the sums stay, and nobody goes below zero."""
    ids = tuple(f"acc_{n:02}" for n in range(10))
    world.send(Open(ids=ids, credit=50))

    async def all_at_once() -> list[Any]:
        asked = [
            world.cloud.send(Move(id=f"m{n}", debit=ids[n * 7 % 10], credit=ids[(n * 3 + 1) % 10], amount=n % 13 + 1), key=f"k{n}")
            for n in range(600)
        ]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    found = world.run(all_at_once())
    model = dict.fromkeys(ids, 50)
    for n, one in enumerate(found):
        source, target, amount = ids[n * 7 % 10], ids[(n * 3 + 1) % 10], n % 13 + 1
        if source == target or model[source] < amount:
            assert isinstance(one, Refused)
        else:
            assert one is None
            model[source] -= amount
            model[target] += amount
    assert dict(world.rows("SELECT id, credits - debits FROM account")) == model  # type: ignore[arg-type]
    assert counts(world)["answer"] == 600
    assert world.cloud.writer.replays == 0


# Copies


def test_a_copy_is_consistent_and_can_be_opened(place: Place, world: World, tmp_path: Any) -> None:
    """A copy holds everything up to one commit, and a cloud runs on it."""
    world.send(steps("put:a:1", "note:a:1", "slot:r:1"), key="k")
    target = str(tmp_path / "copy")
    world.cloud.store.backup(target)
    world.send(steps("put:a:2"))
    if place.kind == "sqlite":
        from yunduan.backends.sqlite import SqliteStore

        copy = SqliteStore(tmp_path / "copy")
    else:
        from yunduan.backends.postgresql import PostgresqlStore, restore

        place.cluster.run("CREATE DATABASE restored")  # type: ignore[attr-defined]
        dsn = place.cluster.dsn.replace("dbname=postgres", "dbname=restored")  # type: ignore[attr-defined]
        restore(dsn, target)
        copy = PostgresqlStore(dsn, schema=place.schema)  # type: ignore[attr-defined,assignment]
    with World(copy, domains=DOMAINS) as other:
        assert other.cloud.migrated == []
        assert purses(other) == {"a": 1}
        assert other.send(steps("put:a:1", "note:a:1", "slot:r:1"), key="k") == []
        assert other.send(steps("note:a:2", "count:a")) == [2]
    if place.kind == "postgresql":
        place.cluster.run("DROP DATABASE restored")  # type: ignore[attr-defined]
    assert purses(world) == {"a": 2}
