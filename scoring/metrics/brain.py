"""Everything that is reported of a subject's features against a recording of brains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..bootstrap import draws, n_clusters_of
from ..datasets.base import Experiment
from ..errors import NumericalFailure
from ..nulls import NullKind, null_test
from ..protocols import BrainRules, Pooling
from ..recording import Recording
from ..regression.rules import Selection
from ..uncertainty import MINIMUM_CLUSTERS, interval_of
from ..unit_table import UnitTable
from .linear_predictivity import summarised
from .outcome import Outcome
from .part_fits import HeldOut, Layers, PartFits, fit_parts, held_out
from .representations import representational_measures
from .sensitivity import sensitivity
from .unique_variance import unique_variance
from .unit_tables import tabulate_units

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
    on_units: Callable[[Callable[[], UnitTable]], None] = lambda _: None,
) -> Outcome:
    """What a subject's layers reach, how sure that is, and how it compares with other ways of asking.

    `seed` fixes the bootstrap of a benchmark version: draws of two subjects are paired. `with_controls` adds what is
    told of a model only: similarity of representations, sensitivity, unique variance. With `standardise` features are
    z-scored in each training set. `on_units` is given what tabulates how well each unit is predicted.
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
    on_units(partial(tabulate_units, fits, recording))
    predicted = [held_out(layers, part, recording, standardise=standardise) for part in fits]
    found = _with_uncertainty(outcome, predicted, rules, has_runs=recording.timeline is not None, seed=seed)
    return _with_controls(found, layers, fits, experiment, rules) if with_controls else found


def _with_controls(
    outcome: Outcome, layers: Layers, fits: Sequence[PartFits], experiment: Experiment, rules: BrainRules
) -> Outcome:
    """The outcome with what is told of a model only; unique variance where penalties are chosen in nested folds."""
    recording = experiment.measured
    assert isinstance(recording, Recording), "only recordings of brains are judged here"
    measures = outcome.measures | representational_measures(layers, [part.data for part in fits], recording.timeline)
    beyond = None
    if rules.regression.selection is Selection.NESTED_FOLDS:
        beyond = unique_variance(layers, fits, experiment, rules)
        measures |= {"unique_r2": beyond.unique}
    return replace(
        outcome,
        measures=measures,
        sensitivity=sensitivity(layers, fits, recording, rules),
        unique_variance=beyond,
    )


def _with_uncertainty(
    outcome: Outcome, predicted: Sequence[HeldOut], rules: BrainRules, *, has_runs: bool, seed: int
) -> Outcome:
    """The outcome with its draws, interval and null; without them, and why, where a draw leaves no unit to judge.

    Draws of fewer than five passages or folds are not kept: no interval, and no comparison, can rest on them.
    """
    kind = NullKind.RUNS if has_runs else NullKind.PASSAGES
    try:
        drawn = draws(predicted, rules.pooling, seed=seed)
        null = null_test(predicted, rules.pooling, kind=kind, seed=seed)
    except NumericalFailure as failure:
        return replace(outcome, interval_reason=failure.detail)
    n_clusters = n_clusters_of(predicted)
    interval, reason = interval_of(
        _raws_of_parts(outcome, rules), drawn, raw=outcome.raw, n_clusters=n_clusters, seed=seed
    )
    kept = tuple(drawn.tolist()) if n_clusters >= MINIMUM_CLUSTERS else ()
    return replace(outcome, interval=interval, interval_reason=reason, null=null, draws=kept)


def _raws_of_parts(outcome: Outcome, rules: BrainRules) -> list[dict[str, float]]:
    """Each participant's raw score in each part; none where the score is not a mean over participants."""
    if rules.pooling is Pooling.POOLED_UNITS:
        return []
    return [{share.name: share.raw for share in part.participants if share.raw is not None} for part in outcome.parts]
