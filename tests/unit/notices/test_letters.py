"""Letters: one for each cause and way, to the contact of the day, patiently, and never at night."""

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from unit.notices.told import House
from unit.orders.market import Buyer, yuan
from yunduan.domains.catalog.commands import SuspendShop
from yunduan.domains.identity.commands import AppointOwner, ErasePerson, RegisterPerson
from yunduan.domains.identity.model import DAY_MS, HOUR_MS
from yunduan.domains.notices.commands import ChooseWays, NoteCarried, SetQuietHours
from yunduan.domains.notices.couriers import NoticeCouriers
from yunduan.domains.notices.model import RETRY_MS, NoticeKind, NoticeLetter, QuietHours, Way, after_quiet
from yunduan.domains.notices.queries import NextLetter, NoticeLettersDue
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import NoticeLetterId
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime.jobs import StartJob

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Carrier:
    """Takes what it is given, unless it is told to fail or to dawdle."""

    def __init__(self) -> None:
        """Take everything."""
        self.taken: list[NoticeLetter] = []
        self.fails = 0
        self.dawdles = False

    async def send(self, letter: NoticeLetter) -> None:
        """Take a letter."""
        if self.dawdles:
            await asyncio.sleep(60)
        if self.fails:
            self.fails -= 1
            raise OSError(f"no line to {letter.contact}")
        self.taken.append(letter)


def shipped(house: House) -> Buyer:
    """Somebody with a phone and an e-mail address, to whom something was shipped, at noon and without a courier's having come."""
    buyer = house.buyer(2799)
    house.world.send(ChooseWays(kind=NoticeKind.ORDER_SHIPPED, ways=tuple(Way)), actor=buyer.actor)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    return buyer


def hear(house: House) -> None:
    """Let followers hear, and nobody carry."""

    async def heard() -> None:
        while await house.world.cloud.following.run_once():
            pass

    house.world.run(heard())


def at(house: House, clock: str) -> None:
    """Go on to a time of the day in Shanghai."""
    now = datetime.fromtimestamp(house.world.clock.wall_ms() / 1000, UTC).astimezone(SHANGHAI)
    hours, minutes = clock.split(":")
    then = now.replace(hour=int(hours), minute=int(minutes), second=0, microsecond=0)
    ahead = round((then - now).total_seconds() * 1000) % DAY_MS
    house.world.pass_time(ahead)


def carry(house: House, couriers: NoticeCouriers) -> int:
    """Let the couriers go once."""
    return house.world.run(couriers.run_once())


def test_each_cause_is_written_once_by_each_way(house: House) -> None:
    """To whoever has such a contact: this buyer has a phone and no e-mail address."""
    at(house, "12:00")
    shipped(house)
    hear(house)
    carrier = Carrier()
    couriers = NoticeCouriers(house.world.cloud, {Way.EMAIL: carrier, Way.SMS: carrier})
    assert (carry(house, couriers), carry(house, couriers)) == (1, 0)
    (letter,) = carrier.taken
    assert (letter.way, letter.contact, letter.title, letter.text[:3]) == (Way.SMS, "+8613800000001", "已发货", "订单 ")
    assert (couriers.sent, couriers.failed) == (1, 0)
    assert house.letters() == [("sms", "+8613800000001", "已发货")]
    assert not house.market.holds("已发货")


def test_what_is_written_about_by_itself_goes_by_e_mail(house: House) -> None:
    """To whoever has an address; the development mailbox has it by default."""
    at(house, "12:00")
    owner = house.world.send(RegisterPerson(email="mei@example.com")).person_id
    house.world.send(AppointOwner(shop_id=house.shop_id, person_id=owner))
    house.world.send(SuspendShop(shop_id=house.shop_id, reason="资质过期"))
    house.world.settle()
    assert house.letters() == [("email", "mei@example.com", title) for title in ("您有了新角色", "店铺已被暂停")]
    assert house.world.rows("SELECT state FROM notice_letter") == [("sent",)] * 2


