"""How well a linear map from a subject's features predicts each unit of a recording on held-out stimuli."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import NumericalFailure
from ..regression.folds import grouped_folds
from ..regression.gram import Gram, as_gram
from ..regression.selection import NestedFit, nested_ridge
from ..types import (
    Counts,
    FeatureArray,
    FloatArray,
    IndexArray,
    LayerChoice,
    LayerPart,
    LayerScore,
    Optimistic,
    PartScore,
    Recording,
    ScoreWarning,
)
from .outcome import Outcome

METRIC = "pearson"

EDGE_WARNING = 0.25
"""Above this share of penalties at one end of the grid, the grid is worth a look."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One part of a recording, fitted with every layer; an undefined layer has no fit."""

    name: str
    n_folds: int
    n_stimuli: int
    n_features: Mapping[str, int]
    fits: Mapping[str, NestedFit | None]
    participants: tuple[str, ...]

    def layer_raw(self, layer: str) -> float | None:
        fit = self.fits[layer]
        return None if fit is None else pooled(fit.test_r, self.participants)

    def chosen(self) -> list[str]:
        """For each outer fold the layer with the highest median inner r; ties the shallower."""
        defined = {name: np.nanmedian(fit.inner_r, axis=1) for name, fit in self.fits.items() if fit is not None}
        return [max(defined, key=lambda name: defined[name][fold]) for fold in range(self.n_folds)]

    def of_chosen(self, statistic: str) -> FloatArray:
        """A statistic of NestedFit by fold, taken in each fold from the layer chosen there."""
        return np.stack([getattr(self.fits[name], statistic)[fold] for fold, name in enumerate(self.chosen())])


