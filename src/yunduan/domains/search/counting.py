"""Counts what was found: categories, shops, what goods tell of themselves, prices. Of a few documents one by one, of many by columns."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from yunduan.domains.search.columns import (
    ATTRIBUTE,
    AWAY_UNTIL,
    CATEGORY,
    CURRENCY,
    FIELDS,
    FREE_SHIPPING,
    IN_STOCK,
    NUMBER,
    NUMBER_OF,
    PRICE,
    RATING,
    SHOP,
    Columns,
    Places,
    Record,
)
from yunduan.domains.search.model import Counted, Facets, NumberBand, NumberCounted, PriceBand
from yunduan.domains.search.store import Index, Name

Ordered = Sequence[int] | NDArray[np.int64]
COUNTED_MAX = 20
"""So many of a facet's values are named."""
BANDS = 5
NUMBERS_COUNTED_MAX = 5
_COUNTED_BY_HAND = 1_000
"""So few numbers are counted one by one: a table of all that there are would be larger."""
_LIKED = 400


class Tally(Struct, frozen=True, kw_only=True):
    """What was counted, by the numbers that the index has for names."""

    categories: Sequence[tuple[int, int]]
    """Each with how many have it, most first; likewise the next two."""
    shops: Sequence[tuple[int, int]]
    attributes: Sequence[tuple[int, int]]
    numbers: Sequence[tuple[int, Ordered]]
    currency: int
    prices: tuple[PriceBand, ...]
    in_stock: int
    free_shipping: int
    rated_four: int


def of_few(records: Sequence[Record], *, now_ms: int) -> Tally:
    """The same as `of_many` without any filter."""
    fields = tuple(zip(*records, strict=True)) or ((),) * FIELDS
    currencies = _most_of(fields[CURRENCY])
    currency = currencies[0][0] if currencies else 0
    prices = fields[PRICE] if len(currencies) < 2 else [one[PRICE] for one in records if one[CURRENCY] == currency]
    told: dict[int, list[int]] = {}
    if any(fields[NUMBER_OF.start]):
        for nos, numbers in zip(fields[NUMBER_OF], fields[NUMBER], strict=True):
            for no, number in zip(nos, numbers, strict=True):
                told.setdefault(no, []).append(number)
        told.pop(0, None)
    stock = zip(fields[IN_STOCK], fields[AWAY_UNTIL], strict=True)
    return Tally(
        categories=_most_of(chain.from_iterable(fields[CATEGORY])),
        shops=_most_of(fields[SHOP]),
        attributes=_most_of(chain.from_iterable(fields[ATTRIBUTE])) if any(fields[ATTRIBUTE.start]) else (),
        numbers=[(no, sorted(some)) for no, some in sorted(told.items(), key=lambda one: (-len(one[1]), one[0]))[:NUMBERS_COUNTED_MAX]],
        currency=currency,
        prices=_bands(sorted(prices)) if prices else (),
        in_stock=sum([is_there and until <= now_ms for is_there, until in stock]),
        free_shipping=sum(fields[FREE_SHIPPING]),
        rated_four=sum([rating >= _LIKED for rating in fields[RATING]]),
    )


def of_many(without: Callable[[str], Columns], *, now_ms: int) -> Tally:
    """What passes every filter, each kind of facet counted `without` the filter of its own kind."""
    currency, prices = _prices(without("price"))
    stock = without("in_stock")
    return Tally(
        categories=_most(without("category")["category"].ravel()),
        shops=_most(without("shop")["shop"]),
        attributes=_most(without("attribute")["attribute"].ravel()),
        numbers=_numbers(without("number")),
        currency=currency,
        prices=prices,
        in_stock=int(np.count_nonzero((stock["in_stock"] == 1) & (stock["away_until"] <= now_ms))),
        free_shipping=int(np.count_nonzero(without("free_shipping")["free_shipping"])),
        rated_four=int(np.count_nonzero(without("rating")["rating"] >= _LIKED)),
    )


