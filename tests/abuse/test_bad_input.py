"""Every operation against the corpus, one field spoilt at a time: a clear no with a stable code, nothing changed, no 5xx."""

import json
from typing import Any

import jsonschema_rs
import pytest

from abuse.corpus import DEEP, FRAGMENTS, MARKS, WORDS, at, places, spoilt, strict, twice, whole, without
from abuse.scenes import ASKED_BY_BODY, CHANGES, DOCUMENT, READS, REGISTRY, ROUTES, Request, Scene, Stage, encoded, headers
from support.asgi import Heard
from yunduan.edges.http.problems import STATUS_OF, status_of
from yunduan.runtime.registry import Ownership

WITH_BODIES = tuple(name for name in CHANGES if "requestBody" in DOCUMENT["paths"]["/v1" + ROUTES[name].path][ROUTES[name].method.lower()])
WITH_NAMES = tuple(name for name in ROUTES if ROUTES[name].in_path())
BODY_BYTES_MAX = 65_536
OF_MANY_LINES = {"description", "description_en", "about", "about_en", "text", "reason"}
OF_THE_CHANNEL = {"POST /channels/{channel}/notifications"}


def operation(name: str) -> Any:
    """Its description."""
    return DOCUMENT["paths"]["/v1" + ROUTES[name].path][ROUTES[name].method.lower()]


