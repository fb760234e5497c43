"""Whole words are found by their postings as FTS5 finds them; a few documents are ranked and counted as many are."""

import itertools
from collections.abc import Iterator

import pytest

from unit.search.market import Market
from unit.search.test_golden import filled, golden
from yunduan.backends.sqlite import SideFolder
from yunduan.domains.catalog.commands import WithdrawGoods
from yunduan.domains.search import finding, matching, store, store_postings
from yunduan.domains.search.finding import Asked, Finder, Matched, find
from yunduan.domains.search.model import Loosened, SearchSort
from yunduan.domains.search.planning import Begun, plan
from yunduan.domains.search.queries import SuggestWords
from yunduan.domains.search.spelling import is_one_slip
from yunduan.domains.search.store import Index
from yunduan.domains.search.syllables import SYLLABLES, begun
from yunduan.testing import World

NOW_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finder]:
    """Whoever searches all goods of the demonstration market."""
    folder = tmp_path_factory.mktemp("matching")
    with World.at(folder, is_searched=True) as world:
        filled(world)
        finder = Finder(SideFolder(folder, "search"))
        yield finder
        finder.close()


def index_of(finder: Finder) -> Index:
    """What it reads."""
    index = finder.refresh()
    assert index is not None
    return index


def test_whole_words_are_found_by_their_postings_as_by_fts5(finder: Finder) -> None:
    """Every word of the market that is no more than a word, alone and with another: the same documents, all of them."""
    index = index_of(finder)
    side = finder._sides.read(1)
    terms = [term for (term,) in side.rows("SELECT term FROM term WHERE kind = 0 AND length(term) > 1 ORDER BY term")]
    side.close()
    whole = [(term, planned) for term in terms if (planned := plan(term, index)).is_of_whole_words() and not planned.is_narrow]
    assert len(whole) > 1_000
    assert {len(planned.slots[0].parts) for _, planned in whole} >= {1, 2, 3}
    some = dict(whole[::7])
    together = [plan(f"{one} {other}", index) for one, other in itertools.pairwise(some)]
    for planned in [*some.values(), *(planned for planned in together if planned.is_of_whole_words() and not planned.is_narrow)]:
        found = matching.has_all(index, finder.shelf.columns, planned)
        assert found.documents.tolist() == sorted(index.matched(planned.all(), 10_000)), planned
        assert not len(found.documents) or (found.points is not None and (found.points > 0).all())


def test_parts_that_stand_apart_are_no_word(market: Market) -> None:
    """恒温杯垫 and 保温 hold both pairs of 保温杯, and are none; the word is found wherever the cutter has cut."""
    market.add("恒温杯垫 保温")
    market.add("小保温杯子")
    market.world.settle()
    assert set(market.titles("保温杯")) == {"不锈钢保温杯 500ml", "小保温杯子"}


def test_words_in_pinyin_are_found_by_how_words_are_read(finder: Finder, market: Market) -> None:
    """By postings, however many words are written as one; what is read so across the borders of words is found where no words are."""
    index = index_of(finder)
    assert plan("lianyiqun", index).slots[0].parts == ("~lianyiqun",)
    assert plan("meiguilianyiqun", index).slots[0].parts == ("~meigui", "~lianyiqun")
    assert plan("lianyiqun 茶", index).is_narrow
    assert plan("longjing", index).slots[0].any == ("longjing", "~longjing")
    assert not plan("lo", index).slots[0].parts
    market.add("草莓桂花糕")
    market.add("白玫瑰")
    market.world.settle()
    assert set(market.titles("meigui")) == {"阳光玫瑰葡萄 3斤装", "玫瑰花茶", "白玫瑰"}
    found = market.search("caomei meigui")
    assert (found.loosened, found.total) == (Loosened.NOTHING, 1)
    assert market.titles("caomei meigui") == ["草莓桂花糕"]


def typed(finder: Finder, text: str) -> list[int]:
    """What is found while somebody types."""
    asked = Asked(text=text, counts=False, is_typing=True, is_strict=True, now_ms=NOW_MS)
    return sorted(find(index_of(finder), finder.shelf, asked).ranked.tolist())


