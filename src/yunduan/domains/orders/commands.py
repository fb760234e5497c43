"""What orders can be asked to do, from putting something into a cart to saying what it was like."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.commands import HoldStock, ReleaseStock
from yunduan.domains.catalog.model import HoldLine, Offer
from yunduan.domains.catalog.queries import OffersOf, stock_of, wanted_offers
from yunduan.domains.identity.model import OperatorRole, SealedAddress, ShopRole
from yunduan.domains.identity.queries import SealedAddressOf, wanted_address
from yunduan.domains.ledger.commands import counters_of, wanted
from yunduan.domains.orders import limiting, model, parcels, queries, store
from yunduan.domains.orders.cameback import is_all_back
from yunduan.domains.orders.casework import narrowed, overtaken
from yunduan.domains.orders.facts import OrderCancelled, OrderPaid, OrderPlaced, OrderRestCancelled, OrderReviewed, SoldLine
from yunduan.domains.orders.giving_back import GIVING_BACK_REFUSALS, give_back, tell_refunded
from yunduan.domains.orders.model import (
    CART_LINES_MAX,
    PLAIN,
    SLOW_UNPAID_MAX,
    UNPAID_MAX,
    Cart,
    CartLine,
    Gone,
    LeftToRefund,
    LineNote,
    Order,
    OrderRefusal,
    OrderState,
    Priced,
    Progress,
    Quantity,
    Review,
    Step,
    Terms,
    Who,
)
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.receiving import on_its_way
from yunduan.domains.orders.rest import worth_of_rest
from yunduan.domains.orders.steps import STEP_REFUSALS, OrderMoved, moved, of_buyer, of_shop, refuse_own, sealed
from yunduan.domains.payments.commands import AbandonPayment, PayOrders, RefundEscrow
from yunduan.domains.payments.methods import SlowAmong, hold_ms
from yunduan.domains.payments.model import SLOW_MS, PartOfPayment, PaymentStarted, PaymentState, Tender, TenderKind, wallet_account
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, CheckoutId, OrderId, PersonId, RefundId, ReviewId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import Wanted, handles
from yunduan.runtime.transaction import Asking, Tx

MANAGES = (ShopRole.OWNER, ShopRole.MANAGER)
PACKS = (*MANAGES, ShopRole.PACKER)
SERVES = (*MANAGES, ShopRole.SERVICE)
GIVES_BACK = (*MANAGES, ShopRole.SERVICE, ShopRole.FINANCE)
RULES = (OperatorRole.SERVICE, OperatorRole.FINANCE)
"""Which operators may give money back for a shop."""

_LINES = r"^(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
Note = Annotated[str, Meta(max_length=300, pattern=PLAIN, description="A word to the shop; no control characters.")]
Stars = Annotated[int, Meta(ge=1, le=5, examples=[5])]
Opinion = Annotated[
    str, Meta(max_length=1000, pattern=_LINES, description="Public; line feeds are its only control characters.", examples=["好茶"])
]


# The cart


class LineNow(Struct, frozen=True, kw_only=True):
    """A line of the cart: how many are wanted, which may be more than there are, and how many can be had now."""

    variant_id: VariantId
    quantity: int
    available: int


class CartSize(Struct, frozen=True, kw_only=True):
    """How much a cart holds now, with the line that was asked for; without one once it is removed."""

    lines: int
    pieces: int
    line: LineNow | None = None


class AddToCart(Command[CartSize], refuses={OrderRefusal.CART_FULL, OrderRefusal.LINE_FULL, OrderRefusal.GOODS_GONE, *OffersOf.refuses}):
    """Want more of a variant."""

    variant_id: VariantId
    quantity: Quantity = 1


class ChangeCartLine(Command[CartSize], refuses={OrderRefusal.LINE_NOT_FOUND, *OffersOf.refuses}):
    """Want so many of a variant that is in the cart."""

    variant_id: VariantId
    quantity: Quantity


class RemoveFromCart(Command[CartSize], refuses={OrderRefusal.LINE_NOT_FOUND}):
    """Want a variant no more."""

    variant_id: VariantId


def _size(lines: Sequence[CartLine], offer: Offer | None = None) -> CartSize:
    line = None
    if offer is not None:
        variant_id = offer.variant.id
        quantity = next(line.quantity for line in lines if line.variant_id == variant_id)
        available = max(0, offer.available) if offer.shop.open and offer.variant.on_sale else 0
        line = LineNow(variant_id=variant_id, quantity=quantity, available=available)
    return CartSize(lines=len(lines), pieces=sum(line.quantity for line in lines), line=line)


def _wanted_by_cart(ask: AddToCart | ChangeCartLine, actor: Actor, tx: Tx) -> Iterator[Wanted]:
    yield (store.CART, actor.person), *wanted_offers((ask.variant_id,))
    yield stock_of(tx, (ask.variant_id,))


@handles(AddToCart, reads=_wanted_by_cart)
def add_to_cart(tx: Tx, ask: AddToCart) -> CartSize:
    """See that it is sold, then write it down with the price that is seen."""
    person = _signed_in(tx)
    offer = tx.ask(OffersOf(variant_ids=(ask.variant_id,)))[ask.variant_id]
    variant = offer.variant
    if not (variant.on_sale and offer.shop.open):
        raise Refused(OrderRefusal.GOODS_GONE, "not sold any more", figures=Gone(variants=(ask.variant_id,)))
    wanted = CartLine(ask.variant_id, ask.quantity, tx.now, variant.price.amount, variant.price.currency)
    cart = tx.get(store.CART, person)
    lines = model.with_more(cart.lines if cart else (), wanted)
    (tx.put if cart else tx.add)(store.CART, person, Cart(person, lines))
    return _size(lines, offer)


@handles(ChangeCartLine, reads=_wanted_by_cart)
def change_cart_line(tx: Tx, ask: ChangeCartLine) -> CartSize:
    """Write down the quantity; the line keeps its place."""
    cart = _cart_with(tx, ask.variant_id)
    offer = tx.ask(OffersOf(variant_ids=(ask.variant_id,)))[ask.variant_id]
    lines = tuple(
        CartLine(line.variant_id, ask.quantity, line.added_at, line.price, line.currency) if line.variant_id == ask.variant_id else line
        for line in cart.lines
    )
    store.keep_cart(tx, cart, lines)
    return _size(lines, offer)


@handles(RemoveFromCart)
def remove_from_cart(tx: Tx, ask: RemoveFromCart) -> CartSize:
    """Drop the line."""
    cart = _cart_with(tx, ask.variant_id)
    lines = model.without(cart.lines, (ask.variant_id,))
    store.keep_cart(tx, cart, lines)
    return _size(lines)


def _cart_with(tx: Tx, variant_id: VariantId) -> Cart:
    cart = tx.get(store.CART, _signed_in(tx))
    if cart is None or all(line.variant_id != variant_id for line in cart.lines):
        raise Refused(OrderRefusal.LINE_NOT_FOUND, "not in the cart", figures=Gone(variants=(variant_id,)))
    return cart


def _signed_in(tx: Tx) -> PersonId:
    person = tx.actor.person
    invariant(bool(person), "a cart belongs to somebody")
    return person


# The checkout


class PlacedOrder(Struct, frozen=True, kw_only=True):
    """One of the orders that a checkout made."""

    id: OrderId
    number: str
    shop_id: ShopId
    state: OrderState
    total: Money


class Placed(Struct, frozen=True, kw_only=True):
    """What a checkout came to: its orders, and where to go to pay when it is not paid already."""

    id: CheckoutId
    orders: tuple[PlacedOrder, ...]
    total: Money
    payment: PaymentStarted
    pay_by: int
    """Until when it must be paid, in milliseconds since 1970; 0 when it is."""


class Checkout(
    Command[Placed],
    refuses={
        OrderRefusal.TOTAL_CHANGED,
        OrderRefusal.UNPAID_FULL,
        OrderRefusal.SLOW_UNPAID_FULL,
        *queries.QUOTE_REFUSALS,
        *HoldStock.refuses,
        *PayOrders.refuses,
    },
    spends_key=True,
):
    """Buy what is in the cart, or the named lines of it, for the total that was shown: one order a shop, all of them or none."""

    address_id: AddressId
    total: Money
    tenders: Annotated[tuple[Tender, ...], Meta(min_length=1, max_length=8)]
    variant_ids: Annotated[tuple[VariantId, ...], Meta(max_length=CART_LINES_MAX)] = ()
    note: Note = ""
    line_notes: Annotated[tuple[LineNote, ...], Meta(max_length=CART_LINES_MAX)] = ()


def _wanted_by_checkout(ask: Checkout, actor: Actor, tx: Tx) -> Iterator[Wanted]:
    wallets = [wallet_account(actor.person, tender.amount.currency) for tender in ask.tenders if tender.kind is TenderKind.WALLET]
    yield (store.CART, actor.person), wanted_address(ask.address_id), *wanted_offers(ask.variant_ids), *wanted(wallets)
    variants = ask.variant_ids
    if not variants:
        cart = tx.get(store.CART, actor.person)
        variants = tuple([line.variant_id for line in cart.lines]) if cart else ()
        yield wanted_offers(variants)
    yield *stock_of(tx, variants), *counters_of(tx, wallets)


@handles(Checkout, reads=_wanted_by_checkout)
def checkout(tx: Tx, ask: Checkout) -> Placed:
    """Price everything anew and agree on the total; then hold the stock, take the money and write the orders."""
    buyer = _signed_in(tx)
    cart = tx.get(store.CART, buyer) or Cart(buyer)
    wanted, others = model.parted(cart.lines, ask.variant_ids)
    if ask.line_notes:
        model.selected(wanted, [said.variant_id for said in ask.line_notes])
    address = tx.ask(SealedAddressOf(person_id=buyer, address_id=ask.address_id))
    quotes = queries.quote(tx, wanted, address)
    _agree(quotes, ask.total)
    placed = place(tx, quotes, address, tenders=ask.tenders, pay_by=deadline(tx, ask.tenders), note=ask.note, line_notes=ask.line_notes)
    for order, quote in zip(placed.orders, quotes, strict=True):
        if quote.limited:
            limiting.note(tx, order.id, quote)
    store.keep_cart(tx, cart, others)
    return placed


def place(
    tx: Tx,
    quotes: Sequence[Priced],
    address: SealedAddress,
    *,
    tenders: tuple[Tender, ...],
    pay_by: int,
    note: str = "",
    line_notes: Sequence[LineNote] = (),
    only_by_hand: bool = False,
) -> Placed:
    """Hold the stock, take the money and write the orders, all of them or none; `pay_by` is 0 where nothing is waited for.

    Orders that are received `only_by_hand` never count as received because time has passed.
    """
    said = sealed(tx, tx.actor.person, note)
    place, country, region = address.sealed, address.country, address.region
    kept = [Kept(place, said, _noted(tx, quote, line_notes) if line_notes else b"", country, region) for quote in quotes]
    return place_kept(tx, quotes, kept, tenders=tenders, pay_by=pay_by, only_by_hand=only_by_hand)


class Kept(NamedTuple):
    """What an order keeps under seal, and where it goes: stock is held where it is sent there from."""

    address: bytes
    note: bytes
    line_notes: bytes
    country: str
    region: str


def place_kept(
    tx: Tx, quotes: Sequence[Priced], kept: Sequence[Kept], *, tenders: tuple[Tender, ...], pay_by: int, only_by_hand: bool
) -> Placed:
    """The same, with what is sealed as it is."""
    checkout_id = model.checkout_id_from(tx.id("chk"))
    parts: list[PartOfPayment] = []
    for quote, goes in zip(quotes, kept, strict=True):
        parts.append(_held(tx, model.order_id_of(checkout_id, len(parts)), quote, goes))
    payment = _pay(tx, checkout_id, tuple(parts), tenders, pay_by)
    paid = payment.state is PaymentState.CAPTURED
    progress = Progress(paid_at=tx.now if paid else 0, only_by_hand=only_by_hand)
    orders = _write(tx, checkout_id, parts, quotes, kept, progress)
    first, *others = [part.amount for part in parts]
    whole = sum(others, first)
    return Placed(id=checkout_id, orders=orders, total=whole, payment=payment, pay_by=0 if paid else pay_by)


def _held(tx: Tx, id: OrderId, quote: Priced, goes: Kept) -> PartOfPayment:
    """Hold the stock of one shop's order; answers what it adds to the payment."""
    lines = tuple([HoldLine(variant_id=item.variant_id, quantity=item.quantity) for item in quote.items])
    tx.send(HoldStock(hold_id=model.hold_of(id), lines=lines, country=goes.country, region=goes.region))
    currency = quote.currency
    marketplace = Money(amount=quote.promoted, currency=currency) if quote.promoted else None
    return PartOfPayment(order_id=id, shop_id=quote.shop_id, amount=Money(amount=quote.total, currency=currency), promoted=marketplace)


