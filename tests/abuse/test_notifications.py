"""What anybody may post where a payment channel speaks: refused, or written down for people to look at; nothing is credited."""

import hmac
from typing import Any

import msgspec
import pytest

from abuse.corpus import BYTES, DEEP, FRAGMENTS, places, spoilt
from abuse.scenes import Request, Stage, encoded
from abuse.test_races import reference_of
from support.asgi import Heard
from unit.orders.market import Buyer, channel
from yunduan.backends.sandbox import SIGNATURE, STALE_MS, TIMESTAMP
from yunduan.domains.orders.commands import Placed

TOTAL = 2799
CHANNEL = "/v1/channels/sandbox/notifications"
OUR_NOTES = {"payment_alert", "fact"}
"""Where it is written down that something genuine did not match."""


@pytest.fixture(scope="module")
def waiting(stage: Stage) -> tuple[Buyer, Placed, str]:
    """An order that waits for the channel; answers whose, what, and by what name the channel knows it."""
    buyer, _ = stage.newcomer()
    buyer.want(stage.market.offer())
    placed = buyer.buy(channel(TOTAL))
    return buyer, placed, reference_of(placed.payment.redirects[0].url)


def capture(stage: Stage, reference: str, **changes: Any) -> dict[str, Any]:
    """The body of the notification that would pay it."""
    said = {"event": f"{reference}.captured", "merchant": stage.market.sandbox.merchant, "reference": reference}
    return {**said, "outcome": "captured", "amount": {"amount": TOTAL, "currency": "CNY"}, "request": "", **changes}


def signed(stage: Stage, body: bytes) -> dict[str, str]:
    """The headers that the channel would send with it now."""
    return stage.market.sandbox.signed(body)


def post(stage: Stage, body: bytes, headers: dict[str, str] | list[tuple[str, str]], path: str = CHANNEL) -> Heard:
    """It is sent."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    return stage.answers([Request("POST", path, body, tuple(pairs))])[0]


def money(stage: Stage) -> dict[str, Any]:
    """Everything but the notes."""
    return {name: rows for name, rows in stage.town.digest().items() if name not in OUR_NOTES}


def test_what_is_not_signed_by_the_channel_is_refused(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """None, empty, wrong, another body's, another moment's, another key's, a half, in capitals, and in headers of other names."""
    body = encoded(capture(stage, waiting[2]))
    good = signed(stage, body)
    signature, timestamp = good[SIGNATURE], good[TIMESTAMP]
    by_secret_guess = hmac.new(b"sandbox" * 5, timestamp.encode() + b"." + body, "sha256").hexdigest()
    forged: list[Any] = [
        {},
        {TIMESTAMP: timestamp},
        {SIGNATURE: signature},
        {TIMESTAMP: "", SIGNATURE: ""},
        {TIMESTAMP: timestamp, SIGNATURE: ""},
        {TIMESTAMP: timestamp, SIGNATURE: "0" * 64},
        {TIMESTAMP: timestamp, SIGNATURE: signature[:-1]},
        {TIMESTAMP: timestamp, SIGNATURE: signature + "0"},
        {TIMESTAMP: timestamp, SIGNATURE: signature.upper()},
        {TIMESTAMP: timestamp, SIGNATURE: "null"},
        {TIMESTAMP: timestamp, SIGNATURE: "云".encode().decode("latin-1")},
        {TIMESTAMP: timestamp, SIGNATURE: by_secret_guess},
        {TIMESTAMP: str(int(timestamp) + 1), SIGNATURE: signature},
        {TIMESTAMP: "-" + timestamp, SIGNATURE: signature},
        {TIMESTAMP: timestamp + ".0", SIGNATURE: signature},
        {TIMESTAMP: "9" * 400, SIGNATURE: signature},
        signed(stage, body + b" "),
        signed(stage, b""),
        {"stripe-signature": signature, "x-signature": signature, "x-timestamp": timestamp},
        [(TIMESTAMP, timestamp), (SIGNATURE, signature), (SIGNATURE, "0" * 64)],
    ]
    before = stage.town.digest()
    for headers in forged:
        heard = post(stage, body, headers)
        assert (heard.status, heard.code) == (409, "notification_forged"), headers
    for admin in ({"authorization": f"Bearer {stage.town.tokens['operator admin']}"}, {"x-forwarded-for": "127.0.0.1"}):
        assert post(stage, body, admin).code == "notification_forged"
    assert stage.town.digest() == before


