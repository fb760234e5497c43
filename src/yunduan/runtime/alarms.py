"""Alarms become commands when they are due: each rings once, and none rings because somebody has set the clock."""

import asyncio
import contextlib
from typing import Any, NoReturn

import structlog

from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import AlarmId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import BrokenError, FaultError
from yunduan.runtime.answers import Answered
from yunduan.runtime.ports import Reader
from yunduan.runtime.registry import Registry, handles
from yunduan.runtime.timekeeping import ConfirmClock, SuspendAlarms, Timekeeper, doubt_of
from yunduan.runtime.transaction import Tx
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)
_DUE = "SELECT id, kind, body, due FROM alarm WHERE due <= ? ORDER BY due, id LIMIT ?"
_NEXT = "SELECT min(due) FROM alarm"
ALARMS_AT_ONCE = 64
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
    """Sends what is due; while the time is in doubt, nothing: a wrong clock must not close a thousand escrows."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry, keeper: Timekeeper) -> None:
        """Read what is due through a connection of its own."""
        self._writer = writer
        self._reader = reader
        self._keeper = keeper
        self._decoders = registry.readings
        self.unreadable = 0
        """How often an alarm was due that this program cannot read, since start."""

    @property
    def suspended(self) -> bool:
        """Whether nothing rings, because the time is in doubt."""
        return self._keeper.doubt is not None

    def confirm(self) -> "asyncio.Future[Answered]":
        """Say that what the wall clock shows now is right; done when that is on disk."""
        return self._writer.submit(ConfirmClock(wall_ms=self._keeper.look()), actor=SYSTEM, background=True)

    def next_due(self) -> int | None:
        """When the next alarm is due, in milliseconds since 1970; never by time alone while the time is in doubt."""
        row = None if self.suspended else self._reader.row(_NEXT)
        return row[0] if row else None

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            if await self.run_once() < ALARMS_AT_ONCE:
                await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Send what is due, in order; answers how many there were."""
        now = self._keeper.look()  # not the last commit's time, which may come from a leap that has been undone
        if self._writer.failed:
            return 0
        if self.suspended:
            await self._keep_doubt()
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

    async def _keep_doubt(self) -> None:
        """Have it on disk, even when there is nothing else to commit."""
        if doubt_of(self._reader) is None:
            with contextlib.suppress(FaultError):  # the next look tries again
                await self._writer.submit(SuspendAlarms(), actor=SYSTEM, background=True)
