"""Shops: opened for their owners, suspended and shown again, renamed with all their goods; what shipping costs from them."""

from typing import Any

import msgspec
import pytest
from msgspec import ValidationError, convert

from unit.catalog.town import Town, variant
from yunduan.domains.catalog.commands import (
    REFRESHED_AT_ONCE,
    ChangeShop,
    CreateLocation,
    CreateShop,
    ReopenShop,
    SetCommission,
    SetHoliday,
    SetShippingTemplate,
    SuspendShop,
)
from yunduan.domains.catalog.lists import cards_of
from yunduan.domains.catalog.model import LOCATIONS_MAX, TEMPLATES_MAX, Measure, Place, Rate, ShopTerms, Zone
from yunduan.domains.catalog.queries import GoodsInShop, GoodsPage, NewestGoods, OffersOf, SettingsOf, ShippingFor, ShopPage, TermsOf
from yunduan.kernel.ids import PersonId, ShippingTemplateId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused

DAY_MS = 86_400_000


def refused(town: Town, query: Query[Any]) -> str:
    """The code that a query is refused with."""
    with pytest.raises(Refused) as caught:
        town.world.ask(query)
    return str(caught.value.code.value)


def fee(town: Town, template: ShippingTemplateId, **more: Any) -> int | str:
    """What shipping costs, in minor units, or why it cannot be."""
    asked = {"country": "CN", "region": "广东省", "pieces": 1, "weight_g": 500, "goods": 1000, "currency": "CNY"} | more
    try:
        return town.world.ask(ShippingFor(template_id=template, **asked))
    except Refused as no:
        return str(no.code.value)


def test_a_new_shop_can_sell_at_once(town: Town) -> None:
    """It has its terms, a place that goods leave from, a template that ships free, and an owner with the role."""
    terms = town.world.ask(TermsOf(shop_id=town.shop.id))
    assert terms == ShopTerms(
        shop_id=town.shop.id,
        name="云茶",
        name_en="Cloud Tea",
        country="CN",
        currency="CNY",
        commission_ppm=50_000,
        open=True,
        away_until=0,
        sends=True,
        splits=True,
    )
    assert fee(town, town.shop.template_id) == 0
    assert fee(town, town.shop.template_id, country="BR", pieces=999) == 0
    owned = town.world.rows("SELECT count(*) FROM fact WHERE kind = 'RoleGranted'")
    assert owned == [(2,)]
    page = town.world.ask(ShopPage(shop_id=town.shop.id))
    assert (page.id, page.name, page.country, page.currency) == (town.shop.id, "云茶", "CN", "CNY")


def test_a_shop_needs_an_owner_and_a_currency_that_exist(town: Town) -> None:
    """Otherwise nothing is opened."""
    before = town.everything()
    ask = {"name": "店", "country": "CN", "commission_ppm": 0}
    assert town.world.refusal(CreateShop(owner_id=PersonId("per_0"), currency="CNY", **ask)) == "person_not_found"
    assert town.world.refusal(CreateShop(owner_id=town.owner, currency="ZZZ", **ask)) == "currency_unknown"
    assert town.everything() == before


@pytest.mark.parametrize("ppm", [-1, 1_000_001, 0.5, True, "1"])
def test_a_commission_is_from_nothing_to_all(ppm: object) -> None:
    """In whole millionths."""
    with pytest.raises(ValidationError):
        convert({"shop_id": "shp_1", "commission_ppm": ppm}, SetCommission)
    assert convert({"shop_id": "shp_1", "commission_ppm": 1_000_000}, SetCommission).commission_ppm == 1_000_000


def test_a_commission_applies_from_now_on(town: Town) -> None:
    """To this shop alone."""
    town.world.send(SetCommission(shop_id=town.shop.id, commission_ppm=1))
    terms = [town.world.ask(TermsOf(shop_id=id)).commission_ppm for id in (town.shop.id, town.other.id)]
    assert terms == [1, 50_000]


def test_a_suspended_shop_is_not_shown_and_says_that_it_is_closed(town: Town) -> None:
    """Page and purchase at once, lists in steps; reopening brings everything back; to be told twice changes nothing."""
    shop = town.shop.id
    goods = [town.goods(variant(f"S{n}")) for n in range(2 * REFRESHED_AT_ONCE + 1)]
    other = town.goods(variant("A"), shop=town.other)
    town.world.send(SuspendShop(shop_id=shop, reason="假货"))
    assert not town.world.ask(TermsOf(shop_id=shop)).open
    assert refused(town, ShopPage(shop_id=shop)) == "shop_not_found"
    assert refused(town, GoodsInShop(shop_id=shop)) == "shop_not_found"
    assert refused(town, GoodsPage(goods_id=goods[0].id)) == "goods_not_found"
    town.world.settle()
    assert [card.id for card in cards_of(town.world.ask(NewestGoods()).items)] == [other.id]
    before = town.everything()
    town.world.send(SuspendShop(shop_id=shop, reason="假货"))
    assert town.everything() == before
    hidden = town.goods(variant("HIDDEN"))
    assert town.world.rows("SELECT count(*) FROM card") == [(1,)]
    town.world.send(ReopenShop(shop_id=shop, reason="已改正"))
    town.world.settle()
    assert town.world.ask(TermsOf(shop_id=shop)).open
    assert {row[0] for row in town.world.rows("SELECT goods_id FROM card")} == {one.id for one in [*goods, other, hidden]}
    assert len(town.world.rows("SELECT 1 FROM fact WHERE kind = 'ShopStateChanged'")) == 2


