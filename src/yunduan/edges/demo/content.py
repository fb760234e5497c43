"""What the demonstration market is made of, read from its files."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

MARKET = Path(__file__).parent / "market"
Said = tuple[str, str]
"""The same in Chinese and in English."""


class GoodsText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods as their shop's file describes them: `variants` with prices of their own, `values` that all cost `price`, or just one thing."""

    picture: str
    category: str
    title: str
    title_en: str
    about: str
    about_en: str
    option: Said | None = None
    variants: tuple[tuple[str, str, int, int], ...] = ()
    """Name, English name, price in minor units, weight in grams."""
    values: tuple[str | Said, ...] = ()
    price: int = 0
    weight_g: int = 0
    value_pictures: dict[str, str] = {}
    """Which picture shows a value of the option, by its English name."""

    def choices(self) -> tuple[tuple[str, str, int, int], ...]:
        """Every variant as name, English name, price and weight; one without a name where there is nothing to choose."""
        if self.values:
            pairs = [(value, value) if isinstance(value, str) else value for value in self.values]
            return tuple((name, name_en, self.price, self.weight_g) for name, name_en in pairs)
        return self.variants or (("", "", self.price, self.weight_g),)


class Shipping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shop takes for shipping within the country, and where it does not go."""

    measure: str
    first_units: int
    first_fee: int
    further_units: int
    further_fee: int
    free_from: int
    not_to: tuple[str, ...]


class ShopText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shop and all that it sells."""

    key: str
    name: str
    name_en: str
    about: str
    about_en: str
    picture: str
    owner: str
    region: str
    commission_ppm: int
    carriers: tuple[str, ...]
    shipping: Shipping
    goods: tuple[GoodsText, ...]


class Branch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A category and those below it: key, name, English name."""

    name: str
    name_en: str
    below: tuple[tuple[str, str, str], ...]


class Opinions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What buyers say of goods of a category."""

    good: tuple[Said, ...]
    fair: tuple[Said, ...]
    poor: tuple[Said, ...]
    later: tuple[Said, ...]

    def of(self, stars: int) -> tuple[Said, ...]:
        """What is said by whoever gives so many stars."""
        return self.good if stars > 3 else self.fair if stars == 3 else self.poor


class People(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of whom people are made, and what they and shops say to each other."""

    surnames: tuple[str, ...]
    given: tuple[str, ...]
    nicknames: tuple[str, ...]
    english: tuple[str, ...]
    places: tuple[tuple[str, str, str, str, str, str, str, str], ...]
    """Region, city, district and street, and the same in English."""
    notes: tuple[Said, ...]
    answers_good: tuple[Said, ...]
    answers_poor: tuple[Said, ...]


class CaseText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said in a case; nothing where nobody speaks."""

    claim: Said
    answer: Said = ("", "")
    call: Said = ("", "")
    evidence: Said = ("", "")
    ruling: Said = ("", "")


class Content(Struct, frozen=True, kw_only=True):
    """All of it."""

    shops: tuple[ShopText, ...]
    categories: dict[str, Branch]
    reviews: dict[str, Opinions]
    people: People
    cases: dict[str, CaseText]


@cache
def content() -> Content:
    """Everything, as the files have it; raises `msgspec.ValidationError` for a file that is not of the form."""

    def read(file: Path, form: Any) -> Any:
        return msgspec.toml.decode(file.read_bytes(), type=form)

    return Content(
        shops=tuple(read(file, ShopText) for file in sorted((MARKET / "shops").glob("*.toml"))),
        categories=read(MARKET / "categories.toml", dict[str, Branch]),
        reviews=read(MARKET / "reviews.toml", dict[str, Opinions]),
        people=read(MARKET / "people.toml", People),
        cases=read(MARKET / "cases.toml", dict[str, CaseText]),
    )
