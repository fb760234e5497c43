"""Lists: every card once, in order, in pages that hold while goods come and go; a cursor is of one list."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from msgspec import ValidationError, convert

from unit.catalog.town import Town, variant, yuan
from yunduan.backends.sqlite import SqliteStore
from yunduan.cloud import open_cloud
from yunduan.domains.catalog import store
from yunduan.domains.catalog.commands import (
    SHOWN_EVERY_MS,
    ChangeCategory,
    CountSale,
    CreateCategory,
    PublishGoods,
    SaleLine,
    SetPrice,
    WithdrawGoods,
)
from yunduan.domains.catalog.lists import Card, CardList, Sort, cards_of, cursor, tree_of
from yunduan.domains.catalog.model import CATEGORIES_MAX, PRICE_MAX, CatalogSettings, VariantForm
from yunduan.domains.catalog.queries import Categories, GoodsInCategory, GoodsInShop, NewestGoods
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.settings import Settings, StoreSettings


def cards(page: CardList) -> list[Card]:
    """The cards of a page."""
    return cards_of(page.items)


def ids(page: CardList) -> list[GoodsId]:
    """Which goods a page shows."""
    return [card.id for card in cards(page)]


def refused(town: Town, query: Query[CardList]) -> str:
    """The code that a list is refused with."""
    with pytest.raises(Refused) as caught:
        town.world.ask(query)
    return str(caught.value.code.value)


def test_a_card_shows_what_a_list_needs(town: Town) -> None:
    """The lowest and highest price, what the lowest is compared with, the first picture, the shop."""
    town.goods(variant("A", 1999), pictures=("a/1.webp", "a/2.webp"))
    card = cards(town.world.ask(NewestGoods()))[0]
    assert (card.title, card.title_en, card.picture) == ("龙井", "Longjing", "a/1.webp")
    assert (card.price.amount, card.price_to.amount, card.compare_at, card.sold, card.rating_hundredths) == (1999, 1999, None, 0, None)
    assert (card.shop_id, card.shop_name, card.shop_name_en) == (town.shop.id, "云茶", "Cloud Tea")


def test_each_order_shows_every_card_once(town: Town) -> None:
    """By time, by price both ways, by pieces sold; equal ones by id, the same way round."""
    kept = []
    for n, (fen, sold) in enumerate([(500, 2), (300, 0), (500, 9), (100, 2), (300, 2), (900, 0), (100, 0)]):
        kept.append((town.goods(variant(f"S{n}", fen)).id, fen, sold))
        if sold:
            town.world.send(CountSale(lines=(SaleLine(goods_id=kept[-1][0], quantity=sold),)))
        town.world.pass_time(n % 3)
    town.world.pass_time(SHOWN_EVERY_MS)
    expected = {
        Sort.NEWEST: [id for id, _, _ in kept][::-1],
        Sort.PRICE_UP: [id for id, fen, _ in sorted(kept, key=lambda one: (one[1], one[0]))],
        Sort.PRICE_DOWN: [id for id, fen, _ in sorted(kept, key=lambda one: (one[1], one[0]), reverse=True)],
        Sort.BEST_SOLD: [id for id, _, sold in sorted(kept, key=lambda one: (one[2], one[0]), reverse=True)],
    }
    for sort, order in expected.items():
        for limit in (1, 2, 3, 7, 50):
            seen: list[GoodsId] = []
            page = town.world.ask(NewestGoods(sort=sort, limit=limit))
            seen += ids(page)
            while page.after:
                page = town.world.ask(NewestGoods(sort=sort, limit=limit, after=page.after))
                assert ids(page), "a cursor promises that there is more"
                seen += ids(page)
            assert seen == order, (sort, limit)


def test_prices_of_two_currencies_are_never_compared(town: Town) -> None:
    """300 yen are less than 5 yuan and more than a cent: a list by price goes through one currency after another, page by page."""
    prices = [("CNY", 500), ("JPY", 300), ("JPY", 90_000), ("CNY", 100), ("USD", 1), ("USD", PRICE_MAX), ("AED", 7)]
    shops = {currency: town.found(currency, currency, currency) for currency in {currency for currency, _ in prices}}
    for n, (currency, amount) in enumerate(prices):
        town.goods(VariantForm(sku=f"S{n}", price=Money(amount=amount, currency=currency)), shop=shops[currency])
    for sort, order in ((Sort.PRICE_UP, sorted(prices)), (Sort.PRICE_DOWN, sorted(prices, reverse=True))):
        seen, after = [], None
        while True:
            page = town.world.ask(NewestGoods(sort=sort, limit=2, after=after))
            seen += [(card.price.currency, card.price.amount) for card in cards(page)]
            after = page.after
            if after is None:
                break
        assert seen == order


@pytest.mark.parametrize("sort", list(Sort))
def test_pages_neither_skip_nor_repeat_while_goods_come_and_go(town: Town, sort: Sort) -> None:
    """Everything that was there from beginning to end is seen once, whatever is added or withdrawn between the pages."""
    stay = [town.goods(variant(f"S{n}", 1000 + n % 4 * 100)).id for n in range(12)]
    leave = [town.goods(variant(f"L{n}", 1000 + n % 4 * 100)).id for n in range(4)]
    seen: list[GoodsId] = []
    page, turn = town.world.ask(GoodsInShop(shop_id=town.shop.id, sort=sort, limit=3)), 0
    seen += ids(page)
    while page.after:
        for price in (1, 1100, 9999):
            town.goods(variant(f"N{turn}-{price}", price))
        if turn < len(leave):
            town.world.send(WithdrawGoods(shop_id=town.shop.id, goods_id=leave[turn]))
        turn += 1
        assert turn < 100
        page = town.world.ask(GoodsInShop(shop_id=town.shop.id, sort=sort, limit=3, after=page.after))
        seen += ids(page)
        if turn == 12:  # in two of the orders goods come in ahead for ever; let them end
            break
    rest = town.world.ask(GoodsInShop(shop_id=town.shop.id, sort=sort, limit=50, after=page.after)) if page.after else None
    seen += ids(rest) if rest else []
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in stay] == [id for id in _all(town, sort) if id in stay]


def _all(town: Town, sort: Sort) -> list[GoodsId]:
    found: list[GoodsId] = []
    page = town.world.ask(GoodsInShop(shop_id=town.shop.id, sort=sort, limit=50))
    found += ids(page)
    while page.after:
        page = town.world.ask(GoodsInShop(shop_id=town.shop.id, sort=sort, limit=50, after=page.after))
        found += ids(page)
    return found


def test_a_category_lists_what_is_below_it(town: Town) -> None:
    """At each of four depths, and nothing beside it."""
    path = [town.drinks, town.tea]
    for depth in range(2):
        path.append(town.world.send(CreateCategory(name=f"层{depth}", parent_id=path[-1])).id)
    beside = town.world.send(CreateCategory(name="旁", parent_id=town.drinks)).id
    kept = [town.goods(variant(f"D{n}"), category_id=category).id for n, category in enumerate(path)]
    aside = town.goods(variant("X"), category_id=beside).id
    for depth, category in enumerate(path):
        expected = ([aside] if not depth else []) + kept[depth:][::-1]
        assert ids(town.world.ask(GoodsInCategory(category_id=category))) == expected
    for sort in Sort:
        first = town.world.ask(GoodsInCategory(category_id=path[2], sort=sort, limit=1))
        second = town.world.ask(GoodsInCategory(category_id=path[2], sort=sort, limit=1, after=first.after))
        assert {*ids(first), *ids(second)} == set(kept[2:])


def test_a_shop_lists_its_own(town: Town) -> None:
    """And no others; a shop that is not there is not found."""
    mine, theirs = town.goods(variant("A")), town.goods(variant("A"), shop=town.other)
    assert ids(town.world.ask(GoodsInShop(shop_id=town.shop.id))) == [mine.id]
    assert ids(town.world.ask(GoodsInShop(shop_id=town.other.id))) == [theirs.id]
    assert refused(town, GoodsInShop(shop_id=ShopId("shp_0"))) == "shop_not_found"
    assert refused(town, GoodsInCategory(category_id=CategoryId("cat_0"))) == "category_not_found"


def test_a_cursor_is_of_one_list(town: Town) -> None:
    """Garbled, cut, lengthened, of another order, another shop, or made up with a place that no store can look for: refused."""
    for n in range(3):
        town.goods(variant(f"S{n}"))
        town.goods(variant(f"S{n}"), shop=town.other)
    shop = town.shop.id
    good = town.world.ask(GoodsInShop(shop_id=shop, limit=1)).after
    assert good is not None
    assert len(ids(town.world.ask(GoodsInShop(shop_id=shop, limit=1, after=good)))) == 1
    spoiled = [good[:-1], good + "A", "A" + good[1:], good[::-1], "A", "AA", "AAAAAAAA", "A" * 160, "____"]
    for after in spoiled:
        assert refused(town, GoodsInShop(shop_id=shop, limit=1, after=after)) == "cursor_not_of_this_list", after
    assert refused(town, GoodsInShop(shop_id=shop, after=good, sort=Sort.PRICE_UP)) == "cursor_not_of_this_list"
    assert refused(town, GoodsInShop(shop_id=town.other.id, after=good)) == "cursor_not_of_this_list"
    assert refused(town, NewestGoods(after=good)) == "cursor_not_of_this_list"
    assert refused(town, GoodsInCategory(category_id=town.tea, after=good)) == "cursor_not_of_this_list"
    for value, id in ((2**63, "gds_1"), (-1, "gds_1"), (1, "gds_\x00"), (1, "x")):
        made_up = cursor(value, id, scope="shop_id", id=shop, sort=Sort.NEWEST)
        assert refused(town, GoodsInShop(shop_id=shop, after=made_up)) == "cursor_not_of_this_list"


def test_every_list_is_one_indexed_statement(town: Town) -> None:
    """No order of any list sorts or scans: SQLite's plan names an index for each."""
    from yunduan.domains.catalog.store import _LISTS

    if not isinstance(town.world.cloud.store, SqliteStore):
        pytest.skip("SQLite's plan is asked")
    for (scope, sort, first), sql in _LISTS.items():
        arguments = ([("x")] if scope else []) + ([] if first else [1, "gds_1"]) + [20]
        plan = " ".join(str(row[3]) for row in town.world.rows("EXPLAIN QUERY PLAN " + sql, *arguments))
        assert "USING INDEX card_" in plan, (scope, sort, plan)
        assert "TEMP B-TREE" not in plan, (scope, sort, plan)
        assert (first and not scope) or "SEARCH" in plan, (scope, sort, plan)