def _agree(quotes: Sequence[Priced], total: Money) -> None:
    """Refuse another total than the one that is true now, and say what has become of it."""
    if total.amount != sum([quote.total for quote in quotes]) or total.currency != quotes[0].currency:
        now = queries.preview(quotes, complete=True)
        raise Refused(OrderRefusal.TOTAL_CHANGED, f"the total is {now.total} now", figures=now)


def deadline(tx: Tx, tenders: Iterable[Tender]) -> int:
    """Until when a checkout that is paid so is waited for, by its slowest method; 0 when it is paid at once."""
    wait = hold_ms(tx, tenders)
    return tx.now + wait if wait else 0


def _pay(tx: Tx, checkout_id: CheckoutId, parts: tuple[PartOfPayment, ...], tenders: tuple[Tender, ...], pay_by: int) -> PaymentStarted:
    """Take the money, or wait for it until its time has passed."""
    payment_id, buyer = model.payment_of(checkout_id), tx.actor.person
    ask = PayOrders(payment_id=payment_id, checkout_id=checkout_id, buyer=buyer, parts=parts, tenders=tenders, due=pay_by or tx.now)
    started = tx.send(ask)
    if started.state is not PaymentState.CAPTURED:
        _wait(tx, buyer, checkout_id, is_slow=pay_by - tx.now > SLOW_MS)
    return started