def test_what_falls_into_the_night_leaves_in_the_morning(house: House) -> None:
    """Not lost, and not a minute early; the notice in the app is there at once."""
    at(house, "23:15")
    buyer = shipped(house)
    house.world.settle()
    assert house.last(buyer.person).kind is NoticeKind.ORDER_SHIPPED
    assert house.world.rows("SELECT state FROM notice_letter") == [("waiting",)]
    due = house.world.ask(NextLetter(), actor=SYSTEM)
    assert due is not None
    assert datetime.fromtimestamp(due / 1000, SHANGHAI).strftime("%H:%M") == "08:00"
    house.world.pass_time(due - house.world.clock.wall_ms() - 1)
    assert house.world.rows("SELECT state FROM notice_letter") == [("waiting",)]
    house.world.pass_time(1)
    assert house.world.rows("SELECT state FROM notice_letter") == [("sent",)]


def test_whoever_has_no_quiet_hours_is_written_to_at_night(house: House) -> None:
    """When both times are the same there are none."""
    at(house, "23:15")
    buyer = house.buyer(2799)
    house.world.send(SetQuietHours(begins="00:00", ends="00:00"), actor=buyer.actor)
    house.world.send(ChooseWays(kind=NoticeKind.WALLET_TOPPED_UP, ways=(Way.SMS,)), actor=buyer.actor)
    house.market.top_up(buyer, 1000)
    house.world.settle()
    assert house.letters() == [("sms", "+8613800000001", "充值成功")]
    assert house.kinds(buyer.person) == ["wallet_topped_up"]


def test_a_letter_that_is_not_taken_is_tried_again_and_then_given_up(house: House) -> None:
    """For over fifteen hours, and never at night."""
    at(house, "10:00")
    buyer = shipped(house)
    house.world.send(SetQuietHours(begins="00:00", ends="00:00"), actor=buyer.actor)
    hear(house)
    carrier = Carrier()
    carrier.fails = 100
    couriers = NoticeCouriers(house.world.cloud, {Way.SMS: carrier})
    for wait in RETRY_MS:
        assert carry(house, couriers) == 1
        house.world.clock.advance(wait - 1)
        assert carry(house, couriers) == 0
        house.world.clock.advance(1)
    assert carry(house, couriers) == 1
    assert house.world.rows("SELECT state, tries FROM notice_letter") == [("given_up", len(RETRY_MS))]
    assert (carry(house, couriers), couriers.failed) == (0, len(RETRY_MS) + 1)


def test_a_second_try_waits_for_the_morning_too(house: House) -> None:
    """Half an hour before midnight is not a time to ring."""
    at(house, "21:59")
    shipped(house)
    hear(house)
    carrier = Carrier()
    carrier.fails = 2
    couriers = NoticeCouriers(house.world.cloud, {Way.SMS: carrier})
    assert carry(house, couriers) == 1
    house.world.clock.advance(RETRY_MS[0])
    assert carry(house, couriers) == 1
    due = house.world.ask(NextLetter(), actor=SYSTEM)
    assert due == house.world.clock.wall_ms() + RETRY_MS[1]
    house.world.clock.advance(RETRY_MS[1])
    carrier.fails = 1
    assert carry(house, couriers) == 1
    due = house.world.ask(NextLetter(), actor=SYSTEM)
    assert due is not None
    assert datetime.fromtimestamp(due / 1000, SHANGHAI).strftime("%H:%M") == "08:00"


def test_a_carrier_that_never_answers_is_not_waited_for(house: House) -> None:
    """It is tried again."""
    at(house, "12:00")
    shipped(house)
    hear(house)
    carrier = Carrier()
    carrier.dawdles = True
    assert carry(house, NoticeCouriers(house.world.cloud, {Way.SMS: carrier}, patience_s=0.01)) == 1
    assert house.world.rows("SELECT state, tries FROM notice_letter") == [("waiting", 1)]


