"""Orders of a shop that has several locations: where they leave from, parcel by parcel, and where what comes back lies."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.stores import Place as Ground
from support.stores import place
from unit.orders.market import Buyer, Market, channel, yuan
from yunduan.domains.catalog.commands import CreateLocation, SetSources, SetStock
from yunduan.domains.catalog.model import Place, Source, StockReason
from yunduan.domains.catalog.queries import HoldOf, StockAudit
from yunduan.domains.orders import model, packing
from yunduan.domains.orders.arranging import RedirectOrder
from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.claiming import AgreeToCase, ConfirmReturn, OpenCase, SendBack
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder
from yunduan.domains.orders.packing import OrdersToPack, OrdersToPackPage
from yunduan.domains.orders.queries import OrderOf, PreviewCheckout, ShopOrderOf
from yunduan.domains.orders.repricing import AgreePrice, OfferPrice
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.orders.sources import ParcelToCome
from yunduan.kernel.ids import LocationId, OrderId, VariantId
from yunduan.kernel.refusals import Refused

__all__ = ["place"]
WEALTH = 100_000


class Chain:
    """A shop with two locations, and a buyer in 浙江."""

    def __init__(self, market: Market) -> None:
        """Add the second."""
        self.market, self.world, self.shop = market, market.world, market.shop.id
        second = self.world.send(CreateLocation(shop_id=self.shop, name="二仓", country="CN")).id
        self.places: tuple[LocationId, LocationId] = (market.shop.location_id, second)
        self.buyer: Buyer = market.buyer(WEALTH)
        self.staff, self.packer = market.staff("manager"), market.staff("packer")

    def goods(self, here: int, there: int) -> VariantId:
        """A variant with so many pieces at each location."""
        id = self.market.offer(here)
        ask = {"shop_id": self.shop, "variant_id": id, "location_id": self.places[1], "reason": StockReason.COUNTED}
        self.world.send(SetStock(on_hand=there, **ask))
        return id

    def say(self, first: tuple[str, ...] = (), second: tuple[str, ...] = (), *, splits: bool = True) -> None:
        """Which regions each location sends to."""
        sources = [
            Source(location_id=id, places=tuple(Place(country="CN", region=region) for region in regions))
            for id, regions in zip(self.places, (first, second), strict=True)
        ]
        self.world.send(SetSources(shop_id=self.shop, sources=tuple(sources), splits=splits))

    def bought(self, *wanted: tuple[VariantId, int]) -> OrderId:
        """A paid order of these."""
        for id, pieces in wanted:
            self.buyer.want(id, pieces)
        return self.buyer.buy().orders[0].id

    def leaves(self, order: OrderId) -> list[tuple[VariantId, int, int]]:
        """(variant, which location, pieces) as the packer sees what has not left."""
        seen = self.world.ask(ShopOrderOf(shop_id=self.shop, order_id=order), actor=self.packer)
        return [(one.variant_id, self.places.index(one.location_id), one.pieces) for one in seen.leaves_from]

    def held(self, order: OrderId) -> list[tuple[VariantId, int, int]]:
        """The same of any order, as the catalog has it."""
        hold = self.world.ask(HoldOf(hold_id=model.hold_of(order)))
        return [(line.variant_id, self.places.index(line.location_id), line.waits) for line in hold.lines] if hold else []

    def lies(self, id: VariantId) -> list[tuple[int, int]]:
        """(on hand, held) at each location."""
        rows = {row[0]: row[1:] for row in self.world.rows("SELECT location_id, on_hand, held FROM stock WHERE variant_id = ?", id)}
        return [rows[place] for place in self.places]

    def parcel(self, order: OrderId, where: int | None, *wanted: tuple[VariantId, int]) -> ShipParcel:
        """Some of the pieces leave from a location."""
        packed = tuple(PieceLine(variant_id=id, quantity=pieces) for id, pieces in wanted)
        location = None if where is None else self.places[where]
        return ShipParcel(shop_id=self.shop, order_id=order, carrier="SF Express", tracking="SF1", lines=packed, location_id=location)

    def assert_right(self) -> None:
        """Books, escrows, stock and holds agree."""
        self.market.assert_balanced()
        assert self.world.ask(StockAudit()) == []


@pytest.fixture
def chain(place: Ground, tmp_path: Path) -> Iterator[Chain]:
    """On each store."""
    market = Market(tmp_path, place.open())
    yield Chain(market)
    market.close()


def test_an_order_that_no_location_has_leaves_in_a_parcel_from_each(chain: Chain) -> None:
    """The packer sees what leaves from where, no parcel takes from another's shelf, and the buyer pays for one shipment."""
    tea, pot = chain.goods(5, 0), chain.goods(0, 5)
    order = chain.bought((tea, 2), (pot, 3))
    assert chain.leaves(order) == [(tea, 0, 2), (pot, 1, 3)]
    mine = chain.world.ask(OrderOf(order_id=order), actor=chain.buyer.actor)
    assert (mine.total, mine.leaves_from) == (yuan(5 * 1999 + 800), ())
    chain.market.assert_refused("more_than_is_held", chain.parcel(order, 0, (pot, 1)), chain.packer)
    chain.market.assert_refused("more_than_is_held", chain.parcel(order, 0, (tea, 2), (pot, 3)), chain.packer)
    assert chain.world.send(chain.parcel(order, 1, (pot, 3)), actor=chain.packer).state.value == "partly_shipped"
    assert (chain.leaves(order), chain.lies(pot)) == ([(tea, 0, 2)], [(0, 0), (2, 0)])
    chain.market.assert_refused("more_than_is_held", chain.parcel(order, 1, (tea, 2)), chain.packer)
    assert chain.world.send(chain.parcel(order, 0, (tea, 2)), actor=chain.packer).state.value == "shipped"
    seen = chain.world.ask(ShopOrderOf(shop_id=chain.shop, order_id=order), actor=chain.packer)
    assert [(one.location_id, len(one.lines)) for one in seen.parcels] == [(chain.places[1], 1), (chain.places[0], 1)]
    assert (seen.leaves_from, chain.lies(tea)) == ((), [(3, 0), (0, 0)])
    chain.assert_right()


