"""Time and entropy come from here, so that a run is a function of its seed."""

import os
import random
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks in milliseconds: one that people read and may be set, one that only runs."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds since some moment; never set, never back."""
        ...


_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's clock that goes on while the machine sleeps, as the wall does: a night asleep is no leap, and what waited has waited.

Elsewhere `CLOCK_MONOTONIC` does so, or a sleep looks like a leap and somebody has to confirm the time: the safe mistake.
"""


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Milliseconds since the machine's start, those asleep included."""
        return time.clock_gettime(_RUNNING) * 1000


class VirtualClock:
    """A clock that stands still until it is moved: for replays of the past, and for tests."""

    def __init__(self, at_ms: int) -> None:
        """Start at a moment, in milliseconds since 1970."""
        self._wall = at_ms
        self._run = 0

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return self._wall

    def monotonic_ms(self) -> float:
        """Milliseconds that have passed."""
        return float(self._run)

    def advance(self, by_ms: int) -> None:
        """Let time pass."""
        self._wall += by_ms
        self._run += by_ms

    def advance_to(self, at_ms: int) -> None:
        """Let time pass until a moment; never back."""
        self.advance(max(0, at_ms - self._wall))

    def jump(self, by_ms: int) -> None:
        """Set the wall clock without letting time pass, as a bad time server does."""
        self._wall += by_ms


class Entropy(Protocol):
    """Where random numbers come from."""

    def bits(self, count: int) -> int:
        """An integer of so many random bits."""
        ...

    def bytes(self, count: int) -> bytes:
        """So many random bytes."""
        ...


class SystemEntropy:
    """The operating system's generator, read a block at a time: fit for secrets, cheap enough for every id."""

    _BLOCK = 4096

    def __init__(self) -> None:
        """Start with nothing read."""
        self._block = b""
        self._used = 0

    def bytes(self, count: int) -> bytes:
        """So many random bytes."""
        if self._used + count > len(self._block):
            self._block, self._used = os.urandom(max(self._BLOCK, count)), 0
        self._used += count
        return self._block[self._used - count : self._used]

    def bits(self, count: int) -> int:
        """An integer of so many random bits."""
        return int.from_bytes(self.bytes((count + 7) // 8)) >> -count % 8


class SeededEntropy:
    """Random numbers that are a function of a seed: for the simulator and for replays, never for secrets."""

    def __init__(self, seed: int) -> None:
        """Start the sequence of a seed."""
        self._random = random.Random(seed)  # noqa: S311 - a simulator needs a sequence that repeats

    def bits(self, count: int) -> int:
        """An integer of so many random bits."""
        return self._random.getrandbits(count)

    def bytes(self, count: int) -> bytes:
        """So many random bytes."""
        return self._random.randbytes(count)
