"""Finds: asks the index for documents, filters, counts and ranks them as columns of numbers.

What a few hundred documents match is weighed by its words exactly. Of more, those are weighed that are best by everything else, since
so many that have all of the words are told apart by little else.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from yunduan.domains.search import ranking
from yunduan.domains.search.columns import Columns, Places, Shelf
from yunduan.domains.search.model import (
    MATCHES_MAX,
    RESULTS_MAX,
    SCORED_MAX,
    Counted,
    Facets,
    Loosened,
    Mark,
    NumberBand,
    NumberCounted,
    PriceBand,
    SearchSort,
    Weights,
)
from yunduan.domains.search.planning import Plan, Slot, plan
from yunduan.domains.search.store import FORM, Index, Name
from yunduan.kernel.ids import CategoryId, ShopId
from yunduan.runtime.ports import SideStores

Mask = NDArray[np.bool_]
COUNTED_MAX = 20
"""So many of a facet's values are named."""
BANDS = 5
NUMBERS_COUNTED_MAX = 5
_COUNTED_BY_HAND = 1_000
"""So few numbers are counted one by one: a table of all that there are would be larger."""
_LIKED = 400


class Hits(Struct, frozen=True):
    """Documents that were found by their words, or all there are; with how well their words match, where that is known of each."""

    documents: Places
    bm25: ranking.Scores | None = None
    expression: str = ""
    is_least: bool = False


NO_HITS = Hits(np.zeros(0, np.int64))


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


class Finder:
    """Finds in the generation that everybody reads; one for each process, or thread, that asks."""

    def __init__(self, sides: SideStores) -> None:
        """Open it when it is first asked."""
        self._sides = sides
        self._generation = 0
        self.index: Index | None = None
        self.shelf = Shelf()

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
            self.index, self.shelf = index, Shelf()
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


class Asked(Struct, frozen=True, kw_only=True):
    """A search as it is carried out, with what operators have set."""

    text: str
    filter: Filter = Filter()
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


def find(index: Index, shelf: Shelf, asked: Asked) -> Matched:
    """Find what was asked; if nothing has all of the words, what is nearest."""
    columns = shelf.columns
    planned = plan(asked.text, index, asked.synonyms, asked.stops, is_typing=asked.is_typing)
    for loosened, expression, left_out in _ways(planned, is_strict=asked.is_strict):
        hits = _hits(index, columns, expression)
        if len(hits.documents):
            return _matched(index, columns, hits, asked, Read(planned, loosened, left_out))
    documents = np.flatnonzero(columns["is_there"]) if not (asked.is_strict and planned.slots) else np.zeros(0, np.int64)
    loosened = Loosened.NEAR if planned.slots else Loosened.NOTHING
    return _matched(index, columns, Hits(documents), asked, Read(planned, loosened))


class Read(Struct, frozen=True):
    """How what was asked has been taken."""

    plan: Plan
    loosened: Loosened = Loosened.NOTHING
    left_out: tuple[str, ...] = ()


def _hits(index: Index, columns: Columns, expression: str) -> Hits:
    scored = index.scored(expression, SCORED_MAX + 1)
    if len(scored) <= SCORED_MAX:
        documents = np.array([row[0] for row in scored], np.int64)
        bm25 = np.array([row[1] for row in scored], np.float64)
        there = _there(columns, documents)
        return Hits(documents, bm25, expression) if there.all() else Hits(documents[there], bm25[there], expression)
    documents = np.array(index.matched(expression, MATCHES_MAX), np.int64)
    return Hits(documents[_there(columns, documents)], None, expression, is_least=len(documents) == MATCHES_MAX)


def _there(columns: Columns, documents: Places) -> Mask:
    """Which are shown; not those that were added since the columns were taken over, a moment ago."""
    known = documents < len(columns)
    if known.all():
        return columns["is_there"][documents] == 1  # type: ignore[no-any-return]
    known[known] = columns["is_there"][documents[known]] == 1
    return known


