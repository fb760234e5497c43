"""People, contacts, sessions, roles and addresses: values and pure decisions."""

import ipaddress
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Protocol

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from msgspec import Meta, Struct

from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, ChallengeId, LetterId, PersonId, SessionId, ShopId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import RefusalCode, Refused

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

CODE_MS = 10 * MINUTE_MS
"""How long a code may be answered."""
TRIES_MAX = 5
"""How many answers a code gets, right or wrong."""
LETTER_MS = HOUR_MS
"""How long a sent code is kept, sealed, before its row goes."""
SESSION_MS = 90 * DAY_MS
"""How long a session lasts after it was last seen."""
TOUCH_MS = DAY_MS
"""How often, at most, a session's last sight is written."""
FRESH_MS = 15 * MINUTE_MS
"""How recent a sign-in must be for what cannot be undone."""
SESSIONS_MAX = 50
"""Devices of one person; one more signs out the one not seen for the longest."""
ADDRESSES_MAX = 50
ROLES_MAX = 100
"""Of one person, over all shops."""
STAFF_MAX = 500
"""Roles given in one shop."""
LETTERS_SHOWN = 50

LINE = r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+(?![\s\S])"
"""One line with something on it, no control characters and no marks that turn it around.

The end is spelt out because `$` would let a last line break pass.
"""
LINE_OR_NOTHING = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*(?![\s\S])"

ContactText = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=LINE, description="A phone number or an e-mail address.", examples=["+8613800138000"])
]
Code = Annotated[
    str, Meta(min_length=6, max_length=6, pattern="^[0-9]{6}$", description="The six digits that were sent.", examples=["042042"])
]
Region = Annotated[
    str,
    Meta(max_length=2, pattern=r"^([A-Z]{2})?(?![\s\S])", description="Whose national numbers are meant (ISO 3166-1).", examples=["CN"]),
]
DeviceName = Annotated[
    str, Meta(max_length=100, pattern=LINE_OR_NOTHING, description="What the person calls the device.", examples=["手机"])
]
DeviceKey = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=LINE_OR_NOTHING,
        description="What the installation calls itself; counted in limits. From 16 characters on, which it draws at random and tells"
        " nobody, others cannot use up the codes of a contact that it has signed in with.",
    ),
]
Nickname = Annotated[str, Meta(max_length=40, pattern=LINE_OR_NOTHING, description="What others see.", examples=["小云"])]


class Language(StrEnum):
    """What people are written to in."""

    ZH = "zh"
    EN = "en"


class IdentityRefusal(RefusalCode):
    """What identity says no by."""

    CONTACT_INVALID = "contact_invalid", "This is no telephone number or e-mail address, or none that a code can be sent to."
    CONTACT_TAKEN = "contact_taken", "Somebody else has this contact."
    TOO_MANY_CODES = "too_many_codes", "Too many codes were asked for; `again_at` of `figures` says when the next may be."
    CODE_WRONG = "code_wrong", "These are not the digits that were sent; `tries_left` of `figures` says how often they may still be given."
    CHALLENGE_NOT_FOUND = "challenge_not_found", "No code was asked for under this id, or it was somebody else's."
    CHALLENGE_ENDED = "challenge_ended", "The code is too old, or was used or tried too often: ask for another."
    SESSION_NOT_FOUND = "session_not_found", "There is no such session, or it is somebody else's."
    SIGN_IN_AGAIN = "sign_in_again", "This cannot be undone and needs a recent sign-in: sign in again first."
    PERSON_NOT_FOUND = "person_not_found", "There is no such person, or they have been forgotten."
    SHOP_UNKNOWN = "shop_unknown", "There is no such shop."
    ADDRESS_NOT_FOUND = "address_not_found", "There is no such address in this person's address book."
    ADDRESSES_FULL = "addresses_full", "The address book is full: remove an address first."
    COUNTRY_UNKNOWN = "country_unknown", "This is no country of ISO 3166-1."
    REGION_UNKNOWN = "region_unknown", "The country has no such region; `figures` name those that it has."
    NOT_ALLOWED = "not_allowed", "The caller may not do this to whom, or in the place, that the request names."
    ROLE_NOT_FOUND = "role_not_found", "This person has no such role."
    ROLES_FULL = "roles_full", "This person, or this shop, has as many roles as there may be: take one back first."
    LAST_OWNER = "last_owner", "A shop has an owner: appoint another first."
    LAST_ADMIN = "last_admin", "The marketplace has an admin: give somebody else the role first."
    ORDERS_OPEN = "orders_open", "Orders of this person, or of a shop of theirs, are still open; `figures` say which."
    MONEY_ON_ITS_WAY = "money_on_its_way", "Money of this person is on its way over a channel: wait until it has arrived."
    MONEY_IN_WALLET = "money_in_wallet", "There is money in the wallet; `figures` say how much."
    MAILBOX_NOT_FOUND = "mailbox_not_found", "Letters are shown in development alone."


