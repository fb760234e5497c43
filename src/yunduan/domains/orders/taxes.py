"""What taxes there are where goods go, and what they come to on each line of an order: values and pure decisions."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import RefusalCode, Refused

PPM = 1_000_000
SHIPPING_TAX_CLASS = "shipping"
ENTRIES_MAX = 64
"""Of one table."""
TOGETHER_PPM_MAX = 500_000
"""What the taxes of one table come to at most on one class at one time: with those of a region never more than the price itself."""
_AT_MAX = 2**53
_PLAIN = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"


class TaxRefusal(RefusalCode):
    """What tables of taxes refuse."""

    REGION_UNKNOWN = "tax_region_unknown", "The country has no region of this name."
    OVERLAPS = "taxes_overlap", "Two entries of one tax on one class are valid at the same time, or one is never valid."
    MIXED = "taxes_mixed", "In one country prices contain every tax, or all taxes are added: its regions do as it does."
    TOO_HIGH = "taxes_too_high", "Together these taxes come to more than half of the price."


class Rounding(StrEnum):
    """What becomes of a part of the smallest unit; once for each line and tax."""

    HALF_UP = "half_up"
    DOWN = "down"
    UP = "up"


class TaxedClass(StrEnum):
    """What is taxed: goods by their class, and what it costs to send them where that is not taxed like the goods."""

    STANDARD = "standard"
    REDUCED = "reduced"
    SHIPPING = "shipping"


class TaxEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tax on one class, at a rate in millionths, from a time until another (milliseconds since 1970; 0 when there is none)."""

    tax_class: TaxedClass
    rate_ppm: Annotated[int, Meta(ge=0, le=TOGETHER_PPM_MAX, examples=[130_000])]
    name: Annotated[
        str, Meta(max_length=20, pattern=_PLAIN, description="What it is called; a region's takes the place of its country's.")
    ] = ""
    valid_from: Annotated[int, Meta(ge=0, le=_AT_MAX, examples=[0])] = 0
    valid_until: Annotated[int, Meta(ge=0, le=_AT_MAX, examples=[0])] = 0

    @property
    def ends(self) -> int:
        """When it ends, as a number that can be compared."""
        return self.valid_until or _AT_MAX + 1

    def holds_at(self, now: int) -> bool:
        """Whether it is valid at a time: from its first moment on, and not at its last."""
        return self.valid_from <= now < self.ends


class TaxTable(Struct, frozen=True, kw_only=True):
    """The taxes of a country, or what a region of it has besides or instead."""

    country: str
    region: str
    """In its one form (`kernel.regions`); empty for the country."""
    included: bool
    rounding: Rounding
    taxes: tuple[TaxEntry, ...]


class TaxRule(Struct, frozen=True):
    """A rate in millionths, whether prices contain it already, how it is rounded, and what it is called."""

    rate_ppm: int
    included: bool
    rounding: Rounding = Rounding.HALF_UP
    name: str = ""


TaxRules = Mapping[str, tuple[TaxRule, ...]]
"""What is taken on each class in one place at one time; a class that is not there is not taxed."""
TAX_RULES: Mapping[str, TaxRules] = MappingProxyType(
    {
        # Excise Tax Act, s. 165 (1): the GST alone, without what provinces add. It has no reduced rate.
        "CA": {"standard": (TaxRule(50_000, included=False),), "reduced": (TaxRule(50_000, included=False),)},
        # 增值税: 13 % and 9 %
        "CN": {"standard": (TaxRule(130_000, included=True),), "reduced": (TaxRule(90_000, included=True),)},
        # § 12 UStG
        "DE": {"standard": (TaxRule(190_000, included=True),), "reduced": (TaxRule(70_000, included=True),)},
        # Value Added Tax Act 1994, s. 2 and s. 29A
        "GB": {"standard": (TaxRule(200_000, included=True),), "reduced": (TaxRule(50_000, included=True),)},
        # 消費税, the local part in it; what is charged for sending is of the standard rate, that of food included (国税庁, 軽減税率 Q&A)
        "JP": {
            "standard": (TaxRule(100_000, included=True),),
            "reduced": (TaxRule(80_000, included=True),),
            "shipping": (TaxRule(100_000, included=True),),
        },
    }
)
"""By country (ISO 3166-1): what holds where nobody has set a table. Each country has every class but `exempt`.

Shipping is taxed like the goods that it brings, unless a country has a rule for `shipping`: to deliver is a part of selling (GB: VAT
Notice 700/24, 2; DE: UStAE 3.10; CN: 财税〔2016〕36号, 附件 1, 第四十条; CA: Excise Tax Act, s. 138). See decisions 0010 and 0035.
"""
UNTAXED: TaxRules = MappingProxyType({})


class Taxes(Protocol):
    """Whoever knows what is taken where goods go: a port."""

    def rules(self, at: Any, country: str, region: str) -> TaxRules:
        """What is taken there now; `region` is in its one form. Asked in every checkout, so it makes no statement."""
        ...


class Tax(Struct, frozen=True, array_like=True, gc=False):
    """The tax of one line, named by its variant, or `shipping`: rounded once, on what the shop gets for the line.

    What the marketplace pays of a price is a part of the price, and taxed with it (such as by article 73 of Directive 2006/112/EC).
    Shipping has one for each rate, of the part that brings the goods of that rate.
    """

    of: str
    rate_ppm: int
    included: bool
    base: int
    amount: int
    name: str = ""


class Taxed(Protocol):
    """What is bought, as far as taxes go."""

    @property
    def variant_id(self) -> str: ...  # noqa: D102 - said above
    @property
    def tax_class(self) -> str: ...  # noqa: D102 - said above


