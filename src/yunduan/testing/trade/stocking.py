"""What a shop does with its stock."""

from yunduan.testing.trade.founding import ON_HAND, stock
from yunduan.testing.trade.shoppers import Drawn, Draws, Shoppers


def _restock(it: Shoppers) -> Drawn:
    return stock(it.market.shop, it.chance.choice(it.market.variants), ON_HAND), it.staff


STOCKING: Draws = ((_restock, 4),)
