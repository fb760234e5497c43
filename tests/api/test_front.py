"""The thin front: what is asked, by whom, and what a no looks like; on a toy domain with one route of each kind."""

import re

import msgspec
import pytest
from structlog.testing import capture_logs

from support.asgi import Client
from yunduan.testing import World

BOOK = {"title": "水浒传", "pages": 900}


def test_a_change_is_carried_out_once_per_key(client: Client, books: World) -> None:
    """The same key and content is answered with the same bytes; other content is refused; another's key is another key."""
    buyer = client.as_("buyer")
    first = buyer("POST", "/v1/books", BOOK, key="k1")
    assert first.status == 200
    assert first.json == {"id": first.json["id"], "owner": "per_buyer", "title": "水浒传", "pages": 900}
    again = buyer("POST", "/v1/books", BOOK, key="k1")
    assert (again.status, again.body) == (200, first.body)
    reused = buyer("POST", "/v1/books", {**BOOK, "pages": 1}, key="k1")
    assert (reused.status, reused.code) == (409, "idempotency_key_reused")
    other = client.as_("other")("POST", "/v1/books", BOOK, key="k1")
    assert other.json["owner"] == "per_other"
    assert books.rows("SELECT owner, pages FROM book ORDER BY owner") == [("per_buyer", 900), ("per_other", 900)]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_malformed"),
        ("a b", "idempotency_key_malformed"),
        ("x" * 256, "idempotency_key_malformed"),
        ("schlüssel", "idempotency_key_malformed"),
        ("a\tb", "idempotency_key_malformed"),
    ],
)
def test_a_change_needs_a_key_of_1_to_255_printable_characters(client: Client, books: World, key: str | None, code: str) -> None:
    """Anything else is refused and changes nothing."""
    headers = {} if key is None else {"idempotency-key": key}
    heard = client.as_("buyer")("POST", "/v1/books", BOOK, key=None, headers=headers)
    assert (heard.status, heard.code, heard.json["errors"][0]["header"]) == (400, code, "Idempotency-Key")
    assert books.rows("SELECT count(*) FROM book") == [(0,)]
    assert client.as_("buyer")("POST", "/v1/books", BOOK, key="x" * 255).status == 200


BAD_BODIES = [
    (b'{"title":""}', "/title"),
    (b'{"title":"' + b"x" * 81 + b'"}', "/title"),
    (b"{}", "/title"),
    (b'{"title":null}', "/title"),
    (b'{"title":1}', "/title"),
    (b'{"title":"a","pages":0}', "/pages"),
    (b'{"title":"a","pages":-1}', "/pages"),
    (b'{"title":"a","pages":10001}', "/pages"),
    (b'{"title":"a","pages":1.5}', "/pages"),
    (b'{"title":"a","pages":1.0}', "/pages"),
    (b'{"title":"a","pages":1e2}', "/pages"),
    (b'{"title":"a","pages":true}', "/pages"),
    (b'{"title":"a","pages":"7"}', "/pages"),
    (b'{"title":"a","pages":' + b"9" * 5000 + b"}", None),
    (b'{"title":"a","pages":9223372036854775808}', "/pages"),
    (b'{"title":"a","pages":NaN}', ""),
    (b'{"title":"a","pages":Infinity}', ""),
    (b'{"title":"a","owner":"per_other"}', "/owner"),
    (b'{"title":"a","prices":[{"page":1,"money":{"amount":-1,"currency":"CNY"}}]}', "/prices/0/money/amount"),
    (b'{"title":"a","prices":[{"page":1,"money":{"amount":1,"currency":"XXX"}}]}', "/prices/0/money"),
    (b'{"title":"a","prices":[{"page":1,"money":{"amount":1000000000000001,"currency":"CNY"}}]}', "/prices/0/money/amount"),
    (b'{"title":"a","prices":[{"page":1,"money":{"amount":1,"currency":"CNY","x":1}}]}', "/prices/0/money/x"),
    (b'{"title":"a","prices":[{},{},{},{}]}', None),
    (b'{"title":"a","title":"b"}', "/title"),
    (b'{"title":"a","prices":[{"page":1,"page":2,"money":{"amount":1,"currency":"CNY"}}]}', "/page"),
    (b'{"title":"a\\u0000b"}', ""),
    (b'{"title":"a\x00b"}', ""),
    (b'{"title":"\\ud800"}', ""),
    (b'{"title":"\\udc00 low"}', ""),
    (b'{"title":"\xed\xa0\x80"}', ""),
    (b'{"title":"\xff"}', ""),
    (b'\xef\xbb\xbf{"title":"a"}', ""),
    (b"[]", ""),
    (b"null", ""),
    (b'"title"', ""),
    (b"{", ""),
    (b'{"title":"a"} {}', ""),
    (b'{"title":"a",}', ""),
    (b"{'title':'a'}", ""),
    (b'{"x":' * 8000 + b"1" + b"}" * 8000, None),
    (b'{"prices":' + b"[" * 30000 + b"]" * 30000 + b"}", None),
    (b"[" * 60000, ""),
]


