"""Stock: never oversold, never negative, and every hold ends once."""

import apsw
import psycopg
import pytest
from msgspec import ValidationError, convert

from unit.catalog.town import Town, variant
from yunduan.domains.catalog.commands import (
    AdjustStock,
    CreateLocation,
    HoldStock,
    ReleaseStock,
    ReturnStock,
    SetStock,
    TakePart,
    TakeStock,
)
from yunduan.domains.catalog.model import HoldLine, HoldState, StockReason
from yunduan.domains.catalog.queries import HoldOf, OffersOf, StockAudit, StockChanges
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import HoldId, LocationId, PersonId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused

NOBODYS = VariantId("var_0")


def hold(n: int, *lines: tuple[VariantId, int]) -> HoldStock:
    """Hold so many pieces of each variant."""
    return HoldStock(hold_id=HoldId(f"hld_{n}"), lines=tuple(HoldLine(variant_id=id, quantity=pieces) for id, pieces in lines))


def back(n: int, *lines: tuple[VariantId, int]) -> ReturnStock:
    """Bring so many pieces back."""
    return ReturnStock(hold_id=HoldId(f"hld_{n}"), lines=hold(n, *lines).lines)


def test_of_200_that_race_for_the_last_piece_one_has_it(town: Town) -> None:
    """Exactly one hold stands; 199 are told that nothing is left."""
    last = town.one(1)
    outcomes = town.world.send_all([(hold(n, (last, 1)), SYSTEM) for n in range(200)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert [outcome for outcome in outcomes if outcome is True] == [True]
    assert [one.code.value for one in refused] == ["sold_out"] * 199
    assert town.shelf(last) == (1, 1)
    assert town.world.rows("SELECT count(*) FROM hold") == [(1,)]
    assert town.world.ask(StockAudit()) == []


def test_of_200_that_race_for_ten_pieces_by_threes_three_have_them(town: Town) -> None:
    """What is left over is too little for any, and stays on sale."""
    id = town.one(10)
    outcomes = town.world.send_all([(hold(n, (id, 3)), SYSTEM) for n in range(200)])
    assert sum(outcome is True for outcome in outcomes) == 3
    assert town.shelf(id) == (10, 9)
    assert town.world.ask(OffersOf(variant_ids=(id,)))[id].available == 1


def test_a_hold_has_all_its_lines_or_none(town: Town) -> None:
    """One line that is short leaves the others as they were, and the refusal says what is left of each that is short."""
    plenty, few, none = town.one(100), town.one(2, "FEW"), town.goods(variant("NONE")).variant_ids[0]
    before = town.everything()
    answered = town.answered(hold(1, (plenty, 5), (few, 3), (none, 1)))
    expected = b'"figures":{"lines":[{"variant_id":"%s","available":2},{"variant_id":"%s","available":0}]}' % (few.encode(), none.encode())
    assert not answered.accepted
    assert expected in answered.body
    assert town.everything() == before


def test_lines_of_one_variant_count_together(town: Town) -> None:
    """Two lines of two each are four, of three pieces."""
    id = town.one(3)
    assert town.world.refusal(hold(1, (id, 2), (id, 2))) == "sold_out"
    assert town.shelf(id) == (3, 0)
    assert town.world.send(hold(1, (id, 2), (id, 1))) is True
    assert town.shelf(id) == (3, 3)


def test_the_same_hold_again_changes_nothing(town: Town) -> None:
    """With the same lines it is harmless, with others refused, and after its end refused too."""
    id = town.one(10)
    assert town.world.send(hold(1, (id, 4))) is True
    before = town.everything()
    assert town.world.send(hold(1, (id, 1), (id, 3))) is False
    assert town.world.refusal(hold(1, (id, 5))) == "hold_exists"
    assert town.everything() == before
    town.world.send(ReleaseStock(hold_id=HoldId("hld_1")))
    assert town.world.refusal(hold(1, (id, 4))) == "hold_exists"
    assert town.shelf(id) == (10, 0)


def test_releasing_twice_gives_back_once(town: Town) -> None:
    """The second time is harmless and says so; what was released cannot leave."""
    id = town.one(10)
    town.world.send(hold(1, (id, 4)))
    town.world.send(hold(2, (id, 6)))
    assert town.world.send(ReleaseStock(hold_id=HoldId("hld_1"))) is True
    assert town.world.send(ReleaseStock(hold_id=HoldId("hld_1"))) is False
    assert town.world.refusal(TakeStock(hold_id=HoldId("hld_1"))) == "hold_state_forbids"
    assert town.world.refusal(back(1, (id, 1))) == "hold_state_forbids"
    assert town.shelf(id) == (10, 6)
    assert town.world.ask(StockAudit()) == []


def test_taking_twice_takes_once(town: Town) -> None:
    """What has left falls on hand and held alike, once; it cannot be released."""
    id = town.one(10)
    town.world.send(hold(1, (id, 4)))
    assert town.world.send(TakeStock(hold_id=HoldId("hld_1"))) is True
    assert town.world.send(TakeStock(hold_id=HoldId("hld_1"))) is False
    assert town.world.refusal(ReleaseStock(hold_id=HoldId("hld_1"))) == "hold_state_forbids"
    assert town.shelf(id) == (6, 0)


def part(n: int, *lines: tuple[VariantId, int]) -> TakePart:
    """Some of a hold's pieces leave."""
    return TakePart(hold_id=HoldId(f"hld_{n}"), lines=tuple(HoldLine(variant_id=id, quantity=quantity) for id, quantity in lines))


def test_some_leave_and_the_others_wait_on(town: Town) -> None:
    """Each piece leaves once; the rest leaves in the end, or is free again; and no more comes back than has left."""
    id, other = town.one(10), town.one(10, "OTHER")
    town.world.send(hold(1, (id, 4), (other, 2)))
    town.world.send(part(1, (id, 1), (id, 2)))
    assert (town.shelf(id), town.shelf(other)) == ((7, 1), (10, 2))
    assert town.world.ask(StockAudit()) == []
    before = town.everything()
    assert town.world.refusal(part(1, (id, 2))) == "more_than_is_held"
    assert town.world.refusal(part(1, (NOBODYS, 1))) == "more_than_is_held"
    assert town.world.refusal(part(9, (id, 1))) == "hold_not_found"
    assert town.everything() == before
    assert town.world.send(TakeStock(hold_id=HoldId("hld_1"))) is True
    assert (town.shelf(id), town.shelf(other)) == ((6, 0), (8, 0))
    assert town.world.refusal(part(1, (other, 1))) == "hold_state_forbids"
    town.world.send(back(1, (id, 4), (other, 2)))
    assert (town.shelf(id), town.shelf(other)) == ((10, 0), (10, 0))
    assert town.world.ask(StockAudit()) == []


def test_what_waits_is_released_and_what_has_left_stays_gone(town: Town) -> None:
    """The hold is then of what has left, and no more than that comes back."""
    id, other = town.one(10), town.one(10, "OTHER")
    town.world.send(hold(1, (id, 4), (other, 2)))
    town.world.send(part(1, (id, 3)))
    assert town.world.send(ReleaseStock(hold_id=HoldId("hld_1"))) is True
    assert (town.shelf(id), town.shelf(other)) == ((7, 0), (10, 0))
    found = town.world.ask(HoldOf(hold_id=HoldId("hld_1")))
    assert found is not None
    assert (found.state.value, found.quantities()) == ("taken", {id: 3})
    assert town.world.refusal(back(1, (other, 1))) == "exceeds_taken"
    town.world.send(back(1, (id, 3)))
    assert town.shelf(id) == (10, 0)
    assert town.world.ask(StockAudit()) == []


def test_no_more_comes_back_than_has_left(town: Town) -> None:
    """Parts add up; the piece too many is refused and changes nothing."""
    id, other = town.one(10), town.one(10, "OTHER")
    town.world.send(hold(1, (id, 4)))
    assert town.world.refusal(back(1, (id, 1))) == "exceeds_taken"
    town.world.send(part(1, (id, 2)))
    town.world.send(back(1, (id, 1)))
    assert (town.shelf(id), town.world.refusal(back(1, (id, 2)))) == ((9, 2), "exceeds_taken")
    town.world.send(TakeStock(hold_id=HoldId("hld_1")))
    assert town.shelf(id) == (7, 0)
    town.world.send(back(1, (id, 2)))
    before = town.everything()
    assert town.world.refusal(back(1, (id, 2))) == "exceeds_taken"
    assert town.world.refusal(back(1, (other, 1))) == "exceeds_taken"
    assert town.everything() == before
    town.world.send(back(1, (id, 1)))
    assert town.shelf(id) == (10, 0)
    assert town.world.refusal(back(1, (id, 1))) == "exceeds_taken"


@pytest.mark.parametrize("ask", [ReleaseStock(hold_id=HoldId("hld_9")), TakeStock(hold_id=HoldId("hld_9")), back(9, (NOBODYS, 1))])
def test_a_hold_that_is_not_there_is_not_found(town: Town, ask: Command[object]) -> None:
    """Nothing is released, taken or brought back for it."""
    assert town.world.refusal(ask) == "hold_not_found"
    assert town.world.ask(HoldOf(hold_id=HoldId("hld_9"))) is None


def test_a_variant_that_is_not_there_cannot_be_held(town: Town) -> None:
    """And the lines beside it are not held."""
    id = town.one(5)
    assert town.world.refusal(hold(1, (id, 1), (NOBODYS, 1))) == "variant_not_found"
    assert town.shelf(id) == (5, 0)


def test_pieces_come_from_the_first_place_that_has_them_all(town: Town) -> None:
    """Else from all places in order; and they go back to where they came from."""
    id = town.one(2)
    shop = town.shop.id
    second = town.world.send(CreateLocation(shop_id=shop, name="二仓", country="CN")).id
    town.world.send(SetStock(shop_id=shop, variant_id=id, location_id=second, on_hand=5, reason=StockReason.RECEIVED))
    assert town.world.ask(OffersOf(variant_ids=(id,)))[id].available == 7
    town.world.send(hold(1, (id, 3)))
    town.world.send(hold(2, (id, 4)))
    held = dict(town.world.rows("SELECT location_id, held FROM stock WHERE variant_id = ?", id))
    assert held == {town.shop.location_id: 2, second: 5}
    assert town.world.refusal(hold(3, (id, 1))) == "sold_out"
    town.world.send(TakeStock(hold_id=HoldId("hld_2")))
    town.world.send(back(2, (id, 3)))
    assert dict(town.world.rows("SELECT location_id, on_hand - held FROM stock WHERE variant_id = ?", id)) == {
        town.shop.location_id: 2,
        second: 1,
    }
    assert town.world.ask(StockAudit()) == []


def test_a_count_cannot_go_below_what_is_promised(town: Town) -> None:
    """Neither as a whole nor as a difference; what is promised stays to be sent."""
    id = town.one(10)
    town.world.send(hold(1, (id, 4)))
    place = {"shop_id": town.shop.id, "variant_id": id, "location_id": town.shop.location_id, "reason": StockReason.LOST}
    before = town.everything()
    assert town.world.refusal(SetStock(on_hand=3, **place)) == "stock_is_held"
    assert town.world.refusal(AdjustStock(by=-7, **place)) == "stock_is_held"
    assert town.world.refusal(AdjustStock(by=10**9, **place)) == "stock_too_large"
    assert town.everything() == before
    assert town.world.send(AdjustStock(by=-6, **place)).on_hand == 4
    assert town.shelf(id) == (4, 4)


def test_a_count_says_who_made_it_and_why(town: Town) -> None:
    """Newest first, a page at a time."""
    id = town.one(10)
    packer = Actor(person=PersonId("per_7"))
    place = {"shop_id": town.shop.id, "variant_id": id, "location_id": town.shop.location_id}
    town.world.send(SetStock(on_hand=8, reason=StockReason.DAMAGED, **place), actor=packer)
    ask = {"shop_id": town.shop.id, "variant_id": id}
    last, first = town.world.ask(StockChanges(**ask)).items
    assert (last.on_hand_before, last.on_hand_after, last.reason, last.person_id) == (10, 8, "damaged", "per_7")
    assert (first.on_hand_before, first.on_hand_after, first.reason) == (0, 10, "counted")
    assert town.world.ask(StockChanges(after=last.seq, **ask)).items == [first]
    assert town.world.ask(StockChanges(limit=1, **ask)).items == [last]


def test_another_shops_variant_or_place_is_not_found(town: Town) -> None:
    """Whoever counts for one shop cannot touch another's shelves."""
    id = town.one(10)
    mine, other = town.shop, town.other
    before = town.everything()
    for shop, place, code in (
        (other.id, other.location_id, "variant_not_found"),
        (other.id, mine.location_id, "variant_not_found"),
        (mine.id, other.location_id, "location_not_found"),
        (mine.id, LocationId("loc_0"), "location_not_found"),
    ):
        ask = {"shop_id": shop, "variant_id": id, "location_id": place, "reason": StockReason.COUNTED}
        assert town.world.refusal(SetStock(on_hand=0, **ask)) == code
        assert town.world.refusal(AdjustStock(by=1, **ask)) == code
    with pytest.raises(Refused, match="variant_not_found"):
        town.world.ask(StockChanges(shop_id=other.id, variant_id=id))
    assert town.everything() == before


@pytest.mark.parametrize("quantity", [0, -1, 1000, 1.5, "1", True, 10**30])
def test_a_quantity_is_a_small_whole_number(quantity: object) -> None:
    """Whatever else a client sends is no hold line."""
    with pytest.raises(ValidationError):
        convert({"variant_id": "var_1", "quantity": quantity}, HoldLine)


@pytest.mark.parametrize(("on_hand", "held"), [(-1, 0), (1, 2), (1, -1)])
def test_the_store_itself_refuses_impossible_stock(town: Town, on_hand: int, held: int) -> None:
    """Even a handler that is wrong cannot oversell: the row does not take it."""
    id = town.one(1)
    store = town.world.cloud.store
    store.begin()
    with pytest.raises((apsw.ConstraintError, psycopg.errors.CheckViolation)):
        store.write("UPDATE stock SET on_hand = ?, held = ? WHERE variant_id = ?", (on_hand, held, id))
    store.rollback()


def test_the_audit_sees_a_piece_that_nobody_was_promised(town: Town) -> None:
    """A planted difference is found, with its place and both figures."""
    id = town.one(5)
    town.world.send(hold(1, (id, 2)))
    store = town.world.cloud.store
    store.begin()
    store.write("UPDATE stock SET held = 3 WHERE variant_id = ?", (id,))
    store.commit()
    found = town.world.ask(StockAudit())
    assert [(one.variant_id, one.location_id, one.held, one.promised) for one in found] == [(id, town.shop.location_id, 3, 2)]
    assert town.world.ask(HoldOf(hold_id=HoldId("hld_1"))).state is HoldState.HELD


def test_a_hold_of_two_lines_costs_one_look_and_its_share_of_two_writes(town: Town) -> None:
    """The statement budget of the hot command: what it reads of goods is remembered, what it writes goes out once a batch."""
    one, two = town.one(1000), town.one(1000, "TWO")
    town.world.send(hold(0, (one, 1), (two, 1)))
    writer = town.world.cloud.writer
    statements, batches = writer.statements, writer.batches
    town.world.send_all([(hold(n, (one, 1), (two, 1)), SYSTEM) for n in range(1, 101)])
    assert writer.statements - statements == 100 + 2 * (writer.batches - batches)
    assert town.shelf(one) == town.shelf(two) == (1000, 101)
