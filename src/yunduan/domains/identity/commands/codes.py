"""One-time codes: asked for, sent, answered, and forgotten; who answers one signs in, or adds a contact."""

import hmac

import msgspec
from msgspec import Struct

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import letters, people, sessions
from yunduan.domains.identity.facts import (
    ContactConfirmed,
    PersonSignedIn,
)
from yunduan.domains.identity.model import (
    Code,
    Contact,
    ContactAnswered,
    ContactKind,
    ContactText,
    DeviceKey,
    DeviceName,
    IdentityRefusal,
    IdentitySettings,
    Language,
    Region,
    SessionOpened,
    TryAgain,
    Window,
)
from yunduan.domains.identity.store import (
    BUDGETS,
    CHALLENGES,
    CONTACTS,
    KNOWN_DEVICES,
    LETTERS,
    PEOPLE,
    Budget,
    KnownContact,
    KnownDevice,
    LetterBody,
    Person,
)
from yunduan.kernel.ids import ChallengeId, LetterId, PersonId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class RequestCode(Command[model.Challenge], refuses=(IdentityRefusal.CONTACT_INVALID, IdentityRefusal.TOO_MANY_CODES)):
    """Have a code sent to a phone or an e-mail address; answered alike, and with the same work, whether or not anybody has it.

    Each code stands for its ten minutes, whoever asks for another meanwhile: only who has asked for it knows its challenge.
    """

    contact: ContactText
    language: Language = Language.ZH
    region: Region = ""
    device: DeviceKey = ""


class OpenSession(
    Command[SessionOpened], refuses=(IdentityRefusal.CHALLENGE_NOT_FOUND, IdentityRefusal.CHALLENGE_ENDED, IdentityRefusal.CODE_WRONG)
):
    """Answer a code and sign a device in; whoever comes for the first time is registered.

    A refused command changes nothing, so a wrong code cannot be refused here: its try would not be counted, and guessing would
    be free. It is an accepted command whose answer says `opened=False`, and the writer carries out commands one by one, so that
    however many guesses race, five are looked at. The route turns that answer into the problem `code_wrong` after the commit
    (`routes.reveal_session`); in process the answer is what it is.
    """

    challenge_id: ChallengeId
    code: Code
    device: DeviceName = ""


class RequestContactCode(
    Command[model.Challenge],
    refuses=(
        IdentityRefusal.CONTACT_INVALID,
        IdentityRefusal.TOO_MANY_CODES,
        IdentityRefusal.NOT_ALLOWED,
        IdentityRefusal.SIGN_IN_AGAIN,
    ),
):
    """Have a code sent to a contact that shall become one's own; it is good for that person and that purpose alone.

    For whoever has signed in within the last quarter of an hour, as `ConfirmContact` is.
    """

    contact: ContactText
    language: Language = Language.ZH
    region: Region = ""


class ConfirmContact(
    Command[ContactAnswered],
    refuses=(
        IdentityRefusal.CHALLENGE_NOT_FOUND,
        IdentityRefusal.CHALLENGE_ENDED,
        IdentityRefusal.CODE_WRONG,
        IdentityRefusal.CONTACT_TAKEN,
        IdentityRefusal.SIGN_IN_AGAIN,
    ),
):
    """Answer the code that was sent to a new contact, which takes the place of the one of its kind.

    Whoever can sign in by a contact has the account, so it takes a sign-in within the last quarter of an hour, signs every other
    device out, and is told to every contact that the person had. Wrong codes are counted as in `OpenSession`.
    """

    challenge_id: ChallengeId
    code: Code


@handles(RequestCode)
def request_code(tx: Tx, ask: RequestCode) -> model.Challenge:
    """Never looks whether the contact is known, so that neither the answer nor the time can tell."""
    contact = model.contact_of(ask.contact, region=ask.region or tx.port(IdentitySettings).region)
    return _challenge(tx, contact, ask.language, device=ask.device, person="")


@handles(RequestContactCode)
def request_contact_code(tx: Tx, ask: RequestContactCode) -> model.Challenge:
    """The same, bound to whoever asks."""
    if not tx.actor.person:
        raise Refused(IdentityRefusal.NOT_ALLOWED)
    sessions.refuse_stale(tx)
    contact = model.contact_of(ask.contact, region=ask.region or tx.port(IdentitySettings).region)
    return _challenge(tx, contact, ask.language, device="", person=tx.actor.person)


class _Limit(Struct, frozen=True):
    """What a code is counted in."""

    bucket: bytes
    windows: tuple[Window, ...]

    def again_at(self, tx: Tx) -> int:
        """When one more is allowed; now or earlier if it is."""
        budget = tx.get(BUDGETS, self.bucket)
        return model.again_at(budget.used, self.windows, tx.now) if budget else 0


