"""The statements on what variants were charged over time."""

from yunduan.domains.catalog.model import Variant
from yunduan.domains.catalog.prices import WINDOW_MS, PricePoint, charged
from yunduan.kernel.ids import VariantId
from yunduan.runtime.transaction import Asking, Tx

POINTS_MAX = 500
"""How many changes are looked at: of a price that is changed more often within the days, the latest."""
_NOTE = "INSERT INTO price_point (variant_id, at, amount) VALUES (?, ?, ?)"
_POINTS = "SELECT at, amount FROM price_point WHERE variant_id = ? ORDER BY seq DESC LIMIT ?"


def note(tx: Tx, before: Variant | None, after: Variant) -> None:
    """Write down what a variant is charged from now on, if that is something else than before."""
    amount = charged(after)
    if amount != charged(before):
        tx.append(_NOTE, (after.id, tx.now, amount))


def points(at: Asking, id: VariantId) -> list[PricePoint]:
    """What a variant was charged within the last days, the oldest first, from the point that held at their beginning."""
    found: list[PricePoint] = []
    for moment, amount in at.rows(_POINTS, (id, POINTS_MAX)):
        found.append(PricePoint(moment, amount))
        if moment < at.now - WINDOW_MS:
            break
    return found[::-1]
