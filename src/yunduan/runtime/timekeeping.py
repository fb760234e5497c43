"""Whether the wall clock is to be believed. A doubt is kept in the store and outlives the process; only a confirmation ends it.

Every commit moves the time of the books to the wall's, so by the time of the books a wrong clock looks right as soon as something
has been committed under it. Therefore each batch compares the two clocks before it commits: a leap since the last look goes to
disk in the transaction of the first batch that it could have spoilt. And what a start holds the wall against is not the time of
the books but the last time that the wall showed while nobody had reason to doubt it.
"""

import msgspec
import structlog
from msgspec import Struct

from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import RefusalCode, Refused
from yunduan.runtime.clock import Clock
from yunduan.runtime.marks import keep_mark, keep_mark_at_start, lose_mark, mark
from yunduan.runtime.ports import Reader, Store
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

log = structlog.get_logger(__name__)
LEAP_MS_MAX = 300_000
"""How far the wall clock may run ahead of the machine's own before nothing rings until somebody confirms the time."""
NOTE_EVERY_MS = 60_000
"""How far the wall clock moves before the time that is believed is noted again."""
_DOUBT, _BELIEVED = "clock_doubted", "clock_believed_at"


class Doubt(Struct, frozen=True):
    """Why the wall clock is not believed, and by how many milliseconds it seems to be ahead."""

    why: str
    by_ms: int


class Timekeeper:
    """Knows the time on the wall, and whether it is in doubt: a port."""

    def __init__(self, clock: Clock, *, doubt: Doubt | None = None, believed_at: int = 0) -> None:
        """Begin with what the store remembers."""
        self._clock = clock
        self._seen = clock.wall_ms(), clock.monotonic_ms()
        self.doubt = doubt
        self.believed_at = believed_at
        """The time on the wall when it was last noted as believed; 0 if it never was."""

    def look(self) -> int:
        """The time on the wall, in milliseconds since 1970; if it has leapt forward since the last look, it is in doubt from now on."""
        wall, run = self._clock.wall_ms(), self._clock.monotonic_ms()
        leap = (wall - self._seen[0]) - (run - self._seen[1])
        self._seen = wall, run
        if leap > LEAP_MS_MAX and self.doubt is None:
            self.doubt = Doubt("the wall clock has leapt forward", round(leap))
            _say(self.doubt)
        return wall

    def confirm(self) -> None:
        """Believe what the wall shows now."""
        self._seen = self._clock.wall_ms(), self._clock.monotonic_ms()
        self.believed_at = self._seen[0]
        self.doubt = None


def begin_timekeeping(store: Store, clock: Clock, *, gap_ms_max: int) -> Timekeeper:
    """Take up what the store remembers. If the cloud was away for longer than `gap_ms_max`, the doubt is on disk when this returns."""
    believed, doubt = int(mark(store, _BELIEVED) or b"0"), doubt_of(store)
    away = clock.wall_ms() - believed
    if doubt is None and believed and away > gap_ms_max:
        doubt = Doubt("the cloud was away for longer than alarms.gap_ms_max", away)
        keep_mark_at_start(store, _DOUBT, msgspec.json.encode(doubt))
    if doubt is not None:
        _say(doubt)
    return Timekeeper(clock, doubt=doubt, believed_at=believed)


def _say(doubt: Doubt) -> None:
    log.critical("alarms_suspended", by_ms=doubt.by_ms, why=doubt.why)


def doubt_of(reader: Reader) -> Doubt | None:
    """The doubt that a store remembers."""
    kept = mark(reader, _DOUBT)
    return None if kept is None else msgspec.json.decode(kept, type=Doubt)


def note_time(tx: Tx) -> None:
    """The last thing done in a batch: its commit holds any doubt about the time that it was made at."""
    keeper = tx.port(Timekeeper)
    wall = keeper.look()
    if keeper.doubt is not None:
        keep_mark(tx, _DOUBT, msgspec.json.encode(keeper.doubt))
    elif abs(wall - keeper.believed_at) >= NOTE_EVERY_MS:
        keeper.believed_at = wall
        keep_mark(tx, _BELIEVED, b"%d" % wall)


class SuspendAlarms(Command[None]):
    """Have a doubt about the time written down although nothing else is to be committed."""


class Confirmed(Struct, frozen=True, kw_only=True):
    """The time that was confirmed; how far the books are ahead of it, whose time stands still until then; what was in doubt."""

    wall_ms: int
    books_ahead_ms: int
    doubted: Doubt | None


class ClockRefusal(RefusalCode):
    """What a confirmation of the time is refused for."""

    MOVED = "clock_moved", "The clock has been set since somebody looked at it: look again, and confirm what it shows now."


class ConfirmClock(Command[Confirmed], refuses=(ClockRefusal.MOVED,)):
    """Say that the wall clock is right: alarms ring again. Nothing else ends a doubt.

    `wall_ms` is what it showed to whoever confirms: a leap that they have not seen is not confirmed with it.
    """

    wall_ms: int


@handles(SuspendAlarms)
def suspend_alarms(_: Tx, __: SuspendAlarms) -> None:
    """Nothing of its own: the seal of every batch does it."""


@handles(ConfirmClock)
def confirm_clock(tx: Tx, ask: ConfirmClock) -> Confirmed:
    """Believed at once, even should this batch be undone: whoever confirms has looked at the clock."""
    keeper = tx.port(Timekeeper)
    wall, doubted = keeper.look(), keeper.doubt
    if abs(wall - ask.wall_ms) > LEAP_MS_MAX:
        raise Refused(ClockRefusal.MOVED)
    keeper.confirm()
    lose_mark(tx, _DOUBT)
    keep_mark(tx, _BELIEVED, b"%d" % wall)
    return Confirmed(wall_ms=wall, books_ahead_ms=max(0, tx.now - wall), doubted=doubted)
