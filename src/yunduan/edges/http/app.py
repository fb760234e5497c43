"""The web edge of a cloud: the thin front over the route tables, and the pages that a framework is good at behind it."""

from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from yunduan.backends.sandbox import Custodian, Sandbox
from yunduan.edges.access import Access
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.docs import STYLE, docs_page
from yunduan.edges.http.endpoint import Admits, Endpoint
from yunduan.edges.http.events import Streams
from yunduan.edges.http.fixed import Fixed
from yunduan.edges.http.front import Front
from yunduan.edges.http.media import media_pages
from yunduan.edges.http.meters import Meter
from yunduan.edges.http.openapi import openapi_document
from yunduan.edges.http.pages import mailbox_pages, sandbox_pages
from yunduan.edges.http.problems import problem
from yunduan.edges.http.reading import Bounds
from yunduan.edges.http.watching import Watch
from yunduan.edges.papers.printing import Press
from yunduan.runtime.settings import Settings

log = structlog.get_logger(__name__)


def application(cloud: Access, settings: Settings, *, admits: Admits, watch: Watch) -> Front:
    """The whole web edge as one ASGI application; whoever serves it starts and stops the cloud."""
    bounds = Bounds(body_bytes_max=settings.http.body_bytes_max, body_ms_max=settings.http.body_ms_max)
    press = Press()
    endpoints = [Endpoint(route, cloud, admits=admits, press=press) for route in cloud.registry.routes]
    events = next((endpoint for endpoint in endpoints if endpoint.route.streams), None)
    streams = Streams(cloud, events, admits=admits) if events else None
    elsewhere = Meter("", "elsewhere")
    rest = Litestar(
        [
            *_pages(cloud, settings),
            *_watched(watch, [*(endpoint.meter for endpoint in endpoints), elsewhere], streams),
            *mailbox_pages(cloud),
            *sandbox_pages(_sandbox(cloud, Sandbox), "sandbox"),
            *sandbox_pages(_sandbox(cloud, Custodian), "custodian"),
            *media_pages(),
        ],
        exception_handlers={HTTPException: _refused, Exception: _broken},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=bounds.body_bytes_max,
    )
    expect = admits.expect if isinstance(admits, Sessions) else None
    return Front(endpoints, rest, bounds=bounds, elsewhere=elsewhere, streams=streams, expect=expect, slow_ms=settings.log.slow_ms)


def _sandbox(cloud: Access, kind: type[Sandbox]) -> Sandbox | None:
    """The sandbox, or the custodian beside it, where the settings have one."""
    try:
        return cloud.port(kind)
    except KeyError:
        return None


def _pages(cloud: Access, settings: Settings) -> list[Any]:
    @cache
    def described() -> bytes:
        return msgspec.json.encode(openapi_document(cloud.registry, public_url=settings.public_url()))

    @cache
    def document() -> Fixed:
        return Fixed(described(), "application/json")

    @cache
    def docs() -> Fixed:
        return Fixed(docs_page(msgspec.json.decode(described())).encode(), "text/html")

    sheet = Fixed(STYLE.encode(), "text/css")

    @get("/", sync_to_thread=False)
    def start() -> Redirect:
        """The documentation is where everybody begins."""
        return Redirect("/docs", status_code=303)

    @get("/openapi.json", sync_to_thread=False)
    def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The description of everything that can be asked."""
        return document().answer(request)

    @get("/docs", sync_to_thread=False)
    def documentation(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same for people."""
        return docs().answer(request)

    @get("/docs/style.css", sync_to_thread=False)
    def style(request: Request[Any, Any, Any]) -> Response[bytes]:
        """How it looks."""
        return sheet.answer(request)

    return [start, openapi, documentation, style]


def _watched(watch: Watch, meters: list[Meter], streams: Streams | None) -> list[Any]:
    @get("/health/live", sync_to_thread=False)
    def live() -> Response[bytes]:
        """The loop answers."""
        return Response(b'{"live":true}', media_type="application/json")

    @get("/health/ready")
    async def ready() -> Response[bytes]:
        """Whether requests should be sent here."""
        found = await watch.readiness()
        status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(msgspec.json.encode(found), media_type="application/json", status_code=status)

    @get("/metrics")
    async def scrape() -> Response[bytes]:
        """Prometheus' text form."""
        return Response(await watch.metrics(meters, streams.open if streams else 0), media_type="text/plain; version=0.0.4")

    return [live, ready, scrape]


def _refused(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses, in the words of the rest."""
    codes = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
    reply = problem(codes.get(error.status_code, "invalid_request"), str(error.detail))
    headers = {"cache-control": "no-store"} | {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type.decode(), headers=headers)


def _broken(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A page that broke tells the log, not the client."""
    log.error("page_broken", exc_info=error)
    reply = problem("broken", "the program is wrong, and somebody has been told")
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type.decode())
