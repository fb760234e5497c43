"""Tenders, charges, escrows and refunds as values, and every decision about them: no input, no output."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.identity.model import LINE
from yunduan.kernel.ids import AccountId, CheckoutId, OrderId, PaymentId, PersonId, RefundId, ShopId, TransferId, sibling
from yunduan.kernel.money import Currency, Money, split, zero
from yunduan.kernel.money import share as share_of
from yunduan.kernel.refusals import RefusalCode, Refused, invariant

PARTS_MAX = 100
"""Orders that one checkout may be split into."""
TENDERS_MAX = 32
"""Of one payment; people may give eight, an import has had nineteen vouchers on one order."""
TOP_UP_MAX = 100_000_000
"""The most that one top-up may bring, in minor units."""
TOP_UP_DUE_MS = 30 * 60_000
"""How long a person has to approve a top-up."""
HOLD_GRACE_MS = 86_400_000
"""How much longer than the payment a hold on a wallet lasts: it is voided when the payment ends, and falls by itself if nobody could."""
BODY_BYTES_MAX = 16_384
"""Of a notification."""

ChannelName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}(?![\s\S])", description="A payment channel.", examples=["sandbox"])]


class PaymentRefusal(RefusalCode):
    """Everything that payments refuse; a wallet that is too small is the ledger's `insufficient_funds`."""

    TENDERS_DO_NOT_MATCH = (
        "tenders_do_not_match",
        "The tenders are not the total in its currency, one is empty, or one names a channel that is none.",
    )
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range", "The amount is nothing, or more than may be moved at once."
    CHANNEL_UNKNOWN = "channel_unknown", "There is no such payment channel here."
    NOT_FOUND = "payment_not_found", "There is no such payment, or it is somebody else's."
    EXISTS = "payment_exists", "There is a payment by this id already."
    ENDED = "payment_ended", "The payment has been made already."
    NOT_CAPTURED = "payment_not_captured", "The payment has not been made."
    NOTIFICATION_FORGED = "notification_forged", "The channel did not sign this."
    NOTIFICATION_STALE = "notification_stale", "The channel signed this too long ago."
    NOTIFICATION_MALFORMED = "notification_malformed", "This is signed by the channel, and no notification."
    ESCROW_NOT_FOUND = "escrow_not_found", "Nothing was ever paid for this order."
    ESCROW_NOT_HELD = "escrow_not_held", "Nothing is held for this order any more."
    ESCROW_SETTLED = "escrow_settled", "The shop has been paid already."
    ESCROW_NOT_SETTLED = "escrow_not_settled", "The shop has not been paid yet: the money is still held."
    EXCEEDS_HELD = "exceeds_held", "More than is held for the order."
    EXCEEDS_CAPTURED = "exceeds_captured", "More than was paid for the order and has not gone back."
    REFUND_NOT_FOUND = "refund_not_found", "There is no such refund."
    REFUND_EXISTS = "refund_exists", "There is a refund by this id, of another order or amount."
    OUTGOING_NOT_FOUND = "outgoing_not_found", "No such request to a channel was made."
    ALERT_NOT_FOUND = "alert_not_found", "There is no such alert."
    PAYEE_NOT_FOUND = "payee_not_found", "No account has been named that could be paid out to."
    PAYEE_NOT_VERIFIED = "payee_not_verified", "The channel has not confirmed that the account is its owner's."
    PAYOUT_NOT_FOUND = "payout_not_found", "There is no such payout."
    PAYOUT_NOT_AWAITED = "payout_not_awaited", "Nobody's approval is waited for: it is on its way, or has ended."
    APPROVED_BY_THE_SAME = "approved_by_the_same", "Whoever asked for it, or has approved it already, cannot be the next to approve it."
    WALLET_OFF = "wallet_off", "This market has no wallets; what is in one can be withdrawn."
    EXCEEDS_DAY = "exceeds_day", "More than may go into or out of this wallet in one day."
    SHOP_OWES = "shop_owes", "The shop owes the marketplace: its money pays that first."
    PROMOTIONS_EMPTY = "promotions_empty", "The marketplace has set nothing more aside for this discount."


class TenderKind(StrEnum):
    """Where money comes from."""

    WALLET = "wallet"
    CHANNEL = "channel"
    DIFFERENCE = "difference"
    """A named account of the marketplace, for imported payments that were less than their orders; the cloud's own word only."""
    PROMOTION = "promotion"
    """What the marketplace has set aside for discounts; a part of what funds an order, never a tender."""


