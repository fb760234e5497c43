"""Waiting for what is sold out (到货提醒): asked for by a buyer, and over when they have been told that it is back."""

from msgspec import Struct

from yunduan.domains.catalog import store, store_waits
from yunduan.domains.catalog.facts import WaitEnded
from yunduan.domains.catalog.model import WAITS_MAX, CatalogRefusal
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

TOLD_AT_ONCE = 100
"""So many people are told of one variant in one transaction."""
SEEN_AT_ONCE = 100


class Waiting(Struct, frozen=True, kw_only=True):
    """Whether the caller waits for a variant now."""

    variant_id: VariantId
    waits: bool


class WaitForStock(
    Command[Waiting],
    refuses={
        CatalogRefusal.GOODS_NOT_FOUND,
        CatalogRefusal.VARIANT_NOT_FOUND,
        CatalogRefusal.NOT_SOLD_OUT,
        CatalogRefusal.WAITS_FULL,
    },
):
    """Ask to be told once when there are pieces again of a variant that is sold out; harmless when the caller waits already."""

    goods_id: GoodsId
    variant_id: VariantId


class StopWaiting(Command[Waiting]):
    """Take it back; harmless when the caller does not wait."""

    goods_id: GoodsId
    variant_id: VariantId


class EndWaits(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """Tell whoever waits for a variant that it is back, some at a time; nobody while it cannot be bought, for then they wait on.

    Of a variant that is no more nobody is told, and nobody waits.
    """

    variant_id: VariantId


class SeeWaits(Command[None], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """See what is waited for in a shop that sells otherwise than before: open again, back from a holiday, sending from elsewhere."""

    shop_id: ShopId
    after: str = ""


@handles(WaitForStock)
def wait_for_stock(tx: Tx, ask: WaitForStock) -> Waiting:
    """Of goods that everybody is shown, and of no others."""
    person = tx.actor.person
    invariant(bool(person), "somebody waits")
    page = store.page(tx, ask.goods_id)
    shop = page and store.shop(tx, page.shop_id)
    if page is None or shop is None or not shop.is_open:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    if ask.variant_id not in page.variant_ids:
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    if tx.get(store_waits.WAIT, (person, ask.variant_id)) is None:
        if any(pieces for _, pieces in store.pieces(tx, [ask.variant_id], shop)):
            raise Refused(CatalogRefusal.NOT_SOLD_OUT)
        if len(store_waits.waits_of(tx, person, WAITS_MAX)) >= WAITS_MAX:
            raise Refused(CatalogRefusal.WAITS_FULL, f"{WAITS_MAX} are the most")
        store_waits.begin(tx, store_waits.Wait(person, ask.variant_id, shop.id, tx.now))
    return Waiting(variant_id=ask.variant_id, waits=True)


@handles(StopWaiting)
def stop_waiting(tx: Tx, ask: StopWaiting) -> Waiting:
    """One's own alone."""
    if tx.get(store_waits.WAIT, (tx.actor.person, ask.variant_id)) is not None:
        store_waits.end(tx, tx.actor.person, ask.variant_id)
    return Waiting(variant_id=ask.variant_id, waits=False)


@handles(EndWaits)
def end_waits(tx: Tx, ask: EndWaits) -> None:
    """Who has waited longest first; the next step is set for the rest, and for the end of a holiday."""
    variant = tx.get(store.VARIANT, ask.variant_id)
    if variant is None:
        return
    shop = store.shop(tx, variant.shop_id)
    is_back = variant.on_sale and shop.is_open and any(pieces for _, pieces in store.pieces(tx, [variant.id], shop))
    if not (is_back or variant.retired):
        return
    if is_back and shop.away_until > tx.now:
        tx.at(shop.away_until, ask)
        return
    people = store_waits.waiters(tx, variant.id, TOLD_AT_ONCE)
    for person in people:
        store_waits.end(tx, person, variant.id)
        if is_back:
            tx.tell(WaitEnded(person_id=person, variant_id=variant.id, goods_id=variant.goods_id, shop_id=shop.id))
    if len(people) == TOLD_AT_ONCE:
        tx.at(tx.now, ask)


@handles(SeeWaits)
def see_waits(tx: Tx, ask: SeeWaits) -> None:
    """Some variants at a time."""
    some = store_waits.waited_for_in(tx, ask.shop_id, ask.after, SEEN_AT_ONCE)
    for variant_id in some:
        tx.send(EndWaits(variant_id=variant_id))
    if len(some) == SEEN_AT_ONCE:
        tx.at(tx.now, SeeWaits(shop_id=ask.shop_id, after=some[-1]))
