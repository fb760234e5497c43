"""What was told is read in one's own language, page by page, and stays read."""

from string import Formatter

import pytest

from support.stores import rows_of
from unit.notices.told import House
from yunduan.domains.catalog.commands import ChangeShop
from yunduan.domains.identity.commands import ChangeProfile
from yunduan.domains.identity.model import DAY_MS, Language
from yunduan.domains.identity.queries import ReachOf, WorkersOf
from yunduan.domains.notices.commands import ChooseWays, ReadNotices, SetQuietHours
from yunduan.domains.notices.model import KEPT_MS, NoticeKind, QuietHours, Way
from yunduan.domains.notices.queries import MyNotices, MyPreferences, NoticesAfter, ToldAfter
from yunduan.domains.notices.templates import TEMPLATES, said
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import MyOrders
from yunduan.kernel.actors import ANONYMOUS, SYSTEM
from yunduan.kernel.refusals import Refused
from yunduan.runtime.jobs import StartJob

GAPS = {
    "order": "1234 5678 9012",
    "goods": "{shop}",
    "choice": "（红）",
    "shop": "云茶",
    "amount": "19.99 CNY",
    "number": "4",
    "until": "3 December",
    "whose": "your wallet",
    "where": "the marketplace",
    "role": "packer",
    "contact": "phone number",
}


def test_every_kind_is_said_in_every_language() -> None:
    """With no gap that nobody fills, and what fills one is not read for gaps of its own."""
    assert set(TEMPLATES) == set(NoticeKind)
    for kind, languages in TEMPLATES.items():
        assert set(languages) == set(Language)
        gaps = [{name for _, name, _, _ in Formatter().parse(words.text) if name} for words in languages.values()]
        assert gaps[0] == gaps[1] <= set(GAPS), kind
        for language in Language:
            assert "{goods}" not in said(kind, language, GAPS).text
    assert said(NoticeKind.SALE_REVIEWED, Language.EN, GAPS).text == "云茶: {shop} was given 4 of 5 stars."


