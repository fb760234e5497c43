"""Erasure: contacts, sessions, roles and addresses go in one transaction, the key once that is on disk."""

import msgspec

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import people, roles, sessions
from yunduan.domains.identity.facts import (
    PersonErased,
)
from yunduan.domains.identity.model import (
    IdentityRefusal,
    Obligations,
    OperatorRole,
)
from yunduan.domains.identity.store import (
    ADDRESSES,
    PEOPLE,
    Person,
)
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

BOUND = frozenset(
    {
        IdentityRefusal.LAST_OWNER,
        IdentityRefusal.LAST_ADMIN,
        IdentityRefusal.ORDERS_OPEN,
        IdentityRefusal.MONEY_ON_ITS_WAY,
        IdentityRefusal.MONEY_IN_WALLET,
    }
)
"""Why somebody cannot be erased yet, whoever asks for it."""


class EraseMe(Command[None], refuses={IdentityRefusal.PERSON_NOT_FOUND, IdentityRefusal.SIGN_IN_AGAIN, *BOUND}):
    """Be forgotten: for whoever has signed in within the last quarter of an hour."""


class ErasePerson(Command[None], refuses={IdentityRefusal.PERSON_NOT_FOUND, IdentityRefusal.NOT_ALLOWED, *BOUND}):
    """Forget somebody who has asked for it: contacts, sessions, roles and addresses go, then the key; facts stay and say nothing.

    What binds the person is settled first, whoever asks: neither an admin nor the cloud itself passes over it.
    """

    person_id: PersonId


@handles(EraseMe)
def erase_me(tx: Tx, _ask: EraseMe) -> None:
    """For a fresh session alone."""
    person = people.present(tx, tx.actor.person)
    sessions.refuse_stale(tx)
    _erase(tx, person)


@handles(ErasePerson)
def erase_person(tx: Tx, ask: ErasePerson) -> None:
    """By the marketplace's admin, or the cloud itself."""
    if not tx.actor.is_system and model.Held("", OperatorRole.ADMIN) not in store.roles_of(tx, tx.actor.person):
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    _erase(tx, people.present(tx, ask.person_id))


def _erase(tx: Tx, person: Person) -> None:
    """The key itself is destroyed by the follower of `PersonErased`: only once it is certain that all this is on disk."""
    all_held = store.roles_of(tx, person.id)
    for held in all_held:
        roles.refuse_last(tx, held.shop_id, held.role)
    obligations: Obligations = tx.port(Obligations)  # type: ignore[type-abstract] # a protocol is the name of its port
    model.refuse_bound(obligations.outstanding(tx, person.id))
    for held in all_held:
        roles.take(tx, person.id, held.shop_id, held.role)
    for hash in (person.phone, person.email):
        if hash is not None:
            people.forget_contact(tx, hash)
    for session in sessions.all_of(tx, person.id):
        sessions.end(tx, session)
    for address in store.addresses_of(tx, person.id):
        tx.remove(ADDRESSES, address, store.FORGET_ADDRESS)
    tx.put(PEOPLE, person.id, msgspec.structs.replace(person, phone=None, email=None, sealed=b"", erased_at=tx.now))
    tx.tell(PersonErased(person_id=person.id))
