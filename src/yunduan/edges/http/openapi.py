"""OpenAPI 3.1, generated from the route tables: parameters, bodies, answers, every refusal, who may call, examples that fit."""

import inspect
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from yunduan.edges.http import story
from yunduan.edges.http.endpoint import PREFIX, answer_of, forms
from yunduan.edges.http.problems import MEANINGS, Problem, problem, status_of
from yunduan.edges.http.reading import KEY_LENGTH_MAX
from yunduan.edges.http.samples import Samples
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import KeyRefusal, RefusalCode, invariant
from yunduan.runtime.registry import Domain, Ownership, Registry, Route

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_PROBLEM = "application/problem+json"
KEY_EXAMPLE = "0199f0c2-7a00-7000-8000-000000000001"
INTRODUCTION = """\
Everything is JSON over HTTP under `/v1`.

- **Money** is whole minor units with a currency: `{"amount": 1999, "currency": "CNY"}` is 19.99 yuan.
- **Ids** are prefixed and sort by time: `ord_…`. Somebody else's record is answered like an absent one, with 404.
- **A record's own id** is `id`; another record's is `order_id`, `shop_id`, `payer_id`. \
A change answers with the record that it has made or changed.
- **Lists** are `{"items": […]}`. One in pages takes `limit` and answers with `after`: send that to go on; \
it is `null` at the end.
- **Times** are milliseconds since 1970, UTC.
- **Changes** take the header `Idempotency-Key` (a UUIDv7 of your own). Sent again with the same key, a change is answered as the \
first time and happens once; refusals are kept too, but for those that end by themselves (403, 429). The same key with other content is \
refused with 409.
- **Refusals** are `application/problem+json` (RFC 9457) with a stable `code`; `figures` hold what is needed to ask again.
- **Sign in** by a code sent to a phone or an e-mail address; then send `Authorization: Bearer …`.
- **503** means that the machine cannot now: wait for `Retry-After` seconds and send the same key again.
"""
_SHARED: dict[str, tuple[int, tuple[str, ...]]] = {
    "BadRequest": (400, ("invalid_request",)),
    "BadChange": (400, ("invalid_request", "idempotency_key_missing", "idempotency_key_malformed")),
    "SignInFirst": (401, ("sign_in_first",)),
    "MissingScope": (403, ("scope_missing",)),
    "MissingRole": (403, ("scope_missing", "role_missing")),
    "BodyTooSlow": (408, ("body_too_slow",)),
    "BodyTooLarge": (413, ("body_too_large",)),
    "MediaTypeUnsupported": (415, ("media_type_unsupported",)),
    "HeadTooLarge": (431, ("head_too_large",)),
    "Broken": (500, ("broken",)),
    "Unavailable": (503, ("busy", "outcome_unknown")),
}
"""What is said of many operations, and described once."""


def openapi_document(registry: Registry, *, public_url: str = "") -> dict[str, Any]:
    """The whole description."""
    described = list(_described(registry))
    types = [kind for it in described for kind in (it.path_form, it.body_form, it.answer)]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    hidden: set[str] = set()
    samples = Samples(components)
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for place, it in enumerate(described):
        path_schema, body_schema, answer_schema = schemas[3 * place : 3 * place + 3]
        hidden.add(_name(path_schema))
        if not it.has_body:
            hidden.add(_name(body_schema))
        builder = _Operation(it, components, samples)
        operation = builder.build(path_schema, body_schema, answer_schema)
        if operation["operationId"] in names:  # its second route is for operators
            operation["operationId"] += "ByOperator"
        invariant(operation["operationId"] not in names, f"{operation['operationId']} is one operation")
        names.add(operation["operationId"])
        paths.setdefault(PREFIX + it.route.path, {})[it.route.method.lower()] = operation
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Yunduan",
            "version": version("yunduan"),
            "summary": "An open mobile-commerce cloud.",
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url or "/"}],
        "tags": [{"name": d.name, "description": _domain_text(d)} for d in registry.domains if d.routes],
        "paths": paths,
        "components": {
            "schemas": {},
            "responses": {name: _problems(status, _told(codes)) for name, (status, codes) in _SHARED.items()},
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "description": "The token that opening a session has answered with."}
            },
        },
    }
    used = _reached(document, components)
    document["components"]["schemas"] = {name: components[name] for name in sorted(components) if name in used and name not in hidden}
    return document


class _Described(Struct, frozen=True):
    """A route with its forms."""

    domain: Domain
    route: Route
    path_form: type[Struct]
    body_form: type[Struct]

    @property
    def has_body(self) -> bool:
        return self.route.method not in {"GET", "HEAD"}

    @property
    def keyed(self) -> bool:
        return issubclass(self.route.message, Command) and self.route.takes_key

    @property
    def answer(self) -> Any:
        return answer_of(self.route)


def _described(registry: Registry) -> Iterator[_Described]:
    seen: dict[type, int] = {}
    for domain in registry.domains:
        for route in domain.routes:
            number = seen[route.message] = seen.get(route.message, 0) + 1
            yield _Described(domain, route, *forms(route, "ByOperator" if number > 1 else ""))


