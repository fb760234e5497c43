"""What can be asked of orders: the cart, what a checkout would cost, orders and reviews."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from yunduan.domains.catalog.model import CatalogRefusal, Left, Offer, ShopTerms, SoldOut
from yunduan.domains.catalog.queries import OffersOf, ShippingFor, TermsOf
from yunduan.domains.identity.model import IdentityRefusal, Outstanding, Postal, SealedAddress, ShopRole, Vault
from yunduan.domains.identity.queries import SealedAddressOf
from yunduan.domains.orders import cases, limiting, model, parcels, store
from yunduan.domains.orders.charges import Charge, CheckoutPreview, ShopPreview, charges
from yunduan.domains.orders.model import (
    Away,
    CartLine,
    Gone,
    LineNote,
    Order,
    OrderRefusal,
    OrderState,
    Priced,
    Terms,
    Word,
    WordKind,
)
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.parcels import PiecesLeft
from yunduan.domains.payments.model import PieceState, Refund, RefundState, TenderKind
from yunduan.domains.payments.queries import MoneyOf, RefundsOf
from yunduan.kernel.ids import (
    AddressId,
    CaseId,
    CheckoutId,
    GoodsId,
    OrderId,
    PersonId,
    RefundId,
    ReviewId,
    ShippingTemplateId,
    ShopId,
    VariantId,
)
from yunduan.kernel.messages import Query
from yunduan.kernel.money import AMOUNT_MAX, Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

PAGE_MAX = 50
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Items = Annotated[
    str,
    Meta(
        max_length=4600,
        pattern=r"^([a-z]{3}_[0-9a-z]{1,40}(,[a-z]{3}_[0-9a-z]{1,40}){0,99})?(?![\s\S])",
        description="Variants in the cart, separated by commas; nothing for all of them.",
        examples=["var_018f3a"],
    ),
]
SHIPS = (ShopRole.OWNER, ShopRole.MANAGER, ShopRole.PACKER)
"""Who in a shop sees where a parcel goes."""
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
        CatalogRefusal.REGION_NOT_SERVED,
        IdentityRefusal.ADDRESS_NOT_FOUND,
    }
)
"""Why a cart cannot be priced."""
_postal = msgspec.json.Decoder(Postal).decode
line_notes_from = msgspec.json.Decoder(tuple[LineNote, ...]).decode


# The cart


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

    shop_id: ShopId
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

    items: Items = ""
    address_id: AddressId | None = None


# Orders


class ParcelLine(Struct, frozen=True, kw_only=True):
    """So many pieces of a variant in a parcel."""

    variant_id: VariantId
    quantity: int


class ParcelView(Struct, frozen=True, kw_only=True):
    """A parcel, by its number in the order, from 1; `tracking` is nothing once the buyer has been erased."""

    parcel: int
    carrier: str
    tracking: str | None
    shipped_at: int
    arrived_at: int
    """When its carrier delivered it; 0 when that has not been heard."""
    lines: tuple[ParcelLine, ...]


class OrderView(Struct, frozen=True, kw_only=True):
    """An order; times are milliseconds since 1970, 0 for not yet."""

    order_id: OrderId
    number: str
    checkout_id: CheckoutId
    shop_id: ShopId
    state: OrderState
    lines: tuple[Charge, ...]
    total: Money
    refunded: Money
    destination: Postal | None
    """Where it goes: for the buyer and for who ships; nothing for others, and once the buyer has been erased."""
    redirected_at: int
    """When the buyer has had it sent to another address."""
    note: str | None
    line_notes: tuple[LineNote, ...]
    """What the buyer says about single lines; seen like the note, by the buyer and by who ships."""
    memo: str | None
    """What the shop has noted for itself; for its staff."""
    placed_at: int
    paid_at: int
    received_at: int
    ended_at: int
    parcels: tuple[ParcelView, ...]
    """What has left, the first first."""
    unshipped: tuple[PiecesLeft, ...]
    """What has not, of an order that was paid and stands."""
    receive_by: int
    """When a shipped order counts as received if the buyer says nothing; 0 when that does not come by itself."""
    may_extend: bool
    """Whether the buyer may still put that off."""
    case_id: CaseId | None
    """The case that is open about it: until it is closed, nothing is received."""
    reviewed: tuple[VariantId, ...]
    commission: Money | None
    """What the marketplace keeps; for the shop and the operators."""


class OrderLine(Struct, frozen=True, kw_only=True):
    """An order in a list; `title` and `picture` are those of its first line."""

    order_id: OrderId
    number: str
    shop_id: ShopId
    state: OrderState
    total: Money
    placed_at: int
    pieces: int
    title: str
    title_en: str
    picture: str


class OrderPage(Struct, frozen=True, kw_only=True):
    """One page of orders, the latest first; `before` asks for the next, nothing when there is none."""

    items: tuple[OrderLine, ...]
    before: OrderId | None


class OrderOf(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order, for its buyer and for operators."""

    order_id: OrderId


