"""A whole cloud under a seed: virtual time, a disk whose power is cut, people who repeat themselves, and a second bookkeeper.

A run is many lives of one cloud over one disk. Each life ends as its fate says: at a step of the writer, at a change of the
disk, between two callbacks, by an error of the disk, or in order; then the machine has lost its power, or only its process.
"""

import asyncio
import contextlib
import hashlib
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec
import structlog
from msgspec import Struct

from yunduan import cloud as composition
from yunduan.backends.sqlite import store as backend
from yunduan.kernel.refusals import FaultError, KeyRefusal, Refused, UnknownOutcomeError
from yunduan.runtime import domain as runtime
from yunduan.runtime.clock import SeededEntropy, VirtualClock
from yunduan.runtime.ports import StoreRefusedError
from yunduan.runtime.registry import Domain
from yunduan.runtime.writer import Limits
from yunduan.testing.bazaar import BAZAAR
from yunduan.testing.bazaar.facts import Expired, Rang
from yunduan.testing.bazaar.followers import Weather
from yunduan.testing.checkers import Auditor, ViolationError, claim
from yunduan.testing.disk import RecordingVfs
from yunduan.testing.faults import CrashError, CuttableDisk, Doom, End, Fate
from yunduan.testing.loop import Inline, SeededLoop
from yunduan.testing.people import Asked, People

START_MS = 1_790_000_000_000
DAY_MS = 86_400_000
GAP_MS_MAX = DAY_MS // 2
"""Less than a leap, so that a start finds out about one that nobody had time to see."""
OPERATIONS = 1_000
LOOKED_AT_CLOSELY = 5
"""Of one seed in so many every table is compared after each commit, which takes longer."""
STEPS_MAX = 100_000
"""Of one life: a cloud that takes more has hung."""
FILE = "bazaar.sqlite"
ALONE = "unix-excl"
"""Files of which one process has all connections: these lock one another out without the system, for which it would be asked each time."""
TOLD_WITHIN = 200
"""Callbacks, a few virtual milliseconds: until a helper's failure has reached the writer."""
LOOK_AGAIN_S = 0.05
"""Virtual, between two looks at whether what everybody waits for has come."""
_numbers = itertools.count()
_noted = msgspec.msgpack.Encoder().encode


class Report(Struct, frozen=True, kw_only=True):
    """What a run has been; the same seed gives the same trace."""

    seed: int
    operations: int
    answered: int
    facts: int
    ends: dict[str, int]
    trace: str


class LeapingClock(VirtualClock):
    """A clock that somebody sets, which knows how wrong it is."""

    leap_ms = 0

    def jump(self, by_ms: int) -> None:
        """Set the wall clock without letting time pass."""
        super().jump(by_ms)
        self.leap_ms += by_ms

    def true_ms(self) -> int:
        """The time that it would show had nobody set it."""
        return self.wall_ms() - self.leap_ms


class SeededWeather:
    """Strikes followers down by the seed."""

    def __init__(self, chance: random.Random) -> None:
        """Calm at first."""
        self._chance = chance
        self.rough = False

    def strikes(self, whom: str) -> bool:  # noqa: ARG002 - the protocol's
        """Whether to die now."""
        return self.rough and self._chance.random() < 0.02


class TrackedStore(backend.SqliteStore):
    """The real store, which can be let go of like the files of a process that is gone."""

    def __init__(self, path: Path, **settings: Any) -> None:
        """Open it."""
        self._readers: list[backend.SqliteReader] = []
        self._is_closed = False
        self._touched: set[str] = set()
        super().__init__(path, **settings)

    def reader(self, *, is_behind: bool = False) -> backend.SqliteReader:
        """A new read-only connection, remembered."""
        reader = super().reader(is_behind=is_behind)
        self._readers.append(reader)
        return reader

    def watch(self) -> None:
        """Remember from now on which tables are written in, by what SQLite itself says of each row, however it comes to change it."""
        touch = self._touched.add
        self._connection.preupdate_hook(lambda update: touch(update.table_name))

    def take_touched(self) -> set[str]:
        """The tables that were written in since this was last asked."""
        touched = self._touched.copy()
        self._touched.clear()
        return touched

    def close(self) -> None:
        """Let go, once."""
        if not self._is_closed:
            self._is_closed = True
            super().close()

    def abandon(self) -> None:
        """Close whatever is open."""
        for reader in self._readers:
            with contextlib.suppress(apsw.IOError):  # the last one may not take the lock that it tries to tidy up under
                reader.close()
        self.close()


