"""Words that are meant when they are typed wrong by one slip: a letter too many, too few, another one, or two exchanged.

By symmetric deletion (W. Garbe, SymSpell, 2012): a word is filed under itself and under what is left of it without each one of its
letters; a wrong word is looked for under the same of itself. Of long words only the beginning is filed, since slips in what follows
leave it as it is.
"""

from collections.abc import Iterator
from functools import lru_cache

PREFIX = 7
"""So many of a word's first letters are filed."""
LENGTH_MIN = 4
"""In shorter words too many others are one slip away."""


def filed_under(word: str) -> frozenset[str]:
    """What a word is filed and looked for under."""
    head = word[:PREFIX]
    return frozenset([head, *(head[:at] + head[at + 1 :] for at in range(len(head)))])


def is_one_slip(wrong: str, word: str) -> bool:
    """Whether one slip leads from a word to another, or none does."""
    if abs(len(wrong) - len(word)) > 1:
        return False
    at = next((place for place, (one, other) in enumerate(zip(wrong, word, strict=False)) if one != other), min(len(wrong), len(word)))
    return any(ours == theirs for ours, theirs in _rests(wrong[at:], word[at:]))


def _rests(wrong: str, word: str) -> Iterator[tuple[str, str]]:
    """What would have to be the same after a slip at the first difference."""
    yield wrong, word
    yield wrong[1:], word[1:]  # another letter
    yield wrong[1:], word  # one too many
    yield wrong, word[1:]  # one too few
    if wrong[:2] == word[1::-1]:
        yield wrong[2:], word[2:]  # two exchanged


FORMS_KEPT = 8_192
"""So many words are remembered with their form, a MiB: texts repeat them."""


@lru_cache(maxsize=FORMS_KEPT)
def one_form(word: str) -> str:
    """An English plural as its singular (D. Harman, How effective is suffixing?, 1991; `es` after a hiss besides); others as they are."""
    if len(word) < LENGTH_MIN or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word
