"""Before goods leave they may be sent elsewhere, for the same shipping; notes on orders and lines are sealed, read by whom they are for."""

import pytest

from unit.orders.market import SHIPPING, Buyer, Market, channel, wallet, yuan
from yunduan.domains.catalog.commands import SetShippingTemplate
from yunduan.domains.catalog.model import Measure, Place, Rate, Zone
from yunduan.domains.identity.commands import ChangeAddress, ErasePerson, RemoveAddress
from yunduan.domains.identity.model import Postal
from yunduan.domains.orders.arranging import NoteOrder, RedirectOrder
from yunduan.domains.orders.commands import CancelOrder
from yunduan.domains.orders.facts import OrderRedirected
from yunduan.domains.orders.model import ABROAD_MS, LineNote
from yunduan.domains.orders.queries import OrderOf, OrderView, ShopOrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.repricing import AgreePrice, OfferPrice
from yunduan.domains.orders.taxes import TaxedClass, TaxEntry
from yunduan.domains.orders.taxing import SetTaxes
from yunduan.kernel.ids import OrderId, VariantId
from yunduan.kernel.refusals import Refused

THERE = Postal(recipient="陈晨", phone="13900139000", country="CN", region="浙江省", city="宁波", lines=("中山路8号",))


def templates(market: Market, *zones: Zone) -> None:
    """Where the shop sends to, and for how much."""
    shop = market.shop
    market.world.send(SetShippingTemplate(shop_id=shop.id, id=shop.template_id, name="standard", measure=Measure.PIECE, zones=zones))