def test_the_tree_shows_parents_before_children(town: Town) -> None:
    """With both names and the whole path of each."""
    tree = tree_of(town.world.ask(Categories()).items)
    assert [(one.id, one.parent_id, one.name, one.name_en, one.path_ids) for one in tree] == [
        (town.drinks, None, "饮料", "Drinks", (town.drinks,)),
        (town.tea, town.drinks, "茶", "Tea", (town.drinks, town.tea)),
    ]


def test_the_tree_is_four_deep(town: Town) -> None:
    """A fifth level and an unknown parent are refused, and nothing grows."""
    third = town.world.send(CreateCategory(name="三", parent_id=town.tea)).id
    fourth = town.world.send(CreateCategory(name="四", parent_id=third)).id
    before = town.everything()
    assert town.world.refusal(CreateCategory(name="五", parent_id=fourth)) == "category_too_deep"
    assert town.world.refusal(CreateCategory(name="五", parent_id=CategoryId("cat_0"))) == "category_not_found"
    assert town.everything() == before


def test_the_tree_has_an_end(town: Town) -> None:
    """Past the most categories there may be, one more is refused; the tree is whole JSON all along."""
    town.world.send_all([(CreateCategory(name=f"类{n}"), SYSTEM) for n in range(CATEGORIES_MAX - 2)])
    assert len(tree_of(town.world.ask(Categories()).items)) == CATEGORIES_MAX
    assert town.world.refusal(CreateCategory(name="多")) == "categories_full"


