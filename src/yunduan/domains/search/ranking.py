"""What comes first: how well words match, then how goods sell and are liked, and how new they are. Weights are settings of a market."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from yunduan.domains.search.columns import AWAY_UNTIL, IN_STOCK, LISTED_AT, RATING, REVIEWS, SHOP_RATING, SOLD, Columns, Record
from yunduan.domains.search.model import Weights

Scores = NDArray[np.float64]
HALF_LIFE_MS = 30 * 86_400_000
"""A piece that was sold a month ago counts half as much as one that is sold today."""
_EPOCH_MS = 1_767_225_600_000
"""2026: pieces are counted by what they were worth then, which keeps their order and needs no recount as time goes by."""
_DOUBLINGS_MAX = 900.0
FRESH_MS = 30 * 86_400_000
LIKED_PRIOR = 5.0
"""So many reviews of an average of four stars everything is taken to have had, so that one review says little."""
_AVERAGE = 400.0
SOLD_MANY = 10_000.0
"""So many pieces in a month are as good as any more."""


class Parts(Struct, frozen=True):
    """Each part of the scores, from 0 to 1, one row a document."""

    by_name: Mapping[str, Scores]

    def total(self, weights: Weights) -> Scores:
        """The scores, in hundredths."""
        total: Scores = weights.text * self.by_name["text"]
        for name, part in self.by_name.items():
            if name != "text":
                total += getattr(weights, name) * part
        return total


def worth_of(pieces: float, at_ms: int) -> float:
    """What pieces that were sold at a time count."""
    return pieces * math.exp2(min(_DOUBLINGS_MAX, max(-_DOUBLINGS_MAX, (at_ms - _EPOCH_MS) / HALF_LIFE_MS)))


def spread(pieces: int, *, since_ms: int, now_ms: int) -> float:
    """What pieces count of which it is known only since when they were sold: as if they had been sold evenly."""
    age = max(1, now_ms - since_ms) / HALF_LIFE_MS
    return worth_of(pieces * (1.0 - 2.0**-age) / (age * math.log(2.0)), now_ms)


def parts(columns: Columns, text: Scores, *, now_ms: int) -> Parts:
    """The parts of the scores of some documents, with how well their words match from 0 to 1."""
    sold = columns["sold"] * worth_of(1.0, -now_ms + 2 * _EPOCH_MS)
    age = np.maximum(0, now_ms - columns["listed_at"]) / FRESH_MS
    reviews = columns["reviews"]
    liked = (reviews * columns["rating"] + LIKED_PRIOR * _AVERAGE) / (reviews + LIKED_PRIOR)
    shop = np.where(columns["shop_rating"] > 0, columns["shop_rating"], _AVERAGE)
    return Parts(
        {
            "text": text,
            "sales": np.minimum(1.0, np.log1p(sold) / math.log1p(SOLD_MANY)),
            "rating": (liked - 100.0) / 400.0,
            "shop": (shop - 100.0) / 400.0,
            "freshness": np.exp2(-age),
            "stock": ((columns["in_stock"] == 1) & (columns["away_until"] <= now_ms)).astype(np.float64),
        }
    )


def totals(records: Sequence[Record], text: Sequence[float], weights: Weights, *, now_ms: int) -> list[float]:
    """The scores of a few documents, in hundredths: what `parts` come to in total."""
    worth, many = worth_of(1.0, -now_ms + 2 * _EPOCH_MS), math.log1p(SOLD_MANY)
    log1p, exp2, prior = math.log1p, math.exp2, LIKED_PRIOR * _AVERAGE
    scores = []
    for one, words in zip(records, text, strict=True):
        reviews, age_ms = one[REVIEWS], now_ms - one[LISTED_AT]
        sold = log1p(one[SOLD] * worth) / many
        liked = (reviews * one[RATING] + prior) / (reviews + LIKED_PRIOR)
        scores.append(
            weights.text * words
            + weights.sales * (min(1.0, sold))
            + weights.rating * ((liked - 100.0) / 400.0)
            + weights.shop * (((one[SHOP_RATING] or _AVERAGE) - 100.0) / 400.0)
            + weights.freshness * (exp2(-(age_ms / FRESH_MS)) if age_ms > 0 else 1.0)
            + weights.stock * (one[IN_STOCK] == 1 and one[AWAY_UNTIL] <= now_ms)
        )
    return scores


def relevance(points: Scores) -> Scores:
    """How well words match from 0 to 1, of points, which are the better the more they are."""
    best = max(points.tolist(), default=0.0)
    return points / best if best > 0.0 else np.ones(len(points))


def relevance_of_few(points: Sequence[float]) -> list[float]:
    """The same."""
    best = max(points, default=0.0)
    return [one / best for one in points] if best > 0.0 else [1.0] * len(points)