def _wait(tx: Tx, buyer: PersonId, checkout_id: CheckoutId, *, is_slow: bool) -> None:
    """Count a checkout that holds stock and is not paid; what the cloud itself places, as an import does, has no such limit."""
    waiting = store.waiting(tx, buyer)
    if len(waiting) >= UNPAID_MAX and not tx.actor.is_system:
        raise Refused(OrderRefusal.UNPAID_FULL, f"{UNPAID_MAX} at once")
    if is_slow and not tx.actor.is_system:
        slow = tx.ask(SlowAmong(payment_ids=tuple([model.payment_of(id) for id in waiting])))
        if slow >= SLOW_UNPAID_MAX:
            raise Refused(OrderRefusal.SLOW_UNPAID_FULL, f"{SLOW_UNPAID_MAX} at once")
    store.keep_waiting(tx, buyer, (*waiting, checkout_id))


def wait_no_more(tx: Tx, orders: Sequence[Order]) -> None:
    """The orders of a checkout have been paid, or never will be."""
    for buyer, checkout_id in {(order.buyer, model.checkout_of(order.id)): None for order in orders}:
        store.keep_waiting(tx, buyer, tuple([id for id in store.waiting(tx, buyer) if id != checkout_id]))


def _write(
    tx: Tx, checkout_id: CheckoutId, parts: Sequence[PartOfPayment], quotes: Sequence[Priced], kept: Sequence[Kept], progress: Progress
) -> tuple[PlacedOrder, ...]:
    """Write one order a shop and tell of it, with everything that was agreed frozen in it; what is sealed is copied as it is."""
    buyer, now, count = tx.actor.person, tx.now, len(quotes)
    seq, numbering = store.next_seq(tx, count), tx.port(Numbering)
    state = OrderState.PAID if progress.paid_at else OrderState.PLACED
    placed = []
    for part, quote, (address, note, line_notes, _, _) in zip(parts, quotes, kept, strict=True):
        agreed = Terms(
            quote.items, quote.shipping, quote.discounts, quote.taxes, quote.commission_ppm, quote.commission, address, note, count,
            line_notes,
        )  # fmt: skip
        id, shop_id, total = part.order_id, part.shop_id, part.amount
        order = Order(seq, id, buyer, shop_id, state, total.amount, total.currency, now, progress, store.encoded(agreed))
        tx.add(store.ORDER, id, order)
        _tell_placed(tx, order, quote, total, checkout_id)
        placed.append(PlacedOrder(id=id, number=numbering.number_of(seq), shop_id=shop_id, state=state, total=total))
        seq += 1
    return tuple(placed)


