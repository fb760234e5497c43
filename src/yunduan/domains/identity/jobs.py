"""Bulk work of identity."""

import msgspec
from msgspec import Struct

from yunduan.domains.identity import store
from yunduan.runtime.registry import Progress
from yunduan.runtime.transaction import Tx

_PEOPLE_A_STEP = 2000
_KEYS_A_STEP = 20
"""Destroying a key waits for the disk; a step must not hold the others up."""


class _Walked(Struct, frozen=True, kw_only=True):
    after: str = ""
    done: int = 0


def destroy_erased_keys(tx: Tx, state: bytes) -> Progress:
    """Destroy the key of everybody who is erased: after an older copy of the keys was restored, which has brought some back."""
    walked = msgspec.json.decode(state, type=_Walked) if state else _Walked()
    vault = store.vault(tx)
    people = store.people_after(tx, walked.after, _PEOPLE_A_STEP)
    destroyed = passed = 0
    for id, erased_at in people:
        if erased_at:
            if destroyed == _KEYS_A_STEP:
                break
            vault.destroy(id)
            destroyed += 1
        passed += 1
    walked = _Walked(after=people[passed - 1][0] if passed else walked.after, done=walked.done + passed)
    finished = passed == len(people) < _PEOPLE_A_STEP
    return Progress(done=walked.done, total=store.people_count(tx), state=msgspec.json.encode(walked), finished=finished)
