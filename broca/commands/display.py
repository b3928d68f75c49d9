"""How jobs, scores and errors look on a terminal. Results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..errors import BrocaError, Problem
from ..matching import MatchedPerplexity
from ..results import BaselineScore, Job, ProblemDocument, Progress, Result, Score

WIDTH_OF_A_FILE = 240
"""Columns where the output is no terminal: nothing is cut off."""

COMMANDS_OF_CALLS = {
    "GET /v1/jobs": "broca jobs",
    "POST /v1/jobs": "broca score",
    "POST /v1/models": "broca models import",
    "POST /v1/analyses": "broca analyse",
}
"""What a hint of the server may name, and the command that does the same."""

_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "expired": "yellow", "running": "cyan"}


def results_console() -> Console:
    """Where results go."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE, highlight=False)


def messages_console() -> Console:
    """Where progress and errors go."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH_OF_A_FILE, highlight=False)


def show(
    found: object,
    picture: Callable[[], RenderableType],
    *,
    as_json: bool,
    quiet: bool = False,
    ids: Iterable[str] = (),
) -> None:
    """Print what was found in the form that was asked for: as JSON, as ids one a line, or as it looks.

    `found` is a result of the server, a sequence of them, or a JSON value; the picture is drawn where it is shown.
    """
    if as_json:
        typer.echo(json.dumps(as_document(found), indent=2))
    elif quiet:
        for identifier in ids:
            typer.echo(identifier)
    else:
        drawn = picture()
        results_console().print(drawn, soft_wrap=isinstance(drawn, Text))


def as_document(found: object) -> object:
    """Results as the server's JSON has them; a plain JSON value as it is."""
    if isinstance(found, Result):
        return found.model_dump(mode="json")
    if isinstance(found, dict):
        return {name: as_document(value) for name, value in found.items()}
    return [as_document(one) for one in found] if isinstance(found, list | tuple) else found


def show_error(error: BrocaError) -> None:
    """The detail and what to do about it."""
    param = error.param if isinstance(error, Problem) else None
    show_problem(f"error: {error.detail}", code=error.code, hint=error.hint, param=param)


def show_problem(detail: str, *, code: str, hint: str | None, param: str | None = None) -> None:
    """What was wrong, its code, the field where the detail does not name it, and what to do about it.

    Of several lines the first is the error: the code stands there.
    """
    console = messages_console()
    first, newline, others = detail.partition("\n")
    where = f" ({param})" if param and param not in detail else ""
    console.print(f"{first} [{code}]{where}{newline}{others}", style="red", markup=False)
    if hint:
        console.print(f"hint: {_as_commands(hint)}", markup=False)


def _as_commands(hint: str) -> str:
    """The hint with commands in place of the calls that they stand for."""
    for call, command in COMMANDS_OF_CALLS.items():
        hint = hint.replace(f"{call} ", f"`{command}` ")
    return hint


def show_failed_runs(job: Job) -> None:
    """Why runs of the job have no score."""
    for run in job.runs:
        if run.status != "succeeded":
            error = run.error or ProblemDocument(code=run.status)
            detail = f"{run.benchmark} {run.status}: {error.detail or error.title or error.code}"
            show_problem(detail, code=error.code, hint=error.hint, param=error.param)


@contextmanager
def progress_view() -> Iterator[Callable[[Job], None]]:
    """A function that shows a job as it stands: redrawn in place on a terminal, else a line for every change."""
    console = messages_console()
    if not console.is_terminal:
        yield _PlainLines(console)
        return
    with Live(console=console, refresh_per_second=8) as live:
        yield lambda job: live.update(_picture(job))


def score_table(scores: Sequence[Score], *, synthetic: Collection[str]) -> Group:
    """The scores one below the other, then what their readers have to know."""
    table = Table(
        title=None if not scores else f"{scores[0].model.id} under {scores[0].protocol}", title_justify="left"
    )
    for name in ("benchmark", "raw", "ceiling", "normalised", "interval", "layer", "n", "warnings"):
        table.add_column(name, justify="left" if name in {"benchmark", "layer", "warnings"} else "right")
    notes = []
    for score in scores:
        table.add_row(*_score_cells(score, is_synthetic=score.benchmark.id in synthetic))
        if score.baselines:
            notes.append(Text(f"{score.benchmark.id}: beside it {_baselines(score.baselines)}"))
        for warning in score.warnings or ():
            notes.append(Text(f"{score.benchmark.id}: {warning.code}: {warning.detail or ''}", style="yellow"))
    if any(score.benchmark.id in synthetic for score in scores):
        notes.append(Text("SYNTHETIC: planted data; these numbers say nothing of brains or readers.", style="bold"))
    return Group(table, *notes)


