"""Stock that was let go is held anew for the same order, for as long as there is enough of it."""

from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands.stock import HoldStock, hold_lines, promised
from yunduan.domains.catalog.model import HOLD_MOVES, CatalogRefusal, HoldState
from yunduan.domains.catalog.queries import TermsOf
from yunduan.kernel.ids import HoldId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx


class RetakeStock(Command[None], refuses={CatalogRefusal.HOLD_NOT_FOUND, CatalogRefusal.HOLD_STATE, *HoldStock.refuses}):
    """Hold anew all that a released hold was of, wherever it lies now; whoever sends it has asked `CanRetake` in the same transaction."""

    hold_id: HoldId
    country: str = ""
    region: str = ""


class CanRetake(Query[bool]):
    """Whether all that a released hold was of is on sale still, in a shop that sells, and there are enough pieces that are sent there."""

    hold_id: HoldId
    country: str = ""
    region: str = ""


@handles(RetakeStock)
def retake_stock(tx: Tx, ask: RetakeStock) -> None:
    """As if it were held for the first time."""
    hold = tx.get(store.HOLD, ask.hold_id)
    if hold is None:
        raise Refused(CatalogRefusal.HOLD_NOT_FOUND)
    if HoldState.HELD not in HOLD_MOVES[hold.state]:
        raise Refused(CatalogRefusal.HOLD_STATE, f"the stock was {hold.state.value}")
    again, low = promised(tx, hold.id, hold.quantities(), ask.country, ask.region)
    hold_lines(tx, again)
    tx.put(store.HOLD, hold.id, again)
    for fact in low:
        tx.tell(fact)


@answers(CanRetake)
def can_retake(at: Asking, ask: CanRetake) -> bool:
    """What would be refused cannot."""
    hold = at.get(store.HOLD, ask.hold_id)
    if hold is None or hold.state is not HoldState.RELEASED:
        return False
    try:
        promised(at, hold.id, hold.quantities(), ask.country, ask.region)
    except Refused:
        return False
    variants = at.get_many(store.VARIANT, list(hold.quantities())).values()
    terms = [at.ask(TermsOf(shop_id=shop_id)) for shop_id in dict.fromkeys([variant.shop_id for variant in variants])]
    return all(one.open and not one.away_until for one in terms) and all(variant.on_sale for variant in variants)