def named(index: Index, tally: Tally) -> Facets:
    """What was counted, by names; not what has lost its name since."""
    kinds = (tally.categories, tally.shops, tally.attributes)
    counted = [no for kind in kinds for no, _ in kind]
    names = index.names([*counted, *(no for no, _ in tally.numbers), *([tally.currency] if tally.currency else [])])
    categories, shops, attributes = (
        tuple(
            [
                Counted(value=name.id, name=name.title, name_en=name.title_en, count=count)
                for no, count in kind
                if (name := names.get(no)) is not None
            ]
        )
        for kind in kinds
    )
    return Facets(
        categories=categories,
        shops=shops,
        attributes=attributes,
        numbers=tuple([number_counted(names[no], some) for no, some in tally.numbers if no in names]),
        currency=names[tally.currency].id if tally.currency in names else "",
        prices=tally.prices,
        in_stock=tally.in_stock,
        free_shipping=tally.free_shipping,
        rated_four=tally.rated_four,
    )


def _most(column: NDArray[np.unsignedinteger]) -> list[tuple[int, int]]:
    """The most frequent numbers of a column, and how often each is there; 0 stands for nothing."""
    if len(column) <= _COUNTED_BY_HAND:
        return _most_of(column.tolist())
    counts = np.bincount(column)
    counts[0] = 0
    best = np.argsort(-counts, kind="stable")[:COUNTED_MAX] if len(counts) <= 4096 else _top(counts)
    return [(int(no), int(counts[no])) for no in best if counts[no]]


def _most_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    counts = Counter(numbers)
    counts.pop(0, None)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:COUNTED_MAX]


def _top(counts: Places) -> Places:
    some = np.argpartition(-counts, COUNTED_MAX)[:COUNTED_MAX]
    best: Places = some[np.lexsort((some, -counts[some]))]
    return best


def _numbers(some: Columns) -> list[tuple[int, Ordered]]:
    """What most tell a number of, with these numbers in order."""
    of = some["number_of"].ravel()
    if not of.any():
        return []
    numbers = some["number"].ravel()
    return [(no, np.sort(numbers[of == no])) for no, _ in _most(of)[:NUMBERS_COUNTED_MAX]]


def number_counted(name: Name, numbers: Ordered) -> NumberCounted:
    """A number that goods tell, given by all that do, in order."""
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


def _borders(numbers: Ordered) -> list[int]:
    """Round figures that divide numbers, which are in order, about evenly."""
    return sorted({_round(int(numbers[len(numbers) * part // BANDS])) for part in range(1, BANDS)})


def _prices(some: Columns) -> tuple[int, tuple[PriceBand, ...]]:
    """The currency of most, and bands of its prices."""
    if not len(some):
        return 0, ()
    of, prices = some["currency"], some["price"]
    currency = int(of[0])
    if not (of == currency).all():
        currency = int(np.bincount(of).argmax())
        prices = prices[of == currency]
    return currency, _bands(sorted(prices.tolist()) if len(prices) <= _COUNTED_BY_HAND else np.sort(prices))


def _bands(ordered: Ordered) -> tuple[PriceBand, ...]:
    """Of prices in their order: borders are round figures that divide them about evenly."""
    borders = [border for border in _borders(ordered) if border]
    ends = [bisect_left(ordered, border) for border in borders]
    starts = [0, *ends]
    bands = [
        PriceBand(from_amount=low, to_amount=high, count=end - start)
        for low, high, start, end in zip([0, *borders], [*borders, None], starts, [*ends, len(ordered)], strict=True)
        if end > start
    ]
    return tuple(bands)


def _round(amount: int) -> int:
    """Towards nothing, to one digit that counts, or to one and a half."""
    if amount < 0:
        return -_round(-amount)
    unit = 10 ** (len(str(amount)) - 1)
    return amount // unit * unit if amount >= 2 * unit else amount // (unit // 2 or 1) * (unit // 2 or 1)
