"""Two pages for development: the mailbox that codes are sent to, and the page on which the sandbox's payers decide."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, Response, get, post

from yunduan.backends.sandbox import Page, Said, Sandbox
from yunduan.domains.identity.model import Letter
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.notices.model import NoticeLetter
from yunduan.domains.notices.queries import NoticeMailbox
from yunduan.edges.access import Access
from yunduan.kernel.ids import LetterId
from yunduan.kernel.refusals import Refused

PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_SAID = {
    Said.WAITING: "It waits for you.",
    Said.PROCESSING: "Paid. The money is on its way to the channel, and the shop hears when it is there; you can close this page.",
    Said.CAPTURED: "Paid. The shop hears of it; you can close this page.",
    Said.DECLINED: "Declined. Nothing was paid.",
    Said.EXPIRED: "Too late: nothing was paid.",
}


def mailbox_pages(cloud: Access) -> list[Any]:
    """The last letters for people to read; absent where the settings do not say that this is a place for development."""

    @get("/development/mailbox", sync_to_thread=False)
    def mailbox() -> Response[Any]:
        """The newest first."""
        try:
            letters = (*cloud.ask(Mailbox()).items, *map(_as_letter, cloud.ask(NoticeMailbox()).items))
        except Refused as refused:
            return absent_page("No mailbox", refused.code.meaning)
        return page_response("Mailbox", _letters(sorted(letters, key=lambda letter: letter.at, reverse=True)))

    return [mailbox] if {Mailbox, NoticeMailbox} <= cloud.registry.queries.keys() else []


def sandbox_pages(sandbox: Sandbox | None, name: str) -> list[Any]:
    """Where a payer approves or declines a charge of a sandbox by this name; absent without it."""
    if sandbox is None:
        return []

    def said(request: Request[Any, Any, Any]) -> dict[str, str]:
        return _fields(request.scope["query_string"], most=10)

    @get(f"/{name}/pay", sync_to_thread=False)
    def pay(request: Request[Any, Any, Any]) -> Response[Any]:
        """What is to be paid, and to whom."""
        return _payment(sandbox.page(said(request)), request, name)

    @post(f"/{name}/pay", status_code=200)
    async def decide(request: Request[Any, Any, Any]) -> Response[Any]:
        """The first decision stands; the address is signed, so nothing else has to be proved."""
        decision = _fields(await request.body(), most=2).get("decision")
        if decision not in {"approve", "decline"}:
            return _payment(sandbox.page(said(request)), request, name)
        return _payment(sandbox.decide(said(request), approve=decision == "approve"), request, name)

    return [pay, decide]


def _fields(raw: bytes, *, most: int) -> dict[str, str]:
    """The fields of a form or a query; none where there are more than our own pages send."""
    if raw.count(b"&") >= most:
        return {}
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))


def page_response(title: str, inside: str, *, status: HTTPStatus = HTTPStatus.OK) -> Response[Any]:
    """A page in the style of the documentation, which nobody keeps."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/docs/style.css">'
        f"<title>{escape(title)}</title></head>"
        f'<body class="narrow"><main><h1>{escape(title)}</h1>{inside}</main></body></html>'
    )
    return Response(html.encode(), status_code=status, media_type="text/html", headers=PAGE_HEADERS | {"cache-control": "no-store"})


def absent_page(title: str, text: str) -> Response[Any]:
    """That there is nothing, for somebody with a browser."""
    return page_response(title, f'<p class="lead">{escape(text)}</p>', status=HTTPStatus.NOT_FOUND)


def _as_letter(letter: NoticeLetter) -> Letter:
    """A letter about a notice, as codes are shown."""
    text = f"{letter.title}\n{letter.text}"
    return Letter(
        id=LetterId(letter.id),
        contact=letter.contact,
        text=text,
        code="",
        language=letter.language,
        at=letter.at,
        is_sent=True,
    )


def _letters(letters: Sequence[Letter]) -> str:
    if not letters:
        return '<p class="lead">Nothing has been sent yet.</p>'
    rows = "".join(
        f"<article><h3>{escape(letter.contact)}</h3><p>{_with_code(letter)}</p>"
        f'<p class="limits">{datetime.fromtimestamp(letter.at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC</p></article>'
        for letter in letters
    )
    return f'<p class="lead">What phones and e-mail addresses would have received, the newest first.</p>{rows}'


def _with_code(letter: Letter) -> str:
    return escape(letter.text).replace(code := escape(letter.code), f"<strong>{code}</strong>") if letter.code else escape(letter.text)


def _payment(page: Page | None, request: Request[Any, Any, Any], name: str) -> Response[Any]:
    if page is None:
        return absent_page(
            "No payment", "The channel did not make this address, or somebody has changed it. Nothing was paid: begin again at the shop."
        )
    until = f"{datetime.fromtimestamp(page.due / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    query = escape(request.scope["query_string"].decode("latin-1"))
    form = (
        f'<form method="post" action="/{name}/pay?{query}"><button name="decision" value="approve">Pay {escape(str(page.amount))}</button>'
        f'<button class="second" name="decision" value="decline">Decline</button></form><p class="limits">Open until {until}.</p>'
    )
    inside = (
        f'<article><p class="sum">{escape(str(page.amount))}</p><p>to <strong>{escape(page.merchant)}</strong></p>'
        f"<p>{_SAID.get(page.state, escape(page.state))}</p>{form if page.state is Said.WAITING else ''}"
        f'<p class="limits"><code>{escape(page.reference)}</code></p></article><p class="lead">A sandbox: no money moves here.</p>'
    )
    return page_response("Payment", inside)
