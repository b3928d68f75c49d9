"""Ridge on a few delayed components of a layer, as arXiv 2312.00575 fits stories that were read word by word.

What belongs here: FeatureRule.DELAYED_COMPONENTS, from stimuli to predictions. What does not: any other fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from ..recording import Timeline
from ..regression.direct import N_INNER_BLOCKS
from ..regression.encode import EncodingFit
from ..regression.folds import Fold
from ..regression.rules import Regression
from ..regression.selection import choose
from ..types import FloatArray, IndexArray
from .correlation import constant_columns, pearson_columns
from .moments import features_on_moments, stimuli_of_rows

N_COMPONENTS = 10
UNIT_CHUNK = 4096
"""Units that are fitted at one time."""


def fit_components(
    K: FloatArray,
    Y: FloatArray,
    folds: Sequence[Fold],
    regression: Regression,
    timeline: Timeline,
    *,
    on_fold: Callable[[], None] = lambda: None,
) -> EncodingFit:
    """Fit Y (n_rows, n_units) on the delayed components of a layer and judge it on each fold's test rows.

    `K` (n_stimuli, n_stimuli) holds inner products of the layer's stimuli. Penalties are absolute, one for each unit:
    the smallest share of unexplained variance summed over ten unshuffled blocks of the training rows; ties take the
    larger.
    """
    assert regression.grid is not None, "components are fitted by ridge"
    penalties = regression.grid.penalties(np.eye(1))
    shape = (len(folds), Y.shape[1])
    chosen, n_constant = np.zeros(shape, dtype=np.intp), np.zeros(len(folds), dtype=np.intp)
    test_r, selection_error = np.empty((2, *shape))
    for index, fold in enumerate(folds):
        X_train, X_test = component_features(K, fold, timeline)
        for own in _chunks(Y.shape[1]):
            Y_train = standardised(Y[fold.train, own])
            error = _inner_error(X_train, Y_train, penalties)
            chosen[index, own] = choose(error, np.ones(error.shape[1]), regression.scope, None)
            selection_error[index, own] = error[chosen[index, own], np.arange(error.shape[1])] / N_INNER_BLOCKS
            prediction = _predicted(X_train, Y_train, X_test, penalties[chosen[index, own]])
            test_r[index, own] = pearson_columns(Y[fold.test, own], prediction, Y_train)
            n_constant[index] += constant_columns(prediction, Y_train).sum()
        on_fold()
    return EncodingFit(
        test_r=test_r,
        inner_r=None,
        penalties=penalties[chosen],
        selection_error=selection_error,
        low_edge=np.mean(chosen == 0, axis=1),
        high_edge=np.mean(chosen == len(penalties) - 1, axis=1),
        n_constant_prediction=n_constant,
    )


def predict_components(
    K: FloatArray, Y: FloatArray, folds: Sequence[Fold], penalties: FloatArray, timeline: Timeline
) -> list[FloatArray]:
    """What a fit predicts for each fold's test rows, (n_test, n_units) each, at known penalties (n_folds, n_units).

    In standard deviations of the training responses from their mean.
    """
    found = []
    for index, fold in enumerate(folds):
        X_train, X_test = component_features(K, fold, timeline)
        found.append(_predicted(X_train, standardised(Y[fold.train]), X_test, penalties[index]))
    return found


def component_features(K: FloatArray, fold: Fold, timeline: Timeline) -> tuple[FloatArray, FloatArray]:
    """Features of a fold's training and test rows, (n, n_components · n_delays) each.

    Principal components of the stimuli of the training rows' moments; the mean over each moment; delays; then columns
    are standardised in each run, and in training and test rows apart.
    """
    scores = principal_scores(K, stimuli_of_rows(timeline, fold.train))
    X = features_on_moments(scores, timeline)
    run_of_row = np.asarray(timeline.runs)[timeline.rows]
    for run in dict.fromkeys(run_of_row.tolist()):
        X[run_of_row == run] = standardised(X[run_of_row == run])
    return standardised(X[fold.train]), standardised(X[fold.test])


def principal_scores(K: FloatArray, train: IndexArray, n_components: int = N_COMPONENTS) -> FloatArray:
    """Scores of all stimuli on the principal components of `train`, (n_stimuli, ≤ n_components).

    With K_c the inner products of all with training stimuli, centred on the training mean, and U Λ Uᵀ those of
    training stimuli among themselves: K_c U Λ^(−1/2). Components without variance are left out.
    """
    K_all = K[:, train] - K[np.ix_(train, train)].mean(axis=0)
    K_all = K_all - K_all.mean(axis=1, keepdims=True)
    K_train = K_all[train]
    eigenvalues, U = _leading((K_train + K_train.T) / 2, min(n_components, len(train) - 1))
    kept = eigenvalues > len(train) * np.finfo(np.float64).eps * eigenvalues.max()
    return np.asarray(K_all @ U[:, kept] / np.sqrt(eigenvalues[kept]))


def _leading(K: FloatArray, n_wanted: int) -> tuple[FloatArray, FloatArray]:
    """The largest eigenvalues of a symmetric matrix and their vectors; all are found where a few do not settle, as
    where many are almost equal."""
    start = np.random.default_rng(0).standard_normal(len(K))
    try:
        eigenvalues, U = scipy.sparse.linalg.eigsh(K, k=n_wanted, v0=start)
    except scipy.sparse.linalg.ArpackNoConvergence:
        last = len(K) - 1
        eigenvalues, U = scipy.linalg.eigh(K, subset_by_index=[len(K) - n_wanted, last])
    return eigenvalues, U


def standardised(X: FloatArray) -> FloatArray:
    """Columns less their mean, in their standard deviations; zeros where a column does not vary."""
    deviations = X.std(axis=0)
    varies = np.ptp(X, axis=0) > 0
    return np.where(varies, (X - X.mean(axis=0)) / np.where(varies, deviations, 1.0), 0.0)


def _inner_error(X: FloatArray, Y: FloatArray, penalties: FloatArray) -> FloatArray:
    """Shares of unexplained variance summed over ten blocks, (n_penalties, n_units); nothing is centred again.

    With coefficients W of the rest and a block's X and Y: ‖Y − X W‖² = ‖Y‖² + Σ W ⊙ (XᵀX W − 2 XᵀY).
    """
    total = np.zeros((len(penalties), Y.shape[1]))
    for block in np.array_split(np.arange(len(X)), min(N_INNER_BLOCKS, len(X))):
        rest = np.setdiff1d(np.arange(len(X)), block, assume_unique=True)
        eigenvalues, Q = np.linalg.eigh(X[rest].T @ X[rest])
        projected, shown = Q.T @ (X[rest].T @ Y[rest]), X[block] @ Q
        inner, target = shown.T @ shown, 2 * shown.T @ Y[block]
        squares, variation = (Y[block] ** 2).sum(axis=0), len(block) * Y[block].var(axis=0)
        for index, penalty in enumerate(penalties):
            W = projected / (np.maximum(eigenvalues, 0) + penalty)[:, None]
            residual = squares + np.einsum("ij,ij->j", W, inner @ W - target)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = residual / variation
            total[index] += np.where(np.isfinite(share), share, 1.0)
    return total


def _predicted(X_train: FloatArray, Y_train: FloatArray, X_test: FloatArray, penalties: FloatArray) -> FloatArray:
    """Predictions of ridge without intercept, (n_test, n_units), each unit at its own penalty."""
    eigenvalues, Q = np.linalg.eigh(X_train.T @ X_train)
    projected = Q.T @ (X_train.T @ Y_train)
    return np.asarray(X_test @ Q @ (projected / (np.maximum(eigenvalues, 0)[:, None] + penalties)))


def _chunks(n_units: int) -> list[slice]:
    return [slice(start, start + UNIT_CHUNK) for start in range(0, n_units, UNIT_CHUNK)]
