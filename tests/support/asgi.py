"""An ASGI client that sends what it is told, byte for byte, and raises nothing of its own."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

_keys = count(1)


class Heard(Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        assert self.json["type"] == "urn:yunduan:" + self.json["code"]
        return str(self.json["code"])


async def call(
    application: Callable[..., Any],
    method: str,
    target: str,
    *,
    body: bytes | Iterable[bytes] = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    client: tuple[str, int] = ("198.51.100.7", 4711),
) -> Heard:
    """One request; several pieces of a body come as several messages."""
    path, _, query = target.partition("?")
    pieces = [body] if isinstance(body, bytes) else list(body)
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "root_path": "",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": client,
        "state": {},
    }
    waiting = [{"type": "http.request", "body": piece, "more_body": place < len(pieces) - 1} for place, piece in enumerate(pieces)]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start = sent[0]
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    return Heard(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, answer)


class Client:
    """Calls one application with one token, giving each change a key of its own unless told otherwise."""

    def __init__(self, application: Callable[..., Any], run: Callable[..., Any], token: str = "") -> None:
        """By `run`, which runs a coroutine to its end."""
        self._application = application
        self._run = run
        self._token = token

    def as_(self, token: str) -> "Client":
        """The same, with another token."""
        return Client(self._application, self._run, token)

    def __call__(
        self,
        method: str,
        target: str,
        json: Any = None,
        *,
        body: Any = None,
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """One request."""
        given = dict(headers or {})
        if self._token:
            given.setdefault("authorization", f"Bearer {self._token}")
        if method not in {"GET", "HEAD", "OPTIONS"} and key is not None:
            given.setdefault("idempotency-key", key or f"key-{next(_keys)}")
        content = body if body is not None else b"" if json is None else msgspec.json.encode(json)
        if content:
            given.setdefault("content-type", "application/json")
        heard: Heard = self._run(call(self._application, method, target, body=content, headers=given))
        return heard