class Tender(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which a part of a payment is paid; `channel` names the channel of a channel tender and is empty otherwise."""

    kind: TenderKind
    amount: Money
    channel: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9]{0,15})?(?![\s\S])", examples=["sandbox"])] = ""


class PartOfPayment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one order costs of a checkout: `amount` to its buyer; `promoted` is what the marketplace pays of it, for a discount."""

    order_id: OrderId
    shop_id: ShopId
    amount: Money
    promoted: Money | None = None

    @property
    def whole(self) -> Money:
        """What the order's escrow holds when it is paid."""
        return self.amount if self.promoted is None else self.amount + self.promoted


class PaymentKind(StrEnum):
    """What a payment is for."""

    PURCHASE = "purchase"
    TOP_UP = "top_up"


class PaymentState(StrEnum):
    """Where a payment stands; all but `PENDING` are final."""

    PENDING = "pending"
    """A channel has yet to say what became of its part."""
    CAPTURED = "captured"
    FAILED = "failed"
    """The payer declined, or the channel did."""
    ABANDONED = "abandoned"
    """Whoever began it has given it up."""
    EXPIRED = "expired"
    """Its time passed."""


class ChargeState(StrEnum):
    """Where the part of a payment that a channel collects stands."""

    PENDING = "pending"
    CAPTURED = "captured"
    ENDED = "ended"
    """Nothing was collected. A capture that still comes is given back."""
    RETURNING = "returning"
    """It was collected for a payment that had ended, and is on its way back."""
    RETURNED = "returned"
    DIVERTED = "diverted"
    """The channel would not take it back, so it went to the payer's wallet."""


class Charge(Struct, frozen=True, kw_only=True):
    """What a channel is asked to collect; it knows the charge by `reference` alone."""

    reference: str
    channel: str
    amount: Money
    state: ChargeState = ChargeState.PENDING


class Payment(Struct, frozen=True, kw_only=True):
    """What one checkout, or one top-up, costs; a top-up has neither `checkout_id` nor `parts`."""

    id: PaymentId
    kind: PaymentKind
    state: PaymentState
    payer: PersonId
    currency: Currency
    checkout_id: CheckoutId | None
    parts: tuple[PartOfPayment, ...]
    tenders: tuple[Tender, ...]
    charges: tuple[Charge, ...]
    """One for each channel tender, in their order; after them what an import collected too much."""
    due: int
    started_at: int

    @property
    def total(self) -> Money:
        """What is paid in all."""
        return total(self.currency, [tender.amount for tender in self.tenders])

    @property
    def promoted(self) -> Money | None:
        """What the marketplace pays of its orders, if it does."""
        parts = [part.promoted for part in self.parts if part.promoted]
        return total(self.currency, parts) if parts else None

    @property
    def meets_in_clearing(self) -> bool:
        """Whether what pays it comes from several places at several times: it waits in an account of its own then."""
        return bool(self.charges) and (len(self.tenders) > 1 or self.promoted is not None)

    def charge(self, reference: str) -> Charge | None:
        """The charge with a reference."""
        return next((charge for charge in self.charges if charge.reference == reference), None)

    def with_charge(self, changed: Charge) -> "Payment":
        """The same payment with one charge changed."""
        return replace(self, charges=tuple(changed if charge.reference == changed.reference else charge for charge in self.charges))


class Redirect(Struct, frozen=True, kw_only=True):
    """Where the payer goes to approve the part that a channel collects."""

    channel: str
    url: str


class PaymentStarted(Struct, frozen=True, kw_only=True):
    """What a payment is answered with: `captured` at once when the wallet pays it all, else `pending` and where to go."""

    payment_id: PaymentId
    state: PaymentState
    redirects: tuple[Redirect, ...] = ()


class EscrowState(StrEnum):
    """Where the money of an order is."""

    HELD = "held"
    SETTLED = "settled"
    """The shop has it."""
    RETURNED = "returned"
    """The buyer has all of it back."""


class Funding(Struct, frozen=True, kw_only=True):
    """How much of an order one tender paid, and how much of that went back; `reference` is the charge of a channel tender."""

    kind: TenderKind
    amount: Money
    channel: str = ""
    reference: str = ""
    returned: int = 0

    @property
    def left(self) -> int:
        """What could still go back, in minor units."""
        return self.amount.amount - self.returned


class Escrow(Struct, frozen=True, kw_only=True):
    """The money of one order that has been paid: `held` is what is left in its account."""

    order_id: OrderId
    shop_id: ShopId
    payment_id: PaymentId
    payer: PersonId
    state: EscrowState
    held: Money
    funding: tuple[Funding, ...]

    @property
    def account(self) -> AccountId:
        """Its account in the ledger."""
        return escrow_account(self.order_id)

    @property
    def left(self) -> Money:
        """What has not gone back, whoever has it: in the escrow while it is held, with the shop and the marketplace once it is settled."""
        return Money(amount=sum([funding.left for funding in self.funding]), currency=self.held.currency)


class Settlement(Struct, frozen=True, kw_only=True):
    """How an escrow was divided between the shop and the marketplace."""

    order_id: OrderId
    shop_id: ShopId
    to_shop: Money
    commission: Money

    @property
    def whole(self) -> Money:
        """What the escrow held."""
        return self.to_shop + self.commission


class RefundState(StrEnum):
    """Where a refund is."""

    PENDING = "pending"
    """A channel has yet to confirm its part."""
    DONE = "done"


class PieceState(StrEnum):
    """Where one tender's piece of a refund is."""

    PENDING = "pending"
    DONE = "done"
    DIVERTED = "diverted"
    """The channel refused to give it back, so it went to the payer's wallet."""


class RefundPiece(Struct, frozen=True, kw_only=True):
    """What goes back over one tender; `request` is the id under which a channel is asked for it."""

    kind: TenderKind
    amount: Money
    state: PieceState
    channel: str = ""
    reference: str = ""
    request: str = ""


class Drawn(Struct, frozen=True, kw_only=True):
    """Who pays a refund of an order that has been settled; together it is what goes back, the marketplace's discounts included.

    `owed` is what the shop could not pay: the marketplace has paid it and claims it. `shortfall` is what the marketplace no longer has
    of the commission that it gives back.
    """

    balance: Money
    deposit: Money
    owed: Money
    commission: Money
    shortfall: Money


class Refund(Struct, frozen=True, kw_only=True):
    """Money of one order that goes back over the tenders it came from (原路退回)."""

    id: RefundId
    order_id: OrderId
    payer: PersonId
    amount: Money
    """What goes back over the tenders; what goes back to the marketplace for a discount comes on top of it."""
    state: RefundState
    pieces: tuple[RefundPiece, ...]
    at: int = 0
    """When it was decided, in milliseconds since 1970."""
    drawn: Drawn | None = None
    """Who pays it, when the order had been settled; otherwise it comes out of the escrow."""

    @property
    def whole(self) -> Money:
        """What leaves the escrow, or is drawn."""
        return total(self.amount.currency, [piece.amount for piece in self.pieces])


class PaymentListener(Protocol):
    """Whoever has to know what became of a payment that was `pending`; joined by the composition root, called in the same transaction.

    It is not called for what `PayOrders` or `AbandonPayment` answer themselves: their caller knows.
    """

    def paid(self, tx: Any, checkout_id: CheckoutId) -> None:
        """The escrows of a checkout are funded."""
        ...

    def not_paid(self, tx: Any, checkout_id: CheckoutId) -> None:
        """The payment was declined or its time passed; what was held is free again."""
        ...


# Accounts: every id is derived, so that no index is needed to find one


def wallet_account(person: PersonId, currency: str) -> AccountId:
    """A person's money in one currency."""
    return AccountId(f"{sibling(person, 'wal')}{currency.lower()}")


def shop_account(shop: ShopId, currency: str) -> AccountId:
    """What a shop has earned in one currency and not yet been paid out."""
    return AccountId(f"{sibling(shop, 'sha')}{currency.lower()}")


def escrow_account(order_id: OrderId) -> AccountId:
    """The money of one order."""
    return AccountId(sibling(order_id, "esc"))


def order_of_escrow(account: AccountId) -> OrderId | None:
    """The order whose money an account holds, if it is an escrow."""
    return OrderId(sibling(account, "ord")) if account.startswith("esc_") else None


def payment_of_clearing(account: AccountId) -> PaymentId | None:
    """The payment whose parts meet in an account, if it is a clearing account."""
    return PaymentId(sibling(account, "pay")) if account.startswith("clr_") else None


def clearing_account(payment_id: PaymentId) -> AccountId:
    """Where the parts of a payment over several tenders meet; it is empty and closed when the payment has ended."""
    return AccountId(sibling(payment_id, "clr"))


def commission_account(currency: str) -> AccountId:
    """What the marketplace has earned."""
    return AccountId(f"acc_commission{currency.lower()}")


def difference_account(currency: str) -> AccountId:
    """What imported payments differ from their orders."""
    return AccountId(f"acc_difference{currency.lower()}")


def promotions_account(currency: str) -> AccountId:
    """What the marketplace has set aside for discounts."""
    return AccountId(f"acc_promotions{currency.lower()}")


def channel_account(channel: str, currency: str) -> AccountId:
    """What a channel has collected for us and not yet handed over."""
    return AccountId(f"acc_channel{channel}{currency.lower()}")


def returning_account(channel: str, currency: str) -> AccountId:
    """What is on its way back to payers over a channel; zero when nothing is."""
    return AccountId(f"acc_returning{channel}{currency.lower()}")


def step_id(of: str, step: str, number: int = 0) -> TransferId:
    """The id of a posting: one step of the story of a payment, a charge, an order or a refund, so that it can happen once only.

    A number below 10 tells several of one kind apart; the ledger appends three digits more for each transfer.
    """
    return TransferId(f"{sibling(of, step)}{number}")


def charge_reference(payment_id: PaymentId, number: int) -> str:
    """The name by which a channel knows a charge."""
    return f"{sibling(payment_id, 'chg')}{number:02d}"


DIFFERENCE_NUMBER = 99
"""Of the charge for what a channel collected beyond an imported payment's orders."""


def payment_of_reference(reference: str) -> PaymentId:
    """The payment that a charge belongs to, if there is one."""
    return PaymentId(sibling(reference[:-2], "pay"))


def request_id(refund_id: str, number: int) -> str:
    """The name by which a channel knows one piece of a refund: the same however often it is asked."""
    return f"{sibling(refund_id, 'req')}{number:02d}"


def return_id(reference: str) -> str:
    """The name by which a channel knows the return of a whole charge, one that it collected for nothing."""
    return sibling(reference, "ret")


# Decisions


def total(currency: str, amounts: Sequence[Money]) -> Money:
    """The sum of amounts of one currency."""
    return sum(amounts, zero(currency))


def check_tenders(parts: Sequence[PartOfPayment], tenders: Sequence[Tender], *, is_system: bool) -> str:
    """The currency of a payment, when its tenders are what its orders cost: one currency, nothing empty, the same sum."""
    currencies, orders, kinds, asked, given = set(), set(), set(), 0, 0
    for part in parts:
        currencies.add(part.whole.currency)
        orders.add(part.order_id)
        asked += part.amount.amount
    for tender in tenders:
        kind, amount = tender.kind, tender.amount
        currencies.add(amount.currency)
        given += amount.amount
        if flaw := _flaw(kind, amount, tender.channel, is_system=is_system, is_second=kind in kinds):
            raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, flaw)
        kinds.add(kind)
    if len(currencies) != 1:
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, "a payment is in one currency")
    currency = currencies.pop()
    if len(orders) != len(parts):
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, "an order is paid once")
    if asked != given:
        raise Refused(PaymentRefusal.TENDERS_DO_NOT_MATCH, f"{given} for {asked} {currency}")
    return currency


