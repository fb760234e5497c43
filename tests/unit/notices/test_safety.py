"""What may mean that somebody else is in the account is always told: at once, at any hour, and nobody can choose otherwise."""

from datetime import UTC, datetime

import pytest

from unit.notices.told import House
from unit.orders.market import Buyer
from yunduan.domains.catalog.commands import SetHoliday
from yunduan.domains.identity.commands import (
    ConfirmContact,
    GrantRole,
    GrantShopRole,
    OpenSession,
    RegisterPerson,
    RequestCode,
    RequestContactCode,
    RevokeOtherSessions,
    RevokeSession,
    SignOut,
    WithdrawShopRole,
)
from yunduan.domains.identity.model import DAY_MS, HOUR_MS, OperatorRole, ShopRole
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.notices.commands import ChooseWays, SetQuietHours
from yunduan.domains.notices.model import SAFETY, USUAL_WAYS, NoticeKind, Way
from yunduan.domains.notices.queries import MyPreferences
from yunduan.kernel.actors import Actor

PHONE = "+8613812345678"
LAPTOP, TABLET = "l" * 32, "t" * 32


def signed_in(house: House, device: str = "", contact: str = PHONE) -> Actor:
    """Somebody signs in with a code an hour later, on a device that names itself by a secret, or does not."""
    house.world.pass_time(HOUR_MS)
    challenge = house.world.send(RequestCode(contact=contact, device=device)).id
    opened = house.world.send(OpenSession(challenge_id=challenge, code=code_of(house, challenge)))
    assert opened.session_id
    house.world.settle()
    return Actor(person=opened.person_id, session=opened.session_id)


def code_of(house: House, challenge: str) -> str:
    """The code in the development mailbox."""
    return next(letter.code for letter in house.world.ask(Mailbox()).items if letter.id == challenge)


def test_a_sign_in_on_a_device_that_was_not_known_is_told(house: House) -> None:
    """Not the first of all, nor again on the same device; a device that does not say who it is is never known."""
    mei = signed_in(house, LAPTOP)
    signed_in(house, LAPTOP)
    assert house.kinds(mei.person) == []
    signed_in(house, TABLET)
    signed_in(house, TABLET)
    assert house.kinds(mei.person) == ["device_signed_in"]
    signed_in(house)
    signed_in(house)
    assert house.kinds(mei.person) == ["device_signed_in"] * 3
    assert "请立即" in house.last(mei.person).text


def test_a_device_that_another_one_signs_out_is_told_and_its_own_sign_out_is_not(house: House) -> None:
    """All others at once are one cause; none of them, none."""
    phone, laptop = signed_in(house, LAPTOP), signed_in(house, LAPTOP)
    house.world.send(RevokeOtherSessions(), actor=phone)
    assert house.kinds(phone.person) == ["devices_signed_out"]
    assert house.last(phone.person).about.number == 1
    house.market.assert_refused("session_not_found", RevokeSession(session_id=laptop.session), phone)
    house.world.send(RevokeOtherSessions(), actor=phone)
    laptop = signed_in(house, LAPTOP)
    house.world.send(RevokeSession(session_id=laptop.session), actor=phone)
    assert house.kinds(phone.person) == ["devices_signed_out", "device_signed_out"]
    laptop = signed_in(house, LAPTOP)
    house.world.send(SignOut(), actor=laptop)
    house.world.send(RevokeSession(session_id=phone.session), actor=phone)
    assert house.kinds(phone.person) == ["devices_signed_out", "device_signed_out"]


def test_another_contact_is_told_in_the_app_as_identity_writes_to_those_that_were_there(house: House) -> None:
    """Other devices are signed out with it: that is the same cause."""
    _, mei = signed_in(house, LAPTOP), signed_in(house, LAPTOP)
    challenge = house.world.send(RequestContactCode(contact="mei@example.com"), actor=mei).id
    house.world.send(ConfirmContact(challenge_id=challenge, code=code_of(house, challenge)), actor=mei)
    assert house.kinds(mei.person) == ["contact_confirmed"]
    assert "邮箱" in house.last(mei.person).text
    assert house.letters() == []


