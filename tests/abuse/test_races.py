"""Many at once over HTTP, each with a key and a session of its own: money and pieces are given out once, and the books balance after."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from abuse.scenes import Request, Stage, encoded, headers
from support.asgi import Heard
from unit.orders.market import channel
from yunduan.backends.sandbox import Event, Said
from yunduan.kernel.money import Money

TOTAL = 2 * 1999 + 800


def post(path: str, token: str, key: str, body: Any = None) -> Request:
    """A change."""
    sent = encoded(body)
    return Request("POST", path, sent, headers(token, key, has_body=bool(sent)))


def outcomes(heard: list[Heard]) -> Counter[tuple[int, str]]:
    """How many were answered how."""
    return Counter((it.status, "" if it.status == 200 else it.code) for it in heard)


def yuan(fen: int) -> dict[str, Any]:
    """An amount as it is sent."""
    return {"amount": fen, "currency": "CNY"}


def wallet(address: str, variants: list[str], fen: int) -> dict[str, Any]:
    """A checkout that the wallet pays."""
    return {"variant_ids": variants, "address_id": address, "total": yuan(fen), "tenders": [{"kind": "wallet", "amount": yuan(fen)}]}


@pytest.mark.slow
def test_two_hundred_checkouts_for_the_last_piece(stage: Stage) -> None:
    """One has it and has paid for it; the others are told that nothing is left, and their money and carts are as they were."""
    last = stage.market.offer(on_hand=1)
    racers = [stage.newcomer(3000) for _ in range(200)]
    for buyer, _ in racers:
        buyer.want(last)
    asks = [post("/v1/checkouts", token, f"last-{n}", wallet(buyer.address, [last], 2799)) for n, (buyer, token) in enumerate(racers)]
    heard = stage.race(asks, apart_s=0.0001)
    assert outcomes(heard) == {(200, ""): 1, (409, "sold_out"): 199}
    assert sorted(buyer.money() for buyer, _ in racers) == [201] + [3000] * 199
    assert stage.market.shelf(last) == (1, 1)
    carts = [stage.client(token)("GET", "/v1/cart").json["pieces"] for _, token in racers[:20]]
    assert carts == [0 if it.status == 200 else 1 for it in heard[:20]]
    assert stage.race(asks)[0].body == heard[0].body
    stage.market.assert_balanced()


def test_two_sessions_spend_one_wallet_at_once(stage: Stage) -> None:
    """Twenty checkouts of twenty things from two devices, and money for three."""
    buyer, first = stage.newcomer(3 * 2799 + 100)
    stage.town.sign_in("second device", stage.phone())
    tokens = [first, stage.town.tokens["second device"]]
    things = [stage.market.offer() for _ in range(20)]
    for thing in things:
        buyer.want(thing)
    asks = [post("/v1/checkouts", tokens[n % 2], f"spend-{n}", wallet(buyer.address, [thing], 2799)) for n, thing in enumerate(things)]
    assert outcomes(stage.race(asks)) == {(200, ""): 3, (409, "insufficient_funds"): 17}
    assert buyer.money() == 100
    stage.market.assert_balanced()


def test_racing_refunds_never_exceed_what_was_paid(stage: Stage) -> None:
    """Sixty parts of 3.00 by the shop and by operators together; fifteen fit into 47.98, and the buyer has exactly those."""
    buyer, _, placed = stage.placed(10_000)
    order = placed.orders[0].id
    shop = stage.town.ours["shop_id"]
    desks = [(f"/v1/shops/{shop}", "shop owner"), (f"/v1/operator/shops/{shop}", "operator finance"), (f"/v1/shops/{shop}", "shop finance")]
    asks = []
    for n in range(60):
        path, who = desks[n % 3]
        asks.append(post(f"{path}/orders/{order}/refunds", stage.town.tokens[who], f"back-{n}", {"amount": yuan(300)}))
    fits = TOTAL // 300
    assert outcomes(stage.race(asks)) == {(200, ""): fits, (409, "refund_exceeds_paid"): 60 - fits}
    assert buyer.money() == 10_000 - TOTAL + fits * 300
    assert stage.market.escrow(order) == TOTAL - fits * 300
    stage.market.assert_balanced()


@pytest.mark.parametrize("buyer_first", [True, False])
def test_cancelling_and_shipping_at_once(stage: Stage, buyer_first: bool) -> None:
    """Either the money is back and the goods are there, or the goods have left and the money waits."""
    shop = stage.town.ours["shop_id"]
    for n in range(6):
        buyer, token, placed = stage.placed(10_000)
        order = placed.orders[0].id
        (variant,) = stage.market.variants(order)
        cancel = post(f"/v1/orders/{order}/cancel", token, f"c-{n}-{buyer_first}")
        goes = {"carrier": "SF", "tracking": f"SF{n}"}
        ship = post(f"/v1/shops/{shop}/orders/{order}/shipment", stage.town.tokens["shop packer"], f"s-{n}-{buyer_first}", goes)
        heard = stage.race([cancel, ship] if buyer_first else [ship, cancel], apart_s=0.0003 * (n % 3))
        assert outcomes(heard) == {(200, ""): 1, (409, "order_in_other_state"): 1}
        cancelled = heard[0 if buyer_first else 1].status == 200
        stage.world.settle()
        assert stage.market.state(order) == ("cancelled" if cancelled else "shipped")
        assert buyer.money() == (10_000 if cancelled else 10_000 - TOTAL)
        assert stage.market.shelf(variant) == ((100, 0) if cancelled else (98, 0))
    stage.market.assert_balanced()


def test_receipts_and_refunds_at_once(stage: Stage) -> None:
    """Two receipts, four partial refunds and a whole one in every order: buyer, shop and marketplace together have what was paid."""
    shop = stage.town.ours["shop_id"]
    for n in range(12):
        buyer, token, placed = stage.shipped()
        order = placed.orders[0].id
        earned, commission, money = stage.market.earned(), stage.market.commission(), buyer.money()
        asks = [post(f"/v1/orders/{order}/receipt", token, f"r-{n}-{m}") for m in range(2)]
        refund = f"/v1/shops/{shop}/orders/{order}/refunds"
        asks += [post(refund, stage.town.tokens["shop owner"], f"p-{n}-{m}", {"amount": yuan(500)}) for m in range(4)]
        asks.append(post(refund, stage.town.tokens["shop owner"], f"w-{n}", {"amount": yuan(TOTAL)}))
        turned = asks[n % 7 :] + asks[: n % 7]
        heard = dict(zip([ask.headers[1][1] for ask in turned], stage.race(turned), strict=True))
        stage.world.settle()
        parts = sum(heard[f"p-{n}-{m}"].status == 200 for m in range(4))
        whole = heard[f"w-{n}"].status == 200
        received = sum(heard[f"r-{n}-{m}"].status == 200 for m in range(2))
        assert received + whole == 1
        assert {it.code for it in heard.values() if it.status != 200} <= {"order_in_other_state", "refund_exceeds_paid"}
        back = TOTAL if whole else parts * 500
        assert buyer.money() - money == back
        assert stage.market.earned() - earned + stage.market.commission() - commission == TOTAL - back
        assert stage.market.escrow(order) == 0
    stage.market.assert_balanced()


def test_a_parcel_that_came_back_is_sent_again_taken_in_and_paid_back_at_once(stage: Stage) -> None:
    """Everybody at once, in every order: its goods are in one place, and the buyer has the money or the goods on their way, never both."""
    shop = stage.town.ours["shop_id"]
    for n in range(12):
        buyer, token, placed = stage.shipped()
        order = placed.orders[0].id
        (variant,) = stage.market.variants(order)
        path, desk = f"/v1/shops/{shop}/orders/{order}", stage.town.tokens["shop owner"]
        goes = {"carrier": "SF Express", "tracking": f"SF{n}"}
        asks = [post(f"{path}/parcels/1/again", desk, f"a-{n}-{m}", goes) for m in range(2)]
        asks += [post(f"{path}/parcels/1/return", desk, f"b-{n}-{m}", {"restock": True}) for m in range(2)]
        asks += [post(f"{path}/refunds", desk, f"c-{n}", {"amount": yuan(TOTAL)}), post(f"/v1/orders/{order}/receipt", token, f"d-{n}")]
        turned = asks[n % 6 :] + asks[: n % 6]
        money, earned = buyer.money(), stage.market.earned() + stage.market.commission()
        taken = [it.status == 200 and ask.target.endswith("/return") for ask, it in zip(turned, stage.race(turned), strict=True)]
        stage.world.settle()
        state, on_hand = stage.market.state(order), stage.market.shelf(variant)[0]
        back = buyer.money() - money
        assert (state, back) in {("refunded", TOTAL), ("received", 0)}
        assert stage.market.earned() + stage.market.commission() - earned == TOTAL - back
        assert on_hand == 98 + 2 * sum(taken)
    stage.market.assert_balanced()


def said(stage: Stage, reference: str, fen: int, outcome: Said = Said.CAPTURED) -> Request:
    """A genuine notification."""
    sandbox = stage.market.sandbox
    event = Event(
        event=f"{reference}.{outcome}",
        merchant=sandbox.merchant,
        reference=reference,
        outcome=outcome,
        amount=Money(amount=fen, currency="CNY"),
    )
    body = encoded(event)
    return Request("POST", "/v1/channels/sandbox/notifications", body, tuple(sandbox.signed(body).items()))


def test_twenty_copies_of_a_notification_fill_a_wallet_once(stage: Stage) -> None:
    """And all of them are taken, so that the channel stops sending."""
    buyer, token = stage.newcomer()
    started = stage.answers([post("/v1/payments/top-ups", token, "fill", {"amount": yuan(5000), "channel": "sandbox"})])[0].json
    charge = reference_of(started["redirects"][0]["url"])
    heard = stage.race([said(stage, charge, 5000)] * 20, apart_s=0.0002)
    assert outcomes(heard) == {(200, ""): 20}
    assert {it.json["believed"] for it in heard} == {True}
    assert buyer.money() == 5000
    stage.market.assert_balanced()


def reference_of(url: str) -> str:
    """By what name the channel knows a charge."""
    return parse_qs(urlsplit(url).query)["reference"][0]


@pytest.mark.parametrize("turn", range(4))
def test_a_capture_a_decline_and_a_cancellation_at_once(stage: Stage, turn: int) -> None:
    """Whatever comes first, the order is paid and holds its money, or it is not and nobody keeps any of it."""
    buyer, token = stage.newcomer()
    variant = stage.market.offer()
    buyer.want(variant, 2)
    placed = buyer.buy(channel(TOTAL))
    order = placed.orders[0].id
    charge = reference_of(placed.payment.redirects[0].url)
    stage.market.sandbox.collect(charge, Money(amount=TOTAL, currency="CNY"))
    asks = [
        said(stage, charge, TOTAL),
        post(f"/v1/orders/{order}/cancel", token, f"turn-{turn}"),
        said(stage, charge, TOTAL, Said.DECLINED),
        said(stage, charge, TOTAL),
    ]
    heard = stage.race(asks[turn:] + asks[:turn])
    assert {it.status for it in heard} <= {200, 409}
    stage.world.pass_time(10_000)
    state = stage.market.state(order)
    assert state in {"paid", "cancelled"}
    assert stage.market.escrow(order) == (TOTAL if state == "paid" else 0)
    assert stage.market.shelf(variant) == ((100, 2) if state == "paid" else (100, 0))
    assert buyer.money() == 0
    stage.market.assert_balanced()
