"""How much of everything: whatever people, shops, operators and banks may do, in one table."""

from itertools import accumulate

from yunduan.testing.trade.banking import BANKING, BANKING_LEARNS
from yunduan.testing.trade.charging_back import CHARGING_BACK
from yunduan.testing.trade.disputing import DISPUTING, DISPUTING_LEARNS
from yunduan.testing.trade.earning import EARNING, EARNING_LEARNS
from yunduan.testing.trade.passing import PASSING
from yunduan.testing.trade.serving import SERVING
from yunduan.testing.trade.shoppers import Draws, Mix
from yunduan.testing.trade.shopping import JOINING, SHOPPING, SHOPPING_LEARNS
from yunduan.testing.trade.stocking import STOCKING

_ALL: Draws = (*SHOPPING, *SERVING, *BANKING, *EARNING, *CHARGING_BACK, *STOCKING, *JOINING, *DISPUTING, *PASSING)
MIX = Mix(
    draws=tuple(draw for draw, _ in _ALL),
    weights=tuple(accumulate(weight for _, weight in _ALL)),
    learns={**SHOPPING_LEARNS, **BANKING_LEARNS, **EARNING_LEARNS, **DISPUTING_LEARNS},
)