def test_who_does_not_say_from_where_takes_from_where_it_is_held(chain: Chain) -> None:
    """All in one parcel, or some, as with one location."""
    tea = chain.goods(2, 3)
    first, second = chain.bought((tea, 3)), chain.bought((tea, 1))
    assert (chain.leaves(first), chain.leaves(second)) == ([(tea, 1, 3)], [(tea, 0, 1)])
    chain.world.send(chain.parcel(first, None, (tea, 1)), actor=chain.packer)
    ship = ShipOrder(shop_id=chain.shop, order_id=first, carrier="SF Express", tracking="SF2")
    assert chain.world.send(ship, actor=chain.packer).state.value == "shipped"
    assert chain.lies(tea) == [(2, 1), (0, 0)]
    chain.assert_right()


def test_what_is_called_off_is_free_where_it_lay(chain: Chain) -> None:
    """Whole, and the rest of what has left from one location."""
    tea = chain.goods(2, 3)
    order = chain.bought((tea, 5))
    assert chain.leaves(order) == [(tea, 0, 2), (tea, 1, 3)]
    chain.world.send(chain.parcel(order, 1, (tea, 2)), actor=chain.packer)
    chain.world.send(DeclineOrder(shop_id=chain.shop, order_id=order), actor=chain.staff)
    assert chain.lies(tea) == [(2, 0), (1, 0)]
    whole = chain.bought((tea, 3))
    chain.world.send(CancelOrder(order_id=whole), actor=chain.buyer.actor)
    assert chain.lies(tea) == [(2, 0), (1, 0)]
    chain.assert_right()


def test_a_shop_that_does_not_split_says_so_before_the_buyer_pays(chain: Chain) -> None:
    """At the preview with an address and at the checkout; without one nobody knows yet; parts of it are bought."""
    tea, pot = chain.goods(5, 0), chain.goods(0, 5)
    chain.say(splits=False)
    chain.buyer.want(tea)
    chain.buyer.want(pot)
    with pytest.raises(Refused, match="not_from_one_location"):
        chain.buyer.total()
    assert chain.world.ask(PreviewCheckout(), actor=chain.buyer.actor).total == yuan(2 * 1999)
    chain.market.assert_refused("not_from_one_location", chain.buyer.checkout(2 * 1999 + 800), chain.buyer.actor)
    assert chain.buyer.buy(variant_ids=(tea,), total=1999 + 800, tenders=channel(1999 + 800)).total == yuan(1999 + 800)
    assert chain.lies(tea) == [(5, 1), (0, 0)]
    chain.assert_right()


