"""Goods: what a shop may say of them, who sees them when, and what a checkout reads of them."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import ValidationError, convert
from msgspec.structs import replace

from unit.catalog.town import COLOURS, SIZES, Town, variant, yuan
from yunduan.domains.catalog import desks, queries
from yunduan.domains.catalog.commands import (
    SHOWN_AT_ONCE,
    SHOWN_EVERY_MS,
    ChangeGoods,
    CountSale,
    CreateGoods,
    CreateLocation,
    HoldStock,
    PublishGoods,
    RateGoods,
    SaleLine,
    SetPrice,
    SetStock,
    UncountSale,
    WithdrawGoods,
)
from yunduan.domains.catalog.desks import DeskGoodsByStock, DeskStock
from yunduan.domains.catalog.lists import Page, cards_of, face_of, page_of, price_rank
from yunduan.domains.catalog.model import PRICE_MAX, CatalogRefusal, GoodsForm, GoodsState, HoldLine, StockReason, TaxClass, VariantForm
from yunduan.domains.catalog.queries import DeskGoods, GoodsOnDesk, GoodsPage, GoodsPageAnswer, NewestGoods, OffersOf
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import CategoryId, GoodsId, HoldId, ShippingTemplateId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused


def page(town: Town, id: GoodsId) -> GoodsPageAnswer | None:
    """The product page, if there is one."""
    try:
        return town.world.ask(GoodsPage(goods_id=id))
    except Refused as refused:
        if refused.code is not CatalogRefusal.GOODS_NOT_FOUND:
            raise
        return None


def listed(town: Town) -> int:
    """How many goods everybody is shown."""
    return len(cards_of(town.world.ask(NewestGoods(limit=50)).items))


def told(town: Town) -> list[tuple[str, bytes]]:
    """Every fact of goods."""
    return town.world.rows("SELECT kind, body FROM fact WHERE kind = 'GoodsChanged' ORDER BY seq")


def test_an_offer_has_everything_that_a_checkout_reads(town: Town) -> None:
    """Texts in both languages, price, weight, template, tax class, picture, and what is left."""
    red_l, blue_s = variant("R-L", 2500, choice=(0, 1), weight_g=250), variant("B-S", 1999, choice=(1, 0))
    goods = town.goods(red_l, blue_s, options=(COLOURS, SIZES), pictures=("a/1.webp", "a/2.webp"), tax_class=TaxClass.REDUCED)
    red, blue = goods.variant_ids
    town.stock(red, 7)
    offers = town.world.ask(OffersOf(variant_ids=(blue, red)))
    offer = offers[red]
    assert set(offers) == {red, blue}
    sold = offer.variant
    assert (sold.goods_id, sold.shop_id, sold.sku) == (goods.id, town.shop.id, "R-L")
    assert (sold.title, sold.title_en, sold.option_text, sold.option_text_en) == ("龙井", "Longjing", "红 / L", "red / L")
    assert (sold.price, sold.weight_g, sold.tax_class, sold.picture) == (yuan(2500), 250, "reduced", "a/1.webp")
    assert (sold.template_id, sold.on_sale, offer.available) == (town.shop.template_id, True, 7)
    assert (offers[blue].variant.option_text, offers[blue].variant.option_text_en, offers[blue].available) == ("蓝 / S", "蓝 / S", 0)


def test_an_offer_of_what_is_not_there_is_refused(town: Town) -> None:
    """One unknown variant among known ones is enough."""
    known = town.one(1)
    with pytest.raises(Refused, match="variant_not_found"):
        town.world.ask(OffersOf(variant_ids=(known, VariantId("var_0"))))


def test_the_page_shows_what_is_said_and_what_moves(town: Town) -> None:
    """The ready page decodes to what the shop said; stock is by variant; the shop's face is beside it."""
    goods = town.goods(variant("A", 2999), pictures=("a/1.webp",), description="一\n二")
    town.world.pass_time(86_400_000)
    ask = {"shop_id": town.shop.id, "goods_id": goods.id, "variant_id": goods.variant_ids[0]}
    town.world.send(SetPrice(**ask, price=yuan(1999), compare_at=yuan(2999)))
    town.stock(goods.variant_ids[0], 5)
    shown = page(town, goods.id)
    assert shown is not None
    said: Page = page_of(shown.goods)
    assert (said.id, said.title, said.description, said.pictures) == (goods.id, "龙井", "一\n二", ("a/1.webp",))
    assert said.category_path_ids == (town.drinks, town.tea)
    assert [(one.id, one.sku, one.price, one.compare_at) for one in said.variants] == [(goods.variant_ids[0], "A", yuan(1999), yuan(2999))]
    assert [(one.variant_id, one.available) for one in shown.stock] == [(goods.variant_ids[0], 5)]
    assert face_of(shown.shop).name_en == "Cloud Tea"
    assert (shown.sold, shown.reviews, shown.rating_hundredths) == (0, 0, None)


