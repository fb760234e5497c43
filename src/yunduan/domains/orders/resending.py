"""What becomes of a parcel that has come back to its shop: it is sent again, its goods are taken in, or its time passes.

Until then its order is received by nobody but its buyer.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.commands import ReturnStock
from yunduan.domains.catalog.model import HoldLine
from yunduan.domains.catalog.queries import LocationOf
from yunduan.domains.orders import cameback, model, parcels, store
from yunduan.domains.orders.cases import CaseRefusal
from yunduan.domains.orders.commands import PACKS, SERVES
from yunduan.domains.orders.dispatch import DAY_MS
from yunduan.domains.orders.facts import ParcelGivenBack, ParcelSentAgain
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS, give_back
from yunduan.domains.orders.model import SENDINGS_MAX, Order, OrderRefusal, OrderState, Parcel, Step, Who
from yunduan.domains.orders.receiving import awaited_again
from yunduan.domains.orders.shipping import Carrier, ParcelShipped, Tracking
from yunduan.domains.orders.steps import STEP_REFUSALS, marked, moved, of_shop, sealed
from yunduan.domains.orders.tracking import ON_THE_WAY, GiveParcelBack, watch
from yunduan.domains.payments.model import PaymentRefusal
from yunduan.kernel.ids import LocationId, OrderId, RefundId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

ParcelNumber = Annotated[int, Meta(ge=1, le=99, description="The parcel's number in its order.", examples=[1])]


class SendAgain(
    Command[ParcelShipped],
    refuses={
        *STEP_REFUSALS,
        PaymentRefusal.CHARGED_BACK,
        OrderRefusal.PARCEL_NOT_BACK,
        OrderRefusal.PARCELS_FULL,
        OrderRefusal.TRACKING_TAKEN,
    },
):
    """Send the goods of a parcel that has come back once more, as another parcel: the time of its receipt begins anew."""

    shop_id: ShopId
    order_id: OrderId
    parcel: ParcelNumber
    carrier: Carrier
    tracking: Tracking


class ParcelTakenIn(Struct, frozen=True, kw_only=True):
    """What taking its goods in has come to: where the order stands, and what its buyer has had back for it just now."""

    order_id: OrderId
    order_state: OrderState
    parcel: int
    amount: Money


class TakeIn(
    Command[ParcelTakenIn],
    refuses={
        *STEP_REFUSALS,
        PaymentRefusal.CHARGED_BACK,
        CaseRefusal.OPEN,
        OrderRefusal.PARCEL_NOT_BACK,
        *LocationOf.refuses,
        *GIVING_BACK_REFUSALS,
        *ReturnStock.refuses,
    },
    spends_key=True,
):
    """Say that the goods of a parcel are back at the shop and stay there: what was paid for them goes back, if it has not.

    They are sold again, where they had left from or where they have come to, unless it is said that they are not. Of an order of which
    everything was given back meanwhile, this is all that is left to do.
    """

    shop_id: ShopId
    order_id: OrderId
    parcel: ParcelNumber
    restock: bool = True
    location_id: LocationId | None = None


@handles(SendAgain)
def send_again(tx: Tx, ask: SendAgain) -> ParcelShipped:
    """The same goods, so that no stock moves; what else has come back is waited for still."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *PACKS)
    model.after(order.id, order.state, Step.SEND_AGAIN, Who.SHOP)
    if order.progress.taken:
        raise Refused(PaymentRefusal.CHARGED_BACK)
    before = _waiting(tx, order, ask.parcel)
    gone = parcels.parcels_of(order)
    number = len(gone) + 1
    if number > SENDINGS_MAX:
        raise Refused(OrderRefusal.PARCELS_FULL, f"{SENDINGS_MAX} at most, with those that are sent again")
    watch(tx, order, parcel=number, carrier=ask.carrier, tracking=ask.tracking)
    again = Parcel(ask.carrier, sealed(tx, order.buyer, ask.tracking), tx.now, before.lines, location_id=before.location_id, of=ask.parcel)
    order = moved(tx, order, Step.SEND_AGAIN, Who.SHOP, parcels=(*gone, again))
    if order.state is OrderState.SHIPPED:
        progress = replace(order.progress, shipped_at=tx.now, receive_by=0)
        order = awaited_again(tx, replace(order, progress=progress))
        tx.put(store.ORDER, order.id, order)
    tx.tell(ParcelSentAgain(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, parcel=ask.parcel, sent_as=number))
    return ParcelShipped(order_id=order.id, state=order.state, parcel=number)


