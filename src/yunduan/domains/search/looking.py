"""Looks through a few texts directly, without an index: what was bought a moment ago, and what the shops of one buyer are called.

It finds what the index would, but for what only its dictionaries know: characters are read one by one.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from yunduan.domains.search.planning import Slot
from yunduan.domains.search.spelling import one_form
from yunduan.domains.search.words import is_chinese, pieces, runs


class Looked(Struct, frozen=True, gc=False):
    """A text as it is looked through."""

    chinese: tuple[str, ...]
    """Its runs of Chinese characters."""
    words: frozenset[str]
    """Its other words."""
    read: tuple[tuple[str, ...], ...]
    """How each run is read, a syllable each."""


def looked(texts: Iterable[str], readings: Mapping[str, str]) -> Looked:
    """Texts, to be looked through together, with how their characters are read."""
    found = [run for text in texts for run in runs(text)]
    chinese = tuple([run for run in found if is_chinese(run)])
    words = [part for run in found if not is_chinese(run) for part in (run, one_form(run), *pieces(run))]
    return Looked(chinese, frozenset(words), tuple([tuple([readings.get(sign, sign) for sign in run]) for run in chinese]))


def has(slot: Slot, text: Looked) -> bool:
    """Whether a text has a word of what was asked: as it is written, or as it is read."""
    if any(_is_written(word, text) for word in slot.shown):
        return True
    if is_chinese(slot.asked):
        return bool(slot.read) and any(f" {slot.read} " in f" {' '.join(read)} " for read in text.read)
    parts = pieces(slot.asked)
    return any(_is_read(slot.asked, read) for read in text.read) or (bool(parts) and text.words.issuperset(parts))


def has_all(slots: Sequence[Slot], text: Looked) -> bool:
    """Whether it has every word."""
    return all(has(slot, text) for slot in slots)


def _is_written(word: str, text: Looked) -> bool:
    return any(word in run for run in text.chinese) if is_chinese(word) else word in text.words


def _is_read(letters: str, read: Sequence[str]) -> bool:
    """Whether letters are whole syllables of what is read so, from one of them on, or their first letters, two or more."""
    firsts = "".join([syllable[0] for syllable in read])
    if len(letters) > 1 and letters in firsts:
        return True
    for start in range(len(read)):
        said = ""
        for syllable in read[start:]:
            said += syllable
            if said == letters:
                return True
            if not letters.startswith(said):
                break
    return False
