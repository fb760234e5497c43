"""What buyer and shop arrange before goods leave: that they go to another address, and what the shop notes for itself."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.commands import RerouteStock
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.catalog.queries import OffersOf
from yunduan.domains.identity.model import IdentityRefusal, SealedAddress
from yunduan.domains.identity.queries import SealedAddressOf
from yunduan.domains.orders import model, queries, store
from yunduan.domains.orders.commands import PACKS, SERVES
from yunduan.domains.orders.facts import OrderRedirected
from yunduan.domains.orders.model import PLAIN, CartLine, Order, OrderRefusal, OrderState, Step, Terms, Who
from yunduan.domains.orders.steps import STEP_REFUSALS, marked, moved, of_buyer, of_shop, sealed
from yunduan.domains.orders.taxes import Tax, Taxes, TaxRules
from yunduan.kernel.ids import AddressId, OrderId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

Memo = Annotated[
    str, Meta(max_length=300, pattern=PLAIN, description="For the shop's own people; empty to take it back.", examples=["先发茶"])
]


class CostThere(Struct, frozen=True, kw_only=True):
    """What shipping, or the taxes, would be now where the order was to go, and where it would."""

    here: Money
    there: Money


class Redirected(Struct, frozen=True, kw_only=True):
    """The order goes to the other address now."""

    order_id: OrderId


class RedirectOrder(
    Command[Redirected],
    refuses={
        *STEP_REFUSALS,
        OrderRefusal.SHIPPING_DIFFERS,
        OrderRefusal.TAXES_DIFFER,
        OrderRefusal.COUNTRY_DIFFERS,
        IdentityRefusal.ADDRESS_NOT_FOUND,
        CatalogRefusal.TEMPLATE_NOT_FOUND,
        *OffersOf.refuses,
        *RerouteStock.refuses,
    },
):
    """Have an order sent to another of one's addresses, as long as nothing of it has left and shipping and taxes are the same.

    The address is copied as it is now: what becomes of it in the book later changes nothing. Its stock is held where it is sent there from.
    """

    order_id: OrderId
    address_id: AddressId


class MemoKept(Struct, frozen=True, kw_only=True):
    """It stands on the order."""

    order_id: OrderId


class NoteOrder(Command[MemoKept], refuses={OrderRefusal.NOT_FOUND}):
    """Keep a word about an order for the shop's own people, in the place of the one before; the buyer never sees it."""

    shop_id: ShopId
    order_id: OrderId
    memo: Memo


@handles(RedirectOrder)
def redirect_order(tx: Tx, ask: RedirectOrder) -> Redirected:
    """Shipping and taxes are reckoned by country and region: within one region anything goes, into another they have to be the same."""
    order = of_buyer(tx, ask.order_id)
    model.after(order.id, order.state, Step.REDIRECT, Who.BUYER)
    address = tx.ask(SealedAddressOf(person_id=order.buyer, address_id=ask.address_id))
    _check(tx, order, address)
    moved(tx, order, Step.REDIRECT, Who.BUYER, address=address.sealed, redirected_at=tx.now)
    tx.send(RerouteStock(hold_id=model.hold_of(order.id), country=address.country, region=address.region))
    is_paid = order.state is not OrderState.PLACED
    tx.tell(OrderRedirected(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, is_paid=is_paid))
    return Redirected(order_id=order.id)


def _check(tx: Tx, order: Order, address: SealedAddress) -> None:
    """Duties are those of the way there: another country is another order.

    Shipping may cost what was agreed, or what it would have cost here too: a shop may have agreed to less, or asks more by now.
    """
    before = queries.destination(tx, order)
    if before is None or before.country != address.country:
        raise Refused(OrderRefusal.COUNTRY_DIFFERS, address.country)
    region = region_of(before.country, before.region) or ""
    if region == address.region:
        return
    agreed = store.terms(order)
    _check_taxes(tx, order, agreed, address, region)
    offers = tx.ask(OffersOf(variant_ids=tuple({item.variant_id for item in agreed.items})))
    lines = [
        (CartLine(item.variant_id, item.quantity, order.placed_at, item.price, order.currency), offers[item.variant_id])
        for item in agreed.items
    ]
    there = queries.shipping(tx, lines, address)
    if there == agreed.shipping:
        return
    here = queries.shipping(tx, lines, replace(address, region=region))
    if there != here:
        now, then = (Money(amount=amount, currency=order.currency) for amount in (there, here))
        raise Refused(OrderRefusal.SHIPPING_DIFFERS, f"{now} there, {then} here", figures=CostThere(here=then, there=now))


def _check_taxes(tx: Tx, order: Order, agreed: Terms, address: SealedAddress, before: str) -> None:
    """Refuse a region in which other taxes would be on the order than in the one before, both as of now."""
    tables: Taxes = tx.port(Taxes)  # type: ignore[type-abstract] # a port is found by its protocol
    here, there = (_taxed(order, agreed, tables.rules(tx, address.country, region)) for region in (before, address.region))
    if here != there:
        now, then = (Money(amount=sum([tax.amount for tax in taxes]), currency=order.currency) for taxes in (there, here))
        raise Refused(OrderRefusal.TAXES_DIFFER, f"{now} there, {then} here", figures=CostThere(here=then, there=now))


def _taxed(order: Order, agreed: Terms, rules: TaxRules) -> tuple[Tax, ...]:
    return model.priced(
        agreed.items, shop_id=order.shop_id, name="", name_en="", currency=order.currency, shipping=agreed.shipping, taxed=rules,
        commission_ppm=agreed.commission_ppm, offered=agreed.discounts,
    ).taxes  # fmt: skip


@handles(NoteOrder)
def note_order(tx: Tx, ask: NoteOrder) -> MemoKept:
    """Under the buyer's key, whom it is about: it goes with them."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *PACKS, *SERVES)
    marked(tx, order, memo=sealed(tx, order.buyer, ask.memo))
    return MemoKept(order_id=order.id)
