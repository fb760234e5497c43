"""What search shows to the composition root."""

from yunduan.domains.search import asked, commands, facts, order_finding, queries, recents
from yunduan.domains.search.routes import ROUTES
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="search",
    package="yunduan.domains.search",
    commands=(
        commands.set_search,
        asked.note_queries,
        recents.remember_queries,
        recents.forget_query,
        recents.forget_queries_of_one,
    ),
    queries=(
        queries.search_goods,
        queries.suggest_words,
        queries.search_mine,
        queries.suggest_mine,
        recents.my_recent_queries,
        queries.explain_place,
        queries.search_settings_now,
        queries.search_settings_changes,
        asked.queries_on,
        asked.popular_queries,
        order_finding.find_my_orders,
        order_finding.find_shop_orders,
    ),
    facts=(facts.SearchSettingsChanged, facts.QueriesNoted),
    followers=recents.FOLLOWERS,
    routes=ROUTES,
    jobs=asked.JOBS,
)
