"""Attributes: asked by a category of all goods below it, told by goods, filtered by; whatever does not fit is refused."""

from itertools import pairwise
from typing import Any

import pytest
from msgspec import ValidationError, convert

from unit.catalog.town import Town, variant
from yunduan.backends.sqlite import SqliteStore
from yunduan.domains.catalog.attributes import ATTRIBUTES_MAX, Attribute, AttributeKind
from yunduan.domains.catalog.commands import ChangeGoods, CreateGoods, PublishGoods, SetAttributes, SuspendShop, WithdrawGoods
from yunduan.domains.catalog.filtering import AttributesOf, GoodsFiltered
from yunduan.domains.catalog.lists import Sort, cards_of, page_of
from yunduan.domains.catalog.model import AttributeValue, OptionValue
from yunduan.domains.catalog.queries import GoodsPage
from yunduan.domains.catalog.store_attributes import _LISTS
from yunduan.kernel.ids import CategoryId, GoodsId
from yunduan.kernel.refusals import Refused

KIND = Attribute(
    key="kind", name="茶类", name_en="Kind", kind=AttributeKind.CHOICE, values=(OptionValue(name="绿茶"), OptionValue(name="红茶"))
)
WEIGHT = Attribute(key="weight", name="净含量", name_en="Net weight", kind=AttributeKind.NUMBER, unit="g")
ORGANIC = Attribute(key="organic", name="有机", name_en="Organic", kind=AttributeKind.FLAG)


def asked(town: Town) -> None:
    """The town's tea tells its kind and weight, and all drinks whether they are organic."""
    town.world.send(SetAttributes(category_id=town.drinks, attributes=(ORGANIC,)))
    town.world.send(SetAttributes(category_id=town.tea, attributes=(KIND, WEIGHT)))


def told(**values: int | bool) -> tuple[AttributeValue, ...]:
    """What goods tell of themselves."""
    return tuple(AttributeValue(key=key, value=value) for key, value in values.items())


def found(town: Town, filters: str, category: CategoryId | None = None, **more: Any) -> list[GoodsId]:
    """The goods that have what is wanted, in their order, page by page."""
    seen: list[GoodsId] = []
    after = None
    while True:
        ask = GoodsFiltered(category_id=category or town.tea, filters=filters, after=after, **more)
        page = town.world.run(town.world.cloud.ask_slow(ask))
        seen += [card.id for card in cards_of(page.items)]
        after = page.after
        if after is None:
            return seen


def refused(town: Town, filters: str, **more: Any) -> str:
    """The code that a list is refused with."""
    with pytest.raises(Refused) as caught:
        found(town, filters, **more)
    return str(caught.value.code.value)


def test_a_category_is_filtered_by_what_its_goods_tell(town: Town) -> None:
    """By a text of the list, a number, a range, yes and no, and several at once; from above as well; what tells nothing is never found."""
    asked(town)
    green = town.goods(variant("A", 300), attributes=told(kind=0, weight=100, organic=True)).id
    red = town.goods(variant("B", 100), attributes=told(kind=1, weight=250, organic=False)).id
    heavy = town.goods(variant("C", 200), attributes=told(kind=0, weight=500)).id
    town.goods(variant("D"))
    juice = town.goods(variant("E"), category_id=town.drinks, attributes=told(organic=True)).id
    assert found(town, "kind:0") == [heavy, green]
    assert found(town, "weight:100..250") == [red, green]
    assert found(town, "weight:250") == [red]
    assert found(town, "kind:0,weight:101..1000") == [heavy]
    assert found(town, "organic:yes") == [green]
    assert found(town, "organic:no") == [red]
    assert found(town, "organic:yes", town.drinks) == [juice, green]
    assert found(town, "weight:0..9999", sort=Sort.PRICE_UP) == [red, heavy, green]
    assert found(town, "kind:0,weight:500..100") == []
    assert found(town, "", town.drinks)[0] == juice
    assert len(found(town, "")) == 4
    shown = page_of(town.world.ask(GoodsPage(goods_id=green)).goods)
    assert shown.attributes == told(kind=0, weight=100, organic=True)


