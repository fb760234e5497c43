"""What the runtime itself handles, declared like any domain."""

from yunduan.runtime import following, imports, jobs
from yunduan.runtime.answers import FORGET, KEPT_MS, SPEND
from yunduan.runtime.registry import Domain, JobKind, Progress
from yunduan.runtime.transaction import Tx

_STEP = 2000


def forget_answers(tx: Tx, state: bytes) -> Progress:
    """Walk the stored answers from the oldest on; those past their time go, and of those that moved money the key stays."""
    after = int(state or b"0")
    row = tx.row(
        "SELECT CAST(max(seq) AS INTEGER), CAST(coalesce((SELECT min(seq) FROM answer WHERE at >= ?), 0) AS INTEGER) FROM answer",
        (tx.now - KEPT_MS,),
    )
    last, young = (row[0] or 0, row[1] or 0) if row else (0, 0)
    end = (young or last + 1) - 1
    through = min(after + _STEP, end)
    tx.write(SPEND, (tx.now - KEPT_MS, after, through))
    tx.write(FORGET, (tx.now - KEPT_MS, after, through))
    return Progress(done=through, total=end, state=b"%d" % through, finished=through >= end)


DOMAIN = Domain(
    name="runtime",
    package="yunduan.runtime",
    commands=(
        following.deliver_facts,
        following.park_fact,
        jobs.start_job,
        jobs.step_job,
        jobs.end_job,
        imports.begin_import,
        imports.bring_in,
        imports.advance_import,
        imports.end_import,
    ),
    queries=(jobs.job_of, imports.import_of, imports.imported_of, imports.kinds_imported),
    jobs=(JobKind("forget_answers", forget_answers, every_ms=3_600_000),),
)