class Simulation:
    """One run under a seed; raises `ViolationError` as soon as something is not as it must be."""

    def __init__(self, seed: int, folder: Path, *, operations: int = OPERATIONS, store: type[TrackedStore] = TrackedStore) -> None:
        """Prepare a world in a folder, which is emptied afterwards."""
        self.seed = seed
        self.folder = folder
        self.operations = operations
        self.store_type = store
        self.chance = random.Random(seed)  # noqa: S311 - a simulator needs a sequence that repeats
        self.clock = LeapingClock(START_MS)
        self.entropy = SeededEntropy(seed)
        self.weather = SeededWeather(random.Random(seed + 1))  # noqa: S311 - the same
        self.disk = CuttableDisk()
        self.auditor = Auditor()
        self.people = People(self.chance)
        self.asked = 0
        self.ends: Counter[str] = Counter()
        self.lives = 0
        self.compares_every = 1 if seed % LOOKED_AT_CLOSELY == 0 else 40
        """Commits between two comparisons of every table with the books; the facts are read after each."""
        self._power_lost = self._brief = False
        self._trace = hashlib.blake2b(digest_size=16)

    def run(self) -> Report:
        """Live until enough has been asked, then in peace until everything is answered, heard and rung."""
        try:
            while self.asked < self.operations:
                self._brief = self.lives > 0 and not self._power_lost and self.chance.random() < 0.5
                self._live(Fate.brief(self.chance) if self._brief else Fate.drawn(self.chance))
            self._live(None)
        except ViolationError as violation:
            raise ViolationError(f"seed {self.seed}, life {self.lives}, {self.asked} asked: {violation}") from violation
        return Report(
            seed=self.seed,
            operations=self.asked,
            answered=len(self.auditor.answered),
            facts=self.auditor.seq,
            ends=dict(self.ends),
            trace=self._trace.hexdigest(),
        )

    # What another trade than the toy market does otherwise

    domains: tuple[Domain, ...] = (runtime.DOMAIN, BAZAAR)
    steps_max = STEPS_MAX
    leaps_ms: tuple[int, ...] = (DAY_MS, -DAY_MS)
    """By how much somebody now and then sets the clock."""

    def parts(self, folder: Path, vfs: str) -> composition.Parts:  # noqa: ARG002 - others keep files there
        """What a life of the cloud stands on."""
        return composition.Parts(ports={Weather: self.weather})

    def look(self, eye: backend.SqliteReader, commits: int, touched: set[str]) -> None:  # noqa: ARG002 - others look at those alone
        """After so many commits of a life: whether everything is as it must be; of some seeds the tables that were touched are known."""
        if commits % self.compares_every == 0:
            self.auditor.compare(eye)

    def told(self, fact: object) -> None:
        """A fact was committed: nothing that waits for its time is early."""
        books, now = self.auditor.books, self.clock.true_ms()
        if isinstance(fact, Rang):
            claim(now >= books.bells[fact.bell], f"bell {fact.bell} rang {books.bells[fact.bell] - now} ms early")
        if isinstance(fact, Expired):
            claim(now >= books.holds[fact.hold].due, f"hold {fact.hold} expired {books.holds[fact.hold].due - now} ms early")

    def lets_time_pass(self, cloud: composition.Cloud) -> bool:  # noqa: ARG002 - others have people who wait
        """Whether nobody asks anything now, because time passes."""
        return False

    def is_quiet(self, cloud: composition.Cloud) -> bool:
        """Whether nothing is left to do; lets time pass until the next alarm."""
        due = cloud.alarms.next_due()
        if due is not None and due > self.clock.wall_ms():
            self.clock.advance_to(due)
        return due is None

    def at_the_end(self, eye: backend.SqliteReader) -> None:  # noqa: ARG002 - others look
        """What must be true when everything has come to rest."""
        books = self.auditor.books
        claim(set(books.bells) == books.rung, f"bells {set(books.bells) - books.rung} have not rung")

    # Lives

    def note(self, *what: object) -> None:
        """Make something part of the trace."""
        self._trace.update(_noted(what))

    def _live(self, fate: Fate | None) -> None:
        self.lives += 1
        folder = self.folder / f"life-{self.lives}"
        self.disk.put_into(folder)
        self.disk.cut(
            changes=fate.after if fate and fate.end is End.AT_A_CHANGE else None,
            syncs=fate.after if fate and fate.end is End.BEFORE_A_SYNC else None,
        )
        life = Life(self, folder, fate)
        try:
            life.live()
        except CrashError:
            self.note("crash", fate.end if fate else "")
        finally:
            life.bury()
            shutil.rmtree(folder)
        if fate is not None:
            self.ends[fate.end] += 1
            self._restart_machine()

    def _restart_machine(self) -> None:
        stopped = self.disk.at_cut or self.disk
        self._power_lost = self._brief or self.chance.random() < 0.6
        left = stopped.after_power_loss(self.chance) if self._power_lost else stopped.copy()
        self.note("power" if self._power_lost else "process", stopped.unsynced())
        self.disk = CuttableDisk()
        self.disk.files, self.disk.doubtful = left.files, left.doubtful
        self._set_clock()

    def may_leap(self) -> bool:
        """Whether somebody may set the clock wrong: not before the first commit, since a store without one knows of no other time."""
        return bool(self.leaps_ms) and not self.clock.leap_ms and self.auditor.seq > 0

    def _set_clock(self) -> None:
        """A machine that starts has its clock set right, as a rule; or it is still wrong, or wrong from now on."""
        if self.may_leap() and self.chance.random() < 0.1:
            self.clock.jump(self.chance.choice(self.leaps_ms))
        elif self.clock.leap_ms and self.chance.random() < 0.5:
            self.clock.jump(-self.clock.leap_ms)


