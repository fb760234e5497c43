"""What went wrong on other platforms and is tried nowhere else: see the table in docs/security.md, which this module holds to the truth."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from abuse.scenes import HOME, ROUTES, Request, Stage, encoded, headers
from support.asgi import Heard
from unit.orders.market import channel
from yunduan.kernel.actors import ANONYMOUS, NOBODY, SYSTEM, Actor
from yunduan.kernel.ids import PersonId, ShopId

ROOT = Path(__file__).parents[2]
SECURITY = ROOT / "docs" / "security.md"
INCIDENTS = 26


def test_nobody_is_not_the_same_as_nobody() -> None:
    """Incident 2: what belongs to nobody is not owned by whoever has not signed in, nor by the cloud itself."""
    for actor in (ANONYMOUS, SYSTEM, Actor(person=NOBODY), Actor(origin="127.0.0.1")):
        assert not actor.owns(NOBODY)
        assert not actor.owns(PersonId("per_1"))
        assert not actor.serves(ShopId(""))
        assert not actor.serves(ShopId(""), "owner")
        assert not actor.operates()
        assert not actor.operates("")
    assert not Actor(person=PersonId("per_1"), shop_roles={ShopId("shp_1"): frozenset()}).serves(ShopId("shp_1"), "owner")


def pay_page(stage: Stage) -> dict[str, str]:
    """What a real address of the channel's page says."""
    buyer, _ = stage.newcomer()
    buyer.want(stage.market.offer())
    placed = buyer.buy(channel(2799))
    return dict(parse_qsl(urlsplit(placed.payment.redirects[0].url).query))


def test_a_signed_address_is_whole_or_nothing(stage: Stage) -> None:
    """Incident 3: the payment page without a signature, with an empty, blank, shortened or another's one, and with any part changed."""
    said, other = pay_page(stage), pay_page(stage)
    good = said["signature"]
    bad: list[dict[str, str]] = [{name: value for name, value in said.items() if name != "signature"}, {}]
    wrong = ("", " ", "null", "undefined", "[]", "0", good[:-1], good + "0", good.upper(), other["signature"], "\0", "云")
    bad += [said | {"signature": signature} for signature in wrong]
    bad += [said | {name: changed} for name in said for changed in ("", "1", said[name] + "0", " " + said[name]) if name != "signature"]
    queries = [urlencode(it) for it in bad] + [urlencode(said) + f"&x{number}=1" * 30 for number in range(2)]
    queries += [urlencode(said).replace("signature=", "signature[]="), "signature=" + good, urlencode([(name, "") for name in said])]
    stage.world.settle()
    before, book = stage.town.digest(), len(stage.market.sandbox.statement("CNY"))
    form = (("content-type", "application/x-www-form-urlencoded"),)
    for query in queries:
        for request in (Request("GET", f"/sandbox/pay?{query}"), Request("POST", f"/sandbox/pay?{query}", b"decision=approve", form)):
            (heard,) = stage.answers([request])
            assert (heard.status, heard.headers["content-type"]) == (404, "text/html; charset=utf-8"), query
            assert b"<form" not in heard.body
    stage.world.settle()
    assert stage.town.digest() == before
    assert len(stage.market.sandbox.statement("CNY")) == book


@pytest.mark.parametrize(
    "form", [b"", b"decision=", b"decision=APPROVE", b"decision[]=approve", b"a=1&b=2&decision=approve", b"&" * 900, b"\xff\x00"]
)
def test_a_form_that_decides_nothing_decides_nothing(stage: Stage, form: bytes) -> None:
    """Incident 20: however many parts it has, the page is shown again and the charge waits."""
    said = pay_page(stage)
    sent = (("content-type", "application/x-www-form-urlencoded"),)
    (heard,) = stage.answers([Request("POST", f"/sandbox/pay?{urlencode(said)}", form, sent)])
    assert heard.status == 200
    assert b"It waits for you." in heard.body
    multipart = (("content-type", "multipart/form-data; boundary=x"),)
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="decision"\r\n\r\napprove\r\n' for _ in range(800)) + b"--x--"
    (heard,) = stage.answers([Request("POST", f"/sandbox/pay?{urlencode(said)}", parts, multipart)])
    assert (heard.status, b"It waits for you." in heard.body) == (200, True)


