"""What identity tells the others: opaque ids only, so that a fact says nothing once the person's key is gone."""

from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.messages import Fact


class PersonRegistered(Fact):
    """Somebody is here for the first time."""

    person_id: PersonId
    language: str


class PersonSignedIn(Fact):
    """Somebody has opened a session."""

    person_id: PersonId
    session_id: SessionId
    is_new: bool
    on_new_device: bool = False
    """Whether somebody who was known came from a device that had not signed in with this contact."""


class SessionEnded(Fact):
    """A session is worth nothing any more: signed out, revoked, idle for too long, or crowded out.

    `revoked` when another device of the person has signed this one out, and it alone.
    """

    person_id: PersonId
    session_id: SessionId
    revoked: bool = False


class OtherSessionsEnded(Fact):
    """Somebody has had every other device signed out; each session that ended is told as well."""

    person_id: PersonId
    ended: int


class ContactConfirmed(Fact):
    """Somebody has proved to be reached by another contact; `kind` is phone or email."""

    person_id: PersonId
    kind: str


class RoleGranted(Fact):
    """Somebody may do more; an empty shop means the marketplace. `by` is empty for the cloud itself."""

    person_id: PersonId
    shop_id: str
    role: str
    by: str
    founds: bool = False
    """Whether it came with the shop, whose first owner is told of that."""


class RoleWithdrawn(Fact):
    """Somebody may do less."""

    person_id: PersonId
    shop_id: str
    role: str
    by: str


class PersonErased(Fact):
    """Somebody is nobody any more: what was sealed under their key cannot be read again by anyone."""

    person_id: PersonId
