"""Goods are found by any word that a person would type."""

import pytest

from unit.catalog.town import variant
from unit.search.market import GOODS, Market
from yunduan.domains.catalog.attributes import Attribute, AttributeKind
from yunduan.domains.catalog.commands import (
    ChangeCategory,
    ChangeGoods,
    ChangeShop,
    HoldStock,
    ReleaseStock,
    ReopenShop,
    SetAttributes,
    SetHoliday,
    SuspendShop,
    WithdrawGoods,
)
from yunduan.domains.catalog.model import AttributeValue, HoldLine
from yunduan.domains.search.asked import PopularQueries, QueriesOn, QueryKind
from yunduan.domains.search.commands import SetSearch
from yunduan.domains.search.model import Loosened, SearchSettingsForm, SearchSort, SynonymForm, WeightsForm
from yunduan.domains.search.queries import ExplainPlace, SearchGoods, SearchSettingsChanges, SuggestWords
from yunduan.domains.search.words import folded
from yunduan.kernel.ids import HoldId
from yunduan.kernel.refusals import Refused

SHINE = "阳光玫瑰葡萄 3斤装"
WEIGHTS = WeightsForm(text=1_000, sales=200, rating=100, shop=50, freshness=50, stock=300)


@pytest.mark.parametrize(
    "q",
    [
        "阳光玫瑰",
        "阳光 玫瑰",
        "玫瑰阳光葡萄",
        "yangguang meigui",
        "yangguangmeigui",
        "yang guang mei gui",
        "ygmg",
        "YGMG",
        "shine grape",
        "shin grapes",
        "Shine  Muscat!",
        "ｓｈｉｎｅ ｍｕｓｃａｔ",
        "陽光玫瑰",
        "陽光 葡萄",
        "陽光梅瑰",
        "阳光梅瑰",
        "洋光玫瑰",
        "yangguagn meigui",
        "musact grape",
    ],
)
def test_goods_are_found_by_what_a_person_would_type(market: Market, q: str) -> None:
    """Words, pinyin, first letters, a slip of the thumb, a character that sounds alike."""
    assert market.titles(q)[0] == SHINE


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("龙井", "西湖龙井 明前特级"),
        ("longjing", "西湖龙井 明前特级"),
        ("chongqing huoguo", "重庆火锅底料"),
        ("nvshi", "女士连衣裙 夏季"),
        ("裙", "女士连衣裙 夏季"),
        ("dresses", "女士连衣裙 夏季"),
        ("iphone 15", "苹果手机壳 iPhone15"),
        ("iphone15", "苹果手机壳 iPhone15"),
        ("cafe creme", "Café Crème 咖啡杯"),
        ("500ml", "不锈钢保温杯 500ml"),
        ("500 ml", "不锈钢保温杯 500ml"),
    ],
)
def test_words_are_taken_as_they_are_meant(market: Market, q: str, first: str) -> None:
    """Polyphones by their phrase, ü as v, single characters, plurals, letters beside digits, accents."""
    assert market.titles(q)[0] == first


@pytest.mark.parametrize("q", ["台灣鳳梨酥餅乾", "台湾凤梨酥", "饼干", "餅乾", "taiwan fengli", "tw", "凤里酥"])
def test_traditional_titles_are_found_by_simplified_texts_and_shown_as_they_are(market: Market, q: str) -> None:
    """What was looked for is marked where it stands."""
    title = "臺灣鳳梨酥 餅乾禮盒"
    market.add(title, category="food")
    market.world.settle()
    (item,) = market.search(q).items
    assert market.titles(q) == [title]
    if not q.isascii() and q != "凤里酥":
        assert item.marks
        assert folded("".join(title[mark.start : mark.end] for mark in item.marks)) in folded(q)


def test_a_text_of_nothing_shows_everything(market: Market) -> None:
    """The list that one leafs through."""
    assert sorted(market.titles("")) == sorted(title for title, *_ in GOODS)
    assert market.search("?!《》").total == len(GOODS)


