"""What orders tell the others. Opaque ids, goods and sums: nothing of a person is in any of these."""

from msgspec import Struct

from yunduan.kernel.ids import CaseId, CheckoutId, GoodsId, OrderId, PersonId, RefundId, ReviewId, ShopId, VariantId
from yunduan.kernel.messages import Fact
from yunduan.kernel.money import Money


class SoldLine(Struct, frozen=True, kw_only=True, gc=False):
    """So many pieces of a variant, at the price of one in minor units of the order's currency."""

    variant_id: VariantId
    goods_id: GoodsId
    quantity: int
    price: int


class OrderPlaced(Fact):
    """An order was agreed on: stock is held for it."""

    order_id: OrderId
    checkout_id: CheckoutId
    buyer: PersonId
    shop_id: ShopId
    lines: tuple[SoldLine, ...]
    shipping: int
    total: Money


class OrderPaid(Fact):
    """The money of an order is in its escrow; `at_once` when it was paid as it was placed, `late` when it had lapsed and stands again."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    lines: tuple[SoldLine, ...]
    total: Money
    at_once: bool
    late: bool = False


class PackedPieces(Struct, frozen=True, kw_only=True, gc=False):
    """So many pieces of a variant in a parcel."""

    variant_id: VariantId
    quantity: int


class OrderPartlyShipped(Fact):
    """Some of the goods have left the shop, in the parcel of this number; others have not. The last of them is `OrderShipped`."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    parcel: int
    lines: tuple[PackedPieces, ...]


class OrderRestCancelled(Fact):
    """What had not left of an order was called off, and its part of the money has gone back; the rest is on its way."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    by: str
    refunded: Money
    lines: tuple[SoldLine, ...]


class PriceOffered(Fact):
    """A shop offers an unpaid order at another total."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    total: Money


class OfferTakenBack(Fact):
    """A shop offers an unpaid order at no other total any more: it costs what was agreed."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    total: Money


class PriceAgreed(Fact):
    """The buyer has agreed to it: the order was called off and placed anew, as another one."""

    order_id: OrderId
    placed_as: OrderId
    buyer: PersonId
    shop_id: ShopId
    total: Money


class OrderRedirected(Fact):
    """The buyer has had an order sent to another address; of one that `is_paid` its shop has heard already."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    is_paid: bool = True


class ParcelScanned(Fact):
    """A carrier has told of a parcel (`scan`, such as `delivered`), by its own clock at that time (milliseconds since 1970).

    Of what it tells of one parcel `is_end` is what its way has ended by, once. Where that is that it has come back to its shop, what was
    paid for it goes back at `back_by` unless it is sent again.
    """

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    parcel: int
    scan: str
    scanned_at: int
    is_end: bool = True
    back_by: int = 0


class ParcelSentAgain(Fact):
    """A parcel that had come back to its shop has left once more, as the parcel of another number (`sent_as`)."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    parcel: int
    sent_as: int


class ParcelGivenBack(Fact):
    """What was paid for a parcel that had come back has gone back, because its shop (`by`) said so or by time; `amount` has just now."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    parcel: int
    amount: Money
    by: str


class OrderShipped(Fact):
    """The goods have left the shop, all of them."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId


class DispatchDue(Fact):
    """A shop has to ship what has not left by `dispatch_by` (milliseconds since 1970), or it is called off."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    dispatch_by: int


class DispatchExtended(Fact):
    """The buyer has agreed to wait longer for what has not left, until `dispatch_by` (milliseconds since 1970)."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    dispatch_by: int


class OrderReceived(Fact):
    """The buyer has the goods and the shop its money; `by` says who said so: the buyer, an operator or, when time had passed, the cloud."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    total: Money
    commission: Money
    by: str = "buyer"


class OrderWaits(Fact):
    """A paid order whose shop has gone on holiday and is back at `back_at` (milliseconds since 1970) may leave later."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    back_at: int


class ReceiptExtended(Fact):
    """The buyer has put off when the order counts as received (`receive_by`, milliseconds since 1970)."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    receive_by: int


class OrderCancelled(Fact):
    """An order came to nothing; what was paid has gone back."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    was_paid: bool
    by: str
    refunded: Money
    lines: tuple[SoldLine, ...]


class OrderRefunded(Fact):
    """A part of an order's money, or all that was left of it, has gone back; `called_off` when that was what had not left of it.

    What has come to it in a case (`case_id`) is told of the case too.
    """

    order_id: OrderId
    refund_id: RefundId
    buyer: PersonId
    shop_id: ShopId
    amount: Money
    whole: bool
    by: str
    called_off: bool = False
    case_id: CaseId | None = None


class ReviewAddedTo(Fact):
    """Something was said about a review later: by its author (`follow_up`) or by the shop (`answer`)."""

    review_id: ReviewId
    goods_id: GoodsId
    shop_id: ShopId
    author: PersonId
    kind: str


class OrderReviewed(Fact):
    """A buyer has published what they think of goods; the text is in the list of reviews."""

    review_id: ReviewId
    order_id: OrderId
    shop_id: ShopId
    goods_id: GoodsId
    variant_id: VariantId
    author: PersonId
    stars: int


class ReviewReported(Fact):
    """Somebody thinks that a review should not be there; never who."""

    review_id: ReviewId
    goods_id: GoodsId
    shop_id: ShopId
    reason: str


class ReviewJudged(Fact):
    """Operators have decided about a review (`is_new` when that has changed whether it is shown), which answers these reporters."""

    review_id: ReviewId
    goods_id: GoodsId
    shop_id: ShopId
    author: PersonId
    stars: int
    is_hidden: bool
    is_new: bool
    reporters: tuple[PersonId, ...]


class CaseOpened(Fact):
    """A buyer wants something after the sale; unless the shop answers by `due` (milliseconds since 1970), it agrees."""

    case_id: CaseId
    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    case_kind: str
    reason: str
    asked: Money
    due: int


class CaseMoved(Fact):
    """Something has happened in a case (`event`), by whom, and where it stands since; `due` is 0 once it is closed.

    `amount` is what is on offer, agreed to or, at the end, given back.
    """

    case_id: CaseId
    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    event: str
    by: str
    state: str
    amount: Money
    due: int


class OrderChargedBack(Fact):
    """The payer's bank has taken money of an order back: nothing of it ships or moves until that is decided."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    amount: Money
    due: int


class OrderChargebackEnded(Fact):
    """What the payer's bank had taken back has returned (`won`), or is the buyer's for good; `whole` when nothing is left of the order."""

    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    amount: Money
    won: bool
    whole: bool


class TaxesSet(Fact):
    """An operator has said what is taxed in a country, or in a region of it."""

    country: str
    region: str
    by: PersonId
