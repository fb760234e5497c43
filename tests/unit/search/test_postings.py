"""Postings say of every word which documents have it, however they came there, and whoever was cut off while filing them."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.catalog.town import variant
from unit.search.market import SHINE, Market
from unit.search.test_keeping import indexer_of
from yunduan.backends.sqlite import SideFile, SideFolder
from yunduan.domains.catalog.commands import ChangeGoods, WithdrawGoods
from yunduan.domains.search import store_postings
from yunduan.domains.search.columns import BLOCK, Shelf
from yunduan.domains.search.indexing import WORN_MIN, is_worn
from yunduan.domains.search.store import Index
from yunduan.domains.search.store_postings import DOCUMENTS_MAX, Filed, Filing, said_of
from yunduan.domains.search.store_words import Written

TERMS = ("阳光", "玫瑰", "葡萄", "grape", "tea")
texts = st.lists(st.sampled_from(TERMS), max_size=4).map(" ".join)
others = st.sampled_from([("file", ""), ("all", ""), ("fall", ""), ("look", "")])
steps = st.lists(st.one_of(st.tuples(st.just("add"), texts), others), max_size=40)


def of(filed: Filed) -> Mapping[str, list[tuple[int, int]]]:
    """Every posting, as (document, what it says)."""
    known = filed.of(TERMS)
    return {term: [divmod(posting, 256) for posting in known[term].tolist()] for term in TERMS}


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 10))
def test_postings_are_those_of_the_words(steps: list[tuple[str, str]], gathered: int) -> None:
    """Gathered first or not, filed some at a time or all at once, by one that fell while it was at it; seen by who looks now and then."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (
            ("PART", 3),
            ("GATHERED_MAX", 7),
            ("_SHEAVES_ROWS", 2),
            ("WAITING_MIN", 1),
            ("_TERMS_AT_ONCE", 1),
            ("_KEPT_BYTES", 600),
        ):
            patched.setattr(store_postings, name, value)
        side = SideFile(None)
        side.write(store_postings.TABLES)
        filing, now_and_then = Filing(side), Filed(side)
        meant: dict[str, list[tuple[int, int]]] = {term: [] for term in TERMS}
        filing.gather()
        adding = [("add", f"{TERMS[no % 5]} {TERMS[no % 3]}") for no in range(gathered)]
        no = 0
        for step, text in [*adding, ("whole", ""), *steps, ("look", "")]:
            match step:
                case "add":
                    no += 1
                    words = Written(title=text, syllables="", initials="")
                    filing.add(no, words)
                    for term, says in said_of(words).items():
                        meant[term].append((no, says))
                case "whole":
                    filing.whole(no + 1)
                case "file":
                    filing.go_on()
                case "all":
                    filing.file_all()
                case "fall":
                    filing = Filing(side)
                case _:
                    now_and_then.refresh()
                    assert of(now_and_then) == meant
                    at_once = Filed(side)
                    at_once.refresh()
                    assert of(at_once) == meant
        side.close()


def test_what_was_filed_since_is_known_once(tmp_path: Path) -> None:
    """Whoever has looked before it was filed still has it from what waited, and reads the rows of terms only as far as they were then."""
    sides = SideFolder(tmp_path, "search")
    index = Index(sides.write(1))
    index.make()
    sides.publish(1)
    side = sides.write(1)
    filing, filed = Filing(side), Filed(sides.read(1))
    words = Written(title="grape", syllables="", initials="")
    filing.add(1, words)
    filed.refresh()
    filing.file_all()
    filing.add(2, words)
    filing.file_all()
    assert [no for no, _ in of(filed)["grape"]] == [1]
    assert filed.refresh()
    assert not filed.refresh()
    assert [no for no, _ in of(filed)["grape"]] == [1, 2]
    assert filed.documents == 3
    for one in (side, index):
        one.close()


def test_a_title_says_more_than_a_description() -> None:
    """And the less, the more other words there are."""
    said = said_of(Written(title="茶", more="杯", about="壶", syllables="", initials=""))
    assert 255 > said["茶"] > said["杯"] > said["壶"] > 1
    long = said_of(Written(title="茶", more="杯", about=" ".join(["壶", *map(str, range(200))]), syllables="", initials=""))
    assert said["茶"] > long["茶"] > long["杯"] > long["壶"] >= 1


def test_words_written_anew_have_another_number(market: Market, tmp_path: Path) -> None:
    """With what was known of the goods; the number before is nothing's any more, and is given to nobody."""

    def numbers() -> tuple[int, dict[int, int]]:
        finder = SideFolder(tmp_path, "search")
        index, shelf = Index(finder.read(finder.generation())), Shelf()
        index.refresh(shelf)
        ((no, _),) = index.documents([market.ids[SHINE]]).values() or ((0, b""),)
        there = {place: int(shelf.columns["price"][place]) for place in range(BLOCK) if shelf.columns["is_there"][place]}
        index.close()
        return no, there

    if type(market.world.cloud.store).__name__ == "PostgresqlStore":
        pytest.skip("the index is the same file")
    before, there = numbers()
    form = market.town.form(variant("SKU-0", 5990), title="阳光玫瑰葡萄 五斤装", category_id=market.categories["fruit"])
    market.world.send(ChangeGoods(shop_id=market.town.shop.id, goods_id=market.ids[SHINE], version=1, form=form))
    market.world.settle()
    after, moved = numbers()
    assert after == max(there) + 1
    assert moved == {no: price for no, price in there.items() if no != before} | {after: 5990}
    market.world.send(WithdrawGoods(shop_id=market.town.shop.id, goods_id=market.ids[SHINE]))
    market.world.settle()
    market.add("福鼎白茶", category="tea")
    market.world.settle()
    assert max(numbers()[1]) == after + 1


def test_an_index_of_few_documents_for_its_numbers_is_made_anew(market: Market, tmp_path: Path) -> None:
    """Each number takes room in whoever reads."""
    assert not is_worn(2 * 1_000 + WORN_MIN, 1_000)
    assert is_worn(2 * 1_000 + WORN_MIN + 1, 1_000)
    assert is_worn(DOCUMENTS_MAX, DOCUMENTS_MAX)
    folder = SideFolder(tmp_path, "search")
    side = folder.write(folder.generation())
    side.write("UPDATE sqlite_sequence SET seq = ? WHERE name = 'document'", (WORN_MIN + 1_000,))
    side.close()
    indexer = indexer_of(market, tmp_path)
    while indexer.step():
        pass
    indexer.close()
    assert folder.generation() == 2
    assert market.titles("葡萄")
