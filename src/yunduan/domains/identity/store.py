"""The rows of identity: people, contacts, challenges, letters, budgets, sessions, staff and addresses."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from yunduan.domains.identity.model import Address, ContactKind, Held, Language, Postal, Used, Vault
from yunduan.kernel.ids import AddressId, ChallengeId, LetterId, PersonId, SessionId
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.transaction import Asking


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person's row holds under seal."""

    nickname: str = ""
    phone: str = ""
    email: str = ""


class Person(Struct, frozen=True, kw_only=True):
    """Somebody; `phone` and `email` are keyed hashes. Once erased, nothing but the id and two dates is left."""

    id: PersonId
    phone: bytes | None
    email: bytes | None
    sealed: bytes
    language: Language
    at: int
    erased_at: int = 0


class KnownContact(Struct, frozen=True):
    """Whose contact it is, by keyed hash."""

    hash: bytes
    person_id: PersonId


class Challenge(Struct, frozen=True, kw_only=True):
    """A code that was sent; `person_id` is whose contact it shall become, or empty for a sign-in.

    `device` is a keyed hash of what has asked for it, empty where that is no secret.
    """

    id: ChallengeId
    contact: bytes
    kind: ContactKind
    sealed: bytes
    code: bytes
    person_id: str
    language: Language
    at: int
    device: bytes = b""
    tries: int = 0
    used: int = 0


class KnownDevice(Struct, frozen=True):
    """A device that has signed in with a contact, both by keyed hash, and when it did so last."""

    contact: bytes
    device: bytes
    at: int


class LetterState(StrEnum):
    """How far a letter is."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


class Letter(Struct, frozen=True, kw_only=True):
    """A message on its way, sealed under the key of its day."""

    id: LetterId
    sealed: bytes
    language: Language
    at: int
    state: LetterState
    tries: int
    next_at: int


class LetterBody(Struct, frozen=True, kw_only=True):
    """What a letter's seal holds; `code` is empty for one that only tells something."""

    contact: str
    text: str
    code: str = ""


class Budget(Struct, frozen=True, kw_only=True):
    """How many codes a bucket (a contact, a device, an origin) has had."""

    bucket: bytes
    used: tuple[Used, ...]


class LetterDay(Struct, frozen=True):
    """A day whose letters have a key of their own."""

    day: int
    at: int


class Session(Struct, frozen=True):
    """A signed-in device; only the hash of its token is here."""

    token_hash: bytes
    id: SessionId
    person_id: PersonId
    device: bytes
    at: int
    seen_at: int
    expires_at: int


class KeptAddress(Struct, frozen=True):
    """One entry of an address book, sealed."""

    id: AddressId
    person_id: PersonId
    country: str
    region: str
    sealed: bytes
    is_default: int
    at: int


_used = msgspec.json.Decoder(tuple[Used, ...]).decode
_postal = msgspec.json.Decoder(Postal).decode
_details = msgspec.json.Decoder(Details).decode
_body = msgspec.json.Decoder(LetterBody).decode


def vault(at: Asking) -> Vault:
    """The vault that the composition root has joined."""
    found: Vault = at.port(Vault)  # type: ignore[type-abstract] # a protocol is the name of its port
    return found


def written(value: Struct) -> str:
    """What is sealed of a value."""
    return msgspec.json.encode(value).decode()


def postal(address: KeptAddress, text: str) -> Address:
    """An address that was unsealed."""
    return Address(id=address.id, is_default=bool(address.is_default), address=_postal(text))


def details(text: str | None) -> Details:
    """A person's details that were unsealed; nothing of somebody erased."""
    return _details(text) if text else Details()


def letter_body(text: str) -> LetterBody:
    """A letter that was unsealed."""
    return _body(text)


def _person(row: Row) -> Person:
    return Person(id=row[0], phone=row[1], email=row[2], sealed=row[3], language=Language(row[4]), at=row[5], erased_at=row[6])


def _challenge(row: Row) -> Challenge:
    return Challenge(
        id=row[0],
        contact=row[1],
        kind=ContactKind(row[2]),
        sealed=row[3],
        code=row[4],
        person_id=row[5],
        language=Language(row[6]),
        at=row[7],
        device=row[8],
        tries=row[9],
        used=row[10],
    )


