"""The index is derived: it may be cut off, lost, made anew or heard twice, and is what the catalog says in the end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from unit.search.market import GOODS, Market
from yunduan.backends.sqlite import SideFolder
from yunduan.cloud import open_indexers
from yunduan.domains.catalog.commands import (
    SHOWN_EVERY_MS,
    CountSale,
    RateGoods,
    ReopenShop,
    SaleLine,
    SuspendShop,
    UncountSale,
    WithdrawGoods,
)
from yunduan.domains.catalog.findable import GoodsToFind
from yunduan.domains.search.columns import BLOCK
from yunduan.domains.search.finding import Asked, Finder, find
from yunduan.domains.search.indexing import Indexer
from yunduan.domains.search.queries import SearchGoods, SuggestWords
from yunduan.domains.search.store import Index
from yunduan.edges.index_keeper import Steps
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import GoodsId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import MadeElsewhereError
from yunduan.runtime.settings import SearchSettings, Settings
from yunduan.testing import World

HOSTILE = (
    '"', '""', "a AND b", "NOT NEAR(a b)", "title : x", "{title more} : a", "a*", "^a", "(((((", "a OR", "-- ;",
    "'; DROP TABLE words; --", "%", "_", "\\", "\x00", "a\x00b", "\x1b[31m", "\u202eabc", "\u200d", "😀", "👨‍👩‍👧", "é\u0301\u0301\u0301",
    "𠮷野家", "\ud7ff", "𝒜𝓁𝓁", "ﷺ" * 200, "葡" * 5_000, "a" * 10_000, "葡萄 " * 2_000, "xian" * 2_000, "1" * 5_000,
    " ".join(str(number) for number in range(2_000)), "ａ" * 3_000, "Ⅷ ㎏ ½ ﬁ",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store and the index lie."""
    return tmp_path


@pytest.fixture
def there(folder: Path) -> Market:
    """A market whose index is kept by whoever a test says."""
    world = World.at(folder, is_searched=True)
    return Market(world)


def found(folder: Path, q: str) -> list[str]:
    """What another process would find."""
    finder = Finder(SideFolder(folder, "search"))
    index = finder.refresh()
    assert index is not None
    matched = find(index, finder.shelf, Asked(text=q, now_ms=0))
    titles = index.titles(matched.ranked.tolist())
    finder.close()
    return [titles[no].title for no in matched.ranked.tolist()]


def indexer_of(market: Market, folder: Path) -> Indexer:
    """One like that of the cloud, three goods at a time."""
    cloud = market.world.cloud
    return Indexer(
        SideFolder(folder, "search"), ask=lambda query: cloud.ask(query, actor=SYSTEM), reader=cloud.behind, now=cloud.now, at_once=3
    )


def files(folder: Path) -> list[str]:
    """The index's files, but for the locks of whoever writes it."""
    return sorted(path.name for path in folder.glob("search*") if not path.name.endswith(("-wal", "-shm", ".keeper", ".maker")))


def test_while_it_is_made_anew_the_one_before_is_read(there: Market, folder: Path) -> None:
    """And one that was cut off is begun anew; what is told meanwhile is heard."""
    assert files(folder) == ["search-1.sqlite", "search.current"]
    anew = indexer_of(there, folder)
    anew.rebuild()
    assert anew.step()
    assert "巨峰葡萄" in found(folder, "葡萄")
    anew.close()  # cut off
    assert there.titles("葡萄")
    anew = indexer_of(there, folder)
    anew.rebuild()
    there.add("云南普洱", category="tea")
    while anew.step():
        pass
    anew.close()
    assert files(folder) == ["search-2.sqlite", "search.current"]
    assert found(folder, "普洱") == ["云南普洱"]
    there.world.settle()  # the cloud's own keeper goes on with the new one
    there.add("福鼎白茶", category="tea")
    there.world.settle()
    assert there.titles("白茶")[0] == "福鼎白茶"
    assert files(folder) == ["search-2.sqlite", "search.current"]
    assert len(found(folder, "")) == len(GOODS) + 2
    there.world.close()


