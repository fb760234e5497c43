"""The authorisation matrix: every operation of every domain, by everybody, with real records; and every id swapped for another's."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from abuse.scenes import CHANGES, DOCUMENT, REGISTRY, ROUTES, Request, Stage
from support.asgi import Client, Heard
from support.town import CALLERS, Town, seeded
from yunduan.domains.identity.commands import GrantRole, GrantShopRole
from yunduan.domains.identity.model import HOUR_MS, OperatorRole, ShopRole
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.runtime.registry import Ownership

OVERRIDES: dict[str, dict[str, Any]] = {
    "GET /ledger/blocks/{number}": {"number": "1"},
    "DELETE /shops/{shop_id}/staff/{person_id}/{role}": {"role": "finance"},  # one that this person has not: nobody loses their own
    "POST /operators": {"role": "analyst"},
    "DELETE /operators/{person_id}/{role}": {"role": "analyst"},
    "POST /shops/{shop_id}/staff": {"role": "service"},
    "POST /shops": {"commission_ppm": 50_000},
    "PUT /me/notices/preferences/{kind}": {"kind": "order_shipped"},
}
"""What a name means in one operation and not in others."""
SHARED = {"country": "CN", "channel": "sandbox", "currency": "CNY", "role": "packer"}
PUBLIC_IDS = {
    "goods_id",
    "variant_id",
    "category_id",
    "person_id",
    "challenge_id",
    "account_id",
    "alert_id",
    "payout_id",
    "parent",
    "chargeback_id",
    "instead_id",
}
"""Ids that anybody may name (what is offered to everybody), or that only operators can (they see all tenants)."""
NAMED_BY_ANYBODY = {("POST /reviews/{review_id}/reports", "review_id"), ("GET /me/search", "shop_id")}
"""The same, in one operation: a review is there for everybody, and everybody searches in any shop."""
OF_WHAT_IS_NAMED = {("POST /cases/{case_id}/shipment", "receipt_id")}
"""Part of a record that the path names, and looked for there alone; the tests of postage name another's."""
MEMBERS_OF_A_SHOP = {
    "order_id",
    "goods_id",
    "variant_id",
    "location_id",
    "template_id",
    "transfer_id",
    "review_id",
    "case_id",
    "chargeback_id",
    "picture_id",
}
"""Records of a shop: named beside another shop's id, they are not there."""

LOOKS_INTO = {"admin", "service", "risk", "finance"}
"""An analyst looks at nobody's in particular."""
SEEN_BY_OPERATORS = {
    "GET /payments/{payment_id}": {"admin", "service", "risk", "finance"},
    "GET /shop-applications/{application_id}": {"admin", "risk"},
    "GET /shop-applications/{application_id}/pictures/{picture_id}": {"admin", "risk"},
    "GET /orders/{order_id}": LOOKS_INTO,
    "GET /orders/{order_id}/money": LOOKS_INTO,
    "GET /orders/{order_id}/refunds": LOOKS_INTO,
    "GET /orders/{order_id}/price": LOOKS_INTO,
    "GET /orders/{order_id}/tracking": LOOKS_INTO,
    "GET /order-numbers/{number}": LOOKS_INTO,
    "GET /orders/{order_id}/cases": LOOKS_INTO,
    "GET /cases/{case_id}": LOOKS_INTO,
    "GET /cases/{case_id}/pictures/{picture_id}": LOOKS_INTO,
}
"""Records that the marketplace's own people may look at, by their roles: they answer for what went wrong with them."""
BOSSES = {"shop owner", "shop manager"}
LAYS_DOWN = "DELETE /shops/{shop_id}/staff/{person_id}/{role}"
"""Whoever works in a shop may take this step, the bosses with anybody, the others with themselves alone."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One for every cell that changes nothing."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for every cell that changes something: each scene stands alone."""
    town = Town(tmp_path_factory.mktemp("stage"))
    yield Stage(town)
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
        return "in" if caller == "buyer" or (where == "operator" and role in SEEN_BY_OPERATORS.get(name, ())) else "not_found"
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


