"""How sure a raw score is, from clusters of what was sampled: stories, participants, topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .quantiles import of_normal, of_t
from .results import Interval
from .types import FloatArray

MINIMUM_CLUSTERS = 5
LEVEL = 0.95
ENOUGH_CLUSTERS = 30
"""From so many on the percentiles of draws hold what they promise; below, the spread of the draws is taken with t."""

PASSAGE_BOOTSTRAP, FEW_PASSAGES = "passage-bootstrap", "passage-bootstrap-fisher-z-t"
"""The methods of intervals that are made from draws, of many passages and of few; `n` counts what was drawn."""


def jackknife_correlation(
    statistic: Callable[[NDArray[np.bool_]], float], clusters: Sequence[str], *, level: float = LEVEL
) -> tuple[Interval | None, str | None]:
    """Delete-one-story jackknife of a correlation on Fisher's z, with t(n − 1), or None and why there is none.

    `clusters` names each row's story; `statistic` takes a mask of rows, (n_rows,), and gives r over them. With
    z = atanh(r), the pseudo-values n z − (n − 1) z₍₋ᵢ₎ have the mean and standard error from which the interval is
    made, and tanh brings it back. For few stories t on pseudo-values keeps its coverage where a percentile bootstrap
    does not. None below 5 stories, and where r is ±1 and has no z.
    """
    cluster_of_row = np.asarray(clusters)
    names = list(dict.fromkeys(clusters))
    if len(names) < MINIMUM_CLUSTERS:
        what = "1 story is" if len(names) == 1 else f"{len(names)} stories are"
        return None, f"{what} too few; {MINIMUM_CLUSTERS} are needed"
    r_all = statistic(np.ones(len(cluster_of_row), dtype=bool))
    r_without = np.array([statistic(cluster_of_row != name) for name in names])
    if max(abs(r_all), *abs(r_without)) >= 1:
        return None, "the raw score is ±1 with or without some story, which has no Fisher z"
    low, high = _jackknife(np.arctanh(r_all), np.arctanh(r_without), level)
    return Interval(level=level, low=low, high=high, method="jackknife-fisher-z-t", n=len(names)), None


def interval_of(
    raws_of_parts: Sequence[Mapping[str, float]],
    draws: FloatArray,
    *,
    raw: float,
    n_clusters: int,
    seed: int,
    level: float = LEVEL,
) -> tuple[Interval | None, str | None]:
    """The interval of a `raw` score, or None and why there is none.

    `raws_of_parts` holds for each part the raw score of each of its participants, where the score is the mean over
    parts of their means. With five participants or more: a delete-one-participant jackknife of its Fisher z with
    t(n − 1), from all parts at once; it speaks of further participants like these. Else, with `n_clusters` of five
    passages or more: from `draws` (n_draws,), made from them with `seed`; it speaks of further passages like these for
    the same participants and is conditional on the fits. With n ≥ 30 passages: the percentiles of the draws. With
    fewer, where those are too narrow (of 5 to 10 they hold the truth 83 to 90 times in a hundred): tanh(atanh raw ±
    t(n − 1) √(n / (n − 1)) s), with s the standard deviation of atanh of the draws.
    """
    participants = list(dict.fromkeys(name for raws in raws_of_parts for name in raws))
    if len(participants) >= MINIMUM_CLUSTERS:
        return _over_participants(raws_of_parts, participants, level)
    if n_clusters < MINIMUM_CLUSTERS:
        return None, (
            f"{len(participants)} participants and {n_clusters} passages are too few; "
            f"{MINIMUM_CLUSTERS} of one of them are needed"
        )
    if n_clusters < ENOUGH_CLUSTERS:
        return _over_few_passages(raw, draws, n_clusters, seed, level)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return (
        Interval(level=level, low=float(low), high=float(high), method=PASSAGE_BOOTSTRAP, n=n_clusters, seed=seed),
        None,
    )


def paired_difference(
    raw: float,
    draws: Sequence[float],
    other_raw: float,
    other_draws: Sequence[float],
    *,
    n_clusters: int,
    level: float = LEVEL,
) -> Interval:
    """The interval of raw − other_raw for two subjects whose draws were made with one seed on the same data.

    raw − other_raw ± t(n − 1) √(n / (n − 1)) s, with s the standard deviation of the differences of paired draws and n
    the `n_clusters` that were drawn: as leaderboards compare. Percentiles of the draws of eight stories would hold the
    truth 89 times in a hundred.
    """
    spread = np.std(np.asarray(draws) - np.asarray(other_draws)) * spread_of_draws(n_clusters)
    half, difference = float(of_t((1 + level) / 2, n_clusters - 1) * spread), raw - other_raw
    return Interval(
        level=level, low=difference - half, high=difference + half, method="paired-passage-bootstrap-t", n=n_clusters
    )


def spread_of_draws(n_clusters: int | None) -> float:
    """What deviations of draws of n clusters are multiplied by: √(n / (n − 1)), because resampling n of n clusters
    varies that much less than n new ones would."""
    return 1.0 if n_clusters is None else float(np.sqrt(n_clusters / (n_clusters - 1)))


def n_drawn(method: str | None, n: int | None, *, n_folds: int) -> int:
    """How many passages or stories the draws of a score are of, from its interval's method and n, and its folds.

    An interval of passages counts them. Beside one of participants their number is not kept: folds, of which there are
    never more, stand for it.
    """
    is_of_passages = method in (PASSAGE_BOOTSTRAP, FEW_PASSAGES)
    return max(MINIMUM_CLUSTERS, n if is_of_passages and n is not None else n_folds)


def standard_error(interval: Interval) -> float:
    """The standard error that an interval was made from, where it is symmetric: half its width over a quantile.

    Of t(n − 1) for a jackknife over n clusters, of the normal distribution for percentiles of draws. Of an interval
    made on Fisher's z it is the standard error of z, brought back at the score.
    """
    is_of_t = interval.method.endswith("-t")
    share = (1 + interval.level) / 2
    quantile = of_t(share, interval.n - 1) if is_of_t else of_normal(share)
    return float((interval.high - interval.low) / 2 / quantile)


def _over_few_passages(
    raw: float, draws: FloatArray, n: int, seed: int, level: float
) -> tuple[Interval | None, str | None]:
    if max(abs(raw), np.abs(draws).max()) >= 1:
        return None, "the raw score, or that of some draw of passages, is ±1, which has no Fisher z"
    half = of_t((1 + level) / 2, n - 1) * spread_of_draws(n) * np.arctanh(draws).std()
    low, high = np.tanh([np.arctanh(raw) - half, np.arctanh(raw) + half])
    return Interval(level=level, low=float(low), high=float(high), method=FEW_PASSAGES, n=n, seed=seed), None


def _over_participants(
    raws_of_parts: Sequence[Mapping[str, float]], participants: Sequence[str], level: float
) -> tuple[Interval | None, str | None]:
    def raw(left_out: str | None) -> float:
        means = [[raw for name, raw in raws.items() if name != left_out] for raws in raws_of_parts]
        return float(np.mean([np.mean(of_part) for of_part in means if of_part]))

    raws = [raw(None), *map(raw, participants)]
    if np.abs(raws).max() >= 1:
        return None, "the raw score is ±1 with or without some participant, which has no Fisher z"
    low, high = _jackknife(np.arctanh(raws[0]), np.arctanh(raws[1:]), level)
    n = len(participants)
    return Interval(level=level, low=low, high=high, method="participants-jackknife-fisher-z-t", n=n), None


def _jackknife(z_all: float, z_without: FloatArray, level: float) -> tuple[float, float]:
    """The bounds of tanh z by pseudo-values n z − (n − 1) z₍₋ᵢ₎, z over all clusters and without each, and t(n − 1)."""
    n = len(z_without)
    pseudo = n * z_all - (n - 1) * z_without
    half = of_t((1 + level) / 2, n - 1) * pseudo.std(ddof=1) / np.sqrt(n)
    low, high = np.tanh([pseudo.mean() - half, pseudo.mean() + half])
    return float(low), float(high)
