"""The statements on pictures of licences: large, and hardly ever looked at, so that nothing of them is remembered."""

from msgspec import Struct

from yunduan.domains.catalog.applications import ApplicationState
from yunduan.domains.catalog.store_rulings import APPLICATION
from yunduan.kernel.ids import ApplicationId, PersonId
from yunduan.kernel.images import PictureId
from yunduan.runtime.transaction import Asking, Tx

_KEEP = "INSERT INTO licence_picture (person, picture, media_type, application_id, at, content) VALUES (?, ?, ?, ?, ?, ?)"
_OF_PERSON = "SELECT picture, application_id FROM licence_picture WHERE person = ? ORDER BY at, picture"
_ONE = "SELECT media_type, content FROM licence_picture WHERE person = ? AND picture = ?"
_HAND_IN = "UPDATE licence_picture SET application_id = ? WHERE person = ? AND picture = ?"
_FORGET = "DELETE FROM licence_picture WHERE person = ? AND picture = ?"
_FORGET_PERSON = "DELETE FROM licence_picture WHERE person = ?"
_KEEPING = frozenset({ApplicationState.WAITING, ApplicationState.APPROVED})
"""An application in one of these keeps its pictures."""


class Licence(Struct, frozen=True):
    """A picture as it is sent: sealed under its sender's key."""

    media_type: str
    content: bytes


def keep(tx: Tx, person: PersonId, picture: PictureId, licence: Licence) -> None:
    """Keep a picture that somebody has not sent before."""
    tx.append(_KEEP, (person, picture, licence.media_type, "", tx.now, licence.content))


def of_person(at: Asking, person: PersonId) -> dict[PictureId, ApplicationState | None]:
    """What somebody has sent, each with the state of the application that it was last handed in with."""
    rows = at.rows(_OF_PERSON, (person,))
    found = at.get_many(APPLICATION, [ApplicationId(row[1]) for row in rows if row[1]])
    return {row[0]: found[row[1]].state if row[1] else None for row in rows}


def is_loose(state: ApplicationState | None) -> bool:
    """Whether no application keeps a picture."""
    return state not in _KEEPING


def one(at: Asking, person: PersonId, picture: PictureId) -> Licence | None:
    """A picture that somebody has sent."""
    row = at.row(_ONE, (person, picture))
    return Licence(row[0], row[1]) if row else None


def hand_in(tx: Tx, person: PersonId, picture: PictureId, application_id: ApplicationId) -> None:
    """It goes with this application now."""
    tx.write_one(_HAND_IN, (application_id, person, picture))


def forget(tx: Tx, person: PersonId, picture: PictureId) -> None:
    """It is there no more."""
    tx.write_one(_FORGET, (person, picture))


def forget_person(tx: Tx, person: PersonId) -> None:
    """None of theirs is."""
    tx.write(_FORGET_PERSON, (person,))