def predict_recording(
    layers: Mapping[str, FeatureArray | Gram],
    recording: Recording,
    groups: Sequence[str],
    *,
    n_folds: int,
    layer_rule: str,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Fit every layer to every part under nested group folds, and choose layers on training rows alone.

    `layers`, in order of depth: features (n_stimuli, n_features) or Gram. Raises NumericalFailure where none varies.
    """
    parts = _fit_parts(layers, recording, groups, n_folds, on_progress)
    scores = tuple(
        PartScore(name=part.name, raw=pooled(part.of_chosen("test_r"), part.participants), weight=1 / len(parts))
        for part in parts
    )
    curve = tuple(_layer_score(name, index, len(layers), parts) for index, name in enumerate(layers))
    optimistic = _optimistic(curve)
    chosen_r = np.concatenate([part.of_chosen("test_r") for part in parts])
    return Outcome(
        raw=float(np.mean([score.raw for score in scores])),
        parts=scores,
        layer=LayerChoice(
            selected=tuple(name for part in parts for name in part.chosen()),
            rule=layer_rule,
            optimistic=optimistic,
        ),
        layers=curve,
        n=Counts(
            stimuli=len(groups),
            participants=len(set(recording.participants)),
            units=recording.values.shape[1],
            valid_units=int((~np.isnan(chosen_r)).any(axis=0).sum()),
            folds=n_folds,
        ),
        measures=_fit_measures(parts),
        warnings=_fit_warnings(parts),
    )


def pooled(r: FloatArray, participants: Sequence[str]) -> float:
    """One number from r (n_folds, n_units): median over a participant's units, mean over folds, then participants.

    Raises NumericalFailure where a participant has a fold without any unit that varies.
    """
    owner = np.asarray(participants)
    medians = []
    for participant in dict.fromkeys(participants):
        own = r[:, owner == participant]
        if np.isnan(own).all(axis=1).any():
            raise NumericalFailure(f"participant {participant} has a fold in which no unit's response varies")
        medians.append(np.nanmedian(own, axis=1).mean())
    return float(np.mean(medians))


def _optimistic(curve: Sequence[LayerScore]) -> Optimistic:
    """The best point of the curve. Raises NumericalFailure where every layer is undefined in some part."""
    points = [(point.raw, point.name) for point in curve if point.raw is not None]
    if not points:
        raise NumericalFailure("no layer has features that vary over the stimuli of every part")
    raw, name = max(points, key=lambda point: point[0])
    return Optimistic(name=name, raw=raw)


def _fit_parts(
    layers: Mapping[str, FeatureArray | Gram],
    recording: Recording,
    groups: Sequence[str],
    n_folds: int,
    on_progress: Callable[[float], None],
) -> list[_Part]:
    n_steps = len(recording.parts) * len(layers) * len(list(combinations(range(n_folds), 2)))
    n_done = 0

    def step() -> None:
        nonlocal n_done
        n_done += 1
        on_progress(n_done / n_steps)

    folds = {part: grouped_folds([groups[row] for row in rows], n_folds) for part, rows in recording.parts.items()}
    fits: dict[str, dict[str, NestedFit | None]] = {part: {} for part in recording.parts}
    n_features = {}
    for layer, values in layers.items():
        gram = as_gram(values)
        n_features[layer] = gram.n_features
        for part, rows in recording.parts.items():
            fits[part][layer] = _fit(gram, recording, rows, folds[part], step)
    return [
        _Part(
            name=part,
            n_folds=n_folds,
            n_stimuli=len(rows),
            n_features=n_features,
            fits=_require_any(fits[part], part),
            participants=recording.participants,
        )
        for part, rows in recording.parts.items()
    ]


def _fit(
    gram: Gram, recording: Recording, rows: IndexArray, folds: Sequence[IndexArray], on_fold: Callable[[], None]
) -> NestedFit | None:
    """One layer on one part; None where the layer does not vary over the part's rows."""
    if gram.is_constant(rows):
        return None
    return nested_ridge(gram.part(rows), recording.values[rows], folds, on_fold=on_fold)


def _require_any(fits: Mapping[str, NestedFit | None], part: str) -> Mapping[str, NestedFit | None]:
    if not any(fits.values()):
        raise NumericalFailure(f"no layer has features that vary over the stimuli of part {part}")
    return fits


def _layer_score(name: str, index: int, n_layers: int, parts: Sequence[_Part]) -> LayerScore:
    raws = [part.layer_raw(name) for part in parts]
    defined = [raw for raw in raws if raw is not None]
    complete = len(defined) == len(parts)
    return LayerScore(
        name=name,
        depth=index / max(n_layers - 1, 1),
        raw=float(np.mean(defined)) if complete else None,
        reason=None if complete else "undefined",
        parts=tuple(LayerPart(name=part.name, raw=raw) for part, raw in zip(parts, raws, strict=True)),
    )


def _fit_measures(parts: Sequence[_Part]) -> dict[str, float]:
    """What the fits of the chosen layers were like: means over folds and parts, or counts."""
    low, high = _mean_over_folds(parts, "low_edge"), _mean_over_folds(parts, "high_edge")
    return {
        "edge_rate": low + high,
        "edge_rate_low": low,
        "edge_rate_high": high,
        "n_train": float(np.mean([part.n_stimuli * (1 - 1 / part.n_folds) for part in parts])),
        "n_features": float(np.mean([part.n_features[name] for part in parts for name in part.chosen()])),
        "n_constant_prediction": float(sum(part.of_chosen("n_constant_prediction").sum() for part in parts)),
        "n_constant_response": float(sum(np.isnan(part.of_chosen("test_r")).sum() for part in parts)),
    }


def _fit_warnings(parts: Sequence[_Part]) -> tuple[ScoreWarning, ...]:
    low = _mean_over_folds(parts, "low_edge")
    if low <= EDGE_WARNING:
        return ()
    return (ScoreWarning(code="edge_rate", detail=f"{low:.0%} of the penalties stand at the low end of their grid"),)


def _mean_over_folds(parts: Sequence[_Part], statistic: str) -> float:
    return float(np.mean([part.of_chosen(statistic).mean() for part in parts]))
