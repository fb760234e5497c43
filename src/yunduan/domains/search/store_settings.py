"""What operators have set for search: one row, and one line for each change of it."""

import msgspec
from msgspec import Struct

from yunduan.domains.search.model import SearchSettings
from yunduan.kernel.ids import PersonId
from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SearchSettings).decode
_AS_IT_COMES = SearchSettings()
SETTINGS: Table[int, SearchSettings] = Table(
    name="search_settings",
    columns={"id": int, "body": bytes},
    value=lambda row: _decode(row[1]),
    row=lambda said: (1, _encode(said)),
    shown=1,
)
_NOTE = "INSERT INTO search_settings_change (person_id, at, reason, body) VALUES (?, ?, ?, ?)"
_CHANGES = "SELECT seq, person_id, at, reason, body FROM search_settings_change WHERE seq < ? ORDER BY seq DESC LIMIT ?"


class SettingsChange(Struct, frozen=True, kw_only=True):
    """What was set, by whom, and why."""

    seq: int
    person_id: PersonId
    at: int
    reason: str
    settings: SearchSettings


def now(at: Asking) -> SearchSettings:
    """What is set."""
    return at.get(SETTINGS, 1) or _AS_IT_COMES


def keep(tx: Tx, said: SearchSettings, *, person: PersonId, reason: str) -> None:
    """Set it, and note who did."""
    (tx.add if tx.get(SETTINGS, 1) is None else tx.put)(SETTINGS, 1, said)
    tx.append(_NOTE, (person, tx.now, reason, _encode(said)))


def changes(at: Asking, *, before: int, limit: int) -> list[SettingsChange]:
    """What was set, the latest first."""
    return [
        SettingsChange(seq=seq, person_id=person, at=moment, reason=reason, settings=_decode(body))
        for seq, person, moment, reason, body in at.rows(_CHANGES, (before, limit))
    ]