def test_a_category_takes_other_names(town: Town) -> None:
    """It keeps its place, its parent and its path, so do those below it; its goods are listed and shown as they were."""
    below = town.world.send(CreateCategory(name="绿茶", name_en="Green tea", parent_id=town.tea)).id
    goods = town.goods(variant("A"), category_id=below)
    shown = town.world.rows("SELECT * FROM card"), town.world.rows("SELECT * FROM goods_page")
    town.world.send(ChangeCategory(category_id=town.tea, name="茗", name_en="Fine tea"))
    tree = tree_of(town.world.ask(Categories()).items)
    assert [(one.id, one.parent_id, one.name, one.name_en, one.path_ids) for one in tree] == [
        (town.drinks, None, "饮料", "Drinks", (town.drinks,)),
        (town.tea, town.drinks, "茗", "Fine tea", (town.drinks, town.tea)),
        (below, town.tea, "绿茶", "Green tea", (town.drinks, town.tea, below)),
    ]
    assert (town.world.rows("SELECT * FROM card"), town.world.rows("SELECT * FROM goods_page")) == shown
    for category in (town.drinks, town.tea, below):
        assert ids(town.world.ask(GoodsInCategory(category_id=category))) == [goods.id]
    town.world.send(ChangeCategory(category_id=town.tea, name="茗"))
    last = town.world.send(CreateCategory(name="红茶", parent_id=town.tea)).id
    tree = tree_of(town.world.ask(Categories()).items)
    assert [(one.name, one.name_en) for one in tree] == [("饮料", "Drinks"), ("茗", ""), ("绿茶", "Green tea"), ("红茶", "")]
    assert tree[3].path_ids == (town.drinks, town.tea, last)
    assert len(town.world.rows("SELECT 1 FROM fact WHERE kind = 'CategoryChanged'")) == 2


