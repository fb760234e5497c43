"""Attributes of a category's goods: typed, told by their goods, filtered by; pure, no input or output."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import AttributeKey, AttributeValue, CatalogRefusal, MaybeName, Name, OptionValue
from yunduan.kernel.ids import CategoryId
from yunduan.kernel.refusals import Refused

ATTRIBUTES_MAX = 20
CHOICES_MAX = 100
FILTERS_MAX = 5
_KEY = r"[a-z][a-z0-9_]{0,29}"
_ONE = rf"{_KEY}:(yes|no|-?[0-9]{{1,13}}(\.\.-?[0-9]{{1,13}})?)"
Filters = Annotated[
    str,
    Meta(
        max_length=400,
        pattern=rf"^({_ONE}(,{_ONE}){{0,4}})?(?![\s\S])",
        description="What goods must have, divided by commas: `key:yes`, `key:3` (a place in a list, or a number), `key:100..250`.",
        examples=["organic:yes"],
    ),
]


class AttributeKind(StrEnum):
    """What an attribute may be."""

    CHOICE = "choice"
    """One of a list of texts, by its place in it."""
    NUMBER = "number"
    """A whole number of units."""
    FLAG = "flag"
    """Yes or no."""


class Attribute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that goods of a category tell of themselves; only a choice has values, only a number a unit."""

    key: AttributeKey
    name: Name
    name_en: MaybeName = ""
    kind: AttributeKind
    unit: MaybeName = ""
    values: Annotated[tuple[OptionValue, ...], Meta(max_length=CHOICES_MAX)] = ()


class CategoryAttributes(Struct, frozen=True, kw_only=True):
    """What is asked of goods of a category, and of all below it."""

    category_id: CategoryId
    attributes: tuple[Attribute, ...]


class Wanted(Struct, frozen=True):
    """A filter: goods whose attribute is from one number to another."""

    key: str
    low: int
    high: int


def check_attributes(before: Sequence[Attribute], after: Sequence[Attribute], above: Mapping[str, Attribute]) -> None:
    """Refuse attributes that are not of one kind, that a category above has, or that take away what goods may have told already."""
    keys = {one.key: one for one in after}
    if len(keys) != len(after) or not above.keys().isdisjoint(keys):
        raise Refused(CatalogRefusal.ATTRIBUTE_TAKEN)
    for one in after:
        if bool(one.values) != (one.kind is AttributeKind.CHOICE) or (one.unit and one.kind is not AttributeKind.NUMBER):
            raise Refused(CatalogRefusal.ATTRIBUTE_FORM, f"{one.key}: only a choice has values, only a number a unit")
    for old in before:
        new = keys.get(old.key)
        if new is None or (new.kind, new.unit) != (old.kind, old.unit) or len(new.values) < len(old.values):
            raise Refused(CatalogRefusal.ATTRIBUTE_KEPT, f"{old.key} was told by goods already")


def number_of(value: bool | int) -> int:
    """A value as it is filtered by."""
    return int(value)


def check_values(values: Sequence[AttributeValue], attributes: Mapping[str, Attribute]) -> None:
    """Refuse what goods tell of themselves that their category does not ask, tells twice, or of another kind."""
    if len({value.key for value in values}) != len(values):
        raise Refused(CatalogRefusal.ATTRIBUTE_VALUE, "an attribute is told once")
    for value in values:
        asked = attributes.get(value.key)
        is_flag = isinstance(value.value, bool)
        if asked is None or is_flag != (asked.kind is AttributeKind.FLAG):
            raise Refused(CatalogRefusal.ATTRIBUTE_VALUE, f"{value.key} is not asked, or is of another kind")
        if asked.kind is AttributeKind.CHOICE and not 0 <= value.value < len(asked.values):
            raise Refused(CatalogRefusal.ATTRIBUTE_VALUE, f"{value.key} has no such value")


def wanted_of(filters: str, attributes: Mapping[str, Attribute]) -> list[Wanted]:
    """The filters that a text names; refuses those that the category does not have, or of another kind."""
    found = []
    for one in filters.split(",") if filters else ():
        key, _, said = one.partition(":")
        asked = attributes.get(key)
        if asked is None or (said in ("yes", "no")) != (asked.kind is AttributeKind.FLAG):
            raise Refused(CatalogRefusal.FILTER, f"{key} is no attribute of this category, or of another kind")
        if asked.kind is AttributeKind.FLAG:
            low = high = number_of(said == "yes")
        else:
            first, _, last = said.partition("..")
            low, high = int(first), int(last or first)
        found.append(Wanted(key, low, high))
    return found
