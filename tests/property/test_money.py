"""Laws of money: nothing is made, nothing is lost, nothing is negative."""

from fractions import Fraction

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.kernel.money import AMOUNT_MAX, EXPONENTS, Money, share, split, zero
from yunduan.kernel.refusals import BrokenError

amounts = st.integers(0, 10**12)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=20)


def cny(amount: int) -> Money:
    return Money(amount=amount, currency="CNY")


@given(whole=amounts, by=weights)
def test_the_parts_of_a_split_are_the_whole_and_each_is_within_one_unit_of_its_due(whole: int, by: list[int]) -> None:
    """Largest remainder: exact in sum, fair in each part."""
    parts = [part.amount for part in split(cny(whole), by)]
    assert sum(parts) == whole
    total = sum(by)
    if total:
        assert all(abs(part - Fraction(whole * weight, total)) < 1 for part, weight in zip(parts, by, strict=True))
        assert all(part == 0 for part, weight in zip(parts, by, strict=True) if weight == 0)
    else:
        assert parts[0] == whole


@given(whole=amounts, parts=st.integers(0, 10**6))
def test_a_share_is_rounded_half_up(whole: int, parts: int) -> None:
    """To the nearest unit, and a half goes up."""
    exact = Fraction(whole * parts, 10**6)
    assert share(cny(whole), parts=parts, of=10**6).amount == int(exact + Fraction(1, 2))


@given(a=amounts, b=amounts)
def test_addition_and_subtraction_undo_each_other(a: int, b: int) -> None:
    """And comparison agrees with the amounts."""
    assert cny(a) + cny(b) - cny(b) == cny(a)
    assert (cny(a) < cny(b), cny(a) <= cny(b), cny(a) > cny(b), cny(a) >= cny(b)) == (a < b, a <= b, a > b, a >= b)


def test_two_currencies_are_never_added_and_neither_is_more() -> None:
    """It is a broken program, not an answer."""
    yen = Money(amount=1, currency="JPY")
    for attempt in (
        lambda: cny(1) + yen,
        lambda: cny(1) - yen,
        lambda: cny(1) < yen,
        lambda: cny(1) <= yen,
        lambda: cny(1) > yen,
        lambda: cny(1) >= yen,
        lambda: max(cny(1), yen),
    ):
        with pytest.raises(BrokenError):
            attempt()


def test_money_of_two_currencies_is_not_the_same() -> None:
    """Equality answers, so that what was agreed can be held against what is: nothing in one currency is not nothing in another."""
    assert zero("CNY") != zero("JPY")
    assert cny(1) != Money(amount=1, currency="JPY")
    assert cny(1) == cny(1)
    assert len({cny(1), Money(amount=1, currency="JPY"), cny(1)}) == 2


def test_more_than_there_is_cannot_be_taken() -> None:
    """An amount never goes below zero."""
    with pytest.raises(BrokenError):
        cny(1) - cny(2)


@pytest.mark.parametrize("amount", [-1, AMOUNT_MAX + 1])
def test_an_amount_out_of_bounds_cannot_be_made(amount: int) -> None:
    """Whoever makes it."""
    with pytest.raises(ValueError, match="is not an amount"):
        cny(amount)


def test_exponents_are_those_of_iso_4217() -> None:
    """Every currency that has a minor unit, as the maintenance agency's own table has it; a yen has no part, a dinar a thousand."""
    theirs = {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}
    assert theirs == EXPONENTS
    assert (EXPONENTS["CNY"], EXPONENTS["JPY"], EXPONENTS["OMR"], EXPONENTS["CLF"]) == (2, 0, 3, 4)
    assert (str(Money(amount=3990, currency="CNY")), str(Money(amount=39, currency="JPY"))) == ("39.90 CNY", "39 JPY")
    assert str(Money(amount=5, currency="KWD")) == "0.005 KWD"
    assert not zero("CNY")
