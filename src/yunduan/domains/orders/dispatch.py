"""Until when a paid order has to leave its shop; pure, no input or output."""

from msgspec import Struct

from yunduan.domains.orders.model import Order, OrderSettings, OrderState

DAY_MS = 86_400_000
UNSHIPPED = (OrderState.PAID, OrderState.PARTLY_SHIPPED)


class DispatchMark(Struct, frozen=True, gc=False):
    """Through which order (`seq`) it was looked for what has not left, and when that is done next; 0 when nothing is left to look at."""

    name: str
    through: int
    next_at: int


def allowed_ms(settings: OrderSettings) -> int:
    """How long after its payment an order may wait to be shipped."""
    return settings.dispatch_days * DAY_MS


def warned_ms(settings: OrderSettings) -> int:
    """How long before that its shop is reminded: a tenth of it."""
    return allowed_ms(settings) // 10


def dispatch_by(order: Order, settings: OrderSettings) -> int:
    """Until when what has not left has to; 0 when nothing is waited for, or the order has dates of its own, as those of an import have."""
    progress = order.progress
    if order.state not in UNSHIPPED or progress.only_by_hand:
        return 0
    return (progress.dispatch_by or progress.paid_at + allowed_ms(settings)) + progress.stood_ms


def stood_ms(order: Order, settings: OrderSettings, *, now: int) -> int:
    """How much longer it has to leave when nothing is contested any more: as long as it stood still, and enough to be reminded again."""
    progress = order.progress
    since = progress.contested_at or now  # of one that was contested before that was kept, nobody knows
    return progress.stood_ms + now - since + warned_ms(settings)


def may_wait_longer(order: Order) -> bool:
    """Whether the buyer may still agree to wait longer: once."""
    progress = order.progress
    return order.state in UNSHIPPED and not progress.only_by_hand and not progress.dispatch_by