def test_pinyin_without_its_last_letters_is_found_by_words_that_are_read_so(finder: Finder) -> None:
    """All that have any of these words, or a word of these letters, or of these first ones; nothing that FTS5 would not find."""
    index, side = index_of(finder), finder._sides.read(1)
    readings = [term for (term,) in side.rows("SELECT term FROM term WHERE kind = 1 AND length(term) > 4 ORDER BY term")]
    cuts = sorted(
        {reading[: len(reading) - cut] for reading in filter(str.isalpha, readings[::3]) if reading.isascii() for cut in (0, 1, 2)}
    )
    by_words = 0
    for text in cuts:
        planned = plan(text, index, is_typing=True)
        (slot,) = planned.slots
        assert slot.goes_on[0] == Begun((), text, is_syllable=any(len(way) == 1 for way in begun(text)))
        if slot.goes_on[0].is_syllable:  # any character may be meant
            continue
        ends = (text, f"{text}{{", f"~{text}", f"~{text}{{")
        rows = side.rows("SELECT term FROM posting WHERE (term >= ?1 AND term < ?2) OR (term >= ?3 AND term < ?4)", ends)
        postings = index.filed.of([term for (term,) in rows])
        wanted = {int(posting) >> 8 for (term,) in rows for posting in postings[term]}
        if slot.begins:
            wanted |= set(index.matched(f'initials : "{text}" *', 10_000))
        found, everything = typed(finder, text), set(index.matched(planned.all(), 10_000))
        assert set(found) == (wanted or everything), text
        assert wanted <= everything
        by_words += bool(wanted)
    side.close()
    assert by_words > 400


