"""Which of a shop's locations the pieces of an order leave from: decided by the shop's order and the stock alone, so always alike.

One location that has all of it, the first in the shop's order. If none has, and the shop splits orders: again and again the location
that has most of the lines whole, the first among equals; a line that no location has whole comes from all of them in their order, from
those first that send something anyway.
"""

from collections.abc import Iterable, Mapping, Sequence

from yunduan.domains.catalog import store
from yunduan.domains.catalog.model import CatalogRefusal, HeldLine, Left, Shop, SoldOut, Together, Variant
from yunduan.kernel.ids import LocationId, VariantId
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.transaction import Asking

Pieces = dict[VariantId, dict[LocationId, int]]
"""How many pieces of each variant can be had at each location."""


def of_one_shop(at: Asking, ids: Iterable[VariantId]) -> tuple[Shop, dict[VariantId, Variant]]:
    """The shop that has these variants."""
    variants, shops = {}, set()
    for id in ids:
        variant = at.get(store.VARIANT, id)
        if variant is None:
            raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
        variants[id] = variant
        shops.add(variant.shop_id)
    invariant(len(shops) == 1, "what is sent together is of one shop")
    return store.shop(at, shops.pop()), variants


def pieces(at: Asking, shop: Shop, ids: Iterable[VariantId]) -> Pieces:
    """What can be had of variants, wherever the shop sends from."""
    places = shop.sends_from()
    there: Pieces = {}
    for id in ids:
        there[id] = found = {}
        for place in places:
            stock = at.get(store.STOCK, (id, place))
            found[place] = stock.on_hand - stock.held if stock else 0
    return there


def sent(shop: Shop, wanted: Mapping[VariantId, int], there: Pieces, country: str, region: str) -> tuple[HeldLine, ...]:
    """Where each piece leaves from on its way to a place; refuses one that no location sends to, though some send."""
    places = shop.sends_from(country, region)
    if not places and shop.sends_from():
        raise Refused(CatalogRefusal.REGION_NOT_SERVED, "no location of the shop sends there")
    return tuple(sourced(wanted, there, places, splits=shop.splits))


def sourced(wanted: Mapping[VariantId, int], there: Pieces, places: Sequence[LocationId], *, splits: bool) -> list[HeldLine]:
    """Where each piece comes from; refuses when there are too few, and when they do not leave together though they have to."""
    for place in places:
        if all(there[id][place] >= quantity for id, quantity in wanted.items()):
            return [HeldLine(id, place, quantity) for id, quantity in wanted.items()]
    at_once = {id: [there[id][place] for place in places] for id in wanted}
    most = {id: sum(found) if splits else max(found, default=0) for id, found in at_once.items()}
    short = [Left(variant_id=id, available=most[id]) for id, quantity in wanted.items() if most[id] < quantity]
    if short:
        raise Refused(CatalogRefusal.SOLD_OUT, figures=SoldOut(lines=tuple(short)))
    if not splits:
        best = max(places, key=lambda place: len(_whole(wanted, there, place)))
        together = tuple([Left(variant_id=id, available=there[id][best]) for id in wanted])
        raise Refused(CatalogRefusal.NOT_FROM_ONE, figures=Together(lines=together))
    return _split(wanted, there, places)


def _whole(wanted: Mapping[VariantId, int], there: Pieces, place: LocationId) -> list[VariantId]:
    """The lines of which a location has every piece."""
    return [id for id, quantity in wanted.items() if there[id][place] >= quantity]


def _split(wanted: Mapping[VariantId, int], there: Pieces, places: Sequence[LocationId]) -> list[HeldLine]:
    left, lines = dict(wanted), []
    sending: dict[LocationId, None] = {}
    while left:
        best = max(places, key=lambda place: len(_whole(left, there, place)))
        whole = _whole(left, there, best)
        if not whole:
            break
        sending[best] = None
        lines += [HeldLine(id, best, left.pop(id)) for id in whole]
    for id, quantity in left.items():
        missing = quantity
        for place in dict.fromkeys((*sending, *places)):
            part = min(missing, there[id][place])
            if part > 0:
                lines.append(HeldLine(id, place, part))
                sending[place] = None
                missing -= part
    return lines
