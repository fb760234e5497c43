"""What a price may be compared with: only what was charged itself, for long enough, and not too long ago."""

from collections.abc import Iterable

from yunduan.domains.catalog import store_prices
from yunduan.domains.catalog.model import CatalogRefusal, CatalogSettings, Goods, VariantForm
from yunduan.domains.catalog.prices import lapses_at
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Tx


class DropComparison(
    Command[None],
    refuses={CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.GOODS_NOT_FOUND, CatalogRefusal.GOODS_STATE, CatalogRefusal.CATEGORY_NOT_FOUND},
):
    """Cross a price out no more once it was charged too long ago. An alarm; harmless when it may stand, or is gone."""

    shop_id: ShopId
    goods_id: GoodsId
    variant_id: VariantId


def lapse(tx: Tx, variant: VariantForm) -> int:
    """When what a variant is compared with may stand no more; 0 when it may not now."""
    if variant.id is None or variant.compare_at is None:
        return 0
    least_ms = tx.port(CatalogSettings).compared_after_ms
    return lapses_at(store_prices.points(tx, variant.id), variant.compare_at.amount, tx.now, least_ms)


def refuse_never_charged(tx: Tx, variants: Iterable[VariantForm]) -> None:
    """Refuse variants that are compared with what was not charged, or hardly; those that are compared with nothing cost no statement."""
    for variant in variants:
        if variant.compare_at is not None and not lapse(tx, variant):
            raise Refused(CatalogRefusal.NOT_CHARGED, f"{variant.compare_at} was not charged for {variant.sku} for long enough")


def mind(tx: Tx, before: Goods, after: Goods) -> None:
    """Set an alarm for each new comparison, for when it may stand no more."""
    known = {variant.id: variant.compare_at for variant in before.form.variants}
    for variant in after.form.variants:
        if variant.id and variant.compare_at is not None and variant.compare_at != known.get(variant.id):
            due = lapse(tx, variant)
            tx.at(due, DropComparison(shop_id=after.shop_id, goods_id=after.id, variant_id=variant.id))