def test_a_new_name_reaches_every_card(town: Town) -> None:
    """In steps, none left out; a new template reaches the goods that name none."""
    own = town.world.send(SetShippingTemplate(shop_id=town.shop.id, name="自", measure=Measure.PIECE, elsewhere=Rate(first_fee=900))).id
    goods = [town.goods(variant(f"S{n}")) for n in range(REFRESHED_AT_ONCE + 1)]
    named = town.goods(variant("NAMED"), template_id=town.shop.template_id)
    town.world.send(ChangeShop(shop_id=town.shop.id, name="新名", name_en="New", template_id=own))
    town.world.settle()
    page = town.world.ask(NewestGoods(limit=50))
    names = [card.shop_name for card in cards_of(page.items)]
    names += [card.shop_name for card in cards_of(town.world.ask(NewestGoods(limit=50, after=page.after)).items)]
    assert names == ["新名"] * (REFRESHED_AT_ONCE + 2)
    offers = town.world.ask(OffersOf(variant_ids=(goods[0].variant_ids[0], goods[-1].variant_ids[0], named.variant_ids[0])))
    assert [one.variant.template_id for one in offers.values()] == [own, own, town.shop.template_id]


def test_what_is_not_there_or_anothers_is_not_found(town: Town) -> None:
    """Shops, and templates of other shops."""
    nowhere = ShopId("shp_0")
    before = town.everything()
    for command in (
        SuspendShop(shop_id=nowhere, reason="假货"),
        ReopenShop(shop_id=nowhere, reason="已改正"),
        SetCommission(shop_id=nowhere, commission_ppm=1),
        CreateLocation(shop_id=nowhere, name="仓", country="CN"),
        SetShippingTemplate(shop_id=nowhere, name="运", measure=Measure.PIECE),
        ChangeShop(shop_id=nowhere, name="名", template_id=town.shop.template_id),
    ):
        assert town.world.refusal(command) == "shop_not_found"
    theirs = town.other.template_id
    assert town.world.refusal(ChangeShop(shop_id=town.shop.id, name="名", template_id=theirs)) == "shipping_template_not_found"
    taken = SetShippingTemplate(shop_id=town.shop.id, id=theirs, name="运", measure=Measure.PIECE)
    assert town.world.refusal(taken) == "shipping_template_not_found"
    assert refused(town, TermsOf(shop_id=nowhere)) == "shop_not_found"
    assert refused(town, SettingsOf(shop_id=nowhere)) == "shop_not_found"
    assert fee(town, ShippingTemplateId("tpl_0")) == "shipping_template_not_found"
    assert town.everything() == before


def test_places_and_templates_have_an_end(town: Town) -> None:
    """One more than the most is refused; the settings show them all, in order."""
    shop = town.shop.id
    for n in range(1, LOCATIONS_MAX):
        town.world.send(CreateLocation(shop_id=shop, name=f"仓{n}", country="CN", region="浙江"))
    for n in range(1, TEMPLATES_MAX):
        town.world.send(SetShippingTemplate(shop_id=shop, name=f"运{n}", measure=Measure.WEIGHT))
    before = town.everything()
    assert town.world.refusal(CreateLocation(shop_id=shop, name="多", country="CN")) == "locations_full"
    assert town.world.refusal(SetShippingTemplate(shop_id=shop, name="多", measure=Measure.PIECE)) == "shipping_templates_full"
    assert town.everything() == before
    settings = town.world.ask(SettingsOf(shop_id=shop))
    assert [one.name for one in settings.locations] == ["云茶", *[f"仓{n}" for n in range(1, LOCATIONS_MAX)]]
    assert [one.name for one in settings.templates] == ["云茶", *[f"运{n}" for n in range(1, TEMPLATES_MAX)]]


