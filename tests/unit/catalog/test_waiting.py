"""Waiting for what is sold out: who waits is told once when it is back, however it comes back, and a checkout asks nothing of it."""

import pytest

from support.stores import cluster
from unit.catalog.test_locations import Depots, depots, hold, lines, shared
from unit.catalog.town import COLOURS, Town, variant, yuan
from yunduan.domains.catalog.commands import (
    AdjustStock,
    BanGoods,
    ChangeGoods,
    LiftBan,
    MoveStock,
    PublishGoods,
    ReleaseStock,
    ReopenShop,
    ReturnStock,
    SetHoliday,
    StopWaiting,
    SuspendShop,
    TakeStock,
    WaitForStock,
    WithdrawGoods,
)
from yunduan.domains.catalog.commands.waiting import TOLD_AT_ONCE
from yunduan.domains.catalog.facts import StockCameBack, WaitEnded
from yunduan.domains.catalog.model import WAITS_MAX, StockReason, VariantForm
from yunduan.domains.catalog.waits import MyWaits
from yunduan.domains.identity.commands import ErasePerson, RegisterPerson
from yunduan.domains.identity.model import DAY_MS
from yunduan.domains.notices.queries import MyNotices
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import GoodsId, HoldId, PersonId, VariantId
from yunduan.kernel.refusals import Refused
from yunduan.testing import World

__all__ = ["cluster", "depots", "shared"]


def people(world: World, count: int = 1, first: int = 0) -> list[Actor]:
    """So many who have signed in."""
    numbers = range(first, first + count)
    return [Actor(person=world.send(RegisterPerson(phone=f"+8613900{number:06d}")).person_id) for number in numbers]


def goods_of(world: World, id: VariantId) -> GoodsId:
    """Which goods it is of."""
    return GoodsId(world.rows("SELECT goods_id FROM variant WHERE id = ?", id)[0][0])


def wait(world: World, id: VariantId, *actors: Actor) -> None:
    """They ask to be told."""
    for actor in actors:
        assert world.send(WaitForStock(goods_id=goods_of(world, id), variant_id=id), actor=actor).waits


def refused(world: World, id: VariantId, actor: Actor, goods: GoodsId | None = None) -> str:
    """By which code, and nothing has changed."""
    before = world.rows("SELECT * FROM stock_wait ORDER BY person, variant_id")
    with pytest.raises(Refused) as refusal:
        world.send(WaitForStock(goods_id=goods or goods_of(world, id), variant_id=id), actor=actor)
    assert world.rows("SELECT * FROM stock_wait ORDER BY person, variant_id") == before
    return refusal.value.code.value


def told(world: World, actor: Actor) -> list[str | None]:
    """Of which variants somebody was told that they are back, in order."""
    world.settle()
    notices = world.ask(MyNotices(), actor=actor).items
    return [it.about.variant_id for it in reversed(notices) if it.kind.value == "back_in_stock"]


def facts(world: World, kind: type) -> int:
    """How many were told."""
    return int(world.rows("SELECT count(*) FROM fact WHERE kind = ?", kind.__name__)[0][0])


def waiting(world: World) -> list[tuple[PersonId, VariantId]]:
    """Who waits for what."""
    return [(row[0], row[1]) for row in world.rows("SELECT person, variant_id FROM stock_wait ORDER BY at, person")]


def test_who_waits_is_told_once_and_waits_no_longer(shared: Depots) -> None:
    """In words, with what was chosen; who waits again is told again, and who took it back is not."""
    world, id = shared.world, shared.goods(0)
    asks, takes_back = people(world, 2)
    wait(world, id, asks, takes_back, asks)
    (line,) = world.ask(MyWaits(), actor=asks).items
    assert (line.variant_id, line.goods_id, line.title, line.price, line.on_sale) == (id, goods_of(world, id), "龙井", yuan(1999), True)
    for _ in range(2):
        assert not world.send(StopWaiting(goods_id=line.goods_id, variant_id=id), actor=takes_back).waits
    shared.count(id, shared.places[0], 3)
    assert (told(world, asks), told(world, takes_back), waiting(world)) == ([id], [], [])
    shared.count(id, shared.places[0], 0)
    shared.count(id, shared.places[0], 3)
    assert told(world, asks) == [id]
    shared.count(id, shared.places[0], 0)
    wait(world, id, asks)
    shared.count(id, shared.places[0], 1)
    assert (told(world, asks), waiting(world)) == ([id, id], [])
    assert (facts(world, StockCameBack), facts(world, WaitEnded)) == (3, 2)


