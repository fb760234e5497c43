"""What is printed of parcels: the waybill (面单) that is stuck on one, and the packing slip (装箱单) that lies in it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.queries import SenderOf, SettingsOf, ShopSettings
from yunduan.domains.identity.model import Language, Postal, Vault
from yunduan.domains.orders import parcels, store
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState, PackedLine, Parcel, Terms
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.queries.seeing import SHIPS, destination, line_notes_of, note_of, of_shop
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

ORDERS_MAX = 50
"""Of how many orders, or parcels of them, papers are printed at once."""
PAPERS_MAX = 100
"""How many papers one document holds."""
LINES_MAX = 1_000
"""How many lines all of its packing slips have together: a page is made in 20 ms, and nobody waits for hundreds."""
PAPER_REFUSALS = frozenset({OrderRefusal.NOT_FOUND, OrderRefusal.PARCEL_NOT_FOUND, OrderRefusal.PAPERS_FULL})
Named = Annotated[
    str,
    Meta(
        max_length=2400,
        pattern=r"^ord_[0-9a-z]{1,40}(\.[1-9][0-9]?)?(,ord_[0-9a-z]{1,40}(\.[1-9][0-9]?)?){0,49}(?![\s\S])",
        description="Orders, separated by commas: with the number of a parcel (`ord_….2`) that one, without all of them.",
        examples=["ord_018f3a"],
    ),
]
_Lang = Annotated[Language, Meta(description="What the paper's own words are in.")]


class Waybill(Struct, frozen=True, kw_only=True):
    """What a carrier needs of one parcel, and nothing about what is in it."""

    order_id: OrderId
    number: str
    parcel: int
    parcels: int
    """How many have left of the order so far."""
    complete: bool
    """Whether nothing of the order is left to follow."""
    carrier: str
    tracking: str
    shipped_on: str
    pieces: int
    shop: str
    country: str
    region: str
    """Where it comes from: the location that its shop has said, or else the first."""
    destination: Postal
    sender: Postal | None = None
    """The shop's own address and telephone, where it has said them."""


class Waybills(Struct, frozen=True, kw_only=True):
    """A label for each parcel, in the order in which they were asked for."""

    language: Language
    items: tuple[Waybill, ...]


class SlipLine(Struct, frozen=True, kw_only=True):
    """So many pieces of a variant, and what the buyer said about them."""

    sku: str
    title: str
    options: str
    quantity: int
    note: str


class PackingSlip(Struct, frozen=True, kw_only=True):
    """What is in a parcel, or, when `parcel` is 0, what has not left yet."""

    order_id: OrderId
    number: str
    parcel: int
    carrier: str
    tracking: str
    shop: str
    placed_on: str
    shipped_on: str
    lines: tuple[SlipLine, ...]
    pieces: int
    elsewhere: int
    """How many pieces of the order are not in this parcel."""
    note: str
    return_days: int
    """How long the market lets goods be given back after their receipt."""
    sender: Postal | None = None
    """The shop's own address and telephone, where it has said them."""


class PackingSlips(Struct, frozen=True, kw_only=True):
    """A slip for each parcel, in the order in which they were asked for."""

    language: Language
    items: tuple[PackingSlip, ...]


class ShopWaybills(Query[Waybills], refuses=PAPER_REFUSALS, slow=True):
    """The waybills of parcels that have left a shop, a label of 100 × 150 mm each, for who ships."""

    shop_id: ShopId
    parcels: Named
    language: _Lang = Language.ZH


class ShopPackingSlips(Query[PackingSlips], refuses=PAPER_REFUSALS, slow=True):
    """The packing slips of parcels, and of what has yet to be packed, in A5, for who ships."""

    shop_id: ShopId
    parcels: Named
    language: _Lang = Language.ZH


@answers(ShopWaybills)
def shop_waybills(at: Asking, ask: ShopWaybills) -> Waybills:
    """Of what has a tracking number and goes to somebody."""
    asked = _asked(at, ask)
    settings, sender = at.ask(SettingsOf(shop_id=ask.shop_id)), at.ask(SenderOf(shop_id=ask.shop_id)).address
    made = [_waybill(at, order, agreed, settings, place, parcel, ask.language) for order, agreed, place, parcel in asked if parcel]
    found = [replace(one, sender=sender) for one in made]
    return Waybills(language=ask.language, items=tuple(found))


@answers(ShopPackingSlips)
def shop_packing_slips(at: Asking, ask: ShopPackingSlips) -> PackingSlips:
    """Of what has left, and of what has not."""
    asked = _asked(at, ask)
    settings, sender = at.ask(SettingsOf(shop_id=ask.shop_id)), at.ask(SenderOf(shop_id=ask.shop_id)).address
    made = [_slip(at, order, agreed, settings, place, parcel, ask.language) for order, agreed, place, parcel in asked]
    found = [replace(one, sender=sender) for one in made]
    return PackingSlips(language=ask.language, items=tuple(found))


One = tuple[Order, Terms, int, Parcel | None]
"""A parcel of an order by its number; number 0 and no parcel is what has not left."""


