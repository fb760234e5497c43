"""What variants were charged over time, and whether a price may be compared with another; pure, no input or output."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.catalog.model import Variant

DAYS = 30
WINDOW_MS = DAYS * 86_400_000
"""How long ago, at most, a price must have been charged that another is compared with."""


class PricePoint(Struct, frozen=True, gc=False):
    """From this moment on a variant was charged so much, in minor units; 0 while it was not on sale."""

    at: int
    amount: int


class Charged(Struct, frozen=True, gc=False):
    """An amount, and from when until when it was charged."""

    amount: int
    since: int
    until: int


def charged(variant: Variant | None) -> int:
    """What is charged for a variant now; nothing for one that is not on sale, or not there."""
    return variant.price.amount if variant is not None and variant.on_sale else 0


def spans(points: Sequence[PricePoint], now: int) -> list[Charged]:
    """What was charged, and from when until when, by points in their order. What held for no time at all was never charged."""
    following = [*points[1:], PricePoint(now, 0)][: len(points)]
    pairs = zip(points, following, strict=True)
    return [Charged(point.amount, point.at, after.at) for point, after in pairs if point.amount and after.at > point.at]


def lapses_at(points: Sequence[PricePoint], amount: int, now: int, least_ms: int) -> int:
    """The first moment at which an amount may not be compared with any more; 0 when it may not be now, or never might.

    It may while it was charged for so long within the days, whether at once or in parts. What is charged from now on is not foreseen.
    """
    missing = least_ms
    for span in reversed([span for span in spans(points, now) if span.amount == amount]):
        if span.until - span.since >= missing:
            last = span.until - missing + WINDOW_MS
            return last + 1 if last >= now else 0
        missing -= span.until - span.since
    return 0


def curve(points: Sequence[PricePoint], *, since: int) -> list[PricePoint]:
    """The points of the last days alone; what held at their beginning begins there, and of one moment the last word counts."""
    found: dict[int, PricePoint] = {}
    for point in points:
        at = max(point.at, since)
        found[at] = PricePoint(at, point.amount)
    return list(found.values())