def test_forms_are_not_taken_where_json_is(stage: Stage) -> None:
    """Incident 20: a change in any other type is refused unread: nothing parses its parts."""
    scene = stage.scene("POST /checkouts")
    before = stage.town.digest()
    for kind in (
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/xml",
        "",
        "application/jsonx",
    ):
        sent = [it for it in headers(scene.token, f"kind-{len(kind)}") if it[0] != "content-type"]
        (heard,) = stage.answers([Request("POST", scene.path, encoded(scene.body), (*sent, ("content-type", kind)))])
        assert (heard.status, heard.code) == (415, "media_type_unsupported"), kind
    assert stage.town.digest() == before


def lists_of(stage: Stage, who: str, theirs: dict[str, str]) -> list[Heard]:
    """Every list of a caller's own, with every filter and with cursors that name another's records."""
    own = ("/v1/orders", "/v1/cart", "/v1/wallet", "/v1/me/addresses", "/v1/me/sessions", "/v1/me")
    orders = [f"/v1/orders?state={state}&limit={limit}" for state in ("placed", "paid", "shipped") for limit in (1, 50)]
    cursors = [f"/v1/orders?after={theirs['order_id']}", "/v1/orders?after=ord_zzzzzzzzzzzzzzzzzzzzzzzzzz"]
    money = ["/v1/wallet/statement?currency=CNY&limit=50", "/v1/wallet/statement?currency=CNY&after=1"]
    token = stage.town.tokens[who]
    return stage.answers([Request("GET", target, b"", headers(token)) for target in (*own, *orders, *cursors, *money)])


@pytest.mark.parametrize(("who", "whose"), [("buyer", "theirs"), ("other", "ours")])
def test_no_filter_shows_more_than_ones_own(stage: Stage, who: str, whose: str) -> None:
    """Incident 4: nothing of the other tenant's is in any list, whatever it is narrowed, paged or sorted by."""
    theirs: dict[str, str] = getattr(stage.town, whose)
    private = {theirs[name] for name in ("order_id", "checkout_id", "payment_id", "address_id", "session_id", "number", "account_id")}
    for heard in lists_of(stage, who, theirs):
        assert heard.status in {200, 404}, heard
        assert heard.status == 200 or heard.code.endswith("_not_found")
        for secret in private:
            assert secret.encode() not in heard.body, heard


@pytest.mark.parametrize(("who", "shop", "whose"), [("shop owner", "ours", "theirs"), ("elsewhere owner", "theirs", "ours")])
def test_no_list_of_a_shop_shows_another(stage: Stage, who: str, shop: str, whose: str) -> None:
    """Incident 4, for the desk."""
    own, theirs = getattr(stage.town, shop), getattr(stage.town, whose)
    base = f"/v1/shops/{own['shop_id']}"
    targets = [f"{base}/{it}" for it in ("orders", "desk/goods", "settings", "staff", "balance", "statement?currency=CNY")]
    targets += [
        f"{base}/orders?after={theirs['order_id']}",
        f"{base}/desk/goods?after={theirs['goods_id']}",
        f"{base}/orders?state=paid&limit=50",
    ]
    private = {theirs[name] for name in ("order_id", "goods_id", "variant_id", "location_id", "template_id", "shop_id")}
    for heard in stage.answers([Request("GET", target, b"", headers(stage.town.tokens[who])) for target in targets]):
        assert heard.status in {200, 404}, heard
        for secret in private:
            assert secret.encode() not in heard.body, heard


def test_a_code_is_of_one_purpose_one_person_and_one_use(stage: Stage) -> None:
    """Incident 5: a sign-in code confirms no contact, a contact's code signs nobody in, another's is nobody's, a used one is used."""
    _, mine = stage.newcomer()
    _, yours = stage.newcomer()
    anonymous = stage.client("")
    sign_in = anonymous("POST", "/v1/sessions/codes", {"contact": "+8613020000001"}).json["id"]
    contact = stage.client(mine)("POST", "/v1/me/contacts/codes", {"contact": "mine@example.com"}).json["id"]
    signs, confirms = ({"challenge_id": it, "code": stage.code(it)} for it in (sign_in, contact))
    people = stage.world.rows("SELECT id FROM person ORDER BY id")
    contacts = stage.world.rows("SELECT * FROM contact ORDER BY 1")
    for refused in (
        stage.client(mine)("POST", "/v1/me/contacts", signs),
        stage.client(yours)("POST", "/v1/me/contacts", confirms),
        anonymous("POST", "/v1/sessions", confirms),
    ):
        assert refused.status in {404, 409}
        assert "token" not in refused.json
    assert (stage.world.rows("SELECT id FROM person ORDER BY id"), stage.world.rows("SELECT * FROM contact ORDER BY 1")) == (
        people,
        contacts,
    )
    assert anonymous("POST", "/v1/sessions", signs).status == 200
    assert anonymous("POST", "/v1/sessions", signs).status == 409
    assert stage.client(mine)("POST", "/v1/me/contacts", confirms).status == 200
    assert stage.client(mine)("POST", "/v1/me/contacts", confirms).status == 409


