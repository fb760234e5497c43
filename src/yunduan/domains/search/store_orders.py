"""Every statement of the index of orders. It is a file of its own (`SideStore`), derived from the store and made anew when it is lost.

What orders are of is cut into words once for everybody who buys it: a *title* is what one shop called one thing, and of an order no
more is kept than which titles it has, for its buyer and for its shop. Orders stand by their places, which make their numbers.
"""

from collections.abc import Iterable, Sequence

import msgspec

from yunduan.domains.search.store_words import LEXICON, Made, WordFile, Written
from yunduan.runtime.ports import Row, SideStore

_encode = msgspec.json.Encoder().encode
FORM = 2
"""Of the index, and of what is made of texts: one that was made in another form is made anew."""

TABLES = (
    LEXICON
    + """
CREATE TABLE state (
    id INTEGER PRIMARY KEY, form INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, through INTEGER NOT NULL,
    is_whole INTEGER NOT NULL
) STRICT;
CREATE TABLE owner (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE title (no INTEGER PRIMARY KEY, mark BLOB NOT NULL UNIQUE, shop INTEGER NOT NULL) STRICT;
CREATE TABLE line (
    owner INTEGER NOT NULL, title INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (owner, title, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE tail (
    owner INTEGER NOT NULL, digits INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (owner, digits, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE parcel (
    owner INTEGER NOT NULL, mark BLOB NOT NULL, place INTEGER NOT NULL, buyer INTEGER NOT NULL, PRIMARY KEY (owner, mark, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_buyer ON parcel (buyer);
CREATE VIRTUAL TABLE words USING fts5 (
    title, syllables, initials, shop, content='', contentless_delete=1, tokenize='ascii', prefix='1 2 3'
);
INSERT INTO state (id, form, epoch, seq, through, is_whole) VALUES (1, 0, 0, 0, 0, 0);
"""
)

