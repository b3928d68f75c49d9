"""How sure a raw score is, from clusters of what was sampled: stories, participants, topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from .results import Interval
from .types import FloatArray

MINIMUM_CLUSTERS = 5
LEVEL = 0.95


def jackknife_correlation(
    statistic: Callable[[NDArray[np.bool_]], float], clusters: Sequence[str], *, level: float = LEVEL
) -> Interval | None:
    """Delete-one-cluster jackknife of a correlation on Fisher's z, with t(n − 1).

    `statistic` takes a boolean mask of rows, (n_rows,), and gives r over them. With z = atanh(r), the pseudo-values
    n z − (n − 1) z₍₋ᵢ₎ have the mean and standard error from which the interval is made, and tanh brings it back.
    For few clusters t on pseudo-values keeps its coverage where a percentile bootstrap does not. None below 5
    clusters, and where r is ±1 and has no z.
    """
    cluster_of_row = np.asarray(clusters)
    names = list(dict.fromkeys(clusters))
    if len(names) < MINIMUM_CLUSTERS:
        return None
    r_all = statistic(np.ones(len(cluster_of_row), dtype=bool))
    r_without = np.array([statistic(cluster_of_row != name) for name in names])
    if max(abs(r_all), *abs(r_without)) >= 1:
        return None
    z_all, z_without = np.arctanh(r_all), np.arctanh(r_without)
    pseudo = len(names) * z_all - (len(names) - 1) * z_without
    half = stdtrit(len(names) - 1, (1 + level) / 2) * pseudo.std(ddof=1) / np.sqrt(len(names))
    low, high = np.tanh([pseudo.mean() - half, pseudo.mean() + half])
    return Interval(level=level, low=float(low), high=float(high), method="jackknife-fisher-z-t", n=len(names))


def interval_of(
    raw_by_participant: Mapping[str, float],
    draws: FloatArray,
    *,
    n_clusters: int,
    seed: int,
    level: float = LEVEL,
) -> tuple[Interval | None, str | None]:
    """The interval of a raw score, or None and why there is none.

    With five participants or more: tanh(mean z ± t(n − 1) · standard error), z = atanh of each participant's raw
    score; it speaks of further participants like these. Else, with `n_clusters` of five passages or more: the
    percentiles of `draws` (n_draws,), made from them with `seed`; it speaks of further passages like these for the
    same participants and is conditional on the fits.
    """
    if len(raw_by_participant) >= MINIMUM_CLUSTERS:
        return _over_participants(np.array(list(raw_by_participant.values())), level)
    if n_clusters < MINIMUM_CLUSTERS:
        return None, (
            f"{len(raw_by_participant)} participants and {n_clusters} passages are too few; "
            f"{MINIMUM_CLUSTERS} of one of them are needed"
        )
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return (
        Interval(level=level, low=float(low), high=float(high), method="passage-bootstrap", n=n_clusters, seed=seed),
        None,
    )


def paired_difference(
    raw: float, draws: Sequence[float], other_raw: float, other_draws: Sequence[float], *, level: float = LEVEL
) -> Interval:
    """The interval of raw − other_raw for two subjects whose draws were made with one seed on the same data.

    Percentiles of the differences of paired draws, moved so that their median is raw − other_raw: resampled passages
    repeat themselves, which pulls every draw of a median the same way. `n` counts the draws.
    """
    differences = np.asarray(draws) - np.asarray(other_draws)
    low, centre, high = np.quantile(differences, [(1 - level) / 2, 0.5, (1 + level) / 2])
    shift = raw - other_raw - centre
    return Interval(
        level=level,
        low=float(low + shift),
        high=float(high + shift),
        method="paired-passage-bootstrap",
        n=len(differences),
    )


def _over_participants(raws: FloatArray, level: float) -> tuple[Interval | None, str | None]:
    if np.abs(raws).max() >= 1:
        return None, "a participant's raw score is ±1, which has no Fisher z"
    z, n = np.arctanh(raws), len(raws)
    half = stdtrit(n - 1, (1 + level) / 2) * z.std(ddof=1) / np.sqrt(n)
    low, high = np.tanh([z.mean() - half, z.mean() + half])
    return Interval(level=level, low=float(low), high=float(high), method="participants-fisher-z-t", n=n), None