class ShopRole(StrEnum):
    """What somebody does in a shop."""

    OWNER = "owner"
    MANAGER = "manager"
    SERVICE = "service"
    PACKER = "packer"
    FINANCE = "finance"


class OperatorRole(StrEnum):
    """What somebody does for the marketplace."""

    ADMIN = "admin"
    SERVICE = "service"
    RISK = "risk"
    FINANCE = "finance"
    ANALYST = "analyst"


SCOPES = frozenset(
    {
        "identity:read",
        "identity:write",
        "cart:read",
        "cart:write",
        "orders:read",
        "orders:write",
        "payments:read",
        "payments:write",
        "catalog:write",
        "shop:read",
        "shop:write",
        "ledger:read",
        "notices:read",
        "notices:write",
        "operate",
    }
)
"""What a session that a person has opened may be used for; what the person may do is a matter of roles."""


# Ports


class Vault(Protocol):
    """Seals what is personal, each person under a key of their own, and hashes what must be found."""

    def seal(self, person: PersonId, text: str) -> bytes:
        """Close a text so that only this person's key opens it; for an erased person, so that nothing ever does."""
        ...

    def unseal(self, person: PersonId, sealed: bytes) -> str | None:
        """The text; nothing once the key is destroyed. A seal that was tampered with, or is another person's, is a broken program."""
        ...

    def lookup(self, kind: str, text: str) -> bytes:
        """A keyed hash of 16 bytes, the same for the same kind and text, and telling nothing without the secret."""
        ...

    def token(self, session: SessionId) -> str:
        """The bearer token of a session: derived, so that it is stored nowhere."""
        ...

    def destroy(self, person: PersonId) -> None:
        """Lose a person's key for good; on disk when it returns."""
        ...

    def make_durable(self) -> None:
        """Return when every key made so far is on disk: before the commit that uses them."""
        ...


class CodeSender(Protocol):
    """Carries letters to people: a text message, an e-mail."""

    async def send(self, contact: str, text: str, language: str) -> None:
        """Return when the carrier has taken it; any error means that it is tried again later."""
        ...


class Outstanding(Struct, frozen=True, kw_only=True):
    """What somebody and the marketplace still owe each other: money in each currency, and how many orders are not at their end."""

    orders: int = 0
    on_its_way: tuple[Money, ...] = ()
    """What a channel is asked to collect from them or to give back."""
    in_wallet: tuple[Money, ...] = ()


class Obligations(Protocol):
    """Knows what still binds a person to the marketplace; joined by the composition root, asked in the same transaction."""

    def outstanding(self, at: Any, person: PersonId) -> Outstanding:
        """Everything that would have nobody any more if this person were erased now."""
        ...


class Shops(Protocol):
    """Knows which shops there are; joined by the composition root, asked in the same transaction."""

    def is_there(self, at: Any, shop_id: ShopId) -> bool:
        """Whether there is such a shop, open or not."""
        ...


