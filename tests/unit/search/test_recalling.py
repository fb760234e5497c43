"""What was found a moment ago is found again without looking, and never what is not so any more."""

import pytest

from unit.catalog.town import variant
from unit.search.market import GOODS, SHINE, Market
from unit.search.test_searching import WEIGHTS
from yunduan.domains.catalog.commands import ChangeGoods, SetHoliday, WithdrawGoods
from yunduan.domains.search import finding, queries
from yunduan.domains.search.commands import SetSearch
from yunduan.domains.search.finding import NEAREST_MS
from yunduan.domains.search.model import Loosened, SearchSettingsForm, SearchSort
from yunduan.domains.search.queries import Findings, SearchGoods
from yunduan.domains.search.recalling import RECALLED_MAX, RECALLED_MS


@pytest.fixture
def looked(market: Market, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was really looked for."""
    texts: list[str] = []
    find = finding.find
    monkeypatch.setattr(finding, "find", lambda index, shelf, asked, *more: (texts.append(asked.text), find(index, shelf, asked, *more))[1])
    return texts


def test_the_same_search_is_looked_for_once(market: Market, looked: list[str]) -> None:
    """For ten seconds, whoever asks, and for all of its pages; another search is another."""
    first = market.search("葡萄", limit=1)
    again = market.search("葡萄")
    second = market.search("葡萄", limit=1, after=first.after)
    assert looked == ["葡萄"]
    assert (again.total, again.facets) == (first.total, first.facets) == (2, first.facets)
    assert [item.card for item in again.items] == [*(item.card for item in first.items), *(item.card for item in second.items)]
    assert second.facets is None
    market.search("葡萄", sort=SearchSort.PRICE_UP)
    market.search("葡萄", in_stock=True)
    market.world.clock.advance_to(market.world.clock.wall_ms() + RECALLED_MS + 1)
    market.search("葡萄")
    assert looked == ["葡萄"] * 4
    assert market.search("葡萄", limit=1, after=first.after).items == second.items  # of its own moment, looked for anew
    assert looked == ["葡萄"] * 5
    assert market.search("葡萄").facets is not None


def test_what_changes_is_looked_for_again(market: Market, looked: list[str]) -> None:
    """In the index, and in what operators have set; a card that went a moment ago is not shown even so."""
    world, shop = market.world, market.town.shop
    assert len(market.titles("葡萄")) == 2
    world.send(WithdrawGoods(shop_id=shop.id, goods_id=market.ids[SHINE]))
    assert market.titles("葡萄") == ["巨峰葡萄"]
    assert looked == ["葡萄"]
    world.settle()
    assert market.search("葡萄").total == 1
    world.send(SetSearch(form=SearchSettingsForm(weights=WEIGHTS, stops=("新鲜",)), reason="x"))
    market.search("葡萄")
    world.send(SetHoliday(shop_id=market.town.other.id, back_at=world.clock.wall_ms() + 86_400_000))
    world.settle()
    market.search("葡萄")
    assert looked == ["葡萄"] * 4


def test_what_sells_best_is_ranked_once_for_all_that_nothing_has(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """For ten seconds, though the index changes: what went is left out at once, what came is among it afterwards, and pages go on."""
    ranked: list[str] = []
    nearest = finding._nearest
    monkeypatch.setattr(
        finding, "_nearest", lambda index, columns, asked, *more: (ranked.append(asked.text), nearest(index, columns, asked, *more))[1]
    )
    world, shop = market.world, market.town.shop
    first = market.search("xxqqzz")
    assert (first.loosened, first.total) == (Loosened.NEAR, len(GOODS))
    market.add("云南普洱", category="tea")
    world.send(WithdrawGoods(shop_id=shop.id, goods_id=market.ids[SHINE]))
    world.settle()
    again = market.search("qqxxzz")
    assert [item.card for item in again.items] == [item.card for item in first.items if market.ids[SHINE].encode() not in bytes(item.card)]
    assert (again.facets, ranked) == (first.facets, ["xxqqzz"])
    page = market.search("qqxxzz", limit=3)
    assert market.search("qqxxzz", limit=3, after=page.after).items == again.items[3:6]
    market.search("xxqqzz", in_stock=True)
    assert ranked == ["xxqqzz"] * 2
    world.clock.advance_to(world.clock.wall_ms() + NEAREST_MS + 1)
    assert market.search("qqxxzz").total == len(GOODS)
    assert ranked == ["xxqqzz", "xxqqzz", "qqxxzz"]


def test_a_page_is_remembered_with_its_cards_until_one_changes(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is, though the index has not heard of it yet; pages of another length are others."""
    read: list[int] = []
    found = queries._found
    monkeypatch.setattr(queries, "_found", lambda at, index, page, matched: (read.append(len(page)), found(at, index, page, matched))[1])
    cloud = market.world.cloud
    cloud.remember()

    async def asked(limit: int) -> Findings:
        return cloud.ask(SearchGoods(q="葡萄", limit=limit))

    def search(limit: int = 20) -> Findings:
        return market.world.run(asked(limit))

    first = search()
    assert search().items == search().items == first.items
    assert read == [2, 2]
    assert [len(search(limit).items) for limit in (1, 1, 2)] == [1, 1, 2]
    assert read == [2, 2, 1]
    form = market.town.form(variant("SKU-1", 3_333), title="巨峰葡萄", category_id=market.categories["fruit"])
    market.world.send(ChangeGoods(shop_id=market.town.other.id, goods_id=market.ids["巨峰葡萄"], version=1, form=form))
    assert b"3333" in b"".join(bytes(item.card) for item in search().items)
    assert read == [2, 2, 1, 2]


def test_no_more_is_remembered_than_there_is_room_for(market: Market, looked: list[str]) -> None:
    """What was asked for longest ago is forgotten first."""
    for number in range(RECALLED_MAX):
        market.search(f"葡萄 {number}")
    market.search("葡萄 0")
    market.search("葡萄 new")
    looked.clear()
    for q in ("葡萄 new", "葡萄 0", "葡萄 2"):
        market.search(q)
    assert looked == []
    market.search("葡萄 1")
    assert looked == ["葡萄 1"]
