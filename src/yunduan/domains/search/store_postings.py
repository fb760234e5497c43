"""Postings: of each word the documents that have it, each with how much it says there. Whole words are found by them, without FTS5.

A posting is one number: its document's times 256, and from 1 to 255 what the word says of it. The postings of a term lie in rows, one
for each `PART` documents, in order. Documents get ever higher numbers, and their words never change under one number (what is written
anew gets another), so that postings are only ever added to, and those of a document that is gone are found to be of nothing by its columns.

What was written a moment ago waits in rows of its own, one a document, which whoever reads takes over whole; it is filed a few terms
at a time when nobody waits. All documents below `filed` have been: of what lies in the rows of terms nothing else is looked at.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from yunduan.domains.search.store_words import Written, after_all
from yunduan.kernel.refusals import invariant
from yunduan.runtime.ports import Row, SideStore

Postings = NDArray[np.uint32]
DOCUMENTS_MAX = 2**24 - 1
"""No document has a higher number."""
PART = 32_768
"""Postings of so many documents lie in one row."""
GATHERED_MAX = 400_000
"""So many postings are gathered in memory while an index is made, some ten MiB with their terms; they are a *sheaf*."""
_SHEAVES_ROWS = 100
"""So many terms of each sheaf are in memory while all of them become rows, in the order of terms, so that no page is written twice."""
_ABOUTS_KEPT, _LENGTHS_KEPT, _COUNTS_READY = 64, 512, 64
WAITING_MIN = 256
WAITING_MAX = 4_096
"""So many documents wait before they are filed: when nobody does, and whoever does."""
_TERMS_AT_ONCE = 100
"""So many terms are filed in one step: about a millisecond."""
_KEPT_BYTES = 6 * 2**20
_KEPT_BYTES_EACH = 250
TITLE, MORE, ABOUT = 10, 3, 1
"""What a word counts for where it stands."""
BEGUN_MAX = 1_000
"""So many rows of postings are read of what begins with some letters: among a million goods some hundred have three of them, or four."""
LONG = 50.0
"""A document of so many words is neither long nor short."""
_K1, _B = 1.2, 0.75
_READ = "~"

TABLES = """
CREATE TABLE posting (term TEXT NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (term, part)) STRICT, WITHOUT ROWID;
CREATE TABLE waiting (no INTEGER PRIMARY KEY, terms TEXT NOT NULL, said BLOB NOT NULL) STRICT;
CREATE TABLE sheaf (no INTEGER NOT NULL, term TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (no, term)) STRICT, WITHOUT ROWID;
CREATE TABLE filed (id INTEGER PRIMARY KEY, below INTEGER NOT NULL) STRICT;
INSERT INTO filed (id, below) VALUES (1, 1);
"""
_OF_TERMS = "SELECT term, part, body FROM posting WHERE term IN "
_OF_TERM = "SELECT part, body FROM posting WHERE term = ? AND part >= ?"
_BEGUN = (
    "SELECT body FROM posting WHERE term >= ?1 AND term < ?2 UNION ALL SELECT body FROM posting WHERE term >= ?3 AND term < ?4 LIMIT ?5"
)
_ADD = "INSERT INTO posting (term, part, body) VALUES (?, ?, ?)"
_BIND = "INSERT INTO sheaf (no, term, body) VALUES (?, ?, ?)"
_UNBIND = "SELECT term, body FROM sheaf WHERE no = ? AND term > ? ORDER BY term LIMIT ?"
_BURN = "DELETE FROM sheaf WHERE no = ?"
_KEEP = "INSERT INTO posting (term, part, body) VALUES (?, ?, ?) ON CONFLICT (term, part) DO UPDATE SET body = excluded.body"
_WAIT = "INSERT INTO waiting (no, terms, said) VALUES (?, ?, ?)"
_WAITING = "SELECT no, terms, said FROM waiting WHERE no >= ? ORDER BY no"
_HOW_MANY_WAIT = "SELECT (SELECT coalesce(max(no) + 1, 0) FROM waiting) - below FROM filed WHERE id = 1"
_WAIT_NO_MORE = "DELETE FROM waiting WHERE no < ?"
_FILED = "SELECT below FROM filed WHERE id = 1"
_KEEP_FILED = "UPDATE filed SET below = ? WHERE id = 1"
_LATELY = "SELECT below, NULL, NULL FROM filed UNION ALL SELECT no, terms, said FROM waiting WHERE no >= ?"


def said_of(words: Written) -> dict[str, int]:
    """What each word says of its document, from 1 to 255: BM25 (S. Robertson, H. Zaragoza, 2009) without what others are like."""
    title, more = words.title.split(), words.more.split()
    about, found = _counted(words.about)
    counts = found.copy()
    for weight, terms in ((TITLE, title), (MORE, more)):
        for term in terms:
            counts[term] = counts.get(term, 0) + weight
    counts |= dict.fromkeys(map(read_as, words.readings.split()), TITLE)
    length = len(title) + len(more) + about
    ready = _points(length)
    return {term: ready[count] if count < _COUNTS_READY else _point(count, length) for term, count in counts.items()}


@lru_cache(maxsize=_ABOUTS_KEPT)
def _counted(about: str) -> tuple[int, dict[str, int]]:
    """How many words a description has, and what each of them counts for; many goods have the same."""
    terms = about.split()
    return len(terms), {term: ABOUT * count for term, count in Counter(terms).items()}


@lru_cache(maxsize=_LENGTHS_KEPT)
def _points(length: int) -> tuple[int, ...]:
    """What words say of a document of this length, by what they count for, as far as most do."""
    return tuple([_point(count, length) for count in range(_COUNTS_READY)])


def _point(count: int, length: int) -> int:
    return max(1, round(255.0 * count / (count + _K1 * (1.0 - _B + _B * length / LONG))))


def read_as(reading: str) -> str:
    """The term that says that a word of the title is read so, which no text has."""
    return f"{_READ}{reading}"


class Filing:
    """Writes postings, between `begin` and `commit` of their index but for `go_on`."""

    def __init__(self, side: SideStore) -> None:
        """Over the file of an index."""
        self._side = side
        self._gathered: defaultdict[str, array[int]] | None = None
        self._room = GATHERED_MAX
        self._sheaves: list[_Sheaf] = []
        self._to_file: list[tuple[str, list[int]]] = []
        self._below = 0

    def gather(self) -> None:
        """Nobody reads this file until it is whole: what comes until then is gathered, and written when there is much."""
        self._gathered = defaultdict(_postings)

    def add(self, no: int, words: Written) -> None:
        """Keep the words of a document that has had none."""
        invariant(no <= DOCUMENTS_MAX, "no index has so many documents")
        said = said_of(words)
        gathered = self._gathered
        if gathered is None:
            self._side.write(_WAIT, (no, " ".join(said), bytes(said.values())))
            return
        first = no << 8
        for term, points in said.items():
            gathered[term].append(first | points)
        self._room -= len(said)
        if self._room <= 0:
            self._bind(gathered)

    def _bind(self, gathered: defaultdict[str, "array[int]"]) -> None:
        """Write what was gathered as a sheaf."""
        no = self._sheaves[-1].no + 1 if self._sheaves else 0
        self._side.write_many(_BIND, [(no, term, gathered[term].tobytes()) for term in sorted(gathered)])
        self._sheaves.append(_Sheaf(no))
        gathered.clear()
        self._room = GATHERED_MAX

    def thresh(self) -> bool:
        """Make rows of postings of the next terms of all sheaves, when no document comes any more; answers whether there are more."""
        if self._gathered:
            self._bind(self._gathered)
        for sheaf in self._sheaves:
            sheaf.fill(self._side)
        left = [sheaf.last for sheaf in self._sheaves if sheaf.has_more]
        least = min(left) if left else None
        found: dict[str, list[bytes]] = {}
        for sheaf in self._sheaves:  # in their order, which is that of documents
            for term, body in sheaf.taken(least):
                found.setdefault(term, []).append(body)
        rows = [(term, part, body) for term in sorted(found) for part, body in _in_parts(b"".join(found[term]))]
        self._side.write_many(_ADD, rows)
        for sheaf in [sheaf for sheaf in self._sheaves if sheaf.is_empty]:
            self._side.write(_BURN, (sheaf.no,))
            self._sheaves.remove(sheaf)
        return bool(self._sheaves)

    def whole(self, below: int) -> None:
        """Write what was gathered, of documents below this: from now on others read the file."""
        while self.thresh():
            pass
        self._gathered = None
        self._side.write(_KEEP_FILED, (below,))

    def _file(self, term: str, postings: Sequence[int], filed: int) -> None:
        """Add postings of documents from `filed` on, in their order, to those of a term; what is there of such documents was cut off."""
        parts = groupby(postings, lambda posting: (posting >> 8) // PART)
        new = {part: array("I", some).tobytes() for part, some in parts}
        before = self._side.rows(_OF_TERM, (term, filed // PART)) if min(new) * PART < filed else []
        for part, body in before:
            new[part] = _cut(np.frombuffer(body, np.uint32), filed).tobytes() + new.get(part, b"")
        for part, body in new.items():
            self._side.write(_KEEP, (term, part, body))

    def must_file(self) -> bool:
        """Whether more waits than whoever reads should have to take over."""
        return self._gathered is None and self._how_many_wait() >= WAITING_MAX

    def waiting(self) -> list[str]:
        """The words and readings of the documents that wait, each once."""
        return sorted({term.removeprefix(_READ) for _, terms, _ in self._side.rows(_WAITING, (0,)) for term in terms.split()})

    def _how_many_wait(self) -> int:
        """By their numbers: no fewer than there are."""
        ((count,),) = self._side.rows(_HOW_MANY_WAIT)
        return int(count)

    def go_on(self) -> bool:
        """File some of what waits, where that is worth it, in a transaction of its own; answers whether there is more of that."""
        if not self._to_file and not self._began(WAITING_MIN):
            return False
        self._side.begin()
        try:
            self.file_some(_TERMS_AT_ONCE)
            self._side.commit()
        except BaseException:
            self._side.rollback()
            self._to_file = []
            raise
        return bool(self._to_file)

    def file_all(self) -> None:
        """File all that waits."""
        if self._to_file or self._began(1):
            self.file_some(len(self._to_file))

    def _began(self, least: int) -> bool:
        if self._gathered is not None or self._how_many_wait() < least:
            return False
        ((filed,),) = self._side.rows(_FILED)
        found: dict[str, list[int]] = {}
        for no, terms, said in self._side.rows(_WAITING, (filed,)):
            _add(found, no, zip(terms.split(), said, strict=True))
            self._below = no + 1
        self._to_file = sorted(found.items(), reverse=True)
        return bool(self._to_file)

    def file_some(self, count: int) -> None:
        """File some terms; with the last of them their documents wait no more."""
        ((filed,),) = self._side.rows(_FILED)
        for _ in range(min(count, len(self._to_file))):
            term, postings = self._to_file.pop()
            self._file(term, postings, filed)
        if not self._to_file:
            self._side.write(_KEEP_FILED, (self._below,))
            self._side.write(_WAIT_NO_MORE, (self._below,))


class _Sheaf:
    """Postings that were gathered at one time, a row a term, and the next of them."""

    def __init__(self, no: int) -> None:
        self.no = no
        self.last = ""
        """The last term that was read."""
        self.has_more = True
        self._rows: list[Row] = []

    @property
    def is_empty(self) -> bool:
        """Whether all of it was taken."""
        return not self._rows and not self.has_more

    def fill(self, side: SideStore) -> None:
        """Read the next rows, when there are none."""
        if not self._rows and self.has_more:
            self._rows = side.rows(_UNBIND, (self.no, self.last, _SHEAVES_ROWS))
            self.has_more = len(self._rows) == _SHEAVES_ROWS
            self.last = self._rows[-1][0] if self._rows else self.last

    def taken(self, through: str | None) -> list[Row]:
        """Take the rows that were read, through a term or all."""
        size = len(self._rows) if through is None else bisect_right(self._rows, through, key=lambda row: row[0])
        found, self._rows = self._rows[:size], self._rows[size:]
        return found


def _postings() -> "array[int]":
    return array("I")


def _in_parts(body: bytes) -> list[tuple[int, bytes]]:
    """The postings of a term by the rows that they lie in: (part, body)."""
    postings = np.frombuffer(body, np.uint32)
    first, last = (int(postings[at]) // (PART << 8) for at in (0, -1))
    if first == last:
        return [(first, body)]
    ends = postings.searchsorted(np.array([part * (PART << 8) for part in range(first + 1, last + 1)], np.uint32)).tolist()
    parts = [(first + at, postings[start:end].tobytes()) for at, (start, end) in enumerate(pairwise([0, *ends, len(postings)]))]
    return [(part, some) for part, some in parts if some]


def _add(to: dict[str, list[int]], no: int, said: Iterable[tuple[str, int]]) -> None:
    for term, points in said:
        posting = no << 8 | points
        if term in to:
            to[term].append(posting)
        else:
            to[term] = [posting]


def _cut(postings: Postings, below: int) -> Postings:
    """Those of documents below a number."""
    if len(postings) and int(postings[-1]) >> 8 >= below:
        return postings[: postings.searchsorted(np.uint32(below << 8))]
    return postings


class Filed:
    """Reads postings: what was read of terms is remembered, what waits to be filed is in memory."""

    def __init__(self, side: SideStore) -> None:
        """Over the file of an index, of which nothing has been read."""
        self._side = side
        self._below = 0
        self._next = 0
        self._waiting: dict[str, list[int]] = {}
        self._in_order: list[str] | None = None
        """The terms of what waits, where that was asked."""
        self._known: dict[str, Postings] = {}
        self._room = _KEPT_BYTES

    @property
    def documents(self) -> int:
        """How many numbers have been given to documents."""
        return self._next

    def refresh(self) -> bool:
        """Take over what waits; answers whether any words have changed."""
        below, rows = self._lately(self._next)
        if below == self._below and not rows:
            return False
        if below != self._below:
            below, rows = self._lately(0)
            self._below, self._next, self._waiting = below, below, {}
        for no, terms, said in rows:
            _add(self._waiting, no, zip(terms.split(), said, strict=True))
            self._next = no + 1
        self._in_order = None
        self._forget()
        return True

    def _lately(self, after: int) -> tuple[int, list[Row]]:
        """(below which all are filed, what waits from a number on), of one moment."""
        rows = self._side.rows(_LATELY, (after,))
        return rows[0][0], rows[1:]

    def of(self, terms: Sequence[str]) -> Mapping[str, Postings]:
        """The postings of some terms, among others, each in its order; none of what no document has."""
        missing = [term for term in terms if term not in self._known]
        if missing:
            if self._room < 0:
                self._forget()
                missing = list(terms)
            self._load(missing)
        return self._known

    def begun(self, head: str) -> Postings | None:
        """The postings of all words that begin so, written or read, in no order; nothing where that are too many to be read together."""
        ranges = [(start, after_all(start)) for start in (head, read_as(head))]
        rows = self._side.rows(_BEGUN, (*ranges[0], *ranges[1], BEGUN_MAX + 1))
        if len(rows) > BEGUN_MAX:
            return None
        filed = np.frombuffer(b"".join([body for (body,) in rows]), np.uint32)
        if self._waiting:
            if self._in_order is None:
                self._in_order = sorted(self._waiting)
            terms = [
                term
                for start, end in ranges
                for term in self._in_order[bisect_left(self._in_order, start) : bisect_left(self._in_order, end)]
            ]
            waiting = [posting for term in terms for posting in self._waiting[term]]
            return np.concatenate((filed[filed < self._below << 8], np.array(waiting, np.uint32)))
        return filed[filed < self._below << 8]

    def _load(self, terms: Sequence[str]) -> None:
        size = 1 << (len(terms) - 1).bit_length()
        found: dict[str, list[tuple[int, bytes]]] = {term: [] for term in terms}
        for term, part, body in self._side.rows(f"{_OF_TERMS}({','.join('?' * size)})", [*terms, *[None] * (size - len(terms))]):
            found[term].append((part, body))
        self._keep(found)

    def remember(self, found: Mapping[str, Sequence[tuple[int, bytes]]]) -> None:
        """Take over (part, postings) that were read of some terms, beside something else that was asked."""
        if self._room < 0:
            self._forget()
        self._keep(found)

    def _keep(self, found: Mapping[str, Sequence[tuple[int, bytes]]]) -> None:
        for term, bodies in found.items():
            postings = np.frombuffer(bodies[0][1] if len(bodies) == 1 else b"".join([body for _, body in sorted(bodies)]), np.uint32)
            if len(postings) and postings[-1] >= self._below << 8:
                postings = _cut(postings, self._below)
            if waiting := self._waiting.get(term):
                postings = np.concatenate((postings, np.array(waiting, np.uint32)))
            self._known[term] = postings
            self._room -= postings.nbytes + _KEPT_BYTES_EACH

    def _forget(self) -> None:
        self._known.clear()
        self._room = _KEPT_BYTES
