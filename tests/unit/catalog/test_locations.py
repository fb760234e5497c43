"""Several locations of a shop: which one an order leaves from, and stock that moves between them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.stores import cluster
from unit.catalog.conftest import on_postgresql
from unit.catalog.town import Town, variant
from yunduan.domains.catalog.commands import (
    CreateLocation,
    HoldStock,
    MoveStock,
    ReleaseStock,
    RemoveLocation,
    RenameLocation,
    RerouteStock,
    ReturnStock,
    SetSources,
    SetStock,
    TakePart,
    TakeStock,
)
from yunduan.domains.catalog.model import HoldLine, Place, Source, StockReason
from yunduan.domains.catalog.queries import GoodsPage, HoldOf, OffersOf, SettingsOf, SourcesOf, StockAudit, StockChanges, TermsOf
from yunduan.domains.catalog.shelves import StockAtLocation
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import HoldId, LocationId, PersonId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.testing import World

__all__ = ["cluster"]
ZHEJIANG, GUANGDONG = "浙江省", "广东省"


class Depots:
    """A shop with three locations in this order: 一仓 (its first), 二仓, 三仓; and what a test does to them."""

    def __init__(self, town: Town) -> None:
        """Add two."""
        self.town, self.world, self.shop = town, town.world, town.shop.id
        self.made = 0
        more = [self.world.send(CreateLocation(shop_id=self.shop, name=name, country="CN")).id for name in ("二仓", "三仓")]
        self.places: list[LocationId] = [town.shop.location_id, *more]

    def goods(self, *pieces: int) -> VariantId:
        """A variant of which there are so many at each location."""
        self.made += 1
        id = self.town.goods(variant(f"D{self.made}")).variant_ids[0]
        for place, count in zip(self.places, pieces, strict=False):
            self.count(id, place, count)
        return id

    def count(self, id: VariantId, place: LocationId, on_hand: int) -> None:
        """Say how many there are."""
        reason = StockReason.COUNTED
        self.world.send(SetStock(shop_id=self.shop, variant_id=id, location_id=place, on_hand=on_hand, reason=reason))

    def say(self, *sources: Source, splits: bool = True) -> None:
        """Set the rules; locations that are not named come last and send everywhere."""
        named = {source.location_id for source in sources}
        rest = tuple(Source(location_id=place) for place in self.places if place not in named)
        self.world.send(SetSources(shop_id=self.shop, sources=(*sources, *rest), splits=splits))

    def source(self, place: int, *regions: str, ships: bool = True) -> Source:
        """What is said of a location."""
        return Source(location_id=self.places[place], ships=ships, places=tuple(Place(country="CN", region=region) for region in regions))

    def held(self, n: int) -> list[tuple[VariantId, int, int]]:
        """(variant, number of the location, pieces) of a hold."""
        hold = self.world.ask(HoldOf(hold_id=HoldId(f"hld_{n}")))
        assert hold is not None
        return [(line.variant_id, self.places.index(line.location_id), line.quantity) for line in hold.lines]

    def lies(self, id: VariantId) -> list[tuple[int, int]]:
        """(on hand, held) at each location."""
        rows = {row[0]: row[1:] for row in self.world.rows("SELECT location_id, on_hand, held FROM stock WHERE variant_id = ?", id)}
        return [rows.get(place, (0, 0)) for place in self.places]


@pytest.fixture
def depots(town: Town) -> Depots:
    """On the embedded store; in the long run on PostgreSQL too."""
    return Depots(town)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Depots]:
    """On each store, every time."""
    if request.param == "sqlite":
        with World.at(tmp_path) as world:
            yield Depots(Town(world))
    else:
        for town in on_postgresql(request, tmp_path):
            yield Depots(town)


def lines(*wanted: tuple[VariantId, int]) -> tuple[HoldLine, ...]:
    """As commands have them."""
    return tuple(HoldLine(variant_id=id, quantity=pieces) for id, pieces in wanted)


def hold(n: int, *wanted: tuple[VariantId, int], region: str = ZHEJIANG) -> HoldStock:
    """Hold so many pieces of each variant, for somebody in a region of China."""
    return HoldStock(hold_id=HoldId(f"hld_{n}"), lines=lines(*wanted), country="CN", region=region)


def told(town: Town, command: Command[Any]) -> tuple[str, Any]:
    """The code of a refusal, and its figures."""
    try:
        town.world.send(command)
    except Refused as refused:
        return refused.code.value, refused.figures
    return "", None


def test_one_location_that_has_all_of_it_sends_all_of_it(shared: Depots) -> None:
    """The first in the shop's order, though an earlier one has most of it; split only where none has all."""
    tea, pot = shared.goods(5, 9, 9), shared.goods(1, 9, 9)
    shared.world.send(hold(1, (tea, 2), (pot, 1)))
    shared.world.send(hold(2, (tea, 2), (pot, 2)))
    shared.say(shared.source(2))
    shared.world.send(hold(3, (tea, 2), (pot, 2)))
    assert [shared.held(n) for n in (1, 2, 3)] == [
        [(tea, 0, 2), (pot, 0, 1)],
        [(tea, 1, 2), (pot, 1, 2)],
        [(tea, 2, 2), (pot, 2, 2)],
    ]
    shared.world.send(hold(4, (tea, 8), (pot, 7)))
    assert shared.held(4) == [(pot, 2, 7), (tea, 2, 7), (tea, 0, 1)]
    assert shared.world.ask(StockAudit()) == []


