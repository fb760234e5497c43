"""The machine's clocks."""

import time

import pytest

from yunduan.runtime.clock import SystemClock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has a clock that is known to count sleep")
def test_the_clock_that_only_runs_counts_what_the_machine_has_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that wakes up has not had its clock set: the wall and this clock have gone on alike."""
    asked: list[int] = []
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: asked.append(clock) or real(clock))
    before = SystemClock().monotonic_ms()
    assert 0 <= SystemClock().monotonic_ms() - before < 1000
    assert asked == [time.CLOCK_BOOTTIME] * 2
