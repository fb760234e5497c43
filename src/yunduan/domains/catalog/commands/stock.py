"""Stock: counted by its shop; held for an order, let go or given back, all lines or none."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog import store
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
    Left,
    SoldOut,
    Stock,
    StockReason,
    allocate,
    counted,
    ended,
    give_back,
    part_gone,
    ran_low,
    totals,
)
from yunduan.kernel.ids import HoldId, LocationId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


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


class HoldStock(
    Command[bool],
    refuses={CatalogRefusal.VARIANT_NOT_FOUND, CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.SOLD_OUT, CatalogRefusal.HOLD_EXISTS},
):
    """Promise stock to an order, all lines or none; answers whether anything changed.

    The same hold with the same lines changes nothing while it stands. `SOLD_OUT` comes with what is left of each variant.
    """

    hold_id: HoldId
    lines: Lines


class ReleaseStock(Command[bool], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE}):
    """Give promised stock back to be sold; answers whether anything changed. Harmless when it was released, refused when it has left.

    Where a part has left, the rest is given back, and the hold is of what has left.
    """

    hold_id: HoldId


class TakeStock(Command[bool], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE}):
    """The goods have left; answers whether anything changed. Harmless when they had, refused when the hold was released."""

    hold_id: HoldId


class TakePart(Command[None], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, CatalogRefusal.EXCEEDS_HELD}):
    """Some of the goods have left; the others of the hold wait on. Refused when fewer wait."""

    hold_id: HoldId
    lines: Lines


class ReturnStock(Command[None], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, CatalogRefusal.EXCEEDS_TAKEN}):
    """Goods that had left have come back to where they came from; never more than left, however often it is sent."""

    hold_id: HoldId
    lines: Lines


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
    store.keep_stock(tx, after)
    store.note_stock(tx, before=stock, after=after, reason=reason.value, person=tx.actor.person)
    return StockNow(on_hand=after.on_hand, held=after.held)


@handles(HoldStock)
def hold_stock(tx: Tx, ask: HoldStock) -> bool:
    """Find pieces for every line, then hold them."""
    wanted = totals((line.variant_id, line.quantity) for line in ask.lines)
    before = tx.get(store.HOLD, ask.hold_id)
    if before is not None:
        if before.state is HoldState.HELD and before.quantities() == wanted:
            return False
        raise Refused(CatalogRefusal.HOLD_EXISTS)
    lines, low = _find(tx, wanted)
    hold = Hold(id=ask.hold_id, state=HoldState.HELD, lines=lines)
    for line in hold.lines:
        store.keep_stock(tx, store.stock(tx, line.variant_id, line.location_id).moved(held=line.quantity))
    tx.add(store.HOLD, hold.id, hold)
    for fact in low:
        tx.tell(fact)
    return True


def _find(tx: Tx, wanted: dict[VariantId, int]) -> tuple[tuple[HeldLine, ...], list[StockRanLow]]:
    """Where the pieces of each variant come from, and which of them run low by that; refuses when there are too few, and says of which."""
    found: list[HeldLine] = []
    low: list[StockRanLow] = []
    short: list[Left] = []
    for id, quantity in wanted.items():
        variant = tx.get(store.VARIANT, id)
        if variant is None:
            raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
        places = store.shop(tx, variant.shop_id).location_ids
        available = [(place, store.stock(tx, id, place).available) for place in places]
        parts = allocate(quantity, available)
        before = sum(pieces for _, pieces in available)
        if parts is None:
            short.append(Left(variant_id=id, available=before))
            continue
        found += [HeldLine(id, place, part) for place, part in parts]
        if ran_low(before, before - quantity):
            low.append(StockRanLow(variant_id=id, goods_id=variant.goods_id, shop_id=variant.shop_id, available=before - quantity))
    if short:
        raise Refused(CatalogRefusal.SOLD_OUT, figures=SoldOut(lines=tuple(short)))
    return tuple(found), low


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
    for line in hold.lines:
        stock = store.stock(tx, line.variant_id, line.location_id)
        store.keep_stock(tx, stock.moved(held=-line.waits, on_hand=-line.waits if gone else 0))
    tx.put(store.HOLD, id, ended(hold, to))
    return True


@handles(TakePart)
def take_part(tx: Tx, ask: TakePart) -> None:
    """Let these pieces go, from wherever they lie."""
    hold = _hold(tx, ask.hold_id)
    if hold.state is not HoldState.HELD:
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    after, gone = part_gone(hold, totals((line.variant_id, line.quantity) for line in ask.lines))
    for line in gone:
        store.keep_stock(tx, store.stock(tx, line.variant_id, line.location_id).moved(held=-line.quantity, on_hand=-line.quantity))
    tx.put(store.HOLD, hold.id, after)


@handles(ReturnStock)
def return_stock(tx: Tx, ask: ReturnStock) -> None:
    """Put the pieces back on hand."""
    hold = _hold(tx, ask.hold_id)
    if hold.state is not HoldState.TAKEN:
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    after, back = give_back(hold, totals((line.variant_id, line.quantity) for line in ask.lines))
    for line in back:
        store.keep_stock(tx, store.stock(tx, line.variant_id, line.location_id).moved(on_hand=line.quantity))
    tx.put(store.HOLD, hold.id, after)


def _hold(tx: Tx, id: HoldId) -> Hold:
    found = tx.get(store.HOLD, id)
    if found is None:
        raise Refused(CatalogRefusal.HOLD_NOT_FOUND)
    return found
