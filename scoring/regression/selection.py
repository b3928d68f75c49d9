"""Which penalty the held-out errors speak for."""

from __future__ import annotations

import numpy as np

from ..types import FloatArray, IndexArray
from .rules import Scope


def choose(squared: FloatArray, variation: FloatArray, scope: Scope, owners: IndexArray | None) -> IndexArray:
    """The index of each unit's penalty, (n_units,), from errors (n_penalties, n_units); ties take the larger.

    `variation` (n_units,) is the squared deviation of training responses from their mean.
    """
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


def relative_error(squared: FloatArray, variation: FloatArray, chosen: IndexArray) -> FloatArray:
    """The error at each unit's penalty over the variation of its training responses, (n_units,); NaN without any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(squared[chosen, np.arange(len(chosen))] / np.where(variation > 0, variation, np.nan))


def _relative(squared: FloatArray, variation: FloatArray) -> FloatArray:
    varies = variation > 0
    return np.asarray(squared[:, varies] / variation[varies]) if varies.any() else np.zeros((len(squared), 1))


def _last_smallest(values: FloatArray) -> IndexArray:
    return np.asarray(len(values) - 1 - np.argmin(values[::-1], axis=0))
