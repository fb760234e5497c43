"""What the catalog shows to the composition root."""

from yunduan.domains.catalog import facts, queries
from yunduan.domains.catalog.commands import categories, goods, shipping, shops, standings, stock
from yunduan.domains.catalog.routes import ROUTES
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="catalog",
    package="yunduan.domains.catalog",
    commands=(
        shops.create_shop,
        shops.change_shop,
        shops.set_commission,
        shops.suspend_shop,
        shops.reopen_shop,
        shops.refresh_shop,
        shipping.create_location,
        shipping.set_shipping_template,
        categories.create_category,
        categories.change_category,
        goods.create_goods,
        goods.change_goods,
        goods.set_price,
        goods.publish_goods,
        goods.withdraw_goods,
        standings.count_sale,
        standings.uncount_sale,
        standings.rate_goods,
        standings.show_standings,
        stock.set_stock,
        stock.adjust_stock,
        stock.hold_stock,
        stock.release_stock,
        stock.take_stock,
        stock.return_stock,
    ),
    queries=(
        queries.offers_of,
        queries.terms_of,
        queries.shipping_for,
        queries.hold_of,
        queries.stock_audit,
        queries.goods_page,
        queries.newest_goods,
        queries.goods_in_shop,
        queries.goods_in_category,
        queries.categories,
        queries.shop_page,
        queries.shops,
        queries.desk_goods,
        queries.goods_on_desk,
        queries.settings_of,
        queries.stock_changes,
    ),
    facts=(facts.ShopCreated, facts.ShopStateChanged, facts.CategoryCreated, facts.CategoryChanged, facts.GoodsChanged),
    routes=ROUTES,
)