class _Operation:
    """Builds the description of one route."""

    def __init__(self, it: _Described, components: Mapping[str, Any], samples: Samples) -> None:
        self._it = it
        self._components = components
        self._samples = samples

    def build(self, path: dict[str, Any], body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        route = self._it.route
        public = route.owner.kind is Ownership.ANYONE
        text = inspect.getdoc(route.message) or ""
        operation: dict[str, Any] = {
            "operationId": route.message.__name__,
            "tags": [self._it.domain.name],
            "summary": route.summary or " ".join(text.split("\n\n")[0].split()).removesuffix("."),
            "description": text,
            "security": [] if public else [{"session": [route.scope]}],
            "x-yunduan-owner": {"kind": route.owner.kind.value, "roles": list(route.owner.roles)},
        }
        parameters = [*self._parameters(path, "path"), *([] if self._it.has_body else self._parameters(body, "query"))]
        if self._it.keyed:
            parameters.append(_key_parameter())
        if route.streams:
            parameters.append(_LAST_EVENT)
        if parameters:
            operation["parameters"] = parameters
        if self._it.has_body:
            self._add_body(operation, body)
        operation["responses"] = self._responses(answer)
        return operation

    def _add_body(self, operation: dict[str, Any], body: dict[str, Any]) -> None:
        if self._it.route.takes is not None:
            operation["requestBody"] = {"required": True, "content": {"*/*": {"schema": {}}}}
        elif self._it.route.client:
            required = bool(self._resolved(body).get("required"))
            content = {"schema": body, "example": self._samples.of(body)}
            operation["requestBody"] = {"required": required, "content": {_JSON: content}}

    def _parameters(self, form: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
        schema = self._resolved(form)
        for name, field in schema.get("properties", {}).items():
            required = where == "path" or name in schema.get("required", ())
            parameter = {"name": name, "in": where, "required": required, "schema": field}
            if description := self._resolved(field).get("description"):
                parameter["description"] = description
            if field.get("type") == "array":
                parameter |= {"style": "form", "explode": False}
            if required or field.get("examples"):
                parameter["example"] = self._samples.of(field, name=name, form=self._it.route.message.__name__)
            yield parameter

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        return self._components[reference.rpartition("/")[2]] if reference else schema

    def _responses(self, answer: dict[str, Any]) -> dict[str, Any]:
        route = self._it.route
        example = _otherwise(self._samples.of(answer), story.ANSWERS.get(route.message.__name__, {}))
        good: dict[str, Any] = {"description": "Done.", "content": {_JSON: {"schema": answer, "example": example}}}
        if route.printed:
            good["content"] = {"application/pdf": {"schema": {"type": "string", "contentMediaType": "application/pdf"}}}
        if route.streams:
            good["content"]["text/event-stream"] = {"schema": {"type": "string"}, "example": 'id: 7\nevent: notice\ndata: {"number":7}\n\n'}
        responses: dict[str, Any] = {"200": good, **{str(_SHARED[name][0]): _shared_ref(name) for name in self._shared()}}
        said = {_SHARED[name][0]: _told(_SHARED[name][1]) for name in self._shared()}
        codes: list[RefusalCode] = sorted({*route.message.refuses, *(KeyRefusal if self._it.keyed else ())})
        for status in sorted({status_of(code.value) for code in codes}):
            own = {code.value: code.meaning for code in codes if status_of(code.value) == status}
            responses[str(status)] = _problems(status, said.get(status, {}) | own)
        return dict(sorted(responses.items()))

    def _shared(self) -> Iterator[str]:
        """What the edge may say of this route, before or after its message."""
        kind = self._it.route.owner.kind
        yield "BadChange" if self._it.keyed else "BadRequest"
        if kind is not Ownership.ANYONE:
            yield "SignInFirst"
            yield "MissingRole" if kind in {Ownership.SHOP, Ownership.OPERATOR} else "MissingScope"
        if self._it.has_body:
            yield from ("BodyTooSlow", "BodyTooLarge", "MediaTypeUnsupported")
        yield from ("HeadTooLarge", "Broken", "Unavailable")


def _otherwise(example: Any, differs: Mapping[str, Any]) -> Any:
    """The answer's example, or each line of it, with what differs from the same form elsewhere."""
    if isinstance(example, list):
        return [_otherwise(line, differs) for line in example]
    return example | differs if differs else example


_LAST_EVENT: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "Of a stream (`Accept: text/event-stream`): the id of the last event that came; the stream begins with the next.",
    "schema": {"type": "string"},
}


def _key_parameter() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Your own name for this change; sent again, it happens once. A UUIDv7 is best.",
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": "^[!-~]{1,255}$"},
        "example": KEY_EXAMPLE,
    }


def _told(codes: tuple[str, ...]) -> dict[str, str]:
    """The edge's own codes with what they mean."""
    return {code: MEANINGS[code] for code in codes}


def _problems(status: int, told: dict[str, str]) -> dict[str, Any]:
    """A response that is one of these codes, each with what it means."""
    examples = {code: {"summary": meaning, "value": msgspec.json.decode(problem(code).body)} for code, meaning in told.items()}
    response: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {meaning}" for code, meaning in told.items()),
        "content": {_PROBLEM: {"schema": {"$ref": _REF.format(name="Problem")}, "examples": examples}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return response


def _shared_ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{name}"}


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _domain_text(domain: Domain) -> str:
    module = __import__(domain.package, fromlist=["__doc__"])
    return " ".join((module.__doc__ or "").split("\n\n")[0].split())


def _reached(part: Any, components: Mapping[str, Any]) -> set[str]:
    """The components that a part of the document refers to, those that they refer to included."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        at = waiting.pop()
        if isinstance(at, Mapping):
            name = str(at.get("$ref", ""))
            if name.startswith("#/components/schemas/"):
                name = name.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    waiting.append(components[name])
            waiting.extend(at.values())
        elif isinstance(at, list):
            waiting.extend(at)
    return found
