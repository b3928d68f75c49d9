"""The score that a perfect model can reach, from the data alone."""

from __future__ import annotations

import numpy as np

from .datasets.base import Experiment
from .protocols import BrainRules
from .results import Ceiling, CeilingMethod
from .types import FloatArray


def from_item_variance(means: FloatArray, sd: FloatArray, n: FloatArray) -> Ceiling:
    """The ceiling of correlations with item means, all (n_items,): √(1 − mean(sd²/n) / var(means)).

    The share under the root is the reliability of the means; a perfect predictor of the true means correlates with
    the measured ones by its root. Items with fewer than two participants, or without a mean, are left out.
    """
    usable = np.isfinite(means) & np.isfinite(sd) & (n >= 2)
    if usable.sum() < 3:
        return Ceiling.none("fewer than three items have two participants")
    noise = float(np.mean(sd[usable] ** 2 / n[usable]))
    variance = float(np.var(means[usable], ddof=1))
    if variance <= noise:
        return Ceiling.none("the means vary no more than noise alone would make them")
    return Ceiling(value=float(np.sqrt(1 - noise / variance)), method=CeilingMethod.FROM_ITEM_VARIANCE)


def ceiling_of(experiment: Experiment, rules: BrainRules, n_folds: int) -> Ceiling:
    """No ceiling: how well participants predict one another is not computed yet."""
    return Ceiling.none("the ceiling between participants is not computed yet")
