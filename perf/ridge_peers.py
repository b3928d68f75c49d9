"""The plain ways of fitting the same maps: scikit-learn and himalaya, as their documentation shows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import PredefinedSplit

from scoring.regression.folds import Fold
from scoring.types import FloatArray

UNITS_AT_ONCE = 4000
"""Units that himalaya takes at one time: of all, 4,000, 2,000, 1,000 and 500 the fastest in one round on busy cores."""


def ridge_cv(X: FloatArray, Y: FloatArray, fold: Fold, penalties: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Penalties (n_units,) and predictions (n_test, n_units) of scikit-learn's exact leave-one-out."""
    model = RidgeCV(alphas=penalties, alpha_per_target=True).fit(X[fold.train], Y[fold.train])
    return np.asarray(model.alpha_), np.asarray(model.predict(X[fold.test]))


def least_squares(X: FloatArray, Y: FloatArray, folds: Sequence[Fold]) -> list[FloatArray]:
    """Predictions (n_test, n_units) of scikit-learn's least squares for each split."""
    return [np.asarray(LinearRegression().fit(X[one.train], Y[one.train]).predict(X[one.test])) for one in folds]


def kernel_ridge_cv(
    K: FloatArray, Y: FloatArray, fold: Fold, penalties: FloatArray, *, inner: Sequence[Fold] | int
) -> tuple[FloatArray, FloatArray]:
    """Penalties (n_units,) and r (n_units,) of himalaya for one training set, in float32 on torch.

    `inner` are folds that are left out within the training rows, or how many.
    """
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.scoring import correlation_score

    set_backend("torch")
    inputs, targets = torch.from_numpy(K.astype(np.float32)), torch.from_numpy(Y.astype(np.float32))
    train, test = torch.from_numpy(fold.train), torch.from_numpy(fold.test)
    model = KernelRidgeCV(
        alphas=penalties.astype(np.float32),
        kernel="precomputed",
        fit_intercept=True,
        cv=inner if isinstance(inner, int) else PredefinedSplit(_numbered(inner)[fold.train]),
        solver_params={"n_targets_batch": UNITS_AT_ONCE},
    ).fit(inputs[train][:, train], targets[train])
    predictions = model.predict(inputs[test][:, train])
    return np.asarray(model.best_alphas_), np.asarray(correlation_score(targets[test], predictions))


def _numbered(folds: Sequence[Fold]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Each row's fold."""
    found = np.empty(sum(len(fold.test) for fold in folds), dtype=np.intp)
    for index, fold in enumerate(folds):
        found[fold.test] = index
    return found
