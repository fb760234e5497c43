"""What operators decide about goods: approved or sent back where the marketplace reviews them, banned and the ban lifted."""

from typing import Any

from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands import ruling
from yunduan.domains.catalog.commands.goods import GoodsKept, Version, keep, kept, refuse_other_version, stepped
from yunduan.domains.catalog.facts import GoodsRuled
from yunduan.domains.catalog.life import GoodsStep, GoodsWho
from yunduan.domains.catalog.model import CatalogRefusal, Goods, Shop
from yunduan.domains.catalog.rulings import Reason, Ruled
from yunduan.kernel.ids import GoodsId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_OF_RULING = {
    CatalogRefusal.SHOP_NOT_FOUND,
    CatalogRefusal.GOODS_NOT_FOUND,
    CatalogRefusal.GOODS_STATE,
    CatalogRefusal.CATEGORY_NOT_FOUND,
    CatalogRefusal.OWN_GOODS,
}


class ApproveGoods(Command[GoodsKept], refuses={*_OF_RULING, CatalogRefusal.GOODS_CHANGED}):
    """Let goods that wait for a review go on sale, as they are described in this version; at their time if their shop has named one."""

    shop_id: ShopId
    goods_id: GoodsId
    version: Version


class RejectGoods(Command[GoodsKept], refuses={*_OF_RULING, CatalogRefusal.GOODS_CHANGED}):
    """Send goods that wait for a review back to their shop, and say why."""

    shop_id: ShopId
    goods_id: GoodsId
    version: Version
    reason: Reason


class BanGoods(Command[GoodsKept], refuses=_OF_RULING):
    """Stop goods from being sold and changed, and say why; harmless when they are banned. What has been bought goes on as ever."""

    shop_id: ShopId
    goods_id: GoodsId
    reason: Reason


class LiftBan(Command[GoodsKept], refuses=_OF_RULING):
    """Give banned goods back to their shop, off sale, and say why."""

    shop_id: ShopId
    goods_id: GoodsId
    reason: Reason


@handles(ApproveGoods)
def approve_goods(tx: Tx, ask: ApproveGoods) -> GoodsKept:
    """What was read is what is approved: a newer version refuses."""
    shop = store.shop(tx, ask.shop_id)
    goods = _goods(tx, ask)
    refuse_other_version(goods, ask.version)
    on_sale_at = goods.on_sale_at if goods.on_sale_at > tx.now else 0  # a time that has come has nothing left to open
    approved = stepped(tx, goods, GoodsStep.APPROVE, GoodsWho.OPERATOR, reviewed=True, on_sale_at=on_sale_at)
    return _kept(tx, shop, goods, approved, GoodsStep.APPROVE)


@handles(RejectGoods)
def reject_goods(tx: Tx, ask: RejectGoods) -> GoodsKept:
    """They are a draft again, without a time."""
    goods = _goods(tx, ask)
    refuse_other_version(goods, ask.version)
    return _ruled(tx, goods, GoodsStep.REJECT, Ruled.GOODS_REJECTED, ask.reason, on_sale_at=0)


@handles(BanGoods)
def ban_goods(tx: Tx, ask: BanGoods) -> GoodsKept:
    """Page, lists and carts let go of them at once."""
    goods = _goods(tx, ask)
    return _ruled(tx, goods, GoodsStep.BAN, Ruled.GOODS_BANNED, ask.reason, on_sale_at=0, reviewed=False)


@handles(LiftBan)
def lift_ban(tx: Tx, ask: LiftBan) -> GoodsKept:
    """They are reviewed again before they are sold, where goods are reviewed."""
    goods = _goods(tx, ask)
    return _ruled(tx, goods, GoodsStep.LIFT, Ruled.BAN_LIFTED, ask.reason)


def _goods(tx: Tx, ask: ApproveGoods | RejectGoods | BanGoods | LiftBan) -> Goods:
    """The goods, for an operator who has no part in their shop."""
    goods = store.goods(tx, ask.goods_id, shop_id=ask.shop_id)
    if tx.actor.serves(goods.shop_id):
        raise Refused(CatalogRefusal.OWN_GOODS)
    return goods


def _ruled(tx: Tx, goods: Goods, step: GoodsStep, ruled: Ruled, reason: str, **changes: Any) -> GoodsKept:
    shop = store.shop(tx, goods.shop_id)
    after = stepped(tx, goods, step, GoodsWho.OPERATOR, **changes)
    if after is goods:
        return kept(goods)
    ruling.rule(tx, shop, goods.id, ruled, reason)
    return _kept(tx, shop, goods, after, step)


def _kept(tx: Tx, shop: Shop, before: Goods, goods: Goods, step: GoodsStep) -> GoodsKept:
    tx.tell(GoodsRuled(goods_id=goods.id, shop_id=shop.id, ruled=step.value))
    return keep(tx, shop, before, goods)
