"""How well a linear map from a subject's features predicts each unit of a recording on held-out stimuli."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..datasets.base import Experiment
from ..errors import NumericalFailure
from ..protocols import BrainRules, LayerRule
from ..recording import Recording
from ..regression.gram import as_gram
from ..regression.rules import Method
from ..results import (
    Counts,
    LayerChoice,
    LayerPart,
    LayerScore,
    Optimistic,
    PartScore,
    ScoreWarning,
    Share,
)
from ..types import FloatArray
from .outcome import Outcome
from .part_fits import Layers, PartFits, fit_parts
from .pooling import by_fold, by_participant, pooled

EDGE_WARNING = 0.25
"""Above this share of penalties at one end of the grid, the grid is worth a look."""

INTERPOLATION = (0.5, 2.0)
"""Between these ratios of features to training rows least squares collapses, whatever the features are."""


def predict_recording(
    layers: Layers,
    experiment: Experiment,
    rules: BrainRules,
    *,
    n_folds: int,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Fit every layer to every part, choose layers as the rules say, and report what the chosen ones reach.

    `layers`, in order of depth: features (n_stimuli, n_features) or Gram. Raises NumericalFailure where none varies.
    """
    return summarised(
        fit_parts(layers, experiment, rules, n_folds=n_folds, on_progress=on_progress), layers, experiment, rules
    )


def summarised(parts: Sequence[PartFits], layers: Layers, experiment: Experiment, rules: BrainRules) -> Outcome:
    """What the chosen layers of fitted parts reach, without uncertainty."""
    n_features = {name: as_gram(layer).n_features for name, layer in layers.items()}
    scores = tuple(_part_score(part, weight=1 / len(parts)) for part in parts)
    curve = tuple(_layer_score(name, index, len(layers), parts) for index, name in enumerate(layers))
    return Outcome(
        raw=float(np.mean([score.raw for score in scores])),
        parts=scores,
        layer=LayerChoice(
            selected=tuple(name for part in parts for name in part.chosen),
            rule=rules.layer.value,
            optimistic=_optimistic(curve),
        ),
        layers=curve,
        n=_counts(parts, experiment),
        measures=_fit_measures(parts, n_features) | {"n_incomplete_units": _n_incomplete(experiment)},
        warnings=_fit_warnings(parts, rules, n_features),
    )


def _part_score(part: PartFits, *, weight: float) -> PartScore:
    r, data = part.of_chosen("test_r"), part.data
    participants = by_participant(r, data.participants, part.pooling)
    owner = np.asarray(data.participants)
    return PartScore(
        name=data.name,
        raw=pooled(r, data.participants, part.pooling),
        weight=weight,
        folds=tuple(by_fold(r, data.participants, part.pooling).tolist()),
        participants=tuple(
            Share(name=name, raw=raw, n_units=int((owner == name).sum())) for name, raw in participants.items()
        ),
        regions=_regions(r, part),
    )


def _regions(r: FloatArray, part: PartFits) -> tuple[Share, ...]:
    """Of each region the median over its units and the mean over folds, all participants together."""
    if part.data.regions is None:
        return ()
    region, shares = np.asarray(part.data.regions), []
    for name in dict.fromkeys(part.data.regions):
        own = r[:, region == name]
        is_whole = not np.isnan(own).all(axis=1).any()
        raw = float(np.nanmedian(own, axis=1).mean()) if is_whole else None
        shares.append(Share(name=name, raw=raw, n_units=own.shape[1]))
    return tuple(shares)


def _optimistic(curve: Sequence[LayerScore]) -> Optimistic:
    """The best point of the curve. Raises NumericalFailure where every layer is undefined in some part."""
    points = [(point.raw, point.name) for point in curve if point.raw is not None]
    if not points:
        raise NumericalFailure("no layer has features that vary over the stimuli of every part")
    raw, name = max(points, key=lambda point: point[0])
    return Optimistic(name=name, raw=raw)


def _layer_score(name: str, index: int, n_layers: int, parts: Sequence[PartFits]) -> LayerScore:
    raws = [part.layer_raw(name) for part in parts]
    defined = [raw for raw in raws if raw is not None]
    complete = len(defined) == len(parts)
    return LayerScore(
        name=name,
        depth=index / max(n_layers - 1, 1),
        raw=float(np.mean(defined)) if complete else None,
        reason=None if complete else "undefined",
        parts=tuple(LayerPart(name=part.data.name, raw=raw) for part, raw in zip(parts, raws, strict=True)),
    )


def _counts(parts: Sequence[PartFits], experiment: Experiment) -> Counts:
    fitted = {unit for part in parts for unit in part.data.units.tolist()}
    valid = {
        unit for part in parts for unit in part.data.units[(~np.isnan(part.of_chosen("test_r"))).any(axis=0)].tolist()
    }
    return Counts(
        stimuli=len(experiment.stimuli),
        participants=len({name for part in parts for name in part.data.participants}),
        units=len(fitted),
        valid_units=len(valid),
        folds=len(parts[0].data.folds),
    )


def _n_incomplete(experiment: Experiment) -> float:
    """How many units were left out of a part because some of its rows, not all, are without a value."""
    assert isinstance(experiment.measured, Recording), "only recordings of brains have units"
    return float(sum(part.n_incomplete_units for part in experiment.measured.parts))


def _fit_measures(parts: Sequence[PartFits], n_features: dict[str, int]) -> dict[str, float]:
    """What the fits of the chosen layers were like: means over folds and parts, or counts."""
    low, high = _mean_over_folds(parts, "low_edge"), _mean_over_folds(parts, "high_edge")
    return {
        "edge_rate": low + high,
        "edge_rate_low": low,
        "edge_rate_high": high,
        "n_train": float(np.mean([len(fold.train) for part in parts for fold in part.data.folds])),
        "n_features": float(np.mean([n_features[name] for part in parts for name in part.chosen])),
        "n_constant_prediction": float(sum(part.of_chosen("n_constant_prediction").sum() for part in parts)),
        "n_constant_response": float(sum(np.isnan(part.of_chosen("test_r")).sum() for part in parts)),
    }


def _fit_warnings(parts: Sequence[PartFits], rules: BrainRules, n_features: dict[str, int]) -> tuple[ScoreWarning, ...]:
    found = []
    low = _mean_over_folds(parts, "low_edge")
    if low > EDGE_WARNING:
        detail = f"{low:.0%} of the penalties stand at the low end of their grid"
        found.append(ScoreWarning(code="edge_rate", detail=detail))
    if rules.layer is LayerRule.BEST_ON_TEST:
        detail = "the layer was chosen on the test rows themselves"
        found.append(ScoreWarning(code="optimistic", detail=detail))
    if rules.regression.method is Method.LEAST_SQUARES:
        found += _interpolation(parts, n_features)
    return tuple(found)


def _interpolation(parts: Sequence[PartFits], n_features: dict[str, int]) -> list[ScoreWarning]:
    low, high = INTERPOLATION
    for part in parts:
        n_train = float(np.mean([len(fold.train) for fold in part.data.folds]))
        for name in dict.fromkeys(part.chosen):
            if low < n_features[name] / n_train < high:
                detail = (
                    f"least squares with {n_features[name]} features on {n_train:.0f} rows of part {part.data.name}: "
                    "near one feature a row the score collapses whatever the model is"
                )
                return [ScoreWarning(code="interpolation_peak", detail=detail)]
    return []


def _mean_over_folds(parts: Sequence[PartFits], statistic: str) -> float:
    return float(np.mean([part.of_chosen(statistic).mean() for part in parts]))