def test_one_process_makes_it_anew_and_others_wait_for_that(there: Market, folder: Path) -> None:
    """Whoever would begin the same has nothing to do meanwhile, and goes on with what the other has made; who is asked to says so."""
    there.world.close()
    with World.at(folder) as world:
        there.world = there.town.world = world
        keeper, operator = indexer_of(there, folder), indexer_of(there, folder)
        side = SideFolder(folder, "search").write(1)
        side.write("UPDATE state SET form = 1")
        side.close()
        operator.rebuild()
        assert operator.step()
        assert not keeper.step()  # it would begin the second generation as well
        with pytest.raises(MadeElsewhereError, match="another process makes search anew"):
            keeper.rebuild()
        assert not Steps(keeper, pause_s=0).step()
        there.add("云南普洱", category="tea")
        while operator.step():
            pass
        assert files(folder) == ["search-2.sqlite", "search.current"]
        assert len(found(folder, "")) == len(GOODS) + 1
        there.add("福鼎白茶", category="tea")
        while keeper.step():
            pass
        assert found(folder, "白茶") == ["福鼎白茶"]
        keeper.rebuild()  # who has made one is in nobody's way
        keeper.close()  # nor who was cut off
        operator.rebuild()
        while operator.step():
            pass
        assert files(folder) == ["search-3.sqlite", "search.current"]
        assert len(found(folder, "")) == len(GOODS) + 2
        for one in (keeper, operator):
            one.close()


def test_what_was_made_meanwhile_is_not_begun_again(folder: Path) -> None:
    """Somebody who has looked which generation is read, and then begins the next, may come too late."""
    early, late = SideFolder(folder, "search"), SideFolder(folder, "search")
    side = early.write(1)
    early.publish(1)
    with pytest.raises(MadeElsewhereError, match="another process has made search anew"):
        late._claimed_for(1)
    side.close()
    late.write(1).close()
    late.write(2).close()


def test_goods_of_a_suspended_shop_are_found_again_though_the_index_was_made_meanwhile(there: Market, folder: Path) -> None:
    """They are in the index, and shown to nobody."""
    there.world.send(SuspendShop(shop_id=there.town.shop.id, reason="x"))
    there.world.settle()
    anew = indexer_of(there, folder)
    anew.rebuild()
    while anew.step():
        pass
    anew.close()
    assert "玫瑰花茶" not in found(folder, "花茶")
    there.world.send(ReopenShop(shop_id=there.town.shop.id, reason="x"))
    there.world.settle()
    assert len(there.titles("")) == len(GOODS)
    there.world.close()


def test_an_index_that_is_lost_or_broken_is_made_anew(there: Market, folder: Path) -> None:
    """By whoever opens it next."""
    there.world.close()
    for spoil in (lambda: (folder / "search.current").write_text("x"), (folder / "search.current").unlink):
        spoil()
        with World.at(folder, is_searched=True) as world:
            world.settle()
            assert world.ask(SearchGoods(q="巨峰")).total == 1


def test_an_index_that_cannot_be_read_is_made_anew_after_some_tries(there: Market, folder: Path) -> None:
    """A disk that has spoilt it shall not keep goods from being found for ever."""
    there.world.close()
    (folder / "search-1.sqlite").write_bytes(b"spoilt" * 4_000)
    for end in ("-wal", "-shm"):
        (folder / f"search-1.sqlite{end}").unlink(missing_ok=True)
    with open_indexers(Settings(data=str(folder))) as indexers:
        steps = Steps(indexers.goods, pause_s=0)
        for _ in range(20):
            if not steps.step():
                break
    assert files(folder) == ["search-2.sqlite", "search.current"]
    assert len(found(folder, "")) == len(GOODS)


def test_facts_that_are_heard_twice_change_nothing(there: Market, folder: Path) -> None:
    """The cursor is moved with the words; behind them, it only makes work."""
    before = [found(folder, q) for q in ("", "葡萄", "茶")]
    side = SideFolder(folder, "search").write(1)
    side.write("UPDATE state SET seq = 0")
    side.close()
    there.world.settle()
    assert [found(folder, q) for q in ("", "葡萄", "茶")] == before
    there.world.close()


