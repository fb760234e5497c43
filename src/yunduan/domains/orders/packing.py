"""What is to be packed at one of a shop's locations, the order that has waited longest first."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import Hold
from yunduan.domains.catalog.queries import HoldsOf, LocationOf
from yunduan.domains.orders import model, store
from yunduan.domains.orders.dispatch import UNSHIPPED, dispatch_by
from yunduan.domains.orders.model import Order, OrderSettings, OrderState
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.queries.paging import PAGE_MAX
from yunduan.kernel.ids import LocationId, OrderId, ShopId, VariantId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

LOOKED_THROUGH = 300
"""Through how many orders that wait one page looks for those of a location: then it ends, however few it has found."""


class LineToPack(Struct, frozen=True, kw_only=True):
    """So many pieces that are to leave from there."""

    variant_id: VariantId
    sku: str
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    quantity: int


class OrderToPack(Struct, frozen=True, kw_only=True):
    """An order of which something is to leave from there; `elsewhere` says whether something else of it leaves from another location.

    `dispatch_by` is when what has not left is called off by itself (milliseconds since 1970).
    """

    id: OrderId
    number: str
    state: OrderState
    total: Money
    paid_at: int
    dispatch_by: int
    lines: tuple[LineToPack, ...]
    elsewhere: bool


class OrdersToPackPage(Struct, frozen=True, kw_only=True):
    """One page of them; `after` asks for the next, nothing when there is none. A page may be short, or empty, and not the last."""

    items: tuple[OrderToPack, ...]
    after: OrderId | None


class OrdersToPack(Query[OrdersToPackPage], refuses=LocationOf.refuses, slow=True):
    """Paid orders of which pieces are to leave from a location, the oldest first; not those that a bank has taken money of."""

    shop_id: ShopId
    location_id: LocationId
    after: OrderId | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


@answers(OrdersToPack)
def orders_to_pack(at: Asking, ask: OrdersToPack) -> OrdersToPackPage:
    """The shop's orders that wait are looked through, for nothing is written by a checkout so that this is faster; beside the loop."""
    at.ask(LocationOf(shop_id=ask.shop_id, location_id=ask.location_id))
    found = store.waiting_to_leave(at, ask.shop_id, UNSHIPPED, ask.after or "", LOOKED_THROUGH + 1)
    looked = found[:LOOKED_THROUGH]
    orders = at.get_many(store.ORDER, looked)
    holds = at.ask(HoldsOf(hold_ids=tuple([model.hold_of(id) for id in looked])))
    items: list[OrderToPack] = []
    for id in looked:
        order, hold = orders[id], holds.get(model.hold_of(id))
        if order.state not in UNSHIPPED or order.progress.taken or hold is None:
            continue
        if (one := _to_pack(at, order, hold, ask.location_id)) is not None:
            if len(items) == ask.limit:
                return OrdersToPackPage(items=tuple(items), after=items[-1].id)
            items.append(one)
    return OrdersToPackPage(items=tuple(items), after=looked[-1] if len(found) > LOOKED_THROUGH else None)


def _to_pack(at: Asking, order: Order, hold: Hold, location_id: LocationId) -> OrderToPack | None:
    waits = [line for line in hold.lines if line.waits]
    here = [line for line in waits if line.location_id == location_id]
    if not here:
        return None
    items = {item.variant_id: item for item in reversed(store.terms(order).items)}
    return OrderToPack(
        id=order.id,
        number=at.port(Numbering).number_of(order.seq),
        state=order.state,
        total=Money(amount=order.total, currency=order.currency),
        paid_at=order.progress.paid_at,
        dispatch_by=dispatch_by(order, at.port(OrderSettings)),
        lines=tuple(
            [
                LineToPack(
                    variant_id=line.variant_id,
                    sku=item.sku,
                    title=item.title,
                    title_en=item.title_en,
                    option_text=item.option_text,
                    option_text_en=item.option_text_en,
                    quantity=line.waits,
                )
                for line in here
                for item in (items[line.variant_id],)
            ]
        ),
        elsewhere=len(here) < len(waits),
    )
