"""From which of its shop's locations an order leaves: what the catalog has decided, as orders need it."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.catalog.model import HoldLine
from yunduan.domains.catalog.queries import HoldOf, SourcesOf
from yunduan.domains.identity.model import SealedAddress
from yunduan.domains.orders import model
from yunduan.domains.orders.model import Order, OrderState, Priced
from yunduan.kernel.ids import LocationId, ShopId, VariantId
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


class ParcelPieces(Struct, frozen=True, kw_only=True):
    """So many pieces of a variant."""

    variant_id: VariantId
    quantity: int


class ParcelToCome(Struct, frozen=True, kw_only=True):
    """What is to leave together, for it lies in one place; where that is concerns its shop alone."""

    lines: tuple[ParcelPieces, ...]


def together(pieces: Sequence[PiecesAt]) -> tuple[ParcelToCome, ...]:
    """Pieces by where they lie, in the order in which they were named."""
    parcels: dict[LocationId, list[ParcelPieces]] = {}
    for one in pieces:
        parcels.setdefault(one.location_id, []).append(ParcelPieces(variant_id=one.variant_id, quantity=one.pieces))
    return tuple([ParcelToCome(lines=tuple(lines)) for lines in parcels.values()])


def foreseen(at: Asking, quotes: Sequence[Priced], address: SealedAddress) -> dict[ShopId, tuple[ParcelToCome, ...]]:
    """In which parcels each shop's part would come; refuses what would be refused as it is bought, such as what no one place has all of."""
    found = {}
    for quote in quotes:
        lines = tuple([HoldLine(variant_id=item.variant_id, quantity=item.quantity) for item in quote.items])
        sent = at.ask(SourcesOf(lines=lines, country=address.country, region=address.region))
        found[quote.shop_id] = together(
            [PiecesAt(variant_id=line.variant_id, location_id=line.location_id, pieces=line.quantity) for line in sent]
        )
    return found
