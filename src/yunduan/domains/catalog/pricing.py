"""What everybody may ask about prices: what goods have cost lately."""

from msgspec import Struct

from yunduan.domains.catalog import store, store_prices
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.catalog.prices import WINDOW_MS, curve, spans
from yunduan.kernel.ids import GoodsId, VariantId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class PriceStep(Struct, frozen=True, kw_only=True):
    """From this moment on (milliseconds since 1970) it cost so much; nothing while it was not on sale."""

    at: int
    price: Money | None


class PriceCurve(Struct, frozen=True, kw_only=True):
    """What a variant has cost in the last thirty days, up to now; `lowest` is the lowest price of that time, today's included."""

    variant_id: VariantId
    items: tuple[PriceStep, ...]
    lowest: Money


class PricesOf(Query[PriceCurve], refuses={CatalogRefusal.GOODS_NOT_FOUND, CatalogRefusal.VARIANT_NOT_FOUND}):
    """What a variant that is on sale has cost in the last thirty days."""

    goods_id: GoodsId
    variant_id: VariantId


@answers(PricesOf)
def prices_of(at: Asking, ask: PricesOf) -> PriceCurve:
    """Of goods that everybody is shown, and of no others."""
    page = store.page(at, ask.goods_id)
    if page is None or not store.shop(at, page.shop_id).is_open:
        raise Refused(CatalogRefusal.GOODS_NOT_FOUND)
    variant = at.get(store.VARIANT, ask.variant_id)
    if variant is None or variant.id not in page.variant_ids:
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    currency, points = variant.price.currency, store_prices.points(at, variant.id)
    since = at.now - WINDOW_MS
    steps = [
        PriceStep(at=point.at, price=Money(amount=point.amount, currency=currency) if point.amount else None)
        for point in curve(points, since=since)
    ]
    lowest = min([span.amount for span in spans(points, at.now) if span.until > since] + [variant.price.amount])
    return PriceCurve(variant_id=variant.id, items=tuple(steps), lowest=Money(amount=lowest, currency=currency))