class Life:
    """One process over the disk, from its start to its end."""

    def __init__(self, world: Simulation, folder: Path, fate: Fate | None) -> None:
        """Nothing is open yet."""
        self.world = world
        self.fate = fate
        self.doom = Doom(fate)
        self.loop = SeededLoop(world.clock, world.chance)  # type: ignore[abstract]  # what nobody asks of a loop is left out
        self.path = folder / FILE
        strike = self.doom.at_access if self.doom.strikes else None
        self.vfs = RecordingVfs(f"simulated-{next(_numbers)}", world.disk, strike=strike, sync=False, base=ALONE)
        self.store: TrackedStore | None = None
        self.eye: backend.SqliteReader | None = None
        self.cloud: composition.Cloud | None = None
        self.parts = composition.Parts(ports={})
        self.commits = 0
        self.callbacks_since = 0
        self.to_ask = 0
        self.is_confirming = False
        self.stopping: asyncio.Task[None] | None = None

    def live(self) -> None:
        """Open, run, end; raises `CrashError` at its hour."""
        self.loop.run(self._live)

    def _live(self) -> None:
        try:
            self._open()
        except (apsw.Error, FaultError, StoreRefusedError) as error:
            claim(self.doom.struck, f"the store does not open: {error!r}")
            raise CrashError from error
        self._see_cut()
        step, writer, disk = self.loop.step, self._cloud.writer, self.world.disk
        for _ in range(self.world.steps_max):
            if self._is_over():
                return
            step()
            if disk.at_cut is not None:
                raise CrashError
            self.doom.at_callback()
            if self.loop.complaints:
                raise ViolationError(self.loop.complaints[0])
            if self.doom.struck:
                self._see_failed_sync()
            if writer.failed:
                claim(self.doom.struck, f"the writer has stopped: {writer.failed}")
                raise CrashError
        raise ViolationError(f"nothing ends: {self._where_it_stands()}")

    def bury(self) -> None:
        """Let go of everything without a trace on the disk."""
        self.vfs.dead = True
        self.loop.run(self.loop.kill)
        if self.eye is not None:
            self.eye.close()
        if self.store is not None:
            self.store.abandon()
        for close in self.parts.closing:
            close()
        self.vfs.unregister()

    @property
    def _cloud(self) -> composition.Cloud:
        if self.cloud is None:
            raise CrashError
        return self.cloud

    def _see_cut(self) -> None:
        if self.world.disk.at_cut is not None:
            raise CrashError

    def _see_failed_sync(self) -> None:
        """A sync that failed is never tried again: the writer stops as soon as it has been told."""
        if self.fate is not None and self.fate.end is End.SYNC_FAILS:
            self.callbacks_since += 1
            claim(
                self.callbacks_since < TOLD_WITHIN or self._cloud.writer.failed is not None, "the writer goes on after a sync that failed"
            )

    def _open(self) -> None:
        world, chance = self.world, self.world.chance
        world.weather.rough = self.fate is not None
        pages = chance.choice((20, 60, 1_000))
        self.store = world.store_type(self.path, vfs=self.vfs.name, fold_pages=pages, restart_pages=pages * chance.choice((3, 16)))
        self.parts = world.parts(self.path.parent, self.vfs.name)
        self.cloud = composition.Cloud(
            self.store,
            domains=world.domains,
            parts=self.parts,
            clock=world.clock,
            entropy=world.entropy,
            limits=Limits(batch_commands=chance.choice((2, 16, 256)), deadline_ms=chance.choice((50.0, 10_000.0))),
            gap_ms_max=GAP_MS_MAX,
            helper=Inline(),
            probe=self._at_step,
        )
        self._see_cut()
        self.eye = backend.SqliteReader(apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY, vfs=ALONE))
        world.people.meet(self.cloud)
        world.auditor.begin_anew(self.eye)
        world.auditor.compare(self.eye)
        if world.compares_every == 1:
            self.store.watch()
        self.cloud.start()
        if self.fate is None:
            self.to_ask = 0
        else:
            self.to_ask = self.fate.after if self.fate.end in _BY_COMMANDS else 400
        self.loop.call_soon(self._come_back)

    # The people

    def _come_back(self) -> None:
        people = self.world.people
        for asked in list(people.open.values()) if self.fate is None or self.world.chance.random() < 0.7 else []:
            self._say(asked)
        if not self.world.asked:
            for asked in people.opening():
                self._say(asked)
        self._act()

    def _act(self) -> None:
        world, chance = self.world, self.world.chance
        self._look_after_the_clock()
        if self.fate is not None and world.lets_time_pass(self._cloud):
            self.loop.call_later(LOOK_AGAIN_S, self._act)
            return
        for _ in range(min(self.to_ask, chance.choice((1, 1, 2, 5, 14)))):
            self.to_ask -= 1
            if (asked := world.people.next()) is not None:
                self._say(asked)
            if chance.random() < 0.03 and (mistaken := world.people.mistaken()) is not None:
                self._say(mistaken)
        if self.to_ask:
            self.loop.call_later(chance.choice((0.0, 0.001, 0.004, 0.02, 0.1, 1.3)), self._act)
        elif self.fate is None:
            for asked in list(world.people.open.values()):
                self._say(asked)
            self.loop.call_later(0.5, self._act)

    def _say(self, asked: Asked) -> None:
        self.world.asked += 1
        asked.said += 1
        future = self._cloud.submit(asked.command, actor=asked.actor, key=asked.key)
        future.add_done_callback(partial(self._hear, asked))

    def _hear(self, asked: Asked, future: "asyncio.Future[Any]") -> None:
        world = self.world
        if future.cancelled():
            return
        error = future.exception()
        world.note("heard", asked.key, type(error).__name__, str(error) if isinstance(error, FaultError) else "")
        if error is None:
            claim(not asked.is_broken and not asked.is_mistaken, f"{asked.command} was answered {future.result()}")
            world.note(future.result().body)
            world.auditor.answer_left(asked, future.result())
            world.people.settled(asked, future.result())
            if world.chance.random() < 0.005:
                self._prove_durable(asked)
        elif isinstance(error, Refused):
            mistaken = asked.is_mistaken or asked.name in world.people.mistakes
            claim(mistaken and error.code is KeyRefusal.REUSED, f"{asked.command} was refused by {error}")
        elif isinstance(error, FaultError):
            # a mistaken ask has another's key, whose own effect may stand
            void = not isinstance(error, UnknownOutcomeError) and asked.said == 1 and not asked.is_mistaken
            claim(not void or not world.auditor.has_effect(asked), f"{asked.name} failed and took effect all the same")
        else:
            claim(asked.is_broken, f"{asked.command} is broken: {error!r}")
            claim(not world.auditor.has_effect(asked), f"{asked.command} is broken and took effect all the same")
            world.people.settled(asked)

    def _prove_durable(self, asked: Asked) -> None:
        """Were the power cut now, this answer would be there."""
        folder = self.path.parent / "certain"
        self.world.disk.for_certain().put_into(folder)
        connection = apsw.Connection(str(folder / self.path.name))
        try:
            row = connection.execute("SELECT 1 FROM answer WHERE name = ?", (asked.name,)).fetchone()
        except apsw.Error as error:
            raise ViolationError(f"{asked.name} was answered and the disk is not readable: {error}") from error
        finally:
            connection.close()
            shutil.rmtree(folder)
        claim(row is not None, f"{asked.name} was answered and is not on the disk")

    # The clock

    def _look_after_the_clock(self) -> None:
        world, chance = self.world, self.world.chance
        likely = 0.2 if self.is_confirming else 0.01  # a leap while somebody confirms the time is one that they have not seen
        if self.fate is not None and world.may_leap() and chance.random() < likely:
            world.clock.jump(chance.choice(world.leaps_ms))
        if world.clock.leap_ms and (self.fate is None or chance.random() < 0.05):
            world.clock.jump(-world.clock.leap_ms)
        if self._cloud.alarms.suspended and not world.clock.leap_ms and not self.is_confirming:
            self.is_confirming = True
            self._cloud.alarms.confirm().add_done_callback(self._confirmed)

    def _confirmed(self, future: "asyncio.Future[Any]") -> None:
        self.is_confirming = False
        if not future.cancelled():
            future.exception()  # whoever looks after the clock looks again

    # The checkers

    def _at_step(self, step: str) -> None:
        self.doom.at_step(step)
        if step == "ran" and self.world.chance.random() < 0.01:
            self.world.clock.advance(self.world.chance.randrange(1, 9))
        if step == "committed":
            try:
                self._check()
            except ViolationError as violation:
                self.loop.complaints.append(str(violation))

    def _check(self) -> None:
        auditor, eye = self.world.auditor, self.eye
        if eye is None:
            return
        self.commits += 1
        auditor.read_on(eye)
        for told, fact in auditor.told:
            self.world.note(told.seq, told.kind, told.body)
            self.world.told(fact)
        auditor.told.clear()
        self.world.look(eye, self.commits, self.store.take_touched() if self.store else set())

    # The end

    def _is_over(self) -> bool:
        if self.fate is None:
            return self._is_quiet()
        if self.to_ask > 0:
            return False
        if self.fate.end is not End.ORDERLY:
            return self.world.chance.random() < 0.002
        if self.stopping is None:
            self.stopping = self.loop.create_task(self._cloud.stop())
        return bool(self.stopping.done())

    def _is_quiet(self) -> bool:
        world, cloud = self.world, self._cloud
        if (
            not self.loop.is_idle
            or world.people.open
            or cloud.writer.waiting()
            or world.clock.leap_ms
            or cloud.alarms.suspended
            or any(cloud.following.lag().values())
        ):
            return False
        if not world.is_quiet(cloud):
            return False
        if self.eye is not None:
            world.auditor.read_on(self.eye)
            world.auditor.compare(self.eye)
            world.at_the_end(self.eye)
        return True

    def _where_it_stands(self) -> str:
        cloud = self._cloud
        return (
            f"{len(self.world.people.open)} without an answer, {cloud.writer.waiting()} waiting, followers {cloud.following.lag()} behind,"
            f" next alarm {cloud.alarms.next_due()} at {self.world.clock.wall_ms()}, alarms suspended: {cloud.alarms.suspended}"
        )


_BY_COMMANDS = (End.AT_A_STEP, End.ORDERLY)


def silence() -> None:
    """Keep the runtime's log to itself: a simulator breaks things all the time."""
    structlog.configure(processors=[_drop])


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent


def simulate(
    seeds: "range | list[int]", folder: Path, *, operations: int = OPERATIONS, watch: Callable[[Report], None] | None = None
) -> list[Report]:
    """Run seed after seed."""
    reports = []
    for seed in seeds:
        report = Simulation(seed, folder / f"seed-{seed}", operations=operations).run()
        reports.append(report)
        if watch is not None:
            watch(report)
    return reports