@cache
def form(name: str) -> Any:
    """What tells whether an answer is of the documented form."""
    schema = operation(name)["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def assert_let_in(name: str, caller: str, heard: Heard) -> None:
    """Done, and answered as the description says."""
    assert heard.status == 200, (name, caller, heard)
    if ROUTES[name].printed:
        assert (heard.headers["content-type"], heard.body[:5]) == ("application/pdf", b"%PDF-"), (name, caller)
        return
    errors = list(form(name).iter_errors(heard.json))
    assert not errors, (name, caller, errors[0].message)


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.message in REGISTRY.queries])
def test_who_may_read_is_let_in(town: Town, name: str) -> None:
    """Every caller whom the rule names, and what is read is of the documented form."""
    for caller in CALLERS:
        if expected(name, caller) == "in":
            home = {"address_id": town.homes[caller]} if caller else {}
            assert_let_in(name, caller, ask(town, name, caller, town.ours | home))


@pytest.mark.parametrize("name", CHANGES)
def test_who_may_change_is_let_in(stage: Stage, name: str) -> None:
    """Every caller whom the rule names, with a request that nothing stands against: it is done, and answered in the documented form."""
    for caller in CALLERS:
        if expected(name, caller) == "in":
            stage.world.pass_time(HOUR_MS)  # so that the limits on codes, which are seen to elsewhere, turn nobody away
            assert_let_in(name, caller, stage.answers([scene_of(stage, name, caller)])[0])


def scene_of(stage: Stage, name: str, caller: str) -> Request:
    """A request that is carried out, by somebody who is what the caller's name says."""
    scene, key = stage.scene(name), f"{CHANGES.index(name)}-{caller}".replace(" ", "-")
    kind = ROUTES[name].owner.kind
    if kind is Ownership.RECORD:
        return scene.request(key)
    if kind is Ownership.SELF:
        give(stage, stage.client(scene.token)("GET", "/v1/me").json["id"], caller)
        return scene.request(key)
    if name == LAYS_DOWN and caller not in BOSSES:
        _, token = stage.newcomer()
        person = stage.client(token)("GET", "/v1/me").json["id"]
        give(stage, person, caller)
        own = stage.made(name, token, {"person_id": person, "role": caller.partition(" ")[2]})
        return own.request(key)
    return scene.request(key, token=stage.town.tokens[caller])


def give(stage: Stage, person: PersonId, caller: str) -> None:
    """Make somebody what a caller's name says."""
    where, _, role = caller.partition(" ")
    if where == "operator":
        stage.world.send(GrantRole(person_id=person, role=OperatorRole(role)))
    elif where in {"shop", "elsewhere"}:
        shop = (stage.town.ours if where == "shop" else stage.town.theirs)["shop_id"]
        stage.world.send(GrantShopRole(shop_id=ShopId(shop), person_id=person, role=ShopRole(role)))


def test_what_the_handler_alone_can_see_is_403_too(stage: Stage) -> None:
    """The edge lets a manager give roles; that they give none like their own, only the handler knows. `not_allowed` is no 409."""
    client = stage.client(stage.town.tokens["shop manager"])
    staff = f"/v1/shops/{stage.town.ours['shop_id']}/staff"
    assert client("GET", staff).status == 200  # a session that was not seen for a day is noted to be in use
    stage.world.settle()
    before = stage.town.digest()
    heard = client("POST", staff, {"person_id": stage.town.people["buyer"], "role": "manager"})
    assert (heard.status, heard.code) == (403, "not_allowed")
    assert stage.town.digest() == before


def test_what_is_not_tried_as_a_change_is_the_channels_alone() -> None:
    """Whoever sends a notification, its signature alone is believed; the tests of abuse forge them."""
    assert {name for name, route in ROUTES.items() if route.message in REGISTRY.commands} - set(CHANGES) == {
        "POST /channels/{channel}/notifications"
    }


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
            if not (field.endswith("_id") or field == "parcels"):
                continue
            if kind is Ownership.SHOP and field not in MEMBERS_OF_A_SHOP | {"shop_id", "parcels"}:
                continue
            if kind is not Ownership.SHOP and (field in PUBLIC_IDS or (name, field) in NAMED_BY_ANYBODY | OF_WHAT_IS_NAMED):
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
