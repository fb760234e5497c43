"""Whole minor units with a currency: exact, never negative, never a float."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.kernel.refusals import invariant

AMOUNT_MAX = 10**15
"""A sum of a thousand of these still fits 63 bits, and a float holds each exactly, so no client can spoil it unseen."""

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC"
    " CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW"
    " KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK"
    " PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH"
    " USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()}
"""Decimal places of each currency's minor unit: ISO 4217, list one of 2026-01-01, without what has no minor unit, such as gold."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?![\s\S])", description="An ISO 4217 code.", examples=["CNY"])]
Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX, description="Whole minor units of the currency.", examples=[1999])]


class Money(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """An amount in the minor units of one currency. Two currencies are never added, and neither is more: that is a broken program.

    Whether two are the same is a fair question, as of any value: of two currencies they are not, nothing in each included.
    """

    amount: Amount
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse what is not an amount, whoever makes it; `ValueError`, which a decoder reports as bad input."""
        if not 0 <= self.amount <= AMOUNT_MAX:
            raise ValueError(f"{self.amount} is not an amount")
        if self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency} is not a currency of ISO 4217")

    def __add__(self, other: "Money") -> "Money":
        """The sum."""
        self._same(other)
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """What is left; taking more than there is, is a broken program."""
        self._same(other)
        invariant(other.amount <= self.amount, f"{other} is taken from {self}")
        return Money(amount=self.amount - other.amount, currency=self.currency)

    def __mul__(self, times: int) -> "Money":
        """So many times."""
        return Money(amount=self.amount * times, currency=self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Whether this is less."""
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        """Whether this is not more."""
        self._same(other)
        return self.amount <= other.amount

    def __gt__(self, other: "Money") -> bool:
        """Whether this is more."""
        return other < self

    def __ge__(self, other: "Money") -> bool:
        """Whether this is not less."""
        return other <= self

    def __bool__(self) -> bool:
        """Whether it is anything at all."""
        return self.amount > 0

    def __str__(self) -> str:
        """For people who read logs: `39.90 CNY`."""
        exponent = EXPONENTS[self.currency]
        if not exponent:
            return f"{self.amount} {self.currency}"
        whole, part = divmod(self.amount, 10**exponent)
        return f"{whole}.{part:0{exponent}d} {self.currency}"

    def _same(self, other: "Money") -> None:
        invariant(self.currency == other.currency, f"{self.currency} and {other.currency} are never compared or added")


def zero(currency: str) -> Money:
    """Nothing, in a currency."""
    return Money(amount=0, currency=currency)


def share(whole: Money, *, parts: int, of: int) -> Money:
    """`parts / of` of a sum, rounded half up: the one rule for taxes, fees and percentages, applied once per line."""
    invariant(parts >= 0 and of > 0, "a share is a fraction of something")
    return Money(amount=(2 * whole.amount * parts + of) // (2 * of), currency=whole.currency)


def split(whole: Money, weights: Sequence[int]) -> list[Money]:
    """A sum divided by weights, to the last unit: each gets its whole part, the largest remainders one unit more (the first of equals).

    Without any weight everything goes to the first.
    """
    invariant(bool(weights) and min(weights) >= 0, "a sum is split over one part or more")
    total = sum(weights)
    if not total:
        return [whole] + [zero(whole.currency)] * (len(weights) - 1)
    parts = [whole.amount * weight // total for weight in weights]
    remainders = [whole.amount * weight % total for weight in weights]
    largest = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in largest[: whole.amount - sum(parts)]:
        parts[i] += 1
    return [Money(amount=part, currency=whole.currency) for part in parts]