def test_an_order_is_split_into_as_few_parcels_as_go_by_lines(depots: Depots) -> None:
    """Who has most of the lines whole sends them; a line that nobody has whole comes first from those that send anyway."""
    one, two, three, four = depots.goods(1, 1, 0), depots.goods(0, 1, 1), depots.goods(1, 0, 1), depots.goods(2, 2, 2)
    depots.world.send(hold(1, (one, 1), (two, 1), (three, 1), (four, 5)))
    assert depots.held(1) == [(one, 0, 1), (three, 0, 1), (two, 1, 1), (four, 0, 2), (four, 1, 2), (four, 2, 1)]
    assert [depots.lies(id) for id in (one, two, three, four)] == [
        [(1, 1), (1, 0), (0, 0)],
        [(0, 0), (1, 1), (1, 0)],
        [(1, 1), (0, 0), (1, 0)],
        [(2, 2), (2, 2), (2, 1)],
    ]


def test_a_shop_that_does_not_split_refuses_what_no_location_has_whole(depots: Depots) -> None:
    """It says how many leave together; what is on offer is what the fullest location has; and nothing has changed."""
    tea, pot = depots.goods(5, 3, 0), depots.goods(0, 4, 4)
    depots.say(splits=False)
    offers = depots.world.ask(OffersOf(variant_ids=(tea, pot)))
    assert (offers[tea].available, offers[pot].available) == (5, 4)
    ((goods_id,),) = depots.world.rows("SELECT goods_id FROM variant WHERE id = ?", tea)
    assert [one.available for one in depots.world.ask(GoodsPage(goods_id=goods_id)).stock] == [5]
    before = depots.town.everything()
    code, figures = told(depots.town, hold(1, (tea, 4), (pot, 1)))
    assert code == "not_from_one_location"
    assert {one["variant_id"]: one["available"] for one in figures["lines"]} == {tea: 5, pot: 0}
    with pytest.raises(Refused, match="not_from_one_location"):
        depots.world.ask(SourcesOf(lines=lines((tea, 4), (pot, 1)), country="CN", region=ZHEJIANG))
    code, figures = told(depots.town, hold(1, (tea, 6)))
    assert (code, [one["available"] for one in figures["lines"]]) == ("sold_out", [5])
    assert depots.town.everything() == before
    depots.world.send(hold(1, (tea, 3), (pot, 4)))
    assert depots.held(1) == [(tea, 1, 3), (pot, 1, 4)]


