"""The authorisation matrix: every operation of every domain, by everybody, with real records; and every id swapped for another's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.asgi import Client, Heard
from support.town import CALLERS, Town, seeded
from yunduan.cloud import DOMAINS
from yunduan.edges.http.openapi import openapi_document
from yunduan.runtime.registry import Ownership, Registry

REGISTRY = Registry(DOMAINS)
DOCUMENT = openapi_document(REGISTRY)
ROUTES = {f"{route.method} {route.path}": route for route in REGISTRY.routes}
OVERRIDES: dict[str, dict[str, Any]] = {
    "GET /ledger/blocks/{number}": {"number": "1"},
    "DELETE /shops/{shop_id}/staff/{person_id}/{role}": {"role": "finance"},  # one that this person has not: nobody loses their own
    "POST /operators": {"role": "analyst"},
    "DELETE /operators/{person_id}/{role}": {"role": "analyst"},
    "POST /shops/{shop_id}/staff": {"role": "service"},
    "POST /shops": {"commission_ppm": 50_000},
}
"""What a name means in one operation and not in others."""
WHOSE = {Ownership.SHOP: "shop owner", Ownership.OPERATOR: "operator admin"}
"""Whose records the ids name, by the rule; the buyer's otherwise."""
SHARED = {"channel": "sandbox", "currency": "CNY", "role": "packer"}
PUBLIC_IDS = {"goods_id", "variant_id", "category_id", "person_id", "challenge_id", "id", "alert_id", "parent"}
"""Ids that anybody may name (what is offered to everybody), or that only operators can (they see all tenants)."""
MEMBERS_OF_A_SHOP = {"order_id", "goods_id", "variant_id", "location_id", "template_id", "transfer_id"}
"""Records of a shop: named beside another shop's id, they are not there."""

SEEN_BY_OPERATORS = {
    "GET /payments/{payment_id}",
    "GET /orders/{order_id}",
    "GET /orders/{order_id}/refunds",
    "GET /order-numbers/{number}",
}
"""Records that the marketplace's own people may look at, in any role: they answer for what went wrong with them."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One for every cell that changes nothing."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Town]:
    """One for a cell that may change everything."""
    town = Town(tmp_path)
    yield town
    town.close()


def operation(name: str) -> Any:
    """Its description."""
    route = ROUTES[name]
    return DOCUMENT["paths"]["/v1" + route.path][route.method.lower()]


def ask(town: Town, name: str, caller: str, ids: dict[str, Any]) -> Heard:
    """Send an operation's own example, with real ids in it, as somebody."""
    route = ROUTES[name]
    known = SHARED | ids | OVERRIDES.get(name, {})
    path = "/v1" + route.path
    for parameter in route.in_path():
        path = path.replace("{" + parameter + "}", str(known[parameter]))
    query = [
        f"{it['name']}={known.get(it['name'], it.get('example'))}"
        for it in operation(name).get("parameters", ())
        if it["in"] == "query" and (it["required"] or it["name"] in ids)
    ]
    body = operation(name).get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    client = Client(town.application, town.world.run, town.tokens[caller])
    target = path + ("?" + "&".join(query) if query else "")
    if route.takes is not None:
        return client(route.method, target, body=b"{}")
    return client(route.method, target, None if body is None else seeded(body, known))


def expected(name: str, caller: str) -> str:
    """What the declared rule says: `in`, `sign_in_first`, `role_missing` or `not_found`."""
    route = ROUTES[name]
    owner, kind = route.owner, route.owner.kind
    if kind is Ownership.ANYONE:
        return "in"
    if not caller:
        return "sign_in_first"
    where, _, role = caller.partition(" ")
    if kind is Ownership.SHOP:
        return "in" if where == "shop" and (not owner.roles or role in owner.roles) else "role_missing"
    if kind is Ownership.OPERATOR:
        return "in" if where == "operator" and (not owner.roles or role in owner.roles) else "role_missing"
    if kind is Ownership.RECORD:
        return "in" if caller == "buyer" or (name in SEEN_BY_OPERATORS and where == "operator") else "not_found"
    return "in"


def test_every_route_has_a_rule() -> None:
    """One of the five, with the roles that exist, and an operation in the description that says the same."""
    roles = {"shop": {name.partition(" ")[2] for name in CALLERS if name.startswith("shop ")}}
    roles["operator"] = {name.partition(" ")[2] for name in CALLERS if name.startswith("operator ")}
    for name, route in ROUTES.items():
        assert isinstance(route.owner.kind, Ownership), name
        assert set(route.owner.roles) <= roles.get(route.owner.kind.value, set()), name
        assert route.owner.kind is not Ownership.OPERATOR or route.owner.roles, name
        assert operation(name)["x-yunduan-owner"]["kind"] == route.owner.kind.value


