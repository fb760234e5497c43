"""Addresses: sealed as one, with what shipping is reckoned by in clear: the country, and the region where it is one of a list.

Where a country has no list the region is free text, which stays under seal: whoever prices shipping has it opened.
"""

import msgspec

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import people
from yunduan.domains.identity.model import (
    AddressKept,
    IdentityRefusal,
    Postal,
)
from yunduan.domains.identity.store import (
    ADDRESSES,
    KeptAddress,
)
from yunduan.kernel.ids import AddressId, PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import has_list, region_of, regions_of
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class AddAddress(
    Command[AddressKept],
    refuses=(
        IdentityRefusal.PERSON_NOT_FOUND,
        IdentityRefusal.CONTACT_INVALID,
        IdentityRefusal.COUNTRY_UNKNOWN,
        IdentityRefusal.REGION_UNKNOWN,
        IdentityRefusal.ADDRESSES_FULL,
    ),
):
    """Keep an address; the first one is the default. An unknown region of a country that has a list comes with those that there are."""

    address: Postal
    is_default: bool = False


class ChangeAddress(
    Command[AddressKept],
    refuses=(
        IdentityRefusal.ADDRESS_NOT_FOUND,
        IdentityRefusal.CONTACT_INVALID,
        IdentityRefusal.COUNTRY_UNKNOWN,
        IdentityRefusal.REGION_UNKNOWN,
    ),
):
    """Put another address in the place of one; a default stays the default until another one is."""

    address_id: AddressId
    address: Postal
    is_default: bool = False


class RemoveAddress(Command[AddressKept], refuses=(IdentityRefusal.ADDRESS_NOT_FOUND,)):
    """Forget an address; when it was the default, the newest of the others is."""

    address_id: AddressId


@handles(AddAddress)
def add_address(tx: Tx, ask: AddAddress) -> AddressKept:
    """Sealed as one, with what shipping is reckoned by in clear."""
    person = people.present(tx, tx.actor.person)
    return _keep(tx, person.id, ask.address, is_default=ask.is_default)


@handles(ChangeAddress)
def change_address(tx: Tx, ask: ChangeAddress) -> AddressKept:
    """Somebody else's address is as if it were not there."""
    before = _own_address(tx, ask.address_id)
    postal, region = checked(ask.address)
    if ask.is_default:
        _no_default(tx, before.person_id)
    changed = msgspec.structs.replace(
        before,
        country=postal.country,
        region=region,
        sealed=store.vault(tx).seal(before.person_id, store.written(postal)),
        is_default=int(ask.is_default or before.is_default),
    )
    tx.put(ADDRESSES, changed.id, changed)
    return AddressKept(id=changed.id)


@handles(RemoveAddress)
def remove_address(tx: Tx, ask: RemoveAddress) -> AddressKept:
    """What was copied onto orders stays there."""
    address = _own_address(tx, ask.address_id)
    tx.remove(ADDRESSES, address.id, store.FORGET_ADDRESS)
    others = store.addresses_of(tx, address.person_id)
    newest = tx.get(ADDRESSES, others[-1]) if others and address.is_default else None
    if newest is not None:
        tx.put(ADDRESSES, newest.id, msgspec.structs.replace(newest, is_default=1))
    return AddressKept(id=address.id)


def _keep(tx: Tx, person: PersonId, postal: Postal, *, is_default: bool) -> AddressKept:
    found, region = checked(postal)
    others = store.addresses_of(tx, person)
    if len(others) >= model.ADDRESSES_MAX:
        raise Refused(IdentityRefusal.ADDRESSES_FULL)
    if is_default:
        _no_default(tx, person)
    return written(tx, person, found, region, is_default=is_default or not others)


def written(tx: Tx, person: PersonId, postal: Postal, region: str, *, is_default: bool) -> AddressKept:
    """A new address of somebody, as it was `checked`."""
    kept = KeptAddress(
        id=AddressId(tx.id("adr")),
        person_id=person,
        country=postal.country,
        region=region,
        sealed=store.vault(tx).seal(person, store.written(postal)),
        is_default=int(is_default),
        at=tx.now,
    )
    tx.add(ADDRESSES, kept.id, kept)
    return AddressKept(id=kept.id)


def checked(postal: Postal) -> tuple[Postal, str]:
    """The address with its telephone number in E.164, and its region where it is one of a list; as written it is for whoever ships."""
    if postal.country not in model.COUNTRIES:
        raise Refused(IdentityRefusal.COUNTRY_UNKNOWN, postal.country)
    checked = msgspec.structs.replace(postal, phone=model.phone_of(postal.phone, region=postal.country))
    region = region_of(postal.country, postal.region) if has_list(postal.country) else ""
    if region is None:
        raise Refused(IdentityRefusal.REGION_UNKNOWN, "the country has other regions", figures=regions_of(postal.country))
    return checked, region


def _own_address(tx: Tx, id: AddressId) -> KeptAddress:
    address = tx.get(ADDRESSES, id)
    if address is None or not tx.actor.owns(address.person_id):
        raise Refused(IdentityRefusal.ADDRESS_NOT_FOUND)
    return address


def _no_default(tx: Tx, person: PersonId) -> None:
    for address in tx.get_many(ADDRESSES, store.addresses_of(tx, person)).values():
        if address.is_default:
            tx.put(ADDRESSES, address.id, msgspec.structs.replace(address, is_default=0))
