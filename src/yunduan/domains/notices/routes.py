"""Where notices are reached, and by whom."""

from yunduan.domains.notices import commands, queries
from yunduan.runtime.registry import ANYONE, SELF, Route

_READ, _WRITE = "notices:read", "notices:write"

ROUTES = (
    Route("GET", "/me/notices", queries.MyNotices, _READ, SELF, ("after", "limit"), "What I was told"),
    Route("POST", "/me/notices/read", commands.ReadNotices, _WRITE, SELF, ("through",), "Have read them up to one"),
    Route("GET", "/me/notices/preferences", queries.MyPreferences, _READ, SELF, summary="How I am told things"),
    Route("PUT", "/me/notices/preferences/{kind}", commands.ChooseWays, _WRITE, SELF, ("ways",), "Be told things of one kind otherwise"),
    Route("PUT", "/me/notices/quiet-hours", commands.SetQuietHours, _WRITE, SELF, ("begins", "ends"), "When no letter leaves"),
    Route(
        "GET",
        "/events",
        queries.NoticesAfter,
        _READ,
        SELF,
        ("after", "limit"),
        "What I was told since, or am told from now on",
        streams=True,
    ),
    Route("GET", "/development/letters", queries.NoticeMailbox, None, ANYONE, summary="The last letters about notices, in development"),
)
