"""A small market in which orders are searched: two shops, goods with names, and buyers who have bought them."""

from pathlib import Path
from typing import Any

from unit.orders.market import Buyer, Market
from yunduan.backends.sqlite import SideFolder
from yunduan.domains.catalog.commands import CreateGoods, SetStock
from yunduan.domains.catalog.model import GoodsForm, StockReason, VariantForm
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.search.order_finding import FindMyOrders, FindShopOrders, OrdersFound
from yunduan.domains.search.order_indexing import OrderIndexer
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import OrderId, ShopId, VariantId
from yunduan.kernel.money import Money
from yunduan.runtime.ports import Store

GOODS = (
    ("西湖龙井 明前特级", "Longjing green tea", "TEA-250"),
    ("云南普洱 熟茶", "Pu'er tea from Yunnan", "PUER-357"),
    ("女士连衣裙 夏季", "Summer dress for women", "DRESS-M"),
    ("不锈钢保温杯 500ml", "Steel vacuum cup 500 ml", "CUP-500"),
)


class Bazaar:
    """The market of `unit.orders`, with `GOODS` in its first shop and the last of them in the other as well."""

    def __init__(self, folder: Path, store: Store | None = None, *, is_searched: bool = True) -> None:
        """Open it; nobody has bought anything."""
        self.folder = folder
        self.market = Market(folder, store, is_searched=is_searched)
        self.world = self.market.world
        self.goods = {title: self.offer(title, title_en, sku) for title, title_en, sku in GOODS}
        self.elsewhere = self.offer(*GOODS[-1], shop=self.market.other)

    def offer(self, title: str, title_en: str = "", sku: str = "", *, shop: Any = None) -> VariantId:
        """Put something on sale, for 10.00."""
        shop = shop or self.market.shop
        variant = VariantForm(sku=sku or f"S-{title_en}", price=Money(amount=1_000, currency="CNY"), weight_g=250)
        form = GoodsForm(title=title, title_en=title_en, category_id=self.market.tea, variants=(variant,))
        (id,) = self.world.send(CreateGoods(shop_id=shop.id, form=form, publish=True)).variant_ids
        self.world.send(SetStock(shop_id=shop.id, variant_id=id, location_id=shop.location_id, on_hand=100_000, reason=StockReason.COUNTED))
        return id

    def buy(self, buyer: Buyer, *variants: VariantId) -> OrderId:
        """Buy one of each; answers the order of the first shop."""
        for variant in variants:
            buyer.want(variant)
        return buyer.buy().orders[0].id

    def ship(self, order_id: OrderId, tracking: str, shop: ShopId | None = None) -> None:
        """Let an order go under a number."""
        shop_id = shop or self.market.shop.id
        shipping = ShipOrder(shop_id=shop_id, order_id=order_id, carrier="SF Express", tracking=tracking)
        self.world.send(shipping, actor=self.market.staff("packer", shop=shop_id))

    def mine(self, buyer: Buyer, q: str, **more: Any) -> OrdersFound:
        """What a buyer finds."""
        return self.world.ask(FindMyOrders(q=q, **more), actor=buyer.actor)

    def shops(self, q: str, *, shop: ShopId | None = None, actor: Actor | None = None, **more: Any) -> OrdersFound:
        """What a shop finds."""
        shop_id = shop or self.market.shop.id
        return self.world.ask(FindShopOrders(shop_id=shop_id, q=q, **more), actor=actor or self.market.staff(shop=shop_id))

    def indexer(self, at_once: int = 3) -> OrderIndexer:
        """One like that of the cloud, a few orders at a time."""
        cloud = self.world.cloud
        return OrderIndexer(
            SideFolder(self.folder, "orders"), ask=lambda query: cloud.ask(query, actor=SYSTEM), reader=cloud.behind, at_once=at_once
        )


def ids(found: OrdersFound) -> list[OrderId]:
    """What was found."""
    return [line.id for line in found.items]
