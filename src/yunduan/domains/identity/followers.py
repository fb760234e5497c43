"""What follows from identity's own facts."""

from yunduan.domains.identity import store
from yunduan.domains.identity.facts import PersonErased
from yunduan.runtime.registry import hears
from yunduan.runtime.transaction import Tx


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """Destroy the key. Only now, when the erasure is on disk: a key cannot be brought back if the command had been undone."""
    for fact in facts:
        store.vault(tx).destroy(fact.person_id)