def test_how_goods_stand_is_written_as_if_they_were_read_anew(there: Market, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was sold or reviewed, and to goods alone that have a place; without their words, which have not changed."""
    there.world.settle()

    def columns(generation: int) -> list[tuple[Any, ...]]:
        side = SideFolder(folder, "search").read(generation)
        index = Index(side)
        placed = index.placed([first, second, third])
        found = {id: index.block(no // BLOCK)[no % BLOCK] for id, (no, _) in placed.items()}
        side.close()
        return [
            tuple(found[id][name].item() for name in ("sold_pieces", "reviews", "rating", "shop_rating", "price")) for id in sorted(found)
        ]

    first, second, third = list(there.ids.values())[:3]
    there.world.send(CountSale(lines=(SaleLine(goods_id=first, quantity=3), SaleLine(goods_id=second, quantity=9))))
    for stars in (5, 4):
        there.world.send(RateGoods(goods_id=second, shop_id=there.town.other.id, stars=stars))
    there.world.send(UncountSale(lines=(SaleLine(goods_id=first, quantity=1),)))
    there.world.send(WithdrawGoods(shop_id=there.town.shop.id, goods_id=third))
    there.world.send(CountSale(lines=(SaleLine(goods_id=third, quantity=1),)))
    read: list[GoodsId] = []
    whole = Indexer._write_documents

    def write(of: Indexer, index: Index, ids: Sequence[GoodsId], change: int, *, files: bool) -> int:
        read.extend(ids)
        return whole(of, index, ids, change, files=files)

    monkeypatch.setattr(Indexer, "_write_documents", write)
    there.world.pass_time(SHOWN_EVERY_MS)
    there.world.settle()
    assert set(read) == {third}
    kept = columns(1)
    assert kept == [(2, 0, 0, 0, 5990), (9, 2, 450, 450, 2990)]
    indexer = indexer_of(there, folder)
    indexer.rebuild()
    while indexer.step():
        pass
    indexer.close()
    assert columns(2) == kept
    there.world.close()


def test_an_index_of_another_form_or_epoch_is_made_anew(there: Market, folder: Path) -> None:
    """One that was written by another version, or of a store that was restored since."""
    for number, change in enumerate(("form = form + 1", "epoch = epoch + 1", "seq = seq + 1000"), 1):
        side = SideFolder(folder, "search").write(number)
        side.write(f"UPDATE state SET {change}")
        side.close()
        there.world.settle()
        assert files(folder) == [f"search-{number + 1}.sqlite", "search.current"]
        assert len(there.titles("")) == len(GOODS)
    there.world.close()


def test_what_is_added_while_somebody_searches_breaks_no_search(there: Market, folder: Path) -> None:
    """Words are read a moment after the columns: of what came between there are none."""
    finder = Finder(SideFolder(folder, "search"))
    index = finder.refresh()
    assert index is not None
    side = SideFolder(folder, "search").write(1)
    side.write("INSERT INTO words (rowid, title, more, about, syllables, initials) VALUES (5000, '巨峰', '', '', '', '')")
    side.close()
    assert find(index, finder.shelf, Asked(text="巨峰", now_ms=0)).total == 1
    assert find(index, finder.shelf, Asked(text="葡萄", now_ms=0)).total == 2
    finder.close()
    there.world.close()


def test_what_waits_for_the_disk_is_done_when_nobody_waits(there: Market, folder: Path) -> None:
    """Words are merged a little at a time, and the log is folded after a rest without goods; what was told comes first."""
    with open_indexers(Settings(data=str(folder))) as indexers:
        steps = Steps(indexers.goods, pause_s=0)
        for _ in range(20):
            steps.go_on(is_poked=False)
        for number in range(30):  # sixteen are merged at once, whoever waits
            there.add(f"云南普洱 {number}", category="tea")
            assert 0 < steps.go_on(is_poked=True) < 1
            assert steps.go_on(is_poked=False) == 0  # what was put off is written after the same rest
        segments = segments_of(folder)
        waits = [steps.go_on(is_poked=False) for _ in range(60)]
        assert waits[0] == 0  # there is something to merge
        assert 1 in waits
        assert segments_of(folder) < segments
        assert len(found(folder, "普洱")) == 30
        side: Any = indexers.goods._index._side  # type: ignore[union-attr]
        assert side._folding is not None or side._folded  # beside whoever writes
        for number in range(40):
            there.add(f"福鼎白茶 {number}", category="tea")
            steps.go_on(is_poked=True)
        assert len(found(folder, "白茶")) == 40
    there.world.close()


def test_how_usual_terms_are_is_written_when_nothing_is_told(there: Market, folder: Path) -> None:
    """Goods are found before, by words that are new as well; with a slip in them by then."""
    keeper = indexer_of(there, folder)

    def documents(term: str) -> int:
        side = SideFolder(folder, "search").read(1)
        ((count,),) = side.rows("SELECT coalesce(sum(documents), 0) FROM term WHERE term = ? AND kind = 0", (term,))
        side.close()
        return int(count)

    there.add("云南普洱", category="tea")
    while keeper.step():
        pass
    before = documents("云南")
    there.add("云南普洱 wunderbar", category="tea")
    assert keeper.step()
    assert (documents("云南"), documents("wunderbar")) == (before, 1)
    assert (len(found(folder, "云南")), len(found(folder, "wunderbar"))) == (2, 1)
    assert not keeper.step()
    assert (documents("云南"), documents("wunderbar")) == (before + 1, 1)
    assert len(found(folder, "wunderbra")) == 1
    keeper.close()
    there.world.close()


def test_what_a_fall_has_left_to_do_for_slips_is_done_by_who_comes_next(there: Market, folder: Path) -> None:
    """Terms that were written and not filed are those of documents whose postings wait."""
    keeper = indexer_of(there, folder)
    there.add("云南普洱 wunderbar", category="tea")
    assert keeper.step()
    keeper.close()
    assert len(found(folder, "wunderbra")) != 1
    keeper = indexer_of(there, folder)
    assert not keeper.step()
    assert len(found(folder, "wunderbra")) == 1
    keeper.close()
    there.world.close()


def test_terms_are_counted_alike_however_many_goods_a_step_has(there: Market, folder: Path) -> None:
    """Each for every document that has it, once; and what is filed for slips is the same."""

    def counted(generation: int) -> list[list[tuple[object, ...]]]:
        side = SideFolder(folder, "search").read(generation)
        tables = [side.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("term", "slip")]
        side.close()
        return tables

    cloud = there.world.cloud
    for at_once in (1, 500):
        anew = Indexer(
            SideFolder(folder, "search"),
            ask=lambda query: cloud.ask(query, actor=SYSTEM),
            reader=cloud.behind,
            now=cloud.now,
            at_once=at_once,
        )
        anew.rebuild()
        while anew.step():
            pass
        anew.close()
        if at_once == 1:
            one_by_one = counted(2)
    assert counted(3) == one_by_one
    assert ("葡萄", 0, 2, "") in one_by_one[0]
    there.world.close()


def test_words_of_one_transaction_are_one_part(there: Market, folder: Path) -> None:
    """However many goods are in it, and goods that change among them; and all words of a making are one in the end."""
    cloud = there.world.cloud
    anew = indexer_of(there, folder)
    anew.rebuild()
    while anew.step():
        pass
    anew.close()
    assert segments_of(folder, 2) == 1
    for number in range(5):
        there.add(f"云南普洱 {number}", category="tea")
    there.world.send(SuspendShop(shop_id=there.town.other.id, reason="x"))
    anew = Indexer(SideFolder(folder, "search"), ask=lambda query: cloud.ask(query, actor=SYSTEM), reader=cloud.behind, now=cloud.now)
    while anew.step():
        pass
    anew.close()
    assert segments_of(folder, 2) == 2
    assert len(found(folder, "普洱")) == 5
    there.world.close()


def test_a_making_that_meets_an_error_begins_anew_and_counts_every_term(there: Market, folder: Path) -> None:
    """What was counted in memory when the machine failed is not missed afterwards."""
    cloud, fails = there.world.cloud, [False]

    def ask(query: Query[Any]) -> Any:
        if fails[0] and isinstance(query, GoodsToFind):
            raise FaultError("the machine has failed")
        return cloud.ask(query, actor=SYSTEM)

    def terms() -> list[tuple[object, ...]]:
        side = SideFolder(folder, "search").read(SideFolder(folder, "search").generation())
        rows = side.rows("SELECT term, kind, documents FROM term ORDER BY 1, 2")
        side.close()
        return rows

    before = terms()
    (folder / "search.current").unlink()
    anew = Indexer(SideFolder(folder, "search"), ask=ask, reader=cloud.behind, now=cloud.now, at_once=3)
    assert anew.step()
    fails[0] = True
    with pytest.raises(FaultError):
        anew.step()
    fails[0] = False
    while anew.step():
        pass
    anew.close()
    assert terms() == before
    there.world.close()


def test_an_index_that_is_read_and_not_whole_is_made_anew(there: Market, folder: Path) -> None:
    """The power went, and its last commits with it: what they counted was in the memory of whoever made it."""
    side = SideFolder(folder, "search").write(1)
    side.write("UPDATE state SET is_whole = 0")
    side.close()
    there.world.close()
    with open_indexers(Settings(data=str(folder))) as indexers:
        while indexers.goods.step():
            pass
    assert files(folder) == ["search-2.sqlite", "search.current"]
    assert len(found(folder, "")) == len(GOODS)


def segments_of(folder: Path, generation: int = 1) -> int:
    """In how many parts the words lie."""
    side = SideFolder(folder, "search").read(generation)
    ((parts,),) = side.rows("SELECT count(DISTINCT segid) FROM words_idx")
    side.close()
    return int(parts)


@pytest.mark.parametrize("q", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_typed_is_answered(market: Market, q: str) -> None:
    """Syntax is text; what says nothing shows everything, what nothing has what is near."""
    answered = market.search(q)
    assert answered.total <= len(GOODS)
    market.world.ask(SuggestWords(q=q))
    assert len(market.titles("葡萄")) == 2


@pytest.mark.slow
def test_a_process_of_its_own_keeps_it(there: Market, folder: Path) -> None:
    """Told by a byte, ended by the end of its way, and able to begin where there is nothing."""
    there.world.close()
    for path in folder.glob("search*"):
        path.unlink()
    with World.at(folder) as world:  # nobody here keeps it
        settings = Settings(data=str(folder), search=SearchSettings(keeper="process"))
        keeper = subprocess.Popen([sys.executable, "-m", "yunduan.edges.index_keeper"], stdin=subprocess.PIPE, env=dict(os.environ))
        assert keeper.stdin is not None
        keeper.stdin.write(msgspec.json.encode(settings) + b"\n")
        keeper.stdin.flush()
        _until(lambda: (folder / "search.current").exists() and len(found(folder, "")) == len(GOODS))
        there.world = there.town.world = world
        there.add("云南普洱", category="tea")
        keeper.stdin.write(b"\n")
        keeper.stdin.flush()
        _until(lambda: found(folder, "普洱") == ["云南普洱"])
        keeper.stdin.close()
        assert keeper.wait(20) == 0


def test_it_can_be_made_by_the_command_line(there: Market, folder: Path) -> None:
    """Beside whoever serves: `yunduan search rebuild` does what this does."""
    with open_indexers(Settings(data=str(folder))) as indexers:
        indexers.goods.rebuild()
        while indexers.goods.step():
            pass
        assert indexers.goods.walked() == (len(GOODS), len(GOODS))
    assert json.loads((folder / "search.current").read_text()) == 2
    there.world.close()


def _until(holds: object, *, tries: int = 600) -> None:
    for _ in range(tries):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")
