"""What somebody has typed, as something that the index can find: words, each with everything that may be meant by it.

Chinese without spaces falls into the words that this market knows, fewest first; what is left over is looked for as it stands, and
as it is read. Latin letters may be a word, pinyin, the first letters of pinyin, or a word with a slip in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.search.model import TERMS_MAX
from yunduan.domains.search.spelling import LENGTH_MIN, is_one_slip, one_form
from yunduan.domains.search.store_postings import read_as
from yunduan.domains.search.store_words import READING, WORD, Term
from yunduan.domains.search.syllables import NEVER_FIRST, begun, divided
from yunduan.domains.search.words import INITIALS_MAX, is_chinese, pairs, phrase, pieces, runs

WORD_MAX = 6
"""So many characters has the longest Chinese word that is looked for as one."""
MEANT_MAX = 3
"""So many words are tried in place of one with a slip."""
_UNKNOWN_COST = 3.0
_WRITTEN = "{title more about}"


class Lexicon(Protocol):
    """What an index knows of words."""

    def known(self, terms: Iterable[str]) -> list[Term]:
        """Those of some terms that there are."""
        ...

    def begins(self, head: str) -> bool:
        """Whether any term begins so."""
        ...

    def slips(self, wrong: str) -> list[Term]:
        """Terms that one slip may have made this of."""
        ...

    def syllables(self, text: str) -> dict[str, str]:
        """How single characters are read."""
        ...


class Begun(Struct, frozen=True):
    """Letters as somebody may go on with them: words that are known to be read so, and the beginning of another."""

    words: tuple[str, ...]
    """Terms of the index, as a slot's `parts`."""
    head: str
    is_syllable: bool = False
    """Whether it is one syllable, or some of one: then it may begin anywhere within a word."""


class Slot(Struct, frozen=True, kw_only=True):
    """One word of what was asked, and all that may be meant by it."""

    asked: str
    expression: str
    """For the index."""
    shown: tuple[str, ...] = ()
    """What is marked in titles."""
    meant: str = ""
    """The word that is rather meant, where nothing has the one that was asked."""
    read: str = ""
    """How a Chinese word is read, to find what sounds like it: of one that is known only once it is `read`."""
    documents: int = 0
    parts: tuple[str, ...] = ()
    """Terms of the index that the very documents have that are meant, where that is all that is meant: none where it is not."""
    whole: str = ""
    """The term that says that parts stand one after the other, where that matters. It is not the only one to say so."""
    any: tuple[str, ...] = ()
    """Instead of parts: terms any of which a document has that may well be meant; what has none of them may be meant as well."""
    begins: str = ""
    """With `any`, or `goes_on`: first letters that are meant as well, those of a word and of what comes after it."""
    pairs: tuple[str, ...] = ()
    """With `any`: terms that, were there documents with each of them, would have to be looked for one after the other."""

    goes_on: tuple[Begun, ...] = ()
    """The ways in which it may go on, as far as its letters tell, the one with the fewest words first. None may be what is meant."""

    def terms(self) -> tuple[str, ...]:
        """All that has postings."""
        return (*self.parts, self.whole) if self.parts else (*self.any, *self.pairs)


class Plan(Struct, frozen=True, kw_only=True):
    """The words of what was asked, in their order."""

    slots: tuple[Slot, ...]

    @property
    def is_narrow(self) -> bool:
        """Whether more may be meant than the terms tell: across the borders of words others are read so."""
        return any(slot.any or any(part.startswith("~") for part in slot.parts) for slot in self.slots)

    def all(self) -> str:
        """What has every word."""
        return " AND ".join([f"({slot.expression})" for slot in self.slots])

    def is_of_whole_words(self) -> bool:
        """Whether what each of its words means is told by terms of the index."""
        return all(slot.parts or slot.any for slot in self.slots)

    def alike(self) -> str:
        """What has every word, or one that is read like it; nothing when no word is read otherwise than it is written."""
        if not any(slot.read for slot in self.slots):
            return ""
        return " AND ".join(
            [f'({slot.expression} OR syllables : "{slot.read}")' if slot.read else f"({slot.expression})" for slot in self.slots]
        )

    def parts(self) -> str:
        """What has any character of its Chinese words; nothing where there are none."""
        signs = dict.fromkeys([sign for slot in self.slots if is_chinese(slot.asked) for sign in slot.asked])
        return " OR ".join([f'({_WRITTEN} : "{sign}" *)' for sign in signs])

    def of_names(self) -> str:
        """The same as `all`, of what has no more than a title: shops, categories, what was bought."""
        return of_title(self.all())

    def did_you_mean(self) -> str | None:
        """What was rather meant, when a word was put right."""
        if not any(slot.meant for slot in self.slots):
            return None
        return " ".join([slot.meant or slot.asked for slot in self.slots])


