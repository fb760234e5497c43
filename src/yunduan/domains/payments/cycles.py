"""When a shop is paid out by itself, as values: so many days after it has earned, or once a week; no input, no output."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.kernel.ids import PersonId, ShopId

AFTER_DAYS_MAX = 30

AfterDays = Annotated[int, Meta(ge=1, le=AFTER_DAYS_MAX, description="Business days between earning and payout, where it is daily.")]
Weekday = Annotated[int, Meta(ge=1, le=7, description="Monday is 1, where it is weekly.")]


class Cycle(StrEnum):
    """How often."""

    NONE = "none"
    """Only when the shop asks for it."""
    DAILY = "daily"
    """Every business day: what was earned so many days before (T+n)."""
    WEEKLY = "weekly"
    """Once a week: what was earned until the day began."""


class Mark(Struct, frozen=True, kw_only=True):
    """What had ever come into a balance when a business day began (`day` in milliseconds since 1970)."""

    day: int
    credited: int


class Plan(Struct, frozen=True, kw_only=True):
    """A shop's cycle; `serial` tells its alarm from those of plans before, `marks` are by currency, the oldest first."""

    shop_id: ShopId
    cycle: Cycle
    after_days: int
    weekday: int
    serial: int
    set_by: PersonId
    next_at: int
    marks: Mapping[str, tuple[Mark, ...]] = {}

    @property
    def state(self) -> Cycle:
        """What a row of it says beside the document."""
        return self.cycle


def day_of(at: int, zone: ZoneInfo) -> int:
    """When the business day of a moment began."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    return _midnight(local, 0)


def next_run(plan: Plan, now: int, zone: ZoneInfo) -> int:
    """When the next business day of a plan begins; 0 when it has none."""
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    if plan.cycle is Cycle.NONE:
        return 0
    days = 1 if plan.cycle is Cycle.DAILY else (plan.weekday - local.isoweekday() - 1) % 7 + 1
    return _midnight(local, days)


def _midnight(local: datetime, days: int) -> int:
    date = local.date() + timedelta(days=days)
    return int(datetime(date.year, date.month, date.day, tzinfo=local.tzinfo).timestamp() * 1000)


def marked(plan: Plan, currency: str, mark: Mark) -> Plan:
    """The plan with what has come into a balance by today; as far back as it will be wanted."""
    kept = (*plan.marks.get(currency, ()), mark)[-AFTER_DAYS_MAX - 1 :]
    return replace(plan, marks={**plan.marks, currency: kept})


def ripe(plan: Plan, currency: str, *, available: int, credited: int, today: int, zone: ZoneInfo) -> int:
    """How much of what is available was earned long enough ago: what has come in since counts as the last to leave."""
    if plan.cycle is not Cycle.DAILY:
        return available
    local = datetime.fromtimestamp(today / 1000, UTC).astimezone(zone)
    until = _midnight(local, 1 - plan.after_days)
    old = [mark.credited for mark in plan.marks.get(currency, ()) if mark.day <= until]
    return max(0, available - (credited - old[-1])) if old else 0
