"""Stock: counted by its shop; held for an order, let go or given back, all lines or none."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog import restocking, sourcing, store
from yunduan.domains.catalog.facts import StockRanLow
from yunduan.domains.catalog.model import (
    HOLD_MOVES,
    LINES_MAX,
    ON_HAND_MAX,
    CatalogRefusal,
    HeldLine,
    Hold,
    HoldLine,
    HoldState,
    Stock,
    StockReason,
    counted,
    ended,
    give_back,
    part_gone,
    totals,
)
from yunduan.kernel.ids import HoldId, LocationId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Asking, Tx


class StockNow(Struct, frozen=True, kw_only=True):
    """The stock of a variant at a location after a change."""

    on_hand: int
    held: int


_OF_STOCK = {
    CatalogRefusal.VARIANT_NOT_FOUND,
    CatalogRefusal.LOCATION_NOT_FOUND,
    CatalogRefusal.STOCK_HELD,
    CatalogRefusal.STOCK_TOO_LARGE,
}


class SetStock(Command[StockNow], refuses=_OF_STOCK):
    """Say how many pieces there are, such as after a count."""

    shop_id: ShopId
    variant_id: VariantId
    location_id: LocationId
    on_hand: Annotated[int, Meta(ge=0, le=ON_HAND_MAX, examples=[100])]
    reason: StockReason


class AdjustStock(Command[StockNow], refuses=_OF_STOCK):
    """Say how many pieces more, or fewer, there are."""

    shop_id: ShopId
    variant_id: VariantId
    location_id: LocationId
    by: Annotated[int, Meta(ge=-ON_HAND_MAX, le=ON_HAND_MAX, examples=[5])]
    reason: StockReason


Lines = Annotated[tuple[HoldLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


_OF_SOURCE = {CatalogRefusal.SOLD_OUT, CatalogRefusal.NOT_FROM_ONE, CatalogRefusal.REGION_NOT_SERVED}


class HoldStock(
    Command[bool], refuses={CatalogRefusal.VARIANT_NOT_FOUND, CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.HOLD_EXISTS, *_OF_SOURCE}
):
    """Promise stock of one shop to an order, all lines or none, at locations that send to where it goes; answers whether anything changed.

    The same hold with the same lines changes nothing while it stands. `SOLD_OUT` comes with what is left of each variant.
    """

    hold_id: HoldId
    lines: Lines
    country: str = ""
    """Where it goes; without it any location sends."""
    region: str = ""
    """In its one form (`kernel.regions`)."""


class RerouteStock(Command[bool], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, *HoldStock.refuses}):
    """Promise an order that goes elsewhere now the same pieces from locations that send there; answers whether anything changed.

    Where they lie now they stay, if each of those locations sends there.
    """

    hold_id: HoldId
    country: str
    region: str


class ReleaseStock(Command[bool], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE}):
    """Give promised stock back to be sold; answers whether anything changed. Harmless when it was released, refused when it has left.

    Where a part has left, the rest is given back, and the hold is of what has left.
    """

    hold_id: HoldId


class TakeStock(Command[bool], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE}):
    """The goods have left; answers whether anything changed. Harmless when they had, refused when the hold was released."""

    hold_id: HoldId


_OF_LOCATION = {CatalogRefusal.LOCATION_NOT_FOUND, CatalogRefusal.VARIANT_NOT_FOUND, CatalogRefusal.SHOP_NOT_FOUND}


class TakePart(
    Command[None],
    refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, CatalogRefusal.EXCEEDS_HELD, *_OF_LOCATION},
):
    """Some of the goods have left, from one location if it is named; the others of the hold wait on. Refused when fewer wait there."""

    hold_id: HoldId
    lines: Lines
    location_id: LocationId | None = None


class ReturnStock(
    Command[None],
    refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, CatalogRefusal.EXCEEDS_TAKEN, *_OF_LOCATION},
):
    """Goods that had left have come back, to the location that is named or else to where they came from; never more than left.

    Where they came from a location that was removed, they are at the shop's first. Of pieces that had left from several, those that came
    from `from_location_id` come back before others. Others of the hold may wait still.
    """

    hold_id: HoldId
    lines: Lines
    location_id: LocationId | None = None
    from_location_id: LocationId | None = None


@handles(SetStock)
def set_stock(tx: Tx, ask: SetStock) -> StockNow:
    """Keep the count, and who made it."""
    stock = _stock_of_shop(tx, ask.shop_id, ask.variant_id, ask.location_id)
    return _count(tx, stock, ask.on_hand, ask.reason)


@handles(AdjustStock)
def adjust_stock(tx: Tx, ask: AdjustStock) -> StockNow:
    """Keep the change, and who made it."""
    stock = _stock_of_shop(tx, ask.shop_id, ask.variant_id, ask.location_id)
    return _count(tx, stock, stock.on_hand + ask.by, ask.reason)


def _stock_of_shop(tx: Tx, shop_id: ShopId, variant_id: VariantId, location_id: LocationId) -> Stock:
    store.variant(tx, variant_id, shop_id=shop_id)
    store.location(tx, location_id, shop_id=shop_id)
    return store.stock(tx, variant_id, location_id)


def _count(tx: Tx, stock: Stock, on_hand: int, reason: StockReason) -> StockNow:
    after = counted(stock, on_hand)
    were = restocking.sold_out(tx, [stock]) if after.available else []
    store.keep_stock(tx, after)
    restocking.tell(tx, were)
    store.note_stock(tx, before=stock, after=after, reason=reason.value, person=tx.actor.person)
    return StockNow(on_hand=after.on_hand, held=after.held)


@handles(HoldStock)
def hold_stock(tx: Tx, ask: HoldStock) -> bool:
    """Find pieces for every line, then hold them."""
    wanted = totals(ask.lines)
    before = tx.get(store.HOLD, ask.hold_id)
    if before is not None:
        if before.state is HoldState.HELD and before.quantities() == wanted:
            return False
        raise Refused(CatalogRefusal.HOLD_EXISTS)
    hold, low = promised(tx, ask.hold_id, wanted, ask.country, ask.region)
    hold_lines(tx, hold)
    tx.add(store.HOLD, hold.id, hold)
    for fact in low:
        tx.tell(fact)
    return True


def promised(at: Asking, id: HoldId, wanted: dict[VariantId, int], country: str, region: str) -> tuple[Hold, list[StockRanLow]]:
    """A hold of these pieces, wherever they are sent to that place from, and what runs low by it; refuses when there are too few."""
    shop, variants = sourcing.of_one_shop(at, wanted)
    pieces = sourcing.pieces(at, shop, wanted)
    hold = Hold(id=id, state=HoldState.HELD, lines=sourcing.sent(shop, wanted, pieces, country, region))
    low = []
    for of, quantity in wanted.items():
        there = sum(pieces[of].values())
        if restocking.ran_low(there, there - quantity):
            low.append(StockRanLow(variant_id=of, goods_id=variants[of].goods_id, shop_id=shop.id, available=there - quantity))
    return hold, low


def hold_lines(tx: Tx, hold: Hold, times: int = 1) -> None:
    """Count the lines of a hold as held where they lie, or with -1 as free again."""
    for line in hold.lines:
        store.hold_pieces(tx, line.variant_id, line.location_id, times * line.quantity)


@handles(RerouteStock)
def reroute_stock(tx: Tx, ask: RerouteStock) -> bool:
    """Choose anew as if the hold were not there."""
    hold = _hold(tx, ask.hold_id)
    if hold.state is not HoldState.HELD or any(line.gone for line in hold.lines):
        raise Refused(CatalogRefusal.HOLD_STATE, "some of it has left, or been released")
    wanted = hold.quantities()
    shop, _ = sourcing.of_one_shop(tx, wanted)
    serving = {one.location_id for one in shop.sources if one.serves(ask.country, ask.region)}
    if not shop.sources or all(line.location_id in serving for line in hold.lines):
        return False
    pieces = sourcing.pieces(tx, shop, wanted)
    for line in hold.lines:
        if line.location_id in pieces[line.variant_id]:
            pieces[line.variant_id][line.location_id] += line.quantity
    after = Hold(id=hold.id, state=hold.state, lines=sourcing.sent(shop, wanted, pieces, ask.country, ask.region))
    hold_lines(tx, hold, -1)
    hold_lines(tx, after)
    tx.put(store.HOLD, hold.id, after)
    return True


@handles(ReleaseStock)
def release_stock(tx: Tx, ask: ReleaseStock) -> bool:
    """Close the hold and give its pieces back."""
    return _end(tx, ask.hold_id, HoldState.RELEASED)


@handles(TakeStock)
def take_stock(tx: Tx, ask: TakeStock) -> bool:
    """Close the hold and let its pieces go."""
    return _end(tx, ask.hold_id, HoldState.TAKEN)


def _end(tx: Tx, id: HoldId, to: HoldState) -> bool:
    hold = _hold(tx, id)
    if hold.state is to:
        return False
    if to not in HOLD_MOVES[hold.state]:
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    gone = to is HoldState.TAKEN
    were = [] if gone else restocking.sold_out(tx, [store.stock(tx, line.variant_id, line.location_id) for line in hold.lines])
    for line in hold.lines:
        stock = store.stock(tx, line.variant_id, line.location_id)
        store.keep_stock(tx, stock.moved(held=-line.waits, on_hand=-line.waits if gone else 0))
    restocking.tell(tx, were)
    tx.put(store.HOLD, id, ended(hold, to))
    return True


@handles(TakePart)
def take_part(tx: Tx, ask: TakePart) -> None:
    """Let these pieces go, from wherever they lie."""
    hold = _hold(tx, ask.hold_id)
    if hold.state is not HoldState.HELD:
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    _see_location(tx, hold, ask.location_id)
    after, gone = part_gone(hold, totals(ask.lines), ask.location_id)
    for line in gone:
        store.keep_stock(tx, store.stock(tx, line.variant_id, line.location_id).moved(held=-line.quantity, on_hand=-line.quantity))
    tx.put(store.HOLD, hold.id, after)


@handles(ReturnStock)
def return_stock(tx: Tx, ask: ReturnStock) -> None:
    """Put the pieces back on hand."""
    hold = _hold(tx, ask.hold_id)
    if hold.state not in (HoldState.HELD, HoldState.TAKEN):
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    after, back = give_back(hold, totals(ask.lines), ask.from_location_id)
    _see_location(tx, hold, ask.location_id)
    places = [(line, ask.location_id or _still_there(tx, line)) for line in back]
    were = restocking.sold_out(tx, [store.stock(tx, line.variant_id, place) for line, place in places])
    for line, place in places:
        store.keep_stock(tx, store.stock(tx, line.variant_id, place).moved(on_hand=line.quantity))
    restocking.tell(tx, were)
    tx.put(store.HOLD, hold.id, after)


def _see_location(tx: Tx, hold: Hold, id: LocationId | None) -> None:
    """Refuse a location that is not of the shop whose pieces these are."""
    if id:
        shop, _ = sourcing.of_one_shop(tx, hold.quantities())
        store.location(tx, id, shop_id=shop.id)


def _still_there(tx: Tx, line: HeldLine) -> LocationId:
    """Where pieces go back to: whence they came, or, where that was removed, the first location of their shop."""
    place = tx.get(store.LOCATION, line.location_id)
    if place is None or not place.removed:
        return line.location_id
    return store.shop(tx, place.shop_id).location_ids[0]


def _hold(tx: Tx, id: HoldId) -> Hold:
    found = tx.get(store.HOLD, id)
    if found is None:
        raise Refused(CatalogRefusal.HOLD_NOT_FOUND)
    return found
