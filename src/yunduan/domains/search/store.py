"""Every statement of the index. It is a file of its own (`SideStore`), derived from the store and made anew when it is lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from yunduan.domains.search.columns import Columns, Shelf, block_of
from yunduan.domains.search.spelling import LENGTH_MIN, filed_under
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.runtime.ports import Row, SideStore

_encode = msgspec.json.Encoder().encode
_AT_ONCE = 256
_MERGED_PAGES = 16
"""So many are merged at once: a millisecond or two, which is what somebody who comes meanwhile waits longer."""
FORM = 3
"""Of the index, and of what is made of texts: one that was made in another form is made anew."""

TABLES = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY, form INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, change INTEGER NOT NULL,
    is_whole INTEGER NOT NULL, documents INTEGER NOT NULL, began_at INTEGER NOT NULL, whole_at INTEGER NOT NULL
) STRICT;
CREATE TABLE document (
    no INTEGER PRIMARY KEY, goods_id TEXT NOT NULL UNIQUE, shop_id TEXT NOT NULL, category_id TEXT NOT NULL, title TEXT NOT NULL,
    title_en TEXT NOT NULL, mark BLOB NOT NULL
) STRICT;
CREATE INDEX document_shop ON document (shop_id);
CREATE INDEX document_category ON document (category_id);
CREATE TABLE block (no INTEGER PRIMARY KEY, change INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX block_change ON block (change);
CREATE TABLE name (
    no INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, title_en TEXT NOT NULL, UNIQUE (kind, id)
) STRICT;
CREATE TABLE term (
    term TEXT NOT NULL, kind INTEGER NOT NULL, documents INTEGER NOT NULL, syllables TEXT NOT NULL, PRIMARY KEY (term, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE slip (
    filed TEXT NOT NULL, term TEXT NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY (filed, term, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE sign (sign TEXT PRIMARY KEY, syllable TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (
    title, more, about, syllables, initials, content='', contentless_delete=1, tokenize='ascii', prefix='1 2 3'
);
CREATE VIRTUAL TABLE labels USING fts5 (
    title, syllables, initials, content='', contentless_delete=1, tokenize='ascii', prefix='1 2 3'
);
INSERT INTO state (id, form, epoch, seq, change, is_whole, documents, began_at, whole_at) VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);
"""
WORD, READING = 0, 1
"""The kinds of terms: what is written, and how Chinese that is written is read."""

_FORM = "SELECT form FROM state WHERE id = 1"
_STATE = "SELECT form, epoch, seq, change, is_whole, documents, began_at, whole_at FROM state WHERE id = 1"
_KEEP_STATE = (
    "UPDATE state SET form = ?, epoch = ?, seq = ?, change = ?, is_whole = ?, documents = ?, began_at = ?, whole_at = ? WHERE id = 1"
)
_IS_MADE = "SELECT 1 FROM sqlite_schema WHERE name = 'state'"
_BLOCKS = "SELECT no, change, body FROM block WHERE change > ? ORDER BY no"
_BLOCK = "SELECT body FROM block WHERE no = ?"
_KEEP_BLOCK = (
    "INSERT INTO block (no, change, body) VALUES (?, ?, ?) ON CONFLICT (no) DO UPDATE SET change = excluded.change, body = excluded.body"
)
_MARKS = "SELECT goods_id, no, mark FROM document WHERE goods_id IN "
_DOCUMENTS = "SELECT no, goods_id, title, title_en FROM document WHERE no IN "
_OF_SHOP = "SELECT goods_id FROM document WHERE shop_id = ?"
_OF_CATEGORY = "SELECT goods_id FROM document WHERE category_id = ?"
_ADD_DOCUMENT = (
    "INSERT INTO document (goods_id, shop_id, category_id, title, title_en, mark) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (goods_id) DO UPDATE SET shop_id = excluded.shop_id, category_id = excluded.category_id, title = excluded.title,"
    " title_en = excluded.title_en, mark = excluded.mark RETURNING no"
)
_DROP_DOCUMENT = "DELETE FROM document WHERE no = ?"
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
_NO_OF = "SELECT no FROM name WHERE kind = ? AND id = ?"
_NAMES = "SELECT no, kind, id, title, title_en FROM name WHERE no IN "
_COUNT_TERM = (
    "INSERT INTO term (term, kind, documents, syllables) VALUES (?, ?, 1, ?)"
    " ON CONFLICT (term, kind) DO UPDATE SET documents = documents + 1 RETURNING documents"
)
_FILE = "INSERT INTO slip (filed, term, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_KNOWN = "SELECT term, kind, documents, syllables FROM term WHERE term IN "
_SLIPS = (
    "SELECT DISTINCT term.term, term.kind, term.documents, term.syllables FROM slip JOIN term ON term.term = slip.term"
    " AND term.kind = slip.kind WHERE slip.filed IN "
)
_SIGN = "INSERT INTO sign (sign, syllable) VALUES (?, ?) ON CONFLICT DO NOTHING"
_SIGNS = "SELECT sign, syllable FROM sign WHERE sign IN "
_MERGES = "INSERT INTO words (words, rank) VALUES ('automerge', ?)"
_MERGE = "INSERT INTO words (words, rank) VALUES ('merge', ?)"
_CHANGES = "SELECT total_changes()"
_MATCHED = "SELECT rowid FROM words WHERE words MATCH ? LIMIT ?"
_SCORED = "SELECT rowid, bm25(words, 10.0, 3.0, 1.0, 2.0, 1.0) FROM words WHERE words MATCH ? LIMIT ?"
_SCORED_AMONG = (
    "SELECT rowid, bm25(words, 10.0, 3.0, 1.0, 2.0, 1.0) FROM words WHERE words MATCH ? AND rowid IN (SELECT value FROM json_each(?))"
)


