"""The same score with one choice made in another way: what a conclusion should survive. No model is run for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..protocols import BrainRules, Pooling
from ..recording import Recording
from ..regression.direct import kernel_of
from ..regression.encode import cross_val_encode
from ..regression.gram import Gram
from ..regression.parallel import side_by_side
from ..regression.rules import Method, Scope
from ..results import Variant
from ..types import FeatureArray, FloatArray
from .correlation import pearson_columns
from .part_fits import Layers, PartData, PartFits, rows_gram
from .pooling import pooled

N_COMPONENTS = 50

Refit = Callable[[FeatureArray | Gram, PartData], FloatArray]
"""Test r by fold, (n_folds, n_units), of one layer fitted to a part in another way."""


def sensitivity(
    layers: Layers, fits: Sequence[PartFits], recording: Recording, rules: BrainRules
) -> tuple[Variant, ...]:
    """Raw scores of the layers that were chosen, with the pooling, the scale of features, their number or the scope of
    the penalty changed; each choice by itself."""
    if any(part.data.by_components for part in fits):
        reason = "the protocol fits a few components of its own"
        refitted = ("features-standardised", f"components-{N_COMPONENTS}", "penalty-shared")
        return (_other_pooling(fits), *(Variant(name=name, raw=None, reason=reason) for name in refitted))
    tries: tuple[Callable[[], Variant], ...] = (
        lambda: _other_pooling(fits),
        lambda: _standardised(layers, fits, recording, rules),
        lambda: _few_components(layers, fits, recording),
        lambda: _shared_penalty(layers, fits, recording, rules),
    )
    n_responses = max(part.data.Y.size for part in fits)
    return tuple(side_by_side(lambda attempt: attempt(), tries, n_responses=n_responses))


def _other_pooling(fits: Sequence[PartFits]) -> Variant:
    other = Pooling.PARTICIPANTS if fits[0].pooling is Pooling.POOLED_UNITS else Pooling.POOLED_UNITS
    raws = [pooled(part.of_chosen("test_r"), part.data.participants, other) for part in fits]
    return Variant(name=other.value, raw=float(np.mean(raws)))


def _standardised(layers: Layers, fits: Sequence[PartFits], recording: Recording, rules: BrainRules) -> Variant:
    """Features z-scored over the part's rows."""
    name = "features-standardised"
    if any(isinstance(layers[chosen], Gram) for part in fits for chosen in part.chosen):
        return Variant(name=name, raw=None, reason="only inner products of the features are kept")

    def refit(layer: FeatureArray | Gram, part: PartData) -> FloatArray:
        assert not isinstance(layer, Gram), "checked above"
        rows = layer.astype(np.float64) if recording.timeline is not None else layer[part.rows].astype(np.float64)
        deviations = rows.std(axis=0)
        varying = (layer[:, deviations > 0] / deviations[deviations > 0]).astype(np.float32)
        return _test_r(varying, part, recording, rules)

    return Variant(name=name, raw=_refitted(layers, fits, refit))


def _few_components(layers: Layers, fits: Sequence[PartFits], recording: Recording) -> Variant:
    raw = _refitted(layers, fits, lambda layer, part: _components(layer, part, recording))
    return Variant(name=f"components-{N_COMPONENTS}", raw=raw)


def _shared_penalty(layers: Layers, fits: Sequence[PartFits], recording: Recording, rules: BrainRules) -> Variant:
    """One penalty for each participant."""
    name = "penalty-shared"
    if rules.regression.method is not Method.RIDGE or rules.regression.scope is not Scope.UNIT:
        return Variant(name=name, raw=None, reason="the protocol has no penalty of single units")
    shared = replace(rules, regression=replace(rules.regression, scope=Scope.PARTICIPANT))
    return Variant(name=name, raw=_refitted(layers, fits, lambda layer, part: _test_r(layer, part, recording, shared)))


def _refitted(layers: Layers, fits: Sequence[PartFits], refit: Refit) -> float:
    raws = []
    for part in fits:
        r_of = {name: refit(layers[name], part.data) for name in dict.fromkeys(part.chosen)}
        r = np.stack([r_of[name][fold] for fold, name in enumerate(part.chosen)])
        raws.append(pooled(r, part.data.participants, part.pooling))
    return float(np.mean(raws))


def _test_r(layer: FeatureArray | Gram, part: PartData, recording: Recording, rules: BrainRules) -> FloatArray:
    K = rows_gram(layer, recording.timeline).part(part.rows)
    return cross_val_encode(K, part.Y, part.folds, rules.regression, owners=part.owners).test_r


def _components(layer: FeatureArray | Gram, part: PartData, recording: Recording) -> FloatArray:
    """Least squares on the first 50 principal components of each fold's training rows."""
    kernel, found = kernel_of(rows_gram(layer, recording.timeline).part(part.rows)), []
    for fold in part.folds:
        solved = kernel(fold)
        kept = slice(-min(N_COMPONENTS, len(fold.train) // 2), None)
        mean = part.Y[fold.train].mean(axis=0)
        coefficients = (solved.vectors[:, kept].T @ (part.Y[fold.train] - mean)) / solved.eigenvalues[kept, None]
        prediction = solved.projected[:, kept] @ coefficients + mean
        found.append(pearson_columns(part.Y[fold.test], prediction, part.Y[fold.train]))
    return np.stack(found)