def _waiting(tx: Tx, order: Order, number: int) -> Parcel:
    """A parcel that has come back and waits for its shop. Where no carrier can be asked the shop's word is enough, which costs it time."""
    parcel = parcels.standing(order).get(number)
    if parcel is None or parcel.settled_at or parcel.taken_in_at or parcel.arrived_at:
        raise Refused(OrderRefusal.PARCEL_NOT_BACK, f"parcel {number}")
    if not parcel.returned_at and tx.get(store.WATCH, (order.id, number)) is not None:
        raise Refused(OrderRefusal.PARCEL_NOT_BACK, f"parcel {number} is on its way")
    return parcel


@handles(TakeIn)
def take_in(tx: Tx, ask: TakeIn) -> ParcelTakenIn:
    """The shop's word is enough: nobody else loses by it."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *SERVES)
    if ask.location_id:
        tx.ask(LocationOf(shop_id=ask.shop_id, location_id=ask.location_id))
    parcel = parcels.standing(order).get(ask.parcel)
    if parcel is None or parcel.arrived_at or parcel.taken_in_at:
        raise Refused(OrderRefusal.PARCEL_NOT_BACK, f"parcel {ask.parcel}")
    amount = Money(amount=0, currency=order.currency)
    if not parcel.settled_at and order.state is not OrderState.REFUNDED:
        order, amount = _settle(tx, _to_settle(tx, order, ask.parcel), ask.parcel, Who.SHOP)
    order = _changed(tx, order, ask.parcel, taken_in_at=tx.now)
    if ask.restock:
        packed = parcels.totals(parcels.packed(parcel, store.terms(order).items))
        lines = tuple([HoldLine(variant_id=id, quantity=pieces) for id, pieces in packed.items()])
        tx.send(ReturnStock(hold_id=model.hold_of(order.id), lines=lines, location_id=ask.location_id, from_location_id=parcel.location_id))
    return ParcelTakenIn(order_id=order.id, order_state=order.state, parcel=ask.parcel, amount=amount)


def _to_settle(tx: Tx, order: Order, number: int) -> Order:
    """The order with a parcel that has come back, by its carrier or because its shop says so; refuses while its money stands still."""
    model.after(order.id, order.state, Step.SEND_AGAIN, Who.SHOP)
    if order.progress.taken:
        raise Refused(PaymentRefusal.CHARGED_BACK)
    if order.progress.in_case:
        raise Refused(CaseRefusal.OPEN)
    return _changed(tx, order, number, returned_at=parcels.parcels_of(order)[number - 1].returned_at or tx.now)


@handles(GiveParcelBack)
def give_parcel_back(tx: Tx, ask: GiveParcelBack) -> None:
    """A case, and money that a bank has taken, are waited for: each comes to an end."""
    invariant(tx.actor.is_system, "time passes by an alarm alone")
    order = tx.get(store.ORDER, ask.order_id)
    parcel = parcels.back_unsettled(order).get(ask.parcel) if order is not None and order.state in ON_THE_WAY else None
    if order is None or parcel is None or parcel.back_by != ask.due:
        return
    if order.progress.taken or order.progress.in_case:
        tx.at(tx.now + DAY_MS, ask)
    else:
        _settle(tx, order, ask.parcel, Who.CLOUD)


def settle_all(tx: Tx, order: Order) -> Order:
    """Give back at once what was paid for all that has come back: its money cannot wait any longer."""
    for number in parcels.back_unsettled(order):
        if order.state in ON_THE_WAY:
            order, _ = _settle(tx, order, number, Who.CLOUD)
    return order


def _settle(tx: Tx, order: Order, number: int, who: Who) -> tuple[Order, Money]:
    """Give back what is owed for a parcel: with what leaves the buyer nothing, all that is left."""
    agreed, earlier = store.terms(order), store.cases_of(tx, order)
    owed = cameback.owed_pieces(order, agreed, earlier)
    one = {number: owed[number]}
    by_hand = parcels.parcels_of(order)[number - 1].by_hand
    due = min(max(0, cameback.worth_of(order, agreed, earlier, one)[number] - by_hand), order.left)
    gone = list(parcels.parcels_of(order))
    gone[number - 1] = cameback.settled(gone[number - 1], owed[number], at=tx.now)
    order, amount = cameback.with_parcels(order, gone), Money(amount=due, currency=order.currency)
    if due or (not order.left and owed[number] and cameback.keeps_nothing(order, agreed, earlier)):
        order = give_back(tx, order, amount, who, refund_id=RefundId(tx.id("rfd")), is_for_back=True)
    else:
        order = awaited_again(tx, order)
        tx.put(store.ORDER, order.id, order)
    told = ParcelGivenBack(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, parcel=number, amount=amount, by=who.value)
    tx.tell(told)
    return order, amount


def _changed(tx: Tx, order: Order, number: int, **changes: int) -> Order:
    gone = list(parcels.parcels_of(order))
    gone[number - 1] = replace(gone[number - 1], **changes)
    return marked(tx, order, parcels=tuple(gone))
