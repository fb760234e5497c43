"""The life of goods: every step of the table is taken by real commands, every other is refused; reviews, bans, and times to go on sale."""

from itertools import product
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from unit.catalog.town import COLOURS, Town, variant, yuan
from yunduan.domains.catalog.commands import (
    ApproveGoods,
    BanGoods,
    ChangeGoods,
    CreateGoods,
    GoodsKept,
    LiftBan,
    OpenScheduled,
    PublishGoods,
    RejectGoods,
    ScheduleGoods,
    SetPrice,
    SuspendShop,
    WithdrawGoods,
)
from yunduan.domains.catalog.deciding import GoodsInReview, RulingsOnShop
from yunduan.domains.catalog.life import GOODS_MOVES, SCHEDULED_MS_MAX, GoodsGiven, GoodsNow, GoodsStep, GoodsWho, after
from yunduan.domains.catalog.lists import cards_of
from yunduan.domains.catalog.model import Goods, GoodsState
from yunduan.domains.catalog.queries import GoodsOnDesk, NewestGoods, OffersOf
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused

DAY_MS = 86_400_000
ADMIN = Actor(person=PersonId("per_admin"), operator_roles=frozenset({"admin"}))


def desk(town: Town, goods: GoodsKept) -> Goods:
    """Goods as their shop knows them."""
    return town.world.ask(GoodsOnDesk(shop_id=town.shop.id, goods_id=goods.id)).goods


def state(town: Town, goods: GoodsKept) -> str:
    """Where goods stand."""
    return desk(town, goods).state.value


def of(town: Town, goods: GoodsKept) -> dict[str, Any]:
    """What names goods in a command."""
    return {"shop_id": town.shop.id, "goods_id": goods.id}


def waiting(town: Town) -> list[tuple[str, int]]:
    """Goods and versions that wait for a review."""
    return [(one.id, one.version) for one in town.world.ask(GoodsInReview(limit=50)).items]


def listed(town: Town) -> int:
    """How many goods everybody is shown."""
    return len(cards_of(town.world.ask(NewestGoods(limit=50)).items))


def command(town: Town, goods: GoodsKept, step: GoodsStep) -> Command[Any]:
    """What takes a step."""
    now = desk(town, goods)
    names, version = of(town, goods), now.version
    soon = town.world.clock.wall_ms() + DAY_MS
    return {
        GoodsStep.PUBLISH: PublishGoods(**names),
        GoodsStep.CHANGE: ChangeGoods(**names, version=version, form=replace(now.form, title=f"{now.form.title}新")),
        GoodsStep.PRICE: SetPrice(**names, variant_id=goods.variant_ids[0], price=yuan(1000)),
        GoodsStep.SCHEDULE: ScheduleGoods(**names, on_sale_at=soon + 1),
        GoodsStep.UNSCHEDULE: ScheduleGoods(**names, on_sale_at=0),
        GoodsStep.OPEN: OpenScheduled(**names, on_sale_at=now.on_sale_at),
        GoodsStep.WITHDRAW: WithdrawGoods(**names),
        GoodsStep.APPROVE: ApproveGoods(**names, version=version),
        GoodsStep.REJECT: RejectGoods(**names, version=version, reason="不符"),
        GoodsStep.BAN: BanGoods(**names, reason="假货"),
        GoodsStep.LIFT: LiftBan(**names, reason="已证明"),
    }[step]


def brought_to(town: Town, wanted: GoodsState, *, scheduled: bool) -> GoodsKept:
    """Goods in a state, where goods are reviewed or where they are not; with a time if that may be."""
    goods = town.goods(variant(f"S{town.world.rows('SELECT count(*) FROM goods')[0][0]}"), publish=False)
    names = of(town, goods)
    if wanted in (GoodsState.IN_REVIEW, GoodsState.ON_SALE):
        town.world.send(PublishGoods(**names))
    if wanted is GoodsState.ON_SALE and state(town, goods) == "in_review":
        town.world.send(ApproveGoods(**names, version=desk(town, goods).version))
    if wanted in (GoodsState.OFF_SALE, GoodsState.BANNED):
        town.world.send(BanGoods(**names, reason="假货"))
        if wanted is GoodsState.OFF_SALE:
            town.world.send(LiftBan(**names, reason="已证明"))
    if scheduled:
        town.world.send(ScheduleGoods(**names, on_sale_at=town.world.clock.wall_ms() + DAY_MS))
    assert state(town, goods) == wanted.value
    return goods


