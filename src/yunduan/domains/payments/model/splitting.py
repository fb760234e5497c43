"""How an order's money is divided when a provider keeps a part of it: each keeper's part by itself, to the last unit."""

from collections.abc import Sequence

from msgspec.structs import replace

from yunduan.domains.payments.model.custody import Custody, Split, SplitState, split_id
from yunduan.domains.payments.model.escrows import Escrow, Funding, Settlement
from yunduan.domains.payments.model.paying import Payment, total
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import invariant


def kept_by_providers(escrow: Escrow) -> list[tuple[int, Funding]]:
    """What providers keep of an order, by the places of what funded it."""
    return [(place, one) for place, one in enumerate(escrow.funding) if one.custody is Custody.PROVIDER]


def left_with_providers(escrow: Escrow) -> Money:
    """How much of what has not gone back came to providers."""
    return Money(amount=sum([one.left for _, one in kept_by_providers(escrow)]), currency=escrow.held.currency)


def splits_of(escrow: Escrow, settlement: Settlement, *, now: int) -> tuple[Split, ...]:
    """What providers are asked to do to settle an order: one split for each charge that still has money of it there.

    The commission is divided over all keepers by what each has (largest remainder), so that each part can be undone by itself.
    """
    kept = [(place, one) for place, one in kept_by_providers(escrow) if one.left]
    if not kept:
        return ()
    invariant(escrow.left == escrow.held, "what is held is what the tenders have not had back")
    _, *commissions = commission_by_keeper(escrow, settlement.commission, [one for _, one in kept])
    currency = escrow.held.currency
    return tuple(
        Split(
            id=split_id(escrow.order_id, place),
            order_id=escrow.order_id,
            shop_id=escrow.shop_id,
            channel=one.channel,
            reference=one.reference,
            to_shop=Money(amount=one.left, currency=currency) - commission,
            to_marketplace=commission,
            state=SplitState.ASKED,
            at=now,
        )
        for (place, one), commission in zip(kept, commissions, strict=True)
    )


def split_anew(splits: Sequence[Split], wholes: Sequence[Money], *, held: Money, commission: Money) -> list[Split]:
    """Splits of which so much each is still to be divided, of all that is held; one that has nothing to divide any more is void."""
    _, *commissions = split(commission, [(held - total(held.currency, wholes)).amount, *[whole.amount for whole in wholes]])
    return [
        replace(one, to_shop=whole - part, to_marketplace=part) if whole else replace(one, state=SplitState.VOID)
        for one, whole, part in zip(splits, wholes, commissions, strict=True)
    ]


def commission_by_keeper(escrow: Escrow, commission: Money, kept: Sequence[Funding]) -> list[Money]:
    """The commission on what the marketplace keeps itself, and on each part that a provider keeps."""
    lefts = [one.left for one in kept]
    return split(commission, [escrow.held.amount - sum(lefts), *lefts])


def held_until(payment: Payment, funding: Sequence[Funding]) -> int:
    """Until when providers keep what they have collected of an order: the first of them; 0 when none does."""
    if not payment.charges:
        return 0
    charges = [payment.charge(one.reference) for one in funding if one.custody is Custody.PROVIDER]
    return min([charge.held_until for charge in charges if charge is not None and charge.held_until], default=0)
