"""The examples of the documentation work: sent as they stand, with real ids in the place of the made-up ones, they are carried out."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from abuse.scenes import ASKED_BY_BODY, CHANGES, DOCUMENT, READS, REGISTRY, ROUTES, Request, Scene, Stage, encoded, headers
from support.town import Town
from yunduan.domains.catalog.commands import SetShippingTemplate
from yunduan.domains.catalog.model import Measure, Rate
from yunduan.domains.identity.commands import AppointOwner
from yunduan.edges.http import story
from yunduan.runtime.registry import Ownership

READERS = {Ownership.SHOP: "shop owner", Ownership.OPERATOR: "operator admin"}
SECRETS = {"code", "challenge_id", "owner", "parent", "number"}
"""What is a real one's own, as an id is, though its name does not end in `_id`."""
SAID_BEFORE = ("POST /operator/splits/{split_id}/booking",)
"""What names a line of a provider's statement, which the example of another operation has booked."""
ELSEWHERE = {"POST /channels/{channel}/notifications": "the channel shapes and signs its body; the tests of notifications send some"}
"""Operations without an example of what is sent."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where everything that an example names is there."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield Stage(town)
    town.close()


def operation(name: str) -> Any:
    """Its description."""
    return DOCUMENT["paths"]["/v1" + ROUTES[name].path][ROUTES[name].method.lower()]


def body_of(name: str) -> Any:
    """The example of what is sent, where there is one."""
    return operation(name).get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")


def real(example: Any, found: Any) -> Any:
    """An example with the ids (and what else is somebody's own) of a request that is known to work."""
    if isinstance(example, dict) and isinstance(found, dict):
        return {
            name: found[name] if (name.endswith("_id") or name in SECRETS) and inner and name in found else real(inner, found.get(name))
            for name, inner in example.items()
        }
    if isinstance(example, list) and isinstance(found, list) and found:
        return [real(inner, found[0]) for inner in example]
    return example


def _one_pack_of_tea(stage: Stage) -> Scene:
    """A cart that costs what the example says: one piece at 19.99, sent for nothing."""
    buyer, token = stage.newcomer()
    shop = stage.market.found("茶庄")
    free = SetShippingTemplate(shop_id=shop.id, name="free", measure=Measure.PIECE, zones=(), elsewhere=Rate(first_fee=0))
    buyer.want(stage.market.offer(shop=shop, template_id=stage.world.send(free).id))
    return stage.made("POST /checkouts", token, {}, {"address_id": buyer.address})


def _goods_of_another_shop(stage: Stage) -> Scene:
    """Where nothing has the SKU of the example yet."""
    shop = stage.market.other
    variant = stage.market.offer(shop=shop)
    ((goods,),) = stage.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)
    ids, found = {"shop_id": shop.id, "goods_id": goods}, {"form": {"category_id": stage.market.tea}}
    return stage.made("PUT /shops/{shop_id}/goods/{goods_id}", "elsewhere owner", ids, found)


def _one_location(stage: Stage) -> Scene:
    """A shop with as many locations as the example names."""
    shop = stage.market.found("小店")
    stage.world.send(AppointOwner(shop_id=shop.id, person_id=stage.town.people["shop owner"]))
    sources = [{"location_id": shop.location_id}]
    return stage.made("PUT /shops/{shop_id}/sources", "shop owner", {"shop_id": shop.id}, {"sources": sources})


def _two_packs_of_tea(stage: Stage) -> Scene:
    """A split of what the example divides: two pieces at 19.99, sent for nothing, one part each."""
    shop, buyer = stage.market.shop, stage.newcomer()[0]
    free = SetShippingTemplate(shop_id=shop.id, name="free", measure=Measure.PIECE, zones=(), elsewhere=Rate(first_fee=0))
    variant = stage.market.offer(shop=shop, template_id=stage.world.send(free).id)
    ids = {"split_id": stage.town.kept_of(buyer, shop.id, variant, 2)}
    return stage.made("POST /operator/splits/{split_id}/booking", "operator finance", ids, {"name": "another line"})