def _flaw(kind: TenderKind, amount: Money, channel: str, *, is_system: bool, is_second: bool) -> str:
    """What is wrong with one tender by itself; nothing when it is sound."""
    if not amount.amount:
        return "a tender of nothing"
    if (kind is TenderKind.CHANNEL) != bool(channel):
        return "a channel tender names its channel, and no other does"
    if kind is TenderKind.PROMOTION:
        return "a promotion is no tender"
    if kind is TenderKind.DIFFERENCE and not is_system:
        return "a difference is booked by the cloud alone"
    return "a wallet pays once" if is_second and kind is not TenderKind.CHANNEL else ""


def charges_of(payment_id: PaymentId, tenders: Sequence[Tender]) -> tuple[Charge, ...]:
    """What the channels are asked to collect."""
    collected = [tender for tender in tenders if tender.kind is TenderKind.CHANNEL]
    return tuple(
        Charge(reference=charge_reference(payment_id, number), channel=tender.channel, amount=tender.amount)
        for number, tender in enumerate(collected)
    )


def fund(payment: Payment) -> list[tuple[Funding, ...]]:
    """How much of each order each tender pays.

    Tender by tender, each is split over what the orders still cost (largest remainder), so the last pays exactly what is left:
    for each tender the orders' shares add up to it, for each order the tenders' shares do. What the marketplace pays comes on top.
    """
    if len(payment.tenders) == 1:
        tender, reference = payment.tenders[0], payment.charges[0].reference if payment.charges else ""
        return [_whole(tender, reference, part.amount) + _promoted(part) for part in payment.parts]
    left = [part.amount.amount for part in payment.parts]
    shares: list[list[Funding]] = [[] for _ in payment.parts]
    charges = iter(payment.charges)
    for tender in payment.tenders:
        reference = next(charges).reference if tender.kind is TenderKind.CHANNEL else ""
        for number, share in enumerate(split(tender.amount, left)):
            left[number] -= share.amount
            if share:
                shares[number].append(Funding(kind=tender.kind, amount=share, channel=tender.channel, reference=reference))
    invariant(not any(left), "the tenders pay the orders to the last unit")
    return [tuple(of_one) + _promoted(part) for of_one, part in zip(shares, payment.parts, strict=True)]


