"""改价: a shop offers an unpaid order at another price, the buyer agrees by paying anew; whichever comes first stands, to the cent."""

from typing import Any

import msgspec
import pytest

from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, channel, kept, promoted_left, wallet, yuan
from yunduan.domains.catalog.model import BuyerLimit
from yunduan.domains.notices.queries import MyNotices
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.arranging import RedirectOrder
from yunduan.domains.orders.commands import CancelOrder, Placed
from yunduan.domains.orders.facts import OfferTakenBack, OrderCancelled, PriceAgreed, PriceOffered
from yunduan.domains.orders.model import Funder, LineNote
from yunduan.domains.orders.queries import OrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.repricing import AgreePrice, OfferedPrice, OfferPrice
from yunduan.domains.orders.taxes import TaxedClass, TaxEntry
from yunduan.domains.orders.taxing import SetTaxes
from yunduan.domains.payments.model import Tender
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

PRICE = 1999
TOTAL = PRICE + SHIPPING


def offer(market: Market, id: OrderId, off: int, sent_for: int = SHIPPING, **more: Any) -> OfferPrice:
    """So much off, sent for so much."""
    return OfferPrice(**{"shop_id": market.shop.id, "order_id": id, "discount": yuan(off), "shipping": yuan(sent_for)} | more)


def agree(id: OrderId, total: int, tenders: tuple[Tender, ...] | None = None) -> AgreePrice:
    """Pay so much, from the wallet unless said otherwise."""
    return AgreePrice(order_id=id, total=yuan(total), tenders=tenders or wallet(total))


def told(market: Market, kind: type) -> list[Any]:
    """The facts of a kind."""
    rows = market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)
    return [msgspec.json.decode(body, type=kind) for (body,) in rows]


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(20_000)


def unpaid(market: Market, buyer: Buyer) -> Placed:
    """An order that waits for its channel."""
    buyer.want(market.offer(5, PRICE))
    return buyer.buy(channel(TOTAL))


def test_a_lower_price_is_offered_agreed_to_and_paid(market: Market, buyer: Buyer) -> None:
    """The old order is called off and stands as it was; the new one has the discount, the goods, address and notes."""
    variant = market.offer(5, PRICE)
    buyer.want(variant)
    old = buyer.buy(channel(TOTAL), note="请放门卫", line_notes=(LineNote(variant_id=variant, text="刻平安"),)).orders[0].id
    market.world.send(RedirectOrder(order_id=old, address_id=buyer.move_to("江苏")), actor=buyer.actor)
    made = market.world.send(offer(market, old, 500), actor=market.staff("service"))
    assert (made.is_offered, made.total, made.checkout_total) == (True, yuan(TOTAL - 500), yuan(TOTAL - 500))
    assert (market.state(old), market.shelf(variant)) == ("placed", (5, 1))
    assert market.world.ask(OfferedPrice(order_id=old), actor=buyer.actor) == made
    placed = market.world.send(agree(old, TOTAL - 500), actor=buyer.actor)
    (new,) = placed.orders
    assert (new.state.value, new.total, placed.total) == ("paid", yuan(TOTAL - 500), yuan(TOTAL - 500))
    assert (market.state(old), market.shelf(variant), market.escrow(new.id)) == ("cancelled", (5, 1), TOTAL - 500)
    view = market.world.ask(OrderOf(order_id=new.id), actor=buyer.actor)
    assert view.destination is not None
    assert (view.destination.region, view.note, view.line_notes[0].text) == ("江苏", "请放门卫", "刻平安")
    assert [(line.title, line.funder.value, line.amount) for line in view.lines if line.__struct_config__.tag == "discount"] == [
        ("改价", "shop", yuan(500))
    ]
    assert [(fact.order_id, fact.total) for fact in told(market, PriceOffered)] == [(old, yuan(TOTAL - 500))]
    assert [(fact.order_id, fact.placed_as, fact.total) for fact in told(market, PriceAgreed)] == [(old, new.id, yuan(TOTAL - 500))]
    assert [(fact.order_id, fact.was_paid, fact.by) for fact in told(market, OrderCancelled)] == [(old, False, "buyer")]
    market.world.pass_time(20 * MINUTE_MS)
    assert market.state(new.id) == "paid"
    market.ship(new.id)
    market.world.send(ConfirmReceipt(order_id=new.id), actor=buyer.actor)
    assert (market.earned(), market.commission()) == (TOTAL - 500 - 75, 75)  # 5 % of 14.99, half up
    market.assert_balanced()


def test_a_total_rises_by_its_shipping_alone(market: Market, buyer: Buyer) -> None:
    """And falls by it too."""
    id = unpaid(market, buyer).orders[0].id
    assert market.world.send(offer(market, id, 0, 3000), actor=market.staff("owner")).total == yuan(PRICE + 3000)
    (new,) = market.world.send(agree(id, PRICE + 3000), actor=buyer.actor).orders
    assert (new.total, market.escrow(new.id)) == (yuan(PRICE + 3000), PRICE + 3000)
    other = unpaid(market, buyer).orders[0].id
    market.world.send(offer(market, other, 100, 0), actor=market.staff("owner"))
    (new,) = market.world.send(agree(other, PRICE - 100), actor=buyer.actor).orders
    assert new.total == yuan(PRICE - 100)
    market.assert_balanced()


