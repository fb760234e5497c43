"""What a cart, a checkout, an order and a review are, what a total is made of, and which step may follow which."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.model import BuyerLimit, Variant
from yunduan.domains.orders.model.reviews import (
    ReportReason,
    Review,
    ReviewReport,
    Verdict,
    Word,
    WordKind,
    pen_name,
)
from yunduan.domains.orders.taxes import Tax, TaxRules, reckoned
from yunduan.kernel.ids import CheckoutId, GoodsId, HoldId, LocationId, OrderId, PaymentId, PersonId, ShopId, VariantId, sibling
from yunduan.kernel.money import AMOUNT_MAX, Money, split
from yunduan.kernel.refusals import RefusalCode, Refused, invariant

__all__ = [
    "ReportReason",
    "Review",
    "ReviewReport",
    "Verdict",
    "Word",
    "WordKind",
    "pen_name",
]
"""What stands in modules of its own; the rest is below."""

CART_LINES_MAX = 100
QUANTITY_MAX = 999
PPM = 1_000_000
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX, description="How many pieces.", examples=[1])]


class OrderRefusal(RefusalCode):
    """What orders refuse."""

    CART_EMPTY = "cart_empty", "There is nothing in the cart."
    CART_FULL = "cart_full", "The cart is full: remove a line first."
    LINE_NOT_FOUND = "cart_line_not_found", "This is not in the cart; `figures` name the variants."
    LINE_FULL = "cart_line_full", "A line of the cart holds no more pieces."
    GOODS_GONE = "goods_gone", "This is not sold any more; `figures` name the variants."
    SHOP_AWAY = "shop_away", "A shop is on holiday and sells nothing now; `figures` say which, and when it is back."
    MIXED_CURRENCIES = "mixed_currencies", "A checkout is in one currency: buy what is priced in another by itself."
    TOO_LARGE = "total_too_large", "The total is more than an amount can hold."
    TOTAL_CHANGED = "total_changed", "The total is not the one that was agreed to; `figures` are the preview as it is now."
    NOT_FOUND = "order_not_found", "There is no such order, or it is somebody else's."
    OTHER_STATE = "order_in_other_state", "The order is in no state for this step; `figures` say in which, and which steps there are."
    EXCEEDS_PAID = "refund_exceeds_paid", "This is more than is left of what was paid; `left` of `figures` says how much that is."
    NOT_A_REFUND = "refund_of_nothing", "A refund gives something back; `left` of `figures` says how much it may be."
    ITEM_NOT_FOUND = "order_line_not_found", "This was not bought with this order, or was called off."
    EXCEEDS_UNSHIPPED = "more_than_is_left_to_ship", "A parcel holds no more pieces than are left to ship; `figures` say how many that is."
    TRACKING_TAKEN = "tracking_number_taken", "Another shop's parcel, or one to somebody else, travels by this number of this carrier."
    PARCELS_FULL = "parcels_full", "An order travels in no more parcels: ship all that is left in the next one."
    PARCEL_NOT_FOUND = (
        "parcel_not_found",
        "There is nothing to print: a waybill needs a parcel that has left and a buyer who has not been erased, a packing slip any parcel.",
    )
    PARCEL_NOT_BACK = (
        "parcel_not_back",
        "No parcel of this number has come back and waits for its shop: it was delivered or sent again, or has been dealt with.",
    )
    PAPERS_FULL = "papers_full", "One document holds no more papers: ask for those of fewer orders at once."
    NO_SUCH_DAY = "no_such_day", "There is no such day in the calendar, or it has not begun in the market's time zone."
    BUYER_LIMIT = "buyer_limit", "One buyer may have no more pieces of these goods now; `figures` say how many, and when there may be more."
    SHIPPING_DIFFERS = (
        "shipping_differs",
        "Shipping there costs another sum than where it was to go; `figures` say which. Call the order off and buy anew.",
    )
    TAXES_DIFFER = (
        "taxes_differ",
        "Other taxes are taken there than where it was to go; `figures` say how much. Call the order off and buy anew.",
    )
    COUNTRY_DIFFERS = "country_differs", "An order goes to no other country than was agreed. Call it off and buy anew."
    PRICE_OUT_OF_RANGE = "new_price_out_of_range", "A new price takes no more off the goods than they cost, and leaves something to pay."
    NO_OFFER = "no_price_offered", "The shop has offered no other price, or the order does not wait for its payment any more."
    OFFER_CHANGED = "offer_changed", "The checkout costs another sum by now; `figures` say which."
    OWN_MATTER = "own_matter", "Nobody decides as an operator about what they have bought, sold or said themselves."
    BUYER_GONE = "buyer_gone", "The buyer has been erased: there is nobody to give anything back to."
    UNPAID_FULL = "unpaid_full", "So many checkouts wait for their payment and hold stock meanwhile: pay one of them, or call one off."
    SLOW_UNPAID_FULL = (
        "slow_unpaid_full",
        "So many checkouts wait for days for a slow payment, and hold stock meanwhile: pay one of them, call one off, or pay at once.",
    )
    NOT_EXTENDABLE = (
        "receipt_not_extendable",
        "The receipt was put off once already, or does not come by itself, or waits for a case to be closed.",
    )
    DISPATCH_NOT_EXTENDABLE = "dispatch_not_extendable", "The buyer has agreed to wait longer once already, or nothing is waited for."
    REVIEW_NOT_FOUND = "review_not_found", "There is no such review, or it is of another shop's goods."
    SAID = "said_already", "An author adds to a review once, and a shop answers it once."
    REPORTED = "already_reported", "Whoever has reported a review has done so; operators have seen it, or will."
    REPORTS_FULL = "reports_full", "As many have reported this review as need to: operators will look at it."
    NOT_REPORTED = "review_not_reported", "Nobody has reported this review since it was last decided about, and it is as you say."
    REVIEWED = "already_reviewed", "What was bought is reviewed once."


class OrderSettings(Struct, frozen=True, kw_only=True):
    """What the composition root decides for this domain: a port."""

    time_zone: str = "Asia/Shanghai"
    """Whose days are meant when a day is named."""
    return_days: int = 7
    """How long after their receipt goods may be given back."""
    return_excluded: frozenset[str] = frozenset()
    """Categories of goods that are given back only for a fault of them, with all below them."""
    dispatch_days: int = 30
    """How long after its payment a shop has to ship an order before it is called off."""
    dispatch_longer_days: int = 15
    """For how much longer its buyer may agree to wait, once."""
    came_back_days: int = 7
    """How long after a parcel has come back its shop may send it again, before what was paid for it goes back."""
    return_postage_max: int = 3_000
    """The most that a buyer may have back for it, in minor units."""
    return_paid_by: str = "buyer"
    """Who pays the way back when only the buyer's mind has changed; for a fault it is the shop."""


