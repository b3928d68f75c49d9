"""Pearson correlation of columns, with its two undefined cases told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray

CONSTANT_RATIO = 1e-8
"""A prediction whose standard deviation is below this share of the training responses' says nothing."""


def pearson_columns(Y: FloatArray, prediction: FloatArray, Y_train: FloatArray) -> FloatArray:
    """Pearson r of each unit over the test rows: (n_units,), signed.

    A unit whose response is constant in the test rows is NaN. A constant prediction gives 0: leaving it out would
    reward a model for having nothing to say.
    """
    Y_centred = Y - Y.mean(axis=0)
    P_centred = prediction - prediction.mean(axis=0)
    scale = np.sqrt((Y_centred**2).sum(axis=0) * (P_centred**2).sum(axis=0))
    silent = constant_columns(prediction, Y_train)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (Y_centred * P_centred).sum(axis=0) / scale
    r[silent] = 0.0
    r[np.ptp(Y, axis=0) == 0] = np.nan
    return np.asarray(r)


def constant_columns(prediction: FloatArray, Y_train: FloatArray) -> NDArray[np.bool_]:
    """Which units have a prediction that does not vary: (n_units,) bool."""
    return np.asarray(prediction.std(axis=0) <= CONSTANT_RATIO * Y_train.std(axis=0))


def pearson(x: FloatArray, y: FloatArray) -> float:
    """Pearson r of two vectors over the rows where both are finite."""
    both = np.isfinite(x) & np.isfinite(y)
    return float(np.corrcoef(x[both], y[both])[0, 1])
