"""What the runtime itself handles, declared like any domain."""

from itertools import takewhile

from yunduan.runtime import alarms, following, imports, jobs, timekeeping
from yunduan.runtime.answers import FORGET, KEPT_MS, SPEND
from yunduan.runtime.marks import keep_mark, mark
from yunduan.runtime.registry import Domain, JobKind, Progress
from yunduan.runtime.timekeeping import Timekeeper
from yunduan.runtime.transaction import Tx

_STEP = 2000
_WALKED = "answers_walked"
_NEXT = "SELECT seq, at FROM answer WHERE seq > ? ORDER BY seq LIMIT ?"
_LAST = "SELECT CAST(coalesce(max(seq), 0) AS INTEGER) FROM answer"


def forget_answers(tx: Tx, _: bytes) -> Progress:
    """Walk the next answers that are past their time; they go, and of those that moved money the key stays.

    How far all of them have been walked is remembered, so that nobody comes back to the keys that stay. While the time is in
    doubt nothing is forgotten: a key that went too early would let its command be carried out twice.
    """
    keeper = tx.port(Timekeeper)
    wall, after = keeper.look(), int(mark(tx, _WALKED) or b"0")
    rows = tx.rows(_NEXT, (after, _STEP))
    until = 0 if keeper.doubt else min(tx.now, wall) - KEPT_MS
    old = [seq for seq, _ in takewhile(lambda row: row[1] < until, rows)]
    if old:
        span = (after, old[-1])
        tx.write(SPEND, span)
        tx.write(FORGET, span)
    ((last,),) = tx.rows(_LAST)
    walked = min(old[-1] if old else after, last)  # a store may give the numbers of the last rows again when these have gone
    if walked != after:
        keep_mark(tx, _WALKED, b"%d" % walked)
    return Progress(done=walked, total=last, finished=len(old) < _STEP)


DOMAIN = Domain(
    name="runtime",
    package="yunduan.runtime",
    commands=(
        following.deliver_facts,
        following.park_fact,
        following.hear_parked,
        jobs.start_job,
        jobs.step_job,
        jobs.end_job,
        jobs.retry_job,
        alarms.fail_alarm,
        timekeeping.suspend_alarms,
        timekeeping.confirm_clock,
        imports.begin_import,
        imports.bring_in,
        imports.advance_import,
        imports.end_import,
    ),
    queries=(jobs.job_of, jobs.last_jobs, following.parked_facts, imports.import_of, imports.imported_of, imports.kinds_imported),
    jobs=(JobKind("forget_answers", forget_answers, every_ms=3_600_000),),
    seal=timekeeping.note_time,
)