def test_what_is_found_is_counted(market: Market) -> None:
    """Each facet is counted as if nothing of its own kind had been chosen."""
    facets = market.search("葡萄").facets
    assert facets is not None
    assert [(one.name, one.count) for one in facets.categories] == [("水果", 2)]
    assert sorted((one.name, one.count) for one in facets.shops) == [("云茶", 1), ("别家", 1)]
    chosen = market.search("葡萄", shop_id=market.town.shop.id)
    assert chosen.total == 1
    assert chosen.facets is not None
    assert sorted((one.name, one.count) for one in chosen.facets.shops) == [("云茶", 1), ("别家", 1)]
    assert [(one.name, one.count) for one in chosen.facets.categories] == [("水果", 1)]
    everything = market.search("").facets
    assert everything is not None
    assert sum(band.count for band in everything.prices) == len(GOODS)
    assert everything.currency == "CNY"
    assert [low.to_amount for low in everything.prices[:-1]] == [high.from_amount for high in everything.prices[1:]]


def test_filters_hold_together(market: Market) -> None:
    """Prices from an amount to below another, a category with all below it, and sorts."""
    assert market.titles("", price_from=2990, price_to=3900, sort=SearchSort.PRICE_UP) == ["巨峰葡萄", "烟台红富士苹果"]
    assert sorted(market.titles("", category_id=market.town.drinks)) == ["玫瑰花茶", "西湖龙井 明前特级"]
    assert market.titles("", currency="EUR") == []
    assert market.titles("", category_id="cat_01234567890123456789012345") == []
    down = market.titles("", sort=SearchSort.PRICE_DOWN)
    assert down == [title for title, *_ in sorted(GOODS, key=lambda one: -one[3])]
    assert market.titles("", sort=SearchSort.NEWEST)[0] == GOODS[-1][0]


def test_pages_neither_skip_nor_repeat(market: Market) -> None:
    """Whatever they are sorted by, and though the time goes on between them."""
    for sort in SearchSort:
        found: list[str] = []
        after = None
        for _ in range(20):
            page = market.search("", sort=sort, limit=3, after=after)
            found += [item.card for item in page.items]
            after = page.after
            market.world.clock.advance_to(market.world.clock.wall_ms() + 3_600_000)
            if after is None:
                break
        assert len(found) == len(set(map(bytes, found))) == len(GOODS), sort


def test_a_cursor_of_another_search_is_refused(market: Market) -> None:
    """It would show a list from somewhere in its middle."""
    after = market.search("", limit=3).after
    for ask in (SearchGoods(q="葡萄", after=after), SearchGoods(after="AAAAAAAAAAAA"), SearchGoods(after=after, sort=SearchSort.NEWEST)):
        with pytest.raises(Refused, match="search_cursor_not_of_this_search"):
            market.world.ask(ask)


def test_one_of_each_shop(market: Market) -> None:
    """The best of each."""
    assert len(market.titles("", one_per_shop=True)) == 2
    assert market.search("", one_per_shop=True).total == len(GOODS)


def test_what_is_in_stock_comes_first_and_can_be_asked_for(market: Market) -> None:
    """A shop on holiday sells nothing, until it is back by itself."""
    town, world = market.town, market.world
    kept = town.goods(variant("HERE"), title="葡萄干")
    world.settle()
    assert market.titles("葡萄干", in_stock=True) == []
    town.stock(kept.variant_ids[0], 3)
    world.settle()
    assert market.titles("葡萄干", in_stock=True) == ["葡萄干"]
    assert market.titles("葡萄")[0] == "葡萄干"
    hold = HoldId("hld_1")
    world.send(HoldStock(hold_id=hold, lines=(HoldLine(variant_id=kept.variant_ids[0], quantity=3),), country="CN", region=""))
    world.settle()
    assert market.titles("葡萄干", in_stock=True) == []
    world.send(ReleaseStock(hold_id=hold))
    world.settle()
    assert market.titles("葡萄干", in_stock=True) == ["葡萄干"]
    shown = market.search("葡萄干").facets
    assert shown is not None
    assert shown.in_stock == 1
    world.send(SetHoliday(shop_id=town.shop.id, back_at=world.clock.wall_ms() + 86_400_000))
    world.settle()
    assert market.titles("葡萄干", in_stock=True) == []
    away = market.search("葡萄干").facets
    assert away is not None
    assert away.in_stock == 0
    world.clock.advance_to(world.clock.wall_ms() + 86_400_001)
    assert market.titles("葡萄干", in_stock=True) == ["葡萄干"]


