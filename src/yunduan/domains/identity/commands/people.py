"""People: registered by the cloud itself, and called as they like."""

from typing import Annotated

import msgspec
from msgspec import Meta

from yunduan.domains.identity import model, store
from yunduan.domains.identity.facts import (
    PersonRegistered,
)
from yunduan.domains.identity.model import (
    Contact,
    ContactKind,
    IdentityRefusal,
    IdentitySettings,
    Language,
    Nickname,
    Region,
    Registered,
)
from yunduan.domains.identity.store import (
    CONTACTS,
    KNOWN_DEVICES,
    PEOPLE,
    Details,
    KnownContact,
    Person,
)
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class RegisterPerson(
    Command[Registered], refuses=(IdentityRefusal.CONTACT_INVALID, IdentityRefusal.CONTACT_TAKEN, IdentityRefusal.NOT_ALLOWED)
):
    """Make a person without a code: for imports and the command line, by the cloud itself alone."""

    phone: Annotated[str, Meta(max_length=64)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""
    nickname: Nickname = ""
    language: Language = Language.ZH
    region: Region = ""


class ChangeProfile(Command[None], refuses=(IdentityRefusal.PERSON_NOT_FOUND,)):
    """Be called, and written to, otherwise; what is left out stays."""

    nickname: Nickname | None = None
    language: Language | None = None


@handles(RegisterPerson)
def register_person(tx: Tx, ask: RegisterPerson) -> Registered:
    """With or without a contact."""
    refuse_others(tx)
    region = ask.region or tx.port(IdentitySettings).region
    contacts = tuple(model.contact_of(text, region=region) for text in (ask.phone, ask.email) if text)
    if [contact.kind for contact in contacts] != [kind for kind in ContactKind if getattr(ask, kind.value)]:
        raise Refused(IdentityRefusal.CONTACT_INVALID, "a phone number is no e-mail address")
    vault = store.vault(tx)
    if tx.get_many(CONTACTS, [vault.lookup(contact.kind, contact.text) for contact in contacts]):
        raise Refused(IdentityRefusal.CONTACT_TAKEN)
    return Registered(person_id=register(tx, contacts, nickname=ask.nickname, language=ask.language))


def register(tx: Tx, contacts: tuple[Contact, ...], *, nickname: str, language: Language) -> PersonId:
    """Write a new person down; nobody may have the contacts yet."""
    vault = store.vault(tx)
    id = PersonId(tx.id("per"))
    hashes = {contact.kind: vault.lookup(contact.kind, contact.text) for contact in contacts}
    texts = {contact.kind.value: contact.text for contact in contacts}
    person = Person(
        id=id,
        phone=hashes.get(ContactKind.PHONE),
        email=hashes.get(ContactKind.EMAIL),
        sealed=vault.seal(id, store.written(Details(nickname=nickname, **texts))),
        language=language,
        at=tx.now,
    )
    tx.add(PEOPLE, id, person)
    for hash in hashes.values():
        tx.add(CONTACTS, hash, KnownContact(hash, id))
    tx.tell(PersonRegistered(person_id=id, language=language))
    return id


def forget_contact(tx: Tx, hash: bytes) -> None:
    """Let a contact be anybody's again; the devices that have signed in with it are known there no more."""
    for device in store.devices_of(tx, hash):
        tx.remove(KNOWN_DEVICES, (hash, device), store.FORGET_DEVICE)
    tx.remove(CONTACTS, hash, store.FORGET_CONTACT)


def refuse_others(tx: Tx) -> None:
    """Let nobody pass but the cloud itself."""
    if not tx.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)


def present(tx: Tx, id: PersonId) -> Person:
    """Somebody who is here; refuses whoever never was or is erased."""
    person = tx.get(PEOPLE, id) if id else None
    if person is None or person.erased_at:
        raise Refused(IdentityRefusal.PERSON_NOT_FOUND)
    return person


def details_of(tx: Tx, person: Person) -> Details:
    """What is sealed of a person, opened."""
    return store.details(store.vault(tx).unseal(person.id, person.sealed))


@handles(ChangeProfile)
def change_profile(tx: Tx, ask: ChangeProfile) -> None:
    """Seal the details anew."""
    person = present(tx, tx.actor.person)
    if ask.nickname is not None:
        details = msgspec.structs.replace(details_of(tx, person), nickname=ask.nickname)
        person = msgspec.structs.replace(person, sealed=store.vault(tx).seal(person.id, store.written(details)))
    tx.put(PEOPLE, person.id, msgspec.structs.replace(person, language=ask.language or person.language))