# What a table says


def check(table: TaxTable, others: Iterable[TaxTable]) -> None:
    """Refuse a table that does not say one thing at every time, or not what the other tables of its country say."""
    if any(other.included != table.included for other in others):
        raise Refused(TaxRefusal.MIXED)
    entries = table.taxes
    if any(entry.valid_from >= entry.ends for entry in entries):
        raise Refused(TaxRefusal.OVERLAPS, "it ends before it begins")
    for moment in {entry.valid_from for entry in entries}:  # the sum of what holds grows at these moments alone
        holding = [entry for entry in entries if entry.holds_at(moment)]
        if len({(entry.tax_class, entry.name) for entry in holding}) < len(holding):
            raise Refused(TaxRefusal.OVERLAPS)
        for tax_class in TaxedClass:
            if sum([entry.rate_ppm for entry in holding if entry.tax_class is tax_class]) > TOGETHER_PPM_MAX:
                raise Refused(TaxRefusal.TOO_HIGH, tax_class)


def table_of(country: str, rules: TaxRules) -> TaxTable:
    """Rules that always hold, as a table."""
    entries = tuple(
        TaxEntry(tax_class=TaxedClass(tax_class), rate_ppm=rule.rate_ppm, name=rule.name)
        for tax_class, all_of in rules.items()
        for rule in all_of
    )
    included = all(rule.included for all_of in rules.values() for rule in all_of)
    return TaxTable(country=country, region="", included=included, rounding=Rounding.HALF_UP, taxes=entries)


def changes_in(tables: Iterable[TaxTable]) -> tuple[int, ...]:
    """The times from which something else holds, from the first on."""
    return tuple(sorted({0, *(at for table in tables for entry in table.taxes for at in (entry.valid_from, entry.valid_until))}))


def rules_at(tables: Sequence[TaxTable], now: int) -> TaxRules:
    """What holds at a time by a country's table and, after it, a region's: a tax of the same class and name takes the other's place."""
    found: dict[str, dict[str, TaxRule]] = {}
    for table in tables:
        for entry in table.taxes:
            if entry.holds_at(now):
                rule = TaxRule(entry.rate_ppm, table.included, table.rounding, entry.name)
                found.setdefault(entry.tax_class.value, {})[entry.name] = rule
    return {tax_class: tuple([rule for rule in by_name.values() if rule.rate_ppm]) for tax_class, by_name in found.items()}


# What they come to


def reckoned(items: Sequence[Taxed], nets: Sequence[int], shipping: int, currency: str, rules: TaxRules) -> tuple[Tax, ...]:
    """The taxes on goods, of which the shop gets these amounts, and on what it costs to send them."""
    if not rules:
        return ()
    taxes: list[Tax] = []
    for item, net in zip(items, nets, strict=True):
        taxes += _on(item.variant_id, net, rules.get(item.tax_class, ()), currency)
    if shipping:
        own, of_goods = rules.get(SHIPPING_TAX_CLASS), [rules.get(item.tax_class, ()) for item in items]
        if own is None and of_goods.count(of_goods[0]) < len(of_goods):
            taxes += _on_shipping(Money(amount=shipping, currency=currency), nets, of_goods)
        else:
            taxes += _on(SHIPPING_TAX_CLASS, shipping, of_goods[0] if own is None else own, currency)
    return tuple(taxes)


def _on_shipping(shipping: Money, nets: Sequence[int], of_goods: Sequence[tuple[TaxRule, ...]]) -> list[Tax]:
    """The taxes of what brings goods of several rates: the goods of each rate have their part of it, by what they cost."""
    goods: dict[tuple[TaxRule, ...], int] = {}
    for net, rules in zip(nets, of_goods, strict=True):
        goods[rules] = goods.get(rules, 0) + net
    parts = zip(split(shipping, list(goods.values())), goods, strict=True)
    return [tax for part, rules in parts if part for tax in _on(SHIPPING_TAX_CLASS, part.amount, rules, shipping.currency)]


def _on(of: str, base: int, rules: tuple[TaxRule, ...], currency: str) -> list[Tax]:
    """What is taken on one sum: each added tax by itself; of those that are in it all together first, and that is split by their rates.

    So what a price contains of taxes is never more than the price, however many there are.
    """
    if len(rules) == 1:
        return [_alone(of, base, rules[0])] if rules[0].rate_ppm else []
    if len(rules) > 1:
        rules = tuple([rule for rule in rules if rule.rate_ppm])
    if len(rules) > 1 and rules[0].included:
        rates = [rule.rate_ppm for rule in rules]
        together = sum(rates)
        whole = Money(amount=_rounded(base, together, PPM + together, rules[0].rounding), currency=currency)
        return [Tax(of, rule.rate_ppm, True, base, part.amount, rule.name) for rule, part in zip(rules, split(whole, rates), strict=True)]
    return [_alone(of, base, rule) for rule in rules if rule.rate_ppm]


def _alone(of: str, base: int, rule: TaxRule) -> Tax:
    """One tax that shares a sum with no other that is in it."""
    rate, included = rule.rate_ppm, rule.included
    return Tax(of, rate, included, base, _rounded(base, rate, PPM + rate if included else PPM, rule.rounding), rule.name)


def _rounded(base: int, parts: int, of: int, rounding: Rounding) -> int:
    if rounding is Rounding.HALF_UP:
        return (2 * base * parts + of) // (2 * of)
    return base * parts // of if rounding is Rounding.DOWN else -(-base * parts // of)
