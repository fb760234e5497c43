"""Who sees an order, and what of its buyer is opened."""

import msgspec

from yunduan.domains.identity.model import OperatorRole, Postal, ShopRole, Vault
from yunduan.domains.orders import store
from yunduan.domains.orders.model import (
    LineNote,
    Order,
    OrderRefusal,
    Terms,
)
from yunduan.kernel.ids import (
    OrderId,
    PersonId,
    ShopId,
)
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.transaction import Asking

SHIPS = (ShopRole.OWNER, ShopRole.MANAGER, ShopRole.PACKER)
"""Who in a shop sees where a parcel goes."""
FOLLOWS = (*SHIPS, ShopRole.SERVICE)
"""Who in a shop follows parcels on their way: who ships, and who answers buyers."""
LOOKS_INTO = (OperatorRole.ADMIN, OperatorRole.SERVICE, OperatorRole.RISK, OperatorRole.FINANCE)
"""Which operators look at single orders and cases; an analyst looks at many, and at nobody's in particular."""
_postal = msgspec.json.Decoder(Postal).decode
_line_notes = msgspec.json.Decoder(tuple[LineNote, ...]).decode


def is_shown(at: Asking, buyer: PersonId) -> bool:
    """Whether somebody's orders and cases are shown to whoever asks: to themselves, and to operators who answer for what goes wrong."""
    return at.actor.owns(buyer) or at.actor.operates(*LOOKS_INTO)


def is_led(at: Asking, order: Order) -> bool:
    """Whether whoever asks may know what leads to where an order goes: its parcels' numbers, and where they are seen."""
    return is_shown(at, order.buyer) or at.actor.serves(order.shop_id, *FOLLOWS)


def seen(at: Asking, order: Order | None) -> Order:
    """An order that its buyer, or an operator, asks for."""
    if order is None or not is_shown(at, order.buyer):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


def of_shop(at: Asking, shop_id: ShopId, id: OrderId) -> Order:
    """An order of this very shop, that its staff ask for."""
    order = at.get(store.ORDER, id)
    if order is None or order.shop_id != shop_id or not at.actor.serves(shop_id):
        raise Refused(OrderRefusal.NOT_FOUND)
    return order


def destination(at: Asking, order: Order) -> Postal | None:
    """Where an order goes; nothing once its buyer has been erased."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    postal = vault.unseal(order.buyer, order.progress.address or store.terms(order).address)
    return _postal(postal) if postal is not None else None


def reckoned_by(at: Asking, order: Order) -> tuple[str, str]:
    """The country and the region, in its one form, that an order goes to; nothing once its buyer has been erased."""
    goes = destination(at, order)
    return (goes.country, region_of(goes.country, goes.region) or "") if goes else ("", "")


def note_of(at: Asking, order: Order, agreed: Terms) -> str | None:
    """What the buyer says to who ships; nothing once the buyer has been erased."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    return vault.unseal(order.buyer, agreed.note) if agreed.note else None


def line_notes_of(at: Asking, order: Order, agreed: Terms) -> tuple[LineNote, ...]:
    """What the buyer says about single lines, likewise."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # the same
    found = vault.unseal(order.buyer, agreed.line_notes) if agreed.line_notes else None
    return _line_notes(found) if found is not None else ()
