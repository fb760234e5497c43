"""Counts requests by route at the cost of a few list items each; turned into Prometheus' form only when somebody looks."""

from bisect import bisect_left
from collections import defaultdict

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Meter:
    """What one route has been asked, and how long that took."""

    __slots__ = ("buckets", "method", "path", "seconds", "statuses")

    def __init__(self, method: str, path: str) -> None:
        """Count for a route by its template, never by the path asked for, which anybody could make up."""
        self.method = method
        self.path = path
        self.statuses: dict[int, int] = defaultdict(int)
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0

    def count(self, status: int, seconds: float) -> None:
        """One more request."""
        self.statuses[status] += 1
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds
