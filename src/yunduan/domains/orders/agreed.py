"""Orders whose prices and shipping were agreed elsewhere: those of an import, or of a firm that sells by other ways too."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.model import Variant
from yunduan.domains.catalog.queries import OffersOf, TermsOf
from yunduan.domains.identity.queries import SealedAddressOf
from yunduan.domains.orders import commands, model
from yunduan.domains.orders.commands import Checkout, Placed
from yunduan.domains.orders.model import CartLine, Discount, Funder, OrderRefusal, Priced, Quantity
from yunduan.domains.orders.taxes import Taxes, TaxRules
from yunduan.domains.payments.model import TENDERS_MAX, Tender
from yunduan.kernel.ids import AddressId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

LINES_MAX = 100
DISCOUNTS_MAX = 100


class AgreedLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many of a variant, at the price of one, with what shipping all of them costs."""

    variant_id: VariantId
    quantity: Quantity
    price: Money
    shipping: Money


class AgreedDiscount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken off the goods of one shop, never more than they cost, and who pays for it."""

    shop_id: ShopId
    title: Annotated[str, Meta(min_length=1, max_length=60)]
    funder: Funder
    amount: Money


class PlaceAgreed(Command[Placed], refuses=Checkout.refuses | OffersOf.refuses, spends_key=True):
    """Place what a buyer has agreed on elsewhere, one order a shop, to be paid until `pay_by` (milliseconds since 1970).

    The cloud alone sends it, in the buyer's name. Stock, money, the orders and their lives are those of any checkout. No tender is
    needed where discounts leave nothing to pay.
    """

    address_id: AddressId
    lines: Annotated[tuple[AgreedLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    tenders: Annotated[tuple[Tender, ...], Meta(max_length=TENDERS_MAX)]
    pay_by: int
    discounts: Annotated[tuple[AgreedDiscount, ...], Meta(max_length=DISCOUNTS_MAX)] = ()
    only_by_hand: bool = False
    """Whether the orders never count as received because time has passed: an import knows when they were."""


@handles(PlaceAgreed)
def place_agreed(tx: Tx, ask: PlaceAgreed) -> Placed:
    """Take prices, shipping and discounts as agreed; the rest goes the way of a checkout."""
    invariant(tx.actor.is_system, "prices are agreed by the cloud alone")
    address = tx.ask(SealedAddressOf(person_id=tx.actor.person, address_id=ask.address_id))
    tables: Taxes = tx.port(Taxes)  # type: ignore[type-abstract] # a port is found by its protocol
    quotes = _quotes(tx, ask, tables.rules(tx, address.country, address.region))
    return commands.place(tx, quotes, address, tenders=ask.tenders, pay_by=ask.pay_by, only_by_hand=ask.only_by_hand)


def _quotes(tx: Tx, ask: PlaceAgreed, taxed: TaxRules) -> list[Priced]:
    offers = tx.ask(OffersOf(variant_ids=tuple(line.variant_id for line in ask.lines)))
    by_shop: dict[ShopId, list[tuple[AgreedLine, Variant]]] = {}
    for line in ask.lines:
        variant = offers[line.variant_id].variant
        by_shop.setdefault(variant.shop_id, []).append((line, replace(variant, price=line.price)))
    invariant({discount.shop_id for discount in ask.discounts} <= by_shop.keys(), "a discount is on something that is bought")
    quotes = []
    for shop_id, wanted in by_shop.items():
        terms = tx.ask(TermsOf(shop_id=shop_id))
        offered = [discount for discount in ask.discounts if discount.shop_id == shop_id]
        monies = [money for line, _ in wanted for money in (line.price, line.shipping)] + [discount.amount for discount in offered]
        if any(money.currency != terms.currency for money in monies):
            raise Refused(OrderRefusal.MIXED_CURRENCIES, "an order is in its shop's currency")
        items = tuple(
            model.sold(CartLine(line.variant_id, line.quantity, tx.now, line.price.amount, line.price.currency), variant)
            for line, variant in wanted
        )
        quotes.append(
            model.priced(
                items,
                shop_id=shop_id,
                name=terms.name,
                name_en=terms.name_en,
                currency=terms.currency,
                shipping=sum(line.shipping.amount for line, _ in wanted),
                taxed=taxed,
                commission_ppm=terms.commission_ppm,
                offered=[Discount(discount.title, discount.funder, discount.amount.amount) for discount in offered],
            )
        )
    return quotes