def walk(town: Town, *, reviews: bool) -> set[tuple[str, str, str]]:
    """Take every step from every state that there is here; answers those that were taken."""
    taken = set()
    for before, step, scheduled in product(GoodsState, GoodsStep, (False, True)):
        if before is GoodsState.IN_REVIEW and not reviews:
            continue
        if scheduled and (before in (GoodsState.ON_SALE, GoodsState.BANNED) or (reviews and before is not GoodsState.IN_REVIEW)):
            continue  # these have no time, or are in review as soon as they are given one
        if step is GoodsStep.OPEN:
            continue  # the alarm's own; told below
        goods = brought_to(town, before, scheduled=scheduled)
        unreviewed = reviews and (step is GoodsStep.CHANGE or not desk(town, goods).reviewed)
        ask, kept = command(town, goods, step), town.everything()
        who = next(move.who for move in GOODS_MOVES if move.step is step)
        try:
            following = after(before, step, who, unreviewed=unreviewed, scheduled=scheduled)
        except Refused:
            assert town.world.refusal(ask) == "goods_state_forbids", (before, step, scheduled)
            assert town.everything() == kept
        else:
            assert town.world.send(ask).state is following, (before, step, scheduled)
            assert state(town, goods) == following.value
            assert (goods.id in [id for id, _ in waiting(town)]) is (following is GoodsState.IN_REVIEW)
            offer = town.world.ask(OffersOf(variant_ids=goods.variant_ids))[goods.variant_ids[0]]
            assert offer.variant.on_sale is (following is GoodsState.ON_SALE)
            taken.add((before.value, step.value, following.value))
    return taken


def edges(*given: GoodsGiven) -> set[tuple[str, str, str]]:
    """The rows of the table that hold under some conditions."""
    return {
        (move.state.value, move.step.value, move.next.value)
        for move in GOODS_MOVES
        if move.given in (GoodsGiven.ALWAYS, *given) and move.who is not GoodsWho.CLOUD
    }


def test_where_nobody_reviews_every_step_of_the_table_is_taken_and_no_other(town: Town) -> None:
    """By real commands, from every state but that of being in review; what is refused changes nothing."""
    expected = {edge for edge in edges(GoodsGiven.REVIEWED) if edge[0] != "in_review"}
    assert walk(town, reviews=False) == expected


def test_where_operators_review_every_step_of_the_table_is_taken_and_no_other(reviewing_town: Town) -> None:
    """The same, from every state, with a time and without."""
    assert walk(reviewing_town, reviews=True) == edges(GoodsGiven.UNREVIEWED, GoodsGiven.SCHEDULED, GoodsGiven.UNSCHEDULED)


def test_the_table_says_one_thing_of_every_case() -> None:
    """No two rows hold at once; who may not, may not; a refusal says what may be done."""
    for before, step, who in product(GoodsState, GoodsStep, GoodsWho):
        for unreviewed, scheduled in product((False, True), repeat=2):
            holds = {
                GoodsGiven.ALWAYS,
                GoodsGiven.UNREVIEWED if unreviewed else GoodsGiven.REVIEWED,
                GoodsGiven.SCHEDULED if scheduled else GoodsGiven.UNSCHEDULED,
            }
            rows = [move.next for move in GOODS_MOVES if (move.state, move.step, move.who) == (before, step, who) and move.given in holds]
            assert len(rows) <= 1
            if rows:
                assert after(before, step, who, unreviewed=unreviewed, scheduled=scheduled) is rows[0]
            else:
                with pytest.raises(Refused) as caught:
                    after(before, step, who, unreviewed=unreviewed, scheduled=scheduled)
                assert caught.value.code == "goods_state_forbids"
    with pytest.raises(Refused) as caught:
        after(GoodsState.BANNED, GoodsStep.PUBLISH, GoodsWho.SHOP, unreviewed=False, scheduled=False)
    assert caught.value.figures == GoodsNow(state=GoodsState.BANNED, steps=())


# Reviews