def test_what_is_asked_above_is_asked_below(town: Town) -> None:
    """Those of the categories above come first; a category without any asks what those above it ask; a fact tells of each change once."""
    asked(town)
    assert town.world.ask(AttributesOf(category_id=town.tea)).items == (ORGANIC, KIND, WEIGHT)
    assert town.world.ask(AttributesOf(category_id=town.drinks)).items == (ORGANIC,)
    before = town.everything()
    town.world.send(SetAttributes(category_id=town.drinks, attributes=(ORGANIC,)))
    assert town.everything() == before
    assert len(town.world.rows("SELECT 1 FROM fact WHERE kind = 'CategoryChanged'")) == 2
    town.world.send(SetAttributes(category_id=town.drinks, attributes=(ORGANIC, WEIGHT)))
    assert town.world.ask(AttributesOf(category_id=town.tea)).items == (ORGANIC, WEIGHT, KIND)


def test_goods_are_found_as_long_as_they_are_shown_and_by_what_they_tell_now(town: Town) -> None:
    """Changed, withdrawn, published again, of a shop that is closed: no trace of what they told before."""
    asked(town)
    goods = town.goods(variant("A"), attributes=told(kind=0, weight=100))
    names = {"shop_id": town.shop.id, "goods_id": goods.id}
    form = town.form(variant("A", id=goods.variant_ids[0]), attributes=told(kind=1))
    town.world.send(ChangeGoods(**names, version=1, form=form))
    assert (found(town, "kind:0"), found(town, "weight:100"), found(town, "kind:1")) == ([], [], [goods.id])
    town.world.send(WithdrawGoods(**names))
    assert found(town, "kind:1") == []
    assert town.world.rows("SELECT * FROM card_attribute") == []
    town.world.send(PublishGoods(**names))
    assert found(town, "kind:1") == [goods.id]
    town.world.send(SuspendShop(shop_id=town.shop.id, reason="资质过期"))
    town.world.settle()
    assert found(town, "kind:1") == []


def test_pages_of_a_filtered_list_neither_skip_nor_repeat(town: Town) -> None:
    """In each order, with every length of page; a cursor is of these filters, this order and this category alone."""
    asked(town)
    kept = []
    for n in range(7):
        kept.append(town.goods(variant(f"S{n}", 100 + n % 3), attributes=told(kind=n % 2, weight=n)).id)
        town.world.pass_time(n % 2)
    for sort in Sort:
        whole = found(town, "weight:1..5", sort=sort, limit=50)
        assert sorted(whole) == sorted(kept[1:6])
        for limit in (1, 2, 3, 5):
            assert found(town, "weight:1..5", sort=sort, limit=limit) == whole
        first = town.world.run(town.world.cloud.ask_slow(GoodsFiltered(category_id=town.tea, filters="weight:1..5", sort=sort, limit=2)))
        for other in ({"filters": "weight:1..6"}, {"category_id": town.drinks, "filters": "organic:yes"}):
            ask = GoodsFiltered(**{"category_id": town.tea, "filters": "weight:1..5", "sort": sort, "after": first.after} | other)
            with pytest.raises(Refused, match="cursor_not_of_this_list"):
                town.world.run(town.world.cloud.ask_slow(ask))


@pytest.mark.parametrize(
    "values",
    [
        told(colour=0),
        told(kind=2),
        told(kind=-1),
        told(kind=True),
        told(organic=1),
        told(weight=True),
        (*told(weight=1), *told(weight=2)),
    ],
)
def test_what_the_category_does_not_ask_cannot_be_told(town: Town, values: tuple[AttributeValue, ...]) -> None:
    """Unknown, no place of the list, of another kind, twice: refused, for new goods and for goods that are there; nothing changes."""
    asked(town)
    goods = town.goods(variant("A"))
    before = town.everything()
    form = town.form(variant("B"), attributes=values)
    assert town.world.refusal(CreateGoods(shop_id=town.shop.id, form=form)) == "attribute_value"
    again = town.form(variant("A", id=goods.variant_ids[0]), attributes=values)
    ask = ChangeGoods(shop_id=town.shop.id, goods_id=goods.id, version=1, form=again)
    assert town.world.refusal(ask) == "attribute_value"
    assert town.everything() == before


