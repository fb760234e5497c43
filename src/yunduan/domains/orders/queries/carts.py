"""The cart, and what it costs: quotes price everything anew, whatever was seen before."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import CatalogRefusal, Left, Offer, ShopTerms, SoldOut
from yunduan.domains.catalog.queries import OffersOf, ShippingFor
from yunduan.domains.identity.model import IdentityRefusal, SealedAddress
from yunduan.domains.identity.queries import SealedAddressOf
from yunduan.domains.orders import limiting, model, sources, store
from yunduan.domains.orders.charges import CheckoutPreview, ShopPreview, charges
from yunduan.domains.orders.model import (
    Away,
    CartLine,
    Gone,
    OrderRefusal,
    Priced,
)
from yunduan.domains.orders.sources import ParcelToCome
from yunduan.domains.orders.taxes import UNTAXED, Taxes
from yunduan.kernel.ids import (
    AddressId,
    GoodsId,
    ShippingTemplateId,
    ShopId,
    VariantId,
)
from yunduan.kernel.messages import Query
from yunduan.kernel.money import AMOUNT_MAX, Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

Items = Annotated[
    str,
    Meta(
        max_length=4600,
        pattern=r"^([a-z]{3}_[0-9a-z]{1,40}(,[a-z]{3}_[0-9a-z]{1,40}){0,99})?(?![\s\S])",
        description="Variants in the cart, separated by commas; nothing for all of them.",
        examples=["var_018f3a"],
    ),
]
QUOTE_REFUSALS = frozenset(
    {
        OrderRefusal.CART_EMPTY,
        OrderRefusal.LINE_NOT_FOUND,
        OrderRefusal.GOODS_GONE,
        OrderRefusal.SHOP_AWAY,
        OrderRefusal.MIXED_CURRENCIES,
        OrderRefusal.TOO_LARGE,
        OrderRefusal.BUYER_LIMIT,
        CatalogRefusal.SOLD_OUT,
        CatalogRefusal.NOT_FROM_ONE,
        CatalogRefusal.REGION_NOT_SERVED,
        IdentityRefusal.ADDRESS_NOT_FOUND,
    }
)
"""Why a cart cannot be priced."""


class CartItem(Struct, frozen=True, kw_only=True):
    """A line of the cart as it is now; `seen` is the price when it was last put in."""

    variant_id: VariantId
    goods_id: GoodsId
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    picture: str
    quantity: int
    added_at: int
    price: Money
    seen: Money
    price_changed: bool
    available: int
    is_gone: bool
    """It is not sold any more; `available` is then 0."""


class CartOfShop(Struct, frozen=True, kw_only=True):
    """What is wanted of one shop."""

    id: ShopId
    name: str
    name_en: str
    items: tuple[CartItem, ...]


class CartView(Struct, frozen=True, kw_only=True):
    """What a person wants, by shop, in the order in which it was put in."""

    shops: tuple[CartOfShop, ...]
    lines: int
    pieces: int


class CartOf(Query[CartView]):
    """The caller's cart at today's prices."""


class PreviewCheckout(Query[CheckoutPreview], refuses=QUOTE_REFUSALS):
    """What a checkout of the caller's cart would cost now; with an address, shipping and taxes included."""

    variant_ids: Items = ""
    address_id: AddressId | None = None


Wanted = list[tuple[CartLine, Offer]]


def _by_shop(lines: Sequence[CartLine], offers: dict[VariantId, Offer]) -> dict[ShopId, Wanted]:
    shops: dict[ShopId, Wanted] = {}
    for line in lines:
        offer = offers[line.variant_id]
        shops.setdefault(offer.variant.shop_id, []).append((line, offer))
    return shops


def shipping(at: Asking, wanted: Wanted, address: SealedAddress) -> int:
    """What one shop's shipping costs: template by template, each for the goods that go by it."""
    parcels: dict[ShippingTemplateId, tuple[int, int, int]] = {}
    for line, offer in wanted:
        variant, quantity = offer.variant, line.quantity
        pieces, weight_g, goods = parcels.get(variant.template_id, (0, 0, 0))
        parcel = (pieces + quantity, weight_g + quantity * variant.weight_g, goods + quantity * variant.price.amount)
        parcels[variant.template_id] = parcel
    country, region, currency = address.country, address.region, wanted[0][1].variant.price.currency
    cost = 0
    for id, (pieces, weight_g, goods) in parcels.items():
        if goods > AMOUNT_MAX:
            raise Refused(OrderRefusal.TOO_LARGE, "no amount is that large")
        cost += at.ask(
            ShippingFor(template_id=id, country=country, region=region, pieces=pieces, weight_g=weight_g, goods=goods, currency=currency)
        )
    return cost


def _shop(wanted: Wanted) -> ShopTerms:
    return wanted[0][1].shop


