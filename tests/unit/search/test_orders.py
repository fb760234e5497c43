"""Orders are found by their buyer and by their shop, by words and by numbers, and by nobody else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from support.stores import PostgresqlPlace
from unit.orders.casebook import Claim
from unit.orders.market import Buyer
from unit.search.bazaar import GOODS, Bazaar, ids
from unit.search.test_keeping import HOSTILE
from yunduan.backends.sqlite import SideFolder
from yunduan.cloud import open_indexers
from yunduan.domains.catalog.commands import ChangeShop
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.cases import CaseKind, CaseState
from yunduan.domains.orders.commands import CancelOrder
from yunduan.domains.orders.disputes import SendGoodsAgain
from yunduan.domains.orders.exchanging import SendReplacement
from yunduan.domains.orders.findable import SoldAs
from yunduan.domains.orders.model import OrderState, SoldItem, Terms
from yunduan.domains.orders.queries import MyOrders, OrderOf, ShopOrders
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.resending import SendAgain
from yunduan.domains.search import order_finding, order_indexing, store_orders
from yunduan.domains.search.indexing import Indexer
from yunduan.domains.search.store_orders import OrderIndex
from yunduan.edges.doctor import examine
from yunduan.edges.http.watching import Here
from yunduan.edges.index_keeper import LOOKS_EVERY_S, ORDERS_LOOK_EVERY_S, ORDERS_REST_AFTER_S, Turns
from yunduan.kernel.ids import OrderId
from yunduan.runtime.settings import SearchSettings, Settings

TEA, PUER, DRESS, CUP = [title for title, _, _ in GOODS]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def bazaar(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bazaar]:
    """A market whose orders are indexed whenever it settles, on each store."""
    if request.param == "sqlite":
        made = Bazaar(tmp_path)
        yield made
        made.market.close()
        return
    here = PostgresqlPlace(request.getfixturevalue("cluster"))
    made = Bazaar(tmp_path, here.open())
    yield made
    made.market.close()
    here.cluster.drop(here.schema)


@pytest.fixture
def mei(bazaar: Bazaar) -> Buyer:
    """A buyer with money."""
    return bazaar.market.buyer(100_000)


class Clock:
    """A clock that goes when it is told to."""

    s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.s


def seen_by_others(bazaar: Bazaar) -> int:
    """How many orders the index has for those who read it."""
    side = SideFolder(bazaar.folder, "orders").read(1)
    try:
        return OrderIndex(side).state().through
    finally:
        side.close()


def number(bazaar: Bazaar, buyer: Buyer, order_id: OrderId) -> str:
    """What an order is called."""
    return bazaar.world.ask(OrderOf(order_id=order_id), actor=buyer.actor).number


WORDS = (
    ("龙井", TEA), ("西湖 龙井", TEA), ("西湖龙井", TEA), ("longjing", TEA), ("xihu longjing", TEA), ("xhlj", TEA), ("Longjing TEA", TEA),
    ("longjng", TEA), ("普洱", PUER), ("puer", PUER), ("yunnan", PUER), ("连衣裙", DRESS), ("dresses", DRESS), ("夏季女士", DRESS),
    ("保温杯", CUP), ("vacum cup", CUP), ("500ml", CUP), ("CUP-500", CUP), ("dress m", DRESS), ("龙景", TEA),
)  # fmt: skip
NEEDS_AN_INDEX = ("longjing", "xihu longjing", "xhlj", "longjng", "puer", "vacum cup", "龙景", "夏季女士")


@pytest.mark.parametrize("settles", [True, False], ids=["indexed", "new"])
def test_an_order_is_found_by_the_words_of_what_was_bought(bazaar: Bazaar, mei: Buyer, *, settles: bool) -> None:
    """As goods are: in Chinese, English and pinyin, with a slip where there is an index to know the words by."""
    bought = {title: bazaar.buy(mei, bazaar.goods[title]) for title in (TEA, PUER, DRESS, CUP)}
    if settles:
        bazaar.world.settle()
    for q, title in WORDS:
        if settles or q not in NEEDS_AN_INDEX:
            assert ids(bazaar.mine(mei, q)) == [bought[title]], q
            assert ids(bazaar.shops(q)) == [bought[title]], q
    assert ids(bazaar.mine(mei, "茶 tea")) == [bought[PUER], bought[TEA]] or not settles
    for nothing in ("手表", "龙井 连衣裙", "zzzz", "!!!", "。"):
        assert bazaar.mine(mei, nothing).items == () == bazaar.shops(nothing).items


def test_what_was_bought_a_moment_ago_is_read_in_pinyin_where_there_is_an_index(bazaar: Bazaar, mei: Buyer) -> None:
    """Characters one by one, since the dictionaries are with whoever indexes."""
    bazaar.buy(mei, bazaar.goods[PUER])
    bazaar.world.settle()
    new = bazaar.buy(mei, bazaar.goods[TEA])
    for q in ("longjing", "xhlj", "mingqian", "西湖 tea", "teas"):
        assert ids(bazaar.mine(mei, q))[:1] == [new] == ids(bazaar.shops(q))[:1], q
    assert new not in ids(bazaar.mine(mei, "jing"))[1:]
    assert ids(bazaar.mine(mei, "ongjing")) == []


def test_a_buyer_finds_orders_by_what_their_shop_is_called_now(bazaar: Bazaar, mei: Buyer) -> None:
    """Alone, and beside words of what was bought; in pinyin too. To the shop its own name says nothing."""
    here, there = bazaar.buy(mei, bazaar.goods[CUP]), bazaar.buy(mei, bazaar.elsewhere)
    new: list[OrderId] = []
    for settles in (True, False):
        if settles:
            bazaar.world.settle()
        assert ids(bazaar.mine(mei, "别家")) == [*new, there]
        assert ids(bazaar.mine(mei, "云茶")) == [here]
        assert ids(bazaar.mine(mei, "别家 保温杯")) == [*new, there]
        assert ids(bazaar.mine(mei, "保温杯 yuncha")) == [here]
        assert ids(bazaar.mine(mei, "别家 连衣裙")) == []
        new.insert(0, bazaar.buy(mei, bazaar.elsewhere))
    assert bazaar.shops("云茶").items == ()
    other = bazaar.market.other
    bazaar.world.send(ChangeShop(shop_id=other.id, name="青山铺", name_en="Green Hill", template_id=other.template_id))
    assert ids(bazaar.mine(mei, "green hill")) == [*new, there]
    assert ids(bazaar.mine(mei, "别家")) == []


def test_an_order_is_found_by_its_number_or_the_last_digits_of_it(bazaar: Bazaar, mei: Buyer) -> None:
    """From four on, by its buyer and its shop; the whole of it at once, some of it as soon as it is indexed or still new."""
    orders = [bazaar.buy(mei, bazaar.goods[TEA]) for _ in range(3)]
    for settles in (False, True):
        if settles:
            bazaar.world.settle()
        for order in orders:
            whole = number(bazaar, mei, order)
            for q in (whole, whole[-4:], whole[-7:], f" {whole[:4]}-{whole[4:8]} {whole[8:]}"):
                assert ids(bazaar.mine(mei, q)) == [order] == ids(bazaar.shops(q)), q
            assert bazaar.mine(mei, whole[-3:]).items == ()
            wrong = whole[:-1] + str((int(whole[-1]) + 1) % 10)
            assert order not in ids(bazaar.mine(mei, wrong))


def test_an_order_is_found_by_the_number_of_its_parcel(bazaar: Bazaar, mei: Buyer) -> None:
    """Whole, in great letters or small, with hyphens or without; by staff who see where parcels go, and by nobody else."""
    order, other = bazaar.buy(mei, bazaar.goods[TEA]), bazaar.buy(mei, bazaar.goods[CUP])
    bazaar.world.settle()
    bazaar.ship(order, "SF-1234567890")
    bazaar.ship(other, "1234567890")
    assert bazaar.mine(mei, "SF1234567890").items == ()  # told in a moment
    bazaar.world.settle()
    for q in ("SF1234567890", "sf-1234567890", "SF 1234 567890"):
        assert ids(bazaar.mine(mei, q)) == [order] == ids(bazaar.shops(q)), q
    assert ids(bazaar.mine(mei, "1234567890")) == [other]
    assert bazaar.mine(mei, "SF123456789").items == ()
    assert bazaar.shops("SF1234567890", shop=bazaar.market.other.id).items == ()
    for role, sees in (("owner", True), ("manager", True), ("packer", True), ("service", True), ("finance", False)):
        assert ids(bazaar.shops("SF1234567890", actor=bazaar.market.staff(role))) == ([order] if sees else []), role
    assert ids(bazaar.shops("龙井", actor=bazaar.market.staff("finance"))) == [order]


def test_what_is_sent_again_is_found_by_both_of_its_numbers(bazaar: Bazaar, mei: Buyer) -> None:
    """The shop's word is enough that it came back, where no carrier can be asked."""
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.ship(order, "SF1234567890")
    bazaar.world.settle()
    again = SendAgain(shop_id=bazaar.market.shop.id, order_id=order, parcel=1, carrier="SF Express", tracking="SF0987654321")
    bazaar.world.send(again, actor=bazaar.market.staff("packer"))
    bazaar.world.settle()
    for q in ("SF1234567890", "SF0987654321"):
        assert ids(bazaar.mine(mei, q)) == [order] == ids(bazaar.shops(q)), q


@pytest.mark.parametrize(
    ("kind", "state", "sends"),
    [(CaseKind.EXCHANGE, CaseState.REPLACING, SendReplacement), (CaseKind.RETURN, CaseState.RESENDING, SendGoodsAgain)],
)
def test_what_leaves_in_a_case_is_found_by_its_parcel(
    kind: CaseKind, state: CaseState, sends: type[SendReplacement] | type[SendGoodsAgain], bazaar: Bazaar, mei: Buyer
) -> None:
    """From the moment on in which the shop has sent it; and by an index that is made afterwards."""
    claim = Claim(bazaar.market, mei, kind=kind).lead_to(state)
    bazaar.world.settle()
    sent = sends(**claim.shop, carrier="SF Express", tracking="OUT-1234567890")
    bazaar.world.send(sent, actor=bazaar.market.staff("packer"))
    bazaar.world.settle()
    assert ids(bazaar.mine(mei, "out1234567890")) == [claim.order] == ids(bazaar.shops("OUT-1234567890"))
    indexer = bazaar.indexer()
    indexer.rebuild()
    while indexer.step():
        pass
    indexer.close()
    assert ids(bazaar.mine(mei, "OUT1234567890")) == [claim.order]
    assert bazaar.shops("OUT1234567890", actor=bazaar.market.staff("finance")).items == ()


