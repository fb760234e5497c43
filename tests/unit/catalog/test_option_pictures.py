"""Pictures of options: what shows a variant on its page, in lists, and to whoever buys it."""

from typing import Any

import pytest
from msgspec import ValidationError, convert

from unit.catalog.town import SIZES, Town, variant
from yunduan.domains.catalog.commands import ChangeGoods
from yunduan.domains.catalog.lists import Card, Page, cards_of, page_of
from yunduan.domains.catalog.model import GoodsOption, GoodsState, OptionValue
from yunduan.domains.catalog.queries import GoodsPage, NewestGoods, OffersOf
from yunduan.kernel.ids import GoodsId

RED, BLUE, ALL = "a/red.1.webp", "a/blue.1.webp", "a/all.1.webp"


def colours(*pictures: str | None) -> GoodsOption:
    """A colour for each picture, and for each nothing a colour without one."""
    return GoodsOption(name="颜色", values=tuple(OptionValue(name=f"色{n}", picture=picture) for n, picture in enumerate(pictures)))


def card(town: Town) -> Card:
    """The only goods of the list."""
    found: Card
    (found,) = cards_of(town.world.ask(NewestGoods()).items)
    return found


def page(town: Town, id: GoodsId) -> Page:
    """As everybody sees it."""
    found: Page = page_of(town.world.ask(GoodsPage(goods_id=id)).goods)
    return found


def shown(town: Town, *choices: tuple[int, ...], **more: Any) -> tuple[GoodsId, list[str]]:
    """Goods with a variant for each choice, and what shows each."""
    made = town.goods(*(variant(f"V{n}", choice=choice) for n, choice in enumerate(choices)), **more)
    offers = town.world.ask(OffersOf(variant_ids=made.variant_ids))
    return made.id, [offers[id].variant.picture for id in made.variant_ids]


def test_a_variant_is_shown_by_what_it_chooses(town: Town) -> None:
    """Of two options the first that has a picture; without one, the first of the goods; the page has them where they are chosen."""
    options = (SIZES, colours(RED, BLUE, None))
    id, pictures = shown(town, (0, 0), (1, 1), (0, 2), options=options, pictures=(ALL, "a/2.webp"))
    assert pictures == [RED, BLUE, ALL]
    assert [value.picture for value in page(town, id).options[1].values] == [RED, BLUE, None]
    assert (card(town).picture, card(town).option_pictures) == (ALL, (RED, BLUE))


def test_goods_without_a_picture_of_their_own_are_shown_by_their_first_choice(town: Town) -> None:
    """And what has none at all by none."""
    _, pictures = shown(town, (0,), (1,), options=(colours(None, BLUE),))
    assert pictures == ["", BLUE]
    assert (card(town).picture, card(town).option_pictures) == (BLUE, (BLUE,))


def test_a_list_shows_some_of_many_choices_each_picture_once(town: Town) -> None:
    """The first six of the first option that has any."""
    many = colours(*(f"a/{n // 2}.webp" for n in range(20)))
    shown(town, (0, 0), options=(many, colours(RED)))
    assert card(town).option_pictures == tuple(f"a/{n}.webp" for n in range(6))


def test_goods_without_options_have_none(town: Town) -> None:
    """As before."""
    _, pictures = shown(town, (), pictures=(ALL,))
    assert (pictures, card(town).picture, card(town).option_pictures) == ([ALL], ALL, ())


def test_another_picture_is_another_description(reviewing_town: Town) -> None:
    """It is kept as the goods' next version, and looked at before the goods are sold where a marketplace does that."""
    town = reviewing_town
    made = town.goods(variant("A", choice=(0,)), options=(colours(RED),), publish=False)
    form = town.form(variant("A", choice=(0,), id=made.variant_ids[0]), options=(colours(BLUE),))
    changed = town.world.send(ChangeGoods(shop_id=town.shop.id, goods_id=made.id, version=made.version, form=form))
    assert (changed.version, changed.state) == (made.version + 1, GoodsState.DRAFT)
    assert town.world.ask(OffersOf(variant_ids=made.variant_ids))[made.variant_ids[0]].variant.picture == BLUE


@pytest.mark.parametrize("picture", ["", "https://example.com/a.webp", "../a.webp", "/a.webp", "a" * 161, 1, ["a.webp"], "a.webp\n"])
def test_a_picture_is_a_reference_into_the_marketplaces_media(picture: object) -> None:
    """Whatever else a client sends is no option."""
    with pytest.raises(ValidationError):
        convert({"name": "红", "picture": picture}, OptionValue)
