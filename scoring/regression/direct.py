"""The direct path: every training set is solved by itself, in float64, from features or their Gram matrix.

It is the fallback for folds that overlap or are purged and for features that are standardised in each training set,
and the oracle for the fast paths. What belongs here: solving one training set and choosing its penalty. What does not:
which path is taken (`encode`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..metrics.correlation import pearson_columns
from ..types import FloatArray, IndexArray
from .folds import Fold
from .rules import Method, Regression, Selection

N_INNER_BLOCKS = 10
"""Blocks of Selection.INNER_FOLDS."""

Kernel = Callable[[Fold], tuple[FloatArray, FloatArray, FloatArray]]
"""For a fold, all centred on the mean of its training rows: the eigenvalues (rank,) and eigenvectors Q (n_train, rank)
of the inner products of training rows, and K_x Q (n_test, rank), K_x those of test with training rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """What a choice of penalties goes by, (n_penalties, n_units) and (n_units,).

    `squared` are held-out squared errors, summed (for Selection.INNER_FOLDS: shares of unexplained variance);
    `variation` is the squared deviation of training responses from their mean. `inner_r` (n_penalties, n_units) is the
    mean r over inner folds; None where there are none.
    """

    squared: FloatArray
    variation: FloatArray
    inner_r: FloatArray | None = None


def kernel_of(K: FloatArray) -> Kernel:
    """Blocks of K (n, n), centred on each fold's training rows."""

    def blocks(fold: Fold) -> tuple[FloatArray, FloatArray, FloatArray]:
        K_train, K_test = K[np.ix_(fold.train, fold.train)], K[np.ix_(fold.test, fold.train)]
        means, grand = K_train.mean(axis=0), K_train.mean()
        eigenvalues, Q = _decompose(K_train - means - means[:, None] + grand)
        return eigenvalues, Q, (K_test - means - K_test.mean(axis=1, keepdims=True) + grand) @ Q

    return blocks


def features_kernel(X: FloatArray, *, standardise: bool) -> Kernel:
    """Blocks of features X (n, n_features), whose columns may be z-scored in each fold's training rows.

    A column that is constant there is then left out. Where features are fewer than training rows, their own products
    are decomposed: XᵀX = V Λ Vᵀ gives Q = X V Λ^−½ and K_x Q = X_test V Λ^½ at a cost that grows with rows only.
    """

    def blocks(fold: Fold) -> tuple[FloatArray, FloatArray, FloatArray]:
        train, test = X[fold.train], X[fold.test]
        if standardise:
            kept, deviations = np.ptp(train, axis=0) > 0, train.std(axis=0)
            train, test = train[:, kept] / deviations[kept], test[:, kept] / deviations[kept]
        train, test = train - train.mean(axis=0), test - train.mean(axis=0)
        if train.shape[1] >= len(train):
            eigenvalues, Q = _decompose(train @ train.T)
            return eigenvalues, Q, test @ (train.T @ Q)
        eigenvalues, V = _decompose(train.T @ train, n_rows=len(train))
        return eigenvalues, train @ V / np.sqrt(eigenvalues), test @ V * np.sqrt(eigenvalues)

    return blocks


def path(kernel: Kernel, Y: FloatArray, fold: Fold, penalties: FloatArray) -> FloatArray:
    """Predictions of ridge with intercept for the test rows: (n_penalties, n_test, n_units).

    With Q, Λ and K_x Q the blocks of the kernel: Ŷ = K_x Q (Λ + α)⁻¹ Qᵀ (Y_train − ȳ) + ȳ. Penalty 0 is
    the solution of least squares with the smallest coefficients: directions below n · eps · λ_max are left out.
    """
    eigenvalues, Q, projected = kernel(fold)
    intercept = Y[fold.train].mean(axis=0)
    Z = Q.T @ (Y[fold.train] - intercept)
    return np.stack([(projected / (eigenvalues + penalty)) @ Z + intercept for penalty in penalties])


