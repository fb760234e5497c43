"""Filters as they are typed, `key:yes,weight:100..250`, as what the index can look for.

What a key means is said by the category that is asked for, else by what goods on sale tell of themselves.
"""

from collections.abc import Mapping

from yunduan.domains.search.finding import Range
from yunduan.domains.search.model import NUMBER_MAX, SearchRefusal
from yunduan.domains.search.store import Index
from yunduan.kernel.refusals import Refused

_UNITS_MAX = 20
_PLACES = {"yes": "1", "no": "0"}


def understood(filters: str, index: Index, units: Mapping[str, str | None]) -> tuple[tuple[str, ...], tuple[Range, ...]]:
    """(values, ranges of numbers) that are wanted; refuses a key that nobody tells, and a number of what is none.

    `units` says what goods of the category tell of themselves: numbers in a unit, or nothing for what is no number.
    """
    values: list[str] = []
    ranges: list[Range] = []
    for one in filters.split(",") if filters else ():
        key, _, said = one.partition(":")
        numbers = {name.id.partition(" ")[2]: name.no for name in index.beginning("number", f"{key} ", _UNITS_MAX)}
        unit = units[key] if key in units else _unit(key, index, numbers)
        if unit is None:
            values.append(_value(key, said))
        else:
            ranges.append(_range(key, said, numbers.get(unit, 0)))
    return tuple(values), tuple(ranges)


def _unit(key: str, index: Index, numbers: Mapping[str, int]) -> str | None:
    """The unit of what goods on sale tell, or nothing where that is no number; refuses what they do not tell, or in more ways than one."""
    ways: list[str | None] = [*numbers, *([None] if index.beginning("attribute", f"{key}:", 1) else [])]
    if not ways:
        raise Refused(SearchRefusal.FILTER, f"nothing on sale tells {key} of itself")
    if len(ways) > 1:
        raise Refused(SearchRefusal.FILTER, f"{key} is not the same everywhere: name a category that has it as well")
    return ways[0]


def _value(key: str, said: str) -> str:
    """A yes, a no, or a place in a list."""
    place = _PLACES.get(said, said)
    if not place.isdigit():
        raise Refused(SearchRefusal.FILTER, f"{key} is no number")
    return f"{key}:{int(place)}"


def _range(key: str, said: str, no: int) -> Range:
    if said in _PLACES:
        raise Refused(SearchRefusal.FILTER, f"{key} is a number")
    first, dots, last = said.partition("..")
    low = int(first) if first else -NUMBER_MAX
    return Range(key, no, low, int(last) if last else (NUMBER_MAX if dots else low))