def test_a_filter_is_of_an_attribute_that_the_category_has(town: Town) -> None:
    """By its own kind; and the category is there."""
    asked(town)
    for filters in ("colour:1", "organic:1", "kind:yes", "weight:no", "kind:0,colour:1"):
        assert refused(town, filters) == "filter_unknown", filters
    assert refused(town, "kind:0", category=town.drinks) == "filter_unknown"
    assert refused(town, "kind:0", category=CategoryId("cat_0")) == "category_not_found"
    with pytest.raises(Refused, match="category_not_found"):
        town.world.ask(AttributesOf(category_id=CategoryId("cat_0")))


CHANGED = {
    "attribute_kept": [
        (WEIGHT,),
        (KIND,),
        (KIND, Attribute(key="weight", name="重", kind=AttributeKind.NUMBER, unit="kg")),
        (KIND, Attribute(key="weight", name="重", kind=AttributeKind.FLAG)),
        (Attribute(key="kind", name="类", kind=AttributeKind.CHOICE, values=KIND.values[:1]), WEIGHT),
    ],
    "attribute_taken": [(KIND, WEIGHT, ORGANIC), (KIND, WEIGHT, WEIGHT)],
    "attribute_form": [
        (KIND, WEIGHT, Attribute(key="x", name="x", kind=AttributeKind.CHOICE)),
        (KIND, WEIGHT, Attribute(key="x", name="x", kind=AttributeKind.FLAG, values=KIND.values)),
        (KIND, WEIGHT, Attribute(key="x", name="x", kind=AttributeKind.FLAG, unit="g")),
    ],
}


@pytest.mark.parametrize(("code", "attributes"), [(code, one) for code, all_of in CHANGED.items() for one in all_of])
def test_what_goods_may_have_told_stays(town: Town, code: str, attributes: tuple[Attribute, ...]) -> None:
    """An attribute, its kind, its unit and its values; names may be others, values may be added; keys are told apart; nothing changes."""
    asked(town)
    before = town.everything()
    assert town.world.refusal(SetAttributes(category_id=town.tea, attributes=attributes)) == code
    assert town.world.refusal(SetAttributes(category_id=CategoryId("cat_0"), attributes=attributes)) == "category_not_found"
    assert town.everything() == before
    more = Attribute(key="kind", name="类别", kind=AttributeKind.CHOICE, values=(*KIND.values, OptionValue(name="白茶")))
    town.world.send(SetAttributes(category_id=town.tea, attributes=(more, WEIGHT)))
    assert town.world.ask(AttributesOf(category_id=town.tea)).items == (ORGANIC, more, WEIGHT)


@pytest.mark.parametrize(
    "filters",
    ["kind", "kind:", "kind:1;2", "KIND:1", "kind:1,", "kind:1..", "kind:1.5", ",".join(["kind:1"] * 6), "kind:99999999999999"],
)
def test_filters_are_of_their_form(filters: str) -> None:
    """Whatever else is no filter at all."""
    with pytest.raises(ValidationError):
        convert({"category_id": "cat_1", "filters": filters}, GoodsFiltered)
    with pytest.raises(ValidationError):
        convert({"category_id": "cat_1", "attributes": [{"key": "k", "name": "k", "kind": "flag"}] * (ATTRIBUTES_MAX + 1)}, SetAttributes)


def test_every_filtered_list_goes_by_an_index_in_its_order(town: Town) -> None:
    """Nothing is sorted, and each attribute is looked up by key."""
    if not isinstance(town.world.cloud.store, SqliteStore):
        pytest.skip("SQLite's plan is asked")
    for (level, sort, first, filters), sql in _LISTS.items():
        arguments = ["x", *([] if first else [1, "gds_1"]), *["k", 0, 1] * filters, 20]
        plan = [str(row[3]) for row in town.world.rows("EXPLAIN QUERY PLAN " + sql, *arguments)]
        assert f"SEARCH card USING INDEX card_category{level}_" in plan[0], (sort, plan)
        assert sum(line.startswith("SEARCH a ") and "goods_id=? AND attribute=?" in line for line in plan) == filters, plan
        assert not any("TEMP B-TREE" in line for line in plan)
    assert all(one != other for one, other in pairwise(_LISTS.values()))