def test_an_erased_buyers_parcels_are_found_no_more(bazaar: Bazaar) -> None:
    """By their numbers, neither from the moment on in which the key is gone, nor by what is left in the index."""
    mei = bazaar.market.buyer(1_800)  # all of it is spent: nobody is erased who has money here
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.ship(order, "SF1234567890")
    bazaar.world.settle()
    assert ids(bazaar.shops("SF1234567890")) == [order]
    bazaar.world.send(ConfirmReceipt(order_id=order), actor=mei.actor)
    bazaar.world.send(ErasePerson(person_id=mei.person))
    bazaar.world.run(bazaar.world.cloud.following.run_once())
    assert left(bazaar) == 2
    assert bazaar.shops("SF1234567890").items == ()
    bazaar.world.settle()
    assert left(bazaar) == 0
    assert ids(bazaar.shops("龙井")) == [order]


def left(bazaar: Bazaar) -> int:
    """How many rows the index has of parcels."""
    side = SideFolder(bazaar.folder, "orders").read(1)
    ((rows,),) = side.rows("SELECT count(*) FROM parcel")
    side.close()
    return int(rows)


def test_nobody_finds_anybody_elses_orders(bazaar: Bazaar, mei: Buyer) -> None:
    """Whatever they ask for: words, numbers, parcels; new or indexed."""
    wang = bazaar.market.buyer(10_000)
    order = bazaar.buy(mei, bazaar.goods[TEA])
    own = bazaar.buy(wang, bazaar.elsewhere)
    for settles in (False, True):
        if settles:
            bazaar.ship(order, "SF1234567890")
            bazaar.world.settle()
        whole = number(bazaar, mei, order)
        for q in ("龙井", "longjing", "云茶", whole, whole[-4:], "SF1234567890", "TEA-250"):
            assert bazaar.mine(wang, q).items == (), q
            assert bazaar.shops(q, shop=bazaar.market.other.id).items == (), q
            assert bazaar.mine(wang, q, after=order).items == (), q
    assert ids(bazaar.mine(wang, "杯")) == [own]
    assert ids(bazaar.shops("杯", shop=bazaar.market.other.id)) == [own]