def test_nobody_decides_about_goods_of_their_own_shop(reviewing_town: Town) -> None:
    """However they work there, and whatever they would decide."""
    goods = reviewing_town.goods(variant("A"))
    own = replace(ADMIN, shop_roles={of(reviewing_town, goods)["shop_id"]: frozenset({"packer"})})
    before = reviewing_town.everything()
    for step in (GoodsStep.APPROVE, GoodsStep.REJECT, GoodsStep.BAN, GoodsStep.LIFT):
        assert reviewing_town.world.refusal(command(reviewing_town, goods, step), actor=own) == "own_goods"
    assert reviewing_town.everything() == before


def test_goods_are_sold_once_they_are_approved_as_they_are_described(reviewing_town: Town) -> None:
    """An approval is of one version; a change of words is reviewed again, a change of price is not; prices may be changed in review."""
    town = reviewing_town
    goods = town.goods(variant("A"))
    assert (goods.state, listed(town), waiting(town)) == (GoodsState.IN_REVIEW, 0, [(goods.id, 1)])
    town.world.send(SetPrice(**of(town, goods), variant_id=goods.variant_ids[0], price=yuan(500)))
    assert waiting(town) == [(goods.id, 2)]
    before = town.everything()
    assert town.world.refusal(ApproveGoods(**of(town, goods), version=1), actor=ADMIN) == "goods_changed"
    assert town.world.refusal(RejectGoods(**of(town, goods), version=1, reason="不"), actor=ADMIN) == "goods_changed"
    assert town.everything() == before
    approved = town.world.send(ApproveGoods(**of(town, goods), version=2), actor=ADMIN)
    assert (approved.state, approved.version, listed(town), waiting(town)) == (GoodsState.ON_SALE, 3, 1, [])
    dearer = town.world.send(SetPrice(**of(town, goods), variant_id=goods.variant_ids[0], price=yuan(900)))
    assert dearer.state is GoodsState.ON_SALE
    form = desk(town, goods).form
    cheaper = replace(form, variants=(replace(form.variants[0], price=yuan(800)),))
    same = town.world.send(ChangeGoods(**of(town, goods), version=4, form=cheaper))
    assert (same.state, desk(town, goods).reviewed) == (GoodsState.ON_SALE, True)
    town.world.send(WithdrawGoods(**of(town, goods)))
    assert town.world.send(PublishGoods(**of(town, goods))).state is GoodsState.ON_SALE
    other = town.world.send(ChangeGoods(**of(town, goods), version=7, form=replace(cheaper, title="别的")))
    assert (other.state, listed(town), waiting(town)) == (GoodsState.IN_REVIEW, 0, [(goods.id, 8)])


def test_what_is_sent_back_says_why_and_waits_at_the_end_when_it_comes_again(reviewing_town: Town) -> None:
    """Who has waited longest is first; one that stays in review keeps its place; pages neither skip nor repeat."""
    town = reviewing_town
    one, two, three = (town.goods(variant(f"S{n}")) for n in range(3))
    town.world.send(ChangeGoods(**of(town, one), version=1, form=replace(desk(town, one).form, title="一")))
    assert [id for id, _ in waiting(town)] == [one.id, two.id, three.id]
    town.world.send(RejectGoods(**of(town, one), version=2, reason="图文不符"), actor=ADMIN)
    assert state(town, one) == "draft"
    (ruling,) = town.world.ask(RulingsOnShop(shop_id=town.shop.id)).items
    assert (ruling.subject_id, ruling.ruled, ruling.reason) == (one.id, "goods_rejected", "图文不符")
    town.world.send(PublishGoods(**of(town, one)))
    first = town.world.ask(GoodsInReview(limit=2))
    second = town.world.ask(GoodsInReview(limit=2, after=first.after))
    assert [item.id for item in (*first.items, *second.items)] == [two.id, three.id, one.id]
    assert second.after is None


