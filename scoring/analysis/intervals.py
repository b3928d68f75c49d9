"""Intervals over clusters of models that share a base: a delete-one-cluster jackknife with t, and none below five.

Percentile bootstraps of few clusters are too narrow (eight clusters: 88-94 % for a nominal 95 %). What is here holds
93-97 % of normal variables from five clusters on, and 91 % of very skewed ones, as docs/images/interval_coverage.py
finds and docs/validation.md shows.
"""

from __future__ import annotations

import numpy as np

from ..quantiles import of_normal, of_t
from ..results import Interval
from ..types import FloatArray
from ..uncertainty import LEVEL, MINIMUM_CLUSTERS
from .moments import Labels, correlations, without_each
from .warnings import too_few

CORRELATION_METHOD = "base-jackknife-fisher-z-t"
MEAN_METHOD = "base-jackknife-t"
INDEPENDENT_METHOD = "fisher-z"
BOOTSTRAP_METHOD = "base-bootstrap-percentile"

N_DRAWS = 10_000
AT_ONCE = 500
MAX_DRAWN = 2_000_000
"""Draws of clusters for an interval by percentiles: so many, fewer of many clusters, and so many in memory."""

NEARLY_ONE = 1 - 1e-9
"""A correlation this close to ±1 differs from it by rounding."""


def correlation_bounds(moments: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Bounds (…) of the correlation in moments (…, n_clusters, n, n).

    tanh(z ± t(G − 1) s / (1 − r²)) with z = atanh r and s² = (G − 1)/G Σ (r₍₋g₎ − r)². The spread is taken of r, where
    leaving out one of five clusters does not run away, and carried to z, where the interval is symmetric. NaN where r
    has no z, or is not defined with some cluster left out.
    """
    n_clusters = moments.shape[-3]
    r, r_without = correlations(moments.sum(axis=-3)), correlations(without_each(moments))
    error = np.sqrt((n_clusters - 1) / n_clusters * ((r_without - r[..., None]) ** 2).sum(axis=-1))
    half = of_t((1 + level) / 2, n_clusters - 1) * error
    r = np.where(np.abs(r) < NEARLY_ONE, r, np.nan)
    z, half_z = np.arctanh(r), half / (1 - r**2)
    return np.tanh(z - half_z), np.tanh(z + half_z)


def correlation_interval(moments: FloatArray, *, level: float = LEVEL) -> tuple[Interval | None, str | None]:
    """The interval of one correlation from moments (n_clusters, n, n), or None and why there is none."""
    n_clusters = len(moments)
    if n_clusters < MINIMUM_CLUSTERS:
        return None, f"{too_few(n_clusters, 'base')}; {MINIMUM_CLUSTERS} are needed"
    low, high = correlation_bounds(moments, level=level)
    if not np.isfinite([low, high]).all():
        return None, "r is ±1, or is not defined with some base left out"
    return Interval(level=level, low=float(low), high=float(high), method=CORRELATION_METHOD, n=n_clusters), None


def independent_interval(r: float, n: int, n_controls: int, *, level: float = LEVEL) -> Interval | None:
    """Fisher's interval as if models were independent: tanh(atanh r ± z / √(n − 3 − n_controls)). Too narrow if not."""
    freedom = n - 3 - n_controls
    if freedom < 1 or abs(r) >= NEARLY_ONE:
        return None
    half = of_normal((1 + level) / 2) / np.sqrt(freedom)
    low, high = np.tanh([np.arctanh(r) - half, np.arctanh(r) + half])
    return Interval(level=level, low=float(low), high=float(high), method=INDEPENDENT_METHOD, n=n)


def bootstrap_interval(moments: FloatArray, *, seed: int = 0, level: float = LEVEL) -> Interval | None:
    """Percentiles of r over draws of clusters with replacement, from moments (n_clusters, n, n); None below five.

    What papers print. With few clusters it is too narrow: `correlation_interval` is the one to judge by. Draws in which
    nothing varies are left out.
    """
    n_clusters = len(moments)
    if n_clusters < MINIMUM_CLUSTERS:
        return None
    rng, shares = np.random.default_rng(seed), np.full(n_clusters, 1 / n_clusters)
    drawn = []
    for _ in range(max(1, min(N_DRAWS, MAX_DRAWN // n_clusters) // AT_ONCE)):
        times = rng.multinomial(n_clusters, shares, size=AT_ONCE).astype(np.float64)
        drawn.append(correlations(np.tensordot(times, moments, axes=(1, 0))))
    low, high = np.nanquantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
    return Interval(level=level, low=float(low), high=float(high), method=BOOTSTRAP_METHOD, n=n_clusters, seed=seed)


def mean_bounds(sums: FloatArray, counts: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Bounds (…) of a mean over all rows, from the sums and counts of clusters, (…, n_clusters).

    m ± t(G − 1) s with m = Σ sums / Σ counts and s² = (G − 1)/G Σ (m₍₋g₎ − m)².
    """
    n_clusters = sums.shape[-1]
    total, count = sums.sum(axis=-1), counts.sum(axis=-1)
    mean = total / count
    without = (total[..., None] - sums) / (count[..., None] - counts)
    error = np.sqrt((n_clusters - 1) / n_clusters * ((without - mean[..., None]) ** 2).sum(axis=-1))
    half = of_t((1 + level) / 2, n_clusters - 1) * error
    return mean - half, mean + half


def mean_interval(values: FloatArray, clusters: Labels, *, level: float = LEVEL) -> tuple[Interval | None, str | None]:
    """The interval of the mean of `values` (n_rows,) over clusters, or None and why there is none."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < MINIMUM_CLUSTERS:
        return None, f"{too_few(len(names), 'base')}; {MINIMUM_CLUSTERS} are needed"
    sums = np.asarray(np.bincount(index, weights=values, minlength=len(names)), dtype=np.float64)
    counts = np.asarray(np.bincount(index, minlength=len(names)), dtype=np.float64)
    low, high = mean_bounds(sums, counts, level=level)
    return Interval(level=level, low=float(low), high=float(high), method=MEAN_METHOD, n=len(names)), None