@pytest.mark.parametrize("way", ["counted", "adjusted", "moved", "returned", "released"])
def test_however_it_comes_back(depots: Depots, way: str) -> None:
    """Each of the ways in which pieces come, and none of those in which they go or stay held."""
    world, id, (first, second, _) = depots.world, depots.goods(2, 0, 0), depots.places
    depots.say(depots.source(1, ships=False))
    world.send(hold(1, (id, 2)))
    (actor,) = people(world)
    wait(world, id, actor)
    if way == "counted":
        depots.count(id, first, 2)
        assert told(world, actor) == []
        depots.count(id, first, 3)
    elif way == "adjusted":
        world.send(AdjustStock(shop_id=depots.shop, variant_id=id, location_id=first, by=1, reason=StockReason.RECEIVED))
    elif way == "moved":
        depots.count(id, second, 5)
        assert told(world, actor) == [], "nothing is sent from there"
        world.send(MoveStock(shop_id=depots.shop, from_location_id=second, to_location_id=first, lines=lines((id, 4))))
    elif way == "returned":
        world.send(TakeStock(hold_id=HoldId("hld_1")))
        assert told(world, actor) == []
        world.send(ReturnStock(hold_id=HoldId("hld_1"), lines=lines((id, 1)), location_id=second))
        assert told(world, actor) == []
        world.send(ReturnStock(hold_id=HoldId("hld_1"), lines=lines((id, 1))))
    else:
        world.send(ReleaseStock(hold_id=HoldId("hld_1")))
    assert (told(world, actor), waiting(world), facts(world, StockCameBack)) == ([id], [], 2)


def test_a_location_that_sends_from_now_on_brings_goods_back(depots: Depots) -> None:
    """What lay there could not be bought before."""
    world, id = depots.world, depots.goods(0, 7, 0)
    depots.say(depots.source(1, ships=False))
    (actor,) = people(world)
    wait(world, id, actor)
    depots.say(depots.source(1, ships=True))
    assert (told(world, actor), waiting(world)) == ([id], [])


def test_goods_off_sale_are_back_when_they_are_on_sale(shared: Depots) -> None:
    """Taken off, or banned; who waits is told of the pieces that came meanwhile, when they can be bought."""
    world, id = shared.world, shared.goods(0)
    goods_id = goods_of(world, id)
    (actor,) = people(world)
    wait(world, id, actor)
    of = {"shop_id": shared.shop, "goods_id": goods_id}
    world.send(WithdrawGoods(**of))
    world.send(PublishGoods(**of))
    assert told(world, actor) == [], "there are none yet"
    world.send(WithdrawGoods(**of))
    shared.count(id, shared.places[0], 3)
    assert told(world, actor) == []
    world.send(PublishGoods(**of))
    assert told(world, actor) == [id]
    shared.count(id, shared.places[0], 0)
    wait(world, id, actor)
    world.send(BanGoods(**of, reason="假货"))
    shared.count(id, shared.places[0], 3)
    world.send(LiftBan(**of, reason="已核实"))
    assert told(world, actor) == [id]
    world.send(PublishGoods(**of))
    assert (told(world, actor), waiting(world)) == ([id, id], [])


def test_a_shop_that_sells_nothing_now_has_it_back_when_it_sells(shared: Depots) -> None:
    """Suspended, or on a holiday that ends by time, or before it."""
    world, id = shared.world, shared.goods(0)
    (actor,) = people(world)
    wait(world, id, actor)
    world.send(SuspendShop(shop_id=shared.shop, reason="投诉"))
    shared.count(id, shared.places[0], 3)
    assert told(world, actor) == []
    world.send(ReopenShop(shop_id=shared.shop, reason="已核实"))
    assert told(world, actor) == [id]
    for back_early in (False, True):
        shared.count(id, shared.places[0], 0)
        wait(world, id, actor)
        before = len(told(world, actor))
        world.send(SetHoliday(shop_id=shared.shop, back_at=world.clock.wall_ms() + 3 * DAY_MS))
        shared.count(id, shared.places[0], 3)
        world.pass_time(2 * DAY_MS)
        assert len(told(world, actor)) == before
        if back_early:
            world.send(SetHoliday(shop_id=shared.shop, back_at=0))
        else:
            world.pass_time(DAY_MS)
        assert (len(told(world, actor)), waiting(world)) == (before + 1, [])


def test_what_is_gone_again_before_anybody_was_told_is_waited_for_on(depots: Depots) -> None:
    """Nobody is sent to an empty shelf, and the next return is told."""
    world, id = depots.world, depots.goods(1)
    world.send(hold(1, (id, 1)))
    (actor,) = people(world)
    wait(world, id, actor)
    world.send(ReleaseStock(hold_id=HoldId("hld_1")))
    world.send(hold(2, (id, 1)))
    assert (told(world, actor), waiting(world), facts(world, StockCameBack)) == ([], [(actor.person, id)], 2)
    world.send(ReleaseStock(hold_id=HoldId("hld_2")))
    assert (told(world, actor), waiting(world)) == ([id], [])


