"""Raw scores of resampled passages, from predictions that are stored: nothing is fitted again.

What belongs here: drawing and scoring. What does not: the intervals that follow (`uncertainty`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .errors import NumericalFailure
from .metrics.correlation import CONSTANT_RATIO
from .metrics.part_fits import HeldOut, PartData
from .metrics.pooling import Blocks, blocks_of, by_row
from .protocols import Pooling
from .types import FloatArray, IndexArray

N_DRAWS = 1000

CHUNK = 2**18
"""Correlations that are made at one time: a few arrays of this size stay in a processor's cache."""

COLUMNS = 2048
"""Units whose responses are squared at one time."""

SURE = 0.05
"""Where a resampled variance is below this share of the fold's own, float32 has lost digits: float64 is asked."""

ROUNDING = 1e-12
"""A variance below this share of the mean square is what rounding leaves of nothing."""

ResponseArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldRows:
    """Responses and predictions of one fold's test rows, (n_test, n_units) each, with mean 0 and variance 1.

    A response that is constant there is 0 and marked in `is_dead` (n_units,), a prediction that is constant is 0 and
    marked in `is_silent`. `least_variance` (n_units,) is the variance below which a prediction counts as constant.
    """

    Y: FloatArray
    P: FloatArray
    is_dead: NDArray[np.bool_]
    is_silent: NDArray[np.bool_]
    least_variance: FloatArray

    def of_constants(self, r: ResponseArray) -> ResponseArray:
        """r (…, n_units) with 0 for silent predictions and NaN for dead responses, as `pearson_columns` has it."""
        r[..., self.is_silent] = 0.0
        r[..., self.is_dead] = np.nan
        return r


def rows_of(part: HeldOut, index: int, train_deviations: FloatArray) -> FoldRows:
    """The test rows of fold `index`; `train_deviations` are of its training rows, (n_units,)."""
    Y, P = part.data.Y[part.data.folds[index].test], np.asarray(part.predictions[index], dtype=np.float64)
    is_dead = np.ptp(Y, axis=0) == 0
    Y, P = Y - Y.mean(axis=0), P - P.mean(axis=0)
    deviations = P.std(axis=0)
    least = CONSTANT_RATIO * train_deviations
    is_silent = deviations <= least
    Y /= np.where(is_dead, 1.0, Y.std(axis=0))
    P /= np.where(is_silent, 1.0, deviations)
    Y[:, is_dead], P[:, is_silent] = 0.0, 0.0
    least_variance = (least / np.where(is_silent, 1.0, deviations)) ** 2
    return FoldRows(Y=Y, P=P, is_dead=is_dead, is_silent=is_silent, least_variance=least_variance)


def train_deviations(data: PartData) -> FloatArray:
    """The standard deviation of each unit's responses over each fold's training rows, (n_folds, n_units)."""
    shares = np.zeros((len(data.folds), len(data.Y)))
    for index, fold in enumerate(data.folds):
        shares[index, fold.train] = 1 / len(fold.train)
    found = np.empty((len(data.folds), data.Y.shape[1]))
    for start in range(0, data.Y.shape[1], COLUMNS):
        own = slice(start, start + COLUMNS)
        centred = data.Y[:, own] - data.Y[:, own].mean(axis=0)
        variances = shares @ centred**2 - (shares @ centred) ** 2
        found[:, own] = np.sqrt(np.maximum(variances, 0.0))
    return found


def draws(parts: Sequence[HeldOut], pooling: Pooling, *, seed: int, n_draws: int = N_DRAWS) -> FloatArray:
    """Raw scores, (n_draws,), of passages drawn with replacement within each fold's test rows.

    Where a passage is tested in several folds, passages are drawn once for all folds of the part. For each draw r of a
    unit follows from sums over passages, weighted by how often each was drawn; units, folds, participants and parts are
    then pooled as in the score itself. Where a fold tests one passage alone, whole folds
    are drawn instead. The same seed draws the same passages for every subject on the same data: differences between
    subjects are paired. Conditional on the fits. Raises NumericalFailure where a draw leaves a participant no unit.
    """
    found = [_of_part(part, pooling, seed=(seed, index), n_draws=n_draws) for index, part in enumerate(parts)]
    return np.asarray(np.mean(found, axis=0))


def n_clusters_of(parts: Sequence[HeldOut]) -> int:
    """How many passages, or folds where those are drawn, the draws of all parts rest on."""
    return sum(_n_clusters(part.data) for part in parts)


def _n_clusters(data: PartData) -> int:
    if _draws_whole_folds(data):
        return len(data.folds)
    return len({data.passages[row] for fold in data.folds for row in fold.test})


def _draws_whole_folds(data: PartData) -> bool:
    """Whether some fold tests fewer than two passages, so that there is nothing to draw within it."""
    return any(len({data.passages[row] for row in fold.test}) < 2 for fold in data.folds)