def zone(fee: int, *places: Place) -> Zone:
    """So much to these places."""
    return Zone(places=places, rate=Rate(first_units=100, first_fee=fee))


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money, at home in 浙江."""
    return market.buyer(50_000)


def placed(market: Market, buyer: Buyer) -> OrderId:
    """A paid order."""
    buyer.want(market.offer(5))
    return buyer.buy().orders[0].id


def seen(market: Market, buyer: Buyer, id: OrderId) -> OrderView:
    """As its buyer sees it."""
    return market.world.ask(OrderOf(order_id=id), actor=buyer.actor)


def test_an_order_goes_to_another_address_as_it_is_now(market: Market, buyer: Buyer) -> None:
    """Who ships sees the new one; what becomes of it in the book later changes nothing; what was agreed stands."""
    id, shop_id = placed(market, buyer), market.shop.id
    before, total = seen(market, buyer, id), buyer.money()
    assert (before.destination.city if before.destination else "", before.redirected_at) == ("杭州", 0)
    other = buyer.move_to("浙江")
    market.world.send(ChangeAddress(address_id=other, address=THERE), actor=buyer.actor)
    market.world.clock.advance(1000)
    market.world.send(RedirectOrder(order_id=id, address_id=other), actor=buyer.actor)
    market.world.send(RemoveAddress(address_id=other), actor=buyer.actor)
    for view in (seen(market, buyer, id), market.world.ask(ShopOrderOf(shop_id=shop_id, order_id=id), actor=market.staff("packer"))):
        assert view.destination is not None
        assert (view.destination.recipient, view.destination.city, view.destination.phone) == ("陈晨", "宁波", "+8613900139000")
        assert view.redirected_at == market.world.clock.wall_ms()
        assert (view.total, view.lines) == (before.total, before.lines)
    assert market.world.ask(ShopOrderOf(shop_id=shop_id, order_id=id), actor=market.staff("service")).destination is None
    assert buyer.money() == total
    assert market.world.rows("SELECT count(*) FROM fact WHERE kind = ?", OrderRedirected.__name__) == [(1,)]
    assert not market.holds("中山路")
    market.assert_balanced()


def test_an_unpaid_order_is_redirected_too(market: Market, buyer: Buyer) -> None:
    """Nothing has left."""
    buyer.want(market.offer(5))
    id = buyer.buy(channel(2799)).orders[0].id
    market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("江苏")), actor=buyer.actor)
    found = seen(market, buyer, id).destination
    assert found is not None
    assert found.region == "江苏"


def test_another_region_has_to_cost_what_was_agreed(market: Market, buyer: Buyer) -> None:
    """Cheaper and dearer are refused alike, with both sums; where it is not served, and abroad; within the region any sum will do."""
    china, near = Place(country="CN"), Place(country="CN", region="上海")
    id = placed(market, buyer)
    templates(
        market, zone(SHIPPING, china), zone(500, near), Zone(places=(Place(country="CN", region="西藏"),)), zone(900, Place(country="SG"))
    )
    for region, code in (("上海", "shipping_differs"), ("西藏", "region_not_served")):
        market.assert_refused(code, RedirectOrder(order_id=id, address_id=buyer.move_to(region)), buyer.actor)
    with pytest.raises(Refused) as no:
        market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("上海")), actor=buyer.actor)
    assert no.value.figures == {"here": {"amount": 800, "currency": "CNY"}, "there": {"amount": 500, "currency": "CNY"}}
    abroad = buyer.move_to("Central", country="SG", phone="+65 6123 4567")
    market.assert_refused("country_differs", RedirectOrder(order_id=id, address_id=abroad), buyer.actor)
    templates(market, zone(2000, china), zone(900, near))
    market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("浙江省")), actor=buyer.actor)
    market.assert_refused("shipping_differs", RedirectOrder(order_id=id, address_id=buyer.move_to("上海")), buyer.actor)


def test_what_a_shop_has_agreed_to_is_no_reason_to_refuse_a_region(market: Market, buyer: Buyer) -> None:
    """It sends for nothing what costs 8.00 here and there; or the same everywhere, but more than when it was bought; not what differs."""
    buyer.want(market.offer(5, 5000))
    first = buyer.buy(channel(5800)).orders[0].id
    offer = OfferPrice(shop_id=market.shop.id, order_id=first, discount=yuan(0), shipping=yuan(0))
    market.world.send(offer, actor=market.staff("service"))
    id = market.world.send(AgreePrice(order_id=first, total=yuan(5000), tenders=wallet(5000)), actor=buyer.actor).orders[0].id
    market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("江苏")), actor=buyer.actor)
    templates(market, zone(2000, Place(country="CN")), zone(900, Place(country="CN", region="上海")))
    market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("浙江")), actor=buyer.actor)
    market.assert_refused("shipping_differs", RedirectOrder(order_id=id, address_id=buyer.move_to("上海")), buyer.actor)
    assert seen(market, buyer, id).total.amount == 5000


def test_another_region_has_to_have_the_same_taxes(market: Market, buyer: Buyer) -> None:
    """What 上海 adds was not paid for; the way back is refused alike, what is not taxed goes anywhere, and so does what has the same."""
    for region, name, rate_ppm in (("", "VAT", 50_000), ("上海", "LOCAL", 200_000)):
        entry = TaxEntry(tax_class=TaxedClass.STANDARD, rate_ppm=rate_ppm, name=name)
        market.world.send(SetTaxes(country="CN", region=region, included=False, taxes=(entry,)), actor=market.operator("finance"))
    tea, book = market.offer(5, 10_000), market.offer(5, 10_000, tax_class="exempt")
    buyer.want(tea)
    assert buyer.total() == 11_340
    id, there = buyer.buy().orders[0].id, buyer.move_to("上海")
    market.assert_refused("taxes_differ", RedirectOrder(order_id=id, address_id=there), buyer.actor)
    with pytest.raises(Refused) as no:
        market.world.send(RedirectOrder(order_id=id, address_id=there), actor=buyer.actor)
    assert no.value.figures == {"here": {"amount": 540, "currency": "CNY"}, "there": {"amount": 2700, "currency": "CNY"}}
    buyer.want(tea)
    assert buyer.total() == 13_500
    taxed = buyer.buy().orders[0].id
    home = buyer.move_to("江苏")
    market.assert_refused("taxes_differ", RedirectOrder(order_id=taxed, address_id=home), buyer.actor)
    market.world.send(RedirectOrder(order_id=id, address_id=home), actor=buyer.actor)
    buyer.want(book)
    free = buyer.buy().orders[0].id
    market.world.send(RedirectOrder(order_id=free, address_id=there), actor=buyer.actor)
    assert seen(market, buyer, id).total.amount == 11_340


def test_the_receipt_of_what_was_redirected_is_reckoned_by_where_it_goes(market: Market, buyer: Buyer) -> None:
    """Abroad it was and abroad it stays: thirty days."""
    templates(market, zone(SHIPPING, Place(country="SG")))
    buyer.move_to("Central", country="SG", phone="+65 6123 4567")
    id = placed(market, buyer)
    market.world.send(RedirectOrder(order_id=id, address_id=buyer.move_to("East", country="SG", phone="+65 6123 4567")), actor=buyer.actor)
    market.ship(id)
    assert seen(market, buyer, id).receive_by == market.world.clock.wall_ms() + ABROAD_MS


def test_who_may_not_redirect_and_when(market: Market, buyer: Buyer) -> None:
    """Nobody else's order, no address of somebody else, none that has left or was called off."""
    id, other = placed(market, buyer), market.buyer()
    ask = RedirectOrder(order_id=id, address_id=buyer.move_to("江苏"))
    for actor in (other.actor, market.staff("owner"), market.operator("admin")):
        market.assert_refused("order_not_found", ask, actor)
    market.assert_refused("address_not_found", RedirectOrder(order_id=id, address_id=other.address), buyer.actor)
    market.ship(id)
    market.assert_refused("order_in_other_state", ask, buyer.actor)
    gone = placed(market, buyer)
    market.world.send(CancelOrder(order_id=gone), actor=buyer.actor)
    market.assert_refused("order_in_other_state", RedirectOrder(order_id=gone, address_id=buyer.address), buyer.actor)


