"""Roles: who may give and take them, at once, and never the last of those that must be."""

import pytest

from support.people import OTHER_PHONE, PHONE, People
from yunduan.domains.identity.commands import AppointOwner, GrantRole, GrantShopRole, RegisterPerson, WithdrawRole, WithdrawShopRole
from yunduan.domains.identity.model import ROLES_MAX, IdentityRefusal, OperatorRole, RolesHeld, ShopRole, StaffMember
from yunduan.domains.identity.queries import MyProfile, Operators, StaffOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.refusals import Refused

SHOP, OTHER_SHOP = ShopId("shp_1"), ShopId("shp_2")


def _staff(people: People, **roles: str) -> dict[str, Actor]:
    """An actor for each name, with that role in the shop; the first must be the owner."""
    actors = {}
    for n, (name, role) in enumerate(roles.items()):
        actor = people.signed_in(f"+86138000000{n:02d}")
        if role:
            people.send(GrantShopRole(shop_id=SHOP, person_id=actor.person, role=ShopRole(role)))
        actors[name] = people.seen_again(actor)
    return actors


def _somebody(people: People) -> PersonId:
    return people.send(RegisterPerson()).person_id


def test_roles_are_seen_by_the_next_request(people: People) -> None:
    """In every session, without signing in again; and gone as quickly."""
    mei = people.signed_in(PHONE)
    held = people.send(GrantShopRole(shop_id=SHOP, person_id=mei.person, role=ShopRole.OWNER))
    assert held == RolesHeld(person_id=mei.person, shop_id=SHOP, roles=("owner",))
    people.send(GrantShopRole(shop_id=SHOP, person_id=mei.person, role=ShopRole.PACKER))
    people.send(GrantShopRole(shop_id=OTHER_SHOP, person_id=mei.person, role=ShopRole.FINANCE))
    people.send(GrantRole(person_id=mei.person, role=OperatorRole.FINANCE))
    seen = people.seen_again(mei)
    assert seen.operator_roles == {"finance"}
    assert dict(seen.shop_roles) == {SHOP: {"owner", "packer"}, OTHER_SHOP: {"finance"}}
    assert people.ask(MyProfile(), actor=mei).shop_roles == {SHOP: ("owner", "packer"), OTHER_SHOP: ("finance",)}
    people.send(WithdrawShopRole(shop_id=OTHER_SHOP, person_id=mei.person, role=ShopRole.FINANCE))
    people.send(WithdrawRole(person_id=mei.person, role=OperatorRole.FINANCE))
    seen = people.seen_again(mei)
    assert (seen.operator_roles, dict(seen.shop_roles)) == (frozenset(), {SHOP: {"owner", "packer"}})


def test_a_role_given_twice_is_given_once(people: People) -> None:
    """No second row, no second fact."""
    mei = _somebody(people)
    for _ in range(2):
        people.send(GrantRole(person_id=mei, role=OperatorRole.RISK))
    assert people.facts("RoleGranted") == [{"person_id": mei, "shop_id": "", "role": "risk", "by": "", "founds": False}]
    people.send(WithdrawRole(person_id=mei, role=OperatorRole.RISK))
    assert people.no(WithdrawRole(person_id=mei, role=OperatorRole.RISK))["code"] == "role_not_found"
    assert people.facts("RoleWithdrawn") == [{"person_id": mei, "shop_id": "", "role": "risk", "by": ""}]


_MAY = {
    "owner": {"owner", "manager", "service", "packer", "finance"},
    "manager": {"service", "packer"},
    "service": set(),
    "packer": set(),
    "finance": set(),
    "": set(),
}


