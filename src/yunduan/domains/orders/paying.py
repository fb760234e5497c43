"""What becomes of orders when channels speak: paid in time, not paid, or paid late, and standing again where everything is there."""

from collections.abc import Sequence

from yunduan.domains.catalog.commands import CanRetake, RetakeStock
from yunduan.domains.orders import limiting, model, queries, store
from yunduan.domains.orders.commands import call_off, orders_of, sold_lines, wait_no_more
from yunduan.domains.orders.dispatching import await_dispatch
from yunduan.domains.orders.facts import OrderPaid
from yunduan.domains.orders.model import Order, OrderState, Step, Who
from yunduan.domains.orders.steps import moved
from yunduan.kernel.ids import CheckoutId
from yunduan.kernel.money import Money
from yunduan.runtime.transaction import Tx


class OrderPayments:
    """What becomes of orders when payments hear from a channel: implements `payments.model.PaymentListener`."""

    def paid(self, tx: Tx, checkout_id: CheckoutId) -> None:
        """The escrows are funded: the orders are paid."""
        orders = orders_of(tx, checkout_id)
        wait_no_more(tx, orders)
        for order in orders:
            _tell_paid(tx, moved(tx, order, Step.PAY, Who.CLOUD, paid_at=tx.now), late=False)

    def not_paid(self, tx: Tx, checkout_id: CheckoutId) -> None:
        """The payment came to nothing: so do the orders."""
        call_off(tx, [order for order in orders_of(tx, checkout_id) if order.state is OrderState.PLACED], Step.LAPSE, Who.CLOUD)

    def paid_late(self, tx: Tx, checkout_id: CheckoutId) -> bool:
        """The orders that have lapsed stand again at the price that was agreed, all of them or none."""
        orders = orders_of(tx, checkout_id)
        if not _can_stand_again(tx, orders):
            return False
        for order in orders:
            country, region = queries.reckoned_by(tx, order)
            tx.send(RetakeStock(hold_id=model.hold_of(order.id), country=country, region=region))
            limiting.count_again(tx, order)
            again = moved(tx, order, Step.RETAKE, Who.CLOUD, paid_at=tx.now, ended_at=0)
            await_dispatch(tx, again, now=tx.now)
            _tell_paid(tx, again, late=True)
        return True


def _can_stand_again(tx: Tx, orders: Sequence[Order]) -> bool:
    """Whether all have lapsed unpaid, can still be sent to their buyer, and are within what a buyer may have; and the goods are there."""
    if not orders or any(order.state is not OrderState.CANCELLED or order.progress.paid_at for order in orders):
        return False
    if any(queries.destination(tx, order) is None or not limiting.fits_again(tx, order) for order in orders):
        return False
    return all(_is_there(tx, order) for order in orders)


def _is_there(tx: Tx, order: Order) -> bool:
    """Each is of another shop, so none takes what another needs."""
    country, region = queries.reckoned_by(tx, order)
    return tx.ask(CanRetake(hold_id=model.hold_of(order.id), country=country, region=region))


def _tell_paid(tx: Tx, order: Order, *, late: bool) -> None:
    lines, total = sold_lines(store.terms(order).items), Money(amount=order.total, currency=order.currency)
    tx.tell(OrderPaid(order_id=order.id, buyer=order.buyer, shop_id=order.shop_id, lines=lines, total=total, at_once=False, late=late))
