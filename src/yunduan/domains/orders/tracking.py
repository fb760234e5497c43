"""Where parcels are: a carrier that can be asked is asked again and again, and each of its scans is kept once.

A carrier answers with all that it knows of a parcel, so that an answer that comes twice, late or in another order changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.orders import parcels, queries, store
from yunduan.domains.orders.facts import ParcelScanned
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState, Step, Who
from yunduan.domains.orders.parcels import Scan, ScanKind, Watch
from yunduan.domains.orders.queries.seeing import is_led
from yunduan.domains.orders.receiving import arrived, came_back
from yunduan.domains.orders.steps import moved, sealed
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

HOUR_MS = 3_600_000
ASK_EVERY_MS = 2 * HOUR_MS
ASK_AGAIN_MS = HOUR_MS // 6
"""How soon a carrier is asked again that could not be reached."""
ASK_FOR_MS = 90 * 24 * HOUR_MS
"""How long after a parcel has left its carrier is asked."""
BEFORE_MS = 24 * HOUR_MS
"""How long before a parcel was said to have left it may have been scanned; what is older is of another journey of that number."""
SCANS_MAX = 100
"""How many scans are kept of a parcel."""
DUE_MAX = 64
ON_THE_WAY = (OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)


ENDS = (ScanKind.DELIVERED, ScanKind.RETURNED)


class Scanned(Protocol):
    """One thing that a carrier tells of a parcel, as its adapter has read it: `id` is the carrier's own, `kind` one of `ScanKind`."""

    @property
    def id(self) -> str: ...  # noqa: D102 - said above
    @property
    def kind(self) -> str: ...  # noqa: D102 - said above
    @property
    def at(self) -> int: ...  # noqa: D102 - said above
    @property
    def place(self) -> str: ...  # noqa: D102 - said above


class Carrier(Protocol):
    """Somebody else's parcel service, as an adapter shows it; it is asked by couriers alone, never in a transaction."""

    async def track(self, tracking: str, *, shipped_at: int) -> Sequence[Scanned] | None:
        """All that it knows of a number that was given out then; nothing at all when it cannot be reached."""
        ...


class Carriers(Struct, frozen=True):
    """The carriers that can be asked, by name: a port. Parcels of every other carrier travel untold."""

    by_name: Mapping[str, Carrier]


class Errand(Struct, frozen=True, kw_only=True):
    """What a carrier is to be asked; no number when it cannot be read any more."""

    order_id: OrderId
    parcel: int
    asked: int
    carrier: str
    tracking: str | None
    shipped_at: int


class ParcelsToAskAbout(Query[tuple[Errand, ...]]):
    """The parcels whose carriers are to be asked now; for couriers."""


