"""What operators and their machines look at: metrics on scrape, and whether this process lives and is ready."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from yunduan.cloud import Cloud
from yunduan.domains.search.order_finding import OrderFinder
from yunduan.domains.search.queries import SearchGoods
from yunduan.domains.search.store_orders import OrderIndex
from yunduan.domains.search.upkeep import Upkeep, upkeep
from yunduan.edges.http.meters import BOUNDS_S, Meter
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import SideStores

log = structlog.get_logger(__name__)
LAG_MAX = 100_000
"""Facts that a follower may be behind before this process says that it is not ready."""
OLDEST_WAIT_MS_MAX = 1_000.0


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether requests should be sent here, and what speaks against it."""

    ready: bool
    reasons: tuple[str, ...]
    writer_failed: bool
    commands_waiting: int
    oldest_wait_ms: float
    follower_lag: dict[str, int]
    facts_parked: int
    alarms_suspended: bool


def readiness(cloud: Cloud) -> Readiness:
    """How the cloud is now; parked facts are an alert, but no reason to send requests elsewhere."""
    writer, lag = cloud.writer, cloud.following.lag()
    waits = writer.oldest_wait_ms()
    against = {
        "the writer has stopped": writer.failed is not None,
        "commands wait too long": waits > OLDEST_WAIT_MS_MAX,
        "a follower is far behind": max(lag.values(), default=0) > LAG_MAX,
        "alarms are suspended until somebody confirms the time": cloud.alarms.suspended,
    }
    reasons = tuple(reason for reason, holds in against.items() if holds)
    return Readiness(
        ready=not reasons,
        reasons=reasons,
        writer_failed=writer.failed is not None,
        commands_waiting=writer.waiting(),
        oldest_wait_ms=round(waits, 3),
        follower_lag=lag,
        facts_parked=cloud.following.parked,
        alarms_suspended=cloud.alarms.suspended,
    )