def test_only_goods_on_sale_are_shown(town: Town) -> None:
    """A draft is not found until it is published, and not found again once it is withdrawn; its offer says so."""
    goods = town.goods(variant("A"), publish=False)
    ask = {"shop_id": town.shop.id, "goods_id": goods.id}
    shown = []
    for command in (None, PublishGoods(**ask), WithdrawGoods(**ask), PublishGoods(**ask)):
        if command:
            town.world.send(command)
        offer = town.world.ask(OffersOf(variant_ids=goods.variant_ids))[goods.variant_ids[0]]
        shown.append((page(town, goods.id) is not None, listed(town), offer.variant.on_sale))
    assert shown == [(False, 0, False), (True, 1, True), (False, 0, False), (True, 1, True)]
    (line,) = town.world.ask(DeskGoods(shop_id=town.shop.id)).items
    assert (line.id, line.price, line.price_to, line.picture, line.on_hand, line.available) == (goods.id, yuan(1999), yuan(1999), "", 0, 0)


def test_a_shop_sees_what_its_goods_cost_and_how_many_there_are(town: Town) -> None:
    """Drafts too; the lowest and the highest price, the first picture, and the stock of all variants and locations together."""
    goods = town.goods(
        variant("A", 2999, choice=(0,)), variant("B", 1999, choice=(1,)), options=(COLOURS,), pictures=("a/1.webp", "a/2.webp")
    )
    draft = town.goods(variant("C", 500), publish=False)
    for id, pieces in zip(goods.variant_ids, (5, 2), strict=True):
        town.stock(id, pieces)
    more = town.world.send(CreateLocation(shop_id=town.shop.id, name="门店", country="CN")).id
    town.world.send(
        SetStock(shop_id=town.shop.id, variant_id=goods.variant_ids[1], location_id=more, on_hand=4, reason=StockReason.COUNTED)
    )
    town.world.send(HoldStock(hold_id=HoldId("hld_1"), lines=(HoldLine(variant_id=goods.variant_ids[1], quantity=3),)))
    seen = [
        (line.id, line.title_en, line.picture, line.price, line.price_to, line.on_hand, line.available)
        for line in town.world.ask(DeskGoods(shop_id=town.shop.id)).items
    ]
    assert seen == [
        (draft.id, "Longjing", "", yuan(500), yuan(500), 0, 0),
        (goods.id, "Longjing", "a/1.webp", yuan(1999), yuan(2999), 11, 8),
    ]


def test_a_move_to_where_goods_are_changes_nothing_and_a_draft_cannot_be_withdrawn(town: Town) -> None:
    """The first is harmless, the second refused; neither tells a fact."""
    draft, shown = town.goods(variant("A"), publish=False), town.goods(variant("B"))
    before = town.everything()
    assert town.world.send(PublishGoods(shop_id=town.shop.id, goods_id=shown.id)).version == 1
    assert town.world.refusal(WithdrawGoods(shop_id=town.shop.id, goods_id=draft.id)) == "goods_state_forbids"
    assert town.everything() == before


def test_goods_keep_their_place_among_the_newest_when_they_return(town: Town) -> None:
    """New is what was first shown lately: to withdraw and publish again is no way to the top."""
    first = town.goods(variant("A"))
    town.world.pass_time(1000)
    second = town.goods(variant("B"))
    ask = {"shop_id": town.shop.id, "goods_id": first.id}
    town.world.pass_time(1000)
    town.world.send(WithdrawGoods(**ask))
    town.world.send(PublishGoods(**ask))
    assert [row[0] for row in town.world.rows("SELECT goods_id FROM card ORDER BY listed_at DESC")] == [second.id, first.id]


