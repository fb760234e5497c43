"""The statements on what people search for."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking, Tx

TOP = 200
"""So many of a day's queries are looked through."""


class AskedFor(Struct, frozen=True, kw_only=True, gc=False):
    """How often something was searched for on a day, and how often nothing had all of it."""

    day: int
    text: str
    times: int = 0
    empty: int = 0


ASKED: Table[tuple[int, str], AskedFor] = Table(
    name="search_asked",
    columns={"day": int, "text": str, "times": int, "empty": int},
    keys=2,
    value=lambda row: AskedFor(day=row[0], text=row[1], times=row[2], empty=row[3]),
    row=lambda one: (one.day, one.text, one.times, one.empty),
    remembered=2_000,
)
_MOST = "SELECT text, times, empty FROM search_asked WHERE day = ? ORDER BY times DESC LIMIT ?"
_EMPTIEST = "SELECT text, times, empty FROM search_asked WHERE day = ? AND empty > 0 ORDER BY empty DESC LIMIT ?"
_FORGET = "DELETE FROM search_asked WHERE day < ?"


def count(tx: Tx, day: int, counted: Iterable[tuple[str, int, int]]) -> None:
    """Add (text, times, empty) to a day."""
    lines = {text: (times, empty) for text, times, empty in counted}
    known = tx.get_many(ASKED, [(day, text) for text in lines])
    for text, (times, empty) in lines.items():
        before = known.get((day, text))
        now = before or AskedFor(day=day, text=text)
        (tx.add if before is None else tx.put)(ASKED, (day, text), replace(now, times=now.times + times, empty=now.empty + empty))


def most(at: Asking, day: int, *, is_empty: bool = False) -> list[AskedFor]:
    """What was searched for most on a day, or most of what nothing had."""
    rows = at.rows(_EMPTIEST if is_empty else _MOST, (day, TOP))
    return [AskedFor(day=day, text=text, times=times, empty=empty) for text, times, empty in rows]


def forget(tx: Tx, before_day: int) -> int:
    """Forget what is older."""
    return tx.write(_FORGET, (before_day,))
