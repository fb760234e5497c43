"""The statements on who waits for stock. Nothing of it is read by a checkout."""

from msgspec import Struct

from yunduan.kernel.ids import PersonId, ShopId, VariantId
from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking, Tx


class Wait(Struct, frozen=True, gc=False):
    """Somebody waits for a variant, since when."""

    person: PersonId
    variant_id: VariantId
    shop_id: ShopId
    at: int


WAIT: Table[tuple[PersonId, VariantId], Wait] = Table(
    name="stock_wait",
    columns={"person": str, "variant_id": str, "shop_id": str, "at": int},
    keys=2,
    value=lambda row: Wait(*row),
    row=lambda wait: (wait.person, wait.variant_id, wait.shop_id, wait.at),
    remembered=100,
)

_WAITED_FOR = "SELECT 1 FROM stock_wait WHERE variant_id = ? LIMIT 1"
_WAITERS = "SELECT person FROM stock_wait WHERE variant_id = ? ORDER BY at, person LIMIT ?"
_WAITED_FOR_IN = "SELECT 1 FROM stock_wait WHERE shop_id = ? LIMIT 1"
_OF_PERSON = "SELECT variant_id, at FROM stock_wait WHERE person = ? ORDER BY at DESC, variant_id LIMIT ?"
_OF_SHOP = "SELECT DISTINCT variant_id FROM stock_wait WHERE shop_id = ? AND variant_id > ? ORDER BY variant_id LIMIT ?"
_FORGET = "DELETE FROM stock_wait WHERE person = ? AND variant_id = ?"


def is_waited_for(at: Asking, shop_id: ShopId, variant_id: VariantId) -> bool:
    """Whether anybody waits for a variant. Of most shops nobody waits for anything, which is remembered: an import asks of each variant."""
    any_in_shop = at.recall(WAIT.name, shop_id, lambda: at.row(_WAITED_FOR_IN, (shop_id,)) is not None)
    return any_in_shop and at.row(_WAITED_FOR, (variant_id,)) is not None


def waiters(at: Asking, variant_id: VariantId, limit: int) -> list[PersonId]:
    """Who waits for a variant, some of them, who has waited longest first."""
    return [row[0] for row in at.rows(_WAITERS, (variant_id, limit))]


def waits_of(at: Asking, person: PersonId, limit: int) -> list[tuple[VariantId, int]]:
    """(variant, since when) of what somebody waits for, the latest first."""
    return [(row[0], row[1]) for row in at.rows(_OF_PERSON, (person, limit))]


def waited_for_in(at: Asking, shop_id: ShopId, after: str, limit: int) -> list[VariantId]:
    """Variants of a shop that somebody waits for, in the order of their ids from after one of them on."""
    return [row[0] for row in at.rows(_OF_SHOP, (shop_id, after, limit))]


def begin(tx: Tx, wait: Wait) -> None:
    """Let somebody wait who does not."""
    tx.add(WAIT, (wait.person, wait.variant_id), wait)


def end(tx: Tx, person: PersonId, variant_id: VariantId) -> None:
    """Somebody who waits does so no longer."""
    tx.remove(WAIT, (person, variant_id), _FORGET)