# States as data


class OrderState(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    PAID = "paid"
    PARTLY_SHIPPED = "partly_shipped"
    """Some pieces are on their way, others have not left."""
    SHIPPED = "shipped"
    RECEIVED = "received"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Step(StrEnum):
    """What can happen to an order."""

    PAY = "pay"
    LAPSE = "lapse"
    RETAKE = "retake"
    """Its money came after it had lapsed, and its goods were there still."""
    CANCEL = "cancel"
    WAIT_LONGER = "wait_longer"
    """The buyer gives the shop more time to ship."""
    CANCEL_REST = "cancel_rest"
    """What has not left is called off; what is on its way stands."""
    OFFER_PRICE = "offer_price"
    AGREE_PRICE = "agree_price"
    """It is placed anew at the price that was offered."""
    REDIRECT = "redirect"
    """It goes to another address."""
    SHIP_PART = "ship_part"
    SHIP = "ship"
    """The last of it leaves."""
    RECEIVE = "receive"
    EXTEND = "extend"
    ARRIVE = "arrive"
    """A parcel of it has been delivered."""
    SEND_AGAIN = "send_again"
    """A parcel that had come back to the shop leaves once more."""
    REFUND_PART = "refund_part"
    REFUND_REST = "refund_rest"
    REVIEW = "review"
    CLAIM = "claim"
    CLAIM_RETURN = "claim_return"


class Who(StrEnum):
    """In what part somebody takes a step."""

    BUYER = "buyer"
    SHOP = "shop"
    OPERATOR = "operator"
    CLOUD = "cloud"


class Move(Struct, frozen=True):
    """One row of the table of steps."""

    state: OrderState
    step: Step
    who: Who
    next: OrderState


MOVES: tuple[Move, ...] = (
    Move(OrderState.PLACED, Step.PAY, Who.CLOUD, OrderState.PAID),
    Move(OrderState.PLACED, Step.LAPSE, Who.CLOUD, OrderState.CANCELLED),
    Move(OrderState.CANCELLED, Step.RETAKE, Who.CLOUD, OrderState.PAID),
    Move(OrderState.PLACED, Step.CANCEL, Who.BUYER, OrderState.CANCELLED),
    Move(OrderState.PLACED, Step.OFFER_PRICE, Who.SHOP, OrderState.PLACED),
    Move(OrderState.PLACED, Step.AGREE_PRICE, Who.BUYER, OrderState.CANCELLED),
    Move(OrderState.PLACED, Step.REDIRECT, Who.BUYER, OrderState.PLACED),
    Move(OrderState.PAID, Step.REDIRECT, Who.BUYER, OrderState.PAID),
    Move(OrderState.PAID, Step.CANCEL, Who.BUYER, OrderState.CANCELLED),
    Move(OrderState.PAID, Step.CANCEL, Who.SHOP, OrderState.CANCELLED),
    Move(OrderState.PAID, Step.CANCEL, Who.CLOUD, OrderState.CANCELLED),
    Move(OrderState.PAID, Step.WAIT_LONGER, Who.BUYER, OrderState.PAID),
    Move(OrderState.PAID, Step.SHIP_PART, Who.SHOP, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PAID, Step.SHIP, Who.SHOP, OrderState.SHIPPED),
    Move(OrderState.PAID, Step.REFUND_PART, Who.SHOP, OrderState.PAID),
    Move(OrderState.PAID, Step.REFUND_PART, Who.OPERATOR, OrderState.PAID),
    Move(OrderState.PAID, Step.REFUND_REST, Who.SHOP, OrderState.REFUNDED),
    Move(OrderState.PAID, Step.REFUND_REST, Who.OPERATOR, OrderState.REFUNDED),
    Move(OrderState.PAID, Step.CLAIM, Who.BUYER, OrderState.PAID),
    Move(OrderState.PAID, Step.REFUND_PART, Who.CLOUD, OrderState.PAID),
    Move(OrderState.PAID, Step.REFUND_REST, Who.CLOUD, OrderState.REFUNDED),
    Move(OrderState.PARTLY_SHIPPED, Step.CLAIM, Who.BUYER, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_PART, Who.CLOUD, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.SHIP_PART, Who.SHOP, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.SHIP, Who.SHOP, OrderState.SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.CANCEL_REST, Who.BUYER, OrderState.SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.CANCEL_REST, Who.SHOP, OrderState.SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.CANCEL_REST, Who.CLOUD, OrderState.SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.WAIT_LONGER, Who.BUYER, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_PART, Who.SHOP, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_PART, Who.OPERATOR, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_REST, Who.SHOP, OrderState.REFUNDED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_REST, Who.OPERATOR, OrderState.REFUNDED),
    Move(OrderState.PARTLY_SHIPPED, Step.REFUND_REST, Who.CLOUD, OrderState.REFUNDED),
    Move(OrderState.PARTLY_SHIPPED, Step.ARRIVE, Who.CLOUD, OrderState.PARTLY_SHIPPED),
    Move(OrderState.PARTLY_SHIPPED, Step.SEND_AGAIN, Who.SHOP, OrderState.PARTLY_SHIPPED),
    Move(OrderState.SHIPPED, Step.SEND_AGAIN, Who.SHOP, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.ARRIVE, Who.CLOUD, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.RECEIVE, Who.BUYER, OrderState.RECEIVED),
    Move(OrderState.SHIPPED, Step.RECEIVE, Who.CLOUD, OrderState.RECEIVED),
    Move(OrderState.SHIPPED, Step.EXTEND, Who.BUYER, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.REFUND_PART, Who.SHOP, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.REFUND_PART, Who.OPERATOR, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.REFUND_REST, Who.SHOP, OrderState.REFUNDED),
    Move(OrderState.SHIPPED, Step.REFUND_REST, Who.OPERATOR, OrderState.REFUNDED),
    Move(OrderState.SHIPPED, Step.CLAIM, Who.BUYER, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.CLAIM_RETURN, Who.BUYER, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.REFUND_PART, Who.CLOUD, OrderState.SHIPPED),
    Move(OrderState.SHIPPED, Step.REFUND_REST, Who.CLOUD, OrderState.REFUNDED),
    Move(OrderState.SHIPPED, Step.RECEIVE, Who.OPERATOR, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.REVIEW, Who.BUYER, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.CLAIM, Who.BUYER, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.CLAIM_RETURN, Who.BUYER, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.REFUND_PART, Who.SHOP, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.REFUND_PART, Who.OPERATOR, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.REFUND_PART, Who.CLOUD, OrderState.RECEIVED),
    Move(OrderState.RECEIVED, Step.REFUND_REST, Who.SHOP, OrderState.REFUNDED),
    Move(OrderState.RECEIVED, Step.REFUND_REST, Who.OPERATOR, OrderState.REFUNDED),
    Move(OrderState.RECEIVED, Step.REFUND_REST, Who.CLOUD, OrderState.REFUNDED),
)
"""Every step that there is; whatever is not here is refused.

A shop cannot cancel what is not paid: one payment covers the whole checkout, other shops' orders too, and lapses by itself. Of what was
called off, only what has lapsed unpaid is ever retaken (`paying`). The cloud ends an order of which a part has left when all that is left
of its money comes back with the part that is called off. What a case comes to (`cases`) is given back by the cloud, and what an operator
rules about goods that have left ends their order.
"""
_NEXT: Mapping[tuple[OrderState, Step, Who], OrderState] = MappingProxyType({(m.state, m.step, m.who): m.next for m in MOVES})


class StateNow(Struct, frozen=True, kw_only=True):
    """What a refused step is told: where the order stands, and what its caller may do from there."""

    order_id: OrderId
    state: OrderState
    steps: tuple[Step, ...]


def after(order_id: OrderId, state: OrderState, step: Step, who: Who) -> OrderState:
    """The state that a step leads to; refuses a step that the table does not have."""
    found = _NEXT.get((state, step, who))
    if found is None:
        may = tuple(move.step for move in MOVES if move.state is state and move.who is who)
        figures = StateNow(order_id=order_id, state=state, steps=may)
        raise Refused(OrderRefusal.OTHER_STATE, f"the order is {state.value}", figures=figures)
    return found


# Ids: a checkout's orders are found from it, and it from any of them, without an index

ORDERS_IN_CHECKOUT_MAX = 256


def checkout_id_from(id: str) -> CheckoutId:
    """A checkout's id: the last two digits count its orders, so its own are zero."""
    return CheckoutId(f"{id[:-2]}00")


def order_id_of(checkout_id: CheckoutId, place: int) -> OrderId:
    """The id of a checkout's order number `place`, from 0."""
    invariant(0 <= place < ORDERS_IN_CHECKOUT_MAX, "an order's place in its checkout takes two digits")
    return OrderId(f"{sibling(checkout_id, 'ord')[:-2]}{place:02x}")


def checkout_of(order_id: OrderId) -> CheckoutId:
    """The checkout that an order belongs to."""
    return checkout_id_from(sibling(order_id, "chk"))


def payment_of(checkout_id: CheckoutId) -> PaymentId:
    """The payment of a checkout."""
    return PaymentId(sibling(checkout_id, "pay"))


def hold_of(order_id: OrderId) -> HoldId:
    """The hold on stock of an order."""
    return HoldId(sibling(order_id, "hld"))


# The cart


class CartLine(Struct, frozen=True, array_like=True, gc=False):
    """So many of a variant, wanted since then, at the price (in minor units) that was seen then."""

    variant_id: VariantId
    quantity: int
    added_at: int
    price: int
    currency: str


class Cart(Struct, frozen=True, gc=False):
    """What one person wants, oldest first."""

    person: PersonId
    lines: tuple[CartLine, ...] = ()


def with_more(lines: tuple[CartLine, ...], wanted: CartLine) -> tuple[CartLine, ...]:
    """The cart with more of a variant; the line keeps its place and its time, and takes the price seen now."""
    for place, line in enumerate(lines):
        if line.variant_id == wanted.variant_id:
            quantity = line.quantity + wanted.quantity
            if quantity > QUANTITY_MAX:
                raise Refused(OrderRefusal.LINE_FULL, f"{QUANTITY_MAX} pieces at most")
            grown = CartLine(line.variant_id, quantity, line.added_at, wanted.price, wanted.currency)
            return (*lines[:place], grown, *lines[place + 1 :])
    if len(lines) >= CART_LINES_MAX:
        raise Refused(OrderRefusal.CART_FULL, f"{CART_LINES_MAX} lines at most")
    return (*lines, wanted)


def without(lines: tuple[CartLine, ...], variants: Iterable[VariantId]) -> tuple[CartLine, ...]:
    """The cart without some variants."""
    gone = frozenset(variants)
    return tuple([line for line in lines if line.variant_id not in gone])


def selected(lines: tuple[CartLine, ...], variants: Sequence[VariantId]) -> tuple[CartLine, ...]:
    """The lines of these variants, or all when none is named; refuses what is not in the cart."""
    return parted(lines, variants)[0]


def parted(lines: tuple[CartLine, ...], variants: Sequence[VariantId]) -> tuple[tuple[CartLine, ...], tuple[CartLine, ...]]:
    """The same, and what is left of the cart without them."""
    if not lines:
        raise Refused(OrderRefusal.CART_EMPTY)
    if not variants:
        return lines, ()
    wanted = frozenset(variants)
    found: list[CartLine] = []
    others: list[CartLine] = []
    for line in lines:
        (found if line.variant_id in wanted else others).append(line)
    if len(found) != len(wanted):
        missing = wanted.difference(line.variant_id for line in found)
        raise Refused(OrderRefusal.LINE_NOT_FOUND, "not in the cart", figures=Gone(variants=tuple(sorted(missing))))
    return tuple(found), tuple(others)


# What a total is made of


class SoldItem(Struct, frozen=True, array_like=True, gc=False):
    """So many of a variant as it was when it was bought; the price is that of one piece, in minor units of the order's currency."""

    variant_id: VariantId
    goods_id: GoodsId
    quantity: int
    price: int
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    sku: str
    picture: str
    tax_class: str

    @property
    def amount(self) -> int:
        """The price of all pieces."""
        return self.price * self.quantity


def sold(line: CartLine, variant: Variant) -> SoldItem:
    """A line as it is frozen on an order: what was on offer, and how many of it."""
    return SoldItem(
        variant.id, variant.goods_id, line.quantity, variant.price.amount, variant.title, variant.title_en, variant.option_text,
        variant.option_text_en, variant.sku, variant.picture, variant.tax_class,
    )  # fmt: skip


class Funder(StrEnum):
    """Who pays for a discount."""

    SHOP = "shop"
    """The shop sells for less."""
    MARKETPLACE = "marketplace"
    """The shop gets its price; what the buyer does not pay comes from what the marketplace has set aside for discounts."""


class Discount(Struct, frozen=True, array_like=True, gc=False):
    """What is taken off goods, and who pays for that."""

    title: str
    funder: Funder
    amount: int


def promoted(discounts: Iterable[Discount]) -> int:
    """What the marketplace pays of an order."""
    return sum([discount.amount for discount in discounts if discount.funder is Funder.MARKETPLACE])


class Priced(Struct, frozen=True, gc=False):
    """What one shop's part of a checkout costs, in minor units of one currency: `total` its buyer, `promoted` the marketplace."""

    shop_id: ShopId
    name: str
    name_en: str
    currency: str
    items: tuple[SoldItem, ...]
    shipping: int
    discounts: tuple[Discount, ...]
    taxes: tuple[Tax, ...]
    total: int
    promoted: int
    commission_ppm: int
    commission: int
    limited: tuple[tuple[GoodsId, BuyerLimit], ...] = ()
    """Of which goods one buyer may have so many within some days."""


def half_up(amount: int, *, parts: int, of: int) -> int:
    """`kernel.money.share` of a bare amount: the same rule, without an object for each line of each checkout."""
    return (2 * amount * parts + of) // (2 * of)


def _discounted(nets: list[int], offered: Sequence[Discount], currency: str) -> tuple[list[int], tuple[Discount, ...]]:
    """What the shop gets for each item, and the discounts as granted: none takes more than there is; its own is split to the last unit."""
    left = sum(nets)
    granted = []
    for discount in offered:
        amount = min(discount.amount, left)
        if amount:
            left -= amount
            granted.append(Discount(discount.title, discount.funder, amount))
            if discount.funder is Funder.SHOP:
                parts = split(Money(amount=amount, currency=currency), nets)
                nets = [net - part.amount for net, part in zip(nets, parts, strict=True)]
    return nets, tuple(granted)


def priced(
    items: tuple[SoldItem, ...],
    *,
    shop_id: ShopId,
    name: str,
    name_en: str,
    currency: str,
    shipping: int,
    taxed: TaxRules,
    commission_ppm: int,
    offered: Sequence[Discount] = (),
) -> Priced:
    """Add up what one shop's goods cost. Refuses a total beyond what an amount can hold.

    One rule for fractions: each line is rounded half up by itself, and a sum that is divided over lines goes to the largest
    remainders. The commission is a share of what the shop gets for its goods, whoever pays it.
    """
    granted: tuple[Discount, ...] = ()
    nets = [item.price * item.quantity for item in items]
    net = sum(nets)
    if net + shipping > AMOUNT_MAX // 2:
        raise Refused(OrderRefusal.TOO_LARGE, "no amount is that large")
    if offered:
        nets, granted = _discounted(nets, offered, currency)
        net = sum(nets)
    taxes = reckoned(items, nets, shipping, currency, taxed)
    added = sum([tax.amount for tax in taxes if not tax.included])
    of_marketplace = promoted(granted) if granted else 0
    return Priced(
        shop_id, name, name_en, currency, items, shipping, granted, taxes, net + shipping + added - of_marketplace, of_marketplace,
        commission_ppm, half_up(net, parts=commission_ppm, of=PPM),
    )  # fmt: skip


def share_left(whole: int, *, total: int, refunded: int) -> int:
    """What is left of a commission, or of what the marketplace paid, when a part of the total has been given back: the same share, half up.

    So a commission is never more than what an escrow holds, which is what is left of the total and of what the marketplace paid.
    """
    invariant(0 <= refunded <= total, "no more is given back than was paid")
    return half_up(whole, parts=total - refunded, of=total) if total else whole


# What is said about it

PLAIN = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
"""A text without control characters."""


class LineNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word to the shop about one line, such as what is to be engraved."""

    variant_id: VariantId
    text: Annotated[str, Meta(min_length=1, max_length=100, pattern=PLAIN, examples=["刻“平安”二字"])]


# What refusals show


class Gone(Struct, frozen=True, kw_only=True):
    """Which variants are not to be had any more."""

    variants: tuple[VariantId, ...]


class Away(Struct, frozen=True, kw_only=True):
    """Which shop is on holiday, and until when (milliseconds since 1970)."""

    shop_id: ShopId
    back_at: int


class LeftToRefund(Struct, frozen=True, kw_only=True):
    """How much of an order can still be given back."""

    left: Money


# The order


class Terms(Struct, frozen=True, array_like=True, gc=False):
    """What was agreed: frozen when the order is placed, never changed.

    The address as it was, all of it, and the note are sealed under the buyer's key: what depends on them was priced before.
    """

    items: tuple[SoldItem, ...]
    shipping: int
    discounts: tuple[Discount, ...]
    taxes: tuple[Tax, ...]
    commission_ppm: int
    commission: int
    address: bytes
    note: bytes
    orders: int
    """How many orders the checkout made."""
    line_notes: bytes = b""
    """What the buyer says about single lines, `LineNote`s as JSON, sealed under the buyer's key."""

    @property
    def promoted(self) -> int:
        """What the marketplace pays of it."""
        return promoted(self.discounts)


PARCELS_MAX = 20
"""In how many parcels an order travels at most."""
SENDINGS_MAX = 2 * PARCELS_MAX
"""How many leave in all, with those that are sent again."""


class PackedLine(Struct, frozen=True, array_like=True, gc=False):
    """So many pieces of a line in a parcel."""

    variant_id: VariantId
    quantity: int


class Parcel(Struct, frozen=True, array_like=True, gc=False):
    """What has left in one piece; the number by which it is tracked leads to where it goes: it is sealed under the buyer's key."""

    carrier: str
    tracking: bytes
    shipped_at: int
    lines: tuple[PackedLine, ...] = ()
    """What is in it; nothing named when it is all of the order."""
    arrived_at: int = 0
    """When its carrier delivered it; 0 when that has not been heard."""
    location_id: LocationId | None = None
    """Where it left from, if the shop has said so."""
    returned_at: int = 0
    """When its carrier brought it back to the shop."""
    of: int = 0
    """Whose goods it carries when they are sent again: the number of the parcel that came back."""
    back_by: int = 0
    """When what was paid for it goes back by itself, unless its shop sends it again."""
    by_hand: int = 0
    """What the shop has given back by hand since it came back, as far as it is not enough for that."""
    settled_at: int = 0
    """When what was paid for it had gone back to the buyer, in a case or otherwise."""
    given_back: tuple[PackedLine, ...] = ()
    """For which of its pieces money went back then that no case had given."""
    taken_in_at: int = 0
    """When the shop said that its goods are there."""


class PriceOffer(Struct, frozen=True, array_like=True, gc=False):
    """What a shop would take off the goods, send them for, and have in all, since then."""

    discount: int
    shipping: int
    total: int
    at: int


class Progress(Struct, frozen=True, array_like=True, gc=False):
    """What has happened to an order since; times in milliseconds since 1970, 0 for not yet."""

    paid_at: int = 0
    shipped_at: int = 0
    received_at: int = 0
    ended_at: int = 0
    carrier: str = ""
    """This and the next tell of orders that were shipped before there were parcels."""
    tracking: bytes = b""
    refunded: int = 0
    receive_by: int = 0
    """When it counts as received if the buyer says nothing; 0 when that does not come by itself."""
    extended: bool = False
    only_by_hand: bool = False
    parcels: tuple[Parcel, ...] = ()
    is_short: bool = False
    """Whether what had not left was called off: only what is in its parcels was sold."""
    cases: int = 0
    """How many cases have been opened about it."""
    in_case: bool = False
    """Whether the last of them is open: no receipt, by nobody, until it is closed."""
    address: bytes = b""
    """Where it goes now, sealed under the buyer's key, when that is not what was agreed; changed then:"""
    redirected_at: int = 0
    memo: bytes = b""
    """What the shop notes for itself, sealed under the buyer's key."""
    offer: PriceOffer | None = None
    taken: int = 0
    """What the payer's bank has taken back of it while nobody has decided: the order neither ships nor is received meanwhile."""
    lost: int = 0
    """What of `refunded` went back so for good."""
    dispatch_by: int = 0
    """Until when it has to leave, where its buyer has agreed to wait longer."""
    reminded_of: int = 0
    """The last time to leave by that its shop was reminded of."""
    contested_at: int = 0
    """Since when it stands still, while its payer's bank has not decided."""
    stood_ms: int = 0
    """How much longer it has to leave, for it has stood still."""


class Order(Struct, frozen=True, gc=False):
    """What one shop owes one buyer. `terms` is an encoded `Terms`."""

    seq: int
    id: OrderId
    buyer: PersonId
    shop_id: ShopId
    state: OrderState
    total: int
    currency: str
    placed_at: int
    progress: Progress
    terms: bytes

    @property
    def left(self) -> int:
        """What has been paid and not given back."""
        return self.total - self.progress.refunded


def in_case(order: Order) -> Order:
    """The order with one more case, which is open."""
    return replace(order, progress=replace(order.progress, cases=order.progress.cases + 1, in_case=True))


# What waits for its payment

UNPAID_MAX = 5
"""How many checkouts of one buyer may hold stock without being paid."""
SLOW_UNPAID_MAX = 2
"""How many of these may wait for a slow method of payment, which holds stock for days."""


class Waiting(Struct, frozen=True, gc=False):
    """The checkouts of a buyer that wait for their payment, the oldest first."""

    buyer: PersonId
    checkouts: tuple[CheckoutId, ...]


# The receipt

_DAY_MS = 86_400_000
HOME_MS, ABROAD_MS = 10 * _DAY_MS, 30 * _DAY_MS
"""How long after shipment an order counts as received by itself, at home and into another country."""
EXTENSION_MS = 7 * _DAY_MS


def receive_by(shipped_at: int, *, home: str, destination: str) -> int:
    """When an order that was shipped counts as received if its buyer says nothing."""
    return shipped_at + (HOME_MS if destination == home else ABROAD_MS)


def commission_now(order: Order, agreed: Terms) -> int:
    """What the marketplace keeps of what is left of an order; nothing of one that has come to nothing."""
    if order.state in (OrderState.CANCELLED, OrderState.REFUNDED):
        return 0
    return share_left(agreed.commission, total=order.total, refunded=order.progress.refunded)
