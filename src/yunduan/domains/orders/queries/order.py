"""One order, as its buyer, its shop or an operator sees it."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity.model import Postal, Vault
from yunduan.domains.orders import cases, model, parcels, sources, store
from yunduan.domains.orders.charges import Charge, charges
from yunduan.domains.orders.dispatch import dispatch_by, may_wait_longer
from yunduan.domains.orders.model import (
    LineNote,
    Order,
    OrderRefusal,
    OrderSettings,
    OrderState,
    Terms,
)
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.parcels import PiecesLeft
from yunduan.domains.orders.queries.seeing import SHIPS, destination, is_led, line_notes_of, note_of, of_shop, seen
from yunduan.domains.orders.sources import ParcelToCome, PiecesAt
from yunduan.kernel.ids import (
    CaseId,
    CheckoutId,
    LocationId,
    OrderId,
    ShopId,
    VariantId,
)
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

ON_THE_WAY = (OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)


class ParcelLine(Struct, frozen=True, kw_only=True):
    """So many pieces of a variant in a parcel."""

    variant_id: VariantId
    quantity: int


class ParcelView(Struct, frozen=True, kw_only=True):
    """A parcel, by its number in the order, from 1.

    `tracking` leads to where it goes: it is nothing to staff who do not follow it, and once the buyer has been erased.
    """

    parcel: int
    carrier: str
    tracking: str | None
    shipped_at: int
    arrived_at: int
    """When its carrier delivered it; 0 when that has not been heard."""
    lines: tuple[ParcelLine, ...]
    location_id: LocationId | None = None
    """Where it left from, if the shop has said so."""
    came_back_at: int = 0
    """When it had come back to its shop."""
    back_by: int = 0
    """When what was paid for it goes back by itself, unless it is sent again before."""
    sent_as: int = 0
    """As which parcel its goods have left once more."""
    settled_at: int = 0
    """When what was paid for it had gone back."""
    taken_in_at: int = 0
    """When its shop said that its goods are there and stay there."""


class OrderView(Struct, frozen=True, kw_only=True):
    """An order; times are milliseconds since 1970, 0 for not yet."""

    id: OrderId
    number: str
    checkout_id: CheckoutId
    shop_id: ShopId
    state: OrderState
    lines: tuple[Charge, ...]
    total: Money
    refunded: Money
    destination: Postal | None
    """Where it goes: for the buyer and for who ships; nothing for others, and once the buyer has been erased."""
    redirected_at: int
    """When the buyer has had it sent to another address."""
    note: str | None
    line_notes: tuple[LineNote, ...]
    """What the buyer says about single lines; seen like the note, by the buyer and by who ships."""
    memo: str | None
    """What the shop has noted for itself; for its staff."""
    placed_at: int
    paid_at: int
    received_at: int
    ended_at: int
    parcels: tuple[ParcelView, ...]
    """What has left, the first first."""
    unshipped: tuple[PiecesLeft, ...]
    """What has not, of an order that was paid and stands."""
    leaves_from: tuple[PiecesAt, ...]
    """From which locations that is to leave; for the shop and the operators."""
    to_come: tuple[ParcelToCome, ...]
    """In which parcels that is to come, as things lie now."""
    dispatch_by: int
    """When what has not left of a paid order is called off by itself; 0 when nothing is waited for."""
    may_wait_longer: bool
    """Whether the buyer may still agree to wait longer for that."""
    receive_by: int
    """When a shipped order counts as received if the buyer says nothing; 0 when that does not come by itself."""
    may_extend: bool
    """Whether the buyer may still put that off."""
    case_id: CaseId | None
    """The case that is open about it: until it is closed, nothing is received."""
    reviewed_ids: tuple[VariantId, ...]
    commission: Money | None
    """What the marketplace keeps; for the shop and the operators."""


class OrderOf(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order, for its buyer and for operators."""

    order_id: OrderId


class OrderNumbered(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order by the number that people read out, for its buyer and for operators."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{12}(?![\s\S])", examples=["381966011273"])]


