"""How an operator's decision is written down."""

from yunduan.domains.catalog import store_rulings
from yunduan.domains.catalog.model import Shop
from yunduan.domains.catalog.rulings import Ruled, Ruling
from yunduan.runtime.transaction import Tx


def rule(tx: Tx, shop: Shop, subject: str, ruled: Ruled, reason: str) -> None:
    """Keep what was decided about a shop, or goods of it, and why: for its own people and the operators to read."""
    sealed = store_rulings.vault(tx).seal(shop.owner_id, reason)
    store_rulings.rule(tx, Ruling(shop.id, subject, ruled, shop.owner_id, sealed, tx.actor.person, tx.now))