@pytest.mark.parametrize("name", ROUTES)
def test_who_may_not_is_refused_and_changes_nothing(town: Town, name: str) -> None:
    """Every caller whom the rule leaves out, with ids that are there."""
    refused = [caller for caller in CALLERS if expected(name, caller) != "in"]
    before = town.digest()
    for caller in refused:
        heard, wanted = ask(town, name, caller, town.ours), expected(name, caller)
        if wanted == "not_found":
            assert heard.status == 404, (name, caller, heard)
            assert heard.code.endswith("_not_found"), (name, caller, heard)
            assert heard.code != "route_not_found"
        else:
            assert (heard.status, heard.code) == ({"sign_in_first": 401, "role_missing": 403}[wanted], wanted), (name, caller, heard)
    assert town.digest() == before


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.message in REGISTRY.queries])
def test_who_may_read_is_let_in(town: Town, name: str) -> None:
    """Every caller whom the rule names, and what is read is of the documented form."""
    for caller in CALLERS:
        if expected(name, caller) == "in":
            heard = ask(town, name, caller, town.ours)
            assert heard.status in {200, 404, 409}, (name, caller, heard)
            if caller == WHOSE.get(ROUTES[name].owner.kind, "buyer"):
                assert heard.status == 200, (name, caller, heard)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.message in REGISTRY.commands])
def test_who_may_change_is_let_in(own_town: Town, name: str) -> None:
    """One caller after the other; what the first has changed, the next may find changed, but nobody is turned away by rule or form."""
    for caller in CALLERS:
        if expected(name, caller) == "in":
            heard = ask(own_town, name, caller, own_town.ours)
            assert heard.status in {200, 404, 409, 429} or ROUTES[name].takes, (name, caller, heard)
            if heard.status == 401:
                break


def swaps() -> Iterator[Any]:
    """Every operation with every id in it that belongs to one tenant."""
    for name, route in ROUTES.items():
        described = operation(name)
        body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example") or {}
        query = [it["name"] for it in described.get("parameters", ()) if it["in"] == "query"]
        kind = route.owner.kind
        if kind in {Ownership.ANYONE, Ownership.OPERATOR}:
            continue
        for field in (*route.in_path(), *query, *body):
            if not field.endswith("_id") or (kind is Ownership.SHOP and field not in MEMBERS_OF_A_SHOP | {"shop_id"}):
                continue
            if kind is not Ownership.SHOP and field in PUBLIC_IDS:
                continue
            yield pytest.param(name, field, id=f"{name} {field}")


@pytest.mark.parametrize(("name", "field"), list(swaps()))
def test_another_tenants_id_is_not_there(town: Town, name: str, field: str) -> None:
    """Whoever may ask with their own gets 404 (for another shop, 403) with another's, and nothing changes."""
    route = ROUTES[name]
    caller = "shop owner" if route.owner.kind is Ownership.SHOP else "buyer"
    before = town.digest()
    heard = ask(town, name, caller, town.ours | {field: town.theirs[field]})
    assert heard.status == (403 if field == "shop_id" else 404), (name, field, heard)
    assert town.digest() == before
    for theirs in town.theirs.values():
        assert theirs == town.theirs[field] or theirs == town.ours.get("category_id") or theirs.encode() not in heard.body


@pytest.mark.parametrize("token", ["", " ", "null", "[]", "{}", "undefined", "0", "ses_", "' OR 1=1 --", "x" * 512])
def test_a_token_that_is_nobodys_opens_nothing(town: Town, token: str) -> None:
    """Nor does a session's id, which is no secret."""
    for shown in (token, town.ours["session_id"]):
        heard = Client(town.application, town.world.run)("GET", "/v1/me", headers={"authorization": f"Bearer {shown}"})
        assert (heard.status, heard.code) == (401, "sign_in_first")


def test_a_revoked_session_ends_with_the_next_request(own_town: Town) -> None:
    """Not a minute later."""
    client = Client(own_town.application, own_town.world.run, own_town.tokens["buyer"])
    assert client("GET", "/v1/me").status == 200
    assert client("POST", "/v1/me/sign-out").status == 200
    assert client("GET", "/v1/me").code == "sign_in_first"


def test_one_persons_key_is_not_anothers(own_town: Town) -> None:
    """The same key and the same content by two people are two changes, and neither sees the other's answer."""
    buyer, other = (Client(own_town.application, own_town.world.run, own_town.tokens[name]) for name in ("buyer", "other"))
    nickname = {"nickname": "小云"}
    assert buyer("PATCH", "/v1/me", nickname, key="same").status == 200
    assert other("PATCH", "/v1/me", nickname, key="same").status == 200
    assert other("PATCH", "/v1/me", {"nickname": "别人"}, key="same").code == "idempotency_key_reused"
    assert [client("GET", "/v1/me").json["nickname"] for client in (buyer, other)] == ["小云", "小云"]
