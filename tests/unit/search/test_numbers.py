"""Goods are filtered and counted by the numbers that they tell of themselves, in whole units."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.search.market import Market
from yunduan.domains.catalog.attributes import Attribute, AttributeKind
from yunduan.domains.catalog.commands import SetAttributes
from yunduan.domains.catalog.model import AttributeValue, OptionValue
from yunduan.domains.search.counting import BANDS, number_counted
from yunduan.domains.search.model import SearchRefusal
from yunduan.domains.search.store import Name
from yunduan.kernel.refusals import Refused

ML = Attribute(key="capacity", name="容量", name_en="Capacity", kind=AttributeKind.NUMBER, unit="ml")
FLAG = Attribute(key="organic", name="有机", kind=AttributeKind.FLAG)
ROAST = Attribute(key="roast", name="烘焙", kind=AttributeKind.CHOICE, values=(OptionValue(name="浅"), OptionValue(name="深")))
CUPS = {"白瓷杯 甲": 150, "白瓷杯 乙": 250, "白瓷杯 丙": 500, "白瓷杯 丁": 1_000}


@pytest.fixture
def cups(market: Market) -> Market:
    """Cups that tell how much they hold; fruit that tells whether it is organic."""
    world = market.world
    world.send(SetAttributes(category_id=market.categories["things"], attributes=(ML, ROAST)))
    world.send(SetAttributes(category_id=market.categories["fruit"], attributes=(FLAG,)))
    for title, holds in CUPS.items():
        market.add(title, attributes=(AttributeValue(key="capacity", value=holds), AttributeValue(key="roast", value=int(holds > 300))))
    market.add("有机梨", category="fruit", attributes=(AttributeValue(key="organic", value=True),))
    world.settle()
    return market


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("capacity:250", "乙"),
        ("capacity:250..500", "乙丙"),
        ("capacity:251..", "丙丁"),
        ("capacity:..499", "甲乙"),
        ("capacity:150,capacity:1000", "甲丁"),
        ("capacity:150..500,roast:1", "丙"),
        ("capacity:501..999", ""),
        ("capacity:500..250", ""),
        ("capacity:-5..0", ""),
        ("roast:7", ""),
    ],
)
def test_numbers_are_filtered_from_one_to_another(cups: Market, filters: str, found: str) -> None:
    """Both included, either left open; any of what is said of one key, all of the keys."""
    assert sorted(cups.titles("白瓷杯", filters=filters)) == sorted(f"白瓷杯 {sign}" for sign in found)


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        ("depth:3", "nothing on sale tells depth of itself"),
        ("depth:yes", "nothing on sale tells depth of itself"),
        ("capacity:yes", "capacity is a number"),
        ("organic:1..5", "organic is no number"),
        ("organic:-1", "organic is no number"),
        ("roast:0..1", "roast is no number"),
        ("capacity:250,depth:3", "nothing on sale tells depth of itself"),
    ],
)
def test_what_is_no_number_or_is_not_told_is_refused(cups: Market, filters: str, why: str) -> None:
    """With what is wrong; nothing is found by chance."""
    with pytest.raises(Refused, match=SearchRefusal.FILTER.value) as refused:
        cups.search("白瓷杯", filters=filters)
    assert refused.value.detail == why


def test_what_a_category_asks_for_and_nothing_tells_yet_finds_nothing(cups: Market) -> None:
    """It may be chosen where the category is shown, in its own words; elsewhere nobody knows it."""
    depth = Attribute(key="depth", name="深", kind=AttributeKind.NUMBER, unit="cm")
    drinks = cups.town.drinks
    cups.world.send(SetAttributes(category_id=drinks, attributes=(depth, Attribute(key="iced", name="冰", kind=AttributeKind.FLAG))))
    for filters in ("depth:3", "depth:..9", "iced:yes"):
        assert cups.titles("", filters=filters, category_id=drinks) == []
        with pytest.raises(Refused, match=SearchRefusal.FILTER.value):
            cups.search("", filters=filters)
    for filters in ("depth:yes", "iced:1..2"):
        with pytest.raises(Refused, match=SearchRefusal.FILTER.value):
            cups.search("", filters=filters, category_id=drinks)


def test_numbers_are_counted_by_their_least_and_most(cups: Market) -> None:
    """Whatever number was chosen; bands lie beside one another and hold all of them."""
    for chosen in ("", "capacity:500"):
        facets = cups.search("白瓷杯", filters=chosen).facets
        assert facets is not None
        (told,) = facets.numbers
        assert (told.key, told.name, told.name_en, told.unit) == ("capacity", "容量", "Capacity", "ml")
        assert (told.from_number, told.to_number, told.count) == (150, 1_000, 4)
        assert sum(band.count for band in told.bands) == 4
    facets = cups.search("梨").facets
    assert facets is not None
    assert facets.numbers == ()


def test_one_key_in_two_units_is_told_apart_by_the_category(cups: Market) -> None:
    """500 millilitres are not 500 litres; where nobody says which, it is asked for."""
    world, food = cups.world, cups.categories["food"]
    litres = Attribute(key="capacity", name="容量", kind=AttributeKind.NUMBER, unit="L")
    world.send(SetAttributes(category_id=food, attributes=(litres, Attribute(key="organic", name="克数", kind=AttributeKind.NUMBER))))
    cups.add("大桶水", category="food", attributes=(AttributeValue(key="capacity", value=500), AttributeValue(key="organic", value=1)))
    world.settle()
    assert cups.titles("", filters="capacity:500", category_id=food) == ["大桶水"]
    assert cups.titles("", filters="capacity:500", category_id=cups.categories["things"]) == ["白瓷杯 丙"]
    for category in (None, cups.categories["fruit"], "cat_01234567890123456789012345"):
        with pytest.raises(Refused, match=SearchRefusal.FILTER.value):
            cups.search("", filters="capacity:500", category_id=category)
    assert cups.titles("", filters="organic:1", category_id=food) == ["大桶水"]
    assert cups.titles("", filters="organic:1", category_id=cups.categories["fruit"]) == ["有机梨"]
    assert cups.titles("", filters="organic:0..5", category_id=food) == ["大桶水"]


def test_numbers_follow_what_goods_tell(cups: Market) -> None:
    """The largest and least that can be told are exact."""
    most = 10**12
    for title, number in (("白瓷杯 深", most), ("白瓷杯 负", -most)):
        cups.add(title, attributes=(AttributeValue(key="capacity", value=number),))
    cups.world.settle()
    assert cups.titles("白瓷杯", filters=f"capacity:{most}") == ["白瓷杯 深"]
    assert cups.titles("白瓷杯", filters=f"capacity:{most - 1}") == []
    assert cups.titles("白瓷杯", filters="capacity:..-1") == ["白瓷杯 负"]


@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_bands_hold_every_number_once(numbers: list[int], draw: random.Random) -> None:
    """In order, from the least to the most."""
    draw.shuffle(numbers)
    told = number_counted(Name(1, "number", "weight kg net", "重", "Weight"), np.sort(np.array(numbers, np.int64)))
    assert (told.unit, told.from_number, told.to_number, told.count) == ("kg net", min(numbers), max(numbers), len(numbers))
    assert 1 <= len(told.bands) <= BANDS
    for band in told.bands:
        assert band.count == sum(band.from_number <= number <= band.to_number for number in numbers) > 0
    assert sum(band.count for band in told.bands) == len(numbers)