def test_changing_goods_changes_page_card_and_offer_together(town: Town) -> None:
    """One variant is repriced, one retired, one new; the retired one is still known, but no longer sold or shown."""
    goods = town.goods(variant("A", 1000, choice=(0,)), variant("B", 2000, choice=(1,)), options=(COLOURS,))
    a, b = goods.variant_ids
    form = town.form(variant("A", 900, id=a, choice=(1,)), variant("C", 3000, choice=(0,)), options=(COLOURS,), title="新茶")
    kept = town.world.send(ChangeGoods(shop_id=town.shop.id, goods_id=goods.id, version=1, form=form))
    assert (kept.version, kept.variant_ids[0], kept.state) == (2, a, GoodsState.ON_SALE)
    offers = town.world.ask(OffersOf(variant_ids=(a, b, kept.variant_ids[1])))
    assert [(one.variant.sku, one.variant.title, one.variant.price.amount, one.variant.on_sale) for one in offers.values()] == [
        ("A", "新茶", 900, True),
        ("B", "龙井", 2000, False),
        ("C", "新茶", 3000, True),
    ]
    shown = page(town, goods.id)
    assert shown is not None
    assert [one.sku for one in page_of(shown.goods).variants] == ["A", "C"]
    assert {one.variant_id for one in shown.stock} == set(kept.variant_ids)
    assert town.world.rows("SELECT price_rank FROM card") == [(price_rank(yuan(900)),)]
    assert len(told(town)) == 2


def test_a_retired_variants_sku_is_free_again(town: Town) -> None:
    """Its own goods or any other of the shop may have it; so may two variants exchange theirs."""
    goods = town.goods(variant("A", choice=(0,)), variant("B", choice=(1,)), options=(COLOURS,))
    a, b = goods.variant_ids
    change = {"shop_id": town.shop.id, "goods_id": goods.id}
    swapped = town.form(variant("B", id=a, choice=(0,)), variant("A", id=b, choice=(1,)), options=(COLOURS,))
    town.world.send(ChangeGoods(version=1, form=swapped, **change))
    assert sorted(town.world.rows("SELECT sku, variant_id FROM sku")) == [("A", b), ("B", a)]
    town.world.send(ChangeGoods(version=2, form=town.form(variant("B", id=a)), **change))
    assert town.world.rows("SELECT sku, variant_id FROM sku") == [("B", a)]
    again = town.goods(variant("A"))
    assert sorted(town.world.rows("SELECT sku, variant_id FROM sku")) == [("A", again.variant_ids[0]), ("B", a)]


def test_who_edits_an_old_version_is_refused(town: Town) -> None:
    """Of two who edit at once the second is told, and the first one's words stay."""
    goods = town.goods(variant("A"))
    a = goods.variant_ids[0]
    change = {"shop_id": town.shop.id, "goods_id": goods.id, "version": 1}
    town.world.send(ChangeGoods(form=town.form(variant("A", id=a), title="一"), **change))
    before = town.everything()
    assert town.world.refusal(ChangeGoods(form=town.form(variant("A", id=a), title="二"), **change)) == "goods_changed"
    assert town.everything() == before


def test_a_price_is_set_for_one_variant(town: Town) -> None:
    """Offer, page and card have it at once."""
    goods = town.goods(variant("A", 1000, choice=(0,)), variant("B", 2000, choice=(1,)), options=(COLOURS,))
    ask = {"shop_id": town.shop.id, "goods_id": goods.id, "variant_id": goods.variant_ids[1]}
    town.world.send(SetPrice(price=yuan(500), **ask))
    offers = town.world.ask(OffersOf(variant_ids=goods.variant_ids))
    assert [one.variant.price.amount for one in offers.values()] == [1000, 500]
    shown = page(town, goods.id)
    assert shown is not None
    assert [one.price.amount for one in page_of(shown.goods).variants] == [1000, 500]
    assert town.world.rows("SELECT price_rank FROM card") == [(price_rank(yuan(500)),)]
    before = town.everything()
    assert town.world.refusal(SetPrice(price=yuan(0), **ask)) == "price_not_allowed"
    assert town.world.refusal(SetPrice(price=yuan(1), **(ask | {"variant_id": VariantId("var_0")}))) == "variant_not_found"
    assert town.everything() == before


