"""The description: valid OpenAPI 3.1, whole, and with examples that fit."""

import json
import re
import shlex
from html import unescape
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from support import shelf
from support.asgi import Client
from yunduan.cloud import DOMAINS
from yunduan.edges.http.docs import docs_page
from yunduan.edges.http.endpoint import PREFIX, answer_of, forms, plain
from yunduan.edges.http.openapi import openapi_document
from yunduan.edges.http.problems import MEANINGS, STATUS_OF, status_of
from yunduan.edges.http.samples import matching
from yunduan.kernel.refusals import KeyRefusal
from yunduan.runtime import domain as runtime
from yunduan.runtime.registry import Domain, Ownership, Registry, Route

TOY = Registry((runtime.DOMAIN, shelf.DOMAIN))
REAL = Registry(DOMAINS)
DOCUMENTS = {"toy": (TOY, openapi_document(TOY)), "real": (REAL, openapi_document(REAL, public_url="https://cloud.example"))}
OPERATIONS = [
    pytest.param(registry, document, route, id=f"{name}-{route.method}-{route.path}")
    for name, (registry, document) in DOCUMENTS.items()
    for route in registry.routes
]


def operation_of(document: Any, route: Any) -> Any:
    """Of a route."""
    return document["paths"][PREFIX + route.path][route.method.lower()]


def resolved(document: Any, schema: Any) -> Any:
    """A schema whose references can be followed."""
    return {**schema, "components": document["components"]}


def fits(document: Any, schema: Any, value: Any) -> None:
    """Fail where a value does not fit its schema."""
    errors = list(Draft202012Validator(resolved(document, schema)).iter_errors(value))
    assert not errors, errors[0].message


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_whole(name: str) -> None:
    """JSON, no reference that leads nowhere, every operation under a name of its own and a domain that is described."""
    registry, document = DOCUMENTS[name]
    text = json.dumps(document, ensure_ascii=False)
    for kind, target in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert target in document["components"][kind], target
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == len(registry.routes)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    tags = {tag["name"] for tag in document["tags"]}
    assert {operation["tags"][0] for operation in operations} == tags
    for tag in document["tags"]:
        assert tag["description"], tag["name"]
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize(("registry", "document", "route"), OPERATIONS)
def test_an_operation_says_everything(registry: Registry, document: Any, route: Any) -> None:
    """Who may, with which scope, every refusal with its status, the key where one is needed, words for people."""
    operation = operation_of(document, route)
    assert re.fullmatch(r".*[^.]", operation["summary"])  # a heading, no sentence
    assert operation["description"]
    assert operation["x-yunduan-owner"] == {"kind": route.owner.kind.value, "roles": list(route.owner.roles)}
    public = route.owner.kind is Ownership.ANYONE
    assert operation["security"] == ([] if public else [{"session": [route.scope]}])
    told = {
        (int(status), code)
        for status, response in operation["responses"].items()
        for code in resolved_response(document, response).get("content", {}).get("application/problem+json", {}).get("examples", ())
    }
    keyed = route.message in registry.commands and route.takes_key
    by_message = {code.value for code in route.message.refuses} | ({code.value for code in KeyRefusal} if keyed else set())
    assert told == {(status_of(code), code) for code in by_message | by_the_edge(route, keyed=keyed)}
    headers = [it["name"] for it in operation.get("parameters", ()) if it["in"] == "header"]
    assert headers == (["Idempotency-Key"] if keyed else ["Last-Event-ID"] if route.streams else [])


def test_every_code_is_explained_once() -> None:
    """In a sentence, wherever it is said: no two lists of codes share one, and the edge's own are all there."""
    lists = {type(code) for domain in REAL.domains for message in messages(domain) for code in message.refuses} | {KeyRefusal}
    codes = [code for each in lists for code in each]
    assert len({code.value for code in codes} | set(STATUS_OF)) == len(codes) + len(STATUS_OF)
    assert set(MEANINGS) == set(STATUS_OF)
    for meaning in [*(code.meaning for code in codes), *MEANINGS.values()]:
        assert re.fullmatch(r"[A-Z].{10,}[.]", meaning), meaning
    for response in told(DOCUMENTS["real"][1]):
        for code, example in response["content"]["application/problem+json"]["examples"].items():
            assert f"- `{code}`: {example['summary']}" in response["description"].splitlines()


def messages(domain: Domain) -> list[Any]:
    """What may be asked of a domain."""
    return [handler.handles for handler in domain.commands] + [query.answers for query in domain.queries]


