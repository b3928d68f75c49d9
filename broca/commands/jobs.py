"""`broca jobs`, `broca cancel` and `broca retry`: what the server has been asked for."""

from __future__ import annotations

import json
from itertools import islice

import typer
from rich.table import Table

from ..client import Client
from ..results import Job
from .display import results_console
from .options import JSON, SERVER


def jobs(
    status: str = typer.Option(None, "--status", help="Only jobs of this status."),
    limit: int = typer.Option(50, "--limit", min=1, help="How many jobs at the most."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """List jobs, newest first."""
    with Client(server) as client:
        found = list(islice(client.jobs(status=status, page_size=min(limit, 200)), limit))
    if as_json:
        typer.echo(json.dumps([job.model_dump(mode="json") for job in found], indent=2))
        return
    table = Table("job", "status", "model", "protocol", "benchmarks", "created", "done")
    for job in found:
        table.add_row(*_cells(job))
    results_console().print(table)


def cancel(job_id: str = typer.Argument(metavar="JOB", help="The job's id."), server: str = SERVER) -> None:
    """Stop a job; a finished one stays as it is."""
    with Client(server) as client:
        job = client.cancel(job_id)
    typer.echo(f"{job.id} {job.status}")


def retry(
    job_id: str = typer.Argument(metavar="JOB", help="The job's id."), as_json: bool = JSON, server: str = SERVER
) -> None:
    """Ask again for the runs of a finished job that have no score; prints the new job's id."""
    with Client(server) as client:
        job = client.retry(job_id)
    typer.echo(json.dumps(job.model_dump(mode="json"), indent=2) if as_json else job.id)


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