@pytest.mark.parametrize(("body", "pointer"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_refused_by_name_and_changes_nothing(client: Client, books: World, body: bytes, pointer: str | None) -> None:
    """400 with a pointer to what does not fit, whatever was sent; and what was sent is not repeated."""
    heard = client.as_("buyer")("POST", "/v1/books", body=body)
    assert (heard.status, heard.code) == (400, "invalid_request")
    if pointer is not None:
        assert heard.json["errors"][0]["pointer"] == pointer
    assert len(heard.body) < 1500
    assert books.rows("SELECT count(*) FROM book") == [(0,)]


def test_text_that_only_looks_like_a_nul_is_text(client: Client) -> None:
    """A backslash before `u0000` is a backslash."""
    heard = client.as_("buyer")("POST", "/v1/books", body=rb'{"title":"a\\u0000"}')
    assert (heard.status, heard.json["title"]) == (200, "a\\u0000")


def test_the_same_name_in_two_objects_is_no_repetition(client: Client) -> None:
    """Only within one object it is."""
    prices = [{"page": n, "money": {"amount": n, "currency": "CNY"}} for n in (1, 2)]
    assert client.as_("buyer")("POST", "/v1/books", {"title": "a", "prices": prices}).status == 200


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=51", "limit=1.5", "limit=x", "limit=true", "limit=", "limit=1e1", "limit=9999999999999999999999"),
        *("limit=1&limit=2", "nothing=1", "starts=" + "x" * 21, "starts=%00", "starts=%ff", "=1", "a&b", "ids=x"),
        "&".join(f"a{n}=1" for n in range(40)),
    ],
)
def test_a_bad_query_is_refused(client: Client, query: str) -> None:
    """Limits of the message's own form, unknown parameters, repeated ones."""
    heard = client("GET", f"/v1/books?{query}")
    assert (heard.status, heard.code) == (400, "invalid_request")


def test_a_query_is_decoded_by_the_form_of_its_message(client: Client) -> None:
    """Numbers, texts with anything in them, lists at commas."""
    buyer = client.as_("buyer")
    ids = [buyer("POST", "/v1/books", {"title": title}).json["id"] for title in ("a b+c", "a b+d", "z")]
    assert [book["id"] for book in client("GET", "/v1/books?limit=1").json] == [ids[0]]
    assert [book["id"] for book in client("GET", "/v1/books?starts=a%20b%2B").json] == ids[:2]
    assert [book["id"] for book in client("GET", "/v1/books?starts=a+b%2Bd").json] == [ids[1]]
    assert [book["id"] for book in client("GET", f"/v1/books?ids={ids[2]},{ids[0]}").json] == [ids[0], ids[2]]
    assert client("GET", "/v1/books?").status == 200


def test_there_is_no_query_beside_a_body(client: Client, books: World) -> None:
    """A parameter that would be ignored is refused."""
    assert client.as_("buyer")("POST", "/v1/books?title=x", BOOK).code == "invalid_request"
    assert books.rows("SELECT count(*) FROM book") == [(0,)]


