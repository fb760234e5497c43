"""One row of a route table as a function from a request to a reply."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Protocol, get_args, get_origin, get_type_hints

import msgspec
import structlog
from msgspec import Struct

from yunduan.edges.access import Access
from yunduan.edges.http.meters import Meter
from yunduan.edges.http.problems import JSON, ProblemError, Reply, problem, status_of
from yunduan.edges.http.reading import Request, check_json_type, checked_key, decoded_body, decoded_parameters, decoded_query
from yunduan.edges.papers.printing import PDF, PRINTED, Press
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import KeyRefusal, Refused, invariant
from yunduan.runtime.answers import Answered, Refusal
from yunduan.runtime.registry import Ownership, Route, answer_type

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_refusal = msgspec.json.Decoder(Refusal).decode
PREFIX = "/v1"
_KEY_CODES = frozenset(code.value for code in KeyRefusal)
_OWN = ((b"cache-control", b"no-store"),)
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Admits(Protocol):
    """Finds out who calls."""

    def __call__(self, token: bytes, origin: str) -> Actor | None:
        """The caller whose token this is, if it is anybody's."""
        ...


class Endpoint:
    """Reads one request, finds out who calls and whether they may, makes the message, hands it to the cloud."""

    def __init__(self, route: Route, cloud: Access, *, admits: Admits, press: Press | None = None) -> None:
        """Prepare everything that does not depend on the request; `press` makes what a route has `printed`."""
        self.route = route
        self.changes = issubclass(route.message, Command)
        self.has_body = route.method not in {"GET", "HEAD"}
        self.meter = Meter(route.method, PREFIX + route.path)
        self.in_path = route.in_path()
        self.path_form, self.body_form = forms(route)
        self.answer = answer_of(route)
        self._takes, self._takes_key, self._scope = route.takes, route.takes_key, route.scope
        self._cloud = cloud
        self._admits = admits
        self._message: Callable[..., Any] = route.message
        self._codes = frozenset(code.value for code in route.message.refuses)
        self._press = press if route.printed else None
        self._slow = bool(getattr(route.message, "slow", False))
        self.public = route.owner.kind is Ownership.ANYONE
        self._headers = () if self.public and not self.changes else _OWN
        self._decode = msgspec.json.Decoder(self.body_form).decode
        self._lists = frozenset(
            field.name for field in msgspec.structs.fields(self.body_form) if get_origin(plain(field.type)) in {tuple, list, set, frozenset}
        )
        self._whole, self._whole_in_path = (
            frozenset(field.name for field in msgspec.structs.fields(form) if _is_whole(field.type))
            for form in (self.body_form, self.path_form)
        )
        self._answer_decoder = msgspec.json.Decoder(answer_type(route.message)) if route.reveals else None
        invariant(self.has_body or not self.changes, f"{route.method} {route.path} changes nothing")
        invariant(not route.printed or self.answer in PRINTED, f"{route.path} answers with what can be printed")

    def begin(self, request: Request, values: Sequence[str]) -> "Reply | asyncio.Future[Any]":
        """Answer one request, or the future whose result `conclude` makes the reply of; raises what the front turns into a problem."""
        actor = self._caller(request, values)
        message = self._read(request, values) if self._takes is None else self._taken(request, values)
        if self.changes:
            key = checked_key(request.named.get(b"idempotency-key")) if self._takes_key else ""
            return self._cloud.submit(message, actor=actor, key=key)
        if self._press is not None:
            return asyncio.ensure_future(self._printed(self._press, message, actor))
        if self._slow:
            return asyncio.ensure_future(self._cloud.ask_slow(message, actor=actor))
        return self._shown(self._cloud.ask(message, actor=actor))

    def asked(self, request: Request) -> tuple[Actor, Any, bytes]:
        """Who asks, for what, and by which token, where the answer is more than a reply; raises as `begin` does."""
        actor = self._caller(request, ())
        return actor, self._read(request, ()), request.token

    def conclude(self, result: Any) -> Reply:
        """The reply to what a command was answered with, or to what a slow query has found."""
        if type(result) is Reply:
            return result
        return self._sent(result) if self.changes else self._shown(result)

    async def _printed(self, press: Press, message: Any, actor: Actor) -> Reply:
        document = await press.print(await self._cloud.ask_slow(message, actor=actor))
        name = self.route.path.rpartition("/")[2].encode()
        return Reply(200, document, PDF, (*_OWN, (b"content-disposition", b'inline; filename="%s.pdf"' % name), _NO_SNIFFING))

    def declares(self, code: str) -> bool:
        """Whether a refusal is one that the route's description lists."""
        return code in self._codes or code in _KEY_CODES

    def _caller(self, request: Request, values: Sequence[str]) -> Actor:
        if self.public:
            return Actor(origin=request.origin) if request.origin else ANONYMOUS
        actor = self._admits(request.token, request.origin) if request.token else None
        if actor is None or not actor.person:
            raise ProblemError("sign_in_first", "this needs a valid session: Authorization: Bearer …")
        if self._scope is not None and self._scope not in actor.scopes:
            raise ProblemError("scope_missing", f"this needs the scope {self._scope}")
        owner = self.route.owner
        if owner.kind is Ownership.SHOP:
            if not actor.serves(ShopId(values[self.in_path.index("shop_id")]), *owner.roles):
                raise ProblemError("role_missing", "this needs a role in this shop: " + (", ".join(owner.roles) or "any"))
        elif owner.kind is Ownership.OPERATOR and not actor.operates(*owner.roles):
            raise ProblemError("role_missing", "this needs a role among the operators: " + (", ".join(owner.roles) or "any"))
        return actor

    def _read(self, request: Request, values: Sequence[str]) -> Any:
        query, raw = request.query, request.body
        if self.has_body:
            if query:
                raise ProblemError("invalid_request", "there are no query parameters here")
            if raw:
                check_json_type(request.named.get(b"content-type", b""))
            rest = decoded_body(self._decode, raw or b"{}")
        else:
            rest = decoded_parameters(decoded_query(query, self._lists), self.body_form, self._whole)
        if not self.in_path:
            return rest
        path = decoded_parameters(dict(zip(self.in_path, values, strict=True)), self.path_form, self._whole_in_path)
        fields = {name: getattr(path, name) for name in self.in_path}
        for name in self.route.client:
            fields[name] = getattr(rest, name)
        try:
            return self._message(**fields)
        except ValueError as error:  # a message that looks at several fields at once
            raise ProblemError("invalid_request", str(error)[:512]) from error

    def _taken(self, request: Request, values: Sequence[str]) -> Any:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        path = decoded_parameters(dict(zip(self.in_path, values, strict=True)), self.path_form)
        takes: Callable[..., Any] = self._takes  # type: ignore[assignment]
        return takes({name: getattr(path, name) for name in self.in_path}, headers, request.body, self._cloud.port)

    def _shown(self, answer: Any) -> Reply:
        if self.route.reveals:
            answer = self.route.reveals(answer, self._cloud.port)
        return Reply(200, _encode(answer), JSON, self._headers)

    def _sent(self, answered: Answered) -> Reply:
        if not answered.accepted:
            stored = _refusal(answered.body)
            return problem(stored.code, stored.detail, figures=stored.figures)
        if self._answer_decoder is None:
            return Reply(200, answered.body, JSON, _OWN)
        reveals: Callable[..., Any] = self.route.reveals  # type: ignore[assignment]
        return Reply(200, _encode(reveals(self._answer_decoder.decode(answered.body), self._cloud.port)), JSON, _OWN)


