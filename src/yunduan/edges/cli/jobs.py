"""`yunduan job …`: bulk work, begun, watched, stopped and taken up again."""

from typing import Annotated

import typer

from yunduan.edges.cli.screen import console
from yunduan.edges.cli.ways import DataFolder, moment, settings_of, with_operator
from yunduan.kernel.ids import JobId
from yunduan.runtime.jobs import EndJob, Job, LastJobs, RetryJob, StartJob

app = typer.Typer(help="Bulk work that goes on beside the requests.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The job's id (job_…).")]


@app.command(name="list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the latest first.")] = 20, data: DataFolder = None
) -> None:
    """List the jobs that were begun last."""
    for job in with_operator(settings_of(data), lambda operator: operator.ask(LastJobs(limit=limit))):
        progress = f"{job.done:,} of {job.total:,} at {moment(job.at)}"
        console.print(f"{job.id}  {job.kind:<20} {job.status:<9} {progress}{f': {job.error}' if job.error else ''}")


@app.command()
def start(
    kind: Annotated[str, typer.Argument(help="What to do; an unknown kind lists those that there are.")], data: DataFolder = None
) -> None:
    """Begin a job; one of a kind runs at a time."""
    _say(with_operator(settings_of(data), lambda operator: operator.send(StartJob(kind=kind))))


@app.command()
def cancel(job: Id, data: DataFolder = None) -> None:
    """Stop a job; what its steps have done stays."""
    _say(with_operator(settings_of(data), lambda operator: operator.send(EndJob(id=JobId(job)))))


@app.command()
def retry(job: Id, data: DataFolder = None) -> None:
    """Go on with a job that has failed or was cancelled, from its last step that was done."""
    _say(with_operator(settings_of(data), lambda operator: operator.send(RetryJob(id=JobId(job)))))


def _say(job: Job) -> None:
    console.print(f"{job.id}: {job.kind} is {job.status}, {job.done:,} of {job.total:,} done")
