"""Laws of totals, whatever is bought: the lines are the total, splits are exact, nothing is negative."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.orders import model
from yunduan.domains.orders.charges import charges, sum_of
from yunduan.domains.orders.model import PPM, Discount, Funder, SoldItem
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.taxes import Rounding, TaxRule
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.money import AMOUNT_MAX
from yunduan.kernel.refusals import Refused

CLASSES = ("standard", "reduced", "none")
items = st.lists(
    st.builds(
        lambda quantity, price, tax_class: (quantity, price, tax_class),
        st.integers(1, 999),
        st.one_of(st.integers(1, 500), st.integers(1, 10**10)),
        st.sampled_from(CLASSES),
    ),
    min_size=1,
    max_size=12,
).map(
    lambda rows: tuple(
        SoldItem(VariantId(f"var_{n}"), GoodsId(f"gds_{n}"), quantity, price, "茶", "Tea", "", "", "TEA", "", tax_class)
        for n, (quantity, price, tax_class) in enumerate(rows)
    )
)
discounts = st.lists(st.builds(Discount, st.just("spring"), st.sampled_from(Funder), st.integers(0, 10**9)), max_size=3)


def taxes_in(included):
    """What there may be on one class: one tax or several, all of them in the price or all on top of it."""
    rule = st.builds(TaxRule, st.integers(0, PPM // 4), st.just(included), st.sampled_from(Rounding), st.sampled_from(("", "GST", "PST")))
    return st.lists(rule, min_size=1, max_size=3, unique_by=lambda one: one.name).map(tuple)


rules = st.booleans().flatmap(
    lambda included: st.fixed_dictionaries(
        {"standard": taxes_in(included), "reduced": taxes_in(included)}, optional={"shipping": taxes_in(included)}
    )
)
ppm = st.integers(0, PPM)


def a_price(of, shipping, offered, rules, commission):
    """One shop's part of a checkout."""
    return model.priced(
        of, shop_id=ShopId("shp_1"), name="", name_en="", currency="CNY", shipping=shipping, taxed=rules,
        commission_ppm=commission, offered=offered,
    )  # fmt: skip


@given(of=items, shipping=st.integers(0, 10**8), offered=discounts, rules=rules, commission=ppm)
def test_the_lines_are_the_total(of, shipping, offered, rules, commission):
    """What people see adds up to what they pay, and no line of it is below zero."""
    priced = a_price(of, shipping, offered, rules, commission)
    lines = charges(priced.items, priced.shipping, priced.discounts, priced.taxes, "CNY")
    assert sum_of(lines) == priced.total
    assert all(line.amount.amount >= 0 for line in lines)
    assert priced.total >= shipping >= 0


@given(of=items, offered=discounts, rules=rules, commission=ppm)
def test_discounts_take_no_more_than_there_is(of, offered, rules, commission):
    """Discounts stop at nothing; the shop's own are split over the lines to the last unit, and taxes are reckoned on what it gets."""
    priced = a_price(of, 0, offered, rules, commission)
    goods = sum(item.amount for item in of)
    taken = {funder: sum(one.amount for one in priced.discounts if one.funder is funder) for funder in Funder}
    assert sum(taken.values()) == min(goods, sum(discount.amount for discount in offered))
    assert priced.promoted == taken[Funder.MARKETPLACE]
    by_line = {tax.of: tax.base for tax in priced.taxes}  # several taxes of one line have one base
    assert all(by_line[item.variant_id] <= item.amount for item in of if item.variant_id in by_line)
    if len(by_line) == len(of):
        assert sum(by_line.values()) == goods - taken[Funder.SHOP]
    assert 0 <= priced.commission <= goods - taken[Funder.SHOP]
    assert priced.commission <= priced.total + priced.promoted


@given(of=items, shipping=st.integers(0, 10**8), offered=discounts, amount=st.integers(0, 10**9), rules=rules, commission=ppm)
def test_what_the_marketplace_gives_costs_the_shop_nothing(of, shipping, offered, amount, rules, commission):
    """Whatever else is taken off: the shop's money, its commission and the taxes are as they were; the buyer pays that much less."""
    without = a_price(of, shipping, offered, rules, commission)
    given = a_price(of, shipping, [*offered, Discount("spring", Funder.MARKETPLACE, amount)], rules, commission)
    assert given.total + given.promoted == without.total + without.promoted
    assert (given.commission, given.taxes) == (without.commission, without.taxes)
    left = sum(item.amount for item in of) - sum(discount.amount for discount in without.discounts)
    assert without.total - given.total == min(amount, left)


