"""Made-up features and responses of the size of Pereira et al. (2018): 627 sentences, 12,000 voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.metrics.correlation import pearson_columns
from scoring.regression.folds import Fold
from scoring.regression.gram import Gram
from scoring.regression.rules import RELATIVE_GRID
from scoring.types import FeatureArray, FloatArray

N_ROWS, N_UNITS, N_FOLDS = 627, 12_000, 10

STRENGTHS = (0.0, 0.1, 0.3, 1.0)
"""Standard deviation of what features explain, in units of the noise's; responses take them in turn."""


def features(n_rows: int, n_features: int, *, seed: int) -> FeatureArray:
    """Features whose variances fall as 1/k², as a language model's roughly do, (n_rows, n_features)."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    return np.asarray(values * rng.permutation(10 / np.arange(1, n_features + 1)).astype(np.float32))


def responses(X: FeatureArray, n_units: int, *, seed: int) -> FloatArray:
    """Responses that features explain more or less, with noise, (n_rows, n_units)."""
    rng = np.random.default_rng(seed)
    signal = X @ rng.standard_normal((X.shape[1], n_units), dtype=np.float32)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    explained = signal / signal.std(axis=0) * np.resize(STRENGTHS, n_units)
    return np.asarray(explained + noise, dtype=np.float64)


def folds(n_rows: int = N_ROWS, n_folds: int = N_FOLDS) -> list[Fold]:
    """Neighbouring rows held out together."""
    tests = np.array_split(np.arange(n_rows), n_folds)
    return [Fold(train=np.setdiff1d(np.arange(n_rows), test), test=test) for test in tests]


def gram(X: FeatureArray) -> FloatArray:
    """What the service keeps of a layer."""
    return Gram.of(X).K


def penalties(K: FloatArray) -> FloatArray:
    """The 20 penalties that are tried."""
    return RELATIVE_GRID.penalties(K)


def correlations(Y: FloatArray, predictions: Sequence[FloatArray], tested: Sequence[Fold]) -> FloatArray:
    """r of each fold's predictions, (n_folds, n_units)."""
    return np.stack(
        [
            pearson_columns(Y[fold.test], np.asarray(prediction, dtype=np.float64), Y[fold.train])
            for fold, prediction in zip(tested, predictions, strict=True)
        ]
    )