class Saying(Struct, frozen=True, kw_only=True):
    """One thing that a carrier has told."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: ScanKind
    at: int
    place: Annotated[str, Meta(max_length=100)]


class ReportScans(Command[None]):
    """Tell what a carrier answered to a courier, nothing when it could not be reached. A report that comes twice changes nothing."""

    order_id: OrderId
    parcel: int
    asked: int
    sayings: tuple[Saying, ...] | None


class GiveParcelBack(Command[None], refuses=GIVING_BACK_REFUSALS):
    """Give back what was paid for a parcel that its shop has not sent again. An alarm; harmless when it has been dealt with."""

    order_id: OrderId
    parcel: int
    due: int


def watch(tx: Tx, order: Order, *, parcel: int, carrier: str, tracking: str) -> None:
    """Have the carrier of a new parcel asked, where it can be.

    Refuses a number that another shop, or a parcel to somebody else, travels by: its scans are not this parcel's.
    """
    if carrier not in tx.port(Carriers).by_name:
        return
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    number = vault.lookup("parcel", f"{carrier} {tracking}")
    for other in tx.get_many(store.ORDER, store.orders_by_number(tx, number)).values():
        if (other.shop_id, other.buyer) != (order.shop_id, order.buyer):
            raise Refused(OrderRefusal.TRACKING_TAKEN)
    tx.add(store.WATCH, (order.id, parcel), Watch(order.id, parcel, number, tx.now + ASK_EVERY_MS, 0))


@answers(ParcelsToAskAbout)
def parcels_to_ask_about(at: Asking, _ask: ParcelsToAskAbout) -> tuple[Errand, ...]:
    """Each with its number opened."""
    invariant(at.actor.is_system, "carriers are asked by the cloud alone")
    due = store.watches_due(at, at.now, DUE_MAX)
    orders = at.get_many(store.ORDER, [one.order_id for one in due])
    return tuple([_errand(at, one, orders[one.order_id]) for one in due])


def _errand(at: Asking, one: Watch, order: Order) -> Errand:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    parcel = parcels.parcels_of(order)[one.parcel - 1]
    return Errand(
        order_id=one.order_id,
        parcel=one.parcel,
        asked=one.asked,
        carrier=parcel.carrier,
        tracking=vault.unseal(order.buyer, parcel.tracking) if order.state in ON_THE_WAY else None,
        shipped_at=parcel.shipped_at,
    )


@handles(ReportScans)
def report_scans(tx: Tx, ask: ReportScans) -> None:
    """Keep what is new and of this journey; when the parcel is where it should be or has gone back, or the order has ended, ask no more."""
    invariant(tx.actor.is_system, "carriers are asked by the cloud alone")
    one, order = tx.get(store.WATCH, (ask.order_id, ask.parcel)), tx.get(store.ORDER, ask.order_id)
    if one is None or order is None or one.asked != ask.asked or not one.next_at:
        return
    parcel = parcels.parcels_of(order)[ask.parcel - 1]
    kept = store.scans_of(tx, order.id, ask.parcel)
    new = _new(ask.sayings or (), kept, since=parcel.shipped_at - BEFORE_MS, until=tx.now) if order.state in ON_THE_WAY else []
    ends = [saying for saying in new if saying.kind in ENDS]
    end = _end(ends) if ends and not parcel.arrived_at and not parcel.returned_at else None
    back_by = tx.now + tx.port(OrderSettings).came_back_days * 24 * HOUR_MS
    for saying in new:
        place = sealed(tx, order.buyer, saying.place)
        tx.add(
            store.SCAN,
            (order.id, ask.parcel, saying.id),
            Scan(order.id, ask.parcel, saying.id, saying.kind, saying.at, tx.now, place),
        )
        tx.tell(
            ParcelScanned(
                order_id=order.id,
                buyer=order.buyer,
                shop_id=order.shop_id,
                parcel=ask.parcel,
                scan=saying.kind.value,
                scanned_at=saying.at,
                is_end=saying is end,
                back_by=back_by if saying is end and saying.kind is ScanKind.RETURNED else 0,
            )
        )
    if end is not None:
        _ended(tx, order, ask.parcel, end, back_by=back_by)
    told = {scan.kind for scan in kept} | {saying.kind for saying in new}
    is_over = order.state not in ON_THE_WAY or not told.isdisjoint(ENDS) or tx.now > parcel.shipped_at + ASK_FOR_MS
    wait = ASK_AGAIN_MS if ask.sayings is None else ASK_EVERY_MS
    tx.put(store.WATCH, (order.id, ask.parcel), msgspec.structs.replace(one, asked=one.asked + 1, next_at=0 if is_over else tx.now + wait))


def _new(sayings: Sequence[Saying], kept: Sequence[Scan], *, since: int, until: int) -> list[Saying]:
    """What has not been heard before, each once and in the order in which it happened; what is said to happen later is left for then."""
    known = {scan.id for scan in kept}
    fresh = {saying.id: saying for saying in sayings if saying.id not in known and since <= saying.at <= until}
    return sorted(fresh.values(), key=lambda saying: (saying.at, saying.id))[: max(0, SCANS_MAX - len(kept))]


def _end(ends: Sequence[Saying]) -> Saying:
    """By what a way has ended, of all that says so: that it has gone back in the end, or else that it was delivered, at first."""
    return ends[-1] if ends[-1].kind is ScanKind.RETURNED else next(one for one in ends if one.kind is ScanKind.DELIVERED)


def _ended(tx: Tx, order: Order, number: int, end: Saying, *, back_by: int) -> None:
    """The parcel is where it should be, and when all are the receipt comes of that; or it has gone back, and no receipt comes of it."""
    gone, is_back = list(parcels.parcels_of(order)), end.kind is ScanKind.RETURNED
    now = {"returned_at": end.at, "back_by": back_by} if is_back else {"arrived_at": end.at}
    gone[number - 1] = msgspec.structs.replace(gone[number - 1], **now)
    after = moved(tx, order, Step.ARRIVE, Who.CLOUD, parcels=tuple(gone))
    if is_back:
        came_back(tx, after)
        tx.at(back_by, GiveParcelBack(order_id=order.id, parcel=number, due=back_by))
    elif after.state is OrderState.SHIPPED:
        arrived(tx, after)


# What is seen


class ScanView(Struct, frozen=True, kw_only=True):
    """What a carrier has told.

    `place` is empty when the carrier did not say, and nothing to staff who do not follow it, and once the buyer has been erased.
    """

    kind: ScanKind
    at: int
    place: str | None


class Journey(Struct, frozen=True, kw_only=True):
    """A parcel's way, the first scan first; `told` says whether its carrier can be asked at all."""

    parcel: int
    carrier: str
    told: bool
    arrived_at: int
    scans: tuple[ScanView, ...]


class Journeys(Struct, frozen=True, kw_only=True):
    """The ways of an order's parcels, by their numbers."""

    items: tuple[Journey, ...]


class OrderTracking(Query[Journeys], refuses={OrderRefusal.NOT_FOUND}):
    """Where the parcels of an order are, for its buyer and for operators."""

    order_id: OrderId


class ShopOrderTracking(Query[Journeys], refuses={OrderRefusal.NOT_FOUND}):
    """Where the parcels of an order are, for the staff of its shop."""

    shop_id: ShopId
    order_id: OrderId


@answers(OrderTracking)
def order_tracking(at: Asking, ask: OrderTracking) -> Journeys:
    """Somebody else's order is as unknown as one that is not there."""
    return _journeys(at, queries.seen(at, at.get(store.ORDER, ask.order_id)))


@answers(ShopOrderTracking)
def shop_order_tracking(at: Asking, ask: ShopOrderTracking) -> Journeys:
    """Of an order of this very shop."""
    return _journeys(at, queries.of_shop(at, ask.shop_id, ask.order_id))


def _place(vault: Vault, order: Order, sealed: bytes) -> str | None:
    return vault.unseal(order.buyer, sealed) if sealed else ""


def _journeys(at: Asking, order: Order) -> Journeys:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    gone, led = parcels.parcels_of(order), is_led(at, order)
    watched = at.get_many(store.WATCH, [(order.id, number) for number in range(1, len(gone) + 1)])
    return Journeys(
        items=tuple(
            [
                Journey(
                    parcel=number,
                    carrier=parcel.carrier,
                    told=(order.id, number) in watched,
                    arrived_at=parcel.arrived_at,
                    scans=tuple(
                        [
                            ScanView(kind=scan.kind, at=scan.at, place=_place(vault, order, scan.sealed) if led else None)
                            for scan in store.scans_of(at, order.id, number)
                        ]
                    ),
                )
                for number, parcel in enumerate(gone, 1)
            ]
        )
    )
