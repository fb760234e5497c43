"""How a comparison ends by itself."""

from msgspec.structs import replace

from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands.comparing import DropComparison, lapse
from yunduan.domains.catalog.commands.goods import keep, stepped
from yunduan.domains.catalog.life import GoodsStep, GoodsWho
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


@handles(DropComparison)
def drop_comparison(tx: Tx, ask: DropComparison) -> None:
    """Look again; one that was charged since is waited for anew."""
    invariant(tx.actor.is_system, "a comparison lapses by its own alarm")
    shop = store.shop(tx, ask.shop_id)
    goods = store.goods(tx, ask.goods_id, shop_id=shop.id)
    found = next((variant for variant in goods.form.variants if variant.id == ask.variant_id), None)
    if found is None or found.compare_at is None:
        return
    again = lapse(tx, found)
    if again:
        tx.at(again, ask)
        return
    variants = tuple(replace(one, compare_at=None) if one.id == found.id else one for one in goods.form.variants)
    keep(tx, shop, goods, stepped(tx, goods, GoodsStep.PRICE, GoodsWho.CLOUD, form=replace(goods.form, variants=variants)))