def test_a_location_sends_where_it_serves(depots: Depots) -> None:
    """What lies elsewhere is not on offer there; a place that nobody serves is refused; without a place anything that is sent counts."""
    tea = depots.goods(5, 7, 0)
    depots.say(depots.source(0, "浙江"), depots.source(1, "Guangdong", "上海"), depots.source(2, "浙江"))
    assert [source.places[0].region for source in depots.world.ask(SettingsOf(shop_id=depots.shop)).shop.sources] == [
        ZHEJIANG,
        GUANGDONG,
        ZHEJIANG,
    ]
    available = {
        region: depots.world.ask(OffersOf(variant_ids=(tea,), country="CN", region=region))[tea].available
        for region in (ZHEJIANG, GUANGDONG, "西藏自治区")
    }
    assert available == {ZHEJIANG: 5, GUANGDONG: 7, "西藏自治区": 0}
    assert depots.world.ask(OffersOf(variant_ids=(tea,)))[tea].available == 12
    sends = [depots.world.ask(TermsOf(shop_id=depots.shop, country="CN", region=region)).sends for region in (GUANGDONG, "西藏自治区")]
    assert sends == [True, False]
    before = depots.town.everything()
    code, figures = told(depots.town, hold(1, (tea, 6)))
    assert (code, [one["available"] for one in figures["lines"]]) == ("sold_out", [5])
    assert told(depots.town, hold(1, (tea, 1), region="西藏自治区")) == ("region_not_served", None)
    assert told(depots.town, HoldStock(hold_id=HoldId("hld_1"), lines=lines((tea, 1)), country="DE"))[0] == "region_not_served"
    assert depots.town.everything() == before
    depots.world.send(hold(1, (tea, 1), region=GUANGDONG))
    depots.world.send(HoldStock(hold_id=HoldId("hld_2"), lines=lines((tea, 6))))
    assert (depots.held(1), depots.held(2)) == ([(tea, 1, 1)], [(tea, 1, 6)])


def test_a_country_without_regions_is_all_of_it(depots: Depots) -> None:
    """A location that serves a country serves each region of it."""
    tea = depots.goods(5)
    depots.say(Source(location_id=depots.places[0], places=(Place(country="CN"),)), *(depots.source(n, ships=False) for n in (1, 2)))
    depots.world.send(hold(1, (tea, 1), region=GUANGDONG))
    assert depots.world.refusal(HoldStock(hold_id=HoldId("hld_2"), lines=lines((tea, 1)), country="DE")) == "region_not_served"


def test_a_location_that_sends_nothing_keeps_its_stock(depots: Depots) -> None:
    """Nobody is offered it, it is seen at the desk, what was held there leaves from there; and with none that sends nothing is left."""
    tea = depots.goods(5, 7)
    depots.world.send(hold(1, (tea, 2)))
    depots.say(depots.source(0, ships=False))
    assert depots.world.ask(OffersOf(variant_ids=(tea,)))[tea].available == 7
    shelf = depots.world.ask(StockAtLocation(shop_id=depots.shop, location_id=depots.places[0]))
    assert [(one.variant_id, one.on_hand, one.held) for one in shelf.items] == [(tea, 5, 2)]
    depots.world.send(hold(2, (tea, 7)))
    code, figures = told(depots.town, hold(3, (tea, 1)))
    assert (code, [one["available"] for one in figures["lines"]]) == ("sold_out", [0])
    depots.world.send(TakeStock(hold_id=HoldId("hld_1")))
    assert depots.lies(tea) == [(3, 0), (7, 7), (0, 0)]
    depots.say(*(depots.source(n, ships=False) for n in range(3)))
    code, figures = told(depots.town, hold(3, (tea, 1)))
    assert (code, [one["available"] for one in figures["lines"]]) == ("sold_out", [0])
    assert not depots.world.ask(TermsOf(shop_id=depots.shop)).sends


