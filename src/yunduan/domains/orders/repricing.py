"""改价: while nothing has been paid a shop offers another price, and its buyer agrees to it by paying anew.

What was agreed is never changed: agreeing calls the whole checkout off and places it anew, in one transaction, with the offers that stand
in it. Whatever a channel still collects for the payment before goes back, as it does for any payment that was given up.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.commands import HoldStock, ReleaseStock
from yunduan.domains.identity.model import Postal
from yunduan.domains.orders import limiting, model, queries, store
from yunduan.domains.orders.commands import SERVES, Kept, Placed, call_off, deadline, orders_of, place_kept
from yunduan.domains.orders.facts import OfferTakenBack, PriceAgreed, PriceOffered
from yunduan.domains.orders.model import Discount, Funder, Order, OrderRefusal, OrderState, Priced, PriceOffer, Step, Who
from yunduan.domains.orders.steps import STEP_REFUSALS, moved, of_buyer, of_shop
from yunduan.domains.orders.taxes import UNTAXED, Taxes, TaxRules
from yunduan.domains.payments.commands import AbandonPayment, PayOrders
from yunduan.domains.payments.model import TENDERS_MAX, Tender
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

TITLE = "改价"
"""What the shop's discount is called on the order that is placed anew."""


class PriceNow(Struct, frozen=True, kw_only=True):
    """What an order would cost by its shop's offer, if one `is_offered`, and its checkout with every offer that stands in it."""

    order_id: OrderId
    is_offered: bool
    total: Money
    checkout_total: Money


class OfferPrice(
    Command[PriceNow], refuses={*STEP_REFUSALS, OrderRefusal.PRICE_OUT_OF_RANGE, OrderRefusal.MIXED_CURRENCIES, OrderRefusal.TOO_LARGE}
):
    """Offer to take so much off the goods of an unpaid order, and to send them for so much, in the place of any offer before.

    A total rises by its shipping alone. Until the buyer has agreed the order costs what it did; what is as it was takes the offer back.
    """

    shop_id: ShopId
    order_id: OrderId
    discount: Money
    shipping: Money


class OfferedPrice(Query[PriceNow], refuses={OrderRefusal.NOT_FOUND}):
    """What a shop has offered for an unpaid order, for its buyer and for operators."""

    order_id: OrderId


class AgreePrice(
    Command[Placed],
    refuses={
        *STEP_REFUSALS,
        OrderRefusal.NO_OFFER,
        OrderRefusal.OFFER_CHANGED,
        OrderRefusal.UNPAID_FULL,
        OrderRefusal.SLOW_UNPAID_FULL,
        *ReleaseStock.refuses,
        *AbandonPayment.refuses,
        *HoldStock.refuses,
        *PayOrders.refuses,
    },
    spends_key=True,
):
    """Agree to the offered price, and pay the whole checkout anew: its orders take the place of those before.

    `total` is the checkout's, as it was shown; offers of other shops in it are agreed to as well.
    """

    order_id: OrderId
    total: Money
    tenders: Annotated[tuple[Tender, ...], Meta(min_length=1, max_length=TENDERS_MAX)]


@handles(OfferPrice)
def offer_price(tx: Tx, ask: OfferPrice) -> PriceNow:
    """See that it can be paid, then keep it on the order."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *SERVES)
    model.after(order.id, order.state, Step.OFFER_PRICE, Who.SHOP)
    if {ask.discount.currency, ask.shipping.currency} != {order.currency}:
        raise Refused(OrderRefusal.MIXED_CURRENCIES, "an order is in its shop's currency")
    quote = _priced(tx, order, ask.discount.amount, ask.shipping.amount)
    own = sum([discount.amount for discount in quote.discounts if _is_offer(discount)])
    if own != ask.discount.amount or not quote.total:
        raise Refused(OrderRefusal.PRICE_OUT_OF_RANGE, "more off than there is, or nothing to pay")
    offer = None
    if quote.total != order.total and not _is_as_agreed(order, ask):
        offer = PriceOffer(ask.discount.amount, ask.shipping.amount, quote.total, tx.now)
    after = moved(tx, order, Step.OFFER_PRICE, Who.SHOP, offer=offer)
    if offer is not None:
        total = Money(amount=quote.total, currency=order.currency)
        tx.tell(PriceOffered(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, total=total))
    elif order.progress.offer is not None:
        total = Money(amount=order.total, currency=order.currency)
        tx.tell(OfferTakenBack(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, total=total))
    orders = _checkout(tx, after)
    return _now(after, orders, _quotes(tx, orders))


@answers(OfferedPrice)
def offered_price(at: Asking, ask: OfferedPrice) -> PriceNow:
    """As of now; an order that has been paid, or called off, has no offer any more."""
    order = queries.seen(at, at.get(store.ORDER, ask.order_id))
    orders = _checkout(at, order)
    return _now(order, orders, _quotes(at, orders))


@handles(AgreePrice)
def agree_price(tx: Tx, ask: AgreePrice) -> Placed:
    """Whichever comes first stands: the channel's word that the old price has been paid, or this."""
    order = of_buyer(tx, ask.order_id)
    model.after(order.id, order.state, Step.AGREE_PRICE, Who.BUYER)
    if order.progress.offer is None:
        raise Refused(OrderRefusal.NO_OFFER)
    before = _checkout(tx, order)
    quotes = _quotes(tx, before)
    now = _now(order, before, quotes)
    if ask.total != now.checkout_total:
        raise Refused(OrderRefusal.OFFER_CHANGED, f"the total is {now.checkout_total} now", figures=now)
    call_off(tx, before, Step.AGREE_PRICE, Who.BUYER)
    tx.send(AbandonPayment(payment_id=model.payment_of(model.checkout_of(order.id))))
    placed = place_kept(
        tx,
        quotes,
        [_kept(tx, one) for one in before],
        tenders=ask.tenders,
        pay_by=deadline(tx, ask.tenders),
        only_by_hand=order.progress.only_by_hand,
    )
    for one, new in zip(before, placed.orders, strict=True):
        limiting.follow(tx, one, new.id)
        if one.progress.offer is not None:
            tx.tell(PriceAgreed(order_id=one.id, placed_as=new.id, buyer=one.buyer, shop_id=one.shop_id, total=new.total))
    return placed


