"""Inner products of delayed features from those of the moments themselves.

A finite impulse response gives each moment the features of the moments some steps before it, side by side. Their inner
products are sums of shifted inner products, so that n_features × n_delays columns are never built.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import FloatArray, IndexArray


def delayed(K: FloatArray, runs: Sequence[str], delays: Sequence[int]) -> FloatArray:
    """K'[s, t] = Σ_d K[s − d, t − d], (n_moments, n_moments), with 0 where s − d or t − d lies outside its run.

    `K` holds the inner products of moments in order, `runs` (n_moments,) names each moment's run, whose moments stand
    together; `delays` are counted in moments and not negative. Features are taken as deviations from their mean over
    all moments, so that a moment before the start of a run is an average one.
    """
    centred_on_moments = K - K.mean(axis=0) - K.mean(axis=1, keepdims=True) + K.mean()
    total = np.zeros_like(centred_on_moments)
    for delay in delays:
        rows, sources = _shifted(runs, delay)
        total[np.ix_(rows, rows)] += centred_on_moments[np.ix_(sources, sources)]
    return np.asarray(total)


def _shifted(runs: Sequence[str], delay: int) -> tuple[IndexArray, IndexArray]:
    """Moments that have one `delay` steps before them in their run, and that one."""
    names = np.asarray(runs)
    rows = np.arange(delay, len(names))
    rows = rows[names[rows] == names[rows - delay]]
    return rows, rows - delay
