"""The direct path: every training set is solved by itself, in float64, from features or their Gram matrix.

It is the fallback for folds that overlap or are purged and for features that are standardised in each training set,
and the oracle for the fast paths. What belongs here: solving one training set and choosing its penalty. What does not:
which path is taken (`encode`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..metrics.correlation import pearson_columns
from ..types import FloatArray, IndexArray
from .folds import Fold
from .rules import Method, Regression, Selection

N_INNER_BLOCKS = 10
"""Blocks of Selection.INNER_FOLDS."""

DEFAULT_MEMORY_BYTES = 2**28
"""What the predictions of one training set may take at one time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """What a choice of penalties goes by, (n_penalties, n_units) and (n_units,).

    `squared` are held-out squared errors, summed (for Selection.INNER_FOLDS: shares of unexplained variance);
    `variation` is the squared deviation of training responses from their mean. `inner_r` (n_penalties, n_units) is the
    mean r over inner folds; None where it was not asked for.
    """

    squared: FloatArray
    variation: FloatArray
    inner_r: FloatArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """A training set solved for every penalty: K_c = Q Λ Qᵀ for its rows, P = K_x Q for the test rows.

    Both are inner products of features centred on the mean of the training rows.
    """

    fold: Fold
    eigenvalues: FloatArray
    vectors: FloatArray
    projected: FloatArray

    def path(self, Y: FloatArray, penalties: FloatArray) -> FloatArray:
        """Predictions P (Λ + α)⁻¹ Qᵀ (Y_train − ȳ) + ȳ for the test rows: (n_penalties, n_test, n_units).

        Penalty 0 is the solution of least squares with the smallest coefficients: directions below n · eps · λ_max are
        left out.
        """
        intercept = Y[self.fold.train].mean(axis=0)
        Z = self.vectors.T @ (Y[self.fold.train] - intercept)
        return np.stack([(self.projected / (self.eigenvalues + penalty)) @ Z + intercept for penalty in penalties])

    def predict(self, Y: FloatArray, penalties: FloatArray) -> FloatArray:
        """Predictions (n_test, n_units) with each unit at its own penalty, (n_units,)."""
        prediction = np.empty((len(self.fold.test), Y.shape[1]))
        for penalty in np.unique(penalties):
            own = penalties == penalty
            prediction[:, own] = self.path(Y[:, own], np.array([penalty]))[0]
        return prediction


Kernel = Callable[[Fold], Solved]
"""Solves the training set of a fold."""


def kernel_of(K: FloatArray) -> Kernel:
    """Training sets of features with inner products K (n, n)."""

    def solve(fold: Fold) -> Solved:
        K_train, K_test = K[np.ix_(fold.train, fold.train)], K[np.ix_(fold.test, fold.train)]
        means, grand = K_train.mean(axis=0), K_train.mean()
        eigenvalues, Q = _decompose(K_train - means - means[:, None] + grand)
        projected = (K_test - means - K_test.mean(axis=1, keepdims=True) + grand) @ Q
        return Solved(fold=fold, eigenvalues=eigenvalues, vectors=Q, projected=projected)

    return solve


def features_kernel(X: FloatArray, *, standardise: bool) -> Kernel:
    """Training sets of features X (n, n_features), whose columns may be z-scored in each.

    A column that is constant there is then left out. Where features are fewer than training rows, their own products
    are decomposed: XᵀX = V Λ Vᵀ gives Q = X V Λ^−½ and K_x Q = X_test V Λ^½ at a cost that grows with rows only.
    """

    def solve(fold: Fold) -> Solved:
        train, test = X[fold.train], X[fold.test]
        if standardise:
            kept, deviations = np.ptp(train, axis=0) > 0, train.std(axis=0)
            train, test = train[:, kept] / deviations[kept], test[:, kept] / deviations[kept]
        train, test = train - train.mean(axis=0), test - train.mean(axis=0)
        if train.shape[1] >= len(train):
            eigenvalues, Q = _decompose(train @ train.T)
            return Solved(fold=fold, eigenvalues=eigenvalues, vectors=Q, projected=test @ (train.T @ Q))
        eigenvalues, V = _decompose(train.T @ train, n_rows=len(train))
        Q, roots = train @ V / np.sqrt(eigenvalues), np.sqrt(eigenvalues)
        return Solved(fold=fold, eigenvalues=eigenvalues, vectors=Q, projected=test @ V * roots)

    return solve