class IdentitySettings(Struct, frozen=True, kw_only=True):
    """What the composition root decides for this domain: a port."""

    region: str = "CN"
    """Whose national phone numbers are meant when a number has no country code."""
    mailbox_is_open: bool = False
    """Whether anybody may read the letters: for development and demonstration alone."""


# Answers


class Challenge(Struct, frozen=True, kw_only=True):
    """A code is on its way to a contact, if there is one: the answer is the same whether or not somebody has it."""

    id: ChallengeId
    expires_at: int


class SessionOpened(Struct, frozen=True, kw_only=True):
    """What an answer to a code came to. A wrong one is an accepted command, so that the try is counted for good."""

    opened: bool
    session_id: SessionId | None = None
    person_id: PersonId | None = None
    expires_at: int = 0
    is_new: bool = False
    tries_left: int = 0


class SessionToken(Struct, frozen=True, kw_only=True):
    """What the device keeps: `token` is shown once and stored nowhere."""

    token: str
    id: SessionId
    person_id: PersonId
    expires_at: int
    is_new: bool


class ContactAnswered(Struct, frozen=True, kw_only=True):
    """What an answer to a contact's code came to; a wrong one is counted, as at sign-in."""

    confirmed: bool
    tries_left: int = 0


class TryAgain(Struct, frozen=True, kw_only=True):
    """When the next code may be asked for, in milliseconds since 1970."""

    again_at: int


class TriesLeft(Struct, frozen=True, kw_only=True):
    """How often the code may still be answered."""

    tries_left: int


class Registered(Struct, frozen=True, kw_only=True):
    """A person now exists."""

    person_id: PersonId


class AddressKept(Struct, frozen=True, kw_only=True):
    """An address is kept under this id."""

    id: AddressId


class RolesHeld(Struct, frozen=True, kw_only=True):
    """What a person does in one shop, or (with no shop) for the marketplace."""

    person_id: PersonId
    shop_id: ShopId | None
    roles: tuple[str, ...]


class SessionsEnded(Struct, frozen=True, kw_only=True):
    """How many devices were signed out."""

    ended: int


class Caller(Struct, frozen=True, kw_only=True):
    """Whose token it is and what they may do, as of the last commit."""

    actor: Actor
    expires_at: int
    seen_at: int

    def is_due(self, now: int) -> bool:
        """Whether it is time for the edge to send `TouchSession`."""
        return now - self.seen_at >= TOUCH_MS


_Line = Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE)]
_AddressLine = Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE, examples=["文三路 1 号"])]


class Postal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a parcel goes and to whom."""

    recipient: Annotated[_Line, Meta(examples=["王芳"])]
    phone: Annotated[str, Meta(min_length=3, max_length=32, pattern=LINE, examples=["+8613800138000"])]
    country: Annotated[str, Meta(min_length=2, max_length=2, pattern="^[A-Z]{2}$", description="ISO 3166-1.", examples=["CN"])]
    region: Annotated[str, Meta(min_length=1, max_length=80, pattern=LINE, description="Province or state.", examples=["浙江"])]
    city: Annotated[_Line, Meta(examples=["杭州"])]
    district: Annotated[str, Meta(max_length=100, pattern=LINE_OR_NOTHING)] = ""
    lines: Annotated[tuple[_AddressLine, ...], Meta(min_length=1, max_length=4)]
    postal_code: Annotated[str, Meta(max_length=20, pattern=LINE_OR_NOTHING)] = ""


class Address(Struct, frozen=True, kw_only=True):
    """One entry of a person's address book, opened for its owner."""

    id: AddressId
    is_default: bool
    address: Postal


class SealedAddress(Struct, frozen=True, kw_only=True):
    """An address as it may be copied: sealed under the person's key (`Postal` as JSON), with what shipping is reckoned by.

    `region` is in its one form (`kernel.regions`).
    """

    address_id: AddressId
    sealed: bytes
    country: str
    region: str


