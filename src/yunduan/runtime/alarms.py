"""Alarms become commands when they are due: each rings once, and none rings because somebody has set the clock."""

import asyncio
from typing import Any, NoReturn

import msgspec
import structlog

from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import AlarmId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import BrokenError
from yunduan.runtime.answers import Answered
from yunduan.runtime.clock import Clock
from yunduan.runtime.ports import Reader
from yunduan.runtime.registry import Registry, handles
from yunduan.runtime.transaction import Tx
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)
_DUE = "SELECT id, kind, body, due FROM alarm WHERE due <= ? ORDER BY due, id LIMIT ?"
_NEXT = "SELECT min(due) FROM alarm"
ALARMS_AT_ONCE = 64
JUMP_MS_MAX = 300_000
"""How far the wall clock may run ahead of the machine's own before nothing rings until somebody confirms the time."""
PAUSE_S = 1.0


class FailAlarm(Command[None]):
    """Stand for an alarm's command that cannot be read: it breaks, and the alarm is put off as any other whose command breaks."""

    kind: str
    error: str


@handles(FailAlarm)
def fail_alarm(_: Tx, ask: FailAlarm) -> NoReturn:
    """Nothing else can be done with it; a later program may read it."""
    raise BrokenError(f"an alarm of kind {ask.kind} cannot be read: {ask.error}")


class Alarms:
    """Sends what is due. After a leap of the clock it waits for `confirm`: a wrong clock must not close a thousand escrows."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry, clock: Clock, *, gap_ms_max: int) -> None:
        """`gap_ms_max`: how long the cloud may have been away before the time must be confirmed at start."""
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            kind: msgspec.json.Decoder(message) for kind, message in registry.command_types.items()
        }
        self.unreadable = 0
        """How often an alarm was due that this program cannot read, since start."""
        self._seen = clock.wall_ms(), clock.monotonic_ms()
        away = clock.wall_ms() - writer.head.at
        self.suspended = writer.head.at > 0 and away > gap_ms_max
        if self.suspended:
            log.critical("alarms_suspended", away_ms=away, why="the time since the last commit is longer than alarms.gap_ms_max")

    def confirm(self) -> None:
        """Say that the wall clock is right."""
        self._seen = self._clock.wall_ms(), self._clock.monotonic_ms()
        self.suspended = False

    def next_due(self) -> int | None:
        """When the next alarm is due, in milliseconds since 1970."""
        row = self._reader.row(_NEXT)
        return row[0] if row else None

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            if await self.run_once() < ALARMS_AT_ONCE:
                await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Send what is due, in order; answers how many there were."""
        now = self._watch()
        if self.suspended or self._writer.failed:
            return 0
        due = self._reader.rows(_DUE, (now, ALARMS_AT_ONCE))
        sent = [self._ring(id, kind, body) for id, kind, body, _ in due]
        for outcome in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.error("alarm_failed", error=str(outcome))
        return len(due)

    def _ring(self, id: AlarmId, kind: str, body: bytes) -> "asyncio.Future[Answered]":
        """Send one alarm's command; one that this program cannot read is put off, and the others ring."""
        try:
            command: Command[Any] = self._decoders[kind].decode(body)
        except Exception as error:
            self.unreadable += 1
            log.critical("alarm_unreadable", alarm=id, kind=kind, error=repr(error))
            command = FailAlarm(kind=kind, error=repr(error))
        return self._writer.submit(command, actor=SYSTEM, background=True, alarm=id)

    def _watch(self) -> int:
        """The time on the wall, which what is due is held against: the last commit's may come from a leap that has been undone."""
        wall, run = self._clock.wall_ms(), self._clock.monotonic_ms()
        leap = (wall - self._seen[0]) - (run - self._seen[1])
        self._seen = wall, run
        if leap > JUMP_MS_MAX and not self.suspended:
            self.suspended = True
            log.critical("alarms_suspended", leap_ms=leap, why="the wall clock has leapt forward")
        return wall