def test_a_body_must_call_itself_json(client: Client, books: World) -> None:
    """So that no form of a foreign page can be taken for a change."""
    buyer = client.as_("buyer")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx"):
        heard = buyer("POST", "/v1/books", BOOK, headers={"content-type": kind})
        assert (heard.status, heard.code) == (415, "media_type_unsupported")
    assert books.rows("SELECT count(*) FROM book") == [(0,)]
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"):
        assert buyer("POST", "/v1/books", BOOK, headers={"content-type": kind}).status == 200


def test_a_body_is_bounded(client: Client, books: World) -> None:
    """By what it says of itself, and by what it is, in one piece or in many."""
    buyer = client.as_("buyer")
    told = buyer("POST", "/v1/books", BOOK, headers={"content-length": "65537"})
    lied = buyer("POST", "/v1/books", BOOK, headers={"content-length": "9" * 30})
    negative = buyer("POST", "/v1/books", BOOK, headers={"content-length": "-1"})
    whole = buyer("POST", "/v1/books", body=b" " * 65537)
    pieces = buyer("POST", "/v1/books", body=[b" " * 1000] * 66)
    for heard in (told, lied, negative, whole, pieces):
        assert (heard.status, heard.code, heard.headers["connection"]) == (413, "body_too_large", "close")
    assert books.rows("SELECT count(*) FROM book") == [(0,)]
    assert buyer("POST", "/v1/books", body=[b'{"title"', b':"a"', b"}" + b" " * 60000]).status == 200


def test_who_may_is_decided_before_what(client: Client, books: World) -> None:
    """401 and 403 come before 400: nobody learns the form of what is not theirs."""
    rubbish = b'{"x":1}'
    assert client("POST", "/v1/books", body=rubbish).code == "sign_in_first"
    assert client("POST", "/v1/books", body=rubbish).headers["www-authenticate"] == "Bearer"
    assert client.as_("reader")("POST", "/v1/books", body=rubbish).code == "scope_missing"
    assert client.as_("reader")("GET", "/v1/books/mine").json == 0
    assert books.rows("SELECT count(*) FROM book") == [(0,)]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic buyer", "buyer", "Bearer nobody", "Bearer  buyer", "Bearer buyer ", "Bearer " + "x" * 600],
)
def test_only_a_valid_token_signs_in(client: Client, authorization: str) -> None:
    """Empty, malformed and unknown ones are nobody's."""
    heard = client("GET", "/v1/books/mine", headers={"authorization": authorization})
    assert (heard.status, heard.code) == (401, "sign_in_first")


def test_headers_that_proxies_set_give_nobody_anything(client: Client) -> None:
    """What middleware elsewhere trusts has no effect here."""
    forged = {
        "x-user-id": "per_admin",
        "x-forwarded-user": "per_admin",
        "x-original-url": "/v1/books/mine",
        "x-http-method-override": "GET",
    }
    assert client("GET", "/v1/operators/books", headers=forged).code == "sign_in_first"
    assert client.as_("buyer")("GET", "/v1/operators/books", headers=forged).code == "role_missing"


def test_a_shop_route_is_for_its_staff_in_the_right_role(client: Client) -> None:
    """Another shop's owner is nobody here, and an operator is no shop's staff."""
    path = "/v1/shops/shp_1/books"
    assert [client.as_(name)("GET", path).status for name in ("owner", "packer")] == [200, 200]
    for name in ("stranger", "buyer", "admin"):
        assert (client.as_(name)("GET", path).status, client.as_(name)("GET", path).code) == (403, "role_missing")
    book = client.as_("buyer")("POST", "/v1/books", BOOK).json["id"]
    assert client.as_("owner")("POST", f"{path}/{book}/stamp").json is None
    assert client.as_("packer")("POST", f"{path}/{book}/stamp").code == "role_missing"


def test_an_operator_route_is_for_operators_in_the_right_role(client: Client) -> None:
    """An analyst is no admin."""
    assert client.as_("admin")("GET", "/v1/operators/books").json == 0
    assert client.as_("analyst")("GET", "/v1/operators/books").code == "role_missing"
    assert client.as_("owner")("GET", "/v1/operators/books").code == "role_missing"