def test_what_is_typed_is_divided_into_words_and_a_beginning(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """With spaces or without, and without FTS5; what can be one syllable is left to it, and so is what has too many postings."""
    index = index_of(finder)
    assert [(way.words, way.head) for way in plan("yangguangmeigu", index, is_typing=True).slots[0].goes_on][:2] == [
        ((), "yangguangmeigu"),
        (("~yangguang",), "meigu"),
    ]
    assert plan("yangguang mei", index, is_typing=True).slots[-1].goes_on == (Begun((), "mei", is_syllable=True),)
    assert not plan("iphone15", index, is_typing=True).slots[-1].goes_on
    everything = typed(finder, "阳光玫瑰")
    assert everything
    with monkeypatch.context() as patched:
        patched.delattr(Index, "matched")
        for text in ("yangguangmeigu", "yangguang meigu", "yangguangmeigui", "yangguangmei", "yangguang m"):
            assert typed(finder, text) == everything
    monkeypatch.setattr(store_postings, "BEGUN_MAX", 0)
    assert set(typed(finder, "yangguang meigu")) >= set(everything)


def test_a_syllable_after_words_is_looked_for_in_titles(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any character that is read so, a word of such letters, and what is read otherwise than mostly within a word; of too many, by FTS5."""
    for title in ("龙井绿茶叶", "龙井虾仁", "龙井 Chali", "龙井重庆火锅"):
        market.add(title)
    market.world.settle()

    def suggested(text: str) -> set[str]:
        return {one.text for one in market.world.ask(SuggestWords(q=text)).items}

    for most in (800, 0):
        monkeypatch.setattr(matching, "CALLED_MAX", most)
        assert suggested("longjing cha") == {"龙井绿茶叶", "龙井 Chali"}
        assert suggested("longjingchon") == {"龙井重庆火锅"}
        assert suggested("longjing x") == {"龙井虾仁", "西湖龙井 明前特级"}


def test_what_was_put_on_sale_a_moment_ago_is_found_while_somebody_types(market: Market) -> None:
    """Its postings wait, and what begins so among them is known; what is gone is found no more."""
    for title in ("龙井茶叶", "龙井虾仁"):
        market.add(title)
    market.world.settle()
    asked = SuggestWords(q="longjing cha"), SuggestWords(q="longj"), SuggestWords(q="longjingxia")
    assert {one.text for one in market.world.ask(asked[1]).items} >= {"西湖龙井 明前特级", "龙井茶叶", "龙井虾仁"}
    assert [one.text for one in market.world.ask(asked[0]).items] == ["龙井茶叶"]
    assert [one.text for one in market.world.ask(asked[2]).items] == ["龙井虾仁"]
    market.world.send(WithdrawGoods(shop_id=market.town.shop.id, goods_id=market.ids["龙井虾仁"]))
    market.world.settle()
    assert not market.world.ask(asked[2]).items


def test_a_syllable_is_not_only_a_word_with_a_slip(finder: Finder) -> None:
    """Any character that is read so may be meant, and no terms tell of these."""
    index = index_of(finder)
    for syllable in sorted(SYLLABLES):
        (slot,) = plan(syllable, index).slots
        assert slot.any in ((), (syllable, f"~{syllable}"))
    assert any(is_one_slip(syllable, one.term) for syllable in SYLLABLES if len(syllable) > 3 for one in index.slips(syllable))


def test_nothing_is_meant_by_a_slip_where_words_begin_so(finder: Finder) -> None:
    """While it is being typed; where none does it is."""
    index = index_of(finder)
    (slot,) = plan("appl", index, is_typing=True).slots
    assert "syllables" not in slot.expression.replace("initials", "")
    assert '"apple"' not in slot.expression
    assert '"apple"' in plan("appel", index, is_typing=True).slots[0].expression
    assert '"apple"' in plan("appl", index).slots[0].expression


def test_what_is_meant_by_a_slip_is_found_by_terms_as_well(finder: Finder, market: Market) -> None:
    """Any of them, or goods that begin with these letters; a Chinese word that nothing has, by what is read like it."""
    index = index_of(finder)
    assert plan("appel", index).slots[0].any == ("apple",)
    assert plan("lianyiqum", index).slots[0].any == ("~lianyiqun",)
    assert plan("保温被", index).slots[0].any == ("~baowenbei",)
    assert plan("平果", index).slots[0].any == ("平果", "~pingguo")
    assert not plan("appel", index, is_typing=True).slots[-1].any
    market.add("grape 葡萄")
    market.add("果然烹饪锤子")  # its letters are grpcz
    market.world.settle()
    assert "果然烹饪锤子" in market.titles("grpcz")
    assert market.titles("平果")[0] in {"烟台红富士苹果", "苹果手机壳 iPhone15"}
    market.add("生活用品 平果盘")
    market.world.settle()
    assert set(market.titles("平果")) == {"生活用品 平果盘", "烟台红富士苹果", "苹果手机壳 iPhone15"}
    assert market.titles("保温被") == ["不锈钢保温杯 500ml"]


def one_by_one(index: Index, finder: Finder, q: str, *, few: int, **more: object) -> Matched:
    """What is found where so many are few."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finding, "FEW", few)
        return find(index, finder.shelf, Asked(text=q, now_ms=NOW_MS, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("sort", list(SearchSort))
@pytest.mark.parametrize("distinct", [False, True])
def test_a_few_are_ranked_and_counted_as_many_are(finder: Finder, sort: SearchSort, distinct: bool) -> None:
    """One by one, or as columns: the same order, by the same values, and the same facets."""
    index = index_of(finder)
    for q, _ in golden():
        few = one_by_one(index, finder, q, few=1_000, sort=sort, distinct=distinct)
        many = one_by_one(index, finder, q, few=-1, sort=sort, distinct=distinct)
        assert few.ranked.tolist() == many.ranked.tolist()
        assert few.values.tolist() == many.values.tolist()
        assert (few.facets, few.total) == (many.facets, many.total)


@pytest.mark.parametrize("typed", ["茶", "葡", "s", "te", "ya", "pu", "tea 茶", "tea s"])
def test_what_somebody_types_is_found_without_counting_what_begins_so(finder: Finder, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """BM25 counts all that begins with a letter. Of what has many documents the first and the last are ranked."""
    index = index_of(finder)
    everything = sorted(index.matched(plan(typed, index, is_typing=True).all(), 10_000))
    assert everything
    for counts in ("scored", "scored_among"):
        monkeypatch.delattr(Index, counts)
    asked = Asked(text=typed, counts=False, is_typing=True, is_strict=True, now_ms=NOW_MS)
    found = find(index, finder.shelf, asked)
    assert (sorted(found.ranked.tolist()), found.total_is_least) == (everything, False)
    monkeypatch.setattr(matching, "TYPED_MAX", 1)
    few = find(index, finder.shelf, asked)
    ends = sorted({*everything[:2], everything[-1]})
    assert (sorted(few.ranked.tolist()), few.total_is_least) == (ends if len(everything) > 1 else everything, len(everything) > 1)
    assert few.ranked.tolist() == [no for no in found.ranked.tolist() if no in few.ranked]


def test_some_of_many_are_weighed_in_one_walk_as_all_are(finder: Finder) -> None:
    """Whichever they are; asked for one after the other, FTS5 would count the words anew for each."""
    index = index_of(finder)
    expression = plan("s", index, is_typing=True).all()
    weighed = dict(index.scored(expression, 10_000))
    assert len(weighed) > 20
    for some in (list(weighed), sorted(weighed)[3:9], sorted(weighed, reverse=True)[::5], []):
        assert dict(index.scored_among(expression, some)) == {no: weighed[no] for no in some}
    (walk, *_) = index._side.rows("EXPLAIN QUERY PLAN " + store._SCORED_AMONG, (expression, 1, 9, "[1]"))
    assert walk[3].startswith("SCAN words")


def test_of_many_names_those_that_were_made_first_are_told(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they are; of few, the best first."""
    index = index_of(finder)
    expression = plan("果", index, is_typing=True).of_names()
    best = index.labelled(expression, 20)
    assert len(best) > 2
    monkeypatch.setattr(store, "SCORED_MAX", 2)
    assert index.labelled(expression, 20) == sorted(best, key=lambda name: name.no)[:2]