class Profile(Struct, frozen=True, kw_only=True):
    """What the cloud knows of a person, for that person."""

    id: PersonId
    nickname: str
    phone: str
    email: str
    language: Language
    operator_roles: tuple[str, ...]
    shop_roles: dict[str, tuple[str, ...]]
    registered_at: int


class Device(Struct, frozen=True, kw_only=True):
    """One signed-in device; `seen_at` is coarse, a day at most behind."""

    id: SessionId
    device: str
    opened_at: int
    seen_at: int
    expires_at: int
    is_current: bool


class StaffMember(Struct, frozen=True, kw_only=True):
    """Somebody with roles, as colleagues see them."""

    person_id: PersonId
    nickname: str
    contact: str
    roles: tuple[str, ...]


class Letter(Struct, frozen=True, kw_only=True):
    """A message on its way to a contact, opened; `code` is the one that it tells, if it tells one."""

    id: LetterId
    contact: str
    text: str
    code: str
    language: Language
    at: int
    is_sent: bool


# Contacts


class ContactKind(StrEnum):
    """How somebody is reached."""

    PHONE = "phone"
    EMAIL = "email"


class Contact(Struct, frozen=True):
    """A contact in the one form in which it is kept and found: E.164, or a lower-case e-mail address."""

    kind: ContactKind
    text: str


_MOBILE = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
COUNTRIES: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The countries and territories of ISO 3166-1 that have telephones."""


def contact_of(text: str, *, region: str) -> Contact:
    """A contact in its one form; refuses what cannot receive a code (premium and fixed lines would cost or never arrive)."""
    if "@" in text:
        return Contact(ContactKind.EMAIL, _email(text))
    number = _parsed(text, region)
    if phonenumbers.number_type(number) not in _MOBILE:
        raise Refused(IdentityRefusal.CONTACT_INVALID, "a mobile number is needed")
    return Contact(ContactKind.PHONE, _e164(number))


def phone_of(text: str, *, region: str) -> str:
    """A telephone number of any kind in E.164, as a courier may call it."""
    return _e164(_parsed(text, region))


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _parsed(text: str, region: str) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise Refused(IdentityRefusal.CONTACT_INVALID, "this is no telephone number") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise Refused(IdentityRefusal.CONTACT_INVALID, "this is no telephone number")
    return number


def _email(text: str) -> str:
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise Refused(IdentityRefusal.CONTACT_INVALID, "this is no e-mail address") from None


def masked(phone: str, email: str) -> str:
    """A contact as colleagues may see it: enough to recognise, too little to use."""
    if phone:
        return f"{phone[:3]}****{phone[-4:]}"
    name, _, place = email.partition("@")
    return f"{name[0]}***@{place}" if name else ""


def letter_text(code: str, language: Language) -> str:
    """What is sent with a code."""
    minutes = CODE_MS // MINUTE_MS
    if language is Language.ZH:
        return f"【云端】验证码 {code}，{minutes} 分钟内有效，请勿告诉他人。"
    return f"Yunduan: your code is {code}. It is valid for {minutes} minutes. Never tell it to anybody."


def contact_changed_text(kind: ContactKind, language: Language) -> str:
    """What is written to somebody whose contacts have changed: never what the new one is, for whoever reads it may be a stranger."""
    if language is Language.ZH:
        what = {ContactKind.PHONE: "手机号", ContactKind.EMAIL: "邮箱"}[kind]
        return f"【云端】您的账号刚刚绑定了新的{what}，其他设备均已退出登录。如非本人操作，请立即联系平台客服。"
    what = {ContactKind.PHONE: "phone number", ContactKind.EMAIL: "e-mail address"}[kind]
    return f"Yunduan: your account has a new {what}; every other device was signed out. If this was not you, tell the marketplace at once."


# Limits on codes


class Window(Struct, frozen=True):
    """At most `count` in `ms`, counted from the first."""

    count: int
    ms: int


SPANS_MS = (MINUTE_MS, HOUR_MS, DAY_MS)
"""What every limit on codes is counted over."""


def windows(*counts: int) -> tuple[Window, ...]:
    """So many a minute, an hour and a day."""
    return tuple(Window(count, ms) for count, ms in zip(counts, SPANS_MS, strict=True))


CONTACT_WINDOWS = windows(2, 5, 10)
"""At most ten codes a day of five tries each: within any 24 hours a guesser hits one of 10,000 contacts, and only if each is besieged."""
RESERVE_WINDOWS = windows(2, 3, 5)
"""What is set aside of a contact's codes, beside those, for devices that have signed in with it before: nobody else can use it up."""
DEVICES_KNOWN_MAX = 10
"""Devices that a contact's reserve is for; one more takes the place of the one that has not signed in for the longest."""
DEVICE_SECRET_CHARACTERS_MIN = 16
"""A device that calls itself by less could be named by anybody, so nothing is set aside for it."""
DEVICE_WINDOWS = windows(5, 20, 50)
ORIGIN_WINDOWS = windows(30, 300, 2000)
"""Generous, because thousands of phones share the address of a carrier."""