def test_another_persons_record_is_as_if_it_were_not_there(client: Client, books: World) -> None:
    """To the byte."""
    book = client.as_("buyer")("POST", "/v1/books", BOOK).json["id"]
    absent = book[:-10] + "0" * 10
    other = client.as_("other")
    assert other("GET", f"/v1/books/{book}").body == other("GET", f"/v1/books/{absent}").body
    assert other("GET", f"/v1/books/{book}").code == "book_not_found"
    assert other("PATCH", f"/v1/books/{book}", {"title": "mine"}).status == 404
    assert client.as_("buyer")("GET", f"/v1/books/{book}").json["title"] == "水浒传"
    assert client.as_("buyer")("PATCH", f"/v1/books/{book}", {"title": "b"}).json["title"] == "b"


@pytest.mark.parametrize("id", ["x", "ord_", "ORD_1", "ord_1%00", "ord_1'--", "%2e%2e", "ord_" + "1" * 41])
def test_an_id_of_the_wrong_form_is_refused(client: Client, id: str) -> None:
    """Before anybody looks for it."""
    heard = client.as_("buyer")("GET", f"/v1/books/{id}")
    assert (heard.status, heard.code, heard.json["errors"][0]["parameter"]) == (400, "invalid_request", "book_id")


def test_refusals_are_409_404_or_429_and_carry_their_figures(client: Client, books: World) -> None:
    """Kept under their key like any answer."""
    buyer = client.as_("buyer")
    full = buyer("POST", "/v1/books", {"title": "full"}, key="f")
    assert (full.status, full.code, full.json["detail"], full.json["figures"]) == (409, "shelf_full", "no room", {"left": 0, "again_at": 0})
    assert buyer("POST", "/v1/books", {"title": "full"}, key="f").body == full.body
    often = buyer("POST", "/v1/books", {"title": "often"})
    assert (often.status, often.code) == (429, "too_many_books")
    assert 88 <= int(often.headers["retry-after"]) <= 90
    assert books.rows("SELECT count(*) FROM book") == [(0,)]


def test_what_the_route_reveals_is_added_after_the_commit(client: Client) -> None:
    """Or refused then."""
    assert client("POST", "/v1/door", {"code": "good"}, key=None).json == "sesame"
    wrong = client("POST", "/v1/door", {"code": "bad"}, key=None)
    assert (wrong.status, wrong.code, wrong.json["figures"]["left"]) == (409, "code_wrong", 4)


def test_somebody_elses_body_is_taken_as_it_came(client: Client) -> None:
    """Byte for byte, of any kind, with its headers."""
    heard = client(
        "POST",
        "/v1/senders/bank/words?x=1",
        body=b"\x00\xff not json",
        key=None,
        headers={"content-type": "text/plain", "x-signature": "s"},
    )
    assert heard.json == "bank s 00ff206e6f74206a736f6e"
    assert client("POST", "/v1/senders/BANK/words", body=b"x", key=None).code == "invalid_request"
    assert client("POST", "/v1/senders/bank/words", body=b"x" * 70000, key=None).status == 413


def test_unknown_paths_and_methods(client: Client) -> None:
    """404 and 405 with what one may, in the same form as every no."""
    for path in ("/v1/nothing", "/v1/books/", "/v1//books", "/v1/books/a/b", "/v1/", "/nothing", "/v1/shops//books"):
        heard = client("GET", path)
        assert (heard.status, heard.code) == (404, "route_not_found"), path
    heard = client("DELETE", "/v1/books")
    assert (heard.status, heard.code, heard.headers["allow"]) == (405, "method_not_allowed", "GET, HEAD, OPTIONS, POST")
    assert client("TRACE", "/v1/books").status == 405
    assert client("POST", "/health/live").code == "method_not_allowed"


def test_head_and_options(client: Client) -> None:
    """HEAD is GET without the body, rules included; OPTIONS says what one may and allows no other origin."""
    whole, head = client("GET", "/v1/books"), client("HEAD", "/v1/books")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)
    assert client("HEAD", "/v1/books/mine").status == 401
    assert client("HEAD", "/v1/door").status == 405
    options = client("OPTIONS", "/v1/books", headers={"origin": "https://evil.example", "access-control-request-method": "POST"})
    assert (options.status, options.body, options.headers) == (204, b"", {"allow": "GET, HEAD, OPTIONS, POST"})


