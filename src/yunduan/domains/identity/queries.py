"""What identity answers: whose token it is, what a person may see of themselves, who works in a shop, where a parcel goes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import letter_key
from yunduan.domains.identity.model import (
    Address,
    Caller,
    Device,
    Held,
    IdentityRefusal,
    IdentitySettings,
    Language,
    Letter,
    OperatorRole,
    Profile,
    SealedAddress,
    ShopRole,
    StaffMember,
)
from yunduan.domains.identity.store import ADDRESSES, LETTERS, PEOPLE, SESSIONS, Details, KeptAddress, LetterState, Person
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, LetterId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.ports import Table
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

_NO_ROLES: tuple[frozenset[str], Mapping[ShopId, frozenset[str]]] = (frozenset(), MappingProxyType({}))
_CALLERS_REMEMBERED = 20_000
_STAFF_REMEMBERED = 10_000
_PEOPLE_AT_ONCE = 200


class CallerOf(Query[Caller | None]):
    """Who has a token, given its SHA-256; nobody when it is unknown, revoked or too old. Asked on every request: one statement."""

    token_hash: bytes
    origin: str = ""
    """Where the call comes from (a network address), for the actor."""


class CallersExpected(Query[None]):
    """Have the sessions of several tokens looked up at once, because each of them will be asked for right away."""

    token_hashes: tuple[bytes, ...]


class SealedAddressOf(Query[SealedAddress], refuses=(IdentityRefusal.ADDRESS_NOT_FOUND,)):
    """A person's address as it may be copied onto an order; another person's is as if it were not there."""

    person_id: PersonId
    address_id: AddressId


class AddressBook(Struct, frozen=True, kw_only=True):
    """Somebody's addresses, the default first, then the newest."""

    items: tuple[Address, ...]


class AddressesOf(Query[AddressBook]):
    """One's own addresses, the default first, then the newest."""


class MyProfile(Query[Profile], refuses=(IdentityRefusal.PERSON_NOT_FOUND,)):
    """What the cloud knows of whoever asks."""


class MyLanguage(Query[Language]):
    """What whoever asks is written to in."""


class Devices(Struct, frozen=True, kw_only=True):
    """Signed-in devices, the newest first."""

    items: tuple[Device, ...]


class MySessions(Query[Devices]):
    """One's own signed-in devices, the newest first."""


class NicknamesOf(Query[dict[PersonId, str]]):
    """What people are called in public; whoever is erased or has no nickname is left out."""

    person_ids: Annotated[tuple[PersonId, ...], Meta(max_length=_PEOPLE_AT_ONCE)]


class Staff(Struct, frozen=True, kw_only=True):
    """Who works for a shop, or for the marketplace."""

    items: tuple[StaffMember, ...]


