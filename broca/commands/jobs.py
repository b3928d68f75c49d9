"""`broca jobs`, `broca wait`, `broca cancel` and `broca retry`: what the server has been asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..client import Client
from ..results import Job
from . import completion
from .display import show
from .options import JOB, JOBS, JSON, QUIET, SERVER
from .score import end_as, show_end, watched

app = typer.Typer(invoke_without_command=True)


@app.callback()
def jobs(
    context: typer.Context,
    status: str = typer.Option(None, "--status", autocompletion=completion.statuses, help="Only jobs of this status."),
    limit: int = typer.Option(50, "--limit", min=1, help="How many jobs at the most."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """List jobs, newest first.

    Example: broca jobs --status failed
    """
    if context.invoked_subcommand is not None:
        return
    with Client(server) as client:
        found = list(islice(client.jobs(status=status, page_size=min(limit, 200)), limit))
    show(found, lambda: _table(found), as_json=as_json, quiet=quiet, ids=(job.id for job in found))


@app.command("show")
def show_job(job_id: str = JOB, as_json: bool = JSON, quiet: bool = QUIET, server: str = SERVER) -> None:
    """Show a job as it stands, with its runs. -q prints the ids of the scores that it has.

    Example: broca jobs show job_5b5fa5122bb5400cdeaa
    """
    with Client(server) as client:
        job = client.job(job_id)
    show(job, lambda: _picture(job), as_json=as_json, quiet=quiet, ids=scores_of([job]))


def wait(
    job_ids: list[str] = JOBS,
    timeout_s: float = typer.Option(None, "--timeout", min=0, metavar="S", help="Seconds to wait for each at most."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Wait until jobs have ended and show their scores. -q prints the scores' ids.

    Example: broca wait job_5b5fa5122bb5400cdeaa --timeout 600
    """
    with Client(server) as client:
        ended = [watched(client, job_id, timeout_s=timeout_s) for job_id in dict.fromkeys(job_ids)]
        show_end(client, ended, as_json=as_json, quiet=quiet)
    end_as(*ended)


def cancel(job_ids: list[str] = JOBS, as_json: bool = JSON, quiet: bool = QUIET, server: str = SERVER) -> None:
    """Stop jobs; a finished one stays as it is.

    Example: broca cancel job_5b5fa5122bb5400cdeaa
    """
    with Client(server) as client:
        found = [client.cancel(job_id) for job_id in dict.fromkeys(job_ids)]
    show(
        found,
        lambda: Text("\n".join(map(_outcome, found))),
        as_json=as_json,
        quiet=quiet,
        ids=(job.id for job in found),
    )


def retry(job_id: str = JOB, as_json: bool = JSON, quiet: bool = QUIET, server: str = SERVER) -> None:
    """Ask again for the runs of a finished job that have no score; prints the new job's id.

    Example: broca retry job_5b5fa5122bb5400cdeaa
    """
    with Client(server) as client:
        job = client.retry(job_id)
    show(job, lambda: Text(job.id), as_json=as_json, quiet=quiet, ids=[job.id])


def scores_of(jobs: Sequence[Job]) -> Iterator[str]:
    """The ids of the scores that jobs have."""
    return (run.score for job in jobs for run in job.runs if run.score is not None)


def _outcome(job: Job) -> str:
    """What a wish to cancel came to: what it ends is cancelled, so that any other end was there before it."""
    had_ended = job.is_finished and job.status != "cancelled"
    return f"{job.id} had already ended: {job.status}" if had_ended else f"{job.id} {job.status}"


def _table(found: Sequence[Job]) -> Table:
    table = Table("job", "status", "model", "protocol", "benchmarks", "created", "done")
    for job in found:
        table.add_row(*_cells(job))
    return table


def _cells(job: Job) -> tuple[str, ...]:
    fraction = job.progress.fraction if job.progress else None
    return (
        job.id,
        job.status,
        job.model.id,
        job.protocol,
        ", ".join(run.benchmark for run in job.runs),
        "–" if job.created_at is None else f"{job.created_at:%Y-%m-%d %H:%M:%S}",
        "–" if fraction is None else f"{100 * fraction:.0f} %",
    )


def _picture(job: Job) -> Group:
    """A job, then its runs one below the other, then why some have no score."""
    table = Table("benchmark", "status", "attempt", "score", "started", "finished")
    for run in job.runs:
        times = ("–" if at is None else f"{at:%H:%M:%S}" for at in (run.started_at, run.finished_at))
        table.add_row(run.benchmark, run.status, str(run.attempt or "–"), run.score or "–", *times)
    revision = job.model.revision or job.model.requested_revision
    model = job.model.id if revision is None else f"{job.model.id} at {revision}"
    title = Text(f"{job.id} {job.status}: {model} under {job.protocol}")
    why = [
        Text(f"{run.benchmark}: {run.error.detail or run.error.code} [{run.error.code}]", style="red")
        for run in job.runs
        if run.error is not None
    ]
    return Group(title, table, *why)
