"""Finds: asks the index for documents, filters, counts and ranks them as columns of numbers.

What a few hundred documents match is weighed by its words exactly. Of more, those are weighed that are best by everything else, since
so many that have all of the words are told apart by little else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from yunduan.domains.search import columns as record
from yunduan.domains.search import counting, ranking
from yunduan.domains.search.columns import Columns, Places, Record, Shelf, records
from yunduan.domains.search.matching import NO_HITS, Hits, Mask, begins, has_all, matches, there
from yunduan.domains.search.model import (
    RESULTS_MAX,
    SCORED_MAX,
    Facets,
    Loosened,
    Mark,
    SearchSort,
    Weights,
)
from yunduan.domains.search.planning import Plan, Slot, plan, read
from yunduan.domains.search.store import FORM, Index
from yunduan.kernel.ids import CategoryId, ShopId
from yunduan.runtime.ports import SideStores

FEW = 40
"""So few documents are ranked and counted one by one."""
NEAREST_MS = 10_000
NEAREST_MAX = 16


class Matched(Struct, frozen=True):
    """What was found: documents in their order, and all that they were chosen from."""

    ranked: Places
    """Documents that pass every filter, the first `RESULTS_MAX` of them, the best first."""
    values: NDArray[np.int64]
    """What each of them is sorted by."""
    total: int
    total_is_least: bool
    facets: Facets | None
    hits: Hits
    """All that pass, in no order."""
    plan: Plan
    loosened: Loosened
    left_out: tuple[str, ...]
    began_ms: int = 0
    """As of when it was ranked, where that was not now."""


class Finder:
    """Finds in the generation that everybody reads; one for each process, or thread, that asks."""

    def __init__(self, sides: SideStores) -> None:
        """Open it when it is first asked."""
        self._sides = sides
        self._generation = 0
        self.index: Index | None = None
        self.shelf = Shelf()
        self.nearest = Nearest()

    def refresh(self) -> Index | None:
        """The index as it is now; nothing while the first is being made, or one in this program's form."""
        generation = self._sides.generation()
        if generation != self._generation:
            self.close()
            self._generation = generation
            index = Index(self._sides.read(generation)) if generation else None
            if index is not None and index.form() != FORM:
                index.close()
                index = None
            self.index, self.shelf, self.nearest = index, Shelf(), Nearest()
        if self.index is not None:
            self.index.refresh(self.shelf)
        return self.index

    def close(self) -> None:
        """Let go of it."""
        if self.index is not None:
            self.index.close()
            self.index = None


class Range(Struct, frozen=True, gc=False):
    """What a number has to be: from one to another, both included."""

    key: str
    no: int
    """What it is the number of, by its number in the index."""
    low: int
    high: int


class Filter(Struct, frozen=True, kw_only=True):
    """What goods must have besides the words."""

    category_id: CategoryId | None = None
    shop_id: ShopId | None = None
    attributes: tuple[str, ...] = ()
    """As `key:value`: any of the values of one key, all of the keys."""
    numbers: tuple[Range, ...] = ()
    """Likewise any of one key, all of the keys."""
    price_from: int | None = None
    price_to: int | None = None
    currency: str | None = None
    in_stock: bool = False
    free_shipping: bool = False
    rating_from: int | None = None


NO_FILTER = Filter()


class Asked(Struct, frozen=True, kw_only=True):
    """A search as it is carried out, with what operators have set."""

    text: str
    filter: Filter = NO_FILTER
    sort: SearchSort = SearchSort.BEST
    weights: Weights = Weights()
    distinct: bool = False
    counts: bool = True
    is_typing: bool = False
    """Whether the last word may go on."""
    is_strict: bool = False
    """Whether nothing is found where nothing has every word."""
    now_ms: int
    synonyms: Mapping[str, Sequence[str]] = {}
    stops: frozenset[str] = frozenset()


