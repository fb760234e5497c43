"""Bulk work a step at a time: each step's effect and the job's progress commit together, so that a job resumes where it was."""

import asyncio
from enum import StrEnum

import msgspec
import structlog
from msgspec import Struct

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
_RUNNING = "SELECT id FROM job WHERE status = 'running' ORDER BY id"


class Kinds:
    """The kinds of jobs there are: a port."""

    def __init__(self, registry: Registry) -> None:
        """Take them from the registry."""
        self.by_name: dict[str, JobKind] = registry.jobs


class StartJob(Command[Job], refuses=(JobRefusal.UNKNOWN_KIND,)):
    """Begin a piece of bulk work; `state` is what its first step is given."""

    kind: str
    state: bytes = b""


class StepJob(Command[Job], refuses=(JobRefusal.NOT_FOUND, JobRefusal.ENDED)):
    """Do the next step of a job."""

    id: JobId


class EndJob(Command[Job], refuses=(JobRefusal.NOT_FOUND, JobRefusal.ENDED)):
    """Stop a job: cancelled by somebody, or failed with an error. What its steps have done stays."""

    id: JobId
    error: str = ""


class JobOf(Query[Job], refuses=(JobRefusal.NOT_FOUND,)):
    """How far a job is."""

    id: JobId


@handles(StartJob)
def start_job(tx: Tx, ask: StartJob) -> Job:
    """Write it down; the runner takes it from there."""
    if ask.kind not in tx.port(Kinds).by_name:
        raise Refused(JobRefusal.UNKNOWN_KIND, ask.kind)
    job = Job(id=JobId(tx.id("job")), kind=ask.kind, status=JobStatus.RUNNING, done=0, total=0, state=ask.state, error="", at=tx.now)
    tx.add(JOBS, job.id, job)
    return job


@handles(StepJob)
def step_job(tx: Tx, ask: StepJob) -> Job:
    """One step and its progress, in one transaction."""
    job = _running(tx, ask.id)
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


class Jobs:
    """Runs the jobs of a cloud, those that a crash has interrupted included."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry) -> None:
        """Read which jobs run through a connection of its own."""
        self._writer = writer
        self._reader = reader
        self._kinds = tuple(registry.jobs.values())
        self._begun: dict[str, int] = {}

    async def run(self) -> None:
        """Step until cancelled."""
        while True:
            await self._keep_house()
            if not await self.run_once():
                await asyncio.sleep(0.2)

    async def _keep_house(self) -> None:
        """Begin what is to be done every so often."""
        now = self._writer.now()
        for kind in self._kinds:
            if kind.every_ms and now - self._begun.get(kind.name, 0) > kind.every_ms and not self._writer.failed:
                self._begun[kind.name] = now
                await self._writer.submit(StartJob(kind=kind.name), actor=SYSTEM, background=True)

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
