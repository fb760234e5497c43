"""What is written of a text into an index: its words as they are matched, and its terms as they are known."""

from collections.abc import Iterable, Sequence

from yunduan.domains.search import words
from yunduan.domains.search.spelling import one_form
from yunduan.domains.search.store_words import READING, WORD


def text_of(terms: Sequence[str], pairs: Sequence[str]) -> str:
    """Words, those of English plurals in their one form besides, then pairs."""
    singular = [form for term in terms if (form := one_form(term)) != term]
    return " ".join([*terms, *singular, *pairs])


def terms_of(title: words.Spoken, more: words.Spoken) -> Iterable[tuple[str, int, str]]:
    """The terms that a document counts for: (term, kind, syllables)."""
    for term in dict.fromkeys((*title.terms, *map(one_form, title.terms), *more.terms)):
        if not term.isdigit():
            yield term, WORD, ""
    for reading, syllables in dict(title.readings.values()).items():
        yield reading, READING, syllables
