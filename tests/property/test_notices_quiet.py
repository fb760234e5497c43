"""Quiet hours in every time zone, over midnight, over the ends of months, and on days that have 23 or 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from yunduan.domains.notices.model import QuietHours, after_quiet

HOUR_MS = 3_600_000
ZONES = (
    "Asia/Shanghai",
    "Asia/Kathmandu",  # 5:45
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Africa/Casablanca",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # beyond the date line
    "Pacific/Marquesas",  # -9:30
)
times = st.builds(lambda hours, minutes: f"{hours:02d}:{minutes:02d}", st.integers(0, 23), st.sampled_from((0, 1, 30, 59)))
moments = st.integers(int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000), int(datetime(2029, 1, 1, tzinfo=UTC).timestamp() * 1000))
FOLD = int(datetime(2026, 11, 1, 6, 10, tzinfo=UTC).timestamp() * 1000)
"""1:10 in New York for the second time."""
GAP = int(datetime(2026, 3, 8, 6, 10, tzinfo=UTC).timestamp() * 1000)
"""1:10 in New York, before an hour that is not there."""


def is_quiet(at_ms: int, quiet: QuietHours, zone: ZoneInfo) -> bool:
    """What the clock on the wall says."""
    now = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).time()
    begins, ends = time.fromisoformat(quiet.begins), time.fromisoformat(quiet.ends)
    return begins <= now < ends if begins <= ends else now >= begins or now < ends


@settings(max_examples=400)
@given(at_ms=moments, begins=times, ends=times, name=st.sampled_from(ZONES))
@example(at_ms=FOLD, begins="22:00", ends="01:30", name="America/New_York")
@example(at_ms=GAP, begins="22:00", ends="02:30", name="America/New_York")
def test_a_letter_leaves_at_once_or_when_it_is_quiet_no_more(at_ms: int, begins: str, ends: str, name: str) -> None:
    """Never in quiet hours, never before its time, and when it waits, when they end: by the clock on the wall, within a day."""
    quiet, zone = QuietHours(begins=begins, ends=ends), ZoneInfo(name)
    leaves = after_quiet(at_ms, quiet, zone)
    assert not is_quiet(leaves, quiet, zone)
    if not is_quiet(at_ms, quiet, zone):
        assert leaves == at_ms
        return
    assert at_ms < leaves <= at_ms + 25 * HOUR_MS
    wall = datetime.fromtimestamp(leaves / 1000, UTC).astimezone(zone)
    end = time.fromisoformat(ends)
    is_there = datetime.combine(wall.date(), end, zone).astimezone(UTC).astimezone(zone).time() == end
    assert wall.time() == end or not is_there, "where there is such a time on that day, it leaves then"
    for part in range(1, 8):  # nothing that would have let it leave lies between, but an end that the clock has gone back behind
        between = at_ms + (leaves - at_ms) * part // 8
        late = leaves - between
        assert is_quiet(between, quiet, zone) or late <= HOUR_MS


@settings(max_examples=200)
@given(at_ms=moments, same=times, name=st.sampled_from(ZONES))
def test_where_both_are_the_same_no_hour_is_quiet(at_ms: int, same: str, name: str) -> None:
    """A letter leaves at once."""
    assert after_quiet(at_ms, QuietHours(begins=same, ends=same), ZoneInfo(name)) == at_ms


@settings(max_examples=200)
@given(day=st.dates(date(2024, 1, 1), date(2028, 12, 31)), minutes=st.integers(0, 599))
def test_over_midnight_it_leaves_on_the_morning_that_follows(day: date, minutes: int) -> None:
    """The last of a month and of a year, and the 29th of February: 22:00 to 8:00 in Shanghai."""
    zone = ZoneInfo("Asia/Shanghai")
    begins = datetime.combine(day, time(22), zone)
    at = begins + timedelta(minutes=minutes)
    leaves = after_quiet(round(at.timestamp() * 1000), QuietHours(), zone)
    assert leaves == round((begins + timedelta(hours=10)).timestamp() * 1000)