def errors(
    kernel: Kernel,
    Y: FloatArray,
    fold: Fold,
    penalties: FloatArray,
    *,
    selection: Selection,
    folds: Sequence[Fold],
    with_inner_r: bool = False,
    memory_bytes: int | None = None,
) -> Errors:
    """The held-out errors of each penalty within the training rows of a fold; `folds` are all outer ones."""
    chunks = chunks_of_units(Y, fold, len(penalties), memory_bytes)
    variation = np.concatenate([((rows - rows.mean(axis=0)) ** 2).sum(axis=0) for rows in _columns(Y, fold, chunks)])
    if selection is Selection.NESTED_FOLDS:
        inner = [one for one in (fold.inner(other) for other in folds if other is not fold) if len(one.test)]
        squared = _over_folds(kernel, Y, inner, penalties, chunks=chunks, as_share=False)
        inner_r = _mean_r(kernel, Y, inner, penalties, chunks=chunks) if with_inner_r else None
        return Errors(squared=squared, variation=variation, inner_r=inner_r)
    if selection is Selection.INNER_FOLDS:
        squared = _over_folds(kernel, Y, _blocks(fold.train), penalties, chunks=chunks, as_share=True)
        return Errors(squared=squared, variation=variation)
    exact = selection is Selection.LEAVE_ONE_OUT
    squared = _leaving_one_out(kernel, Y, fold, penalties, chunks=chunks, exact=exact)
    return Errors(squared=squared, variation=variation)


def chunks_of_units(Y: FloatArray, fold: Fold, n_penalties: int, memory_bytes: int | None) -> list[slice]:
    """Units to take at one time so that predictions for every penalty stay within `memory_bytes`."""
    by_unit = 8 * (3 * len(fold.train) + 3 * n_penalties * len(fold.test))
    size = max((memory_bytes or DEFAULT_MEMORY_BYTES) // by_unit, 1)
    return [slice(start, min(start + size, Y.shape[1])) for start in range(0, Y.shape[1], size)]


def _columns(Y: FloatArray, fold: Fold, chunks: Sequence[slice]) -> Iterator[FloatArray]:
    return (Y[fold.train, chunk] for chunk in chunks)


def _over_folds(
    kernel: Kernel,
    Y: FloatArray,
    folds: Sequence[Fold],
    penalties: FloatArray,
    *,
    chunks: Sequence[slice],
    as_share: bool,
) -> FloatArray:
    """Squared errors, or shares of unexplained variance, summed over folds: (n_penalties, n_units)."""
    total = np.zeros((len(penalties), Y.shape[1]))
    for fold in folds:
        solved = kernel(fold)
        for chunk in chunks:
            tested, predictions = Y[fold.test, chunk], solved.path(Y[:, chunk], penalties)
            squared = ((predictions - tested) ** 2).sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = squared / ((tested - tested.mean(axis=0)) ** 2).sum(axis=0)
            total[:, chunk] += np.where(np.isfinite(share), share, 1.0) if as_share else squared
    return total


def _mean_r(
    kernel: Kernel, Y: FloatArray, folds: Sequence[Fold], penalties: FloatArray, *, chunks: Sequence[slice]
) -> FloatArray:
    """The mean of r over the folds where it is defined, (n_penalties, n_units)."""
    r_sum, r_count = np.zeros((2, len(penalties), Y.shape[1]))
    for fold in folds:
        solved = kernel(fold)
        for chunk in chunks:
            tested, predictions = Y[fold.test, chunk], solved.path(Y[:, chunk], penalties)
            r = np.stack([pearson_columns(tested, prediction, Y[fold.train, chunk]) for prediction in predictions])
            r_sum[:, chunk] += np.nan_to_num(r)
            r_count[:, chunk] += ~np.isnan(r)
    with np.errstate(invalid="ignore"):
        return r_sum / r_count


def _leaving_one_out(
    kernel: Kernel, Y: FloatArray, fold: Fold, penalties: FloatArray, *, chunks: Sequence[slice], exact: bool
) -> FloatArray:
    """Squared errors Σ (e_i / (1 − h_ii))², or with 1 − tr(H)/n in place of every 1 − h_ii.

    H = 11ᵀ/n + Q Λ (Λ + α)⁻¹ Qᵀ maps training responses to their fit, e = (I − H) y.
    """
    solved, n = kernel(fold), len(fold.train)
    found = np.empty((len(penalties), Y.shape[1]))
    for chunk, rows in zip(chunks, _columns(Y, fold, chunks), strict=True):
        Y_centred = rows - rows.mean(axis=0)
        Z = solved.vectors.T @ Y_centred
        for index, penalty in enumerate(penalties):
            kept = solved.eigenvalues / (solved.eigenvalues + penalty)
            residuals = Y_centred - (solved.vectors * kept) @ Z
            left = 1 - 1 / n - (solved.vectors**2) @ kept
            left = left if exact else np.full(n, left.mean())
            found[index, chunk] = ((residuals / left[:, None]) ** 2).sum(axis=0)
    return found


def _decompose(K: FloatArray, *, n_rows: int | None = None) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and vectors of a centred matrix of `n_rows` (None: its own) without those that rounding made."""
    eigenvalues, Q = scipy.linalg.eigh(K, driver="evd")
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