def test_whatever_an_index_says_an_order_is_shown_to_its_own(bazaar: Bazaar, mei: Buyer) -> None:
    """One of another store, say, until it is made anew."""
    wang = bazaar.market.buyer(10_000)
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.buy(wang, bazaar.goods[TEA])
    bazaar.world.settle()
    side = SideFolder(bazaar.folder, "orders").write(1)
    side.write("UPDATE bought SET place = 3 - place")
    side.close()
    assert bazaar.mine(mei, "龙井").items == () == bazaar.mine(wang, "龙井").items
    assert ids(bazaar.shops("龙井"))[1:] == [order]


def test_pages_follow_one_another_in_every_state(bazaar: Bazaar, mei: Buyer) -> None:
    """New orders and indexed ones together, in the order and with the items of the list, each once."""
    orders = []
    for turn in range(9):
        orders.append(bazaar.buy(mei, bazaar.goods[TEA], bazaar.goods[CUP]) if turn % 3 else bazaar.buy(mei, bazaar.goods[TEA]))
        if turn == 5:
            bazaar.world.settle()
    for order in orders[::2]:
        bazaar.world.send(CancelOrder(order_id=order), actor=mei.actor)
    for state in (None, OrderState.PAID, OrderState.CANCELLED):
        listed = bazaar.world.ask(MyOrders(state=state), actor=mei.actor).items
        for limit in (1, 2, 4, 50):
            for ask in (bazaar.mine, lambda _, q, **more: bazaar.shops(q, **more)):
                found, after = [], None
                while True:
                    page = ask(mei, "龙井", limit=limit, after=after, state=state)
                    assert page.is_whole
                    found += page.items
                    assert len(page.items) <= limit
                    after = page.after
                    if after is None:
                        break
                assert tuple(found) == listed
    bazaar.world.settle()
    states = bazaar.world.ask(ShopOrders(shop_id=bazaar.market.shop.id, state=OrderState.CANCELLED), actor=bazaar.market.staff()).items
    assert bazaar.shops("龙井", state=OrderState.CANCELLED, limit=50).items == states