def _noted(tx: Tx, quote: Priced, line_notes: Sequence[LineNote]) -> bytes:
    """What was said about the lines of one shop's order; of two words about one line the later stands."""
    bought = {item.variant_id for item in quote.items}
    own = {said.variant_id: said for said in line_notes if said.variant_id in bought}
    return sealed(tx, tx.actor.person, msgspec.json.encode(tuple(own.values())).decode()) if own else b""


def _tell_placed(tx: Tx, order: Order, quote: Priced, total: Money, checkout_id: CheckoutId) -> None:
    id, buyer, shop_id, lines, shipping = order.id, order.buyer, order.shop_id, sold_lines(quote.items), quote.shipping
    tx.tell(OrderPlaced(order_id=id, checkout_id=checkout_id, buyer=buyer, shop_id=shop_id, lines=lines, shipping=shipping, total=total))
    if order.state is OrderState.PAID:
        tx.tell(OrderPaid(order_id=id, buyer=buyer, shop_id=shop_id, lines=lines, total=total, at_once=True))


def sold_lines(items: Iterable[model.SoldItem]) -> tuple[SoldLine, ...]:
    """What is told of what was bought."""
    return tuple([SoldLine(variant_id=item.variant_id, goods_id=item.goods_id, quantity=item.quantity, price=item.price) for item in items])


