"""Signing in over HTTP: what leaves the house, byte for byte."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from support.asgi import Client, Heard, call
from support.people import HOME, OTHER_PHONE, PHONE, People, wrong
from yunduan.domains.identity.commands import RegisterPerson
from yunduan.domains.identity.model import ADDRESSES_MAX, MINUTE_MS
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.watching import Here
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.settings import Settings

POSTAL = {"recipient": "林美", "phone": "0571-88157788", "country": "CN", "region": "浙江", "city": "杭州", "lines": list(HOME.lines)}


@pytest.fixture
def client(people: People) -> Client:
    """Nobody's client."""
    return Client(application(people.cloud, Settings(), admits=Sessions(people.cloud), watch=Here(people.cloud)), people.run)


def _code(client: Client, contact: str) -> dict[str, str]:
    challenge = client("POST", "/v1/sessions/codes", {"contact": contact}).json["id"]
    letters = client("GET", "/v1/development/mailbox").json["items"]
    return {"challenge_id": challenge, "code": next(it["code"] for it in letters if it["id"] == challenge)}


def _signed_in(client: Client, contact: str) -> Client:
    return client.as_(client("POST", "/v1/sessions", _code(client, contact)).json["token"])


def test_a_wrong_code_is_a_problem_and_the_right_one_a_token(people: People, client: Client) -> None:
    """The wrong one is counted; the token works from the next request on, and until it is signed out."""
    right = _code(client, PHONE)
    no = client("POST", "/v1/sessions", right | {"code": wrong(right["code"])})
    assert (no.status, no.code, no.json["figures"]) == (409, "code_wrong", {"tries_left": 4})
    assert people.rows("SELECT tries FROM challenge") == [(1,)]
    yes = client("POST", "/v1/sessions", right | {"device": "手机"})
    assert yes.status == 200
    assert set(yes.json) == {"token", "id", "person_id", "expires_at", "is_new"}
    me = client.as_(yes.json["token"])
    assert me("GET", "/v1/me").json["phone"] == PHONE
    assert [it["device"] for it in me("GET", "/v1/me/sessions").json["items"]] == ["手机"]
    assert me("POST", "/v1/me/sign-out").json == {"ended": 1}
    assert me("GET", "/v1/me").status == 401
    assert client("POST", "/v1/sessions", right).code == "challenge_ended"


def test_a_lost_answer_is_asked_for_again_by_its_key(client: Client) -> None:
    """The same token, one session; a wrong code stays the same wrong code."""
    right = _code(client, PHONE)
    no = [client("POST", "/v1/sessions", right | {"code": wrong(right["code"])}, key="k-1").json["figures"] for _ in range(3)]
    assert no == [{"tries_left": 4}] * 3
    first, again = (client("POST", "/v1/sessions", right, key="k-2") for _ in range(2))
    assert first.body == again.body
    assert len(client.as_(first.json["token"])("GET", "/v1/me/sessions").json["items"]) == 1


def _without_id(heard: Heard) -> tuple[int, dict[str, str], dict[str, object]]:
    own = {"x-request-id", "date"}
    body = {name: value for name, value in heard.json.items() if name not in {"id", "request_id", "instance"}}
    return heard.status, {name: value for name, value in heard.headers.items() if name not in own}, body


def test_known_and_unknown_contacts_look_the_same_from_outside(people: People, client: Client) -> None:
    """Status, headers, body; and the refusal of the third, with when to try again."""
    people.send(RegisterPerson(phone=PHONE))
    seen = {
        contact: [_without_id(client("POST", "/v1/sessions/codes", {"contact": contact})) for _ in range(3)]
        for contact in (PHONE, OTHER_PHONE)
    }
    assert seen[PHONE] == seen[OTHER_PHONE]
    status, _, problem = seen[PHONE][2]
    assert (status, problem["code"]) == (429, "too_many_codes")
    assert problem["figures"] == {"again_at": people.clock.wall_ms() + MINUTE_MS}


