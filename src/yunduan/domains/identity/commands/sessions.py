"""Sessions: opened, seen, revoked, ended when idle."""

import hashlib
from collections.abc import Iterator

import msgspec

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import people
from yunduan.domains.identity.facts import OtherSessionsEnded, SessionEnded
from yunduan.domains.identity.model import (
    IdentityRefusal,
    SessionsEnded,
)
from yunduan.domains.identity.store import (
    SESSIONS,
    Session,
)
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import Wanted, handles
from yunduan.runtime.transaction import Asking, Tx


class TouchSession(Command[None], refuses=(IdentityRefusal.SESSION_NOT_FOUND,)):
    """Note that a session is in use, and let it last from now; within a day of the last time nothing is written."""

    session_id: SessionId


class RevokeSession(Command[SessionsEnded], refuses=(IdentityRefusal.SESSION_NOT_FOUND,)):
    """Sign one of one's own devices out."""

    session_id: SessionId


class RevokeOtherSessions(Command[SessionsEnded]):
    """Sign every device out but this one."""


class SignOut(Command[SessionsEnded], refuses=(IdentityRefusal.SESSION_NOT_FOUND,)):
    """Sign this device out."""


def opened(tx: Tx, person: PersonId, device: str) -> Session:
    """A new session of a person, in the place of the one that was idle for the longest if there are too many."""
    _make_room(tx, person)
    return begun(tx, person, device)


def begun(tx: Tx, person: PersonId, device: str) -> Session:
    """A new session of somebody who has room for it, with an alarm for the day on which it would be idle for too long."""
    vault = store.vault(tx)
    id = SessionId(tx.id("ses"))
    session = Session(
        token_hash=key_of(tx, id),
        id=id,
        person_id=person,
        device=vault.seal(person, device),
        at=tx.now,
        seen_at=tx.now,
        expires_at=tx.now + model.SESSION_MS,
    )
    tx.add(SESSIONS, session.token_hash, session)
    tx.at(session.expires_at, EndIdleSession(session_id=id))
    return session


def _make_room(tx: Tx, person: PersonId) -> None:
    """Sign out what was not seen for the longest when there are too many."""
    sessions = all_of(tx, person)
    for session in sorted(sessions, key=lambda it: it.seen_at)[: max(0, len(sessions) - model.SESSIONS_MAX + 1)]:
        end(tx, session)


def all_of(tx: Tx, person: PersonId) -> list[Session]:
    """Every session of a person, the oldest first."""
    keys = store.sessions_of(tx, person)
    return list(tx.get_many(SESSIONS, keys).values())


def key_of(tx: Asking, id: SessionId) -> bytes:
    """Where a session is found: nothing but the hash of its token is stored."""
    return token_hash(store.vault(tx).token(id))


def token_hash(token: str) -> bytes:
    """What is stored, and asked for, of a bearer token."""
    return hashlib.sha256(token.encode()).digest()


def end(tx: Tx, session: Session, *, revoked: bool = False) -> None:
    """Make a session worth nothing."""
    tx.remove(SESSIONS, session.token_hash, store.END_SESSION)
    tx.tell(SessionEnded(person_id=session.person_id, session_id=session.id, revoked=revoked))


def end_others(tx: Tx) -> int:
    """Make every session of whoever asks worth nothing but the one that asks; answers how many that were."""
    others = [session for session in all_of(tx, tx.actor.person) if session.id != tx.actor.session] if tx.actor.person else []
    for session in others:
        end(tx, session)
    return len(others)


def refuse_stale(tx: Tx) -> None:
    """Let pass whoever has signed in a moment ago, in this very session: not a phone that was found unlocked, nor a stolen token."""
    session = tx.get(SESSIONS, key_of(tx, tx.actor.session))
    if session is None or not tx.actor.owns(session.person_id) or tx.now - session.at >= model.FRESH_MS:
        raise Refused(IdentityRefusal.SIGN_IN_AGAIN)


def _wanted_by_touch(ask: TouchSession, _: Actor, tx: Tx) -> Iterator[Wanted]:
    yield ((SESSIONS, key_of(tx, ask.session_id)),)


@handles(TouchSession, reads=_wanted_by_touch)
def touch_session(tx: Tx, ask: TouchSession) -> None:
    """Move the dates, at most once a day."""
    session = tx.get(SESSIONS, key_of(tx, ask.session_id))
    if session is None or session.expires_at <= tx.now:
        raise Refused(IdentityRefusal.SESSION_NOT_FOUND)
    if tx.now - session.seen_at >= model.TOUCH_MS:
        touched = msgspec.structs.replace(session, seen_at=tx.now, expires_at=tx.now + model.SESSION_MS)
        tx.put(SESSIONS, session.token_hash, touched)


@handles(RevokeSession)
def revoke_session(tx: Tx, ask: RevokeSession) -> SessionsEnded:
    """Somebody else's session is as if it were not there."""
    return _revoke(tx, ask.session_id)


@handles(SignOut)
def sign_out(tx: Tx, _ask: SignOut) -> SessionsEnded:
    """The token is worth nothing from the next request on."""
    return _revoke(tx, tx.actor.session)


def _revoke(tx: Tx, id: SessionId) -> SessionsEnded:
    session = tx.get(SESSIONS, key_of(tx, id))
    if session is None or not tx.actor.owns(session.person_id):
        raise Refused(IdentityRefusal.SESSION_NOT_FOUND)
    end(tx, session, revoked=id != tx.actor.session)
    return SessionsEnded(ended=1)


@handles(RevokeOtherSessions)
def revoke_other_sessions(tx: Tx, _ask: RevokeOtherSessions) -> SessionsEnded:
    """For whoever has lost a phone."""
    ended = end_others(tx)
    if ended:
        tx.tell(OtherSessionsEnded(person_id=tx.actor.person, ended=ended))
    return SessionsEnded(ended=ended)


class EndIdleSession(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Forget a session that was not seen for so long, or look again when it will be."""

    session_id: SessionId


@handles(EndIdleSession)
def end_idle_session(tx: Tx, ask: EndIdleSession) -> None:
    """A session that was used in the meantime lasts longer."""
    people.refuse_others(tx)
    session = tx.get(SESSIONS, key_of(tx, ask.session_id))
    if session is None:
        return
    if session.expires_at > tx.now:
        tx.at(session.expires_at, ask)
    else:
        end(tx, session)