@pytest.mark.parametrize(
    ("price", "compare_at"),
    [
        (yuan(0), None),
        (yuan(PRICE_MAX + 1), None),
        (yuan(100), yuan(100)),
        (yuan(100), yuan(99)),
        (yuan(100), yuan(PRICE_MAX + 1)),
        (Money(amount=100, currency="USD"), None),
        (yuan(100), Money(amount=200, currency="USD")),
    ],
)
def test_a_price_is_within_bounds_and_in_the_shops_currency(town: Town, price: Money, compare_at: Money | None) -> None:
    """Neither new goods nor a new price may break that; nothing is kept."""
    before = town.everything()
    form = town.form(VariantForm(sku="A", price=price, compare_at=compare_at))
    assert town.world.refusal(CreateGoods(shop_id=town.shop.id, form=form)) == "price_not_allowed"
    assert town.everything() == before


@pytest.mark.parametrize(
    ("variants", "options", "code"),
    [
        ((variant("A", choice=(0,)),), (), "options_do_not_match"),
        ((variant("A"),), (COLOURS,), "options_do_not_match"),
        ((variant("A", choice=(2,)),), (COLOURS,), "options_do_not_match"),
        ((variant("A", choice=(0,)), variant("B", choice=(0,))), (COLOURS,), "options_do_not_match"),
        ((variant("A"), variant("B")), (), "options_do_not_match"),
        ((variant("A", choice=(0,)), variant("A", choice=(1,))), (COLOURS,), "sku_taken"),
        ((variant("TAKEN"),), (), "sku_taken"),
        ((variant("A", id=VariantId("var_1")),), (), "variant_not_found"),
    ],
)
def test_variants_fit_their_options(town: Town, variants: tuple[VariantForm, ...], options: Any, code: str) -> None:
    """What does not fit is refused, and nothing is kept of it."""
    town.goods(variant("TAKEN"))
    before = town.everything()
    form = town.form(*variants, options=options)
    assert town.world.refusal(CreateGoods(shop_id=town.shop.id, form=form, publish=True)) == code
    assert town.everything() == before


def test_two_shops_may_use_one_sku(town: Town) -> None:
    """A SKU is unique within its shop alone."""
    town.goods(variant("A"))
    assert town.goods(variant("A"), shop=town.other).version == 1


def test_200_racing_for_one_sku_get_it_once(town: Town) -> None:
    """The others are refused, within one batch and without a broken command."""
    ask = CreateGoods(shop_id=town.shop.id, form=town.form(variant("ONE")))
    outcomes = town.world.send_all([(ask, SYSTEM)] * 200)
    assert sorted(type(one).__name__ for one in outcomes) == ["GoodsKept", *["Refused"] * 199]
    assert town.world.rows("SELECT count(*) FROM goods") == [(1,)]


def test_another_shop_cannot_touch_goods(town: Town) -> None:
    """Its staff are told that there are no such goods; variants and templates of others are not found either."""
    mine, theirs = town.goods(variant("A")), town.goods(variant("A"), shop=town.other)
    a = mine.variant_ids[0]
    before = town.everything()
    ask = {"shop_id": town.other.id, "goods_id": mine.id}
    form = town.form(variant("A", id=a))
    refused: list[tuple[Command[Any], str]] = [
        (ChangeGoods(version=1, form=form, **ask), "goods_not_found"),
        (PublishGoods(**ask), "goods_not_found"),
        (WithdrawGoods(**ask), "goods_not_found"),
        (SetPrice(variant_id=a, price=yuan(1), **ask), "goods_not_found"),
        (ChangeGoods(version=1, form=form, **(ask | {"goods_id": theirs.id})), "variant_not_found"),
        (CreateGoods(shop_id=town.other.id, form=replace(form, template_id=town.shop.template_id)), "shipping_template_not_found"),
        (
            CreateGoods(shop_id=town.shop.id, form=replace(form, template_id=ShippingTemplateId("tpl_0"))),
            "shipping_template_not_found",
        ),
        (CreateGoods(shop_id=town.shop.id, form=replace(form, category_id=CategoryId("cat_0"))), "category_not_found"),
    ]
    for command, code in refused:
        assert town.world.refusal(command) == code
    with pytest.raises(Refused, match="goods_not_found"):
        town.world.ask(GoodsOnDesk(**ask))
    assert town.everything() == before