def test_roles_are_told_to_whoever_has_or_had_them(house: House) -> None:
    """By whom it was done does not matter, unless it was themselves; the owner of a new shop is told of the shop."""
    mei = house.world.send(RegisterPerson(phone=PHONE)).person_id
    house.world.send(GrantShopRole(shop_id=house.shop_id, person_id=mei, role=ShopRole.PACKER))
    house.world.send(GrantRole(person_id=mei, role=OperatorRole.RISK))
    assert [it.text for it in reversed(house.page(mei).items)] == ["您已成为云茶的打包员。", "您已成为平台的风控。"]
    house.world.send(WithdrawShopRole(shop_id=house.shop_id, person_id=mei, role=ShopRole.PACKER))
    assert house.last(mei).text == "您不再是云茶的打包员。"
    house.world.send(GrantShopRole(shop_id=house.shop_id, person_id=mei, role=ShopRole.PACKER))
    house.world.send(WithdrawShopRole(shop_id=house.shop_id, person_id=mei, role=ShopRole.PACKER), actor=Actor(person=mei))
    assert house.kinds(mei) == ["role_given", "role_given", "role_taken", "role_given"]
    assert house.kinds(house.market.owner) == []


@pytest.mark.parametrize("kind", sorted(SAFETY))
def test_it_cannot_be_switched_off(house: House, kind: NoticeKind) -> None:
    """Nothing has changed then; other ways are added to it, and taken away again."""
    buyer = house.buyer()
    usual = USUAL_WAYS[kind]
    before = house.world.ask(MyPreferences(), actor=buyer.actor)
    for ways in ((), (Way.SMS,), usual[1:]):
        house.market.assert_refused("notice_always_told", ChooseWays(kind=kind, ways=ways), buyer.actor)
    assert house.world.ask(MyPreferences(), actor=buyer.actor) == before
    for ways in (tuple(Way), usual):
        house.world.send(ChooseWays(kind=kind, ways=ways), actor=buyer.actor)
        (chosen,) = (it for it in house.world.ask(MyPreferences(), actor=buyer.actor).items if it.kind is kind)
        assert (chosen.ways, chosen.always) == (ways, usual)


def test_what_is_not_of_safety_has_no_way_that_is_fixed(house: House) -> None:
    """Everything else is chosen freely."""
    kinds = house.world.ask(MyPreferences(), actor=house.buyer().actor).items
    assert {it.kind for it in kinds if it.always} == SAFETY
    house.world.send(ChooseWays(kind=NoticeKind.ORDER_SHIPPED, ways=()), actor=house.buyer().actor)


def test_the_letter_leaves_in_quiet_hours_and_by_text_message_to_whoever_has_no_e_mail(house: House) -> None:
    """A thief could set the hours; other letters wait for the morning."""
    mei = signed_in(house, LAPTOP)
    now = datetime.fromtimestamp(house.world.clock.wall_ms() / 1000, UTC)
    house.world.pass_time(DAY_MS - (now.hour * 3600 + now.minute * 60) * 1000)  # 8:00 in the market
    house.world.send(SetQuietHours(begins="07:00", ends="06:59"), actor=mei)
    signed_in(house, TABLET)
    assert house.letters() == [("sms", PHONE, "新设备登录")]
    assert house.world.rows("SELECT state FROM notice_letter") == [("sent",)]
    house.world.send(ChooseWays(kind=NoticeKind.DEVICE_SIGNED_IN, ways=tuple(Way)), actor=mei)
    signed_in(house)
    assert house.letters() == [("sms", PHONE, "新设备登录")] * 2


def test_of_whoever_waits_for_a_shop_on_holiday_each_is_told_of_each_order(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page; not of what has left, nor by another shop's holiday, nor when it has ended before."""
    monkeypatch.setattr("yunduan.domains.orders.waiting.AT_ONCE", 2)
    buyers: list[Buyer] = [house.buyer(10_000) for _ in range(5)]
    orders = [house.bought(buyer)[0] for buyer in buyers]
    second, _ = house.bought(buyers[0])
    house.market.ship(orders[4])
    house.world.settle()
    back_at = house.world.clock.wall_ms() + 3 * DAY_MS
    house.world.send(SetHoliday(shop_id=house.market.other.id, back_at=back_at))
    house.world.pass_time(1)
    assert all("order_waits" not in house.kinds(buyer.person) for buyer in buyers)
    for _ in range(2):
        house.world.send(SetHoliday(shop_id=house.shop_id, back_at=back_at))
        house.world.pass_time(1)
    told = [[it.about.order_id for it in house.page(buyer.person).items if it.kind is NoticeKind.ORDER_WAITS] for buyer in buyers]
    assert told == [[orders[0], second], [orders[1]], [orders[2]], [orders[3]], []]
    house.world.send(SetHoliday(shop_id=house.shop_id, back_at=0))
    house.world.pass_time(1)
    assert [house.kinds(buyer.person).count("order_waits") for buyer in buyers] == [2, 1, 1, 1, 0]
