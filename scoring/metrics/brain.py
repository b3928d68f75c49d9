"""Everything that is reported of a subject's features against a recording of brains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..datasets.base import Experiment
from ..protocols import BrainRules
from ..recording import Recording
from ..regression.rules import Selection
from ..uncertainty import draws_of, interval_of, null_test
from .linear_predictivity import summarised
from .outcome import Outcome
from .part_fits import Layers, fit_parts, held_out
from .representations import representational_measures
from .sensitivity import sensitivity
from .unique_variance import unique_variance

SHARE_OF_FITS = 0.8
"""How far progress is when the layers are fitted; the rest is uncertainty and what stands beside the score."""


def judge_recording(
    layers: Layers,
    experiment: Experiment,
    rules: BrainRules,
    *,
    n_folds: int,
    seed: int,
    standardise: bool = False,
    with_controls: bool = True,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """What a subject's layers reach, how sure that is, and how it compares with other ways of asking.

    `seed` fixes the bootstrap of a benchmark version: draws of two subjects are paired. `with_controls` adds what is
    told of a model only: similarity of representations, sensitivity, unique variance. With `standardise` features are
    z-scored in each training set.
    """
    recording = experiment.measured
    assert isinstance(recording, Recording), "only recordings of brains are judged here"
    fits = fit_parts(
        layers,
        experiment,
        rules,
        n_folds=n_folds,
        standardise=standardise,
        on_progress=lambda done: on_progress(SHARE_OF_FITS * done),
    )
    outcome = summarised(fits, layers, experiment, rules)
    predicted = [held_out(layers, part, recording, standardise=standardise) for part in fits]
    draws = draws_of(predicted, rules.pooling, seed=seed)
    interval, reason = interval_of(predicted, rules.pooling, draws, seed=seed)
    null = null_test(predicted, rules.pooling, has_runs=recording.timeline is not None, seed=seed)
    found = replace(outcome, interval=interval, interval_reason=reason, null=null, draws=tuple(draws.tolist()))
    if not with_controls:
        return found
    nested = rules.regression.selection is Selection.NESTED_FOLDS
    return replace(
        found,
        measures=found.measures | representational_measures(layers, fits, recording),
        sensitivity=sensitivity(layers, fits, recording, rules),
        unique_variance=unique_variance(layers, fits, experiment, rules) if nested else None,
    )
