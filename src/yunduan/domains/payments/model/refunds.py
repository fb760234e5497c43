"""What goes back of an order, divided over the tenders that it came from."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.payments.model.custody import Custody
from yunduan.domains.payments.model.escrows import Escrow, EscrowState, Funding, check_held
from yunduan.domains.payments.model.naming import request_id
from yunduan.domains.payments.model.paying import ChargeState, Payment, PaymentState, TenderKind, total
from yunduan.domains.payments.model.refusals import PaymentRefusal
from yunduan.kernel.ids import OrderId, PersonId, RefundId
from yunduan.kernel.money import Money, split, zero
from yunduan.kernel.money import share as share_of
from yunduan.kernel.refusals import Refused, invariant


class RefundState(StrEnum):
    """Where a refund is."""

    PENDING = "pending"
    """A channel has yet to confirm its part."""
    UNCLAIMED = "unclaimed"
    """A channel would not take a part of it back: whoever had paid has to say where it goes."""
    DONE = "done"


class PieceState(StrEnum):
    """Where one tender's piece of a refund is."""

    PENDING = "pending"
    DONE = "done"
    UNCLAIMED = "unclaimed"
    """The channel refused to give it back: it is owed to the payer, who is asked where it goes."""
    LEAVING = "leaving"
    """It is being paid to the account that the payer has named."""
    DIVERTED = "diverted"
    """The payer has taken it into the wallet."""
    PAID_OUT = "paid_out"
    """It is in that account."""


class RefundPiece(Struct, frozen=True, kw_only=True):
    """What goes back over one tender; `request` is the id under which a channel is asked for it."""

    kind: TenderKind
    amount: Money
    state: PieceState
    channel: str = ""
    reference: str = ""
    request: str = ""
    custody: Custody = Custody.PLATFORM
    from_bank: int = 0
    """What of it the payer has had from their bank instead, in minor units: the channel had refused it."""

    @property
    def rest(self) -> Money:
        """What of it is where its state says."""
        return self.amount - Money(amount=self.from_bank, currency=self.amount.currency)


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


def refund(escrow: Escrow, refund_id: RefundId, amount: Money) -> Refund:
    """Divide a refund over the tenders the order was paid by, in proportion to what is left of each (largest remainder).

    So no tender ever gets back more than it gave, whatever refunds came before and in whatever order. What the marketplace paid
    for a discount goes back to it on top, so that it always has as large a part of its own back as the tenders have of theirs.
    """
    check_held(escrow)
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
            custody=funding.custody,
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
    states = {piece.state for piece in pieces}
    if PieceState.UNCLAIMED in states:
        return RefundState.UNCLAIMED
    return RefundState.DONE if states.isdisjoint({PieceState.PENDING, PieceState.LEAVING}) else RefundState.PENDING


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


def after_piece(refunded: Refund, request: str, state: PieceState, *, from_bank: int = 0) -> Refund:
    """A refund when something has become of one piece, so much more of which the payer has had from their bank."""
    pieces = tuple(
        replace(piece, state=state, from_bank=piece.from_bank + from_bank) if piece.request == request else piece
        for piece in refunded.pieces
    )
    return replace(refunded, pieces=pieces, state=_refund_state(pieces))


def on_its_way(payments: Sequence[Payment], refunds: Sequence[Refund]) -> list[Money]:
    """What channels have yet to collect, or to give back, of these, and what is owed to whoever has not said where it goes.

    What is being paid to their account is a payout, and counted as that.
    """
    charges = [
        charge.rest
        for payment in payments
        for charge in payment.charges
        if payment.state is PaymentState.PENDING or charge.state in (ChargeState.RETURNING, ChargeState.UNCLAIMED)
    ]
    return charges + [piece.rest for refund in refunds for piece in refund.pieces if piece.state in _OWED]


_OWED = (PieceState.PENDING, PieceState.UNCLAIMED)
