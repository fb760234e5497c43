"""Where payments are reached, and what the edge makes of a channel's request."""

from support.payments import BUYER, OTHER, Market, cny
from yunduan.backends.sandbox import SIGNATURE, TIMESTAMP
from yunduan.domains.payments.commands import AbandonPayment, BookDifference, PayOrders, RefundEscrow, SettleEscrow, TopUpWallet
from yunduan.domains.payments.routes import ROUTES, notification
from yunduan.kernel.actors import Actor
from yunduan.runtime.registry import Ownership


def test_what_orders_decide_has_no_route() -> None:
    """Nobody outside can pay in another's name, settle, refund, abandon or book a difference."""
    inner = {PayOrders, SettleEscrow, RefundEscrow, AbandonPayment, BookDifference}
    assert inner.isdisjoint({route.message for route in ROUTES})


def test_only_a_channel_may_come_without_signing_in() -> None:
    """Everything else asks for a scope, but for what can be paid with."""
    open_to_all = [route.path for route in ROUTES if route.owner.kind is Ownership.ANYONE]
    assert open_to_all == ["/payment-methods", "/channels/{channel}/notifications"]


def test_a_notification_is_handed_on_as_it_came_with_the_channels_own_headers(market: Market) -> None:
    """And no other header has any effect; a channel that there is not gets none at all."""
    headers = {TIMESTAMP: "1", SIGNATURE: "2", "authorization": "Bearer x", "x-forwarded-for": "1.1.1.1"}
    made = notification({"channel": "sandbox"}, headers, b"\x00 raw", market.world.cloud.port)
    assert (made.channel, made.body, made.headers) == ("sandbox", b"\x00 raw", {TIMESTAMP: "1", SIGNATURE: "2"})
    assert notification({"channel": "sandbox"}, {}, b"", market.world.cloud.port).headers == {}
    assert notification({"channel": "third"}, headers, b"", market.world.cloud.port).headers == {}


def test_a_top_up_is_begun_once_for_a_key(market: Market) -> None:
    """The same key is the same payment and the same page; another person's same key is another's."""
    top_up = TopUpWallet(amount=cny(500), channel="sandbox")
    first = market.world.send(top_up, actor=Actor(person=BUYER), key="k")
    assert market.world.send(top_up, actor=Actor(person=BUYER), key="k") == first
    assert market.world.send(top_up, actor=Actor(person=OTHER), key="k").id != first.id
    assert market.world.rows("SELECT CAST(count(*) AS INTEGER) FROM payment") == [(2,)]
