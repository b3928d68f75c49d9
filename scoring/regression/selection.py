"""Nested choice of penalties: what may be learned from training rows, and only from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..metrics.correlation import constant_columns, pearson_columns
from ..types import FloatArray, IndexArray
from .ridge import penalty_grid, ridge_path


@dataclass(frozen=True, kw_only=True)
class NestedFit:
    """One layer fitted to one part under nested penalties.

    `test_r` and `inner_r` are (n_folds, n_units): Pearson r on each outer fold's test rows, and the mean r over the
    inner folds of its training rows, both at the penalty chosen there. By fold, (n_folds,): `low_edge` and `high_edge`
    are the shares of units whose penalty stands at that end of the grid, `n_constant_prediction` counts r's set to 0.
    """

    test_r: FloatArray
    inner_r: FloatArray
    low_edge: FloatArray
    high_edge: FloatArray
    n_constant_prediction: IndexArray


def nested_ridge(
    K: FloatArray,
    Y: FloatArray,
    folds: Sequence[IndexArray],
    *,
    on_fold: Callable[[], None] = lambda: None,
) -> NestedFit:
    """Ridge with one penalty per unit, chosen inside each outer training set.

    For each outer fold every remaining fold is left out in turn; the penalty with the smallest squared error summed
    over those rows is taken, the larger one where two tie. Leaving out folds i and j serves i inside j and j inside
    i, so each pair is solved once.
    """
    penalties = penalty_grid(K)
    squared_error = np.zeros((len(folds), len(penalties), Y.shape[1]))
    r_sum, r_count = np.zeros_like(squared_error), np.zeros_like(squared_error)
    for i, j in combinations(range(len(folds)), 2):
        train = _rows_outside(folds, (i, j))
        for outer, inner, path in zip(
            (j, i), (i, j), ridge_path(K, Y, train, (folds[i], folds[j]), penalties), strict=True
        ):
            squared_error[outer] += ((path - Y[folds[inner]]) ** 2).sum(axis=1)
            r = np.stack([pearson_columns(Y[folds[inner]], prediction, Y[train]) for prediction in path])
            r_sum[outer] += np.nan_to_num(r)
            r_count[outer] += ~np.isnan(r)
        on_fold()
    chosen = len(penalties) - 1 - np.argmin(squared_error[:, ::-1], axis=1)
    with np.errstate(invalid="ignore"):
        inner_r = np.take_along_axis(r_sum / r_count, chosen[:, None], axis=1)[:, 0]
    return _fit_outer(K, Y, folds, penalties=penalties, chosen=chosen, inner_r=inner_r)


def _fit_outer(
    K: FloatArray,
    Y: FloatArray,
    folds: Sequence[IndexArray],
    *,
    penalties: FloatArray,
    chosen: IndexArray,
    inner_r: FloatArray,
) -> NestedFit:
    """Fit each outer training set once, and judge each unit at its own penalty on the test rows."""
    test_r, n_constant = np.empty((len(folds), Y.shape[1])), np.zeros(len(folds), dtype=np.intp)
    for fold, test in enumerate(folds):
        train = _rows_outside(folds, (fold,))
        (path,) = ridge_path(K, Y, train, (test,), penalties)
        prediction = np.take_along_axis(path, chosen[fold][None, None], axis=0)[0]
        test_r[fold] = pearson_columns(Y[test], prediction, Y[train])
        n_constant[fold] = constant_columns(prediction, Y[train]).sum()
    return NestedFit(
        test_r=test_r,
        inner_r=inner_r,
        low_edge=np.mean(chosen == 0, axis=1),
        high_edge=np.mean(chosen == len(penalties) - 1, axis=1),
        n_constant_prediction=n_constant,
    )


def _rows_outside(folds: Sequence[IndexArray], left_out: tuple[int, ...]) -> IndexArray:
    return np.sort(np.concatenate([rows for fold, rows in enumerate(folds) if fold not in left_out]))