def _promoted(part: PartOfPayment) -> tuple[Funding, ...]:
    return (Funding(kind=TenderKind.PROMOTION, amount=part.promoted),) if part.promoted else ()


def _whole(tender: Tender, reference: str, amount: Money) -> tuple[Funding, ...]:
    return (Funding(kind=tender.kind, amount=amount, channel=tender.channel, reference=reference),) if amount else ()


def settle(escrow: Escrow, commission: Money) -> Settlement:
    """Divide what is held between the shop and the marketplace."""
    if escrow.state is EscrowState.SETTLED:
        raise Refused(PaymentRefusal.ESCROW_SETTLED)
    if escrow.state is not EscrowState.HELD:
        raise Refused(PaymentRefusal.ESCROW_NOT_HELD, escrow.state)
    if commission.currency != escrow.held.currency or commission > escrow.held:
        raise Refused(PaymentRefusal.EXCEEDS_HELD, f"{commission} of {escrow.held}")
    return Settlement(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=escrow.held - commission, commission=commission)


def refund(escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """Divide a refund over the tenders the order was paid by, in proportion to what is left of each (largest remainder).

    So no tender ever gets back more than it gave, whatever refunds came before and in whatever order. What the marketplace paid
    for a discount goes back to it on top, so that it always has as large a part of its own back as the tenders have of theirs.
    """
    if escrow.state is EscrowState.SETTLED:
        raise Refused(PaymentRefusal.ESCROW_SETTLED)
    if escrow.state is not EscrowState.HELD:
        raise Refused(PaymentRefusal.ESCROW_NOT_HELD, escrow.state)
    return divided(escrow, refund_id, amount, beyond=PaymentRefusal.EXCEEDS_HELD)


def divided(escrow: Escrow, refund_id: RefundId, amount: Money, *, beyond: PaymentRefusal) -> Refund:
    """A refund over the tenders, whoever has the money now; `beyond` is how more than is left is refused."""
    lefts = [0 if funding.kind is TenderKind.PROMOTION else funding.left for funding in escrow.funding]
    left = Money(amount=sum(lefts), currency=escrow.held.currency)
    if not amount and (left or not escrow.left):
        raise Refused(PaymentRefusal.AMOUNT_OUT_OF_RANGE, "a refund of nothing")
    if amount.currency != left.currency or amount > left:
        raise Refused(beyond, f"{amount} of {left}")
    shares = split(amount, lefts)
    if left != escrow.left:
        shares = [share + _of_promotion(escrow, funding, left - amount) for funding, share in zip(escrow.funding, shares, strict=True)]
    pieces = tuple(
        RefundPiece(
            kind=funding.kind,
            amount=share,
            state=PieceState.PENDING if funding.kind is TenderKind.CHANNEL else PieceState.DONE,
            channel=funding.channel,
            reference=funding.reference,
            request=request_id(refund_id, number) if funding.kind is TenderKind.CHANNEL else "",
        )
        for number, (funding, share) in enumerate(zip(escrow.funding, shares, strict=True))
        if share
    )
    return Refund(id=refund_id, order_id=escrow.order_id, payer=escrow.payer, amount=amount, state=_refund_state(pieces), pieces=pieces)


def _of_promotion(escrow: Escrow, funding: Funding, left: Money) -> Money:
    """What goes back to the marketplace when so much is left of the tenders: it keeps the same share of what it paid (half up) in there.

    Reckoned from what was paid, and not from the refund before, so that whoever knows how much is left knows what is held.
    """
    if funding.kind is not TenderKind.PROMOTION:
        return zero(left.currency)
    paid = sum(one.amount.amount for one in escrow.funding if one.kind is not TenderKind.PROMOTION)
    kept = share_of(funding.amount, parts=left.amount, of=paid) if paid else zero(left.currency)
    return Money(amount=funding.left, currency=left.currency) - kept


def _refund_state(pieces: Sequence[RefundPiece]) -> RefundState:
    return RefundState.PENDING if any(piece.state is PieceState.PENDING for piece in pieces) else RefundState.DONE


def after_refund(escrow: Escrow, refunded: Refund) -> Escrow:
    """What is held after a refund, and what each tender has had back; one that has been settled stays so."""
    by_tender = {(piece.kind, piece.reference): piece.amount.amount for piece in refunded.pieces}
    funding = tuple(replace(one, returned=one.returned + by_tender.get((one.kind, one.reference), 0)) for one in escrow.funding)
    invariant(all(one.left >= 0 for one in funding), "no tender has more back than it gave")
    after = replace(escrow, funding=funding)
    invariant(after.left == escrow.left - refunded.whole, "what is left is what the tenders have not had back")
    if escrow.state is EscrowState.SETTLED:
        return after
    held = escrow.held - refunded.whole
    invariant(after.left == held, "what is held is what the tenders have not had back")
    return replace(after, held=held, state=EscrowState.HELD if held else EscrowState.RETURNED)


def after_piece(refunded: Refund, request: str, state: PieceState) -> Refund:
    """A refund when a channel has said what became of one piece."""
    pieces = tuple(replace(piece, state=state) if piece.request == request else piece for piece in refunded.pieces)
    return replace(refunded, pieces=pieces, state=_refund_state(pieces))


def on_its_way(payments: Sequence[Payment], refunds: Sequence[Refund]) -> list[Money]:
    """What channels have yet to collect, or to give back, of these."""
    charges = [
        charge.amount
        for payment in payments
        for charge in payment.charges
        if payment.state is PaymentState.PENDING or charge.state is ChargeState.RETURNING
    ]
    return charges + [piece.amount for refund in refunds for piece in refund.pieces if piece.state is PieceState.PENDING]


# Channels


class Outcome(StrEnum):
    """What a channel says became of a charge, of a refund or of a payout."""

    CAPTURED = "captured"
    DECLINED = "declined"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REFUND_REFUSED = "refund_refused"
    PAID_OUT = "paid_out"
    PAYOUT_REFUSED = "payout_refused"
    WAITING = "waiting"
    """Nothing yet; only ever the answer to a question."""
    UNKNOWN = "unknown"
    """It has not heard of it; only ever the answer to a question."""


class Told(Protocol):
    """What a channel says, as its adapter has read it.

    `merchant` is whom the channel believes it collects for; `request` is the id of a refund piece, empty for a charge; `event`
    names the saying itself.
    """

    @property
    def event(self) -> str: ...  # noqa: D102 - said above
    @property
    def merchant(self) -> str: ...  # noqa: D102 - said above
    @property
    def reference(self) -> str: ...  # noqa: D102 - said above
    @property
    def request(self) -> str: ...  # noqa: D102 - said above
    @property
    def outcome(self) -> str: ...  # noqa: D102 - said above
    @property
    def amount(self) -> Money: ...  # noqa: D102 - said above


class BankAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where money is paid out to; personal, so it is kept under seal."""

    bank: Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, examples=["中国工商银行"])]
    holder: Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, description="Whose account it is.", examples=["林美"])]
    number: Annotated[str, Meta(pattern=r"^[0-9A-Z]{6,34}(?![\s\S])", description="Digits, or an IBAN.", examples=["6222020200012345678"])]


Flaw = Literal["", "forged", "stale", "malformed"]
Asked = Literal["accepted", "refused", "unreachable"]


class Channel(Protocol):
    """Somebody else's payment service, as an adapter shows it.

    The first three methods are pure and quick, and are called in transactions; the others talk to the outside and are called
    by couriers alone.
    """

    @property
    def merchant(self) -> str:
        """Who we are to the channel."""
        ...

    @property
    def headers(self) -> tuple[str, ...]:
        """The names, in lower case, of the headers of a notification that `flaw` looks at; the edge hands on these and no others."""
        ...

    def redirect(self, reference: str, amount: Money, *, due: int) -> str:
        """The address of the page on which a payer approves a charge: signed, so that nobody can change what it says."""
        ...

    def flaw(self, body: bytes, headers: Mapping[str, str], *, now: int) -> Flaw:
        """What is wrong with a notification: nothing, not signed by the channel, signed too long ago, or not readable."""
        ...

    def read(self, body: bytes) -> Told:
        """What a notification without flaw says."""
        ...

    async def refund(self, request: str, reference: str, amount: Money) -> Asked:
        """Ask for a part of a charge to be given back; the same request asked again changes nothing."""
        ...

    async def verify(self, request: str, account: BankAccount) -> Asked:
        """Ask whether a bank account is there and its holder's: `accepted` when it is; the same request again is answered the same."""
        ...

    async def pay_out(self, request: str, account: BankAccount, amount: Money) -> Asked:
        """Ask for money to be paid to a bank account; the same request asked again changes nothing."""
        ...

    async def query(self, reference: str, request: str = "") -> Told | None:
        """Ask what became of a charge, of a refund, or of a payout (both are its id); nothing when the channel cannot be reached."""
        ...


class Channels(Struct, frozen=True):
    """The channels that this cloud takes, by name: a port."""

    by_name: Mapping[str, Channel]

    def named(self, name: str) -> Channel:
        """The channel with a name."""
        channel = self.by_name.get(name)
        if channel is None:
            raise Refused(PaymentRefusal.CHANNEL_UNKNOWN, name)
        return channel


class Mismatch(StrEnum):
    """Why a genuine notification was not believed."""

    CHARGE_UNKNOWN = "charge_unknown"
    CHANNEL_DIFFERS = "channel_differs"
    MERCHANT_DIFFERS = "merchant_differs"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    CONTRADICTS = "contradicts"
    """It says that something was not collected, or not given back, of which the channel has said the opposite before."""


def mismatch(told: Told, *, channel: str, merchant: str, known_channel: str | None, amount: Money | None) -> Mismatch | None:
    """Compare what a channel says with what it was asked for."""
    if known_channel is None or amount is None:
        return Mismatch.CHARGE_UNKNOWN
    if known_channel != channel:
        return Mismatch.CHANNEL_DIFFERS
    if told.merchant != merchant:
        return Mismatch.MERCHANT_DIFFERS
    if told.amount.currency != amount.currency:
        return Mismatch.CURRENCY_DIFFERS
    if told.amount != amount:
        return Mismatch.AMOUNT_DIFFERS
    return None


class NotificationTaken(Struct, frozen=True, kw_only=True):
    """What a genuine notification is answered with, every time it comes: that it need not come again."""

    event: str
    believed: bool


class Alert(Struct, frozen=True, kw_only=True):
    """A genuine notification that did not match: somebody has to look at it."""

    id: str
    channel: str
    event: str
    reason: Mismatch
    reference: str
    outcome: str
    amount: Money
    at: int
    resolved_at: int = 0


CHECKS_MS = (60_000, 300_000, 900_000)
"""When a channel that has said nothing about a charge is asked, counted from the start of the payment."""
CHECKS_AFTER_DUE_MS = (0, 600_000, 86_400_000)
"""The same, counted from when it was due: money may have been collected at the last moment, and the notification lost."""


def next_check(payment: Payment, now: int) -> int | None:
    """When a payment is looked at next: at its checks before it is due, when it is due, and twice after; then never."""
    moments = [payment.started_at + wait for wait in CHECKS_MS if payment.started_at + wait < payment.due]
    moments += [payment.due + wait for wait in CHECKS_AFTER_DUE_MS]
    return next((moment for moment in moments if moment > now), None)
