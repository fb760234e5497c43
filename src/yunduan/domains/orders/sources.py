"""From which of its shop's locations an order leaves: what the catalog has decided, as orders need it."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.catalog.model import HoldLine
from yunduan.domains.catalog.queries import HoldOf, SourcesOf, TermsOf
from yunduan.domains.identity.model import SealedAddress
from yunduan.domains.orders import model
from yunduan.domains.orders.model import Order, OrderState, Priced
from yunduan.kernel.ids import LocationId, VariantId
from yunduan.runtime.transaction import Asking


class PiecesAt(Struct, frozen=True, kw_only=True):
    """So many pieces of a variant, which are to leave from a location."""

    variant_id: VariantId
    location_id: LocationId
    pieces: int


def leaves_from(at: Asking, order: Order) -> tuple[PiecesAt, ...]:
    """Where the pieces lie that have not left, of an order that was paid and stands."""
    if order.state not in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
        return ()
    hold = at.ask(HoldOf(hold_id=model.hold_of(order.id)))
    lines = hold.lines if hold else ()
    return tuple([PiecesAt(variant_id=line.variant_id, location_id=line.location_id, pieces=line.waits) for line in lines if line.waits])


def see_that_it_leaves(at: Asking, quotes: Sequence[Priced], address: SealedAddress) -> None:
    """Refuse what would be refused as it is bought: goods that no one location has all of, of a shop that does not split orders."""
    for quote in quotes:
        if not at.ask(TermsOf(shop_id=quote.shop_id)).splits:
            lines = tuple([HoldLine(variant_id=item.variant_id, quantity=item.quantity) for item in quote.items])
            at.ask(SourcesOf(lines=lines, country=address.country, region=address.region))
