"""Couriers ask carriers where parcels are, beside the transactions and at least once, and report by a command."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, TypeVar

import structlog

from yunduan.domains.orders import store
from yunduan.domains.orders.parcels import ScanKind
from yunduan.domains.orders.tracking import SCANS_MAX, Carrier, Carriers, Errand, ParcelsToAskAbout, ReportScans, Saying, Scanned
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.messages import Command, Query
from yunduan.runtime.ports import Reader

Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)
PAUSE_S = 1.0
PATIENCE_S = 10.0
"""How long a carrier may take for one answer."""
_KINDS = frozenset(ScanKind)


class Office(Protocol):
    """The part of a cloud that a courier talks to."""

    def ask(self, query: Query[Answer], *, actor: Actor) -> Answer:
        """Answer a query from the last commit."""
        ...

    async def send(self, command: Command[Answer], *, actor: Actor, background: bool) -> Answer:
        """Have a command carried out."""
        ...


class Couriers:
    """Asks about every parcel that is due. A courier that dies between question and report asks again: a question changes nothing."""

    def __init__(self, office: Office, reader: Reader, carriers: Carriers, *, patience_s: float = PATIENCE_S) -> None:
        """Ask these carriers for one cloud."""
        self._office = office
        self._reader = reader
        self._carriers = carriers
        self._patience_s = patience_s

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            if not await self.run_once():
                await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Ask about everything that is due; answers how many reports were taken. One that fails does not stop the others."""
        due = self._office.ask(ParcelsToAskAbout(), actor=SYSTEM)
        outcomes = await asyncio.gather(*(self._run(errand) for errand in due), return_exceptions=True)
        for errand, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.error("parcel_not_reported", order=errand.order_id, carrier=errand.carrier, error=type(outcome).__name__)
        return sum(1 for outcome in outcomes if outcome is None)

    def next_due(self) -> int | None:
        """When the next parcel is asked about, in milliseconds since 1970."""
        return store.next_watch(self._reader)

    async def _run(self, errand: Errand) -> None:
        sayings = await self._ask(errand)
        report = ReportScans(order_id=errand.order_id, parcel=errand.parcel, asked=errand.asked, sayings=sayings)
        await self._office.send(report, actor=SYSTEM, background=True)

    async def _ask(self, errand: Errand) -> tuple[Saying, ...] | None:
        """What the carrier says, within our limits; whatever it raises, it could not be reached, and its text is not logged."""
        carrier = self._carriers.by_name.get(errand.carrier)
        if errand.tracking is None or carrier is None:
            return () if errand.tracking is None else None
        (found,) = await asyncio.gather(self._track(carrier, errand.tracking, errand.shipped_at), return_exceptions=True)
        if isinstance(found, BaseException) or found is None:
            log.warning("carrier_not_reached", carrier=errand.carrier, error=type(found).__name__)
            return None
        known = [one for one in found if one.kind in _KINDS and 0 < len(one.id) <= 64]  # others are of no use to anybody
        return tuple([Saying(id=one.id, kind=ScanKind(one.kind), at=one.at, place=one.place[:100]) for one in known[: 10 * SCANS_MAX]])

    async def _track(self, carrier: Carrier, tracking: str, shipped_at: int) -> Sequence[Scanned] | None:
        """What a carrier answers in time; it is asked in here, so that a courier that is cut off has asked or has not."""
        async with asyncio.timeout(self._patience_s):
            return await carrier.track(tracking, shipped_at=shipped_at)