def test_what_is_stale_is_refused(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """Genuine once, but of five minutes ago or of five minutes to come."""
    body = encoded(capture(stage, waiting[2]))
    now = stage.world.clock.wall_ms()
    before = stage.town.digest()
    for at in (0, now - STALE_MS - 1, now + STALE_MS + 1, 10**14):
        heard = post(stage, body, {TIMESTAMP: str(at), SIGNATURE: stage.market.sandbox.sign(body, str(at))})
        assert (heard.status, heard.code) == (409, "notification_stale")
    assert stage.town.digest() == before


def test_what_is_genuine_and_does_not_match_pays_nothing(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """Another merchant, amount, currency, order or outcome: an alert each, the order waits on, and no account moves."""
    _, placed, reference = waiting
    others = [
        capture(stage, reference, merchant="somebody-else"),
        capture(stage, reference, merchant=""),
        *[capture(stage, reference, amount={"amount": fen, "currency": "CNY"}) for fen in (0, 1, TOTAL - 1, TOTAL + 1, 10**15)],
        capture(stage, reference, amount={"amount": TOTAL, "currency": "JPY"}),
        capture(stage, "pay_00000000000000000000000000_0"),
        capture(stage, placed.orders[0].id),
        capture(stage, stage.town.ours["payment_id"]),
        capture(stage, ""),
        capture(stage, reference, outcome="refunded", request="rfd_0"),
        capture(stage, reference, request="rfd_0"),
    ]
    before = money(stage)
    alerts = stage.world.rows("SELECT CAST(count(*) AS INTEGER) FROM payment_alert")[0][0]
    for said in others:
        body = encoded(said)
        heard = post(stage, body, signed(stage, body))
        assert heard.status in {200, 409}, (said, heard)
        assert heard.status == 409 or heard.json["believed"] is False, said
        assert heard.status == 200 or heard.code == "notification_malformed"
    after = money(stage)
    assert after == before
    assert stage.world.rows("SELECT CAST(count(*) AS INTEGER) FROM payment_alert")[0][0] - alerts >= len(others) - 2
    assert stage.market.state(placed.orders[0].id) == "placed"


def test_a_signed_body_that_cannot_be_read_is_refused(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """The channel's own key does not make nonsense true: cut short at every tenth byte, every field against the corpus."""
    said = capture(stage, waiting[2])
    whole = encoded(said)
    bodies = [whole[:length] for length in range(0, len(whole), 10)] + [part.encode() for part in DEEP] + list(BYTES)
    bodies += [spoilt(said, path, fragment) for path in places(said) if path != ("event",) for fragment in FRAGMENTS]
    bodies = [body for body in bodies if body.replace(b" ", b"") != whole] + [encoded(said | {"unknown": 1})]
    before = money(stage)
    taken = []
    for body in bodies:
        heard = post(stage, body, signed(stage, body))
        if heard.status == 200:
            assert heard.json["believed"] is False, body
            taken.append(body)
        else:
            assert heard.code in {"notification_malformed", "body_too_large"}, (body[:300], heard)
    assert money(stage) == before
    assert all(msgspec.json.decode(body)["event"] for body in taken if body != b"{}")


def test_a_giant_one_is_refused_unread(stage: Stage) -> None:
    """Signed or not, and whatever it says of its own length."""
    body = b'{"event":"' + b"x" * 70_000 + b'"}'
    before = stage.town.digest()
    for headers in (signed(stage, body), {**signed(stage, body), "content-length": "12"}, {"content-length": "1" + "0" * 11}):
        assert post(stage, body, headers).status == 413
    assert stage.town.digest() == before


def test_a_channel_that_there_is_not_hears_nothing(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """Nor does a name that only looks like one."""
    body = encoded(capture(stage, waiting[2]))
    before = stage.town.digest()
    for name in ("second", "Sandbox", "sandbox%0A", "sandbox%00", "..", "a" * 17, "%F0%9F%A6%84"):
        heard = post(stage, body, signed(stage, body), f"/v1/channels/{name}/notifications")
        assert heard.status in {400, 404, 409}, (name, heard)
        assert heard.code in {"invalid_request", "channel_unknown", "route_not_found"}
    assert stage.town.digest() == before


def test_the_genuine_one_pays_and_its_copies_do_nothing_more(stage: Stage, waiting: tuple[Buyer, Placed, str]) -> None:
    """After all of the above the order still waited; eight copies, now and minutes later, pay it once."""
    _, placed, reference = waiting
    stage.market.sandbox.collect(reference, placed.total)
    body = encoded(capture(stage, reference))
    assert post(stage, body, signed(stage, body)).json["believed"] is True
    order_id = placed.orders[0].id
    assert (stage.market.state(order_id), stage.market.escrow(order_id)) == ("paid", TOTAL)
    after = stage.town.digest()
    for _ in range(7):
        stage.world.clock.advance(30_000)
        assert post(stage, body, signed(stage, body)).json["believed"] is True
    assert stage.town.digest() == after
    stage.market.assert_balanced()