def _challenge(tx: Tx, contact: Contact, language: Language, *, device: str, person: str) -> model.Challenge:
    vault = store.vault(tx)
    hash = vault.lookup(contact.kind, contact.text)
    known_as = vault.lookup("known-device", device) if len(device) >= model.DEVICE_SECRET_CHARACTERS_MIN else b""
    limits = _limits(tx, contact, device=device, place=(hash, known_as))
    _refuse_too_many(tx, limits)
    for limit in limits:
        _count(tx, limit)
    id = ChallengeId(tx.id("chl"))
    code = f"{tx.entropy.bits(64) % 1_000_000:06d}"
    challenge = store.Challenge(
        id=id,
        contact=hash,
        kind=contact.kind,
        sealed=letters.seal(tx, contact.text),
        code=_code_hash(vault, id, code),
        person_id=person,
        language=language,
        at=tx.now,
        device=known_as,
    )
    tx.add(CHALLENGES, id, challenge)
    letters.post(tx, LetterId(id), LetterBody(contact=contact.text, text=model.letter_text(code, language), code=code), language)
    tx.at(tx.now + model.LETTER_MS, ForgetChallenge(challenge_id=id))
    return model.Challenge(id=id, expires_at=tx.now + model.CODE_MS)


def _limits(tx: Tx, contact: Contact, *, device: str, place: tuple[bytes, bytes]) -> list[_Limit]:
    """What a code is counted in: its contact, the device that asks for it, and where that is; read at once."""
    vault = store.vault(tx)
    shared = _Limit(vault.lookup("contact-limit", contact.text), model.CONTACT_WINDOWS)
    asks = [_Limit(vault.lookup("device-limit", device), model.DEVICE_WINDOWS)] if device else []
    if tx.actor.origin:
        asks.append(_Limit(vault.lookup("origin-limit", model.origin_of(tx.actor.origin)), model.ORIGIN_WINDOWS))
    tx.advance(BUDGETS, [limit.bucket for limit in (shared, *asks)])
    return [_of_contact(tx, shared, contact, place=place), *asks]


def _of_contact(tx: Tx, shared: _Limit, contact: Contact, *, place: tuple[bytes, bytes]) -> _Limit:
    """What everybody's codes for a contact are counted in; when that is used up, for a device that is known there, what is set aside.

    Whoever asks from no such device is answered alike, and with the same work, whether or not there are any: whether or not the
    contact is known.
    """
    if shared.again_at(tx) <= tx.now or not place[1] or tx.get(KNOWN_DEVICES, place) is None:
        return shared
    reserve = _Limit(store.vault(tx).lookup("contact-reserve", contact.text), model.RESERVE_WINDOWS)
    return min(shared, reserve, key=lambda limit: limit.again_at(tx))


def _refuse_too_many(tx: Tx, limits: list[_Limit]) -> None:
    again = max(limit.again_at(tx) for limit in limits)
    if again > tx.now:
        raise Refused(IdentityRefusal.TOO_MANY_CODES, "too many codes were asked for", figures=TryAgain(again_at=again))


def _count(tx: Tx, limit: _Limit) -> None:
    before = tx.get(BUDGETS, limit.bucket)
    budget = Budget(bucket=limit.bucket, used=model.counted(before.used if before else (), limit.windows, tx.now))
    if before:
        tx.put(BUDGETS, budget.bucket, budget)
    else:
        tx.add(BUDGETS, budget.bucket, budget)
        tx.at(tx.now + model.DAY_MS, ForgetBudget(bucket=budget.bucket))


def _code_hash(vault: model.Vault, id: ChallengeId, code: str) -> bytes:
    return vault.lookup("code", f"{id} {code}")


def _answered(tx: Tx, id: ChallengeId, code: str, *, person: str) -> tuple[store.Challenge, bool]:
    """The challenge with this try counted, and whether it was right; refuses one that is not open to this person."""
    challenge = tx.get(CHALLENGES, id)
    if challenge is None or challenge.person_id != person:
        raise Refused(IdentityRefusal.CHALLENGE_NOT_FOUND)
    if tx.now >= challenge.at + model.CODE_MS or challenge.tries >= model.TRIES_MAX or challenge.used:
        raise Refused(IdentityRefusal.CHALLENGE_ENDED, "ask for a new code")
    right = hmac.compare_digest(challenge.code, _code_hash(store.vault(tx), id, code))
    challenge = msgspec.structs.replace(challenge, tries=challenge.tries + 1, used=int(right))
    tx.put(CHALLENGES, id, challenge)
    return challenge, right


