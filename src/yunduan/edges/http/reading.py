"""Reads what a client has sent, within bounds: bodies, queries and headers from outside are hostile until decoded."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from yunduan.edges.http.problems import PlaceInRequest, ProblemError
from yunduan.edges.http.wording import plainly

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
CLOSE = ((b"connection", b"close"),)
KEY_LENGTH_MAX = 255
TOKEN_LENGTH_MAX = 512
PARAMETERS_MAX = 32
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_VALUE = re.compile(r"(Invalid (?:enum )?value) .*", re.DOTALL)
_FIELD = re.compile(r"(?:required|unknown) field `([^`]*)`")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_ONCE = (b"authorization", b"idempotency-key")
"""Two of them are nobody's, and no key."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_JSON_TYPE = re.compile(rb"application/(?:json|[a-z0-9.!#$&^_-]+\+json)\s*(?:;.*)?", re.IGNORECASE)


class Request:
    """One request as it has come, whole: `path` with its escapes undone, header names in lower case, `origin` the caller's address.

    `named` has the headers by their names, the last of each; of those that may come only once nothing is left where two have come.
    `token` is what it shows to say who calls, if that has a form that a token could have.
    """

    __slots__ = ("body", "headers", "method", "named", "origin", "path", "query", "token")

    def __init__(self, method: str, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]], origin: str, body: bytes) -> None:
        """Nothing of it has been believed yet."""
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.named = dict(headers)
        if len(self.named) < len(headers):
            _refuse_second(self.named, headers)
        shown = self.named.get(b"authorization", b"")
        self.token = shown[7:] if shown[:7].lower() == b"bearer " and len(shown) <= TOKEN_LENGTH_MAX else b""
        self.origin = origin
        self.body = body


