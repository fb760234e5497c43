"""Says in words what a pattern asks for: nobody who fills in a form should have to read a regular expression."""

import re
from ast import literal_eval
from collections.abc import Mapping
from types import MappingProxyType

from yunduan.edges.http.samples import is_id
from yunduan.edges.http.story import prefix_of

_END = r"(?![\s\S])"
_CONTROLS = (r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069", r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069")
_LINE = "a text on one line, without control characters"
_TEXT = "a text without control characters other than line feeds"
_FILTER = r"[a-z][a-z0-9_]{0,29}:(yes|no|-?[0-9]{1,13}(\.\.-?[0-9]{1,13})?)"
_FILTERS = rf"^({_FILTER}(,{_FILTER}){{0,4}})?"
_CHOSEN = r"[a-z][a-z0-9_]{0,29}:(yes|no|-?[0-9]{1,13}(\.\.(-?[0-9]{1,13})?)?|\.\.-?[0-9]{1,13})"
_ALL_CHOSEN = rf"^({_CHOSEN}(,{_CHOSEN}){{0,9}})?"
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "^[!-~]{1,255}": "printable ASCII characters without spaces",
        "^[0-9]{1,15}": "a whole number of at most fifteen digits",
        "^[0-9]{6}": "six digits",
        "^[0-9]{12}": "twelve digits",
        "^([0-9]{4}-[0-9]{2}-[0-9]{2})?": "a day such as 2026-09-21, or nothing",
        "^([01][0-9]|2[0-3]):[0-5][0-9]": "a time of day such as 22:00",
        "^[0-9a-f]{64}": "64 digits from 0 to f",
        "^[A-Z]{2}": "two capital letters such as CN",
        "^([A-Z]{2})?": "two capital letters such as CN, or nothing",
        "^[A-Z]{3}": "three capital letters such as CNY",
        "^[A-Za-z0-9_-]+": "a cursor, as the page before gave it",
        "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?": "base64, with its padding",
        "^[0-9A-Za-z-]+": "letters, digits and hyphens",
        "^[0-9A-Za-z.-]*": "letters, digits, full stops and hyphens",
        "^[0-9A-Za-z][0-9A-Za-z._/-]*": "letters and digits such as TEA-250",
        _FILTERS: "at most five filters such as organic:yes or weight:100..250, with commas between them",
        _ALL_CHOSEN: "at most ten filters such as organic:yes, colour:3 or weight:100..250, with commas between them",
        "^[a-z][a-z0-9_]*": "a word in small letters such as standard",
        "^[a-z][a-z0-9]{0,15}": "the name of a channel such as sandbox",
        "^([a-z][a-z0-9]{0,15})?": "the name of a channel such as sandbox, or nothing",
        "^[0-9A-Z]{6,34}": "6 to 34 digits and capital letters",
        "^bnk_[0-9a-z]{1,40}": "an id such as bnk_…",
        "^pyo_[0-9a-z]{1,40}": "an id such as pyo_…",
        "^ucl_[0-9a-z]{1,40}": "an id such as ucl_…",
        "^spl_[0-9a-z]{1,40}": "an id such as spl_…",
        "^pic_[0-9a-f]{1,40}": "an id such as pic_…",
        "^alr_[0-9a-f]{26}": "an id such as alr_…",
        "^cbk_[0-9a-f]{26}": "an id such as cbk_…",
        "^([0-9a-f]{11}cbk_[0-9a-f]{26})?": "the next of the page before, or nothing",
        "^(alr_[0-9a-f]{26})?": "an id such as alr_…, or nothing",
        "^([a-z]{3}_[0-9a-z]{1,40}(,[a-z]{3}_[0-9a-z]{1,40}){0,99})?": "at most a hundred ids such as var_…, with commas between them",
        r"^ord_[0-9a-z]{1,40}(\.[1-9][0-9]?)?(,ord_[0-9a-z]{1,40}(\.[1-9][0-9]?)?){0,49}": (
            "at most fifty orders such as ord_…, or parcels of them such as ord_….2, with commas between them"
        ),
        r"^(?![\s\S]*\.\.)(?![\s\S]*//)[A-Za-z0-9][A-Za-z0-9/_.-]*": "a path such as goods/teapot.18639ff552eb.webp",
        r"^[^\x00]*": "a text without the sign U+0000",
        rf"^(?![\s\S]*[{_CONTROLS[0]}])": _LINE,
        rf"^(?=[\s\S]*\S)(?![\s\S]*[{_CONTROLS[0]}])": _LINE + " and not blank",
        rf"^[^{_CONTROLS[1]}]*": _LINE,
        rf"^(?=.*\S)[^{_CONTROLS[1]}]+": _LINE + " and not blank",
        r"^(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])": _TEXT,
        r"^(?=[\s\S]*\S)(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])": _TEXT + ", and not blank",
    }
)
"""By pattern, whichever way it spells its end."""
_SAID = re.compile(r"Expected `str` matching regex ('.*'|\".*\")")


def in_words(pattern: str, name: str) -> str:
    """What a text must be; `name` is the field's, which says of an id whose it is."""
    if is_id({"pattern": pattern}):
        return f"an id such as {prefix_of(name) or 'ord'}_…"
    return _WORDS.get(pattern.removesuffix(_END).removesuffix("$"), "")


def plainly(said: str, name: str) -> str:
    """What a decoder says of a field, with words in the place of a pattern."""
    found = _SAID.fullmatch(said)
    return f"Expected {in_words(literal_eval(found[1]), name) or 'a text of another form'}" if found else said