def test_an_order_leaves_from_where_its_place_is_served(chain: Chain) -> None:
    """What lies elsewhere cannot be bought for there; where nobody sends to nothing can."""
    tea = chain.goods(3, 3)
    chain.say(("广东",), ("浙江",))
    assert chain.leaves(chain.bought((tea, 2))) == [(tea, 1, 2)]
    chain.buyer.want(tea, 2)
    with pytest.raises(Refused) as refused:
        chain.buyer.total()
    assert (refused.value.code.value, [one.available for one in refused.value.figures.lines]) == ("sold_out", [1])
    chain.market.assert_refused("sold_out", chain.buyer.checkout(2 * 1999 + 800), chain.buyer.actor)
    chain.buyer.move_to("北京")
    with pytest.raises(Refused, match="region_not_served"):
        chain.buyer.total()
    chain.market.assert_refused("region_not_served", chain.buyer.checkout(2 * 1999 + 800), chain.buyer.actor)
    chain.buyer.move_to("广东")
    assert chain.leaves(chain.buyer.buy().orders[0].id) == [(tea, 0, 2)]
    chain.assert_right()


def test_an_order_that_is_sent_elsewhere_leaves_from_where_that_is_served(chain: Chain) -> None:
    """It is held there, or goes where it went."""
    tea = chain.goods(3, 3)
    chain.say(("广东",), ("浙江",))
    order = chain.bought((tea, 2))
    beijing, guangdong = chain.buyer.move_to("北京"), chain.buyer.move_to("广东")
    chain.market.assert_refused("region_not_served", RedirectOrder(order_id=order, address_id=beijing), chain.buyer.actor)
    chain.world.send(RedirectOrder(order_id=order, address_id=guangdong), actor=chain.buyer.actor)
    assert (chain.leaves(order), chain.lies(tea)) == ([(tea, 0, 2)], [(3, 2), (3, 0)])
    more = chain.buyer.move_to("浙江")
    chain.bought((tea, 2))
    chain.market.assert_refused("sold_out", RedirectOrder(order_id=order, address_id=more), chain.buyer.actor)
    chain.assert_right()


def test_another_price_is_held_for_where_the_order_goes(chain: Chain) -> None:
    """The order that is placed anew leaves from where the one before would, also after it was sent elsewhere."""
    tea = chain.goods(3, 3)
    chain.say(("广东",), ("浙江",))
    chain.buyer.want(tea, 2)
    order = chain.buyer.buy(channel(2 * 1999 + 800)).orders[0].id
    assert chain.held(order) == [(tea, 1, 2)]
    chain.world.send(RedirectOrder(order_id=order, address_id=chain.buyer.move_to("广东")), actor=chain.buyer.actor)
    offer = OfferPrice(shop_id=chain.shop, order_id=order, discount=yuan(98), shipping=yuan(800))
    total = chain.world.send(offer, actor=chain.staff).total
    placed = chain.world.send(AgreePrice(order_id=order, total=total, tenders=channel(total.amount)), actor=chain.buyer.actor)
    assert chain.held(placed.orders[0].id) == [(tea, 0, 2)]
    assert chain.lies(tea) == [(3, 2), (3, 0)]
    chain.assert_right()


def returned(chain: Chain, order: OrderId, id: VariantId, pieces: int) -> dict[str, object]:
    """The buyer has sent pieces back; what the shop confirms."""
    lines = (CaseLine(variant_id=id, quantity=pieces),)
    ask = OpenCase(order_id=order, kind=CaseKind.RETURN, reason=Reason.DAMAGED, lines=lines)
    case = chain.world.send(ask, actor=chain.buyer.actor).id
    chain.world.send(AgreeToCase(shop_id=chain.shop, case_id=case), actor=chain.staff)
    chain.world.send(SendBack(case_id=case, carrier="SF Express", tracking="SF9"), actor=chain.buyer.actor)
    return {"shop_id": chain.shop, "case_id": case}


def test_what_comes_back_is_sold_again_where_it_is(chain: Chain) -> None:
    """Where it left from, or at the location that is named; another shop's is refused and nothing has come back then."""
    tea = chain.goods(2, 3)
    order = chain.bought((tea, 3))
    chain.market.ship(order)
    chain.world.send(ConfirmReturn(**returned(chain, order, tea, 1)), actor=chain.staff)  # type: ignore[arg-type]
    assert chain.lies(tea) == [(2, 0), (1, 0)]
    case = returned(chain, order, tea, 1)
    elsewhere = ConfirmReturn(**case, location_id=chain.market.other.location_id)  # type: ignore[arg-type]
    chain.market.assert_refused("location_not_found", elsewhere, chain.staff)
    chain.world.send(ConfirmReturn(**case, location_id=chain.places[0]), actor=chain.staff)  # type: ignore[arg-type]
    assert chain.lies(tea) == [(3, 0), (1, 0)]
    chain.assert_right()