def _refuse_second(named: dict[bytes, bytes], headers: Sequence[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            named[name] = b""


class _TwiceError(Exception):
    """An object has a name twice: two readers of it would not agree."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for place, name in enumerate(names) if name in names[:place]))
    return made


_unambiguous = json.JSONDecoder(object_pairs_hook=_each_once).decode
_loose = msgspec.json.Decoder().decode
_terse = msgspec.json.Encoder().encode


def _is_terse(raw: bytes) -> bool:
    """Whether JSON is as we write it ourselves, which most programs do: then no name is in it twice, and that is known in half the time."""
    return _terse(_loose(raw)) == raw


class GoneError(Exception):
    """The client has hung up before it had asked anything."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How large a body may be and how long it may take."""

    body_bytes_max: int = 65_536
    body_ms_max: int = 10_000


def announces_too_much(headers: Sequence[tuple[bytes, bytes]], bounds: Bounds) -> bool:
    """Whether a request says itself that its body is larger than it may be."""
    return any(name == b"content-length" and exceeds(value, bounds.body_bytes_max) for name, value in headers)


def exceeds(length: bytes, most: int) -> bool:
    """Whether a length, as a header has it, is none or is more than that."""
    return not length.isdigit() or len(length) > 12 or int(length) > most


def too_large(bounds: Bounds) -> ProblemError:
    """What a body that is too large is answered with."""
    return ProblemError("body_too_large", f"at most {bounds.body_bytes_max} bytes", headers=CLOSE)


def too_slow(bounds: Bounds) -> ProblemError:
    """What a body that does not come is answered with."""
    return ProblemError("body_too_slow", f"a body must arrive within {bounds.body_ms_max} ms", headers=CLOSE)


async def read_body(receive: Receive, headers: Sequence[tuple[bytes, bytes]], bounds: Bounds) -> bytes:
    """The body, all of it; raises a problem when it is too large or too slow, and `GoneError` when nobody is there any more."""
    if announces_too_much(headers, bounds):
        raise too_large(bounds)
    try:
        async with asyncio.timeout(bounds.body_ms_max / 1000):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                body = await _read_on(receive, body, bounds)
    except TimeoutError:
        raise too_slow(bounds) from None
    if len(body) > bounds.body_bytes_max:
        raise too_large(bounds)
    return body


async def _read_on(receive: Receive, begun: bytes, bounds: Bounds) -> bytes:
    parts, size = [begun], len(begun)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bounds.body_bytes_max:
            raise too_large(bounds)
        if not message.get("more_body"):
            return b"".join(parts)


def check_json_type(content_type: bytes) -> None:
    """Refuse a body that does not call itself JSON."""
    if content_type != b"application/json" and not _JSON_TYPE.fullmatch(content_type):
        raise ProblemError("media_type_unsupported", "send the body as application/json")


def decoded_body(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    """The body in its form; refuses what is not JSON, has a name twice, or holds what no store can keep."""
    try:
        body = decode(raw)
        if raw.count(b":") > 1 and not _is_terse(raw):
            _unambiguous(raw.decode())
    except _TwiceError as error:
        place = PlaceInRequest(detail="given twice", pointer=f"/{error.args[0][:64]}")
        raise ProblemError("invalid_request", "a name is given twice", place=place) from error
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(
            "invalid_request", f"the body is not JSON: {error}", place=PlaceInRequest(detail="not JSON", pointer="")
        ) from error
    except RecursionError as error:
        raise ProblemError("invalid_request", "the body is too deep", place=PlaceInRequest(detail="too deep", pointer="")) from error
    if b"\\u0000" in raw and _holds_nul(json.loads(raw)):
        raise ProblemError("invalid_request", "a text holds a NUL", place=PlaceInRequest(detail="a text holds a NUL", pointer=""))
    return body


def decoded_query(query: bytes, lists: frozenset[str]) -> dict[str, Any]:
    """The parameters of a query string, each at most once; those in `lists` are divided at commas."""
    found: dict[str, Any] = {}
    if not query:
        return found
    parts = query.split(b"&")
    if len(parts) > PARAMETERS_MAX:
        raise ProblemError("invalid_request", f"at most {PARAMETERS_MAX} parameters")
    for part in parts:
        raw_name, _, raw_value = part.partition(b"=")
        name, value = _text(raw_name), _text(raw_value)
        if name in found:
            raise ProblemError(
                "invalid_request", "a parameter is given twice", place=PlaceInRequest(detail="given twice", parameter=name[:64])
            )
        found[name] = value.split(",") if name in lists else value
    return found


def decoded_parameters(given: Mapping[str, Any], form: Any, whole: frozenset[str] = frozenset()) -> Any:
    """Texts from the path or the query in their form, limits included; those in `whole` are written in digits alone, not `1e3`."""
    for name in whole:
        if name in given and not _WHOLE.fullmatch(given[name]):
            raise ProblemError(
                "invalid_request", "a whole number is expected", place=PlaceInRequest(detail="not a whole number", parameter=name)
            )
    try:
        return msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error, in_body=False) from error


def checked_key(key: bytes | None) -> str:
    """The idempotency key: 1 to 255 printable characters."""
    if key is None:
        raise ProblemError(
            "idempotency_key_missing",
            "a change needs the header Idempotency-Key, so that it can be sent again safely",
            place=PlaceInRequest(detail="missing", header="Idempotency-Key"),
        )
    text = key.decode("latin-1")
    if not _KEY.fullmatch(text):
        raise ProblemError(
            "idempotency_key_malformed",
            f"1 to {KEY_LENGTH_MAX} printable ASCII characters without spaces",
            place=PlaceInRequest(detail="malformed", header="Idempotency-Key"),
        )
    return text


def invalid(error: msgspec.ValidationError, *, in_body: bool = True) -> ProblemError:
    """What does not fit, and where, in the decoder's own words less the value that the client has sent."""
    said, _, at = str(error).rpartition(" - at `") if " - at `" in str(error) else (str(error), "", "")
    says = _VALUE.sub(r"\1", said)[:512]
    steps = [name or index for name, index in _STEP.findall(at.rstrip("`"))]
    if field := _FIELD.search(says):
        steps.append(field[1])
    says = plainly(says, next((step for step in reversed(steps) if not step.isdigit()), ""))
    if in_body:
        place = PlaceInRequest(detail=says, pointer="".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)[:256])
    else:
        place = PlaceInRequest(detail=says, parameter=".".join(steps)[:64])
    return ProblemError("invalid_request", says, place=place)


def _text(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ProblemError("invalid_request", "the query is not UTF-8") from None
    if "\0" in text:
        raise ProblemError("invalid_request", "a parameter holds a NUL")
    return text


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_holds_nul(inner) for inner in value)
