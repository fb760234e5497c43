"""A carrier to build and test against: what it says of a number is reckoned from the number and the clock alone, so it keeps no books.

A parcel is collected two hours after it has left, goes by a hub, and is delivered on the first to the fourth day. A number that begins
with `LOST` is never heard of after its hub, one with `BACK` goes back to the shop, one with `AWAY` finds nobody at home at first and is
delivered a day later, and one with `MUTE` is never scanned at all.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from yunduan.runtime.clock import Clock, Entropy

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
COLLECTED_MS, HUB_MS = 2 * HOUR_MS, 10 * HOUR_MS
LAST_MILE_MS = 4 * HOUR_MS


class Seen(Struct, frozen=True, kw_only=True):
    """A scan; `id` is its place on the way."""

    id: str
    kind: str
    at: int
    place: str


class SandboxCarrier:
    """The carrier named `sandbox`."""

    def __init__(self, *, clock: Clock, entropy: Entropy, unreachable: int = 0) -> None:
        """By this clock; `unreachable` says of how many questions in a thousand nobody answers."""
        self._clock = clock
        self._entropy = entropy
        self._unreachable = unreachable

    async def track(self, tracking: str, *, shipped_at: int) -> Sequence[Seen] | None:
        """What has been scanned by now."""
        if self._unreachable and self._entropy.bits(30) % 1000 < self._unreachable:
            return None
        return [seen for seen in journey(tracking, shipped_at=shipped_at) if seen.at <= self._clock.wall_ms()]


def journey(tracking: str, *, shipped_at: int) -> list[Seen]:
    """The whole way of a number, the first scan first."""
    if tracking.startswith("MUTE"):
        return []
    arrives = shipped_at + days(tracking) * DAY_MS
    way = [("collected", shipped_at + COLLECTED_MS, "揽收网点"), ("in_transit", shipped_at + HUB_MS, "转运中心")]
    if tracking.startswith("BACK"):
        way.append(("returned", arrives, "揽收网点"))
    elif not tracking.startswith("LOST"):
        if tracking.startswith("AWAY"):
            way.append(("attempted", arrives, "派送网点"))
            arrives += DAY_MS
        way += [("out_for_delivery", arrives - LAST_MILE_MS, "派送网点"), ("delivered", arrives, "收件地址")]
    return [Seen(id=str(number), kind=kind, at=at, place=place) for number, (kind, at, place) in enumerate(way, 1)]


def days(tracking: str) -> int:
    """On which day after it has left a number is delivered: the first to the fourth."""
    return 1 + hashlib.blake2b(tracking.encode(), digest_size=1).digest()[0] % 4
