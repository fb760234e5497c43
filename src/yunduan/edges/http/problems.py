"""Every no in the form of RFC 9457, with a stable code."""

import time
from math import ceil
from typing import Any

import msgspec
from msgspec import Raw, Struct

from yunduan.kernel.refusals import NOT_ALLOWED, TOO_OFTEN

_encode = msgspec.json.Encoder().encode
JSON = b"application/json"
PROBLEM = b"application/problem+json"
RETRY_AFTER_S_MAX = 86_400
TYPE_PREFIX = "urn:yunduan:"
Headers = tuple[tuple[bytes, bytes], ...]

STATUS_OF: dict[str, int] = {
    "invalid_request": 400,
    "idempotency_key_missing": 400,
    "idempotency_key_malformed": 400,
    "sign_in_first": 401,
    "scope_missing": 403,
    "role_missing": 403,
    "route_not_found": 404,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "body_too_large": 413,
    "media_type_unsupported": 415,
    "head_too_large": 431,
    "broken": 500,
    "busy": 503,
    "outcome_unknown": 503,
}
"""What the edge itself says, whatever the message."""
MEANINGS: dict[str, str] = {
    "invalid_request": "The request is not of the documented form; `errors` say what is wrong, and where.",
    "idempotency_key_missing": "A change is sent with a key of its own, so that it can be sent again safely.",
    "idempotency_key_malformed": "A key is 1 to 255 printable ASCII characters without spaces.",
    "sign_in_first": "There is no valid session.",
    "scope_missing": "The session may not be used for this.",
    "role_missing": "The caller has none of the roles that this needs.",
    "route_not_found": "There is nothing at this path.",
    "method_not_allowed": "What is at this path is not reached by this method; the header `Allow` names those that reach it.",
    "body_too_slow": "The body took too long to arrive.",
    "body_too_large": "The body is too large.",
    "media_type_unsupported": "The body does not call itself JSON.",
    "head_too_large": "The request's line and headers are too large.",
    "broken": "The program is wrong; nothing was changed, and somebody has been told: `request_id` finds it in the log.",
    "busy": "Too much is being asked right now; nothing was begun, and the same key may be sent again.",
    "outcome_unknown": "The machine failed; it may or may not have happened, and only the same key, sent again, tells.",
}
"""What that means."""


class PlaceInRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What in a request does not fit, and where: in the body (a JSON pointer), the query, the path or a header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A no (RFC 9457). `code` is stable; `figures` are what the caller needs to ask again, such as the new total."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    figures: Any = None
    errors: tuple[PlaceInRequest, ...] = ()
    request_id: str = ""


class Reply(Struct, frozen=True, gc=False):
    """What goes back."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: Headers = ()


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, code: str, detail: str = "", *, place: PlaceInRequest | None = None, headers: Headers = ()) -> None:
        """Say no by one of the edge's own codes."""
        super().__init__(code, detail)
        self.reply = problem(code, detail, errors=(place,) if place else (), headers=headers)


def status_of(code: str) -> int:
    """The status of a refusal, by its code alone: whoever may not 403, what is absent 404, what is too often 429, every other no 409."""
    if code in STATUS_OF:
        return STATUS_OF[code]
    if code == NOT_ALLOWED:
        return 403
    if code.endswith("_not_found"):
        return 404
    return 429 if code.startswith(TOO_OFTEN) else 409


def problem(
    code: str,
    detail: str = "",
    *,
    figures: Any = None,
    errors: tuple[PlaceInRequest, ...] = (),
    request_id: str = "",
    headers: Headers = (),
) -> Reply:
    """A no as a reply."""
    status = status_of(code)
    says = Problem(
        type=TYPE_PREFIX + code,
        title=code.replace("_", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        figures=figures,
        errors=errors,
        request_id=request_id,
    )
    if status in (429, 503):
        headers = (*headers, (b"retry-after", _retry_after(figures)))
    if status == 401:
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    return Reply(status, _encode(says), PROBLEM, headers)


def _retry_after(figures: Any) -> bytes:
    """How many seconds a refusal asks to wait: until `again_at` of its figures (milliseconds since 1970); else one."""
    if isinstance(figures, Raw):
        figures = msgspec.json.decode(figures)
    again_at = figures.get("again_at") if isinstance(figures, dict) else getattr(figures, "again_at", None)
    if not isinstance(again_at, int):
        return b"1"
    return b"%d" % min(RETRY_AFTER_S_MAX, max(1, ceil(again_at / 1000 - time.time())))