class Nearest:
    """What sells best, for whoever asks for what nothing has: all documents, ranked and counted once in ten seconds.

    That takes a millisecond for a thousand of them. So what came on sale since then is not among them; what went is left out.
    """

    def __init__(self) -> None:
        """Nothing has been asked of an index."""
        self._found: dict[tuple[Filter, SearchSort, Weights, bool, bool], Matched] = {}

    def of(self, index: Index, shelf: Shelf, asked: Asked, planned: Plan) -> Matched:
        """What passes the filters, whatever the words are."""
        search = asked.filter, asked.sort, asked.weights, asked.distinct, asked.counts
        known = self._found.get(search)
        if known is None or not 0 <= asked.now_ms - known.began_ms <= NEAREST_MS:
            if len(self._found) >= NEAREST_MAX:
                self._found.clear()
            known = self._found[search] = replace(_nearest(index, shelf.columns, asked, planned), hits=NO_HITS, began_ms=asked.now_ms)
        is_there = there(shelf.columns, known.ranked)
        return replace(known, plan=planned, ranked=known.ranked[is_there], values=known.values[is_there])


def find(index: Index, shelf: Shelf, asked: Asked, nearest: Nearest | None = None) -> Matched:
    """Find what was asked; if nothing has all of the words, what is nearest."""
    columns = shelf.columns
    planned = plan(asked.text, index, asked.synonyms, asked.stops, is_typing=asked.is_typing)
    if planned.slots:
        hits = begins(index, columns, planned) if asked.is_typing else has_all(index, columns, planned)
        if len(hits.documents):
            return _matched(index, columns, hits, asked, Taken(planned))
        for loosened, expression, left_out in _ways(read(planned, index)) if not asked.is_strict else ():
            hits = matches(index, columns, expression)
            if len(hits.documents):
                return _matched(index, columns, hits, asked, Taken(planned, loosened, left_out))
        if asked.is_strict:
            return _matched(index, columns, NO_HITS, asked, Taken(planned, Loosened.NEAR))
        if nearest is not None:
            return nearest.of(index, shelf, asked, planned)
    return _nearest(index, columns, asked, planned)


def _nearest(index: Index, columns: Columns, asked: Asked, planned: Plan) -> Matched:
    """All that passes the filters, the best first."""
    loosened = Loosened.NEAR if planned.slots else Loosened.NOTHING
    return _matched(index, columns, Hits(np.flatnonzero(columns["is_there"])), asked, Taken(planned, loosened))


class Taken(Struct, frozen=True):
    """How what was asked has been taken."""

    plan: Plan
    loosened: Loosened = Loosened.NOTHING
    left_out: tuple[str, ...] = ()


def _ways(planned: Plan) -> Iterator[tuple[Loosened, str, tuple[str, ...]]]:
    """What is tried in turn where nothing has all of the words."""
    if alike := planned.alike():
        yield Loosened.READ_ALIKE, alike, ()
    if len(planned.slots) > 1:
        for expression, left_out in _fewer(planned.slots):
            yield Loosened.WORDS_LEFT_OUT, expression, left_out
    if parts := planned.parts():
        yield Loosened.PARTS, parts, ()