class OrderNumbered(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order by the number that people read out, for its buyer and for operators."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{12}(?![\s\S])", examples=["381966011273"])]


class ShopOrderOf(Query[OrderView], refuses={OrderRefusal.NOT_FOUND}):
    """One order, for the staff of its shop."""

    shop_id: ShopId
    order_id: OrderId


class MyOrders(Query[OrderPage]):
    """The caller's orders, all or those in one state."""

    state: OrderState | None = None
    before: OrderId | None = None
    limit: PageSize = 20


class ShopOrders(Query[OrderPage]):
    """A shop's orders, all or those in one state; what has just happened may take a moment to be listed."""

    shop_id: ShopId
    state: OrderState | None = None
    before: OrderId | None = None
    limit: PageSize = 20


class RefundPieceView(Struct, frozen=True, kw_only=True):
    """What of a refund goes back over one way; what a channel would not take back has gone to the buyer's wallet (`diverted`)."""

    kind: TenderKind
    channel: str
    amount: Money
    state: PieceState


class RefundView(Struct, frozen=True, kw_only=True):
    """Where a refund is: `amount` is the buyer's; what the marketplace has back of a discount is a piece beside it."""

    refund_id: RefundId
    amount: Money
    state: RefundState
    at: int
    pieces: tuple[RefundPieceView, ...]


class RefundPage(Struct, frozen=True, kw_only=True):
    """One page of refunds, the latest first; `before` asks for the next, nothing when there is none."""

    items: tuple[RefundView, ...]
    before: RefundId | None


class OrderRefunds(Query[RefundPage], refuses={OrderRefusal.NOT_FOUND}):
    """What has been given back of an order, and where it is, for its buyer and for operators."""

    order_id: OrderId
    before: RefundId | None = None
    limit: PageSize = 20


class ShopOrderRefunds(Query[RefundPage], refuses={OrderRefusal.NOT_FOUND}):
    """What has been given back of an order, and where it is, for the staff of its shop."""

    shop_id: ShopId
    order_id: OrderId
    before: RefundId | None = None
    limit: PageSize = 20


class OrderName(Struct, frozen=True):
    """What an order is called among people: its number, and what its first line is of."""

    number: str
    title: str
    title_en: str


class NamesOf(Query[dict[OrderId, OrderName]]):
    """What orders are called, for whoever is told of them; those that never were are left out."""

    order_ids: Annotated[tuple[OrderId, ...], Meta(max_length=PAGE_MAX)]


class StateTotal(Struct, frozen=True, kw_only=True):
    """The orders in one state and currency."""

    state: OrderState
    orders: int
    total: Money


class OrdersByState(Query[tuple[StateTotal, ...]], slow=True):
    """How many orders stand where, and what they come to."""


# Reviews


class ReviewView(Struct, frozen=True, kw_only=True):
    """A review as everybody sees it; nobody can tell from `author` who it is. Once the author has been erased, `text` is empty."""

    review_id: ReviewId
    variant_id: VariantId
    author: str
    stars: int
    text: str
    at: int
    follow_up: str
    """What the author has added later; empty when nothing."""
    answer: str
    """What the shop says to it; empty when nothing."""


class ReviewPage(Struct, frozen=True, kw_only=True):
    """One page of reviews, the latest first; `before` asks for the next, nothing when there is none."""

    items: tuple[ReviewView, ...]
    before: ReviewId | None


class ReviewsOfGoods(Query[ReviewPage]):
    """What buyers say of goods."""

    goods_id: GoodsId
    before: ReviewId | None = None
    limit: PageSize = 20


# Pricing