def of_title(expression: str) -> str:
    """An expression for documents that have no more than a title."""
    return expression.replace(_WRITTEN, "{title}")


def plan(
    text: str,
    lexicon: Lexicon,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    stops: frozenset[str] = frozenset(),
    *,
    is_typing: bool = False,
) -> Plan:
    """What a text asks of this index; no slots where it asks nothing. While somebody is typing, its last word may go on."""
    asked = [(run, is_chinese(run)) for run in runs(text)[:TERMS_MAX]]
    known = _known(asked, lexicon, is_typing=is_typing)
    words: dict[str, bool] = {}
    for run, chinese in asked:
        words |= dict.fromkeys(_cut(run, known), True) if chinese and len(run) > 2 else {run: chinese}
    kept = list(words.items())[:TERMS_MAX]
    if stops:
        kept = [one for one in kept if one[0] not in stops] or kept
    unread = "".join([word for word, chinese in kept if chinese and WORD not in known.get(word, ())])
    signs = lexicon.syllables(unread) if unread else {}
    last = kept[-1][0] if is_typing and kept else ""
    slots = [_chinese(word, known, signs) if chinese else _latin(word, known, lexicon, goes_on=word == last) for word, chinese in kept]
    if is_typing and slots:
        slots[-1] = _going_on(slots[-1], known)
    if synonyms:
        slots = [_with_synonyms(slot, synonyms.get(slot.asked, ())) for slot in slots]
    return Plan(slots=tuple(slots))


def read(planned: Plan, lexicon: Lexicon) -> Plan:
    """The same, with how each of its Chinese words is read: for what is `alike`, which is hardly ever looked for."""
    unread = "".join([slot.asked for slot in planned.slots if is_chinese(slot.asked)])
    signs = lexicon.syllables(unread) if unread else {}
    return Plan(slots=tuple([replace(slot, read=_read(slot.asked, signs)) if is_chinese(slot.asked) else slot for slot in planned.slots]))


def _known(asked: Sequence[tuple[str, bool]], lexicon: Lexicon, *, is_typing: bool) -> dict[str, dict[int, Term]]:
    """Every part of what was asked that there is as a term, asked for at once."""
    wanted: dict[str, None] = {}
    for run, chinese in asked:
        if chinese and len(run) == 2:
            wanted[run] = None
        elif chinese:
            for start in range(len(run)):
                for end in range(start + 2, min(len(run), start + WORD_MAX) + 1):
                    wanted[run[start:end]] = None
        else:
            wanted[run] = wanted[one_form(run)] = None
            for way in divided(run):
                wanted |= dict.fromkeys(_together(way))
    if is_typing and asked:
        for way in begun(asked[-1][0]):
            wanted |= dict.fromkeys(_together(way[:-1]))
    found: dict[str, dict[int, Term]] = {}
    for term in lexicon.known(wanted) if wanted else ():
        found.setdefault(term.term, {})[term.kind] = term
    return found


def _together(way: Sequence[str]) -> Iterator[str]:
    """Two and more syllables that follow one another, without spaces."""
    for start in range(len(way)):
        for end in range(start + 2, min(len(way), start + WORD_MAX) + 1):
            yield "".join(way[start:end])


def _cut(run: str, known: Mapping[str, Mapping[int, Term]]) -> list[str]:
    """A Chinese run in the fewest words that are known; characters between them stay together."""
    if WORD in known.get(run, ()):
        return [run]
    return [run[start:end] for start, end in _cut_by(len(run), lambda start, end: known.get(run[start:end], {}).get(WORD))]


