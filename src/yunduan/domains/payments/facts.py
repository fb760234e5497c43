"""What payments tells the others."""

from msgspec import Struct

from yunduan.domains.payments.model import By, ChargebackEvent, ChargebackId, ChargebackState, Drawn, Mismatch, PaymentState, SplitId
from yunduan.domains.payments.payees import PayoutState
from yunduan.kernel.ids import CheckoutId, OrderId, PaymentId, PersonId, RefundId, ShopId
from yunduan.kernel.messages import Fact
from yunduan.kernel.money import Money


class PaymentCaptured(Fact):
    """A checkout is paid: every order's escrow is funded."""

    payment_id: PaymentId
    checkout_id: CheckoutId
    payer: PersonId
    amount: Money


class PaymentEnded(Fact):
    """A payment came to nothing: declined, abandoned or expired; a top-up has no checkout."""

    payment_id: PaymentId
    checkout_id: CheckoutId | None
    state: PaymentState


class PaymentPutOff(Fact):
    """What is missing of a payment was on its way when its time had passed, so it is waited for until `due` (milliseconds since 1970)."""

    payment_id: PaymentId
    checkout_id: CheckoutId | None
    payer: PersonId
    due: int


class WalletToppedUp(Fact):
    """A person has put money into the wallet."""

    payment_id: PaymentId
    person: PersonId
    amount: Money
    channel: str


class CaptureReturned(Fact):
    """Money that a channel collected for a payment that had ended is on its way back."""

    payment_id: PaymentId
    reference: str
    channel: str
    amount: Money


class EscrowSettled(Fact):
    """A shop has the money of an order, and the marketplace its commission."""

    order_id: OrderId
    shop_id: ShopId
    to_shop: Money
    commission: Money


class SplitAsked(Fact):
    """The provider that keeps money of an order is asked to divide it: the shop has its part when it has answered."""

    split_id: SplitId
    order_id: OrderId
    shop_id: ShopId
    channel: str
    to_shop: Money
    to_marketplace: Money
    claimed: int = 0
    """What of the shop's part (minor units) pays what it owes."""


class SplitRefused(Fact):
    """A provider would not divide money of an order, and keeps it: operators may have it asked again."""

    split_id: SplitId
    order_id: OrderId
    shop_id: ShopId
    channel: str
    amount: Money


class HoldEnding(Fact):
    """A provider keeps money of an order until `until` (milliseconds since 1970), which is near; told again while it stays."""

    order_id: OrderId
    shop_id: ShopId
    amount: Money
    until: int


class KeptEnding(Fact):
    """A provider keeps money outside any order until `until` (milliseconds since 1970), which is near; told again while it stays.

    It waits for its payer, who is asked where it goes when `asks` says so; or it is what a bank has taken from us for it.
    """

    payer: PersonId
    order_id: OrderId | None
    channel: str
    amount: Money
    until: int
    asks: bool = False


class SplitKept(Fact):
    """A provider could not take `amount` of what it had split back from a shop for a refund: `drawn` is who pays that now."""

    refund_id: RefundId
    order_id: OrderId
    shop_id: ShopId
    amount: Money
    drawn: Drawn


class EscrowRefunded(Fact):
    """Money of an order goes back to the buyer; `left` is what the escrow still holds."""

    refund_id: RefundId
    order_id: OrderId
    amount: Money
    left: Money


class SettledRefunded(Fact):
    """Money of an order whose shop had been paid goes back to the buyer; `drawn` is who pays it."""

    refund_id: RefundId
    order_id: OrderId
    shop_id: ShopId
    amount: Money
    drawn: Drawn


class PostagePaid(Fact):
    """A buyer has back what the way back of goods has cost them, from the shop's own money; `owed` is what it had not, and is claimed."""

    order_id: OrderId
    shop_id: ShopId
    person: PersonId
    amount: Money
    owed: Money