def test_banned_goods_are_frozen_and_come_back_off_sale(town: Town) -> None:
    """Nothing of theirs can be changed; page, list and offer are gone; a second ban is harmless and a reason is kept once."""
    goods = town.goods(variant("A", choice=(0,)), variant("B", choice=(1,)), options=(COLOURS,))
    town.world.send(BanGoods(**of(town, goods), reason="假货"), actor=ADMIN)
    assert listed(town) == 0
    before = town.everything()
    assert town.world.send(BanGoods(**of(town, goods), reason="再说"), actor=ADMIN).version == 2
    for ask in (
        PublishGoods(**of(town, goods)),
        WithdrawGoods(**of(town, goods)),
        SetPrice(**of(town, goods), variant_id=goods.variant_ids[0], price=yuan(1)),
        ChangeGoods(**of(town, goods), version=2, form=desk(town, goods).form),
        ScheduleGoods(**of(town, goods), on_sale_at=town.world.clock.wall_ms() + 1),
    ):
        assert town.world.refusal(ask) == "goods_state_forbids"
    assert town.everything() == before
    town.world.send(LiftBan(**of(town, goods), reason="已证明"), actor=ADMIN)
    assert (state(town, goods), listed(town)) == ("off_sale", 0)
    town.world.send(PublishGoods(**of(town, goods)))
    assert listed(town) == 1
    said = [(one.ruled, one.reason) for one in town.world.ask(RulingsOnShop(shop_id=town.shop.id)).items]
    assert said == [("ban_lifted", "已证明"), ("goods_banned", "假货")]


# Times


def test_goods_go_on_sale_at_their_time_and_once(town: Town) -> None:
    """Not a moment early; what is shown then is new then; the alarm is used up, and the time is gone."""
    goods, now = town.goods(variant("A"), publish=False), town.world.clock.wall_ms()
    kept = town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=now + DAY_MS))
    assert (kept.state, kept.version, desk(town, goods).on_sale_at) == (GoodsState.DRAFT, 2, now + DAY_MS)
    town.world.pass_time(DAY_MS - 1)
    assert (state(town, goods), listed(town)) == ("draft", 0)
    town.world.pass_time(1)
    shown = desk(town, goods)
    assert (shown.state, shown.listed_at, shown.on_sale_at, shown.version) == (GoodsState.ON_SALE, now + DAY_MS, 0, 3)
    assert listed(town) == 1
    assert town.world.rows("SELECT 1 FROM alarm WHERE kind = 'OpenScheduled'") == []
    before = town.everything()
    town.world.send(OpenScheduled(**of(town, goods), on_sale_at=now + DAY_MS))
    assert town.everything() == before


def test_the_last_time_that_was_named_is_the_one(town: Town) -> None:
    """Named later, earlier, again, taken back or overtaken by hand: goods go on sale once, when they were last meant to."""
    now = town.world.clock.wall_ms()
    later, earlier, same, never, at_once, gone = (town.goods(variant(f"S{n}"), publish=False) for n in range(6))

    def schedule(goods: GoodsKept, days: int) -> None:
        town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=now + days * DAY_MS if days else 0))

    for goods in (later, earlier, same, never, at_once, gone):
        schedule(goods, 5)
    schedule(later, 7)
    schedule(earlier, 3)
    schedule(same, 5)
    schedule(never, 0)
    town.world.send(PublishGoods(**of(town, at_once)))
    town.world.send(PublishGoods(**of(town, gone)))
    town.world.send(WithdrawGoods(**of(town, gone)))
    assert len(town.world.rows("SELECT 1 FROM alarm WHERE kind = 'OpenScheduled'")) == 8
    seen = []
    for _ in range(7):
        town.world.pass_time(DAY_MS)
        seen.append([state(town, goods) for goods in (later, earlier, same, never, at_once, gone)])
    expected = {1: "draft draft draft", 3: "draft on_sale draft", 5: "draft on_sale on_sale", 7: "on_sale on_sale on_sale"}
    for day, states in expected.items():
        assert seen[day - 1] == [*states.split(), "draft", "on_sale", "off_sale"], day
    assert desk(town, at_once).listed_at == now
    assert town.world.rows("SELECT 1 FROM alarm WHERE kind = 'OpenScheduled'") == []