def orders_of(tx: Asking, checkout_id: CheckoutId) -> list[Order]:
    """Every order of a checkout; none when it is not there."""
    first = tx.get(store.ORDER, model.order_id_of(checkout_id, 0))
    if first is None:
        return []
    ids = [model.order_id_of(checkout_id, place) for place in range(store.terms(first).orders)]
    return list(tx.get_many(store.ORDER, ids).values())


def call_off(tx: Tx, orders: Sequence[Order], step: Step, who: Who) -> None:
    """End orders that have not been paid: their stock is free again."""
    wait_no_more(tx, orders)
    for order in orders:
        ended = moved(tx, order, step, who, ended_at=tx.now)
        tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
        _tell_cancelled(tx, ended, who, was_paid=False, refunded=0)


# The life of an order


class OrderGivenBack(Struct, frozen=True, kw_only=True):
    """What a refund came to; `left` can still be given back."""

    order_id: OrderId
    order_state: OrderState
    id: RefundId
    amount: Money
    left: Money


class CancelOrder(
    Command[OrderMoved],
    refuses={
        *STEP_REFUSALS,
        OrderRefusal.NOT_A_REFUND,
        *ReleaseStock.refuses,
        *AbandonPayment.refuses,
        *RefundEscrow.refuses,
    },
    spends_key=True,
):
    """Call an order off before it is shipped: everything that was paid goes back. An unpaid one takes its whole checkout with it.

    Where a part has left, the rest is called off: what was paid for it goes back, as far as a case has not given it back already.
    """

    order_id: OrderId


class DeclineOrder(
    Command[OrderMoved],
    refuses={*STEP_REFUSALS, OrderRefusal.NOT_A_REFUND, *ReleaseStock.refuses, *RefundEscrow.refuses},
    spends_key=True,
):
    """Call off an order that the shop cannot ship: everything that was paid goes back. Where a part has left, the same of the rest."""

    shop_id: ShopId
    order_id: OrderId


class RefundOrder(
    Command[OrderGivenBack],
    refuses={
        *STEP_REFUSALS,
        OrderRefusal.OWN_MATTER,
        OrderRefusal.NOT_A_REFUND,
        OrderRefusal.EXCEEDS_PAID,
        OrderRefusal.BUYER_GONE,
        *GIVING_BACK_REFUSALS,
    },
    spends_key=True,
):
    """Give the buyer a part of an order's money back, or all that is left of it, which ends the order; once it was received, the shop's.

    What the marketplace paid of it, for a discount, goes back to the marketplace on top, in the same proportion.
    """

    shop_id: ShopId
    order_id: OrderId
    amount: Money


def _tell_cancelled(tx: Tx, order: Order, who: Who, *, was_paid: bool, refunded: int) -> None:
    tx.tell(
        OrderCancelled(
            order_id=order.id,
            buyer=order.buyer,
            shop_id=order.shop_id,
            was_paid=was_paid,
            by=who.value,
            refunded=Money(amount=refunded, currency=order.currency),
            lines=sold_lines(store.terms(order).items),
        )
    )