class ClaimPaidOff(Fact):
    """New money of a shop has paid what it owed the marketplace, or a part of it; `left` is what it still owes."""

    shop_id: ShopId
    amount: Money
    left: Money
    cause: str


class DepositPledged(Fact):
    """A shop has set a part of its balance aside as its deposit."""

    shop_id: ShopId
    amount: Money


class DepositReleased(Fact):
    """A shop has a part of its deposit back in its balance."""

    shop_id: ShopId
    amount: Money


class PayeeNamed(Fact):
    """Somebody has named an account to be paid out to, in the place of the one before; nothing leaves for it before `usable_at`."""

    owner: str
    by: PersonId
    usable_at: int


class PayeeChecked(Fact):
    """A channel has said whether the account that somebody named is its holder's; `owner` is a person or a shop."""

    owner: str
    is_theirs: bool


class PayoutBegun(Fact):
    """Money has left a wallet or a shop's balance and is on its way out; above the limit operators have to approve it first."""

    payout_id: str
    owner: str
    amount: Money
    is_awaited: bool


class PayoutEnded(Fact):
    """A payout was paid, or all of it is back: the channel returned it, or an operator declined it.

    Not `is_of_wallet` when it was owed to its owner (`MoneyUnclaimed`): its refund says what became of it.
    """

    payout_id: str
    owner: str
    amount: Money
    state: PayoutState
    is_of_wallet: bool = True


class MoneyUnclaimed(Fact):
    """A channel would not give money back, of a refund or of a payment that had ended: its payer has to say where it goes.

    Told again while it waits; at last `is_late`, when operators look after it.
    """

    unclaimed_id: str
    payer: PersonId
    order_id: OrderId | None
    payment_id: PaymentId | None
    amount: Money
    is_late: bool


class RefundFinished(Fact):
    """Every piece of a refund has arrived; `diverted` is what its payer has taken into the wallet because a channel refused it."""

    refund_id: RefundId
    order_id: OrderId
    amount: Money
    diverted: Money


class NotificationMismatched(Fact):
    """A channel's genuine notification does not agree with our books: an operator has to look at it."""

    alert_id: str
    channel: str
    reason: Mismatch
    reference: str
    amount: Money


class DifferenceBooked(Fact):
    """A channel collected more for an imported payment than its orders cost."""

    payment_id: PaymentId
    channel: str
    amount: Money


class ContestedPart(Struct, frozen=True, kw_only=True):
    """What of an order was charged back."""

    order_id: OrderId
    shop_id: ShopId
    amount: Money


class ChargebackOpened(Fact):
    """A payer's bank has taken money of a captured payment back; evidence is heard until `due` (milliseconds since 1970).

    `parts` is what was taken of which order; `borne` what the marketplace bears for now, since nobody here has it any more.
    """

    chargeback_id: ChargebackId
    payment_id: PaymentId
    channel: str
    amount: Money
    fee: Money
    due: int
    parts: tuple[ContestedPart, ...]
    borne: Money


class EvidenceDue(Fact):
    """A shop has said nothing yet against a chargeback of its order, and can until `due` (milliseconds since 1970), which is near."""

    chargeback_id: ChargebackId
    order_id: OrderId
    shop_id: ShopId
    amount: Money
    due: int


class EvidenceRefused(Fact):
    """A channel would not take what a shop had said against a chargeback: it may be said again until `due`."""

    chargeback_id: ChargebackId
    shop_id: ShopId
    speaker: PersonId
    amount: Money
    due: int


class ConcessionRefused(Fact):
    """A channel would not take it that a chargeback is not contested: it may be conceded again."""

    chargeback_id: ChargebackId
    amount: Money


class ChargebackMoved(Fact):
    """Something has happened to a chargeback: evidence was given, or reminded of, or will not come; it was conceded, won or lost."""

    chargeback_id: ChargebackId
    event: ChargebackEvent
    by: By
    state: ChargebackState
    amount: Money
    due: int
    shops: tuple[ShopId, ...]
