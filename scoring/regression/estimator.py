"""The ridge of this package as a scikit-learn estimator, for use outside of recordings and layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..types import FloatArray
from .direct import chunks_of_units, errors, features_kernel
from .folds import Fold
from .gram import centred
from .rules import RELATIVE_GRID, Scope, Selection
from .selection import choose


class EncodingRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge with a free intercept and a penalty for each target, chosen without a second fit.

    `penalties` are tried; None takes 20 between 1e-4 and 1e5 times trace(K)/n, K = X Xᵀ of centred features.
    `selection` is "generalised" (generalised cross-validation) or "leave-one-out". Ties take the larger penalty.

    After `fit`: `penalties_` (n_targets,) the chosen ones, `dual_coef_` (n_samples, n_targets) with which predictions
    are (x − x̄) X_cᵀ dual_coef_ + ȳ, and `coef_`, (n_targets, n_features), which is made when it is asked for.
    """

    def __init__(self, penalties: Any = None, *, selection: str = "generalised") -> None:
        self.penalties = penalties
        self.selection = selection

    def fit(self, X: Any, y: Any) -> EncodingRidgeCV:
        """Choose penalties and solve, in float64. Raises ValueError for unusable input or settings."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        selection = self._selection()
        Y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        self.x_mean_, self.intercept_at_mean_ = X.mean(axis=0), Y.mean(axis=0)
        self.X_fit_ = X - self.x_mean_
        K = centred(self.X_fit_ @ self.X_fit_.T)
        grid = RELATIVE_GRID.penalties(K) if self.penalties is None else np.sort(np.atleast_1d(self.penalties))
        whole = Fold(train=np.arange(len(X)), test=np.arange(len(X)))

        kernel = features_kernel(self.X_fit_, standardise=False)
        found = errors(kernel, Y, whole, grid, selection=selection, folds=())
        chosen = choose(found.squared, found.variation, Scope.UNIT, None)
        solved, self.penalties_ = kernel(whole), np.asarray(grid, dtype=np.float64)[chosen]
        self.dual_coef_ = np.empty_like(Y)
        for chunk in chunks_of_units(Y, whole, 1, None):
            Z = solved.vectors.T @ (Y[:, chunk] - self.intercept_at_mean_[chunk])
            self.dual_coef_[:, chunk] = solved.vectors @ (Z / (solved.eigenvalues[:, None] + self.penalties_[chunk]))
        self.is_single_ = np.ndim(y) == 1
        return self

    def predict(self, X: Any) -> FloatArray:
        """Predictions (n_samples, n_targets), or (n_samples,) where `fit` was given one target as a vector."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        predictions = ((X - self.x_mean_) @ self.X_fit_.T) @ self.dual_coef_ + self.intercept_at_mean_
        return predictions[:, 0] if self.is_single_ else np.asarray(predictions)

    @property
    def coef_(self) -> FloatArray:
        """Coefficients (n_targets, n_features), or (n_features,) for one target."""
        check_is_fitted(self)
        coefficients = self.dual_coef_.T @ self.X_fit_
        return coefficients[0] if self.is_single_ else np.asarray(coefficients)

    def _selection(self) -> Selection:
        if self.selection not in (Selection.GENERALISED, Selection.LEAVE_ONE_OUT):
            raise ValueError(f'selection must be "generalised" or "leave-one-out", not {self.selection!r}')
        if self.penalties is not None and np.any(np.asarray(self.penalties) <= 0):
            raise ValueError("penalties must be larger than 0")
        return Selection(self.selection)
