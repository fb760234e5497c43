"""What a shop says of where its parcels come from: it stands on its papers."""

import msgspec

from yunduan.domains.catalog import store, store_rulings
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.catalog.queries import SenderNow
from yunduan.domains.catalog.store_senders import SENDER, Sender
from yunduan.domains.identity.commands.addresses import checked
from yunduan.domains.identity.model import IdentityRefusal, Postal
from yunduan.kernel.ids import ShopId
from yunduan.kernel.messages import Command
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class KeepSender(
    Command[SenderNow],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        IdentityRefusal.CONTACT_INVALID,
        IdentityRefusal.COUNTRY_UNKNOWN,
        IdentityRefusal.REGION_UNKNOWN,
    },
):
    """Say where a shop's parcels come from, whom to ask for there, and by which telephone: waybills and packing slips say so."""

    shop_id: ShopId
    address: Postal


class RemoveSender(Command[SenderNow], refuses={CatalogRefusal.SHOP_NOT_FOUND}):
    """Have papers say no more than a shop's name and the place of its location; harmless when they do."""

    shop_id: ShopId


@handles(KeepSender)
def keep_sender(tx: Tx, ask: KeepSender) -> SenderNow:
    """As it is written, with the telephone in its one form; sealed under the key of the person whose shop it is."""
    shop = store.shop(tx, ask.shop_id)
    postal, _ = checked(ask.address)
    sealed = store_rulings.vault(tx).seal(shop.owner_id, msgspec.json.encode(postal).decode())
    change = tx.add if tx.get(SENDER, shop.id) is None else tx.put
    change(SENDER, shop.id, Sender(shop.id, shop.owner_id, sealed, tx.now))
    return SenderNow(shop_id=shop.id, address=postal)


@handles(RemoveSender)
def remove_sender(tx: Tx, ask: RemoveSender) -> SenderNow:
    """What was sealed goes."""
    shop = store.shop(tx, ask.shop_id)
    found = tx.get(SENDER, shop.id)
    if found is not None and found.sealed:
        tx.put(SENDER, shop.id, Sender(shop.id, found.person, b"", tx.now))
    return SenderNow(shop_id=shop.id, address=None)
