"""Texts as they are searched: Chinese words and pairs of characters, Latin words, readings in pinyin and their initials.

What is written is brought into one form first: full width and accents fold, letters are small, traditional characters are the simplified
ones. Chinese is cut by `rjieba`; the
readings come from a table, the longest phrase first, so that 重 is read differently in 重庆 and in 重量. Both are
asked where texts are indexed, and nowhere else: whoever asks the index needs neither (`reading`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from sys import intern

from msgspec import Struct

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_PIECE = re.compile(r"[0-9]+|[^0-9]+")
_IS_CJK = re.compile(rf"[{CJK}]")
PINYIN, TRADITIONAL = files(__package__) / "pinyin.txt", files(__package__) / "traditional.txt"
INITIALS_MAX = 12
"""So many letters of what a text begins with are kept at each of its words."""
PHRASE_MAX = 8
"""So many characters has the longest phrase whose reading is known as a whole."""
RUN_MAX = 64
"""A run of letters longer than this is cut: nobody types it, and nobody's index shall grow by it."""


def folded(text: str) -> str:
    """A text in the one form in which it is searched: compatibility forms, small letters, no accents, simplified characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain.isascii():
        return plain
    bare = "".join([sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign)])
    return simplified(unicodedata.normalize("NFC", bare))


def simplified(text: str) -> str:
    """A text with simplified characters in place of traditional ones, each in its place."""
    return text.translate(_simplified())


@cache
def _simplified() -> Mapping[int, int]:
    """By the table that `tools/characters.py` wrote; a third of a MiB."""
    pairs = "".join([line for line in TRADITIONAL.read_text("utf-8").splitlines() if not line.startswith("#")])
    return str.maketrans(pairs[::2], pairs[1::2])


def is_chinese(run: str) -> bool:
    """Whether a run is of Chinese characters."""
    return _IS_CJK.match(run) is not None


def runs(text: str) -> list[str]:
    """The runs of Chinese characters, and those of other letters and digits, of a text in any form."""
    return [run[at : at + RUN_MAX] for run in _RUN.findall(folded(text)) for at in range(0, len(run), RUN_MAX)]


def pieces(run: str) -> list[str]:
    """The letters and the digits of a Latin run, each alone; nothing where it is all of one kind."""
    found = _PIECE.findall(run)
    return found if len(found) > 1 else []


def pairs(run: str) -> list[str]:
    """Every two neighbours of a Chinese run, then its last character alone; so any part of it is a phrase of them, or begins one."""
    return [run[at : at + 2] for at in range(len(run))]


def phrase(part: str) -> str:
    """A part of a Chinese run, of two or more characters, as a phrase of pairs."""
    return " ".join([part[at : at + 2] for at in range(len(part) - 1)])


class Spoken(Struct, frozen=True, gc=False):
    """A text as it is indexed: its terms, and how they are read."""

    terms: tuple[str, ...]
    """Words in their order; of Chinese, longer words and those within them."""
    pairs: tuple[str, ...]
    syllables: tuple[str, ...]
    initials: tuple[str, ...]
    readings: Mapping[str, tuple[str, str]]
    """How each Chinese term of two characters or more is read, without spaces and with them."""


NOTHING = Spoken((), (), (), (), {})


def spoken(texts: Iterable[str], *, is_read: bool = True) -> Spoken:
    """Texts as they are indexed, one after the other; `is_read` says whether readings are wanted."""
    terms: list[str] = []
    couples: list[str] = []
    syllables: list[str] = []
    initials: list[str] = []
    readings: dict[str, tuple[str, str]] = {}
    for text in texts:
        for run in runs(text):
            if not is_chinese(run):
                terms.append(run)
                terms += pieces(run)
                continue
            found = _cut(run)
            terms += found
            couples += pairs(run)
            if is_read:
                read = syllables_of(run)
                syllables += read
                initials += _initials(run, read)
                for term in found:
                    if len(term) > 1 and term not in readings:
                        read = syllables_of(term)
                        readings[term] = "".join(read), " ".join(read)
    return Spoken(tuple(terms), tuple(couples), tuple(syllables), tuple(initials), readings)


def _cut(run: str) -> list[str]:
    return list(_cutter().cut_for_search(run))  # type: ignore[attr-defined]


@cache
def _cutter() -> object:
    import rjieba  # noqa: PLC0415 - its dictionary takes 33 MiB, and only whoever indexes needs it

    return rjieba


def _initials(run: str, read: list[str]) -> Iterator[str]:
    """What the run reads as by first letters, from each of its words on: `ygmg`, `mg`."""
    letters = "".join([syllable[0] for syllable in read])
    at = 0
    for word in _words(run):
        if len(letters) - at > 1:
            yield letters[at : at + INITIALS_MAX]
        at += len(word)


def _words(run: str) -> list[str]:
    return list(_cutter().cut(run))  # type: ignore[attr-defined]


def syllables_of(run: str) -> list[str]:
    """How a run of Chinese characters is read, a syllable each, without tones; what has no reading stands for itself."""
    known, single = phrases(), readings()
    found: list[str] = []
    at = 0
    while at < len(run):
        for size in range(min(PHRASE_MAX, len(run) - at), 1, -1):
            together = known.get(run[at : at + size])
            if together is not None:
                found += together
                at += size
                break
        else:
            found.append(single.get(run[at], run[at]))
            at += 1
    return found


@cache
def readings() -> Mapping[str, str]:
    """How each character is read most often, without its tone."""
    return _table()[0]


@cache
def phrases() -> Mapping[str, tuple[str, ...]]:
    """Phrases in which a character is read otherwise than most often."""
    return _table()[1]


@cache
def _table() -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    """Characters and phrases, as `tools/pinyin.py` wrote them."""
    single: dict[str, str] = {}
    together: dict[str, tuple[str, ...]] = {}
    for line in PINYIN.read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if head.isascii():
            single |= dict.fromkeys(rest, head) if head != "#" else {}
        else:
            together[head] = tuple([intern(syllable) for syllable in rest.split(" ")])
    return single, together