def test_what_was_taken_and_could_not_be_noted_is_not_carried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted again."""
    at(house, "12:00")
    shipped(house)
    hear(house)
    carrier = Carrier()
    couriers = NoticeCouriers(house.world.cloud, {Way.SMS: carrier})
    with monkeypatch.context() as patch:

        async def fails(*_: object, **__: object) -> None:
            raise FaultError("no disk")

        patch.setattr(house.world.cloud, "send", fails)
        assert carry(house, couriers) == 1
    assert carry(house, couriers) == 1
    assert len(carrier.taken) == 1
    assert house.world.rows("SELECT state FROM notice_letter") == [("sent",)]


def test_nobody_is_written_to_who_cannot_be_reached_any_more(house: House) -> None:
    """A letter whose person has no such contact today is given up, and stays away from carriers."""
    at(house, "23:15")
    buyer = house.buyer()
    house.world.send(ChooseWays(kind=NoticeKind.TOP_UP_FAILED, ways=(Way.SMS,)), actor=buyer.actor)
    started = house.world.send(TopUpWallet(amount=yuan(100), channel="sandbox"), actor=buyer.actor)
    house.market.decide(started.redirects[0].url, approve=False)
    house.world.clock.advance(12 * HOUR_MS)
    house.world.send(ErasePerson(person_id=buyer.person))
    carrier = Carrier()
    assert carry(house, NoticeCouriers(house.world.cloud, {Way.SMS: carrier})) == 1
    assert carrier.taken == []
    assert house.world.rows("SELECT state FROM notice_letter") == [("given_up",)]


def test_what_became_of_a_letter_only_the_cloud_says(house: House) -> None:
    """And only once."""
    at(house, "23:15")
    buyer = shipped(house)
    hear(house)
    ((id,),) = house.world.rows("SELECT id FROM notice_letter")
    house.market.assert_refused("not_allowed", NoteCarried(letter_id=id, outcome="sent"), buyer.actor)
    for query in (NoticeLettersDue(), NextLetter()):
        with pytest.raises(Refused, match="not_allowed"):
            house.world.ask(query, actor=Actor(person=buyer.person))
    house.world.send(NoteCarried(letter_id=id, outcome="unreachable"))
    house.world.send(NoteCarried(letter_id=id, outcome="sent"))
    house.world.send(NoteCarried(letter_id=NoticeLetterId("ntl_0"), outcome="sent"))
    assert house.world.rows("SELECT state FROM notice_letter") == [("given_up",)]


def test_a_letter_that_could_not_leave_for_two_days_is_stale(house: House) -> None:
    """The cloud was away: what it would say is old, and is forgotten after a month."""
    at(house, "23:15")
    shipped(house)
    hear(house)
    house.world.clock.advance(2 * DAY_MS)
    assert house.world.ask(NoticeLettersDue(), actor=SYSTEM) == ()
    house.world.clock.advance(29 * DAY_MS)
    house.world.send(StartJob(kind="forget_notices"))
    house.world.settle()
    assert house.world.rows("SELECT state FROM notice_letter") == []


@pytest.mark.parametrize(
    ("zone", "clock", "quiet", "leaves"),
    [
        ("Asia/Shanghai", "2026-11-28T21:59", ("22:00", "08:00"), "2026-11-28T21:59"),
        ("Asia/Shanghai", "2026-11-28T22:00", ("22:00", "08:00"), "2026-11-29T08:00"),
        ("Asia/Shanghai", "2026-11-28T07:59", ("22:00", "08:00"), "2026-11-28T08:00"),
        ("Asia/Shanghai", "2026-11-28T08:00", ("22:00", "08:00"), "2026-11-28T08:00"),
        ("Asia/Shanghai", "2026-11-28T13:00", ("12:30", "14:00"), "2026-11-28T14:00"),
        ("Asia/Shanghai", "2026-11-28T12:29", ("12:30", "14:00"), "2026-11-28T12:29"),
        ("Europe/Berlin", "2026-03-28T23:00", ("22:00", "02:30"), "2026-03-29T03:30"),  # 02:30 does not come on that night
        ("Europe/Berlin", "2026-10-24T23:00", ("22:00", "08:00"), "2026-10-25T08:00"),
        ("America/New_York", "2026-11-28T03:00", ("00:00", "00:00"), "2026-11-28T03:00"),
    ],
)
def test_when_a_letter_leaves(zone: str, clock: str, quiet: tuple[str, str], leaves: str) -> None:
    """By the clock on the wall of the market, also when it is set forward or back that night."""
    here = ZoneInfo(zone)
    now = round(datetime.fromisoformat(clock).replace(tzinfo=here).timestamp() * 1000)
    after = after_quiet(now, QuietHours(begins=quiet[0], ends=quiet[1]), here)
    assert datetime.fromtimestamp(after / 1000, here).strftime("%Y-%m-%dT%H:%M") == leaves
    assert after >= now


def test_the_pauses_end_before_a_letter_is_stale() -> None:
    """All of them together, and a night."""
    assert sum(RETRY_MS) + 10 * HOUR_MS < 2 * DAY_MS
    assert sum(RETRY_MS) > 15 * HOUR_MS
