"""Bulk work a step at a time: each step's effect and the job's progress commit together, so that a job resumes where it was."""

import asyncio
from enum import StrEnum
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import JobId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import FaultError, RefusalCode, Refused
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.registry import JobKind, Progress, Registry, answers, handles
from yunduan.runtime.transaction import Asking, Tx
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)


class JobRefusal(RefusalCode):
    """What jobs refuse."""

    NOT_FOUND = "job_not_found", "There is no such job."
    UNKNOWN_KIND = "job_kind_unknown", "There is no work of this kind."
    ENDED = "job_ended", "The job has ended already."
    RUNNING = "job_running", "A job of this kind is at work already."


class JobStatus(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Job(Struct, frozen=True, kw_only=True):
    """One piece of bulk work: `done` of `total`, in the units of its kind."""

    id: JobId
    kind: str
    status: JobStatus
    done: int
    total: int
    state: bytes
    error: str
    at: int


def _row(job: Job) -> Row:
    return (job.id, job.kind, job.status.value, job.done, job.total, job.state, job.error, job.at)


def _job(row: Row) -> Job:
    return Job(id=row[0], kind=row[1], status=JobStatus(row[2]), done=row[3], total=row[4], state=row[5], error=row[6], at=row[7])


JOBS: Table[JobId, Job] = Table(
    name="job",
    columns={"id": str, "kind": str, "status": str, "done": int, "total": int, "state": bytes, "error": str, "at": int},
    value=_job,
    row=_row,
)
KEPT_MS = 30 * 86_400_000
"""How long a job that has ended is remembered."""
_FORGOTTEN_AT_ONCE = 100
_RUNNING = "SELECT id FROM job WHERE status = 'running' ORDER BY id"
_RUNNING_OF_KIND = "SELECT id FROM job WHERE status = 'running' AND kind = ? ORDER BY id LIMIT 1"
_LAST_OF_KIND = "SELECT status, at FROM job WHERE kind = ? ORDER BY id DESC LIMIT 1"
_LAST = f"SELECT {', '.join(JOBS.columns)} FROM job ORDER BY id DESC LIMIT ?"  # noqa: S608 - names from code
_OLD = "SELECT id FROM job WHERE at < ? AND status <> 'running' ORDER BY id LIMIT ?"
_FORGET = "DELETE FROM job WHERE id = ?"


class Kinds:
    """The kinds of jobs there are: a port."""

    def __init__(self, registry: Registry) -> None:
        """Take them from the registry."""
        self.by_name: dict[str, JobKind] = registry.jobs


class StartJob(Command[Job], refuses=(JobRefusal.UNKNOWN_KIND, JobRefusal.RUNNING)):
    """Begin a piece of bulk work, one of a kind at a time; `state` is what its first step is given."""

    kind: str
    state: bytes = b""


class StepJob(Command[Job], refuses=(JobRefusal.NOT_FOUND, JobRefusal.ENDED)):
    """Do the next step of a job."""

    id: JobId


class EndJob(Command[Job], refuses=(JobRefusal.NOT_FOUND, JobRefusal.ENDED)):
    """Stop a job: cancelled by somebody, or failed with an error. What its steps have done stays."""

    id: JobId
    error: str = ""


class RetryJob(Command[Job], refuses=JobRefusal):
    """Go on with a job that has failed or was cancelled, from its last step that was done."""

    id: JobId


class LastJobs(Query[list[Job]]):
    """The jobs that were begun last, the latest first."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 20


class JobOf(Query[Job], refuses=(JobRefusal.NOT_FOUND,)):
    """How far a job is."""

    id: JobId


@handles(StartJob)
def start_job(tx: Tx, ask: StartJob) -> Job:
    """Write it down; the runner takes it from there. Some of those that ended long ago are forgotten on the way."""
    _refuse_second(tx, ask.kind)
    for (old,) in tx.rows(_OLD, (tx.now - KEPT_MS, _FORGOTTEN_AT_ONCE)):
        tx.remove(JOBS, old, _FORGET)
    job = Job(id=JobId(tx.id("job")), kind=ask.kind, status=JobStatus.RUNNING, done=0, total=0, state=ask.state, error="", at=tx.now)
    tx.add(JOBS, job.id, job)
    return job


@handles(StepJob)
def step_job(tx: Tx, ask: StepJob) -> Job:
    """One step and its progress, in one transaction."""
    job = _running(tx, ask.id)
    tx.cause = job.id
    progress: Progress = tx.port(Kinds).by_name[job.kind].step(tx, job.state)
    status = JobStatus.FINISHED if progress.finished else JobStatus.RUNNING
    job = msgspec.structs.replace(job, done=progress.done, total=progress.total, state=progress.state, status=status, at=tx.now)
    tx.put(JOBS, job.id, job)
    return job


@handles(EndJob)
def end_job(tx: Tx, ask: EndJob) -> Job:
    """No more steps."""
    status = JobStatus.FAILED if ask.error else JobStatus.CANCELLED
    job = msgspec.structs.replace(_running(tx, ask.id), status=status, error=ask.error[:500], at=tx.now)
    tx.put(JOBS, job.id, job)
    return job


@handles(RetryJob)
def retry_job(tx: Tx, ask: RetryJob) -> Job:
    """What its steps have done stays; a step that failed is done anew."""
    job = tx.get(JOBS, ask.id)
    if job is None:
        raise Refused(JobRefusal.NOT_FOUND)
    if job.status is JobStatus.FINISHED:
        raise Refused(JobRefusal.ENDED, job.status)
    _refuse_second(tx, job.kind)
    job = msgspec.structs.replace(job, status=JobStatus.RUNNING, error="", at=tx.now)
    tx.put(JOBS, job.id, job)
    return job


@answers(LastJobs)
def last_jobs(at: Asking, ask: LastJobs) -> list[Job]:
    """As they stand."""
    return [_job(row) for row in at.rows(_LAST, (ask.limit,))]


@answers(JobOf)
def job_of(at: Asking, ask: JobOf) -> Job:
    """The job as it stands."""
    job = at.get(JOBS, ask.id)
    if job is None:
        raise Refused(JobRefusal.NOT_FOUND)
    return job


def _running(tx: Tx, id: JobId) -> Job:
    job = tx.get(JOBS, id)
    if job is None:
        raise Refused(JobRefusal.NOT_FOUND)
    if job.status is not JobStatus.RUNNING:
        raise Refused(JobRefusal.ENDED, job.status)
    return job


def _refuse_second(tx: Tx, kind: str) -> None:
    """Two of a kind would do the same work side by side."""
    kinds = tx.port(Kinds).by_name
    if kind not in kinds:
        raise Refused(JobRefusal.UNKNOWN_KIND, f"{kind} is none of {', '.join(sorted(kinds))}")
    running = tx.row(_RUNNING_OF_KIND, (kind,))
    if running is not None:
        raise Refused(JobRefusal.RUNNING, running[0])


class Jobs:
    """Runs the jobs of a cloud, those that a crash has interrupted included."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry) -> None:
        """Read which jobs run through a connection of its own."""
        self._writer = writer
        self._reader = reader
        self._kinds = tuple(registry.jobs.values())
        self._due: dict[str, int] = {}

    async def run(self) -> None:
        """Step until cancelled."""
        while True:
            await self._keep_house()
            if not await self.run_once():
                await asyncio.sleep(0.2)

    async def _keep_house(self) -> None:
        """Begin what is to be done every so often: what is due together, which is most of it every night, in one commit."""
        due = [kind for kind in self._kinds if kind.every_ms and not self._writer.failed and self._is_due(kind)]
        if due:
            await asyncio.gather(*(self._writer.submit(StartJob(kind=kind.name), actor=SYSTEM, background=True) for kind in due))

    def _is_due(self, kind: JobKind) -> bool:
        """Whether the last of its kind, of whichever process, ended so long ago."""
        now = self._writer.now()
        if now < self._due.get(kind.name, 0):
            return False
        last = self._reader.row(_LAST_OF_KIND, (kind.name,))
        if last is not None and last[0] == JobStatus.RUNNING:
            return False
        self._due[kind.name] = next_at = last[1] + kind.every_ms if last is not None else now
        return now >= next_at

    def next_due(self) -> int | None:
        """Never by time alone: a job goes on until it is done."""
        return None

    async def run_once(self) -> bool:
        """One step of every job that runs; answers whether there was any."""
        running = [JobId(row[0]) for row in self._reader.rows(_RUNNING)]
        for id in running:
            try:
                await self._writer.submit(StepJob(id=id), actor=SYSTEM, background=True)
            except FaultError:
                await asyncio.sleep(0.2)
            except Exception as error:
                log.exception("job_failed", job=id)
                await self._writer.submit(EndJob(id=id, error=repr(error)), actor=SYSTEM, background=True)
        return bool(running)