def test_names_that_a_category_has_and_a_category_that_is_not_there_change_nothing(town: Town) -> None:
    """The first is harmless and told to nobody, the second is refused."""
    before = town.everything()
    town.world.send(ChangeCategory(category_id=town.tea, name="茶", name_en="Tea"))
    assert town.everything() == before
    assert town.world.refusal(ChangeCategory(category_id=CategoryId("cat_0"), name="无")) == "category_not_found"
    assert town.everything() == before


@pytest.mark.parametrize(
    "names", [{}, {"name": ""}, {"name": " "}, {"name": "茶\n"}, {"name": "茶" * 61}, {"name": "茶", "name_en": "T\x00"}, {"name": None}]
)
def test_a_category_is_never_without_a_name(names: dict[str, Any]) -> None:
    """Absent, blank, long, or with a control character: not taken at all."""
    with pytest.raises(ValidationError):
        convert({"category_id": "cat_1"} | names, ChangeCategory)
    assert convert({"category_id": "cat_1", "name": "茶" * 60}, ChangeCategory).name_en == ""


def test_the_names_that_came_last_stay_when_many_are_sent_at_once(town: Town) -> None:
    """In one batch with new categories: the tree and each category's own row say the same."""
    asks = [(ChangeCategory(category_id=town.tea, name=f"茶{n}"), SYSTEM) for n in range(10)]
    grown = [(CreateCategory(name=f"类{n}", parent_id=town.tea), SYSTEM) for n in range(10)]
    town.world.send_all([one for pair in zip(asks, grown, strict=True) for one in pair])
    tree = tree_of(town.world.ask(Categories()).items)
    assert [one.name for one in tree] == ["饮料", "茶9", *[f"类{n}" for n in range(10)]]
    rows = town.world.rows("SELECT body FROM category")
    assert {one.id: one for one in tree} == {one.id: one for one in tree_of(b"[" + b",".join(row[0] for row in rows) + b"]")}


def test_a_setting_says_how_many_lists_are_remembered(tmp_path: Path) -> None:
    """In MiB, for operators."""
    cloud = open_cloud(Settings(data=str(tmp_path), store=StoreSettings(lists_mib=3)))
    assert cloud.port(CatalogSettings).lists_remembered_bytes == 3 * 2**20
    asyncio.run(cloud.stop())