class Used(Struct, frozen=True, array_like=True):
    """How much of one window is used."""

    since: int
    count: int


def again_at(used: tuple[Used, ...], windows: tuple[Window, ...], now: int) -> int:
    """When one more is allowed; `now` or earlier if it is."""
    waits = [use.since + window.ms for use, window in zip(used, windows, strict=False) if use.count >= window.count]
    return max((at for at in waits if at > now), default=0)


def counted(used: tuple[Used, ...], windows: tuple[Window, ...], now: int) -> tuple[Used, ...]:
    """With one more; a window that is over begins anew."""
    before = used or tuple(Used(now, 0) for _ in windows)
    return tuple(
        Used(use.since, use.count + 1) if now < use.since + window.ms else Used(now, 1) for use, window in zip(before, windows, strict=True)
    )


def counted_until(used: tuple[Used, ...]) -> int:
    """When the last of the windows that run has ended, and nothing is counted any more."""
    return max(use.since + ms for use, ms in zip(used, SPANS_MS, strict=True))


def origin_of(text: str) -> str:
    """Whom an address is counted as: a household has one address of version 4, or a whole /64 of version 6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if address.version == 6:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


# Roles


class Held(Struct, frozen=True):
    """One role; `shop_id` is empty for those of the marketplace."""

    shop_id: str
    role: str


def may_change_role(held: Iterable[Held], *, shop_id: str, role: str) -> bool:
    """Whether somebody with these roles may give or take this one."""
    has = set(held)
    is_admin = Held("", OperatorRole.ADMIN) in has
    if not shop_id:
        return is_admin
    if Held(shop_id, ShopRole.OWNER) in has:
        return True
    if role == ShopRole.OWNER:
        return is_admin
    return role in (ShopRole.SERVICE, ShopRole.PACKER) and Held(shop_id, ShopRole.MANAGER) in has


# Erasure


def refuse_bound(outstanding: Outstanding) -> None:
    """Refuse to erase somebody who is still bound; the figures are always all of it, so that it can be settled at once."""
    if outstanding.orders:
        raise Refused(IdentityRefusal.ORDERS_OPEN, f"{outstanding.orders} to be received or called off first", figures=outstanding)
    if outstanding.on_its_way:
        raise Refused(IdentityRefusal.MONEY_ON_ITS_WAY, "a payment or a refund has yet to arrive", figures=outstanding)
    if outstanding.in_wallet:
        raise Refused(IdentityRefusal.MONEY_IN_WALLET, "it would be nobody's", figures=outstanding)