PREPARED: dict[str, Callable[[Stage], Scene]] = {
    "POST /checkouts": _one_pack_of_tea,
    "PUT /shops/{shop_id}/goods/{goods_id}": _goods_of_another_shop,
    "PUT /shops/{shop_id}/sources": _one_location,
    "POST /operator/splits/{split_id}/booking": _two_packs_of_tea,
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_example_of_a_change_is_carried_out(stage: Stage, name: str) -> None:
    """Answered 200; nothing but what is a real person's, shop's or order's own was put in."""
    scene = PREPARED[name](stage) if name in PREPARED else stage.scene(name)
    example = body_of(name)
    if name in SAID_BEFORE:
        example = example | scene.body
    sent = b"" if example is None else encoded(real(example, scene.body))
    key = f"example-{CHANGES.index(name)}"
    (heard,) = stage.answers([Request(scene.method, scene.path, sent, headers(scene.token, key, has_body=bool(sent)))])
    assert heard.status == 200, (name, sent, heard)


@pytest.mark.parametrize("name", READS)
def test_the_example_of_a_read_is_answered(stage: Stage, name: str) -> None:
    """With every parameter that has an example, needed or not."""
    ids = stage.town.ours | {"number": "1"} if "blocks" in name else stage.town.ours
    path, query = "/v1" + ROUTES[name].path, []
    for parameter in operation(name).get("parameters", ()):
        value = ids.get(parameter["name"], parameter.get("example"))
        if parameter["name"] == "variant_ids":
            value = stage.town.ours["variant_id"]
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(value))
        elif "example" in parameter or parameter["name"] in ids:
            query.append(f"{parameter['name']}={value}")
    token = stage.town.tokens[READERS.get(ROUTES[name].owner.kind, "buyer")]
    target = path + ("?" + "&".join(query) if query else "")
    (heard,) = stage.answers([Request(ROUTES[name].method, target, b"", headers(token))])
    assert heard.status == 200, (name, target, heard)


@pytest.mark.parametrize("name", ASKED_BY_BODY)
def test_the_example_of_a_question_is_answered(stage: Stage, name: str) -> None:
    """As it is written in the description."""
    route = ROUTES[name]
    sent = headers(stage.town.tokens[READERS.get(route.owner.kind, "buyer")], has_body=True)
    (heard,) = stage.answers([Request(route.method, "/v1" + route.path, encoded(body_of(name)), sent)])
    assert heard.status == 200, (name, heard)


def test_every_operation_was_tried() -> None:
    """But those that are named above with a reason."""
    assert set(ROUTES) - set(CHANGES) - set(READS) - set(ASKED_BY_BODY) == set(ELSEWHERE)
    assert [name for name in CHANGES if ROUTES[name].client and body_of(name) is None] == []


@pytest.mark.parametrize("name", ROUTES)
def test_an_example_says_something(name: str) -> None:
    """Every text in it was thought of: none is a filler, and every id is of a kind that there is."""
    content = operation(name)["responses"]["200"]["content"]
    assert ("application/pdf" in content) == ROUTES[name].printed
    answer = None if ROUTES[name].printed else content["application/json"]["example"]
    parameters = [it.get("example") for it in operation(name).get("parameters", ())]
    text = json.dumps([answer, body_of(name), parameters])
    assert "Yunduan" not in text
    assert "obj_" not in text


def test_the_examples_tell_of_one_purchase() -> None:
    """What is sent and what is answered agree: one sum, paid over the channel, and every state follows from the one before."""
    asked, placed = body_of("POST /checkouts"), answer_of("POST /checkouts")
    assert asked["total"] == placed["total"] == asked["tenders"][0]["amount"] == placed["orders"][0]["total"]
    assert (asked["tenders"][0]["kind"], asked["tenders"][0]["channel"]) == ("channel", placed["payment"]["redirects"][0]["channel"])
    assert (placed["orders"][0]["state"], placed["payment"]["state"]) == ("placed", "pending")
    assert placed["pay_by"] == story.AT_MS + 15 * 60_000
    order = answer_of("GET /orders/{order_id}")
    assert sum(line["amount"]["amount"] for line in order["lines"]) == order["total"]["amount"] == placed["total"]["amount"]
    assert order["id"] == placed["orders"][0]["id"]
    assert order["refunded"]["amount"] == 0
    answers = {name: answer_of(f"POST {path}") for name, path in STEPS.items()}
    states = {name: answer.get("order_state") or answer["state"] for name, answer in answers.items()}
    assert states == {
        "shipped": "shipped",
        "received": "received",
        "cancelled": "cancelled",
        "declined": "cancelled",
        "refunded": "refunded",
    }


STEPS = {
    "shipped": "/shops/{shop_id}/orders/{order_id}/shipment",
    "received": "/orders/{order_id}/receipt",
    "cancelled": "/orders/{order_id}/cancel",
    "declined": "/shops/{shop_id}/orders/{order_id}/decline",
    "refunded": "/shops/{shop_id}/orders/{order_id}/refunds",
}


def answer_of(name: str) -> Any:
    """The example of what is answered."""
    return operation(name)["responses"]["200"]["content"]["application/json"]["example"]


def test_the_story_tells_of_messages_that_there_are() -> None:
    """An answer that differs is an operation's."""
    assert set(story.ANSWERS) <= {route.message.__name__ for route in REGISTRY.routes}