def _ways(planned: Plan, *, is_strict: bool) -> Iterator[tuple[Loosened, str, tuple[str, ...]]]:
    """What is tried in turn."""
    if not planned.slots:
        return
    yield Loosened.NOTHING, planned.all(), ()
    if is_strict:
        return
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


def _matched(index: Index, columns: Columns, hits: Hits, asked: Asked, read: Read) -> Matched:
    some = columns[hits.documents]
    masks = _masks(index, some, asked)
    everything = _all(masks.values(), len(some)) if masks else None
    chosen = some if everything is None else some[everything]
    facets = _facets(index, some, masks, chosen, asked.now_ms) if asked.counts else None
    if everything is not None:
        bm25 = None if hits.bm25 is None else hits.bm25[everything]
        hits = Hits(hits.documents[everything], bm25, hits.expression, hits.is_least)
    values = _values(index, chosen, hits, asked)
    order = np.lexsort((hits.documents, -values))
    if asked.distinct:
        order = _first_of_each(chosen["shop"], order)
    order = order[:RESULTS_MAX]
    return Matched(hits.documents[order], values[order], len(chosen), hits.is_least, facets, hits, read.plan, read.loosened, read.left_out)


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
    if hits.bm25 is not None:
        return ranking.parts(columns, ranking.relevance(hits.bm25), now_ms=asked.now_ms)
    text = np.zeros(len(columns))
    parts = ranking.parts(columns, text, now_ms=asked.now_ms)
    if not hits.expression:
        return parts
    places = np.arange(len(columns))
    if len(places) > SCORED_MAX:
        places = np.argpartition(-parts.total(asked.weights), SCORED_MAX)[:SCORED_MAX]
    weighed = hits.documents[places]
    scores: dict[int, float] = dict(index.scored_among(hits.expression, weighed.tolist()))
    text[places] = ranking.relevance(np.array([scores.get(no, 0.0) for no in weighed.tolist()]))
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


def _all(masks: Iterable[Mask], count: int) -> Mask:
    every = np.ones(count, np.bool_)
    for mask in masks:
        every &= mask
    return every


def _facets(index: Index, some: Columns, masks: Mapping[str, Mask], chosen: Columns, now_ms: int) -> Facets:
    def without(kind: str) -> Columns:
        if not masks or not any(name.split()[0] == kind for name in masks):
            return chosen
        return some[_all([mask for name, mask in masks.items() if name.split()[0] != kind], len(some))]

    categories, shops = without("category")["category"].ravel(), without("shop")["shop"]
    attributes = without("attribute")["attribute"].ravel()
    counts = {kind: _most(column) for kind, column in (("category", categories), ("shop", shops), ("attribute", attributes))}
    currency, prices = _prices(without("price"))
    numbers = _numbers(without("number"))
    counted = [no for kind in counts.values() for no, _ in kind]
    names = index.names([*counted, *(no for no, _ in numbers), *([currency] if currency else [])])

    def named(kind: str) -> tuple[Counted, ...]:
        return tuple(
            [
                Counted(value=name.id, name=name.title, name_en=name.title_en, count=count)
                for no, count in counts[kind]
                if (name := names.get(no)) is not None
            ]
        )

    return Facets(
        categories=named("category"),
        shops=named("shop"),
        attributes=named("attribute"),
        numbers=tuple([_number_counted(names[no], values) for no, values in numbers if no in names]),
        currency=names[currency].id if currency in names else "",
        prices=prices,
        in_stock=int(np.count_nonzero(_in_stock(without("in_stock"), now_ms))),
        free_shipping=int(np.count_nonzero(without("free_shipping")["free_shipping"])),
        rated_four=int(np.count_nonzero(without("rating")["rating"] >= _LIKED)),
    )


def _most(column: NDArray[np.unsignedinteger]) -> list[tuple[int, int]]:
    """The most frequent numbers of a column, and how often each is there; 0 stands for nothing."""
    if len(column) <= _COUNTED_BY_HAND:
        numbers = Counter(column[column > 0].tolist())
        return sorted(numbers.items(), key=lambda one: (-one[1], one[0]))[:COUNTED_MAX]
    counts = np.bincount(column)
    counts[0] = 0
    best = np.argsort(-counts, kind="stable")[:COUNTED_MAX] if len(counts) <= 4096 else _top(counts)
    return [(int(no), int(counts[no])) for no in best if counts[no]]