def test_who_may_give_and_take_which_role_in_a_shop(people: People) -> None:
    """Every role of the caller with every role that is given; nobody may do anything in another shop."""
    staff = _staff(people, **{role or "nobody": role for role in _MAY})
    for caller, allowed in _MAY.items():
        actor = staff[caller or "nobody"]
        for role in ShopRole:
            target = _somebody(people)
            give, take = (kind(shop_id=SHOP, person_id=target, role=role) for kind in (GrantShopRole, WithdrawShopRole))
            elsewhere = GrantShopRole(shop_id=OTHER_SHOP, person_id=target, role=role)
            assert people.no(elsewhere, actor=actor)["code"] == "not_allowed"
            if role in allowed:
                assert people.send(give, actor=actor).roles == (role,)
                assert people.send(take, actor=actor).roles == ()
            else:
                assert people.no(give, actor=actor)["code"] == "not_allowed"
                people.send(give)
                assert people.no(take, actor=actor)["code"] == "not_allowed"


@pytest.mark.parametrize("role", list(OperatorRole))
def test_only_an_admin_gives_roles_of_the_marketplace(people: People, role: OperatorRole) -> None:
    """And the owner's role of any shop, but no other role in it."""
    mei, target = people.signed_in(PHONE), _somebody(people)
    people.send(GrantRole(person_id=mei.person, role=role))
    asks = (
        GrantRole(person_id=target, role=OperatorRole.ANALYST),
        GrantShopRole(shop_id=SHOP, person_id=target, role=ShopRole.OWNER),
    )
    for ask in asks:
        if role is OperatorRole.ADMIN:
            people.send(ask, actor=mei)
        else:
            assert people.no(ask, actor=mei)["code"] == "not_allowed"
    assert people.no(GrantShopRole(shop_id=SHOP, person_id=target, role=ShopRole.FINANCE), actor=mei)["code"] == "not_allowed"
    assert people.no(GrantRole(person_id=target, role=OperatorRole.RISK), actor=ANONYMOUS)["code"] == "not_allowed"


def test_the_last_owner_and_the_last_admin_stay(people: People) -> None:
    """Whoever asks; with a second one the first may go."""
    mei, wei = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    for actor in (mei, SYSTEM):
        people.send(GrantRole(person_id=mei.person, role=OperatorRole.ADMIN))
        people.send(GrantShopRole(shop_id=SHOP, person_id=mei.person, role=ShopRole.OWNER))
        assert people.no(WithdrawRole(person_id=mei.person, role=OperatorRole.ADMIN), actor=actor)["code"] == "last_admin"
        assert people.no(WithdrawShopRole(shop_id=SHOP, person_id=mei.person, role=ShopRole.OWNER), actor=actor)["code"] == "last_owner"
    people.send(GrantRole(person_id=wei.person, role=OperatorRole.ADMIN), actor=mei)
    people.send(GrantShopRole(shop_id=SHOP, person_id=wei.person, role=ShopRole.OWNER), actor=mei)
    people.send(WithdrawRole(person_id=mei.person, role=OperatorRole.ADMIN), actor=mei)
    people.send(WithdrawShopRole(shop_id=SHOP, person_id=mei.person, role=ShopRole.OWNER), actor=mei)
    assert people.no(WithdrawRole(person_id=wei.person, role=OperatorRole.ADMIN), actor=wei)["code"] == "last_admin"


def test_two_admins_who_withdraw_each_other_at_once_leave_one(people: People) -> None:
    """The second is no admin any more when it is carried out, whatever the edge saw."""
    mei, wei = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    for actor in (mei, wei):
        people.send(GrantRole(person_id=actor.person, role=OperatorRole.ADMIN))
    mei, wei = people.seen_again(mei), people.seen_again(wei)
    outcomes = people.send_all(
        [
            (WithdrawRole(person_id=wei.person, role=OperatorRole.ADMIN), mei),
            (WithdrawRole(person_id=mei.person, role=OperatorRole.ADMIN), wei),
            (GrantRole(person_id=wei.person, role=OperatorRole.ADMIN), wei),
        ]
    )
    assert outcomes[0] == RolesHeld(person_id=wei.person, shop_id=None, roles=())
    assert [outcome.code for outcome in outcomes[1:]] == [IdentityRefusal.NOT_ALLOWED] * 2
    assert people.rows("SELECT person_id FROM staff WHERE role = 'admin'") == [(mei.person,)]


