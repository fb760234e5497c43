"""Where search is reached: by anybody, and set by operators."""

from yunduan.domains.identity.model import OperatorRole
from yunduan.domains.search import asked, commands, order_finding, queries, recents
from yunduan.runtime.registry import ANYONE, SELF, Owner, Route

_FILTERS = ("category_id", "shop_id", "filters", "currency", "price_from", "price_to", "in_stock", "free_shipping", "rating_from")
_SEARCH = ("q", *_FILTERS, "one_per_shop", "sort", "after", "limit")
_ORDERS = ("q", "state", "after", "limit")
_READ, _WRITE = "identity:read", "identity:write"

ROUTES = (
    Route(
        "GET",
        "/search",
        queries.SearchGoods,
        None,
        ANYONE,
        _SEARCH,
        "Goods by what somebody types",
    ),
    Route("GET", "/search/suggestions", queries.SuggestWords, None, ANYONE, ("q",), "What somebody may be about to type"),
    Route("GET", "/search/popular", asked.PopularQueries, None, ANYONE, (), "What many search for"),
    Route("GET", "/search/settings", queries.SearchSettingsNow, None, ANYONE, (), "What decides what comes first"),
    Route("GET", "/goods/{goods_id}/ranking", queries.ExplainPlace, None, ANYONE, ("q",), "Why goods stand where they stand"),
    Route("GET", "/me/search", queries.SearchMine, _READ, SELF, _SEARCH, "Goods by what I type"),
    Route("GET", "/me/search/suggestions", queries.SuggestMine, _READ, SELF, ("q",), "What I may be about to type"),
    Route("GET", "/me/recent-queries", recents.MyRecentQueries, _READ, SELF, (), "What I have searched for"),
    Route("PUT", "/me/recent-queries", recents.RememberQueries, _WRITE, SELF, ("remembers",), "Have what I search for remembered, or not"),
    Route("DELETE", "/me/recent-queries", recents.ForgetQueries, _WRITE, SELF, (), "Forget what I have searched for"),
    Route("POST", "/me/recent-queries/removals", recents.ForgetQuery, _WRITE, SELF, ("text",), "Forget one thing that I have searched for"),
    Route("GET", "/orders/search", order_finding.FindMyOrders, "orders:read", SELF, _ORDERS, "The caller's orders, by words or numbers"),
    Route(
        "GET",
        "/shops/{shop_id}/orders/search",
        order_finding.FindShopOrders,
        "shop:read",
        Owner.shop("owner", "manager", "service", "packer", "finance"),
        _ORDERS,
        "A shop's orders, by words or numbers",
    ),
    Route(
        "PUT",
        "/operator/search",
        commands.SetSearch,
        "operate",
        Owner.operator(OperatorRole.ADMIN),
        ("form", "reason"),
        "Set what decides what comes first",
    ),
    Route(
        "GET",
        "/operator/search/queries",
        asked.QueriesOn,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.SERVICE, OperatorRole.ANALYST),
        ("kind", "days_ago", "most"),
        "What people search for, what more and more do, and what they do not find",
    ),
    Route(
        "GET",
        "/operator/search/changes",
        queries.SearchSettingsChanges,
        "operate",
        Owner.operator(OperatorRole.ADMIN, OperatorRole.ANALYST),
        ("after", "limit"),
        "What was set, by whom, and why",
    ),
)