def test_addresses_are_ones_own(client: Client) -> None:
    """To everybody else they are not there."""
    mei, wei = _signed_in(client, PHONE), _signed_in(client, OTHER_PHONE)
    id = mei("POST", "/v1/me/addresses", {"address": POSTAL}).json["id"]
    (kept,) = mei("GET", "/v1/me/addresses").json["items"]
    assert (kept["id"], kept["is_default"], kept["address"]["phone"]) == (id, True, "+8657188157788")
    for stranger, status in ((wei, 404), (client, 401)):
        assert stranger("PUT", f"/v1/me/addresses/{id}", {"address": POSTAL}).status == status
        assert stranger("DELETE", f"/v1/me/addresses/{id}").status == status
    assert mei("POST", "/v1/me/addresses", {"address": POSTAL | {"country": "ZZ"}}).code == "country_unknown"
    assert mei("DELETE", f"/v1/me/addresses/{id}").status == 200
    assert mei("GET", "/v1/me/addresses").json == {"items": []}


@pytest.mark.parametrize("token", ["", " ", "null", "undefined", "yds_", "[]", "yds_" + "A" * 43, "yds_" + "A" * 500])
def test_a_token_that_is_nobodys_opens_nothing(client: Client, token: str) -> None:
    """Empty, made up, or far too long."""
    assert client("GET", "/v1/me", headers={"authorization": f"Bearer {token}"}).status == 401


def test_being_forgotten_ends_the_session(people: People, client: Client) -> None:
    """And the number is anybody's again."""
    mei = _signed_in(client, PHONE)
    person = mei("GET", "/v1/me").json["id"]
    assert mei("DELETE", "/v1/me").status == 200
    people.settle()
    assert mei("GET", "/v1/me").status == 401
    assert _signed_in(client, PHONE)("GET", "/v1/me").json["id"] != person


def test_a_full_address_book_is_no_matter_of_time(client: Client) -> None:
    """Waiting does not help, so nobody is told to: one address has to go first, and then a new key is carried out."""
    mei = _signed_in(client, PHONE)
    kept = [mei("POST", "/v1/me/addresses", {"address": POSTAL}).json["id"] for _ in range(ADDRESSES_MAX)]
    full = mei("POST", "/v1/me/addresses", {"address": POSTAL}, key="one-more")
    assert (full.status, full.code) == (409, "addresses_full")
    assert "retry-after" not in full.headers
    assert mei("DELETE", f"/v1/me/addresses/{kept[0]}").status == 200
    assert mei("POST", "/v1/me/addresses", {"address": POSTAL}, key="one-more").body == full.body
    assert mei("POST", "/v1/me/addresses", {"address": POSTAL}).status == 200


def test_tokens_that_arrive_together_are_looked_up_at_once(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is answered as if it had come alone: those that are nobody's, and those that have no form, too."""
    mine = [people.vault.token(people.opened(f"+861380013800{n}").session_id) for n in range(5)]
    ended, _, *open = mine
    Client(application(people.cloud, Settings(), admits=Sessions(people.cloud), watch=Here(people.cloud)), people.run).as_(ended)(
        "POST", "/v1/me/sign-out"
    )
    people.cloud.remember()
    loaded: list[int] = []
    load = people.cloud._look._reader.load

    def noted(table: Table[Any, Any], keys: Sequence[Any]) -> list[Row]:
        loaded.append(len(keys))
        return load(table, keys)

    monkeypatch.setattr(people.cloud._look._reader, "load", noted)
    front = application(people.cloud, Settings(), admits=Sessions(people.cloud), watch=Here(people.cloud))
    shown = [*(f"Bearer {token}" for token in (ended, *open, "made up")), "Basic YTpi", ""]

    async def together() -> list[Heard]:
        headers = [
            {"content-type": "application/json", "idempotency-key": "k-1"} | ({"authorization": one} if one else {}) for one in shown
        ]
        return list(await asyncio.gather(*(call(front, "POST", "/v1/me/sign-out", body=b"{}", headers=one) for one in headers)))

    assert [heard.status for heard in people.run(together())] == [401, 200, 200, 200, 401, 401, 401]
    assert loaded[0] == 5
    assert loaded[1:] == [1, 1]  # nobody's token is not remembered