def _challenge_row(it: Challenge) -> Row:
    whose, says = it.person_id, it.language.value
    return (it.id, it.contact, it.kind.value, it.sealed, it.code, whose, says, it.at, it.device, it.tries, it.used)


def _letter(row: Row) -> Letter:
    return Letter(id=row[0], sealed=row[1], language=Language(row[2]), at=row[3], state=LetterState(row[4]), tries=row[5], next_at=row[6])


PEOPLE: Table[PersonId, Person] = Table(
    name="person",
    columns={"id": str, "phone": bytes, "email": bytes, "sealed": bytes, "language": str, "at": int, "erased_at": int},
    value=_person,
    row=lambda it: (it.id, it.phone, it.email, it.sealed, it.language.value, it.at, it.erased_at),
)
CONTACTS: Table[bytes, KnownContact] = Table(
    name="contact",
    columns={"hash": bytes, "person_id": str},
    value=lambda row: KnownContact(*row),
    row=lambda it: (it.hash, it.person_id),
)
KNOWN_DEVICES: Table[tuple[bytes, bytes], KnownDevice] = Table(
    name="known_device",
    columns={"contact": bytes, "device": bytes, "at": int},
    value=lambda row: KnownDevice(*row),
    row=lambda it: (it.contact, it.device, it.at),
    keys=2,
)
CHALLENGES: Table[ChallengeId, Challenge] = Table(
    name="challenge",
    columns={
        "id": str,
        "contact": bytes,
        "kind": str,
        "sealed": bytes,
        "code": bytes,
        "person_id": str,
        "language": str,
        "at": int,
        "device": bytes,
        "tries": int,
        "used": int,
    },
    value=_challenge,
    row=_challenge_row,
    updates=("tries", "used"),
)
LETTERS: Table[LetterId, Letter] = Table(
    name="letter",
    columns={"id": str, "sealed": bytes, "language": str, "at": int, "state": str, "tries": int, "next_at": int},
    value=_letter,
    row=lambda it: (it.id, it.sealed, it.language.value, it.at, it.state.value, it.tries, it.next_at),
    updates=("state", "tries", "next_at"),
)
BUDGETS: Table[bytes, Budget] = Table(
    name="budget",
    columns={"bucket": bytes, "windows": bytes},
    value=lambda row: Budget(bucket=row[0], used=_used(row[1])),
    row=lambda it: (it.bucket, msgspec.json.encode(it.used)),
)
LETTER_DAYS: Table[int, LetterDay] = Table(
    name="letter_day", columns={"day": int, "at": int}, value=lambda row: LetterDay(*row), row=lambda it: (it.day, it.at)
)
SESSIONS: Table[bytes, Session] = Table(
    name="session",
    columns={"token_hash": bytes, "id": str, "person_id": str, "device": bytes, "at": int, "seen_at": int, "expires_at": int},
    value=lambda row: Session(*row),
    row=lambda it: (it.token_hash, it.id, it.person_id, it.device, it.at, it.seen_at, it.expires_at),
    updates=("seen_at", "expires_at"),
    shown=20_000,
)
ADDRESSES: Table[AddressId, KeptAddress] = Table(
    name="address",
    columns={"id": str, "person_id": str, "country": str, "region": str, "sealed": bytes, "is_default": int, "at": int},
    value=lambda row: KeptAddress(*row),
    row=lambda it: (it.id, it.person_id, it.country, it.region, it.sealed, it.is_default, it.at),
    updates=("country", "region", "sealed", "is_default"),
)

FORGET_CONTACT = "DELETE FROM contact WHERE hash = ?"
FORGET_DEVICE = "DELETE FROM known_device WHERE contact = ? AND device = ?"
FORGET_CHALLENGE = "DELETE FROM challenge WHERE id = ?"
FORGET_LETTER = "DELETE FROM letter WHERE id = ?"
FORGET_BUDGET = "DELETE FROM budget WHERE bucket = ?"
FORGET_DAY = "DELETE FROM letter_day WHERE day = ?"
END_SESSION = "DELETE FROM session WHERE token_hash = ?"
FORGET_ADDRESS = "DELETE FROM address WHERE id = ?"
GIVE_ROLE = "INSERT INTO staff (person_id, shop_id, role, at) VALUES (?, ?, ?, ?)"
TAKE_ROLE = "DELETE FROM staff WHERE person_id = ? AND shop_id = ? AND role = ?"