def test_it_is_read_in_the_language_of_whoever_reads_it_now(house: House) -> None:
    """The words are made at reading: nothing of them is stored."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    (line,) = house.world.ask(MyOrders(state=OrderState.SHIPPED), actor=buyer.actor).items
    number = f"{line.number[:4]} {line.number[4:8]} {line.number[8:]}"
    told = house.last(buyer.person)
    assert (told.title, told.text) == ("已发货", f"订单 {number}（龙井）已由云茶发出。")
    house.world.send(ChangeProfile(nickname="Mei", language=Language.EN), actor=buyer.actor)
    house.world.send(
        ChangeShop(
            shop_id=house.shop_id,
            name="云茶",
            name_en="Cloud Tea",
            about="",
            about_en="",
            picture="",
            template_id=house.market.shop.template_id,
        )
    )
    told = house.last(buyer.person)
    assert (told.title, told.text) == ("On its way", f"Cloud Tea has shipped order {number} (Longjing).")
    kept = [bytes(row[4]) for row in rows_of(house.world, "notice")]
    assert not any(word.encode() in body for body in kept for word in ("龙井", "云茶", "Longjing", line.number))


def test_pages_and_what_is_unread(house: House) -> None:
    """The latest first; reading marks everything up to a number, once and for all; more than there is, is refused."""
    buyer = house.buyer()
    for fen in (1000, 2000, 3000):
        house.market.top_up(buyer, fen)
    page = house.page(buyer.person, limit=2)
    assert ([it.number for it in page.items], page.after, page.unread, page.last) == ([3, 2], 2, 3, 3)
    page = house.page(buyer.person, limit=2, after=2)
    assert ([it.number for it in page.items], page.after) == ([1], None)
    assert house.world.send(ReadNotices(through=2), actor=buyer.actor).unread == 1
    assert house.world.send(ReadNotices(through=1), actor=buyer.actor).unread == 1
    assert [it.is_read for it in house.page(buyer.person).items] == [False, True, True]
    house.market.assert_refused("notice_not_found", ReadNotices(through=4), buyer.actor)
    stranger = house.market.buyer()
    assert house.page(stranger.person) == house.world.ask(MyNotices(), actor=ANONYMOUS)
    assert (house.page(stranger.person).last, house.page(stranger.person).items) == (0, ())
    house.market.assert_refused("notice_not_found", ReadNotices(through=1), stranger.actor)


def test_what_came_after_a_number(house: House) -> None:
    """In order, without a gap and without a double; of a number that is not there yet, nothing, and where to go on from."""
    buyer = house.buyer()
    for fen in (1000, 2000, 3000):
        house.market.top_up(buyer, fen)
    house.world.settle()

    def after(number: int | None, limit: int = 50) -> tuple[list[int], int]:
        new = house.world.ask(NoticesAfter(after=number, limit=limit), actor=buyer.actor)
        return [it.number for it in new.items], new.after

    assert [after(None), after(0), after(0, 2), after(2), after(3), after(99)] == [
        ([], 3),
        ([1, 2, 3], 3),
        ([1, 2], 2),
        ([3], 3),
        ([], 3),
        ([], 3),
    ]


def test_whoever_was_told_something_is_found_by_the_order_of_all_notices(house: House) -> None:
    """Which any process can read; for the cloud alone."""
    begin = house.world.ask(ToldAfter(), actor=SYSTEM)
    assert (begin.people, begin.through) == (frozenset(), 0)
    one, other = house.buyer(1000), house.buyer(2000)
    house.market.top_up(one, 3000)
    told = house.world.ask(ToldAfter(seq=0), actor=SYSTEM)
    assert (told.people, told.through) == ({one.person, other.person}, 3)
    assert house.world.ask(ToldAfter(seq=2), actor=SYSTEM) == (type(told)(frozenset({one.person}), 3))
    assert house.world.ask(ToldAfter(seq=3), actor=SYSTEM).through == 3
    for query in (
        ToldAfter(seq=0),
        ReachOf(person_ids=(one.person,)),
        WorkersOf(shop_id=house.shop_id),
    ):
        with pytest.raises(Refused, match="not_allowed"):
            house.world.ask(query, actor=one.actor)


def test_how_somebody_is_told_things(house: House) -> None:
    """What is usual, until somebody says otherwise; each kind for itself."""
    buyer = house.buyer()
    before = house.world.ask(MyPreferences(), actor=buyer.actor)
    assert {it.kind: it.ways for it in before.items}[NoticeKind.ORDER_SHIPPED] == (Way.IN_APP, Way.EMAIL)
    assert {it.kind: it.ways for it in before.items}[NoticeKind.SALE_PAID] == (Way.IN_APP,)
    assert (before.quiet, before.time_zone) == (QuietHours(begins="22:00", ends="08:00"), "Asia/Shanghai")
    house.world.send(ChooseWays(kind=NoticeKind.ORDER_SHIPPED, ways=(Way.SMS, Way.IN_APP, Way.SMS)), actor=buyer.actor)
    house.world.send(SetQuietHours(begins="23:30", ends="23:30"), actor=buyer.actor)
    after = house.world.ask(MyPreferences(), actor=buyer.actor)
    changed = [(was, now) for was, now in zip(before.items, after.items, strict=True) if was != now]
    assert [(now.kind, now.ways) for _, now in changed] == [(NoticeKind.ORDER_SHIPPED, (Way.IN_APP, Way.SMS))]
    assert after.quiet == QuietHours(begins="23:30", ends="23:30")


def test_notices_are_forgotten_after_half_a_year(house: House) -> None:
    """The numbers go on, and nobody has still to read what is not there any more."""
    buyer = house.buyer(1000)
    house.world.pass_time(DAY_MS)
    house.market.top_up(buyer, 2000)
    house.world.pass_time(KEPT_MS - DAY_MS + 1)
    house.world.send(StartJob(kind="forget_notices"))
    house.world.settle()
    assert house.told(buyer.person) == [(2, "wallet_topped_up")]
    assert house.page(buyer.person).unread == 1
    house.market.top_up(buyer, 3000)
    assert house.told(buyer.person) == [(2, "wallet_topped_up"), (3, "wallet_topped_up")]
    assert house.world.send(ReadNotices(through=2), actor=buyer.actor).unread == 1
    house.world.pass_time(KEPT_MS + 1)
    house.world.send(StartJob(kind="forget_notices"))
    house.world.settle()
    assert (house.page(buyer.person).unread, house.page(buyer.person).last, house.told(buyer.person)) == (0, 3, [])
