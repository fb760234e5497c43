"""The rows of what people want remembered of their searches, and the statements on them."""

from msgspec import Struct

from yunduan.kernel.ids import PersonId
from yunduan.runtime.ports import Table
from yunduan.runtime.transaction import Asking, Tx


class Recents(Struct, frozen=True, gc=False):
    """What somebody has searched for, sealed under their key; nothing from before `cleared_at` (milliseconds since 1970) is in it."""

    person: PersonId
    sealed: bytes
    cleared_at: int


RECENT: Table[PersonId, Recents] = Table(
    name="search_recent",
    columns={"person": str, "sealed": bytes, "cleared_at": int},
    value=lambda row: Recents(*row),
    row=lambda one: (one.person, one.sealed, one.cleared_at),
    remembered=1_000,
)
_FORGET = "DELETE FROM search_recent WHERE person = ?"


def recents_of(at: Asking, person: PersonId) -> Recents | None:
    """What is remembered of somebody; nothing for whoever does not want it."""
    return at.get(RECENT, person) if person else None


def keep(tx: Tx, one: Recents) -> None:
    """Remember this from now on."""
    (tx.add if tx.get(RECENT, one.person) is None else tx.put)(RECENT, one.person, one)


def forget_person(tx: Tx, person: PersonId) -> None:
    """Remember nothing of somebody, from now on either."""
    if tx.get(RECENT, person) is not None:
        tx.remove(RECENT, person, _FORGET)
