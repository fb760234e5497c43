"""What becomes of an order whose money a provider will not keep much longer: what has left is the shop's, what has not goes back."""

from yunduan.domains.orders import store
from yunduan.domains.orders.commands import call_off_unshipped
from yunduan.domains.orders.dispatch import UNSHIPPED
from yunduan.domains.orders.model import OrderState, Who
from yunduan.domains.orders.receiving import receive
from yunduan.domains.orders.resending import settle_all
from yunduan.kernel.ids import OrderId
from yunduan.runtime.transaction import Tx


class OrderHolds:
    """What becomes of orders when a provider's hold ends: implements `payments.model.HoldListener`."""

    def ends(self, tx: Tx, order_id: OrderId) -> None:
        """A case that is open about goods that have left stays open: what it comes to is drawn as after any settlement.

        What has come back to the shop is paid back first.
        """
        order = tx.get(store.ORDER, order_id)
        if order is not None and order.state in UNSHIPPED:
            order = call_off_unshipped(tx, order, Who.CLOUD)
        if order is not None:
            order = settle_all(tx, order)
        if order is not None and order.state is OrderState.SHIPPED:
            receive(tx, order, Who.CLOUD)
