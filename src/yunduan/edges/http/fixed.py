"""What is the same for everybody until the program changes: sent compressed, and not at all to whoever has it already."""

import gzip
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from litestar import Request, Response

from yunduan.edges.http.pages import PAGE_HEADERS


class Fixed:
    """One such text; made once, and compressed once."""

    def __init__(self, body: bytes, media_type: str) -> None:
        """`media_type` is what it calls itself."""
        self._body = body
        self._packed = gzip.compress(body, mtime=0)
        self._media_type = media_type
        self._headers = PAGE_HEADERS | {
            "etag": f'W/"{sha256(body).hexdigest()[:32]}"',
            "cache-control": "no-cache",  # kept, and asked for again each time: after an upgrade nobody reads the old one
            "vary": "accept-encoding",
        }

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The text as the caller takes it; 304 and nothing else to whoever says that they have it."""
        if self._headers["etag"] in listed(request, "if-none-match"):
            return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, media_type=self._media_type, headers=self._headers)
        if "gzip" in listed(request, "accept-encoding"):
            return Response(self._packed, media_type=self._media_type, headers=self._headers | {"content-encoding": "gzip"})
        return Response(self._body, media_type=self._media_type, headers=self._headers)


def listed(request: Request[Any, Any, Any], name: str) -> set[str]:
    """What a header lists; a choice with a weight is a choice, unless it weighs nothing."""
    choices = [choice.strip().partition(";") for choice in request.headers.get(name, "").split(",")]
    return {choice.strip() for choice, _, weight in choices if weight.replace(" ", "") not in {"q=0", "q=0.0"}}