def test_one_waits_only_for_what_is_on_sale_and_sold_out(shared: Depots) -> None:
    """And for no more than so many at once; each refusal changes nothing."""
    world, there, sold_out = shared.world, shared.goods(1), shared.goods(0)
    (actor,) = people(world)
    assert refused(world, there, actor) == "not_sold_out"
    assert refused(world, sold_out, actor, goods_of(world, there)) == "variant_not_found"
    draft = shared.town.goods(variant("DRAFT"), publish=False).variant_ids[0]
    assert refused(world, draft, actor) == "goods_not_found"
    assert refused(world, sold_out, actor, GoodsId("gds_0")) == "goods_not_found"
    for _ in range(WAITS_MAX):
        wait(world, shared.goods(0), actor)
    assert refused(world, sold_out, actor) == "waits_full"
    assert len(world.ask(MyWaits(), actor=actor).items) == WAITS_MAX
    world.send(SuspendShop(shop_id=shared.shop, reason="投诉"))
    assert refused(world, sold_out, people(world, 1, 1)[0]) == "goods_not_found"


def test_many_are_told_in_steps(shared: Depots) -> None:
    """Each once, who has waited longest first; the rest of them wait on when there is none any more."""
    world, id = shared.world, shared.goods(0)
    actors = people(world, 2 * TOLD_AT_ONCE + 3)
    wait(world, id, *actors)
    shared.count(id, shared.places[0], 1)
    world.settle()
    world.settle()
    assert [row[0] for row in world.rows("SELECT person, number FROM notice WHERE kind = 'back_in_stock' ORDER BY seq")] == [
        actor.person for actor in actors
    ]
    assert (waiting(world), facts(world, WaitEnded)) == ([], len(actors))


def test_what_somebody_waits_for_is_forgotten_with_them(shared: Depots) -> None:
    """Nobody is told then."""
    world, one, other = shared.world, shared.goods(0), shared.goods(0)
    gone, stays = people(world, 2)
    for id in (one, other):
        wait(world, id, gone, stays)
    world.send(ErasePerson(person_id=gone.person))
    world.settle()
    assert waiting(world) == [(stays.person, one), (stays.person, other)]
    shared.count(one, shared.places[0], 1)
    assert told(world, stays) == [one]
    assert world.rows("SELECT count(*) FROM notice WHERE person = ?", gone.person) == [(0,)]


def test_nobody_waits_for_a_variant_that_is_no_more(town: Town) -> None:
    """And nobody is told of it."""
    world = town.world
    red, blue = (VariantForm(sku=sku, choice=(place,), price=yuan(1999)) for place, sku in enumerate(("R", "B")))
    made = town.goods(red, blue, options=(COLOURS,))
    (actor,) = people(world)
    wait(world, made.variant_ids[0], actor)
    wait(world, made.variant_ids[1], actor)
    form = town.form(VariantForm(id=made.variant_ids[1], sku="B", choice=(1,), price=yuan(1999)), options=(COLOURS,))
    world.send(ChangeGoods(shop_id=town.shop.id, goods_id=made.id, version=made.version, form=form))
    assert (told(world, actor), waiting(world)) == ([], [(actor.person, made.variant_ids[1])])
    town.stock(made.variant_ids[1], 2)
    assert told(world, actor) == [made.variant_ids[1]]
    words = world.ask(MyNotices(), actor=actor).items[0]
    assert (words.title, words.text) == ("到货提醒", "您关注的“龙井”（蓝）在云茶又有货了。")


def test_what_nobody_waits_for_costs_nothing(town: Town) -> None:
    """Counts of a shop where nobody waits tell of it, and no more; a hold and what leaves ask nothing at all, whoever waits."""
    world, ids = town.world, [town.one(0, f"N{number}") for number in range(3)]
    town.stock(ids[0], 1)

    def spent(id: VariantId, on_hand: int) -> int:
        before = world.cloud.writer.statements
        town.stock(id, on_hand)
        return world.cloud.writer.statements - before

    rises, falls = spent(ids[1], 5), spent(ids[1], 0)
    assert rises == falls + 1  # what is told of it, to whoever finds goods
    (actor,) = people(world)
    wait(world, ids[1], actor)
    first = hold(1, (ids[0], 1))
    before = world.cloud.writer.statements
    world.send(first)
    world.send(TakeStock(hold_id=HoldId("hld_1")))
    with_waiter = world.cloud.writer.statements - before
    world.send(StopWaiting(goods_id=goods_of(world, ids[1]), variant_id=ids[1]), actor=actor)
    town.stock(ids[0], 1)
    before = world.cloud.writer.statements
    world.send(hold(2, (ids[0], 1)))
    world.send(TakeStock(hold_id=HoldId("hld_2")))
    assert with_waiter == world.cloud.writer.statements - before
