"""`broca score --local`: scores computed in this process, shown as those of a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from ..local import Computed, compute
from .display import messages_console, score_table, show, show_problem
from .stages import stage_view


def score_locally(
    model: str, benchmarks: Sequence[str], protocol: str, *, as_json: bool, quiet: bool, **asked: Any
) -> None:
    """Compute and show; ends the command with 1 where a benchmark has no score, with 130 if interrupted."""
    done = computed(model, benchmarks, protocol, **asked)
    if done.scores or as_json:
        show(
            {"scores": done.scores, "failures": dict(done.failures)},
            lambda: score_table(done.scores, synthetic=done.synthetic),
            as_json=as_json,
            quiet=quiet,
            ids=(score.id for score in done.scores),
        )
    for name, failure in done.failures.items():
        show_problem(f"{name} failed: {failure.detail or failure.code}", code=failure.code, hint=failure.hint)
    if done.failures:
        raise typer.Exit(1)


def computed(
    model: str,
    benchmarks: Sequence[str],
    protocol: str,
    *,
    revision: str | None,
    options: Mapping[str, Any],
    force: bool,
) -> Computed:
    """The scores, computed here and shown on the way. Ends the command with 130 where it is interrupted."""
    try:
        with stage_view() as look:
            return compute(
                model, benchmarks, protocol, revision=revision, options=options, force=force, on_progress=look
            )
    except KeyboardInterrupt:
        messages_console().print("interrupted; what the model answered so far is kept", markup=False)
        raise typer.Exit(130) from None
