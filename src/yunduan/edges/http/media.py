"""Sends pictures: kept for a year by whoever has one, since a name stands for one content for ever."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from yunduan.edges.http.fixed import listed
from yunduan.edges.http.pages import PAGE_HEADERS
from yunduan.edges.pictures import MEDIA_TYPES, pictures

KEPT = "public, max-age=31536000, immutable"


def media_pages() -> list[Any]:
    """Where a goods' `picture` is found: under `/media/`."""

    @get("/media/{name:path}", sync_to_thread=False)
    def picture(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The picture of a name; 304 and nothing else to whoever says that they have it."""
        file = pictures().get(request.path_params["name"].removeprefix("/"))
        if file is None:
            raise NotFoundException("there is no such picture")
        tag = f'"{file.name.split(".")[-2]}"'
        headers = PAGE_HEADERS | {"etag": tag, "cache-control": KEPT}
        media_type = MEDIA_TYPES[file.suffix]
        if tag in listed(request, "if-none-match"):
            return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, media_type=media_type, headers=headers)
        return Response(file.read_bytes(), media_type=media_type, headers=headers)

    return [picture]