def _baselines(baselines: Sequence[BaselineScore]) -> str:
    """Baselines with their scores, untrained twins as one range."""
    twins = [one.raw for one in baselines if one.id.startswith("untrained/") and one.raw is not None]
    said = [f"{one.id} {number(one.raw)}" for one in baselines if not one.id.startswith("untrained/")]
    if twins:
        ends = dict.fromkeys([number(min(twins)), number(max(twins))])
        said.append(f"untrained {' … '.join(ends)} ({len(twins)} seed{'s' if len(twins) > 1 else ''})")
    return ", ".join(said)


def matched_table(found: MatchedPerplexity) -> Table:
    """A score's ΔLL beside that of base models of its perplexity."""
    table = Table(caption=f"log2 perplexity {number(found.log2_perplexity)} bits, {found.base.n} base models")
    for name in ("measure", "ΔLL", "expected", "difference", "95 % interval"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for one in found.data:
        digits = (f"{value:.5f}" for value in (one.value, one.expected, one.difference))
        table.add_row(one.measure, *digits, f"{one.low:.5f} … {one.high:.5f}")
    return table


def number(value: float | None) -> str:
    """A score with its sign and four decimals, or a dash."""
    return "–" if value is None else f"{value:.4f}"


def label(benchmark: str, *, is_synthetic: bool) -> str:
    """The benchmark's name, marked where its data are planted."""
    return f"{benchmark} (SYNTHETIC)" if is_synthetic else benchmark


class _PlainLines:
    """Writes a line whenever the stage, a run's status or the tenth of the way changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: object = None

    def __call__(self, job: Job) -> None:
        progress = job.progress or Progress()
        seen = (job.status, progress.stage, int(10 * (progress.fraction or 0.0)), [run.status for run in job.runs])
        if seen == self._last:
            return
        self._last = seen
        runs = ", ".join(f"{run.benchmark} {run.status}" for run in job.runs)
        self._console.print(
            f"{_percent(progress)} {_stage(job)} [{runs}] {progress.detail or ''}".rstrip(), markup=False
        )


def _picture(job: Job) -> Group:
    progress = job.progress or Progress()
    runs = Table.grid(padding=(0, 2))
    for run in job.runs:
        stage = (progress.stage or run.status) if run.status == "running" else run.status
        runs.add_row(f"  {run.benchmark}", Text(stage, style=_STYLES.get(run.status, "dim")))
    bar = Table.grid(padding=(0, 2))
    completed = 100.0 * (progress.fraction or 0.0)
    bar.add_row(ProgressBar(total=100.0, completed=completed, width=40), _percent(progress), _stage(job))
    return Group(f"{job.model.id}  job {job.id}", runs, bar, Text(progress.detail or "", style="dim"))


def _stage(job: Job) -> str:
    if job.status == "queued" and job.queue_position:
        return f"queued, place {job.queue_position}"
    stage = job.progress.stage if job.progress else None
    return stage if stage and not job.is_finished else job.status


def _percent(progress: Progress) -> str:
    return f"{100 * (progress.fraction or 0.0):3.0f} %"


def _score_cells(score: Score, *, is_synthetic: bool) -> tuple[str, ...]:
    interval = score.interval
    return (
        label(score.benchmark.id, is_synthetic=is_synthetic),
        number(score.raw),
        number(score.ceiling.value if score.ceiling else None),
        number(score.normalised),
        "–" if interval is None else f"{number(interval.low)} … {number(interval.high)}",
        (score.layer.most_often if score.layer else None) or "–",
        "–" if score.n is None or score.n.stimuli is None else str(score.n.stimuli),
        ", ".join(warning.code for warning in score.warnings or ()) or "–",
    )
