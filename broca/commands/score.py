"""`broca score`: submit a job, watch it, show its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Group
from rich.text import Text

from ..client import Client
from ..errors import BadRequest
from ..results import Job, Score
from . import completion
from .display import messages_console, progress_view, results_console, score_table, show, show_failed_runs
from .locally import score_locally
from .options import BENCHMARK, JSON, LOCAL, MODEL, PROTOCOL, QUIET, REVISION, SERVER
from .reading import ADAPTER, CONTEXT, DTYPE, POOLING, PROMPT_FORMAT, SURPRISAL, given

MORE = typer.Argument(None, metavar="BENCHMARK", autocompletion=completion.benchmarks, help="Benchmarks, as after -b.")


def score(
    model: str = MODEL,
    more: list[str] = MORE,
    benchmarks: list[str] = BENCHMARK,
    protocol: str = PROTOCOL,
    revision: str = REVISION,
    dtype: str = DTYPE,
    context: str = CONTEXT,
    pooling: str = POOLING,
    prompt_format: str = PROMPT_FORMAT,
    surprisal: str = SURPRISAL,
    adapter: str = ADAPTER,
    force: bool = typer.Option(False, "--force", help="Compute again, even where the score is known."),
    local: bool = LOCAL,
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait for the scores."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Score a model on benchmarks. -q prints the scores' ids.

    Example: broca score gpt2 -b futrell2018 -b pereira2018-example
    """
    reading = {"context": context, "pooling": pooling, "prompt_format": prompt_format, "surprisal": surprisal}
    options = given(dtype=dtype, adapter=adapter, **reading)
    named = _named(benchmarks, more)
    if local and not wait:
        raise typer.BadParameter("--local and --no-wait exclude each other")
    asked: dict[str, Any] = {"revision": revision, "options": options, "force": force}
    if local:
        score_locally(model, named, protocol, as_json=as_json, quiet=quiet, **asked)
        return
    with Client(server) as client:
        job = _submitted(client, model, named, protocol, is_typed=bool(more), **asked)
        if not wait:
            show(job, lambda: Text(job.id), as_json=as_json, quiet=quiet, ids=[job.id])
            return
        job = watched(client, job.id)
        show_end(client, [job], as_json=as_json, quiet=quiet)
    end_as(job)


def _named(benchmarks: Sequence[str] | None, more: Sequence[str] | None) -> list[str]:
    """The benchmarks, those after -b first. Raises BadParameter where there are none."""
    named = [*(benchmarks or []), *(more or [])]
    if not named:
        raise typer.BadParameter("on which benchmark? Name one after the model, or after -b")
    return named


def _submitted(
    client: Client, model: str, benchmarks: Sequence[str], protocol: str, *, is_typed: bool, **asked: Any
) -> Job:
    """The job; where a word after the model `is_typed` that is no benchmark, the error says what such words are."""
    try:
        return client.submit(model, benchmarks, protocol, **asked)
    except BadRequest as error:
        if is_typed and error.code == "benchmark_unknown" and not error.hint:
            error.hint = f"words after the model {model!r} are benchmarks; a name that holds a space needs quotes"
        raise


def show_end(client: Client, jobs: Sequence[Job], *, as_json: bool, quiet: bool) -> None:
    """Print the scores of ended jobs: a table for each job, their JSON, or their ids."""
    if quiet and not as_json:
        ids = [run.score for job in jobs for run in job.runs if run.score is not None]
        show(None, Group, as_json=False, quiet=True, ids=ids)
        return
    scores = [[client.score(run.score) for run in job.runs if run.score is not None] for job in jobs]
    told: dict[str, object] = {"job": jobs[0]} if len(jobs) == 1 else {"jobs": list(jobs)}
    found = {**told, "scores": [score for some in scores for score in some]}
    if as_json or any(scores):
        show(found, lambda: picture_of(client, *scores), as_json=as_json)


def picture_of(client: Client, *scores: Sequence[Score]) -> Group:
    """A table for each sequence of scores that holds any; planted data are marked."""
    synthetic = {one.id for one in client.benchmarks() if one.synthetic}
    return Group(*(score_table(some, synthetic=synthetic) for some in scores if some))


def show_scores(client: Client, scores: Sequence[Score]) -> None:
    """Print a table of scores, if there are any."""
    if scores:
        results_console().print(picture_of(client, scores))


def end_as(*jobs: Job) -> None:
    """Say why runs have no score; ends the command with 1 where there are such."""
    for job in jobs:
        show_failed_runs(job)
    if not all(job.has_succeeded for job in jobs):
        raise typer.Exit(1)


def watched(client: Client, job_id: str, *, timeout_s: float | None = None) -> Job:
    """The job once it has ended, shown meanwhile; an interruption leaves it going and ends the command with 130."""
    try:
        with progress_view() as look:
            return client.wait(job_id, look, timeout_s=timeout_s)
    except KeyboardInterrupt:
        messages_console().print(f"job {job_id} goes on; `broca cancel {job_id}` stops it", markup=False)
        raise typer.Exit(130) from None