Wanted = list[tuple[CartLine, Offer]]


def _by_shop(lines: Sequence[CartLine], offers: dict[VariantId, Offer]) -> dict[ShopId, Wanted]:
    shops: dict[ShopId, Wanted] = {}
    for line in lines:
        offer = offers[line.variant_id]
        shops.setdefault(offer.shop_id, []).append((line, offer))
    return shops


def shipping(at: Asking, wanted: Wanted, address: SealedAddress) -> int:
    """What one shop's shipping costs: template by template, each for the goods that go by it."""
    by_template: dict[ShippingTemplateId, list[int]] = {}
    for line, offer in wanted:
        parcel = by_template.setdefault(offer.template_id, [0, 0, 0])
        parcel[0] += line.quantity
        parcel[1] += line.quantity * offer.weight_g
        parcel[2] += line.quantity * offer.price.amount
    currency = wanted[0][1].price.currency
    cost = 0
    for template_id, (pieces, weight_g, amount) in by_template.items():
        if amount > AMOUNT_MAX:
            raise Refused(OrderRefusal.TOO_LARGE, "no amount is that large")
        goods = Money(amount=amount, currency=currency)
        region, country = address.region, address.country
        ask = ShippingFor(template_id=template_id, country=country, region=region, pieces=pieces, weight_g=weight_g, goods=goods)
        cost += at.ask(ask).amount
    return cost


def _check(shops: dict[ShopId, Wanted], terms: dict[ShopId, ShopTerms]) -> None:
    """Refuse what is not sold any more, or not now, what there is too little of, and two currencies at once."""
    gone, short = [], []
    for shop_id, wanted in shops.items():
        is_open, away_until = terms[shop_id].open, terms[shop_id].away_until
        if is_open and away_until:
            raise Refused(OrderRefusal.SHOP_AWAY, "on holiday", figures=Away(shop_id=shop_id, back_at=away_until))
        for line, offer in wanted:
            if not (is_open and offer.on_sale):
                gone.append(line.variant_id)
            elif offer.available < line.quantity:
                short.append(Left(variant_id=line.variant_id, available=max(0, offer.available)))
    if gone:
        raise Refused(OrderRefusal.GOODS_GONE, "not sold any more", figures=Gone(variants=tuple(gone)))
    if short:
        raise Refused(CatalogRefusal.SOLD_OUT, "there is too little left", figures=SoldOut(lines=tuple(short)))
    if len(terms) > 1 and len({each.currency for each in terms.values()}) > 1:
        raise Refused(OrderRefusal.MIXED_CURRENCIES, "a checkout is in one currency")


def quote(at: Asking, lines: Sequence[CartLine], address: SealedAddress | None) -> list[Priced]:
    """What lines of a cart cost now, shop by shop: prices are read here, whatever was seen before."""
    offers = at.ask(OffersOf(variant_ids=tuple([line.variant_id for line in lines])))
    shops = _by_shop(lines, offers)
    terms = {shop_id: at.ask(TermsOf(shop_id=shop_id)) for shop_id in shops}
    _check(shops, terms)
    limits = limiting.limits_of(offers)
    if limits:
        limiting.refuse_beyond(at, lines, offers, limits)
    found = [
        model.priced(
            tuple([model.sold(line, offer) for line, offer in wanted]),
            shop_id=shop_id,
            name=terms[shop_id].name,
            name_en=terms[shop_id].name_en,
            currency=terms[shop_id].currency,
            shipping=shipping(at, wanted, address) if address else 0,
            country=address.country if address else "",
            commission_ppm=terms[shop_id].commission_ppm,
        )
        for shop_id, wanted in shops.items()
    ]
    if sum([each.total for each in found]) > AMOUNT_MAX:
        raise Refused(OrderRefusal.TOO_LARGE, "no amount is that large")
    return [limiting.marked(each, limits) for each in found] if limits else found


def preview(found: Sequence[Priced], *, complete: bool) -> CheckoutPreview:
    """A quote as people see it."""
    currency = found[0].currency
    shops = tuple(
        ShopPreview(
            shop_id=each.shop_id,
            name=each.name,
            name_en=each.name_en,
            lines=charges(each.items, each.shipping if complete else None, each.discounts, each.taxes, currency),
            total=Money(amount=each.total, currency=currency),
        )
        for each in found
    )
    total = Money(amount=sum(each.total for each in found), currency=currency)
    return CheckoutPreview(shops=shops, total=total, complete=complete)


