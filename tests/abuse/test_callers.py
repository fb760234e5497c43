"""Who somebody is comes from their token alone: other people's ids, spoofed headers, odd tokens and known contacts open nothing."""

import time
from collections.abc import Iterator
from itertools import count
from statistics import median
from typing import Any

import pytest

from abuse.corpus import at, places, spoilt
from abuse.scenes import CHANGES, ENDS_THE_SESSION, READS, ROUTES, SCENES, Request, Stage, encoded, headers
from abuse.test_bad_input import WITH_BODIES, filled, operation, reached
from support.asgi import Heard, call
from support.timing import best
from support.town import CALLERS
from yunduan.domains.identity.commands import RegisterPerson
from yunduan.domains.identity.model import MINUTE_MS

SPOOFS = (
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "localhost"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-user", "{person}"),
    ("x-forwarded-email", "admin@example.com"),
    ("x-real-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;proto=https;host=localhost"),
    ("true-client-ip", "127.0.0.1"),
    ("client-ip", "127.0.0.1"),
    ("x-user", "{person}"),
    ("x-user-id", "{person}"),
    ("x-person-id", "{person}"),
    ("x-authenticated-user", "{person}"),
    ("x-remote-user", "{person}"),
    ("remote-user", "{person}"),
    ("x-admin", "true"),
    ("x-role", "admin"),
    ("x-roles", "admin,owner"),
    ("x-scope", "operate"),
    ("x-wcpay-platform-checkout-user", "1"),
    ("x-internal", "1"),
    ("x-original-url", "/v1/operators"),
    ("x-rewrite-url", "/v1/operators"),
    ("x-http-method-override", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-token", "{token}"),
    ("x-auth-token", "{token}"),
    ("x-api-key", "{token}"),
    ("proxy-authorization", "Bearer {token}"),
    ("cookie", "session={token}; token={token}; Authorization=Bearer {token}"),
    ("referer", "http://localhost/operators"),
    ("origin", "null"),
    ("host", "localhost"),
)
"""What proxies, frameworks and gateways elsewhere have believed."""
ABSENT = "0" * 26
IDS = {"variant_ids", "id"}
"""Names of ids that do not end in `_id`."""
THEIRS = {
    "owner_id": "person_id",
    "parent_id": "category_id",
    "variant_ids": "variant_id",
    "id": "variant_id",
    "POST /shops/{shop_id}/shipping-templates id": "template_id",
    "from_location_id": "location_id",
    "to_location_id": "location_id",
}
FOR_EVERYBODY = {
    ("POST /cart/lines", "variant_id"),  # anybody may buy it
    ("POST /categories", "parent_id"),  # categories are the marketplace's own
    ("POST /shops/{shop_id}/goods", "category_id"),
    ("PUT /shops/{shop_id}/goods/{goods_id}", "category_id"),
    ("POST /shops/{shop_id}/staff", "person_id"),  # whoever is here may be given work
    ("POST /operators", "person_id"),
    ("POST /owners", "person_id"),
    ("POST /owners", "shop_id"),  # an admin answers for every shop
    ("POST /shops", "owner_id"),
}
"""Ids of others that may be named, and why."""


NOT_LOOKED_UP = {("POST /owners", "shop_id")}
"""Identity does not know which shops there are: an admin who names none has given a role in nothing."""


def ids_in_bodies() -> Iterator[Any]:
    """Every change whose body names something."""
    for name in WITH_BODIES:
        yield pytest.param(name, id=name)


@pytest.mark.parametrize("name", list(ids_in_bodies()))
def test_an_id_in_a_body_is_ones_own_or_nothing(stage: Stage, name: str) -> None:
    """However deep it stands: one that there is not, one of another kind, and one of another tenant are refused, and nothing changes."""
    scene = stage.scene(name)
    others = {field: theirs(stage, name, field) for field in ("challenge_id",) if field in scene.body}
    before = left_alone(stage)
    tried = 0
    for path in places(scene.body):
        field = next(step for step in reversed(path) if isinstance(step, str))
        value = at(scene.body, path)
        if not (field.endswith("_id") or field in IDS) or not isinstance(value, str):
            continue
        tried += 1
        absent = f"{value[:4]}{ABSENT}"
        if (name, field) in NOT_LOOKED_UP:
            continue
        strangers = [absent, "per_" + ABSENT, stage.town.theirs["payment_id"], stage.town.theirs["session_id"]]
        if (name, field) not in FOR_EVERYBODY:
            strangers.append(others.get(field) or theirs(stage, name, field))
        for stranger in strangers:
            sent = spoilt(scene.body, path, encoded(stranger))
            request = Request(scene.method, scene.path, sent, headers(scene.token, f"stranger-{stranger}-{tried}", has_body=True))
            (heard,) = stage.answers([request])
            assert heard.status in {404, 409}, (name, path, stranger, heard)
            assert scene.name == "POST /sessions" or heard.code.endswith(("_not_found", "_gone")) or heard.status == 409
            for secret in set(stage.town.theirs.values()) - {stranger}:
                assert secret.encode() not in heard.body or secret in sent.decode()
    assert left_alone(stage) == before
    assert tried == len([1 for path in places(scene.body) if named(scene.body, path)])


def left_alone(stage: Stage) -> dict[str, Any]:
    """Everything but the tries of a code, of which a wrong one is counted."""
    return {table: rows for table, rows in stage.town.digest().items() if table != "challenge"}


def theirs(stage: Stage, name: str, field: str) -> str:
    """The other tenant's thing that such a field could name."""
    if field == "challenge_id":
        stage._made += 1
        asked = stage.client("")("POST", "/v1/sessions/codes", {"contact": f"+861330{stage._made:07d}"})
        return str(asked.json["id"])
    return stage.town.theirs[THEIRS.get(f"{name} {field}") or THEIRS.get(field, field)]


def named(body: Any, path: tuple[Any, ...]) -> bool:
    """Whether an id stands there."""
    field = next(step for step in reversed(path) if isinstance(step, str))
    return (field.endswith("_id") or field in IDS) and isinstance(at(body, path), str)


VICTIMS = ("buyer", "shop owner", "operator admin")
"""Whose names and tokens are put into the headers."""
STRANGER_HEARS = {"anyone": 200, "self": 200, "record": 404, "shop": 403, "operator": 403}
"""What another buyer is answered, by whose data a route touches; where it is their own, it is theirs and nobody else's."""


def spoofed_as(stage: Stage, victim: str) -> tuple[tuple[str, str], ...]:
    """All of these headers at once, with a real person's id and token in them."""
    fill = {"person": stage.town.people[victim], "token": stage.town.tokens[victim]}
    return tuple((header, value.format(**fill)) for header, value in SPOOFS)


@pytest.mark.parametrize("name", [*READS, *(name for name in CHANGES if ROUTES[name].owner.kind.value not in {"anyone", "self"})])
def test_headers_make_nobody_anybody(stage: Stage, name: str) -> None:
    """Whoever is named in them, the answer is the one without them, byte for byte, for nobody and for another buyer."""
    _, path, body = reached(stage, name)
    target, kind = filled(stage, name, path) + needed(name), ROUTES[name].owner.kind.value
    before = stage.town.digest()
    for caller in ("", "other"):
        wanted = STRANGER_HEARS[kind] if caller or kind == "anyone" else 401
        for victim in VICTIMS:
            key = f"spoof-{CHANGES.index(name)}-{caller}-{victim}".replace(" ", "-") if name in CHANGES else ""
            sent = headers(stage.town.tokens[caller], key, has_body=bool(body))
            requests = [Request(ROUTES[name].method, target, body, sent + more) for more in ((), spoofed_as(stage, victim))]
            plain, spoofed = stage.answers(requests)
            assert (plain.status, spoofed.status) == (wanted, wanted), (name, caller, victim, spoofed)
            assert spoofed.body == plain.body, (name, caller, victim)
    assert stage.town.digest() == before


@pytest.mark.parametrize("name", [name for name in CHANGES if ROUTES[name].owner.kind.value in {"anyone", "self"}])
@pytest.mark.parametrize("victim", VICTIMS)
def test_headers_change_nothing_of_whom_they_name(stage: Stage, name: str, victim: str) -> None:
    """A change of one's own stays one's own: it is carried out, and the person in the headers sees everything as before."""
    stage.world.pass_time(MINUTE_MS)
    scene = stage.scene(name)
    before = seen_by(stage, victim)
    request = scene.request(f"own-{victim}-{CHANGES.index(name)}".replace(" ", "-"))
    (heard,) = stage.answers([Request(request.method, request.target, request.body, request.headers + spoofed_as(stage, victim))])
    assert heard.status == 200, (name, victim, heard)
    assert stage.town.people[victim].encode() not in heard.body
    assert seen_by(stage, victim) == before
    if scene.token:
        (own,) = stage.answers([Request("GET", "/v1/me", b"", headers(scene.token) + spoofed_as(stage, victim))])
        assert own.status == (401 if name in ENDS_THE_SESSION else 200)
        assert stage.town.people[victim].encode() not in own.body


def needed(name: str) -> str:
    """The query that a read cannot be without, as in its example."""
    described = operation(name).get("parameters", ())
    found = [f"{it['name']}={it['example']}" for it in described if it["in"] == "query" and it["required"]]
    return "?" + "&".join(found) if found else ""


def seen_by(stage: Stage, caller: str) -> dict[str, bytes]:
    """Everything of their own that somebody can read."""
    own = [name for name in READS if ROUTES[name].owner.kind.value == "self"]
    sent = headers(stage.town.tokens[caller])
    heard = stage.answers([Request("GET", "/v1" + ROUTES[name].path + needed(name), b"", sent) for name in own])
    assert [it.status for it in heard] == [200] * len(own)
    return dict(zip(own, [it.body for it in heard], strict=True))


def test_a_spoofed_origin_is_not_counted_as_another(stage: Stage) -> None:
    """Limits count the connection's address: a new `X-Forwarded-For` with every request gives no new budget."""
    heard: list[Heard] = []

    async def ask(number: int) -> Heard:
        sent = (
            ("content-type", "application/json"),
            ("x-forwarded-for", f"203.0.113.{number % 250}"),
            ("forwarded", f"for=203.0.113.{number}"),
        )
        body = encoded({"contact": f"+861320{number:07d}"})
        return await call(stage.town.application, "POST", "/v1/sessions/codes", body=body, headers=sent, client=("198.51.100.99", 1))

    async def many() -> None:
        heard.extend([await ask(number) for number in range(200)])

    stage.world.run(many())
    last = heard[-1]
    assert (last.status, last.code) == (429, "too_many_codes")
    assert sum(it.status == 200 for it in heard) < 100


TOKENS = (
    "",
    " ",
    "\t",
    "null",
    "undefined",
    "[]",
    "{}",
    '""',
    "0",
    "nil",
    "Bearer",
    "ses_",
    "yds_",
    "' OR 1=1 --",
    "%00",
    "x" * 505,
    "x" * 5000,
)
SCHEMES = (
    "Bearer {}",
    "bearer {}",
    "BEARER {}",
    "Basic {}",
    "Token {}",
    "{}",
    "Bearer  {}",
    "Bearer\t{}",
    "Bearer {} ",
    "Bearer {},Bearer {}",
    "Bearer {} x",
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_token_is_whole_or_nothing(stage: Stage, scheme: str) -> None:
    """Empty, null, blank, a list, too long; and a good one is good in one form only, whatever the case of the word before it."""
    before = stage.town.digest()
    asked = [(("authorization", scheme.replace("{}", token)),) for token in TOKENS]
    good = stage.town.tokens["buyer"]
    other = stage.town.tokens["other"]
    asked += [
        (("authorization", scheme.replace("{}", wrong)),) for wrong in (good[:-1], good + "a", good.swapcase(), good[4:], good + "\0")
    ]
    asked += [
        (("authorization", f"Bearer {good}"), ("authorization", f"Bearer {other}")),
        (("authorization", ""), ("authorization", f"Bearer {good}")),
    ]
    for sent in asked:
        for method, target in (("GET", "/v1/me"), ("GET", "/v1/orders"), ("GET", "/v1/wallet")):
            (heard,) = stage.answers([Request(method, target, b"", sent)])
            assert (heard.status, heard.code) == (401, "sign_in_first"), sent
    opens = [scheme.replace("{}", good).lower().startswith("bearer " + good.lower()) and scheme.endswith(" {}") and "  " not in scheme]
    (heard,) = stage.answers([Request("GET", "/v1/me", b"", (("authorization", scheme.replace("{}", good)),))])
    assert heard.status == (200 if opens == [True] and scheme.count("{}") == 1 and scheme.lower() == "bearer {}" else 401)
    assert stage.town.digest() == before


@pytest.mark.parametrize("name", [name for name in READS if ROUTES[name].owner.kind.value == "anyone"])
def test_what_is_public_is_the_same_for_everybody(stage: Stage, name: str) -> None:
    """No token, anybody's or nonsense, changes it; nor does anything that nobody in particular has asked before."""
    target = filled(stage, name, "/v1" + ROUTES[name].path)
    tokens = [*(stage.town.tokens[caller] for caller in CALLERS), "nonsense"]
    heard = stage.answers([Request("GET", target, b"", headers(token)) for token in tokens])
    assert len({(it.status, it.body) for it in heard}) == 1
    noise = (
        ("x-forwarded-host", "evil.example"),
        ("accept-language", "../../x"),
        ("if-none-match", "*"),
        ("range", "bytes=0-1"),
        ("vary", "*"),
    )
    (noisy, after) = stage.answers([Request("GET", target, b"", noise), Request("GET", target)])
    assert (noisy.status, noisy.body, after.body) == (200, heard[0].body, heard[0].body)
    assert b"evil.example" not in noisy.body


def test_every_scene_is_for_somebody() -> None:
    """What is tried above are all the changes that there are."""
    assert set(SCENES) == set(CHANGES)


def test_known_and_unknown_contacts_are_answered_alike(stage: Stage) -> None:
    """Status, headers and the form of the body; and the time, the medians of 60 each within a factor of 1.5 in the best of three."""
    seen: dict[bool, set[tuple[Any, ...]]] = {True: set(), False: set()}
    rounds = count()
    assert best(lambda: _apart(stage, seen, next(rounds)), 1.5) < 1.5
    assert seen[True] == seen[False]
    assert len(seen[True]) == 1


def _apart(stage: Stage, seen: dict[bool, set[tuple[Any, ...]]], again: int) -> float:
    """By what factor the medians of two kinds of contacts differ, 1 for not at all; `again` makes new ones of both."""
    known = [f"+86131{again}0{number:06d}" for number in range(60)]
    unknown = [f"+86131{again}1{number:06d}" for number in range(60)]
    for contact in known:
        stage.world.send(RegisterPerson(phone=contact))
    took: dict[bool, list[float]] = {True: [], False: []}

    async def ask(contact: str, origin: int) -> Heard:
        sent = (("content-type", "application/json"),)
        where = (f"203.{again}.{origin // 200}.{origin % 200}", 1)
        return await call(
            stage.town.application, "POST", "/v1/sessions/codes", body=encoded({"contact": contact}), headers=sent, client=where
        )

    async def all_of_them() -> None:
        for number, pair in enumerate(zip(known, unknown, strict=True)):
            for contact in pair if number % 2 else pair[::-1]:
                began = time.perf_counter()
                heard = await ask(contact, number)
                took[contact in known].append(time.perf_counter() - began)
                body = heard.json | {"id": len(heard.json["id"])}
                seen[contact in known].add((heard.status, tuple(sorted(heard.headers.items())), tuple(sorted(body.items()))))

    stage.world.run(all_of_them())
    ratio = median(took[True]) / median(took[False])
    return max(ratio, 1 / ratio)


def test_whether_a_contact_is_taken_is_not_told_either(stage: Stage) -> None:
    """A code for a new contact is sent whether or not somebody has it; only the right code, which its owner alone has, learns more."""
    stage.world.pass_time(MINUTE_MS)
    _, token = stage.newcomer()
    client = stage.client(token)
    taken = stage.phone()
    stage.market.buyer()
    somebodys, nobodys = (client("POST", "/v1/me/contacts/codes", {"contact": it}) for it in (stage.phone(), "+8613100009999"))
    assert taken != stage.phone()
    assert somebodys.status == nobodys.status == 200
    assert set(somebodys.json) == set(nobodys.json)
    assert somebodys.json["expires_at"] == nobodys.json["expires_at"]
    wrong = [client("POST", "/v1/me/contacts", {"challenge_id": it.json["id"], "code": "000000"}) for it in (somebodys, nobodys)]
    assert [(it.status, it.json["code"], it.json["figures"]) for it in wrong] == [(409, "code_wrong", {"tries_left": 4})] * 2
