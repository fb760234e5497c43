"""Every statement of the index. It is a file of its own (`SideStore`), derived from the store and made anew when it is lost."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from yunduan.domains.search import store_postings
from yunduan.domains.search.columns import Columns, Shelf, block_of
from yunduan.domains.search.model import SCORED_MAX
from yunduan.domains.search.store_postings import Filed, Filing
from yunduan.domains.search.store_words import LEXICON, Made, Term, WordFile, Written, after_all
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.runtime.ports import Row, SideStore

KEPT_MAX = 4_000
"""So many titles, and so many names, a process that reads remembers: four MiB at most."""
TERMS_KEPT_MAX = 10_000
"""So many terms, those among them that nothing has: three MiB."""
NUMBERS_KEPT = 8_000
"""So many numbers of names the process that writes remembers: two MiB."""
_encode = msgspec.json.Encoder().encode
FORM = 8
"""Of the index, and of what is made of texts: one that was made in another form is made anew."""

TABLES = (
    LEXICON
    + store_postings.TABLES
    + """
CREATE TABLE state (
    id INTEGER PRIMARY KEY, form INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, change INTEGER NOT NULL,
    is_whole INTEGER NOT NULL, documents INTEGER NOT NULL, began_at INTEGER NOT NULL, whole_at INTEGER NOT NULL
) STRICT;
CREATE TABLE document (
    no INTEGER PRIMARY KEY AUTOINCREMENT, goods_id TEXT NOT NULL UNIQUE, shop_id TEXT NOT NULL, category_id TEXT NOT NULL,
    title TEXT NOT NULL, title_en TEXT NOT NULL, plain TEXT, plain_en TEXT, mark BLOB NOT NULL
) STRICT;
CREATE INDEX document_shop ON document (shop_id);
CREATE INDEX document_category ON document (category_id);
CREATE TABLE block (no INTEGER PRIMARY KEY, change INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX block_change ON block (change);
CREATE TABLE name (
    no INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, title_en TEXT NOT NULL, UNIQUE (kind, id)
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    title, more, about, syllables, initials, content='', contentless_delete=1, tokenize='ascii', prefix='1 2 3'
);
CREATE VIRTUAL TABLE labels USING fts5 (
    title, syllables, initials, content='', contentless_delete=1, tokenize='ascii', prefix='1 2 3'
);
INSERT INTO state (id, form, epoch, seq, change, is_whole, documents, began_at, whole_at) VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);
"""
)
_STATE = "SELECT form, epoch, seq, change, is_whole, documents, began_at, whole_at FROM state WHERE id = 1"
_KEEP_STATE = (
    "UPDATE state SET form = ?, epoch = ?, seq = ?, change = ?, is_whole = ?, documents = ?, began_at = ?, whole_at = ? WHERE id = 1"
)
_FEW = 8
"""So few terms are asked for together with their postings: they are what a question of a few words is of, and most of them are wanted."""
_KNOWN_AND_FILED = {
    size: " UNION ALL ".join(
        [f"SELECT term, kind, documents, syllables, NULL FROM term WHERE term = ?{at}" for at in range(1, size + 1)]  # noqa: S608 - numbers
        + [f"SELECT term, part, NULL, NULL, body FROM posting WHERE term = ?{at}" for at in range(1, size + 1)]  # noqa: S608 - the same
    )
    for size in (1, 2, 4, _FEW)
}
_BLOCKS = "SELECT no, change, body FROM block WHERE change > ? ORDER BY no"
_BLOCK = "SELECT body FROM block WHERE no = ?"
_KEEP_BLOCK = (
    "INSERT INTO block (no, change, body) VALUES (?, ?, ?) ON CONFLICT (no) DO UPDATE SET change = excluded.change, body = excluded.body"
)
_MARKS = "SELECT goods_id, no, mark FROM document WHERE goods_id IN "
_DOCUMENTS = "SELECT no, goods_id, title, title_en, plain, plain_en FROM document WHERE no IN "
_CALLED = "SELECT no, coalesce(plain, title) || ' ' || coalesce(plain_en, title_en) FROM document WHERE no IN "
_PLACED = "SELECT goods_id, no, shop_id FROM document WHERE goods_id IN "
_OF_SHOP = "SELECT goods_id FROM document WHERE shop_id = ?"
_OF_CATEGORY = "SELECT goods_id FROM document WHERE category_id = ?"
_ADD_DOCUMENT = (
    "INSERT INTO document (no, goods_id, shop_id, category_id, title, title_en, plain, plain_en, mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_DROP_DOCUMENT = "DELETE FROM document WHERE no = ?"
_LAST = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'document'"
_DROP_WORDS = "DELETE FROM words WHERE rowid = ?"
_ADD_WORDS = "INSERT INTO words (rowid, title, more, about, syllables, initials) VALUES (?, ?, ?, ?, ?, ?)"
_NAME = (
    "INSERT INTO name (kind, id, title, title_en) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, id) DO UPDATE SET title = excluded.title, title_en = excluded.title_en RETURNING no"
)
_NAMED = "SELECT no, title, title_en FROM name WHERE kind = ? AND id = ?"
_DROP_LABEL = "DELETE FROM labels WHERE rowid = ?"
_ADD_LABEL = "INSERT INTO labels (rowid, title, syllables, initials) VALUES (?, ?, ?, ?)"
_LABELLED = (
    "SELECT name.no, name.kind, name.id, name.title, name.title_en FROM labels JOIN name ON name.no = labels.rowid"
    " WHERE labels MATCH ? ORDER BY bm25(labels, 10.0, 5.0, 1.0), name.no LIMIT ?"
)
_LABELLED_FIRST = (
    "SELECT name.no, name.kind, name.id, name.title, name.title_en FROM labels JOIN name ON name.no = labels.rowid"
    " WHERE labels MATCH ? LIMIT ?"
)
_NO_OF = "SELECT no FROM name WHERE kind = ? AND id = ?"
_BEGINNING = "SELECT no, kind, id, title, title_en FROM name WHERE kind = ? AND id >= ? AND id < ? ORDER BY id LIMIT ?"
_NAMES = "SELECT no, kind, id, title, title_en FROM name WHERE no IN "
_MATCHED = "SELECT rowid FROM words WHERE words MATCH ? LIMIT ?"
_MATCHED_LAST = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?"
_MATCHED_AMONG = "SELECT rowid FROM words WHERE words MATCH ? AND rowid IN (SELECT value FROM json_each(?))"
_SCORED = "SELECT rowid, bm25(words, 10.0, 3.0, 1.0, 2.0, 1.0) FROM words WHERE words MATCH ? LIMIT ?"
_SCORED_AMONG = (
    "SELECT rowid, bm25(words, 10.0, 3.0, 1.0, 2.0, 1.0) FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
    " AND +rowid IN (SELECT value FROM json_each(?4))"
)
"""In one walk: asked for one document after the other, FTS5 counts what has the words anew for each."""


class State(Made, frozen=True, kw_only=True):
    """How far an index is: made in which form, of which facts, when, and how often it was changed."""

    change: int = 0
    documents: int = 0
    began_at: int = 0
    whole_at: int = 0
    """When its making was begun and when it was whole, in milliseconds since 1970; 0 before."""

    @property
    def entries(self) -> int:
        """How many goods it has."""
        return self.documents

    @property
    def made_ms(self) -> int:
        """How long its making took."""
        return max(0, self.whole_at - self.began_at)


class Name(Struct, frozen=True, gc=False):
    """What a number stands for: a shop, a category, a currency, or what goods tell of themselves."""

    no: int
    kind: str
    id: str
    title: str
    title_en: str


class Titled(Struct, frozen=True, gc=False):
    """A document as it is shown: whose, and what its goods are called."""

    no: int
    goods_id: GoodsId
    title: str
    title_en: str
    plain: str
    """The title in the form in which it is searched, each character in its place; empty where it has none of this length."""
    plain_en: str


class Document(Struct, frozen=True, kw_only=True, gc=False):
    """A document as it is written: what is shown, what it is looked for by when its shop or category changes, and its words."""

    shown: Titled
    shop_id: ShopId
    category_id: CategoryId
    mark: bytes
    """What tells its words from others."""
    words: Written


class Index(WordFile):
    """The index through one connection."""

    FORM = FORM
    TABLES = TABLES

    def __init__(self, side: SideStore) -> None:
        """Over a file that is empty, or was made."""
        super().__init__(side)
        self._titles: dict[int, Titled] = {}
        self._names: dict[int, Name] = {}
        self._terms: dict[str, list[Term]] = {}
        self._is_asked = False
        self._numbers: dict[tuple[str, str], tuple[int, str, str]] = {}
        self._state: State | None = None
        self._last: int | None = None
        self._gone: list[int] = []
        self._waiting: list[Row] = []
        self._is_mended = False
        self._filing = Filing(side)
        self._filed = Filed(side)

    # What is read

    def state(self) -> State:
        """How far it is."""
        ((form, epoch, seq, change, is_whole, documents, began_at, whole_at),) = self._side.rows(_STATE)
        return State(
            form=form,
            epoch=epoch,
            seq=seq,
            change=change,
            is_whole=bool(is_whole),
            documents=documents,
            began_at=began_at,
            whole_at=whole_at,
        )

    def look(self) -> State:
        """How far it is, for whoever writes it: what was read or written is known until another connection writes.

        Of one in another form only that can be told.
        """
        if self._side.has_changed():
            self._forget_written()
        if self._state is None:
            form = self.form()
            self._state = self.state() if form == FORM else State(form=form)
        return self._state

    def refresh(self, shelf: Shelf) -> bool:
        """Take over the columns that have changed; answers whether anything had. What was read is known until then."""
        self._is_asked = True
        if not self._side.has_changed():
            return False
        blocks = self._side.rows(_BLOCKS, (shelf.through,))
        if blocks:  # names and titles are written with the columns of their documents, never without
            self._titles.clear()
            self._names.clear()
        shelf.take(blocks)
        if self._filed.refresh():
            self._terms.clear()
        return True

    @property
    def filed(self) -> Filed:
        """The postings of whole words, as of the last `refresh`."""
        return self._filed

    def known(self, terms: Iterable[str]) -> list[Term]:
        """Those of some terms that there are; what was asked for before is remembered until the words of any document change."""
        if not self._is_asked:
            return super().known(terms)
        wanted = list(terms)
        missing = [term for term in wanted if term not in self._terms]
        if missing:
            if len(self._terms) > TERMS_KEPT_MAX:
                self._terms.clear()
                missing = wanted
            self._terms |= {term: [] for term in missing}
            for one in self._known_and_filed(missing) if len(missing) <= _FEW else super().known(missing):
                self._terms[one.term].append(one)
        return [one for term in wanted for one in self._terms[term]]

    def _known_and_filed(self, terms: list[str]) -> list[Term]:
        """Those of a few terms that there are; their postings are remembered, which are asked for next."""
        size = 1 << (len(terms) - 1).bit_length()
        found: list[Term] = []
        bodies: dict[str, list[tuple[int, bytes]]] = {term: [] for term in terms}
        for term, number, documents, syllables, body in self._side.rows(_KNOWN_AND_FILED[size], [*terms, *[None] * (size - len(terms))]):
            if body is None:
                found.append(Term(term, number, documents, syllables))
            else:
                bodies[term].append((number, body))
        self._filed.remember(bodies)
        return found

    def matched(self, expression: str, limit: int) -> list[int]:
        """Documents that an expression finds, some order."""
        return [row[0] for row in self._side.rows(_MATCHED, (expression, limit))]

    def matched_last(self, expression: str, limit: int) -> list[int]:
        """The same, of the documents that were made last."""
        return [row[0] for row in self._side.rows(_MATCHED_LAST, (expression, limit))]

    def matched_among(self, expression: str, documents: Iterable[int]) -> list[int]:
        """Those of some documents that an expression finds."""
        return [row[0] for row in self._side.rows(_MATCHED_AMONG, (expression, _list(documents)))]

    def scored(self, expression: str, limit: int) -> list[Row]:
        """(document, relevance) of what an expression finds; the less, the better."""
        return self._side.rows(_SCORED, (expression, limit))

    def scored_among(self, expression: str, documents: Sequence[int]) -> list[Row]:
        """The same of some documents."""
        return self._side.rows(_SCORED_AMONG, (expression, min(documents), max(documents), _list(documents))) if documents else []

    def titles(self, documents: Iterable[int]) -> dict[int, Titled]:
        """Documents as they are shown."""
        return _kept(self._titles, list(documents), lambda missing: [_titled(row) for row in self._among(_DOCUMENTS, missing)])

    def called(self, documents: Sequence[int]) -> list[Row]:
        """(document, its titles in the form in which they are searched) of many, which are not remembered."""
        return self._among(_CALLED, documents)

    def names(self, numbers: Iterable[int]) -> dict[int, Name]:
        """What numbers stand for."""
        return _kept(self._names, list(numbers), lambda missing: [Name(*row) for row in self._among(_NAMES, missing)])

    def labelled(self, expression: str, limit: int) -> list[Name]:
        """Names that an expression finds, the best first; of more than `SCORED_MAX` so many of those that were made first, in no order."""
        found = self._side.rows(_LABELLED_FIRST, (expression, SCORED_MAX + 1))
        if 1 < len(found) <= SCORED_MAX:  # else BM25 would count what begins so, which may be every second shop
            found = self._side.rows(_LABELLED, (expression, limit))
        return [Name(*row) for row in found[:SCORED_MAX]]

    def number(self, kind: str, id: str) -> int:
        """The number of something; 0 where no goods have it."""
        rows = self._side.rows(_NO_OF, (kind, id))
        return rows[0][0] if rows else 0

    def beginning(self, kind: str, head: str, limit: int) -> list[Name]:
        """What of a kind has an id that begins so."""
        return [Name(*row) for row in self._side.rows(_BEGINNING, (kind, head, after_all(head), limit))]

    def documents(self, goods_ids: Iterable[GoodsId]) -> dict[GoodsId, tuple[int, bytes]]:
        """(number, mark of its words) of the documents of goods, of those that have one."""
        return {row[0]: (row[1], row[2]) for row in self._among(_MARKS, list(goods_ids))}

    def placed(self, goods_ids: Iterable[GoodsId]) -> dict[GoodsId, tuple[int, ShopId]]:
        """(number, shop) of the same."""
        return {row[0]: (row[1], row[2]) for row in self._among(_PLACED, list(goods_ids))}

    def of_shop(self, shop_id: ShopId) -> list[GoodsId]:
        """The goods of a shop."""
        return [row[0] for row in self._side.rows(_OF_SHOP, (shop_id,))]

    def of_category(self, category_id: CategoryId) -> list[GoodsId]:
        """The goods of a category, those below it left out."""
        return [row[0] for row in self._side.rows(_OF_CATEGORY, (category_id,))]

    # What is written, between `begin` and `commit`

    def keep_state(self, state: State) -> None:
        """Note how far it is."""
        row = (state.form, state.epoch, state.seq, state.change, int(state.is_whole), state.documents, state.began_at, state.whole_at)
        self._side.write(_KEEP_STATE, row)
        self._state = state

    def gather(self) -> None:
        """Nobody reads this file until it is `finish`ed."""
        self._filing.gather()
        self._is_mended = True

    def finish(self) -> None:
        """Write what was gathered."""
        self._filing.whole(self.last() + 1)

    def last(self) -> int:
        """The highest number that a document was given; what is written anew gets another, and none is given twice."""
        if self._last is None:
            ((self._last,),) = self._side.rows(_LAST)
        return self._last

    def keep_documents(self, documents: Sequence[Document]) -> None:
        """Keep what is shown of goods that have no document, under numbers that none has had; `keep_words` lets them be found."""
        self._side.write_many(_ADD_DOCUMENT, [_row_of(one) for one in documents])
        for one in documents:
            words = one.words
            self._last = max(self.last(), one.shown.no)
            self._filing.add(one.shown.no, words)
            self._waiting.append((one.shown.no, words.title, words.more, words.about, words.syllables, words.initials))

    def drop_documents(self, numbers: Sequence[int]) -> None:
        """Forget documents."""
        self._side.write_many(_DROP_DOCUMENT, [(no,) for no in numbers])
        self._gone += numbers

    def keep_words(self) -> None:
        """Let documents that were kept be found by their words, and those that were dropped by none.

        After everything else in a transaction, in the order of their numbers: what comes between has FTS5 write what it has as a part of
        its own.
        """
        self._side.write_many(_DROP_WORDS, [(no,) for no in sorted(self._gone)])
        self._side.write_many(_ADD_WORDS, self._waiting)
        self._gone, self._waiting = [], []

    def thresh(self) -> bool:
        """Make rows of some of the postings that were gathered, when all documents are there; answers whether there is more of that."""
        self.begin()
        more = self._filing.thresh()
        self.commit()
        return more

    def merge(self) -> bool:
        """Merge some pages of words, or file some postings."""
        return super().merge() or self._filing.go_on()

    def file(self) -> None:
        """File postings that wait, where they are too many to wait until nobody waits for anything else."""
        if self._filing.must_file():
            self._keep_put_off()  # whose postings wait no more, their terms are filed for slips
            self._filing.file_all()

    @property
    def has_put_off(self) -> bool:
        """Whether `keep_put_off` has anything to do: when an index was opened, perhaps what whoever has kept it before was not to do."""
        return super().has_put_off or not self._is_mended

    def _keep_put_off(self) -> None:
        if not self._is_mended:
            self._is_mended = True
            self._unfiled += [(one.term, one.kind) for one in super().known(self._filing.waiting())]
        super()._keep_put_off()

    def name(self, kind: str, id: str, title: str = "", title_en: str = "", *, label: Callable[[], Written] | None = None) -> int:
        """The number of something, which now has this name; `label` makes the words by which it is found while somebody types."""
        no, *names = self._numbers.get((kind, id)) or self._named(kind, id)
        if no and names == [title, title_en]:
            return no
        ((no,),) = self._side.rows(_NAME, (kind, id, title, title_en))
        if label is not None:
            words = label()
            self._side.write(_DROP_LABEL, (no,))
            self._side.write(_ADD_LABEL, (no, words.title, words.syllables, words.initials))
        self._numbers[kind, id] = no, title, title_en
        return int(no)

    def _named(self, kind: str, id: str) -> tuple[int, str, str]:
        """The number of something, and what it was called so far; 0 where it has none."""
        for row in self._side.rows(_NAMED, (kind, id)):
            if len(self._numbers) >= NUMBERS_KEPT:
                self._numbers.clear()
            self._numbers[kind, id] = row
            return row
        return 0, "", ""

    def begin(self) -> None:
        """Open a transaction; what somebody else has written meanwhile is not remembered otherwise."""
        super().begin()
        if self._side.has_changed():
            self._forget_written()

    def _forget_written(self) -> None:
        self._numbers.clear()
        self._state = self._last = None

    def rollback(self) -> None:
        """Undo it, and forget what was to be written, and the numbers that were given out in it."""
        super().rollback()
        self._forget_written()
        self._gone, self._waiting = [], []

    def block(self, no: int) -> Columns:
        """A block of columns, to be changed."""
        rows = self._side.rows(_BLOCK, (no,))
        return block_of(rows[0][0] if rows else None)

    def keep_block(self, no: int, columns: Columns, *, change: int) -> None:
        """Keep a block."""
        self._side.write(_KEEP_BLOCK, (no, change, columns.tobytes()))


def _row_of(one: Document) -> Row:
    """A document as a row; of a title that is searched as it is shown, nothing is kept twice."""
    shown = one.shown
    plain, plain_en = (None if plain == title else plain for plain, title in ((shown.plain, shown.title), (shown.plain_en, shown.title_en)))
    return (shown.no, shown.goods_id, one.shop_id, one.category_id, shown.title, shown.title_en, plain, plain_en, one.mark)


def _list(values: Iterable[object]) -> str:
    """Values as the one argument of a statement."""
    return _encode(list(values)).decode()


Kept = TypeVar("Kept", Titled, Name)


def _kept(known: dict[int, Kept], numbers: list[int], load: Callable[[list[int]], list[Kept]]) -> dict[int, Kept]:
    """Some of what is known, that which is not loaded first; of too much everything is forgotten."""
    missing = [no for no in numbers if no not in known]
    if missing:
        if len(known) + len(missing) > KEPT_MAX:
            known.clear()
            missing = numbers
        for one in load(missing):
            known[one.no] = one
    return {no: known[no] for no in numbers if no in known}


def _titled(row: Row) -> Titled:
    no, goods_id, title, title_en, plain, plain_en = row
    return Titled(no, goods_id, title, title_en, title if plain is None else plain, title_en if plain_en is None else plain_en)
