"""How far means over readers or repetitions can be relied on, and what can be reached of them.

What belongs here: ceilings from arrays alone. What does not: those that need fits, which `ceilings` has.
"""

from __future__ import annotations

import numpy as np

from .results import Ceiling, CeilingMethod
from .types import FloatArray

N_HALVES = 200
"""Random halves of a split-half ceiling."""

LEVEL = 0.95
"""Share of the random halves between `low` and `high`."""


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


def split_half(readings: FloatArray, *, seed: int = 0, n_halves: int = N_HALVES) -> Ceiling:
    """The ceiling of correlations with the means over readers or repetitions, from (n_items, n_readers), NaN missing.

    ρ is the correlation of the means of two random halves of the readers, ρ' = 2ρ / (1 + ρ) (Spearman 1910; Brown
    1910) the reliability of the mean over all, and √ρ' what a perfect predictor of the true means reaches. `value` is
    the median over halvings, `low` and `high` hold 95 % of them; the root of a negative ρ' is taken as −√|ρ'|.
    Items are left out of a halving where a half has none of their readers.
    """
    n_items, n_readers = readings.shape
    if n_items < 3 or n_readers < 2:
        return Ceiling.none("halves need at least three items and two readers")
    present, values = np.isfinite(readings), np.nan_to_num(readings, posinf=0.0, neginf=0.0)
    rng, found = np.random.default_rng(seed), []
    for _ in range(n_halves):
        order = rng.permutation(n_readers)
        halves = order[: n_readers // 2], order[n_readers // 2 :]
        counts = [present[:, half].sum(axis=1) for half in halves]
        both = (counts[0] > 0) & (counts[1] > 0)
        first, second = (
            values[both][:, half].sum(axis=1) / count[both] for half, count in zip(halves, counts, strict=True)
        )
        if both.sum() >= 3 and np.ptp(first) > 0 and np.ptp(second) > 0:
            rho = np.corrcoef(first, second)[0, 1]
            found.append(2 * rho / (1 + rho) if rho > -1 else -np.inf)
    if not found or np.median(found) <= 0:
        return Ceiling.none("halves of the readers do not agree")
    low, value, high = (float(np.sign(share) * np.sqrt(abs(share))) for share in _centre_and_ends(np.array(found)))
    return Ceiling(value=value, method=CeilingMethod.SPLIT_HALF, low=low, high=high)


def _centre_and_ends(values: FloatArray) -> tuple[float, float, float]:
    low, centre, high = np.quantile(values, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return float(low), float(centre), float(high)
