"""`broca logs`: what happened to a job, one event a line, in plain words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import typer

from ..client import Client
from ..errors import ServerUnreachable
from ..results import FINAL_JOB_STATUSES, Event, Job
from .display import messages_console, results_console
from .options import JOB, JSON, SERVER

FIRST_PAUSE_S = 0.5
N_TRIES = 5
"""How often a stream that broke is opened again, with nothing new in between."""

FINAL = frozenset(f"job.{status}" for status in FINAL_JOB_STATUSES)

SAID = {
    "job.queued": "waits for a worker",
    "job.running": "is being worked on",
    "job.succeeded": "has ended: every run has a score",
    "job.partially_succeeded": "has ended: some runs have a score",
    "job.failed": "has ended without a score",
    "job.cancelled": "was cancelled",
    "run.queued": "waits for a worker",
    "run.running": "was taken by a worker",
    "run.succeeded": "has a score",
    "run.failed": "failed",
    "run.cancelled": "was cancelled",
    "run.expired": "waited longer than it was to",
}
"""What events mean; one that is not here is shown by its own name."""


def logs(
    job_id: str = JOB,
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on until the job ends."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Show what happened to a job, with times; JSON is one event a line.

    Example: broca logs job_5b5fa5122bb5400cdeaa --follow
    """
    console = results_console()
    with Client(server) as client:
        job = client.job(job_id)
        names = {run.id: run.benchmark for run in job.runs}
        try:
            for event in _followed(client, job) if follow else client.past_events(job_id):
                if as_json:
                    typer.echo(json.dumps(event.model_dump(mode="json")))
                else:
                    console.print(line(event, names), markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            messages_console().print(f"job {job_id} goes on", markup=False)
            raise typer.Exit(130) from None


def line(event: Event, names: dict[str, str]) -> str:
    """An event in plain words: when, what of, and what happened; `names` are benchmarks by the ids of runs."""
    at = "–" if event.at is None else f"{event.at:%Y-%m-%d %H:%M:%S}"
    of = "job" if event.run is None else str(event.data.get("benchmark") or names.get(event.run, event.run))
    return f"{at}  {of:<20}  {_words(event.type, event.data)}"


def _words(kind: str, data: dict[str, Any]) -> str:
    if kind == "run.progress":
        fraction = data.get("fraction")
        parts = ["" if fraction is None else f"{100 * fraction:3.0f} %", data.get("stage"), data.get("detail")]
        return " ".join(str(part) for part in parts if part)
    said = [SAID.get(kind, kind.partition(".")[2].replace("_", " "))]
    said += [f"{name} {data[name]}" for name in ("worker", "score") if data.get(name)]
    if data.get("lease_lost"):
        said.append("its worker was not heard of any more")
    if data.get("delay_s"):
        said.append(f"is tried again in {data['delay_s']:g} s")
    if (data.get("attempt") or 1) > 1:
        said.append(f"attempt {data['attempt']}")
    error = data.get("error")
    why = f": {error.get('detail') or ''} [{error['code']}]" if isinstance(error, dict) and error.get("code") else ""
    return ", ".join(said) + why


def _followed(client: Client, job: Job) -> Iterator[Event]:
    """Events up to the job's end; a stream that breaks, or ends with the server, is opened again where it ended."""
    after, last, n_failures = 0, "", 0
    while True:
        try:
            for event in client.events(job.id, after=after):
                after, last, n_failures = event.seq, event.type, 0
                yield event
            if last in FINAL or (client.job(job.id).is_finished and not any(client.past_events(job.id, after=after))):
                return
        except ServerUnreachable:
            n_failures += 1
            if n_failures >= N_TRIES:
                raise
            time.sleep(FIRST_PAUSE_S * 2 ** (n_failures - 1))