def test_lines_have_notes_of_their_own(market: Market, buyer: Buyer) -> None:
    """Each order has those of its lines, once a line; the buyer and who ships read them, nobody else, and nobody once the buyer is gone."""
    buyer = market.buyer(2 * 2799)
    ring, pot = market.offer(5), market.offer(5, shop=market.other)
    buyer.want(ring)
    buyer.want(pot)
    said = (LineNote(variant_id=ring, text="刻平安"), LineNote(variant_id=ring, text="刻如意"))
    mine, theirs = (order.id for order in buyer.buy(line_notes=said).orders)
    assert seen(market, buyer, mine).line_notes == (LineNote(variant_id=ring, text="刻如意"),)
    assert seen(market, buyer, theirs).line_notes == ()
    asked = ShopOrderOf(shop_id=market.shop.id, order_id=mine)
    assert market.world.ask(asked, actor=market.staff("packer")).line_notes[0].text == "刻如意"
    assert market.world.ask(asked, actor=market.staff("finance")).line_notes == ()
    assert market.world.ask(OrderOf(order_id=mine), actor=market.operator("service")).line_notes == ()
    assert not market.holds("刻如意")
    for id, shop in ((mine, market.shop.id), (theirs, market.other.id)):
        market.ship(id, shop)
        market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    assert market.world.ask(asked, actor=market.staff("packer")).line_notes == ()


def test_a_note_about_what_is_not_bought_is_refused(market: Market, buyer: Buyer) -> None:
    """In the cart or not."""
    tea, cup = market.offer(5), market.offer(5)
    buyer.want(tea)
    for strange in (cup, VariantId("var_0")):
        ask = buyer.checkout(2799, line_notes=(LineNote(variant_id=strange, text="好"),))
        market.assert_refused("cart_line_not_found", ask, buyer.actor)


def test_a_shop_notes_for_itself(market: Market, buyer: Buyer) -> None:
    """Staff read it, the buyer and operators do not; a later one takes its place, an empty one takes it back; and it is sealed."""
    id, shop_id = placed(market, buyer), market.shop.id
    asked = ShopOrderOf(shop_id=shop_id, order_id=id)
    for memo in ("先发茶", "客人催过"):
        market.world.send(NoteOrder(shop_id=shop_id, order_id=id, memo=memo), actor=market.staff("service"))
        assert market.world.ask(asked, actor=market.staff("finance")).memo == memo
    assert seen(market, buyer, id).memo is None
    assert market.world.ask(OrderOf(order_id=id), actor=market.operator("service")).memo is None
    assert not market.holds("客人")
    other = market.other.id
    for actor in (buyer.actor, market.staff("finance"), market.staff("owner", shop=other), market.operator("admin")):
        market.assert_refused("order_not_found", NoteOrder(shop_id=shop_id, order_id=id, memo="x"), actor)
    market.assert_refused("order_not_found", NoteOrder(shop_id=other, order_id=id, memo="x"), market.staff("owner", shop=other))
    market.world.send(NoteOrder(shop_id=shop_id, order_id=id, memo=""), actor=market.staff("packer"))
    assert market.world.ask(asked, actor=market.staff("owner")).memo is None