UNSHIPPED_REFUSALS = frozenset({*STEP_REFUSALS, OrderRefusal.NOT_A_REFUND, *ReleaseStock.refuses, *RefundEscrow.refuses})


def call_off_unshipped(tx: Tx, order: Order, who: Who) -> Order:
    """End a paid order, or the part of it that has not left."""
    return (_call_off_rest if order.state is OrderState.PARTLY_SHIPPED else _call_off_paid)(tx, order, who)


def _call_off_paid(tx: Tx, order: Order, who: Who) -> Order:
    """End a paid order that has not been shipped: the money, if there is any, goes back, the stock is free again."""
    left = Money(amount=order.left, currency=order.currency)
    model.after(order.id, order.state, Step.CANCEL, who)
    ended = moved(tx, overtaken(tx, order), Step.CANCEL, who, ended_at=tx.now, refunded=order.total)
    if left or store.terms(order).promoted:
        tx.send(RefundEscrow(refund_id=RefundId(tx.id("rfd")), order_id=order.id, amount=left))
    tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
    _tell_cancelled(tx, ended, who, was_paid=True, refunded=left.amount)
    return ended


def _call_off_rest(tx: Tx, order: Order, who: Who) -> Order:
    """End the part of an order that has not left: what was paid for it goes back, its stock is free again, the rest is on its way.

    Where that is all that is left of it, or all that had left came back and was paid back, the whole order ends; otherwise a case about
    what has left goes on. Where the marketplace paid all of it, nothing can come back in part: nobody may call a part off, and what time
    calls off is left to the operators.
    """
    agreed = store.terms(order)
    rest = parcels.unshipped(order, agreed.items)
    amount = order.left if is_all_back(order, agreed) else worth_of_rest(order, agreed, store.cases_of(tx, order))
    refund = Money(amount=amount, currency=order.currency)
    if agreed.promoted and not order.total and who is not Who.CLOUD:
        raise Refused(OrderRefusal.NOT_A_REFUND, "nothing was paid", figures=LeftToRefund(left=refund))
    whole, id, refunded = bool(amount) and amount == order.left, RefundId(tx.id("rfd")), order.progress.refunded + amount
    order = overtaken(tx, order) if whole else narrowed(tx, order, agreed)
    if whole:
        after = moved(tx, order, Step.REFUND_REST, Who.CLOUD, refunded=refunded, ended_at=tx.now)
    else:
        after = on_its_way(tx, order, Step.CANCEL_REST, who, refunded=refunded, is_short=True)
    if refund:
        tx.send(RefundEscrow(refund_id=id, order_id=order.id, amount=refund))
    tx.send(ReleaseStock(hold_id=model.hold_of(order.id)))
    if whole:
        tell_refunded(tx, order, id, refund, who, whole=True, called_off=True)
    else:
        _tell_rest_cancelled(tx, order, rest, refund, who)
    return after


def _tell_rest_cancelled(tx: Tx, order: Order, rest: Mapping[VariantId, int], refund: Money, who: Who) -> None:
    left, lines = dict(rest), []
    for line in sold_lines(store.terms(order).items):
        if part := min(line.quantity, left.get(line.variant_id, 0)):
            left[line.variant_id] -= part
            lines.append(replace(line, quantity=part))
    tx.tell(
        OrderRestCancelled(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, by=who.value, refunded=refund, lines=tuple(lines))
    )


@handles(CancelOrder)
def cancel_order(tx: Tx, ask: CancelOrder) -> OrderMoved:
    """Undo what was done so far: a payment that waits, or one that has been made."""
    order = of_buyer(tx, ask.order_id)
    if order.state is OrderState.PLACED:
        checkout_id = model.checkout_of(order.id)
        call_off(tx, orders_of(tx, checkout_id), Step.CANCEL, Who.BUYER)
        tx.send(AbandonPayment(payment_id=model.payment_of(checkout_id)))
        return OrderMoved(id=order.id, state=OrderState.CANCELLED)
    ended = call_off_unshipped(tx, order, Who.BUYER)
    return OrderMoved(id=order.id, state=ended.state)


@handles(DeclineOrder)
def decline_order(tx: Tx, ask: DeclineOrder) -> OrderMoved:
    """Undo what was done so far."""
    order = of_shop(tx, ask.shop_id, ask.order_id, *SERVES)
    ended = call_off_unshipped(tx, order, Who.SHOP)
    return OrderMoved(id=ended.id, state=ended.state)