def test_the_index_follows_the_catalog(market: Market) -> None:
    """What is changed, withdrawn, or of a suspended shop is found as it is now."""
    town, world = market.town, market.world
    id = market.add("云南普洱", "Pu'er", category="tea")
    assert market.titles("普洱") != ["云南普洱"]  # it has not been heard yet
    world.settle()
    assert market.titles("普洱") == ["云南普洱"]
    form = town.form(variant("SKU-10"), title="云南滇红")
    world.send(ChangeGoods(shop_id=town.shop.id, goods_id=id, version=1, form=form))
    world.settle()
    assert market.titles("滇红") == ["云南滇红"]
    assert market.search("普洱").loosened is not Loosened.NOTHING
    world.send(WithdrawGoods(shop_id=town.shop.id, goods_id=id))
    world.settle()
    assert "云南滇红" not in market.titles("滇红")
    world.send(SuspendShop(shop_id=town.shop.id, reason="x"))
    world.settle()
    assert SHINE not in market.titles("阳光玫瑰")
    world.send(ReopenShop(shop_id=town.shop.id, reason="x"))
    world.settle()
    assert market.titles("阳光玫瑰")[0] == SHINE


def test_goods_are_found_by_their_shop_and_category(market: Market) -> None:
    """By the names that these have now."""
    town, world = market.town, market.world
    assert set(market.titles("别家")) == {title for title, *_ in GOODS[1::2]}
    world.send(ChangeShop(shop_id=town.other.id, name="隔壁", name_en="Next door", template_id=town.other.template_id))
    world.send(ChangeCategory(category_id=market.categories["fruit"], name="时令鲜果", name_en="Seasonal fruit"))
    world.settle()
    assert set(market.titles("隔壁")) == {title for title, *_ in GOODS[1::2]}
    assert market.search("别家").loosened is not Loosened.NOTHING
    assert len(market.titles("seasonal")) == 3


def test_attributes_are_counted_and_filtered(market: Market) -> None:
    """By what goods tell of themselves: any of the values of one key."""
    fruit = market.categories["fruit"]
    market.world.send(SetAttributes(category_id=fruit, attributes=(Attribute(key="organic", name="有机", kind=AttributeKind.FLAG),)))
    for title, value in (("有机梨", True), ("鸭梨", False)):
        market.add(title, category="fruit", attributes=(AttributeValue(key="organic", value=value),))
    market.world.settle()
    assert market.titles("梨", filters="organic:yes") == ["有机梨"]
    facets = market.search("梨").facets
    assert facets is not None
    assert sorted((one.value, one.count) for one in facets.attributes) == [("organic:0", 1), ("organic:1", 1)]


def test_where_nothing_has_every_word_the_nearest_is_shown(market: Market) -> None:
    """And it is said what was left out."""
    found = market.search("葡萄 电视机")
    assert (found.loosened, found.total) == (Loosened.WORDS_LEFT_OUT, 2)
    parts = market.search("龙虾")
    assert (parts.loosened, market.titles("龙虾")) == (Loosened.PARTS, ["西湖龙井 明前特级"])
    assert market.search("xxqqzz").loosened is Loosened.NEAR
    assert market.search("xxqqzz").total == len(GOODS)


def test_what_was_meant_is_said(market: Market) -> None:
    """Where a word was put right."""
    assert market.search("musact grape").did_you_mean == "muscat grape"
    assert market.search("shine grape").did_you_mean is None


def test_what_was_looked_for_is_marked(market: Market) -> None:
    """In the title as it is shown."""
    item = market.search("玫瑰葡萄").items[0]
    assert [SHINE[mark.start : mark.end] for mark in item.marks] == ["玫瑰葡萄"]
    english = GOODS[0][1]
    item = market.search("shine").items[0]
    assert [english[mark.start : mark.end] for mark in item.marks_en] == ["Shine"]


