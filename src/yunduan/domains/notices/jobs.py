"""What is forgotten: old notices, and letters that nobody asks after any more."""

from yunduan.domains.notices import store
from yunduan.domains.notices.model import KEPT_MS, LETTERS_KEPT_MS
from yunduan.kernel.ids import made
from yunduan.runtime.registry import JobKind, Progress
from yunduan.runtime.transaction import Tx

_STEP = 1_000


def forget_notices(tx: Tx, _: bytes) -> Progress:
    """The oldest first, a thousand of each at a time."""
    gone = store.forget_old(tx, tx.now - KEPT_MS, _STEP)
    letters = store.forget_letters(tx, made("ntl", at_ms=max(0, tx.now - LETTERS_KEPT_MS), serial=0, entropy=0), _STEP)
    return Progress(done=gone + letters, total=gone + letters, finished=max(gone, letters) < _STEP)


JOBS = (JobKind("forget_notices", forget_notices, every_ms=86_400_000),)
