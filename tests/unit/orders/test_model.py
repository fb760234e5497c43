"""What the model of orders decides."""

import itertools
from collections import Counter

import pytest

from unit.orders.steps import AFTER, steps_from
from yunduan.domains.catalog.model import TaxClass
from yunduan.domains.orders import model
from yunduan.domains.orders.model import (
    CART_LINES_MAX,
    MOVES,
    CartLine,
    Discount,
    Funder,
    OrderRefusal,
    OrderState,
    SoldItem,
    Step,
    Who,
)
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.taxes import TAX_RULES, UNTAXED, Tax, TaxRule, TaxRules
from yunduan.kernel.ids import CheckoutId, GoodsId, OrderId, ShopId, VariantId
from yunduan.kernel.refusals import Refused

ORDER = OrderId("ord_0198aa00000000010000000000")
NUMBERED = ["769558999249", "936120227207", "176395605664"]
"""The first three numbers under the tests' secret: of an order that has one it is never another."""


def a_line(variant: str, quantity: int = 1, *, price: int = 100, at: int = 5) -> CartLine:
    """A line of a cart."""
    return CartLine(VariantId(variant), quantity, at, price, "CNY")


def an_item(price: int, quantity: int = 1, tax_class: str = "standard", n: int = 1) -> SoldItem:
    """Something that is bought."""
    return SoldItem(VariantId(f"var_{n}"), GoodsId(f"gds_{n}"), quantity, price, "茶", "Tea", "", "", "TEA", "", tax_class)


def a_price(*items: SoldItem, shipping: int = 0, country: str = "XX", rules: TaxRules | None = None, **more: object) -> model.Priced:
    """One shop's part of a checkout."""
    return model.priced(
        items,
        shop_id=ShopId("shp_1"),
        name="",
        name_en="",
        currency="CNY",
        shipping=shipping,
        taxed=TAX_RULES.get(country, UNTAXED) if rules is None else rules,
        commission_ppm=50_000,
        **more,
    )


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("who", Who)
def test_every_step_is_in_the_table_or_is_refused_with_the_state(state: OrderState, step: Step, who: Who) -> None:
    """196 questions, each answered as it is written out beside: a no says where the order stands and what may be done from there."""
    if (state, step, who) in AFTER:
        assert model.after(ORDER, state, step, who) is AFTER[state, step, who]
        return
    with pytest.raises(Refused) as no:
        model.after(ORDER, state, step, who)
    assert no.value.code is OrderRefusal.OTHER_STATE
    figures = no.value.figures
    assert isinstance(figures, model.StateNow)
    assert (figures.order_id, figures.state, set(figures.steps)) == (ORDER, state, steps_from(state, who))
    assert len(figures.steps) == len(set(figures.steps))


def test_what_has_ended_stays_so() -> None:
    """Nothing but late money leads out of cancelled, nothing out of refunded, and what was received can be reviewed or come back."""
    ends = {OrderState.CANCELLED, OrderState.REFUNDED}
    assert [move.step for move in MOVES if move.state in ends] == [Step.RETAKE]
    assert {move.step for move in MOVES if move.state is OrderState.RECEIVED} == {
        Step.REVIEW,
        Step.CLAIM,
        Step.CLAIM_RETURN,
        Step.REFUND_PART,
        Step.REFUND_REST,
    }
    assert len(MOVES) == len(AFTER) == 59


def test_the_cart_keeps_lines_in_their_place() -> None:
    """More of the same grows the line and takes the price seen now, not the place or the time of a new one."""
    lines = model.with_more((a_line("var_a"), a_line("var_b")), a_line("var_a", 2, price=90, at=9))
    assert lines == (CartLine(VariantId("var_a"), 3, 5, 90, "CNY"), a_line("var_b"))
    assert model.without(lines, [VariantId("var_a")]) == (a_line("var_b"),)


def test_a_cart_is_bounded() -> None:
    """A hundred lines, 999 pieces a line."""
    full = tuple(a_line(f"var_{n}") for n in range(CART_LINES_MAX))
    assert model.with_more(full, a_line("var_7"))[7].quantity == 2
    for lines, wanted, code in (
        (full, a_line("var_x"), OrderRefusal.CART_FULL),
        ((a_line("var_a", 999),), a_line("var_a"), OrderRefusal.LINE_FULL),
    ):
        with pytest.raises(Refused) as no:
            model.with_more(lines, wanted)
        assert no.value.code is code


