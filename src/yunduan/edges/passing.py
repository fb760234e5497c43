"""What whoever makes a past needs: commits where they are asked for, and time that passes with all that falls due on the way."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from yunduan.cloud import Cloud
from yunduan.runtime.clock import VirtualClock

Answer = TypeVar("Answer")


class AtOnce(Executor):
    """Commits where they are asked for: a replay has nobody to answer meanwhile, and handing over to a thread costs more than it brings."""

    def submit(self, work: Callable[..., Answer], /, *arguments: Any, **named: Any) -> "Future[Answer]":
        """Do it now; what it raises is raised by its future."""
        done: Future[Answer] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


async def let_pass(cloud: Cloud, clock: VirtualClock, at_ms: int) -> None:
    """Let time pass until a moment; whatever is due on the way happens at its own time. `clock` is the cloud's own."""
    while (due := _next_due(cloud)) is not None and due <= at_ms:
        clock.advance_to(due)
        await cloud.settle(hear=False)
    clock.advance_to(at_ms)


def _next_due(cloud: Cloud) -> int | None:
    return min((due for runner in cloud.runners if (due := runner.next_due()) is not None), default=None)