@handles(RefundOrder)
def refund_order(tx: Tx, ask: RefundOrder) -> OrderGivenBack:
    """Give it back; the last of it ends the order, and a case that is open about it."""
    order, who = _for_refund(tx, ask)
    if order.state is OrderState.RECEIVED and queries.destination(tx, order) is None:
        raise Refused(OrderRefusal.BUYER_GONE)
    if _refundable(order, ask.amount):
        order = overtaken(tx, order, with_postage=True)
    id = RefundId(tx.id("rfd"))
    after = give_back(tx, order, ask.amount, who, refund_id=id)
    left = Money(amount=after.left, currency=order.currency)
    return OrderGivenBack(order_id=order.id, order_state=after.state, id=id, amount=ask.amount, left=left)


def _for_refund(tx: Tx, ask: RefundOrder) -> tuple[Order, Who]:
    """The order, for the shop's own people or for an operator; of whoever is both, what they give is the shop's."""
    if tx.actor.operates(*RULES) and not tx.actor.serves(ask.shop_id, *GIVES_BACK):
        order = tx.get(store.ORDER, ask.order_id)
        if order is None or order.shop_id != ask.shop_id:
            raise Refused(OrderRefusal.NOT_FOUND)
        refuse_own(tx, order.buyer, order.shop_id)
        return order, Who.OPERATOR
    return of_shop(tx, ask.shop_id, ask.order_id, *GIVES_BACK), Who.SHOP


def _refundable(order: Order, amount: Money) -> bool:
    """Whether an amount is all that is left; refuses nothing, more than that, and another currency.

    Nothing is all that is left to the buyer of what the marketplace has paid: the order ends, and its money goes back there.
    An order whose state allows no refund is refused for that, whatever the amount.
    """
    if order.state not in (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED, OrderState.RECEIVED):
        return True
    figures = LeftToRefund(left=Money(amount=order.left, currency=order.currency))
    if not amount and (order.left or not store.terms(order).promoted):
        raise Refused(OrderRefusal.NOT_A_REFUND, figures=figures)
    if amount.currency != order.currency or amount.amount > order.left:
        raise Refused(OrderRefusal.EXCEEDS_PAID, f"{figures.left} can be given back", figures=figures)
    return amount.amount == order.left


# Reviews


class Reviewed(Struct, frozen=True, kw_only=True):
    """A review is published under this id."""

    id: ReviewId


class ReviewOrder(Command[Reviewed], refuses={*STEP_REFUSALS, OrderRefusal.ITEM_NOT_FOUND, OrderRefusal.REVIEWED}):
    """Publish what the goods of one line of an order that has arrived are like; once a line. The author is a pen name in public.

    The text is kept under the author's key: it goes with the author, the stars stay.
    """

    order_id: OrderId
    variant_id: VariantId
    stars: Stars
    text: Opinion = ""


@handles(ReviewOrder)
def review_order(tx: Tx, ask: ReviewOrder) -> Reviewed:
    """See that it was bought and has arrived, then publish."""
    order = of_buyer(tx, ask.order_id)
    model.after(order.id, order.state, Step.REVIEW, Who.BUYER)
    items = store.terms(order).items
    item = next((item for item in items if item.variant_id == ask.variant_id), None)
    if item is None or ask.variant_id not in parcels.sold_for_good(order, items):
        raise Refused(OrderRefusal.ITEM_NOT_FOUND, "not bought with this order")
    place = (order.id, ask.variant_id)
    if tx.get(store.REVIEW, place) is not None:
        raise Refused(OrderRefusal.REVIEWED, "one review a line")
    id = ReviewId(tx.id("rev"))
    text = sealed(tx, order.buyer, ask.text)
    review = Review(order.id, ask.variant_id, id, item.goods_id, order.shop_id, order.buyer, ask.stars, text, tx.now)
    tx.add(store.REVIEW, place, review)
    tx.tell(
        OrderReviewed(
            review_id=id,
            order_id=order.id,
            shop_id=order.shop_id,
            goods_id=item.goods_id,
            variant_id=ask.variant_id,
            author=order.buyer,
            stars=ask.stars,
        )
    )
    return Reviewed(id=id)
