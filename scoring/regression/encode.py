"""Cross-validated encoding: how well a linear map from features predicts each unit on rows that it has not seen.

What belongs here: which path is taken, the choice of penalties, and what a fit answers. What does not: solving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.correlation import constant_columns, pearson_columns
from ..types import FloatArray, IndexArray
from .direct import Kernel, errors, features_kernel, kernel_of, path, penalties_of
from .folds import Fold
from .gram import centred
from .rules import Regression, Scope, Selection


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodingFit:
    """One layer fitted to one part.

    `test_r` (n_folds, n_units): Pearson r on each fold's test rows. `inner_r` (n_folds, n_units): the mean r over the
    inner folds of its training rows, at the penalty chosen there; None where there are no inner folds. `penalties`
    (n_folds, n_units): the chosen ones, 0 for least squares. `selection_error` (n_folds, n_units): what the choice went
    by at them, over the variation of the training responses; None where nothing was chosen. By fold, (n_folds,):
    `low_edge` and `high_edge` are the shares of units whose penalty stands at that end of the grid,
    `n_constant_prediction` counts r's set to 0.
    """

    test_r: FloatArray
    inner_r: FloatArray | None
    penalties: FloatArray
    selection_error: FloatArray | None
    low_edge: FloatArray
    high_edge: FloatArray
    n_constant_prediction: IndexArray


def cross_val_encode(
    layer: FloatArray,
    Y: FloatArray,
    folds: Sequence[Fold],
    regression: Regression,
    *,
    owners: IndexArray | None = None,
    is_gram: bool = True,
    standardise: bool = True,
    device: str = "cpu",
    memory_bytes: int | None = None,
    on_fold: Callable[[], None] = lambda: None,
) -> EncodingFit:
    """Fit Y (n_rows, n_units) on each fold's training rows and judge it on its test rows.

    `layer` is K = X Xᵀ (n_rows, n_rows), or with `is_gram` False the features X themselves, whose columns are then
    z-scored in each training set unless `standardise` is False. `owners` (n_units,) numbers each unit's participant,
    for Scope.PARTICIPANT. `on_fold` is called once for each outer fold. Ties between penalties take the larger.
    """
    kernel, penalties = _prepared(layer, regression, is_gram=is_gram, standardise=standardise)
    n_folds, n_units = len(folds), Y.shape[1]
    chosen = np.zeros((n_folds, n_units), dtype=np.intp)
    test_r, n_constant = np.empty((n_folds, n_units)), np.zeros(n_folds, dtype=np.intp)
    inner_r, error = np.full((2, n_folds, n_units), np.nan)
    for index, fold in enumerate(folds):
        if regression.selection is not Selection.NONE:
            found = errors(kernel, Y, fold, penalties, selection=regression.selection, folds=folds)
            chosen[index] = choose(found.squared, found.variation, regression.scope, owners)
            with np.errstate(invalid="ignore", divide="ignore"):
                error[index] = found.squared[chosen[index], np.arange(n_units)] / found.variation
            if found.inner_r is not None:
                inner_r[index] = found.inner_r[chosen[index], np.arange(n_units)]
        prediction = _predict(kernel, Y, fold, penalties[chosen[index]])
        test_r[index] = pearson_columns(Y[fold.test], prediction, Y[fold.train])
        n_constant[index] = constant_columns(prediction, Y[fold.train]).sum()
        on_fold()
    has_edges = len(penalties) > 1
    return EncodingFit(
        test_r=test_r,
        inner_r=inner_r if regression.selection is Selection.NESTED_FOLDS else None,
        penalties=penalties[chosen],
        selection_error=None if regression.selection is Selection.NONE else error,
        low_edge=np.mean(chosen == 0, axis=1) * has_edges,
        high_edge=np.mean(chosen == len(penalties) - 1, axis=1) * has_edges,
        n_constant_prediction=n_constant,
    )


def predict(
    layer: FloatArray, Y: FloatArray, folds: Sequence[Fold], penalties: FloatArray, *, is_gram: bool = True
) -> list[FloatArray]:
    """What a fit predicts for each fold's test rows, (n_test, n_units) each, at known penalties (n_folds, n_units)."""
    kernel = kernel_of(layer) if is_gram else features_kernel(layer, standardise=True)
    return [_predict(kernel, Y, fold, penalties[index]) for index, fold in enumerate(folds)]


def choose(squared: FloatArray, variation: FloatArray, scope: Scope, owners: IndexArray | None) -> IndexArray:
    """The index of each unit's penalty, (n_units,), from errors (n_penalties, n_units); ties take the larger."""
    if scope is Scope.UNIT:
        return _last_smallest(squared)
    if scope is Scope.ALL or owners is None:
        pooled = squared.sum(axis=1) if scope is Scope.ALL else _relative(squared, variation).mean(axis=1)
        return np.full(squared.shape[1], _last_smallest(pooled[:, None])[0])
    chosen = np.empty(squared.shape[1], dtype=np.intp)
    for owner in np.unique(owners):
        own = owners == owner
        chosen[own] = _last_smallest(_relative(squared[:, own], variation[own]).mean(axis=1)[:, None])[0]
    return chosen


def _relative(squared: FloatArray, variation: FloatArray) -> FloatArray:
    varies = variation > 0
    return np.asarray(squared[:, varies] / variation[varies]) if varies.any() else np.zeros((len(squared), 1))


def _last_smallest(values: FloatArray) -> IndexArray:
    return np.asarray(len(values) - 1 - np.argmin(values[::-1], axis=0))


def _prepared(
    layer: FloatArray, regression: Regression, *, is_gram: bool, standardise: bool
) -> tuple[Kernel, FloatArray]:
    """The kernel of each fold, and the penalties that are tried: one grid for all folds."""
    if is_gram:
        return kernel_of(layer), penalties_of(regression, centred(layer))
    deviations = layer - layer.mean(axis=0)
    variances = np.ptp(layer, axis=0) > 0 if standardise else (deviations**2).mean(axis=0)
    return features_kernel(layer, standardise=standardise), penalties_of(
        regression, np.eye(len(layer)) * variances.sum()
    )


def _predict(kernel: Kernel, Y: FloatArray, fold: Fold, penalties: FloatArray) -> FloatArray:
    """Predictions (n_test, n_units) with each unit at its own penalty, (n_units,)."""
    prediction = np.empty((len(fold.test), Y.shape[1]))
    for penalty in np.unique(penalties):
        own = penalties == penalty
        prediction[:, own] = path(kernel, Y[:, own], fold, np.array([penalty]))[0]
    return prediction