def test_anybody_may_lay_down_their_own_role(people: People) -> None:
    """Without being able to give it."""
    staff = _staff(people, boss="owner", packer="packer")
    ask = WithdrawShopRole(shop_id=SHOP, person_id=staff["packer"].person, role=ShopRole.PACKER)
    assert people.send(ask, actor=staff["packer"]).roles == ()


def test_a_shop_without_staff_gets_its_owner_and_then_only_by_who_may(people: People) -> None:
    """So that a shop can be founded in one command, and not taken over by another."""
    mei, wei = people.signed_in(PHONE), people.signed_in(OTHER_PHONE)
    assert people.send(AppointOwner(shop_id=SHOP, person_id=mei.person), actor=mei).roles == ("owner",)
    assert people.no(AppointOwner(shop_id=SHOP, person_id=wei.person), actor=wei)["code"] == "not_allowed"
    assert people.send(AppointOwner(shop_id=SHOP, person_id=wei.person), actor=mei).roles == ("owner",)


def test_nobody_owns_a_shop_that_is_not_there(people: People) -> None:
    """Whoever appoints, and whom."""
    mei = people.signed_in(PHONE)
    assert people.no(AppointOwner(shop_id=ShopId("shp_0"), person_id=mei.person))["code"] == "shop_unknown"


def test_roles_go_to_people_who_are_here(people: People) -> None:
    """And not without end."""
    assert people.no(GrantRole(person_id=PersonId("per_0"), role=OperatorRole.RISK))["code"] == "person_not_found"
    assert people.no(GrantShopRole(shop_id=SHOP, person_id=PersonId(""), role=ShopRole.OWNER))["code"] == "person_not_found"
    assert people.no(AppointOwner(shop_id=SHOP, person_id=PersonId("per_0")))["code"] == "person_not_found"
    mei = _somebody(people)
    for n in range(ROLES_MAX):
        people.send(GrantShopRole(shop_id=ShopId(f"shp_a{n}"), person_id=mei, role=ShopRole.PACKER))
    assert people.no(GrantRole(person_id=mei, role=OperatorRole.RISK))["code"] == "roles_full"


def test_staff_are_listed_with_masked_contacts_for_their_bosses_alone(people: People) -> None:
    """A phone or an e-mail address is recognised, not read."""
    boss = people.send(RegisterPerson(phone=PHONE, nickname="老板")).person_id
    clerk = people.send(RegisterPerson(email="mei@example.com")).person_id
    people.send(GrantShopRole(shop_id=SHOP, person_id=boss, role=ShopRole.OWNER))
    people.send(GrantShopRole(shop_id=SHOP, person_id=clerk, role=ShopRole.SERVICE))
    people.send(GrantShopRole(shop_id=SHOP, person_id=clerk, role=ShopRole.PACKER))
    people.send(GrantRole(person_id=clerk, role=OperatorRole.ADMIN))
    owner = people.seen_again(people.signed_in(PHONE))
    assert people.ask(StaffOf(shop_id=SHOP), actor=owner).items == (
        StaffMember(person_id=boss, nickname="老板", contact="+86****5678", roles=("owner",)),
        StaffMember(person_id=clerk, nickname="", contact="m***@example.com", roles=("packer", "service")),
    )
    admin = people.signed_in("mei@example.com")
    assert [member.roles for member in people.ask(Operators(), actor=admin).items] == [("admin",)]
    for query, actor in (
        (StaffOf(shop_id=SHOP), admin),
        (StaffOf(shop_id=OTHER_SHOP), owner),
        (Operators(), owner),
        (Operators(), ANONYMOUS),
    ):
        with pytest.raises(Refused) as refused:
            people.ask(query, actor=actor)  # type: ignore[arg-type]
        assert refused.value.code is IdentityRefusal.NOT_ALLOWED
