"""Who waits for a shop that is on holiday: their buyers are told, some orders at a time."""

from yunduan.domains.catalog.queries import TermsOf
from yunduan.domains.orders import store
from yunduan.domains.orders.facts import OrderWaits
from yunduan.domains.orders.model import OrderState
from yunduan.kernel.ids import LAST, OrderId, ShopId
from yunduan.kernel.messages import Command
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

AT_ONCE = 100
"""Orders told of in one transaction."""
WAITING = (OrderState.PAID, OrderState.PARTLY_SHIPPED)


class TellWaiting(Command[None]):
    """Tell that orders wait for a shop to come back. An alarm; harmless when the shop has said otherwise since."""

    shop_id: ShopId
    back_at: int
    before: OrderId | None = None


@handles(TellWaiting)
def tell_waiting(tx: Tx, ask: TellWaiting) -> None:
    """The latest first; each order once, whatever is shipped in between."""
    if tx.ask(TermsOf(shop_id=ask.shop_id)).away_until != ask.back_at:
        return
    found = store.page_of_shop(tx, ask.shop_id, WAITING, ask.before or LAST, AT_ONCE)
    for order in tx.get_many(store.ORDER, found).values():
        if order.state in WAITING:
            tx.tell(OrderWaits(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, back_at=ask.back_at))
    if len(found) == AT_ONCE:
        tx.at(tx.now, TellWaiting(shop_id=ask.shop_id, back_at=ask.back_at, before=found[-1]))
