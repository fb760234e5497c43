"""Every statement of the index of orders. It is a file of its own (`SideStore`), derived from the store and made anew when it is lost.

What orders are of is cut into words once for everybody who buys it: a *title* is what one shop called one thing, and of an order no
more is kept than which titles it has, in one row for its buyer and in one a title for its shop. Orders stand by their places, which make
their numbers.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunduan.domains.search.store_words import LEXICON, Made, WordFile, Written
from yunduan.runtime.ports import Row, SideStore

_encode = msgspec.json.Encoder().encode
FORM = 3
"""Of the index, and of what is made of texts: one that was made in another form is made anew."""

_WAITING_MAX = 512
"""So many titles are written at once, in ten milliseconds."""
_WIDTH = 4
"""So many bytes has a title's number."""

TABLES = (
    LEXICON
    + """
CREATE TABLE state (
    id INTEGER PRIMARY KEY, form INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, through INTEGER NOT NULL,
    is_whole INTEGER NOT NULL
) STRICT;
CREATE TABLE shop (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE title (no INTEGER PRIMARY KEY, mark BLOB NOT NULL UNIQUE, shop INTEGER NOT NULL) STRICT;
CREATE TABLE sold (title INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (title, place)) STRICT, WITHOUT ROWID;
CREATE TABLE bought (
    buyer INTEGER NOT NULL, place INTEGER NOT NULL, digits INTEGER NOT NULL, titles BLOB NOT NULL, PRIMARY KEY (buyer, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE tail (
    shop INTEGER NOT NULL, digits INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (shop, digits, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE parcel (
    owner INTEGER NOT NULL, mark BLOB NOT NULL, place INTEGER NOT NULL, buyer INTEGER NOT NULL, PRIMARY KEY (owner, mark, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_buyer ON parcel (buyer);
CREATE VIRTUAL TABLE words USING fts5 (
    title, syllables, initials, shop, content='', columnsize=0, tokenize='ascii', prefix='1 2 3'
);
INSERT INTO state (id, form, epoch, seq, through, is_whole) VALUES (1, 0, 0, 0, 0, 0);
"""
)

