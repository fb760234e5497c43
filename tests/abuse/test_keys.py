"""Every change, repeated: by the same key, with another body, by somebody else, and twenty at once. One effect, one answer."""

from collections import Counter

import pytest

from abuse.scenes import CHANGES, ENDS_THE_SESSION, REGISTRY, ROUTES, SCENES, Scene, Stage
from support.asgi import Heard
from yunduan.edges.http.problems import status_of

WITHOUT_KEYS = {"POST /sessions/codes", "POST /me/contacts/codes"}
"""A stored fingerprint must not become a way to check a guess of a phone number; limits count these instead."""
KEYED = tuple(name for name in CHANGES if name not in WITHOUT_KEYS)
ANONYMOUS = {"POST /sessions"}
ALL_AT_ONCE = 20


def test_every_change_has_a_scene_and_takes_a_key() -> None:
    """A new route without a scene fails here; so does one without keys that is not named above."""
    assert set(SCENES) == set(CHANGES)
    assert {name for name, route in ROUTES.items() if route.message in REGISTRY.commands and not route.takes_key and not route.takes} == (
        WITHOUT_KEYS
    )


def grown(stage: Stage, before: Counter[str]) -> Counter[str]:
    """How many rows each table has more; what became fewer counts below zero."""
    after = Counter({name: len(rows) for name, rows in stage.town.digest().items()})
    after.subtract(before)
    return Counter({name: count for name, count in after.items() if count})


def rows(stage: Stage) -> Counter[str]:
    """How many rows each table has."""
    return Counter({name: len(found) for name, found in stage.town.digest().items()})


def code(heard: Heard) -> tuple[int, str]:
    """The status and the code of a problem."""
    return heard.status, heard.code


@pytest.mark.parametrize("name", KEYED)
def test_a_key_makes_one_effect_and_one_answer(stage: Stage, name: str) -> None:
    """Three more times the same; with another body 409; by somebody else it is another key; and none of that changes anything."""
    scene = stage.scene(name)
    key = f"once-{CHANGES.index(name)}"
    (first,) = stage.answers([scene.request(key)])
    assert first.status == 200, first
    after = stage.town.digest()
    again = stage.answers([scene.request(key)] * 3)
    if name in ENDS_THE_SESSION:
        assert [code(heard) for heard in again] == [(401, "sign_in_first")] * 3
    else:
        assert [(heard.status, heard.body) for heard in again] == [(200, first.body)] * 3
        if scene.other is not None:
            assert code(stage.answers([scene.request(key, scene.other)])[0]) == (409, "idempotency_key_reused")
    assert stage.town.digest() == after
    if name not in ANONYMOUS:
        for stranger in ("", stage.newcomer()[1]):
            before = stage.town.digest()
            (heard,) = stage.answers([scene.request(key, token=stranger)])
            assert heard.status in {200, 401, 403, 404, 409}, heard
            assert heard.status == 200 or heard.code != "idempotency_key_reused"
            assert heard.body != first.body or heard.body in ALIKE or name in SAYS_WHAT_WAS_NAMED
            if heard.status != 200:
                assert stage.town.digest() == before


ALIKE = {b"null", b'{"lines":1,"pieces":2}', b'{"ended":0}', b'{"ended":1}'}
"""Answers that are the same for everybody."""
SAYS_WHAT_WAS_NAMED = {
    "POST /cart/lines",
    "POST /reviews/{review_id}/reports",
    "PUT /goods/{goods_id}/variants/{variant_id}/wait",
    "DELETE /goods/{goods_id}/variants/{variant_id}/wait",
    "POST /me/licence-pictures",
}
"""Changes of one's own that answer with nothing but what was named and everybody may see, such as a variant in an empty cart, or with the
name of what was sent."""


@pytest.mark.parametrize("name", KEYED)
def test_twenty_racing_calls_with_one_key_are_one_call(stage: Stage, name: str) -> None:
    """The same rows as after one call, whatever the table; every answer is the same, or comes after the session's end."""
    alone, raced = stage.scene(name), stage.scene(name)
    before = rows(stage)
    (first,) = stage.answers([alone.request(f"alone-{CHANGES.index(name)}")])
    assert first.status == 200, first
    once = grown(stage, before)
    before = rows(stage)
    heard = stage.race([raced.request(f"raced-{CHANGES.index(name)}")] * ALL_AT_ONCE, apart_s=0.0002)
    assert grown(stage, before) == once
    done = [it for it in heard if it.status == 200]
    assert done
    assert len({it.body for it in done}) == 1
    late = {code(it) for it in heard if it.status != 200}
    assert late <= ({(401, "sign_in_first")} if name in ENDS_THE_SESSION else set())


def kept(stage: Stage, scene: Scene, key: str) -> int:
    """How many answers are stored under a key."""
    del scene
    return len([name for (name,) in stage.world.rows("SELECT name FROM answer") if name.startswith(key + " ")])


def test_a_refusal_is_kept_under_its_key(stage: Stage) -> None:
    """What could be done a moment later stays refused under the old key, and a new one is carried out."""
    scene = stage.scene("POST /checkouts")
    wrong = scene.body | {
        "total": {"amount": 1, "currency": "CNY"},
        "tenders": [scene.body["tenders"][0] | {"amount": {"amount": 1, "currency": "CNY"}}],
    }
    no, again = stage.answers([scene.request("kept", wrong)] * 2)
    assert code(no) == (409, "total_changed")
    assert no.body == again.body
    assert kept(stage, scene, "kept") == 1
    assert code(stage.answers([scene.request("kept")])[0]) == (409, "idempotency_key_reused")
    assert stage.answers([scene.request("anew")])[0].status == 200
    assert stage.answers([scene.request("kept", wrong)])[0].body == no.body


@pytest.mark.parametrize("name", KEYED)
def test_what_is_refused_under_a_key_is_not_refused_for_a_while(name: str) -> None:
    """The refusal is kept, and what comes too often (429, try again later) would be refused under its key long after that."""
    assert 429 not in {status_of(code.value) for code in ROUTES[name].message.refuses}


@pytest.mark.parametrize("name", sorted(WITHOUT_KEYS))
def test_what_takes_no_key_is_limited_instead(stage: Stage, name: str) -> None:
    """Twenty racing requests for a code send two letters."""
    scene = stage.scene(name)
    before = rows(stage)
    heard = stage.race([scene.request("ignored")] * ALL_AT_ONCE)
    assert Counter(it.status for it in heard) == {200: 2, 429: 18}
    assert {it.code for it in heard if it.status == 429} == {"too_many_codes"}
    assert grown(stage, before)["letter"] == 2