def test_each_location_is_named_once(depots: Depots) -> None:
    """Neither one too few nor twice, nor another shop's; a region is one that its country has; nothing changes then."""
    mine, theirs = depots.places, depots.town.other.location_id
    before = depots.town.everything()
    for ids in (mine[:2], [*mine, mine[0]], [*mine[:2], theirs], [*mine[:2], mine[1]], [LocationId("loc_0")]):
        ask = SetSources(shop_id=depots.shop, sources=tuple(Source(location_id=id) for id in ids))
        code, figures = told(depots.town, ask)
        assert (code, figures["location_ids"]) == ("locations_not_all_named", mine)
    sources = (depots.source(0, "亚特兰蒂斯"), depots.source(1), depots.source(2))
    assert depots.world.refusal(SetSources(shop_id=depots.shop, sources=sources)) == "place_unknown"
    assert depots.world.refusal(SetSources(shop_id="shp_0", sources=sources)) == "shop_not_found"  # type: ignore[arg-type]
    assert depots.town.everything() == before


def test_rules_that_say_nothing_are_none(depots: Depots) -> None:
    """A shop whose locations send everywhere, in some order, has that order alone; a location that is added comes last and sends."""
    depots.say(depots.source(1))
    shop = depots.world.ask(SettingsOf(shop_id=depots.shop)).shop
    assert (shop.sources, shop.location_ids) == ((), (depots.places[1], depots.places[0], depots.places[2]))
    depots.say(depots.source(0, ships=False))
    added = depots.world.send(CreateLocation(shop_id=depots.shop, name="四仓", country="CN")).id
    found = depots.world.ask(SettingsOf(shop_id=depots.shop))
    assert [(one.location_id, one.ships) for one in found.shop.sources] == [
        (depots.places[0], False),
        (depots.places[1], True),
        (depots.places[2], True),
        (added, True),
    ]
    assert [one.id for one in found.locations] == [one.location_id for one in found.shop.sources]


def test_200_that_race_over_three_locations_have_every_piece_once(shared: Depots) -> None:
    """Threes of ten, seven and four pieces: seven are had, none twice, and no location promises more than it has."""
    tea = shared.goods(10, 7, 4)
    outcomes = shared.world.send_all([(hold(n, (tea, 3)), SYSTEM) for n in range(200)])
    assert sum(outcome is True for outcome in outcomes) == 7
    assert {outcome.code.value for outcome in outcomes if isinstance(outcome, Refused)} == {"sold_out"}
    assert shared.lies(tea) == [(10, 10), (7, 7), (4, 4)]
    assert shared.world.ask(StockAudit()) == []


def test_stock_moves_whole_or_not_at_all(shared: Depots) -> None:
    """On both shelves, with who did it on each; what is promised stays; a line that is short leaves the others where they are."""
    tea, pot = shared.goods(5, 1), shared.goods(4)
    shared.world.send(hold(1, (tea, 2)))
    here, there = shared.places[0], shared.places[1]
    move = {"shop_id": shared.shop, "from_location_id": here, "to_location_id": there}
    before = shared.town.everything()
    code, figures = told(shared.town, MoveStock(lines=lines((pot, 4), (tea, 2), (tea, 2)), **move))
    assert (code, [(one["variant_id"], one["available"]) for one in figures["lines"]]) == ("sold_out", [(tea, 3)])
    assert shared.town.everything() == before
    packer = Actor(person=PersonId("per_7"))
    shared.world.send(MoveStock(lines=lines((pot, 4), (tea, 3)), **move), actor=packer)
    assert (shared.lies(tea), shared.lies(pot)) == ([(2, 2), (4, 0), (0, 0)], [(0, 0), (4, 0), (0, 0)])
    there_noted, here_noted = shared.world.ask(StockChanges(shop_id=shared.shop, variant_id=tea, limit=2)).items
    noted = [(one.location_id, one.on_hand_before, one.on_hand_after, one.reason, one.person_id) for one in (here_noted, there_noted)]
    assert noted == [(here, 5, 2, "moved", "per_7"), (there, 1, 4, "moved", "per_7")]
    assert shared.world.ask(StockAudit()) == []