def _cut_by(length: int, term_of: Callable[[int, int], Term | None]) -> list[tuple[int, int]]:
    """How something falls into terms of two signs or more, the fewest, and of those the most usual; the rest stays together."""
    best: list[tuple[float, int, bool]] = [(0.0, 0, False)]
    for end in range(1, length + 1):
        ways = [(best[end - 1][0] + _UNKNOWN_COST, end - 1, False)]
        for start in range(max(0, end - WORD_MAX), end - 1):
            term = term_of(start, end)
            if term is not None:
                ways.append((best[start][0] + 1.0 + 1.0 / (1.0 + term.documents), start, True))
        best.append(min(ways))
    parts: list[tuple[int, int]] = []
    end, is_open = length, False
    while end:
        _, start, is_known = best[end]
        if is_open and not is_known:
            parts[-1] = (start, parts[-1][1])
        else:
            parts.append((start, end))
        is_open, end = not is_known, start
    return parts[::-1]


def _chinese(word: str, known: Mapping[str, Mapping[int, Term]], signs: Mapping[str, str]) -> Slot:
    term = known[word].get(WORD) if word in known else None
    read = _read(word, signs) if term is None else ""
    if len(word) == 1:
        expression = f'{_WRITTEN} : "{word}" *'
    elif len(word) == 2:
        expression = f'{_WRITTEN} : "{word}"'
    else:
        expression = f'{_WRITTEN} : ("{word}" OR "{phrase(word)}")'
    if term is None and read:
        expression = f'({expression}) OR (syllables : "{read}")'
    return Slot(
        asked=word,
        expression=expression,
        shown=(word,),
        read=read,
        documents=term.documents if term else 0,
        parts=tuple(pairs(word)[:-1]) if term is not None else (),
        whole=word if term is not None and len(word) > 2 else "",
        any=_alike(word, read) if term is None else (),
        pairs=tuple(pairs(word)[:-1]) if term is None and len(word) > 2 else (),
    )


def _alike(word: str, read: str) -> tuple[str, ...]:
    """The terms of what is written or read like a Chinese word; none of a single character."""
    reading = read_as(read.replace(" ", ""))
    return () if not read else (word, reading) if len(word) == 2 else (reading,)


def _read(word: str, signs: Mapping[str, str]) -> str:
    """How a word is read; nothing of a single character, which too many are read like."""
    return " ".join([signs.get(sign, sign) for sign in word]) if len(word) > 1 else ""


def _latin(word: str, known: Mapping[str, Mapping[int, Term]], lexicon: Lexicon, *, goes_on: bool) -> Slot:
    form = one_form(word)
    terms = [term for one in dict.fromkeys((word, form)) if (term := known.get(one, {}).get(WORD)) is not None]
    alternatives = [f"{_WRITTEN} : ({' OR '.join([f'{chr(34)}{one}{chr(34)}' for one in dict.fromkeys((word, form))])})"]
    parts = pieces(word)
    if parts:
        alternatives.append(f"{_WRITTEN} : ({' AND '.join([f'{chr(34)}{part}{chr(34)}' for part in parts])})")
    ways = divided(word)
    alternatives += [_syllables(way, known) for way in ways]
    read = _read_by_words(ways[0], known) if ways and not terms and not parts else ()
    is_syllable = not terms and any(len(way) == 1 for way in ways)  # any character that is read so may be meant, and no term tells of these
    shown: tuple[str, ...] = (word, form)
    slips: list[Term] = []
    meant = ""
    if not terms and not parts and word.isascii() and word.isalpha():
        if 1 < len(word) <= INITIALS_MAX:
            alternatives.append(f'initials : "{word}" *')
        if len(word) >= LENGTH_MIN and READING not in known.get(word, {}):
            slips = _meant(word, lexicon, goes_on=goes_on)
            alternatives += [f'syllables : "{term.syllables}"' if term.kind == READING else f'{_WRITTEN} : "{term.term}"' for term in slips]
            shown += tuple([term.term for term in slips if term.kind == WORD])
            meant = slips[0].term if slips and not ways else ""
    return Slot(
        asked=word,
        expression=" OR ".join([f"({one})" for one in alternatives]),
        shown=shown,
        meant=meant,
        documents=max((term.documents for term in terms), default=0),
        parts=tuple(parts) if len(alternatives) == 2 and parts else (form,) if len(alternatives) == 1 else read,
        any=() if read or is_syllable else (form, read_as(word)) if terms and ways else tuple([_term_of(one) for one in slips]),
        begins=word if slips and len(word) <= INITIALS_MAX else "",
    )


