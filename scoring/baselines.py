"""Which baselines there are. A PLACEHOLDER for the module that computes them: it knows none."""

from __future__ import annotations

from collections.abc import Callable

from .benchmarks.base import Benchmark
from .datasets.base import Experiment
from .protocols import Protocol
from .results import Ceiling, Score


def baseline_names(experiment: Experiment) -> tuple[str, ...]:
    """The reserved subjects (`baseline/nuisance`, …) that can be scored on an experiment."""
    return ()


def score_baseline(
    name: str,
    benchmark: Benchmark,
    experiment: Experiment,
    protocol: Protocol,
    *,
    ceiling: Ceiling | None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Score:
    """The score of one of them; its `subject` is `name`."""
    raise NotImplementedError(name)