def form(name: str) -> Any:
    """What checks a body against the description."""
    schema = operation(name)["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def fits(validator: Any, raw: bytes) -> bool:
    """Whether a body is what the description asks for."""
    try:
        body = strict(raw or b"{}")  # no body at all says nothing, as an empty object does
    except (ValueError, RecursionError):
        return False
    return len(raw) <= BODY_BYTES_MAX and whole(body) and bool(validator.is_valid(body))


def refusals(name: str) -> set[str]:
    """Every code that an operation may be refused with."""
    return {code.value for code in ROUTES[name].message.refuses} | set(STATUS_OF) | {"idempotency_key_reused", "idempotency_key_spent"}


def assert_clear_no(name: str, heard: Heard, sent: object) -> None:
    """A problem document with a code that is declared and the status that goes with it, never ours to blame."""
    assert 400 <= heard.status < 500, (name, sent, heard)
    assert heard.code in refusals(name), (name, sent, heard)
    assert heard.status == status_of(heard.code)
    assert len(heard.body) < 4096, (name, sent, "a no does not repeat what was sent")


def assert_no_fault(name: str, heard: Heard, sent: object) -> None:
    """Done, or a clear no."""
    if heard.status != 200:
        assert_clear_no(name, heard, sent)


def shown(raw: bytes) -> bytes:
    """The beginning and the end of what was sent."""
    return raw if len(raw) < 400 else raw[:200] + b" ... " + raw[-200:]


@pytest.mark.parametrize("name", WITH_BODIES)
def test_one_bad_field_is_refused_and_changes_nothing(stage: Stage, name: str) -> None:
    """Whatever the description does not allow; with the field as it was the same request is then carried out."""
    scene, validator = stage.scene(name), form(name)
    assert fits(validator, encoded(scene.body))
    bodies = [spoilt(scene.body, path, fragment) for path in places(scene.body) for fragment in FRAGMENTS]
    judged = [(raw, fits(validator, raw)) for raw in bodies]
    bad, good = [raw for raw, fit in judged if not fit], [raw for raw, fit in judged if fit]
    assert len(bad) > len(places(scene.body)) * 30
    before = stage.town.digest()
    for raw, heard in zip(bad, sent(stage, scene, bad), strict=True):
        assert heard.status in {400, 413}, (name, shown(raw), heard)
        assert heard.code in {"invalid_request", "body_too_large"}
        assert_clear_no(name, heard, shown(raw))
    assert stage.town.digest() == before
    (done,) = stage.answers([scene.request(f"good {name}".replace(" ", "-"))])
    assert done.status == 200, done
    for raw, heard in zip(good, sent(stage, scene, good), strict=True):
        if heard.status != 401 or name != "DELETE /me":
            assert_no_fault(name, heard, shown(raw))


@pytest.mark.parametrize("name", WITH_BODIES)
def test_no_text_holds_what_a_reader_cannot_see(stage: Stage, name: str) -> None:
    """Control characters and marks that turn a line around, at the beginning, in the middle and at the end of every text."""
    scene = stage.scene(name)
    before = stage.town.digest()
    bodies = []
    for path in places(scene.body):
        value = at(scene.body, path)
        if isinstance(value, str):
            marks = [chr(mark) for mark in MARKS] + ([] if path[-1] in OF_MANY_LINES else ["\n"])
            texts = [text for mark in marks for text in (mark + value, value[:1] + mark + value[1:], value + mark)]
            bodies += [spoilt(scene.body, path, encoded(text)) for text in texts]
    for raw, heard in zip(bodies, sent(stage, scene, bodies), strict=True):
        assert (heard.status, heard.code) == (400, "invalid_request"), (name, raw, heard)
    assert stage.town.digest() == before


def sent(stage: Stage, scene: Scene, bodies: list[bytes]) -> list[Heard]:
    """What each body is answered, every one under a key of its own."""
    stage._made += 1
    keys = [f"spoilt-{stage._made}-{number}" for number in range(len(bodies))]
    pairs = zip(bodies, keys, strict=True)
    return stage.answers([Request(scene.method, scene.path, raw, headers(scene.token, key, has_body=True)) for raw, key in pairs])


@pytest.mark.parametrize("name", WITH_BODIES)
def test_the_body_itself_is_refused_when_it_is_something_else(stage: Stage, name: str) -> None:
    """Every fragment in its place; fields that nobody knows; each field twice; each needed one left out; a second body after it."""
    scene, validator = stage.scene(name), form(name)
    good = encoded(scene.body)
    bodies = [*FRAGMENTS, good + b"{}", good[:-1], b"\xef\xbb\xbf" + good, good.decode().encode("utf-16"), b"[" + good + b"]"]
    unknown = {"person_id", "actor", "key", "is_admin", "__proto__", "constructor", "", "price", "id"} - set(scene.body)
    bodies += [encoded(scene.body | {extra: "per_1"}) for extra in sorted(unknown)]
    for path in places(scene.body):
        if isinstance(path[-1], str):
            bodies.append(twice(scene.body, path))
            bodies.append(encoded(without(scene.body, path)))
            bodies.append(spoilt(scene.body, path, encoded(at(scene.body, path)) + b',"nobody_knows":1'))
    bodies += [fragment.encode() for fragment in DEEP]
    bad = [raw for raw in bodies if not fits(validator, raw)]
    before = stage.town.digest()
    for raw, heard in zip(bad, sent(stage, scene, bad), strict=True):
        assert heard.status in {400, 413}, (name, shown(raw), heard)
        assert_clear_no(name, heard, shown(raw))
    assert stage.town.digest() == before


@pytest.mark.parametrize("name", WITH_NAMES)
def test_a_bad_name_in_the_address_is_refused_and_changes_nothing(stage: Stage, name: str) -> None:
    """Each name in the path, by somebody who may do everything that this operation is for."""
    token, path, body = reached(stage, name)
    before = stage.town.digest()
    words = {parameter: [word for word in WORDS if word not in MEANT.get(parameter, ())] for parameter in ROUTES[name].in_path()}
    asked = [filled(stage, name, path.replace("{" + parameter + "}", word)) for parameter in words for word in words[parameter]]
    keyed = [
        Request(ROUTES[name].method, target, body, headers(token, f"named-{number}" if name in CHANGES else "", has_body=bool(body)))
        for number, target in enumerate(asked)
    ]
    for target, heard in zip(asked, stage.answers(keyed), strict=True):
        assert_clear_no(name, heard, target)
    assert stage.town.digest() == before


@pytest.mark.parametrize("name", READS)
def test_a_bad_query_is_refused_and_reveals_nothing(stage: Stage, name: str) -> None:
    """Each parameter spoilt, given twice, and unknown ones; what is answered is answered to the right person all the same."""
    token, path, _ = reached(stage, name)
    target = filled(stage, name, path)
    parameters = [it for it in operation(name).get("parameters", ()) if it["in"] == "query"]
    needed = {it["name"]: str(it["example"]) for it in parameters if it["required"]}
    base = "&".join(f"{key}={value}" for key, value in needed.items())
    assert stage.answers([Request("GET", with_query(target, base), b"", headers(token))])[0].status in {200, 404}
    queries = []
    for parameter in parameters:
        rest = "&".join(f"{key}={value}" for key, value in needed.items() if key != parameter["name"])
        queries += [f"{rest}&{parameter['name']}={word}" if rest else f"{parameter['name']}={word}" for word in WORDS]
    given = [Request("GET", with_query(target, query), b"", headers(token)) for query in queries]
    for query, heard in zip(queries, stage.answers(given), strict=True):
        assert_no_fault(name, heard, query)
    never = [
        "person_id=per_1",
        "actor=per_1",
        "include=all",
        "expand=buyer",
        "fields=*",
        "filter[person]=1",
        "limit[]=1",
        "$where=1",
        "=",
        "&",
        "a" * 3000,
    ]
    never += ["&".join(f"x{number}=1" for number in range(500))] + [f"{it['name']}=1&{it['name']}=1" for it in parameters]
    given = [Request("GET", with_query(target, f"{base}&{query}" if base else query), b"", headers(token)) for query in never]
    for query, heard in zip(never, stage.answers(given), strict=True):
        assert (heard.status, heard.code) == (400, "invalid_request"), (name, query, heard)


@pytest.mark.parametrize("name", ASKED_BY_BODY)
def test_a_bad_question_is_refused_and_reveals_nothing(stage: Stage, name: str) -> None:
    """Its body spoilt field by field, and another body in its place; a good one is answered."""
    token, path, good = reached(stage, name)
    body, validator = json.loads(good), form(name)
    bodies = [*FRAGMENTS, good + b"{}", good[:-1], encoded(body | {"person_id": "per_1"})]
    bodies += [spoilt(body, place, fragment) for place in places(body) for fragment in FRAGMENTS]
    bad = [raw for raw in bodies if not fits(validator, raw)]
    before = stage.town.digest()
    asked = [Request(ROUTES[name].method, path, raw, headers(token, has_body=True)) for raw in (*bad, good)]
    *refused, answered = stage.answers(asked)
    for raw, heard in zip(bad, refused, strict=True):
        assert (heard.status, heard.code) == (400, "invalid_request"), (name, shown(raw), heard)
    assert answered.status == 200, (name, answered)
    assert stage.town.digest() == before


MEANT = {"number": {"0", "01"}}
"""Words that are good ones there."""


def with_query(target: str, query: str) -> str:
    """An address with what is asked behind it."""
    return f"{target}?{query}" if query else target


WHO = {
    Ownership.ANYONE: "",
    Ownership.SELF: "buyer",
    Ownership.RECORD: "buyer",
    Ownership.SHOP: "shop owner",
    Ownership.OPERATOR: "operator admin",
}


def reached(stage: Stage, name: str) -> tuple[str, str, bytes]:
    """The token of somebody who may, the address with its names open, and a body that fits."""
    route = ROUTES[name]
    finance = not route.owner.roles or "finance" in route.owner.roles
    token = stage.town.tokens["operator finance" if "/operator/shops/" in name and finance else WHO[route.owner.kind]]
    example = operation(name).get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return token, "/v1" + route.path, encoded(example)


def filled(stage: Stage, name: str, target: str) -> str:
    """An address with the names that are still open filled in."""
    known = {"country": "CN", "channel": "sandbox", "currency": "CNY", "role": "finance", "kind": "order_shipped", **stage.town.ours}
    if name.startswith("GET /ledger/blocks"):
        known["number"] = "1"
    for parameter in ROUTES[name].in_path():
        target = target.replace("{" + parameter + "}", known[parameter])
    return target


def test_every_operation_was_tried() -> None:
    """Changes with bodies, addresses with names and every query: what is left has nothing to spoil, or takes a channel's body."""
    tried = {*WITH_BODIES, *WITH_NAMES, *READS, *ASKED_BY_BODY}
    bare = {name for name in ROUTES if not ROUTES[name].in_path() and not ROUTES[name].client}
    assert set(ROUTES) - tried == {name for name in bare if ROUTES[name].message in REGISTRY.commands} - tried
    assert {name for name in ROUTES if ROUTES[name].takes} == OF_THE_CHANNEL
