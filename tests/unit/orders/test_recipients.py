"""A shop finds orders by whom they go to, as long as their buyers' keys are there, and keeps nothing for that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.orders.market import Market
from yunduan.domains.identity.commands import AddAddress, ErasePerson
from yunduan.domains.identity.model import Postal
from yunduan.domains.orders.arranging import RedirectOrder
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import ShopOrdersTo, recipients
from yunduan.domains.orders.receiving import ConfirmReceipt


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """A market."""
    made = Market(tmp_path)
    yield made
    made.close()


def home(recipient: str, phone: str) -> AddAddress:
    """An address of somebody."""
    return AddAddress(address=Postal(recipient=recipient, phone=phone, country="CN", region="浙江", city="杭州", lines=("文一西路969号",)))


def found(market: Market, recipient: str, **more: Any) -> list[str]:
    """The orders that the shop finds, over all pages."""
    ids: list[str] = []
    asked: dict[str, Any] = {"shop_id": market.shop.id, "recipient": recipient, **more}
    while True:
        page = market.world.ask(ShopOrdersTo(**asked), actor=market.staff("packer"))
        ids += [line.id for line in page.items]
        if page.after is None:
            return ids
        asked["after"] = page.after


def test_an_order_is_found_by_a_name_or_the_end_of_a_telephone(market: Market) -> None:
    """As the address is now; by nothing shorter than four digits, and in the shop that it was bought of alone."""
    mei, goods = market.buyer(20_000), market.offer()
    mei.want(goods)
    (first,) = mei.buy().orders
    moved = market.world.send(home("Ann-Marie O'Neil", "+44 20 7946 0958"), actor=mei.actor)
    mei.want(goods)
    (second,) = mei.buy(address_id=moved.id).orders
    market.world.settle()
    for q in ("林美", "林", " 林 美 ", "7788", "88157788", "8815 7788", "７７８８"):
        assert found(market, q) == [first.id], q
    for q in ("ann", "annmarie", "O’NEIL", "oneil", "0958"):
        assert found(market, q) == [second.id], q
    for q in ("788", "0958x", "陈", "!!!", "5788", "%", "_", "''", "杭州"):
        assert found(market, q) == [], q
    assert market.world.ask(ShopOrdersTo(shop_id=market.other.id, recipient="林美"), actor=market.staff(shop=market.other.id)).items == ()
    market.world.send(RedirectOrder(order_id=first.id, address_id=moved.id), actor=mei.actor)
    assert found(market, "林美") == []
    assert found(market, "0958") == [second.id, first.id]


def test_pages_go_on_where_they_have_looked(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order once, in any state, however few are looked at for a page."""
    mei, wang, goods = market.buyer(100_000), market.buyer(100_000), market.offer()
    market.world.send(home("王力", "13800000001"), actor=wang.actor)
    orders = []
    for turn in range(7):
        buyer = wang if turn in (2, 3) else mei
        if buyer is wang:
            wang.address = market.world.send(home("王力", "13800000001"), actor=wang.actor).id
        buyer.want(goods)
        orders += [(buyer, order.id) for order in buyer.buy().orders]
    market.world.settle()
    market.ship(orders[2][1])
    market.world.settle()
    mine = [id for buyer, id in reversed(orders) if buyer is mei]
    for looked in (1, 2, 3, 200):
        monkeypatch.setattr(recipients, "LOOKED_MAX", looked)
        for limit in (1, 2, 50):
            assert found(market, "林美", limit=limit) == mine
            assert found(market, "王力", state=OrderState.SHIPPED, limit=limit) == [orders[2][1]]


def test_whoever_was_erased_is_found_no_more(market: Market) -> None:
    """There is nothing that would have to be forgotten: nowhere in the store does the name or the telephone stand."""
    mei = market.buyer(1_999 + 800)
    mei.want(market.offer())
    (order,) = mei.buy().orders
    market.world.settle()
    market.ship(order.id)
    market.world.send(ConfirmReceipt(order_id=order.id), actor=mei.actor)
    market.world.settle()
    assert found(market, "林美") == found(market, "7788") == [order.id]
    assert not market.holds("林美")
    market.world.send(ErasePerson(person_id=mei.person))
    market.world.settle()
    assert found(market, "林美") == found(market, "7788") == []