class _Figures:
    """Reads the counters that others keep anyway."""

    def __init__(self, cloud: Cloud, meters: Sequence[Meter], streams: int) -> None:
        self._cloud = cloud
        self._meters = meters
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._of_writer()
        yield from self._of_what_follows()
        yield from self._of_search()
        yield from self._of_requests()

    def _of_writer(self) -> Iterator[Metric]:
        writer = self._cloud.writer
        counters = {
            "batches": (writer.batches, "Commits."),
            "commands": (writer.commands, "Commands carried out, refused ones included."),
            "refusals": (writer.refusals, "Commands refused."),
            "broken": (writer.broken, "Commands that broke the program."),
            "replays": (writer.replays, "Batches carried out again one by one."),
            "statements": (writer.statements, "Statements sent to the store."),
        }
        for name, (value, text) in counters.items():
            yield CounterMetricFamily(f"yunduan_writer_{name}", text, value=value)
        yield GaugeMetricFamily("yunduan_writer_waiting", "Commands that wait.", value=writer.waiting())
        yield GaugeMetricFamily("yunduan_writer_oldest_wait_seconds", "Wait of the oldest.", value=writer.oldest_wait_ms() / 1000)
        yield GaugeMetricFamily("yunduan_writer_batch_commands_last", "Commands in the last batch.", value=writer.batch_commands_last)
        yield GaugeMetricFamily("yunduan_writer_failed", "1 when a commit has failed.", value=int(writer.failed is not None))
        yield GaugeMetricFamily("yunduan_facts", "Number of the last fact.", value=writer.head.fact_seq)

    def _of_what_follows(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily("yunduan_follower_lag_facts", "Facts that a follower has yet to hear.", labels=("follower",))
        for follower, facts in self._cloud.following.lag().items():
            lag.add_metric((follower,), facts)
        yield lag
        yield GaugeMetricFamily("yunduan_facts_parked", "Facts that are set aside.", value=self._cloud.following.parked)
        yield CounterMetricFamily("yunduan_alarms_unreadable", "Alarms due that cannot be read.", value=self._cloud.alarms.unreadable)
        ahead = max(0, self._cloud.writer.head.at - self._cloud.clock.wall_ms()) / 1000
        yield GaugeMetricFamily("yunduan_books_ahead_seconds", "How far the books' time is ahead of the clock.", value=ahead)
        refused = self._cloud.writer.alarms_refused
        yield CounterMetricFamily("yunduan_alarms_refused", "Alarms whose command was refused, and which were put off.", value=refused)
        yield GaugeMetricFamily("yunduan_alarms_suspended", "1 while nothing rings.", value=int(self._cloud.alarms.suspended))

    def _of_search(self) -> Iterator[Metric]:
        """The indexes that goods and orders are found by, where there is something to be found."""
        if SearchGoods not in self._cloud.registry.queries:
            return
        port, reader, now_ms = self._cloud.port, self._cloud.behind, self._cloud.now()
        yield from _of_index("search", "Goods", lambda: upkeep(port(SideStores), reader, now_ms=now_ms))  # type: ignore[type-abstract]
        yield from _of_index("order_search", "Orders", lambda: upkeep(port(OrderFinder).sides, reader, now_ms=now_ms, kind=OrderIndex))

    def _of_requests(self) -> Iterator[Metric]:
        counts = CounterMetricFamily("yunduan_requests", "Requests answered.", labels=("method", "route", "status"))
        times = HistogramMetricFamily("yunduan_request_seconds", "Time to the answer.", labels=("method", "route"))
        for meter in self._meters:
            for status, requests in meter.statuses.items():
                counts.add_metric((meter.method, meter.path, str(status)), requests)
            if meter.statuses:
                bounds = (*(str(bound) for bound in BOUNDS_S), "+Inf")
                times.add_metric((meter.method, meter.path), list(zip(bounds, accumulate(meter.buckets), strict=True)), meter.seconds)
        yield counts
        yield times
        yield GaugeMetricFamily("yunduan_streams", "Streams of events that are open.", value=self._streams)


class Watch(Protocol):
    """Tells how a cloud is, whichever process its writer is in."""

    async def readiness(self) -> Readiness:
        """Whether requests should be sent here."""
        ...

    async def metrics(self, meters: Sequence[Meter], streams: int) -> bytes:
        """Every figure, in Prometheus' text form; the meters and how many streams are open are those of whoever asks."""
        ...


class Here:
    """Watches a cloud of this process."""

    def __init__(self, cloud: Cloud) -> None:
        """Look at this cloud."""
        self._cloud = cloud

    async def readiness(self) -> Readiness:
        """Whether requests should be sent here."""
        return readiness(self._cloud)

    async def metrics(self, meters: Sequence[Meter], streams: int) -> bytes:
        """Every figure, in Prometheus' text form."""
        registry = CollectorRegistry()
        registry.register(_Figures(self._cloud, meters, streams))
        ProcessCollector(registry=registry)
        return generate_latest(registry)


def _of_index(name: str, of: str, look: Callable[[], Upkeep]) -> Iterator[Metric]:
    try:
        kept = look()
    except FaultError as error:  # an index that is spoilt, or exchanged this moment, spoils no other figure
        log.warning("index_cannot_be_looked_at", index=name, error=str(error))
        return
    gauges = {
        "generation": (kept.generation, "Which index is read; 0 while there is none."),
        "documents": (kept.entries, f"{of} in it."),
        "behind_facts": (kept.behind_facts, "Facts that it has yet to hear."),
        "behind_seconds": (kept.behind_ms / 1000, "How long the first of them has waited."),
        "made_seconds": (kept.made_ms / 1000, "How long this one took to make, where that is known."),
        "kept": (int(kept.is_kept), "1 while any process keeps it."),
        "documents_next": (kept.entries_next, f"{of} in the one that is being made."),
    }
    for figure, (value, text) in gauges.items():
        yield GaugeMetricFamily(f"yunduan_{name}_{figure}", text, value=value)