@handles(OpenSession)
def open_session(tx: Tx, ask: OpenSession) -> SessionOpened:
    """Count the try, whatever it comes to."""
    challenge, right = _answered(tx, ask.challenge_id, ask.code, person="")
    if not right:
        return SessionOpened(opened=False, tries_left=model.TRIES_MAX - challenge.tries)
    known = tx.get(CONTACTS, challenge.contact)
    person = known.person_id if known else _register_by(tx, challenge)
    on_new_device = known is not None and not (challenge.device and _is_known(tx, challenge))
    if challenge.device:
        _know(tx, KnownDevice(challenge.contact, challenge.device, tx.now))
    session = sessions.opened(tx, person, ask.device)
    tx.tell(PersonSignedIn(person_id=person, session_id=session.id, is_new=known is None, on_new_device=on_new_device))
    return SessionOpened(opened=True, session_id=session.id, person_id=person, expires_at=session.expires_at, is_new=known is None)


def _is_known(tx: Tx, challenge: store.Challenge) -> bool:
    return tx.get(KNOWN_DEVICES, (challenge.contact, challenge.device)) is not None


def _know(tx: Tx, device: KnownDevice) -> None:
    """Note that a device has signed in with a contact; when there are too many, the one that has not for the longest is forgotten."""
    place = (device.contact, device.device)
    if tx.get(KNOWN_DEVICES, place) is not None:
        tx.put(KNOWN_DEVICES, place, device)
        return
    known = store.devices_of(tx, device.contact)
    for other in known[: max(0, len(known) - model.DEVICES_KNOWN_MAX + 1)]:
        tx.remove(KNOWN_DEVICES, (device.contact, other), store.FORGET_DEVICE)
    tx.add(KNOWN_DEVICES, place, device)


def _register_by(tx: Tx, challenge: store.Challenge) -> PersonId:
    contact = Contact(challenge.kind, _challenged(tx, challenge))
    return people.register(tx, (contact,), nickname="", language=challenge.language)


def _challenged(tx: Tx, challenge: store.Challenge) -> str:
    text = store.vault(tx).unseal(letters.letter_key(challenge.at), challenge.sealed)
    invariant(text is not None, "the key of a day outlives the codes of that day")
    return text or ""


@handles(ConfirmContact)
def confirm_contact(tx: Tx, ask: ConfirmContact) -> ContactAnswered:
    """Decides first: a contact that somebody else has by now is refused only to whoever has proved to hold it."""
    if not tx.actor.person:
        raise Refused(IdentityRefusal.CHALLENGE_NOT_FOUND)
    sessions.refuse_stale(tx)
    challenge, right = _answered(tx, ask.challenge_id, ask.code, person=tx.actor.person)
    if not right:
        return ContactAnswered(confirmed=False, tries_left=model.TRIES_MAX - challenge.tries)
    known = tx.get(CONTACTS, challenge.contact)
    if known is None:
        _attach(tx, people.present(tx, tx.actor.person), Contact(challenge.kind, _challenged(tx, challenge)))
        sessions.end_others(tx)
        tx.tell(ContactConfirmed(person_id=tx.actor.person, kind=challenge.kind))
    elif known.person_id != tx.actor.person:
        raise Refused(IdentityRefusal.CONTACT_TAKEN)
    return ContactAnswered(confirmed=True)


def _attach(tx: Tx, person: Person, contact: Contact) -> None:
    vault = store.vault(tx)
    hash = vault.lookup(contact.kind, contact.text)
    before = person.phone if contact.kind is ContactKind.PHONE else person.email
    if before is not None:
        people.forget_contact(tx, before)
    tx.add(CONTACTS, hash, KnownContact(hash, person.id))
    details = people.details_of(tx, person)
    for had in filter(None, (details.phone, details.email)):
        letters.tell(tx, had, model.contact_changed_text(contact.kind, person.language), person.language)
    details = msgspec.structs.replace(details, **{contact.kind.value: contact.text})
    changed = msgspec.structs.replace(person, sealed=vault.seal(person.id, store.written(details)), **{contact.kind.value: hash})
    tx.put(PEOPLE, person.id, changed)


class ForgetChallenge(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Forget a challenge and its letter."""

    challenge_id: ChallengeId


class ForgetBudget(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Forget how many codes a bucket has had, once nothing of it is counted any more."""

    bucket: bytes


@handles(ForgetChallenge)
def forget_challenge(tx: Tx, ask: ForgetChallenge) -> None:
    """An hour after it was sent; both rows are there until then."""
    people.refuse_others(tx)
    tx.remove(CHALLENGES, ask.challenge_id, store.FORGET_CHALLENGE)
    tx.remove(LETTERS, LetterId(ask.challenge_id), store.FORGET_LETTER)


@handles(ForgetBudget)
def forget_budget(tx: Tx, ask: ForgetBudget) -> None:
    """While a window still runs, look again when the last is over: an hour that began late outlasts its day."""
    people.refuse_others(tx)
    budget = tx.get(BUDGETS, ask.bucket)
    if budget is None:
        return
    until = model.counted_until(budget.used)
    if until > tx.now:
        tx.at(until, ask)
    else:
        tx.remove(BUDGETS, ask.bucket, store.FORGET_BUDGET)