def test_suggestions_go_on_from_what_is_typed(market: Market) -> None:
    """Categories, shops, goods."""

    def suggested(q: str) -> list[tuple[str, str]]:
        return [(one.kind.value, one.text) for one in market.world.ask(SuggestWords(q=q)).items]

    assert ("goods", SHINE) in suggested("阳")
    assert ("goods", SHINE) in suggested("yanggu")
    assert ("goods", SHINE) in suggested("musc")
    assert suggested("shui")[0] == ("category", "水果")
    assert suggested("云")[0] == ("shop", "云茶")
    assert suggested("") == []
    assert suggested("qqzzxx") == []


def test_operators_set_words_and_weights(market: Market) -> None:
    """Synonyms are looked for besides, stop words left out; each change is kept with its reason."""
    world = market.world
    assert market.search("提子").loosened is not Loosened.NOTHING
    synonyms = (SynonymForm(word="提子", others=("葡萄",)),)
    world.send(SetSearch(form=SearchSettingsForm(weights=WEIGHTS, synonyms=synonyms, stops=("包邮",)), reason="people say so"))
    assert set(market.titles("提子")) == {SHINE, "巨峰葡萄"}
    assert market.search("包邮 葡萄").total == 2
    assert market.search("包邮").loosened is not Loosened.NOTHING
    changes = world.ask(SearchSettingsChanges()).items
    assert [(one.reason, dict(one.settings.synonyms)) for one in changes] == [("people say so", {"提子": ("葡萄",)})]


def test_why_something_is_first_is_explained(market: Market) -> None:
    """The parts come to the points that goods are ranked by."""
    told = market.world.ask(ExplainPlace(goods_id=market.ids["巨峰葡萄"], q="葡萄"))
    other = market.world.ask(ExplainPlace(goods_id=market.ids[SHINE], q="葡萄"))
    assert {told.place, other.place} == {1, 2}
    assert (told.points > other.points) is (told.place == 1)
    assert {part.name for part in told.parts} == {"text", "sales", "rating", "shop", "freshness", "stock"}
    assert told.points == sum(part.value_ppm * part.weight // 100 for part in told.parts)
    assert market.world.ask(ExplainPlace(goods_id=market.ids[SHINE], q="龙井")).place is None


def test_what_people_search_for_is_counted_without_their_names(market: Market) -> None:
    """Written together; what looks like somebody's own is not, and what few ask is shown to operators alone."""
    world = market.world
    for q, times in (
        ("葡萄", 4),
        ("ＰＵＴＡＯ", 3),
        ("榴莲", 5),
        ("龙井", 2),
        ("13800138000", 5),
        ("a@example.com", 5),
        ("x" * 90, 5),
        ("?!", 5),
    ):
        for _ in range(times):
            market.search(q)
    market.search("葡萄", after=market.search("葡萄", limit=1).after)  # one search, whose second page is no other
    world.settle()
    asked = sorted((one.text, one.times, one.empty) for one in world.ask(QueriesOn()).items)
    assert asked == sorted([("葡萄", 5, 0), ("榴莲", 5, 5), ("putao", 3, 0), ("龙井", 2, 0)])
    assert [one.text for one in world.ask(QueriesOn(kind=QueryKind.EMPTY)).items] == ["榴莲"]
    assert [one.text for one in world.ask(PopularQueries()).items] == ["葡萄", "putao"]
    assert ("query", "putao") in [(one.kind.value, one.text) for one in world.ask(SuggestWords(q="put")).items]
    world.clock.advance_to(world.clock.wall_ms() + 86_400_000)
    for _ in range(7):
        market.search("龙井")
    market.search("葡萄")
    world.settle()
    rising = world.ask(QueriesOn(kind=QueryKind.RISING)).items
    assert [(one.text, one.times, one.times_before) for one in rising] == [("龙井", 7, 2)]
    assert [one.text for one in world.ask(PopularQueries()).items] == ["龙井", "葡萄", "putao"]
    assert len(world.ask(QueriesOn(days_ago=1)).items) == 4