def refusal_reply(refused: Refused) -> Reply:
    """A refusal as a reply."""
    return problem(refused.code.value, refused.detail, figures=refused.figures)


def plain(kind: Any) -> Any:
    """A type without its limits and its new name."""
    while True:
        if hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif hasattr(kind, "__metadata__"):
            kind = get_args(kind)[0]
        else:
            return kind


def _is_whole(kind: Any) -> bool:
    """Whether a type is a whole number, or one or nothing."""
    inner = plain(kind)
    return inner is int or {plain(part) for part in get_args(inner)} == {int, NoneType}


def forms(route: Route, apart: str = "") -> tuple[type[Struct], type[Struct]]:
    """The path's fields as a struct, and the client's; without a path the message is the client's form itself.

    `apart` tells the forms of a message's second route from those of its first.
    """
    in_path = route.in_path()
    hints = get_type_hints(route.message, include_extras=True)
    fields = {field.name: field for field in msgspec.structs.fields(route.message)}

    def form(suffix: str, names: Sequence[str]) -> type[Struct]:
        made: list[Any] = []
        for name in names:
            field = fields[name]
            if field.default is not msgspec.NODEFAULT:
                made.append((name, hints[name], field.default))
            elif field.default_factory is not msgspec.NODEFAULT:
                made.append((name, hints[name], msgspec.field(default_factory=field.default_factory)))
            else:
                made.append((name, hints[name]))
        return msgspec.defstruct(
            route.message.__name__ + suffix + apart,
            made,
            kw_only=True,
            frozen=True,
            gc=False,
            forbid_unknown_fields=True,
            module=route.message.__module__,
        )

    body = form("Body", route.client) if in_path else route.message
    return form("Path", in_path), body


def answer_of(route: Route) -> Any:
    """What a route answers with: the message's answer, or what `reveals` makes of it."""
    if route.reveals is not None:
        return get_type_hints(route.reveals, include_extras=True)["return"]
    return answer_type(route.message)


def refusals_of(route: Route) -> Mapping[str, int]:
    """Every code that a route may be refused with by its message, and its status."""
    return {code.value: status_of(code.value) for code in sorted(route.message.refuses)}