def test_shipping_by_place_piece_weight_and_amount(town: Town) -> None:
    """A region before its country, a country before everywhere else, some places not at all, free from an amount on."""
    zones = (
        Zone(
            places=(Place(country="CN", region="广东"), Place(country="CN", region="浙江")),
            rate=Rate(first_units=1, first_fee=800, further_units=2, further_fee=300, free_from=9900),
        ),
        Zone(places=(Place(country="CN", region="西藏"), Place(country="KP"))),
        Zone(places=(Place(country="CN"),), rate=Rate(first_fee=1200)),
    )
    ask = {"shop_id": town.shop.id, "name": "快递", "zones": zones}
    id = town.world.send(SetShippingTemplate(measure=Measure.PIECE, **ask)).id
    assert [fee(town, id, pieces=pieces) for pieces in (1, 2, 3, 4, 5)] == [800, 1100, 1100, 1400, 1400]
    assert [fee(town, id, goods=amount) for amount in (9899, 9900)] == [800, 0]
    assert [fee(town, id, region=region) for region in ("浙江省", "北京市", "", "西藏自治区")] == [800, 1200, 1200, "region_not_served"]
    assert [fee(town, id, country=country) for country in ("KP", "BR")] == ["region_not_served", "region_not_served"]
    by_weight = Rate(first_units=1000, first_fee=1000, further_units=500, further_fee=200)
    town.world.send(SetShippingTemplate(id=id, measure=Measure.WEIGHT, elsewhere=by_weight, **ask))
    assert [fee(town, id, country="BR", weight_g=grams) for grams in (0, 1000, 1001, 1500, 1501)] == [1000, 1000, 1200, 1200, 1400]
    twice = (Zone(places=(Place(country="CN"),)), Zone(places=(Place(country="CN"),), rate=Rate(first_fee=1)))
    spelt = (Zone(places=(Place(country="CN", region="西藏"), Place(country="CN", region="Xizang"))),)
    unlisted = (Zone(places=(Place(country="GB", region="Jersey "), Place(country="GB", region="JERSEY"))),)
    nowhere = (Zone(places=(Place(country="CN", region="西臧"),)),)
    for zones, code in ((twice, "places_overlap"), (spelt, "places_overlap"), (unlisted, "places_overlap"), (nowhere, "place_unknown")):
        before = town.everything()
        assert town.world.refusal(SetShippingTemplate(measure=Measure.PIECE, **(ask | {"zones": zones}))) == code
        assert town.everything() == before


def test_a_template_keeps_each_region_in_its_one_form(town: Town) -> None:
    """However its shop spells it; states of Brazil are known by code and by name."""
    spelt = [("CN", "tibet"), ("CN", ""), ("BR", "SP"), ("BR", "rio de janeiro"), ("GB", " Isle of  Wight"), ("KP", "")]
    zones = (Zone(places=tuple(Place(country=country, region=region) for country, region in spelt)),)
    town.world.send(SetShippingTemplate(shop_id=town.shop.id, name="快递", measure=Measure.PIECE, zones=zones))
    kept = town.world.ask(SettingsOf(shop_id=town.shop.id)).templates[-1].zones[0].places
    assert [(place.country, place.region) for place in kept] == [
        ("CN", "西藏自治区"),
        ("CN", ""),
        ("BR", "SP"),
        ("BR", "RJ"),
        ("GB", "isle of wight"),
        ("KP", ""),
    ]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"first_fee": -1},
        {"first_fee": 10**8 + 1},
        {"first_fee": 1.5},
        {"first_fee": 1, "first_units": 0},
        {"first_fee": 1, "further_units": 0},
        {"first_fee": 1, "further_units": 10**7 + 1},
        {"first_fee": 1, "further_fee": -1},
        {"first_fee": 1, "free_from": -1},
        {"first_fee": 1, "unknown": 1},
    ],
)
def test_a_rate_is_within_bounds(spoiled: dict[str, object]) -> None:
    """No step of nothing, no negative or huge fee."""
    with pytest.raises(ValidationError):
        convert(spoiled, Rate)


def test_a_shop_on_holiday_is_shown_and_comes_back_by_itself(town: Town) -> None:
    """Its page and goods stay; its terms say until when; then, or when it says so, it sells again without anybody's doing."""
    shop, now = town.shop.id, town.world.clock.wall_ms()
    town.world.send(SetHoliday(shop_id=shop, back_at=now + DAY_MS))
    assert town.world.ask(TermsOf(shop_id=shop)).away_until == now + DAY_MS
    assert town.world.ask(ShopPage(shop_id=shop)).away_until == now + DAY_MS
    town.world.pass_time(DAY_MS - 1)
    assert town.world.ask(TermsOf(shop_id=shop)).away_until == now + DAY_MS
    town.world.pass_time(1)
    assert town.world.ask(TermsOf(shop_id=shop)).away_until == 0
    town.world.send(SetHoliday(shop_id=shop, back_at=now + 9 * DAY_MS))
    town.world.send(SetHoliday(shop_id=shop, back_at=0))
    assert town.world.ask(TermsOf(shop_id=shop)).away_until == 0
    told = [msgspec.json.decode(body)["back_at"] for (body,) in town.world.rows("SELECT body FROM fact WHERE kind = 'ShopHolidaySet'")]
    assert told == [now + DAY_MS, now + 9 * DAY_MS, 0]


@pytest.mark.parametrize("days", [-1, 0, 91])
def test_a_holiday_is_ahead_and_not_for_ever(days: int, town: Town) -> None:
    """Refused, and nothing has changed."""
    before = town.everything()
    back_at = town.world.clock.wall_ms() + days * DAY_MS
    assert town.world.refusal(SetHoliday(shop_id=town.shop.id, back_at=back_at)) == "holiday_out_of_range"
    assert town.everything() == before