@given(of=items, shipping=st.integers(0, 10**8), offered=discounts, rules=rules)
def test_shipping_is_taxed_like_its_goods(of, shipping, offered, rules):
    """Its parts are all of it when everything is taxed, never more, each at a rate of the goods, or by the country's own rule for it."""
    priced = a_price(of, shipping, offered, rules, 0)
    parts = [tax for tax in priced.taxes if tax.of == "shipping"]
    own = rules.get("shipping")
    allowed = {own} if own else {rules.get(item.tax_class, ()) for item in of}
    assert {(part.rate_ppm, part.included, part.name) for part in parts} <= {
        (rule.rate_ppm, rule.included, rule.name) for all_of in allowed for rule in all_of
    }
    bases = {part.name: 0 for part in parts}
    for part in parts:
        assert part.base > 0
        bases[part.name] += part.base
    assert all(base <= shipping for base in bases.values())


@given(of=items, shipping=st.integers(0, 10**8), offered=discounts, rules=rules, commission=ppm)
def test_a_price_contains_no_more_taxes_than_it_is(of, shipping, offered, rules, commission):
    """However many there are and however they are rounded; and each is off from its rate by less than a unit for each tax of its line."""
    priced = a_price(of, shipping, offered, rules, commission)
    by_line = {}
    for tax in priced.taxes:
        by_line.setdefault((tax.of, tax.base), []).append(tax)
    for (_, base), lines in by_line.items():
        whole = PPM + sum(tax.rate_ppm for tax in lines) if lines[0].included else PPM
        assert not lines[0].included or sum(tax.amount for tax in lines) <= base
        assert all(abs(tax.amount * whole - base * tax.rate_ppm) < whole * 2 for tax in lines)


@given(of=items, rate=st.integers(1, PPM), included=st.booleans())
def test_each_line_is_taxed_half_up_by_itself(of, rate, included):
    """A tax is off by at most half a unit a line; an included one is inside its line, an added one is on top."""
    rule = TaxRule(rate, included)
    priced = a_price(of, 0, (), dict.fromkeys(CLASSES, (rule,)), 0)
    for item, tax in zip(of, priced.taxes, strict=True):
        whole = PPM + rate if included else PPM
        assert abs(2 * (tax.amount * whole - item.amount * rate)) <= whole
        assert tax.base == item.amount
        assert tax.amount <= tax.base
    goods = sum(item.amount for item in of)
    assert priced.total == goods + (0 if included else sum(tax.amount for tax in priced.taxes))


@given(total=st.integers(0, AMOUNT_MAX), promoted=st.integers(0, AMOUNT_MAX), ppm=ppm, shares=st.lists(st.integers(0, 100), max_size=5))
def test_a_commission_never_exceeds_what_is_left(total, promoted, ppm, shares):
    """However much has been given back, the marketplace keeps its share of the rest and not a unit more than the escrow holds."""
    commission = (2 * (total + promoted) * ppm + PPM) // (2 * PPM)
    refunded = 0
    before = commission
    for share in shares:
        refunded += (total - refunded) * share // 100
        kept = model.share_left(commission, total=total, refunded=refunded)
        held = total - refunded + model.share_left(promoted, total=total, refunded=refunded)
        assert 0 <= kept <= min(before, held)
        before = kept
    assert model.share_left(commission, total=total, refunded=0) == commission
    assert not total or model.share_left(commission, total=total, refunded=total) == 0


@given(of=items, shipping=st.integers(0, AMOUNT_MAX))
def test_what_no_amount_can_hold_is_refused(of, shipping):
    """A total is an amount, or it is refused: never a broken program."""
    goods = sum(item.amount for item in of)
    if goods + shipping <= AMOUNT_MAX // 2:
        assert a_price(of, shipping, (), {}, 0).total == goods + shipping
        return
    with pytest.raises(Refused) as no:
        a_price(of, shipping, (), {}, 0)
    assert no.value.code is model.OrderRefusal.TOO_LARGE


@given(seq=st.integers(0, 10**11 - 1), place=st.integers(0, 11), digit=st.integers(0, 9))
def test_a_number_with_one_wrong_digit_is_nobodys(seq, place, digit):
    """Numbers lead back to their orders; one wrong digit, or two neighbours that changed places, lead nowhere."""
    numbering = Numbering(b"a secret")
    number = numbering.number_of(seq)
    assert numbering.seq_of(number) == seq
    wrong = number[:place] + str(digit) + number[place + 1 :]
    assert wrong == number or numbering.seq_of(wrong) is None
    if place < 11:
        swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        assert swapped == number or numbering.seq_of(swapped) is None
