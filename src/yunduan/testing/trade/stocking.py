"""What a shop does with its stock: counts it, moves it between its two locations, and says which of them sends what is ordered."""

from yunduan.domains.catalog.commands import MoveStock, SetSources
from yunduan.domains.catalog.model import HoldLine, Place, Source
from yunduan.testing.trade.founding import ON_HAND, counted
from yunduan.testing.trade.shoppers import Drawn, Draws, Shoppers

_HERE, _ELSEWHERE = Place(country="CN", region="浙江省"), Place(country="CN", region="广东省")


def _count(it: Shoppers) -> Drawn:
    place = it.chance.randrange(2)
    return counted(it.market.shop, it.chance.choice(it.market.variants), it.market.locations[place], ON_HAND[place]), it.staff


def _move(it: Shoppers) -> Drawn:
    here, there = it.chance.sample(it.market.locations, 2)
    some = it.chance.sample(it.market.variants, it.chance.randrange(1, 3))
    lines = tuple(HoldLine(variant_id=variant, quantity=it.chance.randrange(1, 5)) for variant in some)
    return MoveStock(shop_id=it.market.shop.id, from_location_id=here, to_location_id=there, lines=lines), it.staff


def _say_which_sends(it: Shoppers) -> Drawn:
    """In any order; seldom one that sends nothing, or elsewhere alone."""
    sources = tuple(
        Source(
            location_id=location,
            ships=it.chance.random() < 0.9,
            places=it.chance.choice(((), (), (_HERE,), (_HERE, _ELSEWHERE), (_ELSEWHERE,))),
        )
        for location in it.chance.sample(it.market.locations, 2)
    )
    return SetSources(shop_id=it.market.shop.id, sources=sources, splits=it.chance.random() < 0.7), it.staff


def sending_everywhere(it: Shoppers) -> Drawn:
    """Both locations, wherever it goes."""
    sources = tuple(Source(location_id=location) for location in it.market.locations)
    return SetSources(shop_id=it.market.shop.id, sources=sources), it.staff


STOCKING: Draws = ((_count, 8), (_move, 5), (_say_which_sends, 2))