def _checkout(at: Asking, order: Order) -> list[Order]:
    return orders_of(at, model.checkout_of(order.id))


def _offer(order: Order) -> PriceOffer | None:
    """What stands: an order that has been paid, or called off, costs what it did."""
    return order.progress.offer if order.state is OrderState.PLACED else None


def _is_as_agreed(order: Order, ask: OfferPrice) -> bool:
    """Whether a shop asks for what was agreed, whatever is taken where it goes by now."""
    agreed = store.terms(order)
    discount = sum([one.amount for one in agreed.discounts if _is_offer(one)])
    return (ask.discount.amount, ask.shipping.amount) == (discount, agreed.shipping)


def _is_offer(discount: Discount) -> bool:
    return discount.title == TITLE and discount.funder is Funder.SHOP


def _priced(at: Asking, order: Order, discount: int, shipping: int) -> Priced:
    """The order's goods at the prices that were agreed, with this discount in the place of one that was agreed to before."""
    agreed, destination = store.terms(order), queries.destination(at, order)
    offered = [one for one in agreed.discounts if not _is_offer(one)]
    if discount:
        offered.append(Discount(TITLE, Funder.SHOP, discount))
    return model.priced(
        agreed.items,
        shop_id=order.shop_id,
        name="",
        name_en="",
        currency=order.currency,
        shipping=shipping,
        taxed=_taxed(at, destination),
        commission_ppm=agreed.commission_ppm,
        offered=offered,
    )


def _taxed(at: Asking, destination: Postal | None) -> TaxRules:
    """What is taken where it goes, as of now: at another price it is another order."""
    if destination is None:
        return UNTAXED
    tables: Taxes = at.port(Taxes)  # type: ignore[type-abstract] # a port is found by its protocol
    return tables.rules(at, destination.country, region_of(destination.country, destination.region) or "")


def _quotes(at: Asking, orders: Sequence[Order]) -> list[Priced]:
    """What each order of a checkout costs with the offers that stand."""
    return [_priced(at, one, offer.discount, offer.shipping) if (offer := _offer(one)) else _as_agreed(one) for one in orders]


def _as_agreed(order: Order) -> Priced:
    agreed = store.terms(order)
    return Priced(
        order.shop_id, "", "", order.currency, agreed.items, agreed.shipping, agreed.discounts, agreed.taxes, order.total, agreed.promoted,
        agreed.commission_ppm, agreed.commission,
    )  # fmt: skip


def _now(order: Order, orders: Sequence[Order], quotes: Sequence[Priced]) -> PriceNow:
    own = next(quote.total for quote, one in zip(quotes, orders, strict=True) if one.id == order.id)
    return PriceNow(
        order_id=order.id,
        is_offered=_offer(order) is not None,
        total=Money(amount=own, currency=order.currency),
        checkout_total=Money(amount=sum([quote.total for quote in quotes]), currency=order.currency),
    )


def _kept(at: Asking, order: Order) -> Kept:
    """Where it goes by now, and what was said about it."""
    agreed = store.terms(order)
    country, region = queries.reckoned_by(at, order)
    return Kept(order.progress.address or agreed.address, agreed.note, agreed.line_notes, country, region)
