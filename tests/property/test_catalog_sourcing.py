"""Which location sends: laws of the choice, and stock over several locations against a model of each shelf, whatever is done to it."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from unit.catalog.test_locations import Depots, hold, lines
from unit.catalog.town import Town
from yunduan.domains.catalog.commands import MoveStock, ReleaseStock, RerouteStock, ReturnStock, SetSources, TakePart, TakeStock
from yunduan.domains.catalog.model import CatalogRefusal, HoldState, Place, Source
from yunduan.domains.catalog.queries import HoldOf, OffersOf, StockAudit
from yunduan.domains.catalog.sourcing import sourced
from yunduan.kernel.ids import HoldId, LocationId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.testing import World

shelf = st.integers(0, 6)
shelves = st.integers(1, 4).flatmap(lambda places: st.lists(st.lists(shelf, min_size=places, max_size=places), min_size=1, max_size=4))


@given(there=shelves, wanted=st.lists(st.integers(1, 8), min_size=4, max_size=4), splits=st.booleans())
def test_every_piece_comes_from_somewhere_once(there: list[list[int]], wanted: list[int], splits: bool) -> None:
    """All of it or nothing; from no location more than it has; from one alone, and then the first, wherever one has it all."""
    places = [LocationId(f"loc_{n}") for n in range(len(there[0]))]
    ask = {VariantId(f"var_{n}"): wanted[n] for n in range(len(there))}
    pieces = {id: dict(zip(places, counts, strict=True)) for id, counts in zip(ask, there, strict=True)}
    alone = [place for place in places if all(pieces[id][place] >= quantity for id, quantity in ask.items())]
    enough = all(sum(pieces[id].values()) >= quantity for id, quantity in ask.items())
    if not (alone or (splits and enough)):
        with pytest.raises(Refused) as refused:
            sourced(ask, pieces, places, splits=splits)
        few = any((sum if splits else max)(pieces[id].values()) < quantity for id, quantity in ask.items())
        assert refused.value.code is (CatalogRefusal.SOLD_OUT if few else CatalogRefusal.NOT_FROM_ONE)
        return
    found = sourced(ask, pieces, places, splits=splits)
    assert found == sourced(ask, pieces, places, splits=splits)
    assert {id: sum(line.quantity for line in found if line.variant_id == id) for id in ask} == ask
    assert len({(line.variant_id, line.location_id) for line in found}) == len(found)
    assert all(0 < line.quantity <= pieces[line.variant_id][line.location_id] for line in found)
    if alone:
        assert {line.location_id for line in found} == {alone[0]}
    for id, quantity in ask.items():
        if any(pieces[id][place] >= quantity for place in places):
            assert sum(line.variant_id == id for line in found) == 1


REGIONS = ("浙江省", "广东省", "西藏自治区")
holds, places, variants = st.integers(0, 20), st.integers(0, 2), st.integers(0, 2)
choices = st.lists(st.tuples(variants, st.integers(1, 4)), min_size=1, max_size=2, unique_by=lambda one: one[0])
regions = st.sampled_from(REGIONS)


class Warehouses(RuleBasedStateMachine):
    """Three locations, three variants, holds. The model knows each shelf, and of a hold what waits, and has left, from where."""

    def __init__(self) -> None:
        """Open a cloud of its own."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = World.at(Path(self._folder.name))

    @initialize(
        counts=st.lists(st.lists(st.integers(2, 12), min_size=3, max_size=3), min_size=3, max_size=3),
        served=st.lists(st.sets(regions, min_size=1), min_size=3, max_size=3),
    )
    def fill(self, counts: list[list[int]], served: list[set[str]]) -> None:
        """Put pieces everywhere; each location sends somewhere."""
        self.depots = Depots(Town(self.world))
        self.variants = [self.depots.goods(*some) for some in counts]
        self.on_hand = {(which, place): counts[which][place] for which in range(3) for place in range(3)}
        self.order = [0, 1, 2]
        self.ships, self.serves, self.splits = [True] * 3, served, True
        self._say()
        self.waits: dict[int, dict[tuple[int, int], int]] = {}
        self.gone: dict[int, dict[tuple[int, int], int]] = {}
        self.back: dict[int, dict[int, int]] = {}

    def teardown(self) -> None:
        """Close it."""
        self.world.close()
        self._folder.cleanup()

    def outcome(self, command: Command[object]) -> str:
        """The code of a refusal; nothing when it was done."""
        try:
            self.world.send(command)
        except Refused as refused:
            return refused.code.value
        return ""

    def free(self, which: int, place: int) -> int:
        """What is not promised."""
        return self.on_hand[which, place] - sum(waits.get((which, place), 0) for waits in self.waits.values())

    def sending(self, region: str) -> list[int]:
        """The locations that send to a region, in their order."""
        return [place for place in self.order if self.ships[place] and region in self.serves[place]]

    def expected(self, wanted: dict[int, int], region: str, own: dict[tuple[int, int], int]) -> str:
        """What a hold is refused with, if it is."""
        some = self.sending(region)
        if not some and any(self.ships):
            return "region_not_served"
        free = {which: [self.free(which, place) + own.get((which, place), 0) for place in some] for which in wanted}
        if any(all(free[which][n] >= pieces for which, pieces in wanted.items()) for n in range(len(some))):
            return ""
        most = {which: sum(free[which]) if self.splits else max(free[which], default=0) for which in wanted}
        if any(most[which] < pieces for which, pieces in wanted.items()):
            return "sold_out"
        return "" if self.splits else "not_from_one_location"

    def read(self, n: int) -> dict[tuple[int, int], int]:
        """Where a hold's pieces wait, as the cloud says."""
        found = self.world.ask(HoldOf(hold_id=HoldId(f"hld_{n}")))
        assert found is not None
        place = {id: number for number, id in enumerate(self.depots.places)}
        which = {id: number for number, id in enumerate(self.variants)}
        if found.state is not HoldState.HELD:
            return {}
        return {(which[line.variant_id], place[line.location_id]): line.waits for line in found.lines if line.waits}

    def assert_sent_as_said(self, n: int, wanted: dict[int, int], region: str) -> None:
        """All of it, from where it may leave; from the first location alone that has all of it."""
        some, lies = self.sending(region), self.waits[n]
        assert {which: sum(pieces for (one, _), pieces in lies.items() if one == which) for which in wanted} == wanted
        assert {place for _, place in lies} <= set(some)
        had = {key: self.free(*key) + lies.get(key, 0) for key in self.on_hand}
        assert all(had[key] >= pieces for key, pieces in lies.items())
        alone = [place for place in some if all(had[which, place] >= pieces for which, pieces in wanted.items())]
        if alone:
            assert {place for _, place in lies} == {alone[0]}
        else:
            assert self.splits

    @rule(order=st.permutations([0, 1, 2]), ships=st.lists(st.booleans(), min_size=3, max_size=3), splits=st.booleans())
    def set_rules(self, order: list[int], ships: list[bool], splits: bool) -> None:
        """Another order; some send nothing; nothing that is held moves."""
        self.order, self.ships, self.splits = list(order), ships, splits
        self._say()

    @rule(place=places, served=st.sets(regions, min_size=1))
    def serve(self, place: int, served: set[str]) -> None:
        """A location sends to some regions alone."""
        self.serves = [served if n == place else regions for n, regions in enumerate(self.serves)]
        self._say()

    def _say(self) -> None:
        sources = tuple(
            Source(
                location_id=self.depots.places[place],
                ships=self.ships[place],
                places=tuple(Place(country="CN", region=region) for region in sorted(self.serves[place])),
            )
            for place in self.order
        )
        assert self.outcome(SetSources(shop_id=self.depots.shop, sources=sources, splits=self.splits)) == ""

    def known(self, n: int) -> int:
        """One of the holds, where there are any."""
        return sorted(self.waits)[n % len(self.waits)] if self.waits else n

    @rule(chosen=choices, region=regions)
    def hold(self, chosen: list[tuple[int, int]], region: str) -> None:
        """All lines or none."""
        n, wanted = len(self.waits), dict(chosen)
        ask = hold(n, *((self.variants[which], pieces) for which, pieces in chosen), region=region)
        got, expected = self.outcome(ask), self.expected(wanted, region, {})
        assert got == expected
        if not got:
            self.waits[n] = self.read(n)
            self.gone[n], self.back[n] = {}, {}
            self.assert_sent_as_said(n, wanted, region)

    @rule(n=holds, region=regions)
    def reroute(self, n: int, region: str) -> None:
        """Stays where it may, or moves whole, or is refused."""
        n = self.known(n)
        moves = [one for one in REGIONS if self.sending(one) and any(one not in self.serves[place] for _, place in self.waits.get(n, {}))]
        region = moves[0] if moves else region
        ask = RerouteStock(hold_id=HoldId(f"hld_{n}"), country="CN", region=region)
        if n not in self.waits:
            assert self.outcome(ask) == "hold_not_found"
        elif not self.waits[n] or self.gone[n]:
            assert self.outcome(ask) == "hold_state_forbids"
        elif all(region in self.serves[place] for _, place in self.waits[n]):
            assert self.world.send(ask) is False
        else:
            own = self.waits[n]
            wanted: dict[int, int] = {}
            for (which, _), pieces in own.items():
                wanted[which] = wanted.get(which, 0) + pieces
            expected = self.expected(wanted, region, own)
            assert self.outcome(ask) == expected
            if not expected:
                self.waits[n] = self.read(n)
                self.assert_sent_as_said(n, wanted, region)

    @rule(n=holds, which=variants, pieces=st.integers(1, 4), place=st.one_of(st.none(), places))
    def leave(self, n: int, which: int, pieces: int, place: int | None) -> None:
        """Some leave, from one location or from any."""
        n = self.known(n)
        if not self.waits.get(n):
            return
        there = {key: left for key, left in self.waits[n].items() if key[0] == which and place in (None, key[1])}
        location = None if place is None else self.depots.places[place]
        got = self.outcome(TakePart(hold_id=HoldId(f"hld_{n}"), lines=lines((self.variants[which], pieces)), location_id=location))
        if sum(there.values()) < pieces:
            assert got == "more_than_is_held"
            return
        assert got == ""
        before, after = self.waits[n], self.read(n)
        for key, left in before.items():
            went = left - after.get(key, 0)
            assert 0 <= went <= there.get(key, 0)
            self.on_hand[key] -= went
            if went:
                self.gone[n][key] = self.gone[n].get(key, 0) + went
        assert sum(before.values()) - sum(after.values()) == pieces
        self.waits[n] = after

    @rule(n=holds, goes=st.booleans())
    def end(self, n: int, goes: bool) -> None:
        """The rest leaves, or is free again."""
        n = self.known(n)
        if not self.waits.get(n):
            return
        assert self.outcome((TakeStock if goes else ReleaseStock)(hold_id=HoldId(f"hld_{n}"))) == ""
        for key, pieces in self.waits[n].items():
            if goes:
                self.on_hand[key] -= pieces
                self.gone[n][key] = self.gone[n].get(key, 0) + pieces
        self.waits[n] = {}

    @rule(n=holds, which=variants, pieces=st.integers(1, 4), place=st.one_of(st.none(), places))
    def bring_back(self, n: int, which: int, pieces: int, place: int | None) -> None:
        """To the location that is named, or to where they came from; never more than has left."""
        n = self.known(n)
        if n not in self.waits or self.waits[n] or not self.gone[n]:
            return
        left = sum(went for (one, _), went in self.gone[n].items() if one == which) - self.back[n].get(which, 0)
        before = {key: self.world_on_hand(*key) for key in self.on_hand}
        location = None if place is None else self.depots.places[place]
        got = self.outcome(ReturnStock(hold_id=HoldId(f"hld_{n}"), lines=lines((self.variants[which], pieces)), location_id=location))
        if pieces > left:
            assert got == "exceeds_taken"
            return
        assert got == ""
        self.back[n][which] = self.back[n].get(which, 0) + pieces
        for key in self.on_hand:
            more = self.world_on_hand(*key) - before[key]
            assert more == 0 or key[0] == which
            assert more <= (pieces if place == key[1] else self.gone[n].get(key, 0) if place is None else 0)
            self.on_hand[key] += more
        assert sum(self.world_on_hand(which, spot) - before[which, spot] for spot in range(3)) == pieces

    def world_on_hand(self, which: int, place: int) -> int:
        """As the cloud has it."""
        return self.depots.lies(self.variants[which])[place][0]

    @rule(which=variants, pieces=st.integers(1, 5), here=places, there=places)
    def move(self, which: int, pieces: int, here: int, there: int) -> None:
        """What is not promised moves whole, or nothing does."""
        ids = {"from_location_id": self.depots.places[here], "to_location_id": self.depots.places[there]}
        got = self.outcome(MoveStock(shop_id=self.depots.shop, lines=lines((self.variants[which], pieces)), **ids))
        if here == there:
            assert got == "same_location"
        elif self.free(which, here) < pieces:
            assert got == "sold_out"
        else:
            assert got == ""
            self.on_hand[which, here] -= pieces
            self.on_hand[which, there] += pieces

    @invariant()
    def every_shelf_is_the_models(self) -> None:
        """On hand and held at each location, and what is on offer to each region."""
        if not hasattr(self, "variants"):
            return
        for which, id in enumerate(self.variants):
            held = [self.on_hand[which, place] - self.free(which, place) for place in range(3)]
            assert self.depots.lies(id) == [(self.on_hand[which, place], held[place]) for place in range(3)]
        for region in REGIONS:
            offers = self.world.ask(OffersOf(variant_ids=tuple(self.variants), country="CN", region=region))
            for which, id in enumerate(self.variants):
                free = [self.free(which, place) for place in self.sending(region)]
                assert offers[id].available == (sum(free) if self.splits else max(free, default=0))
        assert self.world.ask(StockAudit()) == []


TestWarehouses = Warehouses.TestCase
TestWarehouses.settings = settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