_DEVICES_OF = "SELECT device FROM known_device WHERE contact = ? ORDER BY at, device"
_SESSIONS_OF = "SELECT token_hash FROM session WHERE person_id = ? ORDER BY id"
_ADDRESSES_OF = "SELECT id FROM address WHERE person_id = ? ORDER BY id"
_ROLES_OF = "SELECT shop_id, role FROM staff WHERE person_id = ? ORDER BY shop_id, role"
_WHOLE_STAFF = "SELECT DISTINCT person_id FROM staff ORDER BY person_id LIMIT ?"
_STAFF_OF = "SELECT person_id, role FROM staff WHERE shop_id = ? ORDER BY person_id, role LIMIT ?"
_HOLDERS = "SELECT CAST(count(*) AS INTEGER) FROM staff WHERE shop_id = ? AND role = ?"
_STAFF_COUNT = "SELECT CAST(count(*) AS INTEGER) FROM staff WHERE shop_id = ?"
_LETTERS_DUE = "SELECT id FROM letter WHERE state = 'waiting' AND next_at <= ? AND at > ? ORDER BY next_at, id LIMIT ?"
_PEOPLE_AFTER = "SELECT id, erased_at FROM person WHERE id > ? ORDER BY id LIMIT ?"
_PEOPLE_COUNT = "SELECT CAST(count(*) AS INTEGER) FROM person"
_NEWEST_LETTERS = "SELECT id FROM letter ORDER BY id DESC LIMIT ?"


def devices_of(reader: Reader, contact: bytes) -> list[bytes]:
    """The devices that have signed in with a contact, the one that has not done so for the longest first."""
    return [row[0] for row in reader.rows(_DEVICES_OF, (contact,))]


def sessions_of(reader: Reader, person: PersonId) -> list[bytes]:
    """The keys of a person's sessions, the oldest first."""
    return [row[0] for row in reader.rows(_SESSIONS_OF, (person,))]


def addresses_of(reader: Reader, person: PersonId) -> list[AddressId]:
    """The ids of a person's addresses, the oldest first."""
    return [AddressId(row[0]) for row in reader.rows(_ADDRESSES_OF, (person,))]


def roles_of(reader: Reader, person: PersonId) -> list[Held]:
    """Everything that a person may do."""
    return [Held(*row) for row in reader.rows(_ROLES_OF, (person,))]


def whole_staff(reader: Reader, most: int) -> frozenset[PersonId] | None:
    """Everybody who has any role; nothing when they are too many to be remembered."""
    found = reader.rows(_WHOLE_STAFF, (most + 1,))
    return frozenset([PersonId(row[0]) for row in found]) if len(found) <= most else None


def staff_of(reader: Reader, shop_id: str, most: int) -> dict[PersonId, list[str]]:
    """Who has roles in a shop, or for the marketplace."""
    staff: dict[PersonId, list[str]] = {}
    for person, role in reader.rows(_STAFF_OF, (shop_id, most)):
        staff.setdefault(PersonId(person), []).append(role)
    return staff


def holders(reader: Reader, shop_id: str, role: str) -> int:
    """How many have a role."""
    row = reader.row(_HOLDERS, (shop_id, role))
    return row[0] if row else 0


def staff_count(reader: Reader, shop_id: str) -> int:
    """How many roles are given in a shop."""
    row = reader.row(_STAFF_COUNT, (shop_id,))
    return row[0] if row else 0


def letters_due(reader: Reader, now: int, *, written_after: int, most: int) -> list[LetterId]:
    """Letters that wait to be sent and are not too old, the one that waits longest first."""
    return [LetterId(row[0]) for row in reader.rows(_LETTERS_DUE, (now, written_after, most))]


def newest_letters(reader: Reader, most: int) -> list[LetterId]:
    """The last letters, the newest first."""
    return [LetterId(row[0]) for row in reader.rows(_NEWEST_LETTERS, (most,))]


def people_after(reader: Reader, id: str, most: int) -> list[tuple[PersonId, int]]:
    """The people behind one, in the order of their ids, each with when they were erased."""
    return [(PersonId(row[0]), row[1]) for row in reader.rows(_PEOPLE_AFTER, (id, most))]


def people_count(reader: Reader) -> int:
    """How many people there are, the erased included."""
    row = reader.row(_PEOPLE_COUNT)
    return row[0] if row else 0