def errors(
    kernel: Kernel, Y: FloatArray, fold: Fold, penalties: FloatArray, *, selection: Selection, folds: Sequence[Fold]
) -> Errors:
    """The held-out errors of each penalty within the training rows of a fold; `folds` are all outer ones."""
    variation = ((Y[fold.train] - Y[fold.train].mean(axis=0)) ** 2).sum(axis=0)
    if selection is Selection.NESTED_FOLDS:
        inner = [fold.inner(other) for other in folds if other is not fold]
        return _over_folds(kernel, Y, [one for one in inner if len(one.test)], penalties, variation, as_share=False)
    if selection is Selection.INNER_FOLDS:
        return _over_folds(kernel, Y, _blocks(fold.train), penalties, variation, as_share=True)
    exact = selection is Selection.LEAVE_ONE_OUT
    return Errors(squared=_leaving_one_out(kernel, Y, fold, penalties, exact=exact), variation=variation)


def _over_folds(
    kernel: Kernel,
    Y: FloatArray,
    folds: Sequence[Fold],
    penalties: FloatArray,
    variation: FloatArray,
    *,
    as_share: bool,
) -> Errors:
    total = np.zeros((len(penalties), Y.shape[1]))
    r_sum, r_count = np.zeros_like(total), np.zeros_like(total)
    for fold in folds:
        predictions = path(kernel, Y, fold, penalties)
        squared = ((predictions - Y[fold.test]) ** 2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = squared / ((Y[fold.test] - Y[fold.test].mean(axis=0)) ** 2).sum(axis=0)
        total += np.where(np.isfinite(share), share, 1.0) if as_share else squared
        r = np.stack([pearson_columns(Y[fold.test], prediction, Y[fold.train]) for prediction in predictions])
        r_sum += np.nan_to_num(r)
        r_count += ~np.isnan(r)
    with np.errstate(invalid="ignore"):
        return Errors(squared=total, variation=variation, inner_r=r_sum / r_count)


def _leaving_one_out(kernel: Kernel, Y: FloatArray, fold: Fold, penalties: FloatArray, *, exact: bool) -> FloatArray:
    """Squared errors Σ (e_i / (1 − h_ii))², or with 1 − tr(H)/n in place of every 1 − h_ii.

    H = 11ᵀ/n + Q Λ (Λ + α)⁻¹ Qᵀ maps training responses to their fit, e = (I − H) y.
    """
    eigenvalues, Q, _ = kernel(fold)
    Y_centred = Y[fold.train] - Y[fold.train].mean(axis=0)
    Z, n = Q.T @ Y_centred, len(fold.train)
    found = np.empty((len(penalties), Y.shape[1]))
    for index, penalty in enumerate(penalties):
        kept = eigenvalues / (eigenvalues + penalty)
        residuals = Y_centred - (Q * kept) @ Z
        left = 1 - 1 / n - (Q**2) @ kept
        left = left if exact else np.full(n, left.mean())
        found[index] = ((residuals / left[:, None]) ** 2).sum(axis=0)
    return found


def _decompose(K: FloatArray, *, n_rows: int | None = None) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and vectors of a centred matrix of `n_rows` (None: its own) without those that rounding made."""
    eigenvalues, Q = scipy.linalg.eigh(K)
    kept = eigenvalues > (n_rows or len(K)) * np.finfo(np.float64).eps * max(eigenvalues[-1], 0.0)
    return eigenvalues[kept], Q[:, kept]


def _blocks(train: IndexArray) -> list[Fold]:
    blocks = np.array_split(train, min(N_INNER_BLOCKS, len(train)))
    return [Fold(train=np.setdiff1d(train, block, assume_unique=True), test=block) for block in blocks]


def penalties_of(regression: Regression, K: FloatArray) -> FloatArray:
    """The penalties that are tried for K (n, n), centred over all rows of a part; 0 alone for least squares."""
    if regression.method is Method.LEAST_SQUARES or regression.grid is None:
        return np.zeros(1)
    return regression.grid.penalties(K)
