"""From r of units and folds to one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import NumericalFailure
from ..protocols import Pooling
from ..types import FloatArray


def pooled(r: FloatArray, participants: Sequence[str], pooling: Pooling = Pooling.PARTICIPANTS) -> float:
    """One number from r (n_folds, n_units), as `pooling` says.

    Raises NumericalFailure where a participant, or every unit, has a fold without any unit that varies.
    """
    if pooling is Pooling.POOLED_UNITS:
        return float(by_fold(r, participants, pooling).mean())
    values = [value for value in by_participant(r, participants, pooling).values() if value is not None]
    return float(np.mean(values))


def by_fold(r: FloatArray, participants: Sequence[str], pooling: Pooling) -> FloatArray:
    """The score of each fold, (n_folds,); their mean is the score of the part."""
    if pooling is Pooling.POOLED_UNITS:
        return _centre(r, np.nanmedian, "the part")
    statistic = np.nanmean if pooling is Pooling.MEAN_UNITS else np.nanmedian
    owner = np.asarray(participants)
    found = [_centre(r[:, owner == one], statistic, f"participant {one}") for one in dict.fromkeys(participants)]
    return np.asarray(np.mean(found, axis=0))


def by_participant(r: FloatArray, participants: Sequence[str], pooling: Pooling) -> dict[str, float]:
    """The score of each participant's units alone, in order of first appearance."""
    statistic = np.nanmean if pooling is Pooling.MEAN_UNITS else np.nanmedian
    owner = np.asarray(participants)
    return {
        one: float(_centre(r[:, owner == one], statistic, f"participant {one}").mean())
        for one in dict.fromkeys(participants)
    }


def _centre(r: FloatArray, statistic: object, whose: str) -> FloatArray:
    if np.isnan(r).all(axis=1).any():
        raise NumericalFailure(f"{whose} has a fold in which no unit's response varies")
    assert callable(statistic)
    return np.asarray(statistic(r, axis=1))