def test_stock_moves_within_its_shop_alone(depots: Depots) -> None:
    """Another shop's location or variant is not found, to itself nothing moves, and no shelf holds more than can be counted."""
    tea, theirs = depots.goods(5), depots.town.goods(variant("THEIRS"), shop=depots.town.other).variant_ids[0]
    here, there, other = depots.places[0], depots.places[1], depots.town.other.location_id
    depots.count(tea, there, 10**9)
    before = depots.town.everything()
    for shop, start, end, id, code in (
        (depots.shop, here, other, tea, "location_not_found"),
        (depots.shop, other, here, tea, "location_not_found"),
        (depots.town.other.id, here, there, tea, "location_not_found"),
        ("shp_0", here, there, tea, "shop_not_found"),
        (depots.shop, here, here, tea, "same_location"),
        (depots.shop, here, there, theirs, "variant_not_found"),
        (depots.shop, here, there, VariantId("var_0"), "variant_not_found"),
        (depots.shop, here, there, tea, "stock_too_large"),
        (depots.shop, depots.places[2], here, tea, "sold_out"),
    ):
        ask = {"shop_id": shop, "from_location_id": start, "to_location_id": end, "lines": lines((id, 1))}
        assert depots.world.refusal(MoveStock(**ask)) == code
    assert depots.town.everything() == before


def test_a_parcel_leaves_from_its_location(depots: Depots) -> None:
    """Of a hold over two locations the second's pieces may leave first; no more leave from there than are held there."""
    tea = depots.goods(2, 3)
    depots.world.send(hold(1, (tea, 5)))
    part = {"hold_id": HoldId("hld_1"), "location_id": depots.places[1]}
    before = depots.town.everything()
    assert depots.world.refusal(TakePart(lines=lines((tea, 4)), **part)) == "more_than_is_held"
    part_of_none = TakePart(hold_id=HoldId("hld_1"), lines=lines((tea, 1)), location_id=depots.places[2])
    assert depots.world.refusal(part_of_none) == "more_than_is_held"
    for place in (depots.town.other.location_id, LocationId("loc_0")):
        elsewhere = TakePart(hold_id=HoldId("hld_1"), lines=lines((tea, 1)), location_id=place)
        assert depots.world.refusal(elsewhere) == "location_not_found"
    assert depots.town.everything() == before
    depots.world.send(TakePart(lines=lines((tea, 3)), **part))
    assert depots.lies(tea) == [(2, 2), (0, 0), (0, 0)]
    assert depots.world.ask(StockAudit()) == []


def test_what_comes_back_lies_where_it_came_from_or_where_it_has_come_to(depots: Depots) -> None:
    """Each piece once, over both ways; another shop's location is refused."""
    tea = depots.goods(2, 3)
    depots.world.send(hold(1, (tea, 5)))
    depots.world.send(TakeStock(hold_id=HoldId("hld_1")))
    back = {"hold_id": HoldId("hld_1")}
    depots.world.send(ReturnStock(lines=lines((tea, 3)), **back))
    assert depots.lies(tea) == [(2, 0), (1, 0), (0, 0)]
    before = depots.town.everything()
    for place in (depots.town.other.location_id, LocationId("loc_0")):
        assert depots.world.refusal(ReturnStock(lines=lines((tea, 1)), location_id=place, **back)) == "location_not_found"
    assert depots.world.refusal(ReturnStock(lines=lines((tea, 3)), location_id=depots.places[2], **back)) == "exceeds_taken"
    assert depots.town.everything() == before
    depots.world.send(ReturnStock(lines=lines((tea, 2)), location_id=depots.places[2], **back))
    assert depots.lies(tea) == [(2, 0), (1, 0), (2, 0)]