def test_the_old_price_may_be_paid_until_the_new_one_is_agreed_to(market: Market, buyer: Buyer) -> None:
    """The channel's word comes first: the order is paid as it was agreed, and there is nothing more to agree to."""
    placed = unpaid(market, buyer)
    id = placed.orders[0].id
    market.world.send(offer(market, id, 500), actor=market.staff("owner"))
    market.decide(placed.payment.redirects[0].url)
    assert (market.state(id), market.escrow(id)) == ("paid", TOTAL)
    market.assert_refused("order_in_other_state", agree(id, TOTAL - 500), buyer.actor)
    market.assert_refused("order_in_other_state", offer(market, id, 600), market.staff("owner"))
    now = market.world.ask(OfferedPrice(order_id=id), actor=buyer.actor)
    assert (now.is_offered, now.total, now.checkout_total) == (False, yuan(TOTAL), yuan(TOTAL))
    market.assert_balanced()


def test_what_is_paid_for_the_old_price_afterwards_goes_back(market: Market, buyer: Buyer) -> None:
    """The agreement comes first: the channel's money goes back, the new order is paid once, the wallet's part of the old is free."""
    buyer.want(market.offer(5, PRICE))
    placed = buyer.buy((*wallet(1000), *channel(TOTAL - 1000)))
    id, before = placed.orders[0].id, buyer.money()
    assert before == 20_000 - 1000
    market.world.send(offer(market, id, 999), actor=market.staff("owner"))
    (new,) = market.world.send(agree(id, TOTAL - 999), actor=buyer.actor).orders
    assert buyer.money() == 20_000 - (TOTAL - 999)
    market.decide(placed.payment.redirects[0].url)
    market.world.pass_time(10 * MINUTE_MS)
    assert (market.state(id), market.state(new.id), market.escrow(new.id)) == ("cancelled", "paid", TOTAL - 999)
    statement = market.sandbox.statement("CNY")
    assert [(line.amount, bool(line.request)) for line in statement if line.amount == yuan(TOTAL - 1000)] == [
        (yuan(TOTAL - 1000), False),
        (yuan(TOTAL - 1000), True),
    ]
    market.assert_balanced()


def test_the_new_price_is_paid_over_a_channel_or_lapses(market: Market, buyer: Buyer) -> None:
    """The new order waits fifteen minutes from the agreement; the old one's time does not end it."""
    id = unpaid(market, buyer).orders[0].id
    market.world.pass_time(10 * MINUTE_MS)
    market.world.send(offer(market, id, 500), actor=market.staff("owner"))
    placed = market.world.send(agree(id, TOTAL - 500, channel(TOTAL - 500)), actor=buyer.actor)
    (new,) = placed.orders
    assert (new.state.value, placed.pay_by) == ("placed", market.world.clock.wall_ms() + 15 * MINUTE_MS)
    market.world.pass_time(10 * MINUTE_MS)
    assert market.state(new.id) == "placed"
    market.world.pass_time(5 * MINUTE_MS)
    assert market.state(new.id) == "cancelled"
    assert market.world.rows("SELECT checkouts FROM order_waiting") == [(msgspec.msgpack.encode([]),)]
    market.assert_balanced()


def test_a_checkout_of_two_shops_is_agreed_to_as_a_whole(market: Market, buyer: Buyer) -> None:
    """The total is that of both; the shop that has offered nothing gets what it would have had."""
    buyer.want(market.offer(5, PRICE))
    buyer.want(market.offer(5, 4000, shop=market.other))
    mine, theirs = (order.id for order in buyer.buy(channel(TOTAL + 4000 + SHIPPING)).orders)
    made = market.world.send(offer(market, mine, 999), actor=market.staff("owner"))
    assert (made.total, made.checkout_total) == (yuan(TOTAL - 999), yuan(TOTAL - 999 + 4800))
    with pytest.raises(Refused) as no:
        market.world.send(agree(mine, TOTAL - 999), actor=buyer.actor)
    assert (no.value.code.value, no.value.figures) == ("offer_changed", msgspec.to_builtins(made))
    placed = market.world.send(agree(mine, TOTAL - 999 + 4800), actor=buyer.actor)
    assert [order.total for order in placed.orders] == [yuan(TOTAL - 999), yuan(4800)]
    assert [market.state(id) for id in (mine, theirs)] == ["cancelled", "cancelled"]
    assert len(told(market, PriceAgreed)) == 1
    market.assert_balanced()


