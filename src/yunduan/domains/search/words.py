"""Texts as they are searched: Chinese words and pairs of characters, Latin words, readings in pinyin and their initials.

What is written is brought into one form first: full width and accents fold, letters are small, traditional characters are the simplified
ones. Chinese is cut by `rjieba`; the
readings come from a table, the longest phrase first, so that 重 is read differently in 重庆 and in 重量. Both are
asked where texts are indexed, and nowhere else: whoever asks the index needs neither (`reading`).
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from sys import intern

from msgspec import Struct

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_PIECE = re.compile(r"[0-9]+|[^0-9]+")
_IS_CJK = re.compile(rf"[{CJK}]")
_SIMPLE = re.compile(r"[\x00-\x7f\u3000-\u3029\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]*")
"""Of these characters each folds by itself, whatever stands beside it: what most texts here are made of."""
PINYIN, TRADITIONAL = files(__package__) / "pinyin.txt", files(__package__) / "traditional.txt"
INITIALS_MAX = 12
"""So many letters of what a text begins with are kept at each of its words."""
PHRASE_MAX = 8
"""So many characters has the longest phrase whose reading is known as a whole."""
RUN_MAX = 64
"""A run of letters longer than this is cut: nobody types it, and nobody's index shall grow by it."""
RUNS_KEPT, TERMS_KEPT = 4_096, 16_384
"""So many runs, and readings of terms, whoever indexes remembers, each: titles repeat them. Six MiB at most."""
SHORT, SHORT_KEPT = 8, 1_024
"""So short texts are remembered with their runs, so many of them: colours and sizes."""
NAME_MAX, NAMES_KEPT = 60, 2_048
"""So long texts without readings are remembered as a whole, so many of them: what shops, categories and choices are called."""


def folded(text: str) -> str:
    """A text in the one form in which it is searched: compatibility forms, small letters, no accents, simplified characters."""
    if text.isascii():
        return text.lower()
    if _SIMPLE.fullmatch(text):
        return text.translate(_folding())
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


@cache
def _folding() -> Mapping[int, int]:
    """What becomes of the characters that fold by themselves: small letters of half width, and simplified characters."""
    wide = {sign: sign - 0xFEE0 for sign in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
    small = {ord(sign): ord(sign.lower()) for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return dict(_simplified()) | {sign: small.get(half, half) for sign, half in wide.items()} | small


def is_chinese(run: str) -> bool:
    """Whether a run is of Chinese characters."""
    return not run.isascii() and _IS_CJK.match(run) is not None


def runs(text: str) -> tuple[str, ...]:
    """The runs of Chinese characters, and those of other letters and digits, of a text in any form."""
    return _few_runs(text) if len(text) <= SHORT else _runs(text)


def _runs(text: str) -> tuple[str, ...]:
    plain = folded(text)
    found: list[str] = _RUN.findall(plain)
    if len(plain) <= RUN_MAX or max(map(len, found), default=0) <= RUN_MAX:
        return tuple(found)
    return tuple([run[at : at + RUN_MAX] for run in found for at in range(0, len(run), RUN_MAX)])


_few_runs = lru_cache(maxsize=SHORT_KEPT)(_runs)


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


def spoken(texts: Iterable[str], *, is_read: bool = True, most: int = sys.maxsize) -> Spoken:
    """Texts as they are indexed, one after the other; `is_read` says whether readings are wanted, and `most` how many terms, and pairs."""
    terms: list[str] = []
    couples: list[str] = []
    syllables: list[str] = []
    initials: list[str] = []
    readings: dict[str, tuple[str, str]] = {}
    for text in texts:
        if not is_read and len(text) <= NAME_MAX:
            name = _named(text)
            terms += name.terms
            couples += name.pairs
            continue
        for run in runs(text):
            if run.isascii() or not is_chinese(run):
                terms.append(run)
                if not (run.isalpha() or run.isdecimal()):
                    terms += pieces(run)
            elif is_read:
                said = _said(run)
                terms += said.terms
                couples += said.pairs
                syllables += said.syllables
                initials += said.initials
                readings.update(said.readings)
            else:
                if len(terms) < most:
                    terms += _cut(run)
                if len(couples) < most:
                    couples += pairs(run)
    return Spoken(tuple(terms[:most]), tuple(couples[:most]), tuple(syllables), tuple(initials), readings)


@lru_cache(maxsize=NAMES_KEPT)
def _named(text: str) -> Spoken:
    """A short text, without its readings."""
    terms: list[str] = []
    couples: list[str] = []
    for run in runs(text):
        if is_chinese(run):
            terms += _cut(run)
            couples += pairs(run)
        else:
            terms += [run, *pieces(run)]
    return Spoken(tuple(terms), tuple(couples), (), (), {})


@lru_cache(maxsize=RUNS_KEPT)
def _said(run: str) -> Spoken:
    """A run of Chinese characters as it is indexed."""
    terms, read = tuple(_cut(run)), syllables_of(run)
    readings = {term: _reading(term) for term in terms if len(term) > 1}
    return Spoken(terms, tuple(pairs(run)), tuple(read), tuple(_initials(run, read)), readings)


@lru_cache(maxsize=TERMS_KEPT)
def _reading(term: str) -> tuple[str, str]:
    """How a term is read, without spaces and with them."""
    read = syllables_of(term)
    return "".join(read), " ".join(read)


def _cut(run: str) -> list[str]:
    return list(_cutter().cut_for_search(run))  # type: ignore[attr-defined]


@cache
def _cutter() -> object:
    import rjieba  # noqa: PLC0415 - its dictionary takes 33 MiB, and only whoever indexes needs it

    return rjieba


def _initials(run: str, read: list[str]) -> list[str]:
    """What the run reads as by first letters, from each of its words on: `ygmg`, `mg`."""
    letters = "".join([syllable[0] for syllable in read])
    last = len(letters) - 1
    found: list[str] = []
    at = 0
    for word in _words(run):
        if at < last:
            found.append(letters[at : at + INITIALS_MAX])
        at += len(word)
    return found


def _words(run: str) -> list[str]:
    return list(_cutter().cut(run))  # type: ignore[attr-defined]


def syllables_of(run: str) -> list[str]:
    """How a run of Chinese characters is read, a syllable each, without tones; what has no reading stands for itself."""
    single, beginnings = readings(), _beginnings()
    if beginnings.isdisjoint(pairs(run)):
        return list(map(single.get, run, run))
    known = phrases()
    found: list[str] = []
    at = 0
    while at < len(run):
        sizes = range(min(PHRASE_MAX, len(run) - at), 1, -1) if run[at : at + 2] in beginnings else ()
        for size in sizes:
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
def _beginnings() -> frozenset[str]:
    """The first two characters of every such phrase."""
    return frozenset([phrase[:2] for phrase in phrases()])


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