JWTS = (
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwZXJfMSIsImFkbWluIjp0cnVlfQ.",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwZXJfMSJ9.c2lnbmF0dXJl",
    "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdLCJ4IjoxfQ.e30.AA",
    "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.e30.AA",
    "..",
)


def test_tokens_that_say_who_they_are_of_are_not_believed(stage: Stage) -> None:
    """Incident 19: ours are opaque, so that no algorithm, key id or claim can be confused; and no library that reads others is there."""
    for token in JWTS:
        (heard,) = stage.answers([Request("GET", "/v1/me", b"", headers(token))])
        assert (heard.status, heard.code) == (401, "sign_in_first")
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = " ".join([*needs["dependencies"], *(it for extra in needs["optional-dependencies"].values() for it in extra)]).lower()
    assert not re.search(r"jwt|jose|authlib|itsdangerous", named)


SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "</title><script>alert(1)</script>",
    "'-alert(1)-'",
)


def test_what_people_write_is_never_markup(stage: Stage) -> None:
    """Incident 8: texts come back as JSON, which says so, and in the pages escaped, under a policy that runs no script."""
    for number, script in enumerate(SCRIPTS):
        scene = stage.scene("POST /orders/{order_id}/reviews")
        assert stage.answers([scene.request(f"script-{number}", scene.body | {"text": script})])[0].status == 200
        stage.world.settle()
        ((goods,),) = stage.world.rows("SELECT goods_id FROM variant WHERE id = ?", scene.body["variant_id"])
        (heard,) = stage.answers([Request("GET", f"/v1/goods/{goods}/reviews")])
        assert heard.headers["content-type"] == "application/json"
        assert script in heard.body.decode().replace('\\"', '"')
    stage.client("")("POST", "/v1/sessions/codes", {"contact": "o'neil+<b>@example.com"})
    stage.client("")("POST", "/v1/sessions/codes", {"contact": "o'neil@example.com"})
    for page in ("/development/mailbox", "/docs", f"/sandbox/pay?{urlencode(pay_page(stage))}"):
        (heard,) = stage.answers([Request("GET", page)])
        assert heard.status == 200
        assert "default-src 'self'" in heard.headers["content-security-policy"]
        assert "unsafe-inline" not in heard.headers["content-security-policy"]
        assert heard.headers["x-content-type-options"] == "nosniff"
        assert b"<script" not in heard.body
        assert b"onerror" not in heard.body
        assert b"o'neil" not in heard.body


def test_a_language_is_one_of_those_that_there_are(stage: Stage) -> None:
    """Incident 9: it comes from a list, in the body and nowhere else."""
    for language in ("zh' OR '1'='1", "zh; DROP TABLE person", "zz", "ZH", ""):
        heard = stage.client("")("POST", "/v1/sessions/codes", {"contact": "+8613020000002", "language": language})
        assert (heard.status, heard.code) == (400, "invalid_request")
    heard = [stage.client("")("GET", "/v1/goods", headers={"accept-language": it}) for it in ("zh", "' OR 1=1 --", "x" * 3000)]
    assert len({it.body for it in heard}) == 1


