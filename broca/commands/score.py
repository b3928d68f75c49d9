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
    context: str = typer.Option(
        None, "--context", help="What is read before a stimulus: story, sentence, window:N, concat."
    ),
    pooling: str = typer.Option(None, "--pooling", help="Which tokens stand for a stimulus: last, mean."),
    prompt_format: str = typer.Option(None, "--prompt-format", help="What is put around a text: plain, chat."),
    surprisal: str = typer.Option(None, "--surprisal", help="Where surprisals come from: auto, pseudo-log-likelihood."),
    adapter: str = typer.Option(None, "--adapter", help="A LoRA adapter to merge: organisation/name@<commit sha>."),
    force: bool = typer.Option(False, "--force", help="Compute again, even where the score is known."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait for the scores."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Score a model on benchmarks."""
    with Client(server) as client:
        reading = {"context": context, "pooling": pooling, "prompt_format": prompt_format, "surprisal": surprisal}
        options = _given(dtype=dtype, adapter=adapter, **reading)
        benchmarks = [*benchmarks, *(more or [])]
        job = client.submit(model, benchmarks, protocol, revision=revision, options=options, force=force)
        if not wait:
            typer.echo(_as_text(job.model_dump(mode="json")) if as_json else job.id)
            return
        job = _watch(client, job)
        _show_end(client, job, as_json=as_json)
    show_failed_runs(job)
    if not job.has_succeeded:
        raise typer.Exit(1)


def _show_end(client: Client, job: Job, *, as_json: bool) -> None:
    scores = [client.score(run.score) for run in job.runs if run.score is not None]
    if as_json:
        found = {"job": job.model_dump(mode="json"), "scores": [score.model_dump(mode="json") for score in scores]}
        typer.echo(_as_text(found))
    else:
        show_scores(client, scores)


def show_scores(client: Client, scores: list[Score]) -> None:
    """Print a table of scores, if there are any."""
    if scores:
        synthetic = {benchmark.id for benchmark in client.benchmarks() if benchmark.synthetic}
        results_console().print(score_table(scores, synthetic=synthetic))


def _given(**options: str | None) -> dict[str, str]:
    """The options that were given; the server knows the defaults of the others, and which values there are."""
    return {name: value for name, value in options.items() if value is not None}


def _as_text(document: object) -> str:
    return json.dumps(document, indent=2)


def _watch(client: Client, job: Job) -> Job:
    try:
        with progress_view() as show:
            return client.wait(job.id, show)
    except KeyboardInterrupt:
        messages_console().print(f"job {job.id} goes on; `broca cancel {job.id}` stops it", markup=False)
        raise typer.Exit(130) from None
