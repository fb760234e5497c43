"""Stock against a model of it: whatever is held, released, taken, brought back and counted, in any order, the figures are exact."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Struct

from unit.catalog.town import Town, variant
from yunduan.domains.catalog.commands import CreateLocation, HoldStock, ReleaseStock, ReturnStock, SetStock, TakeStock
from yunduan.domains.catalog.model import HoldLine, HoldState, StockReason
from yunduan.domains.catalog.queries import HoldOf, OffersOf, StockAudit
from yunduan.kernel.ids import HoldId, LocationId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.testing import World

holds = st.integers(0, 5)
choices = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=4)


class Promise(Struct):
    """What the model knows of a hold."""

    state: HoldState
    wanted: dict[int, int]
    returned: dict[int, int]


def added(lines: list[tuple[int, int]]) -> dict[int, int]:
    """Lines by variant."""
    sums: dict[int, int] = {}
    for which, quantity in lines:
        sums[which] = sums.get(which, 0) + quantity
    return sums


class Shelves(RuleBasedStateMachine):
    """Two locations, three variants, six holds. The model keeps totals only: over both places they must be what it says."""

    def __init__(self) -> None:
        """Open a cloud of its own."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = World.at(Path(self._folder.name))

    @initialize(first=st.lists(st.integers(0, 9), min_size=3, max_size=3), second=st.lists(st.integers(0, 9), min_size=3, max_size=3))
    def fill(self, first: list[int], second: list[int]) -> None:
        """Put some pieces at both places."""
        self.town = Town(self.world)
        self.shop = self.town.shop.id
        self.places = (
            self.town.shop.location_id,
            self.world.send(CreateLocation(shop_id=self.shop, name="二仓", country="CN")).id,
        )
        self.variants = [self.town.goods(variant(f"S{n}")).variant_ids[0] for n in range(3)]
        self.on_hand = [0, 0, 0]
        self.promises: dict[int, Promise] = {}
        for which in range(3):
            self._set(which, self.places[0], first[which])
            self._set(which, self.places[1], second[which])
            self.on_hand[which] = first[which] + second[which]

    def teardown(self) -> None:
        """Close it."""
        self.world.close()
        self._folder.cleanup()

    def _set(self, which: int, place: LocationId, pieces: int) -> None:
        ask = {"shop_id": self.shop, "variant_id": self.variants[which], "location_id": place, "reason": StockReason.COUNTED}
        self.world.send(SetStock(on_hand=pieces, **ask))

    def held(self, which: int) -> int:
        """How many pieces are promised, by the model."""
        return sum(one.wanted.get(which, 0) for one in self.promises.values() if one.state is HoldState.HELD)

    def outcome(self, command: Command[object]) -> object:
        """The answer, or the code of the refusal."""
        try:
            return self.world.send(command)
        except Refused as refused:
            return refused.code.value

    def lines(self, chosen: list[tuple[int, int]]) -> tuple[HoldLine, ...]:
        """As a command has them."""
        return tuple(HoldLine(variant_id=self.variants[which], quantity=quantity) for which, quantity in chosen)

    @rule(n=holds, chosen=choices)
    def hold(self, n: int, chosen: list[tuple[int, int]]) -> None:
        """All lines or none, and once."""
        wanted, promise = added(chosen), self.promises.get(n)
        got = self.outcome(HoldStock(hold_id=HoldId(f"hld_{n}"), lines=self.lines(chosen)))
        if promise is not None:
            same = promise.state is HoldState.HELD and promise.wanted == wanted
            assert got == (False if same else "hold_exists")
        elif all(quantity <= self.on_hand[which] - self.held(which) for which, quantity in wanted.items()):
            assert got is True
            self.promises[n] = Promise(HoldState.HELD, wanted, {})
        else:
            assert got == "sold_out"

    @rule(n=holds)
    def release(self, n: int) -> None:
        """Once."""
        self._end(n, ReleaseStock(hold_id=HoldId(f"hld_{n}")), HoldState.RELEASED)

    @rule(n=holds)
    def take(self, n: int) -> None:
        """Once."""
        promise = self.promises.get(n)
        leaves = promise is not None and promise.state is HoldState.HELD
        self._end(n, TakeStock(hold_id=HoldId(f"hld_{n}")), HoldState.TAKEN)
        if promise is not None and leaves:
            for which, quantity in promise.wanted.items():
                self.on_hand[which] -= quantity

    def _end(self, n: int, command: Command[bool], to: HoldState) -> None:
        promise, got = self.promises.get(n), self.outcome(command)
        if promise is None:
            assert got == "hold_not_found"
        elif promise.state is HoldState.HELD:
            assert got is True
            promise.state = to
        else:
            assert got == (False if promise.state is to else "hold_state_forbids")

    @rule(n=holds, chosen=choices)
    def bring_back(self, n: int, chosen: list[tuple[int, int]]) -> None:
        """Never more than has left."""
        back, promise = added(chosen), self.promises.get(n)
        got = self.outcome(ReturnStock(hold_id=HoldId(f"hld_{n}"), lines=self.lines(chosen)))
        if promise is None:
            assert got == "hold_not_found"
        elif promise.state is HoldState.RELEASED:
            assert got == "hold_state_forbids"
        elif promise.state is HoldState.HELD:
            assert got == "exceeds_taken"  # nothing of it has left
        elif any(quantity > promise.wanted.get(which, 0) - promise.returned.get(which, 0) for which, quantity in back.items()):
            assert got == "exceeds_taken"
        else:
            assert got is None
            for which, quantity in back.items():
                promise.returned[which] = promise.returned.get(which, 0) + quantity
                self.on_hand[which] += quantity

    @rule(which=st.integers(0, 2), place=st.integers(0, 1), pieces=st.integers(0, 12))
    def count(self, which: int, place: int, pieces: int) -> None:
        """A count at one place; refused when more is promised from there."""
        id, location = self.variants[which], self.places[place]
        before = self.world.rows("SELECT on_hand, held FROM stock WHERE variant_id = ? AND location_id = ?", id, location)
        on_hand, held = before[0]
        ask = {"shop_id": self.shop, "variant_id": id, "location_id": location, "reason": StockReason.COUNTED}
        got = self.outcome(SetStock(on_hand=pieces, **ask))
        if pieces < held:
            assert got == "stock_is_held"
        else:
            self.on_hand[which] += pieces - on_hand

    @invariant()
    def the_figures_are_the_models(self) -> None:
        """On hand, held and on offer, of every variant; and every hold's state."""
        if not hasattr(self, "variants"):
            return
        offers = self.world.ask(OffersOf(variant_ids=tuple(self.variants)))
        for which, id in enumerate(self.variants):
            assert self.town.shelf(id) == (self.on_hand[which], self.held(which))
            assert offers[id].available == self.on_hand[which] - self.held(which)
        for n, promise in self.promises.items():
            found = self.world.ask(HoldOf(hold_id=HoldId(f"hld_{n}")))
            assert found is not None
            assert found.state is promise.state
            assert found.quantities() == {self.variants[which]: quantity for which, quantity in promise.wanted.items()}
        assert self.world.ask(StockAudit()) == []


TestShelves = Shelves.TestCase
TestShelves.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
