"""Pictures as evidence: of the two sides and operators alone, sealed, so many of each, frozen when evidence is closed."""

from base64 import b64decode
from typing import Any

import pytest

from unit.orders.casebook import TOTAL, Claim, picture
from unit.orders.market import Buyer, Market
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.orders.caselists import CaseOf, ShopCaseOf
from yunduan.domains.orders.casepictures import CasePicture, PictureShown, ShopCasePicture, ShowPicture, ShowShopPicture
from yunduan.domains.orders.cases import PICTURES_MAX, CaseEvent, CaseState
from yunduan.domains.orders.model import Who
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.kernel.actors import Actor
from yunduan.kernel.refusals import Refused


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(100_000)


def show(market: Market, made: Claim, side: int = 1, text: str = "碎片") -> PictureShown:
    """The buyer shows a picture."""
    return market.world.send(ShowPicture(case_id=made.case, content=picture(side), text=text), actor=made.buyer.actor)


def test_both_sides_show_pictures_and_both_and_operators_see_them(market: Market, buyer: Buyer) -> None:
    """With a word to each; the picture itself is asked for by its name."""
    made = Claim(market, buyer).lead_to(CaseState.DISPUTED)
    mine = show(market, made)
    theirs = market.world.send(ShowShopPicture(**made.shop, content=picture(2), text="包装"), actor=market.staff("service"))
    for query, actor in ((CaseOf(case_id=made.case), buyer.actor), (ShopCaseOf(**made.shop), market.staff("packer"))):
        seen = market.world.ask(query, actor=actor)
        assert [(one.id, one.who, one.text, one.media_type) for one in seen.pictures] == [
            (mine.id, Who.BUYER, "碎片", "image/png"), (theirs.id, Who.SHOP, "包装", "image/png")
        ]  # fmt: skip
    for actor in (buyer.actor, market.operator("service")):
        found = market.world.ask(CasePicture(case_id=made.case, picture_id=theirs.id), actor=actor)
        assert (found.media_type, b64decode(found.content or "")) == ("image/png", picture(2))
    found = market.world.ask(ShopCasePicture(**made.shop, picture_id=mine.id), actor=market.staff("finance"))
    assert b64decode(found.content or "") == picture()
    assert (CaseEvent.SHOW_PICTURE in market.world.ask(CaseOf(case_id=made.case), actor=buyer.actor).steps) is True


def test_nobody_else_sees_them_whatever_they_know(market: Market, buyer: Buyer) -> None:
    """Not by the name, not by another case, not from another shop; and nothing lies open in the store."""
    made = Claim(market, buyer)
    other = market.buyer(100_000)
    theirs = Claim(market, other)
    shown = show(market, made)
    mine = CasePicture(case_id=made.case, picture_id=shown.id)
    asked: tuple[tuple[Any, Actor, str], ...] = (
        (mine, other.actor, "case_not_found"),
        (mine, market.staff("owner"), "case_not_found"),
        (mine, market.operator("analyst"), "case_not_found"),
        (ShopCasePicture(**made.shop, picture_id=shown.id), market.staff("packer"), "case_not_found"),
        (ShopCasePicture(**made.shop, picture_id=shown.id), market.staff("owner", shop=market.other.id), "case_not_found"),
        (
            ShopCasePicture(shop_id=market.other.id, case_id=made.case, picture_id=shown.id),
            market.staff("owner", shop=market.other.id),
            "case_not_found",
        ),
        (CasePicture(case_id=theirs.case, picture_id=shown.id), other.actor, "picture_not_found"),
        (CasePicture(case_id=made.case, picture_id="pic_" + "0" * 32), buyer.actor, "picture_not_found"),
    )
    for query, actor, code in asked:
        with pytest.raises(Refused) as refused:
            market.world.ask(query, actor=actor)
        assert refused.value.code == code
    market.assert_refused("case_not_found", ShowPicture(case_id=made.case, content=picture(3)), other.actor)
    market.assert_refused("case_not_found", ShowShopPicture(**made.shop, content=picture(3)), market.staff("packer"))
    ((kept,),) = market.world.rows("SELECT content FROM case_picture")
    assert picture()[8:20] not in kept
    assert not market.holds("碎片")


def test_each_side_shows_so_many_and_the_same_one_once(market: Market, buyer: Buyer) -> None:
    """What is no picture is refused; nothing changes then."""
    made = Claim(market, buyer)
    for side in range(1, PICTURES_MAX + 1):
        show(market, made, side)
    assert show(market, made, 1).id == show(market, made, 1, "又一次").id
    assert market.world.rows("SELECT count(*) FROM case_picture") == [(PICTURES_MAX,)]
    market.assert_refused("pictures_full", ShowPicture(case_id=made.case, content=picture(PICTURES_MAX + 1)), buyer.actor)
    market.assert_refused("picture_unreadable", ShowShopPicture(**made.shop, content=b"<svg/>"), market.staff("service"))
    market.world.send(ShowShopPicture(**made.shop, content=picture(PICTURES_MAX + 1)), actor=market.staff("service"))


def test_what_is_ruled_on_is_frozen(market: Market, buyer: Buyer) -> None:
    """When evidence is closed, and for ever after; it is still seen."""
    made = Claim(market, buyer).lead_to(CaseState.DISPUTED)
    shown = show(market, made)
    made.take(CaseEvent.CLOSE_EVIDENCE, Who.CLOUD)
    for state in ("heard", "refunded"):
        assert made.state == state
        market.assert_refused("case_in_other_state", ShowPicture(case_id=made.case, content=picture(2)), buyer.actor)
        assert market.world.ask(CasePicture(case_id=made.case, picture_id=shown.id), actor=buyer.actor).content
        if state == "heard":
            made.take(CaseEvent.RULE, Who.OPERATOR)


def test_a_picture_goes_with_whoever_showed_it(market: Market) -> None:
    """The other side's stays."""
    buyer = market.buyer(TOTAL)
    made = Claim(market, buyer)
    shown = show(market, made)
    theirs = market.world.send(ShowShopPicture(**made.shop, content=picture(2)), actor=market.staff("service"))
    made.take(CaseEvent.WITHDRAW, Who.BUYER)
    market.world.send(ConfirmReceipt(order_id=made.order), actor=buyer.actor)
    operator = market.operator("service")
    assert market.world.ask(CasePicture(case_id=made.case, picture_id=shown.id), actor=operator).content
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    assert market.world.ask(CasePicture(case_id=made.case, picture_id=shown.id), actor=operator).content is None
    assert market.world.ask(CasePicture(case_id=made.case, picture_id=theirs.id), actor=operator).content
    seen = market.world.ask(CaseOf(case_id=made.case), actor=operator)
    assert [one.text for one in seen.pictures] == [None, ""]
