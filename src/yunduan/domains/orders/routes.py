"""Where orders are reached, and by whom."""

from yunduan.domains.identity.model import OperatorRole
from yunduan.domains.orders import commands, queries, receiving, whereabouts
from yunduan.domains.orders.commands import GIVES_BACK, PACKS, RULES, SERVES
from yunduan.runtime.registry import ANYONE, RECORD, SELF, Owner, Route

_STAFF = Owner.shop("owner", "manager", "service", "packer", "finance")
_PAGE = ("state", "before", "limit")

ROUTES = (
    Route("GET", "/cart", queries.CartOf, "cart:read", SELF, summary="The cart at today's prices"),
    Route("POST", "/cart/lines", commands.AddToCart, "cart:write", SELF, ("variant_id", "quantity"), "Put something into the cart"),
    Route("PUT", "/cart/lines/{variant_id}", commands.ChangeCartLine, "cart:write", SELF, ("quantity",), "Change a quantity"),
    Route("DELETE", "/cart/lines/{variant_id}", commands.RemoveFromCart, "cart:write", SELF, summary="Take something out of the cart"),
    Route("GET", "/checkouts/preview", queries.PreviewCheckout, "cart:read", SELF, ("items", "address_id"), "What a checkout would cost"),
    Route(
        "POST",
        "/checkouts",
        commands.Checkout,
        "orders:write",
        SELF,
        ("items", "address_id", "total", "tenders", "note"),
        "Buy what is in the cart",
    ),
    Route("GET", "/orders", queries.MyOrders, "orders:read", SELF, _PAGE, "The caller's orders"),
    Route("GET", "/orders/{order_id}", queries.OrderOf, "orders:read", RECORD, summary="One order"),
    Route("GET", "/order-numbers/{number}", queries.OrderNumbered, "orders:read", RECORD, summary="One order by its number"),
    Route("GET", "/orders/{order_id}/refunds", queries.OrderRefunds, "orders:read", RECORD, ("before", "limit"), "Where its refunds are"),
    Route("GET", "/orders/{order_id}/money", whereabouts.OrderMoney, "orders:read", RECORD, summary="Where is my money"),
    Route("POST", "/orders/{order_id}/cancel", commands.CancelOrder, "orders:write", RECORD, summary="Call off an order"),
    Route("POST", "/orders/{order_id}/receipt", receiving.ConfirmReceipt, "orders:write", RECORD, summary="The goods have arrived"),
    Route(
        "POST",
        "/orders/{order_id}/receipt/extension",
        receiving.ExtendReceipt,
        "orders:write",
        RECORD,
        summary="The goods have not come yet: wait longer",
    ),
    Route(
        "POST",
        "/orders/{order_id}/reviews",
        commands.ReviewOrder,
        "orders:write",
        RECORD,
        ("variant_id", "stars", "text"),
        "Review what was bought",
    ),
    Route("GET", "/goods/{goods_id}/reviews", queries.ReviewsOfGoods, None, ANYONE, ("before", "limit"), "What buyers say of goods"),
    Route("GET", "/shops/{shop_id}/orders", queries.ShopOrders, "shop:read", _STAFF, _PAGE, "A shop's orders"),
    Route("GET", "/shops/{shop_id}/orders/{order_id}", queries.ShopOrderOf, "shop:read", _STAFF, summary="One order of a shop"),
    Route(
        "GET",
        "/shops/{shop_id}/orders/{order_id}/money",
        whereabouts.ShopOrderMoney,
        "shop:read",
        Owner.shop("owner", "manager", "finance"),
        summary="Where the money of an order is",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/orders/{order_id}/refunds",
        queries.ShopOrderRefunds,
        "shop:read",
        _STAFF,
        ("before", "limit"),
        "Where the refunds of an order are",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/orders/{order_id}/shipment",
        commands.ShipOrder,
        "shop:write",
        Owner.shop(*PACKS),
        ("carrier", "tracking"),
        "The goods have left",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/orders/{order_id}/decline",
        commands.DeclineOrder,
        "shop:write",
        Owner.shop(*SERVES),
        summary="Call off an order that cannot be shipped",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/orders/{order_id}/refunds",
        commands.RefundOrder,
        "shop:write",
        Owner.shop(*GIVES_BACK),
        ("amount",),
        "Give money back",
    ),
    Route(
        "GET",
        "/operator/orders/states",
        queries.OrdersByState,
        "operate",
        Owner.operator(*RULES, OperatorRole.ADMIN, OperatorRole.ANALYST),
        summary="How many orders stand where",
    ),
    Route(
        "POST",
        "/operator/shops/{shop_id}/orders/{order_id}/refunds",
        commands.RefundOrder,
        "operate",
        Owner.operator(*RULES),
        ("amount",),
        "Give money back for a shop",
    ),
)