# Answers


@answers(CartOf)
def cart_of(at: Asking, _: CartOf) -> CartView:
    """Read the cart's one row and what its goods cost now."""
    cart = at.get(store.CART, at.actor.person)
    lines = cart.lines if cart else ()
    if not lines:
        return CartView(shops=(), lines=0, pieces=0)
    shops = _by_shop(lines, at.ask(OffersOf(variant_ids=tuple(line.variant_id for line in lines))))
    return CartView(
        shops=tuple(_cart_of_shop(at.ask(TermsOf(shop_id=shop_id)), wanted) for shop_id, wanted in shops.items()),
        lines=len(lines),
        pieces=sum(line.quantity for line in lines),
    )


def _cart_of_shop(terms: ShopTerms, wanted: Wanted) -> CartOfShop:
    items = tuple(_cart_item(line, offer, is_gone=not (terms.open and offer.on_sale)) for line, offer in wanted)
    return CartOfShop(shop_id=terms.shop_id, name=terms.name, name_en=terms.name_en, items=items)


def _cart_item(line: CartLine, offer: Offer, *, is_gone: bool) -> CartItem:
    seen = Money(amount=line.price, currency=line.currency)
    return CartItem(
        variant_id=offer.variant_id,
        goods_id=offer.goods_id,
        title=offer.title,
        title_en=offer.title_en,
        option_text=offer.option_text,
        option_text_en=offer.option_text_en,
        picture=offer.picture,
        quantity=line.quantity,
        added_at=line.added_at,
        price=offer.price,
        seen=seen,
        price_changed=seen != offer.price,
        available=0 if is_gone else max(0, offer.available),
        is_gone=is_gone,
    )


@answers(PreviewCheckout)
def preview_checkout(at: Asking, ask: PreviewCheckout) -> CheckoutPreview:
    """Price what was chosen of the cart."""
    cart = at.get(store.CART, at.actor.person)
    chosen = tuple(VariantId(id) for id in ask.items.split(",")) if ask.items else ()
    lines = model.selected(cart.lines if cart else (), chosen)
    address = at.ask(SealedAddressOf(person_id=at.actor.person, address_id=ask.address_id)) if ask.address_id else None
    return preview(quote(at, lines, address), complete=address is not None)


@answers(OrderOf)
def order_of(at: Asking, ask: OrderOf) -> OrderView:
    """The order; somebody else's is as unknown as one that is not there."""
    return _for_buyer(at, at.get(store.ORDER, ask.order_id))


@answers(OrderNumbered)
def order_numbered(at: Asking, ask: OrderNumbered) -> OrderView:
    """The same, after the number's check digit and its place have been looked at."""
    seq = at.port(Numbering).seq_of(ask.number)
    id = store.id_of_seq(at, seq) if seq is not None else None
    return _for_buyer(at, at.get(store.ORDER, id) if id else None)


def _for_buyer(at: Asking, found: Order | None) -> OrderView:
    order = seen(at, found)
    is_buyer = at.actor.owns(order.buyer)
    return _view(at, order, opened=is_buyer, inside=not is_buyer)


def seen(at: Asking, order: Order | None) -> Order:
    """An order that its buyer, or an operator, asks for."""
    if order is None or not (at.actor.owns(order.buyer) or at.actor.operates()):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


@answers(ShopOrderOf)
def shop_order_of(at: Asking, ask: ShopOrderOf) -> OrderView:
    """The order of this very shop; the address is opened for who ships."""
    order = of_shop(at, ask.shop_id, ask.order_id)
    return _view(at, order, opened=at.actor.serves(order.shop_id, *SHIPS), inside=True)


def of_shop(at: Asking, shop_id: ShopId, id: OrderId) -> Order:
    """An order of this very shop, that its staff ask for."""
    order = at.get(store.ORDER, id)
    if order is None or order.shop_id != shop_id or not at.actor.serves(shop_id):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


@answers(OrderRefunds)
def order_refunds(at: Asking, ask: OrderRefunds) -> RefundPage:
    """Those of an order that the caller may see."""
    return _refunds(at, seen(at, at.get(store.ORDER, ask.order_id)), ask.before, ask.limit)


