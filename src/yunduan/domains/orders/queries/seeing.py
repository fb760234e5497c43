"""Who sees an order, and what of its buyer is opened."""

import msgspec

from yunduan.domains.identity.model import Postal, ShopRole, Vault
from yunduan.domains.orders import store
from yunduan.domains.orders.model import (
    LineNote,
    Order,
    OrderRefusal,
    Terms,
)
from yunduan.kernel.ids import (
    OrderId,
    ShopId,
)
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.transaction import Asking

SHIPS = (ShopRole.OWNER, ShopRole.MANAGER, ShopRole.PACKER)
"""Who in a shop sees where a parcel goes."""
_postal = msgspec.json.Decoder(Postal).decode
_line_notes = msgspec.json.Decoder(tuple[LineNote, ...]).decode


def seen(at: Asking, order: Order | None) -> Order:
    """An order that its buyer, or an operator, asks for."""
    if order is None or not (at.actor.owns(order.buyer) or at.actor.operates()):
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
