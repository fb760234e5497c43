"""Whole words are found by their postings as FTS5 finds them; a few documents are ranked and counted as many are."""

import itertools
from collections.abc import Iterator

import pytest

from unit.search.market import Market
from unit.search.test_golden import filled, golden
from yunduan.backends.sqlite import SideFolder
from yunduan.domains.search import finding, matching
from yunduan.domains.search.finding import Asked, Finder, Matched, find
from yunduan.domains.search.model import Loosened, SearchSort
from yunduan.domains.search.planning import plan
from yunduan.domains.search.store import Index
from yunduan.testing import World


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
        return find(index, finder.shelf, Asked(text=q, now_ms=1_790_000_000_000, **more))  # type: ignore[arg-type]


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
