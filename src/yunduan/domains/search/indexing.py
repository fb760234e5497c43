"""Keeps the index: hears what was told since it looked last, and writes what those goods are now.

The index is no part of the store and moves a cursor of its own in the same transaction as its words, so that it is never ahead and
after a crash goes on from where it was. What it writes is read anew from the catalog, never taken from a fact: to hear a fact twice,
or late, changes nothing but how sales are weighed, and those are told apart by their place in the order of facts.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.catalog.facts import (
    CategoryChanged,
    GoodsChanged,
    ShopChanged,
    ShopHolidaySet,
    ShopStateChanged,
    StandingsShown,
    StockCameBack,
    StockRanLow,
)
from yunduan.domains.catalog.findable import (
    AT_ONCE,
    CategoriesBelow,
    Findable,
    GoodsOnSale,
    GoodsToFind,
    HowManyOnSale,
    Named,
    StandingsToFind,
    Told,
)
from yunduan.domains.catalog.model import average_hundredths
from yunduan.domains.search import words
from yunduan.domains.search.columns import ATTRIBUTES, BLOCK, LEVELS, NUMBERS, RECORD, Columns
from yunduan.domains.search.making import Ask, Maker, can_be_kept
from yunduan.domains.search.ranking import spread, worth_of
from yunduan.domains.search.store import FORM, Document, Index, State, Titled
from yunduan.domains.search.store_postings import DOCUMENTS_MAX
from yunduan.domains.search.store_words import Written
from yunduan.domains.search.written import terms_of, text_of
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.kernel.messages import Fact
from yunduan.runtime.hearing import stands_at, told_after
from yunduan.runtime.ports import Reader, SideStore, SideStores

ABOUT_MAX = 400
"""So many words of a description are indexed."""
ABOUTS_KEPT = 64
"""So many descriptions are remembered with their words, a MiB at most: shops copy them."""
FACTS_AT_ONCE = 1_000
WORN_MIN = 65_536
"""So many numbers without a document an index may have besides as many as it has documents, before it is made anew."""
WAKES = frozenset([GoodsChanged, StockRanLow, StockCameBack, ShopStateChanged, ShopChanged, ShopHolidaySet, CategoryChanged])
"""The facts that change what is found, and are heard at once."""
HEARD = WAKES | {StandingsShown}
"""And what changes the order of it a little, once a minute, of very many goods: a second later, and together."""
BEGIN = ("", -1)
"""What is before every term."""
DECODERS = {fact.__name__: msgspec.json.Decoder(fact) for fact in HEARD}


class Record(Struct, frozen=True, gc=False):
    """Where the numbers of goods are to lie, and where they have lain: 0 for nowhere."""

    no: int
    before: int
    goods: Findable | None


def concerns(facts: Iterable[Fact]) -> bool:
    """Whether any of these changes what is found: the others are heard when somebody looks next."""
    return not WAKES.isdisjoint([type(fact) for fact in facts])


def is_worn(last: int, documents: int) -> bool:
    """Whether an index that has given numbers up to the last to so many documents had better be made anew."""
    return last > 2 * documents + WORN_MIN or last > DOCUMENTS_MAX - WORN_MIN


class Indexer(Maker[Index]):
    """Writes the index, a step at a time: one process does."""

    def __init__(self, sides: SideStores, *, ask: Ask, reader: Reader, now: Callable[[], int], at_once: int = AT_ONCE) -> None:
        """Go on with the generation that everybody reads, if there is one; `at_once` goods are read and written in one step."""
        super().__init__(sides, reader=reader)
        self._ask = ask
        self._now = now
        self._at_once = at_once
        self._walked = ""
        self._done = 0
        self._has_walked = False
        self._filed: tuple[str, int] | None = BEGIN
        self._has_more = False

    def opened(self, side: SideStore) -> Index:
        """Over a file."""
        return Index(side)

    def begun(self, index: Index, epoch: int, seq: int) -> None:
        """Nothing was read yet."""
        self._walked, self._done, self._has_walked, self._filed = "", 0, False, BEGIN
        index.keep_state(State(form=FORM, epoch=epoch, seq=seq, began_at=self._now()))
        index.gather()

    def go_on(self, index: Index) -> bool:
        """Read what goods there are, and then what is told."""
        state = index.look()
        return self._hear(index, state.seq) if state.is_whole else self._make(index)

    def _can_be_kept(self, index: Index) -> bool:
        """Nor one most of whose numbers have been left behind, each a record in the memory of whoever reads, or that has none left."""
        state = index.look()
        return state.form == FORM and can_be_kept(state, *stands_at(self._reader)) and not is_worn(index.last(), state.documents)

    @property
    def can_wait(self) -> bool:
        """How usual terms are changes what is found only where Chinese is cut, or a slip is meant, one way or another."""
        return self._index is not None and self._index.has_put_off and not self._has_more

    def walked(self) -> tuple[int, int]:
        """(goods that were read since the index was begun anew, how many there are)."""
        return self._done, max(self._done, self._ask(HowManyOnSale()))

    def _make(self, index: Index) -> bool:
        """Do the next of what makes an index of nothing: read all goods, file terms and postings, and merge; then everybody reads it."""
        if not self._has_walked:
            self._walk(index)
        elif self._filed is not None:
            self._file(index, self._filed)
        elif not index.thresh() and not index.knit():
            self._write(index, (), is_whole=True, whole_at=self._now())
            self.publish(index)
        return True

    def _walk(self, index: Index) -> None:
        """Read the next goods that are on sale; what is told meanwhile is heard afterwards."""
        ids = self._ask(GoodsOnSale(after=self._walked, limit=self._at_once))
        if ids:
            self._write(index, ids, files=False)
            self._walked = ids[-1]
            self._done += len(ids)
        self._has_walked = not ids

    def _file(self, index: Index, after: tuple[str, int]) -> None:
        """File the next terms for slips, when all that were counted are written."""
        index.begin()
        try:
            index.keep_terms(files=False)
            self._filed = index.file_terms(after)
            index.commit()
        except BaseException:
            index.rollback()
            self.close()  # what was counted and not written yet is forgotten: the next step goes on from what is on disk
            raise

    def _hear(self, index: Index, after: int) -> bool:
        told = told_after(self._reader, after, FACTS_AT_ONCE, DECODERS)
        self._has_more = told.is_more
        if told.through == after:
            if index.has_put_off:
                index.keep_put_off()
            return False
        ids = list(dict.fromkeys([id for fact in told.facts for id in self._touched(index, fact)]))
        read = set(ids)
        while len(ids) > self._at_once:  # one transaction each: after a crash between two the first is heard again
            self._write(index, ids[: self._at_once])
            del ids[: self._at_once]
        stood = {id: None for fact in told.facts if isinstance(fact, StandingsShown) for id in fact.goods_ids}
        self._write(index, ids, stood=[id for id in stood if id not in read], seq=told.through)
        return self._has_more or index.has_put_off

    def _touched(self, index: Index, fact: Fact) -> Iterable[GoodsId]:
        """The goods that a fact is about."""
        match fact:
            case GoodsChanged() | StockRanLow() | StockCameBack():
                return (fact.goods_id,)
            case ShopStateChanged() | ShopChanged() | ShopHolidaySet():
                return index.of_shop(fact.shop_id)
            case CategoryChanged():
                return [id for below in self._ask(CategoriesBelow(category_id=fact.category_id)) for id in index.of_category(below)]
        return ()

    def _write(
        self, index: Index, goods_ids: Sequence[GoodsId], *, stood: Sequence[GoodsId] = (), files: bool = True, **moved: int
    ) -> None:
        """Write what goods are now, or only how they stand, and how far the index is, in one transaction; changes are counted in it."""
        index.begin()
        try:
            state = index.look()
            change = state.change + 1
            self.has_written |= bool(goods_ids or stood)
            more = self._write_documents(index, goods_ids, change, files=files) if goods_ids else 0
            self._write_standings(index, stood, change)
            if moved.get("is_whole"):
                index.finish()
            index.file()
            index.keep_state(replace(state, change=change, documents=state.documents + more, **moved))
            index.keep_words()
            index.commit()
        except BaseException:
            index.rollback()
            self.close()  # what was counted and not written yet is forgotten: the next step goes on from what is on disk
            raise

    def _write_documents(self, index: Index, goods_ids: Sequence[GoodsId], change: int, *, files: bool) -> int:
        """Write what goods are now; answers how many documents more there are than before."""
        found = {one.id: one for one in self._ask(GoodsToFind(goods_ids=tuple(goods_ids)))}
        known = index.documents(goods_ids)
        records: list[Record] = []
        documents: list[Document] = []
        gone: list[int] = []
        last = index.last()
        for id in goods_ids:
            goods, (before, mark_before) = found.get(id), known.get(id, (0, b""))
            no, mark = (before, _mark(goods)) if goods is not None else (0, b"")
            if goods is not None and mark != mark_before:
                no = last = last + 1
                documents.append(_document(index, no, goods, mark))
            if before not in (0, no):
                gone.append(before)
            records.append(Record(no, before, goods))
        index.drop_documents(gone)
        index.keep_documents(documents)
        _keep_records(index, records, change=change, now=self._now())
        if index.has_counted_enough():
            index.keep_terms(files=files)
        elif files:
            index.keep_new_terms()
        return len(found) - len(known)

    def _write_standings(self, index: Index, goods_ids: Sequence[GoodsId], change: int) -> None:
        """Write how goods stand: a block, which many of them share, is written once."""
        blocks: dict[int, Columns] = {}
        now = self._now()
        for start in range(0, len(goods_ids), AT_ONCE):
            placed = index.placed(goods_ids[start : start + AT_ONCE])
            found = self._ask(StandingsToFind(shops={id: shop for id, (_, shop) in placed.items()}))
            for id, stands in found.items():
                block, place = divmod(placed[id][0], BLOCK)
                if block not in blocks:
                    blocks[block] = index.block(block)
                columns = blocks[block]
                columns["sold"][place] = _sold(columns, place, stands.sold, now)
                columns["sold_pieces"][place], columns["reviews"][place] = stands.sold, stands.reviews
                columns["rating"][place] = average_hundredths(stands.stars, stands.reviews) or 0
                columns["shop_rating"][place] = average_hundredths(stands.shop_stars, stands.shop_reviews) or 0
        for block in sorted(blocks):
            index.keep_block(block, blocks[block], change=change)


def _document(index: Index, no: int, goods: Findable, mark: bytes) -> Document:
    """Goods as they are written; their terms are counted."""
    title = words.spoken((goods.title, goods.title_en))
    more = words.spoken(_more(goods), is_read=False)
    index.count_terms(*terms_of(title, more))
    return Document(
        shown=Titled(no, goods.id, goods.title, goods.title_en, _plain(goods.title), _plain(goods.title_en)),
        shop_id=ShopId(goods.shop.id),
        category_id=CategoryId(goods.path[-1].id),
        mark=mark,
        words=Written(
            title=text_of(title.terms, title.pairs),
            more=text_of(more.terms, more.pairs),
            about=_about(goods.description, goods.description_en),
            syllables=" ".join(title.syllables),
            initials=" ".join(title.initials),
            readings=" ".join(dict(title.readings.values())),
        ),
    )


@lru_cache(maxsize=ABOUTS_KEPT)
def _about(description: str, description_en: str) -> str:
    """The words of a description."""
    said = words.spoken((description, description_en), is_read=False, most=ABOUT_MAX)
    return text_of(said.terms, said.pairs)


def _plain(title: str) -> str:
    """A title as it is searched, or nothing where its characters are moved by that."""
    plain = words.folded(title)
    return plain if len(plain) == len(title) else ""


def _mark(goods: Findable) -> bytes:
    """What tells the words of goods from others."""
    told = [(one.key, one.value, one.text, one.text_en, one.name) for one in goods.told]
    said = (goods.title, goods.title_en, goods.description, goods.description_en, goods.choices, told, goods.shop, goods.path)
    return hashlib.blake2b(msgspec.msgpack.encode(said), digest_size=12).digest()


def _more(goods: Findable) -> Iterable[str]:
    """What goods can be found by besides their titles."""
    yield from (goods.shop.name, goods.shop.name_en)
    for category in goods.path:
        yield from (category.name, category.name_en)
    yield from goods.choices
    for one in goods.told:
        yield from (one.text, one.text_en) if one.text else ((one.name.name, one.name.name_en) if one.value else ())


def _keep_records(index: Index, records: Sequence[Record], *, change: int, now: int) -> None:
    """What goods are filtered by lies where they are now; of what was sold, what is known from where they were goes with them."""
    blocks = {block: index.block(block) for block in {place // BLOCK for one in records for place in (one.no, one.before) if place}}
    rows: dict[int, dict[int, tuple[object, ...]]] = defaultdict(dict)
    for one in records:
        if one.goods is not None:
            sold = _sold_by(blocks[one.before // BLOCK], one.before % BLOCK, one.goods, now) if one.before else _new(one.goods, now)
            rows[one.no // BLOCK][one.no % BLOCK] = _record(index, one.goods, sold)
    for one in records:
        if one.before not in (0, one.no):
            blocks[one.before // BLOCK][one.before % BLOCK] = 0
    for block, columns in blocks.items():
        if some := rows[block]:
            columns[list(some)] = np.array(list(some.values()), RECORD)
        index.keep_block(block, columns, change=change)


def _record(index: Index, goods: Findable, sold: float) -> tuple[object, ...]:
    """What goods are filtered, counted and ranked by, in the order of `RECORD`."""
    shop, *path = _name(index, "shop", goods.shop), *[_name(index, "category", one) for one in goods.path]
    told = [index.name("attribute", f"{one.key}:{one.value}", *_said(one)) for one in goods.told if one.is_counted][:ATTRIBUTES]
    numbers = [one for one in goods.told if not one.is_counted][:NUMBERS]
    return (
        goods.price.amount,
        goods.listed_at,
        goods.away_until,
        sold,
        goods.sold,
        goods.reviews,
        shop,
        _padded(path, LEVELS),
        _padded(told, ATTRIBUTES),
        _padded([index.name("number", f"{one.key} {one.unit}", *_said(one)) for one in numbers], NUMBERS),
        _padded([one.value for one in numbers], NUMBERS),
        average_hundredths(goods.stars, goods.reviews) or 0,
        average_hundredths(goods.shop_stars, goods.shop_reviews) or 0,
        index.name("currency", goods.price.currency),
        goods.is_shown,
        goods.in_stock,
        goods.free_shipping,
    )


def _padded(numbers: list[int], size: int) -> list[int]:
    return numbers + [0] * (size - len(numbers))


def _name(index: Index, kind: str, named: Named) -> int:
    def label() -> Written:
        said = words.spoken((named.name, named.name_en))
        return Written(title=text_of(said.terms, said.pairs), syllables=" ".join(said.syllables), initials=" ".join(said.initials))

    return index.name(kind, named.id, named.name, named.name_en, label=label)


def _said(one: Told) -> tuple[str, str]:
    """How a value is called: by its own text, or as yes or no to what it is of; of a number, what it is the number of."""
    if one.text and one.is_counted:
        return one.text, one.text_en
    return one.name.name, one.name.name_en


def _sold_by(columns: Columns, place: int, goods: Findable, now: int) -> float:
    """What was sold of goods that have lain there, if they have."""
    return _sold(columns, place, goods.sold, now) if columns["price"][place] else _new(goods, now)


def _sold(columns: Columns, place: int, sold: int, now: int) -> float:
    """What was sold, by its worth: what has been sold since the last look counts from now."""
    before, worth = int(columns["sold_pieces"][place]), float(columns["sold"][place])
    if sold >= before:
        return worth + worth_of(sold - before, now)
    return worth * sold / before


def _new(goods: Findable, now: int) -> float:
    """The same of what is new to the index: as if sold evenly."""
    return spread(goods.sold, since_ms=goods.listed_at, now_ms=now)