def test_a_hold_that_goes_elsewhere_is_held_where_that_is_served(shared: Depots) -> None:
    """It stays where it lies if that serves the new place; else it moves whole, its own pieces counted as free, or is refused and stays."""
    tea = shared.goods(5, 7)
    shared.say(shared.source(0, "浙江", "上海"), shared.source(1, "广东", "上海"), shared.source(2, ships=False))
    shared.world.send(hold(1, (tea, 5)))
    reroute = {"hold_id": HoldId("hld_1"), "country": "CN"}
    assert shared.world.send(RerouteStock(region="上海市", **reroute)) is False
    shared.world.send(hold(2, (tea, 3), region=GUANGDONG))
    before = shared.town.everything()
    assert shared.world.refusal(RerouteStock(region=GUANGDONG, **reroute)) == "sold_out"
    assert shared.world.refusal(RerouteStock(region="西藏自治区", **reroute)) == "region_not_served"
    assert shared.town.everything() == before
    shared.world.send(ReleaseStock(hold_id=HoldId("hld_2")))
    assert shared.world.send(RerouteStock(region=GUANGDONG, **reroute)) is True
    assert (shared.held(1), shared.lies(tea)) == ([(tea, 1, 5)], [(5, 0), (7, 5), (0, 0)])
    shared.world.send(TakePart(hold_id=HoldId("hld_1"), lines=lines((tea, 1))))
    assert shared.world.refusal(RerouteStock(region=ZHEJIANG, **reroute)) == "hold_state_forbids"
    assert shared.world.refusal(RerouteStock(hold_id=HoldId("hld_9"), country="CN", region=ZHEJIANG)) == "hold_not_found"
    assert shared.world.ask(StockAudit()) == []


def test_pieces_that_lie_where_nothing_is_sent_from_are_not_taken_for_new_ones(depots: Depots) -> None:
    """A location was closed since: on its way elsewhere the hold is chosen anew from the others, split if it has to be."""
    tea = depots.goods(4, 3, 3)
    depots.world.send(hold(1, (tea, 4)))
    depots.say(depots.source(0, "浙江", ships=False))
    assert depots.world.send(RerouteStock(hold_id=HoldId("hld_1"), country="CN", region=GUANGDONG)) is True
    assert depots.held(1) == [(tea, 1, 3), (tea, 2, 1)]
    assert depots.lies(tea) == [(4, 0), (3, 3), (3, 1)]
    assert depots.world.ask(StockAudit()) == []


def test_a_shelf_is_listed_page_by_page(shared: Depots) -> None:
    """Every variant that was put there, once, in the order of the ids; another shop's shelf is not found."""
    ids = sorted(shared.goods(n, 1) for n in range(5))
    ask = {"shop_id": shared.shop, "location_id": shared.places[0]}
    first = shared.world.ask(StockAtLocation(limit=3, **ask))
    second = shared.world.ask(StockAtLocation(limit=3, after=first.after, **ask))
    assert [one.variant_id for one in (*first.items, *second.items)] == ids
    assert (first.after, second.after) == (ids[2], None)
    assert {one.title for one in first.items} == {"龙井"}
    assert shared.world.ask(StockAtLocation(shop_id=shared.shop, location_id=shared.places[2])).items == []
    with pytest.raises(Refused, match="location_not_found"):
        shared.world.ask(StockAtLocation(shop_id=shared.town.other.id, location_id=shared.places[0]))


def test_a_location_takes_another_name(shared: Depots) -> None:
    """Its shop alone says so; everything else stays."""
    second, shop = shared.places[1], shared.shop
    for _ in range(2):
        shared.world.send(RenameLocation(shop_id=shop, location_id=second, name="东仓"))
    assert [place.name for place in shared.world.ask(SettingsOf(shop_id=shop)).locations] == ["云茶", "东仓", "三仓"]
    before = shared.town.everything()
    other = shared.town.other.id
    assert told(shared.town, RenameLocation(shop_id=other, location_id=second, name="x"))[0] == "location_not_found"
    assert told(shared.town, RenameLocation(shop_id=shop, location_id=LocationId("loc_0"), name="x"))[0] == "location_not_found"
    assert shared.town.everything() == before