@answers(ShopOrderRefunds)
def shop_order_refunds(at: Asking, ask: ShopOrderRefunds) -> RefundPage:
    """Those of an order of this very shop."""
    return _refunds(at, of_shop(at, ask.shop_id, ask.order_id), ask.before, ask.limit)


def _refunds(at: Asking, order: Order, before: RefundId | None, limit: int) -> RefundPage:
    """One more than asked for tells whether there is a next page."""
    found = at.ask(RefundsOf(order_id=order.id, before=before, limit=limit + 1))
    items = tuple([_refund(refund) for refund in found[:limit]])
    return RefundPage(items=items, before=items[-1].refund_id if len(found) > limit else None)


def _refund(refund: Refund) -> RefundView:
    pieces = tuple(
        [RefundPieceView(kind=piece.kind, channel=piece.channel, amount=piece.amount, state=piece.state) for piece in refund.pieces]
    )
    return RefundView(refund_id=refund.id, amount=refund.amount, state=refund.state, at=refund.at, pieces=pieces)


def destination(at: Asking, order: Order) -> Postal | None:
    """Where an order goes; nothing once its buyer has been erased."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    postal = vault.unseal(order.buyer, order.progress.address or store.terms(order).address)
    return _postal(postal) if postal is not None else None


def _note(at: Asking, order: Order, agreed: Terms) -> str | None:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    return vault.unseal(order.buyer, agreed.note) if agreed.note else None


def _line_notes(at: Asking, order: Order, agreed: Terms) -> tuple[LineNote, ...]:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    found = vault.unseal(order.buyer, agreed.line_notes) if agreed.line_notes else None
    return line_notes_from(found) if found is not None else ()


def _memo(at: Asking, order: Order) -> str | None:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    return vault.unseal(order.buyer, order.progress.memo) if order.progress.memo else None


def _view(at: Asking, order: Order, *, opened: bool, inside: bool) -> OrderView:
    agreed, progress = store.terms(order), order.progress
    receive_by = progress.receive_by if order.state is OrderState.SHIPPED and not progress.in_case else 0
    currency = order.currency
    return OrderView(
        order_id=order.id,
        number=at.port(Numbering).number_of(order.seq),
        checkout_id=model.checkout_of(order.id),
        shop_id=order.shop_id,
        state=order.state,
        lines=charges(agreed.items, agreed.shipping, agreed.discounts, agreed.taxes, currency),
        total=Money(amount=order.total, currency=currency),
        refunded=Money(amount=progress.refunded, currency=currency),
        destination=destination(at, order) if opened else None,
        redirected_at=progress.redirected_at,
        note=_note(at, order, agreed) if opened else None,
        line_notes=_line_notes(at, order, agreed) if opened else (),
        memo=_memo(at, order) if at.actor.serves(order.shop_id) else None,
        placed_at=order.placed_at,
        paid_at=progress.paid_at,
        received_at=progress.received_at,
        ended_at=progress.ended_at,
        parcels=_parcels(at, order, agreed),
        unshipped=_unshipped(order, agreed),
        receive_by=receive_by,
        may_extend=receive_by > 0 and not progress.extended,
        case_id=cases.case_id_of(order.id, progress.cases - 1) if progress.in_case else None,
        reviewed=store.reviewed(at, order.id) if progress.received_at else (),
        commission=Money(amount=model.commission_now(order, agreed), currency=currency) if inside else None,
    )


def _parcels(at: Asking, order: Order, agreed: Terms) -> tuple[ParcelView, ...]:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    return tuple(
        [
            ParcelView(
                parcel=number,
                carrier=parcel.carrier,
                tracking=vault.unseal(order.buyer, parcel.tracking),
                shipped_at=parcel.shipped_at,
                arrived_at=parcel.arrived_at,
                lines=tuple(
                    [ParcelLine(variant_id=line.variant_id, quantity=line.quantity) for line in parcels.packed(parcel, agreed.items)]
                ),
            )
            for number, parcel in enumerate(parcels.parcels_of(order), 1)
        ]
    )


def _unshipped(order: Order, agreed: Terms) -> tuple[PiecesLeft, ...]:
    if order.state not in (OrderState.PAID, OrderState.PARTLY_SHIPPED):
        return ()
    return tuple([PiecesLeft(variant_id=id, left=pieces) for id, pieces in parcels.unshipped(order, agreed.items).items()])


@answers(MyOrders)
def my_orders(at: Asking, ask: MyOrders) -> OrderPage:
    """One page by the index of buyers, the newest orders looked through for what it does not have yet."""
    found = store.page_of_buyer(at, at.actor.person, ask.state, ask.before or store.LAST, ask.limit + 1)
    return _page(at, found, ask.state, ask.limit)


@answers(ShopOrders)
def shop_orders(at: Asking, ask: ShopOrders) -> OrderPage:
    """One page by the index of shops and states."""
    states = (ask.state,) if ask.state else tuple(OrderState)
    return _page(at, store.page_of_shop(at, ask.shop_id, states, ask.before or store.LAST, ask.limit + 1), ask.state, ask.limit)


def _page(at: Asking, found: Sequence[OrderId], state: OrderState | None, limit: int) -> OrderPage:
    """The orders found, but for those that have left the state since they were filed."""
    orders = at.get_many(store.ORDER, found[:limit])
    numbering = at.port(Numbering)
    items = tuple(_line(orders[id], numbering) for id in found[:limit] if state is None or orders[id].state is state)
    return OrderPage(items=items, before=found[limit - 1] if len(found) > limit else None)


def _line(order: Order, numbering: Numbering) -> OrderLine:
    items = store.terms(order).items
    return OrderLine(
        order_id=order.id,
        number=numbering.number_of(order.seq),
        shop_id=order.shop_id,
        state=order.state,
        total=Money(amount=order.total, currency=order.currency),
        placed_at=order.placed_at,
        pieces=sum(item.quantity for item in items),
        title=items[0].title,
        title_en=items[0].title_en,
        picture=items[0].picture,
    )


@answers(NamesOf)
def names_of(at: Asking, ask: NamesOf) -> dict[OrderId, OrderName]:
    """Read each order."""
    numbering, found = at.port(Numbering), at.get_many(store.ORDER, ask.order_ids)
    first = {id: store.terms(order).items[0] for id, order in found.items()}
    return {id: OrderName(numbering.number_of(order.seq), first[id].title, first[id].title_en) for id, order in found.items()}


@answers(ReviewsOfGoods)
def reviews_of_goods(at: Asking, ask: ReviewsOfGoods) -> ReviewPage:
    """One page by the index of goods; goods that nobody has reviewed, or that are not there, have none.

    Each text is opened by itself: a page of fifty takes 0.1 ms, and 0.5 ms when no author's key is remembered.
    """
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    found = store.reviews_of_goods(at, ask.goods_id, ask.before or store.LAST, ask.limit + 1)
    words = store.words_of(at, found[: ask.limit])
    items = tuple(
        ReviewView(
            review_id=review.id,
            variant_id=review.variant_id,
            author=model.pen_name(review.author, review.goods_id),
            stars=review.stars,
            text=(vault.unseal(review.author, review.sealed) or "") if review.sealed else "",
            at=review.at,
            follow_up=_opened(vault, words.get((review.id, WordKind.FOLLOW_UP))),
            answer=_opened(vault, words.get((review.id, WordKind.ANSWER))),
        )
        for review in found[: ask.limit]
    )
    return ReviewPage(items=items, before=items[-1].review_id if len(found) > ask.limit else None)


def _opened(vault: Vault, word: Word | None) -> str:
    return "" if word is None else vault.unseal(word.writer, word.sealed) or ""


@answers(OrdersByState)
def orders_by_state(at: Asking, _ask: OrdersByState) -> tuple[StateTotal, ...]:
    """Counted, not remembered."""
    return tuple(
        StateTotal(state=OrderState(state), orders=count, total=Money(amount=total, currency=currency))
        for state, currency, count, total in store.by_state(at)
    )


class BuyerObligations:
    """What binds a buyer: orders, and the money that payments know of. Implements `identity.model.Obligations`."""

    def outstanding(self, at: Asking, person: PersonId) -> Outstanding:
        """As of this transaction, whatever followers have heard by now."""
        money = at.ask(MoneyOf(person_id=person))
        return Outstanding(orders=len(store.open_orders_of(at, person)), on_its_way=money.on_its_way, in_wallet=money.in_wallet)
