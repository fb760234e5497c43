"""What is written of a text into an index: its words as they are matched, and its terms as they are known."""

from collections.abc import Sequence

from yunduan.domains.search import words
from yunduan.domains.search.spelling import one_form


def text_of(terms: Sequence[str], pairs: Sequence[str]) -> str:
    """Words, those of English plurals in their one form besides, then pairs."""
    singular = [form for term in terms if term.isascii() and (form := one_form(term)) != term]
    return " ".join([*terms, *singular, *pairs])


def terms_of(title: words.Spoken, more: words.Spoken = words.NOTHING) -> tuple[list[str], dict[str, str]]:
    """What a document counts for: its words, and its readings with their syllables."""
    said = dict.fromkeys([*title.terms, *[one_form(term) for term in title.terms if term.isascii()], *more.terms])
    return [term for term in said if not term.isdigit()], dict(title.readings.values())