def _top(counts: Places) -> Places:
    some = np.argpartition(-counts, COUNTED_MAX)[:COUNTED_MAX]
    best: Places = some[np.lexsort((some, -counts[some]))]
    return best


def _numbers(some: Columns) -> list[tuple[int, NDArray[np.int64]]]:
    """What most tell a number of, with these numbers in order."""
    of = some["number_of"].ravel()
    if not of.any():
        return []
    numbers = some["number"].ravel()
    return [(no, np.sort(numbers[of == no])) for no, _ in _most(of)[:NUMBERS_COUNTED_MAX]]


def _number_counted(name: Name, numbers: NDArray[np.int64]) -> NumberCounted:
    key, _, unit = name.id.partition(" ")
    least, most = int(numbers[0]), int(numbers[-1])
    borders = [border for border in _borders(numbers) if least < border]
    ends = [bisect_left(numbers, border) for border in borders]
    lows, highs = [least, *borders], [*(border - 1 for border in borders), most]
    parts = zip(lows, highs, [0, *ends], [*ends, len(numbers)], strict=True)
    bands = [NumberBand(from_number=low, to_number=high, count=end - start) for low, high, start, end in parts if end > start]
    return NumberCounted(
        key=key,
        name=name.title,
        name_en=name.title_en,
        unit=unit,
        from_number=least,
        to_number=most,
        count=len(numbers),
        bands=tuple(bands),
    )


def _borders(numbers: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Round figures that divide numbers, which are in order, about evenly."""
    return sorted({_round(int(numbers[len(numbers) * part // BANDS])) for part in range(1, BANDS)})


def _prices(some: Columns) -> tuple[int, tuple[PriceBand, ...]]:
    """The currency of most, and bands of its prices: their borders are round figures that divide what was found about evenly."""
    if not len(some):
        return 0, ()
    of, prices = some["currency"], some["price"]
    currency = int(of[0])
    if not (of == currency).all():
        currency = int(np.bincount(of).argmax())
        prices = prices[of == currency]
    ordered = sorted(prices.tolist()) if len(prices) <= _COUNTED_BY_HAND else np.sort(prices)
    borders = [border for border in _borders(ordered) if border]
    ends = [bisect_left(ordered, border) for border in borders]
    starts = [0, *ends]
    bands = [
        PriceBand(from_amount=low, to_amount=high, count=end - start)
        for low, high, start, end in zip([0, *borders], [*borders, None], starts, [*ends, len(ordered)], strict=True)
        if end > start
    ]
    return currency, tuple(bands)


def _round(amount: int) -> int:
    """Towards nothing, to one digit that counts, or to one and a half."""
    if amount < 0:
        return -_round(-amount)
    unit = 10 ** (len(str(amount)) - 1)
    return amount // unit * unit if amount >= 2 * unit else amount // (unit // 2 or 1) * (unit // 2 or 1)


def marks(plain: str, shown: Sequence[str]) -> tuple[Mark, ...]:
    """Where words stand in a title, given in the form in which it is searched, for whoever shows it."""
    places: list[Mark] = []
    for word in shown:
        if word in plain:
            at = plain.find(word)
            while at >= 0:
                places.append(Mark(at, at + len(word)))
                at = plain.find(word, at + len(word))
    return _joined(sorted(places, key=lambda mark: (mark.start, mark.end))) if len(places) > 1 else tuple(places)


def _joined(places: Sequence[Mark]) -> tuple[Mark, ...]:
    joined: list[Mark] = []
    for mark in places:
        if joined and mark.start <= joined[-1].end:
            joined[-1] = Mark(joined[-1].start, max(mark.end, joined[-1].end))
        else:
            joined.append(mark)
    return tuple(joined)