def test_the_desk_shows_drafts_and_stock_a_page_at_a_time(town: Town) -> None:
    """Latest first, each once."""
    kept = [town.goods(variant(f"S{n}"), publish=n % 2 == 0).id for n in range(5)]
    one = town.world.ask(DeskGoods(shop_id=town.shop.id, limit=3))
    two = town.world.ask(DeskGoods(shop_id=town.shop.id, limit=3, after=one.after))
    assert [line.id for line in one.items + two.items] == kept[::-1]
    assert [line.state.value for line in one.items] == ["on_sale", "draft", "on_sale"]
    assert two.after is None
    id = town.one(4)
    goods_id = town.world.rows("SELECT goods_id FROM variant WHERE id = ?", id)[0][0]
    desk = town.world.ask(GoodsOnDesk(shop_id=town.shop.id, goods_id=goods_id))
    assert [(line.variant_id, line.location_id, line.on_hand, line.held) for line in desk.stock] == [(id, town.shop.location_id, 4, 0)]
    assert desk.goods.form.variants[0].sku == "ONE"


def test_sales_and_reviews_are_counted_on_page_and_card(town: Town) -> None:
    """Sums are exact; the rating is an average in hundredths, half up; a draft counts too, unseen."""
    goods, draft = town.goods(variant("A")), town.goods(variant("B"), publish=False)
    town.world.send(CountSale(lines=(SaleLine(goods_id=goods.id, quantity=3), SaleLine(goods_id=draft.id, quantity=1))))
    town.world.send(CountSale(lines=(SaleLine(goods_id=goods.id, quantity=2), SaleLine(goods_id=goods.id, quantity=1))))
    for stars in (5, 4, 4, 5, 4, 5, 4, 4):
        town.world.send(RateGoods(goods_id=goods.id, shop_id=town.shop.id, stars=stars))
    shown = page(town, goods.id)
    assert shown is not None
    assert (shown.sold, shown.reviews, shown.rating_hundredths) == (6, 8, 438)
    assert town.world.rows("SELECT sold FROM card") == [(0,)]
    town.world.pass_time(SHOWN_EVERY_MS)
    card = town.world.rows("SELECT sold, body FROM card")
    assert [(sold, b'"sold":6,"reviews":8,"rating_hundredths":438' in body) for sold, body in card] == [(6, True)]
    before = town.everything()
    lines = (SaleLine(goods_id=goods.id, quantity=1), SaleLine(goods_id=GoodsId("gds_0"), quantity=1))
    assert town.world.refusal(CountSale(lines=lines)) == "goods_not_found"
    assert town.world.refusal(UncountSale(lines=lines)) == "goods_not_found"
    assert town.world.refusal(RateGoods(goods_id=GoodsId("gds_0"), shop_id=town.shop.id, stars=5)) == "goods_not_found"
    assert town.everything() == before
    form = town.form(variant("A", id=goods.variant_ids[0]), title="改")
    town.world.send(ChangeGoods(shop_id=town.shop.id, goods_id=goods.id, version=1, form=form))
    assert town.world.rows("SELECT sold FROM card") == [(6,)]
    for quantity, left in ((4, 2), (3, 0)):
        town.world.send(UncountSale(lines=(SaleLine(goods_id=goods.id, quantity=quantity),)))
        shown = page(town, goods.id)
        assert shown is not None
        assert (shown.sold, shown.reviews) == (left, 8)
    town.world.pass_time(SHOWN_EVERY_MS)
    assert town.world.rows("SELECT sold FROM card") == [(0,)]


def test_lists_learn_of_sales_in_rounds(town: Town) -> None:
    """One alarm a round however many sales; every card is up to date after it, and the next sale sets the next round."""
    goods = [town.goods(variant(f"S{n}")).id for n in range(2 * SHOWN_AT_ONCE + 1)]
    for _ in range(2):
        for part in (goods[:150], goods[100:]):
            town.world.send(CountSale(lines=tuple(SaleLine(goods_id=id, quantity=1) for id in part)))
            assert town.world.rows("SELECT count(*) FROM alarm WHERE kind = 'ShowStandings'") == [(1,)]
        town.world.pass_time(SHOWN_EVERY_MS)
        assert town.world.rows("SELECT count(*) FROM alarm WHERE kind = 'ShowStandings'") == [(0,)]
        assert town.world.rows("SELECT count(*) FROM goods_standing WHERE due = 1") == [(0,)]
    assert town.world.rows("SELECT sold, count(*) FROM card GROUP BY sold ORDER BY sold") == [(2, len(goods) - 50), (4, 50)]