def test_a_state_that_few_are_in_is_looked_for_a_part_at_a_time(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many orders are looked at for a page, which may be empty and goes on; none is left out, none comes twice."""
    monkeypatch.setattr(order_finding, "AT_ONCE", 2)
    orders = [bazaar.buy(mei, bazaar.goods[TEA]) for _ in range(9)]
    for order in orders[:3]:
        bazaar.world.send(CancelOrder(order_id=order), actor=mei.actor)
    for settles in (False, True):
        if settles:
            bazaar.world.settle()
        for most, pages in ((2, (4, 5)), (4, (2, 3)), (1_024, (1, 1))):
            monkeypatch.setattr(order_finding, "PLACES_MAX", most)
            found, after, asked = [], None, 0
            while asked == 0 or after:
                page = bazaar.mine(mei, "龙井", state=OrderState.CANCELLED, after=after, limit=50)
                found, after, asked = found + ids(page), page.after, asked + 1
            assert found == orders[2::-1]
            assert pages[0] <= asked <= pages[1]


def test_a_buyer_of_very_many_orders_finds_them_a_part_at_a_time(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are looked through for a page, which may be empty and goes on; none is left out, none comes twice."""
    orders = [bazaar.buy(mei, bazaar.goods[TEA if place % 3 == 0 else CUP]) for place in range(11)]
    bazaar.world.settle()
    for most, limit, pages in ((1, 50, 11), (2, 50, 6), (4, 1, 4), (4, 50, 3), (11, 50, 2), (12, 50, 1)):
        monkeypatch.setattr(order_finding, "ORDERS_MAX", most)
        found, after, asked = [], None, 0
        while asked == 0 or after:
            page = bazaar.mine(mei, "龙井", after=after, limit=limit)
            found, after, asked = found + ids(page), page.after, asked + 1
        assert found == [orders[place] for place in (9, 6, 3, 0)], most
        assert asked >= pages, most
        assert asked <= 12, most


def test_words_of_very_many_titles_do_not_wait_for_the_end(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written in the middle of a transaction is found after it as all else is, and counted once."""
    found = []
    for most in (1, 512):
        monkeypatch.setattr(store_orders, "_WAITING_MAX", most)
        orders = [bazaar.buy(mei, bazaar.goods[title]) for title in (TEA, PUER, DRESS, TEA)]
        bazaar.world.settle()
        assert ids(bazaar.mine(mei, "longjing"))[:2] == [orders[3], orders[0]]
        side = SideFolder(bazaar.folder, "orders").read(SideFolder(bazaar.folder, "orders").generation())
        found.append(side.rows("SELECT * FROM term"))
        side.close()
        side = SideFolder(bazaar.folder, "orders").write(SideFolder(bazaar.folder, "orders").generation())
        side.write("UPDATE state SET form = form + 1")
        side.close()
    assert found[0] == found[1]


def test_what_search_reads_of_an_order_is_the_beginning_of_it() -> None:
    """Rows are told apart by the places of their values: whoever moves one of them moves it in both."""
    read, whole = SoldAs.__struct_fields__, SoldItem.__struct_fields__
    assert read == whole[: len(read)]
    assert Terms.__struct_fields__[0] == "items"


def test_a_page_goes_on_from_any_id(bazaar: Bazaar, mei: Buyer) -> None:
    """One that no order has stands where it would."""
    orders = [bazaar.buy(mei, bazaar.goods[TEA]) for _ in range(3)]
    bazaar.world.settle()
    assert ids(bazaar.mine(mei, "龙井", after=OrderId("ord_zzzzzzzz"))) == orders[::-1]
    assert ids(bazaar.mine(mei, "龙井", after=OrderId("ord_0"))) == []
    assert ids(bazaar.mine(mei, "龙井", after=orders[1])) == orders[:1]


@pytest.mark.parametrize("q", [q for q in HOSTILE if len(q) <= 200], ids=lambda q: ascii(q)[:20])
def test_whatever_is_typed_is_answered(bazaar: Bazaar, mei: Buyer, q: str) -> None:
    """Syntax is text."""
    bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    bazaar.buy(mei, bazaar.elsewhere)
    bazaar.mine(mei, q)
    bazaar.shops(q)
    assert len(bazaar.mine(mei, "龙井").items) == 1


# The index


def files(folder: Path) -> list[str]:
    """The index's files."""
    return sorted(path.name for path in folder.glob("orders*") if not path.name.endswith(("-wal", "-shm", ".keeper", ".maker")))


def test_without_an_index_the_latest_are_looked_through(tmp_path: Path) -> None:
    """And whoever asks is told when that is not all."""
    bazaar = Bazaar(tmp_path, is_searched=False)
    mei = bazaar.market.buyer(100_000)
    order = bazaar.buy(mei, bazaar.goods[TEA])
    found = bazaar.mine(mei, "龙井")
    assert ids(found) == [order]
    assert found.is_whole
    bazaar.world.cloud.store.begin()
    bazaar.world.cloud.store.write("UPDATE order_count SET last = 5000")
    bazaar.world.cloud.store.lend()
    bazaar.world.cloud.store.commit()
    assert not bazaar.mine(mei, "龙井").is_whole
    bazaar.market.close()


def test_while_it_is_made_anew_the_one_before_is_read(bazaar: Bazaar, mei: Buyer) -> None:
    """One that was cut off is begun anew; what is bought, and what leaves, meanwhile is in it in the end."""
    orders = [bazaar.buy(mei, bazaar.goods[TEA]) for _ in range(7)]
    bazaar.ship(orders[0], "SF0000000001")
    bazaar.world.settle()
    assert files(bazaar.folder) == ["orders-1.sqlite", "orders.current"]
    anew = bazaar.indexer()
    anew.rebuild()
    assert anew.step()
    assert anew.walked() == (3, 7)
    assert ids(bazaar.mine(mei, "龙井")) == orders[::-1]
    anew.close()  # cut off
    anew = bazaar.indexer()
    anew.rebuild()
    anew.step()
    bazaar.ship(orders[1], "SF0000000002")
    orders.append(bazaar.buy(mei, bazaar.goods[TEA]))
    while anew.step():
        pass
    anew.close()
    assert files(bazaar.folder) == ["orders-2.sqlite", "orders.current"]
    assert ids(bazaar.mine(mei, "龙井")) == orders[::-1]
    for place in (0, 1):
        assert ids(bazaar.shops(f"SF000000000{place + 1}")) == [orders[place]]
    bazaar.ship(orders[2], "SF0000000003")
    bazaar.world.settle()  # the cloud's own keeper goes on with the new one
    assert ids(bazaar.shops("SF0000000003")) == [orders[2]]


def test_what_is_read_or_heard_twice_changes_nothing(bazaar: Bazaar, mei: Buyer) -> None:
    """After a crash the cursor may be where it was some steps ago."""
    order = bazaar.buy(mei, bazaar.goods[TEA], bazaar.goods[CUP])
    bazaar.ship(order, "SF0000000001")
    bazaar.world.settle()

    def everything() -> list[object]:
        side = SideFolder(bazaar.folder, "orders").read(1)
        found = [side.rows(f"SELECT * FROM {table}") for table in ("shop", "title", "sold", "bought", "tail", "parcel", "term", "state")]
        side.close()
        return found

    before = everything()
    side = SideFolder(bazaar.folder, "orders").write(1)
    side.write("UPDATE state SET through = 0, seq = 0")
    side.close()
    bazaar.world.settle()
    assert everything() == before


def test_parcels_do_not_wait_until_no_order_comes(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step reads some orders, and hears what was told, however many more there are."""
    monkeypatch.setattr(order_indexing, "COMMITS_AFTER", 1)
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    bazaar.ship(order, "SF0000000001")
    for _ in range(3):
        bazaar.buy(mei, bazaar.goods[CUP])
    indexer = bazaar.indexer(at_once=1)
    assert indexer.step()
    assert ids(bazaar.shops("SF0000000001")) == [order]
    assert indexer.step()
    indexer.close()


def test_orders_that_come_without_end_are_written_together(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several steps are one transaction; one that is cut off takes those before it along, and all are written anew."""
    bazaar.world.settle()
    bought = [bazaar.buy(mei, bazaar.goods[TEA]) for _ in range(4)]
    indexer = bazaar.indexer(at_once=1)
    assert indexer.step()
    assert indexer.step()
    assert indexer.walked() == (2, 4)
    assert seen_by_others(bazaar) == 0
    with monkeypatch.context() as broken:
        broken.setattr(OrderIndex, "keep_tails", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            indexer.step()
    assert indexer.walked() == (0, 4)
    while indexer.step():
        pass
    assert seen_by_others(bazaar) == 4
    assert ids(bazaar.mine(mei, "longjing")) == bought[::-1]
    indexer.close()


def test_a_step_that_is_cut_off_in_the_middle_leaves_what_was(bazaar: Bazaar, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that it gave out are given out anew."""
    bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    second = bazaar.buy(mei, bazaar.goods[PUER])
    indexer = bazaar.indexer()

    def cut_off(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("yunduan.domains.search.store_orders.OrderIndex.keep_parcels", cut_off)
        with pytest.raises(ZeroDivisionError):
            indexer.step()
    bazaar.buy(mei, bazaar.goods[DRESS])
    while indexer.step():
        pass
    indexer.close()
    assert ids(bazaar.mine(mei, "普洱")) == [second]
    assert len(bazaar.mine(mei, "云茶").items) == 3


def test_an_index_of_another_form_or_epoch_is_made_anew(bazaar: Bazaar, mei: Buyer) -> None:
    """And that of goods stays as it is."""
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    for place, change in enumerate(("form = form + 1", "epoch = epoch + 1", "seq = seq + 1000"), 1):
        side = SideFolder(bazaar.folder, "orders").write(place)
        side.write(f"UPDATE state SET {change}")
        side.close()
        bazaar.world.settle()
        assert files(bazaar.folder) == [f"orders-{place + 1}.sqlite", "orders.current"]
        assert ids(bazaar.mine(mei, "龙井")) == [order]
    assert (bazaar.folder / "search.current").read_text() == "1"


def test_the_keeper_makes_both_and_mends_what_is_spoilt(tmp_path: Path) -> None:
    """Orders have their turn when goods have nothing to do; a file that cannot be read is made anew after some tries."""
    bazaar = Bazaar(tmp_path)
    mei = bazaar.market.buyer(100_000)
    order = bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    bazaar.market.close()
    for spoilt in ("orders", "search"):
        (tmp_path / f"{spoilt}-1.sqlite").write_bytes(b"spoilt" * 4_000)
        for end in ("-wal", "-shm"):
            (tmp_path / f"{spoilt}-1.sqlite{end}").unlink(missing_ok=True)
    with open_indexers(Settings(data=str(tmp_path))) as indexers:
        clock = Clock()
        turns = Turns(indexers, pause_s=0, clock=clock)
        for _ in range(60):
            clock.s += turns.take()
    assert files(tmp_path) == ["orders-2.sqlite", "orders.current"]
    assert (tmp_path / "search.current").read_text() == "2"
    assert order


def test_orders_are_indexed_though_goods_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails again and again has its turns, and no more."""
    bazaar = Bazaar(tmp_path, is_searched=False)
    bazaar.buy(bazaar.market.buyer(10_000), bazaar.goods[TEA])
    bazaar.market.close()

    def fails(_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Indexer, "step", fails)
    monkeypatch.setattr(Indexer, "rebuild", fails)
    with open_indexers(Settings(data=str(tmp_path))) as indexers:
        clock = Clock()
        turns = Turns(indexers, pause_s=0, clock=clock)
        for _ in range(10):
            turns.take()
            clock.s += 0.1
    assert files(tmp_path) == ["orders-1.sqlite", "orders.current"]


def test_orders_of_a_moment_are_written_together(tmp_path: Path) -> None:
    """Whatever goods have to do meanwhile: one that comes right after others waits, and is not forgotten."""
    bazaar = Bazaar(tmp_path, is_searched=False)
    mei = bazaar.market.buyer(100_000)
    clock = Clock()
    with open_indexers(Settings(data=str(tmp_path))) as indexers:
        turns = Turns(indexers, pause_s=0, clock=clock)

        def settle() -> None:
            for _ in range(30):
                turns.take(is_poked=True)

        settle()
        for bought in (1, 2):
            bazaar.buy(mei, bazaar.goods[TEA])
            settle()
            assert indexers.orders.walked() == (bought - 1, bought)
            for passes in (ORDERS_REST_AFTER_S, ORDERS_LOOK_EVERY_S):
                clock.s += passes
                settle()
            assert indexers.orders.walked() == (bought, bought)
    bazaar.market.close()


def test_orders_have_turns_while_goods_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While people buy the making pauses now and then; else it takes all of the time, and is over the sooner."""
    bazaar = Bazaar(tmp_path, is_searched=False)
    bazaar.buy(bazaar.market.buyer(10_000), bazaar.goods[TEA])
    bazaar.market.close()
    clock = Clock()

    def makes(_: object) -> bool:
        clock.s += 0.03
        return True

    monkeypatch.setattr(Indexer, "step", makes)
    with open_indexers(Settings(data=str(tmp_path))) as indexers:
        turns = Turns(indexers, clock=clock)
        waits = [turns.take() for _ in range(200)]
        assert indexers.orders.walked() == (1, 1)
    assert waits[3] == pytest.approx(0.015)
    assert waits[-1] == 0.0


def test_goods_rest_as_long_as_they_should_though_orders_have_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the disk is done after a second without goods, not whenever somebody has looked for orders."""
    bazaar = Bazaar(tmp_path)
    bazaar.market.close()
    clock, rests = Clock(), list[float]()
    monkeypatch.setattr(Indexer, "rest", lambda _: rests.append(clock.s))
    with open_indexers(Settings(data=str(tmp_path))) as indexers:
        turns = Turns(indexers, clock=clock)
        while clock.s < 5:
            clock.s += max(turns.take(), 0.001)
    assert all(later - before >= LOOKS_EVERY_S for before, later in pairwise(rests))
    assert 4 <= len(rests) <= 5


@pytest.mark.slow
def test_a_process_of_its_own_keeps_it(tmp_path: Path) -> None:
    """What is bought, and what leaves, is in the index a moment later, though nobody tells it so."""
    bazaar = Bazaar(tmp_path, is_searched=False)
    mei = bazaar.market.buyer(10_000)
    settings = Settings(data=str(tmp_path), search=SearchSettings(keeper="process"))
    keeper = subprocess.Popen([sys.executable, "-m", "yunduan.edges.index_keeper"], stdin=subprocess.PIPE, env=dict(os.environ))
    assert keeper.stdin is not None
    keeper.stdin.write(msgspec.json.encode(settings) + b"\n")
    keeper.stdin.flush()
    for turn in range(2):
        order = bazaar.buy(mei, bazaar.goods[TEA])
        bazaar.ship(order, f"SF000{turn}")
        for _ in range(600):
            if ids(bazaar.shops(f"SF000{turn}")) == [order]:
                break
            time.sleep(0.05)
        assert ids(bazaar.shops(f"SF000{turn}")) == [order]
    assert len(ids(bazaar.mine(mei, "xihu longjing"))) == 2
    keeper.stdin.close()
    assert keeper.wait(20) == 0
    bazaar.market.close()


def test_operators_are_told_how_far_the_index_of_orders_is(bazaar: Bazaar, mei: Buyer) -> None:
    """By the same figures as of goods, and by the doctor."""

    def figures() -> dict[str, float]:
        text = bazaar.world.run(Here(bazaar.world.cloud).metrics([], 0)).decode()
        lines = [line.split() for line in text.splitlines() if line.startswith("yunduan_order_search_")]
        return {name.removeprefix("yunduan_order_search_"): float(value) for name, value in lines}

    bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.settle()
    first = figures()
    assert (first["generation"], first["documents"], first["behind_facts"], first["behind_seconds"], first["kept"]) == (1, 1, 0, 0, 1)
    bazaar.buy(mei, bazaar.goods[TEA])
    bazaar.world.clock.advance_to(bazaar.world.clock.wall_ms() + 5_000)
    assert figures()["behind_facts"] > 1
    assert figures()["behind_seconds"] == 5
    bazaar.world.settle()
    assert figures() == first | {"documents": 2}


def test_the_doctor_says_how_the_index_of_orders_is(tmp_path: Path) -> None:
    """In its own words, with how it is made anew."""

    def said() -> tuple[str, str]:
        (found,) = [each for each in examine(Settings(data=str(tmp_path))) if each.what == "search of orders"]
        return found.found, found.advice

    made = Bazaar(tmp_path)
    made.buy(made.market.buyer(100_000), made.goods[TEA])
    made.world.settle()
    assert said()[0] == "1 orders in generation 1"
    made.market.close()
    for path in tmp_path.glob("orders-1.sqlite-*"):
        path.unlink()
    (tmp_path / "orders-1.sqlite").write_bytes(b"spoilt" * 4_000)
    assert said()[0].startswith("the index cannot be read")
    assert said()[1] == "`yunduan search rebuild-orders`"