def test_forty_that_race_over_two_locations_have_every_piece_once(chain: Chain) -> None:
    """Two each of five and four pieces: four orders, none of them split, and everybody else keeps their money."""
    tea = chain.goods(5, 4)
    racers = [chain.market.buyer(2 * 1999 + 800) for _ in range(40)]
    for racer in racers:
        racer.want(tea, 2)
    answers = chain.world.send_all([(racer.checkout(2 * 1999 + 800), racer.actor) for racer in racers], keys=[f"k{n}" for n in range(40)])
    assert [answer.code.value for answer in answers if isinstance(answer, Refused)] == ["sold_out"] * 36
    assert chain.lies(tea) == [(5, 4), (4, 4)]
    assert sorted(racer.money() for racer in racers) == [0] * 4 + [2 * 1999 + 800] * 36
    chain.assert_right()


def pieces(parcels: Sequence[ParcelToCome]) -> list[list[tuple[VariantId, int]]]:
    """What is in each parcel that is to come."""
    return [[(line.variant_id, line.quantity) for line in parcel.lines] for parcel in parcels]


def test_a_buyer_is_told_before_in_which_parcels_an_order_comes(chain: Chain) -> None:
    """Where they come from concerns the shop; without an address it is not known yet; what has left is not to come any more."""
    tea, pot = chain.goods(5, 0), chain.goods(1, 5)
    for id, quantity in ((tea, 2), (pot, 3)):
        chain.buyer.want(id, quantity)
    ask = PreviewCheckout(address_id=chain.buyer.address)
    (shop,) = chain.world.ask(ask, actor=chain.buyer.actor).shops
    (blind,) = chain.world.ask(PreviewCheckout(), actor=chain.buyer.actor).shops
    assert (pieces(shop.parcels), blind.parcels) == ([[(tea, 2)], [(pot, 3)]], ())
    order = chain.buyer.buy().orders[0].id
    mine = OrderOf(order_id=order)
    assert pieces(chain.world.ask(mine, actor=chain.buyer.actor).to_come) == [[(tea, 2)], [(pot, 3)]]
    chain.world.send(chain.parcel(order, 1, (pot, 3)), actor=chain.packer)
    assert pieces(chain.world.ask(mine, actor=chain.buyer.actor).to_come) == [[(tea, 2)]]
    chain.world.send(chain.parcel(order, 0, (tea, 2)), actor=chain.packer)
    assert chain.world.ask(mine, actor=chain.buyer.actor).to_come == ()
    chain.buyer.want(tea, 1)
    (shop,) = chain.world.ask(ask, actor=chain.buyer.actor).shops
    assert pieces(shop.parcels) == [[(tea, 1)]]


def to_pack(chain: Chain, where: int, **more: Any) -> OrdersToPackPage:
    """What is to be packed at a location."""
    ask = OrdersToPack(shop_id=chain.shop, location_id=chain.places[where], **more)
    return chain.world.run(chain.world.cloud.ask_slow(ask, actor=chain.packer))


def test_orders_to_pack_are_listed_by_location_the_oldest_first(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what leaves from there; unpaid, shipped, called off and contested ones are not, and a page ends where it has looked enough."""
    tea, pot = chain.goods(50, 0), chain.goods(0, 50)
    both, one, other = chain.bought((tea, 2), (pot, 3)), chain.bought((tea, 1)), chain.bought((pot, 1))
    chain.buyer.want(tea, 1)
    chain.buyer.buy(channel(2799))
    chain.world.settle()
    first, second = to_pack(chain, 0), to_pack(chain, 1)
    assert [(it.id, [(line.variant_id, line.quantity) for line in it.lines], it.elsewhere) for it in first.items] == [
        (both, [(tea, 2)], True),
        (one, [(tea, 1)], False),
    ]
    assert ([it.id for it in second.items], second.after) == ([both, other], None)
    page = to_pack(chain, 1, limit=1)
    assert ([it.id for it in page.items], page.after) == ([both], both)
    assert [it.id for it in to_pack(chain, 1, limit=1, after=page.after).items] == [other]
    chain.world.send(chain.parcel(both, 0, (tea, 2)), actor=chain.packer)
    chain.world.send(CancelOrder(order_id=one), actor=chain.buyer.actor)
    chain.world.settle()
    assert ([it.id for it in to_pack(chain, 0).items], [it.id for it in to_pack(chain, 1).items]) == ([], [both, other])
    monkeypatch.setattr(packing, "LOOKED_THROUGH", 1)
    page = to_pack(chain, 1)
    assert ([it.id for it in page.items], page.after) == ([both], both)
    page = to_pack(chain, 1, after=page.after)
    assert ([it.id for it in page.items], page.after) == ([other], None)
    elsewhere = OrdersToPack(shop_id=chain.market.other.id, location_id=chain.places[0])
    with pytest.raises(Refused, match="location_not_found"):
        chain.world.run(chain.world.cloud.ask_slow(elsewhere, actor=chain.packer))