def test_a_total_is_counted_here_and_nowhere_else(stage: Stage) -> None:
    """Incident 10: totals and tenders that would make a sum too small are refused with the right figures, and nothing is bought."""
    scene = stage.scene("POST /checkouts")
    total = scene.body["total"]["amount"]
    before = stage.town.digest()

    def paying(fen: int, *tenders: int) -> Any:
        parts = [{"kind": "wallet", "amount": {"amount": it, "currency": "CNY"}} for it in tenders]
        return scene.body | {"total": {"amount": fen, "currency": "CNY"}, "tenders": parts}

    cheap = [paying(fen, fen) for fen in (0, 1, total - 1, total + 1)]
    for number, body in enumerate(cheap):
        (heard,) = stage.answers([scene.request(f"cheap-{number}", body)])
        assert (heard.status, heard.code) == (409, "total_changed"), body
        assert heard.json["figures"]["total"] == {"amount": total, "currency": "CNY"}
    for number, body in enumerate((paying(total, total - 1), paying(total, total, 1), paying(total, total, 0), paying(total, 0))):
        (heard,) = stage.answers([scene.request(f"short-{number}", body)])
        assert (heard.status, heard.code) == (409, "tenders_do_not_match"), body
    assert stage.town.digest() == before


def test_no_money_comes_into_a_wallet_but_by_a_channel(stage: Stage) -> None:
    """Incidents 12, 13 and 18: there is no gift card, no transfer between people, and a top-up that nobody has paid credits nothing."""
    named = {
        name for name in ROUTES if re.search("top-up|transfer|gift|credit|deposit|balance|wallet", name) and not name.startswith("GET")
    }
    takes_out = {"PUT /wallet/payee", "POST /wallet/withdrawals"}
    within_a_shop = {"POST /shops/{shop_id}/deposit", "POST /operator/shops/{shop_id}/deposit/releases"}
    came_by_a_channel = {"POST /wallet/unclaimed/{unclaimed_id}"}  # what was paid over one that would not take it back
    assert named == {"POST /payments/top-ups"} | takes_out | within_a_shop | came_by_a_channel
    buyer, token = stage.newcomer()
    for number in range(5):
        sent = headers(token, f"unpaid-{number}", has_body=True)
        body = encoded({"amount": {"amount": 10_000, "currency": "CNY"}, "channel": "sandbox"})
        assert stage.answers([Request("POST", "/v1/payments/top-ups", body, sent)])[0].json["state"] == "pending"
    stage.world.settle()
    assert buyer.money() == 0


def test_what_somebody_reads_is_not_what_another_wrote(stage: Stage) -> None:
    """Incident 21: what one has just written is in nobody else's answers, and private answers are not to be kept."""
    _, mine = stage.newcomer()
    _, yours = stage.newcomer()
    variant = stage.market.offer()
    targets = ("/v1/cart", "/v1/me", "/v1/me/addresses", "/v1/orders", "/v1/wallet")
    before = [stage.client(yours)("GET", target).body for target in targets]
    stage.client(mine)("POST", "/v1/cart/lines", {"variant_id": variant, "quantity": 3})
    stage.client(mine)("PATCH", "/v1/me", {"nickname": "只是我"})
    stage.client(mine)("POST", "/v1/me/addresses", {"address": HOME | {"city": "只是我"}})
    after = [stage.client(yours)("GET", target) for target in targets]
    assert [it.body for it in after] == before
    assert {it.headers["cache-control"] for it in after} == {"no-store"}
    assert stage.client("")("GET", "/v1/cart").status == 401


CLIENTS = {"httpx", "aiohttp", "requests", "urllib3", "urllib.request", "http.client", "smtplib", "ftplib", "socket.create_connection"}


def test_nothing_calls_out() -> None:
    """Incident 23: no module calls an address that somebody has given; whoever adds one brings the checks, and changes this."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in names if name in CLIENTS or name.split(".")[0] in CLIENTS}, path


def test_nothing_is_exported_as_a_table() -> None:
    """Incident 22: no module writes CSV; whoever adds an export brings the neutralised cells, and changes this."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        text = path.read_text()
        assert "csv.writer" not in text, path
        assert "csv.DictWriter" not in text, path
        assert "text/csv" not in text, path


def test_the_table_of_incidents_is_true() -> None:
    """Every row says where it is tested, by a test that there is, or why it does not apply yet."""
    rows = re.findall(r"^\| (\d+) \|(.+)\|$", SECURITY.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, INCIDENTS + 1))
    for number, row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert tests or "not yet:" in row, f"incident {number}"
        for path, name in tests:
            text = (ROOT / path).read_text()
            assert not name or f"def {name}(" in text, f"incident {number}: there is no {name} in {path}"
