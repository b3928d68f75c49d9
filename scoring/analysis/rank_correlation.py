"""Spearman's correlation, with a p that holds for few values and for ties."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np
from scipy import stats

from ..types import FloatArray

LARGEST_EXACT = 7
"""Up to so many values every order of them is tried."""


def rank_correlation(x: FloatArray, y: FloatArray) -> tuple[float | None, float | None]:
    """Spearman's correlation of two columns (n,) and its two-sided p; None for both where one of them does not vary.

    p is the share of all orders of y that are at least as ordered, for n ≤ 7; beyond, that of t(n − 2).
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None, None
    if len(x) > LARGEST_EXACT:
        found = stats.spearmanr(x, y)
        return float(found.statistic), float(found.pvalue)
    a, b = (stats.rankdata(values) - (len(x) + 1) / 2 for values in (x, y))
    p = (_sums(tuple(sorted(a)), tuple(sorted(b))) >= abs(a @ b) - 1e-9).mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b))), float(p)


@lru_cache(maxsize=64)
def _sums(a: tuple[float, ...], b: tuple[float, ...]) -> FloatArray:
    """|Σ a b| for every order of b; the same for all columns with these ranks, of which few have ties."""
    orders = np.array(list(permutations(range(len(b)))))
    return np.asarray(np.abs(np.array(b)[orders] @ np.array(a)), dtype=np.float64)