_STATE = "SELECT form, epoch, seq, through, is_whole FROM state WHERE id = 1"
_KEEP_STATE = "UPDATE state SET form = ?, epoch = ?, seq = ?, through = ?, is_whole = ? WHERE id = 1"
_SHOP = "SELECT no FROM shop WHERE id = ?"
_SHOPS = "SELECT id, no FROM shop WHERE id IN "
_LAST_SHOP = "SELECT coalesce(max(no), 0) FROM shop"
_ADD_SHOP = "INSERT INTO shop (no, id) VALUES (?, ?)"
_KEPT_TITLES = "SELECT mark, no FROM title WHERE mark IN "
_LAST_TITLE = "SELECT coalesce(max(no), 0) FROM title"
_ADD_TITLE = "INSERT INTO title (no, mark, shop) VALUES (?, ?, ?)"
_ADD_WORDS = "INSERT INTO words (rowid, title, syllables, initials, shop) VALUES (?, ?, ?, ?, ?)"
_ADD_SOLD = "INSERT INTO sold (title, place) VALUES (?, ?) ON CONFLICT DO NOTHING"
_ADD_BOUGHT = "INSERT INTO bought (buyer, place, digits, titles) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_TAIL = "INSERT INTO tail (shop, digits, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_PARCEL = "INSERT INTO parcel (owner, mark, place, buyer) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DROP_PARCELS = "DELETE FROM parcel WHERE buyer = ?"
_BOUGHT = "SELECT place, titles FROM bought WHERE buyer = ? AND place < ? ORDER BY place DESC LIMIT ?"
_SHOPS_OF = "SELECT no, shop FROM title WHERE no IN (SELECT value FROM json_each(?))"
_SHOP_IDS = "SELECT no, id FROM shop WHERE no IN (SELECT value FROM json_each(?))"
_MATCHED = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?"
_NEWEST = (
    "SELECT value, (SELECT max(place) FROM sold WHERE title = value AND place < ?1) AS newest"
    " FROM json_each(?2) WHERE newest IS NOT NULL ORDER BY newest DESC"
)
_PLACES = "SELECT place FROM sold WHERE title = ? AND place < ? AND place >= ? ORDER BY place DESC LIMIT ?"
_BY_TAIL = "SELECT place FROM tail WHERE shop = ? AND digits = ? AND place < ? ORDER BY place DESC LIMIT ?"
_BOUGHT_BY_TAIL = "SELECT place FROM bought WHERE buyer = ? AND digits = ? AND place < ? ORDER BY place DESC LIMIT ?"
_BY_PARCEL = "SELECT place FROM parcel WHERE owner = ? AND mark = ? AND place < ? ORDER BY place DESC LIMIT ?"


class OrderState(Made, frozen=True, kw_only=True):
    """How far an index of orders is: made in which form, of which facts, and through which place."""

    through: int = 0
    """Every order up to this place is in it."""

    @property
    def entries(self) -> int:
        """How many orders it has."""
        return self.through


class Bought:
    """Somebody's orders, the latest first, and which titles each has."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Of (place, its titles) of each."""
        self.places = [row[0] for row in rows]
        self._titles: NDArray[np.uint32] = np.frombuffer(b"".join([row[1] for row in rows]), "<u4")
        self._order = np.repeat(np.arange(len(rows)), [len(row[1]) // _WIDTH for row in rows])

    def titles(self) -> list[int]:
        """What was bought, each once, what was bought last first."""
        return list(dict.fromkeys(self._titles.tolist()))

    def places_of(self, titles: Iterable[int]) -> list[int]:
        """Where any of some titles was bought, the latest first."""
        having = self._order[np.isin(self._titles, np.fromiter(titles, np.uint32))]
        return [self.places[place] for place in np.unique(having).tolist()]


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

    def shop(self, id: str) -> int:
        """The number of a shop; 0 where it has no order here."""
        rows = self._side.rows(_SHOP, (id,))
        return rows[0][0] if rows else 0

    def bought(self, buyer: int, before: int, limit: int) -> Bought:
        """What somebody has bought, from before a place on, in so many orders."""
        return Bought(self._side.rows(_BOUGHT, (buyer, before, limit)))

    def shops_of(self, titles: Iterable[int]) -> dict[int, tuple[int, str]]:
        """The shop of each title: its number, and its id."""
        shops: dict[int, int] = dict(self._side.rows(_SHOPS_OF, (_list(titles),)))
        ids: dict[int, str] = dict(self._side.rows(_SHOP_IDS, (_list(set(shops.values())),)))
        return {title: (shop, ids[shop]) for title, shop in shops.items()}

    def matched(self, expression: str, *, shops: Iterable[int] = (), limit: int) -> list[int]:
        """The titles of some shops, or of all, that an expression finds, the newest to the index first."""
        among = " OR ".join([f'"{_token(shop)}"' for shop in shops])
        return [row[0] for row in self._side.rows(_MATCHED, (f"({expression}) AND shop : ({among})" if among else expression, limit))]

    def places(self, titles: Sequence[int], before: int, limit: int) -> list[int]:
        """The orders of any of some titles, from before a place on, the latest first.

        Where the latest order of each title is known, only those titles have to be looked at that have one of the latest of all.
        """
        newest = self._side.rows(_NEWEST, (before, _list(titles)))
        firsts = sorted({place for _, place in newest}, reverse=True)
        least = firsts[limit - 1] if len(firsts) >= limit else 0
        found: set[int] = set()
        for title, place in newest:
            if place < least:
                break
            found.update([row[0] for row in self._side.rows(_PLACES, (title, before, least, limit))])
        return sorted(found, reverse=True)[:limit]

    def by_tail(self, owner: int, digits: int, before: int, limit: int, *, is_shop: bool) -> list[int]:
        """Somebody's orders whose numbers end in four digits, the latest first; a buyer's are looked through."""
        sql = _BY_TAIL if is_shop else _BOUGHT_BY_TAIL
        return [row[0] for row in self._side.rows(sql, (owner, digits, before, limit))]

    def by_parcel(self, owner: int, mark: bytes, before: int, limit: int) -> list[int]:
        """Somebody's orders of which a parcel's number has this hash, the latest first."""
        return [row[0] for row in self._side.rows(_BY_PARCEL, (owner, mark, before, limit))]

    # What is written, between `begin` and `commit`

    def keep_state(self, state: OrderState) -> None:
        """Note how far it is."""
        self._side.write(_KEEP_STATE, (state.form, state.epoch, state.seq, state.through, int(state.is_whole)))

    def keep_shops(self, ids: Sequence[str]) -> dict[str, int]:
        """The numbers of shops, each named once; given out where there is none."""
        found: dict[str, int] = dict(self._among(_SHOPS, ids))
        new = [id for id in ids if id not in found]
        if new:
            ((last,),) = self._side.rows(_LAST_SHOP)
            given = list(enumerate(new, last + 1))
            self._side.write_many(_ADD_SHOP, given)
            found |= {id: no for no, id in given}
        return found

    def kept_titles(self, marks: Sequence[bytes]) -> dict[bytes, int]:
        """The numbers of those titles that have one."""
        return dict(self._among(_KEPT_TITLES, marks))

    def keep_titles(self, titles: Sequence[tuple[bytes, int, Written]]) -> list[int]:
        """Let new titles, each with its mark and its shop, be found by their words, once `keep_words` has written them; their numbers."""
        ((last,),) = self._side.rows(_LAST_TITLE)
        given = list(enumerate(titles, last + 1))
        self._side.write_many(_ADD_TITLE, [(no, mark, shop) for no, (mark, shop, _) in given])
        self._waiting += [(no, words.title, words.syllables, words.initials, _token(shop)) for no, (_, shop, words) in given]
        return [no for no, _ in given]

    @property
    def has_many_words(self) -> bool:
        """Whether so many titles wait for `keep_words` that they should not wait for the end of the transaction: it would take long."""
        return len(self._waiting) >= _WAITING_MAX

    def keep_words(self) -> None:
        """Write the words of new titles, after everything else of a transaction: what comes between two has FTS5 write each alone."""
        self._side.write_many(_ADD_WORDS, self._waiting)
        self._waiting.clear()

    def rollback(self) -> None:
        """Undo it."""
        super().rollback()
        self._waiting.clear()

    def keep_sold(self, sold: Iterable[tuple[int, int]]) -> None:
        """Keep (title, place), each once."""
        self._side.write_many(_ADD_SOLD, sold)

    def keep_bought(self, bought: Iterable[tuple[int, int, int, bytes]]) -> None:
        """Keep (buyer, place, last four digits, `listed` titles), each once."""
        self._side.write_many(_ADD_BOUGHT, bought)

    def keep_tails(self, tails: Iterable[tuple[int, int, int]]) -> None:
        """Keep (shop, last four digits, place), each once."""
        self._side.write_many(_ADD_TAIL, tails)

    def keep_parcels(self, parcels: Iterable[tuple[int, bytes, int, int]]) -> None:
        """Keep (owner, hash, place, buyer), each once."""
        self._side.write_many(_ADD_PARCEL, parcels)

    def drop_parcels(self, buyer: int) -> None:
        """Let nobody's parcels be found who was erased."""
        self._side.write(_DROP_PARCELS, (buyer,))


def buyer_of(id: str) -> int:
    """What a buyer's rows are kept under: no table says whose number that is, and whoever else had it would not be shown these orders."""
    return int.from_bytes(blake2b(id.encode(), digest_size=6).digest(), signed=True)


def listed(titles: Iterable[int]) -> bytes:
    """Titles as an order keeps them."""
    return b"".join([title.to_bytes(_WIDTH, "little") for title in titles])


def _token(shop: int) -> str:
    return f"s{shop}"


def _list(values: Iterable[object]) -> str:
    """Values as the one argument of a statement."""
    return _encode(list(values)).decode()