def test_lists_of_other_shops_are_remembered_when_a_card_changes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a market that sells, some card changes every second: only its own shop's lists, and those of all shops, are made anew."""
    for shop in (town.shop, town.other):
        town.goods(variant("A", 500), shop=shop)
    town.world.cloud.remember()
    made: list[str] = []
    cards = store.cards

    def counted(at: Any, *, id: str, **rest: Any) -> Any:
        made.append(id)
        return cards(at, id=id, **rest)

    monkeypatch.setattr(store, "cards", counted)

    def looked() -> list[str]:
        made.clear()
        for asked in (GoodsInShop(shop_id=town.shop.id), GoodsInShop(shop_id=town.other.id), NewestGoods()):
            town.world.run(_asked(town, asked))
        return [*made]

    assert looked() == [town.shop.id, town.other.id, ""]
    assert looked() == []
    town.goods(variant("B", 700), shop=town.shop)
    assert looked() == [town.shop.id, ""]


@pytest.mark.parametrize("room", [CatalogSettings().lists_remembered_bytes, 5_000, 0])
def test_what_is_remembered_of_lists_is_what_is_there(room: int, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """While goods come, go, come back, are repriced and sold; whether all first pages have room in memory, some, or none."""
    monkeypatch.setitem(town.world.cloud._ports, CatalogSettings, CatalogSettings(lists_remembered_bytes=room))
    town.world.cloud.remember()
    dice, kept = random.Random(room), [(shop, town.goods(variant("A", 500), shop=shop)) for shop in (town.shop, town.other)]
    for turn in range(25):
        shop, goods = dice.choice(kept)
        what = dice.randrange(4)
        if what == 0:
            kept.append((shop, town.goods(variant(f"S{turn}", dice.randint(1, 9) * 100), shop=shop)))
        elif what == 1:
            moved = dice.choice((WithdrawGoods, PublishGoods))(shop_id=shop.id, goods_id=goods.id)
            town.world.send_all([(moved, SYSTEM)])  # refused where it is so already
        elif what == 2:
            price, (priced,) = yuan(dice.randint(1, 9) * 100), goods.variant_ids
            town.world.send(SetPrice(shop_id=shop.id, goods_id=goods.id, variant_id=priced, price=price))
        else:
            town.world.send(CountSale(lines=(SaleLine(goods_id=goods.id, quantity=dice.randint(1, 3)),)))
            town.world.pass_time(SHOWN_EVERY_MS)
        _compare_lists(town)
        _compare_lists(town)


def _compare_lists(town: Town) -> None:
    """Every first page says what the rows of the cards do."""
    rows = town.world.rows("SELECT goods_id, shop_id, category1, listed_at, price_rank, sold, body FROM card")
    places = {Sort.NEWEST: (3, True), Sort.PRICE_UP: (4, False), Sort.PRICE_DOWN: (4, True), Sort.BEST_SOLD: (5, True)}
    for sort, (place, is_reverse) in places.items():
        ordered = sorted(rows, key=lambda row: (row[place], row[0]), reverse=is_reverse)
        lists: list[tuple[Any, list[Any]]] = [(NewestGoods(sort=sort, limit=3), ordered)]
        lists += [
            (GoodsInShop(shop_id=one.id, sort=sort, limit=3), [row for row in ordered if row[1] == one.id])
            for one in (town.shop, town.other)
        ]
        lists.append((GoodsInCategory(category_id=town.drinks, sort=sort, limit=3), [row for row in ordered if row[2] == town.drinks]))
        for asked, expected in lists:
            page = town.world.run(_asked(town, asked))
            assert bytes(page.items) == b"[" + b",".join([bytes(row[6]) for row in expected[:3]]) + b"]", asked
            assert (page.after is None) == (len(expected) <= 3)


async def _asked(town: Town, query: Query[CardList]) -> CardList:
    """As the edge asks, on the loop."""
    return town.world.cloud.ask(query)