_STATE = "SELECT form, epoch, seq, through, is_whole FROM state WHERE id = 1"
_KEEP_STATE = "UPDATE state SET form = ?, epoch = ?, seq = ?, through = ?, is_whole = ? WHERE id = 1"
_OWNER = "SELECT no FROM owner WHERE id = ?"
_OWNERS = "SELECT id, no FROM owner WHERE id IN "
_LAST_OWNER = "SELECT coalesce(max(no), 0) FROM owner"
_ADD_OWNER = "INSERT INTO owner (no, id) VALUES (?, ?)"
_KEPT_TITLES = "SELECT mark, no FROM title WHERE mark IN "
_ADD_TITLE = "INSERT INTO title (mark, shop) VALUES (?, ?) RETURNING no"
_ADD_WORDS = "INSERT INTO words (rowid, title, syllables, initials, shop) VALUES (?, ?, ?, ?, ?)"
_ADD_LINE = "INSERT INTO line (owner, title, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_TAIL = "INSERT INTO tail (owner, digits, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_PARCEL = "INSERT INTO parcel (owner, mark, place, buyer) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DROP_PARCELS = "DELETE FROM parcel WHERE buyer = ?"
_TITLES = (
    "WITH RECURSIVE had (no) AS (SELECT max(title) FROM line WHERE owner = ?1"
    " UNION ALL SELECT (SELECT max(title) FROM line WHERE owner = ?1 AND title < had.no) FROM had WHERE had.no IS NOT NULL LIMIT ?2)"
    " SELECT no FROM had WHERE no IS NOT NULL"
)
"""One step along the key for each title, however many orders have it; the newest first."""
_SHOPS = (
    "SELECT title.no, owner.no, owner.id FROM title JOIN owner ON owner.no = title.shop WHERE title.no IN (SELECT value FROM json_each(?))"
)
_MATCHED = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?"
_NEWEST = (
    "SELECT value, (SELECT max(place) FROM line WHERE owner = ?1 AND title = value AND place < ?2) AS newest"
    " FROM json_each(?3) WHERE newest IS NOT NULL ORDER BY newest DESC"
)
_PLACES = "SELECT place FROM line WHERE owner = ? AND title = ? AND place < ? AND place >= ? ORDER BY place DESC LIMIT ?"
_BY_TAIL = "SELECT place FROM tail WHERE owner = ? AND digits = ? AND place < ? ORDER BY place DESC LIMIT ?"
_BY_PARCEL = "SELECT place FROM parcel WHERE owner = ? AND mark = ? AND place < ? ORDER BY place DESC LIMIT ?"


class OrderState(Made, frozen=True, kw_only=True):
    """How far an index of orders is: made in which form, of which facts, and through which place."""

    through: int = 0
    """Every order up to this place is in it."""

    @property
    def entries(self) -> int:
        """How many orders it has."""
        return self.through


class OrderIndex(WordFile):
    """The index of orders through one connection."""

    FORM = FORM
    TABLES = TABLES

    def __init__(self, side: SideStore) -> None:
        """Over a file that is empty, or was made."""
        super().__init__(side)
        self._waiting: list[Row] = []

    # What is read

    def state(self) -> OrderState:
        """How far it is."""
        ((form, epoch, seq, through, is_whole),) = self._side.rows(_STATE)
        return OrderState(form=form, epoch=epoch, seq=seq, through=through, is_whole=bool(is_whole))

    def owner(self, id: str) -> int:
        """The number of a person or a shop; 0 where it has no order here."""
        rows = self._side.rows(_OWNER, (id,))
        return rows[0][0] if rows else 0

    def titles_of(self, owner: int, limit: int) -> list[int]:
        """What somebody has bought or sold, the newest to the index first."""
        return [row[0] for row in self._side.rows(_TITLES, (owner, limit))]

    def shops_of(self, titles: Iterable[int]) -> dict[int, tuple[int, str]]:
        """The shop of each title: its number, and its id."""
        return {row[0]: (row[1], row[2]) for row in self._side.rows(_SHOPS, (_list(titles),))}

    def matched(self, expression: str, *, shops: Iterable[int] = (), limit: int) -> list[int]:
        """The titles of some shops, or of all, that an expression finds, the newest to the index first."""
        among = " OR ".join([f'"{_token(shop)}"' for shop in shops])
        return [row[0] for row in self._side.rows(_MATCHED, (f"({expression}) AND shop : ({among})" if among else expression, limit))]

    def places(self, owner: int, titles: Sequence[int], before: int, limit: int) -> list[int]:
        """Somebody's orders of any of some titles, from before a place on, the latest first.

        Where the latest order of each title is known, only those titles have to be looked at that have one of the latest of all.
        """
        newest = self._side.rows(_NEWEST, (owner, before, _list(titles)))
        firsts = sorted({place for _, place in newest}, reverse=True)
        least = firsts[limit - 1] if len(firsts) >= limit else 0
        found: set[int] = set()
        for title, place in newest:
            if place < least:
                break
            found.update([row[0] for row in self._side.rows(_PLACES, (owner, title, before, least, limit))])
        return sorted(found, reverse=True)[:limit]

    def by_tail(self, owner: int, digits: int, before: int, limit: int) -> list[int]:
        """Somebody's orders whose numbers end in four digits, the latest first."""
        return [row[0] for row in self._side.rows(_BY_TAIL, (owner, digits, before, limit))]

    def by_parcel(self, owner: int, mark: bytes, before: int, limit: int) -> list[int]:
        """Somebody's orders of which a parcel's number has this hash, the latest first."""
        return [row[0] for row in self._side.rows(_BY_PARCEL, (owner, mark, before, limit))]

    # What is written, between `begin` and `commit`

    def keep_state(self, state: OrderState) -> None:
        """Note how far it is."""
        self._side.write(_KEEP_STATE, (state.form, state.epoch, state.seq, state.through, int(state.is_whole)))

    def keep_owners(self, ids: Sequence[str]) -> dict[str, int]:
        """The numbers of people and shops, each named once; given out where there is none."""
        found: dict[str, int] = dict(self._among(_OWNERS, ids))
        new = [id for id in ids if id not in found]
        if new:
            ((last,),) = self._side.rows(_LAST_OWNER)
            given = list(enumerate(new, last + 1))
            self._side.write_many(_ADD_OWNER, given)
            found |= {id: no for no, id in given}
        return found

    def kept_titles(self, marks: Sequence[bytes]) -> dict[bytes, int]:
        """The numbers of those titles that have one."""
        return dict(self._among(_KEPT_TITLES, marks))

    def keep_title(self, mark: bytes, *, shop: int, words: Written) -> int:
        """Let a new title be found by these words, once `keep_words` has written them; answers its number."""
        ((no,),) = self._side.rows(_ADD_TITLE, (mark, shop))
        self._waiting.append((no, words.title, words.syllables, words.initials, _token(shop)))
        return int(no)

    def keep_words(self) -> None:
        """Write the words of new titles, after everything else of a transaction: what comes between two has FTS5 write each alone."""
        self._side.write_many(_ADD_WORDS, self._waiting)
        self._waiting.clear()

    def rollback(self) -> None:
        """Undo it."""
        super().rollback()
        self._waiting.clear()

    def keep_lines(self, lines: Iterable[tuple[int, int, int]]) -> None:
        """Keep (owner, title, place), each once."""
        self._side.write_many(_ADD_LINE, lines)

    def keep_tails(self, tails: Iterable[tuple[int, int, int]]) -> None:
        """Keep (owner, last four digits, place), each once."""
        self._side.write_many(_ADD_TAIL, tails)

    def keep_parcels(self, parcels: Iterable[tuple[int, bytes, int, int]]) -> None:
        """Keep (owner, hash, place, buyer), each once."""
        self._side.write_many(_ADD_PARCEL, parcels)

    def drop_parcels(self, buyer: int) -> None:
        """Let nobody's parcels be found who was erased."""
        self._side.write(_DROP_PARCELS, (buyer,))


def _token(shop: int) -> str:
    return f"s{shop}"


def _list(values: Iterable[object]) -> str:
    """Values as the one argument of a statement."""
    return _encode(list(values)).decode()