def told(document: Any) -> list[Any]:
    """Every response that is a no."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    responses = [response for operation in operations for status, response in operation["responses"].items() if status != "200"]
    return [response for response in [*responses, *document["components"]["responses"].values()] if "$ref" not in response]


def by_the_edge(route: Route, *, keyed: bool) -> set[str]:
    """What the edge may say of a route, whatever its message."""
    codes = {"invalid_request", "head_too_large", "broken", "busy", "outcome_unknown"}
    if keyed:
        codes |= {"idempotency_key_missing", "idempotency_key_malformed"}
    if route.owner.kind is not Ownership.ANYONE:
        codes |= {"sign_in_first", "scope_missing"}
    if route.owner.kind in {Ownership.SHOP, Ownership.OPERATOR}:
        codes |= {"role_missing"}
    return codes if route.method == "GET" else codes | {"body_too_slow", "body_too_large", "media_type_unsupported"}


def resolved_response(document: Any, response: Any) -> Any:
    """Shared ones are written once."""
    reference = response.get("$ref")
    return document["components"]["responses"][reference.rpartition("/")[2]] if reference else response


@pytest.mark.parametrize(("registry", "document", "route"), OPERATIONS)
def test_every_example_fits(registry: Registry, document: Any, route: Any) -> None:
    """Its schema, and the type that decodes it here."""
    operation = operation_of(document, route)
    answers = operation["responses"]["200"]["content"]
    assert ("application/pdf" in answers) == route.printed
    content = answers.get("application/json")
    if content:
        fits(document, content["schema"], content["example"])
    if content and plain(answer_of(route)) is not None:
        msgspec.json.decode(msgspec.json.encode(content["example"]), type=answer_of(route))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        fits(document, body["schema"], body["example"])
        msgspec.json.decode(msgspec.json.encode(body["example"]), type=forms(route)[1])
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            fits(document, parameter["schema"], parameter["example"])
    for response in operation["responses"].values():
        for media in resolved_response(document, response).get("content", {}).values():
            for example in media.get("examples", {}).values():
                fits(document, media["schema"], example["value"])


def test_names_are_fit_for_a_generated_client() -> None:
    """No two operations are told apart by a number, and no two forms by the module that they stand in."""
    document = openapi_document(Registry(DOMAINS))
    operations = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == len(set(operations))
    assert [name for name in (*operations, *document["components"]["schemas"]) if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []


def test_the_document_is_the_same_every_time() -> None:
    """So that a client made from it changes only when something has changed."""
    assert json.dumps(openapi_document(TOY)) == json.dumps(openapi_document(TOY))


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{3}$",
        "^([A-Z]{2})?$",
        "^[^x]+$",
        r"^\d{4}-\d{2}$",
        "^(ab|cd)+$",
        "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        r"^[^\x00-\x1f]{1,80}$",
        "^a.c$",
    ],
)
@pytest.mark.parametrize("length", [0, 2])
def test_a_sample_matches_its_pattern(pattern: str, length: int) -> None:
    """Short, and the same every time."""
    text = matching(pattern, length)
    assert re.search(pattern, text)


def test_what_may_be_nothing_says_what_it_is_otherwise() -> None:
    """Its unit and its bounds are on the page, and an example of a search searches for something."""
    page = docs_page(DOCUMENTS["real"][1])
    search = page[page.index('id="op-SearchGoods"') : page.index('id="op-SearchSettingsNow"')]
    row = search[search.index("<code>price_from</code>") : search.index("<code>price_to</code>")]
    assert "Minor units." in row
    assert "0 to 1000000000000" in row
    assert "/v1/search?q=longjing" in search


def test_a_curl_of_the_page_is_read_at_a_glance_and_runs() -> None:
    """The body is indented, and what a shell makes of it is the example."""
    page = docs_page(DOCUMENTS["real"][1])
    shown = unescape(re.findall(r'<article id="op-Checkout">.*?<pre tabindex="0"><code>(.*?)</code>', page, re.DOTALL)[0])
    arguments = shlex.split(shown.replace("\\\n", " "))
    body = arguments[arguments.index("-d") + 1]
    example = operation_of(DOCUMENTS["real"][1], next(route for route in REAL.routes if route.path == "/checkouts"))["requestBody"]
    assert json.loads(body) == json.loads(json.dumps(example["content"]["application/json"]["example"]))
    assert max(len(line) for line in shown.splitlines()) < 70
    assert shown.splitlines()[-1] == '  "$CLOUD/v1/checkouts"'


def test_the_pages_are_ours_alone(client: Client) -> None:
    """No script, nothing from elsewhere, and every text escaped."""
    page = client("GET", "/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    html = page.body.decode()
    assert "<script" not in html
    assert " style=" not in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    for route in shelf.ROUTES:
        assert f'id="op-{route.message.__name__}"' in html
    for anchor in re.findall(r'href="#([^"]+)"', html):
        assert f'id="{anchor}"' in html, anchor
    style = client("GET", "/docs/style.css")
    assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in style.body.decode()
    assert client("GET", "/openapi.json").json["paths"]["/v1/books"]["get"]["operationId"] == "Shelf"
    assert (client("GET", "/").status, client("GET", "/").headers["location"]) == (303, "/docs")
