"""What every step of an order's life begins and ends with: whose order it is, and what the table of steps makes of it."""

from typing import Any

import msgspec
from msgspec import Struct

from yunduan.domains.identity.model import ShopRole, Vault
from yunduan.domains.orders import model, store
from yunduan.domains.orders.model import Order, OrderRefusal, OrderState, Step, Who
from yunduan.kernel.ids import OrderId, PersonId, ShopId
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Tx

STEP_REFUSALS = frozenset({OrderRefusal.NOT_FOUND, OrderRefusal.OTHER_STATE})


class OrderMoved(Struct, frozen=True, kw_only=True):
    """Where an order stands now."""

    id: OrderId
    state: OrderState


def moved(tx: Tx, order: Order, step: Step, who: Who, **changes: Any) -> Order:
    """The order after a step that the table of steps has; written down."""
    state = model.after(order.id, order.state, step, who)
    after: Order = msgspec.structs.replace(order, state=state, progress=msgspec.structs.replace(order.progress, **changes))
    tx.put(store.ORDER, order.id, after)
    return after


def marked(tx: Tx, order: Order, **changes: Any) -> Order:
    """The order with something kept on it that takes it nowhere; written down."""
    after: Order = msgspec.structs.replace(order, progress=msgspec.structs.replace(order.progress, **changes))
    tx.put(store.ORDER, order.id, after)
    return after


def of_buyer(tx: Tx, id: OrderId) -> Order:
    """The caller's own order."""
    order = tx.get(store.ORDER, id)
    if order is None or not tx.actor.owns(order.buyer):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


def of_shop(tx: Tx, shop_id: ShopId, id: OrderId, *roles: ShopRole) -> Order:
    """An order of this very shop, for its staff in some roles."""
    order = tx.get(store.ORDER, id)
    if order is None or order.shop_id != shop_id or not tx.actor.serves(shop_id, *roles):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


def refuse_own(tx: Tx, person: PersonId, shop_id: ShopId) -> None:
    """Refuse an operator who is that person, or works in that shop."""
    if tx.actor.owns(person) or tx.actor.serves(shop_id):
        raise Refused(OrderRefusal.OWN_MATTER)


def sealed(tx: Tx, person: PersonId, text: str) -> bytes:
    """A text that concerns somebody, under their key; nothing when there is none."""
    if not text:
        return b""
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    return vault.seal(person, text)