def _of_part(part: HeldOut, pooling: Pooling, *, seed: tuple[int, int], n_draws: int) -> FloatArray:
    data = part.data
    n_folds, blocks = len(data.folds), blocks_of(data.participants, pooling)
    deviations = train_deviations(data)
    as_it_is = _draws_whole_folds(data)

    passage_of_row = np.unique(data.passages, return_inverse=True)[1]
    of_part = _counts_of_part(data, passage_of_row, seed, n_draws)

    def of_fold(index: int) -> FloatArray:
        own, cluster = np.unique(passage_of_row[data.folds[index].test], return_inverse=True)
        if as_it_is:
            counts = np.ones((1, len(own)))
        elif of_part is not None:
            counts = of_part[:, own]
        else:
            counts = _multinomial(np.random.default_rng([*seed, index]), len(own), n_draws)
        return _of_fold(rows_of(part, index, deviations[index]), cluster, counts, blocks, pooling)

    # Products of this size are slower on several threads of BLAS; folds share the processors instead.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        scores = np.stack(list(threads.map(of_fold, range(n_folds))))
    if as_it_is:
        return np.asarray(_multinomial(np.random.default_rng(seed), n_folds, n_draws) @ scores[:, 0] / n_folds)
    return np.asarray(scores.mean(axis=0))


def _counts_of_part(
    data: PartData, passage_of_row: IndexArray, seed: tuple[int, int], n_draws: int
) -> FloatArray | None:
    """How often each passage of a part is drawn, (n_draws, n_passages), where some stands in several folds' test rows;
    else None. Raises NumericalFailure where a draw leaves a fold without rows."""
    tested = [np.unique(passage_of_row[fold.test]) for fold in data.folds]
    if len(np.concatenate(tested)) == len(np.unique(np.concatenate(tested))):
        return None
    counts = _multinomial(np.random.default_rng(seed), int(passage_of_row.max()) + 1, n_draws)
    if any((counts[:, own].sum(axis=1) == 0).any() for own in tested):
        raise NumericalFailure("a draw of passages leaves a fold without test rows")
    return counts


def _multinomial(rng: np.random.Generator, n: int, n_draws: int) -> FloatArray:
    """How often each of n is drawn in n draws with replacement, (n_draws, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(np.float64)


def _of_fold(rows: FoldRows, cluster: Any, counts: FloatArray, blocks: Blocks, pooling: Pooling) -> FloatArray:
    """The score of the fold for each row of `counts` (n_draws, n_clusters)."""
    members = (np.arange(counts.shape[1])[:, None] == cluster).astype(np.float64)
    sums = np.stack([members @ values for values in (rows.Y, rows.P, rows.Y**2, rows.P**2, rows.Y * rows.P)])
    weights = counts / (counts @ members.sum(axis=1))[:, None]
    sums32, weights32 = sums.astype(np.float32), weights.astype(np.float32)
    step = max(1, CHUNK // sums.shape[2])
    found = np.empty(len(counts))
    for start in range(0, len(counts), step):
        own = slice(start, start + step)
        r = _correlations(sums32, weights32[own], sums, weights[own], rows)
        found[own] = by_row(r, blocks, pooling)
    return found


def _correlations(
    sums32: NDArray[np.float32], weights32: NDArray[np.float32], sums: FloatArray, weights: FloatArray, rows: FoldRows
) -> ResponseArray:
    """r of each draw and unit, (n_draws, n_units) float32, from means E[y], E[p], E[y²], E[p²], E[yp] of each draw."""
    y, p, yy, pp, yp = (weights32 @ of_clusters for of_clusters in sums32)
    yp -= y * p
    yy -= np.square(y, out=y)
    pp -= np.square(p, out=p)
    unsure = None
    if min(yy.min(), pp.min()) < SURE:
        unsure = np.nonzero(((yy < SURE) | (pp < SURE)) & ~rows.is_dead & ~rows.is_silent)
    np.multiply(yy, pp, out=yy)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.divide(yp, np.sqrt(yy, out=yy), out=yp)
    if unsure is not None:
        r[unsure] = _surely(sums[:, :, unsure[1]], weights[unsure[0]], rows.least_variance[unsure[1]])
    return rows.of_constants(r)


def _surely(sums: FloatArray, weights: FloatArray, least_variance: FloatArray) -> FloatArray:
    """r in float64 of single draws and units: sums (5, n_clusters, n), weights (n, n_clusters), and n answers."""
    y, p, yy, pp, yp = np.einsum("scn,nc->sn", sums, weights)
    variance_y, variance_p = yy - y**2, pp - p**2
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (yp - y * p) / np.sqrt(variance_y * variance_p)
    r[variance_p <= np.maximum(least_variance, ROUNDING * pp)] = 0.0
    r[variance_y <= ROUNDING * yy] = np.nan
    return np.asarray(r)
