"""When goods go on sale: at a time that their shop has named, by an alarm, once."""

from typing import Annotated

from msgspec import Meta

from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands.goods import GoodsKept, keep, kept, stepped
from yunduan.domains.catalog.life import SCHEDULED_MS_MAX, GoodsStep, GoodsWho
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.kernel.ids import GoodsId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_OF_TIME = {CatalogRefusal.SHOP_NOT_FOUND, CatalogRefusal.GOODS_NOT_FOUND, CatalogRefusal.GOODS_STATE, CatalogRefusal.CATEGORY_NOT_FOUND}


class ScheduleGoods(Command[GoodsKept], refuses={*_OF_TIME, CatalogRefusal.SCHEDULE}):
    """Have goods go on sale at a time (milliseconds since 1970), or with 0 at none. Where goods are reviewed, the review begins at once."""

    shop_id: ShopId
    goods_id: GoodsId
    on_sale_at: Annotated[int, Meta(ge=0, le=2**53)]


class OpenScheduled(Command[None], refuses=_OF_TIME):
    """Put goods on sale whose time has come. An alarm; harmless when the shop has thought otherwise since."""

    shop_id: ShopId
    goods_id: GoodsId
    on_sale_at: int


@handles(ScheduleGoods)
def schedule_goods(tx: Tx, ask: ScheduleGoods) -> GoodsKept:
    """Keep the time and set the alarm; one that was set for another time finds that it is not meant any more."""
    shop = store.shop(tx, ask.shop_id)
    goods = store.goods(tx, ask.goods_id, shop_id=shop.id)
    if ask.on_sale_at and not tx.now < ask.on_sale_at <= tx.now + SCHEDULED_MS_MAX:
        raise Refused(CatalogRefusal.SCHEDULE)
    step = GoodsStep.SCHEDULE if ask.on_sale_at else GoodsStep.UNSCHEDULE
    after = stepped(tx, goods, step, GoodsWho.SHOP, on_sale_at=ask.on_sale_at)
    if after is goods:
        return kept(goods)
    if ask.on_sale_at and ask.on_sale_at != goods.on_sale_at:
        tx.at(ask.on_sale_at, OpenScheduled(shop_id=shop.id, goods_id=goods.id, on_sale_at=ask.on_sale_at))
    return keep(tx, shop, goods, after)


@handles(OpenScheduled)
def open_scheduled(tx: Tx, ask: OpenScheduled) -> None:
    """See that it is still this time that is meant. Goods that are in review go on sale as soon as they are approved."""
    invariant(tx.actor.is_system, "goods go on sale by their own alarm")
    shop = store.shop(tx, ask.shop_id)
    goods = store.goods(tx, ask.goods_id, shop_id=shop.id)
    if goods.on_sale_at == ask.on_sale_at and ask.on_sale_at <= tx.now:
        keep(tx, shop, goods, stepped(tx, goods, GoodsStep.OPEN, GoodsWho.CLOUD, on_sale_at=0))
