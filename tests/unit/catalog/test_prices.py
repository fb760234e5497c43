"""What goods have cost: every change once; a price is compared only with what was charged itself, and no longer than for thirty days."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.catalog.town import COLOURS, Town, variant, yuan
from yunduan.domains.catalog.commands import (
    BanGoods,
    ChangeGoods,
    CreateGoods,
    GoodsKept,
    PublishGoods,
    SetPrice,
    SuspendShop,
    WithdrawGoods,
)
from yunduan.domains.catalog.lists import cards_of, page_of
from yunduan.domains.catalog.model import VariantForm
from yunduan.domains.catalog.prices import WINDOW_MS, PricePoint, curve, lapses_at
from yunduan.domains.catalog.pricing import PricesOf
from yunduan.domains.catalog.queries import GoodsOnDesk, GoodsPage, NewestGoods
from yunduan.kernel.ids import GoodsId, VariantId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.settings import MarketSettings
from yunduan.testing import World

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def of(town: Town, goods: GoodsKept) -> dict[str, Any]:
    """What names goods in a command."""
    return {"shop_id": town.shop.id, "goods_id": goods.id}


def priced(town: Town, goods: GoodsKept, fen: int, compare_at: int = 0) -> SetPrice:
    """A new price of the first variant."""
    money = yuan(compare_at) if compare_at else None
    return SetPrice(**of(town, goods), variant_id=goods.variant_ids[0], price=yuan(fen), compare_at=money)


def crossed_out(town: Town, goods: GoodsKept) -> list[Money | None]:
    """What the first variant is compared with, on the desk, the page and the card: the same everywhere."""
    desk = town.world.ask(GoodsOnDesk(**of(town, goods))).goods.form.variants[0].compare_at
    page = page_of(town.world.ask(GoodsPage(goods_id=goods.id)).goods).variants[0].compare_at
    card = next(card for card in cards_of(town.world.ask(NewestGoods(limit=50)).items) if card.id == goods.id)
    return [desk, page, card.compare_at]


def steps(town: Town, goods: GoodsKept, place: int = 0) -> list[tuple[int, int | None]]:
    """(days since the town was founded, price) of a variant's curve."""
    found = town.world.ask(PricesOf(goods_id=goods.id, variant_id=goods.variant_ids[place])).items
    start = 1_790_000_000_000
    return [((step.at - start) // DAY_MS, step.price.amount if step.price else None) for step in found]


def test_a_price_is_compared_with_what_was_charged(town: Town) -> None:
    """Until a moment ago, or for a day within thirty days; on the page and the card at once."""
    goods = town.goods(variant("A", 2999))
    town.world.pass_time(DAY_MS)
    town.world.send(priced(town, goods, 1999, 2999))
    assert crossed_out(town, goods) == [yuan(2999)] * 3
    town.world.pass_time(10 * DAY_MS)
    town.world.send(priced(town, goods, 2499))
    town.world.send(priced(town, goods, 1500, 1999))
    town.world.pass_time(19 * DAY_MS)
    town.world.send(priced(town, goods, 1400, 2999))
    assert crossed_out(town, goods) == [yuan(2999)] * 3


def test_a_price_that_nobody_was_charged_is_no_comparison(town: Town) -> None:
    """Never charged, charged for no time, in a draft, off sale, for another variant, or too long ago: refused, and nothing has changed."""
    goods = town.goods(variant("A", 1999, choice=(0,)), variant("B", 5000, choice=(1,)), options=(COLOURS,))
    draft = town.goods(variant("D", 2999), publish=False)
    town.world.pass_time(DAY_MS)
    new = town.form(variant("N", 1000, compare_at=yuan(2000)))
    named = VariantForm(sku="A", id=goods.variant_ids[0], price=yuan(1999), compare_at=yuan(5000), choice=(0,))
    added = VariantForm(sku="C", price=yuan(100), compare_at=yuan(1999), choice=(1,))
    asks = [
        priced(town, goods, 1999, 2999),
        priced(town, goods, 1999, 5000),
        priced(town, draft, 1999, 2999),
        CreateGoods(shop_id=town.shop.id, form=new),
        CreateGoods(shop_id=town.shop.id, form=new, publish=True),
        ChangeGoods(**of(town, goods), version=1, form=town.form(named, options=(COLOURS,))),
        ChangeGoods(**of(town, goods), version=1, form=town.form(added, options=(COLOURS,))),
    ]
    before = town.everything()
    for ask in asks:
        assert town.world.refusal(ask) == "comparison_not_charged"
    assert town.everything() == before
    town.world.send(priced(town, goods, 9999))
    town.world.send(priced(town, goods, 1999))
    assert town.world.refusal(priced(town, goods, 1999, 9999)) == "comparison_not_charged"
    town.world.send(WithdrawGoods(**of(town, goods)))
    town.world.send(priced(town, goods, 8888))
    town.world.pass_time(DAY_MS)
    town.world.send(priced(town, goods, 1998))
    before = town.everything()
    assert town.world.refusal(priced(town, goods, 1997, 8888)) == "comparison_not_charged"
    assert town.everything() == before
    assert town.world.send(priced(town, goods, 1997, 1999)).version == 7


def test_a_comparison_ends_by_itself_after_thirty_days_and_once(town: Town) -> None:
    """To the moment; nothing else of the goods changes, and the alarm is used up."""
    goods = town.goods(variant("A", 2999))
    town.world.pass_time(DAY_MS)
    town.world.send(priced(town, goods, 1999, 2999))
    town.world.pass_time(WINDOW_MS - DAY_MS)
    assert crossed_out(town, goods) == [yuan(2999)] * 3
    town.world.pass_time(1)
    assert crossed_out(town, goods) == [None] * 3
    assert town.world.ask(GoodsOnDesk(**of(town, goods))).goods.version == 3
    assert town.world.rows("SELECT 1 FROM alarm WHERE kind = 'DropComparison'") == []
    assert town.world.refusal(priced(town, goods, 1999, 2999)) == "comparison_not_charged"


def test_a_comparison_that_is_charged_again_meanwhile_lasts_from_then(town: Town) -> None:
    """Charged once more in between, taken back by hand, or of goods that are off sale or banned: the alarm finds what is so."""
    again, gone, off, banned = (town.goods(variant(f"S{n}", 2999)) for n in range(4))
    town.world.pass_time(DAY_MS)
    for goods in (again, gone, off, banned):
        town.world.send(priced(town, goods, 1999, 2999))
    town.world.pass_time(10 * DAY_MS)
    town.world.send(priced(town, again, 2999))
    town.world.send(priced(town, gone, 1999))
    town.world.send(WithdrawGoods(**of(town, off)))
    town.world.send(BanGoods(**of(town, banned), reason="假货"))
    town.world.pass_time(5 * DAY_MS)
    town.world.send(priced(town, again, 1999, 2999))
    town.world.pass_time(WINDOW_MS - 10 * DAY_MS)
    assert crossed_out(town, again) == [yuan(2999)] * 3
    assert crossed_out(town, gone) == [None] * 3
    for goods in (off, banned):
        assert town.world.ask(GoodsOnDesk(**of(town, goods))).goods.form.variants[0].compare_at is None
    town.world.pass_time(10 * DAY_MS + 1)
    assert crossed_out(town, again) == [None] * 3
    assert town.world.rows("SELECT 1 FROM alarm WHERE kind = 'DropComparison'") == []


def test_the_curve_shows_thirty_days(town: Town) -> None:
    """What held at their beginning begins there; while it was off sale there was no price; each variant has a curve of its own."""
    goods = town.goods(variant("A", 3000, choice=(0,)), variant("B", 5000, choice=(1,)), options=(COLOURS,))
    for day, fen in ((5, 2500), (40, 1000), (50, 2000)):
        town.world.pass_time(day * DAY_MS - (town.world.clock.wall_ms() - 1_790_000_000_000))
        town.world.send(priced(town, goods, fen))
    town.world.pass_time(2 * DAY_MS)
    town.world.send(WithdrawGoods(**of(town, goods)))
    town.world.pass_time(2 * DAY_MS)
    town.world.send(PublishGoods(**of(town, goods)))
    town.world.send(priced(town, goods, 2100))
    assert steps(town, goods) == [(24, 2500), (40, 1000), (50, 2000), (52, None), (54, 2100)]
    assert steps(town, goods, 1) == [(24, 5000), (52, None), (54, 5000)]
    found = town.world.ask(PricesOf(goods_id=goods.id, variant_id=goods.variant_ids[0]))
    assert (found.variant_id, found.lowest) == (goods.variant_ids[0], yuan(1000))
    town.world.pass_time(27 * DAY_MS)
    assert town.world.ask(PricesOf(goods_id=goods.id, variant_id=goods.variant_ids[0])).lowest == yuan(2000)


def test_each_change_is_noted_once(town: Town) -> None:
    """A price, a publication, a retirement; what changes no price notes nothing."""
    goods = town.goods(variant("A", 1000, choice=(0,)), variant("B", 2000, choice=(1,)), options=(COLOURS,))
    a, b = goods.variant_ids
    form = town.form(variant("A", 1000, id=a, choice=(0,)), options=(COLOURS,), title="新茶")
    town.world.send(ChangeGoods(**of(town, goods), version=1, form=form))
    town.world.send(priced(town, goods, 1000))
    town.world.send(SuspendShop(shop_id=town.shop.id, reason="资质过期"))
    town.world.settle()
    rows = town.world.rows("SELECT variant_id, amount FROM price_point ORDER BY seq")
    assert rows == [(a, 1000), (b, 2000), (b, 0)]


def test_only_what_everybody_is_shown_has_a_curve(town: Town) -> None:
    """Not a draft, not a variant of other goods, not goods of a shop that is closed."""
    goods, draft, other = town.goods(variant("A")), town.goods(variant("B"), publish=False), town.goods(variant("C"), shop=town.other)

    def refused(goods_id: GoodsId, variant_id: VariantId) -> str:
        with pytest.raises(Refused) as caught:
            town.world.ask(PricesOf(goods_id=goods_id, variant_id=variant_id))
        return str(caught.value.code.value)

    assert refused(draft.id, draft.variant_ids[0]) == "goods_not_found"
    assert refused(goods.id, other.variant_ids[0]) == "variant_not_found"
    assert refused(goods.id, VariantId("var_0")) == "variant_not_found"
    town.world.send(SuspendShop(shop_id=town.shop.id, reason="资质过期"))
    assert refused(goods.id, goods.variant_ids[0]) == "goods_not_found"


def test_a_price_that_held_for_a_moment_is_no_comparison(town: Town) -> None:
    """A day in all, at once or in parts, makes it one; what is charged while the goods are off sale does not count."""
    goods = town.goods(variant("A", 1999))
    for hours in (9, 9):
        town.world.send(priced(town, goods, 9999))
        town.world.pass_time(hours * HOUR_MS)
        town.world.send(priced(town, goods, 1999))
        town.world.pass_time(DAY_MS)
        before = town.everything()
        assert town.world.refusal(priced(town, goods, 1999, 9999)) == "comparison_not_charged"
        assert town.everything() == before
    town.world.send(priced(town, goods, 9999))
    town.world.pass_time(6 * HOUR_MS - 1)
    assert town.world.refusal(priced(town, goods, 1999, 9999)) == "comparison_not_charged"
    town.world.send(WithdrawGoods(**of(town, goods)))
    town.world.pass_time(DAY_MS)
    assert town.world.refusal(priced(town, goods, 1999, 9999)) == "comparison_not_charged"
    town.world.send(PublishGoods(**of(town, goods)))
    town.world.pass_time(1)
    town.world.send(priced(town, goods, 1999, 9999))
    assert crossed_out(town, goods) == [yuan(9999)] * 3


def test_a_comparison_ends_when_less_than_a_day_of_it_lies_in_the_thirty(town: Town) -> None:
    """Its parts leave the days one after the other: of twelve hours and eighteen, the first six may be gone."""
    goods = town.goods(variant("A", 2999))
    town.world.pass_time(12 * HOUR_MS)
    town.world.send(priced(town, goods, 1999))
    town.world.pass_time(DAY_MS)
    town.world.send(priced(town, goods, 2999))
    town.world.pass_time(18 * HOUR_MS)
    town.world.send(priced(town, goods, 1999, 2999))
    town.world.pass_time(WINDOW_MS - 2 * DAY_MS)
    assert crossed_out(town, goods) == [yuan(2999)] * 3
    town.world.pass_time(1)
    assert crossed_out(town, goods) == [None] * 3


@pytest.mark.parametrize(("hours", "code"), [(0, ""), (1, "comparison_not_charged")])
def test_how_long_is_a_setting(tmp_path: Path, hours: int, code: str) -> None:
    """With none, whatever was charged for any time at all."""
    with World.at(tmp_path, market=MarketSettings(compared_after_h=hours)) as world:
        town = Town(world)
        goods = town.goods(variant("A", 2999))
        world.pass_time(1)
        asked = priced(town, goods, 1999, 2999)
        assert (world.refusal(asked) if code else world.send(asked) and "") == code


histories = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8)


@given(histories, st.integers(1, 3), st.integers(0, 6), st.integers(0, 3))
def test_what_was_charged_is_what_was_charged_for_some_time(changes: list[tuple[int, int]], amount: int, ahead: int, least: int) -> None:
    """Against a clock that asks at every moment what was charged just then; a unit of time stands for ten days."""
    unit = WINDOW_MS // 3
    at, points = 0, []
    for wait, price in changes:
        at += wait * unit
        points.append(PricePoint(at, price))
    now = at + ahead * unit
    by_moment = {point.at: point.amount for point in points}
    price, held = 0, []  # the units at whose beginning, up to the next, it was charged
    for moment in range(0, now, unit):
        price = by_moment.get(moment, price)
        if price == amount:
            held.append(moment)
    whole = held[-least] if least and len(held) >= least else None
    first = held[-1] + unit if held and not least else whole
    expected = first + WINDOW_MS + 1 if first is not None and first + WINDOW_MS >= now else 0
    assert lapses_at(points, amount, now, least * unit) == expected
    shown = curve(points, since=now - WINDOW_MS)
    assert [point.at for point in shown] == sorted({max(point.at, now - WINDOW_MS) for point in points})
    assert shown[-1].amount == points[-1].amount