def test_only_what_is_in_the_cart_can_be_chosen() -> None:
    """Nothing named is everything; a name that is not there, or an empty cart, is refused."""
    cart = (a_line("var_a"), a_line("var_b"))
    assert model.selected(cart, ()) == cart
    assert model.selected(cart, (VariantId("var_b"), VariantId("var_b"))) == (a_line("var_b"),)
    with pytest.raises(Refused) as no:
        model.selected(cart, (VariantId("var_a"), VariantId("var_c")))
    assert (no.value.code, no.value.figures) == (OrderRefusal.LINE_NOT_FOUND, model.Gone(variants=(VariantId("var_c"),)))
    with pytest.raises(Refused) as no:
        model.selected((), ())
    assert no.value.code is OrderRefusal.CART_EMPTY


def test_a_checkout_and_its_orders_find_each_other() -> None:
    """Ids are as long as all others, and lead both ways."""
    checkout_id = model.checkout_id_from("chk_0198aa000000000100000000a7")
    assert checkout_id == CheckoutId("chk_0198aa00000000010000000000")
    assert [model.order_id_of(checkout_id, place) for place in (0, 1, 99)] == [
        "ord_0198aa00000000010000000000",
        "ord_0198aa00000000010000000001",
        "ord_0198aa00000000010000000063",
    ]
    assert {model.checkout_of(model.order_id_of(checkout_id, place)) for place in range(256)} == {checkout_id}
    assert model.payment_of(checkout_id) == "pay_0198aa00000000010000000000"
    assert model.hold_of(ORDER) == "hld_0198aa00000000010000000000"


def test_numbers_people_read_out() -> None:
    """Twelve digits; what is not one leads nowhere."""
    numbering = Numbering(b"a secret")
    assert [numbering.number_of(seq) for seq in (1, 2, 3)] == NUMBERED
    assert [numbering.seq_of(text) for text in ("", "38196601127", "3819660112733", "38196601127x", "٣٨١٩٦٦٠١١٢٧٣")] == [None] * 5


def test_numbers_do_not_say_how_many_orders_there_are() -> None:
    """Under another secret they are others; neighbours lie anywhere, never twice the same way apart; each is there once."""
    numbering, other = Numbering(b"a secret"), Numbering(b"another")
    numbers = [numbering.number_of(seq) for seq in range(20_000)]
    assert len(set(numbers)) == 20_000
    assert not {other.number_of(seq) for seq in range(100)} & set(numbers[:100])
    apart = [int(b[:11]) - int(a[:11]) for a, b in itertools.pairwise(numbers)]
    assert len(set(apart)) == len(apart)
    ups = sum(step > 0 for step in apart)
    assert 9_700 < ups < 10_300, "as often up as down: within four deviations of a coin that is thrown 20,000 times"
    first = Counter(number[0] for number in numbers)
    assert all(1_800 < count < 2_200 for count in first.values()), "every first digit as often as any other"


def test_taxes_are_included_or_added_and_rounded_half_up() -> None:
    """13 % of China is in the price; 5 % of Canada comes on top; who is not in the table is not taxed."""
    assert a_price(an_item(113), country="CN").taxes == (Tax("var_1", 130_000, included=True, base=113, amount=13),)
    assert a_price(an_item(113), country="CN").total == 113
    canada = a_price(an_item(10, 1, n=1), an_item(9, 1, n=2), shipping=10, country="CA")
    assert [tax.amount for tax in canada.taxes] == [1, 0, 1]  # 0.5 goes up, 0.45 goes down; shipping is taxed too
    assert canada.total == 31
    assert a_price(an_item(100), country="BR").taxes == ()


def test_every_country_taxes_every_class() -> None:
    """A class that a country has no rule for would be sold without tax, unseen; only what is exempt is."""
    for rules in TAX_RULES.values():
        assert set(rules) - {"shipping"} == set(TaxClass) - {TaxClass.EXEMPT}
    assert a_price(an_item(100, tax_class="exempt"), country="CN").taxes == ()


