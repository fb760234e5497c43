"""How the goods of an order leave the shop: in one parcel or in several, each with its carrier and the number it is tracked by."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.commands import TakePart, TakeStock
from yunduan.domains.catalog.model import HoldLine
from yunduan.domains.orders import model, parcels, store
from yunduan.domains.orders.commands import PACKS
from yunduan.domains.orders.facts import OrderPartlyShipped, OrderShipped, PackedPieces
from yunduan.domains.orders.model import (
    CART_LINES_MAX,
    PARCELS_MAX,
    PLAIN,
    Order,
    OrderRefusal,
    OrderState,
    PackedLine,
    Parcel,
    Quantity,
    Step,
    Who,
)
from yunduan.domains.orders.receiving import on_its_way
from yunduan.domains.orders.steps import STEP_REFUSALS, OrderMoved, moved, of_shop, sealed
from yunduan.domains.orders.tracking import watch
from yunduan.domains.payments.model import PaymentRefusal
from yunduan.kernel.ids import LocationId, OrderId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

Carrier = Annotated[str, Meta(min_length=1, max_length=40, pattern=PLAIN, examples=["SF Express"])]
Tracking = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z-]+(?![\s\S])", examples=["SF1234567890"])]


class ShipOrder(
    Command[OrderMoved], refuses={*STEP_REFUSALS, PaymentRefusal.CHARGED_BACK, OrderRefusal.TRACKING_TAKEN, *TakeStock.refuses}
):
    """Say that the goods have left the shop, all that had not before, and by whom they travel."""

    shop_id: ShopId
    order_id: OrderId
    carrier: Carrier
    tracking: Tracking


class PieceLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many pieces of a variant."""

    variant_id: VariantId
    quantity: Quantity


class ParcelShipped(Struct, frozen=True, kw_only=True):
    """Where the order stands now; `parcel` is the parcel's number in it, from 1."""

    order_id: OrderId
    state: OrderState
    parcel: int


class ShipParcel(
    Command[ParcelShipped],
    refuses={
        *STEP_REFUSALS,
        PaymentRefusal.CHARGED_BACK,
        OrderRefusal.ITEM_NOT_FOUND,
        OrderRefusal.EXCEEDS_UNSHIPPED,
        OrderRefusal.PARCELS_FULL,
        OrderRefusal.TRACKING_TAKEN,
        *TakePart.refuses,
        *TakeStock.refuses,
    },
):
    """Say that some of the goods have left the shop, in a parcel of their own. With the last of them the order is shipped.

    Where the order is held at several locations, the parcel's is named: no more leave from there than are held there.
    """

    shop_id: ShopId
    order_id: OrderId
    carrier: Carrier
    tracking: Tracking
    lines: Annotated[tuple[PieceLine, ...], Meta(min_length=1, max_length=CART_LINES_MAX)]
    location_id: LocationId | None = None


@handles(ShipOrder)
def ship_order(tx: Tx, ask: ShipOrder) -> OrderMoved:
    """Let the goods go, and begin to wait for their receipt."""
    order = _shippable(tx, ask, Step.SHIP)
    rest = parcels.unshipped(order, store.terms(order).items) if order.state is OrderState.PARTLY_SHIPPED else {}
    lines = tuple([PackedLine(id, pieces) for id, pieces in rest.items()])
    watch(tx, order, parcel=len(order.progress.parcels) + 1, carrier=ask.carrier, tracking=ask.tracking)
    shipped = _all_gone(tx, order, _parcel(tx, order, ask, lines))
    return OrderMoved(id=order.id, state=shipped.state)


@handles(ShipParcel)
def ship_parcel(tx: Tx, ask: ShipParcel) -> ParcelShipped:
    """Let these pieces go; the last of all is as if the whole had left in one parcel."""
    order = _shippable(tx, ask, Step.SHIP_PART)
    number = len(order.progress.parcels) + 1
    lines = _together(ask.lines)
    left = parcels.left_to_ship(order, store.terms(order).items, lines)
    if left and len(parcels.first_sent(order)) >= PARCELS_MAX - 1:
        raise Refused(OrderRefusal.PARCELS_FULL, f"{PARCELS_MAX} parcels at most")
    watch(tx, order, parcel=number, carrier=ask.carrier, tracking=ask.tracking)
    parcel = _parcel(tx, order, ask, lines, ask.location_id)
    if left or ask.location_id:
        _take(tx, order, lines, ask.location_id)
    after = _some_gone(tx, order, parcel, number) if left else _all_gone(tx, order, parcel)
    return ParcelShipped(order_id=order.id, state=after.state, parcel=number)


def _shippable(tx: Tx, ask: ShipOrder | ShipParcel, step: Step) -> Order:
    """The order, when goods of it may leave: not while the payer's bank has taken money of it back."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *PACKS)
    model.after(order.id, order.state, step, Who.SHOP)
    if order.progress.taken:
        raise Refused(PaymentRefusal.CHARGED_BACK)
    return order


def _together(lines: Sequence[PieceLine]) -> tuple[PackedLine, ...]:
    """A variant that is named twice is packed once."""
    pieces: dict[VariantId, int] = {}
    for line in lines:
        pieces[line.variant_id] = pieces.get(line.variant_id, 0) + line.quantity
    return tuple([PackedLine(id, quantity) for id, quantity in pieces.items()])


def _parcel(
    tx: Tx, order: Order, ask: ShipOrder | ShipParcel, lines: tuple[PackedLine, ...], location_id: LocationId | None = None
) -> Parcel:
    return Parcel(ask.carrier, sealed(tx, order.buyer, ask.tracking), tx.now, lines, location_id=location_id)


def _take(tx: Tx, order: Order, lines: Sequence[PackedLine], location_id: LocationId | None) -> None:
    gone = tuple([HoldLine(variant_id=line.variant_id, quantity=line.quantity) for line in lines])
    tx.send(TakePart(hold_id=model.hold_of(order.id), lines=gone, location_id=location_id))


def _some_gone(tx: Tx, order: Order, parcel: Parcel, number: int) -> Order:
    shipped = moved(tx, order, Step.SHIP_PART, Who.SHOP, parcels=(*order.progress.parcels, parcel))
    pieces = tuple([PackedPieces(variant_id=line.variant_id, quantity=line.quantity) for line in parcel.lines])
    tx.tell(OrderPartlyShipped(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, parcel=number, lines=pieces))
    return shipped


def _all_gone(tx: Tx, order: Order, parcel: Parcel) -> Order:
    after = on_its_way(tx, order, Step.SHIP, Who.SHOP, parcels=(*order.progress.parcels, parcel))
    tx.send(TakeStock(hold_id=model.hold_of(order.id)))
    tx.tell(OrderShipped(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id))
    return after
