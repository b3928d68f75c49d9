"""`broca score`: submit a job, watch it, show its scores."""

from __future__ import annotations

import json

import typer

from ..client import Client
from ..results import Job, Score
from .display import messages_console, progress_view, results_console, score_table, show_failed_runs
from .options import JSON, PROTOCOL, SERVER


def score(
    model: str = typer.Argument(
        help="A model of the hub (gpt2), local/<folder>, demo/tiny, untrained/<id>@<seed> or imported/<name>."
    ),
    more: list[str] = typer.Argument(None, metavar="[BENCHMARK]...", help="More benchmarks, as after -b."),
    benchmarks: list[str] = typer.Option(..., "--benchmark", "-b", help="A benchmark; may be given several times."),
    protocol: str = PROTOCOL,
    revision: str = typer.Option(None, "--revision", help="Branch, tag or commit of the model."),
    dtype: str = typer.Option(None, "--dtype", help="Number format that the model runs in."),
    force: bool = typer.Option(False, "--force", help="Compute again, even where the score is known."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait for the scores."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Score a model on benchmarks."""
    with Client(server) as client:
        options = {"dtype": dtype} if dtype else None
        job = client.submit(
            model, [*benchmarks, *(more or [])], protocol, revision=revision, options=options, force=force
        )
        if not wait:
            typer.echo(json.dumps(job.model_dump(mode="json"), indent=2) if as_json else job.id)
            return
        job = _watch(client, job)
        scores = [client.score(run.score) for run in job.runs if run.score is not None]
        if as_json:
            found = {"job": job.model_dump(mode="json"), "scores": [score.model_dump(mode="json") for score in scores]}
            typer.echo(json.dumps(found, indent=2))
        else:
            show_scores(client, scores)
    show_failed_runs(job)
    if not job.has_succeeded:
        raise typer.Exit(1)


def show_scores(client: Client, scores: list[Score]) -> None:
    """Print a table of scores, if there are any."""
    if scores:
        synthetic = {benchmark.id for benchmark in client.benchmarks() if benchmark.synthetic}
        results_console().print(score_table(scores, synthetic=synthetic))


def _watch(client: Client, job: Job) -> Job:
    try:
        with progress_view() as show:
            return client.wait(job.id, show)
    except KeyboardInterrupt:
        messages_console().print(f"job {job.id} goes on; `broca cancel {job.id}` stops it", markup=False)
        raise typer.Exit(130) from None
