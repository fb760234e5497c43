"""What is known of every document besides its words, as columns of numbers: what is filtered, counted and ranked by.

A document has a number, which is its place. Documents lie in blocks of sixty-four; a block is one row of the index, so that a process
that reads takes over what has changed without decoding anything.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yunduan.runtime.ports import Row

BLOCK = 64
"""So many documents share a row: ten kilobytes, which are written anew with each of them, and read by everybody."""
LEVELS = 4
"""So many categories, from the root to its own, has a document."""
ATTRIBUTES = 12
"""So many of the things that goods tell of themselves can be filtered by."""
NUMBERS = 4
"""So many of the numbers among them."""

RECORD = np.dtype(
    [
        ("price", "<i8"),
        ("listed_at", "<i8"),
        ("away_until", "<i8"),
        ("sold", "<f8"),
        ("sold_pieces", "<u4"),
        ("reviews", "<u4"),
        ("shop", "<u4"),
        ("category", "<u4", (LEVELS,)),
        ("attribute", "<u4", (ATTRIBUTES,)),
        ("number_of", "<u4", (NUMBERS,)),
        ("number", "<i8", (NUMBERS,)),
        ("rating", "<u2"),
        ("shop_rating", "<u2"),
        ("currency", "<u2"),
        ("is_there", "u1"),
        ("in_stock", "u1"),
        ("free_shipping", "u1"),
    ]
)
"""`price` in minor units; `listed_at` and `away_until` in milliseconds since 1970; ratings in hundredths of a star, 0 for none.
`sold_pieces` counts what was sold, `sold` what that is worth by now (`ranking`). Shops, categories, attributes and currencies stand by
their numbers in the index, 0 for none; a `number` lies beside what it is of."""

Columns = NDArray[np.void]
Record = tuple[Any, ...]
"""One record, its numbers one after the other; where each is, by the names below."""
_unpack = Struct("<3qd3I4I12I4I4q3H3B")
PRICE, LISTED_AT, AWAY_UNTIL, SOLD, SOLD_PIECES, REVIEWS, SHOP = range(7)
CATEGORY, ATTRIBUTE, NUMBER_OF, NUMBER = slice(7, 11), slice(11, 23), slice(23, 27), slice(27, 31)
RATING, SHOP_RATING, CURRENCY, IS_THERE, IN_STOCK, FREE_SHIPPING = range(31, 37)
FIELDS = 37
Places = NDArray[np.int64]


class Shelf:
    """The columns of an index, as one process has them."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.columns: Columns = np.zeros(BLOCK, RECORD)
        self.through = 0
        """The last change that was taken over."""

    def take(self, blocks: Sequence[Row]) -> None:
        """Take over blocks: (number, change, body)."""
        for number, change, body in blocks:
            last = (number + 1) * BLOCK
            if last > len(self.columns):
                grown = np.zeros(max(last, len(self.columns) * 3 // 2), RECORD)
                grown[: len(self.columns)] = self.columns
                self.columns = grown
            self.columns[last - BLOCK : last] = np.frombuffer(body, RECORD)
            self.through = max(self.through, change)


def records(columns: Columns, documents: Places) -> list[Record]:
    """Some documents one by one: for a few that is faster than any operation on columns."""
    return list(_unpack.iter_unpack(columns.take(documents).tobytes()))


def block_of(body: bytes | None) -> Columns:
    """A block to be changed; an empty one where there is none yet."""
    return np.zeros(BLOCK, RECORD) if body is None else np.frombuffer(body, RECORD).copy()