def _fewer(slots: Sequence[Slot]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Without one of the words, the most usual first, since it says least; then any of them."""
    if len(slots) > 2:
        for left in sorted(range(len(slots)), key=lambda place: -slots[place].documents):
            yield " AND ".join([f"({slot.expression})" for place, slot in enumerate(slots) if place != left]), (slots[left].asked,)
    yield " OR ".join([f"({slot.expression})" for slot in slots]), ()


def _matched(index: Index, columns: Columns, hits: Hits, asked: Asked, taken: Taken) -> Matched:
    if len(hits.documents) <= FEW and asked.filter == NO_FILTER and (hits.points is not None or not hits.expression):
        return _few(index, columns, hits, asked, taken)
    some = columns[hits.documents]
    masks = _masks(index, some, asked)
    everything = _all(masks.values(), len(some)) if masks else None
    chosen = some if everything is None else some[everything]
    facets = _facets(index, some, masks, chosen, asked.now_ms) if asked.counts else None
    if everything is not None:
        points = None if hits.points is None else hits.points[everything]
        hits = Hits(hits.documents[everything], points, hits.expression, hits.is_least)
    values = _values(index, chosen, hits, asked)
    order = (-values).argsort(kind="stable")
    if asked.distinct:
        order = _first_of_each(chosen["shop"], order)
    order = order[:RESULTS_MAX]
    return Matched(
        hits.documents[order], values[order], len(chosen), hits.is_least, facets, hits, taken.plan, taken.loosened, taken.left_out
    )


def _few(index: Index, columns: Columns, hits: Hits, asked: Asked, taken: Taken) -> Matched:
    """The same of a few documents that need pass no filter: one by one, which takes half as long."""
    some = records(columns, hits.documents)
    facets = counting.named(index, counting.of_few(some, now_ms=asked.now_ms)) if asked.counts else None
    values = _values_of_few(some, hits, asked)
    if len(some) == 1:
        return Matched(hits.documents, np.array(values), 1, hits.is_least, facets, hits, taken.plan, taken.loosened, taken.left_out)
    order = sorted(range(len(some)), key=lambda place: -values[place])
    if asked.distinct:
        firsts: dict[int, int] = {}
        for place in order:
            firsts.setdefault(some[place][record.SHOP], place)
        order = list(firsts.values())
    ranked, sorted_by = hits.documents.take(order), np.array([values[place] for place in order], np.int64)
    return Matched(ranked, sorted_by, len(some), hits.is_least, facets, hits, taken.plan, taken.loosened, taken.left_out)


def _values_of_few(some: Sequence[Record], hits: Hits, asked: Asked) -> list[int]:
    match asked.sort:
        case SearchSort.PRICE_UP:
            return [-one[record.PRICE] for one in some]
        case SearchSort.PRICE_DOWN:
            return [one[record.PRICE] for one in some]
        case SearchSort.NEWEST:
            return [one[record.LISTED_AT] for one in some]
        case SearchSort.BEST_SOLD:
            return [one[record.SOLD_PIECES] for one in some]
    text = [0.0] * len(some) if hits.points is None else ranking.relevance_of_few(hits.points.tolist())
    return [int(total * 10_000) for total in ranking.totals(some, text, asked.weights, now_ms=asked.now_ms)]


def _values(index: Index, columns: Columns, hits: Hits, asked: Asked) -> NDArray[np.int64]:
    """What documents are sorted by, the more the better."""
    match asked.sort:
        case SearchSort.PRICE_UP:
            return -columns["price"]
        case SearchSort.PRICE_DOWN:
            return columns["price"].copy()
        case SearchSort.NEWEST:
            return columns["listed_at"].copy()
        case SearchSort.BEST_SOLD:
            return columns["sold_pieces"].astype(np.int64)
    return (score(index, columns, hits, asked).total(asked.weights) * 10_000).astype(np.int64)


def score(index: Index, columns: Columns, hits: Hits, asked: Asked) -> ranking.Parts:
    """The parts of the scores of some documents."""
    if hits.points is not None:
        return ranking.parts(columns, ranking.relevance(hits.points), now_ms=asked.now_ms)
    text = np.zeros(len(columns))
    parts = ranking.parts(columns, text, now_ms=asked.now_ms)
    if not hits.expression:
        return parts
    places = np.arange(len(columns))
    if len(places) > SCORED_MAX:
        places = np.argpartition(-parts.total(asked.weights), SCORED_MAX)[:SCORED_MAX]
    weighed = hits.documents[places]
    scores: dict[int, float] = dict(index.scored_among(hits.expression, weighed.tolist()))
    text[places] = ranking.relevance(np.array([-scores.get(no, 0.0) for no in weighed.tolist()]))
    return parts


def explained(index: Index, shelf: Shelf, asked: Asked, document: int) -> tuple[int | None, int, Mapping[str, float]]:
    """(place, how many were found, each part of its score) of one document in a search."""
    matched = find(index, shelf, asked)
    places = np.flatnonzero(matched.ranked == document)
    hits, at = matched.hits, np.flatnonzero(matched.hits.documents == document)
    if not len(at):
        hits, at = Hits(np.array([document])), np.array([0])
    parts = score(index, shelf.columns[hits.documents], hits, asked)
    return int(places[0]) + 1 if len(places) else None, matched.total, {name: float(part[at[0]]) for name, part in parts.by_name.items()}


def _first_of_each(shops: NDArray[np.uint32], order: Places) -> Places:
    """The first of each shop, in their order."""
    _, first = np.unique(shops[order], return_index=True)
    return order[np.sort(first)]


# Filters and facets


def _masks(index: Index, some: Columns, asked: Asked) -> dict[str, Mask]:
    """What passes each filter, by the kind of filter; a facet is counted without the filter of its own kind."""
    wanted = asked.filter
    masks: dict[str, Mask] = {}
    if wanted.category_id is not None:
        masks["category"] = _has(some["category"], index.number("category", wanted.category_id))
    if wanted.shop_id is not None:
        masks["shop"] = _same(some["shop"], index.number("shop", wanted.shop_id))
    masks |= _told(index, some, wanted)
    if wanted.currency is not None:
        masks["currency"] = _same(some["currency"], index.number("currency", wanted.currency))
    if wanted.price_from is not None or wanted.price_to is not None:
        masks["price"] = (some["price"] >= (wanted.price_from or 0)) & (
            some["price"] < wanted.price_to if wanted.price_to is not None else True
        )
    if wanted.in_stock:
        masks["in_stock"] = _in_stock(some, asked.now_ms)
    if wanted.free_shipping:
        masks["free_shipping"] = some["free_shipping"] == 1
    if wanted.rating_from is not None:
        masks["rating"] = some["rating"] >= wanted.rating_from
    return masks


def _in_stock(some: Columns, now_ms: int) -> Mask:
    mask: Mask = (some["in_stock"] == 1) & (some["away_until"] <= now_ms)
    return mask


def _same(column: NDArray[np.unsignedinteger], number: int) -> Mask:
    mask: Mask = (column == number) & (number > 0)
    return mask


def _has(column: NDArray[np.unsignedinteger], number: int) -> Mask:
    mask: Mask = (column == number).any(axis=1) & (number > 0)
    return mask


def _told(index: Index, some: Columns, wanted: Filter) -> dict[str, Mask]:
    """What passes by what goods tell of themselves: any of what is said of one key, all of the keys."""
    masks: dict[str, Mask] = {}
    passed = [(f"attribute {one.partition(':')[0]}", _has(some["attribute"], index.number("attribute", one))) for one in wanted.attributes]
    passed += [(f"number {one.key}", _within(some, one)) for one in wanted.numbers]
    for name, mask in passed:
        masks[name] = masks[name] | mask if name in masks else mask
    return masks


def _within(some: Columns, one: Range) -> Mask:
    numbers = some["number"]
    mask: Mask = ((some["number_of"] == one.no) & (numbers >= one.low) & (numbers <= one.high)).any(axis=1) & (one.no > 0)
    return mask


def _facets(index: Index, some: Columns, masks: Mapping[str, Mask], chosen: Columns, now_ms: int) -> Facets:
    def without(kind: str) -> Columns:
        if not masks or not any(name.split()[0] == kind for name in masks):
            return chosen
        return some[_all([mask for name, mask in masks.items() if name.split()[0] != kind], len(some))]

    return counting.named(index, counting.of_many(without, now_ms=now_ms))


def _all(masks: Iterable[Mask], count: int) -> Mask:
    every = np.ones(count, np.bool_)
    for mask in masks:
        every &= mask
    return every


def marks(plain: str, shown: Sequence[str]) -> tuple[Mark, ...]:
    """Where words stand in a title, given in the form in which it is searched, for whoever shows it: in order, those that touch as one."""
    places: list[tuple[int, int]] = []
    for word in shown:
        at = plain.find(word)
        while at >= 0:
            end = at + len(word)
            places.append((at, end))
            at = plain.find(word, end)
    if len(places) > 1:
        places = _joined(sorted(places))
    return tuple([Mark(*place) for place in places])


def _joined(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined = [places[0]]
    for start, end in places[1:]:
        if start > joined[-1][1]:
            joined.append((start, end))
        elif end > joined[-1][1]:
            joined[-1] = joined[-1][0], end
    return joined
