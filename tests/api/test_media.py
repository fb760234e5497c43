"""Pictures over HTTP: kept for ever by whoever has one, and nothing but pictures."""

import pytest

from support.asgi import Client
from yunduan.edges.pictures import picture_of, pictures

APPLE = picture_of("goods/red-apple")


def test_a_picture_is_sent_once(client: Client) -> None:
    """With its own type and a year to be kept; whoever has it is sent nothing."""
    heard = client("GET", f"/media/{APPLE}")
    assert (heard.status, heard.body) == (200, pictures()[APPLE].read_bytes())
    tag = f'"{APPLE.split(".")[1]}"'
    expected = {
        "content-type": "image/webp",
        "cache-control": "public, max-age=31536000, immutable",
        "etag": tag,
        "x-content-type-options": "nosniff",
        "content-length": str(len(heard.body)),
    }
    assert {name: heard.headers[name] for name in expected} == expected
    again = client("GET", f"/media/{APPLE}", headers={"if-none-match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert client("GET", f"/media/{APPLE}", headers={"if-none-match": '"x"'}).status == 200
    head = client("HEAD", f"/media/{APPLE}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(heard.body)))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "goods",
        "goods/",
        "goods/red-apple.webp",
        "goods/red-apple.000000000000.webp",
        f"x/../{APPLE}",
        "NOTICE.txt",
        "../pictures.py",
        "..%2fpictures.py",
        "%2e%2e/pictures.py",
        f"{APPLE}%00",
        "a" * 500,
    ],
)
def test_nothing_else_is_there(client: Client, name: str) -> None:
    """Not an old content under its name, not the notices, and not what lies beside the folder."""
    heard = client("GET", f"/media/{name}")
    assert (heard.status, heard.code, heard.headers["cache-control"]) == (404, "route_not_found", "no-store")


def test_a_picture_is_not_written(client: Client) -> None:
    """There is no other way to it than reading."""
    assert client("PUT", f"/media/{APPLE}", {}).code == "method_not_allowed"