def test_what_was_agreed_takes_an_offer_back_whatever_taxes_are_by_now(market: Market, buyer: Buyer) -> None:
    """At a new tax the agreed price would be another total: the order costs what it did, and its buyer hears that, once."""
    id = unpaid(market, buyer).orders[0].id
    market.world.send(offer(market, id, 500), actor=market.staff("owner"))
    entry = TaxEntry(tax_class=TaxedClass.STANDARD, rate_ppm=200_000)
    market.world.send(SetTaxes(country="CN", included=False, taxes=(entry,)), actor=market.operator("finance"))
    for _ in range(2):
        now = market.world.send(offer(market, id, 0), actor=market.staff("service"))
        assert (now.is_offered, now.total, now.checkout_total) == (False, yuan(TOTAL), yuan(TOTAL))
    assert [(fact.order_id, fact.total) for fact in told(market, OfferTakenBack)] == [(id, yuan(TOTAL))]
    market.world.settle()
    assert [one.kind.value for one in market.world.ask(MyNotices(limit=1), actor=buyer.actor).items] == ["offer_taken_back"]
    market.assert_refused("no_price_offered", agree(id, TOTAL), buyer.actor)


def test_a_later_offer_takes_the_place_of_the_one_before(market: Market, buyer: Buyer) -> None:
    """An old one is not agreed to; what is as it was takes it back; and what was placed anew may be offered once more."""
    id = unpaid(market, buyer).orders[0].id
    owner = market.staff("owner")
    market.world.send(offer(market, id, 500), actor=owner)
    market.world.send(offer(market, id, 300), actor=owner)
    market.assert_refused("offer_changed", agree(id, TOTAL - 500), buyer.actor)
    market.world.send(offer(market, id, 0), actor=owner)
    market.assert_refused("no_price_offered", agree(id, TOTAL), buyer.actor)
    market.world.send(offer(market, id, 500), actor=owner)
    (new,) = market.world.send(agree(id, TOTAL - 500, channel(TOTAL - 500)), actor=buyer.actor).orders
    assert market.world.send(offer(market, new.id, 200), actor=owner).total == yuan(TOTAL - 200)
    market.assert_balanced()


def test_what_the_marketplace_pays_stays_in_the_price(market: Market, buyer: Buyer) -> None:
    """Set aside for the old order, freed, and set aside for the new one."""
    market.set_aside(700)
    line = AgreedLine(variant_id=market.offer(5, PRICE), quantity=1, price=yuan(PRICE), shipping=yuan(SHIPPING))
    spring = AgreedDiscount(shop_id=market.shop.id, title="spring", funder=Funder.MARKETPLACE, amount=yuan(700))
    ask = market.agreed(buyer, [line], spring, tenders=channel(TOTAL - 700))
    id = market.world.send(ask, actor=Actor(person=buyer.person, is_system=True)).orders[0].id
    assert market.promotions() == 0
    market.world.send(offer(market, id, 299), actor=market.staff("owner"))
    (new,) = market.world.send(agree(id, TOTAL - 999), actor=buyer.actor).orders
    assert (market.escrow(new.id), market.promotions()) == (TOTAL - 299, 0)
    assert promoted_left(next(one for one in kept(market.world) if one.id == new.id)) == 700
    market.assert_balanced()


def test_what_one_buyer_may_have_is_counted_once(market: Market, buyer: Buyer) -> None:
    """Two pieces a buyer: an order that was placed anew takes the place of the one before, not more and not less."""
    tea = market.offer(9, PRICE, limit=BuyerLimit(pieces=2, days=30))
    buyer.want(tea)
    old = buyer.buy(channel(TOTAL)).orders[0].id
    market.world.send(offer(market, old, 500), actor=market.staff("owner"))
    market.world.send(agree(old, TOTAL - 500), actor=buyer.actor)
    buyer.want(tea)
    assert buyer.buy().orders[0].state.value == "paid"
    buyer.want(tea)
    market.assert_refused("buyer_limit", buyer.checkout(TOTAL), buyer.actor)


def test_offers_that_are_refused(market: Market, buyer: Buyer) -> None:
    """More off than there is, nothing to pay, another currency, whoever does not serve, another shop, an order that waits for nothing."""
    id = unpaid(market, buyer).orders[0].id
    service, other = market.staff("service"), market.other.id
    market.assert_refused("new_price_out_of_range", offer(market, id, PRICE + 1), service)
    market.assert_refused("new_price_out_of_range", offer(market, id, PRICE, 0), service)
    market.assert_refused("mixed_currencies", offer(market, id, 1, shipping=Money(amount=1, currency="EUR")), service)
    market.assert_refused("total_too_large", offer(market, id, 0, 10**15), service)
    for command, actor in (
        (offer(market, id, 1), market.staff("packer", "finance")),
        (offer(market, id, 1, shop_id=other), market.staff("owner", shop=other)),
        (offer(market, id, 1), market.staff("owner", shop=other)),
        (offer(market, id, 1), buyer.actor),
        (agree(id, TOTAL), market.buyer(5_000).actor),
        (agree(id, TOTAL), service),
    ):
        market.assert_refused("order_not_found", command, actor)
    market.assert_refused("no_price_offered", agree(id, TOTAL), buyer.actor)
    market.world.send(offer(market, id, 1), actor=service)
    market.assert_refused("tenders_do_not_match", agree(id, TOTAL - 1, wallet(TOTAL - 2)), buyer.actor)
    market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    market.assert_refused("order_in_other_state", offer(market, id, 2), service)
    market.assert_refused("order_in_other_state", agree(id, TOTAL - 1), buyer.actor)