BASE = {"title": "茶", "category_id": "cat_1", "variants": [{"sku": "A", "price": {"amount": 1, "currency": "CNY"}}]}
LINE = BASE["variants"][0]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"title": ""},
        {"title": "   "},
        {"title": "a\x00b"},
        {"title": "茶\n"},
        {"title": "茶\u202e"},
        {"title": "x" * 121},
        {"title_en": "tea\x7f"},
        {"description": "x" * 10_001},
        {"description": "a\tb"},
        {"description": "a\r\nb"},
        {"pictures": ["https://elsewhere.example/a.png"]},
        {"pictures": ["//elsewhere.example/a.png"]},
        {"pictures": ["/etc/passwd"]},
        {"pictures": ["a/../b.png"]},
        {"pictures": ["a.png\n"]},
        {"pictures": ["a.png"] * 21},
        {"options": [{"name": "n", "values": [{"name": "v"}]}] * 4},
        {"options": [{"name": "n", "values": []}]},
        {"variants": []},
        {"variants": [LINE] * 201},
        {"variants": [LINE | {"sku": ""}]},
        {"variants": [LINE | {"sku": "a b"}]},
        {"variants": [LINE | {"sku": "A\n"}]},
        {"variants": [LINE | {"weight_g": -1}]},
        {"variants": [LINE | {"price": {"amount": -1, "currency": "CNY"}}]},
        {"variants": [LINE | {"price": {"amount": 1.5, "currency": "CNY"}}]},
        {"variants": [LINE | {"price": {"amount": 1, "currency": "XXX"}}]},
        {"tax_class": "Standard"},
        {"tax_class": "standart"},
        {"tax_class": ""},
        {"unknown": 1},
    ],
)
def test_a_form_out_of_bounds_is_no_form(spoiled: dict[str, Any]) -> None:
    """Control characters, addresses elsewhere, too many of anything, and unknown fields are bad input."""
    assert convert(BASE, GoodsForm).title == "茶"
    with pytest.raises(ValidationError):
        convert(BASE | spoiled, GoodsForm)


def by_stock(town: Town, **more: Any) -> DeskStock:
    """The shop's goods by what is left of them."""
    return town.world.run(town.world.cloud.ask_slow(DeskGoodsByStock(shop_id=town.shop.id, **more)))


def walked(page: Callable[[Any], Any]) -> list[GoodsId]:
    """All that a list has, page by page."""
    found, after = [], None
    for _ in range(20):
        one = page(after)
        found += [line.id for line in one.items]
        after = one.after
        if after is None:
            break
    return found


def test_a_shops_goods_are_listed_by_state_and_by_stock(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, none twice and none left out, whatever a page looks through; pieces that are promised are not there."""
    counts = {f"G{number}": stock for number, stock in enumerate((5, 0, 3, 3, 9))}
    made = {}
    for sku, stock in counts.items():
        variant_id = town.one(stock, sku)
        ((made[sku],),) = town.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant_id)
        if sku == "G4":
            town.world.send(HoldStock(hold_id=HoldId("hld_9"), lines=(HoldLine(variant_id=variant_id, quantity=8),)))
    draft = town.goods(variant("DRAFT"), publish=False).id
    order = [draft, made["G1"], made["G4"], made["G2"], made["G3"], made["G0"]]
    expected = sorted(order[:2]) + order[2:]
    assert [line.id for line in by_stock(town).items] == expected
    for limit in (1, 2, 4):
        assert walked(lambda after, limit=limit: by_stock(town, limit=limit, after=after)) == expected
    assert [line.id for line in by_stock(town, state=GoodsState.DRAFT).items] == [draft]
    monkeypatch.setattr(desks, "LOOKED_THROUGH", 2)
    monkeypatch.setattr(queries, "LOOKED_THROUGH", 2)
    on_sale = walked(lambda after: by_stock(town, state=GoodsState.ON_SALE, limit=2, after=after))
    assert on_sale == [id for id in expected if id != draft]
    drafts = DeskGoods(shop_id=town.shop.id, state=GoodsState.DRAFT, limit=2)
    assert walked(lambda after: town.world.ask(replace(drafts, after=after))) == [draft]
    for garbled in ("x", "1-", "-1-gds_1", "1-ord_1", "1-gds_1_", "9" * 40 + "-gds_1"):
        with pytest.raises(Refused, match="cursor_not_of_this_list"):
            by_stock(town, after=garbled)
