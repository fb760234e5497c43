"""How much of everything: whatever people, shops and operators may do, in one table."""

from yunduan.testing.trade.banking import BANKING, BANKING_LEARNS
from yunduan.testing.trade.disputing import DISPUTING, DISPUTING_LEARNS
from yunduan.testing.trade.serving import SERVING
from yunduan.testing.trade.shoppers import Draws, Mix
from yunduan.testing.trade.shopping import JOINING, SHOPPING, SHOPPING_LEARNS
from yunduan.testing.trade.stocking import STOCKING

_ALL: Draws = (*SHOPPING, *SERVING, *BANKING, *STOCKING, *JOINING, *DISPUTING)
MIX = Mix(
    draws=tuple(draw for draw, _ in _ALL),
    weights=tuple(weight for _, weight in _ALL),
    learns={**SHOPPING_LEARNS, **BANKING_LEARNS, **DISPUTING_LEARNS},
)
