"""How people are reached is told to the cloud alone, which writes to them."""

from pathlib import Path

import pytest

from support.people import EMAIL, PHONE, People
from yunduan.domains.identity.commands import ErasePerson, GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import Language, ShopRole
from yunduan.domains.identity.queries import Contacts, ContactsOf, MyLanguage, Reach, ReachOf, WorkersOf
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.refusals import Refused

SHOP = ShopId("shp_1")


def test_by_what_and_in_what_language(tmp_path: Path) -> None:
    """Whoever never was, or is erased, is left out."""
    with People.at(tmp_path, mailbox_is_open=False) as people:
        one = people.send(RegisterPerson(phone=PHONE)).person_id
        other = people.send(RegisterPerson(email=EMAIL, language=Language.EN)).person_id
        gone = people.send(RegisterPerson(phone="+8613800138009")).person_id
        people.send(GrantShopRole(shop_id=SHOP, person_id=one, role=ShopRole.PACKER))
        people.send(GrantShopRole(shop_id=SHOP, person_id=one, role=ShopRole.SERVICE))
        people.send(ErasePerson(person_id=gone))
        everybody = (one, other, gone, PersonId("per_0"))
        assert people.ask(ReachOf(person_ids=everybody)) == {one: Reach(Language.ZH, True, False), other: Reach(Language.EN, False, True)}
        contacts = {one: Contacts(Language.ZH, PHONE, ""), other: Contacts(Language.EN, "", EMAIL)}
        assert people.ask(ContactsOf(person_ids=everybody)) == contacts
        assert people.ask(WorkersOf(shop_id=SHOP)) == {one: {"packer", "service"}}
        assert people.ask(MyLanguage(), actor=Actor(person=other)) is Language.EN
        assert people.ask(MyLanguage(), actor=ANONYMOUS) is Language.ZH
        for query in (ReachOf(person_ids=(one,)), ContactsOf(person_ids=(one,)), WorkersOf(shop_id=SHOP)):
            for actor in (ANONYMOUS, Actor(person=one, operator_roles=frozenset({"admin"}))):
                with pytest.raises(Refused, match="not_allowed"):
                    people.ask(query, actor=actor)
