"""An event loop without time, threads or chance: what runs next is a function of the seed."""

# ruff: noqa: SLF001 - a loop drives asyncio's own handles and tasks, whose parts have no public names

import asyncio
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

from yunduan.runtime.clock import VirtualClock

IN_ORDER = 0.5
"""How often the oldest of what is ready runs first; otherwise any of it does."""
WORK_MS_MAX = 3


class Inline(Executor):
    """Stands for the helper threads, so that nobody starts real ones; the loop itself runs the work."""

    def submit(self, *_: Any, **__: Any) -> Any:
        """Nobody submits here: `SeededLoop.run_in_executor` takes the work."""
        raise NotImplementedError


class _Handle:
    """A callback that waits for its turn; asyncio's own asks the loop how it is to be debugged."""

    __slots__ = ("args", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None) -> None:
        """Call it in a context, or in what is the context now."""
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False

    def cancel(self) -> None:
        """It is passed over when its time comes."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it will be."""
        return self.is_cancelled


class SeededLoop(asyncio.AbstractEventLoop):
    """Runs one ready callback a step, chosen by the seed; before it the virtual clock moves, if nothing is ready.

    Work for a helper thread runs at a later step, so that other callbacks run while it is out, and some after it has ended
    but before anybody has been told.
    """

    def __init__(self, clock: VirtualClock, chance: random.Random) -> None:
        """Begin with nothing to do."""
        self._clock = clock
        self._chance = chance
        self._ready: list[_Handle] = []
        self._timers: list[tuple[float, int, _Handle]] = []
        self._serial = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.complaints: list[str] = []

    def step(self) -> bool:
        """Run one callback, within `run`; false when nothing is left to do."""
        ready, timers = self._ready, self._timers
        if timers:
            if not ready and timers[0][0] > self.time():
                self._pass_time(timers[0][0])
            self._awaken()
        if not ready:
            return bool(timers)
        place = 0 if len(ready) == 1 or self._chance.random() < IN_ORDER else self._chance.randrange(len(ready))
        handle = ready.pop(place)
        if not handle.is_cancelled:
            self._call(handle)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nothing can go on before its time."""
        return not self._ready and not (self._timers and self._timers[0][0] <= self.time())

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function as if from a callback of this loop; asyncio asks the system which process this is each time."""
        asyncio._set_running_loop(self)
        try:
            return function()
        finally:
            asyncio._set_running_loop(None)

    def kill(self) -> None:
        """End every task where it stands, as the end of a process would; nothing of the cloud runs any more."""
        self._ready.clear()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        while self._ready:
            self._call(self._ready.pop(0))
        for task in self._tasks:
            if not task.done():  # it has never begun
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                task.get_coro().close()

    def _call(self, handle: _Handle) -> None:
        try:
            handle.context.run(handle.callback, *handle.args)
        except Exception as error:
            self.complaints.append(f"a callback failed: {error!r}")

    def _pass_time(self, until: float) -> None:
        self._clock.advance(max(1, round(until * 1000 - self._clock.monotonic_ms() + 0.499)))

    def _awaken(self) -> None:
        now = self.time()
        while self._timers and self._timers[0][0] <= now:
            self._ready.append(heapq.heappop(self._timers)[2])

    # What asyncio and the runtime ask of a loop

    def time(self) -> float:
        """Virtual seconds."""
        return self._clock.monotonic_ms() / 1000

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always: it is the world."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> _Handle:
        """Make a callback ready."""
        handle = _Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> _Handle:
        """Make a callback ready after so many virtual seconds."""
        return self.call_at(self.time() + max(0.0, delay), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> _Handle:
        """Make a callback ready at a virtual time."""
        handle = _Handle(callback, args, context)
        self._serial += 1
        heapq.heappush(self._timers, (when, self._serial, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **named: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """A task of this loop."""
        task = asyncio.Task(coro, loop=self, **named)
        self._tasks.append(task)
        return task

    def run_in_executor(self, _: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run the work at a later step, and tell at a later one still."""
        future = self.create_future()

        def work() -> None:
            try:
                answer, error = func(*args), None
            except Exception as failed:
                answer, error = None, failed
            self.call_later(self._chance.randrange(WORK_MS_MAX) / 1000, self._tell, future, answer, error)

        self.call_later(self._chance.randrange(WORK_MS_MAX) / 1000, work)
        return future

    @staticmethod
    def _tell(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody else has taken care of."""
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")