class State(Struct, frozen=True, kw_only=True):
    """How far an index is: made in which form, of which facts, when, and how often it was changed."""

    form: int = 0
    epoch: int = 0
    seq: int = 0
    change: int = 0
    is_whole: bool = False
    """Whether every good was read; until then it is being made."""
    documents: int = 0
    began_at: int = 0
    whole_at: int = 0
    """When its making was begun and when it was whole, in milliseconds since 1970; 0 before."""


class Term(Struct, frozen=True, gc=False):
    """Something that goods are called, or how that is read; `documents` counts those that had it, gone ones among them."""

    term: str
    kind: int
    documents: int
    syllables: str


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


class Written(Struct, frozen=True, kw_only=True):
    """The words of a document, each column in one text."""

    title: str
    more: str = ""
    about: str = ""
    syllables: str
    initials: str


class Index:
    """The index through one connection."""

    def __init__(self, side: SideStore) -> None:
        """Over a file that is empty, or an index."""
        self._side = side

    def form(self) -> int:
        """In which form it was made, whole or not, which is all that can be read of one in another form; 0 where there is none."""
        if not self._side.rows(_IS_MADE):
            return 0
        ((form,),) = self._side.rows(_FORM)
        return int(form)

    def make(self) -> None:
        """Make an empty one."""
        self._side.begin()
        self._side.write(TABLES)
        self._side.commit()

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

    def refresh(self, shelf: Shelf) -> bool:
        """Take over the columns that have changed; answers whether anything had."""
        if not self._side.has_changed():
            return False
        shelf.take(self._side.rows(_BLOCKS, (shelf.through,)))
        return True

    def matched(self, expression: str, limit: int) -> list[int]:
        """Documents that an expression finds, some order."""
        return [row[0] for row in self._side.rows(_MATCHED, (expression, limit))]

    def scored(self, expression: str, limit: int) -> list[Row]:
        """(document, relevance) of what an expression finds; the less, the better."""
        return self._side.rows(_SCORED, (expression, limit))

    def scored_among(self, expression: str, documents: Iterable[int]) -> list[Row]:
        """The same of some documents."""
        return self._side.rows(_SCORED_AMONG, (expression, _list(documents)))

    def known(self, terms: Iterable[str]) -> list[Term]:
        """Those of some terms that there are."""
        return [Term(*row) for row in self._among(_KNOWN, list(terms))]

    def slips(self, wrong: str) -> list[Term]:
        """Terms that one slip may have made this of: the most usual first, some of them farther away."""
        return sorted([Term(*row) for row in self._among(_SLIPS, list(filed_under(wrong)))], key=lambda term: (-term.documents, term.term))

    def syllables(self, text: str) -> dict[str, str]:
        """How single characters are read."""
        return dict(self._among(_SIGNS, list(text)))

    def titles(self, documents: Iterable[int]) -> dict[int, Titled]:
        """Documents as they are shown."""
        return {row[0]: Titled(*row) for row in self._among(_DOCUMENTS, list(documents))}

    def names(self, numbers: Iterable[int]) -> dict[int, Name]:
        """What numbers stand for."""
        return {row[0]: Name(*row) for row in self._among(_NAMES, list(numbers))}

    def labelled(self, expression: str, limit: int) -> list[Name]:
        """Names that an expression finds, the best first."""
        return [Name(*row) for row in self._side.rows(_LABELLED, (expression, limit))]

    def number(self, kind: str, id: str) -> int:
        """The number of something; 0 where no goods have it."""
        rows = self._side.rows(_NO_OF, (kind, id))
        return rows[0][0] if rows else 0

    def documents(self, goods_ids: Iterable[GoodsId]) -> dict[GoodsId, tuple[int, bytes]]:
        """(number, mark of its words) of the documents of goods, of those that have one."""
        return {row[0]: (row[1], row[2]) for row in self._among(_MARKS, list(goods_ids))}

    def of_shop(self, shop_id: ShopId) -> list[GoodsId]:
        """The goods of a shop."""
        return [row[0] for row in self._side.rows(_OF_SHOP, (shop_id,))]

    def of_category(self, category_id: CategoryId) -> list[GoodsId]:
        """The goods of a category, those below it left out."""
        return [row[0] for row in self._side.rows(_OF_CATEGORY, (category_id,))]

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
        """Undo it."""
        self._side.rollback()

    def leave_merging(self) -> None:
        """From now on words are merged by `merge`, not while somebody waits for a document; if nobody merges, when it must be."""
        self._side.write(_MERGES, (0,))

    def merge(self) -> bool:
        """Merge some pages of words, outside of any transaction; answers whether there was anything to merge."""
        ((before,),) = self._side.rows(_CHANGES)
        self._side.write(_MERGE, (_MERGED_PAGES,))
        ((after,),) = self._side.rows(_CHANGES)
        return bool(after - before > 1)

    def fold(self) -> None:
        """Do now what waits for the disk, outside of any transaction."""
        self._side.fold()

    def keep_state(self, state: State) -> None:
        """Note how far it is."""
        row = (state.form, state.epoch, state.seq, state.change, int(state.is_whole), state.documents, state.began_at, state.whole_at)
        self._side.write(_KEEP_STATE, row)

    def keep_signs(self, syllables: Mapping[str, str]) -> None:
        """Keep how characters are read, for whoever asks without the tables."""
        self._side.write_many(_SIGN, syllables.items())

    def keep_document(self, goods_id: GoodsId, *, shop_id: ShopId, category_id: CategoryId, title: str, title_en: str, mark: bytes) -> int:
        """Keep what is shown of goods, and what tells their words from others; answers their number."""
        ((no,),) = self._side.rows(_ADD_DOCUMENT, (goods_id, shop_id, category_id, title, title_en, mark))
        return int(no)

    def keep_words(self, no: int, words: Written | None, *, is_new: bool = False) -> None:
        """Let a document be found by these words and by no others; a new one has had none."""
        if not is_new:
            self._side.write(_DROP_WORDS, (no,))
        if words is not None:
            self._side.write(_ADD_WORDS, (no, words.title, words.more, words.about, words.syllables, words.initials))

    def drop_document(self, no: int) -> None:
        """Forget a document; another may have its number."""
        self.keep_words(no, None)
        self._side.write(_DROP_DOCUMENT, (no,))

    def name(self, kind: str, id: str, title: str = "", title_en: str = "", *, label: Callable[[], Written] | None = None) -> int:
        """The number of something, which now has this name; `label` makes the words by which it is found while somebody types."""
        for no, before, before_en in self._side.rows(_NAMED, (kind, id)):
            if (before, before_en) == (title, title_en):
                return int(no)
        ((no,),) = self._side.rows(_NAME, (kind, id, title, title_en))
        if label is not None:
            words = label()
            self._side.write(_DROP_LABEL, (no,))
            self._side.write(_ADD_LABEL, (no, words.title, words.syllables, words.initials))
        return int(no)

    def count_terms(self, terms: Iterable[tuple[str, int, str]]) -> None:
        """Count one document more for each (term, kind, syllables); a new one is filed for slips."""
        for term, kind, syllables in terms:
            ((documents,),) = self._side.rows(_COUNT_TERM, (term, kind, syllables))
            if documents == 1 and term.isascii() and len(term) >= LENGTH_MIN and not term.isdigit():
                self._side.write_many(_FILE, [(filed, term, kind) for filed in filed_under(term)])

    def block(self, no: int) -> Columns:
        """A block of columns, to be changed."""
        rows = self._side.rows(_BLOCK, (no,))
        return block_of(rows[0][0] if rows else None)

    def keep_block(self, no: int, columns: Columns, *, change: int) -> None:
        """Keep a block."""
        self._side.write(_KEEP_BLOCK, (no, change, columns.tobytes()))

    def close(self) -> None:
        """Close the connection."""
        self._side.close()


def _list(values: Iterable[object]) -> str:
    """Values as the one argument of a statement."""
    return _encode(list(values)).decode()
