"""Files of words beside the store: what every index keeps of the words in it, whatever its documents are."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from msgspec import Struct

from yunduan.domains.search.spelling import LENGTH_MIN, filed_under
from yunduan.runtime.ports import Row, SideStore

_AT_ONCE = 256
_SIGNS_MAX = 10_000
_MERGED_PAGES = 16
"""So many are merged at once: a millisecond or two, which is what somebody who comes meanwhile waits longer."""
_KNIT_PAGES = 1_000
"""So many while nobody reads the file: a tenth of a second."""
_PARTS_READ, _PARTS_MADE = 16, 128
"""Words lie in parts, one a transaction or a MiB. So many of a size, and FTS5 makes one of them while somebody waits; of a file that
nobody reads each word is written three times at most, however many there are: in its part, with its like, and with all."""
_SEEN_MAX = 10_000
"""So many terms are known to be written without being looked for, a MiB and a half at most."""
_COUNTED_MAX = 30_000
"""So many terms are counted in memory, five MiB, before they are written: each of them was met several times by then."""
LEXICON = """
CREATE TABLE term (
    term TEXT NOT NULL, kind INTEGER NOT NULL, documents INTEGER NOT NULL, syllables TEXT NOT NULL, PRIMARY KEY (term, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE slip (
    filed TEXT NOT NULL, term TEXT NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY (filed, term, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE sign (sign TEXT PRIMARY KEY, syllable TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
WORD, READING = 0, 1
"""The kinds of terms: what is written, and how Chinese that is written is read."""

_FORM = "SELECT form FROM state WHERE id = 1"
_IS_MADE = "SELECT 1 FROM sqlite_schema WHERE name = 'state'"
_COUNT_TERM = (
    "INSERT INTO term (term, kind, documents, syllables) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (term, kind) DO UPDATE SET documents = documents + excluded.documents"
)
_TERMS = "SELECT term, kind FROM term WHERE (term, kind) > (?, ?) ORDER BY term, kind LIMIT ?"
_FILE = "INSERT INTO slip (filed, term, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_KNOWN = "SELECT term, kind, documents, syllables FROM term WHERE term IN "
_BEGINS = "SELECT 1 FROM term WHERE term >= ? AND term < ? LIMIT 1"
_SLIPS = (
    "SELECT DISTINCT term.term, term.kind, term.documents, term.syllables FROM slip JOIN term ON term.term = slip.term"
    " AND term.kind = slip.kind WHERE slip.filed IN "
)
_SIGN = "INSERT INTO sign (sign, syllable) VALUES (?, ?) ON CONFLICT DO NOTHING"
_SIGNS = "SELECT sign, syllable FROM sign WHERE sign IN "
_MERGES = "INSERT INTO words (words, rank) VALUES ('automerge', ?)"
_PARTS = "INSERT INTO words (words, rank) VALUES ('crisismerge', ?)"
_MERGE = "INSERT INTO words (words, rank) VALUES ('merge', ?)"
_CHANGES = "SELECT total_changes()"


class Made(Struct, frozen=True, kw_only=True):
    """Of what an index was made: in which form, of which store, and of which facts."""

    form: int = 0
    epoch: int = 0
    seq: int = 0
    is_whole: bool = False
    """Whether all was read that there was; until then it is being made."""

    @property
    def entries(self) -> int:
        """How many goods, or orders, it has."""
        return 0

    @property
    def made_ms(self) -> int:
        """How long its making took, where that is known."""
        return 0


class Term(Struct, frozen=True, gc=False):
    """Something that goods are called, or how that is read; `documents` counts those that had it, gone ones among them."""

    term: str
    kind: int
    documents: int
    syllables: str


class Written(Struct, frozen=True, kw_only=True):
    """The words of a document, each column in one text."""

    title: str
    more: str = ""
    about: str = ""
    syllables: str
    initials: str
    readings: str = ""
    """How each Chinese word of the title is read, without spaces within: no column, but looked for as words are."""


class WordFile(ABC):
    """A file of words through one connection."""

    FORM: ClassVar[int]
    """Of the file, and of what is made of texts: one that was made in another form is made anew."""
    TABLES: ClassVar[str]
    """The statements that make an empty one: a table `state`, and one of FTS5 that is called `words`."""

    def __init__(self, side: SideStore) -> None:
        """Over a file that is empty, or was made."""
        self._side = side
        self._signs: dict[str, str] = {}
        self._words: Counter[str] = Counter()
        self._readings: Counter[str] = Counter()
        self._syllables: dict[str, str] = {}
        self._put_off: Counter[tuple[str, int]] = Counter()
        """Documents of terms that are written already, which nobody waits for."""
        self._unfiled: list[tuple[str, int]] = []
        """Terms that are written, but not filed for slips yet: eight pages or so each, which nobody waits for either."""
        self._seen: set[tuple[str, int]] = set()
        """Terms that are written; none ever goes."""
        self._is_knit = False

    @abstractmethod
    def state(self) -> Made:
        """How far it is."""

    def form(self) -> int:
        """In which form it was made, whole or not, which is all that can be read of one in another form; 0 where there is none."""
        if not self._side.rows(_IS_MADE):
            return 0
        ((form,),) = self._side.rows(_FORM)
        return int(form)

    def make(self) -> None:
        """Make an empty one, which is written fast until `leave_merging`."""
        self._side.begin()
        self._side.write(self.TABLES)
        self._side.write(_MERGES, (0,))
        self._side.write(_PARTS, (_PARTS_MADE,))
        self._side.commit()

    # What is read

    def known(self, terms: Iterable[str]) -> list[Term]:
        """Those of some terms that there are."""
        return [Term(*row) for row in self._among(_KNOWN, list(terms))]

    def begins(self, head: str) -> bool:
        """Whether any term begins so."""
        return bool(self._side.rows(_BEGINS, (head, after_all(head))))

    def slips(self, wrong: str) -> list[Term]:
        """Terms that one slip may have made this of: the most usual first, some of them farther away."""
        return sorted([Term(*row) for row in self._among(_SLIPS, list(filed_under(wrong)))], key=lambda term: (-term.documents, term.term))

    def syllables(self, text: str) -> dict[str, str]:
        """How single characters are read, each by itself where that is not known. It is written when a file is made, and remembered."""
        missing = [sign for sign in dict.fromkeys(text) if sign not in self._signs]
        if missing:
            if len(self._signs) > _SIGNS_MAX:
                self._signs.clear()
                missing = list(dict.fromkeys(text))
            self._signs |= dict.fromkeys(missing, "") | dict(self._among(_SIGNS, missing))
        return {sign: self._signs[sign] or sign for sign in text}

    def _among(self, sql: str, values: Sequence[object]) -> list[Row]:
        """The rows with one of some values: their number is made a power of two, so that few statements have to be prepared."""
        found: list[Row] = []
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            size = max(8, 1 << (len(some) - 1).bit_length())
            found += self._side.rows(f"{sql}({','.join('?' * size)})", [*some, *[None] * (size - len(some))])
        return found

    # What is written, between `begin` and `commit`

    def begin(self) -> None:
        """Open a transaction."""
        self._side.begin()

    def commit(self) -> None:
        """Let others see it."""
        self._side.commit()

    def rollback(self) -> None:
        """Undo it, and forget what was counted."""
        self._side.rollback()
        self._forget_counts()
        self._put_off.clear()
        self._unfiled.clear()
        self._seen.clear()

    def leave_merging(self) -> None:
        """From now on words are merged by `merge`, not while somebody waits for a document; if nobody merges, when it must be."""
        self._side.write(_MERGES, (0,))
        self._side.write(_PARTS, (_PARTS_READ,))

    def merge(self) -> bool:
        """Merge some pages of words, outside of any transaction; answers whether there was anything to merge."""
        return self._merge(_MERGED_PAGES)

    def knit(self) -> bool:
        """Merge more of them, while nobody reads the file, so that all words lie together in the end; answers whether there was more."""
        pages = _KNIT_PAGES if self._is_knit else -_KNIT_PAGES  # FTS5 takes the sign for: all of it, from here on
        self._is_knit = True
        self.begin()  # so that the log is folded in its time
        more = self._merge(pages)
        self.commit()
        return more

    def _merge(self, pages: int) -> bool:
        ((before,),) = self._side.rows(_CHANGES)
        self._side.write(_MERGE, (pages,))
        ((after,),) = self._side.rows(_CHANGES)
        return bool(after - before > 1)

    def fold(self) -> None:
        """Do now what waits for the disk, outside of any transaction."""
        self._side.fold()

    def keep_signs(self, syllables: Mapping[str, str]) -> None:
        """Keep how characters are read, for whoever asks without the tables."""
        self._side.write_many(_SIGN, syllables.items())

    def count_terms(self, words: Iterable[str], readings: Mapping[str, str]) -> None:
        """Count one document more for each of its words, and of its readings with their syllables; written by `keep_terms`."""
        self._words.update(words)
        self._readings.update(readings.keys())
        for reading, syllables in readings.items():
            self._syllables.setdefault(reading, syllables)

    def has_counted_enough(self) -> bool:
        """Whether what was counted should be written, lest it take much memory."""
        return len(self._words) + len(self._readings) + len(self._put_off) >= _COUNTED_MAX

    def keep_terms(self, *, files: bool = True) -> None:
        """Write what was counted; new terms are filed for slips, unless `file_terms` does it later.

        Comes before the words of the same transaction: SQLite lets FTS5 write what it has at each statement like these.
        """
        new = self._new_terms() if files else []
        self._count(self._words, self._readings)
        self._side.write_many(_FILE, _filed(new))
        self._forget_counts()
        self._keep_put_off()

    def keep_new_terms(self) -> None:
        """The same of terms that there were none of, which nothing would be found by; the rest is put off until `keep_put_off`.

        What is put off says how usual terms are, which hardly changes, and what new ones are meant by with a slip in them: most pages
        that a document would have to write are of these.
        """
        new = self._new_terms()
        self._count(*[{term: counted.pop(term) for term, of in new if of == kind} for kind, counted in self._counted()])
        for kind, counted in self._counted():
            self._put_off.update({(term, kind): count for term, count in counted.items()})
        self._unfiled += new
        self._forget_counts()

    @property
    def has_put_off(self) -> bool:
        """Whether `keep_put_off` has anything to do."""
        return bool(self._put_off or self._unfiled)

    def keep_put_off(self) -> None:
        """Write what was put off, in a transaction of its own."""
        self.begin()
        try:
            self._keep_put_off()
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def _keep_put_off(self) -> None:
        self._side.write_many(_COUNT_TERM, [(term, kind, count, "") for (term, kind), count in sorted(self._put_off.items())])
        self._side.write_many(_FILE, _filed(self._unfiled))
        self._put_off.clear()
        self._unfiled.clear()

    def _count(self, words: Mapping[str, int], readings: Mapping[str, int]) -> None:
        self._side.write_many(_COUNT_TERM, [(word, WORD, words[word], "") for word in sorted(words)])
        self._side.write_many(_COUNT_TERM, [(one, READING, readings[one], self._syllables[one]) for one in sorted(readings)])

    def _counted(self) -> tuple[tuple[int, Counter[str]], tuple[int, Counter[str]]]:
        return (WORD, self._words), (READING, self._readings)

    def file_terms(self, after: tuple[str, int]) -> tuple[str, int] | None:
        """File terms for slips, some in the order of terms from after one of them on; answers the last, or nothing when that was all."""
        found = [(term, kind) for term, kind in self._side.rows(_TERMS, (*after, _COUNTED_MAX))]
        self._side.write_many(_FILE, _filed(found))
        return found[-1] if found else None

    def _new_terms(self) -> list[tuple[str, int]]:
        """Those of what was counted that are not written yet; they are about to be."""
        unseen = [one for kind, terms in self._counted() for term in terms if (one := (term, kind)) not in self._seen]
        known = {(one.term, one.kind) for one in self.known({term for term, _ in unseen})}
        if len(self._seen) + len(unseen) > _SEEN_MAX:
            self._seen.clear()
        self._seen.update(unseen[:_SEEN_MAX])
        return [one for one in unseen if one not in known]

    def _forget_counts(self) -> None:
        self._words.clear()
        self._readings.clear()
        self._syllables.clear()

    def close(self) -> None:
        """Close the connection."""
        self._side.close()


def after_all(head: str) -> str:
    """What comes after all that begins so."""
    return head[:-1] + chr(ord(head[-1]) + 1)


def _filed(terms: Iterable[tuple[str, int]]) -> list[tuple[str, str, int]]:
    """What terms are filed under for slips: (filed, term, kind), in their order."""
    return sorted(
        [
            (filed, term, kind)
            for term, kind in terms
            if term.isascii() and len(term) >= LENGTH_MIN and not term.isdigit()
            for filed in filed_under(term)
        ]
    )
