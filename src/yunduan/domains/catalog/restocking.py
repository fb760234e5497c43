"""Where it is decided that stock has run low, and that goods are back.

They are back when of a variant nothing could be bought, and now something can. That is asked where pieces come
(counted, moved, given back, released), never where they go: a checkout does not pass there.
"""

from collections.abc import Iterable, Sequence

from yunduan.domains.catalog import store, store_waits
from yunduan.domains.catalog.facts import StockCameBack
from yunduan.domains.catalog.model import Shop, Stock, Variant
from yunduan.runtime.transaction import Asking, Tx

LOW_PIECES = 5
"""So few pieces of a variant, over all locations, are little stock."""


def ran_low(before: int, after: int) -> bool:
    """Whether what can be sold has become little, or nothing, just now."""
    return after <= LOW_PIECES and (before > LOW_PIECES or before > after == 0)


def sold_out(at: Asking, places: Iterable[Stock]) -> list[Variant]:
    """Of one shop's variants, to which pieces are about to come, those of which there are none anywhere."""
    ids = list(dict.fromkeys([stock.variant_id for stock in places if not stock.available]))
    if not ids:
        return []
    return [one for one in at.get_many(store.VARIANT, ids).values() if not _pieces(at, one)]


def tell(tx: Tx, were: Sequence[Variant]) -> None:
    """Tell of each that was sold out, now that pieces have come, that it is back; of none that lies where nothing is sent from."""
    for one in were:
        if _pieces(tx, one):
            _tell(tx, one)


def tell_on_sale(tx: Tx, shop: Shop, variants: Iterable[Variant]) -> None:
    """The same of variants that are on sale again, with pieces that came while they were not; of those that somebody waits for."""
    for one in variants:
        if store_waits.is_waited_for(tx, shop.id, one.id) and _pieces(tx, one):
            _tell(tx, one)


def _pieces(at: Asking, variant: Variant) -> int:
    """How many can be bought."""
    return dict(store.pieces(at, [variant.id], store.shop(at, variant.shop_id)))[variant.id]


def _tell(tx: Tx, variant: Variant) -> None:
    tx.tell(StockCameBack(variant_id=variant.id, goods_id=variant.goods_id, shop_id=variant.shop_id))