class StaffOf(Query[Staff], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Who works in a shop, contacts masked: for its owner and managers."""

    shop_id: ShopId


class Operators(Query[Staff], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Who works for the marketplace, contacts masked: for admins."""


class Letters(Struct, frozen=True, kw_only=True):
    """Letters, the newest first."""

    items: tuple[Letter, ...]


class Mailbox(Query[Letters], refuses=(IdentityRefusal.MAILBOX_NOT_FOUND,)):
    """The last letters, opened, the newest first: where the settings say that this is a place for development."""


class LettersDue(Query[tuple[Letter, ...]], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Letters that wait for a carrier and are still of use; for the cloud itself."""

    most: int = 20


class Reach(Struct, frozen=True):
    """How somebody who has not been erased can be reached, and in what language."""

    language: Language
    has_phone: bool
    has_email: bool


class ReachOf(Query[dict[PersonId, Reach]], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """How people can be reached; whoever never was or is erased is left out. For the cloud itself."""

    person_ids: tuple[PersonId, ...]


class Contacts(Struct, frozen=True):
    """By what somebody is reached, opened; empty where there is nothing of the kind."""

    language: Language
    phone: str
    email: str


class ContactsOf(Query[dict[PersonId, Contacts]], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """By what people are reached; whoever never was or is erased is left out.

    For the cloud itself, which writes to them, and for whoever reads what it writes where the mailbox is open.
    """

    person_ids: tuple[PersonId, ...]


class WorkersOf(Query[dict[PersonId, frozenset[str]]], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Who works in a shop, in which roles; for the cloud itself."""

    shop_id: ShopId


class PersonByContact(Query[PersonId | None], refuses=(IdentityRefusal.CONTACT_INVALID, IdentityRefusal.NOT_ALLOWED)):
    """Whose contact it is; for the cloud itself, on the command line."""

    contact: str


@answers(CallerOf)
def caller_of(at: Asking, ask: CallerOf) -> Caller | None:
    """Read from the rows, so that what is revoked or withdrawn is gone with the commit that says so."""
    session = at.get(SESSIONS, ask.token_hash)
    if session is None or session.expires_at <= at.now:
        return None
    person = session.person_id
    operator, shops = _roles_of(at, person)
    actor = Actor(person=person, session=session.id, scopes=model.SCOPES, operator_roles=operator, shop_roles=shops, origin=ask.origin)
    return Caller(actor=actor, expires_at=session.expires_at, seen_at=session.seen_at)


@answers(CallersExpected)
def callers_expected(at: Asking, ask: CallersExpected) -> None:
    """What is found is remembered by whoever looks; what is not there is not."""
    at.get_many(SESSIONS, ask.token_hashes)


def _roles_of(at: Asking, person: PersonId) -> tuple[frozenset[str], Mapping[ShopId, frozenset[str]]]:
    """What somebody may do. Most people have no role, and as long as few have one it is remembered who they are."""
    everybody = at.recall("staff", None, lambda: store.whole_staff(at, _STAFF_REMEMBERED))
    if everybody is not None and person not in everybody:
        return _NO_ROLES
    return at.recall("staff", person, lambda: _by_place(store.roles_of(at, person)), most=_CALLERS_REMEMBERED)


def _by_place(roles: Sequence[Held]) -> tuple[frozenset[str], Mapping[ShopId, frozenset[str]]]:
    """The roles among the operators, and those in each shop."""
    if not roles:
        return _NO_ROLES
    shops: dict[ShopId, set[str]] = {}
    for held in roles:
        shops.setdefault(ShopId(held.shop_id), set()).add(held.role)
    operator = frozenset(shops.pop(ShopId(""), ()))
    return operator, {shop: frozenset(roles) for shop, roles in shops.items()}


@answers(SealedAddressOf)
def sealed_address_of(at: Asking, ask: SealedAddressOf) -> SealedAddress:
    """One row by key; a region that is not one of a list is opened."""
    address = at.get(ADDRESSES, ask.address_id)
    if address is None or not ask.person_id or address.person_id != ask.person_id:
        raise Refused(IdentityRefusal.ADDRESS_NOT_FOUND)
    region = address.region or _region_under_seal(at, address)
    return SealedAddress(address_id=address.id, sealed=address.sealed, country=address.country, region=region)


def wanted_address(id: AddressId) -> tuple[Table[AddressId, KeptAddress], AddressId]:
    """The row that an address is read from: for the `reads` of commands that ask for it."""
    return ADDRESSES, id


def _region_under_seal(at: Asking, address: KeptAddress) -> str:
    """What a person calls their region where there is no list, in its one form."""
    text = store.vault(at).unseal(address.person_id, address.sealed)
    return "" if text is None else region_of(address.country, store.postal(address, text).address.region) or ""


@answers(AddressesOf)
def addresses_of(at: Asking, _ask: AddressesOf) -> AddressBook:
    """Opened one by one; at most fifty."""
    if not at.actor.person:
        return AddressBook(items=())
    vault = store.vault(at)
    kept = at.get_many(ADDRESSES, store.addresses_of(at, at.actor.person))
    opened = [(address, vault.unseal(address.person_id, address.sealed)) for address in kept.values()]
    book = [store.postal(address, text) for address, text in opened if text is not None]
    book.sort(key=lambda it: it.id, reverse=True)
    return AddressBook(items=tuple(sorted(book, key=lambda it: not it.is_default)))


def _details(at: Asking, person: Person) -> Details:
    if person.erased_at:
        return Details()
    return store.details(store.vault(at).unseal(person.id, person.sealed))


@answers(MyProfile)
def my_profile(at: Asking, _ask: MyProfile) -> Profile:
    """Opened for whoever it is about."""
    person = at.get(PEOPLE, at.actor.person) if at.actor.person else None
    if person is None or person.erased_at:
        raise Refused(IdentityRefusal.PERSON_NOT_FOUND)
    details = _details(at, person)
    shops: dict[str, tuple[str, ...]] = {}
    for held in store.roles_of(at, person.id):
        shops[held.shop_id] = (*shops.get(held.shop_id, ()), held.role)
    return Profile(
        id=person.id,
        nickname=details.nickname,
        phone=details.phone,
        email=details.email,
        language=person.language,
        operator_roles=shops.pop("", ()),
        shop_roles=shops,
        registered_at=person.at,
    )


@answers(MyLanguage)
def my_language(at: Asking, _ask: MyLanguage) -> Language:
    """From the person's row; nothing is opened."""
    person = at.get(PEOPLE, at.actor.person) if at.actor.person else None
    return person.language if person else Language.ZH


@answers(MySessions)
def my_sessions(at: Asking, _ask: MySessions) -> Devices:
    """With the one that asks marked."""
    if not at.actor.person:
        return Devices(items=())
    vault = store.vault(at)
    sessions = at.get_many(SESSIONS, store.sessions_of(at, at.actor.person)).values()
    devices = [
        Device(
            id=session.id,
            device=vault.unseal(session.person_id, session.device) or "",
            opened_at=session.at,
            seen_at=session.seen_at,
            expires_at=session.expires_at,
            is_current=session.id == at.actor.session,
        )
        for session in sessions
        if session.expires_at > at.now
    ]
    return Devices(items=tuple(sorted(devices, key=lambda it: it.id, reverse=True)))


@answers(NicknamesOf)
def nicknames_of(at: Asking, ask: NicknamesOf) -> dict[PersonId, str]:
    """Opened, because a nickname is meant for others; nothing else of the person is."""
    people = at.get_many(PEOPLE, ask.person_ids)
    names = {person.id: _details(at, person).nickname for person in people.values()}
    return {id: name for id, name in names.items() if name}


@answers(StaffOf)
def staff_of(at: Asking, ask: StaffOf) -> Staff:
    """The edge has checked the role; so does this, for whoever comes another way."""
    if not at.actor.is_system and not at.actor.serves(ask.shop_id, ShopRole.OWNER, ShopRole.MANAGER):
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    return _staff(at, ask.shop_id)


@answers(Operators)
def operators(at: Asking, _ask: Operators) -> Staff:
    """Likewise for the marketplace."""
    if not at.actor.is_system and not at.actor.operates(OperatorRole.ADMIN):
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    return _staff(at, "")


def _staff(at: Asking, shop_id: str) -> Staff:
    roles = store.staff_of(at, shop_id, model.STAFF_MAX)
    people = at.get_many(PEOPLE, list(roles))
    members = []
    for id, held in roles.items():
        details = _details(at, people[id])
        contact = model.masked(details.phone, details.email)
        members.append(StaffMember(person_id=id, nickname=details.nickname, contact=contact, roles=tuple(held)))
    return Staff(items=tuple(members))


@answers(Mailbox)
def mailbox(at: Asking, _ask: Mailbox) -> Letters:
    """Closed, it is as if it were not there."""
    if not at.actor.is_system and not at.port(IdentitySettings).mailbox_is_open:
        raise Refused(IdentityRefusal.MAILBOX_NOT_FOUND)
    return Letters(items=_letters(at, store.newest_letters(at, model.LETTERS_SHOWN)))


@answers(LettersDue)
def letters_due(at: Asking, ask: LettersDue) -> tuple[Letter, ...]:
    """A code that can no longer be answered is not sent any more."""
    if not at.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    return _letters(at, store.letters_due(at, at.now, written_after=at.now - model.CODE_MS, most=ask.most))


def _letters(at: Asking, ids: list[LetterId]) -> tuple[Letter, ...]:
    vault = store.vault(at)
    kept = at.get_many(LETTERS, ids)
    letters = []
    for id in ids:
        row = kept[id]
        text = vault.unseal(letter_key(row.at), row.sealed)
        if text is not None:
            body = store.letter_body(text)
            letters.append(
                Letter(
                    id=id,
                    contact=body.contact,
                    text=body.text,
                    code=body.code,
                    language=row.language,
                    at=row.at,
                    is_sent=row.state is LetterState.SENT,
                )
            )
    return tuple(letters)


@answers(ReachOf)
def reach_of(at: Asking, ask: ReachOf) -> dict[PersonId, Reach]:
    """From their rows; nothing is opened."""
    _refuse_others(at)
    return {
        person.id: Reach(person.language, person.phone is not None, person.email is not None)
        for person in at.get_many(PEOPLE, ask.person_ids).values()
        if not person.erased_at
    }


@answers(ContactsOf)
def contacts_of(at: Asking, ask: ContactsOf) -> dict[PersonId, Contacts]:
    """Opened one by one."""
    if not at.port(IdentitySettings).mailbox_is_open:
        _refuse_others(at)
    found = {}
    for person in at.get_many(PEOPLE, ask.person_ids).values():
        if not person.erased_at:
            details = _details(at, person)
            found[person.id] = Contacts(person.language, details.phone, details.email)
    return found


@answers(WorkersOf)
def workers_of(at: Asking, ask: WorkersOf) -> Mapping[PersonId, frozenset[str]]:
    """By the index of shops."""
    _refuse_others(at)
    return at.recall("staff", ("shop", ask.shop_id), lambda: _workers(at, ask.shop_id), most=_CALLERS_REMEMBERED)


def _workers(at: Asking, shop_id: ShopId) -> Mapping[PersonId, frozenset[str]]:
    return {person: frozenset(roles) for person, roles in store.staff_of(at, shop_id, model.STAFF_MAX).items()}


def _refuse_others(at: Asking) -> None:
    if not at.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)


@answers(PersonByContact)
def person_by_contact(at: Asking, ask: PersonByContact) -> PersonId | None:
    """By keyed hash."""
    if not at.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    contact = model.contact_of(ask.contact, region=at.port(IdentitySettings).region)
    known = at.get(store.CONTACTS, store.vault(at).lookup(contact.kind, contact.text))
    return known.person_id if known else None
