"""What becomes of orders: shipped, declined, repriced, received, given back, reviewed."""

from typing import Any

from yunduan.domains.orders.commands import (
    CancelOrder,
    DeclineOrder,
    RefundOrder,
    ReviewOrder,
)
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.repricing import AgreePrice, OfferedPrice, OfferPrice
from yunduan.domains.orders.resending import SendAgain, TakeIn
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.payments.model import (
    Tender,
    TenderKind,
)
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.testing.trade.founding import yuan
from yunduan.testing.trade.shoppers import Drawn, Draws, Shoppers


def _waybill(it: Shoppers) -> dict[str, Any]:
    """By a carrier that can be asked or not; some parcels come back."""
    kind = it.chance.choice(("SF", "SF", "BACK"))
    return {"carrier": it.chance.choice(("SF Express", "sandbox")), "tracking": f"{kind}{it.number}"}


def _parcel(it: Shoppers) -> int:
    return it.chance.choice((1, 1, 1, 2, 3))


def _send_again(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None:
        return None
    return SendAgain(shop_id=it.market.shop.id, order_id=order.id, parcel=_parcel(it), **_waybill(it)), it.staff


def _take_in(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None:
        return None
    restock, place = it.chance.random() < 0.7, it.chance.choice((None, *it.market.locations))
    return TakeIn(shop_id=it.market.shop.id, order_id=order.id, parcel=_parcel(it), restock=restock, location_id=place), it.staff


def _ship(it: Shoppers) -> Drawn:
    order, shop_id = it.order(), it.market.shop.id
    return None if order is None else (ShipOrder(shop_id=shop_id, order_id=order.id, **_waybill(it)), it.staff)


def _pack(it: Shoppers) -> Drawn:
    order, shop_id = it.order(), it.market.shop.id
    if order is None:
        return None
    lines = (PieceLine(variant_id=it.chance.choice(it.market.variants), quantity=it.chance.randrange(1, 3)),)
    location = it.chance.choice((None, *it.market.locations))
    return ShipParcel(shop_id=shop_id, order_id=order.id, lines=lines, location_id=location, **_waybill(it)), it.staff


def _decline(it: Shoppers) -> Drawn:
    order = it.order()
    return None if order is None else (DeclineOrder(shop_id=it.market.shop.id, order_id=order.id), it.staff)


def _receive(it: Shoppers) -> Drawn:
    order = it.order()
    return None if order is None else (ConfirmReceipt(order_id=order.id), order.buyer)


def _offer_price(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None:
        return None
    off, shipping = yuan(it.chance.randrange(0, order.total)), yuan(it.chance.choice((0, 800, 1_200)))
    return OfferPrice(shop_id=it.market.shop.id, order_id=order.id, discount=off, shipping=shipping), it.staff


def _agree_price(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None or it.cloud is None:
        return None
    try:
        now = it.cloud.ask(OfferedPrice(order_id=order.id), actor=order.buyer)
    except (Refused, FaultError):
        return None
    if not now.is_offered:
        return None
    total = now.checkout_total
    kind = it.chance.choice(
        (Tender(kind=TenderKind.WALLET, amount=total), Tender(kind=TenderKind.CHANNEL, amount=total, channel="sandbox"))
    )
    return AgreePrice(order_id=order.id, total=total, tenders=(kind,)), order.buyer


def _cancel(it: Shoppers) -> Drawn:
    order = it.order()
    return None if order is None else (CancelOrder(order_id=order.id), order.buyer)


def _give_back(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None:
        return None
    amount = yuan(it.chance.choice((order.total, it.chance.randrange(1, order.total))))
    return RefundOrder(shop_id=it.market.shop.id, order_id=order.id, amount=amount), it.staff


def _review(it: Shoppers) -> Drawn:
    order = it.order()
    return None if order is None else (ReviewOrder(order_id=order.id, variant_id=order.variant, stars=5), order.buyer)


SERVING: Draws = (
    (_ship, 18),
    (_pack, 4),
    (_decline, 1),
    (_offer_price, 4),
    (_agree_price, 4),
    (_receive, 9),
    (_cancel, 3),
    (_give_back, 4),
    (_review, 3),
    (_send_again, 3),
    (_take_in, 2),
)