@pytest.mark.parametrize(
    ("country", "goods", "shipping"),
    [
        ("CN", [(130_000, 300), (90_000, 100), (90_000, 0)], [(130_000, 76), (90_000, 25)]),
        ("DE", [(190_000, 300), (70_000, 100), (70_000, 0)], [(190_000, 76), (70_000, 25)]),
        ("JP", [(100_000, 300), (80_000, 100), (80_000, 0)], [(100_000, 101)]),
        ("BR", [], []),
    ],
)
def test_shipping_is_taxed_like_the_goods_that_it_brings(
    country: str, goods: list[tuple[int, int]], shipping: list[tuple[int, int]]
) -> None:
    """A part of 1.01 for each rate, by what the goods of that rate cost, to the last unit; in Japan always at the standard rate."""
    items = (an_item(300), an_item(100, n=2, tax_class="reduced"), an_item(0, n=3, tax_class="reduced"))
    priced = a_price(*items, shipping=101, country=country)
    assert [(tax.rate_ppm, tax.base) for tax in priced.taxes if tax.of != "shipping"] == goods
    assert [(tax.rate_ppm, tax.base) for tax in priced.taxes if tax.of == "shipping"] == shipping
    assert priced.total == 501


def test_shipping_of_what_is_exempt_in_part() -> None:
    """Only the part that brings taxed goods is taxed, and it is added where taxes are; what is all exempt has no tax."""
    mixed = a_price(an_item(300), an_item(100, n=2, tax_class="exempt"), shipping=200, country="CA")
    assert [(tax.of, tax.base, tax.amount) for tax in mixed.taxes] == [("var_1", 300, 15), ("shipping", 150, 8)]
    assert mixed.total == 300 + 100 + 200 + 15 + 8
    assert a_price(an_item(100, tax_class="exempt"), shipping=200, country="CA").taxes == ()


def test_shipping_is_taxed_by_its_own_class() -> None:
    """A rule for the class `shipping` makes a line of its own."""
    taxed = a_price(an_item(100), shipping=50, rules={"shipping": (TaxRule(100_000, included=False),)})
    assert taxed.taxes == (Tax("shipping", 100_000, included=False, base=50, amount=5),)
    assert taxed.total == 155


def test_a_shops_discount_is_split_over_the_lines_before_tax() -> None:
    """10 off goods of 100 and 50 is 7 and 3 (the larger remainder gets the unit); taxes and commission follow the rest."""
    rule = {"standard": (TaxRule(100_000, included=False),)}
    priced = a_price(an_item(100, n=1), an_item(50, n=2), offered=(Discount("spring", Funder.SHOP, 10),), rules=rule)
    assert [tax.base for tax in priced.taxes] == [93, 47]
    assert [tax.amount for tax in priced.taxes] == [9, 5]
    assert (priced.total, priced.promoted, priced.commission) == (154, 0, 7)


def test_a_discount_of_the_marketplace_is_paid_by_it() -> None:
    """The shop is paid in full by two: taxes and commission are those of the price; no more is taken off than there is."""
    rule = {"standard": (TaxRule(100_000, included=False),)}
    for amount, granted in ((10, 10), (1000, 150)):
        offered = (Discount("spring", Funder.MARKETPLACE, amount),)
        priced = a_price(an_item(100, n=1), an_item(50, n=2), shipping=7, offered=offered, rules=rule)
        assert [(tax.base, tax.amount) for tax in priced.taxes] == [(100, 10), (50, 5), (7, 1)]
        assert (priced.total, priced.promoted, priced.commission) == (173 - granted, granted, 8)
        assert priced.discounts == (Discount("spring", Funder.MARKETPLACE, granted),)


def test_discounts_of_both_kinds_take_no_more_than_the_goods_cost() -> None:
    """In the order in which they are offered: what comes last has what is left."""
    shop, marketplace = Discount("shop", Funder.SHOP, 80), Discount("all", Funder.MARKETPLACE, 80)
    first, second = (a_price(an_item(100), offered=offered) for offered in ((shop, marketplace), (marketplace, shop)))
    assert (first.total, first.promoted, [one.amount for one in first.discounts]) == (0, 20, [80, 20])
    assert (second.total, second.promoted, [one.amount for one in second.discounts]) == (0, 80, [80, 20])


def test_a_pen_name_tells_nothing_across_goods() -> None:
    """The same author is somebody else under other goods."""
    names = {model.pen_name("per_1", GoodsId(f"gds_{n}")) for n in range(50)}
    assert len(names) == 50
    assert all(name.startswith("buyer-") and len(name) == 14 for name in names)