def _check(shops: dict[ShopId, Wanted]) -> None:
    """Refuse what is not sold any more, or not now, what there is too little of, and two currencies at once."""
    gone, short = [], []
    for wanted in shops.values():
        shop = _shop(wanted)
        is_open = shop.open
        if not shop.sends:
            raise Refused(CatalogRefusal.REGION_NOT_SERVED, "no location of the shop sends there")
        if is_open and shop.away_until:
            raise Refused(OrderRefusal.SHOP_AWAY, "on holiday", figures=Away(shop_id=shop.shop_id, back_at=shop.away_until))
        for line, offer in wanted:
            if not (is_open and offer.variant.on_sale):
                gone.append(line.variant_id)
            elif offer.available < line.quantity:
                short.append(Left(variant_id=line.variant_id, available=max(0, offer.available)))
    if gone:
        raise Refused(OrderRefusal.GOODS_GONE, "not sold any more", figures=Gone(variants=tuple(gone)))
    if short:
        raise Refused(CatalogRefusal.SOLD_OUT, "there is too little left", figures=SoldOut(lines=tuple(short)))
    if len(shops) > 1 and len({_shop(wanted).currency for wanted in shops.values()}) > 1:
        raise Refused(OrderRefusal.MIXED_CURRENCIES, "a checkout is in one currency")


def quote(at: Asking, lines: Sequence[CartLine], address: SealedAddress | None) -> list[Priced]:
    """What lines of a cart cost now, shop by shop: prices are read here, whatever was seen before."""
    country, region = (address.country, address.region) if address else ("", "")
    offers = at.ask(OffersOf(variant_ids=tuple([line.variant_id for line in lines]), country=country, region=region))
    shops = _by_shop(lines, offers)
    _check(shops)
    limits = limiting.limits_of(offers)
    if limits:
        limiting.refuse_beyond(at, lines, offers, limits)
    tables = at.port(Taxes)  # type: ignore[type-abstract] # a port is found by its protocol
    found = []
    for wanted in shops.values():
        shop = _shop(wanted)
        found.append(
            model.priced(
                tuple([model.sold(line, offer.variant) for line, offer in wanted]),
                shop_id=shop.shop_id,
                name=shop.name,
                name_en=shop.name_en,
                currency=shop.currency,
                shipping=shipping(at, wanted, address) if address else 0,
                taxed=tables.rules(at, country, region) if address else UNTAXED,
                commission_ppm=shop.commission_ppm,
            )
        )
    if sum([each.total for each in found]) > AMOUNT_MAX:
        raise Refused(OrderRefusal.TOO_LARGE, "no amount is that large")
    return [limiting.marked(each, limits) for each in found] if limits else found


def preview(
    found: Sequence[Priced], *, complete: bool, parcels: Mapping[ShopId, tuple[ParcelToCome, ...]] | None = None
) -> CheckoutPreview:
    """A quote as people see it; with the parcels in which each shop's part would come, where that was looked at."""
    currency = found[0].currency
    shops = tuple(
        ShopPreview(
            id=each.shop_id,
            name=each.name,
            name_en=each.name_en,
            lines=charges(each.items, each.shipping if complete else None, each.discounts, each.taxes, currency),
            total=Money(amount=each.total, currency=currency),
            parcels=(parcels or {}).get(each.shop_id, ()),
        )
        for each in found
    )
    total = Money(amount=sum(each.total for each in found), currency=currency)
    return CheckoutPreview(shops=shops, total=total, complete=complete)


@answers(CartOf)
def cart_of(at: Asking, _: CartOf) -> CartView:
    """Read the cart's one row and what its goods cost now."""
    cart = at.get(store.CART, at.actor.person)
    lines = cart.lines if cart else ()
    if not lines:
        return CartView(shops=(), lines=0, pieces=0)
    shops = _by_shop(lines, at.ask(OffersOf(variant_ids=tuple(line.variant_id for line in lines))))
    return CartView(
        shops=tuple(_cart_of_shop(_shop(wanted), wanted) for wanted in shops.values()),
        lines=len(lines),
        pieces=sum(line.quantity for line in lines),
    )


def _cart_of_shop(terms: ShopTerms, wanted: Wanted) -> CartOfShop:
    items = tuple(_cart_item(line, offer, is_gone=not (terms.open and offer.variant.on_sale)) for line, offer in wanted)
    return CartOfShop(id=terms.shop_id, name=terms.name, name_en=terms.name_en, items=items)


def _cart_item(line: CartLine, offer: Offer, *, is_gone: bool) -> CartItem:
    variant, seen = offer.variant, Money(amount=line.price, currency=line.currency)
    return CartItem(
        variant_id=variant.id,
        goods_id=variant.goods_id,
        title=variant.title,
        title_en=variant.title_en,
        option_text=variant.option_text,
        option_text_en=variant.option_text_en,
        picture=variant.picture,
        quantity=line.quantity,
        added_at=line.added_at,
        price=variant.price,
        seen=seen,
        price_changed=seen != variant.price,
        available=0 if is_gone else max(0, offer.available),
        is_gone=is_gone,
    )


@answers(PreviewCheckout)
def preview_checkout(at: Asking, ask: PreviewCheckout) -> CheckoutPreview:
    """Price what was chosen of the cart."""
    cart = at.get(store.CART, at.actor.person)
    chosen = tuple(VariantId(id) for id in ask.variant_ids.split(",")) if ask.variant_ids else ()
    lines = model.selected(cart.lines if cart else (), chosen)
    address = at.ask(SealedAddressOf(person_id=at.actor.person, address_id=ask.address_id)) if ask.address_id else None
    quotes = quote(at, lines, address)
    parcels = sources.foreseen(at, quotes, address) if address is not None else None
    return preview(quotes, complete=address is not None, parcels=parcels)
