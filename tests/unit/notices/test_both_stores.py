"""What is told, read, written about and forgotten, on every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import Place, place
from unit.notices.told import House
from unit.orders.market import Market
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.notices.commands import ChooseWays, ReadNotices, SetQuietHours
from yunduan.domains.notices.model import KEPT_MS, NoticeKind, Way
from yunduan.domains.notices.queries import NoticesAfter, ToldAfter
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.jobs import StartJob

__all__ = ["place"]


@pytest.fixture
def house(place: Place, tmp_path: Path) -> Iterator[House]:
    """The same on each store."""
    market = Market(tmp_path, place.open())
    yield House(market)
    market.close()


def test_from_the_first_notice_to_the_last(house: House) -> None:
    """Numbers, pages, marks, letters, what follows; then time and an erasure take all of it."""
    buyer = house.buyer()
    house.world.send(SetQuietHours(begins="00:00", ends="00:00"), actor=buyer.actor)
    house.world.send(ChooseWays(kind=NoticeKind.WALLET_TOPPED_UP, ways=tuple(Way)), actor=buyer.actor)
    for fen in (1000, 2000, 3000):
        house.market.top_up(buyer, fen)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    assert house.told(buyer.person) == [*((number, "wallet_topped_up") for number in (1, 2, 3)), (4, "order_shipped")]
    assert house.letters() == [("sms", "+8613800000001", "充值成功")] * 3
    assert house.world.rows("SELECT DISTINCT state FROM notice_letter") == [("sent",)]
    assert house.world.send(ReadNotices(through=3), actor=buyer.actor).unread == 1
    page = house.page(buyer.person, limit=2, after=4)
    assert ([(it.number, it.is_read) for it in page.items], page.after, page.unread) == ([(3, True), (2, True)], 2, 1)
    assert [it.number for it in house.world.ask(NoticesAfter(after=2), actor=buyer.actor).items] == [3, 4]
    told = house.world.ask(ToldAfter(seq=3), actor=SYSTEM)
    assert (buyer.person in told.people, told.through) == (True, house.world.rows("SELECT last FROM notice_count")[0][0])
    house.market.assert_refused("notice_not_found", ReadNotices(through=5), buyer.actor)
    gone = house.market.buyer()
    house.bought(gone, by_channel=True)
    house.world.pass_time(KEPT_MS)
    assert house.kinds(gone.person) == ["order_lapsed"]
    house.world.send(ErasePerson(person_id=gone.person))
    house.world.pass_time(KEPT_MS)
    house.world.send(StartJob(kind="forget_notices"))
    house.world.settle()
    assert [house.world.rows(f"SELECT count(*) FROM {table}") for table in ("notice", "notice_letter")] == [[(0,)], [(0,)]]
