"""Behind the business of the day: the counters are added up once more, from the transfers alone."""

from typing import NoReturn

import msgspec
import structlog
from msgspec import Struct

from yunduan.domains.ledger import store
from yunduan.domains.ledger.derivation import Derivation, begun
from yunduan.domains.ledger.store import DERIVED, FORMS, TRANSFERS
from yunduan.kernel.refusals import BrokenError
from yunduan.runtime.registry import JobKind, Progress
from yunduan.runtime.transaction import Tx

log = structlog.get_logger(__name__)
TRANSFERS_PER_STEP = 500
ACCOUNTS_PER_STEP = 2000


class _State(Struct, frozen=True):
    """The transfers to come as far as they went when the job began; then the accounts, by their numbers."""

    target: int = 0
    compared: int = 0


def derive_counters(tx: Tx, state: bytes) -> Progress:
    """Add up the next transfers, or, when the book has been added up, compare the next accounts; a difference fails the job.

    The sums are kept, so that the next job goes on from there.
    """
    known = msgspec.msgpack.decode(state, type=_State) if state else _State(target=tx.head.transfer_seq)
    through = store.derived_through(tx)
    if through < known.target:
        return Progress(done=_add_up(tx, through), total=known.target, state=msgspec.msgpack.encode(known))
    last = store.last_number(tx)
    end = min(known.compared + ACCOUNTS_PER_STEP, last)
    differing = store.differing(tx, after=known.compared, through=end, through_seq=through)
    if differing:
        _alarm(f"the counters of accounts {differing} are not what their transfers add up to")
    known = _State(target=known.target, compared=end)
    return Progress(done=known.target, total=known.target, state=msgspec.msgpack.encode(known), finished=end >= last)


def _add_up(tx: Tx, through: int) -> int:
    rows = store.transfers_after(tx, through, TRANSFERS_PER_STEP)
    if not rows or rows[0][1] != through + 1 or rows[-1][1] != through + len(rows):
        _alarm(f"transfers are missing after {through}")
    forms = tx.get_many(FORMS, list({id: None for row in rows for id in (row[2], row[3])}))
    sums = tx.get_many(DERIVED, [form.number for form in forms.values()])
    accounts = {id: begun(form, sums.get(form.number) or (form.number, 0, 0, 0, 0, 0, 0)) for id, form in forms.items()}
    ended = [row[8] for row in rows if row[8] is not None]
    holds = {row[0]: row for row in (tx.load(TRANSFERS, ended) if ended else ())}
    derivation = Derivation(lambda _: None, holds.get, accounts)
    derivation.take(rows)
    if derivation.faults:
        _alarm(f"{derivation.faults_found} faults, the first: {derivation.faults[0]}")
    for derived in accounts.values():
        (tx.put if derived[0] in sums else tx.add)(DERIVED, derived[0], tuple(derived[:7]))
    store.move_derived(tx, through=rows[-1][1], before=through)
    return int(rows[-1][1])


def _alarm(what: str) -> NoReturn:
    log.critical("ledger_differs", what=what)
    raise BrokenError(what)


DERIVE_COUNTERS = JobKind("derive_counters", derive_counters, every_ms=3_600_000)
