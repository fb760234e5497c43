"""The money of an order while it is held, who paid how much of it, and how it is divided when it is settled."""

from enum import StrEnum

from msgspec import Struct

from yunduan.domains.payments.model.accounts import escrow_account
from yunduan.domains.payments.model.custody import Custody
from yunduan.domains.payments.model.paying import Charge, PartOfPayment, Payment, Tender, TenderKind
from yunduan.domains.payments.model.refusals import PaymentRefusal
from yunduan.kernel.ids import AccountId, OrderId, PaymentId, PersonId, ShopId
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import Refused, invariant


class EscrowState(StrEnum):
    """Where the money of an order is."""

    HELD = "held"
    SPLITTING = "splitting"
    """The provider that keeps it has been asked to divide it between the shop and the marketplace."""
    SETTLED = "settled"
    """The shop has it."""
    RETURNED = "returned"
    """The buyer has all of it back."""


class Funding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of an order one tender paid, and how much of that went back; `reference` is the charge of a channel tender."""

    kind: TenderKind
    amount: Money
    channel: str = ""
    reference: str = ""
    returned: int = 0
    custody: Custody = Custody.PLATFORM

    @property
    def left(self) -> int:
        """What could still go back, in minor units."""
        return self.amount.amount - self.returned


class Escrow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The money of one order that has been paid: `held` is what is left in its account.

    `contested` (minor units) is what the payer's bank has taken back of it while nobody has decided: no other money of the order moves.
    """

    order_id: OrderId
    shop_id: ShopId
    payment_id: PaymentId
    payer: PersonId
    state: EscrowState
    held: Money
    funding: tuple[Funding, ...]
    contested: int = 0
    commission: Money | None = None
    """What the marketplace gets of it, while the provider is asked to divide it."""
    held_until: int = 0
    """Until when a provider keeps a part of it, in milliseconds since 1970; 0 when none does."""

    @property
    def account(self) -> AccountId:
        """Its account in the ledger."""
        return escrow_account(self.order_id)

    @property
    def left(self) -> Money:
        """What has not gone back, whoever has it: in the escrow while it is held, with the shop and the marketplace once it is settled."""
        return Money(amount=sum([funding.left for funding in self.funding]), currency=self.held.currency)

    def left_of(self, place: int) -> Money:
        """The same of one of what funded it."""
        return Money(amount=self.funding[place].left, currency=self.held.currency)

    @property
    def left_here(self) -> Money:
        """The same of what no provider keeps."""
        lefts = [funding.left for funding in self.funding if funding.custody is Custody.PLATFORM]
        return Money(amount=sum(lefts), currency=self.held.currency)


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


def fund(payment: Payment) -> list[tuple[Funding, ...]]:
    """How much of each order each tender pays.

    Tender by tender, each is split over what the orders still cost (largest remainder), so the last pays exactly what is left:
    for each tender the orders' shares add up to it, for each order the tenders' shares do. What the marketplace pays comes on top.
    """
    if len(payment.tenders) == 1:
        tender, charge = payment.tenders[0], payment.charges[0] if payment.charges else None
        return [_whole(tender, part.amount, charge) + _promoted(part) for part in payment.parts]
    left = [part.amount.amount for part in payment.parts]
    shares: list[list[Funding]] = [[] for _ in payment.parts]
    charges = iter(payment.charges)
    for tender in payment.tenders:
        charge = next(charges) if tender.kind is TenderKind.CHANNEL else None
        for number, share in enumerate(split(tender.amount, left)):
            left[number] -= share.amount
            if share:
                shares[number].append(_funded(tender, share, charge))
    invariant(not any(left), "the tenders pay the orders to the last unit")
    return [tuple(of_one) + _promoted(part) for of_one, part in zip(shares, payment.parts, strict=True)]


def _promoted(part: PartOfPayment) -> tuple[Funding, ...]:
    return (Funding(kind=TenderKind.PROMOTION, amount=part.promoted),) if part.promoted else ()


def _whole(tender: Tender, amount: Money, charge: Charge | None) -> tuple[Funding, ...]:
    return (_funded(tender, amount, charge),) if amount else ()


def _funded(tender: Tender, amount: Money, charge: Charge | None) -> Funding:
    if charge is None:
        return Funding(kind=tender.kind, amount=amount, channel=tender.channel)
    return Funding(kind=tender.kind, amount=amount, channel=tender.channel, reference=charge.reference, custody=charge.custody)


def check_held(escrow: Escrow) -> None:
    """Refuse an escrow whose money has gone, or is being divided by the provider that keeps it."""
    if escrow.state is EscrowState.SPLITTING:
        raise Refused(PaymentRefusal.BEING_SPLIT)
    if escrow.state is EscrowState.SETTLED:
        raise Refused(PaymentRefusal.ESCROW_SETTLED)
    if escrow.state is not EscrowState.HELD:
        raise Refused(PaymentRefusal.ESCROW_NOT_HELD, escrow.state)


def settle(escrow: Escrow, commission: Money) -> Settlement:
    """Divide what is held between the shop and the marketplace."""
    check_held(escrow)
    if commission.currency != escrow.held.currency or commission > escrow.held:
        raise Refused(PaymentRefusal.EXCEEDS_HELD, f"{commission} of {escrow.held}")
    return Settlement(order_id=escrow.order_id, shop_id=escrow.shop_id, to_shop=escrow.held - commission, commission=commission)