@pytest.mark.parametrize("by", [-1, 1, SCHEDULED_MS_MAX + 1])
def test_a_time_is_ahead_and_not_for_ever(town: Town, by: int) -> None:
    """Refused, and nothing has changed; so is a time of goods that are on sale, and of another shop's."""
    goods, now = town.goods(variant("A"), publish=by == 1), town.world.clock.wall_ms()
    theirs = town.goods(variant("A"), publish=False, shop=town.other)
    before = town.everything()
    code = "goods_state_forbids" if by == 1 else "schedule_out_of_range"
    assert town.world.refusal(ScheduleGoods(**of(town, goods), on_sale_at=now + by)) == code
    assert town.world.refusal(ScheduleGoods(**of(town, theirs), on_sale_at=now + 1)) == "goods_not_found"
    assert town.everything() == before


def test_a_review_comes_before_the_time_or_after_it(reviewing_town: Town) -> None:
    """Approved before, goods wait for their time off sale; approved after it, they are on sale at once; rejected, they have no time."""
    town, now = reviewing_town, reviewing_town.world.clock.wall_ms()
    early, late, rejected = (town.goods(variant(f"S{n}"), publish=False) for n in range(3))
    for goods in (early, late, rejected):
        assert town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=now + DAY_MS)).state is GoodsState.IN_REVIEW
    assert town.world.send(ApproveGoods(**of(town, early), version=2), actor=ADMIN).state is GoodsState.OFF_SALE
    town.world.send(RejectGoods(**of(town, rejected), version=2, reason="不"), actor=ADMIN)
    town.world.pass_time(DAY_MS)
    assert [state(town, goods) for goods in (early, late, rejected)] == ["on_sale", "in_review", "draft"]
    assert town.world.send(ApproveGoods(**of(town, late), version=3), actor=ADMIN).state is GoodsState.ON_SALE
    assert [desk(town, goods).on_sale_at for goods in (early, late, rejected)] == [0, 0, 0]


def test_goods_of_a_suspended_shop_come_on_sale_with_their_shop(town: Town) -> None:
    """Their time passes as ever; nobody is shown them as long as the shop is closed."""
    goods, now = town.goods(variant("A"), publish=False), town.world.clock.wall_ms()
    town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=now + DAY_MS))
    town.world.send(SuspendShop(shop_id=town.shop.id, reason="资质过期"))
    town.world.pass_time(DAY_MS)
    assert (state(town, goods), listed(town)) == ("on_sale", 0)


def test_goods_that_were_kept_by_an_older_version_are_read(town: Town) -> None:
    """They have no time and were not reviewed."""
    goods = town.goods(variant("A"))
    body = json.decode(town.world.rows("SELECT body FROM goods")[0][0])
    del body["on_sale_at"], body["reviewed"]
    assert json.decode(json.encode(body), type=Goods) == desk(town, goods)
    assert CreateGoods(shop_id=town.shop.id, form=desk(town, goods).form).publish is False


def test_a_time_that_is_taken_back_in_review_puts_nothing_on_sale(reviewing_town: Town) -> None:
    """They are a draft again, and nobody's to approve."""
    town = reviewing_town
    goods = town.goods(variant("A"), publish=False)
    town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=town.world.clock.wall_ms() + DAY_MS))
    assert [id for id, _ in waiting(town)] == [goods.id]
    kept = town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=0))
    assert (kept.state, waiting(town)) == (GoodsState.DRAFT, [])
    assert town.world.refusal(ApproveGoods(**of(town, goods), version=kept.version)) == "goods_state_forbids"
    town.world.pass_time(2 * DAY_MS)
    assert (state(town, goods), listed(town)) == ("draft", 0)


def test_what_is_approved_after_its_time_is_on_sale_and_its_alarm_is_used_up(reviewing_town: Town) -> None:
    """The time came first, the approval then, the alarm last."""
    town = reviewing_town
    goods, at = town.goods(variant("A"), publish=False), town.world.clock.wall_ms() + DAY_MS
    version = town.world.send(ScheduleGoods(**of(town, goods), on_sale_at=at)).version
    town.world.clock.advance_to(at + 5)
    town.world.send(ApproveGoods(**of(town, goods), version=version))
    assert (desk(town, goods).state, desk(town, goods).on_sale_at) == (GoodsState.ON_SALE, 0)
    town.world.pass_time(1)
    assert town.world.rows("SELECT 1 FROM alarm WHERE kind = 'OpenScheduled'") == []
    assert town.world.cloud.writer.alarms_refused == 0