@pytest.mark.usefixtures("loud")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "undeclared", 500, "broken"),
        ("POST", "break", 500, "broken"),
        ("POST", "fault", 503, "outcome_unknown"),
        ("GET", "undeclared", 500, "broken"),
        ("GET", "die", 500, "broken"),
        ("GET", "busy", 503, "busy"),
    ],
)
def test_what_breaks_is_logged_and_not_told(client: Client, method: str, path: str, status: int, code: str) -> None:
    """The client gets a number to ask by; the log gets the rest under that number."""
    with capture_logs() as logs:
        heard = client(method, "/v1/mischief", {"how": path}) if method == "POST" else client("GET", f"/v1/stumbles?how={path}")
    assert (heard.status, heard.code) == (status, code)
    for internal in (b"Zero", b"+86", b"@example", b"Traceback", b"declare", b"disk"):
        assert internal not in heard.body
    if status == 500:
        assert re.fullmatch("req_[0-9a-f]+_[0-9a-f]{6}", heard.json["request_id"])
        assert [it["request_id"] for it in logs if it["event"] == "request_broken"] == [heard.json["request_id"]]
    else:
        assert heard.headers["retry-after"] == "1"


@pytest.mark.usefixtures("loud")
def test_a_slow_request_is_logged_by_its_template_alone(client: Client) -> None:
    """No query, no path of its own: both may hold what is personal."""
    with capture_logs() as logs:
        assert client("GET", "/v1/stumbles?how=dawdle").status == 200
    (slow,) = [it for it in logs if it["event"] == "request_slow"]
    assert slow["route"] == "GET /v1/stumbles"
    assert slow["ms"] >= 300


def test_a_long_query_is_answered_beside_the_loop(client: Client) -> None:
    """With the same answer."""
    assert client("GET", "/v1/slowly").json == 0


def test_answers_say_how_they_may_be_kept(client: Client) -> None:
    """What is somebody's own is kept by nobody else."""
    assert client.as_("buyer")("GET", "/v1/books/mine").headers["cache-control"] == "no-store"
    assert client.as_("buyer")("POST", "/v1/books", BOOK).headers["cache-control"] == "no-store"
    assert client("GET", "/v1/books/mine").headers["cache-control"] == "no-store"
    assert "cache-control" not in client("GET", "/v1/books").headers


def test_health_and_metrics(client: Client, books: World) -> None:
    """Live while the loop answers; ready unless something speaks against it; counts by template."""
    assert client("GET", "/health/live").json == {"live": True}
    ready = client("GET", "/health/ready")
    assert (ready.status, ready.json["ready"], ready.json["reasons"]) == (200, True, [])
    client("GET", "/v1/books")
    client("GET", "/v1/books?limit=0")
    client.as_("buyer")("POST", "/v1/books", BOOK)
    client.as_("buyer")("GET", "/v1/books/ord_1")
    text = client("GET", "/metrics").body.decode()
    assert 'yunduan_requests_total{method="GET",route="/v1/books",status="200"} 1.0' in text
    assert 'yunduan_requests_total{method="GET",route="/v1/books",status="400"} 1.0' in text
    assert 'yunduan_requests_total{method="GET",route="/v1/books/{book_id}",status="404"} 1.0' in text
    assert 'yunduan_request_seconds_count{method="GET",route="/v1/books"} 2.0' in text
    assert "yunduan_writer_commands_total 1.0" in text
    assert "yunduan_writer_failed 0.0" in text
    books.clock.jump(86_400_000)
    client.as_("buyer")("POST", "/v1/books", BOOK)
    ready = client("GET", "/health/ready")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert ready.json["reasons"] == ["alarms are suspended until somebody confirms the time"]
    books.clock.jump(-86_400_000)
    text = client("GET", "/metrics").body.decode()
    assert "yunduan_alarms_suspended 1.0" in text
    assert "yunduan_books_ahead_seconds 86400.0" in text


def test_every_answer_is_what_the_message_says(client: Client) -> None:
    """A round trip by the message's own type."""
    from support.shelf import Book

    heard = client.as_("buyer")("POST", "/v1/books", BOOK)
    assert msgspec.json.decode(heard.body, type=Book).pages == 900
