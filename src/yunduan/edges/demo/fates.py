"""What may become of an order, and when things happen: draws, and nothing else."""

import random
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
ZONE = timedelta(hours=8)
"""Everybody in this market lives by China's time."""
HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 10, 13, 15, 15, 16, 14, 13, 13, 13, 13, 14, 18, 24, 26, 20, 9)
"""How much is bought in each hour of the day."""
OPENS, CLOSES = 9, 20
"""When shops ship and answer."""


class Course(StrEnum):
    """How a case after the sale goes."""

    AGREED = "agreed"
    RETURNED = "returned"
    OFFERED = "offered"
    OFFER_OPEN = "offer_open"
    """The buyer has not answered yet."""
    SILENT = "silent"
    """The shop does not answer, and so has agreed."""
    RULED = "ruled"


COURSES = (Course.AGREED, Course.RETURNED, Course.OFFERED, Course.SILENT)
"""Those that draws come to; a dispute is too rare to be left to them."""


class Fate(Struct, frozen=True, kw_only=True):
    """What will become of an order; each span counts from what comes before it."""

    pays_after_ms: int | None = MINUTE_MS
    """Nothing: it is never paid, and cancelled in its time."""
    by_channel: bool = False
    """Whether it is paid over the channel, whoever buys; else from the wallet where there is one."""
    approves: bool = True
    """Whether the payer says yes on the channel's page."""
    cancels_after_ms: int | None = None
    declines_after_ms: int | None = None
    ships_after_ms: int = 18 * HOUR_MS
    ships_rest_after_ms: int | None = None
    """Of several goods the first leaves alone, and the others follow after this."""
    gives_back_after_ms: int | None = None
    gives_back_percent: int = 0
    """A hundred ends the order."""
    extends_after_ms: int | None = None
    receives_after_ms: int | None = 3 * DAY_MS
    """Nothing: it counts as received by itself."""
    reviews_after_ms: int | None = None
    case: Course | None = None
    """What comes instead of a receipt and of money that the shop gives back of itself."""
    case_after_ms: int = 2 * DAY_MS


def fate(chance: random.Random) -> Fate:
    """One of them, as often as it happens."""
    kind = chance.random()
    pays = chance.randrange(8_000, 4 * MINUTE_MS)
    if kind < 0.045:
        return Fate(pays_after_ms=None)
    if kind < 0.06:
        return Fate(pays_after_ms=pays, approves=False)
    if kind < 0.085:
        return Fate(pays_after_ms=pays, cancels_after_ms=chance.randrange(10 * MINUTE_MS, 5 * HOUR_MS), ships_after_ms=2 * DAY_MS)
    ships = int(chance.triangular(2 * HOUR_MS, 40 * HOUR_MS, 14 * HOUR_MS))
    if kind < 0.097:
        return Fate(pays_after_ms=pays, declines_after_ms=ships)
    back = chance.random()
    gives_back = int(chance.triangular(1.2 * DAY_MS, 5 * DAY_MS, 2 * DAY_MS)) if back < 0.035 else None
    receives = int(chance.triangular(1.1 * DAY_MS, 8 * DAY_MS, 3 * DAY_MS)) if chance.random() < 0.78 else None
    extends = int(chance.triangular(6 * DAY_MS, 9.5 * DAY_MS, 9 * DAY_MS)) if receives is None and chance.random() < 0.15 else None
    return Fate(
        pays_after_ms=pays,
        ships_after_ms=ships,
        ships_rest_after_ms=DAY_MS if chance.random() < 0.03 else None,
        gives_back_after_ms=gives_back,
        gives_back_percent=100 if back < 0.01 else chance.randrange(5, 40),
        extends_after_ms=extends,
        receives_after_ms=receives,
        case=chance.choices(COURSES, (4, 4, 3, 1))[0] if chance.random() < 0.025 else None,
        reviews_after_ms=chance.randrange(MINUTE_MS, 3 * DAY_MS) if chance.random() < (0.68 if receives else 0.1) else None,
    )


def stars(chance: random.Random, *, is_weak: bool) -> int:
    """How many stars goods get."""
    weights = (6, 8, 16, 32, 38) if is_weak else (1, 2, 6, 22, 69)
    return chance.choices((1, 2, 3, 4, 5), weights)[0]


def moments(chance: random.Random, *, start_ms: int, end_ms: int, count: int) -> list[int]:
    """When orders are placed, in order: more of them as the market grows, and by the hours in which people buy."""
    found: list[int] = []
    while len(found) < count:
        at = start_ms + int((end_ms - start_ms) * chance.random() ** 0.7)
        if chance.random() * max(HOURS) < HOURS[_local(at).hour]:
            found.append(at)
    return sorted(found)


def working(chance: random.Random, at_ms: int) -> int:
    """The moment itself when shops work then, else some time after they open."""
    local = _local(at_ms)
    if OPENS <= local.hour < CLOSES:
        return at_ms
    opening = local.replace(hour=OPENS, minute=0, second=0, microsecond=0)
    if local.hour >= CLOSES:
        opening += timedelta(days=1)
    return at_ms + int((opening - local).total_seconds() * 1000) + chance.randrange(2 * HOUR_MS)


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC) + ZONE