def _asked(at: Asking, ask: ShopWaybills | ShopPackingSlips) -> list[One]:
    """Everything that is named; refuses what is not there, and more than a document holds."""
    found: list[One] = []
    slips = type(ask) is ShopPackingSlips
    for name in ask.parcels.split(","):
        id, _, number = name.partition(".")
        order = _order(at, ask.shop_id, OrderId(id))
        agreed = store.terms(order)
        some = [(order, agreed, place, parcel) for place, parcel in _of(order, agreed, unsent=slips) if not number or place == int(number)]
        if not some:
            raise Refused(OrderRefusal.PARCEL_NOT_FOUND, name)
        found += some
        if len(found) > PAPERS_MAX or (slips and sum([len(agreed.items) for _, agreed, _, _ in found]) > LINES_MAX):
            raise Refused(OrderRefusal.PAPERS_FULL, f"{PAPERS_MAX} papers at most, of {LINES_MAX} lines")
    return found


def _order(at: Asking, shop_id: ShopId, id: OrderId) -> Order:
    """An order of this very shop, for who ships, or for the owner of the machine."""
    if not at.actor.is_system:
        order = of_shop(at, shop_id, id)
        if at.actor.serves(shop_id, *SHIPS):
            return order
        raise Refused(OrderRefusal.NOT_FOUND)
    found = at.get(store.ORDER, id)
    if found is None or found.shop_id != shop_id:
        raise Refused(OrderRefusal.NOT_FOUND)
    return found


def _of(order: Order, agreed: Terms, *, unsent: bool) -> Iterator[tuple[int, Parcel | None]]:
    yield from parcels.standing(order).items()
    if unsent and order.state in (OrderState.PAID, OrderState.PARTLY_SHIPPED) and parcels.unshipped(order, agreed.items):
        yield 0, None


def _waybill(at: Asking, order: Order, agreed: Terms, settings: ShopSettings, number: int, parcel: Parcel, language: Language) -> Waybill:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    tracking, to = vault.unseal(order.buyer, parcel.tracking), destination(at, order)
    if tracking is None or to is None:
        raise Refused(OrderRefusal.PARCEL_NOT_FOUND, f"{order.id}.{number}: the buyer has been erased")
    gone = parcels.parcels_of(order)
    home = next((place for place in settings.locations if place.id == parcel.location_id), settings.locations[0])
    return Waybill(
        order_id=order.id,
        number=at.port(Numbering).number_of(order.seq),
        parcel=number,
        parcels=len(gone),
        complete=order.state is not OrderState.PARTLY_SHIPPED,
        carrier=parcel.carrier,
        tracking=tracking,
        shipped_on=_day(at, parcel.shipped_at),
        pieces=sum([line.quantity for line in parcels.packed(parcel, agreed.items)]),
        shop=_shop(settings, language),
        country=home.country,
        region=home.region,
        destination=to,
    )


def _slip(
    at: Asking, order: Order, agreed: Terms, settings: ShopSettings, number: int, parcel: Parcel | None, language: Language
) -> PackingSlip:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    packed = parcels.packed(parcel, agreed.items) if parcel else _left(order, agreed)
    lines = _lines(at, order, agreed, packed, language)
    pieces = sum([line.quantity for line in lines])
    return PackingSlip(
        order_id=order.id,
        number=at.port(Numbering).number_of(order.seq),
        parcel=number,
        carrier=parcel.carrier if parcel else "",
        tracking=(vault.unseal(order.buyer, parcel.tracking) or "") if parcel else "",
        shop=_shop(settings, language),
        placed_on=_day(at, order.placed_at),
        shipped_on=_day(at, parcel.shipped_at) if parcel else "",
        lines=lines,
        pieces=pieces,
        elsewhere=sum(parcels.sold_for_good(order, agreed.items).values()) - pieces,
        note=note_of(at, order, agreed) or "",
        return_days=at.port(OrderSettings).return_days,
    )


def _left(order: Order, agreed: Terms) -> tuple[PackedLine, ...]:
    return tuple([PackedLine(id, pieces) for id, pieces in parcels.unshipped(order, agreed.items).items()])


def _lines(at: Asking, order: Order, agreed: Terms, packed: Sequence[PackedLine], language: Language) -> tuple[SlipLine, ...]:
    """What was sold under each variant that is packed, by its first line: a variant has one name and one SKU in an order."""
    items = {item.variant_id: item for item in reversed(agreed.items)}
    notes = {note.variant_id: note.text for note in line_notes_of(at, order, agreed)}
    english = language is Language.EN
    return tuple(
        [
            SlipLine(
                sku=item.sku,
                title=(english and item.title_en) or item.title,
                options=(english and item.option_text_en) or item.option_text,
                quantity=line.quantity,
                note=notes.get(line.variant_id, ""),
            )
            for line in packed
            for item in (items[line.variant_id],)
        ]
    )


def _shop(settings: ShopSettings, language: Language) -> str:
    return (language is Language.EN and settings.shop.name_en) or settings.shop.name


def _day(at: Asking, moment: int) -> str:
    """A moment's day by the market's calendar."""
    return f"{datetime.fromtimestamp(moment / 1000, ZoneInfo(at.port(OrderSettings).time_zone)):%Y-%m-%d}"
