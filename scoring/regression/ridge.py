"""Ridge regression from a Gram matrix: functions on arrays, float64 throughout.

Every fit starts from K = X Xᵀ over all rows of a part (`gram.Gram.part`). Centring on training rows happens on K
itself, so a fit never sees the number of features, and centring on test rows cannot happen by accident.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from ..types import FloatArray, IndexArray


def penalty_grid(K: FloatArray, *, low: float = -4, high: float = 5, n_penalties: int = 20) -> FloatArray:
    """Penalties in rising order: logspace(low, high, n_penalties) · trace(K)/n, for K centred over all rows."""
    return np.asarray(np.logspace(low, high, n_penalties) * (np.trace(K) / len(K)))


def ridge_path(
    K: FloatArray, Y: FloatArray, train: IndexArray, tests: Sequence[IndexArray], penalties: FloatArray
) -> list[FloatArray]:
    """Predictions of ridge with intercept for each test set and penalty.

    With K_c and K_x the training and test-by-training blocks of K centred on the training rows, Q Λ Qᵀ = K_c:
    Ŷ = K_x Q (Λ + α)⁻¹ Qᵀ (Y_train − ȳ) + ȳ. K is (n, n), Y (n, n_units); each result (n_penalties, n_test, n_units).
    """
    K_train = K[np.ix_(train, train)]
    column_means = K_train.mean(axis=0)
    grand_mean = column_means.mean()
    eigenvalues, Q = scipy.linalg.eigh(K_train - column_means - column_means[:, None] + grand_mean)
    eigenvalues = np.maximum(eigenvalues, len(train) * np.finfo(np.float64).eps * max(eigenvalues[-1], 0.0))
    intercept = Y[train].mean(axis=0)
    Z = Q.T @ (Y[train] - intercept)
    predictions = []
    for test in tests:
        K_test = K[np.ix_(test, train)]
        projected = (K_test - column_means - K_test.mean(axis=1, keepdims=True) + grand_mean) @ Q
        predictions.append(np.stack([(projected / (eigenvalues + penalty)) @ Z + intercept for penalty in penalties]))
    return predictions
