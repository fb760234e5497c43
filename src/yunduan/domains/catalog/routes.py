"""Where the catalog is reached: lists and pages by anybody, a shop's own goods by its staff, shops and categories by operators."""

from yunduan.domains.catalog import commands, queries
from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.runtime.registry import ANYONE, Owner, Route

_LIST = ("sort", "after", "limit")
_KEEPERS = Owner.shop(ShopRole.OWNER, ShopRole.MANAGER)
_COUNTERS = Owner.shop(ShopRole.OWNER, ShopRole.MANAGER, ShopRole.PACKER)
_STAFF = Owner.shop(ShopRole.OWNER, ShopRole.MANAGER, ShopRole.SERVICE, ShopRole.PACKER, ShopRole.FINANCE)
_ADMIN = Owner.operator(OperatorRole.ADMIN)

ROUTES = (
    Route("GET", "/goods", queries.NewestGoods, None, ANYONE, _LIST, "Goods of the whole marketplace"),
    Route("GET", "/goods/{goods_id}", queries.GoodsPage, None, ANYONE, (), "The product page"),
    Route("GET", "/categories", queries.Categories, None, ANYONE, (), "The category tree"),
    Route("GET", "/categories/{category_id}/goods", queries.GoodsInCategory, None, ANYONE, _LIST, "Goods of a category and all below it"),
    Route("GET", "/shops/{shop_id}", queries.ShopPage, None, ANYONE, (), "A shop"),
    Route("GET", "/shops/{shop_id}/goods", queries.GoodsInShop, None, ANYONE, _LIST, "Goods of a shop"),
    Route(
        "PUT",
        "/shops/{shop_id}",
        commands.ChangeShop,
        "catalog:write",
        _KEEPERS,
        ("name", "name_en", "about", "about_en", "picture", "template_id"),
        "Say anew what everybody sees of the shop",
    ),
    Route("PUT", "/shops/{shop_id}/holiday", commands.SetHoliday, "catalog:write", _KEEPERS, ("back_at",), "Be away until a time, or back"),
    Route("GET", "/shops/{shop_id}/settings", queries.SettingsOf, "shop:read", _STAFF, (), "The shop with its places and templates"),
    Route(
        "GET",
        "/shops/{shop_id}/desk/goods",
        queries.DeskGoods,
        "shop:read",
        _STAFF,
        ("after", "limit"),
        "All goods of the shop, drafts too",
    ),
    Route("GET", "/shops/{shop_id}/desk/goods/{goods_id}", queries.GoodsOnDesk, "shop:read", _STAFF, (), "Goods as their shop edits them"),
    Route("POST", "/shops/{shop_id}/goods", commands.CreateGoods, "catalog:write", _KEEPERS, ("form", "publish"), "Make goods"),
    Route(
        "PUT",
        "/shops/{shop_id}/goods/{goods_id}",
        commands.ChangeGoods,
        "catalog:write",
        _KEEPERS,
        ("version", "form"),
        "Describe goods anew",
    ),
    Route("POST", "/shops/{shop_id}/goods/{goods_id}/publish", commands.PublishGoods, "catalog:write", _KEEPERS, (), "Put goods on sale"),
    Route(
        "POST", "/shops/{shop_id}/goods/{goods_id}/withdraw", commands.WithdrawGoods, "catalog:write", _KEEPERS, (), "Take goods off sale"
    ),
    Route(
        "PUT",
        "/shops/{shop_id}/goods/{goods_id}/variants/{variant_id}/price",
        commands.SetPrice,
        "catalog:write",
        _KEEPERS,
        ("price", "compare_at"),
        "Price a variant anew",
    ),
    Route(
        "PUT",
        "/shops/{shop_id}/variants/{variant_id}/stock/{location_id}",
        commands.SetStock,
        "catalog:write",
        _COUNTERS,
        ("on_hand", "reason"),
        "Say how many pieces there are",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/variants/{variant_id}/stock/{location_id}/adjust",
        commands.AdjustStock,
        "catalog:write",
        _COUNTERS,
        ("by", "reason"),
        "Say how many pieces more, or fewer, there are",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/variants/{variant_id}/stock-changes",
        queries.StockChanges,
        "shop:read",
        _COUNTERS,
        ("before", "limit"),
        "Who changed the stock by hand, and why",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/locations",
        commands.CreateLocation,
        "catalog:write",
        _KEEPERS,
        ("name", "country", "region"),
        "Add a place where stock lies",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/shipping-templates",
        commands.SetShippingTemplate,
        "catalog:write",
        _KEEPERS,
        ("template_id", "name", "measure", "zones", "elsewhere"),
        "Make or change a shipping template",
    ),
    Route(
        "POST",
        "/shops",
        commands.CreateShop,
        "operate",
        _ADMIN,
        ("owner", "name", "name_en", "about", "about_en", "picture", "country", "region", "currency", "commission_ppm"),
        "Open a shop for its owner",
    ),
    Route(
        "PUT",
        "/shops/{shop_id}/commission",
        commands.SetCommission,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.FINANCE),
        ("commission_ppm",),
        "Agree on another commission",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/suspend",
        commands.SuspendShop,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.RISK),
        (),
        "Stop a shop from selling",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/reopen",
        commands.ReopenShop,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.RISK),
        (),
        "Let a shop sell again",
    ),
    Route(
        "GET",
        "/operator/shops",
        queries.Shops,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.SERVICE, OperatorRole.RISK, OperatorRole.FINANCE, OperatorRole.ANALYST),
        ("after", "limit"),
        "Every shop, open or not",
    ),
    Route("POST", "/categories", commands.CreateCategory, "operate", _ADMIN, ("name", "name_en", "parent"), "Grow the category tree"),
    Route(
        "PUT", "/categories/{category_id}", commands.ChangeCategory, "operate", _ADMIN, ("name", "name_en"), "Give a category other names"
    ),
)