class ShopOrderOf(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order, for the staff of its shop."""

    shop_id: ShopId
    order_id: OrderId


@answers(OrderOf)
def order_of(at: Asking, ask: OrderOf) -> OrderView:
    """The order; somebody else's is as unknown as one that is not there."""
    return _for_buyer(at, at.get(store.ORDER, ask.order_id))


@answers(OrderNumbered)
def order_numbered(at: Asking, ask: OrderNumbered) -> OrderView:
    """The same, after the number's check digit and its place have been looked at."""
    seq = at.port(Numbering).seq_of(ask.number)
    id = store.id_of_seq(at, seq) if seq is not None else None
    return _for_buyer(at, at.get(store.ORDER, id) if id else None)


def _for_buyer(at: Asking, found: Order | None) -> OrderView:
    order = seen(at, found)
    is_buyer = at.actor.owns(order.buyer)
    return _view(at, order, opened=is_buyer, inside=not is_buyer)


@answers(ShopOrderOf)
def shop_order_of(at: Asking, ask: ShopOrderOf) -> OrderView:
    """The order of this very shop; the address is opened for who ships."""
    order = of_shop(at, ask.shop_id, ask.order_id)
    return _view(at, order, opened=at.actor.serves(order.shop_id, *SHIPS), inside=True)


def _memo(at: Asking, order: Order) -> str | None:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    return vault.unseal(order.buyer, order.progress.memo) if order.progress.memo else None


def _view(at: Asking, order: Order, *, opened: bool, inside: bool) -> OrderView:
    agreed, progress = store.terms(order), order.progress
    receive_by = progress.receive_by if order.state is OrderState.SHIPPED and not progress.in_case else 0
    currency, leaves_from = order.currency, sources.leaves_from(at, order)
    return OrderView(
        id=order.id,
        number=at.port(Numbering).number_of(order.seq),
        checkout_id=model.checkout_of(order.id),
        shop_id=order.shop_id,
        state=order.state,
        lines=charges(agreed.items, agreed.shipping, agreed.discounts, agreed.taxes, currency),
        total=Money(amount=order.total, currency=currency),
        refunded=Money(amount=progress.refunded, currency=currency),
        destination=destination(at, order) if opened else None,
        redirected_at=progress.redirected_at,
        note=note_of(at, order, agreed) if opened else None,
        line_notes=line_notes_of(at, order, agreed) if opened else (),
        memo=_memo(at, order) if at.actor.serves(order.shop_id) else None,
        placed_at=order.placed_at,
        paid_at=progress.paid_at,
        received_at=progress.received_at,
        ended_at=progress.ended_at,
        parcels=_parcels(at, order, agreed),
        unshipped=_unshipped(order, agreed),
        leaves_from=leaves_from if inside else (),
        to_come=sources.together(leaves_from),
        dispatch_by=dispatch_by(order, at.port(OrderSettings)),
        may_wait_longer=may_wait_longer(order),
        receive_by=receive_by,
        may_extend=receive_by > 0 and not progress.extended,
        case_id=cases.case_id_of(order.id, progress.cases - 1) if progress.in_case else None,
        reviewed_ids=store.reviewed(at, order.id) if progress.received_at else (),
        commission=Money(amount=model.commission_now(order, agreed), currency=currency) if inside else None,
    )


def _parcels(at: Asking, order: Order, agreed: Terms) -> tuple[ParcelView, ...]:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    led, gone = is_led(at, order), parcels.parcels_of(order)
    again, ended = {parcel.of: number for number, parcel in enumerate(gone, 1)}, order.state not in ON_THE_WAY
    return tuple(
        [
            ParcelView(
                parcel=number,
                carrier=parcel.carrier,
                tracking=vault.unseal(order.buyer, parcel.tracking) if led else None,
                shipped_at=parcel.shipped_at,
                arrived_at=parcel.arrived_at,
                location_id=parcel.location_id,
                came_back_at=parcel.returned_at,
                back_by=0 if number in again or ended else parcel.back_by,
                sent_as=again.get(number, 0),
                settled_at=parcel.settled_at,
                taken_in_at=parcel.taken_in_at,
                lines=tuple(
                    [ParcelLine(variant_id=line.variant_id, quantity=line.quantity) for line in parcels.packed(parcel, agreed.items)]
                ),
            )
            for number, parcel in enumerate(gone, 1)
        ]
    )


def _unshipped(order: Order, agreed: Terms) -> tuple[PiecesLeft, ...]:
    if order.state not in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
        return ()
    return tuple([PiecesLeft(variant_id=id, left=pieces) for id, pieces in parcels.unshipped(order, agreed.items).items()])