def _term_of(term: Term) -> str:
    """What the documents of a word, or of a reading, are known by."""
    return read_as(term.term) if term.kind == READING else term.term


def _read_by_words(way: Sequence[str], known: Mapping[str, Mapping[int, Term]]) -> tuple[str, ...]:
    """The terms of the words that syllables fall into, where all of them are known and too long to be first letters of others."""
    places = _cut_by(len(way), lambda start, end: known.get("".join(way[start:end]), {}).get(READING))
    parts = ["".join(way[start:end]) for start, end in places]
    return tuple(map(read_as, parts)) if all(len(part) > 3 and READING in known.get(part, ()) for part in parts) else ()


def _meant(word: str, lexicon: Lexicon, *, goes_on: bool) -> list[Term]:
    """What may be meant by a word with a slip: the most usual, and of those that begin as it does where there are any.

    Nothing by one that may go on as a word that there is.
    """
    if goes_on and lexicon.begins(word):
        return []
    slips = [term for term in lexicon.slips(word) if is_one_slip(word, term.term)]
    alike = [term for term in slips if term.term[0] == word[0]]
    return (alike or slips)[:MEANT_MAX]


def _going_on(slot: Slot, known: Mapping[str, Mapping[int, Term]]) -> Slot:
    """The same of a word that may go on, as letters or as the syllable that they begin."""
    word = slot.asked
    if is_chinese(word):
        written = f'{_WRITTEN} : "{phrase(word) if len(word) > 1 else word}" *'
        return replace(slot, parts=(), any=(), expression=f"({slot.expression}) OR ({written})")
    alternatives = [slot.expression, f'{_WRITTEN} : "{word}" *']
    alternatives += [f'syllables : "{" ".join(way)}" *' for way in begun(word)]
    expression = " OR ".join([f"({one})" for one in alternatives])
    is_letters = 1 < len(word) <= INITIALS_MAX and WORD not in known.get(word, {}) and NEVER_FIRST.isdisjoint(word)
    return replace(slot, parts=(), any=(), expression=expression, begins=word if is_letters else "", goes_on=tuple(_ways_on(word, known)))


def _ways_on(word: str, known: Mapping[str, Mapping[int, Term]]) -> Iterator[Begun]:
    """How letters may go on: all of them as the beginning of a word, or as words that are known to be read so, and what comes after."""
    if not (word.isascii() and word.isalpha()):
        return
    ways = begun(word)
    yield Begun((), word, is_syllable=any(len(way) == 1 for way in ways))
    for way in ways:
        for size in range(2, len(way)):
            if words := _read_by_words(way[:size], known):
                yield Begun(words, "".join(way[size:]), is_syllable=size == len(way) - 1)


def _syllables(way: Sequence[str], known: Mapping[str, Mapping[int, Term]]) -> str:
    """Syllables as they follow one another, or, in any order, as the fewest words that are read so."""
    parts = _cut_by(len(way), lambda start, end: known.get("".join(way[start:end]), {}).get(READING))
    together = f'syllables : "{" ".join(way)}"'
    if len(parts) < 2 or len(parts) == len(way):
        return together
    return " OR ".join(
        [together, f"({' AND '.join([f'syllables : {chr(34)}{chr(32).join(way[start:end])}{chr(34)}' for start, end in parts])})"]
    )


def _with_synonyms(slot: Slot, others: Sequence[str]) -> Slot:
    """The same with words that are taken for it: each is looked for as it is written."""
    if not others:
        return slot
    said = [f"({' AND '.join([_as_written(run) for run in runs(other)])})" for other in others if runs(other)]
    return Slot(
        asked=slot.asked,
        expression=" OR ".join([f"({slot.expression})", *said]),
        shown=(*slot.shown, *others),
        meant="",
        read=slot.read,
        documents=slot.documents,
    )


def _as_written(run: str) -> str:
    return f'{_WRITTEN} : "{phrase(run) if is_chinese(run) and len(run) > 2 else run}"'