def test_a_location_where_nothing_lies_is_given_up(shared: Depots) -> None:
    """It is in no order, rule or list, takes nothing any more, and another may be made in its place; what was said of the others stays."""
    id = shared.goods(5, 0, 5)
    shared.say(shared.source(0, ZHEJIANG), shared.source(1, GUANGDONG), shared.source(2, ships=False))
    first, second, third = shared.places
    shared.world.send(RemoveLocation(shop_id=shared.shop, location_id=second))
    seen = shared.world.ask(SettingsOf(shop_id=shared.shop))
    assert [place.id for place in seen.locations] == [first, third]
    assert seen.shop.sources == (shared.source(0, ZHEJIANG), shared.source(2, ships=False))
    reason = StockReason.COUNTED
    asks = (
        SetStock(shop_id=shared.shop, variant_id=id, location_id=second, on_hand=1, reason=reason),
        MoveStock(shop_id=shared.shop, from_location_id=first, to_location_id=second, lines=lines((id, 1))),
        RenameLocation(shop_id=shared.shop, location_id=second, name="x"),
        RemoveLocation(shop_id=shared.shop, location_id=second),
    )
    assert [told(shared.town, ask)[0] for ask in asks] == ["location_not_found"] * 4
    shared.world.send(hold(1, (id, 5)))
    assert shared.world.ask(HoldOf(hold_id=HoldId("hld_1"))).lines[0].location_id == first
    shared.world.send(CreateLocation(shop_id=shared.shop, name="四仓", country="CN"))
    assert shared.world.ask(StockAudit()) == []


def test_a_location_is_not_given_up_while_it_is_needed(shared: Depots) -> None:
    """Pieces lie there, all of them promised or none; it is the last; it is another shop's. Nothing has changed then."""
    id = shared.goods(0, 2, 3)
    shared.world.send(hold(1, (id, 3)))
    first, second, third = shared.places
    before = shared.town.everything()
    for place in (second, third):
        assert told(shared.town, RemoveLocation(shop_id=shared.shop, location_id=place))[0] == "location_not_empty"
    other = shared.town.other
    assert told(shared.town, RemoveLocation(shop_id=other.id, location_id=first))[0] == "location_not_found"
    assert told(shared.town, RemoveLocation(shop_id=other.id, location_id=other.location_id))[0] == "location_is_the_last"
    assert shared.town.everything() == before
    shared.world.send(MoveStock(shop_id=shared.shop, from_location_id=second, to_location_id=first, lines=lines((id, 2))))
    shared.world.send(RemoveLocation(shop_id=shared.shop, location_id=second))
    shared.world.send(TakeStock(hold_id=HoldId("hld_1")))
    shared.world.send(RemoveLocation(shop_id=shared.shop, location_id=third))
    assert [place.id for place in shared.world.ask(SettingsOf(shop_id=shared.shop)).locations] == [first]


def test_what_left_a_location_that_is_gone_comes_back_to_the_first(shared: Depots) -> None:
    """And can be bought there."""
    id = shared.goods(0, 0, 3)
    shared.world.send(hold(1, (id, 3)))
    shared.world.send(TakeStock(hold_id=HoldId("hld_1")))
    shared.world.send(RemoveLocation(shop_id=shared.shop, location_id=shared.places[2]))
    shared.world.send(ReturnStock(hold_id=HoldId("hld_1"), lines=lines((id, 2))))
    assert (shared.lies(id), shared.world.ask(OffersOf(variant_ids=(id,)))[id].available) == ([(2, 0), (0, 0), (0, 0)], 2)
    gone = ReturnStock(hold_id=HoldId("hld_1"), lines=lines((id, 1)), location_id=shared.places[2])
    assert told(shared.town, gone)[0] == "location_not_found"
